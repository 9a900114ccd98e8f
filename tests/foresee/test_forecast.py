"""A model's state as readings, the record as a model's inputs, people's wishes as changes, and how good it was: each held against plain arithmetic."""

import math
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhongshu.foresee import GEOGRAPHIC, Drive, Forecast, Lever, Outcome, Outcomes, Sight, Source, Wish, driven, meant, pairs, side_of, sighted, skill
from zhongshu.foresee.skill import reckon
from zhongshu.kernel.clock import MINUTE
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.problem import Problem
from zhongshu.kernel.quantity import Property
from zhongshu.kernel.reading import SCHEMA

DEPTH = Property("WaterLevelSensor.depth", "cm", "0.1", 0, 1000, MINUTE, MINUTE)
RAIN = Property("RainGauge.intensity", "mm/h", "0.1", 0, 1000, MINUTE, MINUTE)
MADE = Source("made for this test")
NOW = 1_790_000_000_000_000 // MINUTE * MINUTE
METRE = 1 / 111_320
SPOTS = {"J1": (123.0, 30.0), "J2": (123.0, 30.0 + 200 * METRE), "J3": (123.0, 30.0 + 400 * METRE)}


def drawing(kind: str, spots: dict[str, tuple[float, float]]) -> dict[str, Any]:
    features = [{"type": "Feature", "geometry": {"type": "Point", "coordinates": list(at)}, "properties": {"kind": kind, "name": name}} for name, at in spots.items()]
    return {"type": "FeatureCollection", "features": features}


def sensor(number: int, north: float, **facets: str) -> Entity:
    return Entity(f"urn:zs:WaterLevelSensor:{number}", "WaterLevelSensor", "", "", 990101001001001 + number, 123.0, 30.0 + north * METRE, facets=dict(facets))


def test_the_nearest_object_speaks_for_a_sensor_and_none_for_one_that_is_far() -> None:
    row = Sight("WaterLevelSensor.depth", "sewers:node.ponding", 60, MADE, facets={"kind": "underpass"})
    entities = [sensor(1, 190, kind="underpass"), sensor(2, 20, kind="underpass"), sensor(3, 100, kind="underpass"), sensor(4, 0, kind="river")]
    side = side_of(GEOGRAPHIC, drawing("junction", SPOTS), "node")
    seen = sighted(row, DEPTH, side, ["J3", "J2", "J1"], "m", entities)
    assert seen is not None and dict(zip(seen.ids, seen.place.tolist(), strict=True)) == {entities[0].id: 1, entities[1].id: 2}
    assert sighted(row, DEPTH, side_of("plane:x", drawing("junction", SPOTS), "node"), ["J1"], "m", entities) is None


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(0, 9.99), min_size=2, max_size=2), min_size=1, max_size=8))
def test_foreseen_readings_are_the_state_in_ticks_valid_later_than_known(states: list[list[float]]) -> None:
    seen = sighted(
        Sight("WaterLevelSensor.depth", "sewers:node.ponding", 60, MADE),
        DEPTH,
        side_of(GEOGRAPHIC, drawing("junction", SPOTS), "node"),
        ["J1", "J2", "J3"],
        "m",
        [sensor(1, 0), sensor(2, 200)],
    )
    assert seen is not None
    forecast = Forecast([seen], NOW)
    for step, state in enumerate(states):
        forecast.see(step * MINUTE, {"sewers": {"node.ponding": np.array([*state, 5.0])}})
    rows = forecast.table().to_pylist()
    assert forecast.table().schema == SCHEMA and [row["valid"] for row in rows] == [NOW + step * MINUTE for step in range(1, len(states)) for _ in range(2)]
    assert all(row["known"] == NOW < row["valid"] and row["source"] == "forecast" for row in rows)
    foreseen = [value for state in states[1:] for value in state]
    assert all(abs(row["ticks"] - value * 1000) <= 0.5 + 1e-9 for row, value in zip(rows, foreseen, strict=True))
    assert forecast.begins[0].tolist() == pytest.approx([value * 100 for value in states[0]])


