"""What the desk holds, as documents for whoever may see it: a Scope's areas and unit go into the query, its hidden fields are left out.

Times are RFC 3339, areas 15 digits; names of areas and addresses of files are added by whoever serves. Reads only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, and_, bindparam, cast, exists, false, func, literal, literal_column, or_, select, true, tuple_

from zhongshu.act import clocks, command, duty, joint, machine, masking, place, states, takeback, tasks
from zhongshu.act.refusals import UNKNOWN
from zhongshu.act.rulings import RoadOf, rulings, unsurveyed
from zhongshu.act.shown import (
    Document,
    as_of,
    hide,
    in_scope,
    page_mark,
    show_case,
    show_file,
    show_holding,
    show_step,
    show_task,
    show_verb,
    show_voice,
    time_of,
    within,
)
from zhongshu.act.tables import INT, NEXT, case_file, case_step, case_task, evidence, evidence_link, lead, lead_link, request
from zhongshu.kernel.area import Level, at_level, interval, level_of, show_area
from zhongshu.kernel.clock import rfc3339, to_datetime, to_us
from zhongshu.kernel.grade import Principal, Scope

SENSITIVE = 3
"""The grade of what a person sent of themselves: GB/T 43697."""
FAR = 2**62
"""Stands for "no due time" when sorting."""
BY_DUE: ColumnElement[int] = func.coalesce(case_file.c.due, literal_column(str(FAR)))
KEYS: dict[str, ColumnElement[int]] = {"opened": case_file.c.opened, "due": BY_DUE, "next": literal_column(f"({NEXT})", INT)}

OUTSIDE = frozenset({"citizen", "guest"})
"""Roles of those who are not at work here."""
MOST_HEARD = 20
"""So many voices' own words go with a lead; the count tells of all."""


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases: `state` one of `sought.STATES`; `mine`: those waiting for this person; `order` one of `sought.ORDERS` (opened: newest first); `due` the half-open span they are due in."""

    state: str = "all"
    step: str = ""
    area: int | None = None
    mine: Principal | None = None
    q: str = ""
    order: str = "opened"
    limit: int = 50
    after: str = ""
    class_: str = ""
    due: tuple[int | None, int | None] | None = None


def list_cases(connection: Connection, scope: Scope, wanted: CaseFilter, now: int) -> Document:
    """Return {items, next} of the cases in the scope."""
    key = _order(scope, wanted)
    query = select(case_file, key.label("key")).where(*in_scope(case_file.c, scope), *_filters(wanted, now, ahead=_ahead(connection, now)))
    if wanted.mine is not None:
        query = query.where(_waiting_for(wanted.mine, command.chained(connection, now)))
    if wanted.after:
        mark = page_mark(wanted.after)
        last = tuple_(key, case_file.c.id)
        query = query.where(last < mark if wanted.order == "opened" else last > mark)
    order = (key.desc(), case_file.c.id.desc()) if wanted.order == "opened" else (key, case_file.c.id)
    limit = max(1, min(wanted.limit, 500))
    rows = connection.execute(query.order_by(*order).limit(limit + 1)).mappings().all()
    more = rows[limit - 1] if len(rows) > limit else None
    return {"items": [show_case(row, now, scope) for row in rows[:limit]], "next": more and f"{more['key']}:{more['id']}"}


def _order(scope: Scope, wanted: CaseFilter) -> ColumnElement[int]:
    """Return what a list is ordered by. Where few cases are found by their area, they are sorted: the index of all in order would be read to its end."""
    few = any(level_of(area) >= Level.COMMUNITY for area in (wanted.area, *(low for low, _ in scope.areas)) if area)
    key = KEYS[wanted.order]
    return key + literal_column("0") if few else key


def get_case(connection: Connection, scope: Scope, case_id: str, viewer: Principal, now: int, road_of: RoadOf = unsurveyed) -> Document:
    """Return one case by id or number, with its history, voices, clocks, earlier rulings, the viewer's verbs and the catalogue's proposal. Raises `case.unknown`."""
    found = connection.execute(_case_in(scope), {"b_id": case_id}).mappings().one_or_none()
    if found is None:
        raise UNKNOWN(id=case_id)
    row = as_of(found, now)
    told = connection.execute(_TOLD, {"b_case": row["id"]}).mappings().all() if row["voices"] else []
    steps = [step for step in connection.execute(_STEPS, {"b_subject": row["id"]}).mappings().all() if step["verb"] not in {"source_close", "due"} or step["happened"] <= now]
    first, helped = told[0]["created"] if told else None, any(step["verb"] in tasks.MADE_BY for step in steps)
    placed = place.usable(row)
    chain = command.centre(connection, row["area"], now)
    so = _commanded(chain, row, viewer) | {"placed": placed, "danger": row["danger"], "asked": row["asked"], "rejected": row["rejected"]}
    so["apart"] = not (any(step["actor"] == viewer.id and step["verb"] in states.BROUGHT for step in steps) or {voice["reporter"] for voice in told} == {viewer.id})
    offered = [move for move in machine.offered(row, viewer) if all(so.get(guard, True) for guard in move.guards)]
    listed = [held.cells for held in duty.book(connection).all_at("reasons", now)]
    proposal = duty.suggest(connection, row["class"], row["opened"], row["area"]) if row["step"] in {"file", "dispatch"} else None
    return show_case(row, now, scope) | {
        "history": _history(connection, row["id"], steps, scope),
        "voices": [show_voice(item, scope) for item in told],
        "verbs": [show_verb(item, row) | {"reasons": _reasons(listed, item.verb) if "reason" in item.needs else []} for item in offered],
        "suggestion": proposal,
        "clocks": clocks.show(row, first, now),
        "links": _links(connection, [row["lead"]]).get(row["lead"], []) if row["lead"] else [],
        "undo": takeback.show(connection, row, next((dict(step) for step in reversed(steps) if step["verb"] not in states.RECEIPTS), None), viewer, now),
        "placed": placed,
        "tasks": [show_task(task, viewer, now) for task in connection.execute(_TASKS, {"b_case": row["id"]}).mappings()] if helped else [],
        "holdings": [show_holding(each, now) for each in clocks.holdings([dict(step) for step in steps])],
        "chain": command.show(chain, row),
        "playbook": joint.running(connection, row["id"]) if helped else None,
        "rulings": rulings(connection, row, scope, road_of),
    }


def _commanded(chain: command.Centre | None, row: Mapping[Any, Any], viewer: Principal) -> dict[str, bool]:
    """Say which of the guards that ask for the chain of command are so for a viewer."""
    below = bool(row["command"])
    return {"commander": command.commands(chain, row, viewer), "above": command.above(chain, row, viewer), "below": below, "chained": chain is not None and not below}


def _reasons(listed: list[dict[str, Any]], verb: str) -> list[Document]:
    """Return those of the reasons the city lists that are a verb's; for asking, those of every leave."""
    wanted = {"ask": {"extend", "park", "defer", "supplement"}}.get(verb, {verb})
    return [{name: cells[name] for name in ("verb", "code", "zh", "en")} for cells in listed if cells["verb"] in wanted]


