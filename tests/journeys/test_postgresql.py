"""A city whose desk stands on PostgreSQL: dispatchers who act at once, a backup brought back, and a folder that knows where its desk is."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import postgres
import pytest
from sqlalchemy import text

from zhongshu.kernel.area import show_area
from zhongshu.kernel.problem import Problem
from zhongshu.settings import read

from .city import command, opened
from .streets import DRAINAGE, Town

pytestmark = pytest.mark.port
CASES, DISPATCHERS = 12, 6


@pytest.fixture(scope="module")
def database(postgresql: str) -> str:
    """Return the address of a database of the city's own."""
    return postgres.new_database(postgresql)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[Town]:
    """Return a town whose desk is there."""
    held = Town(tmp_path_factory.mktemp("town"), desk=database)
    yield held
    held.close()


def ready(town: Town, nth: int) -> dict[str, Any]:
    """Return a case that waits to be dispatched."""
    lon, lat = town.place(town.here)
    body = {"class": "drainage.manhole", "title_zh": f"井盖松动 {nth}", "area": show_area(town.here), "lon": lon, "lat": lat}
    case: dict[str, Any] = town.ok("dispatcher", "POST", "/api/cases", json=body)
    for who, verb in (("acceptor", "verify"), ("duty", "file")):
        case = town.ok(who, "POST", f"/api/cases/{case['id']}/{verb}", json={"version": case["version"]})
    return case


def test_dispatchers_who_act_at_once_never_lose_a_step(town: Town) -> None:
    town.join("duty", town.token("duty", "duty_officer", town.city))
    waiting = [ready(town, nth) for nth in range(CASES)]

    def dispatch(_who: int) -> list[tuple[str, int, str]]:
        answers = []
        for case in waiting:
            answer = town.as_("dispatcher", "POST", f"/api/cases/{case['id']}/dispatch", json={"version": case["version"], "unit": DRAINAGE})
            answers.append((case["id"], answer.status_code, answer.json().get("code", "")))
        return answers

    with ThreadPoolExecutor(DISPATCHERS) as pool:
        answers = [answer for one in pool.map(dispatch, range(DISPATCHERS)) for answer in one]
    assert Counter(status for _, status, _ in answers) == {200: CASES, 409: CASES * (DISPATCHERS - 1)}
    assert {code for _, status, code in answers if status == 409} == {"case.stale"}
    for case in waiting:
        now = town.ok("dispatcher", "GET", f"/api/cases/{case['id']}")
        assert [line["verb"] for line in now["history"]].count("dispatch") == 1
        assert now["version"] == case["version"] + 1


def test_it_is_backed_up_brought_back_and_found_again(town: Town, database: str, postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = {row["id"]: row["version"] for row in town.ok("dispatcher", "GET", "/api/cases?limit=500")["items"]}
    folder, archive = town.owner.settings.data, tmp_path / "city.tar"
    town.close()
    monkeypatch.setenv("ZS_DESK", database)
    command("backup", archive, "--data", folder)
    other = postgres.new_database(postgresql)
    monkeypatch.setenv("ZS_DESK", other)
    command("restore", archive, "--data", tmp_path / "again")
    command("verify", "--data", tmp_path / "again")
    with opened(tmp_path / "again") as parts:
        assert dict(map(tuple, parts.desk.read(lambda c: c.execute(text("SELECT id, version FROM case_file")).all()))) == held
    # into a desk that is not empty: refused, and nothing of the folder stays
    command("restore", archive, "--data", tmp_path / "twice", code=2)
    assert not (tmp_path / "twice").exists()
    # where the setting is left out, nobody gets an empty desk
    monkeypatch.setenv("ZS_DESK", "")
    with pytest.raises(Problem, match=r"store\.elsewhere"), opened(folder):
        pass


def test_a_city_moves_to_postgresql_with_all_it_holds_and_goes_on_there(tmp_path: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, file = tmp_path / "city", tmp_path / "settings.toml"
    here = Town(folder)
    here.join("duty", here.token("duty", "duty_officer", here.city))
    case = ready(here, 1)
    here.close()
    desk = postgres.new_database(postgresql)
    file.write_text(f'data = "city"\ndesk = "{desk}"\n')
    told = command("move", "--to", file, "--data", folder)
    with closing(sqlite3.connect(folder / "desk.moved.sqlite")) as store:
        counts = {line.split(":")[0]: int(line.split()[1].replace(",", "")) for line in told.splitlines()}
        assert counts == {table: store.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in counts}
        steps = store.execute("SELECT subject, verb, at FROM case_step ORDER BY seq").fetchall()
    assert counts["case_step"] and counts["ledger"] and counts["party"] and counts["duty_row"]
    assert not (folder / "desk.sqlite").exists()
    monkeypatch.setenv("ZS_SETTINGS", str(file))
    command("verify")
    there = Town(folder, desk=desk)
    try:
        there.join("dispatcher", there.token("dispatcher-2", "dispatcher", there.city))
        sent = there.ok("dispatcher", "POST", f"/api/cases/{case['id']}/dispatch", json={"version": case["version"], "unit": DRAINAGE})
        assert sent["unit"] == DRAINAGE
        kept = there.owner.parts.desk.read(lambda c: c.execute(text("SELECT subject, verb, at FROM case_step ORDER BY seq")).all())
        assert [tuple(row) for row in kept[: len(steps)]] == steps
        assert len(kept) > len(steps)
    finally:
        there.close()
    # once more, into what is no longer empty: refused, and the city stays where it is
    command("move", "--to", file, "--data", folder, code=2)


def test_a_settings_file_that_says_what_nobody_knows_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    for said, code in (("prot = 1", "settings.unknown"), ("port", "settings.unreadable")):
        file.write_text(said)
        with pytest.raises(Problem, match=code):
            read({"settings": file})
