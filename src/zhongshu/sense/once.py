"""Once: a reading's key is (source, entity, property, valid time). Same key and value: a duplicate. Same key, other value: a revision.

Each stream's latest valid time is remembered, so what moves forward needs no look-up. What steps back a little is found among the last
groups, held in memory; only what lies further back is looked up in the record.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zhongshu.kernel.quantity import NULL
from zhongshu.kernel.reading import Flag, Readings

Ints = npt.NDArray[np.int64]
Lookup = Callable[[pa.Table], pa.Table]
"""From rows (i, source, entity, property, valid) to rows (i, ticks) of what the record holds for them, latest known."""


RECENT_ROWS = 2_000_000
RECENT_GROUPS = 256


@dataclass(slots=True)
class _Group:
    """One appended group, sorted by a mix of key and valid time."""

    mix: npt.NDArray[np.uint64]
    key: Ints
    valid: Ints
    ticks: Ints


class Once:
    """Called by the journal's one thread, so that what it remembers is what was appended."""

    def __init__(self, lookup: Lookup) -> None:
        """Start with no stream known."""
        self._lookup = lookup
        self._keys, self._high = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._before = np.zeros(0, np.int64)
        self._recent: deque[_Group] = deque()
        self._held = 0

    def appended(self, readings: Readings) -> None:
        """Remember a group that is durable now: its streams' latest times, and its rows for a while."""
        keys = stream_keys(readings)
        self._raise(keys, readings.valid, recorded=False)
        mix = _mix(keys, readings.valid)
        order = np.argsort(mix, kind="stable")
        self._recent.append(_Group(mix[order], keys[order], readings.valid[order], readings.ticks[order]))
        self._held += len(keys)
        while self._held > RECENT_ROWS or len(self._recent) > RECENT_GROUPS:
            old = self._recent.popleft()
            self._held -= len(old.key)
            place, _ = self._find(old.key)
            np.maximum.at(self._before, place, old.valid)

    def streams(self) -> Ints:
        """Return the keys of every stream that was ever heard of, sorted; any thread may ask."""
        return self._keys

    def latest(self) -> tuple[Ints, Ints]:
        """Return a copy of the streams' keys and latest valid times; the journal's thread may ask."""
        return self._keys.copy(), self._high.copy()

    def remember(self, keys: Ints, high: Ints) -> None:
        """Take the latest valid time of streams that the record holds."""
        self._raise(keys, high, recorded=True)

    def _raise(self, keys: Ints, high: Ints, *, recorded: bool) -> None:
        """Raise the streams' latest times; `recorded`: the rows are not among the recent groups."""
        known, old = self._find(keys)
        if not old.all():
            new = np.unique(keys[~old])
            place = np.searchsorted(self._keys, new)
            low = np.full(len(new), np.iinfo(np.int64).min)
            self._keys, self._high, self._before = np.insert(self._keys, place, new), np.insert(self._high, place, low), np.insert(self._before, place, low)
            known, _ = self._find(keys)
        np.maximum.at(self._high, known, high)
        if recorded:
            np.maximum.at(self._before, known, high)

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
        held, ticks, further = self._among_recent(stream_keys(readings)[at], readings.valid[at])
        if len(further):
            asked = readings.select(at[further]).table().select(["source", "entity", "property", "valid"]).append_column("i", pa.array(further))
            found = self._lookup(asked)
            i = np.asarray(found["i"])
            held[i] = True
            ticks[i] = np.asarray(found["ticks"].fill_null(int(NULL)))
        return held, ticks

    def _among_recent(self, keys: Ints, valid: Ints) -> tuple[npt.NDArray[np.bool_], Ints, Ints]:
        """Find rows among the recent groups, the latest first; return which were found, their ticks, and which must be looked up in the record."""
        held, ticks, open_ = np.zeros(len(keys), np.bool_), np.full(len(keys), NULL), np.arange(len(keys))
        mix, doubtful = _mix(keys, valid), np.zeros(len(keys), np.bool_)
        for group in reversed(self._recent):
            place = np.minimum(np.searchsorted(group.mix, mix[open_], side="right") - 1, len(group.mix) - 1)
            met = (place >= 0) & (group.mix[place] == mix[open_])
            same = met & (group.key[place] == keys[open_]) & (group.valid[place] == valid[open_])
            doubtful[open_[met & ~same]] = True
            held[open_[same]], ticks[open_[same]] = True, group.ticks[place[same]]
            open_ = open_[~same]
            if not len(open_):
                break
        place, old = self._find(keys)
        older = np.full(len(keys), np.iinfo(np.int64).min)
        older[old] = self._before[place[old]]
        return held, ticks, np.flatnonzero(~held & ((valid <= older) | doubtful))


def _mix(keys: Ints, valid: Ints) -> npt.NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        return keys.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) ^ valid.view(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)


def stream_keys(readings: Readings) -> Ints:
    """Pack (source, entity, property) numbers into one integer."""
    return readings.source.astype(np.int64) << 48 | readings.entity.astype(np.int64) << 20 | readings.property


def _runs(again: npt.NDArray[np.bool_]) -> Ints:
    """Return each place within its run: 0 where a run begins."""
    position = np.arange(len(again))
    return position - np.maximum.accumulate(np.where(again, 0, position))
