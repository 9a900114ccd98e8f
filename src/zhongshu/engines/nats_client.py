"""One connection to NATS, used from any thread: a loop of its own runs beside, and JetStream is asked only where it writes to the disk before it acknowledges.

Knows no journal and no news. A server that acknowledges before it has synced is refused: that is its default (`sync_interval`, two minutes).
"""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit, urlunsplit

import httpx

from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why

UNREACHED = declare(
    "nats.unreached",
    "unavailable",
    zh=("连不上 NATS 服务器 {url}：{why_zh}。", "请检查地址和 nats-server 是否在运行；客户端随 `pip install zhongshu[cluster]` 安装。"),
    en=("The NATS server at {url} cannot be reached: {why_en}.", "Check the address and that nats-server runs; the client comes with `pip install zhongshu[cluster]`."),
)
NOT_DURABLE = declare(
    "nats.not_durable",
    "unsupported",
    zh=("NATS 服务器 {url} 先确认、后落盘：断电会丢失已确认的数据。", "请在它的配置里写 jetstream {{ sync_interval: always }}，并重新启动。"),
    en=(
        "The NATS server at {url} acknowledges before it writes to the disk: what was acknowledged could be lost with the power.",
        "Write jetstream {{ sync_interval: always }} into its configuration and start it again.",
    ),
)
UNSEEN = declare(
    "nats.unseen",
    "unsupported",
    zh=("看不到 NATS 服务器的设置（{monitor}）：不知道它是否先落盘、后确认（{why_zh}）。", "请在它的配置里打开 http 监控端口，并在地址里写 ?monitor=http://主机:端口。"),
    en=(
        "The NATS server's settings cannot be seen at {monitor} ({why_en}): whether it writes to the disk before it acknowledges is not known.",
        "Open its monitoring port (http: 127.0.0.1:8222 in its configuration) and name it in the address: ?monitor=http://host:port.",
    ),
)

PATIENCE = 10.0
"""So many seconds an answer is waited for."""
MONITOR = 8222
T = TypeVar("T")
_log = logging.getLogger(__name__)


