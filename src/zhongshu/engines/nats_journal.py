"""The journal on NATS JetStream: a group is one message, and it is acknowledged when JetStream has it on disk. The SQLite file is its index and can be behind.

One writer: every message names the sequence it must follow, so whoever writes beside us is refused by the server; and an owner answers on the city's
subject, so that a second one is refused when it opens. What the index has not seen is read again from the stream.
"""

import asyncio
import contextlib
import itertools
import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zhongshu.engines import journal_group
from zhongshu.engines.journal_group import Group, group, pack, seal, unpack
from zhongshu.engines.nats_client import PATIENCE, NatsClient
from zhongshu.engines.sqlite_journal import JOURNAL_FULL, WANTED, Row, SqliteJournal
from zhongshu.kernel.journal import Batch, Entry, Receipt
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.reading import Readings
from zhongshu.kernel.reason import why

OWNED = declare(
    "journal.owned",
    "conflict",
    zh=("这座城市的日志正由另一个进程写（{who}）。", "一座城市只有一个进程写日志：请先停下另一个。"),
    en=("Another process writes this city's journal ({who}).", "A city's journal has one writer: stop the other one first."),
)
NOT_KEPT = declare(
    "journal.not_kept",
    "unavailable",
    zh=("日志没有写成：{why_zh}。", "请稍后用同样的批次号重发；已确认的数据没有丢失。"),
    en=("The journal could not write: {why_en}.", "Send the same batch again in a moment; nothing acknowledged is lost."),
)
PARTED = declare(
    "journal.parted",
    "conflict",
    zh=("城市的日志索引到第 {ours} 条消息，NATS 流 {stream} 里是 {first}–{last}：对不上。", "请给出这座城市原来的 NATS，或从备份恢复。"),
    en=(
        "The city's index of its journal ends at message {ours}; the stream {stream} holds {first}–{last}: they are not of one city.",
        "Give the city's own NATS, or restore a backup.",
    ),
)

_PLACES = "CREATE TABLE IF NOT EXISTS place (seq INTEGER PRIMARY KEY, parts INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL)"
"""Of each message that is still there: its first sequence, in how many parts it came, and the offsets of its entries (none: first > last)."""
_PLACE = "INSERT INTO place VALUES (?, ?, ?, ?)"
_ROWS = f"""SELECT e.offset, e.kind, e.known, e.count, e.payload, e.crc, p.seq, p.parts FROM entry e LEFT JOIN place p ON e.offset BETWEEN p.first AND p.last
WHERE e.offset > ? AND e.offset <= ? AND {WANTED} ORDER BY e.offset"""
AT_ONCE = 32
"""So many messages are asked for at a time."""
FULL = {10023, 10047, 10077}
"""JetStream's codes for no room: insufficient resources, storage resources exceeded, maximum bytes exceeded."""
OUT_OF_TURN = 10071
FENCES = 5
HEARD = 0.3
"""So many seconds another owner is listened for."""


