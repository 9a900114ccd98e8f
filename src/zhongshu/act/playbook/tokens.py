"""A drawing played through with tokens, whatever the answers are: joins that would wait for ever, and tokens that a join would lose.

Of steps that do not stand in each other's way one order is played, joins last. Knows no text, no data and no engine.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from zhongshu.act.playbook.drawing import Drawing, Flow, Node, definitions_of, kind_of
from zhongshu.act.playbook.fault import Fault, fault

MOST_MARKINGS, MOST_WAYS = 5000, 5
"""Where a drawing has more ways to go, it is not played to the end; an inclusive gateway with more ways is played with one, and with all."""
JOINS = frozenset({"parallelGateway", "inclusiveGateway"})

Marking = frozenset[tuple[str, int]]
"""How many tokens are on each line and at each node, by id; 2 stands for two or more."""


@dataclass(frozen=True, slots=True)
class _Scope:
    nodes: dict[str, Node]
    out: dict[str, list[Flow]]
    into: dict[str, list[Flow]]
    edges: dict[str, list[Node]]
    lines: dict[str, Flow]


def token_faults(drawing: Drawing) -> Iterator[Fault]:
    """Give the joins that do not fit the ways into them, in drawings whose lines all lead somewhere."""
    for name in drawing.scopes():
        nodes = {node.id: node for node in drawing.inside(name)}
        lines = {flow.id: flow for flow in drawing.flows if flow.scope == name}
        scope = _Scope(
            nodes,
            {id_: [flow for flow in lines.values() if flow.source == id_] for id_ in nodes},
            {id_: [flow for flow in lines.values() if flow.target == id_] for id_ in nodes},
            {id_: [each for each in nodes.values() if each.element.get("attachedToRef") == id_] for id_ in nodes},
            lines,
        )
        yield from _play(scope)


def _play(scope: _Scope) -> Iterator[Fault]:
    first = _with({}, [node.id for node in scope.nodes.values() if node.kind == "startEvent"])
    seen, waiting, told = {first}, [first], set[str]()
    while waiting and len(seen) < MOST_MARKINGS:
        marking = dict(waiting.pop())
        for flow in (scope.lines[id_] for id_, count in marking.items() if count > 1 and id_ in scope.lines):
            if scope.nodes[flow.target].kind in JOINS and flow.target not in told:
                told.add(flow.target)
                yield fault("doubled", flow.target, scope.nodes[flow.target].kind)
        following = _next(scope, marking)
        if following is None:
            stuck = next((scope.lines[id_].target for id_ in marking if id_ in scope.lines), "")
            if stuck and stuck not in told:
                told.add(stuck)
                yield fault("deadlock", stuck, scope.nodes[stuck].kind)
            continue
        fresh = [each for each in following if each not in seen]
        seen.update(fresh)
        waiting += fresh


def _next(scope: _Scope, marking: dict[str, int]) -> list[Marking] | None:
    """Return the markings that one step leads to: one node's step with all its outcomes. None where tokens are left and none can move."""
    lines = [scope.lines[id_] for id_ in marking if id_ in scope.lines]
    for flow in lines:
        if scope.nodes[flow.target].kind not in JOINS:
            return _enter(scope, marking, flow)
    active = next((id_ for id_ in marking if id_ in scope.nodes), None)
    if active is not None:
        return _leave(scope, marking, active)
    for kind in ("parallelGateway", "inclusiveGateway"):
        for id_ in {flow.target for flow in lines if scope.nodes[flow.target].kind == kind}:
            held = [flow.id for flow in scope.into[id_] if flow.id in marking]
            if (kind == "parallelGateway" and len(held) == len(scope.into[id_])) or (kind == "inclusiveGateway" and not _may_come(scope, marking, id_)):
                return [_with(_without(marking, held), way) for way in _ways(scope, id_)]
    return [] if not lines else None


def _enter(scope: _Scope, marking: dict[str, int], flow: Flow) -> list[Marking]:
    node, rest = scope.nodes[flow.target], _without(marking, [flow.id])
    if node.kind == "endEvent":
        ends_all = any(kind_of(each) in {"terminateEventDefinition", "errorEventDefinition"} for each in definitions_of(node.element))
        return [frozenset()] if ends_all else [_with(rest, [])]
    if node.kind == "exclusiveGateway":
        return [_with(rest, [each.id]) for each in scope.out[node.id]]
    return [_with(rest, [node.id])]


def _leave(scope: _Scope, marking: dict[str, int], id_: str) -> list[Marking]:
    rest = _without(marking, [id_])
    fired = {f"{each.id}!" for each in scope.edges[id_]}
    settled = {key: count for key, count in rest.items() if id_ in rest or key not in fired}
    outcomes = [_with(settled, [flow.id for flow in scope.out[id_]])]
    for each in scope.edges[id_]:
        to = [flow.id for flow in scope.out[each.id]]
        if each.element.get("cancelActivity", "true").strip() in {"true", "1"}:
            outcomes.append(_with(settled, to))
        elif f"{each.id}!" not in marking:
            outcomes.append(_with(marking, [*to, f"{each.id}!"]))
    return outcomes


def _ways(scope: _Scope, id_: str) -> list[list[str]]:
    out = [flow.id for flow in scope.out[id_]]
    if scope.nodes[id_].kind == "parallelGateway":
        return [out]
    sizes = range(1, len(out) + 1) if len(out) <= MOST_WAYS else (1, len(out))
    return [list(way) for size in sizes for way in combinations(out, size)]


def _may_come(scope: _Scope, marking: dict[str, int], id_: str) -> bool:
    """Say whether another token may still come to an inclusive join by a line that has none yet."""
    ahead = [scope.lines[key].target for key in marking if key in scope.lines and scope.lines[key].target != id_]
    seen = set(ahead)
    while ahead:
        for flow in scope.out[ahead.pop()]:
            if flow.target == id_ and flow.id not in marking:
                return True
            if flow.target != id_ and flow.target not in seen:
                seen.add(flow.target)
                ahead.append(flow.target)
    return False


def _with(marking: dict[str, int], ids: list[str]) -> Marking:
    counted = Counter(marking)
    counted.update(ids)
    return frozenset((id_, min(count, 2)) for id_, count in counted.items())


def _without(marking: dict[str, int], ids: list[str]) -> dict[str, int]:
    return {id_: count - (id_ in ids) for id_, count in marking.items() if count > (id_ in ids)}
