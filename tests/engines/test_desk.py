"""The desk's port on SQLite and on PostgreSQL: many commands to a commit, each undone alone, nothing acknowledged that is not on disk."""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import postgres
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from zhongshu.engines import one_writer
from zhongshu.engines.postgres_desk import PostgresDesk, PostgresReader
from zhongshu.engines.sqlite_desk import SqliteDesk
from zhongshu.kernel.problem import Problem

pytestmark = pytest.mark.port
STORES = {"sqlite": SqliteDesk, "postgresql": PostgresDesk}


@pytest.fixture(params=STORES)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Name a store and say where a new desk of it may stand."""
    where = str(tmp_path / "desk.sqlite") if request.param == "sqlite" else postgres.new_schema(request.getfixturevalue("postgresql"))
    return request.param, where


@pytest.fixture
def desk(address: tuple[str, str]) -> Iterator[Any]:
    store, where = address
    made = STORES[store](where)
    made.write(lambda c: c.execute(text("CREATE TABLE trial (n INTEGER PRIMARY KEY)")))
    yield made
    made.close()


@pytest.fixture
def again(address: tuple[str, str], desk: Any) -> Iterator[Callable[[], Any]]:
    """Return what opens the same desk once more, when its owner is gone."""
    opened: list[Any] = []

    def open_() -> Any:
        desk.close()
        opened.append(STORES[address[0]](address[1]))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


def put(n: int) -> Any:
    return lambda c: c.execute(text("INSERT INTO trial VALUES (:n)"), {"n": n}).rowcount


def numbers(desk: Any) -> list[int]:
    return desk.read(lambda c: list(c.execute(text("SELECT n FROM trial ORDER BY n")).scalars()))


def test_an_error_undoes_its_command_alone(desk: Any) -> None:
    gate = threading.Event()
    first = desk.submit(lambda _: gate.wait(5))  # holds the writer, so that the others share a commit
    futures = [desk.submit(put(n)) for n in (1, 2, 2, 3)]

    def half(c: Any) -> None:
        put(4)(c)
        raise ValueError

    broken = desk.submit(half)
    gate.set()
    assert first.result(5)
    assert [f.exception(5) is None for f in futures] == [True, True, False, True]
    assert isinstance(futures[2].exception(), IntegrityError)
    assert isinstance(broken.exception(5), ValueError)
    assert numbers(desk) == [1, 2, 3]


def test_many_commands_share_a_commit_and_none_is_told_before_it(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_writer, "SLICE", 60)
    gate, seen = threading.Event(), []
    first = desk.submit(lambda _: gate.wait(5))
    futures = [desk.submit(put(n)) for n in range(20)]
    last = desk.submit(lambda _: seen.append((futures[0].done(), numbers(desk))))
    gate.set()
    last.result(5)
    assert first.done()
    assert seen == [(False, [])], "nothing is told, and nothing seen by others, while the transaction is open"
    assert numbers(desk) == list(range(20))


def test_any_text_can_be_written(desk: Any) -> None:
    desk.write(lambda c: c.execute(text("CREATE TABLE said (words TEXT)")))
    for words in ("积水 🌧", "'; DROP TABLE said; --", "%s %(a)s :b", "\\u0000", "a\0b"):
        desk.write(lambda c, words=words: c.execute(text("INSERT INTO said VALUES (:w)"), {"w": words}))
        assert desk.read(lambda c, words=words: c.execute(text("SELECT count(*) FROM said WHERE words = :w"), {"w": words}).scalar_one()) == 1


GIVE_UP = {
    "sqlite": "INSERT OR ROLLBACK INTO trial VALUES (1)",
    "postgresql": "SELECT pg_terminate_backend(pg_backend_pid())",
}
"""What makes the store give up a whole transaction: a rollback of its own, or a connection that is cut."""


def test_the_writer_outlives_a_transaction_that_the_store_gave_up(desk: Any, address: tuple[str, str]) -> None:
    gate = threading.Event()
    desk.submit(lambda _: gate.wait(5))
    early = desk.submit(put(1))
    give_up = desk.submit(lambda c: c.execute(text(GIVE_UP[address[0]])))
    gate.set()
    assert isinstance(give_up.exception(5), DBAPIError)
    problem = early.exception(5)
    assert isinstance(problem, Problem)
    assert problem.kind.code == "desk.not_written"
    assert desk.write(put(1)) == 1


def test_a_desk_that_goes_away_and_comes_back_is_written_to_again(postgresql: str) -> None:
    where = postgres.new_schema(postgresql)
    desk = PostgresDesk(where)
    try:
        desk.write(lambda c: c.execute(text("CREATE TABLE trial (n INTEGER PRIMARY KEY)")))
        postgres.cut_off(postgresql)
        with pytest.raises(Problem, match=r"desk\.(not_written|in_doubt)"):
            desk.write(put(1))
        desk.write(put(2))
        assert numbers(desk) == [2]
    finally:
        desk.close()


def test_a_database_that_is_away_is_named_and_known_again(postgresql: str) -> None:
    where = postgres.new_database(postgresql)
    desk, reader = PostgresDesk(where), PostgresReader(where)
    try:
        postgres.close_door(postgresql, to=where)
        for each in (desk, reader):
            with pytest.raises(Problem, match=r"desk\.unreached"):
                each.read(lambda c: c.execute(text("SELECT 1")))
        postgres.open_door(postgresql, to=where)
        assert reader.read(lambda c: c.execute(text("SELECT 1")).scalar_one()) == 1
        with pytest.raises(ProgrammingError):
            desk.read(lambda c: c.execute(text("SELECT nothing_of_the_kind")))
    finally:
        desk.close()
        reader.close()


def test_a_desk_that_cannot_be_reached_says_why_in_both_languages(postgresql: str) -> None:
    absent = postgresql.rpartition("/")[0] + "/nowhere"
    for address, zh, en in (
        ("postgresql://zhongshu:secret@127.0.0.1:1/desk", "拒绝连接", "refused"),
        (absent, "没有 nowhere 这个库", "no database nowhere"),
        ("postgresql://zhongshu:secret@127.0.0.1:x/desk", "地址写错了", "secret"),
    ):
        for opened in (PostgresDesk, PostgresReader):
            with pytest.raises(Problem, match=r"desk\.unreached") as told:
                opened(address)
            assert zh in told.value.sentence("zh") and (en in told.value.sentence()) is (en != "secret")


def test_a_read_sees_one_moment_and_writes_nothing(desk: Any) -> None:
    desk.write(put(1))

    def twice(c: Any) -> tuple[int, int]:
        count = text("SELECT count(*) FROM trial")
        before = c.execute(count).scalar_one()
        desk.write(put(2))
        return before, c.execute(count).scalar_one()

    assert desk.read(twice) == (1, 1)
    with pytest.raises(DBAPIError, match=r"readonly|read-only"):
        desk.read(put(3))


def test_a_write_that_waits_for_a_write_is_refused(desk: Any) -> None:
    with pytest.raises(RuntimeError, match="pass the connection"):
        desk.write(lambda _: desk.write(put(1)))


def test_threads_count_to_a_thousand(desk: Any) -> None:
    desk.write(put(0))

    def work() -> None:
        for _ in range(125):
            desk.write(lambda c: c.execute(text("UPDATE trial SET n = n + 1")))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(desk) == [1000]


def test_a_full_queue_and_a_closed_desk_say_so(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_writer, "WAITING", 2)
    gate = threading.Event()
    held = desk.submit(lambda _: gate.wait(5))
    while not held.running():
        time.sleep(0.001)
    waiting = [desk.submit(lambda _: 7) for _ in range(2)]
    with pytest.raises(Problem, match=r"desk\.busy"):
        desk.submit(lambda _: None)
    threading.Timer(0.05, gate.set).start()
    desk.close()
    assert [future.result(0) for future in waiting] == [7, 7], "closing finishes what is queued"
    with pytest.raises(Problem, match=r"desk\.closed"):
        desk.submit(lambda _: None)
    desk.close()


def test_a_cancelled_command_is_not_run(desk: Any) -> None:
    gate = threading.Event()
    first = desk.submit(lambda _: gate.wait(5))
    while not first.running():
        time.sleep(0.001)
    second = desk.submit(put(1))
    assert second.cancel()
    gate.set()
    desk.write(put(2))
    assert numbers(desk) == [2]


def copied(address: tuple[str, str], path: Path) -> list[int]:
    """Return the numbers in a backup."""
    if address[0] == "sqlite":
        with contextlib.closing(sqlite3.connect(path)) as store:
            return [n for (n,) in store.execute("SELECT n FROM trial ORDER BY n")]
    shown = subprocess.run([postgres.program("pg_restore"), "--data-only", "--table=trial", "-f", "-", str(path)], check=True, capture_output=True, text=True).stdout
    return sorted(int(line) for line in shown.splitlines() if line.isdigit())


def test_a_backup_taken_while_writing_is_whole(desk: Any, address: tuple[str, str], tmp_path: Path) -> None:
    stop = threading.Event()
    done: list[int] = []

    def work() -> None:
        while not stop.is_set():
            desk.write(put(len(done)))
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    while len(done) < 20:
        time.sleep(0.001)
    at_least = len(done)
    desk.backup(str(tmp_path / "copy"))
    stop.set()
    thread.join()
    found = copied(address, tmp_path / "copy")
    assert found == list(range(len(found)))
    assert at_least <= len(found) <= len(done) + 1
    assert not list(tmp_path.glob("*.part"))


_CHILD = """
import sys
from sqlalchemy import text
from zhongshu.engines.{module} import {kind}
desk = {kind}(sys.argv[1])
n = 0
while True:
    futures = [desk.submit(lambda c, n=n + i: c.execute(text("INSERT INTO trial VALUES (:n)"), {{"n": n}})) for i in range(7)]
    n += 7
    for i, future in enumerate(futures):
        future.result()
        print(n - 7 + i, flush=True)
"""


def test_what_was_acknowledged_is_there_after_a_kill(desk: Any, address: tuple[str, str], again: Callable[[], Any]) -> None:
    desk.close()
    kind = STORES[address[0]]
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD.format(module=kind.__module__.rpartition(".")[2], kind=kind.__name__), address[1]],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    told = [int(child.stdout.readline()) for _ in range(200)]
    child.send_signal(signal.SIGKILL)
    told += [int(line) for line in child.stdout.read().split("\n") if line.strip().isdigit()]
    child.wait()
    child.stdout.close()
    found = numbers(again())
    assert told == list(range(len(told)))
    assert found[: len(told)] == told
    assert len(found) <= len(told) + 7, "nothing is there that was not sent"
