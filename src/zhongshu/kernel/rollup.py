"""From cells to parts: integers per (area, sub) over one window, summed up over an area, then over each level of the tree.

Live cells and warehouse both end here. Knows columns and declarations; knows nothing of where cells come from or of what parts will mean.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zhongshu.kernel.area import UNIT, Codes, Level, keyed
from zhongshu.kernel.condition import Rows, holds
from zhongshu.kernel.histogram import bins, percentile
from zhongshu.kernel.live import CellSpec, Facets, Ints, Parts
from zhongshu.kernel.quantity import Property

LOW, HIGH = np.iinfo(np.int64).min, np.iinfo(np.int64).max
BLANK = {"n": 0, "at": LOW, "total": 0, "low": HIGH, "high": LOW, "last": LOW, "hit": 0, "weight": 0}
"""What a cell holds before its first reading: nothing that any sum or extreme would notice."""
_FOLD = {"n": np.add, "count": np.add, "total": np.add, "hit": np.add, "weight": np.add, "subs": np.add, "low": np.minimum, "high": np.maximum, "at": np.maximum}
_NEEDS: dict[str, tuple[str, ...]] = {
    "count": ("n",),
    "sum": ("total",),
    "mean": ("total", "n", "weight"),
    "min": ("low",),
    "max": ("high",),
    "last": ("last",),
    "share": ("hit", "n"),
}
FAR = 1 << 20
"""More than any bin, so that bins of both signs sort as they should."""
_EACH = {"last": "last", "max": "high", "min": "low", "sum": "total", "count": "n"}


@dataclass(slots=True)
class Tree:
    """Areas of some levels over a layout: their keys, ascending, and of each the bounds [start, end) among the layout's areas and among its rows."""

    keys: Codes
    areas: tuple[Ints, Ints]
    rows: tuple[Ints, Ints]
    _members: tuple[Ints, Ints, Ints] | None = None

    def members(self) -> tuple[Ints, Ints, Ints]:
        """Return all rows of all keys one after the other, where each key's begin, and the place of each row's key."""
        if self._members is None:
            first, length = self.rows[0], self.rows[1] - self.rows[0]
            starts = np.cumsum(length) - length
            self._members = np.arange(length.sum()) - np.repeat(starts - first, length), starts, np.repeat(np.arange(len(length)), length)
        return self._members


