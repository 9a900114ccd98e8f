"""What is sent on to the owner from a process beside it: nobody's session is another's, a cut body is not whole, and what was perhaps done is not called undone."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from zhongshu.serve.forward import Forward, goes

pytestmark = pytest.mark.fuzz


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


heard: list[tuple[str, str, str]] = []


async def owner(request: Request) -> Response:
    body = await request.body()
    heard.append((request.headers.get("cookie", ""), request.headers.get("x-forwarded-for", ""), str(request.url.query)))
    answer = PlainTextResponse(f"{request.url.path} {len(body)}")
    answer.set_cookie("zs_session", "ALICE")
    return answer


async def served() -> AsyncIterator[str]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=[Route("/{rest:path}", owner, methods=["GET", "POST", "DELETE"])]), host="127.0.0.1", port=port, log_level="error"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


def test_a_session_is_given_to_nobody_else() -> None:
    async def work() -> None:
        async for there in served():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(Forward(Starlette(), lambda: there)), base_url="http://city.example") as alice:
                assert (await alice.post("/api/session", json={})).cookies["zs_session"] == "ALICE"
                alice.cookies.clear()
                heard.clear()
                await alice.post("/api/cases?q=%3Fx", json={})
                assert heard == [("", "127.0.0.1", "q=%3Fx")]

    asyncio.run(work())


def test_an_owner_that_is_not_there_and_one_that_broke_off_are_told_apart() -> None:
    async def work() -> None:
        async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.close()

        broken = await asyncio.start_server(breaks, "127.0.0.1", 0)
        port = broken.sockets[0].getsockname()[1]
        for there, code in ((f"http://127.0.0.1:{free_port()}", "owner.away"), (f"http://127.0.0.1:{port}", "owner.unsure")):
            async with httpx.AsyncClient(transport=httpx.ASGITransport(Forward(Starlette(), lambda of=there: of)), base_url="http://city.example") as asker:  # type: ignore[misc]
                answer = await asker.post("/api/cases", json={})
                assert (answer.status_code, answer.json()["code"]) == (503, code)
        broken.close()

    asyncio.run(work())


def test_a_body_that_was_cut_off_is_not_sent_on_as_whole() -> None:
    async def work() -> None:
        async for there in served():
            heard.clear()
            parts = iter([{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}])

            async def receive() -> Any:
                return next(parts)

            async def send(_: Any) -> None:
                raise AssertionError

            scope = {
                "type": "http",
                "method": "POST",
                "path": "/api/tables/limits",
                "raw_path": b"/api/tables/limits",
                "query_string": b"",
                "headers": [],
                "client": ("127.0.0.1", 1),
            }
            await Forward(Starlette(), lambda: there)(scope, receive, send)
            await asyncio.sleep(0.2)
            assert heard == []

    asyncio.run(work())


@pytest.mark.parametrize(
    ("method", "path", "there"),
    [
        ("GET", "/api/cases", False),
        ("HEAD", "/api/cases", False),
        ("POST", "/api/cases", True),
        ("DELETE", "/api/session", True),
        ("POST", "/api/sources/x/readings", False),
        ("POST", "/api/sources/x/y/readings", True),
        ("POST", "/api/sources/x/readings/", True),
        ("GET", "/api/proof", True),
        ("GET", "/api/session/demo", True),
        ("PATCH", "/anything", True),
    ],
)
def test_deeds_go_to_the_owner_and_looks_stay(method: str, path: str, there: bool) -> None:
    assert bool(goes(method, path)) is there
