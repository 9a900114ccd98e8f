"""Requests written by someone who means harm: each is refused with a sentence, or taken for the plain text it is."""

import asyncio
import gzip
import json
from typing import Any

import pytest

from zhongshu.kernel.bus import News
from zhongshu.kernel.grade import EVERYWHERE, Scope
from zhongshu.serve.live import Hub, Listener

pytestmark = pytest.mark.fuzz

from .answers import told, well

SOURCE = "/api/sources/sandbox.devices/readings"
WRITER = "source_writer:sandbox.devices"
BIG = [2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**30, -1, -(2**63), -(2**63) - 1, -(10**30)]
SQL = ["'; DROP TABLE case_file; --", "' OR '1'='1", '" OR 1=1 --', "%' UNION SELECT secret FROM token --", "x\x00y", "\\", "%", "_", "$1", "{}", "{area}", "\ud7ff", "٣", "𝟛"]


# words that are code elsewhere

TEXTS = [
    "/api/entities?q={}",
    "/api/entities?type={}",
    "/api/entities?after={}",
    "/api/cases?q={}",
    "/api/cases?state={}",
    "/api/cases?step={}",
    "/api/cases?after={}",
    "/api/cases?order={}",
    "/api/cases?area={}",
    "/api/cases/{}",
    "/api/leads?state={}",
    "/api/leads?after={}",
    "/api/requests/{}",
    "/api/findings?state={}",
    "/api/findings?indicator={}",
    "/api/findings?area={}",
    "/api/vitals?indicator={}",
    "/api/vitals?depth={}&indicator=DR02",
    "/api/vitals?level={}&indicator=DR02",
    "/api/vitals/{}/990100000000000",
    "/api/vitals/DR02/{}",
    "/api/vitals/DR02/990100000000000/readings?after={}",
    "/api/vitals/DR02/990100000000000/series?to={}",
    "/api/readings?entity={}",
    "/api/readings?property={}",
    "/api/readings?from={}",
    "/api/readings?to={}",
    "/api/readings?after={}",
    "/api/areas/{}",
    "/api/areas?level={}",
    "/api/evidence/{}",
    "/api/sources/{}/quarantine",
]


@pytest.mark.parametrize("address", TEXTS)
def test_words_are_words(client: Any, address: str) -> None:
    visitor = client("admin")
    path, _, query = address.partition("?")
    for word in SQL:
        quoted = "".join(f"%{b:02X}" for b in word.encode())
        well(visitor.request("GET", path.replace("{}", quoted) + ("?" + query.replace("{}", quoted) if query else "")))


@pytest.mark.parametrize(
    "address",
    [
        "/api/entities?limit={}",
        "/api/cases?limit={}",
        "/api/cases?after={}",
        "/api/leads?limit={}",
        "/api/leads?after={}",
        "/api/findings?limit={}",
        "/api/readings?limit={}",
        "/api/readings?after={}",
        "/api/ledger?after={}",
        "/api/ledger?limit={}",
        "/api/sources/sandbox.devices/quarantine?after={}",
        "/api/sources/sandbox.devices/quarantine?limit={}",
        "/api/vitals/DR02/990100000000000/series?points={}",
        "/api/vitals/DR02/990100000000000/series?points=2&hours={}",
        "/api/vitals/DR02/990100000000000/readings?limit={}",
    ],
)
def test_numbers_beyond_every_store(client: Any, address: str) -> None:
    for role in ("admin", "steward") if "series" not in address else ("admin",):
        visitor = client(role)
        for number in [*BIG, "nan", "inf", "-inf", "1e400"] if "series" not in address else [-(2**63), "nan"]:
            well(visitor.request("GET", address.format(number)))


