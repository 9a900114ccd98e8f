"""The words a decision is made of: roles, actions, kinds and verbs, as rows. It says what they are called, never what they may do.

What they may do stands in policies.cedar. This file must never know an account, an address or a route.
"""

from dataclasses import dataclass

from zhongshu.kernel.area import Level

ACTIONS = {"read": ("查看", "read"), "write": ("新增或修改", "write"), "act": ("办理", "act on"), "manage": ("管理", "manage")}

KINDS = {
    "city": ("城市", "the city"),
    "area": ("区域", "areas"),
    "entity": ("实体", "entities"),
    "indicator": ("体征指标", "indicators"),
    "vital": ("体征", "vital signs"),
    "reading": ("观测", "readings"),
    "finding": ("告警", "findings"),
    "lead": ("线索", "leads"),
    "case": ("案件", "cases"),
    "request": ("诉求", "requests"),
    "table": ("办理依据表", "duty tables"),
    "voice": ("反映的问题", "what people report"),
    "follow": ("凭回执查询", "following by a receipt"),
    "evaluation": ("综合评价", "the evaluation"),
    "evidence": ("佐证材料", "evidence"),
    "warning": ("预警", "warnings"),
    "response": ("应急响应", "emergency responses"),
    "mode": ("平急转换", "modes of operation"),
    "incident": ("突发事件", "incidents"),
    "duty": ("值守", "the watch"),
    "report": ("运行简报", "briefs and reviews"),
    "source": ("数据源", "sources"),
    "quarantine": ("问题数据", "quarantined rows"),
    "session": ("登录", "sessions"),
    "ledger": ("台账", "the ledger"),
    "user": ("账户", "accounts"),
    "story": ("沙盒故事", "the sandbox's story"),
    "health": ("运行状况", "the system's health"),
    "running": ("系统运行", "how the system runs"),
    "scenario": ("推演", "scenarios and their runs"),
    "lesson": ("训练课", "lessons of the training ground"),
}

PLACELESS = frozenset(
    {
        "city",
        "area",
        "indicator",
        "source",
        "quarantine",
        "table",
        "voice",
        "follow",
        "duty",
        "report",
        "session",
        "ledger",
        "user",
        "story",
        "health",
        "running",
        "scenario",
        "lesson",
    }
)
"""Kinds whose things lie in no one area: what is allowed of them is allowed everywhere."""

VERBS: dict[str, tuple[str, ...]] = {
    "case": (
        "verify",
        "file",
        "dispatch",
        "delivered",
        "read",
        "take",
        "assign",
        "handle",
        "feedback",
        "check_pass",
        "check_fail",
        "close",
        "return",
        "void",
        "park",
        "resume",
        "place",
        "recall",
        "pass_down",
        "sign_for",
        "send_back",
        "take_up",
        "acknowledge",
        "uphold",
        "reject",
        "dispute",
        "object",
        "rule",
        "ask",
        "deny",
        "extend",
        "defer",
        "supplement",
        "urge",
        "supervise",
        "escalate",
        "make_safe",
        "whistle",
        "launch",
        "exclude",
        "include",
        "reopen",
        "arrive",
        "done",
        "decline",
    ),
    "lead": ("confirm", "false_alarm", "duplicate", "place", "unlink", "reopen"),
    "finding": ("acknowledge",),
    "response": ("change", "end"),
    "mode": ("approve", "refuse", "end"),
    "incident": ("log", "order", "link", "party", "place", "unlink", "unparty", "unplace", "report", "send", "close", "cancel", "read", "accept", "done", "decline"),
    "duty": ("hand_over", "sign", "instruct"),
    "scenario": ("run", "choose", "stop"),
    "lesson": ("begin", "end"),
    "request": ("answer", "transfer", "refuse", "receive", "call_back", "missed", "solved", "unsolved"),
}


@dataclass(frozen=True, slots=True)
class Role:
    """A role's names, the groups a policy may name it by, the levels of area it is given for, and whether it is bound to a source."""

    name: str
    zh: str
    en: str
    groups: tuple[str, ...] = ()
    coarsest: Level = Level.CITY
    finest: Level = Level.CELL
    bound: bool = False


ROLES = {
    role.name: role
    for role in (
        Role("guest", "沙盒访客", "sandbox guest"),
        Role("citizen", "市民", "citizen"),
        Role("acceptor", "受理员", "acceptor", ("staff", "crew", "centre"), finest=Level.STREET),
        Role("dispatcher", "派遣员", "dispatcher", ("staff", "crew", "centre"), finest=Level.DISTRICT),
        Role("duty_officer", "值班长", "duty officer", ("staff", "crew", "centre"), finest=Level.DISTRICT),
        Role("leader", "带班领导", "leader on duty", ("staff",), finest=Level.DISTRICT),
        Role("handler", "处置员", "handler", ("staff", "crew"), coarsest=Level.STREET),
        Role("department", "部门经办人", "department officer", ("staff",), finest=Level.DISTRICT),
        Role("checker", "核查员", "checker", ("staff", "crew")),
        Role("collector", "信息采集员", "collector", ("staff", "crew"), coarsest=Level.STREET),
        Role("steward", "数据专员", "data steward", ("staff",)),
        Role("source_writer", "数据源接入", "source writer", bound=True),
        Role("admin", "系统管理员", "administrator", ("staff",), finest=Level.CITY),
    )
}

ANYONE = "anonymous"
"""The role of someone who has none."""


def split(role: str) -> tuple[str, str]:
    """Part a granted role into its name and the source it is bound to: `source_writer:gauges` → (`source_writer`, `gauges`)."""
    name, _, bound = role.partition(":")
    return name, bound
