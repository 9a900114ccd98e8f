"""A crowded city to measure with: 100,000 more devices of ten properties, and signs that bring the city's to 500."""

import json
import sys
from pathlib import Path

import numpy as np

from zhongshu.kernel.area import Level
from zhongshu.kernel.entity import Entity
from zhongshu.survey import Areas, Entities, make

STREAMS, SIGNS = 100_000, 500
PROBE = "urn:zs:WaterLevelSensor:PROBE"
"""The device that a bench flips to see how soon a screen hears of it; its sign is BNPROBE."""
KINDS = (
    ("TrafficDetector.speed", "km/h", 5, 80),
    ("TrafficDetector.flow", "1", 0, 400),
    ("WaterLevelSensor.depth", "cm", 0, 60),
    ("RainGauge.rain_1m", "mm", 0, 4),
    ("AirQualityStation.pm25", "µg/m3", 5, 150),
    ("NoiseMonitor.leq", "dB(A)", 35, 80),
    ("ParkingLot.free", "1", 0, 300),
    ("StreetLight.power", "W", 0, 400),
    ("TrashBin.fill", "%", 0, 100),
    ("WeatherStation.temperature", "°C", -5, 38),
)
"""Property, unit, and the range that values are drawn from."""
SHAPES = (
    ("mean", ""),
    ("max", ""),
    ("min", ""),
    ("sum", ""),
    ("count", ""),
    ("share", ""),
    ("p95", ""),
    ("last", ""),
    ("mean", "last"),
    ("max", "max"),
    ("share", "last"),
    ("sum", "count"),
    ("distinct", ""),
    ("p95", "last"),
    ("min", "min"),
    ("mean", "sum"),
)
WINDOWS = (("5m", "1m"), ("15m", "1m"), ("1h", "5m"))


def streams_of(count: int) -> list[tuple[str, str, float, float]]:
    """Return (entity, property, low, high) of every stream."""
    kinds = [(prop, prop.partition(".")[0], float(low), float(high)) for prop, _, low, high in KINDS]
    return [(f"urn:zs:{type_}:B{i}", prop, low, high) for i in range(count) for prop, type_, low, high in (kinds[i % len(kinds)],)]


def crowd(folder: Path, population: int = 300_000, count: int = STREAMS) -> list[tuple[str, str, float, float]]:
    """Make a city with the crowd in its cells; return (entity, property, low, high) of every stream."""
    make(folder, population, 7)
    cells = np.array(sorted(a.code for a in Areas.load(folder).at(Level.CELL)), np.int64)
    where = cells[np.random.default_rng(11).integers(0, len(cells), count)]
    surveyed = Entities.load(folder)
    streams, rows = streams_of(count), []
    for i, ((id_, prop, _, _), area) in enumerate(zip(streams, where.tolist(), strict=True)):
        rows.append(Entity(id_, prop.partition(".")[0], f"设备 {i}", f"Device {i}", area, owner="bench", facets={"class": "abc"[i % 3], "length_m": 100 + i % 900}))
    rows.append(Entity(PROBE, "WaterLevelSensor", "探针", "Probe", int(cells[0]), owner="bench", facets={"class": "probe"}))
    Entities([*surveyed.rows, *rows], {row.id: shape.wkb for row in surveyed.rows if (shape := surveyed.shape(row.id)) is not None}).save(folder)
    return streams


def signs(count: int, windows: tuple[tuple[str, str], ...] = WINDOWS) -> list[dict[str, object]]:
    """Return declarations of signs: the probe's, then every shape over every property and window, half of them with bands, until there are enough."""
    source = {"doc": "bench", "clause": "1", "scope": "city"}
    out: list[dict[str, object]] = [
        {
            "code": "BNPROBE",
            "name": {"zh": "探针", "en": "Probe"},
            "formula": {"zh": "测试", "en": "Bench"},
            "theme": "bench",
            "owner": "bench",
            "unit": "1",
            "decimals": 0,
            "of": "WaterLevelSensor.heartbeat",
            "measure": "last",
            "window": "5m",
            "hop": "1m",
            "stale_after": "10m",
            "where": "entity.class = 'probe'",
            "bands": [{"source": source, "valid_from": "2020-01-01", "steps": [{"level": "red", "op": ">=", "value": 1}]}],
        }
    ]
    if count == 1:
        return out
    for window, hop in windows:
        for measure, each in SHAPES:
            for k, (prop, unit, low, high) in enumerate(KINDS):
                middle = (low + high) / 2
                row: dict[str, object] = {
                    "code": f"BN{len(out):03}",
                    "name": {"zh": f"测试 {len(out)}", "en": f"Bench {len(out)}"},
                    "formula": {"zh": "测试", "en": "Bench"},
                    "theme": "bench",
                    "owner": "bench",
                    "unit": "1" if measure in {"share", "count", "distinct"} or each == "count" else unit,
                    "decimals": 2,
                    "of": prop,
                    "measure": measure,
                    "window": window,
                    "hop": hop,
                    "stale_after": "10m",
                }
                row |= {"each": each} if each else {}
                row |= {"when": f"value > {middle}"} if measure == "share" else {}
                row |= {"where": "entity.class = 'a' and good"} if len(out) % 4 == 1 else {"where": f"value >= {low + (high - low) / 10}"} if len(out) % 4 == 3 else {}
                if (len(out) + k) % 2:
                    row["bands"] = [
                        {
                            "source": source,
                            "valid_from": "2020-01-01",
                            "steps": [{"level": "red", "op": ">=", "value": high * 0.9}, {"level": "yellow", "op": ">=", "value": middle}],
                        }
                    ]
                out.append(row)
                if len(out) == count:
                    return out
    return out


RULE = """[[rule]]
code = "BNPROBE.red"
name = { zh = "探针", en = "Probe" }
indicator = "BNPROBE"
at = "cell"
when = "level >= 'red'"
opens = "lead"
class = "drainage.device"
auto_file = false
rate = "36000/h"
say = { zh = "{area} {value}", en = "{area} {value}" }
"""
"""The rule by which the probe's sign opens a lead each time it turns."""


def pack(folder: Path, count: int, windows: tuple[tuple[str, str], ...] = WINDOWS) -> Path:
    """Write an installed pack with so many signs into a folder, to be put on PYTHONPATH; return the folder."""
    home, info = folder / "bench_signs", folder / "bench_signs-0.dist-info"
    for each in (home, info):
        each.mkdir(parents=True)
    (home / "__init__.py").write_text('"""Signs to measure with."""\n')
    (home / "pack.toml").write_text('name = "bench"\n')
    (home / "indicators.toml").write_text("\n".join(f"[[indicator]]\n{_toml(row)}" for row in signs(count, windows)))
    (home / "rules.toml").write_text(RULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-signs\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[zhongshu.packs]\nbench = bench_signs\n")
    return folder


def _toml(row: dict[str, object]) -> str:
    return "".join(f"{key} = {value if key == 'valid_from' else _inline(value)}\n" for key, value in row.items())


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {v if k == 'valid_from' else _inline(v)}" for k, v in value.items()) + " }"
    return "[" + ", ".join(_inline(v) for v in value) + "]" if isinstance(value, list) else json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    crowd(Path(sys.argv[1]), count=int(sys.argv[2]))
