"""The guard: every door asks it what a principal may see and do, and obeys the scope it answers.

One decision per (principal, action, kind, policy), kept. What may be seen in a list and whether one thing may be seen are the same
function of the same scope. It must never know a store, a route or HTTP.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from zhongshu.govern.catalogue import Catalogue
from zhongshu.govern.policy import Outcome, Policy
from zhongshu.govern.roles import ACTIONS, ANYONE, KINDS, PLACELESS, ROLES, VERBS, split
from zhongshu.kernel.area import interval
from zhongshu.kernel.grade import ANONYMOUS, EVERYWHERE, Principal, Scope
from zhongshu.kernel.problem import Problem, declare

SIGN_IN = declare(
    "guard.sign_in",
    "unsigned",
    zh=("请先登录，再{action_zh}{kind_zh}。", "登录有权的账户（{able_zh}），或在请求里带上令牌。"),
    en=("Sign in to {action_en} {kind_en}.", "Sign in as one of: {able_en}; or send a token with the request."),
)
REFUSED = declare(
    "guard.refused",
    "refused",
    zh=("您的角色（{roles_zh}）{where_zh}不能{action_zh}{kind_zh}。", "可以这样做的角色：{able_zh}。请向系统管理员申请，或交给职责范围内的人办理。"),
    en=(
        "Your role ({roles_en}) may not {action_en} {kind_en}{where_en}.",
        "Roles that may: {able_en}. Ask the administrator for the role, or hand it to someone whose area it is.",
    ),
)

OTHER_SOURCE = declare(
    "guard.other_source",
    "refused",
    zh=("这个令牌只属于数据源 {own}，不能{action_zh}数据源 {source} 的{kind_zh}。", "请使用数据源 {source} 的令牌，或改发到 {own}。"),
    en=("This token belongs to source {own}; it may not {action_en} {kind_en} of source {source}.", "Use a token of source {source}, or send to {own}."),
)

GUEST = "sandbox"
"""By what means the sandbox's visitor is here: nobody signed in."""
Intervals = tuple[tuple[int, int], ...]
Grant = tuple[bool, int, tuple[int, int]]
"""What one granted role permits: whether only one's own, up to which grade, in which interval of areas."""

NOTHING = Scope()
_WITHHELD = "type:"
_OWN = ("unit", "holder", "owner", "reporter", "reporter_id", "party")
_URN_TYPE = re.compile(r"urn:zs:([^:]+):")
_BOUND = 50_000


