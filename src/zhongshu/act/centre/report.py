"""Reports upwards (信息报送): first 首报, next 续报, final 终报, drafted from the record and sent by a person, each within the city's own limit.

The limits are rows of the duty tables: class `*`, step report_first, report_next or report_final, the condition a theme or none. Knows no page.
"""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update

from zhongshu.act import duty
from zhongshu.act.centre import line, order, response, warning
from zhongshu.act.centre.line import Document, Row
from zhongshu.act.centre.refusals import NO_FINAL, NO_VERB, NOT_ENDED, NOT_NOW, UNFILLED
from zhongshu.act.centre.tables import incident as incidents
from zhongshu.act.centre.tables import incident_report
from zhongshu.act.deed import MISSING, SYSTEM, Deed, number
from zhongshu.act.shown import time_of
from zhongshu.act.tables import case_file
from zhongshu.kernel.clock import rfc3339, to_datetime
from zhongshu.kernel.ids import uuid7

LETTER = "S"
KINDS = {"first": ("首报", "first report"), "next": ("续报", "next report"), "final": ("终报", "final report")}
STATES = {"draft": ("草稿", "draft"), "sent": ("已报送", "sent"), "dropped": ("不再需要", "dropped")}
MOST = 1000
_HOLES = {"text_zh": re.compile(r"〔(?:地点待核|待核|请填写)〕"), "text_en": re.compile(r"\[(?:place to be verified|to be verified|please complete)\]")}
"""What a draft leaves for a person to fill in, by its language."""


def draft(deed: Deed, incident: Row, kind: str) -> Row:
    """Draft a report from what the record has of an incident; a draft of the kind that is there already is filled anew.

    A final report is drafted once the incident has ended. Raises `centre.no_verb` for an unknown kind, `report.not_ended`, `report.after_final`.
    """
    if kind not in KINDS:
        raise NO_VERB(verb=kind, verbs=", ".join(KINDS))
    if kind == "final" and incident["state"] == "open":
        raise NOT_ENDED(number=incident["number"])
    held = _of(deed.connection, incident["id"])
    if any(row["kind"] == "final" and row["state"] == "sent" for row in held):
        raise NO_FINAL(number=incident["number"])
    facts = facts_of(deed, incident)
    said = {"facts": facts, "text_zh": line.stamped(_zh(incident, facts, kind), drill=incident["drill"], language="zh")}
    said |= {"text_en": line.stamped(_en(incident, facts, kind), drill=incident["drill"], language="en")}
    if (old := next((row for row in held if row["kind"] == kind and row["state"] == "draft"), None)) is not None:
        return _said(deed, line.change(deed, "report", old, said), "draft")
    row = {"id": uuid7(), "number": number(deed, incident["area"], deed.now, LETTER), "incident": incident["id"], "kind": kind, "area": incident["area"]}
    row |= {
        "drill": incident["drill"],
        "state": "draft",
        **said,
        "sent_to": "",
        "made": deed.now,
        "due": _due(deed, incident, kind, held),
        "sent": None,
        "sent_by": "",
        "version": 1,
    }
    deed.connection.execute(insert(incident_report), row)
    return _said(deed, row, "draft")


def send(deed: Deed, incident: Row, report_id: str, to: str, text_zh: str = "", text_en: str = "", version: int | None = None) -> Row:
    """Send a draft as a person has completed it; while the incident is open the next report is drafted with its limit, and the final one ends what was still to come.

    Raises `centre.unknown`, `centre.not_now`, `centre.stale`, `case.missing`, `report.unfilled`.
    """
    row = line.find(deed.connection, "report", report_id)
    if row["incident"] != incident["id"] or row["state"] != "draft":
        state = STATES[row["state"]]
        raise NOT_NOW(number=row["number"], state_zh=state[0], state_en=state[1], verb_zh="报送", verb_en="send")
    if not to.strip():
        raise MISSING(zh="报送单位", en="to")
    text = _filled({"text_zh": text_zh.strip() or row["text_zh"], "text_en": text_en.strip() or row["text_en"]})
    said = {name: line.stamped(words, drill=row["drill"], language=name[-2:]) for name, words in text.items()}
    after = _said(deed, line.change(deed, "report", row, {"state": "sent", "sent": deed.now, "sent_by": deed.actor.id, "sent_to": to, **said}, version), "send", to)
    if incident["state"] == "open" and _due(deed, incident, "next", [after]) is not None:
        draft(deed, incident, "next")
    for other in _of(deed.connection, incident["id"]) if row["kind"] == "final" else ():
        if other["state"] == "draft" and other["kind"] == "next":
            _said(deed, line.change(deed, "report", other, {"state": "dropped"}), "drop")
    return after


