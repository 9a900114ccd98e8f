"""What every answer carries, and who may ask: headers, cookies, tokens, methods."""

import re
from typing import Any

import pytest

from zhongshu.serve.routes import ROUTES

pytestmark = pytest.mark.fuzz

from .answers import told

pytestmark = pytest.mark.fuzz
SOURCE = "/api/sources/sandbox.devices/readings"
WRITER = "source_writer:sandbox.devices"
HEADERS = {
    "content-security-policy": "default-src 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "SAMEORIGIN",
    "cross-origin-opener-policy": "same-origin",
}


def test_every_answer_has_the_security_headers(client: Any) -> None:
    visitor = client()
    for path in (
        "/health",
        "/api/city",
        "/api/cases",
        "/api/samples/manhole",
        "/api/nothing",
        "/api/areas/x",
        "/",
        "/screen",
        "/docs",
        "/openapi.json",
        "/map/city.pmtiles",
        "/map/none",
        "/assets/none",
    ):
        answer = visitor.request("GET", path)
        for name, value in HEADERS.items():
            assert value in answer.headers.get(name, ""), f"{path} lacks {name}"
        assert "server" not in answer.headers
        if path.startswith("/api/samples"):
            assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("image/svg+xml", "public, max-age=300")
        elif path.startswith("/api"):
            assert answer.headers["cache-control"] == "no-store"
    answer = visitor.request("OPTIONS", "/api/city", headers={"origin": "https://elsewhere.example", "access-control-request-method": "POST"})
    assert "access-control-allow-origin" not in answer.headers


def test_a_breakdown_has_them_too(app: Any, client: Any) -> None:
    async def broken() -> None:
        raise RuntimeError("secret particulars")

    app.router.add_api_route("/api/broken-for-the-test", broken)
    app.router.routes.insert(0, app.router.routes.pop())
    try:
        answer = client().request("GET", "/api/broken-for-the-test")
    finally:
        app.router.routes.pop(0)
    assert answer.status_code == 503 and "secret particulars" not in answer.text
    assert told(answer, 503)["code"] == "server.broken"
    for name, value in HEADERS.items():
        assert answer.headers.get(name, "").startswith(value)


def demo(client: Any, owner: Any) -> Any:
    account = (
        next(a for a in owner.parts.identity.parties() if a["account"] == "page-tester") if any(a["account"] == "page-tester" for a in owner.parts.identity.parties()) else None
    )
    if account is None:
        owner.city.commands["user"]({"account": "page-tester", "role": "dispatcher", "password": "a long enough password"}, lambda *_: None)
    return client().request("POST", "/api/session", json={"account": "page-tester", "password": "a long enough password"})


def test_the_cookie_is_kept_from_scripts_and_other_sites(client: Any, owner: Any) -> None:
    answer = demo(client, owner)
    assert answer.status_code == 200, answer.text
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("zs_session=") and "HttpOnly" in cookie and re.search("samesite=lax", cookie, re.IGNORECASE) and "Path=/" in cookie
    account = {"account": "page-tester", "password": "a long enough password"}
    assert "Secure" not in cookie, "on the machine itself there is no HTTPS"
    assert "Secure" in client().request("POST", "https://127.0.0.1/api/session", json=account).headers["set-cookie"]
    owner.city.loopback = False
    try:
        assert "Secure" in demo(client, owner).headers["set-cookie"]
    finally:
        owner.city.loopback = True


@pytest.mark.parametrize(
    ("origin", "good"),
    [
        ("http://127.0.0.1", True),
        ("https://elsewhere.example", False),
        ("null", False),
        ("http://127.0.0.1.elsewhere.example", False),
        ("http://elsewhere.example/127.0.0.1", False),
        ("", False),
        ("http://127.0.0.1:1", False),
        ("http://[", False),
        ("http://a@127.0.0.1", False),
    ],
)
def test_another_site_cannot_post_with_the_cookie(client: Any, owner: Any, origin: str, good: bool) -> None:
    secret = demo(client, owner).headers["set-cookie"].partition("=")[2].partition(";")[0]
    headers = {"cookie": f"zs_session={secret}"} | ({"origin": origin} if origin else {})
    answer = client().request("POST", "/api/cases", json={"class": "drainage.ponding", "title_zh": "积水", "area": "990101001001001"}, headers=headers)
    if good:
        assert answer.status_code == 200, answer.text
    else:
        assert told(answer, 403)["code"] == "session.foreign_origin"


def test_guessing_a_password_is_slowed_down(client: Any, owner: Any) -> None:
    visitor = client()
    codes = [visitor.request("POST", "/api/session", json={"account": "guessed", "password": f"guess {n}"}).status_code for n in range(30)]
    assert 429 in codes
    answer = visitor.request("POST", "/api/session", json={"account": "guessed", "password": "again"})
    assert told(answer, 429)
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("held", ["Bearer ", "Bearer x", "Bearer " + "a" * 100_000, "bearer \x01", "Basic YTpi", "Bearer ٣", "Bearer a b"])
def test_odd_tokens(client: Any, held: str) -> None:
    answer = client().request("GET", "/api/sources", headers={"authorization": held.encode()})
    told(answer, 401, 403)
    told(client().request("GET", "/api/sources", headers={"cookie": f"zs_session={held[7:80]}".encode()}), 401, 403)


def test_no_header_can_be_smuggled_in(client: Any) -> None:
    for text in ("x%0d%0aSet-Cookie:%20a=b", "x%0aX-Bad:%201"):
        for path in (f"/api/evidence/{text}", f"/api/sources/{text}/quarantine.csv", f"/{text}", f"/api/live-none?last={text}", f"/map/{text}"):
            answer = client("steward").request("GET", path)
            assert "x-bad" not in answer.headers and "set-cookie" not in answer.headers and answer.status_code < 500


def test_no_method_is_overlooked(client: Any) -> None:
    for url in {route.url for route in ROUTES if "{" not in route.url and route.url != "/api/live"}:
        taken = {route.method for route in ROUTES if route.url == url}
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - taken:
            answer = client().request(method, url)
            assert answer.status_code in {404, 405}, f"{method} {url} {answer.status_code}"


def test_nobody_signed_in_changes_nothing(client: Any) -> None:
    for route in ROUTES:
        if route.method != "GET" and route.kind not in {"session", "story", "follow", "voice"}:
            url = re.sub(r"\{\w+\}", "x", route.url)
            answer = client().request(route.method, url, json={})
            assert answer.status_code in {400, 401, 403}, f"{route.method} {url} {answer.status_code}"
