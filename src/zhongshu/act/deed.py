"""A deed: one person's act at the desk, on one connection, at one time. What it writes into the history, and whom it leaves news for.

Knows how history is written and numbers are given; not what any verb means.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert
from sqlalchemy.dialects.postgresql import insert as upsert

from zhongshu.act import tables
from zhongshu.act.assistant import Assistant
from zhongshu.kernel.area import Level, at_level, show_area
from zhongshu.kernel.bus import News
from zhongshu.kernel.clock import to_datetime
from zhongshu.kernel.grade import Principal
from zhongshu.kernel.problem import declare

Witness = Callable[[Connection, str, str, dict[str, Any]], None]
"""Told (connection, action, subject, detail) once for every step, in the step's own transaction; ids only."""

SYSTEM = Principal("system", "系统", (("system", 0),), "internal")
INSTRUMENT = Principal("instrument", "仪表", (("instrument", 0),), "internal")

MISSING = declare(
    "case.missing",
    "invalid",
    zh=("缺少“{zh}”。", "请补上后再提交。"),
    en=("'{en}' is missing.", "Give it, then send again."),
)


def nobody(connection: Connection, action: str, subject: str, detail: dict[str, Any]) -> None:
    """Witness nothing (trials and tests)."""


Staff = Callable[[Connection, str], list[dict[str, Any]]]
"""Returns the accounts of a unit that are let in: {id, name_zh, name_en, kind, roles}, the roles in force as (role, area)."""


def no_staff(_connection: Connection, _unit: str) -> list[dict[str, Any]]:
    """Know no account."""
    return []


@dataclass(slots=True)
class Deed:
    """One act. `now` in µs of UTC; `zone`: the city's, which says what day it is; `news`: to be published after the commit, by the caller."""

    connection: Connection
    now: int
    actor: Principal
    witness: Witness = nobody
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    news: list[News] = field(default_factory=list)
    assistant: Assistant | None = None
    staff: Staff = no_staff

    def by(self, actor: Principal) -> "Deed":
        """Return the same deed in another's name; both share their news."""
        return Deed(self.connection, self.now, actor, self.witness, self.zone, self.news, self.assistant, self.staff)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line for the history: what was done to which subject, from where to where."""

    kind: str
    subject: str
    number: str
    area: int
    verb: str
    version: int = 0
    start: tuple[str, str] = ("", "")
    end: tuple[str, str] = ("", "")
    happened: int | None = None
    reason: str = ""
    note: str = ""
    unit: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    once: str | None = None


_INSERT = insert(tables.case_step)
_ON = upsert(tables.serial)
_NEXT = _ON.on_conflict_do_update(index_elements=["prefix", "day"], set_={"last": tables.serial.c.last + 1}).returning(tables.serial.c.last)


def record(deed: Deed, entry: Entry) -> int:
    """Append a line to the history, call the witness, and return the line's seq."""
    row = {
        "kind": entry.kind,
        "subject": entry.subject,
        "number": entry.number,
        "area": entry.area,
        "version": entry.version,
        "verb": entry.verb,
        "from_step": entry.start[0],
        "from_mark": entry.start[1],
        "to_step": entry.end[0],
        "to_mark": entry.end[1],
        "actor": deed.actor.id,
        "actor_name": deed.actor.name,
        "at": deed.now,
        "happened": deed.now if entry.happened is None else entry.happened,
        "reason": entry.reason,
        "note": entry.note,
        "unit": entry.unit,
        "detail": entry.detail,
        "once": entry.once,
    }
    seq = int(deed.connection.execute(_INSERT, row).inserted_primary_key[0])  # type: ignore[index]
    detail = {
        "seq": seq,
        "id": entry.subject,
        "version": entry.version,
        "at": deed.now,
        "from": "/".join(filter(None, entry.start)),
        "to": "/".join(filter(None, entry.end)),
        "area": show_area(entry.area),
    }
    deed.witness(deed.connection, f"{entry.kind}.{entry.verb}", entry.number, detail | ({"unit": entry.unit} if entry.unit else {}))
    return seq


def number(deed: Deed, area: int, at: int, letter: str = "") -> str:
    """Return the next number of a district and the city's day of `at`: `district6-yyyymmdd-serial`, a letter before it if it is no case."""
    prefix = f"{letter}{at_level(area, Level.DISTRICT) // 10**9:06d}"
    day = f"{to_datetime(at).astimezone(deed.zone):%Y%m%d}"
    last = deed.connection.execute(_NEXT, {"prefix": prefix, "day": day, "last": 1}).scalar_one()
    return f"{prefix}-{day}-{last:04d}"
