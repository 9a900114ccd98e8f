"""A storm night in a real browser: the screen and the desk of the centre, a citizen's phone, the phones of the four parties of the flooding playbook, the checker's and the acceptor's desk.

Through the page: the first voice, the three clicks from the red tile to the responsible person's phone, every party's task (the road is closed where there is no network), the photographs,
the second case's way from its filing to its check, closing, the first answer, the room with a case put into it by hand, reopening, and whatever names the night afterwards.
Through the public door: the rain and the water (a gauge's and a sensor's readings, by a source's key; nobody is simulated), nineteen more voices and their answers, which are the first again,
and the report that the second case begins with. The city's clock runs as it does; where an hour or a minute has to pass, it is moved on by so much, and every reading with it.
"""

import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from .conftest import PASSWORD, City, new_context

QUIET = """
import signal, time
import zhongshu.kernel.clock as clock
import zhongshu.packs.sandbox.life.sandbox as life
ahead = [0]
def on(number, frame): ahead[0] += clock.MINUTE * (61 if number == signal.SIGUSR2 else 1)
signal.signal(signal.SIGUSR1, on)
signal.signal(signal.SIGUSR2, on)
clock.LiveClock.now = lambda self: time.time_ns() // 1000 + ahead[0]
async def home(self): pass
life.Sandbox.run = home
from zhongshu.cli import app
app()
"""
"""A city whose simulated people stay at home, and whose clock is moved on a minute by one signal, an hour and a minute by the other."""
CLASS = "class,zh,en,check,normal_minutes,words,playbook,basis,valid_from\ndrainage.ponding,道路积水,Water standing on a road,instrument,1,积水;水淹,flooding,示例,2025-01-01\n"
SOON_MS = 2000
"""The tile says within so many milliseconds how far a task has come."""
VOICES = 20


def zhongshu(*words: str) -> str:
    done = subprocess.run([sys.executable, "-c", "from zhongshu.cli import app; app()", *words], check=True, capture_output=True, text=True)
    return done.stdout.split()[-1]


class Water:
    """A rain gauge and the sensor of an underpass, which speak every second of the city's time."""

    def __init__(self, url: str, token: str, sensor: str, gauge: str, process: subprocess.Popen[bytes]) -> None:
        self.depth, self.rain = 0.0, 0.0
        self._http = httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=30, trust_env=False)
        self._sensor, self._gauge, self._process = sensor, gauge, process
        self._ahead, self._ended = timedelta(), threading.Event()
        self._thread = threading.Thread(target=self._speak, daemon=True)
        self._thread.start()

    def _speak(self) -> None:
        while not self._ended.wait(1):
            at = (datetime.now(UTC) + self._ahead).isoformat()
            rows = [{"entity": self._sensor, "property": "WaterLevelSensor.depth", "time": at, "value": self.depth}]
            rows += [{"entity": self._gauge, "property": "RainGauge.intensity", "time": at, "value": self.rain}]
            self._http.post("/api/sources/sandbox.devices/readings", json=rows).raise_for_status()

    def let_pass(self, minutes: int) -> None:
        """Let a minute pass, or sixty-one: the city's clock is moved on, and the water speaks at its new time."""
        self._process.send_signal({1: signal.SIGUSR1, 61: signal.SIGUSR2}[minutes])
        self._ahead += timedelta(minutes=minutes)

    def end(self) -> None:
        self._ended.set()
        self._thread.join(10)
        self._http.close()