def _filled(text: dict[str, str]) -> dict[str, str]:
    """Return a report's words; a language that still has places to fill gives way to the one that has none. Raises `report.unfilled`."""
    holes = {name: list(dict.fromkeys(_HOLES[name].findall(words))) for name, words in text.items()}
    if all(holes.values()):
        raise UNFILLED(places_zh="".join(holes["text_zh"]), places_en=" ".join(holes["text_en"]))
    whole = next(words for name, words in text.items() if not holes[name])
    plain = whole.removeprefix(line.DRILL_ZH).removeprefix(line.DRILL_EN)
    return {name: plain if holes[name] else words for name, words in text.items()}


def _due(deed: Deed, incident: Row, kind: str, held: list[Row]) -> int | None:
    """Return when a report is due: the first from when it happened, the next from the last one sent, the final one from the end."""
    book = duty.book(deed.connection)
    start = {"first": incident["happened"], "final": incident["closed"]}.get(kind) or max((row["sent"] for row in held if row["sent"] is not None), default=deed.now)
    limit = duty.limit_of(book, "*", f"report_{kind}", start, incident["theme"])
    return duty.term(book, limit, start, deed.zone).due


def _said(deed: Deed, row: Row, verb: str, to: str = "") -> Row:
    detail = {"incident": row["incident"], "kind": row["kind"], "due": row["due"]}
    line.write(deed, "report", row, verb, ends=("", row["state"]), note=to, detail=detail)
    line.tell(deed, "report", row, verb, incident=row["incident"], kind=row["kind"], state=row["state"])
    return row


def facts_of(deed: Deed, incident: Row) -> Document:
    """Return what the record has of an incident now: warnings and responses where it is, orders by state, cases by step."""
    found: dict[str, int] = {}
    for row in order.of_incident(deed.connection, incident["id"]):
        found[row["state"]] = found.get(row["state"], 0) + 1
    drills = bool(incident["drill"])
    warned = {row["id"]: row for area in incident["areas"] for row in warning.in_force(deed.connection, deed.now, area, drills=drills)}
    answered = {row["id"]: row for area in incident["areas"] for row in response.in_force(deed.connection, deed.now, area, drills=drills)}
    query = select(case_file.c.number, case_file.c.step).where(case_file.c.id.in_(incident["cases"])).order_by(case_file.c.opened)
    cases = [{"number": number_, "step": step} for number_, step in deed.connection.execute(query)]
    zone = deed.zone
    return {
        "at": f"{to_datetime(deed.now).astimezone(zone):%Y-%m-%d %H:%M}",
        "happened": f"{to_datetime(incident['happened']).astimezone(zone):%Y-%m-%d %H:%M}",
        "places": [{"zh": place.get("zh", ""), "en": place.get("en") or place.get("zh", "")} for place in incident["places"]],
        "warnings": [{"zh": shown["title_zh"], "en": shown["title_en"]} for shown in (warning.show(row, deed.now) for row in warned.values())],
        "responses": [{"zh": shown["title_zh"], "en": shown["title_en"]} for shown in (response.show(deed.connection, row) for row in answered.values())],
        "orders": found,
        "cases": cases,
        "parties": [dict(zip(("zh", "en"), duty.unit_names(deed.connection, unit), strict=True)) for unit in incident["parties"]],
    }


