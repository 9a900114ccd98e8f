"""The ledger's writer: a line for every deed, in the deed's own transaction, and for every look, soon after, in groups.

Lines hold ids, counts and digests. It must never keep a name, a phone number or a secret: what does not look like an id is withheld.
"""

import logging
import queue
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, text

from zhongshu.govern.anchor import Anchor
from zhongshu.govern.chain import GENESIS, Mark, canonical, head, line_hash
from zhongshu.govern.tables import ledger
from zhongshu.kernel.clock import Clock, LiveClock
from zhongshu.kernel.desk import Desk
from zhongshu.kernel.ids import is_urn
from zhongshu.kernel.problem import Problem

Fact = str | int | None
Witness = Callable[[Connection, str, str, Mapping[str, Any]], None]
"""Told (connection, `kind.deed`, subject, detail) in the deed's own transaction."""

_log = logging.getLogger(__name__)
WITHHELD = "withheld"
GROUP = 512
"""At most so many noted lines go into one transaction."""

_PLAIN = re.compile(r"[0-9A-Za-z._~:%/+=,|<>-]{0,300}")
_PERSONAL = re.compile(r"(?<![0-9A-Za-z])(?:1[3-9]\d{9}|\d{17}[\dXx])(?![0-9A-Za-z])")
_APPEND = text(
    "INSERT INTO ledger (seq, at, actor, action, kind, subject, detail, prev, hash) "
    "SELECT :seq, :at, :actor, :action, :kind, :subject, :detail, :prev, :hash "
    "WHERE coalesce((SELECT hash FROM ledger ORDER BY seq DESC LIMIT 1), :genesis) = :prev",
)


class Line(NamedTuple):
    """A line that has no place yet: µs of UTC by the wall's clock, who, did what, on what kind, on which one, and facts as JSON."""

    at: int
    actor: str
    action: str
    kind: str
    subject: str
    detail: str


class Ledger:
    """The only writer of the ledger in a city. Close it before the desk."""

    def __init__(self, desk: Desk, anchor: Path | None = None, *, clock: Clock | None = None, capacity: int = 65_536, delay: float = 1.0) -> None:
        """Read the head and hold the anchor against it.

        `clock` is the wall's, whatever the city replays; `capacity` bounds the noted lines; `delay` (s) is how far the anchor may trail.
        A ledger that does not agree with its anchor is written on, with a line that says so: a city does not stop.
        """
        self._desk, self._clock, self._capacity = desk, clock or LiveClock(), capacity
        self._noted: deque[Line] = deque()
        self._dropped = 0
        self._flushing = False
        self._gate = threading.Lock()
        self._head: Mark = desk.read(head)
        self.anchor = Anchor(desk, anchor, delay) if anchor else None
        self.whole = self.anchor is None or (self.anchor.agrees() and (anchor is None or anchor.exists() or self._head.seq == 0))
        """Whether, when it was opened, the ledger agreed with its anchor."""
        if not self.whole:
            self.note_read("system", "ledger", str(self._head.seq), {"head": self._head.hash}, action="anchor_disagrees")

    @property
    def head(self) -> Mark:
        """Return the place of the last line written, durable or about to be."""
        return self._head

    def now(self) -> int:
        """Return the time by which lines are stamped: the wall's, µs."""
        return self._clock.now()

    def witness(
        self,
        conn: Connection,
        actor: str,
        action: str,
        kind: str,
        subject: str = "",
        detail: Mapping[str, object] | None = None,
    ) -> Mark:
        """Append a line in the caller's transaction, on the desk's writing thread, and return its place."""
        line = self._line(actor, action, kind, subject, detail)
        for known in (self._head, None):  # the head we remember may have been undone with someone's savepoint: then read it
            row = _row(known or head(conn), line)
            if conn.execute(_APPEND, {**row, "genesis": GENESIS}).rowcount == 1:
                return self._moved(row)
        message = "the ledger has another writer"
        raise RuntimeError(message)

    def witness_of(self, actor: str) -> Witness:
        """Return a witness to one actor's deeds, to be handed to whoever does them; `case.dispatch` becomes the deed of that kind."""

        def told(conn: Connection, deed: str, subject: str, detail: Mapping[str, Any]) -> None:
            kind, _, action = deed.partition(".")
            self.witness(conn, actor, action or kind, kind, subject, detail)

        return told

    def note_read(self, actor: str, kind: str, subject: str = "", detail: Mapping[str, object] | None = None, *, action: str = "read") -> None:
        """Note a line to be written soon; it never waits. Beyond the capacity lines are not kept, but their number is written."""
        self.note(self._line(actor, action, kind, subject, detail))

    def note(self, line: Line) -> None:
        """Note a line that was put together, here or beside."""
        with self._gate:
            if len(self._noted) >= self._capacity:
                self._dropped += 1
            else:
                self._noted.append(line)
            if self._flushing:
                return
            self._flushing = True
        self._flush()

    def flush(self) -> None:
        """Write what was noted and wait until it is durable; raises what undid it."""
        while self._noted or self._dropped:
            taken: list[Line] = []
            try:
                self._desk.write(partial(self._drain, taken))
            except BaseException:
                self._put_back(taken)
                raise

    def close(self) -> None:
        """Write what was noted, and the anchor."""
        self.flush()
        if self.anchor:
            self.anchor.close()

    def _line(self, actor: str, action: str, kind: str, subject: str, detail: Mapping[str, object] | None) -> Line:
        facts = canonical({str(plain(key)): plain(value) for key, value in detail.items()}) if detail else "{}"
        return Line(self._clock.now(), str(plain(actor)), action, kind, str(plain(subject)), facts)

    def _moved(self, row: Mapping[str, object]) -> Mark:
        self._head = Mark(int(str(row["seq"])), str(row["hash"]))
        if self.anchor:
            self.anchor.arm()
        return self._head

    def _flush(self) -> None:
        """Queue one drain; while it waits, lines gather for it."""
        taken: list[Line] = []
        try:
            future = self._desk.submit(partial(self._drain, taken))
        except Problem:  # the desk is busy or closing: the next line tries again
            with self._gate:
                self._flushing = False
            return
        future.add_done_callback(partial(self._drained, taken))

    def _drain(self, taken: list[Line], conn: Connection) -> None:
        with self._gate:
            taken += [self._noted.popleft() for _ in range(min(GROUP, len(self._noted)))]
            dropped, self._dropped = self._dropped, 0
        if dropped:
            taken.append(self._line("system", "lost", "ledger", "", {"lines": dropped}))
        mark, rows = head(conn), []
        for line in taken:
            rows.append(row := _row(mark, line))
            mark = Mark(mark.seq + 1, str(row["hash"]))
        if rows:
            conn.execute(insert(ledger), rows)
            self._moved(rows[-1])

    def _drained(self, taken: list[Line], future: "Future[None]") -> None:
        failed = future.cancelled() or future.exception() is not None
        if failed:
            self._put_back(taken)
        with self._gate:
            self._flushing = more = bool(self._noted) and not failed
        if more:
            self._flush()

    def _put_back(self, taken: list[Line]) -> None:
        with self._gate:
            self._noted.extendleft(reversed(taken))


