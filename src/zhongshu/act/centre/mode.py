"""Raising and lowering a mode (平急): the officer on duty proposes, the leader approves; six visible things follow, and end with it.

Orders by plan, the emergency roster, urgent limits, routine postponed, devices sampled more often, a room with a draft of the first report. What is
listed is frozen at the approval. A drill gives orders and a room, stamped, and changes nothing else. Knows no case's clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from zhongshu.act import duty, postpone
from zhongshu.act.centre import incident, line, order, report, roster
from zhongshu.act.centre.line import Document, Row
from zhongshu.act.centre.refusals import ALREADY, NO_VERB, NOT_NOW, NOT_YOUR_MODE, SAME_PERSON
from zhongshu.act.centre.response import NUMERALS
from zhongshu.act.deed import MISSING, SYSTEM, Deed, number
from zhongshu.act.duty.load import stamp
from zhongshu.act.shown import time_of
from zhongshu.act.urgency import mode, postponed, raised_sampling
from zhongshu.kernel.area import show_area
from zhongshu.kernel.clock import MINUTE, rfc3339
from zhongshu.kernel.grade import Scope
from zhongshu.kernel.ids import uuid7

LETTER = "P"
STATES = {"proposed": ("待批准", "proposed"), "in_force": ("已启动", "in force"), "refused": ("未批准", "refused"), "ended": ("已恢复", "ended")}
VERBS = {"approve": ("批准", "approve"), "refuse": ("不批准", "refuse"), "end": ("恢复常态", "end")}
_FROM = {"approve": "proposed", "refuse": "proposed", "end": "in_force"}
EFFECTS = {
    "plan": ("预案任务", "orders by plan"),
    "roster": ("应急值班", "the emergency roster"),
    "urgent": ("紧急时限", "urgent limits"),
    "postpone": ("常规事项延后", "routine postponed"),
    "sample": ("加密监测", "devices sampled more often"),
    "room": ("事件处置室与首报", "the incident's room and first report"),
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is proposed: level 1 to 4 of the response it goes with; the document it rests on; `response`: that response's id, if there is one."""

    theme: str
    level: int
    areas: tuple[int, ...]
    title_zh: str
    title_en: str
    basis: str
    response: str | None = None
    drill: bool = False


def propose(deed: Deed, given: Proposal) -> Row:
    """Propose a mode; nothing follows before it is approved. Raises `case.missing`, `mode.already`, `centre.unknown`."""
    if not (given.theme and given.areas and given.title_zh.strip() and given.basis.strip()) or given.level not in NUMERALS:
        raise MISSING(zh="主题、级别、区域、名称、依据", en="theme, level, areas, title_zh, basis")
    held = select(mode).where(mode.c.state.in_(("proposed", "in_force")), mode.c.theme == given.theme, mode.c.drill == given.drill)
    for other in deed.connection.execute(held).mappings():
        if any(line.meets(other["areas"], area) for area in given.areas):
            raise ALREADY(theme=given.theme, areas=", ".join(map(show_area, given.areas)), number=other["number"])
    named = None if given.response is None else line.find(deed.connection, "response", given.response)["id"]
    area = line.over(given.areas)
    row: Row = {name: getattr(given, name) for name in ("theme", "level", "basis", "drill")} | {"id": uuid7(), "number": number(deed, area, deed.now, LETTER), "area": area}
    title = line.titled(row, (given.title_zh, given.title_en or given.title_zh))
    row |= {"areas": list(given.areas), "title_zh": title[0], "title_en": title[1], "response": named, "state": "proposed", "proposed": deed.now, "proposed_by": deed.actor.id}
    row |= {"decided": None, "decided_by": "", "ended": None, "ended_by": "", "effects": {}, "incident": None, "version": 1}
    deed.connection.execute(insert(mode), row)
    _said(deed, row, "propose", reason=given.basis)
    return row


