"""The roads of a made city: named lattice lines cut into links from junction to junction, and the underpasses where arterials meet railway or ring.

It must never know what drives on them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import shapely

from zhongshu.survey.maker.names import RIVERSIDE, Names, Word
from zhongshu.survey.maker.plan import ARTERIAL, COLLECTOR, EXPRESSWAY, LOCAL, Classes, Mask, Plan
from zhongshu.survey.maker.plane import Floats

FREE_KMH = {LOCAL: 30.0, COLLECTOR: 40.0, ARTERIAL: 60.0, EXPRESSWAY: 80.0}
LANES = {LOCAL: 2, COLLECTOR: 4, ARTERIAL: 6, EXPRESSWAY: 8}
UNDERPASS_HALF = 65.0
"""Half the length of an underpass with its ramps, in metres."""

_SUFFIX = {("across", LOCAL): ("巷", "Lane"), ("along", LOCAL): ("里", "Alley"), ("along", COLLECTOR): ("街", "Street"), ("along", ARTERIAL): ("大街", "Main Street")}

Node = tuple[int, int]
_Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Link:
    """A piece of road between two junctions (lattice nodes (i, j)); `line` in local metres."""

    name: Word
    kind: int
    start: Node
    end: Node
    line: shapely.Geometry

    @property
    def length(self) -> float:
        """Return the length in metres."""
        return float(shapely.length(self.line))

    def at(self, share: float, side: float = 0.0) -> tuple[float, float]:
        """Return the point (metres) at a share of the length, `side` metres to the left."""
        share = float(np.clip(share, 0.0, 0.99))
        ends = shapely.line_interpolate_point(self.line, [share, share + 0.01], normalized=True)
        (x, y), (next_x, next_y) = shapely.get_coordinates(ends)
        step = max(float(np.hypot(next_x - x, next_y - y)), 1e-9)
        return float(x - (next_y - y) / step * side), float(y + (next_x - x) / step * side)


@dataclass(frozen=True, slots=True)
class Underpass:
    """A dip of an arterial under the railway or the ring; `line` and point in local metres, `depth` in metres below the street."""

    name: Word
    road: Word
    x: float
    y: float
    line: shapely.Geometry
    depth: float
    catchment_ha: float


@dataclass(slots=True)
class Roads:
    """`links` run from junction to junction, `sections` (collectors and above) from main junction to main junction."""

    links: list[Link] = field(default_factory=list)
    sections: list[Link] = field(default_factory=list)
    underpasses: list[Underpass] = field(default_factory=list)


def lay_roads(plan: Plan, names: Names, chance: np.random.Generator) -> Roads:
    """Name the lines, cut them into links and sections, and find the underpasses."""
    named = _Namer(plan, names)
    water = shapely.buffer(plan.water, 4)
    shapely.prepare(water)
    links = [link for link in _chains(plan, named, LOCAL) if _dry(plan, water, link)]
    network = _network(links)
    roads = Roads([link for link in links if link.start in network])
    roads.sections = [link for link in _chains(plan, named, COLLECTOR) if _dry(plan, water, link) and link.start in network]
    roads.underpasses = _underpasses(plan, roads.sections, chance)
    return roads


def junctions(links: list[Link]) -> dict[Node, str]:
    """Return the name of every junction, in the order of the lattice: roads and networks call them alike."""
    return {node: f"N{number}" for number, node in enumerate(sorted({end for link in links for end in (link.start, link.end)}), 1)}


def _dry(plan: Plan, water: shapely.Geometry, link: Link) -> bool:
    """Tell whether a road can be where it is: local streets touch no water, collectors cross river and canal but not the lake, arterials bridge all."""
    if link.kind >= ARTERIAL:
        return True
    return not shapely.intersects(plan.lake if link.kind == COLLECTOR else water, link.line)


def _network(links: list[Link]) -> set[Node]:
    """Return the junctions of the largest part of the network that hangs together: what water or the city's edge cut off is no road."""
    beside: dict[Node, list[Node]] = {}
    for link in links:
        beside.setdefault(link.start, []).append(link.end)
        beside.setdefault(link.end, []).append(link.start)
    best: set[Node] = set()
    seen: set[Node] = set()
    for node in beside:
        if node not in seen:
            part, ahead = {node}, [node]
            while ahead:
                fresh = [other for other in beside[ahead.pop()] if other not in part]
                part.update(fresh)
                ahead += fresh
            seen |= part
            best = max(best, part, key=len)
    return best


