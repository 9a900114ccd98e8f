"""Who holds what: a target follows the last that took hold of it, and is let go only by the last that holds it. Shown on a simulator that only keeps what it is given."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhongshu.foresee import LookAhead, Rule, Told, made, shown
from zhongshu.kernel.problem import Problem
from zhongshu.kernel.simulator import Inputs, Objects, Outputs

MINUTE = 60_000_000


class Kept:
    """A simulator of two roads: each level follows a plan of values a step, and a road is closed as it was set."""

    inputs: Mapping[str, str] = {"road.closed": "1"}
    observed: Mapping[str, str] = {"road.water": "m", "road.closed": "1"}

    def __init__(self, water: list[tuple[float, float]]) -> None:
        """Take the water on both roads after each step."""
        self.water, self.closed, self.steps = water, {"A": 0.0, "B": 0.0}, 0

    @staticmethod
    def version() -> str:
        """Return a name."""
        return "kept 1"

    def load(self, model: Path, start: int, seed: int = 0, driven: Collection[str] = ()) -> Objects:
        """Load nothing."""
        raise NotImplementedError

    def set_inputs(self, inputs: Inputs) -> None:
        """Keep what is set."""
        self.closed |= inputs["road.closed"]

    def step(self, until: int) -> None:
        """Go on to the plan's next values."""
        self.steps = min(self.steps + 1, len(self.water) - 1)

    def outputs(self, wanted: Collection[str] = ()) -> Outputs:
        """Return the water, and what is closed."""
        return {"road.water": np.array(self.water[self.steps]), "road.closed": np.array([self.closed["A"], self.closed["B"]])}

    def snapshot(self) -> bytes:
        """Keep nothing."""
        raise NotImplementedError

    def restore(self, snapshot: bytes) -> None:
        """Restore nothing."""
        raise NotImplementedError


def rule(name: str, of: str, otherwise: float | None = 0) -> dict[str, Any]:
    """Return a rule that closes A while there is water on a road."""
    row = {"name": name, "of": "roads:road.water", "op": ">", "value": 0.5, "unit": "m", "set": "roads:road.closed", "then": 1, "pairs": {of: ["A"]}, "source": {"doc": "made"}}
    return row if otherwise is None else row | {"otherwise": otherwise}


def run(water: list[tuple[float, float]], rules: list[dict[str, Any]], changes: list[dict[str, Any]], record: Any = None, spinup: str = "0s") -> tuple[list[float], Told]:
    """Return whether A was closed in each step, and what the run told."""
    minutes = len(water) - 1
    scenario = made("test", {"name": "t", "models": {"roads": "r"}, "hours": minutes / 60, "step": "1m", "spinup": spinup, "coupling": rules, "change": changes})
    kept, closed = Kept(water), list[float]()
    coupled = [Rule(row, row.value, row.pairs) for row in scenario.coupling]
    ahead = LookAhead(scenario, {"roads": kept}, {"roads": {"road": ("A", "B")}}, coupled)
    told = ahead.run(lambda *_: closed.append(kept.closed["A"]), record=record)
    return closed, told


WATER = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0), (0.0, 0.0)]


def test_a_road_closed_for_two_reasons_opens_with_the_last() -> None:
    closed, told = run(WATER, [rule("water at A", "A"), rule("water at B", "B")], [])
    assert closed == [0, 1, 1, 1, 0]
    assert [(e.at // MINUTE, e.by, e.value) for e in told.exchanges] == [(1, "water at A", 1), (2, "water at B", 1), (3, "water at B", 1), (4, "water at B", 0)]


def test_a_road_that_is_to_be_closed_is_not_opened_by_a_rule() -> None:
    closed, _ = run(WATER, [rule("water at A", "A")], [{"set": "roads:road.closed", "of": ["A"], "value": 1, "unit": "1"}])
    assert closed == [1, 1, 1, 1, 1]
    closed, _ = run(WATER, [rule("water at A", "A")], [{"set": "roads:road.closed", "of": ["A"], "value": 1, "unit": "1", "until": "2m"}])
    assert closed == [1, 1, 1, 0, 0]


def test_what_has_no_otherwise_stays() -> None:
    closed, _ = run(WATER, [rule("tripped", "A", None), rule("water at B", "B")], [])
    assert closed == [0, 1, 1, 1, 1]


def test_the_record_says_what_nothing_else_holds() -> None:
    said = {-1: 1.0, 0: 0.0, 1: 0.0, 2: 0.0, 3: 1.0, 4: 1.0, 5: 1.0}
    asked: list[int] = []

    def record(at: int) -> Mapping[tuple[str, str, str], float]:
        asked.append(at // MINUTE)
        return {("roads", "road.closed", "A"): said[at // MINUTE]}

    closed, told = run(WATER, [rule("water at A", "A")], [], record, "1m")
    assert asked == [-1, 0, 1, 2, 3, 4] and closed == [1, 1, 1, 0, 1, 1] and told.spin == MINUTE
    assert [(e.at // MINUTE, e.by, e.value) for e in told.exchanges] == [(0, "record", 1), (1, "record", 0), (1, "water at A", 1), (3, "record", 0), (4, "record", 1)]
    assert shown(told)["seconds"] == [0, 60, 120, 180, 240, 300] and shown(told)["exchanges"][0]["second"] == -60


def test_a_spin_up_that_is_too_long_is_refused() -> None:
    with pytest.raises(Problem) as told:
        made("test", {"name": "t", "models": {"roads": "r"}, "spinup": "25h"})
    assert told.value.kind.code == "twin.bad_scenario"


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12), st.booleans())
def test_a_road_is_closed_exactly_while_something_closes_it(wet: list[tuple[bool, bool]], forever: bool) -> None:
    water = [(0.0, 0.0), *((float(a), float(b)) for a, b in wet)]
    changes = [{"set": "roads:road.closed", "of": ["A"], "value": 1, "unit": "1", "begin": "2m"}] if forever and len(wet) > 1 else []
    closed, _ = run(water, [rule("one", "A"), rule("other", "B")], changes)
    assert closed == [float(a > 0 or b > 0 or bool(changes and minute >= 2)) for minute, (a, b) in enumerate(water[:-1])]
