"""A made city's devices say what its engines bring about: rain that gauges tell of runs off, and stands where a sensor looks; and where engines are away they speak by themselves."""

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import models
import numpy as np
import pytest

from zhongshu.app.living import Living
from zhongshu.app.scenarios import Ground
from zhongshu.app.twin import Asked, import_model
from zhongshu.foresee import Change, Drive, Foreseen, Models, Sight, Source
from zhongshu.kernel.clock import MINUTE, SECOND
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.quantity import Property
from zhongshu.packs.sandbox.life.devices import group
from zhongshu.packs.sandbox.life.sensing import Senses
from zhongshu.packs.sandbox.life.signals import Sky

MADE = Source("made for this test")
AT = (123.0, 30.0)
BEGIN, SPEED = 1_790_000_000_000_000, 240
DEPTH = Property("WaterLevelSensor.depth", "cm", "0.1", 0, 1000, MINUTE, MINUTE)
RAIN = Property("RainGauge.intensity", "mm/h", "0.1", 0, 1000, MINUTE, MINUTE)
SENSOR = Entity("urn:zs:WaterLevelSensor:1", "WaterLevelSensor", "", "", 1, *AT)
GAUGE = Entity("urn:zs:RainGauge:1", "RainGauge", "", "", 1, *AT)
ROWS = Foreseen(
    drives=(Drive("RainGauge.intensity", "sewers:gage.rain", 100, MADE),),
    sights=(Sight("WaterLevelSensor.depth", "sewers:node.ponding", 100, MADE),),
)


def ground() -> Ground:
    return Ground(ROWS, {"WaterLevelSensor": [SENSOR], "RainGauge": [GAUGE]}, {p.name: p for p in (DEPTH, RAIN)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if find_spec("swmm") is None:
        pytest.skip("no swmm: pip install 'zhongshu[twin]'")
    text = (
        models.SEWER.replace("J1 100 0\n", f"J1 {AT[0]} {AT[1]}\n")
        .replace("J2 200 0\n", "J2 123.01 30.0\n")
        .replace("O1 300 0", f"O1 123.02 30.0\n\n[SYMBOLS]\nG1 {AT[0]} {AT[1]}")
    )
    (path := tmp_path / "sewers.inp").write_text(text, "utf-8")
    import_model(tmp_path, path, Asked("swmm", "sewers", crs="cgcs2000"))
    return tmp_path / "twin"


def until(told: Callable[[], bool]) -> None:
    for _ in range(400):
        if told():
            return
        time.sleep(0.05)
    raise AssertionError


@pytest.mark.twin
def test_rain_stands_where_a_sensor_looks_and_runs_off_again(folder: Path) -> None:
    start = time.monotonic()

    def clock() -> int:
        return BEGIN + round((time.monotonic() - start) * SPEED * SECOND)

    living = Living(Models(folder), lambda: {"sewers": "sewers"}, ground, clock)

    def depth() -> float:
        told = living.states(clock() / SECOND)
        return float(told["WaterLevelSensor.depth"][1][0]) if told else -1.0

    assert living.states(0) == {} and not living.alter(Change("sewers:gage.rain", 1, "mm/h"))
    living.start()
    try:
        until(lambda: living.alive)
        assert depth() == 0.0
        living.hear({GAUGE.id: 200.0})
        until(lambda: depth() > 5)
        living.hear({GAUGE.id: 0.0})
        until(lambda: depth() == 0.0)
        assert living.alter(Change("sewers:node.inflow", 1.0, "m3/s", ["J1"], until="30m"))
        until(lambda: depth() > 5)
        one = living._ready
        assert one is not None
        one.workers["sewers"].stop()
        until(lambda: not living.alive and living.states(0) == {})
    finally:
        living.stop()


def test_a_device_errs_a_little_loses_some_and_sticks_now_and_then() -> None:
    entities = [{"id": f"urn:zs:X:{n}", "lon": 0.0, "lat": 0.0, "area": 1, "facets": {}} for n in range(20_000)]
    devices, senses = group(entities), Senses()
    own, ids = np.full(len(entities), 7.0), [e["id"] for e in entities[:10_000]]
    said = [senses.over("X.y", devices, own, {"X.y": (ids, np.full(10_000, float(value)))}, Sky(3600 + second, 1.0, 1)) for second, value in ((0, 100), (5, 200))]
    assert all((each[10_000:] == 7.0).all() for each in said)
    lost = np.isnan(said[1][:10_000])
    assert 10 < lost.sum() < 100 and (np.isnan(said[0][:10_000]) != lost).any()
    felt = said[1][:10_000][~lost]
    stuck = felt < 150
    assert 5 < stuck.sum() < 80 and np.abs(felt[~stuck] / 200 - 1).max() < 0.02 and felt[~stuck].std() > 0
    later = senses.over("X.y", devices, own, {"X.y": (ids, np.full(10_000, 300.0))}, Sky(7201, 2.0, 1))
    assert np.nanmin(later[:10_000]) > 290  # a new hour: what was stuck says what stands now
    assert (senses.over("X.z", devices, own, {}, Sky(1, 0.0, 1)) == own).all()
