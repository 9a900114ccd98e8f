"""Work by hand: the dispatch queue by keyboard alone, a bad row mended in the page, and the lab's numbers."""

import base64
import json
import re
from typing import Any

from playwright.sync_api import expect

NUMBER = re.compile(r"\d{6}-\d{8}-\d{4}")
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


def test_bad_row_is_mended_in_the_page(page_of: Any, city: Any) -> None:
    gauge = city.get("/api/entities?type=RainGauge&limit=1")["items"][0]["id"]
    now = city.get("/health")["clock"]["now"]
    bad = {"entity": gauge + "-nobody", "property": "RainGauge.rain", "time": now, "value": 0.2}
    told = city.as_("admin").post("/api/sources/sandbox.devices/readings", json=[bad]).json()
    assert told["quarantined"] == 1
    page = page_of("/data", "steward")
    row = page.locator(".row", has_text="-nobody")
    row.wait_for()
    listed = city.get("/api/sources/sandbox.devices/quarantine", "steward")["items"][-1]
    expect(row.locator(".sentence")).to_have_text(listed["sentence_zh"])
    row.get_by_role("button", name="改正").click()
    box = row.locator("textarea")
    box.fill("{}")
    row.get_by_role("button", name="重新提交").click()
    expect(row.locator(".mend [role=alert]")).to_be_visible()
    box.fill(json.dumps(bad | {"entity": gauge}))
    row.get_by_role("button", name="重新提交").click()
    expect(row.locator(".ok")).to_have_text("已改正并收下")
    held = next(r for r in city.get("/api/sources/sandbox.devices/quarantine", "steward")["items"] if r["id"] == listed["id"])
    assert held["mended"] is True
    city.until(lambda: any(r["value"] == 0.2 for r in city.get(f"/api/readings?entity={gauge}&limit=50", "steward")["items"]), "the mended reading in the record")


def test_what_is_odd_about_a_feed_that_comes_is_told_beside_it(page_of: Any, city: Any) -> None:
    said = {lang: {"sentence": f"nothing beyond the mark ({lang})", "remedy": "look at it"} for lang in ("zh", "en")}
    odd = {"kind": "postgresql", "every_s": 60.0, "failing": False, "last_success": "2026-06-01T00:00:00Z", "rows": 0, "quarantined": 0, "lag_s": None}
    odd["last_error"] = {"code": "connector.behind", "at": "2026-06-01T00:00:00Z", **said}
    page = page_of("/lab", "steward", width=390, height=844)

    def fulfil(route: Any) -> None:
        told = route.fetch()
        body = told.json()
        body["items"][0]["feed"], body["refused"] = odd, [{"name": "twice", "feed": odd | {"failing": True}}]
        route.fulfill(response=told, json=body)

    page.route("**/api/sources?*", fulfil)
    page.goto("/data")
    expect(page.locator(".table .odd")).to_contain_text("nothing beyond the mark (zh) look at it")
    expect(page.locator(".refused .warn")).to_contain_text("nothing beyond the mark (zh)")
    expect(page.locator(".refused h3")).to_have_text("没有采用的接入")
    heights = page.locator(".jump a").evaluate_all("all => all.map((a) => a.getBoundingClientRect().height)")
    assert max(heights) < 30, "no link is broken within its words"


def test_lab_says_what_the_server_says(page_of: Any, city: Any) -> None:
    before = city.get("/api/proof")
    page = page_of("/lab")
    page.locator(".numbers .n").first.wait_for()
    shown = [int(re.sub(r"\D", "", text)) for text in page.locator(".numbers .n").all_inner_texts()]
    assert shown == [before["confirmed"], before["recovered"], before["duplicates"]]
    assert page.locator(".command code").inner_text() == f"kill -9 {before['pid']}"
    cells = page.locator("table td").all_inner_texts()
    after = city.get("/api/proof")
    assert before["head"] <= int(cells[0]) <= after["head"]
    assert before["lake"] <= int(cells[1]) <= after["lake"]
    lines = int(cells[2].partition("·")[0].replace(",", ""))
    assert before["ledger"]["lines"] <= lines <= after["ledger"]["lines"]


