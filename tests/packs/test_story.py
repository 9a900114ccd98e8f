"""The storm's story against a small city behind a fake line: the eight steps come in their order and in their time, people are separate, seats are left."""

import asyncio
import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from zhongshu.packs.sandbox import SEATS, Sandbox, stages
from zhongshu.packs.sandbox.life.city import City
from zhongshu.packs.sandbox.life.robots import Acceptor, Citizens, Robot, crew
from zhongshu.packs.sandbox.life.sandbox import _covers as covers
from zhongshu.packs.sandbox.life.story import STEPS, Story

from .test_life import DAY, town

CELL = "990101001001001"
ROLES = {s.name: s.role for s in SEATS}
UNITS = {s.name: s.unit for s in SEATS}
Item = dict[str, Any]


def stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


class FakeCity:
    """As much of the city's API as the sandbox speaks: readings become DR02, a finding, a lead; leads become cases; cases go their steps."""

    WAY = (
        (("dispatch", ""), "dispatch", ("handle", ""), "dispatcher"),
        (("handle", ""), "take", ("handle", "taken"), "handler"),
        (("handle", "taken"), "handle", ("feedback", ""), "handler"),
        (("feedback", ""), "feedback", ("check", ""), "handler"),
        (("check", ""), "check_pass", ("check", "passed"), "checker"),
        (("check", "passed"), "close", ("closed", ""), "acceptor"),
    )

    def __init__(self) -> None:
        self.now = float(DAY)
        self.entities = town(lights=20)
        self.depth = 0.0
        self.over: float | None = None
        self.finding: Item | None = None
        self.leads: dict[str, Item] = {}
        self.cases: dict[str, Item] = {}
        self.requests: list[Item] = []
        self.pictures: dict[str, bytes] = {}
        self.log: list[tuple[str, str, str]] = []
        self.posted = 0
        self._ids = itertools.count(1)
        self.down = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("down", request=request)
        seat = request.headers.get("Authorization", "Bearer ?").removeprefix("Bearer token-")
        parts = request.url.path.strip("/").split("/")[1:]
        handler: Callable[..., Any] | None = getattr(self, f"{request.method.lower()}_{parts[0]}", None)
        answer = handler(seat, request, *parts[1:]) if handler else None
        return httpx.Response(404, json={"code": "route.unknown"}) if answer is None else httpx.Response(200, json=answer)

    def get_session(self, seat: str, _request: httpx.Request) -> Item:
        role = {"role": ROLES[seat], "area": "990101001000000" if seat in {"handler", "checker"} else "990100000000000"}
        return {"principal": {"id": seat, "name": f"模拟{seat}", "roles": [role], "unit": UNITS[seat]}}

    def get_entities(self, _seat: str, request: httpx.Request) -> Item:
        kind, after = request.url.params["type"], int(request.url.params.get("after", 0))
        some = [e for e in self.entities if e["type"] == kind]
        return {"items": some[after : after + 7], "next": str(after + 7) if after + 7 < len(some) else None}

    def post_sources(self, seat: str, request: httpx.Request, source: str, _what: str) -> Item | None:
        if {"sandbox.devices": "devices", "sandbox.offices": "offices"}[source] != seat:
            return None
        rows = [json.loads(line) for line in httpx.Response(200, headers=[("Content-Encoding", "gzip")], content=request.content).read().splitlines()]
        self.posted += len(rows)
        for row in rows:
            if row["property"] == "WaterLevelSensor.depth":
                self.sensors = getattr(self, "sensors", {}) | {row["entity"]: row["value"]}
        if hasattr(self, "sensors"):
            self._judge(max(self.sensors.values()))
        return {"accepted": len(rows)}

    def _judge(self, depth: float) -> None:
        self.depth = depth
        self.over = (self.over or self.now) if depth >= 27 else None
        if self.over is not None and self.now - self.over >= 5 and self.finding is None:
            lead = self._lead("finding", "f1")
            self.finding = {"id": "f1", "indicator": "DR02", "area": CELL, "opened": stamp(self.now), "lead": lead["id"], "case": None}

    def _lead(self, kind: str, finding: str | None) -> Item:
        lead: Item = {"id": f"L{next(self._ids)}", "kind": kind, "area": CELL, "finding": finding, "state": "open", "links": [], "case": None, "voices": 0}
        self.leads[lead["id"]] = lead
        return lead

    def get_vitals(self, _seat: str, request: httpx.Request) -> Item:
        assert request.url.params["area"] == CELL
        level = "red" if self.depth >= 40 else "orange" if self.depth >= 27 else "yellow" if self.depth >= 15 else "green"
        return {"items": [{"indicator": "DR02", "area": CELL, "value": self.depth, "level": level}]}

    def get_findings(self, _seat: str, _request: httpx.Request) -> Item:
        return {"items": [self.finding] if self.finding else []}

    def get_leads(self, _seat: str, request: httpx.Request) -> Item:
        state = request.url.params.get("state", "")
        return {"items": [lead for lead in self.leads.values() if state in {"", lead["state"]}]}

    def post_leads(self, seat: str, request: httpx.Request, ident: str, verb: str) -> Item | None:
        lead = self.leads[ident]
        if ROLES[seat] != "acceptor" or lead["state"] != "open":
            return None
        self.log.append((seat, verb, ident))
        if verb == "duplicate":
            lead |= {"state": "duplicate", "of": json.loads(request.content)["of"]}
            return lead
        case: Item = {
            "id": f"C{next(self._ids)}",
            "number": f"990101-{ident}",
            "class": "drainage.ponding" if lead["finding"] else "hotline.garbage",
            "area": CELL,
            "step": "dispatch",
            "mark": "",
            "version": 1,
            "history": [],
            "unit": "",
            "lead": ident,
            "suggestion": {"unit": "dept-drainage" if lead["finding"] else "dept-sanitation", "reason_zh": "派遣目录"},
        }
        self.cases[case["id"]] = case
        lead |= {"state": "filed", "case": case["id"]}
        return lead

    def post_requests(self, seat: str, request: httpx.Request) -> Item | None:
        if ROLES[seat] != "citizen":
            return None
        told = json.loads(request.content)
        self.requests.append(told | {"seat": seat, "at": self.now})
        if told["class"] == "drainage.ponding" and self.finding:
            self.leads[self.finding["lead"]]["voices"] += 1
        else:
            self._lead("request", None)
        return {"id": f"R{len(self.requests)}", "number": "1"}

    def get_cases(self, seat: str, request: httpx.Request, ident: str | None = None) -> Item | None:
        if ident is None:
            return {"items": [c for c in self.cases.values() if c["step"] == request.url.params["step"]]}
        case = self.cases.get(ident)
        return case and case | {"verbs": [{"verb": verb} for verb in self._offered(seat, case)]}

    def _offered(self, seat: str, case: Item) -> list[str]:
        rows = [row for row in self.WAY if row[0] == (case["step"], case["mark"]) and row[3] == ROLES[seat]]
        return [verb for _, verb, _, role in rows if role != "handler" or case["unit"] == UNITS[seat]]

    def post_cases(self, seat: str, request: httpx.Request, ident: str, verb: str) -> Item | None:
        case, body = self.cases[ident], json.loads(request.content)
        if verb not in self._offered(seat, case) or body["version"] != case["version"]:
            return None
        if verb in {"handle", "feedback"}:
            assert body["evidence"][0] in self.pictures
        to = next(row[2] for row in self.WAY if row[1] == verb)
        self.log.append((seat, verb, ident))
        case["history"].append({"verb": verb, "at": stamp(self.now), "actor": seat, "evidence": [{"url": f"/api/evidence/{s}"} for s in body.get("evidence", [])]})
        case |= {"step": to[0], "mark": to[1], "version": case["version"] + 1, "unit": body.get("unit", case["unit"])}
        return case

    def post_evidence(self, _seat: str, request: httpx.Request) -> Item:
        name = f"sha-{len(self.pictures)}"
        self.pictures[name] = request.read()
        return {"sha256": name, "url": f"/api/evidence/{name}"}


