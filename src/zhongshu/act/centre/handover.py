"""Handing over (交接班): a sheet computed from the record without typing, frozen when the outgoing officer signs, finished by the incoming one's signature.

Until then the incoming officer is not in charge. What this stage cannot know (devices that are silent) is handed in. Knows no page.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, func, insert, select

from zhongshu.act import states, voices
from zhongshu.act.centre import incident, instruction, line, mode, order, report, response, roster, warning
from zhongshu.act.centre.line import Document, Row
from zhongshu.act.centre.refusals import NOT_IN_CHARGE, NOT_NOW, OTHER_EXPECTED, OWN_HANDOVER
from zhongshu.act.centre.tables import handover
from zhongshu.act.deed import Deed, number
from zhongshu.act.shown import hide, in_scope, time_of
from zhongshu.act.tables import case_file
from zhongshu.kernel.area import show_area
from zhongshu.kernel.clock import rfc3339
from zhongshu.kernel.grade import ANONYMOUS, Scope
from zhongshu.kernel.ids import uuid7

LETTER = "H"
STATES = {"frozen": ("待接班人签字", "waits for the incoming officer"), "finished": ("已交接", "handed over"), "superseded": ("已重新交接", "made out anew")}
LEADS = "leader"
"""The role that may sign for an officer who cannot."""
LISTED = 20
"""So many cases of each sort stand on the sheet; the count tells of all."""

Outside = Callable[[], list[Document]]
"""Gives what this stage cannot know: the silent devices' findings, {zh, en, area, since}."""


def nothing() -> list[Document]:
    """Know of no silent device."""
    return []


def sheet(connection: Connection, now: int, zone: ZoneInfo, scope: Scope, silent: Outside = nothing, memo: str = "") -> Document:
    """Compute the sheet as the record stands: 未结、临期、超时、在效预警、响应、离线设备、领导批示、未签收指令、重点诉求、备忘; cases of the scope alone."""
    c = case_file.c
    open_now = c.step.in_(states.OPEN)
    running = c.parked.is_(None)
    everywhere = Scope(((0, 10**15),), 2)
    modes = mode.listing(connection, everywhere, now)
    return {
        "at": rfc3339(now),
        "open": _cases(connection, scope, [open_now], c.opened),
        "near": _cases(connection, scope, [open_now, running, c.warn <= now, c.due > now], c.due),
        "overdue": _cases(connection, scope, [open_now, running, c.due <= now], c.due),
        "parts_overdue": _cases(connection, scope, [open_now, running, c.held_due <= now], c.held_due),
        "voices": _cases(connection, scope, [open_now, c.voices > 1], c.voices.desc()),
        "warnings": [warning.show(row, now) for row in warning.in_force(connection, now, drills=True)],
        "responses": [response.show(connection, row) for row in response.in_force(connection, now, drills=True)],
        "modes": modes["items"],
        "incidents": incident.listing(connection, everywhere),
        "reports": report.waiting(connection, now),
        "silent": silent(),
        "instructions": instruction.unfinished(connection, scope, now),
        "orders": [order.show(connection, row, ANONYMOUS, now) for row in order.unsigned(connection)],
        "roster": [turn.document() for turn in roster.on_duty(connection, now, zone)],
        "waiting_voices": voices.waiting(connection, scope),
        "memo": memo,
    }


def _cases(connection: Connection, scope: Scope, which: list[ColumnElement[bool]], by: Any) -> Document:  # noqa: ANN401 (a column, or its order)
    held = [*which, *in_scope(case_file.c, scope)]
    count = connection.execute(select(func.count()).select_from(case_file).where(*held)).scalar_one()
    plain = ("id", "number", "class", "class_zh", "class_en", "title_zh", "title_en", "address", "step", "mark", "holder_zh", "holder_en", "voices")
    rows = connection.execute(select(case_file).where(*held).order_by(by, case_file.c.id).limit(LISTED)).mappings()
    items = [{name: row[name] for name in plain} | {"area": show_area(row["area"]), **{name: time_of(row[name]) for name in ("opened", "due", "held_due")}} for row in rows]
    return {"count": count, "items": [hide(item, scope) for item in items]}


