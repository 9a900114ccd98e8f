"""The hot way in: a few addresses that pass by the framework, and the way back of many receipts at once. Asks nobody for permission: handlers do."""

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Send

from zhongshu.kernel.journal import Receipt
from zhongshu.kernel.problem import Problem, ProblemKind, declare
from zhongshu.serve.problems import answer, on_broken, on_validation

TOO_LONG = declare(
    "request.too_long",
    "too_large",
    zh=("提交的内容超过 {limit} 字节。", "请缩短后再提交；照片请先作为佐证上传。"),
    en=("What was sent is longer than {limit} bytes.", "Shorten it, then send again; upload photographs as evidence first."),
)
MOST = 2**20
"""The longest body of a hot address that takes one document, in bytes."""


async def body_of(request: Request, most: int = MOST, refusal: ProblemKind = TOO_LONG) -> bytes:
    """Return the whole body of a request; refused as soon as it is longer than `most` bytes."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise refusal(limit=most)
        chunks.append(chunk)
    return b"".join(chunks)


class Answers:
    """Hands receipts from the journal's thread to those who wait in the server's: a whole group wakes the server once."""

    def __init__(self) -> None:
        """Start with nobody waiting."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: deque[Callable[[], None]] = deque()
        self._called = False

    def wait(self) -> "Answer":
        """Return one who waits in the running loop, to be given to the journal and awaited."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # another server: the first, or one after another in a test
            self._loop, self._ready, self._called = loop, deque(), False
        return Answer(self, loop)

    def put(self, loop: asyncio.AbstractEventLoop, tell: Callable[[], None]) -> None:
        """Have something done in a loop soon; called by any thread. A loop that has ended has nobody left to tell."""
        with contextlib.suppress(RuntimeError):
            if loop is not self._loop:
                loop.call_soon_threadsafe(tell)
                return
            self._ready.append(tell)
            if not self._called:
                self._called = True
                loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._called = False
        while self._ready:
            self._ready.popleft()()


class Answer:
    """One who waits for a receipt; may have gone away meanwhile."""

    __slots__ = ("_answers", "_done", "_error", "_loop", "_receipt", "receipt")

    def __init__(self, answers: Answers, loop: asyncio.AbstractEventLoop) -> None:
        """Wait in a loop."""
        self._answers, self._loop, self._done = answers, loop, False
        self._receipt: Receipt | None = None
        self._error: BaseException | None = None
        self.receipt: asyncio.Future[Receipt] = loop.create_future()

    def done(self) -> bool:
        """Tell whether it was answered."""
        return self._done

    def set_result(self, receipt: Receipt, /) -> None:
        """Answer."""
        self._done, self._receipt = True, receipt
        self._answers.put(self._loop, self._tell)

    def set_exception(self, error: BaseException | None, /) -> None:
        """Answer that it failed."""
        self._done, self._error = True, error
        self._answers.put(self._loop, self._tell)

    def _tell(self) -> None:
        if self.receipt.done():
            return
        if self._receipt is not None:
            self.receipt.set_result(self._receipt)
        elif self._error is not None:
            self.receipt.set_exception(self._error)


class HotRoutes:
    """Hands a few addresses straight to their handlers, without the framework's way in; what they raise is answered as elsewhere."""

    def __init__(self, app: ASGIApp, hot: Mapping[re.Pattern[str], Callable[[Request], Awaitable[Response]]], city: Starlette, headers: list[tuple[bytes, bytes]]) -> None:
        """Wrap an application; `hot`: the pattern of a path that is posted to, with its handler; `headers`: what every answer has."""
        self.app, self.hot, self.city, self.headers = app, tuple(hot.items()), city, headers

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:  # noqa: ANN401 (ASGI's own)
        """Answer a hot address, pass on any other."""
        posted = self.hot if scope["type"] == "http" and scope["method"] == "POST" else ()
        handler, match = next(((handler, match) for path, handler in posted if (match := path.fullmatch(scope["path"])) is not None), (None, None))
        if handler is None or match is None:
            await self.app(scope, receive, send)
            return
        scope["app"], scope["path_params"] = self.city, match.groupdict()
        request = Request(scope, receive)
        try:
            response = await handler(request)
        except ClientDisconnect:
            return
        except Problem as problem:
            response = answer(problem)
        except RequestValidationError as error:
            response = await on_validation(request, error)
        except Exception as error:  # noqa: BLE001 (answered and logged as elsewhere)
            response = await on_broken(request, error)
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers + self.headers})
        await send({"type": "http.response.body", "body": response.body})
