"""The training ground: lessons, attempts, and the scored look back. An attempt is two lines of the ledger, and its score is read from the lines between."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from zhongshu.act import Lesson, score
from zhongshu.govern import VERBS, deeds_since, lines_of
from zhongshu.kernel.clock import rfc3339
from zhongshu.kernel.problem import declare
from zhongshu.serve.city import City
from zhongshu.serve.door import Asked, Door, known_verb

NO_LESSON = declare(
    "lesson.unknown",
    "unknown",
    zh=("没有这节训练课：{id}。", "训练课只在沙盒城市里；请从列表里选。"),
    en=("There is no lesson {id}.", "Only a sandbox city has lessons; choose one of the list."),
)
UNDER_WAY = declare(
    "lesson.under_way",
    "conflict",
    zh=("正在上“{zh}”这节课。", "请先结束它。"),
    en=("The lesson '{en}' is under way.", "End it first."),
)
NONE_UNDER_WAY = declare(
    "lesson.none",
    "conflict",
    zh=("没有正在上的课。", "请先开始一节。"),
    en=("No lesson is under way.", "Begin one first."),
)
NEEDS_ENGINES = declare(
    "lesson.needs_engines",
    "unavailable",
    zh=("“{zh}”要由仿真引擎来演，这座城市没有在运行引擎。", "安装附加项 twin（pip install 'zhongshu[twin]'）后重启；或先上“暴雨内涝”。"),
    en=("'{en}' is played by the simulators, which do not run in this city.", "Install the extra `twin` (pip install 'zhongshu[twin]') and start again; or take the cloudburst."),
)
KIND = "lesson"
MOST = 20
"""So many attempts are listed."""


def lessons(asked: Door) -> dict[str, Any]:
    """List the lessons, the attempt under way, and the last ones with their points."""
    city = asked.city
    begins = city.desk.read(lambda conn: [row for row in lines_of(conn, KIND, MOST * 2) if row["action"] == "begin"])[:MOST]
    attempts = [_attempt(city, row) for row in begins]
    items = [
        {"id": one.id, "zh": one.zh, "en": one.en, "about_zh": one.about_zh, "about_en": one.about_en, "lasts": one.lasts, "tasks": len(one.task), "playable": _playable(city, one)}
        for one in city.lessons.values()
    ]
    may = bool(city.guard.scope(asked.principal, "act", "lesson"))
    return {"items": items, "next": None, "running": next((one for one in attempts if one["ended"] is None), None), "attempts": attempts, "may": may}


def act(asked: Door, id: str, verb: str) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Begin a lesson by its id, or end an attempt by its number."""
    known = known_verb(verb, VERBS["lesson"])
    asked.city.guard.require(asked.principal, "act", "lesson", verb=known)
    return _begin(asked, id) if known == "begin" else _end(asked, id)


def _begin(asked: Asked, id_: str) -> dict[str, Any]:
    """Begin a lesson: its events come upon the city, and the simulated people leave the learners' seats."""
    city, lesson = asked.city, _lesson(asked.city, id_)
    if (running := _running(city)) is not None:
        raise UNDER_WAY(zh=running["zh"], en=running["en"])
    if not _playable(city, lesson):
        raise NEEDS_ENGINES(zh=lesson.zh, en=lesson.en)
    seq = city.desk.write(lambda conn: city.ledger.witness(conn, asked.principal.id, "begin", KIND, lesson.id, {"seats": lesson.seats}).seq)
    if city.life is not None:
        for seat in lesson.seats:
            city.life.take_seat(seat)
        if lesson.story:
            city.life.start_story()
    if city.foresight is not None:
        for event in lesson.events:
            city.foresight.happen(event)
    return attempt(asked, seq)


def _end(asked: Asked, id_: str) -> dict[str, Any]:
    """End the attempt under way; return its look back."""
    running = _running(asked.city)
    if running is None or str(running["attempt"]) != id_:
        raise NONE_UNDER_WAY()
    asked.city.desk.write(lambda conn: asked.city.ledger.witness(conn, asked.principal.id, "end", KIND, str(running["attempt"]), {}))
    return attempt(asked, running["attempt"])


def attempt(asked: Door, attempt: int) -> dict[str, Any]:
    """Return an attempt as it stands: every task with its time and points, and all that was done meanwhile."""
    city = asked.city
    row = next((row for row in city.desk.read(lambda conn: lines_of(conn, KIND, 1000)) if row["seq"] == attempt and row["action"] == "begin"), None)
    if row is None:
        raise NO_LESSON(id=str(attempt))
    return _attempt(city, row, whole=True)


def _lesson(city: City, id_: str) -> Lesson:
    if id_ not in city.lessons:
        raise NO_LESSON(id=id_[:60])
    return city.lessons[id_]


def _playable(city: City, lesson: Lesson) -> bool:
    """Tell whether a lesson's events can come: the storm's story by itself, the others by the engines."""
    return city.life is not None and (lesson.story or (city.foresight is not None and all(city.foresight.can_happen(event) for event in lesson.events)))


def _running(city: City) -> dict[str, Any] | None:
    row = next((row for row in city.desk.read(lambda conn: lines_of(conn, KIND, 2)) if row["action"] == "begin"), None)
    told = None if row is None else _attempt(city, row)
    return None if told is None or told["ended"] is not None else told


def _attempt(city: City, row: Mapping[str, Any], *, whole: bool = False) -> dict[str, Any]:
    lesson, seq = city.lessons.get(row["subject"]), row["seq"]

    def read(conn: Connection) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        return lines_of(conn, KIND, 1000), deeds_since(conn, seq, 5000)

    marks, deeds = city.desk.read(read)
    ended = next((mark["at"] for mark in marks if mark["action"] == "end" and mark["subject"] == str(seq)), None)
    now = city.ledger.now()
    told: dict[str, Any] = {"points": 0.0, "of": 0, "tasks": [], "over": True, "left_s": 0}
    if lesson is not None:
        parsed = [deed | {"detail": json.loads(deed["detail"])} for deed in deeds if deed["kind"] != KIND]
        told = score(lesson, row["at"], parsed, ended or now)
    names = {"zh": lesson.zh if lesson else row["subject"], "en": lesson.en if lesson else row["subject"]}
    if ended is None and told["over"]:
        ended = now
    log = [
        {"at": rfc3339(deed["at"]), "actor": deed["actor"], "deed": f"{deed['kind']}.{deed['action']}", "subject": deed["subject"]}
        for deed in deeds
        if deed["at"] <= (ended or now)
    ]
    return {
        "attempt": seq,
        "lesson": row["subject"],
        **names,
        "begun": rfc3339(row["at"]),
        "begun_by": row["actor"],
        "ended": rfc3339(ended) if ended else None,
        "points": told["points"],
        "of": told["of"],
        "left_s": told["left_s"],
        "tasks": told["tasks"] if whole or ended is None else [],
        "deeds": log if whole else [],
    }
