"""The training ground: a lesson is begun, its tasks turn done with points as others do them, it is ended and looked back on; in both languages, on a phone, by whoever may and may not."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .conftest import do

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
FAULTS = "async (tags) => (await axe.run(document, { runOnly: { type: 'tag', values: tags } })).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target)}`)"


def sane(page: Page) -> None:
    """See that axe finds no fault and that nothing scrolls sideways."""
    if not AXE.exists():
        pytest.skip("axe-core is not there: cd web && npm ci")
    page.evaluate(AXE.read_text("utf-8"))
    assert page.evaluate(FAULTS, TAGS) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it does not scroll sideways"


def filed(city: Any) -> str:
    """Do two of the storm's tasks as those whose seats they are: a case is filed and the drainage office has it; return its number."""
    place = city.get("/api/entities?type=TrashBin&limit=1", "duty")["items"][0]
    body = {"class": "drainage.blocked", "title_zh": "训练用案件", "title_en": "A case to practise on", "area": place["area"], "lon": place["lon"], "lat": place["lat"]}
    case = city.as_("duty").post("/api/cases", json=body).raise_for_status().json()
    do(city, "acceptor", case["id"], "verify")
    do(city, "duty", case["id"], "file")
    do(city, "dispatcher", case["id"], "dispatch", unit="dept-drainage")
    return str(case["number"])


def begin(city: Any) -> int:
    """Begin the storm's lesson as the duty officer; return the attempt's number."""
    end(city)
    return int(city.as_("duty").post("/api/lessons/storm/begin", json={}).raise_for_status().json()["attempt"])


def end(city: Any) -> None:
    """End the attempt under way, if there is one."""
    if running := city.get("/api/lessons", "duty")["running"]:
        city.as_("duty").post(f"/api/lessons/{running['attempt']}/end", json={}).raise_for_status()


