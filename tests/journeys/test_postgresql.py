"""A city whose desk stands on PostgreSQL: dispatchers who act at once, a backup brought back, and a folder that knows where its desk is."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import postgres
import pytest
from sqlalchemy import text

from zhongshu.kernel.area import show_area
from zhongshu.kernel.problem import Problem

from .city import command, opened
from .streets import DRAINAGE, Town

pytestmark = pytest.mark.journey
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
        assert dict(parts.desk.read(lambda c: c.execute(text("SELECT id, version FROM case_file")).tuples().all())) == held
    # into a desk that is not empty: refused, and nothing of the folder stays
    command("restore", archive, "--data", tmp_path / "twice", code=2)
    assert not (tmp_path / "twice").exists()
    # where the setting is left out, nobody gets an empty desk
    monkeypatch.setenv("ZS_DESK", "")
    with pytest.raises(Problem, match=r"desk\.elsewhere"), opened(folder):
        pass
