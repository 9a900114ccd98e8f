"""The ceiling: an endpoint that only decodes readings and group-commits the bytes to a plain file. Nothing is checked, kept once or judged."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import uvicorn


class Row(msgspec.Struct, gc=False):
    """A reading as sent."""

    entity: str
    property: str
    time: str | int
    value: float


DECODER = msgspec.json.Decoder(list[Row])


class Bare:
    """Raw ASGI; one writer task: one write and one fdatasync per group, then everybody who waits is answered."""

    def __init__(self, path: Path) -> None:
        """Write to a file."""
        self.file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self.waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self.wake = asyncio.Event()

    async def writer(self) -> None:
        """Commit groups for ever."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            group, self.waiting = self.waiting, []
            await asyncio.to_thread(self.commit, b"".join(b for b, _ in group))
            for _, done in group:
                done.set_result(None)

    def commit(self, content: bytes) -> None:
        """Write and sync."""
        os.write(self.file, content)
        os.fdatasync(self.file)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer 202 once the bytes are on disk."""
        if scope["type"] == "lifespan":
            self.task = asyncio.create_task(self.writer())
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": message["type"] + ".complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        DECODER.decode(b"[" + body.replace(b"\n", b",") + b"]")
        done = asyncio.get_running_loop().create_future()
        self.waiting.append((body, done))
        self.wake.set()
        await done
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})


if __name__ == "__main__":
    uvicorn.run(Bare(Path(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), log_level="error", lifespan="on")
