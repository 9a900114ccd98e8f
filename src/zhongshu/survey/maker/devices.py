"""The fixed devices of a made city, as many as its people need: what measures air, rain, water, traffic and noise, and the street's furniture.

It must never know what a device will say.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely

from zhongshu.kernel.area import Level
from zhongshu.survey.maker.land import NOISE_ZONE, PARK, Ints, Land
from zhongshu.survey.maker.names import RIVER, Word
from zhongshu.survey.maker.plan import ARTERIAL, CLASSES, COLLECTOR, EXPRESSWAY, LOCAL, Plan
from zhongshu.survey.maker.plane import Floats
from zhongshu.survey.maker.roads import FREE_KMH, Link, Roads
from zhongshu.survey.maker.things import Facets, Naming, Things, metres

PER_300_000 = {
    "StreetLight": 1000,
    "TrashBin": 500,
    "ManholeCover": 600,
    "Camera": 400,
    "BusStop": 320,
    "ParkingLot": 180,
    "NoiseMonitor": 60,
    "WaterLevelSensor manhole": 130,
    "WaterLevelSensor river": 10,
    "WeatherStation": 8,
}
WARNING_CM = {"underpass": 27.0, "river": 350.0, "manhole": 30.0}
"""The depth or stage (cm) a sensor is marked with where it stands; a city's own limits are bands, not facets."""


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that the devices are put onto. `underpasses`: the ids of the underpasses, in the order of `roads`; `many`: how many of each."""

    things: Things
    plan: Plan
    land: Land
    roads: Roads
    underpasses: list[str]
    many: "Counts"
    chance: np.random.Generator


def equip(site: Site) -> None:
    """Put up all devices."""
    _weather(site)
    _drainage(site)
    _traffic(site)
    _noise(site)
    _furniture(site)


class Counts:
    """How many of something a city of this many people has, at least one."""

    def __init__(self, people: int) -> None:
        """Scale from 300,000."""
        self._share = people / 300_000

    def __getitem__(self, what: str) -> int:
        """Return the number."""
        return max(1, round(PER_300_000[what] * self._share))


def _plain(zh: str, en: str) -> Naming:
    return lambda serial, community: Word(f"{community.zh}{zh}{serial}号", f"{community.en} {en} {serial}")


def _weather(site: Site) -> None:
    """Put up two air stations per district, a rain gauge per street, a few weather stations where people live."""
    air: list[tuple[float, float]] = []
    for district in site.things.areas.at(Level.DISTRICT):
        streets = sorted(site.things.areas.children(district.code), key=lambda row: (-row.population, row.code))
        air += [metres(row.lon, row.lat) for row in (streets[0], streets[-1])]
    facets: list[Facets] = [{"grade": "urban"} if at % 2 == 0 else {"grade": "background"} for at in range(len(air))]
    site.things.add("AirQualityStation", _jitter(np.array(air), 90, site.chance), lambda _, at: Word(f"{at.zh}空气质量监测站", f"{at.en} Air Station"), facets)
    street = site.things.areas.at(Level.STREET)
    gauges = np.array([metres(row.lon, row.lat) for row in street])
    site.things.add("RainGauge", _jitter(gauges, 60, site.chance), lambda serial, _: Word(f"{street[serial - 1].name_zh}雨量站", f"{street[serial - 1].name_en} Rain Gauge"))
    spots = _spread_out(site.land, site.many["WeatherStation"], site.chance)
    site.things.add("WeatherStation", spots, lambda _, at: Word(f"{at.zh}气象站", f"{at.en} Weather Station"))


def _drainage(site: Site) -> None:
    """Put up a level sensor and a pump at every underpass; sensors along the river and in manholes."""
    low = np.array([[u.x, u.y] for u in site.roads.underpasses]).reshape(-1, 2)
    names = [u.name for u in site.roads.underpasses]
    sensors: list[Facets] = [{"kind": "underpass", "warning_cm": WARNING_CM["underpass"], "underpass": ident} for ident in site.underpasses]
    site.things.add("WaterLevelSensor", low + 7, lambda serial, _: Word(f"{names[serial - 1].zh}水位计", f"{names[serial - 1].en} Level Sensor"), sensors)
    pumps: list[Facets] = [
        {"underpass": ident, "capacity_m3h": float(300 * round(2 + under.catchment_ha))} for ident, under in zip(site.underpasses, site.roads.underpasses, strict=True)
    ]
    site.things.add("PumpStation", low + 16, lambda serial, _: Word(f"{names[serial - 1].zh}泵站", f"{names[serial - 1].en} Pump Station"), pumps)
    count = site.many["WaterLevelSensor river"]
    i = (np.arange(count) + 0.5) / count * site.plan.plane.columns
    river = np.column_stack(site.plan.plane.metres(i, np.full(count, site.plan.river_row)))
    site.things.add(
        "WaterLevelSensor",
        river,
        lambda _, at: Word(f"{RIVER.zh}{at.zh}断面水位计", f"{RIVER.en} Gauge at {at.en}"),
        [{"kind": "river", "warning_cm": WARNING_CM["river"], "underpass": ""}] * count,
    )
    points, _ = _beside(site.roads.links, (LOCAL, COLLECTOR, ARTERIAL), site.many["WaterLevelSensor manhole"], 1.5, site.chance)
    site.things.add(
        "WaterLevelSensor", points, _plain("管网液位计", "Sewer Level Sensor"), [{"kind": "manhole", "warning_cm": WARNING_CM["manhole"], "underpass": ""}] * len(points)
    )


def _traffic(site: Site) -> None:
    """Put up a detector on every section of expressway and arterial and on every second one of collectors."""
    watched = [link for link in site.roads.sections if link.kind >= ARTERIAL or (link.kind == COLLECTOR and site.chance.random() < 0.5)]  # noqa: PLR2004 (half)
    facets: list[Facets] = [{"class": CLASSES[link.kind], "length_m": round(link.length, 1), "free_kmh": FREE_KMH[link.kind]} for link in watched]
    points = np.array([link.at(0.5) for link in watched])
    site.things.add(
        "TrafficDetector",
        points,
        lambda serial, at: Word(f"{watched[serial - 1].name.zh}{at.zh}段检测器", f"{watched[serial - 1].name.en} Detector at {at.en}"),
        facets,
        np.array([link.line for link in watched], dtype=object),
    )


def _noise(site: Site) -> None:
    """Put up monitors in every class of acoustic environment: half by use of land, the rest by arterials (4a) and the railway (4b)."""
    count = site.many["NoiseMonitor"]
    chosen = site.chance.choice(len(site.land.use), min(len(site.land.use), count - count // 3), replace=False)
    points = [np.column_stack([site.land.x[chosen], site.land.y[chosen]])]
    zones = [NOISE_ZONE[use] for use in site.land.use[chosen]]
    beside, _ = _beside(site.roads.links, (ARTERIAL, EXPRESSWAY), count // 4, 22, site.chance)
    points.append(beside)
    zones += ["4a"] * len(beside)
    track = shapely.line_interpolate_point(site.plan.rail, 0.18 + 0.64 * site.chance.random(count // 3 - count // 4), normalized=True)
    points.append(shapely.get_coordinates(track) + 25)
    zones += ["4b"] * len(track)
    site.things.add("NoiseMonitor", np.concatenate(points), _plain("噪声监测点", "Noise Monitor"), [{"zone": zone} for zone in zones])


def _furniture(site: Site) -> None:
    """Put up lights, bins, covers, cameras and stops along the roads; car parks among the houses."""
    rows: tuple[tuple[str, tuple[int, ...], float, str, str, Callable[[int], Facets]], ...] = (
        ("StreetLight", (LOCAL, COLLECTOR, ARTERIAL), 9.0, "路灯", "Street Light", lambda serial: {"power_w": (120, 150, 250)[serial % 3]}),
        ("TrashBin", (LOCAL, COLLECTOR, ARTERIAL), 12.0, "垃圾桶", "Litter Bin", lambda serial: {"litres": 60 + 60 * (serial % 2)}),
        ("ManholeCover", (LOCAL, COLLECTOR, ARTERIAL), 2.0, "井盖", "Manhole Cover", lambda serial: {"network": ("storm", "sewage")[serial % 2]}),
        ("BusStop", (COLLECTOR, ARTERIAL), 14.0, "公交站", "Bus Stop", lambda serial: {"shelter": serial % 2}),
    )
    for kind, classes, side, zh, en, facet in rows:
        points, at = _beside(site.roads.links, classes, site.many[kind], side, site.chance)
        streets = [site.roads.links[link].name for link in at]
        site.things.add(kind, points, _by_road(streets, zh, en), [facet(serial) for serial in range(len(points))])
    points, at = _beside(site.roads.links, (COLLECTOR, ARTERIAL, EXPRESSWAY), site.many["Camera"], 10, site.chance)
    bearing = site.chance.integers(0, 360, len(points))
    site.things.add(
        "Camera",
        points,
        _by_road([site.roads.links[link].name for link in at], "摄像机", "Camera"),
        [{"gb28181": f"99010000001320{serial:06d}", "bearing_deg": int(turn), "view_deg": 60, "reach_m": 80} for serial, turn in enumerate(bearing, 1)],
    )
    chosen = _people_first(site.land, site.many["ParkingLot"], site.chance)
    places = np.round(20 + 380 * site.chance.random(len(chosen)) ** 2).astype(int)
    middle = np.column_stack([site.land.x[chosen], site.land.y[chosen]])
    site.things.add("ParkingLot", _jitter(middle, 25, site.chance), _plain("停车场", "Car Park"), [{"capacity": int(count)} for count in places])


def _by_road(roads: list[Word], zh: str, en: str) -> Naming:
    return lambda serial, _: Word(f"{roads[serial - 1].zh}{zh}{serial}号", f"{roads[serial - 1].en} {en} {serial}")


def _jitter(points: Floats, metres_: float, chance: np.random.Generator) -> Floats:
    return points + (chance.random(points.shape) - 0.5) * 2 * metres_


def _spread_out(land: Land, count: int, chance: np.random.Generator) -> Floats:
    """Choose cells far from each other: each next one is the farthest from those chosen."""
    open_ground = np.flatnonzero(land.use == PARK)
    cells = open_ground if len(open_ground) >= count else np.arange(len(land.use))
    points = np.column_stack([land.x[cells], land.y[cells]])
    chosen = [int(chance.integers(len(cells)))]
    away = np.full(len(cells), np.inf)
    while len(chosen) < count:
        away = np.minimum(away, np.hypot(*(points - points[chosen[-1]]).T))
        chosen.append(int(np.argmax(away)))
    return np.asarray(points[chosen])


def _people_first(land: Land, count: int, chance: np.random.Generator) -> Ints:
    weight = land.people / land.people.sum()
    return np.asarray(np.sort(chance.choice(len(weight), min(count, int((weight > 0).sum())), replace=False, p=weight)), dtype=np.int64)


def _beside(links: list[Link], classes: tuple[int, ...], count: int, side: float, chance: np.random.Generator) -> tuple[Floats, list[int]]:
    """Return points beside roads of some classes, as thick on every metre, and the link of each."""
    usable = [at for at, link in enumerate(links) if link.kind in classes]
    length = np.array([links[at].length for at in usable])
    spots = np.sort((np.arange(count) + chance.random(count)) / count * length.sum())
    which = np.minimum(np.searchsorted(np.cumsum(length), spots), len(usable) - 1)
    share = (spots - (np.cumsum(length) - length)[which]) / length[which]
    sides = np.where(chance.random(count) < 0.5, side, -side)  # noqa: PLR2004 (an even chance)
    points = [links[usable[w]].at(float(s), float(d)) for w, s, d in zip(which, share, sides, strict=True)]
    return np.array(points).reshape(-1, 2), [usable[w] for w in which]
