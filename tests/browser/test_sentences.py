"""Sentences of the page that stand or fall by hand: suggested duplicates, earlier rulings, two hundred leads by keyboard, and ten tasks without a network.

They take the seats of the simulated people first, so that nobody else moves these leads and cases.
"""

import base64
import json
import math
import re
import statistics
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

PASSWORD = "yunting-demo"
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
WHY = re.compile(r"\d+ m · \d+ 分钟 · 同类")
MOVING = ("version", "changed", "history", "holdings", "undo", "verbs")
TICKING = {"elapsed_s", "left_s", "used_s", "spent_s"}


@pytest.fixture(scope="module")
def seats(city: Any) -> None:
    """Stop the simulated people who would move a lead or a case of the streets; whoever takes a seat sits in it, so each is taken by another visitor."""
    for seat in ("acceptor", "dispatcher", "handler", "checker", "citizen"):
        httpx.post(f"{city.url}/api/story/seats/{seat}", headers={"origin": city.url}, timeout=30, trust_env=False).raise_for_status()


def do(city: Any, who: str, case: str, verb: str, **given: Any) -> dict[str, Any]:
    """Do a verb as someone and return the case."""
    return dict(city.as_(who).post(f"/api/cases/{case}/{verb}", json=given).raise_for_status().json())


def moment(city: Any) -> datetime:
    """Return the city's time."""
    return datetime.fromisoformat(city.get("/health")["clock"]["now"])


def send(city: Any, source: str, rows: list[dict[str, Any]]) -> None:
    """Send rows as another system does, in one batch, and wait until the desk has taken them."""
    city.as_("admin").post("/api/sources", json={"name": source, "zh": source, "en": source, "past_s": 1e7})
    told = city.as_("admin").post(f"/api/sources/{source}/requests", content="\n".join(json.dumps(row) for row in rows), headers={"content-type": "application/x-ndjson"})
    assert told.raise_for_status().json()["accepted"] == len(rows)
    wanted = {row["text"] for row in rows}
    city.until(lambda: wanted <= {voice["text"] for lead in leads(city) for voice in lead["heard"]}, "the rows at the desk")


def leads(city: Any, state: str = "") -> list[dict[str, Any]]:
    """Return the newest leads as the officer on duty sees them."""
    return list(city.get(f"/api/leads?limit=500&state={state}", "duty")["items"])


def of_text(city: Any, text: str) -> dict[str, Any]:
    """Return the lead of a voice by its words."""
    return next(lead for lead in leads(city) if any(voice["text"] == text for voice in lead["heard"]))


def aside(place: dict[str, Any], metres: float) -> dict[str, float]:
    """Return the point so many metres east of a place."""
    return {"lon": place["lon"] + metres / (111_320 * math.cos(math.radians(place["lat"]))), "lat": place["lat"]}


def plain(document: Any) -> Any:
    """Return a document without what goes on with every step, and without what ticks."""
    if isinstance(document, dict):
        return {key: plain(value) for key, value in document.items() if key not in TICKING and key not in MOVING}
    return [plain(one) for one in document] if isinstance(document, list) else document


def clocks(city: Any, cases: list[str], ids: list[str]) -> dict[str, Any]:
    """Return the documents of cases and leads, with every clock in them."""
    known = {lead["id"]: lead for lead in leads(city)}
    return {case: plain(city.get(f"/api/cases/{case}", "duty")) for case in cases} | {id_: plain(known[id_]) for id_ in ids}


