"""The district's side of a line: what its record has beyond a cursor goes into its own server's stream; the cursor moves when it is on that server's disk."""

import fnmatch
import json
import logging
import threading
import time
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from zhongshu.app.links.message import PROBE, STREAM, SUBJECT, Message
from zhongshu.engines.ducklake import DuckLake
from zhongshu.engines.nats_client import NatsClient
from zhongshu.engines.parquet_files import write_durably
from zhongshu.kernel.problem import declare
from zhongshu.sense import Registry, to_document

NO_DOMAIN = declare(
    "link.no_domain",
    "invalid",
    zh=("{url} 的 NATS 没有 JetStream 域名：市里分不清是哪条线路。", "请在它的配置里写 jetstream {{ domain: 区的名字 }}。"),
    en=("The NATS server at {url} names no JetStream domain: the city could not tell which line it is.", "Write jetstream {{ domain: <the district> }} into its configuration."),
)
AT_ONCE = 2_000
"""At most so many readings go into a message."""
LARGEST = (1 << 20) - 4096
"""Bytes of a message at most: what a server takes where nobody says otherwise, here or at the city."""
GROUPS = 256
"""So many of the journal's groups are read at once: after a long cut the record holds more than memory does."""
LOOK, LONGEST = 0.5, 5.0
"""Seconds between looks: doubled each time nothing could be sent."""
_log = logging.getLogger(__name__)


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
        pause, told = LOOK, ""
        while not self._stop.wait(pause):
            try:
                self.held = self._line.call(self._line.stream.stream_info(STREAM)).state.bytes
                while not self._stop.is_set() and (head := self._lake.reaches()) > self._done:  # not the journal's: a group is there a moment before readers see it
                    self._send(min(head, self._done + GROUPS))
                pause, told = LOOK, ""
            except Exception as error:  # noqa: BLE001 (the record holds what is to be sent; the next turn tries again)
                said = str(error) or type(error).__name__
                if said != told:
                    _log.warning("uplink.waits %s", said)
                pause, told = min(2 * pause, LONGEST), said

    def _send(self, head: int) -> None:
        """Send what lies beyond the cursor, a message at a time; the cursor moves when the message is on this server's disk."""
        sql = 'SELECT * EXCLUDE (written) FROM versions WHERE "offset" > $after AND "offset" <= $head AND source NOT IN (\'desk\', \'links.probes\') ORDER BY "offset"'
        table = self._lake.query(sql, {"after": self._done, "head": head})
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
        """Put readings into the stream, in as many messages as its server takes."""
        entities = [name for name in part["entity"].unique().to_pylist() if name not in self._told]
        rows = [row for row in map(self._registry.entity, entities) if row is not None]
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, part.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            writer.write_table(part)
        held = {p.name: (p.unit, p.resolution) for p in self._registry.property_rows}
        meant = {name: held[name] for name in part["property"].unique().to_pylist() if name in held}
        documents = json.dumps([to_document(row) for row in rows], ensure_ascii=False).encode()
        message = msgspec.msgpack.encode(Message(time.time_ns() // 1000, documents, meant, bytes(sink.getvalue())))
        if len(message) > min(LARGEST, self._line.room()) and len(part) > 1:
            self._publish(part.slice(0, len(part) // 2))
            self._publish(part.slice(len(part) // 2))
            return
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
