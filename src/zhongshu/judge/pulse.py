"""The pulse: a thread that takes durable groups in their order and evaluates the city at every boundary that anything can change.

Boundaries are a function of the groups' known times and of the panes' turns, so a replay of the journal evaluates the same ones.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from zhongshu.judge.watch import Outcome, Watch
from zhongshu.kernel.clock import GRID, SECOND, Clock, boundary
from zhongshu.kernel.live import Live
from zhongshu.kernel.reading import Readings, join

Replay = Callable[[int, int], Iterable[Readings]]
"""Give the recorded readings valid after one time and until another, µs."""

BEHIND = 1 * SECOND
"""A city that cannot keep up sees fewer boundaries rather than ever later ones: what is further behind is seen at once, at the latest boundary.

What was missed while the city was down is gone through boundary by boundary all the same."""

_log = logging.getLogger(__name__)


class Pulse:
    """`settle(at)` must return when every group known by `at` was handed to `take`, and no later one will be."""

    def __init__(
        self, clock: Clock, live: Live, watch: Watch, settle: Callable[[int], None], tell: Callable[[Outcome], None], replay: Replay | None = None, offset: int = 0
    ) -> None:
        """Take the clock, the cells, the watch and who hears of outcomes (in the pulse's thread); `replay` plays history in; all up to `offset` is in the record."""
        self._clock, self._live, self._watch, self._settle, self._tell, self._replay = clock, live, watch, settle, tell, replay
        self._groups: deque[Readings] = deque()
        self._taken = offset
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self.abreast = False
        self.failed = 0

    def take(self, readings: Readings) -> None:
        """Queue a durable group; called by the journal's thread."""
        self._groups.append(readings)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the boundary under way."""
        self._stop.set()
        self._thread.join(timeout=30)

    def beat(self, at: int) -> None:
        """Evaluate every boundary up to `at`: those with readings, and those where a pane turns."""
        self._settle(at)
        if self._replay is not None:
            self._play(self._replay, at)
            return
        while True:
            after = self._watch.memory.at
            turn = boundary(self._watch.next_turn(after))
            group = boundary(self._known(self._groups[0])) if self._groups else at + 1
            next_ = min(turn, group)
            if next_ > at:
                return
            if self.abreast and at - next_ > BEHIND:
                next_ = at
            come = []
            while self._groups and boundary(self._known(self._groups[0])) <= next_:
                come.append(self._groups.popleft())
            if come:  # together: what a group costs every cell is the same for many readings as for one
                self._live.apply(join(come))
            self._tell(self._watch.step(next_))

    def _play(self, replay: Replay, at: int) -> None:
        """Hand in what was valid since the last boundary, and what came in for earlier times; then evaluate once.

        The record may show groups that are not taken yet: they wait, and are then late.
        """
        after = self._watch.memory.at
        if at <= after:
            return
        while self._groups:
            group = self._groups.popleft()
            self._taken = group.offset
            if len(late := group.select(group.valid <= after)):
                self._live.apply(late)
        for group in replay(after, at):
            if group.offset <= self._taken:
                self._live.apply(group)
        self._tell(self._watch.step(at))

    @staticmethod
    def _known(group: Readings) -> int:
        return group.known

    def _run(self) -> None:
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                self.beat(self._clock.now() // GRID * GRID)
                self.abreast = True
            except Exception:  # noqa: BLE001 (told and counted; the next boundary is tried)
                self.failed += 1
                _log.exception("pulse.failed")
            self._stop.wait(max(0.02, 0.2 - (time.monotonic() - begun)))
