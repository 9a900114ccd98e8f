"""The evaluation as people read it: every figure opens to its cases, what was left out stands there with its ruling, and the files are there in both languages.

The cases are made here, and the seats of the simulated people are taken first.
"""

import base64
import io
import re
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import Page, expect

PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
FAULTS = "async (tags) => (await axe.run(document, { runOnly: { type: 'tag', values: tags } })).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target)}`)"
RULING = "客观不能：需上级立项"


@pytest.fixture(scope="module")
def ruled(city: Any) -> str:
    """Close three cases of the drainage office, leave one of them out by a ruling, and return its number."""
    for seat in ("acceptor", "dispatcher", "handler", "checker"):
        city.as_("").post(f"/api/story/seats/{seat}").raise_for_status()
    photo = city.as_("handler").post("/api/evidence", files={"file": ("a.png", PIXEL, "image/png")}).raise_for_status().json()["sha256"]
    deeds: list[tuple[str, str, dict[str, Any]]] = [
        ("acceptor", "verify", {}),
        ("duty", "file", {}),
        ("duty", "dispatch", {"unit": "dept-drainage"}),
        ("handler", "take", {}),
        ("handler", "handle", {"evidence": [photo]}),
        ("handler", "feedback", {"evidence": [photo]}),
        ("checker", "check_pass", {}),
        ("acceptor", "close", {}),
    ]
    places = city.get("/api/entities?type=TrashBin&limit=30", "duty")["items"]
    for nth in (3, 12, 27):
        place = places[nth]
        body = {"class": "drainage.manhole", "title_zh": "井盖松动", "title_en": "Loose manhole", "area": place["area"], "lon": place["lon"], "lat": place["lat"]}
        case = city.as_("duty").post("/api/cases", json=body).raise_for_status().json()
        for who, verb, given in deeds:
            city.as_(who).post(f"/api/cases/{case['id']}/{verb}", json=given).raise_for_status()
    city.as_("duty").post(f"/api/cases/{case['id']}/exclude", json={"reason": RULING}).raise_for_status()
    return str(case["number"])


def drainage(city: Any) -> dict[str, Any]:
    """Return the drainage office's own row, as the server has it."""
    told = city.get("/api/evaluation?of=department", "duty")
    return dict(next(row for row in told["items"] if row["name"] == "dept-drainage"))


def value(page: Page, row: str, measure: str) -> Any:
    return page.get_by_role("button", name=re.compile(f"^{row}，{measure} "))


def test_seat_figure_opens_to_its_cases_and_a_ruling_is_listed(ruled: str, city: Any, page_of: Any) -> None:
    page = page_of("/desk/evaluate?of=department&group=load", "duty", width=1440, height=900)
    figure = value(page, "排水处", "结案数")
    closed = drainage(city)["values"]["closed"]
    expect(figure).to_have_text(f"{closed:g}")
    figure.press("Enter")
    panel = page.locator(".behind")
    behind = city.get("/api/evaluation/cases?of=department&name=dept-drainage&measure=closed", "duty")["items"]
    expect(panel.locator("li")).to_have_count(len(behind))
    assert len(behind) == closed, "so many cases as the figure says"
    assert set(panel.locator("li a").all_inner_texts()) == {case["number"] for case in behind}
    assert ruled not in {case["number"] for case in behind}
    expect(page.locator(".left-out li", has_text=ruled)).to_contain_text(RULING)
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(figure).to_be_focused()
    figure.click()
    panel.locator("a").first.click()
    page.wait_for_url("**/desk/case/*")


def test_seat_there_is_no_ranking_and_a_score_says_over_how_few(ruled: str, city: Any, page_of: Any) -> None:
    page = page_of("/desk/evaluate?of=department", "duty", width=1440, height=900)
    page.locator("tbody tr").first.wait_for()
    expect(page.get_by_role("columnheader", name="得分")).to_have_count(0)
    expect(page.locator("#main")).to_contain_text("没有为这类对象设权重")
    rows = "object,indicator,weight,basis,basis_en,valid_from\ndepartment,on_time,60,评价办法 第九条,Rules article 9,2026-01-01\ndepartment,redo,40,评价办法 第九条,Rules article 9,2026-01-01\n"
    told = city.as_("steward").post("/api/tables/weights?source=test&apply=true", files={"file": ("weights.csv", rows)})
    assert told.json()["applied"], told.text
    page.reload()
    row = drainage(city)
    score = value(page, "排水处", "得分")
    expect(score).to_have_text(f"{row['score']:.4g}")
    score.click()
    panel = page.locator(".behind")
    for part in ("按期结案率", "返工率", "评价办法 第九条", "2026-01-01 起施行", "60", "40"):
        expect(panel).to_contain_text(part)
    if row["cases"] < 10:
        expect(panel).to_contain_text(f"只算了 {row['cases']} 件案件")
    names = [name.split("\n")[0].strip() for name in page.locator("tbody th[scope=row]").all_inner_texts()]
    assert names == page.evaluate("names => [...names].sort((a, b) => a.localeCompare(b, 'zh-CN'))", names), "by name, never by how they did"
    assert "名次" not in page.locator("#main").inner_text()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_seat_files_and_words_are_there_in_both_languages(ruled: str, page_of: Any, language: str) -> None:
    page = page_of("/desk/evaluate?of=department", "duty", language=language, width=1280, height=720)
    page.locator("tbody tr").first.wait_for()
    bodies = {}
    for form in ("XLSX", "PDF"):
        with page.expect_download() as coming:
            page.get_by_role("link", name=form).click()
        bodies[form] = Path(coming.value.path()).read_bytes()
    book = openpyxl.load_workbook(io.BytesIO(bodies["XLSX"]))
    assert {"zh": "结案数", "en": "Cases closed"}[language] in [cell.value for cell in book.worksheets[0][1]]
    assert ruled in [row[0] for row in book.worksheets[1].iter_rows(values_only=True)]
    assert bodies["PDF"].startswith(b"%PDF-")
    for tab in page.locator(".groups button").all():
        tab.click()
        assert re.search(r"\bevaluate\.[a-z]", page.locator("#main").inner_text()) is None
    if AXE.exists():
        page.evaluate(AXE.read_text("utf-8"))
        assert page.evaluate(FAULTS, TAGS) == []
    page.goto("/desk/evaluate?of=area&span=custom&from=2020-01-01&to=2020-01-31")
    expect(page.locator(".state")).to_contain_text({"zh": "没有办过案件", "en": "No case was worked on"}[language])
