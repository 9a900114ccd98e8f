"""What people say: their reports, what becomes of them, and what the desk does with them."""

import hashlib
import json
from base64 import urlsafe_b64encode
from secrets import token_urlsafe
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.formparsers import MultiPartException

from zhongshu.act import (
    RESULTS,
    Deed,
    Given,
    Place,
    Voice,
    VoiceFilter,
    assist_report,
    callers,
    classed,
    do_request,
    keep_evidence,
    propose,
    record,
    split_links,
    take_request,
    tell_voice,
    voices,
)
from zhongshu.govern import VERBS, network
from zhongshu.kernel.area import unplaced
from zhongshu.kernel.grade import ANONYMOUS, Principal, Scope
from zhongshu.kernel.ids import uuid7
from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why
from zhongshu.kernel.words import NO_WORDS, worded
from zhongshu.serve.api.cases import UNKNOWN_FILE, Located, heard, photograph, where
from zhongshu.serve.door import Asked, Door, known_verb
from zhongshu.serve.problems import BAD_REQUEST

MOST_PHOTOS, MOST_WORDS = 3, 2**16
"""So many photographs come with a report, and no field of its form is longer, in bytes."""
UNGUESSABLE = 32
"""An `external` of so many characters or more is taken for a random one."""
UNKNOWN_REQUEST = declare(
    "request.not_here",
    "unknown",
    zh=("没有编号为 {id} 的诉求，或不是您反映的。", "请检查编号，或用反映时的账户登录。"),
    en=("There is no request {id}, or it is not yours.", "Check its number, or sign in with the account that made it."),
)


class Report(Located):
    """A citizen's report. `caller`: the number they telephone from, given by whoever takes the call at the desk."""

    text: str = Field(default="", max_length=4000)
    class_: str = Field(default="", alias="class", max_length=100)
    photo: str | None = Field(default=None, max_length=64)
    external: str | None = Field(default=None, max_length=100)
    channel: str = Field(default="", pattern="^(|phone)$")
    caller: str = Field(default="", pattern=r"^(|\+?[0-9]{3,20})$")


class Said(NamedTuple):
    """A report as it came: its fields, and the photographs that came with it, each with the size of the whole file."""

    report: Report
    photos: tuple[tuple[bytes, int], ...] = ()


async def said(request: Request) -> Said:
    """Read a report as JSON, or as a form with photographs (`photo`, at most three). Raises `request.invalid`."""
    if not request.headers.get("content-type", "").startswith("multipart/"):
        return Said(_report(await request.body()))
    try:
        async with request.form(max_files=MOST_PHOTOS, max_fields=20, max_part_size=MOST_WORDS) as form:
            files = [value for key, value in form.multi_items() if key == "photo" and not isinstance(value, str)]
            fields = {key: value for key, value in form.multi_items() if isinstance(value, str) and value}
            return Said(_report(json.dumps(fields).encode()), tuple([await photograph(file) for file in files]))
    except (HTTPException, MultiPartException) as error:
        raise BAD_REQUEST(field="form", **why(error)) from None


def _report(body: bytes) -> Report:
    try:
        return Report.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError([detail | {"loc": ("body", *detail["loc"])} for detail in error.errors(include_url=False, include_context=False)]) from None


def report(asked: Door, told: Annotated[Said, Depends(said)], request: Request, response: Response) -> dict[str, Any]:
    """Take a report, with or without an account, as JSON or as a form with photographs: the answer is its number, and a receipt to follow it by.

    Its place is its point, else its `area` of this city, else still to be found. The same `external` sent again by the same account, or, without one, the same of
    at least 32 random characters, is the same report. Without an account the receipt's `follow` is the only way to follow it.
    """
    city, body = asked.city, told.report
    area = (where(city, body) or Place(unplaced(city.about.code))).area
    nameless = asked.principal.means == ANONYMOUS.means or asked.principal.role_names <= {"guest"}
    if not worded(body.text) and not told.photos and (nameless or not body.photo):
        raise NO_WORDS()
    if nameless:
        city.speakers.charge(network(request.client.host if request.client else ""), city.clock.now())
    secret = _secret(body.external or "") if nameless else ""
    by_phone = body.channel == "phone" or bool(body.caller)
    if by_phone:
        city.guard.require(asked.principal, "act", "request", area, verb="answer")
    told_by = f"{callers.PHONE}{body.caller}" if body.caller else ""
    who = told_by if by_phone else _follower(secret) if nameless else asked.principal.id
    kept = [city.evidence.put(*photo) for photo in told.photos]
    photos = (*((body.photo,) if body.photo and not nameless else ()), *(one.sha256 for one in kept))

    def work(deed: Deed) -> dict[str, Any]:
        classed(deed, body.class_)
        for one in kept:
            keep_evidence(deed, one)
        reporter = callers.veiled(deed, who)
        external = f"{reporter}:{body.external}" if body.external else uuid7()
        place = (body.address, body.lon, body.lat)
        source = "phone" if by_phone else "web"
        voice = Voice(source, external, deed.now, area, body.class_, body.text, *place, source, reporter=reporter, photos=photos)
        return take_request(deed, voice)[0]

    row = city.office.write(asked.principal, work)
    response.status_code = 202
    return {"id": row["id"], "number": row["number"], "follow": secret or None}


