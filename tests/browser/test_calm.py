"""A desk where nothing waits says so, and where work does; a holder that is no party of the city is told in words; one of a thing is not told as several."""

import json
from typing import Any

import pytest
from playwright.sync_api import expect

from .test_routes import AXE, RUN, TAGS


def emptied(page: Any, kept: int = 0) -> None:
    """Let the page see no case that waits and no voice, or only so many cases."""

    def cases(route: Any) -> None:
        answer = route.fetch()
        held = answer.json()
        rows = [row | {"step": "handle", "mark": "", "closed": None} for row in held["items"][:kept]]
        route.fulfill(response=answer, body=json.dumps(held | {"items": rows, "next": None}))

    page.route("**/api/cases?*", cases)
    for other in ("**/api/requests?*", "**/api/leads?*"):
        page.route(other, lambda route: route.fulfill(json={"items": [], "next": None}))


@pytest.mark.parametrize(("language", "width", "height"), [("zh", 1440, 900), ("en", 1440, 900), ("zh", 390, 844)])
def test_an_empty_queue_says_what_is_calm_and_what_could_be_done(page_of: Any, city: Any, language: str, width: int, height: int) -> None:
    city.until(lambda: city.get("/api/cases?limit=1&state=open", "duty")["items"], "a first case")
    page = page_of("/lab", "acceptor", width=width, height=height, language=language)
    emptied(page, 1)
    page.goto("/desk/queue?tab=check")
    words = {"zh": ("这里没有等您办的", "全部在办 1 件", "处置 1"), "en": ("Nothing here waits for you", "1 case is open", "Handle 1")}[language]
    empty = page.locator(".empty")
    expect(empty).to_contain_text(words[0])
    expect(empty).to_contain_text(words[1])
    expect(empty.get_by_role("link", name=words[2])).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate(AXE.read_text("utf-8"))
    assert page.evaluate(RUN, TAGS) == []
    empty.locator("button").first.click()
    expect(empty).to_have_count(0)


@pytest.mark.parametrize(("language", "words"), [("zh", "别的系统或本市未登记的单位"), ("en", "another system, or a unit not registered here")])
def test_a_holder_that_is_no_party_of_the_city_is_told_in_words(page_of: Any, city: Any, language: str, words: str) -> None:
    number = city.until(lambda: city.get("/api/cases?limit=1", "duty")["items"], "a first case")[0]["id"]
    page = page_of("/lab", "dispatcher", width=1440, height=900, language=language)

    def imported(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(
            response=answer,
            body=json.dumps(answer.json() | {"holder": "", "holder_zh": "request", "holder_en": "request", "step": "imported", "step_zh": "外部导入", "step_en": "imported"}),
        )

    page.route(f"**/api/cases/{number}", imported)
    page.goto(f"/desk/case/{number}")
    sentence = page.locator(".work .scroll p", has_text=words).first
    expect(sentence).to_be_visible()
    assert " request" not in sentence.inner_text()
    page.unroute_all(behavior="wait")
