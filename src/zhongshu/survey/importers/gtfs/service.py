"""What a timetable comes to: which trips run on the busiest day of the feed, and of any group of departures the first, the last, how many, and how far apart.

Columnar: one pass over the stop times. It must never know names or places.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zhongshu.survey.importers.gtfs.tables import MISSING, NONE_THERE, Seconds, Table, codes, dates, faulty, numbers, times

Ints = npt.NDArray[np.int64]
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ADDED, _REMOVED = 1, 2
_CALENDAR, _DATES, _FREQUENCIES = "calendar.txt", "calendar_dates.txt", "frequencies.txt"
_MOST = 20_000_000
"""So many stop times the frequencies of a feed may come to."""
_LONGEST = 3 * 366
"""So many days of a calendar are looked at."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day of service: its date, and for every trip whether it runs that day."""

    date: np.datetime64
    runs: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Served:
    """Departures of a group on a day: how many, the first and the last (s), and the median of the gaps between them (s; 0 for fewer than two)."""

    count: int
    first: int
    last: int
    gap: int


def busiest(tables: Mapping[str, Table], services: list[str], service_of_trip: Ints, repeats: Ints) -> Day:
    """Return the day on which most trips run, the earliest of several; `repeats`: how often each trip runs on a day of its service."""
    weights = np.bincount(service_of_trip, repeats, len(services)).astype(np.int64)
    active = _active(tables, services)
    totals = active[1].astype(np.int64) @ weights
    best = int(totals.argmax())
    return Day(active[0][best], active[1][best][service_of_trip])


def _active(tables: Mapping[str, Table], services: list[str]) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.bool_]]:
    """Return the feed's days, and for each which services run."""
    spans, days = [], [np.empty(0, dtype="datetime64[D]")]
    if weekly := tables.get(_CALENDAR):
        starts, ends = (dates(_CALENDAR, column, weekly[column]) for column in ("start_date", "end_date"))
        runs = np.array([numbers(_CALENDAR, day, weekly[day], 0, 1) for day in _DAYS]).T > 0
        spans = list(zip(codes(weekly["service_id"], services).tolist(), starts, ends, runs, strict=True))
        for line, (_, start, end, _) in enumerate(spans, 2):
            if end < start:
                raise faulty(_CALENDAR, line, "end_date 早于 start_date。", "end_date is before start_date.")
            days.append(np.arange(start, min(end, start + _LONGEST) + 1, dtype="datetime64[D]"))
    exceptions = tables.get(_DATES)
    if exceptions:
        days.append(dates(_DATES, "date", exceptions["date"]))
    all_days = np.unique(np.concatenate(days))[:_LONGEST]
    if not len(all_days):
        raise NONE_THERE(table=_CALENDAR, what_zh="运营日", what_en="day of service")
    active = np.zeros((len(all_days), len(services)), dtype=bool)
    weekday = (all_days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    for service, start, end, runs in spans:
        if service >= 0:
            active[:, service] |= (all_days >= start) & (all_days <= end) & runs[weekday]
    if exceptions:
        kinds = numbers(_DATES, "exception_type", exceptions["exception_type"], _ADDED, _REMOVED)
        at = np.minimum(np.searchsorted(all_days, days[-1]), len(all_days) - 1)
        service = codes(exceptions["service_id"], services)
        for kind in (_REMOVED, _ADDED):
            chosen = (kinds == kind) & (service >= 0) & (all_days[at] == days[-1])
            active[at[chosen], service[chosen]] = kind == _ADDED
    return all_days, active


def repeated(frequencies: Table, of: Ints, trip: Ints, departure: Seconds, runs: Ints) -> tuple[Ints, Seconds, npt.NDArray[np.bool_], Ints]:
    """Repeat the stop times (ordered by trip) of trips that run by frequency: `of` is each frequency's trip.

    Returns the index of every stop time that there is, when it departs, whether a run begins there, and how often each trip runs.
    """
    start, end = (times(_FREQUENCIES, column, frequencies[column]) for column in ("start_time", "end_time"))
    every = numbers(_FREQUENCIES, "headway_secs", frequencies["headway_secs"], 1, 86_400).astype(np.int64)
    many = np.maximum(0, -(-(end - start) // every))
    low, high = np.searchsorted(trip, of), np.searchsorted(trip, of, side="right")
    if (many * (high - low)).sum() > _MOST:
        at = int((many * (high - low)).argmax())
        raise faulty(_FREQUENCIES, at + 2, f"一天要发 {many[at]:,} 班，不可信。", f"{many[at]:,} runs a day are not believable.")
    index, when = [np.flatnonzero(~np.isin(trip, of))], []
    when.append(departure[index[0]])
    first = [np.diff(trip[index[0]], prepend=-1) > 0]
    for from_, to, begin, step, times_ in zip(low.tolist(), high.tolist(), start.tolist(), every.tolist(), many.tolist(), strict=True):
        stops = np.arange(from_, to)
        index.append(np.tile(stops, times_))
        since = np.where(departure[stops] == MISSING, MISSING, departure[stops] - (departure[from_] if to > from_ else 0))
        at_stop = np.tile(since, times_)
        when.append(np.where(at_stop == MISSING, MISSING, at_stop + np.repeat(begin + step * np.arange(times_), len(stops))))
        first.append(np.tile(stops == from_, times_))
    repeats = runs.copy()
    repeats[of] = 0
    np.add.at(repeats, of, many)
    return np.concatenate(index), np.concatenate(when), np.concatenate(first), repeats


def served(group: Ints, departure: Seconds, runs: npt.NDArray[np.bool_], size: int) -> list[Served | None]:
    """Return for each of `size` groups what its departures of a day come to; None for those without. Departures without a time count, but have no gap."""
    keep = runs & (group >= 0)
    group, departure = group[keep], departure[keep]
    counts = np.bincount(group, minlength=size)
    timed = departure != MISSING
    order = np.lexsort((departure[timed], group[timed]))
    group, departure = group[timed][order], departure[timed][order]
    starts = np.searchsorted(group, np.arange(size + 1))
    told: list[Served | None] = []
    for index, count in enumerate(counts.tolist()):
        held = departure[starts[index] : starts[index + 1]]
        gaps = np.diff(held)
        told.append(None if not count or not len(held) else Served(count, int(held[0]), int(held[-1]), int(np.median(gaps)) if len(gaps) else 0))
    return told


def clock(seconds: int) -> str:
    """Return a time of a day of service, HH:MM, past 24:00 where it is."""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"
