"""The desk with a million cases: what a list costs, and two hundred people who work it at once over loopback."""

import asyncio
import json
import os
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import numpy as np
from load import ask
from sqlalchemy import Text
from table import Server, Table, head, serve

from zhongshu.act import CaseFilter, record
from zhongshu.act import classes as classes_of
from zhongshu.act.tables import case_file
from zhongshu.app import open_city
from zhongshu.engines.sqlite_desk import SqliteDesk
from zhongshu.govern import Grant, Party
from zhongshu.kernel.area import Level, show_area
from zhongshu.kernel.clock import DAY, HOUR, LiveClock
from zhongshu.kernel.grade import EVERYWHERE, Scope
from zhongshu.settings import read
from zhongshu.survey import make

CASES = int(os.environ.get("BENCH_CASES", "1000000"))
PEOPLE = int(os.environ.get("BENCH_PEOPLE", "200"))
THINK_S = float(os.environ.get("BENCH_THINK_S", "5"))
"""How long a person looks at the page before the next act, about."""
WORK_S = min(60.0, float(os.environ.get("BENCH_WORK_S", "45")))
OPEN = (("collect", ""), ("file", ""), ("dispatch", ""), ("handle", ""), ("handle", "taken"), ("feedback", ""), ("check", ""))
Row = dict[str, Any]


def cases(count: int, areas: list[int], classes: list[tuple[str, str]], now: int) -> Iterator[Row]:
    """Make cases of three years, the newest last: two in a hundred stand open, one in a hundred is void, one in ten was late. The same on every run."""
    dice, span = random.Random(7), 1095 * DAY
    blank = {column.name: "" if isinstance(column.type, Text) else 0 for column in case_file.c if not column.nullable}
    plain = {"title_zh": "测试案件", "title_en": "A case", "source": "request", "level": "unset", "due_mode": "wall", "check_mode": "person", "sample": 100, "flags": "[]"}
    none = {"asked": "{}", "helpers": "[]", "danger": 0, "version": 7, "evidence_at": "handle feedback"}
    for i in range(count):
        (class_, unit), area, opened = classes[dice.randrange(len(classes))], areas[dice.randrange(len(areas))], now - span + i * span // count
        due, draw = opened + dice.randrange(1, 72) * HOUR, dice.random()
        stands = draw < 0.02 if i < count * 0.99 else draw < 0.5
        step, mark = OPEN[dice.randrange(len(OPEN))] if stands else ("void", "") if draw > 0.99 else ("closed", "")
        closed = None if stands else min(now, due + dice.randrange(-60, 7) * HOUR if dice.random() < 0.9 else due + HOUR)
        yield (
            blank
            | plain
            | none
            | {
                "id": f"{opened:016x}-{i:08d}",
                "number": f"990101-{i:09d}",
                "class": class_,
                "class_zh": class_,
                "class_en": class_,
                "address": f"测试路 {i % 900} 号",
                "area": area,
                "lon": 116.0 + i % 1000 / 1e4,
                "lat": 39.0 + i % 777 / 1e4,
                "step": step,
                "mark": mark,
                "unit": unit if step in {"handle", "feedback", "check", "closed"} else "",
                "holder": unit if step in {"handle", "feedback"} else step,
                "holder_zh": unit,
                "holder_en": unit,
                "held_since": opened,
                "opened": opened,
                "changed": closed or opened,
                "due": due,
                "due_counted": int(not stands or due < now),
                "closed": closed,
                "late": int(step == "closed" and closed is not None and closed > due),
                "held_told": 2,
            }
        )


