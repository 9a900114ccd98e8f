"""Is it the same on a cluster? A fixed corpus: live = DuckDB = Spark, bit for bit; then a day recomputed by both at three sizes, to see from where on Spark pays.

The cluster is a standalone master with two workers of one core each, started here on loopback and ended by their ids.
"""

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import crowd
import numpy as np
from corpus import CITY, Corpus
from table import Table, free_port, head

from zhongshu.engines.spark import Spark
from zhongshu.judge import Values, read_indicator
from zhongshu.kernel.area import Level
from zhongshu.kernel.clock import DAY, HOUR, MINUTE
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.problem import Problem
from zhongshu.kernel.reading import Readings

SIZES = tuple(int(n) for n in os.environ.get("BENCH_ROWS", "3000000,30000000,100000000").split(","))
STEPS, WORKERS, SIGNS = 288, 2, 41
COLUMNS = ("keys", "value", "at", "count", "status", "band", "native")


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """Run a master and its workers; give the master's address."""
    home, port = Path(str(importlib.util.find_spec("pyspark").origin)).parent, free_port()  # type: ignore[union-attr]
    logs = Path(tempfile.mkdtemp(prefix="spark-"))
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_SCALA_VERSION": "2.13", "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_WORKER_DIR": str(logs / "work")}
    address, started = f"spark://127.0.0.1:{port}", list["subprocess.Popen[bytes]"]()

    def start(name: str, *words: str) -> None:
        with (logs / f"{len(started)}.log").open("wb") as log:
            command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}", "--host", "127.0.0.1", "--webui-port", str(free_port()), *words]
            started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))

    try:
        start("master.Master", "--port", str(port))
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        for _ in range(WORKERS):
            start("worker.Worker", "--cores", "1", "--memory", "2g", address)
        yield address
    finally:
        for held in reversed(started):
            held.terminate()
        for held in started:
            held.wait(60)
        shutil.rmtree(logs, ignore_errors=True)


def differing(one: Values, other: Values) -> int:
    """Return how many values are not the same to the last bit: number, time, count, level, band and all."""
    columns = [(getattr(one, name), getattr(other, name)) for name in COLUMNS]
    if len(one.keys) != len(other.keys):
        return max(len(one.keys), len(other.keys))
    unlike = np.zeros(len(one.keys), np.bool_)
    for a, b in columns:
        unlike |= a.view(np.int64) != b.view(np.int64) if a.dtype == np.float64 else a != b
    return int(unlike.sum())


def exactness(table: Table, address: str, folder: Path) -> None:
    """Compare live, DuckDB and Spark over the corpus: at boundaries as known then, and over many times with all that is known now."""
    corpus = Corpus(folder)
    live: dict[int, dict[str, Values]] = {at: {s.code: corpus.judge.values(s, s.levels, at, corpus.live.parts) for s in corpus.signs} for at in corpus.go_on(6)}
    rows = corpus.lake.query("SELECT count(*) AS n, count(*) FILTER (WHERE flags & 4 <> 0) AS revised, count(*) FILTER (WHERE ticks IS NULL) AS nulls FROM versions").to_pylist()[0]
    begun, here = time.monotonic(), corpus.here()
    with corpus.lake.held() as held:  # nothing is merged here
        spark = Spark(address, held)
    table.add("Spark: session on a standalone cluster of two workers", f"{time.monotonic() - begun:.1f} s")
    try:
        there = corpus.explainer(lambda sql, known: spark.query(sql, {"facets": corpus.facets}, known))
        begun = time.monotonic()
        ours = {at: here.recompute_all(corpus.signs, at) for at in live}
        pairs = [(live[at][s.code], ours[at][s.code]) for at in live for s in corpus.signs]
        what = f"{rows['n']} readings, {rows['revised']} revised, {rows['nulls']} null"
        told(table, f"live = DuckDB, {len(corpus.signs)} definitions at {len(live)} boundaries", pairs, f"{what}; {time.monotonic() - begun:.0f} s")
        begun, last = time.monotonic(), list(live)[-2:]
        again = {at: there.recompute_all(corpus.signs, at) for at in last}
        pairs = [(live[at][s.code], again[at][s.code]) for at in last for s in corpus.signs]
        told(table, f"live = Spark, {len(corpus.signs)} definitions at {len(last)} boundaries", pairs, f"{time.monotonic() - begun:.0f} s")
        begun, times = time.monotonic(), [*range(min(live), max(live), 5 * MINUTE)]
        both = [dict(e.over(corpus.signs, times, tuple(Level))) for e in (here, there)]
        pairs = [(both[0][at][s.code], both[1][at][s.code]) for at in times for s in corpus.signs]
        told(table, f"DuckDB = Spark, {len(corpus.signs)} definitions at {len(times)} times, many times a scan", pairs, f"{time.monotonic() - begun:.0f} s")
    finally:
        spark.close()
        corpus.lake.close()


