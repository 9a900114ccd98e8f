"""Tables in files: CSV, plain or gzipped, read in slices; wide rows, matrices without a time column, and requests.

Everything a row needs is in the source's mapping. A bad line goes to quarantine alone; only a file that cannot be read at all is refused.
"""

import csv
import dataclasses
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from zhongshu.kernel.area import unplaced
from zhongshu.kernel.clock import parse_time
from zhongshu.kernel.entity import Entity
from zhongshu.kernel.ids import urn
from zhongshu.kernel.journal import Batch, Refused
from zhongshu.kernel.problem import Problem, declare
from zhongshu.sense.decode import BAD, BAD_BODY, LONG_LINE, MAX_LINE, Decoded
from zhongshu.sense.intake import Intake
from zhongshu.sense.source import BAD_SOURCE, DATE_FORMATS, Matrix, RequestTable, Source, Wide

BAD_LINE = declare(
    "table.bad_line", "invalid",
    zh=("这一行有 {found} 列，应有 {wanted} 列。", "请检查分隔符与引号。"),
    en=("This line has {found} columns where {wanted} are expected.", "Check separators and quotes."),
)
NO_COLUMN = declare(
    "table.no_column", "invalid",
    zh=("表中没有列：{columns}。", "请核对表头，或更正数据源的映射。"),
    en=("The table has no column {columns}.", "Check the header, or correct the source's mapping."),
)
NO_ID = declare(
    "request.no_id", "invalid",
    zh=("这一行没有可用的编号。", "请补上编号。"),
    en=("This row has no usable id.", "Give it an id."),
)
NO_TIME = declare(
    "request.no_time", "invalid",
    zh=("这一行的受理时间“{text}”无法读取。", "请补上时间。"),
    en=("The time '{text}' at which this request was made cannot be read.", "Give a time."),
)

SLICE = 20_000
"""Lines per batch."""
Strings = npt.NDArray[np.object_]


def read_file(path: Path, source: Source, intake: Intake, start: str = "") -> Iterator[Batch]:
    """Yield a file's batches in order; batch ids depend on content and mapping, so the same file again changes nothing."""
    content = _content(path)
    digest = hashlib.sha256(content).hexdigest()
    name = f"file:{digest[:16]}:{source.version}{':' + start if start else ''}"
    mapping = source.mapping
    if mapping is None:
        yield intake.receive(source, content, "text/csv" if ".csv" in path.name else "", batch=name)
        return
    if isinstance(mapping, Matrix) and start:
        mapping = dataclasses.replace(mapping, start=start)
    header, slices = _slices(content, path.name)
    for number, (first, rows, refused) in enumerate(slices):
        table = {column: np.array([row[i] for row in rows], object) for i, column in enumerate(header)}
        lines = np.arange(first, first + len(rows))
        batch, batch_digest = f"{name}:{number}", hashlib.sha256(f"{digest}:{number}".encode()).hexdigest()
        if isinstance(mapping, RequestTable):
            yield _requests(mapping, source, intake, table, lines, refused, (batch, batch_digest))
        else:
            entity = Batch("readings", source.name, batch, batch_digest)
            decoded = _wide(mapping, source, intake, table, lines, entity) if isinstance(mapping, Wide) else _matrix(mapping, source, intake, table, first, entity)
            decoded.refused += refused
            out = intake.check(source, decoded, batch, batch_digest)
            out.entities = entity.entities + out.entities
            yield out


def _content(path: Path) -> bytes:
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise BAD_BODY(form="gzip", why=str(error)) from None
    try:
        raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BAD_BODY(form="CSV (UTF-8)", why=f"byte {error.start} is not UTF-8; convert it first, e.g. iconv -f GB18030 -t UTF-8") from None
    if not raw.strip():
        raise BAD_BODY(form="CSV", why="it is empty")
    return raw.removeprefix(b"\xef\xbb\xbf")


