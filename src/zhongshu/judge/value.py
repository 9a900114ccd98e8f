"""Parts become values, and values levels: the one place where integers turn into what a person reads.

The live cells and the warehouse both give parts; this gives the same value for the same parts, to the last bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from zhongshu.judge.indicator import Band, Indicator, Step, widen
from zhongshu.judge.statics import Statics
from zhongshu.kernel.area import Codes, Level, interval
from zhongshu.kernel.clock import to_datetime
from zhongshu.kernel.expression import evaluate
from zhongshu.kernel.finding import Status
from zhongshu.kernel.live import CellSpec, Ints, Parts
from zhongshu.kernel.quantity import Property, known_unit

Doubles = npt.NDArray[np.float64]
Ask = Callable[[CellSpec, Level], Parts]
_HOLDS: dict[str, Callable[[Doubles, Doubles], npt.NDArray[np.bool_]]] = {">=": np.greater_equal, ">": np.greater, "<": np.less, "<=": np.less_equal, "=": np.equal}


@dataclass(slots=True)
class Values:
    """Per area, codes ascending: the value (NaN: none), the latest valid time (µs), how many readings, the level, and the band's place in its list (-1: none). `seen`: the boundary, µs."""

    codes: Codes
    value: Doubles
    at: Ints
    count: Ints
    status: npt.NDArray[np.object_]
    band: npt.NDArray[np.int64]
    native: npt.NDArray[np.object_]
    seen: int = 0

    def find(self, area: int) -> int | None:
        """Return an area's place, or None."""
        place = int(np.searchsorted(self.codes, area))
        return place if place < len(self.codes) and self.codes[place] == area else None


