"""What it costs to run an engine behind the port: the same model over the same hours in the engine's own process without us, and through a worker. Both read the same after each step: two attributes of all objects.

The models come with the engines or are made here: EPANET's Net6 (3,323 junctions) and pandapower's Oberrhein (179 buses) from their wheels, a made sewer of 1,000 nodes, a made grid of streets.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from table import Table, head, runs

from zhongshu.engines.simulators.worker import Worker

NODES = int(os.environ.get("BENCH_NODES", "1000"))
MINUTES = 5
"""How far a step is."""
TWIN = ("swmm", "wntr", "pandapower", "libsumo", "uxsim")

BARE = {
    "swmm": """
        import swmm.toolkit.solver as swmm
        swmm.swmm_open(model, model + ".rpt", model + ".out")
        swmm.swmm_start(0)
        nodes, links = (range(swmm.project_get_count(kind)) for kind in (2, 3))
        def step(seconds):
            swmm.swmm_stride(seconds)
            [swmm.node_get_result(i, 4) for i in nodes], [swmm.link_get_result(i, 0) for i in links]
    """,
    "epanet": """
        from wntr.epanet.toolkit import ENepanet
        en, now = ENepanet(version=2.2), [0]
        en.ENopen(model, model + ".rpt", model + ".bin")
        en.ENopenH()
        en.ENsettimeparam(0, 100_000_000)
        en.ENinitH(0)
        long = en.ENgettimeparam(1)
        en.ENrunH()
        nodes, links = (range(1, en.ENgetcount(kind) + 1) for kind in (0, 2))
        import ctypes
        held = ctypes.c_double()
        at = ctypes.byref(held)
        def read(ask, project, numbers, which):
            for i in numbers:
                ask(project, i, which, at)
                held.value
        def step(seconds):
            end = now[0] + seconds
            while now[0] < end:
                en.ENsettimeparam(1, min(long, end - now[0]))
                now[0] += int(en.ENnextH())
                en.ENrunH()
            read(en.ENlib.EN_getnodevalue, en._project, nodes, 11)
            read(en.ENlib.EN_getlinkvalue, en._project, links, 8)
    """,
    "pandapower": """
        import pandapower
        net = pandapower.from_json(model)
        pandapower.runpp(net, numba=False)
        def step(seconds):
            pandapower.runpp(net, numba=False)
            net.res_bus.vm_pu.to_numpy(), net.res_line.loading_percent.to_numpy()
    """,
    "sumo": """
        import libsumo
        libsumo.start(["sumo", "-c", model, "--no-step-log", "--no-warnings", "--seed", "0"])
        edges = [e for e in libsumo.edge.getIDList() if not e.startswith(":")]
        def step(seconds):
            libsumo.simulation.step(libsumo.simulation.getTime() + seconds)
            [libsumo.edge.getLastStepVehicleNumber(e) for e in edges], [libsumo.edge.getLastStepMeanSpeed(e) for e in edges]
    """,
}
"""Each engine as its own documentation steps it, reading what is wanted of it."""

WANTED = {
    "swmm": ("node.flooding", "link.flow"),
    "epanet": ("node.pressure", "link.flow"),
    "sumo": ("edge.vehicles", "edge.speed"),
    "pandapower": ("bus.voltage", "line.loading"),
}
"""Engine → what is read after each step."""


def sewer(folder: Path) -> Path:
    """Make a sewer: ten branches that meet in a trunk, each node with half a hectare that drains into it, under 40 mm/h."""
    branch = NODES // 10
    names = [(b, k) for b in range(10) for k in range(branch)]
    rows = {
        "OPTIONS": [
            "FLOW_UNITS CMS",
            "INFILTRATION HORTON",
            "FLOW_ROUTING DYNWAVE",
            "START_DATE 01/01/2026",
            "END_DATE 01/02/2026",
            "WET_STEP 00:01:00",
            "DRY_STEP 00:01:00",
            "ROUTING_STEP 5",
        ],
        "RAINGAGES": ["G1 INTENSITY 0:05 1.0 TIMESERIES R"],
        "SUBCATCHMENTS": [f"S{b}.{k} G1 N{b}.{k} 0.5 60 50 0.5 0" for b, k in names],
        "SUBAREAS": [f"S{b}.{k} 0.01 0.1 0 0 25 OUTLET" for b, k in names],
        "INFILTRATION": [f"S{b}.{k} 10 5 4 7 0" for b, k in names],
        "JUNCTIONS": [f"N{b}.{k} {50 - 0.1 * k:.2f} 3 0 0 200" for b, k in names],
        "OUTFALLS": [f"O{b} {49.8 - 0.1 * branch:.2f} FREE NO" for b in range(10)],
        "CONDUITS": [f"C{b}.{k} N{b}.{k} {f'N{b}.{k + 1}' if k + 1 < branch else f'O{b}'} 50 0.013 0 0 0" for b, k in names],
        "XSECTIONS": [f"C{b}.{k} CIRCULAR {0.4 + 0.02 * k:.2f} 0 0 0" for b, k in names],
        "TIMESERIES": ["R 0:00 40", "R 2:00 0"],
    }
    (path := folder / "sewer.inp").write_text("\n\n".join("\n".join([f"[{name}]", *held]) for name, held in rows.items()))
    return path


def water(folder: Path) -> Path:
    """Return EPANET's Net6, which comes with wntr."""
    import wntr  # noqa: PLC0415 (an extra's)

    (path := folder / "net6.inp").write_bytes((Path(wntr.__file__).parent / "library" / "networks" / "Net6.inp").read_bytes())
    return path


