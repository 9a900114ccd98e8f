"""The city's one clock, live or replayed, and the forms of time.

Everything inside is integer microseconds of UTC; RFC 3339 at the edge. Windows, levels, due dates and staleness use the city's clock.
"""

import re
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from zhongshu.kernel.problem import declare

BAD_TIME = declare(
    "time.unreadable",
    "invalid",
    zh=("看不懂的时间“{text}”。", "请用 RFC 3339 格式，例如 2026-01-31T08:00:00+08:00。"),
    en=("The time '{text}' cannot be read.", "Use RFC 3339, for example 2026-01-31T08:00:00+08:00."),
)
BAD_CLOCK = declare(
    "clock.unreadable",
    "invalid",
    zh=("看不懂的时钟“{text}”。", "请写 live，或 replay@2016-12-16T00:00+08:00x600。"),
    en=("The clock '{text}' cannot be read.", "Write live, or replay@2016-12-16T00:00+08:00x600."),
)

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
GRID = 200_000
"""The known-time grid on which values and rules are evaluated, in microseconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION = re.compile(r"(\d+)(ms|s|min|m|h|d|w)")
_UNITS = {"ms": 1000, "s": SECOND, "m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}


class Clock(Protocol):
    """What a stage may ask of time."""

    mode: str
    speed: float

    def now(self) -> int:
        """Return the city's time in microseconds of UTC."""
        ...


class LiveClock:
    """The wall's time."""

    mode = "live"
    speed = 1.0

    def now(self) -> int:
        """Return the wall's time in microseconds of UTC."""
        return time.time_ns() // 1000


class ReplayClock:
    """A past day played again: `start` at the moment of making, then `speed` times as fast as the wall."""

    mode = "replay"

    def __init__(self, start: int, speed: float) -> None:
        """Start the replay at `start` (µs of UTC) now."""
        self.start, self.speed = start, speed
        self._begun = time.monotonic_ns()

    def now(self) -> int:
        """Return the replayed city's time."""
        return self.start + int((time.monotonic_ns() - self._begun) / 1000 * self.speed)


class FrozenClock:
    """A clock for tests: it moves when told."""

    mode = "live"
    speed = 1.0

    def __init__(self, at: int) -> None:
        """Stand still at `at`."""
        self.at = at

    def now(self) -> int:
        """Return the time it was last set to."""
        return self.at


def parse_clock(text: str) -> Clock:
    """Read `live` or `replay@<RFC 3339>x<speed>`."""
    if text == "live":
        return LiveClock()
    match = re.fullmatch(r"replay@(.+?)(?:[x×](\d+(?:\.\d+)?))?", text)
    if match is None or float(match[2] or 1) <= 0:
        raise BAD_CLOCK(text=text)
    return ReplayClock(parse_time(match[1]), float(match[2] or 1))


def parse_time(text: str) -> int:
    """Read RFC 3339 (an offset is required) into µs of UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BAD_TIME(text=text) from None
    if moment.tzinfo is None:
        raise BAD_TIME(text=text)
    return to_us(moment)


def to_us(moment: datetime) -> int:
    """Turn an aware datetime into µs of UTC, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def to_datetime(us: int) -> datetime:
    """Turn µs of UTC into an aware datetime."""
    return _EPOCH + timedelta(microseconds=us)


def rfc3339(us: int) -> str:
    """Write µs of UTC as RFC 3339 with Z, milliseconds kept when there are any."""
    moment = to_datetime(us)
    return moment.isoformat(timespec="seconds" if us % SECOND == 0 else "milliseconds").replace("+00:00", "Z")


def parse_duration(text: str) -> int:
    """Read `5m`, `24h`, `1h30m`, `90s`, `7d` into µs."""
    parts = _DURATION.findall(text)
    if not parts or "".join(n + u for n, u in parts) != text:
        raise BAD_TIME(text=text)
    return sum(int(n) * _UNITS[u] for n, u in parts)


def show_duration(us: int) -> str:
    """Write µs in the largest unit that divides them."""
    for unit in ("d", "h", "m", "s"):
        if us % _UNITS[unit] == 0:
            return f"{us // _UNITS[unit]}{unit}"
    return f"{us // 1000}ms"


def boundary(us: int) -> int:
    """Return the first grid boundary at or after `us`."""
    return -(-us // GRID) * GRID


@dataclass
class Stamp:
    """The owner's known time: the city's clock, but never twice the same and never backwards."""

    clock: Clock
    last: int = 0

    def __post_init__(self) -> None:
        """Make the lock that keeps stamps apart."""
        self._lock = threading.Lock()

    def next(self, count: int = 1) -> int:
        """Return the first of `count` known times, later than every one before, all before the same grid boundary."""
        with self._lock:
            first = max(self.last + 1, self.clock.now())
            if boundary(first) != boundary(first + count - 1):
                first = boundary(first) + 1
            self.last = first + count - 1
            return first

    def pass_by(self, at: int) -> None:
        """Let every later known time be after `at`."""
        with self._lock:
            self.last = max(self.last, at)
