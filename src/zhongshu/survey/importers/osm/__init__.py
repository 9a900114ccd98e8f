"""OpenStreetMap into a city: read → roads → buildings → street furniture → ground → areas. Its data are under the ODbL, which wants to be named: the city keeps that."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely

from zhongshu.kernel.ids import urn
from zhongshu.survey.areas import Geometries
from zhongshu.survey.ground import Drawn
from zhongshu.survey.importers.adding import Found, Thing
from zhongshu.survey.importers.osm.network import cut
from zhongshu.survey.importers.osm.reading import Read, read_osm
from zhongshu.survey.importers.osm.tags import CLASSES, GROUND, LANES, LEVEL_M, LINES, PATHS, Facets, Tags, drawn, height, names, row_of, whole

ATTRIBUTION = "© OpenStreetMap contributors (ODbL 1.0)"
"""As https://www.openstreetmap.org/copyright asks for."""
_LOST = {
    "road": ("道路", "roads"),
    "line": ("小路、水道、铁路", "paths, waterways and railways"),
    "building": ("建筑", "buildings"),
    "water": ("水面", "waters"),
    "area": ("场地", "places"),
    "boundary": ("行政界线", "administrative boundaries"),
}
_WAY_ROUND = {"yes", "1", "true", "-1", "reverse"}


def read_city(path: Path) -> Found:
    """Read an OpenStreetMap file."""
    read = read_osm(path)
    found = Found(path.name, lambda ident: _origin(ident) in origins, attribution=ATTRIBUTION, bounds=read.bounds)
    _roads(read, found)
    _polygons(read, found)
    _spots(read, found)
    _ground(read, found)
    _areas(read, found)
    for kind, count in read.broken.items():
        zh, en = _LOST[kind]
        found.report.refuse(
            f"{count:,} 个{zh}引用了文件里没有的点或线，或轮廓不闭合，未取。",
            f"{count:,} {en} refer to points or lines that are not in the file, or have no closed outline, and are left out.",
        )
    origins = {_origin(thing.id) for thing in found.things}
    return found


def _origin(ident: str) -> str:
    """Return the OSM object that an entity came from: a road's links share one; nothing for what came from elsewhere."""
    _, _, name = ident.rpartition(":osm-")
    return name.partition("-")[0]


