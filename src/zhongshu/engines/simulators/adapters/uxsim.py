"""Road traffic for sweeps by UXsim: platoons on links by Newell's car following, some ten times as fast as vehicle by vehicle.

The model is a JSON file of ours: `nodes` (name, x, y in m), `links` (name, from, to, length in m, speed in m/s, lanes) and `demand`
(from, to, begin and end in s, flow in vehicles/s). UXsim has no saved state: going back runs again what was done, which is exact.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import uxsim

from zhongshu.engines.simulators.faults import MODEL
from zhongshu.engines.simulators.wire import decode, encode
from zhongshu.kernel.simulator import Inputs, Objects, Outputs

Values = npt.NDArray[np.float64]
PLATOON = 5
"""So many vehicles move as one."""
_CRAWL = 0.1
"""m/s, below which nobody is taken to be."""
_AFTER = 6 * 3600
"""So many seconds after the last departure a model may be stepped."""


class Node(msgspec.Struct, rename={"id": "name"}):
    """A junction."""

    id: str
    x: float
    y: float


class Link(msgspec.Struct, rename={"start": "from", "end": "to"}):
    """A road in one direction."""

    name: str
    start: str
    end: str
    length: float
    speed: float
    lanes: int


class Demand(msgspec.Struct, rename={"start": "from", "end": "to"}):
    """Who goes from where to where, and when."""

    start: str
    end: str
    begin: float
    until: float
    flow: float


class Roads(msgspec.Struct):
    """A whole model."""

    nodes: list[Node]
    links: list[Link]
    demand: list[Demand]


class Uxsim:
    """A road net with its traffic, in platoons."""

    inputs: Mapping[str, str] = {"link.closed": "1", "link.speed": "m/s"}
    observed: Mapping[str, str] = {"link.vehicles": "1", "link.speed": "m/s", "link.time": "s", "net.running": "1", "net.arrived": "1"}

    def __init__(self, folder: Path) -> None:
        """Need no folder: nothing is written."""
        self._folder = folder

    @staticmethod
    def version() -> str:
        """Return the engine's name and version."""
        return f"UXsim {uxsim.__version__}"

    def load(self, model: Path, start: int, seed: int = 0, driven: Collection[str] = ()) -> Objects:  # noqa: ARG002 (all can be set at any time)
        """Read a model; its second 0 is the city's start."""
        try:
            self._roads = msgspec.json.decode(model.read_bytes(), type=Roads)
            names = {node.id for node in self._roads.nodes}
            if lost := {end for link in self._roads.links for end in (link.start, link.end)} - names:
                raise MODEL(engine="UXsim", model=model.name, cause=f"no such node: {sorted(lost)[0]}")
        except msgspec.DecodeError as error:
            raise MODEL(engine="UXsim", model=model.name, cause=str(error)) from None
        self._start, self._seed = start, seed
        self._read()
        return {"link": tuple(link.name for link in self._roads.links), "net": ("net",)}

    def _read(self) -> None:
        roads = self._roads
        self._world = world = uxsim.World(
            deltan=PLATOON, tmax=max((each.until for each in roads.demand), default=0) + _AFTER, print_mode=0, save_mode=0, show_mode=0, random_seed=self._seed, cpp=True
        )
        for node in roads.nodes:
            world.addNode(node.id, node.x, node.y)
        for link in roads.links:
            world.addLink(link.name, link.start, link.end, link.length, free_flow_speed=link.speed, number_of_lanes=link.lanes)
        for each in roads.demand:
            world.adddemand(each.start, each.end, each.begin, each.until, each.flow)
        world.finalize_scenario()
        self._links = {link.name: world.get_link(link.name) for link in roads.links}
        self._open = {name: link.capacity_in for name, link in self._links.items()}
        self._deeds: list[tuple[str, object]] = []

    def set_inputs(self, inputs: Inputs) -> None:
        """Close links to who would enter or open them again (1, 0), and bound their speed."""
        self._deeds.append(("set", inputs))
        for what, values in inputs.items():
            for name, value in values.items():
                if what == "link.closed":
                    self._links[name].capacity_in = 0.0 if value else self._open[name]
                    self._links[name].route_choice_penalty = 1e6 if value else 0.0
                else:
                    self._links[name].change_free_flow_speed(value)

    def step(self, until: int) -> None:
        """Advance to a time, to the platoon's step."""
        self._deeds.append(("step", until))
        if (seconds := (until - self._start) // 1_000_000) > self._world.TIME:
            self._world.exec_simulation(until_t=seconds)

    def outputs(self, wanted: Collection[str] = ()) -> Outputs:
        """Return what each link carries, how fast and how long it takes, and the net's totals."""
        links, n = self._links.values(), len(self._links)
        reads: dict[str, Callable[[], Values]] = {
            "link.vehicles": lambda: np.fromiter((link.num_vehicles for link in links), np.float64, n),
            "link.speed": lambda: np.fromiter((link.speed for link in links), np.float64, n),
            "link.time": lambda: np.fromiter((link.length / max(link.speed, _CRAWL) for link in links), np.float64, n),
            "net.running": lambda: np.array([len(self._world.VEHICLES_RUNNING) * PLATOON], np.float64),
            "net.arrived": lambda: np.array([sum(v.state == "end" for v in self._world.VEHICLES.values()) * PLATOON], np.float64),
        }
        return {what: read() for what, read in reads.items() if not wanted or what in wanted}

    def snapshot(self) -> bytes:
        """Return everything that was done since the start."""
        return encode(self._deeds)

    def restore(self, snapshot: bytes) -> None:
        """Begin anew and do it again."""
        self._read()
        for deed, what in decode(snapshot):
            (self.set_inputs if deed == "set" else self.step)(what)
