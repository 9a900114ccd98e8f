"""The way of a case and of a lead, as rows: which verb leads from where to where, who may, and what must be given and be so.

Nothing else moves a state: the engine looks its row up here, the page is offered its verbs from here, the drawing is drawn from here. Rows only.
"""

from dataclasses import dataclass


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

PAUSES = ("parked", "deferred", "waiting")
"""挂账, 缓办, 待补正: the marks of a case that stands still, for a listed reason, by someone other than the holder, until a day."""

HOLDERS = {
    ("collect", ""): ("collector", "信息采集员", "Collectors"),
    ("file", ""): ("acceptor", "受理员", "Acceptors"),
    ("dispatch", ""): ("dispatcher", "派遣员", "Dispatchers"),
    ("dispatch", "returned"): ("dispatcher", "派遣员", "Dispatchers"),
    ("dispatch", "disputed"): ("duty_officer", "值班长", "Duty officers"),
    ("dispatch", "down"): ("dispatcher", "派遣员", "Dispatchers"),
    **{("dispatch", mark): ("dispatcher", "派遣员", "Dispatchers") for mark in PAUSES},
    ("check", ""): ("checker", "核查员", "Checkers"),
    ("check", "passed"): ("acceptor", "受理员", "Acceptors"),
    ("closed", ""): ("", "", ""),
    ("void", ""): ("", "", ""),
}
"""Who holds a case where no unit does; at the other places it is the unit it was sent to. What a district's centre commands is that centre's to dispatch."""

