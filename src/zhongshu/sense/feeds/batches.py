"""Rows and values that a feed brought, as batches: by the source's mapping as a table's lines are, in the native shape, or as requests.

A batch's id comes of its content, so that what is brought again changes nothing. Knows no network.
"""

import hashlib
import json
from typing import Any

import numpy as np
import pyarrow as pa

from zhongshu.kernel.journal import Batch, Refused
from zhongshu.kernel.problem import Problem
from zhongshu.sense.intake import Intake
from zhongshu.sense.readers.tables import NO_COLUMN, read_columns
from zhongshu.sense.rows import BAD_ROW, refusal, writable
from zhongshu.sense.source import RequestTable, Source, Wide
from zhongshu.sense.tabular import from_table

Cells = dict[str, str]
_NATIVE = ("entity", "property", "time", "value")


def digest(*parts: str) -> str:
    """Return a digest of texts."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest()


def named(source: Source, content: str) -> tuple[str, str]:
    """Return the id and the digest of a batch of this content."""
    found = digest(source.version, content)
    return f"feed:{found[:32]}", found


def wanted(source: Source) -> tuple[list[str], list[str]]:
    """Return which columns a source's rows must have, and which it would read; both empty: all there are."""
    match source.mapping:
        case Wide() as wide:
            return [wide.id, *wide.time], [c.header for c in wide.columns]
        case RequestTable() as table:
            must = [table.id, table.created, table.state]
            may = [table.category, table.due, table.closed, table.text, table.address, table.lon, table.lat, table.channel, table.unit, *table.also_id]
            return [m for m in must if m], [m for m in may if m]
    return ([], []) if source.kind == "requests" else (list(_NATIVE), [])


def of_rows(source: Source, intake: Intake, rows: list[Cells], salt: str = "", odd: list[Refused] | None = None) -> Batch:
    """Make a batch of rows of cells as text. `salt`: what else sets it apart from one of the same content; `odd`: what came and was no row."""
    of = named(source, salt + json.dumps([rows, [r.raw for r in odd or []]], ensure_ascii=False))
    if not rows:
        return Batch(source.kind, source.name, *of, mapping=source.version, refused=odd or [])
    headers = list(dict.fromkeys(header for row in rows for header in row))
    if source.mapping is not None:
        headers = list(dict.fromkeys([*headers, *wanted(source)[1]]))  # rows of JSON leave out what they have not
        table = {header: np.array([writable(row.get(header, "")) for row in rows], object) for header in headers}
        return read_columns(source, source.mapping, intake, table, np.arange(1, len(rows) + 1), odd or [], of)
    if source.kind == "requests":
        return of_documents(source, intake, [{k: v for k, v in row.items() if v != ""} for row in rows], salt)
    absent = [name for name in _NATIVE if name not in headers]
    if absent:
        raise NO_COLUMN(columns=", ".join(absent))
    decoded = from_table(pa.table({header: pa.array([writable(row.get(header, "")) for row in rows], pa.string()) for header in headers}), "rows")
    decoded.refused += odd or []
    return intake.check(source, decoded, *of)


def of_documents(source: Source, intake: Intake, documents: list[Any], salt: str = "") -> Batch:
    """Make a batch of requests from JSON documents {id, created, text, …}; what is no such document is refused alone."""
    body = json.dumps(documents, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return intake.requests(source, body, named(source, salt + body.decode())[0])


def of_readings(source: Source, intake: Intake, readings: list[dict[str, Any]]) -> Batch:
    """Make a batch of native readings: {entity, property, time (ms or µs, or RFC 3339), value, unit, lon, lat, name}."""
    body = "\n".join(json.dumps({k: v for k, v in row.items() if v is not None or k == "value"}, ensure_ascii=False) for row in readings).encode("utf-8", "backslashreplace")
    return intake.receive(source, body, "application/x-ndjson", batch=named(source, body.decode())[0])


def of_problem(source: Source, problem: Problem, raw: str, salt: str = "") -> Batch:
    """Make a batch of one refused row, for what could not be read at all; the same trouble again changes nothing."""
    of = named(source, f"{salt}{problem.kind.code}{json.dumps(problem.particulars, ensure_ascii=False, default=str)}{raw}")
    return Batch(source.kind, source.name, *of, mapping=source.version, refused=[refusal(0, problem, raw)])


def cells(row: Any, number: int) -> Cells | Refused:  # noqa: ANN401 (JSON)
    """Return an object of JSON as cells; what is nested is named by its path with dots."""
    if not isinstance(row, dict):
        return refusal(number, BAD_ROW(why_zh="这一行不是对象", why_en="the row is no object"), json.dumps(row, ensure_ascii=False))
    found: Cells = {}
    waiting: list[tuple[str, Any, int]] = [(str(key), value, 0) for key, value in row.items()]
    while waiting:
        path, value, depth = waiting.pop()
        if isinstance(value, dict) and depth < 8:  # noqa: PLR2004 (deep enough for any row)
            waiting += [(f"{path}.{key}", inner, depth + 1) for key, inner in value.items()]
        else:
            found[path] = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return dict(sorted(found.items()))
