"""The case engine: opens a case, and moves it along the rows of `states`, one verb at a time, each with its line in the history.

A step names the version it was decided on; who comes late is told. Nobody checks their own work. Knows no URL and no user interface.
"""

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select

from zhongshu.act import clocks, command, docket, duty, effects, guards, hindsight, joint, machine, place, states, takeback, voice
from zhongshu.act.deed import INSTRUMENT, SYSTEM, Deed, Entry, number, record
from zhongshu.act.docket import Case, Changes, get, tell
from zhongshu.act.given import Given, NewCase
from zhongshu.act.refusals import NOT_BY_INSTRUMENT, NOT_NORMAL_YET, STALE
from zhongshu.act.tables import evidence, evidence_link, request
from zhongshu.kernel.clock import MINUTE, rfc3339, to_us
from zhongshu.kernel.evidence import Evidence
from zhongshu.kernel.ids import uuid7

_BLANK: Case = {
    "unit": "",
    "due_counted": False,
    "closed": None,
    "late": False,
    "parked": None,
    "parked_until": None,
    "paused": 0,
    "redone": 0,
    "returned": 0,
    "rejected": 0,
    "extended": 0,
    "urged": 0,
    "tier": 0,
    "command": "",
    "receipt": "",
    "person": "",
    "supervised": None,
    "supervised_until": None,
    "reopened": 0,
    "version": 1,
    "held_told": 0,
}
"""What a new case begins with."""


def open_case(deed: Deed, new: NewCase) -> Case:
    """Open a case where its verb leads, and return it. Raises `case.not_yours`, `case.missing`, `case.evidence_unknown`."""
    row = machine.find("", "", new.verb)
    machine.allow(row, deed.actor, new.area)
    if "evidence" in row.needs:
        guards.check(deed, row, {"evidence_at": row.verb}, Given(evidence=new.evidence))
    docket.known(deed, new.evidence)
    opened = deed.now if new.opened is None else new.opened
    copied = ("title_zh", "title_en", "address", "area", "lon", "lat", "source", "level", "indicator", "finding", "lead", "voices")
    case: Case = {name: getattr(new, name) for name in copied} | _BLANK
    flags = [*new.flags, "self_handled"] if new.verb == "self_handle" else [*new.flags]
    case |= {"id": uuid7(), "number": number(deed, new.area, opened), "step": row.to[0], "mark": row.to[1], "opened": opened, "changed": deed.now}
    case |= {"flags": flags, "asked": {}, "helpers": []}
    if new.verb == "confirm":
        case["command"] = command.first(deed, new.area, "confirm")
    case |= _of_source(new) if new.verb == "import" else _of_class(deed, new.class_, opened, new.area)
    case |= docket.holder(deed, row.to, case) | clocks.part(deed, row.to, case["class"], case["area"])
    docket.add(deed, case)
    line = Entry("case", case["id"], case["number"], case["area"], new.verb, 1, row.at, row.to, happened=opened, reason=new.reason, detail=_held(deed, case))
    _attach(deed, record(deed, line), new.evidence)
    tell(deed, case, new.verb)
    return _drawn(deed, case) if new.verb == "self_handle" else case