def in_charge(connection: Connection, at: int) -> Document | None:
    """Return who was in charge at a time (µs): {id, name, since} of the last finished handover's incoming officer; None before the first."""
    c = handover.c
    query = select(handover).where(c.state == "finished", c.signed_in <= at).order_by(c.signed_in.desc(), c.number.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else {"id": row["incoming"], "name": row["incoming_name"], "since": rfc3339(row["signed_in"]), "handover": row["id"]}


def begin(deed: Deed, area: int, scope: Scope, silent: Outside = nothing, memo: str = "", expected: str = "") -> Row:
    """Freeze the sheet with the outgoing officer's signature. Only whoever is in charge hands over; where nobody is yet, the first officer opens the watch and is named as its signer.

    A leader may sign for an officer who cannot; the sheet says so, and the leader does not take over with it. `expected`: the id of who is to take over, '' for anyone on duty. A sheet that waits is made out anew. Raises `handover.not_in_charge`, `handover.own`.
    """
    now = in_charge(deed.connection, deed.now)
    if now is not None and now["id"] != deed.actor.id and LEADS not in deed.actor.role_names:
        raise NOT_IN_CHARGE(name=now["name"])
    if now is not None and expected in {now["id"], deed.actor.id}:
        raise OWN_HANDOVER()
    waiting = deed.connection.execute(select(handover).where(handover.c.state == "frozen")).mappings().all()
    for old in waiting:
        _said(deed, line.change(deed, "handover", dict(old), {"state": "superseded"}), "supersede")
    document = sheet(deed.connection, deed.now, deed.zone, scope, silent, memo)
    document["first"] = now is None
    document["signed_by"] = {"id": deed.actor.id, "name": deed.actor.name}
    out = (deed.actor.id, deed.actor.name) if now is None else (now["id"], now["name"])
    row: Row = {"id": uuid7(), "number": number(deed, area, deed.now, LETTER), "area": area, "state": "frozen", "outgoing": out[0], "outgoing_name": out[1], "expected": expected}
    row |= {"signed_out": deed.now, "incoming": "", "incoming_name": "", "signed_in": None, "memo": memo, "document": document, "digest": digest(document), "version": 1}
    deed.connection.execute(insert(handover), row)
    _said(deed, row, "sign_out")
    return row


def sign(deed: Deed, id_: str, version: int | None = None) -> Row:
    """Take over: the incoming officer's signature finishes the sheet, and they are in charge from now on.

    Raises `centre.unknown`, `centre.not_now`, `centre.stale`, `handover.own`, `handover.other_expected`.
    """
    row = line.find(deed.connection, "handover", id_)
    if row["state"] != "frozen":
        state = STATES[row["state"]]
        raise NOT_NOW(number=row["number"], state_zh=state[0], state_en=state[1], verb_zh="接班签字", verb_en="sign")
    if in_charge(deed.connection, deed.now) is not None and deed.actor.id in {row["outgoing"], row["document"]["signed_by"]["id"]}:
        raise OWN_HANDOVER()
    if row["expected"] and row["expected"] != deed.actor.id:
        raise OTHER_EXPECTED()
    after = line.change(deed, "handover", row, {"state": "finished", "incoming": deed.actor.id, "incoming_name": deed.actor.name, "signed_in": deed.now}, version)
    _said(deed, after, "sign_in")
    return after


def _said(deed: Deed, row: Row, verb: str) -> None:
    line.write(deed, "handover", row, verb, ends=("", row["state"]), detail={"digest": row["digest"]})
    line.tell(deed, "handover", row, verb, state=row["state"])


def digest(document: Document) -> str:
    """Return the SHA-256 of a sheet's canonical JSON, in hex."""
    return hashlib.sha256(json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def waiting(connection: Connection) -> Row | None:
    """Return the sheet that waits for a signature, if there is one."""
    row = connection.execute(select(handover).where(handover.c.state == "frozen")).mappings().first()
    return None if row is None else dict(row)


def listing(connection: Connection, limit: int) -> list[Row]:
    """Return the handovers, the last first; those made out anew stay among them, and say so."""
    query = select(handover).order_by(handover.c.signed_out.desc(), handover.c.number.desc()).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def read(connection: Connection, id_: str) -> Row:
    """Return a handover by its id or number. Raises `centre.unknown`."""
    return line.find(connection, "handover", id_)


def _first(row: Mapping[Any, Any]) -> bool:
    """Tell whether a sheet opened the watch; one signed before sheets said so has one name twice."""
    return bool(row["document"].get("first", row["outgoing"] == row["incoming"]))


def show(row: Mapping[Any, Any], *, whole: bool = True) -> Document:
    """Turn a handover's row into its document; without `whole`, who signed when, and no sheet. `first`: nobody was in charge who could hand over."""
    plain = ("id", "number", "state", "outgoing", "outgoing_name", "incoming", "incoming_name", "expected", "digest", "version")
    return {name: row[name] for name in plain} | {
        "state_zh": STATES[row["state"]][0],
        "state_en": STATES[row["state"]][1],
        "signed_out": rfc3339(row["signed_out"]),
        "signed_in": time_of(row["signed_in"]),
        "first": _first(row),
        "memo": row["memo"] if whole else "",
        "document": row["document"] if whole else None,
    }
