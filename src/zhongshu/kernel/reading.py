"""Readings in bulk: one set of columns, everywhere the same, from the journal to the warehouse.

Names of sources, entities and properties travel as dictionary columns; all else is integers. Null ticks mean "no value".
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntFlag
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zhongshu.kernel.quantity import NULL


class Flag(IntFlag):
    """Odd but usable: kept with the reading, never a reason to refuse it."""

    SUSPECT = 1
    LATE = 2
    REVISION = 4
    COARSE_PLACE = 8
    UNPLACED = 16
    ESTIMATED = 32
    TIME_ORDER = 64


_NAME = pa.dictionary(pa.int32(), pa.string())

SCHEMA = pa.schema(
    [
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("source", _NAME, nullable=False),
        pa.field("entity", _NAME, nullable=False),
        pa.field("property", _NAME, nullable=False),
        pa.field("area", pa.int64(), nullable=False),
        pa.field("valid", pa.int64(), nullable=False),
        pa.field("known", pa.int64(), nullable=False),
        pa.field("ticks", pa.int64()),
        pa.field("flags", pa.int32(), nullable=False),
        pa.field("raw", pa.float64()),
        pa.field("raw_unit", _NAME),
    ]
)
"""offset: the journal's; valid, known: µs of UTC; ticks: of the property's resolution; raw: as sent, in raw_unit (null: canonical)."""

_COLUMNS = ("source", "entity", "property", "area", "valid", "ticks", "flags", "raw", "unit")


@dataclass(slots=True)
class Readings:
    """One journal group's readings, columns of equal length. Names are codes into their lists.

    Offset and known time come at append; `rank` orders revisions of one key within a group, by µs after `known`.
    """

    sources: list[str]
    entities: list[str]
    properties: list[str]
    units: list[str]
    source: npt.NDArray[np.int32]
    entity: npt.NDArray[np.int32]
    property: npt.NDArray[np.int32]
    area: npt.NDArray[np.int64]
    valid: npt.NDArray[np.int64]
    ticks: npt.NDArray[np.int64]
    flags: npt.NDArray[np.int32]
    raw: npt.NDArray[np.float64]
    unit: npt.NDArray[np.int32]
    rank: npt.NDArray[np.int64] | None = None
    offset: int = 0
    known: int = 0

    def __len__(self) -> int:
        """Return the number of readings."""
        return len(self.valid)

    def select(self, keep: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Readings":
        """Return the readings a mask or index chooses."""
        return replace(self, **{name: getattr(self, name)[keep] for name in _COLUMNS}, rank=None if self.rank is None else self.rank[keep])

    def table(self) -> pa.Table:
        """Return the readings as an Arrow table of `SCHEMA`."""
        n = len(self)
        return pa.Table.from_arrays(
            [
                pa.array(np.full(n, self.offset, np.int64)),
                names(self.source, self.sources),
                names(self.entity, self.entities),
                names(self.property, self.properties),
                pa.array(self.area),
                pa.array(self.valid),
                pa.array(np.full(n, self.known, np.int64) + (0 if self.rank is None else self.rank)),
                pa.array(self.ticks, mask=self.ticks == NULL),
                pa.array(self.flags),
                pa.array(self.raw, mask=np.isnan(self.raw)),
                names(self.unit, self.units),
            ],
            schema=SCHEMA,
        )


def join(groups: "list[Readings]") -> Readings:
    """Return several sets of readings as one; all must share their lists of names."""
    if len(groups) == 1:
        return groups[0]
    columns: dict[str, Any] = {name: np.concatenate([getattr(g, name) for g in groups]) for name in _COLUMNS}
    if any(g.rank is not None for g in groups):
        columns["rank"] = np.concatenate([np.zeros(len(g), np.int64) if g.rank is None else g.rank for g in groups])
    return replace(groups[0], **({"rank": None} | columns), offset=0, known=0)


def names(codes: npt.NDArray[np.int32], words: list[str]) -> pa.DictionaryArray:
    """Return a dictionary column of just the words in use; a negative code is null."""
    mask, at = None, codes
    if len(codes) and codes.min() < 0:
        mask, at = codes < 0, np.maximum(codes, 0)
        if not words:
            return pa.DictionaryArray.from_arrays(pa.nulls(len(codes), pa.int32()), pa.array([], pa.string()))
    place = np.zeros(int(at.max(initial=0)) + 1, np.int32)
    place[at] = 1
    used = np.flatnonzero(place)
    place[used] = np.arange(len(used))
    return pa.DictionaryArray.from_arrays(pa.array(place[at], mask=mask), pa.array([words[i] for i in used.tolist()], pa.string()))


class Numbers(Protocol):
    """Names and their numbers."""

    names: list[str]

    def number(self, name: str) -> int:
        """Return a name's number."""
        ...


def from_table(table: pa.Table, sources: Numbers, entities: Numbers, properties: Numbers, units: Numbers) -> Iterator[Readings]:
    """Read a table of `SCHEMA`, sorted by offset, back into groups."""
    if not len(table):
        return

    def numbered(name: str, words: Numbers) -> npt.NDArray[np.int32]:
        column = table[name].combine_chunks()
        column = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        codes = np.array([words.number(w) for w in column.dictionary.to_pylist()] or [0], np.int32)
        at = column.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return np.where(at < 0, np.int32(-1), codes[np.maximum(at, 0)]).astype(np.int32)

    def plain(name: str, null: int) -> npt.NDArray[np.int64]:
        return np.asarray(table[name].combine_chunks().fill_null(null), np.int64)

    offset, known = plain("offset", 0), plain("known", 0)
    raw = table["raw"].combine_chunks().to_numpy(zero_copy_only=False).astype(np.float64)
    whole = Readings(
        sources.names,
        entities.names,
        properties.names,
        units.names,
        numbered("source", sources),
        numbered("entity", entities),
        numbered("property", properties),
        plain("area", 0),
        plain("valid", 0),
        plain("ticks", int(NULL)),
        plain("flags", 0).astype(np.int32),
        raw,
        numbered("raw_unit", units),
    )
    starts = np.flatnonzero(np.append(True, offset[1:] != offset[:-1]))
    for begin, end in zip(starts, np.append(starts[1:], len(offset)), strict=True):
        group = whole.select(np.arange(begin, end))
        group.offset, group.known = int(offset[begin]), int(known[begin:end].max())
        yield group
