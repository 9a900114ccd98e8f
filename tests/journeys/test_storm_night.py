"""A storm night, through the public doors, on a replayed clock: from the rain to the review, by people of seven units, each with their own key.

Rain, level, finding, lead; twenty voices; the flooding playbook across four parties; photographs; a check by instrument and one by a person; closed, and each voice
answered; the sign back to normal; and the handover sheet, the brief and the review name it.
"""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from zhongshu.kernel.area import Level, at_level, show_area
from zhongshu.kernel.clock import MINUTE, ReplayClock, rfc3339

from .streets import Town, png, until

pytestmark = pytest.mark.journey
SPEED = 10
VOICES, NAMELESS = 20, 8
PLAYBOOK = "class,zh,en,check,normal_minutes,words,playbook,basis,valid_from\ndrainage.ponding,道路积水,Water standing on a road,instrument,1,积水;水淹,flooding,示例,2025-01-01\n"


class Water:
    """The rain gauges and the underpass's sensor, which speak every five seconds of the city's time."""

    def __init__(self, town: Town, sensor: dict[str, Any], gauges: list[dict[str, Any]]) -> None:
        """Begin dry."""
        self.town, self.sensor, self.gauges = town, sensor, gauges
        self.depth, self.rain = 0.0, 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._speak, daemon=True)
        self._thread.start()

    def _speak(self) -> None:
        while not self._ended.wait(5 / SPEED):
            at = rfc3339(self.town.owner.parts.clock.now())
            rows = [{"entity": self.sensor["id"], "property": "WaterLevelSensor.depth", "time": at, "value": self.depth}]
            rows += [{"entity": gauge["id"], "property": "RainGauge.intensity", "time": at, "value": self.rain} for gauge in self.gauges]
            self.town.ok("writer", "POST", "/api/sources/sandbox.devices/readings", json=rows)

    def end(self) -> None:
        self._ended.set()
        self._thread.join(10)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Return a town on the evening of a storm, with an officer of each party of the playbook."""
    held = Town(tmp_path_factory.mktemp("storm"), clock=f"replay@2026-07-01T21:30:00+08:00x{SPEED}")
    for name, role in (("duty", "duty_officer"), ("night", "duty_officer"), ("leader", "leader"), ("checker", "checker")):
        held.join(name, held.token(name, role, held.city))
    for n in range(NAMELESS, VOICES):
        held.join(f"citizen-{n}", held.token(f"citizen-{n}", "citizen", held.city))
    held.ok("steward", "POST", "/api/tables/classes?apply=true", files={"file": ("classes.csv", PLAYBOOK)})
    yield held
    held.close()


@pytest.fixture(scope="module")
def water(town: Town) -> Iterator[Water]:
    sensors = [one for one in town.ok("duty", "GET", "/api/entities?type=WaterLevelSensor&limit=500")["items"] if one["facets"].get("kind") == "underpass"]
    gauges = town.ok("duty", "GET", "/api/entities?type=RainGauge&limit=20")["items"]
    held = Water(town, sensors[0], gauges)
    street = at_level(int(sensors[0]["area"]), Level.STREET)
    for name, unit in (("traffic", "dept-traffic"), ("emergency", "dept-emergency")):
        town.join(name, town.officer(name, "department", town.city, unit))
    town.join("street", town.officer("street", "handler", street, f"street-{show_area(street)}"))
    yield held
    held.end()


PARTIES = {"dept-drainage": "drainage-office", "dept-traffic": "traffic", "dept-emergency": "emergency"}


def vital(town: Town, area: str) -> Any:
    return next(row for row in town.ok("duty", "GET", f"/api/vitals?area={area}")["items"] if row["indicator"] == "DR02")


def photo(town: Town, who: str, shade: int) -> str:
    return str(town.ok(who, "POST", "/api/evidence", files={"file": ("a.png", png(shade), "image/png")})["sha256"])


def skip(town: Town, minutes: int) -> None:
    """Let time pass."""
    clock = town.owner.parts.clock
    assert isinstance(clock, ReplayClock)
    clock.start += minutes * MINUTE


def step(town: Town, who: str, case: Any, verb: str, **given: Any) -> Any:
    return town.ok(who, "POST", f"/api/cases/{case['id']}/{verb}", json=given)


def get(town: Town, case: Any, who: str = "duty") -> Any:
    return town.ok(who, "GET", f"/api/cases/{case['id']}")


def test_a_storm_night(town: Town, water: Water) -> None:
    lead, voices = rise(town, water)
    case = send(town, lead)
    room = open_room(town, water, case)
    handle(town, water, case)
    other = fallen(town, water)
    finish(town, water, case, voices)
    hand_over(town, case, room)
    look_back(town, case, other, room)


def rise(town: Town, water: Water) -> tuple[Any, list[dict[str, str]]]:
    """Rain falls, the sign rises, the finding opens a lead, and twenty people tell of it; what they tell is joined, with its reason."""
    area = water.sensor["area"]
    until(lambda: vital(town, area)["level"] not in {"stale", "orange", "red"} and vital(town, area)["value"] is not None, "a sign that is alive and calm")
    water.rain, water.depth = 42.0, 31.0
    until(lambda: vital(town, area)["level"] in {"orange", "red"}, "the sign's level")
    seen = town.ok("duty", "GET", f"/api/vitals/DR02/{area}")["live"]

    def open_leads() -> list[Any]:
        return [row for row in town.ok("duty", "GET", "/api/leads?state=open")["items"] if row["indicator"] == "DR02" and row["area"] == area]

    until(lambda: bool(open_leads()), "the finding's lead")
    told = []
    for n in range(VOICES):
        body = {"text": f"下穿通道积水很深，车过不去了，我是第 {n + 1} 个来说的。", "lon": water.sensor["lon"] + n * 1e-5, "lat": water.sensor["lat"]}
        who = "" if n < NAMELESS else f"citizen-{n}"
        told.append(town.ok(who, "POST", "/api/requests", json=body | {"class": "drainage.ponding"}) | {"who": who})
    (lead,) = open_leads()
    assert lead["voices"] == VOICES, "every voice is with the one lead"
    assert all("同类" in link["reason_zh"] for link in lead["links"])
    assert {link["request"] for link in lead["links"]} == {each["number"] for each in told}
    looked_back(town, area, seen)
    return lead, told


def looked_back(town: Town, area: str, seen: Any) -> None:
    """The screen of a past moment shows what it showed then; of a moment to come there is nothing to look back at."""
    before = town.ok("duty", "GET", f"/api/vitals?area={area}&at={seen['at'].replace('+', '%2B')}")["items"]
    assert next(row for row in before if row["indicator"] == "DR02")["value"] == seen["value"]
    whole = town.ok("duty", "GET", f"/api/vitals?depth=street&indicator=DR02&at={seen['at'].replace('+', '%2B')}")["items"]
    assert any(row["level"] in {"orange", "red"} for row in whole) and all(row["area"].endswith("000000") for row in whole)
    assert all(row["level"] == "stale" for row in town.ok("duty", "GET", f"/api/vitals?area={area}&indicator=DR02&at=2001-01-01T00:00:00Z")["items"])
    for moment in ("2150-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "yesterday"):
        town.refused("duty", "GET", f"/api/vitals?at={moment}", 400)


def send(town: Town, lead: Any) -> Any:
    """The lead is filed and sent; whoever takes it begins the playbook."""
    made = town.ok("duty", "POST", f"/api/leads/{lead['id']}/confirm", json={"version": lead["version"]})
    case = step(town, "dispatcher", get(town, {"id": made["case"]}), "dispatch", unit="dept-drainage")
    step(town, "drainage-office", case, "delivered")
    step(town, "drainage-office", case, "read")
    return step(town, "drainage-office", case, "take")


def open_room(town: Town, water: Water, case: Any) -> Any:
    """The incident's room names the place, and its first report is sent."""
    opened = {
        "theme": "flood",
        "title_zh": "下穿通道内涝",
        "title_en": "Flooded underpass",
        "areas": [show_area(at_level(int(water.sensor["area"]), Level.STREET))],
        "cases": [case["id"]],
    }
    room = town.ok("duty", "POST", "/api/incidents", json=opened)
    first = next(each for each in room["reports"] if each["kind"] == "first")
    return town.ok(
        "duty", "POST", f"/api/incidents/{room['id']}/send", json={"report": first["id"], "to": "市委值班室（虚构）", "text_zh": "首报：下穿通道积水，正在抽排，无人员伤亡。"}
    )


