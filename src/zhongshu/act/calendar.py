"""A city's dated working hours, and working time reckoned by them: when a limit runs out, what of it is spent or left, what a pause moves.

Times are integer µs of UTC in and out; a calendar knows its zone. Knows no case, no class, no desk, and never guesses a day it was not given.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from zhongshu.kernel.clock import DAY, MINUTE, SECOND, to_datetime
from zhongshu.kernel.problem import declare

TOO_SHORT = declare(
    "calendar.too_short",
    "invalid",
    zh=("日历“{calendar}”只有 {first} 至 {last}，这个时限超出了它。", "请装入 {year} 年的日历；到期时间不会凭空推算。"),
    en=("The calendar '{calendar}' holds {first} to {last}; this limit reaches outside it.", "Load the rows of {year}; a due time is never guessed."),
)
BAD_LIMIT = declare(
    "calendar.bad_limit",
    "invalid",
    zh=("时限“{amount}”（{mode}）无法计算。", "请用大于零的整数，方式为 wall、hours、days、days_exact 或 clock 之一。"),
    en=("The limit '{amount}' ({mode}) cannot be reckoned.", "Use a whole number above zero, by wall, hours, days, days_exact or clock."),
)
BAD_PAUSE = declare(
    "calendar.bad_pause",
    "invalid",
    zh=("暂停的结束（{resumed}）早于开始（{paused}）。", "请更正暂停的起止时间。"),
    en=("The pause ends ({resumed}) before it begins ({paused}).", "Correct the pause's times."),
)

Mode = Literal["wall", "hours", "days", "days_exact", "clock"]
MODES: tuple[Mode, ...] = ("wall", "hours", "days", "days_exact", "clock")
ON_THE_WALL = ("wall", "clock")
"""The modes that count every second, not only working ones; they need no dates of the calendar, only its zone."""
Spans = tuple[tuple[int, int], ...]
"""Working hours of a day: minutes after its midnight, each span from and to."""
DAY_MINUTES = 1440
_NEXT = timedelta(days=1)
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Day:
    """What the rows come to on one date: its spans (none: rest), and whether they are only provisional."""

    day: date
    spans: Spans
    provisional: bool


@dataclass(slots=True, eq=False)
class Calendar:
    """The working hours of a city, day by day without a gap. Built once; asking it is a few bisections.

    A local time that the clock leaps over stands for the moment of the leap; one that it shows twice, for the first time.
    """

    name: str
    zone: ZoneInfo
    days: tuple[Day, ...]
    _midnights: list[int] = field(default_factory=list, init=False, repr=False)
    _begins: list[int] = field(default_factory=list, init=False, repr=False)
    _ends: list[int] = field(default_factory=list, init=False, repr=False)
    _sums: list[int] = field(default_factory=lambda: [0], init=False, repr=False)  # working µs before each span, and in all
    _reached: list[int] = field(default_factory=lambda: [0], init=False, repr=False)  # working days up to each midnight
    _opened: list[int] = field(default_factory=list, init=False, repr=False)  # working µs before each working day, and in all
    _closings: list[int] = field(default_factory=list, init=False, repr=False)  # the end of each working day

    def __post_init__(self) -> None:
        """Lay the spans out in µs of UTC, with what was worked before each."""
        for day in self.days:
            self._midnights.append(_instant(self.zone, day.day, 0))
            before = self._sums[-1]
            for start, end in day.spans:
                begin, finish = _instant(self.zone, day.day, start), _instant(self.zone, day.day, end)
                if begin < finish:
                    self._begins.append(begin)
                    self._ends.append(finish)
                    self._sums.append(self._sums[-1] + finish - begin)
            if self._sums[-1] > before:
                self._opened.append(before)
                self._closings.append(self._ends[-1])
            self._reached.append(len(self._closings))
        self._midnights.append(_instant(self.zone, self.last, DAY_MINUTES))
        self._opened.append(self._sums[-1])

    @property
    def first(self) -> date:
        """The first date it holds."""
        return self.days[0].day

    @property
    def last(self) -> date:
        """The last date it holds."""
        return self.days[-1].day

    def due(self, start: int, amount: int, mode: Mode) -> int:
        """Return when a limit that starts then runs out: the earliest moment at which all of it is spent.

        - wall: minutes on the wall clock. hours: working minutes.
        - days: working days; the day of arrival does not count, and the end is when the n-th working day's hours end. This is the city's
          own choice of convention, as is the alternative, days_exact: n working days on, at the same position in working time (a shorter
          day ends it at its close).
        - clock: a fixed time, in minutes after local midnight of the day of arrival (1020: 17:00 that day, 2460: 17:00 the next); where
          that has passed already at arrival, the same time of the next day, worked or not.

        Raises `calendar.too_short` where the dates end first, `calendar.bad_limit` for an amount or mode that is none.
        """
        if amount <= 0:
            raise BAD_LIMIT(amount=amount, mode=mode)
        match mode:
            case "wall":
                return start + amount * MINUTE
            case "hours":
                return self._when(self._worked(start) + amount * MINUTE)
            case "days":
                return self._closing(start, amount)
            case "days_exact":
                return self._days_on(self._worked(start), amount)
            case "clock":
                today = to_datetime(start).astimezone(self.zone).date()
                at = _instant(self.zone, today, amount)
                return at if at > start else _instant(self.zone, today + _NEXT, amount)
        raise BAD_LIMIT(amount=amount, mode=mode)

    def spent(self, start: int, end: int, mode: Mode) -> int:
        """Return the seconds from start to end that count in the mode: working ones, or for wall and clock all; negative if end is before start."""
        return (self._measure(end, mode) - self._measure(start, mode)) // SECOND

    def left(self, now: int, due: int, mode: Mode) -> int:
        """Return the seconds that count until the due time; negative once it has passed."""
        return self.spent(now, due, mode)

    def shift(self, due: int, paused_from: int, resumed_at: int, mode: Mode) -> int:
        """Return the due time after a pause: what was left in the limit's own mode when it began is left when it ends, to the microsecond.

        A pause in which nothing was worked moves nothing. A limit of days that was paused within a day may so end within one.
        """
        if resumed_at < paused_from:
            raise BAD_PAUSE(paused=to_datetime(paused_from), resumed=to_datetime(resumed_at))
        lost = self._measure(resumed_at, mode) - self._measure(paused_from, mode)
        if mode in ON_THE_WALL:
            return due + lost
        return self._when(self._worked(due) + lost) if lost else due

    def before(self, due: int, amount: int, mode: Mode) -> int:
        """Return when a warning falls that comes so much ahead of the due time: minutes, working minutes or working days; clock: minutes."""
        if amount <= 0:
            raise BAD_LIMIT(amount=amount, mode=mode)
        if mode in ON_THE_WALL:
            return due - amount * MINUTE
        if mode == "hours":
            return self._when(self._worked(due) - amount * MINUTE)
        worked = self._worked(due)
        held = bisect_left(self._opened, worked) - 1
        if held < amount:
            raise self._too_short(ahead=False)
        return self._position(held - amount, worked - self._opened[held])

    def provisional(self, at: int) -> bool:
        """Say whether the day of that moment is only provisional in the rows, or not in them."""
        day = self._day(at)
        return day is None or self.days[day].provisional

    def _measure(self, at: int, mode: Mode) -> int:
        if mode not in MODES:
            raise BAD_LIMIT(amount="", mode=mode)
        return at if mode in ON_THE_WALL else self._worked(at)

    def _worked(self, at: int) -> int:
        """Return the working µs from the calendar's first midnight until then."""
        if not self._midnights[0] <= at <= self._midnights[-1]:
            raise self._too_short(ahead=at > self._midnights[0])
        span = bisect_right(self._begins, at) - 1
        return 0 if span < 0 else self._sums[span] + min(at, self._ends[span]) - self._begins[span]

    def _when(self, worked: int) -> int:
        """Return the earliest moment by which so many µs have been worked."""
        if not 0 <= worked <= self._sums[-1]:
            raise self._too_short(ahead=worked > 0)
        span = bisect_left(self._sums, worked) - 1
        return self._midnights[0] if span < 0 else self._begins[span] + worked - self._sums[span]

    def _day(self, at: int) -> int | None:
        day = bisect_right(self._midnights, at) - 1
        return day if 0 <= day < len(self.days) else None

    def _closing(self, start: int, amount: int) -> int:
        day = self._day(start)
        if day is None:
            raise self._too_short(ahead=start >= self._midnights[0])
        wanted = self._reached[day + 1] + amount - 1
        if wanted >= len(self._closings):
            raise self._too_short(ahead=True)
        return self._closings[wanted]

    def _days_on(self, worked: int, amount: int) -> int:
        held = bisect_right(self._opened, worked) - 1
        return self._position(held + amount, worked - self._opened[held])

    def _position(self, day: int, worked: int) -> int:
        """Return when so many µs of a working day have been worked; its close where it is shorter; nothing worked: the close before."""
        if day > len(self._closings) or (day == len(self._closings) and worked):
            raise self._too_short(ahead=True)
        return self._when(min(self._opened[day] + worked, self._opened[min(day + 1, len(self._closings))]))

    def _too_short(self, *, ahead: bool) -> Exception:
        year = (self.last + _NEXT if ahead else self.first - _NEXT).year
        return TOO_SHORT(calendar=self.name, first=self.first, last=self.last, year=year)


def _instant(zone: ZoneInfo, day: date, minutes: int) -> int:
    """Return the first moment (µs of UTC) at which the local clock shows at least so many minutes after a date's midnight."""
    shown = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minutes)
    face = (day.toordinal() - _EPOCH) * DAY + minutes * MINUTE
    usual, other = face - _microseconds(shown.utcoffset()), face - _microseconds(shown.replace(fold=1).utcoffset())
    if usual <= other:
        return usual
    low, high = other, usual  # leapt over: the leap lies between
    while high - low > 1:
        middle = (low + high) // 2
        leapt = middle + _microseconds(to_datetime(middle).astimezone(zone).utcoffset()) >= face
        low, high = (low, middle) if leapt else (middle, high)
    return high


def _microseconds(offset: timedelta | None) -> int:
    return 0 if offset is None else (offset.days * 86_400 + offset.seconds) * SECOND + offset.microseconds
