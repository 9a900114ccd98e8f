"""Limits and calendars as the duty tables have them: how long a part of a case may take, and when that is over. Knows no case and no store."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn, cast
from zoneinfo import ZoneInfo

from zhongshu.act.calendar import ON_THE_WALL, Calendar, Mode
from zhongshu.act.duty.calendars import always, build, day_rows
from zhongshu.act.duty.pages import Book, Row
from zhongshu.kernel.clock import MINUTE, parse_duration
from zhongshu.kernel.problem import Problem, declare

NO_CALENDAR = declare(
    "duty.no_calendar",
    "invalid",
    zh=("“{key}”所用的日历“{calendar}”没有登记。", "请先装入日历表 calendar，或改用 wall。"),
    en=("The calendar '{calendar}' of '{key}' is not known.", "Bring in the calendar first, or use wall."),
)
BAD_LIMIT = declare(
    "duty.bad_limit",
    "invalid",
    zh=("“{key}”的 {name} 为“{text}”，应写成 {form}。", "请更正后重新装入。"),
    en=("The {name} of '{key}' is '{text}'; expected: {form}.", "Correct it and load again."),
)
ANY = "*"
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?:\+(\d))?")
FORMS = {
    "wall": "90m, 4h, 2d",
    "hours": "90m, 4h",
    "days": "2d",
    "days_exact": "2d",
    "clock": "17:00, 09:00+1",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """How long a part of a case may take: the amount in its mode's unit as `Calendar.due` takes it, and how much ahead it warns (None: not at all)."""

    amount: int
    mode: Mode
    calendar: str
    warn: int | None
    source: str


@dataclass(frozen=True, slots=True)
class Term:
    """When a limit runs out and from when it is near, µs of UTC, and by which calendar and mode it is reckoned; None: no limit is set."""

    due: int | None = None
    warn: int | None = None
    mode: Mode = "wall"
    calendar: str = ""


def limit_of(held: Book, class_: str, step: str, at: int, condition: str = "") -> Limit | None:
    """Return the limit of a part of a case in force at a time: the class's before every class's, the condition's before the one without."""
    for key in dict.fromkeys(((class_, step, condition), (class_, step, ""), (ANY, step, condition), (ANY, step, ""))):
        if (row := held.at("limits", key, at)) is not None:
            return of_row(row)
    return None


def of_row(row: Row) -> Limit:
    """Read a limit's row. Raises `duty.bad_limit`."""
    mode: Mode = row.cells["mode"]
    time = _amount(row, "amount", mode)
    ahead: Mode = "wall" if mode == "clock" else mode
    if row.cells["warn"]:
        warn: int | None = _amount(row, "warn", ahead)
    elif mode in {"wall", "hours"}:
        warn = time // 4 or None
    else:
        warn = max(1, time // 4) if mode != "clock" and time > 1 else None
    return Limit(time, mode, row.cells["calendar"], warn, row.cells["basis"])


def term(held: Book, limit: Limit | None, start: int, zone: ZoneInfo) -> Term:
    """Return when a limit that begins then is over. Raises `calendar.too_short`, `duty.no_calendar`."""
    if limit is None:
        return Term()
    days = calendar(held, limit.calendar, limit.mode, zone)
    due = days.due(start, limit.amount, limit.mode)
    warn = None if limit.warn is None else max(start, days.before(due, limit.warn, limit.mode))
    return Term(due, warn, limit.mode, limit.calendar)


def moved(held: Book, at: Term, paused: int, resumed: int, zone: ZoneInfo) -> Term:
    """Return a term after a pause: what was left of it, in its own mode, is left again, to the second."""
    if at.due is None:
        return at
    days = calendar(held, at.calendar, at.mode, zone)
    return Term(days.shift(at.due, paused, resumed, at.mode), None if at.warn is None else days.shift(at.warn, paused, resumed, at.mode), at.mode, at.calendar)


def calendar(held: Book, name: str, mode: Mode, zone: ZoneInfo) -> Calendar:
    """Return a calendar of the city by its name; what counts every second needs none. Raises `duty.no_calendar`."""
    if mode in ON_THE_WALL:
        return _always(zone)
    key = ("calendar", name, zone.key)
    if key not in held.made:
        rows = [row for row in held.every("calendar") if row.cells["calendar"] == name]
        if not rows:
            raise NO_CALENDAR(key=mode, calendar=name)
        held.made[key] = build(name, zone, day_rows(rows, zone))
    return cast("Calendar", held.made[key])


def check_limit(held: Book, row: Row) -> None:
    """Refuse a limit that cannot be read, that warns before it begins, or whose calendar there is not."""
    limit = of_row(row)
    if limit.warn is not None and limit.mode != "clock" and limit.warn >= limit.amount:
        raise BAD_LIMIT(key=row.name, name="warn", text=row.cells["warn"], form=f"< {row.cells['amount']}")
    if limit.mode not in ON_THE_WALL and not any(key[0] == limit.calendar for key in held.rows["calendar"]):
        raise NO_CALENDAR(key=row.name, calendar=limit.calendar)


def check_calendars(rows: list[Row], zone: ZoneInfo) -> None:
    """Refuse calendars that have a gap or say two things of one day. Raises `calendar.*`."""
    days = day_rows(sorted(rows, key=lambda row: row.line), zone)
    for name in dict.fromkeys(said.calendar for said in days):
        build(name, zone, days)


def amount(text: str, mode: Mode) -> int:
    """Read an amount, which names its unit so that nobody takes minutes for hours: 90m or 4h, 2d; for clock 17:00, or 09:00+1 the day after.

    Returns minutes (wall, hours), days (days, days_exact) or minutes after the midnight of arrival (clock). Raises ValueError.
    """
    if mode == "clock":
        found = _CLOCK.fullmatch(text)
        value = int(found[1]) * 60 + int(found[2]) + int(found[3] or 0) * 1440 if found else 0
    elif mode in {"days", "days_exact"}:
        value = int(text.removesuffix("d")) if re.fullmatch(r"[0-9]{1,4}d", text) else 0
    elif mode == "wall" or not set(text) & set("dw"):
        try:
            value, rest = divmod(parse_duration(text), MINUTE)
        except Problem:
            value, rest = 0, 0
        value = 0 if rest else value
    else:
        value = 0
    if value <= 0:
        raise ValueError(text)
    return value


def said(time: int, mode: Mode) -> tuple[str, str]:
    """Say an amount of a mode in words, zh and en."""
    if mode == "clock":
        day, minute = divmod(time, 1440)
        at = f"{minute // 60:02d}:{minute % 60:02d}"
        return f"{'次日' if day else '当日'} {at}", f"{at} {'the next day' if day else 'that day'}"
    if mode in {"days", "days_exact"}:
        return f"{time} 个工作日", f"{time} working day{'s' if time > 1 else ''}"
    hours = f"{time / 60:g}"
    return (f"{hours} 工作时", f"{hours} working h") if mode == "hours" else (f"{hours} 小时", f"{hours} h")


def _amount(row: Row, name: str, mode: Mode) -> int:
    def wrong() -> NoReturn:
        raise BAD_LIMIT(key=row.name, name=name, text=row.cells[name], form=FORMS[mode]) from None

    try:
        return amount(row.cells[name], mode)
    except ValueError:
        wrong()


@lru_cache(8)
def _always(zone: ZoneInfo) -> Calendar:
    return always(zone)
