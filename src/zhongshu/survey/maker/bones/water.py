"""Drinking water: works at the river fill the tanks of pump stations, which press it into one meshed net of mains under the streets, with towers; as an EPANET model.

One main a street, no service pipes: what people use is drawn at the junctions. It must never know what drives its pumps.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import shapely

from zhongshu.survey.maker.bones.sheet import given
from zhongshu.survey.maker.bones.streets import Streets, Tree, beside, flat, ground, grow_tree, middles, survey_plane
from zhongshu.survey.maker.plan import ARTERIAL, COLLECTOR, EXPRESSWAY, LOCAL
from zhongshu.survey.maker.plane import Floats

SIZES = (200, 300, 400, 500, 600, 700, 800, 900, 1000, 1200, 1400, 1600, 1800, 2000)
"""Diameters of ductile-iron mains, mm (GB/T 13295-2019)."""
RHYTHM = (0.45, 0.38, 0.35, 0.35, 0.42, 0.7, 1.15, 1.5, 1.45, 1.25, 1.12, 1.1, 1.18, 1.1, 1.02, 1.0, 1.05, 1.2, 1.38, 1.42, 1.3, 1.1, 0.8, 0.58)
"""Use in each hour of the day to the mean; its greatest is `water.hour`."""
BEGINS = 7
"""The hour of the day at which the models begin."""
_ASIDE, _HOUSE, _NORTH = np.array([45.0, -45.0]), np.array([12.0, -12.0]), np.array([0.0, 12.0])
"""Where a pump station's tank stands from its junction, and its pump house from the tank, and the parts of a works from the shore, m."""


@dataclass(frozen=True, slots=True)
class Main:
    """A main between two nodes; `link` is the row of its street (-1 in none), `size` in mm, `line` in local metres."""

    name: str
    start: str
    end: str
    link: int
    size: int
    length: float
    line: Floats
    check: bool = False


@dataclass(frozen=True, slots=True)
class Pump:
    """A pump: between which nodes, its flow (m³/s) and head (m), its power (kW), and where it stands (local metres)."""

    name: str
    start: str
    end: str
    flow: float
    head: float
    line: Floats

    @property
    def power(self) -> float:
        """Return what it draws, kW."""
        return 9.81 * self.flow * self.head / given("water.efficiency")


@dataclass(slots=True)
class Water:
    """The water supply of a city. `junctions`: name → height (m), mean use (m³/s), place. `basins`: name → level of the floor, start and full (m), volume (m³), place."""

    head: float
    junctions: dict[str, tuple[float, float, Floats]] = field(default_factory=dict)
    rivers: dict[str, tuple[float, Floats]] = field(default_factory=dict)
    basins: dict[str, tuple[float, float, float, float, Floats]] = field(default_factory=dict)
    mains: list[Main] = field(default_factory=list)
    pumps: list[Pump] = field(default_factory=list)
    houses: dict[str, Floats] = field(default_factory=dict)
    """Pump house → where it stands; its pumps are named after it (`W1` → `W1-1`)."""


