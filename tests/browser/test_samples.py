"""Beside what a case is closed under stands how the place then looks: small, made large by a tap, there without a network, and not there where the class names none."""

from typing import Any

import pytest
from playwright.sync_api import expect

from .conftest import do, held, new_context
from .test_phone import PIXEL
from .test_routes import AXE, RUN, TAGS

DRAWN = "() => { const image = document.querySelector('.closing img'); return Boolean(image?.complete && image.naturalWidth) }"


@pytest.fixture(scope="module")
def case(city: Any) -> str:
    """Return a case of a class that has a sample picture, on the drainage office's phone."""
    return held(city, "雨水口堵了", 9)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_task_shows_how_the_place_looks_when_done(page_of: Any, case: str, language: str) -> None:
    page = page_of(f"/field/task/{case}", "handler", width=360, height=780, language=language)
    words = {"zh": ("结案条件：雨水口没有杂物", "合格的样子："), "en": ("To close: The grate is free of litter", "How it looks when done:")}[language]
    expect(page.locator(".closing")).to_contain_text(words[0])
    button = page.locator(".closing button")
    assert words[1] in str(button.get_attribute("aria-label"))
    page.wait_for_function(DRAWN)
    small = button.bounding_box()
    assert small["width"] >= 56 and small["height"] >= 56
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    assert button.bounding_box()["width"] >= 3 * small["width"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate(AXE.read_text("utf-8"))
    assert page.evaluate(RUN, TAGS) == []


def test_the_picture_and_the_condition_are_there_without_a_network(browser: Any, city: Any, case: str) -> None:
    context = new_context(browser, city, "handler", 360, 780, "zh")
    page = context.new_page()
    page.goto("/field")
    page.wait_for_function("() => navigator.serviceWorker.controller !== null")
    page.goto(f"/field/task/{case}")
    page.wait_for_function(DRAWN)
    context.set_offline(True)
    page.goto(f"/field/task/{case}")
    expect(page.locator(".closing")).to_contain_text("雨水口没有杂物")
    page.wait_for_function(DRAWN)
    context.close()


def test_a_class_that_names_no_picture_has_words_alone(page_of: Any, city: Any) -> None:
    place = city.get("/api/entities?type=TrashBin&limit=30", "duty")["items"][11]
    body = {"class": "drainage.overflow", "title_zh": "污水冒溢", "title_en": "Sewage", "area": place["area"], "lon": place["lon"], "lat": place["lat"]}
    bare = str(city.as_("duty").post("/api/cases", json=body).raise_for_status().json()["id"])
    do(city, "acceptor", bare, "verify")
    do(city, "duty", bare, "file")
    do(city, "duty", bare, "dispatch", unit="dept-drainage")
    page = page_of(f"/field/task/{bare}", "handler", width=360, height=780)
    expect(page.locator(".closing")).to_contain_text("结案条件")
    expect(page.locator(".closing button")).to_have_count(0)


def test_the_desk_sees_it_at_the_closing_check(page_of: Any, city: Any, case: str) -> None:
    photo = city.as_("handler").post("/api/evidence", files={"file": ("a.png", PIXEL, "image/png")}).raise_for_status().json()["sha256"]
    for verb in ("take", "handle", "feedback"):
        do(city, "handler", case, verb, **({} if verb == "take" else {"evidence": [photo]}))
    page = page_of(f"/desk/case/{case}", "checker", width=1440, height=900)
    expect(page.locator(".work .closing")).to_contain_text("雨水口没有杂物")
    page.wait_for_function(DRAWN)
