"""What grows: a million streams in memory, a warehouse of half a billion readings, and what is forgotten of it. BENCH_FULL=1 for those sizes; a tenth and less otherwise."""

import asyncio
import gc
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import crowd
import duckdb
import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from table import Spread, Table, head, rss, runs

from zhongshu.app import Assembly, alone, open_city
from zhongshu.app.people import make_token
from zhongshu.engines.checksum import FORM, checksum
from zhongshu.engines.forgetting import Cut
from zhongshu.engines.manifest import STRETCH, Manifest, joined
from zhongshu.engines.parquet_files import _sorted, write_rows
from zhongshu.judge import read_indicator
from zhongshu.kernel.area import UNIT
from zhongshu.kernel.clock import DAY, GRID, HOUR, MINUTE, SECOND
from zhongshu.kernel.live import CellSpec
from zhongshu.kernel.reading import Readings
from zhongshu.serve.routes import build
from zhongshu.settings import read

FULL = os.environ.get("BENCH_FULL") == "1"
LIVE_STREAMS = int(os.environ.get("BENCH_STREAMS", "1000000" if FULL else "100000"))
LIVE_SIGNS = int(os.environ.get("BENCH_SIGNS", "500" if FULL else "100"))
BOUNDARIES = int(os.environ.get("BENCH_BOUNDARIES", "600" if FULL else "50"))
RATE = int(os.environ.get("BENCH_RATE", "100000"))
ROWS = int(os.environ.get("BENCH_ROWS", "500000000" if FULL else "10000000"))
SPAN = 30 * DAY
FREE = 25 * 2**30
"""So much of the disk stays free."""
CODES = ", ".join(f"area // {unit} * {unit} AS c{level.value}" for level, unit in UNIT.items())


class Crowd:
    """The streams of a crowded city as columns, from which groups of readings are made."""

    def __init__(self, parts: Assembly, streams: list[tuple[str, str, float, float]]) -> None:
        """Take a city and its streams (entity, property, low, high)."""
        registry = self.registry = parts.registry
        self.entity = np.array([registry.entities.numbers[s[0]] for s in streams], np.int32)
        self.property = np.array([registry.properties.numbers[s[1]] for s in streams], np.int32)
        self.area = registry.areas()[self.entity]
        self.source = registry.sources.number("bench")
        self.middle = np.array([(low + high) * 5 for _, _, low, high in streams])
        self.rng = np.random.default_rng(3)

    def group(self, which: np.ndarray[tuple[int], np.dtype[np.int64]], at: int, offset: int, valid: Any = None) -> Readings:
        """Return one reading of each of some streams."""
        n, registry = len(which), self.registry
        ticks = (self.middle[which] + self.rng.integers(-40, 40, n)).astype(np.int64)
        times = np.full(n, at) if valid is None else valid
        return Readings(
            registry.sources.names,
            registry.entities.names,
            registry.properties.names,
            registry.units.names,
            np.full(n, self.source, np.int32),
            self.entity[which],
            self.property[which],
            self.area[which],
            times,
            ticks,
            np.zeros(n, np.int32),
            ticks / 10,
            np.full(n, -1, np.int32),
            offset=offset,
            known=at,
        )


