"""A desk in memory, made by the desk's own migrations, so that these tests need no engine."""

import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import pytest
from argon2 import PasswordHasher
from sqlalchemy import create_engine, event
from sqlalchemy.pool import QueuePool

import zhongshu
from zhongshu.govern import Identity, Ledger
from zhongshu.kernel.clock import FrozenClock

T = TypeVar("T")
MIGRATION = Path(zhongshu.__file__).parent / "engines" / "migrations" / "0002_govern.sql"
NOW = 1_800_000_000_000_000


class SmallDesk:
    """The kernel's Desk with one writing thread; `together` works share a commit, each in a savepoint."""

    def __init__(self, path: Path, together: int = 15) -> None:
        self.engine = create_engine(f"sqlite:///{path}", poolclass=QueuePool, pool_size=5)
        event.listen(self.engine, "connect", _prepare)
        event.listen(self.engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN"))
        self.together = together
        self.broken: Exception | None = None
        self._queue: queue.Queue[tuple[Callable[[Any], Any], Future[Any]] | None] = queue.Queue()
        with sqlite3.connect(path) as raw:
            raw.executescript(MIGRATION.read_text(encoding="utf-8"))
        raw.close()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Any], T]) -> "Future[T]":
        future: Future[T] = Future()
        self._queue.put((work, future))
        return future

    def write(self, work: Callable[[Any], T]) -> T:
        assert threading.current_thread() is not self._thread
        return self.submit(work).result(20)

    def read(self, work: Callable[[Any], T]) -> T:
        with self.engine.connect() as conn, conn.begin():
            return work(conn)

    def backup(self, path: str) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join(20)
        self.engine.dispose()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            while len(group) < self.together and not self._queue.empty() and self._queue.queue[0] is not None:
                group += filter(None, [self._queue.get()])
            self._settle(group)

    def _settle(self, group: list[tuple[Callable[[Any], Any], Future[Any]]]) -> None:
        outcomes: list[tuple[Any, BaseException | None]] = []
        with self.engine.connect() as conn:
            outer = conn.begin()
            for work, _ in group:
                inner = conn.begin_nested()
                try:
                    outcomes.append((work(conn), None))
                    inner.commit()
                except Exception as error:
                    inner.rollback()
                    outcomes.append((None, error))
            if self.broken:
                outer.rollback()
                outcomes = [(None, self.broken)] * len(group)
            else:
                outer.commit()
        for (_, future), (result, undone) in zip(group, outcomes, strict=True):
            if undone is None:
                future.set_result(result)
            else:
                future.set_exception(undone)


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


@pytest.fixture(scope="session")
def make_desk() -> Callable[[Path], SmallDesk]:
    return SmallDesk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[SmallDesk]:
    made = SmallDesk(tmp_path / "desk.sqlite")
    yield made
    made.close()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def ledger(desk: SmallDesk, clock: FrozenClock, tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(desk, tmp_path / "ledger.anchor", clock=clock, delay=60)
    yield made
    made.close()


@pytest.fixture(scope="session")
def hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def identity(desk: SmallDesk, ledger: Ledger, clock: FrozenClock, hasher: PasswordHasher) -> Identity:
    return Identity(desk, ledger, loopback=True, clock=clock, demo_password="yunting-demo", hasher=hasher)
