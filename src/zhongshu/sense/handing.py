"""Handing batches over to the journal from a thread that may wait: while too much waits already, or the disk is low, it waits too, and nothing is dropped.

Knows no reader: whoever has batches uses it.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

from zhongshu.kernel.journal import Batch, Receipt
from zhongshu.kernel.problem import Problem

AGAIN = 1.0
"""Seconds until a batch that could not be kept is tried again."""
_PASSING = ("busy", "full")
_log = logging.getLogger(__name__)


class Stopped(Exception):  # noqa: N818 (a sign between two threads)
    """Whoever reads was told to stop; what is not kept stays where it came from."""


class Handing:
    """One reader's way to the journal."""

    def __init__(self, name: str, submit: Callable[[Batch], "Future[Receipt]"], stop: threading.Event) -> None:
        """Take under what name it tells that it waits, who takes batches, and the sign to stop."""
        self._name, self._submit, self._stop = name, submit, stop

    def put(self, batch: Batch) -> "Future[Receipt]":
        """Hand a batch over, waiting while too much waits already; raises `Stopped`."""
        while True:
            try:
                return self._submit(batch)
            except Problem as problem:
                if problem.kind.sort not in _PASSING:
                    raise Stopped from problem
                self._wait(problem)

    def settle(self, batch: Batch, future: "Future[Receipt]") -> Receipt:
        """Wait until a batch is on disk; what keeps it from there passes, or someone mends it. Raises the Problem of a batch that is refused, and `Stopped`."""
        while True:
            try:
                return future.result()
            except Exception as error:
                if isinstance(error, Problem) and error.kind.sort not in {*_PASSING, "unavailable"}:
                    raise
                self._wait(error)
                future = self.put(batch)

    def _wait(self, error: BaseException) -> None:
        _log.warning("%s.waits %s", self._name, error)
        if self._stop.wait(AGAIN):
            raise Stopped
