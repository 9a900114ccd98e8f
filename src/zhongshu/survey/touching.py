"""Which of a city's areas a drawn shape touches: polygons and circles of a message from outside, down to the street. Knows no message."""

import math
from collections.abc import Sequence

import shapely

from zhongshu.kernel.area import Level, parent
from zhongshu.survey.areas import Areas

METRES = 111_320.0
"""A degree of latitude."""

Ring = Sequence[tuple[float, float]]
Circle = tuple[float, float, float]


def touched(areas: Areas, rings: Sequence[Ring], circles: Sequence[Circle]) -> list[int]:
    """Return the codes of the streets that any ring [(lon, lat), …] or circle (lon, lat, metres) meets; a district, or the city, where all of its own are."""
    drawn = [shapely.make_valid(shapely.Polygon(ring)) for ring in rings] + [_round(*circle) for circle in circles]
    if not drawn:
        return []
    whole = shapely.union_all(drawn)
    shapely.prepare(whole)
    found = {row.code for row in areas.at(Level.STREET) if (shape := areas.geometry(row.code)) is not None and whole.intersects(shape)}
    for level in (Level.DISTRICT, Level.CITY):
        for up in areas.at(level):
            below = {row.code for row in areas.children(up.code)}
            if below and below <= found:
                found = found - below | {up.code}
    return sorted(code for code in found if parent(code) not in found)


def _round(lon: float, lat: float, metres: float) -> shapely.Polygon:
    """Return a circle on the ground as a polygon in degrees; at least ten metres wide."""
    high = max(metres, 10.0) / METRES
    wide = high / max(0.01, math.cos(math.radians(lat)))
    return shapely.Polygon([(lon + wide * math.cos(angle), lat + high * math.sin(angle)) for angle in (math.tau * i / 64 for i in range(64))])