def fill(city: Path, count: int) -> tuple[list[int], list[str], float]:
    """Write the cases straight into the desk's tables; return the streets, the classes, and how many seconds it took."""
    parts = open_city(read({"data": city}))
    streets = sorted(a.code for a in parts.areas.at(Level.STREET) if a.population)
    fine = sorted(a.code for a in parts.areas if a.code % 10**6 and a.population)
    held = parts.office.read(lambda conn: classes_of(conn, parts.clock.now()))
    parts.close()
    classes = [(row["class"], row["unit"]) for row in held]
    begun = time.monotonic()
    with sqlite3.connect(city / "desk.sqlite", isolation_level=None) as store:
        store.execute("PRAGMA cache_size=-400000")
        store.execute("BEGIN IMMEDIATE")
        rows = cases(count, fine, classes, LiveClock().now())
        first = next(rows)
        columns = ", ".join(f'"{name}"' for name in first)
        statement = f"INSERT INTO case_file ({columns}) VALUES ({', '.join(f':{name}' for name in first)})"
        store.execute(statement, first)
        store.executemany(statement, rows)
        store.execute("COMMIT")
    store.close()
    return streets, [name for name, _ in classes], time.monotonic() - begun


def times(ask_: Any, many: list[Any]) -> tuple[float, float, Any]:
    """Ask everything once; return the median and the 95th of a hundred in ms, and which was the slowest."""
    took = []
    for each in many:
        begun = time.perf_counter()
        ask_(each)
        took.append((time.perf_counter() - begun) * 1e3)
    return float(np.percentile(took, 50)), float(np.percentile(took, 95)), many[int(np.argmax(took))]


def wanted(streets: list[int], classes: list[str], count: int) -> list[CaseFilter]:
    """Make filters as people set them: an area of either level, a class, a state, in all their mixtures; the same on every run."""
    dice = random.Random(11)
    districts = sorted({street // 10**9 * 10**9 for street in streets})
    out = []
    for i in range(count):
        area = (None, dice.choice(districts), dice.choice(streets))[i % 3]
        out.append(
            CaseFilter(
                state=("all", "open", "closed", "late", "void")[dice.randrange(5)],
                area=area,
                class_=dice.choice(classes) if dice.random() < 0.6 else "",
                order="due" if dice.random() < 0.3 else "opened",
                limit=50,
            )
        )
    return out


def in_the_engine(city: Path, table: Table, filters: list[CaseFilter]) -> None:
    """Ask the record itself."""
    desk, now = SqliteDesk(city / "desk.sqlite"), LiveClock().now()
    p50, p95, slow = times(lambda f: desk.read(lambda conn: record.list_cases(conn, Scope(EVERYWHERE), f, now)), filters)
    table.add(
        f"list of {CASES:,} cases by area, class, state, in the engine",
        f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, slowest {slow.state} {slow.class_} {slow.area} {slow.order}",
        "promise p95 < 150 ms",
    )
    zone = ZoneInfo("Asia/Shanghai")
    p50, p95, _ = times(lambda _: desk.read(lambda conn: record.counts(conn, Scope(EVERYWHERE), now, zone)), list(range(20)))
    table.add("the four counts beside a list, in the engine", f"p50 {p50:.0f} ms, p95 {p95:.0f} ms", "")
    desk.close()


def over_http(server: Server, token: str, table: Table, filters: list[CaseFilter]) -> None:
    """Ask for lists as the page does, one after the other."""
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=60) as http:

        def one(f: CaseFilter) -> None:
            asked = {"state": f.state, "class": f.class_, "order": f.order, "limit": f.limit} | ({"area": show_area(f.area)} if f.area else {})
            http.get("/api/cases", params=asked).raise_for_status()

        one(filters[0])
        p50, p95, _ = times(one, filters)
    table.add(f"GET /api/cases?area=&class=&state= with counts, {CASES:,} cases", f"p50 {p50:.0f} ms, p95 {p95:.0f} ms", "promise p95 < 150 ms")


async def person(port: int, token: str, colleague: str, area: str, until: float, told: dict[str, list[float]]) -> int:
    """Work the desk as one person: look at the list, file a case that a colleague reports, send it out; every step that was acknowledged is counted."""
    plain = f" HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\nauthorization: Bearer "
    steps, dice = 0, random.Random(token)

    async def send(line: str, body: bytes, what: str, who: str = token) -> Row:
        await asyncio.sleep(dice.random() * 2 * THINK_S)
        begun = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)  # one left alone for as long as a person thinks is closed by the server
        status, answer = await ask(reader, writer, f"{line}{plain}{who}\r\n", body)
        writer.close()
        told[what].append((time.perf_counter() - begun) * 1e3)
        if status >= 300:
            raise RuntimeError(answer.decode())
        document: Row = json.loads(answer)
        return document

    while time.monotonic() < until:
        await send(f"GET /api/cases?state=open&area={area}&limit=50", b"", "list")
        case = await send("POST /api/cases", json.dumps({"class": "drainage.ponding", "title_zh": "压测案件", "area": area}).encode(), "step", colleague)
        steps += 1
        for verb in ("verify", "file", "dispatch"):
            given = {"version": case["version"]} | ({"unit": "dept-drainage"} if verb == "dispatch" else {})
            case = await send(f"POST /api/cases/{case['id']}/{verb}", json.dumps(given).encode(), "step")
            steps += 1
        await send(f"GET /api/cases/{case['id']}", b"", "case")
    return steps


