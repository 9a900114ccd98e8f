"""Intake over HTTP beside the bare endpoint, stage by stage, and the way from a reading to a level on an open screen."""

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

import crowd
import httpx
import numpy as np
import stages
from load import ask
from table import HERE, SECONDS, Server, Table, cpu_of, free_port, head, load, process, rss, serve, wait

URL = "/api/sources/bench/readings"


def bare(city: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Measure the ceiling."""
    port = free_port()
    with process(str(HERE / "bare.py"), str(port), str(city / "bare.log")):
        wait(f"http://127.0.0.1:{port}/")
        return load(port, "/", "-", 100, 32, min(SECONDS, 10)), load(port, "/", "-", 1, 128, min(SECONDS, 10))


def intake(city: Path, table: Table) -> None:
    """Measure how many readings a second are taken in, judged and durable."""
    ceiling, ceiling_one = bare(city)
    with serve(city, ZS_COMMIT_S="5") as server:
        table.add("cold start to first values", f"{server.cold:.1f} s", "promise < 15 s")
        token = server.source("bench")
        cpu = cpu_of(server.pid)
        ours = load(server.port, URL, token, 100, 32)
        used = (cpu_of(server.pid) - cpu) / (ours["readings_s"] * SECONDS + crowd.STREAMS) * 1e6
        table.add(
            "intake NDJSON ×100, durable, rules on",
            f"{ours['readings_s']:,.0f}/s, p50 {ours['p50_ms']:.0f} p99 {ours['p99_ms']:.0f} ms, {used:.1f} CPU µs/reading",
            f"bare {ceiling['readings_s']:,.0f}/s → {ours['readings_s'] / ceiling['readings_s']:.0%} (promise 30 %, 200,000/s)",
        )
        one = load(server.port, URL, token, 1, 128)
        table.add(
            "single readings, 128 connections",
            f"{one['readings_s']:,.0f}/s, p50 {one['p50_ms']:.0f} p99 {one['p99_ms']:.0f} ms",
            f"bare {ceiling_one['readings_s']:,.0f}/s → {one['readings_s'] / ceiling_one['readings_s']:.0%} (promise 5,000/s)",
        )
        table.add("owner's memory after that", f"{rss(server.pid):,.0f} MB")


def screen(server: Server, token: str, seconds: float) -> tuple[list[float], list[float]]:
    """Flip one sign again and again and return after how many seconds an open screen heard of its level, and the desk of the lead that it opens."""
    heard: dict[str, float] = {}
    leads: list[float] = []
    ready, over = threading.Event(), threading.Event()

    def listen() -> None:
        with (
            contextlib.suppress(httpx.HTTPError),
            httpx.stream(
                "GET",
                f"http://127.0.0.1:{server.port}/api/live?topics=vital,lead&indicators=BNPROBE,DR01,DR02,TR01,EN01",
                headers={"authorization": f"Bearer {server.token('duty_officer', 'screen')}"},
                timeout=60,
                trust_env=False,
            ) as stream,
        ):
            ready.set()
            for line in stream.iter_lines():
                if over.is_set():
                    return
                if line.startswith("data:") and '"BNPROBE"' in line and '"opened"' in line and "lead" not in heard:
                    heard["lead"] = time.monotonic()
                if line.startswith("data:") and '"BNPROBE"' in line:
                    for item in json.loads(line[5:]).get("items", ()):
                        if item["indicator"] == "BNPROBE" and item["area"].endswith("0" * 11):
                            heard[item["level"]] = time.monotonic()

    async def flip() -> list[float]:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head_ = f"POST {URL} HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\nauthorization: Bearer {token}\r\n"
        took, until, value = [], time.monotonic() + seconds, 0
        rng = np.random.default_rng(5)
        while time.monotonic() < until:
            value, wanted = 1 - value, "red" if not value else "green"
            for name in (wanted, "lead"):
                heard.pop(name, None)
            sent = time.monotonic()
            body = json.dumps({"entity": crowd.PROBE, "property": "WaterLevelSensor.heartbeat", "time": time.time_ns() // 1_000_000, "value": value})
            await ask(reader, writer, head_, body.encode())
            while not ({wanted, "lead"} if value else {wanted}) <= heard.keys() and time.monotonic() < sent + 20:  # noqa: ASYNC110 (a thread hears)
                await asyncio.sleep(0.002)
            took.append(heard.get(wanted, sent + 20) - sent)
            if value:
                leads.append(heard.get("lead", sent + 20) - sent)
            await asyncio.sleep(rng.uniform(0.05, 0.4))
        return took

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    ready.wait(20)
    try:
        return asyncio.run(flip()), leads
    finally:
        over.set()


def latency(city: Path, table: Table, signs: int, rate: float) -> None:
    """Measure reading → level on a screen under a steady load."""
    packs = crowd.pack(city.parent / f"signs-{signs}", signs)
    with serve(city, PYTHONPATH=os.pathsep.join([str(packs), os.environ.get("PYTHONPATH", "")]), ZS_COMMIT_S="5") as server:
        token = server.source("bench")
        seconds = max(SECONDS, 10)
        done: list[dict[str, float]] = []
        loader = threading.Thread(target=lambda: done.append(load(server.port, URL, token, 100, 32, seconds + 15, rate)), daemon=True)
        loader.start()
        time.sleep(10)
        cpu = cpu_of(server.pid)
        took, leads = screen(server, token, seconds)
        used = (cpu_of(server.pid) - cpu) / seconds
        loader.join()
        count = len(httpx.get(f"http://127.0.0.1:{server.port}/api/indicators", trust_env=False).json()["items"])
        p50, p99 = np.percentile(took, [50, 99]) * 1e3
        table.add(
            f"reading → level on an open screen, {count} signs, 100,000 streams",
            f"p50 {p50:.0f} p99 {p99:.0f} ms of {len(took)} at {done[0]['readings_s']:,.0f} readings/s; owner {used:.1f} cores, {rss(server.pid):,.0f} MB",
            "promise p50 < 400, p99 < 900 ms at 50,000/s, 500 signs",
        )
        p50, p99 = np.percentile(leads, [50, 99]) * 1e3
        table.add(f"reading → a finding's lead on the desk, {count} signs", f"p50 {p50:.0f} p99 {p99:.0f} ms of {len(leads)}", "promise p99 < 1,000 ms at 50,000/s")


def main() -> None:
    """Run everything and print the table."""
    head()
    table = Table()
    for name, value in stages.main().items():
        table.add(f"stage: {name}", f"{value:.2f} " + ("ms" if name.endswith("ms") else "CPU µs/reading"))
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        begun = time.monotonic()
        crowd.crowd(folder / "city")
        table.add("make a city of 300,000, and 100,000 more devices", f"{time.monotonic() - begun:.1f} s")
        shutil.copytree(folder / "city", folder / "second")
        shutil.copytree(folder / "city", folder / "third")
        intake(folder / "city", table)
        latency(folder / "second", table, 1, 50_000)
        latency(folder / "third", table, crowd.SIGNS - 26, 50_000)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