def live(table: Table) -> None:
    """A million streams and 500 signs in one process: its memory, and how long boundaries take under a steady load."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        begun = time.monotonic()
        subprocess.run([sys.executable, crowd.__file__, str(folder / "city"), str(LIVE_STREAMS)], check=True)  # what making it takes is not the city's memory
        table.add(f"make a city of 300,000, and {LIVE_STREAMS:,} more devices", f"{time.monotonic() - begun:.1f} s")
        sys.path.insert(0, str(crowd.pack(folder / "signs", max(LIVE_SIGNS - 26, 1))))
        begun = time.monotonic()
        parts = open_city(read({"data": folder / "city"}))
        table.add("open it", f"{time.monotonic() - begun:.1f} s")
        table.add("  resident memory then", f"{rss(os.getpid()) / 1024:.2f} GiB")
        from_, each = Crowd(parts, crowd.streams_of(LIVE_STREAMS)), RATE * GRID // SECOND
        at = parts.clock.now() // GRID * GRID
        parts.live.restore(at)
        everyone = np.random.default_rng(5).permutation(LIVE_STREAMS)
        for i in range(0, LIVE_STREAMS, 100_000):
            at += GRID
            parts.live.apply(from_.group(everyone[i : i + 100_000], at - 1, 0))
        parts.watch.step(at)
        gc.freeze()  # as the server does before it serves
        gc.set_threshold(50_000, 20, 20)
        took = np.array([boundary(parts, from_, everyone, k, each, at + k * GRID) for k in range(1, BOUNDARIES + 1)]) * 1e3
        (p50, c50), (p99, c99) = np.percentile(took, [50, 99], axis=0)
        table.add(
            f"a boundary: {LIVE_STREAMS:,} streams, {len(parts.watch.indicators)} signs, {RATE:,} readings/s",
            f"p50 {p50:.0f} p99 {p99:.0f} longest {took[:, 0].max():.0f} ms of {BOUNDARIES}; of the processor p50 {c50:.0f} p99 {c99:.0f} ms",
            "promise p99 < 400 ms at 1,000,000 × 500",
        )
        table.add("resident memory after that", f"{rss(os.getpid()) / 1024:.2f} GiB", "promise < 8 GiB at 1,000,000 × 500")
        parts.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def boundary(parts: Assembly, from_: Crowd, everyone: Any, k: int, each: int, at: int) -> tuple[float, float]:
    """Take in what came since the last boundary and evaluate; return the seconds, by the clock and of the processor."""
    which = np.take(everyone, np.arange(k * each, (k + 1) * each), mode="wrap")
    group = from_.group(which, at - 1, 0, at - 1 - from_.rng.integers(0, GRID, each))
    begun, used = time.monotonic(), time.thread_time()
    parts.live.apply(group)
    parts.watch.step(at)
    return time.monotonic() - begun, time.thread_time() - used


def fill(parts: Assembly, from_: Crowd, end: int) -> int:
    """Enter thirty days of every stream, a file of some millions at a time, as commits do: Parquet, manifest, catalogue. Return how many readings.

    The first file is sorted as a commit's; the later ones are the same streams some hours on, with other values, and so sorted already.
    """
    n, lake = len(from_.entity), parts.lake
    per = max(1, min(48, 4_800_000 // n))
    count = -(-ROWS // (n * per))
    step, first = SPAN // (count * per), end - SPAN
    valid = np.tile(first + np.arange(1, per + 1) * step, n) - from_.rng.integers(0, 60_000, n * per) * 1000
    table = _sorted(from_.group(np.repeat(np.arange(n), per), first + per * step, 1, valid).table())
    ticks, valid = np.asarray(table["ticks"]), np.asarray(table["valid"])
    for k in range(count):
        if shutil.disk_usage(parts.folder).free < FREE:
            message = "too little disk is left"
            raise RuntimeError(message)
        offset, moved = lake.offset() + 1, ticks + from_.rng.integers(-9, 9, len(ticks))
        columns = {
            "offset": np.full(len(ticks), offset),
            "valid": valid + k * per * step,
            "known": np.full(len(ticks), first + (k + 1) * per * step),
            "ticks": moved,
            "raw": moved / 10,
        }
        for name, values in columns.items():
            table = table.set_column(table.column_names.index(name), name, pa.array(values))
        path = parts.folder / "lake" / "readings" / f"{np.datetime64(first + k * per * step, 'us').astype('datetime64[M]')}" / f"part-{offset}-{offset}.parquet"
        path.parent.mkdir(exist_ok=True)
        write_rows(table, path)
        line = {"from": offset, "to": offset, "count": len(table), "checksum": checksum(table), "form": FORM, "revised": False, "files": [str(path.relative_to(lake.folder))]}
        lake._note(line)  # noqa: SLF001 (what a commit does, without its tail)
        lake._enter([path], offset, len(table))  # noqa: SLF001
    return count * per * n


def timed(work: Callable[[], Any], times: int = 3) -> Spread:
    """Return how long some runs take, s."""

    def once() -> float:
        begun = time.monotonic()
        work()
        return time.monotonic() - begun

    return runs(once, times)


def shown(took: Spread) -> str:
    """Show how long it took."""
    return f"{took:.2f} s"


def asker(parts: Assembly, app: Any) -> Callable[[str], dict[str, Any]]:
    """Return what asks the city's API, as a steward, without a network."""
    token = make_token(parts, "bench", "steward", None)

    def ask(url: str) -> dict[str, Any]:
        async def one() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://city.example", timeout=600) as http:
                return await http.get(url, headers={"Authorization": f"Bearer {token}"})

        answer = asyncio.run(one())
        answer.raise_for_status()
        return dict(answer.json())

    return ask


