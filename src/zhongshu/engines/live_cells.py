"""The live cells: numpy panes of integers, filled by unbuffered adds, rolled up over sorted areas by reduceat.

State at a boundary depends on the readings known by then and on the specs, on nothing else: what is revised, or comes for a pane
that has passed, is read again from the record through `reload`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zhongshu.kernel.area import UNIT, Level
from zhongshu.kernel.clock import DAY
from zhongshu.kernel.condition import Rows, holds
from zhongshu.kernel.histogram import bins, percentile
from zhongshu.kernel.live import CellSpec, Facets, Ints, Parts, fields
from zhongshu.kernel.quantity import NULL, Property
from zhongshu.kernel.reading import Flag, Readings

LOW, HIGH = np.iinfo(np.int64).min, np.iinfo(np.int64).max
FARTHEST = 401 * DAY
"""How far ahead of its known time a reading may be valid, and a little more."""
Reload = Callable[[CellSpec, int, int, int], pa.Table]
"""(spec, from pane, to pane, known) → rows (pane, area, sub, n, latest, total, low, high, last, hit, weight), `sub` an entity id, a bin, or ''."""
_BLANK = {"n": 0, "at": LOW, "total": 0, "low": HIGH, "high": LOW, "last": LOW, "hit": 0, "weight": 0}


class Cells:
    """The panes of one spec: a ring of `window / hop` rows over keys (area, sub), sub being an entity, a histogram bin or nothing."""

    def __init__(self, spec: CellSpec) -> None:
        """Start empty, at no time."""
        self.spec = spec
        self.panes = spec.window // spec.hop
        self.current = LOW
        self.dirty: set[int] = set()
        self.later: dict[int, list[Readings]] = defaultdict(list)
        self._keys: dict[tuple[int, int], int] = {}
        self._room = 256
        self.areas, self.subs = np.zeros(self._room, np.int64), np.zeros(self._room, np.int64)
        self.data = {f: np.full((self.panes, self._room), _BLANK[f], np.int64) for f in fields(spec)}
        self._order: Ints | None = None
        self._column_of, self._area_of = np.full(1024, -1, np.int64), np.zeros(1024, np.int64)

    def columns(self, entity: Ints, areas: Ints, subs: Ints | None) -> Ints:
        """Return the column of each reading. An entity keeps its column while it keeps its area; only others are looked up by key."""
        if subs is not None:
            return self.keys(areas, subs)
        if len(entity) and (top := int(entity.max())) >= len(self._column_of):
            more = max(top + 1, 2 * len(self._column_of)) - len(self._column_of)
            self._column_of = np.append(self._column_of, np.full(more, -1))
            self._area_of = np.append(self._area_of, np.zeros(more, np.int64))
        found = self._column_of[entity]
        new = (found < 0) | (self._area_of[entity] != areas)
        if new.any():
            by_entity = bool(self.spec.each) or self.spec.measure == "distinct"
            found[new] = self.keys(areas[new], entity[new] if by_entity else np.zeros(int(new.sum()), np.int64))
            self._column_of[entity[new]], self._area_of[entity[new]] = found[new], areas[new]
        return found

    def keys(self, areas: Ints, subs: Ints) -> Ints:
        """Return the column of each (area, sub), making new ones."""
        pairs = np.stack([areas, subs], axis=1)
        unique, inverse = np.unique(pairs, axis=0, return_inverse=True) if len(pairs) > 1 else (pairs, np.zeros(len(pairs), np.int64))
        columns = np.array([self._key(int(a), int(s)) for a, s in unique], np.int64)
        return columns[inverse.reshape(-1)]

    def _key(self, area: int, sub: int) -> int:
        column = self._keys.get((area, sub))
        if column is None:
            column = self._keys[area, sub] = len(self._keys)
            if column == self._room:
                self.data = {f: np.concatenate([d, np.full((self.panes, self._room), _BLANK[f], np.int64)], axis=1) for f, d in self.data.items()}
                self.areas, self.subs = np.append(self.areas, np.zeros(self._room, np.int64)), np.append(self.subs, np.zeros(self._room, np.int64))
                self._room *= 2
            self.areas[column], self.subs[column] = area, sub
            self._order = None
        return column

    def turn(self, pane: int) -> bool:
        """Go on to a pane; those that leave the window are blanked. Return whether anything moved."""
        if pane <= self.current:
            return False
        steps = self.panes if self.current == LOW else min(pane - self.current, self.panes)
        for p in range(pane - steps + 1, pane + 1):
            for f, d in self.data.items():
                d[p % self.panes] = _BLANK[f]
        self.current = pane
        self.dirty = {p for p in self.dirty if p > pane - self.panes}
        return True

    def due(self) -> list[Readings]:
        """Hand out what waited for panes that have come."""
        return [rows for pane in sorted(p for p in self.later if p <= self.current) for rows in self.later.pop(pane)]

    def add(self, pane: Ints, column: Ints, values: dict[str, Ints]) -> None:
        """Fold values into cells. `values` holds each field but `n`, or `n` too when whole panes are loaded."""
        flat = (pane % self.panes) * self._room + column
        data = {f: d.reshape(-1) for f, d in self.data.items()}
        np.add.at(data["n"], flat, values.get("n", np.ones(len(flat), np.int64)))
        if "last" in data:
            _latest(data["at"], data["last"], flat, values["at"], values["last"])
        else:
            np.maximum.at(data["at"], flat, values["at"])
        for f, put in (("total", np.add), ("hit", np.add), ("weight", np.add), ("low", np.minimum), ("high", np.maximum)):
            if f in data:
                put.at(data[f], flat, values[f])

    def blank(self, pane: int) -> None:
        """Forget what a pane holds, before it is loaded anew."""
        for f, d in self.data.items():
            d[pane % self.panes] = _BLANK[f]

    def combined(self) -> tuple[Ints, dict[str, Ints]]:
        """Return the columns in use, sorted by area, and each field over the whole window."""
        k = len(self._keys)
        if self._order is None:
            self._order = np.argsort(self.areas[:k], kind="stable")
        order, out = self._order, dict[str, Ints]()
        for f in ("n", "total", "hit", "weight"):
            if f in self.data:
                out[f] = self.data[f][:, :k].sum(axis=0)[order]
        for f, pick in (("at", np.max), ("high", np.max), ("low", np.min)):
            if f in self.data:
                out[f] = pick(self.data[f][:, :k], axis=0)[order]
        if "last" in self.data:
            at = self.data["at"][:, :k]
            out["last"] = np.where(at == at.max(axis=0), self.data["last"][:, :k], LOW).max(axis=0)[order]
        used = out["n"] > 0
        return order[used], {f: v[used] for f, v in out.items()}


def _latest(at: Ints, last: Ints, flat: Ints, when: Ints, what: Ints) -> None:
    """Keep at the latest time the greatest value; an older time never counts."""
    before = at[flat].copy()
    np.maximum.at(at, flat, when)
    after = at[flat]
    last[flat[after > before]] = LOW
    newest = when == after
    np.maximum.at(last, flat[newest], what[newest])


class LiveCells:
    """All cells of a city, shared between indicators that say the same. Used by the tick's thread alone."""

    def __init__(self, properties: list[Property], facets: Facets, sources: list[str], numbers: dict[str, int], reload: Reload) -> None:
        """Take the registry's words; `numbers` gives an entity's number by id."""
        self._properties, self._facets, self._sources, self._numbers, self._reload = properties, facets, sources, numbers, reload
        self._cells: dict[CellSpec, Cells] = {}
        self._by_property: dict[str, list[Cells]] = defaultdict(list)
        self._changed: set[CellSpec] = set()
        self._weight_of: dict[str, tuple[Ints, npt.NDArray[np.bool_]]] = {}
        self._rows = {p.name: p for p in properties}
        self._cache: dict[tuple[CellSpec, Level], Parts] = {}

    def declare(self, specs: Iterable[CellSpec]) -> None:
        """Keep cells for specs; those kept already stay as they are."""
        for spec in specs:
            if spec not in self._cells:
                cells = self._cells[spec] = Cells(spec)
                self._by_property[spec.property].append(cells)

    def restore(self, at: int) -> None:
        """Stand at a boundary with what the record knows at it; panes ahead that hold something already are read when they come."""
        self._cache.clear()
        for cells in self._cells.values():
            cells.current, cells.dirty = LOW, set()
            cells.later.clear()
            pane = at // cells.spec.hop
            cells.turn(pane)
            table = self._reload(cells.spec, pane - cells.panes + 1, (at + FARTHEST) // cells.spec.hop, at)
            come = np.asarray(table["pane"], np.int64) <= pane
            cells.dirty = set(np.asarray(table["pane"], np.int64)[~come].tolist())
            self._fill(cells, table.filter(pa.array(come)))
            self._changed.add(cells.spec)

    def apply(self, readings: Readings) -> None:
        """Take in a durable group, known before the next boundary."""
        for number in np.flatnonzero(np.bincount(readings.property)):
            cells = self._by_property.get(readings.properties[number])
            if cells:
                rows = readings.select(readings.property == number)
                for each in cells:
                    self._put(each, rows)

    def _put(self, cells: Cells, rows: Readings) -> None:
        spec = cells.spec
        pane = rows.valid // spec.hop
        revised = (rows.flags & int(Flag.REVISION)) != 0
        inside = (pane > cells.current - cells.panes) & (pane <= cells.current)
        if revised.any():
            cells.dirty.update(np.unique(pane[revised & (pane > cells.current - cells.panes)]).tolist())
        if (ahead := (pane > cells.current) & ~revised).any():
            for each in np.unique(pane[ahead]).tolist():
                cells.later[each].append(rows.select(ahead & (pane == each)))
        now = inside & ~revised & (rows.ticks != NULL)
        if now.any():
            self._fold(cells, rows.select(now), pane[now])
        if now.any() or revised.any():
            self._changed.add(spec)

    def _fold(self, cells: Cells, rows: Readings, pane: Ints) -> None:
        spec, prop = cells.spec, self._rows[cells.spec.property]
        seen = Rows(rows.ticks, rows.entity, rows.flags, rows.source)
        values = {"at": rows.valid, "total": rows.ticks, "low": rows.ticks, "high": rows.ticks, "last": rows.ticks}
        keep = np.ones(len(rows), np.bool_) if spec.where is None else holds(spec.where, seen, prop, self._facets, self._sources)
        if not spec.each and spec.when is not None:
            values["hit"] = holds(spec.when, seen, prop, self._facets, self._sources).astype(np.int64)
        if not spec.each and spec.weight:
            weight, known = self._weights(spec.weight, rows.entity)
            keep &= known
            values |= {"weight": weight, "total": rows.ticks * weight}
        if keep.any():
            subs = bins(rows.ticks[keep]) if spec.measure == "p95" and not spec.each else None
            column = cells.columns(rows.entity[keep].astype(np.int64), rows.area[keep], subs)
            cells.add(pane[keep], column, {f: values[f][keep] for f in (*fields(spec), "at") if f in values})

    def _weights(self, facet: str, entity: npt.NDArray[np.int32] | Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
        held = self._facets.facet(facet)
        weights, known = self._weight_of.get(facet, (np.zeros(0, np.int64), np.zeros(0, np.bool_)))
        if len(weights) < (n := len(held)):
            of = [w if isinstance(w, int | float) else None for w in held[len(weights) : n]]
            weights = np.append(weights, np.array([0 if w is None else round(w) for w in of], np.int64))
            known = np.append(known, np.array([w is not None for w in of], np.bool_))
            self._weight_of[facet] = weights, known
        return weights[entity], known[entity]

    def advance(self, at: int) -> set[CellSpec]:
        """Go to a boundary: turn panes, load what was revised, and return what may have changed."""
        for cells in self._cells.values():
            if cells.turn(at // cells.spec.hop):
                self._changed.add(cells.spec)
                for rows in cells.due():
                    self._put(cells, rows)
            if due := sorted(p for p in cells.dirty if p <= cells.current):
                cells.dirty -= set(due)
                for pane in due:
                    cells.blank(pane)
                    self._fill(cells, self._reload(cells.spec, pane, pane, at))
                self._changed.add(cells.spec)
        changed, self._changed = self._changed, set()
        self._cache = {key: parts for key, parts in self._cache.items() if key[0] not in changed}
        return changed

    def _fill(self, cells: Cells, table: pa.Table) -> None:
        if len(table):
            sub = np.array([self._numbers[s] for s in table["sub"].to_pylist()], np.int64) if cells.spec.each or cells.spec.measure == "distinct" else np.asarray(table["sub"].cast(pa.int64()))
            values = {f: np.asarray(table["latest" if f == "at" else f]) for f in cells.data}
            cells.add(np.asarray(table["pane"]), cells.keys(np.asarray(table["area"]), sub), values)

    def parts(self, spec: CellSpec, level: Level) -> Parts:
        """Return the parts of a spec at the boundary, at one level."""
        key = (spec, level)
        if key not in self._cache:
            self._cache[key] = self._roll_up(self._cells[spec], level)
        return self._cache[key]

    def _roll_up(self, cells: Cells, level: Level) -> Parts:
        spec = cells.spec
        columns, have = cells.combined()
        if not len(columns):
            return Parts.empty()
        codes = cells.areas[columns] // UNIT[level] * UNIT[level]
        starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
        count, at = np.add.reduceat(have["n"], starts), np.maximum.reduceat(have["at"], starts)
        subs = cells.subs[columns]
        if spec.each:
            have = self._entity_values(cells, columns, have)
            subs = bins(have["last"]) if spec.measure == "p95" else subs
        num, den = _measure(spec, subs, have, starts)
        return Parts(codes[starts], num, den, count, at)

    def _entity_values(self, cells: Cells, columns: Ints, have: dict[str, Ints]) -> dict[str, Ints]:
        """Give every entity its one value, then look at entities as if they were readings; one without a weight weighs nothing."""
        spec = cells.spec
        ticks = have[{"last": "last", "max": "high", "min": "low", "sum": "total", "count": "n"}[spec.each]]
        entity = cells.subs[columns].astype(np.int32)
        hit = np.zeros(len(ticks), np.int64) if spec.when is None else holds(spec.when, Rows(ticks, entity), self._rows[spec.property], self._facets, self._sources).astype(np.int64)
        weight = np.ones(len(ticks), np.int64)
        if spec.weight:
            weight, _ = self._weights(spec.weight, entity)
        total = ticks * weight
        return {"n": np.ones(len(ticks), np.int64), "at": have["at"], "total": total, "low": ticks, "high": ticks, "last": ticks, "hit": hit, "weight": weight}


def _distinct(subs: Ints, starts: Ints) -> Ints:
    """Count different subs per group: one that moved between the group's areas counts once."""
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(subs))))
    order = np.lexsort((subs, group))
    new = np.append(True, (subs[order][1:] != subs[order][:-1]) | (group[order][1:] != group[order][:-1]))
    return np.bincount(group[order][new], minlength=len(starts)).astype(np.int64)


def _measure(spec: CellSpec, subs: Ints, have: dict[str, Ints], starts: Ints) -> tuple[Ints, Ints]:
    """Return numerator and denominator per group of columns."""
    n = np.add.reduceat(have["n"], starts)
    one = np.ones(len(starts), np.int64)
    match spec.measure:
        case "count":
            return n, one
        case "sum":
            return np.add.reduceat(have["total"], starts), one
        case "mean":
            return np.add.reduceat(have["total"], starts), np.add.reduceat(have["weight"], starts) if spec.weight else n
        case "min":
            return np.minimum.reduceat(have["low"], starts), one
        case "max":
            return np.maximum.reduceat(have["high"], starts), one
        case "last":
            newest = np.repeat(np.maximum.reduceat(have["at"], starts), np.diff(np.append(starts, len(have["at"]))))
            return np.maximum.reduceat(np.where(have["at"] == newest, have["last"], LOW), starts), one
        case "share":
            return np.add.reduceat(have["hit"], starts), n
        case "distinct":
            return _distinct(subs, starts), one
        case _:
            return percentile(subs, have["n"], starts, 95), one
