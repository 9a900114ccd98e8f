"""A town small enough to be asked everything at every boundary: a registry, live cells, and a record that an in-memory DuckDB answers from."""

from dataclasses import dataclass, field
from typing import Any, cast
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa

from zhongshu.engines.live_cells import LiveCells
from zhongshu.judge import Explainer, Judge, Statics, Values, heard_sql, panes_sql, parts_sql, to_parts
from zhongshu.judge.indicator import Indicator, read_indicator
from zhongshu.kernel.area import Level
from zhongshu.kernel.clock import MINUTE, SECOND, boundary
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.live import CellSpec, Parts
from zhongshu.kernel.quantity import NULL, Property
from zhongshu.kernel.reading import Readings
from zhongshu.kernel.rollup import RollUp
from zhongshu.sense import Once, Registry
from zhongshu.sense.once import stream_keys

CITY = 990100000000000
CELLS = (990101001001001, 990101001001002, 990101001002001, 990101002001001, 990102001001001)
RAIN = Property("Gauge.rain", "mm", "0.1", -100_000_000_000, 100_000_000_000, MINUTE, 5 * MINUTE)
FLOW = Property("Gauge.flow", "m3/s", "0.01", 0, 1000, MINUTE, 5 * MINUTE)
PROPERTIES = {p.name: p for p in (RAIN, FLOW)}
START = 1_790_000_000 * SECOND
COLUMNS = '"offset" BIGINT, source VARCHAR, entity VARCHAR, property VARCHAR, area BIGINT, valid BIGINT, known BIGINT, ticks BIGINT, flags INTEGER, raw DOUBLE, raw_unit VARCHAR'
KEY = "source, entity, property, valid"


_DB = duckdb.connect(config={"threads": 1})


def gauge(number: int, **facets: str | float) -> Entity:
    return Entity(f"urn:zs:Gauge:{number}", "Gauge", f"g{number}", f"g{number}", CELLS[number % len(CELLS)], facets=facets)


class Record:
    """All that was ever known; each key once, the latest version known by a time."""

    def __init__(self) -> None:
        self.db = _DB.cursor()
        self.db.execute(f"CREATE OR REPLACE TEMP TABLE versions ({COLUMNS})")

    def show(self, table: pa.Table) -> None:
        self.db.register("arrived", table)
        self.db.execute("INSERT INTO versions SELECT * FROM arrived")

    def query(self, sql: str, known: int | None = None, **tables: pa.Table) -> pa.Table:
        for name, table in tables.items():
            self.db.register(name, table)
        limit = "" if known is None else f"WHERE known <= {known}"
        return self.db.execute(
            f"WITH readings AS (SELECT * FROM versions {limit} QUALIFY row_number() OVER (PARTITION BY {KEY} ORDER BY known DESC) = 1) SELECT * FROM ({sql})"
        ).to_arrow_table()


@dataclass
class Town:
    """Give it rows (entity, source, property, age in s, ticks, flags, area or 0); it keeps them as the pipe does and hands them on."""

    entities: list[Entity]
    people: dict[int, int] = field(default_factory=dict)
    known: int = START

    def __post_init__(self) -> None:
        self.registry = Registry(CITY, PROPERTIES.values(), self.entities)
        for name in ("s0", "s1"):
            self.registry.sources.number(name)
        self.record, self.offset, self.groups = Record(), 0, list[Readings]()
        self.once = Once(lambda asked: self.record.query(f"SELECT a.i, r.ticks FROM asked a JOIN readings r USING ({KEY})", asked=asked))
        statics = Statics(self.registry, lambda level: {c: n for c, n in self.people.items() if c % 10 ** (11 - 2 * level) == 0})
        self.judge = Judge(PROPERTIES, statics, ZoneInfo("Asia/Shanghai"), lambda level: np.array(sorted(self.people), np.int64) if level == Level.CITY else np.zeros(0, np.int64))

    def facets(self) -> pa.Table:
        flat = [(e.id, k, v) for e in self.registry.rows for k, v in e.facets.items()]
        return pa.table(
            {
                "entity": pa.array([f[0] for f in flat], pa.string()),
                "name": pa.array([f[1] for f in flat], pa.string()),
                "text": pa.array([f[2] if isinstance(f[2], str) else None for f in flat], pa.string()),
                "number": pa.array([None if isinstance(f[2], str) else float(f[2]) for f in flat], pa.float64()),
            }
        )

    def cells(self, specs: list[CellSpec]) -> LiveCells:
        registry = self.registry
        live = LiveCells(
            list(PROPERTIES.values()),
            registry,
            registry.sources.names,
            registry.entities.numbers,
            lambda spec, first, last, known: self.record.query(panes_sql(spec, first, last, PROPERTIES), known, facets=self.facets()),
            lambda since: {row["property"]: row["high"] for row in self.record.query(heard_sql(since)).to_pylist()},
        )
        live.declare(specs)
        return live

    def send(self, rows: list[tuple[int, int, int, float, int | None, int, int]]) -> Readings | None:
        """Make a group known now; returns what is new of it."""
        areas, r = self.registry.areas(), self.registry
        columns = [np.array(c) for c in zip(*rows, strict=True)]
        ticks = np.array([NULL if t is None else t for t in columns[4]], np.int64)
        group = Readings(
            r.sources.names,
            r.entities.names,
            r.properties.names,
            r.units.names,
            columns[1].astype(np.int32),
            columns[0].astype(np.int32),
            columns[2].astype(np.int32),
            np.where(columns[6] == 0, areas[columns[0]], columns[6]).astype(np.int64),
            self.known // SECOND * SECOND - (columns[3] * SECOND).astype(np.int64),
            ticks,
            columns[5].astype(np.int32),
            ticks.astype(np.float64),
            np.full(len(rows), -1, np.int32),
        )
        group, _ = self.once.sift(group)
        if not len(group):
            return None
        ranks = 0 if group.rank is None else int(group.rank.max())
        if boundary(self.known) != boundary(self.known + ranks):
            self.known = boundary(self.known) + 1
        self.offset += 1
        group.offset, group.known = self.offset, self.known
        self.known += ranks + 1
        self.once.remember(stream_keys(group), group.valid)
        self.record.show(group.table())
        self.groups.append(group)
        return group

    def wait(self, us: int) -> None:
        self.known += us

    @property
    def now(self) -> int:
        return boundary(self.known)

    def recomputed(self, spec: CellSpec, level: Level, at: int) -> Parts:
        return to_parts(self.record.query(parts_sql(spec, level, at, PROPERTIES), at, facets=self.facets()), spec, level)

    def explainer(self) -> Explainer:
        """Return one that asks this record; it has no watch, so it can only compute again."""
        r = self.registry
        return Explainer(
            self.judge, cast("Any", None), lambda sql, known: self.record.query(sql, known, facets=self.facets()), RollUp(PROPERTIES, r, r.sources.names, r.entities.numbers)
        )

    def values(self, indicator: Indicator, level: Level, at: int) -> Values:
        return self.judge.values(indicator, (level,), at, lambda spec, lv: self.recomputed(spec, lv[0], at))


def sign(**row: Any) -> Indicator:
    given = {
        "code": "X",
        "name": {"zh": "试", "en": "Test"},
        "unit": "mm",
        "decimals": 2,
        "owner": "o",
        "of": "Gauge.rain",
        "measure": "max",
        "window": "5m",
        "stale_after": "10m",
    } | row
    return read_indicator(given, PROPERTIES)
