"""CPU per reading, stage by stage, on the way from bytes to findings: in one process, one thread, no network. Prints µs of CPU per reading."""

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np

from zhongshu.app import open_city
from zhongshu.app.assembly import Assembly
from zhongshu.kernel.clock import boundary
from zhongshu.kernel.journal import Batch, Entry
from zhongshu.kernel.reading import Readings
from zhongshu.sense import Opened, Source
from zhongshu.settings import read
from zhongshu.survey import make

BATCH, BATCHES, GROUP = 100, 1000, 50


def bodies(entities: list[tuple[str, str, float]], now_ms: int) -> list[bytes]:
    """Return NDJSON bodies of 100 readings, each of another device, time moving forward."""
    rng = np.random.default_rng(1)
    out = []
    for k in range(BATCHES):
        rows = []
        for i in rng.integers(0, len(entities), BATCH):
            id_, prop, value = entities[int(i)]
            rows.append(f'{{"entity":"{id_}","property":"{prop}","time":{now_ms - (BATCHES - k) * 50 + int(i) % 50},"value":{value + int(i) % 7}}}')
        out.append("\n".join(rows).encode())
    return out


def main() -> dict[str, float]:
    """Run the stages over the same readings and return µs of CPU per reading of each."""
    folder = Path(tempfile.mkdtemp(prefix="bench-stages-"))
    try:
        make(folder, 300_000, 7)
        parts = open_city(read({"data": folder}))
        source = next(s for s in parts.sources.values() if s.name == "sandbox.devices")
        of = {
            "TrafficDetector": ("TrafficDetector.speed", 40.0),
            "WaterLevelSensor": ("WaterLevelSensor.depth", 3.0),
            "NoiseMonitor": ("NoiseMonitor.leq", 50.0),
            "AirQualityStation": ("AirQualityStation.pm25", 30.0),
        }
        devices = [(e.id, *of[e.type]) for e in parts.registry.rows if e.type in of]
        used = measure(parts, source, bodies(devices, parts.clock.now() // 1000))
        parts.close()
        return used
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(parts: Assembly, source: Source, sent: list[bytes]) -> dict[str, float]:
    """Let the bodies go through stage by stage."""
    count = BATCH * BATCHES
    used: dict[str, float] = {}

    def timed(name: str, work: Callable[[], None]) -> None:
        begun = time.process_time()
        work()
        used[name] = (time.process_time() - begun) / count * 1e6

    opened: list[Opened] = []
    checked: list[tuple[list[Batch], Readings]] = []
    entries: list[Entry] = []

    def check() -> None:
        for i in range(0, BATCHES, GROUP):
            batches, readings, _ = parts.intake.check_together(opened[i : i + GROUP])
            checked.append((batches, readings))

    def append() -> None:
        for batches, readings in checked:
            kept, _ = parts.once.sift(readings)
            entries.extend(parts.journal.append(batches, parts.stamp.next(), kept)[1])
            parts.once.appended(kept)

    timed("decode", lambda: opened.extend(cast("Opened", parts.intake.open(source, b, batch=str(i))) for i, b in enumerate(sent)))
    timed("check", check)
    timed("once + journal", append)
    parts.live.restore(boundary(parts.clock.now()))
    timed("live cells", lambda: [parts.live.apply(e.readings) for e in entries if e.readings is not None] and None)

    def commit() -> None:
        for entry in entries:
            if entry.table is not None:
                parts.lake.show(entry.table, entry.offset)
        parts.lake.commit()

    timed("tail + lake", commit)
    steps = 20
    begun = time.process_time()
    for i in range(steps):
        for e in entries[i : i + 1]:
            if e.readings is not None:
                parts.live.apply(e.readings)
        parts.watch.step(boundary(parts.clock.now()) + i * 200_000)
    boundary_ms = (time.process_time() - begun) / steps * 1e3
    return used | {"boundary_ms": boundary_ms}


if __name__ == "__main__":
    print(json.dumps(main(), indent=1))
