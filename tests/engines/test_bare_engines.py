"""Real networks of others: each is imported, runs, and gives what its engine gives on the same file without us."""

import gzip
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from zhongshu.app.twin import Asked, import_model, lines, run_model
from zhongshu.engines.simulators.worker import Worker
from zhongshu.foresee import Models
from zhongshu.kernel.problem import Problem

pytestmark = pytest.mark.twin
HOUR = 3_600_000_000
TWIN = ("swmm", "wntr", "pandapower", "libsumo", "uxsim")
FILES = {
    "l-town": ("e-epanet/L-TOWN.inp.gz", "epanet"),
    "zj": ("e-epanet/ZJ.inp", "epanet"),
    "ky4": ("e-epanet/ky4.inp.gz", "epanet"),
    "net3": ("e-epanet/Net3.inp", "epanet"),
    "alpha": ("e-swmm/alpha.inp", "swmm"),
    "gamma": ("e-swmm/gamma.inp", "swmm"),
    "theta": ("e-swmm/theta.inp", "swmm"),
    "bologna": ("e-sumo-bologna/run.sumocfg", "sumo"),
    "ingolstadt7": ("e-sumo-ingolstadt7/ingolstadt7.sumocfg", "sumo"),
    "badhersfeld": ("e-sumo-badhersfeld/osm.sumocfg", "sumo"),
    "gudang": ("e-cityflow-hangzhou/roadnet_4_4.json.gz", "cityflow"),
    "oberrhein": ("e-power/mv_oberrhein.json.gz", "pandapower"),
    "case33bw": ("e-power/case33bw.json", "pandapower"),
    "illinois200": ("e-power/case_illinois200.json", "pandapower"),
}


@pytest.fixture(scope="module")
def models(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Return a city's models, in which each is imported when first asked for."""
    if missing := [name for name in TWIN if find_spec(name) is None]:
        pytest.skip(f"no {', '.join(missing)}: pip install 'zhongshu[twin]'")
    return Models(tmp_path_factory.mktemp("city") / "twin")


@pytest.fixture
def imported(models: Models, samples: Path) -> "Importer":
    """Return how to import a model by its name."""
    return Importer(models, samples)


class Importer:
    """Imports each file once."""

    def __init__(self, models: Models, samples: Path) -> None:
        self.models, self.samples = models, samples

    def __call__(self, name: str) -> Path:
        file, form = FILES[name]
        if name not in self.models.names():
            demand = self.samples / "e-cityflow-hangzhou/anon_4_4_hangzhou_real.json.gz" if form == "cityflow" else None
            import_model(self.models.folder.parent, self.samples / file, Asked(form, name, demand=demand))
        return self.models.path(name)


@pytest.fixture
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """Return a worker of an engine."""
    held = Worker(request.param)
    yield held
    held.close()


def bare(code: str, *given: object) -> "np.lib.npyio.NpzFile":
    """Run an engine by itself, in a process of its own, and return the columns it saved."""
    out = Path(str(given[-1]))
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), *map(str, given)], check=False, capture_output=True, text=True, timeout=240, cwd=out.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    return np.load(out)


@pytest.mark.parametrize("name", FILES)
def test_each_is_imported_and_drawn(imported: Importer, name: str) -> None:
    imported(name)
    card, drawing = imported.models.card(name), imported.models.drawing(name)
    assert sum(card.taken.values()) > 10 and len(drawing["features"]) > 10
    if card.crs:
        xs, ys = zip(
            *(point for f in drawing["features"] for point in ([f["geometry"]["coordinates"]] if f["geometry"]["type"] == "Point" else f["geometry"]["coordinates"])), strict=True
        )
        assert {"oberrhein": (7, 8, 48, 49), "bologna": (11, 12, 44, 45), "ingolstadt7": (11, 12, 48, 49), "badhersfeld": (9, 10, 50, 51)}[name] == tuple(
            int(f(v)) for v, f in ((min(xs), np.floor), (max(xs), np.ceil), (min(ys), np.floor), (max(ys), np.ceil))
        )


@pytest.mark.parametrize("name", ["badhersfeld", "theta"])
def test_one_runs_alone_and_says_what_it_came_to(imported: Importer, name: str) -> None:
    imported(name)
    card, told = imported.models.card(name), run_model(imported.models.folder.parent, name, 0.25)
    assert set(told["outputs"]) <= set(card.observed) and told["engine"] == card.version and len(lines(told)) == len(told["outputs"]) + 1


