"""The watch as its people meet it: the sheet is there without a word, two signatures hand over, the leader instructs, the brief is one page."""

import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

ROOT = Path(__file__).parents[2]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
FAULTS = "async (tags) => (await axe.run(document, { runOnly: { type: 'tag', values: tags } })).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target)}`)"
PARTS = {
    "zh": ("未结", "临期", "在效预警", "离线设备", "领导批示", "未签收指令", "重点诉求", "备忘"),
    "en": ("Open cases", "Due soon", "Warnings in force", "Silent devices", "Leaders' instructions", "Orders not accepted", "Most voices", "Memo"),
}
SOON = 8
"""Seconds within which the sheet must be there; two on a machine that is not busy."""


@pytest.fixture(scope="module")
def held(city: Any) -> Iterator[dict[str, Any]]:
    """Give the city a case, a warning in force and an incident; the case is put aside afterwards."""
    duty = city.as_("duty")
    now = datetime.fromisoformat(city.get("/api/city")["clock"]["now"])
    place = city.get("/api/entities?type=TrashBin&limit=1", "duty")["items"][0]
    body = {"class": "drainage.manhole", "title_zh": "交接班井盖", "title_en": "Handover manhole", "area": place["area"], "lon": place["lon"], "lat": place["lat"]}
    case = duty.post("/api/cases", json=body).raise_for_status().json()
    warned = {"issuer": "气象台（虚构）", "issued": "D-1", "hazard": "大风", "hazard_en": "Gale", "colour": "blue", "areas": [city.get("/api/city")["code"]]}
    warned |= {"onset": (now - timedelta(hours=1)).isoformat(), "expires": (now + timedelta(hours=6)).isoformat()}
    warning = duty.post("/api/warnings", json=warned).raise_for_status().json()
    yield {"case": case, "warning": warning}
    duty.post("/api/warnings", json=warned | {"issued": "D-2", "kind": "Cancel", "names": [warning["id"]]})
    duty.post(f"/api/cases/{case['id']}/void", json={"reason": "测试后作废"})


def faults(page: Page) -> Any:
    """Return what axe finds."""
    if not AXE.exists():
        pytest.skip("axe-core is not there: cd web && npm ci")
    page.evaluate(AXE.read_text("utf-8"))
    return page.evaluate(FAULTS, TAGS)


def pages(pdf: bytes) -> int:
    """Return how many pages a PDF has."""
    return len(re.findall(rb"/Type /Page\b(?!s)", pdf))


def charge(page: Page) -> Any:
    """Return where it says who is in charge."""
    return page.locator("[data-charge]")


def settle(page: Page) -> None:
    """Let the officer of this page be in charge, whoever was before."""
    expect(charge(page)).not_to_be_empty()
    for name in ("接班签字", "由我开始值守"):
        button = page.get_by_role("button", name=name)
        if button.count():
            button.click()
            break
    expect(charge(page)).to_have_text("值班长（您）")


def test_the_sheet_is_there_by_itself_and_two_signatures_hand_the_watch_over(city: Any, held: dict[str, Any], page_of: Any) -> None:
    day = page_of("/desk/duty", "duty", width=1440, height=900)
    settle(day)
    begun = time.monotonic()
    day.goto("/desk/duty")
    for part in PARTS["zh"]:
        day.get_by_role("heading", level=3, name=re.compile(f"^{part}")).wait_for()
    assert time.monotonic() - begun < SOON
    row = day.locator("#part-open a", has_text=held["case"]["number"])
    expect(row).to_have_attribute("href", f"/desk/case/{held['case']['id']}")
    warned = day.locator("#part-warnings summary", has_text="大风蓝色预警")
    warned.click()
    expect(day.locator("#part-warnings details[open]")).to_contain_text(held["warning"]["number"])

    draft = city.get("/api/duty", "duty")["draft"]
    expect(day.locator("#part-warnings .count")).to_have_text(re.compile(rf"^\s*{len(draft['warnings'])}$"))
    for key in ("response", "mode", "incident"):
        chip = day.locator(".jump a", has_text={"response": "响应", "mode": "平急", "incident": "事件"}[key])
        expect(chip.locator("b")).to_have_text(str(len(draft[f"{key}s"])))

    night = page_of("/desk/duty", "duty-night", width=1280, height=720)
    expect(charge(night)).to_have_text("值班长")
    expect(night.locator(".charge")).to_contain_text("您不在值守")
    expect(night.get_by_role("button", name="接班签字")).to_have_count(0)

    day.locator("#duty-memo").fill("3 号泵待修")
    day.get_by_role("button", name="交班签字").click()
    expect(day.locator(".charge .sentence")).to_contain_text("在此之前仍由您值守")
    expect(charge(day)).to_have_text("值班长（您）")
    expect(day.get_by_role("button", name="接班签字")).to_have_count(0)

    expect(night.locator(".charge")).to_contain_text("您还没有在值守")
    expect(charge(night)).to_have_text("值班长")
    assert city.get("/api/duty", "duty-night")["in_charge"]["name_zh"] == "值班长"
    expect(night.get_by_role("heading", name=re.compile("^已签出的交接单"))).to_be_visible()
    expect(night.locator("#part-memo")).to_contain_text("3 号泵待修")
    expect(night.locator("#duty-memo")).to_have_count(0)
    night.get_by_role("button", name="接班签字").click()
    expect(charge(night)).to_have_text("值班长（夜班）（您）")
    expect(charge(day)).to_have_text("值班长（夜班）")
    past = day.locator(".side .card", has_text="以往交接").locator("a").first
    expect(past).to_contain_text("值班长 → 值班长（夜班）")
    past.click()
    expect(day.get_by_role("heading", name=re.compile("^已签出的交接单"))).to_be_visible()
    expect(day.locator("#part-memo")).to_contain_text("3 号泵待修")

    night.get_by_role("button", name="交班签字").click()
    day.goto("/desk/duty")
    settle(day)


