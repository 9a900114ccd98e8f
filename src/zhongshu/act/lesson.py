"""Lessons of the training ground: what happens, which tasks there are, and how the deeds that the ledger holds are scored. Knows no store: deeds are given.

A task is done by the first deed of its kind after the lesson began; in time it brings all its points, later half of them. So an attempt is scored from the ledger
alone, by anybody, at any time, and comes out the same.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from zhongshu.kernel.clock import parse_duration
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.reason import why

BAD_LESSON = declare(
    "lesson.bad",
    "invalid",
    zh=("训练课文件 {file} 有误：{why_zh}。", "请更正这个文件。"),
    en=("The lessons' file {file} is wrong: {why_en}.", "Correct the file."),
)
LATE_SHARE = 0.5
"""What a task that is done too late is worth."""
Said = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]


class Task(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Something to be done: the ledger's deed (`case.dispatch`), within what time of the lesson's beginning, for how many points; `where`: what its detail has to say; `also`: other deeds that do as well."""

    id: Said
    zh: Said
    en: Said
    deed: Said
    within: str
    points: Annotated[int, msgspec.Meta(ge=1, le=100)]
    link: str = ""
    where: dict[str, str] = {}
    also: list[Said] = []


class Lesson(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A lesson: what happens (`story`: the storm's story; `events`: wishes to the running networks), whose seats the learners take, for how long, and the tasks."""

    id: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,39}$")]
    zh: Said
    en: Said
    about_zh: Said
    about_en: Said
    lasts: str
    task: Annotated[list[Task], msgspec.Meta(min_length=1, max_length=30)]
    seats: list[str] = []
    story: bool = False
    events: list[dict[str, Any]] = []


class _File(msgspec.Struct, forbid_unknown_fields=True):
    lesson: list[Lesson]


def read_lessons(path: Path) -> tuple[Lesson, ...]:
    """Read a pack's lessons. Raises `lesson.bad`."""
    try:
        held = msgspec.convert(tomllib.loads(path.read_text("utf-8")), _File).lesson
        for lesson in held:
            for text in (lesson.lasts, *(task.within for task in lesson.task)):
                parse_duration(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError, Problem) as error:
        raise BAD_LESSON(file=path.name, **why(error)) from None
    return tuple(held)


def score(lesson: Lesson, begun: int, deeds: Sequence[Mapping[str, Any]], now: int) -> dict[str, Any]:
    """Score an attempt: `deeds` are the ledger's lines (seq, at, actor, action, kind, subject, detail as an object) since it began (µs), in order. Return points, of each task by which line, when, by whom and in time or not, and when it ended by itself (µs): by its last task or its time."""
    limit = begun + parse_duration(lesson.lasts)
    end = min(now, limit)
    rows = [_scored(task, begun, [deed for deed in deeds if begun <= deed["at"] <= end]) for task in lesson.task]
    done = [row.pop("done") for row in rows]
    last = max(done) if all(done) else limit
    return {
        "points": sum(row["earned"] for row in rows),
        "of": sum(task.points for task in lesson.task),
        "tasks": rows,
        "ended": last if now >= last else None,
        "lasts_s": (limit - begun) // 1_000_000,
        "left_s": max(0, limit - now) // 1_000_000,
    }


def _scored(task: Task, begun: int, deeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    done = next(
        (
            deed
            for deed in deeds
            if f"{deed['kind']}.{deed['action']}" in {task.deed, *task.also} and all(str(deed["detail"].get(name)) == value for name, value in task.where.items())
        ),
        None,
    )
    took = None if done is None else done["at"] - begun
    limit = parse_duration(task.within)
    state = "open" if took is None else "done" if took <= limit else "late"
    earned = {"open": 0.0, "done": float(task.points), "late": task.points * LATE_SHARE}[state]
    return {
        "id": task.id,
        "zh": task.zh,
        "en": task.en,
        "link": task.link,
        "within_s": limit // 1_000_000,
        "points": task.points,
        "earned": earned,
        "state": state,
        "took_s": None if took is None else round(took / 1e6, 1),
        "by": "" if done is None else done["actor"],
        "subject": "" if done is None else done["subject"],
        "line": None if done is None else done["seq"],
        "done": 0 if done is None else done["at"],
    }
