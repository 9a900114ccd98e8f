"""What someone who used the page for a day found wrong: what is shown first, what is counted, what is kept, and what fits."""

import json
import re
from typing import Any

from playwright.sync_api import Page, Route, expect

HOURS = 3_600_000


def told(page: Page, path: str, mend: Any) -> None:
    """Change what the server answers to a path on its way to the page."""

    def change(route: Route) -> None:
        answer = route.fetch()
        held = answer.json()
        mend(held)
        route.fulfill(response=answer, body=json.dumps(held))

    page.route(re.compile(path), change)


def case_of(key: str, due: str | None, *, danger: bool = False) -> dict[str, Any]:
    names = {f"{name}_{language}": f"{name} {key}" for name in ("class", "title", "area_name", "step", "holder") for language in ("zh", "en")}
    plain = {"id": key, "number": key, "class": "E0101", "address": "", "area": "990100000000000", "lon": None, "lat": None, "source": "web", "step": "handle", "holder": ""}
    times = {"opened": "2020-01-01T00:00:00Z", "due": due, "closed": None, "late": False}
    return names | plain | times | {"level": None, "voices": 0, "finding": None, "lead": None, "indicator": None, "version": 1, "flags": [], "danger": danger}


def lead_of(key: str) -> dict[str, Any]:
    names = {f"title_{language}": f"voice {key}" for language in ("zh", "en")}
    plain = {"id": key, "number": key, "kind": "request", "source": "web", "area": "990100000000000", "lon": None, "lat": None, "finding": None, "state": "open"}
    return names | plain | {"opened": "2019-01-01T00:00:00Z", "links": [], "suggested": [], "case": None, "voices": 1, "heard": [], "may": [], "version": 1}


def test_what_is_dangerous_or_has_a_time_is_not_hidden_by_hundreds_of_old_voices(page_of: Any, city: Any) -> None:
    page = page_of("/citizen", "duty", width=1920, height=1080)
    now = page.evaluate("(now) => Date.parse(now)", city.get("/health")["clock"]["now"])
    at = lambda hours: page.evaluate("(ms) => new Date(ms).toISOString()", now + hours * HOURS)

    def cases(held: dict[str, Any]) -> None:
        held["items"] = [case_of("late", at(-5)), case_of("soon", at(2)), case_of("later", at(30)), case_of("danger", at(1), danger=True), case_of("undated", None)]
        held["counts"]["open"] = 731

    def leads(held: dict[str, Any]) -> None:
        held.update(items=[lead_of(str(n)) for n in range(300)], next="more")

    told(page, r"/api/cases\?state=open", cases)
    told(page, r"/api/leads\?state=open", leads)
    page.goto("/screen")
    panel = page.get_by_role("region", name="现在要办")
    rows = panel.locator("li .title")
    expect(rows).to_have_text([re.compile(f" {key}$") for key in ("danger", "late", "soon", "later", "undated", "0", "1", "2")])
    expect(panel.locator("li").first).to_contain_text("危险")
    expect(panel.locator("h2")).to_contain_text("案件 731")
    expect(panel.locator("h2")).to_contain_text("线索 300+")
