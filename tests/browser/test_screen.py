"""The duty screen by hand and by keyboard: what stands behind a tile, and that everything is reached without a mouse."""

import json
import re
from typing import Any

from playwright.sync_api import Page, expect

TABBABLE = """() => {
  const seen = (e) => { const box = e.getBoundingClientRect(); const s = getComputedStyle(e); return box.width > 0 && box.height > 0 && s.visibility === 'visible' && !e.closest('[inert]') }
  return [...document.querySelectorAll('a[href],button:not([disabled]),select,input,textarea,summary,[tabindex="0"]')].filter((e) => seen(e) && e.tabIndex >= 0)
    .map((e, i) => { e.dataset.reach = String(i); return e.dataset.reach })
}"""
FOCUSED = """() => {
  const e = document.activeElement
  if (!e || e === document.body) return null
  const s = getComputedStyle(e), ring = s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0
  return { reach: e.dataset.reach ?? null, skip: e.classList.contains('skip'), box: e.getBoundingClientRect().toJSON(), ring, tag: e.outerHTML.slice(0, 120) }
}"""


def open_tile(page: Page) -> None:
    page.locator(".tile", has_text="易涝点积水深度").click()
    page.locator(".drawer .explain .now").wait_for()


def test_a_tile_opens_to_its_proof(page_of: Any) -> None:
    page = page_of("/screen", width=1920, height=1080)
    open_tile(page)
    drawer = page.locator(".drawer")
    expect(drawer.get_by_text("区域内下穿通道水位计最新积水深度的最大值", exact=True)).to_be_visible()
    source = drawer.locator("p", has_text="依据：").inner_text()
    assert re.search(r"办法 第 7 条", source) and "第 第" not in source and "条 条" not in source
    expect(drawer.locator(".twice .mark.same")).to_contain_text("相等")
    live, again = drawer.locator(".twice .big").all_inner_texts()
    assert live == again
    times = drawer.locator(".twice .num:not(.big)").all_inner_texts()
    assert len(times) == 2 and all(re.fullmatch(r"\d\d:\d\d:\d\d", each) for each in times)
    assert int(drawer.locator("tr", has_text="日志位点").locator("td").inner_text()) > 0
    assert re.fullmatch(r"[0-9a-f]{64}", drawer.locator("tr", has_text="账本哈希").locator("code").inner_text())
    drawer.locator("summary", has_text="SQL").click()
    assert "SELECT" in drawer.locator("details[open] pre").inner_text()


def test_the_readings_of_the_last_seconds_are_there(page_of: Any, city: Any) -> None:
    page = page_of("/screen", width=1920, height=1080)
    open_tile(page)
    newest = page.locator(".drawer .raw tbody tr").first
    newest.wait_for()
    assert "WaterLevelSensor" in newest.inner_text()
    listed = city.get("/api/vitals/DR02/990100000000000/readings?limit=1")["items"][0]
    now = city.get("/health")["clock"]["now"]
    assert listed["valid"][:15] == now[:15] or listed["valid"] < now
    age = page.evaluate("([a, b]) => (Date.parse(b) - Date.parse(a)) / 1000", [listed["valid"], now])
    assert age < 60, "the warehouse's last commit is not the last there is"


def test_escape_goes_back_one_step(page_of: Any) -> None:
    page = page_of("/screen", width=1920, height=1080)
    open_tile(page)
    page.locator(".drawer .part").first.click()
    expect(page.locator(".drawer .crumb")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".drawer .crumb")).to_have_count(0)
    expect(page.locator(".drawer")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".drawer")).to_have_count(0)
    assert "tile" in page.evaluate("document.activeElement.className"), "the focus is back where it came from"


def test_a_finding_is_shown_although_the_fetch_beside_it_does_not_hold_it_yet(page_of: Any, city: Any) -> None:
    street = city.get("/api/areas?level=street")["items"][3]
    told = {
        "id": "told",
        "rule": "DR02.ponding",
        "indicator": "DR02",
        "area": street["code"],
        "level": "red",
        "value": 43,
        "opened": city.get("/health")["clock"]["now"],
        "closed": None,
        "evidence": [],
        "acknowledged_by": None,
    }
    page = page_of("/login")
    page.route("**/api/findings**", lambda route: route.fulfill(json={"items": [], "next": None}))
    page.route("**/api/live**", lambda route: route.fulfill(content_type="text/event-stream", body=f"retry: 500\nevent: finding\ndata: {json.dumps(told)}\n\n"))
    late: list[Any] = []

    def hold(route: Any) -> None:
        late.append(route)

    page.route("**/api/areas?level=street**", hold)
    with page.expect_response("**/api/live**"):
        page.goto("/screen")
    page.wait_for_timeout(1000)
    assert late, "the names of the areas come after what was told"
    for request in late:
        request.continue_()
    ring = page.locator(".p-map .ring")
    expect(ring).to_have_count(1)
    expect(ring).to_have_attribute("aria-label", re.compile(street["name_zh"]))


def test_a_storys_case_that_one_may_not_see_is_neither_a_link_nor_a_broken_picture(page_of: Any, city: Any) -> None:
    story = city.get("/api/story")
    at = city.get("/health")["clock"]["now"]
    steps = [step | {"at": at, "link": "/desk/case/none"} for step in story["steps"]]
    page = page_of("/login", "steward")
    page.route("**/api/story", lambda route: route.fulfill(json={**story, "started": True, "steps": steps, "phone": {"case": "none", "state": "handled", "photo": "0" * 64}}))
    page.goto("/screen")
    phone = page.locator(".p-phone")
    expect(phone).to_contain_text("无权查看")
    expect(phone.locator("img")).to_have_count(0)
    expect(page.locator(".p-phone[href], .steps a")).to_have_count(0)


def test_whoever_is_not_signed_in_is_asked_to_where_the_city_is_no_sandbox(page_of: Any, city: Any) -> None:
    page = page_of("/login")
    page.route("**/api/city", lambda route: route.fulfill(json=city.get("/api/city") | {"sandbox": False}))
    page.route("**/api/session", lambda route: route.fulfill(json={"principal": None}))
    page.goto("/screen?theme=drainage")
    page.wait_for_url(re.compile(r"/login\?next=/screen"))
    expect(page.locator("#account")).to_be_visible()


def test_the_list_says_what_the_map_shows(page_of: Any) -> None:
    page = page_of("/screen")
    page.get_by_role("button", name="查看列表").click()
    expect(page.locator(".p-twin")).to_contain_text("街道")


def test_everything_is_reached_by_keyboard(page_of: Any) -> None:
    page = page_of("/screen")
    page.locator(".tile .figure").first.wait_for()
    page.locator(".p-map canvas").wait_for()
    page.evaluate("document.activeElement?.blur()")
    page.keyboard.press("Tab")
    first = page.evaluate(FOCUSED)
    assert first["skip"] and first["box"]["top"] >= 0 and first["box"]["height"] > 0, "the skip link comes first and is seen"
    page.keyboard.press("Enter")
    wanted = set(page.evaluate(TABBABLE))
    reached, bare = set(), []
    for _ in range(len(wanted) * 2 + 20):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUSED)
        if at is None:
            continue
        if at["reach"] is not None:
            reached.add(at["reach"])
        if not at["ring"]:
            bare.append(at["tag"])
        if wanted <= reached:
            break
    left = [page.evaluate("(i) => document.querySelector(`[data-reach='${i}']`)?.outerHTML.slice(0, 120) ?? null", i) for i in sorted(wanted - reached)]
    assert [each for each in left if each is not None] == [], "these are never reached"
    assert bare == [], "these show no focus"
