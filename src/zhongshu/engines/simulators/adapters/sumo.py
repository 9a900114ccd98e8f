"""Road traffic by Eclipse SUMO: every vehicle on every lane, or mesoscopic where the model says so, with signals, closures and ways around them.

One simulation a process: the library holds it in globals. It must not meet another Arrow in its process; nothing here imports one.
"""

import gzip
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import libsumo
import numpy as np
import numpy.typing as npt
from lxml import etree

from zhongshu.engines.simulators.faults import BROKEN, MODEL
from zhongshu.engines.simulators.wire import LOG, decode, encode
from zhongshu.kernel.simulator import Inputs, Objects, Outputs

Values = npt.NDArray[np.float64]

PROBE = "emergency"
"""Vehicles of this class are followed from door to door, one by one."""
_REROUTED = {"device.rerouting.probability": "1", "device.rerouting.period": "60", "device.rerouting.adaptation-interval": "10"}
"""Where roads may be closed, everyone looks for another way: once a minute, or as often as the model says."""
_STRIDE = 2_654_435_761
"""Visitors start at edges so far apart in their order: from all over the net, and the same from the same seed (Knuth's multiplicative hash)."""
_QUIET = ["--no-step-log", "true", "--no-warnings", "true", "--duration-log.disable", "true", "--ignore-route-errors", "true", "--save-state.rng", "true"]


