"""Live equals recomputed: over random definitions and random readings, at every boundary, to the last bit; and a restart is as good as having lived through."""

import itertools
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongshu.judge import Indicator, Values, parts_sql, to_parts
from zhongshu.judge.indicator import BAD_INDICATOR
from zhongshu.kernel.area import UNIT, Level
from zhongshu.kernel.clock import GRID, MINUTE, SECOND, boundary
from zhongshu.kernel.live import EACH, MEASURES, Parts
from zhongshu.kernel.problem import Problem

from .town import CELLS, CITY, PROPERTIES, START, Town, gauge, sign

WHERE = [
    "",
    "",
    "",
    "value > 0.25 and good",
    "entity.class = 'a' or not value <= 3",
    "source != 's1'",
    "entity.length >= 2.5",
    "not (entity.class >= 'b') and value != 0.15",
    "entity.length != 3",
]
WHEN = ["value >= 1.05", "value = 0.2", "entity.class < 'b'", "not (entity.length > 1.5) or value < 0"]
WINDOWS = [("1m", "5s"), ("5m", "25s"), ("1h", ""), ("10s", "10s"), ("2m", "2s"), ("30s", "15s")]
EXTREME = 2**40 - 1
BAND = {"source": {"doc": "d", "clause": "1", "scope": "city"}, "steps": [{"level": "orange", "op": ">=", "value": 1}, {"level": "red", "op": ">=", "value": 50, "window": "10m"}]}


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    measure, each = draw(st.sampled_from(MEASURES)), draw(st.sampled_from(EACH))
    window, hop = draw(st.sampled_from(WINDOWS))
    row: dict[str, Any] = {"measure": measure, "each": each, "window": window, "where": draw(st.sampled_from(WHERE))}
    if hop:
        row["hop"] = hop
    if measure == "share":
        row["when"] = draw(st.sampled_from(WHEN if each else [*WHEN, "good and source = 's0'"]))
    if draw(st.booleans()):
        row["weight"] = "length"
    if draw(st.booleans()):
        row["bands"] = [BAND]
    return row


@st.composite
def formulas(draw: st.DrawFn) -> dict[str, Any]:
    a, b = draw(definitions()), draw(definitions())
    a.pop("bands", None)
    b.pop("bands", None)
    a["of"], b["of"] = "Gauge.rain", "Gauge.flow"
    if draw(st.booleans()):
        a["empty"] = b["empty"] = 0
    derive = draw(st.sampled_from(["100 * a / b", "max_of(a, b) / registered", "if_null(a, 0) - b / population", "ceil(a + b) * total('length')", "min_of(a, b)"]))
    return {"unit": "1", "derive": derive, "measures": {"a": a, "b": b}}


indicators = st.one_of(definitions(), definitions(), formulas())
TICKS = [0, 1, 2, 3, -5, 12, 13, 127, 128, 1000, 4999, EXTREME, -EXTREME, None]
AGES = [0, 0, 1, 3, 7, 20, 60, 61, 100, 299, 400, 1000, 3599, 4000, -1, -4, -30, -60, -200, -2000]
WAITS = [1, 1000, GRID, 700_000, 3 * SECOND, 17 * SECOND, 30 * SECOND, 2 * MINUTE, 5 * MINUTE, 40 * MINUTE]
Row = tuple[int, int, int, int, int | None, int, int]


