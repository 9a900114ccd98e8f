"""Storm sewers under the roads: trees that fall to outfalls at river, canal, lake or the city's edge, sized by Manning for the design rain; as a SWMM model.

One manhole a junction and one half-way along longer links stand for all of a street. It must never know what else lies in the street.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import shapely
from shapely.ops import substring

from zhongshu.survey.maker.bones.sheet import given
from zhongshu.survey.maker.bones.streets import Beside, Streets, Tree, beside, flat, ground, grow_tree, nearest, summed, survey_plane
from zhongshu.survey.maker.land import CENTRAL, OLD, USES, Ints
from zhongshu.survey.maker.plan import EXPRESSWAY
from zhongshu.survey.maker.plane import Floats

SIZES = (300, 400, 500, 600, 800, 1000, 1200, 1350, 1500, 1650, 1800, 2000, 2200, 2400, 2600, 2800, 3000, 3200, 3500, 4000)
"""Diameters in which concrete pipes are made, mm (GB/T 11836-2023)."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A rain gauge of the city, and where it stands."""

    name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Dip:
    """An underpass: where it is lowest, how deep (m), what drains into it (ha), and its pump: where its house stands, and m³/s."""

    name: str
    x: float
    y: float
    depth: float
    hectares: float
    pump: str
    pump_x: float
    pump_y: float
    capacity: float


@dataclass(frozen=True, slots=True)
class Conduit:
    """A sewer from an upper node to a lower; `link` is the row of its street, `size` in mm, `high` and `low` its inverts (m), `line` in local metres."""

    name: str
    upper: str
    lower: str
    link: int
    size: int
    length: float
    high: float
    low: float
    line: Floats


@dataclass(slots=True)
class Sewers:
    """The sewers of a city. Rows of `names`, `xy`, `ground`, `invert`, `area` (ha), `share` (runoff), `gauge` are manholes; then outfalls and dips."""

    names: list[str]
    xy: Floats
    ground: Floats
    invert: Floats
    area: Floats
    share: Floats
    gauge: Ints
    conduits: list[Conduit] = field(default_factory=list)
    outfalls: list[tuple[str, float, Floats]] = field(default_factory=list)
    gauges: list[Gauge] = field(default_factory=list)
    dips: list[Dip] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Net:
    """Manholes and the pieces of street between them: piece → (link, from and to in metres along it)."""

    names: list[str]
    xy: Floats
    ends: list[tuple[int, int]]
    pieces: list[tuple[int, float, float]]


def lay_sewers(streets: Streets, gauges: list[Gauge], dips: list[Dip]) -> Sewers:
    """Lay the sewers of a city: where, how large, how deep."""
    net = _net(streets)
    height = ground(streets.plan, net.xy)
    graph, near = _graph(streets, net, height)
    tree = _tree(graph, near, height)
    cell = nearest(net.xy, np.column_stack([streets.land.x, streets.land.y]))
    count = len(net.names)
    hectares = summed(cell, np.ones(len(cell)), count)
    runoff = summed(cell, np.array([given(f"runoff.{use}") for use in USES])[streets.land.use], count)
    share = (runoff + 1e-9 * given("runoff.housing")) / (hectares + 1e-9)  # the road alone counts as housing
    area: Floats = np.maximum(hectares, given("sewer.catchment_least"))
    gauge = nearest(np.array([[g.x, g.y] for g in gauges]), net.xy)
    sewers = Sewers(net.names, net.xy, height, np.zeros(count), area, share, gauge, gauges=gauges, dips=dips)
    _dig(sewers, streets, net, tree, _returns(streets, cell, count))
    return sewers


def _net(streets: Streets) -> _Net:
    names, places, ends, pieces = list(streets.names), [streets.xy], list[tuple[int, int]](), list[tuple[int, float, float]]()
    for at, (link, (start, end)) in enumerate(zip(streets.links, streets.ends.tolist(), strict=True)):
        long = float(streets.length[at])
        if long < given("sewer.mid"):
            ends.append((start, end))
            pieces.append((at, 0.0, long))
            continue
        middle = len(names)
        names.append(f"M{at + 1}")
        places.append(np.round(flat(shapely.line_interpolate_point(link.line, long / 2)), 3))
        ends += [(start, middle), (middle, end)]
        pieces += [(at, 0.0, long / 2), (at, long / 2, long)]
    return _Net(names, np.concatenate(places), ends, pieces)


