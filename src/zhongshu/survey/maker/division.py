"""The division of a made city into districts, streets, communities and cells: cut after cut along main lines, so that borders follow roads and river.

It must never know devices or buildings.
"""

from dataclasses import dataclass

import numpy as np
import shapely

from zhongshu.kernel.area import Area, Level
from zhongshu.survey.areas import Areas, Geometries
from zhongshu.survey.maker.land import Ints, Land
from zhongshu.survey.maker.names import CITY, DISTRICTS, Names, Word
from zhongshu.survey.maker.plan import ARTERIAL, COLLECTOR, Classes, Plan
from zhongshu.survey.maker.plane import DIGITS, ORIGIN, Floats
from zhongshu.survey.numbering import check_room, child_code, serials

CITY_CODE = 9901 * 10**11
PEOPLE = {Level.STREET: 7_500, Level.COMMUNITY: 2_000}
"""How many people a street and a community have, about."""


@dataclass(frozen=True, slots=True)
class _Ground:
    plan: Plan
    land: Land
    weight: Floats
    cells: Geometries


@dataclass(frozen=True, slots=True)
class Division:
    """The areas, and for each cell of the land its 15-digit code."""

    areas: Areas
    code: Ints


def divide(plan: Plan, land: Land, population: int, names: Names) -> Division:
    """Divide the land and name every part."""
    ground = _Ground(plan, land, land.people + 0.3 * land.people.mean(), _cells(plan, land))
    district = _districts(ground, population)
    street = _below(ground, district, Level.STREET)
    community = _below(ground, street, Level.COMMUNITY)
    rows, shapes = [_area(CITY_CODE, CITY, population, shapely.Point(ORIGIN))], [_merged(ground.cells)]
    code, each = np.full(len(ground.cells), CITY_CODE, dtype=np.int64), np.arange(len(ground.cells))
    for level, group in ((Level.DISTRICT, district), (Level.STREET, street), (Level.COMMUNITY, community), (Level.CELL, each)):
        code = _number(code, group, ground.cells)
        level_rows, level_shapes = _describe(ground, level, code, names, {row.code: row for row in rows})
        rows += level_rows
        shapes += level_shapes
    unplaced = Area(CITY_CODE + 99 * 10**9, "未定位区域", "Unplaced", lon=ORIGIN[0], lat=ORIGIN[1])
    return Division(Areas([*rows, unplaced], [*shapes, None]), code)


def _area(code: int, name: Word, people: int, point: shapely.Point) -> Area:
    return Area(code, name.zh, name.en, population=people, lon=round(point.x, DIGITS), lat=round(point.y, DIGITS))


def _cells(plan: Plan, land: Land) -> Geometries:
    corner_j, corner_i = np.mgrid[0 : plan.plane.rows + 1, 0 : plan.plane.columns + 1]
    lon, lat = plan.plane.degrees(corner_i, corner_j)
    corners = [(0, 0), (0, 1), (1, 1), (1, 0), (0, 0)]
    rings = np.stack([np.stack([lon[land.j + dj, land.i + di], lat[land.j + dj, land.i + di]], axis=-1) for dj, di in corners], axis=1)
    cells: Geometries = shapely.polygons(rings)
    return cells


def _merged(cells: Geometries) -> shapely.Geometry:
    return shapely.coverage_union_all(cells)


def _districts(ground: _Ground, population: int) -> Ints:
    """Cut the city at the river first, then each bank at its arterials."""
    count = int(np.clip(round(6 * (population / 300_000) ** 0.35), 2, len(DISTRICTS)))
    north, weight = ground.land.j >= ground.plan.river_row, ground.weight
    share = float(weight[north].sum() / weight.sum())
    above = int(np.clip(round(count * share), 1, count - 1))
    label = np.zeros(len(weight), dtype=np.int64)
    label[north] = _split(ground, np.flatnonzero(north), above, Level.DISTRICT)
    label[~north] = above + _split(ground, np.flatnonzero(~north), count - above, Level.DISTRICT)
    return label


