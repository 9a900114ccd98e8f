"""A storm day on the page: a warning entered, a mode proposed and approved, an incident's orders and their receipts, its reports, its end and the look back.

Runs in themes and areas of its own, so that nothing here is raised for the other tests longer than it is looked at.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
FAULTS = "async (tags) => (await axe.run(document, { runOnly: { type: 'tag', values: tags } })).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target)}`)"
SLOW_READING = """() => { const swift = window.fetch; window.fetch = async (to, how) => { const answer = await swift(to, how);
  if ((how?.method ?? 'GET') === 'GET') await new Promise((done) => setTimeout(done, 1000)); return answer } }"""
"""Every reading again takes a second longer: what is clicked meanwhile must not name a version that has gone."""
RECEIPT_MS = 2000 + 4000
"""Two seconds by page.md, with slack for a machine that does other things beside."""


def faults(page: Page) -> Any:
    """Return what axe finds."""
    if not AXE.exists():
        pytest.skip("axe-core is not there: cd web && npm ci")
    page.evaluate(AXE.read_text("utf-8"))
    return page.evaluate(FAULTS, TAGS)


def whole(page: Page) -> None:
    """Nothing on the page is a key where a word should stand."""
    assert not re.findall(r"\b(?:centre|room|act|screen|time)\.[a-zA-Z.]+\b", page.locator("#main").inner_text())


def test_warning_by_hand_stands_in_the_bar(page_of: Any) -> None:
    screen = page_of("/screen", "duty", width=1600, height=900)
    screen.get_by_role("button", name="平时").click()
    drawer = screen.locator(".drawer")
    drawer.get_by_role("button", name="录入预警").click()
    drawer.get_by_label("发布单位").fill("云汀市气象台（虚构）")
    drawer.get_by_label("原文编号").fill("20260712-07")
    drawer.get_by_label("灾种", exact=True).fill("大风")
    drawer.get_by_label("灾种（英文，可空）").fill("Gale")
    drawer.get_by_text("黄色", exact=True).click()
    drawer.get_by_role("button", name="接收预警").click()
    chip = screen.locator(".p-top .chip.yellow")
    expect(chip).to_have_text(re.compile("大风黄色预警"))
    chip.click()
    expect(drawer).to_contain_text("云汀市气象台（虚构）")
    assert faults(screen) == []
    screen.keyboard.press("Escape")
    screen.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    chip.focus()
    screen.keyboard.press("Enter")
    expect(drawer.locator("h2")).to_be_focused()
    for _ in range(2):
        screen.keyboard.press("Escape")
    expect(chip).to_be_focused()
    guest = page_of("/screen", "", width=1600, height=900, language="en")
    expect(guest.locator(".p-top .chip.yellow")).to_have_text(re.compile("Gale: Yellow"))
    guest.locator(".p-top .chip.yellow").click()
    expect(guest.locator(".drawer").get_by_role("button", name="Update or cancel")).to_have_count(0)
    whole(guest)


def test_warning_comes_from_a_file(page_of: Any, city: Any) -> None:
    sent = datetime.now(UTC).replace(microsecond=0)
    area = city.get("/api/city")["code"]
    cap = f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>cap-{sent:%H%M%S}</identifier><sender>met@yunting.example</sender><sent>{sent.isoformat()}</sent>
<status>Actual</status><msgType>Alert</msgType><scope>Public</scope>
<info><language>zh-CN</language><category>Met</category><event>雷电</event><urgency>Expected</urgency><severity>Moderate</severity><certainty>Likely</certainty>
<expires>{(sent + timedelta(hours=2)).isoformat()}</expires><senderName>云汀市气象台（虚构）</senderName><description>预计有雷电活动。</description>
<parameter><valueName>Color</valueName><value>Blue</value></parameter><area><areaDesc>云汀市</areaDesc><geocode><valueName>区划</valueName><value>{area}</value></geocode></area></info></alert>"""
    screen = page_of("/screen", "duty", width=1280, height=720)
    screen.locator(".p-story .chips .officer").click()
    screen.locator(".drawer .crumb").first.click()
    screen.get_by_role("button", name="录入预警").click()
    screen.get_by_role("button", name="CAP 文件").click()
    screen.locator(".drawer input[type=file]").set_input_files({"name": "a.xml", "mimeType": "application/xml", "buffer": cap.encode()})
    screen.get_by_role("button", name="接收预警").click()
    expect(screen.locator(".drawer")).to_contain_text("雷电蓝色预警")


