"""What time alone brings about: limits that run out, parts that are near theirs or over, pauses that expire, signs that have stayed normal.

Everything is found by its time in the store, so nothing is missed by a pause of the program: what fell due meanwhile is done on the next round. Knows no page.
"""

import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, bindparam, select, update

from zhongshu.act import case as cases
from zhongshu.act import docket, joint, postpone, states
from zhongshu.act.deed import SYSTEM, Deed
from zhongshu.act.docket import Case
from zhongshu.act.given import Given
from zhongshu.act.tables import case_file, case_task, playbook_run
from zhongshu.act.tasks import OPEN, told
from zhongshu.kernel.problem import Problem

_log = logging.getLogger(__name__)

MOST = 1000
"""So many of each are done in one round."""
_BY_ITSELF = {"sign": "take", "receipt": "sign_for"}
NEAR, OVER = 1, 2
"""How far the holder of a part has been told: that its limit is near, that it is over."""


def sign_normal(deed: Deed, indicator: str, area: int, normal_since: int) -> list[dict[str, Any]]:
    """Let a sign that has been normal since then pass the checks that wait for it; returns the cases that passed."""
    waiting = deed.connection.execute(
        select(case_file.c.id, case_file.c.normal_minutes).where(
            case_file.c.indicator == bindparam("indicator"),
            case_file.c.area == bindparam("area"),
            case_file.c.step == "check",
            case_file.c.mark == "",
            case_file.c.check_mode == "instrument",
        ),
        {"indicator": indicator, "area": area},
    ).all()
    ripe = [case_id for case_id, minutes in waiting if deed.now - normal_since >= (minutes or 0) * 60_000_000]
    return [cases.check_by_instrument(deed, case_id, normal_since) for case_id in ripe]


def sweep(deed: Deed) -> int:
    """Do what time alone brings about; return how much that was. What the rules refuse for one case is told, undone, tried again on the next round, and keeps no other."""
    own, c = deed.by(SYSTEM), case_file.c
    count = 0
    for case in _cases(own, c.due_counted.is_(False), c.due <= deed.now, c.parked.is_(None), c.step.in_(states.OPEN)):
        count += _alone(own, case, lambda case: cases.count_due(own, case))
    for case in _cases(own, c.parked_until <= deed.now, c.parked.is_not(None)):
        count += _alone(own, case, lambda case: cases.do(own, case["id"], "resume", Given(note="暂停到期 · the pause has expired", did=case["parked_until"])))
    for case in _cases(own, c.held_due <= deed.now, c.held_told < OVER, c.parked.is_(None)):
        count += _alone(own, case, lambda case: _over(own, case))
    for case in _cases(own, c.held_warn <= deed.now, c.held_due > deed.now, c.held_told < NEAR, c.parked.is_(None)):
        count += _alone(own, case, lambda case: _near(own, case))
    ripe = select(playbook_run.c.case_id.label("id")).where(playbook_run.c.due <= deed.now, playbook_run.c.ended.is_(None)).limit(MOST)
    for run in own.connection.execute(ripe).mappings().all():
        count += _alone(own, dict(run), lambda run: docket.tell(own, joint.tick(own, run["id"]), "tick"))
    return count + len(postpone.put_off(own)) + _tasks(own)


def _alone(deed: Deed, case: Case, work: Callable[[Case], object]) -> int:
    """Do something with one case; return 1, or, if it was refused, undo what it had begun, tell, and return 0."""
    told = len(deed.news)
    try:
        with deed.connection.begin_nested():
            work(case)
    except Problem:
        del deed.news[told:]
        _log.exception("round.refused", extra={"case": case["id"]})
        return 0
    return 1


def _near(deed: Deed, case: Case) -> None:
    docket.touch(deed, case["id"], held_told=NEAR)
    docket.note(deed, case, "near_due", happened=case["held_warn"], detail={"part": case["part"], "holder": case["holder"]})
    docket.tell(deed, case, "near_due")


def _cases(deed: Deed, *which: ColumnElement[bool]) -> list[Case]:
    return [dict(row) for row in deed.connection.execute(select(case_file).where(*which).limit(MOST)).mappings()]


def _over(deed: Deed, case: Case) -> None:
    """Act on a part that is over its limit: sign for what was not signed for; note, tell and lift anything else, once."""
    docket.touch(deed, case["id"], held_told=OVER)
    if (verb := _BY_ITSELF.get(case["part"])) is not None:
        cases.do(deed, case["id"], verb, Given(note="超过签收时限，自动签收 · signed for by itself", did=case["held_due"]))
        return
    docket.note(deed, case, "overdue", happened=case["held_due"], detail={"part": case["part"], "holder": case["holder"]})
    if case["tier"] == 0:
        cases.do(deed, case["id"], "escalate", Given(reason="环节超时 · a part is over its limit"))
    else:
        docket.tell(deed, case, "overdue")


def _tasks(deed: Deed) -> int:
    """Note once that another party's task is over its limit."""
    late = select(case_task).where(case_task.c.due <= deed.now, case_task.c.state.in_(OPEN), case_task.c.told == 0).limit(MOST)
    rows: list[dict[str, Any]] = [dict(row) for row in deed.connection.execute(late).mappings()]
    for task in rows:
        deed.connection.execute(update(case_task).where(case_task.c.id == bindparam("b_id")), {"b_id": task["id"], "told": 1})
        case = docket.get(deed, task["case_id"])
        docket.note(deed, case, "overdue", happened=task["due"], unit=task["unit"], detail=told(task) | {"part": "task", "holder": task["unit"]})
        docket.tell(deed, case, "overdue")
    return len(rows)