MARKS = {
    "": ("", ""),
    "taken": ("已接单", "taken"),
    "passed": ("已通过", "passed"),
    "parked": ("挂账", "parked"),
    "deferred": ("缓办", "deferred"),
    "waiting": ("待补正", "waiting for papers"),
    "returned": ("退单待审", "return under review"),
    "disputed": ("会商裁定", "ruling awaited"),
    "down": ("转派待签收", "passed down, to be signed for"),
}

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
        Verb("pass_down", "转派", "Pass down", "2"),
        Verb("sign_for", "签收转派", "Sign for", "1"),
        Verb("send_back", "退回上级", "Send back up"),
        Verb("take_up", "收回指挥", "Take up again"),
        Verb("delivered", "送达", "Delivered"),
        Verb("read", "已读", "Read"),
        Verb("take", "接单", "Take", "1"),
        Verb("assign", "指派", "Assign", "5"),
        Verb("handle", "处置", "Handle", "1"),
        Verb("feedback", "反馈", "Report back", "1"),
        Verb("check_pass", "核查通过", "Pass the check", "1"),
        Verb("check_fail", "发回重办", "Send back to be redone", "2"),
        Verb("close", "结案", "Close", "1"),
        Verb("return", "退单", "Return: not ours", "2"),
        Verb("uphold", "同意退单", "Uphold the return", "1"),
        Verb("reject", "驳回退单", "Reject the return", "2"),
        Verb("dispute", "提请会商", "Ask for a ruling", "3"),
        Verb("object", "提出异议", "Object", "3"),
        Verb("rule", "会商裁定", "Rule", "1"),
        Verb("ask", "申请", "Ask for", "4"),
        Verb("deny", "不予批准", "Deny", "7"),
        Verb("extend", "延期", "Extend", "4"),
        Verb("defer", "缓办", "Defer"),
        Verb("supplement", "待补正", "Wait for papers"),
        Verb("escalate", "提级", "Lift"),
        Verb("urge", "催办", "Urge"),
        Verb("supervise", "督办", "Supervise"),
        Verb("reopen", "重新办理", "Re-open"),
        Verb("exclude", "不计入评价", "Leave out of the evaluation"),
        Verb("include", "恢复计入评价", "Count in the evaluation again"),
        Verb("make_safe", "先行处置", "Make safe first"),
        Verb("whistle", "吹哨", "Summon"),
        Verb("launch", "启动联动", "Begin joint handling"),
        Verb("self_handle", "自行处置", "Handled on the spot"),
        Verb("arrive", "报到", "Arrive"),
        Verb("done", "完成任务", "Task done"),
        Verb("decline", "不能承担", "Decline the task"),
        Verb("overdue", "环节超时", "Part overdue"),
        Verb("notice", "告知", "Told"),
        Verb("near_due", "环节临期", "Part near its limit"),
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
        Verb("transfer", "转接", "Put through"),
        Verb("refuse", "不予受理", "Refuse"),
        Verb("receive", "重新受理", "Receive again"),
        Verb("call_back", "回访", "Call back"),
        Verb("missed", "未接通", "Nobody answered"),
        Verb("answer", "答复", "Answer"),
        Verb("opened", "发现线索", "Lead opened"),
        Verb("false_alarm", "误报", "False alarm", "2"),
        Verb("duplicate", "重复", "Duplicate", "3"),
        Verb("ended", "体征恢复", "Sign back to normal"),
        Verb("settle", "答复了结", "Settle"),
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
INTAKE = _INTAKE = frozenset({"acceptor", "duty_officer", "system"})
_SENDER = frozenset({"dispatcher", "duty_officer"})
SENDERS = _SENDER
"""Who sends a case to a unit, and calls others to it."""
_RULER = frozenset({"duty_officer"})
_CITIZEN = frozenset({"citizen"})
_HANDLER = frozenset({"handler", "department"})
OFFICERS = frozenset({"department"})
"""Who says which person of the unit does a case."""
PERSONAL = frozenset({"delivered", "read", "take", "handle", "feedback"})
"""What only the person does who has a case; the rest of what a holder may, their unit's officer may too."""
_CHECKER = frozenset({"checker", "collector", "instrument"})
_ANYONE = frozenset({"citizen", "collector", "acceptor", "dispatcher", "duty_officer", "handler", "system"})
_STAFF = frozenset({"acceptor", "dispatcher", "duty_officer"})
_REASON, _EVIDENCE, _UNIT, _NOTE, _UNTIL = frozenset({"reason"}), frozenset({"evidence"}), frozenset({"unit"}), frozenset({"note"}), frozenset({"reason", "until"})
_HOLDER, _OTHER, _REPORTER, _APART = frozenset({"holder"}), frozenset({"other"}), frozenset({"reporter"}), frozenset({"apart"})
_PLACE, _PLACED, _OWED = frozenset({"place"}), frozenset({"placed"}), frozenset({"placed", "classed", "owed", "commander", "its_unit"})
_COMMANDER, _SUPERVISOR = frozenset({"commander"}), frozenset({"supervisor"})

_HELD = (("handle", ""), ("handle", "taken"))
_SENT = (*_HELD, ("feedback", ""))
_UNSENT = (("collect", ""), ("file", ""), ("dispatch", ""), ("dispatch", "returned"), ("dispatch", "disputed"), ("dispatch", "down"))
_PAUSED = tuple((step, mark) for step in ("dispatch", "handle") for mark in PAUSES)
_CHECKED = (("check", ""), ("check", "passed"))
_OPEN = (*_UNSENT, *_SENT, *_PAUSED, *_CHECKED)
_PAUSE_BY = {"park": "parked", "defer": "deferred", "supplement": "waiting"}