def _roads(read: Read, found: Found) -> None:
    links, ways = cut(read.roads), read.roads
    guessed = 0
    facets: list[Facets] = []
    for tags in ways.tags:
        kind, one_way = CLASSES[tags["highway"]], tags.get("oneway") in _WAY_ROUND or tags.get("junction") == "roundabout"
        lanes = whole(tags.get("lanes"))
        guessed += lanes is None
        facets.append({"class": kind, "lanes": lanes if lanes is not None else LANES[kind] // (2 if one_way and kind != "expressway" else 1), "oneway": int(one_way)})
    wkb = shapely.to_wkb(links.lines, byte_order=1)
    columns = (links.way.tolist(), links.part.tolist(), links.start.tolist(), links.end.tolist(), links.length.tolist(), links.middle.tolist(), wkb)
    for way, part, start, end, length, (lon, lat), shape in zip(*columns, strict=True):
        zh, en = names(ways.tags[way], "道路", "Road", f"w{ways.ids[way]}")
        held: Facets = {**facets[way], "length_m": round(length, 1), "from": f"N{start}", "to": f"N{end}"}
        found.things.append(Thing("Road", urn("Road", f"osm-w{ways.ids[way]}-{part}"), zh, en, (lon, lat), held, shape))
    if guessed:
        found.report.guess(
            f"{guessed:,} 条道路没写车道数：双向按 2，单向按 1（快速路 2）。", f"{guessed:,} roads do not say their lanes: 2, or 1 where they go one way (expressways 2)."
        )


def _polygons(read: Read, found: Found) -> None:
    """Take buildings and other things that are surfaces."""
    shapes, points = _surfaces([hexed for _, _, hexed in read.polygons])
    heights = Counter[str]()
    for (ident, tags, _), shape, at in zip(read.polygons, shapes, points, strict=True):
        if tags.get("building", "no") != "no":
            metres, by_levels = height(tags)
            heights["levels" if by_levels else "open" if metres is None else "said"] += 1
            zh, en = names(tags, "建筑", "Building", ident)
            found.things.append(Thing("Building", urn("Building", f"osm-{ident}"), zh, en, at, {} if metres is None else {"height_m": metres}, shape))
        elif row := row_of(tags):
            zh, en = names(tags, row.zh, row.en, ident)
            found.things.append(Thing(row.kind, urn(row.kind, f"osm-{ident}"), zh, en, at, row.facets(tags), shape))
    if heights["levels"]:
        found.report.guess(
            f"{heights['levels']:,} 座建筑只写了层数：每层按 {LEVEL_M:g} 米。", f"{heights['levels']:,} buildings say their levels only: each is taken as {LEVEL_M:g} m."
        )
    if heights["open"]:
        found.report.guess(f"{heights['open']:,} 座建筑没写高度，也没写层数：高度留空。", f"{heights['open']:,} buildings say neither height nor levels: their height stays open.")


def _surfaces(hexed: Sequence[str]) -> tuple[list[bytes], list[tuple[float, float]]]:
    """Return WKB (a lone polygon as such) and label point of every multipolygon."""
    shapes: Geometries = shapely.from_wkb(np.array(hexed, dtype=object))
    single = shapely.get_num_geometries(shapes) == 1
    shapes = np.where(single, shapely.get_geometry(shapes, 0), shapes)
    points = shapely.get_coordinates(shapely.point_on_surface(shapes)).reshape(-1, 2)
    return list(shapely.to_wkb(shapes, byte_order=1)), [(lon, lat) for lon, lat in points.tolist()]


def _spots(read: Read, found: Found) -> None:
    for ident, tags, at in read.spots:
        if row := row_of(tags):
            zh, en = names(tags, row.zh, row.en, ident)
            found.things.append(Thing(row.kind, urn(row.kind, f"osm-{ident}"), zh, en, at, row.facets(tags)))


def _ground(read: Read, found: Found) -> None:
    """Take what only the map shows: waters, railways, paths."""
    count = Counter[str]()
    shapes, _ = _surfaces([hexed for _, _, hexed in read.polygons])
    held = [(ident, tags, drawn(tags, GROUND), shape) for (ident, tags, _), shape in zip(read.polygons, shapes, strict=True)]
    lines = [shapely.linestrings(points) for points in read.lines.points]
    wkb = shapely.to_wkb(np.array(lines, dtype=object), byte_order=1)
    held += [(f"w{ident}", tags, _line(tags), shape) for ident, tags, shape in zip(read.lines.ids, read.lines.tags, wkb, strict=True)]
    for ident, tags, told, shape in held:
        if told is not None:
            layer, kind = told
            found.ground[f"osm-{ident}"] = Drawn(layer, kind, tags.get("name:zh") or tags.get("name", ""), tags.get("name:en") or tags.get("name", ""), shape)
            count[layer if layer != "road" else "path"] += 1
    for layer, many in count.items():
        found.report.take(f"{layer} (map only)", many)


def _line(tags: Tags) -> tuple[str, str] | None:
    return ("road", "path") if tags.get("highway") in PATHS else drawn(tags, LINES)


def _areas(read: Read, found: Found) -> None:
    """Take the administrative boundaries of the level that has most of them, the finer one of two."""
    levels = Counter(tags.get("admin_level", "") for _, tags, _ in read.boundaries)
    if not levels:
        return
    level = max(levels, key=lambda each: (levels[each], whole(each) or 0))
    for ident, tags, hexed in read.boundaries:
        if tags.get("admin_level", "") == level:
            zh, en = names(tags, "区域", "Area", ident)
            found.areas.append((zh, en, shapely.make_valid(shapely.from_wkb(hexed))))
    if others := [each for each in levels if each != level]:
        found.report.refuse(
            f"行政界线取 admin_level={level} 的 {levels[level]} 个；{'、'.join(sorted(others))} 级未取。",
            f"Of the administrative boundaries the {levels[level]} with admin_level={level} are taken; those of {', '.join(sorted(others))} are left out.",
        )
