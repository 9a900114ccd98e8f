"""A city's dated working hours, and working time reckoned by them: when a limit runs out, what of it is spent or left, what a pause moves.

Times are integer µs of UTC in and out; a calendar is declared by rows and knows its zone. Knows no case, no class, no desk, and never guesses a day it was not given.
"""

import csv
import io
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Literal, NoReturn
from zoneinfo import ZoneInfo

from zhongshu.kernel.clock import DAY, MINUTE, SECOND, to_datetime
from zhongshu.kernel.problem import ProblemKind, declare

BAD_ROW = declare(
    "calendar.bad_row",
    "invalid",
    zh=("日历文件“{file}”第 {line} 行有误：{why_zh}。", "请更正这一行后重新装入；其他行也没有装入。"),
    en=("Line {line} of the calendar file '{file}' is wrong: {why_en}.", "Correct it and load again; no other line was taken either."),
)
BAD_HOURS = declare(
    "calendar.bad_hours",
    "invalid",
    zh=("日历文件“{file}”第 {line} 行的工作时间“{hours}”有误：{why_zh}。", "请写成 09:00-12:00;13:30-18:00 这样，先后不重叠；跨过零点的分写在两天。"),
    en=(
        "The hours '{hours}' on line {line} of the calendar file '{file}' are wrong: {why_en}.",
        "Write them like 09:00-12:00;13:30-18:00; what passes midnight is written on both days.",
    ),
)
TWICE = declare(
    "calendar.twice",
    "invalid",
    zh=("日历“{calendar}”对 {day} 有两种说法：“{file}”第 {line} 行与前面的行不同。", "请核对放假通知，只留一行。"),
    en=("The calendar '{calendar}' says two things of {day}: line {line} of '{file}' differs from one before.", "Check the notice of holidays and keep one of them."),
)
GAP = declare(
    "calendar.gap",
    "invalid",
    zh=("日历“{calendar}”没有说 {day} 是上班还是休息（文件“{file}”，到第 {line} 行为止）。", "请为这一天补一行，或为那个星期几补一行每周的约定。"),
    en=("The calendar '{calendar}' does not say whether {day} is worked ('{file}', up to line {line}).", "Add a row for that day, or a weekly row for that weekday."),
)
EMPTY = declare(
    "calendar.empty",
    "invalid",
    zh=("日历“{calendar}”没有说明从哪一天到哪一天。", "请给出带日期的行，或在每周的行里写明 first 和 last。"),
    en=("The calendar '{calendar}' does not say from which day to which it holds.", "Give dated rows, or write first and last in the weekly rows."),
)
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
COLUMNS = ("calendar", "day", "weekday", "first", "last", "kind", "hours", "note", "source")
KINDS = ("work", "rest")
YEARS = range(1970, 2200)
"""The years a row may name."""
WEEKDAYS = {"weekdays": (1, 2, 3, 4, 5), "weekend": (6, 7), "daily": (1, 2, 3, 4, 5, 6, 7)} | {str(n): (n,) for n in range(1, 8)}

