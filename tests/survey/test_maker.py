"""The made city: the same bytes from the same seed, whole, plausible, and every entity where it says it is."""

import gzip
import json
import re
import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import shapely

from zhongshu.kernel.area import Level
from zhongshu.kernel.problem import Problem
from zhongshu.survey import Areas, City, Entities, Place, Step, make
from zhongshu.survey.maker.names import Names

FILES = [
    "city.toml",
    "map/city.pmtiles",
    "survey/areas.parquet",
    "survey/bones/assumptions.json",
    "survey/bones/grid/model.json",
    "survey/bones/roads/plain.edg.xml",
    "survey/bones/roads/plain.nod.xml",
    "survey/bones/roads/plain.rou.xml",
    "survey/bones/roads/plain.sumocfg",
    "survey/bones/sewers/model.inp",
    "survey/bones/water/model.inp",
    "survey/entities.parquet",
    "survey/place.npz",
]
SAME = {"survey/bones/assumptions.json", "survey/bones/roads/plain.sumocfg"}
"""What does not depend on the seed."""
TYPES = {
    "AirQualityStation",
    "WeatherStation",
    "RainGauge",
    "WaterLevelSensor",
    "PumpStation",
    "TrafficDetector",
    "NoiseMonitor",
    "ParkingLot",
    "StreetLight",
    "TrashBin",
    "ManholeCover",
    "Camera",
    "BusStop",
    "Underpass",
    "Road",
    "Pipe",
    "Building",
    "Organisation",
    "CallCentre",
    "Warning",
}


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_same_seed_same_bytes(yunting: Path, tmp_path: Path) -> None:
    make(tmp_path / "elsewhere" / "again", 20_000, 7)
    assert written(yunting) == FILES == written(tmp_path / "elsewhere" / "again")
    for name in FILES:
        assert (yunting / name).read_bytes() == (tmp_path / "elsewhere" / "again" / name).read_bytes(), name


def test_other_seed_other_city(yunting: Path, tmp_path: Path) -> None:
    make(tmp_path, 20_000, 8)
    assert all((yunting / name).read_bytes() != (tmp_path / name).read_bytes() for name in FILES if name not in SAME)


def test_tells_every_step(tmp_path: Path) -> None:
    steps: list[Step] = []
    city = make(tmp_path, 6_000, 1, steps.append)
    assert [step.number for step in steps] == list(range(1, steps[0].total + 1))
    assert all(step.zh and step.en for step in steps)
    assert City.load(tmp_path) == city
    assert city.sandbox
    assert "虚构" in city.note_zh


@pytest.mark.parametrize(("population", "seed", "code"), [(10, 1, "survey.bad_population"), (10**9, 1, "survey.bad_population"), (20_000, -1, "survey.bad_seed")])
def test_impossible_cities_are_problems(tmp_path: Path, population: int, seed: int, code: str) -> None:
    with pytest.raises(Problem) as told:
        make(tmp_path, population, seed)
    assert told.value.kind.code == code
    assert written(tmp_path) == []


def test_never_makes_one_city_over_another(yunting: Path) -> None:
    before = (yunting / "survey" / "areas.parquet").read_bytes()
    with pytest.raises(Problem) as told:
        make(yunting, 20_000, 9)
    assert told.value.kind.code == "survey.city_exists"
    assert (yunting / "survey" / "areas.parquet").read_bytes() == before


def test_every_level_tiles_its_parent(yunting: Path) -> None:
    areas = Areas.load(yunting)
    assert areas.city.population == 20_000
    for upper, lower in pairwise(Level):
        assert len(areas.at(lower)) > len(areas.at(upper))
        for row in areas.at(upper):
            shapes = [areas.geometry(child.code) for child in areas.children(row.code)]
            assert 1 <= len(shapes) <= 999
            assert shapely.coverage_is_valid(shapes)
            assert shapely.equals(shapely.union_all(shapes), areas.geometry(row.code))


def test_cells_are_about_a_hectare(yunting: Path) -> None:
    areas = Areas.load(yunting)
    sizes = np.array([shapely.area(areas.geometry(row.code)) for row in areas.at(Level.CELL)]) * 110_852 * 96_905
    assert 8_500 < sizes.mean() < 11_500
    assert sizes.min() > 3_000


def test_names_are_unique_among_siblings(yunting: Path) -> None:
    areas = Areas.load(yunting)
    for level in (Level.DISTRICT, Level.STREET, Level.COMMUNITY):
        assert len({row.name_zh for row in areas.at(level)}) == len(areas.at(level))
        assert all(row.name_en for row in areas.at(level))


