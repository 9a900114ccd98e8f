"""Every route in both languages: no fault that axe finds, and the language stays chosen."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

ROOT = Path(__file__).parents[2]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
CITY = "990100000000000"

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RUN = """async (tags) => (await axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] })).violations
  .map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target} ${n.failureSummary ?? ''}`.replace(/\\s+/g, ' ')).join(' | ')}`)"""
ROUTES = {
    "screen": ("/screen", "", ".tile .figure"),
    "vital": (f"/vital/DR02/{CITY}", "", ".explain .now"),
    "refused": ("/screen", "handler", ".refused"),
    "queue": ("/desk/queue", "dispatcher", ".queue .tabs"),
    "disputes": ("/desk/disputes", "dispatcher", ".queue .tabs"),
    "case": ("/desk/case/{case}", "dispatcher", ".work"),
    "tables": ("/desk/tables?kind=dispatch", "steward", ".rows table"),
    "playbooks": ("/desk/playbooks", "steward", ".place[data-ready=true]"),
    "running": ("/desk/running", "steward", ".verdict"),
    "data": ("/data", "steward", "table"),
    "field": ("/field", "handler", ".tabs"),
    "task": ("/field/task/{case}", "handler", ".what"),
    "citizen": ("/citizen", "citizen", "button"),
    "follow": ("/follow/none", "", ".gone"),
    "lab": ("/lab", "", ".numbers"),
    "lessons": ("/lab/lessons", "", ".cards"),
    "login": ("/login", "", "form"),
}


@pytest.fixture(scope="module")
def axe() -> str:
    """Return axe-core's text, or skip visibly."""
    if not AXE.exists():
        pytest.skip("axe-core is not there: cd web && npm ci")
    return AXE.read_text("utf-8")


@pytest.fixture(scope="module")
def a_case(city: Any) -> str:
    """Return a case that stands in a handler's street; the robots make some of their own."""
    return str(city.until(lambda: city.get("/api/cases?limit=1", "handler")["items"], "a first case")[0]["id"])


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", ROUTES)
def test_no_barrier(page_of: Any, axe: str, a_case: str, name: str, language: str) -> None:
    address, account, ready = ROUTES[name]
    page = page_of(address.format(case=a_case), account, language=language)
    page.locator(ready).first.wait_for()
    page.evaluate(axe)
    assert page.evaluate(RUN, TAGS) == []
    assert page.evaluate("document.documentElement.lang") == ("zh-CN" if language == "zh" else "en")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it does not scroll sideways"


def test_what_a_reader_may_not_see_is_said(page_of: Any) -> None:
    page = page_of("/screen", "handler")
    expect(page.locator(".refused").first).to_contain_text("无权查看")
    expect(page.locator(".tile")).to_have_count(0)


@pytest.mark.parametrize("name", ["vital", "queue", "disputes", "case", "tables", "playbooks", "data", "field", "task", "citizen", "follow", "lab", "lessons", "login", "screen"])
def test_a_phone_does_not_scroll_sideways(page_of: Any, a_case: str, name: str) -> None:
    address, account, ready = ROUTES[name]
    page = page_of(address.format(case=a_case), account, width=390, height=844)
    page.locator(ready).first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_language_stays(page_of: Any) -> None:
    page = page_of("/lab")
    titles = []
    for name, language in (("English", "en"), ("中文", "zh-CN")):
        page.get_by_role("button", name=name).click()
        page.wait_for_function("(wanted) => document.documentElement.lang === wanted", arg=language)
        titles.append(page.title())
        page.reload()
        page.locator(".numbers").wait_for()
        assert page.evaluate("document.documentElement.lang") == language
        assert page.title() == titles[-1]
        page.goto("/login")
        assert page.evaluate("document.documentElement.lang") == language
        page.goto("/lab")
        page.locator(".numbers").wait_for()
    assert "Lab" in titles[0] and "试验场" in titles[1]
