"""The way of a case and of a lead, as tables: which verb leads from where to where, who may, and what must be given.

Nothing else moves a state: the engine looks its row up here, the page is offered its verbs from here, the drawing is drawn from here.
Knows no store and no clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Step:
    """A place on the way; `stage`: which of the seven stages of GB/T 30428 it belongs to, 0 for none; `open`: whether work is left."""

    key: str
    zh: str
    en: str
    stage: int
    open: bool


@dataclass(frozen=True, slots=True)
class Verb:
    """What a person does: its words and the key that does it."""

    key: str
    zh: str
    en: str
    shortcut: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One permitted move. `at` and `to` are (step, mark); `needs`: what must be given; `guards`: what must be so; `effect`: what else changes."""

    at: tuple[str, str]
    verb: str
    to: tuple[str, str]
    roles: frozenset[str]
    needs: frozenset[str] = frozenset()
    guards: frozenset[str] = frozenset()
    effect: str = ""


STEPS = {
    step.key: step
    for step in (
        Step("collect", "信息采集", "Collecting", 1, open=True),
        Step("file", "案卷建立", "Filing", 2, open=True),
        Step("dispatch", "任务派遣", "Dispatching", 3, open=True),
        Step("handle", "任务处理", "Handling", 4, open=True),
        Step("feedback", "处理反馈", "Reporting back", 5, open=True),
        Step("check", "核查结案", "Checking", 6, open=True),
        Step("closed", "已结案", "Closed", 7, open=False),
        Step("void", "已作废", "Void", 0, open=False),
        Step("imported", "外部系统在办", "In another system", 0, open=True),
        Step("", "", "", 0, open=False),
    )
}

HOLDERS = {
    ("collect", ""): ("collector", "信息采集员", "Collectors"),
    ("file", ""): ("acceptor", "受理员", "Acceptors"),
    ("dispatch", ""): ("dispatcher", "派遣员", "Dispatchers"),
    ("dispatch", "parked"): ("dispatcher", "派遣员", "Dispatchers"),
    ("check", ""): ("checker", "核查员", "Checkers"),
    ("check", "passed"): ("acceptor", "受理员", "Acceptors"),
    ("closed", ""): ("", "", ""),
    ("void", ""): ("", "", ""),
}
"""Who holds a case where no unit does; at the other places it is the unit it was sent to."""

MARKS = {"": ("", ""), "taken": ("已接单", "taken"), "passed": ("已通过", "passed"), "parked": ("挂账", "parked")}

VERBS = {
    verb.key: verb
    for verb in (
        Verb("report", "上报", "Report"),
        Verb("patrol", "采集上报", "Report from patrol"),
        Verb("confirm", "属实立案", "Confirm and file"),
        Verb("import", "导入", "Import"),
        Verb("source_close", "来源系统结案", "Closed at its source"),
        Verb("verify", "核实", "Verify", "1"),
        Verb("file", "立案", "File", "1"),
        Verb("dispatch", "派遣", "Dispatch", "1"),
        Verb("take", "接单", "Take", "1"),
        Verb("handle", "处置", "Handle", "1"),
        Verb("feedback", "反馈", "Report back", "1"),
        Verb("check_pass", "核查通过", "Pass the check", "1"),
        Verb("check_fail", "发回重办", "Send back to be redone", "2"),
        Verb("close", "结案", "Close", "1"),
        Verb("return", "退单", "Return: not ours", "2"),
        Verb("void", "作废", "Void", "9"),
        Verb("park", "挂账", "Park", "8"),
        Verb("resume", "恢复办理", "Resume", "8"),
        Verb("place", "定位", "Put on the map", "5"),
        Verb("recall", "撤回派遣", "Recall", "6"),
        Verb("acknowledge", "知悉", "Acknowledge", "0"),
        Verb("undo", "撤销", "Take back", "Z"),
        Verb("solved", "解决了", "Solved"),
        Verb("unsolved", "没解决", "Not solved"),
        Verb("received", "收到诉求", "Request received"),
        Verb("link", "并入", "Join"),
        Verb("unlink", "撤销并入", "Take the join back"),
        Verb("answer", "答复", "Answer"),
        Verb("opened", "发现线索", "Lead opened"),
        Verb("false_alarm", "误报", "False alarm", "2"),
        Verb("duplicate", "重复", "Duplicate", "3"),
        Verb("ended", "体征恢复", "Sign back to normal"),
        Verb("due", "到期", "Limit reached"),
    )
}

COUNTED = Verb("due", "计入应结案", "Counted as due")
"""How `due` is said where a case was closed before its limit: it counts among those that should have been closed."""

