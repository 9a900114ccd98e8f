"""What must be given with a verb and what must be so before it: each by its name in the rows of `states`."""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import ColumnElement, bindparam, select

from zhongshu.act import command, docket, duty, joint, machine, person, place, refusals, states, tasks, units
from zhongshu.act.deed import MISSING, SYSTEM, Deed
from zhongshu.act.docket import Case
from zhongshu.act.given import Given
from zhongshu.act.tables import case_step, request
from zhongshu.kernel.clock import DAY
from zhongshu.kernel.problem import Problem

LEAVES = ("extend", "park", "defer", "supplement")
"""What a holder may ask for: 延期, 挂账, 缓办, 待补正."""
FIELDS = {
    "reason": {"zh": "理由", "en": "reason"},
    "unit": {"zh": "承办单位", "en": "unit"},
    "until": {"zh": "期限", "en": "until"},
    "place": {"zh": "地点", "en": "place"},
    "note": {"zh": "会商纪要", "en": "note"},
    "evidence": {"zh": "证据", "en": "evidence"},
    "what": {"zh": "申请事项", "en": "what"},
    "person": {"zh": "办理人", "en": "person"},
}

_WORKED = (
    select(case_step.c.seq)
    .where(case_step.c.subject == bindparam("id"), case_step.c.actor == bindparam("actor"), case_step.c.verb.in_(("take", "handle", "feedback", "self_handle")))
    .limit(1)
)
_BROUGHT = select(case_step.c.seq).where(case_step.c.subject == bindparam("id"), case_step.c.actor == bindparam("actor"), case_step.c.verb.in_(states.BROUGHT)).limit(1)
_SAID = (
    select(case_step.c.seq)
    .where(
        case_step.c.subject == bindparam("id"),
        case_step.c.actor == bindparam("actor"),
        case_step.c.verb.in_(states.RESULTS),
        case_step.c.at >= bindparam("since"),
    )
    .limit(1)
)
_REPORTED = select(request.c.id).where(request.c.case_id == bindparam("id"), request.c.reporter == bindparam("actor")).limit(1)


def check(deed: Deed, row: states.Row, case: Case, given: Given) -> Given:
    """Refuse what lacks something or may not be; return what was given, its listed reason put into words.

    Raises `case.missing`, `case.evidence_unknown`, `case.reason_not_listed`, and each guard's own problem.
    """
    given = reasoned(deed, row, given)
    _needs(deed, row, case, given)
    for name, guard in _GUARDS.items():
        if name in row.guards:
            guard(deed, row, case, given)
    return given


def reasoned(deed: Deed, row: states.Row, given: Given) -> Given:
    """Put a listed reason into words; where the city lists reasons for a verb, a person gives one of them."""
    verb = given.what if row.verb == "ask" and given.what else row.verb
    if "reason" not in row.needs or deed.actor.id == SYSTEM.id:
        return given
    listed = {row.cells["code"]: row.cells for row in duty.book(deed.connection).all_at("reasons", deed.now) if row.cells["verb"] == verb}
    if not listed:
        return given
    if given.code not in listed:
        raise refusals.NOT_LISTED(
            codes=", ".join(f"{code} {cells['zh']}" for code, cells in listed.items()), codes_en=", ".join(f"{c} {cells['en']}" for c, cells in listed.items())
        )
    said = listed[given.code]["zh"]
    return replace(given, reason=f"{said}：{given.reason}" if given.reason.strip() else said)


def _needs(deed: Deed, row: states.Row, case: Case, given: Given) -> None:
    lacking = {
        "reason": not given.reason.strip(),
        "unit": not given.unit,
        "until": given.until is None or given.until <= deed.now,
        "place": given.place is None,
        "note": not given.note.strip(),
        "what": not given.what if row.verb == "launch" else given.what not in LEAVES,
        "person": not given.person,
        "evidence": not given.evidence and row.verb in case["evidence_at"].split(),
    }
    for name in ("reason", "unit", "until", "place", "note", "what", "person", "evidence"):
        if name in row.needs and lacking[name]:
            raise MISSING(**FIELDS[name])
    docket.known(deed, given.evidence)
    if "unit" in row.needs:
        units.check(deed, given.unit, case["area"])
    if row.verb in {"whistle", "make_safe"}:
        units.other(deed, given.unit, deed.actor.unit)


