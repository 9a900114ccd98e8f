"""A lead that was settled by answers waits in no list; it is found when asked for, and opened again by one key."""

from typing import Any

from playwright.sync_api import expect


def test_seat_what_was_settled_by_answers_is_found_and_opened_again(city: Any, page_of: Any) -> None:
    for seat in ("acceptor", "dispatcher", "handler", "checker"):
        city.as_("").post(f"/api/story/seats/{seat}").raise_for_status()
    place = city.get("/api/entities?type=TrashBin&limit=30", "duty")["items"][7]
    words = "请问今晚停水到几点"
    told = city.as_("citizen-3").post("/api/requests", json={"text": words, "lon": place["lon"], "lat": place["lat"]}).raise_for_status().json()
    lead = city.get(f"/api/requests/{told['number']}", "acceptor")["lead"]
    city.as_("acceptor").post(f"/api/requests/{told['number']}/answer", json={"answer": "今晚八点来水"}).raise_for_status()
    page = page_of(f"/desk/queue?tab=leads&lead={lead}", "duty", width=1440, height=900)
    page.get_by_role("link", name="待核实").wait_for()
    expect(page.locator(".queue .row", has_text=words)).to_have_count(0)
    page.get_by_role("link", name="答复了结").click()
    page.locator(".queue .row", has_text=words).click()
    expect(page.locator(".work .bar button")).to_have_count(1)
    page.keyboard.press("1")
    expect(page.locator(".told")).to_contain_text("重新办理")
    expect(page.get_by_role("link", name="待核实")).to_have_attribute("aria-current", "page")
    page.locator(".queue .row", has_text=words).click()
    expect(page.get_by_role("button", name="立案")).to_be_visible()
    states = {one["id"]: one["state"] for one in city.get("/api/leads?state=open", "acceptor")["items"]}
    assert states[lead] == "open"
