"""The main path of sense: decode → check → place → journal. Bad rows go to quarantine with a reason; odd ones are flagged; good ones go on.

Knows nothing of HTTP, of files or of what the readings will be used for. Works on columns; nothing here loops over readings.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from zhongshu.kernel.area import city_of, parse_area, unplaced
from zhongshu.kernel.clock import Clock, to_datetime
from zhongshu.kernel.entity import BAD_ENTITY, UNKNOWN_ENTITY, Entity
from zhongshu.kernel.ids import is_urn, uuid7
from zhongshu.kernel.journal import Batch, Refused
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.quantity import NULL, WRONG_UNIT, known_unit, to_ticks
from zhongshu.kernel.reading import Flag, Readings, join
from zhongshu.kernel.reason import why
from zhongshu.kernel.words import NO_WORDS, plain, worded
from zhongshu.sense.decode import columns, decode, is_list, read, unpack
from zhongshu.sense.registry import Registry, to_document
from zhongshu.sense.rows import BAD_BODY, BAD_ROW, NOT_A_NUMBER, Decoded, Lines, refusal, text
from zhongshu.sense.source import Source
from zhongshu.sense.times import BAD, EARLIEST, LOCAL, NO_OFFSET, local, parse_local, read_local

UNKNOWN_PROPERTY = declare(
    "reading.unknown_property",
    "invalid",
    zh=("没有名为“{property}”的属性，或它不属于这类实体。", "请使用已声明的属性，例如 RainGauge.rain_1m。"),
    en=("There is no property '{property}' for this entity.", "Use a declared property, for example RainGauge.rain_1m."),
)
OUT_OF_RANGE = declare(
    "reading.out_of_range",
    "invalid",
    zh=("{property} 的值 {value} 不在 {low}–{high} {unit} 之内。", "请核对设备与单位。"),
    en=("The value {value} of {property} is outside {low} to {high} {unit}.", "Check the device and the unit."),
)
BAD_READING_TIME = declare(
    "reading.bad_time",
    "invalid",
    zh=("观测时间无法读取。", "请用 RFC 3339 或自 1970 年起的毫秒数。"),
    en=("The time of the reading cannot be read.", "Use RFC 3339 or milliseconds since 1970."),
)
FUTURE = declare(
    "reading.future",
    "invalid",
    zh=("观测时间 {time} 比城市时钟晚，超出数据源允许的 {limit_s} 秒。", "请校准设备时钟。"),
    en=("The time {time} lies ahead of the city's clock by more than the source's {limit_s} s.", "Set the device's clock right."),
)
PAST = declare(
    "reading.past",
    "invalid",
    zh=("观测时间 {time} 早于数据源允许的期限。", "历史数据请通过文件导入。"),
    en=("The time {time} is older than the source allows.", "Bring history in as a file."),
)

Locate = Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], npt.NDArray[np.int64]]


@dataclass(slots=True)
class Opened:
    """A body that was read and is not checked yet: many small ones are checked together, in the journal's thread."""

    source: str
    batch: str
    digest: str
    rows: Lines
    declared: Source


