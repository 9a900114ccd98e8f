"""One suite for every engine behind the simulator's port: each runs for real, in a process of its own, on a model small enough to reckon by hand."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import models
import numpy as np
import pytest

from zhongshu.engines.simulators.worker import ENGINES, Worker
from zhongshu.kernel.problem import Problem

pytestmark = pytest.mark.twin
START, MINUTE = 1_767_225_600_000_000, 60_000_000
LIBRARY = {"swmm": "swmm.toolkit", "epanet": "wntr", "pandapower": "pandapower", "sumo": "libsumo", "uxsim": "uxsim"}
FORCED = {
    "swmm": {"gage.rain": {"G1": 72.0}},
    "epanet": {"link.open": {"U1": 0.0}},
    "pandapower": {"line.on": {"1": 0.0}},
    "sumo": {"edge.closed": {"B1C1": 1.0}},
    "uxsim": {"link.closed": {"ab": 1.0}},
}
"""What is set from outside in each small model."""
NEAR = {"swmm": 1e-3, "sumo": 3.0}
"""How far a restored run may stray where the engine's own saved state is not whole: metres, m³/s, or vehicles in all the net. The others return to the last bit."""
Start = Callable[..., Worker]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return how to get an engine's small model, or skip visibly."""
    folder, made = tmp_path_factory.mktemp("models"), dict[str, Path]()

    def get(engine: str) -> Path:
        if importlib.util.find_spec(LIBRARY[engine].split(".")[0]) is None:
            pytest.skip(f"no {engine}: pip install 'zhongshu[twin]'")
        if engine not in made:
            made[engine] = models.MADE[engine](folder)
        return made[engine]

    return get


@pytest.fixture(scope="module")
def idle() -> Iterator[dict[str, list[Worker]]]:
    """Keep workers that wait for their next model: starting one costs more than most tests."""
    held: dict[str, list[Worker]] = defaultdict(list)
    yield held
    for each in (worker for workers in held.values() for worker in workers):
        each.close()
        assert not each.folder.exists()


@pytest.fixture
def start(files: Callable[[str], Path], idle: dict[str, list[Worker]]) -> Iterator[Start]:
    """Return how to get a worker of an engine that has loaded its small model."""
    running: list[Worker] = []

    def begin(engine: str, *, seed: int = 1) -> Worker:
        model = files(engine)
        running.append(worker := idle[engine].pop() if idle[engine] else Worker(engine, limit=60))
        worker.load(model, START, seed, list(FORCED[engine]))
        return worker

    yield begin
    for each in running:
        if each.alive:
            each.limit = 60
            idle[each.engine].append(each)
        else:
            each.close()


def go(worker: Worker, first: int, last: int) -> None:
    """Step from one minute to another."""
    for minute in range(first + 1, last + 1):
        worker.step(START + minute * MINUTE)


def apart(one: Worker, other: Worker) -> dict[str, float]:
    """Return by how much two runs differ at most, by attribute."""
    mine, theirs = one.outputs(), other.outputs()
    return {what: gap for what in mine if len(mine[what]) and (gap := float(np.abs(mine[what] - theirs[what]).max()))}


def of(worker: Worker, what: str, name: str) -> float:
    """Return one object's value."""
    return float(worker.outputs()[what][worker.objects[what.partition(".")[0]].index(name)])


every = pytest.mark.parametrize("engine", ENGINES)


@every
def test_only_what_is_wanted_is_told(engine: str, start: Start) -> None:
    worker = start(engine)
    go(worker, 0, 3)
    everything = worker.outputs()
    assert everything.keys() == worker.observed.keys()
    for wanted in ([], *([what] for what in worker.observed), list(worker.observed)[:2]):
        some = worker.outputs(wanted)
        assert some.keys() == set(wanted or worker.observed) and all(np.array_equal(values, everything[what]) for what, values in some.items())
    with pytest.raises(Problem, match=r"twin\.input"):
        worker.outputs(["nothing.such"])


