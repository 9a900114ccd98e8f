"""Before anyone is sent out: from a case an officer asks what if, points at the map, runs, compares and chooses; by the keyboard alone too, on a phone, in both languages.

The model is one street's sewer under the city's first underpass, unless the city has sewers of its own.
"""

import re
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import models
import pytest
from playwright.sync_api import Page, expect

from zhongshu.app.twin import Asked, import_model

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
FAULTS = "async (tags) => (await axe.run(document, { runOnly: { type: 'tag', values: tags } })).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target)}`)"


@pytest.fixture(scope="module")
def underpass(city: Any) -> dict[str, Any]:
    """Give the city a sewer, or skip visibly; return the level sensor over its manhole J1."""
    if missing := [name for name in ("swmm",) if find_spec(name) is None]:
        pytest.skip(f"no {', '.join(missing)}: pip install 'zhongshu[twin]'")
    sensor = next(e for e in city.get("/api/entities?type=WaterLevelSensor&limit=50", "duty")["items"] if e["facets"]["kind"] == "underpass")
    gauge = city.get("/api/entities?type=RainGauge&limit=1", "duty")["items"][0]
    if not any(row["name"] == "sewers" for row in city.get("/api/models", "duty")["items"]):
        lon, lat = sensor["lon"], sensor["lat"]
        text = models.SEWER.replace("J1 100 0\n", f"J1 {lon} {lat}\n").replace("J2 200 0\n", f"J2 {lon + 0.01} {lat}\n")
        text = text.replace("O1 300 0", f"O1 {lon + 0.02} {lat}\n\n[SYMBOLS]\nG1 {gauge['lon']} {gauge['lat']}")
        path = city.folder.parent / "sewers.inp"
        path.write_text(text, "utf-8")
        import_model(city.folder, path, Asked("swmm", "sewers", crs="cgcs2000"))
    return dict(sensor)


@pytest.fixture(scope="module")
def flooded(city: Any, underpass: dict[str, Any]) -> str:
    """Return a case that stands at the underpass."""
    body = {
        "class": "drainage.blocked",
        "title_zh": "下穿通道积水",
        "title_en": "Water in the underpass",
        "area": underpass["area"],
        "lon": underpass["lon"],
        "lat": underpass["lat"],
    }
    return str(city.as_("duty").post("/api/cases", json=body).raise_for_status().json()["id"])


def begun(page: Page) -> None:
    """Ask what comes in half an hour, as it goes."""
    page.locator("input[type=number]").first.fill("0.5")
    page.locator(".begin form button").click()
    expect(page.locator(".compare thead th")).to_have_count(2)


def sane(page: Page) -> None:
    """See that axe finds no fault and that nothing scrolls sideways."""
    page.evaluate(AXE.read_text("utf-8"))
    assert page.evaluate(FAULTS, TAGS) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it does not scroll sideways"


def test_an_officer_asks_what_if_before_sending_anyone(flooded: str, page_of: Any) -> None:
    page = page_of(f"/desk/case/{flooded}", "duty", width=1440, height=900)
    page.get_by_role("link", name="先推演一下").click()
    expect(page.locator(".from")).to_contain_text("下穿通道积水")
    begun(page)
    page.get_by_role("button", name="＋ 加一个选项").click()
    page.get_by_label("选项的名字").fill("大雨加泵车")
    page.get_by_label("改动什么").select_option("rain")
    page.get_by_label("多少").fill("100")
    page.get_by_role("button", name="加入这项改动").click()
    page.get_by_label("改动什么").select_option("pump_truck")
    page.locator(".map[data-ready=true]").wait_for()
    page.locator(".canvas canvas").click()
    expect(page.locator(".chosen.set")).to_be_visible()
    page.get_by_label("多少").fill("300")
    page.get_by_label("成本").fill("3600")
    page.get_by_role("button", name="加入这项改动").click()
    expect(page.locator(".changes li")).to_have_count(2)
    page.get_by_role("button", name="推演这个选项").click()
    expect(page.locator(".compare thead th")).to_have_count(3)
    expect(page.locator(".compare tbody tr").last).to_contain_text("3,600")
    expect(page.locator(".compare tbody tr").first).to_contain_text("更差")
    expect(page.locator(".compare")).to_contain_text("最好")
    expect(page.locator(".log")).to_contain_text("J1 → 抽走 0.08 m³/s")
    expect(page.locator(".ground")).to_contain_text("SWMM 5")
    expect(page.locator(".legend")).to_contain_text("积水点")
    page.get_by_role("button", name="查看列表").click()
    expect(page.locator(".twin")).to_contain_text("J1")
    page.locator(".card").first.click()
    page.get_by_label("为什么选它").fill("雨快停了")
    page.get_by_role("button", name="选定 A").click()
    expect(page.locator(".made")).to_contain_text("雨快停了")
    sane(page)
    page.locator(".from a").click()
    expect(page.locator(".whatif-block li.chosen")).to_contain_text("雨快停了")
    sane(page)


