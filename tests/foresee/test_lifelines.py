"""The made city's four models in their engines: an ordinary day is ordinary, and a cloudburst runs through all networks by the pack's rules."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from zhongshu.app.bones import import_made
from zhongshu.app.scenarios import run_scenario
from zhongshu.engines.simulators.worker import Worker
from zhongshu.foresee import Models, read_scenario
from zhongshu.kernel.problem import Problem
from zhongshu.packs import lifelines
from zhongshu.packs.lifelines.forecasts import COUPLINGS
from zhongshu.survey import make

pytestmark = pytest.mark.twin
MINUTE = 60_000_000
STORM = Path(lifelines.__file__).parent / "sample" / "storm.toml"
RAIN = re.compile(r'(set = "sewers:gage.rain"\nvalue = )(\d+)')


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a city of 20,000 with its models in its twin."""
    for library in ("swmm", "wntr", "pandapower", "libsumo"):
        if find_spec(library) is None:
            pytest.skip(f"no {library}: pip install 'zhongshu[twin]'")
    folder = tmp_path_factory.mktemp("city")
    make(folder, 20_000, 7)
    heard: list[str] = []
    cards = import_made(folder, heard.append)
    assert heard == [card.name for card in cards] == ["roads", "sewers", "water", "grid"]
    assert {card.crs for card in cards} == {"EPSG:4490"}
    assert all(not card.refused for card in cards)
    return folder


@pytest.fixture
def load(city: Path) -> Iterator[Callable[[str], tuple[Worker, dict[str, tuple[str, ...]]]]]:
    """Return how to start an engine on one of the city's models."""
    held: list[Worker] = []

    def start(name: str) -> tuple[Worker, dict[str, tuple[str, ...]]]:
        models = Models(city / "twin")
        held.append(Worker(models.card(name).engine))
        return held[-1], dict(held[-1].load(models.path(name), 0, 7))

    yield start
    for worker in held:
        worker.close()


def test_on_an_ordinary_day_everyone_has_pressure_and_without_pumps_nobody(load: Callable[..., Any]) -> None:
    worker, objects = load("water")
    street = np.array([name.startswith("N") for name in objects["node"]])
    for hour in range(25):
        worker.step(hour * 60 * MINUTE)
        out = worker.outputs()
        pressure = out["node.pressure"][street]
        assert 20 <= pressure.min() and pressure.max() <= 60, f"hour {hour}"
        assert out["node.deficit"].max() < 1e-6
    worker.set_inputs({"pump.speed": dict.fromkeys(objects["pump"], 0.0)})
    worker.step(27 * 60 * MINUTE)
    assert worker.outputs()["node.pressure"][street].max() < 14


def test_on_an_ordinary_day_voltages_and_loadings_are_in_bounds(load: Callable[..., Any]) -> None:
    worker, _ = load("grid")
    out = worker.outputs()
    assert out["bus.supplied"].min() == 1
    assert 0.93 <= out["bus.voltage"].min() and out["bus.voltage"].max() <= 1.07
    assert max(out["line.loading"].max(), out["trafo.loading"].max()) < 100


def test_light_rain_runs_off_and_a_cloudburst_stands_in_some_places(load: Callable[..., Any]) -> None:
    stood = []
    for millimetres in (10, 80):
        worker, objects = load("sewers")
        most = np.zeros(len(objects["node"]))
        for at, (_, rain) in enumerate(RAIN.findall(STORM.read_text("utf-8"))):
            worker.set_inputs({"gage.rain": dict.fromkeys(objects["gage"], float(rain) * millimetres / 80)})
            for part in (5, 10):
                worker.step((10 * at + part) * MINUTE)
                most = np.maximum(most, worker.outputs()["node.ponding"])
        stood.append(most)
    assert stood[0].max() < 0.01
    share = float((stood[1] >= 0.15).mean())
    assert 0.01 < share < 0.4
    assert stood[1].max() < 2.5


def test_the_scenario_is_the_packs_rules_and_eighty_millimetres() -> None:
    scenario = read_scenario(STORM)
    assert msgspec.to_builtins(scenario.coupling) == msgspec.to_builtins(list(COUPLINGS))
    assert sum(change.value for change in scenario.change) * 10 / 60 == pytest.approx(80)


@pytest.fixture(scope="module")
def told(city: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what a storm twice as heavy as the pack's comes to in the small city, and the same hours without rain."""
    folder, out = tmp_path_factory.mktemp("runs"), {}
    for name, factor in (("storm", 2), ("dry", 0)):
        path = folder / f"{name}.toml"
        path.write_text(RAIN.sub(lambda found: f"{found[1]}{int(found[2]) * factor}", STORM.read_text("utf-8")), "utf-8")
        out[name] = run_scenario(city, path, lambda _at, _end: None)
    return out


def test_the_storm_runs_through_all_networks_in_order(told: dict[str, Any]) -> None:
    first: dict[str, int] = {}
    for exchange in told["storm"]["exchanges"]:
        first.setdefault(exchange["set"], exchange["second"])
    assert {"edge.closed", "bus.on", "signal.dark", "edge.speed", "pump.setting", "pump.speed"} <= first.keys()
    assert first["gage.rain"] < first["edge.closed"] <= first["bus.on"] < min(first["signal.dark"], first["pump.speed"])
    watched = told["storm"]["watched"]
    assert 0 < watched["grid:bus.supplied"]["sum"][-1] < watched["grid:bus.supplied"]["sum"][0]
    assert watched["water:node.pressure"]["mean"][-1] < told["dry"]["watched"]["water:node.pressure"]["mean"][-1]
    assert watched["roads:trip.time"]["sum"][-1] != told["dry"]["watched"]["roads:trip.time"]["sum"][-1]


def test_without_rain_no_rule_holds(told: dict[str, Any]) -> None:
    assert Counter(exchange["by"] for exchange in told["dry"]["exchanges"]).keys() == {"change"}


def test_a_city_without_bones_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(Problem) as raised:
        import_made(tmp_path)
    assert raised.value.kind.code == "twin.no_bones"
