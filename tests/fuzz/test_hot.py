"""What passes by the framework refuses as the framework does: the same status, the same code, the same headers."""

from typing import Any

import pytest

pytestmark = pytest.mark.fuzz

JSON = {"content-type": "application/json"}
HOSTILE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("no body", {"headers": JSON, "content": b""}),
    ("no document", {"headers": JSON, "content": b"{"}),
    ("a list", {"headers": JSON, "content": b"[]"}),
    ("a number", {"headers": JSON, "content": b"1"}),
    ("another form", {"headers": {"content-type": "text/csv"}, "content": b"a,b\n1,2\n"}),
    ("a form", {"data": {"version": "1"}}),
    ("broken text", {"headers": JSON, "content": b'{"reason": "\xff"}'}),
    ("a wrong type", {"headers": JSON, "content": b'{"version": "three"}'}),
    ("too long a word", {"headers": JSON, "content": b'{"reason": "' + b"x" * 2000 + b'"}'}),
    ("half a pair", {"headers": JSON, "content": b'{"reason": "\\ud800"}'}),
    ("a zero byte", {"headers": JSON, "content": b'{"version": 1, "reason": "a\\u0000b"}'}),
    ("depth", {"headers": JSON, "content": b'{"choices": ' + b"[" * 5000 + b"]" * 5000 + b"}"}),
    ("another site", {"headers": JSON | {"origin": "https://elsewhere.example"}, "content": b"{}"}),
    ("fine", {"headers": JSON, "content": b'{"version": 1}'}),
)


@pytest.mark.parametrize(("what", "sent"), HOSTILE, ids=[what for what, _ in HOSTILE])
def test_a_hot_address_refuses_as_its_neighbour_does(client: Any, what: str, sent: dict[str, Any]) -> None:
    hot = client("dispatcher").request("POST", "/api/cases/none/verify", **sent)
    framework = client("dispatcher").request("POST", "/api/cases/none/tasks/none/arrive", **sent)
    assert hot.status_code == framework.status_code, (what, hot.text, framework.text)
    assert hot.json()["code"] == framework.json()["code"], what
    assert set(hot.headers) == set(framework.headers)
    for role, statuses in (("guest", {401, 403}), ("citizen", {403})):  # a guest from another site is not asked to sign in
        assert client(role).request("POST", "/api/cases/none/verify", **sent).status_code in statuses, "who may not is refused before the body is read"


@pytest.mark.parametrize("url", ["/api/cases/none/verify/", "/api/cases//verify", "/api/cases/a%2Fb/verify", "/api/cases/%00/verify", "/api/cases/none/"])
def test_what_is_no_address_is_none(client: Any, url: str) -> None:
    answer = client("dispatcher").request("POST", url, headers=JSON, content=b"{}")
    assert answer.status_code in {400, 404, 405}, answer.text
    assert answer.json()["code"]


def test_a_body_without_end_is_refused(client: Any) -> None:
    answer = client("dispatcher").request("POST", "/api/cases/none/verify", headers=JSON, content=b'{"reason": "' + b"x" * 2**21 + b'"}')
    assert (answer.status_code, answer.json()["code"]) == (413, "request.too_long")
