"""The operations centre's standing: warnings in force, responses ordered, modes raised and lowered."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import File, Form, UploadFile
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from zhongshu.act import Deed
from zhongshu.act.centre import ELSEWHERE, cap, handover, line, mode, response, warning
from zhongshu.kernel.area import parse_area
from zhongshu.kernel.clock import parse_time
from zhongshu.serve.city import City
from zhongshu.serve.door import Asked, Door
from zhongshu.survey import touched


class Warned(BaseModel):
    """A warning entered by hand, as its authority issued it."""

    issuer: str = Field(min_length=1, max_length=200)
    issued: str = Field(min_length=1, max_length=100)
    hazard: str = Field(min_length=1, max_length=100)
    hazard_en: str = Field(default="", max_length=100)
    colour: str = Field(default="", max_length=10)
    areas: list[str] = Field(min_length=1, max_length=200)
    onset: str | None = Field(default=None, max_length=40)
    expires: str | None = Field(default=None, max_length=40)
    text_zh: str = Field(default="", max_length=4000)
    text_en: str = Field(default="", max_length=4000)
    kind: str = Field(default="Alert", pattern="^(Alert|Update|Cancel)$")
    names: list[str] = Field(default_factory=list, max_length=20)
    drill: bool = False


class Ordered(BaseModel):
    """What a response is started, changed or ended by."""

    ordered_by: str = Field(min_length=1, max_length=200)
    basis: str = Field(min_length=1, max_length=400)
    theme: str = Field(default="", max_length=60)
    level: int = Field(default=0, ge=0, le=4)
    areas: list[str] = Field(default_factory=list, max_length=200)
    text_zh: str = Field(default="", max_length=4000)
    text_en: str = Field(default="", max_length=4000)
    drill: bool = False
    version: int | None = None


class Proposed(BaseModel):
    """A mode that is proposed."""

    theme: str = Field(min_length=1, max_length=60)
    level: int = Field(ge=1, le=4)
    areas: list[str] = Field(min_length=1, max_length=200)
    title_zh: str = Field(min_length=1, max_length=200)
    title_en: str = Field(default="", max_length=200)
    basis: str = Field(min_length=1, max_length=400)
    response: str | None = Field(default=None, max_length=64)
    drill: bool = False


class Said(BaseModel):
    """What goes with a decision."""

    note: str = Field(default="", max_length=2000)
    version: int | None = None


def warnings(asked: Door, all: bool = False, limit: int = 100) -> dict[str, Any]:  # noqa: A002, FBT001, FBT002 (a query parameter)
    """List the warnings (预警) in force and to come, or every one taken in; each is an authority's, no rule makes one."""
    city = asked.city
    items = city.office.read(lambda conn: warning.listing(conn, asked.scope, city.clock.now(), every=all, limit=min(limit, 500)))
    return {"items": items, "next": None, "verbs": verbs_of(asked, "warning", ("enter",))}


def enter_warning(asked: Door, body: Warned) -> dict[str, Any]:
    """Enter a warning by hand, or the update or cancellation of one."""
    city = asked.city
    areas = areas_of(asked, "write", "warning", body.areas)
    onset = city.clock.now() if body.onset is None else parse_time(body.onset)
    expires = None if body.expires is None else parse_time(body.expires)
    plain = body.model_dump(exclude={"areas", "onset", "expires", "names"})
    given = warning.ByHand(areas=areas, onset=onset, expires=expires, names=tuple(body.names), **plain)
    return city.office.write(asked.principal, lambda deed: warning.show(warning.enter(deed, given), deed.now))


async def take_warning(
    asked: Door,
    file: Annotated[UploadFile, File()],
    areas: Annotated[str, Form(max_length=4000)] = "",
    colour: Annotated[str, Form(max_length=10)] = "",
) -> dict[str, Any]:
    """Take a warning in from a CAP 1.2 file: its shapes are laid over the city's areas, or `areas` (codes with commas) says where; it ends those it names."""
    city = asked.city
    message = cap.read(await file.read(cap.LARGEST + 1))
    named = [code.strip() for code in areas.split(",") if code.strip()]
    where = areas_of(asked, "write", "warning", named) if named else _found(city, message.shapes)
    if not where:
        if message.kind != "Cancel":
            raise ELSEWHERE()
        where = (city.about.code,)
    for area in where if message.kind != "Cancel" else ():
        city.guard.require(asked.principal, "write", "warning", area)
    return city.office.write(asked.principal, lambda deed: warning.show(warning.take(deed, message, where, colour), deed.now))


def _found(city: City, shapes: Sequence[cap.Shape]) -> tuple[int, ...]:
    """Return the city's areas that a message speaks of: by administrative code where it gives one we know, else by what its shapes touch."""
    official = {row.official: row.code for row in city.areas if row.official}
    codes = set()
    for shape in shapes:
        for _, value in shape.geocodes:
            code = int(value.ljust(15, "0")) if value.isascii() and value.isdigit() and len(value) <= len("990101001001001") else 0
            codes |= {official[value]} if value in official else {code} if code in city.areas else set()
    if codes:
        return tuple(sorted(codes))
    return tuple(touched(city.areas, [ring for shape in shapes for ring in shape.polygons], [circle for shape in shapes for circle in shape.circles]))