def test_a_gage_follows_the_nearest_gauge_step_by_step_and_then_its_last_for_a_while() -> None:
    gauges = [Entity(f"urn:zs:RainGauge:{n}", "RainGauge", "", "", 1, 123.0, 30.0 + north * METRE) for n, north in ((1, 10), (2, 390))]
    told = {gauges[0].id: {0: 36.0, 2: 10.0}, gauges[1].id: {1: 72.0}}
    asked: list[str] = []

    def query(sql: str) -> pa.Table:
        asked.append(sql)
        rows = [(id_, step, value * 10) for id_, steps in told.items() for step, value in steps.items()]
        return pa.table({"entity": [r[0] for r in rows], "step": [r[1] for r in rows], "mean": [r[2] for r in rows]})

    row = Drive("RainGauge.intensity", "sewers:gage.rain", 300, MADE, hold="10m", after=0.0)
    one = driven(row, RAIN, side_of(GEOGRAPHIC, drawing("gage", SPOTS), "gage", SPOTS), "mm/h", gauges, (NOW, 15 * MINUTE, 5 * MINUTE), query)
    assert one is not None and len(asked) == 1
    key = {name: ("sewers", "gage.rain", name) for name in SPOTS}
    assert one.said(0, -15 * MINUTE) == {key["J1"]: 36.0, key["J2"]: 36.0} or one.said(0, -15 * MINUTE) == {key["J1"]: 36.0}
    assert one.said(1, -10 * MINUTE)[key["J3"]] == 72.0 and one.said(1, -10 * MINUTE)[key["J1"]] == 36.0
    assert one.said(3, 0)[key["J1"]] == 10.0 and one.said(4, 5 * MINUTE)[key["J3"]] == 72.0
    assert set(one.said(5, 10 * MINUTE).values()) == {0.0}
    assert driven(row, RAIN, side_of(GEOGRAPHIC, drawing("gage", SPOTS), "gage", SPOTS), "mm/h", [], (NOW, 0, 5 * MINUTE), query) is None


RAINFALL = Lever("rain", "降雨", "Rain", "sewers:gage.rain", draws="nothing", unit="mm", gives="mm/h", asks=True, high=500, lasts=True)
TRUCK = Lever("truck", "泵车", "Truck", "sewers:node.inflow", metres=150, nearest=True, unit="m3/h", gives="m3/s", value=-1 / 3600, asks=True, high=5000)
SHARED = Lever("people", "人", "People", "sewers:node.inflow", metres=450, unit="L/s", gives="L/s", asks=True, high=5000, shares=True)
LEVERS = {lever.id: lever for lever in (RAINFALL, TRUCK, SHARED)}


def change(wish: Wish) -> Any:
    return meant(wish, LEVERS, lambda what: side_of(GEOGRAPHIC, drawing("junction", SPOTS), what.partition(":")[2].partition(".")[0]), 3.0)