def do(deed: Deed, case_id: str, verb: str, given: Given) -> Case:
    """Move a case by one verb and return it as it is now; the same `once` again changes nothing.

    Raises `case.unknown`, `case.stale`, `case.not_now`, `case.not_yours`, what `guards.check` and the verb's effect raise, and for `undo` what
    `takeback.claim` raises.
    """
    case = get(deed, case_id)
    once = f"{deed.actor.id}:{given.once}" if given.once else None
    if once and docket.done_before(deed, once, case_id, verb):
        return case
    if verb in states.RECEIPTS:
        return _receipt(deed, case, machine.find(case["step"], case["mark"], verb))
    if given.version is not None and given.version != case["version"]:
        raise STALE(number=case["number"], have=case["version"], given=given.version)
    row = machine.find(case["step"], case["mark"], verb)
    machine.allow(row, deed.actor, case["area"])
    given = hindsight.heard(deed, verb, case, guards.check(deed, row, case, given))
    changes: Changes = {"step": row.to[0], "mark": row.to[1], "version": case["version"] + 1, "changed": deed.now}
    changes["person"] = "" if row.to[0] == "dispatch" else case["person"]
    if given.class_ and given.class_ != case["class"] and verb in {"verify", "file", "dispatch"}:
        guards.classed(deed, given.class_)
        changes |= _of_class(deed, given.class_, case["opened"] + case["paused"], case["area"])
    if row.effect == "undo":
        line = takeback.claim(deed, case_id, row.to)
        changes |= line["detail"]["before"]
        given = replace(given, undoes=line["seq"])
    elif row.effect:
        changes |= effects.EFFECTS[row.effect](deed, case | changes, given)
    moves = _moves(row, case, changes)
    if moves:
        changes["receipt"] = ""
        changes |= docket.holder(deed, row.to, case | changes)
        changes |= clocks.part(deed, row.to, (case | changes)["class"], (case | changes)["area"], hindsight.begins(deed, case, changes, given))
    after = docket.store(deed, case, changes)
    detail: dict[str, Any] = {"before": takeback.before(case, changes)} if verb in states.UNDOABLE else {}
    if case["unit"] and not after["unit"]:
        detail["unit_before"] = case["unit"]  # a unit's own figures count what was opened again of its work
    if given.place is not None and row.effect == "place":
        detail = place.moved(case, given.place)
    _history(deed, row, after, given, once, detail | hindsight.said(given) | (hindsight.ended(deed, case, given) | _held(deed, after) if moves else {}))
    tell(deed, after, verb, case["unit"] if after["unit"] != case["unit"] else "")
    return _of_itself(deed, row, after)


def _moves(row: states.Row, case: Case, changes: Changes) -> bool:
    """Tell whether a step begins another part of the work; from hand to hand within a unit it is the same one, with the same limit."""
    if row.effect in {"undo", "assign"} or (row.verb == "take" and case["part"] == clocks.PARTS[row.to]):
        return False
    return row.at != row.to or changes.get("command", case["command"]) != case["command"]


def _receipt(deed: Deed, case: Case, row: states.Row) -> Case:
    """Note that a task has reached the unit it was sent to, or was read there; what is known already changes nothing."""
    machine.allow(row, deed.actor, case["area"])
    guards.check(deed, row, case, Given())
    order = list(states.RECEIPTS)
    if order.index(row.verb) <= order.index(case["receipt"]):
        return case
    docket.touch(deed, case["id"], receipt=row.verb)
    docket.note(deed, case, row.verb)
    after = case | {"receipt": row.verb}
    tell(deed, after, row.verb)
    return after


def _of_itself(deed: Deed, row: states.Row, case: Case) -> Case:
    """Do what a step brings about by itself: a check that was not drawn passes, what goes round too often is lifted."""
    own = deed.by(SYSTEM)
    if row.verb == "feedback":
        return _drawn(deed, case)
    if row.verb == "take" and (key := _playbook_of(deed, case)) and not case["redone"] and not case["reopened"]:
        return joint.go_on(own, case) if joint.begun(deed, case["id"]) else do(own, case["id"], "launch", Given(what=key))
    if row.effect in {"uphold", "reject"} and (times := case["returned"] + case["rejected"]) >= duty.figure(deed.connection, "lift_after_returns", deed.now):
        if row.effect == "uphold":
            return do(own, case["id"], "dispute", Given(reason=f"已退单 {times} 次，提请权责会商 · returned {times} times"))
        return do(own, case["id"], "escalate", Given(reason=f"已退单 {times} 次 · returned {times} times"))
    if row.effect == "redo" and case["redone"] >= duty.figure(deed.connection, "lift_after_redos", deed.now):
        return do(own, case["id"], "escalate", Given(reason=f"已返工 {case['redone']} 次 · redone {case['redone']} times"))
    return case


def _playbook_of(deed: Deed, case: Case) -> str:
    """Return the playbook that the class's duty row names, if there is one of that name; else ''."""
    row = duty.row_for(deed.connection, case["class"], case["opened"], case["area"])
    return str(row["playbook"]) if row is not None and joint.named(deed, row["playbook"]) else ""


def _drawn(deed: Deed, case: Case) -> Case:
    """Let a check pass that the class's sampling does not draw; the draw is by the case's id alone, so nobody can foresee or choose it."""
    draw = int(hashlib.sha256(case["id"].encode()).hexdigest()[:8], 16) % 100
    if draw < case["sample"]:
        return case
    return do(deed.by(SYSTEM), case["id"], "check_pass", Given(note=f"抽查比例 {case['sample']}%，未抽中 · not drawn: {case['sample']} % are checked"))