class NatsClient:
    """A connection that comes back by itself. `call` runs a coroutine in its loop and waits."""

    def __init__(self, url: str, name: str) -> None:
        """Connect to `nats://[user:password@]host:port[?monitor=http://host:port]`; raises `nats.unreached`."""
        self.url, self.monitor = _address(url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nats", daemon=True)
        self._thread.start()
        try:
            self.connection: Any = self.call(self._connect(name))
        except Exception as error:
            self._end()
            raise UNREACHED(url=self.shown, **why(error, "没有应答")) from error
        self.stream: Any = self.connection.jetstream(timeout=PATIENCE)

    @property
    def shown(self) -> str:
        """Return the address without who signs in."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    async def _connect(self, name: str) -> Any:  # noqa: ANN401 (the library's connection)
        import nats  # noqa: PLC0415 (an extra's)

        connection = await nats.connect(
            self.url, name=name, max_reconnect_attempts=1, reconnect_time_wait=0.25, connect_timeout=PATIENCE / 2, error_cb=_teller(), pending_size=64 * 2**20
        )
        connection.options["max_reconnect_attempts"] = -1  # once it was there, it is waited for
        return connection

    def connected(self) -> bool:
        """Tell whether the line is up."""
        return bool(self.connection.is_connected)

    def call(self, work: Coroutine[Any, Any, T], patience: float = 2 * PATIENCE) -> T:
        """Run a coroutine in the connection's loop and wait for what it gives; TimeoutError after `patience` seconds."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(patience)
        except TimeoutError:
            future.cancel()
            raise

    def post(self, work: Callable[[], Awaitable[Any]]) -> None:
        """Run a coroutine in the connection's loop without waiting; a failure is logged."""

        async def run() -> None:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 (nobody waits)
                _log.warning("nats.not_posted %s", error)

        asyncio.run_coroutine_threadsafe(run(), self._loop)

    def room(self) -> int:
        """Return how many bytes one message may carry beside its headers."""
        return int(self.connection.max_payload) - 4096

    def durable(self) -> None:
        """Refuse a server that acknowledges before it has written to the disk: raises `nats.not_durable`, `nats.unseen`."""
        try:
            told = httpx.get(f"{self.monitor}/varz", timeout=PATIENCE, trust_env=False).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise UNSEEN(monitor=self.monitor, **why(error, "没有应答")) from error
        if told.get("server_id") != self.connection._server_info.get("server_id"):  # noqa: SLF001 (the library shows it nowhere else)
            raise UNSEEN(monitor=self.monitor, why_zh="那里是另一个服务器", why_en="another server answers there")
        if not told.get("jetstream", {}).get("config", {}).get("sync_always"):
            raise NOT_DURABLE(url=self.shown)

    def tell(self, subject: str, content: bytes) -> None:
        """Tell whoever listens to a subject, without waiting; while the line is down it is not told."""
        self.post(lambda: self.connection.publish(subject, content))

    def hear(self, subject: str, take: Callable[[bytes], None]) -> None:
        """Have `take` called, in the connection's loop, with what is told on a subject; it must be quick."""

        async def heard(message: Any) -> None:  # noqa: ANN401 (the library's message)
            take(message.data)

        self.call(self.connection.subscribe(subject, cb=heard))

    def ask(self, subject: str, content: bytes, patience: float) -> bytes:
        """Ask whoever answers on a subject; raises `nats.unreached` where nobody does."""

        async def asked() -> bytes:
            return bytes((await self.connection.request(subject, content, timeout=patience)).data)

        try:
            return self.call(asked(), patience + 1)
        except Exception as error:
            raise UNREACHED(url=self.shown, **why(error, "没有应答")) from error

    def ask_all(self, subject: str, wait: float) -> list[dict[str, Any]]:
        """Ask whoever answers on a subject, and return what came back within so many seconds."""

        async def ask() -> list[dict[str, Any]]:
            inbox, found = self.connection.new_inbox(), []

            async def take(message: Any) -> None:  # noqa: ANN401 (the library's message)
                if message.data:
                    found.append(json.loads(message.data))

            heard = await self.connection.subscribe(inbox, cb=take)
            await self.connection.publish(subject, b"", reply=inbox)
            await asyncio.sleep(wait)
            await heard.unsubscribe()
            return found

        return self.call(ask())

    def answer(self, subject: str, work: Callable[[bytes, Callable[[bytes], None]], object]) -> None:
        """Answer whoever asks on a subject. `work` is given what was asked and how to answer, now or later, from any thread; it must be quick."""

        async def take(message: Any) -> None:  # noqa: ANN401 (the library's message)
            work(message.data, lambda content: self.post(lambda: message.respond(content)))

        self.call(self.connection.subscribe(subject, cb=take))

    def close(self) -> None:
        """Close the connection. Closing twice is harmless."""
        if self._loop.is_closed():
            return
        try:
            self.call(self.connection.close())
        except Exception as error:  # noqa: BLE001 (it is gone either way)
            _log.warning("nats.not_closed %s", error)
        self._end()

    def _end(self) -> None:
        async def rest() -> None:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        asyncio.run_coroutine_threadsafe(rest(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        if not self._loop.is_running():
            self._loop.close()


def _teller() -> Callable[[Exception], Awaitable[None]]:
    """Return what logs a connection's errors, the same one again only after a while: with the server away it tries four times a second."""
    before, again = "", 0.0

    async def told(error: Exception) -> None:
        nonlocal before, again
        said, now = str(error) or type(error).__name__, time.monotonic()
        if said != before or now >= again:
            before, again = said, now + PATIENCE
            _log.warning("nats.connection %s", said)

    return told


def _address(url: str) -> tuple[str, str]:
    """Take an address apart: the server's, and where its settings are shown."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        raise UNREACHED(url=url.rpartition("@")[2], **why(error, "地址写错了")) from error
    if parts.scheme not in {"nats", "tls"} or not host:
        raise UNREACHED(url=url.rpartition("@")[2], why_zh="地址应当是 nats://主机:端口", why_en="an address is nats://host:port")
    shown = f"[{host}]" if ":" in host else host
    return urlunsplit(parts._replace(query="", path="")), parse_qs(parts.query).get("monitor", [f"http://{shown}:{MONITOR}"])[0].rstrip("/")
