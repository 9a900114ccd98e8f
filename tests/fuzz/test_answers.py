"""What the API says to those who send something odd: the right sentence, the right status, and never a word of the machinery."""

import gzip
import json
import re
import time
from typing import Any

import pytest

from zhongshu.kernel.clock import rfc3339

pytestmark = pytest.mark.fuzz
DEVICES = "/api/sources/sandbox.devices"
GAUGE = "urn:zs:RainGauge:YT-0001"


def row(**other: Any) -> dict[str, Any]:
    return {"entity": GAUGE, "property": "RainGauge.rain_1m", "time": rfc3339(time.time_ns() // 1000), "value": 3, "unit": "mm"} | other


def table(*rows: dict[str, Any]) -> bytes:
    return "\n".join([",".join(rows[0]), *(",".join(map(str, r.values())) for r in rows)]).encode()


def test_a_csv_row_in_a_wrong_unit_is_mended(client: Any) -> None:
    steward = client("admin")
    receipt = steward.request("POST", f"{DEVICES}/readings", content=table(row(unit="kg")), headers={"content-type": "text/csv"}).json()
    assert (receipt["accepted"], receipt["quarantined"]) == (0, 1)
    held = steward.request("GET", f"{DEVICES}/quarantine?limit=1000").json()["items"][-1]
    url = f"{DEVICES}/quarantine/{held['id']}/mend"
    told = steward.request("POST", url, json={"raw": held["raw"]}).json()
    assert told["code"] == "quarantine.still_bad" and "mm" in told["zh"]["sentence"]
    assert told["en"]["sentence"].isascii() and told["en"]["remedy"].isascii(), "the English is English"
    mended = steward.request("POST", url, json={"raw": json.dumps(json.loads(held["raw"]) | {"unit": "mm"})})
    assert mended.status_code == 200 and mended.json()["accepted"] == 1
    assert [r["mended"] for r in steward.request("GET", f"{DEVICES}/quarantine?limit=1000").json()["items"] if r["id"] == held["id"]] == [True]


def test_a_refused_request_is_mended(client: Any) -> None:
    steward, url = client("admin"), "/api/sources/sandbox.voices"
    sent = {"id": "v-1", "created": "yesterday", "text": "路灯不亮"}
    assert steward.request("POST", f"{url}/requests", json=sent).json()["quarantined"] == 1
    held = steward.request("GET", f"{url}/quarantine?limit=1000").json()["items"][-1]
    good = json.dumps(sent | {"created": rfc3339(time.time_ns() // 1000)})
    assert steward.request("POST", f"{url}/quarantine/{held['id']}/mend", json={"raw": good}).json()["accepted"] == 1


def test_requests_may_come_packed(client: Any) -> None:
    body = gzip.compress(json.dumps({"id": "packed-1", "text": "积水"}).encode())
    answer = client("admin").request("POST", "/api/sources/sandbox.voices/requests", content=body, headers={"content-encoding": "gzip", "content-type": "application/json"})
    assert answer.status_code == 202 and answer.json()["accepted"] == 1
    refused = client("admin").request("POST", "/api/sources/sandbox.voices/requests", content=body, headers={"content-encoding": "br"})
    assert refused.json()["code"] == "intake.unreadable"


@pytest.mark.parametrize(
    ("url", "content", "zh", "en"),
    [
        (f"{DEVICES}/readings", b'[{"entity":', "不完整", "cut off"),
        (f"{DEVICES}/readings", b"[}", "第 2 个字节", "byte 2"),
        ("/api/session", b'{"account":', "JSON", "JSON"),
        ("/api/session", b'{"account":"acceptor"}', "缺少", "missing"),
        ("/api/session", b'{"account":7,"password":"x"}', "应为文字", "expected text"),
    ],
)
def test_each_language_says_why_in_its_own_words(client: Any, url: str, content: bytes, zh: str, en: str) -> None:
    told = client("admin").request("POST", url, content=content, headers={"content-type": "application/json"}).json()
    assert told["code"] in {"intake.unreadable", "request.invalid"}
    assert zh in told["zh"]["sentence"] and en in told["en"]["sentence"]
    assert not re.search(r"[a-z]+ [a-z]+", told["zh"]["sentence"])


def test_what_is_not_unicode_is_told_how_to_convert_it(client: Any) -> None:
    answer = client("admin").request("POST", f"{DEVICES}/readings", content="entity,property,time,value\n东门,a,b,1".encode("gbk"), headers={"content-type": "text/csv"})
    told = answer.json()
    assert (answer.status_code, told["code"]) == (400, "intake.not_unicode") and "iconv" in told["zh"]["remedy"] and "codec" not in answer.text


@pytest.mark.parametrize(
    ("method", "url", "media"),
    [
        ("POST", f"{DEVICES}/readings", "application/xml"),
        ("POST", "/api/sources/sandbox.voices/requests", "application/xml"),
        ("POST", "/api/sources", "application/xml"),
        ("POST", "/api/sources/sandbox.voices/requests", "text/csv"),
    ],
)
def test_a_foreign_media_type_is_415(client: Any, method: str, url: str, media: str) -> None:
    answer = client("admin").request(method, url, content=b"<a/>", headers={"content-type": media})
    assert answer.status_code == 415 and answer.headers["content-type"] == "application/problem+json"


def test_evidence_of_a_foreign_type_is_415(client: Any) -> None:
    answer = client("dispatcher").request("POST", "/api/evidence", files={"file": ("a.txt", b"hello", "text/plain")})
    assert (answer.status_code, answer.json()["code"]) == (415, "evidence.bad_type")


@pytest.mark.parametrize("url", ["/api/readings", "/api/ledger", "/api/entities", "/api/findings", "/api/leads", "/api/cases", f"{DEVICES}/quarantine"])
@pytest.mark.parametrize("limit", ["-1", "0", "-99999999999999999999999"])
def test_a_page_has_at_least_one_row(client: Any, url: str, limit: str) -> None:
    answer = client("admin").request("GET", f"{url}?limit={limit}")
    assert answer.status_code == 400 and answer.json()["code"] in {"request.bad_limit", "request.invalid"}


@pytest.mark.parametrize("url", ["/api/readings", "/api/vitals/EM01/990100000000000/readings"])
def test_a_page_mark_that_is_none_is_told_so(client: Any, url: str) -> None:
    answer = client("admin").request("GET", f"{url}?after=zzz")
    assert (answer.status_code, answer.json()["code"]) == (400, "record.bad_page")


def test_a_source_registered_again_shows_its_counts(client: Any) -> None:
    admin, body = client("admin"), {"name": "again", "entities": "register", "zone": "Asia/Shanghai"}
    assert admin.request("POST", "/api/sources", json=body).json()["counts"]["accepted"] == 0
    admin.request(
        "POST",
        "/api/sources/again/readings",
        json=[row(entity="urn:zs:RainGauge:A-1", time="2026-01-01T08:00:00", lon=1e300), row(entity="urn:zs:RainGauge:A-2", time="2026-01-01T08:00:00")],
    )
    told = admin.request("POST", "/api/sources", json=body).json()
    assert told["counts"] == {"accepted": 1, "quarantined": 1, "duplicates": 0} and told["last_known"]
    assert admin.request("GET", "/api/readings?entity=urn:zs:RainGauge:A-2&from=2025-12-31T00:00:00Z").json()["items"][0]["valid"] == "2026-01-01T00:00:00Z"
    assert admin.request("GET", "/api/readings?entity=urn:zs:RainGauge:A-2&from=2026-01-01T00:00:01Z").json()["items"] == []


def test_a_source_s_token_is_told_whose_it_is(client: Any) -> None:
    answer = client("source_writer:sandbox.devices").request("POST", "/api/sources/sandbox.voices/readings", json=[row()])
    assert (answer.status_code, answer.json()["code"]) == (403, "guard.other_source")
