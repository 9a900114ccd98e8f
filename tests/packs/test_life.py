"""The sandbox's physics and devices: rain makes depth, pumps lower it, an ordinary day is calm, the same second says the same."""

import io
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zhongshu.kernel.quantity import Property, to_ticks
from zhongshu.packs import drainage, environment, hotline, sandbox, traffic
from zhongshu.packs.sandbox.life.devices import CHANNELS, MAX_PER_SECOND, Fleet
from zhongshu.packs.sandbox.life.offices import office_readings
from zhongshu.packs.sandbox.life.photo import picture
from zhongshu.packs.sandbox.life.signals import noise, noise_by_day, noise_by_night, speed
from zhongshu.packs.sandbox.life.water import GATHERED, Basins
from zhongshu.packs.sandbox.life.weather import Storm, metres

DAY = 1_795_190_400
PROPERTIES: dict[str, Property] = {p.name: p for pack in (drainage, environment, hotline, sandbox, traffic) for p in pack.PROPERTIES}


def town(lights: int = 200) -> list[dict[str, Any]]:
    chance = np.random.default_rng(5)

    def many(of: str, n: int, /, **facets: Any) -> list[dict[str, Any]]:
        return [
            {
                "id": f"urn:zs:{of}:{i}",
                "type": of,
                "lon": 120 + chance.random() * 0.08,
                "lat": 30 + chance.random() * 0.08,
                "area": "990101001001001",
                "facets": {k: v(i) if callable(v) else v for k, v in facets.items()},
            }
            for i in range(n)
        ]

    classes, frees = ("expressway", "arterial", "collector"), (80, 50, 40)
    zones = ("0", "1", "2", "3", "4a", "4b")
    return [
        *many("AirQualityStation", 6),
        *many("WeatherStation", 3),
        *many("RainGauge", 12),
        *many("NoiseMonitor", 12, zone=lambda i: zones[i % 6]),
        *many("WaterLevelSensor", 4, kind="underpass", underpass=lambda i: f"u{i}", warning_cm=15),
        *[e | {"id": e["id"] + "r"} for e in many("WaterLevelSensor", 3, kind="river", warning_cm=520)],
        *[e | {"id": e["id"] + "m"} for e in many("WaterLevelSensor", 5, kind="manhole", warning_cm=80)],
        *many("PumpStation", 4, underpass=lambda i: f"u{i}", capacity_m3h=lambda i: 900 + 600 * i),
        *many("TrafficDetector", 30, **{"class": lambda i: classes[i % 3], "free_kmh": lambda i: frees[i % 3], "length_m": 300}),
        *many("ParkingLot", 3, capacity=120),
        *many("StreetLight", lights),
        *many("TrashBin", 20),
        *many("ManholeCover", 20),
        *many("Camera", 10),
        *many("BusStop", 5),
    ]


def test_everyone_speaks_the_language_of_the_packs() -> None:
    fleet = Fleet.of(town(), "Asia/Shanghai")
    said = fleet.readings(DAY, everyone=True)
    for row in said:
        assert row["property"].partition(".")[0] == row["entity"].split(":")[2]
        prop = PROPERTIES[row["property"]]
        _, inside = to_ticks(np.array([row["value"]]), *prop.factor(None), prop)
        assert inside.all(), row
        assert row["time"] == DAY * 1000
    assert len({(r["entity"], r["property"]) for r in said}) == len(said)
    assert {c.name for c in CHANNELS} <= {r["property"] for r in said} | {"NoiseMonitor.leq_day", "NoiseMonitor.leq_night", "BusStop.next_bus"}
    silent = {e["id"] for e in town()} - {r["entity"] for r in said}
    assert all(name.split(":")[2] not in {"RainGauge", "WaterLevelSensor", "PumpStation"} for name in silent)


def test_the_same_second_says_the_same() -> None:
    one, other = Fleet.of(town(), "Asia/Shanghai"), Fleet.of(list(reversed(town())), "Asia/Shanghai")
    for now in range(DAY, DAY + 5):
        a, b = one.readings(now, everyone=True), other.readings(now, everyone=True)
        assert sorted(a, key=repr) == sorted(b, key=repr)


