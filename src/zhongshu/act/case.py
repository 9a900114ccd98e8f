"""The case engine: opens a case, and moves it along the table in `machine`, one verb at a time, each with its line in the history.

A step names the version it was decided on; who comes late is told. Nobody checks their own work. Knows no URL and no user interface.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from zhongshu.act import clocks, duty, machine, place, takeback, voice
from zhongshu.act.deed import INSTRUMENT, MISSING, SYSTEM, Deed, Entry, number, record
from zhongshu.act.place import Place
from zhongshu.act.refusals import NO_EVIDENCE, NOT_BY_INSTRUMENT, NOT_HELD, NOT_NORMAL_YET, NOT_REPORTER, ONCE_REUSED, OWN_WORK, RESULT_TOLD, STALE, UNKNOWN
from zhongshu.act.tables import case_file, case_step, evidence, evidence_link, request
from zhongshu.kernel.area import show_area
from zhongshu.kernel.bus import News
from zhongshu.kernel.clock import MINUTE, rfc3339
from zhongshu.kernel.evidence import Evidence
from zhongshu.kernel.ids import uuid7


@dataclass(frozen=True, slots=True)
class NewCase:
    """What a case is opened with; `opened`, `due` only for another system's, else the duty row's limit from now."""

    verb: str
    class_: str
    title_zh: str
    title_en: str
    area: int
    source: str
    address: str = ""
    lon: float | None = None
    lat: float | None = None
    level: str = "unset"
    indicator: str = ""
    finding: str | None = None
    lead: str | None = None
    opened: int | None = None
    due: int | None = None
    flags: tuple[str, ...] = ()
    reason: str = ""
    voices: int = 0


@dataclass(frozen=True, slots=True)
class Given:
    """What a person gives with a verb. `version`: the one they acted on; `once`: a key that makes sending twice harmless; `until` in µs.

    `undoes` is never a person's to give: the line of the history that this step takes back.
    """

    version: int | None = None
    reason: str = ""
    unit: str = ""
    evidence: tuple[str, ...] = ()
    note: str = ""
    result: str = ""
    class_: str = ""
    until: int | None = None
    answer: str = ""
    once: str | None = None
    happened: int | None = None
    undoes: int | None = None
    place: Place | None = None


_Case = dict[str, Any]
_Changes = dict[str, Any]

_ONE = select(case_file).where(case_file.c.id == bindparam("id"))
_INSERT = insert(case_file)
_UPDATE = update(case_file).where(case_file.c.id == bindparam("b_id"), case_file.c.version == bindparam("b_version"))
_TOUCH = update(case_file).where(case_file.c.id == bindparam("b_id"))
_ONCE = select(case_step.c.subject, case_step.c.verb).where(case_step.c.once == bindparam("once"))
_WORKED = (
    select(case_step.c.seq)
    .where(
        case_step.c.subject == bindparam("id"),
        case_step.c.actor == bindparam("actor"),
        case_step.c.verb.in_(("take", "handle", "feedback")),
    )
    .limit(1)
)


_SAID = (
    select(case_step.c.seq)
    .where(
        case_step.c.subject == bindparam("id"),
        case_step.c.actor == bindparam("actor"),
        case_step.c.verb.in_(machine.RESULTS),
    )
    .limit(1)
)
_REPORTED = select(request.c.id).where(request.c.case_id == bindparam("id"), request.c.reporter == bindparam("actor")).limit(1)


def open_case(deed: Deed, new: NewCase) -> _Case:
    """Open a case where its verb leads, and return it. Raises `case.not_yours`."""
    row = machine.find("", "", new.verb)
    machine.allow(row, deed.actor, new.area)
    opened = deed.now if new.opened is None else new.opened
    case: _Case = {
        "id": uuid7(),
        "number": number(deed, new.area, opened),
        "title_zh": new.title_zh,
        "title_en": new.title_en,
        "address": new.address,
        "area": new.area,
        "lon": new.lon,
        "lat": new.lat,
        "source": new.source,
        "level": new.level,
        "indicator": new.indicator,
        "finding": new.finding,
        "lead": new.lead,
        "step": row.to[0],
        "mark": row.to[1],
        "unit": "",
        "opened": opened,
        "changed": deed.now,
        "due_counted": False,
        "closed": None,
        "late": False,
        "parked": None,
        "parked_until": None,
        "paused": 0,
        "voices": new.voices,
        "redone": 0,
        "returned": 0,
        "flags": list(new.flags),
        "version": 1,
    }
    case |= _of_source(new) if new.verb == "import" else _of_class(deed, new.class_, opened, 0)
    case |= _holder(deed, row.to, case)
    deed.connection.execute(_INSERT, case)
    record(deed, Entry("case", case["id"], case["number"], case["area"], new.verb, 1, row.at, row.to, happened=opened, reason=new.reason))
    tell(deed, case, new.verb)
    return case


def do(deed: Deed, case_id: str, verb: str, given: Given) -> _Case:
    """Move a case by one verb and return it as it is now; the same `once` again changes nothing.

    Raises `case.unknown`, `case.stale`, `case.not_now`, `case.not_yours`, `case.not_held`, `case.own_work`, `case.missing`, `case.evidence_unknown`,
    and for `undo` what `takeback.claim` raises.
    """
    case = get(deed, case_id)
    once = f"{deed.actor.id}:{given.once}" if given.once else None
    if once and _done_before(deed, once, case_id, verb):
        return case
    if given.version is not None and given.version != case["version"]:
        raise STALE(number=case["number"], have=case["version"], given=given.version)
    row = machine.find(case["step"], case["mark"], verb)
    machine.allow(row, deed.actor, case["area"])
    _check_needs(deed, row, case, given)
    _check_guards(deed, row, case)
    changes: _Changes = {"step": row.to[0], "mark": row.to[1], "version": case["version"] + 1, "changed": deed.now}
    if given.class_ and given.class_ != case["class"] and verb in {"verify", "file", "dispatch"}:
        changes |= _of_class(deed, given.class_, case["opened"], case["paused"])
    if row.effect == "undo":
        line = takeback.claim(deed, case_id, row.to)
        changes |= line["detail"]["before"]
        given = replace(given, undoes=line["seq"])
    elif row.effect:
        changes |= _EFFECTS[row.effect](deed, case | changes, given)
    if row.effect != "undo" and (row.at[0] != row.to[0] or row.to[1] == "passed"):
        changes |= _holder(deed, row.to, case | changes)
    _store(deed, case, changes)
    after = case | changes
    detail = {"before": takeback.before(case, changes)} if verb in machine.UNDOABLE else {}
    if given.place is not None and row.effect == "place":
        detail = place.moved(case, given.place)
    _history(deed, row, after, given, once, detail)
    tell(deed, after, verb)
    return after


def tell_result(deed: Deed, request_id: str, verb: str) -> _Case:
    """Let a reporter say of the case their request became whether it is solved; once. Raises `request.unknown`, `case.unknown` and what `do` raises."""
    told = voice.get(deed, request_id)
    return do(deed, told["case_id"] or "—", verb if verb in machine.RESULTS else "", Given())


def check_by_instrument(deed: Deed, case_id: str, normal_since: int) -> _Case:
    """Let the sign that caused a case pass its check: normal since then (µs), for the minutes its duty row asks.

    Raises `case.not_by_instrument`, `case.not_normal_yet`, and what `do` raises.
    """
    case = get(deed, case_id)
    if case["check_mode"] != "instrument" or not case["indicator"]:
        raise NOT_BY_INSTRUMENT()
    have, need = (deed.now - normal_since) // MINUTE, case["normal_minutes"] or 0
    if have < need:
        raise NOT_NORMAL_YET(have=have, need=need)
    note = f"{case['indicator']} 恢复正常 {have} 分钟 · normal for {have} min since {rfc3339(normal_since)}"
    return do(deed.by(INSTRUMENT), case_id, "check_pass", Given(note=note))


def keep_evidence(deed: Deed, kept: Evidence) -> None:
    """Enter a stored file in the register, so that a step may name it; again is harmless."""
    known = deed.connection.execute(select(evidence.c.sha256).where(evidence.c.sha256 == kept.sha256)).first()
    if known is None:
        deed.connection.execute(
            insert(evidence),
            {
                "sha256": kept.sha256,
                "content_type": kept.content_type,
                "size": kept.size,
                "received": deed.now,
                "received_by": deed.actor.id,
            },
        )
        deed.witness(deed.connection, "evidence.keep", kept.sha256, {"at": deed.now, "size": kept.size})


def get(deed: Deed, case_id: str) -> _Case:
    """Return a case's row. Raises `case.unknown`."""
    found = deed.connection.execute(_ONE, {"id": case_id}).mappings().one_or_none()
    if found is None:
        raise UNKNOWN(id=case_id)
    return dict(found)


