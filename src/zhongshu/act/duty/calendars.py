"""A working calendar built from its rows: what each of them says of a day, which of them holds on it, and what of them cannot stand together. Knows no store and no file."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NoReturn
from zoneinfo import ZoneInfo

from zhongshu.act.calendar import DAY_MINUTES, Calendar, Day, Spans
from zhongshu.act.duty.kinds import WEEKDAYS
from zhongshu.act.duty.pages import Row
from zhongshu.act.duty.sheets import BAD_ROW
from zhongshu.kernel.clock import to_datetime
from zhongshu.kernel.problem import declare

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

_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
_CHINESE = str.maketrans({"；": ";", "：": ":", "－": "-", "–": "-", "—": "-"})


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
    provisional: bool = False
    file: str = ""
    line: int = 0

    def covers(self, day: date) -> bool:
        """Say whether this weekly row holds on that day."""
        return day.isoweekday() in self.weekdays and (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


def build(name: str, zone: ZoneInfo, rows: Iterable[DayRow], first: date | None = None, last: date | None = None) -> Calendar:
    """Build the calendar of that name from rows, from its first to its last date: those given, or else the outermost that the rows name.

    Raises `calendar.bad_hours`, `.twice`, `.gap` or `.empty`.
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
    return Calendar(name, zone, days)


@lru_cache(maxsize=16)
def always(zone: ZoneInfo, first: date = date(2010, 1, 1), last: date = date(2049, 12, 31)) -> Calendar:
    """Return the calendar in which every hour is worked, for limits on the wall clock; its name is `always`."""
    row = DayRow("always", "work", "00:00-24:00", weekdays=WEEKDAYS["daily"])
    return build("always", zone, [row], first, last)


def day_rows(rows: Iterable[Row], zone: ZoneInfo) -> list[DayRow]:
    """Take rows of the table of calendars for what they say of the days on which they are in force. Raises `duty.bad_row`."""
    return [said for row in rows if (said := _day_row(row, zone)) is not None]


def _day_row(row: Row, zone: ZoneInfo) -> DayRow | None:
    cells = row.cells
    day, first, last = (date.fromisoformat(cells[name]) if cells[name] else None for name in ("day", "first", "last"))
    if (day is None) == (not cells["weekday"]):
        raise BAD_ROW(source=row.source, line=row.line, why_zh="day 和 weekday 应写一个，也只写一个", why_en="either a day or a weekday is expected, and not both")
    since = to_datetime(row.valid_from).astimezone(zone).date() if row.valid_from else None
    until = None if row.valid_to is None else to_datetime(row.valid_to).astimezone(zone).date() - timedelta(days=1)
    begins, ends = max(filter(None, (day or first, since)), default=None), min(filter(None, (day or last, until)), default=None)
    if begins is not None and ends is not None and ends < begins:
        return None
    if day is None:
        first, last = begins, ends
    return DayRow(cells["calendar"], cells["kind"], cells["hours"], day, WEEKDAYS.get(cells["weekday"], ()), first, last, cells["provisional"] == "yes", row.source, row.line)


def _spans(row: DayRow) -> Spans | None:
    """Read a row's hours: () for rest, None where it leaves them to the weekly default."""

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
        spans.append((int(found[1]) * 60 + int(found[2]), DAY_MINUTES if found[3] is None else int(found[3]) * 60 + int(found[4])))
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
