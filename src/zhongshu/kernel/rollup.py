"""From cells to parts: integers per (area, sub) over one window, summed up over an area, then over each level of the tree.

Live cells and warehouse both end here. Knows columns and declarations; knows nothing of where cells come from or of what parts will mean.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zhongshu.kernel.area import UNIT, Codes, Level, keyed
from zhongshu.kernel.condition import Rows, holds
from zhongshu.kernel.histogram import bins, percentile, tally
from zhongshu.kernel.live import CellSpec, Facets, Ints, Parts
from zhongshu.kernel.quantity import Property

LOW, HIGH = np.iinfo(np.int64).min, np.iinfo(np.int64).max
BLANK = {"n": 0, "at": LOW, "total": 0, "low": HIGH, "high": LOW, "last": LOW, "hit": 0, "weight": 0}
"""What a cell holds before its first reading: nothing that any sum or extreme would notice."""
_FOLD = {"n": np.add, "entities": np.add, "total": np.add, "hit": np.add, "weight": np.add, "low": np.minimum, "high": np.maximum, "at": np.maximum}
_FIELD = {"count": "n", "sum": "total", "mean": "total", "min": "low", "max": "high", "last": "last", "share": "hit"}
"""Of which field a measure is made, and of which an entity's one value."""
_SAME = {("max", "max"), ("min", "min"), ("sum", "sum"), ("sum", "count"), ("mean", "sum"), ("mean", "count")}


@dataclass(slots=True)
class Tree:
    """Areas of some levels over a layout: their keys, ascending, and of each the bounds [start, end) among the layout's areas and among its rows."""

    keys: Codes
    areas: tuple[Ints, Ints]
    rows: tuple[Ints, Ints]


