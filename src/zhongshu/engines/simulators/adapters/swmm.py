"""Sewers and rain by EPA's SWMM 5.2: what falls runs off into nodes and flows through links to outfalls.

One simulation a process: the library holds it in globals. What is set and observed is metric, whatever the model's own units.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import swmm.toolkit.solver as swmm
from swmm.toolkit.shared_enum import HotstartFile, LinkResult, LinkType, NodeProperty, NodeResult, ObjectType, SubcatchResult, TimeProperty, UnitProperty

from zhongshu.engines.simulators.faults import BROKEN, MODEL
from zhongshu.engines.simulators.wire import decode, encode
from zhongshu.kernel.simulator import Inputs, Objects, Outputs

_KINDS = {"gage": ObjectType.GAGE, "node": ObjectType.NODE, "link": ObjectType.LINK, "catchment": ObjectType.SUBCATCH}
_FOOT, _INCH = 0.3048, 25.4
_FLOWS = (_FOOT**3, 3.785411784e-3 / 60, 3785.411784 / 86400, 1.0, 1e-3, 1e3 / 86400)
"""m³/s of one CFS, GPM, MGD, CMS, LPS, MLD: the flow units in the library's order (SWMM 5.2 user's manual, [OPTIONS], FLOW_UNITS)."""

_OBSERVED: Mapping[str, tuple[str, Callable[[int, int], float], int]] = {
    "node.depth": ("m", swmm.node_get_result, NodeResult.DEPTH),
    "node.head": ("m", swmm.node_get_result, NodeResult.HEAD),
    "node.volume": ("m3", swmm.node_get_result, NodeResult.VOLUME),
    "node.flooding": ("m3/s", swmm.node_get_result, NodeResult.FLOOD),
    "link.flow": ("m3/s", swmm.link_get_result, LinkResult.FLOW),
    "link.depth": ("m", swmm.link_get_result, LinkResult.DEPTH),
    "catchment.runoff": ("m3/s", swmm.subcatch_get_result, SubcatchResult.RUNOFF),
}
_BY_DEPTH = {"node.ponding", "node.fill"}
_SHALLOW = 0.01
"""Nodes (outfalls) that have no brim are taken to be so deep, m."""
_AHEAD = timedelta(days=3650)
"""So far past its own end a model may be stepped."""
_NAMED = 2
"""So many faults of a model are named."""
_FAULT = re.compile(r"ERROR (?!200)\d+: [^\n]*")
_STEP = re.compile(r"^(\s*(WET|DRY)_STEP\s+)(\S+)", re.MULTILINE | re.IGNORECASE)


class Swmm:
    """A drainage model. A snapshot is SWMM's hot start: what stands in nodes, links and on the ground; a rule that is half-way through begins anew."""

    inputs: Mapping[str, str] = {"gage.rain": "mm/h", "node.inflow": "m3/s", "link.setting": "1", "pump.setting": "1"}
    observed: Mapping[str, str] = {what: unit for what, (unit, _, _) in _OBSERVED.items()} | {"node.ponding": "m", "node.fill": "1"}

    def __init__(self, folder: Path) -> None:
        """Work in a folder of one's own: SWMM writes its report and results beside the model."""
        self._model, self._open = folder / "model.inp", False

    @staticmethod
    def version() -> str:
        """Return the engine's name and version."""
        number = swmm.swmm_get_version()
        return f"SWMM {number // 10_000}.{number // 1_000 % 10}.{number % 1_000}"

    def load(self, model: Path, start: int, seed: int = 0, driven: Collection[str] = ()) -> Objects:  # noqa: ARG002 (nothing is drawn by lot)
        """Read an .inp; its own START_DATE is the city's `start`. Driven by rain, it looks for rain as often when it is dry (by default once an hour)."""
        text = model.read_text("utf-8", "replace")
        self._model.write_text(_watchful(text) if "gage.rain" in driven else text, "utf-8")
        self._read()
        us, flow = (swmm.simulation_get_unit(unit) for unit in (UnitProperty.SYSTEM_UNIT, UnitProperty.FLOW_UNIT))
        long, deep = (_FOOT, _INCH) if us == 0 else (1.0, 1.0)
        self._factor = {"m": long, "m3": long**3, "m3/s": _FLOWS[flow], "mm/h": deep, "1": 1.0}
        objects = {kind: tuple(swmm.project_get_id(sort, i) for i in range(swmm.project_get_count(sort))) for kind, sort in _KINDS.items()}
        self._number = {kind: {name: i for i, name in enumerate(names)} for kind, names in objects.items()}
        self._number["pump"] = {name: i for name, i in self._number["link"].items() if swmm.link_get_type(i) == LinkType.PUMP}
        objects["pump"] = tuple(self._number["pump"])
        self._rain, self._inflow, self._setting = dict[int, float](), dict[int, float](), dict[int, float]()
        self._begins, self._start, self._now = _moment(TimeProperty.START_DATE), start, start
        swmm.swmm_start(0)
        brims = (swmm.node_get_parameter(i, NodeProperty.FULL_DEPTH) for i in range(len(objects["node"])))
        self._brim = np.fromiter(brims, np.float64, len(objects["node"])) * self._factor["m"]
        return objects

    def _read(self) -> None:
        """Open the model, to be stepped for as long as anyone wants."""
        if self._open:
            swmm.swmm_end()
            swmm.swmm_close()
        self._open = False
        try:
            swmm.swmm_open(*(str(self._model.with_suffix(suffix)) for suffix in (".inp", ".rpt", ".out")))
        except Exception as error:  # noqa: BLE001 (the library knows no narrower one)
            swmm.swmm_close()
            raise MODEL(engine="SWMM", model=self._model.name, cause=self._fault(error)) from None
        self._open = True
        swmm.simulation_set_datetime(TimeProperty.END_DATE, *(_moment(TimeProperty.END_DATE) + _AHEAD).timetuple()[:6])

    def _fault(self, error: Exception) -> str:
        report = self._model.with_suffix(".rpt")
        found = _FAULT.findall(report.read_text("utf-8", "replace")) if report.exists() else []
        return "; ".join(" ".join(fault.split()).rstrip(":") for fault in found[:_NAMED]) + (f" (+{len(found) - _NAMED})" if len(found) > _NAMED else "") or " ".join(
            str(error).split()
        )

    def set_inputs(self, inputs: Inputs) -> None:
        """Set rain, inflow from outside, or the setting of a link (0 shut … 1 open) or a pump (0 stands still)."""
        held = {"gage.rain": self._rain, "node.inflow": self._inflow, "link.setting": self._setting, "pump.setting": self._setting}
        for what, values in inputs.items():
            factor, number = self._factor[self.inputs[what]], self._number[what.partition(".")[0]]
            held[what] |= {number[name]: value / factor for name, value in values.items()}
        self._put()

    def _put(self) -> None:
        for node, flow in self._inflow.items():
            swmm.node_set_total_inflow(node, flow)
        for link, setting in self._setting.items():
            swmm.link_set_target_setting(link, setting)

    def step(self, until: int) -> None:
        """Advance to a time, to the second."""
        seconds = (until - self._now) // 1_000_000
        if seconds <= 0:
            return
        for gage, rain in self._rain.items():  # forgotten by the library at every step
            swmm.raingage_set_precipitation(gage, rain)
        try:
            swmm.swmm_stride(int(seconds))
        except Exception as error:  # noqa: BLE001 (the library knows no narrower one)
            raise BROKEN(engine="SWMM", cause=self._fault(error)) from None
        self._now += seconds * 1_000_000

    def outputs(self, wanted: Collection[str] = ()) -> Outputs:
        """Return depths, heads, volumes, flooding, flows and runoff; of each node how high water stands on the ground above it, and how full it is (1: to the brim)."""
        asked = set(wanted) or set(self.observed)
        read = asked | ({"node.depth"} if asked & _BY_DEPTH else set())
        out = {what: self._each(what, *_OBSERVED[what]) for what in _OBSERVED if what in read}
        if asked & _BY_DEPTH:
            depth = out["node.depth"]
            out |= {"node.ponding": np.maximum(depth - self._brim, 0.0), "node.fill": np.minimum(depth / np.maximum(self._brim, _SHALLOW), 1.0)}
        return {what: out[what] for what in self.observed if what in asked}

    def _each(self, what: str, unit: str, ask: Callable[[int, int], float], which: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        count = len(self._number[what.partition(".")[0]])
        return np.fromiter((ask(i, which) for i in range(count)), np.float64, count) * self._factor[unit]

    def snapshot(self) -> bytes:
        """Return time, what was set, and the hot-start file."""
        path = self._model.with_suffix(".hot")
        swmm.swmm_hotstart(HotstartFile.SAVE, str(path))
        return encode((self._now - self._start, (self._rain, self._inflow, self._setting), path.read_bytes()))

    def restore(self, snapshot: bytes) -> None:
        """Open the model anew at the snapshot's moment with what stood in it."""
        passed, (self._rain, self._inflow, self._setting), hot = decode(snapshot)
        path = self._model.with_suffix(".hot")
        path.write_bytes(hot)
        self._read()
        since = self._begins + timedelta(microseconds=passed)
        for which in (TimeProperty.START_DATE, TimeProperty.REPORT_DATE):
            swmm.simulation_set_datetime(which, *since.timetuple()[:6])
        swmm.swmm_hotstart(HotstartFile.USE, str(path))
        swmm.swmm_start(0)
        self._now = self._start + passed
        self._put()


def _moment(which: TimeProperty) -> datetime:
    return datetime(*swmm.simulation_get_datetime(which))  # noqa: DTZ001 (the model's own clock has no zone)


def _watchful(text: str) -> str:
    """Let a model look for rain at its wet step when it is dry, too."""
    steps = {found[1].upper(): found[2] for found in _STEP.findall(text)}
    wet = steps.get("WET", "00:05:00")
    return _STEP.sub(lambda found: f"{found[1]}{wet}", text) if "DRY" in steps else text.replace("[OPTIONS]", f"[OPTIONS]\nDRY_STEP {wet}", 1)
