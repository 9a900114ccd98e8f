"""Leads: something seen that is not yet a case. From findings and from voices, decided by a person, joined with reasons, and taken back whole.

A link is a proposal the page shows with its reason; taking it back restores everything it changed. Knows no page and no rule of findings.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from zhongshu.act import case as cases
from zhongshu.act import docket, duty, guards, machine, place, states, takeback, voice
from zhongshu.act.deed import MISSING, SYSTEM, Deed, Entry, number, record
from zhongshu.act.given import Given, NewCase
from zhongshu.act.nearness import Reason, between, near
from zhongshu.act.refusals import STALE
from zhongshu.act.tables import case_file, lead, lead_link, request
from zhongshu.kernel.area import show_area
from zhongshu.kernel.bus import News
from zhongshu.kernel.clock import rfc3339
from zhongshu.kernel.finding import Finding
from zhongshu.kernel.ids import uuid7
from zhongshu.kernel.problem import declare

UNKNOWN = declare(
    "lead.unknown",
    "unknown",
    zh=("没有编号为 {id} 的线索。", "请检查编号，或在列表中查找。"),
    en=("There is no lead {id}.", "Check its number, or look for it in the list."),
)
NO_LINK = declare(
    "lead.no_link",
    "conflict",
    zh=("没有可以撤销的并入 {id}。", "请刷新：可能已经有人撤销。"),
    en=("There is no join {id} to take back.", "Refresh: someone may have taken it back already."),
)
NOT_JOINED = declare(
    "lead.not_joined",
    "conflict",
    zh=("不能并入线索 {number}。", "请选择另一条未作废的线索。"),
    en=("Nothing can be joined to lead {number}.", "Choose another lead that is open or filed."),
)

_Lead = dict[str, Any]

_ONE = select(lead).where(lead.c.id == bindparam("id"))
_ONCE = select(lead).where(lead.c.source == bindparam("source"), lead.c.external == bindparam("external"))
_UPDATE = update(lead).where(lead.c.id == bindparam("b_id"))


@dataclass(frozen=True, slots=True)
class Seen:
    """How a finding is put to people: the class of case it may become, its title, the place of what was measured, and the class of device that did."""

    class_: str
    title_zh: str
    title_en: str
    lon: float | None = None
    lat: float | None = None
    address: str = ""
    device: str = ""


def from_finding(deed: Deed, finding: Finding, seen: Seen) -> tuple[_Lead, bool]:
    """Open the lead of a finding, once, and return it and whether it is new; leads of voices near it in place, time and kind join it."""
    found = deed.connection.execute(_ONCE, {"source": "finding", "external": finding.id}).mappings().one_or_none()
    if found is not None:
        return dict(found), False
    row = _open(
        deed,
        {
            "kind": "finding",
            "source": "finding",
            "external": finding.id,
            "class": seen.class_,
            "title_zh": seen.title_zh,
            "title_en": seen.title_en,
            "address": seen.address,
            "area": finding.area,
            "lon": seen.lon,
            "lat": seen.lat,
            "level": str(finding.level),
            "indicator": finding.indicator,
            "finding": finding.id,
            "opened": finding.opened,
            "flags": [],
        },
        {"rule": finding.rule, "device": seen.device},
    )
    for other, reason in near(deed, row):
        if other["kind"] == "request" and other["state"] == "open":
            _join_lead(deed, other, row, reason)
    return get(deed, row["id"]), True


def from_request(deed: Deed, told: Mapping[Any, Any]) -> _Lead:
    """Join a voice to the nearest lead of its kind, in place and time, or open a lead of its own; return the lead."""
    candidates = [(other, reason) for other, reason in near(deed, told) if may_join(deed, other)]
    if candidates:
        other, reason = min(candidates, key=lambda pair: pair[1].metres)
        link_voice(deed, told["id"], other["id"], reason)
        return get(deed, other["id"])
    return _own_lead(deed, told)


def ended(deed: Deed, finding: str) -> _Lead | None:
    """Note on an open lead that its finding is over; whoever reviews it sees so. None if there is none open."""
    row = deed.connection.execute(_ONCE, {"source": "finding", "external": finding}).mappings().one_or_none()
    if row is None or row["state"] != "open" or row["ended"] is not None:
        return None
    return _move(deed, dict(row), "ended", "", ended=deed.now)


def decide(deed: Deed, lead_id: str, verb: str, given: Given, of: str = "") -> _Lead:
    """Confirm (opens its case), false_alarm, duplicate of another, reopen what was settled, or place. Raises `lead.unknown`, `case.stale`, `case.not_now`, `case.not_yours`, `case.own_report`."""
    row = get(deed, lead_id)
    if given.version is not None and given.version != row["version"]:
        raise STALE(number=row["number"], have=row["version"], given=given.version)
    move = machine.find_lead(row["state"], verb)
    machine.allow(move, deed.actor, row["area"])
    if verb == "confirm":
        if row["kind"] == "request" and guards.told_alone(deed, request.c.lead == row["id"]):
            raise guards.own_report(verb)
        return _confirm(deed, row, given)
    if verb == "duplicate":
        if not of:
            raise MISSING(zh="重复于", en="of")
        other = get(deed, of)
        if other["id"] == row["id"] or not may_join(deed, other):
            raise NOT_JOINED(number=other["number"])
        return _join_lead(deed, row, other, between(row, other))
    if verb == "place":
        return _place(deed, row, move, given.place)
    return _move(deed, row, verb, given.reason, decided_by=deed.actor.id)


def take_back(deed: Deed, lead_id: str, given: Given) -> _Lead:
    """Take one's own verdict back: the lead is open again; the case it opened becomes void, and its number is not given again.

    Raises `lead.unknown`, `lead.no_link`, `case.stale`, `case.not_now`, `case.not_yours` and what `takeback.claim` raises.
    """
    row = get(deed, lead_id)
    if given.version is not None and given.version != row["version"]:
        raise STALE(number=row["number"], have=row["version"], given=given.version)
    verb = "unlink" if row["state"] == "duplicate" else "undo"
    machine.allow(machine.find_lead(row["state"], verb), deed.actor, row["area"])
    line = takeback.claim(deed, lead_id, ("open", ""))
    if verb == "unlink":
        mine = select(lead_link.c.id).where(lead_link.c.other == lead_id, lead_link.c.kind == "same_event", lead_link.c.undone.is_(None)).order_by(lead_link.c.id.desc()).limit(1)
        return undo(deed, deed.connection.execute(mine).scalar_one())
    if row["case_id"] is not None:
        _unfile(deed, row)
    return _move(deed, row, verb, "", {"undoes": line["seq"]}, case_id=None, decided_by="")


def link_voice(deed: Deed, request_id: str, lead_id: str, reason: Reason | None = None) -> _Lead:
    """Join a voice to a lead, with the reason, and return the lead. Raises `lead.unknown`, `lead.not_joined`, `request.unknown`."""
    told, row = voice.get(deed, request_id), get(deed, lead_id)
    machine.allow(machine.find_lead("open", "duplicate"), deed.actor, row["area"])
    if told["lead"] == lead_id or not may_join(deed, row):
        raise NOT_JOINED(number=row["number"])
    why = reason or between(told, row)
    own = None if told["lead"] is None else get(deed, told["lead"])
    if own is not None and own["state"] == "open" and own["external"] == request_id:
        _join_lead(deed, own, row, why)
        return get(deed, lead_id)
    repeat = _shift(deed, told, row, why)
    before = json.dumps({"lead": told["lead"], "case": told["case_id"], "repeat": repeat})
    _write_link(deed, lead_id, why, request=request_id, before=before)
    _voices_changed(deed, {lead_id, told["lead"]}, {row["case_id"], told["case_id"]})
    return get(deed, lead_id)


def undo(deed: Deed, link_id: int) -> _Lead:
    """Take a join back: the voice, or the lead, stands again as it stood before. Raises `lead.no_link`, `case.not_yours`."""
    link = deed.connection.execute(select(lead_link).where(lead_link.c.id == link_id, lead_link.c.undone.is_(None))).mappings().one_or_none()
    if link is None:
        raise NO_LINK(id=link_id)
    target = get(deed, link["lead"])
    machine.allow(machine.find_lead("duplicate", "unlink"), deed.actor, target["area"])
    changes = {"b_id": link_id, "undone": deed.now, "undone_by": deed.actor.id}
    deed.connection.execute(update(lead_link).where(lead_link.c.id == bindparam("b_id")), changes)
    if link["kind"] != "same_event":
        return target
    before = json.loads(link["before"])
    if link["request"] is not None:
        return _undo_voice(deed, link["request"], target, before)
    row = get(deed, link["other"])
    for request_id, repeat in before["voices"].items():
        told = voice.get(deed, request_id)
        if told["lead"] == target["id"]:
            _shift_back(deed, told, target, row["id"], None, repeat=repeat)
    _voices_changed(deed, {target["id"]}, {target["case_id"]})
    after = _move(deed, row, "unlink", "", of=None, case_id=None, decided_by="")
    settle(deed, row["id"])
    return after


def settle(deed: Deed, lead_id: str | None) -> None:
    """Settle an open lead of voices of which none waits any longer, and open a settled one again of which one does."""
    row = None if lead_id is None else get(deed, lead_id)
    if row is None or row["kind"] != "request" or row["state"] not in {"open", "settled"}:
        return
    told = set(deed.connection.execute(select(request.c.state).where(request.c.lead == row["id"])).scalars())
    if told and row["state"] == ("settled" if "received" in told else "open"):
        _move(deed.by(SYSTEM), row, "reopen" if "received" in told else "settle", "")


def again(deed: Deed, lead_id: str | None) -> None:
    """Open the lead of a voice that is received again, whatever was decided on it, unless a case of it lives: somebody has to decide anew."""
    row = None if lead_id is None else get(deed, lead_id)
    if row is None or row["kind"] != "request":
        return
    void = row["state"] == "filed" and row["case_id"] is not None and docket.get(deed, row["case_id"])["step"] == "void"
    if row["state"] in {"settled", "false"} or void:
        _move(deed.by(SYSTEM), row, "reopen", "", case_id=None, decided_by="")


def get(deed: Deed, lead_id: str) -> _Lead:
    """Return a lead's row. Raises `lead.unknown`."""
    found = deed.connection.execute(_ONE, {"id": lead_id}).mappings().one_or_none()
    if found is None:
        raise UNKNOWN(id=lead_id)
    return dict(found)