ROWS = (
    Row(("", ""), "report", ("collect", ""), _ANYONE, effect="open"),
    Row(("", ""), "patrol", ("file", ""), frozenset({"collector"}), effect="open"),
    Row(("", ""), "self_handle", ("check", ""), frozenset({"collector"}), _EVIDENCE, effect="open"),
    Row(("", ""), "confirm", ("dispatch", ""), _INTAKE, effect="open"),
    Row(("", ""), "import", ("imported", ""), _SYSTEM, effect="open"),
    Row(("imported", ""), "source_close", ("closed", ""), _SYSTEM, effect="close"),
    Row(("collect", ""), "verify", ("file", ""), frozenset({"collector", "acceptor", "duty_officer"}), guards=_APART),
    Row(("file", ""), "file", ("dispatch", ""), _INTAKE, guards=_SUPERVISOR, effect="file"),
    Row(("dispatch", ""), "dispatch", ("handle", ""), _SENDER, _UNIT, _OWED, "hold"),
    # down the chain of command and back up: a district's centre signs for what the city passes down
    Row(("dispatch", ""), "pass_down", ("dispatch", "down"), _SENDER | _SYSTEM, guards=frozenset({"placed", "commander", "chained"}), effect="pass_down"),
    Row(("dispatch", "down"), "sign_for", ("dispatch", ""), _SENDER | _SYSTEM, guards=_COMMANDER),
    *(Row(("dispatch", mark), "send_back", ("dispatch", ""), _SENDER, _REASON, frozenset({"commander", "below"}), "send_back") for mark in ("", "down")),
    *(Row(("dispatch", mark), "take_up", ("dispatch", ""), _SENDER, _REASON, frozenset({"above"}), "send_back") for mark in ("", "down")),
    *(Row(("handle", ""), verb, ("handle", ""), _HANDLER, guards=_HOLDER) for verb in ("delivered", "read")),
    Row(("handle", ""), "take", ("handle", "taken"), _HANDLER | _SYSTEM, guards=_HOLDER, effect="own"),
    Row(("handle", "taken"), "handle", ("feedback", ""), _HANDLER, _EVIDENCE, _HOLDER | {"settled"}, "own"),
    Row(("feedback", ""), "feedback", ("check", ""), _HANDLER, _EVIDENCE, _HOLDER),
    # from the unit to a person of it, who has to take it as whoever had it before did
    *(Row(at, "assign", (at[0], ""), OFFICERS, frozenset({"person"}), _HOLDER, "assign") for at in _SENT),
    Row(("check", ""), "check_pass", ("check", "passed"), _CHECKER | _SYSTEM, guards=_OTHER),
    Row(("check", ""), "check_fail", ("handle", ""), frozenset({"checker", "collector"}), _REASON, _OTHER, "redo"),
    Row(("check", "passed"), "close", ("closed", ""), _INTAKE, guards=_OTHER | _APART | _SUPERVISOR, effect="close"),
    # not ours: the return is looked at; where nobody is found to be responsible, several sit together and rule
    *(Row(at, "return", ("dispatch", "returned"), _HANDLER, _REASON, _HOLDER) for at in _HELD),
    Row(("dispatch", "returned"), "uphold", ("dispatch", ""), _SENDER, guards=_COMMANDER, effect="uphold"),
    Row(("dispatch", "returned"), "reject", ("handle", ""), _SENDER, _REASON, _COMMANDER, "reject"),
    *(Row(("dispatch", mark), "dispute", ("dispatch", "disputed"), _SENDER | _SYSTEM, _REASON, _COMMANDER) for mark in ("", "returned")),
    Row(("handle", ""), "object", ("dispatch", "disputed"), _HANDLER, _REASON, _HOLDER | {"rejected"}),
    Row(("dispatch", "disputed"), "rule", ("handle", ""), _RULER, _UNIT | _REASON | _NOTE, _PLACED, "hold"),
    Row(("handle", ""), "recall", ("dispatch", ""), _SENDER, _REASON, _COMMANDER, "recall"),
    # time: asked for by the holder, given by someone else
    *(Row(at, "ask", at, _HANDLER, frozenset({"reason", "until", "what"}), _HOLDER, "ask") for at in _HELD),
    *(Row(at, "deny", at, _SENDER, _REASON, _COMMANDER | {"asked"}, "deny") for at in _HELD),
    *(Row(at, "extend", at, _SENDER, _UNTIL, _OTHER | _COMMANDER, "extend") for at in _SENT),
    *(Row(("dispatch", ""), verb, ("dispatch", mark), _RULER | _SYSTEM, _UNTIL, effect="pause") for verb, mark in _PAUSE_BY.items()),
    *(Row(at, verb, ("handle", mark), _RULER | _SYSTEM, _UNTIL, _OTHER, "pause") for verb, mark in _PAUSE_BY.items() for at in _HELD),
    *(Row((step, mark), "resume", (step, ""), _RULER | _SYSTEM, effect="resume") for step, mark in _PAUSED),
    # from above
    *(Row(at, "urge", at, _STAFF | _SYSTEM, effect="urge") for at in (*_SENT, *_UNSENT[2:])),
    *(Row(at, "supervise", at, _RULER, _UNTIL, effect="supervise") for at in _OPEN),
    *(Row(at, "escalate", at, _SENDER | _SYSTEM, _REASON, effect="escalate") for at in (*_UNSENT, *_SENT, *_CHECKED)),
    # danger first, and help from others
    *(Row(at, "make_safe", at, _STAFF | _SYSTEM, _UNIT, frozenset({"danger", "placed"}), "make_safe") for at in (*_UNSENT, *_HELD)),
    *(Row(at, "launch", at, _HANDLER | _SENDER | _SYSTEM, frozenset({"what"}), _HOLDER, "launch") for at in _HELD),
    Row(("handle", "taken"), "whistle", ("handle", "taken"), _HANDLER, _UNIT | _REASON, _HOLDER, "whistle"),
    # the end that was none
    Row(("closed", ""), "solved", ("closed", ""), _CITIZEN, guards=_REPORTER),
    Row(("closed", ""), "unsolved", ("dispatch", ""), _CITIZEN, guards=_REPORTER | {"recent"}, effect="reopen"),
    *(Row(("closed", ""), verb, ("closed", ""), _RULER, _REASON) for verb in ("exclude", "include")),
    Row(("closed", ""), "reopen", ("dispatch", ""), _INTAKE, _REASON, effect="reopen"),
    *(Row(at, "void", ("void", ""), _INTAKE, _REASON, effect="void") for at in _UNSENT),
    Row(("file", ""), "undo", ("collect", ""), frozenset({"collector", "acceptor", "duty_officer"}), effect="undo"),
    Row(("dispatch", ""), "undo", ("file", ""), _INTAKE, effect="undo"),
    Row(("handle", ""), "undo", ("dispatch", ""), _SENDER, effect="undo"),
    *(  # until someone is on the way: a case that moves to another street is no longer seen by who has taken it
        Row(at, "place", at, _STAFF, _PLACE, effect="place") for at in (*_UNSENT, ("handle", ""), *_PAUSED)
    ),
    *(Row(at, "acknowledge", at, _STAFF) for at in _OPEN),
)

