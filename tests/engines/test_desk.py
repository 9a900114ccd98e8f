"""The desk's port on SQLite: many commands to a commit, each undone alone, nothing acknowledged that is not on disk."""

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError, OperationalError

from zhongshu.act.tables import ACT
from zhongshu.engines import migrations, sqlite_desk
from zhongshu.engines.sqlite_desk import SqliteDesk
from zhongshu.kernel.problem import Problem


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[SqliteDesk]:
    made = SqliteDesk(tmp_path / "desk.sqlite")
    made.write(lambda c: c.execute(text("CREATE TABLE trial (n INTEGER PRIMARY KEY)")))
    yield made
    made.close()


def put(n: int) -> Any:
    return lambda c: c.execute(text("INSERT INTO trial VALUES (:n)"), {"n": n}).rowcount


def numbers(desk: SqliteDesk) -> list[int]:
    return desk.read(lambda c: list(c.execute(text("SELECT n FROM trial ORDER BY n")).scalars()))


def test_an_error_undoes_its_command_alone(desk: SqliteDesk) -> None:
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


def test_many_commands_share_a_commit_and_none_is_told_before_it(desk: SqliteDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_desk, "SLICE", 60)
    gate, seen = threading.Event(), []
    first = desk.submit(lambda _: gate.wait(5))
    futures = [desk.submit(put(n)) for n in range(20)]
    last = desk.submit(lambda _: seen.append((futures[0].done(), numbers(desk))))
    gate.set()
    last.result(5)
    assert first.done()
    assert seen == [(False, [])], "nothing is told, and nothing seen by others, while the transaction is open"
    assert numbers(desk) == list(range(20))


def test_the_writer_outlives_a_transaction_that_the_store_gave_up(desk: SqliteDesk) -> None:
    gate = threading.Event()
    desk.submit(lambda _: gate.wait(5))
    early = desk.submit(put(1))
    give_up = desk.submit(lambda c: c.execute(text("INSERT OR ROLLBACK INTO trial VALUES (1)")))
    gate.set()
    assert isinstance(give_up.exception(5), IntegrityError)
    problem = early.exception(5)
    assert isinstance(problem, Problem)
    assert problem.kind.code == "desk.not_written"
    assert desk.write(put(1)) == 1


def test_a_read_sees_one_moment_and_writes_nothing(desk: SqliteDesk) -> None:
    desk.write(put(1))

    def twice(c: Any) -> tuple[int, int]:
        count = text("SELECT count(*) FROM trial")
        before = c.execute(count).scalar_one()
        desk.write(put(2))
        return before, c.execute(count).scalar_one()

    assert desk.read(twice) == (1, 1)
    with pytest.raises(OperationalError, match=r"readonly|read-only"):
        desk.read(put(3))


def test_a_write_that_waits_for_a_write_is_refused(desk: SqliteDesk) -> None:
    with pytest.raises(RuntimeError, match="pass the connection"):
        desk.write(lambda _: desk.write(put(1)))


def test_threads_count_to_a_thousand(desk: SqliteDesk) -> None:
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


def test_a_full_queue_and_a_closed_desk_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_desk, "WAITING", 2)
    desk = SqliteDesk(tmp_path / "d.sqlite")
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


def test_a_cancelled_command_is_not_run(desk: SqliteDesk) -> None:
    gate = threading.Event()
    first = desk.submit(lambda _: gate.wait(5))
    while not first.running():
        time.sleep(0.001)
    second = desk.submit(put(1))
    assert second.cancel()
    gate.set()
    desk.write(put(2))
    assert numbers(desk) == [2]


def test_a_backup_taken_while_writing_is_whole(desk: SqliteDesk, tmp_path: Path) -> None:
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
    desk.backup(str(tmp_path / "copy.sqlite"))
    stop.set()
    thread.join()
    copied = SqliteDesk(tmp_path / "copy.sqlite")
    found = numbers(copied)
    copied.close()
    assert found == list(range(len(found)))
    assert at_least <= len(found) <= len(done) + 1
    assert not list(tmp_path.glob("*.part"))


_CHILD = """
import sys
from sqlalchemy import text
from zhongshu.engines.sqlite_desk import SqliteDesk
desk = SqliteDesk(sys.argv[1])
n = 0
while True:
    futures = [desk.submit(lambda c, n=n + i: c.execute(text("INSERT INTO trial VALUES (:n)"), {"n": n})) for i in range(7)]
    n += 7
    for i, future in enumerate(futures):
        future.result()
        print(n - 7 + i, flush=True)
"""


