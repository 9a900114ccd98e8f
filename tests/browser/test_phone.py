"""The phone where there is no network: it opens again, what was done on it is sent once, and what the desk refuses is not lost."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import do, held

PASSWORD = "yunting-demo"
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
STORED = """async () => {
  const found = []
  for (const name of await caches.keys()) for (const one of await (await caches.open(name)).keys()) found.push(new URL(one.url).pathname)
  return found
}"""
POCKET = """() => new Promise((done) => {
  const base = indexedDB.open('zs.pocket')
  base.onupgradeneeded = () => base.transaction.abort()
  base.onerror = () => done([])
  base.onsuccess = () => {
    const all = base.result.transaction('cases').objectStore('cases').getAll()
    all.onsuccess = () => { base.result.close(); done(all.result.map((one) => one.case.title_zh)) }
  }
})"""
BEGUN = """() => new Promise((done) => {
  const base = indexedDB.open('zs.begun')
  base.onsuccess = () => {
    const all = base.result.transaction('cases').objectStore('cases').getAll()
    all.onsuccess = () => { base.result.close(); done(all.result.map((one) => one.note)) }
  }
})"""
EAR = """window.ears = []
Element.prototype.setPointerCapture = () => {}
window.webkitSpeechRecognition = class {
  results = []
  constructor() { ears.push(this) }
  start() {}
  stop() {}
  say(transcript, isFinal) {
    const last = this.results.length && !this.results.at(-1).isFinal
    this.results.splice(this.results.length - (last ? 1 : 0), last ? 1 : 0, { isFinal, 0: { transcript } })
    this.onresult({ resultIndex: this.results.length - 1, results: this.results })
  }
}"""
CONTROLLED = "() => navigator.serviceWorker.controller !== null"


@pytest.fixture
def phone(browser: Browser, city: Any) -> Iterator[Callable[[str], Page]]:
    """Return how to have someone's phone."""
    contexts = []
    broken: list[str] = []

    def open_(account: str) -> Page:
        context = browser.new_context(viewport={"width": 360, "height": 780}, has_touch=True, is_mobile=True, locale="zh-CN", timezone_id="Asia/Shanghai", base_url=city.url)
        context.set_default_timeout(30_000)
        if account:
            assert context.request.post("/api/session", data={"account": account, "password": PASSWORD}, headers={"origin": city.url}).ok
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: broken.append(str(error)))
        return page

    yield open_
    for each in contexts:
        each.close()
    assert broken == []


def deeds(city: Any, case: str) -> list[dict[str, Any]]:
    """Return what the handler has done of a case, in order."""
    return [line for line in city.get(f"/api/cases/{case}", "duty")["history"] if line["verb"] in {"take", "handle", "feedback"}]


def photograph(page: Page, label: str) -> None:
    """Give a slot what the camera would."""
    page.locator(".slot", has_text=label).locator("input").set_input_files({"name": "photo.png", "mimeType": "image/png", "buffer": PIXEL})
    expect(page.locator(".slot.full", has_text=label)).to_be_visible()


def test_seat_phone_opens_again_without_a_network_and_what_is_done_on_it_arrives_once(phone: Callable[[str], Page], city: Any) -> None:
    title = "断网重开的雨水口"
    case = held(city, title, 11)
    page = phone("handler")
    page.goto("/field")
    page.locator("a.task", has_text=title).wait_for()
    page.wait_for_function(CONTROLLED)
    city.until(lambda: title in page.evaluate(POCKET), "the task in the phone")
    stored = page.evaluate(STORED)
    assert any("FieldView" in path for path in stored) and not any(path.startswith("/api") for path in stored)
    page.context.set_offline(True)
    page.reload()
    page.locator("a.task", has_text=title).tap()
    page.get_by_role("button", name="接单").wait_for()
    page.reload()
    page.get_by_role("button", name="接单").tap()
    photograph(page, "处置前")
    photograph(page, "处置后")
    page.get_by_role("button", name="提交处置结果").tap()
    expect(page.locator("header")).to_contain_text("待传 3")
    page.reload()
    expect(page.locator("header")).to_contain_text("待传 3")
    expect(page.locator("main")).to_contain_text("送到之前不能退回、延期或吹哨")
    for other in ("不是我的", "延期", "吹哨"):
        expect(page.get_by_role("button", name=other)).to_have_count(0)
    assert deeds(city, case) == []
    page.context.set_offline(False)
    page.reload()
    city.until(lambda: len(deeds(city, case)) == 3, "the three deeds at the centre", 30)
    expect(page.locator("header")).to_contain_text("已同步")
    page.reload()
    page.locator("#main").wait_for()
    assert [line["verb"] for line in deeds(city, case)] == ["take", "handle", "feedback"]


