"""A scenario made ready and run: its models loaded each by its engine, started from the record where there is one, seen as readings and reckoned as outcomes.

Joins models, engines and the record, which do not know each other.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zhongshu.app.twin import came_to
from zhongshu.engines.simulators.worker import Worker
from zhongshu.foresee import (
    APART,
    NOTHING_NEAR,
    Card,
    Coupling,
    Drive,
    Driven,
    Forecast,
    Foreseen,
    LookAhead,
    Models,
    Outcomes,
    Rule,
    Said,
    Scenario,
    Seen,
    Side,
    Sight,
    Told,
    bears_on,
    canonical,
    check,
    check_objects,
    driven,
    parted,
    read_scenario,
    shown,
    side_of,
    sighted,
)
from zhongshu.kernel.condition import quote
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.problem import Problem
from zhongshu.kernel.quantity import Property

LATELY = 600_000_000
"""What was measured in the last ten minutes (µs) is what stands now."""


def nothing_known(_sql: str) -> pa.Table:
    """Answer for a run that starts from no record."""
    return pa.table({"entity": pa.array([], pa.string()), "step": pa.array([], pa.int64()), "mean": pa.array([], pa.float64()), "ticks": pa.array([], pa.int64())})


@dataclass(frozen=True, slots=True)
class Ground:
    """What a run stands on: the packs' rows, the city's entities and properties, its time (µs), the record as it is known then, and how many people live there."""

    rows: Foreseen = field(default_factory=Foreseen)
    entities: Mapping[str, Sequence[Entity]] = field(default_factory=dict)
    properties: Mapping[str, Property] = field(default_factory=dict)
    now: int = 0
    query: Callable[[str], pa.Table] = nothing_known
    people: int = 0


@dataclass(slots=True)
class Ready:
    """A scenario whose models are loaded: the run, its engines by role, and what is gathered on the way. `notes`: what of the packs' rows was left out, and why."""

    ahead: LookAhead
    workers: dict[str, Worker]
    driven: list[Driven]
    seen: list[Seen]
    forecast: Forecast
    outcomes: Outcomes
    objects: Mapping[str, Mapping[str, tuple[str, ...]]]
    notes: list[Said] = field(default_factory=list)

    def run(self, tell: Callable[[int, int], object], stopped: Callable[[], bool] = lambda: False) -> Told:
        """Run to the end."""
        scenario = self.ahead.scenario

        def record(since: int) -> dict[tuple[str, str, str], float]:
            step = (since + scenario.spin) // scenario.macro
            return {target: value for one in self.driven for target, value in one.said(step, since).items()}

        def see(at: int, last: Mapping[str, Any]) -> None:
            self.forecast.see(at, last)
            if at > 0:
                self.outcomes.see(at, last)

        return self.ahead.run(tell, stopped, record if self.driven else None, see)

    def start(self, query: Callable[[str], pa.Table]) -> list[dict[str, Any]]:
        """Return how the spin-up's end agrees with what was measured: for each property seen how many entities, the mean difference and its root mean square, in its unit."""
        out = []
        for one, values in zip(self.seen, self.forecast.begins, strict=False):
            prop, now = one.prop, self.forecast.now
            sql = f"SELECT entity, max({{'valid': valid, 'ticks': ticks}}).ticks AS ticks FROM readings WHERE property = {quote(prop.name)} AND valid >= {now - LATELY} AND valid < {now} AND ticks IS NOT NULL GROUP BY 1"
            table = query(sql)
            measured = dict(zip(table["entity"].to_pylist(), table["ticks"].to_pylist(), strict=True))
            pairs = [(value, measured[name] * float(prop.tick)) for name, value in zip(one.ids, values.tolist(), strict=True) if name in measured]
            gap = np.array([ours - theirs for ours, theirs in pairs])
            told = {"mean": float(gap.mean()), "rms": float(np.sqrt((gap**2).mean()))} if len(gap) else {"mean": None, "rms": None}
            out.append({"property": prop.name, "unit": prop.unit, "entities": len(one.ids), "measured": len(gap), **told})
        return out