def _secret(external: str) -> str:
    """Return what a report without an account is followed by: of its own `external`, where nobody could guess that, so that the same report sent again is the same; else new."""
    if len(external) < UNGUESSABLE:
        return token_urlsafe(16)
    return urlsafe_b64encode(hashlib.sha256(f"receipt:{external}".encode()).digest()[:16]).decode().rstrip("=")


def _follower(secret: str) -> str:
    """Return who reports without an account: known by the hash of the receipt's secret alone."""
    return f"follow:{hashlib.sha256(secret.encode()).hexdigest()[:40]}"


def follow(asked: Door, secret: str) -> dict[str, Any]:
    """Follow a report by its receipt alone: who holds it, since when, due when, and the result."""
    who = by_receipt(asked, secret)
    number = asked.city.office.read(lambda conn: voices.of_reporter(conn, who.id))
    found = None if number is None else asked.city.office.read(lambda conn: voices.get_request(conn, number, who, asked.city.zone))
    if found is None:
        raise UNKNOWN_REQUEST(id="—")
    for file in (*found["result"]["before"], *found["result"]["after"]) if found["result"] else ():
        file["url"] = f"/api/follow/{secret}/photos/{file['sha256']}"
    return found


def follow_photo(asked: Door, secret: str, sha256: str) -> Response:
    """Return a photograph of the result to who follows by a receipt, bare of place and device."""
    who = by_receipt(asked, secret)
    if not asked.city.office.read(lambda conn: record.evidence_visible(conn, Scope(), sha256, who)):
        raise UNKNOWN_FILE()
    kind, content = asked.city.evidence.public(sha256)
    return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=86400"})


def judge(asked: Door, secret: str, verb: str) -> dict[str, Any]:
    """Say by a receipt alone that it is solved (解决了), or that it is not (没解决): then it is open again."""
    who, found = by_receipt(asked, secret), follow(asked, secret)
    known_verb(verb, RESULTS)
    asked.city.office.write(who, lambda deed: tell_voice(deed, found["id"], verb))
    return follow(asked, secret)


def by_receipt(asked: Asked, secret: str) -> Principal:
    """Return who reported without an account, known by the receipt alone."""
    return Principal(_follower(secret), "反映人", (("citizen", asked.city.about.code),), "receipt")


def requests(asked: Door, state: str = "", q: str = "", limit: int = 50, after: str = "", waits: str = "") -> dict[str, Any]:
    """List voices within the asker's scope, newest first: for the desk those of its areas, for a citizen their own; `waits` accept or call: the desk's work."""
    city = asked.city
    page = city.office.read(lambda conn: voices.list_requests(conn, asked.scope, VoiceFilter(state, waits, q, limit, after)))
    return page | {"items": [_placed(asked, row) for row in page["items"]]}


