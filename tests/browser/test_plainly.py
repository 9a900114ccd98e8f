"""What the page says is so: a part that ran out is over, a receipt promises its case's day, and who is not served reads no code and no document."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from .conftest import do, held

KEPT = "told => localStorage.setItem('zs.requests', JSON.stringify([told]))"


@pytest.fixture(scope="module")
def seats(city: Any) -> None:
    """Take the seats of the simulated people."""
    for seat in ("acceptor", "dispatcher", "handler", "checker"):
        httpx.post(f"{city.url}/api/story/seats/{seat}", headers={"origin": city.url}, timeout=30, trust_env=False).raise_for_status()


def reported(city: Any, text: str, **where: Any) -> dict[str, Any]:
    """Report without an account and return the receipt."""
    answer = httpx.post(f"{city.url}/api/requests", json={"text": text} | where, headers={"origin": city.url}, timeout=30, trust_env=False)
    return dict(answer.raise_for_status().json())


def at_citizens(page_of: Any, told: dict[str, Any], text: str) -> Page:
    """Open the citizen's page of a browser that keeps one receipt."""
    page: Page = page_of("/citizen", width=390, height=844)
    page.evaluate(KEPT, {"number": told["number"], "follow": told["follow"], "text": text, "at": "2020-01-01T00:00:00Z"})
    page.reload()
    return page


@pytest.mark.usefixtures("seats")
def test_seat_a_part_that_ran_out_is_over_in_the_queue_though_the_case_has_no_limit(city: Any, page_of: Any) -> None:
    words, place = "巷口第九号雨水口", city.get("/api/entities?type=TrashBin&limit=30", "duty")["items"][9]
    body = {"class": "drainage.blocked", "title_zh": words, "title_en": words, "address": words, "area": place["area"], "lon": place["lon"], "lat": place["lat"]}
    case = city.as_("duty").post("/api/cases", json=body).raise_for_status().json()["id"]
    do(city, "acceptor", case, "verify")
    do(city, "duty", case, "file")
    page = page_of("/desk/queue?tab=dispatch", "dispatcher", width=1440, height=900)
    row = page.locator(".queue .row", has_text=words)
    expect(row.locator(".left")).to_contain_text("派遣 剩")
    page.route("**/api/cases?**", ran_out(case))
    page.reload()
    expect(row.locator(".left")).to_contain_text("派遣 超 2 天")
    expect(row.locator(".mark")).to_be_visible()
    expect(page.locator(".queue .row").first).to_contain_text(words)
    page.unroute_all(behavior="ignoreErrors")


def ran_out(case: str) -> Any:
    """Let a list say that the part of a case was due two days ago: no test waits as long as the city's limit."""

    def say(route: Any) -> None:
        answer = route.fetch()
        told = answer.json()
        for one in told["items"]:
            if one["id"] == case:
                one["held_due"] = (datetime.now(UTC) - timedelta(days=2, minutes=1)).isoformat()
        route.fulfill(response=answer, json=told)

    return say


@pytest.mark.usefixtures("seats")
def test_seat_a_search_that_finds_nothing_says_so_and_esc_clears_it(page_of: Any) -> None:
    page = page_of("/desk/queue?tab=all", "dispatcher", width=1440, height=900)
    page.locator("#queue-search").fill("绝无此事")
    expect(page.locator(".queue")).to_contain_text("没有找到“绝无此事”")
    expect(page.locator(".queue")).not_to_contain_text("新来的会自己出现")
    page.keyboard.press("Escape")
    expect(page.locator("#queue-search")).to_have_value("")
    expect(page.locator(".queue")).not_to_contain_text("没有找到")


def test_what_is_too_long_is_counted_and_a_refusal_is_plain(page_of: Any) -> None:
    page = page_of("/citizen?step=form", width=390, height=844)
    page.locator("#said").fill("水" * 3900)
    expect(page.locator("#said-room")).to_have_text("还能写 100 个字")
    page.locator("#said").press("End")
    page.keyboard.insert_text("水" * 200)
    expect(page.locator("#said")).to_have_value("水" * 4000)
    expect(page.locator("#said-room")).to_contain_text("已写满 4000 个字")
    page.locator("#said").evaluate("(box) => { box.value = '水'.repeat(5000); box.dispatchEvent(new Event('input')) }")
    page.get_by_role("button", name="提交").click()
    note = page.get_by_role("alert")
    expect(note).to_contain_text("没能收下")
    for word in ("docs", "request.invalid", "body"):
        expect(note).not_to_contain_text(word)
    back = page.get_by_role("button", name="返回").bounding_box()
    assert back is not None
    assert back["height"] >= 44


