"""Orders (指令) of an incident: each to one unit, with a limit; its receipts are sent, read, accepted, done, each with who and when. Knows no incident's rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from zhongshu.act import duty, units
from zhongshu.act.centre import line
from zhongshu.act.centre.line import Document, Row
from zhongshu.act.centre.refusals import NO_VERB, NOT_NOW, NOT_YOURS, UNKNOWN
from zhongshu.act.centre.tables import incident_order
from zhongshu.act.deed import MISSING, SYSTEM, Deed, number
from zhongshu.act.shown import time_of
from zhongshu.kernel.clock import rfc3339
from zhongshu.kernel.grade import Principal
from zhongshu.kernel.ids import uuid7

LETTER = "O"
STATES = {
    "sent": ("已下达", "sent"),
    "read": ("已读", "read"),
    "accepted": ("已接令", "accepted"),
    "done": ("已完成", "done"),
    "declined": ("不能承担", "declined"),
    "cancelled": ("已撤销", "cancelled"),
}
OPEN = ("sent", "read", "accepted")
VERBS = {"read": ("签收", "Mark as read"), "accept": ("接令", "Accept"), "done": ("完成", "Done"), "decline": ("不能承担", "Decline"), "cancel": ("撤销指令", "Cancel the order")}
_MOVES = {
    **{(state, "cancel"): "cancelled" for state in OPEN},
    **{(state, "decline"): "declined" for state in OPEN},
    ("sent", "read"): "read",
    ("sent", "accept"): "accepted",
    ("read", "accept"): "accepted",
    ("accepted", "done"): "done",
}
CANCEL = "cancel"
OF_UNIT = frozenset(VERBS) - {CANCEL}
"""What the unit itself does; the centre cancels."""
MOST = 1000


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What an order is made with: `due` µs or None; `task`: its key in the plan, '' if it is none's."""

    unit: str
    title_zh: str
    title_en: str = ""
    due: int | None = None
    task: str = ""
    basis: str = ""


def send(deed: Deed, incident: Row, new: NewOrder) -> Row:
    """Send an order to a unit. Raises `case.missing`, `unit.unknown`."""
    if not new.unit or not new.title_zh.strip():
        raise MISSING(zh="单位、内容", en="unit, title_zh")
    units.check(deed, new.unit, incident["area"])
    zh, en = duty.unit_names(deed.connection, new.unit)
    title = line.titled(incident, (new.title_zh, new.title_en or new.title_zh))
    row: Row = {"id": uuid7(), "number": number(deed, incident["area"], deed.now, LETTER), "incident": incident["id"], "task": new.task, "title_zh": title[0], "title_en": title[1]}
    row |= {"unit": new.unit, "unit_zh": zh, "unit_en": en, "basis": new.basis, "area": incident["area"], "drill": incident["drill"], "state": "sent", "sent": deed.now}
    row |= {"sent_by": deed.actor.id, "due": new.due, "read": None, "accepted": None, "ended": None, "note": "", "told": 0, "version": 1}
    deed.connection.execute(insert(incident_order), row)
    _said(deed, row, "send", "", note=new.title_zh)
    return row


def step(deed: Deed, incident_id: str, order_id: str, verb: str, note: str = "", version: int | None = None) -> Row:
    """Move an order by one verb: its unit reads, accepts, ends or declines it, the centre cancels it.

    Raises `centre.unknown`, `centre.no_verb`, `centre.not_now`, `centre.stale`, `order.not_yours`, `case.missing`.
    """
    if verb not in VERBS:
        raise NO_VERB(verb=verb, verbs=", ".join(VERBS))
    row = line.find(deed.connection, "order", order_id)
    if row["incident"] != incident_id:
        raise UNKNOWN(id=order_id, zh="指令", en="order")
    if verb in OF_UNIT and deed.actor.unit != row["unit"]:
        raise NOT_YOURS(unit_zh=row["unit_zh"], unit_en=row["unit_en"])
    to = _MOVES.get((row["state"], verb))
    if to is None:
        said, verb_said = STATES[row["state"]], VERBS[verb]
        raise NOT_NOW(number=row["number"], state_zh=said[0], state_en=said[1], verb_zh=verb_said[0], verb_en=verb_said[1])
    if verb in {"decline", "cancel"} and not note.strip():
        raise MISSING(zh="理由", en="note")
    changes: Row = {"state": to} | ({"note": note} if note else {})
    if verb in {"read", "accept"} and row["read"] is None:
        changes["read"] = deed.now
    changes |= {"accepted": deed.now} if verb == "accept" else {"ended": deed.now} if to not in OPEN else {}
    after = line.change(deed, "order", row, changes, version)
    _said(deed, after, verb, row["state"], note)
    return after