Spans = tuple[tuple[int, int], ...]
"""Working hours of a day: minutes after its midnight, each span from and to."""
_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
_CHINESE = str.maketrans({"；": ";", "：": ":", "－": "-", "–": "-", "—": "-"})
_DAY = 1440
_NEXT = timedelta(days=1)
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class DayRow:
    """One declared row: of a `day`, or of `weekdays` (1 Monday … 7 Sunday) between `first` and `last` (None: as far as the calendar goes).

    `hours` like `09:00-12:00;13:30-18:00`; empty on a worked day: the weekly default. A dated row overrides a weekly one (调休).
    """

    calendar: str
    kind: str
    hours: str = ""
    day: date | None = None
    weekdays: tuple[int, ...] = ()
    first: date | None = None
    last: date | None = None
    note: str = ""
    note_en: str = ""
    source: str = ""
    source_en: str = ""
    provisional: bool = False
    file: str = ""
    line: int = 0

    def covers(self, day: date) -> bool:
        """Say whether this weekly row holds on that day."""
        return day.isoweekday() in self.weekdays and (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


@dataclass(frozen=True, slots=True)
class Day:
    """What the rows come to on one date: its spans (none: rest), and whether they are only provisional."""

    day: date
    spans: Spans
    provisional: bool


@dataclass(slots=True, eq=False)
class Calendar:
    """The working hours of a city, day by day without a gap. Built once by `build`; asking it is a few bisections.

    A local time that the clock leaps over stands for the moment of the leap; one that it shows twice, for the first time.
    """

    name: str
    zone: ZoneInfo
    source: str
    source_en: str
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
        self._midnights.append(_instant(self.zone, self.last, _DAY))
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


def build(name: str, zone: ZoneInfo, rows: Iterable[DayRow], first: date | None = None, last: date | None = None) -> Calendar:
    """Build the calendar of that name from rows, from its first to its last date: those given, or else the outermost that the rows name.

    Raises `calendar.bad_row`, `.bad_hours`, `.twice`, `.gap` or `.empty`.
    """
    mine = [row for row in rows if row.calendar == name]
    told = [day for row in mine for day in (row.day, row.first, row.last) if day is not None]
    first, last = first or min(told, default=None), last or max(told, default=None)
    if first is None or last is None or last < first:
        raise EMPTY(calendar=name)
    spans = [_spans(row) for row in mine]
    weekly = [(row, hours) for row, hours in zip(mine, spans, strict=True) if row.day is None]
    dated: dict[date, list[tuple[DayRow, Spans | None]]] = {}
    for row, hours in zip(mine, spans, strict=True):
        if row.day is not None:
            dated.setdefault(row.day, []).append((row, hours))
    days = tuple(_resolve(name, first + timedelta(days=n), dated, weekly, mine) for n in range((last - first).days + 1))
    sources, sources_en = (dict.fromkeys(told for told in texts if told) for texts in ([row.source for row in mine], [row.source_en or row.source for row in mine]))
    return Calendar(name, zone, "；".join(sources), "; ".join(sources_en), days)


@lru_cache(maxsize=16)
def always(zone: ZoneInfo, first: date = date(2010, 1, 1), last: date = date(2049, 12, 31)) -> Calendar:
    """Return the calendar in which every hour is worked, for limits on the wall clock; its name is `always`."""
    row = DayRow("always", "work", "00:00-24:00", weekdays=WEEKDAYS["daily"], source="全天候", source_en="round the clock")
    return build("always", zone, [row], first, last)


def read(text: str, file: str) -> list[DayRow]:
    """Read the rows of a `calendar.*.csv`, all or none. Raises `calendar.bad_row`; hours are looked at when the calendar is built."""
    return [day_row(cells, file, line) for line, cells in cells_of(text, file, COLUMNS, BAD_ROW)]


def cells_of(text: str, file: str, columns: Sequence[str], bad: ProblemKind) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield each row of a declared table with its line; cells stripped, what is missing is empty. Raises `bad` for missing columns or too many cells."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), restkey="")
    if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
        raise bad(file=file, line=1, why_zh=f"缺少列 {', '.join(missing)}", why_en=f"columns missing: {', '.join(missing)}")
    for row in reader:
        if "" in row:
            raise bad(file=file, line=reader.line_num, why_zh="这一行比表头多出格子", why_en="it has more cells than the head")
        yield reader.line_num, {name: (value or "").strip() for name, value in row.items()}


def day_row(cells: Mapping[str, str], file: str, line: int) -> DayRow:
    """Read one row of a calendar's table. Raises `calendar.bad_row`."""

    def wrong(name: str) -> NoReturn:
        raise BAD_ROW(file=file, line=line, why_zh=f"{name} 为“{cells.get(name, '')}”，看不懂", why_en=f"{name} is '{cells.get(name, '')}', which cannot be read") from None

    def dated(name: str) -> date | None:
        try:
            day = date.fromisoformat(cells[name]) if cells[name] else None
        except ValueError:
            wrong(name)
        if day is not None and day.year not in YEARS:
            wrong(name)
        return day

    day, weekdays = dated("day"), WEEKDAYS.get(cells["weekday"], ())
    if not cells["calendar"]:
        wrong("calendar")
    if bool(cells["weekday"]) == (day is not None) or (cells["weekday"] and not weekdays):
        wrong("weekday")
    if (provisional := cells.get("provisional", "")) not in {"", "yes", "no"}:
        wrong("provisional")
    notes = {name: cells.get(name, "") for name in ("note", "note_en", "source", "source_en")}
    first, last = dated("first"), dated("last")
    return DayRow(cells["calendar"], cells["kind"], cells["hours"], day, weekdays, first, last, **notes, provisional=provisional == "yes", file=file, line=line)


def _spans(row: DayRow) -> Spans | None:
    """Read a row's hours: () for rest, None where it leaves them to the weekly default."""
    if row.kind not in KINDS:
        raise BAD_ROW(file=row.file, line=row.line, why_zh=f"kind 为“{row.kind}”，应为 work 或 rest", why_en=f"kind is '{row.kind}'; work or rest is expected")

    def wrong(zh: str, en: str) -> NoReturn:
        raise BAD_HOURS(file=row.file, line=row.line, hours=row.hours, why_zh=zh, why_en=en) from None

    if not row.hours.strip():
        if row.kind == "work" and row.day is None:
            wrong("每周的工作日没有写工作时间", "a weekly working day names none")
        return None if row.kind == "work" else ()
    if row.kind == "rest":
        wrong("休息日不应有工作时间", "a day of rest has none")
    spans = []
    for part in row.hours.translate(_CHINESE).split(";"):
        if (found := _SPAN.fullmatch("".join(part.split()))) is None:
            wrong(f"“{part}”看不懂", f"'{part}' cannot be read")
        spans.append((int(found[1]) * 60 + int(found[2]), _DAY if found[3] is None else int(found[3]) * 60 + int(found[4])))
    spans.sort()
    if any(end <= start for start, end in spans):
        wrong("结束不晚于开始", "they end before they have begun")
    if any(later[0] < earlier[1] for earlier, later in pairwise(spans)):
        wrong("几段时间重叠", "they overlap")
    return tuple(spans)


_Told = Sequence[tuple[DayRow, Spans | None]]


def _resolve(name: str, day: date, dated: Mapping[date, _Told], weekly: _Told, rows: Sequence[DayRow]) -> Day:
    """Return what a date's rows come to: its own before the weekly ones; two that differ, or none, are a Problem."""
    usual = [(row, hours or ()) for row, hours in weekly if row.covers(day)]
    own = [(row, _default(row, day, usual, weekly) if hours is None else hours) for row, hours in dated.get(day, ())]
    told = own or usual
    if not told:
        end = max(rows, key=lambda row: row.line, default=DayRow(name, ""))
        raise GAP(calendar=name, day=day, file=end.file, line=end.line)
    for row, hours in told[1:]:
        if hours != told[0][1]:
            raise TWICE(calendar=name, day=day, file=row.file, line=row.line)
    return Day(day, told[0][1], all(row.provisional for row, _ in told))


def _default(row: DayRow, day: date, usual: Sequence[tuple[DayRow, Spans]], weekly: _Told) -> Spans:
    """Return the hours a worked day has that names none: its weekday's, or on a weekday of rest those that all worked weekdays share."""
    for _, hours in usual:
        if hours:
            return hours
    shared = {hours for other, hours in weekly if hours and (other.first is None or other.first <= day) and (other.last is None or day <= other.last)}
    if len(shared) != 1:
        zh, en = "没有写工作时间，每周的约定里也没有一致的", "it names no hours, and the weekly rows share none"
        raise BAD_HOURS(file=row.file, line=row.line, hours="", why_zh=zh, why_en=en)
    return shared.pop()


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