def test_seat_twenty_suggested_duplicates_are_joined_by_two_keys_and_taken_back(seats: None, city: Any, page_of: Any) -> None:
    classes = [row["class"] for row in city.get("/api/tables/classes", "steward")["items"] if not row.get("homes")][:20]
    places = city.get("/api/entities?type=TrashBin&limit=30", "duty")["items"]
    now = moment(city)
    first, second = [], []
    for i, class_ in enumerate(classes):
        place = places[i]
        early, late = now - timedelta(minutes=100, seconds=i), now - timedelta(minutes=25, seconds=i)
        first.append({"id": f"a{i}", "created": early.isoformat(), "class": class_, "text": f"第 {i} 处，请来看看。", "lon": place["lon"], "lat": place["lat"]})
        second.append({"id": f"b{i}", "created": late.isoformat(), "class": class_, "text": f"还是这里，第 {i} 次说。", **aside(place, 120)})
    send(city, "hotline-two", first)
    targets = {row["text"]: of_text(city, row["text"]) for row in first}
    cases = []
    for i, row in enumerate(first):
        if i % 4:
            lead = targets[row["text"]]
            case = city.as_("duty").post(f"/api/leads/{lead['id']}/confirm", json={"version": lead["version"]}).raise_for_status().json()["case"]
            cases.append(case)
            if i % 2:
                do(city, "duty", case, "dispatch", unit="dept-drainage")
            if i % 4 == 1:
                do(city, "handler", case, "take")
    send(city, "hotline-two", second)
    twins = [of_text(city, row["text"]) for row in second]
    ids = [lead["id"] for lead in (*targets.values(), *twins)]
    before = clocks(city, cases, ids)
    page = page_of(f"/desk/queue?tab=leads&lead={twins[0]['id']}", "dispatcher", width=1440, height=900)
    expect(page.locator(".work header")).to_contain_text(twins[0]["number"])
    page.evaluate("dispatchEvent(new CompositionEvent('compositionstart'))")
    for key in ("1", "2", "3", "5", "m", "Enter", "j", "Control+Enter"):
        page.keyboard.press(key)
    expect(page.locator(".work .joining, .work .form")).to_have_count(0)
    page.evaluate("dispatchEvent(new CompositionEvent('compositionend'))")
    assert of_text(city, second[0]["text"])["state"] == "open"
    for twin in twins:
        expect(page.locator(".work header")).to_contain_text(twin["number"])
        page.keyboard.press("m")
        expect(page.locator(".work .link.joining .why")).to_have_text(WHY)
        page.keyboard.press("Enter")
    expect(page.locator(".work header")).not_to_contain_text(twins[-1]["number"])
    assert {lead["state"] for lead in leads(city) if lead["id"] in {twin["id"] for twin in twins}} == {"duplicate"}
    assert all(len(city.get(f"/api/cases/{case}", "duty")["voices"]) == 2 for case in cases)

    page.keyboard.press("z")
    expect(page.locator(".told")).to_contain_text("已撤销")
    expect(page.locator(".work header")).to_contain_text(twins[-1]["number"])
    for i, row in enumerate(first[:-1]):
        lead = of_text(city, row["text"])
        page.goto(f"/desk/case/{lead['case']}" if lead["case"] else f"/desk/queue?tab=leads&lead={lead['id']}")
        taken = page.locator(".work .joined li", has_text=twins[i]["number"])
        expect(taken).to_contain_text(WHY)
        taken.get_by_role("button").press("Enter")
        expect(page.locator(".work .joined")).to_have_count(0)
    assert clocks(city, cases, ids) == before


@pytest.fixture(scope="module")
def returned(seats: None, city: Any) -> tuple[str, list[str]]:
    """Return a case that was given back, and the numbers of those of its class that were ruled on before, four of its own street and one of another, in the order the city gives them: the same road, the street, the nearest first."""
    spots: dict[str, list[dict[str, Any]]] = {}
    for place in city.get("/api/entities?type=TrashBin&limit=100", "duty")["items"]:
        spots.setdefault(place["area"][:9], []).append(place)
    own = max(spots.values(), key=len)
    other = next(places for places in spots.values() if places is not own)
    numbers = []
    for place in (other[0], *own[:4]):
        case = held(city, "drainage.overflow", place, "污水外溢")
        do(city, "handler", case, "return", code="not-our-duty")
        do(city, "dispatcher", case, "dispute", reason="两家单位都认为不归己")
        do(
            city,
            "duty",
            case,
            "rule",
            unit="dept-road",
            reason="按权属",
            note="会商：管网在道路红线之内，随道路一并移交市政道路处管养，移交清单第 17 项；今后同路段同类问题照此办理。",
        )
        numbers.append(city.get(f"/api/cases/{case}", "duty")["number"])
    case = held(city, "drainage.overflow", own[4], "污水又外溢")
    do(city, "handler", case, "return", code="not-our-duty")
    ruled = city.get(f"/api/cases/{case}", "dispatcher")["rulings"]
    order = {"road": 0, "street": 1, "": 2}
    assert ruled == sorted(ruled, key=lambda one: (order[one["near"]], one["metres"]))
    assert ({one["number"] for one in ruled}, ruled[-1]["number"]) == ({*numbers}, numbers[0])
    return case, [one["number"] for one in ruled]


