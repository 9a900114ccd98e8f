"""The side ways of a case, walked through the page: given back and ruled on, more time asked for and given, not mine, others called in, a duty table brought in.

They take the seats of the simulated people first, so that nobody else moves these cases.
"""

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
ROOT = Path(__file__).parents[2]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
FAULTS = "async (tags) => (await axe.run(document, { runOnly: { type: 'tag', values: tags } })).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target)}`)"


@pytest.fixture(scope="module")
def seats(city: Any) -> None:
    """Stop the simulated people who would move a case of the streets."""
    for seat in ("acceptor", "dispatcher", "handler", "checker"):
        city.as_("").post(f"/api/story/seats/{seat}").raise_for_status()


def do(city: Any, who: str, case: str, verb: str, **given: Any) -> dict[str, Any]:
    """Do a verb as someone and return the case."""
    return dict(city.as_(who).post(f"/api/cases/{case}/{verb}", json=given).raise_for_status().json())


def held(city: Any, class_: str, nth: int, title: str) -> str:
    """Return a case that the drainage office holds in a street."""
    place = city.get("/api/entities?type=TrashBin&limit=30", "duty")["items"][nth]
    body = {"class": class_, "title_zh": title, "title_en": title, "area": place["area"], "lon": place["lon"], "lat": place["lat"]}
    case = str(city.as_("duty").post("/api/cases", json=body).raise_for_status().json()["id"])
    do(city, "acceptor", case, "verify")
    do(city, "duty", case, "file")
    do(city, "duty", case, "dispatch", unit="dept-drainage")
    return case


def faults(page: Page) -> Any:
    """Return what axe finds."""
    if not AXE.exists():
        pytest.skip("axe-core is not there: cd web && npm ci")
    page.evaluate(AXE.read_text("utf-8"))
    return page.evaluate(FAULTS, TAGS)


