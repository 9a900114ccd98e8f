"""What open screens are told of values: a level that turned at once, a value that only moved within the second; and the lines on tiles.

Down to the street; finer areas are asked for when someone looks.
"""

import logging
import threading
import time
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import numpy as np

from zhongshu.judge import Explainer, Indicator, Outcome, Values, extremes
from zhongshu.kernel.area import Codes, Level, interval, level_of, show_area
from zhongshu.kernel.bus import Bus, News
from zhongshu.kernel.clock import DAY, MINUTE, SECOND, Clock, rfc3339

_log = logging.getLogger(__name__)
QUARTER = 15 * MINUTE
Point = tuple[int, float | None]
Lines = dict[tuple[str, int], list[Point]]


class Screens:
    """Called by the pulse's thread with every outcome."""

    def __init__(self, bus: Bus) -> None:
        """Tell through a bus."""
        self._bus = bus
        self._moved: dict[str, tuple[Values, list[Codes]]] = {}
        self._at = 0

    def take(self, outcome: Outcome) -> None:
        """Publish what a boundary brought, or keep it for the next full second."""
        by_area: dict[int, list[dict[str, Any]]] = {}
        for change in outcome.changes:
            _, keys = self._moved.get(change.indicator, (change.values, []))
            self._moved[change.indicator] = change.values, [*keys, change.values.keys[change.places]]
            if len(change.turned):
                _say(by_area, change.indicator, change.values, change.turned)
        if outcome.at // SECOND != self._at:
            self._at = outcome.at // SECOND
            by_area.clear()  # what turned just now is among what moved since the last second
            for code, (values, moved) in self._moved.items():
                _say(by_area, code, values, np.flatnonzero(np.isin(values.keys, np.concatenate(moved))))
            self._moved.clear()
        for area, items in by_area.items():
            self._bus.publish(News("vital", area, {"items": items}))


def _say(by_area: dict[int, list[dict[str, Any]]], code: str, values: Values, places: Iterable[int]) -> None:
    for i, area in _down_to_street(values, places):
        value, at = values.value[i], int(values.at[i])
        by_area.setdefault(area, []).append(
            {"indicator": code, "area": show_area(area), "value": None if np.isnan(value) else float(value), "level": str(values.status[i]), "as_of": rfc3339(at) if at else None}
        )


def _down_to_street(values: Values, places: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Yield places with their areas, of those that are what their code says."""
    chosen = np.asarray(places, np.int64)
    keys = values.keys[chosen]
    coarse = keys & 7 <= Level.STREET
    for i, key in zip(chosen[coarse].tolist(), keys[coarse].tolist(), strict=True):
        if level_of(key >> 3) == key & 7:
            yield i, key >> 3


def draw(lines: Lines, latest: dict[str, Values], now: int) -> None:
    """Go on with each sign's line of a day: of every quarter of an hour the least, the greatest and the last value."""
    for code, values in list(latest.items()):
        for i, area in _down_to_street(values, range(len(values.keys))):
            value = values.value[i]
            lines[code, area] = trimmed([*lines.get((code, area), ()), (now, None if np.isnan(value) else float(value))], now)


def recall(explainer: Explainer, indicator: Indicator, city: int, now: int) -> Lines:
    """Return a sign's lines of the last day from the record, for every area down to the street."""
    lines: Lines = {}
    levels = tuple(level for level in indicator.levels if level <= Level.STREET)
    end = now // QUARTER * QUARTER
    for values in explainer.history(indicator, levels, end - DAY, end, QUARTER, interval(city)) if levels else ():
        for i, area in _down_to_street(values, range(len(values.keys))):
            if not np.isnan(values.value[i]):
                lines.setdefault((indicator.code, area), []).append((values.seen, float(values.value[i])))
    return {key: [p for _, part in groupby(line, key=_quarter) for p in extremes(list(part))] for key, line in lines.items()}


def first_lines(explainer: Explainer, clock: Clock, city: int, lines: Lines, stop: threading.Event) -> None:
    """Recall the last day's lines once, from the record, taking no more than a third of a processor: others have work."""
    pause = 0.3
    for indicator in explainer.watch.indicators.values():
        if stop.wait(pause):
            return
        begun = time.monotonic()
        try:
            for key, line in recall(explainer, indicator, city, clock.now()).items():
                lines[key] = line + [p for p in lines.get(key, ()) if p[0] > line[-1][0]]
        except Exception:  # noqa: BLE001 (a missing line on a tile stops nothing)
            _log.exception("sparks.failed %s", indicator.code)
        pause = 2 * (time.monotonic() - begun)


def trimmed(line: list[Point], now: int) -> list[Point]:
    """Keep a day of a line; of the quarter under way the least, the greatest and the last."""
    quarter = now // QUARTER
    before = [p for p in line if p[0] > now - DAY and p[0] // QUARTER < quarter]
    return before + extremes([p for p in line if p[0] // QUARTER == quarter])


def _quarter(point: Point) -> int:
    return point[0] // QUARTER