class NatsJournal(SqliteJournal):
    """One city's journal in one stream. `append` is called by one thread; reads may come from any."""

    _upto = 2**62
    """The last offset that is read: all there are."""

    def __init__(self, url: str, path: Path, name: str) -> None:
        """Open or make the journal `name`; raises `nats.unreached`, `nats.not_durable`, `journal.owned`, `journal.parted`."""
        self._nats = NatsClient(url, f"zhongshu {name}")
        self._name, self._subject, self._me = f"zs-{name}", f"zs.{name}.journal", uuid.uuid4().hex
        self._doubt: tuple[str, Group, list[Entry]] | None = None
        self._late: list[Entry] = []
        self._numbers = itertools.count()
        try:
            self._nats.durable()
            self._alone(f"zs.{name}.owner")
            super().__init__(path, synchronous="NORMAL")
            self._write.execute(_PLACES)
            self._open()
        except Exception as error:
            self._nats.close()
            if isinstance(error, Problem):
                raise
            raise NOT_KEPT(**why(error, "NATS 没有应答")) from error

    def _alone(self, subject: str) -> None:
        """Say who owns the city, and refuse to be a second owner."""
        me = json.dumps({"id": self._me, "name": self._nats.connection._client_id}).encode()  # noqa: SLF001 (the library shows it nowhere else)
        self._nats.answer(subject, lambda _, say: say(me))
        others = [told for told in self._nats.ask_all(subject, HEARD) if told.get("id") != self._me]
        if others:
            raise OWNED(who=f"NATS client {others[0].get('name')}")

    def _open(self) -> None:
        """Make the stream where there is none, and take into the index what it has not seen."""
        from nats.js.api import StreamConfig  # noqa: PLC0415 (an extra's)
        from nats.js.errors import NotFoundError  # noqa: PLC0415 (an extra's)

        try:
            state = self._state()
        except NotFoundError:
            self._nats.call(self._nats.stream.add_stream(StreamConfig(name=self._name, subjects=[self._subject], allow_direct=True)))
            state = self._state()
        (self._last,) = self._write.execute("SELECT coalesce(max(seq + parts - 1), 0) FROM place").fetchone()
        if not state.first_seq - 1 <= self._last <= state.last_seq:
            raise PARTED(ours=self._last, stream=self._name, first=state.first_seq, last=state.last_seq)
        for seq, parts, held in self._groups(self._last + 1, state.last_seq):
            self._note(held, (seq, parts))
        self._last = state.last_seq

    def _state(self) -> Any:  # noqa: ANN401 (the library's)
        return self._nats.call(self._nats.stream.stream_info(self._name)).state

    def _groups(self, first: int, last: int) -> Iterator[tuple[int, int, Group]]:
        """Yield the whole groups among messages, with sequence and number of parts; of a group that was never finished nothing was acknowledged."""
        parts: list[bytes] = []
        for start in range(first, last + 1, AT_ONCE):
            for message in self._messages(range(start, min(start + AT_ONCE, last + 1))):
                if (place := _part(message)) is None:
                    continue  # a fence, or a stranger's: it holds no group of ours
                nth, of = place
                parts = [*parts, message.data] if nth > 1 else [message.data]
                if len(parts) == nth == of:
                    yield message.seq - of + 1, of, unpack(b"".join(parts))

    def _messages(self, sequences: "range | list[int]") -> list[Any]:
        async def all_() -> list[Any]:
            return await asyncio.gather(*(self._nats.stream.get_msg(self._name, seq, direct=True) for seq in sequences))

        return self._nats.call(all_(), 60)

    # writing

    def append(self, batches: list[Batch], known: int, readings: Readings | None = None) -> tuple[list[Receipt], list[Entry]]:
        """Make a group durable as one message; raises `journal.not_kept`, `journal.full`, `journal.owned`. Where it was not known before whether a group was kept, and it was, its entries come first."""
        self._resolve()
        held, receipts, entries = group(batches, known, readings, self._head)
        name = f"{self._me}:{next(self._numbers)}"
        self._doubt = name, held, entries
        try:
            self.keep(_index(held), lambda c: c.execute(_PLACE, self._place(held, *self._publish(name, held))))
        except Exception as error:
            if not self._resolve():
                raise error if isinstance(error, sqlite3.Error | Problem) else _told(error) from error
        else:
            self._doubt = None
            self._late += entries
        given, self._late = self._late, []
        return receipts, given

    def _publish(self, name: str, held: Group) -> tuple[int, int]:
        """Publish a group, in parts where it is larger than a message may be; return its sequence and the number of parts."""
        content, room = pack(held), self._nats.room()
        parts = [content[at : at + room] for at in range(0, len(content), room)]

        async def send() -> int:
            seq = self._last
            for nth, part in enumerate(parts, 1):
                headers = {"Nats-Expected-Last-Sequence": str(seq), "Zs-Part": f"{nth}/{len(parts)}", "Zs-Group": name}
                seq = (await self._nats.stream.publish(self._subject, part, timeout=PATIENCE, stream=self._name, headers=headers)).seq
            return int(seq)

        self._last = self._nats.call(send(), PATIENCE * (1 + len(parts)))
        return self._last - len(parts) + 1, len(parts)

    def late(self) -> list[Entry]:
        """Return the entries of a group that was kept although nobody could be told so, once; raises `journal.not_kept` while that cannot be known."""
        self._resolve()
        given, self._late = self._late, []
        return given

    def _resolve(self) -> bool:
        """Find out what became of a group that may have been kept, and tell whether it was; then its entries are late. Raises `journal.not_kept` while that cannot be known."""
        if self._doubt is None:
            return False
        name, held, entries = self._doubt
        (noted,) = self._write.execute("SELECT coalesce(max(seq + parts - 1), 0) FROM place").fetchone()
        try:
            last = self._fenced()
            groups = [m for m in self._messages(range(noted + 1, last)) if _part(m) is not None]
        except Exception as error:
            raise NOT_KEPT(**why(error, "NATS 没有应答")) from error
        if any(not m.headers.get("Zs-Group", "").startswith(self._me) for m in groups):
            raise OWNED(who=self._name)
        mine = [m for m in groups if m.headers["Zs-Group"] == name]
        whole = bool(mine) and mine[-1].headers["Zs-Part"] == f"{len(mine)}/{len(mine)}"
        if whole:
            self._note(held, (mine[0].seq, len(mine)))
            self._late += entries
        self._last, self._doubt = last, None
        return whole

    def _fenced(self) -> int:
        """Publish a message that holds nothing, and return its sequence: whatever was on its way before it can no longer be stored."""
        from nats.js.errors import APIError  # noqa: PLC0415 (an extra's)

        for _ in range(FENCES):
            last = self._state().last_seq
            headers = {"Nats-Expected-Last-Sequence": str(last), "Zs-Fence": self._me}
            try:
                return int(self._nats.call(self._nats.stream.publish(self._subject, b"", timeout=PATIENCE, stream=self._name, headers=headers)).seq)
            except APIError as error:
                if error.err_code != OUT_OF_TURN:
                    raise
        message = "messages kept coming"
        raise TimeoutError(message)

    def _note(self, held: Group, message: tuple[int, int]) -> None:
        """Note a message (sequence, number of parts) in the index."""
        self.keep(_index(held), lambda c: c.execute(_PLACE, self._place(held, *message)))

    def _place(self, held: Group, seq: int, parts: int) -> tuple[int, int, int, int]:
        first, last = (held.entries[0][0], held.entries[-1][0]) if held.entries else (self._head + 1, self._head)
        return seq, parts, first, last

    def reached(self) -> bool:
        """Tell whether the stream's server is there."""
        return self._nats.connected()

    def last(self) -> int:
        """Return the sequence of the last message."""
        return int(self._last)

    @property
    def line(self) -> NatsClient:
        """Return the connection, for what is said beside the journal."""
        return self._nats

    # moving in

    def empty(self) -> bool:
        """Tell whether nothing was ever in it."""
        return not self._last and not self._head

    def take(self, held: Group) -> None:
        """Publish a group as it is; raises what the stream refuses."""
        self.keep(_index(held), lambda c: c.execute(_PLACE, self._place(held, *self._publish(f"{self._me}:{next(self._numbers)}", held))))

    def adopt(self, path: Path) -> None:
        """Take over all that an embedded journal's file holds beside its entries."""
        self._write.execute("ATTACH ? AS old", (str(path),))
        with self._transaction() as c:
            for table in ("batch", "quarantine", "request_key", "counter"):
                c.execute(f"INSERT INTO {table} SELECT * FROM old.{table}")
        self._write.execute("DETACH old")
        self._write.execute("PRAGMA synchronous=FULL")  # none of this is in the stream
        self._write.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def rows(self) -> Iterator[Row]:
        """Yield everything that is there."""
        return self._rows(0)

    def discard(self) -> None:
        """Remove the stream."""
        self._nats.call(self._nats.stream.delete_stream(self._name))

    # reading

    def _rows(self, after: int, kind: str = "") -> Iterator[Row]:
        """Yield what the index holds after an offset, with what the stream holds of it; None where it is gone. What is in the stream NATS has its own checksums of."""
        rows = self._read().execute(_ROWS, (after, self._upto, kind, kind))
        while some := rows.fetchmany(AT_ONCE):
            wanted = {(row[6], row[7]) for row in some if row[4] is None and row[6] is not None}
            held = {offset: content for seq, parts in sorted(wanted) for offset, content in self._contents(seq, parts)}
            for offset, what, known, count, content, crc, _, _ in some:
                whole = crc is None or crc == seal(offset, what, known, count, content)
                yield offset, what, known, count, held.get(offset) if content is None else content, whole

    def _contents(self, seq: int, parts: int) -> Iterator[tuple[int, bytes]]:
        from nats.js.errors import NotFoundError  # noqa: PLC0415 (an extra's)

        with contextlib.suppress(NotFoundError, ValueError):
            held = unpack(b"".join(m.data for m in self._messages(range(seq, seq + parts))))
            yield from ((offset, content) for offset, _, _, _, content in held.entries if content is not None)

    # forgetting and keeping

    def trim(self, upto: int) -> None:
        """Forget readings and requests up to an offset; the stream lets go of a message when nothing in it is wanted, and only after the index is on disk."""
        super().trim(upto)
        (keep,) = self._write.execute("SELECT coalesce(min(seq), 0) FROM place WHERE last > ? OR seq = (SELECT max(seq) FROM place)", (upto,)).fetchone()
        if not self._write.execute("SELECT 1 FROM place WHERE seq < ?", (keep,)).fetchone():
            return
        busy, pages, written = self._write.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if not busy and pages == written:
            with self._transaction() as c:
                c.execute("DELETE FROM place WHERE seq < ?", (keep,))
            self._nats.call(self._nats.stream.purge_stream(self._name, seq=keep))

    def backup(self, path: Path) -> None:
        """Copy the journal to a file while it is in use: an embedded journal, whole without NATS."""
        super().backup(path)
        with contextlib.closing(sqlite3.connect(path)) as copy, copy:
            sealed = ((row[4], seal(*row[:5]) if row[5] else -1, row[0]) for row in self._rows(0))  # what is damaged here is there too
            copy.executemany("UPDATE entry SET payload = ?, crc = ? WHERE offset = ?", sealed)
            copy.execute("DELETE FROM entry WHERE payload IS NULL")
            copy.execute("DROP TABLE place")

    def close(self) -> None:
        """Close index and connection; everything acknowledged is in the stream already."""
        super().close()
        self._nats.close()


