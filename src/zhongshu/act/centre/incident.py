"""An incident's room (突发事件): what it is and where, who takes part, its orders and reports, and a command log that only grows.

A drill's room stamps everything said in it. Knows no mode and no warning's text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from zhongshu.act import docket, duty, states, units
from zhongshu.act.centre import line, order, report
from zhongshu.act.centre.line import Document, Row
from zhongshu.act.centre.refusals import IS_CLOSED, NO_VERB, ORDERS_OPEN, PARTY_HAS_ORDERS
from zhongshu.act.centre.tables import incident
from zhongshu.act.deed import MISSING, Deed, number
from zhongshu.act.shown import in_scope, time_of
from zhongshu.act.tables import case_file, case_step
from zhongshu.act.urgency import mode as modes
from zhongshu.kernel.area import show_area
from zhongshu.kernel.clock import rfc3339
from zhongshu.kernel.grade import Principal, Scope
from zhongshu.kernel.ids import uuid7

LETTER = "E"
STATES = {"open": ("处置中", "open"), "closed": ("已结束", "closed")}
VERBS = {
    "log": ("记录", "Log"),
    "order": ("下达指令", "Send an order"),
    "link": ("关联案件", "Link a case"),
    "party": ("增加参与单位", "Add a party"),
    "place": ("增加地点", "Add a place"),
    "unlink": ("取消关联", "Unlink a case"),
    "unparty": ("移出参与单位", "Take a unit out"),
    "unplace": ("移出地点", "Take a place out"),
    "report": ("起草报告", "Draft a report"),
    "send": ("报送", "Send a report"),
    "close": ("结束", "Close"),
}
SAID = {
    ("incident", "open"): ("建立处置室", "Room opened"),
    ("incident", "log"): ("记录", "Noted"),
    ("incident", "link"): ("关联案件", "Case linked"),
    ("incident", "party"): ("增加参与单位", "Unit added"),
    ("incident", "place"): ("增加地点", "Place added"),
    ("incident", "unlink"): ("取消关联", "Case unlinked"),
    ("incident", "unparty"): ("移出参与单位", "Unit taken out"),
    ("incident", "unplace"): ("移出地点", "Place taken out"),
    ("incident", "close"): ("结束", "Closed"),
    ("order", "send"): ("下达指令", "Order sent"),
    ("order", "read"): ("签收", "Order read"),
    ("order", "accept"): ("接令", "Order accepted"),
    ("order", "done"): ("完成", "Order done"),
    ("order", "decline"): ("不能承担", "Order declined"),
    ("order", "cancel"): ("撤销指令", "Order withdrawn"),
    ("order", "overdue"): ("指令超时", "Order over its limit"),
    ("report", "draft"): ("起草报告", "Report drafted"),
    ("report", "send"): ("报送", "Report sent"),
    ("report", "drop"): ("报告不再需要", "Report dropped"),
    ("report", "overdue"): ("报告超时", "Report over its limit"),
}
"""How a line of the history is said, by its kind and verb."""


HELD = {"link": "cases", "party": "parties", "place": "places"}
"""What may be put into a room by hand, and where it is kept."""
_HELD_ZH = {"cases": "案件", "parties": "单位", "places": "地点"}
BACK = {"unlink": "link", "unparty": "party", "unplace": "place"}
"""What takes it out again."""

_OF_CASE = ("id", "number", "title_zh", "title_en", "step", "holder_zh", "holder_en", "indicator", "lon", "lat")


@dataclass(frozen=True, slots=True)
class NewIncident:
    """What an incident is opened with; `happened` µs, now if None; `places`: {zh, en, lon, lat}; `cases`: ids of cases it is about."""

    theme: str
    title_zh: str
    title_en: str
    areas: tuple[int, ...]
    level: int = 0
    places: tuple[dict[str, Any], ...] = ()
    parties: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    happened: int | None = None
    drill: bool = False
    mode: str | None = None


def open_room(deed: Deed, new: NewIncident) -> Row:
    """Open an incident's room and draft its first report. Raises `case.missing`, `case.unknown`, `centre.no_theme`, `unit.unknown`."""
    if not new.theme or not new.title_zh.strip() or not new.areas:
        raise MISSING(zh="主题、名称、区域", en="theme, title_zh, areas")
    if new.mode is None:
        line.check_theme(deed.connection, new.theme, deed.now)
    cases = [docket.get(deed, case)["id"] for case in new.cases]
    title = (line.stamped(new.title_zh, drill=new.drill, language="zh"), line.stamped(new.title_en or new.title_zh, drill=new.drill, language="en"))
    area = line.over(new.areas)
    for party in new.parties:
        units.check(deed, party, area)
    row: Row = {"id": uuid7(), "number": number(deed, area, deed.now, LETTER), "theme": new.theme, "title_zh": title[0], "title_en": title[1], "level": new.level, "area": area}
    row |= {"areas": list(new.areas), "places": list(new.places), "parties": list(new.parties), "cases": cases, "mode": new.mode, "drill": new.drill, "state": "open"}
    row |= {"happened": deed.now if new.happened is None else new.happened, "opened": deed.now, "opened_by": deed.actor.id, "closed": None, "version": 1}
    deed.connection.execute(insert(incident), row)
    _said(deed, row, "open", detail={"about_zh": title[0], "about_en": title[1]})
    report.draft(deed, row, "first")
    return row