def _own_lead(deed: Deed, told: Mapping[Any, Any]) -> _Lead:
    words = duty.row_for(deed.connection, told["class"], told["created"]) if told["class"] else None
    row = _open(
        deed,
        {
            "kind": "request",
            "source": "request",
            "external": told["id"],
            "class": told["class"],
            "title_zh": words["zh"] if words else "群众反映（待归类）",
            "title_en": words["en"] if words else "A citizen's report, not classed yet",
            "address": told["address"],
            "area": told["area"],
            "lon": told["lon"],
            "lat": told["lat"],
            "level": "unset",
            "indicator": "",
            "finding": None,
            "opened": told["created"],
            "flags": [flag for flag in told["flags"] if flag == "class_guessed"],
        },
    )
    deed.connection.execute(update(request).where(request.c.id == bindparam("b_id")), {"b_id": told["id"], "lead": row["id"]})
    return row


def _open(deed: Deed, facts: _Lead, detail: dict[str, Any] | None = None) -> _Lead:
    row = facts | {
        "id": uuid7(),
        "number": number(deed, facts["area"], facts["opened"], "L"),
        "state": "open",
        "of": None,
        "case_id": None,
        "changed": deed.now,
        "ended": None,
        "decided_by": "",
        "version": 1,
    }
    machine.allow(machine.find_lead("", "opened"), deed.actor, row["area"])
    deed.connection.execute(insert(lead), row)
    record(deed, Entry("lead", row["id"], row["number"], row["area"], "opened", 1, end=("open", ""), happened=row["opened"], detail=detail or {}))
    _tell(deed, row, "opened")
    return row