def areas_of(asked: Asked, action: str, kind: str, codes: Sequence[str], verb: str = "") -> tuple[int, ...]:
    """Read area codes of this city, in each of which the asker may do this. Raises `survey.area_unknown`, `guard.refused`."""
    found = tuple(sorted({asked.city.areas[parse_area(code)].code for code in codes}))
    for code in found:
        asked.city.guard.require(asked.principal, action, kind, code, verb=verb)
    return found


def verbs_of(asked: Asked, noun: str, writes: Sequence[str], acts: Sequence[str] = ()) -> list[str]:
    """Return which of a noun's verbs the asker may do somewhere: what begins one of them, and what moves one that is there."""
    guard, who = asked.city.guard, asked.principal
    begins = [verb for verb in writes if guard.scope(who, "write", noun)]
    return begins + [verb for verb in acts if guard.scope(who, "act", noun, verb=verb)]


def held_by(asked: Asked, noun: str, id_: str, action: str, verb: str) -> dict[str, Any]:
    """Return a row all of whose areas lie where the asker may do this. Raises `centre.unknown`, `guard.refused`."""
    row: dict[str, Any] = asked.city.office.read(lambda conn: line.find(conn, noun, id_))
    for area in row["areas"]:
        asked.city.guard.require(asked.principal, action, noun, area, verb=verb)
    return row


def responses(asked: Door, all: bool = False, limit: int = 100) -> dict[str, Any]:  # noqa: A002, FBT001, FBT002 (a query parameter)
    """List the emergency responses (应急响应) in force, Ⅳ to Ⅰ, or every one."""
    city = asked.city
    items = city.office.read(lambda conn: response.listing(conn, asked.scope, city.clock.now(), every=all, limit=min(limit, 500)))
    return {"items": items, "next": None, "verbs": verbs_of(asked, "response", ("start",), ("change", "end"))}


def start_response(asked: Door, body: Ordered) -> dict[str, Any]:
    """Start an emergency response by an order of a command body."""
    order = _order(asked, body, "write", "")
    return asked.city.office.write(asked.principal, lambda deed: response.show(deed.connection, response.start(deed, order)))


def act_on_response(asked: Door, id: str, verb: str, body: Ordered) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Change the level or areas of a response (change), or end it (end), by an order."""
    held_by(asked, "response", id, "act", verb)
    order = _order(asked, body, "act", verb)
    return asked.city.office.write(asked.principal, lambda deed: response.show(deed.connection, response.act(deed, id, verb, order)))


def _order(asked: Asked, body: Ordered, action: str, verb: str) -> response.Order:
    return response.Order(areas=areas_of(asked, action, "response", body.areas, verb), **body.model_dump(exclude={"areas"}))


def modes(asked: Door, all: bool = False, limit: int = 100) -> dict[str, Any]:  # noqa: A002, FBT001, FBT002 (a query parameter)
    """List the modes (平急转换) proposed and in force with their effects, or every one with what was restored; and the devices to be sampled more often."""
    city = asked.city
    own = _ends_own(asked)

    def read(conn: Connection) -> dict[str, Any]:
        found = mode.listing(conn, asked.scope, city.clock.now(), every=all, limit=min(limit, 500))
        return found | {"mine": mode.ends_own(conn, asked.principal.id, _in_charge(conn, asked)) if own else []}

    verbs = verbs_of(asked, "mode", ("propose",), tuple(mode.VERBS))
    return city.office.read(read) | {"verbs": [verb for verb in verbs if verb != "end" or not own]}


def _ends_own(asked: Asked) -> bool:
    """Tell whether the asker may end only those modes that are theirs."""
    return bool(asked.city.guard.scope(asked.principal, "act", "mode", verb="end").unit)


def _in_charge(connection: Connection, asked: Asked) -> str:
    held = handover.in_charge(connection, asked.city.clock.now())
    return "" if held is None else str(held["id"])


def propose_mode(asked: Door, body: Proposed) -> dict[str, Any]:
    """Propose a mode for a theme and areas; it changes nothing before a leader approves it."""
    given = mode.Proposal(areas=areas_of(asked, "write", "mode", body.areas), **body.model_dump(exclude={"areas"}))
    return asked.city.office.write(asked.principal, lambda deed: mode.show(deed.connection, mode.propose(deed, given)))


def decide_mode(asked: Door, id: str, verb: str, body: Said) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Approve a proposed mode (approve), refuse it (refuse, with a note), or end one in force (end); who proposed it or is in charge ends it with a note."""
    held_by(asked, "mode", id, "act", verb)

    def work(deed: Deed) -> dict[str, Any]:
        if verb == "end" and _ends_own(asked):
            mode.check_own(deed, id, _in_charge(deed.connection, asked), body.note)
        return mode.show(deed.connection, mode.act(deed, id, verb, body.note, body.version))

    return asked.city.office.write(asked.principal, work)