def _graph(streets: Streets, net: _Net, height: Floats) -> tuple[Beside, Floats]:
    """Return the ways a sewer may take (not over bridges, dearly under expressways or uphill), and how far each manhole is from water."""
    water = streets.plan.water
    shapely.prepare(water)
    wet = shapely.intersects(water, np.array([link.line for link in streets.links]))
    there, back = [], []
    for (one, other), (link, low, high) in zip(net.ends, net.pieces, strict=True):
        price = (high - low) * (3.0 if streets.kind[link] == EXPRESSWAY else 1.0)
        rise = given("sewer.uphill") * float(height[other] - height[one])
        there.append(price + max(0.0, -rise) if not wet[link] else 1e9)  # grown from the outfall: water runs the other way
        back.append(price + max(0.0, rise) if not wet[link] else 1e9)
    return beside(len(net.names), net.ends, there, back), shapely.distance(water, shapely.points(net.xy))


def _tree(graph: Beside, away: Floats, height: Floats) -> Tree:
    """Grow the trees from outfalls at the water; what no dry way leads to gets an outfall at its own lowest place."""
    roots: dict[int, float] = {}
    dry = [[(other, at, price) for other, at, price in row if price < 1e9] for row in graph]  # noqa: PLR2004 (bridges)
    while True:
        tree = grow_tree(dry, roots)
        left = np.array([node for node, parent in enumerate(tree.parent) if parent == -2], dtype=np.int64)  # noqa: PLR2004 (not reached)
        if not len(left):
            return tree
        part = np.array(grow_tree(dry, {int(left[0]): 0.0}).order)
        shore = part[away[part] < given("sewer.bank")]
        roots |= {node: 3.0 * float(away[node]) for node in _apart(graph, shore[np.argsort(away[shore], kind="stable")].tolist())} or {int(part[np.argmin(height[part])]): 0.0}


def _apart(graph: Beside, nodes: list[int]) -> list[int]:
    """Return those of some nodes, the first first, that lie far enough from each other along the streets."""
    chosen: list[int] = []
    taken: set[int] = set()
    for node in nodes:
        if node in taken:
            continue
        chosen.append(node)
        ahead = [(0.0, node)]
        while ahead:
            gone, here = ahead.pop()
            taken.add(here)
            ahead += [(gone + price, other) for other, _, price in graph[here] if gone + price < given("sewer.apart") and other not in taken]
    return chosen


def _returns(streets: Streets, cell: Ints, count: int) -> Floats:
    """Return the return period (years) that the sewer at each manhole was built for, by what most of its land is used for."""
    use = streets.land.use
    old, central = (np.bincount(cell, use == one, count) for one in (OLD, CENTRAL))
    total = np.maximum(np.bincount(cell, minlength=count), 1)
    found: Floats = np.where(old / total >= 0.4, given("rain.return_old"), np.where(central / total >= 0.5, given("rain.return_central"), given("rain.return")))  # noqa: PLR2004 (most of it)
    return found


def intensity(minutes: float, years: float) -> float:
    """Return the design intensity, m³/s of a hectare, of a storm of some minutes."""
    litres = given("rain.a") * (1 + given("rain.c") * float(np.log10(years))) / (minutes + given("rain.b")) ** given("rain.n")
    return float(litres / 1000)


def full_flow(size: float, slope: float) -> float:
    """Return what a full pipe (diameter m) carries at a slope, m³/s, by Manning."""
    return float(np.pi * size**2 / 4 * (size / 4) ** (2 / 3) * slope**0.5 / given("sewer.manning"))


def _least_slope(size: float) -> float:
    """Return the slope at which a full pipe (m) runs fast enough to keep itself clean."""
    return float(max(given("sewer.flattest"), (given("sewer.velocity_least") * given("sewer.manning") / (size / 4) ** (2 / 3)) ** 2))


def _sized(flow: float, fall: float, least: int) -> tuple[int, float]:
    """Return the smallest pipe (mm) that carries a flow where the ground falls so, and its slope."""
    for size in SIZES:
        slope = max(fall, _least_slope(size / 1000))
        if size >= least and full_flow(size / 1000, slope) >= flow:
            return size, slope
    return SIZES[-1], max(fall, _least_slope(SIZES[-1] / 1000))