class Sumo:
    """A road net with its traffic, from a .sumocfg; the model's `begin` is the city's start. Its random draws come from the seed alone."""

    inputs: Mapping[str, str] = {"edge.closed": "1", "edge.speed": "m/s", "signal.dark": "1", "edge.visitors": "1"}
    observed: Mapping[str, str] = {
        "edge.vehicles": "1",
        "edge.speed": "m/s",
        "edge.time": "s",
        "trip.time": "s",
        "trip.arrived": "1",
        "net.running": "1",
        "net.waiting": "1",
        "net.arrived": "1",
        "net.jumped": "1",
    }

    def __init__(self, folder: Path) -> None:
        """Work in a folder of one's own."""
        self._folder, self._open = folder, False

    @staticmethod
    def version() -> str:
        """Return the engine's name and version."""
        return str(libsumo.simulation.getVersion()[1])

    def load(self, model: Path, start: int, seed: int = 0, driven: Collection[str] = ()) -> Objects:
        """Read a .sumocfg with its files; an edge can be closed on the way only where `edge.closed` is driven: everyone then looks for another way."""
        self._start, self._seed = start, seed
        self._call = ["sumo", "-c", str(model), "--seed", str(seed), *_QUIET]
        try:
            self._trips = _probes(model)
            if "edge.closed" in driven:
                said = {e.tag for e in _elements(model, *_REROUTED)}
                self._call += [part for name, value in _REROUTED.items() if name not in said for part in (f"--{name}", value)]
        except (etree.XMLSyntaxError, OSError) as error:
            raise MODEL(engine="SUMO", model=model.name, cause=str(error)) from None
        self._read()
        edges = tuple(e for e in libsumo.edge.getIDList() if not e.startswith(":"))
        return {"edge": edges, "signal": tuple(libsumo.trafficlight.getIDList()), "trip": tuple(self._trips), "net": ("net",)}

    def _read(self) -> None:
        if self._open:
            libsumo.close()
        try:
            libsumo.start(self._call)
        except libsumo.TraCIException as error:
            raise MODEL(engine="SUMO", model=Path(self._call[2]).name, cause=self._cause(error)) from None
        self._open, self._zero, self._held = True, libsumo.simulation.getTime(), dict[str, dict[str, float]]()
        self._edges = [e for e in libsumo.edge.getIDList() if not e.startswith(":")]
        self._before: dict[str, Any] = {}
        self._left, self._time, self._there = dict[str, float](), dict[str, float](), set[str]()
        self._before_arrived = self._before_jumped = 0
        self._owed, self._sent, self._ways = dict[str, float](), 0, dict[str, str]()

    def _cause(self, error: Exception) -> str:
        """Return what SUMO printed; its exceptions say only that there was an error."""
        log = self._folder / LOG
        said = [line for line in log.read_text("utf-8", "replace").splitlines() if line.startswith("Error:")] if log.exists() else []
        return said[-1].removeprefix("Error:").strip() if said else str(error)

    def set_inputs(self, inputs: Inputs) -> None:
        """Close edges or open them again (1, 0), bound their speed, put signals out or on again (1, 0); and let so many more vehicles an hour come to an edge from all over the net."""
        for what, values in inputs.items():
            self._held.setdefault(what, {}).update(values)
            for name, value in values.items():
                if what == "edge.closed":
                    self._close(name, closed=bool(value))
                elif what == "edge.speed":
                    libsumo.edge.setMaxSpeed(name, value)
                elif what == "signal.dark":
                    was = self._before.setdefault(f"signal {name}", libsumo.trafficlight.getProgram(name))
                    libsumo.trafficlight.setProgram(name, "off" if value else was)

    def _close(self, edge: str, *, closed: bool) -> None:
        for i in range(libsumo.edge.getLaneNumber(edge)):
            lane = f"{edge}_{i}"
            was = self._before.setdefault(f"lane {lane}", (libsumo.lane.getAllowed(lane), libsumo.lane.getDisallowed(lane)))
            if closed:
                libsumo.lane.setDisallowed(lane, ["all"])
            else:
                allowed, refused = was
                libsumo.lane.setAllowed(lane, allowed) if allowed else libsumo.lane.setDisallowed(lane, refused)

    def step(self, until: int) -> None:
        """Advance to a time: in one call, but step by step as long as a probe is on its way or may leave."""
        end = self._zero + (until - self._start) / 1e6
        try:
            self._visit(libsumo.simulation.getTime(), end)
            while libsumo.simulation.getTime() < end - 1e-6:
                if len(self._there) == len(self._trips):
                    libsumo.simulation.step(end)
                else:
                    libsumo.simulation.step()
                    self._note()
        except libsumo.TraCIException as error:
            raise BROKEN(engine="SUMO", cause=self._cause(error)) from None

    def _visit(self, now: float, end: float) -> None:
        """Send visitors on their way, evenly over a step; who finds no way stays at home."""
        for edge, rate in self._held.get("edge.visitors", {}).items():
            due = self._owed.get(edge, 0.0) + rate * (end - now) / 3600
            count = int(due)
            self._owed[edge] = due - count
            for k in range(count):
                self._sent += 1
                start = self._edges[(self._sent * _STRIDE + self._seed) % len(self._edges)]
                shut = any(self._held.get("edge.closed", {}).get(end) for end in (start, edge))
                if not shut and (route := self._way(start, edge)):
                    libsumo.vehicle.add(f"visitor.{self._sent}", route, depart=f"{now + (k + 0.5) * (end - now) / count:.2f}")

    def _way(self, start: str, end: str) -> str:
        """Return the route from an edge to another, which is looked for once; nothing where there is none."""
        name = f"visit-{start}-{end}"
        if name not in self._ways:
            try:
                edges = libsumo.simulation.findRoute(start, end).edges
            except libsumo.TraCIException:  # closed on the way
                edges = ()
            if edges:
                libsumo.route.add(name, edges)
            self._ways[name] = name if edges else ""
        return self._ways[name]

    def _note(self) -> None:
        """Note which probes left or arrived in the last step."""
        now = libsumo.simulation.getTime()
        for name in libsumo.simulation.getDepartedIDList():
            if name in self._trips:
                self._left[name] = now
        for name in libsumo.simulation.getArrivedIDList():
            if name in self._trips:
                self._time[name] = now - self._left.get(name, now)
                self._there.add(name)

    def _totals(self) -> tuple[int, int]:
        """Return how many vehicles have arrived and how many have jumped since the start: what SUMO counts of this process, and what had been before a snapshot."""
        inserted, running, jumped = (int(libsumo.simulation.getParameter("", f"stats.{name}")) for name in ("vehicles.inserted", "vehicles.running", "teleports.total"))
        return self._before_arrived + inserted - running, self._before_jumped + jumped

    def outputs(self, wanted: Collection[str] = ()) -> Outputs:
        """Return what each edge carries, how fast and how long it takes; how long each probe took or has been under way; and the net's totals."""
        now, edge = libsumo.simulation.getTime(), libsumo.edge
        n = len(self._edges)
        trips = [self._time.get(t, now - self._left[t] if t in self._left else 0.0) for t in self._trips]
        reads: dict[str, Callable[[], Values]] = {
            "edge.vehicles": lambda: np.fromiter(map(edge.getLastStepVehicleNumber, self._edges), np.float64, n),
            "edge.speed": lambda: np.fromiter(map(edge.getLastStepMeanSpeed, self._edges), np.float64, n),
            "edge.time": lambda: np.fromiter(map(edge.getTraveltime, self._edges), np.float64, n),
            "trip.time": lambda: np.array(trips, np.float64),
            "trip.arrived": lambda: np.array([float(t in self._there) for t in self._trips], np.float64),
            "net.running": lambda: np.array([libsumo.vehicle.getIDCount()], np.float64),
            "net.waiting": lambda: np.array([len(libsumo.simulation.getPendingVehicles())], np.float64),
            "net.arrived": lambda: np.array([self._totals()[0]], np.float64),
            "net.jumped": lambda: np.array([self._totals()[1]], np.float64),
        }
        return {what: read() for what, read in reads.items() if not wanted or what in wanted}

    def snapshot(self) -> bytes:
        """Return SUMO's saved state, its random draws included, and what is set. What drivers know of the roads is not in it: a restored run goes on much the same, not the same."""
        path = self._folder / "state.xml"
        libsumo.simulation.saveState(str(path))
        return encode((path.read_bytes(), self._held, self._left, self._time, list(self._there), *self._totals(), self._owed, self._sent))

    def restore(self, snapshot: bytes) -> None:
        """Go back to a saved state of the same model."""
        state, held, left, time, there, arrived, jumped, owed, sent = decode(snapshot)
        path = self._folder / "state.xml"
        path.write_bytes(state)
        zero = self._zero
        self._read()
        libsumo.simulation.loadState(str(path))
        self._zero = zero
        self.set_inputs(held)
        self._left, self._time, self._there, self._owed, self._sent = left, time, set(there), owed, sent
        self._before_arrived = self._before_jumped = 0
        counted_arrived, counted_jumped = self._totals()
        self._before_arrived, self._before_jumped = arrived - counted_arrived, jumped - counted_jumped


def _probes(model: Path) -> dict[str, None]:
    """Return the vehicles to follow: those whose type is of the emergency class, in the order of the route files."""
    named = [e.get("value", "") for e in _elements(model, "route-files", "additional-files")]
    types, found = set[str](), dict[str, str]()
    for path in (model.parent / name.strip() for names in named for name in names.split(",") if name.strip()):
        for e in _elements(path, "vType", "trip", "vehicle"):
            if e.tag == "vType":
                types |= {e.get("id")} if e.get("vClass") == PROBE else set()
            else:
                found[e.get("id", "")] = e.get("type", "")
    return dict.fromkeys(name for name, type_ in found.items() if type_ in types)


def _elements(path: Path, *tags: str) -> Iterator[etree._Element]:
    """Yield the elements of some tags, one after the other; entities are not followed."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        for _, element in etree.iterparse(stream, tag=tags, resolve_entities=False, no_network=True):
            yield element
            element.clear()