AWAY = declare(
    "journal.away",
    "unavailable",
    zh=("{path} 不在：这座城市没有在集群上运行。", "请先用同一个设置文件启动城市的主进程，再启动旁边的进程。"),
    en=("{path} is not there: this city does not run on a cluster.", "Start the city's owner with the same settings file first, then the processes beside it."),
)


class NatsReader(NatsJournal):
    """The journal as a process beside its owner sees it: the same index, read only, and the stream. It reads up to where it was last brought by `follow`."""

    def __init__(self, url: str, path: Path, name: str) -> None:
        """Open the journal `name` of a city whose owner runs; raises `nats.unreached`, `journal.away`."""
        if not path.exists():
            raise AWAY(path=path)
        self.path, self._synchronous, self._reads = path, "NORMAL", threading.local()
        self._nats, self._name, self._doubt, self._late = NatsClient(url, f"zhongshu {name} beside"), f"zs-{name}", None, []
        self._write = self._read()
        self._write.execute("PRAGMA query_only = 1")
        row = self._write.execute("SELECT (SELECT coalesce(max(seq + parts - 1), 0) FROM place), (SELECT coalesce(max(offset), 0) FROM entry)").fetchone()
        self._last, self._head = row
        self._upto = self._head

    def follow(self, last: int) -> Iterator[Entry]:
        """Yield the entries of the messages since the last turn, up to a sequence."""
        for seq, parts, held in self._groups(self._last + 1, last):
            for offset, kind, known, _, content in held.entries:
                if content is not None and offset > self._head:
                    self._head = self._upto = offset
                    yield journal_group.entry(offset, kind, known, content)
            self._last = seq + parts - 1
        self._last = max(self._last, last)


def _part(message: Any) -> tuple[int, int] | None:  # noqa: ANN401 (the library's message)
    """Return which part of how many a message is; None: none of a group."""
    nth, _, of = (message.headers or {}).get("Zs-Part", "").partition("/")
    return (int(nth), int(of)) if nth.isdecimal() and of.isdecimal() else None


def _index(held: Group) -> Group:
    """Return what the index keeps of a group: of its contents only the entities, which stay when the message goes."""
    rows = [(offset, kind, known, count, content if kind == "entities" else None) for offset, kind, known, count, content in held.entries]
    return Group(rows, held.batches, held.counts, held.refused, held.keys, held.mended)


def _told(error: Exception) -> Problem:
    """Say why a message was not kept."""
    code = getattr(error, "err_code", 0)
    if code in FULL:
        return JOURNAL_FULL()
    return OWNED(who="NATS") if code == OUT_OF_TURN else NOT_KEPT(**why(error, "NATS 没有接受这条消息"))