WATER = """
    import sys, numpy as np, wntr
    net = wntr.network.WaterNetworkModel(sys.argv[1])
    net.options.time.duration, net.options.time.report_timestep = 24 * 3600, 3600
    found = wntr.sim.EpanetSimulator(net).run_sim(version=2.2)
    nodes, links = net.node_name_list, net.link_name_list
    np.savez(sys.argv[2], nodes=nodes, links=links, pressure=found.node["pressure"][nodes].to_numpy(), demand=found.node["demand"][nodes].to_numpy(), flow=found.link["flowrate"][links].to_numpy())
"""


@pytest.mark.parametrize("name", ["l-town", "zj", "ky4", "net3"])
@pytest.mark.parametrize("worker", ["epanet"], indirect=True)
def test_a_day_of_water_is_what_epanet_says(imported: Importer, worker: Worker, name: str, tmp_path: Path) -> None:
    path = imported(name)
    theirs = bare(WATER, path, tmp_path / "out.npz")
    objects = worker.load(path, 0)
    order = {kind: [objects[kind].index(each) for each in theirs[f"{kind}s"]] for kind in ("node", "link")}
    for hour in range(25):
        worker.step(hour * HOUR)
        ours = worker.outputs()
        for kind, what, column, near in (("node", "node.pressure", "pressure", 1e-3), ("node", "node.demand", "demand", 1e-6), ("link", "link.flow", "flow", 1e-5)):
            # EPANET writes its results as single floats: a millimetre of pressure, a hundredth of a litre a second
            np.testing.assert_allclose(ours[what][order[kind]], theirs[column][hour], rtol=1e-4, atol=near, err_msg=f"{what} at hour {hour}")


SEWERS = """
    import sys, numpy as np
    from pyswmm import Links, Nodes, Simulation
    step, count, rows = int(sys.argv[2]), int(sys.argv[3]), []
    with Simulation(sys.argv[1]) as run:
        us = run.system_units == "US"
        metre, rate = (0.3048 if us else 1.0), {"CFS": 0.3048**3, "GPM": 3.785411784e-3 / 60, "MGD": 3785.411784 / 86400, "CMS": 1.0, "LPS": 1e-3, "MLD": 1e3 / 86400}[run.flow_units]
        nodes, links = list(Nodes(run)), list(Links(run))
        run.step_advance(step)
        for _ in run:
            rows.append([n.depth * metre for n in nodes] + [n.flooding * rate for n in nodes] + [l.flow * rate for l in links])
            if len(rows) == count:
                break
        np.savez(sys.argv[4], nodes=[n.nodeid for n in nodes], links=[l.linkid for l in links], rows=np.array(rows))
"""


@pytest.mark.parametrize("name", ["alpha", "gamma", "theta"])
@pytest.mark.parametrize("worker", ["swmm"], indirect=True)
def test_sewers_are_what_swmm_says(imported: Importer, worker: Worker, name: str, tmp_path: Path) -> None:
    (tmp_path / "model.inp").write_bytes((path := imported(name)).read_bytes())
    theirs = bare(SEWERS, tmp_path / "model.inp", 300, 96, tmp_path / "out.npz")
    objects = worker.load(path, 0)
    assert list(objects["node"]) == theirs["nodes"].tolist() and list(objects["link"]) == theirs["links"].tolist()
    assert len(theirs["rows"]) == 96 and theirs["rows"].max() > 0.01
    for k, row in enumerate(theirs["rows"], 1):
        worker.step(k * 300_000_000)
        ours = worker.outputs()
        np.testing.assert_allclose(np.concatenate([ours["node.depth"], ours["node.flooding"], ours["link.flow"]]), row, rtol=0, atol=1e-9, err_msg=f"step {k}")


POWER = """
    import sys, numpy as np, pandapower
    net = pandapower.from_json(sys.argv[1])
    pandapower.runpp(net, numba=False)
    np.savez(sys.argv[2], voltage=np.nan_to_num(net.res_bus.vm_pu), loading=np.nan_to_num(net.res_line.loading_percent), power=net.res_load.p_mw)
"""


