"""Models as files say them: what is read of each format, what is guessed and refused, and that no file brings a reader down."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongshu.kernel.problem import Problem
from zhongshu.survey import READERS, Imported, read_cityflow

INP = """[JUNCTIONS]
;ID Elev
J1 10
J2 12 5
[RESERVOIRS]
R1 0
[PIPES]
P1 J1 J2 500 200 120 0 Open ; a pipe
P2 R1 J1 10 200 120 0 Open
[COORDINATES]
J1 1 2
J2 3 4
R1 0 0
[VERTICES]
P1 2 2
P1 2 3
"""
NET = """<net><location netOffset="10,20" projParameter="+proj=utm +zone=50 +datum=WGS84"/>
<edge id=":in" function="internal"><lane id=":in_0" index="0" shape="0,0 1,1"/></edge>
<edge id="e1" from="a" to="b"><lane id="e1_0" shape="10,20 110,20"/><lane id="e1_1" shape="10,23 110,23"/></edge>
<junction id="a" type="traffic_light" x="10" y="20"/><junction id="b" type="dead_end" x="110" y="20"/></net>"""
GRID = {
    "_module": "pandapower.auxiliary",
    "_class": "pandapowerNet",
    "_object": {
        name: {"_module": "pandas.core.frame", "_class": "DataFrame", "_object": json.dumps(held)}
        for name, held in {
            "bus": {
                "columns": ["name", "geo"],
                "index": [0, 1, 2],
                "data": [["A", '{"type":"Point","coordinates":[7.7,48.4]}'], ["B", '{"type":"Point","coordinates":[7.8,48.5]}'], ["C", None]],
            },
            "line": {"columns": ["from_bus", "to_bus"], "index": [0, 1], "data": [[0, 1], [1, 2]]},
        }.items()
    },
}
CITYFLOW = {
    "intersections": [
        {"id": "a", "point": {"x": 0, "y": 0}, "virtual": True},
        {
            "id": "b",
            "point": {"x": 300, "y": 0},
            "roadLinks": [{"startRoad": "ab", "endRoad": "bc", "laneLinks": [{"startLaneIndex": 0, "endLaneIndex": 1}]}],
            "trafficLight": {"lightphases": [{"time": 30}]},
        },
        {"id": "c", "point": {"x": 600, "y": 0}, "virtual": True},
    ],
    "roads": [
        {"id": "ab", "points": [{"x": 0, "y": 0}, {"x": 300, "y": 0}], "lanes": [{"maxSpeed": 11}, {"maxSpeed": 11}], "startIntersection": "a", "endIntersection": "b"},
        {"id": "bc", "points": [{"x": 300, "y": 0}, {"x": 600, "y": 0}], "lanes": [{"maxSpeed": 11}, {"maxSpeed": 11}], "startIntersection": "b", "endIntersection": "c"},
    ],
}
TEXTS = {"epanet": INP, "swmm": INP, "sumo": NET, "uxsim": NET, "cityflow": json.dumps(CITYFLOW), "pandapower": json.dumps(GRID)}


def read(tmp_path: Path, form: str, text: str | bytes, name: str = "file.x") -> Imported:
    """Read a text as a format."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return READERS[form](path)


def test_pipes_are_drawn_through_their_bends(tmp_path: Path) -> None:
    held = read(tmp_path, "epanet", INP)
    assert held.report.taken == {"junction": 2, "reservoir": 1, "pipe": 2}
    assert held.drawing.lines["pipe"] == {"P1": [(1, 2), (2, 2), (2, 3), (3, 4)], "P2": [(0, 0), (1, 2)]} and held.drawing.points["reservoir"] == {"R1": (0, 0)}
    assert held.drawing.crs == "" and len(held.report.guessed) == 1  # no duration


def test_what_lies_nowhere_is_told_and_not_drawn(tmp_path: Path) -> None:
    held = read(tmp_path, "epanet", INP.replace("J2 3 4\n", ""))
    assert held.drawing.lines["pipe"].keys() == {"P2"} and "1 nodes have no coordinates" in held.report.refused[0].en