class _Namer:
    """Gives every line its name at first use: one for a whole main line, one for each block's local street, one for the ring's sides."""

    def __init__(self, plan: Plan, names: Names) -> None:
        self._plan, self._names = plan, names
        river, ring = plan.river_row, plan.ring
        self._known: dict[_Key, Word] = {
            ("across", river + 1, ARTERIAL): RIVERSIDE,
            ("across", river - 1, ARTERIAL): Word("滨河南路", "Binhe South Road"),
            ("along", plan.centre[0], ARTERIAL): Word("云汀大道", "Yunting Avenue"),
            ("along", ring.west, EXPRESSWAY): Word("西环快速路", "West Ring Expressway"),
            ("along", ring.east, EXPRESSWAY): Word("东环快速路", "East Ring Expressway"),
            ("across", ring.south, EXPRESSWAY): Word("南环快速路", "South Ring Expressway"),
            ("across", ring.north, EXPRESSWAY): Word("北环快速路", "North Ring Expressway"),
            ("along", plan.centre[0], EXPRESSWAY): Word("汀北快速路", "Tingbei Expressway"),
        }

    def name(self, way: str, line: int, kind: int, serial: int) -> Word:
        """Return the name of a piece of lattice line."""
        key = (way, line, kind) if kind != LOCAL else (f"{way} {line}", serial, kind)
        if key not in self._known:
            self._known[key] = self._fresh(way, kind)
        return self._known[key]

    def _fresh(self, way: str, kind: int) -> Word:
        zh, en = _SUFFIX.get((way, kind), ("路", "Road"))
        word = self._names.take(zh)
        return Word(word.zh + zh, f"{word.en} {en}")


def _chains(plan: Plan, named: _Namer, least: int) -> Iterator[Link]:
    """Yield the pieces of every lattice line between nodes where another road of at least class `least` meets it."""
    across, along = np.where(plan.across >= least, plan.across, 0), np.where(plan.along >= least, plan.along, 0)
    crossed = np.zeros((plan.plane.rows + 1, plan.plane.columns + 1), dtype=np.bool_)
    crossed[:-1] |= along > 0
    crossed[1:] |= along > 0
    crossing = np.zeros_like(crossed)
    crossing[:, :-1] |= across > 0
    crossing[:, 1:] |= across > 0
    for row in range(across.shape[0]):
        for kind, low, high, serial in _runs(across[row], crossed[row]):
            yield _link(plan, named.name("across", row, kind, serial), kind, (low, row), (high, row))
    for column in range(along.shape[1]):
        for kind, low, high, serial in _runs(along[:, column], crossing[:, column]):
            yield _link(plan, named.name("along", column, kind, serial), kind, (column, low), (column, high))


def _runs(edges: Classes, stops: Mask) -> Iterator[tuple[int, int, int, int]]:
    """Yield class, first node, last node and the serial of the unbroken stretch, for every piece of one lattice line."""
    begin, serial = 0, 0
    for at in range(1, len(edges) + 1):
        ended = at == len(edges) or edges[at] != edges[begin] or stops[at]
        if ended:
            if edges[begin]:
                yield int(edges[begin]), begin, at, serial
            if at < len(edges) and edges[at] != edges[begin]:
                serial += 1
            begin = at


def _link(plan: Plan, name: Word, kind: int, start: Node, end: Node) -> Link:
    pieces = 2 * max(end[0] - start[0], end[1] - start[1]) + 1  # a bend every half cell
    x, y = plan.plane.metres(np.linspace(start[0], end[0], pieces), np.linspace(start[1], end[1], pieces))
    return Link(name, kind, start, end, shapely.linestrings(np.column_stack([x, y])))


def _underpasses(plan: Plan, sections: list[Link], chance: np.random.Generator) -> list[Underpass]:
    """Find where arterials meet the railway, and where they meet the ring; each gets a name of its own."""
    found: list[Underpass] = []
    for link in sections:
        if link.kind == ARTERIAL:
            for point in shapely.get_coordinates(shapely.intersection(link.line, plan.rail)):
                _dig(found, link, point, Word("", ""), chance)
    for way, fixed, side in (
        (0, plan.ring.west, Word("西环", " West Ring")),
        (0, plan.ring.east, Word("东环", " East Ring")),
        (1, plan.ring.south, Word("南环", " South Ring")),
        (1, plan.ring.north, Word("北环", " North Ring")),
    ):
        low, high = (plan.ring.south, plan.ring.north) if way == 0 else (plan.ring.west, plan.ring.east)
        for link in sections:
            other = link.start[1 - way]
            if link.kind == ARTERIAL and link.start[way] == fixed and link.end[way] != fixed and low < other < high:
                _dig(found, link, shapely.get_coordinates(link.line)[0], side, chance)
    return found


def _dig(found: list[Underpass], link: Link, point: Floats, side: Word, chance: np.random.Generator) -> None:
    """Add an underpass of a road at a point, unless one of this name is there."""
    name = Word(f"{link.name.zh}{side.zh}下穿", f"{link.name.en}{side.en} Underpass")
    if name in (other.name for other in found):
        return
    middle = float(shapely.line_locate_point(link.line, shapely.Point(point)))
    cuts = np.clip([middle - UNDERPASS_HALF, middle, middle + UNDERPASS_HALF], 0, link.length)
    line = shapely.linestrings(shapely.get_coordinates(shapely.line_interpolate_point(link.line, np.unique(cuts))))
    depth, catchment = 3.2 + 2.6 * float(chance.random()), 1.5 + 4 * float(chance.random())
    found.append(Underpass(name, link.name, float(point[0]), float(point[1]), line, round(depth, 1), round(catchment, 1)))
