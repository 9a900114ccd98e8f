"""Tables in the native shape, CSV and Arrow IPC, to columns. A bad line is refused alone, and kept as an object of named cells.

Knows no JSON but what it writes for those who mend.
"""

import csv
import io
import json
import math
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from zhongshu.kernel.journal import Refused
from zhongshu.kernel.reason import why
from zhongshu.sense.rows import BAD_BODY, BAD_PLACE, CELLS, MAX_BODY, MAX_LINE, MAX_ROWS, MORE, NOT_UTF8, TOO_LARGE, Called, Decoded, number, refusal, text
from zhongshu.sense.times import BAD, read_times, scale

_WORDS = ("entity", "property", "time", "unit", "quality", "value")
_CALLED = ("lon", "lat", "name")
_NUMBERS = frozenset({"value", "lon", "lat"})


def read_arrow(body: bytes) -> pa.Table:
    """Read Arrow IPC, a stream or a file."""
    try:
        table = (pa.ipc.open_file(body) if body.startswith(b"ARROW1") else pa.ipc.open_stream(body)).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BAD_BODY(form="Arrow IPC", **why(error)) from None
    return table


def read_csv(body: bytes) -> Decoded:
    """Read CSV, every cell as text; a line with too few or too many cells is refused alone."""
    names = next(csv.reader(io.StringIO(text(body, "CSV")[:MAX_LINE])), [])
    refused: list[Refused] = []

    def odd(line: pacsv.InvalidRow) -> str:
        problem = CELLS(found=line.actual_columns, wanted=line.expected_columns, more=MORE)
        refused.append(refusal(line.number - 2, problem, json.dumps(named(names, line.text), ensure_ascii=False)))
        return "skip"

    try:
        table = pacsv.read_csv(
            io.BytesIO(body),
            read_options=pacsv.ReadOptions(use_threads=False),
            parse_options=pacsv.ParseOptions(invalid_row_handler=odd),
            convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except pa.ArrowException as error:
        raise BAD_BODY(form="CSV", **why(error)) from None
    out = from_table(table, "CSV")
    bad = {r.row for r in refused}
    if bad:
        out.line = np.array([i for i in range(len(table) + len(bad)) if i not in bad][: len(table)], np.int64)[out.line]
        out.refused += refused
    return out


def named(names: list[str], line: str) -> dict[str, Any]:
    """Return a line's cells by the names of their columns, numbers as numbers; those beyond the header under `MORE`."""
    try:
        cells = next(csv.reader([line]), [])
    except csv.Error:
        cells = [line]
    row: dict[str, Any] = {name: _cell(name, cell) for name, cell in zip(names, cells, strict=False)}
    return row | ({MORE: cells[len(names) :]} if len(cells) > len(names) else {})


def _cell(name: str, value: Any) -> Any:  # noqa: ANN401 (whatever a table holds)
    """Return a cell as its row's JSON has it: numbers where they are meant as such, and nothing for an empty cell."""
    if value == "":
        return None
    if name in _NUMBERS:
        read = number(value) if isinstance(value, str) else value
        if isinstance(read, int | float):
            return read if math.isfinite(read) else str(value)
    return value


def from_table(table: pa.Table, form: str) -> Decoded:
    """Turn a table with the native columns into ours; a row whose place is none is refused alone."""
    try:
        names = table.column_names
    except UnicodeDecodeError:
        raise NOT_UTF8(form=form, byte=1) from None
    if len(table) > MAX_ROWS or table.nbytes > 4 * MAX_BODY:
        raise TOO_LARGE(limit=4 * MAX_BODY)
    wrong = [name for name in _WORDS[:3] + _WORDS[5:] if names.count(name) != 1] + [name for name in (*_WORDS[3:5], *_CALLED) if names.count(name) > 1]
    if wrong:
        raise BAD_BODY(form=form, why_zh=f"以下各列应有且只有一列：{'、'.join(wrong)}", why_en=f"it must have one column {', '.join(wrong)}")
    try:
        table, line, refused = _placed(table.combine_chunks())
        held = {name: _joined(table[name]) for name in _WORDS if name in names}
        words: dict[str, list[Any]] = {
            name: held[name].cast(pa.string()).to_pylist() if name in held else [None] * len(table) for name in ("entity", "property", "unit", "quality")
        }
        times, values = _column_of_times(held["time"]), _column_of_values(held["value"])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BAD_BODY(form=form, **why(error)) from None

    def called(i: int) -> Called:
        lon, lat = (_cell(name, _shown(table, name, i)) for name in _CALLED[:2])
        return lon, lat, str(_shown(table, "name", i) or "")

    return Decoded(
        [e or "" for e in words["entity"]],
        [p or "" for p in words["property"]],
        [u or None for u in words["unit"]],
        words["quality"],
        times,
        *values,
        line,
        refused,
        lambda i: _sent(table, i),
        lambda i: _text_of(held["time"][i].as_py()),
        called,
    )


def _placed(table: pa.Table) -> tuple[pa.Table, npt.NDArray[np.int64], list[Refused]]:
    """Return a table without the rows whose place is none, the lines that are left, and those rows."""
    off = np.zeros(len(table), np.bool_)
    for name, most in (("lon", 180), ("lat", 90)):
        if name in table.column_names:
            degrees, absent = _column_of_values(_joined(table[name]))
            off |= ~absent & ~(np.abs(degrees) <= most)
    refused = [refusal(i, BAD_PLACE(lon=_shown(table, "lon", i), lat=_shown(table, "lat", i)), _sent(table, i)) for i in np.flatnonzero(off).tolist()]
    line = np.flatnonzero(~off)
    return (table.take(pa.array(line)).combine_chunks() if refused else table), line, refused


def _joined(column: pa.ChunkedArray) -> pa.Array:
    held = column.combine_chunks()
    return held.combine_chunks() if isinstance(held, pa.ChunkedArray) else held


def _shown(table: pa.Table, name: str, i: int) -> Any:  # noqa: ANN401 (whatever a table holds)
    return table[name][i].as_py() if name in table.column_names else None


def _sent(table: pa.Table, i: int) -> str:
    """Return a table's row as JSON that can be mended and sent again."""
    row = {name: _cell(name, table[name][i].as_py()) for name in table.column_names}
    return json.dumps({name: _text_of(cell) if isinstance(cell, datetime) else cell for name, cell in row.items()}, ensure_ascii=False, default=str)


def _text_of(time: Any) -> str:  # noqa: ANN401 (whatever a table holds)
    return time.isoformat() if isinstance(time, datetime) else str(time)


def _column_of_times(time: pa.Array) -> npt.NDArray[np.int64]:
    """Read a column of times; local ones wait for their source's zone."""
    if pa.types.is_timestamp(time.type):
        if time.type.tz is None:
            return np.full(len(time), BAD)
        return np.asarray(pc.fill_null(time.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64()), int(BAD)))
    if pa.types.is_integer(time.type):
        return np.where(np.asarray(time.is_null()), BAD, scale(time.fill_null(0).to_pylist()))
    return read_times([t or "" for t in time.cast(pa.string()).to_pylist()])


def _column_of_values(value: pa.Array) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return numbers (NaN where there is none to be read) and which are absent."""
    if pa.types.is_floating(value.type) or pa.types.is_integer(value.type):
        return np.asarray(value.cast(pa.float64(), safe=False).fill_null(np.nan)), np.asarray(value.is_null())
    texts = value.cast(pa.string()).to_pylist()
    return np.array([number(t) for t in texts], np.float64), np.array([t is None or t == "" for t in texts], np.bool_)
