"""Lines between a city and its districts 数联: a district's node sends its readings up, the city takes them in, whatever the line does meanwhile.

The district puts messages into a stream of its own NATS server, a leaf of the city's; the city acknowledges one when its journal has it, and then it
leaves the stream. So a cut line costs nothing until the stream's limit, and beyond it the district waits: its own record holds what is to be sent.
"""

import fnmatch
import hashlib
import json
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongshu.engines.ducklake import DuckLake
from zhongshu.engines.nats_client import NatsClient
from zhongshu.engines.parquet_files import write_durably
from zhongshu.kernel.area import UNIT, Level, unplaced
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.journal import Batch, Receipt, Refused
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.quantity import Property
from zhongshu.kernel.reading import SCHEMA, from_table
from zhongshu.sense import Intake, Pipe, Registry, Source, receive_own, to_document

STREAM, SUBJECT = "zs-up", "zs.up"
NO_DOMAIN = declare(
    "link.no_domain",
    "invalid",
    zh=("{url} 的 NATS 没有 JetStream 域名：市里分不清是哪条线路。", "请在它的配置里写 jetstream {{ domain: 区的名字 }}。"),
    en=("The NATS server at {url} names no JetStream domain: the city could not tell which line it is.", "Write jetstream {{ domain: <the district> }} into its configuration."),
)
FOREIGN = declare(
    "link.foreign",
    "invalid",
    zh=("属性 {property} 在对端的单位或分辨率不同（{theirs}），本市是 {ours}。", "请让两端装同一版专题包。"),
    en=("The property {property} has another unit or resolution at the other end ({theirs}) than here ({ours}).", "Install the same packs at both ends."),
)
UNREADABLE = declare(
    "link.unreadable",
    "invalid",
    zh=("对端送来的消息读不了：{why_zh}。", "它已整条留在问题数据里；请检查对端的版本。"),
    en=("A message from the other end cannot be read: {why_en}.", "It is kept whole among the problem data; check the version at the other end."),
)
MOST_AREA = 10**15
AT_ONCE = 2_000
"""At most so many readings go into a message."""
LOOK = 0.5
FETCH = 16
PROBE = 1.0
WINDOW = 60
"""Probes of so many seconds are counted."""
_log = logging.getLogger(__name__)


class _Message(msgspec.Struct, array_like=True):
    """Readings of a stretch of the journal: when it was sent (µs), entities that are new on this line, and what each property's ticks mean."""

    sent: int
    entities: bytes
    properties: dict[str, tuple[str, str]]
    readings: bytes


class _Entity(msgspec.Struct):
    id: str
    type: str
    name_zh: str
    name_en: str
    area: int
    lon: float | None
    lat: float | None
    owner: str
    grade: int
    facets: str


