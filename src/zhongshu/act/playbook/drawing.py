"""A playbook's file as a drawing: hostile XML read safely, then its one process with nodes, lines and scopes.

Nothing outside the file is ever fetched, no entity is resolved, no more than a megabyte is read. Knows no rule of what is right and no engine.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from zhongshu.act.playbook.fault import Fault, fault

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
OURS = "{urn:zhongshu:bpmn}"
"""The namespace of our own attributes and elements."""
LARGEST = 1_000_000
MOST_NODES = 120
TASKS = frozenset({"userTask", "manualTask"})
GATEWAYS = frozenset({"exclusiveGateway", "parallelGateway", "inclusiveGateway"})
EVENTS = frozenset({"startEvent", "endEvent", "intermediateCatchEvent", "intermediateThrowEvent", "boundaryEvent"})
RUN = TASKS | GATEWAYS | EVENTS | {"scriptTask", "subProcess"}
"""The nodes that are carried out."""
REFUSED = {
    "task": "plain_task",
    "serviceTask": "no_service",
    "sendTask": "no_service",
    "receiveTask": "no_service",
    "businessRuleTask": "no_service",
    "callActivity": "call_activity",
    "transaction": "transaction",
    "adHocSubProcess": "ad_hoc",
    "complexGateway": "complex_gateway",
    "eventBasedGateway": "event_gateway",
    "choreographyTask": "choreography",
    "subChoreography": "choreography",
    "callChoreography": "choreography",
    "implicitThrowEvent": "unknown_element",
}
"""The nodes that are not, with the row that says why."""
_DOCTYPE = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)

Element = Any
"""An element of lxml, which has no types."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node; `scope` is the id of the process or sub-process it stands in."""

    id: str
    kind: str
    scope: str
    element: Element


@dataclass(frozen=True, slots=True)
class Flow:
    """One line of the way; `condition` is its text, None where it has none."""

    id: str
    source: str
    target: str
    scope: str
    condition: str | None
    element: Element


@dataclass(frozen=True, slots=True)
class Drawing:
    """The process to run, with everything in it by id, and the file it came from."""

    root: Element
    process: Element
    nodes: dict[str, Node]
    flows: tuple[Flow, ...]
    others: tuple[Element, ...] = ()

    def scopes(self) -> list[str]:
        """Return the ids of the process and of its sub-processes."""
        return [self.process.get("id"), *(node.id for node in self.nodes.values() if node.kind == "subProcess")]

    def inside(self, scope: str) -> list[Node]:
        """Return the nodes that stand directly in a scope."""
        return [node for node in self.nodes.values() if node.scope == scope]

    def out_of(self, id_: str) -> list[Flow]:
        """Return the lines that leave a node."""
        return [flow for flow in self.flows if flow.source == id_]


@dataclass(slots=True)
class _Found:
    nodes: list[Node] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)


def open_file(raw: bytes) -> Element | Fault:
    """Return the root of a BPMN file with nothing foreign left in it but our own namespace, or the one fault that keeps it shut."""
    if len(raw) > LARGEST:
        return fault("too_large", limit=LARGEST)
    if _DOCTYPE.search(raw.replace(b"\x00", b"")):
        return fault("dtd")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(raw, parser)
    except etree.XMLSyntaxError as error:
        return fault("not_xml", line=error.lineno or 1)
    except ValueError:
        return fault("not_xml", line=1)
    if root.getroottree().docinfo.doctype or any(isinstance(each, etree._Entity) for each in root.iter()):  # noqa: SLF001 (lxml's only name for it)
        return fault("dtd")
    return root if root.tag == f"{BPMN}definitions" else fault("not_bpmn", element=kind_of(root))


def canonical(root: Element) -> bytes:
    """Return the file's canonical bytes: the same for the same content, however it is written down."""
    return bytes(etree.tostring(root, method="c14n", with_comments=False))


def version_of(source: bytes) -> str:
    """Return the version of canonical bytes: SHA-256, in hex."""
    return hashlib.sha256(source).hexdigest()


def draw(root: Element) -> Drawing | Fault:
    """Return the drawing of the one executable process, or of the only one there is; or why there is none."""
    processes = root.findall(f"{BPMN}process")
    to_run = [process for process in processes if is_executable(process)] or (processes if len(processes) == 1 else [])
    if not to_run:
        return fault("no_process", processes[0].get("id", "") if processes else "", "process" if processes else "definitions")
    if len(to_run) > 1:
        return fault("many_processes", to_run[1].get("id", ""), "process", count=len(to_run))
    found = _Found()
    _collect(to_run[0], found)
    if len(found.nodes) > MOST_NODES:
        return fault("too_many", to_run[0].get("id", ""), "process", limit=MOST_NODES)
    others = tuple(process for process in processes if process is not to_run[0])
    return Drawing(root, to_run[0], {node.id: node for node in found.nodes}, tuple(found.flows), others)


def is_executable(process: Element) -> bool:
    """Say whether a process says of itself that it is to be run; one that is silent is not, as in the standard."""
    return str(process.get("isExecutable", "false")).strip() in {"true", "1"}


def kind_of(element: Element) -> str:
    """Return an element's name without its namespace."""
    return str(element.tag).rpartition("}")[2] if isinstance(element.tag, str) else ""


def is_bpmn(element: Element) -> bool:
    """Say whether an element is BPMN's own."""
    return isinstance(element.tag, str) and element.tag.startswith(BPMN)


def child_text(element: Element, name: str) -> str | None:
    """Return the text of a direct child, None where there is no such child."""
    child = element.find(BPMN + name)
    return None if child is None else (child.text or "").strip()


def definitions_of(event: Element) -> list[Element]:
    """Return an event's own definitions."""
    return [child for child in event if is_bpmn(child) and kind_of(child).endswith("EventDefinition")]


def references_of(event: Element) -> list[str]:
    """Return the definitions an event names instead of holding them."""
    return [(child.text or "").strip() for child in event.findall(f"{BPMN}eventDefinitionRef")]


def children(scope: Element) -> Iterator[Element]:
    """Give the BPMN elements directly in a process or sub-process."""
    return (child for child in scope if is_bpmn(child))


def _collect(scope: Element, found: _Found, depth: int = 0) -> None:
    name = scope.get("id", "")
    for child in children(scope):
        kind = kind_of(child)
        if kind == "sequenceFlow":
            found.flows.append(Flow(child.get("id", ""), child.get("sourceRef", ""), child.get("targetRef", ""), name, child_text(child, "conditionExpression"), child))
        elif kind in RUN or kind in REFUSED:
            found.nodes.append(Node(child.get("id", ""), kind, name, child))
            if kind in {"subProcess", "transaction", "adHocSubProcess"} and depth < MOST_NODES:
                _collect(child, found, depth + 1)
