"""Parts become values, and values levels: the one place where integers turn into what a person reads.

The live cells and the warehouse both give parts; this gives the same value for the same parts, to the last bit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from zhongshu.judge.indicator import Band, Indicator, Step, widen
from zhongshu.judge.statics import Statics
from zhongshu.kernel.area import UNIT, Codes, Level, interval, keyed, level_of
from zhongshu.kernel.clock import MINUTE, to_datetime
from zhongshu.kernel.expression import evaluate
from zhongshu.kernel.finding import Status
from zhongshu.kernel.live import CellSpec, Ints, Parts
from zhongshu.kernel.quantity import Property, known_unit

Doubles = npt.NDArray[np.float64]
Levels = tuple[Level, ...]
Ask = Callable[[CellSpec, Levels], Parts]
_HOLDS: dict[str, Callable[[Doubles, Doubles], npt.NDArray[np.bool_]]] = {">=": np.greater_equal, ">": np.greater, "<": np.less, "<=": np.less_equal, "=": np.equal}


@dataclass(slots=True)
class Values:
    """Per area of some levels, keys ascending: the value (NaN: none), the latest valid time (µs), how many readings, the level, and the band's place in its list (-1: none).

    `seen`: the boundary, µs. `since`: the boundary at which each level began, as far as it was watched.
    """

    keys: Codes
    value: Doubles
    at: Ints
    count: Ints
    status: npt.NDArray[np.object_]
    band: npt.NDArray[np.int64]
    native: npt.NDArray[np.object_]
    seen: int = 0
    since: Ints | None = None

    @property
    def codes(self) -> Codes:
        """Return the areas' codes."""
        return self.keys >> 3

    def of(self, level: Level) -> npt.NDArray[np.int64]:
        """Return the places of a level's areas."""
        return np.flatnonzero(self.keys & 7 == level)

    def find(self, area: int, level: Level | None = None) -> int | None:
        """Return an area's place, or None."""
        key = area << 3 | (level_of(area) if level is None else level)
        place = int(np.searchsorted(self.keys, key))
        return place if place < len(self.keys) and self.keys[place] == key else None


