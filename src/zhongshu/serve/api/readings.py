"""Sources and their readings: taking them in, the quarantine, and asking for them again."""

import asyncio
import csv
import io
from typing import Annotated, Any

import msgspec
from fastapi import Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from zhongshu.act import BAD_PAGE
from zhongshu.kernel.area import show_area
from zhongshu.kernel.clock import DAY, HOUR, MINUTE, parse_time, rfc3339
from zhongshu.kernel.condition import quote
from zhongshu.kernel.journal import Receipt
from zhongshu.kernel.problem import Problem, declare, kinds
from zhongshu.kernel.reading import Flag
from zhongshu.sense import MAX_BODY, TOO_LARGE, UNKNOWN_SOURCE, Source, form_of, read_mended
from zhongshu.serve.api.hourly import hours
from zhongshu.serve.city import City
from zhongshu.serve.door import Door, permit
from zhongshu.serve.hot import body_of
from zhongshu.serve.problems import FOREIGN_BODY

UNKNOWN_ROW = declare(
    "quarantine.unknown",
    "unknown",
    zh=("数据源 {source} 没有编号为 {id} 的问题数据。", "请刷新列表。"),
    en=("Source {source} has no quarantined row {id}.", "Refresh the list."),
)
STILL_BAD = declare(
    "quarantine.still_bad",
    "invalid",
    zh=("更正后仍不能接收：{why_zh}", "请再次更正。{remedy_zh}"),
    en=("It still cannot be taken in: {why_en}", "Mend it again. {remedy_en}"),
)
EMPTY = declare(
    "quarantine.empty",
    "invalid",
    zh=("其中没有数据。", "请填写这一行，形式与原来相同。"),
    en=("There is nothing in it.", "Fill in the row in the shape it had."),
)
BAD_OWNER = declare(
    "source.taken",
    "conflict",
    zh=("已有名为“{source}”的数据源，声明不同。", "请另取名称。"),
    en=("There is another source '{source}' already.", "Choose another name."),
)
NONE = {"accepted": 0, "quarantined": 0, "duplicates": 0}
SMALL = 256 * 2**10
STRETCHES = (10 * MINUTE, 6 * HOUR, 5 * DAY, 0)
"""How far back a page of the newest is looked for, one after the other; 0: as far as there is anything."""
BEHIND = "h"
"""What a `next` begins with where the raw readings are at their end and hourly rows follow."""


class NewSource(BaseModel):
    """A source to be registered. Durations in seconds; `zone`: the IANA zone of times without an offset, empty if every time has one."""

    name: str = Field(min_length=1, max_length=100)
    zh: str = Field(default="", max_length=200)
    en: str = Field(default="", max_length=200)
    owner: str = Field(default="", max_length=200)
    zone: str = Field(default="", max_length=60)
    entities: str = Field(default="known", pattern="^(known|register)$")
    rhythm_s: float = Field(default=60, gt=0, le=1e8)
    future_s: float = Field(default=600, ge=0, le=3e7)
    past_s: float | None = Field(default=None, ge=0, le=1e10)
    grade: int = Field(default=1, ge=1, le=4)


class Mended(BaseModel):
    """A quarantined row, mended."""

    raw: str = Field(max_length=65_536)


def find(city: City, name: str) -> Source:
    """Return a source by name."""
    if name not in city.sources:
        raise UNKNOWN_SOURCE(source=name)
    return city.sources[name]


def sources(asked: Door) -> dict[str, Any]:
    """List the registered sources with their counts; under `refused` the rows of `connectors.toml` that feed none of them."""
    city, counts = asked.city, asked.city.journal.counts()
    items = [_shown(city, source, counts.get(name, NONE)) for name, source in sorted(city.sources.items())]
    told = {name: report for name, report in reversed(city.feeds) if name in city.sources}  # of one source the first, as below
    return {"items": items, "next": None, "refused": [{"name": name, "feed": report()} for name, report in city.feeds if told.get(name) is not report]}


def _shown(city: City, source: Source, counts: dict[str, int]) -> dict[str, Any]:
    known = counts.get("known")
    feed = next((report() for name, report in city.feeds if name == source.name), None)
    return source.describe() | {"counts": {k: counts[k] for k in ("accepted", "quarantined", "duplicates")}, "last_known": rfc3339(known) if known else None, "feed": feed}


def add_source(asked: Door, body: NewSource) -> dict[str, Any]:
    """Register a source of native readings; the same declaration again changes nothing."""
    city = asked.city
    source = Source(
        body.name,
        body.zh or body.name,
        body.en or body.name,
        body.owner or asked.principal.unit or "city",
        zone=body.zone,
        entities="register" if body.entities == "register" else "known",
        rhythm=round(body.rhythm_s * 1e6),
        future=round(body.future_s * 1e6),
        past=None if body.past_s is None else round(body.past_s * 1e6),
        grade=body.grade,
    )
    if body.name in city.sources:
        if city.sources[body.name] != source:
            raise BAD_OWNER(source=body.name)
    else:
        city.add_source(source)
    return _shown(city, source, city.journal.counts().get(body.name, NONE))