@pytest.mark.parametrize(("wrong", "line"), [("J1 1", 11), ("J1 one 2", 11)])
def test_coordinates_that_are_none_are_refused_by_their_line(tmp_path: Path, wrong: str, line: int) -> None:
    with pytest.raises(Problem) as told:
        read(tmp_path, "epanet", INP.replace("J1 1 2", wrong))
    assert told.value.kind.code == "survey.model_faulty" and told.value.particulars["line"] == line


def test_a_net_is_drawn_where_it_lies(tmp_path: Path) -> None:
    held = read(tmp_path, "sumo", NET)
    assert held.report.taken == {"edge": 1, "lane": 2, "signal": 1} and held.drawing.lines["edge"] == {"e1": [(0, 3), (100, 3)]} and held.drawing.points["signal"] == {"a": (0, 0)}
    assert held.drawing.crs.startswith("+proj=utm") and "no traffic" in held.report.guessed[-1].en


def test_a_configuration_brings_its_files_and_tells_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "n.net.xml.gz").write_bytes(gzip.compress(NET.encode()))
    (tmp_path / "r.rou.xml").write_text('<routes><vehicle id="v" type="night_bus" depart="0"><route edges="e1"/></vehicle></routes>')
    cfg = '<configuration><input><net-file value="n.net.xml"/><route-files value="r.rou.xml, gone.rou.xml,../../etc/passwd"/></input><begin value="7"/><output><x value="y"/></output></configuration>'
    held = read(tmp_path, "sumo", cfg, "model.sumocfg")
    assert set(held.files) == {"net.net.xml", "r.rou.xml", "types.add.xml", "model.sumocfg"} and held.report.taken["vehicle"] == 1
    assert [said.en.split(",")[0] for said in held.report.refused] == ["gone.rou.xml", "../../etc/passwd"]
    assert b'vClass="bus"' in held.files["types.add.xml"] and b'begin value="7"' in held.files["model.sumocfg"] and b"output" not in held.files["model.sumocfg"]


def test_lanes_are_counted_from_the_other_side(tmp_path: Path) -> None:
    held = read(tmp_path, "cityflow", json.dumps(CITYFLOW))
    assert b'fromLane="1" toLane="0"' in held.files["plain.con.xml"] and held.engine == "sumo" and held.drawing.points["signal"] == {"b": (300, 0)}


def test_flows_come_in_at_their_intervals_and_strangers_are_left_out(tmp_path: Path) -> None:
    (net := tmp_path / "net.json").write_text(json.dumps(CITYFLOW))
    flow = {"vehicle": {}, "route": ["ab", "bc"], "interval": 5.0, "startTime": 0, "endTime": 20}
    (flows := tmp_path / "flow.json").write_text(json.dumps([flow, flow | {"route": ["ab", "zz"]}]))
    held = read_cityflow(net, flows)
    assert held.report.taken["vehicle"] == 5 and held.files["plain.rou.xml"].count(b"<vehicle ") == 5 and "1 flows" in held.report.refused[0].en


def test_a_grid_lies_in_degrees_or_in_its_own_plane(tmp_path: Path) -> None:
    held = read(tmp_path, "pandapower", json.dumps(GRID))
    assert held.drawing.crs == "EPSG:4326" and held.drawing.lines["line"] == {"0": [(7.7, 48.4), (7.8, 48.5)]} and "1 buses have no" in held.report.refused[0].en
    assert read(tmp_path, "pandapower", json.dumps(GRID).replace("[7.8,48.5]", "[17.8,48.5]").replace("[7.8, 48.5]", "[17.8,48.5]")).drawing.crs == ""


@pytest.mark.parametrize("where", ["plain", "inside a text"])
def test_a_grid_asks_for_no_class_of_its_own(tmp_path: Path, where: str) -> None:
    evil = {"_module": "os", "_class": "system", "_object": "id"}
    with pytest.raises(Problem) as told:
        read(tmp_path, "pandapower", json.dumps(GRID | {"more": evil if where == "plain" else json.dumps(evil)}))
    assert told.value.kind.code == "survey.model_unreadable" and "os.system" in told.value.sentence("zh")


