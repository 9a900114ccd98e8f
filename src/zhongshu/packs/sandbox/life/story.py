"""The three minutes of a storm, told from what really happened: eight steps whose times and links are read back from the city.

It decides when rain begins and, once the crew has acted on site, that the pump runs; everything else it only asks. Knows no robot.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from zhongshu.packs.sandbox.life.city import City
from zhongshu.packs.sandbox.life.devices import Fleet
from zhongshu.packs.sandbox.life.weather import Storm

SIGN = "DR02"
CLASS = "drainage.ponding"
RAIN_AFTER = 20.0
CUES = {"report": 57.0, "confirm": 66.0, "dispatch": 80.0, "take": 98.0, "handle": 106.0, "feedback": 130.0, "check_pass": 150.0, "close": 160.0}
"""Seconds after the first page opened before which a simulated person leaves the story's own case alone."""
PUMP_AFTER = 3.0
GIVE_UP = 900.0
DRY_CM = 10.0

STEPS = {
    "rain": ("雨来了", "Rain moves in"),
    "rising": ("通道积水越线", "The underpass fills"),
    "finding": ("发出告警", "A finding opens"),
    "voices": ("三人上报并入", "Three reports join"),
    "dispatch": ("按目录派遣", "Dispatched by the catalogue"),
    "take": ("接单到场", "The crew takes it"),
    "falling": ("抽排水退", "Pumped, the water falls"),
    "closed": ("核查结案", "Checked and closed"),
}
_PHONE = {"take": "taken", "handle": "handled", "feedback": "feedback", "check_pass": "checked", "close": "closed"}


@dataclass(slots=True)
class Story:
    """One telling. `site`: which underpass; `started`: when the first page opened (s since 1970), None before."""

    fleet: Fleet
    started: float | None = None
    site: int = 0
    area: str = ""
    steps: dict[str, dict[str, str | None]] = field(default_factory=dict)
    finding: str | None = None
    lead: str | None = None
    case: str | None = None
    handled: float | None = None
    reported: int = 0
    phone: dict[str, str | None] | None = None
    raining: bool = False
    peak_cm: float = 0.0

    def start(self, now: float, site: int, area: str) -> None:
        """Begin at the city's underpass `site`, in the cell `area` (15 digits)."""
        self.started, self.site, self.area = now, site, area
        self.steps = {key: {"at": None, "link": None} for key in STEPS}
        self.finding = self.lead = self.case = self.handled = self.phone = None
        self.reported, self.raining, self.peak_cm = 0, False, 0.0

    def active(self, now: float) -> bool:
        """Tell whether it has begun and is not over."""
        return self.started is not None and self.steps["closed"]["at"] is None and now - self.started < GIVE_UP

    def after(self, cue: str, now: float) -> bool:
        """Tell whether a cue has come."""
        return self.started is None or now - self.started >= CUES.get(cue, 0.0)

    @property
    def phase(self) -> str:
        """Return the last step that has happened, `calm` before the first."""
        return next((key for key in reversed(STEPS) if self.steps.get(key, {}).get("at")), "calm")

    def weather(self, now: float) -> None:
        """Let the rain begin when its time has come, and the pump run once the crew has acted (or, in the end, by itself)."""
        if self.started is None:
            return
        if not self.raining and now - self.started >= RAIN_AFTER:
            lon, lat = float(self.fleet.sensors.lon[self.site]), float(self.fleet.sensors.lat[self.site])
            self.fleet.begin(Storm(now, (lon, lat)), self.site)
            self.raining = True
            self._mark("rain", now, "/screen?theme=drainage")
        depth = float(self.fleet.basins.depth_cm[self.site])
        self.peak_cm = max(self.peak_cm, depth)
        pumped = (self.handled is not None and now - self.handled >= PUMP_AFTER) or now - self.started >= GIVE_UP
        if self.raining and pumped:
            if not self.fleet.basins.automatic[self.site]:
                self.fleet.basins.start(self.site)
            if depth < DRY_CM < self.peak_cm:
                self._mark("falling", now, f"/vital/{SIGN}/{self.area}")

    async def follow(self, city: City, reader: str, now: float) -> None:
        """Ask the city what has happened by now."""
        if not self.raining or not self.active(now):
            return
        if self.steps["rising"]["at"] is None:
            await self._look_at_sign(city, reader, now)
        if self.case is None:
            await self._look_for_case(city, reader)
        if self.case is not None:
            await self._look_at_case(city, reader, now)

    async def _look_at_sign(self, city: City, reader: str, now: float) -> None:
        page = await city.get(reader, "/api/vitals", area=self.area, indicator=SIGN)
        if any(item["level"] in {"yellow", "orange", "red"} for item in (page or {}).get("items", [])):
            self._mark("rising", now, f"/vital/{SIGN}/{self.area}")

    async def _look_for_case(self, city: City, reader: str) -> None:
        page = await city.get(reader, "/api/findings", state="open", area=self.area)
        for found in (page or {}).get("items", []):
            if found["indicator"] == SIGN and _seconds(found["opened"]) >= (self.started or 0):
                self.finding, self.lead, self.case = found["id"], found.get("lead") or self.lead, found.get("case")
                self._mark("finding", _seconds(found["opened"]), f"/vital/{SIGN}/{found['area']}?finding={found['id']}")
        if self.finding is None:
            return
        page = await city.get(reader, "/api/leads", state="")
        for lead in (page or {}).get("items", []):
            if lead.get("finding") == self.finding:
                self.lead, self.case = lead["id"], lead.get("case") or self.case

    async def _look_at_case(self, city: City, reader: str, now: float) -> None:
        case = await city.get(reader, f"/api/cases/{self.case}")
        if case is None:
            return
        link, state, photo = f"/desk/case/{self.case}", "sent", None
        for done in case["history"]:
            verb, at = done["verb"], _seconds(done["at"])
            state = _PHONE.get(verb, state)
            photo = next((e["url"] for e in reversed(done.get("evidence") or [])), photo)
            if verb == "dispatch":
                self._mark("dispatch", at, link)
                self.phone = {"case": self.case, "state": "sent", "photo": None}
            elif verb == "take":
                self._mark("take", at, f"/field/task/{self.case}")
            elif verb == "handle" and self.handled is None:
                self.handled = now
            elif verb == "close":
                self._mark("closed", at, link)
        if self.phone is not None:
            self.phone = {"case": self.case, "state": state, "photo": photo}

    def voices(self, now: float) -> None:
        """Note that the third citizen has been heard."""
        self._mark("voices", now, f"/desk/queue?lead={self.lead}" if self.lead else "/desk/queue")

    def _mark(self, step: str, at: float, link: str) -> None:
        if self.steps[step]["at"] is None:
            self.steps[step] = {"at": _rfc3339(at), "link": link}

    def document(self, now: float) -> dict[str, Any]:
        """Return the story as the page shows it, but for the seats."""
        storm = self.fleet.storm
        rain = None
        if storm is not None and storm.raining(now):
            path = [[round(lon, 6), round(lat, 6)] for lon, lat in storm.path()]
            lon, lat = storm.centre(now)
            rain = {"centre": [round(lon, 6), round(lat, 6)], "radius_m": storm.radius_m, "mm_h": storm.peak_mm_h, "path": path}
        steps = [{"key": key, "zh": zh, "en": en, **self.steps.get(key, {"at": None, "link": None})} for key, (zh, en) in STEPS.items()]
        began = None if self.started is None else _rfc3339(self.started)
        return {"started": self.started is not None, "started_at": began, "phase": self.phase, "steps": steps, "rain": rain, "phone": self.phone}


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
