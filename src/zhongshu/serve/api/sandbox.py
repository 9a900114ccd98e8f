"""The sandbox's story, its seats, and what proves that nothing was lost."""

import asyncio
from typing import Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from zhongshu.govern import lines
from zhongshu.kernel.problem import declare
from zhongshu.serve.api.sessions import give
from zhongshu.serve.city import Sandbox
from zhongshu.serve.door import Asked, Door
from zhongshu.serve.live import PLACELESS, Listener

NO_STORY = declare(
    "story.none", "unknown",
    zh=("这座城市没有模拟剧情。", "剧情只在沙盒城市里。"),
    en=("This city has no story.", "Only a sandbox city has one."),
)
NO_SEAT = declare(
    "story.no_seat", "unknown",
    zh=("没有名为“{seat}”的岗位。", "请从剧情里列出的岗位中选择。"),
    en=("There is no seat '{seat}'.", "Choose one of those the story lists."),
)


def _life(asked: Asked) -> Sandbox:
    if asked.city.life is None:
        raise NO_STORY()
    return asked.city.life


def story(asked: Door) -> dict[str, Any]:
    """Return the story as it stands: its steps with their links, the rain, the phone, the seats."""
    return _life(asked).story()


def start(asked: Door) -> dict[str, Any]:
    """Let the storm come, 20 s from now, unless it is under way."""
    return _life(asked).start_story()


def take_seat(asked: Door, seat: str, response: Response) -> dict[str, Any]:
    """Take a seat over: the visitor is signed in as its account and the simulated person stops."""
    life, account = _life(asked), asked.city.seats.get(seat)
    if account is None:
        raise NO_SEAT(seat=seat)
    signed = asked.city.identity.take_seat(account)
    life.take_seat(seat)
    return give(response, asked.city, signed)


def proof(asked: Door) -> dict[str, Any]:
    """Return what was found again after the last start, counted, and where journal, lake and ledger stand."""
    city = asked.city
    head = city.ledger.head
    return dict(city.proof) | {"head": city.journal.head(), "lake": city.lake.offset(), "ledger": {"lines": head.seq, "hash": head.hash, "whole": city.ledger.whole}}


def ledger(asked: Door, after: int = 0, limit: int = 100) -> dict[str, Any]:
    """List the ledger's lines."""
    limit = max(1, min(limit, 1000))
    rows = asked.city.desk.read(lambda conn: list(lines(conn, min(max(after, 0), 2**62), limit)))
    return {"items": [dict(row) for row in rows], "next": rows[-1]["seq"] if len(rows) == limit else None}


async def live(asked: Door, request: Request, topics: str = "") -> StreamingResponse:
    """Stream changes as server-sent events, within the asker's scope of each kind; resumes by Last-Event-ID."""
    city = asked.city
    scopes = {kind: city.guard.scope(asked.principal, "read", kind) for kind in ("vital", "finding", "lead", "case", "request")}
    wanted = frozenset(t for t in topics.split(",") if t in {*scopes, *PLACELESS})
    last = request.headers.get("last-event-id") or request.query_params.get("last", "")
    city.ledger.note_read(asked.principal.id, "vital", "live", action="stream")
    stream = city.hub.stream(Listener(scopes, wanted, asyncio.get_running_loop()), last)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