class Uplink:
    """The district's side: a thread that sends what its record has beyond a cursor, and one that probes."""

    def __init__(self, url: str, limit_mb: int, what: str, lake: DuckLake, registry: Registry, folder: Path) -> None:
        """Connect to the node's own server; `what`: patterns of properties, with commas between. Raises what the server refuses, `link.no_domain`."""
        self._line = NatsClient(url, "zhongshu uplink")
        self._line.durable()
        self._lake, self._registry, self._what = lake, registry, [p.strip() for p in what.split(",")]
        self.domain = str(self._line.connection._server_info.get("domain") or "")  # noqa: SLF001 (the library shows it nowhere else)
        if not self.domain:
            raise NO_DOMAIN(url=self._line.shown)
        self._file = folder / "uplink.json"
        self._done = json.loads(self._file.read_text())["offset"] if self._file.exists() else 0
        self.limit, self.held = limit_mb << 20, 0
        self._told: set[str] = set()
        self._stop = threading.Event()
        self._line.call(self._make())
        self._threads = [threading.Thread(target=run, name=name, daemon=True) for name, run in (("uplink", self._run), ("probes", self._probe))]

    async def _make(self) -> None:
        from nats.js.api import DiscardPolicy, RetentionPolicy, StreamConfig  # noqa: PLC0415 (an extra's)
        from nats.js.errors import NotFoundError  # noqa: PLC0415 (an extra's)

        wanted = StreamConfig(name=STREAM, subjects=[SUBJECT], retention=RetentionPolicy.WORK_QUEUE, max_bytes=self.limit, discard=DiscardPolicy.NEW)
        try:
            await self._line.stream.stream_info(STREAM)
            await self._line.stream.update_stream(wanted)
        except NotFoundError:
            await self._line.stream.add_stream(wanted)

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop after the message under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        self._line.close()

    def behind(self) -> int:
        """Return how many of the journal's groups are not in the stream yet."""
        return max(0, self._lake.reaches() - self._done)

    def _run(self) -> None:
        while not self._stop.wait(LOOK):
            try:
                self.held = self._line.call(self._line.stream.stream_info(STREAM)).state.bytes
                self._send()
            except Exception as error:  # noqa: BLE001 (the record holds what is to be sent; the next turn tries again)
                _log.warning("uplink.waits %s", error)

    def _send(self) -> None:
        """Send what is known beyond the cursor, a message at a time; the cursor moves when the message is on this server's disk."""
        head = self._lake.reaches()  # not the journal's: a group is there a moment before readers see it
        sql = 'SELECT * EXCLUDE (written) FROM versions WHERE "offset" > $after AND "offset" <= $head AND source NOT IN (\'desk\', \'links.probes\') ORDER BY "offset"'
        table = self._lake.query(sql, {"after": self._done, "head": head}) if head > self._done else SCHEMA.empty_table()
        names = table["property"].unique().to_pylist()
        wanted = [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in self._what)]
        table = table.filter(pc.is_in(table["property"], pa.array(wanted, pa.string())))
        for at in range(0, len(table), AT_ONCE):
            if self._stop.is_set():
                return
            self._publish(table.slice(at, AT_ONCE))
            if at + AT_ONCE < len(table):  # of a group that is sent in part the cursor stays before it: it is sent again whole after a crash, and once at the other end
                self._moved(int(table["offset"][at + AT_ONCE].as_py()) - 1)
        self._moved(head)

    def _publish(self, part: pa.Table) -> None:
        entities = [name for name in part["entity"].unique().to_pylist() if name not in self._told]
        rows = [row for row in map(self._registry.entity, entities) if row is not None]
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, part.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            writer.write_table(part)
        held = {p.name: (p.unit, p.resolution) for p in self._registry.property_rows}
        meant = {name: held[name] for name in part["property"].unique().to_pylist() if name in held}
        documents = json.dumps([to_document(row) for row in rows], ensure_ascii=False).encode()
        message = msgspec.msgpack.encode(_Message(time.time_ns() // 1000, documents, meant, bytes(sink.getvalue())))
        self._line.call(self._line.stream.publish(SUBJECT, message, stream=STREAM))
        self._told.update(entities)

    def _moved(self, offset: int) -> None:
        if offset > self._done:
            self._done = offset
            write_durably(self._file, json.dumps({"offset": offset}).encode())

    def _probe(self) -> None:
        count = 0
        while not self._stop.wait(PROBE):
            count += 1
            self._line.tell(f"{SUBJECT}.{self.domain}.probe", json.dumps({"n": count, "at": time.time_ns() // 1000}).encode())


@dataclass(slots=True)
class _Probes:
    """What came of a line's probes: (second of arrival, number, delay in µs)."""

    since: float
    heard: deque[tuple[float, int, int]]
    known: bool = False
    waiting: int = 0


class Downlink:
    """The city's side: a thread for each line that takes messages in, and one that measures the lines."""

    def __init__(self, url: str, pipe: Pipe, intake: Intake, sources: dict[str, Source], add_source: Callable[[Source], None]) -> None:
        """Connect to the city's server: `nats://host:port?domain=east&domain=west`, a domain a district. Raises `nats.unreached`."""
        self._line = NatsClient(url, "zhongshu links")
        self._pipe, self._intake, self._sources = pipe, intake, sources
        self.domains = parse_qs(urlsplit(url).query).get("domain", [])
        for domain in self.domains:
            if source_of(domain) not in sources:
                add_source(Source(source_of(domain), f"数联：{domain}", f"Link: {domain}", "dept-data", entities="register"))
        self._own = Source("links.probes", "线路探测", "Probes of the links", "dept-data", entities="register")
        sources.setdefault(self._own.name, self._own)
        now = time.monotonic()
        self._probes = {domain: _Probes(now, deque(maxlen=10 * WINDOW)) for domain in self.domains}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(domain,), name=f"link {domain}", daemon=True) for domain in self.domains]
        self._threads.append(threading.Thread(target=self._measure, name="links", daemon=True))

    def start(self) -> None:
        """Begin to take in."""
        for domain in self.domains:
            self._line.hear(f"{SUBJECT}.{domain}.probe", lambda content, of=domain: self._hear(of, content))  # type: ignore[misc]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop after the messages under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        self._line.close()

    def _run(self, domain: str) -> None:
        """Take a line's messages in, in their order; while the line is down, ask again."""
        consumer: Any = None
        stream = self._line.connection.jetstream(domain=domain, timeout=5)
        while not self._stop.is_set():
            try:
                consumer = consumer or self._line.call(stream.pull_subscribe(SUBJECT, durable="city", stream=STREAM, config=_in_order()))
                some = self._line.call(consumer.fetch(FETCH, timeout=1), 20)
            except Exception as error:  # noqa: BLE001 (nothing came, or the line is down: what waits, waits at the other end)
                if "timeout" not in str(error).lower():
                    consumer = None
                    self._stop.wait(0.5)
                continue
            if some:
                self._probes[domain].waiting = some[-1].metadata.num_pending
            while some and self._kept(some[0], self._take(domain, some[0])):
                some.pop(0)
            for message in some:  # in their order: what comes again must not overtake what came after it
                self._line.post(lambda m=message: m.nak(delay=1))  # type: ignore[misc]

    def _take(self, domain: str, message: Any) -> "Future[Receipt]":  # noqa: ANN401 (the library's message)
        source, digest = self._sources[source_of(domain)], hashlib.sha256(message.data).hexdigest()
        batch = Batch("readings", source.name, f"{domain}:{message.metadata.sequence.stream}:{digest[:12]}", digest, source.version)
        try:
            self._read(batch, message.data)
        except Exception as error:  # noqa: BLE001 (whatever a district sends, it costs nothing but itself)
            why_ = str(error)[:200] or type(error).__name__
            batch = replace(
                batch, readings=None, entities=[], refused=[Refused(0, UNREADABLE.code, {"why_zh": why_, "why_en": why_}, message.data[:2000].decode("utf-8", "backslashreplace"))]
            )
        try:
            return self._pipe.submit(batch)
        except Problem as problem:
            refused: Future[Receipt] = Future()
            refused.set_exception(problem)
            return refused

    def _kept(self, message: Any, taken: "Future[Receipt]") -> bool:  # noqa: ANN401 (the library's message)
        """Acknowledge a message when the journal has it, and tell whether it has."""
        try:
            taken.result(60)
            self._line.call(message.ack_sync())
        except Exception as error:  # noqa: BLE001 (it stays at the other end)
            _log.warning("link.not_kept %s", error)
            self._stop.wait(0.5)
            return False
        return True

    def _read(self, batch: Batch, payload: bytes) -> None:
        """Read a message into a batch; its id is its place on the line, so that one that comes again changes nothing. Raises whatever is wrong with it."""
        held = msgspec.msgpack.decode(payload, type=_Message)
        table = pa.ipc.open_stream(held.readings).read_all().select(SCHEMA.names).cast(SCHEMA)
        entities = [self._entity(one) for one in msgspec.json.decode(held.entities, type=list[_Entity])]
        for entity in entities:
            self._intake.register(entity, batch)
        self._fill(batch, table, held.properties)

    def _entity(self, told: _Entity) -> Entity:
        """Return an entity that was told, in its area if that is of this city."""
        facets = msgspec.json.decode(told.facets, type=dict[str, str | int | float])
        if not all(math.isfinite(value) for value in (told.lon or 0.0, told.lat or 0.0, *(v for v in facets.values() if isinstance(v, float)))):
            raise ValueError(told.id)
        city = self._intake.registry.city
        area = told.area if 0 <= told.area < MOST_AREA and told.area // UNIT[Level.CITY] * UNIT[Level.CITY] == city else unplaced(city)
        return Entity(told.id, told.type, told.name_zh, told.name_en, area, told.lon, told.lat, told.owner, told.grade, facets)

    def _fill(self, batch: Batch, table: pa.Table, meant: dict[str, tuple[str, str]]) -> None:
        """Give a batch the readings whose property means the same here and whose entity is known; the others are refused, whole."""
        words = self._intake.registry
        ours: dict[str, Property] = {p.name: p for p in words.property_rows}
        foreign = [name for name in table["property"].unique().to_pylist() if name not in ours or meant.get(name) != (ours[name].unit, ours[name].resolution)]
        strangers = [name for name in table["entity"].unique().to_pylist() if name not in words.entities.numbers]
        bad = pc.or_(pc.is_in(table["property"].cast(pa.string()), pa.array(foreign, pa.string())), pc.is_in(table["entity"].cast(pa.string()), pa.array(strangers, pa.string())))
        for i, row in enumerate(table.filter(bad).to_pylist()):
            own = ours.get(row["property"])
            detail = {"property": row["property"], "theirs": " ".join(meant.get(row["property"], ("?",))), "ours": f"{own.unit} {own.resolution}" if own else "—"}
            batch.refused.append(Refused(i, FOREIGN.code, detail, json.dumps(row, default=str)))
        good = table.filter(pc.invert(bad))
        if len(good):
            plain = {"offset": pa.array(np.zeros(len(good), np.int64)), "source": pa.array([batch.source] * len(good))}
            for name, column in plain.items():
                good = good.set_column(good.schema.get_field_index(name), name, column)
            (batch.readings,) = from_table(good, words.sources, words.entities, words.properties, words.units)
            city = batch.readings.area // UNIT[Level.CITY] * UNIT[Level.CITY] == words.city
            batch.readings.area = np.where(city, batch.readings.area, unplaced(words.city))
            batch.readings.known, batch.readings.rank = 0, None

    # how the lines are

    def _hear(self, domain: str, content: bytes) -> None:
        try:
            said = json.loads(content)
            number, sent = int(said["n"]), int(said["at"])
        except (ValueError, KeyError, TypeError):
            return
        probes, now = self._probes[domain], time.monotonic()
        if not probes.known:
            probes.known, probes.since = True, now - PROBE  # from the first one on, each second one is due
        probes.heard.append((now, number, max(0, time.time_ns() // 1000 - sent)))

    def _measure(self) -> None:
        """Count each line's probes every two seconds, into the record like any reading."""
        while not self._stop.wait(2):
            at = self._intake.clock.now()
            rows = [row for domain in self.domains for row in self._row(domain, at)]
            try:
                self._pipe.submit(receive_own(self._intake, self._own, rows, f"links:{at}")).result(30)
            except Exception as error:  # noqa: BLE001 (the next turn measures again)
                _log.warning("links.not_measured %s", error)

    def _row(self, domain: str, at: int) -> list[dict[str, Any]]:
        probes, now = self._probes[domain], time.monotonic()
        while probes.heard and probes.heard[0][0] < now - WINDOW:
            probes.heard.popleft()
        due = max(1.0, min(WINDOW, now - probes.since) / PROBE)
        share = 100 * (1 - min(1.0, len({number for _, number, _ in probes.heard}) / due))
        newest = [delay for heard, _, delay in list(probes.heard) if heard > now - 2 * PROBE - 1]
        told = {"Link.loss": round(share, 1), "Link.waiting": float(probes.waiting)} | ({"Link.latency": round(max(newest) / 1000)} if newest else {})
        return [{"entity": f"urn:zs:Link:{domain}", "property": name, "time": at, "value": value, "area": unplaced(self._intake.registry.city)} for name, value in told.items()]


def _in_order() -> Any:  # noqa: ANN401 (the library's)
    """Return how messages are given out: none beyond those that are being taken, so that what comes again overtakes nothing."""
    from nats.js.api import ConsumerConfig  # noqa: PLC0415 (an extra's)

    return ConsumerConfig(max_ack_pending=FETCH)


def source_of(domain: str) -> str:
    """Return the name of the source that a line's readings have."""
    return f"link.{domain}"
