"""What is wrong with a playbook's file: all that the engine would ignore, could not run or would wait for in silence, told element by element.

Reads the file as hostile. Lets through what the engine then carries out as drawn. Knows no case.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from zhongshu.act.playbook.drawing import (
    BPMN,
    OURS,
    REFUSED,
    RUN,
    Drawing,
    Element,
    Node,
    child_text,
    children,
    definitions_of,
    draw,
    is_bpmn,
    is_executable,
    kind_of,
    open_file,
    references_of,
)
from zhongshu.act.playbook.evaluate import Refusal, read_names, refused, set_names
from zhongshu.act.playbook.fault import Fault, fault
from zhongshu.act.playbook.form import form_faults, given_names, limitless
from zhongshu.act.playbook.spec import engine_fault
from zhongshu.act.playbook.timer import READERS
from zhongshu.act.playbook.tokens import token_faults
from zhongshu.act.playbook.way import gaps, way_faults

ID = re.compile(r"[A-Za-z_][\w.-]{0,79}", re.ASCII)
INTERNAL = frozenset({"Start", "End", "Root"})
"""Ids that the engine takes for its own: a node of that name would be passed over in silence."""
SCRIPTS = frozenset({"", "python", "text/python", "text/x-python", "application/x-python"})
QUIET = frozenset({"sequenceFlow", "laneSet", "documentation", "extensionElements", "textAnnotation", "association", "group", "incoming", "outgoing"})
SHOWN_ONLY = frozenset(
    {"dataObject", "dataObjectReference", "dataStoreReference", "property", "auditing", "monitoring", "resourceRole", "performer", "humanPerformer", "potentialOwner", "category"}
)
DATA_FLOW = frozenset({"dataInputAssociation", "dataOutputAssociation", "ioSpecification"})
LOOPS = frozenset({"standardLoopCharacteristics", "multiInstanceLoopCharacteristics"})
CONVERSATIONS = frozenset({"choreography", "globalChoreographyTask", "globalConversation", "conversation"})
TALKS = frozenset({"conversationNode", "conversationAssociation", "conversationLink", "subConversation", "callConversation", "conversation"})
CAUGHT = {
    "startEvent": frozenset[str](),
    "endEvent": frozenset({"terminateEventDefinition", "errorEventDefinition", "escalationEventDefinition"}),
    "intermediateCatchEvent": frozenset({"timerEventDefinition", "signalEventDefinition"}),
    "intermediateThrowEvent": frozenset({"signalEventDefinition", "escalationEventDefinition"}),
    "boundaryEvent": frozenset({"timerEventDefinition", "signalEventDefinition", "errorEventDefinition", "escalationEventDefinition"}),
}
"""What each event may be about so that the engine carries it out."""
HINTS = {
    "startEvent": ("规程随案件开始，请用无触发的开始事件。", "A playbook begins with its case: use a plain start event."),
    "endEvent": ("请用普通结束、终止、错误或升级结束事件。", "Use a plain, terminate, error or escalation end event."),
    "intermediateCatchEvent": ("请用定时或信号捕获事件。", "Use a timer or signal catch event."),
    "intermediateThrowEvent": ("请用普通、信号或升级抛出事件。", "Use a plain, signal or escalation throw event."),
    "boundaryEvent": (
        "请用定时、信号、错误或升级边界事件；错误与升级只附在子流程上。",
        "Use a timer, signal, error or escalation boundary event, the last two on a sub-process only.",
    ),
}
REFERENCES = {"signalEventDefinition": ("signalRef", "signal"), "errorEventDefinition": ("errorRef", "error"), "escalationEventDefinition": ("escalationRef", "escalation")}


@dataclass(frozen=True, slots=True)
class Examined:
    """A file looked through: what is wrong, what is worth a look, and its drawing if there is one."""

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...] = ()
    drawing: Drawing | None = None


def check(raw: bytes) -> tuple[Fault, ...]:
    """Return what is wrong with a playbook's file; nothing if it can be run."""
    return examine(raw).faults


def examine(raw: bytes) -> Examined:
    """Look a playbook's file through. Never raises, whatever the bytes are."""
    root = open_file(raw)
    if isinstance(root, Fault):
        return Examined((root,))
    faults = [*_file_faults(root)]
    drawing = draw(root)
    if isinstance(drawing, Fault):
        return Examined((*faults, drawing))
    if not is_executable(drawing.process):
        faults.append(fault("no_process", drawing.process.get("id", ""), "process"))
    ids = [*_id_faults(drawing)]
    faults += ids
    if not ids:
        faults += [*_node_faults(drawing), *form_faults(drawing), *way_faults(drawing), *_name_faults(drawing)]
    if not faults:
        faults = [*token_faults(drawing)]
    if not faults and (last := engine_fault(drawing)):
        faults = [last]
    return Examined(tuple(dict.fromkeys(faults)), tuple(dict.fromkeys(_warnings(drawing))), drawing)


