"""How areas of one level become a city's tree: joined upward, with the area for what has no place. It must never know a file."""

from collections.abc import Sequence
from dataclasses import dataclass

import shapely
from shapely.geometry.base import BaseGeometry

from zhongshu.kernel.area import Area, Level, city_of, level_of, parent, unplaced
from zhongshu.survey.areas import Areas

_WORDS = {Level.DISTRICT: ("区", "District"), Level.STREET: ("街道", "Street"), Level.COMMUNITY: ("社区", "Community")}


@dataclass(frozen=True, slots=True)
class Leaf:
    """An area with its code: names, people, polygon (degrees)."""

    code: int
    name_zh: str
    name_en: str
    people: int
    shape: BaseGeometry


def tree(leaves: Sequence[Leaf], city_zh: str, city_en: str) -> Areas:
    """Join areas of one level upward to the city: a parent's shape is its children's, its people are theirs."""
    known = {leaf.code: (_area(leaf.code, (leaf.name_zh, leaf.name_en), leaf.people, leaf.shape), leaf.shape) for leaf in leaves}
    city = city_of(leaves[0].code)
    for level in range(level_of(leaves[0].code) - 1, -1, -1):
        groups: dict[int, list[int]] = {}
        for code in list(known):
            if level_of(code) == level + 1:
                groups.setdefault(parent(code) or city, []).append(code)
        for up, below in groups.items():
            shape = shapely.union_all([known[code][1] for code in below])
            known[up] = (_area(up, _parent_name(up, city_zh, city_en), sum(known[code][0].population for code in below), shape), shape)
    lost = Area(unplaced(city), "未定位区域", "Unplaced", lon=known[city][0].lon, lat=known[city][0].lat)
    return Areas([*(area for area, _ in known.values()), lost], [*(shape for _, shape in known.values()), None])


def _parent_name(code: int, zh: str, en: str) -> tuple[str, str]:
    level = level_of(code)
    if level is Level.CITY:
        return zh, en
    word_zh, word_en = _WORDS[level]
    serial = code // {Level.DISTRICT: 10**9, Level.STREET: 10**6, Level.COMMUNITY: 10**3}[level] % (100 if level is Level.DISTRICT else 1000)
    return f"{zh}{word_zh}{serial}", f"{en} {word_en} {serial}"


def _area(code: int, name: tuple[str, str], people: int, shape: BaseGeometry) -> Area:
    point = shape.centroid if shape.covers(shape.centroid) else shapely.point_on_surface(shape)
    return Area(code, *name, population=people, lon=point.x, lat=point.y)
