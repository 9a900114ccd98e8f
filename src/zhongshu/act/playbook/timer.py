"""Timers of a playbook: ISO 8601 texts as whole microseconds, and the engine's timer events counted on a clock that is handed in.

SpiffWorkflow's own definitions take `datetime.now` and evaluate the text as an expression. The three definitions here take the place of them in a parsed
playbook: they read the literal text, and the time from the script engine of the workflow they stand in. Nothing of the library is patched.
"""

import re
from dataclasses import dataclass
from typing import Any

from SpiffWorkflow.bpmn.specs.event_definitions import CycleTimerEventDefinition, DurationTimerEventDefinition, TimeDateEventDefinition
from SpiffWorkflow.bpmn.specs.event_definitions.timer import TimerEventDefinition

from zhongshu.kernel.clock import DAY, HOUR, MINUTE, SECOND, parse_time
from zhongshu.kernel.problem import Problem

LONGEST = 366 * DAY
MOST_TURNS = 100
_DURATION = re.compile(r"P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?=\d)(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?")
_CYCLE = re.compile(r"R(\d{1,3})/(P.+)")
_PARTS = (7 * DAY, DAY, HOUR, MINUTE, SECOND)


@dataclass(frozen=True, slots=True)
class Cycle:
    """`turns` times, `every` µs apart; the first comes `every` after it begins."""

    turns: int
    every: int


def read_duration(text: str) -> int | None:
    """Read weeks, days, hours, minutes and seconds of ISO 8601 into µs, above 0 and up to a year; None if it is none."""
    match = _DURATION.fullmatch(text.strip())
    total = sum(int(n) * part for n, part in zip(match.groups(), _PARTS, strict=True) if n) if match else 0
    return total if 0 < total <= LONGEST else None


def read_date(text: str) -> int | None:
    """Read a moment with its offset from UTC into µs; None if it is none."""
    try:
        return parse_time(text.strip())
    except Problem:
        return None


def read_cycle(text: str) -> Cycle | None:
    """Read `R<turns>/<duration>`, a minute or longer and at most 100 turns; None if it is none."""
    match = _CYCLE.fullmatch(text.strip())
    every = read_duration(match[2]) if match else None
    fits = match is not None and every is not None and every >= MINUTE and 0 < int(match[1]) <= MOST_TURNS
    return Cycle(int(match[1]), every) if fits and match and every else None


READERS = {"timeDate": read_date, "timeDuration": read_duration, "timeCycle": read_cycle}
"""How each kind of timer text is read, by its element."""


def due_of(task: Any) -> int | None:  # noqa: ANN401 (the library has no types)
    """Return when a waiting task's timer falls due (µs of UTC); None if it has none."""
    if not isinstance(task.task_spec.event_definition, TimerEventDefinition):
        return None
    due = task.internal_data.get("due")
    return int(due) if due is not None else None


def on_the_city_s_clock(definition: Any) -> Any:  # noqa: ANN401 (the library has no types)
    """Return the definition that takes the place of one of the library's timers; any other as it is."""
    for kind in (CityDate, CityDuration, CityCycle):
        if isinstance(definition, kind.__mro__[1]):
            return kind(definition.name, definition.expression, description=definition.description)
    return definition


def _now(task: Any) -> int:  # noqa: ANN401 (the library has no types)
    return int(task.workflow.top_workflow.script_engine.now)


def _fires(task: Any, due: int) -> bool:  # noqa: ANN401 (the library has no types)
    task._set_internal_data(due=due)  # noqa: SLF001 (the library's own way for event definitions)
    if due <= _now(task):
        task._set_internal_data(event_fired=True)  # noqa: SLF001 (as above)
    return bool(task._get_internal_data("event_fired", False))  # noqa: SLF001, FBT003 (as above)


class CityDate(TimeDateEventDefinition):  # type: ignore[misc]  # the library has no types
    """Fires at a moment."""

    def has_fired(self, my_task: Any) -> bool:  # noqa: ANN401 (as above)
        """Say whether the moment has come."""
        return _fires(my_task, read_date(self.expression) or 0)


class CityDuration(DurationTimerEventDefinition):  # type: ignore[misc]  # the library has no types
    """Fires a while after the playbook came to it."""

    def has_fired(self, my_task: Any) -> bool:  # noqa: ANN401 (as above)
        """Say whether the while is over."""
        due = my_task.internal_data.get("due")
        return _fires(my_task, _now(my_task) + (read_duration(self.expression) or 0) if due is None else due)


class CityCycle(CycleTimerEventDefinition):  # type: ignore[misc]  # the library has no types
    """Fires again and again, each time after a while."""

    def cycle_complete(self, my_task: Any) -> bool:  # noqa: ANN401 (as above)
        """Say whether another turn has come, and count it."""
        cycle = read_cycle(self.expression) or Cycle(1, MINUTE)
        left = my_task.internal_data.get("left", cycle.turns)
        due = my_task.internal_data.get("due", _now(my_task) + cycle.every)
        ready = left > 0 and due <= _now(my_task)
        left, due = (left - 1, due + cycle.every) if ready else (left, due)
        my_task._set_internal_data(left=left, due=due if left else None)  # noqa: SLF001 (the library's own way)
        return bool(ready)
