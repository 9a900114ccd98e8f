"""A storm over four engines: what one network's state does to the next, step by step, the same each time, and explained by its log."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest

from zhongshu.app.scenarios import ready, run_scenario
from zhongshu.app.twin import Asked, import_model, lines
from zhongshu.engines.simulators.worker import Worker
from zhongshu.foresee import Models, read_scenario, replay
from zhongshu.kernel.problem import Problem

pytestmark = pytest.mark.twin
MINUTE = 60_000_000
STORM = """
name = "storm"
hours = 1.0
step = "2m"
seed = 3
models = { drain = "sewer", roads = "streets", power = "grid", water = "water" }
watch = ["drain:node.flooding", "drain:node.depth", "roads:trip.time", "water:node.pressure", "power:load.power"]

[[change]]
set = "drain:gage.rain"
value = 200
unit = "mm/h"
begin = "4m"
until = "14m"

[[coupling]]
name = "flooded road closed"
of = "drain:node.depth"
op = ">"
value = 215
unit = "cm"
set = "roads:edge.closed"
then = 1
otherwise = 0
near = { metres = 20 }
source = { doc = "a rule made for this test" }

[[coupling]]
name = "substation trips"
of = "drain:node.depth"
op = ">"
value = 2.3
unit = "m"
set = "power:line.on"
then = 0
pairs = { J1 = ["1"] }
source = { doc = "a rule made for this test" }

[[coupling]]
name = "pump without power"
of = "power:bus.supplied"
op = "="
value = 0
unit = "1"
set = "water:link.open"
then = 0
otherwise = 1
pairs = { "3" = ["U1"] }
source = { doc = "a rule made for this test" }

[[coupling]]
name = "signals without power"
of = "power:bus.supplied"
op = "="
value = 0
unit = "1"
set = "roads:signal.dark"
then = 1
otherwise = 0
pairs = { "3" = ["B1", "C1"] }
source = { doc = "a rule made for this test" }
"""


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a city with four small models in one plane."""
    if missing := [name for name in ("swmm", "wntr", "pandapower", "libsumo") if find_spec(name) is None]:
        pytest.skip(f"no {', '.join(missing)}: pip install 'zhongshu[twin]'")
    folder, files = tmp_path_factory.mktemp("city"), tmp_path_factory.mktemp("files")
    for form, make in models.MADE.items():
        if form != "uxsim":
            path = make(files)
            import_model(folder, path, Asked(form, path.stem, crs="plane:test"))
    return folder


def scenario(tmp_path: Path, text: str = STORM) -> Path:
    """Write a scenario."""
    (path := tmp_path / "storm.toml").write_text(text, "utf-8")
    return path


def run(city: Path, path: Path) -> dict[str, Any]:
    """Run a scenario to its end."""
    return run_scenario(city, path, lambda _at, _end: None)