def _dig(sewers: Sewers, streets: Streets, net: _Net, tree: Tree, years: Floats) -> None:
    """Size and lay the pipe below every manhole, the upper ones first."""
    count = len(net.names)
    gathered, lifted = tree.gathered(sewers.area * sewers.share), np.zeros(count)
    for dip in sewers.dips:
        lifted[_hole(sewers, dip)] += dip.capacity
    lifted = tree.gathered(lifted)
    minutes, least = np.full(count, given("rain.inlet")), np.full(count, int(given("sewer.least")))
    crown = sewers.ground - given("sewer.cover")
    for node in reversed(tree.order):
        parent = tree.parent[node]
        line, link, target, end = _course(sewers, streets, net, tree, node)
        long = float(max(np.hypot(*np.diff(line, axis=0).T).sum(), 5.0))
        flow = gathered[node] * intensity(float(minutes[node]), float(years[node])) + float(lifted[node])
        size, slope = _sized(flow, max(0.0, (float(sewers.ground[node]) - end) / long), int(least[node]))
        high = round(float(crown[node]) - size / 1000, 3)
        low = round(high - slope * long, 3)
        sewers.invert[node] = high
        sewers.conduits.append(Conduit(f"C{len(sewers.conduits) + 1}", net.names[node], target, link, size, round(long, 2), high, low, line))
        if parent < 0:
            sewers.outfalls.append((target, low, line[-1]))
            continue
        crown[parent] = min(float(crown[parent]), low + size / 1000)
        minutes[parent] = max(float(minutes[parent]), float(minutes[node]) + long / given("rain.velocity") / 60)
        least[parent] = max(int(least[parent]), size)


def _course(sewers: Sewers, streets: Streets, net: _Net, tree: Tree, node: int) -> tuple[Floats, int, str, float]:
    """Return the line of the pipe below a manhole, its street, where it leads, and the height of the ground there."""
    parent = tree.parent[node]
    if parent >= 0:
        link, low, high = net.pieces[tree.link[node]]
        line = flat(substring(streets.links[link].line, low, high))
        line = line if net.ends[tree.link[node]][0] == node else line[::-1]
        line = np.concatenate([net.xy[[node]], line[1:-1], net.xy[[parent]]])
        return line, link, net.names[parent], float(sewers.ground[parent])
    here = net.xy[node]
    shore = flat(shapely.shortest_line(shapely.Point(here), streets.plan.water))[-1]
    far = float(np.hypot(*(shore - here)))
    if not 10 < far < 2 * given("sewer.bank"):  # noqa: PLR2004 (in the water or nowhere near it: a ditch beside the street)
        shore = here + 30.0
    link = int(np.flatnonzero((streets.ends == node).any(axis=1))[0]) if node < len(streets.names) else int(net.names[node][1:]) - 1
    return np.array([here, np.round(shore, 3)]), link, f"OUT{len(sewers.outfalls) + 1}", given("ground.bank")


def swmm(sewers: Sewers) -> str:
    """Return the sewers as SWMM's input, in metres and m³/s, coordinates in EPSG:4550."""
    return "\n".join(line for name, rows in _sections(sewers).items() for line in (f"[{name}]", *rows, ""))


def _sections(sewers: Sewers) -> dict[str, list[str]]:
    dry = {g.name: f"DRY-{g.name}" for g in sewers.gauges}
    links = sewers.conduits
    nodes = [*sewers.names, *(name for name, _, _ in sewers.outfalls), *(f"U{at}" for at in range(1, len(sewers.dips) + 1))]
    shores = np.array([xy for _, _, xy in sewers.outfalls]).reshape(-1, 2)
    pools = np.array([[d.x, d.y] for d in sewers.dips]).reshape(-1, 2)
    places = survey_plane(np.concatenate([sewers.xy, shores, pools])).tolist()
    bends = [(c.name, point) for c in links for point in c.line[1:-1]]
    bent = survey_plane(np.array([point for _, point in bends]).reshape(-1, 2)).tolist()
    symbols = survey_plane(np.array([[g.x, g.y] for g in sewers.gauges])).tolist()
    return {
        "TITLE": ["storm sewers of a made city"],
        "OPTIONS": _options(),
        "RAINGAGES": [f"{g.name} INTENSITY 0:05 1.0 TIMESERIES {dry[g.name]}" for g in sewers.gauges],
        **_catchments(sewers),
        **_nodes(sewers),
        "CONDUITS": [f"{c.name} {c.upper} {c.lower} {c.length:.2f} {given('sewer.manning'):g} {c.high:.3f} {c.low:.3f} 0" for c in links],
        "PUMPS": [f"{d.pump} U{at} {_receiver(sewers, d)} LIFT{at} ON 0 0" for at, d in enumerate(sewers.dips, 1)],
        "XSECTIONS": [f"{c.name} CIRCULAR {c.size / 1000:g} 0 0 0" for c in links],
        "CURVES": [row for at, d in enumerate(sewers.dips, 1) for row in (f"LIFT{at} PUMP4 0 0", f"LIFT{at} 0.3 {d.capacity / 3:.4f}", f"LIFT{at} 1.0 {d.capacity:.4f}")],
        "TIMESERIES": [f"{name} {hour}:00 0" for name in dry.values() for hour in (0, 24)],
        "COORDINATES": [f"{name} {x:.2f} {y:.2f}" for name, (x, y) in zip(nodes, places, strict=True)],
        "VERTICES": [f"{name} {x:.2f} {y:.2f}" for (name, _), (x, y) in zip(bends, bent, strict=True)],
        "SYMBOLS": [f"{g.name} {x:.2f} {y:.2f}" for g, (x, y) in zip(sewers.gauges, symbols, strict=True)],
    }


