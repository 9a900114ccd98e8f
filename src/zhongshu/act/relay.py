"""The relay: readings of the steps taken, derived from the history in its order, handed to the intake exactly once.

A range of the history is marked as pending before it is sent, and as done after it was accepted; so after any crash the very same batch is
sent again, and the intake knows its id and digest. Knows no journal: whoever calls it hands the rows on.

A step that was taken back is never counted, so nothing has to be counted down again: a line that has readings and may still be taken back
waits here until it no longer may (`HOLD`), and what came after waits behind it; once handed over it can no longer be taken back; and a line
that a later one takes back (`detail.undoes`) is handed over as nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, ScalarSelect, func, select, true
from sqlalchemy.dialects.postgresql import insert as upsert

from zhongshu.act import clocks, states
from zhongshu.act.deed import SYSTEM
from zhongshu.act.tables import case_step, desk_cursor
from zhongshu.kernel.clock import SECOND
from zhongshu.kernel.desk import Desk
from zhongshu.kernel.ids import urn

SOURCE = "desk"
CURSOR = "relay"
BATCH = 5000
HOLD = 10 * SECOND
"""So long after a step it may be taken back, in the city's time."""

_CASE = {
    "report": (("Case.opened", 1),),
    "patrol": (("Case.opened", 1),),
    "confirm": (("Case.opened", 1),),
    "import": (("Case.opened", 1),),
    "due": (("Case.due", 1),),
    "close": (("Case.closed", 1),),
    "source_close": (("Case.closed", 1),),
    "check_fail": (("Case.redone", 1),),
    "dispatch": (("Case.dispatched", 1),),
    "rule": (("Case.dispatched", 1),),
    "uphold": (("Case.dispatch_returned", 1),),
    "park": (("Case.parked", 1),),
    "resume": (("Case.parked", 0),),
    "reopen": (("Case.reopened", 1),),
    "unsolved": (("Case.reopened", 1),),
    "self_handle": (("Case.self_handled", 1),),
    "escalate": (("Case.escalated", 1),),
    "overdue": (("Case.part_overdue", 1),),
}
_REQUEST = {"received": (("Request.received", 1),), "answer": (("Request.answered", 1),), "link": (), "unlink": ()}

_PARTS = {part: f"Case.{part}_s" for part in clocks.PARTS.values()}
"""How long each part of the work took, in seconds of the wall clock."""

_HELD = tuple(sorted(verb for verb in states.UNDOABLE if verb not in {"false_alarm", "duplicate"}))

NAMES = frozenset(
    {name for rows in (*_CASE.values(), *_REQUEST.values()) for name, _ in rows} | {"Case.closed_on_time", "Request.repeat", *_PARTS.values()},
)
"""The properties it writes; a pack declares them."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Handover:
    """A batch for the intake: `desk:{first}-{last}` and its rows {entity, property, time (µs), value, area}; `last`: to be confirmed."""

    batch: str
    last: int
    rows: list[Row]


def readings_of(step: Row) -> list[Row]:
    """Return the readings that one line of the history means; a pure function of the line."""
    told: tuple[tuple[str, int], ...] = ()
    if step["kind"] == "case":
        told = _of_case(step)
    elif step["kind"] == "request":
        told = _REQUEST.get(step["verb"], ())
        if step["detail"].get("repeat"):
            told = (*told, ("Request.repeat", 0 if step["verb"] == "unlink" else 1))
    return [{"entity": urn(name.partition(".")[0], step["number"]), "property": name, "time": step["happened"], "value": value, "area": step["area"]} for name, value in told]


def _of_case(step: Row) -> tuple[tuple[str, int], ...]:
    """Return what a case's line means: what was done, and how long the part took that ended with it; a second closing is not counted again."""
    told: tuple[tuple[str, int], ...] = _CASE.get(step["verb"], ())
    if (step["verb"] == "resume" and step["from_mark"] != "parked") or step["detail"].get("again"):
        told = ()
    if step["detail"].get("on_time"):
        told = (*told, ("Case.closed_on_time", 1))
    ended = step["detail"].get("ended")
    return (*told, (_PARTS[ended["part"]], ended["s"])) if ended else told


def _lifted(step: Row) -> list[Row]:
    """Return the reading that corrects an overdue counted at that time, where a line tells that the part had ended before: what is known last holds."""
    told = step["detail"].get("lifted")
    return [{"entity": urn("Case", step["number"]), "property": "Case.part_overdue", "time": told["at"], "value": 0, "area": step["area"]}] if told else []