def grid(folder: Path) -> Path:
    """Return the Oberrhein's grid, which comes with pandapower."""
    import pandapower  # noqa: PLC0415 (an extra's)
    import pandapower.networks  # noqa: PLC0415 (an extra's)

    pandapower.to_json(pandapower.networks.mv_oberrhein(), str(folder / "grid.json"))
    return folder / "grid.json"


def streets(folder: Path) -> Path:
    """Make a grid of 20 × 20 streets and 2,000 trips an hour."""
    import sumo  # noqa: PLC0415 (an extra's)

    home = Path(sumo.SUMO_HOME)
    call = [home / "bin" / "netgenerate", "--grid", "--grid.number", "20", "--grid.length", "150", "-o", folder / "s.net.xml", "--seed", "1"]
    subprocess.run(call, check=True, capture_output=True)
    call = [sys.executable, home / "tools" / "randomTrips.py", "-n", folder / "s.net.xml", "-r", folder / "s.rou.xml", "-e", "7200", "-p", "1.8", "--seed", "1"]
    subprocess.run(call, check=True, capture_output=True, cwd=folder)
    (path := folder / "s.sumocfg").write_text('<configuration><input><net-file value="s.net.xml"/><route-files value="s.rou.xml"/></input></configuration>')
    return path


MODELS = {"swmm": (sewer, 2.0), "epanet": (water, 24.0), "sumo": (streets, 2.0), "pandapower": (grid, 2.0)}
"""Engine → its model and how many hours of it."""


def bare(engine: str, model: Path, steps: int) -> float:
    """Return the seconds that an engine takes by itself, its start and its reading of the model left out."""
    code = f"import sys, time\nmodel = sys.argv[1]\n{textwrap.dedent(BARE[engine])}\nbegun = time.monotonic()\nfor _ in range({steps}):\n    step({MINUTES * 60})\nprint(time.monotonic() - begun, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, str(model)], capture_output=True, text=True, check=True, cwd=model.parent)
    return float(done.stderr.strip().splitlines()[-1])


def ours(engine: str, model: Path, steps: int, wanted: tuple[str, ...]) -> float:
    """Return the seconds that the same takes through a worker that observes what is wanted after each step, or everything."""
    worker = Worker(engine)
    try:
        worker.load(model, 0)
        begun = time.monotonic()
        for k in range(1, steps + 1):
            worker.step(k * MINUTES * 60_000_000)
            worker.outputs(wanted)
        return time.monotonic() - begun
    finally:
        worker.close()


def main() -> None:
    """Measure each engine both ways, three times each, by turns: what else the machine does bears on both."""
    head()
    if missing := [name for name in TWIN if importlib.util.find_spec(name) is None]:
        print(f"not measured: no {', '.join(missing)} (pip install 'zhongshu[twin]')")
        return
    table = Table()
    with tempfile.TemporaryDirectory(prefix="bench-") as held:
        for engine, (make, hours) in MODELS.items():
            model, steps = make(Path(held)), int(hours * 60 / MINUTES)
            ways = (lambda e=engine, m=model, n=steps: bare(e, m, n), *(lambda e=engine, m=model, n=steps, w=w: ours(e, m, n, w) for w in (WANTED[engine], ())))
            alone, through, all_ = (runs(iter(found).__next__) for found in zip(*([way() for way in ways] for _ in range(3)), strict=True))
            table.add(
                f"{engine}: {hours:g} h in steps of {MINUTES} min, {' and '.join(WANTED[engine])} read after each",
                f"{through:.2f} s, {hours * 3600 / through:,.0f}× real time",
                f"bare {alone:.2f} s → {through / alone:.2f}×  promise ≤ 1.15×; all attributes {all_:.2f} s",
            )


if __name__ == "__main__":
    main()
