"""The specification tells the truth: what a running city answers has the shape that the route declares, and every shape is somebody's."""

import json
import re
import struct
import time
import zlib
from typing import Any

import jsonschema_rs
import pytest

from zhongshu.govern import Grant, Party
from zhongshu.kernel.clock import rfc3339
from zhongshu.serve.page import documentation
from zhongshu.serve.routes import ROUTES
from zhongshu.serve.shapes import SHAPES, answer, components, fields, schema

pytestmark = pytest.mark.fuzz
DEVICES = "/api/sources/sandbox.devices"
SHOWN_ELSEWHERE = {
    "POST /api/leads/{id}/{verb}",
    "DELETE /api/leads/{id}/links/{link}",
    "POST /api/findings/{id}/acknowledge",
    "POST /api/requests/{id}/{verb}",
    "POST /api/cases",
    "GET /api/story",
    "POST /api/story/start",
    "POST /api/story/seats/{seat}",
    "POST /api/session",
    "DELETE /api/session",
    "POST /api/warnings",
    "POST /api/warnings/cap",
    "POST /api/responses",
    "POST /api/modes",
    "POST /api/duty/handover",
    "POST /api/duty/handover/{id}/sign",
    "GET /api/duty/handovers/{id}",
    "POST /api/instructions",
    "POST /api/incidents",
    "GET /api/incidents/{id}",
    "GET /api/incidents/{id}/review",
    "GET /api/incidents/{id}/review.pdf",
    "GET /metrics",
    "POST /api/scenarios",
    "POST /api/scenarios/{id}/runs",
    *(f"GET /api/runs/{{id}}{tail}" for tail in ("", "/compare", "/vitals", "/vitals/{indicator}/{area}", "/map")),
    "GET /api/models/{name}",
    "GET /api/lessons/{attempt}",
}
"""Routes whose shape another route's answer proves here, or which need a story that is under way; journeys go there."""

PLAIN = (
    *(
        "/health",
        "/ready",
        "/api/running",
        "/api/session",
        "/api/session/demo",
        "/api/areas?level=street",
        "/api/areas?level=street&geometry=1",
        "/api/sources",
        "/api/indicators",
        "/api/vitals",
        "/api/findings?state=",
        "/api/proof",
        "/api/ledger",
        "/api/scenarios",
        "/api/runs",
        "/api/skill",
        "/api/models",
        "/api/lessons",
    ),
    *("/api/warnings", "/api/responses", "/api/modes", "/api/duty", "/api/duty/handovers", "/api/instructions", "/api/incidents", "/api/brief", "/api/brief.pdf"),
)
"""Addresses that need nothing but to be asked."""


def picture() -> bytes:
    rows = b"".join(b"\0" + bytes([90, 90, 120]) * 8 for _ in range(8))

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Checked:
    """Asks, and holds every answer against what the specification says of it."""

    def __init__(self, spec: Any, visitor: Any) -> None:
        self.spec, self.visitor, self.seen = spec, visitor, set[str]()

    def __call__(self, method: str, url: str, **sent: Any) -> Any:
        held = self.visitor.request(method, url, **sent)
        path = next(
            p
            for p in sorted(self.spec["paths"], key=lambda p: p.count("{"))
            if method.lower() in self.spec["paths"][p] and re.fullmatch(re.sub(r"{\w+}", "[^/]+", p), url.partition("?")[0])
        )
        said = self.spec["paths"][path][method.lower()]["responses"]
        assert str(held.status_code) in said, f"{method} {url} → {held.status_code} {held.text[:300]}"
        if "application/json" in (content := said[str(held.status_code)].get("content", {})):
            whole = content["application/json"]["schema"] | {"components": self.spec["components"]}
            wrong = [f"{list(e.instance_path)} {e.message}"[:200] for e in jsonschema_rs.validator_for(whole).iter_errors(held.json())]
            assert not wrong, f"{method} {url}: {wrong[:5]}"
        else:
            assert held.headers["content-type"].split("/")[0] == next(iter(content)).split("/")[0]
        self.seen.add(f"{method} {path}")
        return held.json() if "json" in held.headers["content-type"] and held.status_code < 300 else held