@pytest.fixture(scope="module")
def night(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[City, Water, dict[str, Any]]]:
    """Run a city whose simulated people stay at home, and let an underpass's sensor speak."""
    assert chromium
    folder = tmp_path_factory.mktemp("night")
    data = str(folder / "city")
    zhongshu("city", "make", "--data", data, "--population", "20000")
    token = zhongshu("token", "--name", "gauge", "--role", "source_writer:sandbox.devices", "--data", data)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "log").open("w") as out:
        process = subprocess.Popen([sys.executable, "-c", QUIET, "up", "--data", data, "--port", str(port)], stdout=out, stderr=out)
    held = City(f"http://127.0.0.1:{port}", Path(data))
    water = None
    try:
        held.until(lambda: held.get("/health")["status"] == "ok", "a city")
        held.as_("steward").post("/api/tables/classes?apply=true", files={"file": ("classes.csv", CLASS.encode())}).raise_for_status()
        sensors = held.get("/api/entities?type=WaterLevelSensor&limit=500", "duty")["items"]
        sensor = next(one for one in sensors if one["facets"].get("kind") == "underpass" and one["lon"])
        gauge = held.get("/api/entities?type=RainGauge&limit=1", "duty")["items"][0]
        street = sensor["area"][:9] + "000000"
        zhongshu("user", "add", "street-office", "--role", "handler", "--password", PASSWORD, "--area", street, "--unit", f"street-{street}", "--name", "街道值守", "--data", data)
        water = Water(held.url, token, sensor["id"], gauge["id"], process)
        yield held, water, sensor
    finally:
        if water is not None:
            water.end()
        held.close()
        process.terminate()
        process.wait(20)


@pytest.fixture
def people(browser: Browser, night: tuple[City, Water, dict[str, Any]]) -> Iterator[Any]:
    """Return how someone opens a page of their own; what breaks in a page fails the test."""
    contexts: dict[str, BrowserContext] = {}
    broken: list[str] = []

    def open_(account: str, address: str, width: int = 1440, height: int = 900) -> Page:
        if account not in contexts:
            contexts[account] = new_context(browser, night[0], account, width, height, "zh")
        page = contexts[account].new_page()
        page.on("pageerror", lambda error: broken.append(f"{account} {address}: {error}"))
        page.goto(address)
        page.locator("#main").wait_for()
        return page

    yield open_
    for each in contexts.values():
        each.close()
    assert broken == []


def test_a_storm_night_with_four_accounts(night: tuple[City, Water, dict[str, Any]], people: Any) -> None:
    city, water, sensor = night
    city.until(lambda: sign(city)["value"] == 0.0, "a sign that is calm")
    screen = people("duty", "/screen", 1920, 1080)
    drainage = people("drainage-office", "/field", 390, 780)
    traffic = people("traffic-office", "/field", 390, 780)
    water.depth, water.rain = 43.0, 36.0
    told = voices(city, sensor, people)
    case = three_clicks(city, screen, drainage, told)
    play(
        city,
        water,
        case,
        {"drainage": drainage, "traffic": traffic, "emergency": people("emergency-office", "/field", 390, 780), "street": people("street-office", "/field", 390, 780)},
    )
    water.depth, water.rain = 1.0, 0.0
    photographs(drainage)
    by_instrument(city, water, case)
    other = by_person(city, sensor, people)
    answers(city, case, told, people)
    city.until(lambda: sign(city)["finding"] is None and sign(city)["level"] == "green", "the sign back to normal")
    expect(screen.locator(".tile", has_text="易涝点积水深度")).to_contain_text("正常")
    named(city, case, other, people)


def sign(city: City) -> dict[str, Any]:
    code = city.get("/api/city")["code"]
    return next(dict(row) for row in city.get(f"/api/vitals?area={code}", "duty")["items"] if row["indicator"] == "DR02")


