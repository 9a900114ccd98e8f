"""What the API refuses in words: voices that say nothing, filters and forms nobody knows, and verbs that are none; each answer names what there is."""

import asyncio
import io
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import httpx
import pytest

from zhongshu.app import Owner, make_token
from zhongshu.govern import Grant, Party
from zhongshu.serve.routes import build
from zhongshu.settings import read
from zhongshu.survey import make

from .streets import png

pytestmark = pytest.mark.journey
Ask = Callable[..., httpx.Response]
ROLES = ("admin", "acceptor", "dispatcher", "duty_officer", "citizen", "source_writer:sandbox.devices")


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    folder = tmp_path_factory.mktemp("refused")
    make(folder, 20_000, 7)
    held = Owner(read({"data": str(folder), "port": "0", "commit_s": "1"}))
    held.start()
    yield held
    held.stop()


@pytest.fixture(scope="module")
def ask(owner: Owner) -> Ask:
    """Return how a role asks."""
    tokens = {role: make_token(owner.parts, f"asks-{role.partition(':')[0]}", role, None) for role in ROLES}
    app = build(owner.city, owner.settings.data)

    def send(role: str, method: str, url: str, **sent: Any) -> httpx.Response:
        async def one() -> httpx.Response:
            headers = {"authorization": f"Bearer {tokens[role]}"} if role else {}
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://127.0.0.1", headers=headers) as http:
                return await http.request(method, url, **sent)

        return asyncio.run(one())

    return send


def refused(answer: httpx.Response, code: str, *words: str) -> None:
    """Expect a problem of this code whose words, in both languages, name what there is."""
    told = answer.json()
    assert told["code"] == code, answer.text
    for language in ("zh", "en"):
        said = told[language]["sentence"] + told[language]["remedy"]
        assert "<" not in said, "a particular is missing"
        for word in words:
            assert word in said, said


# voices


@pytest.mark.parametrize("text", ["   ", "\u200b\u200d\ufeff", "……！！", "\x00"])
def test_a_voice_that_says_nothing_is_refused_unless_it_shows_something(ask: Ask, text: str) -> None:
    for role in ("", "citizen"):
        refused(ask(role, "POST", "/api/requests", json={"text": text}), "request.no_words")
        refused(ask(role, "POST", "/api/requests", data={"text": text}, files={"nothing": ("", b"")}), "request.no_words")
    shown = ask("citizen", "POST", "/api/requests", data={"text": text}, files={"photo": ("a.png", io.BytesIO(png(9)), "image/png")})
    assert shown.status_code == 202, shown.text


def test_control_characters_are_not_kept(ask: Ask) -> None:
    made = ask("citizen", "POST", "/api/requests", json={"text": "路灯\x00\x1b不亮", "address": "文汇路\u202e1号"})
    assert made.status_code == 202
    kept = ask("citizen", "GET", f"/api/requests/{made.json()['id']}").json()
    assert (kept["text"], kept["address"]) == ("路灯不亮", "文汇路1号")


# lists


@pytest.mark.parametrize(
    ("asks", "code", "names"),
    [
        ("state=ready", "record.unknown_word", ("overdue", "open", "closed", "late", "void")),
        ("step=lunch", "record.unknown_word", ("dispatch", "check", "imported")),
        ("order=sideways", "record.unknown_word", ("opened", "due")),
        ("due=soon", "record.bad_due", ("2026-07-01..",)),
    ],
)
def test_a_filter_nobody_knows_is_refused_with_what_can_be_asked(ask: Ask, asks: str, code: str, names: tuple[str, ...]) -> None:
    refused(ask("dispatcher", "GET", f"/api/cases?{asks}"), code, *names)


@pytest.mark.parametrize("asks", ["state=overdue", "state=", "step=dispatch", "order=due", "due=2026-07-01", "due=..2026-07-01", "due=2026-07-01T08:00:00+08:00.."])
def test_what_can_be_asked_is_answered(ask: Ask, asks: str) -> None:
    answer = ask("dispatcher", "GET", f"/api/cases?{asks}")
    assert answer.status_code == 200, answer.text
    if asks == "state=overdue":
        assert len(answer.json()["items"]) == min(100, answer.json()["counts"]["overdue"])


# the centre