def _placed(_deed: Deed, _row: states.Row, case: Case, _given: Given) -> None:
    if not place.usable(case):
        raise place.NOT_PLACED(number=case["number"])


def _classed(_deed: Deed, _row: states.Row, case: Case, given: Given) -> None:
    """Refuse to send what nobody has named: no limit and no way to check it would be known."""
    if not (given.class_ or case["class"]):
        raise MISSING(zh="类别", en="class")


def classed(deed: Deed, class_: str) -> None:
    """Refuse a class that no table in force names. Raises `case.unknown_class`."""
    if class_ and duty.row_for(deed.connection, class_, deed.now) is None:
        raise refusals.NO_CLASS(class_=class_[:100])


def _holder(deed: Deed, row: states.Row, case: Case, given: Given) -> None:
    """Refuse whoever is of another unit, whose colleague has the case, and who would do a step in a colleague's name."""
    if deed.actor.id == SYSTEM.id:
        return
    if not machine.holds(row, deed.actor, case):
        if deed.actor.unit == case["unit"]:
            raise person.theirs(deed, case, row.verb, case["person"])
        raise refusals.NOT_HELD(unit_zh=case["holder_zh"] or case["unit"], unit_en=case["holder_en"] or case["unit"])
    if row.verb != "assign" and given.person not in {"", deed.actor.id}:
        raise person.theirs(deed, case, row.verb, given.person)


def _other(deed: Deed, row: states.Row, case: Case, _given: Given) -> None:
    """Refuse to let anyone check, extend, pause or close their own work."""
    if deed.connection.execute(_WORKED, {"id": case["id"], "actor": deed.actor.id}).first() is not None:
        verb = states.VERBS[row.verb]
        raise refusals.OWN_WORK(verb_zh=verb.zh, verb_en=verb.en)


def _apart(deed: Deed, row: states.Row, case: Case, _given: Given) -> None:
    """Refuse to let anyone verify or close what they brought in themselves, or what they alone told of."""
    brought = deed.connection.execute(_BROUGHT, {"id": case["id"], "actor": deed.actor.id}).first() is not None
    if brought or (case["voices"] and told_alone(deed, request.c.case_id == case["id"])):
        raise own_report(row.verb)


def told_alone(deed: Deed, which: ColumnElement[bool]) -> bool:
    """Tell whether the actor is one of these voices, and every other was entered by them too."""
    own = select(case_step.c.seq).where(case_step.c.subject == request.c.id, case_step.c.verb == "received", case_step.c.actor == deed.actor.id).exists()
    told = deed.connection.execute(select(request.c.reporter, own.label("own")).where(which)).all()
    return any(each.reporter == deed.actor.id for each in told) and all(each.reporter == deed.actor.id or each.own for each in told)


def own_report(verb: str) -> Problem:
    """Say that someone alone reported what they would now put their name to."""
    return refusals.OWN_REPORT(verb_zh=states.VERBS[verb].zh, verb_en=states.VERBS[verb].en)


def _reporter(deed: Deed, row: states.Row, case: Case, _given: Given) -> None:
    who = {"id": case["id"], "actor": deed.actor.id}
    if not deed.actor.id or deed.connection.execute(_REPORTED, who).first() is None:
        verb = states.VERBS[row.verb]
        raise refusals.NOT_REPORTER(verb_zh=verb.zh, verb_en=verb.en)
    if deed.connection.execute(_SAID, who | {"since": case["closed"] or 0}).first() is not None:
        raise refusals.RESULT_TOLD()


def _recent(deed: Deed, _row: states.Row, case: Case, _given: Given) -> None:
    days = duty.figure(deed.connection, "reopen_days", deed.now)
    if case["closed"] is not None and deed.now - case["closed"] > days * DAY:
        raise refusals.TOO_OLD(days=f"{days:g}")


