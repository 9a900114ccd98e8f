"""The networks of a made city: falling sewers, mains that hang together, a grid that reaches everyone, all where the city's things stand; no engine is asked."""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pyproj
import pytest
import shapely

from zhongshu.survey import BONES, BONES_CRS, READERS, Entities
from zhongshu.survey.maker import bones
from zhongshu.survey.maker.bones.sewers import full_flow, intensity
from zhongshu.survey.maker.bones.sheet import SHEET, given
from zhongshu.survey.maker.land import USES
from zhongshu.survey.maker.plan import CLASSES

Rows = dict[str, list[list[str]]]


def sections(path: Path) -> Rows:
    out: Rows = defaultdict(list)
    name = ""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            name = line.strip("[]")
        elif line.strip():
            out[name].append(line.split())
    return out


@pytest.fixture(scope="module")
def sewers(yunting: Path) -> Rows:
    return sections(yunting / BONES / "sewers" / "model.inp")


@pytest.fixture(scope="module")
def water(yunting: Path) -> Rows:
    return sections(yunting / BONES / "water" / "model.inp")


@pytest.fixture(scope="module")
def grid(yunting: Path) -> dict[str, list[dict[str, object]]]:
    tables = json.loads((yunting / BONES / "grid" / "model.json").read_bytes())["_object"]
    held = {name: json.loads(table["_object"]) for name, table in tables.items() if isinstance(table, dict) and table.get("_class") == "DataFrame"}
    return {name: [dict(zip(table["columns"], row, strict=True)) for row in table["data"]] for name, table in held.items()}


def test_the_bytes_do_not_hang_on_how_python_hashes(yunting: Path, tmp_path: Path) -> None:
    call = "import sys; from pathlib import Path; from zhongshu.survey import make; make(Path(sys.argv[1]), 20_000, 7)"
    subprocess.run([sys.executable, "-c", call, str(tmp_path)], check=True, env={**os.environ, "PYTHONHASHSEED": "77"})
    for path in (yunting / BONES).rglob("*.*"):
        assert path.read_bytes() == (tmp_path / path.relative_to(yunting)).read_bytes(), path.name


def test_every_manhole_reaches_an_outfall_by_pipes_that_fall_and_do_not_narrow(sewers: Rows) -> None:
    below = {row[1]: row for row in sewers["CONDUITS"]}
    size = {row[0]: float(row[2]) for row in sewers["XSECTIONS"]}
    outfalls = {row[0] for row in sewers["OUTFALLS"]}
    holes = [row[0] for row in sewers["JUNCTIONS"] if not row[0].startswith("U")]
    assert set(below) == set(holes)
    assert len([row for row in sewers["CONDUITS"] if row[2] in outfalls]) == len(outfalls) > 1, "an outfall takes one pipe"
    for begin in holes:
        name = begin
        for _ in holes:
            row = below[name]
            assert float(row[5]) > float(row[6]), row
            if row[2] in outfalls:
                break
            after = below[row[2]]
            assert size[after[0]] >= size[row[0]]
            assert float(after[5]) <= float(row[6]) + size[row[0]] - size[after[0]] + 2e-3, "crowns do not rise"
            name = row[2]
        else:
            pytest.fail(f"{name} runs in a circle")


def test_pipes_lie_below_their_cover_and_carry_the_design_rain_of_their_own_ground(sewers: Rows) -> None:
    size = {row[0]: float(row[2]) for row in sewers["XSECTIONS"]}
    top = {row[0]: float(row[1]) + float(row[2]) for row in sewers["JUNCTIONS"]}
    drained = {row[2]: float(row[3]) * float(row[4]) / 100 for row in sewers["SUBCATCHMENTS"]}
    least = intensity(60.0, given("rain.return_old"))
    for name, upper, _, length, _, high, low, _ in sewers["CONDUITS"]:
        assert top[upper] - float(high) - size[name] >= given("sewer.cover") - 2e-3
        assert full_flow(size[name], (float(high) - float(low)) / float(length)) >= drained[upper] * least * 0.99


def test_all_ground_drains_and_gauges_bear_their_entities_names(yunting: Path, sewers: Rows) -> None:
    entities = Entities.load(yunting)
    gauges = {"-".join(row.id.split(":")[2:]) for row in entities.of_type("RainGauge")}
    assert {row[0] for row in sewers["RAINGAGES"]} == gauges
    assert {row[1] for row in sewers["SUBCATCHMENTS"]} <= gauges
    assert {row[2] for row in sewers["SUBCATCHMENTS"]} == {row[0] for row in sewers["JUNCTIONS"]}
    assert {row[0] for row in sewers["PUMPS"]} == {"-".join(row.id.split(":")[2:]) for row in entities.of_type("PumpStation")}
    assert len(sewers["PUMPS"]) == len(entities.of_type("Underpass")) > 0


def reached(links: list[tuple[str, str]], begin: set[str]) -> set[str]:
    beside: dict[str, set[str]] = defaultdict(set)
    for one, other in links:
        beside[one].add(other)
        beside[other].add(one)
    seen, ahead = set(begin), list(begin)
    while ahead:
        fresh = beside[ahead.pop()] - seen
        seen |= fresh
        ahead += fresh
    return seen


def test_every_junction_hangs_on_a_river_through_pumps_only(yunting: Path, water: Rows) -> None:
    pipes, pumps = ([(row[1], row[2]) for row in water[name]] for name in ("PIPES", "PUMPS"))
    rivers, names = {row[0] for row in water["RESERVOIRS"]}, {row[0] for row in water["JUNCTIONS"]}
    assert reached(pipes + pumps, rivers) >= names
    assert not reached(pipes, rivers) & names, "no water flows without a pump"
    used = sum(float(row[2]) for row in water["JUNCTIONS"]) * 86.4
    people = 20_000
    assert used == pytest.approx(people * given("water.per_person") / 1000, rel=0.01)


