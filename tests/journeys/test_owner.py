"""A city run by its own process: commands go through it; it is killed under load, and everything acknowledged is there, once; what was tampered with is named."""

import contextlib
import itertools
import json
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

import zhongshu.packs
from zhongshu import app, cli
from zhongshu.kernel.area import Level, show_area
from zhongshu.kernel.clock import SECOND, rfc3339
from zhongshu.kernel.problem import Problem, kinds
from zhongshu.survey import Areas, City, make

from .city import Running, by_itself, command, ingest, opened, running, settings, token

pytestmark = pytest.mark.journey
SAMPLE = Path(zhongshu.packs.__file__).parent / "hotline" / "sample" / "baltimore311.csv"
SOURCE = "sandbox.devices"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "DATA"
    make(folder, 20000, 7, lambda _: None)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "DATA"))


@pytest.fixture
def city(folder: Path) -> Iterator[Running]:
    with running(folder) as held:
        yield held


def everything(folder: Path) -> dict[str, Any]:
    with opened(folder) as parts:
        count = parts.desk.read(lambda conn: {t: conn.exec_driver_sql(f"SELECT count(*) FROM {t}").scalar() for t in ("request", "case_file", "case_step", "finding", "duty_row")})
        rows = parts.lake.query("SELECT source, property, count(*) AS n, sum(ticks) AS total, sum(valid) AS times FROM readings GROUP BY ALL ORDER BY ALL").to_pylist()
        return {"desk": count, "readings": [r for r in rows if r["source"] != "desk"], "accepted": {k: v["accepted"] for k, v in parts.journal.counts().items() if k != "desk"}}


def settled(folder: Path, requests: int) -> None:
    """Wait until the desk has taken every request, and its history has been quiet for three seconds."""
    with contextlib.closing(sqlite3.connect(f"file:{folder / 'desk.sqlite'}?mode=ro", uri=True)) as conn:
        quiet, last, until = 0, (-1, -1), time.monotonic() + 120
        while quiet < 6 and time.monotonic() < until:
            time.sleep(0.5)
            now = conn.execute("SELECT (SELECT count(*) FROM request), (SELECT count(*) FROM case_step)").fetchone()
            quiet, last = quiet + 1 if now == last and now[0] >= requests else 0, now
    assert last[0] >= requests


