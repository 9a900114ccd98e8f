"""Two cities' 311 files: every row is a case, a duplicate or in quarantine; what is late is late, what is odd is flagged, and a second time adds nothing."""

import csv
import gzip
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from .city import ingest, opened
from .conftest import Brought

pytestmark = pytest.mark.journey


def rows_of(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8-sig") as text:
        return list(csv.DictReader(text))


def counted(folder: Path) -> dict[str, Any]:
    with opened(folder) as parts:

        def ask(conn: Any) -> dict[str, Any]:
            def one(sql: str) -> tuple[Any, ...]:
                row = conn.exec_driver_sql(sql).first()
                return tuple(row)

            return {
                "cases": one("SELECT count(*), count(DISTINCT number), count(due), count(closed), sum(due IS NOT NULL AND closed IS NOT NULL), sum(late) FROM case_file"),
                "late": one("SELECT sum(closed > due), count(*) FROM case_file WHERE due IS NOT NULL AND closed IS NOT NULL"),
                "requests": one("SELECT count(*), count(DISTINCT external), count(case_id) FROM request"),
                "early_due": one("SELECT count(*) FROM case_file WHERE flags LIKE '%due_before_opened%'"),
                "due_not_after": one("SELECT count(*) FROM case_file WHERE due <= opened"),
                "steps": one("SELECT count(*) FROM case_step"),
            }

        return parts.desk.read(ask) | {"readings": parts.lake.query("SELECT property, count(*) AS n FROM readings GROUP BY ALL ORDER BY 1").to_pylist()}


@pytest.fixture(scope="session")
def held(brought: Brought) -> dict[str, Any]:
    return counted(brought.folder)


def test_every_row_is_a_case_a_duplicate_or_refused(brought: Brought, held: dict[str, Any]) -> None:
    source, counts, rows = brought.source, brought.counts, rows_of(brought.path)
    assert len(rows) == 10_000 == sum(counts.values())
    assert held["cases"][0] + counts["duplicates"] + counts["quarantined"] == 10_000
    assert held["cases"][0] == held["cases"][1] == counts["accepted"]
    assert held["requests"] == (counts["accepted"],) * 3
    relayed = {row["property"]: row["n"] for row in held["readings"]}
    assert relayed["Case.opened"] == counts["accepted"]
    assert relayed["Case.closed"] == held["cases"][3] == sum(_closed(source, row) for row in rows)


def _closed(source: str, row: dict[str, str]) -> bool:
    if source == "hotline.la311":
        return row["closeddate"] != ""  # two were referred out and have a date: they are flagged
    return row["SRStatus"].startswith("Closed") and row["CloseDate"] not in {"", "NA"}


def test_what_is_late_is_late(brought: Brought, held: dict[str, Any]) -> None:
    source, path = brought.source, brought.path
    if source == "hotline.la311":
        assert (held["cases"][2], held["cases"][5], held["late"][1]) == (0, 0, 0)
        return
    late, both = held["late"]
    assert (late, both, held["cases"][5]) == (1567, 9555, 1567)
    assert f"{late / both:.2%}" == "16.40%"
    form = "'%m/%d/%Y %I:%M:%S %p'"
    plain = duckdb.sql(f"""
        SELECT count(*) FILTER (closed > due), count(*) FROM (
            SELECT try_strptime(DueDate, {form}) AS due, try_strptime(CloseDate, {form}) AS closed FROM read_csv('{path}', all_varchar = true))
        WHERE due IS NOT NULL AND closed IS NOT NULL""").fetchall()
    assert plain == [(late, both)]


def test_a_due_date_that_is_not_after_the_opening_is_flagged(brought: Brought, held: dict[str, Any]) -> None:
    source, path = brought.source, brought.path
    if source == "hotline.la311":
        assert held["early_due"] == (0,)
        return

    def at(text: str) -> datetime | None:
        return None if text in {"", "NA"} else datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p")

    odd = sum(due is not None and due <= made for row in rows_of(path) if (made := at(row["CreatedDate"])) for due in [at(row["DueDate"])])
    assert odd == 222
    assert held["early_due"] == held["due_not_after"] == (222,)


def test_the_same_file_again_adds_nothing(brought: Brought, held: dict[str, Any]) -> None:
    again = ingest(brought.folder, brought.path, brought.source)
    assert (again["accepted"], again["duplicates"]) == (0, 10_000)
    assert counted(brought.folder) == held