def _options() -> list[str]:
    given_ = {"FLOW_UNITS": "CMS", "INFILTRATION": "HORTON", "FLOW_ROUTING": "DYNWAVE", "LINK_OFFSETS": "ELEVATION", "ALLOW_PONDING": "YES", "SKIP_STEADY_STATE": "NO"}
    begin = {"START_DATE": "01/01/2026", "START_TIME": "00:00:00", "REPORT_START_DATE": "01/01/2026", "REPORT_START_TIME": "00:00:00", "END_DATE": "01/02/2026"}
    step = {"END_TIME": "00:00:00", "REPORT_STEP": "01:00:00", "WET_STEP": "00:01:00", "DRY_STEP": "00:01:00", "ROUTING_STEP": f"{given('sewer.routing'):g}"}
    more = {"VARIABLE_STEP": "0.75", "MINIMUM_STEP": "1", "INERTIAL_DAMPING": "PARTIAL", "NORMAL_FLOW_LIMITED": "BOTH", "MAX_TRIALS": "8", "THREADS": "1"}
    return [f"{name} {value}" for name, value in {**given_, **begin, **step, **more}.items()]


def _catchments(sewers: Sewers) -> dict[str, list[str]]:
    """Return the ground that drains into each manhole and each dip; what runs off of it is its sealed share."""
    rows = list(zip(sewers.names, sewers.area.tolist(), sewers.share.tolist(), sewers.gauge.tolist(), strict=True))
    if sewers.dips:
        near = nearest(np.array([[g.x, g.y] for g in sewers.gauges]), np.array([[d.x, d.y] for d in sewers.dips])).tolist()
        rows += [(f"U{at}", d.hectares, given("underpass.runoff"), near[at - 1]) for at, d in enumerate(sewers.dips, 1)]
    long, steep = given("sewer.flow_length"), given("sewer.overland")
    return {
        "SUBCATCHMENTS": [f"S{n} {sewers.gauges[g].name} {n} {area:.3f} {100 * share:.1f} {area * 1e4 / long:.1f} {steep:g} 0" for n, area, share, g in rows],
        "SUBAREAS": [f"S{n} 0.015 0.2 1.5 5 25 OUTLET" for n, *_ in rows],
        "INFILTRATION": [f"S{n} 76 12 4 7 0" for n, *_ in rows],
    }


def ponding_area(hectares: float) -> float:
    """Return the area (m²) on which water can stand at a manhole with so much land."""
    return max(given("sewer.ponding_least"), given("sewer.ponding") * hectares * 1e4)


def _nodes(sewers: Sewers) -> dict[str, list[str]]:
    rows = zip(sewers.names, sewers.invert.tolist(), sewers.ground.tolist(), sewers.area.tolist(), strict=True)
    holes = [f"{name} {invert:.3f} {top - invert:.3f} 0 0 {ponding_area(area):.0f}" for name, invert, top, area in rows]
    holes += [f"U{at} {_rim(sewers, d) - given('underpass.sump'):.3f} {given('underpass.sump'):g} 0 0 {given('underpass.pool'):g}" for at, d in enumerate(sewers.dips, 1)]
    return {"JUNCTIONS": holes, "OUTFALLS": [f"{name} {invert:.3f} FREE NO" for name, invert, _ in sewers.outfalls]}


def _rim(sewers: Sewers, dip: Dip) -> float:
    """Return the height of the street where it is lowest."""
    return float(sewers.ground[_hole(sewers, dip)]) - dip.depth


def _hole(sewers: Sewers, dip: Dip) -> int:
    return int(nearest(sewers.xy, np.array([[dip.x, dip.y]]))[0])


def _receiver(sewers: Sewers, dip: Dip) -> str:
    return sewers.names[_hole(sewers, dip)]


def outfall_of(sewers: Sewers) -> dict[str, Iterator[str]]:
    """Return of every manhole the way its water takes, node by node."""
    below = {c.upper: c.lower for c in sewers.conduits}

    def way(name: str) -> Iterator[str]:
        while name in below:
            name = below[name]
            yield name

    return {name: way(name) for name in sewers.names}
