"""A playbook carried out: begun, its open tasks, a task done, a timer fired, a signal given; each a new state from the old one.

Pure: no store, no wall clock; the city's time comes with every call. Knows playbooks and their states; never a case, a unit or a person.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from SpiffWorkflow.bpmn import BpmnEvent
from SpiffWorkflow.bpmn.specs.event_definitions import SignalEventDefinition
from SpiffWorkflow.exceptions import SpiffWorkflowException
from SpiffWorkflow.task import TaskState

from zhongshu.act.playbook import state as kept
from zhongshu.act.playbook.drawing import OURS, Drawing, canonical, version_of
from zhongshu.act.playbook.evaluate import Data, Refusal
from zhongshu.act.playbook.fault import fault
from zhongshu.act.playbook.form import Choice, Form, Line, begin_names, read_forms
from zhongshu.act.playbook.lint import examine
from zhongshu.act.playbook.refusals import BAD_DATA, LACKING, NO_SIGNAL, NOT_OPEN, OTHER_VERSION, REFUSED, STUCK, TOO_LONG
from zhongshu.act.playbook.spec import Scripts, Spec, build
from zhongshu.act.playbook.state import State
from zhongshu.act.playbook.timer import due_of
from zhongshu.act.playbook.way import waits
from zhongshu.kernel.clock import MINUTE
from zhongshu.kernel.reason import why

MOST_STEPS, MOST_TASKS, LARGEST_DATA = 2000, 3000, 20_000
"""How much one call may do, how long one playbook may become, and how many characters of JSON it may know."""
DONE, CURRENT, NEXT = "done", "current", "next"


@dataclass(frozen=True, slots=True)
class Playbook:
    """A playbook that can be run; `version` is the SHA-256 of `source`, its canonical bytes, from which `read` makes the same one again."""

    version: str
    key: str
    name_zh: str
    name_en: str
    parties: tuple[str, ...]
    given: frozenset[str]
    forms: dict[str, Form] = field(repr=False)
    source: bytes = field(repr=False)
    drawing: Drawing = field(repr=False, compare=False)
    spec: Spec = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Task:
    """An open task: `id` stays the same as long as it is open, `key` is its element in the drawing; `since` and `due` are µs of UTC, `due` None without a limit."""

    id: str
    key: str
    name_zh: str
    name_en: str
    party: str
    since: int
    due: int | None
    limit_minutes: int | None
    needs: tuple[str, ...]
    choices: tuple[Choice, ...]
    checklist: tuple[Line, ...]


@dataclass(slots=True)
class _Run:
    """One playbook brought back for one call."""

    playbook: Playbook
    workflow: Any
    scripts: Scripts
    steps: int = 0

    def state(self) -> State:
        if len(self.workflow.tasks) > MOST_TASKS:
            raise TOO_LONG(limit=MOST_TASKS)
        return kept.write(self.playbook.version, self.workflow, self.scripts)


def read(raw: bytes) -> Playbook:
    """Return the playbook of a BPMN file. Raises `playbook.refused`, whose particular `faults` holds every `Fault`."""
    examined = examine(raw)
    drawing = examined.drawing
    if examined.faults or drawing is None:
        faults = examined.faults or (fault("not_bpmn"),)
        first = faults[0]
        raise REFUSED(faults=faults, count=len(faults), at=first.element_id or first.element, first_zh=first.reason_zh.rstrip("。"), first_en=first.reason_en.rstrip("."))
    source, forms, process = canonical(drawing.root), read_forms(drawing), drawing.process
    parties = tuple(sorted({form.party for form in forms.values()}))
    names = process.get("name", "").strip(), process.get(OURS + "en", "").strip()
    return Playbook(version_of(source), process.get("id"), *names, parties, begin_names(drawing), forms, source, drawing, build(drawing))


def begin(playbook: Playbook, data: Data, *, now: int) -> State:
    """Return the state of a playbook that begins at `now` (µs of UTC), with those of the data that its zs:data names."""
    held = {name: data[name] for name in sorted(playbook.given) if name in data}
    try:
        fits = len(json.dumps(held, allow_nan=False)) <= LARGEST_DATA
    except (TypeError, ValueError, RecursionError):
        fits = False
    if not fits:
        raise BAD_DATA(limit=LARGEST_DATA)
    run = _Run(playbook, *kept.set_out(playbook.spec, json.loads(json.dumps(held)), now))
    _settle(run)
    return run.state()


def tasks(playbook: Playbook, state: State) -> tuple[Task, ...]:
    """Return the tasks that are open, oldest first."""
    run = _open(playbook, state)
    found = [_task(playbook.forms[task.task_spec.bpmn_id], task) for task in _ready(run)]
    return tuple(sorted(found, key=lambda task: (task.since, task.key, task.id)))


def done(playbook: Playbook, state: State, task_id: str, data: Data, *, now: int) -> State:
    """Return the state after an open task was done; `data` holds evidence, note and the choices' values that the task asks for.

    Timers that fell due before `now` fire first. Raises playbook.not_open, playbook.lacking, playbook.stuck.
    """
    run = _open(playbook, state)
    _advance(run, now)
    task = next((task for task in _ready(run) if str(task.id) == task_id), None)
    if task is None:
        raise NOT_OPEN(task=task_id)
    form = playbook.forms[task.task_spec.bpmn_id]
    _check_given(form, data)
    run.scripts.environment.data.update({choice.name: data[choice.name] for choice in form.choices})
    _engine(run, task.run)
    _settle(run)
    return run.state()


def due(playbook: Playbook, state: State) -> int | None:
    """Return when the earliest timer falls due (µs of UTC), None if none is waiting. Limits of tasks are no timers."""
    return _earliest(_open(playbook, state))


def tick(playbook: Playbook, state: State, now: int) -> State:
    """Return the state at `now`: every timer due by then has fired, each at its own time and in order, however late the call comes."""
    run = _open(playbook, state)
    _advance(run, now)
    return run.state()


def signals(playbook: Playbook, state: State) -> tuple[str, ...]:
    """Return the names of the signals that are waited for."""
    return tuple(sorted(_signals(_open(playbook, state))))


def signal(playbook: Playbook, state: State, name: str, *, now: int) -> State:
    """Return the state after a signal was given. Raises playbook.no_signal if nothing waits for it."""
    run = _open(playbook, state)
    _advance(run, now)
    if name not in _signals(run):
        raise NO_SIGNAL(name=name)
    _engine(run, lambda: run.workflow.send_event(BpmnEvent(SignalEventDefinition(name))))
    _settle(run)
    return run.state()


def finished(state: State) -> bool:
    """Say whether a playbook has come to its end."""
    return bool(kept.peek(state)["finished"])


def picture(playbook: Playbook, state: State) -> dict[str, str]:
    """Return what is done, current and next, by element id; what was not come to is left out."""
    run, told = _open(playbook, state), dict[str, str]()
    for task in run.workflow.get_tasks():
        key, node = task.task_spec.bpmn_id, playbook.drawing.nodes.get(task.task_spec.bpmn_id or "")
        if node is None:
            continue
        if task.has_state(TaskState.READY | TaskState.STARTED | TaskState.WAITING) and (waits(node) or node.kind == "subProcess") and node.kind != "boundaryEvent":
            told[key] = CURRENT
        elif task.has_state(TaskState.COMPLETED):
            told.setdefault(key, DONE)
    for key in [key for key, word in told.items() if word == CURRENT]:
        _mark_next(playbook.drawing, key, told)
    return told


def _mark_next(drawing: Drawing, key: str, told: dict[str, str]) -> None:
    """Mark what follows a node, through gateways and scripts up to where someone or something is waited for."""
    following = [flow.target for flow in drawing.out_of(key)]
    while following:
        id_ = following.pop()
        if told.get(id_) in {CURRENT, NEXT}:
            continue
        told[id_] = NEXT
        if not waits(drawing.nodes[id_]):
            following += [flow.target for flow in drawing.out_of(id_)]


# the engine


def _open(playbook: Playbook, state: State) -> _Run:
    told = kept.peek(state)
    if told["version"] != playbook.version:
        raise OTHER_VERSION(began=told["version"][:12], given=playbook.version[:12])
    return _Run(playbook, *kept.bring_back(told, playbook.spec))


def _ready(run: _Run) -> list[Any]:
    return [task for task in run.workflow.get_tasks(state=TaskState.READY) if task.task_spec.manual]


def _task(form: Form, task: Any) -> Task:  # noqa: ANN401 (the library has no types)
    since = int(task.internal_data["since"])
    until = None if form.limit_minutes is None else since + form.limit_minutes * MINUTE
    return Task(str(task.id), form.key, form.name_zh, form.name_en, form.party, since, until, form.limit_minutes, form.needs, form.choices, form.checklist)


def _check_given(form: Form, data: Data) -> None:
    lacking = [need for need in form.needs if not data.get(need)]
    lacking += [choice.name for choice in form.choices if data.get(choice.name) not in [option.value for option in choice.options]]
    if lacking:
        raise LACKING(name_zh=form.name_zh, name_en=form.name_en, what=", ".join(lacking))


def _signals(run: _Run) -> set[str]:
    return {str(task.task_spec.event_definition.name) for task in run.workflow.event_manager.tasks.values() if isinstance(task.task_spec.event_definition, SignalEventDefinition)}


def _earliest(run: _Run) -> int | None:
    return min((at for task in run.workflow.event_manager.tasks.values() if (at := due_of(task)) is not None), default=None)


def _advance(run: _Run, now: int) -> None:
    """Let the timers due by `now` fire one after the other, each at its own time; the playbook's clock never goes back."""
    while (at := _earliest(run)) is not None and at <= now:
        run.scripts.now = max(run.scripts.now, at)
        _count(run)
        _engine(run, run.workflow.refresh_timers)
        _settle(run)
    run.scripts.now = max(run.scripts.now, now)