def test_names_do_not_run_out() -> None:
    names = Names(np.random.default_rng(1))
    taken = [names.take("x") for _ in range(20_000)]
    assert len({word.zh for word in taken}) == len(taken)


def test_entities_stand_in_their_areas(yunting: Path) -> None:
    areas, entities = Areas.load(yunting), Entities.load(yunting)
    assert set(entities.counts()) == TYPES
    assert len({row.id for row in entities}) == len(entities)
    place = Place.open(areas, yunting)
    for row in entities:
        assert row.area in areas
        assert row.name_zh
        assert row.name_en
        assert row.lon is not None
        assert row.lat is not None
        if row.type not in {"Organisation", "CallCentre", "Warning"}:
            found = place.locate_one(row.lon, row.lat)
            assert found in (row.area, place.unplaced)  # beyond the border the nearest cell takes it in
            assert shapely.distance(areas.geometry(row.area), shapely.Point(row.lon, row.lat)) < 0.005


def test_facets_of_the_packs(yunting: Path) -> None:
    entities = Entities.load(yunting)
    underpasses = {row.id: row for row in entities.of_type("Underpass")}
    assert "滨河路下穿" in {row.name_zh for row in underpasses.values()}
    for kind in ("underpass", "river", "manhole"):
        assert any(row.facets["kind"] == kind for row in entities.of_type("WaterLevelSensor"))
    watched = {row.facets["underpass"] for row in entities.of_type("WaterLevelSensor") if row.facets["kind"] == "underpass"}
    pumped = {row.facets["underpass"] for row in entities.of_type("PumpStation")}
    assert watched == pumped == set(underpasses)
    assert {row.facets["zone"] for row in entities.of_type("NoiseMonitor")} <= {"0", "1", "2", "3", "4a", "4b"}
    assert {row.facets["class"] for row in entities.of_type("TrafficDetector")} == {"expressway", "arterial", "collector"}
    assert all(float(row.facets["length_m"]) > 50 for row in entities.of_type("TrafficDetector"))
    assert all(re.fullmatch(r"\d{20}", str(row.facets["gb28181"])) for row in entities.of_type("Camera"))
    owners = {row.owner for row in entities if row.owner}
    assert owners <= {row.id.removeprefix("urn:zs:Organisation:") for row in entities.of_type("Organisation")}


def test_every_street_has_its_office(yunting: Path) -> None:
    areas, entities = Areas.load(yunting), Entities.load(yunting)
    for street in areas.at(Level.STREET):
        assert entities[f"urn:zs:Organisation:street-{street.code:015d}"].area == street.code


def test_roads_form_one_network(yunting: Path) -> None:
    roads = Entities.load(yunting).of_type("Road")
    group = {str(node): str(node) for row in roads for node in (row.facets["from"], row.facets["to"])}

    def root(node: str) -> str:
        while group[node] != node:
            node = group[node]
        return node

    for row in roads:
        group[root(str(row.facets["from"]))] = root(str(row.facets["to"]))
    assert len({root(node) for node in group}) == 1
    assert {row.facets["class"] for row in roads} == {"expressway", "arterial", "collector", "local"}


def test_buildings_keep_off_the_water(yunting: Path) -> None:
    entities = Entities.load(yunting)
    assert all(3 < float(row.facets["height_m"]) < 250 for row in entities.of_type("Building"))
    homes = [entities.shape(row.id) for row in entities.of_type("Building")]
    river = [shapely.Point(row.lon, row.lat) for row in entities.of_type("WaterLevelSensor") if row.facets["kind"] == "river"]
    assert shapely.STRtree(homes).query(river, predicate="within").size == 0
    assert all(shape is not None and shape.is_valid for shape in homes)


def test_map_has_its_layers_and_no_path_of_this_machine(yunting: Path) -> None:
    raw = (yunting / "map" / "city.pmtiles").read_bytes()
    assert raw[:7] == b"PMTiles"
    assert (raw[100], raw[101]) == (8, 14)
    metadata = _metadata(raw)
    assert {layer["id"] for layer in metadata["vector_layers"]} == {"district", "street", "community", "water", "railway", "road", "underpass", "building", "label"}
    assert "/" not in metadata["generator_options"]


def _metadata(raw: bytes) -> dict[str, object]:
    offset, length = struct.unpack("<QQ", raw[24:40])
    held: dict[str, object] = json.loads(gzip.decompress(raw[offset : offset + length]))
    return held
