"""The ordinary day of each kind of device: pure functions of the devices and the sky, with a daily rhythm and a little chance.

Knows hours, seasons and rain; knows no time zone, no network and no story. A value of NaN means: says nothing now.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zhongshu.packs.sandbox.life.weather import Numbers, Seeds, chance


@dataclass(frozen=True, slots=True)
class Sky:
    """A moment: seconds since 1970, the hour of the city's day (0 to 24), the day of the year, wetness 0 to 1, mean rain in mm/h."""

    now: int
    hour: float
    day: int
    wet: float = 0.0
    rain: float = 0.0


@dataclass(slots=True)
class Group:
    """Devices of one kind as arrays. `phase`: when in its rhythm each speaks; `store`: a memory some need (mm not yet tipped)."""

    ids: npt.NDArray[np.object_]
    seeds: Seeds
    lon: Numbers
    lat: Numbers
    areas: npt.NDArray[np.int64]
    facets: list[dict[str, Any]]
    phase: npt.NDArray[np.int64]
    alive: npt.NDArray[np.bool_]
    store: Numbers

    def __len__(self) -> int:
        """Return how many devices there are."""
        return len(self.ids)

    def take(self, turn: npt.NDArray[np.int64]) -> "Group":
        """Return some of them."""
        facets = [self.facets[i] for i in turn]
        return Group(self.ids[turn], self.seeds[turn], self.lon[turn], self.lat[turn], self.areas[turn], facets, self.phase[turn], self.alive[turn], self.store[turn])

    def number(self, facet: str, default: float) -> Numbers:
        """Return a numeric facet, or the default where there is none."""
        return np.array([float(f.get(facet) or default) for f in self.facets])

    def character(self, salt: int, spread: float) -> Numbers:
        """Return what is each device's own and never changes: about 0, within the spread."""
        return spread * chance(self.seeds + np.uint64(salt), 0)

    def drift(self, sky: Sky, salt: int, spread: float, seconds: int = 300) -> Numbers:
        """Return a slow wandering within the spread: chance at marks `seconds` apart, joined smoothly."""
        step, part = divmod(sky.now, seconds)
        ease = part / seconds
        ease = ease * ease * (3 - 2 * ease)
        seeds = self.seeds + np.uint64(salt)
        return spread * ((1 - ease) * chance(seeds, step) + ease * chance(seeds, step + 1))


def _day(hour: float, peak: float, width: float = 4.0) -> float:
    """Return a bump of height 1 at an hour of the day, round the clock."""
    apart = abs((hour - peak + 12) % 24 - 12)
    return float(np.exp(-((apart / width) ** 2)))


def _rush(hour: float) -> float:
    return max(_day(hour, 8.0, 1.3), 0.9 * _day(hour, 18.0, 1.6))


def _wake(hour: float) -> float:
    """Return how awake the city is: 0 deep at night, 1 by day, down again before 22:00."""
    return float(np.interp(hour, [0, 6.2, 7.2, 20.5, 21.6, 24], [0, 0, 1, 1, 0, 0]))


def pm25(g: Group, sky: Sky) -> Numbers:
    """PM2.5 in µg/m³: worse in the morning and late, washed out by rain."""
    base = 34 + 7 * _day(sky.hour, 8) + 6 * _day(sky.hour, 22)
    return np.maximum(5, (base + g.character(1, 8) + g.drift(sky, 2, 5)) * (1 - 0.3 * sky.wet))


def pm10(g: Group, sky: Sky) -> Numbers:
    """PM10 in µg/m³."""
    return 1.55 * pm25(g, sky) + 8 + g.drift(sky, 3, 4)


def so2(g: Group, sky: Sky) -> Numbers:
    """Sulphur dioxide in µg/m³."""
    return np.maximum(2, 9 + g.character(4, 3) + g.drift(sky, 5, 2))


def no2(g: Group, sky: Sky) -> Numbers:
    """Nitrogen dioxide in µg/m³: follows the traffic."""
    return np.maximum(5, 28 + 18 * _rush(sky.hour) + g.character(6, 6) + g.drift(sky, 7, 4))


def co(g: Group, sky: Sky) -> Numbers:
    """Carbon monoxide in mg/m³."""
    return np.maximum(0.2, 0.7 + 0.25 * _rush(sky.hour) + g.character(8, 0.15) + g.drift(sky, 9, 0.1))


def o3(g: Group, sky: Sky) -> Numbers:
    """Ozone in µg/m³: made by the afternoon's sun."""
    return np.maximum(10, 35 + 62 * _day(sky.hour, 15, 4.5) * (1 - 0.6 * sky.wet) + g.character(10, 8) + g.drift(sky, 11, 5))


def temperature(g: Group, sky: Sky) -> Numbers:
    """Air temperature in °C, by season and hour."""
    season = 16 - 12.5 * float(np.cos(2 * np.pi * (sky.day - 20) / 365))
    return season + 4 * float(np.sin(2 * np.pi * (sky.hour - 9) / 24)) - 3.5 * sky.wet + g.character(12, 0.8) + g.drift(sky, 13, 0.4)


def humidity(g: Group, sky: Sky) -> Numbers:
    """Relative humidity in %."""
    return np.clip(66 - 14 * _day(sky.hour, 15, 5) + 28 * sky.wet + g.character(14, 4) + g.drift(sky, 15, 3), 15, 100)