def test_seat_deed_the_desk_refuses_stays_on_the_phone_with_its_photographs(phone: Callable[[str], Page], city: Any) -> None:
    title = "中途被收回的雨水口"
    case = held(city, title, 12)
    page = phone("handler")
    page.goto("/field")
    page.locator("a.task", has_text=title).tap()
    page.get_by_role("button", name="接单").tap()
    photograph(page, "处置前")
    photograph(page, "处置后")
    city.until(lambda: deeds(city, case), "it is taken")
    expect(page.locator("header")).to_contain_text("已同步")
    page.context.set_offline(True)
    page.get_by_role("button", name="提交处置结果").tap()
    expect(page.locator("header")).to_contain_text("待传 2")
    do(city, "handler", case, "return", code="not-our-duty")
    page.context.set_offline(False)
    page.goto("/field?tab=outbox")
    refused = page.locator(".refused")
    expect(refused).to_have_count(1)
    expect(refused).to_contain_text("处置、反馈")
    expect(refused).to_contain_text("不能“处置”")
    expect(refused).to_contain_text("已不在你手上")
    expect(refused.locator(".slot img")).to_have_count(2)
    expect(page.locator("header")).to_contain_text("已同步")
    page.reload()
    expect(refused).to_have_count(1)
    # The desk gives it back to them: mended, it goes, and what was refused behind it goes with it.
    do(city, "duty", case, "reject", reason="属排水职责")
    do(city, "handler", case, "take")
    page.reload()
    refused.get_by_role("textbox").fill("已疏通")
    refused.get_by_role("button", name="改好了，再发一次").tap()
    city.until(lambda: [line["verb"] for line in deeds(city, case)] == ["take", "take", "handle", "feedback"], "what was mended", 30)
    assert deeds(city, case)[2]["note"] == "已疏通"
    expect(refused).to_have_count(0)


def test_citizens_page_opens_again_without_a_network_and_a_new_release_takes_over(phone: Callable[[str], Page], city: Any) -> None:
    page = phone("")
    page.goto("/citizen")
    page.locator("#main").wait_for()
    page.wait_for_function(CONTROLLED)
    page.evaluate("caches.open('zs-page-old')")
    page.context.set_offline(True)
    page.reload()
    expect(page.get_by_role("button", name="拍照反映")).to_be_visible()
    page.context.set_offline(False)
    answer = page.goto("/sw.js")
    assert answer is not None
    assert answer.headers["cache-control"] == "no-cache"
    assert "javascript" in answer.headers["content-type"]
    # Another worker under another address stands for the next release: it takes over at once and drops what was kept before.
    page.goto("/citizen")
    page.evaluate("navigator.serviceWorker.register('/sw.js?next').then(() => undefined)")
    page.wait_for_function("() => navigator.serviceWorker.controller?.scriptURL.endsWith('next')")
    city.until(lambda: len(page.evaluate("caches.keys()")) == 1, "the old release is let go")
    page.context.set_offline(True)
    page.reload()
    expect(page.get_by_role("button", name="拍照反映")).to_be_visible()


def test_what_a_citizen_wrote_is_there_after_a_reload_and_the_timeline_names_who_must_answer_by_when(phone: Callable[[str], Page], city: Any) -> None:
    words = "写了一半的话：路牌歪了"
    page = phone("citizen-3")
    page.goto("/citizen?step=form")
    page.locator("#said").fill(words)
    page.locator("input[type=file]").set_input_files({"name": "sign.png", "mimeType": "image/png", "buffer": PIXEL})
    expect(page.locator("form")).to_contain_text("sign.png")
    expect(page.locator("form")).to_contain_text("存在这部手机上了")
    page.goto("/citizen")
    page.get_by_role("button", name="接着写上次没发的").tap()
    expect(page.locator("#said")).to_have_value(words)
    expect(page.locator("form")).to_contain_text("sign.png")
    page.get_by_role("button", name="提交").tap()
    number = page.locator(".receipt .number").inner_text()
    told = city.get(f"/api/requests/{number}", "citizen-3")
    line = page.locator(".mine li", has_text=number)
    if told["waiting"]:  # nobody has taken it up yet
        assert told["waiting"]["holder_zh"] and told["waiting"]["due"] > told["waiting"]["since"]
    expect(line).to_contain_text("前")
    expect(line).to_contain_text("自")
    page.goto("/citizen")
    expect(page.get_by_role("button", name="接着写上次没发的")).to_have_count(0)


def test_seat_phone_shows_its_tasks_on_the_map_with_the_same_list_in_words(phone: Callable[[str], Page], city: Any) -> None:
    title = "看得见的雨水口"
    case = held(city, title, 15)
    page = phone("handler")
    page.goto("/field")
    page.locator("a.task", has_text=title).wait_for()
    page.get_by_role("link", name="地图", exact=True).click()
    line = page.locator("li a", has_text=title)
    number = line.locator(".n").inner_text()
    ring = page.locator(f".ring[title^='{number} ']")
    expect(ring).to_have_attribute("title", f"{number} {title}")
    page.locator(".map canvas").wait_for()
    line.click()
    page.wait_for_url(f"**/field/task/{case}")
    expect(page.locator(".what")).to_contain_text(title)