def count_due(deed: Deed, case: _Case) -> None:
    """Write once into the history that a case's limit ran out, at the time it did."""
    deed.connection.execute(_TOUCH, {"b_id": case["id"], "due_counted": True})
    _due_line(deed, case, case["due"])
    tell(deed, case, "due")


def recount_voices(deed: Deed, case_id: str) -> None:
    """Count a case's voices again and tell; a voice that joins makes no one's decision stale, so the version stays."""
    voices = deed.connection.execute(select(func.count()).where(request.c.case_id == case_id)).scalar_one()
    deed.connection.execute(_TOUCH, {"b_id": case_id, "voices": voices})
    tell(deed, get(deed, case_id), "link")


def _done_before(deed: Deed, once: str, case_id: str, verb: str) -> bool:
    found = deed.connection.execute(_ONCE, {"once": once}).one_or_none()
    if found is not None and tuple(found) != (case_id, verb):
        raise ONCE_REUSED()
    return found is not None


def _check_needs(deed: Deed, row: machine.Row, case: _Case, given: Given) -> None:
    if "reason" in row.needs and not given.reason.strip():
        raise MISSING(field="理由 reason")
    if "unit" in row.needs and not given.unit:
        raise MISSING(field="承办单位 unit")
    if "until" in row.needs and (given.until is None or given.until <= deed.now):
        raise MISSING(field="期限 until")
    if "place" in row.needs and given.place is None:
        raise MISSING(field="地点 place")
    if "evidence" in row.needs and not given.evidence and row.verb in case["evidence_at"].split():
        raise MISSING(field="证据 evidence")
    if given.evidence:
        known = set(deed.connection.execute(select(evidence.c.sha256).where(evidence.c.sha256.in_(given.evidence))).scalars())
        for sha256 in given.evidence:
            if sha256 not in known:
                raise NO_EVIDENCE(sha256=sha256)