@pytest.mark.usefixtures("seats")
def test_seat_what_an_answer_did_not_solve_is_verified_anew_in_plain_sight(city: Any, page_of: Any) -> None:
    words = "请问图书馆周一开不开"
    told = reported(city, words)
    page = at_citizens(page_of, told, words)
    mine = page.locator(".mine li")
    expect(mine).to_contain_text("核实完")
    city.as_("acceptor").post(f"/api/requests/{told['number']}/answer", json={"answer": "周一闭馆"}).raise_for_status()
    expect(mine).to_contain_text("周一闭馆", timeout=20_000)
    mine.get_by_role("button", name="没解决").click()
    expect(mine).to_contain_text("您说没解决")
    expect(mine).to_contain_text("正在重新核实")
    expect(mine.get_by_text("周一闭馆")).to_be_hidden()
    mine.get_by_text("上次的答复").click()
    expect(mine.get_by_text("周一闭馆")).to_be_visible()


@pytest.mark.usefixtures("seats")
def test_seat_the_receipt_of_what_joined_a_case_says_that_cases_day(city: Any, page_of: Any) -> None:
    case = held(city, "管网堵塞", 5)
    page = page_of("/citizen?step=form", width=390, height=844)
    due = {"number": "X", "step": "handle", "step_zh": "处置", "step_en": "Handled", "holder_zh": "排水处", "holder_en": "Drainage", "closed": None, "reopened": 0}

    def joined(route: Any) -> None:
        answer = route.fetch()
        of = city.get(f"/api/cases/{case}", "duty")
        route.fulfill(response=answer, json=answer.json() | {"waiting": None, "case": due | {"since": of["opened"], "due": of["held_due"]}})

    page.route("**/api/follow/*", joined)
    page.locator("#said").fill("菜场门口下水道堵了")
    page.get_by_role("button", name="提交").click()
    expected = page.locator(".receipt .expected")
    expect(expected).to_contain_text("排水处")
    expect(expected).to_contain_text("前办完")
    expect(page.locator(".receipt")).not_to_contain_text("核实")
    page.unroute_all(behavior="ignoreErrors")


def test_the_elder_view_is_large_to_its_edges(page_of: Any) -> None:
    page = page_of("/citizen?step=form", width=390, height=844)
    page.get_by_role("button", name="大字版").click()
    sizes = page.evaluate("() => [...document.querySelectorAll('.strip, .strip *')].map((one) => parseFloat(getComputedStyle(one).fontSize))")
    assert min(sizes) >= 18
    heights = page.evaluate(
        "() => [...document.querySelectorAll('.citizen select, .citizen button, .citizen textarea, .strip a, .strip button')].map((one) => one.getBoundingClientRect().height)"
    )
    assert min(heights) >= 60


@pytest.mark.usefixtures("seats")
def test_seat_what_rises_without_a_class_has_a_name(city: Any, page_of: Any) -> None:
    case = held(city, "说不清的事", 14)

    def unclassed(route: Any) -> None:
        answer = route.fetch()
        told = answer.json()
        for one in told.get("items", []):
            if one["id"] == case:
                one |= {"class": "", "class_zh": "", "class_en": "", "voices": 400}
        route.fulfill(response=answer, json=told)

    page = page_of("/login", "duty", width=1920, height=1080)
    page.route("**/api/cases?**", unclassed)
    page.goto("/screen")
    expect(page.locator(".rising li").first.locator(".name")).to_have_text("未归类")
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.usefixtures("seats")
def test_seat_every_column_is_in_view_beside_the_drawer(city: Any, page_of: Any) -> None:
    held(city, "井盖松动", 11)
    for language in ("zh", "en"):
        page = page_of("/desk/evaluate", "duty", width=1440, height=900, language=language)
        opened = page.locator("td .value")
        opened.first.click()
        page.locator(".behind").wait_for()
        room, wide = page.evaluate("() => { const wrap = document.querySelector('.wrap'); return [wrap.clientWidth, wrap.scrollWidth] }")
        assert wide <= room, language
