"""What every device of the sandbox city says, second by second: rows of signals over arrays of devices, the same for the same second.

Knows entities as the API gives them and the weather and water around them; knows no network, no case and no story.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from zhongshu.packs.sandbox.life import signals
from zhongshu.packs.sandbox.life.sensing import Engines, Senses, States
from zhongshu.packs.sandbox.life.signals import Group, Sky
from zhongshu.packs.sandbox.life.water import GATHERED, Basins, Wetness
from zhongshu.packs.sandbox.life.weather import Numbers, Storm

Reading = dict[str, Any]
Signal = Callable[[Group, Sky], Numbers]

MAX_PER_SECOND = 1500
"""Readings a second on an ordinary day; slow feeds are stretched to keep below."""
SILENT_PER_MILLE = 6
"""How many of a thousand ordinary devices are out of order."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One property (`name`) of one type of device: how often it is said (s) and what it says; `kind` picks water level sensors."""

    name: str
    rhythm: int
    signal: Signal
    kind: str = ""
    fixed: bool = False

    @property
    def type(self) -> str:
        """Return the type of its devices."""
        return self.name.partition(".")[0]


CHANNELS = (
    Channel("AirQualityStation.pm25", 10, signals.pm25),
    Channel("AirQualityStation.pm10", 10, signals.pm10),
    Channel("AirQualityStation.so2", 10, signals.so2),
    Channel("AirQualityStation.no2", 10, signals.no2),
    Channel("AirQualityStation.co", 10, signals.co),
    Channel("AirQualityStation.o3", 10, signals.o3),
    Channel("WeatherStation.temperature", 10, signals.temperature),
    Channel("WeatherStation.humidity", 10, signals.humidity),
    Channel("WeatherStation.pressure", 30, signals.pressure),
    Channel("WeatherStation.wind_speed", 10, signals.wind_speed),
    Channel("WeatherStation.wind_direction", 10, signals.wind_direction),
    Channel("NoiseMonitor.leq", 10, signals.noise),
    Channel("NoiseMonitor.leq_day", 10, signals.noise_by_day),
    Channel("NoiseMonitor.leq_night", 10, signals.noise_by_night),
    Channel("WaterLevelSensor.level", 10, signals.river_level, "river", fixed=True),
    Channel("WaterLevelSensor.below_warning", 10, signals.river_below_warning, "river", fixed=True),
    Channel("WaterLevelSensor.fill", 20, signals.pipe_fill, "manhole"),
    Channel("WaterLevelSensor.heartbeat", 30, signals.one),
    Channel("ManholeCover.open", 120, signals.zero),
    Channel("ManholeCover.heartbeat", 120, signals.one),
    Channel("TrafficDetector.speed", 10, signals.speed),
    Channel("TrafficDetector.flow", 20, signals.flow),
    Channel("ParkingLot.free", 60, signals.free_places),
    Channel("BusStop.next_bus", 60, signals.next_bus),
    Channel("StreetLight.power", 120, signals.light_power),
    Channel("TrashBin.fill", 120, signals.bin_fill),
    Channel("Camera.online", 120, signals.one),
)


