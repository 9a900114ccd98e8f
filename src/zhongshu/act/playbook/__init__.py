"""Playbooks (联动规程): what several parties do in parallel inside handling a case, drawn in BPMN 2.0.

`read` takes a file in or refuses it with every fault; `begin`, `done`, `tick` and `signal` each make a new state, which is text for the case to keep.
Pure: no store, no HTTP, no wall clock.
"""

from zhongshu.act.playbook.engine import Playbook, Task, begin, done, due, finished, picture, read, signal, signals, tasks, tick
from zhongshu.act.playbook.fault import Fault
from zhongshu.act.playbook.form import HOLDER, STREET, Choice, Form, Line, Option
from zhongshu.act.playbook.lint import Examined, check, examine
from zhongshu.act.playbook.state import State

__all__ = [
    "HOLDER",
    "STREET",
    "Choice",
    "Examined",
    "Fault",
    "Form",
    "Line",
    "Option",
    "Playbook",
    "State",
    "Task",
    "begin",
    "check",
    "done",
    "due",
    "examine",
    "finished",
    "picture",
    "read",
    "signal",
    "signals",
    "tasks",
    "tick",
]
