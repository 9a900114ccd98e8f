"""GCJ-02, the offset of Chinese web maps, to WGS-84 and back. GCJ-02 is no CRS: it is met at the edge and never stored.

Degrees throughout. CGCS2000 and WGS-84 differ by less than this offset's own error, so either may stand for the other here.
"""

import numpy as np
import numpy.typing as npt

Degrees = npt.NDArray[np.float64]

_A = 6378245.0
_E2 = 0.00669342162296594323
_WEST, _SOUTH, _EAST, _NORTH = 72.004, 0.8293, 137.8347, 55.8271


def wgs84_to_gcj02(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Degrees, Degrees]:
    """Shift WGS-84 degrees to GCJ-02; outside the rectangle of the offset nothing moves."""
    x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    east, north = _offset(x, y)
    return x + east, y + north


def gcj02_to_wgs84(lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Degrees, Degrees]:
    """Undo the shift by fixed-point iteration, to better than 1e-9 degrees (0.1 mm)."""
    x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    west, south = x.copy(), y.copy()
    for _ in range(6):  # each round leaves about a thousandth of the error
        east, north = _offset(west, south)
        west, south = x - east, y - north
    return west, south


def _offset(lon: Degrees, lat: Degrees) -> tuple[Degrees, Degrees]:
    x, y = lon - 105.0, lat - 35.0
    common = (20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)) * 2.0 / 3.0
    root = np.sqrt(np.abs(x))
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + common
    north += (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
    north += (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + common
    east += (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
    east += (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    radians = np.radians(lat)
    magic = 1.0 - _E2 * np.sin(radians) ** 2
    north = north * 180.0 / (_A * (1.0 - _E2) / (magic * np.sqrt(magic)) * np.pi)
    east = east * 180.0 / (_A / np.sqrt(magic) * np.cos(radians) * np.pi)
    here = (lon >= _WEST) & (lon <= _EAST) & (lat >= _SOUTH) & (lat <= _NORTH)
    return np.where(here, east, 0.0), np.where(here, north, 0.0)
