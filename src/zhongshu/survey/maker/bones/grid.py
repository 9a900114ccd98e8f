"""The grid: 110/10 kV substations, radial 10 kV feeders along the streets to a ring main unit at every main junction, and what pumps and signals draw; as a pandapower net.

It is written as the JSON that pandapower reads, without pandapower. It must never know what a bus means to those who hang on it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from zhongshu.survey.maker.bones.sheet import given
from zhongshu.survey.maker.bones.streets import Streets, Tree, beside, flat, grow_tree, middles, nearest, summed, used
from zhongshu.survey.maker.plan import COLLECTOR
from zhongshu.survey.maker.plane import Floats, to_degrees

TRAFOS = (3.15, 6.3, 10.0, 20.0, 31.5, 40.0, 50.0, 63.0)
"""Ratings of 110 kV transformers, MVA (GB/T 6451-2023)."""
_KERB = np.array([9.0, 9.0])
"""Where a ring main unit stands beside its junction, m."""
_YARD = np.array([-40.0, 40.0])
"""Where a substation stands beside its junction, m."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Something with a supply of its own: a pump house, a drainage pump. Its place in local metres, and kW."""

    name: str
    xy: Floats
    power: float


@dataclass(frozen=True, slots=True)
class Cable:
    """A 10 kV cable from a bus nearer to the substation to one farther away; `parallel` cables in one trench; `line` in local metres."""

    name: str
    start: int
    end: int
    length: float
    line: Floats
    feeder: int
    parallel: int = 1


@dataclass(slots=True)
class Grid:
    """The grid of a city: `buses` are (name, kV, place), `load` MW at each, `cables`, and `trafos` as (110 kV bus, 10 kV bus, MVA of each of two)."""

    buses: list[tuple[str, float, Floats]] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    cables: list[Cable] = field(default_factory=list)
    trafos: list[tuple[int, int, float]] = field(default_factory=list)


def lay_grid(streets: Streets, customers: Sequence[Customer]) -> Grid:
    """Set substations where the load is, and lead feeders along the streets to every main junction and every customer."""
    count, signals = len(streets.names), streets.signals
    main = np.flatnonzero(np.bincount(streets.ends[streets.kind >= COLLECTOR].ravel(), minlength=count))
    central, industry = used(streets.land, streets.cell, count)
    drawn = (streets.people * given("grid.per_person") + central * given("grid.central") + industry * given("grid.industry")) / 1000
    load = summed(main[nearest(streets.xy[main], streets.xy)], drawn, count)
    load[signals] += given("grid.signal") / 1000
    homes = nearest(streets.xy[main], np.array([each.xy for each in customers]).reshape(-1, 2))
    whole = load.copy()
    for each, home in zip(customers, homes, strict=True):
        whole[main[home]] += each.power / 1000
    substations = middles(streets.xy[main], whole[main], max(1, int(np.ceil(whole.sum() / given("grid.station")))), np.arange(len(main)))
    dear = np.where(streets.kind >= COLLECTOR, 1.0, 1.5) * streets.length
    graph = beside(count, map(tuple, streets.ends.tolist()), dear.tolist(), dear.tolist())
    tree = grow_tree(graph, {int(main[at]): 0.0 for at in substations})
    grid = Grid()
    bus = _buses(grid, streets, main.tolist(), load, [int(main[at]) for at in substations])
    _feeders(grid, streets, tree, (bus, whole), [int(main[at]) for at in substations])
    for each, home in zip(customers, homes, strict=True):
        _spur(grid, each, bus[int(main[home])])
    _trafos(grid, tree, whole, [int(main[at]) for at in substations])
    return grid


def _bus(grid: Grid, name: str, kilovolts: float, xy: Floats, load: float = 0.0) -> int:
    grid.buses.append((name, kilovolts, xy))
    grid.load.append(load)
    return len(grid.buses) - 1


def _buses(grid: Grid, streets: Streets, main: list[int], load: Floats, substations: list[int]) -> dict[int, int]:
    """Put down two buses for every substation and one for every main junction, whose number by junction is returned."""
    for number, node in enumerate(substations, 1):
        for kilovolts in (110.0, 10.0):
            _bus(grid, f"SS{number}-{kilovolts:g}kV", kilovolts, streets.xy[node] + _YARD)
    return {node: _bus(grid, f"RMU-{streets.names[node]}", 10.0, streets.xy[node] + _KERB, float(load[node])) for node in main}


