"""Variables of an OPC UA server, subscribed to: what changed, at most once an interval, is a reading at the server's source time.

After a break the server tells each variable's present value again; told under its own time it changes nothing. What changed while nobody was
connected is not told by the server, and is not here. Knows no plant.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from zhongshu.kernel.clock import Clock, parse_duration, rfc3339
from zhongshu.kernel.problem import Problem, declare
from zhongshu.sense.feeds.batches import of_readings
from zhongshu.sense.feeds.declared import Node, OpcUa
from zhongshu.sense.feeds.feed import NO_EXTRA, Part, Secret
from zhongshu.sense.feeds.marks import Mark
from zhongshu.sense.intake import Intake
from zhongshu.sense.source import Source

NO_NODE = declare(
    "connector.no_node",
    "invalid",
    zh=("OPC UA 服务器上订阅不了这些变量：{nodes}。", "请核对 node 的写法（例如 ns=2;s=Pump.Level）和权限；其余变量照常接收。"),
    en=("The OPC UA server does not give these variables: {nodes}.", "Check how node is written (for example ns=2;s=Pump.Level) and the rights; the others are taken."),
)
TOO_FAST = declare(
    "connector.too_fast",
    "busy",
    zh=("变量变化得比接收快，丢了 {lost} 次变化。", "请加长 every，或减少变量。"),
    en=("Variables change faster than they are taken: {lost} changes were dropped.", "Lengthen every, or subscribe to fewer variables."),
)

HELD, AT_ONCE = 100_000, 5000
"""How many changes may wait, and how many go into a batch."""
PULSE = 2.0
"""Seconds between questions whether the server is still there."""
PATIENCE = 10
_log = logging.getLogger(__name__)


class OpcUaReader:
    """Subscribes to one server's variables."""

    def __init__(self, row: OpcUa, source: Source, intake: Intake, secret: Secret) -> None:
        """Take the row, its source, what checks, and where its password is."""
        self.row, self.source = row, source
        self._intake, self._secret = intake, secret
        self._nodes = {node.node: node for node in row.nodes}

    def read(self, mark: Mark, stop: threading.Event) -> Iterator[Part]:  # noqa: ARG002 (the server keeps no history for us)
        """Yield what changes, for as long as the server answers; raises when it does not."""
        client = self._connect()
        changes = _Changes(self._intake.clock)
        try:
            subscription = client.create_subscription(parse_duration(self.row.every) / 1000, changes)
            odd = self._subscribe(client, subscription, changes)
            yield Part(odd=odd)
            asked = time.monotonic()
            while not stop.is_set():
                if rows := changes.some():
                    yield Part(of_readings(self.source, self._intake, rows), odd=changes.dropped())
                if time.monotonic() - asked >= PULSE:
                    client.nodes.server_state.read_value()
                    asked = time.monotonic()
                    yield Part()
        finally:
            with contextlib.suppress(Exception):
                client.disconnect()

    def _connect(self) -> Any:  # noqa: ANN401 (an extra's)
        try:
            from asyncua.sync import Client  # noqa: PLC0415 (an extra's)
        except ImportError as error:
            raise NO_EXTRA(kind="opcua", module="asyncua") from error
        client = Client(self.row.address, timeout=PATIENCE, sync_wrapper_timeout=3 * PATIENCE)
        try:
            if self.row.security:
                client.set_security_string(self.row.security)
            if self.row.user:
                client.set_user(self.row.user)
                client.set_password(self._secret.get())
            client.connect()
        except BaseException:
            with contextlib.suppress(Exception):
                client.disconnect()
            raise
        return client

    def _subscribe(self, client: Any, subscription: Any, changes: "_Changes") -> Problem | None:  # noqa: ANN401 (an extra's)
        """Subscribe to each variable; return what is to be told of those that cannot be had."""
        wrong = []
        for name, node in self._nodes.items():
            try:
                held = client.get_node(name)
                changes.of[held.nodeid] = node
                subscription.subscribe_data_change(held)
            except (ConnectionError, TimeoutError):
                raise
            except Exception as error:  # noqa: BLE001 (the library's many ways to say that there is no such variable)
                _log.warning("feed.no_node %s %s", name, error)
                wrong.append(name)
        return NO_NODE(nodes=", ".join(wrong)) if wrong else None


class _Changes:
    """What the server told and nobody took yet; the library calls it from its own thread."""

    def __init__(self, clock: Clock) -> None:
        self.of: dict[Any, Node] = {}
        self.lost = 0
        self._clock = clock
        self._waiting: queue.Queue[dict[str, Any]] = queue.Queue(HELD)

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:  # noqa: ANN401 (an extra's)
        """Note a change."""
        declared = self.of.get(node.nodeid)
        if declared is None:
            return
        told = data.monitored_item.Value
        good = told.StatusCode is None or told.StatusCode.is_good()
        at = told.SourceTimestamp or told.ServerTimestamp
        row = {
            "entity": declared.entity,
            "property": declared.property,
            "unit": declared.unit,
            "time": rfc3339(self._clock.now()) if at is None else _text(at),
            "value": _number(value) if good else None,
            "quality": None if good else "bad",
        }
        try:
            self._waiting.put_nowait(row)
        except queue.Full:
            self.lost += 1

    def some(self) -> list[dict[str, Any]]:
        """Return what waits; wait a little where nothing does."""
        rows: list[dict[str, Any]] = []
        with contextlib.suppress(queue.Empty):
            rows.append(self._waiting.get(timeout=0.25))
            while len(rows) < AT_ONCE:
                rows.append(self._waiting.get_nowait())
        return rows

    def dropped(self) -> Problem | None:
        """Return what is to be told where changes were dropped."""
        return TOO_FAST(lost=self.lost) if self.lost else None


def _number(value: object) -> object:
    """Return a value as a reading has it: what is no number is told as text, and refused with its reason."""
    if isinstance(value, bool):
        return int(value)
    return value if value is None or isinstance(value, int | float) else str(value)


def _text(at: datetime) -> str:
    moment = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return moment.isoformat()