@dataclass(slots=True)
class Judge:
    """What values are made with: the properties, the standing facts, the city's zone and its areas of each level."""

    properties: dict[str, Property]
    statics: Statics
    zone: ZoneInfo
    areas: Callable[[Level], Codes]

    def values(self, indicator: Indicator, level: Level, at: int, ask: Ask) -> Values:
        """Return an indicator's values and levels for all areas of a level, at a boundary."""
        parts = {name: ask(spec, level) for name, spec in indicator.measures.items()}
        codes = self._codes(indicator, level, parts)
        value = self._value(indicator, level, codes, parts)
        latest = np.full(len(codes), 0, np.int64)
        count = np.zeros(len(codes), np.int64)
        for part in parts.values():
            place = np.searchsorted(codes, part.codes)
            latest[place] = np.maximum(latest[place], part.at)
            count[place] += part.count
        out = Values(codes, value, latest, count, np.full(len(codes), Status.UNSET, object), np.full(len(codes), -1), np.full(len(codes), "", object), at)
        self._levels(indicator, level, at, ask, out)
        stale = np.isnan(value) if indicator.empty else np.isnan(value) | (at - latest > indicator.stale_after)
        out.status[stale] = Status.STALE
        return out

    def _codes(self, indicator: Indicator, level: Level, parts: dict[str, Parts]) -> Codes:
        found = [p.codes for p in parts.values()]
        if indicator.empty:
            found.append(self.areas(level))
        if "registered" in indicator.statics():
            found += [self.statics.registered(self.properties[m.property].type, level)[0] for m in indicator.measures.values()]
        return np.unique(np.concatenate(found))

    def _value(self, indicator: Indicator, level: Level, codes: Codes, parts: dict[str, Parts]) -> Doubles:
        columns = {}
        for name, spec in indicator.measures.items():
            columns[name] = _spread(codes, parts[name].codes, self._double(indicator, spec, parts[name]), indicator.empty.get(name, np.nan))
        if indicator.tree is None:
            (value,) = columns.values()
        else:
            types = sorted({self.properties[m.property].type for m in indicator.measures.values()})
            if "registered" in indicator.statics():
                columns["registered"] = np.sum([_spread(codes, *self.statics.registered(t, level), 0.0) for t in types], axis=0)
            if "population" in indicator.statics():
                columns["population"] = _spread(codes, *self.statics.people(level), np.nan)
            value = evaluate(
                indicator.tree, columns, indicator.tables,
                lambda facet: np.sum([_spread(codes, *self.statics.total(t, facet, level), 0.0) for t in types], axis=0))
        return np.round(value, indicator.decimals) + 0.0

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
        return ratio * float(prop.tick.numerator) / float(prop.tick.denominator)

    def _levels(self, indicator: Indicator, level: Level, at: int, ask: Ask, out: Values) -> None:
        """Give each area the worst level whose step holds, by the band in force there; areas without a band stay unset."""
        other: dict[int, Doubles] = {}
        for number, band in self._in_force(indicator, at):
            low, high = interval(band.place) if band.place else (0, 10**15)
            here = (out.codes >= low) & (out.codes < high) & ~np.isnan(out.value)
            if band.by:
                here &= self._matching(indicator, band, level, out.codes)
            out.status[here], out.band[here] = Status.GREEN, number
            for step in reversed(band.steps):
                value = out.value if not step.window else other.setdefault(step.window, self._widened(indicator, step.window, level, out.codes, ask))
                held = here & _HOLDS[step.op](value, self._bound(indicator, step, level, out.codes))
                out.status[held], out.native[held] = step.level, step.native

    def _widened(self, indicator: Indicator, window: int, level: Level, codes: Codes, ask: Ask) -> Doubles:
        parts = {name: ask(widen(spec, window), level) for name, spec in indicator.measures.items()}
        return self._value(indicator, level, codes, parts)

    def _in_force(self, indicator: Indicator, at: int) -> list[tuple[int, Band]]:
        """Return the bands in force, general before particular, older before newer."""
        now = to_datetime(at).astimezone(self.zone)
        held = [(i, b) for i, b in enumerate(indicator.bands) if b.valid_from <= now.date() < b.valid_to and _in_period(b, now)]
        return sorted(held, key=lambda row: (row[1].place > 0, bool(row[1].by), row[1].period is not None, row[1].valid_from, row[0]))

    def _matching(self, indicator: Indicator, band: Band, level: Level, codes: Codes) -> npt.NDArray[np.bool_]:
        """Return the areas that hold an entity whose facet has the band's value."""
        wanted = [i for i, e in enumerate(self.statics.register.facet(band.by.removeprefix("entity."))) if str(e) == band.by_value]
        del indicator
        held = np.unique(self.statics.register.areas()[wanted] // 10 ** _ZEROS[level] * 10 ** _ZEROS[level]) if wanted else np.zeros(0, np.int64)
        return np.isin(codes, held)

    def _bound(self, indicator: Indicator, step: Step, level: Level, codes: Codes) -> Doubles:
        if not step.facet:
            return np.asarray(step.value)
        bounds = np.full(len(codes), np.nan)
        register = self.statics.register
        pick = np.fmin if step.op in {">=", ">"} else np.fmax
        for type_ in {self.properties[m.property].type for m in indicator.measures.values()}:
            entities = register.of_type(type_).tolist()
            facets = register.facet(step.facet)
            for i in entities:
                bound, place = facets[i], int(np.searchsorted(codes, register.areas()[i] // 10 ** _ZEROS[level] * 10 ** _ZEROS[level]))
                if isinstance(bound, int | float) and place < len(codes) and codes[place] == register.areas()[i] // 10 ** _ZEROS[level] * 10 ** _ZEROS[level]:
                    bounds[place] = pick(bounds[place], float(bound))
        return bounds


_ZEROS = {Level.CITY: 11, Level.DISTRICT: 9, Level.STREET: 6, Level.COMMUNITY: 3, Level.CELL: 0}


def _spread(codes: Codes, have: Codes, values: Doubles, default: float) -> Doubles:
    """Lay values of some areas onto all areas; what is missing or null becomes the default."""
    out = np.full(len(codes), default)
    place = np.searchsorted(codes, have)
    fits = place < len(codes)
    fits[fits] = codes[place[fits]] == have[fits]
    out[place[fits]] = values[fits]
    return np.where(np.isnan(out), default, out)


def _in_period(band: Band, now: datetime) -> bool:
    if band.period is None:
        return True
    begin, end, time = *band.period, now.strftime("%H:%M")
    return begin <= time < end if begin <= end else time >= begin or time < end