def handle(town: Town, water: Water, case: Any) -> None:
    """Four parties do what the playbook gives them, each with photographs or a note; the pumps take longer than an hour, so others are called."""
    did: dict[str, set[str]] = {}

    def work(*, but: str = "") -> None:
        for task in get(town, case)["tasks"]:
            if task["state"] not in {"sent", "arrived"} or task["title_en"] == but:
                continue
            who = PARTIES.get(task["unit"], "street")
            answers = {choice["name"]: "no" for choice in task["choices"]}
            shade = 20 + len(did) * 10
            url = f"/api/cases/{case['id']}/tasks/{task['id']}"
            town.ok(who, "POST", f"{url}/arrive", json={})
            town.ok(who, "POST", f"{url}/done", json={"evidence": [photo(town, who, shade)], "note": "已办", "choices": answers})
            did.setdefault(task["unit"], set()).add(task["title_en"])

    work()
    work(but="Pump out and clear the inlets")
    town.refused("drainage-office", "POST", f"/api/cases/{case['id']}/handle", 409, json={"evidence": [photo(town, "drainage-office", 90)]})
    skip(town, 61)
    until(lambda: any(task["title_en"] == "Send mobile pumps" for task in get(town, case)["tasks"]), "the call for mobile pumps")
    water.depth, water.rain = 2.0, 0.0
    until(lambda: vital(town, water.sensor["area"])["level"] not in {"orange", "red", "stale"}, "the sign back to normal")
    while any(task["state"] in {"sent", "arrived"} for task in get(town, case)["tasks"]):
        work()
    units = {unit if unit in PARTIES else "street" for unit in did}
    assert units == {"dept-drainage", "dept-traffic", "dept-emergency", "street"}
    assert get(town, case)["playbook"]["ended"]
    before, after = photo(town, "drainage-office", 100), photo(town, "drainage-office", 160)
    step(town, "drainage-office", case, "handle", evidence=[before])
    step(town, "drainage-office", case, "feedback", evidence=[after])


