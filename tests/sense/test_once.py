"""Once: whatever comes in whatever order and grouping, what is kept is what a plain dict would keep."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongshu.kernel.quantity import NULL
from zhongshu.kernel.reading import Flag, Readings
from zhongshu.sense import Once
from zhongshu.sense import once as module
from zhongshu.sense.once import stream_keys

ENTITIES = ["urn:zs:A:1", "urn:zs:A:2"]


def readings(rows: list[tuple[int, int, int]]) -> Readings:
    n = len(rows)
    zeros = np.zeros(n, np.int32)
    column = [np.array([r[i] for r in rows], np.int64) for i in range(3)]
    return Readings(
        ["s"],
        ENTITIES,
        ["A.x"],
        [],
        zeros,
        column[0].astype(np.int32),
        zeros,
        np.zeros(n, np.int64),
        column[1],
        np.where(column[2] < 0, NULL, column[2]),
        zeros,
        np.zeros(n),
        zeros - 1,
    )


class Model:
    """The record as a dict: key → values in the order in which they became known."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, int], list[int | None]] = {}
        self.asked = 0

    def lookup(self, asked: pa.Table) -> pa.Table:
        self.asked += len(asked)
        found = [(r["i"], self.held[r["entity"], r["valid"]][-1]) for r in asked.to_pylist() if (r["entity"], r["valid"]) in self.held]
        return pa.table({"i": pa.array([f[0] for f in found], pa.int64()), "ticks": pa.array([f[1] for f in found], pa.int64())})

    def expect(self, rows: list[tuple[int, int, int]]) -> list[tuple[int, bool]]:
        """Return which rows are kept and whether each revises, and keep them."""
        kept = []
        for i, (entity, valid, ticks) in enumerate(rows):
            values = self.held.setdefault((ENTITIES[entity], valid), [])
            value = None if ticks < 0 else ticks
            if not values or values[-1] != value:
                kept.append((i, bool(values)))
                values.append(value)
        return kept


rows = st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(-1, 2))


@pytest.mark.parametrize(("groups_held", "rows_held"), [(256, 2_000_000), (2, 2_000_000), (1, 1), (256, 5)])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=st.lists(st.tuples(st.lists(rows, max_size=10), st.booleans()), max_size=7))
def test_what_is_kept_is_what_a_dict_keeps(monkeypatch: Any, groups_held: int, rows_held: int, groups: list[tuple[list[tuple[int, int, int]], bool]]) -> None:
    monkeypatch.setattr(module, "RECENT_GROUPS", groups_held)
    monkeypatch.setattr(module, "RECENT_ROWS", rows_held)
    model = Model()
    once = Once(model.lookup)
    for group, restarted in groups:
        if restarted:
            once = restart(model)
        before = {key: list(values) for key, values in model.held.items()}
        after = model.held
        model.held = before
        kept, which = once.sift(readings(group))
        model.held = after
        expected = model.expect(group)
        assert sorted(which.tolist()) == [i for i, _ in expected]
        assert {i: bool(f & Flag.REVISION) for i, f in zip(which.tolist(), kept.flags.tolist(), strict=True)} == dict(expected)
        for a in range(len(which)):
            for b in range(a + 1, len(which)):
                if group[which[a]][:2] == group[which[b]][:2]:
                    assert which[a] < which[b] and kept.rank is not None and kept.rank[a] < kept.rank[b], "later in the group, later known"
        if len(kept):
            once.appended(kept)


def restart(model: Model) -> Once:
    """Start anew from the record, as the owner does: every stream's latest valid time."""
    once = Once(model.lookup)
    high: dict[str, int] = {}
    for entity, valid in model.held:
        high[entity] = max(high.get(entity, valid), valid)
    if high:
        once.remember(np.array([stream_keys(readings([(ENTITIES.index(e), 0, 0)]))[0] for e in high]), np.array(list(high.values()), np.int64))
    return once


def test_what_moves_forward_asks_nobody() -> None:
    model = Model()
    once = Once(model.lookup)
    for t in range(20):
        group = [(0, t, 1), (1, t, 2)]
        kept, _ = once.sift(readings(group))
        model.expect(group)
        once.appended(kept)
    once.sift(readings([(0, 5, 1), (1, 19, 7)]))
    assert model.asked == 0, "and what steps back a little is found among the last groups"


def test_nothing_is_nothing() -> None:
    kept, which = Once(Model().lookup).sift(readings([]))
    assert len(kept) == 0 == len(which)
