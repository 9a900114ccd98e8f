"""The tables of a GTFS feed (.zip), as columns of text: read in streams, checked for what they must have, each fault with its file, its line and its cause.

Reference: https://gtfs.org/documentation/schedule/reference/. It must never know what a line or a stop is.
"""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.reason import why
from zhongshu.survey.importers.models.imported import FAULTY, UNREADABLE

NO_TABLE = declare(
    "survey.gtfs_no_table",
    "invalid",
    zh=("{name} 里没有 {table}。", "GTFS 必须有它；请核对压缩包里的文件名：有的是 {there}。"),
    en=("{name} has no {table}.", "GTFS needs it; check the names of the files in the archive: it has {there}."),
)
NONE_THERE = declare(
    "survey.gtfs_none_there",
    "invalid",
    zh=("{table} 里一个{what_zh}也没有。", "请核对导出的文件。"),
    en=("There is not a single {what_en} in {table}.", "Check the file that was exported."),
)

COLUMNS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "agency.txt": (("agency_name", "agency_timezone"), ("agency_id",)),
    "stops.txt": (("stop_id", "stop_name", "stop_lat", "stop_lon"), ("stop_code", "location_type", "parent_station", "platform_code", "wheelchair_boarding")),
    "routes.txt": (("route_id", "route_type"), ("agency_id", "route_short_name", "route_long_name")),
    "trips.txt": (("route_id", "service_id", "trip_id"), ("shape_id", "direction_id")),
    "stop_times.txt": (("trip_id", "arrival_time", "departure_time", "stop_id", "stop_sequence"), ()),
    "calendar.txt": (("service_id", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "start_date", "end_date"), ()),
    "calendar_dates.txt": (("service_id", "date", "exception_type"), ()),
    "shapes.txt": (("shape_id", "shape_pt_lat", "shape_pt_lon", "shape_pt_sequence"), ()),
    "frequencies.txt": (("trip_id", "start_time", "end_time", "headway_secs"), ()),
    "feed_info.txt": (("feed_publisher_name",), ()),
}
"""Table → the columns it must have, and those that are read where it has them."""
NEEDED = ("agency.txt", "stops.txt", "routes.txt", "trips.txt", "stop_times.txt")
MOST = 8 * 2**30
"""So many bytes all tables may have when unpacked."""
_PLAIN, _PACKED = 256 * 2**20, 100
"""A table that unpacks to more than the first may be as many times larger than packed as the second says; timetables are 5 to 15 times."""
_ROW = re.compile(r"Row #(\d+): (.*)")
_BROKEN = (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError)

Texts: TypeAlias = Any  # pa.ChunkedArray of strings
Table = Mapping[str, Texts]
Seconds = npt.NDArray[np.int64]
MISSING = -1
"""No time is given."""


def read_tables(path: Path) -> dict[str, Table]:
    """Read every table of a feed that we know, as text without blanks around it; what makes the feed unusable is a Problem."""
    if not path.is_file():
        raise UNREADABLE(name=path.name, **why("No such file"))
    if not path.stat().st_size:
        raise UNREADABLE(name=path.name, why_zh="它是空的", why_en="it is empty")
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(path.name, archive)
            for table in NEEDED:
                if table not in members:
                    raise NO_TABLE(name=path.name, table=table, there=", ".join(sorted(members)) or "-")
            if not members.keys() & {"calendar.txt", "calendar_dates.txt"}:
                raise NO_TABLE(name=path.name, table="calendar.txt / calendar_dates.txt", there=", ".join(sorted(members)))
            return {table: _read(archive, members[table], table) for table in COLUMNS if table in members}
    except _BROKEN as error:
        raise UNREADABLE(name=path.name, **why(error, "它不是完整的 zip")) from None


def _members(name: str, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the archive's files by their names without folders; one that unpacks beyond all measure is a Problem."""
    held = [info for info in archive.infolist() if not info.is_dir()]
    for info in held:
        if info.file_size > max(_PLAIN, info.compress_size * _PACKED):
            raise UNREADABLE(
                name=f"{name}/{info.filename}", why_zh=f"解压后有 {info.file_size:,} 字节，不可信", why_en=f"it unpacks to {info.file_size:,} bytes, which is not believable"
            )
    if sum(info.file_size for info in held) > MOST:
        raise UNREADABLE(name=name, why_zh=f"解压后超过 {MOST // 2**30} GB", why_en=f"unpacked it is larger than {MOST // 2**30} GB")
    return {Path(info.filename).name: info for info in sorted(held, key=lambda each: -each.filename.count("/"))}


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, table: str) -> Table:
    needed, more = COLUMNS[table]
    with archive.open(member) as stream:
        header = _header(stream.readline(1 << 16), table)
    for column in needed:
        if column not in header:
            raise faulty(table, 1, f"缺少 {column} 这一列；有的是 {'、'.join(header)}。", f"there is no column {column}; there are {', '.join(header)}.")
    wanted = [header[column] for column in (*needed, *more) if column in header]
    convert = pa_csv.ConvertOptions(column_types=dict.fromkeys(header.values(), pa.string()), include_columns=wanted, strings_can_be_null=False)
    try:
        with archive.open(member) as stream:
            held = pa_csv.read_csv(stream, pa_csv.ReadOptions(use_threads=False, block_size=1 << 24), pa_csv.ParseOptions(newlines_in_values=True), convert)
    except pa.ArrowInvalid as error:
        raise _cause(archive, member, table, str(error)) from None
    trimmed = {column: pc.utf8_trim_whitespace(held.column(header[column])) for column in (*needed, *more) if column in header}
    empty = pa.chunked_array([pa.nulls(held.num_rows, pa.string()).fill_null("")])
    return trimmed | {column: empty for column in more if column not in header}


