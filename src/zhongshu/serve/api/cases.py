"""Leads, requests, cases and their evidence."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from fastapi import File, Query, Response, UploadFile
from pydantic import BaseModel, Field
from sqlalchemy import Connection
from starlette.datastructures import UploadFile as Sent

from zhongshu.act import (
    UNDOABLE,
    CaseFilter,
    Deed,
    Given,
    NewCase,
    Place,
    classed,
    decide,
    do,
    keep_evidence,
    lead_offered,
    masking,
    open_case,
    people,
    record,
    sought,
    split_links,
    take_back,
    task_step,
    undo,
)
from zhongshu.govern import VERBS
from zhongshu.kernel.area import parse_area
from zhongshu.kernel.clock import parse_time
from zhongshu.kernel.grade import Scope
from zhongshu.kernel.problem import Problem, declare
from zhongshu.serve.city import City
from zhongshu.serve.door import Asked, Door, known_verb

UNKNOWN_LEAD = declare(
    "lead.not_here",
    "unknown",
    zh=("没有编号为 {id} 的线索。", "请刷新列表。"),
    en=("There is no lead {id}.", "Refresh the list."),
)
UNKNOWN_FILE = declare(
    "evidence.not_here",
    "unknown",
    zh=("没有这份佐证材料。", "请刷新页面。"),
    en=("There is no such evidence.", "Refresh the page."),
)
OUTSIDE = declare(
    "place.outside",
    "invalid",
    zh=("经度 {lon}、纬度 {lat} 不在本市范围内。", "请核对坐标，或改为给出区域编码 area。"),
    en=("Longitude {lon}, latitude {lat} is not in this city.", "Check the coordinates, or give an area code instead."),
)


class Located(BaseModel):
    """Where something is: a point in degrees, or an area of the city, and an address in words."""

    lon: float | None = Field(default=None, ge=-180, le=180)
    lat: float | None = Field(default=None, ge=-90, le=90)
    area: str = Field(default="", max_length=15)
    address: str = Field(default="", max_length=400)


class Step(Located):
    """What a verb needs: the version seen, and what the verb asks for."""

    version: int | None = None
    reason: str = Field(default="", max_length=1000)
    code: str = Field(default="", max_length=100)
    what: str = Field(default="", max_length=20)
    person: str = Field(default="", max_length=64)
    unit: str = Field(default="", max_length=100)
    evidence: list[str] = Field(default_factory=list, max_length=20)
    note: str = Field(default="", max_length=2000)
    result: str = Field(default="", max_length=200)
    answer: str = Field(default="", max_length=2000)
    class_: str = Field(default="", alias="class", max_length=100)
    until: str | None = Field(default=None, max_length=40)
    happened: str | None = Field(default=None, max_length=40)
    choices: dict[str, str] = Field(default_factory=dict, max_length=20)
    of: str = Field(default="", max_length=64)
    once: str | None = Field(default=None, max_length=100)

    def given(self, place: Place | None = None) -> Given:
        """Return it in act's words; `place`: where its coordinates or its area lie in this city."""
        until, did = (None if told is None else parse_time(told) for told in (self.until, self.happened))
        return Given(
            version=self.version,
            reason=self.reason,
            code=self.code,
            unit=self.unit,
            evidence=tuple(self.evidence),
            note=self.note or self.result,
            class_=self.class_,
            what=self.what,
            person=self.person,
            until=until,
            did=did,
            answer=self.answer,
            once=self.once,
            place=place,
            choices=self.choices,
        )


class OpenCase(BaseModel):
    """A case entered by hand."""

    class_: str = Field(alias="class", min_length=1, max_length=100)
    title_zh: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")
    title_en: str = Field(default="", max_length=200, pattern=r"^[^\x00]*$")
    area: str = Field(min_length=15, max_length=15)
    address: str = Field(default="", max_length=400)
    lon: float | None = Field(default=None, ge=-180, le=180)
    lat: float | None = Field(default=None, ge=-90, le=90)
    reason: str = Field(default="", max_length=1000)
    handled: bool = False
    evidence: list[str] = Field(default_factory=list, max_length=20)


Read = Callable[[Callable[[Connection], Any]], Any]
"""Runs a read: on a connection of its own, or within a deed on the deed's."""
NOBODYS = {"系统": "The system", "仪表": "An instrument", "反映人": "Who reported it"}
"""The English of actors that are no party."""


