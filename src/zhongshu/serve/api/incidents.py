"""Incidents: their rooms, orders with receipts and reports; the review of one or of a case; and the daily brief."""

from datetime import date as day
from typing import Any

import numpy as np
from fastapi import Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from zhongshu.act import Deed, record
from zhongshu.act.centre import brief as briefs
from zhongshu.act.centre import incident, line, paper, report, review
from zhongshu.act.centre import order as orders
from zhongshu.kernel.area import Level, interval, parse_area, show_area
from zhongshu.kernel.clock import MINUTE, parse_time, to_datetime
from zhongshu.serve.api.cases import NOBODYS, OUTSIDE
from zhongshu.serve.api.centre import areas_of, held_by, verbs_of
from zhongshu.serve.door import Asked, Door
from zhongshu.serve.problems import BAD_REQUEST

MOST_SIGNS = 8
"""So many signs stand in a brief, the gravest first."""
GRAVE = {"red": ("严重", "severe"), "orange": ("异常", "abnormal"), "yellow": ("关注", "watch")}


class Spot(BaseModel):
    """A place of an incident."""

    zh: str = Field(min_length=1, max_length=200, pattern=r"\S")
    en: str = Field(default="", max_length=200)
    lon: float | None = Field(default=None, ge=-180, le=180)
    lat: float | None = Field(default=None, ge=-90, le=90)


class Opened(BaseModel):
    """What an incident is opened with."""

    theme: str = Field(min_length=1, max_length=60)
    title_zh: str = Field(min_length=1, max_length=200)
    title_en: str = Field(default="", max_length=200)
    areas: list[str] = Field(min_length=1, max_length=200)
    places: list[Spot] = Field(default_factory=list, max_length=50)
    parties: list[str] = Field(default_factory=list, max_length=50)
    cases: list[str] = Field(default_factory=list, max_length=200)
    happened: str | None = Field(default=None, max_length=40)
    drill: bool = False


class Done(BaseModel):
    """What a verb of a room needs: a note, an order's unit and limit, a case, a unit, a place, a report and its words."""

    note: str = Field(default="", max_length=4000)
    unit: str = Field(default="", max_length=100)
    title_zh: str = Field(default="", max_length=400)
    title_en: str = Field(default="", max_length=400)
    limit_minutes: int | None = Field(default=None, ge=1, le=100_000)
    case: str = Field(default="", max_length=64)
    place: Spot | None = None
    kind: str = Field(default="", max_length=10)
    report: str = Field(default="", max_length=64)
    to: str = Field(default="", max_length=200)
    text_zh: str = Field(default="", max_length=8000)
    text_en: str = Field(default="", max_length=8000)
    version: int | None = None


class Receipt(BaseModel):
    """What goes with an order's receipt."""

    note: str = Field(default="", max_length=2000)
    version: int | None = None


def incidents(asked: Door, all: bool = False, limit: int = 100) -> dict[str, Any]:  # noqa: A002, FBT001, FBT002 (a query parameter)
    """List the open incidents (突发事件), or every one, newest first."""
    items = asked.city.office.read(lambda conn: incident.listing(conn, asked.scope, every=all, limit=min(limit, 500)))
    return {"items": items, "next": None, "verbs": verbs_of(asked, "incident", ("open",))}


def open_incident(asked: Door, body: Opened) -> dict[str, Any]:
    """Open an incident's room; its first report (首报) is drafted from the record at once."""
    happened = None if body.happened is None else parse_time(body.happened)
    given = incident.NewIncident(
        body.theme,
        body.title_zh,
        body.title_en,
        areas_of(asked, "write", "incident", body.areas),
        places=tuple(_checked(asked, place) for place in body.places),
        parties=tuple(body.parties),
        cases=tuple(_case(asked, case) for case in body.cases),
        happened=happened,
        drill=body.drill,
    )
    row = asked.city.office.write(asked.principal, lambda deed: incident.open_room(deed, given))
    return _room(asked, row["id"])


def _checked(asked: Asked, spot: Spot) -> dict[str, Any]:
    _within(asked, spot)
    return spot.model_dump()


def _case(asked: Asked, id_: str) -> str:
    """Return the id of a case the asker may read. Raises `case.unknown`."""
    scope = asked.city.guard.scope(asked.principal, "read", "case")
    return str(asked.city.office.read(lambda conn: record.outline(conn, scope, id_))[0])


def one_incident(asked: Door, id: str) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Show an incident's room: situation, orders with their receipts, reports, linked cases, teams and supplies, and the command log."""
    return _room(asked, id)