def _below(ground: _Ground, group: Ints, level: Level) -> Ints:
    """Cut every group into parts of about as many people as the level has."""
    label = np.zeros(len(group), dtype=np.int64)
    begin = 0
    for one in np.unique(group):
        members = np.flatnonzero(group == one)
        count = int(np.clip(round(ground.land.people[members].sum() / PEOPLE[level]), 2, max(2, len(members) // 4)))
        label[members] = begin + _split(ground, members, count, level)
        begin += count
    return label


def _split(ground: _Ground, members: Ints, count: int, level: Level) -> Ints:
    """Label members 0 … count - 1 by cutting them in two again and again along the best lattice line."""
    label = np.zeros(len(members), dtype=np.int64)
    if count <= 1 or len(members) < count:
        return label
    low = count // 2
    i, j, weight = ground.land.i[members], ground.land.j[members], ground.weight[members]
    wide, high = int(np.ptp(i)) + 1, int(np.ptp(j)) + 1
    best: tuple[float, int, int] | None = None
    for axis, (at, line, length, other) in enumerate(((i, ground.plan.column_class, wide, high), (j, ground.plan.row_class, high, wide))):
        found = _cut(at, weight, line, low / count, level)
        if found is not None:
            offence = found[0] + 0.22 * max(0.0, other / length - 1)
            best = min(best, (offence, axis, found[1])) if best else (offence, axis, found[1])
    if best is None:
        return label
    first = (i if best[1] == 0 else j) < best[2]
    label[first] = _split(ground, members[first], low, level)
    label[~first] = low + _split(ground, members[~first], count - low, level)
    return label


def _cut(at: Ints, weight: Floats, line: Classes, share: float, level: Level) -> tuple[float, int] | None:
    """Return the least offence and the lattice line of a cut that leaves about `share` of the weight below it."""
    low, high = int(at.min()), int(at.max())
    if high == low:
        return None
    below = np.cumsum(np.bincount(at - low, weight))[:-1] / weight.sum()
    kinds = line[low + 1 : high + 1]
    wanted = ARTERIAL if level is not Level.COMMUNITY else COLLECTOR
    offence = np.abs(below - share) * 1.6 + np.where(kinds >= wanted, 0.0, np.where(kinds >= COLLECTOR, 0.12, 0.3))
    best = int(np.argmin(offence))
    return float(offence[best]), low + 1 + best


def _number(up: Ints, group: Ints, cells: Geometries) -> Ints:
    """Turn labels into codes: the children of each parent counted from north to south, from west to east."""
    labels, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    middle = shapely.get_coordinates(shapely.centroid(cells))
    size = np.bincount(inverse)
    lon, lat = np.bincount(inverse, middle[:, 0]) / size, np.bincount(inverse, middle[:, 1]) / size
    parents = up[first]
    code = np.zeros(len(labels), dtype=np.int64)
    for one in np.unique(parents):
        members = np.flatnonzero(parents == one)
        check_room(int(one), len(members))
        code[members] = [child_code(int(one), int(serial)) for serial in serials(lon[members], lat[members])]
    return code[inverse]


def _describe(ground: _Ground, level: Level, code: Ints, names: Names, known: dict[int, Area]) -> tuple[list[Area], list[shapely.Geometry]]:
    """Return every area of a level with its name, people, label point and shape."""
    codes, inverse = np.unique(code, return_inverse=True)
    total = np.bincount(inverse, ground.land.people).astype(np.int64)
    order = np.argsort(inverse, kind="stable")
    cuts = np.searchsorted(inverse[order], np.arange(1, len(codes)))
    shapes = list(ground.cells[order]) if level is Level.CELL else [_merged(part) for part in np.split(ground.cells[order], cuts)]
    points = [shape.centroid if shape.covers(shape.centroid) else shape.point_on_surface() for shape in shapes]
    rows = [_area(int(one), _name(level, int(one), names, known), int(count), point) for one, count, point in zip(codes, total, points, strict=True)]
    return rows, shapes


def _name(level: Level, code: int, names: Names, known: dict[int, Area]) -> Word:
    if level is Level.DISTRICT:
        return DISTRICTS[code // 10**9 % 100 - 1]
    if level is Level.CELL:
        up, serial = known[code // 1000 * 1000], code % 1000
        return Word(f"{up.name_zh}{serial:03d}网格", f"{up.name_en} Cell {serial:03d}")
    word = names.take(level.name)
    if level is Level.STREET:
        return Word(f"{word.zh}街道", f"{word.en} Subdistrict")
    return Word(f"{word.zh}社区", f"{word.en} Community")