def prepare(connection: Connection, most: int = BATCH, now: int | None = None) -> Handover | None:
    """Within a write: mark the next range as pending and return it; a range still pending comes again, the same. None: nothing new.

    `now` in µs: lines that may still be taken back wait; without it nothing waits.
    """
    done, pending = _cursor(connection)
    if pending is None:
        ready = true() if now is None else case_step.c.seq < func.coalesce(_first_held(done, now), case_step.c.seq + 1)
        ahead = select(case_step.c.seq).where(case_step.c.seq > done, ready).order_by(case_step.c.seq).limit(most).subquery()
        pending = connection.execute(select(func.max(ahead.c.seq))).scalar_one()
        if pending is None:
            return None
        _set(connection, done, pending)
    steps = connection.execute(select(case_step).where(case_step.c.seq > done, case_step.c.seq <= pending).order_by(case_step.c.seq)).mappings()
    undone = _undone(connection, done)
    rows = [row for step in steps if step["seq"] not in undone for row in (*readings_of(dict(step)), *_lifted(dict(step)))]
    return Handover(f"{SOURCE}:{done + 1}-{pending}", pending, rows)


def confirm(connection: Connection, last: int) -> None:
    """Within a write: the intake has accepted everything up to `last`; never goes back."""
    done = connection.execute(select(desk_cursor.c.done).where(desk_cursor.c.name == CURSOR)).scalar_one_or_none() or 0
    if last > done:
        _set(connection, last, None)


def handed_over(connection: Connection, seq: int) -> bool:
    """Tell whether a line of the history has been handed over, or is on its way."""
    done, pending = _cursor(connection)
    return seq <= (done if pending is None else pending)


def waiting(connection: Connection) -> bool:
    """Tell, within a read, whether the history has lines that were not handed over."""
    done = select(desk_cursor.c.done).where(desk_cursor.c.name == CURSOR).scalar_subquery()
    return connection.execute(select(case_step.c.seq).where(case_step.c.seq > func.coalesce(done, 0)).limit(1)).first() is not None


def behind(connection: Connection) -> int | None:
    """Return, within a read, when the oldest line was written (µs) that was not handed over; None: all were."""
    done = select(desk_cursor.c.done).where(desk_cursor.c.name == CURSOR).scalar_subquery()
    first = select(case_step.c.at).where(case_step.c.seq > func.coalesce(done, 0)).order_by(case_step.c.seq).limit(1)
    return connection.execute(first).scalar_one_or_none()


def run(desk: Desk, send: Callable[[str, list[Row]], object], most: int = BATCH, now: Callable[[], int] | None = None) -> int:
    """Hand over what is new; `send(batch, rows)` must return only when it is durable. Returns how many readings were sent.

    `now` tells the city's time, by which lines wait that may still be taken back; without it (the desk closes) nothing waits.
    """
    sent = 0
    while desk.read(waiting):
        ready = desk.write(lambda connection: prepare(connection, most, None if now is None else now()))
        if ready is None:
            break
        if ready.rows:
            send(ready.batch, ready.rows)
        last = ready.last
        desk.write(lambda connection, last=last: confirm(connection, last))  # type: ignore[misc]
        sent += len(ready.rows)
    return sent


_AT = select(desk_cursor.c.done, desk_cursor.c.pending).where(desk_cursor.c.name == CURSOR)


def _cursor(connection: Connection) -> tuple[int, int | None]:
    found = connection.execute(_AT).one_or_none()
    return (0, None) if found is None else (found[0], found[1])


def _first_held(done: int, now: int) -> ScalarSelect[int]:
    """Return the first line that a person could still take back, and that has readings."""
    c = case_step.c
    held = select(func.min(c.seq)).where(c.seq > done, c.kind == "case", c.verb.in_(_HELD), c.actor != SYSTEM.id, c.at >= now - HOLD)
    return held.correlate(None).scalar_subquery()


def _undone(connection: Connection, done: int) -> frozenset[int]:
    """Return the lines after `done` that a later one takes back; a line that was handed over is no longer taken back, so this is settled."""
    later = connection.execute(select(case_step.c.detail).where(case_step.c.seq > done, case_step.c.verb.in_(("undo", "void")))).scalars()
    return frozenset(detail["undoes"] for detail in later if "undoes" in detail)


def _set(connection: Connection, done: int, pending: int | None) -> None:
    statement = upsert(desk_cursor).values(name=CURSOR, done=done, pending=pending)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"done": done, "pending": pending}))
