"""Family looks on: links by which someone else sees what becomes of one report, made and revoked by who reported it.

A link shows who holds it, since and until when, and the answer; never the words, the place, a telephone number or the right to say how it ended. Its secret
is told once and kept as a digest; it ends by itself some days after the end (`follow_days`), and holds again should the report be open again.
"""

import hashlib
import re
from secrets import token_urlsafe
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, insert, or_, select, update

from zhongshu.act import duty, voices
from zhongshu.act.deed import Deed
from zhongshu.act.shown import Document, street_of, time_of
from zhongshu.act.tables import case_file, case_step, follow_link, request
from zhongshu.kernel.area import show_area
from zhongshu.kernel.clock import DAY, rfc3339
from zhongshu.kernel.ids import uuid7
from zhongshu.kernel.problem import declare

UNKNOWN = declare(
    "follow.link_unknown",
    "unknown",
    zh=("这个链接打不开：它不完整，或从来没有过。", "请让家人把链接再发一次，整条复制。"),
    en=("This link opens nothing: it is not whole, or there never was one.", "Ask your family to send it again, and copy all of it."),
)
REVOKED = declare(
    "follow.link_revoked",
    "unknown",
    zh=("做这个链接的人已经把它撤回了。", "还想看进展，请向家人再要一个；急事可打 12345。"),
    en=("Who made this link has taken it back.", "To see how it goes, ask them for a new one; if it is urgent, ring 12345."),
)
OVER = declare(
    "follow.link_over",
    "unknown",
    zh=("这件事已经办完，链接在 {days} 天后自己失效了。", "想知道结果，请问反映这件事的家人，或打 12345。"),
    en=("This matter has ended, and the link ended by itself {days} days later.", "For the result ask who reported it, or ring 12345."),
)
TOO_MANY = declare(
    "follow.too_many_links",
    "conflict",
    zh=("这件事已经做过 {most} 个链接。", "请把做好的链接转给其他家人；需要更多，请打 12345。"),
    en=("{most} links have been made for this report.", "Pass one of them on to the others; for more, ring 12345."),
)
MOST = 20
"""So many links are ever made for one report."""
_OVER = ("answered", "transferred", "refused", "closed")
"""The states of a voice that became no case in which nothing more is waited for."""
_NUMBERS = re.compile(r"(?<![0-9])(?:\+?86[- ]?)?(?:1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4}|0[0-9]{2,3}[- ]?[0-9]{7,8}|[0-9]{17}[0-9Xx])(?![0-9])")
"""Telephone numbers and the numbers of people's papers, should someone have written one into an answer."""

Row = dict[str, Any]


def own(connection: Connection, request_id: str, reporter: str) -> Row | None:
    """Return a voice, by its id or number, that this reporter told; None for any other."""
    query = select(request).where(or_(request.c.id == request_id, request.c.number == request_id), request.c.reporter == reporter)
    found = connection.execute(query).mappings().one_or_none() if reporter else None
    return None if found is None else dict(found)


def make(deed: Deed, told: Row) -> tuple[Document, str]:
    """Make a link for a voice and return it, and its secret, which is told this once. Raises `follow.too_many_links`."""
    count = deed.connection.execute(select(func.count()).where(follow_link.c.request == told["id"])).scalar_one()
    if count >= MOST:
        raise TOO_MANY(most=MOST)
    secret = token_urlsafe(16)
    row = {"id": uuid7(), "digest": _digest(secret), "request": told["id"], "made": deed.now, "revoked": None}
    deed.connection.execute(insert(follow_link), row)
    deed.witness(deed.connection, "request.share", told["number"], {"link": row["id"]})
    return _show(row), secret


def revoke(deed: Deed, told: Row, link: str) -> None:
    """Revoke a link of a voice, at once; one that is revoked stays so. Raises `follow.link_unknown`."""
    c = follow_link.c
    row = deed.connection.execute(select(follow_link).where(c.id == link, c.request == told["id"])).mappings().one_or_none()
    if row is None:
        raise UNKNOWN()
    if row["revoked"] is None:
        deed.connection.execute(update(follow_link).where(c.id == link).values(revoked=deed.now))
        deed.witness(deed.connection, "request.unshare", told["number"], {"link": link})


def listing(connection: Connection, told: Row) -> list[Document]:
    """Return the links made for a voice, the first first, with when each was revoked; no secret."""
    query = select(follow_link).where(follow_link.c.request == told["id"]).order_by(follow_link.c.made, follow_link.c.id)
    return [_show(dict(row)) for row in connection.execute(query).mappings()]


def seen(connection: Connection, secret: str, now: int, zone: ZoneInfo) -> Document:
    """Return what a link shows. Raises `follow.link_unknown`, `follow.link_revoked`, `follow.link_over`."""
    link = connection.execute(select(follow_link).where(follow_link.c.digest == _digest(secret))).mappings().one_or_none()
    if link is None:
        raise UNKNOWN()
    if link["revoked"] is not None:
        raise REVOKED()
    told = connection.execute(select(request).where(request.c.id == link["request"])).mappings().one()
    ended, days = _ended(connection, dict(told)), int(duty.figure(connection, "follow_days", now))
    until = None if ended is None else ended + days * DAY
    if until is not None and now >= until:
        raise OVER(days=days)
    found = voices.get_request(connection, told["id"], None, zone)
    if found is None:
        raise UNKNOWN()
    class_ = duty.row_for(connection, told["class"], told["created"]) if told["class"] else None
    result = found["result"] and {side: [{"sha256": file["sha256"]} for file in found["result"][side][:1]] for side in ("before", "after")}
    plain = {name: found[name] for name in ("number", "created", "state", "state_zh", "state_en", "answered", "waiting")}
    return plain | {
        "area": show_area(street_of(told["area"])[0]),
        "class_zh": class_["zh"] if class_ else "",
        "class_en": class_["en"] if class_ else "",
        "answer": _NUMBERS.sub("****", found["answer"] or ""),
        "case": found["case"] and {name: value for name, value in found["case"].items() if name != "number"},
        "result": result,
        "until": time_of(until),
    }


def _ended(connection: Connection, told: Row) -> int | None:
    """Return when a voice came to its end (µs): its case closed, or, if it became none, its last line; None while something is waited for."""
    held = connection.execute(select(case_file.c.step, case_file.c.closed).where(case_file.c.id == told["case_id"])).one_or_none() if told["case_id"] else None
    if held is not None and held.step != "void":
        return None if held.closed is None else int(held.closed)
    if told["state"] not in _OVER:
        return None
    last = select(func.max(case_step.c.at)).where(case_step.c.kind == "request", case_step.c.subject == told["id"])
    return int(connection.execute(last).scalar_one_or_none() or told["received"])


def _show(row: Row) -> Document:
    return {"id": row["id"], "made": rfc3339(row["made"]), "revoked": time_of(row["revoked"])}


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
