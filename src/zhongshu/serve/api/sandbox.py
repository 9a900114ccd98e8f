"""The sandbox's story, its seats, and what proves that nothing was lost."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from zhongshu.act import record
from zhongshu.govern import lines
from zhongshu.kernel.problem import Problem, declare
from zhongshu.serve.api.sessions import give
from zhongshu.serve.city import Sandbox
from zhongshu.serve.door import Asked, Door, principal_of
from zhongshu.serve.live import PLACELESS, Listener

NO_STORY = declare(
    "story.none",
    "unknown",
    zh=("这座城市没有模拟剧情。", "剧情只在沙盒城市里。"),
    en=("This city has no story.", "Only a sandbox city has one."),
)
NO_SEAT = declare(
    "story.no_seat",
    "unknown",
    zh=("没有名为“{seat}”的岗位。", "请从剧情里列出的岗位中选择。"),
    en=("There is no seat '{seat}'.", "Choose one of those the story lists."),
)


NEWS = ("vital", "finding", "lead", "case", "request", "warning", "response", "mode", "incident", "handover", "instruction", "run")
"""The kinds of news an open screen is told."""
_READ_AS = {"handover": "duty", "instruction": "duty", "run": "scenario"}


def _life(asked: Asked) -> Sandbox:
    if asked.city.life is None:
        raise NO_STORY()
    return asked.city.life


def story(asked: Door) -> dict[str, Any]:
    """Return the story as it stands: its steps, the rain, the seats; links and the phone's case only to who may open them."""
    return _within(asked, _life(asked).story())


def _within(asked: Asked, told: dict[str, Any]) -> dict[str, Any]:
    """Return a story without the links that the asker may not open."""
    steps = [{**step, "link": step["link"] if step["link"] and _may_open(asked, step["link"]) else None} for step in told["steps"]]
    phone = told["phone"]
    return told | {"steps": steps, "phone": phone if phone and _may_open(asked, f"/desk/case/{phone['case']}") else None}


_CASE = re.compile(r"/(?:desk/case|field/task)/([^/?]+)")
_LEAD = re.compile(r"/desk/queue\?lead=(.+)")
_VITAL = re.compile(r"/vital/[^/]+/(\d{15})(\?finding=.+)?")


def _may_open(asked: Asked, link: str) -> bool:
    """Tell whether the asker may read what a link of the story leads to; what names nothing is open to all."""
    city = asked.city
    if (case := _CASE.fullmatch(link)) is not None:
        scope = city.guard.scope(asked.principal, "read", "case")
        try:
            return bool(scope) and bool(city.office.read(lambda conn: record.outline(conn, scope, case[1])))
        except Problem:
            return False
    if (lead := _LEAD.fullmatch(link)) is not None:
        scope = city.guard.scope(asked.principal, "read", "lead")
        return bool(scope) and city.office.read(lambda conn: record.get_lead(conn, scope, lead[1])) is not None
    if (vital := _VITAL.fullmatch(link)) is not None:
        kinds = ("vital", "finding") if vital[2] else ("vital",)
        return all(city.guard.scope(asked.principal, "read", kind).holds(int(vital[1])) for kind in kinds)
    return True


def start(asked: Door) -> dict[str, Any]:
    """Let the storm come, 20 s from now, unless it is under way."""
    return _within(asked, _life(asked).start_story())


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


async def live(asked: Door, request: Request, topics: str = "", indicators: str = "") -> StreamingResponse:
    """Stream changes as server-sent events, within the asker's scope of each kind, of signs to those named in `indicators` if any are; resumes by Last-Event-ID."""
    city = asked.city
    scopes = {kind: city.guard.scope(asked.principal, "read", _READ_AS.get(kind, kind)) for kind in NEWS}
    wanted = frozenset(t for t in topics.split(",") if t in {*scopes, *PLACELESS})
    last = request.headers.get("last-event-id") or request.query_params.get("last", "")
    city.ledger.note_read(asked.principal.id, "vital", "live", action="stream")

    def still() -> bool:
        """Tell whether the same party still asks with the same scopes."""
        try:
            same = principal_of(request, city)[0] == asked.principal
        except Problem:
            return False
        return same and all(city.guard.scope(asked.principal, "read", _READ_AS.get(kind, kind)) == scope for kind, scope in scopes.items())

    news = city.hub.stream(Listener(scopes, wanted, asyncio.get_running_loop(), still, frozenset(filter(None, indicators.split(",")))), last)

    async def stream() -> AsyncIterator[bytes]:
        """Pass the news on; when it ends, for whatever reason, the ledger hears of it."""
        try:
            async for event in news:
                yield event
        finally:
            city.ledger.note_read(asked.principal.id, "vital", "live", action="stream_end")

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
