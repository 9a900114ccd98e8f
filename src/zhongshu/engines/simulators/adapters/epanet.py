"""Drinking water by EPA's EPANET 2.2: what is asked for at the nodes is brought through pipes, pumps and valves from reservoirs and tanks.

What is set and observed is metric, whatever the model's own units. EPANET has no saved state: going back runs again what was done, which is exact.
"""

import contextlib
import ctypes
import math
import re
from collections import deque
from collections.abc import Collection, Mapping
from itertools import repeat
from pathlib import Path

import numpy as np
import numpy.typing as npt
from wntr.epanet.exceptions import EpanetException
from wntr.epanet.toolkit import ENepanet

from zhongshu.engines.simulators.faults import BROKEN, MODEL
from zhongshu.engines.simulators.wire import decode, encode
from zhongshu.kernel.simulator import Inputs, Objects, Outputs

_FOOT, _PSI = 0.3048, 0.3048 / 0.4333
"""m; and m of water of one psi as EPANET reckons it (0.4333 psi a foot)."""
_FLOWS = (_FOOT**3, 3.785411784e-3 / 60, 3785.411784 / 86400, 4546.09 / 86400, 1233.48184 / 86400, 1e-3, 1e-3 / 60, 1e3 / 86400, 1 / 3600, 1 / 86400)
"""m³/s of one CFS, GPM, MGD, IMGD, AFD, LPS, LPM, MLD, CMH, CMD: the flow units in the library's order (EPANET 2.2, EN_FlowUnits)."""
_SI = 5
"""From this flow unit on a model is metric."""
_COUNTS = {"node": 0, "link": 2}
_JUNCTION, _PUMP = 0, 2
"""What EPANET calls these among its types of nodes and of links."""
_SIDE = {"junction": "node", "pump": "link"}
"""Kinds that are some of another kind: only a pump has a speed (of a pipe the same number is its roughness), only a junction a demand."""
_SET = {"link.open": ("1", 11), "pump.speed": ("1", 12), "junction.demand": ("m3/s", 1), "junction.leak": ("m3/s/m0.5", 3)}
_OBSERVED = {
    "node.pressure": ("m", 11),
    "node.head": ("head", 10),
    "node.demand": ("m3/s", 9),
    "node.deficit": ("m3/s", 27),
    "node.served": ("m3/s", 9),
    "link.flow": ("m3/s", 8),
    "link.velocity": ("m/s", 9),
    "link.open": ("1", 11),
}
"""Attribute → (unit, EN_NodeProperty or EN_LinkProperty of EPANET 2.2)."""
_LEAK, _ROOT = 3, 3
"""The library's numbers of a node's emitter, and of the exponent of all of them."""
_DRY = 1e-9
"""A leak that is stopped: at none at all EPANET 2.2 would go on with the last flow that it found."""
_DURATION, _HYDRAULIC, _ERROR = 0, 1, 100
"""The library's numbers of two times, and of its first error: below are warnings."""
_FOREVER = 100_000_000
"""A model may be stepped for so many seconds, whatever its own duration."""
_NAMED = 2
"""So many faults of a model are named."""
_FAULT = re.compile(r"(Error (?!200)\d+: [^\n]*)(?:\n([^\n]*))?")


