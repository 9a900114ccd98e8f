"""Where things are, at the desk and on phones: what has no place is put on the map before it is sent out, and no page leads into a wall."""

from typing import Any

from playwright.sync_api import expect

from .conftest import held


def report(city: Any, **more: Any) -> str:
    told = city.as_("citizen").post("/api/requests", json={"text": "井盖缺失", "class": "drainage.manhole", **more})
    assert told.status_code == 202, told.text
    return str(told.json()["number"])


def filed(city: Any, number: str) -> str:
    """Return the case of a report; whoever is first confirms its lead, the simulated acceptor or the one here."""
    acceptor = city.as_("acceptor")

    def case() -> str | None:
        lead = next((one for one in acceptor.get("/api/leads").json()["items"] if any(voice["number"] == number for voice in one["heard"])), None)
        if lead is not None and not lead["case"]:
            acceptor.post(f"/api/leads/{lead['id']}/confirm", json={})
        return lead and lead["case"]

    return str(city.until(case, "the case of a report"))


def test_a_report_may_name_its_street_and_no_other_citys(city: Any) -> None:
    street = city.get("/api/areas?level=street")["items"][1]["code"]
    case = city.get(f"/api/cases/{filed(city, report(city, area=street))}", "duty")
    assert (case["area"], case["placed"]) == (street, True)
    answer = city.as_("citizen").post("/api/requests", json={"text": "井盖缺失", "area": "110101001000000"})
    assert (answer.status_code, answer.json()["code"]) == (404, "survey.area_unknown")


def test_what_the_desk_made_void_is_not_settled_for_its_citizen(page_of: Any, city: Any) -> None:
    number = report(city)
    case = filed(city, number)
    city.as_("duty").post(f"/api/cases/{case}/void", json={"reason": "与另一件重复"}).raise_for_status()
    told = city.get(f"/api/requests/{number}", "citizen")
    page = page_of("/citizen", "citizen", width=390, height=844)
    line = page.locator(".mine li", has_text=number)
    expect(line).to_contain_text(told["waiting"]["holder_zh"])
    expect(line).not_to_contain_text("已办结")


def test_what_has_no_place_is_put_on_the_map_at_the_desk(page_of: Any, city: Any) -> None:
    case = filed(city, report(city))
    seen = city.get(f"/api/cases/{case}", "dispatcher")
    assert seen["placed"] is False
    answer = city.as_("dispatcher").post(f"/api/cases/{case}/dispatch", json={"version": seen["version"], "unit": "dept-drainage"})
    assert (answer.status_code, answer.json()["code"]) == (409, "case.not_placed")
    answer = city.as_("dispatcher").post(f"/api/cases/{case}/place", json={"version": seen["version"], "lon": 10, "lat": 10})
    assert answer.json()["code"] == "place.outside"
    page = page_of(f"/desk/case/{case}", "dispatcher")
    expect(page.locator(".unplaced")).to_be_visible()
    page.keyboard.press("5")
    streets = page.locator("#place-street")
    expect(streets.locator("option")).not_to_have_count(1)
    streets.select_option(index=2)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".unplaced")).to_have_count(0)
    expect(page.locator(".lines")).to_contain_text("定位")
    after = city.get(f"/api/cases/{case}", "dispatcher")
    moved = next(line["moved"] for line in after["history"] if line["verb"] == "place")
    assert (moved["from"], moved["to"]) == (seen["area"], after["area"])
    assert after["area"] in {one["code"] for one in city.get("/api/areas?level=street")["items"]}


def test_seat_phone_without_a_network_speaks_to_who_holds_it(page_of: Any, city: Any) -> None:
    case = held(city, "井盖缺失", 23)
    page = page_of(f"/field/task/{case}", "handler", width=390, height=844)
    expect(page.locator(".what")).to_contain_text("井盖缺失")
    page.context.set_offline(True)
    page.locator("footer .primary").click()
    expect(page.locator(".told")).to_contain_text("有网自动发送")
    expect(page.locator("[role=alert]")).to_have_count(0)
    expect(page.locator(".slots")).to_be_visible()
    page.context.set_offline(False)
    city.until(lambda: "take" in {line["verb"] for line in city.get(f"/api/cases/{case}", "duty")["history"]}, "the task taken, once there was a network")
    assert sum(line["verb"] == "take" for line in city.get(f"/api/cases/{case}", "duty")["history"]) == 1


def test_back_closes_the_citizens_form(page_of: Any) -> None:
    page = page_of("/citizen", "citizen", width=390, height=844)
    page.get_by_role("button", name="说话反映").click()
    expect(page.locator("#said")).to_be_visible()
    page.go_back()
    expect(page.locator("#said")).to_have_count(0)
    expect(page.get_by_role("button", name="拍照反映")).to_be_visible()


def test_the_desk_turns_its_tabs_by_key(page_of: Any) -> None:
    page = page_of("/desk/queue?tab=leads", "duty")
    here = page.locator(".queue .tabs [aria-current=page]")
    expect(here).to_contain_text("线索")
    page.keyboard.press("]")
    expect(here).to_contain_text("受理")
    page.keyboard.press("[")
    page.keyboard.press("[")
    expect(here).to_contain_text("全部")
    assert "从左边" not in page.locator("#main").inner_text()


def test_who_may_not_take_notice_is_not_asked_to(page_of: Any, city: Any) -> None:
    street = city.get("/api/areas?level=street")["items"][0]["code"]
    page = page_of(f"/vital/DR02/{street}", "steward")
    page.locator(".explain .figure").wait_for()
    assert page.get_by_role("button", name="知悉").count() == 0
