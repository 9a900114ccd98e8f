"""Times as senders write them, into µs of UTC: RFC 3339, integers since 1970, and local times in their source's zone.

Knows no shape of a body and no property.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zhongshu.kernel.clock import parse_time, to_us
from zhongshu.kernel.problem import Problem, declare

NO_OFFSET = declare(
    "reading.no_offset",
    "invalid",
    zh=(
        "时间“{text}”没有写与 UTC 的时差，数据源也没有登记时区。",
        "请写成 2026-01-31T08:00:00+08:00 这样，或写明时区（zone）：在数据源的登记里，或 connectors.toml 它的那一条里。",
    ),
    en=(
        "The time '{text}' has no offset from UTC, and its source has no time zone.",
        "Write it like 2026-01-31T08:00:00+08:00, or say the zone: where the source is registered, or in its row of connectors.toml.",
    ),
)

BAD = np.int64(-(2**63))
"""A time that could not be read."""
LOCAL = BAD + 1
"""A time that was read but for its offset, which neither it nor its source tells."""
EARLIEST = np.int64(-(2**53))
"""No reading is older (the year 1684): what says so was misread."""
_MS_DIGITS = 12
"""Fewer digits are no milliseconds of our day; `20240101` is a date without a time."""
_SHORTEST = len("2026-01-31T08:00")
"""A local time has hours and minutes; a date alone is none."""


def read_times(times: list[Any]) -> npt.NDArray[np.int64]:
    """Read RFC 3339 texts and integers of ms or µs since 1970 into µs; what cannot be read becomes `BAD`."""
    if not times:
        return np.zeros(0, np.int64)
    if set(map(type, times)) == {int}:
        return scale(times)
    try:
        return np.asarray(pa.array(times, pa.string()).cast(pa.timestamp("us", "UTC")).cast(pa.int64()))
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return np.array([_read_time(t) for t in times], np.int64)


def scale(times: list[int]) -> npt.NDArray[np.int64]:
    """Turn integers of ms or µs since 1970 into µs."""
    try:
        stamps = np.array(times, np.int64)
    except OverflowError:
        stamps = np.array([min(max(t, -(2**62)), 2**62) for t in times], np.int64)
    small = (stamps > -(10**14)) & (stamps < 10**14)
    return np.where(small, np.where(small, stamps, 0) * 1000, stamps)


def _read_time(time: Any) -> int:  # noqa: ANN401 (what a row holds)
    """Read one time: RFC 3339, or ms or µs since 1970, also as digits."""
    if isinstance(time, str) and _MS_DIGITS <= len(time) <= 2 * _MS_DIGITS and time.isascii() and time.isdigit():
        time = int(time)
    if isinstance(time, int):
        return int(scale([time])[0])
    try:
        return parse_time(str(time))
    except Problem:
        return int(BAD)


def read_local(times: npt.NDArray[np.int64], text: Callable[[int], str], zone: str) -> None:
    """Read, in place, those of the unread times that are local: texts without an offset, meant in the source's zone."""
    if not zone:
        return
    for i in np.flatnonzero(times == BAD).tolist():
        moment = local(text(i))
        if moment is not None:
            times[i] = to_us(moment.replace(tzinfo=ZoneInfo(zone)))


def local(text: str) -> datetime | None:
    """Return a time that is whole but for its offset; None for any other text."""
    try:
        moment = datetime.fromisoformat(text) if len(text) >= _SHORTEST else None
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is not None else moment


def parse_local(text: str, zone: str) -> int:
    """Read RFC 3339, or a local time in a zone, into µs of UTC; raises `reading.no_offset` or `time.unreadable`."""
    moment = local(text)
    if moment is None:
        return parse_time(text)
    if not zone:
        raise NO_OFFSET(text=text)
    return to_us(moment.replace(tzinfo=ZoneInfo(zone)))
