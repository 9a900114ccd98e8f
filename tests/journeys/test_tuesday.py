"""A twentieth of a Tuesday: simulated staff through the public API from midnight to midnight, then every voice, clock, step and figure reckoned up."""

import contextlib
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from zhongshu.act import states

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from bench_tuesday import KINDS, Day, tuesday
from staff import Size

from .city import opened
from .reckoning import Reckoned, reckon

pytestmark = pytest.mark.journey
SIZE = Size(150, 20, 3, 20_000, rounds=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tuesday") / "city"


@pytest.fixture(scope="module")
def passed(folder: Path) -> tuple[Day, Reckoned]:
    day, out, _ = tuesday(folder, SIZE)
    return day, out


def test_everything_is_in_order_at_the_end(passed: tuple[Day, Reckoned]) -> None:
    _, out = passed
    assert out.wrong == []
    assert sum(n for what, n in out.checked.items() if what.startswith("voices ")) == SIZE.voices
    assert "voices nowhere" not in out.checked
    assert (
        out.checked["cases walked"]
        == out.checked["clocks that add up"] + out.checked["clocks that add up so far"]
        == out.from_history["filed"] + out.from_history["handled on the spot"]
    )


def test_the_figures_are_those_of_the_history(passed: tuple[Day, Reckoned]) -> None:
    _, out = passed
    assert out.from_relay == out.from_history
    assert out.from_history["received"] == SIZE.voices
    assert out.from_history["closed"] == out.from_history["closed on time"] + out.from_history["closed late"] > 20


def test_the_day_went_the_ways_it_was_to_go(passed: tuple[Day, Reckoned]) -> None:
    """A day without returns, pauses or redoings would prove nothing."""
    day, out = passed
    assert {kind: day.counts[f"voices: {kind}"] for kind in KINDS} == dict.fromkeys(KINDS, SIZE.voices // len(KINDS))
    assert day.counts["leads: findings"] + day.counts["leads: patrols"] == SIZE.leads
    assert out.lines["object"] + out.lines["dispute"] >= SIZE.disputes
    walked: dict[str, Any] = {verb: out.lines[verb] for verb in ("dispatch", "take", "return", "reject", "uphold", "rule", "ask", "check_fail", "launch", "done", "due", "resume")}
    assert min(walked.values()) > 0, walked
    assert out.lines["reopen"] + out.lines["unsolved"] > 0
    assert out.lines["park"] + out.lines["defer"] + out.lines["supplement"] > 0
    assert set(out.lines) - {"sign_in", "sign_out"} <= set(states.VERBS)
    assert day.counts["shifts changed"] == 2
    assert set(day.refused) <= {"case.tasks_open", "case.not_now", "case.stale", "request.answered", "extend.no_longer", "case.own_work", "handover.own", "task.last_hand"}, (
        "nobody was refused but who came late, or would have passed on what had come back to them"
    )


def test_what_is_not_in_order_is_named(passed: tuple[Day, Reckoned], folder: Path) -> None:
    """A limit that is a microsecond off, a case that stands where its history does not lead, a closing of another moment, a voice that was forgotten."""
    assert passed[1].wrong == []
    with contextlib.closing(sqlite3.connect(folder / "desk.sqlite")) as store, store:
        numbers = [row[0] for row in store.execute("SELECT number FROM case_file WHERE step = 'closed' AND reopened = 0 AND extended = 0 ORDER BY number LIMIT 3")]
        for number, change in zip(numbers, ("due = due + 1", "mark = 'passed'", "closed = closed + 1"), strict=True):
            store.execute(f"UPDATE case_file SET {change} WHERE number = ?", (number,))
        voice = store.execute("SELECT number FROM request WHERE state = 'transferred' ORDER BY number LIMIT 1").fetchone()[0]
        store.execute("UPDATE request SET transferred = '', answered = NULL WHERE number = ?", (voice,))
    with opened(folder) as parts:
        wrong = reckon(parts).wrong
    assert sorted(wrong) == sorted(line for line in wrong if any(name in line for name in (*numbers, voice)))
    assert {name for name in (*numbers, voice) if any(name in line for line in wrong)} == {*numbers, voice}
