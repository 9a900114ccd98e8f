"""The last hop by page: an officer assigns a case at the desk, the phone of whom they named shows it first, and a colleague cannot take it."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .conftest import held

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
FAULTS = "async (tags) => (await axe.run(document, { runOnly: { type: 'tag', values: tags } })).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target)}`)"
TITLE = "指派给二班的雨水口"


def faults(page: Page) -> Any:
    """Return what axe finds."""
    if not AXE.exists():
        pytest.skip("axe-core is not there: cd web && npm ci")
    page.evaluate(AXE.read_text("utf-8"))
    return page.evaluate(FAULTS, TAGS)


def test_seat_officer_assigns_and_the_named_person_has_it_first(city: Any, page_of: Any) -> None:
    other, case = held(city, "没有指派的雨水口", 21), held(city, TITLE, 20)
    desk = page_of(f"/desk/case/{case}", "drainage-office", width=1440, height=900)
    desk.get_by_role("toolbar").get_by_role("button", name="指派").click()
    people = desk.get_by_role("radiogroup", name="办理人")
    expect(people.get_by_role("radio")).to_have_count(2)
    expect(people.locator("label").filter(has_text="二班")).to_contain_text("在办 0 件")
    assert faults(desk) == []
    people.get_by_text("处置员（排水处二班）").click()
    desk.get_by_label("附言").fill("带上水泵")
    desk.locator("form").get_by_role("button", name="指派").click()
    expect(desk.locator("header p").filter(has_text="排水处 · 处置员（排水处二班）")).to_be_visible()
    expect(desk.locator(".lines li").last).to_contain_text("→ 处置员（排水处二班） · 带上水泵")

    phone = page_of("/field", "handler-2", width=390, height=844)
    expect(phone.locator("a.task").first).to_contain_text(TITLE)
    expect(phone.get_by_role("heading", name="本单位未指派")).to_be_visible()
    assert faults(phone) == []
    phone.locator("a.task", has_text=TITLE).click()
    expect(phone.locator("main")).to_contain_text("部门经办人（排水处）指派给你：带上水泵")
    expect(phone.get_by_role("button", name="接单")).to_be_visible()
    city.until(lambda: city.get(f"/api/cases/{case}", "duty")["receipt"] == "read", "that they read it")

    colleague = page_of("/field", "handler", width=390, height=844)
    colleague.locator("a.task", has_text="没有指派的雨水口").wait_for()
    expect(colleague.locator("a.task", has_text=TITLE)).to_have_count(0)
    colleague.goto(f"/field/task/{case}")
    expect(colleague.get_by_role("status").filter(has_text="现在由排水处 · 处置员（排水处二班）办理")).to_be_visible()
    expect(colleague.get_by_role("button", name="接单")).to_have_count(0)
    told = city.as_("handler").post(f"/api/cases/{case}/take", json={})
    assert (told.status_code, told.json()["code"]) == (403, "case.assigned_elsewhere")

    phone.get_by_role("button", name="接单").click()
    city.until(lambda: city.get(f"/api/cases/{case}", "duty")["mark"] == "taken", "that they took it")
    assert city.get(f"/api/cases/{other}", "duty")["person"] == ""
