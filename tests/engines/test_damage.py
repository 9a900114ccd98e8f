"""Bytes that the disk changed: whatever they are, what reads them says whole and is right, or names what is not; never a traceback."""

import json
import os
import random
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, text

from zhongshu.act.tables import duty_row
from zhongshu.engines.ducklake import DuckLake
from zhongshu.engines.parquet_files import sums
from zhongshu.engines.sqlite_desk import SqliteDesk
from zhongshu.engines.sqlite_journal import SqliteJournal
from zhongshu.govern import Ledger, verify
from zhongshu.kernel.journal import Batch
from zhongshu.kernel.problem import Problem
from zhongshu.kernel.reading import Flag, Readings

pytestmark = pytest.mark.port
T0 = 1_700_000_000_000_000
LATEST = "SELECT source, entity, property, max(valid) AS high FROM versions GROUP BY ALL ORDER BY ALL"
Whole = tuple[DuckLake, Path, bytes, dict[str, pa.Table]]
harms = st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255), st.sampled_from([1, 8]))


def flip(path: Path, whole: bytes, harm: tuple[float, int, int]) -> None:
    """Write a file with some bytes changed, from a place in it on."""
    where, mask, width = harm
    at = int(where * len(whole))
    path.write_bytes(whole[:at] + bytes(b ^ mask for b in whole[at : at + width]) + whole[at + width :])


def readings(offset: int, flags: int = 0) -> Readings:
    n, draw = 60, random.Random(offset)
    z = np.zeros(n, np.int32)
    ticks = np.array([draw.randrange(10**6) for _ in range(n)], np.int64)
    return Readings(
        ["s"], ["a", "b"], ["A.x", "A.y"], ["m"], z, z + np.arange(n) % 2, z, z + 1, T0 + np.arange(n) * 1000, ticks, z + flags, ticks / 7, z - 1, offset=offset, known=T0 + offset
    )


def warehouse(folder: Path, flags: int = 0) -> tuple[DuckLake, Path]:
    lake = DuckLake(folder, memory="500MB")
    for offset in (1, 2):
        lake.show(readings(offset, flags).table(), offset)
        lake.commit()
    return lake, Path(sorted(lake.files())[1])


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    held, path = warehouse(tmp_path_factory.mktemp("damage") / "lake")
    held._db.execute("SET enable_external_file_cache = false")
    return held, path, path.read_bytes(), {ask: held.query(ask) for ask in (LATEST, f"SELECT * FROM readings WHERE valid > {T0} AND property = 'A.x' ORDER BY ALL")}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(harm=harms)
def test_a_damaged_file_is_named_or_gives_what_was_committed_and_is_written_anew(lake: Whole, harm: tuple[float, int, int]) -> None:
    held, path, whole, right = lake
    flip(path, whole, harm)
    try:
        wrong = held.verify()
        assert not wrong or any(path.name in line for line in wrong)
        for ask in right:
            try:
                found = held.query(ask)
            except Problem as told:
                assert wrong and told.kind.code == "lake.damaged"
            else:
                path.write_bytes(whole)
                assert wrong or found.equals(held.query(ask)), "what is called whole is what was committed"
                flip(path, whole, harm)
        mended = held.repair(lambda first, _: readings(first).table())
        assert not wrong or ([Path(name).name for name in mended] == [path.name] and path.read_bytes() == whole and held.verify() == [])
    finally:
        path.write_bytes(whole)


def test_a_warehouse_whose_revisions_cannot_be_read_is_opened_to_be_mended(tmp_path: Path) -> None:
    lake, path = warehouse(tmp_path, int(Flag.REVISION))
    lake.close()
    path.write_bytes(b"PAR1" + bytes(path.stat().st_size - 8) + b"PAR1")
    lake = DuckLake(tmp_path, memory="500MB")
    with pytest.raises(Problem, match=r"lake\.damaged"):
        lake.query(LATEST)
    assert lake.repair(lambda first, _: readings(first, int(Flag.REVISION)).table()) and lake.verify() == []
    assert lake.query("SELECT count(*) AS n FROM readings")["n"].to_pylist() == [60], "the later of each key"
    lake.close()


def test_a_merged_file_is_known_by_its_bytes_and_one_of_an_older_program_by_its_values(tmp_path: Path) -> None:
    lake, _ = warehouse(tmp_path)
    lake.merge()
    (file,) = lake.files()
    lake.close()
    lake = DuckLake(tmp_path, memory="500MB")
    assert lake.verify() == []
    whole = Path(file).read_bytes()
    Path(file).write_bytes(whole.replace(b"DuckDB", b"duckdb"))
    assert any(Path(file).name in line for line in lake.verify()), "not a value is another"
    book = tmp_path / "manifest.jsonl"
    older = [{k: v for k, v in json.loads(line).items() if k != "crc"} for line in book.read_text().splitlines()]
    book.write_text("".join(json.dumps(line) + "\n" for line in older if line))
    assert lake.verify() == []
    lake.close()


