"""Modes in force (平急): which theme is raised in which areas, and what that changes for classes, devices and people while it lasts.

What a mode does is frozen when it is approved and is asked by time alone, so ending one restores everything exactly. A drill's mode changes
nothing real. Kept beside the duty tables' book, so asking costs one short query. Knows no case and nobody's permission.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Connection, Index, Table, Text, select

from zhongshu.act.duty import book
from zhongshu.act.tables import ACT, INT
from zhongshu.kernel.area import interval

URGENT = "urgent"
"""The condition of the limits that hold for listed classes while a mode is raised."""

mode = Table(
    "mode",
    ACT,
    Column("id", Text, primary_key=True),
    Column("number", Text, nullable=False),
    Column("theme", Text, nullable=False),
    Column("level", INT, nullable=False),
    Column("area", INT, nullable=False),
    Column("areas", JSON, nullable=False),
    Column("title_zh", Text, nullable=False),
    Column("title_en", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("response", Text),
    Column("drill", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("proposed", INT, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("decided", INT),
    Column("decided_by", Text, nullable=False),
    Column("ended", INT),
    Column("ended_by", Text, nullable=False),
    Column("effects", JSON, nullable=False),
    Column("incident", Text),
    Column("version", INT, nullable=False),
    Index("mode_state", "state", "theme"),
)


@dataclass(frozen=True, slots=True)
class Raised:
    """A mode that is or was in force: from and to (µs; None: still), where, and what it does."""

    id: str
    number: str
    theme: str
    start: int
    end: int | None
    areas: tuple[int, ...]
    effects: dict[str, list[dict[str, Any]]]
    drill: bool

    def holds(self, at: int, area: int | None = None) -> bool:
        """Tell whether it is in force at a time, in an area if one is named."""
        if not (self.start <= at and (self.end is None or at < self.end)):
            return False
        return area is None or any(low <= area < high for low, high in map(interval, self.areas))


def raised(connection: Connection) -> list[Raised]:
    """Return every mode that was ever in force, in the order they were raised."""
    made = book(connection).made
    if "modes" not in made:
        rows = connection.execute(select(mode).where(mode.c.state.in_(("in_force", "ended"))).order_by(mode.c.decided, mode.c.id)).mappings()
        made["modes"] = [Raised(r["id"], r["number"], r["theme"], r["decided"], r["ended"], tuple(r["areas"]), r["effects"], bool(r["drill"])) for r in rows]
    found: list[Raised] = made["modes"]
    return found


def condition_for(connection: Connection, class_: str, area: int, at: int) -> str:
    """Return the condition under which a class's limits are looked up: `urgent` while a mode that lists it holds there, else ''."""
    return URGENT if _hit(connection, URGENT, class_, area, at) else ""


def postponed(connection: Connection, class_: str, area: int, at: int) -> dict[str, Any] | None:
    """Return the notice of the mode that postpones a routine class there, in both languages; None where none does."""
    hit = _hit(connection, "postpone", class_, area, at)
    if hit is None:
        return None
    by, row = hit
    return {"mode": by.id, "number": by.number, "theme": by.theme, "zh": row["notice_zh"], "en": row["notice_en"], "basis": row["basis"]}


def putting_off(connection: Connection, at: int) -> list[Raised]:
    """Return the modes in force that put routine off."""
    return [by for by in _now(connection, at) if by.effects["postpone"]]


def raised_sampling(connection: Connection, at: int) -> list[dict[str, Any]]:
    """Return the devices to be sampled more often: {type, zh, en, every_s, areas, mode, number, basis} for each listed type of each mode in force."""
    return [
        {"type": row["what"], "zh": row["zh"], "en": row["en"], "every_s": row["every_s"], "areas": list(by.areas), "mode": by.id, "number": by.number, "basis": row["basis"]}
        for by in _now(connection, at)
        for row in by.effects["sample"]
    ]


def called_in(connection: Connection, at: int) -> frozenset[str]:
    """Return the themes whose own roster is in force."""
    return frozenset(by.theme for by in _now(connection, at))


def _now(connection: Connection, at: int) -> list[Raised]:
    return [by for by in raised(connection) if not by.drill and by.holds(at)]


def _hit(connection: Connection, effect: str, class_: str, area: int, at: int) -> tuple[Raised, dict[str, Any]] | None:
    for by in _now(connection, at):
        if by.holds(at, area):
            for row in by.effects[effect]:
                if _named(row["what"], class_):
                    return by, row
    return None


def _named(listed: str, class_: str) -> bool:
    """Tell whether a list's word names a class: itself, or, ending in `*`, all that begin so."""
    return class_.startswith(listed[:-1]) if listed.endswith("*") else class_ == listed
