"""Bytes to columns for the native shape of readings: NDJSON, JSON, CSV and Arrow IPC. The only loop per reading is here.

Knows the registry's numbers; knows nothing of journals, networks or packs. A bad row is refused alone; a bad body is refused whole.
"""

import gzip
import io
import json
import math
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from zhongshu.kernel.problem import Problem
from zhongshu.kernel.reason import why
from zhongshu.sense.rows import (
    BAD_BODY,
    BAD_PLACE,
    BAD_ROW,
    FOREIGN_MEDIA,
    LONG_LINE,
    MAX_BODY,
    MAX_LINE,
    NOT_A_NUMBER,
    ROW_NOT_UTF8,
    TOO_LARGE,
    Decoded,
    Lines,
    Row,
    refusal,
    text,
)
from zhongshu.sense.tabular import from_table, read_arrow, read_csv
from zhongshu.sense.times import read_times, scale

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_rows = msgspec.json.Decoder(list[Row])
_one = msgspec.json.Decoder(Row)
_raw_rows = msgspec.json.Decoder(list[msgspec.Raw])


def unpack(body: bytes, encoding: str) -> bytes:
    """Undo gzip, refusing what is torn or would grow beyond the limit."""
    if len(body) > MAX_BODY:
        raise TOO_LARGE(limit=MAX_BODY)
    encoding = encoding.strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise BAD_BODY(form=encoding, why_zh="这里只解 gzip 压缩", why_en="only gzip is undone here")
    if "gzip" not in encoding and not body.startswith(_GZIP):
        return body
    try:
        with gzip.open(io.BytesIO(body)) as stream:
            plain = stream.read(MAX_BODY + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BAD_BODY(form="gzip", **why(error)) from None
    if len(plain) > MAX_BODY:
        raise TOO_LARGE(limit=MAX_BODY)
    return plain


def decode(body: bytes, media: str) -> Decoded:
    """Decode a body by its media type; unknown types are taken for NDJSON or JSON by their first byte."""
    held = read(body, media)
    return held if isinstance(held, Decoded) else columns([held])


def read(body: bytes, media: str) -> Decoded | Lines:
    """Read a body as far as is worth it alone: tables into columns, JSON into rows."""
    form = form_of(media)
    if form == "arrow":
        return from_table(read_arrow(body), "Arrow IPC")
    body = body.removeprefix(_BOM)
    if form == "csv":
        return read_csv(body)
    return _json(body) if is_list(body) else _ndjson(body)


@lru_cache(maxsize=256)
def form_of(media: str) -> str:
    """Return which shape a media type names; those that name none are looked into, and those that name another are refused."""
    kind = media.lower().partition(";")[0].strip()
    for form in ("arrow", "csv", "json"):
        if form in kind:
            return form
    if kind in {"", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded"}:  # what clients say when nobody tells them
        return "json"
    raise FOREIGN_MEDIA(media=kind)


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
            refused.append(refusal(number, LONG_LINE(row=number + 1, limit=MAX_LINE), line))
            continue
        try:
            good.append(_one.decode(line))
            kept.append(i)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            refused.append(refusal(number, _why(error, line), line))
    if not good and len(lines) > 1 and lines[0].strip() == b"{":
        return None
    return Lines(good, at[kept] if kept else at[:0], refused, lambda i: lines[kept[i]].decode("utf-8", "backslashreplace"))


def _whole(body: bytes) -> Lines:
    """Decode a body that is one row, written over several lines."""
    try:
        rows = [_one.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text(body, "JSON")
        problem = _why(error, body)
        raise BAD_BODY(form="JSON", **why(error)) if problem.kind is BAD_ROW else problem from None
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
            refused.append(refusal(number, _why(error, raw), raw))
    return Lines(good, np.array(at, np.int64), refused, lambda i: held[at[i]].decode("utf-8", "backslashreplace"))


def _held(body: bytes, error: Exception) -> list[bytes]:
    """Return a list's rows as they stand; a bare NaN or Infinity, which JSON does not have, costs its own row only."""
    try:
        if isinstance(error, msgspec.ValidationError):
            return [bytes(raw) for raw in _raw_rows.decode(body)]
        rows = json.loads(body)
        return [json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") for row in rows]
    except (msgspec.DecodeError, ValueError, RecursionError):
        text(body, "JSON")
        raise BAD_BODY(form="JSON", **why(error)) from None


def _loaded(raw: bytes) -> Any:  # noqa: ANN401 (JSON)
    """Read JSON as people write it, NaN and Infinity too; None where it is none."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


_MISSING = "Object missing required field `"


def _why(error: Exception, raw: bytes) -> Problem:
    """Say in words of our own why a row of JSON could not be read."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return ROW_NOT_UTF8()
    row = _loaded(raw)
    if not isinstance(row, dict) or str(error).startswith(_MISSING):
        return BAD_ROW(**why(error))
    if not _is_number(value := row.get("value")):
        return NOT_A_NUMBER(text=value if isinstance(value, str) else json.dumps(value))
    lon, lat = row.get("lon"), row.get("lat")
    if any(not _is_number(degrees) or abs(degrees or 0) > most for degrees, most in ((lon, 180), (lat, 90))):
        return BAD_PLACE(lon=lon, lat=lat)
    return BAD_ROW(**why(error))


def _is_number(value: Any) -> bool:  # noqa: ANN401 (JSON)
    """Tell whether a value is a number that can be one of ours, or null."""
    if value is None:
        return True
    try:
        return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:
        return False


class _Rows:
    """A list's rows as they were sent, found when one is first asked for."""

    def __init__(self, body: bytes) -> None:
        self._body, self._rows = body, [msgspec.Raw()][:0]

    def __call__(self, i: int) -> str:
        self._rows = self._rows or _raw_rows.decode(self._body)
        return bytes(self._rows[i]).decode("utf-8", "backslashreplace")


def columns(parts: list[Lines]) -> Decoded:
    """Turn the rows of some bodies into columns, one body after the other (the one loop per reading). `line` and `refused` stay each body's own."""
    rows = parts[0].rows if len(parts) == 1 else [row for part in parts for row in part.rows]
    values = [r.value for r in rows]
    gaps = None in values
    return Decoded(
        [r.entity for r in rows],
        [r.property for r in rows],
        [r.unit for r in rows],
        [r.quality for r in rows],
        _times(parts),
        np.array([np.nan if v is None else v for v in values] if gaps else values, np.float64),
        np.array([v is None for v in values], np.bool_) if gaps else np.zeros(len(rows), np.bool_),
        parts[0].line if len(parts) == 1 else np.concatenate([part.line for part in parts]),
        [r for part in parts for r in part.refused],
        _sent_by(parts),
        lambda i: str(rows[i].time),
        lambda i: (rows[i].lon, rows[i].lat, rows[i].name or ""),
    )


def _times(parts: list[Lines]) -> npt.NDArray[np.int64]:
    """Read all times at once where all are integers; else each body alone, so that an odd one costs only itself."""
    times = [[r.time for r in part.rows] for part in parts]
    whole: list[Any] = [t for each in times for t in each]
    return scale(whole) if set(map(type, whole)) == {int} else np.concatenate([read_times(each) for each in times])


def _sent_by(parts: list[Lines]) -> Callable[[int], str]:
    if len(parts) == 1:
        return parts[0].sent
    ends = np.cumsum([len(part) for part in parts])

    def sent(i: int) -> str:
        at = int(np.searchsorted(ends, i, side="right"))
        return parts[at].sent(i - int(ends[at]) + len(parts[at]))

    return sent
