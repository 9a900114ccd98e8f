"""Who sees what, by every door: a street's handler only their street, a citizen only their own, the steward no case, a source only itself.

Two streets of a small city each have a case; the doors of the one are tried with the other's key, while cases move in both.
"""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from zhongshu.app import make_token
from zhongshu.app.people import make_user
from zhongshu.govern import Grant, Party
from zhongshu.govern.chain import lines
from zhongshu.kernel.area import show_area
from zhongshu.serve.door import COOKIE, digest, salted

from .streets import DRAINAGE, Stream, Town, inside, png, until

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Return the town; it is the same for all tests here."""
    held = Town(tmp_path_factory.mktemp("town"))
    yield held
    held.close()


@pytest.fixture(scope="module")
def theirs(town: Town) -> Any:
    """Return a case in the other street, taken by its handler, with a photograph of a deed."""
    case = town.case(town.there, "桥下积水很深，请来看看。")
    photo = town.ok("handler-there", "POST", "/api/evidence", files={"file": ("a.png", png(10), "image/png")})["sha256"]
    taken = town.ok("handler-there", "POST", f"/api/cases/{case['id']}/take", json={})
    done = town.ok("handler-there", "POST", f"/api/cases/{case['id']}/handle", json={"version": taken["version"], "evidence": [photo]})
    return case | done | {"photo": photo}


@pytest.fixture(scope="module")
def ours(town: Town) -> Any:
    """Return a case in the handler's own street."""
    return town.case(town.here, "路口的水漫上来了。")


# a handler of one street


@pytest.mark.parametrize("query", ["", "?state=open", "?mine=true", "?q={number}", "?area={there}", "?area={city}", "?step=feedback", "?order=due", "?limit=500"])
def test_lists_hold_no_other_street(town: Town, theirs: Any, ours: Any, query: str) -> None:
    asked = query.format(number=theirs["number"], there=show_area(town.there), city=show_area(town.city))
    page = town.ok("handler-here", "GET", f"/api/cases{asked}")
    assert all(inside(row["area"], town.here) for row in page["items"])
    assert theirs["number"] not in json.dumps(page)
    assert page["counts"]["received"] == 1, "the counts are those of one's own street"
    assert ours["id"] in {row["id"] for row in town.ok("handler-here", "GET", "/api/cases")["items"]}


@pytest.mark.parametrize("key", ["id", "number"])
def test_a_case_of_another_street_is_not_there(town: Town, theirs: Any, ours: Any, key: str) -> None:
    town.refused("handler-here", "GET", f"/api/cases/{theirs[key]}", 404)
    nobody = town.as_("handler-here", "GET", "/api/cases/no-such-case").json()
    assert town.as_("handler-here", "GET", f"/api/cases/{theirs[key]}").json()["code"] == nobody["code"], "it must not tell that it exists"
    assert town.ok("handler-here", "GET", f"/api/cases/{ours[key]}")["id"] == ours["id"]


@pytest.mark.parametrize(
    "verb", ["take", "handle", "feedback", "return", "verify", "file", "dispatch", "check_pass", "check_fail", "close", "void", "park", "resume", "acknowledge"]
)
def test_no_verb_reaches_another_street(town: Town, theirs: Any, verb: str) -> None:
    before = town.ok("dispatcher", "GET", f"/api/cases/{theirs['id']}")
    for key in ("id", "number"):
        town.refused(
            "handler-here", "POST", f"/api/cases/{theirs[key]}/{verb}", json={"reason": "x", "unit": DRAINAGE, "evidence": [theirs["photo"]], "version": before["version"]}
        )
    assert town.ok("dispatcher", "GET", f"/api/cases/{theirs['id']}")["version"] == before["version"]


def test_no_case_is_opened_in_another_street(town: Town) -> None:
    body = {"class": "drainage.ponding", "title_zh": "积水", "area": show_area(town.there)}
    town.refused("handler-here", "POST", "/api/cases", 403, json=body)
    town.refused("handler-here", "POST", "/api/cases", 403, json=body | {"area": show_area(town.city)})