def test_by_keyboard_alone_and_in_english(underpass: dict[str, Any], page_of: Any) -> None:
    page = page_of("/whatif", "duty", language="en")
    page.locator(".begin form button").wait_for()
    sane(page)
    begun(page)
    page.get_by_role("button", name="Add an option").press("Enter")
    page.get_by_label("What is changed").select_option("gate")
    find = page.get_by_role("combobox", name="Or find a place")
    find.press_sequentially("C1")
    page.locator("#whatif-places [role=option]").first.wait_for()
    find.press("Enter")
    expect(page.locator(".chosen.set")).to_contain_text("C1")
    page.get_by_label("How much").fill("0")
    page.get_by_label("How much").press("Enter")
    page.get_by_role("button", name="Run this option").press("Enter")
    expect(page.locator(".compare thead th")).to_have_count(3)
    expect(page.locator(".log")).to_contain_text("gate opening 0%")
    slider = page.get_by_role("slider")
    slider.press("Home")
    slider.press("ArrowRight")
    expect(page.locator(".time output")).to_contain_text("(+5 min)")
    sane(page)


def test_a_run_that_breaks_says_why_and_another_is_stopped(city: Any, underpass: dict[str, Any], page_of: Any) -> None:
    desk = city.as_("duty")
    body: dict[str, Any] = {"name": "写错了对象", "hours": 0.2, "change": [{"set": "sewers:link.setting", "of": ["C99999"], "value": 0, "unit": "1"}]}
    broken = desk.post("/api/scenarios", json=body).raise_for_status().json()
    desk.post(f"/api/scenarios/{broken['id']}/runs", json={}).raise_for_status()
    page = page_of(f"/whatif?question={broken['id']}", "duty", width=390, height=844)
    expect(page.locator(".option .wrong-note")).to_contain_text("C99999")
    sane(page)
    long = desk.post("/api/scenarios", json={"name": "一周", "question": broken["id"], "hours": 160, "step": "1m", "spinup": "1m"}).raise_for_status().json()
    for _ in range(6):
        desk.post(f"/api/scenarios/{long['id']}/runs", json={}).raise_for_status()
    page.reload()
    page.locator(".card", has_text="一周").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.get_by_role("button", name="停下").click()
    expect(page.locator(".card", has_text="一周")).to_contain_text("已停下")
    for run in desk.get("/api/runs?limit=20").json()["items"]:
        if run["state"] in {"queued", "running"}:
            desk.post(f"/api/runs/{run['id']}/stop", json={}).raise_for_status()


def test_a_phone_shows_it_and_a_guest_may_only_look(underpass: dict[str, Any], page_of: Any) -> None:
    page = page_of("/whatif", "", width=390, height=844)
    expect(page.locator(".readonly")).to_be_visible()
    page.locator(".asked a").first.click()
    page.locator(".card").first.wait_for()
    sane(page)
    expect(page.get_by_role("button", name="＋ 加一个选项")).to_have_count(0)


@pytest.fixture(scope="module")
def wet(city: Any, underpass: dict[str, Any]) -> dict[str, Any]:
    """Return a run that is done: 200 mm in half an hour."""
    desk = city.as_("duty")
    body = {"name": "大雨", "hours": 0.5, "step": "5m", "spinup": "5m", "wishes": [{"lever": "rain", "amount": 200.0}]}
    scenario = desk.post("/api/scenarios", json=body).raise_for_status().json()
    run = desk.post(f"/api/scenarios/{scenario['id']}/runs", json={}).raise_for_status().json()
    for _ in range(300):
        told = desk.get(f"/api/runs/{run['id']}").raise_for_status().json()
        if told["state"] == "done":
            return dict(told)
        time.sleep(0.2)
    raise AssertionError(told)


@pytest.mark.parametrize(("language", "width", "height"), [("zh", 1920, 1080), ("en", 390, 844)])
def test_the_screen_goes_from_what_was_to_what_is_foreseen_and_back(wet: dict[str, Any], page_of: Any, language: str, width: int, height: int) -> None:
    page = page_of(f"/screen?run={wet['id']}", "duty", width=width, height=height, language=language)
    ahead, back, now, blank = {"zh": ("预测", "回看", "现在", "不预测"), "en": ("Forecast for", "Looking back", "now", "Not foreseen")}[language]
    slider, strip = page.locator(".p-time input"), page.locator(".p-story .strip")
    expect(page.locator(".p-time .play")).to_be_visible()
    expect(slider).to_have_attribute("aria-valuetext", now)
    slider.press("End")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(ahead))
    expect(strip).to_contain_text("大雨")
    ponding = page.locator(".tile.ahead:not(.blank)", has_text={"zh": "易涝点积水深度", "en": "Ponding depth"}[language])
    expect(ponding).to_have_count(1)
    expect(page.locator(".tile.blank").first).to_contain_text(blank)
    expect(page.locator(".tile.ahead:not(.blank)", has_text={"zh": "感知设备在线率", "en": "Devices online"}[language])).to_have_count(0)
    strip.get_by_role("button").first.click()
    expect(strip.locator(".skill")).to_be_visible()
    sane(page)
    slider.press("Home")
    expect(strip).to_contain_text(back)
    expect(page.locator(".tile.past").first).to_be_visible()
    sane(page)
    strip.get_by_role("button").last.click()
    expect(strip).to_have_count(0)
    expect(page.locator(".tile.now").first).to_be_visible()
    page.locator(".p-time .play").click()
    expect(slider).to_have_attribute("aria-valuetext", re.compile(ahead))
    page.locator(".p-time .play").click()
    page.locator("body").press("Escape")
    expect(strip).to_have_count(0)