def act(deed: Deed, id_: str, verb: str, note: str = "", version: int | None = None) -> Row:
    """Approve or refuse a proposal, or end a mode. Raises `centre.unknown`, `centre.no_verb`, `centre.not_now`, `centre.stale`, `mode.same_person`, `case.missing`."""
    if verb not in VERBS:
        raise NO_VERB(verb=verb, verbs=", ".join(VERBS))
    row = line.find(deed.connection, "mode", id_)
    if row["state"] != _FROM[verb]:
        state = STATES[row["state"]]
        raise NOT_NOW(number=row["number"], state_zh=state[0], state_en=state[1], verb_zh=VERBS[verb][0], verb_en=VERBS[verb][1])
    if verb == "approve" and deed.actor.id == row["proposed_by"]:
        raise SAME_PERSON()
    if verb == "refuse" and not note.strip():
        raise MISSING(zh="理由", en="note")
    if verb == "end":
        return _end(deed, row, note, version)
    decided = {"decided": deed.now, "decided_by": deed.actor.id}
    if verb == "refuse":
        after = line.change(deed, "mode", row, {"state": "refused", **decided}, version)
        _said(deed, after, verb, note=note)
        return after
    after = line.change(deed, "mode", row, {"state": "in_force", "effects": _listed(deed, row), **decided}, version)
    stamp(deed.connection)
    room = _room(deed, after)
    after = line.change(deed, "mode", after, {"incident": room["id"]})
    _said(deed, after, "approve", note=note)
    for effect, items in told(deed.connection, after).items():
        for item in items:
            line.write(deed, "mode", after, "begin", note=item["zh"], detail={"effect": effect, "what": item["what"], "en": item["en"]})
    return after


def is_own(row: Mapping[Any, Any], who: str, in_charge: str) -> bool:
    """Tell whether a mode in force is someone's to end who may end only their own: they proposed it, or are in charge of the watch."""
    return row["state"] == "in_force" and who in {row["proposed_by"], in_charge}


def check_own(deed: Deed, id_: str, in_charge: str, note: str) -> None:
    """Refuse to let someone end a mode that is not theirs, or without saying why. Raises `centre.unknown`, `mode.not_yours`, `case.missing`."""
    row = line.find(deed.connection, "mode", id_)
    if row["state"] == "in_force" and not is_own(row, deed.actor.id, in_charge):
        raise NOT_YOUR_MODE(number=row["number"])
    if not note.strip():
        raise MISSING(zh="理由", en="note")


def ends_own(connection: Connection, who: str, in_charge: str) -> list[str]:
    """Return the ids of the modes in force that are someone's to end."""
    held = connection.execute(select(mode).where(mode.c.state == "in_force")).mappings()
    return [row["id"] for row in held if is_own(row, who, in_charge)]


def _end(deed: Deed, row: Row, note: str, version: int | None) -> Row:
    """End a mode: cancel what is open of its orders, and say line by line what is as it was before."""
    lines = restored(deed.connection, row)
    for each in order.of_incident(deed.connection, row["incident"]):
        if each["task"] and each["state"] in order.OPEN:
            order.step(deed, row["incident"], each["id"], "cancel", "平急转换结束 · the mode has ended")
    postpone.take_up(deed, row["number"])
    after = line.change(deed, "mode", row, {"state": "ended", "ended": deed.now, "ended_by": deed.actor.id}, version)
    stamp(deed.connection)
    _said(deed, after, "end", note=note)
    for item in lines:
        line.write(deed, "mode", after, "restore", note=item["zh"], detail={"effect": item["effect"], "what": item["what"], "en": item["en"]})
    return after