def tell_result(deed: Deed, request_id: str, verb: str) -> Case:
    """Let a reporter say of the case their request became whether it is solved; `unsolved` opens it again.

    Raises `request.unknown`, `case.unknown` and what `do` raises.
    """
    told = voice.get(deed, request_id)
    return do(deed, told["case_id"] or "—", verb if verb in states.RESULTS else "", Given())


def check_by_instrument(deed: Deed, case_id: str, normal_since: int) -> Case:
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
        row: dict[str, Any] = {"sha256": kept.sha256, "content_type": kept.content_type, "size": kept.size, "received": deed.now, "received_by": deed.actor.id}
        row |= {"taken": _taken(deed, kept.taken), "lon": kept.lon, "lat": kept.lat}
        deed.connection.execute(insert(evidence), row)
        deed.witness(deed.connection, "evidence.keep", kept.sha256, {"at": deed.now, "size": kept.size})


def _taken(deed: Deed, told: str) -> int | None:
    """Return a camera's time in µs; its wall clock is the city's, unless it says its offset."""
    if not told:
        return None
    moment = datetime.fromisoformat(told)
    return to_us(moment if moment.tzinfo else moment.replace(tzinfo=deed.zone))


def count_due(deed: Deed, case: Case) -> None:
    """Write once into the history that a case's limit ran out, at the time it did."""
    docket.touch(deed, case["id"], due_counted=True)
    docket.due_line(deed, case, case["due"])
    tell(deed, case, "due")


def recount_voices(deed: Deed, case_id: str) -> None:
    """Count a case's voices again and tell; a voice that joins makes no one's decision stale, so the version stays."""
    voices = deed.connection.execute(select(func.count()).where(request.c.case_id == case_id)).scalar_one()
    docket.touch(deed, case_id, voices=voices)
    tell(deed, get(deed, case_id), "link")


def _history(deed: Deed, row: states.Row, case: Case, given: Given, once: str | None, detail: dict[str, Any]) -> None:
    if row.effect == "close":
        detail |= {"again": True} if case["reopened"] else {"on_time": (case["due"] is not None or given.happened is None) and not case["late"]}
    told = {"result": given.result or None, "undoes": given.undoes, "code": given.code or None, "what": given.what or None, "until": given.until}
    detail |= {name: value for name, value in told.items() if value is not None} | ({"person": given.person} if row.effect == "assign" else {})
    line = Entry(
        *("case", case["id"], case["number"], case["area"], row.verb, case["version"], row.at, row.to),
        reason=given.reason,
        note=given.note,
        unit=given.unit if row.at == row.to and given.unit else case["unit"],
        detail=detail,
        once=once,
        happened=given.happened,
    )
    _attach(deed, record(deed, line), given.evidence)


def _attach(deed: Deed, seq: int, files: tuple[str, ...]) -> None:
    if files:
        deed.connection.execute(insert(evidence_link), [{"seq": seq, "sha256": sha256} for sha256 in dict.fromkeys(files)])


def _held(deed: Deed, case: Case) -> dict[str, Any]:
    """Return what the history keeps of the part that begins: which, whose, until when, and since when if that was before now."""
    since = {"since": case["held_since"]} if case["held_since"] < deed.now else {}
    return {"held": {"part": case["part"], "holder": case["holder"], "due": case["held_due"]} | since}


def _of_class(deed: Deed, class_: str, opened: int, area: int) -> Changes:
    """Return what the duty row in force at the opening says; without one there is no limit, and a person checks."""
    row = duty.row_for(deed.connection, class_, opened, area)
    known = row or {"zh": class_, "en": class_, "check_mode": "person", "normal_minutes": None, "evidence": "handle feedback", "danger": False, "sample": 100}
    return clocks.whole(deed, class_, opened, area) | {
        "class": class_,
        "class_zh": known["zh"],
        "class_en": known["en"],
        "check_mode": known["check_mode"],
        "normal_minutes": known["normal_minutes"],
        "evidence_at": known["evidence"],
        "danger": known["danger"],
        "sample": known["sample"],
    }


def _of_source(new: NewCase) -> Changes:
    """Return what another system's row says of class and limit; our duty rows do not apply to it."""
    names = {"class": new.class_, "class_zh": new.class_, "class_en": new.class_, "due": new.due, "warn": None, "due_mode": "wall", "due_calendar": ""}
    return names | {"check_mode": "person", "normal_minutes": None, "evidence_at": "", "danger": False, "sample": 100}