def case_of(acceptor: Any, dispatcher: Any, lon: float, lat: float) -> tuple[str, str, str]:
    """Make a request that becomes a case and is sent out; return the numbers of request and case, and a photograph's name."""
    photo = dispatcher("POST", "/api/evidence", files={"file": ("a.png", picture(), "image/png")})["sha256"]
    told = acceptor("POST", "/api/requests", json={"text": "路口积水", "lon": lon, "lat": lat, "class": "drainage.ponding", "photo": photo, "channel": "phone"})
    lead = next(row for row in acceptor("GET", "/api/leads?state=open")["items"] if any(v["number"] == told["number"] for v in row["heard"]))
    case = acceptor("POST", f"/api/leads/{lead['id']}/confirm", json={"version": lead["version"]})["case"]
    dispatcher("POST", f"/api/cases/{case}/dispatch", json={"unit": "dept-drainage"})
    return told["number"], case, photo


def look_on(nobody: Any, number: str, receipt: str) -> None:
    """Make a link for family, look on by it, and revoke it."""
    links, own = f"/api/requests/{number}/links", {"headers": {"zs-receipt": receipt}}
    link = nobody("POST", links, **own)
    assert nobody("GET", f"/api/shared/{link['secret']}")["number"] == number
    nobody("GET", f"/api/shared/{link['secret']}/photos/{'0' * 64}")
    nobody("GET", links, **own)
    nobody("DELETE", f"{links}/{link['id']}", **own)