def _place(deed: Deed, row: _Lead, move: states.Row, to: place.Place | None) -> _Lead:
    """Put a lead on the map, with the voices that had no place; where it goes must be of this person's areas too."""
    if to is None:
        raise MISSING(zh="地点", en="place")
    machine.allow(move, deed.actor, to.area)
    changes = place.changes(to)
    place.carry(deed, "lead", row["id"], to)
    return _move(deed, row, "place", "", place.moved(row, to), **changes)


def _confirm(deed: Deed, row: _Lead, given: Given) -> _Lead:
    if given.class_ != row["class"]:
        guards.classed(deed, given.class_)
    opened = cases.open_case(
        deed,
        NewCase(
            "confirm",
            given.class_ or row["class"],
            row["title_zh"],
            row["title_en"],
            row["area"],
            row["kind"],
            address=row["address"],
            lon=row["lon"],
            lat=row["lat"],
            level=row["level"],
            indicator=row["indicator"],
            finding=row["finding"],
            lead=row["id"],
            reason=given.reason,
            flags=tuple(row["flags"]),
        ),
    )
    deed.connection.execute(update(request).where(request.c.lead == bindparam("b_lead")), {"b_lead": row["id"], "case_id": opened["id"]})
    cases.recount_voices(deed, opened["id"])
    return _move(deed, row, "confirm", given.reason, _proposed(deed, row, opened["class"]), case_id=opened["id"], decided_by=deed.actor.id)


