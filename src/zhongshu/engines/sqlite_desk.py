"""The desk on SQLite: one writer thread, one transaction at a time, many commands to a commit; readers on connections of their own.

A write is acknowledged only when it is on disk (WAL, synchronous=FULL). It knows no table of any stage: it runs work, and migrates.
"""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event

from zhongshu.engines.migrations import copy_store, migrate
from zhongshu.engines.migrations.postgresql import DOCUMENTS
from zhongshu.engines.one_writer import READERS, OneWriter, as_text, raw
from zhongshu.engines.sqlite_whole import faults, unread
from zhongshu.kernel.problem import declare

DAMAGED = declare(
    "desk.damaged",
    "unavailable",
    zh=("业务库文件 {path} 里有内容已损坏，读不出来。", "请保留这个文件，运行 zhongshu verify：它会指出是哪张表的哪一行；再从备份恢复。"),
    en=("Something in the desk's file {path} is damaged and cannot be read.", "Keep the file and run `zhongshu verify`: it names table and row; then restore a backup."),
)
_SAID = ("Could not decode to UTF-8", "malformed")
"""How SQLite and its driver say that what is stored is damaged."""


class SqliteDesk(OneWriter):
    """`zhongshu.kernel.desk.Desk` in one file. Opening migrates an older file (after a copy) and refuses a newer one."""

    def __init__(self, path: str | Path) -> None:
        """Open or make the file; raises `desk.newer`, `desk.unreadable`."""
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        migrate(self.path)
        super().__init__(_engine(self.path, 1, query_only=False), _engine(self.path, READERS, query_only=True))

    def backup(self, path: str) -> None:
        """Copy the store, as it is at one moment, to a file; it appears whole, checked and on disk, or not at all."""
        copy_store(self.path, Path(path))

    def verify(self) -> list[str]:
        """Read the file through; return what is not whole."""
        return faults(self.path) + unread(self.path, DOCUMENTS)

    def _look(self, connection: Connection) -> None:
        raw(connection).execute("BEGIN")

    def _begin(self, connection: Connection) -> None:
        raw(connection).execute("BEGIN IMMEDIATE")

    def _whole(self, connection: Connection) -> bool:
        return bool(raw(connection).in_transaction)


def _engine(path: Path, connections: int, *, query_only: bool) -> Engine:
    def read_json(held: str) -> Any:  # noqa: ANN401 (what the document holds)
        try:
            return json.loads(held)
        except ValueError:
            raise DAMAGED(path=path) from None

    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=30,
        connect_args={"timeout": 30, "check_same_thread": False},
        json_serializer=as_text,
        json_deserializer=read_json,
    )

    @event.listens_for(engine, "handle_error")
    def failed(context: ExceptionContext) -> None:
        if any(words in str(context.original_exception) for words in _SAID):
            raise DAMAGED(path=path) from None  # without what the driver says: it tells what is stored

    @event.listens_for(engine, "connect")
    def connected(raw: Any, _record: object) -> None:  # noqa: ANN401 (the driver's own connection)
        raw.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=4000", f"query_only={int(query_only)}"):
            raw.execute(f"PRAGMA {pragma}")

    return engine