class Guard:
    """`adopt` puts another policy in force; everything decided before is forgotten at once."""

    def __init__(self, policy: Policy, catalogue: Catalogue | None = None, verbs: Mapping[str, tuple[str, str]] | None = None) -> None:
        """Take the policy in force, the gradings, and how verbs are called in Chinese and English."""
        self.catalogue, self._verbs = catalogue or Catalogue(), verbs or {}
        self._state: tuple[Policy, dict[tuple[Principal, str, str, str, str], Scope]] = (policy, {})

    @property
    def policy(self) -> Policy:
        """Return the policy in force."""
        return self._state[0]

    def adopt(self, policy: Policy) -> None:
        """Put a policy in force."""
        self._state = (policy, {})

    def scope(self, principal: Principal, action: str, kind: str, *, verb: str = "", source: str = "") -> Scope:
        """Return what is allowed; falsy if nothing is. `kind` may be `kind:Type`.

        Without `verb`, `act` means any verb of the kind: enough to open a route, so ask again with the verb before doing it. So with
        `source` for a write by a source's token. A scope has one ceiling: roles that permit less than the principal's best add nothing.
        """
        policy, kept = self._state
        key = (principal, action, kind, verb, source)
        if (scope := kept.get(key)) is None:
            scope = self._decide(policy, principal, action, kind, verb, source)
            if len(kept) >= _BOUND:
                kept.clear()
            kept[key] = scope
        return scope

    def require(self, principal: Principal, action: str, kind: str, area: int | None = None, *, verb: str = "", source: str = "") -> Scope:
        """Return the scope, or raise `guard.sign_in` or `guard.refused` if it is empty or does not hold the area."""
        scope = self.scope(principal, action, kind, verb=verb, source=source)
        if not scope or (area is not None and not scope.holds(area)):
            if not scope and source and self.scope(principal, action, kind, verb=verb, source=_bound(principal)):
                raise _of_another(principal, action, kind, source)
            raise self._refusal(principal, action, kind, area if scope else None, verb)
        return scope

    def may(self, principal: Principal, action: str, kind: str, row: Mapping[str, Any], *, verb: str = "", source: str = "") -> bool:
        """Tell whether one thing may be seen or acted on: that it is `visible` in the scope."""
        return visible(self.scope(principal, action, kind, verb=verb, source=source), row)

    def able(self, action: str, kind: str, verb: str = "") -> tuple[str, ...]:
        """Return the names of the roles that are permitted, in the table's order."""
        verbs = _verbs(action, kind, verb)
        return tuple(name for name in ROLES if any(self.policy.outcome(frozenset({name}), action, kind, v) for v in verbs))

    def _decide(self, policy: Policy, principal: Principal, action: str, kind: str, verb: str, source: str) -> Scope:
        found: list[Grant] = []
        for of in _verbs(action, kind, verb):
            found += _grants(policy, principal, action, kind, of, source)
        if not found:
            return NOTHING
        at_large, grade = max((not own, grade) for own, grade, _ in found)
        areas = merged(area for own, at, area in found if (not own, at) == (at_large, grade))
        if action != "read":  # who acts on a thing is shown no more of it than who reads it
            read = self.scope(principal, "read", kind, source=source)
            grade = min(grade, read.grade if merged((*areas, *read.areas)) == read.areas else NOTHING.grade)
        name = kind.partition(":")[0]
        hidden = self.catalogue.hidden(name, grade) | _withheld(policy, principal, action, kind, (verb, source))
        return Scope(EVERYWHERE if name in PLACELESS else areas, grade, hidden, "" if at_large else principal.unit or principal.id)

    def _refusal(self, principal: Principal, action: str, kind: str, area: int | None, verb: str) -> Problem:
        name = kind.partition(":")[0]
        action_zh, action_en = ACTIONS.get(action, (action, action))
        if verb in self._verbs:
            action_zh, action_en = f"“{self._verbs[verb][0]}”", f"'{self._verbs[verb][1]}'"
        kind_zh, kind_en = KINDS.get(name, (name, name))
        roles = [split(role)[0] for role, _ in principal.roles]
        able = self.able(action, kind, verb)
        words = {
            "action": action,
            "kind": kind,
            "verb": verb,
            "action_zh": action_zh,
            "action_en": action_en,
            "kind_zh": kind_zh,
            "kind_en": kind_en,
            "roles_zh": _said(roles, "zh") or "未登录",
            "roles_en": _said(roles, "en") or "not signed in",
            "able_zh": _said(able, "zh") or "无",
            "able_en": _said(able, "en") or "none",
            "where_zh": "" if area is None else f"在区域 {area:015d} ",
            "where_en": "" if area is None else f" in area {area:015d}",
        }
        return (SIGN_IN if principal.means in {ANONYMOUS.means, GUEST} else REFUSED)(**words)


def _bound(principal: Principal) -> str:
    """Return the source that a principal is bound to; '' for none."""
    return next((bound for role, _ in principal.roles if (bound := split(role)[1])), "")


def _of_another(principal: Principal, action: str, kind: str, source: str) -> Problem:
    (action_zh, action_en), (kind_zh, kind_en) = ACTIONS.get(action, (action, action)), KINDS.get(kind, (kind, kind))
    own = ", ".join(bound for role, _ in principal.roles if (bound := split(role)[1]))
    return OTHER_SOURCE(own=own, source=source, action_zh=action_zh, action_en=action_en, kind_zh=kind_zh, kind_en=kind_en)


def visible(scope: Scope, row: Mapping[str, Any]) -> bool:
    """Tell whether a thing lies in a scope: its area, its grade, its type, and, if only one's own counts, whose it is.

    A thing without an area lies only in a scope that is everywhere, as a query by areas would have it.
    """
    if not scope:
        return False
    area = row.get("area")
    if scope.areas != EVERYWHERE if area is None else not scope.holds(int(area)):
        return False
    if int(row.get("grade") or 1) > scope.grade or ((withheld := _types_in(scope.hidden)) and _type_of(row) in withheld):
        return False
    return not scope.unit or any(row.get(name) == scope.unit for name in _OWN)


