"""Changes to open screens: server-sent events with an epoch, a ring of the last minute, and a scope per listener.

A listener that comes back within the ring is given what it missed; one that comes later, or is too slow, is told to fetch again.
"""

import asyncio
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable

import msgspec

from zhongshu.kernel.bus import News
from zhongshu.kernel.grade import Scope

RING_S = 60
_NUMBER = re.compile(r"[0-9]{1,18}")
BACKLOG = 500
PLACELESS = {"clock", "reading", "story"}


Item = tuple[int, News, bytes]
"""A piece of news with its number, encoded."""
_encode = msgspec.json.Encoder(enc_hook=str).encode


class Listener:
    """One open screen: its queue, its topics, and the scope of each kind of news."""

    def __init__(
        self,
        scopes: dict[str, Scope],
        topics: frozenset[str],
        loop: asyncio.AbstractEventLoop,
        still: Callable[[], bool] = lambda: True,
        signs: frozenset[str] = frozenset(),
    ) -> None:
        """Listen on a loop, of signs to `signs` alone if any are named. `still` tells whether who listens may still see what the scopes allow."""
        self.scopes, self.topics, self.loop, self.signs = scopes, topics, loop, signs
        self._still, self._asked = still, time.monotonic()
        self.queue: asyncio.Queue[Item | None] = asyncio.Queue(BACKLOG)

    def holds(self) -> bool:
        """Tell whether the scopes still hold; asked at most once a second."""
        now = time.monotonic()
        if now - self._asked < 1:
            return True
        self._asked = now
        return self._still()

    def narrowed(self, item: Item) -> Item | None:
        """Leave out the signs this screen does not show; None if nothing is left."""
        seq, news, _ = item
        if not self.signs or news.kind != "vital":
            return item
        items = [row for row in news.body["items"] if row["indicator"] in self.signs]
        return (seq, news, _encode({"items": items})) if items else None

    def wants(self, news: News) -> bool:
        """Tell whether this screen may and would see a piece of news."""
        if self.topics and news.kind not in self.topics:
            return False
        if news.kind in PLACELESS:
            return True
        scope = self.scopes.get(news.kind)
        if scope is None or not scope.holds(news.area) or news.grade > scope.grade:
            return False
        return not scope.unit or scope.unit in {
            news.body.get("unit"),
            news.body.get("holder"),
            news.body.get("reporter"),
            news.body.get("left") or None,
            *news.body.get("helpers", ()),
        }


class Hub:
    """Numbers the news, keeps the last minute of it, and hands it to whoever listens."""

    def __init__(self) -> None:
        """Begin an epoch."""
        self.epoch = secrets.token_hex(4)
        self._seq = 0
        self._ring: deque[tuple[float, Item]] = deque()
        self._listeners: set[Listener] = set()
        self._watchers: list[Callable[[News], None]] = []
        self._lock = threading.Lock()

    def publish(self, news: News) -> None:
        """Take a piece of news; any thread. It is encoded once for all who listen."""
        data = _encode(news.body)
        with self._lock:
            self._seq += 1
            item, now = (self._seq, news, data), time.monotonic()
            self._ring.append((now, item))
            while self._ring and self._ring[0][0] < now - RING_S:
                self._ring.popleft()
            listeners = [each for each in self._listeners if each.wants(news)]
            watchers = list(self._watchers)
        for each in listeners:
            if (mine := each.narrowed(item)) is not None:
                each.loop.call_soon_threadsafe(_put, each, mine)
        for watcher in watchers:
            watcher(news)

    def subscribe(self, listener: Callable[[News], None]) -> Callable[[], None]:
        """Add a listener within the program, called in the publisher's thread; returns how to remove it."""
        self._watchers.append(listener)
        return lambda: self._watchers.remove(listener)

    def listen(self, listener: Listener, last: str) -> list[Item] | None:
        """Add a listener; return what it missed since `last` (an event id), or None if it must fetch everything."""
        with self._lock:
            self._listeners.add(listener)
            if not last:
                return []
            epoch, _, seq = last.partition(":")
            if epoch != self.epoch or not _NUMBER.fullmatch(seq) or (self._ring and int(seq) < self._ring[0][1][0] - 1) or int(seq) > self._seq:
                return None
            missed = [item for _, item in self._ring if item[0] > int(seq) and listener.wants(item[1])]
            return [mine for item in missed if (mine := listener.narrowed(item)) is not None]

    def leave(self, listener: Listener) -> None:
        """Remove a listener."""
        with self._lock:
            self._listeners.discard(listener)

    def listeners(self) -> int:
        """Return how many listen."""
        return len(self._listeners)

    async def stream(self, listener: Listener, last: str) -> AsyncIterator[bytes]:
        """Yield events for one listener, until it goes, is too slow, or its scopes hold no more: it may come back with those it has now."""
        try:
            missed = self.listen(listener, last)
            yield b"retry: 1000\n\n" if missed is not None else self._event("reset", self._seq, b"{}")
            for seq, news, data in missed or []:
                yield self._event(news.kind, seq, data)
            while True:
                try:
                    item = await asyncio.wait_for(listener.queue.get(), 15)
                except TimeoutError:
                    item = 0, News("", 0, {}), b""
                if item is None or not listener.holds():
                    return
                if not item[1].kind:
                    yield b": still here\n\n"
                    continue
                yield self._event(item[1].kind, item[0], item[2])
        finally:
            self.leave(listener)

    def _event(self, kind: str, seq: int, data: bytes) -> bytes:
        return b"event: %b\nid: %b:%d\ndata: %b\n\n" % (kind.encode(), self.epoch.encode(), seq, data)


def _put(listener: Listener, item: Item) -> None:
    if listener.queue.full():
        while not listener.queue.empty():
            listener.queue.get_nowait()
        listener.queue.put_nowait(None)
        return
    listener.queue.put_nowait(item)