def test_wishes_become_what_engines_are_given() -> None:
    rain = change(Wish("rain", amount=80, until="2h"))
    assert (rain.what, rain.value, rain.unit, rain.of, rain.until) == ("sewers:gage.rain", 40.0, "mm/h", "*", "2h")
    assert change(Wish("rain", amount=90, begin="30m")).value == 36.0  # to the end of three hours
    truck = change(Wish("truck", amount=360, at={"type": "Point", "coordinates": [123.0, 30.0 + 220 * METRE]}))
    assert truck.of == ["J2"] and truck.value == pytest.approx(-0.1) and truck.unit == "m3/s"
    people = change(Wish("people", amount=30, at={"type": "LineString", "coordinates": [[123.0, 30.0], [123.0, 30.001]]}))
    assert people.of == ["J1", "J2", "J3"] and people.value == 10.0
    assert change(Wish("truck", amount=1, of=["J9"])).of == ["J9"]


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (Wish("snow"), "twin.no_lever"),
        (Wish("rain"), "twin.bad_amount"),
        (Wish("rain", amount=math.nan), "twin.bad_amount"),
        (Wish("rain", amount=501), "twin.bad_amount"),
        (Wish("truck", amount=1), "twin.bad_shape"),
        (Wish("truck", amount=1, at={"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]}), "twin.bad_shape"),
        (Wish("truck", amount=1, at={"type": "Point", "coordinates": [100.0, 30.0]}), "twin.nothing_meant"),
        (Wish("truck", amount=1, at={"type": "Point", "coordinates": [30.0, 123.0]}), "twin.nothing_meant"),
    ],
)
def test_a_wish_that_means_nothing_is_refused(wish: Wish, code: str) -> None:
    with pytest.raises(Problem) as told:
        change(wish)
    assert told.value.kind.code == code and told.value.sentence("zh") != told.value.sentence()


def test_outcomes_count_sum_and_last_over_time() -> None:
    rows = [
        Outcome("count", "", "", "1", "s:node.depth", MADE, op=">", value=1.0),
        Outcome("sum", "", "", "1", "s:node.depth", MADE, op=">", value=1.0, reckon="sum", factor=10.0),
        Outcome("hours", "", "", "h", "s:net.running", MADE, reckon="sum", over="hours"),
        Outcome("mean", "", "", "m", "s:node.depth", MADE, reckon="mean", over="last"),
    ]
    outcomes = Outcomes(rows)
    for minute, depth, running in ((30, [0.0, 2.0, 3.0], 4.0), (60, [0.0, 1.0, 5.0], 8.0)):
        outcomes.see(minute * MINUTE, {"s": {"node.depth": np.array(depth), "net.running": np.array([running])}})
    assert outcomes.came_to() == {"count": 2.0, "sum": 50.0, "hours": 6.0, "mean": 2.0}
    assert outcomes.shown()["places"]["count"] == [[1, 2], [2]] and outcomes.shown()["seconds"] == [1800, 3600]


@given(st.lists(st.tuples(st.floats(0, 1e3), st.floats(0, 1e3)), min_size=1, max_size=8), st.integers(1, 10_000_000))
def test_people_without_supply_are_never_more_than_there_are_people(loads: list[tuple[float, float]], people: int) -> None:
    outcomes = Outcomes([Outcome("dark", "", "", "1", "g:load.lost", MADE, op=">", value=0.0, reckon="people", had="g:load.power")], people)
    lost, power = (np.array(column) for column in zip(*loads, strict=True))
    outcomes.see(60_000_000, {"g": {"load.lost": lost, "load.power": power}})
    came = outcomes.came_to()["dark"]
    whole = lost.sum() + power.sum()
    assert came == pytest.approx(people * lost.sum() / whole if whole else 0.0) and 0 <= came <= people * (1 + 1e-9)
    assert outcomes.looked == ["g:load.lost", "g:load.power"]


def readings(rows: list[tuple[str, int, int, int]]) -> pa.Table:
    """Return rows (entity, valid minute, known minute, ticks) as readings."""
    n = len(rows)
    columns = {
        "offset": [0] * n,
        "source": ["s"] * n,
        "entity": [r[0] for r in rows],
        "property": [DEPTH.name] * n,
        "area": [1] * n,
        "valid": [NOW + r[1] * MINUTE for r in rows],
        "known": [NOW + r[2] * MINUTE for r in rows],
        "ticks": [r[3] for r in rows],
        "flags": [0] * n,
        "raw": [None] * n,
        "raw_unit": [None] * n,
    }
    return pa.table(columns).cast(SCHEMA)


def test_skill_pairs_what_was_foreseen_with_what_came_and_not_with_what_was_known_before() -> None:
    record = readings([("a", -1, -1, 100), ("a", 5, 5, 130), ("a", 10, 10, 160), ("b", -5, -5, 50)])
    foreseen = readings([("a", 5, 0, 150), ("a", 10, 0, 150), ("a", 60, 0, 150), ("b", 5, 0, 70)]).append_column("run", pa.array(["r"] * 4))

    def query(sql: str, lent: dict[str, pa.Table]) -> pa.Table:
        with duckdb.connect() as db:
            for name, table in {"readings": record, **lent}.items():
                db.register(name, table)
            return db.execute(sql).to_arrow_table()

    found = pairs(foreseen, NOW + 30 * MINUTE, query).sort_by("ahead")
    assert found.select(["entity", "said", "was", "before"]).to_pylist() == [
        {"entity": "a", "said": 150, "was": 130, "before": 100},
        {"entity": "a", "said": 150, "was": 160, "before": 100},
    ]
    (row,) = skill(found, {"r": {DEPTH.name: "SWMM 5.2.4"}}, {DEPTH.name: DEPTH}, {DEPTH.name: (15.0, True)})
    assert row["engine"] == "SWMM 5.2.4" and row["n"] == 2 and row["to_s"] == 900 and row["unit"] == "cm"
    assert row["bias"] == pytest.approx(0.5) and row["rmse"] == pytest.approx(math.sqrt((2.0**2 + 1.0**2) / 2))
    assert row["rmse_persistence"] == pytest.approx(math.sqrt((3.0**2 + 6.0**2) / 2))
    assert row["events"] == 1 and row["hit_rate"] == 1.0 and row["false_alarms"] == 0.5
    assert skill(found.slice(0, 0), {}, {}, {}) == []


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=1, max_size=30), st.floats(-50, 50))
def test_errors_are_those_of_plain_arithmetic(said: list[tuple[float, float]], limit: float) -> None:
    ours, theirs = np.array([a for a, _ in said]), np.array([b for _, b in said])
    told = reckon(ours, theirs, np.full(len(said), np.nan), limit)
    assert told["bias"] == pytest.approx(sum(a - b for a, b in said) / len(said), abs=1e-9)
    assert told["rmse"] >= abs(told["bias"]) - 1e-9 and told["rmse_persistence"] is None
    came = [(a, b) for a, b in said if b >= limit]
    assert told["events"] == len(came) and told["hit_rate"] == (sum(a >= limit for a, _ in came) / len(came) if came else None)