def outline(connection: Connection, scope: Scope, case_id: str) -> tuple[str, int]:
    """Return a case's id and its area: what is asked before anything is done with it. Raises `case.unknown`."""
    row = connection.execute(_outline_in(scope), {"b_id": case_id}).one_or_none()
    if row is None:
        raise UNKNOWN(id=case_id)
    return row[0], row[1]


def last_verb(connection: Connection, case_id: str) -> str:
    """Return the verb of a case's newest step; '' for none."""
    line = takeback.last_line(connection, case_id)
    return "" if line is None else str(line["verb"])


def history(connection: Connection, subject: str, scope: Scope) -> list[Document]:
    """Return every line of a case's, lead's or request's history, in order, with its evidence."""
    return _history(connection, subject, connection.execute(_STEPS, {"b_subject": subject}).mappings().all(), scope)


def _history(connection: Connection, subject: str, steps: Sequence[Mapping[Any, Any]], scope: Scope) -> list[Document]:
    attached: dict[int, list[Document]] = {}
    files = connection.execute(_FILES, {"b_subject": subject}).mappings() if any(step["shown"] for step in steps) else ()
    for file in files:
        attached.setdefault(file["seq"], []).append(hide(show_file(file), scope))
    undone = {step["detail"].get("undoes") for step in steps} | {step["detail"].get("lifted", {}).get("seq") for step in steps}
    return [show_step(step, attached.get(step["seq"], []), scope) | {"undone": step["seq"] in undone} for step in steps]


