"""What else a verb changes, each effect by its name in the rows of `states`: a pure step of the case's columns, and what goes with it."""

from collections.abc import Callable

from sqlalchemy import select

from zhongshu.act import clocks, command, docket, duty, joint, machine, person, place, refusals, tasks, voice
from zhongshu.act.deed import MISSING, SYSTEM, Deed
from zhongshu.act.docket import Case, Changes
from zhongshu.act.given import Given
from zhongshu.act.tables import request
from zhongshu.kernel.area import Level, at_level
from zhongshu.kernel.clock import DAY, rfc3339

Effect = Callable[[Deed, Case, Given], Changes]


def _file(deed: Deed, case: Case, _given: Given) -> Changes:
    return {"command": command.first(deed, case["area"], "file")}


def _pass_down(deed: Deed, case: Case, _given: Given) -> Changes:
    held = command.centre(deed.connection, case["area"], deed.now)
    return {} if held is None else {"command": held["unit"]}


def _send_back(_deed: Deed, _case: Case, _given: Given) -> Changes:
    return {"command": ""}


def _hold(_deed: Deed, _case: Case, given: Given) -> Changes:
    return {"unit": given.unit, "asked": {}}


def _uphold(_deed: Deed, case: Case, _given: Given) -> Changes:
    return {"unit": "", "returned": case["returned"] + 1}


def _reject(_deed: Deed, case: Case, _given: Given) -> Changes:
    return {"rejected": case["rejected"] + 1}


def _recall(deed: Deed, case: Case, _given: Given) -> Changes:
    tasks.cancel(deed, case["id"])
    return {"unit": "", "asked": {}}


def _place(deed: Deed, case: Case, given: Given) -> Changes:
    """Move a case, and with it the voices that had no place; both where it was and where it goes must be of this person's areas."""
    to = given.place
    if to is None:
        raise MISSING(zh="地点", en="place")
    machine.allow(machine.find(case["step"], case["mark"], "place"), deed.actor, to.area)
    changes: Changes = place.changes(to)
    if case["command"] and at_level(to.area, Level.DISTRICT) != at_level(case["area"], Level.DISTRICT):
        changes |= {"command": ""}
    place.carry(deed, "case_id", case["id"], to)
    return changes


def _redo(_deed: Deed, case: Case, _given: Given) -> Changes:
    return {"redone": case["redone"] + 1}


def _ask(deed: Deed, _case: Case, given: Given) -> Changes:
    return {"asked": {"what": given.what, "until": given.until, "reason": given.reason, "by": deed.actor.id, "at": deed.now}}


def _deny(_deed: Deed, _case: Case, _given: Given) -> Changes:
    return {"asked": {}}


def _extend(deed: Deed, case: Case, given: Given) -> Changes:
    """Move the limit to a later time, before it has run out; the holder's own part moves along."""
    until = given.until or 0
    if case["due"] is None or until <= case["due"] or deed.now > case["due"]:
        raise refusals.NO_LONGER(due="—" if case["due"] is None else rfc3339(case["due"]))
    most = int(duty.figure(deed.connection, "extend_days", deed.now))
    if until > case["due"] + most * DAY:
        raise refusals.TOO_LONG(days=most)
    more = until - case["due"]
    later = {name: case[name] + more for name in ("due", "warn", "held_due", "held_warn") if case[name] is not None}
    _tell_reporters(deed, case, "extend", given)
    return later | {"extended": case["extended"] + 1, "asked": {}, "held_told": 0}


def _pause(deed: Deed, case: Case, given: Given) -> Changes:
    _tell_reporters(deed, case, "park", given)
    return {"parked": deed.now, "parked_until": given.until, "asked": {}}


def _resume(deed: Deed, case: Case, given: Given) -> Changes:
    return clocks.resumed(deed, case, deed.now if given.happened is None else given.happened)


def _urge(_deed: Deed, case: Case, _given: Given) -> Changes:
    return {"urged": case["urged"] + 1}