def test_leads_and_requests_of_another_street(town: Town, theirs: Any) -> None:
    assert all(inside(row["area"], town.here) for row in town.ok("acceptor-here", "GET", "/api/leads?limit=500")["items"])
    for verb in ("confirm", "false_alarm", "duplicate"):
        town.refused("handler-here", "POST", f"/api/leads/{theirs['lead']}/{verb}", json={"of": theirs["lead"]})
    town.refused("acceptor-here", "GET", f"/api/requests/{theirs['request']}", 404)
    assert town.ok("acceptor", "GET", f"/api/requests/{theirs['request']}")["case"]["number"] == theirs["number"]


def test_a_lead_is_not_joined_to_one_out_of_sight(town: Town, theirs: Any) -> None:
    town.report("citizen", town.here, "楼道里堆着杂物。", **{"class": "hotline.garbage"})
    own = town.ok("acceptor-here", "GET", "/api/leads?state=open")["items"][0]
    town.refused("acceptor-here", "POST", f"/api/leads/{own['id']}/duplicate", json={"of": theirs["lead"]})
    assert town.ok("acceptor", "GET", "/api/leads?state=open")["items"][0]["state"] == "open"


def test_evidence_of_another_street(town: Town, theirs: Any) -> None:
    url = f"/api/evidence/{theirs['photo']}"
    assert town.as_("handler-there", "GET", url).content == png(10)
    town.refused("handler-here", "GET", url, 404)
    town.refused("citizen", "GET", url, 404)


def test_signs_findings_and_what_explains_them(town: Town, theirs: Any) -> None:
    for depth in ("", "district", "street", "community", "cell"):
        rows = town.ok("handler-here", "GET", f"/api/vitals?area={show_area(town.city)}&indicator=DR02&depth={depth}")["items"]
        assert all(inside(row["area"], town.here) for row in rows)
    for url in ("", "/readings", "/series"):
        town.refused("handler-here", "GET", f"/api/vitals/DR02/{show_area(town.there)}{url}", 403)
        town.refused("handler-here", "GET", f"/api/vitals/DR02/{show_area(town.city)}{url}", 403)
    held = town.ok("handler-here", "GET", f"/api/vitals/DR02/{show_area(town.here)}")
    assert theirs["number"] not in json.dumps(held)
    assert all(inside(row["area"], town.here) for row in town.ok("handler-here", "GET", f"/api/findings?state=&area={show_area(town.city)}")["items"])


def test_entities_and_readings(town: Town, theirs: Any) -> None:
    assert all(inside(row["area"], town.here) for row in town.ok("handler-here", "GET", "/api/entities?limit=1000")["items"])
    named = f"/api/readings?entity=urn:zs:Case:{theirs['number']}"
    until(lambda: bool(town.ok("handler-there", "GET", named)["items"]), "the case's own readings")
    assert town.ok("handler-here", "GET", named)["items"] == []
    assert all(inside(row["area"], town.here) for row in town.ok("handler-here", "GET", "/api/readings?limit=1000")["items"])
    assert town.ok("handler-here", "GET", f"/api/entities?area={show_area(town.there)}&limit=1000")["items"] == []


def test_the_keeping_is_not_for_handlers(town: Town) -> None:
    for method, url in (
        ("GET", "/api/ledger"),
        ("GET", "/api/sources"),
        ("GET", "/api/sources/sandbox.devices/quarantine"),
        ("GET", "/api/sources/sandbox.devices/quarantine.csv"),
    ):
        town.refused("handler-here", method, url, 403)
    town.refused("handler-here", "POST", "/api/owner/backup", 403, json={"path": "x"})
    town.refused("admin", "POST", "/api/owner/backup", 403, json={"path": "x"})


# the stream