def _room(asked: Asked, id_: str) -> dict[str, Any]:
    city, now = asked.city, asked.city.clock.now()
    scope = city.guard.scope(asked.principal, "read", "incident")
    cases = city.guard.scope(asked.principal, "read", "case")
    held = city.office.read(lambda conn: incident.get(conn, scope, id_, asked.principal, now, cases))

    _signed(asked, held["log"], "actor_name")

    def allowed(verb: str) -> bool:
        granted = city.guard.scope(asked.principal, "act", "incident", verb=verb)
        return all(granted.holds(parse_area(area)) for area in held["areas"])

    may = [verb for verb in incident.VERBS if allowed(verb)]
    if allowed(orders.CANCEL):
        for each in held["orders"]:
            each["verbs"] += orders.of_the_centre(each["state"])
    return held | {"verbs": [{"verb": verb, "zh": incident.VERBS[verb][0], "en": incident.VERBS[verb][1]} for verb in may if held["state"] == "open" or verb in {"report", "send"}]}


def _signed(asked: Asked, lines: list[dict[str, Any]], name: str) -> None:
    """Put beside who did something, kept under `name`, what they are called in each language."""
    known = asked.city.identity.names({each["actor"] for each in lines if each["actor"]})
    for each in lines:
        zh, en = known.get(each["actor"], (each[name], NOBODYS.get(each[name], each[name])))
        each |= {f"{name}_zh": zh, f"{name}_en": en or zh}


def act_on_incident(asked: Door, id: str, verb: str, body: Done) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Act in a room: log (记录), order (下达指令), link (关联案件), party, place, and what takes each out again, report (起草报告), send (报送), close (结束)."""
    row = held_by(asked, "incident", id, "act", incident.verb_of(verb))
    if body.place is not None:
        _within(asked, body.place)
    if verb in {"link", "unlink"} and body.case:
        body.case = _case(asked, body.case)
    asked.city.office.write(asked.principal, lambda deed: _carry_out(deed, row["id"], verb, body))
    return _room(asked, row["id"])


def _within(asked: Asked, spot: Spot) -> None:
    """Refuse half a point, and one that lies outside the city. Raises `place.outside`."""
    if spot.lon is None and spot.lat is None:
        return
    if spot.lon is None or spot.lat is None or int(asked.city.intake.locate(np.array([spot.lon]), np.array([spot.lat]))[0]) == asked.city.areas.unplaced:
        raise OUTSIDE(lon="—" if spot.lon is None else spot.lon, lat="—" if spot.lat is None else spot.lat)


def _carry_out(deed: Deed, id_: str, verb: str, body: Done) -> None:
    if verb == "log":
        incident.log(deed, id_, body.note)
    elif verb == "order":
        due = None if body.limit_minutes is None else deed.now + body.limit_minutes * MINUTE
        incident.command(deed, id_, orders.NewOrder(body.unit, body.title_zh, body.title_en, due, basis=body.note))
    elif verb in {"link", "party", "place"}:
        given: dict[str, str | dict[str, Any]] = {"link": body.case, "party": body.unit, "place": {} if body.place is None else body.place.model_dump()}
        incident.add(deed, id_, verb, given[verb])
    elif verb in incident.BACK:
        taken: dict[str, str | dict[str, Any]] = {"unlink": body.case, "unparty": body.unit, "unplace": {} if body.place is None else body.place.model_dump()}
        incident.remove(deed, id_, verb, taken[verb])
    elif verb == "report":
        report.draft(deed, line.find(deed.connection, "incident", id_), body.kind)
    elif verb == "send":
        report.send(deed, line.find(deed.connection, "incident", id_), body.report, body.to, body.text_zh, body.text_en, body.version)
    else:
        incident.close(deed, id_, body.note, body.version)


def act_on_order(asked: Door, id: str, order: str, verb: str, body: Receipt) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Give an order's receipt as its unit: read (已读), accept (接令), done (完成), decline (with why); the centre may cancel it."""
    if verb not in orders.OF_UNIT:
        row = held_by(asked, "incident", id, "act", verb)
    else:
        row = asked.city.office.read(lambda conn: line.find(conn, "incident", id))
        scope = asked.city.guard.require(asked.principal, "act", "incident", verb=verb)
        if not line.touches(scope, row):
            asked.city.guard.require(asked.principal, "act", "incident", row["area"], verb=verb)

    def work(deed: Deed) -> dict[str, Any]:
        return orders.show(deed.connection, orders.step(deed, row["id"], order, verb, body.note, body.version), asked.principal, deed.now)

    return asked.city.office.write(asked.principal, work)


def incident_review(asked: Door, id: str) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Look back on an incident (复盘) from the history alone: when it was seen, told, sent, arrived at and done, against the limits."""
    return _review(asked, id)


def incident_review_pdf(asked: Door, id: str, lang: str = "zh") -> Response:  # noqa: A002 (a path parameter)
    """Return the review of an incident as A4 pages."""
    return _reviewed(_review(asked, id), lang)


def _review(asked: Asked, id_: str) -> dict[str, Any]:
    """Return an incident's review, with the timelines of those of its cases that the asker may read."""
    city = asked.city
    cases = city.guard.scope(asked.principal, "read", "case")

    def read(conn: Connection) -> dict[str, Any]:
        held = incident.get(conn, asked.scope, id_, asked.principal, city.clock.now(), cases)
        row = line.find(conn, "incident", id_)
        return review.of_incident(conn, row | {"cases": [case["id"] for case in held["cases"]]})

    return _told(asked, city.office.read(read))