@pytest.mark.parametrize("area", ["9" * 15, "0" * 15, "990100000000001", "99010000000000", "-90100000000000", "٩" * 15, "1e14", "990199000000000", "990000000000000"])
def test_areas_that_are_none(client: Any, area: str) -> None:
    visitor = client("admin")
    for address in (
        "/api/areas/{}",
        "/api/vitals?area={}",
        "/api/vitals?area={}&depth=street",
        "/api/vitals/DR02/{}",
        "/api/vitals/DR02/{}/readings",
        "/api/vitals/DR02/{}/series",
        "/api/cases?area={}",
        "/api/entities?area={}",
        "/api/findings?area={}",
    ):
        well(visitor.request("GET", address.format(area)))


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-02-30T00:00:00Z", "2026-01-01", "1", ""]
)
def test_times_at_the_ends_of_time(client: Any, time: str) -> None:
    visitor = client("admin")
    for address in ("/api/readings?from={}", "/api/readings?to={}", "/api/vitals/DR02/990100000000000/series?to={}"):
        well(visitor.request("GET", address.format(time.replace("+", "%2B"))))


# bodies


def reading(**more: Any) -> dict[str, Any]:
    return {"entity": "urn:zs:RainGauge:X", "property": "RainGauge.rain", "time": "2026-01-01T00:00:00Z", "value": 1, "unit": "mm"} | more


DEEP = b"[" * 100_000 + b"]" * 100_000
NESTED = b'{"a":' * 50_000 + b"1" + b"}" * 50_000


@pytest.mark.parametrize(
    "media",
    [
        "application/x-ndjson",
        "application/json",
        "text/csv",
        "application/vnd.apache.arrow.stream",
        "text/html",
        "multipart/form-data",
        "",
        "a" * 5000,
        "application/json; charset=utf-7",
    ],
)
def test_bodies_of_the_wrong_kind(client: Any, media: str) -> None:
    visitor = client(WRITER)
    for body in (
        b"",
        b"\x00" * 100,
        b"\xff\xfe\xfd",
        b"{",
        b"[]",
        b"null",
        b"1",
        b'"x"',
        b"{}\n{}",
        DEEP,
        NESTED,
        "\ufeff{}".encode(),
        b"ARROW1\x00\x00" + b"\xff" * 64,
        json.dumps([reading()]).encode(),
    ):
        well(visitor.request("POST", SOURCE, content=body, headers={"content-type": media} if media else {}))


def test_one_line_of_ten_megabytes(client: Any) -> None:
    visitor = client(WRITER)
    line = json.dumps(reading(entity="urn:zs:RainGauge:" + "A" * (10 << 20))).encode()
    good = json.dumps(reading()).encode()
    answer = well(visitor.request("POST", SOURCE, content=line + b"\n" + good, headers={"content-type": "application/x-ndjson"}))
    assert answer.status_code == 202
    assert answer.json()["accepted"] + answer.json()["quarantined"] + answer.json()["duplicates"] == 2
    answer = client("steward").request("GET", "/api/sources/sandbox.devices/quarantine")
    assert len(answer.content) < 4 << 20, "a refused row is kept whole, but a list of them stays readable"


def test_more_than_is_taken_at_once(client: Any) -> None:
    told(client(WRITER).request("POST", SOURCE, content=b"x" * (65 << 20), headers={"content-type": "text/csv"}), 413)


def test_a_small_body_that_unpacks_without_end(client: Any) -> None:
    bomb = gzip.compress(b"\n" * (200 << 20))
    assert len(bomb) < 1 << 20
    told(client(WRITER).request("POST", SOURCE, content=bomb, headers={"content-type": "application/x-ndjson", "content-encoding": "gzip"}), 413)
    for body in (b"\x1f\x8b\x08\x00", b"plain", bomb[:1000]):
        well(client(WRITER).request("POST", SOURCE, content=body, headers={"content-type": "application/x-ndjson", "content-encoding": "gzip"}))
    well(client(WRITER).request("POST", SOURCE, content=b"{}", headers={"content-encoding": "br"}))


@pytest.mark.parametrize("value", [1e308, 1e400, "NaN", "Infinity", 2**63, -(2**63), 10**400, True, None, [], {}, "1e999", "\ud800"])
def test_values_that_are_no_values(client: Any, value: Any) -> None:
    row = json.dumps(reading(value=value)).encode()
    good = json.dumps(reading(time="2026-01-01T00:00:01Z")).encode()
    answer = well(client(WRITER).request("POST", SOURCE, content=row + b"\n" + good, headers={"content-type": "application/x-ndjson"}))
    assert answer.status_code == 202
    assert answer.json()["accepted"] + answer.json()["quarantined"] + answer.json()["duplicates"] == 2


