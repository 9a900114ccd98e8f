"""Bytes to columns for the native shape of readings: NDJSON, JSON, CSV and Arrow IPC. The only loop per reading is here.

Knows the registry's numbers; knows nothing of journals, networks or packs. A bad row is refused alone; a bad body is refused whole.
"""

import gzip
import io
import zlib
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
    """Columns as sent, not yet checked; `line` is each row's place in the body, `raw` gives the row as it was sent."""

    entity: list[str]
    property: list[str]
    unit: list[str | None]
    quality: list[str | None]
    time: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    missing: npt.NDArray[np.bool_]
    line: npt.NDArray[np.int64]
    refused: list[Refused] = field(default_factory=list)


_rows = msgspec.json.Decoder(list[Row])
_one = msgspec.json.Decoder(Row)
BAD = np.int64(-(2**63))
"""A time that could not be read."""


def unpack(body: bytes, encoding: str) -> bytes:
    """Undo gzip, refusing what is torn or would grow beyond the limit."""
    if len(body) > MAX_BODY:
        raise TOO_LARGE(limit=MAX_BODY)
    if encoding not in {"gzip", "x-gzip"} and body[:2] != b"\x1f\x8b":
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
    if "arrow" in media:
        return _from_table(_arrow(body))
    if "csv" in media:
        return _from_table(_csv(body))
    if body.lstrip()[:1] == b"[":
        try:
            return _from_rows(_rows.decode(body), None, [])
        except msgspec.ValidationError:
            return _json_rows(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BAD_BODY(form="JSON", why=str(error)) from None
    return _ndjson(body)


def _ndjson(body: bytes) -> Decoded:
    lines = [line for line in body.split(b"\n") if line.strip()]
    if max(map(len, lines), default=0) <= MAX_LINE:
        try:
            return _from_rows(_rows.decode(b"[" + b",".join(lines) + b"]"), None, [])
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    good, at, refused = [], [], []
    for number, line in enumerate(lines):
        if len(line) > MAX_LINE:
            refused.append(_refuse(number, LONG_LINE(row=number + 1, limit=MAX_LINE), line[:500]))
            continue
        try:
            good.append(_one.decode(line))
            at.append(number)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            refused.append(_refuse(number, BAD_ROW(why=str(error)), line))
    return _from_rows(good, np.array(at, np.int64), refused)


def _json_rows(body: bytes) -> Decoded:
    """Decode a JSON list of which some rows are bad, one by one."""
    good, at, refused = [], [], []
    for number, raw in enumerate(msgspec.json.decode(body, type=list[msgspec.Raw])):
        try:
            good.append(_one.decode(raw))
            at.append(number)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            refused.append(_refuse(number, BAD_ROW(why=str(error)), bytes(raw)))
    return _from_rows(good, np.array(at, np.int64), refused)


def _refuse(row: int, problem: Problem, raw: bytes) -> Refused:
    return Refused(row, problem.kind.code, problem.particulars, raw.decode("utf-8", "backslashreplace"))


def _from_rows(rows: list[Row], at: npt.NDArray[np.int64] | None, refused: list[Refused]) -> Decoded:
    """Turn rows into columns (the one loop per reading)."""
    times: list[Any] = [r.time for r in rows]
    values = [r.value for r in rows]
    missing = np.fromiter((v is None for v in values), np.bool_, len(values))
    return Decoded(
        [r.entity for r in rows], [r.property for r in rows], [r.unit for r in rows], [r.quality for r in rows], read_times(times),
        np.array([np.nan if v is None else v for v in values], np.float64), missing,
        np.arange(len(rows), dtype=np.int64) if at is None or len(at) != len(rows) else at, refused,
    )


def read_times(times: list[Any]) -> npt.NDArray[np.int64]:
    """Read RFC 3339 texts and integers of ms or µs since 1970 into µs; what cannot be read becomes `BAD`."""
    if not times:
        return np.zeros(0, np.int64)
    if all(type(t) is int for t in times):
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
    return np.where(np.abs(stamps) < 10**14, stamps * 1000, stamps)


def _read_time(time: Any) -> int:
    if isinstance(time, int):
        return int(_scale([time])[0])
    try:
        return parse_time(time)
    except Problem:
        return int(BAD)


def _arrow(body: bytes) -> pa.Table:
    try:
        table = pa.ipc.open_stream(body).read_all()
        table.validate(full=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise BAD_BODY(form="Arrow IPC", why=str(error).split("\n")[0]) from None
    return table


def _csv(body: bytes) -> pa.Table:
    try:
        return pacsv.read_csv(io.BytesIO(body), convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(("entity", "property", "time", "unit", "quality", "value"), pa.string())))
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise BAD_BODY(form="CSV", why=str(error).split("\n")[0]) from None


def _from_table(table: pa.Table) -> Decoded:
    """Turn a table with the native columns into ours."""
    absent = [name for name in ("entity", "property", "time", "value") if name not in table.column_names]
    if absent:
        raise BAD_BODY(form="table", why=f"no column {', '.join(absent)}")
    n = len(table)

    def words(name: str) -> list[Any]:
        return table[name].cast(pa.string()).to_pylist() if name in table.column_names else [None] * n

    time = table["time"]
    if pa.types.is_timestamp(time.type):
        times = np.asarray(pc.fill_null(time.cast(pa.timestamp("us", "UTC")).cast(pa.int64()), int(BAD)))
    else:
        times = read_times([t if t is not None else "" for t in time.to_pylist()])
    value = table["value"]
    if not (pa.types.is_floating(value.type) or pa.types.is_integer(value.type)):
        texts = value.cast(pa.string()).to_pylist()
        numbers = np.array([_number(t) for t in texts], np.float64)
        missing = np.array([t is None or t == "" for t in texts], np.bool_)
    else:
        missing = np.asarray(value.is_null())
        numbers = np.asarray(value.cast(pa.float64()).fill_null(np.nan))
    entity, prop = words("entity"), words("property")
    return Decoded(
        [e or "" for e in entity], [p or "" for p in prop], [u or None for u in words("unit")], words("quality"), times, numbers, missing, np.arange(n, dtype=np.int64),
    )


def _number(text: str | None) -> float:
    try:
        return float(text) if text else np.nan
    except ValueError:
        return np.nan
