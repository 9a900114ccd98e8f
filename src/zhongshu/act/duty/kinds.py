"""The kinds of duty tables, as rows: which columns a table has, what its key is, and how a cell is read. It knows no store and no file."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

from zhongshu.act.calendar import MODES
from zhongshu.kernel.area import parse_area
from zhongshu.kernel.clock import to_us
from zhongshu.kernel.problem import Problem

Cells = dict[str, Any]
CHECKS = ("person", "video", "instrument", "callback", "picture")
_PARTS = ("case", "accept", "verify", "file", "dispatch", "receipt", "review", "ruling", "sign", "handle", "feedback", "check", "close", "callback", "arrive", "reopen")
STEPS = (*_PARTS, "report_first", "report_next", "report_final")
"""The parts of a case that may have a limit of their own; `case` is the whole of it, `accept` of a voice, `arrive` a summoned helper's, `reopen` how long a citizen may ask again.
The last three are an incident's 首报, 续报 and 终报, of the class `*`; their condition is the theme."""
EFFECTS = ("name", "urgent", "postpone", "sample")
"""What a mode (平急) does to what a row names: `name` only gives its theme's names; urgent clock-hour limits; routine postponed; devices sampled more often."""
POSTS = ("leader", "duty_officer", "watch")
"""带班领导, 值班长, 值守员."""
SUPERVISIONS = ("city", "district")
"""一级监督两级指挥: the city alone files and closes; 两级监督两级指挥: the district does as well."""
LISTS = ("basic", "assist", "withdrawn")
"""基本履职, 配合履职, 上级部门收回: the three lists of what a street owes."""
FIGURES = {
    "lift_after_returns": 3,
    "lift_after_redos": 3,
    "reopen_days": 30,
    "join_metres": 200,
    "join_minutes": 60,
    "file_precision": 90,
    "file_reviews": 30,
    "postpone_hours": 72,
    "extend_days": 30,
    "late_hours": 24,
    "follow_days": 14,
}
"""The figures of handling and what holds where a city sets none: 3 returns or redoings lift a case (12345 practice), a citizen may ask again for 30 days,
voices and findings of a class within 200 m and 60 minutes are proposed as one, and filing without a person needs 30 reviewed leads, more than 90 % of them true; what a mode puts off goes on
after 72 hours at the latest, and one extension is of 30 days at most. What a holder did without a network
may reach the desk 24 hours later and still stop their clock when it was done; and family looks on by a link for 14 days after the end."""
SHARES = ("closing", "on_time", "redo", "right_dispatch", "reopened", "solved", "satisfied")
"""The shares of the evaluation that a city may weigh into a score."""
WEEKDAYS = {"weekdays": (1, 2, 3, 4, 5), "weekend": (6, 7), "daily": (1, 2, 3, 4, 5, 6, 7)} | {str(n): (n,) for n in range(1, 8)}
YEARS = range(1970, 2200)
"""The years a working calendar may name."""
_EVIDENCE_AT = "handle feedback"
_PICTURE = re.compile(r"[a-z][a-z0-9-]{0,39}|[0-9a-f]{64}")
"""The name of a drawing that a pack ships (`samples/<name>.svg`), or the sha256 of a photograph kept as evidence."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, how a cell is read (raising ValueError), what an empty cell means, and whether it may be empty."""

    name: str
    read: Callable[[str], Any]
    empty: Any = ""
    wanted: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of table. A row is known by the cells of `key`; two rows of one key may not be in force at once. `dated`: every row names its first day."""

    name: str
    zh: str
    en: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    dated: bool = True


def _text(text: str) -> str:
    return text


def _words(text: str) -> list[str]:
    return [part.strip() for part in text.replace("|", ";").replace("、", ";").split(";") if part.strip()]


def _positive(text: str) -> int:
    if (value := int(text)) <= 0:
        raise ValueError(text)
    return value


def _percent(text: str) -> int:
    if not 0 <= (value := int(text)) <= 100:  # noqa: PLR2004 (per cent)
        raise ValueError(text)
    return value


def _number(text: str) -> float:
    if not 0 <= (value := float(text)) <= 1e6:  # noqa: PLR2004 (no weight is greater)
        raise ValueError(text)
    return value


def _truth(text: str) -> bool:
    return {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False, "是": True, "否": False}[text.lower()]


@dataclass(frozen=True, slots=True)
class _OneOf:
    words: tuple[str, ...]

    def __call__(self, text: str) -> str:
        return self.words[self.words.index(text)]


def _one_of(*words: str) -> _OneOf:
    return _OneOf(words)


def _area(text: str) -> str:
    try:
        return f"{parse_area(text):015d}"
    except Problem:
        raise ValueError(text) from None


def _evidence(text: str) -> str:
    return text.removeprefix("none")


def _picture(text: str) -> str:
    if _PICTURE.fullmatch(text) is None:
        raise ValueError(text)
    return text


def _masked(text: str) -> str:
    """Keep of a telephone number what tells it apart, no more: the first three and the last four figures."""
    figures = text.replace(" ", "").replace("-", "")
    return text if "*" in text else f"{figures[:3]}****{figures[-4:]}" if len(figures) > len("1234567") else f"***{figures[-2:]}"


def _date(text: str) -> str:
    if (named := date.fromisoformat(text)).year not in YEARS:
        raise ValueError(text)
    return named.isoformat()


def _shift_day(text: str) -> str:
    return text if text in WEEKDAYS else datetime.fromisoformat(text).date().isoformat()


def _hour(text: str) -> str:
    return datetime.strptime(text, "%H:%M").strftime("%H:%M")  # noqa: DTZ007 (an hour of the city's day)


def _degrees(text: str) -> float:
    if not -180 <= (value := float(text)) <= 180:  # noqa: PLR2004 (the globe)
        raise ValueError(text)
    return value


def day(written: str, zone: tzinfo) -> int:
    """Read a day or a time of the city as µs of UTC. Raises ValueError."""
    moment = datetime.fromisoformat(written)
    return to_us(moment if moment.tzinfo else moment.replace(tzinfo=zone))


_FORMS: dict[Callable[[str], Any], tuple[str, str]] = {
    _positive: ("大于 0 的整数", "a whole number above 0"),
    _percent: ("0 到 100 的整数", "a whole number from 0 to 100"),
    _number: ("不小于 0 的数", "a number that is not below 0"),
    _truth: ("yes 或 no", "yes or no"),
    _area: ("15 位区域代码", "a 15-digit area"),
    _date: ("日期，例如 2026-01-01", "a day, such as 2026-01-01"),
    _shift_day: ("日期，或 weekdays、weekend、daily、1 到 7", "a day, or weekdays, weekend, daily, 1 to 7"),
    _hour: ("时刻，例如 08:30", "a time of day, such as 08:30"),
    _degrees: ("经纬度，单位为度", "degrees"),
}


def form(column: Column) -> tuple[str, str]:
    """Return what a column's cells look like, in both languages; empty where any text will do."""
    if isinstance(column.read, _OneOf):
        return f"可以是 {'、'.join(column.read.words)}", f"it can be {', '.join(column.read.words)}"
    zh, en = _FORMS.get(column.read, ("", ""))
    return (f"应为{zh}", f"it should be {en}") if zh else ("", "")