ROLES = {
    "citizen": ("市民", "citizen"),
    "acceptor": ("受理员", "acceptor"),
    "dispatcher": ("派遣员", "dispatcher"),
    "duty_officer": ("值班长", "duty officer"),
    "handler": ("处置员", "handler"),
    "department": ("部门经办人", "department officer"),
    "checker": ("核查员", "checker"),
    "collector": ("信息采集员", "collector"),
    "system": ("系统", "the system"),
    "instrument": ("仪表", "an instrument"),
}

_SYSTEM = frozenset({"system"})
_INTAKE = frozenset({"acceptor", "duty_officer", "system"})
_SENDER = frozenset({"dispatcher", "duty_officer"})
_CITIZEN = frozenset({"citizen"})
_HANDLER = frozenset({"handler", "department"})
_CHECKER = frozenset({"checker", "collector", "instrument"})
_ANYONE = frozenset({"citizen", "collector", "acceptor", "dispatcher", "duty_officer", "handler", "system"})
_STAFF = frozenset({"acceptor", "dispatcher", "duty_officer"})
_REASON, _EVIDENCE, _UNIT = frozenset({"reason"}), frozenset({"evidence"}), frozenset({"unit"})
_HOLDER, _OTHER, _REPORTER = frozenset({"holder"}), frozenset({"other"}), frozenset({"reporter"})
_PLACE, _PLACED = frozenset({"place"}), frozenset({"placed"})

ROWS = (
    Row(("", ""), "report", ("collect", ""), _ANYONE, effect="open"),
    Row(("", ""), "patrol", ("file", ""), frozenset({"collector"}), effect="open"),
    Row(("", ""), "confirm", ("dispatch", ""), _INTAKE, effect="open"),
    Row(("", ""), "import", ("imported", ""), _SYSTEM, effect="open"),
    Row(("imported", ""), "source_close", ("closed", ""), _SYSTEM, effect="close"),
    Row(("collect", ""), "verify", ("file", ""), frozenset({"collector", "acceptor", "duty_officer"})),
    Row(("file", ""), "file", ("dispatch", ""), _INTAKE),
    Row(("dispatch", ""), "dispatch", ("handle", ""), _SENDER, _UNIT, _PLACED, "hold"),
    Row(("handle", ""), "take", ("handle", "taken"), _HANDLER, guards=_HOLDER),
    Row(("handle", "taken"), "handle", ("feedback", ""), _HANDLER, _EVIDENCE, _HOLDER),
    Row(("feedback", ""), "feedback", ("check", ""), _HANDLER, _EVIDENCE, _HOLDER),
    Row(("check", ""), "check_pass", ("check", "passed"), _CHECKER, guards=_OTHER),
    Row(("check", ""), "check_fail", ("handle", ""), frozenset({"checker", "collector"}), _REASON, _OTHER, "redo"),
    Row(("check", "passed"), "close", ("closed", ""), _INTAKE, guards=_OTHER, effect="close"),
    Row(("handle", ""), "return", ("dispatch", ""), _HANDLER, _REASON, _HOLDER, "back"),
    Row(("handle", "taken"), "return", ("dispatch", ""), _HANDLER, _REASON, _HOLDER, "back"),
    Row(("handle", ""), "recall", ("dispatch", ""), _SENDER, _REASON, effect="recall"),
    Row(("closed", ""), "solved", ("closed", ""), _CITIZEN, guards=_REPORTER),
    Row(("closed", ""), "unsolved", ("closed", ""), _CITIZEN, guards=_REPORTER),
    Row(("collect", ""), "void", ("void", ""), _INTAKE, _REASON, effect="void"),
    Row(("file", ""), "void", ("void", ""), _INTAKE, _REASON, effect="void"),
    Row(("dispatch", ""), "void", ("void", ""), _INTAKE, _REASON, effect="void"),
    Row(("dispatch", ""), "park", ("dispatch", "parked"), frozenset({"duty_officer"}), frozenset({"reason", "until"}), effect="park"),
    Row(("handle", ""), "park", ("handle", "parked"), frozenset({"duty_officer"}), frozenset({"reason", "until"}), effect="park"),
    Row(("handle", "taken"), "park", ("handle", "parked"), frozenset({"duty_officer"}), frozenset({"reason", "until"}), effect="park"),
    Row(("dispatch", "parked"), "resume", ("dispatch", ""), frozenset({"duty_officer", "system"}), effect="resume"),
    Row(("handle", "parked"), "resume", ("handle", ""), frozenset({"duty_officer", "system"}), effect="resume"),
    Row(("file", ""), "undo", ("collect", ""), frozenset({"collector", "acceptor", "duty_officer"}), effect="undo"),
    Row(("dispatch", ""), "undo", ("file", ""), _INTAKE, effect="undo"),
    Row(("handle", ""), "undo", ("dispatch", ""), _SENDER, effect="undo"),
    *(  # until someone is on the way: a case that moves to another street is no longer seen by who has taken it
        Row(at, "place", at, _STAFF, _PLACE, effect="place")
        for at in (("collect", ""), ("file", ""), ("dispatch", ""), ("dispatch", "parked"), ("handle", ""), ("handle", "parked"))
    ),
    *(
        Row(at, "acknowledge", at, frozenset({"duty_officer", "acceptor", "dispatcher"}))
        for at in (
            ("collect", ""),
            ("file", ""),
            ("dispatch", ""),
            ("dispatch", "parked"),
            ("handle", ""),
            ("handle", "taken"),
            ("handle", "parked"),
            ("feedback", ""),
            ("check", ""),
            ("check", "passed"),
        )
    ),
)