def test_an_incident_s_theme_is_one_that_the_tables_name(ask: Ask, owner: Owner) -> None:
    body = {"title_zh": "路面塌陷", "areas": [f"{owner.parts.about.code:015d}"]}
    refused(ask("duty_officer", "POST", "/api/incidents", json=body | {"theme": "nope"}), "centre.no_theme", "flood", "heat", "snow")
    refused(ask("duty_officer", "POST", "/api/incidents", json=body | {"theme": "flood", "parties": ["dept-nope"]}), "unit.unknown", "dept-drainage")
    made = ask("duty_officer", "POST", "/api/incidents", json=body | {"theme": "flood", "drill": True, "parties": ["dept-gas"]})
    assert made.status_code == 200, made.text
    room = f"/api/incidents/{made.json()['id']}"
    order = {"title_zh": "到场", "unit": "dept-nope"}
    refused(ask("duty_officer", "POST", f"{room}/order", json=order), "unit.unknown", "dept-drainage")
    refused(ask("duty_officer", "POST", f"{room}/party", json=order), "unit.unknown", "dept-drainage")
    owner.parts.identity.add_party(Party("rescue-1", "救援队", "Rescue team", (Grant("department", owner.parts.about.code),), "rescue-team"), actor="test")
    assert ask("duty_officer", "POST", f"{room}/order", json=order | {"unit": "rescue-team"}).status_code == 200, "an account's unit is known"


def test_a_playbook_gives_its_tasks_to_units_that_are_known(ask: Ask) -> None:
    drawn = (files("zhongshu.packs.incidents") / "playbooks" / "flooding.bpmn").read_bytes()
    odd = drawn.replace(b'party="dept-drainage"', b'party="dept-nope"')
    assert odd != drawn
    refused(ask("admin", "POST", "/api/playbooks", files={"file": ("flooding.bpmn", odd)}), "unit.unknown", "dept-nope", "dept-drainage")
    assert ask("admin", "POST", "/api/playbooks", files={"file": ("flooding.bpmn", drawn)}).status_code == 200


# figures, files and verbs


@pytest.mark.parametrize("day", ["2026-13-01", "2026-02-30", "0001-01-01", "9999-12-31", "yesterday", "2026-07-01T25:00:00Z"])
def test_an_evaluation_of_a_day_that_is_none_is_refused(ask: Ask, day: str) -> None:
    for asks in (f"?from={day}", f"?from=2026-01-01&to={day}", f"?from={day}&to={day}"):
        assert 400 <= ask("duty_officer", "GET", f"/api/evaluation{asks}").status_code < 500, asks
    assert ask("duty_officer", "GET", "/api/evaluation").status_code == 200


@pytest.mark.parametrize(
    ("asks", "names"), [(".exe", ("xlsx", "pdf")), (".pdf?of=bogus", ("area", "department", "post")), ("?of=bogus", ("area", "department", "post")), (".xlsx?of=", ("area",))]
)
def test_an_evaluation_has_two_forms_and_three_objects(ask: Ask, asks: str, names: tuple[str, ...]) -> None:
    refused(ask("duty_officer", "GET", f"/api/evaluation{asks}"), "record.unknown_word", *names)
    refused(ask("duty_officer", "GET", "/api/evaluation/cases?name=x&measure=CA03&of=bogus"), "record.unknown_word", "department")
    for form in ("xlsx", "pdf"):
        assert ask("duty_officer", "GET", f"/api/evaluation.{form}").status_code == 200


def test_a_file_that_is_too_large_is_told_its_own_size(ask: Ask) -> None:
    size = 40 * 10**6
    refused(ask("dispatcher", "POST", "/api/evidence", files={"file": ("a.png", b"\x89PNG" + bytes(size - 4), "image/png")}), "evidence.too_large", str(size))


def test_a_verb_that_is_none_is_named_with_those_there_are(ask: Ask, owner: Owner) -> None:
    made = ask("", "POST", "/api/requests", json={"text": "路灯不亮", "area": f"{owner.parts.about.code:015d}"}).json()
    refused(ask("", "POST", f"/api/follow/{made['follow']}/explode"), "verb.unknown", "explode", "solved", "unsolved")
    refused(ask("dispatcher", "POST", f"/api/requests/{made['id']}/explode", json={}), "verb.unknown", "explode", "answer", "transfer")
    lead = ask("dispatcher", "GET", f"/api/requests/{made['id']}").json()["lead"]
    refused(ask("dispatcher", "POST", f"/api/leads/{lead}/explode", json={}), "verb.unknown", "explode", "confirm", "false_alarm")
    opened = {"class": "drainage.ponding", "title_zh": "道路积水", "area": f"{owner.parts.about.code:015d}"}
    case = ask("acceptor", "POST", "/api/cases", json=opened).json()["id"]
    offered = [each["verb"] for each in ask("dispatcher", "GET", f"/api/cases/{case}").json()["verbs"]]
    assert offered
    refused(ask("dispatcher", "POST", f"/api/cases/{case}/explode", json={}), "verb.unknown", "explode", *offered)
    refused(ask("dispatcher", "POST", f"/api/cases/{case}/tasks/1/explode", json={}), "verb.unknown", "explode", "arrive", "decline")