@pytest.mark.parametrize(
    "row",
    [
        {"time": "9999-12-31T23:59:59Z"},
        {"time": 2**63},
        {"time": -(2**80)},
        {"time": "0001-01-01T00:00:00Z"},
        {"entity": "x" * 100_000},
        {"property": "'; DROP TABLE readings; --"},
        {"unit": "\x00"},
        {"lon": 1e300, "lat": 1e300},
        {"lon": "NaN"},
        {"source": "other"},
        {"entity": "urn:zs:RainGauge:\ud83d"},
        {"flags": 2**70},
        {"known": 0},
        {"area": -1},
    ],
)
def test_rows_that_reach_beyond(client: Any, row: dict[str, Any]) -> None:
    well(client(WRITER).request("POST", SOURCE, content=json.dumps(reading(**row)).encode(), headers={"content-type": "application/x-ndjson"}))


@pytest.mark.parametrize(
    "document",
    [
        {"id": "a", "created": "2026-01-01T00:00:00Z", "text": "\ud800"},
        {"id": "\x00", "created": "2026-01-01T00:00:00Z"},
        {"id": 1},
        {"id": None},
        {"id": "b", "created": 2**70},
        {"id": "c", "created": "2026-01-01T00:00:00Z", "lon": 1e308, "lat": "x"},
        {"id": "d" * 10_000, "created": "2026-01-01T00:00:00Z"},
        {"id": "e", "created": "2026-01-01T00:00:00Z", "class": ["x"]},
        {"id": "f", "created": "2026-01-01T00:00:00Z", "area": 10**30},
        {"id": "g", "created": "9999-12-31T23:59:59Z", "due": "0001-01-01T00:00:00Z"},
        [],
        1,
        "x",
        None,
    ],
)
def test_requests_that_are_none(client: Any, owner: Any, document: Any) -> None:
    answer = well(client("admin").request("POST", "/api/sources/sandbox.voices/requests", content=json.dumps(document).encode(), headers={"content-type": "application/json"}))
    assert answer.status_code in {202, 400, 413}


TEXT_BODIES = ["\ud800", "\x00", "a" * 3999, "＜script＞", "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "\u202e", "𝕏" * 1000]


@pytest.mark.parametrize("text", TEXT_BODIES, ids=range(len(TEXT_BODIES)))
def test_reports_with_strange_text(client: Any, text: str) -> None:
    for body in (
        {"text": text},
        {"text": "x", "address": text[:400]},
        {"text": "x", "class": text[:100]},
        {"text": "x", "external": text[:100]},
        {"text": "x", "photo": text[:64]},
    ):
        answer = well(client("acceptor").request("POST", "/api/requests", content=json.dumps(body).encode(), headers={"content-type": "application/json"}))
        if answer.status_code == 202:
            well(client("acceptor").request("GET", f"/api/requests/{answer.json()['id']}"))
    for path in ("/api/session", "/api/cases", "/api/sources"):
        body = {"account": text[:100], "password": text[:256], "class": "drainage.ponding", "title_zh": text[:200], "area": "990101001001001", "name": text[:100]}
        well(client("dispatcher" if path.endswith("cases") else "steward").request("POST", path, content=json.dumps(body).encode(), headers={"content-type": "application/json"}))
    well(client("steward").request("GET", "/api/sources"))
    well(client("dispatcher").request("GET", "/api/cases"))


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{", DEEP, NESTED, b'{"version": 1e999}', b'{"version": 99999999999999999999999}', b'{"evidence": ["../../etc/passwd"]}', b"\xff"]
)
def test_steps_with_broken_bodies(client: Any, body: bytes) -> None:
    row = client("dispatcher").request("POST", "/api/cases", json={"class": "drainage.ponding", "title_zh": "积水", "area": "990101001001001"})
    assert row.status_code == 200, row.text
    for verb in ("void", "verify", "dispatch", "nothing", "__class__", "due", "open"):
        well(client("duty_officer").request("POST", f"/api/cases/{row.json()['id']}/{verb}", content=body, headers={"content-type": "application/json"}))
        well(client("acceptor").request("POST", f"/api/leads/{row.json()['id']}/{verb}", content=body, headers={"content-type": "application/json"}))


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"<svg onload=alert(1)>", b"\xff\xd8\xff" + b"\x00" * 100, b"\x89PNG\r\n\x1a\n" + b"\xff" * 100, b"%PDF-1.7", b"RIFF\x00\x00\x00\x00WEBP"]
)
def test_evidence_that_is_no_picture(client: Any, content: bytes) -> None:
    for name in ("a.jpg", "../../x", "a\x00b", "'; DROP", "x" * 1000):
        answer = well(client("dispatcher").request("POST", "/api/evidence", files={"file": (name, content, "text/html")}))
        if answer.status_code == 200:
            assert answer.json()["content_type"] in {"image/jpeg", "image/png", "image/webp", "application/pdf"}
    well(client("dispatcher").request("POST", "/api/evidence", content=b"x", headers={"content-type": "multipart/form-data"}))
    well(client("dispatcher").request("POST", "/api/evidence", content=b"x", headers={"content-type": "multipart/form-data; boundary=" + "b" * 300}))


