"""Prints the table of measured promises, each beside its ceiling or peer of the same run. Bounded in time and count; asserts nothing."""

import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import httpx
import numpy as np
import sqlalchemy as sa
import stages

from zhongshu.act import Given, NewCase, do, open_case
from zhongshu.app import open_city
from zhongshu.kernel.grade import Principal
from zhongshu.settings import read
from zhongshu.survey import Areas, Place, make

HERE = Path(__file__).parent
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait(url: str, seconds: float = 60) -> float:
    """Return how long it took until an address answered."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        try:
            if httpx.get(url, trust_env=False, timeout=1).status_code < 500:
                return time.monotonic() - begun
        except httpx.HTTPError:
            time.sleep(0.05)
    raise TimeoutError(url)


def load(port: int, url: str, token: str, size: int, connections: int) -> dict[str, float]:
    """Run the load in a process of its own."""
    out = subprocess.run([sys.executable, str(HERE / "load.py"), str(port), url, token, str(size), str(connections), str(SECONDS)], capture_output=True, text=True, check=True)
    return json.loads(out.stdout)


def http(city: Path, rows: list[tuple[str, str, str]]) -> None:
    """Measure intake over HTTP beside the bare endpoint, cold start, and the way from a reading to an open screen."""
    port, bare_port = free_port(), free_port()
    environment = {**os.environ, "ZS_COMMIT_S": "5"}
    bare = subprocess.Popen([sys.executable, str(HERE / "bare.py"), str(bare_port), str(city / "bare.log")])
    try:
        wait(f"http://127.0.0.1:{bare_port}/")
        ceiling = load(bare_port, "/", "-", 100, 32)
        ceiling_one = load(bare_port, "/", "-", 1, 128)
    finally:
        bare.terminate()
        bare.wait()
    begun = time.monotonic()
    server = subprocess.Popen([sys.executable, "-m", "zhongshu.cli", "up", "--data", str(city), "--port", str(port)], env=environment, stdout=subprocess.DEVNULL)
    try:
        wait(f"http://127.0.0.1:{port}/api/vitals")
        rows.append(("cold start to first values", f"{time.monotonic() - begun:.1f} s", "promise < 15 s"))
        token = subprocess.run(
            [sys.executable, "-m", "zhongshu.cli", "token", "--role", "source_writer:bench", "--name", "bench", "--data", str(city)], capture_output=True, text=True, check=True).stdout.split()[-1]
        admin = subprocess.run([sys.executable, "-m", "zhongshu.cli", "token", "--role", "steward", "--name", "bench-steward", "--data", str(city)], capture_output=True, text=True, check=True).stdout.split()[-1]
        httpx.post(f"http://127.0.0.1:{port}/api/sources", json={"name": "bench", "entities": "register"}, headers={"authorization": f"Bearer {admin}"}, trust_env=False).raise_for_status()
        url = "/api/sources/bench/readings"
        cpu = cpu_of(server.pid)
        ours = load(port, url, token, 100, 32)
        used = (cpu_of(server.pid) - cpu) / (ours["readings_s"] * SECONDS) * 1e6
        one = load(port, url, token, 1, 128)
        rows.append(("intake NDJSON ×100, durable, rules on", f"{ours['readings_s']:,.0f}/s, p99 {ours['p99_ms']:.0f} ms, {used:.1f} CPU µs/reading", f"bare {ceiling['readings_s']:,.0f}/s → {ours['readings_s'] / ceiling['readings_s']:.0%} (promise 30 %, 200,000/s)"))
        rows.append(("single readings, 128 connections", f"{one['readings_s']:,.0f}/s, p99 {one['p99_ms']:.0f} ms", f"bare {ceiling_one['readings_s']:,.0f}/s → {one['readings_s'] / ceiling_one['readings_s']:.0%} (promise 5,000/s)"))
        rows.append(("owner's memory after that", f"{rss(server.pid):,.0f} MB", ""))
    finally:
        server.terminate()
        server.wait()


def cpu_of(pid: int) -> float:
    """Return the CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss(pid: int) -> float:
    """Return a process's resident memory in MB."""
    line = next(row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def cases(city: Path, rows: list[tuple[str, str, str]]) -> None:
    """Measure case steps with their ledger lines, beside plain inserts into the same kind of store."""
    parts = open_city(read({"data": city}))
    area = next(a.code for a in parts.areas if a.code % 10**6 and a.population)
    actor = Principal("bench", "bench", (("duty_officer", parts.about.code),), "internal")
    count = 1500

    def one(i: int) -> None:
        new = NewCase("confirm", "drainage.ponding", f"第 {i} 件", f"No {i}", area, "bench")
        futures.append(parts.office.submit(actor, lambda deed: do(deed, open_case(deed, new)["id"], "dispatch", Given(unit="dept-drainage"))))

    futures: list = []
    begun = time.monotonic()
    for i in range(count):
        one(i)
    for future in futures:
        try:
            future.result()
        except Exception as error:
            print("case step refused:", error)
            break
    ours = 2 * count / (time.monotonic() - begun)
    engine = sa.create_engine(f"sqlite:///{city / 'peer.sqlite'}")
    begun = time.monotonic()
    with engine.begin() as conn:
        conn.exec_driver_sql("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
        for i in range(count):
            conn.exec_driver_sql("INSERT INTO t (b) VALUES (?)", (f"row {i}",))
    peer = count / (time.monotonic() - begun)
    parts.close()
    rows.append(("case step with its ledger line, in the engine", f"{ours:,.0f}/s", f"bare insert {peer:,.0f}/s (promise 1,500/s)"))


def places(city: Path, rows: list[tuple[str, str, str]]) -> None:
    """Measure point → cell on the made city."""
    areas = Areas.load(city)
    place = Place.open(areas, city)
    west, south, east, north = areas.bounds(areas.city.code)
    rng = np.random.default_rng(3)
    lon, lat = rng.uniform(west, east, 1_000_000), rng.uniform(south, north, 1_000_000)
    times = []
    for _ in range(3):
        begun = time.monotonic()
        place.locate(lon, lat)
        times.append(time.monotonic() - begun)
    rows.append((f"point → cell, {len(place.codes):,} polygons", f"{1 / statistics.median(times):.1f} M/s", "promise 5 M/s at 600 polygons"))


def recompute(city: Path, rows: list[tuple[str, str, str]]) -> None:
    """Measure every sign × 3 levels recomputed from the warehouse, beside one hand-written DuckDB scan of the same files."""
    parts = open_city(read({"data": city}))
    parts.lake.commit()
    held = parts.lake.query("SELECT count(*) AS n FROM readings")["n"][0].as_py()
    at = parts.clock.now()
    begun = time.monotonic()
    for indicator in parts.watch.indicators.values():
        for level in indicator.levels[:3]:
            parts.explainer.recompute(indicator, level, at)
    ours = time.monotonic() - begun
    files = sorted(parts.lake.files())
    parts.close()
    begun = time.monotonic()
    duckdb.connect().execute(
        "SELECT property, area // 1000000 AS street, avg(ticks), max(ticks), count(*) FROM read_parquet($files) GROUP BY ALL", {"files": files}).fetchall()
    peer = time.monotonic() - begun
    rows.append((f"recompute 25 signs × 3 levels over {held:,} readings", f"{ours:.2f} s", f"one bare scan {peer:.2f} s"))


def main() -> None:
    """Run everything and print the table."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    rows: list[tuple[str, str, str]] = []
    try:
        city = folder / "city"
        begun = time.monotonic()
        make(city, 300_000, 7)
        rows.append(("make a city of 300,000", f"{time.monotonic() - begun:.1f} s", ""))
        for name, value in stages.main().items():
            rows.append((f"stage: {name}", f"{value:.2f} " + ("ms" if name.endswith("ms") else "CPU µs/reading"), ""))
        http(city, rows)
        recompute(city, rows)
        places(city, rows)
        cases(city, rows)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}\n")
    width = max(len(r[0]) for r in rows)
    for what, value, beside in rows:
        print(f"{what:<{width}}  {value:<55} {beside}")


if __name__ == "__main__":
    main()
