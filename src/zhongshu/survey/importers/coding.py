"""Which 15-digit code a feature gets: from a table that the city gives, else numbered by the grid standard under prefix 98.

It must never know shapes beyond their label points.
"""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zhongshu.kernel.area import Level, city_of, level_of, parse_area, unplaced
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.reason import why
from zhongshu.survey.numbering import check_room, child_code, serials

BAD_TABLE = declare(
    "survey.bad_code_table",
    "invalid",
    zh=("编码表 {name} 读不了：{why_zh}。", "编码表是 CSV，第一行写 key,code；key 是要素的键，code 是 15 位编码。"),
    en=("The code table {name} cannot be read: {why_en}.", "It is CSV whose first row says key,code: the feature's key and its 15-digit code."),
)
NO_CODE = declare(
    "survey.import_no_code",
    "invalid",
    zh=("编码表里没有第 {feature} 个要素的键“{key}”。", "请在编码表里补上这一行。"),
    en=("The code table has no key '{key}' of feature {feature}.", "Add this row to the code table."),
)
WRONG_CODE = declare(
    "survey.import_wrong_code",
    "invalid",
    zh=("第 {feature} 个要素的编码 {code} 不能用：{why_zh}。", "请在编码表里改正。"),
    en=("The code {code} of feature {feature} cannot be used: {why_en}.", "Correct it in the code table."),
)
NO_CODES = declare(
    "survey.import_no_codes",
    "invalid",
    zh=("编码表与要素没有一行对得上；用的键是“{field}”列。", "请用 key_field 指明哪一列是键。"),
    en=("Not one row of the code table fits a feature; the key column used is '{field}'.", "Say with key_field which column is the key."),
)

CITY = 9801 * 10**11
"""The city of assigned codes unless another one with prefix 98 is asked for."""


@dataclass(frozen=True, slots=True)
class Coded:
    """For each feature its code or None, and by feature index what was wrong."""

    codes: tuple[int | None, ...]
    problems: Mapping[int, Problem]


def assigned(points: Sequence[tuple[float, float]], level: Level, city: int = CITY) -> Coded:
    """Give features numbers by their label points (degrees): rows from the north, each from the west, all under one parent."""
    up = city
    for above in range(Level.DISTRICT, level):
        if level_of(up) < above:
            up = child_code(up, 1)
    check_room(up, len(points))
    numbers = serials([lon for lon, _ in points], [lat for _, lat in points])
    return Coded(tuple(child_code(up, int(number)) for number in numbers), {})


def read_table(path: Path) -> dict[str, str]:
    """Read a code table: CSV in UTF-8 or GB 18030 with the columns key and code."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BAD_TABLE(name=path.name, **why(error.strerror)) from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("gb18030", errors="replace")
    rows = csv.DictReader(io.StringIO(text))
    fields = {(field or "").strip().lower(): field for field in rows.fieldnames or ()}
    if not {"key", "code"} <= fields.keys():
        raise BAD_TABLE(name=path.name, why_zh=f"它的列是 {'、'.join(fields) or '–'}", why_en=f"its columns are {', '.join(fields) or '–'}")
    try:
        return {(row[fields["key"]] or "").strip(): (row[fields["code"]] or "").strip() for row in rows}
    except csv.Error as error:
        raise BAD_TABLE(name=path.name, **why(error)) from error


def tabled(table: Mapping[str, str], keys: Sequence[str], features: Sequence[int], level: Level, field: str) -> Coded:
    """Look every feature's key up; a row that does not fit costs its own feature only, unless none fits."""
    read = [_read(table.get(key), key, feature, level) for key, feature in zip(keys, features, strict=True)]
    cities = Counter(city_of(code) for code in read if isinstance(code, int))
    if not cities:
        raise NO_CODES(field=field)
    city = min(cities, key=lambda code: (-cities[code], code))
    codes: list[int | None] = []
    problems: dict[int, Problem] = {}
    for index, (found, feature) in enumerate(zip(read, features, strict=True)):
        code = found
        if isinstance(code, int) and city_of(code) != city:
            code = _wrong(feature, table[keys[index]], "不属于同一座城市", "it belongs to another city")
        elif isinstance(code, int) and code in codes:
            code = _wrong(feature, table[keys[index]], "已给了另一个要素", "another feature has it")
        codes.append(code if isinstance(code, int) else None)
        if isinstance(code, Problem):
            problems[index] = code
    return Coded(tuple(codes), problems)


def _read(text: str | None, key: str, feature: int, level: Level) -> int | Problem:
    if text is None:
        return NO_CODE(feature=feature, key=key)
    try:
        code = parse_area(text)
    except Problem:
        return _wrong(feature, text, "不是 15 位数字", "it has not 15 digits")
    if level_of(code) is not level:
        return _wrong(feature, text, "不是所选的级别", "it is of another level")
    if code - unplaced(code) in range(10**9):
        return _wrong(feature, text, "99 区留给未定位", "district 99 is kept for what has no place")
    return code


def _wrong(feature: int, code: str, zh: str, en: str) -> Problem:
    return WRONG_CODE(feature=feature, code=code, why_zh=zh, why_en=en)
