"""The city itself, its health, its areas and its entities."""

from typing import Any

from zhongshu import __version__
from zhongshu.kernel.area import NAMES as LEVEL_NAMES
from zhongshu.kernel.area import Level, interval, level_of, parent, parse_area, show_area
from zhongshu.kernel.clock import rfc3339
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.problem import declare
from zhongshu.serve.city import City
from zhongshu.serve.door import Door

UNKNOWN_LEVEL = declare(
    "area.unknown_level",
    "invalid",
    zh=("没有“{level}”这一级。", "请用 city、district、street、community 或 cell。"),
    en=("There is no level '{level}'.", "Use city, district, street, community or cell."),
)


def clock_of(city: City) -> dict[str, Any]:
    """Return the clock's mode, speed and time."""
    return {"mode": city.clock.mode, "speed": city.clock.speed, "now": rfc3339(city.clock.now())}


def health(asked: Door) -> dict[str, Any]:
    """Tell that the server lives, what it took in, and how far journal and lake are."""
    city = asked.city
    by_source = {name: {k: v for k, v in row.items() if k != "known"} for name, row in city.journal.counts().items()}
    total = {key: sum(row[key] for row in by_source.values()) for key in ("accepted", "quarantined", "duplicates")}
    return {
        "status": "ok",
        "version": __version__,
        "clock": clock_of(city),
        "readings": total | {"by_source": by_source},
        "journal": {"head": city.journal.head(), "lake": city.lake.offset(), "snapshot": city.lake.offset()},
    }


def city(asked: Door) -> dict[str, Any]:
    """Return the city's names, place, clock and sizes."""
    c, about = asked.city, asked.city.about
    devices = sum(1 for row in c.registry.rows if row.type in c.types and row.type not in {"Building", "Road", "Organisation", "Underpass", "Case", "Request"})
    return {
        "name_zh": about.name_zh,
        "name_en": about.name_en,
        "code": show_area(about.code),
        "population": about.population,
        "time_zone": about.time_zone,
        "centre": [about.lon, about.lat],
        "bounds": list(about.bounds),
        "sandbox": c.sandbox,
        "clock": clock_of(c),
        "devices": devices,
        "indicators": len(c.watch.indicators),
        "map": "/map/city.pmtiles" if (c.folder / "map" / "city.pmtiles").exists() else None,
        "crs": "CGCS2000",
        "attribution": about.attribution or None,
        "started": c.proof.get("started"),
    }


def areas(asked: Door, level: str = "street", geometry: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 (a query parameter)
    """List the areas of a level."""
    wanted = next((lv for lv, name in LEVEL_NAMES.items() if name == level), None)
    if wanted is None:
        raise UNKNOWN_LEVEL(level=level)
    rows = asked.city.areas.at(wanted)
    return {"items": [_short(asked.city, row.code) | ({"geometry": asked.city.areas.geojson(row.code)} if geometry else {}) for row in rows[:5000]], "next": None}


def area(asked: Door, code: str) -> dict[str, Any]:
    """Return one area with its children and its shape."""
    city, key = asked.city, parse_area(code)
    row, up = city.areas[key], parent(key)
    return _short(city, key) | {
        "official": row.official,
        "population": row.population,
        "parent": show_area(up) if up is not None else None,
        "children": [_short(city, child.code) for child in city.areas.children(key)[:1000]],
        "geometry": city.areas.geojson(key),
    }


def _short(city: City, code: int) -> dict[str, Any]:
    row = city.areas[code]
    return {"code": show_area(code), "name_zh": row.name_zh, "name_en": row.name_en, "level": Level(level_of(code)).name.lower(), "centre": [row.lon, row.lat]}


def entities(asked: Door, type: str = "", area: str = "", q: str = "", limit: int = 200, after: str = "") -> dict[str, Any]:  # noqa: A002 (query parameters)
    """List entities, by type, area and a part of their name or id; `after`: the last id of the page before."""
    city, low_high = asked.city, interval(parse_area(area)) if area else (0, 10**15)
    limit = max(1, min(limit, 1000))
    start = city.registry.entities.numbers.get(after, -1) + 1 if after else 0
    found: list[dict[str, Any]] = []
    for row in city.registry.rows[start:]:
        fits = (not type or row.type == type) and low_high[0] <= row.area < low_high[1] and (not q or q in row.id or q in row.name_zh or q.lower() in row.name_en.lower())
        if fits and asked.scope.holds(row.area) and row.grade <= asked.scope.grade:
            if len(found) == limit:
                return {"items": found, "next": found[-1]["id"]}
            found.append(_entity(row))
    return {"items": found, "next": None}


def _entity(row: Entity) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": row.type,
        "name_zh": row.name_zh,
        "name_en": row.name_en,
        "area": show_area(row.area),
        "lon": row.lon,
        "lat": row.lat,
        "owner": row.owner,
        "grade": row.grade,
        "facets": row.facets,
    }
