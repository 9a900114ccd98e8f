"""How what an importer found gets into a city's folder: into an empty one a city is founded, into a city its entities are added; whole or not at all.

What was found again replaces what was there under the same origin. It must never know a format.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from zhongshu.kernel.area import NAMES, Level
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.problem import declare
from zhongshu.survey.areas import Areas, Bounds
from zhongshu.survey.city import City, check_zone
from zhongshu.survey.entities import Entities
from zhongshu.survey.ground import Ground, load_ground, save_ground, surveyed_layers
from zhongshu.survey.importers.coding import assigned
from zhongshu.survey.importers.report import Report
from zhongshu.survey.importers.tree import Leaf, tree
from zhongshu.survey.place import Place
from zhongshu.survey.tiles import draw_tiles

ELSEWHERE = declare(
    "survey.import_elsewhere",
    "invalid",
    zh=("{name} 里的东西没有一个在 {city} 的区域里。", "请核对 --data 指的是不是这座城市；要新建城市，请给一个空目录。"),
    en=("Nothing of {name} lies in the areas of {city}.", "Check that --data names the right city; to found a city, give an empty folder."),
)
NOTHING = declare(
    "survey.import_nothing",
    "invalid",
    zh=("{name} 里没有可取用的东西。", "请核对文件和 --as 后面的格式。"),
    en=("There is nothing in {name} that can be taken.", "Check the file and the format after --as."),
)
TAKEN = declare(
    "survey.import_folder_taken",
    "conflict",
    zh=("目录 {folder} 里没有城市，却已有 {part}。", "请换一个空目录，或先把它移走。"),
    en=("There is no city in the folder {folder}, yet it holds {part}.", "Choose an empty folder, or move that away first."),
)
_PARTS = ("survey", "map", "city.toml")
"""What makes a folder a city's, the last one last."""


@dataclass(frozen=True, slots=True)
class Thing:
    """What was found: type, id, names, label point (degrees; None stands for the whole city), facets, WKB where it is more than a point."""

    kind: str
    id: str
    name_zh: str
    name_en: str
    at: tuple[float, float] | None
    facets: dict[str, str | float | int]
    shape: bytes | None = None


@dataclass(slots=True)
class Found:
    """What an importer found: things, what only the map shows, areas (names, polygon), bounds, whose it is, its time zone, and what is to be said of it.

    `stale` tells of an entity's id whether it was found before at the same origin, so that it goes when it is not found again.
    """

    name: str
    stale: Callable[[str], bool]
    report: Report = field(default_factory=Report)
    things: list[Thing] = field(default_factory=list)
    ground: Ground = field(default_factory=dict)
    areas: list[tuple[str, str, BaseGeometry]] = field(default_factory=list)
    bounds: Bounds | None = None
    attribution: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Called:
    """What a founded city is to be called, its IANA zone (empty: as the file says, else UTC), and the level of its areas."""

    name_zh: str
    name_en: str
    zone: str = ""
    level: str = "street"


def put(found: Found, folder: Path, called: Called) -> City:
    """Add what was found to the city in a folder, or found one there; return the city. The caller owns it."""
    if not found.things:
        raise NOTHING(name=found.name)
    if (folder / "city.toml").exists():
        return _add(found, folder)
    for part in _PARTS:
        if (folder / part).exists():
            raise TAKEN(folder=folder, part=part)
    city, areas = _founded(found, called)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".zhongshu-import-") as held:
        draft = Path(held)
        areas.save(draft)
        entities = _placed(found, areas, Place.open(areas, draft), ())
        if not len(entities):
            raise ELSEWHERE(name=found.name, city=city.name_zh)
        _write(draft, areas, entities, found.ground, city)
        folder.mkdir(exist_ok=True)
        for part in _PARTS:
            (draft / part).replace(folder / part)
    return city


