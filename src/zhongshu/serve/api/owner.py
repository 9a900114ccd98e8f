"""Commands of this machine's user, done by the owner: only with the token that lies in the city's folder."""

import asyncio
import contextlib
import json
import queue
import threading
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse

from zhongshu.kernel.problem import Problem, declare
from zhongshu.serve.city import City
from zhongshu.serve.door import Door
from zhongshu.serve.problems import BROKEN, document

NOT_LOCAL = declare(
    "owner.not_local",
    "refused",
    zh=("这个地址只供本机命令使用。", "请在服务器上运行 zhongshu 命令。"),
    en=("This address is for commands on the machine itself.", "Run the zhongshu command on the server."),
)
UNKNOWN_COMMAND = declare(
    "owner.unknown_command",
    "unknown",
    zh=("没有命令“{command}”。", "请查看 zhongshu --help。"),
    en=("There is no command '{command}'.", "See zhongshu --help."),
)


LOOK = 0.5
"""Seconds for which a line is waited for at a time."""


class _LeftError(Exception):
    """Nobody waits for a command any more."""


async def run(asked: Door, command: str, request: Request) -> StreamingResponse:
    """Do a command and stream its progress, a JSON line each; the last line holds what it gave."""
    city = asked.city
    if asked.principal.means != "token" or city.identity.profile(asked.principal).get("account") != "owner":
        raise NOT_LOCAL()
    if command not in city.commands:
        raise UNKNOWN_COMMAND(command=command)
    try:
        arguments = json.loads(await request.body() or b"{}")
    except ValueError:
        arguments = {}
    return StreamingResponse(_lines(city, command, arguments if isinstance(arguments, dict) else {}), media_type="application/x-ndjson")


async def _lines(city: City, command: str, arguments: dict[str, Any]) -> AsyncIterator[bytes]:
    """Give a command's lines. Who asked may go, and so may this process: then the command ends at its next step."""
    said, left = queue.SimpleQueue[dict[str, Any]](), threading.Event()

    def tell(what: str, count: int) -> None:
        if left.is_set():
            raise _LeftError
        said.put({"what": what, "count": count})

    def work() -> None:
        try:
            said.put({"done": city.commands[command](arguments, tell)})
        except Problem as problem:
            said.put(document(problem))
        except Exception as error:  # noqa: BLE001 (it is told to the asker)
            said.put(document(BROKEN(trace=f"{type(error).__name__} {error}")))

    def next_line() -> dict[str, Any]:
        with contextlib.suppress(queue.Empty):
            return said.get(timeout=LOOK)
        return {}

    threading.Thread(target=work, name=f"command {command}", daemon=True).start()
    try:
        while True:
            line = await asyncio.to_thread(next_line)  # never longer than a look: a waiting thread would keep the process from ending
            if line:
                yield json.dumps(line, ensure_ascii=False).encode() + b"\n"
            if line and "what" not in line:
                return
    finally:
        left.set()
