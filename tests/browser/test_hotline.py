"""Citizens' voices at the desk, by keyboard alone: answered, refused, sent on, called back, and taken down by telephone.

They take the seats of the simulated people first, so that nobody else works on these voices.
"""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
FAULTS = "async (tags) => (await axe.run(document, { runOnly: { type: 'tag', values: tags } })).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target)}`)"
UNSAID = re.compile(r"\b(hotline|case|lead|queue|verb|place)\.[a-z]")


@pytest.fixture(scope="module")
def seats(city: Any) -> None:
    """Stop the simulated people who would work on a voice."""
    for seat in ("acceptor", "dispatcher", "handler", "checker"):
        city.as_("").post(f"/api/story/seats/{seat}").raise_for_status()


def said(city: Any, text: str, nth: int, **more: Any) -> dict[str, Any]:
    """Have a citizen say something, at a place where nobody else does."""
    place = city.get("/api/entities?type=TrashBin&limit=30", "duty")["items"][nth]
    told = city.as_("citizen-3").post("/api/requests", json={"text": text, "lon": place["lon"], "lat": place["lat"], **more}).raise_for_status().json()
    return dict(city.get(f"/api/requests/{told['number']}", "acceptor"))


def now(city: Any, told: dict[str, Any]) -> dict[str, Any]:
    return dict(city.get(f"/api/requests/{told['number']}", "acceptor"))


def into(late: list[Route]) -> Callable[[Route], None]:
    """Return what keeps requests waiting until they are let go on."""
    return lambda route: late.append(route)  # noqa: PLW0108 (the library looks at how many arguments it takes)


def opened(page: Page, told: dict[str, Any]) -> None:
    """Walk down the queue until a voice is open."""
    page.locator(".queue .row").first.wait_for()
    page.locator(".queue .row", has_text=told["text"]).first.click()
    expect(page.locator(".work header")).to_contain_text(told["number"])


def test_seat_voices_are_answered_refused_and_sent_on_by_keyboard(seats: None, city: Any, page_of: Any) -> None:
    asked, court = said(city, "停水了，请问什么时候来水", 2), said(city, "法院判得不公，你们得管", 20)
    page = page_of("/desk/queue?tab=accept", "acceptor", width=1440, height=900)
    opened(page, asked)
    expect(page.locator(".work")).to_contain_text("计划停水查询")
    expect(page.locator(".work")).to_contain_text("供水处")
    page.evaluate("dispatchEvent(new CompositionEvent('compositionstart'))")
    page.keyboard.press("2")
    expect(page.locator(".work .form")).to_have_count(0)
    page.evaluate("dispatchEvent(new CompositionEvent('compositionend'))")
    page.keyboard.press("2")
    expect(page.locator(".work .form input:checked")).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".told")).to_contain_text(f"已答复 {asked['number']}")
    after = now(city, asked)
    assert (after["state"], after["answer"].startswith("计划停水提前 24 小时公告")) == ("answered", True)

    opened(page, court)
    page.keyboard.press("4")
    form = page.locator(".work .form")
    expect(form.get_by_role("radio")).not_to_have_count(0)
    expect(form.locator("button.primary")).to_be_disabled()
    form.get_by_role("radio", name="已进入诉讼、仲裁或行政复议程序").press("Space")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".told")).to_contain_text("不予受理")
    after = now(city, court)
    assert (after["state"], after["answer"]) == ("refused", "已进入诉讼、仲裁或行政复议程序")
    page.goto("/desk/queue?tab=leads")
    page.locator(".queue .tabs").wait_for()
    expect(page.locator(".queue .row", has_text=court["text"])).to_have_count(0), "who was answered leaves no lead to decide"