def test_the_load_stays_modest_however_large_the_city() -> None:
    fleet = Fleet.of(town(lights=300_000), "Asia/Shanghai")
    assert fleet.stretch > 1
    fleet.readings(DAY, everyone=True)
    said = [len(fleet.readings(DAY + s)) for s in range(1, 21)]
    assert sum(said) / len(said) <= MAX_PER_SECOND * 1.1


@pytest.mark.parametrize("hour", range(24))
def test_an_ordinary_day_is_calm(hour: int) -> None:
    fleet = Fleet.of(town(), "Asia/Shanghai")
    now = DAY - DAY % 86_400 - 8 * 3600 + hour * 3600 + 1234
    last = {(r["entity"], r["property"]): r["value"] for r in fleet.readings(now, everyone=True)}

    def mean(prop: str) -> float:
        return float(np.mean([v for (_, p), v in last.items() if p == prop]))

    assert mean("AirQualityStation.pm25") < 60
    assert mean("AirQualityStation.o3") < 160
    assert max(v for (_, p), v in last.items() if p == "WaterLevelSensor.depth") == 0
    assert min(v for (_, p), v in last.items() if p == "WaterLevelSensor.below_warning") > 0.5
    sky = fleet.step(now)
    roads = fleet.groups["TrafficDetector", ""]
    kmh = speed(roads, sky)
    classes = np.array([f["class"] for f in roads.facets])
    assert kmh[classes == "expressway"].mean() > 50
    assert kmh[classes == "arterial"].mean() > 30


@pytest.mark.parametrize("hour", [0.0, 5.99, 6.0, 12.0, 21.99, 22.0])
def test_noise_keeps_its_zone_s_limit_and_its_side_of_the_day(hour: float) -> None:
    fleet = Fleet.of(town(), "Asia/Shanghai")
    monitors = fleet.groups["NoiseMonitor", ""]
    sky = fleet.step(DAY - DAY % 86_400 - 8 * 3600 + int(hour * 3600))
    day = 6 <= sky.hour < 22
    assert np.isnan(noise_by_day(monitors, sky)).all() != day
    assert np.isnan(noise_by_night(monitors, sky)).all() == day
    limits = {"0": (50, 40), "1": (55, 45), "2": (60, 50), "3": (65, 55), "4a": (70, 55), "4b": (70, 60)}
    bound = np.array([limits[f["zone"]][0 if day else 1] for f in monitors.facets])
    assert (noise(monitors, sky) <= bound).mean() > 0.7


def after(rain_mm_h: float, seconds: int, *, pump: bool) -> float:
    basins = Basins(np.array([1800.0]), np.array([GATHERED]))
    basins.fail(0)
    for second in range(seconds):
        if pump and second == seconds // 2:
            basins.start(0)
        basins.step(1, np.array([rain_mm_h]))
    return float(basins.depth_cm[0])


@settings(max_examples=30, deadline=None)
@given(st.floats(40, 300), st.floats(1.05, 3), st.integers(20, 90))
def test_more_rain_stands_deeper_and_a_pump_lowers_it(rain: float, factor: float, seconds: int) -> None:
    assert after(rain, seconds, pump=False) < after(rain * factor, seconds, pump=False)
    assert after(rain, seconds, pump=False) <= after(rain, seconds + 1, pump=False)
    assert after(rain, seconds, pump=True) < after(rain, seconds, pump=False)
    assert after(rain, seconds, pump=False) <= rain / 3.6e6 * seconds * GATHERED * 100


def test_a_gauge_s_tips_add_up_to_the_rain() -> None:
    fleet = Fleet.of(town(), "Asia/Shanghai")
    fleet.readings(DAY, everyone=True)
    fleet.begin(Storm(DAY + 1, (float(fleet.gauges.lon[0]), float(fleet.gauges.lat[0]))), 0)
    tipped, fallen, by_minute = 0.0, 0.0, 0.0
    for now in range(DAY + 1, DAY + 121):
        said = {r["property"]: r["value"] for r in fleet.readings(now) if r["entity"] == "urn:zs:RainGauge:0"}
        tipped, by_minute = tipped + said.get("RainGauge.rain", 0), by_minute + said.get("RainGauge.rain_1m", 0)
        fallen += float(fleet.rain(fleet.gauges, now)[0]) / 3600
    assert fallen > 0.3
    assert tipped == pytest.approx(fallen, abs=0.11)
    assert by_minute == pytest.approx(fallen, abs=0.01)