def fallen(town: Town, water: Water) -> Any:
    """A voice of the same night becomes a case of its own that a person checks; nobody checks their own work."""
    place = {"lon": water.sensor["lon"], "lat": water.sensor["lat"]}
    number = town.ok("citizen", "POST", "/api/requests", json={"text": "垃圾被水冲得到处都是。", "class": "hotline.garbage"} | place)["number"]
    lead = next(row for row in town.ok("acceptor", "GET", "/api/leads?state=open")["items"] if number in {heard["number"] for heard in row["heard"]})
    made = town.ok("acceptor", "POST", f"/api/leads/{lead['id']}/confirm", json={})
    case = step(town, "dispatcher", {"id": made["case"]}, "dispatch", unit="dept-drainage")
    case = step(town, "drainage-office", case, "take")
    shown = [photo(town, "drainage-office", 200), photo(town, "drainage-office", 210)]
    case = step(town, "drainage-office", case, "handle", evidence=shown[:1])
    case = step(town, "drainage-office", case, "feedback", evidence=shown[1:])
    town.refused("drainage-office", "POST", f"/api/cases/{case['id']}/check_pass", 403, json={})
    case = step(town, "checker", case, "check_pass", note="现场看过，已清")
    return step(town, "acceptor", case, "close", answer="已清理干净，谢谢您。")


