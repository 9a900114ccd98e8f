"""Simulated staff and citizens: each looks at its own queue as a person would, thinks, and does one thing, by the API alone.

A robot leaves its seat while a visitor has it. It never knows why a thing is so: what it may do is what the city offers it.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from zhongshu.packs.sandbox.life.city import City
from zhongshu.packs.sandbox.life.photo import picture, street
from zhongshu.packs.sandbox.life.story import CLASS, DRY_CM, SIGN, Story

Item = dict[str, Any]
Clock = Callable[[], float]

PACE, LEISURE = 1.0, 4.0
"""Seconds between two looks at the queue, in the story and on an ordinary day."""
CALM = 15.0
"""Seconds between two looks at who waits for an answer."""
PATIENCE = {
    "confirm": 18.0,
    "verify": 12.0,
    "file": 10.0,
    "dispatch": 14.0,
    "take": 20.0,
    "handle": 45.0,
    "feedback": 40.0,
    "check_pass": 30.0,
    "close": 12.0,
    "answer": 40.0,
    "call_back": 60.0,
}
"""Seconds a simulated person takes over an ordinary thing."""
NOTES = {
    "verify": "模拟人员：已核实，情况属实。",
    "file": "模拟人员：符合立案条件。",
    "dispatch": "模拟人员：按派遣目录派出。",
    "take": "模拟人员：已接单，正在赶往现场。",
    "handle": "模拟人员：已到场处置。",
    "feedback": "模拟人员：处置完毕，请核查。",
    "check_pass": "模拟人员：现场与仪表均已恢复正常。",
    "close": "模拟人员：予以结案。",
    "done": "模拟人员：任务已完成。",
    "answer": "您反映的问题已经办结，可凭回执查看处置后的照片。（模拟人员）",
}


@dataclass(slots=True)
class Robot:
    """One seat's simulated person. `steps`: where its cases stand; `verbs`: what it does, first that is offered."""

    seat: str
    city: City
    story: Story
    clock: Clock
    steps: tuple[str, ...]
    verbs: tuple[str, ...]
    taken: bool = False
    seen: dict[tuple[str, str, int], float] = field(default_factory=dict)
    photos: dict[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        """Work, but while a visitor has the seat."""
        while True:
            if not self.taken:
                await self.turn()
            await asyncio.sleep(PACE if self.story.active(self.clock()) else LEISURE)

    async def turn(self) -> bool:
        """Do at most one thing, the story's first; tell whether anything was done."""
        cases: list[Item] = []
        for step in self.steps:
            page = await self.city.get(self.seat, "/api/cases", state="open", step=step, limit=50)
            cases += (page or {}).get("items", [])
        cases.sort(key=lambda case: case["id"] != self.story.case)
        self._forget({(c["id"], c["step"], c["version"]) for c in cases})
        for case in cases:
            since = self.seen.setdefault((case["id"], case["step"], case["version"]), self.clock())
            if not self.taken and self.ripe(case, since) and await self._act(case):
                return True
        return False

    async def _task(self, case: Item) -> bool:
        """End the first task that the case holds for this seat's unit, as a person who was called would."""
        task = next((task for task in case.get("tasks", []) if {verb["verb"] for verb in task["verbs"]} & {"done"}), None)
        if task is None:
            return False
        body: Item = {"note": NOTES["done"], "choices": {one["name"]: one["options"][0]["value"] for one in task["choices"]}}
        if "evidence" in task["needs"]:
            photo = await self._photo(case, "handle")
            if photo is None:
                return False
            body["evidence"] = [photo]
        return await self.city.post(self.seat, f"/api/cases/{case['id']}/tasks/{task['id']}/done", body) is not None

    def _forget(self, current: set[tuple[str, str, int]]) -> None:
        self.seen = {key: since for key, since in self.seen.items() if key in current}

    def ripe(self, case: Item, since: float) -> bool:
        """Tell cheaply whether any of the seat's verbs could be due."""
        now = self.clock()
        if case["id"] == self.story.case:
            return any(self.story.after(verb, now) for verb in self.verbs)
        return now - since >= min(PATIENCE[verb] for verb in self.verbs)

    async def _act(self, case: Item) -> bool:
        whole = await self.city.get(self.seat, f"/api/cases/{case['id']}")
        if whole is None:
            return False
        if "handle" in self.verbs and await self._task(whole):
            return True
        offered = {verb["verb"] for verb in whole.get("verbs", [])}
        verb = next((v for v in self.verbs if v in offered), None)
        if verb is None or not await self._due(whole, verb):
            return False
        body = await self._body(whole, verb)
        return body is not None and await self.city.post(self.seat, f"/api/cases/{whole['id']}/{verb}", body) is not None

    async def _due(self, case: Item, verb: str) -> bool:
        now = self.clock()
        since = self.seen[case["id"], case["step"], case["version"]]
        ready = self.story.after(verb, now) if case["id"] == self.story.case else now - since >= PATIENCE[verb]
        if ready and verb in {"feedback", "check_pass"} and case["class"] == CLASS:
            depth = await self._depth(case)
            return depth is not None and depth < DRY_CM
        return ready

    async def _depth(self, case: Item) -> float | None:
        page = await self.city.get(self.seat, "/api/vitals", area=case["area"], indicator=SIGN)
        return next((item["value"] for item in (page or {}).get("items", [])), None)

    async def _body(self, case: Item, verb: str) -> Item | None:
        body: Item = {"version": case["version"], "note": NOTES.get(verb, "")}
        if verb == "dispatch":
            if not case.get("suggestion"):
                return None
            body["unit"] = case["suggestion"]["unit"]
            body["reason"] = case["suggestion"].get("reason_zh", "")
        if verb in {"handle", "feedback"}:
            photo = await self._photo(case, verb)
            if photo is None:
                return None
            body["evidence"] = [photo]
        return body

    async def _photo(self, case: Item, verb: str) -> str | None:
        caption = f"{case['number']}  {datetime.fromtimestamp(self.clock(), UTC):%Y-%m-%d %H:%M:%SZ}"
        if case["class"] == CLASS:
            depth = await self._depth(case) or 0.0
            image = picture(depth, f"{caption}  {depth:.1f} cm", pump=verb == "feedback")
        else:
            image = street(littered=verb == "handle", caption=caption)
        return await self.city.evidence(self.seat, f"{verb}.jpg", image)


CREWED = frozenset({"dept-drainage", "dept-sanitation"})
"""The departments that have a crew in the streets: their officer at the desk leaves the streets' cases to it."""


@dataclass(slots=True)
class Officer(Robot):
    """A department's officer: does what lies in no one street, such as a district's sign, and, where there is no crew, the rest."""

    def ripe(self, case: Item, since: float) -> bool:
        """Tell whether a case is the desk's to do, and due."""
        in_a_street = int(case["area"]) // 10**6 % 1000 > 0
        return not (case["unit"] in CREWED and in_a_street and not case.get("helpers")) and Robot.ripe(self, case, since)


@dataclass(slots=True)
class Acceptor(Robot):
    """The acceptor also reviews leads: what is linked to a filed one is a duplicate, the rest is confirmed. Between the storms they answer and call back."""

    looked: float = 0.0

    async def turn(self) -> bool:
        """Review one lead, else work on a case."""
        page = await self.city.get(self.seat, "/api/leads", state="open")
        leads = sorted((page or {}).get("items", []), key=lambda lead: lead["id"] != self.story.lead)
        waiting = {lead["id"] for lead in leads}
        for lead in leads:
            since = self.seen.setdefault((lead["id"], "lead", 0), self.clock())
            if self.taken or not self._lead_ripe(lead, since):
                continue
            of = self._first(lead, waiting)
            done = await self.city.post(self.seat, f"/api/leads/{lead['id']}/{'duplicate' if of else 'confirm'}", {"of": of} if of else {})
            if done is not None:
                return True
        return await Robot.turn(self) or await self._voices()

    async def _voices(self) -> bool:
        """Answer one of those whose case is over, or call back one who was answered."""
        now = self.clock()
        if self.taken or self.story.active(now) or now - self.looked < CALM:
            return False
        self.looked = now
        for waits, verb, body in (("accept", "answer", {"answer": NOTES["answer"]}), ("call", "call_back", {"result": "solved", "satisfied": 4})):
            page = await self.city.get(self.seat, "/api/requests", waits=waits, limit=50)
            for row in (page or {}).get("items", []):
                since = self.seen.setdefault((row["id"], waits, row["version"]), now)
                over = verb == "call_back" or row["case_step"] == "closed"
                if over and not self.taken and now - since >= PATIENCE[verb]:
                    return await self.city.post(self.seat, f"/api/requests/{row['id']}/{verb}", body) is not None
        return False

    def _forget(self, current: set[tuple[str, str, int]]) -> None:
        self.seen = {key: since for key, since in self.seen.items() if key in current or (key[1] in {"lead", "accept", "call"} and self.clock() - since < 3600)}  # noqa: PLR2004 (an hour)

    def _lead_ripe(self, lead: Item, since: float) -> bool:
        now = self.clock()
        if lead["id"] == self.story.lead or (self.story.active(now) and lead.get("finding") and lead.get("area") == self.story.area):
            heard = self.story.reported >= 3 or now - since >= PATIENCE["confirm"]  # noqa: PLR2004 (three voices)
            return lead["id"] == self.story.lead and heard and self.story.after("confirm", now)
        return now - since >= PATIENCE["confirm"]

    def _first(self, lead: Item, waiting: set[str]) -> str | None:
        """Return the lead that this one repeats, if that has been filed or is the story's."""
        linked = [link["lead"] for link in lead.get("links", []) if link.get("lead") and link["lead"] != lead["id"]]
        return next((other for other in linked if other not in waiting or other == self.story.lead), None)


@dataclass(frozen=True, slots=True)
class Voice:
    """What a citizen says, and the class of thing it is."""

    text: str
    class_: str
    unit: str


STORM_VOICES = (
    "下穿通道里积水很深，有车熄火了。（模拟）",
    "桥下积水，电动车过不去，请尽快抽水。（模拟）",
    "路过看到通道里的水已经没过路缘，水还在涨。（模拟）",
)
ORDINARY = (
    Voice("人行道旁有一堆垃圾没人清。（模拟）", "hotline.garbage", "dept-sanitation"),
    Voice("雨水口被落叶堵住了。（模拟）", "drainage.blocked", "dept-drainage"),
    Voice("路面很脏，有撒漏的渣土。（模拟）", "hotline.dirty_road", "dept-sanitation"),
    Voice("井盖响，像是松了。（模拟）", "drainage.manhole", "dept-drainage"),
    Voice("公交站旁的垃圾桶满了。（模拟）", "hotline.garbage", "dept-sanitation"),
)


@dataclass(slots=True)
class Citizens:
    """Citizens who report the storm's water, and now and then something ordinary. `places`: (lon, lat) they may speak of."""

    seats: tuple[str, ...]
    city: City
    story: Story
    clock: Clock
    places: list[tuple[float, float]]
    units: set[str]
    taken: bool = False
    said: int = 0
    next_ordinary: float = 0.0

    async def run(self) -> None:
        """Speak, but while a visitor has the seat."""
        while True:
            if not self.taken:
                await self.turn()
            await asyncio.sleep(PACE if self.story.active(self.clock()) else LEISURE)

    async def turn(self) -> None:
        """Say at most one thing."""
        now = self.clock()
        if self.story.active(now):
            if self.story.reported < len(STORM_VOICES) and self._moved(now):
                await self._report_water(now)
        elif now >= self.next_ordinary and self.places and self.seats:
            await self._report_ordinary(now)

    def _moved(self, now: float) -> bool:
        """Tell whether it is time for the next voice: after the finding, or in any case a little later."""
        due = self.story.after("report", now - 3.0 * self.story.reported)
        return due and (self.story.finding is not None or self.story.after("report", now - 18))

    async def _report_water(self, now: float) -> None:
        number, fleet, site = self.story.reported, self.story.fleet, self.story.site
        lon, lat = float(fleet.sensors.lon[site]), float(fleet.sensors.lat[site])
        body = {"text": STORM_VOICES[number], "lon": lon + (number - 1) * 0.0001, "lat": lat + (number % 2) * 0.0001, "class": CLASS}
        if await self.city.post(self.seats[number % len(self.seats)], "/api/requests", body) is not None:
            self.story.reported += 1
            if self.story.reported == len(STORM_VOICES):
                self.story.voices(now)

    async def _report_ordinary(self, now: float) -> None:
        voices = [voice for voice in ORDINARY if voice.unit in self.units] or [ORDINARY[1]]
        voice = voices[self.said % len(voices)]
        lon, lat = self.places[self.said * 7919 % len(self.places)]
        await self.city.post(self.seats[self.said % len(self.seats)], "/api/requests", {"text": voice.text, "lon": lon, "lat": lat, "class": voice.class_})
        self.said += 1
        self.next_ordinary = now + (4.0 if self.said < 4 else 170.0 + self.said * 37 % 90)  # noqa: PLR2004 (a few at once, so that desks are not empty)


def crew(city: City, story: Story, clock: Clock, seats: Iterable[str]) -> dict[str, Robot]:
    """Return the staff for the seats there are."""
    rows: dict[str, tuple[type[Robot], tuple[str, ...], tuple[str, ...]]] = {
        "acceptor": (Acceptor, ("collect", "file", "check"), ("verify", "file", "close")),
        "dispatcher": (Robot, ("dispatch",), ("dispatch",)),
        "handler": (Robot, ("handle", "feedback"), ("take", "handle", "feedback")),
        "crew": (Robot, ("handle", "feedback"), ("take", "handle", "feedback")),
        "checker": (Robot, ("check",), ("check_pass",)),
    }
    office = (Officer, ("handle", "feedback"), ("take", "handle", "feedback"))
    rows |= dict.fromkeys(("drainage-office", "traffic-office", "environment-office", "emergency-office", "sensing-centre"), office)
    return {seat: kind(seat, city, story, clock, steps, verbs) for seat, (kind, steps, verbs) in rows.items() if seat in set(seats)}
