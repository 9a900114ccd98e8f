"""Cases: a step persisted with its ledger line, in the engine and through HTTP and guard."""

import asyncio
import json
import shutil
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa
from load import ask
from table import SECONDS, Table, cpu_of, head, rest, serve

from zhongshu.act import Given, NewCase, do, open_case
from zhongshu.app import open_city
from zhongshu.kernel.area import show_area
from zhongshu.kernel.grade import Principal
from zhongshu.settings import read
from zhongshu.survey import make

COUNT = 1500


def engine(city: Path, table: Table) -> None:
    """Open and dispatch cases as fast as the desk takes them, beside plain inserts into the same kind of store."""
    parts = open_city(read({"data": city}))
    area = next(a.code for a in parts.areas if a.code % 10**6 and a.population)
    actor = Principal("bench", "bench", (("duty_officer", parts.about.code),), "internal")
    new = NewCase("confirm", "drainage.ponding", "测试", "Bench", area, "bench")

    def all_of(count: int) -> float:
        begun = time.monotonic()
        for future in [parts.office.submit(actor, lambda deed: do(deed, open_case(deed, new)["id"], "dispatch", Given(unit="dept-drainage"))) for _ in range(count)]:
            future.result()
        return time.monotonic() - begun

    first = all_of(1)  # lays the calendars out
    ours = 2 * COUNT / all_of(COUNT)
    parts.close()
    store = sa.create_engine(f"sqlite:///{city / 'peer.sqlite'}")
    begun = time.monotonic()
    with store.connect() as conn:
        conn.exec_driver_sql("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
        for i in range(COUNT):
            conn.exec_driver_sql("INSERT INTO t (b) VALUES (?)", (f"row {i}",))
        conn.commit()
    table.add(
        "case step with its ledger line, in the engine",
        f"{ours:,.0f}/s",
        f"plain insert {COUNT / (time.monotonic() - begun):,.0f}/s (promise 1,500/s); the first after a start {first * 1e3:.0f} ms",
    )


def through_http(city: Path, table: Table) -> None:
    """Open and dispatch cases over 16 connections."""
    parts = open_city(read({"data": city}))
    area = show_area(next(a.code for a in parts.areas if a.code % 10**6 and a.population))
    parts.close()
    with serve(city) as server:
        token, reporter = server.token("duty_officer", "bench-duty"), server.token("duty_officer", "bench-reporter")  # nobody files what they alone reported

        async def one(until: float) -> int:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            plain = f" HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\ncontent-type: application/json\r\nauthorization: Bearer "
            tail, told = f"{plain}{token}\r\n", f"{plain}{reporter}\r\n"
            new, done = json.dumps({"class": "drainage.ponding", "title_zh": "测试", "area": area}).encode(), 0
            while time.monotonic() < until:
                status, body = await ask(reader, writer, "POST /api/cases" + told, new)
                if status >= 300:
                    raise RuntimeError(body.decode())
                case = json.loads(body)
                for verb in ("verify", "file", "dispatch"):
                    given = {"version": case["version"], "unit": "dept-drainage"} if verb == "dispatch" else {"version": case["version"]}
                    status, body = await ask(reader, writer, f"POST /api/cases/{case['id']}/{verb}" + tail, json.dumps(given).encode())
                    if status >= 300:
                        raise RuntimeError(body.decode())
                    case, done = json.loads(body), done + 1
                done += 1
            writer.close()
            return done

        async def all_() -> int:
            until = time.monotonic() + SECONDS
            return sum(await asyncio.gather(*(one(until) for _ in range(16))))

        rest(server.pid)
        begun, cpu = time.monotonic(), cpu_of(server.pid)
        steps = asyncio.run(all_())
        used = (cpu_of(server.pid) - cpu) / steps * 1e3
        table.add("case step through HTTP and guard, 16 connections", f"{steps / (time.monotonic() - begun):,.0f}/s, {used:.1f} CPU ms a step", "promise 500/s")


def main() -> None:
    """Run everything and print the table."""
    head()
    table, folder = Table(), Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        make(folder / "city", 100_000, 7)
        shutil.copytree(folder / "city", folder / "second")
        engine(folder / "city", table)
        through_http(folder / "second", table)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
