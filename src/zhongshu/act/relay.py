"""The relay: readings of the steps taken, derived from the history in its order, handed to the intake exactly once.

A range of the history is marked as pending before it is sent, and as done after it was accepted; so after any crash the very same batch is
sent again, and the intake knows its id and digest. Knows no journal: whoever calls it hands the rows on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from zhongshu.act.tables import case_step, desk_cursor
from zhongshu.kernel.desk import Desk
from zhongshu.kernel.ids import urn

SOURCE = "desk"
CURSOR = "relay"
BATCH = 5000

_CASE = {
    "report": (("Case.opened", 1),), "patrol": (("Case.opened", 1),), "confirm": (("Case.opened", 1),), "import": (("Case.opened", 1),),
    "due": (("Case.due", 1),), "close": (("Case.closed", 1),), "source_close": (("Case.closed", 1),), "check_fail": (("Case.redone", 1),),
    "dispatch": (("Case.dispatched", 1),), "return": (("Case.dispatch_returned", 1),), "park": (("Case.parked", 1),), "resume": (("Case.parked", 0),),
}
_REQUEST = {"received": (("Request.received", 1),), "answer": (("Request.answered", 1),), "link": (), "unlink": ()}

NAMES = frozenset(
    {name for rows in (*_CASE.values(), *_REQUEST.values()) for name, _ in rows} | {"Case.closed_on_time", "Request.repeat"},
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
        told = _CASE.get(step["verb"], ())
        if step["detail"].get("on_time"):
            told = (*told, ("Case.closed_on_time", 1))
    elif step["kind"] == "request":
        told = _REQUEST.get(step["verb"], ())
        if step["detail"].get("repeat"):
            told = (*told, ("Request.repeat", 0 if step["verb"] == "unlink" else 1))
    return [
        {"entity": urn(name.partition(".")[0], step["number"]), "property": name, "time": step["happened"], "value": value, "area": step["area"]}
        for name, value in told
    ]


def prepare(connection: Connection, most: int = BATCH) -> Handover | None:
    """Within a write: mark the next range as pending and return it; a range still pending comes again, the same. None: nothing new."""
    cursor = connection.execute(select(desk_cursor.c.done, desk_cursor.c.pending).where(desk_cursor.c.name == CURSOR)).one_or_none()
    done, pending = (0, None) if cursor is None else (cursor[0], cursor[1])
    if pending is None:
        ahead = select(case_step.c.seq).where(case_step.c.seq > done).order_by(case_step.c.seq).limit(most).subquery()
        pending = connection.execute(select(func.max(ahead.c.seq))).scalar_one()
        if pending is None:
            return None
        _set(connection, done, pending)
    steps = connection.execute(select(case_step).where(case_step.c.seq > done, case_step.c.seq <= pending).order_by(case_step.c.seq)).mappings()
    rows = [row for step in steps for row in readings_of(dict(step))]
    return Handover(f"{SOURCE}:{done + 1}-{pending}", pending, rows)


def confirm(connection: Connection, last: int) -> None:
    """Within a write: the intake has accepted everything up to `last`; never goes back."""
    done = connection.execute(select(desk_cursor.c.done).where(desk_cursor.c.name == CURSOR)).scalar_one_or_none() or 0
    if last > done:
        _set(connection, last, None)


def waiting(connection: Connection) -> bool:
    """Tell, within a read, whether the history has lines that were not handed over."""
    done = select(desk_cursor.c.done).where(desk_cursor.c.name == CURSOR).scalar_subquery()
    return connection.execute(select(case_step.c.seq).where(case_step.c.seq > func.coalesce(done, 0)).limit(1)).first() is not None


def run(desk: Desk, send: Callable[[str, list[Row]], object], most: int = BATCH) -> int:
    """Hand over all that is new; `send(batch, rows)` must return only when it is durable. Returns how many readings were sent."""
    sent = 0
    while desk.read(waiting):
        ready = desk.write(lambda connection: prepare(connection, most))
        if ready is None:
            break
        if ready.rows:
            send(ready.batch, ready.rows)
        last = ready.last
        desk.write(lambda connection, last=last: confirm(connection, last))  # type: ignore[misc]
        sent += len(ready.rows)
    return sent


def _set(connection: Connection, done: int, pending: int | None) -> None:
    statement = upsert(desk_cursor).values(name=CURSOR, done=done, pending=pending)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"done": done, "pending": pending}))