NOTED = frozenset({"due", "near_due", "overdue", "arrive", "done", "decline"})
"""What a case's history tells beside the moves: they lead nowhere."""

LEAD_STATES = {
    "": ("", ""),
    "open": ("待核实", "To be verified"),
    "filed": ("已立案", "Filed"),
    "false": ("误报", "False alarm"),
    "duplicate": ("重复", "Duplicate"),
    "settled": ("答复了结", "Settled by answers"),
}
"""`settled`: nothing is left to decide of what people told of, each of them having been answered; it waits for nobody."""

LEAD_ROWS = (
    Row(("", ""), "opened", ("open", ""), _ANYONE),
    Row(("open", ""), "confirm", ("filed", ""), _INTAKE, guards=_APART),
    Row(("open", ""), "false_alarm", ("false", ""), _STAFF),
    Row(("open", ""), "duplicate", ("duplicate", ""), _STAFF | _SYSTEM, frozenset({"of"})),
    Row(("open", ""), "place", ("open", ""), _STAFF, _PLACE),
    Row(("duplicate", ""), "unlink", ("open", ""), _STAFF | _SYSTEM),
    Row(("open", ""), "ended", ("open", ""), _SYSTEM),
    Row(("open", ""), "settle", ("settled", ""), _SYSTEM),
    *(Row((state, ""), "reopen", ("open", ""), _STAFF | _SYSTEM) for state in ("settled", "false")),
    Row(("filed", ""), "reopen", ("open", ""), _SYSTEM),
    Row(("filed", ""), "undo", ("open", ""), _INTAKE),
    Row(("false", ""), "undo", ("open", ""), _STAFF),
)

