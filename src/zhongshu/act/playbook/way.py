"""The way through a drawing: lines that lead somewhere, nodes that are reached, loops that someone or some timer holds up. Knows no engine and no text."""

from collections.abc import Iterator

from zhongshu.act.playbook.drawing import TASKS, Drawing, Flow, Node, definitions_of, kind_of
from zhongshu.act.playbook.fault import Fault, fault

CONDITIONAL = frozenset({"exclusiveGateway", "inclusiveGateway"})
PARTING = frozenset({"exclusiveGateway", "inclusiveGateway", "parallelGateway", "startEvent"})


def way_faults(drawing: Drawing) -> Iterator[Fault]:
    """Give what is wrong with the lines, scope by scope."""
    dangling = {flow.id for flow in drawing.flows if not _fits(drawing, flow)}
    yield from (fault("dangling", flow.id, "sequenceFlow") for flow in drawing.flows if flow.id in dangling)
    for scope in drawing.scopes():
        yield from _ends(drawing, scope)
    for node in drawing.nodes.values():
        yield from _ways_out(node, drawing.out_of(node.id))
    for flow in drawing.flows:
        if flow.id not in dangling:
            yield from _entering(drawing, flow)
    if not dangling:
        for scope in drawing.scopes():
            yield from _unreachable(drawing, scope)
            yield from _endless(drawing, scope)
            yield from _joins_in_loops(drawing, scope)


def gaps(drawing: Drawing) -> Iterator[Fault]:
    """Give a warning for each gateway at which it may happen that no condition holds."""
    for node in drawing.nodes.values():
        flows = drawing.out_of(node.id)
        if node.kind in CONDITIONAL and not node.element.get("default") and flows and all(flow.condition for flow in flows):
            yield fault("gap", node.id, node.kind)


def waits(node: Node) -> bool:
    """Say whether a node by itself waits for a person, a timer or a signal."""
    return node.kind in TASKS or node.kind == "intermediateCatchEvent" or (node.kind == "boundaryEvent" and _timed(node))


def _timed(node: Node) -> bool:
    return any(kind_of(each) in {"timerEventDefinition", "signalEventDefinition"} for each in definitions_of(node.element))


def _fits(drawing: Drawing, flow: Flow) -> bool:
    source, target = drawing.nodes.get(flow.source), drawing.nodes.get(flow.target)
    return source is not None and target is not None and source.scope == target.scope == flow.scope


def _ends(drawing: Drawing, scope: str) -> Iterator[Fault]:
    kinds = [node.kind for node in drawing.inside(scope)]
    element = "process" if scope == drawing.process.get("id") else "subProcess"
    if kinds.count("startEvent") != 1:
        yield fault("no_start", scope, element, count=kinds.count("startEvent"))
    if "endEvent" not in kinds:
        yield fault("no_end", scope, element)


def _ways_out(node: Node, flows: list[Flow]) -> Iterator[Fault]:
    if node.kind == "endEvent":
        yield from (fault("end_left", flow.id, "sequenceFlow") for flow in flows)
    elif not flows:
        yield fault("no_way_out", node.id, node.kind)
    elif len(flows) > 1 and node.kind not in PARTING:
        yield fault("many_ways_out", node.id, node.kind, count=len(flows))
    default = node.element.get("default")
    if default and (node.kind in CONDITIONAL) and default not in {flow.id for flow in flows}:
        yield fault("bad_default", node.id, node.kind, ref=default)
    for flow in flows:
        if node.kind not in CONDITIONAL or flow.id == default:
            if flow.condition is not None:
                yield fault("ignored_condition", flow.id, "sequenceFlow")
        elif flow.condition is None and len(flows) > 1:
            yield fault("no_condition", flow.id, "sequenceFlow")


def _entering(drawing: Drawing, flow: Flow) -> Iterator[Fault]:
    if drawing.nodes[flow.target].kind in {"startEvent", "boundaryEvent"}:
        yield fault("start_entered", flow.id, "sequenceFlow")


def _steps(drawing: Drawing, scope: str) -> dict[str, list[str]]:
    """Return where each node of a scope leads: by its lines, and to the events on its edge."""
    steps: dict[str, list[str]] = {node.id: [flow.target for flow in drawing.out_of(node.id)] for node in drawing.inside(scope)}
    for node in drawing.inside(scope):
        host = node.element.get("attachedToRef", "")
        if node.kind == "boundaryEvent" and host in steps:
            steps[host].append(node.id)
    return steps


def _unreachable(drawing: Drawing, scope: str) -> Iterator[Fault]:
    steps = _steps(drawing, scope)
    starts = [node.id for node in drawing.inside(scope) if node.kind == "startEvent"]
    reached = _reached(starts, steps) if starts else set(steps)
    yield from (fault("unreachable", id_, drawing.nodes[id_].kind) for id_ in steps if id_ not in reached)
    ends = {node.id for node in drawing.inside(scope) if node.kind == "endEvent"}
    if ends:
        yield from (fault("never_ends", id_, drawing.nodes[id_].kind) for id_ in steps if steps[id_] and id_ not in ends and not ends & _reached([id_], steps))


def _joins_in_loops(drawing: Drawing, scope: str) -> Iterator[Fault]:
    """Give a fault for each join that a loop comes back to: the engine takes what came in the first round for this round's."""
    steps = _steps(drawing, scope)
    for node in drawing.inside(scope):
        joins = node.kind in {"parallelGateway", "inclusiveGateway"} and sum(flow.target == node.id for flow in drawing.flows) > 1
        if joins and _back_to(node.id, steps):
            yield fault("join_in_loop", node.id, node.kind)


def _endless(drawing: Drawing, scope: str) -> Iterator[Fault]:
    """Give a fault for the first loop of nodes that none of them holds up."""
    steps = _steps(drawing, scope)
    free = {id_ for id_ in steps if _passes(drawing, id_)}
    steps = {id_: [to for to in steps[id_] if to in free] for id_ in steps if id_ in free}
    for id_ in steps:
        if way := _back_to(id_, steps):
            yield fault("endless", id_, drawing.nodes[id_].kind, way=" → ".join(way))
            return


def _passes(drawing: Drawing, id_: str) -> bool:
    """Say whether a token may pass a node without waiting; a sub-process, if some way from its start to an end does not wait."""
    node = drawing.nodes[id_]
    if node.kind != "subProcess":
        return not waits(node)
    steps = _steps(drawing, id_)
    free = {each for each in steps if _passes(drawing, each)}
    inside = {node.id: node.kind for node in drawing.inside(id_)}
    reached = _reached([each for each in free if inside[each] == "startEvent"], {each: [to for to in steps[each] if to in free] for each in free})
    return any(inside[each] == "endEvent" for each in reached)


def _reached(starts: list[str], steps: dict[str, list[str]]) -> set[str]:
    seen, waiting = set(starts), list(starts)
    while waiting:
        fresh = [to for to in steps.get(waiting.pop(), ()) if to not in seen]
        seen.update(fresh)
        waiting += fresh
    return seen


def _back_to(start: str, steps: dict[str, list[str]]) -> list[str]:
    """Return the shortest way from a node back to itself, empty if there is none."""
    came: dict[str, str] = {}
    level = [start]
    while level:
        following = []
        for id_ in level:
            for to in steps[id_]:
                if to == start:
                    way = [start, id_]
                    while way[-1] != start:
                        way.append(came[way[-1]])
                    return way[::-1]
                if to not in came:
                    came[to] = id_
                    following.append(to)
        level = following
    return []
