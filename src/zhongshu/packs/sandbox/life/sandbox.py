"""The door of the sandbox's life: it wakes devices, offices, simulated staff and citizens, tells the story, and lets visitors take seats.

It lives beside the city's own process or in it, but knows it only by address and tokens; it must never reach into a stage.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import httpx

from zhongshu.packs.sandbox.life.city import City
from zhongshu.packs.sandbox.life.devices import Fleet
from zhongshu.packs.sandbox.life.offices import office_readings
from zhongshu.packs.sandbox.life.robots import Citizens, Robot, crew
from zhongshu.packs.sandbox.life.sensing import Engines
from zhongshu.packs.sandbox.life.story import Story


@dataclass(frozen=True, slots=True)
class Seat:
    """A seat of the sandbox: the role its account has, the unit it belongs to, or the source it may write; `shown`: a visitor may take it."""

    name: str
    zh: str
    en: str
    role: str
    unit: str = ""
    source: str = ""
    shown: bool = False


SEATS = (
    Seat("devices", "感知设备（模拟）", "Devices (simulated)", "source_writer", source="sandbox.devices"),
    Seat("offices", "气象台与话务平台（模拟）", "Weather office and call centre (simulated)", "source_writer", source="sandbox.offices"),
    Seat("acceptor", "受理员", "Acceptor", "acceptor", shown=True),
    Seat("dispatcher", "派遣员", "Dispatcher", "dispatcher", shown=True),
    Seat("handler", "处置员（排水处）", "Handler (drainage office)", "handler", unit="dept-drainage", shown=True),
    Seat("handler-2", "处置员（排水处二班）", "Handler (drainage office, second crew)", "handler", unit="dept-drainage"),
    Seat("crew", "处置员（环卫处）", "Handler (sanitation office)", "handler", unit="dept-sanitation"),
    Seat("drainage-office", "部门经办人（排水处）", "Department officer (drainage office)", "department", unit="dept-drainage"),
    Seat("traffic-office", "部门经办人（交通管理处）", "Department officer (traffic office)", "department", unit="dept-traffic"),
    Seat("environment-office", "部门经办人（环境监测处）", "Department officer (environment office)", "department", unit="dept-environment"),
    Seat("emergency-office", "部门经办人（应急处）", "Department officer (emergency office)", "department", unit="dept-emergency"),
    Seat("sensing-centre", "部门经办人（感知设施中心）", "Department officer (sensing centre)", "department", unit="dept-iot"),
    Seat("checker", "核查员", "Checker", "checker", shown=True),
    Seat("citizen", "市民", "Citizen", "citizen", shown=True),
    Seat("citizen-2", "市民（二）", "Second citizen", "citizen"),
    Seat("citizen-3", "市民（三）", "Third citizen", "citizen"),
)
TYPES = (
    "AirQualityStation",
    "WeatherStation",
    "RainGauge",
    "WaterLevelSensor",
    "PumpStation",
    "TrafficDetector",
    "NoiseMonitor",
    "ParkingLot",
    "StreetLight",
    "TrashBin",
    "ManholeCover",
    "Camera",
    "BusStop",
)
LENT = 600.0
"""Seconds a visitor keeps a seat at least."""
_ZEROS = (11, 9, 6, 3, 0)


class Sandbox:
    """The sandbox's life in one city. `tokens`: seat → bearer token; a seat without one stays empty. `city`: what /api/city says."""

    def __init__(
        self,
        base_url: str,
        tokens: dict[str, str],
        city: dict[str, Any],
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
        engines: Engines | None = None,
    ) -> None:
        """Take the city's address and the seats' tokens. `city` may hold `accounts`: seat → account, to be shown; `engines`: what runs the networks that devices stand in."""
        self._engines = engines
        self._base_url, self._tokens, self._about, self._transport, self._clock = base_url, dict(tokens), city, transport, clock
        self._zone = str(city.get("time_zone", "Asia/Shanghai"))
        self._story = Story(Fleet.of([], self._zone))
        self._robots: dict[str, Robot | Citizens] = {}
        self._areas: dict[str, list[str]] = {}
        self._accounts: dict[str, str] = dict(city.get("accounts", {}))
        self._entities: list[dict[str, Any]] = []
        self._units: set[str] = set()
        self._taken: dict[str, float] = {}
        self._tellings = 0
        self._wanted = False
        self._running = True
        self.sent = 0

    async def run(self) -> None:
        """Live until `stop`: meet the city, then let everything run side by side."""
        async with httpx.AsyncClient(base_url=self._base_url, transport=self._transport, timeout=20, trust_env=False) as http:
            city = City(http, self._tokens)
            while self._running and not await self._meet(city):  # noqa: ASYNC110 (the city may not be up yet)
                await asyncio.sleep(1)
            self._people(city)
            jobs: list[Coroutine[Any, Any, None]] = [
                self._devices(city),
                self._offices(city),
                self._tell(city),
                self._obey(city),
                *(robot.run() for robot in self._robots.values()),
            ]
            tasks = [asyncio.create_task(job) for job in jobs]
            try:
                while self._running:  # noqa: ASYNC110 (stop may be called from any thread)
                    await asyncio.sleep(0.2)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self) -> None:
        """Let everything end within the second."""
        self._running = False

    def start_story(self) -> dict[str, Any]:
        """Begin the storm's story, unless one is under way; return it as the page shows it."""
        if not self._story.active(self._clock()):
            self._wanted = True
            self._begin()
        return self.story()

    def story(self) -> dict[str, Any]:
        """Return the story as the page shows it."""
        seats = [
            {"seat": s.name, "zh": s.zh, "en": s.en, "account": self._accounts.get(s.name), "taken_by_robot": s.name in self._tokens and s.name not in self._taken}
            for s in SEATS
            if s.shown
        ]
        document = self._story.document(self._clock())
        return document | {"started": document["started"] or self._wanted, "seats": seats}

    def take_seat(self, seat: str) -> None:
        """Let a visitor have a seat: its robot stops before its next act, and comes back with a storm after `LENT` seconds."""
        self._taken[seat] = self._clock()
        if seat in self._robots:
            self._robots[seat].taken = True

    async def _meet(self, city: City) -> bool:
        """Learn who sits where, and what stands in the city."""
        for seat in self._tokens:
            session = await city.get(seat, "/api/session")
            principal = (session or {}).get("principal") or {}
            self._accounts.setdefault(seat, str(principal.get("account") or principal.get("name") or principal.get("id") or ""))
            self._areas[seat] = [str(role["area"]) for role in principal.get("roles", []) if role.get("area")]
            if seat in {"handler", "crew"} and principal.get("unit"):
                self._units.add(str(principal["unit"]))
        reader, entities = self._reader(), list[dict[str, Any]]()
        for kind in TYPES:
            entities += await city.all(reader, "/api/entities", type=kind, limit=500)
        if not entities:
            return False
        self._entities, self._story.fleet = entities, Fleet.of(entities, self._zone)
        self._story.fleet.engines = self._engines
        return True

    def _reader(self) -> str:
        """Return the staff's seat that sees most of the city."""
        staff = [seat for seat in ("acceptor", "dispatcher", "checker", "handler") if seat in self._tokens]
        return max(staff, key=lambda seat: max((_width(area) for area in self._areas.get(seat, [])), default=12), default="")

    def _people(self, city: City) -> None:
        staff = crew(city, self._story, self._clock, self._tokens)
        citizens = tuple(s.name for s in SEATS if s.role == "citizen" and s.name in self._tokens)
        places = [(e["lon"], e["lat"]) for e in self._entities if e["type"] in {"TrashBin", "StreetLight", "BusStop"} and e.get("lon") is not None and self._reachable(e)]
        people = {"citizen": Citizens(citizens, city, self._story, self._clock, places, self._units)} if citizens else {}
        self._robots = {**staff, **people}
        for seat in self._taken.keys() & self._robots.keys():
            self._robots[seat].taken = True
        if self._wanted:
            self._begin()

    def _reachable(self, entity: dict[str, Any]) -> bool:
        """Tell whether the crew and the checker may work where an entity stands."""
        return all(_covers(self._areas.get(seat, []), str(entity["area"])) for seat in ("handler", "checker") if seat in self._tokens)

    def _begin(self) -> None:
        """Choose an underpass the crew can reach, another one each time, and start the story there."""
        self._return_seats()
        fleet = self._story.fleet
        by_id = {e["id"]: e for e in self._entities}
        sites = list(range(len(fleet.sensors)))
        near = [i for i in sites if self._reachable(by_id[fleet.sensors.ids[i]]) and fleet.basins.depth_cm[i] < 1] or sites
        if near:
            site = near[self._tellings % len(near)]
            self._story.start(self._clock(), site, str(by_id[fleet.sensors.ids[site]]["area"]))
            self._tellings += 1
            self._wanted = False

    def _return_seats(self) -> None:
        """Give seats that visitors took long ago back to their robots, so that the next storm is not left alone."""
        for seat in [seat for seat, since in self._taken.items() if self._clock() - since >= LENT]:
            del self._taken[seat]
            if seat in self._robots:
                self._robots[seat].taken = False

    async def _devices(self, city: City) -> None:
        """Send every second what devices say; the first time all of them speak."""
        last, boot, first = int(self._clock()) - 1, int(self._clock()), True
        while True:
            now = int(self._clock())
            if now > last:
                self._story.weather(float(now))
                rows = self._story.fleet.readings(now, everyone=first)
                for part, start in enumerate(range(0, len(rows), 20_000)):
                    batch = rows[start : start + 20_000]
                    if await city.readings("devices", "sandbox.devices", f"{boot}-{now}-{part}", batch) is not None:
                        self.sent += len(batch)
                        first = False
                last = now
            await asyncio.sleep(max(0.05, last + 1 - self._clock()))

    async def _offices(self, city: City) -> None:
        """Send every ten seconds what the weather office and the call centre say."""
        while "offices" in self._tokens:
            now = int(self._clock())
            await city.readings("offices", "sandbox.offices", f"offices-{now}", office_readings(now, self._story.fleet.storm))
            await asyncio.sleep(10)

    async def _obey(self, city: City) -> None:
        """Ask the city every five seconds which devices are to speak more often, and let them."""
        reader = self._reader()
        while True:
            modes = await city.get(reader, "/api/modes")
            if modes is not None:
                asked: dict[str, list[tuple[int, int, int]]] = {}
                for row in modes["sampling"]:
                    asked.setdefault(row["type"], []).extend((max(1, row["every_s"] or 1), int(area), int(area) + 10 ** _width(area)) for area in row["areas"])
                self._story.fleet.asked = asked
            await asyncio.sleep(5)

    async def _tell(self, city: City) -> None:
        """Ask the city every second how the story goes."""
        reader = self._reader()
        while True:
            await self._story.follow(city, reader, self._clock())
            await asyncio.sleep(1)


def stages(entities: list[dict[str, Any]]) -> list[str]:
    """Return the streets (15 digits) where the story can play, best first: those with underpasses that have a sensor and a pump."""
    pumped = {(e.get("facets") or {}).get("underpass") for e in entities if e["type"] == "PumpStation"} - {None, ""}
    found: dict[str, int] = {}
    for e in entities:
        facets = e.get("facets") or {}
        if e["type"] == "WaterLevelSensor" and facets.get("kind") == "underpass" and e.get("lon") is not None:
            street = f"{int(e['area']) // 10**6 * 10**6:015d}"
            found[street] = found.get(street, 0) + (2 if facets.get("underpass") in pumped else 1)
    return sorted(found, key=lambda street: (-found[street], street))


def _width(area: str) -> int:
    """Return how many zeros an area ends with: the more, the wider; 000000000000000 is everywhere."""
    return next((z for z in _ZEROS if int(area) % 10**z == 0), 0)


def _covers(areas: list[str], code: str) -> bool:
    """Tell whether a 15-digit area lies in any of some areas; no area known means everywhere."""
    return not areas or any(int(area) == 0 or int(code) // 10 ** _width(area) == int(area) // 10 ** _width(area) for area in areas)