def test_seat_of_the_dispatcher_by_keyboard(after_storm: Any, city: Any, page_of: Any) -> None:
    assert after_storm
    page = page_of("/screen")
    page.get_by_role("button", name="接替此岗位").click()
    page.get_by_role("button", name="接替派遣员").click()
    page.wait_for_url("**/desk/queue")
    own = {report(city, class_) for class_ in ("hotline.garbage", "hotline.streetlight", "hotline.tree")}
    page.locator(".queue .tabs").get_by_role("link", name=re.compile("派遣$")).click()  # where nothing waited at first, it had opened on another step
    expect(page.locator(".queue .row").nth(2)).to_be_visible(timeout=60_000)
    header = page.locator(".work header")
    number = NUMBER.search(header.inner_text())
    while number and number[0] not in own:  # others, such as what was given back, run out first
        page.keyboard.press("j")
        expect(header.filter(has_text=number[0])).to_have_count(0)
        number = NUMBER.search(header.inner_text())
    assert number
    page.keyboard.press("j")
    expect(header.filter(has_text=number[0])).to_have_count(0)
    page.keyboard.press("K")
    expect(header).to_contain_text(number[0])

    page.evaluate("dispatchEvent(new CompositionEvent('compositionstart'))")
    page.keyboard.press("1")
    page.keyboard.press("j")
    expect(header).to_contain_text(number[0])
    expect(page.locator(".work .form")).to_have_count(0)
    page.evaluate("dispatchEvent(new CompositionEvent('compositionend'))")

    page.keyboard.press("/")
    sought = page.locator("#queue-search")
    page.keyboard.type("1j")
    expect(sought).to_have_value("1j")
    page.keyboard.press("Escape")
    expect(sought).to_have_value("")
    expect(sought).not_to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type(number[0])
    expect(header).to_contain_text(number[0])
    page.keyboard.press("Tab")

    page.keyboard.press("1")
    page.locator(".work .form").wait_for()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".told")).to_contain_text("派遣")
    expect(page.locator(".told")).to_have_attribute("role", "status")
    expect(header.filter(has_text=number[0])).to_have_count(0)
    page.keyboard.press("z")
    expect(page.locator(".told")).to_contain_text("已撤销")
    expect(header).to_contain_text(number[0])
    held = city.get(f"/api/cases/{number[0]}", "duty")
    assert (held["step"], held["history"][-1]["verb"], held["history"][-2]["undone"]) == ("dispatch", "undo", True)

    page.keyboard.press("1")
    page.locator(".work .form").wait_for()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".told")).to_contain_text("已派遣")
    assert city.get(f"/api/cases/{number[0]}", "duty")["step"] not in {"collect", "file", "dispatch"}
    expect(header.filter(has_text=number[0])).to_have_count(0)


def test_seat_of_the_dispatcher_gives_a_case_its_class(after_storm: Any, city: Any, page_of: Any) -> None:
    assert after_storm
    city.as_("").post("/api/story/seats/dispatcher").raise_for_status()
    report(city, "hotline.streetlight")
    report(city, "", "有一件事说不清，请派人来。")
    waiting = [one for one in city.get("/api/cases?state=open&limit=500", "duty")["items"] if one["step"] == "dispatch"]
    one = next(one for one in waiting if not one["class"])
    assert one["due"] is None
    page = page_of(f"/desk/case/{one['id']}", "dispatcher")
    page.locator(".work").wait_for()
    page.keyboard.press("1")
    form = page.locator(".work .form")
    class_ = form.get_by_role("combobox", name="类别")
    expect(class_).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("路灯")
    expect(page.get_by_role("option", name="路灯不亮")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(form).to_contain_text("照明处")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".told")).to_contain_text("已派遣")
    held = city.get(f"/api/cases/{one['id']}", "duty")
    assert (held["class"], held["unit"], held["step"]) == ("hotline.streetlight", "dept-lighting", "handle")
    assert held["due"] is not None


