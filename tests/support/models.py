"""Small models of each engine, small enough to reckon by hand, written anew for each test."""

import itertools
import json
import subprocess
from pathlib import Path

SEWER = """[TITLE]
one street, two manholes, one outfall, and a pump aside

[OPTIONS]
FLOW_UNITS CMS
INFILTRATION HORTON
FLOW_ROUTING DYNWAVE
START_DATE 01/01/2026
START_TIME 00:00:00
REPORT_START_DATE 01/01/2026
REPORT_START_TIME 00:00:00
END_DATE 01/01/2026
END_TIME 06:00:00
REPORT_STEP 00:05:00
WET_STEP 00:01:00
ROUTING_STEP 5
ALLOW_PONDING YES
VARIABLE_STEP 0

[RAINGAGES]
G1 INTENSITY 0:05 1.0 TIMESERIES DRY

[SUBCATCHMENTS]
S1 G1 J1 1.0 100 50 0.5 0

[SUBAREAS]
S1 0.01 0.1 0 0 0 OUTLET

[INFILTRATION]
S1 0 0 4 7 0

[JUNCTIONS]
J1 10 2 0 0 100
J2 9.5 2 0 0 100
J3 8 2 0 0 100

[OUTFALLS]
O1 9 FREE NO

[CONDUITS]
C1 J1 J2 100 0.013 0 0 0
C2 J2 O1 100 0.013 0 0 0

[PUMPS]
PU1 J3 J2 LIFT ON 0 0

[CURVES]
LIFT PUMP4 0 0
LIFT 0.5 0.05

[XSECTIONS]
C1 CIRCULAR 0.4 0 0 0
C2 CIRCULAR 0.4 0 0 0

[TIMESERIES]
DRY 0:00 0
DRY 6:00 0

[COORDINATES]
J1 100 0
J2 200 0
J3 200 900
O1 300 0
"""
"""A hectare of sealed ground drains into J1; 36 mm/h of rain are 0.1 m³/s."""

WATER = """[JUNCTIONS]
J1 10 10
J2 12 5

[RESERVOIRS]
R1 0

[TANKS]
T1 50 3 0 6 10 0

[PIPES]
P1 J1 J2 500 200 120 0 Open
P2 J2 T1 500 200 120 0 Open

[PUMPS]
U1 R1 J1 HEAD 1

[CURVES]
1 15 60

[CONTROLS]
LINK U1 CLOSED IF NODE T1 ABOVE 5.9
LINK U1 OPEN IF NODE T1 BELOW 5.0

[OPTIONS]
Units LPS
Headloss H-W
Demand Model PDA
Required Pressure 14

[TIMES]
Duration 24:00
Hydraulic Timestep 0:15
Pattern Timestep 1:00

[COORDINATES]
R1 0 0
J1 100 0
J2 600 0
T1 1100 0

[END]
"""
"""A pump lifts 15 L/s for two nodes and a tank; without it the tank holds for a while."""


def sewer(folder: Path) -> Path:
    """Return the sewer's file."""
    return _written(folder / "sewer.inp", SEWER)


def water(folder: Path) -> Path:
    """Return the water network's file."""
    return _written(folder / "water.inp", WATER)


def grid(folder: Path) -> Path:
    """Return a grid of three buses in a row behind one transformer: 1 MW at the second, 0.5 MW at the third."""
    import pandapower as pp

    net = pp.create_empty_network()
    high, *low = (pp.create_bus(net, vn_kv=kv, geodata=(i * 100.0, 0.0)) for i, kv in enumerate((110, 20, 20, 20)))
    pp.create_ext_grid(net, high)
    pp.create_transformer(net, high, low[0], "25 MVA 110/20 kV")
    for a, b in itertools.pairwise(low):
        pp.create_line(net, a, b, 1.0, "NAYY 4x150 SE")
    pp.create_switch(net, low[1], 1, et="l")
    for bus, draw in zip(low[1:], (1.0, 0.5), strict=True):
        pp.create_load(net, bus, draw)
    pp.to_json(net, str(folder / "grid.json"))
    return folder / "grid.json"


def streets(folder: Path) -> Path:
    """Return a grid of streets with signals, cars that cross it for ten minutes, and one ambulance."""
    import sumo

    tool = Path(sumo.SUMO_HOME) / "bin" / "netgenerate"
    subprocess.run(
        [tool, "--grid", "--grid.number", "4", "--grid.length", "150", "-j", "traffic_light", "-o", folder / "streets.net.xml", "--seed", "1"], check=True, capture_output=True
    )
    _written(
        folder / "streets.rou.xml",
        '<routes><vType id="car"/><vType id="ambulance" vClass="emergency"/>'
        '<flow id="east" type="car" begin="0" end="600" number="120" from="A1B1" to="C1D1"/>'
        '<trip id="help" type="ambulance" depart="60" from="A3B3" to="C0D0"/></routes>',
    )
    return _written(
        folder / "streets.sumocfg",
        '<configuration><input><net-file value="streets.net.xml"/><route-files value="streets.rou.xml"/></input><time><begin value="0"/><end value="3600"/></time></configuration>',
    )


def roads(folder: Path) -> Path:
    """Return two ways from a to d, the shorter one over b, and cars for ten minutes."""
    nodes = [{"name": name, "x": x, "y": y} for name, x, y in (("a", 0, 0), ("b", 500, 100), ("c", 500, -300), ("d", 1000, 0))]
    ways = (("ab", "a", "b", 500), ("bd", "b", "d", 500), ("ac", "a", "c", 700), ("cd", "c", "d", 700))
    links = [{"name": name, "from": start, "to": end, "length": length, "speed": 13.9, "lanes": 1} for name, start, end, length in ways]
    demand = [{"from": "a", "to": "d", "begin": 0, "until": 1800, "flow": 0.3}]
    return _written(folder / "roads.json", json.dumps({"nodes": nodes, "links": links, "demand": demand}))


def _written(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


MADE = {"swmm": sewer, "epanet": water, "pandapower": grid, "sumo": streets, "uxsim": roads}
