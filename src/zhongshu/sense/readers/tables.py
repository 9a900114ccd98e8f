"""Tables in files: CSV, plain or gzipped, read in slices; wide rows, matrices without a time column, and requests.

Everything a row needs is in the source's mapping. A bad line goes to quarantine alone; only a file that cannot be read at all is refused.
"""

import csv
import dataclasses
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from zhongshu.kernel.area import unplaced
from zhongshu.kernel.clock import parse_time, rfc3339, to_us
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.ids import stable_id, urn, uuid7
from zhongshu.kernel.journal import Batch, Refused
from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why
from zhongshu.sense.intake import Intake
from zhongshu.sense.rows import BAD_BODY, LONG_LINE, MAX_BODY, MAX_LINE, TOO_LARGE, Decoded, number, refusal, text
from zhongshu.sense.source import BAD_SOURCE, DATE_FORMATS, Matrix, RequestTable, Source, Wide
from zhongshu.sense.tabular import named
from zhongshu.sense.times import BAD, EARLIEST, LOCAL, NO_OFFSET

BAD_LINE = declare(
    "table.bad_line",
    "invalid",
    zh=("这一行有 {found} 列，应有 {wanted} 列。", "请检查分隔符与引号。"),
    en=("This line has {found} columns where {wanted} are expected.", "Check separators and quotes."),
)
NO_COLUMN = declare(
    "table.no_column",
    "invalid",
    zh=("表中没有列：{columns}。", "请核对表头，或更正数据源的映射。"),
    en=("The table has no column {columns}.", "Check the header, or correct the source's mapping."),
)
NO_ID = declare(
    "request.no_id",
    "invalid",
    zh=("这一行没有可用的编号。", "请补上编号。"),
    en=("This row has no usable id.", "Give it an id."),
)
NO_TIME = declare(
    "request.no_time",
    "invalid",
    zh=("这一行的受理时间“{text}”无法读取。", "请补上时间。"),
    en=("The time '{text}' at which this request was made cannot be read.", "Give a time."),
)

SLICE = 20_000
"""Lines per batch at most."""
CELLS = 400_000
"""Cells per batch at most."""
MAX_FILE = 16 * MAX_BODY
Strings = npt.NDArray[np.object_]


@dataclass(slots=True)
class _Slice:
    """Some lines of a table: their numbers (the header is line 0, blank lines are none), cells, and what was refused among them."""

    lines: list[int] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def read_file(path: Path, source: Source, intake: Intake, start: str = "") -> Iterator[Batch]:
    """Yield a file's batches in order; batch ids depend on content and mapping, so the same file again changes nothing."""
    content = _content(path)
    digest = hashlib.sha256(content).hexdigest()
    name = f"file:{digest[:16]}:{source.version}{':' + start if start else ''}"
    mapping = source.mapping
    if mapping is None and source.kind == "requests":
        yield intake.requests(source, content, name)
        return
    if mapping is None:
        yield intake.receive(source, content, "text/csv" if ".csv" in path.name else "", batch=name)
        return
    if isinstance(mapping, Matrix) and start:
        mapping = dataclasses.replace(mapping, start=start)
    header, slices = _slices(content)
    for number_, part in enumerate(slices):
        table = {column: np.array([row[i] for row in part.rows], object) for i, column in enumerate(header)}
        lines = np.array(part.lines, np.int64)
        of = (f"{name}:{number_}", hashlib.sha256(f"{digest}:{number_}".encode()).hexdigest())
        yield read_columns(source, mapping, intake, table, lines, part.refused, of)