def test_the_stream_tells_of_no_other_street(town: Town) -> None:
    here, there, steward = Stream(town, "handler-here"), Stream(town, "handler-there"), Stream(town, "steward")
    first = next(id_ for id_ in iter_ids(here))
    mine, far = town.case(town.here, "井盖没有了", "drainage.manhole"), town.case(town.there, "井盖也没有了", "drainage.manhole")
    town.ok("handler-here", "POST", f"/api/cases/{mine['id']}/take", json={})
    town.ok("handler-there", "POST", f"/api/cases/{far['id']}/take", json={})
    until(lambda: any(row["id"] == mine["id"] and row["step"] == "handle" for row in here.of("case")), "one's own case on the stream")
    until(lambda: any(row["id"] == far["id"] for row in there.of("case")), "the other's case on their stream")
    again = Stream(town, "handler-here", last=first)
    until(lambda: any(row["id"] == mine["id"] for row in again.of("case")), "what was missed")
    for stream in (here, again):
        placed = stream.of("case", "lead", "finding") + [item for body in stream.of("vital") for item in body["items"]]
        assert stream.of("case", "lead") and all(inside(row["area"], town.here) for row in placed)
        assert [told for told in stream.events if {far["id"], far["number"]} & set(json.dumps(told).split('"'))] == []
    until(lambda: bool(steward.of("clock")), "the clock of the steward")
    assert not steward.of("case", "lead"), "the steward works on no case"
    for stream in (here, there, steward, again):
        stream.close()


def iter_ids(stream: Stream) -> Iterator[str]:
    until(lambda: bool(stream.events), "the clock on the stream")
    yield from (id_ for _, id_, _ in stream.events)


def test_a_stream_ends_with_what_it_was_opened_for(town: Town) -> None:
    identity = town.owner.parts.identity
    held = identity.add_party(Party("mover", "mover", "mover", (Grant("handler", town.here),), DRAINAGE, kind="service"), actor="test")
    token_id, secret = identity.issue_token(held, "mover", actor="test")
    town.clients["mover"] = town._client({"authorization": f"Bearer {secret}"})
    moved = Stream(town, "mover")
    until(lambda: bool(moved.of("clock")), "the clock")
    identity.set_roles(held, [Grant("handler", town.there)], actor="test")
    moved._thread.join(10)
    assert not moved._thread.is_alive(), "it goes on with the scope it began with"
    revoked = Stream(town, "mover")
    until(lambda: bool(revoked.of("clock")), "the clock")
    identity.revoke_token(token_id, actor="test")
    revoked._thread.join(10)
    assert not revoked._thread.is_alive()


class Told:
    """A life that has only a story to tell: of the other street."""

    def __init__(self, theirs: Any, street: int) -> None:
        links = [
            f"/vital/DR02/{show_area(street)}?finding=f1",
            f"/vital/DR02/{show_area(street)}",
            f"/desk/queue?lead={theirs['lead']}",
            f"/desk/case/{theirs['id']}",
            f"/field/task/{theirs['id']}",
            "/screen?theme=drainage",
            None,
        ]
        self.told = {
            "started": True,
            "started_at": None,
            "phase": "take",
            "rain": None,
            "seats": [],
            "phone": {"case": theirs["id"], "state": "handled", "photo": f"/api/evidence/{theirs['photo']}"},
            "steps": [{"key": f"s{i}", "zh": "步", "en": "step", "at": None, "link": link} for i, link in enumerate(links)],
        }

    def story(self) -> Any:
        return self.told

    def start_story(self) -> Any:
        return self.told

    def stop(self) -> None:
        return


