"""Intake beside its peers on the same readings: the bare endpoint, the city over HTTP and over MQTT, the city on NATS and PostgreSQL with and without a process beside, and PostgreSQL's own COPY.

Every line is durable before it is acknowledged: fsync is on everywhere. Each is the median of three runs, with their least and most. COPY is given rows that are decoded already, and checks nothing.
"""

import contextlib
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import crash
import crowd
import httpx
import paho.mqtt.client as mqtt
import psycopg
from load import template
from table import HERE, SECONDS, Server, Spread, Table, free_port, head, load, process, runs, serve, wait

sys.path.append(str(HERE.parent / "tests" / "support"))

import nats_server
import postgres

URL = "/api/sources/bench/readings"
SENDERS, SIZE = 32, 100


def over_http(port: int, token: str) -> Spread:
    """Return the readings a second that are acknowledged over HTTP."""
    return runs(lambda: float(load(port, URL, token, SIZE, SENDERS)["readings_s"]))


def bare(city: Path) -> Spread:
    """Return what the bare endpoint takes: decode and group commit to a plain file."""
    port = free_port()
    with process(str(HERE / "bare.py"), str(port), str(city / "bare.log")):
        wait(f"http://127.0.0.1:{port}/")
        return runs(lambda: float(load(port, "/", "-", SIZE, SENDERS)["readings_s"]))


def over_mqtt(city: Path) -> Spread | None:
    """Return the readings a second that the city takes from a broker which has more than it can take."""
    with crash.broker(city.parent) as port:
        if not port:
            return None
        with serve(city, ZS_MQTT=f"mqtt://127.0.0.1:{port}", ZS_COMMIT_S="5") as server:
            server.source("bench")
            stop = threading.Event()
            senders = [threading.Thread(target=_publish, args=(port, nth, stop)) for nth in range(4)]
            for sender in senders:
                sender.start()
            time.sleep(2)
            rate = runs(lambda: _rate(server))
            stop.set()
            for sender in senders:
                sender.join()
            return rate


def _rate(server: Server) -> float:
    """Return how many readings a second the source brings for a while."""
    begun, before = time.monotonic(), taken(server)
    time.sleep(SECONDS)
    return (taken(server) - before) / (time.monotonic() - begun)


def _publish(port: int, nth: int, stop: threading.Event) -> None:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"bench-{nth}")
    client.max_inflight_messages_set(40)
    client.connect("127.0.0.1", port)
    client.loop_start()
    share = crowd.STREAMS // 4
    bodies = [template(range(nth * share + k, nth * share + k + SIZE)) for k in range(0, share - SIZE, SIZE)]
    last, waiting = 0, list[mqtt.MQTTMessageInfo]()
    while not stop.is_set():
        for body in bodies:
            last = max(last + 1, time.time_ns() // 1_000_000)
            waiting.append(client.publish("zhongshu/bench", body.replace("@", str(last)).encode(), qos=1))
            if len(waiting) >= 40:
                waiting.pop(0).wait_for_publish(10)
            if stop.is_set():
                break
    client.disconnect()
    client.loop_stop()


def taken(server: Server) -> int:
    """Return how many readings the source has brought so far."""
    told = httpx.get(f"http://127.0.0.1:{server.port}/health", trust_env=False, timeout=10).json()["readings"]["by_source"]
    return int(told.get("bench", {}).get("accepted", 0))


def copied(url: str) -> Spread:
    """Return the readings a second that COPY takes on as many connections, a hundred rows to a commit, into a table of the warehouse's columns."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE TABLE reading (source text, entity text, property text, area bigint, valid bigint, known bigint, ticks bigint, flags int, raw float8, raw_unit text)"
        )
    return runs(lambda: _copied(url))


def _copied(url: str) -> float:
    counts, stop = [0] * SENDERS, threading.Event()

    def send(nth: int) -> None:
        with psycopg.connect(url) as connection:
            while not stop.is_set():
                now = time.time_ns() // 1000
                with connection.cursor() as cursor, cursor.copy("COPY reading FROM STDIN") as copy:
                    copy.write("".join(f"bench\turn:zs:A:{nth}-{i}\tA.x\t990101001001001\t{now + i}\t{now}\t{i}\t0\t{i / 10}\tm\n" for i in range(SIZE)))
                connection.commit()
                counts[nth] += SIZE

    threads = [threading.Thread(target=send, args=(nth,)) for nth in range(SENDERS)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    time.sleep(SECONDS)
    stop.set()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - begun)


@contextlib.contextmanager
def beside(city: Path) -> Iterator[int]:
    """Run a process beside a city's owner and give its port."""
    port = free_port()
    with process("-m", "zhongshu.cli", "up", "--role", "beside", "--data", str(city), "--port", str(port)):
        wait(f"http://127.0.0.1:{port}/api/vitals")
        yield port


def on_cluster(city: Path, table: Table, ceiling: float) -> None:
    """Measure the same city on NATS and PostgreSQL: at the owner, and through one process beside it."""
    with crash.cluster(city), serve(city, ZS_COMMIT_S="5") as server:
        token = server.source("bench")
        rate = over_http(server.port, token)
        table.add("the city on NATS and PostgreSQL, at the owner", f"{rate:,.0f}/s", f"{rate / ceiling:.0%} of bare")
        with beside(city) as port:
            rate = over_http(port, token)
            table.add("  through a process beside it", f"{rate:,.0f}/s", f"{rate / ceiling:.0%} of bare")


def main() -> None:
    """Measure all and print the table."""
    head()
    table, folder = Table(), Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        crowd.crowd(folder / "city")
        for name in ("second", "third"):
            shutil.copytree(folder / "city", folder / name)
        ceiling = bare(folder / "city")
        table.add(
            f"bare endpoint, NDJSON ×{SIZE}, {SENDERS} connections, {os.cpu_count()} cores with the senders on them", f"{ceiling:,.0f}/s", "decode and group commit to a plain file"
        )
        with serve(folder / "city", ZS_COMMIT_S="5") as server:
            rate = over_http(server.port, server.source("bench"))
            table.add("the city over HTTP", f"{rate:,.0f}/s", f"{rate / ceiling:.0%} of bare")
        rate = over_mqtt(folder / "second")
        table.add("the city over MQTT", f"{rate:,.0f}/s" if rate else "no mosquitto here", f"{rate / ceiling:.0%} of bare" if rate else "")
        if (url := postgres.server()) is not None:
            peer = copied(postgres.new_database(url))
            table.add(f"PostgreSQL COPY, {SIZE} decoded rows to a commit", f"{peer:,.0f}/s", f"{peer / ceiling:.0%} of bare")
            if nats_server.program() is not None:
                on_cluster(folder / "third", table, ceiling)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