def _feeders(grid: Grid, streets: Streets, tree: Tree, hung: tuple[dict[int, int], Floats], substations: list[int]) -> None:
    """Cut the tree of ways into feeders of a bearable load: what is cut off gets a cable of its own from the substation."""
    bus, load = hung
    above = {node: next((up for up in tree.way(node)[1:] if up in bus), -1) for node in bus}
    yard = {node: 2 * at + 1 for at, node in enumerate(substations)}
    behind, below = dict.fromkeys(bus, 0.0), {node: list[int]() for node in bus}
    feeder = 0
    for node in reversed([each for each in tree.order if each in bus]):
        held = sorted(below[node], key=lambda each: (behind[each], each))
        total = float(load[node])
        for child in held:
            if node not in yard and total + behind[child] <= given("grid.feeder"):
                total += behind[child]
                grid.cables.append(_cable(grid, streets, tree, (child, node), (bus[node], bus[child], 0)))
            else:
                feeder += 1
                grid.cables.append(_cable(grid, streets, tree, (child, tree.root[child]), (yard[tree.root[child]], bus[child], feeder)))
        behind[node] = total
        if node in yard:
            feeder += 1
            line = np.array([streets.xy[node] + _YARD, streets.xy[node] + _KERB])
            grid.cables.append(Cable(f"L{len(grid.cables) + 1}", yard[node], bus[node], 0.08, line, feeder))
        elif above[node] >= 0:
            below[above[node]].append(node)


def _cable(grid: Grid, streets: Streets, tree: Tree, ends: tuple[int, int], buses: tuple[int, int, int]) -> Cable:
    """Lead a cable along the streets from an inner junction to an outer one."""
    outer, inner = ends
    way = tree.way(outer)
    way = way[: way.index(inner) + 1]
    pieces, length = [streets.xy[[outer]] + _KERB], 0.0
    for node in way[:-1]:
        line = flat(streets.links[tree.link[node]].line)
        line = line if streets.ends[tree.link[node]][0] == node else line[::-1]
        pieces.append(line[1:-1])
        pieces.append(streets.xy[[tree.parent[node]]])
        length += float(streets.length[tree.link[node]])
    start, end, feeder = buses
    pieces[-1] = np.array([grid.buses[start][2]])
    return Cable(f"L{len(grid.cables) + 1}", start, end, round(length / 1000 + 0.02, 4), np.concatenate(pieces)[::-1], feeder)


def _spur(grid: Grid, customer: Customer, at: int) -> None:
    bus = _bus(grid, f"C-{customer.name}", 10.0, customer.xy, customer.power / 1000)
    line = np.array([grid.buses[at][2], customer.xy])
    grid.cables.append(Cable(f"L{len(grid.cables) + 1}", at, bus, round(float(np.hypot(*(line[1] - line[0]))) / 1000 + 0.02, 4), line, 0))


def _trafos(grid: Grid, tree: Tree, load: Floats, substations: list[int]) -> None:
    root = np.array(tree.root)
    for at, node in enumerate(substations):
        needed = float(load[root == node].sum()) / given("grid.factor") / given("grid.trafo_use") / 2
        grid.trafos.append((2 * at, 2 * at + 1, next((size for size in TRAFOS if size >= needed), TRAFOS[-1])))