def test_every_bus_hangs_on_one_substation_alone(grid: dict[str, list[dict[str, object]]]) -> None:
    lines = [(str(row["from_bus"]), str(row["to_bus"])) for row in grid["line"]]
    yards = [str(row["lv_bus"]) for row in grid["trafo"]]
    found = [reached(lines, {yard}) for yard in yards]
    assert sum(map(len, found)) == len(set().union(*found)) == len(grid["bus"]) - len(yards), "every bus is fed, and by one"
    assert len(lines) == len(grid["bus"]) - 2 * len(yards), "feeders are radial"
    assert all(len(each) > 1 for each in found), "every substation feeds"
    assert {row["bus"] for row in grid["ext_grid"]} == {row["hv_bus"] for row in grid["trafo"]}


def test_every_signal_and_every_pump_has_its_bus(yunting: Path, grid: dict[str, list[dict[str, object]]], water: Rows, sewers: Rows) -> None:
    names = {str(row["name"]) for row in grid["bus"]}
    signals = re.findall(r'<node id="(\w+)"[^>]*traffic_light', (yunting / BONES / "roads" / "plain.nod.xml").read_text("utf-8"))
    assert signals
    assert {f"RMU-{name}" for name in signals} <= names
    assert {f"C-{row[0].rpartition('-')[0]}" for row in water["PUMPS"]} | {f"C-{row[0]}" for row in sewers["PUMPS"]} <= names


def degrees(rows: list[list[str]]) -> dict[str, tuple[float, float]]:
    turn = pyproj.Transformer.from_crs(BONES_CRS, "EPSG:4490", always_xy=True)
    return {name: turn.transform(float(x), float(y)) for name, x, y in rows}


def metres_apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    return float(pyproj.Geod(ellps="GRS80").inv(*one, *other)[2])


def test_models_lie_where_the_citys_things_stand(yunting: Path, sewers: Rows, water: Rows) -> None:
    entities = Entities.load(yunting)
    gauges = degrees(sewers["SYMBOLS"])
    for row in entities.of_type("RainGauge"):
        assert metres_apart((row.lon or 0, row.lat or 0), gauges["-".join(row.id.split(":")[2:])]) < 1
    holes, taps = degrees(sewers["COORDINATES"]), degrees(water["COORDINATES"])
    shared = [name for name in holes if name.startswith("N")]
    assert shared == [name for name in taps if name.startswith("N")]
    for road in entities.of_type("Road"):
        line = shapely.get_coordinates(entities.shape(road.id))
        for end, place in ((road.facets["from"], line[0]), (road.facets["to"], line[-1])):
            assert metres_apart(holes[str(end)], tuple(place)) < 1
            assert metres_apart(taps[str(end)], tuple(place)) < 1
    plain = READERS["sumo"](yunting / BONES / "roads" / "plain.nod.xml")
    assert len(plain.drawing.lines["edge"]) == 2 * len(entities.of_type("Road"))
    power = READERS["pandapower"](yunting / BONES / "grid" / "model.json")
    pump = entities.of_type("PumpStation")[0]
    assert min(metres_apart((pump.lon or 0, pump.lat or 0), place) for place in power.drawing.points["bus"].values()) < 1


def test_pipes_are_things_below_the_street(yunting: Path, sewers: Rows, water: Rows, grid: dict[str, list[dict[str, object]]]) -> None:
    entities = Entities.load(yunting)
    pipes = entities.of_type("Pipe")
    models = {network: {str(row.facets["model"]) for row in pipes if row.facets["network"] == network} for network in ("storm", "water", "power")}
    assert models["storm"] == {row[0] for row in sewers["CONDUITS"]}
    assert models["water"] == {row[0] for row in water["PIPES"]}
    assert models["power"] == {str(row["name"]) for row in grid["line"]}
    for row in pipes:
        shape = entities.shape(row.id)
        assert shape is not None and shape.has_z
        z = shapely.get_coordinates(shape, include_z=True)[:, 2]
        assert z.max() < 0 and z.min() > -15
        assert -z.mean() == pytest.approx(float(row.facets["depth_m"]), abs=1.5)
        assert row.owner in {"dept-drainage", "dept-water", "dept-power"}


def asked() -> set[str]:
    """Return the rules that the maker's source asks for, those asked for by a pattern included."""
    text = "".join(path.read_text("utf-8") for path in Path(bones.__file__).parent.glob("*.py") if path.name != "sheet.py").replace("'", '"')
    uses = {"runoff.": USES, "road.": CLASSES.values(), "grid.": ("resistance", "reactance", "capacitance")}
    patterned = {f"{begin}{each}" for begin, words in uses.items() for each in words if f'given(f"{begin}{{' in text}
    return set(re.findall(r'given\("([\w.]+)"\)', text)) | set(re.findall(r'"(water\.(?:local|collector|arterial))"', text)) | patterned


def test_the_sheet_is_written_with_the_city_and_holds_no_idle_row(yunting: Path) -> None:
    assert [row["id"] for row in json.loads((yunting / BONES / "assumptions.json").read_bytes())] == [row.id for row in SHEET]
    assert [row.id for row in SHEET if not (row.zh and row.en and row.unit and row.source)] == []
    assert sorted(row.id for row in SHEET) == sorted(asked()), "every row is read, once each, and nothing is read that is no row"