MONTH = {
    "code": "BNMONTH",
    "name": {"zh": "月", "en": "Month"},
    "unit": "µg/m3",
    "owner": "bench",
    "theme": "bench",
    "of": "AirQualityStation.pm25",
    "measure": "mean",
    "window": "30d",
    "hop": "12h",
    "levels": ["city", "district", "street", "community", "cell"],
}


def warehouse(table: Table) -> None:
    """A month in the warehouse: start, a tile down to its readings, a 30-day sign beside the bare scan, lists, and a day forgotten."""
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")))
    try:
        streams = crowd.crowd(folder / "city")
        settings = read({"data": folder / "city", "memory": "8GB"})
        parts = open_city(settings)
        end = parts.clock.now() // MINUTE * MINUTE
        begun = time.monotonic()
        held = fill(parts, Crowd(parts, streams), end)
        files = sorted(parts.lake.files())
        size = sum(Path(f).stat().st_size for f in files)
        took = time.monotonic() - begun
        table.add(f"write {held:,} readings to the warehouse", f"{took:.0f} s, {held / took:,.0f}/s; {size / 1e9:.2f} GB, {size / held:.1f} bytes a reading, {len(files)} files")
        parts.close()
        begun = time.monotonic()
        with alone(settings) as (parts, pipe):
            table.add("open the city", f"{time.monotonic() - begun:.1f} s; {rss(os.getpid()) / 1024:.2f} GiB", f"{scan(files, 'max(valid)', 'source, entity, property'):.1f} s")
            looks(table, parts, asker(parts, build(parts.city(pipe), parts.folder)))
            month(table, parts, files, end)
            hourly(table, parts, files)
            forget(table, parts, end)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def looks(table: Table, parts: Assembly, ask: Callable[[str], dict[str, Any]]) -> None:
    """A tile down to its raw readings, and lists."""
    parts.watch.memory.at = parts.clock.now() // GRID * GRID
    sign = next(i.code for i in parts.watch.indicators.values() if any(s.property == "AirQualityStation.pm25" for s in i.specs()))
    city, street = f"{parts.about.code:015d}", f"{next(a.code for a in parts.areas.at(list(UNIT)[2])):015d}"
    for name, area in (("the city's", city), ("a street's", street)):
        table.add(f"open {name} tile: its value again from the record, and the readings behind it", shown(timed(lambda a=area: ask(f"/api/vitals/{sign}/{a}"))), "promise < 1 s")  # type: ignore[misc]
        table.add(f"  the next page of {name} readings", shown(timed(lambda a=area: ask(f"/api/vitals/{sign}/{a}/readings?after=100"))), "promise < 1 s")  # type: ignore[misc]
    entity = next(row.id for row in parts.registry.rows if row.type == "AirQualityStation" and row.owner == "bench")
    for name, query in (("of everything", ""), ("of a device", f"entity={entity}"), ("of a property", "property=AirQualityStation.pm25")):
        table.add(f"first page {name}", shown(timed(lambda q=query: ask(f"/api/readings?limit=50&{q}"))))  # type: ignore[misc]


def scan(files: list[str], measure: str, by: str, where: str = "TRUE") -> Spread:
    """Return how long bare DuckDB takes over the same files, s."""
    db = duckdb.connect()
    return timed(lambda: db.execute(f"SELECT {by}, {measure} FROM (SELECT *, {CODES} FROM read_parquet($files)) WHERE {where} GROUP BY {by}", {"files": files}).fetchall())


def month(table: Table, parts: Assembly, files: list[str], end: int) -> None:
    """A 30-day sign over all areas at five levels, beside the bare scan."""
    sign = read_indicator(dict(MONTH), parts.judge.properties)
    found: list[int] = []
    ours = timed(lambda: found.append(sum(len(v.keys) for v in parts.explainer.recompute_all([sign], end - 1, hindsight=True).values())))
    sets = "GROUPING SETS ((c0), (c1), (c2), (c3), (c4))"
    db = duckdb.connect()
    sql = (
        f"SELECT c0, c1, c2, c3, c4, avg(ticks) FROM (SELECT *, {CODES} FROM read_parquet($files)) WHERE property = 'AirQualityStation.pm25' AND ticks IS NOT NULL GROUP BY {sets}"
    )
    bare = timed(lambda: db.execute(sql, {"files": files}).fetchall())
    table.add(f"a 30-day mean over all areas, five levels, {found[-1]:,} values", shown(ours), f"bare scan {shown(bare)} → {ours / bare:.1f}×")
    spec: CellSpec = next(iter(sign.measures.values()))
    table.add("  its line over the 30 days, 48 points", shown(timed(lambda: parts.explainer.series(sign, parts.about.code, end - spec.window, end - 1, 48))))