def _told(asked: Asked, found: dict[str, Any]) -> dict[str, Any]:
    """Add to a review what those who acted are called in each language, and what goes on paper."""
    _signed(asked, found["timeline"], "by")
    return found | {"sections": review.sections(found, asked.city.zone)}


def case_review(asked: Door, id: str) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Look back on a case from the history alone: each moment, each holder's part against its limit; who reported stays nameless."""
    return _case_review(asked, id)


def case_review_pdf(asked: Door, id: str, lang: str = "zh") -> Response:  # noqa: A002 (a path parameter)
    """Return the review of a case as A4 pages."""
    return _reviewed(_case_review(asked, id), lang)


def _case_review(asked: Asked, id_: str) -> dict[str, Any]:
    city = asked.city

    def read(conn: Connection) -> dict[str, Any]:
        held = record.get_case(conn, asked.scope, id_, asked.principal, city.clock.now())
        return review.of_case(conn, held)

    return _told(asked, city.office.read(read))


def _reviewed(found: dict[str, Any], language: str) -> Response:
    _language(language)
    title = f"{found['title_zh']} 复盘报告" if language == "zh" else f"Review: {found['title_en']}"
    return Response(paper.render(title, found["number"], found["sections"][language]), media_type="application/pdf")


def brief(asked: Door, date: str = "") -> dict[str, Any]:
    """Return the daily brief (每日运行简报): yesterday's figures beside the city's own days before, what holds now, what is to be done today."""
    return _brief(asked, date)


def brief_pdf(asked: Door, date: str = "", lang: str = "zh") -> Response:
    """Return the daily brief as one A4 page."""
    _language(lang)
    found, city = _brief(asked, date), asked.city
    name = city.about.name_zh if lang == "zh" else city.about.name_en
    under = f"{name} · {'沙盒 · 虚构城市 · 模拟人员' if lang == 'zh' else 'sandbox, fictional city, simulated people'}" if city.sandbox else name
    summary = {"head": "", "lines": [found["summary"][lang]], "tables": []}
    return Response(paper.render(found["title"][lang], under, [summary, *found["sections"][lang]], one_page=True), media_type="application/pdf")


def _brief(asked: Asked, date: str) -> dict[str, Any]:
    city, now = asked.city, asked.city.clock.now()
    today = to_datetime(now).astimezone(city.zone).date()
    try:
        wanted = day.fromisoformat(date) if date else today
    except ValueError:
        wanted = day.min
    if not today.replace(year=1971, day=1) < wanted <= today:
        raise BAD_REQUEST(field="date", why_zh="应为不晚于今天的日期，例如 2026-07-01", why_en="it must be a day up to today, such as 2026-07-01")
    around = briefs.Around(now, city.zone, _signs(asked), city.areas.name, city.guard.scope(asked.principal, "read", "case"))
    return city.office.read(lambda conn: briefs.brief(conn, wanted, around))


def _signs(asked: Asked) -> list[dict[str, Any]]:
    """Return the signs that stand out now, of the city and its districts, the gravest first."""
    city, now = asked.city, asked.city.clock.now()
    known = city.guard.scope(asked.principal, "read", "vital")
    areas = [city.about.code, *(row.code for row in city.areas.at(Level.DISTRICT))]
    rows = [(indicator, area, city.explainer.row(indicator, area, now)) for indicator in city.watch.indicators.values() for area in areas if known.touches(*interval(area))]
    out = [
        {
            "indicator": indicator.code,
            "zh": indicator.name["zh"],
            "en": indicator.name["en"],
            "area": show_area(area),
            "area_name_zh": city.areas.name(area, "zh"),
            "area_name_en": city.areas.name(area, "en"),
            "value": f"{row['value']:g}",
            "unit": row["unit"],
            "level": row["level"],
            "level_zh": GRAVE[row["level"]][0],
            "level_en": GRAVE[row["level"]][1],
        }
        for indicator, area, row in rows
        if row["level"] in GRAVE and row["value"] is not None
    ]
    return sorted(out, key=lambda sign: (list(GRAVE).index(sign["level"]), sign["indicator"], sign["area"]))[:MOST_SIGNS]


def _language(language: str) -> None:
    if language not in {"zh", "en"}:
        raise BAD_REQUEST(field="lang", why_zh="可以是 zh 或 en", why_en="it can be zh or en")