_TEXT, _NUMBER, _WHOLE, _FLAG = "object", "float64", "uint32", "bool"
_TABLES = {
    "bus": {"name": _TEXT, "vn_kv": _NUMBER, "type": _TEXT, "zone": _TEXT, "in_service": _FLAG, "geo": _TEXT},
    "load": dict(
        zip(
            ["name", "bus", "p_mw", "q_mvar", "const_z_percent", "const_i_percent", "sn_mva", "scaling", "in_service", "type"],
            [_TEXT, _WHOLE, *[_NUMBER] * 6, _FLAG, _TEXT],
            strict=True,
        )
    ),
    "ext_grid": {"name": _TEXT, "bus": _WHOLE, "vm_pu": _NUMBER, "va_degree": _NUMBER, "slack_weight": _NUMBER, "in_service": _FLAG},
    "line": {"name": _TEXT, "std_type": _TEXT, "from_bus": _WHOLE, "to_bus": _WHOLE, "length_km": _NUMBER}
    | dict.fromkeys(["r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "g_us_per_km", "max_i_ka", "df"], _NUMBER)
    | {"parallel": _WHOLE, "type": _TEXT, "in_service": _FLAG, "geo": _TEXT},
    "trafo": {"name": _TEXT, "std_type": _TEXT, "hv_bus": _WHOLE, "lv_bus": _WHOLE}
    | dict.fromkeys(["sn_mva", "vn_hv_kv", "vn_lv_kv", "vk_percent", "vkr_percent", "pfe_kw", "i0_percent", "shift_degree"], _NUMBER)
    | {"tap_side": _TEXT}
    | dict.fromkeys(["tap_neutral", "tap_min", "tap_max", "tap_step_percent", "tap_step_degree", "tap_pos"], _NUMBER)
    | {"parallel": _WHOLE, "df": _NUMBER, "in_service": _FLAG},
}
"""Table → column → kind, as pandapower 2.14 and later keep them (documentation, "Datastructure and Elements")."""


def pandapower(grid: Grid) -> bytes:
    """Return the grid as pandapower's JSON: kV, MW, km; buses and cables with their place in degrees (WGS 84 and CGCS2000 differ by centimetres)."""
    reactive = float(np.tan(np.arccos(given("grid.factor"))))
    rows: dict[str, list[list[object]]] = {
        "bus": [[name, kilovolts, "b", None, True, _geo("Point", xy[None, :])] for name, kilovolts, xy in grid.buses],
        "load": [[grid.buses[bus][0], bus, round(p, 6), round(p * reactive, 6), 0.0, 0.0, None, 1.0, True, "wye"] for bus, p in enumerate(grid.load) if p > 0],
        "ext_grid": [[grid.buses[high][0], high, given("grid.infeed"), 0.0, 1.0, True] for high, _, _ in grid.trafos],
        "line": [_line(cable) for cable in grid.cables],
        "trafo": [_trafo(at, *trafo) for at, trafo in enumerate(grid.trafos, 1)],
    }
    tables = {name: _frame(name, held) for name, held in rows.items()}
    whole = {"_module": "pandapower.auxiliary", "_class": "pandapowerNet", "_object": {**tables, **_PLAIN}}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


_PLAIN = {
    "version": "3.0.0",
    "format_version": "3.0.0",
    "converged": False,
    "name": "",
    "f_hz": 50.0,
    "sn_mva": 1,
    "std_types": {"line": {}, "trafo": {}, "trafo3w": {}},
    "user_pf_options": {},
}


def _line(cable: Cable) -> list[object]:
    electric = [given(f"grid.{what}") for what in ("resistance", "reactance", "capacitance")]
    return [cable.name, None, cable.start, cable.end, cable.length, *electric, 0.0, given("grid.current"), 1.0, cable.parallel, "cs", True, _geo("LineString", cable.line)]


def _trafo(number: int, high: int, low: int, size: float) -> list[object]:
    return [f"T{number}", None, high, low, size, 110.0, 10.5, 14.0, 0.4, 0.9 * size, 0.1, 0.0, "hv", 0.0, -8.0, 8.0, 1.25, 0.0, 0.0, 2, 1.0, True]


def _frame(name: str, rows: Iterable[Sequence[object]]) -> dict[str, object]:
    held, columns = list(rows), _TABLES[name]
    table = json.dumps({"columns": list(columns), "index": list(range(len(held))), "data": held}, ensure_ascii=False, separators=(",", ":"))
    return {"_module": "pandas.core.frame", "_class": "DataFrame", "_object": table, "orient": "split", "dtype": columns, "is_multiindex": False, "is_multicolumn": False}


def _geo(kind: str, points: Floats) -> str:
    lon, lat = to_degrees(points[:, 0], points[:, 1])
    places = np.column_stack([lon, lat]).tolist()
    return json.dumps({"coordinates": places[0] if kind == "Point" else places, "type": kind}, separators=(",", ":"))