class Epanet:
    """A water network. A link that is set stays as it is set: the model's own simple controls of it are dropped."""

    inputs: Mapping[str, str] = {what: unit for what, (unit, _) in _SET.items()}
    observed: Mapping[str, str] = {what: unit.replace("head", "m") for what, (unit, _) in _OBSERVED.items()}

    def __init__(self, folder: Path) -> None:
        """Work in a folder of one's own."""
        self._model, self._en, self._open = folder / "model.inp", ENepanet(version=2.2), False

    @staticmethod
    def version() -> str:
        """Return the engine's name and version."""
        number = ctypes.c_int()
        ENepanet(version=2.2).ENlib.EN_getversion(ctypes.byref(number))
        return f"EPANET {number.value // 10_000}.{number.value // 100 % 100}.{number.value % 100}"

    def load(self, model: Path, start: int, seed: int = 0, driven: Collection[str] = ()) -> Objects:  # noqa: ARG002 (nothing is drawn by lot; all can be set at any time)
        """Read an .inp; its own hour 0 is the city's `start`."""
        self._model.write_bytes(model.read_bytes())
        self._read()
        self._start = start
        en, flow = self._en, self._en.ENgetflowunits()
        pressure, long = (1.0, 1.0) if flow >= _SI else (_PSI, _FOOT)
        rate = _FLOWS[flow]
        self._factor = {"1": 1.0, "m": pressure, "head": long, "m/s": long, "m3/s": rate, "m3/s/m0.5": rate / pressure**0.5}
        objects = {kind: tuple(self._name(kind, i) for i in range(1, en.ENgetcount(which) + 1)) for kind, which in _COUNTS.items()}
        self._number = {kind: {name: i for i, name in enumerate(names, 1)} for kind, names in objects.items()}
        for kind, type_, of in (("junction", _JUNCTION, en.ENgetnodetype), ("pump", _PUMP, en.ENgetlinktype)):
            self._number[kind] = {name: i for name, i in self._number[_SIDE[kind]].items() if of(i) == type_}
            objects[kind] = tuple(self._number[kind])
        root = ctypes.c_double()
        en.ENlib.EN_getoption(en._project, _ROOT, ctypes.byref(root))  # noqa: SLF001 (the class does not ask for options)
        self._root = root.value
        self._junction = np.isin(np.arange(1, len(objects["node"]) + 1), list(self._number["junction"].values()))
        self._ask = {"node": en.ENlib.EN_getnodevalue, "link": en.ENlib.EN_getlinkvalue}
        self._places = {kind: _places(len(objects[kind])) for kind in _COUNTS}
        self._put = {"node": en.ENlib.EN_setnodevalue, "link": en.ENlib.EN_setlinkvalue}
        return objects

    def _name(self, kind: str, number: int) -> str:
        held = ctypes.create_string_buffer(64)
        (self._en.ENlib.EN_getnodeid if kind == "node" else self._en.ENlib.EN_getlinkid)(self._en._project, number, held)  # noqa: SLF001 (the class gives nodes only)
        return held.value.decode("utf-8", "replace")

    def _read(self) -> None:
        """Open the model and settle it at its hour 0."""
        en, report = self._en, self._model.with_suffix(".rpt")
        if self._open:
            en.ENcloseH()
            en.ENclose()
        self._open = False
        try:
            en.ENopen(str(self._model), str(report), str(self._model.with_suffix(".bin")))
            en.ENopenH()
            en.ENsettimeparam(_DURATION, _FOREVER)
            en.ENinitH(0)
            self._long = int(en.ENgettimeparam(_HYDRAULIC))
            self._now, self._held, self._deeds = 0, dict[str, dict[int, float]](), list[tuple[str, object]]()
            en.ENrunH()
            self._stale = False
        except EpanetException as error:
            with contextlib.suppress(Exception):  # it writes its report when it is closed, and may say then that nothing is open
                en.ENclose()
            raise MODEL(engine="EPANET", model=self._model.name, cause=self._cause(report) or str(error).replace(" %s", "")) from None
        self._open = True

    def _cause(self, report: Path) -> str:
        """Return what the report says is wrong, with the lines of the model: it quotes them and does not say where they stand."""
        lines = [line.partition(";")[0].split() for line in self._model.read_text("utf-8", "replace").splitlines()]
        said = []
        for fault, quoted in _FAULT.findall(report.read_text("utf-8", "replace")) if report.exists() else []:
            words = quoted.partition(";")[0].split()
            at = [str(number) for number, held in enumerate(lines, 1) if held and held == words]
            said.append(fault.rstrip(": ") + (f", line {' or '.join(at)}: {' '.join(words)}" if at else ""))
        return "; ".join(said[:_NAMED]) + (f" (+{len(said) - _NAMED})" if len(said) > _NAMED else "")

    def set_inputs(self, inputs: Inputs) -> None:
        """Open or shut a link (1, 0), set a pump's relative speed, a junction's base demand, or its leak (m³/s at 1 m of pressure, growing with its root)."""
        self._deeds.append(("set", inputs))
        self._stale = True
        for what, values in inputs.items():
            kind, factor = what.partition(".")[0], self._factor[_SET[what][0]]
            least = _DRY if what == "junction.leak" else -math.inf
            given = {self._number[kind][name]: max(value / factor, least) for name, value in values.items()}
            if _SIDE.get(kind, kind) == "link":
                self._uncontrol(given.keys() - self._held.get("link.open", {}).keys() - self._held.get("pump.speed", {}).keys())
            self._held.setdefault(what, {}).update(given)

    def _uncontrol(self, links: Collection[int]) -> None:
        """Drop the simple controls of some links."""
        en = self._en
        for number in range(en.ENgetcount(5), 0, -1):
            if links and en.ENgetcontrol(number)["linkindex"] in links:
                en.ENdeletecontrol(number)

    def step(self, until: int) -> None:
        """Advance to a time, to the second; in between EPANET stops at its own events, too."""
        en, end = self._en, (until - self._start) // 1_000_000
        self._deeds.append(("step", until))
        try:
            if self._stale:  # solving again what is solved would move it within the solver's accuracy
                self._assert()
                en.ENrunH()
                self._stale = False
            while self._now < end:
                en.ENsettimeparam(_HYDRAULIC, min(self._long, end - self._now))
                self._now += int(en.ENnextH())
                self._assert()
                en.ENrunH()
        except EpanetException as error:
            raise BROKEN(engine="EPANET", cause=str(error)) from None

    def _assert(self) -> None:
        """Say again what is set: the model's rules may have said otherwise."""
        for what, values in self._held.items():
            kind = what.partition(".")[0]
            put = self._put[_SIDE.get(kind, kind)]
            for number, value in values.items():
                if (code := put(self._en._project, number, _SET[what][1], ctypes.c_double(value))) >= _ERROR:  # noqa: SLF001 (the class has no way to put a double)
                    raise EpanetException(code)

    def outputs(self, wanted: Collection[str] = ()) -> Outputs:
        """Return pressures, heads, what is drawn and what is lacking, and flows."""
        return {what: self._served() if what == "node.served" else self._each(what, unit, which) for what, (unit, which) in _OBSERVED.items() if not wanted or what in wanted}

    def _served(self) -> npt.NDArray[np.float64]:
        """Return what those who draw at junctions get: what leaves there, less what leaks; the library gives both in one (EPANET 2.2, EN_DEMAND)."""
        leak, pressure = self._each("node.demand", "1", _LEAK), self._each("node.demand", "1", _OBSERVED["node.pressure"][1])
        leaks = leak * np.sign(pressure) * np.abs(pressure) ** self._root * self._factor["m3/s"]
        drawn = self._each("node.demand", "m3/s", _OBSERVED["node.demand"][1]) - leaks
        return np.where(self._junction, np.maximum(drawn, 0.0), 0.0)

    def _each(self, what: str, unit: str, which: int) -> npt.NDArray[np.float64]:
        """Ask for a value at a time, for the library gives no more at once; straight into an array, whose places are made once."""
        kind = what.partition(".")[0]
        numbers, places, out = self._places[kind]
        project = self._en._project  # noqa: SLF001 (a value at a time through the class takes four times as long)
        deque(map(self._ask[kind], repeat(project), numbers, repeat(which), places), maxlen=0)
        values: npt.NDArray[np.float64] = out * self._factor[unit]
        return values

    def snapshot(self) -> bytes:
        """Return everything that was done since the start."""
        return encode(self._deeds)

    def restore(self, snapshot: bytes) -> None:
        """Begin anew and do it again, which gives the same state to the last bit."""
        self._read()
        for deed, what in decode(snapshot):
            (self.set_inputs if deed == "set" else self.step)(what)


def _places(count: int) -> tuple[list[int], list[object], npt.NDArray[np.float64]]:
    """Return the numbers of objects from 1, where the library is to put the value of each, and the array that all of these places are."""
    held = (ctypes.c_double * count)()
    out: npt.NDArray[np.float64] = np.ctypeslib.as_array(held)
    return list(range(1, count + 1)), [ctypes.byref(held, 8 * at) for at in range(count)], out
