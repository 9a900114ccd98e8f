"""The operations centre over HTTP: a warning comes in, a mode is proposed and approved, orders are sent and carried out, a report goes up, the watch changes."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import jsonschema_rs
import pytest

from zhongshu.kernel.area import show_area

from .streets import Stream, Town, until

pytestmark = pytest.mark.journey
CAP = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{id}</identifier><sender>weather@yunting.example</sender><sent>{sent}</sent>
<status>Actual</status><msgType>{kind}</msgType><scope>Public</scope>{names}<info><language>zh-CN</language><category>Met</category><event>暴雨</event>
<urgency>Expected</urgency><severity>Severe</severity><certainty>Likely</certainty><onset>{sent}</onset><senderName>云汀市气象台（虚构）</senderName>
<headline>暴雨{colour}预警</headline><area><areaDesc>一处</areaDesc>{area}</area></info></alert>"""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    held = Town(tmp_path_factory.mktemp("centre"))
    for name, role in (("duty", "duty_officer"), ("night", "duty_officer"), ("leader", "leader")):
        held.clients[name] = held._client({"authorization": f"Bearer {held.token(name, role, held.city)}"})
    held.clients["duty-here"] = held._client({"authorization": f"Bearer {held.token('duty-here', 'duty_officer', held.here // 10**9 * 10**9)}"})
    yield held
    held.close()


class Shapes:
    """Holds what a town answers against its own specification."""

    def __init__(self, town: Town) -> None:
        self.town, self.spec = town, town.ok("", "GET", "/openapi.json")

    def ok(self, who: str, method: str, url: str, **sent: Any) -> Any:
        answer = self.town.ok(who, method, url, **sent)
        bare = url.partition("?")[0]
        path = next(
            p for p in sorted(self.spec["paths"], key=lambda p: p.count("{")) if method.lower() in self.spec["paths"][p] and re.fullmatch(re.sub(r"{\w+}", "[^/]+", p), bare)
        )
        shape = self.spec["paths"][path][method.lower()]["responses"]["200"]["content"]["application/json"]["schema"]
        wrong = [f"{list(e.instance_path)} {e.message}"[:200] for e in jsonschema_rs.validator_for(shape | {"components": self.spec["components"]}).iter_errors(answer)]
        assert not wrong, f"{method} {url}: {wrong[:5]}"
        return answer


def cap(town: Town, id_: str, colour: str, area: str, kind: str = "Alert", names: str = "", minutes: int = 5) -> Any:
    sent = (datetime.now().astimezone() - timedelta(minutes=minutes)).isoformat(timespec="seconds")
    text = CAP.format(id=id_, sent=sent, kind=kind, names=f"<references>{names}</references>" if names else "", colour=colour, area=area)
    return {"file": (f"{id_}.xml", text.encode(), "application/xml")}, f"weather@yunting.example,{id_},{sent}"


def test_a_flood_from_the_warning_to_the_review(town: Town) -> None:
    say = Shapes(town)
    screen = Stream(town, "leader")
    warn(town, say)
    until(lambda: len(screen.of("warning")) >= 3, "the warnings' news")
    response, raised = begin(town, say)
    url = f"/api/incidents/{raised['incident']}"
    case = command(town, say, url)
    instruct(town, say, case)
    hand_over(town, say)
    print_out(town, say, url, case)
    end(town, say, url, raised, response)
    look_back(say, url, case)
    until(lambda: {"send", "accept", "done"} <= {news["verb"] for news in screen.of("incident")}, "the orders' receipts")
    screen.close()


