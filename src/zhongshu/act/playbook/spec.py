"""A checked drawing as the engine's own specification: parsed by SpiffWorkflow, its timers on the city's clock, its scripts by our evaluator only."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from lxml import etree
from SpiffWorkflow.bpmn.parser.BpmnParser import BpmnParser
from SpiffWorkflow.bpmn.parser.ValidationException import ValidationException
from SpiffWorkflow.bpmn.script_engine import PythonScriptEngine
from SpiffWorkflow.bpmn.script_engine.python_environment import BasePythonScriptEngineEnvironment
from SpiffWorkflow.exceptions import SpiffWorkflowException

from zhongshu.act.playbook.drawing import BPMN, Drawing, Element, is_bpmn
from zhongshu.act.playbook.evaluate import Data, evaluate, execute, refused
from zhongshu.act.playbook.fault import Fault, fault
from zhongshu.act.playbook.timer import on_the_city_s_clock
from zhongshu.kernel.reason import why


@dataclass(frozen=True, slots=True)
class Spec:
    """The specification of a process and of its sub-processes."""

    process: Any
    inner: dict[str, Any]


class Environment(BasePythonScriptEngineEnvironment):  # type: ignore[misc]  # the library has no types
    """Where expressions and scripts find their data: one for the whole playbook, so that branches see each other's answers."""

    def __init__(self, data: Data) -> None:
        """Begin with data of one's own."""
        super().__init__()
        self.data = data

    def evaluate(self, expression: str, context: Any, external_context: Any = None) -> Any:  # noqa: ANN401, ARG002 (the library's form)
        """Return an expression's value by the allow-list."""
        return evaluate(expression, self.data)

    def execute(self, script: str, context: Any, external_context: Any = None) -> bool:  # noqa: ANN401, ARG002 (as above)
        """Do a script's assignments by the allow-list."""
        self.data = execute(script, self.data)
        return True

    def call_service(self, context: Any, **_: Any) -> Any:  # noqa: ANN401 (as above)
        """Refuse: a playbook calls nothing."""
        raise NotImplementedError


class Scripts(PythonScriptEngine):  # type: ignore[misc]  # the library has no types
    """The engine of a playbook's scripts and its clock; the library's own environment, which executes Python, is never made."""

    def __init__(self, data: Data, now: int) -> None:
        """Begin with data and the city's time (µs of UTC)."""
        super().__init__(Environment(data))
        self.now = now

    def evaluate(self, task: Any, expression: str, external_context: Any = None) -> Any:  # noqa: ANN401, ARG002 (the library's form)
        """Return an expression's value. Raises `Refusal`."""
        return self.environment.evaluate(expression, None)

    def execute(self, task: Any, script: str, external_context: Any = None) -> bool:  # noqa: ANN401, ARG002 (the library's form)
        """Do a script's assignments. Raises `Refusal`."""
        return bool(self.environment.execute(script, None))

    def call_service(self, task: Any, **_: Any) -> Any:  # noqa: ANN401 (as above)
        """Refuse: a playbook calls nothing."""
        raise NotImplementedError

    def validate(self, expression: str) -> None:
        """Raise the `Refusal` of what the allow-list does not hold."""
        if refusal := refused(expression):
            raise refusal


def build(drawing: Drawing) -> Spec:
    """Return the specification. Raises the library's errors where it does not accept the drawing."""
    parser = BpmnParser()
    parser.add_bpmn_xml(_bare(drawing))
    name = drawing.process.get("id")
    spec = Spec(parser.get_spec(name), parser.get_subprocess_specs(name))
    for each in (spec.process, *spec.inner.values()):
        for task in each.task_specs.values():
            _set_clock(task)
    return spec


def engine_fault(drawing: Drawing) -> Fault | None:
    """Return what the engine itself has against a drawing in which we found nothing wrong."""
    try:
        build(drawing)
    except ValidationException as error:
        told = why(str(error).partition("\n")[0])
        return fault("engine", getattr(error, "id", "") or "", getattr(error, "tag", "") or "", **told)
    except (SpiffWorkflowException, etree.LxmlError, RecursionError, LookupError, TypeError, ValueError, AttributeError, NotImplementedError, AssertionError) as error:
        return fault("engine", drawing.process.get("id", ""), "process", **why(error))
    return None


def _bare(drawing: Drawing) -> Element:
    """Return a copy of the file that holds what is to be run and its drawing only: nothing foreign that the engine's searches could mistake for BPMN."""
    root = deepcopy(drawing.root)
    for element in [*root.iter(f"{BPMN}extensionElements"), *root.iter(f"{BPMN}documentation")]:
        element.getparent().remove(element)
    for process in root.findall(f"{BPMN}process"):
        if process.get("id") != drawing.process.get("id"):
            root.remove(process)
            continue
        for element in [each for each in process.iter() if not is_bpmn(each)]:
            if element.getparent() is not None:
                element.getparent().remove(element)
    for element in [each for each in root if not is_bpmn(each)]:
        root.remove(element)
    return root


def _set_clock(task: Any) -> None:  # noqa: ANN401 (the library has no types)
    definition = getattr(task, "event_definition", None)
    if definition is not None:
        task.event_definition = on_the_city_s_clock(definition)