def report(city: Any, class_: str, text: str = "请来看看。") -> str:
    """Have a citizen report something, and the duty officer make it a case, unless a robot was quicker; return the newest case of the class."""
    place = city.get("/api/entities?type=TrashBin&limit=30")["items"][{"hotline.garbage": 0, "hotline.streetlight": 14}.get(class_, 25)]
    said = {"text": text, "lon": place["lon"], "lat": place["lat"], "class": class_}
    city.as_("citizen" if class_ else "citizen-2").post("/api/requests", json=said).raise_for_status()  # one caller's two voices would be joined
    for lead in city.get("/api/leads?state=open", "duty")["items"]:
        city.as_("duty").post(f"/api/leads/{lead['id']}/confirm", json={"version": lead["version"]})
    return str(city.get(f"/api/cases?state=open&limit=1&class={class_}", "duty")["items"][0]["number"])


def test_result_is_seen_and_judged_by_who_reported_it(page_of: Any, city: Any) -> None:
    place = city.get("/api/entities?type=TrashBin&limit=30")["items"][9]
    said = {"text": "楼道灯坏了，物业没人来。", "lon": place["lon"], "lat": place["lat"], "class": "hotline.property"}
    number = city.as_("citizen").post("/api/requests", json=said).raise_for_status().json()["number"]
    lead = next(one for one in city.get("/api/leads", "duty")["items"] if number in {heard["number"] for heard in one["heard"]})
    assert lead["heard"][0]["text"]
    unread = next(one for one in city.get("/api/leads")["items"] if one["id"] == lead["id"])["heard"][0]
    assert (unread["text"], unread["photos"]) == (None, []), "a guest reads no one's words"
    case = lead["case"] or city.as_("duty").post(f"/api/leads/{lead['id']}/confirm", json={}).raise_for_status().json()["case"]
    photo = city.as_("handler").post("/api/evidence", files={"file": ("a.png", PIXEL, "image/png")}).raise_for_status().json()["sha256"]
    deeds: list[tuple[str, str, dict[str, Any]]] = [
        ("duty", "dispatch", {"unit": "dept-drainage"}),
        ("handler", "take", {}),
        ("handler", "handle", {"evidence": [photo]}),
        ("handler", "feedback", {"evidence": [photo]}),
        ("checker", "check_pass", {}),
        ("duty", "close", {}),
    ]
    for who, verb, body in deeds:
        city.as_(who).post(f"/api/cases/{case}/{verb}", json=body).raise_for_status()
    page = page_of("/citizen", "citizen")
    page.evaluate("told => localStorage.setItem('zs.requests', JSON.stringify([told]))", {"number": number, "text": "垃圾桶满了。", "at": "2026-01-01T00:00:00Z"})
    page.reload()
    mine = page.locator(".mine li", has_text=number)
    expect(mine.locator(".result img")).to_have_count(2)
    for nth in range(2):
        expect(mine.locator(".result img").nth(nth)).to_have_js_property("naturalWidth", 1)
    mine.get_by_role("button", name="没解决").click()
    expect(mine.get_by_role("status")).to_contain_text("已重新办理", timeout=20_000)
    held = city.get(f"/api/cases/{case}", "duty")
    told = next(line for line in held["history"] if line["verb"] == "unsolved")
    assert (held["reopened"], told["actor"], told["actor_name_en"]) == (1, "", "Who reported it"), "one tap, no words, and it is open again"


def test_anyone_reports_in_four_taps_without_an_account(page_of: Any) -> None:
    page = page_of("/citizen", width=390, height=844)
    page.get_by_role("button", name="大字版").click()
    page.get_by_role("button", name="说话反映").click()
    page.locator("#said").fill("路灯不亮，晚上看不见路。")
    page.get_by_role("button", name="提交").click()
    expect(page.locator(".receipt .number")).to_be_visible()
    number = page.locator(".receipt .number").inner_text()
    assert page.locator(".receipt .number").evaluate("it => parseFloat(getComputedStyle(it).fontSize)") >= 24
    told = page.evaluate("JSON.parse(localStorage.getItem('zs.requests'))[0]")
    assert (told["number"], len(told["follow"]) > 20) == (number, True)
