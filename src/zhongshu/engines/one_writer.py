"""The desk's one writer, for every store: a thread that runs what is queued, many commands to a commit, each undone alone.

Nobody is told before the commit is durable. Knows no table of any stage and no store's dialect: a store says how a group begins.
"""

import json
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

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

as_text = partial(json.dumps, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
"""How a document is written into a column: the same bytes in every store."""

T = TypeVar("T")


@dataclass(slots=True)
class _Command:
    work: Callable[[Any], Any]
    future: "Future[Any]"
    result: Any = None
    error: BaseException | None = None


class OneWriter:
    """What `zhongshu.kernel.desk.Desk` promises of writing. A store's own class makes the engine and says `_begin` and `_whole`."""

    def __init__(self, writer: Engine, readers: Engine) -> None:
        """Start the writer's thread on an engine of one connection; reads come from the other."""
        self._writer, self._readers = writer, readers
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
            self._look(connection)
            connection.info.clear()
            return work(connection)

    def waiting(self) -> int:
        """Return how many commands wait."""
        return self._queue.qsize()

    def close(self) -> None:
        """Finish what is queued and close. Closing twice is harmless."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()
        self._readers.dispose()
        self._writer.dispose()

    # what a store says

    def _look(self, connection: Connection) -> None:
        """Begin a read."""
        raise NotImplementedError

    def _begin(self, connection: Connection) -> None:
        """Begin a group's transaction; raise where this writer may not write."""
        raise NotImplementedError

    def _whole(self, connection: Connection) -> bool:
        """Tell whether the transaction still stands after a command that failed."""
        raise NotImplementedError

    def _lost(self, _connection: Connection) -> bool:
        """Tell whether the connection is gone, so that the next group needs another."""
        return False

    def _uncommitted(self, error: BaseException) -> BaseException:
        """Say what a commit that failed means for those whose commands were in it."""
        return _problem(error)

    # the writer's thread

    def _run(self) -> None:
        command: _Command | None = None
        while command is not None or (command := self._queue.get()) is not None:
            if not self._connected(command):
                return
            command = None

    def _connected(self, command: _Command) -> bool:
        """Run groups on one connection for as long as it lasts; return whether more may come."""
        first: _Command | None = command
        try:
            connection = self._writer.connect()
        except BaseException as error:  # noqa: BLE001 (the writer outlives anything; whoever waits is told)
            if command.future.set_running_or_notify_cancel():
                command.future.set_exception(_problem(error))
            return True
        with connection:
            while first is not None:
                if not self._group(connection, first):
                    return False
                if self._lost(connection):
                    connection.invalidate()
                    return True
                first = self._queue.get()
        return False

    def _group(self, connection: Connection, first: _Command) -> bool:
        """Run what is waiting in one transaction, tell everyone only after the commit, and return whether more may come."""
        group: list[_Command] = []
        command: _Command | None = first
        until, said = time.monotonic() + SLICE, _problem
        try:
            with connection.begin():
                self._begin(connection)
                while command is not None:
                    if command.future.set_running_or_notify_cancel():
                        group.append(command)
                        self._run_alone(connection, command)
                    if len(group) >= GROUP or time.monotonic() > until or self._queue.empty():
                        break
                    command = self._queue.get()
                said = self._uncommitted
        except BaseException as error:  # noqa: BLE001 (the writer outlives anything; whoever waits is told)
            if not group and command is not None and command.future.set_running_or_notify_cancel():
                group.append(command)
            for undone in group:
                undone.error = undone.error or said(error)
        for done in group:
            if done.error is None:
                done.future.set_result(done.result)
            else:
                done.future.set_exception(done.error)
        return command is not None

    def _run_alone(self, connection: Connection, command: _Command) -> None:
        """Run one command in a savepoint: an error undoes it alone, unless the store itself gave up the whole transaction."""
        execute = raw(connection).execute
        execute("SAVEPOINT command")
        connection.info.clear()
        try:
            command.result = command.work(connection)
        except BaseException as error:  # whatever it is, it belongs to whoever sent the command
            command.error = error
            if not self._whole(connection):
                raise
            execute("ROLLBACK TO command")
        execute("RELEASE command")


def raw(connection: Connection) -> Any:  # noqa: ANN401 (the driver's own connection)
    """Return the driver's connection: transactions are begun on it, since a listener for that would slow down every statement."""
    return connection.connection.driver_connection


def _problem(error: BaseException) -> BaseException:
    return error if isinstance(error, Problem) else NOT_WRITTEN(**why(error, "库没有接受这次写入"))