def hourly(table: Table, parts: Assembly, files: list[str]) -> None:
    """An hourly roll-up of every property and place, through the record's reader (each key once, the latest known) and by bare DuckDB over the same files."""
    sql = f"SELECT property, area, valid // {HOUR} AS hour, count(*) AS n, sum(ticks)::BIGINT AS total, min(ticks) AS low, max(ticks) AS high FROM {{rows}} GROUP BY ALL"
    wrapped = "SELECT count(*) AS n, sum(n)::BIGINT AS readings FROM ({sql})"
    ours = timed(lambda: parts.lake.query(wrapped.format(sql=sql.format(rows="readings"))), 3)
    held = parts.lake.query(wrapped.format(sql=sql.format(rows="readings"))).to_pylist()[0]
    db = duckdb.connect(config={"memory_limit": "8GB"})
    alone_ = timed(lambda: db.execute(wrapped.format(sql=sql.format(rows="read_parquet($files)")), {"files": files}).fetchall(), 3)
    table.add(f"hourly roll-up of {held['readings']:,} readings → {held['n']:,} rows", shown(ours), f"bare DuckDB {shown(alone_)} → {ours / alone_:.1f}×")


def forget(table: Table, parts: Assembly, end: int) -> None:
    """A day of the month forgotten; and what start and verify read of a year's manifest."""
    cuts = [Cut("all:bench", "", (end - SPAN) // HOUR * HOUR + 2 * DAY)]
    begun = time.monotonic()
    pieces = parts.lake.forgetting.due({"readings": cuts}, 2**60)
    due = time.monotonic() - begun
    gone = [parts.lake.forgetting.run(cuts, piece) for piece in pieces]
    took = time.monotonic() - begun
    count, hours = sum(g.count for g in gone), sum(g.hours for g in gone)
    table.add(f"forget what is due: {count:,} readings → {hours:,} hours", f"{took:.1f} s ({due:.1f} s to find it), {count / took:,.0f}/s, {len(pieces)} pieces")
    hourly = sum(Path(f).stat().st_size for f in parts.lake.forgetting.files("hourly"))
    table.add("  an hourly row on the disk", f"{hourly / max(hours, 1):.1f} bytes")
    if FULL:
        begun = time.monotonic()
        wrong = parts.lake.verify()
        rows = sum(pq.ParquetFile(f).metadata.num_rows for f in parts.lake.files())
        table.add(f"verify {rows:,} readings, held + forgotten = committed", f"{time.monotonic() - begun:.0f} s, {len(wrong)} faults")


def manifest(table: Table) -> None:
    """A year of commits every 5 s as the manifest holds them: read, joined at a merge, and written again."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        commits = 366 * DAY // (5 * SECOND)
        line = {"count": 25_000, "checksum": 2**63, "form": 1, "revised": False}
        lines = [line | {"from": i, "to": min(i + STRETCH, commits) - 1, "commits": STRETCH, "files": []} for i in range(1, commits, STRETCH)]
        lines += [line | {"from": commits + i, "to": commits + i, "files": [f"readings/2026-11/part-{i}-{i}.parquet"]} for i in range(120)]
        book = Manifest(folder / "manifest.jsonl")
        book.note(*lines)
        table.add(
            f"the manifest of {commits:,} commits, {len(lines):,} lines",
            f"{book.size() / 1e6:.1f} MB; read {timed(book.lines):.3f} s, join and write {timed(lambda: book.put(joined(book.lines(), set()))):.3f} s",
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


PARTS = {"live": live, "manifest": manifest, "warehouse": warehouse}


def main() -> None:
    """Run each part in a process of its own, so that memory is its own; or the one that is named."""
    if len(sys.argv) > 1:
        PARTS[sys.argv[1]](Table())
        return
    head()
    for name in PARTS:
        subprocess.run([sys.executable, __file__, name], check=True)


if __name__ == "__main__":
    main()