def _listed(deed: Deed, row: Row) -> dict[str, list[dict[str, Any]]]:
    """Return what the duty tables list for a theme now: classes, devices and people, as they will be kept."""
    held = duty.book(deed.connection)
    found: dict[str, list[dict[str, Any]]] = {"urgent": [], "postpone": [], "sample": []}
    for listed in held.all_at("modes", deed.now):
        cells = listed.cells
        if cells["theme"] != row["theme"] or cells["effect"] not in found:
            continue
        item = {name: cells[name] for name in ("what", "zh", "en", "every_s", "basis")}
        notice = (f"因{row['title_zh']}，“{cells['zh']}”延后办理，恢复后继续。", f"Because of '{row['title_en']}', '{cells['en']}' is put off until it ends.")
        found[cells["effect"]].append(item | {"notice_zh": notice[0], "notice_en": notice[1]})
    return found | {"roster": roster.of_theme(deed.connection, row["theme"]), "plan": _plan(deed, row)}


def _plan(deed: Deed, row: Row) -> list[dict[str, Any]]:
    """Return the plan's tasks for a level: its own, and those of lesser levels that it does not say anew."""
    tasks: dict[str, dict[str, Any]] = {}
    rows = [each.cells for each in duty.book(deed.connection).all_at("plans", deed.now) if each.cells["theme"] == row["theme"] and int(each.cells["level"]) >= row["level"]]
    for cells in sorted(rows, key=lambda cells: -int(cells["level"])):
        tasks[cells["task"]] = {name: cells[name] for name in ("task", "zh", "en", "unit", "limit_minutes", "basis", "level")}
    return [tasks[key] for key in sorted(tasks)]


def _room(deed: Deed, row: Row) -> Row:
    """Open the incident's room, give out the plan's orders, and tell those whose cases are put off."""
    new = incident.NewIncident(row["theme"], row["title_zh"], row["title_en"], tuple(row["areas"]), row["level"], drill=row["drill"], mode=row["id"])
    room = incident.open_room(deed, new)
    for task in row["effects"]["plan"]:
        due = None if task["limit_minutes"] is None else deed.now + task["limit_minutes"] * MINUTE
        incident.command(deed, room["id"], order.NewOrder(task["unit"], task["zh"], task["en"], due, task["task"], task["basis"]))
    report.draft(deed, line.find(deed.connection, "incident", room["id"]), "first")
    if not row["drill"] and row["effects"]["postpone"]:
        _put_off(deed, row)
    return room


def _put_off(deed: Deed, row: Row) -> None:
    """Let the cases stand still that are put off, each a line of the mode; who reported them is told by the case."""
    for case in postpone.put_off(deed):
        notice = postponed(deed.connection, case["class"], case["area"], deed.now)
        zh, en = ("", "") if notice is None else (notice["zh"], notice["en"])
        line.write(deed.by(SYSTEM), "mode", row, "notice", note=zh, unit=case["unit"], detail={"case": case["id"], "number": case["number"], "en": en})


def told(connection: Connection, row: Mapping[Any, Any]) -> dict[str, list[dict[str, str]]]:
    """Return the six effects of a mode as lines: {what, zh, en} of each; a drill's has no limits, postponing or sampling, nor calls anyone in."""
    effects = row["effects"]
    room = line.find(connection, "incident", row["incident"])["number"] if row["incident"] else ""
    found = {
        "plan": [
            _item(t["task"], f"指令：{t['zh']} → {duty.unit_names(connection, t['unit'])[0]}", f"Order: {t['en']} → {duty.unit_names(connection, t['unit'])[1]}")
            for t in effects["plan"]
        ],
        "room": [_item(room, f"事件 {room}，首报待报", f"Incident {room}, first report drafted")] if room else [],
    }
    if row["drill"]:
        return {"roster": [], "urgent": [], "postpone": [], "sample": []} | found
    return found | {
        "roster": [_item(r["name"], f"到岗：{r['name']}", f"Called in: {r['name_en']}") for r in effects["roster"]],
        "urgent": [_item(u["what"], f"执行紧急时限：{u['zh']}", f"Urgent limits: {u['en']}") for u in effects["urgent"]],
        "postpone": [_item(p["what"], f"延后办理：{p['zh']}", f"Put off: {p['en']}") for p in effects["postpone"]],
        "sample": [
            _item(s["what"], f"加密监测：{s['zh']}，每 {s['every_s'] or '—'} 秒", f"Sampled more often: {s['en']}, every {s['every_s'] or '—'} s") for s in effects["sample"]
        ],
    }