def voices(city: City, sensor: dict[str, Any], people: Any) -> list[str]:
    """Let twenty people tell of it as soon as the finding has opened its lead: the first on the page, the others through the same door."""

    def lead() -> dict[str, Any] | None:
        return next((row for row in city.get("/api/leads?state=open", "duty")["items"] if row["indicator"] == "DR02"), None)

    page = people("citizen", "/citizen", 390, 780)
    page.context.grant_permissions(["geolocation"])
    page.context.set_geolocation({"longitude": sensor["lon"], "latitude": sensor["lat"]})
    city.until(lead, "the finding's lead")
    page.get_by_role("button", name="说话反映").click()
    expect(page.get_by_label("在这附近，对吗？")).to_be_visible()
    page.get_by_label("什么事").fill("下穿通道积水很深，车过不去，我是第 1 个来说的。")
    page.get_by_role("button", name="提交").click()
    numbers = [page.locator(".receipt .number").inner_text()]
    who = ("citizen", "citizen-2", "citizen-3", "acceptor", "acceptor")
    for n in range(1, VOICES):
        body = {"text": f"下穿通道积水很深，我是第 {n + 1} 个来说的。", "class": "drainage.ponding", "lon": sensor["lon"] + n * 1e-5, "lat": sensor["lat"]}

        def say(body: dict[str, Any] = body, n: int = n) -> str:
            answer = city.as_(who[n % len(who)]).post("/api/requests", json=body)
            return str(answer.json()["number"]) if answer.status_code == 202 else ""

        numbers.append(city.until(say, f"voice {n + 1}"))
    city.until(lambda: (lead() or {}).get("voices") == VOICES, "all voices with one lead")
    return numbers


def three_clicks(city: City, screen: Page, phone: Page, told: list[str]) -> str:
    """From the red tile to the responsible person's phone: tile, file, dispatch; the tile says how far it has come."""
    tile = screen.locator(".tile").first
    expect(tile).to_contain_text("易涝点积水深度")
    expect(tile).to_contain_text("严重")
    tile.click()
    drawer = screen.locator(".drawer")
    drawer.get_by_role("button", name="属实立案").click()
    drawer.get_by_role("button", name="按目录派遣").click()
    row = phone.locator(".task", has_text="积水").first
    row.wait_for()
    expect(tile.locator(".foot")).to_contain_text("已送达", timeout=SOON_MS * SLACK)
    row.click()
    phone.locator(".what").wait_for()
    expect(tile.locator(".foot")).to_contain_text("已读", timeout=SOON_MS * SLACK)
    phone.get_by_role("button", name="接单").click()
    expect(tile.locator(".foot")).to_contain_text("已接单", timeout=SOON_MS * SLACK)
    case = city.get("/api/cases?state=open&class=drainage.ponding", "duty")["items"][0]
    assert case["voices"] == len(told)
    return str(case["id"])


SLACK = 5
"""How much longer than promised a busy machine may take."""


def play(city: City, water: Water, case: str, phones: dict[str, Page]) -> None:
    """The playbook's tasks, each on its party's own phone: drainage looks and pumps, traffic closes the road, the street warns the homes; after an hour the water has not gone, and emergency sends pumps."""
    drainage, traffic, street, emergency = (phones[name] for name in ("drainage", "traffic", "street", "emergency"))
    task = drainage.locator(".own article", has_text="到场看水")
    task.wait_for()
    finish(task, drainage, {"是否有人": "否", "车辆能否": "否"})
    row = traffic.locator(".helping", has_text="封路")
    row.wait_for()
    row.click()
    without_a_network(city, case, traffic)
    helped(street, "逐户提醒", "nothing")
    water.let_pass(61)
    helped(emergency, "调移动泵车增援")
    finish(drainage.locator(".own article", has_text="开泵强排"), drainage, {})
    finish(drainage.locator(".own article", has_text="清淤"), drainage, {})
    city.until(lambda: city.get(f"/api/cases/{case}", "duty")["playbook"]["ended"], "the end of the playbook")
    tasks = city.get(f"/api/cases/{case}", "duty")["tasks"]
    did = {one["unit"].partition("-")[0] if one["unit"].startswith("street-") else one["unit"] for one in tasks if one["state"] == "done"}
    assert did == {"dept-drainage", "dept-traffic", "dept-emergency", "street"}


def helped(phone: Page, what: str, asks: str = "") -> None:
    """Open a task that helps someone else's case, and end it."""
    row = phone.locator(".helping", has_text=what)
    row.wait_for()
    row.click()
    task = phone.locator(".own article", has_text=what)
    task.wait_for()
    finish(task, phone, {}, asks)


