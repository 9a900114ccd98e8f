"""Once: a reading's key is (source, entity, property, valid time). Same key and value: a duplicate. Same key, other value: a revision.

Each stream's latest valid time is remembered, so what moves forward needs no look-up; the rest is looked up in the record.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zhongshu.kernel.quantity import NULL
from zhongshu.kernel.reading import Flag, Readings

Ints = npt.NDArray[np.int64]
Lookup = Callable[[pa.Table], pa.Table]
"""From rows (i, source, entity, property, valid) to rows (i, ticks) of what the record holds for them, latest known."""


class Once:
    """Called by the journal's one thread, so that what it remembers is what was appended."""

    def __init__(self, lookup: Lookup) -> None:
        """Start with no stream known."""
        self._lookup = lookup
        self._keys, self._high = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def remember(self, keys: Ints, high: Ints) -> None:
        """Take the latest valid time of streams."""
        order = np.lexsort((high, keys))
        keys, high = keys[order], high[order]
        last = np.append(keys[1:] != keys[:-1], True) if len(keys) else np.zeros(0, np.bool_)
        keys, high = keys[last], high[last]
        place, old = self._find(keys)
        self._high[place[old]] = np.maximum(self._high[place[old]], high[old])
        if not old.all():
            self._keys = np.insert(self._keys, place[~old], keys[~old])
            self._high = np.insert(self._high, place[~old], high[~old])

    def _find(self, keys: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
        place = np.searchsorted(self._keys, keys)
        if not len(self._keys):
            return place, np.zeros(len(keys), np.bool_)
        return place, self._keys[np.minimum(place, len(self._keys) - 1)] == keys

    def sift(self, readings: Readings) -> tuple[Readings, Ints]:
        """Return what is new or revises, and which rows those are; the others are duplicates. Sets the revision flag and the rank."""
        if not len(readings):
            return readings, np.zeros(0, np.int64)
        keys = stream_keys(readings)
        order = np.lexsort((np.arange(len(keys)), readings.valid, keys))
        k, v, t = keys[order], readings.valid[order], readings.ticks[order]
        again = np.append(False, (k[1:] == k[:-1]) & (v[1:] == v[:-1]))
        before = np.append(NULL, t[:-1])
        place, old = self._find(k)
        high = np.full(len(k), np.iinfo(np.int64).min)
        high[old] = self._high[place[old]]
        revises = again.copy()
        ask = np.flatnonzero(~again & (v <= high))
        if len(ask):
            held, ticks = self._recorded(readings, order[ask])
            before[ask[held]] = ticks[held]
            revises[ask[held]] = True
        keep = ~(revises & (before == t))
        rank = _runs(again)
        flags = readings.flags[order] | np.where(revises, Flag.REVISION, 0).astype(np.int32)
        kept = readings.select(order[keep])
        kept.flags = flags[keep]
        kept.rank = rank[keep] if rank.any() else None
        return kept, order[keep]

    def _recorded(self, readings: Readings, at: Ints) -> tuple[npt.NDArray[np.bool_], Ints]:
        asked = readings.select(at).table().select(["source", "entity", "property", "valid"]).append_column("i", pa.array(np.arange(len(at))))
        found = self._lookup(asked)
        held, ticks = np.zeros(len(at), np.bool_), np.full(len(at), NULL)
        i = np.asarray(found["i"])
        held[i] = True
        ticks[i] = np.asarray(found["ticks"].fill_null(int(NULL)))
        return held, ticks


def stream_keys(readings: Readings) -> Ints:
    """Pack (source, entity, property) numbers into one integer."""
    return readings.source.astype(np.int64) << 48 | readings.entity.astype(np.int64) << 20 | readings.property


def _runs(again: npt.NDArray[np.bool_]) -> Ints:
    """Number the members of each run: 0 where a run begins."""
    position = np.arange(len(again))
    return position - np.maximum.accumulate(np.where(again, 0, position))
