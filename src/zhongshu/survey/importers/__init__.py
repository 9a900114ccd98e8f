"""How a real city comes in: a file of polygons becomes areas with codes, a folder and a base map. Bad features are told and left out; good ones stay.

Read top to bottom: read → coordinates → judge → codes → parents → files. It must never know a particular city.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry

from zhongshu.kernel.area import NAMES, Level, level_of
from zhongshu.kernel.problem import Problem, declare
from zhongshu.survey.areas import Areas
from zhongshu.survey.city import City, check_vacant, check_zone
from zhongshu.survey.entities import Entities
from zhongshu.survey.importers.coding import CITY, Coded, assigned, read_table, tabled
from zhongshu.survey.importers.coordinates import to_cgcs2000
from zhongshu.survey.importers.features import Features, read_features
from zhongshu.survey.importers.shapes import judge
from zhongshu.survey.importers.tree import Leaf, tree
from zhongshu.survey.place import Place
from zhongshu.survey.progress import Progress, teller
from zhongshu.survey.tiles import area_layers, draw_tiles

NOTHING_USABLE = declare(
    "survey.import_nothing_usable",
    "invalid",
    zh=("{name} 的 {count} 个要素没有一个能用；第一个的原因：{first}", "请先改正原文件。"),
    en=("None of the {count} features of {name} can be used; the first because: {first_en}", "Correct the source file first."),
)
BAD_LEVEL = declare(
    "survey.bad_level",
    "invalid",
    zh=("不能按“{level}”导入。", "级别请取 district、street、community 或 cell。"),
    en=("Areas cannot be imported as '{level}'.", "Choose district, street, community or cell."),
)
BAD_CITY = declare(
    "survey.bad_city_code",
    "invalid",
    zh=("{code} 不是可以自行编号的城市编码。", "没有官方编码的城市以 98 开头，例如 980100000000000；有官方编码的请给编码表。"),
    en=("{code} is no city code that may be assigned.", "Cities without official codes begin with 98, for example 980100000000000; with official codes, give a code table."),
)

_STEPS = (
    ("读取文件", "Reading the file"),
    ("转换坐标", "Turning coordinates"),
    ("检查每个图形", "Judging every shape"),
    ("编码、合成上级区域", "Giving codes, joining parents"),
    ("建立位置索引", "Indexing places"),
    ("绘制底图、写入城市目录", "Drawing the base map, writing the city's folder"),
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns to use: names (guessed if empty), English names, keys for a code table (guessed if empty), population."""

    name: str = ""
    name_en: str = ""
    key: str = ""
    population: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the imported city is to be called, and how its features are to be taken. `codes`: CSV of feature key → 15-digit code."""

    name_zh: str
    name_en: str
    time_zone: str
    level: str = "street"
    layer: str | None = None
    columns: Columns = Columns()
    codes: Path | None = None
    city: int = CITY


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be said of one feature: its number in the file from 1, its name, and the Problem."""

    feature: int
    name: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class Report:
    """What came of an import: how many features there were and came in, which were left out, which were mended."""

    city: City
    features: int
    imported: int
    skipped: tuple[Note, ...]
    mended: tuple[Note, ...]


@dataclass(slots=True)
class _Row:
    feature: int
    shape: BaseGeometry
    name: str
    name_en: str
    key: str
    people: int
    code: int = 0


