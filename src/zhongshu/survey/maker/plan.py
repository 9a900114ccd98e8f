"""The plan of a made city: which lattice lines are roads of which class, where river, canal, lake and railway run, which blocks are the city.

It must never know names, people or devices.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely

from zhongshu.survey.maker.plane import CELL, Floats, Plane

LOCAL, COLLECTOR, ARTERIAL, EXPRESSWAY = 1, 2, 3, 4
CLASSES = {LOCAL: "local", COLLECTOR: "collector", ARTERIAL: "arterial", EXPRESSWAY: "expressway"}

Classes = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ring:
    """The ring expressway: two columns and two rows of the lattice."""

    west: int
    south: int
    east: int
    north: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything drawn before people move in. Shapes are in local metres.

    `across[j, i]` is the class of the lattice edge from (i, j) to (i + 1, j), `along[j, i]` of that from (i, j) to (i, j + 1); 0 no road.
    """

    plane: Plane
    inside: Mask
    column_class: Classes
    row_class: Classes
    ring: Ring
    centre: tuple[int, int]
    river_row: int
    across: Classes
    along: Classes
    river: shapely.Geometry
    canal: shapely.Geometry
    lake: shapely.Geometry
    rail: shapely.Geometry

    @property
    def water(self) -> shapely.Geometry:
        """Return river, canal and lake as one shape."""
        return shapely.union_all([self.river, self.canal, self.lake])


def draw_plan(cells: int, chance: np.random.Generator) -> Plan:
    """Draw the plan of a city of about this many cells."""
    plane = Plane.of(cells, chance)
    river_row = round(plane.rows * 0.46)
    centre_column = round(plane.columns * (0.47 + 0.06 * chance.random()))
    columns = _lines(plane.columns, [centre_column], chance)
    rows = _lines(plane.rows, [river_row + 1, river_row - 1], chance)
    rows[river_row] = 0
    ring = _ring(columns, rows, centre_column, river_row)
    inside = _inside(plane, columns, rows, chance)
    river, canal, lake = _water(plane, (columns, rows), river_row, ring, chance)
    across, along = _edges(inside, columns, rows, chance)
    _bridges(along, columns, river_row, chance)
    _lay_ring(across, along, ring, centre_column, inside)
    return Plan(plane, inside, columns, rows, ring, (centre_column, river_row), river_row, across, along, river, canal, lake, _rail(plane))