TASK_STATES = {
    "sent": ("已下达", "sent"),
    "arrived": ("已报到", "arrived"),
    "done": ("已完成", "done"),
    "declined": ("不能承担", "declined"),
    "cancelled": ("已取消", "cancelled"),
}

TASK_ROWS = (
    Row(("sent", ""), "arrive", ("arrived", ""), _HANDLER | _SYSTEM),
    *(Row((state, ""), "done", ("done", ""), _HANDLER | _SYSTEM, _EVIDENCE) for state in ("sent", "arrived")),
    *(Row((state, ""), "decline", ("declined", ""), _HANDLER, _REASON) for state in ("sent", "arrived")),
)
"""What a unit does with the task it has within another's case."""

ASIDE = frozenset(
    {
        *("acknowledge", "void", "park", "defer", "supplement", "undo", "place", "recall", "ask", "deny", "extend", "urge", "supervise", "escalate", "make_safe"),
        *("delivered", "read", "whistle", "launch", "exclude", "include", "dispute", "object", "reopen", "resume", "send_back", "take_up"),
    }
)
"""To be able to do one of these is no work that waits for someone."""

RECEIPTS = {"": ("已派", "sent"), "delivered": ("已送达", "delivered"), "read": ("已读", "read")}
"""How far a task has come with the unit it was sent to before someone takes it: a receipt is a line of the history that makes no one's decision stale."""

RESULTS = ("solved", "unsolved")
"""What a reporter may say of a result; `unsolved` opens it again."""

UNDOABLE = frozenset({"verify", "file", "dispatch", "confirm", "false_alarm", "duplicate"})
"""The steps that whoever took them may take back for a short while; a lead's joins may be taken back at any time (`unlink`)."""

REQUEST_STATES = {
    "received": ("已受理", "received"),
    "answered": ("已答复", "answered"),
    "transferred": ("已转接", "put through"),
    "refused": ("不予受理", "refused"),
    "closed": ("已回访", "called back"),
}
_CALLER = frozenset({"acceptor", "duty_officer", "checker"})
REQUEST_ROWS = (
    Row(("received", ""), "answer", ("answered", ""), _STAFF | _SYSTEM),
    Row(("received", ""), "transfer", ("transferred", ""), _STAFF, _UNIT),
    Row(("received", ""), "refuse", ("refused", ""), frozenset({"acceptor", "duty_officer"}), _REASON),
    *(Row((state, ""), "receive", ("received", ""), frozenset({"acceptor", "duty_officer"}), _REASON) for state in ("transferred", "refused")),
    Row(("answered", ""), "call_back", ("closed", ""), _CALLER | _SYSTEM, guards=frozenset({"solved"})),
    Row(("answered", ""), "call_back", ("received", ""), _CALLER | _SYSTEM, guards=frozenset({"unsolved"})),
    Row(("answered", ""), "missed", ("answered", ""), _CALLER, guards=frozenset({"again"})),
    Row(("answered", ""), "missed", ("closed", ""), _CALLER, guards=frozenset({"last"})),
)
"""The ways of a voice that people take; it also goes along with the case it became. A guard: what a call brought, by which it goes one way or the other."""

BROUGHT = ("report", "patrol", "self_handle")
"""The verbs by which someone brings a case in themselves."""

OPEN = tuple(step.key for step in STEPS.values() if step.open)
"""The steps at which work is left."""