def held(city: Any, class_: str, place: dict[str, Any], title: str) -> str:
    """Return a case that the drainage office holds."""
    body = {"class": class_, "title_zh": title, "title_en": title, "area": place["area"], "lon": place["lon"], "lat": place["lat"]}
    case = str(city.as_("duty").post("/api/cases", json=body).raise_for_status().json()["id"])
    do(city, "acceptor", case, "verify")
    do(city, "duty", case, "file")
    do(city, "duty", case, "dispatch", unit="dept-drainage")
    return case


@pytest.mark.parametrize("address", ["/desk/case/{}", "/desk/disputes?id={}"])
def test_seat_returned_ticket_opens_with_all_earlier_rulings_in_view(returned: tuple[str, list[str]], page_of: Any, address: str) -> None:
    case, numbers = returned
    page = page_of(address.format(case), "dispatcher", width=1440, height=900)
    rulings = page.locator(".rulings li")
    expect(rulings.nth(len(numbers) - 1)).to_be_visible()
    assert [re.search(r"\d{6}-\d{8}-\d+", line)[0] for line in rulings.all_inner_texts()][: len(numbers)] == numbers  # type: ignore[index]
    bar = page.locator(".work .bar").bounding_box()
    for line in rulings.all():
        box = line.bounding_box()
        assert box and bar
        assert box["y"] >= 0 and box["x"] >= 0
        assert box["y"] + box["height"] <= min(900, bar["y"]), "no scrolling, nothing under the bar of verbs"
        assert box["x"] + box["width"] <= 1440


WATCHED = """() => {
  performance.setResourceTimingBufferSize(20000)
  const told = { shown: [], mouse: 0 }
  for (const name of ['mousedown', 'pointerdown', 'mousemove']) addEventListener(name, () => (told.mouse += 1), true)
  const open = () => document.querySelector('.work header p')?.textContent.split(' ')[0] ?? ''
  let last = open()
  const look = () => {
    const number = open()
    if (number === last) return
    last = number
    const one = { ready: performance.now() }
    setTimeout(() => (one.focused = document.activeElement?.matches('.work .scroll') ?? false))
    requestAnimationFrame(() => setTimeout(() => (one.drawn = performance.now())))
    told.shown.push(one)
  }
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true })
  window.told = told
}"""
ADDED = """() => {
  const ends = performance.getEntriesByType('resource').filter((one) => /\\/api\\/leads\\/[^/]+\\/(confirm|false_alarm|duplicate)$/.test(one.name)).map((one) => one.responseEnd).sort((a, b) => a - b)
  return ends.map((end) => {
    const next = window.told.shown.find((one) => one.ready >= end)
    return next ? { ready: next.ready - end, drawn: next.drawn - end, focused: next.focused } : null
  })
}"""


