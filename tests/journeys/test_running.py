"""The program watched: ready or not and why, its metrics as Prometheus collects them, its traces by OTLP, its log a JSON object a line; and its clock set back."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from zhongshu.survey import make

from .city import Running, command, opened, running, token

pytestmark = pytest.mark.journey
SOURCE, GAUGE, DEPTH = "sandbox.devices", "urn:zs:WaterLevelSensor:YT-0001", "WaterLevelSensor.depth"
BACK = 600
"""So many seconds the machine's clock is set back."""
CLOCK = f"""import signal, time
real, back = time.time_ns, [0]
time.time_ns = lambda: real() - back[0]
signal.signal(signal.SIGUSR1, lambda *_: back.__setitem__(0, 0 if back[0] else {BACK} * 10**9))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("running") / "DATA"
    make(made, 5000, 7, lambda _: None)
    return made


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Collect what is sent by OTLP over HTTP."""
    got: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.path.encode() + b" " + self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("ZS_TELEMETRY", f"http://127.0.0.1:{server.server_port}")
    yield got
    server.shutdown()
    server.server_close()


def ask(city: Running, path: str, key: str = "") -> httpx.Response:
    return httpx.get(city.url + path, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=20, trust_env=False)


def test_a_city_tells_its_metrics_and_its_traces_where_it_is_asked_to(folder: Path, traces: list[bytes]) -> None:
    with running(folder) as city:
        keeper, worker = token(folder, "steward", "prometheus"), token(folder, "dispatcher", "worker")
        answer = ask(city, "/ready")
        assert (answer.status_code, answer.json()) == (200, {"ready": True, "wrong": []})
        told = ask(city, "/api/running", keeper).json()
        assert told["ready"] and {one["name"] for one in told["items"]} >= {"disk_free_mb", "signs_behind_s", "warehouse_behind_s", "history_behind_s", "clock_back_s"}
        collected = ask(city, "/metrics", keeper)
        assert collected.status_code == 200 and collected.headers["content-type"].startswith("text/plain")
        lines = {line.split(" ")[0].split("{")[0]: float(line.rsplit(" ", 1)[1]) for line in collected.text.splitlines() if line and not line.startswith("#")}
        assert lines["zhongshu_disk_free_mb"] == pytest.approx(next(one["value"] for one in told["items"] if one["name"] == "disk_free_mb"), rel=0.2)
        assert lines["http_server_duration_milliseconds_count"] >= 1 and lines["process_resident_memory_bytes"] > 0
        assert [ask(city, path, worker).status_code for path in ("/metrics", "/api/running")] == [403, 403]
        assert ask(city, "/metrics").status_code in {401, 403}
        key = token(folder, f"source_writer:{SOURCE}", "gauges")
        row = {"entity": GAUGE, "property": DEPTH, "time": int(time.time() * 1000), "value": 2}
        offset, until = city.send(SOURCE, "first", [row], key)["offset"], time.monotonic() + 30
        while ask(city, "/health").json()["journal"]["lake"] < offset:
            assert time.monotonic() < until
            time.sleep(0.2)
    assert (city.process.returncode, (folder / "owner.json").exists()) == (0, False), "told to end, it puts everything down first"
    assert traces and all(one.startswith(b"/v1/traces ") for one in traces)
    sent = b"".join(traces)
    assert {span for span in (b"desk.group", b"watch.step", b"journal.append", b"lake.commit", b"GET /ready") if span not in sent} == set()


def test_without_it_nothing_is_told_and_what_is_not_well_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZS_DISK_FLOOR_MB", "100000000")
    monkeypatch.setenv("ZS_LOG", "json")
    with running(folder) as city:
        keeper = token(folder, "steward", "keeper")
        assert (ask(city, "/metrics", keeper).status_code, ask(city, "/metrics", keeper).json()["code"]) == (404, "metrics.off")
        answer = ask(city, "/ready")
        assert (answer.status_code, answer.json()) == (503, {"ready": False, "wrong": ["disk_free_mb"]})
        (wrong,) = [one for one in ask(city, "/api/running", keeper).json()["items"] if not one["well"]]
        assert wrong["name"] == "disk_free_mb" and wrong["remedy_zh"] and wrong["remedy_en"] and wrong["least"]