def _proposed(deed: Deed, row: _Lead, chosen: str) -> dict[str, Any]:
    """Return what the history keeps of what was proposed for a lead's first voice and what a person chose; the assistant learns the choice."""
    first = deed.connection.execute(select(request).where(request.c.lead == row["id"]).order_by(request.c.created, request.c.id).limit(1)).mappings().one_or_none()
    if first is None or deed.actor.id == "system":
        return {}
    if deed.assistant is not None:
        deed.assistant.confirmed(first["text"], chosen)
    return {"proposed": [one["class"] for one in first["proposed"].get("classes", ())], "by": first["proposed"].get("version", ""), "chosen": chosen}


def _unfile(deed: Deed, row: _Lead) -> None:
    """Make the case void that a lead has just opened, and let go of whatever went with it. Raises `case.undo_since`, `case.undo_late`."""
    line = takeback.claim(deed, row["case_id"], ("", ""))
    cases.do(deed, row["case_id"], "void", Given(reason="立案已撤销 · the filing was taken back", undoes=line["seq"]))
    for table in (request, lead):
        deed.connection.execute(update(table).where(table.c.case_id == bindparam("b_case")), {"b_case": row["case_id"], "case_id": None})
    cases.recount_voices(deed, row["case_id"])


def _join_lead(deed: Deed, row: _Lead, other: _Lead, why: Reason) -> _Lead:
    """Make `row` a duplicate of `other`; its voices go with it, and the link remembers which."""
    moved = deed.connection.execute(select(request).where(request.c.lead == row["id"]).order_by(request.c.received, request.c.id)).mappings().all()
    before = {told["id"]: _shift(deed, dict(told), other, why) for told in moved}
    _write_link(deed, other["id"], why, other=row["id"], before=json.dumps({"voices": before}))
    after = _move(deed, row, "duplicate", why.zh, of=other["id"], case_id=other["case_id"], decided_by=deed.actor.id)
    _voices_changed(deed, {other["id"]}, {other["case_id"]})
    return after


def _shift(deed: Deed, told: dict[str, Any], row: _Lead, why: Reason) -> bool:
    """Move a voice to a lead and return whether that makes it a repeat of another voice there."""
    first = deed.connection.execute(select(request.c.id).where(request.c.lead == row["id"]).limit(1)).first()
    repeat = first is not None and not told["repeats"]
    voice.change(deed, told, lead=row["id"], case_id=row["case_id"], repeats=told["repeats"] or repeat)
    record(deed, voice.entry(told, "link", happened=told["created"], reason=why.zh, detail={"lead": row["id"], "repeat": repeat}))
    return repeat


