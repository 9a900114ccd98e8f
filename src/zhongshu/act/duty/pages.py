"""The book: every row of the duty tables, held in memory, and which of them is in force when. Written by `load`; knows no file and no case.

A city's own rows stand before a pack's of the same key; of two, the one that came into force later.
"""

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from zhongshu.act.duty.kinds import KINDS, Cells
from zhongshu.act.tables import desk_cursor, duty_row

STAMP = "duty"
"""The cursor that changes with every change of the tables."""
PACK = "pack:"
"""How the source of a pack's rows begins."""
KEPT = 8

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A row: the cells, the half-open time it is in force (µs; None: no end), its source, and the line it was just read from (0: it is held already)."""

    kind: str
    key: Key
    valid_from: int
    valid_to: int | None
    source: str
    cells: Cells
    line: int = field(default=0, compare=False)

    @property
    def own(self) -> bool:
        """Tell whether it is the city's own, not a pack's."""
        return not self.source.startswith(PACK)

    @property
    def name(self) -> str:
        """Return its key in one line, for people."""
        return " · ".join(filter(None, self.key))

    def holds(self, at: int) -> bool:
        """Tell whether it is in force at a time."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


@dataclass(slots=True)
class Book:
    """All rows by kind and key; `made`: what others have built of them, kept as long as the book is."""

    rows: dict[str, dict[Key, list[Row]]]
    made: dict[Any, Any] = field(default_factory=dict)

    def at(self, kind: str, key: Key, when: int) -> Row | None:
        """Return the row of a key in force at a time (µs), or None."""
        held = [row for row in self.rows[kind].get(key, ()) if row.holds(when)]
        return max(held, key=lambda row: (row.own, row.valid_from), default=None)

    def all_at(self, kind: str, when: int) -> list[Row]:
        """Return the rows of a kind in force at a time, one for each key, in the order of keys."""
        return [row for key in sorted(self.rows[kind]) if (row := self.at(kind, key, when)) is not None]

    def every(self, kind: str) -> list[Row]:
        """Return the rows of a kind of all times."""
        return [row for key in sorted(self.rows[kind]) for row in self.rows[kind][key]]


_STAMP = select(desk_cursor.c.done).where(desk_cursor.c.name == STAMP)
_books: "OrderedDict[int, Book]" = OrderedDict()


def book(connection: Connection) -> Book:
    """Return the book as this connection sees it; asked for once in a deed or a read, and kept until the tables change."""
    seen: Book | None = connection.info.get(STAMP)
    if seen is None:
        seen = connection.info[STAMP] = _book(connection)
    return seen


def _book(connection: Connection) -> Book:
    stamp = connection.execute(_STAMP).scalar_one_or_none() or 0
    if (held := _books.get(stamp)) is None:
        held = _books[stamp] = _read(connection)
        while len(_books) > KEPT:
            _books.popitem(last=False)
    return held


def _read(connection: Connection) -> Book:
    rows: dict[str, dict[Key, list[Row]]] = {kind: {} for kind in KINDS}
    for row in connection.execute(select(duty_row).order_by(duty_row.c.valid_from, duty_row.c.id)).mappings():
        key = tuple(json.loads(row["key"]))
        rows[row["kind"]].setdefault(key, []).append(Row(row["kind"], key, row["valid_from"], row["valid_to"], row["source"], row["cells"]))
    return Book(rows)
