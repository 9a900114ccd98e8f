"""诉求上升 counts every voice: also those without a point, in the area they name, before anyone has filed them."""

from typing import Any

import pytest
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def told(city: Any) -> dict[str, Any]:
    """Have five people of one street, and one of another, tell of the same kind of thing without a point; return the street."""
    for seat in ("acceptor", "dispatcher", "handler", "checker"):
        city.as_("").post(f"/api/story/seats/{seat}").raise_for_status()
    first, other = city.get("/api/areas?level=street&limit=2", "duty")["items"][:2]
    for street, texts in ((first, ("菜场门口又摆摊了", "水果车占道", "夜市占了人行道", "早点摊摆到路上", "烧烤摊占了车道")), (other, ("桥头有人摆摊",))):
        for text in texts:
            body = {"text": text, "area": street["code"], "class": "hotline.stall"}
            city.as_("citizen-3").post("/api/requests", json=body).raise_for_status()
    return dict(first)


def test_seat_voices_without_a_point_rise_in_the_street_they_name(told: dict[str, Any], page_of: Any) -> None:
    page = page_of("/screen", "duty", width=1920, height=1080)
    row = page.locator(".rising li", has_text="占道经营")
    expect(row.locator(".count")).to_contain_text("6")
    expect(row).to_contain_text(told["name_zh"])
    row.locator("a").click()
    expect(page.locator(".work header")).to_be_visible()
