"""The pipes and cables of the made networks as things of the city, where they lie below the street: z is metres below it, negative.

It must never know what flows in them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely

from zhongshu.survey.maker.bones.grid import Grid
from zhongshu.survey.maker.bones.sewers import Sewers
from zhongshu.survey.maker.bones.sheet import given
from zhongshu.survey.maker.bones.streets import Streets, ground
from zhongshu.survey.maker.bones.water import Water
from zhongshu.survey.maker.names import Word
from zhongshu.survey.maker.plane import Floats
from zhongshu.survey.maker.things import Facets, Things

OWNERS = {"storm": "dept-drainage", "water": "dept-water", "power": "dept-power"}
_WORDS = {"storm": Word("雨水管", "Storm Sewer"), "water": Word("给水管", "Water Main"), "power": Word("10 千伏电缆", "10 kV Cable")}
_OLDEST, _NEWEST = 1985, 2024


@dataclass(frozen=True, slots=True)
class _Pipe:
    """One pipe: its network, its name in the model, street, diameter (mm), material, line (local metres) and how deep its axis lies at both ends (m)."""

    network: str
    model: str
    street: Word | None
    size: float
    material: str
    line: Floats
    deep: tuple[float, float]


def bury(things: Things, streets: Streets, networks: tuple[Sewers, Water, Grid], chance: np.random.Generator) -> None:
    """Register every pipe and cable."""
    pipes = [*_sewers(streets, networks[0]), *_mains(streets, networks[1]), *_cables(networks[2])]
    lines = np.array([_sunk(pipe) for pipe in pipes], dtype=object)
    years = chance.integers(_OLDEST, _NEWEST + 1, len(pipes)).tolist()
    facets: list[Facets] = [
        {"network": p.network, "model": p.model, "diameter_mm": p.size, "material": p.material, "depth_m": round(sum(p.deep) / 2, 2), "year": year}
        for p, year in zip(pipes, years, strict=True)
    ]
    known = len(things.rows)
    points = shapely.get_coordinates(shapely.line_interpolate_point(lines, 0.5, normalized=True))
    things.add("Pipe", points, lambda serial, at: _called(pipes[serial - 1], serial, at), facets, lines)
    things.rows[known:] = [replace(row, owner=OWNERS[pipe.network]) for row, pipe in zip(things.rows[known:], pipes, strict=True)]


def _called(pipe: _Pipe, serial: int, community: Word) -> Word:
    street, what = pipe.street or community, _WORDS[pipe.network]
    return Word(f"{street.zh}{what.zh}{serial}号", f"{street.en} {what.en} {serial}")


def _sunk(pipe: _Pipe) -> shapely.Geometry:
    """Return a pipe's line with its depth, which changes evenly along it."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(pipe.line, axis=0).T))])
    share = along / max(float(along[-1]), 1e-9)
    return shapely.linestrings(np.column_stack([pipe.line, np.round(-(pipe.deep[0] + (pipe.deep[1] - pipe.deep[0]) * share), 2)]))


def _sewers(streets: Streets, sewers: Sewers) -> Sequence[_Pipe]:
    ends = ground(streets.plan, np.array([c.line[at] for c in sewers.conduits for at in (0, -1)])).reshape(-1, 2)
    return [
        _Pipe("storm", c.name, streets.links[c.link].name, float(c.size), "concrete", c.line, (float(high) - c.high - c.size / 2000, max(0.3, float(low) - c.low - c.size / 2000)))
        for c, (high, low) in zip(sewers.conduits, ends, strict=True)
    ]


def _mains(streets: Streets, water: Water) -> Sequence[_Pipe]:
    deep = given("water.cover")
    return [
        _Pipe("water", m.name, streets.links[m.link].name if m.link >= 0 else None, float(m.size), "ductile iron", m.line, (deep + m.size / 2000, deep + m.size / 2000))
        for m in water.mains
    ]


def _cables(grid: Grid) -> Sequence[_Pipe]:
    deep = given("grid.cover")
    return [_Pipe("power", cable.name, None, 100.0, "XLPE", cable.line, (deep, deep)) for cable in grid.cables]