def _placed(asked: Asked, row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the asker may not see, and name the area."""
    names = {f"area_name_{language}": asked.city.areas.name(int(row["area"]), language) for language in ("zh", "en")}
    return {key: None if key in asked.scope.hidden else value for key, value in row.items()} | names


def request(asked: Door, id: str) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Follow a request: who holds it, since when, due when, and the answer; a citizen their own, staff those of their areas, with what is proposed of it."""
    city = asked.city
    found = city.office.read(lambda conn: voices.get_request(conn, id, asked.principal, city.zone) if voices.request_visible(conn, asked.scope, id) else None)
    if found is None:
        raise UNKNOWN_REQUEST(id=id)
    for file in (*found["result"]["before"], *found["result"]["after"]) if found["result"] else ():
        file["url"] = f"/api/evidence/{file['sha256']}"
    if asked.principal.role_names & {"acceptor", "dispatcher", "duty_officer", "checker"}:
        found |= city.office.read(lambda conn: voices.for_desk(conn, found["id"], asked.principal, city.clock.now()))
        found |= _together(asked, found["lead"])
        found["photos"] = [] if "text" in asked.scope.hidden else [file | {"url": f"/api/evidence/{file['sha256']}"} for file in found["photos"]]
    return _placed(asked, found)


def _together(asked: Asked, lead: str | None) -> dict[str, Any]:
    """Return the voices that tell of the same thing, what joined them and why, and whether the asker may take a join out."""
    city, scope = asked.city, asked.city.guard.scope(asked.principal, "read", "lead")
    held = city.office.read(lambda conn: record.get_lead(conn, scope, lead)) if lead else None
    if held is None:
        return {"heard": [], "joined": [], "lead_may": []}
    links = city.office.read(lambda conn: split_links(conn, scope, [held]))[0]["links"]
    may = city.guard.scope(asked.principal, "act", "lead", verb="unlink").holds(int(held["area"]))
    return {"heard": heard(held["heard"], city.guard.catalogue.hidden("request", scope.grade)), "joined": links, "lead_may": ["unlink"] if may else []}


def caller(asked: Door, id: str) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Tell whoever calls back the whole number of who telephoned. Like every read of the desk it leaves a line in the ledger."""
    city = asked.city
    found = city.office.read(lambda conn: voices.get_request(conn, id) if voices.request_visible(conn, asked.scope, id) else None)
    if found is None:
        raise UNKNOWN_REQUEST(id=id)
    city.guard.require(asked.principal, "act", "request", int(found["area"]), verb="call_back")
    return {"number": found["number"], "caller": city.office.read(lambda conn: voices.caller(conn, found["id"]))}


class Words(BaseModel):
    """Words that are being said."""

    text: str = Field(default="", max_length=4000)


def proposed(asked: Door, body: Words) -> dict[str, Any]:
    """Tell what would be proposed of words while they are written down: classes with their share and reasons, and entries of the knowledge base. Keeps nothing."""
    city = asked.city
    found = city.office.read(lambda conn: propose(conn, city.office.assistant, body.text, city.clock.now()))
    return found | {"knowledge": [voices.show_entry(entry) for entry in found["knowledge"]]}


class Told(BaseModel):
    """What is given with a verb on a request: words, a listed reason, where it is put through to, an entry of the knowledge base, what a call brought."""

    version: int | None = None
    answer: str = Field(default="", max_length=2000)
    reason: str = Field(default="", max_length=1000)
    code: str = Field(default="", max_length=100)
    unit: str = Field(default="", max_length=100)
    knowledge: str = Field(default="", max_length=100)
    result: str = Field(default="", max_length=20)
    satisfied: int | None = Field(default=None, ge=1, le=5)


def act(asked: Door, id: str, verb: str, body: Told | None = None) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Answer a request, put it through, refuse it, call back; or, for who reported it, say once its case is closed that it is solved or not (解决了, 没解决)."""
    city, given = asked.city, body or Told()
    known_verb(verb, VERBS["request"])
    scope = city.guard.require(asked.principal, "act", "request", verb=verb)
    found = city.office.read(lambda conn: voices.get_request(conn, id) if voices.request_visible(conn, scope, id) else None)
    if found is None:
        raise UNKNOWN_REQUEST(id=id)

    def work(deed: Deed) -> None:
        if verb in RESULTS:
            tell_voice(deed, found["id"], verb)
            return
        told = Given(version=given.version, answer=given.answer, reason=given.reason, code=given.code, unit=given.unit, result=given.result)
        do_request(deed, found["id"], verb, told, given.satisfied, given.knowledge)

    city.office.write(asked.principal, work)
    return request(asked, id)


def assisted(asked: Door) -> dict[str, Any]:
    """Tell how often people took what the assistant proposed, where it erred, and how right first dispatches were: counted from the history alone."""
    return asked.city.office.read(lambda conn: assist_report(conn, asked.city.clock.now()))
