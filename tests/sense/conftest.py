"""A small registry, a clock that stands still, and a journal's writer on a real journal."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from zhongshu.engines.sqlite_journal import SqliteJournal
from zhongshu.kernel.clock import HOUR, MINUTE, FrozenClock, Stamp, parse_time
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.journal import Entry
from zhongshu.kernel.quantity import Property
from zhongshu.sense import Feed, Intake, Once, Pipe, Registry, Source
from zhongshu.sense.feeds import open_feed
from zhongshu.sense.feeds.declared import read_connector

CITY = 990100000000000
NOW = parse_time("2026-03-01T12:00:00Z")
PROPERTIES = (
    Property("Gauge.rain", "mm", "0.1", 0, 500, MINUTE, HOUR),
    Property("Gauge.temp", "°C", "0.01", -60, 60, MINUTE, HOUR),
    Property("Loop.speed", "km/h", "0.1", 0, 300, MINUTE, HOUR),
)


@dataclass
class Desk:
    """Everything a test of sense needs, and what was delivered."""

    registry: Registry
    clock: FrozenClock
    intake: Intake
    known: Source = field(default_factory=lambda: Source("known", "已知", "Known", "city"))
    open: Source = field(default_factory=lambda: Source("open", "登记", "Open", "city", entities="register"))


@pytest.fixture
def desk() -> Desk:
    registry = Registry(
        CITY,
        PROPERTIES,
        [
            Entity("urn:zs:Gauge:1", "Gauge", "雨量站", "Gauge", 990101001001001),
            Entity("urn:zs:Gauge:2", "Gauge", "雨量站", "Gauge", 990101001001002),
            Entity("urn:zs:Loop:1", "Loop", "线圈", "Loop", 990101001001003),
        ],
    )
    clock = FrozenClock(NOW)
    return Desk(registry, clock, Intake(registry, clock, lambda lon, lat: np.where(np.isfinite(lon) & (lon > 0), 990101001001009, 990199000000000).astype(np.int64)))


@pytest.fixture
def record() -> list[Entry]:
    """What the pipe delivered."""
    return []


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    held = SqliteJournal(tmp_path / "journal.sqlite")
    yield held
    held.close()


def looked_up(record: list[Entry]) -> Callable[[pa.Table], pa.Table]:
    """Look up what the delivered groups hold, the latest last."""

    def lookup(asked: pa.Table) -> pa.Table:
        held = {
            (r["source"], r["entity"], r["property"], r["valid"]): r["ticks"] for e in record if e.table is not None for r in sorted(e.table.to_pylist(), key=lambda r: r["known"])
        }
        keys = [(r["i"], (r["source"], r["entity"], r["property"], r["valid"])) for r in asked.to_pylist()]
        found = [(i, held[key]) for i, key in keys if key in held]
        return pa.table({"i": pa.array([f[0] for f in found], pa.int64()), "ticks": pa.array([f[1] for f in found], pa.int64())})

    return lookup


@pytest.fixture
def pipe(desk: Desk, journal: SqliteJournal, record: list[Entry], tmp_path: Path) -> Iterator[Pipe]:
    held = Pipe(journal, desk.intake, Stamp(desk.clock), Once(looked_up(record)), record.append, (tmp_path, 0))
    held.start()
    yield held
    held.close()


@pytest.fixture
def feed_of(desk: Desk, pipe: Pipe, tmp_path: Path) -> Callable[..., Feed]:
    """Make the feed of one row of `connectors.toml`; `secrets`: what is kept elsewhere, by name."""

    def make(given: dict[str, Any], secrets: dict[str, str] | None = None, source: Source | None = None) -> Feed:
        source = source or replace(desk.open, zone="Asia/Shanghai")
        declared = read_connector({"name": source.name} | given, 1, {source.name: source})
        return open_feed(declared, tmp_path, desk.intake, pipe.submit, (secrets or {}).get)

    return make


def refused(journal: SqliteJournal, source: str = "open") -> list[tuple[str, str]]:
    """Return the codes and the raw rows of a source's quarantine."""
    return [(row["code"], row["raw"]) for row in journal.quarantine(source, 0, 1000)]


def values(record: list[Entry]) -> list[tuple[str, str, float]]:
    """Return entity, property and raw value of what was delivered, in order of entity, property and time."""
    rows = [r for e in record if e.table is not None for r in e.table.to_pylist()]
    return [(r["entity"], r["property"], r["raw"]) for r in sorted(rows, key=lambda r: (r["entity"], r["property"], r["valid"], r["known"]))]