@pytest.mark.parametrize("name", ["oberrhein", "case33bw", "illinois200"])
@pytest.mark.parametrize("worker", ["pandapower"], indirect=True)
def test_the_grid_is_what_pandapower_says(imported: Importer, worker: Worker, name: str, tmp_path: Path) -> None:
    path = imported(name)
    theirs = bare(POWER, path, tmp_path / "out.npz")
    worker.load(path, 0)
    ours = worker.outputs()
    for what, column in (("bus.voltage", "voltage"), ("line.loading", "loading"), ("load.power", "power")):
        np.testing.assert_array_equal(ours[what], theirs[column], err_msg=what)


@pytest.mark.parametrize("name", ["bologna", "ingolstadt7", "gudang"])
@pytest.mark.parametrize("worker", ["sumo"], indirect=True)
def test_traffic_is_what_sumo_says(imported: Importer, worker: Worker, name: str, tmp_path: Path) -> None:
    path, summary = imported(name), tmp_path / "summary.csv"
    binary = Path(str(find_spec("sumo").origin)).parent / "bin" / "sumo"  # type: ignore[union-attr]
    begin = {"ingolstadt7": 57600}.get(name, 0)
    call = [binary, "-c", path, "--seed", "7", "--end", str(begin + 600), "--no-step-log", "--no-warnings", "--ignore-route-errors", "--summary-output", summary]
    subprocess.run(call, check=True, capture_output=True, timeout=240)
    rows = [line.split(";") for line in summary.read_text().splitlines()]
    at = {word.removeprefix("step_"): i for i, word in enumerate(rows[0])}
    theirs = {float(row[at["time"]]): (float(row[at["running"]]), float(row[at["arrived"]])) for row in rows[1:]}
    worker.load(path, 0, 7)
    for second in range(60, 601, 60):
        worker.step(second * 1_000_000)
        ours = worker.outputs()
        assert (ours["net.running"][0], ours["net.arrived"][0]) == theirs[begin + second - 1.0], f"at {second} s"
    assert ours["net.running"][0] > 30


# what is broken


@pytest.mark.parametrize(
    ("file", "form", "line", "cause"),
    [
        ("e-epanet/Net1broken.inp", "epanet", "line 23 or 24", "duplicate ID label 2"),
        ("e-swmm/swmmio_invalid_model.inp", "swmm", "line 59", "undefined object NonExistantnode1"),
        ("e-swmm/delta.inp", "swmm", "line 85", "invalid infiltration parameters"),
    ],
)
def test_a_broken_file_is_refused_by_line_and_cause_and_leaves_nothing(models: Models, samples: Path, file: str, form: str, line: str, cause: str) -> None:
    before = models.names()
    with pytest.raises(Problem) as told:
        import_model(models.folder.parent, samples / file, Asked(form, "broken"))
    assert told.value.kind.code == "twin.model" and line in told.value.sentence() and cause in told.value.sentence("zh") and Path(file).name in told.value.sentence()
    assert models.names() == before and not list(models.folder.glob(".*"))


def test_a_name_is_one_files(imported: Importer, samples: Path) -> None:
    imported("net3")
    city = imported.models.folder.parent
    assert import_model(city, samples / "e-epanet/Net3.inp", Asked("epanet", "net3")).name == "net3"
    with pytest.raises(Problem) as taken:
        import_model(city, samples / "e-epanet/ZJ.inp", Asked("epanet", "net3"))
    with pytest.raises(Problem) as bad:
        import_model(city, samples / "e-epanet/ZJ.inp", Asked("epanet", "../zj"))
    assert (taken.value.kind.code, bad.value.kind.code) == ("twin.name_taken", "twin.bad_name")


def test_a_grid_that_names_a_class_of_its_own_is_not_opened(models: Models, samples: Path, tmp_path: Path) -> None:
    text = gzip.decompress((samples / "e-power/mv_oberrhein.json.gz").read_bytes()).decode()
    (evil := tmp_path / "evil.json").write_text(text.replace('"pandas.core.frame"', '"subprocess"', 1).replace('"DataFrame"', '"Popen"', 1))
    with pytest.raises(Problem) as told:
        import_model(models.folder.parent, evil, Asked("pandapower", "evil"))
    assert told.value.kind.code == "survey.model_unreadable" and "subprocess.Popen" in told.value.sentence()