def test_a_leader_instructs_and_everyone_sees_what_became_of_it(city: Any, held: dict[str, Any], page_of: Any) -> None:
    leader = page_of("/desk/duty", "leader", width=1440, height=900)
    expect(leader.get_by_role("button", name="接班签字")).to_have_count(0)
    leader.get_by_role("button", name="写批示").click()
    leader.get_by_label("批示内容").fill("今天办结并回访")
    leader.get_by_label("案件编号").fill(held["case"]["number"])
    leader.get_by_role("button", name="下达批示").click()
    expect(leader.locator("#instructions [role=status]")).to_contain_text("已下达批示")
    expect(leader.locator("#part-instructions")).to_contain_text("今天办结并回访")
    handler = page_of("/desk/duty", "dispatcher", width=390, height=844)
    listed = handler.locator("#instructions li", has_text="今天办结并回访").first
    expect(listed.get_by_role("link", name=re.compile(held["case"]["number"]))).to_have_attribute("href", f"/desk/case/{held['case']['id']}")
    expect(handler.get_by_role("button", name="写批示")).to_have_count(0)
    assert handler.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing runs out of a phone's side"
    assert city.get("/api/instructions", "duty")["items"][0]["open"]


def test_the_brief_is_one_page_on_screen_and_as_pdf_in_both_languages(city: Any, held: dict[str, Any], page_of: Any) -> None:
    for language, word, other in (("zh", "每日简报", "昨日受理"), ("en", "Daily brief", "Yesterday")):
        page = page_of("/brief", "leader", width=1280, height=720, language=language)
        sheet = page.locator("article.page")
        expect(sheet.get_by_role("heading", level=1)).to_contain_text(word)
        expect(sheet).to_contain_text(other)
        expect(sheet.get_by_role("link", name=re.compile("大风蓝色预警|Gale: blue"))).to_be_visible()
        assert pages(page.pdf(prefer_css_page_size=True)) == 1, "printed"
        link = page.get_by_role("link", name=re.compile("PDF"))
        answer = page.request.get(str(link.get_attribute("href")))
        assert pages(answer.body()) == 1
        before = str(page.get_by_label(re.compile("^(日期|Day)$")).input_value())
        page.get_by_role("button", name=re.compile("^(前一天|The day before)$")).click()
        expect(page).to_have_url(re.compile(r"date=\d{4}-\d\d-\d\d"))
        expect(page.get_by_label(re.compile("^(日期|Day)$"))).not_to_have_value(before)
        assert faults(page) == []
    assert held


def test_the_rail_leads_through_the_desk_and_the_watch_can_be_read_by_everyone(held: dict[str, Any], page_of: Any) -> None:
    page = page_of("/desk/duty", "duty", width=1440, height=900, language="en")
    for part in PARTS["en"]:
        page.get_by_role("heading", level=3, name=re.compile(f"^{part}")).wait_for()
    assert faults(page) == []
    rail = page.get_by_role("navigation", name="Rooms of the desk")
    assert rail.get_by_role("link").all_inner_texts() == ["Queue", "Disputes", "Duty", "Brief", "Evaluate", "Tables", "Playbooks", "System"]
    expect(rail.get_by_role("link", name="Duty")).to_have_attribute("aria-current", "page")
    for name in ("Brief", "Tables", "Playbooks", "Queue"):
        rail.get_by_role("link", name=name).click()
        expect(rail.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")
        expect(page.locator("#main")).to_be_visible()
    guest = page_of("/desk/duty", "", width=1280, height=720)
    expect(guest.get_by_role("alert")).to_contain_text("登录")
    assert held
