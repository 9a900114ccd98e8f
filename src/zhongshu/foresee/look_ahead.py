"""The main path of a run: change → step all engines → observe → what bears on what → set before the next step. Every exchange is kept.

Engines of one macro step know of each other only what was observed at its beginning: a delay of one step, the same for all, so that their order makes no difference.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np

from zhongshu.foresee.scenario import HOLDS, Coupling, Scenario, canonical, parted
from zhongshu.kernel.clock import SECOND, parse_duration
from zhongshu.kernel.simulator import Outputs, Simulator

Given = dict[str, dict[str, float]]
"""Attribute → object → value."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One line of the log: at `at` (µs since the start) an object was set, by a change or a rule, because of these objects and what they were at."""

    at: int
    by: str
    role: str
    what: str
    object: str
    value: float
    because: tuple[tuple[str, float], ...] = ()


@dataclass(slots=True)
class Told:
    """What a run came to: its exchanges, and of what is watched the sum, mean and greatest after every step."""

    exchanges: list[Exchange] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    watched: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    last: dict[str, Outputs] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """A coupling with the objects it joins: whom each bears on, and for each of those who bears on it."""

    row: Coupling
    bound: float
    bears: Mapping[str, list[str]]


class LookAhead:
    """One run of a scenario over simulators that have loaded its models."""

    def __init__(self, scenario: Scenario, simulators: Mapping[str, Simulator], objects: Mapping[str, Mapping[str, tuple[str, ...]]], rules: list[Rule]) -> None:
        """Take the engines by role, their objects by kind, and the rules with what they join."""
        self.scenario, self.simulators, self.objects, self.rules = scenario, simulators, objects, rules
        self._place = {role: {kind: {name: i for i, name in enumerate(names)} for kind, names in held.items()} for role, held in objects.items()}
        self._set: dict[tuple[str, str, str], float] = {}
        """What rules have set, by role, attribute and object."""
        self.told = Told(watched={what: {"sum": [], "mean": [], "most": []} for what in scenario.watch})

    def run(self, tell: Callable[[int, int], object], stopped: Callable[[], bool] = lambda: False) -> Told:
        """Run to the end, telling after each macro step how far it is (µs of µs); or until it is stopped."""
        scenario, told = self.scenario, self.told
        end, at = round(scenario.hours * 3600) * SECOND, 0
        told.last = {role: simulator.outputs() for role, simulator in self.simulators.items()}
        with ThreadPoolExecutor(len(self.simulators)) as pool:
            while at < end and not stopped():
                given = self._changes(at)
                self._couple(at, given)
                until = min(at + scenario.macro, end)
                roles = list(self.simulators)
                told.last = dict(zip(roles, pool.map(self._step, roles, [given.get(role, {}) for role in roles], repeat(until)), strict=True))
                at = until
                told.times.append(at)
                self._watch()
                tell(at, end)
        return told

    def _step(self, role: str, given: Given, until: int) -> Outputs:
        simulator = self.simulators[role]
        if given:
            simulator.set_inputs(given)
        simulator.step(until)
        return simulator.outputs()

    def _changes(self, at: int) -> dict[str, Given]:
        """Return what the scenario changes in the step that begins at a time."""
        out: dict[str, Given] = {}
        for row in self.scenario.change:
            begin, until = parse_duration(row.begin), parse_duration(row.until) if row.until else None
            for moment, value in ((begin, row.value), (until, row.after)):
                if moment is None or not at - self.scenario.macro < moment <= at:
                    continue
                role, what = parted(row.what)
                unit = self.simulators[role].inputs[what]
                for name in self.objects[role][what.partition(".")[0]] if row.of == "*" else row.of:
                    self._give(out, Exchange(at, "change", role, what, name, canonical(value, row.unit, unit)))
        return out

    def _couple(self, at: int, out: dict[str, Given]) -> None:
        """Add what the rules set, by what was observed last; what is set already and stays is not said again."""
        for rule in self.rules:
            row, (role, what), (other, target) = rule.row, parted(rule.row.what), parted(rule.row.target)
            values, place, holds = self.told.last[role][what], self._place[role][what.partition(".")[0]], HOLDS[row.op]
            because: dict[str, list[tuple[str, float]]] = {name: [] for names in rule.bears.values() for name in names}
            for name, names in rule.bears.items():
                if holds(value := float(values[place[name]]), rule.bound):
                    for each in names:
                        because[each].append((name, value))
            for name, held in because.items():
                key = (other, target, name)
                if held and self._set.get(key) != row.then:
                    self._set[key] = row.then
                    self._give(out, Exchange(at, row.name, other, target, name, row.then, tuple(held)))
                elif not held and row.otherwise is not None and self._set.get(key) == row.then:
                    del self._set[key]
                    self._give(out, Exchange(at, row.name, other, target, name, row.otherwise))

    def _give(self, out: dict[str, Given], exchange: Exchange) -> None:
        out.setdefault(exchange.role, {}).setdefault(exchange.what, {})[exchange.object] = exchange.value
        self.told.exchanges.append(exchange)

    def _watch(self) -> None:
        for what, kept in self.told.watched.items():
            role, attribute = parted(what)
            values = self.told.last[role][attribute]
            for name, reckon in (("sum", np.sum), ("mean", np.mean), ("most", np.max)):
                kept[name].append(float(reckon(values)) if len(values) else 0.0)


def replay(told: Told, role: str, simulator: Simulator) -> Outputs:
    """Run one engine of a run alone, given what the log says it was given: it comes to the same."""
    at: int = 0
    for until in told.times:
        given: Given = {}
        for exchange in told.exchanges:
            if exchange.at == at and exchange.role == role:
                given.setdefault(exchange.what, {})[exchange.object] = exchange.value
        if given:
            simulator.set_inputs(given)
        simulator.step(until)
        at = until
    return simulator.outputs()


def shown(told: Told) -> dict[str, Any]:
    """Return a run as a plain document; times in seconds since its start."""
    return {
        "seconds": [at // SECOND for at in told.times],
        "watched": told.watched,
        "exchanges": [
            {"second": e.at // SECOND, "by": e.by, "model": e.role, "set": e.what, "object": e.object, "value": e.value, "because": [list(each) for each in e.because]}
            for e in told.exchanges
        ],
    }