@dataclass(slots=True)
class Intake:
    """Turns what a source sent into a batch ready for the journal."""

    registry: Registry
    clock: Clock
    locate: Locate

    def receive(self, source: Source, body: bytes, media: str = "", encoding: str = "", batch: str = "") -> Batch:
        """Decode and check one body of native readings."""
        plain = unpack(body, encoding)
        return self.check(source, decode(plain, media), batch or uuid7(), hashlib.sha256(plain).hexdigest())

    def open(self, source: Source, body: bytes, media: str = "", encoding: str = "", batch: str = "") -> Opened | Batch:
        """Read one body of native readings, to be checked with others that wait; what is columns already is checked at once."""
        plain = unpack(body, encoding)
        held, name, digest = read(plain, media), batch or uuid7(), hashlib.sha256(plain).hexdigest()
        return Opened(source.name, name, digest, held, source) if isinstance(held, Lines) else self.check(source, held, name, digest)

    def unreadable(self, source: Source, body: bytes, problem: Problem, batch: str) -> Batch:
        """Return a body that could not be read at all as a batch of one refused row: for senders who cannot be answered."""
        digest = hashlib.sha256(body).hexdigest()
        refused = [Refused(0, problem.kind.code, problem.particulars, body.decode("utf-8", "backslashreplace"))]
        return Batch(source.kind, source.name, batch, digest, source.version, refused=refused)

    def requests(self, source: Source, body: bytes, batch: str = "", encoding: str = "") -> Batch:
        """Decode a body of requests: JSON documents {id, created, text, area or lon and lat, …}, one, a list, or one a line."""
        plain = unpack(body, encoding)
        out = Batch("requests", source.name, batch or uuid7(), hashlib.sha256(plain).hexdigest(), source.version)
        for number, line in _documents(plain):
            try:
                out.documents.append(self._request(json.loads(line), source.zone))
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, Problem) as error:
                problem = error if isinstance(error, Problem) else BAD_ROW(**why(error))
                out.refused.append(refusal(number, problem, line))
        return out

    def _request(self, document: dict[str, Any], zone: str) -> dict[str, Any]:
        """Check the keys a request must have, read its time and find its area; what is odd but usable is flagged."""
        if not isinstance(document, dict):
            raise BAD_ROW(why_zh="诉求应为对象 {id, created, text, …}", why_en="a request is an object {id, created, text, …}")
        sent = json.dumps(document, ensure_ascii=False, sort_keys=True, allow_nan=False)
        digest = hashlib.sha256(sent.encode()).hexdigest()[:24]
        created = document.get("created")
        at = self.clock.now() if created is None else parse_local(str(created), zone) if isinstance(created, bool) or not isinstance(created, int) else created
        if not EARLIEST <= at < -EARLIEST:
            raise BAD_READING_TIME()
        key = document["id"]
        if not isinstance(key, str | int) or isinstance(key, bool) or not str(key).strip():
            raise BAD_ROW(why_zh="id 为空或不是文字", why_en="id is empty or no text")
        said = {name: plain(told) for name in ("text", "address") if isinstance(told := document.get(name), str)}
        if document.get("text") and not worded(str(document["text"])) and not document.get("photos"):
            raise NO_WORDS()
        kept = document | said | {"id": str(key).strip()[:200], "created": at, "digest": digest}
        return kept | self._where(document)

    def _where(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return a request's area, its coordinates if they are any, and a flag if neither could be had."""
        city, found = self.registry.city, None
        lon, lat = (_degrees(document.get(name), most) for name, most in (("lon", 180.0), ("lat", 90.0)))
        if document.get("area") not in {None, ""}:
            found = parse_area(str(document["area"]).zfill(15))
        elif lon is not None and lat is not None:
            found = int(self.locate(np.array([lon]), np.array([lat]))[0])
        placed = found is not None and city_of(found) == city_of(city)
        flags = [str(f) for f in document.get("flags") or ()] + ([] if placed else ["unplaced"])
        return {"area": found if placed else unplaced(city), "lon": lon, "lat": lat} | ({"flags": flags} if flags else {})

    def check(self, source: Source, rows: Decoded, batch: str, digest: str) -> Batch:
        """Check columns against the registry, units, ranges and the clock; return good readings and refused rows."""
        out = Batch("readings", source.name, batch, digest, source.version, refused=rows.refused)
        readings, good, refused = self._judge(source, rows, out)
        out.refused += [problem for _, problem in refused]
        out.readings = readings if good.all() else readings.select(good)
        return out

    def check_together(self, opened: list[Opened]) -> tuple[list[Batch], Readings, npt.NDArray[np.int64]]:
        """Check many bodies as one for each source; return their batches (readings left out), all good readings, and the batch each is of."""
        batches = [Batch("readings", o.source, o.batch, o.digest, o.declared.version, refused=list(o.rows.refused)) for o in opened]
        found: list[Readings] = []
        origins: list[npt.NDArray[np.int64]] = []
        for name in dict.fromkeys(o.source for o in opened):
            of = [i for i, o in enumerate(opened) if o.source == name]
            origin = np.repeat(of, [len(opened[i].rows) for i in of])
            readings, good, refused = self._judge(opened[of[0]].declared, columns([opened[i].rows for i in of]), batches[of[0]])
            for i, problem in refused:
                batches[origin[i]].refused.append(problem)
            found.append(readings if good.all() else readings.select(good))
            origins.append(origin if good.all() else origin[good])
        return batches, join(found), np.concatenate(origins)

    def _judge(self, source: Source, rows: Decoded, out: Batch) -> tuple[Readings, npt.NDArray[np.bool_], list[tuple[int, Refused]]]:
        """Check columns; return all of them as readings, which are good, and what is wrong with the others, by place."""
        registry, now = self.registry, self.clock.now()
        entity = self._entities(source, rows, out)
        if rows.when is not None and (rows.time == BAD).any():
            read_local(rows.time, rows.when, source.zone)
        prop = np.array([registry.properties.numbers.get(p, -1) for p in rows.property], np.int32)
        fits = (entity >= 0) & (prop >= 0)
        fits[fits] = registry.entity_types()[entity[fits]] == registry.property_type[prop[fits]]
        good = fits & (rows.time >= EARLIEST) & (rows.time <= now + source.future)
        if source.past is not None:
            good &= rows.time >= now - source.past
        ticks, inside, units, unfit = self._measure(rows, prop)
        good &= inside
        refused = [] if good.all() else self._explain(source, rows, entity, fits, inside, good, unfit, now)
        flags = self._flags(rows, prop, now)
        areas = registry.areas()
        area = np.where(entity >= 0, areas[np.maximum(entity, 0)], 0) if len(areas) else np.zeros(len(entity), np.int64)
        everything = Readings(
            registry.sources.names,
            registry.entities.names,
            registry.properties.names,
            registry.units.names,
            np.full(len(entity), registry.sources.number(source.name), np.int32),
            entity,
            prop,
            area,
            rows.time,
            ticks,
            flags,
            rows.value,
            units,
        )
        return everything, good, refused

    def _entities(self, source: Source, rows: Decoded, out: Batch) -> npt.NDArray[np.int32]:
        numbers = self.registry.entities.numbers
        entity = np.array([numbers.get(e, -1) for e in rows.entity], np.int32)
        if source.entities == "register" and (entity < 0).any():
            for i in np.flatnonzero(entity < 0).tolist():
                id_ = rows.entity[i]
                if id_ not in numbers and is_urn(id_) and rows.property[i] in self.registry.properties.numbers:
                    self.register(self._new(source, rows, i), out)
            entity = np.array([numbers.get(e, -1) for e in rows.entity], np.int32)
        return entity

    def _new(self, source: Source, rows: Decoded, i: int) -> Entity:
        """Make an entity of the row that names it first: with the name and at the place the row gives; without a place in the city it is unplaced, and the row says so if it gave one."""
        id_, city = rows.entity[i], self.registry.city
        lon, lat, name = rows.called(i) if rows.called is not None else (None, None, "")
        area = unplaced(city)
        if lon is not None and lat is not None:
            found = int(self.locate(np.array([lon]), np.array([lat]))[0])
            area = found if city_of(found) == city_of(city) else area
            if area == unplaced(city):
                rows.flags = np.zeros(len(rows.entity), np.int32) if rows.flags is None else rows.flags
                rows.flags[i] |= Flag.UNPLACED
        called = (name or id_.rsplit(":", 1)[-1])[:200]
        return Entity(id_, rows.property[i].partition(".")[0], called, called, area, lon, lat, owner=source.owner)

    def register(self, entity: Entity, out: Batch) -> None:
        """Register an entity that a batch brings; the journal keeps it with the batch, or with the next one if this one fails."""
        document = to_document(entity)
        self.registry.unkept.add([document])  # first: once it is registered, another batch may bring readings of it
        self.registry.register(entity)
        out.entities.append(document)

    def _measure(self, rows: Decoded, prop: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], npt.NDArray[np.int32], dict[int, Problem]]:
        """Turn values into ticks, one step per (property, unit) in use; a missing value is null."""
        words = self.registry.units
        numbers = {u: -1 if u is None else words.number(u) if known_unit(u) is not None else _UNKNOWN_UNIT for u in set(rows.unit)}
        units = np.array([numbers[u] for u in rows.unit], np.int32)
        ticks, inside = np.zeros(len(prop), np.int64), np.zeros(len(prop), np.bool_)
        unfit: dict[int, Problem] = {}
        pairs = prop.astype(np.int64) << 32 | (units.astype(np.int64) + 2)
        for pair in set(pairs.tolist()):
            at = np.flatnonzero(pairs == pair)
            number, unit = int(pair >> 32), int(pair & 0xFFFFFFFF) - 2
            if number < 0:
                continue
            row = self.registry.property_rows[number]
            try:
                scale, shift = row.factor(None if unit == -1 else words.names[unit] if unit >= 0 else str(rows.unit[at[0]]))
            except Problem:
                unfit |= {i: WRONG_UNIT(property=row.name, canonical=row.unit, unit=rows.unit[i]) for i in at.tolist()}
                continue
            ticks[at], inside[at] = to_ticks(rows.value[at], scale, shift, row)
        ticks[rows.missing], inside[rows.missing] = NULL, True
        for i in unfit:
            inside[i] = False
        return ticks, inside, units, unfit

    def _flags(self, rows: Decoded, prop: npt.NDArray[np.int32], now: int) -> npt.NDArray[np.int32]:
        flags = np.zeros(len(prop), np.int32)
        flags[now - rows.time > self.registry.lateness()[np.maximum(prop, 0)]] |= Flag.LATE
        if rows.flags is not None:
            flags |= rows.flags
        odd = {word: int(Flag.ESTIMATED if word == "estimated" else Flag.SUSPECT) for word in set(rows.quality) - {None, "", "good"}}
        if odd:
            flags |= np.array([odd.get(word, 0) for word in rows.quality], np.int32)
        return flags

    def _explain(
        self,
        source: Source,
        rows: Decoded,
        entity: npt.NDArray[np.int32],
        fits: npt.NDArray[np.bool_],
        inside: npt.NDArray[np.bool_],
        good: npt.NDArray[np.bool_],
        unfit: dict[int, Problem],
        now: int,
    ) -> list[tuple[int, Refused]]:
        """Say of every refused row, by place, what is wrong with it: the first check that failed."""
        refused = []
        for i in np.flatnonzero(~good).tolist():
            name, time = rows.property[i], int(rows.time[i])
            if name not in self.registry.properties.numbers:
                problem = UNKNOWN_PROPERTY(property=name)
            elif entity[i] < 0:
                problem = UNKNOWN_ENTITY(id=rows.entity[i]) if is_urn(rows.entity[i]) else BAD_ENTITY(id=rows.entity[i])
            elif not fits[i]:
                problem = UNKNOWN_PROPERTY(property=name)
            elif time < EARLIEST:
                said = rows.when(i) if rows.when is not None else ""
                problem = NO_OFFSET(text=said) if time == LOCAL or (time == BAD and local(said) is not None) else BAD_READING_TIME()
            elif time > now + source.future:
                problem = FUTURE(time=_show(time), limit_s=source.future // 1_000_000)
            elif i in unfit:
                problem = unfit[i]
            elif not inside[i] and np.isnan(rows.value[i]):
                problem = NOT_A_NUMBER(text=_told(rows, i))
            elif not inside[i]:
                row = self.registry.property_rows[self.registry.properties.numbers[name]]
                problem = OUT_OF_RANGE(property=name, value=rows.value[i], low=row.low, high=row.high, unit=row.unit)
            else:
                problem = PAST(time=_show(time))
            refused.append((i, refusal(int(rows.line[i]), problem, (rows.sent or partial(_as_sent, rows))(i))))
        return refused


_UNKNOWN_UNIT = -2


def _documents(plain: bytes) -> list[tuple[int, str]]:
    """Split a body into requests with their places: a list, one document over several lines, or one a line."""
    said = text(plain, "JSON").removeprefix("\ufeff")
    whole = is_list(said.encode())
    try:
        held = json.loads(said) if whole or said.split("\n", 1)[0].strip() == "{" else None
    except (ValueError, RecursionError) as error:
        raise BAD_BODY(form="JSON", **why(error)) from None
    if held is None:
        return [(number, line) for number, line in enumerate(said.split("\n")) if line.strip()]
    return [(number, json.dumps(d, ensure_ascii=False)) for number, d in enumerate(held if whole else [held])]


def _told(rows: Decoded, i: int) -> str:
    """Return a value as it was sent."""
    if rows.sent is None:
        return str(rows.value[i])
    held = json.loads(rows.sent(i))
    return str(held.get("value")) if isinstance(held, dict) else ""


def _degrees(value: Any, most: float) -> float | None:  # noqa: ANN401 (a document's value)
    """Return a coordinate, None where there is none that could be one."""
    try:
        degrees = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return degrees if abs(degrees) <= most else None


def _show(time: int) -> str:
    try:
        return to_datetime(time).isoformat().replace("+00:00", "Z")
    except (OverflowError, ValueError):
        return str(time)


def _as_sent(rows: Decoded, i: int) -> str:
    """Return a row as one line of NDJSON that can be mended and sent again."""
    value = None if rows.missing[i] else float(rows.value[i])
    document = {"entity": rows.entity[i], "property": rows.property[i], "time": _show(int(rows.time[i])) if rows.time[i] != BAD else "", "value": value}
    document |= {"unit": rows.unit[i]} if rows.unit[i] else {}
    return json.dumps(document | ({"quality": rows.quality[i]} if rows.quality[i] else {}), ensure_ascii=False)


def receive_own(intake: Intake, source: Source, rows: list[dict[str, Any]], batch: str) -> Batch:
    """Check rows that another stage of this city derived: {entity, property, time (µs), value, area}; their entities register with their area."""
    out = Batch("readings", source.name, batch, "")
    for row in rows:
        if row["entity"] not in intake.registry.entities.numbers:
            name = row["entity"].rsplit(":", 1)[-1]
            intake.register(Entity(row["entity"], row["property"].partition(".")[0], name, name, int(row["area"]), owner=source.owner), out)
    decoded = Decoded(
        [r["entity"] for r in rows],
        [r["property"] for r in rows],
        [None] * len(rows),
        [None] * len(rows),
        np.array([r["time"] for r in rows], np.int64),
        np.array([r["value"] for r in rows], np.float64),
        np.zeros(len(rows), np.bool_),
        np.arange(len(rows), dtype=np.int64),
    )
    checked = intake.check(source, decoded, batch, hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest())
    checked.entities = out.entities + checked.entities
    return checked
