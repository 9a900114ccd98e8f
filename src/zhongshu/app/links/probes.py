"""How the lines are: each district says a number a second, and the city counts what comes and how late."""

import json
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from zhongshu.app.links.message import PROBE
from zhongshu.kernel.area import unplaced
from zhongshu.sense import Intake, Pipe, Source, receive_own

WINDOW = 60
"""Probes of so many seconds are counted."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Heard:
    """What came of a line's probes: (second of arrival, number, delay in µs)."""

    since: float
    heard: deque[tuple[float, int, int]]
    known: bool = False
    waiting: int = 0


class Probes:
    """What was heard of each line, measured into the record like any reading."""

    def __init__(self, domains: list[str], pipe: Pipe, intake: Intake, sources: dict[str, Source]) -> None:
        """Take the lines' names and the way in."""
        self._pipe, self._intake = pipe, intake
        self._own = Source("links.probes", "线路探测", "Probes of the links", "dept-data", entities="register")
        sources.setdefault(self._own.name, self._own)
        now = time.monotonic()
        self._lines = {domain: _Heard(now, deque(maxlen=10 * WINDOW)) for domain in domains}

    def waits(self, domain: str, count: int) -> None:
        """Note how many messages wait at the other end."""
        self._lines[domain].waiting = count

    def hear(self, domain: str, content: bytes) -> None:
        """Take a probe; what is none is left."""
        try:
            said = json.loads(content)
            number, sent = int(said["n"]), int(said["at"])
        except (ValueError, KeyError, TypeError):
            return
        probes, now = self._lines[domain], time.monotonic()
        if not probes.known:
            probes.known, probes.since = True, now - PROBE  # from the first one on, each second one is due
        probes.heard.append((now, number, max(0, time.time_ns() // 1000 - sent)))

    def measure(self, stop: threading.Event) -> None:
        """Count each line's probes every two seconds, into the record like any reading, until told to stop."""
        while not stop.wait(2):
            at = self._intake.clock.now()
            rows = [row for domain in self._lines for row in self._row(domain, at)]
            try:
                self._pipe.submit(receive_own(self._intake, self._own, rows, f"links:{at}")).result(30)
            except Exception as error:  # noqa: BLE001 (the next turn measures again)
                _log.warning("links.not_measured %s", error)

    def _row(self, domain: str, at: int) -> list[dict[str, Any]]:
        probes, now = self._lines[domain], time.monotonic()
        while probes.heard and probes.heard[0][0] < now - WINDOW:
            probes.heard.popleft()
        due = max(1.0, min(WINDOW, now - probes.since) / PROBE)
        share = 100 * (1 - min(1.0, len({number for _, number, _ in probes.heard}) / due))
        newest = [delay for heard, _, delay in list(probes.heard) if heard > now - 2 * PROBE - 1]
        told = {"Link.loss": round(share, 1), "Link.waiting": float(probes.waiting)} | ({"Link.latency": round(max(newest) / 1000)} if newest else {})
        return [{"entity": f"urn:zs:Link:{domain}", "property": name, "time": at, "value": value, "area": unplaced(self._intake.registry.city)} for name, value in told.items()]