@contextmanager
def ready(models: Models, scenario: Scenario, ground: Ground | None = None) -> Iterator[Ready]:
    """Start the engines of a scenario and load its models; they end with the context, however it ends."""
    ground = ground or Ground()
    cards = {role: models.card(name) for role, name in scenario.models.items()}
    check(scenario, cards)
    shared = [row for row in ground.rows.couplings if _there(cards, row.what, row.target)]
    drives = [row for row in ground.rows.drives if _there(cards, "", row.target) and row.property in ground.properties]
    targets = [row.what for row in scenario.change] + [row.target for row in (*scenario.coupling, *shared)] + [row.target for row in drives]
    with ExitStack() as stack:
        workers = {role: stack.enter_context(closing(Worker(card.engine))) for role, card in cards.items()}
        objects = {
            role: worker.load(models.path(cards[role].name), 0, scenario.seed, sorted({attribute for each, attribute in map(parted, targets) if each == role}))
            for role, worker in workers.items()
        }
        check_objects(scenario, objects)
        drawings = {role: models.drawing(card.name) for role, card in cards.items()}

        def side(what: str) -> Side:
            role, attribute = parted(what)
            kind = attribute.partition(".")[0]
            return side_of(cards[role].crs, drawings[role], kind, objects[role][kind])

        notes = list[Said]()
        rules = [*_rules(scenario.coupling, cards, side, None), *_rules(shared, cards, side, notes)]
        seen = [one for row in ground.rows.sights if _there(cards, row.what) and row.property in ground.properties and (one := _seen(row, ground, cards, objects, side))]
        follow = [held for row in drives if (held := _driven(row, scenario, ground, cards, side))]
        outcomes = Outcomes(
            [row for row in ground.rows.outcomes if _there(cards, row.what) and _there(cards, row.had) and (ground.people or row.reckon != "people")], ground.people
        )
        looked = [one.row.what for one in seen] + outcomes.looked
        yield Ready(LookAhead(scenario, workers, objects, rules, looked), workers, follow, seen, Forecast(seen, ground.now), outcomes, objects, notes)


def _there(cards: Mapping[str, Card], what: str, target: str = "") -> bool:
    """Tell whether a row's role and attributes are there in the models of a scenario."""
    for name, settable in ((what, False), (target, True)):
        role, attribute = parted(name)
        if name and (role not in cards or attribute not in (cards[role].inputs if settable else cards[role].observed)):
            return False
    return True


def _rules(rows: Sequence[Coupling], cards: Mapping[str, Card], side: Callable[[str], Side], notes: list[Said] | None) -> Iterator[Rule]:
    """Join rules; of the packs' own (`notes` given) those that join nothing in these models are left out with a note."""
    for row in rows:
        role, attribute = parted(row.what)
        try:
            bears = bears_on(row, side(row.what), side(row.target))
        except Problem as problem:
            if notes is None or problem.kind not in (APART, NOTHING_NEAR):
                raise
            notes.append(Said(problem.sentence("zh"), problem.sentence()))
            continue
        yield Rule(row, canonical(row.value, row.unit, cards[role].observed[attribute]), bears)


def _seen(row: Sight, ground: Ground, cards: Mapping[str, Card], objects: Mapping[str, Mapping[str, tuple[str, ...]]], side: Callable[[str], Side]) -> Seen | None:
    role, attribute = parted(row.what)
    prop = ground.properties[row.property]
    return sighted(row, prop, side(row.what), objects[role][attribute.partition(".")[0]], cards[role].observed[attribute], ground.entities.get(prop.type, ()))


def _driven(row: Drive, scenario: Scenario, ground: Ground, cards: Mapping[str, Card], side: Callable[[str], Side]) -> Driven | None:
    role, attribute = parted(row.target)
    prop = ground.properties[row.property]
    return driven(row, prop, side(row.target), cards[role].inputs[attribute], ground.entities.get(prop.type, ()), (ground.now, scenario.spin, scenario.macro), ground.query)


def run_scenario(folder: Path, path: Path, tell: Callable[[int, int], object], stopped: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Run a scenario of the city's models from a file, telling how far it is; return its exchanges, what was watched, and where its time went."""
    models, scenario = Models(folder / "twin"), read_scenario(path)
    begun = time.monotonic()
    with ready(models, scenario) as prepared:
        told = prepared.run(tell, stopped)
        took = time.monotonic() - begun
        return report(scenario, prepared, told, took)


def report(scenario: Scenario, prepared: Ready, told: Told, took: float) -> dict[str, Any]:
    """Return what a run came to as a plain document; `took`: its seconds on the wall."""
    workers = prepared.workers
    return {
        "scenario": scenario.name,
        "seed": scenario.seed,
        "engines": {role: worker.version() for role, worker in workers.items()},
        "hours": scenario.hours,
        "seconds_taken": round(took, 2),
        "times_real": round(told.times[-1] / 1e6 / took, 1) if told.times else 0.0,
        "engine_seconds": {role: round(worker.spent, 2) for role, worker in workers.items()},
        "last": {role: {what: came_to(values, workers[role].observed[what]) for what, values in out.items() if len(values)} for role, out in told.last.items()},
        **shown(told),
    }


def sweep(models: Models, scenarios: Sequence[Scenario], ground: Ground | None = None, *, beside: int = 2) -> list[dict[str, float] | Problem]:
    """Run many options, so many beside each other, and return what each came to by its outcomes, or the Problem that ended it; in their order."""

    def one(scenario: Scenario) -> dict[str, float] | Problem:
        try:
            with ready(models, scenario, ground) as prepared:
                prepared.run(lambda _at, _end: None)
                return prepared.outcomes.came_to()
        except Problem as problem:
            return problem

    with ThreadPoolExecutor(beside) as pool:
        return list(pool.map(one, scenarios))