async def take(request: Request) -> Response:
    """Take in native readings (NDJSON, JSON, CSV, Arrow IPC; gzip): 202 once they are on disk. The hot route, without the framework's help."""
    await permit("write", "reading")(request)
    city: City = request.app.state.city
    source = find(city, request.path_params["source"])
    body = await body_of(request, MAX_BODY, TOO_LARGE)
    given = dict(request.scope["headers"])
    encoding, media, batch = (given.get(name, b"").decode("latin-1") for name in (b"content-encoding", b"content-type", b"zs-batch"))
    if not batch and request.scope["query_string"]:
        batch = request.query_params.get("batch") or ""
    if len(body) <= SMALL:
        opened = city.intake.open(source, body, media, encoding, batch[:200])
    else:
        opened = await asyncio.to_thread(city.intake.open, source, body, media, encoding, batch[:200])
    answer = city.answers.wait()
    city.pipe.submit(opened, answer)
    return Response(_encode(show(await answer.receipt)), 202, media_type="application/json")


_encode = msgspec.json.Encoder().encode


def show(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt as a document."""
    return {
        "batch": receipt.batch,
        "accepted": receipt.accepted,
        "quarantined": receipt.quarantined,
        "duplicates": receipt.duplicates,
        "offset": receipt.offset,
        "repeated": receipt.repeated,
    }


def quarantine(asked: Door, source: str, after: int = 0, limit: int = 100) -> dict[str, Any]:
    """List a source's quarantined rows with the reason and what mends it."""
    limit = max(1, min(limit, 1000))
    rows = asked.city.journal.quarantine(find(asked.city, source).name, min(max(after, 0), 2**62), limit + 1)
    return {"items": [_row(row) for row in rows[:limit]], "next": rows[limit - 1]["id"] if len(rows) > limit else None}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    kind = kinds().get(row["code"])
    told = {} if kind is None else {f"{what}_{lang}": getattr(Problem(kind, row["detail"]), what)(lang) for lang in ("zh", "en") for what in ("sentence", "remedy")}
    return {
        "id": row["id"],
        "batch": row["batch"],
        "row": row["row"],
        "code": row["code"],
        "raw": row["raw"],
        "known": rfc3339(row["known"]),
        "mended": row["mended"] is not None,
        "cut": bool(row["detail"].get("cut")),
    } | told


def quarantine_csv(asked: Door, source: str) -> Response:
    """Download a source's quarantine as CSV; a cell that a spreadsheet would take for a formula is quoted."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["id", "batch", "row", "code", "sentence", "remedy", "raw", "known", "mended"])
    after = 0
    while rows := asked.city.journal.quarantine(find(asked.city, source).name, after, 1000):
        for row in map(_row, rows):
            cells = [row["id"], row["batch"], row["row"], row["code"], row.get("sentence_zh", ""), row.get("remedy_zh", ""), row["raw"], row["known"], row["mended"]]
            writer.writerow(["'" + c if isinstance(c, str) and c[:1] in "=+-@\t\r" else c for c in cells])
        after = rows[-1]["id"]
    return Response("\ufeff" + out.getvalue(), media_type="text/csv; charset=utf-8", headers={"Content-Disposition": 'attachment; filename="quarantine.csv"'})


def mend(asked: Door, source: str, id: int, body: Mended) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Send a mended row in again; the old one stays, marked as mended."""
    city = asked.city
    declared = find(city, source)
    if not 0 <= id < 2**62 or city.journal.refused(source, id) is None:
        raise UNKNOWN_ROW(source=source, id=id)
    try:
        batch = read_mended(city.intake, declared, body.raw)
    except Problem as problem:
        raise _still_bad(problem) from problem
    if batch.refused or not (batch.documents or (batch.readings is not None and len(batch.readings))):
        raise _still_bad(Problem(kinds()[batch.refused[0].code], batch.refused[0].detail) if batch.refused else EMPTY())
    batch.mends = (id,)
    city.office.write(asked.principal, lambda deed: deed.witness(deed.connection, "quarantine.mend", str(id), {"source": source}))
    return {"mended": True} | show(city.pipe.submit(batch).result(30))


def _still_bad(problem: Problem) -> Problem:
    said = {f"{what}_{lang}": getattr(problem, "sentence" if what == "why" else what)(lang) for what in ("why", "remedy") for lang in ("zh", "en")}
    return STILL_BAD(**said)


def readings(
    asked: Door,
    entity: str = "",
    property: str = "",  # noqa: A002
    since: Annotated[str, Query(alias="from")] = "",
    to: str = "",
    after: str = "",
    limit: int = 200,
) -> dict[str, Any]:
    """List readings by entity, property and valid time, newest first; `after` is the `next` of the page before. Behind the raw ones come the `hourly` rows of those let go."""
    where, bound = [], {}
    for name, value in (("entity", entity), ("property", property)):
        if value:
            where.append(f"{name} = ${name}")
            bound[name] = value
    begin, end = parse_time(since) if since else None, parse_time(to) if to else None
    raw = where + ([f"valid >= {begin}"] if begin is not None else []) + ([f"valid < {end}"] if end is not None else [])
    rolled = where + ([f"hour > {begin - HOUR}"] if begin is not None else []) + ([f"hour < {end}"] if end is not None else [])
    found = (
        {"items": [], "next": None}
        if after[:1] == BEHIND
        else page(asked, " AND ".join(raw) or "TRUE", bound, after, limit, None if begin is not None else end or asked.city.clock.now())
    )
    if found["next"] is not None:
        return found | {"hourly": []}
    skip, limit = _skip(after[1:] if after[:1] == BEHIND else ""), max(1, min(limit, 1000))
    rows = hours(asked.city, f"({' AND '.join(rolled) or 'TRUE'}) AND ({_within(asked)})", bound, skip, limit + 1)
    return found | {"hourly": rows[:limit], "next": f"{BEHIND}{skip + limit}" if len(rows) > limit else None}


def _within(asked: Door) -> str:
    """Say which rows are within the asker's scope."""
    scope = " OR ".join(f"(area >= {low:d} AND area < {high:d})" for low, high in asked.scope.areas) or "FALSE"
    graded = [quote(name) for name, source in asked.city.sources.items() if source.grade > asked.scope.grade]
    return f"({scope}) AND source NOT IN ({', '.join(graded)})" if graded else scope


def _skip(after: str) -> int:
    if after and not (after.isascii() and after.isdigit() and len(after) < 12):  # noqa: PLR2004 (no page is that far)
        raise BAD_PAGE(after=after)
    return int(after or 0)


def page(asked: Door, where: str, bound: dict[str, Any], after: str, limit: int, newest: int | None = None) -> dict[str, Any]:
    """Return a page of readings within the asker's scope, the latest known first.

    `newest`: where nothing in `where` says since when, about how new the newest are (µs): ever longer stretches back from there are looked at until they fill the page.
    """
    limit, skip = max(1, min(limit, 1000)), _skip(after)
    which, rest = f"({where}) AND ({_within(asked)})", f"ORDER BY valid DESC, known DESC, entity, property LIMIT {limit + 1} OFFSET {skip}"
    for back in STRETCHES if newest is not None else (0,):
        since = f" AND valid >= {newest - back}" if newest is not None and back else ""
        table = asked.city.lake.query(f"SELECT * FROM readings WHERE {which}{since} {rest}", bound)
        if len(table) > limit:
            break
    rows = [_reading(asked.city, row) for row in table.slice(0, limit).to_pylist()]
    return {"items": rows, "next": str(skip + limit) if len(table) > limit else None}


def _reading(city: City, row: dict[str, Any]) -> dict[str, Any]:
    number = city.registry.properties.numbers.get(row["property"])
    prop = None if number is None else city.registry.property_rows[number]
    return {
        "source": row["source"],
        "entity": row["entity"],
        "property": row["property"],
        "valid": rfc3339(row["valid"]),
        "known": rfc3339(row["known"]),
        "value": None if prop is None else prop.value(row["ticks"]),
        "unit": "" if prop is None else prop.unit,
        "raw": row["raw"],
        "raw_unit": row["raw_unit"],
        "flags": [f.name.lower() for f in Flag if row["flags"] & f and f.name],
        "area": show_area(row["area"]),
        "offset": row["offset"],
    }


async def take_requests(request: Request) -> Response:
    """Take in requests of another system as JSON documents {id, created, text, lon, lat, …}: 202 once they are on disk."""
    await permit("write", "request")(request)
    city: City = request.app.state.city
    source = find(city, request.path_params["source"])
    if form_of(request.headers.get("content-type", "")) != "json":
        raise FOREIGN_BODY(media=request.headers["content-type"])
    name = (request.headers.get("zs-batch") or request.query_params.get("batch") or "")[:200]
    batch = await asyncio.to_thread(city.intake.requests, source, await body_of(request, MAX_BODY, TOO_LARGE), name, request.headers.get("content-encoding", ""))
    receipt = await asyncio.wrap_future(city.pipe.submit(batch))
    return JSONResponse(show(receipt), 202)
