"""Bytes to columns for the native shape of readings: NDJSON, JSON, CSV and Arrow IPC. The only loop per reading is here.

Knows the registry's numbers; knows nothing of journals, networks or packs. A bad row is refused alone; a bad body is refused whole.
"""

import gzip
import io
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from zhongshu.kernel.clock import parse_time
from zhongshu.kernel.journal import Refused
from zhongshu.kernel.problem import Problem, declare

BAD_BODY = declare(
    "intake.unreadable", "invalid",
    zh=("无法读取提交的内容（{form}）：{why}。", "请检查格式与编码（UTF-8）后重新提交，未记入任何数据。"),
    en=("The body cannot be read as {form}: {why}.", "Check its format and encoding (UTF-8) and send it again; nothing was taken in."),
)
TOO_LARGE = declare(
    "intake.too_large", "too_large",
    zh=("提交的内容超过 {limit} 字节。", "请拆成较小的批次。"),
    en=("The body is larger than {limit} bytes.", "Send it in smaller batches."),
)
LONG_LINE = declare(
    "intake.line_too_long", "invalid",
    zh=("第 {row} 行超过 {limit} 字节。", "请检查换行，逐条发送。"),
    en=("Line {row} is longer than {limit} bytes.", "Check the line breaks and send one reading a line."),
)
BAD_ROW = declare(
    "reading.unreadable", "invalid",
    zh=("这一行无法读取：{why}。", "每行应有 entity、property、time、value。"),
    en=("This row cannot be read: {why}.", "A row has entity, property, time and value."),
)

MAX_BODY = 64 * 2**20
MAX_LINE = 64 * 2**10
MAX_ROWS = 2_000_000
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_WORDS = ("entity", "property", "time", "unit", "quality", "value")


class Row(msgspec.Struct, gc=False):
    """One native reading: time is RFC 3339 or integer ms/µs since 1970; no unit means the property's own."""

    entity: str
    property: str
    time: str | int
    value: float | None
    unit: str | None = None
    quality: str | None = None


@dataclass(slots=True)
class Decoded:
    """Columns as sent, not yet checked; `line` is each row's place in the body, `sent` gives the i-th row as it was sent, so that it can be mended."""

    entity: list[str]
    property: list[str]
    unit: list[str | None]
    quality: list[str | None]
    time: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    missing: npt.NDArray[np.bool_]
    line: npt.NDArray[np.int64]
    refused: list[Refused] = field(default_factory=list)
    sent: Callable[[int], str] | None = None


@dataclass(slots=True)
class Lines:
    """Rows of JSON as they were read, not yet columns, so that the rows of several bodies become columns in one go; the fields are those of `Decoded`."""

    rows: list[Row]
    line: npt.NDArray[np.int64]
    refused: list[Refused]
    sent: Callable[[int], str]

    def __len__(self) -> int:
        """Return the number of rows that could be read."""
        return len(self.rows)


_rows = msgspec.json.Decoder(list[Row])
_one = msgspec.json.Decoder(Row)
_raw_rows = msgspec.json.Decoder(list[msgspec.Raw])
BAD = np.int64(-(2**63))
"""A time that could not be read."""
EARLIEST = np.int64(-(2**53))
"""No reading is older (the year 1684): what says so was misread."""


