"""From cells to parts: integers per (area, sub) over one window, summed up over an area, then over each level of the tree.

Live cells and warehouse both end here. Knows columns and declarations; knows nothing of where cells come from or of what parts will mean.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zhongshu.kernel.area import UNIT, Codes, Level
from zhongshu.kernel.condition import Rows, holds
from zhongshu.kernel.histogram import bins, percentile
from zhongshu.kernel.live import CellSpec, Facets, Ints, Parts
from zhongshu.kernel.quantity import Property

LOW, HIGH = np.iinfo(np.int64).min, np.iinfo(np.int64).max
BLANK = {"n": 0, "at": LOW, "total": 0, "low": HIGH, "high": LOW, "last": LOW, "hit": 0, "weight": 0}
"""What a cell holds before its first reading: nothing that any sum or extreme would notice."""
_FOLD = {"n": np.add, "count": np.add, "total": np.add, "hit": np.add, "weight": np.add, "low": np.minimum, "high": np.maximum, "at": np.maximum}
_NEEDS: dict[str, tuple[str, ...]] = {
    "count": ("n",), "sum": ("total",), "mean": ("total", "n", "weight"), "min": ("low",), "max": ("high",), "last": ("last",), "share": ("hit", "n"),
}
_EACH = {"last": "last", "max": "high", "min": "low", "sum": "total", "count": "n"}


class Layout:
    """Rows of (area, sub), areas ascending: where each area begins, and each level's codes among the areas."""

    def __init__(self, areas: Codes, subs: Ints) -> None:
        """Take the rows' areas, ascending, and their subs."""
        self.rows, self.subs = areas, subs
        self.starts = _starts(areas)
        self.areas = areas[self.starts]
        self._levels: dict[Level, tuple[Codes, Ints]] = {}
        self._alone: bool | None = None

    def level(self, level: Level) -> tuple[Codes, Ints]:
        """Return a level's codes, and where each begins among the areas."""
        if level not in self._levels:
            codes = self.areas // UNIT[level] * UNIT[level]
            starts = _starts(codes)
            self._levels[level] = codes[starts], starts
        return self._levels[level]

    def alone(self) -> bool:
        """Tell whether no sub stands in two areas."""
        if self._alone is None:
            self._alone = len(np.unique(self.subs)) == len(self.subs)
        return self._alone


class Folded:
    """Cells of one spec summed up per area, ready for any level. `have` holds fields per row; rows with n = 0 hold `BLANK`."""

    def __init__(self, spec: CellSpec, layout: Layout, have: dict[str, Ints]) -> None:
        """Fold rows into areas."""
        self.spec, self.layout, self._have = spec, layout, have
        wanted = (*_NEEDS.get(spec.measure, ("n",)), "count", "at")
        self._areas = _reduce({f: v for f, v in (have | {"count": have.get("count", have["n"])}).items() if f in wanted}, layout.starts) if len(layout.rows) else {}

    def parts(self, level: Level) -> Parts:
        """Return the parts of a level; areas without a reading are left out."""
        if not self._areas:
            return Parts.empty()
        spec, (codes, starts) = self.spec, self.layout.level(level)
        have = _reduce(self._areas, starts)
        one = np.ones(len(codes), np.int64)
        if spec.measure == "p95" or (spec.measure == "distinct" and not self.layout.alone()):
            num, den = self._by_row(level, codes), one
        elif spec.measure == "distinct":
            num, den = np.add.reduceat(np.add.reduceat((self._have["n"] > 0).astype(np.int64), self.layout.starts), starts), one
        else:
            num, *rest = (have[f] for f in _NEEDS[spec.measure] if f in have)
            den = rest[-1] if rest else one
        used = have["count"] > 0
        return Parts(codes[used], num[used], den[used], have["count"][used], have["at"][used])

    def _by_row(self, level: Level, codes: Codes) -> Ints:
        """Measure what cannot be summed up area by area, from the rows: percentiles, and subs that stand in several areas."""
        used = np.flatnonzero(self._have["n"] > 0)
        rows = self.layout.rows[used] // UNIT[level] * UNIT[level]
        starts, out = _starts(rows), np.zeros(len(codes), np.int64)
        if not len(used):
            return out
        subs = bins(self._have["last"][used]) if self.spec.each and self.spec.measure == "p95" else self.layout.subs[used]
        found = percentile(subs, self._have["n"][used], starts, 95) if self.spec.measure == "p95" else _distinct(subs, starts)
        out[np.searchsorted(codes, rows[starts])] = found
        return out


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


def _reduce(have: dict[str, Ints], starts: Ints) -> dict[str, Ints]:
    """Sum up or take extremes between starts; of the latest time, the greatest last value."""
    if len(starts) == len(have["at"]):
        return have
    out = {f: _FOLD[f].reduceat(v, starts) for f, v in have.items() if f != "last"}
    if "last" in have:
        newest = np.repeat(out["at"], np.diff(np.append(starts, len(have["at"]))))
        out["last"] = np.maximum.reduceat(np.where(have["at"] == newest, have["last"], LOW), starts)
    return out


def _distinct(subs: Ints, starts: Ints) -> Ints:
    """Count different subs per group: one that moved between the group's areas counts once."""
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(subs))))
    order = np.lexsort((subs, group))
    new = np.append(True, (subs[order][1:] != subs[order][:-1]) | (group[order][1:] != group[order][:-1]))
    return np.bincount(group[order][new], minlength=len(starts)).astype(np.int64)
