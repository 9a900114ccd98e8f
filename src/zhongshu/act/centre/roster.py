"""The roster (值班表): who stands which shift, by the duty table; a date stands before a day of the week. A theme's own rows hold while its mode is raised."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from zhongshu.act.duty import book
from zhongshu.act.duty.kinds import WEEKDAYS
from zhongshu.act.urgency import called_in
from zhongshu.kernel.clock import rfc3339, to_datetime, to_us

POSTS = {"leader": ("带班领导", "leader on duty"), "duty_officer": ("值班长", "duty officer"), "watch": ("值守员", "watch")}
_PLAIN = ("theme", "shift", "post", "name", "name_en", "account", "phone")

Cells = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """One person's turn: the row's cells, and when it begins and ends (µs)."""

    cells: Cells
    start: int
    end: int

    def document(self) -> dict[str, Any]:
        """Return it for the page; the telephone number is masked in the table already."""
        zh, en = POSTS[self.cells["post"]]
        named = {name: self.cells[name] for name in _PLAIN} | {"name_en": self.cells["name_en"] or self.cells["name"]}
        return named | {"post_zh": zh, "post_en": en, "from": rfc3339(self.start), "to": rfc3339(self.end)}


def of_theme(connection: Connection, theme: str) -> list[Cells]:
    """Return a theme's emergency roster: who is called in when its mode is raised."""
    return [
        {name: row.cells[name] for name in _PLAIN} | {"name_en": row.cells["name_en"] or row.cells["name"]}
        for row in book(connection).every("roster")
        if row.cells["theme"] == theme
    ]


def turns(connection: Connection, first: date, days: int, zone: ZoneInfo, themes: Iterable[str] = ()) -> list[Turn]:
    """Return the turns that begin on these days of the city, in their order: everyone's, and those of the themes that are called in."""
    wanted = {"", *themes}
    rows = [row for row in book(connection).every("roster") if row.cells["theme"] in wanted]
    found = []
    for day in (first + timedelta(days=n) for n in range(days)):
        noon = to_us(datetime.combine(day, time(12), zone))
        held = [row.cells for row in rows if row.holds(noon) and _on(row.cells["day"], day)]
        dated = {(cells["theme"], cells["shift"], cells["post"]) for cells in held if "-" in cells["day"]}
        for cells in held:
            if "-" in cells["day"] or (cells["theme"], cells["shift"], cells["post"]) not in dated:
                begin, end = (datetime.combine(day, time.fromisoformat(cells[name]), zone) for name in ("first", "last"))
                found.append(Turn(cells, to_us(begin), to_us(end if end > begin else end + timedelta(days=1))))
    return sorted(found, key=lambda turn: (turn.start, list(POSTS).index(turn.cells["post"]), turn.cells["name"]))


def _on(said: str, day: date) -> bool:
    return said == day.isoformat() if "-" in said else day.isoweekday() in WEEKDAYS[said or "daily"]


def on_duty(connection: Connection, at: int, zone: ZoneInfo) -> list[Turn]:
    """Return whose turn it is at a time (µs)."""
    today = to_datetime(at).astimezone(zone).date()
    return [turn for turn in turns(connection, today - timedelta(days=1), 2, zone, called_in(connection, at)) if turn.start <= at < turn.end]


def coming(connection: Connection, at: int, zone: ZoneInfo, post: str = "duty_officer") -> Turn | None:
    """Return the next turn of a post that begins within a week; None where the table has none."""
    today = to_datetime(at).astimezone(zone).date()
    return next((turn for turn in turns(connection, today, 8, zone) if turn.start > at and turn.cells["post"] == post and not turn.cells["theme"]), None)