def test_sumo_s_totals_are_what_passes_second_by_second(files: Callable[[str], Path], tmp_path: Path) -> None:
    model = files("sumo")
    code = (
        "import libsumo, sys\nlibsumo.start(['sumo', '-c', sys.argv[1], '--seed', '1', '--no-step-log', '--no-warnings'])\narrived = 0\n"
        "for k in range(900):\n    libsumo.simulation.step()\n    arrived += libsumo.simulation.getArrivedNumber()\n    print(arrived) if k % 60 == 59 else None"
    )
    said = subprocess.run([sys.executable, "-c", code, str(model)], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    counted = [float(line) for line in said.split() if line.isdigit()]
    worker = Worker("sumo", limit=60)
    try:
        worker.load(model, START, 1)
        mine, kept = [], b""
        for minute in range(1, 16):
            worker.step(START + minute * MINUTE)
            mine.append(of(worker, "net.arrived", "net"))
            kept = worker.snapshot() if minute == 12 else kept
        assert mine == counted and mine[-1] > mine[4] > 0
        worker.restore(kept)
        assert of(worker, "net.arrived", "net") == mine[11]  # the total goes on where it was, whatever SUMO counts anew
        worker.step(START + 13 * MINUTE)
        assert of(worker, "net.arrived", "net") >= mine[11]
    finally:
        worker.close()


@every
def test_all_that_is_observed_is_said_with_its_unit_for_every_object(start: Start, engine: str) -> None:
    worker = start(engine)
    go(worker, 0, 2)
    out = worker.outputs()
    assert set(out) == set(worker.observed) and worker.version().split()[-1][0].isdigit()
    for what, values in out.items():
        assert len(values) == len(worker.objects[what.partition(".")[0]]) and np.isfinite(values).all()
    assert {what.partition(".")[0] for what in worker.inputs} <= set(worker.objects)


@every
def test_the_same_seed_gives_the_same_run(start: Start, engine: str) -> None:
    one, other = start(engine, seed=5), start(engine, seed=5)
    for worker in (one, other):
        go(worker, 0, 4)
        worker.set_inputs(FORCED[engine])
        go(worker, 4, 8)
    assert apart(one, other) == {}


EFFECTS = {
    "swmm": {"gage.rain": ("G1", 72.0), "node.inflow": ("J1", 0.1), "link.setting": ("C1", 0.0), "pump.setting": ("PU1", 0.0)},
    "epanet": {"link.open": ("U1", 0.0), "pump.speed": ("U1", 1.1), "junction.demand": ("J1", 0.02), "junction.leak": ("J2", 0.001)},
    "pandapower": {"bus.on": ("3", 0.0), "line.on": ("1", 0.0), "trafo.on": ("0", 0.0), "switch.on": ("0", 0.0), "load.power": ("1", 2.0), "load.extra": ("1", 0.7)},
    "sumo": {"edge.closed": ("B1C1", 1.0), "edge.speed": ("B1C1", 2.0), "signal.dark": ("B1", 1.0), "edge.visitors": ("B1C1", 900.0)},
    "uxsim": {"link.closed": ("ab", 1.0), "link.speed": ("ab", 3.0)},
}
"""Of every attribute that can be set, an object and a value."""


@pytest.mark.parametrize(("engine", "what"), [(engine, what) for engine, effects in EFFECTS.items() for what in effects])
def test_whatever_is_set_makes_a_difference(start: Start, engine: str, what: str) -> None:
    left, set_ = start(engine), start(engine)
    name, value = EFFECTS[engine][what]
    if what in {"link.setting", "pump.setting"}:
        for worker in (left, set_):
            worker.set_inputs({"node.inflow": {"J1": 0.1, "J3": 0.02}})
    set_.set_inputs({what: {name: value}})
    for worker in (left, set_):
        go(worker, 0, 10)
    assert set(left.inputs) == set(EFFECTS[engine]) and apart(left, set_)


@every
def test_a_run_goes_back_to_a_snapshot_and_goes_on_from_there(start: Start, engine: str) -> None:
    one, other = start(engine), start(engine)
    go(one, 0, 3)
    one.set_inputs(FORCED[engine])
    go(one, 3, 5)
    kept = one.snapshot()
    go(one, 5, 9)
    go(other, 0, 1)
    other.restore(kept)
    go(other, 5, 9)
    strayed = {what: gap for what, gap in apart(one, other).items() if gap > NEAR.get(engine, 0.0) and not what.startswith("edge.")}
    assert strayed == {}


@every
def test_what_the_model_has_not_and_what_is_no_number_is_refused_whole(start: Start, engine: str) -> None:
    worker, other = start(engine), start(engine)
    (what, values), *_ = FORCED[engine].items()
    for wrong in ({what: values | {"nowhere": 1.0}}, {"moon.phase": {"full": 1.0}}, {what: dict.fromkeys(values, float("nan"))}, {what: dict.fromkeys(values, float("inf"))}):
        with pytest.raises(Problem) as refused:
            worker.set_inputs(wrong)
        assert refused.value.kind.code == "twin.input"
    for each in (worker, other):
        go(each, 0, 5)
    assert apart(worker, other) == {}


@every
def test_a_file_that_is_no_model_is_refused_with_its_cause(files: Callable[[str], Path], engine: str, tmp_path: Path) -> None:
    suffix = files(engine).suffix
    (broken := tmp_path / f"broken{suffix}").write_text("this is no model\n")
    worker = Worker(engine)
    try:
        with pytest.raises(Problem) as refused:
            worker.load(broken, START)
        assert refused.value.kind.code == "twin.model" and refused.value.particulars["cause"]
    finally:
        worker.close()


@every
def test_a_killed_engine_ends_its_run_with_a_sentence(start: Start, engine: str) -> None:
    worker = start(engine)
    os.kill(worker._process.pid, signal.SIGKILL)
    with pytest.raises(Problem) as told:
        worker.step(START + MINUTE)
    assert told.value.kind.code == "twin.killed" and "SIGKILL" in told.value.sentence()


@every
def test_a_hanging_engine_is_ended_in_time(start: Start, engine: str) -> None:
    worker = start(engine)
    worker.limit = 0.5
    os.kill(worker._process.pid, signal.SIGSTOP)
    with pytest.raises(Problem) as told:
        worker.step(START + MINUTE)
    assert told.value.kind.code == "twin.hung" and worker._process.wait() == -signal.SIGKILL


def test_a_step_that_takes_too_long_is_ended_though_nobody_waits(start: Start) -> None:
    worker = start("swmm")
    worker.limit = 0.2
    with pytest.raises(Problem) as told:
        worker.step(START + 365 * 24 * 60 * MINUTE)
    assert told.value.kind.code == "twin.hung"


def test_an_engine_whose_asker_is_gone_leaves_nothing(files: Callable[[str], Path], tmp_path: Path) -> None:
    files("swmm")
    code = "import sys, os, time; from zhongshu.engines.simulators.worker import Worker; w = Worker('swmm'); print(w.folder, w._process.pid, flush=True); os.kill(os.getpid(), 9)"
    folder, pid = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout.split()
    end = time.monotonic() + 30
    while time.monotonic() < end and (Path(folder).exists() or Path(f"/proc/{pid}").exists()):
        time.sleep(0.1)
    assert not Path(folder).exists() and not Path(f"/proc/{pid}").exists()


def test_a_run_is_stopped_from_another_thread(start: Start) -> None:
    worker = start("swmm")
    threading.Timer(0.3, worker.stop).start()
    begun = time.monotonic()
    with pytest.raises(Problem) as told:
        worker.step(START + 3650 * 24 * 60 * MINUTE)
    assert told.value.kind.code == "twin.killed" and time.monotonic() - begun < 20


# what physics says of the small models


def test_rain_runs_off_as_it_falls(start: Start) -> None:
    worker = start("swmm")
    worker.set_inputs({"gage.rain": {"G1": 36.0}})
    go(worker, 0, 60)
    assert of(worker, "catchment.runoff", "S1") == pytest.approx(0.1, rel=0.02)  # 36 mm/h on a hectare
    worker.set_inputs({"gage.rain": {"G1": 0.0}})
    go(worker, 60, 120)
    assert of(worker, "catchment.runoff", "S1") < 0.005


def test_more_than_the_pipe_holds_stands_on_the_street(start: Start) -> None:
    worker = start("swmm")
    worker.set_inputs({"node.inflow": {"J1": 1.0}})
    go(worker, 0, 30)
    assert of(worker, "node.depth", "J1") > 2.0 and of(worker, "node.flooding", "J1") > 0.3
    assert (
        of(worker, "node.ponding", "J1") == pytest.approx(of(worker, "node.depth", "J1") - 2.0) and of(worker, "node.fill", "J1") == 1.0
    )  # the manhole is 2 m deep, the pipe takes some 0.15 m³/s until it is pressed


def test_what_stands_on_the_street_is_what_stands_above_the_rim(start: Start) -> None:
    worker = start("swmm")
    worker.set_inputs({"node.inflow": {"J1": 1.0}})
    go(worker, 0, 30)
    assert of(worker, "node.ponding", "J1") == pytest.approx(of(worker, "node.depth", "J1") - 2.0) and of(worker, "node.ponding", "J1") > 0
    assert of(worker, "node.ponding", "J3") == 0


def test_a_drainage_pump_that_stands_still_lets_its_sump_fill(start: Start) -> None:
    running, still = start("swmm"), start("swmm")
    still.set_inputs({"pump.setting": {"PU1": 0.0}})
    for worker in (running, still):
        worker.set_inputs({"node.inflow": {"J3": 0.02}})
        go(worker, 0, 20)
    assert of(still, "node.depth", "J3") > 2 * of(running, "node.depth", "J3") > 0
    assert of(still, "link.flow", "PU1") == 0 < of(running, "link.flow", "PU1")


def test_without_its_pump_the_tank_empties_and_then_water_is_lacking(start: Start) -> None:
    worker = start("epanet")
    worker.set_inputs({"link.open": {"U1": 0.0}})
    levels = []
    for _ in range(3):
        levels.append(of(worker, "node.pressure", "T1"))
        go(worker, 60 * (len(levels) - 1), 60 * len(levels))
    assert levels[0] == pytest.approx(3.0) and levels[0] > levels[1] > levels[2]
    assert levels[0] - levels[1] == pytest.approx(0.015 * 3600 / (3.14159 * 25), rel=0.02)  # 15 L/s out of a tank of 10 m
    go(worker, 180, 60 * 24)
    assert of(worker, "node.deficit", "J1") == pytest.approx(0.01, rel=0.01) and of(worker, "node.demand", "J1") == pytest.approx(0, abs=1e-4)
    assert of(worker, "node.served", "J1") == pytest.approx(0, abs=1e-4) and of(worker, "node.served", "T1") == 0, "a tank that gives or takes is no user"


def test_a_leak_takes_what_its_pressure_presses_out(start: Start) -> None:
    worker = start("epanet")
    worker.set_inputs({"junction.leak": {"J2": 0.001}})
    go(worker, 0, 10)
    assert of(worker, "node.demand", "J2") == pytest.approx(0.005 + 0.001 * of(worker, "node.pressure", "J2") ** 0.5, rel=1e-3)
    assert of(worker, "node.served", "J2") == pytest.approx(0.005, rel=1e-3), "what leaks is nobody's"
    worker.set_inputs({"junction.leak": {"J2": 0.0}, "junction.demand": {"J2": 0.008}})
    go(worker, 10, 11)
    assert of(worker, "node.demand", "J2") == pytest.approx(0.008, rel=1e-3)


def test_a_faster_pump_lifts_more_and_a_pipe_has_no_speed(start: Start) -> None:
    worker = start("epanet")
    before = of(worker, "link.flow", "U1")
    worker.set_inputs({"pump.speed": {"U1": 1.2}})
    go(worker, 0, 1)
    assert of(worker, "link.flow", "U1") > before + 0.005
    with pytest.raises(Problem) as told:
        worker.set_inputs({"pump.speed": {"P1": 1.2}})
    assert told.value.kind.code == "twin.input" and worker.objects["pump"] == ("U1",) and worker.objects["junction"] == ("J1", "J2")


def test_what_an_engine_gives_that_is_no_number_ends_the_run_at_its_object(start: Start) -> None:
    worker = start("epanet")
    worker.set_inputs({"junction.demand": {"J1": 1e300}})
    worker.step(START + MINUTE)
    with pytest.raises(Problem) as told:
        worker.outputs()
    assert told.value.kind.code == "twin.not_a_number" and "node.pressure J1" in told.value.sentence()


def test_behind_an_open_line_it_is_dark(start: Start) -> None:
    worker = start("pandapower")
    assert worker.outputs()["bus.supplied"].tolist() == [1, 1, 1, 1] and worker.outputs()["load.power"].sum() == pytest.approx(1.5)
    worker.set_inputs({"line.on": {"1": 0.0}})
    go(worker, 0, 1)
    assert worker.outputs()["bus.supplied"].tolist() == [1, 1, 1, 0] and worker.outputs()["load.power"].tolist() == [1.0, 0.0]
    assert worker.outputs()["load.lost"].tolist() == [0.0, 0.5]
    worker.set_inputs({"load.extra": {"0": 0.25}})
    go(worker, 0, 1)
    assert worker.outputs()["load.power"].tolist() == [1.25, 0.0]
    worker.set_inputs({"load.extra": {"0": 0.0}})
    worker.set_inputs({"line.on": {"1": 1.0}, "load.power": {"1": 2.0}})
    go(worker, 1, 2)
    assert worker.outputs()["load.power"].sum() == pytest.approx(3.0)


def test_a_load_that_no_grid_can_carry_ends_the_run_with_its_cause(start: Start) -> None:
    worker = start("pandapower")
    worker.set_inputs({"load.power": {"0": 1e6}})
    with pytest.raises(Problem) as told:
        go(worker, 0, 1)
    assert told.value.kind.code == "twin.broken" and "converge" in told.value.sentence()


def test_the_ambulance_arrives_and_a_closed_road_is_empty(start: Start) -> None:
    open_, closed = start("sumo"), start("sumo")
    closed.set_inputs({"edge.closed": {"B1C1": 1.0, "B0C0": 1.0}, "signal.dark": {"B1": 1.0}})
    for worker in (open_, closed):
        go(worker, 0, 15)
    assert of(open_, "trip.arrived", "help") == of(closed, "trip.arrived", "help") == 1.0
    assert of(closed, "edge.vehicles", "B1C1") == 0.0 and 20 < of(open_, "trip.time", "help") < 600
    closed.set_inputs({"edge.closed": {"B1C1": 0.0, "B0C0": 0.0}, "signal.dark": {"B1": 0.0}})
    go(closed, 15, 16)


def test_who_cannot_take_the_short_way_takes_the_long_one(start: Start) -> None:
    worker = start("uxsim")
    worker.set_inputs({"link.closed": {"ab": 1.0}})
    go(worker, 0, 25)
    assert of(worker, "link.vehicles", "ab") == 0.0 and of(worker, "link.vehicles", "ac") > 0


def test_visitors_come_from_all_over_and_arrive(start: Start) -> None:
    calm, busy = start("sumo"), start("sumo")
    busy.set_inputs({"edge.visitors": {"B1C1": 360.0}})
    for worker in (calm, busy):
        go(worker, 0, 20)
    came = of(busy, "net.arrived", "net") - of(calm, "net.arrived", "net")
    assert 60 < came <= 120  # one every ten seconds for twenty minutes, some still on their way
    busy.set_inputs({"edge.closed": {name: 1.0 for name in busy.objects["edge"] if name.startswith("A")}})  # nobody can leave from there
    go(busy, 20, 21)
    busy.set_inputs({"edge.visitors": {"B1C1": 0.0}, "edge.closed": dict.fromkeys((name for name in busy.objects["edge"] if name.startswith("A")), 0.0)})
    go(busy, 21, 45)
    assert of(busy, "net.running", "net") + of(busy, "net.waiting", "net") == 0