@pytest.fixture(scope="module")
def told(city: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the storm came to."""
    return run(city, scenario(tmp_path_factory.mktemp("wet")))


def test_rain_ends_in_a_dark_pump_and_every_step_says_why(told: dict[str, Any]) -> None:
    first = {line["by"]: line for line in reversed(told["exchanges"])}
    assert [first[by]["second"] for by in ("change", "flooded road closed", "substation trips")] == sorted(
        first[by]["second"] for by in ("change", "flooded road closed", "substation trips")
    )
    assert first["change"]["value"] == pytest.approx(200) and first["change"]["second"] == 240
    assert first["flooded road closed"]["model"] == "roads" and all(depth > 2.15 for _, depth in first["flooded road closed"]["because"])
    trip = first["substation trips"]["second"]
    assert first["pump without power"]["second"] == first["signals without power"]["second"] == trip + 120  # one macro step later
    assert first["pump without power"] == {
        "second": trip + 120,
        "by": "pump without power",
        "model": "water",
        "set": "link.open",
        "object": "U1",
        "value": 0,
        "because": [["3", 0.0]],
    }
    assert told["watched"]["power:load.power"]["sum"][0] == pytest.approx(1.5) and told["watched"]["power:load.power"]["sum"][-1] == pytest.approx(1.0)
    assert any(line["by"] == "flooded road closed" and line["value"] == 0 for line in told["exchanges"])  # the water went, the road is open again
    assert len(told["seconds"]) == 30 and set(told["engines"]) == {"drain", "roads", "power", "water"} and len(lines(told)) > 10


def test_without_rain_nothing_happens(city: Path, tmp_path: Path, told: dict[str, Any]) -> None:
    dry, wet = run(city, scenario(tmp_path, STORM.replace("value = 200\n", "value = 0\n"))), told
    assert {line["by"] for line in dry["exchanges"]} == {"change"}
    assert dry["watched"]["water:node.pressure"]["sum"][-1] > wet["watched"]["water:node.pressure"]["sum"][-1] + 1  # the tank was drained
    assert dry["watched"]["roads:trip.time"]["most"][-1] > 0


def test_the_same_scenario_is_the_same_run(city: Path, tmp_path: Path, told: dict[str, Any]) -> None:
    one, other = told, run(city, scenario(tmp_path))
    assert one["exchanges"] == other["exchanges"] and one["watched"] == other["watched"] and one["last"] == other["last"]


def test_each_engine_alone_comes_to_the_same_by_the_log(city: Path, tmp_path: Path) -> None:
    store = Models(city / "twin")
    with ready(store, read_scenario(scenario(tmp_path))) as prepared:
        told = prepared.run(lambda _at, _end: None)
    for role, name, driven in (("water", "water", ["link.open"]), ("roads", "streets", ["edge.closed", "signal.dark"])):
        worker = Worker(store.card(name).engine)
        try:
            worker.load(store.path(name), 0, 3, driven)
            alone = replay(told, role, worker)
            assert {what: float(np.abs(alone[what] - told.last[role][what]).max()) for what in alone if len(alone[what])} == dict.fromkeys((w for w in alone if len(alone[w])), 0.0)
        finally:
            worker.close()


def test_a_run_is_stopped_between_two_steps(city: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    told = run_scenario(city, scenario(tmp_path), lambda at, _end: seen.append(at), lambda: len(seen) == 3)
    assert seen == [2 * MINUTE, 4 * MINUTE, 6 * MINUTE] and told["seconds"] == [120, 240, 360]


WRONG = [
    ('unit = "mm/h"', 'unit = "m3/s"', "twin.units_mixed", "mm/h"),
    ('set = "drain:gage.rain"', 'set = "drain:gage.snow"', "twin.bad_scenario", "gage.rain"),
    ('set = "drain:gage.rain"', 'set = "sea:gage.rain"', "twin.bad_scenario", "sea"),
    ('pairs = { J1 = ["1"] }', 'pairs = { J9 = ["1"] }', "twin.unknown_object", "drain:J9"),
    ('"3" = ["U1"]', '"3" = ["U9"]', "twin.unknown_object", "water:U9"),
    ('drain = "sewer"', 'drain = "sewers"', "twin.unknown_model", "sewers"),
    ('step = "2m"', 'step = "10m"', "twin.bad_scenario", "step"),
    ('begin = "4m"', 'begin = "4 minutes"', "twin.bad_scenario", "4 minutes"),
    ('until = "14m"', 'until = "4h"', "twin.bad_scenario", "after the run"),
    ("near = { metres = 20 }", "", "twin.bad_scenario", "near"),
    ("near = { metres = 20 }", "near = { metres = 0.001 }", "twin.nothing_near", "0.001"),
    ('op = ">"', 'op = "about"', "twin.bad_scenario", ""),
    ('name = "storm"', "name = storm", "twin.bad_scenario", ""),
    ('source = { doc = "a rule made for this test" }', "", "twin.bad_scenario", "source"),
    ("hours = 1.0", 'hours = "long"', "twin.bad_scenario", ""),
]


@pytest.mark.parametrize(("was", "becomes", "code", "word"), WRONG)
def test_a_scenario_that_is_wrong_is_refused_before_anything_runs(city: Path, tmp_path: Path, was: str, becomes: str, code: str, word: str) -> None:
    assert was in STORM
    with pytest.raises(Problem) as told:
        run(city, scenario(tmp_path, STORM.replace(was, becomes, 1)))
    assert told.value.kind.code == code and word in told.value.sentence() + told.value.remedy() and told.value.sentence("zh")


def test_models_of_different_planes_are_not_joined_by_distance(city: Path, tmp_path: Path) -> None:
    import_model(city, models.sewer(tmp_path), Asked("swmm", "elsewhere", crs="plane:other"))
    with pytest.raises(Problem) as told:
        run(city, scenario(tmp_path, STORM.replace('drain = "sewer"', 'drain = "elsewhere"')))
    assert told.value.kind.code == "twin.planes_apart" and "plane:other" in told.value.sentence()