def _named(city: City, row: dict[str, Any], read: Read | None = None) -> dict[str, Any]:
    code = int(row["area"])
    out = row | {"area_name_zh": city.areas.name(code, "zh"), "area_name_en": city.areas.name(code, "en")}
    steps = out.get("history", [])
    persons = {each["person"] for each in (row, *steps) if each.get("person")}
    known = city.identity.names({step["actor"] for step in steps} | persons, read) if steps or persons else {}
    for each in (out, *steps):
        if "person" in each:
            each["person_name_zh"], each["person_name_en"] = known.get(each["person"] or "", ("", ""))
    for step in steps:
        if step["moved"]:
            step["moved"] |= {f"{end}_name_{language}": city.areas.name(int(step["moved"][end]), language) for end in ("from", "to") for language in ("zh", "en")}
        name = step["actor_name"]
        zh, en = known.get(step["actor"], (name, NOBODYS.get(name, name)))
        step |= {"actor_name_zh": name and zh, "actor_name_en": name and (en or zh)}
        for file in step["evidence"]:
            file["url"] = f"/api/evidence/{file['sha256']}"
    return out


_VERDICTS = {"filed": "confirm", "false": "false_alarm", "duplicate": "unlink"}
"""Whoever may give a verdict may take it back: the verb that the guard is asked for, by the state to be undone."""


LEAD_VERBS = ("confirm", "false_alarm", "duplicate", "place", "unlink", "reopen")
"""What may be done with an open lead, that what was joined to it may be taken out again, and that one that was settled by answers may be opened again."""


TASK_VERBS = ("arrive", "done", "decline")
CASE_VERBS = (*(verb for verb in VERBS["case"] if verb not in TASK_VERBS), "undo")
"""What may be done with a case: all that permissions are given for, and to take the last step back."""


def leads(asked: Door, state: str = "", limit: int = 200, after: str = "") -> dict[str, Any]:
    """List leads, newest first."""
    page = asked.city.office.read(lambda conn: record.list_leads(conn, asked.scope, state, max(1, min(limit, 500)), after))
    return page | {"items": _leads_named(asked, page["items"])}


def _lead_named(asked: Asked, row: dict[str, Any]) -> dict[str, Any]:
    return _leads_named(asked, [row])[0]


