"""The limits of a city: dated rows of how long a step may take, by class and condition, each with its calendar, mode and source.

Which row holds is a pure question to the rows. Knows no case, no desk, and no city's figure.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import NoReturn
from zoneinfo import ZoneInfo

from zhongshu.act.calendar import MODES, Mode, cells_of
from zhongshu.kernel.clock import MINUTE, parse_duration, to_us
from zhongshu.kernel.problem import Problem, declare

BAD_ROW = declare(
    "limit.bad_row",
    "invalid",
    zh=("时限表“{file}”第 {line} 行有误：{why_zh}。", "请更正这一行后重新装入；其他行也没有装入。"),
    en=("Line {line} of the table of limits '{file}' is wrong: {why_en}.", "Correct it and load again; no other line was taken either."),
)

STEPS = ("case", "accept", "verify", "file", "dispatch", "sign", "handle", "feedback", "check", "callback")
"""The steps that a limit may be set on; `case` is the whole case."""
ANY = "*"
COLUMNS = ("class", "step", "condition", "amount", "mode", "calendar", "warn", "valid_from", "source")
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
    """One row: how much time a step has, in its mode's own unit as `Calendar.due` takes it, from `valid_from` (µs of UTC) on.

    `class_` is a case class or `*`; `condition` a name such as `urgent`, or empty; `warn` what is left when it warns (as `Calendar.before`
    takes it), or None. Time begins when the task arrives, not when it is signed for.
    """

    class_: str
    step: str
    condition: str
    amount: int
    mode: Mode
    calendar: str
    warn: int | None
    valid_from: int
    source: str
    source_en: str = ""
    file: str = ""
    line: int = 0


def of(rows: Iterable[Limit], class_: str, step: str, condition: str, at: int) -> Limit | None:
    """Return the most exact row in force at a time (µs): its class beats `*`, then its condition beats none, then the latest; None if there is none.

    Of rows that contradict each other always the same one is returned, in whatever order they come; `contradictions` finds them.
    """
    fitting = (r for r in rows if r.step == step and r.class_ in {class_, ANY} and r.condition in {condition, ""} and r.valid_from <= at)
    return max(fitting, key=lambda r: (r.class_ != ANY, r.condition != "", r.valid_from, *_says(r)), default=None)


def contradictions(rows: Iterable[Limit]) -> list[tuple[Limit, ...]]:
    """Return the groups of rows that say different things of the same class, step and condition from the same day on; a mere repeat is none."""
    groups: dict[tuple[str, str, str, int], dict[tuple[object, ...], Limit]] = {}
    for row in rows:
        groups.setdefault((row.class_, row.step, row.condition, row.valid_from), {}).setdefault(_says(row), row)
    return [tuple(said[key] for key in sorted(said)) for _, said in sorted(groups.items()) if len(said) > 1]


def read(text: str, file: str, zone: ZoneInfo) -> list[Limit]:
    """Read the rows of a `limits.*.csv`, all or none; a date is the city's midnight. Raises `limit.bad_row`."""
    return [_read(cells, file, line, zone) for line, cells in cells_of(text, file, COLUMNS, BAD_ROW)]


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


def _says(row: Limit) -> tuple[str, int, str, int, str]:
    return (row.mode, row.amount, row.calendar, -1 if row.warn is None else row.warn, row.source)


def _read(cells: Mapping[str, str], file: str, line: int, zone: ZoneInfo) -> Limit:
    def wrong(name: str, form: str) -> NoReturn:
        zh, en = f"{name} 为“{cells[name]}”，应为 {form}", f"{name} is '{cells[name]}'; expected: {form}"
        raise BAD_ROW(file=file, line=line, why_zh=zh, why_en=en) from None

    for name in ("class", "calendar", "source"):
        if not cells[name]:
            raise BAD_ROW(file=file, line=line, why_zh=f"{name} 为空", why_en=f"{name} is empty")
    if cells["step"] not in STEPS:
        wrong("step", " | ".join(STEPS))
    if cells["mode"] not in MODES:
        wrong("mode", " | ".join(MODES))
    mode = cells["mode"]
    try:
        time = amount(cells["amount"], mode)
    except ValueError:
        wrong("amount", FORMS[mode])
    ahead: Mode = "wall" if mode == "clock" else mode
    try:
        warn = amount(cells["warn"], ahead) if cells["warn"] else None
    except ValueError:
        wrong("warn", FORMS[ahead])
    if warn is not None and mode != "clock" and warn >= time:
        wrong("warn", f"< {cells['amount']}")
    try:
        day = date.fromisoformat(cells["valid_from"])
    except ValueError:
        wrong("valid_from", "2026-01-01")
    since = to_us(datetime(day.year, day.month, day.day, tzinfo=zone))
    source_en = cells.get("source_en", "") or cells["source"]
    return Limit(cells["class"], cells["step"], cells["condition"], time, mode, cells["calendar"], warn, since, cells["source"], source_en, file, line)