@lru_cache(512)
def _case_in(scope: Scope) -> Select[Any]:
    """Return the query of one case by id or number in a scope: building it anew takes longer than asking it."""
    return select(case_file).where(or_(case_file.c.id == bindparam("b_id"), case_file.c.number == bindparam("b_id")), *in_scope(case_file.c, scope))


@lru_cache(512)
def _outline_in(scope: Scope) -> Select[Any]:
    return _case_in(scope).with_only_columns(case_file.c.id, case_file.c.area)


_TOLD = select(request).where(request.c.case_id == bindparam("b_case")).order_by(request.c.created, request.c.id)
_STEPS = select(case_step, exists().where(evidence_link.c.seq == case_step.c.seq).label("shown")).where(case_step.c.subject == bindparam("b_subject")).order_by(case_step.c.seq)
_TASKS = select(case_task).where(case_task.c.case_id == bindparam("b_case")).order_by(case_task.c.made, case_task.c.id)
_FILES = (
    select(evidence_link.c.seq, evidence.c.sha256, evidence.c.content_type, evidence.c.size, evidence.c.taken, evidence.c.lon, evidence.c.lat)
    .join(evidence, evidence.c.sha256 == evidence_link.c.sha256)
    .join(case_step, case_step.c.seq == evidence_link.c.seq)
    .where(case_step.c.subject == bindparam("b_subject"))
    .order_by(evidence_link.c.seq, evidence.c.sha256)
)


def list_leads(connection: Connection, scope: Scope, state: str = "", limit: int = 200, after: str = "") -> Document:
    """Return {items, next} of the leads in the scope, newest first."""
    query = select(lead).where(*in_scope(lead.c, scope))
    if state:
        query = query.where(lead.c.state == state)
    if after:
        query = query.where(tuple_(lead.c.opened, lead.c.id) < page_mark(after))
    limit = max(1, min(limit, 500))
    rows = connection.execute(query.order_by(lead.c.opened.desc(), lead.c.id.desc()).limit(limit + 1)).mappings().all()
    more = rows[limit - 1] if len(rows) > limit else None
    return {"items": _show_leads(connection, rows[:limit], scope), "next": more and f"{more['opened']}:{more['id']}"}


def get_lead(connection: Connection, scope: Scope, lead_id: str) -> Document | None:
    """Return one lead by id or number, or None if it is not there for this scope."""
    query = select(lead).where(or_(lead.c.id == lead_id, lead.c.number == lead_id), *in_scope(lead.c, scope))
    rows = connection.execute(query).mappings().all()
    return _show_leads(connection, rows, scope)[0] if rows else None


def of_findings(connection: Connection, findings: Iterable[str]) -> dict[str, Document]:
    """Return {finding: {lead, lead_number, lead_state, case, case_number, step}} for findings that have a lead."""
    query = (
        select(
            lead.c.finding,
            lead.c.id.label("lead"),
            lead.c.number.label("lead_number"),
            lead.c.state.label("lead_state"),
            case_file.c.id.label("case"),
            case_file.c.number.label("case_number"),
            case_file.c.step,
        )
        .join(case_file, case_file.c.id == lead.c.case_id, isouter=True)
        .where(lead.c.finding.in_(list(findings)))
    )
    return {row["finding"]: {key: value for key, value in row.items() if key != "finding"} for row in connection.execute(query).mappings()}