def without_a_network(city: City, case: str, phone: Page) -> None:
    """A task is done where there is no network: it waits in the phone, and arrives once."""
    task = phone.locator(".own article", has_text="封路")
    task.wait_for()
    phone.context.set_offline(True)
    task.get_by_role("button", name="报到").click()
    task.get_by_role("button", name="完成任务").click()
    task.locator("input[type=file]").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": phone.screenshot()})
    task.locator("form img").wait_for()
    task.locator("form").get_by_role("button", name="完成任务").click()
    expect(phone.locator(".own article", has_text="封路")).to_have_count(0)
    expect(phone.locator("header")).to_contain_text("待传")
    phone.context.set_offline(False)

    def lines() -> list[str]:
        history = city.get(f"/api/cases/{case}", "duty")["history"]
        return [line["verb"] for line in history if line["task"] and line["task"]["title_en"] == "Close the road and lead around"]

    city.until(lambda: len(lines()) > 1, "what was done without a network")
    assert lines() == ["arrive", "done"]


def finish(task: Any, phone: Page, answers: dict[str, str], asks: str = "") -> None:
    """Arrive at a task and end it, with a photograph and what it asks; one that asks nothing is over at once."""
    task.get_by_role("button", name="报到").click()
    expect(task).to_contain_text("已报到")
    task.get_by_role("button", name="完成任务").click()
    if asks == "nothing":
        expect(task).to_have_count(0)
        return
    for group in task.locator("fieldset").all():
        said = next(word for start, word in answers.items() if start in group.inner_text())
        group.get_by_role("radio", name=said, exact=True).check()
    files = task.locator("input[type=file]")
    if files.count():
        files.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": phone.screenshot()})
        task.locator("form img").wait_for()
    if task.locator("form textarea").count():
        task.locator("form textarea").fill("已办")
    task.locator("form").get_by_role("button", name="完成任务").click()
    expect(task.locator("form")).to_have_count(0)


def photographs(phone: Page) -> None:
    """Before and after, in two taps more."""
    slots = phone.locator(".slot input[type=file]")
    slots.nth(0).set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": phone.screenshot()})
    slots.nth(1).set_input_files({"name": "b.png", "mimeType": "image/png", "buffer": phone.screenshot(full_page=True)})
    phone.get_by_role("button", name="提交处置结果").click()
    expect(phone.locator(".told").first).to_contain_text("已提交")


def by_instrument(city: City, water: Water, case: str) -> None:
    """The sign, normal for the minute that the class asks, passes the check; not before."""
    city.until(lambda: sign(city)["level"] == "green", "the sign back to normal")
    whole = city.get(f"/api/cases/{case}", "duty")
    assert (whole["step"], whole["mark"]) == ("check", ""), "normal for less than a minute"
    water.let_pass(1)
    city.until(lambda: city.get(f"/api/cases/{case}", "duty")["mark"] == "passed", "the check by the sign")
    line = city.get(f"/api/cases/{case}", "duty")["history"][-1]
    assert (line["verb"], line["actor"]) == ("check_pass", "instrument")


def by_person(city: City, sensor: dict[str, Any], people: Any) -> str:
    """Another case of the night goes from desk to phone to checker, in the page."""
    body = {"class": "hotline.garbage", "title_zh": "雨后垃圾", "title_en": "Rubbish after the rain", "area": sensor["area"], "lon": sensor["lon"], "lat": sensor["lat"]}
    made = city.as_("acceptor").post("/api/cases", json=body).raise_for_status().json()
    desk = people("duty", f"/desk/case/{made['id']}")
    for name in ("核实", "立案"):
        desk.locator(".bar").get_by_role("button", name=re.compile(f"^{name}")).click()
    desk.locator(".bar").get_by_role("button", name=re.compile("^派遣")).click()
    expect(desk.locator(".work .form")).to_contain_text("派遣目录“暴露垃圾”：环卫处 主办")
    desk.keyboard.press("Control+Enter")
    city.until(lambda: city.get(f"/api/cases/{made['id']}", "duty")["unit"] == "dept-sanitation", "the case with its unit")
    phone = people("crew", f"/field/task/{made['id']}", 390, 780)
    phone.get_by_role("button", name="接单").click()
    photographs(phone)
    desk = people("checker", f"/desk/case/{made['id']}")
    desk.get_by_role("button", name="核查通过").click()
    city.until(lambda: city.get(f"/api/cases/{made['id']}", "duty")["mark"] == "passed", "the check by a person")
    return str(made["number"])