def pressure(g: Group, sky: Sky) -> Numbers:
    """Air pressure in hPa."""
    return 1014 - 2.5 * sky.wet + g.character(16, 1.5) + g.drift(sky, 17, 1.0, 3600)


def wind_speed(g: Group, sky: Sky) -> Numbers:
    """Wind speed in m/s."""
    return np.maximum(0.1, 2.2 + 1.2 * _day(sky.hour, 15, 5) + 5 * sky.wet + g.character(18, 0.6) + g.drift(sky, 19, 0.9, 60))


def wind_direction(g: Group, sky: Sky) -> Numbers:
    """Wind direction (from) in degrees."""
    return np.mod(240 + g.character(20, 20) + g.drift(sky, 21, 25, 120), 360)


_NOISE = {"0": (43, 35), "1": (48, 39), "2": (53, 44), "3": (58, 48), "4a": (63, 49), "4b": (63, 54)}


def noise(g: Group, sky: Sky) -> Numbers:
    """Sound level in dB(A): by zone, quieter before night, a little louder in rain."""
    day, night = np.array([_NOISE.get(str(f.get("zone", "2")), _NOISE["2"]) for f in g.facets], np.float64).T.reshape(2, -1)
    wake = _wake(sky.hour)
    return wake * day + (1 - wake) * night + 3 * sky.wet + g.character(22, 2.2) + g.drift(sky, 23, 3, 60)


def noise_by_day(g: Group, sky: Sky) -> Numbers:
    """Return the same from 06:00 to 22:00, else nothing."""
    return noise(g, sky) if 6 <= sky.hour < 22 else np.full(len(g), np.nan)  # noqa: PLR2004 (the day of GB 3096)


def noise_by_night(g: Group, sky: Sky) -> Numbers:
    """Return the same from 22:00 to 06:00, else nothing."""
    return np.full(len(g), np.nan) if 6 <= sky.hour < 22 else noise(g, sky)  # noqa: PLR2004


def river_below_warning(g: Group, sky: Sky) -> Numbers:
    """Distance below the warning level in m: the river rises late and little."""
    return 1.8 + g.character(24, 0.3) - 0.55 * sky.wet + g.drift(sky, 25, 0.02)


def river_level(g: Group, sky: Sky) -> Numbers:
    """River level in m: the station's warning level less the distance."""
    return g.number("warning_cm", 550) / 100 - river_below_warning(g, sky)


def pipe_fill(g: Group, sky: Sky) -> Numbers:
    """Pipe fill in %."""
    return np.clip(24 + 8 * _wake(sky.hour) + 38 * sky.wet + g.character(26, 7) + g.drift(sky, 27, 3), 2, 130)


def speed(g: Group, sky: Sky) -> Numbers:
    """Mean speed in km/h: of the link's free speed, slower in the rush and in rain."""
    share = 0.88 - 0.17 * _rush(sky.hour) - 0.06 * sky.wet
    return np.maximum(4, g.number("free_kmh", 50) * (share + g.character(28, 0.06) + g.drift(sky, 29, 0.05, 120)))


def flow(g: Group, sky: Sky) -> Numbers:
    """Vehicles per hour."""
    lanes = np.array([{"expressway": 4200.0, "arterial": 1900.0}.get(str(f.get("class", "")), 800.0) for f in g.facets])
    return np.rint(np.maximum(4, lanes * (0.08 + 0.5 * _wake(sky.hour) + 0.38 * _rush(sky.hour)) * (1 + g.character(30, 0.15) + g.drift(sky, 31, 0.1, 60))))


def free_places(g: Group, sky: Sky) -> Numbers:
    """Free places of a car park."""
    room = g.number("capacity", 200)
    return np.rint(np.clip(room * (0.62 - 0.38 * _day(sky.hour, 14, 5) + g.character(32, 0.12) + g.drift(sky, 33, 0.06, 600)), 0, room))


def next_bus(g: Group, sky: Sky) -> Numbers:
    """Minutes to the next bus: counts down from its line's interval; nothing between 23:00 and 05:30."""
    interval = 420 + (g.seeds % np.uint64(480)).astype(np.float64)
    left = interval - np.mod(sky.now + g.phase, interval)
    return left / 60 if 5.5 <= sky.hour < 23 else np.full(len(g), np.nan)  # noqa: PLR2004 (the buses' day)


def light_power(g: Group, sky: Sky) -> Numbers:
    """Power of a street light in W."""
    lit = sky.hour >= 18 or sky.hour < 6  # noqa: PLR2004 (the lights' night)
    return np.maximum(0, 118 + g.character(34, 8) + g.drift(sky, 35, 2)) if lit else np.full(len(g), 0.6)


def bin_fill(g: Group, sky: Sky) -> Numbers:
    """Fill of a rubbish bin in %: fills for about a day, then is emptied."""
    period = 64_800 + (g.seeds % np.uint64(36_000)).astype(np.float64)
    return np.rint(np.clip(88 * np.mod(sky.now + g.phase * 7, period) / period + g.drift(sky, 36, 2), 0, 100))


def one(g: Group, _sky: Sky) -> Numbers:
    """Yes: here, open, online."""
    return np.ones(len(g))


def zero(g: Group, _sky: Sky) -> Numbers:
    """No."""
    return np.zeros(len(g))