def test_seat_what_was_begun_of_a_task_is_there_after_a_reload_until_it_is_submitted(phone: Callable[[str], Page], city: Any) -> None:
    case = held(city, "拍了一半的雨水口", 16)
    page = phone("handler")
    page.goto(f"/field/task/{case}")
    page.get_by_role("button", name="接单").tap()
    photograph(page, "处置前")
    page.get_by_role("button", name="已临时处置").tap()
    page.locator("#task-note").fill("先围起来")
    city.until(lambda: "先围起来" in page.evaluate(BEGUN), "it in the phone", 10)
    page.reload()
    expect(page.locator(".slot.full", has_text="处置前")).to_be_visible()
    expect(page.get_by_role("button", name="已临时处置")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#task-note")).to_have_value("先围起来")
    # Without a network what cannot wait says so where one looks, and not behind it.
    page.context.set_offline(True)
    page.get_by_role("button", name="不是我的").tap()
    expect(page.locator("header")).to_contain_text("没有网络")
    sheet = page.get_by_role("dialog")
    sheet.locator(".list .btn").first.tap()
    expect(sheet.get_by_role("status")).to_contain_text("没有网络，这一步还没有送到")
    sheet.get_by_role("button", name="取消").tap()
    expect(page.locator(".told", has_text="这一步还没有送到")).to_have_count(0)
    page.context.set_offline(False)
    photograph(page, "处置后")
    page.get_by_role("button", name="提交处置结果").tap()
    city.until(lambda: [line["verb"] for line in deeds(city, case)] == ["take", "handle", "feedback"], "what was begun", 30)
    assert page.evaluate(BEGUN) == []


def test_seat_task_submitted_in_two_tabs_is_said_to_have_gone_and_only_let_go_of(phone: Callable[[str], Page], city: Any) -> None:
    case = held(city, "两处提交的雨水口", 17)
    one = phone("handler")
    one.goto(f"/field/task/{case}")
    one.get_by_role("button", name="接单").tap()
    other = one.context.new_page()
    other.goto(f"/field/task/{case}")
    for tab in (one, other):
        photograph(tab, "处置前")
        photograph(tab, "处置后")
    one.context.set_offline(True)
    for tab in (one, other):
        tab.get_by_role("button", name="提交处置结果").tap()
    expect(other.locator("header")).to_contain_text("待传 4")
    one.context.set_offline(False)
    other.close()
    one.goto("/field?tab=outbox")
    refused = one.locator(".refused")
    expect(refused).to_have_count(1)
    expect(refused).to_contain_text("已经由你提交过了")
    expect(refused.locator(".acts button")).to_have_text(["丢弃"])
    refused.locator(".acts button").tap()
    refused.get_by_role("button", name="确定丢弃").tap()
    expect(refused).to_have_count(0)


def test_seat_phone_says_that_it_has_no_map_and_holds_what_is_said(phone: Callable[[str], Page], city: Any) -> None:
    case = held(city, "同一处的雨水口之一", 18)
    held(city, "同一处的雨水口之二", 18)
    page = phone("handler")
    page.add_init_script(EAR)
    page.goto("/field?tab=map")
    rings = [page.locator(f".ring[title$='同一处的雨水口之{nth}']") for nth in "一二"]
    boxes = [ring.bounding_box() for ring in rings]
    assert boxes[0] and boxes[1]
    assert abs(boxes[0]["x"] - boxes[1]["x"]) + abs(boxes[0]["y"] - boxes[1]["y"]) > 24
    do(city, "handler", case, "take")
    page.goto(f"/field/task/{case}")
    talk = page.locator(".talk")
    talk.dispatch_event("pointerdown", {"pointerId": 1})
    page.evaluate("() => { ears[0].say('先清渣', true); ears[0].say('再', false); ears[0].say('再疏通', true); ears[0].stop() }")
    expect(page.locator("#task-note")).to_have_value("先清渣 再疏通")
    talk.dispatch_event("pointerdown", {"pointerId": 1})
    page.evaluate("() => ears[0].onend()")
    expect(talk).to_have_attribute("aria-pressed", "true")
    talk.dispatch_event("pointerup", {"pointerId": 1})
    expect(talk).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("() => ears[1].continuous")
    page.goto("/field")
    page.locator("a.task").first.wait_for()
    page.wait_for_function(CONTROLLED)
    page.context.set_offline(True)
    page.get_by_role("link", name="地图", exact=True).click()
    expect(page.get_by_text("没有网络，地图暂时打不开")).to_be_visible()
    expect(page.locator(".map")).to_have_count(0)