def _slices(content: bytes, name: str) -> tuple[list[str], Iterator[tuple[int, list[list[str]], list[Refused]]]]:
    del name
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8", newline=""))
    csv.field_size_limit(64 * 2**20)
    header = next(reader)

    def slices() -> Iterator[tuple[int, list[list[str]], list[Refused]]]:
        rows: list[list[str]] = []
        refused: list[Refused] = []
        first = done = 0
        for row in reader:
            done += 1
            if len(row) != len(header) or sum(map(len, row)) > MAX_LINE:
                problem = BAD_LINE(found=len(row), wanted=len(header)) if len(row) != len(header) else LONG_LINE(row=done, limit=MAX_LINE)
                refused.append(Refused(done, problem.kind.code, problem.particulars, ",".join(row)[:2000]))
            else:
                rows.append(row)
            if done % SLICE == 0:
                yield first, rows, refused
                first, rows, refused = done, [], []
        if rows or refused:
            yield first, rows, refused

    return header, slices()


def _column(table: dict[str, Strings], *names: str) -> list[Strings]:
    absent = [name for name in names if name not in table]
    if absent:
        raise NO_COLUMN(columns=", ".join(absent))
    return [table[name] for name in names]


def _wide(mapping: Wide, source: Source, intake: Intake, table: dict[str, Strings], lines: npt.NDArray[np.int64], out: Batch) -> Decoded:
    """One reading per row and declared column; what the publisher marks as absent is no reading."""
    (ids,) = _column(table, mapping.id)
    times = _times([" ".join(parts) for parts in zip(*_column(table, *mapping.time), strict=True)], source.zone, parts=len(mapping.time))
    names = _entities(mapping, source, intake, ids, out)
    picked = [(c, np.flatnonzero(~np.isin(_column(table, c.header)[0], mapping.absent))) for c in mapping.columns if c.header in table]
    if not picked:
        raise NO_COLUMN(columns=", ".join(c.header for c in mapping.columns))
    return _decoded([(names[at], c.property, c.unit, times[at], table[c.header][at], lines[at]) for c, at in picked])


def _matrix(mapping: Matrix, source: Source, intake: Intake, table: dict[str, Strings], first: int, out: Batch) -> Decoded:
    """One reading per cell: the column is the entity, the row the time."""
    ids = np.array(list(table), object)
    names = _entities(mapping, source, intake, ids, out)
    begin, count = parse_time(mapping.start), len(next(iter(table.values()), []))
    times = begin + (first + np.arange(count)) * mapping.step
    lines = first + np.arange(count)
    rows = [(name, ~np.isin(table[id_], ("", "NA", "NaN", "null"))) for id_, name in zip(ids, names, strict=True)]
    return _decoded([
        (np.full(int(have.sum()), name, object), mapping.property, mapping.unit, times[have], table[id_][have], lines[have])
        for id_, (name, have) in zip(ids, rows, strict=True)])


def _entities(mapping: Wide | Matrix, source: Source, intake: Intake, ids: Strings, out: Batch) -> Strings:
    """Return the URN of each id, registering those that are new: placed if their place is a known fact, else unplaced."""
    found = {id_: urn(mapping.type, id_.strip()) for id_ in set(ids)}
    for id_, name in sorted(found.items()):
        if source.entities == "register" and id_.strip() and name not in intake.registry.entities.numbers:
            lon, lat = mapping.places.get(id_, (None, None))
            area = unplaced(intake.registry.city) if lon is None or lat is None else int(intake.locate(np.array([lon]), np.array([lat]))[0])
            intake.register(Entity(name, mapping.type, id_, id_, area, lon, lat, mapping.owner or source.owner), out)
    return np.array([found[id_] for id_ in ids], object)


def _decoded(parts: list[tuple[Strings, str, str | None, npt.NDArray[np.int64], Strings, npt.NDArray[np.int64]]]) -> Decoded:
    n = [len(p[0]) for p in parts]
    value = np.concatenate([_numbers(p[4]) for p in parts])
    return Decoded(
        np.concatenate([p[0] for p in parts]).tolist(), [p[1] for p, k in zip(parts, n, strict=True) for _ in range(k)],
        [p[2] for p, k in zip(parts, n, strict=True) for _ in range(k)], [None] * sum(n), np.concatenate([p[3] for p in parts]), value,
        np.zeros(sum(n), np.bool_), np.concatenate([p[5] for p in parts]))