def finish(town: Town, water: Water, case: Any, voices: list[dict[str, str]]) -> None:
    """The instrument passes the check; the case is closed, and that closes no voice; each is answered, asked again, and one is not content."""
    until(lambda: get(town, case)["mark"] == "passed", "the check by the sign")
    passed = get(town, case)["history"][-1]
    assert (passed["verb"], passed["actor"]) == ("check_pass", "instrument")
    assert water.depth < 10
    step(town, "acceptor", case, "close")
    lives = [life(town, told) for told in voices]
    assert all(life["answered"] is None for life in lives), "closing the case closes no voice"
    for told in voices:
        town.ok("acceptor", "POST", f"/api/requests/{told['id']}/answer", json={"answer": "积水已排，道路已恢复通行。"})
    for n, told in enumerate(voices[:3]):
        town.ok("acceptor", "POST", f"/api/requests/{told['id']}/call_back", json={"satisfied": 5 - n, "result": "solved"})
    lives = [life(town, told) for told in voices]
    assert all(life["answered"] and "恢复通行" in life["answer"] for life in lives)
    held = town.ok("acceptor", "GET", "/api/requests?state=received")["items"]
    assert not {told["id"] for told in voices} & {row["id"] for row in held}
    told = vital(town, water.sensor["area"])
    assert told["finding"] is None, "the sign is back to normal, and its finding has ended"
    clocks = get(town, case)
    assert clocks["closed"] and clocks["late"] is False
    parts = {held["part"] for held in clocks["holdings"]}
    assert {"dispatch", "sign", "handle", "feedback", "check", "close"} <= parts


def life(town: Town, told: dict[str, str]) -> Any:
    """Return how a voice stands, as who sent it sees it: by their account, or by the receipt alone."""
    return town.ok(told["who"], "GET", f"/api/requests/{told['id']}" if told["who"] else f"/api/follow/{told['follow']}")


def hand_over(town: Town, case: Any, room: Any) -> None:
    """The watch is handed over by two signatures; the sheet names the room, and, while it is open, the case."""
    opened = town.ok("duty", "POST", "/api/duty/handover", json={})
    town.ok("duty", "POST", f"/api/duty/handover/{opened['id']}/sign", json={})
    sheet = town.ok("duty", "GET", "/api/duty")["draft"]
    assert room["number"] in {row["number"] for row in sheet["incidents"]}
    reopened = step(town, "duty", case, "reopen", code="", reason="还有一处没有退")
    sheet = town.ok("duty", "GET", "/api/duty")["draft"]
    assert reopened["number"] in {row["number"] for row in sheet["open"]["items"]}
    assert reopened["number"] in {row["number"] for row in sheet["voices"]["items"]}, "so many have spoken of it that it stands out"
    made = town.ok("duty", "POST", "/api/duty/handover", json={})
    town.ok("night", "POST", f"/api/duty/handover/{made['id']}/sign", json={})
    assert town.ok("night", "GET", "/api/duty")["in_charge"]["name"] == "night"


def look_back(town: Town, case: Any, other: Any, room: Any) -> None:
    """The next morning's brief and the reviews name it; who reported is in none of them."""
    skip(town, 12 * 60)
    brief = town.ok("leader", "GET", "/api/brief?date=2026-07-02")
    said = str(brief["sections"]["zh"])
    assert "下穿通道内涝" in said
    assert "道路积水" in said, "what most people spoke of"
    figures = {row["what"]: row["value"] for row in brief["figures"]}
    assert figures["requests"] == VOICES + 1
    assert town.as_("leader", "GET", "/api/brief.pdf?date=2026-07-02").content.startswith(b"%PDF-")
    looked = town.ok("leader", "GET", f"/api/incidents/{room['id']}/review")
    assert case["number"] in str(looked["timeline"])
    mine = town.ok("leader", "GET", f"/api/cases/{case['id']}/review")
    assert case["number"] in str(mine)
    assert "第 1 个来说的" not in str((brief, looked, mine)), "no voice's own words stand in them"
    assert other["number"] in {row["number"] for row in town.ok("leader", "GET", "/api/cases?state=closed")["items"]}
