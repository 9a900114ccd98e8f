"""What a run foresees, told as readings: the state of a model's objects under the names of the entities that stand there, valid later than it was known.

So the same signs, bands and rules read what was measured and what is foreseen. Knows no engine and no store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zhongshu.foresee.bearing import Side, nearest
from zhongshu.foresee.rows import Sight
from zhongshu.foresee.scenario import parted
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.quantity import Property, to_ticks
from zhongshu.kernel.reading import SCHEMA
from zhongshu.kernel.simulator import Outputs

SOURCE = "forecast"
"""The source that a foreseen reading names."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A row with what it joins: of which entities (ids, areas) which objects' (place among those of their kind) state is which property; ticks = state · scale + shift."""

    row: Sight
    prop: Property
    role: str
    attribute: str
    ids: list[str]
    areas: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]
    scale: float
    shift: float


def sighted(row: Sight, prop: Property, side: Side, objects: Sequence[str], unit: str, entities: Sequence[Entity]) -> Seen | None:
    """Join a row: which entities of its type and facets stand near which object; None where none does. `objects`: those of the side's kind in the engine's order; `unit`: the attribute's."""
    role, attribute = parted(row.what)
    held = [e for e in entities if e.lon is not None and e.lat is not None and all(str(e.facets.get(name, "")) == value for name, value in row.facets.items())]
    names, found = nearest(side, np.array([e.lon for e in held], np.float64), np.array([e.lat for e in held], np.float64), row.metres)
    at = {name: i for i, name in enumerate(objects)}
    joined = [(e.id, e.area, at[names[k]]) for e, k in zip(held, found.tolist(), strict=True) if k >= 0]
    if not joined:
        return None
    ids, areas, place = zip(*joined, strict=True)
    scale, shift = (row.factor / float(prop.tick), 0.0) if row.factor else prop.factor(unit)
    return Seen(row, prop, role, attribute, list(ids), np.array(areas, np.int64), np.array(place, np.int64), scale, shift)


class Forecast:
    """Gathers the readings of a run. `now`: the city's time (µs) it begins at, by which all of them are known."""

    def __init__(self, seen: Sequence[Seen], now: int) -> None:
        """Take what is told as readings."""
        self.seen, self.now = seen, now
        self._times: list[int] = []
        self._values: list[list[npt.NDArray[np.float64]]] = [[] for _ in seen]
        self.begins: list[npt.NDArray[np.float64]] = []
        """What each row's entities were at after the spin-up, in the property's unit."""

    def see(self, at: int, last: Mapping[str, Outputs]) -> None:
        """Take the state of all models at a time (µs since now)."""
        values = [last[one.role][one.attribute][one.place] for one in self.seen]
        if at == 0:
            self.begins = [(value * one.scale + one.shift) * float(one.prop.tick) for one, value in zip(self.seen, values, strict=True)]
            return
        self._times.append(self.now + at)
        for held, value in zip(self._values, values, strict=True):
            held.append(value)

    def table(self) -> pa.Table:
        """Return everything foreseen as an Arrow table of `SCHEMA`, offset 0; values beyond a property's range are at its end."""
        tables = [self._table(one, np.concatenate(held)) for one, held in zip(self.seen, self._values, strict=True) if held]
        return pa.concat_tables(tables).unify_dictionaries() if tables else SCHEMA.empty_table()

    def _table(self, one: Seen, values: npt.NDArray[np.float64]) -> pa.Table:
        steps, each, n = len(self._times), len(one.ids), len(values)
        tick = float(one.prop.tick)
        ticks, inside = to_ticks(np.clip(values * one.scale + one.shift, one.prop.low / tick, one.prop.high / tick), 1.0, 0.0, one.prop)
        zeros = np.zeros(n, np.int32)
        columns: dict[str, Any] = {
            "offset": np.zeros(n, np.int64),
            "source": pa.DictionaryArray.from_arrays(pa.array(zeros), pa.array([SOURCE])),
            "entity": pa.DictionaryArray.from_arrays(pa.array(np.tile(np.arange(each, dtype=np.int32), steps)), pa.array(one.ids)),
            "property": pa.DictionaryArray.from_arrays(pa.array(zeros), pa.array([one.prop.name])),
            "area": np.tile(one.areas, steps),
            "valid": np.repeat(np.array(self._times, np.int64), each),
            "known": np.full(n, self.now, np.int64),
            "ticks": pa.array(ticks, mask=~inside),
            "flags": zeros,
            "raw": pa.nulls(n, pa.float64()),
            "raw_unit": pa.DictionaryArray.from_arrays(pa.nulls(n, pa.int32()), pa.array([], pa.string())),
        }
        return pa.Table.from_arrays([pa.array(column) if isinstance(column, np.ndarray) else column for column in columns.values()], schema=SCHEMA)