def test_seat_case_is_given_back_rejected_objected_to_and_ruled_on(seats: None, city: Any, page_of: Any) -> None:
    before = held(city, "drainage.manhole", 0, "井盖松动")
    do(city, "handler", before, "return", code="not-our-duty")
    do(city, "dispatcher", before, "dispute", reason="两家单位都认为不归己")
    do(city, "duty", before, "rule", unit="dept-road", reason="按权属", note="会商：井盖属道路附属设施。")
    number = city.get(f"/api/cases/{before}", "duty")["number"]

    case = held(city, "drainage.manhole", 1, "井盖响")
    handler = page_of(f"/desk/case/{case}", "handler", width=1440, height=900)
    handler.locator(".bar").get_by_role("button", name=re.compile("^退单")).click()
    form = handler.locator(".work .form")
    expect(form.get_by_role("radio")).not_to_have_count(0)
    form.get_by_role("radio", name="不属本单位职责").check()
    handler.keyboard.press("Control+Enter")
    expect(handler.locator(".lines")).to_contain_text("退单")

    desk = page_of("/desk/disputes", "dispatcher", width=1440, height=900)
    desk.locator(".row", has_text="退单待审").first.wait_for()
    desk.goto(f"/desk/case/{case}")
    rulings = desk.locator(".work .rulings")
    expect(rulings).to_contain_text(number)
    expect(rulings).to_contain_text("会商：井盖属道路附属设施。")
    expect(rulings).to_be_in_viewport()
    desk.locator(".pending").get_by_role("button", name="驳回退单").click()
    desk.locator(".form").get_by_role("button", name="属你单位职责，见派遣目录").click()
    desk.keyboard.press("Control+Enter")
    expect(desk.locator(".held .charged")).to_have_text(re.compile("计入退单单位"))

    handler.locator(".bar").get_by_role("button", name=re.compile("^提出异议")).click()
    handler.locator(".form").get_by_role("button", name="权属在其他单位").click()
    handler.keyboard.press("Control+Enter")
    expect(handler.locator(".pending")).to_contain_text("会商裁定")

    duty = page_of(f"/desk/case/{case}", "duty", width=1366, height=768)
    expect(duty.locator(".work .rulings")).to_contain_text(number)
    duty.locator(".pending").get_by_role("button", name="会商裁定").click()
    form = duty.locator(".work .form")
    expect(form.get_by_role("button", name=re.compile("^会商裁定"))).to_be_disabled()
    form.get_by_role("button", name="市政道路处").click()
    form.get_by_role("button", name="按权属").click()
    form.get_by_label("会商纪要").fill("会商：按上次裁定办理。")
    assert faults(duty) == []
    duty.keyboard.press("Control+Enter")
    expect(duty.locator(".pending")).to_have_count(0)
    now = city.get(f"/api/cases/{case}", "duty")
    assert (now["unit"], now["step"], now["rejected"]) == ("dept-road", "handle", 1)
    assert [line["verb"] for line in now["history"]][-4:] == ["return", "reject", "object", "rule"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_seat_more_time_is_asked_for_and_given_in_one_click(seats: None, city: Any, page_of: Any, language: str) -> None:
    case = held(city, "drainage.blocked", {"zh": 2, "en": 3}[language], "雨水口堵塞")
    due = city.get(f"/api/cases/{case}", "duty")["due"]
    words = {"zh": ("申请", "等待配件或设备", "+1 天", "批准到"), "en": ("Ask for", "Parts or machines are awaited", "+1 day", "Grant until")}[language]
    handler = page_of(f"/desk/case/{case}", "handler", language=language)
    handler.locator(".work .bar").wait_for()
    handler.keyboard.press(".")
    expect(handler.get_by_role("menuitem").first).to_be_focused()
    assert faults(handler) == []
    handler.get_by_role("menuitem", name=words[0]).click()
    form = handler.locator(".work .form")
    form.get_by_role("radio", name=words[1]).check()
    form.get_by_role("button", name=words[2]).click()
    handler.keyboard.press("Control+Enter")
    expect(handler.locator(".pending")).to_contain_text(words[1])

    desk = page_of(f"/desk/case/{case}", "dispatcher", language=language)
    expect(desk.locator(".pending")).to_contain_text(words[1])
    assert city.get(f"/api/cases/{case}", "duty")["due"] == due
    desk.locator(".pending").get_by_role("button", name=words[3]).click()
    expect(desk.locator(".pending")).to_have_count(0)
    now = city.get(f"/api/cases/{case}", "duty")
    assert (now["extended"], not now["asked"]) == (1, True)
    assert now["due"] > due


def test_seat_not_mine_is_two_taps_and_says_who_holds_it_now(seats: None, city: Any, page_of: Any) -> None:
    case = held(city, "drainage.blocked", 4, "雨水口被盖住")
    page = page_of(f"/field/task/{case}", "handler", width=390, height=844)
    page.locator(".what").wait_for()
    page.get_by_role("button", name="不是我的").click()
    sheet = page.get_by_role("dialog")
    expect(sheet.get_by_role("button", name="不属本单位职责")).to_be_visible()
    assert faults(page) == []
    sheet.get_by_role("button", name="不属本单位职责").click()
    told = page.locator(".told[role=status]")
    expect(told).to_contain_text("派遣员")
    expect(told).to_contain_text("你的时钟停在")
    expect(page.locator("footer")).to_have_count(0)
    now = city.get(f"/api/cases/{case}", "duty")
    assert (now["step"], now["mark"], now["history"][-1]["reason"]) == ("dispatch", "returned", "不属本单位职责")


def test_seat_more_time_is_asked_for_on_the_phone_without_typing(seats: None, city: Any, page_of: Any) -> None:
    case = held(city, "drainage.blocked", 5, "雨水口破损")
    page = page_of(f"/field/task/{case}", "handler", width=390, height=844)
    page.get_by_role("button", name="延期").click()
    page.get_by_role("button", name="天气原因不能施工").click()
    page.get_by_role("button", name="提交申请").click()
    expect(page.locator(".told[role=status]")).to_contain_text("已申请延期")
    asked = city.get(f"/api/cases/{case}", "duty")["asked"]
    assert (asked["what"], asked["reason"]) == ("extend", "天气原因不能施工")


def test_seat_task_of_a_playbook_is_done_by_another_departments_officer(seats: None, city: Any, page_of: Any) -> None:
    phone = page_of("/field", "traffic-office", width=390, height=844)
    case = held(city, "drainage.ponding", 6, "下穿通道积水")
    do(city, "handler", case, "take")
    desk = page_of(f"/desk/case/{case}", "handler", width=1440, height=900)
    desk.locator(".work .bar").wait_for()
    desk.keyboard.press(".")
    desk.get_by_role("menuitem", name="启动联动").click()
    desk.locator(".form select").select_option("flooding")
    desk.keyboard.press("Control+Enter")
    expect(desk.locator(".tasks h3")).to_contain_text("内涝处置")
    expect(desk.locator(".tasks h3")).to_contain_text("0/1 已完成")

    photo = city.as_("handler").post("/api/evidence", files={"file": ("a.png", PIXEL, "image/png")}).raise_for_status().json()["sha256"]
    first = city.get(f"/api/cases/{case}", "handler")["tasks"][0]
    choices = {one["name"]: {"trapped": "no", "passable": "no"}.get(one["name"], one["options"][0]["value"]) for one in first["choices"]}
    city.as_("handler").post(f"/api/cases/{case}/tasks/{first['id']}/done", json={"evidence": [photo], "choices": choices}).raise_for_status()

    phone.reload()
    row = phone.locator(".helping", has_text="下穿通道积水")
    row.first.click()
    own = phone.locator(".own")
    own.get_by_role("button", name="报到").click()
    expect(own).to_contain_text("已报到")
    own.get_by_role("button", name="完成任务").click()
    if own.locator("input[type=file]").count():
        own.locator("input[type=file]").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": PIXEL})
    for group in own.locator("fieldset").all():
        group.get_by_role("radio").first.check()
    if own.locator("form").count():
        own.locator("form").get_by_role("button", name="完成任务").click()

    def ended() -> list[dict[str, Any]]:
        return [task for task in city.get(f"/api/cases/{case}", "duty")["tasks"] if task["unit"] == "dept-traffic" and task["state"] == "done"]

    done = city.until(ended, "the task's end")
    assert done[0]["arrived"] and done[0]["ended"]
    expect(desk.locator(".tasks .done", has_text="交通管理处")).to_contain_text("已完成")

    desk.locator(".tasks summary").click()
    drawing = desk.locator(".place[data-ready=true]")
    drawing.wait_for()
    expect(drawing.locator(".bjs-powered-by")).to_be_visible()
    expect(drawing.locator(".djs-element.is-done")).not_to_have_count(0)


def test_duty_table_shows_its_difference_and_is_then_brought_in(city: Any, page_of: Any) -> None:
    page = page_of("/desk/tables?kind=reasons", "steward", width=1440, height=900)
    page.locator(".rows tbody tr").first.wait_for()
    rows = page.locator(".rows tbody tr").count()
    table = "verb,code,zh,en,basis,basis_en,valid_from\nreturn,not-road,不是本路段,Not our stretch of road,试用规则 1,Trial rule 1,2026-01-01\n"
    bad = {"name": "trial.csv", "mimeType": "text/csv", "buffer": b"verb,code\nreturn,x\n"}
    page.locator("input[type=file]").set_input_files(bad)
    expect(page.get_by_role("alert")).to_contain_text("缺少列")
    page.locator("input[type=file]").set_input_files({"name": "trial.csv", "mimeType": "text/csv", "buffer": table.encode()})
    expect(page.locator(".diff .lines li")).to_have_count(1)
    expect(page.locator(".diff")).to_contain_text("not-road")
    assert len(city.get("/api/tables/reasons", "steward")["items"]) == rows, "looking changes nothing"
    assert faults(page) == []
    page.get_by_role("button", name="装入").click()
    expect(page.locator(".diff")).to_contain_text("已装入")
    expect(page.locator(".rows tbody tr")).to_have_count(rows + 1)
    assert {row["from"] for row in city.get("/api/tables/reasons", "steward")["items"] if row["code"] == "not-road"} == {"trial"}
    reader = page_of("/desk/tables?kind=reasons", "dispatcher")
    reader.locator(".rows").wait_for()
    expect(reader.locator("input[type=file]")).to_have_count(0)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_playbook_is_refused_with_its_fault_and_drawn(page_of: Any, language: str) -> None:
    page = page_of("/desk/playbooks?key=gas_leak", "steward", language=language, width=1366, height=768)
    page.locator(".place[data-ready=true]").wait_for()
    expect(page.locator(".bjs-powered-by")).to_be_visible()
    expect(page.locator(".place svg.djs-container, .place svg").first).to_contain_text({"zh": "交通管理处", "en": "Traffic office"}[language])
    assert faults(page) == []
    file = b'<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"><process id="a" isExecutable="true"><serviceTask id="x"/></process></definitions>'
    page.locator("input[type=file]").set_input_files({"name": "a.bpmn", "mimeType": "application/xml", "buffer": file})
    expect(page.get_by_role("alert")).to_contain_text("playbook.refused")
    told = page.locator(".faults li")
    expect(told.first).to_contain_text("x")
    assert told.count() > 1, "every fault is told, not the first alone"
    assert page.locator(".list a").count() > 1
