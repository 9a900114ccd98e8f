"""What a person is asked for at a task: its party, limit, choices and checklist, read from our own attributes. Knows no engine and no case."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from zhongshu.act.playbook.drawing import BPMN, OURS, TASKS, Drawing, Element, Node
from zhongshu.act.playbook.evaluate import FUNCTIONS, NAME
from zhongshu.act.playbook.fault import Fault, fault
from zhongshu.act.playbook.timer import read_duration
from zhongshu.kernel.clock import MINUTE

HOLDER, STREET = "holder", "street"
"""The parties that are no unit's code: the unit that holds the case, and the street it is in."""
PARTY = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
NEEDS = ("evidence", "note")
GIVEN = frozenset({*NEEDS, "typename"})
"""Names that no choice may have: what a person gives otherwise, and what the engine's own files mean by it."""


@dataclass(frozen=True, slots=True)
class Option:
    """One of a choice's answers."""

    value: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A question with the answers it may have; `name` is what conditions call it."""

    name: str
    zh: str
    en: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a checklist."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Form:
    """One task as a person meets it; `limit_minutes` is None where none is declared."""

    key: str
    name_zh: str
    name_en: str
    party: str
    limit_minutes: int | None
    needs: tuple[str, ...]
    choices: tuple[Choice, ...]
    checklist: tuple[Line, ...]


def read_forms(drawing: Drawing) -> dict[str, Form]:
    """Return the forms of all tasks of a drawing that was checked, by element id."""
    lanes = _lanes(drawing)
    return {node.id: _form(node, lanes) for node in drawing.nodes.values() if node.kind in TASKS}


def form_faults(drawing: Drawing) -> Iterator[Fault]:
    """Give what is wrong with the tasks' forms and with the process's own attributes."""
    yield from _named(drawing.process)
    for name in _words(drawing.process, "data"):
        if NAME.fullmatch(name) is None or name in GIVEN or name in FUNCTIONS:
            yield fault("bad_data", drawing.process.get("id", ""), "process", text=name)
    lanes = _lanes(drawing)
    for node in drawing.nodes.values():
        if node.kind in TASKS:
            yield from _task_faults(node, lanes)


def limitless(drawing: Drawing) -> Iterator[Fault]:
    """Give a warning for each task without a limit."""
    for node in drawing.nodes.values():
        if node.kind in TASKS and not node.element.get(OURS + "limit"):
            yield fault("no_limit", node.id, node.kind)


def given_names(drawing: Drawing) -> frozenset[str]:
    """Return the names of data that come from the case (zs:data) or from a task's choices."""
    chosen = {each.get("name", "") for node in drawing.nodes.values() if node.kind in TASKS for each in _choices(node.element)}
    return frozenset(chosen | set(_words(drawing.process, "data")))


def begin_names(drawing: Drawing) -> frozenset[str]:
    """Return the names of data that come from the case."""
    return frozenset(_words(drawing.process, "data"))


def _form(node: Node, lanes: dict[str, str]) -> Form:
    element = node.element
    limit = read_duration(element.get(OURS + "limit", ""))
    choices = tuple(
        Choice(each.get("name", ""), each.get("zh", ""), each.get("en", ""), tuple(Option(o.get("value", ""), o.get("zh", ""), o.get("en", "")) for o in _options(each)))
        for each in _choices(element)
    )
    return Form(
        node.id,
        element.get("name", "").strip(),
        element.get(OURS + "en", "").strip(),
        _party(node, lanes),
        None if limit is None else max(1, limit // MINUTE),
        tuple(need for need in NEEDS if need in _words(element, "needs")),
        choices,
        tuple(_checklist(element)),
    )


def _task_faults(node: Node, lanes: dict[str, str]) -> Iterator[Fault]:
    element, party = node.element, _party(node, lanes)
    yield from _named(element)
    if not party:
        yield fault("no_party", node.id, node.kind)
    elif PARTY.fullmatch(party) is None:
        yield fault("bad_party", node.id, node.kind, party=party)
    limit = element.get(OURS + "limit")
    if limit is not None and read_duration(limit) is None:
        yield fault("bad_limit", node.id, node.kind, text=limit)
    for need in _words(element, "needs"):
        if need not in NEEDS:
            yield fault("bad_needs", node.id, node.kind, text=need)
    names = [each.get("name", "") for each in _choices(element)]
    for each in _choices(element):
        if not _sound(each) or names.count(each.get("name", "")) > 1:
            yield fault("bad_choice", node.id, node.kind, name=each.get("name", ""))


def _named(element: Element) -> Iterator[Fault]:
    kind = str(element.tag).rpartition("}")[2]
    if not element.get("name", "").strip():
        yield fault("no_name", element.get("id", ""), kind)
    if not element.get(OURS + "en", "").strip():
        yield fault("no_english", element.get("id", ""), kind)


def _sound(choice: Element) -> bool:
    name, options = choice.get("name", ""), _options(choice)
    values = [option.get("value", "") for option in options]
    spoken = all(each.get(word, "").strip() for each in (choice, *options) for word in ("zh", "en"))
    named = NAME.fullmatch(name) is not None and name not in GIVEN and name not in FUNCTIONS
    return named and spoken and len(values) > 1 and all(values) and len(set(values)) == len(values)


def _party(node: Node, lanes: dict[str, str]) -> str:
    return str(node.element.get(OURS + "party", "") or lanes.get(node.id, "")).strip()


def _lanes(drawing: Drawing) -> dict[str, str]:
    """Return the party of each node that stands in a lane: the lane's zs:party, else its name where that is a unit's code."""
    parties = {}
    for lane in drawing.process.iter(f"{BPMN}lane"):
        name = lane.get("name", "").strip()
        party = lane.get(OURS + "party", "").strip() or (name if PARTY.fullmatch(name) else "")
        parties.update({(ref.text or "").strip(): party for ref in lane.findall(f"{BPMN}flowNodeRef") if party})
    return parties


def _words(element: Element, name: str) -> list[str]:
    return str(element.get(OURS + name, "")).split()


def _choices(element: Element) -> list[Element]:
    return list(element.findall(f"{BPMN}extensionElements/{OURS}choice"))


def _options(choice: Element) -> list[Element]:
    return list(choice.findall(f"{OURS}option"))


def _checklist(element: Element) -> Iterator[Line]:
    """Give the lines of a task's documentation that are written `zh | en`."""
    for text in element.findall(f"{BPMN}documentation"):
        for line in (text.text or "").splitlines():
            zh, bar, en = line.partition("|")
            if bar and zh.strip() and en.strip():
                yield Line(zh.strip(), en.strip())