def _leads_named(asked: Asked, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    city = asked.city
    hidden = city.guard.catalogue.hidden("request", asked.scope.grade)
    scopes = {verb: city.guard.scope(asked.principal, "act", "lead", verb=verb) for verb in LEAD_VERBS}
    named = []
    for row in city.office.read(lambda conn: split_links(conn, asked.scope, rows)):
        may = [verb for verb, scope in scopes.items() if verb in lead_offered(row["state"]) and scope.holds(int(row["area"]))]
        named.append(_named(city, row) | {"heard": heard(row["heard"], hidden), "may": may})
    return named


def decide_lead(asked: Door, id: str, verb: str, body: Step) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Confirm a lead (立案), call it a false alarm (误报), or a duplicate of another (重复); or take one's own verdict back (撤销) within 10 s."""
    city = asked.city
    held = _lead(asked, id)
    known_verb(verb, (*LEAD_VERBS, "undo"))
    city.guard.require(asked.principal, "act", "lead", int(held["area"]), verb=_VERDICTS.get(held["state"], verb) if verb == "undo" else verb)
    if verb == "undo":
        city.office.write(asked.principal, lambda deed: take_back(deed, held["id"], body.given()))
        return _lead_named(asked, _lead(asked, id))
    if body.of:
        city.guard.require(asked.principal, "act", "lead", int(_lead(asked, body.of)["area"]), verb=verb)
    given = body.given(_to(asked, body, "lead") if verb == "place" else None)
    city.office.write(asked.principal, lambda deed: decide(deed, held["id"], verb, given, body.of))
    return _lead_named(asked, _lead(asked, id))


def _to(asked: Asked, body: Step, kind: str) -> Place | None:
    """Return the place that a step names, in an area the asker may act in; the point's, or, without one, the area itself."""
    city = asked.city
    to = where(city, body)
    if to is None:
        return None
    if body.lon is not None and to.area == city.areas.unplaced:
        raise OUTSIDE(lon=body.lon, lat=body.lat)
    city.guard.require(asked.principal, "act", kind, to.area, verb="place")
    return to


def where(city: City, body: Located) -> Place | None:
    """Return where a body says it is: its point, if that lies in the city, else its area; None if it says nothing. Raises `survey.area_unknown`."""
    named = city.areas[parse_area(body.area)].code if body.area else None
    if body.lon is None or body.lat is None:
        return None if named is None else Place(named, address=body.address)
    found = int(city.intake.locate(np.array([body.lon]), np.array([body.lat]))[0])
    return Place(found if named is None or found != city.areas.unplaced else named, body.lon, body.lat, body.address)


def undo_link(asked: Door, id: str, link: int) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Take back a link between voices and leads."""
    city = asked.city
    held = _lead(asked, id)
    if link not in {each["id"] for each in held["links"]}:
        raise UNKNOWN_LEAD(id=link)
    city.guard.require(asked.principal, "act", "lead", int(held["area"]), verb="unlink")
    city.office.write(asked.principal, lambda deed: undo(deed, link))
    return _lead_named(asked, _lead(asked, id))


def _lead(asked: Asked, id_: str) -> dict[str, Any]:
    found = asked.city.office.read(lambda conn: record.get_lead(conn, asked.scope, id_))
    if found is None:
        raise UNKNOWN_LEAD(id=id_)
    return found


def cases(
    asked: Door,
    state: str = "",
    step: str = "",
    area: str = "",
    mine: bool = False,  # noqa: FBT001, FBT002
    q: str = "",
    order: str = "opened",
    limit: int = 100,
    after: str = "",
    class_: Annotated[str, Query(alias="class", max_length=100)] = "",
    due: str = "",
) -> dict[str, Any]:
    """List cases within the asker's scope; `state` all, open, overdue, closed, late or void, `order` opened, due or next (what runs out first, the case's limit or its holder's), `due` a day, or a span such as ..2026-07-01."""
    city = asked.city
    place, mine_of = parse_area(area) if area else None, asked.principal if mine else None
    wanted = CaseFilter(sought.state(state), sought.step(step), place, mine_of, q, sought.order(order), max(1, min(limit, 500)), after, class_, sought.due(due, city.zone))
    page = city.office.read(lambda conn: record.list_cases(conn, asked.scope, wanted, city.clock.now()))
    counts = city.office.read(lambda conn: record.counts(conn, asked.scope, city.clock.now(), city.zone))
    return page | {"items": [_named(city, row) for row in page["items"]], "counts": counts}


async def add_case(asked: Door, body: OpenCase) -> dict[str, Any]:
    """Enter a case by hand: as reported to the person who enters it, or, by a collector, from patrol, even handled on the spot (自行处置, with photographs)."""
    city = asked.city
    area = city.areas[parse_area(body.area)].code
    city.guard.require(asked.principal, "write", "case", area)
    located: tuple[float | None, float | None] = (None, None)
    if body.lon is not None and body.lat is not None:
        located = (body.lon, body.lat)
        if int(city.intake.locate(np.array([body.lon]), np.array([body.lat]))[0]) == city.areas.unplaced:
            raise OUTSIDE(lon=body.lon, lat=body.lat)
    verb = "report" if "collector" not in asked.principal.role_names else "self_handle" if body.handled else "patrol"
    new = NewCase(verb, body.class_, body.title_zh, body.title_en or body.title_zh, area, "desk", body.address, *located, reason=body.reason, evidence=tuple(body.evidence))
    scope = city.guard.scope(asked.principal, "read", "case")

    def work(deed: Deed) -> dict[str, Any]:
        classed(deed, new.class_)
        return _as_it_stands(asked, deed, scope, open_case(deed, new)["id"])

    return _told(await asyncio.wrap_future(city.office.submit(asked.principal, work)))


def case(asked: Door, id: str) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Return a case with its history, voices, clocks, the verbs offered to the asker, and the suggested department."""
    city = asked.city
    scope = city.guard.scope(asked.principal, "read", "case")
    found = city.office.read(lambda conn: record.get_case(conn, scope, id, asked.principal, city.clock.now(), city.roads.of))
    return _case_named(asked, found, city.office.read)


def _as_it_stands(asked: Asked, deed: Deed, scope: Scope, case_id: str) -> dict[str, Any]:
    """Return a case as a deed leaves it, read within the deed itself; why it cannot be read does not undo the deed, and is told afterwards."""
    try:
        found = record.get_case(deed.connection, scope, case_id, asked.principal, deed.now, asked.city.roads.of)
        return _case_named(asked, found, lambda work: work(deed.connection))
    except Problem as gone:
        return {"gone": gone}


def _told(found: dict[str, Any]) -> dict[str, Any]:
    """Return what a deed left, or raise why it may no longer be read (`case.unknown`)."""
    if "gone" in found:
        raise found["gone"]
    return found


def _case_named(asked: Asked, found: dict[str, Any], read: Read) -> dict[str, Any]:
    """Return a case with the names and permissions that only the server knows."""
    city = asked.city
    hidden = city.guard.catalogue.hidden("request", city.guard.scope(asked.principal, "read", "case").grade)
    found["voices"] = heard(found["voices"], hidden)
    if masking.handles(asked.principal.role_names):
        found["voices"] = masking.told_to(asked.principal.unit, found, found["voices"])
    found |= {"links": _joined(asked, found["links"], read), "lead_may": []}
    if found["links"] and city.guard.scope(asked.principal, "act", "lead", verb="unlink").holds(int(found["area"])):
        found["lead_may"] = ["unlink"]
    return _named(city, found, read)


def _joined(asked: Asked, links: list[dict[str, Any]], read: Read) -> list[dict[str, Any]]:
    """Return what was joined to a case's lead, with what the asker may know of it."""
    if not links:
        return []
    scope = asked.city.guard.scope(asked.principal, "read", "lead")
    told: list[dict[str, Any]] = read(lambda conn: split_links(conn, scope, [{"state": "filed", "links": links}]))[0]["links"]
    return told


def heard(voices: list[dict[str, Any]], hidden: frozenset[str]) -> list[dict[str, Any]]:
    """Return what people said, with addresses of their photographs; who may not read the words does not see the photographs either."""
    shown = [{key: None if key in hidden else value for key, value in voice.items()} for voice in voices]
    return [voice | {"photos": [] if "text" in hidden else [{"sha256": name, "url": f"/api/evidence/{name}"} for name in voice["photos"] or ()]} for voice in shown]


def assignable(asked: Door, id: str) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """List whom the asker, an officer of the unit that holds a case, may assign it to: by name, with how many cases each has in hand."""
    city = asked.city

    def look(conn: Connection) -> list[dict[str, Any]]:
        case_id, area = record.outline(conn, asked.scope, id)
        city.guard.require(asked.principal, "act", "case", area, verb="assign")
        return people(conn, city.office.staff, case_id, asked.principal)

    return {"items": city.office.read(look)}


async def act(asked: Door, id: str, verb: str, body: Step) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Do one verb on a case; an older version is a conflict. `undo` takes one's own last step back within 10 s, and asks for that step's permission."""
    city = asked.city
    scope = city.guard.scope(asked.principal, "read", "case")

    def work(deed: Deed) -> dict[str, Any]:
        case_id, area = record.outline(deed.connection, scope, id)
        if verb not in CASE_VERBS:
            shown = record.get_case(deed.connection, scope, id, asked.principal, deed.now)
            known_verb(verb, [each["verb"] for each in shown["verbs"]])
        asks = verb
        if verb == "undo":
            last = record.last_verb(deed.connection, case_id)
            asks = last if last in UNDOABLE else "acknowledge"
        city.guard.require(asked.principal, "act", "case", area, verb=asks)
        do(deed, case_id, verb, body.given(_to(asked, body, "case") if verb == "place" else None))
        return _as_it_stands(asked, deed, scope, case_id)

    return _told(await asyncio.wrap_future(city.office.submit(asked.principal, work)))


def act_on_task(asked: Door, id: str, task: str, verb: str, body: Step) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Arrive at (报到), end or decline a task that one's unit has within a case."""
    city = asked.city
    scope = city.guard.scope(asked.principal, "read", "case")

    def work(deed: Deed) -> dict[str, Any]:
        case_id, area = record.outline(deed.connection, scope, id)
        known_verb(verb, TASK_VERBS)
        city.guard.require(asked.principal, "act", "case", area, verb=verb)
        task_step(deed, case_id, task, verb, body.given())
        return _as_it_stands(asked, deed, scope, case_id)

    return _told(city.office.write(asked.principal, work))


async def add_evidence(asked: Door, file: Annotated[UploadFile, File()]) -> dict[str, Any]:
    """Keep a photograph; its content type is found from its bytes."""
    city = asked.city
    kept = city.evidence.put(*await photograph(file))
    city.office.write(asked.principal, lambda deed: keep_evidence(deed, kept))
    return {"sha256": kept.sha256, "content_type": kept.content_type, "size": kept.size, "url": f"/api/evidence/{kept.sha256}"}


async def photograph(file: Sent) -> tuple[bytes, int]:
    """Return what of a sent file is read, more than is ever kept, and the size of the whole."""
    return await file.read(16 * 2**20), file.size or 0


def evidence(asked: Door, sha256: str) -> Response:
    """Return a photograph that stands in a case the asker may see."""
    city = asked.city
    told = city.office.read(lambda conn: record.evidence_told(conn, asked.scope, sha256, asked.principal)) if len(sha256) == 64 else ""  # noqa: PLR2004 (hex digits)
    if not told:
        raise UNKNOWN_FILE()
    content = city.evidence.get(sha256) if told == "whole" else city.evidence.public(sha256)[1]
    kind = {b"\xff\xd8": "image/jpeg", b"\x89P": "image/png", b"RI": "image/webp"}.get(content[:2], "application/pdf")
    return Response(content, media_type=kind, headers={"Content-Disposition": "inline" if kind.startswith("image") else "attachment"})