class Layout:
    """Rows of (area, sub), areas ascending: where each area begins, and trees of levels over the areas."""

    def __init__(self, areas: Codes, subs: Ints) -> None:
        """Take the rows' areas, ascending, and their subs."""
        self.rows, self.subs = areas, subs
        self.starts = _starts(areas)
        self.areas = areas[self.starts]
        self._trees: dict[tuple[Level, ...], Tree] = {}
        self._alone: bool | None = None
        self._by_sub: dict[tuple[Level, ...], Ints] = {}

    def tree(self, levels: tuple[Level, ...]) -> Tree:
        """Return the tree of some levels."""
        if levels not in self._trees:
            found = [(_starts(codes := self.areas // UNIT[level] * UNIT[level]), codes, level) for level in levels]
            keys = np.concatenate([keyed(codes[starts], level) for starts, codes, level in found])
            order = np.argsort(keys)
            first, end = (np.concatenate(side)[order] for side in ([s for s, _, _ in found], [np.append(s[1:], len(self.areas)) for s, _, _ in found]))
            edges = np.append(self.starts, len(self.rows))
            self._trees[levels] = Tree(keys[order], (first, end), (edges[first], edges[end]))
        return self._trees[levels]

    def by_sub(self, levels: tuple[Level, ...]) -> Ints:
        """Return the members of a tree's keys, each key's by sub."""
        if levels not in self._by_sub:
            rows, _, key = self.tree(levels).members()
            self._by_sub[levels] = rows[np.argsort(key << 32 | (self.subs[rows] + FAR))]
        return self._by_sub[levels]

    def alone(self) -> bool:
        """Tell whether no sub stands in two areas."""
        if self._alone is None:
            self._alone = len(np.unique(self.subs)) == len(self.subs)
        return self._alone


class Folded:
    """Cells of one spec summed up per area, ready for any level. `have` holds fields per row; rows with n = 0 hold `BLANK`."""

    def __init__(self, spec: CellSpec, layout: Layout, have: dict[str, Ints]) -> None:
        """Fold rows into areas."""
        self.spec, self.layout, self._have = spec, layout, have if spec.measure in {"p95", "distinct"} else {}
        wanted = (*_NEEDS.get(spec.measure, ("n",)), "count", "at")
        held = {f: v for f, v in have.items() if f in wanted} | {"count": have.get("count", have["n"])}
        if spec.measure == "distinct":
            held["subs"] = (have["n"] > 0).astype(np.int64)
        self._areas = _reduce(held, layout.starts) if len(layout.rows) else {}

    def parts(self, levels: tuple[Level, ...]) -> Parts:
        """Return the parts of some levels; areas without a reading are left out."""
        if not self._areas:
            return Parts.empty()
        spec, tree = self.spec, self.layout.tree(levels)
        have = _reduce(self._areas, *tree.areas)
        one = np.ones(len(tree.keys), np.int64)
        if spec.measure == "p95":
            num, den = self._percentile(levels, tree), one
        elif spec.measure == "distinct":
            num, den = have["subs"] if self.layout.alone() else self._distinct(tree), one
        else:
            num, *rest = (have[f] for f in _NEEDS[spec.measure] if f in have)
            den = rest[-1] if rest else one
        used = have["count"] > 0
        if used.all():
            return Parts(tree.keys, num, den, have["count"], have["at"])
        return Parts(tree.keys[used], num[used], den[used], have["count"][used], have["at"][used])

    def _percentile(self, levels: tuple[Level, ...], tree: Tree) -> Ints:
        """Return the 95th percentile per key."""
        rows, starts, key = tree.members()
        if self.spec.each:
            used = self._have["n"][rows] > 0
            packed = np.sort(key[used] << 32 | (bins(self._have["last"][rows[used]]) + FAR))
            count = np.bincount(key[used], minlength=len(tree.keys))
            return percentile((packed & 0xFFFFFFFF) - FAR, np.ones(len(packed), np.int64), np.cumsum(count) - count, 95)
        rows = self.layout.by_sub(levels)
        return percentile(self.layout.subs[rows], self._have["n"][rows], starts, 95)

    def _distinct(self, tree: Tree) -> Ints:
        """Count different subs per key, where one may stand in several areas: one that moved counts once."""
        rows, _, key = tree.members()
        used = self._have["n"][rows] > 0
        pairs = np.unique(np.stack([key[used], self.layout.subs[rows[used]]]), axis=1)
        return np.bincount(pairs[0], minlength=len(tree.keys)).astype(np.int64)


class RollUp:
    """What folding asks of the registry: facets as weights, and conditions on entities."""

    def __init__(self, properties: Mapping[str, Property], facets: Facets, sources: list[str], numbers: Mapping[str, int]) -> None:
        """Take the properties and the registry's words; `numbers` gives an entity's number by id."""
        self._properties, self._facets, self._sources, self._numbers = properties, facets, sources, numbers
        self._weight_of: dict[str, tuple[Ints, npt.NDArray[np.bool_]]] = {}

    def fold(self, spec: CellSpec, layout: Layout, have: dict[str, Ints]) -> Folded:
        """Fold the cells of one spec; with `each`, every entity's one value stands for its readings."""
        return Folded(spec, layout, self._entities(spec, layout.subs, have) if spec.each else have)

    def read(self, cells: pa.Table, fields: Iterable[str]) -> tuple[Ints, Ints, dict[str, Ints]]:
        """Return areas, subs and fields of cells that a warehouse gave as (area, sub, latest, …); a sub that is an entity's id becomes its number."""
        sub = cells["sub"].combine_chunks()
        if pa.types.is_string(sub.type):
            words = sub.dictionary_encode()
            number = np.array([self._numbers[w] for w in words.dictionary.to_pylist()], np.int64)
            subs = number[np.asarray(words.indices)] if len(number) else np.zeros(0, np.int64)
        else:
            subs = np.asarray(sub.cast(pa.int64()), np.int64)
        return np.asarray(cells["area"], np.int64), subs, {f: np.asarray(cells["latest" if f == "at" else f].cast(pa.int64()), np.int64) for f in fields}

    def weights(self, facet: str, entity: npt.NDArray[np.int32] | Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """Return a facet of entities as integers, and which have it."""
        held = self._facets.facet(facet)
        weights, known = self._weight_of.get(facet, (np.zeros(0, np.int64), np.zeros(0, np.bool_)))
        if len(weights) < (n := len(held)):
            of = [w if isinstance(w, int | float) else None for w in held[len(weights) : n]]
            weights = np.append(weights, np.array([0 if w is None else round(w) for w in of], np.int64))
            known = np.append(known, np.array([w is not None for w in of], np.bool_))
            self._weight_of[facet] = weights, known
        return weights[entity], known[entity]

    def _entities(self, spec: CellSpec, entity: Ints, have: dict[str, Ints]) -> dict[str, Ints]:
        """Give every entity its one value, then look at entities as if they were readings; one without a weight weighs nothing."""
        used, ticks = have["n"] > 0, have[_EACH[spec.each]]
        out = {"n": used.astype(np.int64), "count": have["n"], "at": have["at"]}
        if spec.measure in {"sum", "mean"}:
            weight = self.weights(spec.weight, entity)[0] if spec.weight else None
            out["total"] = np.where(used, ticks if weight is None else ticks * weight, 0)
            if weight is not None:
                out["weight"] = np.where(used, weight, 0)
        elif spec.measure == "share" and spec.when is not None:
            out["hit"] = (used & holds(spec.when, Rows(ticks, entity.astype(np.int32)), self._properties[spec.property], self._facets, self._sources)).astype(np.int64)
        elif spec.measure in {"min", "max", "last", "p95"}:
            field, blank = {"min": ("low", HIGH), "max": ("high", LOW)}.get(spec.measure, ("last", LOW))
            out[field] = np.where(used, ticks, blank)
        return out


def _starts(codes: Codes) -> Ints:
    """Return where each run of equal codes begins."""
    return np.flatnonzero(np.append(True, codes[1:] != codes[:-1])) if len(codes) else np.zeros(0, np.int64)


def _reduce(have: dict[str, Ints], first: Ints, end: Ints | None = None) -> dict[str, Ints]:
    """Sum up or take extremes over [first, end) of each (no end: up to the next first); of the latest time, the greatest last value."""
    size = len(have["at"])
    if len(first) == size and (end is None or (end - first == 1).all()):
        return have
    if end is None:
        out = {f: _FOLD[f].reduceat(v, first) for f, v in have.items() if f != "last"}
    else:
        bounds = np.stack([first, end], axis=1).reshape(-1)
        out = {f: _FOLD[f].reduceat(np.append(v, 0), bounds)[::2] for f, v in have.items() if f != "last"}
    if "last" in have:
        length = (np.append(first[1:], size) if end is None else end) - first
        starts = np.cumsum(length) - length
        rows = np.arange(length.sum()) - np.repeat(starts - first, length)
        newest = have["at"][rows] == np.repeat(out["at"], length)
        out["last"] = np.maximum.reduceat(np.where(newest, have["last"][rows], LOW), starts)
    return out
