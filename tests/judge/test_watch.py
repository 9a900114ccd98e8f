"""Rules open, change and close findings as declared, and give the same findings with the same ids whatever was restarted when."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongshu.judge import Indicator, Memory, Outcome, Pulse, Rule, Watch, cost, read_rule, within_limit
from zhongshu.judge.rule import BAD_RULE
from zhongshu.kernel.area import Level
from zhongshu.kernel.clock import GRID, SECOND, FrozenClock, boundary
from zhongshu.kernel.finding import Status
from zhongshu.kernel.problem import Problem

from .town import CELLS, PROPERTIES, START, Town, gauge, sign

STREET = CELLS[0] // 10**6 * 10**6
SOURCE = {"doc": "云汀市（虚构）防汛办法", "clause": "7", "scope": "city"}
BANDS = [{"source": SOURCE, "steps": [{"level": "yellow", "op": ">=", "value": 1}, {"level": "orange", "op": ">=", "value": 5}, {"level": "red", "op": ">=", "value": 10}]}]


def rule(**row: Any) -> Rule:
    return read_rule({"code": "R", "name": {"zh": "规则", "en": "Rule"}, "indicator": "X", "at": "street", "when": "value >= 10"} | row)


class Run:
    """A watch over a town from a memory on, beating as the owner's pulse does; keeps every outcome and the memory after it."""

    def __init__(self, town: Town, signs: list[Indicator], rules: list[Rule], memory: Memory | None = None) -> None:
        self.town, self.outcomes, self.memories = town, list[Outcome](), list[str]()
        live = town.cells([spec for s in signs for spec in s.specs()])
        self.watch = Watch(town.judge, live, signs, rules, memory or Memory(at=boundary(START) - GRID))
        live.restore(self.watch.memory.at)
        self.watch.stand()
        self.pulse = Pulse(FrozenClock(START), live, self.watch, lambda _: None, self._tell)
        self.story = list[Any]()

    def _tell(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.story += [(outcome.at, kind, f.id, f.level, f.value, f.opened, json.dumps(f.evidence)) for kind in ("opened", "changed", "closed") for f in getattr(outcome, kind)]
        self.memories.append(json.dumps(self.watch.memory.save()))

    def rain(self, mm: float | None, of: int = 0) -> "Run":
        """Let a gauge report now, and see what comes of it."""
        group = self.town.send([(of, 0, 0, 0, None if mm is None else round(mm * 10), 0, 0)])
        assert group is not None
        self.pulse.take(group)
        return self.beat()

    def beat(self) -> "Run":
        """Evaluate all up to now; whatever comes in later is known later."""
        at = self.town.now
        self.pulse.beat(at)
        self.town.known = at + 1
        return self

    def wait(self, seconds: float) -> "Run":
        self.town.wait(round(seconds * SECOND))
        return self.beat()

    @property
    def kinds(self) -> list[str]:
        return [row[1] for row in self.story]

    @property
    def open(self) -> list[Status]:
        return [f.level for f in self.watch.memory.open.values()]


def run(*rules: Rule, **row: Any) -> Run:
    return Run(Town([gauge(0), gauge(1), gauge(4)]), [sign(**{"each": "last", "window": "1m", "hop": "5s", "bands": BANDS} | row)], list(rules or [rule()]))


def test_a_rule_opens_only_after_it_has_held() -> None:
    town = run(rule(**{"for": "10s"}))
    assert town.rain(12).wait(8).kinds == []
    assert town.rain(3).wait(30).kinds == []
    town.rain(12).wait(4).rain(13).wait(8)
    assert town.kinds == ["opened"]
    (found,) = town.watch.memory.open.values()
    assert (found.value, found.level, found.area) == (13.0, Status.RED, STREET)
    assert found.evidence["value"] == 13.0


def test_a_finding_ends_where_it_is_told_to_and_not_before() -> None:
    town = run(rule(clear="value < 4")).rain(12)
    assert town.wait(1).rain(6).wait(1).kinds[0] == "opened"
    assert "closed" not in town.kinds
    assert town.rain(3).kinds[-1] == "closed"
    assert town.open == []


def test_two_conditions_joined_by_or_open_one_finding() -> None:
    town = run(rule(when="value >= 10 or level = 'yellow'"))
    assert town.rain(2).wait(1).rain(20).kinds == ["opened", "changed"]
    assert town.open == [Status.RED]


def test_a_level_rises_at_once_and_falls_only_after_it_has_eased() -> None:
    town = run(rule(when="level >= 'yellow'", **{"for": "20s"})).rain(2).wait(25)
    assert town.rain(12).kinds == ["opened", "changed"]
    assert town.wait(1).rain(6).wait(5).open == [Status.RED]
    assert town.wait(1).rain(12).wait(18).rain(6).wait(10).open == [Status.RED]
    assert town.wait(11).open == [Status.ORANGE]


def test_a_rule_opens_no_more_than_its_rate() -> None:
    town = run(rule(rate="2/10m"))
    for _ in range(4):
        town.rain(12).wait(1).rain(1).wait(1)
    assert town.kinds == ["opened", "closed"] * 2
    town.wait(600).rain(12)
    assert town.kinds == ["opened", "closed"] * 2 + ["opened"]


def test_silence_clears_nothing_but_opens_what_waits_for_it() -> None:
    town = run(rule(clear="value < 4"), rule(code="S", when="absent 3m"), stale_after="30s").rain(12)
    town.wait(170)
    assert town.kinds == ["opened"]
    town.wait(20)
    assert [(row[1]) for row in town.story] == ["opened", "opened"]
    assert {f.rule for f in town.watch.memory.open.values()} == {"R", "S"}
    town.wait(3600)
    assert len(town.open) == 2
    town.rain(1)
    assert (town.kinds, town.open) == (["opened", "opened", "closed", "closed"], [])


def test_silence_is_held_against_the_rhythm_of_who_speaks_there() -> None:
    town = run(rule(code="S", when="absent 3m"), stale_after="30s").rain(1)
    town.watch._rhythm = lambda properties, _area: 5 * 60_000_000 if set(properties) == {"Gauge.rain"} else 0
    town.wait(890)
    assert town.kinds == []
    town.wait(20)
    assert town.kinds == ["opened"]
    town.rain(1)
    assert town.kinds == ["opened", "closed"]


def test_who_never_spoke_is_not_silent() -> None:
    town = run(rule(code="S", when="absent 3m"), derive="value / registered", unit="1", measures={"value": {"of": "Gauge.rain", "measure": "max"}})
    assert town.wait(900).kinds == []


def test_a_reading_without_a_value_is_no_value() -> None:
    assert run(rule(when="value < 10")).rain(None).wait(1).kinds == []


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.floats(0, 1))
def test_a_restart_at_any_boundary_gives_the_same_findings(seed: int, where: float) -> None:
    pick, town = Random(seed), Town([gauge(i) for i in range(5)])
    signs = [
        sign(each="last", window="1m", hop="10s", bands=BANDS, levels=["street"], stale_after="20s"),
        sign(code="M", measure="mean", window="2m", hop="20s", levels=["city"], unit="cm"),
        sign(code="Z", measure="count", unit="1", window="8m", hop="1m", levels=["street"]),
    ]
    rules = [
        rule(**{"for": "10s", "clear": "value < 4"}),
        rule(code="L", when="level >= 'yellow' and not level = 'red'", **{"for": "20s"}),
        rule(code="S", when="absent 90s"),
        rule(code="N", when="value >= 5", rate="1/3m"),
        rule(code="O", when="level = 'stale' or value < 1"),
        rule(code="Q", indicator="Z", when="absent 65s"),
        rule(code="C", indicator="M", at="city", when="value >= 0.5", clear="value < 0.2"),
    ]
    whole = Run(town, signs, rules)
    for _ in range(10):
        town.wait(pick.choice([1, 100_000, SECOND, 7 * SECOND, 25 * SECOND, 100 * SECOND]))
        group = town.send(
            [
                (pick.randrange(5), pick.randrange(2), 0, pick.choice([0, 0, 1, 10, 30, -4, -15]), pick.choice([0, 5, 15, 30, 60, 120, 200, None]), 0, pick.choice([0, *CELLS]))
                for _ in range(pick.randrange(1, 5))
            ]
        )
        if group is not None:
            whole.pulse.take(group)
        if pick.random() < 0.5:
            whole.beat()
    whole.wait(120)
    stop = int(where * (len(whole.memories) - 1))
    memory = Memory.load(json.loads(whole.memories[stop]))
    stood, after = memory.at, Run(town, signs, rules, memory)
    for group in town.groups:
        if group.known > stood:
            after.pulse.take(group)
    after.pulse.beat(whole.outcomes[-1].at)
    assert [o.at for o in after.outcomes] == [o.at for o in whole.outcomes[stop + 1 :]]
    assert after.story == [row for row in whole.story if row[0] > stood]
    assert after.memories[-1:] == whole.memories[-1:] if after.memories else True


