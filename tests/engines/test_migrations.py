"""The desk's form: numbered files that make what the tables declare, on SQLite and on PostgreSQL."""

import sqlite3
from pathlib import Path
from typing import Any

import postgres
import pytest
from sqlalchemy import JSON, Boolean, create_engine, inspect, make_url, text

from zhongshu.act.tables import ACT
from zhongshu.engines import migrations
from zhongshu.engines.postgres_desk import PostgresDesk, _for_program
from zhongshu.engines.sqlite_desk import SqliteDesk
from zhongshu.foresee.tables import metadata as foreseen
from zhongshu.kernel.problem import Problem


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


@pytest.fixture
def both(tmp_path: Path, postgresql: str) -> Any:
    """Open a desk of each store."""
    desks = SqliteDesk(tmp_path / "desk.sqlite"), PostgresDesk(postgres.new_schema(postgresql))
    yield desks
    for desk in desks:
        desk.close()


SAME = {"BIGINT": "INTEGER", "IDENTITY": "INTEGER", "BOOLEAN": "INTEGER", "JSON": "TEXT", "DOUBLE PRECISION": "REAL", "DOUBLE_PRECISION": "REAL"}


INDEXES = {
    "sqlite": "SELECT tbl_name, name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite_%'",
    "postgresql": "SELECT tablename, indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexname NOT IN (SELECT conname FROM pg_constraint)",
}


def looks(connection: Any) -> dict[str, Any]:
    """Return every table's columns, keys and named indexes as the store itself tells of them."""
    seen = inspect(connection)
    schema = None if connection.dialect.name == "sqlite" else connection.exec_driver_sql("SELECT current_schema()").scalar_one()
    named = connection.execute(text(INDEXES[connection.dialect.name])).all()
    made = {}
    for table in sorted(seen.get_table_names(schema)):
        keys = set(seen.get_pk_constraint(table, schema)["constrained_columns"])
        columns = {c["name"]: (SAME.get(kind := str(c["type"]).split(" COLLATE")[0], kind), c["nullable"] and c["name"] not in keys) for c in seen.get_columns(table, schema)}
        made[table] = columns, keys, {name for of, name in named if of == table}
    return made


def test_both_stores_have_the_same_form(both: tuple[Any, Any]) -> None:
    by_sqlite, by_postgresql = (desk.read(looks) for desk in both)
    assert set(by_sqlite) > set(ACT.tables)
    for table in by_sqlite | by_postgresql:
        assert by_postgresql[table] == by_sqlite[table], table


def test_what_the_tables_call_yes_or_no_or_a_document_is_one_in_postgresql(both: tuple[Any, Any]) -> None:
    rows = both[1].read(lambda c: c.execute(text("SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema()")).all())
    kinds = {(table, column): kind for table, column, kind in rows}
    declared = {(t.name, c.name): {JSON: "json", Boolean: "boolean"}.get(type(c.type)) for t in (*ACT.tables.values(), *foreseen.tables.values()) for c in t.columns}
    assert {key: kind for key, kind in kinds.items() if kind in {"json", "boolean"}} == {key: kind for key, kind in declared.items() if kind}


def test_text_sorts_by_its_bytes_in_both(both: tuple[Any, Any]) -> None:
    words = ["b", "A", "a", "B", "Ä", "中", "_", "-", " ", "ß", "z"]
    for desk in both:
        desk.write(lambda c: [c.execute(text("INSERT INTO serial VALUES (:w, '', 0)"), {"w": word}) for word in words])
    assert [desk.read(lambda c: c.execute(text("SELECT prefix FROM serial ORDER BY prefix")).scalars().all()) for desk in both] == [sorted(words, key=lambda w: w.encode())] * 2


def test_a_desk_of_a_newer_form_is_refused_and_a_second_owner_too(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zhongshu.engines.postgres_desk.PATIENCE", 0.3)
    where = postgres.new_schema(postgresql)
    desk = PostgresDesk(where)
    with pytest.raises(Problem, match=r"desk\.owned"):
        PostgresDesk(where)
    desk.write(lambda c: c.execute(text("INSERT INTO migration VALUES (9999, 'later', 0)")))
    desk.close()
    with pytest.raises(Problem, match=r"desk\.newer"):
        PostgresDesk(where)


def test_a_desk_that_cannot_be_reached_or_would_lose_what_it_acknowledged_is_refused(postgresql: str) -> None:
    with pytest.raises(Problem, match=r"desk\.unreached") as caught:
        PostgresDesk("postgresql://someone:secret-word@127.0.0.1:1/city")
    assert "secret-word" not in caught.value.sentence("en")
    with pytest.raises(Problem, match=r"desk\.unreached"):
        PostgresDesk("not an address")
    with pytest.raises(Problem, match=r"desk\.not_durable"):
        PostgresDesk(postgres.new_schema(postgresql) + "%20-csynchronous_commit%3Doff")


def test_a_password_is_on_no_command_line() -> None:
    address, secret = _for_program(make_url("postgresql+psycopg://u:s3cret@127.0.0.1:5433/d?options=-csearch_path%3Dx"))
    assert "s3cret" not in address and secret is not None and secret["PGPASSWORD"] == "s3cret"
    assert address.startswith("postgresql://u@127.0.0.1:5433/d?options=")
    assert _for_program(make_url("postgresql://u@127.0.0.1/d")) == ("postgresql://u@127.0.0.1/d", None)
