"""The main path of sense: decode → check → place → journal. Bad rows go to quarantine with a reason; odd ones are flagged; good ones go on.

Knows nothing of HTTP, of files or of what the readings will be used for. Works on columns; nothing here loops over readings.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zhongshu.kernel.area import parse_area, unplaced
from zhongshu.kernel.clock import Clock, parse_time, rfc3339
from zhongshu.kernel.entity import UNKNOWN_ENTITY, Entity
from zhongshu.kernel.ids import is_urn, uuid7
from zhongshu.kernel.journal import Batch, Refused
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.quantity import NULL, to_ticks
from zhongshu.kernel.reading import Flag, Readings
from zhongshu.sense.decode import BAD, BAD_BODY, BAD_ROW, Decoded, decode, unpack
from zhongshu.sense.registry import Registry, to_document
from zhongshu.sense.source import Source

UNKNOWN_PROPERTY = declare(
    "reading.unknown_property", "invalid",
    zh=("没有名为“{property}”的属性，或它不属于这类实体。", "请使用已声明的属性，例如 RainGauge.rain_1m。"),
    en=("There is no property '{property}' for this entity.", "Use a declared property, for example RainGauge.rain_1m."),
)
OUT_OF_RANGE = declare(
    "reading.out_of_range", "invalid",
    zh=("{property} 的值 {value} 不在 {low}–{high} {unit} 之内。", "请核对设备与单位。"),
    en=("The value {value} of {property} is outside {low} to {high} {unit}.", "Check the device and the unit."),
)
BAD_READING_TIME = declare(
    "reading.bad_time", "invalid",
    zh=("观测时间无法读取。", "请用 RFC 3339 或自 1970 年起的毫秒数。"),
    en=("The time of the reading cannot be read.", "Use RFC 3339 or milliseconds since 1970."),
)
FUTURE = declare(
    "reading.future", "invalid",
    zh=("观测时间 {time} 比城市时钟晚，超出数据源允许的 {limit_s} 秒。", "请校准设备时钟。"),
    en=("The time {time} lies ahead of the city's clock by more than the source's {limit_s} s.", "Set the device's clock right."),
)
PAST = declare(
    "reading.past", "invalid",
    zh=("观测时间 {time} 早于数据源允许的期限。", "历史数据请通过文件导入。"),
    en=("The time {time} is older than the source allows.", "Bring history in as a file."),
)

Locate = Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], npt.NDArray[np.int64]]


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

    def requests(self, source: Source, body: bytes, batch: str = "", encoding: str = "") -> Batch:
        """Decode a body of requests: JSON documents {id, created, text, area or lon and lat, …}, one, a list, or one a line."""
        plain = unpack(body, encoding)
        out = Batch("requests", source.name, batch or uuid7(), hashlib.sha256(plain).hexdigest(), source.version)
        try:
            text = plain.decode()
            held = json.loads(text) if text.lstrip()[:1] == "[" else None
        except (ValueError, RecursionError) as error:
            raise BAD_BODY(form="JSON", why=str(error)) from None
        lines = [json.dumps(d, ensure_ascii=False) for d in held] if isinstance(held, list) else [line for line in text.split("\n") if line.strip()]
        for number, line in enumerate(lines):
            try:
                out.documents.append(self._request(json.loads(line)))
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError, Problem) as error:
                problem = error if isinstance(error, Problem) else BAD_ROW(why=f"{type(error).__name__} {error}")
                out.refused.append(Refused(number, problem.kind.code, problem.particulars, line[:2000]))
        return out

    def _request(self, document: dict[str, Any]) -> dict[str, Any]:
        """Check the keys a request must have, read its time and find its area."""
        created = document.get("created")
        at = self.clock.now() if created is None else parse_time(str(created)) if not isinstance(created, int) else created
        lon, lat = document.get("lon"), document.get("lat")
        if "area" in document:
            area = parse_area(str(document["area"]))
        elif lon is not None and lat is not None:
            area = int(self.locate(np.array([float(lon)]), np.array([float(lat)]))[0])
        else:
            area = unplaced(self.registry.city)
        key = str(document["id"])[:200]
        if not key:
            raise BAD_ROW(why="id is empty")
        return {**document, "id": key, "created": at, "area": area}

    def check(self, source: Source, rows: Decoded, batch: str, digest: str) -> Batch:
        """Check columns against the registry, units, ranges and the clock; return good readings and refused rows."""
        registry, now = self.registry, self.clock.now()
        out = Batch("readings", source.name, batch, digest, source.version, refused=rows.refused)
        entity = self._entities(source, rows, out)
        prop = np.array([registry.properties.numbers.get(p, -1) for p in rows.property], np.int32)
        fits = (entity >= 0) & (prop >= 0)
        fits[fits] = registry.entity_types()[entity[fits]] == registry.property_type[prop[fits]]
        good = fits & (rows.time != BAD) & (rows.time <= now + source.future)
        if source.past is not None:
            good &= rows.time >= now - source.past
        ticks, inside, units, why = self._measure(rows, prop)
        good &= inside
        if not good.all():
            out.refused += self._explain(source, rows, entity, fits, inside, good, why, now)
        flags = self._flags(rows, prop, now)
        areas = registry.areas()
        area = np.where(entity >= 0, areas[np.maximum(entity, 0)], 0) if len(areas) else np.zeros(len(entity), np.int64)
        everything = Readings(
            registry.sources.names, registry.entities.names, registry.properties.names, registry.units.names,
            np.full(len(entity), registry.sources.number(source.name), np.int32), entity, prop, area, rows.time, ticks, flags, rows.value, units,
        )
        out.readings = everything if good.all() else everything.select(good)
        return out

    def _entities(self, source: Source, rows: Decoded, out: Batch) -> npt.NDArray[np.int32]:
        numbers = self.registry.entities.numbers
        entity = np.array([numbers.get(e, -1) for e in rows.entity], np.int32)
        if source.entities == "register" and (entity < 0).any():
            for i in np.flatnonzero(entity < 0):
                id_, type_ = rows.entity[i], rows.property[i].partition(".")[0]
                if id_ not in numbers and is_urn(id_) and rows.property[i] in self.registry.properties.numbers:
                    self.register(Entity(id_, type_, id_.rsplit(":", 1)[-1], id_.rsplit(":", 1)[-1], unplaced(self.registry.city), owner=source.owner), out)
            entity = np.array([numbers.get(e, -1) for e in rows.entity], np.int32)
        return entity

    def register(self, entity: Entity, out: Batch) -> None:
        """Register an entity that a batch brings; the journal keeps it with the batch."""
        self.registry.register(entity)
        out.entities.append(to_document(entity))

    def _measure(self, rows: Decoded, prop: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], npt.NDArray[np.int32], dict[int, Problem]]:
        """Turn values into ticks, one step per (property, unit) in use; a missing value is null."""
        words = self.registry.units
        units = np.array([-1 if u is None else words.number(u) for u in rows.unit], np.int32)
        ticks, inside = np.zeros(len(prop), np.int64), np.zeros(len(prop), np.bool_)
        why: dict[int, Problem] = {}
        pairs = prop.astype(np.int64) << 32 | (units.astype(np.int64) + 1)
        for pair in set(pairs.tolist()):
            at = np.flatnonzero(pairs == pair)
            number, unit = int(pair >> 32), int(pair & 0xFFFFFFFF) - 1
            if number < 0:
                continue
            row = self.registry.property_rows[number]
            try:
                scale, shift = row.factor(None if unit < 0 else words.names[unit])
            except Problem as problem:
                why |= dict.fromkeys(at.tolist(), problem)
                continue
            ticks[at], inside[at] = to_ticks(rows.value[at], scale, shift, row)
        ticks[rows.missing], inside[rows.missing] = NULL, True
        for i in why:
            inside[i] = False
        return ticks, inside, units, why

    def _flags(self, rows: Decoded, prop: npt.NDArray[np.int32], now: int) -> npt.NDArray[np.int32]:
        flags = np.zeros(len(prop), np.int32)
        flags[now - rows.time > self.registry.lateness()[np.maximum(prop, 0)]] |= Flag.LATE
        for word in set(rows.quality) - {None, "", "good"}:
            flag = Flag.ESTIMATED if word == "estimated" else Flag.SUSPECT
            flags[np.array([q == word for q in rows.quality])] |= flag
        return flags

    def _explain(  # noqa: PLR0913 (every argument is one of the checks that the reason is found from)
        self, source: Source, rows: Decoded, entity: npt.NDArray[np.int32], fits: npt.NDArray[np.bool_], inside: npt.NDArray[np.bool_],
        good: npt.NDArray[np.bool_], why: dict[int, Problem], now: int,
    ) -> list[Refused]:
        """Say of every refused row what is wrong with it: the first check that failed."""
        refused = []
        for i in np.flatnonzero(~good).tolist():
            name, time = rows.property[i], int(rows.time[i])
            if entity[i] < 0:
                problem = UNKNOWN_ENTITY(id=rows.entity[i])
            elif not fits[i]:
                problem = UNKNOWN_PROPERTY(property=name)
            elif time == BAD:
                problem = BAD_READING_TIME()
            elif time > now + source.future:
                problem = FUTURE(time=_show(time), limit_s=source.future // 1_000_000)
            elif i in why:
                problem = why[i]
            elif not inside[i]:
                row = self.registry.property_rows[self.registry.properties.numbers[name]]
                problem = OUT_OF_RANGE(property=name, value=rows.value[i], low=row.low, high=row.high, unit=row.unit)
            else:
                problem = PAST(time=_show(time))
            refused.append(Refused(int(rows.line[i]), problem.kind.code, problem.particulars, _as_sent(rows, i)))
        return refused


def _show(time: int) -> str:
    try:
        return rfc3339(time)
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
        [r["entity"] for r in rows], [r["property"] for r in rows], [None] * len(rows), [None] * len(rows), np.array([r["time"] for r in rows], np.int64),
        np.array([r["value"] for r in rows], np.float64), np.zeros(len(rows), np.bool_), np.arange(len(rows), dtype=np.int64))
    checked = intake.check(source, decoded, batch, hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest())
    checked.entities = out.entities + checked.entities
    return checked
