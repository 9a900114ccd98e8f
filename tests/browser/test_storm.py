"""The first three minutes: a calm screen, a storm that colours little, eight steps whose links open, and a seat that a visitor takes."""

from typing import Any

from playwright.sync_api import expect

from .conftest import held

CALM_AT_MOST, STORM_AT_MOST = 0.03, 0.12
STEPS = ("雨来了", "通道积水越线", "发出告警", "三人上报并入", "按目录派遣", "接单到场", "抽排水退", "核查结案")


def test_calm_is_uncoloured(storm: Any) -> None:
    assert storm.calmed.wait(120)
    if storm.wrong is not None:
        raise storm.wrong
    assert storm.calm < CALM_AT_MOST
    assert "万人" in storm.calm_line and "项体征正常" in storm.calm_line


def test_storm_is_told_in_eight_steps(after_storm: Any) -> None:
    assert sorted({words for _, words in after_storm.seen}, key=STEPS.index) == list(STEPS)
    assert len(after_storm.links) == len(STEPS)
    assert after_storm.rang, "the handler's phone is shown"


def test_storm_colours_little(after_storm: Any) -> None:
    assert after_storm.coloured
    assert max(after_storm.coloured.values()) < STORM_AT_MOST
    assert max(after_storm.coloured.values()) > after_storm.calm, "something must be coloured in a storm"


def test_storm_links_open(after_storm: Any, page_of: Any) -> None:
    page = page_of("/screen")
    for link in dict.fromkeys(after_storm.links):
        page.goto(link)
        page.locator("#main").wait_for()
        expect(page.locator("#main [role=alert]")).to_have_count(0)
        assert "没有这个页面" not in page.title()
        assert page.locator("#main").inner_text().strip()


def test_seat_of_the_handler(after_storm: Any, city: Any, page_of: Any) -> None:
    assert after_storm
    page = page_of("/screen")
    page.get_by_role("button", name="接替此岗位").click()
    page.get_by_role("button", name="接替处置员（排水处）").click()
    page.wait_for_url("**/field")
    assert city.get("/api/story")["seats"][2] | {"taken_by_robot": False} == next(s for s in city.get("/api/story")["seats"] if s["seat"] == "handler")
    expect(page.locator(".strip")).to_contain_text("处置员（排水处）")
    case = held(city, "井盖松动", 19)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/field/task/{case}")
    page.get_by_role("button", name="接单").click()
    photo = {"name": "a.png", "mimeType": "image/png", "buffer": page.screenshot()}
    inputs = page.locator(".slot input[type=file]")
    inputs.nth(0).set_input_files(photo)
    inputs.nth(1).set_input_files(photo | {"buffer": page.screenshot(full_page=True)})
    page.get_by_role("button", name="已处置完毕").click()
    page.get_by_role("button", name="提交处置结果").click()
    expect(page.locator(".told")).to_contain_text("已提交")
    whole = city.get(f"/api/cases/{case}", "duty")
    by = {step["verb"]: step for step in whole["history"]}
    assert whole["step"] in {"check", "closed"}
    assert {"take", "handle", "feedback"} <= by.keys(), "the visitor did it, not the robot"
    assert len(by["handle"]["evidence"]) == len(by["feedback"]["evidence"]) == 1
    page.get_by_role("button", name="离开岗位").click()
    page.wait_for_url("**/screen")
    assert page.request.get("/api/session").json()["principal"]["id"] == "guest"
