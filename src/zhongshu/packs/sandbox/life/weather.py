"""A storm as a round field of rain that crosses the city along a straight line, and chance that comes out the same every time.

Knows places and seconds; knows no device and no city.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Seeds = npt.NDArray[np.uint64]

METRES_PER_DEGREE = 111_320.0
REACH = 1.6
"""How many radii before its aim a storm is born."""


def metres(lon: Numbers, lat: Numbers, at: tuple[float, float]) -> Numbers:
    """Return the distance of points (degrees) from a place in metres, on a plane that touches there."""
    east = (lon - at[0]) * METRES_PER_DEGREE * math.cos(math.radians(at[1]))
    north = (lat - at[1]) * METRES_PER_DEGREE
    return np.hypot(east, north)


def chance(seeds: Seeds, step: int) -> Numbers:
    """Return numbers in [-1, 1) that depend on the seeds and the step alone (a splitmix64 hash, summed thrice towards a bell)."""
    total = np.zeros(len(seeds))
    for draw in range(3):
        z = seeds + np.uint64((step * 3 + draw + 1) * 0x9E3779B97F4A7C15 & 0xFFFF_FFFF_FFFF_FFFF)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        total += ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2**53
    return total / 1.5 - 1


@dataclass(frozen=True, slots=True)
class Storm:
    """A field of rain: born at `start` (s since 1970), over its aim (lon, lat) `arrival` s later, gone `length` s after its birth."""

    start: float
    aim: tuple[float, float]
    heading: float = 60.0
    radius_m: float = 2200.0
    peak_mm_h: float = 180.0
    arrival: float = 26.0
    length: float = 90.0

    def raining(self, now: float) -> bool:
        """Tell whether the field is over the city."""
        return self.start <= now <= self.start + self.length

    def centre(self, now: float) -> tuple[float, float]:
        """Return where its middle is (degrees)."""
        ahead = (now - self.start - self.arrival) / self.arrival * REACH * self.radius_m
        east, north = ahead * math.sin(math.radians(self.heading)), ahead * math.cos(math.radians(self.heading))
        lon, lat = self.aim
        return lon + east / (METRES_PER_DEGREE * math.cos(math.radians(lat))), lat + north / METRES_PER_DEGREE

    def intensity(self, lon: Numbers, lat: Numbers, now: float) -> Numbers:
        """Return the rain at places in mm/h: a bell around the middle, and a little everywhere while it lasts."""
        if not self.raining(now):
            return np.zeros(len(lon))
        bell = np.exp(-2 * (metres(lon, lat, self.centre(now)) / self.radius_m) ** 2)
        fade = math.sin(math.pi * (now - self.start) / self.length)
        return self.peak_mm_h * bell + 3.0 * fade

    def path(self, steps: int = 9) -> list[tuple[float, float]]:
        """Return the way of its middle from birth to end (degrees)."""
        return [self.centre(self.start + self.length * i / (steps - 1)) for i in range(steps)]
