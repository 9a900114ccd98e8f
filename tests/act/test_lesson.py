"""Lessons are scored by what the ledger holds: in time all points, late half, not at all none; the same from the same lines."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zhongshu.packs.sandbox
from zhongshu.act import LEAD_ROWS, ROWS, Lesson, read_lessons, score
from zhongshu.act.centre.incident import SAID
from zhongshu.act.lesson import Task
from zhongshu.app import installed_packs
from zhongshu.govern import VERBS
from zhongshu.kernel.problem import Problem

MINUTE = 60_000_000
BEGUN = 1_790_000_000_000_000
SHIPPED = Path(zhongshu.packs.sandbox.__file__).parent / "lessons.toml"
LESSON = Lesson(
    "l",
    "课",
    "lesson",
    "说明",
    "about",
    "30m",
    [Task("a", "甲", "A", "case.file", "5m", 40), Task("b", "乙", "B", "case.dispatch", "10m", 60, where={"unit": "dept-drainage"})],
)


def deed(minute: float, name: str, seq: int = 1, **detail: str) -> dict[str, Any]:
    kind, _, action = name.partition(".")
    return {"seq": seq, "at": BEGUN + round(minute * MINUTE), "actor": "p-1", "action": action, "kind": kind, "subject": "990101-1", "detail": detail}


def test_in_time_all_points_late_half_and_another_unit_is_not_it() -> None:
    told = score(LESSON, BEGUN, [deed(4, "case.file"), deed(6, "case.dispatch", unit="dept-traffic"), deed(12, "case.dispatch", unit="dept-drainage")], BEGUN + 13 * MINUTE)
    assert [(row["state"], row["earned"], row["took_s"]) for row in told["tasks"]] == [("done", 40.0, 240.0), ("late", 30.0, 720.0)]
    assert (told["points"], told["of"], told["ended"]) == (70.0, 100, BEGUN + 12 * MINUTE)
    begun = score(LESSON, BEGUN, [], BEGUN + MINUTE)
    assert begun["points"] == 0 and begun["ended"] is None and begun["left_s"] == 29 * 60 and begun["lasts_s"] == 1800 and begun["tasks"][0]["state"] == "open"


@given(st.floats(0, 90), st.booleans())
def test_an_attempt_ends_with_its_last_task_or_its_time_whenever_one_asks(now: float, both: bool) -> None:
    lines = [deed(4, "case.file"), deed(6, "case.dispatch", unit="dept-drainage" if both else "dept-traffic")]
    ended = score(LESSON, BEGUN, lines, BEGUN + round(now * MINUTE))["ended"]
    last = BEGUN + (6 if both else 30) * MINUTE
    assert ended == (last if BEGUN + round(now * MINUTE) >= last else None)


def test_a_task_names_the_line_that_made_it_done_and_no_other_of_the_same_moment() -> None:
    lines = [deed(1, "case.report", seq=7), deed(1, "case.file", seq=8), deed(1, "case.file", seq=9)]
    assert [row["line"] for row in score(LESSON, BEGUN, lines, BEGUN + 2 * MINUTE)["tasks"]] == [8, None]


def test_another_deed_may_do_as_well() -> None:
    lesson = Lesson("l", "课", "lesson", "说明", "about", "30m", [Task("a", "甲", "A", "lead.confirm", "5m", 40, also=["case.file"])])
    assert [score(lesson, BEGUN, [deed(1, name)], BEGUN + 2 * MINUTE)["points"] for name in ("lead.confirm", "case.file", "case.close")] == [40.0, 40.0, 0]


@given(st.lists(st.tuples(st.floats(-5, 40), st.sampled_from(["case.file", "case.dispatch", "case.close"])), max_size=12), st.floats(0, 60))
def test_points_never_pass_what_there_is_and_only_grow(deeds: list[tuple[float, str]], now: float) -> None:
    lines = [deed(minute, name, unit="dept-drainage") for minute, name in sorted(deeds)]
    early, late = (score(LESSON, BEGUN, lines, BEGUN + round(at * MINUTE)) for at in (now / 2, now))
    assert 0 <= early["points"] <= late["points"] <= late["of"] == 100
    assert score(LESSON, BEGUN, lines, BEGUN + 61 * MINUTE) == score(LESSON, BEGUN, lines, BEGUN + 61 * MINUTE)
    before = [line for line in lines if line["at"] < BEGUN]
    assert score(LESSON, BEGUN, before, BEGUN + 61 * MINUTE)["points"] == 0


def test_the_shipped_lessons_name_deeds_and_levers_that_there_are() -> None:
    lessons = read_lessons(SHIPPED)
    assert [one.id for one in lessons] == ["storm", "burst", "blackout", "festival"]
    assert all(sum(task.points for task in one.task) == 100 for one in lessons)
    named = {deed for one in lessons for task in one.task for deed in (task.deed, *task.also)}
    written = {f"{kind}.{row.verb}" for kind, rows in (("case", ROWS), ("lead", LEAD_ROWS)) for row in rows} | {f"{kind}.{verb}" for kind, verb in SAID}
    written |= {f"{kind}.{verb}" for kind in ("finding", "scenario") for verb in VERBS[kind]}
    assert named <= written, named - written
    assert all(task.link.startswith("/") for one in lessons for task in one.task)
    levers = {lever.id for pack in installed_packs() for lever in pack.foreseen("levers")}
    assert {event["lever"] for one in lessons for event in one.events} <= levers


@pytest.mark.parametrize("text", ["", "lesson = 3", "[[lesson]]\nid = 'X'", SHIPPED.read_text("utf-8").replace('"30m"', '"half an hour"', 1)])
def test_a_file_that_is_wrong_is_refused(tmp_path: Path, text: str) -> None:
    (path := tmp_path / "lessons.toml").write_text(text, "utf-8")
    with pytest.raises(Problem) as told:
        read_lessons(path)
    assert told.value.kind.code == "lesson.bad"
