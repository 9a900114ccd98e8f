"""Drops and snapshots: objects of a bucket are taken once and a bad one is named and passed over; GTFS-realtime becomes readings of vehicles."""

import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow.fs as pafs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongshu.engines.sqlite_journal import SqliteJournal
from zhongshu.kernel.clock import HOUR, MINUTE, parse_time
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.journal import Entry
from zhongshu.kernel.problem import Problem
from zhongshu.kernel.quantity import Property
from zhongshu.sense import Feed
from zhongshu.sense.feeds import bucket as module

ACCESS, SECRET = "testing", "testing-secret"


def lines(desk: Any, *values: object) -> bytes:
    rows = [{"entity": "urn:zs:Gauge:1", "property": "Gauge.rain", "time": (desk.clock.at - MINUTE) // 1000 + n, "value": v} for n, v in enumerate(values)]
    return "\n".join(map(json.dumps, rows)).encode()


def accepted(journal: SqliteJournal) -> int:
    return journal.counts().get("open", {}).get("accepted", 0)


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    (folder / "2026").mkdir(parents=True)
    return folder


@pytest.fixture
def watched(drop: Path, feed_of: Callable[..., Feed]) -> Callable[[], Feed]:
    return lambda: feed_of({"kind": "s3", "address": f"file://{drop}"})


def test_each_object_is_taken_once(desk: Any, drop: Path, watched: Callable[[], Feed], journal: SqliteJournal) -> None:
    (drop / "a.ndjson").write_bytes(lines(desk, 1, 2))
    (drop / "2026" / "b.csv.gz").write_bytes(gzip.compress(f"entity,property,time,value\nurn:zs:Gauge:2,Gauge.rain,{desk.clock.at // 1000},3\n".encode()))
    for name in (".hidden", "c.ndjson.part"):
        (drop / name).write_bytes(lines(desk, 9))
    held, read = watched(), list[str]()
    held.once()
    assert accepted(journal) == 3 and len(held.marks.now["taken"]) == 2
    copy = held.reader._copy
    held.reader._copy = lambda files, info, path: (read.append(info.path), copy(files, info, path))[1]
    held.once()
    assert read == [], "what was taken is not even fetched"
    (drop / "a.ndjson").write_bytes(lines(desk, 1, 2, 3))
    held.once()
    assert len(read) == 1 and accepted(journal) == 4
    held.marks.path.unlink()
    again = watched()
    again.once()
    assert accepted(journal) == 4, "without the mark all is read again, and changes nothing"


@pytest.mark.parametrize("content", [b"", "entity,路灯".encode("gbk"), gzip.compress(b"x" * 100)[:-5], b"[{"])
def test_a_bad_object_is_named_and_passed_over(desk: Any, drop: Path, watched: Callable[[], Feed], journal: SqliteJournal, content: bytes) -> None:
    (drop / "a.csv").write_bytes(content)
    os.utime(drop / "a.csv", (1_700_000_000, 1_700_000_000))
    (drop / "b.ndjson").write_bytes(lines(desk, 1))
    held = watched()
    held.once()
    held.once()
    (row,) = journal.quarantine("open", 0, 9)
    assert row["code"] == "folder.unreadable" and row["raw"].endswith("/a.csv") and accepted(journal) == 1
    assert held.report()["last_error"]["code"] == "folder.unreadable" and not held.report()["failing"]


def test_one_that_cannot_be_fetched_is_tried_again_and_then_passed_over(
    desk: Any, drop: Path, watched: Callable[[], Feed], journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    (drop / "a.ndjson").write_bytes(lines(desk, 1))
    os.utime(drop / "a.ndjson", (1_700_000_000, 1_700_000_000))
    (drop / "b.ndjson").write_bytes(lines(desk, 1, 2))
    real = pafs.LocalFileSystem

    class Refusing:
        def get_file_info(self, selector: Any) -> Any:
            return real().get_file_info(selector)

        def open_input_stream(self, path: str, **given: Any) -> Any:
            if path.endswith("a.ndjson"):
                raise PermissionError("AccessDenied")
            return real().open_input_stream(path, **given)

    monkeypatch.setattr(module.pafs, "LocalFileSystem", Refusing)
    held = watched()
    for _ in range(module.TRIES - 1):
        with pytest.raises(module._Unreached):
            held.once()
    held.once()
    assert accepted(journal) == 2 and journal.quarantine("open", 0, 9)[0]["raw"].endswith("a.ndjson")


def test_one_too_large_is_passed_over(desk: Any, drop: Path, watched: Callable[[], Feed], journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILE", 1000)
    (drop / "a.ndjson").write_bytes(lines(desk, *range(100)))
    (drop / "b.ndjson").write_bytes(lines(desk, 1))
    watched().once()
    assert accepted(journal) == 1 and len(journal.quarantine("open", 0, 9)) == 1


def test_a_place_that_is_not_there_fails(tmp_path: Path, feed_of: Callable[..., Feed]) -> None:
    with pytest.raises(OSError, match="nowhere"):
        feed_of({"kind": "s3", "address": f"file://{tmp_path}/nowhere"}).once()


@pytest.fixture
def store() -> Iterator[str]:
    """A server that speaks S3, as a process of its own."""
    program = shutil.which("moto_server")
    if program is None:
        pytest.skip("no server that speaks S3 is installed: pip install 'moto[server]'")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    running = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                httpx.get(url, trust_env=False)
            except httpx.TransportError:
                if running.poll() is not None:
                    pytest.skip("moto_server does not run here: pip install 'moto[server]'")
                time.sleep(0.1)
            else:
                break
        yield url
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait(10)


@pytest.mark.port
def test_a_real_bucket(desk: Any, store: str, feed_of: Callable[..., Feed], journal: SqliteJournal) -> None:
    s3 = pafs.S3FileSystem(
        access_key=ACCESS,
        secret_key=SECRET,
        endpoint_override=store.removeprefix("http://"),
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
        allow_delayed_open=True,
    )
    s3.create_dir("drops")

    def put(name: str, content: bytes) -> None:
        with s3.open_output_stream(f"drops/{name}") as stream:
            stream.write(content)

    put("rain/a.ndjson", lines(desk, 1, 2))
    put("rain/deep/b.ndjson", lines(desk, 1, 2, 3))
    put("rain/bad.csv", b"\xff\xfe")
    put("other/c.ndjson", lines(desk, 7))
    given = {"kind": "s3", "address": "s3://drops/rain", "endpoint": store, "user": ACCESS, "secret": "key", "region": "us-east-1"}
    held = feed_of(given, {"key": SECRET})
    held.once()
    assert accepted(journal) == 3 and [row["raw"] for row in journal.quarantine("open", 0, 9)] == ["drops/rain/bad.csv"]
    put("rain/d.ndjson", lines(desk, 1, 2, 3, 4))
    held.once()
    assert accepted(journal) == 4 and len(held.marks.now["taken"]) == 4
    with pytest.raises(OSError, match=r"(?i)bucket|not exist|found"):
        feed_of(given | {"address": "s3://no-such"}, {"key": SECRET}).once()


# GTFS-realtime

VEHICLE = (
    Property("Vehicle.lon", "deg", "0.000001", -180, 180, MINUTE, HOUR),
    Property("Vehicle.lat", "deg", "0.000001", -90, 90, MINUTE, HOUR),
    Property("Vehicle.speed", "km/h", "0.1", 0, 300, MINUTE, HOUR),
    Property("Vehicle.delay", "s", "1", -86_400, 86_400, MINUTE, HOUR),
)


@pytest.fixture
def town(desk: Any) -> Any:
    pytest.importorskip("google.transit.gtfs_realtime_pb2", reason="GTFS-realtime is not installed: pip install 'zhongshu[feeds]'")
    for prop in VEHICLE:
        desk.registry.add_property(prop)
    desk.clock.at = parse_time("2025-11-06T21:05:00Z")
    return desk


def stored(record: list[Entry]) -> list[dict[str, Any]]:
    return [r for e in record if e.table is not None for r in e.table.to_pylist()]


def test_the_buses_of_halifax(town: Any, samples: Path, tmp_path: Path, feed_of: Callable[..., Feed], journal: SqliteJournal, record: list[Entry]) -> None:
    from google.transit import gtfs_realtime_pb2

    folder = samples / "c-gtfs-halifax"
    shutil.copy(folder / "VehiclePositions.pb", tmp_path / "now.pb")
    held = feed_of({"kind": "gtfs-rt", "address": f"file://{tmp_path}/now.pb"})
    held.once()
    positions, updates = gtfs_realtime_pb2.FeedMessage(), gtfs_realtime_pb2.FeedMessage()
    positions.ParseFromString((folder / "VehiclePositions.pb").read_bytes())
    told = {f"urn:zs:Vehicle:{e.vehicle.vehicle.id}": e.vehicle for e in positions.entity}
    rows = stored(record)
    assert {r["entity"] for r in rows} == told.keys() and len(told) > 280 and journal.counts()["open"]["quarantined"] == 0
    for r in rows:
        vehicle = told[r["entity"]]
        expected = {"lon": vehicle.position.longitude, "lat": vehicle.position.latitude, "speed": vehicle.position.speed * 3.6}[r["property"].partition(".")[2]]
        assert r["raw"] == pytest.approx(expected, abs=1e-3, rel=1e-4) and r["valid"] == vehicle.timestamp * 1_000_000
    before = accepted(journal)
    held.once()
    shutil.copy(folder / "TripUpdates.pb", tmp_path / "now.pb")
    held.once()
    updates.ParseFromString((folder / "TripUpdates.pb").read_bytes())
    delays = [r for r in stored(record) if r["property"] == "Vehicle.delay"]
    soonest: dict[str, list[tuple[int, bool, int]]] = {}
    for update in (e.trip_update for e in updates.entity):
        stops = [event for stop in update.stop_time_update for event in (stop.arrival, stop.departure) if event.HasField("delay")]
        if stops and update.vehicle.id:
            soonest.setdefault(f"urn:zs:Vehicle:{update.vehicle.id}", []).append((stops[0].time, not update.timestamp, stops[0].delay))
    assert {r["entity"]: r["raw"] for r in delays} == {vehicle: min(held)[2] for vehicle, held in soonest.items()}, "of the trip it is on, not of the next one"
    assert len(delays) == len(soonest) == 247 and before + 247 == accepted(journal)


def test_lines_and_stops_of_an_imported_timetable_are_told_of(town: Any, tmp_path: Path, feed_of: Callable[..., Feed], record: list[Entry]) -> None:
    from google.transit import gtfs_realtime_pb2

    for prop in (Property("BusLine.vehicles", "1", "1", 0, 10_000, MINUTE, HOUR), Property("BusLine.delay", "s", "1", -86_400, 86_400, MINUTE, HOUR)):
        town.registry.add_property(prop)
    town.registry.add_property(Property("BusStop.next_bus", "min", "0.1", 0, 600, MINUTE, HOUR))
    for kind, feed, name in (("BusLine", "a", "1"), ("BusLine", "a", "2"), ("BusLine", "b", "2"), ("BusStop", "a", "S")):
        facets: dict[str, str | float | int] = {"feed": feed, ("route_id" if kind == "BusLine" else "stop_id"): name}
        town.registry.register(Entity(f"urn:zs:{kind}:{feed}-{name}", kind, name, name, 980101001000000, facets=facets))
    now = town.clock.at // 1_000_000

    def said(vehicles: str, **more: str) -> dict[tuple[str, str], float]:
        message = gtfs_realtime_pb2.FeedMessage()
        message.header.gtfs_realtime_version, message.header.timestamp = "2.0", now
        for number, route in enumerate(vehicles):
            held = message.entity.add(id=f"v{number}").vehicle
            held.trip.route_id, held.vehicle.id, held.position.longitude, held.position.latitude = route, f"V{number}", 1.0, 1.0
            update = message.entity.add(id=f"u{number}").trip_update
            update.trip.route_id = route
            for stop, seconds in (("S", 90 + 60 * number), ("T", 30), ("S", -60)):
                update.stop_time_update.add(stop_id=stop).arrival.time = now + seconds
            update.stop_time_update[0].arrival.delay = 60 * number
        (tmp_path / "now.pb").write_bytes(message.SerializeToString())
        before = len(stored(record))
        feed.once()
        return {(r["entity"], r["property"]): r["raw"] for r in stored(record)[before:] if not r["property"].startswith("Vehicle")}

    feed = feed_of({"kind": "gtfs-rt", "address": f"file://{tmp_path}/now.pb"})
    line, stop = "urn:zs:BusLine:a-1", "urn:zs:BusStop:a-S"
    assert said("1121") == {(line, "BusLine.vehicles"): 3, (line, "BusLine.delay"): 80.0, (stop, "BusStop.next_bus"): 1.5}, "line 2 is there twice: neither is meant"
    now += 60
    town.clock.at += 60_000_000
    assert said("2") == {(line, "BusLine.vehicles"): 0, (stop, "BusStop.next_bus"): 1.5}
    now += 60
    town.clock.at += 60_000_000
    feed = feed_of({"kind": "gtfs-rt", "address": f"file://{tmp_path}/now.pb", "feed": "b"})
    assert said("12")[("urn:zs:BusLine:b-2", "BusLine.vehicles")] == 1


@pytest.mark.parametrize("content", [b"<html>not found</html>", b"\x0a\xff", b"\x0a", b"", b"\x12\x00"])
def test_a_message_that_is_none_waits_in_the_quarantine(town: Any, tmp_path: Path, feed_of: Callable[..., Feed], journal: SqliteJournal, content: bytes) -> None:
    (tmp_path / "now.pb").write_bytes(content)
    held = feed_of({"kind": "gtfs-rt", "address": f"file://{tmp_path}/now.pb"})
    for _ in range(2):
        held.once()
    assert [row["code"] for row in journal.quarantine("open", 0, 9)] == ["connector.bad_gtfs"]
    assert held.report()["last_error"]["code"] == "connector.bad_gtfs" and not held.report()["failing"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300) | st.binary(max_size=80).map(lambda tail: b"\x0a\x05\x0a\x032.0\x12" + bytes([len(tail)]) + tail))
def test_any_bytes_are_readings_or_a_row_of_the_quarantine(town: Any, tmp_path: Path, feed_of: Callable[..., Feed], content: bytes) -> None:
    (tmp_path / "now.pb").write_bytes(content)
    held = feed_of({"kind": "gtfs-rt", "address": f"file://{tmp_path}/now.pb"})
    for part in held.reader.read({}, held._stop):
        assert part.mark and (part.batch is None or part.batch.refused or part.batch.readings is not None)


def test_hostile_messages_cost_only_themselves(town: Any, tmp_path: Path, feed_of: Callable[..., Feed], journal: SqliteJournal, record: list[Entry]) -> None:
    from google.transit import gtfs_realtime_pb2

    now = town.clock.at // 1_000_000
    message = gtfs_realtime_pb2.FeedMessage()
    message.header.gtfs_realtime_version, message.header.timestamp = "2.0", now - 90_000
    for n, (id_, lon, speed, at) in enumerate(
        [("1", 1.5, 10.0, now), ("编 号/2", 1e30, 1.0, now), ("3", float("nan"), float("inf"), now), ("4", 1.5, 1e9, 2**64 - 1), ("", 1.5, 1.0, 0), ("x" * 5000, 1.5, 1.0, now)]
    ):
        entity = message.entity.add(id=f"e{n}")
        entity.vehicle.vehicle.id, entity.vehicle.timestamp = id_, at
        entity.vehicle.position.longitude, entity.vehicle.position.latitude, entity.vehicle.position.speed = lon, 2.5, speed
    message.entity.add(id="gone", is_deleted=True)
    (tmp_path / "now.pb").write_bytes(message.SerializeToString())
    held = feed_of({"kind": "gtfs-rt", "address": f"file://{tmp_path}/now.pb"})
    held.once()
    names = {r["entity"] for r in stored(record)}
    assert "urn:zs:Vehicle:1" in names and "urn:zs:Vehicle:e4" in names and not any(name.endswith(":4") for name in names)
    assert len([r for r in stored(record) if r["entity"] == "urn:zs:Vehicle:1"]) == 3 and journal.counts()["open"]["quarantined"] > 0
    assert held.report()["last_error"]["code"] == "connector.old_gtfs"


def test_a_message_that_stands_still_is_told_of_once_it_is_old(
    town: Any, tmp_path: Path, feed_of: Callable[..., Feed], journal: SqliteJournal, caplog: pytest.LogCaptureFixture
) -> None:
    from google.transit import gtfs_realtime_pb2

    message = gtfs_realtime_pb2.FeedMessage()
    message.header.gtfs_realtime_version, message.header.timestamp = "2.0", town.clock.at // 1_000_000
    entity = message.entity.add(id="1")
    entity.vehicle.vehicle.id, entity.vehicle.position.longitude, entity.vehicle.position.latitude = "1", 1.5, 2.5
    (tmp_path / "now.pb").write_bytes(message.SerializeToString())
    held = feed_of({"kind": "gtfs-rt", "address": f"file://{tmp_path}/now.pb", "max_age": "10m"})
    held.once()
    assert held.report()["last_error"] is None
    before = accepted(journal)
    for _ in range(3):
        town.clock.at += 11 * 60 * 1_000_000
        held.once()
    assert held.report()["last_error"]["code"] == "connector.old_gtfs" and not held.report()["failing"]
    assert caplog.text.count("connector.old_gtfs") == 1 and accepted(journal) == before
    again = feed_of({"kind": "gtfs-rt", "address": f"file://{tmp_path}/now.pb", "max_age": "10m"})
    again.once()
    assert again.report()["last_error"]["code"] == "connector.old_gtfs", "also after a start"


def test_an_extra_that_is_not_there_is_named(tmp_path: Path, feed_of: Callable[..., Feed], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("google.transit", "psycopg", "pymysql", "asyncua.sync", "pymodbus.client"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    (tmp_path / "x").write_bytes(b"\0")
    node = {"entity": "urn:zs:Gauge:1", "property": "Gauge.rain"}
    for row in (
        {"kind": "gtfs-rt", "address": f"file://{tmp_path}/x"},
        {"kind": "postgresql", "address": "postgresql://h/d", "table": "t", "watermark": "w"},
        {"kind": "mysql", "address": "mysql://h/d", "table": "t", "watermark": "w"},
        {"kind": "opcua", "address": "opc.tcp://h", "nodes": [node | {"node": "i=1"}]},
        {"kind": "modbus", "address": "modbus://h", "registers": [node | {"at": 1}]},
    ):
        with pytest.raises(Problem, match=r"pip install 'zhongshu\[feeds\]'"):
            feed_of(row).once()
