"""A made city's networks together: two hours of the pack's storm over four coupled engines, and a sweep of twenty options with UXsim. Everything is made here; the city has BENCH_PEOPLE people (300,000)."""

import importlib.util
import os
import tempfile
import time
from pathlib import Path

from table import Table, head, runs

import zhongshu.packs.lifelines
from zhongshu.app.bones import import_made
from zhongshu.app.scenarios import Ground, run_scenario, sweep
from zhongshu.app.twin import Asked, import_model
from zhongshu.foresee import Foreseen, Models, Outcome, Source, made
from zhongshu.kernel.problem import Problem
from zhongshu.survey import make

PEOPLE = int(os.environ.get("BENCH_PEOPLE", "300000"))
STORM = Path(zhongshu.packs.lifelines.__file__).parent / "sample" / "storm.toml"
OPTIONS, HOURS = 20, 1.0
TWIN = ("swmm", "wntr", "pandapower", "libsumo", "uxsim")
ON_THE_ROAD = Foreseen(outcomes=(Outcome("on_the_road", "路上总时间", "Time on the road", "veh·h", "roads:net.running", Source("reckoned"), reckon="sum", over="hours"),))


def storm(table: Table, folder: Path) -> None:
    """Run the storm three times, and show the time and each engine's share of it."""
    told = {}

    def once() -> float:
        told.update(run_scenario(folder, STORM, lambda _at, _end: None))
        return float(told["seconds_taken"])

    took = runs(once)
    all_ = sum(told["engine_seconds"].values())
    share = ", ".join(f"{role} {seconds:.1f} s ({seconds / all_:.0%})" for role, seconds in told["engine_seconds"].items())
    table.add(f"coupled storm, {told['hours']:g} h, four engines, {PEOPLE:,} people", f"{took:.1f} s, {told['hours'] * 3600 / took:,.0f}× real time", f"promise ≥ 60×; {share}")
    table.add("", f"{len(told['exchanges']):,} exchanges", "engines start and load within that time, beside each other")


def options(table: Table, folder: Path) -> None:
    """Close each of twenty winding roads, an hour each, two beside each other."""
    card = import_model(folder, folder / "twin" / "roads" / "model.sumocfg", Asked("uxsim", "sweep", "plane:sweep"))
    models = Models(folder / "twin")
    winding = sorted(models.drawing("sweep")["features"], key=lambda f: -len(f["geometry"]["coordinates"]))[:OPTIONS]
    base = {"models": {"roads": "sweep"}, "hours": HOURS, "step": "5m"}
    scenarios = [
        made("sweep", base | {"name": f["properties"]["name"], "change": [{"set": "roads:link.closed", "of": [f["properties"]["name"]], "value": 1, "unit": "1"}]}) for f in winding
    ]
    begun = time.monotonic()
    found = sweep(models, scenarios, Ground(ON_THE_ROAD))
    took = time.monotonic() - begun
    ended = [one["on_the_road"] for one in found if not isinstance(one, Problem)]
    table.add(
        f"sweep of {OPTIONS} options with UXsim, {HOURS:g} h each, {card.objects['link']:,} links, {card.taken.get('trip', 0):,} trips in six hours",
        f"{took:.1f} s on 2 cores, {took / OPTIONS:.2f} s an option",
        f"{len(ended)} of {OPTIONS} ended; {min(ended):,.0f}–{max(ended):,.0f} veh·h",
    )


def main() -> None:
    """Make the city, bring its models in, and measure."""
    head()
    if missing := [name for name in TWIN if importlib.util.find_spec(name) is None]:
        print(f"not measured: no {', '.join(missing)} (pip install 'zhongshu[twin]')")
        return
    table = Table()
    with tempfile.TemporaryDirectory(prefix="bench-") as held:
        folder = Path(held) / "city"
        begun = time.monotonic()
        make(folder, PEOPLE, 7, lambda _: None)
        made_in = time.monotonic() - begun
        cards = import_made(folder)
        table.add("the city made, its models brought in", f"{made_in:.1f} s, {time.monotonic() - begun - made_in:.1f} s", ", ".join(f"{c.name} {c.objects}" for c in cards))
        storm(table, folder)
        options(table, folder)


if __name__ == "__main__":
    main()
