"""The table of routes: method, address, handler, and the permission the guard is asked for. Nothing is served that does not stand here."""

import contextlib
import functools
import inspect
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from zhongshu import __version__
from zhongshu.kernel.problem import Problem
from zhongshu.serve.api import cases, centre, cities, duty, evaluation, family, incidents, lessons, owner, readings, requests, running, sandbox, scenarios, sessions, tables, vitals
from zhongshu.serve.city import City
from zhongshu.serve.door import Asked, digest, permit
from zhongshu.serve.hot import HotRoutes, body_of
from zhongshu.serve.page import HEADERS, NO_STORE, SecurityHeaders, documentation, mount
from zhongshu.serve.problems import FOREIGN_BODY, on_broken, on_http, on_problem, on_validation
from zhongshu.serve.shapes import reword


@dataclass(frozen=True, slots=True)
class Route:
    """One row. `gives`: the shape of its answer, in the words of `shapes`. `raw`: the handler takes the bare request and asks the guard itself, with this same permission (the hot routes)."""

    method: str
    url: str
    handler: Callable[..., Any]
    action: str
    kind: str
    gives: str
    status: int = 200
    raw: bool = False


ROUTES = (
    Route("GET", "/health", cities.health, "read", "health", "Health"),
    Route("GET", "/ready", running.ready, "read", "health", "Ready"),
    Route("GET", "/metrics", running.metrics, "read", "running", "text/plain"),
    Route("GET", "/api/running", running.running, "read", "running", "Running"),
    Route("GET", "/api/city", cities.city, "read", "city", "City"),
    Route("POST", "/api/session", sessions.sign_in, "write", "session", "Session"),
    Route("GET", "/api/session", sessions.current, "read", "session", "Session"),
    Route("DELETE", "/api/session", sessions.sign_out, "write", "session", "Session"),
    Route("GET", "/api/session/demo", sessions.demo, "read", "session", "DemoAccounts"),
    Route("GET", "/api/areas", cities.areas, "read", "area", "page of AreaRow"),
    Route("GET", "/api/areas/{code}", cities.area, "read", "area", "Area"),
    Route("GET", "/api/entities", cities.entities, "read", "entity", "page of Entity"),
    Route("GET", "/api/sources", readings.sources, "read", "source", "Sources"),
    Route("POST", "/api/sources", readings.add_source, "manage", "source", "Source"),
    Route("POST", "/api/sources/{source}/readings", readings.take, "write", "reading", "Receipt", 202, raw=True),
    Route("POST", "/api/sources/{source}/requests", readings.take_requests, "write", "request", "Receipt", 202, raw=True),
    Route("GET", "/api/sources/{source}/quarantine", readings.quarantine, "read", "quarantine", "page of BadRow"),
    Route("GET", "/api/sources/{source}/quarantine.csv", readings.quarantine_csv, "read", "quarantine", "text/csv"),
    Route("POST", "/api/sources/{source}/quarantine/{id}/mend", readings.mend, "manage", "quarantine", "Mending"),
    Route("GET", "/api/readings", readings.readings, "read", "reading", "ReadingsAndHours"),
    Route("GET", "/api/indicators", vitals.indicators, "read", "indicator", "page of Indicator"),
    Route("GET", "/api/vitals", vitals.vitals, "read", "vital", "page of Vital"),
    Route("GET", "/api/vitals/{indicator}/{area}", vitals.explain, "read", "vital", "Explained"),
    Route("GET", "/api/vitals/{indicator}/{area}/readings", vitals.readings, "read", "vital", "page of Reading"),
    Route("GET", "/api/vitals/{indicator}/{area}/series", vitals.series, "read", "vital", "Series"),
    Route("GET", "/api/findings", vitals.findings, "read", "finding", "page of Finding"),
    Route("POST", "/api/findings/{id}/acknowledge", vitals.acknowledge, "act", "finding", "Finding"),
    Route("GET", "/api/leads", cases.leads, "read", "lead", "page of Lead"),
    Route("POST", "/api/leads/{id}/{verb}", cases.decide_lead, "act", "lead", "Lead"),
    Route("DELETE", "/api/leads/{id}/links/{link}", cases.undo_link, "act", "lead", "Lead"),
    Route("POST", "/api/requests", requests.report, "write", "voice", "Taken", 202),
    Route("GET", "/api/requests", requests.requests, "read", "request", "page of Life"),
    Route("GET", "/api/requests/{id}/caller", requests.caller, "read", "request", "Caller"),
    Route("POST", "/api/assist", requests.proposed, "read", "request", "Proposed"),
    Route("GET", "/api/requests/{id}", requests.request, "read", "request", "Request"),
    Route("GET", "/api/requests/{id}/links", family.links, "read", "follow", "page of FamilyLink"),
    Route("POST", "/api/requests/{id}/links", family.make_link, "act", "follow", "FamilyLink"),
    Route("DELETE", "/api/requests/{id}/links/{link}", family.revoke_link, "act", "follow", "page of FamilyLink"),
    Route("GET", "/api/shared/{secret}", family.shared, "read", "follow", "Shared"),
    Route("GET", "/api/shared/{secret}/photos/{sha256}", family.shared_photo, "read", "follow", "image/*"),
    Route("POST", "/api/requests/{id}/{verb}", requests.act, "act", "request", "Request"),
    Route("GET", "/api/follow/{secret}", requests.follow, "read", "follow", "Request"),
    Route("GET", "/api/follow/{secret}/photos/{sha256}", requests.follow_photo, "read", "follow", "image/*"),
    Route("POST", "/api/follow/{secret}/{verb}", requests.judge, "act", "follow", "Request"),
    Route("GET", "/api/assist", requests.assisted, "read", "lead", "Assisted"),
    Route("GET", "/api/cases", cases.cases, "read", "case", "Cases"),
    Route("POST", "/api/cases", cases.add_case, "write", "case", "Case"),
    Route("GET", "/api/cases/{id}", cases.case, "read", "case", "Case"),
    Route("GET", "/api/cases/{id}/people", cases.assignable, "read", "case", "Colleagues"),
    Route("POST", "/api/cases/{id}/{verb}", cases.act, "act", "case", "Case"),
    Route("POST", "/api/cases/{id}/tasks/{task}/{verb}", cases.act_on_task, "act", "case", "Case"),
    Route("GET", "/api/classes", tables.classes, "read", "table", "Classes"),
    Route("GET", "/api/samples/{name}", tables.sample, "read", "table", "image/*"),
    Route("GET", "/api/playbooks", tables.playbooks, "read", "table", "Playbooks"),
    Route("GET", "/api/playbooks/{version}", tables.playbook, "read", "table", "application/xml"),
    Route("POST", "/api/playbooks", tables.deploy, "write", "table", "Playbook"),
    Route("GET", "/api/tables", tables.kinds, "read", "table", "Tables"),
    Route("GET", "/api/tables/{kind}", tables.rows, "read", "table", "TableRows"),
    Route("POST", "/api/tables/{kind}", tables.bring_in, "write", "table", "TableDiff"),
    Route("GET", "/api/evaluation", evaluation.evaluation, "read", "evaluation", "Evaluation"),
    Route("GET", "/api/evaluation/cases", evaluation.evaluation_cases, "read", "evaluation", "Behind"),
    Route("GET", "/api/evaluation.{form}", evaluation.evaluation_file, "read", "evaluation", "application/octet-stream"),
    Route("GET", "/api/cases/{id}/review", incidents.case_review, "read", "case", "Review"),
    Route("GET", "/api/cases/{id}/review.pdf", incidents.case_review_pdf, "read", "case", "application/pdf"),
    Route("GET", "/api/warnings", centre.warnings, "read", "warning", "Warnings"),
    Route("POST", "/api/warnings", centre.enter_warning, "write", "warning", "Warning"),
    Route("POST", "/api/warnings/cap", centre.take_warning, "write", "warning", "Warning"),
    Route("GET", "/api/responses", centre.responses, "read", "response", "Responses"),
    Route("POST", "/api/responses", centre.start_response, "write", "response", "Response"),
    Route("POST", "/api/responses/{id}/{verb}", centre.act_on_response, "act", "response", "Response"),
    Route("GET", "/api/modes", centre.modes, "read", "mode", "Modes"),
    Route("POST", "/api/modes", centre.propose_mode, "write", "mode", "Mode"),
    Route("POST", "/api/modes/{id}/{verb}", centre.decide_mode, "act", "mode", "Mode"),
    Route("GET", "/api/duty", duty.duty, "read", "duty", "Duty"),
    Route("GET", "/api/duty/handovers", duty.handovers, "read", "duty", "page of Handover"),
    Route("GET", "/api/duty/handovers/{id}", duty.one_handover, "read", "duty", "Handover"),
    Route("POST", "/api/duty/handover", duty.hand_over, "act", "duty", "Handover"),
    Route("POST", "/api/duty/handover/{id}/sign", duty.take_over, "act", "duty", "Handover"),
    Route("GET", "/api/instructions", duty.instructions, "read", "duty", "page of Instruction"),
    Route("POST", "/api/instructions", duty.instruct, "act", "duty", "Instruction"),
    Route("GET", "/api/incidents", incidents.incidents, "read", "incident", "Incidents"),
    Route("POST", "/api/incidents", incidents.open_incident, "write", "incident", "Incident"),
    Route("GET", "/api/incidents/{id}", incidents.one_incident, "read", "incident", "Incident"),
    Route("POST", "/api/incidents/{id}/{verb}", incidents.act_on_incident, "act", "incident", "Incident"),
    Route("POST", "/api/incidents/{id}/orders/{order}/{verb}", incidents.act_on_order, "act", "incident", "Order"),
    Route("GET", "/api/incidents/{id}/review", incidents.incident_review, "read", "incident", "Review"),
    Route("GET", "/api/incidents/{id}/review.pdf", incidents.incident_review_pdf, "read", "incident", "application/pdf"),
    Route("GET", "/api/brief", incidents.brief, "read", "report", "Brief"),
    Route("GET", "/api/brief.pdf", incidents.brief_pdf, "read", "report", "application/pdf"),
    Route("GET", "/api/scenarios", scenarios.scenarios, "read", "scenario", "Scenarios"),
    Route("POST", "/api/scenarios", scenarios.make, "write", "scenario", "Scenario"),
    Route("POST", "/api/scenarios/{id}/runs", scenarios.ask, "act", "scenario", "Run", 202),
    Route("POST", "/api/scenarios/{id}/{verb}", scenarios.choose, "act", "scenario", "Scenario"),
    Route("GET", "/api/runs", scenarios.runs, "read", "scenario", "page of Run"),
    Route("GET", "/api/runs/{id}", scenarios.run, "read", "scenario", "RunTold"),
    Route("GET", "/api/runs/{id}/compare", scenarios.compare, "read", "scenario", "Beside"),
    Route("GET", "/api/runs/{id}/vitals", scenarios.vitals, "read", "scenario", "ForeseenVitals"),
    Route("GET", "/api/runs/{id}/vitals/{indicator}/{area}", scenarios.series, "read", "scenario", "ForeseenSeries"),
    Route("GET", "/api/runs/{id}/map", scenarios.drawn, "read", "scenario", "GeoJson"),
    Route("POST", "/api/runs/{id}/{verb}", scenarios.stop, "act", "scenario", "Run"),
    Route("GET", "/api/lessons", lessons.lessons, "read", "lesson", "Lessons"),
    Route("POST", "/api/lessons/{id}/{verb}", lessons.act, "act", "lesson", "Attempt"),
    Route("GET", "/api/lessons/{attempt}", lessons.attempt, "read", "lesson", "Attempt"),
    Route("GET", "/api/skill", scenarios.skill, "read", "scenario", "page of Skill"),
    Route("GET", "/api/models", scenarios.models, "read", "scenario", "page of Model"),
    Route("GET", "/api/models/{name}", scenarios.model, "read", "scenario", "GeoJson"),
    Route("POST", "/api/evidence", cases.add_evidence, "write", "evidence", "Evidence"),
    Route("GET", "/api/evidence/{sha256}", cases.evidence, "read", "evidence", "image/*"),
    Route("GET", "/api/live", sandbox.live, "read", "vital", "text/event-stream"),
    Route("GET", "/api/story", sandbox.story, "read", "story", "Story"),
    Route("POST", "/api/story/start", sandbox.start, "act", "story", "Story"),
    Route("POST", "/api/story/seats/{seat}", sandbox.take_seat, "act", "story", "Session"),
    Route("GET", "/api/proof", sandbox.proof, "read", "health", "Proof"),
    Route("POST", "/api/owner/{command}", owner.run, "manage", "city", "application/x-ndjson"),
    Route("GET", "/api/ledger", sandbox.ledger, "read", "ledger", "page of LedgerLine"),
)