def _header(line: bytes, table: str) -> dict[str, str]:
    """Return the columns' names, trimmed → as written."""
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise faulty(table, 1, f"第 {error.start + 1} 个字节起不是 UTF-8。", f"it is not UTF-8 from byte {error.start + 1} on.") from None
    names = next(csv.reader(io.StringIO(text)), [])
    if not names:
        raise faulty(table, 1, "文件是空的。", "the file is empty.")
    return {name.strip(): name for name in names}


def _cause(archive: zipfile.ZipFile, member: zipfile.ZipInfo, table: str, said: str) -> Problem:
    """Turn what the reader said into the line and the cause."""
    if "UTF8" not in said and (found := _ROW.search(said)):
        wrong = re.search(r"Expected (\d+) columns, got (\d+)", found[2])
        zh = f"应有 {wrong[1]} 列，实有 {wrong[2]} 列。" if wrong else f"读不了（{found[2]}）。"
        return faulty(table, int(found[1]), zh, f"expected {wrong[1]} columns, got {wrong[2]}." if wrong else f"{found[2]}.")
    with archive.open(member) as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return faulty(table, number, f"第 {error.start + 1} 个字节起不是 UTF-8。", f"it is not UTF-8 from byte {error.start + 1} on.")
    return faulty(table, 1, f"读不了（{said.splitlines()[0]}）。", f"{said.splitlines()[0]}.")


def faulty(table: str, line: int, zh: str, en: str) -> Problem:
    """Return the Problem of a line."""
    return FAULTY(name=table, line=line, cause_zh=zh, cause_en=en)


def _first(wrong: pa.ChunkedArray | npt.NDArray[np.bool_]) -> int | None:
    held = np.asarray(wrong, dtype=bool)
    return int(held.argmax()) if held.any() else None


def unique(table: str, column: str, keys: Texts) -> None:
    """Raise a Problem if a key is empty or comes twice."""
    values = keys.combine_chunks().dictionary_encode()
    codes = np.asarray(values.indices)
    _, first = np.unique(codes, return_index=True)
    twice = np.ones(len(codes), dtype=bool)
    twice[first] = False
    if (at := _first(pc.equal(keys, ""))) is not None:
        raise faulty(table, at + 2, f"{column} 是空的。", f"{column} is empty.")
    if (at := _first(twice)) is not None:
        raise faulty(table, at + 2, f"{column} “{keys[at]}”出现了两次。", f"{column} '{keys[at]}' comes twice.")


def refers(table: str, column: str, keys: Texts, to: str, known: Texts, *, optional: bool = False) -> None:
    """Raise a Problem at the first key that another table does not have."""
    wrong = pc.invert(pc.is_in(keys, value_set=known.combine_chunks()))
    if optional:
        wrong = pc.and_(wrong, pc.not_equal(keys, ""))
    if (at := _first(wrong)) is not None:
        raise faulty(table, at + 2, f"{column} “{keys[at]}”在 {to} 里没有。", f"{column} '{keys[at]}' is not in {to}.")


def numbers(table: str, column: str, texts: Texts, low: float, high: float, *, optional: bool = False) -> npt.NDArray[np.float64]:
    """Return a column of numbers, NaN where an optional one is empty; one that is none or out of range is a Problem."""
    coded = texts.combine_chunks().dictionary_encode()
    known = np.array([_number(text.as_py()) for text in coded.dictionary], dtype=np.float64)
    values: npt.NDArray[np.float64] = known[np.asarray(coded.indices)] if len(known) else np.empty(0)
    wrong = ~((values >= low) & (values <= high))
    if optional:
        wrong &= np.asarray(pc.not_equal(texts, ""), dtype=bool)
    if (at := _first(wrong)) is not None:
        raise faulty(table, at + 2, f"{column} 是“{texts[at]}”，应为 {low:g} 到 {high:g} 的数。", f"{column} is '{texts[at]}'; it should be a number from {low:g} to {high:g}.")
    return values


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


_TIME = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d)")


def times(table: str, column: str, texts: Texts) -> Seconds:
    """Return a column of times as seconds since noon minus 12 h, past 24:00:00 where they are; MISSING where there is none."""
    coded = texts.combine_chunks().dictionary_encode()
    known = np.array([_seconds(text.as_py()) for text in coded.dictionary], dtype=np.int64)
    values: Seconds = known[np.asarray(coded.indices)] if len(known) else np.empty(0, dtype=np.int64)
    if (at := _first(values < MISSING)) is not None:
        raise faulty(table, at + 2, f"{column} 是“{texts[at]}”，不是 HH:MM:SS。", f"{column} is '{texts[at]}', which is no HH:MM:SS.")
    return values


def _seconds(text: str) -> int:
    found = _TIME.fullmatch(text)
    if found is None:
        return MISSING - 1 if text else MISSING
    return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3])


def dates(table: str, column: str, texts: Texts) -> npt.NDArray[np.datetime64]:
    """Return a column of dates (YYYYMMDD)."""
    held = []
    for at, text in enumerate(texts.to_pylist()):
        try:
            held.append(np.datetime64(f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdigit() else "-", "D"))  # noqa: PLR2004 (YYYYMMDD)
        except ValueError:
            raise faulty(table, at + 2, f"{column} 是“{text}”，不是 YYYYMMDD。", f"{column} is '{text}', which is no YYYYMMDD.") from None
    return np.array(held, dtype="datetime64[D]")


def codes(values: Texts, known: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the place of each value in a list, -1 where it is not there."""
    return np.asarray(pc.fill_null(pc.index_in(values, value_set=pa.array(known, pa.string())), -1), dtype=np.int64)