def _zh(incident: Row, facts: Document, kind: str) -> str:
    def names(key: str) -> str:
        return "、".join(one["zh"] for one in facts[key]) or "无"

    orders, total = facts["orders"], sum(facts["orders"].values())
    closed = sum(case["step"] in {"closed", "void"} for case in facts["cases"])
    place = names("places") if facts["places"] else "〔地点待核〕"
    return "\n".join(
        (
            f"{incident['title_zh']}（{KINDS[kind][0]}）",
            f"一、基本情况：{facts['happened']}，{place}。伤亡和影响：〔待核〕。",
            f"二、预警与响应：在效预警：{names('warnings')}；应急响应：{names('responses')}。",
            (
                f"三、处置情况：参与单位：{names('parties')}。下达指令 {total} 条，已完成 {orders.get('done', 0)} 条，未签收 {orders.get('sent', 0)} 条；"
                f"关联案件 {len(facts['cases'])} 件，已结 {closed} 件。"
            ),
            "四、下一步：〔请填写〕。" if kind != "final" else f"四、结果：事件已于 {facts['at']} 结束。原因和教训：〔请填写〕。",
            f"截至 {facts['at']}。",
        )
    )


def _en(incident: Row, facts: Document, kind: str) -> str:
    def names(key: str) -> str:
        return ", ".join(one["en"] for one in facts[key]) or "none"

    orders, total = facts["orders"], sum(facts["orders"].values())
    closed = sum(case["step"] in {"closed", "void"} for case in facts["cases"])
    place = names("places") if facts["places"] else "[place to be verified]"
    return "\n".join(
        (
            f"{incident['title_en']} ({KINDS[kind][1]})",
            f"1. What happened: {facts['happened']}, {place}. Casualties and effects: [to be verified].",
            f"2. Warnings and response: warnings in force: {names('warnings')}; emergency response: {names('responses')}.",
            (
                f"3. What is being done: taking part: {names('parties')}. Orders sent {total}, done {orders.get('done', 0)}, not acknowledged {orders.get('sent', 0)}; "
                f"cases linked {len(facts['cases'])}, closed {closed}."
            ),
            "4. Next: [please complete]." if kind != "final" else f"4. Result: ended by {facts['at']}. Causes and lessons: [please complete].",
            f"As of {facts['at']}.",
        )
    )


def late(deed: Deed) -> int:
    """Note once of every draft that its limit has run out; return how many there were."""
    c = incident_report.c
    rows = [dict(row) for row in deed.connection.execute(select(incident_report).where(c.due <= deed.now, c.state == "draft").limit(MOST)).mappings()]
    rows = [row for row in rows if not row["facts"].get("told")]
    for row in rows:
        told = row["facts"] | {"told": True}
        deed.connection.execute(update(incident_report).where(c.id == row["id"]).values(facts=told))
        _said(deed.by(SYSTEM), row | {"facts": told}, "overdue")
    return len(rows)


def _of(connection: Connection, incident_id: str) -> list[Row]:
    query = select(incident_report).where(incident_report.c.incident == incident_id).order_by(incident_report.c.made, incident_report.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def ids(connection: Connection, incident_id: str) -> list[str]:
    """Return the ids of an incident's reports."""
    return [row["id"] for row in _of(connection, incident_id)]


def of_incident(connection: Connection, incident_id: str, now: int) -> list[Document]:
    """Return an incident's reports in the order they were made."""
    return [show(row, now) for row in _of(connection, incident_id)]


def waiting(connection: Connection, now: int) -> list[Document]:
    """Return the drafts that have a limit, the first due first, with what their incidents are called: they are owed after its end too."""
    c, of = incident_report.c, incidents.c
    query = select(incident_report, of.title_zh.label("incident_zh"), of.title_en.label("incident_en")).join(incidents, of.id == c.incident)
    query = query.where(c.state == "draft", c.due.is_not(None)).order_by(c.due, c.id)
    return [show(row, now) | {name: row[name] for name in ("incident_zh", "incident_en")} for row in connection.execute(query).mappings()]


def show(row: Mapping[Any, Any], now: int) -> Document:
    """Turn a report's row into its document."""
    plain = ("id", "number", "incident", "kind", "state", "text_zh", "text_en", "sent_to", "version")
    return {name: row[name] for name in plain} | {
        "kind_zh": KINDS[row["kind"]][0],
        "kind_en": KINDS[row["kind"]][1],
        "state_zh": STATES[row["state"]][0],
        "state_en": STATES[row["state"]][1],
        "drill": bool(row["drill"]),
        "made": rfc3339(row["made"]),
        "due": time_of(row["due"]),
        "sent": time_of(row["sent"]),
        "late": row["state"] != "dropped" and row["due"] is not None and (row["sent"] or now) > row["due"],
    }