def test_seat_two_hundred_leads_are_reviewed_by_keyboard_alone(seats: None, city: Any, page_of: Any) -> None:
    classes = [row["class"] for row in city.get("/api/tables/classes", "steward")["items"] if not row.get("homes")][:20]
    places = city.get("/api/entities?type=TrashBin&limit=30", "duty")["items"]
    start = moment(city) - timedelta(hours=40)

    def row(name: str, words: str, class_: str, at: datetime, where: dict[str, Any]) -> dict[str, Any]:
        return {"id": name, "created": at.isoformat(), "class": class_, "text": words, "lon": where["lon"], "lat": where["lat"]}

    earlier = [row(f"e{i}", f"画面 {i} 有情况。", class_, start - timedelta(minutes=75, seconds=i), places[i]) for i, class_ in enumerate(classes)]
    send(city, "cameras-two", earlier)
    for one in earlier:
        lead = of_text(city, one["text"])
        city.as_("duty").post(f"/api/leads/{lead['id']}/confirm", json={"version": lead["version"]}).raise_for_status()
    rows = [
        row(f"v{i}-{k}", f"镜头 {i}，看到第 {k} 回。", class_, start - timedelta(hours=14 * k, seconds=i), aside(places[i], 0 if k else 120))
        for i, class_ in enumerate(classes)
        for k in range(10)
    ]
    send(city, "cameras-two", rows)
    ours = {lead["number"]: lead for lead in leads(city, "open") if any(voice["text"].startswith("镜头") for voice in lead["heard"])}
    assert len(ours) == 200
    newest = max(ours.values(), key=lambda lead: (lead["opened"], lead["id"]))
    page = page_of(f"/desk/queue?tab=leads&lead={newest['id']}", "duty", width=1440, height=900)
    expect(page.locator(".work header")).to_contain_text(newest["number"])
    page.evaluate(WATCHED)
    said = dict.fromkeys(("filed", "false", "duplicate"), 0)
    number = newest["number"]
    for turn in range(200):
        verdict, key = ("duplicate", "3") if ours[number]["suggested"] else (("filed", "1"), ("false", "2"))[turn % 2]
        said[verdict] += 1
        page.keyboard.press(key)
        number = page.wait_for_function(
            "was => { const now = document.querySelector('.work header p')?.textContent.split(' ')[0]; return now !== was && (now ?? '—') }", arg=number, polling=20
        ).json_value()
        while turn < 199 and number not in ours:  # what someone else's lead interrupts goes on with the next
            page.keyboard.press("j")
            number = page.wait_for_function(
                "was => { const now = document.querySelector('.work header p')?.textContent.split(' ')[0]; return now && now !== was && now }", arg=number, polling=20
            ).json_value()
    told = page.evaluate(ADDED)
    after = {lead["number"]: lead["state"] for lead in leads(city)}
    assert {state: sum(after.get(number) == state for number in ours) for state in said} == said
    assert said["duplicate"] >= 20
    assert page.evaluate("window.told.mouse") == 0
    assert (len(told), told[:-1].count(None)) == (200, 0), "after the last one none of these is left to be shown"
    assert all(one["focused"] for one in told[:-1])
    ready, drawn = (statistics.quantiles([one[what] for one in told[:-1]], n=20) for what in ("ready", "drawn"))
    print(f"the next lead is there {ready[9]:.0f} ms after the verdict is acknowledged (p95 {ready[-1]:.0f}), and drawn after {drawn[9]:.0f} ms (p95 {drawn[-1]:.0f})")


@pytest.fixture
def phone(browser: Browser, city: Any) -> Iterator[Page]:
    """Return a handler's phone: small, touched, never typed on; every touch and key is counted."""
    context = browser.new_context(viewport={"width": 360, "height": 780}, has_touch=True, is_mobile=True, locale="zh-CN", timezone_id="Asia/Shanghai", base_url=city.url)
    context.set_default_timeout(15_000)
    assert context.request.post("/api/session", data={"account": "handler", "password": PASSWORD}, headers={"origin": city.url}).ok
    context.add_init_script(
        "window.told = { taps: 0, keys: 0 }; addEventListener('touchstart', () => (told.taps += 1), true); addEventListener('keydown', () => (told.keys += 1), true)"
    )
    page = context.new_page()
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    yield page
    context.close()
    assert broken == []


def photograph(page: Page, label: str) -> None:
    """Tap a slot and give it what the camera would."""
    with page.expect_file_chooser() as chooser:
        page.locator(".slot", has_text=label).tap()
    chooser.value.set_files({"name": "photo.png", "mimeType": "image/png", "buffer": PIXEL})
    expect(page.locator(".slot.full", has_text=label)).to_be_visible()


def work(page: Page, title: str) -> None:
    """Do a task from the list by taps alone: open, take, two photographs, submit."""
    page.locator("a.task", has_text=title).tap()
    page.get_by_role("button", name="接单").tap()
    photograph(page, "处置前")
    photograph(page, "处置后")
    page.get_by_role("button", name="提交处置结果").tap()


def tasks(city: Any, words: str, count: int) -> dict[str, str]:
    """Return so many tasks of the drainage office, by their titles."""
    places = city.get("/api/entities?type=TrashBin&limit=30", "duty")["items"]
    return {f"{words}{chr(0x7532 + i)}处": held(city, "drainage.blocked", places[i], f"{words}{chr(0x7532 + i)}处") for i in range(count)}