def read_columns(
    source: Source,
    mapping: Wide | Matrix | RequestTable,
    intake: Intake,
    table: dict[str, Strings],
    lines: npt.NDArray[np.int64],
    refused: list[Refused],
    of: tuple[str, str],
) -> Batch:
    """Read columns of cells as text by a mapping. `lines`: each row's number (a header is 0); `of`: the batch's id and digest; `refused`: rows that are no rows of it."""
    if isinstance(mapping, RequestTable):
        return _requests(mapping, source, intake, table, lines, refused, of)
    entity = Batch("readings", source.name, *of)
    decoded = _wide(mapping, source, intake, table, lines, entity) if isinstance(mapping, Wide) else _matrix(mapping, source, intake, table, lines, entity)
    decoded.refused += [_timed(r, mapping) for r in refused] if isinstance(mapping, Matrix) else refused
    out = intake.check(source, decoded, *of)
    out.entities = entity.entities + out.entities
    return out


def read_row(source: Source, intake: Intake, row: dict[str, Any]) -> Batch:
    """Read one line of a source's table, given as named cells; a matrix's line has its `time` (RFC 3339) among them."""
    mapping, of = source.mapping, (name := uuid7(), hashlib.sha256(name.encode()).hexdigest())
    table = {column: np.array(["" if cell is None else str(cell)], object) for column, cell in row.items()}
    lines = np.zeros(1, np.int64)
    if isinstance(mapping, Matrix):
        time = str(table.pop("time", np.array([""], object))[0])
        return read_columns(source, dataclasses.replace(mapping, start=time), intake, table, lines + 1, [], of)
    if mapping is None:
        raise NO_COLUMN(columns="entity")
    return read_columns(source, mapping, intake, table, lines, [], of)


def _timed(refused: Refused, mapping: Matrix) -> Refused:
    """Give a refused line of a matrix its time, which its place in the table told."""
    if not refused.raw.startswith("{") or "cut" in refused.detail:
        return refused
    row = {"time": rfc3339(parse_time(mapping.start) + (refused.row - 1) * mapping.step)} | json.loads(refused.raw)
    return dataclasses.replace(refused, raw=json.dumps(row, ensure_ascii=False))


