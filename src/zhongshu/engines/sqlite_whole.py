"""Whether a SQLite file is whole: every page, every index against its table, every text and document. It changes nothing, and never tells what is stored."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

MOST = 20
"""So many faults are told; more tell no more."""


def faults(path: Path) -> list[str]:
    """Read a file through; return what is not whole, one sentence each."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as store:
            told = [str(row[0]) for row in store.execute(f"PRAGMA integrity_check({MOST})")]
    except (sqlite3.Error, UnicodeDecodeError) as error:  # what SQLite says of a damaged file may itself be no text
        told = [str(error)]
    return [f"{path.name}: {line}" for line in told if line != "ok"]


def unread(path: Path, documents: Mapping[str, set[str]]) -> list[str]:
    """Read every row through; return those with a text that is no UTF-8, or in a column of `documents` no JSON, by table, row and column."""
    told: list[str] = []
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as store:
            store.text_factory = bytes
            for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
                told += _unread(store, name.decode(), documents.get(name.decode(), set()))
    except (sqlite3.Error, ValueError):
        told.append("the names of its tables cannot be read")
    return [f"{path.name}: {line}" for line in told[:MOST]]


def _unread(store: sqlite3.Connection, table: str, documents: set[str]) -> Iterator[str]:
    columns = [(name, _json if name in documents else bytes.decode) for name in _names(store, table)]
    row = 0
    try:
        for row, *values in store.execute(f'SELECT rowid, * FROM "{table}"'):
            for (column, read), value in zip(columns, values, strict=True):
                if isinstance(value, bytes) and not _can(read, value):
                    yield f"table {table}, row {row}: {column} cannot be read"
    except (sqlite3.Error, UnicodeDecodeError):
        yield f"table {table}: what follows row {row} cannot be read"


def _names(store: sqlite3.Connection, table: str) -> list[str]:
    return [name.decode() for _, name, *_ in store.execute(f'PRAGMA table_info("{table}")')]


def _json(held: bytes) -> None:
    json.loads(held.decode())


def _can(read: Callable[[bytes], object], value: bytes) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True