def log(deed: Deed, id_: str, text: str) -> Row:
    """Write a line into the command log. Raises `centre.unknown`, `incident.closed`, `case.missing`."""
    row = _open(deed, id_)
    if not text.strip():
        raise MISSING(zh="内容", en="note")
    _said(deed, row, "log", note=text)
    return row


def command(deed: Deed, id_: str, new: order.NewOrder) -> Row:
    """Send an order; its unit becomes a party. Returns the order. Raises `centre.unknown`, `incident.closed`, `case.missing`."""
    row = _open(deed, id_)
    sent = order.send(deed, row, new)
    if new.unit not in row["parties"]:
        line.change(deed, "incident", row, {"parties": [*row["parties"], new.unit]})
    return sent


def add(deed: Deed, id_: str, verb: str, what: str | dict[str, Any]) -> Row:
    """Add a case (link), a unit (party) or a place to an incident; again changes nothing. Raises `centre.unknown`, `incident.closed`, `case.unknown`."""
    column, row = HELD[verb], _open(deed, id_)
    if not what:
        raise MISSING(zh=_HELD_ZH[column], en=column)
    if verb == "link":
        what = str(docket.get(deed, str(what))["id"])
    elif verb == "party":
        units.check(deed, str(what), row["area"])
    if what in row[column]:
        return row
    row = line.change(deed, "incident", row, {column: [*row[column], what]})
    _said_of(deed, row, verb, what)
    return row


def remove(deed: Deed, id_: str, verb: str, what: str | dict[str, Any]) -> Row:
    """Take a case (unlink), a unit (unparty) or a place (unplace) out again; what is not there changes nothing. The log keeps both lines.

    Raises `centre.unknown`, `incident.closed`, `case.missing`, `incident.party_has_orders`.
    """
    column, row = HELD[BACK[verb]], _open(deed, id_)
    if not what:
        raise MISSING(zh=_HELD_ZH[column], en=column)
    if what not in row[column]:
        return row
    if verb == "unparty" and (count := sum(each["unit"] == what and each["state"] in order.OPEN for each in order.of_incident(deed.connection, row["id"]))):
        names = duty.unit_names(deed.connection, str(what))
        raise PARTY_HAS_ORDERS(unit_zh=names[0], unit_en=names[1], count=count)
    row = line.change(deed, "incident", row, {column: [each for each in row[column] if each != what]})
    _said_of(deed, row, verb, what)
    return row


def _said_of(deed: Deed, row: Row, verb: str, what: str | dict[str, Any]) -> None:
    """Write which case, unit or place was put in or taken out, as it is called in each language."""
    if isinstance(what, dict):
        words = (what["zh"], what.get("en") or what["zh"])
    elif BACK.get(verb, verb) == "link":
        case = docket.get(deed, what)
        words = (f"{case['number']} {case['title_zh']}", f"{case['number']} {case['title_en']}")
    else:
        words = duty.unit_names(deed.connection, what)
    _said(deed, row, verb, detail={verb: what, "about_zh": words[0], "about_en": words[1]})


def close(deed: Deed, id_: str, note: str, version: int | None = None) -> Row:
    """Close an incident whose orders have all ended, and draft its final report; reports not sent stay owed. Raises `incident.closed`, `incident.orders_open`, `centre.stale`."""
    row = _open(deed, id_)
    if count := sum(each["state"] in order.OPEN for each in order.of_incident(deed.connection, row["id"])):
        raise ORDERS_OPEN(count=count)
    row = line.change(deed, "incident", row, {"state": "closed", "closed": deed.now}, version)
    _said(deed, row, "close", note=note)
    report.draft(deed, row, "final")
    return row


def _open(deed: Deed, id_: str) -> Row:
    row = line.find(deed.connection, "incident", id_)
    if row["state"] != "open":
        raise IS_CLOSED(number=row["number"])
    return row


def _said(deed: Deed, row: Row, verb: str, *, note: str = "", detail: Row | None = None) -> None:
    line.write(deed, "incident", row, verb, ends=(row["state"], row["state"]), note=note, detail=detail)
    line.tell(deed, "incident", row, verb, state=row["state"], title_zh=row["title_zh"], title_en=row["title_en"])


def verb_of(name: str) -> str:
    """Return a verb of a room, or raise `centre.no_verb`."""
    if name not in VERBS:
        raise NO_VERB(verb=name, verbs=", ".join(VERBS))
    return name


def listing(connection: Connection, scope: Scope, *, every: bool = False, limit: int = 100) -> list[Document]:
    """Return the incidents that touch a scope, newest first: those open, or every one."""
    query = select(incident).where(*(() if every else (incident.c.state == "open",))).order_by(incident.c.opened.desc(), incident.c.id.desc())
    return [show(connection, row) for row in connection.execute(query).mappings() if line.touches(scope, row)][:limit]


