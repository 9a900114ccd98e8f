"""The first three minutes: a calm screen, a storm that colours little, eight steps whose links open, and a seat that a visitor takes."""

from typing import Any

from playwright.sync_api import expect

CALM_AT_MOST, STORM_AT_MOST = 0.03, 0.12
STEPS = ("雨来了", "通道积水越线", "发出告警", "三人上报并入", "按目录派遣", "接单到场", "抽排水退", "核查结案")


def test_calm_is_uncoloured(storm: Any) -> None:
    assert storm.calmed.wait(120)
    if storm.wrong is not None:
        raise storm.wrong
    assert storm.calm < CALM_AT_MOST
    assert "万人" in storm.calm_line and "项体征正常" in storm.calm_line


def test_storm_is_told_in_eight_steps(after_storm: Any) -> None:
    assert sorted({words for _, words in after_storm.seen}, key=STEPS.index) == list(STEPS)
    assert len(after_storm.links) == len(STEPS)
    assert after_storm.rang, "the handler's phone is shown"


def test_storm_colours_little(after_storm: Any) -> None:
    assert after_storm.coloured
    assert max(after_storm.coloured.values()) < STORM_AT_MOST
    assert max(after_storm.coloured.values()) > after_storm.calm, "something must be coloured in a storm"


def test_storm_links_open(after_storm: Any, page_of: Any) -> None:
    page = page_of("/screen")
    for link in dict.fromkeys(after_storm.links):
        page.goto(link)
        page.locator("#main").wait_for()
        expect(page.locator("#main [role=alert]")).to_have_count(0)
        assert "没有这个页面" not in page.title()
        assert page.locator("#main").inner_text().strip()


def test_seat_of_the_handler(after_storm: Any, city: Any, page_of: Any) -> None:
    assert after_storm
    page = page_of("/screen")
    page.get_by_role("button", name="接替此岗位").click()
    page.get_by_role("button", name="接替处置员（排水处）").click()
    page.wait_for_url("**/field")
    assert city.get("/api/story")["seats"][2] | {"taken_by_robot": False} == next(s for s in city.get("/api/story")["seats"] if s["seat"] == "handler")
    expect(page.locator(".strip")).to_contain_text("处置员（排水处）")
    case = new_task(city)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/field/task/{case}")
    page.get_by_role("button", name="接单").click()
    photo = {"name": "a.png", "mimeType": "image/png", "buffer": page.screenshot()}
    inputs = page.locator(".slot input[type=file]")
    inputs.nth(0).set_input_files(photo)
    inputs.nth(1).set_input_files(photo | {"buffer": page.screenshot(full_page=True)})
    page.get_by_role("button", name="已处置完毕").click()
    page.get_by_role("button", name="提交处置结果").click()
    expect(page.locator(".told")).to_contain_text("已提交")
    held = city.get(f"/api/cases/{case}", "duty")
    by = {step["verb"]: step for step in held["history"]}
    assert held["step"] in {"check", "closed"}
    assert {"take", "handle", "feedback"} <= by.keys(), "the visitor did it, not the robot"
    assert len(by["handle"]["evidence"]) == len(by["feedback"]["evidence"]) == 1
    page.get_by_role("button", name="离开岗位").click()
    page.wait_for_url("**/screen")
    assert page.request.get("/api/session").json()["principal"]["id"] == "guest"


def new_task(city: Any) -> str:
    """Have a citizen report a missing manhole cover, and staff send it to the drainage office; robots may be quicker at each step."""
    place = apart(city, "drainage.manhole")
    report = {"text": "井盖松动，一踩就响。", "lon": place["lon"], "lat": place["lat"], "class": "drainage.manhole"}
    number = city.as_("citizen").post("/api/requests", json=report).json()["number"]

    def held() -> Any:
        return (city.get(f"/api/requests/{number}", "duty")["case"] or {}).get("number")

    for lead in city.get("/api/leads?state=open", "duty")["items"]:
        city.as_("duty").post(f"/api/leads/{lead['id']}/confirm", json={"version": lead["version"]})
    case = city.until(held, "the case of the report")
    found: list[str] = []

    def sent() -> Any:
        one = city.get(f"/api/cases/{case}", "duty")
        found.append(f"{one['number']} {one['step']} {one['holder']}")
        if one["step"] == "dispatch":
            found.append(city.as_("duty").post(f"/api/cases/{one['id']}/dispatch", json={"version": one["version"], "unit": "dept-drainage"}).text[:200])
        return one["id"] if one["step"] == "handle" else None

    return str(city.until(sent, lambda: f"a task for the drainage office, {found[-2:]}"))


def apart(city: Any, kind: str) -> Any:
    """Return the manhole cover farthest from whatever of its kind was told before, so that the report is joined to nothing."""
    covers = [e for e in city.get("/api/entities?type=ManholeCover&limit=200")["items"] if e["lon"]]
    told = [one for one in city.get(f"/api/cases?class={kind}&limit=200", "duty")["items"] + city.get("/api/leads?limit=200", "duty")["items"] if one["lon"]]
    return max(covers, key=lambda e: min(((e["lon"] - o["lon"]) ** 2 + (e["lat"] - o["lat"]) ** 2 for o in told), default=0))
