"""The training ground: lessons, attempts, and the scored look back. An attempt is two lines of the ledger, and its score is read from the lines between."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from zhongshu.act import RESULTS, Lesson, score
from zhongshu.act import VERBS as CASE_VERBS
from zhongshu.act.centre import incident
from zhongshu.govern import VERBS, deeds_since, lines_of
from zhongshu.kernel.clock import parse_duration, rfc3339
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
MOST_DEEDS = 5000
"""So many deeds of an attempt are read."""
SAID = {
    ("case", "report"): ("立案上报", "Case opened"),
    ("finding", "acknowledge"): ("签收告警", "Finding acknowledged"),
    ("request", "received"): ("反映问题", "Problem reported"),
    ("scenario", "make"): ("提出方案", "Option made"),
    ("scenario", "run"): ("推演", "What if asked"),
    ("scenario", "choose"): ("选定方案", "Option chosen"),
    ("scenario", "stop"): ("停下推演", "Run stopped"),
    ("response", "start"): ("启动响应", "Response started"),
    ("response", "change"): ("调整响应", "Response changed"),
    ("response", "end"): ("终止响应", "Response ended"),
    ("mode", "propose"): ("提请转换", "Mode proposed"),
    ("mode", "approve"): ("批准转换", "Mode approved"),
    ("warning", "issue"): ("发布预警", "Warning issued"),
    ("instruction", "give"): ("批示", "Instruction given"),
}
"""What deeds are called that neither a case's nor an incident's words name."""
REPORTED = {("request", "received"), *(("request", verb) for verb in RESULTS)}
REPORTER = ("反映人", "Who reported it")
PAGES = {"case": "/desk/case/{id}", "incident": "/screen/incident/{id}"}
"""Where what a deed was done to is shown."""


def lessons(asked: Door) -> dict[str, Any]:
    """List the lessons, the attempt under way, and the last ones with their points."""
    city = asked.city
    attempts = _named(city, [_attempt(city, row, marks)[0] for marks in [_marks(city)] for row in marks if row["action"] == "begin"][:MOST])
    items = [
        {
            "id": one.id,
            "zh": one.zh,
            "en": one.en,
            "about_zh": one.about_zh,
            "about_en": one.about_en,
            "lasts": one.lasts,
            "lasts_s": parse_duration(one.lasts) // 1_000_000,
            "tasks": len(one.task),
            "seats": one.seats,
            "playable": _playable(city, one),
        }
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
    """Return an attempt as it stands: every task with its time and points, and all that people did meanwhile."""
    city, marks = asked.city, _marks(asked.city, 1000)
    row = next((row for row in marks if row["seq"] == attempt and row["action"] == "begin"), None)
    if row is None:
        raise NO_LESSON(id=str(attempt))
    told, deeds = _attempt(city, row, marks)
    return _named(city, [told])[0] | {"deeds": _log(city, row["at"], deeds)}


def _lesson(city: City, id_: str) -> Lesson:
    if id_ not in city.lessons:
        raise NO_LESSON(id=id_[:60])
    return city.lessons[id_]


def _playable(city: City, lesson: Lesson) -> bool:
    """Tell whether a lesson's events can come: the storm's story by itself, the others by the engines."""
    return city.life is not None and (lesson.story or (city.foresight is not None and all(city.foresight.can_happen(event) for event in lesson.events)))


def _running(city: City) -> dict[str, Any] | None:
    marks = _marks(city, 2)
    row = next((row for row in marks if row["action"] == "begin"), None)
    told = None if row is None else _attempt(city, row, marks)[0]
    return None if told is None or told["ended"] is not None else told


def _marks(city: City, limit: int = MOST * 2) -> list[dict[str, Any]]:
    """Return the lines that begin and end lessons, the newest first."""
    return city.desk.read(lambda conn: lines_of(conn, KIND, limit))


def _attempt(city: City, row: Mapping[str, Any], marks: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return how an attempt stands, and the deeds from its beginning to its end."""
    lesson, seq, now = city.lessons.get(row["subject"]), row["seq"], city.ledger.now()
    stopped = next((mark["at"] for mark in marks if mark["action"] == "end" and mark["subject"] == str(seq)), None)
    told: dict[str, Any] = {"points": 0.0, "of": 0, "tasks": [], "ended": row["at"], "lasts_s": 0, "left_s": 0}
    names = {"zh": row["subject"], "en": row["subject"]}
    deeds: list[dict[str, Any]] = []
    if lesson is not None:
        until = min(stopped or now, row["at"] + parse_duration(lesson.lasts))
        deeds = [deed | {"detail": json.loads(deed["detail"])} for deed in city.desk.read(lambda conn: deeds_since(conn, seq, until, MOST_DEEDS)) if deed["kind"] != KIND]
        told, names = score(lesson, row["at"], deeds, stopped or now), {"zh": lesson.zh, "en": lesson.en}
    ended = told["ended"] if stopped is None else min(stopped, told["ended"] or stopped)
    if ended is not None:
        deeds = [deed for deed in deeds if deed["at"] <= ended]
    shown = {"attempt": seq, "lesson": row["subject"], "begun": rfc3339(row["at"]), "begun_by": row["actor"]}
    return told | names | shown | {"ended": None if ended is None else rfc3339(ended), "deeds": []}, deeds


def _named(city: City, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put beside who began an attempt and who did its tasks what they are called in each language."""
    known = city.identity.names({one["begun_by"] for one in told} | {task["by"] for one in told for task in one["tasks"] if task["by"]})
    for one in told:
        one.update(_called(known, one["begun_by"], "begun_by_name"))
        for task in one["tasks"]:
            task.update(_called(known, task["by"], "by_name"))
    return told


def _called(known: Mapping[str, tuple[str, str]], id_: str, stem: str) -> dict[str, str]:
    zh, en = known.get(id_, ("", ""))
    return {f"{stem}_zh": zh, f"{stem}_en": en or zh}


def _log(city: City, begun: int, deeds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what people did, named in both languages; who reported stays nameless, and what programs did is left out."""
    said = [(deed, words) for deed in deeds if (words := _said(deed["kind"], deed["action"])) is not None]
    known = city.identity.names({deed["actor"] for deed, _ in said})
    return [
        {
            "at": rfc3339(deed["at"]),
            "after_s": round((deed["at"] - begun) / 1e6, 1),
            "line": deed["seq"],
            "deed": f"{deed['kind']}.{deed['action']}",
            "zh": words[0],
            "en": words[1],
            "subject": deed["subject"],
            "link": PAGES[deed["kind"]].format(id=deed["detail"]["id"]) if deed["kind"] in PAGES and "id" in deed["detail"] else "",
            **(
                {"actor": "", "actor_name_zh": REPORTER[0], "actor_name_en": REPORTER[1]}
                if (deed["kind"], deed["action"]) in REPORTED
                else {"actor": deed["actor"]} | _called(known, deed["actor"], "actor_name")
            ),
        }
        for deed, words in said
        if deed["actor"] in known
    ]


def _said(kind: str, action: str) -> tuple[str, str] | None:
    """Return what a deed is called; None for one that is nobody's or that another line tells."""
    if words := SAID.get((kind, action)) or incident.SAID.get((kind, action)):
        return words
    verb = CASE_VERBS.get(action) if action in VERBS.get(kind, ()) and kind in {"case", "lead", "request"} else None
    return None if verb is None else (verb.zh, verb.en)
