"""A fixed corpus to be exact about: a definition of every measure of every kind, and the packs' own; readings late, revised, null, negative, without a place, out of order.

Seeded, so that it is the same everywhere. It stands on a warehouse and live cells of its own; whoever compares engines asks it the same question in each of their ways.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from zhongshu.app import installed_packs
from zhongshu.engines.ducklake import DuckLake
from zhongshu.engines.live_cells import LiveCells
from zhongshu.judge import Explainer, Indicator, Judge, Statics, heard_sql, panes_sql, read_indicator, read_packs
from zhongshu.judge.explain import Query
from zhongshu.kernel.area import UNIT, Level, unplaced
from zhongshu.kernel.clock import GRID, HOUR, MINUTE, SECOND, boundary
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.live import EACH, MEASURES
from zhongshu.kernel.quantity import NULL, Property
from zhongshu.kernel.reading import Readings
from zhongshu.kernel.rollup import RollUp
from zhongshu.sense import Once, Registry

CITY = 990100000000000
CELLS = (990101001001001, 990101001001002, 990101001002001, 990101002001001, 990102001001001, unplaced(CITY))
START = 1_790_000_000 * SECOND // HOUR * HOUR
LIMIT = 100_000_000_000
RAIN = Property("Probe.rain", "mm", "0.1", -LIMIT, LIMIT, MINUTE, 5 * MINUTE)
FLOW = Property("Probe.flow", "m3/s", "0.01", -LIMIT // 10, LIMIT // 10, MINUTE, 5 * MINUTE)
BAND = {
    "source": {"doc": "corpus", "clause": "1", "scope": "city"},
    "steps": [{"level": "yellow", "op": ">=", "value": 0.1}, {"level": "orange", "op": ">=", "value": 1}, {"level": "red", "op": ">=", "value": 50, "window": "10m"}],
}
WHERE = ("", "value > 0.25 and good", "entity.class = 'a' or not value <= 3", "source != 's1'", "entity.length >= 2.5", "not (entity.class >= 'b') and value != 0.15", "not good")
WHEN = ("value >= 1.05", "value = 0.2", "entity.class < 'b'", "not (entity.length > 1.5) or value < 0")
WINDOWS = (("1m", "5s"), ("5m", "25s"), ("1h", "5m"), ("10s", "10s"), ("2m", "2s"), ("24h", "1h"))
DERIVED = (
    "100 * a / b",
    "max_of(a, b) / registered",
    "if_null(a, 0) - b / population",
    "ceil(a + b) * total('length')",
    "min_of(a, b)",
)
TICKS = (0, 1, 2, 3, -5, 12, 13, 127, 128, 1000, 4999, -129, 2**40 - 1, 1 - 2**40, None)
AGES = (0, 0, 1, 3, 7, 20, 60, 61, 100, 299, -1, -4, -30, -200)
LATE = (*AGES, 400, 1000, 3599, 4000, 90_000)
"""Ages of a reading in seconds; the late ones are behind what the cells still keep open, so that they are read again from the record."""
WAITS = (1, 1000, GRID, 700_000, 3 * SECOND, 17 * SECOND, 30 * SECOND, 2 * MINUTE, 5 * MINUTE, 40 * MINUTE)


def definitions() -> list[dict[str, Any]]:
    """Return the declarations: every measure × each, with weights, conditions, windows and bands in turn; shares of every condition; formulas."""
    rows: list[dict[str, Any]] = []
    for i, (measure, each) in enumerate(itertools.product(MEASURES, EACH)):
        (window, hop), weight = WINDOWS[(i + i // 6) % len(WINDOWS)], ("", "length")[(i + i // 6) % 2]
        rows.append({"of": "Probe.rain", "unit": "mm", "measure": measure, "each": each, "weight": weight, "where": WHERE[(i + i // 7) % len(WHERE)], "window": window, "hop": hop})
        rows[-1] |= {"when": WHEN[i % len(WHEN)]} if measure == "share" else {}
        rows[-1] |= {"bands": [BAND]} if i % 3 else {}
    rows += [{"of": "Probe.flow", "unit": "1", "measure": "share", "when": when, "window": "1h", "bands": [BAND]} for when in (*WHEN, "good and source = 's0'")]
    plain = list(rows)
    for i, derive in enumerate(DERIVED):
        a, b = ({k: v for k, v in plain[(7 * i + k) % len(plain)].items() if k not in {"unit", "bands"}} | {"of": of} for k, of in ((1, "Probe.rain"), (40, "Probe.flow")))
        rows.append({"unit": "1", "derive": derive, "measures": {"a": a, "b": b}, "bands": [BAND]})
    return [_named(i, row) for i, row in enumerate(rows)]


def _named(i: int, row: dict[str, Any]) -> dict[str, Any]:
    return {"code": f"C{i:03}", "name": {"zh": f"语料 {i}", "en": f"Corpus {i}"}, "decimals": 2, "owner": "bench", "stale_after": "10m"} | row


@dataclass
class Corpus:
    """Definitions over a record that is filled group by group, as the pipe would: `lake` in a folder, `live` beside it."""

    folder: Path
    every: int = 1
    seed: int = 7
    known: int = START
    offset: int = 0
    _last: list[tuple[Any, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        packs, self.pick = installed_packs(), Random(self.seed)
        self.properties = {p.name: p for p in (RAIN, FLOW, *(p for pack in packs for p in pack.properties))}
        self.registry = Registry(CITY, self.properties.values(), self._entities())
        for name in ("s0", "s1"):
            self.registry.sources.number(name)
        self.lake = DuckLake(self.folder, memory="2GB")
        self.once = Once(lambda asked: self.lake.query("SELECT a.i, r.ticks FROM asked a JOIN readings r USING (source, entity, property, valid)", tables={"asked": asked}))
        people = {c // UNIT[level] * UNIT[level]: 1000 + 7 * n for n, c in enumerate(CELLS) for level in Level}
        codes = {level: np.unique([c // UNIT[level] * UNIT[level] for c in CELLS]) for level in Level}
        self.judge = Judge(
            self.properties, Statics(self.registry, lambda level: {int(c): people[int(c)] for c in codes[level]}), ZoneInfo("Asia/Shanghai"), lambda level: codes[level]
        )
        own = [read_indicator(row, self.properties) for row in definitions()][:: self.every]
        ours, _ = read_packs([(p.name, p.folder) for p in packs], self.properties, CITY)
        self.signs: list[Indicator] = own + ours[:: self.every]
        self.facets = self.all_facets()
        words = self.registry
        self.live = LiveCells(
            list(self.properties.values()),
            words,
            words.sources.names,
            words.entities.numbers,
            lambda spec, first, last, known: self.lake.query(panes_sql(spec, first, last, self.properties), tables={"facets": self.facets}, known=known),
            lambda since: {row["property"]: row["high"] for row in self.lake.query(heard_sql(since)).to_pylist()},
        )
        self.live.declare(spec for sign in self.signs for spec in sign.specs())
        self.live.restore(boundary(START) - GRID)

    def _entities(self) -> list[Entity]:
        facets: list[dict[str, Any]] = [
            {},
            {"class": "a", "length": 1, "zone": "2", "kind": "river"},
            {"class": "b", "length": 2.5, "zone": "4a", "kind": "underpass"},
            {"class": "arterial", "length": 10.5, "zone": "1"},
            {"class": "expressway", "length": 0.5, "zone": "3"},
            {"class": "ab", "length": 1.5, "zone": "0", "kind": "manhole"},
            {"length": 3.5},
        ]
        types = sorted({p.type for p in self.properties.values()})
        return [Entity(f"urn:zs:{t}:{i}", t, f"{t} {i}", f"{t} {i}", CELLS[i % len(CELLS)], facets=facets[i % len(facets)]) for t in types for i in range(35)]

    def all_facets(self) -> pa.Table:
        """Return every entity's facets as rows (entity, name, text, number)."""
        flat = [(e.id, k, v) for e in self.registry.rows for k, v in e.facets.items()]
        text, number = [v if isinstance(v, str) else None for *_, v in flat], [None if isinstance(v, str) else float(v) for *_, v in flat]
        columns = {"entity": [f[0] for f in flat], "name": [f[1] for f in flat], "text": text}
        return pa.table({**{k: pa.array(v, pa.string()) for k, v in columns.items()}, "number": pa.array(number, pa.float64())})

    def go_on(self, steps: int, groups: int = 3, rows: int = 150) -> Iterator[int]:
        """Let `groups` groups become known and go to the boundary after them, again and again; give each boundary, the live cells standing there. Every second step is committed."""
        for n in range(steps * groups):
            self.known += self.pick.choice(WAITS)
            come = [self._row(LATE if n % 5 == 3 else AGES) for _ in range(rows)]
            if n % 3 == 1:
                come += [(e, p, valid, t if self.pick.random() < 0.5 else self._ticks(p), s, f, a) for e, p, valid, t, s, f, a in self._last[::9]]
            self._last = come
            self._send(come)
            if n % groups == groups - 1:
                if n // groups % 2:
                    self.lake.commit()
                at = boundary(self.known)
                self.live.advance(at)
                self.known = at + 1
                yield at

    def _row(self, ages: tuple[int, ...]) -> tuple[Any, ...]:
        """Return (entity, property, valid, ticks, source, flags, area) of a reading that comes now; half of them of the corpus' own properties."""
        pick = self.pick
        prop = self.properties[pick.choice((RAIN.name, FLOW.name))] if pick.random() < 0.5 else pick.choice(list(self.properties.values()))
        entity = int(pick.choice(self.registry.of_type(prop.type).tolist()))
        valid = self.known // SECOND * SECOND - pick.choice(ages) * SECOND
        own = int(self.registry.areas()[entity])
        return entity, prop.name, valid, self._ticks(prop.name), pick.randrange(2), pick.choice((0, 0, 0, 1)), pick.choice((own, own, own, *CELLS))

    def _ticks(self, prop: str) -> int | None:
        return self.pick.choice(TICKS) if prop in {RAIN.name, FLOW.name} else self.pick.choice((0, 1, 1, 7, 30, 120, 450, 999))

    def _send(self, rows: list[tuple[Any, ...]]) -> None:
        entity, prop, valid, ticks, source, flags, area = (list(c) for c in zip(*rows, strict=True))
        words = self.registry
        held = np.array([NULL if t is None else t for t in ticks], np.int64)
        columns = (np.array(source, np.int32), np.array(entity, np.int32), np.array([words.properties.numbers[p] for p in prop], np.int32), np.array(area, np.int64))
        names = (words.sources.names, words.entities.names, words.properties.names, words.units.names)
        group = Readings(*names, *columns, np.array(valid, np.int64), held, np.array(flags, np.int32), held.astype(np.float64), np.full(len(rows), -1, np.int32))
        group, _ = self.once.sift(group)
        if not len(group):
            return
        ranks = 0 if group.rank is None else int(group.rank.max())
        if boundary(self.known) != boundary(self.known + ranks):
            self.known = boundary(self.known) + 1
        self.offset += 1
        group.offset, group.known = self.offset, self.known
        self.known += ranks + 1
        self.once.appended(group)
        self.lake.show(group.table(), self.offset)
        self.live.apply(group)

    def explainer(self, query: Query) -> Explainer:
        """Return what computes the signs by a way to ask; it has no watch."""
        words = self.registry
        return Explainer(self.judge, cast("Any", None), query, RollUp(self.properties, words, words.sources.names, words.entities.numbers))

    def here(self) -> Explainer:
        """Return what computes the signs by this record's own DuckDB."""
        return self.explainer(lambda sql, known: self.lake.query(sql, tables={"facets": self.facets}, known=known))