def lay_water(streets: Streets) -> Water:
    """Lay the mains and set works, pump stations and towers."""
    use = streets.people * given("water.per_person") / 1000 / 86400
    water = Water(round(float(streets.ground.max()) + given("water.service") + given("water.loss"), 2))
    for name, height, drawn, xy in zip(streets.names, streets.ground.tolist(), use.tolist(), streets.xy, strict=True):
        water.junctions[name] = (height, drawn, xy)
    people = int(streets.land.people.sum())
    main = np.flatnonzero(np.bincount(streets.ends[streets.kind >= COLLECTOR].ravel(), minlength=len(streets.names)))
    stations = middles(streets.xy, streets.people, max(2, round(people / given("water.people_station"))), main)
    tree = grow_tree(_ways(streets), dict.fromkeys(stations, 0.0))
    _mains(water, streets, tree, use)
    for number, node in enumerate(stations, 1):
        _station(water, streets, number, node, float(use[np.array(tree.root) == node].sum()))
    _works(water, streets, stations, people)
    _towers(water, streets, max(1, len(stations) // 2), float(use.sum()))
    return water


def _ways(streets: Streets) -> list[list[tuple[int, int, float]]]:
    """Return the ways of the mains: along wide streets rather than narrow ones, hardly under expressways."""
    dear = np.array([0.0, 1.6, 1.2, 1.0, 3.0])[streets.kind] * streets.length
    return [list(row) for row in beside(len(streets.names), map(tuple, streets.ends.tolist()), dear.tolist(), dear.tolist())]


def _least(kind: int) -> int:
    return int(given({LOCAL: "water.local", COLLECTOR: "water.collector", ARTERIAL: "water.arterial", EXPRESSWAY: "water.arterial"}[kind]))


def sized(flow: float, least: int) -> int:
    """Return the main (mm) that carries a flow (m³/s) at the economic velocity."""
    wanted = 2 * np.sqrt(flow / given("water.velocity") / np.pi) * 1000
    return next((size for size in SIZES if size >= max(least, wanted)), SIZES[-1])


def _mains(water: Water, streets: Streets, tree: Tree, use: Floats) -> None:
    """Lay a main in every street, wide where the tree says that much flows; under expressways only where nothing else leads to a junction."""
    behind = tree.gathered(use) * given("water.hour")
    flows = {tree.link[node]: float(behind[node]) for node in tree.order if tree.link[node] >= 0}
    for at, (start, end) in enumerate(streets.ends.tolist()):
        kind = int(streets.kind[at])
        if kind == EXPRESSWAY and at not in flows:
            continue
        line = flat(streets.links[at].line)
        line = np.concatenate([streets.xy[[start]], line[1:-1], streets.xy[[end]]])
        size = sized(flows.get(at, 0.0), _least(kind))
        water.mains.append(Main(f"P{at + 1}", streets.names[start], streets.names[end], at, size, float(streets.length[at]), line))


def _station(water: Water, streets: Streets, number: int, node: int, use: float) -> None:
    """Set a pump station beside a junction: a clear-water tank, two pumps into the net."""
    here, house = streets.xy[node] + _ASIDE, f"B{number}"
    height = float(streets.ground[node])
    deep = given("water.tank_deep")
    water.basins[f"T{house}"] = (height - deep / 2, 0.8 * deep, deep, use * 3600 * given("water.tank"), here)
    flow = max(use, 0.001) * given("water.hour") * given("water.spare") / 2
    water.houses[house] = here + _HOUSE
    _pumps(water, house, 2, (f"T{house}", streets.names[node]), (flow, water.head - height), np.array([here, here + _HOUSE, streets.xy[node]]))


def _pumps(water: Water, house: str, count: int, ends: tuple[str, str], duty: tuple[float, float], line: Floats) -> None:
    flow, head = duty
    water.pumps += [Pump(f"{house}-{at}", *ends, round(flow, 5), round(head, 2), line) for at in range(1, count + 1)]


def _works(water: Water, streets: Streets, stations: list[int], people: int) -> None:
    """Set waterworks at the river; each lifts water to the tanks of its stations, by a main to each."""
    count = int(np.clip(round(people / given("water.people_works")), 1, max(1, len(stations) // 2)))
    columns = streets.plan.plane.columns
    banks = np.column_stack(streets.plan.plane.metres((np.arange(count) + 0.5) / count * columns, np.full(count, streets.plan.river_row)))
    shore = flat(shapely.shortest_line(streets.plan.river.boundary, shapely.points(banks)))[::2]
    tank = {f"TB{number}": node for number, node in enumerate(stations, 1)}
    serves = {name: int(np.argmin(np.hypot(*(shore - streets.xy[node]).T))) for name, node in tank.items()}
    for work, here in enumerate(np.round(shore, 2)):
        mine = [name for name, each in serves.items() if each == work]
        if mine:
            _work(water, streets, f"W{work + 1}", here, {name: water.basins[name] for name in mine})


def _work(water: Water, streets: Streets, house: str, here: Floats, tanks: dict[str, tuple[float, float, float, float, Floats]]) -> None:
    """Set one waterworks: river, three pumps, a header, a main to each tank."""
    height = float(ground(streets.plan, here[None, :])[0])
    water.rivers[f"R{house}"] = (height - 2.0, here)
    water.junctions[house] = (height, 0.0, here + 2 * _NORTH)
    total, lift = 0.0, 0.0
    for tank, (floor, _, deep, volume, place) in tanks.items():
        flow = volume / given("water.tank") / 3600 * given("water.spare")
        size = sized(flow, 300)
        line = np.array([here + 2 * _NORTH, place])
        long = 1.25 * float(np.hypot(*(line[1] - line[0])))
        loss = 10.67 * long * flow**1.852 / given("water.rough") ** 1.852 / (size / 1000) ** 4.8704
        total, lift = total + flow, max(lift, floor + deep + loss - (height - 2.0))
        water.mains.append(Main(f"{house}-{tank}", house, tank, -1, size, round(long, 1), line, check=True))
    water.houses[house] = here + _NORTH
    _pumps(water, house, 3, (f"R{house}", house), (total / 3, lift + 3.0), np.array([here, here + _NORTH, here + 2 * _NORTH]))


def _towers(water: Water, streets: Streets, count: int, use: float) -> None:
    """Set towers on the highest ground of each part of the city, floating on the net."""
    label = middles(streets.xy, streets.people, count, np.arange(len(streets.names)))
    deep = given("water.tower_deep")
    for number, node in enumerate(label, 1):
        name, here = f"H{number}", streets.xy[node] - _ASIDE
        water.basins[name] = (water.head - deep / 2, deep / 4, deep, use / count * 3600 * given("water.tower"), here)
        water.mains.append(Main(f"P{name}", streets.names[node], name, -1, 400, 70.0, np.array([streets.xy[node], here])))


def epanet(water: Water) -> str:
    """Return the water supply as EPANET's input: litres a second, metres, coordinates in EPSG:4550. A node without pressure gives nothing (PDA)."""
    return "\n".join(line for name, rows in _sections(water).items() for line in (f"[{name}]", *rows, "")) + "\n[END]\n"


def _sections(water: Water) -> dict[str, list[str]]:
    mains, pumps = water.mains, water.pumps
    names = [*water.junctions, *water.rivers, *water.basins]
    places = survey_plane(np.array([row[-1] for table in (water.junctions, water.rivers, water.basins) for row in table.values()])).tolist()
    bends = [(name, point) for name, line in [*((m.name, m.line) for m in mains), *((p.name, p.line) for p in pumps)] for point in line[1:-1]]
    bent = survey_plane(np.array([point for _, point in bends]).reshape(-1, 2)).tolist()
    return {
        "TITLE": ["water supply of a made city"],
        "JUNCTIONS": [f"{name} {height:.3f} {use * 1000:.4f} DAY" for name, (height, use, _) in water.junctions.items()],
        "RESERVOIRS": [f"{name} {level:.3f}" for name, (level, _) in water.rivers.items()],
        "TANKS": [
            f"{n} {floor:.3f} {start:g} 0 {deep:g} {2 * float(np.sqrt(max(m3, 20.0) / deep / np.pi)):.3f} 0 * YES" for n, (floor, start, deep, m3, _) in water.basins.items()
        ],
        "PIPES": [f"{m.name} {m.start} {m.end} {max(m.length, 1):.2f} {m.size} {given('water.rough'):g} 0 {'CV' if m.check else 'Open'}" for m in mains],
        "PUMPS": [f"{p.name} {p.start} {p.end} HEAD C{p.name}" for p in pumps],
        "CURVES": [row for p in pumps for row in _curve(p)],
        "PATTERNS": [f"DAY {' '.join(f'{share:g}' for share in RHYTHM[at : at + 6])}" for at in range(0, 24, 6)],
        "OPTIONS": _options(),
        "TIMES": ["DURATION 24:00", "HYDRAULIC TIMESTEP 0:10", "PATTERN TIMESTEP 1:00", f"PATTERN START {BEGINS}:00", f"START CLOCKTIME {BEGINS} AM"],
        "REPORT": ["STATUS NO", "SUMMARY NO"],
        "COORDINATES": [f"{name} {x:.2f} {y:.2f}" for name, (x, y) in zip(names, places, strict=True)],
        "VERTICES": [f"{name} {x:.2f} {y:.2f}" for (name, _), (x, y) in zip(bends, bent, strict=True)],
    }


def _options() -> list[str]:
    rows = ["UNITS LPS", "HEADLOSS H-W", "TRIALS 200", "ACCURACY 0.0005", "UNBALANCED CONTINUE 10"]
    return [*rows, "DEMAND MODEL PDA", "MINIMUM PRESSURE 0", f"REQUIRED PRESSURE {given('water.service') * 0.7:g}", "PRESSURE EXPONENT 0.5"]


def _curve(pump: Pump) -> Iterator[str]:
    """Yield a pump's curve: at no flow it presses a sixth more, at 1.8 times its flow about half."""
    for flow, head in ((0.0, 1.16), (1.0, 1.0), (1.8, 0.55)):
        yield f"C{pump.name} {pump.flow * flow * 1000:.3f} {pump.head * head:.3f}"
