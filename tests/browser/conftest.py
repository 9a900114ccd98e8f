"""A small city in a process of its own, and its page in the system's Chromium, for the tests that look at the page as a person would.

What is missing is said once, with how to get it. Nothing here waits for a length of time: everything waits for what must come.
"""

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src" / "zhongshu" / "static" / "index.html"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# The map is drawn by the processor here; what is around it is not to be drawn by the same slow way: it cost a third of the processor that a page takes.
ARGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-gpu-rasterization", "--disable-gpu-compositing"]
PASSWORD = "yunting-demo"
expect.set_options(timeout=20_000)  # what must come is waited for, on a machine that has other work too


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here, and put what needs the calm city first and what takes seats last: the storm runs beside the rest."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here:
        item.add_marker(pytest.mark.browser)
    order = ("test_calm", "test_storm", "test_seat")
    places = {"test_calm": 0, "": 1, "test_storm": 2, "test_seat": 3}
    rank = {item: places[next((name for name in order if item.name.startswith(name)), "")] for item in here}
    rank |= {item: len(places) for item in here if item.path.name == "test_sentences.py"}  # hundreds of leads: the simulated people are long at them
    rank |= {item: len(places) + 1 for item in here if item.path.name == "test_lessons.py"}  # a lesson brings a storm of its own, and lends seats
    others = [item for item in items if item not in rank]
    items[:] = others + sorted(here, key=lambda item: rank[item])


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return Chromium's path, or skip visibly."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: apt-get install chromium, or set CHROMIUM to one")
    fonts = subprocess.run(["fc-list", ":lang=zh"], capture_output=True, text=True, check=False).stdout if shutil.which("fc-list") else ""
    if not fonts.strip():
        pytest.skip("no Chinese font (fc-list :lang=zh is empty): apt-get install fontconfig fonts-noto-cjk")
    if not STATIC.exists():
        pytest.skip("the page is not built: cd web && npm ci && npm run build")
    return CHROMIUM


class City:
    """The city that is served: its address, and requests as one of the demo accounts."""

    def __init__(self, url: str, folder: Path) -> None:
        """Speak to a city, whose files lie in a folder."""
        self.url, self.folder = url, folder
        self._as: dict[str, httpx.Client] = {}

    def as_(self, account: str) -> httpx.Client:
        """Return a client signed in as an account, or nobody's."""
        if account not in self._as:
            client = httpx.Client(base_url=self.url, headers={"origin": self.url}, timeout=30, trust_env=False)
            if account:
                client.post("/api/session", json={"account": account, "password": PASSWORD}).raise_for_status()
            self._as[account] = client
        return self._as[account]

    def get(self, url: str, account: str = "") -> Any:
        """Return a document."""
        answer = self.as_(account).get(url)
        answer.raise_for_status()
        return answer.json()

    def until(self, true: Callable[[], Any], what: str | Callable[[], str], seconds: float = 60) -> Any:
        """Wait for something to hold and return it; what never came is named."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if found := true():
                    return found
            except httpx.HTTPError:
                pass
            time.sleep(0.3)
        pytest.fail(f"it never came: {what if isinstance(what, str) else what()}")

    def close(self) -> None:
        """Let go of the connections."""
        for client in self._as.values():
            client.close()


@pytest.fixture(scope="session")
def city(chromium: str) -> Iterator[City]:
    """Run a city of 20,000 on a free port of this machine, with its simulated life."""
    assert chromium
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="zhongshu-page-")
    log = Path(folder) / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", "from zhongshu.cli import app; app()", "up", "--data", f"{folder}/city", "--port", str(port), "--population", "20000"],
            stdout=out,
            stderr=out,
            env=os.environ | {"ZS_TWIN": "off"},  # four engines beside a browser on two cores would be heard in every wait
        )
    held = City(f"http://127.0.0.1:{port}", Path(folder) / "city")

    def lives() -> bool:
        assert process.poll() is None, log.read_text()[-2000:]
        return bool(held.get("/health")["readings"]["accepted"] and held.get("/api/story")["seats"])

    try:
        held.until(lives, "a city that lives", 90)
        yield held
    finally:
        held.close()
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Return the driver."""
    with sync_playwright() as held:
        yield held


@pytest.fixture(scope="session")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    """Return Chromium."""
    held = playwright.chromium.launch(executable_path=chromium, args=ARGS)
    yield held
    held.close()


Opener = Callable[..., Page]


def new_context(browser: Browser, city: City, account: str, width: int, height: int, language: str) -> BrowserContext:
    """Return a context of its own, signed in or not."""
    held = browser.new_context(
        viewport={"width": width, "height": height}, locale="zh-CN" if language == "zh" else "en-GB", timezone_id="Asia/Shanghai", base_url=city.url, reduced_motion="reduce"
    )
    held.set_default_timeout(30_000)
    if account:
        answer = held.request.post("/api/session", data={"account": account, "password": PASSWORD}, headers={"origin": city.url})
        assert answer.ok, answer.text()
    return held


