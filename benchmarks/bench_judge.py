"""A day recomputed: 28.8 million readings, 500 signs at five levels, beside a query that a person would write for the same measures."""

import os
import shutil
import tempfile
import time
import tomllib
from pathlib import Path

import crowd
import duckdb
import numpy as np
from table import Table, head

from zhongshu.app import open_city
from zhongshu.judge import read_indicator
from zhongshu.kernel.area import UNIT
from zhongshu.kernel.clock import DAY, HOUR, MINUTE
from zhongshu.kernel.reading import Readings
from zhongshu.settings import read

STEPS = int(os.environ.get("BENCH_STEPS", "288"))
WINDOWS = (("24h", "1h"), ("6h", "30m"), ("1h", "5m"))
CODES = ", ".join(f"area // {unit} * {unit} AS c{level.value}" for level, unit in UNIT.items())
SETS = "GROUPING SETS ((c0), (c1), (c2), (c3), (c4))"


def fill(parts: object, streams: list[tuple[str, str, float, float]], end: int) -> None:
    """Commit a day of every stream, one reading in five minutes."""
    registry, rng = parts.registry, np.random.default_rng(3)  # type: ignore[attr-defined]
    entity = np.array([registry.entities.numbers[s[0]] for s in streams], np.int32)
    prop = np.array([registry.properties.numbers[s[1]] for s in streams], np.int32)
    area, n = registry.areas()[entity], len(streams)
    source = np.full(n, registry.sources.number("bench"), np.int32)
    middle = np.array([(low + high) * 5 for _, _, low, high in streams])
    offset = parts.lake.offset()  # type: ignore[attr-defined]
    for first in range(0, STEPS, 24):
        for step in range(first, min(first + 24, STEPS)):
            ticks = (middle + rng.integers(-40, 40, n)).astype(np.int64)
            at = end - DAY + step * 5 * MINUTE
            offset += 1
            group = Readings(
                registry.sources.names,
                registry.entities.names,
                registry.properties.names,
                registry.units.names,
                source,
                entity,
                prop,
                area,
                np.full(n, at),
                ticks,
                np.zeros(n, np.int32),
                ticks / 10,
                np.full(n, -1, np.int32),
                offset=offset,
                known=at,
            )
            parts.lake.show(group.table(), offset)  # type: ignore[attr-defined]
        parts.lake.commit()  # type: ignore[attr-defined]


def by_hand(files: list[str], end: int) -> float:
    """Answer the same measures for the same properties, windows and levels the way a person would write it; return the seconds.

    Two queries for each property and window: over readings, and over one value per device. The signs' own conditions are left out, which is to the query's advantage.
    """
    db, begun = duckdb.connect(), time.monotonic()
    for prop, _, low, high in crowd.KINDS:
        for hours in (24, 6, 1):
            where = f"property = '{prop}' AND valid >= {end - hours * HOUR} AND valid < {end} AND ticks IS NOT NULL"
            over = f"ticks > {(low + high) * 5}"
            db.execute(
                f"SELECT c0, c1, c2, c3, c4, avg(ticks), max(ticks), min(ticks), sum(ticks), count(*), count(*) FILTER (WHERE {over}), approx_quantile(ticks, 0.95), arg_max(ticks, valid), "
                f"approx_count_distinct(entity) FROM (SELECT *, {CODES} FROM read_parquet($files) WHERE {where}) GROUP BY {SETS}",
                {"files": files},
            ).fetchall()
            db.execute(
                f"SELECT c0, c1, c2, c3, c4, avg(latest), max(high), avg((latest > {(low + high) * 5})::INT), sum(n), approx_quantile(latest, 0.95), min(low), avg(total) FROM (SELECT *, {CODES} FROM ("
                f"SELECT area, entity, arg_max(ticks, valid) AS latest, max(ticks) AS high, min(ticks) AS low, sum(ticks) AS total, count(*) AS n FROM read_parquet($files) WHERE {where} GROUP BY area, entity)) "
                f"GROUP BY {SETS}",
                {"files": files},
            ).fetchall()
    return time.monotonic() - begun


def main() -> None:
    """Fill the warehouse, recompute, and print."""
    head()
    table, folder = Table(), Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        streams = crowd.crowd(folder / "city")
        parts = open_city(read({"data": folder / "city", "memory": "8GB"}))
        end = parts.clock.now() // HOUR * HOUR
        begun = time.monotonic()
        fill(parts, streams, end)
        files, held = sorted(parts.lake.files()), STEPS * len(streams)
        size = sum(Path(f).stat().st_size for f in files)
        table.add(f"commit {held:,} readings to the warehouse", f"{time.monotonic() - begun:.1f} s, {size / held:.1f} bytes a reading")
        own = list(parts.watch.indicators.values())
        rows = tomllib.loads((crowd.pack(folder / "pack", crowd.SIGNS - len(own), WINDOWS) / "bench_signs" / "indicators.toml").read_text())["indicator"]
        signs = own + [read_indicator(row, parts.judge.properties) for row in rows]
        begun = time.monotonic()
        found = parts.explainer.recompute_all(signs, end - 1)
        ours = time.monotonic() - begun
        peer = by_hand(files, end)
        areas = sum(len(v.keys) for v in found.values())
        table.add(
            f"recompute {len(signs)} signs × 5 levels over a day of {held:,}", f"{ours:.1f} s for {areas:,} values", f"by hand {peer:.1f} s → {ours / peer:.1f}× (promise 2×)"
        )
        begun = time.monotonic()
        city = parts.about.code
        parts.explainer.series(signs[-1], city, end - DAY, end - 1, 48)
        table.add("a sign's line over the day, 48 points", f"{time.monotonic() - begun:.2f} s")
        parts.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