class Play:
    """The sandbox's parts, moved by hand through made seconds, in the order they would run."""

    def __init__(self, *, without: tuple[str, ...] = ()) -> None:
        self.fake = FakeCity()
        self.tokens = {s.name: f"token-{s.name}" for s in SEATS if s.name not in without}
        self.sandbox = Sandbox("http://city", self.tokens, {"time_zone": "Asia/Shanghai"}, transport=httpx.MockTransport(self.fake), clock=lambda: self.fake.now)
        self.phases: list[str] = []

    @property
    def story(self) -> Story:
        return self.sandbox._story

    async def run(self, seconds: int, meanwhile: Callable[[int], None] = lambda _: None) -> None:
        async with httpx.AsyncClient(base_url="http://city", transport=httpx.MockTransport(self.fake)) as http:
            city = City(http, self.tokens)
            assert await self.sandbox._meet(city)
            self.sandbox._people(city)
            self.sandbox.start_story()
            for second in range(seconds):
                self.fake.now = DAY + float(second)
                meanwhile(second)
                self.story.weather(self.fake.now)
                rows = self.story.fleet.readings(int(self.fake.now), everyone=second == 0)
                await city.readings("devices", "sandbox.devices", f"b{second}", rows)
                await self.story.follow(city, "acceptor", self.fake.now)
                for robot in self.sandbox._robots.values():
                    if not robot.taken:
                        await robot.turn()
                self.phases.append(self.story.phase)