class Layout:
    """Rows of (area, sub), areas ascending: where each area begins, and trees of levels over the areas."""

    def __init__(self, areas: Codes, subs: Ints) -> None:
        """Take the rows' areas, ascending, and their subs."""
        self.rows, self.subs = areas, subs
        self.starts = _starts(areas)
        self.areas, self.edges = areas[self.starts], np.append(self.starts, len(areas))
        self._trees: dict[tuple[Level, ...], Tree] = {}

    def tree(self, levels: tuple[Level, ...]) -> Tree:
        """Return the tree of some levels."""
        if levels not in self._trees:
            found = [(_starts(codes := self.areas // UNIT[level] * UNIT[level]), codes, level) for level in levels]
            keys = np.concatenate([keyed(codes[starts], level) for starts, codes, level in found])
            order = np.argsort(keys)
            first, end = (np.concatenate(side)[order] for side in ([s for s, _, _ in found], [np.append(s[1:], len(self.areas)) for s, _, _ in found]))
            self._trees[levels] = Tree(keys[order], (first, end), (self.edges[first], self.edges[end]))
        return self._trees[levels]

    @cached_property
    def alone(self) -> bool:
        """Tell whether no sub stands in two areas."""
        return len(np.unique(self.subs)) == len(self.subs)


class Sums:
    """A window's rows, each field of them summed up once for all specs that share them: per area, then per key of a tree. Rows with n = 0 hold `BLANK`."""

    def __init__(self, layout: Layout, have: dict[str, Ints], areas: dict[str, Ints] | None = None) -> None:
        """Take the rows' places and fields; `areas`: fields known per area already."""
        self.layout, self.have = layout, have
        self._areas = areas or {}
        self._keys: dict[tuple[str, tuple[Level, ...]], Ints] = {}

    def row(self, f: str) -> Ints:
        """Return a field per row; `entities`: 1 where there is a reading."""
        if f == "entities" and f not in self.have:
            self.have[f] = (self.have["n"] > 0).astype(np.int64)
        return self.have[f]

    def areas(self, f: str) -> Ints:
        """Return a field per area."""
        if f not in self._areas:
            self._areas[f] = self.fold(f, self.row(f))
        return self._areas[f]

    def fold(self, f: str, values: Ints) -> Ints:
        """Fold values of rows as a field's, per area."""
        edges = self.layout.edges
        return _reduce(f, values, edges[:-1], edges[1:], *((self.have["at"], self.areas("at")) if f == "last" else ()))

    def keys(self, f: str, levels: tuple[Level, ...], areas: Ints | None = None) -> Ints:
        """Return a field per key of a tree; `areas`: of a spec's own values."""
        if areas is None:
            if (f, levels) not in self._keys:
                self._keys[f, levels] = self.keys(f, levels, self.areas(f))
            return self._keys[f, levels]
        return _reduce(f, areas, *self.layout.tree(levels).areas, *((self.areas("at"), self.keys("at", levels)) if f == "last" else ()))


class Folded:
    """A spec's parts over summed rows, ready for any level. `own`: what it alone needs, per area; `ticks`: for percentiles of entities, each one's value."""

    def __init__(self, spec: CellSpec, sums: Sums, own: dict[str, Ints], ticks: Ints | None = None) -> None:
        """Take sums and what the spec alone needs."""
        self.spec, self._sums, self._own, self._ticks = spec, sums, own, ticks

    def parts(self, levels: tuple[Level, ...]) -> Parts:
        """Return the parts of some levels; areas without a reading are left out."""
        spec, sums = self.spec, self._sums
        if not len(sums.layout.rows):
            return Parts.empty()
        tree = sums.layout.tree(levels)
        count, at, den = sums.keys("n", levels), sums.keys("at", levels), np.ones(len(tree.keys), np.int64)
        among = "entities" if spec.each else "n"
        if spec.measure == "p95":
            num = self._percentile(tree, levels)
        elif spec.measure == "distinct":
            num = sums.keys("entities", levels) if sums.layout.alone else self._distinct(tree)
        else:
            f = among if spec.measure == "count" else _FIELD[spec.each if _same(spec) else spec.measure]
            num = sums.keys(f, levels, self._own.get(f))
        if spec.measure in {"mean", "share"}:
            weighed = spec.weight and spec.measure == "mean"
            den = sums.keys("weight", levels, self._own.get("weight")) if weighed else sums.keys(among, levels)
        used = count > 0
        if used.all():
            return Parts(tree.keys, num, den, count, at)
        return Parts(tree.keys[used], num[used], den[used], count[used], at[used])

    def _percentile(self, tree: Tree, levels: tuple[Level, ...]) -> Ints:
        """Return the 95th percentile per key, from the finest level up: what was counted for its keys is counted on for those above."""
        sums, out = self._sums, np.zeros(len(tree.keys), np.int64)
        held, n = (sums.layout.subs, sums.row("n")) if self._ticks is None else (bins(self._ticks), sums.row("entities"))
        group, below = np.flatnonzero(n), None
        if len(group) < len(n):
            held, n = held[group], n[group]
        for level in sorted(levels, reverse=True):
            of = np.flatnonzero(tree.keys & 7 == level)
            first, end, size = tree.rows[0][of], tree.rows[1][of], len(of)
            above = np.repeat(np.arange(size), end - first)
            group, held, n = tally((above if below is None else above[below])[group], held, n, size)
            out[of], below = percentile(held, n, np.searchsorted(group, np.arange(size)), 95), first
        return out

    def _distinct(self, tree: Tree) -> Ints:
        """Count different subs per key, where one may stand in several areas: one that moved counts once."""
        rows, key = _run(*tree.rows), np.repeat(np.arange(len(tree.keys)), tree.rows[1] - tree.rows[0])
        used = self._sums.row("n")[rows] > 0
        pairs = np.unique(np.stack([key[used], self._sums.layout.subs[rows[used]]]), axis=1)
        return np.bincount(pairs[0], minlength=len(tree.keys)).astype(np.int64)


class RollUp:
    """What folding asks of the registry: facets as weights, and conditions on entities."""

    def __init__(self, properties: Mapping[str, Property], facets: Facets, sources: list[str], numbers: Mapping[str, int]) -> None:
        """Take the properties and the registry's words; `numbers` gives an entity's number by id."""
        self._properties, self._facets, self._sources, self._numbers = properties, facets, sources, numbers
        self._weight_of: dict[str, tuple[Ints, npt.NDArray[np.bool_]]] = {}

    def fold(self, spec: CellSpec, sums: Sums) -> Folded:
        """Fold the rows of one spec; with `each`, every entity's one value stands for its readings, and one without a weight weighs nothing."""
        if not spec.each or spec.measure in {"count", "distinct"} or _same(spec):
            return Folded(spec, sums, {})
        used, ticks = sums.row("n") > 0, sums.row(_FIELD[spec.each])
        if spec.measure == "p95":
            return Folded(spec, sums, {}, np.where(used, ticks, 0))
        own = {f: sums.fold(f, values) for f, values in self._entities(spec, sums.layout.subs, used, ticks).items()}
        return Folded(spec, sums, own)

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

    def _entities(self, spec: CellSpec, entity: Ints, used: npt.NDArray[np.bool_], ticks: Ints) -> dict[str, Ints]:
        """Look at entities' values as if they were readings."""
        f = _FIELD[spec.measure]
        if spec.measure == "share" and spec.when is not None:
            return {f: (used & holds(spec.when, Rows(ticks, entity.astype(np.int32)), self._properties[spec.property], self._facets, self._sources)).astype(np.int64)}
        if spec.weight and f == "total":
            weight = self.weights(spec.weight, entity)[0]
            return {f: np.where(used, ticks * weight, 0), "weight": np.where(used, weight, 0)}
        return {f: np.where(used, ticks, BLANK[f])}


def _same(spec: CellSpec) -> bool:
    """Tell whether a measure of entities' values is one of their readings."""
    return (spec.measure, spec.each) in _SAME and not spec.weight


def _starts(codes: Codes) -> Ints:
    """Return where each run of equal codes begins."""
    return np.flatnonzero(np.append(True, codes[1:] != codes[:-1])) if len(codes) else np.zeros(0, np.int64)


def _run(first: Ints, end: Ints) -> Ints:
    """Return all places of [first, end) of each, one after the other."""
    length = end - first
    starts = np.cumsum(length) - length
    return np.asarray(np.arange(length.sum()) - np.repeat(starts - first, length), np.int64)


def _reduce(f: str, values: Ints, first: Ints, end: Ints, at: Ints | None = None, top: Ints | None = None) -> Ints:
    """Sum a field up or take its extreme over [first, end) of each; of `last`, the greatest value `at` the latest time, `top`."""
    if len(first) == len(values) and (end - first == 1).all():
        return values
    if f == "last" and at is not None and top is not None:
        rows, length = _run(first, end), end - first
        newest = np.where(at[rows] == np.repeat(top, length), values[rows], LOW)
        return np.asarray(np.maximum.reduceat(newest, np.cumsum(length) - length), np.int64)
    if (first[1:] == end[:-1]).all() and end[-1] == len(values):
        return np.asarray(_FOLD[f].reduceat(values, first), np.int64)
    return np.asarray(_FOLD[f].reduceat(np.append(values, 0), np.stack([first, end], axis=1).reshape(-1))[::2], np.int64)