def of_sign(connection: Connection, scope: Scope, indicator: str, area: int, now: int) -> list[Document]:
    """Return the latest twenty cases that a vital sign caused in an area."""
    low, high = interval(area)
    query = select(case_file).where(case_file.c.indicator == indicator, case_file.c.area >= low, case_file.c.area < high, *in_scope(case_file.c, scope))
    rows = connection.execute(query.order_by(case_file.c.opened.desc()).limit(20)).mappings()
    return [show_case(row, now, scope) for row in rows]


def last_actions(connection: Connection, findings: Iterable[str]) -> dict[str, Document]:
    """Return what was last done about each of these findings: {finding: {case, lead, area, text_zh, text_en}}; a finding without a lead has none."""
    query = (
        select(
            lead.c.finding,
            lead.c.id.label("lead"),
            lead.c.number.label("lead_number"),
            lead.c.state,
            lead.c.area.label("lead_area"),
            case_file.c.id.label("case"),
            case_file.c.number,
            case_file.c.step,
            case_file.c.mark,
            case_file.c.receipt,
            case_file.c.area,
            case_file.c.holder_zh,
            case_file.c.holder_en,
        )
        .join(case_file, case_file.c.id == lead.c.case_id, isouter=True)
        .where(lead.c.finding.in_(list(findings)))
    )
    return {row["finding"]: _last_action(row) for row in connection.execute(query).mappings()}


def _last_action(row: Mapping[Any, Any]) -> Document:
    """Say where a finding's case stands, else its lead; the number whole, and last, so that it is what is cut off."""
    if row["case"] is None:
        zh, en = states.LEAD_STATES[row["state"]]
        told = {"text_zh": f"{zh} · 线索 {row['lead_number']}", "text_en": f"{en} · lead {row['lead_number']}"}
    else:
        step = states.STEPS[row["step"]]
        said = states.RECEIPTS[row["receipt"]] if (row["step"], row["mark"]) == ("handle", "") else states.MARKS[row["mark"]] if row["step"] == "handle" else (step.zh, step.en)
        told = {
            "text_zh": f"{' '.join(filter(None, (said[0], row['holder_zh'])))} · {row['number']}",
            "text_en": f"{', '.join(filter(None, (said[1].capitalize(), row['holder_en'])))} · {row['number']}",
        }
    return {"case": row["case"], "lead": row["lead"], "area": row["lead_area"] if row["case"] is None else row["area"]} | told


def counts(connection: Connection, scope: Scope, now: int, zone: tzinfo) -> dict[str, int]:
    """Return 今日闭环: received and closed since the city's midnight, open now, and of these overdue."""
    local = to_datetime(now).astimezone(zone)
    day = to_us(local.replace(hour=0, minute=0, second=0, microsecond=0))
    c, one = case_file.c, func.count()
    over = one.filter(c.due < now, c.parked.is_(None))

    def total(*wanted: ColumnElement[int], where: Sequence[ColumnElement[bool]]) -> Sequence[int]:
        return connection.execute(select(*wanted).select_from(case_file).where(*where, *in_scope(c, scope))).one()

    (received,) = total(one, where=(c.opened >= day, c.opened <= now))
    open_now, overdue = total(one, over, where=(c.closed.is_(None), c.opened <= now))
    still, late = total(one, over, where=(c.closed > now, c.opened <= now))  # closed by another system after a moment that is replayed
    (closed,) = total(one, where=(c.step.concat("") == "closed", c.closed >= day, c.closed <= now))
    return {"received": received, "open": open_now + still, "overdue": overdue + late, "closed": closed}


_USED = select(case_step.c.seq).join(evidence_link, evidence_link.c.seq == case_step.c.seq).join(case_file, case_file.c.id == case_step.c.subject)


def _of_result(connection: Connection, sha256: str, viewer: Principal) -> bool:
    """Tell whether a file shows how what the viewer reported was settled."""
    asked = _USED.join(request, request.c.case_id == case_file.c.id).where(
        evidence_link.c.sha256 == sha256,
        case_file.c.step == "closed",
        case_step.c.verb.in_(("handle", "feedback")),
        request.c.reporter == viewer.id,
    )
    return bool(viewer.id) and connection.execute(asked.limit(1)).first() is not None


