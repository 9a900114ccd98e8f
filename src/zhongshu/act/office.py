"""The office: where the rest of the program hands a deed in. It takes the city's time, runs the deed at the desk, and spreads its news.

The time is taken when the deed is run, so the history's order is the order of time. News goes out only after the commit. Knows no verb.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from zhongshu.act.assistant import Assistant
from zhongshu.act.deed import Deed, Staff, Witness, no_staff
from zhongshu.kernel.bus import Bus, News
from zhongshu.kernel.clock import Clock
from zhongshu.kernel.desk import Desk
from zhongshu.kernel.grade import Principal

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Office:
    """One for a city. `witness_for` gives the ledger's witness for whoever acts."""

    def __init__(self, desk: Desk, bus: Bus, clock: Clock, zone: ZoneInfo, witness_for: Callable[[Principal], Witness], assistant: Assistant | None = None) -> None:
        """Work at this desk, by this clock, in this zone."""
        self._desk, self._bus, self.clock, self.zone, self._witness_for = desk, bus, clock, zone, witness_for
        self.assistant = assistant
        self.staff: Staff = no_staff

    def submit(self, actor: Principal, work: Callable[[Deed], T]) -> "Future[T]":
        """Queue a deed; its future is done when it is durable and its news is out, or holds the Problem that undid it."""
        told: Future[T] = Future()
        told.set_running_or_notify_cancel()

        def run(connection: Connection) -> tuple[T, list[News]]:
            deed = Deed(connection, self.clock.now(), actor, self._witness_for(actor), self.zone, assistant=self.assistant, staff=self.staff)
            return work(deed), deed.news

        def finish(done: "Future[tuple[T, list[News]]]") -> None:
            error = done.exception()
            if error is not None:
                told.set_exception(error)
                return
            result, news = done.result()
            self._publish(news)
            told.set_result(result)

        self._desk.submit(run).add_done_callback(finish)
        return told

    def write(self, actor: Principal, work: Callable[[Deed], T]) -> T:
        """Do a deed and wait until it is durable."""
        return self.submit(actor, work).result()

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run a read of one moment."""
        return self._desk.read(work)

    def _publish(self, news: list[News]) -> None:
        for item in news:
            try:
                self._bus.publish(item)
            except Exception:  # noqa: BLE001 (a listener's trouble is not the trouble of whoever acted)
                _log.exception("news.lost", extra={"kind": item.kind})