def at_once(server: Server, tokens: list[str], streets: list[int], table: Table) -> int:
    """Let many work at once; return how many steps were acknowledged."""
    told: dict[str, list[float]] = {"list": [], "step": [], "case": []}

    async def all_() -> int:
        until = time.monotonic() + WORK_S
        return sum(await asyncio.gather(*(person(server.port, token, tokens[i - 1], show_area(streets[i % len(streets)]), until, told) for i, token in enumerate(tokens))))

    begun = time.monotonic()
    steps = asyncio.run(all_())
    took = time.monotonic() - begun
    said = ", ".join(f"{what} p50 {np.percentile(ms, 50):.0f} p95 {np.percentile(ms, 95):.0f} ms" for what, ms in told.items() if ms)
    table.add(f"{len(tokens)} people at the desk at once, an act every {THINK_S:g} s each, {took:.0f} s", f"{steps / took:,.0f} steps/s; {said}", "promise no lost step")
    return steps


def lines(city: Path) -> int:
    """Count the history's lines of these people: the sandbox's own work beside them."""
    with sqlite3.connect(city / "desk.sqlite") as store:
        return int(store.execute("SELECT count(*) FROM case_step WHERE kind = 'case' AND actor_name LIKE '压测员 %'").fetchone()[0])


def staff(city: Path, count: int) -> list[str]:
    """Make so many duty officers, each a person of their own; return their tokens."""
    parts = open_city(read({"data": city}))
    identity, where = parts.identity, parts.about.code
    made = [identity.add_party(Party(f"bench-{i:03d}", f"压测员 {i}", f"Officer {i}", (Grant("duty_officer", where),), kind="service"), actor="bench") for i in range(count)]
    tokens = [identity.issue_token(id_, "bench", actor="bench")[1] for id_ in made]
    parts.close()
    return tokens


def main() -> None:
    """Run everything and print the table."""
    head()
    table, folder = Table(), Path(tempfile.mkdtemp(prefix="bench-"))
    city = folder / "city"
    try:
        make(city, 100_000, 7)
        streets, classes, took = fill(city, CASES)
        table.add("cases written", f"{CASES:,} in {took:.0f} s", f"{len(streets)} streets, {len(classes)} classes")
        filters = wanted(streets, classes, 240)
        in_the_engine(city, table, filters)
        tokens = staff(city, PEOPLE)
        before = lines(city)
        with serve(city, ZS_COMMIT_S="5") as server:
            over_http(server, tokens[0], table, filters)
            steps = at_once(server, tokens, streets, table)
        table.add("steps acknowledged and not in the history", f"{steps - (lines(city) - before)} of {steps:,}", "promise none")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
