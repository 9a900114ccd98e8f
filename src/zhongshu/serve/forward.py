"""What a process beside the owner does not answer itself: it is sent on to the owner as it came, and the answer back as it comes.

Knows addresses, not what they mean: writes go to the owner, but for readings, and so do the few reads of what the owner alone knows.
"""

import re
from collections.abc import AsyncIterator, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
from starlette.types import ASGIApp, Receive, Send

from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why
from zhongshu.serve.problems import answer

AWAY = declare(
    "owner.away",
    "unavailable",
    zh=("这座城市的主进程现在没有应答（{why_zh}）：看得到，办不了。", "请稍后重试；什么都没有改变。"),
    en=("The process that owns this city does not answer ({why_en}): you can look, not act.", "Try again in a moment; nothing was changed."),
)

UNSURE = declare(
    "owner.unsure",
    "unavailable",
    zh=("主进程没有答复（{why_zh}）：不知道办成没有。", "请先看一眼是否已经办成，再决定要不要重做。"),
    en=("The process that owns this city did not answer ({why_en}): whether it was done is not known.", "Look first whether it is done before you do it again."),
)

OWN = re.compile(r"/api/sources/[^/]+/(readings|requests)")
"""Posts that are taken in here: they go to the journal by the owner's hand."""
OWNERS = re.compile(r"/api/(proof|story|running|session/demo)(/.*)?")
"""Reads of what the owner alone knows."""
LARGE = 2**18
TRUSTED = {b"127.0.0.1"}
"""Whose word is taken for who asked: the same as the owner's."""
SAFE = {"GET", "HEAD", "OPTIONS"}
_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
"""Headers that are of one connection (RFC 9110, 7.6.1)."""


class _GoneError(Exception):
    """Whoever sends went away: what came of the body must not look whole."""


class Forward:
    """Wraps an application: what is the owner's goes there."""

    def __init__(self, app: ASGIApp, owner: Callable[[], str]) -> None:
        """Take the application and who tells the owner's address now."""
        self._app, self._owner = app, owner
        nothing = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # what the owner sets is for whoever asked, and for nobody else
        self._client = httpx.AsyncClient(cookies=nothing, timeout=httpx.Timeout(60, connect=3), trust_env=False, limits=httpx.Limits(max_connections=200))

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:  # noqa: ANN401 (ASGI's own)
        """Answer here, or send on."""
        if scope["type"] != "http" or not (goes(scope["method"], scope["path"]) or large(scope)):
            try:
                await self._app(scope, receive, send)
            finally:
                if scope["type"] == "lifespan":
                    await self._client.aclose()
            return
        begun = False
        try:
            url = httpx.URL(self._owner()).copy_with(raw_path=scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b""))
            asked = self._client.build_request(scope["method"], url, headers=_asked(scope), content=None if scope["method"] in SAFE else _body(receive))
            told = await self._client.send(asked, stream=True)
            try:
                await send({"type": "http.response.start", "status": told.status_code, "headers": _kept(told.headers.raw)})
                begun = True
                async for part in told.aiter_raw():
                    await send({"type": "http.response.body", "body": part, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            finally:
                await told.aclose()
        except _GoneError:
            return
        except (httpx.HTTPError, OSError) as error:
            if begun:
                raise
            unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
            await answer((AWAY if unsent else UNSURE)(**why(error, "没有应答")))(scope, receive, send)


def goes(method: str, path: str) -> bool:
    """Tell whether a request is the owner's."""
    return OWNERS.fullmatch(path) is not None if method in SAFE else not (method == "POST" and OWN.fullmatch(path))


def large(scope: Any) -> bool:  # noqa: ANN401 (ASGI's own)
    """Tell whether what is sent may be more than goes to the owner in one message: then it goes there as it came."""
    told = dict(scope["headers"])
    size = told.get(b"content-length", b"")
    return scope["method"] == "POST" and (b"content-encoding" in told or not size.isdigit() or int(size) > LARGE)


def _kept(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in headers if name.lower() not in _HOP]


def _asked(scope: Any) -> list[tuple[bytes, bytes]]:  # noqa: ANN401 (ASGI's own)
    """Return the headers to send on, with who asked before us; what a sender says of that itself is not passed on."""
    who, own = (scope.get("client") or ("", 0))[0].encode(), _kept(scope["headers"])
    if who in TRUSTED and any(name == b"x-forwarded-for" for name, _ in own):
        return own  # a balancer on this machine has said it, as it would to the owner
    kept = [(name, value) for name, value in own if name not in {b"x-forwarded-for", b"x-forwarded-proto"}]
    return [*kept, (b"x-forwarded-for", who), (b"x-forwarded-proto", scope.get("scheme", "http").encode())]


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _GoneError
        yield message.get("body", b"")
        if not message.get("more_body"):
            return