def test_commands_go_through_the_process_that_runs_the_city(city: Running, folder: Path, tmp_path: Path) -> None:
    counts = ingest(folder, SAMPLE, "hotline.baltimore311")
    assert counts["accepted"] > 0
    assert "accepted 0" in command("ingest", SAMPLE, "--source", "hotline.baltimore311", "--data", folder)
    key = token(folder, f"source_writer:{SOURCE}", "gauges")
    depth = "urn:zs:WaterLevelSensor:YT-0001"
    receipt = city.send(SOURCE, "b1", [{"entity": depth, "property": "WaterLevelSensor.depth", "time": rfc3339(time.time_ns() // 1000), "value": 12.5}], key)
    assert (receipt["accepted"], receipt["quarantined"]) == (1, 0)
    soon = rfc3339(time.time_ns() // 1000 + SECOND)
    assert '"value": 12.5' in command("recompute", "DR02", "--data", folder, "--level", "city", "--at", soon)
    every = [json.loads(line) for line in command("recompute", "--data", folder, "--level", "street", "--at", soon).splitlines()]
    one = [json.loads(line) for line in command("recompute", "DR02", "--data", folder, "--level", "street", "--at", soon).splitlines()]
    assert [row for row in every if row["indicator"] == "DR02"] == one
    assert len({row["indicator"] for row in every}) > 10
    table = tmp_path / "limits.csv"
    table.write_text("class,step,amount,mode,source,valid_from\ndrainage.ponding,case,3h,wall,办法,2026-01-01\n")
    assert "not applied" in command("tables", "import", table, "--as", "limits", "--data", folder)
    assert "+1 ~0 -0 =0 · 已装入" in command("tables", "import", table, "--as", "limits", "--data", folder, "--yes")
    assert "nothing changes" in command("tables", "import", table, "--as", "limits", "--data", folder, "--yes")
    assert "whole" in command("verify", "--data", folder)
    settled(folder, counts["accepted"])
    archive = tmp_path / "city.tar"
    assert "bytes" in command("backup", archive, "--data", folder)
    with pytest.raises(Problem, match="being run") as caught:
        app.Owner(settings(folder))
    assert caught.value.kind.code == "city.owned"
    city.stop()
    assert "Traceback" not in (folder / "up.log").read_text()
    again = tmp_path / "again"
    command("restore", archive, "--data", again)
    assert "whole" in command("verify", "--data", again)
    assert everything(again) == everything(folder)
    command("restore", archive, "--data", again, code=2)
    wiring = command("explain", "--data", again)
    assert "DR02 易涝点积水深度 [cm] 1,080 cells · 25,920 bytes" in wiring
    assert "refused" not in wiring


def test_a_token_s_name_is_any_short_text_also_while_the_city_runs(city: Running, folder: Path) -> None:
    """The letter of the promise: `zhongshu token --role admin --name X --data DIR` prints a bearer token as its last word."""
    assert CliRunner().invoke(cli.app, ["user", "add", "handler", "--role", "admin", "--data", str(folder)], input="a long password\n").exit_code == 0
    accounts = set()
    for name in ("X", "x", "河道水位网关", "River gauges, north!", "owner", "handler", "x" * 100):
        for _ in range(2):
            key = command("token", "--role", "admin", "--name", name, "--data", folder).split()[-1]
        who = city.get("/api/session", key)["principal"]
        assert (who["name_zh"], [r["role"] for r in who["roles"]]) == (name, ["admin"])
        accounts.add(who["account"])
    assert len(accounts) == 7 and not accounts & {"owner", "handler"}
    other = CliRunner().invoke(cli.app, ["token", "--role", "steward", "--name", "X", "--data", str(folder)])
    assert other.exit_code == 2 and "identity.other_roles" in other.stderr
    assert [r["role"] for r in city.get("/api/session", key)["principal"]["roles"]] == ["admin"]


def test_a_command_s_problem_is_told_in_both_languages_also_while_the_city_runs(city: Running, folder: Path) -> None:
    """What the owner refuses is told like anything else: code, sentence, remedy, in zh and en, each once."""
    assert city.process.poll() is None
    for words in (("recompute", "XX99"), ("token", "--role", "king", "--name", "X"), ("ingest", SAMPLE, "--source", "no.such"), ("token", "--role", "admin", "--name", " ")):
        told = CliRunner().invoke(cli.app, [*map(str, words), "--data", str(folder)])
        said = told.stderr[told.stderr.index(next(code for code in kinds() if f"{code}\n" in told.stderr)) :].replace("\n", " ").split()
        kind = kinds()[said[0]]
        assert told.exit_code == 2 and kind.code != "owner.refused"
        text = "".join(said)
        for sentence in (kind.zh, kind.en, kind.remedy_zh, kind.remedy_en):
            assert text.count(sentence.split("{")[0].replace(" ", "")) == 1, (sentence, told.stderr)


def test_a_person_may_work_in_two_streets(city: Running, folder: Path) -> None:
    """An account is added with several areas, given more later, and its password never stands on the command line."""
    one, two, three = sorted(show_area(area.code) for area in Areas.load(folder).at(Level.STREET))[:3]
    add = ["user", "add", "crew", "--role", "handler", "--area", one, "--area", two, "--data", str(folder)]
    assert CliRunner().invoke(cli.app, add, input="a long password\n").exit_code == 0
    assert command("user", "grant", "crew", "--role", "handler", "--area", three, "--data", folder).split() == ["handler", one, "handler", two, "handler", three]
    command("user", "grant", "nobody", "--role", "handler", "--area", three, "--data", folder, code=2)
    with httpx.Client(base_url=city.url, trust_env=False, timeout=20, headers={"Origin": city.url}) as browser:
        who = browser.post("/api/session", json={"account": "crew", "password": "a long password"}).json()["principal"]
    assert sorted(r["area"] for r in who["roles"]) == sorted([one, two, three])


def test_the_wiring_is_told_while_the_city_runs(city: Running, folder: Path) -> None:
    """`explain` goes through the owner, and says the same as without one."""
    running_ = command("explain", "--data", folder)
    city.stop()
    assert running_ == command("explain", "--data", folder) and "rule DR02" in running_ and "DR02 易涝点积水深度" in running_


class Load:
    """Two writers that send batch after batch, and remember which were acknowledged and which not."""

    def __init__(self, key: str) -> None:
        self.key, self.sent, self.acknowledged = key, dict[str, list[dict[str, Any]]](), set[str]()
        self.begun, self.count, self._stop = time.time_ns() // 1_000_000 * 1000, itertools.count(), threading.Event()

    def batch(self, writer: int) -> tuple[str, list[dict[str, Any]]]:
        n = next(self.count)
        base = self.begun - 600 * SECOND + n * 200_000
        rows = [
            {"entity": f"urn:zs:TrafficDetector:YT-{1 + (n + i) % 40:04d}", "property": "TrafficDetector.speed", "time": rfc3339(base + i * 1000), "value": (n * 7 + i) % 90}
            for i in range(100)
        ]
        now = rfc3339(time.time_ns() // 1_000_000 * 1000)
        rows += [{"entity": sensor, "property": "WaterLevelSensor.depth", "time": now, "value": 45} for sensor in UNDERPASS]
        self.sent[name := f"w{writer}-{n}"] = rows
        return name, rows

    def run(self, city: Running, writer: int) -> None:
        while not self._stop.is_set():
            name, rows = self.batch(writer)
            try:
                city.send(SOURCE, name, rows, self.key)
            except httpx.HTTPError:
                return
            self.acknowledged.add(name)
            time.sleep(0.02)

    def stop(self) -> None:
        self._stop.set()


UNDERPASS: list[str] = []


def found(city: Running, key: str) -> dict[tuple[str, str], str]:
    return {(f["rule"], f["area"]): f["id"] for f in city.get("/api/findings", key)["items"] if f["rule"] == "DR02.ponding"}


def test_killed_under_load_nothing_acknowledged_is_lost_and_nothing_counts_twice(folder: Path, tmp_path: Path) -> None:
    with opened(folder) as parts:
        UNDERPASS[:] = [e.id for e in parts.registry.rows if e.type == "WaterLevelSensor" and e.facets.get("kind") == "underpass"][:3]
    assert UNDERPASS
    writing, reading = token(folder, f"source_writer:{SOURCE}", "gauges"), token(folder, "duty_officer", "desk")
    load, city = Load(writing), Running(folder)
    before: dict[tuple[str, str], str] = {}
    try:
        threads = [threading.Thread(target=load.run, args=(city, w)) for w in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(300):
            if before := found(city, reading):
                break
            time.sleep(0.1)
        time.sleep(1.5)
        before = found(city, reading)
    finally:
        city.kill()
    for thread in threads:
        thread.join()
    assert before, "no finding came of water 45 cm deep"
    acknowledged = set(load.acknowledged)
    assert len(acknowledged) > 10
    with running(folder) as city:
        for name, rows in load.sent.items():
            receipt = city.send(SOURCE, name, rows, writing)
            assert receipt["repeated"] or name not in acknowledged, name
        after = found(city, reading)
        assert {k: after.get(k) for k in before} == before
        proof = city.get("/api/proof", reading)
        assert proof["duplicates"] == 0
    with opened(folder) as parts:
        rows = parts.lake.query("SELECT entity, property, valid, count(*) AS n FROM versions WHERE source = $s GROUP BY ALL", {"s": SOURCE}).to_pylist()
        ids = parts.desk.read(lambda conn: [tuple(r) for r in conn.exec_driver_sql("SELECT rule, area, count(*) FROM finding WHERE rule = 'DR02.ponding' GROUP BY 1, 2")])
    expected = {(r["entity"], r["property"], r["time"]) for rows_ in load.sent.values() for r in rows_}
    assert {(r["entity"], r["property"], rfc3339(r["valid"])) for r in rows} == expected
    assert {r["n"] for r in rows} == {1}
    assert {n for _, _, n in ids} == {1}
    _tampered(folder, tmp_path)


def _tampered(folder: Path, tmp_path: Path) -> None:
    assert "whole" in by_itself("verify", "--data", folder)
    one = Path(shutil.copytree(folder, tmp_path / "one"))
    part = max((one / "lake" / "readings").rglob("*.parquet"), key=lambda p: p.stat().st_size)
    content = bytearray(part.read_bytes())
    content[len(content) // 3] ^= 0xFF
    part.write_bytes(content)
    assert "lake" in command("verify", "--data", one, code=1)
    told = command("verify", "--repair", "--data", one)
    assert f"mended 已修复 {part.relative_to(one / 'lake')}" in told and "whole" in told, "the journal keeps what the warehouse took last"
    with sqlite3.connect(one / "journal.sqlite") as db:
        db.execute("DELETE FROM entry WHERE kind = 'readings'")
    part.write_bytes(content)
    assert part.name in command("verify", "--repair", "--data", one, code=1), "what the journal has forgotten is named and left"
    two = Path(shutil.copytree(folder, tmp_path / "two"))
    with sqlite3.connect(two / "desk.sqlite") as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'ledger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("UPDATE ledger SET action = 'nothing' WHERE rowid = (SELECT min(rowid) + 2 FROM ledger)")
    assert "ledger" in command("verify", "--data", two, code=1)


def test_a_city_made_by_its_data_keeps_the_data_s_time(tmp_path: Path) -> None:
    """`ingest` into nothing makes a city in the source's time zone; `city make` takes one too; an unknown source makes nothing."""
    (tmp_path / "a.csv").write_text("No,year,month,day,hour,PM2.5,station\n1,2013,3,1,0,x,Dongsi\n2,2013,3,1,1,4,Dongsi\n")
    first = command("ingest", tmp_path / "a.csv", "--source", "environment.beijing_air", "--data", tmp_path / "D")
    assert City.load(tmp_path / "D").time_zone == "Asia/Shanghai" and "accepted 1 · quarantined 1" in first
    again = command("ingest", tmp_path / "a.csv", "--source", "environment.beijing_air", "--data", tmp_path / "D")
    assert "accepted 0 · quarantined 0 · duplicates 2" in again
    command("ingest", tmp_path / "a.csv", "--source", "no.such", "--data", tmp_path / "E", code=2)
    assert not (tmp_path / "E").exists()
    command("city", "make", "--data", tmp_path / "F", "--population", 20000, "--zone", "Asia/Nowhere", code=2)
    assert not (tmp_path / "F").exists()


def test_a_port_that_is_taken_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        told = CliRunner().invoke(cli.app, ["up", "--data", str(tmp_path / "city"), "--port", str(held.getsockname()[1])])
    assert told.exit_code == 2 and "up.port_taken" in told.stderr and not (tmp_path / "city").exists()