class Story:
    """What happens, drawn from a seed: groups of readings, revisions and repetitions of the last group, newcomers, and time."""

    def __init__(self, seed: int) -> None:
        self.pick, self.last = Random(seed), list[Row]()

    def go_on(self, town: Town) -> None:
        pick, wait = self.pick, self.pick.choice(WAITS)
        town.wait(wait)
        if pick.random() < 0.2:
            town.registry.register(gauge(len(town.registry.rows), **pick.choice([{}, {"class": "a", "length": 2}, {"length": 0.5}])))
        kind = pick.choice(["quiet", "few", "many", "again"])
        many = len(town.registry.rows)
        rows = [
            (pick.randrange(many), pick.randrange(2), pick.randrange(2), pick.choice(AGES), pick.choice(TICKS), pick.choice([0, 0, 0, 1]), pick.choice([0, 0, *CELLS]))
            for _ in range({"quiet": 0, "few": 2}.get(kind, 25))
        ]
        if kind == "again":
            rows += [(e, s, p, age + wait // SECOND, t if pick.random() < 0.5 else pick.choice(TICKS), f, pick.choice([a, *CELLS])) for e, s, p, age, t, f, a in self.last]
        if rows:
            town.send(rows)
        self.last = rows


def made() -> Town:
    facets: list[dict[str, Any]] = [
        {},
        {"class": "a", "length": 1},
        {"class": "b", "length": 2.5},
        {"class": "a"},
        {"length": 10.5},
        {"class": "b", "length": 3},
        {"class": "a", "length": 1.5},
        {"class": "ab"},
    ]
    return Town([gauge(i, **f) for i, f in enumerate(facets)], {CITY: 1000, CELLS[0] // 10**6 * 10**6: 7})


def same_values(live: Values, again: Values) -> None:
    assert live.keys.tolist() == again.keys.tolist()
    assert live.value.tobytes() == again.value.tobytes(), (live.value, again.value)
    assert live.at.tolist() == again.at.tolist()
    assert live.count.tolist() == again.count.tolist()
    assert live.status.tolist() == again.status.tolist()
    assert live.band.tolist() == again.band.tolist()


def same_parts(a: Parts, b: Parts) -> None:
    for name in ("codes", "num", "den", "count", "at"):
        assert getattr(a, name).tolist() == getattr(b, name).tolist(), name


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(indicators, min_size=2, max_size=5), st.integers(0, 2**32), st.integers(0, 5))
def test_live_equals_recomputed_at_every_boundary(declared: list[dict[str, Any]], seed: int, restart: int) -> None:
    town, story, signs = made(), Story(seed), [sign(code=f"X{i}", **row) for i, row in enumerate(declared)]
    specs = [spec for s in signs for spec in s.specs()]
    live, restored = town.cells(specs), None
    live.restore(boundary(START) - GRID)
    for i in range(8):
        done = len(town.groups)
        story.go_on(town)
        for cells in filter(None, (live, restored)):
            for group in town.groups[done:]:
                cells.apply(group)
            cells.advance(town.now)
        for n, each in enumerate(signs):
            level = Level((seed + i + n) % 5)
            same_values(town.judge.values(each, (level,), town.now, live.parts), town.values(each, level, town.now))
        if restored is not None:
            for spec in specs:
                for level in Level:
                    same_parts(live.parts(spec, (level,)), restored.parts(spec, (level,)))
        if i == restart:
            restored = town.cells(specs)
            restored.restore(town.now)
            town.known = max(town.known, town.now + 1)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(indicators, min_size=1, max_size=3), st.integers(0, 2**32), st.integers(2, 9))
def test_a_series_is_what_each_of_its_times_is(declared: list[dict[str, Any]], seed: int, points: int) -> None:
    town, story, signs = made(), Story(seed), [sign(code=f"X{i}", **row) for i, row in enumerate(declared)]
    for _ in range(6):
        story.go_on(town)
    end, start = town.now, town.now - 40 * MINUTE
    codes = np.unique(np.concatenate([g.area for g in town.groups if g is not None]))
    for n, each in enumerate(signs):
        level = Level((seed + n) % 5)
        area = int(codes[seed % len(codes)] // UNIT[level] * UNIT[level])
        for at, value, status in town.explainer().series(each, area, start, end, points):
            again = town.judge.values(
                each, (level,), at, lambda spec, lv, at=at: to_parts(town.record.query(parts_sql(spec, lv[0], at, PROPERTIES), None, facets=town.facets()), spec, lv[0])
            )  # type: ignore[misc]
            place = again.find(area)
            assert (value, status) == ((None, "stale") if place is None else (None if np.isnan(again.value[place]) else float(again.value[place]), str(again.status[place])))


def test_a_series_loses_no_peak() -> None:
    town, short = made(), sign(window="5m", measure="max")
    start = town.now
    for minute in range(60):
        town.wait(MINUTE)
        town.send([(0, 0, 0, 0, 400 if minute == 17 else 10, 0, 0)])
    line = town.explainer().series(short, CITY, start, start + 60 * MINUTE, 2)
    assert max(v for _, v, _ in line if v is not None) == 40
    assert line == sorted(line) and len(line) <= 6
    assert line[-1][0] == start + 60 * MINUTE


def test_every_measure_of_every_kind_is_equal_once() -> None:
    town, story, rows = made(), Story(7), list[dict[str, Any]]()
    whens, wheres = [*WHEN, "good and source = 's0'", "not good"], WHERE[2:]
    for i, (measure, each, weight) in enumerate(itertools.product(MEASURES, EACH, ("", "length"))):
        rows.append({"measure": measure, "each": each, "weight": weight, "where": wheres[i % len(wheres)], "window": "1h"})
        if measure == "share":
            rows[-1]["when"] = WHEN[i % len(WHEN)]
    rows += [{"measure": "share", "when": when, "window": "1h", "weight": weight} for when in whens for weight in ("", "length")]
    signs = [sign(code=f"X{i}", **row) for i, row in enumerate(rows)]
    live = town.cells([spec for s in signs for spec in s.specs()])
    live.restore(boundary(START) - GRID)
    for _ in range(8):
        story.go_on(town)
    for group in town.groups:
        live.apply(group)
    live.advance(town.now)
    for i, each_sign in enumerate(signs):
        level = Level(i % 5)
        same_values(town.judge.values(each_sign, (level,), town.now, live.parts), town.values(each_sign, level, town.now))
    together = town.explainer().recompute_all(signs, town.now)
    for each_sign in signs:
        same_values(together[each_sign.code], town.judge.values(each_sign, each_sign.levels, town.now, live.parts))
        for level in each_sign.levels:
            one, places = town.values(each_sign, level, town.now), together[each_sign.code].of(level)
            assert together[each_sign.code].value[places].tobytes() == one.value.tobytes() and together[each_sign.code].keys[places].tolist() == one.keys.tolist()
    assert sum(len(live.parts(s.specs()[0], (Level.CELL,)).codes) > 0 for s in signs) > len(signs) // 2


@pytest.mark.parametrize(
    "row",
    [
        {"measure": "share", "each": "last", "when": "good"},
        {"measure": "share", "each": "max", "when": "source = 's0'"},
        {"where": "wetness > 3"},
        {"where": "value > 'x'"},
        {"where": "value + 1 > 3"},
        {"where": "entity.class"},
        {"where": "source > 's0'"},
        {"measure": "share"},
        {"measure": "median"},
        {"window": "1m", "hop": "7s"},
        {"window": "1h", "hop": "1s"},
        {"of": "Gauge.wind"},
        {"unit": "kg"},
        {"unit": "°C"},
        {"derive": "value / other"},
        {"where": "value > 3; DROP TABLE readings"},
        {"derive": "system('x')"},
        {"bands": [{"steps": []}]},
        {"bands": [{"source": {"doc": ""}, "steps": [{"level": "red", "op": ">=", "value": 1}]}]},
        {"bands": [{**BAND, "steps": [{"level": "stale", "op": ">=", "value": 1}]}]},
    ],
)
def test_what_could_not_be_computed_is_refused_when_declared(row: dict[str, Any]) -> None:
    with pytest.raises(Problem) as caught:
        sign(**row)
    assert caught.value.kind is BAD_INDICATOR


def test_a_definition_is_its_content() -> None:
    assert sign().version == sign().version != sign(window="10m").version
    assert isinstance(sign(), Indicator)


def test_a_mean_of_extremes_is_exact() -> None:
    town = Town([gauge(i) for i in range(3)])
    mean = sign(measure="mean", unit="mm", decimals=1)
    live = town.cells(mean.specs())
    live.restore(boundary(START) - GRID)
    live.apply(town.send([(0, 0, 0, 1, EXTREME, 0, 0), (1, 0, 0, 1, EXTREME - 1, 0, 0), (2, 0, 0, 1, EXTREME, 0, 0)]))  # type: ignore[arg-type]
    live.advance(town.now)
    parts = live.parts(mean.specs()[0], (Level.CITY,))
    assert (parts.num.tolist(), parts.den.tolist()) == ([3 * EXTREME - 1], [3])
    same_values(town.judge.values(mean, (Level.CITY,), town.now, live.parts), town.values(mean, Level.CITY, town.now))
    assert town.values(mean, Level.CITY, town.now).value.tolist() == [109951162777.5]
