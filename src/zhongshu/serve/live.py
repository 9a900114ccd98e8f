"""Changes to open screens: server-sent events with an epoch, a ring of the last minute, and a scope per listener.

A listener that comes back within the ring is given what it missed; one that comes later, or is too slow, is told to fetch again.
"""

import asyncio
import json
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from zhongshu.kernel.bus import News
from zhongshu.kernel.grade import Scope

RING_S = 60
_NUMBER = re.compile(r"[0-9]{1,18}")
BACKLOG = 500
PLACELESS = {"clock", "reading", "story"}


class Listener:
    """One open screen: its queue, its topics, and the scope of each kind of news."""

    def __init__(self, scopes: dict[str, Scope], topics: frozenset[str], loop: asyncio.AbstractEventLoop, still: Callable[[], bool] = lambda: True) -> None:
        """Listen on a loop. `still` tells whether who listens may still see what the scopes allow."""
        self.scopes, self.topics, self.loop = scopes, topics, loop
        self._still, self._asked = still, time.monotonic()
        self.queue: asyncio.Queue[tuple[int, News] | None] = asyncio.Queue(BACKLOG)

    def holds(self) -> bool:
        """Tell whether the scopes still hold; asked at most once a second."""
        now = time.monotonic()
        if now - self._asked < 1:
            return True
        self._asked = now
        return self._still()

    def wants(self, news: News) -> bool:
        """Tell whether this screen may and would see a piece of news."""
        if self.topics and news.kind not in self.topics:
            return False
        if news.kind in PLACELESS:
            return True
        scope = self.scopes.get(news.kind)
        if scope is None or not scope.holds(news.area) or news.grade > scope.grade:
            return False
        return not scope.unit or scope.unit in {news.body.get("unit"), news.body.get("holder"), news.body.get("reporter")}


class Hub:
    """Numbers the news, keeps the last minute of it, and hands it to whoever listens."""

    def __init__(self) -> None:
        """Begin an epoch."""
        self.epoch = secrets.token_hex(4)
        self._seq = 0
        self._ring: deque[tuple[int, float, News]] = deque()
        self._listeners: set[Listener] = set()
        self._watchers: list[Callable[[News], None]] = []
        self._lock = threading.Lock()

    def publish(self, news: News) -> None:
        """Take a piece of news; any thread."""
        with self._lock:
            self._seq += 1
            seq, now = self._seq, time.monotonic()
            self._ring.append((seq, now, news))
            while self._ring and self._ring[0][1] < now - RING_S:
                self._ring.popleft()
            listeners = [each for each in self._listeners if each.wants(news)]
            watchers = list(self._watchers)
        for each in listeners:
            each.loop.call_soon_threadsafe(_put, each, (seq, news))
        for watcher in watchers:
            watcher(news)

    def subscribe(self, listener: Callable[[News], None]) -> Callable[[], None]:
        """Add a listener within the program, called in the publisher's thread; returns how to remove it."""
        self._watchers.append(listener)
        return lambda: self._watchers.remove(listener)

    def listen(self, listener: Listener, last: str) -> list[tuple[int, News]] | None:
        """Add a listener; return what it missed since `last` (an event id), or None if it must fetch everything."""
        with self._lock:
            self._listeners.add(listener)
            if not last:
                return []
            epoch, _, seq = last.partition(":")
            if epoch != self.epoch or not _NUMBER.fullmatch(seq) or (self._ring and int(seq) < self._ring[0][0] - 1) or int(seq) > self._seq:
                return None
            return [(n, news) for n, _, news in self._ring if n > int(seq) and listener.wants(news)]

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
            yield b"retry: 1000\n\n" if missed is not None else self._event("reset", self._seq, {})
            for seq, news in missed or []:
                yield self._event(news.kind, seq, news.body)
            while True:
                try:
                    item = await asyncio.wait_for(listener.queue.get(), 15)
                except TimeoutError:
                    item = 0, News("", 0, {})
                if item is None or not listener.holds():
                    return
                if not item[1].kind:
                    yield b": still here\n\n"
                    continue
                yield self._event(item[1].kind, item[0], item[1].body)
        finally:
            self.leave(listener)

    def _event(self, kind: str, seq: int, body: dict[str, Any]) -> bytes:
        return f"event: {kind}\nid: {self.epoch}:{seq}\ndata: {json.dumps(body, ensure_ascii=False, default=str)}\n\n".encode()


def _put(listener: Listener, item: tuple[int, News]) -> None:
    if listener.queue.full():
        while not listener.queue.empty():
            listener.queue.get_nowait()
        listener.queue.put_nowait(None)
        return
    listener.queue.put_nowait(item)
