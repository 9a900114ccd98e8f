"""What each cell of a made city is used for, and how many people live there.

It must never know to which street or community a cell belongs.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from zhongshu.survey.maker.plan import Plan
from zhongshu.survey.maker.plane import Floats

OPEN, CENTRAL, MIXED, HOUSING, OLD, INDUSTRY, SCHOOL, PARK = range(8)
USES = ("open", "central", "mixed", "housing", "old", "industry", "school", "park")
NOISE_ZONE = ("1", "2", "2", "1", "2", "3", "1", "0")
"""The class of acoustic environment that goes with each use, before roads and railway."""

_CROWD = np.array([0.06, 0.8, 1.25, 1.5, 1.1, 0.12, 0.25, 0.0])

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Land:
    """One row per cell of the city, south to north, west to east: lattice place, use, people, middle (metres) and centrality (1 centre … 0 edge)."""

    i: Ints
    j: Ints
    use: Ints
    people: Ints
    x: Floats
    y: Floats
    central: Floats


def settle(plan: Plan, population: int, chance: np.random.Generator) -> Land:
    """Give every cell a use and its share of the population, which adds up exactly."""
    j, i = np.nonzero(plan.inside)
    x, y = plan.plane.metres(i + 0.5, j + 0.5)
    columns, rows = plan.plane.columns, plan.plane.rows
    away = np.hypot((i + 0.5 - plan.centre[0]) / (columns / 2), (j + 0.5 - plan.centre[1] - 2) / (rows / 2))
    second = np.hypot((i + 0.5 - columns * 0.76) / (columns / 2), (j + 0.5 - rows * 0.3) / (rows / 2))
    central = np.clip(np.exp(-((away / 0.52) ** 1.6)) + 0.45 * np.exp(-((second / 0.17) ** 2)), 0, 1)
    use = _uses(plan, i, j, central, chance)
    points = shapely.points(x, y)
    wet = shapely.intersects(_prepared(shapely.buffer(plan.water, 30)), points)
    use[wet] = PARK
    use[shapely.intersects(_prepared(shapely.buffer(plan.lake, 260)), points)] = PARK
    weight = _CROWD[use] * (0.16 + central**0.8) * (0.75 + 0.5 * chance.random(len(i)))
    return Land(i.astype(np.int64), j.astype(np.int64), use, _apportion(weight, population), x, y, central)


def _prepared(shape: shapely.Geometry) -> shapely.Geometry:
    shapely.prepare(shape)
    return shape


def _uses(plan: Plan, i: Ints, j: Ints, central: Floats, chance: np.random.Generator) -> Ints:
    """Choose uses block by block, so that a quarter has one character, with a few cells that differ."""
    column_block = np.cumsum(plan.column_class[:-1] > 0)
    row_block = np.cumsum(plan.row_class[:-1] > 0)
    block = row_block[j] * (column_block[-1] + 1) + column_block[i]
    count = int(block.max()) + 1
    core = np.bincount(block, central, count) / np.maximum(np.bincount(block, minlength=count), 1)
    draw, twist = chance.random(count), chance.random(count)
    shares = np.stack(
        [
            np.clip(0.62 - 1.5 * core, 0.0, 1),
            np.clip(9.0 * core - 6.6, 0, 6),
            np.clip(0.9 * core, 0.05, 1),
            0.25 + 1.0 * core,
            0.35 * core,
            np.clip(0.34 - 0.6 * core, 0, 1),
            np.full(count, 0.04),
            np.full(count, 0.055),
        ]
    )
    edges = np.cumsum(shares / shares.sum(axis=0), axis=0)
    of_block: Ints = np.minimum((draw[None, :] > edges).sum(axis=0), len(USES) - 1)
    use = of_block[block]
    own = chance.random(len(i))
    use = np.where((own < 0.10) & (use == HOUSING), MIXED, use)  # noqa: PLR2004 (shops among housing)
    use = np.where((own > 0.965) & (use != INDUSTRY), PARK, use)  # noqa: PLR2004 (pocket parks)
    use = np.where((own > 0.93) & (own <= 0.965) & np.isin(use, [HOUSING, MIXED, OLD]), SCHOOL, use)  # noqa: PLR2004 (schools)
    village = (twist[block] < 0.35) & (own < 0.5) & (use == OPEN)  # noqa: PLR2004 (at the edge)
    settled: Ints = np.where(village, HOUSING, use).astype(np.int64)
    return settled


def _apportion(weight: Floats, total: int) -> Ints:
    """Share a whole number by weight so that the parts add up (largest remainder)."""
    exact = weight / weight.sum() * total
    parts: Ints = np.floor(exact).astype(np.int64)
    rest = np.argsort(-(exact - parts), kind="stable")[: total - int(parts.sum())]
    parts[rest] += 1
    return parts