@pytest.fixture
def page_of(browser: Browser, city: City) -> Iterator[Opener]:
    """Return how to open the page: an address, as whom, how large, in which language. What breaks in the page fails the test."""
    contexts: list[BrowserContext] = []
    broken: list[str] = []

    def open_(address: str, account: str = "", *, width: int = 1280, height: int = 720, language: str = "zh") -> Page:
        contexts.append(new_context(browser, city, account, width, height, language))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: broken.append(f"{address}: {error}"))
        page.goto(address)
        page.locator("#main").wait_for()
        return page

    yield open_
    for each in contexts:
        each.close()
    assert broken == []


def do(city: Any, who: str, case: str, verb: str, **given: Any) -> dict[str, Any]:
    """Do a verb as someone and return the case."""
    return dict(city.as_(who).post(f"/api/cases/{case}/{verb}", json=given).raise_for_status().json())


def held(city: Any, title: str, nth: int) -> str:
    """Return a case that the drainage office holds, which no voice joined and whose simulated worker has gone."""
    for seat in ("handler", "dispatcher", "checker"):
        httpx.post(f"{city.url}/api/story/seats/{seat}", headers={"origin": city.url}, timeout=30, trust_env=False).raise_for_status()
    place = city.get("/api/entities?type=TrashBin&limit=30", "duty")["items"][nth]
    body = {"class": "drainage.blocked", "title_zh": title, "title_en": title, "area": place["area"], "lon": place["lon"], "lat": place["lat"]}
    case = str(city.as_("duty").post("/api/cases", json=body).raise_for_status().json()["id"])
    do(city, "acceptor", case, "verify")
    do(city, "duty", case, "file")
    do(city, "duty", case, "dispatch", unit="dept-drainage")
    return case


COLOURED = """async (picture) => {
  const bytes = Uint8Array.from(atob(picture), (c) => c.charCodeAt(0))
  const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }))
  const canvas = new OffscreenCanvas(image.width, image.height)
  const drawn = canvas.getContext('2d')
  drawn.drawImage(image, 0, 0)
  const { data } = drawn.getImageData(0, 0, image.width, image.height)
  let count = 0
  for (let i = 0; i < data.length; i += 4) {
    const most = Math.max(data[i], data[i + 1], data[i + 2]), least = Math.min(data[i], data[i + 1], data[i + 2])
    if (most > 127.5 && most - least > 0.5 * most) count += 1
  }
  return count / (data.length / 4)
}"""
"""The share of pixels of a PNG with HSV S > 0.5 and V > 0.5."""


class Storm:
    """Someone who stands before the screen from the calm through the storm, in a browser of their own, and notes what is seen."""

    def __init__(self, city: City, chromium: str) -> None:
        """Begin to look."""
        self.city, self._chromium = city, chromium
        self.calm: float | None = None
        self.coloured: dict[int, float] = {}
        self.seen: list[tuple[int, str]] = []
        self.links: list[str] = []
        self.calm_line = ""
        self.rang = False
        self.wrong: BaseException | None = None
        self.calmed, self.over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=self._chromium, args=ARGS)
                try:
                    self._watch(browser)
                finally:
                    browser.close()
        except BaseException as error:
            self.wrong = error
        finally:
            self.calmed.set()
            self.over.set()

    def _watch(self, browser: Browser) -> None:
        told = self.city.get("/api/story")
        if told["started"]:
            self.city.until(lambda: all(step["at"] for step in self.city.get("/api/story")["steps"]), "the end of the storm before", 300)
        page = new_context(browser, self.city, "", 1920, 1080, "zh").new_page()
        scale = browser.new_page()
        page.goto("/screen")
        page.locator(".tile .figure").first.wait_for()
        page.locator(".p-map canvas").wait_for()
        if told["started"]:
            page.get_by_role("button", name="再来一场雨").click()
        self.calm_line = page.locator(".story .line p").inner_text()
        self.calm = self._share(page, scale)
        self.calmed.set()
        end = time.monotonic() + 300
        while len(self.seen) < 8 and time.monotonic() < end:
            page.wait_for_timeout(700)
            done = page.locator(".steps .done")
            if (count := done.count()) > len(self.seen):
                words = done.nth(len(self.seen)).locator(".words").inner_text()
                self.seen.append((count, words))
                if count <= 8:
                    self.coloured[count] = self._share(page, scale)
            self.rang = self.rang or page.locator(".p-phone").count() > 0
        self.links = [str(link.get_attribute("href")) for link in page.locator(".steps a").all()]

    def _share(self, page: Page, scale: Page) -> float:
        return float(scale.evaluate(COLOURED, base64.b64encode(page.screenshot()).decode()))


@pytest.fixture(scope="session")
def storm(city: City, chromium: str) -> Storm:
    """Return who watches the storm; it goes on beside the other tests."""
    return Storm(city, chromium)


@pytest.fixture
def after_storm(storm: Storm) -> Storm:
    """Wait for the storm to be over: whoever takes a seat stops its robot."""
    assert storm.over.wait(320)
    if storm.wrong is not None:
        raise storm.wrong
    return storm