def _lines(size: int, fixed: list[int], chance: np.random.Generator) -> Classes:
    """Return the class of each lattice line: arterials 8 to 11 cells apart outward from the fixed ones, a collector about midway."""
    line = np.zeros(size + 1, dtype=np.int8)
    line[fixed] = ARTERIAL
    for start, step in ((max(fixed), 1), (min(fixed), -1)):
        at = start
        while 4 <= (following := at + step * int(chance.integers(8, 12))) <= size - 4:  # noqa: PLR2004 (room for a block at the edge)
            line[following] = ARTERIAL
            at = following
    marks = [0, *np.flatnonzero(line).tolist(), size]
    for low, high in pairwise(marks):
        if high - low >= 6:  # noqa: PLR2004 (a gap too wide for one block)
            line[(low + high + int(chance.integers(0, 2))) // 2] = COLLECTOR
    return line


def _ring(columns: Classes, rows: Classes, centre: int, river: int) -> Ring:
    def nearest(lines: Classes, wanted: float, low: int, high: int) -> int:
        options = [int(k) for k in np.flatnonzero(lines == ARTERIAL) if low <= k <= high]
        return min(options, key=lambda k: abs(k - wanted)) if options else round(min(max(wanted, low), high))

    wide, high = len(columns) - 1, len(rows) - 1
    return Ring(
        nearest(columns, wide * 0.2, 1, centre - 3),
        nearest(rows, high * 0.18, 1, river - 3),
        nearest(columns, wide * 0.8, centre + 3, wide - 1),
        nearest(rows, high * 0.82, river + 3, high - 1),
    )


def _inside(plane: Plane, columns: Classes, rows: Classes, chance: np.random.Generator) -> Mask:
    """Choose which blocks between main lines are the city: the corners fall away."""
    column_block = np.cumsum(columns[:-1] > 0)
    row_block = np.cumsum(rows[:-1] > 0)
    u = np.bincount(column_block, 2 * (np.arange(plane.columns) + 0.5) / plane.columns - 1) / np.bincount(column_block)
    v = np.bincount(row_block, 2 * (np.arange(plane.rows) + 0.5) / plane.rows - 1) / np.bincount(row_block)
    angle, phase = np.arctan2(v[:, None], u[None, :]), 2 * np.pi * chance.random(2)
    wave = 0.05 * np.sin(2 * angle + phase[0]) + 0.04 * np.sin(3 * angle + phase[1])
    block = (np.abs(u[None, :]) ** 5 + np.abs(v[:, None]) ** 5) ** 0.2 + wave < 1.03  # noqa: PLR2004 (the outline's superellipse)
    block |= (np.abs(u[None, :]) < 0.6) & (np.abs(v[:, None]) < 0.6)  # noqa: PLR2004 (the core is always city)
    chosen: Mask = block[row_block][:, column_block]
    return chosen


def _water(plane: Plane, lines: tuple[Classes, Classes], row: int, ring: Ring, chance: np.random.Generator) -> tuple[shapely.Geometry, ...]:
    """Return the river along its lattice row, a canal that runs into it from the north, and a lake in a block by the ring."""
    wide = float(np.clip(plane.columns * CELL * 0.013, 34.0, 112.0))
    i = np.linspace(-0.17 * plane.columns, 1.17 * plane.columns, 260)
    half = wide / 2 * (1 + 0.12 * np.sin(i / plane.columns * 9 + 1))
    river = _ribbon(*plane.metres(i, np.full(260, row)), half)
    canal_column = _gap(lines[0] > 0, (ring.west + plane.columns // 2) / 2)[0]
    j = np.linspace(row, 1.15 * plane.rows, 160)
    sway = canal_column + 0.35 * np.sin((j - row) / plane.rows * 11)
    canal = _ribbon(*plane.metres(sway, j), np.full(160, max(7.0, wide * 0.13)))
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    bumps = 1 + 0.16 * np.sin(3 * angle + 2 * np.pi * chance.random()) + 0.09 * np.sin(5 * angle + 2 * np.pi * chance.random())
    lake_i, room_i = _gap(lines[0] >= ARTERIAL, ring.east - plane.columns * 0.13)
    lake_j, room_j = _gap(lines[1] >= ARTERIAL, row + (ring.north - row) * 0.56)
    wide_i, wide_j = min(plane.columns * 0.05, 0.72 * room_i), min(plane.columns * 0.04, 0.72 * room_j)
    x, y = plane.metres(lake_i + wide_i * bumps * np.cos(angle), lake_j + wide_j * bumps * np.sin(angle))
    return river, canal, shapely.polygons(np.column_stack([x, y]))


def _gap(lines: Mask, wanted: float) -> tuple[float, float]:
    """Return the middle and half the width of the gap between two lines that is nearest to a wanted place."""
    marks = np.unique([0, *np.flatnonzero(lines), len(lines) - 1])
    middles = (marks[1:] + marks[:-1]) / 2
    best = int(np.argmin(np.abs(middles - wanted)))
    return float(middles[best]), float(marks[best + 1] - marks[best]) / 2


def _ribbon(x: Floats, y: Floats, half: Floats) -> shapely.Geometry:
    dx, dy = np.gradient(x), np.gradient(y)
    length = np.hypot(dx, dy)
    left = np.column_stack([x - dy / length * half, y + dx / length * half])
    right = np.column_stack([x + dy / length * half, y - dx / length * half])
    return shapely.make_valid(shapely.polygons(np.concatenate([left, right[::-1]])))


def _rail(plane: Plane) -> shapely.Geometry:
    s = np.linspace(0, 1, 200)
    i = (-0.12 + 1.24 * s) * plane.columns
    j = (0.83 - 0.56 * s + 0.05 * np.sin(2 * np.pi * s)) * plane.rows
    return shapely.linestrings(np.column_stack(plane.metres(i, j)))


def _edges(inside: Mask, columns: Classes, rows: Classes, chance: np.random.Generator) -> tuple[Classes, Classes]:
    """Give every lattice edge its class: main lines wherever they touch the city, local streets within their own block only."""
    high, wide = inside.shape
    padded = np.pad(inside, 1)
    touches_row = padded[1:, 1:-1] | padded[:-1, 1:-1]
    touches_column = padded[1:-1, 1:] | padded[1:-1, :-1]
    across = np.where(touches_row, rows[:, None], 0).astype(np.int8)
    along = np.where(touches_column, columns[None, :], 0).astype(np.int8)
    lines_i, lines_j = np.unique([0, *np.flatnonzero(columns), wide]), np.unique([0, *np.flatnonzero(rows), high])
    for west, east in pairwise(lines_i):
        for south, north in pairwise(lines_j):
            if inside[south, west]:
                away = np.hypot((west + east) / wide - 1, (south + north) / high - 1)
                busy = 0.97 - 0.45 * min(1.0, float(away))
                for k in _inner(int(west), int(east), busy, chance):
                    along[south:north, k] = np.maximum(along[south:north, k], LOCAL)
                for k in _inner(int(south), int(north), busy, chance):
                    across[k, west:east] = np.maximum(across[k, west:east], LOCAL)
    return across, along


def _inner(low: int, high: int, busy: float, chance: np.random.Generator) -> list[int]:
    """Choose the local streets between two main lines: every second or third lattice line, some left out."""
    chosen, at = [], low + int(chance.integers(2, 4))
    while at <= high - 2:
        if chance.random() < busy:
            chosen.append(at)
        at += int(chance.integers(2, 4))
    return chosen


def _bridges(along: Classes, columns: Classes, river: int, chance: np.random.Generator) -> None:
    """Let only arterials and a third of the collectors cross the river."""
    for i, kind in enumerate(columns):
        if kind < ARTERIAL and not (kind == COLLECTOR and chance.random() < 0.34):  # noqa: PLR2004 (a third)
            along[river - 1 : river + 1, i] = 0


def _lay_ring(across: Classes, along: Classes, ring: Ring, centre: int, inside: Mask) -> None:
    """Raise the ring, and the two ways out of town from it, to expressway."""
    along[ring.south : ring.north, [ring.west, ring.east]] = EXPRESSWAY
    across[[ring.south, ring.north], ring.west : ring.east] = EXPRESSWAY
    for part in (slice(0, ring.south), slice(ring.north, inside.shape[0])):
        edge = along[part, centre]
        edge[edge > 0] = EXPRESSWAY