def _file_faults(root: Element) -> Iterator[Fault]:
    for child in children(root):
        kind, id_ = kind_of(child), child.get("id", "")
        if kind == "import":
            yield fault("import", id_, kind)
        elif kind in CONVERSATIONS or kind.startswith("globalConversation"):
            yield fault("choreography", id_, kind, kind=kind)
        elif kind == "dataStore":
            yield fault("data_flow", id_, kind, kind=kind)
        elif kind == "collaboration":
            yield from (fault("choreography", each.get("id", ""), kind_of(each), kind=kind_of(each)) for each in children(child) if kind_of(each) in TALKS)


def _id_faults(drawing: Drawing) -> Iterator[Fault]:
    named = [each for each in drawing.root.iter(f"{BPMN}*") if each.get("id") is not None]
    counted = Counter(each.get("id") for each in named)
    for each in named:
        if counted[each.get("id")] > 1:
            yield fault("same_id", each.get("id"), kind_of(each), count=counted[each.get("id")])
    for each in [drawing.process, *drawing.process.iter(*(BPMN + kind for kind in (*RUN, *REFUSED, "sequenceFlow")))]:
        id_ = each.get("id")
        if not id_:
            yield fault("no_id", "", kind_of(each))
        elif ID.fullmatch(id_) is None or id_ in INTERNAL or id_.endswith((".EndJoin", ".BoundaryEventSplit", ".BoundaryEventJoin")):
            yield fault("bad_id", id_[:80], kind_of(each), id=id_)


def _node_faults(drawing: Drawing) -> Iterator[Fault]:
    yield from _strangers(drawing)
    for node in drawing.nodes.values():
        if node.kind in REFUSED:
            yield fault(REFUSED[node.kind], node.id, node.kind, kind=node.kind, called=node.element.get("calledElement", ""))
            continue
        yield from _marks(node)
        if node.kind in CAUGHT:
            yield from _event_faults(drawing, node)
        elif node.kind == "scriptTask":
            yield from _script_faults(node)
    for flow in drawing.flows:
        if flow.condition is not None and (refusal := refused(flow.condition)):
            yield fault("condition", flow.id, "sequenceFlow", **_told(refusal))


def _strangers(drawing: Drawing) -> Iterator[Fault]:
    """Give the elements between the nodes that are not known here."""
    for scope in (drawing.process, *(node.element for node in drawing.nodes.values() if node.kind == "subProcess")):
        for child in children(scope):
            kind = kind_of(child)
            if kind in DATA_FLOW:
                yield fault("data_flow", child.get("id", "") or scope.get("id", ""), kind, kind=kind)
            elif kind not in RUN and kind not in REFUSED and kind not in QUIET | SHOWN_ONLY | LOOPS:
                yield fault("unknown_element", child.get("id", ""), kind, kind=kind)


def _marks(node: Node) -> Iterator[Fault]:
    """Give what a node carries that would be ignored."""
    if node.kind == "subProcess" and node.element.get("triggeredByEvent", "false").strip() in {"true", "1"}:
        yield fault("event_subprocess", node.id, node.kind)
    if node.element.get("isForCompensation", "false").strip() in {"true", "1"}:
        yield fault("compensation", node.id, node.kind)
    for child in children(node.element):
        if kind_of(child) in LOOPS:
            yield fault("loop", node.id, node.kind, kind=kind_of(child))
        elif kind_of(child) in DATA_FLOW:
            yield fault("data_flow", node.id, node.kind, kind=kind_of(child))