def test_seat_lesson_from_its_beginning_to_the_look_back(city: Any, page_of: Any) -> None:
    page = page_of("/lab", "duty", width=1920, height=1080)
    page.locator("#main").get_by_role("link", name="训练课").click()
    expect(page.get_by_role("article")).to_have_count(4)
    expect(page.locator(".past")).to_contain_text("还没有人上过课")
    storm = page.get_by_role("article", name="暴雨内涝")
    expect(storm).to_contain_text("受理员、派遣员")
    expect(page.get_by_role("article", name="主管爆裂")).to_contain_text("仿真引擎")
    sane(page)
    storm.get_by_role("button", name="开始上课").press("Enter")
    running = page.locator(".running")
    expect(running.get_by_role("heading", name="暴雨内涝")).to_be_focused()
    expect(running.locator(".task.open")).to_have_count(6)
    expect(running.get_by_role("timer")).to_have_text(re.compile(r"^(30:00|29:\d\d)$"))
    expect(page.get_by_role("article", name="主管爆裂")).to_contain_text("另一节课正在进行")
    expect(running.get_by_role("link", name="去推演：派遣之前先推演一次")).to_have_attribute("href", "/whatif")
    number = filed(city)
    task = running.locator(".task", has_text="派到排水处")
    expect(task).to_contain_text("按时完成")
    expect(task).to_contain_text("派遣员")
    expect(task).to_contain_text("20 / 20 分")
    expect(running.locator(".figures")).to_contain_text("40 / 100")
    expect(running.get_by_role("status").first).to_contain_text("派到排水处：按时完成。现在 40 分。")
    sane(page)
    running.get_by_role("button", name="结束这节课").press("Enter")
    expect(running.get_by_role("group")).to_contain_text("还有 4 项任务没有做")
    expect(running.get_by_role("button", name="接着上课")).to_be_focused()
    page.keyboard.press("Escape")
    expect(running.get_by_role("button", name="结束这节课")).to_be_focused()
    page.keyboard.press("Enter")
    running.get_by_role("button", name="结束，看复盘").click()
    page.wait_for_url(re.compile(r"/lab/lessons/\d+$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("复盘 暴雨内涝")
    expect(page.locator(".score")).to_contain_text("40 / 100")
    expect(page.get_by_role("img", name=re.compile("派到排水处 按时完成.*核查后结案 没有做"))).to_be_visible()
    expect(page.locator("table.tasks tr", has_text="派到排水处")).to_contain_text("派遣员")
    expect(page.locator("table.tasks tr", has_text="核查后结案")).to_contain_text("没有做")
    page.get_by_label("只看算分的").check()
    expect(page.locator(".deeds tbody tr")).to_have_count(2)
    expect(page.locator(".deeds tbody tr").last).to_contain_text("完成任务：派到排水处")
    expect(page.locator(".deeds").get_by_role("link", name=number).last).to_have_attribute("href", re.compile("^/desk/case/"))
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", page.locator("main").inner_text()), "no machine's id is shown"
    sane(page)
    page.locator("#main").get_by_role("link", name="训练课").click()
    expect(page.locator(".past li").first).to_contain_text("完成 2/6 项")
    expect(page.locator(".past li").first).to_contain_text("40")


def test_seat_phone_follows_in_english_until_someone_else_ends_it(city: Any, page_of: Any) -> None:
    attempt = begin(city)
    page = page_of("/lab/lessons", "dispatcher", width=390, height=844, language="en")
    expect(page.locator(".task.open")).to_have_count(6)
    filed(city)
    expect(page.locator(".task", has_text="Dispatch to the drainage office")).to_contain_text("done in time")
    sane(page)
    end(city)
    page.wait_for_url(re.compile(rf"/lab/lessons/{attempt}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Look back Cloudburst")
    expect(page.locator("table.tasks tr", has_text="Dispatch to the drainage office")).to_contain_text("Dispatcher")
    expect(page.locator(".deeds tbody tr").first).to_be_visible()
    assert not re.search("[\u4e00-\u9fff]", page.locator("main").inner_text()), "all of it is in English"
    sane(page)


def test_seat_what_may_not_be_is_said_with_what_mends_it(city: Any, page_of: Any) -> None:
    end(city)
    late = page_of("/lab/lessons", "dispatcher")
    button = late.get_by_role("article", name="暴雨内涝").get_by_role("button", name="开始上课")
    expect(button).to_be_enabled()
    late.route("**/api/lessons", lambda route: route.abort())
    begin(city)
    button.click()
    expect(late.get_by_role("alert").filter(has_text="正在上“暴雨内涝”这节课")).to_be_visible()
    late.unroute("**/api/lessons")
    late.get_by_role("button", name="重试").click()
    expect(late.locator(".running")).to_be_visible()
    steward = page_of("/lab/lessons", "steward")
    expect(steward.locator(".readonly")).to_contain_text("不能开始或结束")
    expect(steward.locator(".running")).to_be_visible()
    expect(steward.get_by_role("button", name="结束这节课")).to_have_count(0)
    end(city)
    guest = page_of("/lab/lessons", "")
    expect(guest.get_by_role("article", name="暴雨内涝")).to_contain_text("您的岗位不能开始训练课")
    expect(guest.get_by_role("button", name="派遣员")).to_be_visible()
    sane(guest)
    lost = page_of("/lab/lessons/999999", "duty")
    expect(lost.get_by_role("alert")).to_contain_text("没有这节训练课")
    sane(lost)
    refused = page_of("/lab/lessons", "citizen", language="en")
    expect(refused.get_by_role("alert").get_by_role("link", name="Sign in")).to_be_visible()


def test_seat_city_without_lessons_says_so(page_of: Any) -> None:
    page = page_of("/login", "duty")
    page.route("**/api/lessons", lambda route: route.fulfill(json={"items": [], "next": None, "running": None, "attempts": [], "may": True}))
    page.goto("/lab/lessons")
    expect(page.locator(".state")).to_contain_text("没有训练课")
    expect(page.get_by_role("article")).to_have_count(0)
