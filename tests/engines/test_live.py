"""The live cells against a reckoning by hand: what one would count on paper, reading by reading, with no engine and no SQL."""

from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongshu.engines.live_cells import LiveCells
from zhongshu.kernel.area import UNIT, Level
from zhongshu.kernel.clock import DAY, SECOND
from zhongshu.kernel.histogram import bins, value_of
from zhongshu.kernel.live import EACH, MEASURES, CellSpec
from zhongshu.kernel.quantity import NULL, Property
from zhongshu.kernel.reading import Flag, Readings

pytestmark = pytest.mark.port
PROP = Property("Gauge.rain", "mm", "1", -1e9, 1e9, SECOND, SECOND)
CELLS = (990101001001001, 990101001001002, 990101002001001, 990102001001001)
START = 1_790_000_000 * SECOND
AREAS = [CELLS[i % 4] for i in range(6)]
WEIGHTS: list[object] = [3, None, 2, 1, 0.5, 7]


@dataclass
class Paper:
    """Every version of every reading as a row on paper; also what the cells read again from."""

    rows: list[dict[str, int]] = field(default_factory=list)

    def facet(self, _: str) -> list[object]:
        return WEIGHTS

    def known(self, at: int, low: int, high: int) -> list[dict[str, int]]:
        last: dict[tuple[int, int], dict[str, int]] = {}
        for row in self.rows:
            if row["known"] <= at:
                last[row["entity"], row["valid"]] = row
        return [r for r in last.values() if low <= r["valid"] < high and r["ticks"] != NULL]

    def heard(self, since: int) -> dict[str, int]:
        return {PROP.name: high} if (high := max((r["valid"] for r in self.rows), default=since - 1)) >= since else {}

    def reload(self, spec: CellSpec, first: int, last: int, known: int) -> pa.Table:
        by: dict[tuple[int, int, Any], list[tuple[dict[str, int], int]]] = defaultdict(list)
        for r in self.known(known, first * spec.hop, (last + 1) * spec.hop):
            w = WEIGHTS[r["entity"]] if spec.weight and not spec.each else 1
            if isinstance(w, int | float):
                sub: Any = f"g{r['entity']}" if spec.each or spec.measure == "distinct" else int(bins(np.array([r["ticks"]]))[0]) if spec.measure == "p95" else 0
                by[r["valid"] // spec.hop, r["area"], sub].append((r, round(w)))
        rows = [
            {
                "pane": p,
                "area": a,
                "sub": s,
                "n": len(v),
                "latest": max(r["valid"] for r, _ in v),
                "total": sum(r["ticks"] * w for r, w in v),
                "low": min(r["ticks"] for r, _ in v),
                "high": max(r["ticks"] for r, _ in v),
                "last": max((r["valid"], r["ticks"]) for r, _ in v)[1],
                "hit": 0,
                "weight": sum(w for _, w in v),
            }
            for (p, a, s), v in by.items()
        ]
        names = ("pane", "area", "sub", "n", "latest", "total", "low", "high", "last", "hit", "weight")
        return pa.table({n: [r[n] for r in rows] for n in names} if rows else {n: pa.array([], pa.int64()) for n in names})


def reckon(spec: CellSpec, level: Level, at: int, paper: Paper) -> dict[int, tuple[int, int, int, int]]:
    """Return {area: (num, den, count, latest)} by going through the rows."""
    groups: dict[int, list[dict[str, int]]] = defaultdict(list)
    for row in paper.known(at, *spec.span(at)):
        groups[row["area"] // UNIT[level] * UNIT[level]].append(row)
    out = {}
    for area, held in groups.items():
        rows = [r for r in held if WEIGHTS[r["entity"]] is not None] if spec.weight and not spec.each else held
        if rows:
            out[area] = (*_measure(spec, _entities(spec, rows) if spec.each else rows), len(rows), max(r["valid"] for r in rows))
    return out


def _entities(spec: CellSpec, rows: list[dict[str, int]]) -> list[dict[str, int]]:
    held: dict[tuple[int, int], list[dict[str, int]]] = defaultdict(list)
    for row in rows:
        held[row["area"], row["entity"]].append(row)
    one = {
        "last": lambda v: max((r["valid"], r["ticks"]) for r in v)[1],
        "max": lambda v: max(r["ticks"] for r in v),
        "min": lambda v: min(r["ticks"] for r in v),
        "sum": lambda v: sum(r["ticks"] for r in v),
        "count": len,
    }[spec.each]
    return [{"entity": e, "ticks": one(v), "valid": max(r["valid"] for r in v)} for (_, e), v in held.items()]


def _measure(spec: CellSpec, rows: list[dict[str, int]]) -> tuple[int, int]:
    ticks = sorted(r["ticks"] for r in rows)
    weight = [round(w) if isinstance(w := WEIGHTS[r["entity"]], int | float) else 0 for r in rows] if spec.weight else [1] * len(rows)
    total = sum(r["ticks"] * w for r, w in zip(rows, weight, strict=True))
    return {
        "count": lambda: (len(rows), 1),
        "sum": lambda: (total, 1),
        "mean": lambda: (total, sum(weight)),
        "min": lambda: (ticks[0], 1),
        "max": lambda: (ticks[-1], 1),
        "last": lambda: (max((r["valid"], r["ticks"]) for r in rows)[1], 1),
        "distinct": lambda: (len({r["entity"] for r in rows}), 1),
        "p95": lambda: (int(value_of(bins(np.array([ticks[-(-len(ticks) * 95 // 100) - 1]])))[0]), 1),
    }[spec.measure]()


def cells(paper: Paper, specs: list[CellSpec], finest: Level = Level.CELL) -> LiveCells:
    live = LiveCells([PROP], paper, ["s"], {f"g{i}": i for i in range(6)}, paper.reload, paper.heard)
    live.declare(specs, finest)
    return live


def group(paper: Paper, known: int, rows: list[tuple[int, int, int, int]]) -> Readings:
    """Write rows (entity, valid, ticks, area) on paper, and return them as the pipe would."""
    seen = {(r["entity"], r["valid"]) for r in paper.rows}
    flags = []
    for entity, valid, ticks, area in rows:
        flags.append(int(Flag.REVISION) if (entity, valid) in seen else 0)
        seen.add((entity, valid))
        paper.rows.append({"entity": entity, "valid": valid, "ticks": ticks, "area": area, "known": known})
    e, v, t, a = (np.array(c, np.int64) for c in zip(*rows, strict=True))
    zero = np.zeros(len(rows), np.int32)
    return Readings(
        ["s"], [f"g{i}" for i in range(6)], ["Gauge.rain"], [], zero, e.astype(np.int32), zero, a, v, t, np.array(flags, np.int32), t.astype(np.float64), zero - 1, None, 1, known
    )


def agree(live: LiveCells, specs: list[CellSpec], at: int, paper: Paper, finest: Level = Level.CELL) -> None:
    for spec in specs:
        for level in [level for level in Level if level <= finest]:
            parts = live.parts(spec, (level,))
            got = {int(c): (int(n), int(d), int(k), int(a)) for c, n, d, k, a in zip(parts.codes, parts.num, parts.den, parts.count, parts.at, strict=True)}
            assert got == reckon(spec, level, at, paper), (spec, level)


MEASURED = [m for m in MEASURES if m != "share"]
specs_ = st.builds(
    lambda measure, each, shape, weight: CellSpec(PROP.name, measure, shape[0] * SECOND, shape[1] * SECOND, each, weight="w" if weight and measure in {"mean", "sum"} else ""),
    st.sampled_from(MEASURED),
    st.sampled_from(EACH),
    st.sampled_from([(60, 5), (10, 10), (300, 25), (20, 2)]),
    st.booleans(),
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(specs_, min_size=1, max_size=5), st.integers(0, 2**32), st.integers(0, 6))
def test_cells_hold_what_one_would_count(specs: list[CellSpec], seed: int, restart: int) -> None:
    pick, paper, at = Random(seed), Paper(), START
    live = cells(paper, specs)
    live.restore(at)
    for step in range(8):
        at += pick.choice([200_000, SECOND, 4 * SECOND, 30 * SECOND, 400 * SECOND])
        rows = [
            (
                e := pick.randrange(6),
                at // SECOND * SECOND - pick.choice([0, 1, 2, 5, 9, 30, 59, 60, 250, 400, -1, -3, -20, -300]) * SECOND,
                pick.choice([0, 1, -7, 127, 129, 5000, 2**40, -(2**40), int(NULL)]),
                pick.choice([AREAS[e], AREAS[e], *CELLS]),
            )
            for _ in range(pick.choice([0, 1, 3, 20]))
        ]
        if rows:
            live.apply(group(paper, at, rows))
        live.advance(at)
        agree(live, specs, at, paper)
        if step == restart:
            live = cells(paper, specs)
            live.restore(at)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(specs_, min_size=1, max_size=4), st.integers(0, 2**32), st.sampled_from([Level.CITY, Level.STREET, Level.COMMUNITY]), st.integers(0, 5), st.sampled_from(Level))
def test_cells_kept_no_finer_than_asked_hold_the_same(specs: list[CellSpec], seed: int, finest: Level, turn: int, other: Level) -> None:
    pick, paper, at = Random(seed), Paper(), START
    live = cells(paper, specs, finest)
    live.restore(at)
    for step in range(6):
        at += pick.choice([SECOND, 30 * SECOND, 400 * SECOND])
        live.apply(
            group(paper, at, [(pick.randrange(6), at - pick.choice([0, 5, 60, 250, -20, -300]) * SECOND, pick.choice([0, 7, 129, 5000]), pick.choice(CELLS)) for _ in range(9)])
        )
        if step == turn:  # a sign that asks for a finer level may come later
            live.declare(specs[:1], other)
        live.advance(at)
        agree(live, specs, at, paper, finest)
        if step >= turn:
            agree(live, specs[:1], at, paper, max(finest, other))


def test_a_forecast_far_ahead_waits_for_its_day() -> None:
    paper, spec = Paper(), CellSpec(PROP.name, "max", 60 * SECOND, 5 * SECOND)
    lived = cells(paper, [spec])
    lived.restore(START)
    lived.apply(group(paper, START + SECOND, [(0, START + 300 * DAY, 42, CELLS[0])]))
    lived.advance(START + SECOND)
    restarted = cells(paper, [spec])
    restarted.restore(START + 100 * DAY)
    for live in (lived, restarted):
        live.advance(START + 300 * DAY - 60 * SECOND)
        assert not len(live.parts(spec, (Level.CITY,)).codes)
        live.advance(START + 300 * DAY)
        assert live.parts(spec, (Level.CITY,)).num.tolist() == [42]


def test_what_changed_is_told_and_what_did_not_is_not() -> None:
    paper, spec, other = Paper(), CellSpec(PROP.name, "max", 60 * SECOND, 60 * SECOND), CellSpec(PROP.name, "sum", 3600 * SECOND, 3600 * SECOND)
    live = cells(paper, [spec, other])
    live.restore(START)
    assert live.advance(START) == {spec, other}
    assert live.advance(START + SECOND) == set()
    live.apply(group(paper, START + SECOND, [(0, START, 1, CELLS[0])]))
    assert live.advance(START + 2 * SECOND) == {spec, other}
    assert live.advance(START + 62 * SECOND) == {spec}


def test_equal_definitions_share_their_cells_and_keep_them() -> None:
    paper, spec = Paper(), CellSpec(PROP.name, "count", 60 * SECOND, 5 * SECOND)
    live = cells(paper, [spec, spec])
    live.restore(START)
    live.apply(group(paper, START, [(0, START, 1, CELLS[0])]))
    live.declare([CellSpec(PROP.name, "count", 60 * SECOND, 5 * SECOND)])
    live.advance(START)
    assert live.parts(spec, (Level.CELL,)).num.tolist() == [1]


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=60))
def test_a_percentile_is_within_one_percent_and_a_histogram_keeps_order(ticks: list[int]) -> None:
    values = np.array(sorted(ticks), np.int64)
    kept = value_of(bins(values))
    assert (np.diff(bins(values)) >= 0).all()
    assert (np.abs(kept - values) <= np.abs(values) * 0.01).all()