def _supervise(deed: Deed, _case: Case, given: Given) -> Changes:
    return {"supervised": deed.now, "supervised_until": given.until}


def _escalate(_deed: Deed, case: Case, _given: Given) -> Changes:
    return {"tier": min(case["tier"] + 1, 2)}


def _make_safe(deed: Deed, case: Case, given: Given) -> Changes:
    tasks.once(deed, case, "make_safe", given.unit)
    due = clocks.task_due(deed, case["class"], "arrive")
    tasks.make(deed, case, tasks.NewTask("make_safe", given.unit, f"先行处置：{case['title_zh']}", f"Make safe: {case['title_en']}", due=due, needs=("evidence",)))
    return {"helpers": sorted({*case["helpers"], given.unit})}


def _whistle(deed: Deed, case: Case, given: Given) -> Changes:
    tasks.once(deed, case, "whistle", given.unit)
    due = clocks.task_due(deed, case["class"], "arrive")
    tasks.make(deed, case, tasks.NewTask("whistle", given.unit, f"到场协助：{given.reason}", f"Come and help: {given.reason}", due=due))
    return {"helpers": sorted({*case["helpers"], given.unit})}


def _launch(deed: Deed, case: Case, given: Given) -> Changes:
    return {"helpers": joint.begin(deed, case, given.what)["helpers"]}


def _close(deed: Deed, case: Case, given: Given) -> Changes:
    closed = deed.now if given.happened is None else given.happened
    own = given.happened is None
    if not case["due_counted"] and (own or case["due"] is not None):  # what has no limit of ours is due when it is closed
        due = closed if case["due"] is None else case["due"]
        docket.due_line(deed.by(SYSTEM), case, min(due, closed), early=closed <= due)
    if given.answer:
        waiting = select(request.c.id).where(request.c.case_id == case["id"], request.c.answered.is_(None))
        for request_id in deed.connection.execute(waiting).scalars().all():
            voice.answer(deed, request_id, given.answer)
    tasks.cancel(deed, case["id"])
    return {"closed": closed, "late": case["due"] is not None and closed > case["due"], "due_counted": own or case["due"] is not None}


def _void(deed: Deed, case: Case, _given: Given) -> Changes:
    tasks.cancel(deed, case["id"])
    return {"closed": deed.now}


def _reopen(deed: Deed, case: Case, _given: Given) -> Changes:
    """Open a closed case again: its limit begins anew, the citizens' clock was never stopped; it is not counted twice among those that were due."""
    again = clocks.whole(deed, case["class"], deed.now, case["area"]) if case["class"] else {}
    cleared: Changes = {"closed": None, "late": False, "unit": "", "asked": {}, "parked": None, "parked_until": None, "paused": 0}
    return again | cleared | {"reopened": case["reopened"] + 1, "due_counted": bool(case["due_counted"])}


def _tell_reporters(deed: Deed, case: Case, verb: str, given: Given) -> None:
    """Tell each person who reported, in their own request's history, that it will take longer, why, and until when."""
    own = deed.by(SYSTEM)
    for row in deed.connection.execute(select(request).where(request.c.case_id == case["id"])).mappings():
        voice.notice(own, dict(row), verb, given.reason, given.until)


EFFECTS: dict[str, Effect] = {
    "file": _file,
    "pass_down": _pass_down,
    "send_back": _send_back,
    "hold": _hold,
    "assign": person.assign,
    "own": person.own,
    "uphold": _uphold,
    "reject": _reject,
    "recall": _recall,
    "place": _place,
    "redo": _redo,
    "ask": _ask,
    "deny": _deny,
    "extend": _extend,
    "pause": _pause,
    "resume": _resume,
    "urge": _urge,
    "supervise": _supervise,
    "escalate": _escalate,
    "make_safe": _make_safe,
    "whistle": _whistle,
    "launch": _launch,
    "close": _close,
    "void": _void,
    "reopen": _reopen,
}