_JSON = {"application/x-ndjson": {"schema": {"type": "string"}}, "application/json": {"schema": {"type": "array", "items": {"type": "object"}}}}
_TABLES = {"text/csv": {"schema": {"type": "string"}}, "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}}}
_NAMED = "Names the batch; the same name with the same content again changes nothing"
_SENT = [
    {"name": "source", "in": "path", "required": True, "schema": {"type": "string"}},
    {"name": "batch", "in": "query", "schema": {"type": "string"}, "description": _NAMED},
    {"name": "Zs-Batch", "in": "header", "schema": {"type": "string", "maxLength": 200}, "description": _NAMED},
    {"name": "Content-Encoding", "in": "header", "schema": {"type": "string", "enum": ["identity", "gzip"]}, "description": "gzip is undone"},
]
_PROBLEM = {"description": "A problem: code, sentence and remedy", "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
_PROBLEMS: dict[int | str, dict[str, Any]] = dict.fromkeys((400, 401, 403, 404, 409, 413, 415, 429, 503, 507), _PROBLEM)


_REPORT = requests.Report.model_json_schema(ref_template="#/components/schemas/{model}")
_FORM = _REPORT | {"properties": _REPORT["properties"] | {"photo": {"type": "array", "items": {"type": "string", "format": "binary"}, "maxItems": requests.MOST_PHOTOS}}}
_BODIES = {("POST", "/api/requests"): {"requestBody": {"required": True, "content": {"application/json": {"schema": _REPORT}, "multipart/form-data": {"schema": _FORM}}}}}
"""Bodies that a handler reads by itself, in more than one form."""


def _hot(handler: Callable[..., Awaitable[Any]], body: type[BaseModel], action: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    """Return a route's handler as one that is given the bare request: the same permission, the same refusals, the same answer."""
    allowed = permit(action, kind)

    async def answer(request: Request) -> Response:
        await allowed(request)
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        content = await body_of(request)
        if media and "json" not in media:
            raise FOREIGN_BODY(media=media)
        try:
            given = body.model_validate_json(content)
        except ValidationError as error:
            raise RequestValidationError([fault | {"loc": ("body", *fault["loc"])} for fault in error.errors()]) from None
        return Response(_encode(await handler(request.state.asked, **request.path_params, body=given)), media_type="application/json")

    return answer


HOT: dict[re.Pattern[str], Callable[[Request], Awaitable[Response]]] = {
    re.compile(r"/api/sources/(?P<source>[^/]+)/readings"): readings.take,
    re.compile(r"/api/cases"): _hot(cases.add_case, cases.OpenCase, "write", "case"),
    re.compile(r"/api/cases/(?P<id>[^/]+)/(?P<verb>[^/]+)"): _hot(cases.act, cases.Step, "act", "case"),
}
"""What is posted to most: these pass by the framework's own way in."""


class Application(FastAPI):
    """The framework's application, behind the hot addresses and the headers that every answer has."""

    def __init__(self, **about: Any) -> None:  # noqa: ANN401 (FastAPI's own)
        """Put the hot addresses before everything the framework does for the others."""
        super().__init__(**about)
        framework = SecurityHeaders(ProxyHeadersMiddleware(super().__call__, "127.0.0.1"))  # type: ignore[arg-type]
        self.front = HotRoutes(framework, HOT, self, [*HEADERS, NO_STORE])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await self.front(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return the specification with the answers' shapes."""
        if self.openapi_schema is None:
            self.openapi_schema = reword(super().openapi(), [(r.method, r.url, r.gives, r.status) for r in ROUTES])
        return self.openapi_schema


def build(city: City, folder: Path) -> FastAPI:
    """Return the application of a running city."""
    app = Application(
        title="Zhongshu 城市中枢",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        separate_input_output_schemas=False,
        description="A city's digital foundation. Errors are problems: a code, a sentence and a remedy.",
    )
    app.state.city = city
    for route in ROUTES:
        if route.raw:
            extra = {"parameters": _SENT, "requestBody": {"required": True, "content": _JSON if route.kind == "request" else _JSON | _TABLES}}
            app.add_api_route(
                route.url, route.handler, methods=[route.method], summary=_first(route), openapi_extra=extra, response_model=None, status_code=202, responses=_PROBLEMS
            )
        else:
            app.add_api_route(
                route.url,
                _encoded(route.handler),
                methods=[route.method],
                summary=_first(route),
                dependencies=[Depends(permit(route.action, route.kind))],
                response_model=None,
                responses=_PROBLEMS,
                openapi_extra=_BODIES.get((route.method, route.url)),
            )
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_broken)

    async def docs(_: Any) -> HTMLResponse:  # noqa: ANN401 (Starlette's request)
        return HTMLResponse(documentation(app.openapi()))

    app.add_route("/docs", docs, include_in_schema=False)
    mount(app, folder)
    return app


def _encoded(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Encode what a handler gives at once: the framework would first go through it value by value."""

    def answer(given: Any, kwargs: dict[str, Any]) -> Response:  # noqa: ANN401 (JSON, or an answer already)
        asked: Asked = kwargs["asked"]
        if isinstance(given, StreamingResponse):  # notes its own beginning and end
            return given
        if isinstance(given, Response):
            body = getattr(given, "body", None)  # a file has none
            asked.note(**({} if body is None else {"digest": digest(bytes(body))}))
            return given
        set_, body = kwargs.get("response"), _encode(given)
        asked.note(digest=digest(body), **({"count": len(given["items"])} if isinstance(given, dict) and isinstance(given.get("items"), list) else {}))
        made = Response(body, 200 if set_ is None else set_.status_code or 200, media_type="application/json")
        made.raw_headers.extend([] if set_ is None else [row for row in set_.raw_headers if row[0] not in {b"content-length", b"content-type"}])
        return made

    if inspect.iscoroutinefunction(handler):

        @functools.wraps(handler)
        async def waiting(*args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 (the handler's own)
            with _noted(kwargs["asked"]):
                return answer(await handler(*args, **kwargs), kwargs)

        return waiting

    @functools.wraps(handler)
    def plain(*args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 (the handler's own)
        with _noted(kwargs["asked"]):
            return answer(handler(*args, **kwargs), kwargs)

    return plain


@contextlib.contextmanager
def _noted(asked: Asked) -> Iterator[None]:
    """Leave a line of a read that was refused, too: who looks for what is not theirs is seen."""
    try:
        yield
    except Problem as problem:
        asked.note(refused=problem.kind.code)
        raise


_encode = msgspec.json.Encoder().encode


def _first(route: Route) -> str:
    return (route.handler.__doc__ or "").strip().split("\n")[0]