def answers(city: City, case: str, told: list[str], people: Any) -> None:
    """Closing the case closes no voice; each is answered, and called back."""
    desk = people("acceptor", f"/desk/case/{case}")
    desk.get_by_role("button", name="结案").first.click()
    city.until(lambda: city.get(f"/api/cases/{case}", "duty")["closed"], "the closed case")
    lives = [city.get(f"/api/requests/{number}", "acceptor") for number in told]
    assert not any(life["answered"] for life in lives), "closing the case closes no voice"
    desk.goto("/desk/queue?tab=accept")
    desk.locator(".queue .row", has_text="我是第 1 个来说的").click()
    expect(desk.locator(".work header")).to_contain_text(told[0])
    desk.locator(".work .bar").get_by_role("button", name=re.compile("答复")).first.click()
    desk.locator(".work .form textarea").first.fill("积水已排，道路已恢复通行。")
    desk.keyboard.press("Control+Enter")
    city.until(lambda: city.get(f"/api/requests/{told[0]}", "acceptor")["answered"], "the first answer")
    for life in lives[1:]:
        city.as_("acceptor").post(f"/api/requests/{life['id']}/answer", json={"answer": "积水已排，道路已恢复通行。"}).raise_for_status()
    assert all(city.get(f"/api/requests/{number}", "acceptor")["answered"] for number in told)
    phone = people("citizen", "/citizen", 390, 780)
    phone.get_by_text("我的进度").first.click()
    expect(phone.locator("#main")).to_contain_text("道路已恢复通行")


def named(city: City, case: str, other: str, people: Any) -> None:
    """The handover sheet, the brief and the review name it; the night's other case is put into its room by hand, and taken out again."""
    number = city.get(f"/api/cases/{case}", "duty")["number"]
    desk = people("duty", f"/desk/case/{case}")
    desk.locator(".bar").get_by_role("button", name=re.compile("^重新办理")).click()
    desk.locator(".work .form").get_by_text("问题再次出现").click()
    desk.keyboard.press("Control+Enter")
    city.until(lambda: city.get(f"/api/cases/{case}", "duty")["closed"] is None, "the reopened case")
    desk.get_by_role("link", name="开设事件").click()
    form = desk.locator(".drawer form")
    form.get_by_label("名称（中文）").fill("下穿通道内涝")
    form.get_by_text("防汛", exact=True).click()
    form.get_by_role("button", name="开设事件").click()
    desk.locator(".r-situation").wait_for()
    desk.keyboard.press("l")
    desk.get_by_role("combobox", name="案件编号或关键词").fill(other)
    desk.get_by_role("option", name=re.compile("雨后垃圾")).wait_for()
    desk.keyboard.press("Enter")
    expect(desk.locator(".r-situation .linked")).to_have_count(2)
    desk.get_by_role("button", name=re.compile("^撤销")).click()
    expect(desk.locator(".r-situation .linked")).to_have_count(1)
    expect(desk.locator(".r-log")).to_contain_text(re.compile(f"取消关联.*{other}"))
    desk.get_by_role("button", name="复盘").click()
    expect(desk.locator("#main")).to_contain_text(number)
    brief = people("duty", "/brief")
    expect(brief.locator("#main")).to_contain_text("下穿通道内涝")
    sheet = people("duty", "/desk/duty")
    expect(sheet.locator("#part-open")).to_contain_text(number)
    expect(sheet.locator("#part-voices")).to_contain_text(number)
    expect(sheet.locator("#part-raised")).to_contain_text("下穿通道内涝")
