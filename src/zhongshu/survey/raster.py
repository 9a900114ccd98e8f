"""Polygons drawn onto a grid of pixels: which pixels one polygon fills alone, and which must be looked at exactly.

A pixel touched by any boundary keeps the list of every polygon that may hold a point of it. It must never know what the polygons are.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from zhongshu.survey.areas import Geometries

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Table = npt.NDArray[np.int32]

MAX_PIXELS = 4_000_000
"""The table's ceiling: 16 MB."""
PIXELS_ACROSS = 64
"""How many pixels an average polygon should measure across, if the ceiling allows."""
_SLACK = 1e-6  # of a pixel: far more than the rounding of a coordinate, far less than anything drawn


@dataclass(frozen=True, slots=True)
class Grid:
    """The grid's south-west corner and pixel size (degrees) and its size (pixels)."""

    west: float
    south: float
    width: float
    height: float
    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Raster:
    """The drawn grid. `table`: 0 nobody, k the polygon k - 1 alone, -k the k-th list in `offsets` and `candidates` (best first)."""

    grid: Grid
    table: Table
    offsets: Table
    candidates: Table


@dataclass(frozen=True, slots=True)
class _Edges:
    owner: Ints
    ax: Floats
    ay: Floats
    bx: Floats
    by: Floats


def draw(shapes: Geometries) -> Raster:
    """Draw polygons, of which an earlier one goes before a later one where they overlap."""
    grid = _grid(shapes)
    edges = _edges(shapes, grid)
    touched = np.unique(np.concatenate([*_touched(edges, grid), np.empty(0, dtype=np.int64)]))
    mixed = np.unique(touched % (grid.rows * grid.columns))
    table = np.zeros(grid.rows * grid.columns, dtype=np.int32)
    table[mixed] = -1
    extra = [np.empty(0, dtype=np.int64)]
    for owner, pixel in _filled(edges, grid):
        apart = table[pixel] < 0
        extra.append(owner[apart] * table.size + pixel[apart])
        table[pixel[~apart]] = owner[~apart] + 1
    pairs = np.union1d(touched, np.concatenate(extra))
    owner, pixel = pairs // table.size, pairs % table.size
    order = np.lexsort((owner, pixel))
    table[mixed] = -1 - np.arange(len(mixed), dtype=np.int32)
    offsets = np.searchsorted(pixel[order], np.append(mixed, table.size)).astype(np.int32)
    return Raster(grid, table, offsets, owner[order].astype(np.int32))