def test_a_round_that_fails_is_told_and_stands_in_the_log_as_an_object(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZS_LOG", "json")
    (folder / "up.log").unlink(missing_ok=True)
    with running(folder) as city:
        catalogue = folder / "lake" / "readings"
        catalogue.rename(folder / "lake" / "gone")
        catalogue.write_text("no folder")
        keeper, key = token(folder, "steward", "looks"), token(folder, f"source_writer:{SOURCE}", "sends")
        now = int(time.time() * 1000)
        city.send(SOURCE, "one", [{"entity": GAUGE, "property": DEPTH, "time": now, "value": 3}], key)
        until = time.monotonic() + 20
        while (told := ask(city, "/api/running", keeper).json())["failing"] != ["commit"]:
            assert time.monotonic() < until, told
            time.sleep(0.3)
        assert ask(city, "/ready").json() == {"ready": False, "wrong": ["rounds_failing"]}
        catalogue.unlink()
        (folder / "lake" / "gone").rename(catalogue)
        while ask(city, "/ready").status_code != 200:
            assert time.monotonic() < until + 20
            time.sleep(0.3)
    events = [json.loads(line) for line in (folder / "up.log").read_text().splitlines() if line.startswith("{")]
    (failed, *_) = [one for one in events if one["event"] == "keeper.failed commit"]
    assert (failed["level"], failed["logger"]) == ("error", "zhongshu.app.owner") and "Traceback" in failed["trace"] and failed["at"].endswith("Z")


def test_a_clock_that_is_set_back_is_told_and_costs_nothing(folder: Path) -> None:
    with running(folder, CLOCK) as city:
        key, clerk, area = token(folder, f"source_writer:{SOURCE}", "hands"), token(folder, "duty_officer", "clerk"), ""
        area = next(one["code"] for one in ask(city, "/api/areas?level=street", clerk).json()["items"])
        sent: list[int] = []

        def send(behind: int) -> None:
            sent.append(int(time.time() * 1000) - behind * 1000 - len(sent))
            assert city.send(SOURCE, f"b{len(sent)}", [{"entity": GAUGE, "property": DEPTH, "time": sent[-1], "value": 1 + len(sent)}], key)["accepted"] == 1

        def step() -> int:
            body = {"class": "drainage.ponding", "title_zh": "测试", "area": area}
            made = httpx.post(f"{city.url}/api/cases", json=body, headers={"Authorization": f"Bearer {clerk}"}, timeout=20, trust_env=False).raise_for_status().json()
            done = httpx.post(
                f"{city.url}/api/cases/{made['id']}/void",
                json={"reason": "误报", "version": made["version"]},
                headers={"Authorization": f"Bearer {clerk}"},
                timeout=20,
                trust_env=False,
            )
            return done.status_code

        def until_ready(wrong: list[str]) -> None:
            until = time.monotonic() + 30
            while (told := ask(city, "/ready").json())["wrong"] != wrong:
                assert time.monotonic() < until, told
                time.sleep(0.2)

        send(0)
        assert step() == 200
        until_ready([])
        city.process.send_signal(signal.SIGUSR1)
        until_ready(["clock_back_s"])
        for behind in (BACK, BACK + 5, BACK + 1):
            send(behind)
            assert step() == 200
        city.process.send_signal(signal.SIGUSR1)
        until_ready([])
        send(0)
        assert step() == 200
    assert "whole" in command("verify", "--data", folder)
    with opened(folder) as parts:
        rows = parts.lake.query(f"SELECT valid // 1000 AS ms, known, \"offset\" AS at FROM versions WHERE property = '{DEPTH}' ORDER BY 3").to_pylist()
        mine = [row for row in rows if row["ms"] in sent]
        assert [row["ms"] for row in mine] == sent, "each once, in the order in which they were taken"
        assert [row["known"] for row in rows] == sorted(row["known"] for row in rows), "what is known later is never known before"