def _event_faults(drawing: Drawing, node: Node) -> Iterator[Fault]:
    hint_zh, hint_en = HINTS[node.kind]
    definitions = definitions_of(node.element)
    for ref in references_of(node.element):
        yield fault("event", node.id, node.kind, kind=f"eventDefinitionRef {ref}", hint_zh=hint_zh, hint_en=hint_en)
    if len(definitions) > 1:
        yield fault("many_events", node.id, node.kind, count=len(definitions))
    if not definitions and node.kind in {"intermediateCatchEvent", "boundaryEvent"} and not references_of(node.element):
        yield fault("event", node.id, node.kind, kind="none", hint_zh=hint_zh, hint_en=hint_en)
    host = drawing.nodes.get(node.element.get("attachedToRef", ""))
    if node.kind == "boundaryEvent" and (host is None or host.scope != node.scope or host.kind not in {"userTask", "manualTask", "subProcess"}):
        yield fault("boundary", node.id, node.kind)
    for each in definitions:
        kind = kind_of(each)
        inner = node.kind == "boundaryEvent" and kind in {"errorEventDefinition", "escalationEventDefinition"}
        if kind == "compensateEventDefinition":
            yield fault("compensation", node.id, node.kind)
        elif kind not in CAUGHT[node.kind] or (inner and (host is None or host.kind != "subProcess")):
            yield fault("event", node.id, node.kind, kind=kind, hint_zh=hint_zh, hint_en=hint_en)
        elif kind == "timerEventDefinition":
            yield from _timer_faults(node, each)
        elif kind in REFERENCES:
            yield from _reference_faults(drawing, node, each)


def _timer_faults(node: Node, definition: Element) -> Iterator[Fault]:
    texts = {kind_of(child): (child.text or "").strip() for child in children(definition) if kind_of(child) in READERS}
    if len(texts) != 1:
        yield fault("bad_timer", node.id, node.kind, text=" ".join(texts.values()))
    elif (read := next(iter(texts.items()))) and READERS[read[0]](read[1]) is None:
        yield fault("bad_timer", node.id, node.kind, text=read[1])
    elif "timeCycle" in texts and not (node.kind == "boundaryEvent" and node.element.get("cancelActivity", "true").strip() in {"false", "0"}):
        yield fault("cycle_place", node.id, node.kind)


def _reference_faults(drawing: Drawing, node: Node, definition: Element) -> Iterator[Fault]:
    attribute, kind = REFERENCES[kind_of(definition)]
    ref = definition.get(attribute, "")
    named = [each for each in drawing.root.findall(BPMN + kind) if each.get("id") == ref.rpartition(":")[2]]
    if not named or ":" in ref or not (named[0].get("name") or kind != "signal"):
        yield fault("event_ref", node.id, node.kind, ref=f"{attribute} {ref}".strip())


def _script_faults(node: Node) -> Iterator[Fault]:
    language, text = node.element.get("scriptFormat", "").strip().lower(), child_text(node.element, "script")
    if language not in SCRIPTS:
        yield fault("script_language", node.id, node.kind, language=language)
    elif refusal := refused(text or "", script=True):
        yield fault("script", node.id, node.kind, **_told(refusal))


def _told(refusal: Refusal) -> dict[str, str]:
    at = (f"第 {refusal.line} 行第 {refusal.column} 个字处", f"at line {refusal.line} column {refusal.column}") if refusal.line else ("整体", "as a whole")
    return {"where_zh": at[0], "where_en": at[1], "why_zh": refusal.zh, "why_en": refusal.en}


def _name_faults(drawing: Drawing) -> Iterator[Fault]:
    """Give each use of a name that nothing sets: a slip of the pen would otherwise always mean 'no'."""
    scripts = {node.id: text for node in drawing.nodes.values() if node.kind == "scriptTask" and (text := child_text(node.element, "script")) and not refused(text, script=True)}
    known = given_names(drawing).union(*(set_names(text) for text in scripts.values()))
    for id_, text in scripts.items():
        yield from (fault("unset_name", id_, "scriptTask", name=name) for name in sorted(read_names(text, script=True) - known))
    for flow in drawing.flows:
        if flow.condition is not None and not refused(flow.condition):
            yield from (fault("unset_name", flow.id, "sequenceFlow", name=name) for name in sorted(read_names(flow.condition) - known))


def _warnings(drawing: Drawing) -> Iterator[Fault]:
    yield from gaps(drawing)
    yield from limitless(drawing)
    yield from (fault("other_process", each.get("id", ""), "process", name=each.get("name") or each.get("id", "")) for each in drawing.others)
    for each in drawing.process.iter():
        if is_bpmn(each) and kind_of(each) in SHOWN_ONLY:
            yield fault("ignored", each.get("id", ""), kind_of(each), kind=kind_of(each))
        elif not is_bpmn(each) and isinstance(each.tag, str) and not each.tag.startswith(OURS):
            yield fault("ignored", each.getparent().get("id", "") or each.getparent().getparent().get("id", ""), kind_of(each), kind=kind_of(each))
    if not any(kind_of(each) == "BPMNShape" for each in drawing.root.iter()):
        yield fault("no_drawing", drawing.process.get("id", ""), "process")
