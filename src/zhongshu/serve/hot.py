"""The hot way in: a few addresses that pass by the framework, and the way back of many receipts at once. Asks nobody for permission: handlers do."""

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Send

from zhongshu.kernel.journal import Receipt
from zhongshu.kernel.problem import Problem
from zhongshu.serve.problems import answer, on_broken


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

    def __init__(
        self, app: ASGIApp, hot: Mapping[str, tuple[re.Pattern[str], Callable[[Request], Awaitable[Response]]]], city: Starlette, headers: list[tuple[bytes, bytes]]
    ) -> None:
        """Wrap an application; `hot`: method and pattern of the path with its handler; `headers`: what every answer has."""
        self.app, self.hot, self.city, self.headers = app, hot, city, headers

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:  # noqa: ANN401 (ASGI's own)
        """Answer a hot address, pass on any other."""
        held = self.hot.get(scope.get("method", "")) if scope["type"] == "http" else None
        match = held[0].fullmatch(scope["path"]) if held is not None else None
        if held is None or match is None:
            await self.app(scope, receive, send)
            return
        scope["app"], scope["path_params"] = self.city, match.groupdict()
        request = Request(scope, receive)
        try:
            response = await held[1](request)
        except ClientDisconnect:
            return
        except Problem as problem:
            response = answer(problem)
        except Exception as error:  # noqa: BLE001 (answered and logged as elsewhere)
            response = await on_broken(request, error)
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers + self.headers})
        await send({"type": "http.response.body", "body": response.body})
