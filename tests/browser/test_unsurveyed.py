"""A city that no one surveyed, whose past day plays again: its stations are the map, its clock says so, and no one reads a code for a name."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from .conftest import PASSWORD, City, new_context

CITY = "980000000000000"
HEAD = "No,year,month,day,hour,PM2.5,PM10,SO2,NO2,CO,O3,TEMP,PRES,DEWP,RAIN,wd,WSPM,station"
ACCOUNTS = (("duty", "duty_officer"), ("citizen", "citizen"))


def zhongshu(*words: str) -> list[str]:
    """Return a command line of the product."""
    return [sys.executable, "-c", "from zhongshu.cli import app; app()", *words]


@pytest.fixture(scope="module")
def unsurveyed(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """Run a city made by taking in two stations' hours, with its clock set back to them and 600 times as fast."""
    assert chromium
    folder = tmp_path_factory.mktemp("unsurveyed")
    data = str(folder / "city")
    for station in ("Dongsi", "Shunyi"):
        rows = [f"{n},2016,12,{16 + n // 24},{n % 24},80,90,10,40,900,20,1,1020,-9,0,N,1.5,{station}" for n in range(72)]
        (folder / f"{station}.csv").write_text("\n".join([HEAD, *rows]))
        subprocess.run(zhongshu("ingest", f"{folder}/{station}.csv", "--source", "environment.beijing_air", "--data", data), check=True, capture_output=True)
    for account, role in ACCOUNTS:
        subprocess.run(zhongshu("user", "add", account, "--role", role, "--password", PASSWORD, "--data", data), check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(zhongshu("up", "--data", data, "--clock", "replay@2016-12-16T02:00+08:00x600", "--port", str(port)), stdout=out, stderr=out)
    held = City(f"http://127.0.0.1:{port}", Path(data))
    try:
        held.until(lambda: held.get("/health")["status"] == "ok", "a city that lives")
        held.until(lambda: held.get(f"/api/vitals?area={CITY}&indicator=EN01", "duty")["items"][0]["value"], "an air quality index")
        yield held
    finally:
        held.close()
        process.send_signal(signal.SIGINT)
        process.wait(20)


@pytest.fixture
def look(browser: Browser, unsurveyed: City) -> Iterator[Any]:
    """Return how to open a page of it: an address, as whom, and what stands for the city's entities, if anything else should."""
    contexts = []

    def open_(address: str, account: str, *, language: str = "zh", width: int = 1280, entities: list[Any] | None = None) -> Page:
        contexts.append(new_context(browser, unsurveyed, account, width, 720, language))
        page = contexts[-1].new_page()

        def answer(route: Route) -> None:
            route.fulfill(content_type="application/json", body=json.dumps({"items": entities, "next": None}))

        if entities is not None:
            page.route("**/api/entities?*", answer)
        page.goto(address)
        page.locator("#main").wait_for()
        return page

    yield open_
    for each in contexts:
        each.close()


def test_stations_are_the_map_where_nothing_was_surveyed(look: Any) -> None:
    page = look("/screen", "duty")
    page.locator(".p-map .map[data-ready=true]").wait_for()
    scale = re.search(r"(\d+) (k?m)", page.locator(".p-foot .scale").inner_text())
    assert scale
    assert int(scale[1]) * (1000 if scale[2] == "km" else 1) <= 20_000, "the stations fill the ground, not a corner of the world"
    page.get_by_role("button", name="查看列表").click()
    expect(page.locator(".p-twin")).to_contain_text("Dongsi")
    expect(page.locator(".p-twin")).to_contain_text("Shunyi")
    expect(page.locator(".p-twin li").first).to_contain_text("未测绘城市")
    expect(page.locator(".p-blank")).to_have_count(0)


@pytest.mark.parametrize(("language", "told"), [("zh", "这座城市还没有底图"), ("en", "This city has no base map yet")])
@pytest.mark.parametrize("width", [1280, 390])
def test_without_any_place_the_list_stands_for_the_map(look: Any, language: str, told: str, width: int) -> None:
    page = look("/screen", "duty", language=language, width=width, entities=[])
    expect(page.locator(".p-blank h2").first).to_have_text(told)
    expect(page.locator(".p-blank")).to_contain_text("zhongshu city import")
    expect(page.locator(".p-blank .twin li").first).to_be_visible()
    expect(page.locator(".p-map, .p-foot .scale")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("language", "how", "delay"), [("zh", "回放 ×600", "延迟"), ("en", "Replay ×600", "Delay")])
def test_a_replays_clock_and_factor_are_always_seen(look: Any, language: str, how: str, delay: str) -> None:
    page = look("/screen", "duty", language=language)
    top = page.locator(".p-top")
    expect(top).to_contain_text(re.compile(re.escape(how) + r" · 2016-12-\d\d \d\d:\d\d"))
    page.locator(".tile").first.wait_for()
    expect(top).not_to_contain_text(delay)
    page.goto("/desk/queue")
    expect(page.locator(".head")).to_contain_text(how)


def test_an_unknown_age_is_not_said(look: Any) -> None:
    page = look("/screen", "duty")
    page.locator(".tile").first.wait_for()
    page.get_by_role("button", name="全部").first.click()
    feet = page.locator(".tile .foot").all_inner_texts()
    assert len(feet) > 12
    assert [foot for foot in feet if foot.startswith(("—", "0 秒")) or "—前" in foot] == []


@pytest.mark.parametrize(("account", "seen"), [("duty", True), ("citizen", False)])
def test_a_code_for_a_name_is_shown_to_staff_alone(look: Any, account: str, seen: bool) -> None:
    page = look(f"/vital/EN01/{CITY}", account)
    page.locator(".explain .now").wait_for()
    line = page.locator(".explain .now + p")
    expect(line).to_have_class(re.compile("muted"))
    if seen:
        expect(line).to_contain_text("dept-environment")
    else:
        expect(line).not_to_contain_text("dept-")