# paths


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/%2e%2e/%2e%2e/pyproject.toml",
        "/..%2f..%2fpyproject.toml",
        "/assets/../../../cli.py",
        "/assets/%2e%2e/%2e%2e/cli.py",
        "/map/../desk.sqlite",
        "/map/%2e%2e/desk.sqlite",
        "/map/..%2fdesk.sqlite",
        "/map/%2e%2e%2fowner.token",
        "//etc/passwd",
        "/map//etc/passwd",
        "/map/%00",
        "/%00",
        "/assets/%ff",
        "/map/..%5cdesk.sqlite",
        "/\\..\\x",
        "/" + "a" * 5000,
        "/api/../owner.token",
        "/map/" + "x/" * 500,
        "/map/" + "n" * 300,
        "/" + "n" * 300,
    ],
)
def test_files_outside_the_page_stay_there(client: Any, owner: Any, path: str) -> None:
    answer = client().request("GET", f"http://127.0.0.1{path}")
    assert answer.status_code < 500, answer.text[:300]
    secret = (owner.settings.data / "owner.token").read_text()
    assert secret not in answer.text
    assert b"SQLite format" not in answer.content and "[project]" not in answer.text and "root:" not in answer.text and "typer" not in answer.text


@pytest.mark.parametrize(
    "held", ["bytes=0-", "bytes=-1", "bytes=5-1", "bytes=99999999999999999999-", "bytes=0-0,1-1,2-2", "bytes=" + "0-0," * 2000, "lines=1-2", "bytes=a-b", "bytes=٣-"]
)
def test_odd_ranges_of_the_map(client: Any, held: str) -> None:
    answer = client().request("GET", "/map/city.pmtiles", headers={"range": held.encode()})
    assert answer.status_code in {200, 206, 400, 416}


# the stream


@pytest.mark.parametrize(
    "last", ["", "x", ":", "x:1", "{epoch}:", "{epoch}:-1", "{epoch}:99999999999999999999999", "{epoch}:٣", "{epoch}:²", "{epoch}:1e3", "a" * 10_000, "{epoch}:1\nevent: case"]
)
def test_odd_event_ids(last: str) -> None:
    hub = Hub()
    hub.publish(News("finding", 990101001001001, {"a": 1}))

    async def first() -> bytes:
        stream = hub.stream(Listener({"finding": Scope(EVERYWHERE)}, frozenset(), asyncio.get_running_loop()), last.format(epoch=hub.epoch))
        said = await anext(stream)
        await stream.aclose()
        return said

    said = asyncio.run(first())
    assert said.startswith((b"retry:", b"event: reset"))
    assert hub.listeners() == 0


def test_news_cannot_forge_an_event() -> None:
    hub = Hub()
    hub.publish(News("case", 1, {"title": "x\n\nevent: vital\ndata: {}\n\n", "other": "\r\r"}))
    ((_, (seq, news, data)),) = hub._ring
    body = hub._event(news.kind, seq, data)
    assert body.count(b"\n\n") == 1 and b"\r" not in body