def deeds(city: Any, case: str) -> list[str]:
    """Return what the handler has done of a case, in order."""
    return [line["verb"] for line in city.get(f"/api/cases/{case}", "duty")["history"] if line["verb"] in {"take", "handle", "feedback"}]


KEPT = """() => new Promise((done) => {
  const base = indexedDB.open('zs.pocket')
  base.onupgradeneeded = () => base.transaction.abort()
  base.onerror = () => done(0)
  base.onsuccess = () => {
    const all = base.result.transaction('cases').objectStore('cases').getAll()
    all.onsuccess = () => { base.result.close(); done(all.result.length) }
  }
})"""


def kept(page: Page) -> int:
    """Return how many tasks the phone keeps whole."""
    return int(page.evaluate(KEPT))


DONE = ["take", "handle", "feedback"]


def test_seat_simple_task_is_done_in_six_taps_without_typing(seats: None, city: Any, phone: Page) -> None:
    ((title, case),) = tasks(city, "雨水口堵", 1).items()
    phone.goto("/field")
    phone.locator("a.task", has_text=title).wait_for()
    phone.evaluate("told.taps = 0")
    work(phone, title)
    expect(phone.locator(".told[role=status]")).to_contain_text("已提交")
    told = phone.evaluate("told")
    assert (told["taps"], told["keys"]) == (5, 0), "with the one that opens it from the list"
    assert deeds(city, case) == DONE
    lines = {line["verb"]: line for line in city.get(f"/api/cases/{case}", "duty")["history"]}
    assert lines["handle"]["evidence"] and lines["feedback"]["evidence"]


def test_seat_ten_tasks_done_without_a_network_arrive_exactly_once(seats: None, city: Any, phone: Page) -> None:
    ten = tasks(city, "井盖响", 10)
    phone.goto("/field")
    phone.locator("a.task", has_text=list(ten)[-1]).wait_for()
    city.until(lambda: kept(phone) >= 10, "the tasks in the phone")
    phone.context.set_offline(True)
    for title in ten:
        work(phone, title)
        expect(phone.locator(".told.net")).to_contain_text("已存在手机里")
        phone.get_by_role("button", name="返回").tap()
    expect(phone.locator("header")).to_contain_text("待传 30")
    assert [deeds(city, case) for case in ten.values()] == [[]] * 10
    phone.context.set_offline(False)
    city.until(lambda: all(deeds(city, case) == DONE for case in ten.values()), "all ten at the centre", 30)
    expect(phone.locator("header")).to_contain_text("已同步")
    assert phone.evaluate("told.keys") == 0
    phone.reload()
    phone.locator("#main").wait_for()
    assert [deeds(city, case) for case in ten.values()] == [DONE] * 10


def test_seat_what_waits_survives_a_reload_and_lost_answers_and_doubles_nothing(seats: None, city: Any, phone: Page) -> None:
    four = tasks(city, "篦子破", 4)
    lost: set[str] = set()

    def lose(route: Route) -> None:
        """Let the server take it, and lose its answer, once for each."""
        if route.request.url in lost or not route.request.url.endswith(("/take", "/handle", "/feedback")):
            route.continue_()
            return
        lost.add(route.request.url)
        route.fetch()
        route.abort("connectionreset")

    phone.goto("/field")
    phone.locator("a.task", has_text=list(four)[-1]).wait_for()
    city.until(lambda: kept(phone) >= 4, "the tasks in the phone")
    phone.context.set_offline(True)
    for title in four:
        work(phone, title)
        phone.get_by_role("button", name="返回").tap()
    expect(phone.locator("header")).to_contain_text("待传 12")
    phone.route("**/api/cases/**", lose)
    phone.context.set_offline(False)
    phone.reload()
    with phone.expect_event("requestfailed", lambda _: len(lost) >= 3):
        pass
    phone.reload()
    for _ in range(120):
        if all(deeds(city, case) == DONE for case in four.values()) and len(lost) == 12:
            break
        phone.wait_for_timeout(500)  # the routes are answered meanwhile
    expect(phone.locator("header")).to_contain_text("已同步")
    assert len(lost) == 12
    assert [deeds(city, case) for case in four.values()] == [DONE] * 4
