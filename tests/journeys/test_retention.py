"""Raw readings beyond the city's rule go: the disk no longer has them, the ledger says so, verify proves it, and who asks for them is given the hours."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from zhongshu.app import Assembly, alone
from zhongshu.app.commands import verify, wiring
from zhongshu.app.people import make_token
from zhongshu.app.recomputing import FOLDER, recompute_past
from zhongshu.app.retention import Retention
from zhongshu.kernel.clock import DAY, HOUR, MINUTE, rfc3339
from zhongshu.sense import Pipe, Source
from zhongshu.serve.routes import build
from zhongshu.survey import make

from .city import settings

pytestmark = pytest.mark.journey
PROPERTY = "WaterLevelSensor.depth"
RULES = """
[[keep]]
property = "*"
raw = "90d"
hourly = "5y"
from = 2020-01-01
source = { doc = "云汀市公共数据管理办法", clause = "12" }
"""


@pytest.fixture
def city(tmp_path: Path) -> Iterator[tuple[Assembly, Pipe]]:
    make(tmp_path / "city", 20_000, 7)
    with alone(settings(tmp_path / "city")) as held:
        yield held


def send(city: tuple[Assembly, Pipe], times: list[int], value: float) -> str:
    parts, pipe = city
    if "gauge" not in parts.sources:
        parts.add_source(Source("gauge", "水尺", "Gauge", "city"))
    entity = next(row.id for row in parts.registry.rows if row.type == "WaterLevelSensor")
    body = "\n".join(json.dumps({"entity": entity, "property": PROPERTY, "time": rfc3339(t), "value": value + k}) for k, t in enumerate(times))
    receipt = pipe.submit(parts.intake.open(parts.sources["gauge"], body.encode(), "application/x-ndjson", "", "")).result(30)
    assert (receipt.accepted, receipt.quarantined) == (len(times), 0)
    parts.lake.commit()
    return entity


def turn(parts: Assembly) -> None:
    retention = Retention(parts)
    retention._next = 0.0
    retention.turn()
    while retention._pieces:
        retention.turn()


def ask(city: tuple[Assembly, Pipe], token: str, url: str, **given: Any) -> Any:
    async def one() -> httpx.Response:
        transport = httpx.ASGITransport(build(city[0].city(city[1]), city[0].folder))
        async with httpx.AsyncClient(transport=transport, base_url="http://city.example") as http:
            return await http.get(url, params=given, headers={"Authorization": f"Bearer {token}"})

    answer = asyncio.run(one())
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_the_rule_lets_go_is_gone_told_and_given_as_hours(city: tuple[Assembly, Pipe]) -> None:
    parts, now = city[0], city[0].clock.now()
    old = now // HOUR * HOUR - 100 * DAY
    entity = send(city, [old + k * 20 * MINUTE for k in range(6)], 10)
    send(city, [now - MINUTE], 30)
    send(city, [now], 31)
    (parts.folder / "retention.toml").write_text(RULES)
    turn(parts)
    assert len(parts.lake.query("SELECT 1 FROM readings")) == 8, "the journal still holds them"
    parts.journal.trim(parts.lake.offset())
    turn(parts)
    turn(parts)
    said = parts.desk.read(lambda c: c.exec_driver_sql("SELECT actor, subject, detail FROM ledger WHERE action = 'forget'").fetchall())
    assert [(actor, rule) for actor, rule, _ in said] == [("system", "all:2020-01-01")]
    facts = json.loads(said[0][2])
    assert (facts["count"], facts["table"], facts["property"]) == (6, "readings", "all") and facts["before"] == rfc3339((now - 90 * DAY) // DAY * DAY)
    assert verify(parts, lambda *_: None) == []
    assert any("keep all:2020-01-01: raw 90d, hourly 1830d" in line and "云汀市公共数据管理办法 12" in line for line in wiring(parts))
    token = make_token(parts, "steward", "steward", None)
    found = ask(city, token, "/api/readings", entity=entity, property=PROPERTY, **{"from": rfc3339(old + 5 * MINUTE), "to": rfc3339(old + DAY)})
    assert found["items"] == [] and found["next"] is None
    assert [(row["from"], row["count"], row["mean"], row["low"], row["last"], row["rolled_up"]) for row in found["hourly"]] == [
        (rfc3339(old + HOUR), 3, 14.0, 13.0, 15.0, True),
        (rfc3339(old), 3, 11.0, 10.0, 12.0, True),
    ]
    first = ask(city, token, "/api/readings", entity=entity, limit=1)
    assert len(first["items"]) == 1 and first["hourly"] == []
    second = ask(city, token, "/api/readings", entity=entity, limit=1, after=first["next"])
    assert (len(second["items"]), len(second["hourly"]), second["next"]) == (1, 1, "h1")
    third = ask(city, token, "/api/readings", entity=entity, limit=1, after="h1")
    assert (third["items"], len(third["hourly"]), third["next"]) == ([], 1, None)
    sign = next(i.code for i in parts.watch.indicators.values() if any(s.property == PROPERTY for s in i.specs()))
    line = ask(city, token, f"/api/vitals/{sign}/{parts.about.code:015d}/series", to=rfc3339(old + 2 * HOUR), hours=2, points=4)
    assert line["rolled_up_before"] == rfc3339(old + 2 * HOUR) and {(p["value"], p["level"]) for p in line["items"]} == {(None, "stale")}


def test_the_ledger_is_told_once_whatever_broke_off_and_verify_sees_a_manifest_that_says_more(city: tuple[Assembly, Pipe], monkeypatch: pytest.MonkeyPatch) -> None:
    parts, now = city[0], city[0].clock.now()
    send(city, [now - 100 * DAY, now - 95 * DAY], 10)
    send(city, [now], 30)
    parts.journal.trim(parts.lake.offset())
    (parts.folder / "retention.toml").write_text(RULES)
    with monkeypatch.context() as patch:
        patch.setattr(Retention, "_witness", lambda *_: None)
        turn(parts)
    assert any("forgotten under all:2020-01-01: 2 by the manifest, 0 by the ledger" in line for line in verify(parts, lambda *_: None))
    turn(parts)
    turn(parts)
    assert verify(parts, lambda *_: None) == []
    assert parts.desk.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM ledger WHERE action = 'forget'").scalar()) == 1
    path = parts.folder / "lake" / "manifest.jsonl"
    path.write_text(path.read_text() + json.dumps({"forgot": "readings", "run": 1, "to": 2, "rule": "all:2020-01-01", "before": now, "count": 1, "checksum": 5}) + "\n")
    assert any(line.startswith("retention:") for line in verify(parts, lambda *_: None)) and any("commit 2–2 holds" in line for line in parts.lake.verify())


def test_a_past_value_says_that_some_of_its_window_was_let_go(city: tuple[Assembly, Pipe]) -> None:
    parts, now = city[0], city[0].clock.now()
    cut = (now - 90 * DAY) // DAY * DAY
    sign, spec = next((i, s) for i in parts.watch.indicators.values() for s in i.measures.values() if s.property == PROPERTY and not i.specs()[1:])
    for at in (cut - spec.window // 4, cut + spec.window // 4, now):
        send(city, [at], 10)
    (parts.folder / "retention.toml").write_text(RULES)
    parts.journal.trim(parts.lake.offset())
    for _ in range(3):
        turn(parts)

    def again(at: int) -> list[tuple[bool, int]]:
        told = recompute_past(parts, {"indicator": sign.code, "level": "city", "as_of": 0, "engine": "duckdb", "every": HOUR, "start": at - HOUR, "end": at}, lambda *_: None)
        rows = [json.loads(line) for path in (parts.folder / FOLDER / told["run"]).iterdir() for line in path.read_text().splitlines()]
        return [(row.get("forgotten", False), row["readings"]) for row in rows if row["readings"]]

    assert again(cut + spec.window // 2) == [(True, 1)]
    assert again(cut + spec.window * 9 // 8) == [(False, 1)]
