"""Medium-voltage grids by pandapower: a steady state at every step, from what is switched on and what is drawn."""

import copy
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandapower
from pandapower.topology import unsupplied_buses

from zhongshu.engines.simulators.faults import BROKEN, MODEL
from zhongshu.engines.simulators.wire import decode, encode
from zhongshu.kernel.simulator import Inputs, Objects, Outputs

_KINDS = ("bus", "line", "trafo", "switch", "load")
_SET = {
    "bus.on": ("1", "in_service", bool),
    "line.on": ("1", "in_service", bool),
    "trafo.on": ("1", "in_service", bool),
    "switch.on": ("1", "closed", bool),
    "load.power": ("MW", "p_mw", float),
    "load.extra": ("MW", "p_mw", float),
}
_OBSERVED = {"bus.voltage": ("1", "vm_pu"), "line.loading": ("%", "loading_percent"), "trafo.loading": ("%", "loading_percent"), "load.power": ("MW", "p_mw")}
_DRAWN = ("load.power", "load.extra")
_ENDS = {"line": ("from_bus", "to_bus"), "trafo": ("hv_bus", "lv_bus"), "load": ("bus",)}


class Power:
    """A grid. Objects are named by their index in the model. What is not supplied has no voltage, no loading and draws nothing."""

    inputs: Mapping[str, str] = {what: unit for what, (unit, _, _) in _SET.items()}
    observed: Mapping[str, str] = {"bus.supplied": "1", "load.lost": "MW"} | {what: unit for what, (unit, _) in _OBSERVED.items()}

    def __init__(self, folder: Path) -> None:
        """Need no folder: pandapower writes nothing."""
        self._folder = folder

    @staticmethod
    def version() -> str:
        """Return the engine's name and version."""
        return f"pandapower {pandapower.__version__}"

    def load(self, model: Path, start: int, seed: int = 0, driven: Collection[str] = ()) -> Objects:  # noqa: ARG002 (nothing is drawn by lot; all can be set at any time)
        """Read pandapower's JSON and find the state at the start."""
        try:
            self._whole = pandapower.from_json(str(model))
        except Exception as error:  # noqa: BLE001 (what a strange file makes it raise is nowhere said)
            raise MODEL(engine="pandapower", model=model.name, cause=f"{type(error).__name__}: {error}") from None
        if not isinstance(self._whole, pandapower.pandapowerNet):
            raise MODEL(engine="pandapower", model=model.name, cause=f"a {type(self._whole).__name__} is no net")
        self._begin()
        self.step(start)
        return {kind: tuple(str(i) for i in self._net[kind].index) for kind in _KINDS}

    def _begin(self) -> None:
        self._net, self._held = copy.deepcopy(self._whole), dict[str, dict[str, float]]()

    def set_inputs(self, inputs: Inputs) -> None:
        """Switch buses, lines, transformers and switches on or off (1, 0), say what loads draw, and what is drawn there beside."""
        for what, values in inputs.items():
            self._held.setdefault(what, {}).update(values)
            if what in _DRAWN:
                self._draw(values)
                continue
            _, column, kind = _SET[what]
            self._net[what.partition(".")[0]].loc[[int(name) for name in values], column] = [kind(value) for value in values.values()]

    def _draw(self, names: Collection[str]) -> None:
        """Let loads draw what is set, or what the model says, and what is drawn beside."""
        set_, beside = (self._held.get(what, {}) for what in _DRAWN)
        own = self._whole.load["p_mw"]
        self._net.load.loc[[int(name) for name in names], "p_mw"] = [set_.get(name, own[int(name)]) + beside.get(name, 0.0) for name in names]

    def step(self, until: int) -> None:  # noqa: ARG002 (a steady state has no time)
        """Find the state for what is set now."""
        try:
            pandapower.runpp(self._net, numba=False)
        except pandapower.LoadflowNotConverged as error:
            raise BROKEN(engine="pandapower", cause=str(error)) from None

    def outputs(self, wanted: Collection[str] = ()) -> Outputs:
        """Return voltages, loadings, what is drawn and what could not be, and which buses are supplied."""
        net = self._net
        dark = unsupplied_buses(net) | set(net.bus.index[~net.bus.in_service])
        out = {"bus.supplied": np.array([float(i not in dark) for i in net.bus.index])}
        for what, (_, column) in _OBSERVED.items():
            kind = what.partition(".")[0]
            table, values = net[kind], net[f"res_{kind}"][column].to_numpy(np.float64) if len(net[kind]) else np.zeros(0)
            ends = [table.index] if kind == "bus" else [table[end] for end in _ENDS[kind]]
            off = ~table.in_service.to_numpy(bool) | np.any([np.isin(end, list(dark)) for end in ends], axis=0)
            out[what] = np.where(off, 0.0, values)
        out |= {"load.lost": net.load["p_mw"].to_numpy(np.float64) - out["load.power"]}
        return {what: values for what, values in out.items() if not wanted or what in wanted}  # whole columns: leaving some out would gain nothing

    def snapshot(self) -> bytes:
        """Return what is set: a steady state has no memory."""
        return encode(self._held)

    def restore(self, snapshot: bytes) -> None:
        """Set it on the model as it was loaded."""
        self._begin()
        self.set_inputs(decode(snapshot))
        self.step(0)