def _owed(deed: Deed, _row: states.Row, case: Case, given: Given) -> None:
    """Refuse to let a street lead what is on its list of helping, or was taken back from it."""
    held = duty.book(deed.connection)
    listed = duty.on_list(held, given.unit, given.class_ or case["class"], deed.now)
    if listed in {"assist", "withdrawn"}:
        led = duty.leads(held, given.class_ or case["class"], deed.now, case["area"])
        zh, en = refusals.LISTS[listed]
        unit_zh, unit_en = ("—", "—") if led is None or led["unit"] == given.unit else (led["unit_zh"], led["unit_en"])
        raise refusals.NOT_ON_STREET_LIST(list_zh=zh, list_en=en, unit_zh=unit_zh, unit_en=unit_en)


def _settled(deed: Deed, _row: states.Row, case: Case, _given: Given) -> None:
    waiting = tasks.waiting(deed, case["id"])
    if not waiting and not joint.over(deed, case["id"]):
        raise refusals.TASKS_OPEN(zh="联动规程还在等待", en="the playbook is still waiting")
    if waiting:
        raise refusals.TASKS_OPEN(
            zh="、".join(f"{task['unit_zh']} {task['title_zh']}" for task in waiting[:5]), en="; ".join(f"{task['unit_en']}: {task['title_en']}" for task in waiting[:5])
        )


def _rejected(_deed: Deed, _row: states.Row, case: Case, _given: Given) -> None:
    if not case["rejected"]:
        raise refusals.NOTHING_REJECTED()


def _asked(_deed: Deed, _row: states.Row, case: Case, _given: Given) -> None:
    if not case["asked"]:
        raise refusals.NOTHING_ASKED()


def _danger(_deed: Deed, _row: states.Row, case: Case, _given: Given) -> None:
    if not case["danger"]:
        raise refusals.NO_DANGER(zh=case["class_zh"] or "—", en=case["class_en"] or "—")


def _commander(deed: Deed, row: states.Row, case: Case, _given: Given) -> None:
    """Refuse whoever is of another level than the one that commands the case."""
    held = command.centre(deed.connection, case["area"], deed.now)
    if held is not None and not command.commands(held, case, deed.actor):
        zh, en = command.who(held, case)
        verb = states.VERBS[row.verb]
        raise command.NOT_COMMANDED(zh=zh, en=en, verb_zh=verb.zh, verb_en=verb.en)


def _chained(deed: Deed, _row: states.Row, case: Case, _given: Given) -> None:
    if case["command"] or command.centre(deed.connection, case["area"], deed.now) is None:
        raise command.NOT_CHAINED()


def _below(_deed: Deed, _row: states.Row, case: Case, _given: Given) -> None:
    if not case["command"]:
        raise command.NOT_BELOW()


def _above(deed: Deed, row: states.Row, case: Case, _given: Given) -> None:
    held = command.centre(deed.connection, case["area"], deed.now)
    if not command.above(held, case, deed.actor):
        zh, en = ("—", "—") if held is None else command.who(held, case)
        raise command.NOT_COMMANDED(zh=zh, en=en, verb_zh=states.VERBS[row.verb].zh, verb_en=states.VERBS[row.verb].en)


def _its_unit(deed: Deed, _row: states.Row, case: Case, given: Given) -> None:
    held = command.centre(deed.connection, case["area"], deed.now)
    command.may_send(held, case, given.unit, duty.unit_names(deed.connection, given.unit))


def _supervisor(deed: Deed, row: states.Row, case: Case, _given: Given) -> None:
    if (held := command.centre(deed.connection, case["area"], deed.now)) is not None:
        command.supervises(deed, held, case["area"], row.verb)


_GUARDS: dict[str, Callable[[Deed, states.Row, Case, Given], None]] = {
    "placed": _placed,
    "classed": _classed,
    "commander": _commander,
    "above": _above,
    "below": _below,
    "chained": _chained,
    "supervisor": _supervisor,
    "holder": _holder,
    "other": _other,
    "apart": _apart,
    "reporter": _reporter,
    "recent": _recent,
    "owed": _owed,
    "its_unit": _its_unit,
    "settled": _settled,
    "rejected": _rejected,
    "asked": _asked,
    "danger": _danger,
}