def test_replay_of_the_same_groups_gives_the_same_findings() -> None:
    first = run(rule(clear="value < 4"), rule(code="S", when="absent 3m"))
    for mm in (1, 12, 8, 3, 30):
        first.rain(mm).wait(50)
    first.wait(400)
    again = Run(first.town, list(first.watch.indicators.values()), [r for held in first.watch.rules.values() for r in held])
    for group in first.town.groups:
        again.pulse.take(group)
    again.pulse.beat(first.town.now)
    assert again.story == first.story
    assert len(again.story) >= 4


@pytest.mark.parametrize(
    "row",
    [
        {"when": "value + 1 > 3"},
        {"when": "wetness > 1"},
        {"when": "level > 'purple'"},
        {"when": "absent soon"},
        {"for": "ten"},
        {"rate": "6 an hour"},
        {"at": "planet"},
        {"clear": "value"},
        {"when": "'x' = value"},
    ],
)
def test_a_rule_that_says_nothing_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(Problem) as caught:
        rule(**row)
    assert caught.value.kind is BAD_RULE


def test_a_sign_over_the_limit_is_refused_with_its_cells_and_bytes() -> None:
    town = Town([gauge(i) for i in range(30)])
    large, small = sign(code="BIG", each="last", window="5m", hop="5s"), sign(code="SMALL", each="", window="5m", hop="25s")
    needs = cost(large, town.registry, PROPERTIES)
    assert (needs.cells, needs.bytes) == (30 * 60, 30 * 60 * 3 * 8)
    assert cost(small, town.registry, PROPERTIES).cells == 5 * 12
    kept, (problem,) = within_limit([large, small], town.registry, PROPERTIES, needs.bytes - 1)
    assert (kept, problem.kind.code) == ([small], "indicator.too_many_cells")
    assert "1,800 cells" in problem.sentence()
    assert f"{needs.bytes:,}" in problem.sentence("zh")
    assert within_limit([large], town.registry, PROPERTIES, needs.bytes) == ([large], [])


def test_who_cannot_keep_up_sees_the_latest_boundary_at_once_and_sees_it_right() -> None:
    slow = run()
    slow.pulse.abreast = True
    for mm in (1, 12, 8):
        slow.town.wait(10 * SECOND)
        group = slow.town.send([(0, 0, 0, 0, mm * 10, 0, 0)])
        assert group is not None
        slow.pulse.take(group)
    slow.town.wait(10 * SECOND)
    slow.beat()
    (only,) = slow.outcomes
    seen, sign_ = slow.watch.latest["X"], slow.watch.indicators["X"]
    places = seen.of(Level.STREET)
    again = slow.town.values(sign_, Level.STREET, only.at)
    assert seen.seen == only.at and len(places) and seen.value[places].tobytes() == again.value.tobytes() and seen.keys[places].tolist() == again.keys.tolist()
