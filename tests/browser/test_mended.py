"""What someone who used the page for a day found wrong: what is shown first, what is counted, what is kept, and what fits."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route, expect

HOURS = 3_600_000
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


def told(page: Page, path: str, mend: Any) -> None:
    """Change what the server answers to a path on its way to the page."""

    def change(route: Route) -> None:
        answer = route.fetch()
        held = answer.json()
        mend(held)
        route.fulfill(response=answer, body=json.dumps(held))

    page.route(re.compile(path), change)


def case_of(key: str, due: str | None, *, danger: bool = False) -> dict[str, Any]:
    names = {f"{name}_{language}": f"{name} {key}" for name in ("class", "title", "area_name", "step", "holder") for language in ("zh", "en")}
    plain = {"id": key, "number": key, "class": "E0101", "address": "", "area": "990100000000000", "lon": None, "lat": None, "source": "web", "step": "handle", "holder": ""}
    times = {"opened": "2020-01-01T00:00:00Z", "due": due, "closed": None, "late": False}
    return names | plain | times | {"level": None, "voices": 0, "finding": None, "lead": None, "indicator": None, "version": 1, "flags": [], "danger": danger}


def lead_of(key: str) -> dict[str, Any]:
    names = {f"title_{language}": f"voice {key}" for language in ("zh", "en")}
    plain = {"id": key, "number": key, "kind": "request", "source": "web", "area": "990100000000000", "lon": None, "lat": None, "finding": None, "state": "open"}
    return names | plain | {"opened": "2019-01-01T00:00:00Z", "links": [], "suggested": [], "case": None, "voices": 1, "heard": [], "may": [], "version": 1}


def test_what_is_dangerous_or_has_a_time_is_not_hidden_by_hundreds_of_old_voices(page_of: Any, city: Any) -> None:
    page = page_of("/citizen", "duty", width=1920, height=1080)
    now = page.evaluate("(now) => Date.parse(now)", city.get("/health")["clock"]["now"])
    at: Callable[[int], str] = lambda hours: page.evaluate("(ms) => new Date(ms).toISOString()", now + hours * HOURS)

    def cases(held: dict[str, Any]) -> None:
        held["items"] = [case_of("late", at(-5)), case_of("soon", at(2)), case_of("later", at(30)), case_of("danger", at(1), danger=True), case_of("undated", None)]
        held["counts"]["open"] = 731

    def leads(held: dict[str, Any]) -> None:
        held.update(items=[lead_of(str(n)) for n in range(300)], next="more")

    told(page, r"/api/cases\?state=open", cases)
    told(page, r"/api/leads\?state=open", leads)
    page.goto("/screen")
    panel = page.get_by_role("region", name="现在要办")
    rows = panel.locator("li .title")
    expect(rows).to_have_text([re.compile(f" {key}$") for key in ("danger", "late", "soon", "later", "undated", "0", "1", "2")], timeout=30_000)
    expect(panel.locator("li").first).to_contain_text("危险")
    expect(panel.locator("h2")).to_contain_text("案件 731")
    expect(panel.locator("h2")).to_contain_text("线索 300+")
    page.unroute_all(behavior="ignoreErrors")


def test_a_report_made_without_a_network_goes_by_itself_and_once(page_of: Any, city: Any) -> None:
    words = "没有网络时写下的：路灯不亮"
    page = page_of("/citizen", "citizen-2", width=390, height=844)
    page.get_by_role("button", name="说话反映").click()
    page.locator("#said").fill(words)
    page.locator("input[type=file]").set_input_files({"name": "lamp.png", "mimeType": "image/png", "buffer": PIXEL})
    page.context.set_offline(True)
    page.get_by_role("button", name="提交").click()
    expect(page.get_by_role("status").filter(has_text="连上后会自己发出")).to_be_visible()
    expect(page.locator("main")).not_to_contain_text("unreachable")
    expect(page.get_by_role("button", name="再发一次")).to_be_enabled()
    expect(page.locator("#said")).to_have_value(words)
    expect(page.locator("form")).to_contain_text("lamp.png")
    # The first answer is lost on its way: it arrived, and the page cannot know.
    lost: list[str] = []

    def lose(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch().json()["number"])
            route.abort()
        else:
            route.continue_()

    page.route(re.compile(r"/api/requests$"), lose)
    page.context.set_offline(False)
    expect(page.get_by_role("button", name="再发一次")).to_be_enabled()
    city.until(lambda: lost, "the report goes by itself")
    page.get_by_role("button", name="再发一次").click()
    expect(page.locator(".receipt .number")).to_have_text(lost[0])
    assert [one["text"] for one in city.get("/api/requests?limit=50", "citizen-2")["items"]].count(words) == 1


def test_who_has_no_account_sends_the_same_report_twice_and_has_one(city: Any) -> None:
    report = {"text": "没有登录的人重发一次", "external": "f00d" * 12}
    first, again = (city.as_("").post("/api/requests", json=report).raise_for_status().json() for _ in range(2))
    assert first == again
    assert city.get(f"/api/follow/{first['follow']}")["number"] == first["number"]
    other = city.as_("").post("/api/requests", json=report | {"external": "beef" * 12}).raise_for_status().json()
    assert other["number"] != first["number"] and other["follow"] != first["follow"]


def test_the_large_print_page_begins_with_its_buttons_and_every_target_is_large(page_of: Any) -> None:
    page = page_of("/citizen", width=390, height=844)
    page.get_by_role("button", name="大字版").click()
    doors = page.locator(".doors .door")
    offer = page.locator(".offer")
    offer.wait_for()
    assert offer.bounding_box()["y"] > doors.last.bounding_box()["y"]
    small = page.evaluate(
        "[...document.querySelectorAll('a[href]:not(.skip),button,select')].map((e) => [e.textContent.trim(), e.getBoundingClientRect()]).filter(([, b]) => b.width && (b.height < 60 || b.width < 60)).map(([t]) => t)"
    )
    assert small == []
    doors.nth(1).click()
    page.locator("#said").fill("大字版试一试")
    page.get_by_role("button", name="提交").click()
    number = page.locator(".receipt .number")
    number.wait_for()
    lines = number.evaluate("(e) => { const r = document.createRange(); r.selectNodeContents(e); return [r.getClientRects().length, e.scrollWidth <= e.clientWidth] }")
    assert lines == [1, True]


def test_seat_joined_voices_stand_with_their_reason_and_their_way_out(page_of: Any, city: Any) -> None:
    for seat in ("acceptor", "dispatcher"):
        city.as_("").post(f"/api/story/seats/{seat}").raise_for_status()
    place = city.get("/api/entities?type=TrashBin&limit=30", "duty")["items"][7]
    report = {"text": "路口井盖缺失，行人差点掉下去", "class": "drainage.manhole", "lon": place["lon"], "lat": place["lat"]}
    numbers = [city.as_(who).post("/api/requests", json=report).raise_for_status().json()["number"] for who in ("citizen-2", "citizen-3", "citizen-2")]
    page = page_of("/desk/queue?tab=accept", "acceptor", width=1440, height=900)
    page.locator(".queue .row", has_text=report["text"]).first.click()
    expect(page.locator(".work header")).to_contain_text("另有 2 条诉求反映同一件事")
    side = page.locator(".side")
    expect(side).not_to_contain_text("没有相近的诉求")
    ways = side.get_by_role("button", name=re.compile("撤销并入"))
    expect(ways).to_have_count(2)
    expect(side.locator("li", has_text=numbers[1])).to_contain_text(re.compile(r"因 .*\d+ m.* 并入"))
    side.get_by_role("button", name=f"撤销并入 {numbers[1]}").click()
    expect(page.locator(".work header")).to_contain_text("另有 1 条诉求反映同一件事")
    assert city.get(f"/api/requests/{numbers[1]}", "acceptor")["together"] == 1


def test_what_is_asked_of_a_unit_leaves_the_desk_its_verbs(page_of: Any) -> None:
    page = page_of("/desk/tables", "traffic-office", width=1440, height=900, language="en")
    unit = page.evaluate("fetch('/api/session').then((a) => a.json()).then((a) => a.principal.unit)")
    room = {"id": "1", "title_zh": "暴雨", "title_en": "Rainstorm", "drill": False, "parties": [{"unit": unit}], "orders": [{"unit": unit, "state": "sent"}]}
    page.route(re.compile(r"/api/incidents$"), lambda route: route.fulfill(json={"items": [room], "verbs": []}))
    page.route(re.compile(r"/api/incidents/1$"), lambda route: route.fulfill(json=room))
    page.goto("/desk/queue?tab=all")
    call = page.locator(".call")
    call.wait_for()
    page.locator(".queue .hint, .queue footer, .queue .rows").first.wait_for()
    fits = "() => { const e = document.querySelector('.desk').getBoundingClientRect(); return e.bottom <= innerHeight && document.documentElement.scrollHeight <= innerHeight }"
    page.wait_for_function(fits)
    tops = page.locator(".tabs .tab").evaluate_all("(all) => all.map((e) => e.getBoundingClientRect().top)")
    assert len(tops) == 8 and len(set(tops)) == 1
    assert page.locator(".tabs").evaluate("(e) => e.scrollWidth <= e.clientWidth")


def test_the_screen_asks_a_visitor_nothing_it_would_be_refused_and_leaves_no_hole(page_of: Any) -> None:
    page = page_of("/citizen", width=1440, height=900)
    refused: list[str] = []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status == 403 else None)
    page.goto("/screen")
    last = page.locator(".p-left .tiles > li").nth(7)
    last.wait_for()
    page.locator(".p-day svg").wait_for()
    page.wait_for_load_state("load")
    low, top = last.bounding_box(), page.locator(".p-day").bounding_box()
    assert low and top
    assert 0 <= top["y"] - (low["y"] + low["height"]) <= 32
    assert refused == []


def test_nobody_is_said_to_be_on_watch_who_has_not_signed(page_of: Any) -> None:
    page = page_of("/citizen", "duty", width=1920, height=1080)

    def unsigned(held: dict[str, Any]) -> None:
        turn = {"theme": "", "shift": "night", "post": "duty_officer", "name": "值班长（夜班）", "name_en": "Duty officer (night)"}
        held.update(in_charge=None, on_duty=[turn])

    told(page, r"/api/duty$", unsigned)
    page.goto("/screen")
    expect(page.locator(".p-top .officer")).to_have_text(re.compile("值班表：\\s*值班长（夜班）"))
    page.unroute_all(behavior="ignoreErrors")