def unfold(scope: Scope, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a row in which every field that is hidden, however deep, is None."""
    return {key: None if key in scope.hidden else _open(scope, value) for key, value in row.items()}


def admit(scope: Scope, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the visible rows, unfolded."""
    return [unfold(scope, row) for row in rows if visible(scope, row)]


def withheld_types(scope: Scope) -> frozenset[str]:
    """Return the entity types a query in this scope must leave out."""
    return _types_in(scope.hidden)


@lru_cache(maxsize=1024)
def _types_in(hidden: frozenset[str]) -> frozenset[str]:
    return frozenset(name.removeprefix(_WITHHELD) for name in hidden if name.startswith(_WITHHELD))


def guest(city: int) -> Principal:
    """Return the sandbox's visitor, who may look around in one city without an account."""
    return Principal("guest", "沙盒访客", (("guest", city),), GUEST)


def merged(areas: Iterable[tuple[int, int]]) -> Intervals:
    """Unite half-open intervals: sorted, apart, none empty."""
    done: list[tuple[int, int]] = []
    for low, high in sorted(areas):
        if done and low <= done[-1][1]:
            done[-1] = (done[-1][0], max(high, done[-1][1]))
        elif low < high:
            done.append((low, high))
    return tuple(done)


def _verbs(action: str, kind: str, verb: str) -> tuple[str, ...]:
    return VERBS.get(kind.partition(":")[0], ("",)) if action == "act" and not verb else (verb,)


def _grants(policy: Policy, principal: Principal, action: str, kind: str, verb: str, source: str) -> list[Grant]:
    """Return what each granted role permits; what is forbidden to one role is forbidden to its holder."""
    held = frozenset(split(role)[0] for role, _ in principal.roles)
    found: list[Grant] = []
    for role, area in (*((role, interval(area)) for role, area in principal.roles), (ANYONE, EVERYWHERE[0])):
        name, bound = split(role)
        outcome = policy.outcome(frozenset({name}), action, kind, verb) & policy.outcome(held | {name}, action, kind, verb)
        if name in ROLES and ROLES[name].bound:
            outcome = _as_if_all(outcome) if bound and (source == bound or (not source and action == "write")) else frozenset()
        at_large, own = _ceiling(outcome, own=False), _ceiling(outcome, own=True)
        found += [(False, at_large, area)] if at_large else []
        found += [(True, own, area)] if own > at_large else []
    return found


def _withheld(policy: Policy, principal: Principal, action: str, kind: str, of: tuple[str, str]) -> frozenset[str]:
    """Name the types of which less is permitted than of their kind: they stay out of the kind's lists and are asked for by `kind:Type`."""
    if ":" in kind:
        return frozenset()

    def less(name: str, verb: str) -> bool:
        typed = _grants(policy, principal, action, f"{kind}:{name}", verb, of[1])
        return not all(
            any(at == area and ceiling >= high and (own or not is_own) for is_own, ceiling, at in typed)
            for own, high, area in _grants(policy, principal, action, kind, verb, of[1])
        )

    return frozenset(_WITHHELD + name for name in policy.types if any(less(name, verb) for verb in _verbs(action, kind, of[0])))


def _as_if_all(outcome: Outcome) -> Outcome:
    """Make of what is permitted on one's own what is permitted: the caller has made sure that the source is the asker's."""
    return frozenset((grade, False) for grade, _ in outcome)


def _ceiling(outcome: Outcome, *, own: bool) -> int:
    """Return the highest grade permitted without a gap from 1, or 0."""
    grade = 0
    while (grade + 1, own) in outcome:
        grade += 1
    return grade


def _open(scope: Scope, value: Any) -> Any:  # noqa: ANN401 (JSON)
    if isinstance(value, Mapping):
        return unfold(scope, value)
    return [_open(scope, item) for item in value] if isinstance(value, list | tuple) else value


def _type_of(row: Mapping[str, Any]) -> str:
    if (kind := row.get("type")) is not None:
        return str(kind)
    match = _URN_TYPE.match(str(row.get("entity") or row.get("id") or ""))
    return match[1] if match else ""


def _said(roles: Iterable[str], language: str) -> str:
    names = [(ROLES[role].zh if language == "zh" else ROLES[role].en) if role in ROLES else role for role in dict.fromkeys(roles)]
    return ("、" if language == "zh" else ", ").join(names)
