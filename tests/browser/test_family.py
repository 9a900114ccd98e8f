"""A report made without an account, and a daughter far away who looks on by a link: she sees who holds it and can say nothing; taken back, the link says so calmly."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import expect

from .test_routes import AXE, RUN, TAGS

WIDE = "document.documentElement.scrollWidth <= innerWidth"


@pytest.fixture(scope="module")
def told(city: Any) -> Any:
    """Return a report made without an account: its number and its receipt."""
    place = city.get("/api/entities?type=TrashBin&limit=30", "duty")["items"][4]
    return (
        city.as_("").post("/api/requests", json={"text": "楼下井盖松了，过车就响", "lon": place["lon"], "lat": place["lat"], "class": "drainage.manhole"}).raise_for_status().json()
    )


def kept(told: Any) -> str:
    """Return what the citizen's browser has kept of it, as a script."""
    return f"localStorage.setItem('zs.requests', {json.dumps(json.dumps([told | {'text': '楼下井盖松了', 'at': '2026-01-01T00:00:00Z'}]))})"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_family_looks_on_until_the_link_is_taken_back(page_of: Any, told: Any, language: str) -> None:
    words = {"zh": ("让家人跟着看", "做一个链接", "复制链接", "撤回", "看不了了"), "en": ("Let family follow", "Make a link", "Copy the link", "Take back", "no longer be seen")}[
        language
    ]
    page = page_of("/citizen", width=390, height=844, language=language)
    page.evaluate(kept(told))
    page.reload()
    page.locator(".family summary", has_text=words[0]).click()
    page.get_by_role("button", name=words[1]).click()
    address = page.locator(".family input")
    expect(address).to_have_value(re.compile(r"/follow/[\w-]{22}$"))
    expect(page.get_by_role("button", name=words[2])).to_be_visible()
    assert page.evaluate(WIDE)
    page.evaluate(AXE.read_text("utf-8"))
    assert page.evaluate(RUN, TAGS) == []
    link = str(address.input_value())
    hers = page_of(link, width=390, height=844, language=language)
    expect(hers.locator(".stage dd")).not_to_be_empty()
    expect(hers.locator("main")).to_contain_text(told["number"])
    expect(hers.locator("dl")).to_contain_text("12345")
    assert "楼下井盖松了" not in hers.locator("main").inner_text(), "what was said stays with who said it"
    assert hers.locator("main button").count() == 2, "large print and the language: there is nothing else to press"
    for elder in (False, True):
        if elder:
            hers.locator("header button").first.click()
            assert hers.evaluate("parseFloat(getComputedStyle(document.querySelector('.stage dd')).fontSize)") >= 26
            assert hers.locator("header .switch").bounding_box()["height"] >= 60
        assert hers.evaluate(WIDE)
        hers.evaluate(AXE.read_text("utf-8"))
        assert hers.evaluate(RUN, TAGS) == []
    page.locator(".family li button").last.click()
    expect(page.locator(".family li").last.locator("button")).to_have_count(0)
    hers.reload()
    expect(hers.get_by_role("heading", name=words[4])).to_be_visible()
    expect(hers.locator(".gone a")).to_have_attribute("href", "tel:12345")
    hers.evaluate(AXE.read_text("utf-8"))
    assert hers.evaluate(RUN, TAGS) == []


def test_the_phone_s_own_way_of_passing_on_is_offered_where_there_is_one(page_of: Any, told: Any) -> None:
    page = page_of("/citizen", width=390, height=844)
    page.context.add_init_script("navigator.share = async (what) => { window.passed = what.url }")
    page.evaluate(kept(told))
    page.reload()
    page.locator(".family summary").click()
    page.locator(".family .make").click()
    page.get_by_role("button", name="发给家人").click()
    page.wait_for_function("window.passed?.includes('/follow/')")
    assert page.evaluate("localStorage.getItem('zs.requests')").count("secret") == 0, "a link's secret is kept nowhere"