def evidence_visible(connection: Connection, scope: Scope, sha256: str, viewer: Principal) -> bool:
    """Tell whether a file may be shown: it stands in a history or came with a request within the scope, or the viewer gave it or waits for its result."""
    if connection.execute(_USED.where(evidence_link.c.sha256 == sha256, *in_scope(case_file.c, scope)).limit(1)).first() is not None:
        return True
    if scope.grade >= SENSITIVE and not scope.unit:
        came = select(request.c.id).where(cast(request.c.photos, Text).contains(sha256, autoescape=True), *in_scope(request.c, scope))
        if connection.execute(came.limit(1)).first() is not None:
            return True
    if _of_result(connection, sha256, viewer):
        return True
    own = select(evidence.c.sha256).where(evidence.c.sha256 == sha256, evidence.c.received_by == viewer.id)
    return connection.execute(own).first() is not None


_SENT = (
    select(request.c.reporter, request.c.area, case_file.c.unit, case_file.c.helpers)
    .select_from(request.join(case_file, case_file.c.id == request.c.case_id, isouter=True))
    .where(cast(request.c.photos, Text).contains(bindparam("sha256")))
)


def evidence_told(connection: Connection, scope: Scope, sha256: str, viewer: Principal) -> str:
    """Return how much of a file the viewer may see: `whole`, `bare` (the picture without place and device), or '' for nothing.

    What a citizen sent is the centre's to see; a unit that does the work sees the picture of what it holds or helps with, and another citizen or a visitor none.
    """
    working, outside = masking.handles(viewer.role_names), viewer.role_names <= OUTSIDE
    if scope.grade >= SENSITIVE and not working and not outside:
        return "whole" if evidence_visible(connection, scope, sha256, viewer) else ""
    sent = connection.execute(_SENT, {"sha256": sha256}).all()
    if any(viewer.id and row.reporter == viewer.id for row in sent):
        return "whole"
    if sent:
        near = [row for row in sent if any(low <= row.area < high for low, high in scope.areas)]
        held = working and bool(viewer.unit) and any(viewer.unit == row.unit or viewer.unit in (row.helpers or ()) for row in near)
        return "bare" if held or (outside and _of_result(connection, sha256, viewer)) else ""
    if not evidence_visible(connection, scope, sha256, viewer):
        return ""
    return "bare" if outside else "whole"


def _show_leads(connection: Connection, rows: Iterable[Mapping[Any, Any]], scope: Scope) -> list[Document]:
    rows = list(rows)
    ids = [row["id"] for row in rows]
    links = _links(connection, ids)
    heard: dict[str, list[Document]] = {}
    for told in connection.execute(select(request).where(request.c.lead.in_(ids)).order_by(request.c.created, request.c.id)).mappings():
        heard.setdefault(told["lead"], []).append(show_voice(told, scope))
    plain = (
        "id",
        "number",
        "kind",
        "source",
        "class",
        "title_zh",
        "title_en",
        "address",
        "lon",
        "lat",
        "level",
        "indicator",
        "finding",
        "state",
        "of",
        "flags",
        "version",
    )
    return [
        hide(
            {key: row[key] for key in plain}
            | {
                "state_zh": states.LEAD_STATES[row["state"]][0],
                "state_en": states.LEAD_STATES[row["state"]][1],
                "area": show_area(row["area"]),
                "placed": place.usable(row),
                "opened": rfc3339(row["opened"]),
                "ended": time_of(row["ended"]),
                "case": row["case_id"],
                "links": links.get(row["id"], []),
                "voices": len(heard.get(row["id"], ())),
                "heard": heard.get(row["id"], [])[:MOST_HEARD],
            },
            scope,
        )
        for row in rows
    ]


