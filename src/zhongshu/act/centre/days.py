"""Days counted from the history: what was received, closed, closed on time, ran late and came back, by district; lines taken back are never counted.

The history's order is the order of time, so a day is found in it by bisection. Knows no case's row: only lines.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, func, or_, select

from zhongshu.act.tables import case_step
from zhongshu.kernel.area import Level, at_level
from zhongshu.kernel.clock import HOUR, to_us

COUNTED = ("requests", "received", "closed", "on_time", "overdue", "redone")
NAMES = {
    "requests": ("诉求", "Requests"),
    "received": ("受理", "Received"),
    "closed": ("结案", "Closed"),
    "on_time": ("按期结案", "Closed on time"),
    "overdue": ("超时", "Ran late"),
    "redone": ("返工", "Redone"),
}

_C = case_step.c
_LINES = (
    select(_C.seq, _C.kind, _C.subject, _C.verb, _C.from_step, _C.area, _C.at, _C.detail)
    .where(
        _C.seq >= bindparam("first"),
        _C.seq < bindparam("last"),
        _C.kind.in_(("case", "request")),
        or_(_C.verb.in_(("received", "close", "due", "check_fail", "undo", "void")), _C.from_step == ""),
    )
    .order_by(_C.seq)
)
"""The lines that count, and those that take one back."""

Line = dict[str, Any]


def bounds(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """Return when a day of the city begins and the next does, µs."""
    first, last = (to_us(datetime.combine(each, time(0), zone)) for each in (day, day + timedelta(days=1)))
    return first, last


def between(connection: Connection, start: int, end: int) -> Iterator[Line]:
    """Give the lines that count, written in [start, end), in their order, without those that were taken back and those that took them back."""
    first, last = _first(connection, start - HOUR), _first(connection, end + HOUR)
    rows = [dict(row) for row in connection.execute(_LINES, {"first": first, "last": last}).mappings()]
    undone = {row["detail"].get("undoes") for row in rows} - {None}
    return (row for row in rows if start <= row["at"] < end and row["seq"] not in undone and not row["detail"].get("undoes"))


def _first(connection: Connection, at: int) -> int:
    """Return the seq from which on lines are of that time or later."""
    low, high = 1, (connection.execute(select(func.max(case_step.c.seq))).scalar_one() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        found = connection.execute(select(case_step.c.at).where(case_step.c.seq >= middle).order_by(case_step.c.seq).limit(1)).scalar_one_or_none()
        if found is None or found >= at:
            high = middle
        else:
            low = middle + 1
    return low


def meanings(step: Line) -> tuple[str, ...]:
    """Return what one line of the history counts as; what another system brought in of its own past counts as nothing."""
    verb = step["verb"]
    if step["kind"] == "request":
        return ("requests",) if verb == "received" else ()
    if step["kind"] != "case":
        return ()
    if step["from_step"] == "" and verb != "import":
        return ("received",)
    if verb == "close" and not step["detail"].get("again"):
        return ("closed", "on_time") if step["detail"].get("on_time") else ("closed",)
    if verb == "due" and not step["detail"].get("early"):
        return ("overdue",)
    return ("redone",) if verb == "check_fail" else ()


def count(connection: Connection, day: date, zone: ZoneInfo) -> dict[str, Counter[int]]:
    """Return what a day of the city brought: {what: {district: how many}}."""
    found: dict[str, Counter[int]] = {what: Counter() for what in COUNTED}
    for step in between(connection, *bounds(day, zone)):
        for what in meanings(step):
            found[what][at_level(step["area"], Level.DISTRICT)] += 1
    return found