def test_the_story_links_only_to_what_one_may_open(town: Town, theirs: Any, ours: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(town.owner.city, "life", Told(theirs, town.there))
    here, there = town.ok("handler-here", "GET", "/api/story"), town.ok("handler-there", "GET", "/api/story")
    assert here["phone"] is None and [s["link"] for s in here["steps"]] == [None] * 5 + ["/screen?theme=drainage", None]
    assert not {theirs["id"], theirs["lead"], theirs["photo"]} & set(re.findall(r"[0-9A-Za-z-]+", json.dumps(here)))
    assert there["phone"]["case"] == theirs["id"] and [bool(s["link"]) for s in there["steps"]] == [True, True, False, True, True, True, False]
    assert town.ok("handler-here", "POST", "/api/story/start") == here
    assert all(town.ok(who, "GET", "/api/story")["phone"] is None for who in ("citizen", "steward"))
    assert [s["en"] for s in here["steps"]] == ["step"] * 7


# citizens


def test_a_citizen_sees_only_their_own(town: Town, theirs: Any) -> None:
    own = town.report("neighbour", town.here, "路灯不亮")
    assert town.ok("neighbour", "GET", f"/api/requests/{own['number']}")["number"] == own["number"]
    for key in ("id", "number"):
        town.refused("citizen", "GET", f"/api/requests/{own[key]}", 404)
    town.refused("neighbour", "GET", f"/api/requests/{theirs['request']}", 404)
    assert town.ok("citizen", "GET", f"/api/requests/{theirs['request']}")["case"]["step"] == "feedback"
    assert town.ok("citizen", "GET", "/api/cases")["items"] == []
    town.refused("citizen", "GET", f"/api/cases/{theirs['id']}", 404)
    for url in ("/api/leads", "/api/readings", "/api/entities", "/api/ledger", "/api/sources"):
        town.refused("citizen", "GET", url, 403)
    town.refused("citizen", "POST", f"/api/cases/{theirs['id']}/close", json={})
    held = town.ok("citizen", "GET", f"/api/vitals/DR02/{show_area(town.city)}")
    assert held["cases"] == [] and held["readings"]["items"] == [], "values are public, the cases and readings behind them are not"


def test_the_same_key_from_two_citizens_is_two_requests(town: Town) -> None:
    one, other = (town.report(who, town.here, "噪声", external="key-1")["id"] for who in ("citizen", "neighbour"))
    assert one != other
    assert town.report("citizen", town.here, "噪声", external="key-1")["id"] == one


def test_a_citizens_photograph_is_theirs_and_the_crews(town: Town) -> None:
    photo = town.ok("neighbour", "POST", "/api/evidence", files={"file": ("b.png", png(77), "image/png")})["sha256"]
    town.report("neighbour", town.there, "拍了一张照片", photo=photo)
    for who in ("neighbour", "handler-there", "acceptor"):
        assert town.as_(who, "GET", f"/api/evidence/{photo}").status_code == 200, who
    for who in ("citizen", "handler-here"):
        town.refused(who, "GET", f"/api/evidence/{photo}", 404)


# steward, sources


@pytest.mark.parametrize("verb", ["take", "dispatch", "close", "void", "check_pass", "acknowledge"])
def test_the_steward_works_on_no_case(town: Town, ours: Any, verb: str) -> None:
    for key in ("id", "number"):
        town.refused("steward", "POST", f"/api/cases/{ours[key]}/{verb}", 403, json={"reason": "x", "unit": DRAINAGE})
    town.refused("steward", "POST", f"/api/leads/{ours['lead']}/confirm", 403, json={})
    town.refused("steward", "POST", "/api/cases", 403, json={"class": "drainage.ponding", "title_zh": "积水", "area": show_area(town.here)})


def test_the_steward_is_told_of_no_case(town: Town, ours: Any) -> None:
    for url in (f"/api/vitals/DR02/{show_area(town.city)}", f"/api/vitals?area={show_area(town.city)}", "/api/findings?state="):
        told = json.dumps(town.ok("steward", "GET", url), ensure_ascii=False)
        assert ours["id"] not in told and ours["number"] not in told
    for url in ("/api/cases", f"/api/cases/{ours['id']}", f"/api/requests/{ours['request']}"):
        town.refused("steward", "GET", url, 403)


def test_a_source_writes_only_as_itself(town: Town) -> None:
    entity = town.ok("admin", "GET", "/api/entities?type=RainGauge&limit=1")["items"][0]["id"]
    row = {"entity": entity, "property": "RainGauge.rain", "time": town.owner.parts.clock.now() // 1000, "value": 0}
    assert town.ok("writer", "POST", "/api/sources/sandbox.devices/readings", json=[row])["quarantined"] in {0, 1}
    for url in ("/api/sources/sandbox.offices/readings", "/api/sources/desk/readings", "/api/sources/sandbox.voices/requests", "/api/sources/no-such/readings"):
        town.refused("writer", "POST", url, 403, json=[row])
    town.ok("writer", "GET", "/api/sources/sandbox.devices/quarantine")
    for url in (
        "/api/sources/sandbox.offices/quarantine",
        "/api/sources/sandbox.offices/quarantine.csv",
        "/api/cases",
        "/api/readings",
        "/api/entities",
        "/api/ledger",
        "/api/live",
    ):
        town.refused("writer", "GET", url, 403)
    town.refused("writer", "POST", "/api/sources/sandbox.devices/quarantine/1/mend", 403, json={"raw": "{}"})
    town.refused("writer", "POST", "/api/sources", 403, json={"name": "mine"})


# sessions


def test_another_site_cannot_use_the_cookie(town: Town, ours: Any) -> None:
    make_user(town.owner.parts, {"account": "sender", "role": "dispatcher", "password": "a-long-password"})
    with httpx.Client(base_url=town.url, trust_env=False) as page:
        page.post("/api/session", json={"account": "sender", "password": "a-long-password"}).raise_for_status()
        assert page.cookies[COOKIE]
        url, body = f"/api/cases/{ours['id']}/acknowledge", {"note": "已知悉"}
        for origin in ({"origin": "https://elsewhere.example"}, {"origin": "null"}, {"referer": "https://elsewhere.example/x"}, {}):
            answer = page.post(url, json=body, headers=origin)
            assert (answer.status_code, answer.json()["code"]) == (403, "session.foreign_origin"), origin
        assert page.post(url, json=body, headers={"origin": town.url}).status_code == 200
        assert page.delete("/api/session", headers={"origin": "https://elsewhere.example"}).status_code == 403
    visitor = town.clients[""].post("/api/story/start", headers={"origin": "https://elsewhere.example"})
    assert visitor.json()["code"] == "session.foreign_origin", "nor can it play for a visitor without a session"


def test_the_ledger_keeps_what_was_asked_and_what_came_in(town: Town) -> None:
    answer = town.as_("acceptor", "GET", "/api/cases?limit=5&q=somebody")
    town.ok("admin", "POST", "/api/sources", json={"name": "counted", "entities": "register"})
    writer = {"authorization": f"Bearer {make_token(town.owner.parts, 'counted-writer', 'source_writer:counted', None)}"}
    rows = b'{"entity":"urn:zs:RainGauge:counted","property":"RainGauge.rain","time":%d,"value":1}\n{"value":2}\n' % (time.time_ns() // 1_000_000)
    httpx.post(f"{town.url}/api/sources/counted/readings", content=rows, headers=writer, trust_env=False).raise_for_status()

    def line(action: str, subject: str) -> Any:
        town.owner.parts.ledger.flush()
        kept = town.owner.parts.desk.read(lambda conn: lines(conn, 0, 100_000))
        return next((row for row in reversed(kept) if row["action"] == action and subject in str(row["subject"])), None)

    digests = [digest(answer.content), salted(town.owner.city.salt, "somebody")]
    read_ = line("read", "/api/cases")
    town.refused("acceptor", "GET", "/api/cases/no-such-case", 404)
    sought = line("read", "/api/cases/no-such-case")
    assert sought is not None and json.loads(sought["detail"]) == {"refused": "case.unknown"}
    assert read_ is not None and "somebody" not in str(read_)
    assert digest(b"somebody") not in str(read_), "whoever reads the ledger cannot try names"
    assert json.loads(read_["detail"]) == {"count": len(answer.json()["items"]), "digest": digests[0], "query.limit": "5", "query.q": digests[1]}
    until = time.monotonic() + 20
    while (brought := line("intake", "counted")) is None and time.monotonic() < until:
        time.sleep(0.2)
    assert brought is not None
    told = json.loads(brought["detail"])
    assert (told["accepted"], told["quarantined"], told["duplicates"]) == (1, 1, 0) and told["offset"] > 0


# a department's officer


def test_a_department_sees_what_is_with_it_in_every_street_and_nothing_else(town: Town, theirs: Any, ours: Any) -> None:
    other = town.case(town.here, "路口有一堆垃圾。", "hotline.garbage")
    recalled = town.ok("dispatcher", "POST", f"/api/cases/{other['id']}/recall", json={"reason": "应派环卫处"})
    town.ok("dispatcher", "POST", f"/api/cases/{other['id']}/dispatch", json={"unit": "dept-sanitation", "version": recalled["version"]})
    seen = {row["id"] for row in town.ok("drainage-office", "GET", "/api/cases")["items"]}
    assert {theirs["id"], ours["id"]} <= seen
    assert other["id"] not in seen
    town.refused("drainage-office", "GET", f"/api/cases/{other['id']}", 404)
    town.refused("drainage-office", "POST", f"/api/cases/{other['id']}/take", 404, json={})
    town.refused("drainage-office", "GET", "/api/leads", 403)
    town.refused("drainage-office", "POST", f"/api/cases/{ours['id']}/close", 403, json={})
    assert town.as_("drainage-office", "GET", f"/api/evidence/{theirs['photo']}").status_code == 200
    assert {row["verb"] for row in town.ok("drainage-office", "GET", f"/api/cases/{ours['id']}")["verbs"]} == {"take", "assign", "return", "ask", "launch"}


def test_a_department_is_told_only_of_what_is_with_it(town: Town) -> None:
    stream = Stream(town, "drainage-office")
    ours = town.case(town.there, "雨水口又堵了。", "drainage.blocked")
    until(lambda: any(told["id"] == ours["id"] for told in stream.of("case")), "news of a case of the department")
    stream.close()
    assert {told["unit"] for told in stream.of("case")} == {DRAINAGE}
    assert not stream.of("lead")


# another party's task


def test_who_is_summoned_sees_the_case_its_news_and_its_task_and_nothing_more(town: Town) -> None:
    case = town.case(town.here, "桥下又淹了，请来抽水。", "drainage.overflow")
    town.refused("roads-office", "GET", f"/api/cases/{case['id']}", 404)
    taken = town.ok("handler-here", "POST", f"/api/cases/{case['id']}/take", json={})
    stream = Stream(town, "roads-office")
    town.ok("handler-here", "POST", f"/api/cases/{case['id']}/whistle", json={"unit": "dept-road", "reason": "请来封路", "version": taken["version"]})
    seen = town.ok("roads-office", "GET", f"/api/cases/{case['id']}")
    task = seen["tasks"][0]
    assert [row["id"] for row in town.ok("roads-office", "GET", "/api/cases")["items"]] == [case["id"]]
    assert (task["kind"], task["unit"], [verb["verb"] for verb in task["verbs"]]) == ("whistle", "dept-road", ["arrive", "done", "decline"])
    assert seen["verbs"] == [], "the case itself is not theirs"
    town.refused("drainage-office", "POST", f"/api/cases/{case['id']}/tasks/{task['id']}/arrive", 403, json={})
    town.refused("handler-there", "POST", f"/api/cases/{case['id']}/tasks/{task['id']}/arrive", 404, json={})
    town.refused("roads-office", "POST", f"/api/cases/{case['id']}/take", 403, 409, json={})
    town.refused("roads-office", "POST", f"/api/cases/{case['id']}/tasks/none/arrive", 404, json={})
    town.refused("roads-office", "POST", f"/api/cases/{case['id']}/tasks/{task['id']}/dance", 404, json={})
    there = town.ok("roads-office", "POST", f"/api/cases/{case['id']}/tasks/{task['id']}/arrive", json={"once": "a"})
    assert there["tasks"][0]["state"] == "arrived"
    done = town.ok("roads-office", "POST", f"/api/cases/{case['id']}/tasks/{task['id']}/done", json={"note": "已封路"})
    assert (done["tasks"][0]["state"], done["tasks"][0]["verbs"], done["history"][-1]["verb"]) == ("done", [], "done")
    until(lambda: any(told["verb"] == "whistle" for told in stream.of("case")), "news of the summons")
    stream.close()
    assert {told["id"] for told in stream.of("case")} == {case["id"]}


def test_a_unit_hears_once_that_a_case_has_left_it(town: Town) -> None:
    stream = Stream(town, "drainage-office")
    case = town.case(town.here, "树枝断了挂在半空。", "hotline.tree")
    until(lambda: any(told["id"] == case["id"] for told in stream.of("case")), "the case")
    town.ok("dispatcher", "POST", f"/api/cases/{case['id']}/recall", json={"reason": "派错单位"})
    until(lambda: any(told["verb"] == "recall" for told in stream.of("case")), "that it was called back")
    town.ok("dispatcher", "POST", f"/api/cases/{case['id']}/dispatch", json={"unit": "dept-road"})
    again = town.case(town.here, "路面坏了一大块。", "hotline.road_damage")
    until(lambda: any(told["id"] == again["id"] for told in stream.of("case")), "the next case")
    stream.close()
    assert [told["verb"] for told in stream.of("case") if told["id"] == case["id"]] == ["dispatch", "recall"], "what happens to it after that is not theirs"


def test_tables_are_read_by_all_and_kept_by_the_steward(town: Town) -> None:
    listed = {row["class"]: row for row in town.ok("citizen", "GET", "/api/classes")["items"]}
    assert listed["drainage.ponding"]["unit"] == DRAINAGE
    assert {row["kind"] for row in town.ok("", "GET", "/api/tables")["items"]} >= {"classes", "limits", "dispatch", "duties", "calendar", "weights", "plans"}
    rows = {"file": ("reasons.csv", "verb,code,zh,en,basis,valid_from\nvoid,elsewhere,不在本市,Not in this city,规则,2026-01-01\n")}
    town.refused("dispatcher", "POST", "/api/tables/reasons?apply=true", 403, files=rows)
    assert town.ok("steward", "POST", "/api/tables/reasons", files=rows)["applied"] is False
    before = {row["code"] for row in town.ok("citizen", "GET", "/api/tables/reasons")["items"]}
    assert town.ok("steward", "POST", "/api/tables/reasons?apply=true", files=rows)["new"] == 1
    assert {row["code"] for row in town.ok("citizen", "GET", "/api/tables/reasons")["items"]} - before == {"elsewhere"}
    town.refused("steward", "POST", "/api/tables/wishes", 422, 400, files=rows)


def test_a_citizen_finds_what_they_reported_themselves_and_no_one_elses(town: Town) -> None:
    mine = town.report("citizen", town.here, "路灯不亮，晚上看不见。", **{"class": "hotline.streetlight"})["number"]
    theirs = town.report("neighbour", town.here, "路灯坏了一个星期。", **{"class": "hotline.streetlight"})["number"]
    listed = {row["number"]: row["text"] for row in town.ok("citizen", "GET", "/api/requests?limit=500")["items"]}
    assert listed[mine] == "路灯不亮，晚上看不见。"
    assert theirs not in listed
    assert theirs in {row["number"] for row in town.ok("neighbour", "GET", "/api/requests")["items"]}


# without an account


def test_who_has_no_account_reports_with_a_photograph_follows_by_the_receipt_and_opens_it_again(town: Town) -> None:
    lon, lat = town.place(town.there)
    form = {"text": "公园里的灯全灭了。", "lon": str(lon), "lat": str(lat), "class": "hotline.streetlight"}
    told = town.ok("", "POST", "/api/requests", data=form, files={"photo": ("a.png", png(3), "image/png")})
    assert len(told["follow"]) >= 22
    found = town.ok("", "GET", f"/api/follow/{told['follow']}")
    assert (found["number"], found["state"], len(found["photos"])) == (told["number"], "received", 1)
    assert "reporter" not in found
    town.refused("", "GET", f"/api/requests/{told['number']}", 401, 403)
    town.refused("", "GET", "/api/follow/" + "x" * 22, 404)
    lead = next(row for row in town.ok("acceptor", "GET", "/api/leads?state=open")["items"] if told["number"] in {heard["number"] for heard in row["heard"]})
    case = town.ok("acceptor", "POST", f"/api/leads/{lead['id']}/confirm", json={})["case"]
    town.ok("dispatcher", "POST", f"/api/cases/{case}/dispatch", json={"unit": DRAINAGE})
    photo = town.ok("handler-there", "POST", "/api/evidence", files={"file": ("a.png", png(11), "image/png")})["sha256"]
    for verb in ("take", "handle", "feedback"):
        town.ok("handler-there", "POST", f"/api/cases/{case}/{verb}", json={} if verb == "take" else {"evidence": [photo]})
    assert town.ok("", "GET", f"/api/follow/{told['follow']}")["case"]["step"] == "check"
    town.ok("checker-there", "POST", f"/api/cases/{case}/check_pass", json={})
    town.ok("acceptor", "POST", f"/api/cases/{case}/close", json={})
    result = town.ok("", "GET", f"/api/follow/{told['follow']}")["result"]
    assert result["may"]
    assert town.as_("", "GET", result["after"][0]["url"]).headers["content-type"] == "image/png"
    town.refused("", "GET", f"/api/follow/{told['follow']}/photos/{'0' * 64}", 404)
    again = town.ok("", "POST", f"/api/follow/{told['follow']}/unsolved")
    assert (again["case"]["step"], again["case"]["reopened"], again["result"]) == ("dispatch", 1, None)
    town.refused("", "POST", f"/api/follow/{told['follow']}/close", 409, 404)
    page = town.ok("dispatcher", "GET", f"/api/cases/{case}")
    assert told["follow"] not in json.dumps(page)
    assert "follow:" not in json.dumps(page), "who reported stays nameless"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"json": {"text": ""}}, 400),
        ({"json": {"lon": 121.5}}, 400),
        ({"json": {"text": "x" * 1_000_000}}, 400),
        ({"content": b"not json", "headers": {"content-type": "application/json"}}, 400),
        ({"data": {"text": "灯"}, "files": {"photo": ("run.jpg", b"#!/bin/sh\necho hello", "image/jpeg")}}, 415),
        ({"data": {"text": "灯", "lon": "east"}, "files": {"photo": ("a.png", png(1), "image/png")}}, 400),
        ({"data": {"text": "灯"}, "files": [("photo", (f"{n}.png", png(n), "image/png")) for n in range(5)]}, 400),
    ],
)
def test_a_report_that_cannot_be_taken_gets_a_problem(town: Town, sent: Any, status: int) -> None:
    answer = town.as_("citizen", "POST", "/api/requests", **sent)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text[:300]
    assert answer.json()["zh"]["remedy"]


def test_one_address_cannot_flood_the_hotline_without_an_account(town: Town) -> None:
    answers = [town.as_("", "POST", "/api/requests", json={"text": f"第 {number} 次"}) for number in range(14)]
    assert {answer.status_code for answer in answers} == {202, 429}
    assert answers[-1].json()["code"] == "request.too_many"