def test_what_was_acknowledged_is_there_after_a_kill(desk: SqliteDesk, tmp_path: Path) -> None:
    desk.close()
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(tmp_path / "desk.sqlite")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    told = [int(child.stdout.readline()) for _ in range(200)]
    child.send_signal(signal.SIGKILL)
    told += [int(line) for line in child.stdout.read().split("\n") if line.strip().isdigit()]
    child.wait()
    child.stdout.close()
    again = SqliteDesk(tmp_path / "desk.sqlite")
    found = numbers(again)
    again.close()
    assert told == list(range(len(told)))
    assert found[: len(told)] == told
    assert len(found) <= len(told) + 7, "nothing is there that was not sent"


def test_migrations_count_to_head() -> None:
    rows = migrations.migrations()
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert all(sqlite3.complete_statement(row.text) for row in rows)


def form(store: sqlite3.Connection, table: str) -> tuple[Any, ...]:
    same = {"BIGINT": "INTEGER", "BOOLEAN": "INTEGER", "JSON": "TEXT", "VARCHAR": "TEXT"}
    columns = [(name, same.get(kind, kind), bool(need or key), key) for _, name, kind, need, _, key in store.execute(f"PRAGMA table_info({table})")]
    indexes = set()
    for _, name, unique, origin, _ in store.execute(f"PRAGMA index_list({table})"):
        inside = tuple(row[2] for row in store.execute(f"PRAGMA index_info({name})"))
        indexes.add((None if origin == "pk" else name, unique, inside))
    return columns, indexes


def test_the_migrations_make_what_the_tables_declare(tmp_path: Path) -> None:
    migrations.migrate(tmp_path / "by_migration.sqlite")
    engine = create_engine(f"sqlite:///{tmp_path / 'by_table.sqlite'}")
    ACT.create_all(engine)
    engine.dispose()
    made, declared = sqlite3.connect(tmp_path / "by_migration.sqlite"), sqlite3.connect(tmp_path / "by_table.sqlite")
    for table in ACT.tables:
        assert form(made, table) == form(declared, table), table
    made.close()
    declared.close()


def test_an_older_desk_is_migrated_after_a_copy_and_a_newer_one_refused(tmp_path: Path) -> None:
    folder, store = tmp_path / "m", tmp_path / "s.sqlite"
    folder.mkdir()
    (folder / "0001_a.sql").write_text("CREATE TABLE a (x INTEGER);\nINSERT INTO a VALUES (1);\n")
    (folder / "HEAD").write_text("0001\n")
    assert migrations.migrate(store, folder) == 1
    (folder / "0002_b.sql").write_text("ALTER TABLE a ADD COLUMN y TEXT;\nCREATE TRIGGER t BEFORE DELETE ON a BEGIN\n  SELECT 1;\n  SELECT 2;\nEND;\n")
    with pytest.raises(ValueError, match="HEAD"):
        migrations.migrate(store, folder)
    (folder / "HEAD").write_text("0002\n")
    assert migrations.migrate(store, folder) == 2
    old, new = sqlite3.connect(tmp_path / "s.sqlite.form-0001"), sqlite3.connect(store)
    assert old.execute("SELECT * FROM a").fetchall() == [(1,)]
    assert new.execute("SELECT * FROM a").fetchall() == [(1, None)]
    old.close()
    new.close()
    (folder / "0002_b.sql").unlink()
    (folder / "HEAD").write_text("0001\n")
    with pytest.raises(Problem, match=r"desk\.newer"):
        migrations.migrate(store, folder)


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    folder, store = tmp_path / "m", tmp_path / "s.sqlite"
    folder.mkdir()
    (folder / "0001_a.sql").write_text("CREATE TABLE a (x INTEGER);\nCREATE TABLE a (y INTEGER);\n")
    (folder / "HEAD").write_text("1")
    with pytest.raises(Problem, match=r"desk\.unreadable"):
        migrations.migrate(store, folder)
    found = sqlite3.connect(store)
    assert found.execute("SELECT name FROM sqlite_master").fetchall() == []
    found.close()


def test_a_file_that_is_no_desk_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "d.sqlite").write_bytes(b"not a database at all, but long enough to look like something" * 20)
    with pytest.raises(Problem, match=r"desk\.unreadable"):
        SqliteDesk(tmp_path / "d.sqlite")