def _settle(run: _Run) -> None:
    """Go on until only people, timers and signals are waited for."""
    while True:
        _engine(run, lambda: run.workflow.do_engine_steps(will_complete_task=lambda _: _count(run)))
        if all(task.task_spec.manual for task in run.workflow.get_tasks(state=TaskState.READY)):
            break
    for task in _ready(run):
        task.internal_data.setdefault("since", run.scripts.now)
    if not run.workflow.completed and not _ready(run) and not run.workflow.event_manager.tasks:
        raise STUCK(why_zh="没有任何任务、定时或信号可等，却还没有结束", why_en="it waits for no task, timer or signal, and has not ended")


def _count(run: _Run) -> None:
    run.steps += 1
    if run.steps > MOST_STEPS or len(run.workflow.tasks) > MOST_TASKS:
        raise TOO_LONG(limit=MOST_STEPS)


def _engine(run: _Run, work: Any) -> None:  # noqa: ANN401 (a call without arguments)
    """Let the engine work; what it cannot do is told as a problem, and the old state stands."""
    try:
        work()
    except Refusal as refusal:
        raise STUCK(why_zh=refusal.zh, why_en=refusal.en) from None
    except (SpiffWorkflowException, RecursionError, LookupError, TypeError, ValueError, AttributeError) as error:  # a library's slip is no reason to lose a case
        told = "网关的条件都不成立，又没有默认路径" if "No conditions satisfied" in str(error) else "引擎走不下去"
        raise STUCK(**why(error, told)) from None
    _count(run)