def get(connection: Connection, scope: Scope, id_: str, viewer: Principal, now: int, cases: Scope) -> Document:
    """Return one incident with its orders, reports, log, linked cases (those in the scope `cases`), teams and supplies. Raises `centre.unknown`."""
    row = line.find(connection, "incident", id_)
    if not line.touches(scope, row):
        line.find(connection, "incident", "")
    orders = order.of_incident(connection, row["id"])
    linked = select(case_file).where(case_file.c.id.in_(row["cases"]), *in_scope(case_file.c, cases)).order_by(case_file.c.opened)
    return show(connection, row) | {
        "orders": [order.show(connection, each, viewer, now) for each in orders],
        "reports": report.of_incident(connection, row["id"], now),
        "log": log_of(connection, row["id"], [each["id"] for each in orders]),
        "cases": [_case(each) for each in connection.execute(linked).mappings()],
        "supplies": supplies(connection, row["theme"], now),
        "unfinished": _unfinished(connection, row, cases),
    }


def _unfinished(connection: Connection, row: Mapping[Any, Any], cases: Scope) -> list[Document]:
    """Return what closing an incident leaves open: its reports not sent, its cases not closed (those in the scope), its mode in force."""
    found = [("report", each["id"], each["number"], report.KINDS[each["kind"]]) for each in report.of_incident(connection, row["id"], 0) if each["state"] == "draft"]
    c = case_file.c
    held = connection.execute(select(case_file).where(c.id.in_(row["cases"]), c.step.in_(states.OPEN), *in_scope(c, cases)).order_by(c.opened)).mappings()
    found += [("case", each["id"], each["number"], (each["title_zh"], each["title_en"])) for each in held]
    raised = connection.execute(select(modes).where(modes.c.id == row["mode"], modes.c.state == "in_force")).mappings()
    found += [("mode", each["id"], each["number"], line.titled(each, (each["title_zh"], each["title_en"]))) for each in raised]
    return [{"kind": kind, "id": id_, "number": number_, "zh": zh, "en": en} for kind, id_, number_, (zh, en) in found]


def _case(row: Mapping[Any, Any]) -> Document:
    step = states.STEPS[row["step"]]
    return {name: row[name] for name in _OF_CASE} | {
        "area": show_area(row["area"]),
        "level": row["level"] or None,
        "step_zh": step.zh,
        "step_en": step.en,
        "due": time_of(row["due"]) if row["closed"] is None else None,
    }


def log_of(connection: Connection, id_: str, orders: Sequence[str]) -> list[Document]:
    """Return the command log: every line of the incident and of its orders and reports, in their order."""
    reports = report.ids(connection, id_)
    query = select(case_step).where(case_step.c.subject.in_([id_, *orders, *reports]), case_step.c.kind.in_(("incident", "order", "report"))).order_by(case_step.c.seq)
    found = []
    for step in connection.execute(query).mappings():
        zh, en = SAID.get((step["kind"], step["verb"]), (step["verb"], step["verb"]))
        plain = ("seq", "kind", "number", "verb", "actor", "actor_name", "note", "reason", "unit")
        told = {"verb_zh": zh, "verb_en": en, "at": rfc3339(step["at"]), "drill": bool(step["detail"].get("drill"))}
        about = {f"about_{language}": _about(step, language) for language in ("zh", "en")}
        found.append({name: step[name] for name in plain} | told | about)
    return found


def _about(step: Mapping[Any, Any], language: str) -> str:
    """Return which order or report, case, unit or place a line is about, as it is called in a language; '' where the line itself says it."""
    if step["kind"] == "order":
        return str(step["detail"].get(f"title_{language}") or "")
    if step["kind"] == "incident":
        return str(step["detail"].get(f"about_{language}") or "")
    return report.KINDS[step["detail"]["kind"]][language != "zh"]


def supplies(connection: Connection, theme: str, at: int) -> list[Document]:
    """Return the teams and supplies in force for a theme, and those for any."""
    held = duty.book(connection)
    plain = ("name", "name_en", "unit", "kind", "count", "lon", "lat", "basis")
    return [{name: row.cells[name] for name in plain} for row in held.all_at("supplies", at) if row.cells["theme"] in {"", theme}]


def show(connection: Connection, row: Mapping[Any, Any]) -> Document:
    """Turn an incident's row into its document."""
    zh, en = line.theme_names(connection, row["theme"])
    plain = ("id", "number", "theme", "title_zh", "title_en", "places", "mode", "state", "version")
    units = [(unit, *duty.unit_names(connection, unit)) for unit in row["parties"]]
    return {name: row[name] for name in plain} | {
        "theme_zh": zh,
        "theme_en": en,
        "state_zh": STATES[row["state"]][0],
        "state_en": STATES[row["state"]][1],
        "drill": bool(row["drill"]),
        "areas": [show_area(area) for area in row["areas"]],
        "parties": [{"unit": unit, "unit_zh": zh, "unit_en": en} for unit, zh, en in units],
        "happened": rfc3339(row["happened"]),
        "opened": rfc3339(row["opened"]),
        "closed": time_of(row["closed"]),
    }
