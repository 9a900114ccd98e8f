"""How far a playbook has come, as text: the engine's tree of tasks without its specification, and the engine brought back from it.

The library would write the specification into every state and bring a workflow back with a script engine that executes Python; both are replaced here.
"""

import json
from typing import Any, NewType
from uuid import UUID

from SpiffWorkflow.bpmn import BpmnWorkflow
from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.serializer.config import DEFAULT_CONFIG
from SpiffWorkflow.bpmn.serializer.default.workflow import BpmnSubWorkflowConverter, BpmnWorkflowConverter, TaskConverter, WorkflowConverter
from SpiffWorkflow.bpmn.util.subworkflow import BpmnSubWorkflow
from SpiffWorkflow.task import Task as EngineTask

from zhongshu.act.playbook.evaluate import Data
from zhongshu.act.playbook.spec import Scripts, Spec

State = NewType("State", str)
"""Where one playbook of one case stands: JSON text, without the playbook's specification, which is kept once by its version."""


class TreeConverter(BpmnWorkflowConverter):  # type: ignore[misc]  # the library has no types
    """A workflow without its specification."""

    def to_dict(self, workflow: Any) -> dict[str, Any]:  # noqa: ANN401 (as above)
        """Return its tree and those of its sub-processes."""
        tree: dict[str, Any] = WorkflowConverter.to_dict(self, workflow)
        return {**tree, "subprocesses": self.mapping_to_dict(workflow.subprocesses)}

    def from_dict(self, dct: dict[str, Any], spec: Spec, scripts: Scripts) -> Any:  # noqa: ANN401 (as above)
        """Bring it back on a specification and with a script engine of ours."""
        workflow = BpmnWorkflow(spec.process, spec.inner, script_engine=scripts, deserializing=True)
        workflow.tasks = self.mapping_from_dict(dct["tasks"], UUID, workflow=workflow)
        workflow.task_tree = workflow.tasks[UUID(dct["root"])]
        self.set_default_attributes(workflow, dct)
        self.subprocesses_from_dict(dct["subprocesses"], workflow)
        return workflow


_CONVERTERS = {BpmnWorkflow: TreeConverter, BpmnSubWorkflow: BpmnSubWorkflowConverter, EngineTask: TaskConverter}
_REGISTRY = BpmnWorkflowSerializer.configure({kind: _CONVERTERS[kind] for kind in DEFAULT_CONFIG if kind in _CONVERTERS})


def write(version: str, workflow: Any, scripts: Scripts) -> State:  # noqa: ANN401 (the library has no types)
    """Return the state of a workflow that runs a playbook of this version."""
    workflow.get_events()  # what was thrown and nobody caught is no part of the state
    told = {
        "version": version,
        "now": scripts.now,
        "finished": bool(workflow.completed),
        "data": scripts.environment.data,
        "tree": _REGISTRY.convert(workflow),
    }
    return State(json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":")))


def peek(state: State) -> dict[str, Any]:
    """Return what a state tells of itself: version, now (µs of UTC), finished, data, and the engine's tree."""
    told: dict[str, Any] = json.loads(state)
    return told


def bring_back(told: dict[str, Any], spec: Spec) -> tuple[Any, Scripts]:
    """Return the workflow that a state tells of, and its script engine."""
    data: Data = told["data"]
    scripts = Scripts(data, told["now"])
    return _REGISTRY.restore(told["tree"], spec=spec, scripts=scripts), scripts


def set_out(spec: Spec, data: Data, now: int) -> tuple[Any, Scripts]:
    """Return a workflow that stands at its beginning, and its script engine."""
    scripts = Scripts(data, now)
    return BpmnWorkflow(spec.process, spec.inner, script_engine=scripts), scripts
