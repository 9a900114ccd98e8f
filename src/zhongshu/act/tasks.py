"""What other parties do within a case: a standby crew that makes it safe, a summoned department (吹哨报到), a playbook's task.

A task is one unit's, has a limit of its own, and ends done, declined or cancelled; every act on it is a line of the case's history. Knows no playbook.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from zhongshu.act import docket, duty, hindsight, machine, refusals, states
from zhongshu.act.deed import MISSING, SYSTEM, Deed
from zhongshu.act.docket import Case
from zhongshu.act.given import Given
from zhongshu.act.tables import case_task, evidence_link
from zhongshu.kernel.ids import uuid7

OPEN = ("sent", "arrived")
KINDS = {"make_safe": ("先行处置", "Make safe first"), "whistle": ("吹哨报到", "Summoned"), "playbook": ("联动任务", "Joint task")}
BINDING = ("make_safe", "playbook")
"""The kinds of task that must have ended before the holder reports back; a summoned helper's need not."""

MADE_BY = frozenset({"make_safe", "whistle", "launch"})
"""The verbs that give tasks out: a case without them in its history has none."""

Task = dict[str, Any]
_ONE = select(case_task).where(case_task.c.id == bindparam("id"))
_OF = select(case_task).where(case_task.c.case_id == bindparam("case")).order_by(case_task.c.made, case_task.c.id)


@dataclass(frozen=True, slots=True)
class NewTask:
    """What a task is made with; `due` µs or None."""

    kind: str
    unit: str
    title_zh: str
    title_en: str
    key: str = ""
    due: int | None = None
    needs: tuple[str, ...] = ()
    checklist: tuple[str, ...] = ()
    choices: tuple[dict[str, Any], ...] = ()


def once(deed: Deed, case: Case, kind: str, unit: str) -> None:
    """Refuse to call a unit for what it has been called for and has not ended. Raises `task.called_already`."""
    c = case_task.c
    open_ = select(c.unit_zh, c.unit_en).where(c.case_id == case["id"], c.kind == kind, c.unit == unit, c.ended.is_(None)).limit(1)
    if (row := deed.connection.execute(open_).one_or_none()) is not None:
        raise refusals.CALLED_ALREADY(kind_zh=KINDS[kind][0], kind_en=KINDS[kind][1], unit_zh=row.unit_zh, unit_en=row.unit_en)


def make(deed: Deed, case: Case, new: NewTask) -> Task:
    """Give a unit a task within a case; the case's row keeps which units help."""
    zh, en = duty.unit_names(deed.connection, new.unit)
    task: Task = {
        "id": uuid7(),
        "case_id": case["id"],
        "kind": new.kind,
        "key": new.key,
        "title_zh": new.title_zh,
        "title_en": new.title_en,
        "unit": new.unit,
        "unit_zh": zh,
        "unit_en": en,
        "area": case["area"],
        "state": "sent",
        "needs": list(new.needs),
        "checklist": list(new.checklist),
        "choices": list(new.choices),
        "made": deed.now,
        "made_by": deed.actor.id,
        "due": new.due,
        "arrived": None,
        "ended": None,
        "told": 0,
        "version": 1,
    }
    deed.connection.execute(insert(case_task), task)
    return task


def of_case(deed: Deed, case_id: str) -> list[Task]:
    """Return a case's tasks in the order they were made."""
    return [dict(row) for row in deed.connection.execute(_OF, {"case": case_id}).mappings()]


def waiting(deed: Deed, case_id: str) -> list[Task]:
    """Return the tasks that must end before the case goes on."""
    return [task for task in of_case(deed, case_id) if task["state"] in OPEN and task["kind"] in BINDING]


def get(deed: Deed, task_id: str) -> Task:
    """Return a task. Raises `task.unknown`."""
    found = deed.connection.execute(_ONE, {"id": task_id}).mappings().one_or_none()
    if found is None:
        raise refusals.NO_TASK(id=task_id)
    return dict(found)


def step(deed: Deed, case_id: str, task_id: str, verb: str, given: Given) -> tuple[Case, Task, bool]:
    """Arrive at a task, end it, or decline it (with why), by someone of its unit. Returns the case, the task as it is now, and whether that is new.

    Raises `task.unknown`, `task.not_yours`, `case.missing`, `case.not_yours`, `case.not_now`.
    """
    task, case = get(deed, task_id), docket.get(deed, case_id)
    if task["case_id"] != case_id:
        raise refusals.NO_TASK(id=task_id)
    once = f"{deed.actor.id}:{given.once}" if given.once else None
    if once and docket.done_before(deed, once, case_id, verb):
        return case, task, False
    to = _check(deed, case, task, verb, given).to[0]
    changes: dict[str, Any] = {"state": to, "version": task["version"] + 1}
    when = hindsight.within(deed, given.did, task["arrived"] or task["made"])
    changes |= {"arrived": when} if verb == "arrive" else {"ended": when}
    deed.connection.execute(update(case_task).where(case_task.c.id == bindparam("b_id")), {"b_id": task_id, **changes})
    seq = docket.note(
        deed, case, verb, happened=when, detail=told(task) | hindsight.said(replace(given, happened=when)), reason=given.reason or given.note, unit=task["unit"], once=once
    )
    if given.evidence:
        deed.connection.execute(insert(evidence_link), [{"seq": seq, "sha256": sha256} for sha256 in dict.fromkeys(given.evidence)])
    docket.tell(deed, case, verb)
    return case, task | changes, True


def _check(deed: Deed, case: Case, task: Task, verb: str, given: Given) -> states.Row:
    row = machine.find_task(task["state"], verb)
    machine.allow(row, deed.actor, case["area"])
    if deed.actor.unit != task["unit"] and deed.actor.id != SYSTEM.id:
        raise refusals.TASK_NOT_YOURS(unit_zh=task["unit_zh"], unit_en=task["unit_en"])
    if "reason" in row.needs and not (given.reason or given.note).strip():
        raise MISSING(zh="理由", en="reason")
    if verb == "done" and (lacking := [one for one in task["choices"] if given.choices.get(one["name"]) not in {option["value"] for option in one["options"]}]):
        raise MISSING(zh=lacking[0]["zh"], en=lacking[0].get("en") or lacking[0]["name"])
    if verb == "done" and "note" in task["needs"] and not given.note.strip():
        raise MISSING(zh="说明", en="note")
    if "evidence" in row.needs and "evidence" in task["needs"] and not given.evidence:
        raise MISSING(zh="证据", en="evidence")
    docket.known(deed, given.evidence)
    return row


def cancel(deed: Deed, case_id: str) -> None:
    """End what is still open of a case's tasks: the case is over, or went back."""
    open_ones = (case_task.c.case_id == bindparam("b_case"), case_task.c.state.in_(OPEN))
    deed.connection.execute(update(case_task).where(*open_ones), {"b_case": case_id, "state": "cancelled", "ended": deed.now})


def pass_on(deed: Deed, task: Task, unit: str) -> None:
    """Give an open task to another unit, as it stands; it has not arrived."""
    zh, en = duty.unit_names(deed.connection, unit)
    changes = {"unit": unit, "unit_zh": zh, "unit_en": en, "state": "sent", "arrived": None, "version": task["version"] + 1}
    deed.connection.execute(update(case_task).where(case_task.c.id == bindparam("b_id")), {"b_id": task["id"], **changes})


def told(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the history keeps of a task's act."""
    return {"task": {name: task[name] for name in ("id", "kind", "key", "unit", "title_zh", "title_en")}}
