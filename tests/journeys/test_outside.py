"""A server that others can reach: whoever is not signed in gets no further than the door, and demo accounts are for the machine itself."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from zhongshu.app import Owner
from zhongshu.govern import DemoAccount
from zhongshu.kernel.problem import Problem
from zhongshu.serve.door import COOKIE
from zhongshu.serve.routes import ROUTES, build
from zhongshu.settings import read
from zhongshu.survey import make

from .streets import png

pytestmark = pytest.mark.journey
NOTHING_THERE = {
    (400, "request.no_words"),
    (404, "playbook.unknown"),
    (404, "request.not_here"),
    (404, "evidence.not_here"),
    (400, "request.invalid"),
    (404, "follow.link_unknown"),
}
"""What who is let in is told of an address with nothing behind it."""
OPEN_KINDS = {"health", "city", "session", "follow", "voice"}


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """Return the owner of a sandbox city whose address others could reach; nothing is served."""
    folder = tmp_path_factory.mktemp("outside")
    make(folder, 20_000, 7)
    held = Owner(read({"data": str(folder), "host": "0.0.0.0", "port": "0"}))
    held.start()
    yield held
    held.stop()


def ask(owner: Owner, method: str, url: str, **sent: Any) -> httpx.Response:
    """Send one request straight into the application."""

    async def one() -> httpx.Response:
        transport = httpx.ASGITransport(build(owner.city, owner.settings.data), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://city.example") as http:
            return await http.request(method, url, **sent)

    return asyncio.run(one())


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.url}")
def test_nobody_gets_no_further_than_the_door(outside: Owner, route: Any) -> None:
    url = route.url.format(
        code=990100000000000,
        source="sandbox.devices",
        id="1",
        indicator="DR02",
        area=990100000000000,
        verb="take",
        link=1,
        sha256="0" * 64,
        seat="dispatcher",
        command="verify",
        task="1",
        attempt=1,
        order="1",
        kind="classes",
        version="x",
        form="pdf",
        secret="x",
        name="manhole",
    )
    sent: dict[str, Any] = (
        {"files": {"file": ("a.png", png(1), "image/png")}} if url == "/api/evidence" else {"json": {"account": "x", "password": "y"}} if route.method == "POST" else {}
    )
    answer = ask(outside, route.method, url, **sent)
    if (route.kind in OPEN_KINDS and route.action != "manage") or (route.kind, route.action) == ("table", "read"):
        assert answer.status_code in {200, 401} or (answer.status_code, answer.json()["code"]) in NOTHING_THERE
    else:
        assert (answer.status_code, answer.json()["code"]) == (401, "guard.sign_in")


def test_demo_accounts_are_for_the_machine_itself(outside: Owner) -> None:
    identity = outside.parts.identity
    identity.add_demo([DemoAccount("dispatcher", "派遣员", "Dispatcher", "dispatcher", outside.parts.about.code)])
    refused = ask(outside, "POST", "/api/session", json={"account": "dispatcher", "password": outside.settings.demo_password})
    assert (refused.status_code, refused.json()["code"]) == (403, "session.demo_elsewhere")
    assert COOKIE not in refused.cookies
    assert ask(outside, "GET", "/api/session/demo").json() == {"accounts": []}
    assert ask(outside, "POST", "/api/story/seats/dispatcher").status_code == 401
    held = next(p["id"] for p in identity.parties() if p["account"] == "dispatcher")
    _, secret = identity.issue_token(held, "left over", actor="test")
    assert ask(outside, "GET", "/api/cases", headers={"authorization": f"Bearer {secret}"}).status_code == 401
    with pytest.raises(Problem, match=r"session\.demo_elsewhere"):
        identity.take_seat("dispatcher")
