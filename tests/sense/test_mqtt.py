"""MQTT against real brokers: acknowledged only when durable; what is published is accepted, once, whatever breaks in between.

amqtt forgets what was not acknowledged when a connection breaks; so what MQTT promises after a kill is tested on mosquitto where it is
installed, and on a small broker here that keeps the promise.
"""

import asyncio
import contextlib
import json
import logging
import resource
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from amqtt.broker import Broker
from paho.mqtt.enums import CallbackAPIVersion

from zhongshu.engines.sqlite_journal import SqliteJournal
from zhongshu.kernel.clock import MINUTE
from zhongshu.kernel.journal import Batch, Entry, Receipt
from zhongshu.kernel.problem import Problem
from zhongshu.sense import MqttReader, Pipe, Source
from zhongshu.sense.readers import mqtt as module


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class Running:
    """A broker on a thread of its own."""

    def __init__(self, port: int) -> None:
        self.port, self.loop = port, asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        config = {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
        self.broker = self.run(self._make(config))
        self.run(self.broker.start())

    async def _make(self, config: dict[str, Any]) -> Broker:
        return Broker(config)

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def stop(self) -> None:
        self.run(self.broker.shutdown())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()


@dataclass
class Session:
    """What outlives a connection."""

    held: dict[int, bytes] = field(default_factory=dict)
    subscribed: bool = False
    last: int = 0
    connection: socket.socket | None = None


class FaithfulBroker:
    """Does what MQTT 3.1.1 says of QoS 1: what is not acknowledged is sent again, with the same id, to the session's next connection.

    Speaks CONNECT, SUBSCRIBE, PUBLISH (QoS 1), PUBACK, PINGREQ and DISCONNECT; every subscriber gets everything.
    """

    def __init__(self, port: int) -> None:
        self.port, self._lock = port, threading.RLock()
        self.sessions: dict[str, Session] = {}
        self._server = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._server.close()
        for session in self.sessions.values():
            if session.connection:
                session.connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        session = Session()
        stream = connection.makefile("rb")
        try:
            while (packet := self._packet(stream)) is not None:
                session = self._handle(connection, session, *packet)
        except OSError:
            pass
        finally:
            connection.close()

    def _packet(self, stream: object) -> tuple[int, bytes] | None:
        head = stream.read(1)  # type: ignore[attr-defined]
        if not head:
            return None
        length = shift = 0
        while True:
            (byte,) = stream.read(1)  # type: ignore[attr-defined]
            length |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                return head[0], stream.read(length)  # type: ignore[attr-defined]

    def _handle(self, connection: socket.socket, session: Session, head: int, body: bytes) -> Session:
        with self._lock:
            match head >> 4:
                case 1:
                    (size,) = struct.unpack(">H", body[10:12])
                    name = body[12 : 12 + size].decode()
                    present = name in self.sessions
                    session = self.sessions.setdefault(name, Session())
                    session.connection = connection
                    connection.sendall(bytes([0x20, 2, int(present), 0]))
                    for mid, message in session.held.items():
                        self._send(session, mid, message, again=True)
                case 3:
                    (size,) = struct.unpack(">H", body[:2])
                    connection.sendall(bytes([0x40, 2]) + body[2 + size : 4 + size])
                    for each in self.sessions.values():
                        if each.subscribed:
                            each.last += 1
                            each.held[each.last] = body[: 2 + size] + struct.pack(">H", each.last) + body[4 + size :]
                            self._send(each, each.last, each.held[each.last])
                case 4:
                    session.held.pop(struct.unpack(">H", body)[0], None)
                case 8:
                    session.subscribed = True
                    connection.sendall(bytes([0x90, 3]) + body[:2] + b"\1")
                case 12:
                    connection.sendall(bytes([0xD0, 0]))
        return session

    def _send(self, session: Session, _mid: int, message: bytes, *, again: bool = False) -> None:
        length, size = len(message), b""
        while True:
            size += bytes([length & 127 | (128 if length > 127 else 0)])
            length >>= 7
            if not length:
                break
        try:
            if session.connection:
                session.connection.sendall(bytes([0x3A if again else 0x32]) + size + message)
        except OSError:
            session.connection = None


def until(what: Callable[[], bool]) -> None:
    for _ in range(1000):
        if what():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


class Mosquitto:
    """The broker of most cities, as a process of its own."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port = port
        (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        self.process = subprocess.Popen(["mosquitto", "-c", str(folder / "mosquitto.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._listens)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    kind = getattr(request, "param", "amqtt")
    if kind == "mosquitto" and shutil.which("mosquitto") is None:
        pytest.skip("mosquitto is not installed")
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    running = Running(free_port()) if kind == "amqtt" else Mosquitto(free_port(), tmp_path) if kind == "mosquitto" else FaithfulBroker(free_port())
    yield running
    running.stop()


@pytest.fixture
def publisher(broker: Any) -> Iterator[mqtt.Client]:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="device")
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def payload(at: int, i: int) -> bytes:
    return json.dumps({"entity": "urn:zs:Gauge:1", "property": "Gauge.rain", "time": (at - MINUTE) // 1000 + i, "value": i}).encode()


def publish(client: mqtt.Client, source: str, *payloads: bytes) -> None:
    for content in payloads:
        client.publish(f"zhongshu/{source}", content, qos=1).wait_for_publish(10)


@pytest.fixture
def reader(desk: Any, broker: Any) -> Iterator[Callable[..., MqttReader]]:
    opened: list[MqttReader] = []

    def start(submit: Callable[[Batch], "Future[Receipt]"]) -> MqttReader:
        sources = {s.name: s for s in (desk.known, desk.open, Source("voices", "诉求", "Voices", "city", kind="requests"))}
        opened.append(MqttReader(f"mqtt://127.0.0.1:{broker.port}", "zhongshu-test", sources, desk.intake, submit))
        ready = threading.Event()
        opened[-1]._client.on_subscribe = lambda *_: ready.set()
        opened[-1].start()
        assert ready.wait(60)
        return opened[-1]

    yield start
    for each in opened:
        each.stop()


def killed(reader: MqttReader) -> None:
    """Break off as a killed process does: no word to the broker."""
    reader._stop.set()
    reader._client._sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]
    reader._thread.join(10)


def test_what_is_published_is_accepted_and_what_is_bad_is_kept_whole(desk: Any, pipe: Pipe, journal: SqliteJournal, reader: Any, publisher: mqtt.Client) -> None:
    acks: list[int] = []
    held = reader(pipe.submit)
    ack = held._client.ack
    held._client.ack = lambda mid, qos: acks.append(mid) or ack(mid, qos)
    publish(publisher, "known", *(payload(desk.clock.at, i) for i in range(30)), b"\x1f\x8btorn", payload(desk.clock.at, 0) + b"\n{bad")
    publish(publisher, "voices", b'{"id":"r1","text":"\xe8\xb7\xaf\xe7\x81\xaf"}')
    publish(publisher, "nobody", b"something")
    until(lambda: len(acks) == 34)
    counts = journal.counts()
    assert (counts["known"]["accepted"], counts["known"]["quarantined"], counts["known"]["duplicates"]) == (30, 2, 1)
    assert counts["voices"]["accepted"] == 1 and counts["nobody"]["quarantined"] == 1
    torn, bad = journal.quarantine("known", 0, 10)
    assert (torn["code"], bad["code"], bad["raw"]) == ("intake.unreadable", "reading.unreadable", "{bad") and "torn" in torn["raw"]
    assert journal.quarantine("nobody", 0, 10)[0]["code"] == "source.unknown" and journal.quarantine("nobody", 0, 10)[0]["raw"] == "something"


@pytest.mark.parametrize("broker", ["faithful", "mosquitto"], indirect=True)
def test_nothing_is_acknowledged_before_it_is_durable_and_a_kill_in_between_loses_nothing(
    desk: Any,
    pipe: Pipe,
    journal: SqliteJournal,
    record: list[Entry],
    reader: Any,
    publisher: mqtt.Client,
) -> None:
    lost: list[Batch] = []

    def never(batch: Batch) -> "Future[Receipt]":
        lost.append(batch)
        return Future()

    first = reader(never)
    acks: list[int] = []
    first._client.ack = lambda mid, _: acks.append(mid)
    publish(publisher, "known", *(payload(desk.clock.at, i) for i in range(5)))
    until(lambda: len(lost) == 5)
    assert acks == [] and journal.head() == 0
    killed(first)
    durable: list[Batch] = []

    def only_durable(batch: Batch) -> "Future[Receipt]":
        pipe.submit(batch).result(10)
        durable.append(batch)
        return Future()  # written, but the process goes before the broker hears of it

    second = reader(only_durable)
    until(lambda: len(durable) >= 5)
    killed(second)
    third = reader(pipe.submit)
    publish(publisher, "known", payload(desk.clock.at, 99))
    until(lambda: journal.counts()["known"]["accepted"] >= 6)
    rows = [r["ticks"] for e in record if e.table is not None for r in e.table.to_pylist()]
    assert sorted(rows) == [0, 10, 20, 30, 40, 990], "everything once"
    third.stop()


def test_what_cannot_be_kept_now_is_kept_later(desk: Any, pipe: Pipe, journal: SqliteJournal, reader: Any, publisher: mqtt.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN", 0.05)
    pipe._floor = 2**62
    acks: list[int] = []
    held = reader(pipe.submit)
    ack = held._client.ack
    held._client.ack = lambda mid, qos: acks.append(mid) or ack(mid, qos)
    publish(publisher, "known", payload(desk.clock.at, 1))
    time.sleep(0.2)
    assert acks == [] and journal.head() == 0
    pipe._floor = 0
    until(lambda: len(acks) == 1)
    assert journal.counts()["known"]["accepted"] == 1


def test_it_connects_again(desk: Any, pipe: Pipe, journal: SqliteJournal, reader: Any, publisher: mqtt.Client) -> None:
    held = reader(pipe.submit)
    publish(publisher, "known", payload(desk.clock.at, 1))
    until(lambda: journal.head() == 1)
    connection = held._connection
    held._client._sock.shutdown(socket.SHUT_RDWR)
    until(lambda: held._connection > connection)
    publish(publisher, "known", payload(desk.clock.at, 2))
    until(lambda: journal.counts()["known"]["accepted"] == 2)


def test_it_reads_with_a_thousand_files_open(desk: Any, pipe: Pipe, journal: SqliteJournal, reader: Any, publisher: mqtt.Client) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1500:
        pytest.skip("this process may not open 1,500 files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1500), hard))
    with contextlib.ExitStack() as files:
        for _ in range(1100):
            files.enter_context(Path("/dev/null").open("rb"))
        held = reader(pipe.submit)
        publish(publisher, "known", payload(desk.clock.at, 1))
        until(lambda: journal.counts().get("known", {}).get("accepted") == 1)
        assert held._client.socket().fileno() > 1023


@pytest.mark.parametrize("url", ["", "localhost", "http://x", "mqtt://", "mqtt://h:port", "mqtt://h:99999"])
def test_an_address_that_cannot_be_read_is_a_problem(desk: Any, url: str) -> None:
    with pytest.raises(Problem, match=r"mqtt\.bad_url") as told:
        MqttReader(url, "x", {}, desk.intake, lambda _: Future())
    assert told.value.remedy("zh")