def _item(what: str, zh: str, en: str) -> dict[str, str]:
    return {"what": what, "zh": zh, "en": en}


def restored(connection: Connection, row: Mapping[Any, Any]) -> list[dict[str, str]]:
    """Return, line by line, what ending a mode puts back: {effect, what, zh, en}."""
    undone = {"urgent": ("恢复常规时限", "Ordinary limits again"), "postpone": ("恢复办理", "Taken up again"), "sample": ("恢复常规采样", "Ordinary sampling again")}
    others = {
        "plan": ("指令收回或已办结", "Order ended or withdrawn"),
        "roster": ("应急值班解除", "Emergency roster stood down"),
        "room": ("事件处置转入收尾", "The room goes on to its end"),
    }
    devices = {s["what"]: s for s in row["effects"].get("sample", ())}
    lines = []
    for effect, items in told(connection, row).items():
        zh, en = (undone | others)[effect]
        for item in items:
            about = devices[item["what"]] if effect == "sample" else {"zh": item["zh"].partition("：")[2] or item["zh"], "en": item["en"].partition(": ")[2] or item["en"]}
            lines.append({"effect": effect, "what": item["what"], "zh": f"{zh}：{about['zh']}", "en": f"{en}: {about['en']}"})
    return lines


def _said(deed: Deed, row: Row, verb: str, *, note: str = "", reason: str = "") -> None:
    line.write(deed, "mode", row, verb, ends=("", row["state"]), note=note, reason=reason, detail={"theme": row["theme"], "level": row["level"]})
    line.tell(deed, "mode", row, verb, theme=row["theme"], state=row["state"], title_zh=row["title_zh"], title_en=row["title_en"])


def listing(connection: Connection, scope: Scope, now: int, *, every: bool = False, limit: int = 100) -> Document:
    """Return the modes that touch a scope, proposed and in force, or every one, newest first; and the sampling raised now."""
    query = select(mode).where(*(() if every else (mode.c.state.in_(("proposed", "in_force")),))).order_by(mode.c.proposed.desc(), mode.c.id.desc())
    items = [show(connection, row) for row in connection.execute(query).mappings() if line.touches(scope, row)][:limit]
    sampling = [row | {"areas": [show_area(area) for area in row["areas"]]} for row in raised_sampling(connection, now) if line.touches(scope, row)]
    return {"items": items, "next": None, "sampling": sampling}


def show(connection: Connection, row: Mapping[Any, Any]) -> Document:
    """Turn a mode's row into its document: its six effects, or what they were and what was restored."""
    plain = ("id", "number", "theme", "title_zh", "title_en", "basis", "response", "state", "incident", "version")
    zh, en = line.theme_names(connection, row["theme"])
    effects = told(connection, row) if row["effects"] else {}
    return {name: row[name] for name in plain} | {
        "theme_zh": zh,
        "theme_en": en,
        "level": NUMERALS[row["level"]],
        "state_zh": STATES[row["state"]][0],
        "state_en": STATES[row["state"]][1],
        "drill": bool(row["drill"]),
        "areas": [show_area(area) for area in row["areas"]],
        "proposed": rfc3339(row["proposed"]),
        "decided": time_of(row["decided"]),
        "ended": time_of(row["ended"]),
        "effects": [{"effect": key, "zh": EFFECTS[key][0], "en": EFFECTS[key][1], "items": effects[key]} for key in EFFECTS if key in effects],
        "restored": restored(connection, row) if row["state"] == "ended" else [],
    }