class Looks(Ledger):
    """The ledger as a process beside its writer has it: what is looked at is told to the writer; deeds are not done here."""

    def __init__(self, desk: Desk, tell: Callable[[Line], None], capacity: int = 65_536) -> None:
        """Take the desk, to read the head, and who takes a line to the writer: it returns when the line will not be lost, and raises while that cannot be."""
        self._desk, self._clock, self._tell = desk, LiveClock(), tell
        self.anchor, self.whole = None, True
        self._waiting: queue.Queue[Line | None] = queue.Queue(capacity)
        self._lost = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send, name="looks", daemon=True)
        self._thread.start()

    @property
    def head(self) -> Mark:
        """Return the place of the last line written."""
        return self._desk.read(head)

    def note(self, line: Line) -> None:
        """Have the writer told soon; beyond the capacity lines are not kept, but their number is told."""
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self._lost += 1

    def _send(self) -> None:
        while (line := self._waiting.get()) is not None:
            while not self._sent(line) and not self._over.wait(1):
                pass
            if self._lost and self._waiting.empty():
                lost, self._lost = self._lost, 0
                self.note(self._line("system", "lost", "ledger", "", {"lines": lost}))

    def _sent(self, line: Line) -> bool:
        try:
            self._tell(line)
        except Exception as error:  # noqa: BLE001 (the line is down: it comes back)
            _log.warning("looks.wait for the owner: %r", error)
            return False
        return True

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Tell what waits, if the writer can be told, and stop."""
        self._over.set()
        self._waiting.put(None)
        self._thread.join(10)


def plain(value: object) -> Fact:
    """Return an id, a count or a digest as it is; anything that could be a person's words, name or number is withheld."""
    if value is None or isinstance(value, int):
        return value
    value = str(value)
    looks = _PLAIN.fullmatch(value) is not None or is_urn(value)
    return value if looks and not _PERSONAL.search(value) else WITHHELD


def _row(after: Mark, line: Line) -> dict[str, object]:
    row: dict[str, object] = {"seq": after.seq + 1, "prev": after.hash, **line._asdict()}
    row["hash"] = line_hash(row)
    return row
