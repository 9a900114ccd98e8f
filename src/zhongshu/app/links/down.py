"""The city's side of a line: a thread for each takes messages in, in their order, and acknowledges one when the journal has it."""

import hashlib
import json
import logging
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongshu.app.links.message import STREAM, SUBJECT, Message, Told, source_of
from zhongshu.app.links.probes import Probes
from zhongshu.engines.nats_client import NatsClient
from zhongshu.kernel.area import UNIT, Level, unplaced
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.journal import Batch, Receipt, Refused
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.quantity import Property
from zhongshu.kernel.reading import SCHEMA, from_table
from zhongshu.sense import Intake, Pipe, Source

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
FETCH = 16
_log = logging.getLogger(__name__)


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
        self._probes = Probes(self.domains, pipe, intake, sources)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(domain,), name=f"link {domain}", daemon=True) for domain in self.domains]
        self._threads.append(threading.Thread(target=self._probes.measure, args=(self._stop,), name="links", daemon=True))

    def start(self) -> None:
        """Begin to take in."""
        for domain in self.domains:
            self._line.hear(f"{SUBJECT}.{domain}.probe", lambda content, of=domain: self._probes.hear(of, content))  # type: ignore[misc]
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
                self._probes.waits(domain, some[-1].metadata.num_pending)
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
        held = msgspec.msgpack.decode(payload, type=Message)
        table = pa.ipc.open_stream(held.readings).read_all().select(SCHEMA.names).cast(SCHEMA)
        entities = [self._entity(one) for one in msgspec.json.decode(held.entities, type=list[Told])]
        for entity in entities:
            self._intake.register(entity, batch)
        self._fill(batch, table, held.properties)

    def _entity(self, told: Told) -> Entity:
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


def _in_order() -> Any:  # noqa: ANN401 (the library's)
    """Return how messages are given out: none beyond those that are being taken, so that what comes again overtakes nothing."""
    from nats.js.api import ConsumerConfig  # noqa: PLC0415 (an extra's)

    return ConsumerConfig(max_ack_pending=FETCH)