def test_an_entity_that_points_outside_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("e9")
    held = read(tmp_path, "sumo", f'<!DOCTYPE net [<!ENTITY s SYSTEM "file://{tmp_path}/secret">]>' + NET.replace("</net>", "<edge id='x'>&s;<lane shape='0,0 1,1'/></edge></net>"))
    assert set(held.drawing.lines["edge"]) == {"e1", "x"}


@pytest.mark.parametrize("form", READERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path: Path, form: str, data: st.DataObject) -> None:
    text = TEXTS[form]
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(text)))
        text = (
            text[:at]
            + data.draw(st.sampled_from(["", "0", "nan", "-1e999", '"', "[", "]", "{", "}", "null", "<", "/>", "\n", " x ", "é", "\x00"]))
            + text[at + data.draw(st.integers(0, 5)) :]
        )
    try:
        held = read(tmp_path, form, text)
    except Problem as problem:
        assert problem.sentence() and problem.remedy("zh")
    else:
        assert held.files and held.model


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("content", [b"", b"\x1f\x8b", gzip.compress(b"x")[:-4], b"\xff\xfe\x00", b"[" * 100_000, b'{"a":' * 50_000])
def test_what_is_no_model_at_all_is_refused_or_empty(tmp_path: Path, form: str, content: bytes) -> None:
    for name in ("file.x", "file.gz", "file.sumocfg"):
        try:
            held = read(tmp_path, form, content, name)
        except Problem as problem:
            assert problem.sentence("zh")
        else:
            assert form in {"epanet", "swmm"} and held.report.taken == {}


SWEPT_NET = """<net><location netOffset="0,0" projParameter="!"/>
<edge id="ab" from="a" to="b"><lane id="ab_0" index="0" allow="pedestrian" speed="2" length="500"/><lane id="ab_1" index="1" speed="13.9" length="500" shape="0,0 500,0"/></edge>
<edge id="bc" from="b" to="c"><lane id="bc_0" index="0" speed="10" length="700" shape="500,0 1200,0"/></edge>
<edge id="walk" from="a" to="c"><lane id="walk_0" index="0" allow="pedestrian" speed="2" length="900" shape="0,0 1200,0"/></edge>
<edge id=":b_0" function="internal"><lane id=":b_0_0" index="0" speed="10" length="3" shape="500,0 501,0"/></edge>
<junction id="a" x="0" y="0"/><junction id="b" x="500" y="0"/><junction id="c" x="1200" y="0"/></net>"""
SWEPT_TRIPS = """<routes><vType id="car"/><trip id="1" depart="3700" from="ab" to="bc"/><vehicle id="2" depart="3800"><route edges="ab bc"/></vehicle>
<flow id="f" begin="4500" end="5400" number="90" from="ab" to="bc"/><trip id="3" depart="3700" from="ab" to="nowhere"/><trip id="0" depart="60" from="ab" to="bc"/></routes>"""


def test_a_sumo_net_becomes_a_model_for_sweeps(tmp_path: Path) -> None:
    (tmp_path / "n.net.xml").write_text(SWEPT_NET)
    (tmp_path / "n.rou.xml").write_text(SWEPT_TRIPS)
    (tmp_path / "n.sumocfg").write_text(
        '<configuration><input><net-file value="n.net.xml"/><route-files value="n.rou.xml"/></input><time><begin value="3600"/></time></configuration>'
    )
    read = READERS["uxsim"](tmp_path / "n.sumocfg")
    model = json.loads(read.files["model.json"])
    assert {link["name"]: (link["from"], link["to"], link["length"], link["speed"], link["lanes"]) for link in model["links"]} == {
        "ab": ("a", "b", 500, 13.9, 1),
        "bc": ("b", "c", 700, 10, 1),
    }
    (flow,) = model["demand"]  # the two of the first quarter of an hour wait for three more
    assert {name: flow[name] for name in ("from", "to", "begin", "until")} == {"from": "a", "to": "c", "begin": 900.0, "until": 1800.0}
    assert round(flow["flow"] * 900) == 90
    assert read.report.taken == {"node": 3, "link": 2, "trip": 93, "flow": 1} and len(read.report.refused) == 1 and read.drawing.lines["link"]["bc"][-1] == (1200.0, 0.0)