_CLASS = Column("class", _text, wanted=True)
_NAMES = (Column("zh", _text, wanted=True), Column("en", _text, wanted=True))
_BASIS = (Column("basis", _text, wanted=True), Column("basis_en", _text))

KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "classes",
            "部件、事件与诉求类别",
            "classes of parts, events and requests",
            ("class",),
            (
                _CLASS,
                *_NAMES,
                Column("kind", _one_of("part", "event", "hotline"), "event"),
                Column("words", _words, ()),
                Column("check", _one_of(*CHECKS), "person"),
                Column("sample", _percent, 100),
                Column("normal_minutes", _positive, None),
                Column("danger", _truth, empty=False),
                Column("evidence", _evidence, _EVIDENCE_AT),
                Column("condition", _text),
                Column("condition_en", _text),
                Column("picture", _picture),
                Column("playbook", _text),
                Column("homes", _truth, empty=False),
                *_BASIS,
            ),
        ),
        Kind(
            "dispatch",
            "派单目录",
            "dispatch catalogue",
            ("class", "area"),
            (
                _CLASS,
                Column("area", _area),
                Column("unit", _text, wanted=True),
                Column("unit_zh", _text),
                Column("unit_en", _text),
                Column("helpers", _words, ()),
                Column("list", _one_of(*LISTS), "basic"),
                *_BASIS,
            ),
        ),
        Kind(
            "command",
            "指挥体系",
            "chain of command",
            ("area",),
            (
                Column("area", _area, wanted=True),
                Column("unit", _text, wanted=True),
                Column("unit_zh", _text, wanted=True),
                Column("unit_en", _text, wanted=True),
                Column("units", _words, ()),
                Column("supervision", _one_of(*SUPERVISIONS), wanted=True),
                *_BASIS,
            ),
        ),
        Kind(
            "limits",
            "时限",
            "limits",
            ("class", "step", "condition"),
            (
                _CLASS,
                Column("step", _one_of(*STEPS), wanted=True),
                Column("condition", _text),
                Column("amount", _text, wanted=True),
                Column("mode", _one_of(*MODES), "wall"),
                Column("calendar", _text),
                Column("warn", _text),
                Column("zh", _text),
                Column("en", _text),
                *_BASIS,
            ),
        ),
        Kind(
            "duties",
            "街道履行职责事项清单",
            "streets' lists of duties",
            ("area", "class"),
            (Column("area", _area), _CLASS, Column("list", _one_of(*LISTS), wanted=True), *_BASIS),
        ),
        Kind(
            "calendar",
            "工作日历",
            "working calendar",
            ("calendar", "day", "weekday", "first"),
            (
                Column("calendar", _text, wanted=True),
                Column("day", _date),
                Column("weekday", _one_of(*WEEKDAYS)),
                Column("first", _date),
                Column("last", _date),
                Column("kind", _one_of("work", "rest"), "work"),
                Column("hours", _text),
                Column("note", _text),
                Column("note_en", _text),
                Column("provisional", _one_of("yes", "no")),
                *_BASIS,
            ),
            dated=False,
        ),
        Kind(
            "weights",
            "综合评价权重",
            "weights of the evaluation",
            ("object", "indicator"),
            (
                Column("object", _one_of("area", "department", "post"), wanted=True),
                Column("indicator", _one_of(*SHARES), wanted=True),
                Column("weight", _number, wanted=True),
                *_BASIS,
            ),
        ),
        Kind(
            "plans",
            "应急预案任务",
            "plans' tasks",
            ("theme", "level", "task"),
            (
                Column("theme", _text, wanted=True),
                Column("level", _one_of("1", "2", "3", "4"), wanted=True),
                Column("task", _text, wanted=True),
                *_NAMES,
                Column("unit", _text, wanted=True),
                Column("limit_minutes", _positive, None),
                *_BASIS,
            ),
        ),
        Kind(
            "modes",
            "平急转换清单",
            "what a mode does",
            ("theme", "effect", "what"),
            (
                Column("theme", _text, wanted=True),
                Column("effect", _one_of(*EFFECTS), wanted=True),
                Column("what", _text, wanted=True),
                *_NAMES,
                Column("every_s", _positive, None),
                *_BASIS,
            ),
        ),
        Kind(
            "roster",
            "值班表",
            "roster",
            ("theme", "day", "shift", "post", "name"),
            (
                Column("theme", _text),
                Column("day", _shift_day),
                Column("shift", _text, wanted=True),
                Column("first", _hour, wanted=True),
                Column("last", _hour, wanted=True),
                Column("post", _one_of(*POSTS), wanted=True),
                Column("name", _text, wanted=True),
                Column("name_en", _text),
                Column("account", _text),
                Column("phone", _masked),
                *_BASIS,
            ),
            dated=False,
        ),
        Kind(
            "supplies",
            "应急队伍与物资",
            "teams and supplies",
            ("unit", "name"),
            (
                Column("name", _text, wanted=True),
                Column("name_en", _text),
                Column("theme", _text),
                Column("unit", _text, wanted=True),
                Column("kind", _one_of("team", "supply", "vehicle", "shelter"), "supply"),
                Column("count", _number, wanted=True),
                Column("lon", _degrees, None),
                Column("lat", _degrees, None),
                *_BASIS,
            ),
        ),
        Kind(
            "figures",
            "办理规则",
            "rules of handling",
            ("code",),
            (Column("code", _one_of(*FIGURES), wanted=True), Column("value", _number, wanted=True), *_BASIS),
        ),
        Kind(
            "knowledge",
            "知识库",
            "knowledge base",
            ("code",),
            (
                Column("code", _text, wanted=True),
                Column("title", _text, wanted=True),
                Column("title_en", _text),
                Column("text", _text, wanted=True),
                Column("text_en", _text),
                Column("class", _text),
                Column("words", _words, ()),
                Column("owner", _text, wanted=True),
                *_BASIS,
            ),
        ),
        Kind(
            "filing",
            "自动立案",
            "filing without a person",
            ("rule", "device"),
            (Column("rule", _text, wanted=True), Column("device", _text), Column("on", _truth, wanted=True), *_BASIS),
        ),
        Kind(
            "reasons",
            "列明的理由",
            "listed reasons",
            ("verb", "code"),
            (Column("verb", _text, wanted=True), Column("code", _text, wanted=True), *_NAMES, *_BASIS),
        ),
    )
}
"""Every kind of table. Two columns go with each: `valid_from` (a day of the city), and `valid_to` (the day from which it no longer holds)."""
