"""The duty screen in Chromium without a graphics card, 1280×720: pictures a second while nothing moves, and while a forecast plays with 5,000 points over the map.

The city, its networks and the run are real; of the run's marks there are as many as it has, filled up to 5,000 with other places of the same networks. Skips visibly without Chromium or the extra `twin`.
"""

import importlib.util
import json
import os
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, Route, sync_playwright
from table import Server, Table, head, runs, serve

from zhongshu.app.bones import import_made
from zhongshu.survey import make

PEOPLE = int(os.environ.get("BENCH_PEOPLE", "300000"))
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-gpu-rasterization", "--disable-gpu-compositing"]
POINTS, SECONDS = 5_000, 12
FRAMES = """(seconds) => new Promise((done) => {
  const times = []
  const look = (at) => { times.push(at); at - times[0] < seconds * 1000 ? requestAnimationFrame(look) : done(times) }
  requestAnimationFrame(look)
})"""


def ran(server: Server) -> str:
    """Run two hours of rain, and return the run."""
    base = f"http://127.0.0.1:{server.port}"
    with httpx.Client(base_url=base, headers={"authorization": f"Bearer {server.token('duty_officer', 'bench')}"}, timeout=60, trust_env=False) as city:
        body = {"name": "rain", "hours": 2, "step": "5m", "spinup": "5m", "wishes": [{"lever": "rain", "amount": 120}]}
        scenario = city.post("/api/scenarios", json=body).raise_for_status().json()["id"]
        run = str(city.post(f"/api/scenarios/{scenario}/runs", json={}).raise_for_status().json()["id"])
        while (told := city.get(f"/api/runs/{run}").raise_for_status().json())["state"] in {"queued", "running"}:
            time.sleep(0.5)
        if told["state"] != "done":
            raise RuntimeError(json.dumps(told["problem"]))
        return run


def filled(server: Server) -> tuple[Callable[[Route], None], list[int]]:
    """Return what fills the answer up to so many points, and how many there were by themselves."""
    own: list[int] = []
    features = httpx.get(f"http://127.0.0.1:{server.port}/api/models/sewers", timeout=60, trust_env=False).raise_for_status().json()["features"]
    spare = [f["geometry"] for f in features if f["geometry"]["type"] == "Point"]

    def fill(route: Route) -> None:
        told = route.fetch().json()
        own.append(sum(f["geometry"]["type"] == "Point" for f in told["features"]))
        missing = POINTS - own[-1]
        more: list[dict[str, Any]] = [
            {"type": "Feature", "geometry": spare[i % len(spare)], "properties": {"outcome": "flooded", "name": str(i), "model": "sewers"}} for i in range(max(0, missing))
        ]
        route.fulfill(json={**told, "features": told["features"] + more})

    return fill, own


def rate(page: Page) -> tuple[float, float]:
    """Return pictures a second, and the longest wait for one in ms."""
    times = page.evaluate(FRAMES, SECONDS)
    waits = [b - a for a, b in pairwise(times)]
    return len(waits) / (times[-1] - times[0]) * 1000, max(waits)


def main() -> None:
    """Make the city, run the rain, and look."""
    head()
    missing = [name for name in ("swmm", "wntr", "pandapower", "libsumo") if importlib.util.find_spec(name) is None] + ([] if Path(CHROMIUM).exists() else ["Chromium"])
    if missing:
        print(f"not measured: no {', '.join(missing)}")
        return
    table = Table()
    with tempfile.TemporaryDirectory(prefix="bench-") as held:
        folder = Path(held) / "city"
        make(folder, PEOPLE, 7, lambda _: None)
        import_made(folder)
        with serve(folder, ZS_FORECAST_S="0") as server, sync_playwright() as driver:
            run = ran(server)
            fill, own = filled(server)
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGS)
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            page.route(f"**/api/runs/{run}/map*", fill)
            page.goto(f"http://127.0.0.1:{server.port}/screen?run={run}")
            page.locator(".p-time .play").wait_for()
            page.wait_for_timeout(5000)
            longest: list[float] = []

            def once(*, play: bool) -> float:
                if play:
                    page.locator(".p-time .play").click()
                found, wait = rate(page)
                longest.append(wait)
                if play and page.locator(".p-time .play").inner_text() != "▶":
                    page.locator(".p-time .play").click()
                return found

            calm = runs(lambda: once(play=False))
            table.add(f"the duty screen, now, {PEOPLE:,} people", f"{calm:.0f} pictures a second", f"longest wait {max(longest):.0f} ms")
            longest.clear()
            played = runs(lambda: once(play=True))
            table.add(
                f"while a forecast plays, {POINTS:,} points ({min(own):,}–{max(own):,} its own)",
                f"{played:.0f} pictures a second, {played / calm:.2f} of the calm",
                f"promise ≥ 20; longest wait {max(longest):.0f} ms",
            )
            browser.close()


if __name__ == "__main__":
    main()