LEAD_STATES = {
    "": ("", ""),
    "open": ("待核实", "To be verified"),
    "filed": ("已立案", "Filed"),
    "false": ("误报", "False alarm"),
    "duplicate": ("重复", "Duplicate"),
}

LEAD_ROWS = (
    Row(("", ""), "opened", ("open", ""), _ANYONE),
    Row(("open", ""), "confirm", ("filed", ""), _INTAKE),
    Row(("open", ""), "false_alarm", ("false", ""), _STAFF),
    Row(("open", ""), "duplicate", ("duplicate", ""), _STAFF | _SYSTEM, frozenset({"of"})),
    Row(("open", ""), "place", ("open", ""), _STAFF, _PLACE),
    Row(("duplicate", ""), "unlink", ("open", ""), _STAFF | _SYSTEM),
    Row(("open", ""), "ended", ("open", ""), _SYSTEM),
    Row(("filed", ""), "undo", ("open", ""), _INTAKE),
    Row(("false", ""), "undo", ("open", ""), _STAFF),
)

ASIDE = frozenset({"acknowledge", "void", "park", "undo", "place", "recall"})
"""To be able to do one of these is no work that waits for someone."""

RESULTS = ("solved", "unsolved")
"""What a reporter may say of a result; `unsolved` leaves the case closed until re-opening has its own rows."""

UNDOABLE = frozenset({"verify", "file", "dispatch", "confirm", "false_alarm", "duplicate"})
"""The steps that whoever took them may take back for a short while; a lead's joins may be taken back at any time (`unlink`)."""

ANSWER = Row(("received", ""), "answer", ("answered", ""), frozenset({"acceptor", "duty_officer", "dispatcher", "system"}))
"""The one move of a request that a person makes."""

_BY_MOVE = {(row.at, row.verb): row for row in ROWS}
_LEAD_BY_MOVE = {(row.at, row.verb): row for row in LEAD_ROWS}
OPEN = tuple(step.key for step in STEPS.values() if step.open)
"""The steps at which work is left."""


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


def _not_now(verb: str, zh: str, en: str) -> Problem:
    word = VERBS.get(verb, Verb(verb, verb, verb))
    return NOT_NOW(step_zh=zh or "尚未开始", step_en=en or "not begun", verb_zh=word.zh, verb_en=word.en)


def allow(row: Row, actor: Principal, area: int) -> None:
    """Refuse whoever holds none of a row's roles in an area that holds `area`. Raises `case.not_yours`."""
    if not _covers(row, actor, area):
        word, who = VERBS[row.verb], [ROLES[role] for role in sorted(row.roles)]
        raise NOT_YOURS(verb_zh=word.zh, verb_en=word.en, who_zh="、".join(zh for zh, _ in who), who_en=", ".join(en for _, en in who))


def _covers(row: Row, actor: Principal, area: int) -> bool:
    return any(role in row.roles and (place == 0 or place <= area < interval(place)[1]) for role, place in actor.roles)


def offered(step: str, mark: str, actor: Principal, area: int, unit: str) -> list[Row]:
    """Return the moves this person could make now, in the table's order; what the history forbids them is refused when they try.

    To take the last step back and to say how it ended are no work of the place: whether they may be done is told apart.
    """
    apart = {"undo", *RESULTS}
    mine = [row for row in ROWS if row.at == (step, mark) and row.verb not in apart and _covers(row, actor, area)]
    return [row for row in mine if "holder" not in row.guards or actor.unit == unit]


def replay(history: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """Walk the table along a case's history and return (step, mark); raises `case.not_now` where the history left the table."""
    at = ("", "")
    for step in history:
        if step["verb"] != "due":
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