def test_mode_is_proposed_approved_and_ended(page_of: Any) -> None:
    screen = page_of("/screen", "duty", width=1280, height=720)
    screen.locator(".p-story .chips .officer").click()
    screen.locator(".drawer .crumb").first.click()
    drawer = screen.locator(".drawer")
    drawer.get_by_role("button", name="提出转换").click()
    drawer.get_by_text("防汛", exact=True).click()
    drawer.get_by_label("依据").fill("防指〔2026〕8 号")
    drawer.locator("form").get_by_role("button", name="提出转换").click()
    screen.locator(".p-story .chip.waits").click()
    expect(drawer).to_contain_text("等待带班领导批准")
    expect(drawer.get_by_role("button", name="批准启动")).to_have_count(0)

    leader = page_of("/screen", "leader", width=390, height=844)
    leader.locator(".chip.waits").click()
    leader.get_by_role("button", name="批准启动").click()
    expect(screen.locator(".p-story .chips .mode.on")).to_contain_text("防汛")
    strip = screen.locator(".strips")
    for effect in ("指令", "到岗", "紧急时限", "延后", "加密监测", "进入处置室"):
        expect(strip).to_contain_text(effect)
    expect(drawer.locator(".effect")).to_have_count(6)
    expect(screen.locator(".tile.raised").first).to_contain_text("加密")

    end = leader.get_by_role("button", name="恢复常态")
    end.click()
    end.click()
    expect(leader.locator(".drawer")).to_contain_text("已恢复")
    expect(leader.locator(".drawer")).to_contain_text("恢复常规采样：水位计")
    expect(strip).to_have_count(0)
    expect(screen.locator(".p-story .chips .mode.on")).to_have_count(0)
    expect(screen.locator(".tile.raised")).to_have_count(0)


def send_first(room: Page) -> None:
    """Send the first report, which does not go before its places are filled in."""
    draft = room.locator(".draft").first
    draft.get_by_label("报送单位").fill("市委值班室")
    expect(draft).to_contain_text("填好这些地方才能报送：〔待核〕")
    expect(draft.get_by_role("button", name="报送首报")).to_be_disabled()
    draft.locator("textarea").first.fill("首报：井盖缺失，已围挡。")
    expect(draft).to_contain_text("按中文稿报送")
    draft.get_by_role("button", name="报送首报").click()
    expect(room.locator(".sent").first).to_contain_text("市委值班室")


def test_incident_from_its_opening_to_its_review(page_of: Any, city: Any) -> None:
    place = city.get("/api/entities?type=TrashBin&limit=1", "duty")["items"][0]
    body = {"class": "drainage.manhole", "title_zh": "井盖缺失", "title_en": "Manhole cover missing", "area": place["area"], "lon": place["lon"], "lat": place["lat"]}
    case = city.as_("duty").post("/api/cases", json=body).raise_for_status().json()
    room = page_of(f"/desk/case/{case['id']}", "duty", width=1440, height=900)
    room.get_by_role("link", name="开设事件").click()
    form = room.locator(".drawer form")
    expect(form.get_by_label("名称（中文）")).to_have_value("井盖缺失")
    form.get_by_text("防汛", exact=True).click()
    form.get_by_label("这是演练").check()
    form.get_by_role("button", name="开设事件").click()
    expect(room.locator(".band")).to_contain_text("演练")
    expect(room.locator(".r-situation")).to_contain_text(case["number"])

    room.get_by_role("button", name="下达指令").click()
    room.locator(".r-orders form select").select_option("dept-traffic")
    room.locator(".r-orders").get_by_label("内容").fill("断道并设绕行")
    room.locator(".r-orders form").get_by_role("button", name="下达指令").click()
    order = room.locator(".order", has_text="断道并设绕行")
    expect(order.locator(".receipts .done")).to_have_count(1)

    phone = page_of("/desk/queue", "traffic-office", width=390, height=844)
    phone.locator(".call").click()
    own = phone.locator(".order.own")
    expect(own).to_contain_text("断道并设绕行")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.evaluate(SLOW_READING)
    own.get_by_role("button", name="签收").click()
    expect(order.locator(".receipts .done")).to_have_count(2, timeout=RECEIPT_MS)
    own.get_by_role("button", name="接令").click()
    expect(order.locator(".receipts .done")).to_have_count(3, timeout=RECEIPT_MS)
    own.get_by_role("button", name="完成").click()
    expect(order.locator(".receipts .done")).to_have_count(4, timeout=RECEIPT_MS)
    expect(phone.get_by_role("button", name="结束事件")).to_have_count(0)
    assert faults(phone) == []

    room.get_by_label("记一笔").fill("现场已围挡")
    room.keyboard.press("Enter")
    expect(room.locator(".r-log")).to_contain_text("现场已围挡")
    send_first(room)
    assert faults(room) == []

    room.get_by_role("button", name="结束事件").first.click()
    expect(room.locator(".closing .unfinished")).to_contain_text(case["number"])
    room.locator(".closing").get_by_role("button", name="结束事件").click()
    expect(room.locator(".state").first).to_contain_text("已结束")
    room.get_by_role("button", name="复盘").click()
    review = room.locator(".review")
    expect(review.locator(".moments .done")).to_have_count(6)
    told = city.as_("duty").get(f"/api/incidents/{room.url.rpartition('/')[2].partition('?')[0]}/review").json()
    assert all(gap["s"] >= 0 for gap in told["gaps"]), "seen when the case was, not when the room was opened"
    expect(review).to_contain_text("断道并设绕行")
    answer = city.as_("duty").get(str(review.get_by_role("link", name="打印版（PDF）").get_attribute("href")))
    assert answer.content.startswith(b"%PDF-")
    english = page_of(room.url.removeprefix(city.url), "duty", width=1280, height=720, language="en")
    english.locator(".review .moments").wait_for()
    whole(english)
    english.get_by_role("button", name="Back to the room").click()
    english.locator(".r-orders").wait_for()
    whole(english)