@dataclass(slots=True)
class Fleet:
    """All devices of the city, its underpasses and its weather. `zone`: the city's time zone; times are seconds since 1970."""

    zone: ZoneInfo
    groups: dict[tuple[str, str], Group]
    gauges: Group
    sensors: Group
    pumps: Group
    basins: Basins
    sites: list[str]
    minute: Numbers
    storm: Storm | None = None
    wetness: Wetness = field(default_factory=Wetness)
    second: int = 0
    stretch: int = 1
    asked: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    """Types of which the city asks to speak more often: (every so many seconds, from this area on, up to that)."""
    engines: Engines | None = None
    """What runs the networks that devices stand in; None: they know by themselves."""
    senses: Senses = field(default_factory=Senses)
    stage: int = -1
    """The underpass where a story plays: there the story's own water stands."""

    @classmethod
    def of(cls, entities: Iterable[dict[str, Any]], zone: str) -> "Fleet":
        """Make the fleet from entities in the API's shape; those without a place or of other types say nothing."""
        by_type: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for entity in entities:
            if entity.get("lon") is not None:
                by_type[entity["type"]].append(entity)
        water = by_type["WaterLevelSensor"]
        sensors = [e for e in water if _facet(e, "kind") == "underpass"]
        sites = [_facet(e, "underpass") or e["id"] for e in sensors]
        groups: dict[tuple[str, str], Group] = {}
        for channel in CHANNELS:
            chosen = [e for e in by_type[channel.type] if not channel.kind or _facet(e, "kind") == channel.kind]
            key = (channel.type, channel.kind)
            groups[key] = groups.get(key) or group(chosen, silent=0 if channel.type == "WaterLevelSensor" else SILENT_PER_MILLE)
        pumps = group(by_type["PumpStation"])
        capacity = {str(p.get("underpass", "")): float(p.get("capacity_m3h") or 1800) for p in pumps.facets}
        basins = Basins(np.array([capacity.get(site, 1800.0) for site in sites]), np.full(len(sites), GATHERED / 2))
        fleet = cls(ZoneInfo(zone), groups, group(by_type["RainGauge"]), group(sensors), pumps, basins, sites, np.zeros(len(by_type["RainGauge"])))
        load = sum(len(groups[c.type, c.kind]) / c.rhythm for c in CHANNELS)
        fleet.stretch = max(1, math.ceil(load / MAX_PER_SECOND))
        return fleet

    def begin(self, storm: Storm, site: int) -> None:
        """Let a storm come, whose worst place is an underpass with bad gullies and a pump that does not start."""
        self.storm = storm
        self.basins.gathered[:] = GATHERED / 2
        self.basins.gathered[site] = GATHERED
        self.stage = site
        self.basins.fail(site)

    def step(self, now: int) -> Sky:
        """Let weather and water go on to a second (at most 5 s at once), and return the sky over it."""
        seconds = min(max(now - self.second, 0), 5) if self.second else 1
        self.second = now
        rain = self.rain(self.gauges, now)
        mean = float(rain.mean()) if len(rain) else 0.0
        self.wetness.step(seconds, mean)
        self.basins.step(seconds, self.rain(self.sensors, now))
        self.gauges.store += rain * seconds / 3600
        self.minute += rain * seconds / 3600
        local = datetime.fromtimestamp(now, self.zone)
        return Sky(now, local.hour + local.minute / 60 + local.second / 3600, local.timetuple().tm_yday, self.wetness.value, mean)

    def rain(self, at: Group, now: int) -> Numbers:
        """Return the rain over devices in mm/h."""
        return np.zeros(len(at)) if self.storm is None else self.storm.intensity(at.lon, at.lat, now)

    def readings(self, now: int, *, everyone: bool = False) -> list[Reading]:
        """Go on to a second and return what is said in it; `everyone` says it, whose turn or not."""
        sky = self.step(now)
        states = self._states(now)
        out = list(self._water(sky, states, everyone=everyone))
        for channel in CHANNELS:
            devices = self.groups[channel.type, channel.kind]
            rhythm = channel.rhythm if channel.fixed else channel.rhythm * self.stretch
            turn = np.flatnonzero(devices.alive & (everyone | self._turn(channel.type, devices, now, rhythm)))
            if len(turn) and channel.name in states:
                out += _rows(devices.ids[turn], channel.name, self.senses.over(channel.name, devices, channel.signal(devices, sky), states, sky)[turn], now)
            elif len(turn):
                some = devices.take(turn)
                out += _rows(some.ids, channel.name, channel.signal(some, sky), now)
        return out

    def _states(self, now: int) -> States:
        """Tell the engines of the rain, and return what devices stand in."""
        if self.engines is None:
            return {}
        self.engines.hear(dict(zip(self.gauges.ids.tolist(), self.rain(self.gauges, now).tolist(), strict=True)))
        return self.engines.states(now)

    def _water(self, sky: Sky, states: States, *, everyone: bool) -> Iterator[Reading]:
        """Yield rain, underpasses and pumps, which have a memory and go faster while it rains."""
        wet = self.storm is not None and self.storm.raining(sky.now)
        turn = np.flatnonzero(everyone | self._turn("RainGauge", self.gauges, sky.now, 5 if wet else 20))
        tips = np.floor(self.gauges.store[turn] / 0.1 + 1e-9) * 0.1
        self.gauges.store[turn] -= tips
        yield from _rows(self.gauges.ids[turn], "RainGauge.rain", tips, sky.now)
        yield from _rows(self.gauges.ids[turn], "RainGauge.intensity", self.rain(self.gauges, sky.now)[turn], sky.now)
        if sky.now % 60 == 0:
            yield from _rows(self.gauges.ids, "RainGauge.rain_1m", self.minute, sky.now)
            self.minute = np.zeros(len(self.gauges))
        depth = self.basins.depth_cm
        if "WaterLevelSensor.depth" in states:
            felt = self.senses.over("WaterLevelSensor.depth", self.sensors, depth, states, sky)
            depth = np.where(np.arange(len(depth)) == self.stage, depth, felt)
        turn = np.flatnonzero(everyone | (depth > 1) | self._turn("WaterLevelSensor", self.sensors, sky.now, 10))
        yield from _rows(self.sensors.ids[turn], "WaterLevelSensor.depth", depth[turn], sky.now)
        yield from self._pumps(sky.now, 2 if wet else 20, everyone=everyone)

    def _turn(self, type_: str, devices: Group, now: int, rhythm: int) -> npt.NDArray[np.bool_]:
        """Tell whose turn it is to speak: by their rhythm, and as often as the city asks."""
        turn: npt.NDArray[np.bool_] = (devices.phase + now) % rhythm == 0
        for every, low, high in self.asked.get(type_, ()):
            turn |= (devices.areas >= low) & (devices.areas < high) & ((devices.phase + now) % every == 0)
        return turn

    def _pumps(self, now: int, rhythm: int, *, everyone: bool) -> Iterator[Reading]:
        place = {site: i for i, site in enumerate(self.sites)}
        at = np.array([place.get(str(f.get("underpass", "")), -1) for f in self.pumps.facets], np.int64)
        running, discharge = np.append(self.basins.running, False)[at], np.append(self.basins.discharge, 0.0)[at]
        turn = np.flatnonzero(everyone | ((self.pumps.phase + now) % rhythm == 0))
        for prop, values in (("running", running), ("ready", np.ones(len(at))), ("discharge", discharge)):
            yield from _rows(self.pumps.ids[turn], f"PumpStation.{prop}", np.asarray(values, np.float64)[turn], now)


def group(entities: list[dict[str, Any]], silent: int = 0) -> Group:
    """Make a group of devices; `silent` of a thousand, the same ones always, are out of order."""
    ids = np.array([e["id"] for e in entities], object)
    seeds = np.array([_seed(e["id"]) for e in entities], np.uint64)
    return Group(
        ids,
        seeds,
        np.array([e["lon"] for e in entities], np.float64),
        np.array([e["lat"] for e in entities], np.float64),
        np.array([int(e.get("area") or 0) for e in entities], np.int64),
        [e.get("facets") or {} for e in entities],
        (seeds % np.uint64(86_400)).astype(np.int64),
        seeds // np.uint64(7) % np.uint64(1000) >= silent,
        np.zeros(len(entities)),
    )


def _seed(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())


def _facet(entity: dict[str, Any], name: str) -> str:
    return str((entity.get("facets") or {}).get(name, ""))


def _rows(ids: Iterable[str], prop: str, values: Numbers, now: int) -> list[Reading]:
    return [{"entity": i, "property": prop, "time": now * 1000, "value": round(v, 3)} for i, v in zip(ids, values.tolist(), strict=True) if v == v]  # noqa: PLR0124 (NaN says nothing)