def _numbers(texts: Strings) -> npt.NDArray[np.float64]:
    try:
        return texts.astype(np.float64)
    except ValueError:
        return np.array([_number(t) for t in texts], np.float64)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _times(texts: list[str], zone: str, parts: int = 1) -> npt.NDArray[np.int64]:
    """Read local times: year month day hour columns, or one of the known forms; RFC 3339 keeps its own offset. Unreadable: `BAD`."""
    if parts > 1:
        texts = [_from_parts(t.split()) for t in texts]
    out = np.full(len(texts), BAD)
    column = pa.array(texts, pa.string())
    for form in DATE_FORMATS:
        open_ = np.flatnonzero(out == BAD)
        if not len(open_):
            break
        stamps = pc.strptime(column.take(pa.array(open_)), format=form, unit="us", error_is_null=True)
        try:
            local = pc.assume_timezone(stamps, zone, ambiguous="earliest", nonexistent="latest")
        except pa.ArrowInvalid as error:
            raise BAD_SOURCE(source=zone, why=str(error)) from None
        out[open_] = np.asarray(pc.fill_null(local.cast(pa.int64()), int(BAD)))
    for i in np.flatnonzero(out == BAD).tolist():
        try:
            out[i] = parse_time(texts[i].strip())
        except Problem:
            continue
    return out


def _from_parts(parts: list[str]) -> str:
    try:
        year, month, day, hour = (int(p) for p in [*parts, "0"][:4])
    except ValueError:
        return ""
    return f"{year:04d}-{month:02d}-{day:02d} {hour:02d}:00"


def _requests(  # noqa: PLR0913 (what a slice of a table is)
    mapping: RequestTable, source: Source, intake: Intake, table: dict[str, Strings], lines: npt.NDArray[np.int64], refused: list[Refused], of: tuple[str, str],
) -> Batch:
    """One document per row, for the journal; what has no usable id or time is refused, what is odd is flagged."""
    ZoneInfo(source.zone)
    out = Batch("requests", source.name, *of, mapping=source.version, refused=refused)
    ids, created, state = _column(table, mapping.id, mapping.created, mapping.state)
    times = {name: _times(_texts(table, header, mapping), source.zone) for name, header in (("created", mapping.created), ("due", mapping.due), ("closed", mapping.closed)) if header}
    lon, lat, coarse = _coordinates(mapping, table, len(ids))
    area = np.where(np.isnan(lon), unplaced(intake.registry.city), intake.locate(np.nan_to_num(lon), np.nan_to_num(lat)))
    texts = {name: _texts(table, header, mapping) for name, header in (
        ("class", mapping.category), ("text", mapping.text), ("address", mapping.address), ("channel", mapping.channel), ("unit", mapping.unit)) if header}
    for i in range(len(ids)):
        made = int(times["created"][i])
        key = next((t for t in (ids[i].strip(), *(table[h][i].strip() for h in mapping.also_id if h in table)) if t not in mapping.absent), "")
        if not key or made == BAD:
            problem = NO_TIME(text=created[i]) if key else NO_ID()
            out.refused.append(Refused(int(lines[i]) + 1, problem.kind.code, problem.particulars, ",".join(str(c[i]) for c in table.values())))
            continue
        document: dict[str, Any] = {"id": key, "created": made, "area": int(area[i]), "imported": True, "state": state[i], **{n: t[i] for n, t in texts.items()}}
        document |= {n: int(times[n][i]) for n in ("due", "closed") if n in times and times[n][i] != BAD}
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
    rounded = ~outside & (np.round(lon, mapping.coarse) == lon) & (np.round(lat, mapping.coarse) == lat) & (lon == np.rint(lon))
    return lon, lat, rounded
