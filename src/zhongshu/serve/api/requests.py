"""What people say: their reports, what becomes of them, and what the desk does with them."""

from typing import Any

from fastapi import Response
from pydantic import BaseModel, Field

from zhongshu.act import RESULTS, Deed, Given, Place, Voice, VoiceFilter, assist_report, do_request, take_request, tell_result, voices
from zhongshu.kernel.area import unplaced
from zhongshu.kernel.ids import uuid7
from zhongshu.kernel.problem import declare
from zhongshu.serve.api.cases import Located, where
from zhongshu.serve.door import Door

UNKNOWN_REQUEST = declare(
    "request.not_here",
    "unknown",
    zh=("没有编号为 {id} 的诉求，或不是您反映的。", "请检查编号，或用反映时的账户登录。"),
    en=("There is no request {id}, or it is not yours.", "Check its number, or sign in with the account that made it."),
)


class Report(Located):
    """A citizen's report."""

    text: str = Field(min_length=1, max_length=4000)
    class_: str = Field(default="", alias="class", max_length=100)
    photo: str | None = Field(default=None, max_length=64)
    external: str | None = Field(default=None, max_length=100)


def report(asked: Door, body: Report, response: Response) -> dict[str, Any]:
    """Take a citizen's report; the answer is its number, for following it. Its place is its point, else its `area` of this city, else still to be found."""
    city = asked.city
    area = (where(city, body) or Place(unplaced(city.about.code))).area
    reporter = "" if asked.principal.means == "anonymous" else asked.principal.id

    def work(deed: Deed) -> dict[str, Any]:
        voice = Voice(
            "web",
            f"{reporter}:{body.external}" if body.external else uuid7(),
            deed.now,
            area,
            body.class_,
            body.text,
            body.address,
            body.lon,
            body.lat,
            "web",
            reporter=reporter,
            photos=(body.photo,) if body.photo else (),
        )
        return take_request(deed, voice)[0]

    row = city.office.write(asked.principal, work)
    response.status_code = 202
    return {"id": row["id"], "number": row["number"]}


def requests(asked: Door, state: str = "", q: str = "", limit: int = 50, after: str = "") -> dict[str, Any]:
    """List voices within the asker's scope, newest first: for the desk those of its areas, for a citizen their own."""
    city = asked.city
    page = city.office.read(lambda conn: voices.list_requests(conn, asked.scope, VoiceFilter(state, q, limit, after)))
    return page | {"items": [{key: None if key in asked.scope.hidden else value for key, value in row.items()} for row in page["items"]]}


def request(asked: Door, id: str) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Follow a request: who holds it, since when, due when, and the answer; a citizen their own, staff those of their areas, with what is proposed of it."""
    city = asked.city
    found = city.office.read(lambda conn: voices.get_request(conn, id, asked.principal) if voices.request_visible(conn, asked.scope, id) else None)
    if found is None:
        raise UNKNOWN_REQUEST(id=id)
    for file in (*found["result"]["before"], *found["result"]["after"]) if found["result"] else ():
        file["url"] = f"/api/evidence/{file['sha256']}"
    if asked.principal.role_names & {"acceptor", "dispatcher", "duty_officer", "checker"}:
        found |= city.office.read(lambda conn: voices.for_desk(conn, found["id"], asked.principal, city.clock.now()))
    return {key: None if key in asked.scope.hidden else value for key, value in found.items()}


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
    scope = city.guard.require(asked.principal, "act", "request", verb=verb)
    found = city.office.read(lambda conn: voices.get_request(conn, id) if voices.request_visible(conn, scope, id) else None)
    if found is None:
        raise UNKNOWN_REQUEST(id=id)

    def work(deed: Deed) -> None:
        if verb in RESULTS:
            tell_result(deed, found["id"], verb)
            return
        told = Given(version=given.version, answer=given.answer, reason=given.reason, code=given.code, unit=given.unit, result=given.result)
        do_request(deed, found["id"], verb, told, given.satisfied, given.knowledge)

    city.office.write(asked.principal, work)
    return request(asked, id)


def assisted(asked: Door) -> dict[str, Any]:
    """Tell how often people took what the assistant proposed, where it erred, and how right first dispatches were: counted from the history alone."""
    return asked.city.office.read(lambda conn: assist_report(conn, asked.city.clock.now()))