def test_every_answer_has_the_declared_shape(app: Any, client: Any, owner: Any) -> None:
    spec = app.openapi()
    admin, acceptor, dispatcher = (Checked(spec, client(role)) for role in ("admin", "acceptor", "dispatcher"))
    city = admin("GET", "/api/city")["code"]
    sensor = next(row for row in admin("GET", "/api/entities?type=WaterLevelSensor&limit=5")["items"])
    now = rfc3339(time.time_ns() // 1000)
    rows = [{"entity": sensor["id"], "property": "WaterLevelSensor.depth", "time": now, "value": value, "unit": unit} for value, unit in ((60, "cm"), (3, "kg"))]
    admin("POST", f"{DEVICES}/readings", json=rows)
    admin("POST", f"{DEVICES}/requests", json={"id": "s-1", "text": "积水", "created": "yesterday"})
    held = admin("GET", f"{DEVICES}/quarantine?limit=1000")["items"]
    bad = next(row for row in reversed(held) if row["code"] == "reading.wrong_unit")
    admin("POST", f"{DEVICES}/quarantine/{bad['id']}/mend", json={"raw": json.dumps(json.loads(bad["raw"]) | {"unit": "cm", "value": 61, "time": rfc3339(time.time_ns() // 1000)})})
    request, case, photo = case_of(acceptor, dispatcher, sensor["lon"], sensor["lat"])
    of_case = [f"/api/cases/{case}{tail}" for tail in ("", "/review", "/review.pdf")]
    for url in ("/api/cases", *of_case, f"/api/requests/{request}", f"/api/evidence/{photo}", "/api/leads", "/api/requests?limit=5", "/api/assist"):
        dispatcher("GET", url)
    of_unit = owner.parts.identity.add_party(Party("fuzz-officer", "经办人", "Officer", (Grant("department", int(city)),), "dept-drainage", kind="service"), actor="test")
    officer = Checked(spec, client(authorization=f"Bearer {owner.parts.identity.issue_token(of_unit, 'fuzz-officer', actor='test')[1]}"))
    officer("GET", f"/api/cases/{case}/people")
    called = acceptor("POST", "/api/requests", json={"text": "路灯不亮", "caller": "13800001111"})["number"]
    for url in (f"/api/requests/{called}", f"/api/requests/{called}/caller", "/api/requests?waits=accept"):
        acceptor("GET", url)
    acceptor("POST", "/api/assist", json={"text": "路灯不亮"})
    table = {"file": ("reasons.csv", "verb,code,zh,en,basis,valid_from\nreturn,a,不在辖区,Elsewhere,规则,2026-01-01\n")}
    admin("POST", "/api/tables/reasons", files=table)
    (book,) = [row for row in admin("GET", "/api/playbooks")["items"] if row["key"] == "flooding"]
    drawn = admin("GET", f"/api/playbooks/{book['version']}").text
    assert admin("POST", "/api/playbooks", files={"file": ("flooding.bpmn", drawn)})["version"] == book["version"]
    nobody = Checked(spec, client("guest"))
    receipt = nobody("POST", "/api/requests", data={"text": "灯不亮"}, files={"photo": ("a.png", picture(), "image/png")})["follow"]
    seen = nobody("GET", f"/api/follow/{receipt}")
    nobody("GET", f"/api/follow/{receipt}/photos/{seen['photos'][0]['sha256'] if isinstance(seen['photos'][0], dict) else seen['photos'][0]}")
    look_on(nobody, seen["number"], receipt)
    for url in ("/api/evaluation?of=department", "/api/evaluation/cases?name=dept-drainage&measure=opened&of=department", "/api/evaluation.xlsx"):
        dispatcher("GET", url)
    for url in ("/api/samples/manhole", "/api/classes", "/api/tables", "/api/tables/classes"):
        admin("GET", url)
    admin("POST", "/api/sources", json={"name": "shapes", "entities": "register"})
    for url in (
        f"/api/areas/{city}",
        f"/api/areas/{sensor['area']}",
        f"{DEVICES}/quarantine.csv",
        f"/api/readings?entity={sensor['id']}",
        f"/api/vitals?area={city}&depth=street&indicator=DR02",
        f"/api/vitals/DR02/{city}",
        f"/api/vitals/DR02/{sensor['area']}",
        f"/api/vitals/DR02/{city}/readings",
        f"/api/vitals/DR02/{city}/series",
        *PLAIN,
    ):
        admin("GET", url)
    admin("POST", "/api/owner/nothing")  # refused: a problem has its shape too
    admin("GET", "/api/readings?from=nonsense")
    every = {f"{r.method} {r.url}" for r in ROUTES} - SHOWN_ELSEWHERE - {"GET /api/live"}
    assert (
        every - (admin.seen | acceptor.seen | dispatcher.seen | officer.seen | nobody.seen)
        == {f"POST {r.url}" for r in ROUTES if r.url.endswith("{verb}") and f"POST {r.url}" in every} - dispatcher.seen
    )


def test_every_route_names_a_shape_and_every_shape_is_named(app: Any) -> None:
    spec = app.openapi()
    used = json.dumps([answer(r.gives) for r in ROUTES]) + json.dumps(components()) + "schemas/Problem"
    assert [name for name in SHAPES if f"schemas/{name}" not in used] == []
    assert all(len(fields(shape)) == len(shape.split(", ")) for shape in SHAPES.values()), "a field is misspelt"
    refs = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(spec)))
    assert refs <= spec["components"]["schemas"].keys(), "the specification holds all it speaks of"
    assert "HTTPValidationError" not in json.dumps(spec)
    for route in ROUTES:
        said = spec["paths"][route.url][route.method.lower()]
        (good,) = [row for code, row in said["responses"].items() if code < "300"]
        assert all(body["schema"] for body in good["content"].values()), route
        assert said.get("description", "") != said["summary"]
    jsonschema_rs.validator_for(schema("page of Case") | {"components": spec["components"]})


def test_the_way_in_is_described_whole(app: Any) -> None:
    spec = app.openapi()
    taken = spec["paths"][f"{DEVICES.replace('sandbox.devices', '{source}')}/readings"]["post"]
    assert {p["name"] for p in taken["parameters"]} == {"source", "batch", "Zs-Batch", "Content-Encoding"}
    assert {"application/x-ndjson", "application/json", "text/csv", "application/vnd.apache.arrow.stream"} == taken["requestBody"]["content"].keys()
    assert {"entity", "property", "from", "to", "after", "limit"} == {p["name"] for p in spec["paths"]["/api/readings"]["get"]["parameters"]}


def test_the_page_of_the_specification_shows_shapes_and_says_nothing_twice(app: Any) -> None:
    spec = app.openapi()
    page = documentation(spec)
    for held in spec["paths"].values():
        for said in held.values():
            assert page.count(f"<p>{said['summary']}") <= sum(other["summary"] == said["summary"] for paths in spec["paths"].values() for other in paths.values())
    assert all(f"<section id={name}>" in page for name in spec["components"]["schemas"])
