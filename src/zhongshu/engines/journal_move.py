"""An embedded journal into a stream: every entry a message, read back and compared before it counts. What is not kept in messages becomes the index.

Knows no city; whoever calls it has closed the journal.
"""

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from zhongshu.engines.desk_move import NOT_EMPTY, NOT_EQUAL, Moved
from zhongshu.engines.journal_group import Group, seal
from zhongshu.engines.nats_journal import NatsJournal
from zhongshu.engines.sqlite_journal import DAMAGED, SqliteJournal

Tell = Callable[[str, int], None]


def move_journal(source: Path, url: str, index: Path, name: str, tell: Tell) -> Moved:
    """Copy a journal's file into the stream of a name, with its index beside; all of it, or nothing. Raises `move.not_empty`, `move.not_equal`, `journal.damaged`, and what the stream refuses."""
    journal = NatsJournal(url, index, name)
    try:
        moved = _moved(journal, source, name, tell)
    except Exception:
        journal.close()
        for path in index.parent.glob(f"{index.name}*"):
            path.unlink()
        raise
    journal.close()
    return moved


def clear_beginning(source: Path, url: str, index: Path, name: str) -> None:
    """Remove from the stream of a name what a move that broke off left there; raises `move.not_empty` where that is no beginning of the file."""
    journal = NatsJournal(url, index, name)
    try:
        there = _sum(journal.rows())
        if there != _sums(source, there[0]):
            raise NOT_EMPTY(table=f"journal {name} (NATS)", count=there[0])
        journal.discard()
    finally:
        journal.close()
        for path in index.parent.glob(f"{index.name}*"):
            path.unlink()


def _moved(journal: NatsJournal, source: Path, name: str, tell: Tell) -> Moved:
    """Fill an empty stream and compare it."""
    if not journal.empty():
        raise NOT_EMPTY(table=f"journal {name} (NATS)", count=journal.head())
    try:
        _fill(journal, source, tell)
        here, there = _sums(source), _sum(journal.rows())
    except Exception:
        journal.discard()
        raise
    if here != there:
        journal.discard()
        raise NOT_EQUAL(table="journal", here=here[0], there=there[0])
    return Moved("journal", *here)


def _fill(journal: NatsJournal, source: Path, tell: Tell) -> None:
    """Publish what is in the file, an entry a message, then take over all its other tables."""
    SqliteJournal(source).close()  # whichever program wrote it, it now has this one's columns
    with contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as file:
        for done, (*row, crc) in enumerate(file.execute("SELECT offset, kind, known, count, payload, crc FROM entry ORDER BY offset"), 1):
            if crc is not None and crc != seal(*row):
                raise DAMAGED(entry=row[0], path=source)
            journal.take(Group([(row[0], row[1], row[2], row[3], row[4])], [], [], [], [], []))
            if done % 1000 == 0:
                tell("journal", done)
    journal.adopt(source)


def _sums(source: Path, first: int = -1) -> tuple[int, str]:
    """Sum up a file's entries; of those, the `first` so many."""
    with contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as file:
        return _sum(file.execute("SELECT offset, kind, known, count, payload FROM entry ORDER BY offset LIMIT ?", (first,)))


def _sum(rows: Iterable[Any]) -> tuple[int, str]:
    """Count entries and hash them in their order."""
    held, count = hashlib.sha256(), 0
    for offset, kind, known, size, content, *_ in rows:
        held.update(f"{offset} {kind} {known} {size} ".encode() + (content or b""))
        count += 1
    return count, held.hexdigest()