def _add(found: Found, folder: Path) -> City:
    city, areas = City.load(folder), Areas.load(folder)
    before = Entities.load(folder)
    entities = _placed(found, areas, Place.open(areas, folder), tuple(row for row in before if not found.stale(row.id)), before)
    if len(entities) == len([row for row in before if not found.stale(row.id)]):
        raise ELSEWHERE(name=found.name, city=city.name_zh)
    told = [each for each in (city.attribution, found.attribution) if each]
    city = replace(city, attribution=" · ".join(dict.fromkeys(" · ".join(told).split(" · "))))
    ground = load_ground(folder) | found.ground
    _write(folder, areas, entities, ground, city, draw=not city.sandbox)
    return city


def _write(folder: Path, areas: Areas, entities: Entities, ground: Ground, city: City, *, draw: bool = True) -> None:
    """Write what changed, the map first: it is what may fail."""
    if draw:
        draw_tiles(folder / "map" / "city.pmtiles", surveyed_layers(areas, entities, ground), city.name_en, city.attribution)
        save_ground(folder, ground)
    entities.save(folder)
    city.save(folder)


def _founded(found: Found, called: Called) -> tuple[City, Areas]:
    """Return the city of the areas that were found, else of one area as large as the bounds."""
    check_zone(zone := called.zone or found.zone or "UTC")
    level = next((lv for lv, name in NAMES.items() if name == called.level), Level.STREET)
    shapes = found.areas
    if not shapes:
        box = found.bounds or _bounds(found.things)
        shapes = [(called.name_zh, called.name_en, shapely.box(*box))]
        found.report.guess("文件里没有完整的行政界线：以数据的范围作一个区域。", "The file has no whole administrative boundary: one area as large as its data stands for them.")
    if not called.zone and not found.zone:
        found.report.guess("没有给出时区：按 UTC。", "No time zone was given: it is UTC.")
    points = [shapely.point_on_surface(shape) for _, _, shape in shapes]
    codes = assigned([(point.x, point.y) for point in points], level).codes
    leaves = [Leaf(code, zh, en, 0, shape) for code, (zh, en, shape) in zip(codes, shapes, strict=True) if code is not None]
    areas = tree(leaves, called.name_zh, called.name_en)
    row = areas.city
    bounds = areas.bounds(row.code) or (row.lon, row.lat, row.lon, row.lat)
    return City(called.name_zh, called.name_en, row.code, zone, row.lon, row.lat, bounds, attribution=found.attribution), areas


def _bounds(things: Sequence[Thing]) -> Bounds:
    """Return what holds every label point, and a hundredth of a degree around it."""
    points = np.array([thing.at for thing in things if thing.at is not None])
    (west, south), (east, north) = points.min(axis=0) - 0.01, points.max(axis=0) + 0.01
    return max(float(west), -180.0), max(float(south), -90.0), min(float(east), 180.0), min(float(north), 90.0)


def _placed(found: Found, areas: Areas, place: Place, kept: Sequence[Entity], before: Entities | None = None) -> Entities:
    """Return the entities that stay and those that were found, each in its area; what lies outside is refused and counted."""
    points = np.array([thing.at or (np.nan, np.nan) for thing in found.things], dtype=np.float64)
    codes = np.where(np.isnan(points[:, 0]), areas.city.code, place.locate(points[:, 0], points[:, 1])).tolist()
    taken = {row.id for row in kept}
    rows, shapes, outside, again = list(kept), before.shapes if before is not None else {}, dict[str, int](), 0
    for thing, code in zip(found.things, codes, strict=True):
        if code == place.unplaced:
            outside[thing.kind] = outside.get(thing.kind, 0) + 1
        elif thing.id in taken:
            again += 1
        else:
            lon, lat = thing.at or (None, None)
            rows.append(Entity(thing.id, thing.kind, thing.name_zh, thing.name_en, code, lon, lat, facets=thing.facets))
            taken.add(thing.id)
            found.report.take(thing.kind)
            if thing.shape is not None:
                shapes[thing.id] = thing.shape
    for kind, count in outside.items():
        found.report.refuse(f"{count:,} 个 {kind} 在城市的区域之外，未取。", f"{count:,} {kind} lie outside the city's areas and are left out.")
    if again:
        found.report.refuse(f"{again:,} 个编号重复，只取第一个。", f"{again:,} ids came twice; the first one stands.")
    return Entities(rows, {ident: shape for ident, shape in shapes.items() if ident in taken})
