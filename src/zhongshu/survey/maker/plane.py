"""The ground a made city stands on: a lattice of blocks, bent as a city is bent by its hills and its river, laid on open sea.

Lattice coordinates (i, j) are cells of about 100 m; (0, 0) is the south-west corner. Metres are local; degrees are EPSG:4490.
Everything is rounded to 1e-7 degrees (1 cm) before it is used further, so that neighbours share their corners exactly.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

ORIGIN = (123.6, 29.6)
"""Open sea in the East China Sea: no real place is drawn over."""
CELL = 100.0
"""The side of an average cell in metres."""
DIGITS = 7

_BLEND = 0.62  # 0 a rectangle, 1 a disc
_METRES_LAT = 110_852.4  # of one degree at 29.6° N on the CGCS2000 ellipsoid
_METRES_LON = 96_904.9


def to_degrees(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Turn local metres into degrees."""
    return np.round(ORIGIN[0] + x / _METRES_LON, DIGITS), np.round(ORIGIN[1] + y / _METRES_LAT, DIGITS)


def to_metres(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Turn degrees into local metres."""
    return (lon - ORIGIN[0]) * _METRES_LON, (lat - ORIGIN[1]) * _METRES_LAT


@dataclass(frozen=True, slots=True)
class Plane:
    """The bend of one city: `columns` by `rows` cells, turned by `angle` (radians), and waves (amplitude, wavelength in metres, phase) by axis."""

    columns: int
    rows: int
    scale: float
    angle: float
    waves: tuple[tuple[float, float, float], ...]

    @classmethod
    def of(cls, cells: int, chance: np.random.Generator) -> "Plane":
        """Choose a plane for about this many cells."""
        columns = max(12, round(float(np.sqrt(cells * 1.22))))
        rows = max(10, round(cells / columns))
        wide = columns * CELL
        waves = tuple(
            (amplitude * wide, length * wide * (0.9 + 0.2 * chance.random()), 2 * np.pi * chance.random())
            for amplitude, length in ((0.024, 0.52), (0.008, 0.43), (0.031, 0.58), (0.008, 0.47))
        )
        angle = float(np.radians(4 + 7 * chance.random()) * (1 if chance.random() < 0.5 else -1))  # noqa: PLR2004 (an even chance)
        flat = cls(columns, rows, 1.0, angle, waves)
        return cls(columns, rows, float(np.sqrt(columns * rows * CELL**2 / flat._area())), angle, waves)

    def metres(self, i: npt.ArrayLike, j: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return local metres of lattice coordinates, which need not be whole and may lie a little outside."""
        u = np.clip(2 * np.asarray(i, dtype=np.float64) / self.columns - 1, -1.38, 1.38)
        v = np.clip(2 * np.asarray(j, dtype=np.float64) / self.rows - 1, -1.38, 1.38)
        x = u * (1 - _BLEND + _BLEND * np.sqrt(1 - v * v / 2)) * self.columns * CELL / 2 * self.scale
        y = v * (1 - _BLEND + _BLEND * np.sqrt(1 - u * u / 2)) * self.rows * CELL / 2 * self.scale
        (a, la, pa), (b, lb, pb), (c, lc, pc), (d, ld, pd) = self.waves
        dx = a * np.sin(2 * np.pi * y / la + pa) + b * np.sin(2 * np.pi * x / lb + pb)
        dy = c * np.sin(2 * np.pi * x / lc + pc) + d * np.sin(2 * np.pi * y / ld + pd)
        x, y = x + dx, y + dy
        return x * np.cos(self.angle) - y * np.sin(self.angle), x * np.sin(self.angle) + y * np.cos(self.angle)

    def degrees(self, i: npt.ArrayLike, j: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return degrees of lattice coordinates, rounded."""
        return to_degrees(*self.metres(i, j))

    def _area(self) -> float:
        edge_i = np.linspace(0, self.columns, 200)
        edge_j = np.linspace(0, self.rows, 200)
        i = np.concatenate([edge_i, np.full(200, self.columns), edge_i[::-1], np.zeros(200)])
        j = np.concatenate([np.zeros(200), edge_j, np.full(200, self.rows), edge_j[::-1]])
        x, y = self.metres(i, j)
        return float(abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2)