@pytest.mark.parametrize("name", ["catalog.sqlite", "manifest.jsonl"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(harm=harms)
def test_a_damaged_list_of_the_files_is_named_and_costs_no_file(tmp_path: Path, name: str, harm: tuple[float, int, int]) -> None:
    first, folder = tmp_path / "first", tmp_path / f"lake-{os.urandom(6).hex()}"
    if not first.exists():
        lake, _ = warehouse(first)
        lake.close()
    shutil.copytree(first, folder)
    flip(folder / name, (first / name).read_bytes(), harm)
    files = {path.name for path in folder.rglob("*.parquet")}
    try:
        lake = DuckLake(folder, memory="500MB")
    except Problem as told:
        assert told.kind.code in {"catalogue.damaged", "catalogue.unreached", "catalogue.version", "catalogue.parted", "manifest.damaged"}
    else:
        try:
            wrong = lake.verify()
            assert wrong or lake.query("SELECT count(*) AS n FROM readings")["n"].to_pylist() == [120]
        finally:
            lake.close()
    assert {path.name for path in folder.rglob("*.parquet")} == files


@pytest.mark.parametrize("name", ["catalog.sqlite", "manifest.jsonl"])
def test_half_a_list_of_the_files_is_refused(tmp_path: Path, name: str) -> None:
    lake, _ = warehouse(tmp_path)
    lake.close()
    held = (tmp_path / name).read_bytes()
    for left in (held[: len(held) // 2], held[7:], b"") if name == "catalog.sqlite" else (held[7:], b"{}\n" + held, b"[1]\n" + held):
        (tmp_path / name).write_bytes(left)
        with pytest.raises(Problem, match=r"catalogue\.(damaged|parted)|manifest\.damaged"):
            DuckLake(tmp_path, memory="500MB")
    (tmp_path / name).write_bytes(held)
    lake = DuckLake(tmp_path, memory="500MB")
    assert lake.verify() == [] and lake.offset() == 2
    lake.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(harm=harms)
def test_a_damaged_journal_is_named_or_gives_what_was_written(tmp_path: Path, harm: tuple[float, int, int]) -> None:
    whole, path = tmp_path / "whole", tmp_path / f"journal-{os.urandom(6).hex()}"
    if not whole.exists():
        journal = SqliteJournal(tmp_path / "first")
        for i in range(6):
            journal.append([Batch("readings", "s", str(i), str(i), readings=readings(i), entities=[{"id": f"urn:zs:A:{i}"}])], T0 + i)
        journal.backup(whole)
        journal.close()
    flip(path, whole.read_bytes(), harm)
    right = [(e.offset, e.kind, e.known, e.documents, e.table) for e in SqliteJournal(whole).read(0)]
    try:
        journal = SqliteJournal(path)
        wrong = journal.verify(0)
        found = [(e.offset, e.kind, e.known, e.documents, e.table) for e in journal.read(0)]
    except Problem as told:
        assert told.kind.code in {"journal.damaged", "journal.unreadable"}
    else:
        assert wrong or found == right, "what is called whole is what was written"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(harm=harms)
def test_a_damaged_desk_gives_no_traceback_and_tells_nothing_of_what_it_holds(tmp_path: Path, harm: tuple[float, int, int]) -> None:
    whole, path = tmp_path / "whole", tmp_path / f"desk-{os.urandom(6).hex()}"
    if not whole.exists():
        desk = SqliteDesk(tmp_path / "first")
        ledger = Ledger(desk)
        for n in range(40):
            desk.write(lambda conn, n=n: ledger.witness(conn, "someone", "act", "case", f"case-{n}", {"held": "secret-word"}))
        ledger.close()
        desk.backup(str(whole))
        desk.close()
    flip(path, whole.read_bytes(), harm)
    try:
        desk = SqliteDesk(path)
    except Problem as told:
        assert told.kind.code in {"desk.unreadable", "desk.damaged", "desk.newer"}
        return
    try:
        wrong = desk.verify() + desk.read(verify)
        assert not any("secret" in line for line in wrong)
    except Problem as told:
        assert told.kind.code == "desk.damaged" and desk.verify()
    finally:
        desk.close()


def test_a_row_that_cannot_be_read_is_named_and_the_rest_is_read_on(tmp_path: Path) -> None:
    desk = SqliteDesk(tmp_path / "desk.sqlite")
    ledger = Ledger(desk)
    for n in range(5):
        desk.write(lambda conn, n=n: ledger.witness(conn, "someone", "act", "case", f"case-{n}", {"held": "secret-word"}))
    ledger.close()
    cells = {"name": "secret-word"}
    desk.write(lambda conn: conn.execute(insert(duty_row), {"kind": "limits", "key": "k", "valid_from": 0, "source": "s", "cells": cells, "loaded": 0, "loaded_by": ""}))
    desk.close()
    path = tmp_path / "desk.sqlite"
    for table, column, row, change in (("ledger", "detail", 2, b"secret-\xff"), ("duty_row", "cells", 1, b"]")):
        with sqlite3.connect(path) as store:
            store.execute("DROP TRIGGER IF EXISTS ledger_never_changed")
            (held,) = store.execute(f"SELECT CAST({column} AS BLOB) FROM {table} WHERE rowid = ?", (row,)).fetchone()
            store.execute(f"UPDATE {table} SET {column} = CAST(? AS TEXT) WHERE rowid = ?", (held[: -len(change)] + change, row))
        store.close()
    desk = SqliteDesk(path)
    assert desk.verify() == ["desk.sqlite: table duty_row, row 1: cells cannot be read", "desk.sqlite: table ledger, row 2: detail cannot be read"]
    assert desk.read(verify) == ["Line 2 was changed: its content does not give its hash."]
    for ask in (select(duty_row), text("SELECT detail FROM ledger")):
        with pytest.raises(Problem, match=r"desk\.damaged") as told:
            desk.read(lambda conn, ask=ask: conn.execute(ask).all())
        assert "secret" not in str(told.value)
    desk.close()


def test_whatever_a_reader_says_of_a_file_the_others_are_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("zhongshu.engines.parquet_files.pq.ParquetFile", fail)
    wrong, held = sums([str(tmp_path / "a"), str(tmp_path / "b")], tmp_path, np.array([1]))
    assert wrong == ["lake: a cannot be read: MemoryError", "lake: b cannot be read: MemoryError"] and held[0][0] == 0
