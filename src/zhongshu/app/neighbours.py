"""What the owner of a city on NATS says to the processes beside it, and takes from them: batches, lines of the ledger, news, and how far the signs are.

Everything it says can be missed: the journal's stream and the desk are the truth.
"""

import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec

from zhongshu.app.batches import told, unpack
from zhongshu.engines.nats_client import NatsClient
from zhongshu.govern import Identity, Ledger, Line, canonical, plain
from zhongshu.kernel.bus import News
from zhongshu.kernel.journal import Receipt
from zhongshu.sense import Pipe, Registry
from zhongshu.serve.live import Hub

_log = logging.getLogger(__name__)
LOCAL = {"vital"}
"""News that every process makes for itself, of the same signs."""
LOOKS = 512


class Neighbours:
    """The owner's side of the line."""

    def __init__(self, line: NatsClient, name: str, journal: Callable[[], int], pipe: Pipe, registry: Registry) -> None:
        """Take the connection, the city's name there, who tells the journal's last sequence, and where batches go."""
        self._line, self._name, self._journal, self._pipe, self._registry = line, name, journal, pipe, registry
        self._stop = threading.Event()
        self._hands = ThreadPoolExecutor(1, "take")  # reading a group is too long for the connection's own loop
        line.answer(f"zs.{name}.take", lambda content, say: self._hands.submit(self._take, content, say))

    def settled(self, at: int) -> None:
        """Wait until every group known by `at` is durable and handed on, then say so."""
        self._pipe.settle(at)
        self._line.tell(f"zs.{self._name}.beat", json.dumps({"at": at, "seq": self._journal()}).encode())

    def kept(self) -> None:
        """Say that there is more in the journal."""
        self._line.tell(f"zs.{self._name}.beat", json.dumps({"seq": self._journal()}).encode())

    def pass_on(self, hub: Hub, identity: Identity) -> None:
        """Pass on every piece of news, and that accounts have changed."""

        def say(news: News) -> None:
            if news.kind not in LOCAL:
                body = json.dumps({"kind": news.kind, "area": news.area, "grade": news.grade, "body": news.body}, default=str)
                self._line.tell(f"zs.{self._name}.news", body.encode())

        hub.subscribe(say)
        identity.changed = lambda: self._line.tell(f"zs.{self._name}.accounts", b"")

    def listen(self, ledger: Ledger) -> threading.Thread:
        """Take the lines of what was looked at elsewhere into the ledger; returns the thread that does."""
        thread = threading.Thread(target=self._looks, args=(ledger,), name="looks", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """Stop listening."""
        self._stop.set()
        self._hands.shutdown(wait=False, cancel_futures=True)

    def _take(self, content: bytes, say: Callable[[bytes], None]) -> None:
        """Hand a group's batches to the journal, and answer when all are durable."""
        try:
            batches = unpack(content, self._registry)
        except Exception as error:  # noqa: BLE001 (whoever asked must hear of it)
            _log.warning("take.refused %s", error)
            say(told([error]))
            return
        futures: list[Future[Receipt] | Exception] = []
        for batch in batches:
            try:
                futures.append(self._pipe.submit(batch))
            except Exception as error:  # noqa: BLE001 (a refusal is this batch's alone)
                futures.append(error)
        waiting = [len(futures)]
        gate = threading.Lock()

        def done(_: object = None) -> None:
            with gate:
                waiting[0] -= 1
                last = not waiting[0]
            if last:
                say(told([_outcome(each) for each in futures]))

        for each in futures:
            if isinstance(each, Future):
                each.add_done_callback(done)
            else:
                done()

    def _looks(self, ledger: Ledger) -> None:
        line, name = self._line, f"zs-{self._name}-looks"
        consumer: Any = None
        while not self._stop.is_set():
            try:
                if consumer is None:
                    line.call(_looks_stream(line, name, f"zs.{self._name}.look"))
                    consumer = line.call(line.stream.pull_subscribe(f"zs.{self._name}.look", durable="owner", stream=name))
                some = line.call(consumer.fetch(LOOKS, timeout=1), 30)
                for message in some:
                    if (told_ := _line_of(message.data)) is not None:
                        ledger.note(told_)
                if some:
                    ledger.flush()
                for message in some:
                    line.post(message.ack)
            except TimeoutError:  # nothing came
                self._stop.wait(0.2)
            except Exception as error:  # noqa: BLE001 (the line or the desk is away: the stream keeps what comes)
                _log.warning("looks.wait for the line or the desk: %r", error)
                self._stop.wait(0.2)


def _line_of(content: bytes) -> Line | None:
    """Return a line that was told, None where it is none; what is no id is withheld, as in a line of our own."""
    try:
        at, actor, action, kind, subject, detail = msgspec.json.decode(content, type=tuple[int, str, str, str, str, str])
        facts = json.loads(detail)
    except (msgspec.MsgspecError, ValueError):
        return None
    told_ = {str(plain(key)): plain(value) for key, value in facts.items()} if isinstance(facts, dict) else {}
    return Line(at, str(plain(actor)), str(plain(action)), str(plain(kind)), str(plain(subject)), canonical(told_) if told_ else "{}")


def _outcome(each: "Future[Receipt] | Exception") -> Receipt | BaseException:
    return each if isinstance(each, Exception) else each.exception() or each.result()


async def _looks_stream(line: NatsClient, name: str, subject: str) -> None:
    from nats.js.api import RetentionPolicy, StreamConfig  # noqa: PLC0415 (an extra's)

    await line.stream.add_stream(StreamConfig(name=name, subjects=[subject], retention=RetentionPolicy.WORK_QUEUE))