def test_a_storm_passes_over_its_aim_once() -> None:
    storm = Storm(1000.0, (120.0, 30.0))
    here = np.array([120.0]), np.array([30.0])
    rain = [float(storm.intensity(*here, 1000.0 + s)[0]) for s in range(100)]
    peak = int(np.argmax(rain))
    assert abs(peak - storm.arrival) <= 1
    assert rain[0] < 5
    assert rain[peak] > 100
    assert rain[-1] == 0
    assert float(metres(*here, storm.centre(1000.0))[0]) == pytest.approx(1.6 * storm.radius_m, rel=0.01)


def test_only_the_storm_s_underpass_floods_and_only_until_it_is_pumped() -> None:
    fleet = Fleet.of(town(), "Asia/Shanghai")
    lon, lat = float(fleet.sensors.lon[2]), float(fleet.sensors.lat[2])
    fleet.readings(DAY, everyone=True)
    fleet.begin(Storm(DAY + 1, (lon, lat)), 2)
    deepest = np.zeros(4)
    for now in range(DAY + 1, DAY + 91):
        fleet.readings(now)
        deepest = np.maximum(deepest, fleet.basins.depth_cm)
    assert deepest[2] > 40
    assert np.delete(deepest, 2).max() < 15
    fleet.basins.start(2)
    depths = []
    for now in range(DAY + 91, DAY + 131):
        fleet.readings(now)
        depths.append(float(fleet.basins.depth_cm[2]))
    assert depths == sorted(depths, reverse=True)
    assert depths[-1] < 5


def test_a_warning_is_its_office_s_and_comes_with_the_storm() -> None:
    calm = {(r["entity"], r["property"]): r["value"] for r in office_readings(DAY, None)}
    storm = {(r["entity"], r["property"]): r["value"] for r in office_readings(DAY, Storm(DAY - 5, (120, 30)))}
    key = ("urn:zs:Warning:yunting-rainstorm", "Warning.in_force")
    assert (calm[key], storm[key]) == (0, 1)
    for told in (calm, storm):
        calls, answered = (told["urn:zs:CallCentre:yunting-12345", f"CallCentre.{p}"] for p in ("calls", "connected"))
        assert 0 <= answered <= calls


def test_a_picture_shows_its_depth_and_is_marked() -> None:
    dry, deep = (Image.open(io.BytesIO(picture(cm, "case 1", pump=False))).convert("RGB") for cm in (0.0, 45.0))
    assert dry.size == deep.size == (960, 720)
    assert dry.getpixel((480, 520)) != deep.getpixel((480, 520))
    label = dry.crop((20, 8, 210, 56)).convert("L")
    assert sum(label.histogram()[201:]) > 1000
    assert picture(12.0, "x", pump=True) == picture(12.0, "x", pump=True)


def test_devices_speak_as_often_as_the_city_asks_where_it_asks() -> None:
    fleet = Fleet.of(town(), "Asia/Shanghai")

    def heard(seconds: range) -> Counter[str]:
        return Counter(row["entity"] for now in seconds for row in fleet.readings(now) if row["property"] == "RainGauge.intensity")

    calm = heard(range(DAY, DAY + 60))
    fleet.gauges.areas[::2] += 1000
    area = int(fleet.gauges.areas[0])
    fleet.asked = {"RainGauge": [(5, area, area + 1)]}
    raised = heard(range(DAY + 60, DAY + 120))
    for name, here in zip(fleet.gauges.ids, fleet.gauges.areas == area, strict=True):
        assert (calm[name], raised[name]) == ((3, 12) if here else (3, 3))
    fleet.asked = {}
    assert heard(range(DAY + 120, DAY + 180)) == calm
