"""The policy: Cedar's text, parsed once, and what each role is permitted by it. It decides on names alone.

It must never know a party, an area or a row: the guard puts its decisions together with those.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from typing import Any

import cedarpy

from zhongshu.govern.catalogue import GRADES
from zhongshu.govern.roles import ACTIONS, ANYONE, KINDS, ROLES
from zhongshu.kernel.problem import declare

UNREADABLE = declare(
    "policy.unreadable",
    "invalid",
    zh=("{name} 的策略无法读取：{why_zh}。", "请对照文档中的 Cedar 语法、角色、动作和对象种类修改后再安装。"),
    en=("The policies of {name} cannot be read: {why_en}.", "Mend them by Cedar's syntax and the documented roles, actions and kinds, then install again."),
)
OVERREACH = declare(
    "policy.overreach",
    "refused",
    zh=("{name} 的策略 {policy} 许可了不属于它的类型。", '许可只能写成 resource == Type::"…"，且类型须由该包声明：{own}；禁止则不受限。'),
    en=(
        "Policy {policy} of {name} permits on a type that is not its own.",
        'A permit must say resource == Type::"…" with a type the pack declares: {own}. A forbid may name anything.',
    ),
)

SCHEMA = f"""
entity Role in [Role];
entity Party in [Role];
entity Kind enum {json.dumps(list(KINDS))};
entity Type in [Kind];
action {", ".join(ACTIONS)} appliesTo {{
  principal: [Party], resource: [Kind, Type], context: {{ verb: String, grade: Long, own: Bool }}
}};
"""

Outcome = frozenset[tuple[int, bool]]
"""What a decision permits: pairs of (grade, whether only one's own is meant)."""

_SYNTAX = "不合 Cedar 的语法，或用了没有的角色、动作、种类"
_FIRST = ((GRADES[0], False), (GRADES[0], True))
_REST = tuple(product(GRADES[1:], (False, True)))


@dataclass(frozen=True, slots=True)
class PackPolicy:
    """A pack's policies: the pack's name, Cedar text, and the entity types the pack declares."""

    name: str
    text: str
    types: frozenset[str] = frozenset()


class Policy:
    """One version of the policy. It never changes: other policies make another Policy."""

    def __init__(self, packs: Iterable[PackPolicy] = ()) -> None:
        """Read the built-in policies and those of the packs; raise `policy.unreadable` or `policy.overreach`."""
        core = files("zhongshu.govern").joinpath("policies.cedar").read_text(encoding="utf-8")
        _validate("zhongshu", core)
        texts, named = [core], set[str]()
        for pack in sorted(packs, key=lambda pack: pack.name):
            named |= check_pack(pack)
            texts.append(pack.text)
        text = "\n".join(texts)
        self.version = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.types = frozenset(named)
        """The types some pack's policy names: only for these can an answer differ from their kind's."""
        self._set: Any = cedarpy.PolicySet.from_str(text)
        self._seen: dict[tuple[frozenset[str], str, str, str], Outcome] = {}

    def outcome(self, roles: frozenset[str], action: str, kind: str, verb: str = "") -> Outcome:
        """Decide for someone in all of the roles at once; `kind` is a kind or `kind:Type`. Unknown words and errors permit nothing."""
        key = (roles, action, kind, verb)
        if (known := self._seen.get(key)) is None:
            known = self._ask(*key)
            if len(self._seen) < 100_000:  # noqa: PLR2004 (a bound; words from outside are refused before they come here)
                self._seen[key] = known
        return known

    def _ask(self, roles: frozenset[str], action: str, kind: str, verb: str) -> Outcome:
        name, _, kind_type = kind.partition(":")
        if action not in ACTIONS or name not in KINDS:
            return frozenset()
        resource = {"type": "Type", "id": kind_type} if kind_type else {"type": "Kind", "id": name}
        entities = json.dumps(_entities(roles or frozenset({ANYONE}), name, kind_type))

        def permitted(asked: tuple[tuple[int, bool], ...]) -> Outcome:
            requests = [
                {
                    "principal": {"type": "Party", "id": "asker"},
                    "action": {"type": "Action", "id": action},
                    "resource": resource,
                    "context": {"verb": verb, "grade": grade, "own": own},
                }
                for grade, own in asked
            ]
            answers = cedarpy.is_authorized_batch(requests, self._set, entities)
            return frozenset(pair for pair, answer in zip(asked, answers, strict=True) if answer.allowed and not answer.diagnostics.errors)

        first = permitted(_FIRST)  # without the lowest grade there is no ceiling, and most questions end here
        return first | permitted(_REST) if first else first


def check_pack(pack: PackPolicy) -> frozenset[str]:
    """Check a pack's policies and return the types they name: it may forbid anything and permit only on its own types."""
    parsed = _validate(pack.name, pack.text)
    for key, policy in parsed["staticPolicies"].items():
        on = policy["resource"]
        entity = on.get("entity", {})
        own = on["op"] == "==" and entity.get("type") == "Type" and entity.get("id") in pack.types
        if policy["effect"] == "permit" and not own:
            raise OVERREACH(name=pack.name, policy=policy.get("annotations", {}).get("id", key), own=", ".join(sorted(pack.types)) or "—")
    return frozenset(_types_in(parsed))


def _validate(name: str, text: str) -> Any:  # noqa: ANN401 (Cedar's own JSON)
    """Parse and check against the schema, so that no policy can fail while deciding."""
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))
        result = cedarpy.validate_policies(text, SCHEMA)
    except ValueError as error:
        raise UNREADABLE(name=name, why_zh=_SYNTAX, why_en=str(error).rstrip(".")) from None
    if not result.validation_passed:
        raise UNREADABLE(name=name, why_zh=_SYNTAX, why_en="; ".join(str(error) for error in result.errors).rstrip("."))
    if parsed["templates"]:
        raise UNREADABLE(name=name, why_zh="模板不是策略", why_en="a template is not a policy")
    return parsed


def _types_in(node: Any) -> set[str]:  # noqa: ANN401 (Cedar's own JSON)
    if isinstance(node, list):
        return set().union(*map(_types_in, node))
    if not isinstance(node, dict):
        return set()
    found = {str(node["id"])} if node.get("type") == "Type" and isinstance(node.get("id"), str) else set()
    return found.union(*map(_types_in, node.values()))


def _entities(roles: frozenset[str], kind: str, kind_type: str) -> list[dict[str, Any]]:
    def entity(of: str, name: str, parents: Iterable[tuple[str, str]]) -> dict[str, Any]:
        return {"uid": {"type": of, "id": name}, "attrs": {}, "parents": [{"type": up, "id": parent} for up, parent in parents]}

    held = [entity("Party", "asker", [("Role", role) for role in sorted(roles)])]
    held += [entity("Role", role, [("Role", group) for group in (ROLES[role].groups if role in ROLES else ())]) for role in sorted(roles)]
    held += [entity("Type", kind_type, [("Kind", kind)])] if kind_type else []
    return held
