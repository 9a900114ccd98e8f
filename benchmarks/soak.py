"""A city under a steady load for as long as one likes: what it holds each minute, and whether it grows. `soak.py --minutes 30 --rate 50000`."""

import argparse
import shutil
import tempfile
import threading
import time
from pathlib import Path

import crowd
import numpy as np
from table import Server, cpu_of, head, load, rss, serve

URL = "/api/sources/bench/readings"
COLUMNS = ("RSS MB", "files", "descriptors", "threads", "journal MB", "lake MB", "manifest lines", "cores")


def look(server: Server, cpu: list[float]) -> list[float]:
    """Return what the city holds now, and the cores it used since the last look."""
    lake = server.city / "lake"
    files = [(p, p.stat().st_size) for p in (lake / "readings").rglob("*.parquet") if p.exists()]
    used, at = cpu_of(server.pid), time.monotonic()
    cores = (used - cpu[0]) / max(at - cpu[1], 1e-9)
    cpu[:] = [used, at]
    status = (Path("/proc") / str(server.pid) / "status").read_text()
    threads = int(next(line for line in status.splitlines() if line.startswith("Threads")).split()[1])
    manifest = lake / "manifest.jsonl"
    return [
        rss(server.pid),
        len(files),
        len(list((Path("/proc") / str(server.pid) / "fd").iterdir())),
        threads,
        sum(p.stat().st_size for p in server.city.glob("journal.sqlite*")) / 1e6,
        sum(size for _, size in files) / 1e6,
        manifest.read_bytes().count(b"\n") if manifest.exists() else 0,
        cores,
    ]


def slope(minutes: list[float], values: list[float]) -> float:
    """Return by how much a column grows in an hour, over the second half, when what fills once is full."""
    half = len(values) // 2
    return float(np.polyfit(minutes[half:], values[half:], 1)[0] * 60) if len(values) - half > 1 else float("nan")


def main() -> None:
    """Run the soak and print a line each `--every` seconds, then the slopes."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--minutes", type=float, default=30)
    given.add_argument("--rate", type=float, default=50_000)
    given.add_argument("--every", type=float, default=60, help="seconds between looks")
    asked = given.parse_args()
    head()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        crowd.crowd(folder / "city")
        with serve(folder / "city") as server:
            token, done = server.source("bench"), list[dict[str, float]]()
            loader = threading.Thread(target=lambda: done.append(load(server.port, URL, token, 100, 32, asked.minutes * 60, asked.rate)), daemon=True)
            rows, cpu, begun = list[list[float]](), [cpu_of(server.pid), time.monotonic()], time.monotonic()
            loader.start()
            print("minute".rjust(7), *(c.rjust(14) for c in COLUMNS), flush=True)
            while loader.is_alive():
                loader.join(asked.every)
                rows.append([(time.monotonic() - begun) / 60, *look(server, cpu)])
                print(f"{rows[-1][0]:7.1f}", *(f"{v:14,.1f}" for v in rows[-1][1:]), flush=True)
            columns = list(zip(*rows, strict=True))
            print("slope/h".rjust(7), *(f"{slope(list(columns[0]), list(c)):14,.1f}" for c in columns[1:]), flush=True)
            print(f"{done[0]['readings_s']:,.0f} readings/s, p50 {done[0]['p50_ms']:.0f} p99 {done[0]['p99_ms']:.0f} ms" if done else "the load failed", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
