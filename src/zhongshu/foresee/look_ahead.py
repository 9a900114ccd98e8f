"""The main path of a run: change → step all engines → observe → what bears on what → set before the next step. Every exchange is kept.

Engines of one macro step know of each other only what was observed at its beginning: a delay of one step, the same for all, so that their order makes no difference.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np

from zhongshu.foresee.scenario import HOLDS, Change, Coupling, Scenario, canonical, parted
from zhongshu.kernel.clock import SECOND, parse_duration
from zhongshu.kernel.simulator import Outputs, Simulator

Given = dict[str, dict[str, float]]
"""Attribute → object → value."""
Target = tuple[str, str, str]
"""Role, attribute, object."""
Move = tuple[Target, str, float, tuple[tuple[str, float], ...]]
"""What is set, by whom, to what, and because of which objects and what they were at."""
Record = Callable[[int], Mapping[Target, float]]
See = Callable[[int, Mapping[str, Outputs]], object]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One line of the log: at `at` (µs since the engines began) an object was set, by the record, a change or a rule, because of these objects and what they were at."""

    at: int
    by: str
    role: str
    what: str
    object: str
    value: float
    because: tuple[tuple[str, float], ...] = ()


@dataclass(slots=True)
class Told:
    """What a run came to: its exchanges, and of what is watched the sum, mean and greatest after every step. Now is `spin` µs after the engines began."""

    spin: int = 0
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
    """One run of a scenario over simulators that have loaded its models, which stand where its spin-up begins."""

    def __init__(
        self, scenario: Scenario, simulators: Mapping[str, Simulator], objects: Mapping[str, Mapping[str, tuple[str, ...]]], rules: list[Rule], looked: Iterable[str] = ()
    ) -> None:
        """Take the engines by role, their objects by kind, the rules with what they join, and what else is looked at after every step (`role:kind.attribute`)."""
        self.scenario, self.simulators, self.objects, self.rules = scenario, simulators, objects, rules
        self._place = {role: {kind: {name: i for i, name in enumerate(names)} for kind, names in held.items()} for role, held in objects.items()}
        self._wanted: dict[str, set[str]] = {role: set() for role in simulators}
        for role, attribute in map(parted, [*scenario.watch, *looked, *(rule.row.what for rule in rules)]):
            self._wanted[role].add(attribute)
        self._grip = _Grip()
        self._added: list[tuple[int, Change]] = []
        """Changes that came while it runs, each with the time from which it counts."""
        self.told = Told(spin=scenario.spin, watched={what: {"sum": [], "mean": [], "most": []} for what in scenario.watch})

    def run(self, tell: Callable[[int, int], object], stopped: Callable[[], bool] = lambda: False, record: Record | None = None, see: See | None = None) -> Told:
        """Run to the end, telling after each macro step how far it is (µs of µs, the spin-up included); or until it is stopped.

        `record`: what the record says of a step that begins at a time (µs since now: below 0 in the spin-up); `see`: is shown every state from now on.
        """
        told, spin = self.told, self.scenario.spin
        end, at = spin + round(self.scenario.hours * 3600) * SECOND, 0
        told.last = {role: self._seen(role) for role in self.simulators}
        with ThreadPoolExecutor(len(self.simulators)) as pool:
            while at < end and not stopped():
                given: dict[str, Given] = {}
                if record is not None:
                    self._set(given, at, self._grip.drive(record(at - spin)))
                self._changes(at, given)
                self._couple(at, given)
                until = min(at + self.scenario.macro, end if at >= spin else spin)
                roles = list(self.simulators)
                told.last = dict(zip(roles, pool.map(self._step, roles, [given.get(role, {}) for role in roles], repeat(until)), strict=True))
                at = until
                told.times.append(at)
                self._watch()
                if see is not None and at >= spin:
                    see(at - spin, told.last)
                tell(at, end)
        told.last = {role: simulator.outputs() for role, simulator in self.simulators.items()}
        return told

    def _seen(self, role: str) -> Outputs:
        """Return what is looked at of a role's state; all of it costs a call for each value in some engines."""
        return self.simulators[role].outputs(self._wanted[role]) if self._wanted[role] else {}

    def alter(self, change: Change) -> None:
        """Add a change to a run that goes on, from any thread; its times count from the step that begins next."""
        self._added.append(((self.told.times[-1] if self.told.times else 0) + self.scenario.macro, change))

    def _step(self, role: str, given: Given, until: int) -> Outputs:
        simulator = self.simulators[role]
        if given:
            simulator.set_inputs(given)
        simulator.step(until)
        return self._seen(role)

    def _changes(self, at: int, out: dict[str, Given]) -> None:
        """Let what the scenario changes take hold, and let go of what ends, in the step that begins at a time."""
        for number, (zero, row) in enumerate([*((self.scenario.spin, row) for row in self.scenario.change), *self._added]):
            since = at - zero
            begin, until = parse_duration(row.begin), parse_duration(row.until) if row.until else None
            role, what = parted(row.what)
            unit, who = self.simulators[role].inputs[what], f"change {number}"
            targets = [(role, what, name) for name in (self.objects[role][what.partition(".")[0]] if row.of == "*" else row.of)]
            if since - self.scenario.macro < begin <= since:
                self._set(out, at, [self._grip.hold(target, who, "change", canonical(row.value, row.unit, unit)) for target in targets])
            if until is not None and since - self.scenario.macro < until <= since:
                self._set(out, at, [self._grip.release(target, who, "change", canonical(row.after, row.unit, unit)) for target in targets])

    def _couple(self, at: int, out: dict[str, Given]) -> None:
        """Let the rules take hold or let go, by what was observed last; what holds already and stays is not said again."""
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
                if held:
                    self._set(out, at, [self._grip.hold(key, row.name, row.name, row.then, tuple(held))])
                elif row.otherwise is not None:
                    self._set(out, at, [self._grip.release(key, row.name, row.name, row.otherwise)])

    def _set(self, out: dict[str, Given], at: int, moves: Iterable[Move | None]) -> None:
        for move in moves:
            if move is not None:
                (role, what, name), by, value, because = move
                out.setdefault(role, {}).setdefault(what, {})[name] = value
                self.told.exchanges.append(Exchange(at, by, role, what, name, value, because))

    def _watch(self) -> None:
        for what, kept in self.told.watched.items():
            role, attribute = parted(what)
            values = self.told.last[role][attribute]
            for name, reckon in (("sum", np.sum), ("mean", np.mean), ("most", np.max)):
                kept[name].append(float(reckon(values)) if len(values) else 0.0)