def warn(town: Town, say: Shapes) -> None:
    """Take a warning in by its drawn shape; its update ends it."""
    here, lon_lat = show_area(town.here), town.place(town.here)
    circle = f"<circle>{lon_lat[1]},{lon_lat[0]} 0.05</circle>"
    file, named = cap(town, "W-1", "黄色", circle)
    taken = say.ok("duty", "POST", "/api/warnings/cap", files=file)
    assert taken["colour"] == "yellow"
    assert here in taken["areas"]
    file, _ = cap(town, "W-2", "橙色", circle, "Update", named, 4)
    town.refused("dispatcher", "POST", "/api/warnings/cap", files=file)
    town.refused("duty-here", "POST", "/api/warnings", json={"issuer": "a", "issued": "1", "hazard": "大风", "colour": "blue", "areas": [show_area(town.city)]})
    say.ok("duty", "POST", "/api/warnings/cap", files=file)
    (held,) = say.ok("citizen", "GET", "/api/warnings")["items"]
    assert (held["external"], held["in_force"], held["title_zh"]) == ("W-2", True, "暴雨橙色预警")
    far, _ = cap(town, "W-3", "红色", "<circle>0.0,0.0 1</circle>")
    town.refused("duty", "POST", "/api/warnings/cap", 400, 422, files=far)
    bomb = {"file": ("x.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><alert/>', "application/xml")}
    assert town.as_("duty", "POST", "/api/warnings/cap", files=bomb).json()["code"] == "warning.not_cap"


def begin(town: Town, say: Shapes) -> tuple[Any, Any]:
    """Start a response by an order, raise a mode by a proposal and an approval."""
    order = {"ordered_by": "市防指（虚构）", "basis": "防指〔2026〕1 号", "theme": "flood", "level": 3, "areas": [show_area(town.city)]}
    response = say.ok("duty", "POST", "/api/responses", json=order)
    assert response["title_zh"] == "防汛Ⅲ级应急响应"
    mode = {"theme": "flood", "level": 3, "areas": [show_area(town.city)], "title_zh": "启动防汛应急", "basis": "防指〔2026〕1 号", "response": response["id"]}
    town.refused("leader", "POST", "/api/modes", json=mode)
    proposed = say.ok("duty", "POST", "/api/modes", json=mode)
    town.refused("duty", "POST", f"/api/modes/{proposed['id']}/approve", json={})
    raised = say.ok("leader", "POST", f"/api/modes/{proposed['id']}/approve", json={"version": proposed["version"]})
    assert [each["effect"] for each in raised["effects"] if each["items"]] == ["plan", "roster", "urgent", "postpone", "sample", "room"]
    told = say.ok("steward", "GET", "/api/modes")
    assert {row["type"] for row in told["sampling"]} == {"WaterLevelSensor", "RainGauge"}
    return response, raised


def command(town: Town, say: Shapes, url: str) -> Any:
    """Orders go to their units, who give receipts; a case is linked; reports go up."""
    room = say.ok("duty", "GET", url)
    pumps = next(each for each in room["orders"] if each["task"] == "pumps")
    town.refused("roads-office", "POST", f"{url}/orders/{pumps['id']}/accept", json={})
    town.refused("duty", "POST", f"{url}/orders/{pumps['id']}/accept", json={})
    accepted = say.ok("drainage-office", "POST", f"{url}/orders/{pumps['id']}/accept", json={})
    assert accepted["read"] and accepted["accepted"] and [v["verb"] for v in accepted["verbs"]] == ["done", "decline"]
    say.ok("handler-here", "POST", f"{url}/orders/{pumps['id']}/done", json={"note": "两台泵车就位"})
    case = town.case(town.here, "路口积水很深")
    say.ok("duty", "POST", f"{url}/link", json={"case": case["number"]})
    say.ok("duty", "POST", f"{url}/log", json={"note": "市领导到场"})
    say.ok("leader", "POST", f"{url}/order", json={"unit": "dept-road", "title_zh": "清理路面", "limit_minutes": 30})
    first = next(each for each in room["reports"] if each["kind"] == "first")
    assert first["due"] and "防汛Ⅲ级应急响应" in first["text_zh"] and "暴雨橙色预警" in first["text_zh"]
    sent = {"report": first["id"], "to": "市委值班室（虚构）", "version": first["version"]}
    unfilled = town.as_("duty", "POST", f"{url}/send", json=sent).json()
    assert (unfilled["code"], "〔地点待核〕" in str(unfilled)) == ("report.unfilled", True)
    after = say.ok("duty", "POST", f"{url}/send", json=sent | {"text_zh": "首报：路口积水，正在抽排，无人员伤亡。"})
    assert [(each["kind"], each["state"]) for each in after["reports"]] == [("first", "sent"), ("next", "draft")]
    assert [each["note"] for each in after["log"] if each["verb"] == "log"] == ["市领导到场"]
    assert say.ok("", "GET", url)["title_zh"] == "启动防汛应急", "a sandbox's visitor may look on"
    town.refused("citizen", "GET", url)
    return case


def instruct(town: Town, say: Shapes, case: Any) -> None:
    """Let a leader instruct on a case: it stands on the sheet."""
    later = (datetime.now().astimezone() + timedelta(days=1)).isoformat(timespec="seconds")
    town.refused("duty", "POST", "/api/instructions", json={"text": "督办", "until": later, "case": case["id"]})
    given = say.ok("leader", "POST", "/api/instructions", json={"text": "请尽快办结", "until": later, "case": case["number"]})
    assert given["case"] == case["id"]
    sheet = say.ok("duty", "GET", "/api/duty")
    assert sheet["in_charge"] is None
    draft = sheet["draft"]
    assert [row["number"] for row in draft["instructions"]] == [given["number"]]
    listed = say.ok("duty", "GET", "/api/instructions")["items"]
    assert [(row["number"], row["open"], row["leader_name_zh"]) for row in listed] == [(given["number"], True, "leader")]
    assert {row["unit"] for row in draft["orders"]} >= {"dept-road", "dept-traffic"}
    assert {row["post"] for row in sheet["on_duty"]} == {"leader", "duty_officer", "watch"}


def _only_who_may_keep_the_watch_is_named(town: Town) -> str:
    """Return the id of who may be named: a sheet is made out to nobody who could not sign it: a handler, a citizen, one whose account is closed, nor to who hands over."""
    identity = town.owner.parts.identity
    held = {row["account"]: row["id"] for row in identity.parties()}
    for who in ("handler-here", "citizen", "steward"):
        answer = town.as_("duty", "POST", "/api/duty/handover", json={"to": held[who]})
        assert (answer.status_code, answer.json()["code"]) == (403, "handover.cannot_keep"), answer.text
        assert who in answer.json()["zh"]["sentence"]
    assert town.as_("duty", "POST", "/api/duty/handover", json={"to": held["duty"]}).json()["code"] == "handover.own"
    assert town.as_("duty", "POST", "/api/duty/handover", json={"to": "nobody"}).json()["code"] == "request.invalid"
    assert town.ok("duty", "GET", "/api/duty")["waiting"] is None, "nothing was frozen"
    return str(held["night"])


def hand_over(town: Town, say: Shapes) -> None:
    """Open the watch, and hand it over by two signatures."""
    opened = say.ok("duty", "POST", "/api/duty/handover", json={})
    say.ok("duty", "POST", f"/api/duty/handover/{opened['id']}/sign", json={})
    town.refused("night", "POST", "/api/duty/handover", json={})
    night = _only_who_may_keep_the_watch_is_named(town)
    made = say.ok("duty", "POST", "/api/duty/handover", json={"memo": "注意 3 号泵", "to": night})
    assert made["expected"] == night
    assert say.ok("night", "GET", "/api/duty")["in_charge"]["name"] == "duty"
    assert say.ok("handler-here", "GET", "/api/duty")["waiting"]["document"] is None
    town.refused("duty", "POST", f"/api/duty/handover/{made['id']}/sign", json={})
    done = say.ok("night", "POST", f"/api/duty/handover/{made['id']}/sign", json={})
    assert done["document"]["memo"] == "注意 3 号泵"
    assert say.ok("duty", "GET", "/api/duty")["in_charge"]["name"] == "night"
    assert [(row["outgoing_name"], row["incoming_name"], row["document"]) for row in say.ok("handler-here", "GET", "/api/duty/handovers")["items"]] == [
        ("duty", "night", None),
        ("duty", "duty", None),
    ]
    assert say.ok("duty", "GET", f"/api/duty/handovers/{made['id']}")["document"] == done["document"]
    assert say.ok("handler-here", "GET", f"/api/duty/handovers/{made['number']}")["document"] is None
    town.refused("duty", "GET", "/api/duty/handovers/none", 404)


def print_out(town: Town, say: Shapes, url: str, case: Any) -> None:
    """Read the brief, and print it and the reviews."""
    brief = say.ok("leader", "GET", "/api/brief")
    assert [row["title_zh"] for row in brief["responses"]] == ["防汛Ⅲ级应急响应"]
    assert brief["todo"]["instructions"] == 1
    town.refused("leader", "GET", "/api/brief?date=2999-01-01", 400, 422)
    for page in ("/api/brief.pdf", "/api/brief.pdf?lang=en", f"{url}/review.pdf", f"/api/cases/{case['id']}/review.pdf"):
        paper = town.as_("leader", "GET", page)
        assert paper.headers["content-type"] == "application/pdf"
        assert paper.content.startswith(b"%PDF-")


def end(town: Town, say: Shapes, url: str, raised: Any, response: Any) -> None:
    """Go back to the ordinary day: what is restored is told line by line."""
    assert say.ok("night", "GET", "/api/modes")["mine"] == [raised["id"]], "who is in charge may end it"
    town.refused("duty-here", "POST", f"/api/modes/{raised['id']}/end", json={"note": "雨停了"})
    town.refused("night", "POST", f"/api/modes/{raised['id']}/end", 400, json={"note": ""})
    lowered = say.ok("night", "POST", f"/api/modes/{raised['id']}/end", json={"note": "雨停，水位回落"})
    assert {row["effect"] for row in lowered["restored"]} == {"plan", "roster", "urgent", "postpone", "sample", "room"}
    assert say.ok("steward", "GET", "/api/modes") == {"items": [], "next": None, "sampling": [], "verbs": [], "mine": []}
    say.ok("duty", "POST", f"/api/responses/{response['id']}/end", json={"ordered_by": "市防指（虚构）", "basis": "防指〔2026〕2 号"})
    road = next(each for each in say.ok("duty", "GET", url)["orders"] if each["unit"] == "dept-road")
    town.refused("duty", "POST", f"{url}/close", 409, json={})
    say.ok("duty", "POST", f"{url}/orders/{road['id']}/cancel", json={"note": "已不需要"})
    before = say.ok("duty", "GET", url)["unfinished"]
    assert {each["kind"] for each in before} == {"report", "case"}, "what the end leaves open is told before it"
    town.refused("duty", "POST", f"{url}/report", 409, json={"kind": "final"})
    closed = say.ok("duty", "POST", f"{url}/close", json={"note": "水已退"})
    assert [(each["kind"], each["state"]) for each in closed["reports"]] == [("first", "sent"), ("next", "draft"), ("final", "draft")]


def look_back(say: Shapes, url: str, case: Any) -> None:
    """Look back: the review is the history's own."""
    looked = say.ok("leader", "GET", f"{url}/review")
    assert all(moment["at"] for moment in looked["moments"])
    assert case["number"] in {entry["number"] for entry in looked["timeline"]}
    assert "路口积水很深" not in str(looked), "a citizen's own words are no part of it"
    say.ok("leader", "GET", f"/api/cases/{case['id']}/review")


def test_the_roster_is_no_public_table(town: Town) -> None:
    town.refused("citizen", "GET", "/api/tables/roster")
    rows = town.ok("steward", "GET", "/api/tables/roster")["items"]
    assert {row["post"] for row in rows} == {"leader", "duty_officer", "watch"}
    town.ok("citizen", "GET", "/api/tables/plans")
