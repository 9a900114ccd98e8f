"""Which step may be taken back: the last one of its subject, by who took it, within ten seconds, and only while nothing has followed.

What a step changed is kept in its line of the history, so that it can be put back exactly. Knows no verb's meaning and writes nothing.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select

from zhongshu.act import relay, states
from zhongshu.act.deed import Deed
from zhongshu.act.tables import case_step
from zhongshu.kernel.clock import SECOND, rfc3339
from zhongshu.kernel.grade import Principal
from zhongshu.kernel.problem import declare

LATE = declare(
    "case.undo_late",
    "conflict",
    zh=("“{verb_zh}”已过 {seconds} 秒，不能再撤销。", "如需更正，请用可用的操作继续办理。"),
    en=("'{verb_en}' was more than {seconds} s ago: it cannot be taken back.", "To put it right, go on with what is offered."),
)
NOT_YOURS = declare(
    "case.undo_not_yours",
    "refused",
    zh=("“{verb_zh}”不是你做的，不能由你撤销。", "请由做这一步的人撤销，或用可用的操作继续办理。"),
    en=("'{verb_en}' was not your step: you cannot take it back.", "Let whoever took it do so, or go on with what is offered."),
)
SINCE = declare(
    "case.undo_since",
    "conflict",
    zh=("最近一步是“{verb_zh}”，不能撤销。", "请刷新，看过最新情况后用可用的操作继续办理。"),
    en=("The last step is '{verb_en}': it cannot be taken back.", "Refresh, look at what has happened, and go on with what is offered."),
)

Line = dict[str, Any]
_LAST = select(case_step).where(case_step.c.subject == bindparam("b_subject"), case_step.c.verb.not_in([*states.RECEIPTS])).order_by(case_step.c.seq.desc()).limit(1)


def last_line(connection: Connection, subject: str) -> Line | None:
    """Return the newest line of a case's or a lead's history; that a task was delivered or read is no step after it."""
    found = connection.execute(_LAST, {"b_subject": subject}).mappings().one_or_none()
    return None if found is None else dict(found)


def claim(deed: Deed, subject: str, to: tuple[str, str]) -> Line:
    """Return the line that this person may take back now, which came from `to`.

    Raises `case.undo_since`, `case.undo_not_yours`, `case.undo_late`.
    """
    line = last_line(deed.connection, subject)
    words = _words(line)
    if line is None or line["verb"] not in states.UNDOABLE or (line["from_step"], line["from_mark"]) != to:
        raise SINCE(**words)
    if line["actor"] != deed.actor.id:
        raise NOT_YOURS(**words)
    if _over(deed.connection, line, deed.now):
        raise LATE(**words, seconds=relay.HOLD // SECOND)
    return line


def show(connection: Connection, case: Mapping[Any, Any], line: Line | None, viewer: Principal, now: int) -> dict[str, Any] | None:
    """Return the step of a case (`line`: its newest) that the viewer could take back now, and until when: {verb, zh, en, until}; None if there is none."""
    if line is None or line["verb"] not in states.UNDOABLE or line["actor"] != viewer.id:
        return None
    if now > line["at"] and _over(connection, line, now):  # within the deed that writes it nothing has left yet
        return None
    came, stands = (line["from_step"], line["from_mark"]), (case["step"], case["mark"])
    if not any(row.effect == "undo" and row.at == stands and row.to == came for row in states.ROWS):
        return None
    verb = states.VERBS[line["verb"]]
    return {"verb": verb.key, "zh": verb.zh, "en": verb.en, "until": rfc3339(line["at"] + relay.HOLD)}


def before(case: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns as they stand before a step changes them, to be kept in its line; version and time of change go on."""
    return {name: case[name] for name in changes if name not in {"version", "changed"} and case[name] != changes[name]}


def _over(connection: Connection, line: Line, now: int) -> bool:
    """Tell whether it is too late: the time is over, or the line's readings have left the desk; what the city counts is not taken back."""
    return bool(now - line["at"] > relay.HOLD or (relay.readings_of(line) and relay.handed_over(connection, line["seq"])))


def _words(line: Line | None) -> dict[str, str]:
    verb = None if line is None else states.VERBS[line["verb"]]
    return {"verb_zh": "—", "verb_en": "—"} if verb is None else {"verb_zh": verb.zh, "verb_en": verb.en}
