"""Every light opens: what stands behind one value in one area, live and computed again from the warehouse at the same boundary.

Gives plain documents. Who may see them, and the cases they caused, are others' to add.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from zhongshu.judge.declared import in_force
from zhongshu.judge.indicator import Indicator
from zhongshu.judge.sql import named, parts_sql, scan_sql, scans, to_parts, windows_sql
from zhongshu.judge.value import Judge, Values
from zhongshu.judge.watch import Watch
from zhongshu.kernel.area import Level, interval, level_of, show_area
from zhongshu.kernel.clock import MINUTE, rfc3339
from zhongshu.kernel.finding import Status
from zhongshu.kernel.live import CellSpec, Parts, fields
from zhongshu.kernel.problem import declare
from zhongshu.kernel.rollup import Folded, Layout, RollUp, Sums

UNKNOWN_INDICATOR = declare(
    "indicator.unknown",
    "unknown",
    zh=("没有编号为 {code} 的体征指标。", "请查看体征目录。"),
    en=("There is no vital sign {code}.", "See the list of indicators."),
)

FINEST, MOST_TIMES = 2 * MINUTE, 720
"""A line is looked at no more often, and at no more times: over a day every two minutes, over a month every hour."""
Point = TypeVar("Point", bound=tuple[Any, ...])
Query = Callable[[str, int | None], pa.Table]
"""Answer SQL over readings known by a time (µs; None: now)."""


class Explainer:
    """Reads the watch's latest values and asks the warehouse for the same ones."""

    def __init__(self, judge: Judge, watch: Watch, query: Query, roll_up: RollUp) -> None:
        """Take the judge, the watch, a way to ask the warehouse, and what folds its cells."""
        self.judge, self.watch, self._query, self._roll_up = judge, watch, query, roll_up

    def indicator(self, code: str, at: int = 0) -> Indicator:
        """Return a sign by code: by the definition in force at a time, or (0) now."""
        found = self.in_force(at) if at else self.watch.indicators
        if code not in found:
            raise UNKNOWN_INDICATOR(code=code)
        return found[code]

    def in_force(self, at: int) -> dict[str, Indicator]:
        """Return every sign by code, by the definition in force at a time."""
        return in_force(self.watch.declared, self.watch.day(at))

    def recompute(self, indicator: Indicator, level: Level, at: int, *, hindsight: bool = False) -> Values:
        """Compute a sign's values of one level at a boundary, from the record alone: as it was known then, or in hindsight with all that is known now."""
        known = None if hindsight else at

        def ask(spec: CellSpec, levels: tuple[Level, ...]) -> Parts:
            (only,) = levels
            return to_parts(self._query(parts_sql(spec, only, at, self.judge.properties), known), spec, only)

        return self.judge.values(indicator, (level,), at, ask)

    def recompute_all(self, indicators: Iterable[Indicator], at: int, *, hindsight: bool = False, levels: tuple[Level, ...] = ()) -> dict[str, Values]:
        """Compute many signs at all their levels, or those named: what reads the same rows is answered by one scan, and folded here for every level."""
        held: dict[CellSpec, Folded] = {}
        wanted = list(indicators)
        for specs in scans(spec for i in wanted for spec in i.specs()):
            table = self._query(scan_sql(specs, at, self.judge.properties), None if hindsight else at)
            held |= {spec: self._fold(spec, table, k) for k, spec in enumerate(specs)}
        return {i.code: self.judge.values(i, levels or i.levels, at, lambda spec, levels: held[spec].parts(levels)) for i in wanted}

    def row(self, indicator: Indicator, area: int, now: int, values: Values | None = None) -> dict[str, Any]:
        """Return the value, level, band and age of one area: what a tile shows, of the latest values or of those that are given."""
        values = self.watch.latest.get(indicator.code) if values is None else values
        place = None if values is None else values.find(area)
        if values is None or place is None:
            return {
                "indicator": indicator.code,
                "area": show_area(area),
                "value": None,
                "unit": indicator.unit,
                "level": str(Status.STALE),
                "band": None,
                "native": "",
                "as_of": None,
                "age_s": None,
                "owner": indicator.owner,
            }
        value, at, band = float(values.value[place]), int(values.at[place]), int(values.band[place])
        return {
            "indicator": indicator.code,
            "area": show_area(area),
            "value": None if np.isnan(value) else value,
            "unit": indicator.unit,
            "level": str(values.status[place]),
            "band": indicator.bands[band].describe() if band >= 0 else None,
            "native": str(values.native[place]),
            "as_of": rfc3339(at) if at else None,
            "age_s": round(max(0, now - at) / 1e6, 1) if at else None,
            "owner": indicator.owner,
        }

    def explain(self, code: str, area: int, now: int) -> dict[str, Any]:
        """Return everything about one value: formula, SQL, live beside recomputed, window, and the areas below."""
        indicator, level = self.indicator(code), level_of(area)
        live = self.watch.latest.get(code)
        at = live.seen if live is not None else self.watch.memory.at
        again = self.recompute(indicator, level, at)
        spans = [spec.span(at) for spec in indicator.measures.values()]
        both = self._both(live, again, area)
        return (
            self.row(indicator, area, now)
            | both
            | self.describe(indicator)
            | {
                "window": {"from": rfc3339(min(s[0] for s in spans)), "to": rfc3339(max(s[1] for s in spans))},
                "sql": self.sql(indicator, level, at),
                "contributing": self._below(indicator, area),
            }
        )

    def sql(self, indicator: Indicator, level: Level, at: int) -> str:
        """Return the SQL of every measure at a boundary."""
        return "\n\n".join(f"-- {name}\n{parts_sql(spec, level, at, self.judge.properties)}" for name, spec in indicator.measures.items())

    def describe(self, indicator: Indicator) -> dict[str, Any]:
        """Return a declaration as people read it."""
        name, words = indicator.name, indicator.words
        return {
            "code": indicator.code,
            "name_zh": name.get("zh", ""),
            "name_en": name.get("en", ""),
            "unit": indicator.unit,
            "decimals": indicator.decimals,
            "owner": indicator.owner,
            "theme": indicator.theme,
            "formula_zh": words.get("zh", ""),
            "formula_en": words.get("en", ""),
            "declared": indicator.declared,
            "version": indicator.version,
            "pack": indicator.pack,
            "bands": [b.describe() for b in indicator.bands],
            "levels": [lv.name.lower() for lv in indicator.levels],
            "stale_after_s": indicator.stale_after / 1e6,
        }

    def _both(self, live: Values | None, again: Values, area: int) -> dict[str, Any]:
        ours = None if live is None else live.find(area)
        theirs = again.find(area)
        a = None if live is None or ours is None else live.value[ours]
        b = None if theirs is None else again.value[theirs]
        equal = (a is None and b is None) or (a is not None and b is not None and a.tobytes() == b.tobytes())
        at = rfc3339(again.seen)
        return {"live": {"value": _plain(a), "at": at}, "recomputed": {"value": _plain(b), "at": at, "equal": bool(equal)}}

    def _below(self, indicator: Indicator, area: int) -> list[dict[str, Any]]:
        """Return the values of the next finer level inside an area, worst first."""
        level = level_of(area)
        values = self.watch.latest.get(indicator.code) if level < Level.CELL else None
        if values is None:
            return []
        low, high = interval(area)
        places = [i for i in values.of(Level(level + 1)).tolist() if low <= values.keys[i] >> 3 < high]
        rows = [{"area": show_area(int(values.keys[i] >> 3)), "value": _plain(values.value[i]), "level": str(values.status[i])} for i in places]
        order = {"red": 0, "orange": 1, "yellow": 2, "green": 3, "unset": 4, "stale": 5}
        return sorted(rows, key=lambda r: (order[str(r["level"])], str(r["area"])))[:200]

    def series(self, indicator: Indicator, area: int, start: int, end: int, points: int = 48) -> list[tuple[int, float | None, str]]:
        """Return (time, value, level) of one area over an interval: of each of `points` equal parts the least, the greatest and the last value, so that a peak is not lost."""
        level, step = level_of(area), max((end - start) // points, 1)
        seen = [(v.seen, v, v.find(area)) for v in self.history(indicator, (level,), start, end, step, interval(area))]
        line = [(t, None if i is None else _plain(v.value[i]), str(Status.STALE) if i is None else str(v.status[i])) for t, v, i in seen]
        return [p for _, part in groupby(line, key=lambda p: (p[0] - start - 1) // step) for p in extremes(list(part))]

    def history(self, indicator: Indicator, levels: tuple[Level, ...], start: int, end: int, step: int, within: tuple[int, int]) -> list[Values]:
        """Return a sign's values of the areas in an interval of codes, from the record by one scan per measure: at the end of every step, more often where its window is shorter."""
        short = min(step, max(min(spec.window for spec in indicator.measures.values()), FINEST, (end - start) // MOST_TIMES))
        fine = step // -(-step // short)
        times = [*range(end, start, -fine)][::-1]
        return [found[indicator.code] for _, found in self.over([indicator], times, levels, within=within)]

    def over(
        self, indicators: Sequence[Indicator], times: Sequence[int], levels: tuple[Level, ...], known: int | None = None, within: tuple[int, int] | None = None
    ) -> list[tuple[int, dict[str, Values]]]:
        """Compute many signs at many times, by one scan for all that read the same rows over equal windows; as known at a time, or (None) with all that is known now."""
        held: dict[CellSpec, list[Folded]] = {}
        for specs in scans(spec for i in indicators for spec in i.specs()):
            table = self._query(windows_sql(specs, times, self.judge.properties, within), known)
            starts = np.searchsorted(np.asarray(table["i"]), np.arange(len(times) + 1)).tolist()
            slices = [table.slice(a, b - a) for a, b in pairwise(starts)]
            held |= {spec: [self._fold(spec, cells, k) for cells in slices] for k, spec in enumerate(specs)}
        return [(t, {i.code: self.judge.values(i, levels, t, lambda spec, lv, n=n: held[spec][n].parts(lv)) for i in indicators}) for n, t in enumerate(times)]  # type: ignore[misc]

    def _fold(self, spec: CellSpec, cells: pa.Table, k: int) -> Folded:
        """Fold cells of the k-th spec of a scan, areas ascending."""
        names = {named(f): f"{named(f)}_{k}" for f in fields(spec)}
        areas, subs, have = self._roll_up.read(cells.select(["area", "sub", *names.values()]).rename_columns(["area", "sub", *names]), fields(spec))
        return self._roll_up.fold(spec, Sums(Layout(areas, subs), have))


def extremes(line: list[Point]) -> list[Point]:
    """Return of a stretch of (time, value, …) the least, the greatest and the last, in order of time."""
    known = [p for p in line if p[1] is not None]
    if not known:
        return line[-1:]
    return sorted({id(p): p for p in (min(known, key=itemgetter(1)), max(known, key=itemgetter(1)), known[-1])}.values(), key=itemgetter(0))


def _plain(value: np.float64 | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
