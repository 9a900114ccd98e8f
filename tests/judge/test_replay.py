"""A past day played again from the record gives the findings of that day: the same ids, boundaries and versions, also where a definition was changed in between."""

from datetime import date
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongshu.judge import Indicator, Rule
from zhongshu.kernel.area import Level
from zhongshu.kernel.clock import DAY, HOUR, MINUTE, SECOND, rfc3339
from zhongshu.kernel.finding import Status
from zhongshu.kernel.reading import from_table

from .test_equal import BAND, Story, definitions, formulas, made
from .test_watch import BANDS, Run, rule
from .town import CELLS, START, Town, gauge, sign

LEVELS = ("city", "district", "street", "community", "cell")
NIGHT = (START + 8 * HOUR) // DAY * DAY + DAY - 8 * HOUR
"""The first midnight of the town's own after it began."""
CHANGE = date.fromisoformat(rfc3339(NIGHT + 12 * HOUR)[:10])


def again(first: Run, signs: list[Indicator], rules: list[Rule]) -> Run:
    """Play what the record holds, and only that, to a watch that has seen nothing."""
    town, words = first.town, first.town.registry
    other = Run(town, signs, rules)
    table = town.record.db.execute('SELECT * FROM versions ORDER BY "offset"').to_arrow_table()
    for group in from_table(table, words.sources, words.entities, words.properties, words.units):
        other.pulse.take(group)
    other.pulse.beat(first.outcomes[-1].at)
    return other


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(definitions(), formulas()), min_size=1, max_size=3), st.integers(0, 2**32))
def test_findings_of_any_definitions_are_made_again_from_the_record(declared: list[dict[str, Any]], seed: int) -> None:
    pick, town, story = Random(seed), made(), Story(seed)
    for row in [m for row in declared for m in (row, *row.get("measures", {}).values())]:
        row |= {"window": "1h", "hop": "5m"}  # a pane's turn is a boundary, and every one is gone through twice
    signs = [sign(code=f"X{i}", **(row | {"bands": [BAND]})) for i, row in enumerate(declared)]
    rules = [
        rule(
            code=f"R{i}.{n}",
            indicator=f"X{i}",
            at=pick.choice(LEVELS[:4]),
            when=pick.choice(["value >= 1", "level >= 'orange'", "value < 0 or value > 100", "absent 3m", "level = 'stale'"]),
            **pick.choice([{}, {"for": "10s"}, {"clear": "value < 0.5"}, {"rate": "2/10m"}]),
        )
        for i in range(len(signs))
        for n in range(2)
    ]
    live = Run(town, signs, rules)
    for _ in range(5):
        done = len(town.groups)
        story.go_on(town)
        for group in town.groups[done:]:
            live.pulse.take(group)
        live.beat()
    assert again(live, signs, rules).story == live.story
    for kind, rows in (("opened", [o.opened for o in live.outcomes]), ("closed", [o.closed for o in live.outcomes])):
        for finding in (f for of in rows for f in of):
            assert finding.evidence["indicator_version"] == next(s.version for s in signs if s.code == finding.indicator), kind
            assert finding.version == next(r.version for r in rules if r.code == finding.rule)


def changed() -> tuple[list[Indicator], list[Rule]]:
    """A sign and a rule that were declared anew from a day on: another window and bands, another limit."""
    old = sign(each="last", window="1m", hop="5s", bands=BANDS)
    new = sign(each="last", window="2m", hop="10s", bands=[{**BANDS[0], "steps": [{"level": "red", "op": ">=", "value": 2}]}], valid_from=CHANGE)
    return [old, new], [rule(), rule(when="value >= 2", valid_from=CHANGE)]


def lived() -> Run:
    """A night of rain over the change: 12 mm before it, then dry, 3 mm after it."""
    signs, rules = changed()
    run = Run(Town([gauge(0), gauge(1), gauge(4)]), signs, rules)
    run.town.known = NIGHT - 10 * MINUTE
    run.pulse.beat(run.town.now)
    run.rain(12).wait(60).rain(3).wait(60).rain(1)
    run.town.known = NIGHT + 20 * SECOND
    run.beat()
    return run.rain(3).wait(40).rain(1).wait(10)


def test_each_day_is_judged_by_the_definition_in_force() -> None:
    run, (signs, rules) = lived(), changed()
    opened = [f for o in run.outcomes for f in o.opened]
    assert [(f.version, f.evidence["indicator_version"]) for f in opened] == [(rules[n].version, signs[n].version) for n in (0, 1)]
    assert [o.at < NIGHT for o in run.outcomes if o.opened] == [True, False] and run.kinds == ["opened", "closed", "opened", "closed"]
    assert [f.level for f in opened] == [Status.RED, Status.RED] and len({f.id for f in opened}) == 2
    assert run.watch.indicators["X"].version == signs[1].version
    explainer = run.town.explainer()
    explainer.watch = run.watch
    assert [explainer.indicator("X", at).version for at in (NIGHT - 1, NIGHT)] == [s.version for s in signs]


def test_a_past_day_played_after_the_change_gives_the_ids_and_versions_of_that_day() -> None:
    run, (signs, rules) = lived(), changed()
    assert again(run, signs[::-1], rules[::-1]).story == run.story, "in whichever order they are declared"
    other = again(run, signs[:1], rules[:1]).story
    assert [row for row in other if row[0] < NIGHT] == [row for row in run.story if row[0] < NIGHT], "a later definition changes nothing of the days before it"
    assert [row for row in other if row[0] >= NIGHT] != [row for row in run.story if row[0] >= NIGHT]


def test_a_definition_of_later_is_not_in_force_before() -> None:
    signs, rules = changed()
    run = Run(Town([gauge(i) for i in range(len(CELLS))]), signs[1:], rules[1:])
    assert run.watch.indicators == {} and run.rain(12).wait(60).kinds == []
    assert Level.CITY in signs[1].levels
