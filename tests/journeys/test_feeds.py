"""A city that fetches: a table that is written all the while, the city killed in the middle of it; feeds that fail are told of and stop nothing."""

import json
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import postgres
import psycopg
import pytest

from zhongshu.survey import make

from .city import Running, command, opened, running, token

pytestmark = pytest.mark.journey
WORD = "not-for-the-page"
ROWS = """
[[connector]]
name = "fed"
kind = "postgresql"
address = "@"
secret = "scada"
every = "100ms"
table = "levels"
watermark = "changed"
key = ["id"]
overlap = "2s"
rows = { type = "WaterLevelSensor", id = "station", time = "measured", columns = [{ header = "level", property = "WaterLevelSensor.depth", unit = "m" }] }

[[connector]]
name = "gone"
kind = "rest"
address = "http://127.0.0.1:1/levels"
auth = "query key"
secret = "scada"

[[connector]]
name = "wrong"
kind = "modbus"
address = "modbus://127.0.0.1:1"

[[connector]]
name = "stray"
kind = "s3"
address = "s3://drops/stray"

[[connector]]
name = "fed"
kind = "s3"
address = "s3://drops/fed"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("feeds") / "DATA"
    make(made, 5000, 7, lambda _: None)
    return made


class Scada:
    """Somebody else's database, in which levels are written without a pause."""

    def __init__(self, address: str) -> None:
        self.address, self.written, self._stop = address, 0, threading.Event()
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("CREATE TABLE levels (id bigserial, station text, measured timestamptz, level numeric(6, 3), changed timestamptz DEFAULT clock_timestamp())")
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self) -> None:
        put = (
            "INSERT INTO levels (station, measured, level, changed) SELECT 'S' || mod(n, 20), now() - interval '1 hour' + (%s + n) * interval '1 millisecond', n / 1000.0, "
            "date_trunc('second', clock_timestamp()) FROM generate_series(1, 100) n"
        )
        with psycopg.connect(self.address, autocommit=True) as connection:
            began = time.time()
            while not self._stop.is_set():
                connection.execute(put.replace("now()", f"to_timestamp({began:.3f})").encode(), (self.written,))
                self.written += 100
                time.sleep(0.05)

    def stop(self) -> int:
        self._stop.set()
        self._thread.join(20)
        return self.written


@pytest.fixture
def scada(postgresql: str) -> Iterator[Scada]:
    held = Scada(postgres.new_schema(postgresql))
    yield held
    held.stop()


def feed(city: Running, key: str, name: str) -> dict[str, Any]:
    (found,) = [row["feed"] for row in city.get("/api/sources?limit=500", key)["items"] if row["name"] == name]
    return found  # type: ignore[no-any-return]


def set_up(folder: Path) -> str:
    """Register the sources, and return a token of who may see them."""
    with running(folder) as city:
        admin = token(folder, "admin", "sets-up")
        for name in ("fed", "gone", "wrong"):
            body, headers = {"name": name, "entities": "register", "zone": "Asia/Shanghai"}, {"Authorization": f"Bearer {admin}"}
            httpx.post(f"{city.url}/api/sources", json=body, headers=headers, trust_env=False).raise_for_status()
        assert feed(city, admin, "fed") is None
    (folder / "secrets").mkdir()
    (folder / "secrets" / "scada").write_text(WORD + "\n")
    return admin


def test_what_others_write_is_fetched_once_whatever_is_killed(folder: Path, scada: Scada) -> None:
    admin = set_up(folder)
    (folder / "connectors.toml").write_text(ROWS.replace("@", scada.address))
    for _ in range(3):
        city = Running(folder)
        try:
            until = time.monotonic() + 30
            while feed(city, admin, "fed")["rows"] <= 800:
                assert time.monotonic() < until, (folder / "up.log").read_text()[-2000:]
                time.sleep(0.05)
        finally:
            city.kill()
    with running(folder) as city:
        total = scada.stop()
        until = time.monotonic() + 60
        while city.get("/health", admin)["readings"]["by_source"].get("fed", {}).get("accepted", 0) < total:
            assert time.monotonic() < until, (total, feed(city, admin, "fed"))
            time.sleep(0.2)
        while not feed(city, admin, "gone")["failing"]:
            assert time.monotonic() < until
            time.sleep(0.2)
        fed, gone, wrong = (feed(city, admin, name) for name in ("fed", "gone", "wrong"))
        assert (fed["failing"], fed["kind"], fed["quarantined"]) == (False, "postgresql", 0) and fed["last_success"] and 0 <= fed["lag_s"] < 3700
        assert gone["failing"] and gone["last_success"] is None and gone["last_error"]["zh"]["sentence"] and gone["last_error"]["en"]["remedy"]
        assert wrong["failing"] and wrong["last_error"]["code"] == "connector.invalid" and "registers" in wrong["last_error"]["en"]["sentence"]
        measures = {one["name"]: one for one in city.get("/api/running", admin)["items"]}
        assert "uplink_waiting_mb" not in measures, "a city without an uplink has nothing that waits for it"
        measure = measures["feeds_failing"]
        assert (measure["value"], measure["well"], measure["outside"]) == (4, False, True)
        refused = city.get("/api/sources?limit=500", admin)["refused"]
        assert [(row["name"], row["feed"]["kind"]) for row in refused] == [("stray", "s3"), ("fed", "s3")], "what feeds no source is told beside them"
        assert [row["feed"]["last_error"]["code"] for row in refused] == ["connector.invalid"] * 2
        assert city.get("/ready", admin) == {"ready": True, "wrong": []}, "others who are not there are no reason to stop this program"
        told = json.dumps(city.get("/api/sources?limit=500", admin))
        assert WORD not in told + (folder / "up.log").read_text() and scada.address not in told
    with opened(folder) as parts:
        table = parts.lake.query("SELECT count(*) AS n, count(DISTINCT (entity, valid)) AS k FROM readings WHERE source = 'fed'")
        assert (table["n"][0].as_py(), table["k"][0].as_py()) == (total, total)
    command("backup", folder.parent / "city.tar", "--data", folder)
    with tarfile.open(folder.parent / "city.tar") as archive:
        names = set(archive.getnames())
    assert "connectors.toml" in names and not [name for name in names if name.startswith(("secrets", "connectors/"))]
