"""When a holder did what reaches the desk later: a phone without a network says it beside the step. Knows what such a word may say, and what it moves.

Two times stay on the line: `at`, when it was known here, and `happened`, when it was done. What was decided:

- Only the holder's own deeds carry such a word (`OWN`, and those of a task within a case); of anyone else's it is left out.
- A word is held within what can be true: not before the part began (the previous step that moved the case), not in the future, not longer ago than the
  figure `late_hours`. What lies outside is taken as the nearest time that can be, and the line keeps what was said (`detail.said`): the work was done,
  and a phone whose clock is wrong is no reason to lose it.
- The holder's part ends when it was done. A next part of the same holder begins there too; another's begins when it reached the desk, for nobody can
  begin before they know. What lies between is the way and charged to nobody: all parts and ways together are the whole time.
- A part that was told as overdue meanwhile, and was not, is told so (`detail.lifted`: that line's seq and time) and no longer counted. That the case was
  lifted to those above stays: they were told.
- The whole case's limit is moved by none of this: a case ends when it is closed.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, select

from zhongshu.act import duty
from zhongshu.act.deed import SYSTEM, Deed
from zhongshu.act.docket import Case
from zhongshu.act.given import Given
from zhongshu.act.tables import case_step
from zhongshu.kernel.clock import HOUR, SECOND

OWN = frozenset({"take", "handle", "feedback", "return", "object", "ask", "whistle"})
"""A holder's own deeds on a case, which a phone may send later than they were done."""

_OVERDUE = (
    select(case_step.c.seq, case_step.c.happened, case_step.c.detail)
    .where(case_step.c.subject == bindparam("id"), case_step.c.verb == "overdue", case_step.c.at >= bindparam("since"))
    .order_by(case_step.c.seq.desc())
)


def heard(deed: Deed, verb: str, case: Case, given: Given) -> Given:
    """Return what was given with the time it was done at, as far as that can be; without a word of it, or if it is no deed of a holder's, as it was.

    What time alone brings about came when it was due, however long the program was down.
    """
    if deed.actor.id == SYSTEM.id and given.did is not None:
        return replace(given, happened=given.did)
    if given.did is None or verb not in OWN:
        return replace(given, did=None) if given.did is not None else given
    return replace(given, happened=within(deed, given.did, case["held_since"]))


def within(deed: Deed, did: int | None, since: int) -> int:
    """Return the nearest time to `did` that can be: neither before `since` nor in the future, nor longer ago than a word may come late; now without a word."""
    if did is None:
        return deed.now
    earliest = deed.now - int(duty.figure(deed.connection, "late_hours", deed.now) * HOUR)
    return min(max(did, since, earliest), deed.now)


def said(given: Given) -> dict[str, Any]:
    """Return what the line keeps of a word that could not be true as it was said."""
    return {"said": given.did} if given.did is not None and given.happened is not None and given.did != given.happened else {}


def begins(deed: Deed, case: Case, changes: Mapping[str, Any], given: Given) -> int:
    """Return when the next part begins: where the last one ended if it is the same holder's, else now, when it is known here."""
    return _end(deed, given) if changes["holder"] == case["holder"] else deed.now


def ended(deed: Deed, case: Case, given: Given) -> dict[str, Any]:
    """Return what the history keeps of the part that ends: which, how many seconds it took, when that was if it was before now, and whether an overdue is lifted."""
    if not case["part"]:
        return {}
    end = _end(deed, given)
    part: dict[str, Any] = {"part": case["part"], "s": (end - case["held_since"]) // SECOND}
    if end == deed.now:
        return {"ended": part}
    return {"ended": part | {"at": end}} | _lifted(deed, case, end)


def _end(deed: Deed, given: Given) -> int:
    return deed.now if given.did is None or given.happened is None else given.happened


def _lifted(deed: Deed, case: Case, end: int) -> dict[str, Any]:
    """Return the line that told this part as overdue, if it ended in time."""
    if case["held_due"] is None or not end <= case["held_due"] < deed.now:
        return {}
    lines = deed.connection.execute(_OVERDUE, {"id": case["id"], "since": case["held_since"]}).all()
    line = next((line for line in lines if line.detail.get("part") == case["part"]), None)
    return {} if line is None else {"lifted": {"seq": line.seq, "at": line.happened}}
