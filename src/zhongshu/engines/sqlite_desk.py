"""The desk on SQLite: one writer thread, one transaction at a time, many commands to a commit; readers on connections of their own.

A write is acknowledged only when it is on disk (WAL, synchronous=FULL). It knows no table of any stage: it runs work, and migrates.
"""

import json
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event

from zhongshu.engines.migrations import copy_store, migrate
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.reason import why

NOT_WRITTEN = declare(
    "desk.not_written",
    "unavailable",
    zh=("业务库没有写成：{why_zh}。", "什么都没有改变。请检查磁盘，然后重试。"),
    en=("The desk could not write: {why_en}.", "Nothing was changed. Check the disk, then try again."),
)
BUSY = declare(
    "desk.busy",
    "busy",
    zh=("业务库有 {waiting} 条命令在排队。", "请稍后重试。"),
    en=("{waiting} commands are waiting at the desk.", "Try again in a moment."),
)
CLOSED = declare(
    "desk.closed",
    "unavailable",
    zh=("业务库已经关闭。", "请等服务重新启动后再试。"),
    en=("The desk is closed.", "Try again when the service has started."),
)

GROUP = 256
"""At most so many commands share a commit."""
SLICE = 0.05
"""A transaction takes no new command after so many seconds."""
WAITING = 20_000
"""Beyond so many waiting commands new ones are refused."""
READERS = 8
"""So many reads run at once; more wait."""

T = TypeVar("T")


@dataclass(slots=True)
class _Command:
    work: Callable[[Any], Any]
    future: "Future[Any]"
    result: Any = None
    error: BaseException | None = None


class SqliteDesk:
    """`zhongshu.kernel.desk.Desk` in one file. Opening migrates an older file (after a copy) and refuses a newer one."""

    def __init__(self, path: str | Path) -> None:
        """Open or make the file; raises `desk.newer`, `desk.unreadable`."""
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        migrate(self.path)
        self._writer = _engine(self.path, 1, query_only=False)
        self._readers = _engine(self.path, READERS, query_only=True)
        self._queue: queue.SimpleQueue[_Command | None] = queue.SimpleQueue()
        self._closed = False
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Any], T]) -> "Future[T]":
        """Queue a write; the future is done when it is durable, or holds what undid it alone. Raises `desk.busy`, `desk.closed`."""
        future: Future[T] = Future()
        with self._gate:
            if self._closed:
                raise CLOSED()
            if (waiting := self._queue.qsize()) >= WAITING:
                raise BUSY(waiting=waiting)
            self._queue.put(_Command(work, future))
        return future

    def write(self, work: Callable[[Any], T]) -> T:
        """Queue a write and wait until it is durable; raises what undid it."""
        if threading.current_thread() is self._thread:
            message = "a write cannot wait for another write: pass the connection on instead"
            raise RuntimeError(message)
        return self.submit(work).result()

    def read(self, work: Callable[[Any], T]) -> T:
        """Run a read on a connection of its own; all it reads is of one moment."""
        with self._readers.begin() as connection:
            _raw(connection).execute("BEGIN")
            connection.info.clear()
            return work(connection)

    def backup(self, path: str) -> None:
        """Copy the store, as it is at one moment, to a file; it appears whole, checked and on disk, or not at all."""
        copy_store(self.path, Path(path))

    def close(self) -> None:
        """Finish what is queued and close. Closing twice is harmless."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()
        self._readers.dispose()
        self._writer.dispose()

    def _run(self) -> None:
        with self._writer.connect() as connection:
            while (first := self._queue.get()) is not None:
                if not self._group(connection, first):
                    return

    def _group(self, connection: Connection, first: _Command) -> bool:
        """Run what is waiting in one transaction, tell everyone only after the commit, and return whether more may come."""
        group: list[_Command] = []
        command: _Command | None = first
        until = time.monotonic() + SLICE
        try:
            with connection.begin():
                _raw(connection).execute("BEGIN IMMEDIATE")
                while command is not None:
                    if command.future.set_running_or_notify_cancel():
                        group.append(command)
                        _run_alone(connection, command)
                    if len(group) >= GROUP or time.monotonic() > until or self._queue.empty():
                        break
                    command = self._queue.get()
        except BaseException as error:  # noqa: BLE001 (the writer outlives anything; whoever waits is told)
            for undone in group:
                undone.error = undone.error or _problem(error)
        for done in group:
            if done.error is None:
                done.future.set_result(done.result)
            else:
                done.future.set_exception(done.error)
        return command is not None


def _run_alone(connection: Connection, command: _Command) -> None:
    """Run one command in a savepoint: an error undoes it alone, unless the store itself gave up the whole transaction."""
    raw = _raw(connection)
    raw.execute("SAVEPOINT command")
    connection.info.clear()
    try:
        command.result = command.work(connection)
    except BaseException as error:  # whatever it is, it belongs to whoever sent the command
        command.error = error
        if not raw.in_transaction:
            raise
        raw.execute("ROLLBACK TO command")
    raw.execute("RELEASE command")


def _raw(connection: Connection) -> Any:  # noqa: ANN401 (the driver's own connection)
    """Return the driver's connection: transactions are begun on it, since a listener for that would slow down every statement."""
    return connection.connection.driver_connection


def _problem(error: BaseException) -> BaseException:
    return error if isinstance(error, Problem) else NOT_WRITTEN(**why(error, "库没有接受这次写入"))


def _engine(path: Path, connections: int, *, query_only: bool) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=30,
        connect_args={"timeout": 30, "check_same_thread": False},
        json_serializer=partial(json.dumps, ensure_ascii=False, separators=(",", ":"), sort_keys=True),
    )

    @event.listens_for(engine, "connect")
    def connected(raw: Any, _record: object) -> None:  # noqa: ANN401 (the driver's own connection)
        raw.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=4000", f"query_only={int(query_only)}"):
            raw.execute(f"PRAGMA {pragma}")

    return engine
