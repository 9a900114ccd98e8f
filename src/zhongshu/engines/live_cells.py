"""The live cells: what a city's readings become, shared between all signs that say the same.

State at a boundary depends on the readings known by then and on the specs, on nothing else: what is revised, or comes for a pane
that has passed, is read again from the record through `reload`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from zhongshu.engines.cells import Cells, shared
from zhongshu.kernel.area import Level
from zhongshu.kernel.clock import DAY
from zhongshu.kernel.condition import Rows, holds
from zhongshu.kernel.histogram import bins
from zhongshu.kernel.live import CellSpec, Facets, Ints, Parts, fields
from zhongshu.kernel.quantity import NULL, Property
from zhongshu.kernel.reading import Flag, Readings
from zhongshu.kernel.rollup import LOW, Folded, RollUp, Sums

FARTHEST = 401 * DAY
"""How far ahead of its known time a reading may be valid, and a little more."""
Reload = Callable[[CellSpec, int, int, int], pa.Table]
"""(spec, from pane, to pane, known) → rows (pane, area, sub, n, latest, total, low, high, last, hit, weight), `sub` an entity id, a bin, or ''."""
Heard = Callable[[int], Mapping[str, int]]
"""(since, µs) → of every property that the record has readings of, valid since then, the latest valid time (µs): a look at the record costs much where there is nothing to see."""


class LiveCells:
    """All cells of a city, shared between indicators that say the same. Used by the tick's thread alone."""

    def __init__(self, properties: list[Property], facets: Facets, sources: list[str], numbers: dict[str, int], reload: Reload, heard: Heard) -> None:
        """Take the registry's words; `numbers` gives an entity's number by id."""
        self._facets, self._sources, self._reload, self._heard = facets, sources, reload, heard
        self._cells: dict[CellSpec, Cells] = {}
        self._by_property: dict[str, list[Cells]] = defaultdict(list)
        self._changed: set[CellSpec] = set()
        self._rows = {p.name: p for p in properties}
        self._roll_up = RollUp(self._rows, facets, sources, numbers)
        self._folded: dict[CellSpec, Folded] = {}
        self._kept_under: dict[CellSpec, CellSpec] = {}
        self._specs: dict[CellSpec, set[CellSpec]] = defaultdict(set)
        self._combined: dict[CellSpec, Sums] = {}

    def declare(self, specs: Iterable[CellSpec], finest: Level = Level.CELL) -> None:
        """Keep cells for specs, to be asked for at no finer level; those kept already as fine stay as they are."""
        for spec in specs:
            base = self._kept_under[spec] = shared(spec)
            self._specs[base].add(spec)
            held = self._cells.get(base)
            if held is None or held.finest < finest:
                self._cells[base] = Cells(base, finest) if held is None else held.finer(finest)
                self._by_property[spec.property] = [c for c in self._by_property[spec.property] if c is not held] + [self._cells[base]]
            self._cells[base].want(fields(spec))

    def restore(self, at: int) -> None:
        """Stand at a boundary with what the record knows at it; panes ahead that hold something already are read when they come."""
        self._folded.clear()
        self._combined.clear()
        first = {base: at // base.hop - cells.panes + 1 for base, cells in self._cells.items()}
        heard = self._heard(min((pane * base.hop for base, pane in first.items()), default=at))
        for cells in self._cells.values():
            cells.current, cells.dirty = LOW, set()
            cells.later.clear()
            pane = at // cells.spec.hop
            cells.turn(pane)
            self._changed.add(cells.spec)
            if heard.get(cells.spec.property, LOW) < first[cells.spec] * cells.spec.hop:
                continue
            table = self._reload(cells.spec, first[cells.spec], (at + FARTHEST) // cells.spec.hop, at)
            come = np.asarray(table["pane"], np.int64) <= pane
            cells.dirty = set(np.asarray(table["pane"], np.int64)[~come].tolist())
            self._fill(cells, table.filter(pa.array(come)))

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
            self._fold(cells, *((rows, pane) if now.all() else (rows.select(now), pane[now])))
        if now.any() or revised.any():
            self._changed.add(spec)

    def _fold(self, cells: Cells, rows: Readings, pane: Ints) -> None:
        spec, prop = cells.spec, self._rows[cells.spec.property]
        seen = Rows(rows.ticks, rows.entity, rows.flags, rows.source)
        values = {"at": rows.valid, "total": rows.ticks, "low": rows.ticks, "high": rows.ticks, "last": rows.ticks}
        keep: Any = np.ones(len(rows), np.bool_) if spec.where is None else holds(spec.where, seen, prop, self._facets, self._sources)
        if spec.when is not None:
            values["hit"] = holds(spec.when, seen, prop, self._facets, self._sources).astype(np.int64)
        if spec.weight:
            weight, known = self._roll_up.weights(spec.weight, rows.entity)
            keep &= known
            values |= {"weight": weight, "total": rows.ticks * weight}
        if keep.any():
            keep = slice(None) if keep.all() else keep
            subs = bins(rows.ticks[keep]) if spec.measure == "p95" else None
            column = cells.columns(rows.entity[keep].astype(np.int64), rows.area[keep], subs)
            cells.add(pane[keep], column, {f: values[f][keep] for f in cells.data if f in values})

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
        changed = {spec for base in self._changed for spec in self._specs[base]}
        for base in self._changed:
            self._combined.pop(base, None)
        self._changed = set()
        for spec in changed:
            self._folded.pop(spec, None)
        return changed

    def _fill(self, cells: Cells, table: pa.Table) -> None:
        if len(table):
            areas, subs, values = self._roll_up.read(table, cells.data)
            cells.add(np.asarray(table["pane"]), cells.keys(areas, subs), values)

    def parts(self, spec: CellSpec, levels: tuple[Level, ...]) -> Parts:
        """Return the parts of a spec at the boundary, at some levels."""
        folded = self._folded.get(spec)
        if folded is None:
            base = self._kept_under[spec]
            if base not in self._combined:
                self._combined[base] = self._cells[base].combined()
            folded = self._folded[spec] = self._roll_up.fold(spec, self._combined[base])
        return folded.parts(levels)