def told(table: Table, what: str, pairs: list[tuple[Values, Values]], beside: str) -> None:
    """Print how many values were compared and how many differ."""
    table.add(what, f"{sum(len(a.keys) for a, _ in pairs):,} values with levels, {sum(differing(a, b) for a, b in pairs)} differ", beside)


def fill(corpus: Corpus, streams: int, end: int) -> None:
    """Commit a day of so many streams, one reading in five minutes, of ten properties in 500 cells."""
    rng, words = np.random.default_rng(3), corpus.registry
    cells = CITY + np.array([(1 + n // 100) * 10**9 + (1 + n // 10 % 10) * 10**6 + (1 + n % 10) * 1000 + 1 for n in range(500)])
    types = [prop.partition(".")[0] for prop, *_ in crowd.KINDS]
    for n in range(streams):
        words.register(Entity(f"urn:zs:{types[n % 10]}:B{n}", types[n % 10], "", "", int(cells[n % 500]), facets={"class": "abc"[n % 3]}))
    entity = np.array([words.entities.numbers[f"urn:zs:{types[n % 10]}:B{n}"] for n in range(streams)], np.int32)
    prop = np.array([words.properties.numbers[crowd.KINDS[n % 10][0]] for n in range(streams)], np.int32)
    middle = np.array([(crowd.KINDS[n % 10][2] + crowd.KINDS[n % 10][3]) * 5 for n in range(streams)])
    names, zeros = (words.sources.names, words.entities.names, words.properties.names, words.units.names), np.zeros(streams, np.int32)
    area, at_once = words.areas()[entity], max(1, 4_000_000 // streams)
    for step in range(STEPS):
        at, ticks = end - DAY + step * 5 * MINUTE, (middle + rng.integers(-40, 40, streams)).astype(np.int64)
        corpus.offset += 1
        group = Readings(*names, zeros, entity, prop, area, np.full(streams, at), ticks, zeros, ticks / 10, zeros - 1, offset=corpus.offset, known=at)
        corpus.lake.show(group.table(), corpus.offset)
        if step % at_once == at_once - 1 or step == STEPS - 1:
            corpus.lake.commit()


def a_day(table: Table, address: str, folder: Path, rows: int) -> tuple[float, float]:
    """Recompute a day at every hour by both engines; return the seconds of each, Spark's without its start."""
    corpus = Corpus(folder, every=1000)
    end = 1_790_000_000_000_000 // DAY * DAY
    begun = time.monotonic()
    fill(corpus, rows // STEPS, end)
    filled, corpus.facets = time.monotonic() - begun, corpus.all_facets()
    signs = [read_indicator(row, corpus.properties) for row in crowd.signs(SIGNS, (("1h", "5m"),))[1:]]
    times = [end - DAY + n * HOUR for n in range(1, 25)]
    found, seconds = list[Any](), list[float]()
    with corpus.lake.held() as held:
        spark = Spark(address, held)
    try:
        there = corpus.explainer(lambda sql, known: spark.query(sql, {"facets": corpus.facets}, known))
        for explainer in (corpus.here(), there):
            begun = time.monotonic()
            found.append(explainer.over(signs, times, tuple(Level)))
            seconds.append(time.monotonic() - begun)
    finally:
        spark.close()
        corpus.lake.close()
    pairs = [(a[s.code], b[s.code]) for (_, a), (_, b) in zip(*found, strict=True) for s in signs]
    size = sum(Path(f).stat().st_size for f in held.files) / 1e6
    said = f"DuckDB {seconds[0]:.1f} s, Spark {seconds[1]:.1f} s → {seconds[1] / seconds[0]:.1f}×"
    differ = sum(differing(a, b) for a, b in pairs)
    table.add(
        f"a day of {rows // STEPS * STEPS:,} readings, {len(signs)} signs × 24 hours",
        said,
        f"{sum(len(a.keys) for a, _ in pairs):,} values, {differ} differ; {size:.0f} MB, filled in {filled:.0f} s",
    )
    return seconds[0], seconds[1]


def main() -> None:
    """Start the cluster, compare, measure, and say what comes of it."""
    head()
    if importlib.util.find_spec("pyspark") is None or shutil.which("java") is None:
        print("not measured: it needs pyspark (uv sync --group bench) and Java 17 (apt-get install openjdk-17-jre-headless)")
        return
    table, folder = Table(), Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        with cluster() as address:
            if "exact" in sys.argv[1:] or len(sys.argv) == 1:
                exactness(table, address, folder / "corpus")
            if "day" in sys.argv[1:] or len(sys.argv) == 1:
                took = []
                for rows in SIZES:
                    took.append(a_day(table, address, folder / str(rows), rows))
                    shutil.rmtree(folder / str(rows))
                pays = next((rows for rows, (ours, theirs) in zip(SIZES, took, strict=True) if theirs < ours), None)
                table.add("Spark pays from", f"{pays:,} readings a day" if pays else "not on this machine at these sizes: for it, one needs machines, not cores")
    except Problem as problem:
        print(problem)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