def _content(path: Path) -> bytes:
    """Return a file's text as UTF-8 without its mark; refuse what is torn, too large, empty or in another encoding."""
    raw = path.read_bytes()
    if raw.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(path) as stream:
                raw = stream.read(MAX_FILE + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise BAD_BODY(form="gzip", **why(error)) from None
    if len(raw) > MAX_FILE:
        raise TOO_LARGE(limit=MAX_FILE)
    text(raw, "CSV")
    if not raw.strip():
        raise BAD_BODY(form="CSV", why_zh="它是空的", why_en="it is empty")
    return raw.removeprefix(b"\xef\xbb\xbf")


class _TooLong(Exception):  # noqa: N818 (a sign between two functions)
    """A row goes on for longer than any row may: a quote was never closed."""


def _records(lines: list[str], columns: int) -> Iterator[tuple[list[str], str]]:
    """Yield each row's cells and text. Where a row over several lines does not fit the table, its first line is a row of its own: a stray quote costs one line."""
    at, held = 0, 0

    def feed() -> Iterator[str]:
        nonlocal at, held
        while at < len(lines):
            held += len(lines[at])
            if held > MAX_LINE:
                raise _TooLong
            at += 1
            yield lines[at - 1] + "\n"

    reader = csv.reader(feed(), strict=True)
    while at < len(lines):
        first, held = at, 0
        try:
            cells = next(reader)
            fits = at == first + 1 or len(cells) == columns
        except (_TooLong, csv.Error):
            cells, fits = [], False
        if not fits:
            at, reader = first + 1, csv.reader(feed(), strict=True)
            cells = next(csv.reader(lines[first:at]), []) if lines[first].count('"') % 2 == 0 else []
        yield cells, "\n".join(lines[first:at])


def _slices(content: bytes) -> tuple[list[str], Iterator[_Slice]]:
    """Return the header and the table in slices of lines; a blank line is none."""
    csv.field_size_limit(MAX_FILE)
    lines = [line for line in content.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    header = [name.strip() for name in next(csv.reader(lines[:1]))]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise BAD_BODY(form="CSV", why_zh=f"以下各列不止一列：{'、'.join(twice)}", why_en=f"it has more than one column {', '.join(twice)}")
    size = max(1, min(SLICE, CELLS // len(header)))

    def slices() -> Iterator[_Slice]:
        part = _Slice()
        for done, (row, line) in enumerate(_records(lines[1:], len(header)), 1):
            if len(row) != len(header) or len(line) > MAX_LINE:
                part.refused.append(_odd(done, row, line, header))
            else:
                part.lines.append(done)
                part.rows.append(row)
            if done % size == 0:
                yield part
                part = _Slice()
        if part.rows or part.refused:
            yield part

    return header, slices()


def _odd(number_: int, row: list[str], line: str, header: list[str]) -> Refused:
    """Return a line with other cells than the header as named cells, so that it can be mended; one that is too long as it stands."""
    if len(line) > MAX_LINE:
        return refusal(number_, LONG_LINE(row=number_, limit=MAX_LINE), line)
    return refusal(number_, BAD_LINE(found=len(row), wanted=len(header)), json.dumps(named(header, line), ensure_ascii=False))


def _column(table: dict[str, Strings], *names: str) -> list[Strings]:
    absent = [name for name in names if name not in table]
    if absent:
        raise NO_COLUMN(columns=", ".join(absent))
    return [table[name] for name in names]


def _wide(mapping: Wide, source: Source, intake: Intake, table: dict[str, Strings], lines: npt.NDArray[np.int64], out: Batch) -> Decoded:
    """One reading per row and declared column; what the publisher marks as absent is no reading."""
    (ids,) = _column(table, mapping.id)
    written = np.array([" ".join(parts) for parts in zip(*_column(table, *mapping.time), strict=True)], object)
    times = _times(written.tolist(), source.zone, parts=len(mapping.time))
    names = _entities(mapping, source, intake, ids, out)
    picked = [(c, np.flatnonzero(~np.isin(_column(table, c.header)[0], mapping.absent))) for c in mapping.columns if c.header in table]
    if not picked:
        raise NO_COLUMN(columns=", ".join(c.header for c in mapping.columns))
    parts = [(names[at], c.property, c.unit, times[at], table[c.header][at], lines[at]) for c, at in picked]
    return _decoded(parts, np.concatenate([written[at] for _, at in picked]))


def _matrix(mapping: Matrix, source: Source, intake: Intake, table: dict[str, Strings], lines: npt.NDArray[np.int64], out: Batch) -> Decoded:
    """One reading per cell: the column is the entity, the line's number the time (a refused line is a step as well)."""
    ids = np.array(list(table), object)
    names = _entities(mapping, source, intake, ids, out)
    times = parse_time(mapping.start) + (lines - 1) * mapping.step
    rows = [(id_, name, ~np.isin(table[id_], ("", "NA", "NaN", "null"))) for id_, name in zip(ids, names, strict=True)]
    return _decoded([(np.full(int(have.sum()), name, object), mapping.property, mapping.unit, times[have], table[id_][have], lines[have]) for id_, name, have in rows])


def _entities(mapping: Wide | Matrix, source: Source, intake: Intake, ids: Strings, out: Batch) -> Strings:
    """Return the URN of each id, registering those that are new: placed if their place is a known fact, else unplaced."""
    found = {id_: _urn(mapping.type, id_.strip()) for id_ in set(ids)}
    for id_, name in sorted(found.items()):
        called = id_.strip()
        if source.entities == "register" and called and name not in intake.registry.entities.numbers:
            lon, lat = mapping.places.get(called, (None, None))
            area = unplaced(intake.registry.city) if lon is None or lat is None else int(intake.locate(np.array([lon]), np.array([lat]))[0])
            intake.register(Entity(name, mapping.type, called, called, area, lon, lat, mapping.owner or source.owner), out)
    return np.array([found[id_] for id_ in ids], object)


_LONGEST = 160


def _urn(kind: str, id_: str) -> str:
    """Make the URN of a table's id: what may not stand in one is percent-encoded, so that no two ids ever become one."""
    name = quote(id_, safe="._~:-")
    return "" if not name else urn(kind, name if len(name) <= _LONGEST else stable_id(id_))


def _decoded(parts: list[tuple[Strings, str, str | None, npt.NDArray[np.int64], Strings, npt.NDArray[np.int64]]], written: Strings | None = None) -> Decoded:
    """Join columns. `written`: each reading's time as it stood in the table."""
    n = [len(p[0]) for p in parts]
    texts = np.concatenate([p[4] for p in parts])
    entity = np.concatenate([p[0] for p in parts]).tolist()
    props = [p[1] for p, count in zip(parts, n, strict=True) for _ in range(count)]
    units = [p[2] for p, count in zip(parts, n, strict=True) for _ in range(count)]
    times = np.concatenate([p[3] for p in parts])

    def when(i: int) -> str:
        return "" if written is None else str(written[i]).strip()

    def sent(i: int) -> str:
        """Return a cell as a native reading with its value as it stood in the table."""
        value = number(str(texts[i]).strip())
        row = {"entity": entity[i], "property": props[i], "time": when(i) if times[i] < EARLIEST else int(times[i]), "value": value if np.isfinite(value) else str(texts[i])}
        return json.dumps(row | ({"unit": units[i]} if units[i] else {}), ensure_ascii=False)

    return Decoded(entity, props, units, [None] * sum(n), times, _numbers(texts), np.zeros(sum(n), np.bool_), np.concatenate([p[5] for p in parts]), sent=sent, when=when)


def _numbers(texts: Strings) -> npt.NDArray[np.float64]:
    return np.array([number(t.strip()) for t in texts], np.float64)


def _times(texts: list[str], zone: str, parts: int = 1) -> npt.NDArray[np.int64]:
    """Read local times: year month day hour columns, or one of the known forms; RFC 3339 keeps its own offset. Unreadable: `BAD`; without zone and offset: `LOCAL`."""
    if parts in {3, 4}:
        texts = [_from_parts(t.split()) for t in texts]
    out = np.full(len(texts), BAD)
    column = pa.array([t.strip() for t in texts], pa.string())
    for form in DATE_FORMATS:
        open_ = np.flatnonzero(out == BAD)
        if not len(open_):
            break
        stamps = pc.strptime(column.take(pa.array(open_)), format=form, unit="us", error_is_null=True)
        try:
            local = pc.assume_timezone(stamps, zone or "UTC", ambiguous="earliest", nonexistent="latest")
        except pa.ArrowInvalid as error:
            raise BAD_SOURCE(source=zone, **why(error, "没有这个时区")) from None
        days = np.asarray(pc.fill_null(pc.day(stamps), 0))
        read = np.asarray(pc.fill_null(local.cast(pa.int64()), int(BAD))).copy()
        spilled = {text: _is_no_day(text, form) for text in {texts[i].strip() for i in open_[(days > 0) & (days <= _SPILL)]}}
        read[[spilled.get(texts[i].strip(), False) for i in open_]] = BAD
        out[open_] = np.where(read >= EARLIEST, read if zone else LOCAL, BAD)  # 1/4/14 is no day of the year 1
    for i in np.flatnonzero(out == BAD).tolist():
        out[i] = _time(texts[i].strip(), zone)
    return out


_SPILL = 3
"""The 30th of February is read as one of the first three days of March."""


def _is_no_day(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 (asked for the calendar only)
    except ValueError:
        return True
    return False


def _time(text: str, zone: str) -> int:
    """Read one time that no known form fits: with an offset, or local with parts of a second."""
    try:
        moment = datetime.fromisoformat(text)
        return int(LOCAL) if not (moment.tzinfo or zone) else to_us(moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone)))
    except (ValueError, OverflowError):
        return int(BAD)


def _from_parts(parts: list[str]) -> str:
    try:
        year, month, day, hour = (int(p) for p in [*parts, "0"][:4])
    except ValueError:
        return ""
    return f"{year:04d}-{month:02d}-{day:02d} {hour:02d}:00"


def _requests(
    mapping: RequestTable,
    source: Source,
    intake: Intake,
    table: dict[str, Strings],
    lines: npt.NDArray[np.int64],
    refused: list[Refused],
    of: tuple[str, str],
) -> Batch:
    """One document per row, for the journal; what has no usable id or time is refused, what is odd is flagged."""
    out = Batch("requests", source.name, *of, mapping=source.version, refused=refused)
    ids, created, state = _column(table, mapping.id, mapping.created, mapping.state)
    times = {
        name: _times(_texts(table, header, mapping), source.zone) for name, header in (("created", mapping.created), ("due", mapping.due), ("closed", mapping.closed)) if header
    }
    lon, lat, coarse = _coordinates(mapping, table, len(ids))
    area = np.where(np.isnan(lon), unplaced(intake.registry.city), intake.locate(np.nan_to_num(lon), np.nan_to_num(lat)))
    texts = {
        name: _texts(table, header, mapping)
        for name, header in (("class", mapping.category), ("text", mapping.text), ("address", mapping.address), ("channel", mapping.channel), ("unit", mapping.unit))
        if header
    }
    for i in range(len(ids)):
        made = int(times["created"][i])
        key = next((t for t in (ids[i].strip(), *(table[h][i].strip() for h in mapping.also_id if h in table)) if t not in mapping.absent), "")
        if not key or made < EARLIEST:
            problem = NO_ID() if not key else NO_OFFSET(text=created[i]) if made == LOCAL else NO_TIME(text=created[i])
            out.refused.append(refusal(int(lines[i]), problem, json.dumps({h: str(c[i]) for h, c in table.items()}, ensure_ascii=False)))
            continue
        sent = json.dumps([source.version, *(str(c[i]) for c in table.values())], ensure_ascii=False)
        document: dict[str, Any] = {
            "id": key[:200],
            "digest": hashlib.sha256(sent.encode()).hexdigest()[:24],
            "created": made,
            "area": int(area[i]),
            "imported": True,
            "state": state[i],
            **{n: t[i] for n, t in texts.items()},
        }
        document |= {n: int(times[n][i]) for n in ("due", "closed") if n in times and times[n][i] >= EARLIEST}
        document |= {} if np.isnan(lon[i]) else {"lon": float(lon[i]), "lat": float(lat[i])}
        flags = (["coarse_place"] if coarse[i] else []) + (["unplaced"] if np.isnan(lon[i]) else []) + (["due_before_opened"] if document.get("due", made + 1) <= made else [])
        if "closed" in document and state[i] not in mapping.closed_states:
            flags.append("closed_date_without_state")
        out.documents.append(document | ({"flags": flags} if flags else {}) | ({"duplicate": True} if state[i] in mapping.duplicate_states else {}))
    return out


def _texts(table: dict[str, Strings], header: str, mapping: RequestTable) -> list[str]:
    if header not in table:
        return [""] * len(next(iter(table.values()), []))
    return ["" if t in mapping.absent else t for t in table[header].tolist()]


def _coordinates(mapping: RequestTable, table: dict[str, Strings], count: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    if not mapping.lon or mapping.lon not in table or mapping.lat not in table:
        none = np.full(count, np.nan)
        return none, none, np.zeros(count, np.bool_)
    lon, lat = _numbers(table[mapping.lon]), _numbers(table[mapping.lat])
    outside = ~((np.abs(lon) <= 180) & (np.abs(lat) <= 90))  # noqa: PLR2004 (degrees)
    lon, lat = np.where(outside, np.nan, lon), np.where(outside, np.nan, lat)
    rounded = ~outside & (np.round(lon, mapping.coarse - 1) == lon) & (np.round(lat, mapping.coarse - 1) == lat)
    return lon, lat, rounded