def _links(connection: Connection, ids: list[str]) -> dict[str, list[Document]]:
    query = select(lead_link, request.c.number.label("request_number")).join(request, request.c.id == lead_link.c.request, isouter=True)
    rows = connection.execute(query.where(lead_link.c.undone.is_(None), or_(lead_link.c.lead.in_(ids), lead_link.c.other.in_(ids))).order_by(lead_link.c.id))
    found: dict[str, list[Document]] = {}
    for row in rows.mappings():
        for own, far in ((row["lead"], row["other"]), (row["other"], row["lead"])):
            if own in ids:
                found.setdefault(own, []).append(
                    {
                        "id": row["id"],
                        "lead": far,
                        "request": row["request_number"],
                        "kind": row["kind"],
                        "reason_zh": row["reason_zh"],
                        "reason_en": row["reason_en"],
                        "by": row["made_by"],
                        "at": rfc3339(row["made"]),
                    }
                )
    return found


def _ahead(connection: Connection, now: int) -> bool:
    """Tell whether the desk knows of anything that is yet to happen: another system's cases, while their time is replayed."""
    return any(connection.execute(query, {"b_now": now}).first() is not None for query in _LATER)


_LATER: tuple[Select[Any], ...] = tuple(
    select(literal_column("1")).select_from(case_file).where(column > bindparam("b_now")).limit(1) for column in (case_file.c.opened, case_file.c.closed)
)


def _filters(wanted: CaseFilter, now: int, *, ahead: bool) -> list[ColumnElement[bool]]:
    """Return a filter's conditions. What most cases are is only checked: they come in the order of the class, or of the limit, and are not sorted anew.

    `ahead`: some rows tell of what is yet to happen, so each is taken as it stands now.
    """
    c, where = case_file.c, list[ColumnElement[bool]]()
    class_ = c["class"] if wanted.order == "opened" or wanted.state in {"open", "void"} else c["class"].concat("")
    most = c.step.concat("") if wanted.class_ or wanted.order != "opened" else c.step
    still, over = (or_(c.closed.is_(None), c.closed > now), c.closed <= now) if ahead else (c.closed.is_(None), true())
    past = and_(still, c.due < now, c.parked.is_(None))
    by_state = {
        "open": still,
        "closed": and_(most == "closed", over),
        "void": c.step == "void",
        "overdue": past,
        "late": or_(and_(c.late.is_(True), over), past),
    }
    if ahead:
        where.append(c.opened <= now)
    if wanted.state in by_state:
        where.append(by_state[wanted.state])
    if wanted.step:
        where.append(c.step == wanted.step)
    if wanted.class_:
        where.append(class_ == wanted.class_)
    if wanted.due is not None:
        first, after = wanted.due
        low, high = (literal(0 if first is None else first), literal(FAR if after is None else after))
        where += [low <= BY_DUE, high > BY_DUE]
    if wanted.area is not None:
        where.append(within(c.area, *interval(wanted.area)))
    if wanted.q:
        where.append(or_(*(column.contains(wanted.q, autoescape=True) for column in (c.number, c.title_zh, c.title_en, c.address, c.class_zh))))
    return where


def _waiting_for(person: Principal, chained: Sequence[int]) -> ColumnElement[bool]:
    """Return the cases at a place of the table from which one of this person's roles may move on, in that role's areas."""
    c, where = case_file.c, list[ColumnElement[bool]]()
    for row in states.ROWS:
        if not states.STEPS[row.at[0]].open or row.verb in states.ASIDE:
            continue
        for role, area in person.roles:
            if role in row.roles:
                low, high = interval(area) if area else (0, FAR)
                held = [c.unit == person.unit, c.person.in_(("", person.id))] if "holder" in row.guards else _at_level(area, chained) if "commander" in row.guards else []
                where.append(and_(c.step == row.at[0], c.mark == row.at[1], within(c.area, low, high), *held))
    return and_(c.closed.is_(None), or_(false(), *where))


def _at_level(area: int, chained: Sequence[int]) -> list[ColumnElement[bool]]:
    """Return which cases someone granted an area commands: a city's dispatcher those not passed down, a district's with a chain those that were."""
    if area == 0 or level_of(area) < Level.DISTRICT:
        return [case_file.c.command == ""]
    return [case_file.c.command != ""] if at_level(area, Level.DISTRICT) in chained else []
