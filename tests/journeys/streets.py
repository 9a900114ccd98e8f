"""A small city that is served on this machine, two of its streets, a client for each role in them, and a listener to its stream."""

import contextlib
import json
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from zhongshu.app import Owner, make_token
from zhongshu.govern import Grant, Party
from zhongshu.kernel.area import Level, interval, show_area
from zhongshu.serve.routes import build
from zhongshu.settings import read
from zhongshu.survey import make

DRAINAGE = "dept-drainage"


def png(shade: int) -> bytes:
    """Return a picture of 8 × 8 points."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = b"".join(b"\0" + bytes([shade, 90, 120]) * 8 for _ in range(8))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Town:
    """A small city that is served on this machine without its simulated life, two of its streets, and a client for each role in them."""

    def __init__(self, folder: Path, **more: str) -> None:
        """Make it with its people where there is none, open it with these settings, and let it be served."""
        new = not (folder / "city.toml").exists()
        if new:
            make(folder, 20_000, 7)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.owner = Owner(read({"data": str(folder), "port": str(port), "commit_s": "1"} | more))
        self.owner.start()
        areas = self.owner.parts.areas
        self.city = areas.city.code
        self.here, self.there = sorted(a.code for a in areas.at(Level.STREET) if a.lon is not None)[:2]
        self.url = self.owner.url
        server = uvicorn.Server(uvicorn.Config(build(self.owner.city, folder), host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1))
        self._server, self._thread = server, threading.Thread(target=server.run, daemon=True)
        self._thread.start()
        self.clients: dict[str, httpx.Client] = {"": self._client({})}
        for name, role, area in (
            ("handler-here", "handler", self.here),
            ("handler-there", "handler", self.there),
            ("drainage-office", "department", self.city),
            ("roads-office", "department", self.city),
            ("checker-there", "checker", self.there),
            ("acceptor", "acceptor", self.city),
            ("acceptor-here", "acceptor", self.here),
            ("dispatcher", "dispatcher", self.city),
            ("steward", "steward", self.city),
            ("citizen", "citizen", self.city),
            ("neighbour", "citizen", self.city),
            ("writer", "source_writer:sandbox.devices", self.city),
            ("admin", "admin", self.city),
        ) * new:
            self.clients[name] = self._client({"authorization": f"Bearer {self.token(name, role, area)}"})

    def token(self, name: str, role: str, area: int) -> str:
        """Return a token of a new party of one role; handlers and the department's officers are the drainage office's or, by name, the roads office's."""
        if role not in {"handler", "department"}:
            return make_token(self.owner.parts, name, role, show_area(area))
        return self.officer(name, role, area, "dept-road" if name == "roads-office" else DRAINAGE)

    def officer(self, name: str, role: str, area: int, unit: str) -> str:
        """Return a token of a new person of a unit."""
        identity = self.owner.parts.identity
        held = identity.add_party(Party(name, name, name, (Grant(role, area),), unit, kind="service"), actor="test")
        return identity.issue_token(held, name, actor="test")[1]

    def join(self, name: str, token: str) -> None:
        """Let someone act through a key."""
        self.clients[name] = self._client({"authorization": f"Bearer {token}"})

    def _client(self, headers: dict[str, str]) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def as_(self, who: str, method: str, url: str, **sent: Any) -> httpx.Response:
        """Send one request as someone."""
        return self.clients[who].request(method, url, **sent)

    def ok(self, who: str, method: str, url: str, **sent: Any) -> Any:
        """Send one request as someone, see that it is well, and return the document."""
        answer = self.as_(who, method, url, **sent)
        assert answer.status_code < 300, f"{who} {method} {url} → {answer.status_code} {answer.text[:300]}"
        return answer.json()

    def refused(self, who: str, method: str, url: str, *statuses: int, **sent: Any) -> None:
        """See that a request is refused with a problem."""
        answer = self.as_(who, method, url, **sent)
        assert answer.status_code in (statuses or (403, 404)), f"{who} {method} {url} → {answer.status_code} {answer.text[:300]}"
        assert answer.headers["content-type"] == "application/problem+json"

    def place(self, street: int) -> tuple[float, float]:
        """Return a point inside a street."""
        row = self.owner.parts.areas[street]
        assert row.lon is not None and row.lat is not None
        return row.lon, row.lat

    def report(self, who: str, street: int, text: str, **more: Any) -> Any:
        """Report something as a citizen and return the receipt."""
        lon, lat = self.place(street)
        return self.ok(who, "POST", "/api/requests", json={"text": text, "lon": lon, "lat": lat, "class": "drainage.ponding"} | more)

    def case(self, street: int, text: str, class_: str = "drainage.ponding") -> Any:
        """Have a report become a case that waits for the drainage office's handler."""
        number = self.report("citizen", street, text, **{"class": class_})["number"]
        lead = next(row for row in self.ok("acceptor", "GET", "/api/leads?state=open")["items"] if inside(row["area"], street))
        made = self.ok("acceptor", "POST", f"/api/leads/{lead['id']}/confirm", json={"version": lead["version"]})
        sent = self.ok("dispatcher", "POST", f"/api/cases/{made['case']}/dispatch", json={"unit": DRAINAGE})
        return sent | {"request": number, "lead": lead["id"]}

    def close(self) -> None:
        """Stop serving and let go."""
        for client in self.clients.values():
            client.close()
        self._server.should_exit = True
        self._thread.join(10)
        self.owner.stop()


def inside(area: str, street: int) -> bool:
    low, high = interval(street)
    return low <= int(area) < high


def until(true: Callable[[], bool], what: str) -> None:
    """Wait for something the city does by itself."""
    for _ in range(200):
        if true():
            return
        threading.Event().wait(0.1)
    pytest.fail(f"it never came: {what}")


class Stream:
    """A listener of server-sent events, of its own thread."""

    def __init__(self, town: Town, who: str, last: str = "") -> None:
        """Begin to listen."""
        self.events: list[tuple[str, str, Any]] = []
        self.opened = threading.Event()
        self._over = threading.Event()
        headers = dict(town.clients[who].headers) | ({"last-event-id": last} if last else {})
        self._thread = threading.Thread(target=self._listen, args=(f"{town.url}/api/live", headers), daemon=True)
        self._thread.start()
        assert self.opened.wait(20)

    def _listen(self, url: str, headers: dict[str, str]) -> None:
        kind = id_ = ""
        with contextlib.suppress(httpx.HTTPError), httpx.stream("GET", url, headers=headers, timeout=30, trust_env=False) as answer:
            for line in answer.iter_lines():
                self.opened.set()
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "id":
                    id_ = value
                elif name == "data":
                    self.events.append((kind, id_, json.loads(value)))
                if self._over.is_set():
                    return

    def of(self, *kinds: str) -> list[Any]:
        """Return what was told of these kinds."""
        return [body for kind, _, body in list(self.events) if kind in kinds]

    def close(self) -> None:
        """Stop listening at the next event."""
        self._over.set()
        self._thread.join(10)