@dataclass(slots=True)
class Judge:
    """What values are made with: the properties, the standing facts, the city's zone and its areas of each level."""

    properties: dict[str, Property]
    statics: Statics
    zone: ZoneInfo
    areas: Callable[[Level], Codes]
    _bands: dict[str, tuple[int, tuple[Band, ...], list[tuple[int, Band]]]] = field(default_factory=dict)

    def values(self, indicator: Indicator, levels: Levels, at: int, ask: Ask) -> Values:
        """Return an indicator's values and levels for all areas of some levels of the tree, at a boundary."""
        parts = {name: ask(spec, levels) for name, spec in indicator.measures.items()}
        keys = self._keys(indicator, levels, parts)
        value = self._value(indicator, levels, keys, parts)
        latest, count = np.zeros(len(keys), np.int64), np.zeros(len(keys), np.int64)
        for part in parts.values():
            place = slice(None) if part.keys is keys else np.searchsorted(keys, part.keys)
            latest[place] = np.maximum(latest[place], part.at)
            count[place] += part.count
        size = len(keys)
        out = Values(keys, value, latest, count, np.full(size, Status.UNSET, object), np.full(size, -1), np.full(size, "", object), at)
        self._levels(indicator, levels, at, ask, out)
        stale = np.isnan(value) if indicator.empty else np.isnan(value) | (at - latest > indicator.stale_after)
        out.status[stale] = Status.STALE
        return out

    def _keys(self, indicator: Indicator, levels: Levels, parts: dict[str, Parts]) -> Codes:
        found = [p.keys for p in parts.values()]
        if indicator.empty:
            found += [keyed(self.areas(level), level) for level in levels]
        if "registered" in indicator.statics():
            found += [self.statics.registered(self.properties[m.property].type, level)[0] for m in indicator.measures.values() for level in levels]
        if all(each is found[0] for each in found):
            return found[0]
        return np.unique(np.concatenate(found))

    def _value(self, indicator: Indicator, levels: Levels, keys: Codes, parts: dict[str, Parts]) -> Doubles:
        columns = {}
        for name, spec in indicator.measures.items():
            columns[name] = _spread(keys, parts[name].keys, self._double(indicator, spec, parts[name]), indicator.empty.get(name, np.nan))
        if indicator.tree is None:
            (value,) = columns.values()
        else:
            types = sorted({self.properties[m.property].type for m in indicator.measures.values()})
            if "registered" in indicator.statics():
                columns["registered"] = self._standing(keys, levels, [partial(self.statics.registered, t) for t in types])
            if "population" in indicator.statics():
                columns["population"] = self._standing(keys, levels, [self.statics.people], np.nan)
            value = evaluate(indicator.tree, columns, indicator.tables, lambda facet: self._standing(keys, levels, [partial(self.statics.total, t, facet) for t in types]))
        return np.round(value, indicator.decimals) + 0.0

    def _standing(self, keys: Codes, levels: Levels, facts: Sequence[Callable[[Level], tuple[Codes, Doubles]]], default: float = 0.0) -> Doubles:
        """Lay standing facts of each level onto the areas, one over the other."""
        out = []
        for fact in facts:
            have, values = zip(*(fact(level) for level in levels), strict=True)
            found, facts_ = np.concatenate(have), np.concatenate(values)
            order = np.argsort(found)
            out.append(_spread(keys, found[order], facts_[order], default))
        return np.asarray(np.sum(out, axis=0))

    def _double(self, indicator: Indicator, spec: CellSpec, parts: Parts) -> Doubles:
        """Turn num/den in ticks into the indicator's unit (single measure) or the property's (formula)."""
        num, den = parts.num.astype(np.float64), parts.den.astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(parts.den != 0, num / den, np.nan)
        percent = known_unit(indicator.unit)
        if spec.measure == "share":
            return ratio * (100.0 if indicator.tree is None and percent is not None and indicator.unit == "%" else 1.0)
        if spec.measure in {"count", "distinct"} or spec.each == "count":
            return ratio
        prop = self.properties[spec.property]
        if indicator.tree is None and percent is not None and indicator.unit != prop.unit:
            scale, shift = prop.factor(indicator.unit)
            return (ratio - shift) / scale
        numerator, denominator = prop.ratio
        return ratio * numerator / denominator

    def _levels(self, indicator: Indicator, levels: Levels, at: int, ask: Ask, out: Values) -> None:
        """Give each area the worst level whose step holds, by the band in force there; areas without a band stay unset."""
        other: dict[int, Doubles] = {}
        some = ~np.isnan(out.value)
        for number, band in self._in_force(indicator, at):
            here = some
            if band.place:
                low, high = interval(band.place)
                here = here & (out.codes >= low) & (out.codes < high)
            if band.by:
                here = here & self._matching(band, levels, out.keys)
            out.status[here], out.band[here] = Status.GREEN, number
            for step in reversed(band.steps):
                value = out.value if not step.window else other.setdefault(step.window, self._widened(indicator, step.window, levels, out.keys, ask))
                held = here & _HOLDS[step.op](value, self._bound(indicator, step, levels, out.keys))
                out.status[held], out.native[held] = step.level, step.native

    def _widened(self, indicator: Indicator, window: int, levels: Levels, keys: Codes, ask: Ask) -> Doubles:
        parts = {name: ask(widen(spec, window), levels) for name, spec in indicator.measures.items()}
        return self._value(indicator, levels, keys, parts)

    def _in_force(self, indicator: Indicator, at: int) -> list[tuple[int, Band]]:
        """Return the bands in force, general before particular, older before newer: the same ones within a minute."""
        minute, kept = at // MINUTE, self._bands.get(indicator.code)
        if kept is None or kept[0] != minute or kept[1] is not indicator.bands:
            now = to_datetime(at).astimezone(self.zone)
            held = [(i, b) for i, b in enumerate(indicator.bands) if b.valid_from <= now.date() < b.valid_to and _in_period(b, now)]
            kept = self._bands[indicator.code] = (
                minute,
                indicator.bands,
                sorted(held, key=lambda row: (row[1].place > 0, bool(row[1].by), row[1].period is not None, row[1].valid_from, row[0])),
            )
        return kept[2]

    def _matching(self, band: Band, levels: Levels, keys: Codes) -> npt.NDArray[np.bool_]:
        """Return the areas that hold an entity whose facet has the band's value."""
        wanted = [i for i, e in enumerate(self.statics.register.facet(band.by.removeprefix("entity."))) if str(e) == band.by_value]
        areas = self.statics.register.areas()[wanted]
        return np.isin(keys, np.concatenate([keyed(areas // UNIT[level] * UNIT[level], level) for level in levels]))

    def _bound(self, indicator: Indicator, step: Step, levels: Levels, keys: Codes) -> Doubles:
        """Return the step's bound, or for a facet the strictest one among each area's entities."""
        if not step.facet:
            return np.asarray(step.value)
        register, bounds = self.statics.register, np.full(len(keys), np.nan)
        pick = np.fmin if step.op in {">=", ">"} else np.fmax
        facets = register.facet(step.facet)
        for type_ in {self.properties[m.property].type for m in indicator.measures.values()}:
            entities = [i for i in register.of_type(type_).tolist() if isinstance(facets[i], int | float)]
            values = np.array([facets[i] for i in entities], np.float64)
            for level in levels:
                own = keyed(register.areas()[entities] // UNIT[level] * UNIT[level], level)
                place = np.minimum(np.searchsorted(keys, own), max(len(keys) - 1, 0))
                fits = keys[place] == own if len(keys) else np.zeros(len(own), np.bool_)
                pick.at(bounds, place[fits], values[fits])
        return bounds


def differs(before: Values | None, now: Values) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return which values read otherwise than before, which levels do, and each area's place before."""
    size = len(now.keys)
    if before is None or not len(before.keys):
        return np.ones(size, np.bool_), np.ones(size, np.bool_), np.zeros(size, np.int64)
    place = np.arange(size) if before.keys is now.keys else np.minimum(np.searchsorted(before.keys, now.keys), len(before.keys) - 1)
    alike = (before.keys[place] == now.keys) & (before.status[place] == now.status)
    old = before.value[place]
    return ~(alike & ((old == now.value) | (np.isnan(old) & np.isnan(now.value)))), ~alike, place


def _spread(keys: Codes, have: Codes, values: Doubles, default: float) -> Doubles:
    """Lay values of some areas onto all areas; what is missing or null becomes the default."""
    if have is keys:
        return values if np.isnan(default) else np.where(np.isnan(values), default, values)
    out = np.full(len(keys), default)
    place = np.searchsorted(keys, have)
    fits = place < len(keys)
    fits[fits] = keys[place[fits]] == have[fits]
    out[place[fits]] = values[fits]
    return np.where(np.isnan(out), default, out)


def _in_period(band: Band, now: datetime) -> bool:
    if band.period is None:
        return True
    begin, end, time = *band.period, now.strftime("%H:%M")
    return begin <= time < end if begin <= end else time >= begin or time < end
