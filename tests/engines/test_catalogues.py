"""The warehouse's catalogue: moved from one store to the other, refused where it is not the folder's, too old, or not there."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import postgres
import psycopg
import pytest

from zhongshu.engines.catalogues import PostgresCatalogue, SqliteCatalogue, copy
from zhongshu.engines.ducklake import DuckLake
from zhongshu.kernel.problem import Problem
from zhongshu.kernel.reading import Readings

pytestmark = pytest.mark.port
SUM = "SELECT count(*) AS n, sum(ticks)::BIGINT AS s FROM readings"


def fill(lake: DuckLake, commits: int) -> None:
    import numpy as np

    for _ in range(commits):
        n, offset = 50, lake.reaches() + 1
        zeros, ticks = np.zeros(n, np.int32), offset * 1000 + np.arange(n)
        group = Readings(["s"], ["e"], ["A.x"], [], zeros, zeros, zeros, np.zeros(n, np.int64), ticks, ticks, zeros, ticks.astype(float), zeros - 1, offset=offset, known=offset)
        lake.show(group.table(), offset)
        lake.commit()


@pytest.fixture
def there(postgresql: str) -> PostgresCatalogue:
    return PostgresCatalogue(postgres.new_database(postgresql), "lake_x")


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[DuckLake]:
    held = DuckLake(tmp_path / "lake", memory="1GB")
    fill(held, 5)
    held.merge()
    fill(held, 3)
    yield held
    held.close()


def test_a_catalogue_made_anew_elsewhere_reads_the_same_files_and_goes_on(lake: DuckLake, there: PostgresCatalogue, tmp_path: Path) -> None:
    before = lake.query(SUM).to_pylist()
    copy(lake.catalogue, there, tmp_path / "lake" / "readings")
    lake.close()
    moved = DuckLake(tmp_path / "lake", memory="1GB", catalogue=there)
    assert (moved.query(SUM).to_pylist(), moved.offset(), moved.verify()) == (before, 8, [])
    fill(moved, 2)
    assert moved.merge() > 0 and moved.verify() == [] and moved.offset() == 10
    (tmp_path / "copy").mkdir()
    moved.backup(tmp_path / "copy")
    after = moved.query(SUM).to_pylist()
    moved.close()
    again = DuckLake(tmp_path / "copy", memory="1GB")
    assert (again.query(SUM).to_pylist(), again.offset(), again.verify()) == (after, 10, []), "a backup is embedded, whatever the city stands on"
    again.close()


def test_a_catalogue_that_holds_something_is_not_written_over(lake: DuckLake, there: PostgresCatalogue, tmp_path: Path) -> None:
    copy(lake.catalogue, there, tmp_path / "lake" / "readings")
    with pytest.raises(Problem) as told:
        copy(lake.catalogue, there, tmp_path / "lake" / "readings")
    assert told.value.kind.code == "catalogue.not_empty"


def test_files_whose_catalogue_is_gone_are_refused_and_left_as_they_are(lake: DuckLake, there: PostgresCatalogue, tmp_path: Path) -> None:
    lake.close()
    files = {path: path.stat().st_size for path in (tmp_path / "lake" / "readings").rglob("*.parquet")}
    with pytest.raises(Problem) as told:
        DuckLake(tmp_path / "lake", memory="1GB", catalogue=there)
    assert told.value.kind.code == "catalogue.parted"
    for path in (tmp_path / "lake").glob("catalog.sqlite*"):
        path.unlink()
    with pytest.raises(Problem) as told:
        DuckLake(tmp_path / "lake", memory="1GB")
    assert told.value.kind.code == "catalogue.parted" and "8" in told.value.sentence()
    assert {path: path.stat().st_size for path in (tmp_path / "lake" / "readings").rglob("*.parquet")} == files


@pytest.mark.parametrize("version", ["0.3", "9.0"])
def test_a_catalogue_of_another_version_is_refused_on_both_stores(lake: DuckLake, there: PostgresCatalogue, tmp_path: Path, version: str) -> None:
    copy(lake.catalogue, there, tmp_path / "lake" / "readings")
    lake.close()
    with psycopg.connect(there.url) as connection:
        connection.execute("UPDATE lake_x.ducklake_metadata SET value = %s WHERE key = 'version'", [version])
    with sqlite3.connect(tmp_path / "lake" / "catalog.sqlite") as file:
        file.execute("UPDATE ducklake_metadata SET value = ? WHERE key = 'version'", [version])
    file.close()
    for catalogue in (there, SqliteCatalogue(tmp_path / "lake" / "catalog.sqlite")):
        with pytest.raises(Problem) as told:
            DuckLake(tmp_path / "lake", memory="1GB", catalogue=catalogue)
        assert told.value.kind.code == "catalogue.version" and version in told.value.sentence("zh")


def test_a_database_nobody_answers_at_is_a_problem_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(Problem) as told:
        DuckLake(tmp_path / "lake", memory="1GB", catalogue=PostgresCatalogue("postgresql://someone:secret@127.0.0.1:1/x", "lake_x"))
    assert told.value.kind.code == "catalogue.unreached" and "secret" not in str(told.value) + told.value.sentence("zh")


def test_a_commit_whose_answer_was_lost_is_found_before_the_next_and_counts_once(there: PostgresCatalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = DuckLake(tmp_path / "lake", memory="1GB", catalogue=there)
    fill(lake, 2)
    enter, committed = lake._enter, lake._committed

    def lost(*given: object) -> None:
        tail, offset = list(lake._tail), lake._offset
        enter(*given)  # type: ignore[arg-type]
        lake._tail, lake._offset = tail, offset  # as if nobody had heard of it
        message = "the line broke"
        raise OSError(message)

    def away(*_: object) -> int:
        message = "the line is down"
        raise OSError(message)

    with monkeypatch.context() as patch:
        patch.setattr(lake, "_enter", lost)
        patch.setattr(lake, "_committed", away)
        with pytest.raises(OSError, match="the line"):
            fill(lake, 1)
        with pytest.raises(OSError, match="is down"):
            lake.commit()
    assert lake._committed == committed
    fill(lake, 1)
    assert lake.query(SUM).to_pylist()[0]["n"] == 200 and lake.verify() == [] and lake.offset() == 4
    lake.close()


def test_what_a_killed_merge_or_repair_left_goes_at_the_next_start(lake: DuckLake, tmp_path: Path) -> None:
    merged = next((tmp_path / "lake" / "readings" / "main").rglob("*.parquet"))
    part = next((tmp_path / "lake" / "readings").rglob("part-*.parquet"))
    stray, mended = merged.with_name("ducklake-00000000-0000-7000-8000-000000000000.parquet"), part.with_suffix(".mended")
    for left in (stray, mended):
        left.write_bytes(merged.read_bytes())
    before = lake.query(SUM).to_pylist()
    lake.close()
    again = DuckLake(tmp_path / "lake", memory="1GB")
    assert not stray.exists() and not mended.exists() and again.query(SUM).to_pylist() == before and again.verify() == []
    again.close()


def test_a_catalogue_that_goes_away_again_and_again_loses_nothing_and_ends_nothing(postgresql: str, tmp_path: Path) -> None:
    where = postgres.new_database(postgresql)
    lake, over, refused = DuckLake(tmp_path / "lake", memory="1GB", catalogue=PostgresCatalogue(where, "lake_x")), threading.Event(), [0, 0]

    def look() -> None:
        while not over.is_set():
            try:
                lake.query(SUM)
            except (duckdb.Error, Problem):
                refused[0] += 1
                over.wait(0.02)

    def commit() -> None:
        while not over.is_set():
            try:
                fill(lake, 1)
                if lake.offset() % 7 == 0:
                    lake.merge()
            except (duckdb.Error, Problem):
                refused[1] += 1
                over.wait(0.05)

    threads = [threading.Thread(target=work) for work in (look, look, commit)]
    for thread in threads:
        thread.start()
    for _ in range(8):
        over.wait(0.5)
        postgres.close_door(postgresql, to=where)
        over.wait(0.2)
        postgres.open_door(postgresql, to=where)
    over.set()
    for thread in threads:
        thread.join()
    lake.commit()
    shown = lake.reaches()
    assert all(refused), "the catalogue was away for those who looked and for who wrote"
    assert lake.query(SUM).to_pylist()[0]["n"] == 50 * shown and lake.offset() == shown and lake.verify() == []
    lake.close()
