"""Routine put off while a mode (平急) is raised: cases of the listed classes that nobody has begun stand still, and go on when the mode ends.

Each is deferred (缓办) by the system once for a mode, so that whom a duty officer lets go on is not stopped again. Knows no mode's proposing.
"""

from typing import Any

from sqlalchemy import and_, or_, select

from zhongshu.act import case as cases
from zhongshu.act.deed import SYSTEM, Deed
from zhongshu.act.docket import Case
from zhongshu.act.duty import figure
from zhongshu.act.given import Given
from zhongshu.act.tables import case_file, case_step
from zhongshu.act.urgency import postponed, putting_off
from zhongshu.kernel.area import interval
from zhongshu.kernel.clock import HOUR

PLACES = (("dispatch", ""), ("handle", ""))
"""Where a case waits that nobody has begun."""
MOST = 500
"""So many are put off in one round."""


def put_off(deed: Deed) -> list[Case]:
    """Defer what a mode in force puts off and nobody has begun; return those cases."""
    own, c, found = deed.by(SYSTEM), case_file.c, []
    for by in putting_off(deed.connection, deed.now):
        listed = or_(*(c["class"].startswith(row["what"][:-1], autoescape=True) if row["what"].endswith("*") else c["class"] == row["what"] for row in by.effects["postpone"]))
        here = or_(*(and_(c.area >= low, c.area < high) for low, high in map(interval, by.areas)))
        waits = or_(*(and_(c.step == step, c.mark == mark) for step, mark in PLACES))
        stopped = select(case_step.c.seq).where(case_step.c.subject == c.id, case_step.c.verb == "defer", case_step.c.detail["code"].as_string() == _code(by.number))
        rows = own.connection.execute(select(c.id, c["class"], c.area).where(here, waits, listed, c.parked.is_(None), ~stopped.exists()).order_by(c.opened).limit(MOST)).all()
        for case_id, class_, area in rows:
            notice = postponed(own.connection, class_, area, own.now)
            if notice is not None and notice["mode"] == by.id:
                until = own.now + int(figure(own.connection, "postpone_hours", own.now) * HOUR)
                found.append(cases.do(own, case_id, "defer", Given(reason=f"{notice['zh']} · {notice['en']}", code=_code(by.number), until=until)))
    return found


def take_up(deed: Deed, number: str) -> list[Case]:
    """Let go on what still stands still because of a mode, by its number; return those cases."""
    own, c = deed.by(SYSTEM), case_file.c
    last = select(case_step.c.detail["code"].as_string()).where(case_step.c.subject == c.id, case_step.c.verb == "defer").order_by(case_step.c.seq.desc()).limit(1)
    waiting: list[Any] = list(own.connection.execute(select(c.id).where(c.mark == "deferred", c.closed.is_(None), last.scalar_subquery() == _code(number))).scalars())
    return [cases.do(own, case_id, "resume", Given(note="平急转换结束，恢复办理 · the mode has ended")) for case_id in waiting]


def _code(number: str) -> str:
    return f"mode:{number}"
