"""Road traffic: every street in both directions, signals where main roads meet, a morning's trips by car and the ambulances' runs; as SUMO's plain files.

Hour 0 is 07:00. It must never know what else lies in the street.
"""

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

import numpy as np

from zhongshu.survey.maker.bones.sheet import given
from zhongshu.survey.maker.bones.streets import Streets, flat, middles, survey_plane
from zhongshu.survey.maker.land import Ints
from zhongshu.survey.maker.plan import CLASSES, COLLECTOR
from zhongshu.survey.maker.plane import Floats
from zhongshu.survey.maker.roads import LANES

RHYTHM = (1.0, 0.92, 0.68, 0.6, 0.58, 0.62, 0.6, 0.58, 0.62, 0.72, 0.95, 0.98, 0.7, 0.5, 0.4, 0.3, 0.16, 0.08, 0.05, 0.04, 0.04, 0.08, 0.25, 0.6)
"""Trips of each hour from 07:00 on, to those of the busiest."""
_CHOICES = 6
"""So many places are weighed for every trip."""


def sumo(streets: Streets, chance: np.random.Generator) -> dict[str, bytes]:
    """Return the files of the road net and its traffic."""
    files = {"plain.nod.xml": _nodes(streets), "plain.edg.xml": _edges(streets), "plain.rou.xml": _trips(streets, chance), "plain.sumocfg": _settings()}
    return {name: "\n".join(["<?xml version='1.0' encoding='UTF-8'?>", *rows, ""]).encode() for name, rows in files.items()}


def edge(link: int, *, back: bool = False) -> str:
    """Return the name of a link's edge: the number of its road, and a minus against its direction."""
    return f"{'-' if back else ''}YT-{link + 1:04d}"


def _nodes(streets: Streets) -> Iterator[str]:
    signals = set(streets.signals)
    yield "<nodes>"
    for at, (name, (x, y)) in enumerate(zip(streets.names, survey_plane(streets.xy).tolist(), strict=True)):
        yield f'  <node id="{name}" x="{x:.2f}" y="{y:.2f}" type="{"traffic_light" if at in signals else "priority"}"/>'
    yield "</nodes>"


def _edges(streets: Streets) -> Iterator[str]:
    bends = [survey_plane(flat(link.line)) for link in streets.links]
    yield "<edges>"
    for at, ((start, end), kind) in enumerate(zip(streets.ends.tolist(), streets.kind.tolist(), strict=True)):
        speed, lanes = given(f"road.{CLASSES[kind]}") / 3.6, LANES[kind] // 2
        name = quoteattr(streets.links[at].name.zh)
        for back, (one, other) in ((False, (start, end)), (True, (end, start))):
            shape = " ".join(f"{x:.2f},{y:.2f}" for x, y in (bends[at][::-1] if back else bends[at]))
            yield (
                f'  <edge id="{edge(at, back=back)}" from="{streets.names[one]}" to="{streets.names[other]}" numLanes="{lanes}" speed="{speed:.2f}"'
                f' priority="{kind}" name={name} shape="{shape}"/>'
            )
    yield "</edges>"


def _settings() -> Iterator[str]:
    """Yield how traffic moves: mesoscopic, which a city's peak needs."""
    yield "<configuration>"
    yield "  <processing>"
    for name, value in (("begin", "0"), ("mesosim", "true"), ("meso-tls-penalty", f"{given('road.signal_wait'):g}")):
        yield f'    <{name} value="{value}"/>'
    yield f'    <device.rerouting.period value="{given("road.reroute"):g}"/>'
    yield "  </processing>"
    yield "</configuration>"


def _trips(streets: Streets, chance: np.random.Generator) -> Iterator[str]:
    """Yield the trips by car and the ambulances' runs, in the order of departure."""
    rows = [*_cars(streets, chance), *_ambulances(streets, chance)]
    yield "<routes>"
    yield '  <vType id="car" vClass="passenger"/>'
    yield '  <vType id="ambulance" vClass="emergency" speedFactor="1.1"/>'
    for second, name, kind, one, other in sorted(rows):
        yield f'  <trip id="{name}" type="{kind}" depart="{second:.1f}" from="{one}" to="{other}"/>'
    yield "</routes>"


_Trip = tuple[float, str, str, str, str]


def _cars(streets: Streets, chance: np.random.Generator) -> Iterator[_Trip]:
    """Yield trips from where people live to where they are drawn to, rarer the farther it is."""
    hours = int(given("road.hours"))
    counts = [round(float(streets.people.sum()) * given("road.trips") * RHYTHM[hour % 24]) for hour in range(hours)]
    total = sum(counts)
    depart = np.concatenate([3600 * (hour + np.sort(chance.random(count))) for hour, count in enumerate(counts)])
    start, end = streets.ends[:, 0], streets.ends[:, 1]
    middle = (streets.xy[start] + streets.xy[end]) / 2
    live, drawn = (values[start] + values[end] + 1 for values in (streets.people, streets.draw))
    origin = chance.choice(len(live), total, p=live / live.sum())
    options = chance.choice(len(drawn), (total, _CHOICES), p=drawn / drawn.sum())
    away = np.hypot(*np.moveaxis(middle[options] - middle[origin][:, None], -1, 0))
    weight = np.exp(-away / given("road.decay")) * (options != origin[:, None]) + 1e-12
    pick = (np.cumsum(weight, axis=1) / weight.sum(axis=1, keepdims=True) < chance.random((total, 1))).sum(axis=1)
    target = options[np.arange(total), np.minimum(pick, _CHOICES - 1)]
    turn = chance.random((total, 2)) < 0.5  # noqa: PLR2004 (either direction)
    for at in range(total):
        one, other = edge(int(origin[at]), back=bool(turn[at, 0])), edge(int(target[at]), back=bool(turn[at, 1]))
        yield round(float(depart[at]), 1), f"car{at + 1}", "car", one, other


def stations(streets: Streets) -> list[int]:
    """Return the junctions where ambulances stand."""
    main = np.flatnonzero(np.bincount(streets.ends[streets.kind >= COLLECTOR].ravel(), minlength=len(streets.names)))
    return middles(streets.xy, streets.people, max(1, round(float(streets.people.sum()) / given("road.people_station"))), main)


def _ambulances(streets: Streets, chance: np.random.Generator) -> Iterator[_Trip]:
    """Yield a run of every station's ambulance at regular times, each to a street within its reach where people live."""
    every, until = 60 * given("road.ambulance"), 3600 * given("road.hours")
    middle: Floats = (streets.xy[streets.ends[:, 0]] + streets.xy[streets.ends[:, 1]]) / 2
    live = streets.people[streets.ends].sum(axis=1)
    homes = stations(streets)
    for number, node in enumerate(homes, 1):
        at: Ints = np.flatnonzero((streets.ends == node).any(axis=1))
        near = np.flatnonzero((np.hypot(*(middle - streets.xy[node]).T) <= given("road.reach")) & (live > 0))
        near = near if len(near) else np.arange(len(live))
        weight = live[near] + 1.0
        begin = every * (number - 1) / len(homes)
        for run, second in enumerate(np.arange(begin, until, every), 1):
            target = int(chance.choice(near, p=weight / weight.sum()))
            leave = int(at[run % len(at)])
            out = edge(leave, back=bool(streets.ends[leave, 1] == node))
            yield float(second), f"ambulance{number}-{run:03d}", "ambulance", out, edge(target, back=bool(chance.random() < 0.5))  # noqa: PLR2004 (either direction)
