"""The tree of the city's areas, folded into one int64: 6 county + 3 street + 3 community + 3 cell digits.

A level is an integer division; a missing level is 000. The key is ours; an official code is an attribute.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from zhongshu.kernel.problem import declare

BAD_AREA = declare(
    "area.unreadable",
    "invalid",
    zh=("“{text}”不是区域编码。", "区域编码是 15 位数字：6 位区县、3 位街道、3 位社区、3 位网格。"),
    en=("'{text}' is not an area code.", "An area code has 15 digits: 6 county, 3 street, 3 community, 3 cell."),
)

Codes = npt.NDArray[np.int64]


class Level(IntEnum):
    """The five levels, coarse to fine."""

    CITY = 0
    DISTRICT = 1
    STREET = 2
    COMMUNITY = 3
    CELL = 4


UNIT = {Level.CITY: 10**11, Level.DISTRICT: 10**9, Level.STREET: 10**6, Level.COMMUNITY: 10**3, Level.CELL: 1}
"""How many codes an area of each level holds: its codes are [code, code + UNIT)."""

NAMES = {Level.CITY: "city", Level.DISTRICT: "district", Level.STREET: "street", Level.COMMUNITY: "community", Level.CELL: "cell"}


@dataclass(frozen=True, slots=True)
class Area:
    """One node: its key, names, official code if it has one, population, label point (degrees, EPSG:4490) and dates (µs)."""

    code: int
    name_zh: str
    name_en: str
    official: str = ""
    population: int = 0
    lon: float = 0.0
    lat: float = 0.0
    valid_from: int = 0
    valid_to: int | None = None
    successors: tuple[int, ...] = ()


def level_of(code: int) -> Level:
    """Return the level an area's code stands for: the finest that is not 000."""
    if code % 10**11 == 0:
        return Level.CITY
    for level in (Level.DISTRICT, Level.STREET, Level.COMMUNITY):
        if code % UNIT[level] == 0:
            return level
    return Level.CELL


def at_level(code: int, level: Level) -> int:
    """Return the code of the area of `level` that holds `code`."""
    return code // UNIT[level] * UNIT[level]


def parent(code: int) -> int | None:
    """Return the next coarser area's code that differs, or None for a city."""
    for level in range(level_of(code) - 1, -1, -1):
        if (up := at_level(code, Level(level))) != code:
            return up
    return None


def city_of(code: int) -> int:
    """Return the city's code."""
    return at_level(code, Level.CITY)


def unplaced(city: int) -> int:
    """Return the city's area for what has no place: district 99."""
    return city_of(city) + 99 * UNIT[Level.DISTRICT]


def interval(code: int) -> tuple[int, int]:
    """Return the half-open interval of codes that lie in an area."""
    return code, code + UNIT[level_of(code)]


def parse_area(text: str) -> int:
    """Read 15 digits into a code."""
    if len(text) != 15 or not text.isascii() or not text.isdigit():  # noqa: PLR2004 (the key's length)
        raise BAD_AREA(text=text)
    return int(text)


def show_area(code: int) -> str:
    """Write a code as 15 digits (a string, since JSON's numbers end at 2^53 for many readers)."""
    return f"{code:015d}"


def keyed(codes: Codes, level: Level) -> Codes:
    """Return areas of a level as keys: they sort by code, then by level, so that areas of several levels stand in one column."""
    return codes << 3 | int(level)


def within(codes: Codes, intervals: Iterable[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """Return which codes lie in any of the intervals."""
    held = np.zeros(len(codes), dtype=np.bool_)
    for low, high in intervals:
        held |= (codes >= low) & (codes < high)
    return held