def _check_guards(deed: Deed, row: machine.Row, case: _Case) -> None:
    if "placed" in row.guards and not place.usable(case):
        raise place.NOT_PLACED(number=case["number"])
    if "holder" in row.guards and deed.actor.unit != case["unit"]:
        raise NOT_HELD(unit_zh=case["holder_zh"] or case["unit"], unit_en=case["holder_en"] or case["unit"])
    if "other" in row.guards and deed.connection.execute(_WORKED, {"id": case["id"], "actor": deed.actor.id}).first() is not None:
        verb = machine.VERBS[row.verb]
        raise OWN_WORK(verb_zh=verb.zh, verb_en=verb.en)
    if "reporter" in row.guards:
        who = {"id": case["id"], "actor": deed.actor.id}
        if not deed.actor.id or deed.connection.execute(_REPORTED, who).first() is None:
            verb = machine.VERBS[row.verb]
            raise NOT_REPORTER(verb_zh=verb.zh, verb_en=verb.en)
        if deed.connection.execute(_SAID, who).first() is not None:
            raise RESULT_TOLD()


def _store(deed: Deed, case: _Case, changes: _Changes) -> None:
    result = deed.connection.execute(_UPDATE, {"b_id": case["id"], "b_version": case["version"], **changes})
    if result.rowcount != 1:
        raise STALE(number=case["number"], have="?", given=case["version"])


def _history(deed: Deed, row: machine.Row, case: _Case, given: Given, once: str | None, detail: dict[str, Any]) -> None:
    detail |= {"on_time": case["due"] is not None and not case["late"]} if row.effect == "close" else {}
    told = {"result": given.result or None, "undoes": given.undoes}
    detail |= {name: value for name, value in told.items() if value is not None}
    seq = record(
        deed,
        Entry(
            "case",
            case["id"],
            case["number"],
            case["area"],
            row.verb,
            case["version"],
            row.at,
            row.to,
            reason=given.reason,
            note=given.note,
            unit=case["unit"],
            detail=detail,
            once=once,
            happened=given.happened,
        ),
    )
    if given.evidence:
        deed.connection.execute(insert(evidence_link), [{"seq": seq, "sha256": sha256} for sha256 in dict.fromkeys(given.evidence)])


def _due_line(deed: Deed, case: _Case, at: int, *, early: bool = False) -> None:
    """Write that a case should now have been closed: its limit ran out, or, earlier, it was."""
    ends = (case["step"], case["mark"])
    record(deed, Entry("case", case["id"], case["number"], case["area"], "due", case["version"], ends, ends, happened=at, detail={"early": True} if early else {}))


def _hold(_deed: Deed, _case: _Case, given: Given) -> _Changes:
    return {"unit": given.unit}


def _back(_deed: Deed, case: _Case, _given: Given) -> _Changes:
    return {"unit": "", "returned": case["returned"] + 1}


def _recall(_deed: Deed, _case: _Case, _given: Given) -> _Changes:
    return {"unit": ""}


def _place(deed: Deed, case: _Case, given: Given) -> _Changes:
    """Move a case, and with it the voices that had no place; both where it was and where it goes must be of this person's areas."""
    to = given.place
    if to is None:
        raise MISSING(field="地点 place")
    machine.allow(machine.find(case["step"], case["mark"], "place"), deed.actor, to.area)
    changes = place.changes(to)
    place.carry(deed, "case_id", case["id"], to)
    return changes