def _grid(shapes: Geometries) -> Grid:
    west, south, east, north = shapely.total_bounds(shapes)
    wide, high = max(east - west, 1e-6) * (1 + 1e-9), max(north - south, 1e-6) * (1 + 1e-9)
    area = float(np.median(shapely.area(shapes)))
    pixels = min(MAX_PIXELS, max(4096.0, PIXELS_ACROSS**2 * wide * high / max(area, 1e-18)))
    across = float(np.clip(np.sqrt(pixels * wide / high), 16, MAX_PIXELS // 16))
    columns, rows = int(np.ceil(across)), int(np.ceil(max(16.0, pixels / across)))
    return Grid(float(west), float(south), wide / columns, high / rows, columns, rows)


def _edges(shapes: Geometries, grid: Grid) -> _Edges:
    parts, part_owner = shapely.get_parts(shapes, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    points, point_ring = shapely.get_coordinates(rings, return_index=True)
    x, y = (points[:, 0] - grid.west) / grid.width, (points[:, 1] - grid.south) / grid.height
    same = point_ring[1:] == point_ring[:-1]
    owner = part_owner[ring_part[point_ring[:-1][same]]].astype(np.int64)
    return _Edges(owner, x[:-1][same], y[:-1][same], x[1:][same], y[1:][same])


def _spread(first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """Return, for closed integer ranges, the index of the range and the member, for every member of every range."""
    counts = np.maximum(last - first + 1, 0)
    index = np.repeat(np.arange(len(first)), counts)
    starts = np.cumsum(counts) - counts
    return index, first[index] + np.arange(len(index)) - starts[index]


def _touched(edges: _Edges, grid: Grid) -> Iterator[Ints]:
    """Yield, in slices, owner times pixels + pixel for every pixel that an edge meets, a little too many rather than one too few."""
    for begin in range(0, len(edges.owner), 1 << 16):
        part = slice(begin, begin + (1 << 16))
        ax, ay, bx, by = edges.ax[part], edges.ay[part], edges.bx[part], edges.by[part]
        low, high = np.minimum(ay, by), np.maximum(ay, by)
        index, row = _spread(_floor(low - _SLACK, grid.rows), _floor(high + _SLACK, grid.rows))
        ax, ay, bx, by, low, high = ax[index], ay[index], bx[index], by[index], low[index], high[index]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(by == ay, 0.0, (bx - ax) / (by - ay))
        enter, leave = np.clip(row - _SLACK, low, high), np.clip(row + 1 + _SLACK, low, high)
        flat = high - low <= _SLACK
        x1 = np.where(flat, ax, ax + slope * (enter - ay))
        x2 = np.where(flat, bx, ax + slope * (leave - ay))
        left, right = np.minimum(x1, x2) - _SLACK, np.maximum(x1, x2) + _SLACK
        span, column = _spread(_floor(left, grid.columns), _floor(right, grid.columns))
        yield np.unique(edges.owner[part][index][span] * (grid.rows * grid.columns) + row[span] * grid.columns + column)


def _filled(edges: _Edges, grid: Grid) -> Iterator[tuple[Ints, Ints]]:
    """Yield owners and the pixels whose centres they hold, the last polygon first, so that an earlier one overwrites a later one."""
    order = np.argsort(-edges.owner, kind="stable")
    rows_of = np.abs(edges.by - edges.ay)[order] + 1
    cuts = np.searchsorted(np.cumsum(rows_of), np.arange(0, rows_of.sum(), 1 << 20))
    owners = edges.owner[order]
    begins = np.searchsorted(-owners, -owners[np.minimum(cuts, len(owners) - 1)], side="left") if len(owners) else np.empty(0, dtype=np.int64)
    starts = np.unique(begins).tolist()
    for begin, end in zip(starts, [*starts[1:], len(owners)], strict=True):
        owner, row, left, right = _spans(edges, order[begin:end], grid)
        wide = np.cumsum(np.maximum(right - left + 1, 0))
        for piece in np.array_split(np.arange(len(owner)), max(1, int(wide[-1] >> 22) + 1) if len(wide) else 1):
            span, column = _spread(left[piece], right[piece])
            yield owner[piece][span], row[piece][span] * grid.columns + column


def _spans(edges: _Edges, chosen: Ints, grid: Grid) -> tuple[Ints, Ints, Ints, Ints]:
    """Return owner, row, first and last column of every run of pixel centres inside a polygon (even-odd, so holes stay empty)."""
    ax, ay, bx, by = edges.ax[chosen], edges.ay[chosen], edges.bx[chosen], edges.by[chosen]
    low, high = np.minimum(ay, by), np.maximum(ay, by)
    index, row = _spread(np.ceil(low - 0.5).astype(np.int64), np.ceil(high - 0.5).astype(np.int64) - 1)
    x = ax[index] + (row + 0.5 - ay[index]) * (bx[index] - ax[index]) / (by[index] - ay[index])
    owner = edges.owner[chosen][index]
    order = np.lexsort((x, row, -owner))
    owner, row, x = owner[order][0::2], row[order][0::2], x[order]
    left, right = np.ceil(x[0::2] - 0.5).astype(np.int64), np.ceil(x[1::2] - 0.5).astype(np.int64) - 1
    return owner, np.clip(row, 0, grid.rows - 1), np.maximum(left, 0), np.minimum(right, grid.columns - 1)


def _floor(values: Floats, size: int) -> Ints:
    return np.clip(np.floor(values), 0, size - 1).astype(np.int64)
