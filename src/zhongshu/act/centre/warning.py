"""Warnings (预警): taken in as CAP or entered by hand, and ended by the updates and cancellations of the authority that issued them.

The order in which messages arrive makes no difference. No rule makes a warning: only a person on duty takes one in. Knows no XML and no map.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select

from zhongshu.act.centre import line
from zhongshu.act.centre.cap import COLOURS, Message
from zhongshu.act.centre.line import Document, Row
from zhongshu.act.centre.refusals import FOREIGN, LATER, NO_COLOUR, NO_RULE, NOT_YET, REUSED
from zhongshu.act.centre.tables import warning
from zhongshu.act.deed import INSTRUMENT, MISSING, SYSTEM, Deed, number
from zhongshu.act.shown import time_of
from zhongshu.kernel.area import show_area
from zhongshu.kernel.clock import MINUTE, rfc3339, to_us
from zhongshu.kernel.grade import Scope
from zhongshu.kernel.ids import uuid7

LETTER = "W"
AHEAD = 5 * MINUTE
"""So far may an issuer's clock stand before the city's."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
"""An issuer's number that is a time begins so."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """A warning entered by hand: times in µs; `kind` Alert, Update or Cancel; `names`: ids of those it ends; `issued`: its own number."""

    issuer: str
    issued: str
    hazard: str
    colour: str
    areas: tuple[int, ...]
    onset: int
    expires: int | None = None
    hazard_en: str = ""
    text_zh: str = ""
    text_en: str = ""
    kind: str = "Alert"
    names: tuple[str, ...] = ()
    drill: bool = False


def take(deed: Deed, message: Message, areas: Sequence[int], colour: str = "") -> Row:
    """Take a CAP message in and end what it names; the same again changes nothing. `areas`: where its shapes lie in this city.

    Raises `warning.not_yet_issued`, `warning.reused`, `warning.not_its_own`, `warning.no_colour`.
    """
    if message.sent > deed.now + AHEAD:
        raise NOT_YET(issued=line.told(deed, message.sent), now=line.told(deed, deed.now))
    facts = {name: getattr(message, name) for name in ("sender", "external", "sent", "status", "issuer", "onset", "expires", "text_zh", "text_en", "digest")}
    row = facts | {
        "source": "cap",
        "message": message.kind,
        "drill": message.status == "Exercise",
        "hazard": message.hazard_zh,
        "hazard_en": message.hazard_en,
        "colour": colour or message.colour,
        "colour_from": "hand" if colour else message.colour_from,
        "areas": list(areas),
        "shapes": [shape.document() for shape in message.shapes],
        "names": [list(one) for one in message.names],
    }
    return _add(deed, row)


def enter(deed: Deed, given: ByHand) -> Row:
    """Enter a warning by hand as its authority issued it. Raises what `take` raises, `case.missing`, `centre.ends_first`, `warning.not_yet_issued`."""
    _issued(deed, given.issued)
    named = [line.find(deed.connection, "warning", id_) for id_ in given.names]
    if given.kind != "Alert" and not named:
        raise MISSING(zh="所更新或解除的预警", en="names")
    if other := next((row for row in named if row["issuer"] != given.issuer), None):
        raise FOREIGN(sender=given.issuer, other=other["issuer"])
    if given.expires is not None and given.expires <= given.onset:
        raise LATER()
    row = {name: getattr(given, name) for name in ("issuer", "hazard", "hazard_en", "colour", "onset", "expires", "text_zh", "text_en", "drill")}
    row |= {"source": "hand", "sender": named[0]["sender"] if named else f"hand:{given.issuer}", "external": given.issued, "sent": given.onset, "message": given.kind}
    row |= {"status": "Exercise" if given.drill else "Actual", "colour_from": "hand", "areas": list(given.areas), "shapes": []}
    row |= {"names": [[old["sender"], old["external"], old["sent"]] for old in named]}
    return _add(deed, row | {"digest": hashlib.sha256(json.dumps(row, sort_keys=True, ensure_ascii=False).encode()).hexdigest()})


def _issued(deed: Deed, issued: str) -> None:
    """Refuse a warning whose own number is the time of its issue, and that time has not come. Raises `warning.not_yet_issued`."""
    told = _TIME.match(issued.strip())
    try:
        moment = datetime.fromisoformat(issued.strip()) if told else None
    except ValueError:
        return
    if moment is None:
        return
    at = to_us(moment if moment.tzinfo else moment.replace(tzinfo=deed.zone))
    if at > deed.now + AHEAD:
        raise NOT_YET(issued=line.told(deed, at), now=line.told(deed, deed.now))


def _add(deed: Deed, facts: Row) -> Row:
    if deed.actor.id in {SYSTEM.id, INSTRUMENT.id}:
        raise NO_RULE()
    known = _once(deed.connection, facts["sender"], facts["external"], facts["sent"])
    if known is not None:
        if known["digest"] != facts["digest"]:
            raise REUSED(sender=facts["sender"], external=facts["external"])
        return known
    if other := next((sender for sender, _, _ in facts["names"] if sender != facts["sender"]), None):
        raise FOREIGN(sender=facts["sender"], other=other)
    if facts["message"] != "Cancel" and facts["colour"] not in COLOURS:
        raise NO_COLOUR()
    area = line.over(facts["areas"])
    row = facts | {"id": uuid7(), "number": number(deed, area, deed.now, LETTER), "area": area, "ended": None, "ended_by": ""}
    row |= {"taken": deed.now, "taken_by": deed.actor.id, "version": 1}
    if (by := _ender_of(deed.connection, row)) is not None:
        row |= {"ended": by["taken"], "ended_by": by["id"]}
    deed.connection.execute(insert(warning), row)
    line.write(deed, "warning", row, {"Alert": "issue", "Update": "update", "Cancel": "cancel"}[row["message"]], detail={"sender": row["sender"], "external": row["external"]})
    for sender, external, sent in row["names"]:
        old = _once(deed.connection, sender, external, sent)
        if old is not None and old["ended"] is None and old["status"] == row["status"]:
            old = line.change(deed, "warning", old, {"ended": deed.now, "ended_by": row["id"]})
            line.write(deed, "warning", old, "ended", detail={"by": row["number"]})
            line.tell(deed, "warning", old, "ended")
    line.tell(deed, "warning", row, "taken", colour=row["colour"], hazard=row["hazard"])
    return row


def _once(connection: Connection, sender: str, external: str, sent: int) -> Row | None:
    c = warning.c
    found = connection.execute(select(warning).where(c.sender == sender, c.external == external, c.sent == sent)).mappings().one_or_none()
    return None if found is None else dict(found)


def _ender_of(connection: Connection, row: Row) -> Row | None:
    """Return the update or cancellation of this message that came before it, if one did."""
    c = warning.c
    own = [row["sender"], row["external"], row["sent"]]
    later = connection.execute(select(warning).where(c.sender == row["sender"], c.message != "Alert", c.status == row["status"]).order_by(c.taken)).mappings()
    return next((dict(other) for other in later if own in other["names"]), None)


def _holding(at: int) -> ColumnElement[bool]:
    c = warning.c
    return and_(c.onset <= at, or_(c.expires.is_(None), c.expires > at), or_(c.ended.is_(None), c.ended > at), c.message != "Cancel", c.status.in_(("Actual", "Exercise")))


def in_force(connection: Connection, at: int, area: int | None = None, *, drills: bool = False) -> list[Row]:
    """Return the warnings in force at a time (µs), in an area or anywhere, the gravest first; exercises only if asked for, tests never."""
    rows = connection.execute(select(warning).where(_holding(at), *(() if drills else (warning.c.drill.is_(False),)))).mappings()
    found = [dict(row) for row in rows if area is None or line.meets(row["areas"], area)]
    return sorted(found, key=lambda row: (-list(COLOURS).index(row["colour"]), row["onset"], row["number"]))


def listing(connection: Connection, scope: Scope, now: int, *, every: bool = False, limit: int = 100) -> list[Document]:
    """Return the warnings that touch a scope: those in force or to come, drills with them, or with `every` all that were taken in, newest first."""
    c = warning.c
    to_come = and_(c.onset > now, c.ended.is_(None), c.message != "Cancel")
    query = select(warning).where(*(() if every else (or_(_holding(now), to_come),))).order_by(c.taken.desc(), c.id.desc())
    return [show(row, now) for row in connection.execute(query).mappings() if line.touches(scope, row)][:limit]


def show(row: Mapping[Any, Any], now: int) -> Document:
    """Turn a warning's row into its document."""
    drill, zh_en = bool(row["drill"]), COLOURS.get(row["colour"], ("", ""))
    plain = ("id", "number", "source", "issuer", "external", "status", "message", "hazard", "hazard_en", "colour", "colour_from", "shapes", "ended_by", "version")
    ended = row["ended"] is not None or (row["expires"] is not None and row["expires"] <= now)
    held = row["onset"] <= now and not ended and row["message"] != "Cancel" and row["status"] in {"Actual", "Exercise"}
    hazard_en = row["hazard_en"] or row["hazard"]
    return {name: row[name] for name in plain} | {
        "drill": drill,
        "colour_zh": zh_en[0],
        "colour_en": zh_en[1],
        "title_zh": line.stamped(f"{row['hazard']}{zh_en[0]}预警" if zh_en[0] else "预警解除", drill=drill, language="zh"),
        "title_en": line.stamped(f"{hazard_en}: {zh_en[1].lower()} warning" if zh_en[0] else "Warning cancelled", drill=drill, language="en"),
        "text_zh": line.stamped(row["text_zh"], drill=drill, language="zh"),
        "text_en": line.stamped(row["text_en"], drill=drill, language="en"),
        "areas": [show_area(area) for area in row["areas"]],
        "onset": rfc3339(row["onset"]),
        "expires": time_of(row["expires"]),
        "ended": time_of(row["ended"]),
        "taken": rfc3339(row["taken"]),
        "in_force": held,
    }
