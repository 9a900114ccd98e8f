"""How a run starts from today: what the record says of the time before now drives the models until they stand at now.

Knows the record by SQL alone, and no engine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zhongshu.foresee.bearing import Side, drawn, nearest
from zhongshu.foresee.look_ahead import Target
from zhongshu.foresee.rows import Drive
from zhongshu.foresee.scenario import parted
from zhongshu.kernel.clock import parse_duration
from zhongshu.kernel.condition import quote
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.quantity import Property, known_unit

Query = Callable[[str], pa.Table]
"""Answers SQL over the readings known by now."""


@dataclass(frozen=True, slots=True)
class Driven:
    """A row with what it joins and what was measured: of each target the entity it follows, and the values (in the attribute's unit) of every step before now, NaN where nothing was known yet.

    `scale`, `shift`: from the property's unit to the attribute's.
    """

    row: Drive
    targets: list[Target]
    follows: list[str]
    scale: float
    shift: float
    values: npt.NDArray[np.float64]
    hold: int

    def now(self, said: Mapping[str, float]) -> dict[Target, float]:
        """Return what each target is to be by what its entity says now, in the property's unit; nothing of those who say nothing."""
        return {target: said[name] * self.scale + self.shift for target, name in zip(self.targets, self.follows, strict=True) if name in said}

    def said(self, step: int, since: int) -> dict[Target, float]:
        """Return what each target is to be in a step of the spin-up (counted from its beginning), or at a time since now (µs)."""
        steps = len(self.values)
        if since >= 0 and self.row.hold and since >= self.hold:
            return dict.fromkeys(self.targets, self.row.after)
        values = self.values[min(step, steps - 1)] if steps else np.empty(0)
        return {target: value for target, value in zip(self.targets, values.tolist(), strict=True) if value == value}  # noqa: PLR0124 (NaN: nothing is known)


def driven(row: Drive, prop: Property, side: Side, unit: str, entities: Sequence[Entity], when: tuple[int, int, int], query: Query) -> Driven | None:
    """Join a row and read what was measured; None where nothing stands near. `when`: now, how long the spin-up is and the macro step, µs."""
    (role, attribute), (now, spin, macro) = parted(row.target), when
    held = [e for e in entities if e.lon is not None and e.lat is not None and all(str(e.facets.get(name, "")) == value for name, value in row.facets.items())]
    followed = _followed(side, held, row.metres)
    if not followed:
        return None
    names, places = zip(*followed.items(), strict=True)
    chosen = [held[k].id for k in places]
    values = _measured(row.property, sorted(set(chosen)), (now - spin, now, macro), query)
    place = {name: i for i, name in enumerate(sorted(set(chosen)))}
    scale, shift = _turn(prop, unit)
    turned = values[:, [place[name] for name in chosen]] * (float(prop.tick) * scale) + shift
    return Driven(row, [(role, attribute, name) for name in names], chosen, scale, shift, turned, parse_duration(row.hold) if row.hold else 0)


def _followed(side: Side, entities: Sequence[Entity], metres: float) -> dict[str, int]:
    """Return for each object of a side the place of the entity it follows: the nearest."""
    middle = {name: _middle(geometry) for name, geometry in drawn(side.drawing, side.kind).items() if name in side.names}
    if not middle or not entities:
        return {}
    points = np.array(list(middle.values()), np.float64)
    crowd = {"type": "FeatureCollection", "features": [_pin(i, e) for i, e in enumerate(entities)]}
    names, found = nearest(Side(side.crs, crowd, "node", frozenset(str(i) for i in range(len(entities)))), points[:, 0], points[:, 1], metres)
    return {name: int(names[k]) for name, k in zip(middle, found.tolist(), strict=True) if k >= 0}


def _middle(geometry: Mapping[str, Any]) -> tuple[float, float]:
    points = np.array(geometry["coordinates"], np.float64).reshape(-1, 2)
    return float(points[:, 0].mean()), float(points[:, 1].mean())


def _pin(number: int, entity: Entity) -> dict[str, Any]:
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": (entity.lon, entity.lat)}, "properties": {"kind": "node", "name": str(number)}}


def _measured(prop: str, ids: list[str], span: tuple[int, int, int], query: Query) -> npt.NDArray[np.float64]:
    """Return the mean ticks of every step (a row each) of entities, the last known carried on; at least one row, of the last step before now."""
    begin, now, macro = span
    steps = max(1, -(-(now - begin) // macro))
    begin = now - steps * macro
    named = ", ".join(map(quote, ids))
    sql = (
        f"SELECT entity, (valid - {begin:d}) // {macro:d} AS step, avg(ticks) AS mean FROM readings "
        f"WHERE property = {quote(prop)} AND valid >= {begin:d} AND valid < {now:d} AND ticks IS NOT NULL AND entity IN ({named}) GROUP BY ALL"
    )
    table = query(sql)
    out = np.full((steps, len(ids)), np.nan)
    place = {name: i for i, name in enumerate(ids)}
    column = table["entity"].to_pylist()
    out[np.asarray(table["step"], np.int64), [place[name] for name in column]] = np.asarray(table["mean"], np.float64)
    for step in range(1, steps):
        out[step] = np.where(np.isnan(out[step]), out[step - 1], out[step])
    return out


def _turn(prop: Property, unit: str) -> tuple[float, float]:
    """Return (scale, shift) from a property's unit to another of its dimension; where one of them is unknown, as it stands."""
    ours, theirs = known_unit(prop.unit), known_unit(unit)
    if ours is None or theirs is None:
        return 1.0, 0.0
    return float(ours[1] / theirs[1]), float((ours[2] - theirs[2]) / theirs[1])