def _redo(_deed: Deed, case: _Case, _given: Given) -> _Changes:
    return {"redone": case["redone"] + 1}


def _park(deed: Deed, _case: _Case, given: Given) -> _Changes:
    return {"parked": deed.now, "parked_until": given.until}


def _resume(deed: Deed, case: _Case, _given: Given) -> _Changes:
    """Shift the due time by the pause: the clock goes on where it stood."""
    pause = deed.now - case["parked"]
    shifted = {name: case[name] + pause for name in ("due", "warn") if case[name] is not None and not case["due_counted"]}
    return {"parked": None, "parked_until": None, "paused": case["paused"] + pause} | shifted


def _close(deed: Deed, case: _Case, given: Given) -> _Changes:
    closed = deed.now if given.happened is None else given.happened
    if case["due"] is not None and not case["due_counted"]:
        _due_line(deed.by(SYSTEM), case, min(case["due"], closed), early=closed < case["due"])
    if given.answer:
        waiting = select(request.c.id).where(request.c.case_id == case["id"], request.c.answered.is_(None))
        for request_id in deed.connection.execute(waiting).scalars().all():
            voice.answer(deed, request_id, given.answer)
    return {"closed": closed, "late": case["due"] is not None and closed > case["due"], "due_counted": case["due"] is not None}


def _void(deed: Deed, _case: _Case, _given: Given) -> _Changes:
    return {"closed": deed.now}


_EFFECTS: dict[str, Callable[[Deed, _Case, Given], _Changes]] = {
    "hold": _hold,
    "back": _back,
    "recall": _recall,
    "place": _place,
    "redo": _redo,
    "park": _park,
    "resume": _resume,
    "close": _close,
    "void": _void,
}


def _of_class(deed: Deed, class_: str, opened: int, paused: int) -> _Changes:
    """Return what the duty row in force at the opening says; without one there is no limit, and a person checks."""
    row = duty.row_for(deed.connection, class_, opened)
    if row is None:
        names = {"class": class_, "class_zh": class_, "class_en": class_}
        return names | {"due": None, "warn": None, "check_mode": "person", "normal_minutes": None, "evidence_at": "handle feedback"}
    limit = clocks.limit(opened + paused, row["limit_minutes"], row["warn_minutes"])
    return {
        "class": class_,
        "class_zh": row["zh"],
        "class_en": row["en"],
        "due": limit.due,
        "warn": limit.warn,
        "check_mode": row["check_mode"],
        "normal_minutes": row["normal_minutes"],
        "evidence_at": row["evidence"],
    }


def _of_source(new: NewCase) -> _Changes:
    """Return what another system's row says of class and limit; our duty rows do not apply to it."""
    names = {"class": new.class_, "class_zh": new.class_, "class_en": new.class_}
    return names | {"due": new.due, "warn": None, "check_mode": "person", "normal_minutes": None, "evidence_at": ""}


def _holder(deed: Deed, place: tuple[str, str], case: _Case) -> _Changes:
    names = machine.HOLDERS.get(place)
    if names is None and case.get("holder") == case["unit"]:
        names = (case["unit"], case["holder_zh"], case["holder_en"])
    elif names is None:
        zh, en = duty.unit_names(deed.connection, case["unit"]) if case["unit"] else (case["source"], case["source"])
        names = (case["unit"], zh, en)
    return {"holder": names[0], "holder_zh": names[1], "holder_en": names[2], "held_since": deed.now}


def tell(deed: Deed, case: _Case, verb: str) -> None:
    """Leave news of a case for the screens."""
    step = machine.STEPS[case["step"]]
    deed.news.append(
        News(
            "case",
            case["area"],
            {
                "id": case["id"],
                "number": case["number"],
                "verb": verb,
                "class": case["class"],
                "title_zh": case["title_zh"],
                "title_en": case["title_en"],
                "step": case["step"],
                "mark": case["mark"],
                "step_zh": step.zh,
                "step_en": step.en,
                "holder": case["holder"],
                "holder_zh": case["holder_zh"],
                "holder_en": case["holder_en"],
                "unit": case["unit"],
                "area": show_area(case["area"]),
                "level": case["level"],
                "indicator": case["indicator"],
                "finding": case["finding"],
                "lead": case["lead"],
                "voices": case["voices"],
                "version": case["version"],
                "at": rfc3339(deed.now),
                "due": None if case["due"] is None else rfc3339(case["due"]),
                "closed": None if case["closed"] is None else rfc3339(case["closed"]),
                "late": bool(case["late"]),
            },
        )
    )
