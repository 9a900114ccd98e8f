"""The buildings of a made city: every cell of a use gets a pattern of blocks, slabs or halls, kept clear of roads, water, railway and ring.

It must never know who lives in them.
"""

from dataclasses import dataclass

import numpy as np
import shapely

from zhongshu.survey.areas import Geometries
from zhongshu.survey.maker.land import CENTRAL, HOUSING, INDUSTRY, MIXED, OLD, OPEN, PARK, SCHOOL, Ints, Land
from zhongshu.survey.maker.plan import EXPRESSWAY, Plan
from zhongshu.survey.maker.plane import CELL, Floats, to_degrees

_MARGIN = np.array([7.0, 10.0, 15.0, 22.0, 32.0]) / CELL
"""The share of a cell kept clear along an edge, by the class of the road there."""

_Rect = tuple[float, float, float, float]
_PATTERNS: dict[int, tuple[tuple[_Rect, ...], ...]] = {
    OPEN: ((), (), (), ((0.2, 0.3, 0.38, 0.45),), ((0.55, 0.6, 0.72, 0.75),)),
    CENTRAL: (((0.05, 0.08, 0.95, 0.92),), ((0.02, 0.05, 0.44, 0.95), (0.56, 0.1, 0.98, 0.9)), ((0.05, 0.55, 0.45, 0.95), (0.55, 0.5, 0.95, 0.9), (0.1, 0.04, 0.9, 0.36))),
    MIXED: (
        ((0.02, 0.05, 0.46, 0.4), (0.56, 0.05, 0.97, 0.42), (0.02, 0.6, 0.97, 0.95)),
        ((0.04, 0.05, 0.32, 0.95), (0.46, 0.6, 0.95, 0.95), (0.46, 0.08, 0.95, 0.4)),
        ((0.05, 0.1, 0.95, 0.38), (0.1, 0.6, 0.5, 0.95)),
    ),
    HOUSING: (
        ((0.0, 0.03, 0.46, 0.2), (0.54, 0.03, 1.0, 0.2), (0.0, 0.42, 0.46, 0.59), (0.54, 0.42, 1.0, 0.59), (0.02, 0.8, 0.98, 0.97)),
        ((0.03, 0.06, 0.97, 0.24), (0.03, 0.46, 0.97, 0.64), (0.03, 0.82, 0.97, 0.99)),
        ((0.1, 0.1, 0.38, 0.34), (0.62, 0.12, 0.9, 0.36), (0.12, 0.62, 0.4, 0.86), (0.64, 0.64, 0.92, 0.88)),
    ),
    OLD: (
        (
            (0.0, 0.0, 0.3, 0.26),
            (0.36, 0.02, 0.64, 0.3),
            (0.7, 0.0, 1.0, 0.24),
            (0.0, 0.38, 0.28, 0.64),
            (0.34, 0.4, 0.62, 0.66),
            (0.7, 0.36, 0.98, 0.62),
            (0.02, 0.74, 0.44, 1.0),
            (0.54, 0.74, 1.0, 0.98),
        ),
        ((0.0, 0.04, 0.44, 0.3), (0.52, 0.0, 1.0, 0.3), (0.0, 0.4, 0.4, 0.68), (0.5, 0.4, 1.0, 0.64), (0.04, 0.78, 0.96, 1.0)),
    ),
    INDUSTRY: (((0.03, 0.05, 0.97, 0.46), (0.03, 0.58, 0.7, 0.96)), ((0.05, 0.06, 0.95, 0.92),), ((0.04, 0.06, 0.48, 0.94), (0.58, 0.06, 0.97, 0.6))),
    SCHOOL: (((0.04, 0.06, 0.9, 0.2), (0.04, 0.34, 0.2, 0.94)), ((0.08, 0.7, 0.92, 0.88), (0.08, 0.12, 0.28, 0.56))),
    PARK: ((), (), (), ((0.42, 0.44, 0.56, 0.56),)),
}
_SLABS = np.array([18.0, 18.0, 19.5, 33.0, 54.0, 78.0])


@dataclass(frozen=True, slots=True)
class Buildings:
    """Footprints (degrees), heights in metres, and for each the row of its cell in the land."""

    shapes: Geometries
    height: Floats
    cell: Ints


def build(plan: Plan, land: Land, chance: np.random.Generator) -> Buildings:
    """Put up the buildings of every cell."""
    cell, rects = _choose(land, chance)
    west, south, east, north = (_clear(plan, land, cell, side) for side in range(4))
    s = west[:, None] + rects[:, [0, 2, 2, 0, 0]] * (1 - west - east)[:, None]
    t = south[:, None] + rects[:, [1, 1, 3, 3, 1]] * (1 - south - north)[:, None]
    x, y = plan.plane.metres(land.i[cell][:, None] + s, land.j[cell][:, None] + t)
    blocked = shapely.union_all([shapely.buffer(plan.water, 12), shapely.buffer(plan.rail, 24)])
    shapely.prepare(blocked)
    free = ~shapely.intersects(blocked, shapely.polygons(np.stack([x, y], axis=-1)))
    lon, lat = to_degrees(x[free], y[free])
    return Buildings(shapely.polygons(np.stack([lon, lat], axis=-1)), _heights(land, cell, chance)[free], cell[free])


def _choose(land: Land, chance: np.random.Generator) -> tuple[Ints, Floats]:
    """Return, for every building, its cell and its rectangle in the unit square (west, south, east, north)."""
    draw = chance.random(len(land.use))
    cells, rects = [], []
    for use, patterns in _PATTERNS.items():
        for number, pattern in enumerate(patterns):
            chosen = np.flatnonzero((land.use == use) & ((draw * len(patterns)).astype(np.int64) == number))
            for rect in pattern:
                cells.append(chosen)
                rects.append(np.tile(np.array(rect), (len(chosen), 1)))
    cell, rect_ = np.concatenate(cells), np.concatenate(rects)
    order = np.argsort(cell, kind="stable")
    jitter = (chance.random((len(cell), 4)) - 0.5) * 0.035
    kept = chance.random(len(cell)) < 0.78 + 0.2 * land.central[cell[order]]
    return cell[order][kept], np.clip(rect_[order] + jitter, 0.0, 1.0)[kept]


def _clear(plan: Plan, land: Land, cell: Ints, side: int) -> Floats:
    """Return the share of each building's cell kept clear at one side: west, south, east, north."""
    i, j = land.i[cell] + (side == 2), land.j[cell] + (side == 3)  # noqa: PLR2004 (sides in the order above)
    kind = plan.along[j, i] if side in {0, 2} else plan.across[j, i]
    share: Floats = _MARGIN[np.minimum(kind, EXPRESSWAY)]
    return share


def _heights(land: Land, cell: Ints, chance: np.random.Generator) -> Floats:
    """Draw heights (metres): a peak in the centre, slabs of the usual numbers of floors, low halls and old quarters."""
    use, central = land.use[cell], land.central[cell]
    draw = chance.random(len(cell))
    tower = 14 + chance.gamma(2.2, 1.0, len(cell)) * (7 + 34 * central**2.2)
    slab = _SLABS[np.minimum((draw * (2.2 + 4.2 * central)).astype(np.int64), len(_SLABS) - 1)]
    low = 6 + 7 * draw
    choice = [use == CENTRAL, use == MIXED, use == HOUSING, use == OLD, use == INDUSTRY, use == SCHOOL]
    height = np.select(choice, [tower, 12 + tower * 0.4, slab, 6 + 9 * draw, 8 + 8 * draw, 14 + 6 * draw], low)
    rounded: Floats = np.round(np.minimum(height, 248.0), 1)
    return rounded
