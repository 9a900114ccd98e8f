"""Which OpenStreetMap tags become what here: rows of tag → entity type, of tag → what only the map shows, and the classes of roads.

Tags as the wiki describes them: https://wiki.openstreetmap.org/wiki/Map_features. Types and facets are the packs' words.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Tags = Mapping[str, str]
Facets = dict[str, str | float | int]
LEVEL_M = 3.0
"""How high a level of a building is taken to be, in metres."""
_METRES = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*(m|ft|')?\s*", re.IGNORECASE)
_FOOT = 0.3048
_WIND = {name: at * 22.5 for at, name in enumerate(("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"))}

CLASSES = {
    **dict.fromkeys(("motorway", "trunk", "motorway_link", "trunk_link"), "expressway"),
    **dict.fromkeys(("primary", "secondary", "primary_link", "secondary_link"), "arterial"),
    **dict.fromkeys(("tertiary", "tertiary_link"), "collector"),
    **dict.fromkeys(("unclassified", "residential", "living_street", "service", "road", "busway"), "local"),
}
"""highway=* → the class of a `Road`."""
PATHS = frozenset({"footway", "cycleway", "path", "pedestrian", "steps", "track", "bridleway", "trail", "corridor"})
"""highway=* that no car drives on: shown on the map, no `Road`."""
LANES = {"expressway": 2, "arterial": 2, "collector": 2, "local": 2}
"""Lanes where nobody says; half of them, at least one, where a road goes one way, but for expressways."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what must be tagged, the type it becomes, its facets, and what it is called where it has no name."""

    tags: Mapping[str, str]
    kind: str
    zh: str
    en: str
    facets: Callable[[Tags], Facets] = lambda _: {}

    def fits(self, tags: Tags) -> bool:
        """Tell whether the tags have it; `*` stands for anything but `no`."""
        return all((held := tags.get(key)) is not None and (held == value or (value == "*" and held != "no")) for key, value in self.tags.items())


def whole(text: str | None) -> int | None:
    """Return a whole number that is not negative, or None."""
    return int(text) if text is not None and text.strip().isascii() and text.strip().isdigit() and len(text.strip()) < 7 else None  # noqa: PLR2004 (a million of anything is a slip)


def metres(text: str | None) -> float | None:
    """Return a length (`12`, `12 m`, `40'`, `40 ft`) in metres, or None."""
    found = _METRES.fullmatch(text or "")
    if found is None:
        return None
    return round(float(found[1].replace(",", ".")) * (1.0 if (found[2] or "m").lower() == "m" else _FOOT), 1)


def bearing(text: str | None) -> int | None:
    """Return a direction (degrees from north, or a wind) in whole degrees, or None."""
    said = (text or "").strip().upper()
    if said in _WIND:
        return round(_WIND[said])
    return int(said) % 360 if said.isascii() and said.isdigit() and len(said) < 4 else None  # noqa: PLR2004 (degrees)


def height(tags: Tags) -> tuple[float | None, bool]:
    """Return a building's height in metres, and whether it is guessed from its levels."""
    said = metres(tags.get("height"))
    if said is not None:
        return said, False
    levels = metres(tags.get("building:levels"))
    return (None, False) if levels is None or not levels else (round(levels * LEVEL_M, 1), True)


def _known(**facets: str | float | None) -> Facets:
    return {name: value for name, value in facets.items() if value is not None}


ROWS = (
    Row({"highway": "bus_stop"}, "BusStop", "公交站", "Bus stop", lambda tags: _known(shelter=int(tags["shelter"] == "yes") if "shelter" in tags else None)),
    Row({"highway": "traffic_signals"}, "TrafficSignal", "信号灯", "Traffic signal"),
    Row({"highway": "street_lamp"}, "StreetLight", "路灯", "Street light"),
    Row({"amenity": "parking"}, "ParkingLot", "停车场", "Car park", lambda tags: _known(capacity=whole(tags.get("capacity")))),
    Row({"amenity": "waste_basket"}, "TrashBin", "垃圾桶", "Rubbish bin"),
    Row(
        {"man_made": "surveillance", "surveillance:type": "camera"},
        "Camera",
        "摄像机",
        "Camera",
        lambda tags: _known(bearing_deg=bearing(tags.get("camera:direction") or tags.get("direction"))),
    ),
    Row({"manhole": "*"}, "ManholeCover", "井盖", "Manhole cover", lambda tags: _known(network={"drain": "storm", "sewer": "sewage"}.get(tags["manhole"]))),
    Row({"man_made": "pumping_station"}, "PumpStation", "泵站", "Pump station"),
    Row({"man_made": "monitoring_station", "monitoring:air_quality": "yes"}, "AirQualityStation", "空气质量监测站", "Air quality station"),
    Row({"man_made": "monitoring_station", "monitoring:weather": "yes"}, "WeatherStation", "气象站", "Weather station"),
    Row({"man_made": "monitoring_station", "monitoring:noise": "yes"}, "NoiseMonitor", "噪声监测点", "Noise monitor"),
    Row({"man_made": "monitoring_station", "monitoring:rainfall": "yes"}, "RainGauge", "雨量站", "Rain gauge"),
    Row({"man_made": "monitoring_station", "monitoring:water_level": "yes"}, "WaterLevelSensor", "水位计", "Water level sensor"),
)
"""Nodes and areas; the first row that fits is taken. Buildings and roads are read apart."""

GROUND = {
    ("natural", "water"): ("water", "lake"),
    ("waterway", "riverbank"): ("water", "river"),
    ("landuse", "reservoir"): ("water", "lake"),
    ("landuse", "basin"): ("water", "lake"),
}
"""Tags of polygons → layer and kind on the base map."""
LINES = {
    ("waterway", "river"): ("river", "river"),
    ("waterway", "canal"): ("river", "canal"),
    ("waterway", "stream"): ("river", "stream"),
    ("railway", "rail"): ("railway", "rail"),
    ("railway", "tram"): ("railway", "tram"),
    ("railway", "subway"): ("railway", "subway"),
    ("railway", "light_rail"): ("railway", "light_rail"),
}
"""Tags of lines → layer and kind on the base map."""


def row_of(tags: Tags) -> Row | None:
    """Return the first row that fits."""
    return next((row for row in ROWS if row.fits(tags)), None)


def drawn(tags: Tags, table: Mapping[tuple[str, str], tuple[str, str]]) -> tuple[str, str] | None:
    """Return layer and kind of what a table has for the tags."""
    return next((told for (key, value), told in table.items() if tags.get(key) == value), None)


def names(tags: Tags, zh: str, en: str, ident: str) -> tuple[str, str]:
    """Return the Chinese and the English name, each for want of it the local one; without a name what it is and its OSM id."""
    local = tags.get("name") or tags.get("ref") or ""
    return (tags.get("name:zh") or local or f"{zh} {ident}")[:200], (tags.get("name:en") or local or f"{en} {ident}")[:200]