def import_areas(path: Path, folder: Path, crs: str, wanted: Wanted, progress: Progress | None = None) -> Report:
    """Import a file of polygons into an empty city folder and report on every feature that was left out or mended.

    `crs`: wgs84, cgcs2000, gcj02, EPSG:n or file. What makes the whole file unusable is a Problem, and nothing is written.
    """
    level, tell = _level(wanted), teller(_STEPS, progress)
    check_zone(wanted.time_zone)
    check_vacant(folder)
    tell()
    features = read_features(path, wanted.layer)
    tell()
    features = Features(features.name, to_cgcs2000(features.shapes, crs, features.crs, features.name), features.columns, features.crs)
    tell()
    rows, skipped, mended = _judge(features, wanted.columns)
    tell()
    rows, uncoded = _code(rows, wanted, level, features)
    areas = tree([Leaf(row.code, row.name, row.name_en, row.people, row.shape) for row in rows], wanted.name_zh, wanted.name_en)
    tell()
    areas.save(folder)
    Entities(()).save(folder)
    Place.open(areas, folder)
    tell()
    city = _city(areas, wanted)
    draw_tiles(folder / "map" / "city.pmtiles", area_layers(areas), wanted.name_en)
    city.save(folder)
    return Report(city, len(features.shapes), len(rows), tuple(sorted([*skipped, *uncoded], key=lambda note: note.feature)), tuple(mended))


def _level(wanted: Wanted) -> Level:
    levels = {name: level for level, name in NAMES.items() if level is not Level.CITY}
    if wanted.level not in levels:
        raise BAD_LEVEL(level=wanted.level)
    if wanted.codes is None and (level_of(wanted.city) is not Level.CITY or wanted.city // 10**13 != 98):  # noqa: PLR2004 (the prefix of cities without official codes)
        raise BAD_CITY(code=wanted.city)
    return levels[wanted.level]


def _judge(features: Features, columns: Columns) -> tuple[list[_Row], list[Note], list[Note]]:
    """Take every usable feature; of the others and of the mended ones make notes."""
    count = len(features.shapes)
    key_field, name_field = columns.key or features.key_field(), columns.name or features.name_field()
    keys = features.texts(key_field) if key_field else [""] * count
    names = features.texts(name_field) if name_field else [""] * count
    english = features.texts(columns.name_en) if columns.name_en else [""] * count
    people = features.texts(columns.population) if columns.population else [""] * count
    rows: list[_Row] = []
    skipped: list[Note] = []
    mended: list[Note] = []
    for at, shape in enumerate(features.shapes):
        judged = judge(shape, at + 1)
        if judged.problem is not None:
            (skipped if judged.shape is None else mended).append(Note(at + 1, names[at] or keys[at], judged.problem))
        if judged.shape is not None:
            rows.append(_Row(at + 1, judged.shape, names[at], english[at] or names[at], keys[at], _whole(people[at])))
    if not rows:
        first = skipped[0].problem
        raise NOTHING_USABLE(name=features.name, count=count, first=first.sentence("zh"), first_en=first.sentence("en"))
    return rows, skipped, mended


def _whole(text: str) -> int:
    try:
        return max(0, round(float(text)))
    except (ValueError, OverflowError):
        return 0


def _code(rows: list[_Row], wanted: Wanted, level: Level, features: Features) -> tuple[list[_Row], list[Note]]:
    """Give every row its code, and a name if it has none; rows without a usable code become notes."""
    if wanted.codes is None:
        points = [shapely.point_on_surface(row.shape) for row in rows]
        coded = assigned([(point.x, point.y) for point in points], level, wanted.city)
    else:
        field = wanted.columns.key or features.key_field() or "-"
        coded = tabled(read_table(wanted.codes), [row.key for row in rows], [row.feature for row in rows], level, field)
    kept = []
    for row, code in zip(rows, coded.codes, strict=True):
        if code is not None:
            row.code = code
            row.name = row.name or f"区域{row.key or row.feature}"
            row.name_en = row.name_en or f"Area {row.key or row.feature}"
            kept.append(row)
    return kept, _notes(rows, coded)


def _notes(rows: Sequence[_Row], coded: Coded) -> list[Note]:
    return [Note(rows[index].feature, rows[index].name or rows[index].key, problem) for index, problem in coded.problems.items()]


def _city(areas: Areas, wanted: Wanted) -> City:
    row = areas.city
    bounds = areas.bounds(row.code) or (row.lon, row.lat, row.lon, row.lat)
    return City(wanted.name_zh, wanted.name_en, row.code, wanted.time_zone, row.lon, row.lat, bounds, row.population)
