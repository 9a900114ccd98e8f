"""The assistant and the desk's history: taught by what people decided, and measured by it: how often they took what it proposed. Reads only."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, select

from zhongshu.act import duty
from zhongshu.act.assist import Embedder, Named
from zhongshu.act.assist.measure import Dispatch, Record, adoption, first_dispatch
from zhongshu.act.assistant import MEMORY, Assistant
from zhongshu.act.tables import case_file, case_step, request
from zhongshu.kernel.clock import DAY, rfc3339

MOST = 20_000
"""So many decided texts are learnt, and so many voices remembered, when a city is opened."""
SPAN = 90 * DAY
"""The figures are of so much time up to now."""


def report(connection: Connection, now: int) -> dict[str, Any]:
    """Return {since, adoption, first_dispatch}; shares with their counts and the Wilson interval of 95 %."""
    since = now - SPAN
    confirmed = select(case_step.c.detail, case_step.c.at).where(case_step.c.kind == "lead", case_step.c.verb == "confirm", case_step.c.at >= since)
    records = [Record(tuple(row.detail["proposed"]), row.detail["chosen"], row.at) for row in connection.execute(confirmed) if "chosen" in row.detail]
    return {"since": rfc3339(since), "adoption": asdict(adoption(records)), "first_dispatch": asdict(first_dispatch(_dispatches(connection, since)))}


def _dispatches(connection: Connection, since: int) -> list[Dispatch]:
    """Return of every case with a unit what the catalogue proposed, where it was sent first, and who has it in the end."""
    sent = select(case_step.c.subject, case_step.c.unit, case_step.c.at).where(case_step.c.kind == "case", case_step.c.verb == "dispatch", case_step.c.at >= since)
    first: dict[str, Any] = {}
    for row in connection.execute(sent.order_by(case_step.c.seq)):
        first.setdefault(row.subject, row)
    held = duty.book(connection)
    found = []
    for case in connection.execute(select(case_file).where(case_file.c.opened >= since, case_file.c.unit != "")).mappings():
        if (began := first.get(case["id"])) is not None:
            led = duty.leads(held, case["class"], case["opened"], case["area"])
            found.append(Dispatch("" if led is None else str(led["unit"]), began.unit, case["unit"], began.at))
    return found


def taught(connection: Connection, now: int, embedder: Embedder | None = None) -> Assistant:
    """Return an assistant that knows the catalogue, what people decided of voices, and the voices of the last month; with an embedder it reads whole sentences."""
    classes = [row.cells for row in duty.book(connection).all_at("classes", now)]
    made = Assistant([Named(c["class"], c["zh"], c["en"], tuple(c["words"])) for c in classes], homes=[c["class"] for c in classes if c["homes"]], embedder=embedder)
    decided = (
        select(request.c.text, case_file.c["class"])
        .join(case_file, case_file.c.id == request.c.case_id)
        .where(request.c.text != "", case_file.c["class"] != "", case_file.c.step != "void")
        .order_by(request.c.created.desc())
        .limit(MOST)
    )
    recent = select(request).where(request.c.created >= now - MEMORY, request.c.text != "").order_by(request.c.created.desc()).limit(MOST)
    made.learn([(row[0], row[1]) for row in connection.execute(decided)], [dict(row) for row in connection.execute(recent).mappings()][::-1])
    return made
