"""The street graph that all networks of a made city share: junctions with their height, links between them, and ways through them.

Local metres, as everywhere in the maker; what is written into a model is turned into EPSG:4550 (`survey_plane`). It must never know what a network carries.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from zhongshu.survey.maker.bones.sheet import given
from zhongshu.survey.maker.land import CENTRAL, INDUSTRY, MIXED, SCHOOL, Ints, Land
from zhongshu.survey.maker.plan import COLLECTOR, Plan
from zhongshu.survey.maker.plane import Floats, to_degrees
from zhongshu.survey.maker.roads import Link, Roads, junctions

_WORK = np.array([0.1, 6.0, 2.5, 0.4, 1.0, 2.0, 2.0, 0.2])
"""How much a cell of each use draws people by day, beside its people."""


@dataclass(frozen=True, slots=True)
class Streets:
    """Junctions (`names`, `xy` in local metres, `ground` in metres) and links with the junctions at their ends (rows of `ends`).

    `people`, `draw` and `area` (ha) are those of the cells nearest to each junction; `cell` is the junction of each cell of the land.
    """

    plan: Plan
    land: Land
    roads: Roads
    names: list[str]
    xy: Floats
    ground: Floats
    links: list[Link]
    ends: Ints
    length: Floats
    kind: Ints
    cell: Ints
    people: Floats
    draw: Floats

    @property
    def signals(self) -> list[int]:
        """Return the junctions with a signal: where three or more collectors, arterials or expressways meet."""
        main = self.ends[self.kind >= COLLECTOR].ravel()
        return [int(at) for at in np.flatnonzero(np.bincount(main, minlength=len(self.names)) >= 3)]  # noqa: PLR2004 (three legs)


def lay_streets(plan: Plan, land: Land, roads: Roads) -> Streets:
    """Make the graph of a city's links; the names of junctions are those that the roads' facets give."""
    nodes = junctions(roads.links)
    place = {node: at for at, node in enumerate(nodes)}
    xy = np.zeros((len(nodes), 2))
    ends = np.array([[place[link.start], place[link.end]] for link in roads.links], dtype=np.int64)
    for row, link in zip(ends, roads.links, strict=True):
        xy[row] = shapely.get_coordinates(link.line)[[0, -1]]
    xy = np.round(xy, 3)
    cell = nearest(xy, np.column_stack([land.x, land.y]))
    people = summed(cell, land.people, len(xy))
    draw = summed(cell, land.people * 0.3 + 20 * _WORK[land.use], len(xy))
    kind = np.array([link.kind for link in roads.links], dtype=np.int64)
    length = np.round([link.length for link in roads.links], 2)
    return Streets(plan, land, roads, list(nodes.values()), xy, ground(plan, xy), roads.links, ends, length, kind, cell, people, draw)


def ground(plan: Plan, xy: Floats) -> Floats:
    """Return the height of the ground (m): it rises from the water, in waves."""
    water = plan.water
    shapely.prepare(water)
    away = np.minimum(shapely.distance(water, shapely.points(xy)), given("ground.reach"))
    turn = 2 * np.pi / given("ground.wavelength")
    wave = np.sin(turn * xy[:, 0] + 1.3 * np.sin(turn * 0.6 * xy[:, 1])) * np.cos(turn * 0.83 * xy[:, 1])
    height: Floats = np.round(given("ground.bank") + given("ground.rise") * away + given("ground.wave") * wave, 3)
    return height


def nearest(xy: Floats, points: Floats) -> Ints:
    """Return the row of `xy` nearest to each point."""
    found: Ints = shapely.STRtree(shapely.points(xy)).nearest(shapely.points(points)).astype(np.int64)
    return found


Beside = Sequence[Sequence[tuple[int, int, float]]]
"""Of each node: neighbour, link, cost of the way from the node to it."""


def beside(count: int, ends: Iterable[tuple[int, int]], there: Sequence[float], back: Sequence[float]) -> Beside:
    """Return the neighbours of every node; a link costs `there` from its first end to its second, `back` the other way."""
    out: list[list[tuple[int, int, float]]] = [[] for _ in range(count)]
    for at, (one, other) in enumerate(ends):
        out[one].append((other, at, there[at]))
        out[other].append((one, at, back[at]))
    return out


@dataclass(frozen=True, slots=True)
class Tree:
    """Shortest ways to the nearest root: of each node its `parent` and the `link` to it (-1 of a root, -2 where no way leads), its root, and the cost.

    `order`: nodes from the roots outward.
    """

    parent: list[int]
    link: list[int]
    root: list[int]
    cost: list[float]
    order: list[int]

    def way(self, node: int) -> list[int]:
        """Return the nodes from one to its root."""
        out = [node]
        while self.parent[out[-1]] >= 0:
            out.append(self.parent[out[-1]])
        return out

    def gathered(self, values: Floats) -> Floats:
        """Return of each node what it and all behind it add up to."""
        out = np.array(values, dtype=np.float64)
        for node in reversed(self.order):
            if self.parent[node] >= 0:
                out[self.parent[node]] += out[node]
        return out


def grow_tree(graph: Beside, roots: Mapping[int, float]) -> Tree:
    """Grow a tree of least cost outward from roots, each of which has a cost of its own; ties go to the lower number."""
    count = len(graph)
    parent, link, root, cost = [-2] * count, [-2] * count, [-1] * count, [float("inf")] * count
    heap: list[tuple[float, int, int, int]] = []
    for node, start in sorted(roots.items()):
        heapq.heappush(heap, (start, node, -1, -1))
    order = []
    while heap:
        reached, node, before, by = heapq.heappop(heap)
        if parent[node] != -2:  # noqa: PLR2004 (not reached yet)
            continue
        parent[node], link[node], cost[node] = before, by, reached
        root[node] = node if before < 0 else root[before]
        order.append(node)
        for other, at, price in graph[node]:
            if parent[other] == -2:  # noqa: PLR2004 (not reached yet)
                heapq.heappush(heap, (reached + price, other, node, at))
    return Tree(parent, link, root, cost, order)


def shares(xy: Floats, weight: Floats, count: int) -> Ints:
    """Label points 0 … count - 1 by cutting them in two again and again across their longer side, each part of about the same weight."""
    label = np.zeros(len(xy), dtype=np.int64)
    if count <= 1 or len(xy) < count:
        return label
    axis = int(np.argmax(np.ptp(xy, axis=0)))
    order = np.lexsort([np.arange(len(xy)), xy[:, axis]])
    low = count // 2
    total = np.cumsum(weight[order] + 1e-6)
    cut = int(np.clip(np.searchsorted(total, total[-1] * low / count), low, len(xy) - (count - low)))
    first, second = order[:cut], order[cut:]
    label[first] = shares(xy[first], weight[first], low)
    label[second] = low + shares(xy[second], weight[second], count - low)
    return label


def middles(xy: Floats, weight: Floats, count: int, among: Ints) -> list[int]:
    """Return `count` nodes of those `among` which one may choose, each in the middle of a share of the weight, no node twice."""
    label = shares(xy, weight, count)
    left = list(among)
    out = []
    for one in np.unique(label):
        held = label == one
        middle = np.average(xy[held], axis=0, weights=weight[held] + 1e-6)
        best = min(left, key=lambda node: (float(np.hypot(*(xy[node] - middle))), node))
        out.append(int(best))
        if len(left) > 1:
            left.remove(best)
    return out


def used(land: Land, streets_cell: Ints, count: int) -> tuple[Floats, Floats]:
    """Return the hectares of the centre and of industry at each junction."""
    central = np.isin(land.use, [CENTRAL]) + 0.35 * np.isin(land.use, [MIXED, SCHOOL])
    return summed(streets_cell, central, count), summed(streets_cell, land.use == INDUSTRY, count)


def summed(at: Ints, values: npt.ArrayLike, count: int) -> Floats:
    """Return of each of `count` places what the values there add up to."""
    return np.bincount(at, np.asarray(values), count).astype(np.float64)


def survey_plane(xy: Floats) -> Floats:
    """Turn local metres into the models' plane (EPSG:4550: east, north), to the centimetre, so that degrees come back to where the entities stand."""
    lon, lat = to_degrees(xy[:, 0], xy[:, 1])
    east, north = pyproj.Transformer.from_crs("EPSG:4490", f"EPSG:{given('plane.epsg'):.0f}", always_xy=True).transform(lon, lat)
    return np.round(np.column_stack([east, north]), 2)


def flat(line: shapely.Geometry) -> Floats:
    """Return a line's points in local metres, (n, 2)."""
    points: Floats = shapely.get_coordinates(line)
    return points
