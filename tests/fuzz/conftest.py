"""A small city that runs whole but without a server: hostile requests go straight into its application."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from zhongshu.app import Owner, make_token
from zhongshu.serve.routes import build
from zhongshu.settings import read
from zhongshu.survey import make

HOST = "http://127.0.0.1"
ROLES = ("admin", "steward", "dispatcher", "acceptor", "duty_officer", "citizen", "source_writer:sandbox.devices")


@pytest.fixture(scope="session")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """Return the owner of a city of 20,000."""
    folder: Path = tmp_path_factory.mktemp("city")
    make(folder, 20_000, 7)
    held = Owner(read({"data": str(folder), "port": "0", "commit_s": "1"}))
    held.start()
    yield held
    held.stop()


@pytest.fixture(scope="session")
def app(owner: Owner) -> FastAPI:
    """Return the application."""
    return build(owner.city, owner.settings.data)


@pytest.fixture(scope="session")
def tokens(owner: Owner) -> dict[str, str]:
    """Return a token for each role, and none for the sandbox's visitor."""
    return {role: make_token(owner.parts, f"fuzz-{role.partition(':')[0]}", role, None) for role in ROLES} | {"guest": ""}


class Inside:
    """Sends requests into the application without a socket, one after another, from any thread."""

    def __init__(self, app: FastAPI, headers: dict[str, str]) -> None:
        """Speak to an application with these headers."""
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url=HOST, headers=headers, timeout=30)

    def request(self, method: str, url: str, **sent: Any) -> httpx.Response:
        """Send one request and return the whole answer."""
        return asyncio.run_coroutine_threadsafe(self._http.request(method, url, **sent), self._loop).result(60)


Client = Callable[..., Inside]


@pytest.fixture(scope="session")
def client(app: FastAPI, tokens: dict[str, str]) -> Client:
    """Return a maker of clients of a role."""

    def of(role: str = "guest", **headers: str) -> Inside:
        return Inside(app, headers | ({"authorization": f"Bearer {tokens[role]}"} if tokens[role] else {}))

    return of