def _said(deed: Deed, row: Row, verb: str, before: str, note: str = "") -> None:
    detail = {"incident": row["incident"], "due": row["due"], "title_zh": row["title_zh"], "title_en": row["title_en"]}
    line.write(deed, "order", row, verb, ends=(before, row["state"]), note=note, unit=row["unit"], detail=detail)
    line.tell(deed, "order", row, verb, incident=row["incident"], state=row["state"], unit=row["unit"])


def late(deed: Deed) -> int:
    """Note once of every open order that its limit has run out; return how many there were."""
    c = incident_order.c
    own = deed.by(SYSTEM)
    rows = [dict(row) for row in deed.connection.execute(select(incident_order).where(c.due <= deed.now, c.state.in_(OPEN), c.told == 0).limit(MOST)).mappings()]
    for row in rows:
        deed.connection.execute(update(incident_order).where(c.id == row["id"]).values(told=1))
        _said(own, row | {"told": 1}, "overdue", row["state"])
    return len(rows)


def of_incident(connection: Connection, incident_id: str) -> list[Row]:
    """Return an incident's orders as they were sent."""
    query = select(incident_order).where(incident_order.c.incident == incident_id).order_by(incident_order.c.sent, incident_order.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def unsigned(connection: Connection) -> list[Row]:
    """Return the orders that their units have not accepted, oldest first."""
    query = select(incident_order).where(incident_order.c.state.in_(("sent", "read"))).order_by(incident_order.c.sent, incident_order.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def of_the_centre(state: str) -> list[Document]:
    """Return the verbs of whoever gave an order that is in a state."""
    return [{"verb": CANCEL, "zh": VERBS[CANCEL][0], "en": VERBS[CANCEL][1]}] if (state, CANCEL) in _MOVES else []


def _basis_en(connection: Connection, row: Mapping[Any, Any]) -> str:
    """Return what an order rests on in English, as the plan it comes from says; otherwise as it was written."""
    held = duty.book(connection)
    said = held.made.get("plans_en")
    if said is None:
        said = held.made["plans_en"] = {(plan.cells["task"], plan.cells["basis"]): plan.cells["basis_en"] for plan in held.every("plans")}
    return said.get((row["task"], row["basis"])) or str(row["basis"])


def show(connection: Connection, row: Mapping[Any, Any], viewer: Principal, now: int) -> Document:
    """Turn an order's row into its document, with the verbs of the viewer's unit."""
    plain = ("id", "number", "incident", "task", "title_zh", "title_en", "unit", "unit_zh", "unit_en", "basis", "state", "note", "version")
    verbs = [verb for verb in VERBS if (row["state"], verb) in _MOVES and verb in OF_UNIT and viewer.unit == row["unit"]]
    return {name: row[name] for name in plain} | {
        "state_zh": STATES[row["state"]][0],
        "state_en": STATES[row["state"]][1],
        "drill": bool(row["drill"]),
        "basis_en": _basis_en(connection, row),
        "sent": rfc3339(row["sent"]),
        **{name: time_of(row[name]) for name in ("due", "read", "accepted", "ended")},
        "late": row["due"] is not None and (row["ended"] or now) > row["due"],
        "verbs": [{"verb": verb, "zh": VERBS[verb][0], "en": VERBS[verb][1]} for verb in verbs],
    }
