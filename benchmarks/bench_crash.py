"""Killed under load, again and again: what was acknowledged is there afterwards, once, and the ledger is whole."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

import crowd
import pyarrow as pa
from load import ask
from table import Server, Table, head, serve

from zhongshu.app import open_city
from zhongshu.app.commands import verify
from zhongshu.settings import read

KILLS = int(os.environ.get("BENCH_KILLS", "5"))
Acked = list[tuple[str, int]]


async def sender(server: Server, token: str, streams: range, acked: Acked) -> None:
    """Send until the line breaks; note what was acknowledged."""
    prop, _, low, _ = crowd.KINDS[0]
    tail = f"POST /api/sources/bench/readings HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\nauthorization: Bearer {token}\r\n"
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        while True:
            now = time.time_ns() // 1_000_000
            rows = [(f"urn:zs:{prop.partition('.')[0]}:B{i * len(crowd.KINDS)}", now) for i in streams]
            body = "\n".join(json.dumps({"entity": entity, "property": prop, "time": at, "value": low}) for entity, at in rows)
            status, _ = await ask(reader, writer, tail, body.encode())
            if status == 202:
                acked += [(entity, at * 1000) for entity, at in rows]


def trial(city: Path, acked: Acked, after: float) -> None:
    """Run the city under load and kill it."""
    with serve(city, ZS_COMMIT_S="0.5", ZS_MERGE_FILES="4") as server:
        token = server.source("bench")
        threading.Timer(after, lambda: os.kill(server.pid, signal.SIGKILL)).start()

        async def all_() -> None:
            await asyncio.gather(*(sender(server, token, range(c * 50, c * 50 + 50), acked) for c in range(8)))

        asyncio.run(all_())


def main() -> None:
    """Kill, reconcile, print."""
    head()
    table, folder, acked = Table(), Path(tempfile.mkdtemp(prefix="bench-")), Acked()
    try:
        city = folder / "city"
        crowd.crowd(city, 20_000)
        pick = random.Random(4)
        for _ in range(KILLS):
            trial(city, acked, pick.uniform(0.5, 3.0))
        parts = open_city(read({"data": city}))
        asked = pa.table({"entity": [a[0] for a in acked], "valid": pa.array([a[1] for a in acked], pa.int64())})
        kept = "SELECT entity, valid FROM readings WHERE source = 'bench'"
        count = "SELECT count(*) AS n FROM"
        lost = parts.lake.query(f"{count} (SELECT * FROM asked EXCEPT {kept})", tables={"asked": asked})["n"][0].as_py()
        twice = parts.lake.query(f"SELECT count(*) - count(DISTINCT (entity, valid)) AS n FROM ({kept})")["n"][0].as_py()
        wrong = verify(parts, lambda *_: None)
        parts.close()
        table.add(
            f"killed {KILLS} times under load, commits and merges under way",
            f"{len(acked):,} readings acknowledged: {lost} lost, {twice} twice; {len(wrong)} faults found by verify",
            "promise 0, 0, 0",
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
