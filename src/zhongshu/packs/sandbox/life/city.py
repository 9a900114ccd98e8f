"""The sandbox's line to the city: HTTP with one account per seat, as anyone outside has it.

A refusal or a lost line is an answer of None: simulated people shrug and try again. Knows URLs; knows no seat's purpose.
"""

import gzip
from typing import Any

import httpx
import msgspec

_encode = msgspec.json.Encoder()


class City:
    """The city's API, spoken by seats. `tokens`: seat → bearer token."""

    def __init__(self, http: httpx.AsyncClient, tokens: dict[str, str]) -> None:
        """Take a client that knows the city's address, and the seats' tokens."""
        self._http, self._tokens = http, tokens
        self.refused: dict[str, int] = {}

    async def get(self, seat: str, path: str, **params: str | int) -> Any:  # noqa: ANN401 (whatever JSON the city answers)
        """Return what the city answers, or None."""
        return await self._send("GET", seat, path, params=params)

    async def post(self, seat: str, path: str, body: object | None = None) -> Any:  # noqa: ANN401
        """Send JSON and return what the city answers, or None."""
        content = None if body is None else _encode.encode(body)
        return await self._send("POST", seat, path, content=content, headers={"Content-Type": "application/json"})

    async def readings(self, seat: str, source: str, batch: str, rows: list[dict[str, Any]]) -> Any:  # noqa: ANN401
        """Send readings as NDJSON under a batch id, so that sending twice is harmless."""
        content = gzip.compress(_encode.encode_lines(rows), 1)
        headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip", "Zs-Batch": batch}
        return await self._send("POST", seat, f"/api/sources/{source}/readings", content=content, headers=headers)

    async def evidence(self, seat: str, name: str, picture: bytes) -> str | None:
        """Upload a JPEG and return its sha256, or None."""
        kept = await self._send("POST", seat, "/api/evidence", files={"file": (name, picture, "image/jpeg")})
        return kept["sha256"] if kept else None

    async def all(self, seat: str, path: str, **params: str | int) -> list[dict[str, Any]]:
        """Return every item of a list, page after page."""
        items: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        while (page := await self.get(seat, path, **params, **after)) is not None:
            items += page["items"]
            if not page.get("next") or not page["items"]:
                break
            after = {"after": str(page["next"])}
        return items

    async def _send(self, method: str, seat: str, path: str, headers: dict[str, str] | None = None, **rest: Any) -> Any:  # noqa: ANN401
        known = {"Authorization": f"Bearer {self._tokens[seat]}"} if seat in self._tokens else {}
        try:
            answer = await self._http.request(method, path, headers=known | (headers or {}), **rest)
        except httpx.HTTPError as error:
            self.refused[type(error).__name__] = self.refused.get(type(error).__name__, 0) + 1
            return None
        if answer.is_error:
            key = f"{answer.status_code} {method} {path.partition('?')[0]}"
            self.refused[key] = self.refused.get(key, 0) + 1
            return None
        try:
            return msgspec.json.decode(answer.content) if answer.content else {}
        except msgspec.DecodeError:
            return None