def offsets(document: Item) -> dict[str, float | None]:
    return {s["key"]: None if s["at"] is None else datetime.fromisoformat(s["at"]).timestamp() - DAY for s in document["steps"]}


def test_the_eight_steps_come_in_order_and_in_time() -> None:
    play = Play()
    asyncio.run(play.run(175))
    document = play.sandbox.story()
    told = offsets(document)
    assert list(told) == list(STEPS)
    at = {key: t for key, t in told.items() if t is not None}
    times = list(at.values())
    assert len(times) == 8
    assert times == sorted(times)
    assert at["rain"] == 20
    assert 38 <= at["rising"] <= 48
    assert 50 <= at["finding"] <= 60
    assert at["voices"] <= 66
    assert 78 <= at["dispatch"] <= 84
    assert 96 <= at["take"] <= 103
    assert at["falling"] <= 140
    assert at["closed"] <= 170
    assert all(step["link"].startswith("/") for step in document["steps"])
    assert document["phase"] == "closed"
    assert document["phone"]["state"] == "closed" and document["phone"]["photo"] in {f"/api/evidence/{name}" for name in play.fake.pictures}


def test_three_voices_come_after_the_finding_and_are_joined() -> None:
    play = Play()
    asyncio.run(play.run(80))
    water = [r for r in play.fake.requests if r["class"] == "drainage.ponding"]
    assert len(water) == 3
    assert len({r["seat"] for r in water}) == 3
    assert {r["text"] for r in water} and all("模拟" in r["text"] for r in water)
    assert play.fake.finding and play.fake.leads[play.fake.finding["lead"]]["voices"] == 3


def test_nobody_checks_their_own_work() -> None:
    play = Play()
    asyncio.run(play.run(175))
    (case,) = [c for c in play.fake.cases.values() if c["class"] == "drainage.ponding"]
    by = {done["verb"]: done["actor"] for done in case["history"]}
    assert list(by) == ["dispatch", "take", "handle", "feedback", "check_pass", "close"]
    assert len({by["handle"], by["check_pass"], by["dispatch"], by["close"]}) == 4


def test_the_rain_is_told_while_it_falls() -> None:
    play = Play()
    asyncio.run(play.run(45))
    rain = play.sandbox.story()["rain"]
    assert rain["mm_h"] > 0 and len(rain["path"]) > 2
    lon, lat = rain["centre"]
    assert abs(lon - 120) < 0.2 and abs(lat - 30) < 0.2


@pytest.mark.parametrize(("seat", "stuck_at"), [("dispatcher", "voices"), ("handler", "dispatch"), ("checker", "falling")])
def test_a_taken_seat_is_left_and_everything_waits_for_the_visitor(seat: str, stuck_at: str) -> None:
    play = Play()
    asyncio.run(play.run(200, lambda second: play.sandbox.take_seat(seat) if second == 70 else None))
    assert play.story.phase == stuck_at
    assert all(who != seat for who, _, _ in play.fake.log)
    seats = {s["seat"]: s["taken_by_robot"] for s in play.sandbox.story()["seats"]}
    assert seats.pop(seat) is False
    assert all(seats.values())


def test_a_visitor_s_own_handling_starts_the_pump() -> None:
    play = Play()

    def visitor(second: int) -> None:
        play.sandbox.take_seat("handler")
        for case in play.fake.cases.values():
            if second == 130 and case["step"] == "handle":
                case["history"] += [{"verb": v, "at": stamp(play.fake.now), "actor": "visitor", "evidence": []} for v in ("take", "handle")]
                case |= {"step": "feedback"}

    asyncio.run(play.run(170, visitor))
    at = offsets(play.sandbox.story())
    assert at["take"] == 130
    assert at["falling"] is not None and at["falling"] > 133