def test_seat_what_was_sent_on_is_taken_back_and_opens_again(seats: None, city: Any, page_of: Any) -> None:
    broken = said(city, "路边井盖缺失，很危险", 11)
    said(city, "请问图书馆几点开门", 14)  # waits beside it, and would open next
    page = page_of("/desk/queue?tab=accept", "acceptor", width=1440, height=900)
    before = city.get("/api/assist", "acceptor")["adoption"]["first"]
    opened(page, broken)
    first = page.locator(".work .choice button").first
    expect(first).to_contain_text("井盖")
    if first.get_attribute("aria-pressed") != "true":
        page.keyboard.press("q")
    expect(first).to_have_attribute("aria-pressed", "true")
    late: list[Route] = []  # the deed's own look at the cases is answered only after it was taken back
    page.route("**/api/cases?*", into(late))
    page.keyboard.press("1")
    expect(page.locator(".told")).to_contain_text("立案派单")
    page.wait_for_timeout(500)
    page.route("**/api/cases?*", lambda route: route.continue_())
    page.keyboard.press("z")
    expect(page.locator(".told")).to_contain_text("已撤销")
    expect(page.locator(".work header")).to_contain_text(broken["number"])
    for route in late:
        route.continue_()
    page.wait_for_timeout(500)
    expect(page.locator(".work header")).to_contain_text(broken["number"])
    page.unroute_all()
    assert now(city, broken)["case"] is None, "taken back: it waits again"
    page.keyboard.press("1")
    expect(page.locator(".told")).to_contain_text("立案派单")
    for _ in range(100):  # it is said at once, and written while it is said
        if now(city, broken)["case"] is not None:
            break
        page.wait_for_timeout(100)
    assert now(city, broken)["case"]["step"] == "dispatch"
    assert city.get("/api/assist", "acceptor")["adoption"]["first"]["of"] > before["of"], "what was proposed and what was taken is counted"
    expect(page.locator(".queue .row", has_text=broken["text"])).to_have_count(0)


def test_seat_who_goes_on_by_hand_meanwhile_stays_there_and_is_told(seats: None, city: Any, page_of: Any) -> None:
    first, refused, other = said(city, "巷子里路灯不亮", 8), said(city, "楼下垃圾没人清运", 24), said(city, "请问医院门诊几点开始", 12)
    page = page_of("/desk/queue?tab=accept", "acceptor", width=1440, height=900)
    for told, answered, words in ((first, None, first["number"]), (refused, 403, "试验")):
        late: list[Route] = []
        opened(page, told)
        page.route("**/api/leads/*/confirm", into(late))
        page.keyboard.press("1")
        opened(page, other)
        if answered is None:
            late[0].continue_()
        else:
            late[0].fulfill(status=answered, json={"code": "x", "title": "试验", "zh": {"sentence": "试验", "remedy": ""}, "en": {"sentence": "a trial", "remedy": ""}})
        expect(page.locator(".toasts")).to_contain_text(words)
        page.wait_for_timeout(500)
        expect(page.locator(".work header")).to_contain_text(other["number"])
        page.unroute_all()


def test_seat_call_is_taken_down_without_the_mouse(seats: None, city: Any, page_of: Any) -> None:
    street = city.get("/api/areas?level=street")["items"][3]
    page = page_of("/desk/queue?tab=accept", "acceptor", width=1366, height=768)
    page.locator(".queue").wait_for()
    keys = ["n", "Tab", "Enter", "Control+Enter"]
    page.keyboard.press(keys[0])
    expect(page.locator("#call-words")).to_be_focused()
    page.keyboard.type("小区门口路灯不亮，老人走路害怕")
    expect(page.locator(".choice [aria-pressed=true]")).to_contain_text("路灯")
    page.keyboard.press(keys[1])
    page.keyboard.type(street["name_zh"])
    expect(page.get_by_role("option").first).to_contain_text(street["name_zh"])
    page.keyboard.press(keys[2])
    expect(page.locator("#call-number")).to_be_focused()
    page.keyboard.type("13800001234")
    page.keyboard.press(keys[3])
    assert len(keys) <= 5
    expect(page.locator(".told")).to_contain_text("已登记")
    header = page.locator(".work header")
    expect(header).to_contain_text("12345 电话")
    expect(header).to_contain_text(street["name_zh"])
    number = re.search(r"R\d{6}-\d{8}-\d{4}", header.inner_text())
    assert number
    held = city.get(f"/api/requests/{number[0]}", "acceptor")
    assert (held["area"], held["class"], held["caller"], "13800001234" in str(held)) == (street["code"], "hotline.streetlight", "138****34", False)
    caller = page.locator(".caller")
    expect(caller).to_contain_text("138****34")
    expect(caller).to_contain_text("查看会记入台账")
    lines = city.get("/api/proof")["ledger"]["lines"]
    caller.get_by_role("button", name="查看号码").click()
    expect(caller).to_contain_text("13800001234")
    ahead = f"/api/ledger?limit=1000&after={lines}"
    city.until(lambda: any(f"/{held['id']}/caller" in str(line["subject"]) for line in city.get(ahead, "steward")["items"]), "the ledger's line of who looked", 20)
    assert city.as_("handler").get(f"/api/requests/{held['id']}/caller").status_code in {403, 404}
    assert city.as_("citizen").post("/api/requests", json={"text": "路灯不亮", "caller": "13800001234"}).status_code == 403