class _Grip:
    """What holds each target (role, attribute, object) and at what: changes and rules, the last that took hold first; under them what the record says."""

    def __init__(self) -> None:
        self._held: dict[Target, dict[str, tuple[str, float]]] = {}
        self._under: dict[Target, float] = {}

    def drive(self, said: Mapping[Target, float]) -> list[Move]:
        """Take what the record says; where something else holds it waits."""
        moved: list[Move] = [(target, "record", value, ()) for target, value in said.items() if self._under.get(target) != value and not self._held.get(target)]
        self._under |= said
        return moved

    def hold(self, target: Target, who: str, by: str, value: float, because: tuple[tuple[str, float], ...] = ()) -> Move | None:
        """Take hold of a target; nothing where it is held so already."""
        held = self._held.setdefault(target, {})
        if held.get(who) == (by, value):
            return None
        held.pop(who, None)
        held[who] = (by, value)
        return target, by, value, because

    def release(self, target: Target, who: str, by: str, after: float) -> Move | None:
        """Let go of a target: it goes to what else holds it, or to what the record says, or to `after`."""
        held = self._held.get(target, {})
        if held.pop(who, None) is None:
            return None
        if held:
            return target, *next(reversed(held.values())), ()
        return (target, "record", self._under[target], ()) if target in self._under else (target, by, after, ())


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
    """Return a run as a plain document; times in seconds since now, below 0 in its spin-up."""
    return {
        "seconds": [(at - told.spin) // SECOND for at in told.times],
        "watched": told.watched,
        "exchanges": [
            {
                "second": (e.at - told.spin) // SECOND,
                "by": e.by,
                "model": e.role,
                "set": e.what,
                "object": e.object,
                "value": e.value,
                "because": [list(each) for each in e.because],
            }
            for e in told.exchanges
        ],
    }
