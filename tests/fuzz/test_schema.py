"""Whatever is sent that the specification allows, or nearly allows, nothing breaks: no answer is a 5xx, and every refusal is a problem."""

from typing import Any

import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from zhongshu.serve.routes import ROUTES, Route

pytestmark = [pytest.mark.fuzz, pytest.mark.filterwarnings("ignore")]
EXAMPLES = 4
"""For each route, kind of data and role; the whole stays under two minutes."""
WHO = {GenerationMode.POSITIVE: ("admin", "steward", "dispatcher", "guest"), GenerationMode.NEGATIVE: ("admin", "dispatcher")}
STREAMS = {"/api/live"}
SENT = settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="session")
def schema(app: FastAPI) -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", app)


def wire(case: Any) -> requests.PreparedRequest | None:
    """Return the request as it would go over a wire; None for what no client can put on one."""
    sent = case.as_transport_kwargs(base_url="http://127.0.0.1")
    sent.pop("cookies", None)
    try:
        return requests.Request(**sent).prepare()
    except (UnicodeError, requests.exceptions.RequestException):
        return None


def shown(sent: requests.PreparedRequest) -> str:
    return f"{sent.method} {sent.url} {dict(sent.headers)} {str(sent.body)[:500]}"


def attack(operation: Any, mode: GenerationMode, visitor: Any, number: int) -> None:
    @seed(number)
    @SENT
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        sent = wire(case)
        if sent is None:
            return
        answer = visitor.request(sent.method, sent.url, headers=dict(sent.headers), content=sent.body)
        assert answer.status_code < 500, f"{shown(sent)} → {answer.status_code} {answer.text[:500]}"
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", f"{shown(sent)} → {answer.text[:200]}"
            told = answer.json()
            assert told["zh"]["sentence"] and told["en"]["sentence"] and told["code"]

    try:
        send()
    except Unsatisfiable:  # an operation without parameters cannot be called wrongly
        assert mode is GenerationMode.NEGATIVE


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
@pytest.mark.parametrize("route", [route for route in ROUTES if route.url not in STREAMS], ids=lambda route: f"{route.method} {route.url}")
def test_nothing_breaks(schema: Any, route: Route, mode: GenerationMode, client: Any) -> None:
    operation = schema[route.url][route.method]
    for number, role in enumerate(WHO[mode], 1):
        attack(operation, mode, client(role), number)