def test_a_second_storm_waits_for_the_first_and_floods_another_underpass() -> None:
    play = Play()
    first: list[int] = []

    def again(second: int) -> None:
        if second == 60:
            first.append(play.story.site)
            play.sandbox.start_story()
            assert play.story.started == DAY

    asyncio.run(play.run(175, again))
    play.fake.now += 600
    document = play.sandbox.start_story()
    assert play.story.started == play.fake.now
    assert play.story.site != first[0]
    assert [s["at"] for s in document["steps"]] == [None] * 8


def test_before_the_first_page_nothing_happens() -> None:
    sandbox = Sandbox("http://city", {}, {"time_zone": "Asia/Shanghai"})
    document = sandbox.story()
    assert document["started"] is False
    assert (document["phase"], document["rain"], document["phone"]) == ("calm", None, None)
    assert [s["seat"] for s in document["seats"]] == ["acceptor", "dispatcher", "handler", "checker", "citizen"]


def test_a_lost_line_is_survived() -> None:
    play = Play()

    def cut(second: int) -> None:
        play.fake.down = 90 <= second < 100

    asyncio.run(play.run(190, cut))
    assert play.story.phase == "closed"


def test_run_lives_and_stops() -> None:
    play = Play()
    play.sandbox._clock = lambda: play.fake.now

    async def live() -> None:
        task = asyncio.create_task(play.sandbox.run())
        for _ in range(100):
            await asyncio.sleep(0.02)
            if play.sandbox.sent:
                break
        play.sandbox.stop()
        await asyncio.wait_for(task, 5)

    asyncio.run(live())
    assert play.sandbox.sent == play.fake.posted - 6 > 200


def test_an_acceptor_joins_what_is_linked_and_confirms_the_rest() -> None:
    play = Play()

    async def scene() -> None:
        async with httpx.AsyncClient(base_url="http://city", transport=httpx.MockTransport(play.fake)) as http:
            robots = crew(City(http, play.tokens), play.story, lambda: play.fake.now, play.tokens)
            acceptor = robots["acceptor"]
            assert isinstance(acceptor, Acceptor) and isinstance(robots["checker"], Robot) and not isinstance(robots["checker"], Citizens)
            one, two = play.fake._lead("request", None), play.fake._lead("request", None)
            two["links"] = [{"lead": one["id"], "kind": "same_event", "reason_zh": "20 m"}]
            for second in range(60):
                play.fake.now = DAY + second
                await acceptor.turn()

    asyncio.run(scene())
    assert [(verb, ident) for _, verb, ident in play.fake.log] == [("confirm", "L1"), ("duplicate", "L2")]
    assert play.fake.leads["L2"]["of"] == "L1"


def test_the_story_plays_where_an_underpass_has_a_pump() -> None:
    entities = [e | {"area": "990102003001001"} if e["id"].endswith("WaterLevelSensor:3") else e for e in town(lights=0) if not e["id"].endswith("PumpStation:3")]
    assert stages(entities) == ["990101001000000", "990102003000000"]
    assert stages([]) == []


@pytest.mark.parametrize(
    ("areas", "code", "held"),
    [
        ([], CELL, True),
        (["000000000000000"], CELL, True),
        (["990100000000000"], CELL, True),
        (["990101001000000"], CELL, True),
        ([CELL], CELL, True),
        (["990102000000000"], CELL, False),
        (["990101002000000", "990101003000000"], CELL, False),
    ],
)
def test_an_account_reaches_what_lies_in_its_areas(areas: list[str], code: str, held: bool) -> None:
    assert covers(areas, code) == held


def test_a_seat_long_left_goes_back_to_its_robot_with_the_next_storm() -> None:
    play = Play()
    asyncio.run(play.run(1))

    def robots_at_work() -> dict[str, bool]:
        return {s["seat"]: s["taken_by_robot"] for s in play.sandbox.story()["seats"]}

    play.sandbox.take_seat("handler")
    play.fake.now += 1000
    play.sandbox.take_seat("checker")
    assert (robots_at_work()["handler"], robots_at_work()["checker"]) == (False, False)
    play.sandbox.start_story()
    assert (robots_at_work()["handler"], robots_at_work()["checker"]) == (True, False)
    assert (play.sandbox._robots["handler"].taken, play.sandbox._robots["checker"].taken) == (False, True)
