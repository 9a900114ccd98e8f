"""What open screens are told: in the end always what a sign reads, a turned level at once, and nothing twice a second without need."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zhongshu.app.screens import Screens
from zhongshu.judge import Outcome, Values
from zhongshu.judge.watch import Change
from zhongshu.kernel.area import Level, keyed
from zhongshu.kernel.bus import News
from zhongshu.kernel.clock import GRID, SECOND
from zhongshu.kernel.finding import Status

CITY, STREET = 990100000000000, 990101001000000
KEYS = np.sort(np.concatenate([keyed(np.array([CITY]), Level.CITY), keyed(np.array([STREET]), Level.STREET)]))


class Ear:
    """A bus that remembers."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []

    def publish(self, news: News) -> None:
        self.heard += news.body["items"]


def values(at: int, read: list[float]) -> Values:
    status = np.array([Status.RED if v > 5 else Status.GREEN for v in read], object)
    return Values(KEYS, np.array(read), np.full(2, at), np.ones(2, np.int64), status, np.zeros(2, np.int64), np.full(2, "", object), at)


@given(st.lists(st.tuples(st.integers(0, 7), st.lists(st.sampled_from([1.0, 4.0, 6.0, 9.0]), min_size=2, max_size=2)), min_size=1, max_size=12))
def test_after_a_second_a_screen_shows_what_is_read(steps: list[tuple[int, list[float]]]) -> None:
    ear = Ear()
    screens, at, before = Screens(ear), 100 * SECOND, None  # type: ignore[arg-type]
    for wait, read in [*steps, (5, steps[-1][1])]:
        at += (wait + 1) * GRID
        now = values(at, read)
        turned = np.flatnonzero(now.status != before.status) if before is not None else np.arange(2)
        moved = np.flatnonzero(now.value != before.value) if before is not None else np.arange(2)
        heard = len(ear.heard)
        screens.take(Outcome(at, [Change("X", now, moved, turned)] if len(moved) else []))
        told = {(item["area"], item["level"]) for item in ear.heard[heard:]}
        for i in turned.tolist():
            assert (f"{KEYS[i] >> 3:015d}", str(now.status[i])) in told, "a level that turned is told at once"
        before = now
    last = {item["area"]: item["value"] for item in ear.heard}
    assert last == {f"{key >> 3:015d}": value for key, value in zip(KEYS.tolist(), steps[-1][1], strict=True)}