def unpack(body: bytes, encoding: str) -> bytes:
    """Undo gzip, refusing what is torn or would grow beyond the limit."""
    if len(body) > MAX_BODY:
        raise TOO_LARGE(limit=MAX_BODY)
    encoding = encoding.strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise BAD_BODY(form=encoding, why="only gzip is undone here")
    if "gzip" not in encoding and not body.startswith(_GZIP):
        return body
    try:
        with gzip.open(io.BytesIO(body)) as stream:
            plain = stream.read(MAX_BODY + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BAD_BODY(form="gzip", why=str(error)) from None
    if len(plain) > MAX_BODY:
        raise TOO_LARGE(limit=MAX_BODY)
    return plain


def decode(body: bytes, media: str) -> Decoded:
    """Decode a body by its media type; unknown types are taken for NDJSON or JSON by their first byte."""
    held = read(body, media)
    return held if isinstance(held, Decoded) else columns([held])


def read(body: bytes, media: str) -> Decoded | Lines:
    """Read a body as far as is worth it alone: tables into columns, JSON into rows."""
    media = media.lower()
    if "arrow" in media:
        return _from_table(_arrow(body), "Arrow IPC")
    body = body.removeprefix(_BOM)
    if "csv" in media:
        return _csv(body)
    return _json(body) if is_list(body) else _ndjson(body)


def is_list(body: bytes) -> bool:
    """Tell a JSON list from lines of which the first happens to be one."""
    body = body.lstrip()
    if body[:1] != b"[":
        return False
    end = body.find(b"\n")
    return end < 0 or body[:end].rstrip()[-1:] != b"]" or not body[end:].strip()


def _ndjson(body: bytes) -> Lines:
    every = body.split(b"\n")
    if (rows := _at_once(body, every)) is not None:
        return Lines(rows, np.arange(len(rows)), [], lambda i: every[i].decode("utf-8", "backslashreplace"))
    lines = [line for line in every if line.strip()]
    whole = len(lines) == len(every) - (not every[-1].strip())
    at = np.arange(len(lines)) if whole else np.flatnonzero([bool(line.strip()) for line in every])

    each = _one_by_one(lines, at)
    return _whole(body) if each is None else each


def _at_once(body: bytes, every: list[bytes]) -> list[Row] | None:
    """Decode lines of which every one is a good row; None if any is not."""
    if max(map(len, every)) > MAX_LINE:
        return None
    try:
        rows = _one.decode_lines(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return rows if len(rows) == len(every) - (not every[-1]) and b"" not in every[:-1] else None


def _one_by_one(lines: list[bytes], at: npt.NDArray[np.int64]) -> Lines | None:
    """Decode lines of which some are bad; None if they are one document written over several lines."""
    good, kept, refused = [], [], []
    for i, line in enumerate(lines):
        number = int(at[i])
        if len(line) > MAX_LINE:
            refused.append(_refuse(number, LONG_LINE(row=number + 1, limit=MAX_LINE), line[:MAX_LINE]))
            continue
        try:
            good.append(_one.decode(line))
            kept.append(i)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            refused.append(_refuse(number, BAD_ROW(why=str(error)), line))
    if not good and len(lines) > 1 and lines[0].strip() == b"{":
        return None
    return Lines(good, at[kept] if kept else at[:0], refused, lambda i: lines[kept[i]].decode("utf-8", "backslashreplace"))


def _whole(body: bytes) -> Lines:
    """Decode a body that is one row, written over several lines."""
    try:
        rows = [_one.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BAD_BODY(form="JSON", why=str(error)) from None
    return Lines(rows, np.zeros(1, np.int64), [], lambda _: body.decode())


def _json(body: bytes) -> Lines:
    """Decode a JSON list; where some rows are bad, one by one."""
    try:
        rows = _rows.decode(body)
        return Lines(rows, np.arange(len(rows)), [], _Rows(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        held = _held(body, error)
    good, at, refused = [], [], []
    for number, raw in enumerate(held):
        try:
            good.append(_one.decode(raw))
            at.append(number)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            refused.append(_refuse(number, BAD_ROW(why=str(error)), raw[:MAX_LINE]))
    return Lines(good, np.array(at, np.int64), refused, lambda i: held[at[i]].decode("utf-8", "backslashreplace"))


def _held(body: bytes, error: Exception) -> list[bytes]:
    """Return a list's rows as they stand; a bare NaN or Infinity, which JSON does not have, costs its own row only."""
    try:
        if isinstance(error, msgspec.ValidationError):
            return [bytes(raw) for raw in _raw_rows.decode(body)]
        rows = json.loads(body)
        return [json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") for row in rows]
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise BAD_BODY(form="JSON", why=str(error)) from None


class _Rows:
    """A list's rows as they were sent, found when one is first asked for."""

    def __init__(self, body: bytes) -> None:
        self._body, self._rows = body, [msgspec.Raw()][:0]

    def __call__(self, i: int) -> str:
        self._rows = self._rows or _raw_rows.decode(self._body)
        return bytes(self._rows[i]).decode("utf-8", "backslashreplace")[:MAX_LINE]


def _refuse(row: int, problem: Problem, raw: bytes) -> Refused:
    return Refused(row, problem.kind.code, problem.particulars, raw.decode("utf-8", "backslashreplace"))


def columns(parts: list[Lines]) -> Decoded:
    """Turn the rows of some bodies into columns, one body after the other (the one loop per reading). `line` and `refused` stay each body's own."""
    rows = parts[0].rows if len(parts) == 1 else [row for part in parts for row in part.rows]
    values = [r.value for r in rows]
    gaps = None in values
    return Decoded(
        [r.entity for r in rows], [r.property for r in rows], [r.unit for r in rows], [r.quality for r in rows], _times(parts),
        np.array([np.nan if v is None else v for v in values] if gaps else values, np.float64), np.array([v is None for v in values], np.bool_) if gaps else np.zeros(len(rows), np.bool_),
        parts[0].line if len(parts) == 1 else np.concatenate([part.line for part in parts]), [r for part in parts for r in part.refused], _sent_by(parts),
    )


def _times(parts: list[Lines]) -> npt.NDArray[np.int64]:
    """Read all times at once where all are integers; else each body alone, so that an odd one costs only itself."""
    times = [[r.time for r in part.rows] for part in parts]
    whole: list[Any] = [t for each in times for t in each]
    return _scale(whole) if set(map(type, whole)) == {int} else np.concatenate([read_times(each) for each in times])


def _sent_by(parts: list[Lines]) -> Callable[[int], str]:
    if len(parts) == 1:
        return parts[0].sent
    ends = np.cumsum([len(part) for part in parts])

    def sent(i: int) -> str:
        at = int(np.searchsorted(ends, i, side="right"))
        return parts[at].sent(i - int(ends[at]) + len(parts[at]))

    return sent


def read_times(times: list[Any]) -> npt.NDArray[np.int64]:
    """Read RFC 3339 texts and integers of ms or µs since 1970 into µs; what cannot be read becomes `BAD`."""
    if not times:
        return np.zeros(0, np.int64)
    if set(map(type, times)) == {int}:
        return _scale(times)
    try:
        return np.asarray(pa.array(times, pa.string()).cast(pa.timestamp("us", "UTC")).cast(pa.int64()))
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return np.array([_read_time(t) for t in times], np.int64)


def _scale(times: list[int]) -> npt.NDArray[np.int64]:
    try:
        stamps = np.array(times, np.int64)
    except OverflowError:
        stamps = np.array([min(max(t, -(2**62)), 2**62) for t in times], np.int64)
    small = (stamps > -(10**14)) & (stamps < 10**14)
    return np.where(small, np.where(small, stamps, 0) * 1000, stamps)


def _read_time(time: Any) -> int:  # noqa: ANN401 (what a row holds)
    """Read one time: RFC 3339, or ms or µs since 1970, also as digits."""
    if isinstance(time, str) and _MS_DIGITS <= len(time) <= 2 * _MS_DIGITS and time.isascii() and time.isdigit():
        time = int(time)
    if isinstance(time, int):
        return int(_scale([time])[0])
    try:
        return parse_time(str(time))
    except Problem:
        return int(BAD)


_MS_DIGITS = 12
"""Fewer digits are no milliseconds of our day; `20240101` is a date without a time."""


def _arrow(body: bytes) -> pa.Table:
    try:
        table = (pa.ipc.open_file(body) if body.startswith(b"ARROW1") else pa.ipc.open_stream(body)).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BAD_BODY(form="Arrow IPC", why=str(error).split("\n")[0]) from None
    return table


def _csv(body: bytes) -> Decoded:
    """Read CSV; a line with too few or too many cells is refused alone."""
    refused: list[Refused] = []

    def odd(line: pacsv.InvalidRow) -> str:
        problem = BAD_ROW(why=f"{line.actual_columns} cells where {line.expected_columns} are expected")
        refused.append(Refused(line.number - 2, problem.kind.code, problem.particulars, line.text))
        return "skip"

    try:
        body.decode()
        table = pacsv.read_csv(
            io.BytesIO(body), read_options=pacsv.ReadOptions(use_threads=False), parse_options=pacsv.ParseOptions(invalid_row_handler=odd),
            convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(_WORDS, pa.string())))
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise BAD_BODY(form="CSV", why=str(error).split("\n")[0]) from None
    out = _from_table(table, "CSV")
    bad = {r.row for r in refused}
    if bad:
        out.line = np.array([i for i in range(len(table) + len(bad)) if i not in bad][: len(table)], np.int64)
        out.refused = refused
    return out


def _from_table(table: pa.Table, form: str) -> Decoded:
    """Turn a table with the native columns into ours."""
    try:
        names = table.column_names
    except UnicodeDecodeError as error:
        raise BAD_BODY(form=form, why=str(error)) from None
    if len(table) > MAX_ROWS or table.nbytes > 4 * MAX_BODY:
        raise TOO_LARGE(limit=4 * MAX_BODY)
    wrong = [name for name in _WORDS[:3] + _WORDS[5:] if names.count(name) != 1] + [name for name in _WORDS[3:5] if names.count(name) > 1]
    if wrong:
        raise BAD_BODY(form=form, why=f"it must have one column {', '.join(wrong)}")
    try:
        held = {name: table[name].combine_chunks() for name in _WORDS if name in names}
        words: dict[str, list[Any]] = {name: held[name].cast(pa.string()).to_pylist() if name in held else [None] * len(table) for name in ("entity", "property", "unit", "quality")}
        times, values = _column_of_times(held["time"]), _column_of_values(held["value"])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BAD_BODY(form=form, why=str(error).split("\n")[0]) from None

    def sent(i: int) -> str:
        return json.dumps({name: column[i].as_py() for name, column in held.items()}, ensure_ascii=False, default=str)

    return Decoded(
        [e or "" for e in words["entity"]], [p or "" for p in words["property"]], [u or None for u in words["unit"]], words["quality"], times, *values,
        np.arange(len(table), dtype=np.int64), sent=sent)


def _column_of_times(time: pa.Array) -> npt.NDArray[np.int64]:
    if pa.types.is_timestamp(time.type):
        if time.type.tz is None:
            message = "its times have no time zone"
            raise ValueError(message)
        return np.asarray(pc.fill_null(time.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64()), int(BAD)))
    if pa.types.is_integer(time.type):
        return np.where(np.asarray(time.is_null()), BAD, _scale(time.fill_null(0).to_pylist()))
    return read_times([t or "" for t in time.cast(pa.string()).to_pylist()])


def _column_of_values(value: pa.Array) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return numbers (NaN where there is none to be read) and which are absent."""
    if pa.types.is_floating(value.type) or pa.types.is_integer(value.type):
        return np.asarray(value.cast(pa.float64(), safe=False).fill_null(np.nan)), np.asarray(value.is_null())
    texts = value.cast(pa.string()).to_pylist()
    return np.array([number(t) for t in texts], np.float64), np.array([t is None or t == "" for t in texts], np.bool_)


def number(text: str | None) -> float:
    """Read a number as people and machines write it (no `1_000`, no full-width digits); NaN for what is none."""
    if not text or not text.isascii() or "_" in text:
        return np.nan
    try:
        return float(text)
    except ValueError:
        return np.nan
