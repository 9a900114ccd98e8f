"""Reading the rows of `states`: which move a verb makes, who may make it, what is offered to whom, and the drawing of it. Knows no store and no clock."""

from collections.abc import Iterable, Mapping
from typing import Any

from zhongshu.act.states import (
    LEAD_ROWS,
    LEAD_STATES,
    MARKS,
    NOTED,
    OFFICERS,
    PERSONAL,
    RECEIPTS,
    REQUEST_ROWS,
    REQUEST_STATES,
    RESULTS,
    ROLES,
    ROWS,
    SENDERS,
    STEPS,
    TASK_ROWS,
    TASK_STATES,
    VERBS,
    Row,
    Verb,
)
from zhongshu.kernel.area import interval
from zhongshu.kernel.grade import Principal
from zhongshu.kernel.problem import Problem, declare

NOT_NOW = declare(
    "case.not_now",
    "conflict",
    zh=("现在是“{step_zh}”，不能“{verb_zh}”。", "请刷新后从可用的操作中选择。"),
    en=("This is at '{step_en}': '{verb_en}' is not possible.", "Refresh, and choose from what is offered."),
)
NOT_YOURS = declare(
    "case.not_yours",
    "refused",
    zh=("“{verb_zh}”要由辖区内的{who_zh}来做。", "请转给对应岗位，或以该岗位登录。"),
    en=("'{verb_en}' is for: {who_en}, of that area.", "Hand it to them, or sign in as one."),
)


_BY_MOVE = {(row.at, row.verb): row for row in ROWS}
_LEAD_BY_MOVE = {(row.at, row.verb): row for row in LEAD_ROWS}


def find(step: str, mark: str, verb: str) -> Row:
    """Return the row of a case's move. Raises `case.not_now`."""
    row = _BY_MOVE.get(((step, mark), verb))
    if row is None:
        place = STEPS.get(step)
        raise _not_now(verb, *((place.zh, place.en) if place else (step, step)))
    return row


def find_lead(state: str, verb: str) -> Row:
    """Return the row of a lead's move. Raises `case.not_now`."""
    row = _LEAD_BY_MOVE.get(((state, ""), verb))
    if row is None:
        raise _not_now(verb, *LEAD_STATES.get(state, (state, state)))
    return row


def lead_offered(state: str) -> frozenset[str]:
    """Return what may be done with a lead in a state; a join may be taken back in any."""
    return frozenset({"unlink"} | {row.verb for row in LEAD_ROWS if row.at[0] == state})


def find_request(state: str, verb: str, so: str = "") -> Row:
    """Return the row of a voice's move; `so`: which of several, by what must be so. Raises `case.not_now`."""
    row = next((row for row in REQUEST_ROWS if row.at[0] == state and row.verb == verb and (not so or so in row.guards)), None)
    if row is None:
        raise _not_now(verb, *REQUEST_STATES.get(state, (state, state)))
    return row


def find_task(state: str, verb: str) -> Row:
    """Return the row of a task's move. Raises `case.not_now`."""
    row = next((row for row in TASK_ROWS if row.at[0] == state and row.verb == verb), None)
    if row is None:
        raise _not_now(verb, *TASK_STATES[state])
    return row


def _not_now(verb: str, zh: str, en: str) -> Problem:
    word = VERBS.get(verb, Verb(verb, verb, verb))
    return NOT_NOW(step_zh=zh or "尚未开始", step_en=en or "not begun", verb_zh=word.zh, verb_en=word.en)


def allow(row: Row, actor: Principal, area: int) -> None:
    """Refuse whoever holds none of a row's roles in an area that holds `area`. Raises `case.not_yours`."""
    if not covers(row, actor, area):
        word, who = VERBS[row.verb], [ROLES[role] for role in sorted(row.roles)]
        raise NOT_YOURS(verb_zh=word.zh, verb_en=word.en, who_zh="、".join(zh for zh, _ in who), who_en=", ".join(en for _, en in who))


def covers(row: Row, actor: Principal, area: int) -> bool:
    """Tell whether someone holds one of a row's roles in an area that holds `area`."""
    return holds_role(actor.roles, row.roles, area)


def holds_role(held: Iterable[tuple[str, int]], wanted: frozenset[str], area: int) -> bool:
    """Tell whether one of the wanted roles is held in an area that holds `area`."""
    return any(role in wanted and (place == 0 or place <= area < interval(place)[1]) for role, place in held)


def holds(row: Row, actor: Principal, case: Mapping[Any, Any]) -> bool:
    """Tell whether a move that is the holder's is this person's: of the unit, and, where the case is a person's, that person; `PERSONAL` says what their officer may."""
    if actor.unit != case["unit"]:
        return row.verb == "launch" and bool(actor.role_names & SENDERS)
    return case["person"] in {"", actor.id} or (row.verb not in PERSONAL and holds_role(actor.roles, OFFICERS, case["area"]))


def offered(case: Mapping[Any, Any], actor: Principal) -> list[Row]:
    """Return the moves this person could make now, in the table's order; what the history forbids them is refused when they try.

    To take the last step back and to say how it ended are no work of the place: whether they may be done is told apart.
    """
    apart = {"undo", *RECEIPTS, *RESULTS}
    mine = [row for row in ROWS if row.at == (case["step"], case["mark"]) and row.verb not in apart and covers(row, actor, case["area"])]
    return [row for row in mine if "holder" not in row.guards or holds(row, actor, case)]


def replay(history: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """Walk the table along a case's history and return (step, mark); raises `case.not_now` where the history left the table."""
    at = ("", "")
    for step in history:
        if step["verb"] not in NOTED:
            at = find(*at, step["verb"]).to
    return at


def mermaid(language: str = "en") -> str:
    """Draw the table as a Mermaid state diagram."""
    zh = language.startswith("zh")

    def name(at: tuple[str, str]) -> str:
        return "_".join(part for part in at if part) or "[*]"

    lines = ["stateDiagram-v2"]
    places = dict.fromkeys(place for row in ROWS for place in (row.at, row.to) if place[0])
    for place in places:
        step, mark = STEPS[place[0]], MARKS[place[1]]
        words = " · ".join(filter(None, (step.zh if zh else step.en, mark[0 if zh else 1])))
        lines.append(f"    {name(place)} : {words}")
    for row in ROWS:
        if row.at == row.to:
            continue
        verb = VERBS[row.verb]
        asks = f" ({', '.join(sorted(row.needs))})" if row.needs else ""
        lines.append(f"    {name(row.at)} --> {name(row.to)} : {verb.zh if zh else verb.en}{asks}")
    lines += [f"    {name(place)} --> [*]" for place in places if not STEPS[place[0]].open]
    return "\n".join(lines) + "\n"
