"""OpenStreetMap files: what is taken of small ones written here and of real ones, what is guessed and refused, and that no bad file leaves anything behind."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhongshu.app import installed_packs
from zhongshu.kernel.area import Level
from zhongshu.kernel.problem import Problem
from zhongshu.survey import CITY_READERS, Areas, Called, City, Entities, Told, put
from zhongshu.survey.importers.osm.tags import ROWS, bearing, metres, whole

TOWN = Called("测试城", "Testville", "Europe/Helsinki")
NODES = {1: (25.0, 60.0), 2: (25.002, 60.0), 3: (25.004, 60.0), 4: (25.002, 60.002), 5: (25.001, 60.001), 6: (25.0015, 60.001), 7: (25.0015, 60.0015), 8: (25.001, 60.0015)}
ROAD = '<way id="1"><nd ref="1"/><nd ref="2"/><nd ref="3"/><tag k="highway" v="primary"/><tag k="name" v="Main"/><tag k="name:zh" v="大街"/></way>'
SIDE = '<way id="2"><nd ref="2"/><nd ref="4"/><tag k="highway" v="residential"/><tag k="oneway" v="yes"/><tag k="lanes" v="1"/></way>'
HOUSE = '<way id="3"><nd ref="5"/><nd ref="6"/><nd ref="7"/><nd ref="8"/><nd ref="5"/><tag k="building" v="yes"/><tag k="building:levels" v="4"/></way>'
FOOT = '<way id="4"><nd ref="1"/><nd ref="4"/><tag k="highway" v="footway"/></way>'
LAMP = '<node id="20" lon="25.001" lat="60.0002"><tag k="highway" v="street_lamp"/></node><node id="21" lon="25.001" lat="60.0003"><tag k="highway" v="bus_stop"/></node>'


def osm(*parts: str, nodes: dict[int, tuple[float, float]] = NODES) -> str:
    held = "".join(f'<node id="{ident}" lon="{lon}" lat="{lat}"/>' for ident, (lon, lat) in nodes.items())
    spots = "".join(part for part in parts if part.startswith("<node"))
    return f'<?xml version="1.0"?><osm version="0.6">{held}{spots}{"".join(part for part in parts if not part.startswith("<node"))}</osm>'


def brought(path: Path, folder: Path, content: str | bytes = b"", called: Called = TOWN) -> Told:
    """Write a file if there is content, import it, and return the report."""
    if content:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = CITY_READERS["osm"](path)
    put(found, folder, called)
    return found.report


def refused(path: Path, folder: Path, content: bytes) -> Problem:
    """Import what must be refused, and return the Problem: nothing may have been written."""
    with pytest.raises(Problem) as told:
        brought(path, folder, content)
    assert not folder.exists() and told.value.sentence("zh") != told.value.sentence("en")
    assert [each for each in path.parent.iterdir() if each.name.startswith(".zhongshu")] == []
    return told.value


def test_roads_are_cut_where_they_meet(tmp_path: Path) -> None:
    report = brought(tmp_path / "t.osm", tmp_path / "city", osm(ROAD, SIDE, FOOT, LAMP))
    roads = {row.id.rpartition(":")[2]: row for row in Entities.load(tmp_path / "city").of_type("Road")}
    assert roads.keys() == {"osm-w1-1", "osm-w1-2", "osm-w2-1"} and report.taken["path (map only)"] == 1
    main = roads["osm-w1-1"]
    assert (main.name_zh, main.name_en) == ("大街", "Main") and {main.facets["to"], roads["osm-w1-2"].facets["from"], roads["osm-w2-1"].facets["from"]} == {"N2"}
    assert (
        main.facets["class"] == "arterial"
        and main.facets["lanes"] == 2
        and roads["osm-w2-1"].facets
        == {
            "class": "local",
            "lanes": 1,
            "oneway": 1,
            "length_m": roads["osm-w2-1"].facets["length_m"],
            "from": "N2",
            "to": "N4",
        }
    )
    assert abs(float(main.facets["length_m"]) - 111.6) < 0.5  # 0.002° of longitude at 60° N: a·cos φ/√(1-e² sin² φ) on GRS 80
    assert abs(float(roads["osm-w2-1"].facets["length_m"]) - 222.8) < 0.5
    assert next(line.en for line in report.guessed).startswith("1 roads do not say their lanes")


def test_buildings_have_the_height_of_their_levels_and_say_so(tmp_path: Path) -> None:
    report = brought(tmp_path / "t.osm.gz", tmp_path / "city", gzip.compress(osm(ROAD, HOUSE).encode()))
    entities = Entities.load(tmp_path / "city")
    (house,) = entities.of_type("Building")
    assert house.facets == {"height_m": 12.0} and entities.shape(house.id) is not None
    assert any("1 buildings say their levels only" in line.en for line in report.guessed)
    assert (tmp_path / "city" / "map" / "city.pmtiles").read_bytes()[:7] == b"PMTiles"


def test_a_multipolygon_keeps_its_yard_and_a_broken_one_is_counted(tmp_path: Path) -> None:
    outer = '<way id="5"><nd ref="1"/><nd ref="3"/><nd ref="14"/><nd ref="15"/><nd ref="1"/></way>'
    yard = '<way id="6"><nd ref="5"/><nd ref="6"/><nd ref="7"/><nd ref="8"/><nd ref="5"/></way>'
    whole_ = (
        '<relation id="7"><member type="way" ref="5" role="outer"/><member type="way" ref="6" role="inner"/><tag k="type" v="multipolygon"/><tag k="building" v="yes"/></relation>'
    )
    broken = '<relation id="8"><member type="way" ref="99" role="outer"/><tag k="type" v="multipolygon"/><tag k="building" v="yes"/></relation>'
    lost = '<way id="9"><nd ref="1"/><nd ref="77"/><tag k="highway" v="service"/></way>'
    report = brought(tmp_path / "t.osm", tmp_path / "city", osm(outer, yard, lost, whole_, broken, nodes=NODES | {14: (25.004, 60.003), 15: (25.0, 60.003)}))
    entities = Entities.load(tmp_path / "city")
    shape = entities.shape("urn:zs:Building:osm-r7")
    assert shape is not None and len(shape.interiors) == 1 and entities.counts() == {"Building": 1}
    assert [line.en.partition(" refer")[0] for line in report.refused] == ["1 roads", "1 buildings"]


def test_administrative_boundaries_become_areas(tmp_path: Path) -> None:
    corners = {30: (24.99, 59.99), 31: (25.0021, 59.99), 32: (25.0021, 60.01), 33: (24.99, 60.01), 34: (25.02, 59.99), 35: (25.02, 60.01)}
    ways = '<way id="40"><nd ref="31"/><nd ref="32"/></way><way id="41"><nd ref="32"/><nd ref="33"/><nd ref="30"/><nd ref="31"/></way>'
    ways += '<way id="42"><nd ref="31"/><nd ref="34"/><nd ref="35"/><nd ref="32"/></way>'
    two = "".join(
        f'<relation id="{ident}"><member type="way" ref="40" role="outer"/><member type="way" ref="{other}" role="outer"/><tag k="type" v="boundary"/>'
        f'<tag k="boundary" v="administrative"/><tag k="admin_level" v="10"/><tag k="name" v="{name}"/></relation>'
        for ident, other, name in ((50, 41, "West"), (51, 42, "East"))
    )
    brought(tmp_path / "t.osm", tmp_path / "city", osm(ROAD, ways, two, nodes=NODES | corners))
    areas = Areas.load(tmp_path / "city")
    assert {row.name_en for row in areas.at(Level.STREET)} == {"West", "East"}
    places = {row.id[-1]: areas.name(row.area, "en") for row in Entities.load(tmp_path / "city").of_type("Road")}
    assert places == {"1": "West"} and City.load(tmp_path / "city").time_zone == "Europe/Helsinki"  # one link: no other road meets it


def test_importing_again_replaces_and_adding_keeps_what_was_there(tmp_path: Path) -> None:
    city = tmp_path / "city"
    brought(tmp_path / "t.osm", city, osm(ROAD, SIDE, HOUSE))
    brought(tmp_path / "t.osm", city, osm(ROAD, LAMP))  # the side street is gone from the file: its way stays as it was, the main road is whole again
    entities = Entities.load(city)
    assert entities.counts() == {"Building": 1, "BusStop": 1, "Road": 2, "StreetLight": 1}
    assert {row.id for row in entities.of_type("Road")} == {"urn:zs:Road:osm-w1-1", "urn:zs:Road:osm-w2-1"}
    assert City.load(city).attribution == "© OpenStreetMap contributors (ODbL 1.0)"
    before = (city / "survey" / "entities.parquet").read_bytes()
    far = {ident: (lon + 50, lat) for ident, (lon, lat) in NODES.items()}
    with pytest.raises(Problem) as told:
        brought(tmp_path / "far.osm", city, osm(ROAD.replace('way id="1"', 'way id="61"'), nodes=far))
    assert told.value.kind.code == "survey.import_elsewhere" and (city / "survey" / "entities.parquet").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.osm", b"", "survey.model_unreadable"),
        ("a.osm", osm().encode(), "survey.import_nothing"),
        ("a.osm", osm(ROAD)[:-20].encode(), "survey.model_faulty"),
        ("a.osm", osm(SIDE, ROAD).encode(), "survey.model_unreadable"),
        ("a.osm", b"<html><body>no such extract</body></html>", "survey.model_unreadable"),
        ("a.osm", b'<?xml version="1.0"?><!DOCTYPE osm [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><osm version="0.6">&b;</osm>', "survey.model_unreadable"),
        ("a.osm.pbf", b"\x00\x00\x00\x0d\x0a\x09OSMHeader", "survey.model_unreadable"),
        ("a.osm.pbf", b"PK\x03\x04" * 40, "survey.model_unreadable"),
        ("a.osm.gz", b"not gzip at all", "survey.model_unreadable"),
        ("a.osm.gz", gzip.compress(osm(ROAD).encode())[:-30], "survey.model_unreadable"),
        ("a.geojson", b"{}", "survey.model_unreadable"),
        ("a.osm", osm(ROAD, nodes={1: (250.0, 60.0), 2: (25.0, 60.0), 3: (25.0, 61.0)}).encode(), "survey.model_unreadable"),
        ("a.osm", osm(ROAD, nodes={1: (2500.0, 60.0), 2: (25.0, 60.0), 3: (25.0, 61.0)}).encode(), "survey.model_unreadable"),
    ],
)
def test_a_bad_file_is_told_and_leaves_nothing(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert refused(tmp_path / name, tmp_path / "city", content).kind.code == code


def test_what_unpacks_beyond_measure_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zhongshu.survey.importers.osm.reading._PLAIN", 1 << 20)
    bomb = gzip.compress(osm(ROAD).encode() + b" " * (16 << 20))
    assert "larger than" in refused(tmp_path / "bomb.osm.gz", tmp_path / "city", bomb).sentence()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "city" / "map").mkdir(parents=True)
    with pytest.raises(Problem) as told:
        brought(tmp_path / "t.osm", tmp_path / "city", osm(ROAD))
    assert told.value.kind.code == "survey.import_folder_taken" and [each.name for each in (tmp_path / "city").iterdir()] == ["map"]


def test_every_type_and_facet_of_the_table_is_a_pack_s_word() -> None:
    types = {kind.name: kind for pack in installed_packs() for kind in pack.types}
    said = {"shelter": "yes", "capacity": "40", "direction": "NE", "manhole": "drain"}
    for row in ROWS:
        facets = row.facets({**row.tags, **said})
        assert {name: type(value) for name, value in facets.items()}.items() <= types[row.kind].facets.items()
    assert {"Road", "Building"} <= types.keys()


@given(st.floats(0, 5000).map(lambda value: round(value, 1)))
def test_a_length_is_read_as_it_is_written(value: float) -> None:
    assert metres(f"{value}") == metres(f" {value} m ") == metres(f"{value}".replace(".", ",")) == value
    assert metres(f"{value} ft") == round(value * 0.3048, 1)


@given(st.text(max_size=12))
def test_no_value_of_a_tag_brings_a_reader_down(text: str) -> None:
    assert (whole(text) or 0) >= 0 and (metres(text) or 0) >= 0 and 0 <= (bearing(text) or 0) < 360


def test_helsinki_comes_in(samples: Path, tmp_path: Path) -> None:
    path = samples / "d-osm-helsinki" / "Helsinki.osm.pbf"
    if not path.exists():
        pytest.skip("no sample of Helsinki here")
    report = brought(path, tmp_path / "city")
    entities = Entities.load(tmp_path / "city")
    assert entities.counts() == {kind: count for kind, count in report.taken.items() if "only" not in kind}
    assert entities.counts() | {"BusStop": 92, "StreetLight": 586, "TrafficSignal": 135, "TrashBin": 36} == entities.counts()  # as many nodes bear the tag
    ends = [row.facets[end] for row in entities.of_type("Road") for end in ("from", "to")]
    assert len(set(ends)) < 0.8 * len(ends)  # roads share junctions
    assert len(report.refused) == 6
    cut = path.read_bytes()
    assert refused(tmp_path / "cut.osm.pbf", tmp_path / "none", cut[: len(cut) // 2]).kind.code == "survey.model_unreadable"


def test_bad_hersfeld_comes_in(samples: Path, tmp_path: Path) -> None:
    path = samples / "d-osm-badhersfeld" / "osm_bbox.osm.xml.gz"
    if not path.exists():
        pytest.skip("no sample of Bad Hersfeld here")
    counts = (brought(path, tmp_path / "city"), Entities.load(tmp_path / "city").counts())[1]
    assert counts["Building"] == 11_273 and counts["BusStop"] >= 146 and counts["Road"] > 2500