def settled(city: Any, told: dict[str, Any]) -> str:
    """Bring a voice's case to its end and answer the voice; return the case."""
    case = city.as_("duty").post(f"/api/leads/{told['lead']}/confirm", json={}).raise_for_status().json()["case"]
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
    return str(case)


def test_seat_called_back_nobody_there_and_not_solved(seats: None, city: Any, page_of: Any) -> None:
    away, still = said(city, "楼道灯坏了没人修", 7), said(city, "巷口井盖一过车就响", 16, **{"class": "drainage.manhole"})
    case = settled(city, still)
    page = page_of("/desk/queue?tab=accept", "acceptor", width=1440, height=900)
    opened(page, still)
    expect(page.locator(".work")).to_contain_text("已结案")
    page.keyboard.press("1")
    expect(page.locator("#hotline-answer")).to_have_value(re.compile("已经办结"))
    page.keyboard.press("Control+Enter")
    expect(page.locator(".told")).to_contain_text(still["number"])
    city.as_("acceptor").post(f"/api/requests/{away['id']}/answer", json={"answer": "已转物业，今天修好。"}).raise_for_status()

    page = page_of("/desk/queue?tab=callback", "checker", width=1440, height=900)
    for count in (1, 2, 3):
        opened(page, away)
        expect(page.locator(".bar")).to_contain_text(f"未接通（{count}/3）")
        with page.expect_response(lambda answer: answer.url.endswith("/missed")):
            page.keyboard.press("3")
        expect(page.locator(".told")).to_contain_text("未联系上" if count == 3 else "未接通")
    after = now(city, away)
    assert (after["state"], after["outcome"], after["calls"]) == ("closed", "unreachable", 3)
    expect(page.locator(".queue .row", has_text=away["text"])).to_have_count(0)

    opened(page, still)
    page.keyboard.press("2")
    form = page.locator(".work .form")
    expect(form).to_contain_text("案件会重新打开")
    form.get_by_role("radio", name="2 不满意").press("Space")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".told")).to_contain_text("重新办理")
    held = city.get(f"/api/cases/{case}", "duty")
    assert (held["step"], held["reopened"], now(city, still)["state"]) == ("dispatch", 1, "received")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_seat_voices_are_worked_on_in_both_languages_and_by_everyone(seats: None, city: Any, page_of: Any, language: str) -> None:
    told = said(city, f"请问公交末班车几点（{language}）", {"zh": 5, "en": 23}[language])
    page = page_of("/desk/queue?tab=accept", "acceptor", language=language, width=1366, height=768)
    opened(page, told)
    for key in ("2", "3", "4", "n"):
        page.keyboard.press(key)
        page.locator(".work .form, #call-words").first.wait_for()
        assert UNSAID.search(page.locator("#main").inner_text()) is None
        if key in {"2", "n"} and AXE.exists():
            page.evaluate(AXE.read_text("utf-8"))
            assert page.evaluate(FAULTS, TAGS) == []
        page.keyboard.press("Escape")
        expect(page.locator(".work .form, #call-words")).to_have_count(0)
