"""A leader's instruction (领导批示): it puts a case under supervision (督办) until a day, or opens one that is. It ends with its case."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Select, insert, select

from zhongshu.act import case as cases
from zhongshu.act import docket, states
from zhongshu.act.centre import line
from zhongshu.act.centre.line import Document, Row
from zhongshu.act.centre.refusals import PAST
from zhongshu.act.centre.tables import instruction
from zhongshu.act.deed import MISSING, Deed, number
from zhongshu.act.given import Given, NewCase
from zhongshu.act.shown import in_scope, time_of
from zhongshu.act.tables import case_file
from zhongshu.kernel.area import show_area
from zhongshu.kernel.clock import rfc3339
from zhongshu.kernel.grade import Scope
from zhongshu.kernel.ids import uuid7

LETTER = "I"
LENDS = "duty_officer"
"""The post whose powers an instruction carries: what it asks is done at once, in the leader's own name."""


@dataclass(frozen=True, slots=True)
class NewInstruction:
    """What a leader writes: of a case, or, with an area and a class or none, of something new; `until` µs: by when."""

    text: str
    until: int
    case: str = ""
    area: int = 0
    class_: str = ""
    title_en: str = ""


def give(deed: Deed, given: NewInstruction) -> Row:
    """Write an instruction down and have it carried out. Raises `case.missing`, `case.unknown`, `case.not_now`, `case.not_yours`, `instruction.past`."""
    if not given.text.strip() or (not given.case and not given.area):
        raise MISSING(zh="批示内容、案件或区域", en="text, case or area")
    if given.until <= deed.now:
        raise PAST(until=line.told(deed, given.until), now=line.told(deed, deed.now))
    case = docket.get(deed, given.case) if given.case else None
    area = given.area if case is None else case["area"]
    lent = deed.by(replace(deed.actor, roles=(*deed.actor.roles, *((LENDS, held) for role, held in deed.actor.roles if role == "leader"))))
    if case is None:
        title = given.text.strip().splitlines()[0][:60]
        case = cases.open_case(lent, NewCase("confirm", given.class_, f"领导批示：{title}", f"Instruction: {given.title_en or title}", area, "instruction", reason=given.text))
    cases.do(lent, case["id"], "supervise", Given(reason=given.text, until=given.until))
    row: Row = {"id": uuid7(), "number": number(deed, area, deed.now, LETTER), "area": area, "leader": deed.actor.id, "leader_name": deed.actor.name, "text": given.text}
    row |= {"case_id": case["id"], "made": deed.now, "until": given.until, "version": 1}
    deed.connection.execute(insert(instruction), row)
    line.write(deed, "instruction", row, "give", reason=given.text, detail={"case": case["number"], "until": given.until})
    line.tell(deed, "instruction", row, "give", case=case["id"])
    return row


def unfinished(connection: Connection, scope: Scope, now: int) -> list[Document]:
    """Return the instructions whose cases are still open, the first due first."""
    query = _with_case(scope).where(case_file.c.step.in_(states.OPEN)).order_by(instruction.c.until, instruction.c.made)
    return [_became(row, now) for row in connection.execute(query).mappings()]


def listing(connection: Connection, scope: Scope, now: int, limit: int) -> list[Document]:
    """Return the instructions of the cases of a scope, the last first, with what became of each."""
    query = _with_case(scope).order_by(instruction.c.made.desc(), instruction.c.id.desc()).limit(limit)
    return [_became(row, now) for row in connection.execute(query).mappings()]


def _with_case(scope: Scope) -> Select[Any]:
    of = case_file.c
    told = (of.number.label("case_number"), of.step, of.closed, of.holder_zh, of.holder_en, of.title_zh.label("case_title_zh"), of.title_en.label("case_title_en"))
    return select(instruction, *told).join(case_file, of.id == instruction.c.case_id).where(*in_scope(of, scope))


def _became(row: Mapping[Any, Any], now: int) -> Document:
    """Return an instruction with where its case stands; it is late where the case was not closed by then."""
    step = states.STEPS[row["step"]]
    ended = row["closed"] if row["closed"] is not None else None if step.open else row["until"]
    case = {name: row[name] for name in ("step", "holder_zh", "holder_en", "case_title_zh", "case_title_en")}
    return show(row, now if ended is None else ended) | case | {"step_zh": step.zh, "step_en": step.en, "open": step.open, "closed": time_of(row["closed"])}


def show(row: Mapping[Any, Any], now: int) -> Document:
    """Turn an instruction's row into its document; `case_number` where it was joined."""
    plain = {name: row[name] for name in ("id", "number", "leader", "leader_name", "text")}
    return plain | {
        "case": row["case_id"],
        "case_number": row.get("case_number", ""),
        "area": show_area(row["area"]),
        "made": rfc3339(row["made"]),
        "until": time_of(row["until"]),
        "late": row["until"] is not None and now > row["until"],
    }