def _shift_back(
    deed: Deed,
    told: dict[str, Any],
    row: _Lead,
    lead_id: str | None,
    case_id: str | None,
    *,
    repeat: bool,
) -> dict[str, Any]:
    record(deed, voice.entry(told, "unlink", happened=told["created"], detail={"lead": row["id"], "repeat": repeat}))
    return voice.change(deed, told, lead=lead_id, case_id=case_id, repeats=told["repeats"] and not repeat)


def _undo_voice(deed: Deed, request_id: str, target: _Lead, before: dict[str, Any]) -> _Lead:
    told = voice.get(deed, request_id)
    told = _shift_back(deed, told, target, before["lead"], before["case"], repeat=before["repeat"])
    if before["lead"] is None:
        settle(deed, _own_lead(deed, told)["id"])
    _voices_changed(deed, {target["id"], before["lead"]}, {target["case_id"], before["case"]})
    return get(deed, target["id"])


def may_join(deed: Deed, row: _Lead) -> bool:
    """Tell whether others may still be joined to a lead: it is open, or its case is."""
    if row["state"] == "open":
        return True
    step = deed.connection.execute(select(case_file.c.step).where(case_file.c.id == row["case_id"])).scalar_one_or_none()
    return row["state"] == "filed" and step is not None and states.STEPS[step].open


def _move(
    deed: Deed,
    row: _Lead,
    verb: str,
    reason: str,
    detail: dict[str, Any] | None = None,
    **changes: Any,  # noqa: ANN401 (columns of any type)
) -> _Lead:
    to = machine.find_lead(row["state"], verb).to[0]
    changes |= {"state": to, "version": row["version"] + 1, "changed": deed.now}
    deed.connection.execute(_UPDATE, {"b_id": row["id"], **changes})
    after = row | changes
    ends = ((row["state"], ""), (to, ""))
    record(deed, Entry("lead", row["id"], row["number"], after["area"], verb, after["version"], *ends, reason=reason, detail=detail or {}))
    _tell(deed, after, verb)
    return after


def _write_link(
    deed: Deed,
    lead_id: str,
    why: Reason,
    *,
    before: str,
    request: str | None = None,
    other: str | None = None,
) -> None:
    deed.connection.execute(
        insert(lead_link),
        {
            "lead": lead_id,
            "request": request,
            "other": other,
            "before": before,
            "kind": "same_event",
            "reason_zh": why.zh,
            "reason_en": why.en,
            "made": deed.now,
            "made_by": deed.actor.id,
            "undone": None,
            "undone_by": None,
        },
    )


def _voices_changed(deed: Deed, leads: set[str | None], opened: set[str | None]) -> None:
    for lead_id in sorted(filter(None, leads)):
        _tell(deed, get(deed, lead_id), "link")
        settle(deed, lead_id)
    for case_id in sorted(filter(None, opened)):
        cases.recount_voices(deed, case_id)


def _tell(deed: Deed, row: _Lead, verb: str) -> None:
    voices = deed.connection.execute(select(func.count()).where(request.c.lead == row["id"])).scalar_one()
    zh, en = states.LEAD_STATES[row["state"]]
    deed.news.append(
        News(
            "lead",
            row["area"],
            {
                "id": row["id"],
                "number": row["number"],
                "verb": verb,
                "kind": row["kind"],
                "class": row["class"],
                "title_zh": row["title_zh"],
                "title_en": row["title_en"],
                "area": show_area(row["area"]),
                "lon": row["lon"],
                "lat": row["lat"],
                "state": row["state"],
                "state_zh": zh,
                "state_en": en,
                "level": row["level"],
                "indicator": row["indicator"],
                "finding": row["finding"],
                "case": row["case_id"],
                "of": row["of"],
                "voices": voices,
                "opened": rfc3339(row["opened"]),
                "at": rfc3339(deed.now),
                "version": row["version"],
            },
        )
    )
