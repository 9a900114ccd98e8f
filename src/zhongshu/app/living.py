"""The sandbox city lives by its engines: its four networks run at the pace of the city's clock, and what its devices say is what they stand in.

One thread; the engines are processes of their own. Where they are away the made devices go on by themselves, as they do without the extra `twin`.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from zhongshu.app.scenarios import Ground, Ready, ready
from zhongshu.foresee import Change, Driven, Models, Scenario, made
from zhongshu.kernel.clock import MINUTE, SECOND
from zhongshu.kernel.problem import Problem

STEP = MINUTE
"""How far the engines go at once, µs: between two states devices say what lies between."""
HOURS = 5
"""After so many hours the engines begin anew: a made city's traffic is written for six."""
AGAIN_S = 60.0
"""Seconds after which engines that broke are started again."""
_log = logging.getLogger(__name__)
States = Mapping[str, tuple[list[str], npt.NDArray[np.float64]]]
"""Property → the entities it is known of, and its values there, in its unit."""


class Living:
    """The engines behind a sandbox city's devices."""

    def __init__(self, models: Models, roles: Callable[[], Mapping[str, str]], ground: Callable[[], Ground], clock: Callable[[], int]) -> None:
        """Take the models, what tells the role of each (asked in the thread, so it may be long in coming), what a run stands on, and the city's clock (µs)."""
        self._models, self._roles, self._ground, self._clock = models, roles, ground, clock
        self._said: dict[str, float] = {}
        self._ready: Ready | None = None
        self._states: list[tuple[int, list[npt.NDArray[np.float64]]]] = []
        """The last two states: when (µs, the city's time), and the values of every row of sights."""
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._live, name="living", daemon=True)

    def start(self) -> None:
        """Begin to live."""
        self._thread.start()

    def stop(self) -> None:
        """End the engines."""
        self._ends.set()
        for worker in self._ready.workers.values() if self._ready else ():
            worker.stop()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    @property
    def alive(self) -> bool:
        """Tell whether the engines run and have said something."""
        return self._ready is not None and bool(self._states)

    def hear(self, said: Mapping[str, float]) -> None:
        """Take what entities that drive the engines say now (entity → value in its property's unit)."""
        self._said |= said

    def alter(self, change: Change) -> bool:
        """Let something happen to the networks from the next step on; False where no engines run."""
        if self._ready is None:
            return False
        self._ready.ahead.alter(change)
        return True

    def states(self, now: float) -> States:
        """Return what devices stand in at a moment (s since 1970), between the last two states of the engines."""
        held, one = self._states[-2:], self._ready
        if one is None or not held:
            return {}
        (begin, before), (end, after) = held[0], held[-1]
        share = min(1.0, max(0.0, (now * SECOND - begin) / max(end - begin, 1)))
        return {seen.prop.name: (seen.ids, a + (b - a) * share) for seen, a, b in zip(one.seen, before, after, strict=True)}

    def _live(self) -> None:
        while not self._ends.is_set():
            try:
                self._once()
            except Problem as problem:
                if not self._ends.is_set():
                    _log.warning("living.broke %s", problem.sentence())
            except Exception:  # noqa: BLE001 (whatever breaks it, the city goes on and the devices speak by themselves)
                _log.exception("living.broke")
            self._ready, self._states = None, []
            self._ends.wait(AGAIN_S)

    def _scenario(self) -> Scenario:
        return made("living", {"name": "living", "models": dict(self._roles()), "hours": HOURS, "step": "1m", "spinup": "30m", "seed": 7})

    def _once(self) -> None:
        ground = self._ground()
        with ready(self._models, self._scenario(), ground) as prepared:
            begun = self._clock()

            def see(at: int, last: Mapping[str, Any]) -> None:
                values = [(last[one.role][one.attribute][one.place] * one.scale + one.shift) * float(one.prop.tick) for one in prepared.seen]
                self._states = [*self._states[-1:], (begun + at, values)]
                prepared.ahead.told.exchanges.clear()  # nobody asks why of a made day, and a week of it is long
                self._ready = prepared

            def waits() -> bool:
                """Wait until the engines' step is due; before now they run through."""
                due = begun + (self._states[-1][0] - begun if self._states else -1)
                while not self._ends.is_set() and self._clock() < due:
                    time.sleep(0.2)
                return self._ends.is_set()

            prepared.ahead.run(lambda _at, _end: None, waits, lambda _since: self._now(prepared.driven), see)

    def _now(self, driven: list[Driven]) -> dict[tuple[str, str, str], float]:
        return {target: value for one in driven for target, value in one.now(self._said).items()}
