"""How a made city's entities are written down: placed in a cell, numbered by type, named after where they stand.

It must never know why something stands where it does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely

from zhongshu.kernel.area import Codes
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.ids import urn
from zhongshu.survey.areas import Areas, Geometries
from zhongshu.survey.maker.names import Word
from zhongshu.survey.maker.plane import DIGITS, Floats, to_degrees, to_metres
from zhongshu.survey.place import Place

OWNERS = {
    "AirQualityStation": "dept-environment",
    "NoiseMonitor": "dept-environment",
    "WeatherStation": "dept-weather",
    "RainGauge": "dept-drainage",
    "WaterLevelSensor": "dept-drainage",
    "PumpStation": "dept-drainage",
    "ManholeCover": "dept-drainage",
    "TrafficDetector": "dept-traffic",
    "ParkingLot": "dept-traffic",
    "StreetLight": "dept-lighting",
    "TrashBin": "dept-sanitation",
    "BusStop": "dept-transport",
    "Camera": "dept-police",
    "Road": "dept-road",
    "Underpass": "dept-road",
}
"""Which department answers for each type; nobody for the rest."""

Facets = dict[str, str | float | int]
Naming = Callable[[int, Word], Word]
"""Serial number and the community's name → the thing's name."""


@dataclass(slots=True)
class Things:
    """The entities so far, and WKB by id for those with a shape."""

    areas: Areas
    place: Place
    rows: list[Entity] = field(default_factory=list)
    shapes: dict[str, bytes] = field(default_factory=dict)

    def add(self, kind: str, points: Floats, naming: Naming, facets: Sequence[Facets] | None = None, shapes: Geometries | None = None) -> list[str]:
        """Add things of one type at points (local metres, one per row) and return their ids; shapes are in local metres too."""
        lon, lat = to_degrees(points[:, 0], points[:, 1]) if len(points) else (np.empty(0), np.empty(0))
        code = self._codes(lon, lat)
        known = sum(row.type == kind for row in self.rows)
        wkb: list[bytes] = [] if shapes is None else list(shapely.to_wkb(degrees(shapes), byte_order=1))
        ids = []
        for at, (x, y, area) in enumerate(zip(lon.tolist(), lat.tolist(), code.tolist(), strict=True)):
            serial = known + at + 1
            ident = urn(kind, f"YT-{serial:05d}" if kind == "Building" else f"YT-{serial:04d}")
            community = self.areas[area // 1000 * 1000]
            name = naming(serial, Word(community.name_zh, community.name_en))
            self.rows.append(Entity(ident, kind, name.zh, name.en, area, x, y, OWNERS.get(kind, ""), facets=facets[at] if facets else {}))
            ids.append(ident)
        self.shapes.update(zip(ids, wkb, strict=False))
        return ids

    def _codes(self, lon: Floats, lat: Floats) -> Codes:
        """Return the cell of each point; a point on the far side of the city's border goes to the nearest cell."""
        code = self.place.locate(lon, lat)
        astray = np.flatnonzero(code == self.place.unplaced)
        if len(astray):
            code[astray] = self.place.codes[shapely.STRtree(self.place.shapes).nearest(shapely.points(lon[astray], lat[astray]))]
        return code


def degrees(shapes: Geometries) -> Geometries:
    """Turn shapes in local metres into degrees; heights stay as they are."""
    deep = bool(shapely.has_z(shapes).any())
    turned: Geometries = shapely.transform(shapes, lambda points: np.column_stack([*to_degrees(points[:, 0], points[:, 1]), points[:, 2:]]), include_z=deep)
    return turned


def metres(lon: float, lat: float) -> tuple[float, float]:
    """Turn one point in degrees into local metres."""
    x, y = to_metres(np.array([lon]), np.array([lat]))
    return round(float(x[0]), DIGITS), round(float(y[0]), DIGITS)
