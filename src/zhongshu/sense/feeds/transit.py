"""GTFS-realtime: where vehicles are and how late their trips run, as readings of vehicles; over HTTP, or from a file.

What cannot be read at all waits in the quarantine as one row and costs nothing else. A property that the city has not declared is left out.
Format: https://gtfs.org/documentation/realtime/reference/ (2.0).
"""

import base64
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from zhongshu.kernel.clock import SECOND, parse_duration, rfc3339
from zhongshu.kernel.ids import stable_id, urn
from zhongshu.kernel.problem import Problem, declare
from zhongshu.sense.feeds.batches import digest, of_problem, of_readings
from zhongshu.sense.feeds.declared import GtfsRealtime
from zhongshu.sense.feeds.feed import NO_EXTRA, Part, Secret
from zhongshu.sense.feeds.marks import Mark
from zhongshu.sense.feeds.timetable import Served, next_stop
from zhongshu.sense.feeds.web import Fetcher
from zhongshu.sense.intake import Intake
from zhongshu.sense.rows import MAX_BODY, TOO_LARGE
from zhongshu.sense.source import Source

BAD_FEED = declare(
    "connector.bad_gtfs",
    "invalid",
    zh=("取到的内容不是完整的 GTFS-realtime。", "请核对地址给出的是 Protocol Buffers，不是网页或 JSON。"),
    en=("What came is no whole GTFS-realtime message.", "Check that the address gives Protocol Buffers, not a page or JSON."),
)

OLD = declare(
    "connector.old_gtfs",
    "unavailable",
    zh=("这份 GTFS-realtime 自 {since} 起没有更新。", "请联系发布方；其中的数据仍按其时间接收。"),
    en=("This GTFS-realtime message has not been renewed since {since}.", "Ask its publisher; what it says is kept under its own times."),
)
_LONGEST = 160
_KMH = "km/h"


class TransitReader:
    """Polls one feed message."""

    def __init__(self, row: GtfsRealtime, source: Source, intake: Intake, secret: Secret) -> None:
        """Take the row, its source, what checks, and where its secret is."""
        self.row, self.source = row, source
        self._intake, self._secret = intake, secret
        self._served = Served(intake.registry, row.feed)

    def read(self, mark: Mark, stop: threading.Event) -> Iterator[Part]:
        """Yield the message's readings, if it is another than the last; what is wrong with it is told as long as it is."""
        content = self._content(stop)
        found = digest(content.hex())[:32]
        same = mark.get("last") == found
        try:
            message = _message(content)
        except Problem as problem:
            if problem.kind is not BAD_FEED:
                raise
            yield Part(None if same else of_problem(self.source, problem, base64.b64encode(content[: 1 << 15]).decode()), {"last": found}, problem)
            return
        rows = [] if same else [*self._positions(message), *self._delays(message), *self._served.told(message)]
        since = min(message.header.timestamp, 2**43) * SECOND
        odd = OLD(since=rfc3339(since)) if since and self._intake.clock.now() - since > parse_duration(self.row.max_age) else None
        yield Part(of_readings(self.source, self._intake, rows) if rows else None, {"last": found}, odd)

    def _content(self, stop: threading.Event) -> bytes:
        if self.row.address.startswith("file:"):
            with Path(unquote(urlsplit(self.row.address).path)).open("rb") as file:
                content = file.read(MAX_BODY + 1)
            if len(content) > MAX_BODY:
                raise TOO_LARGE(limit=MAX_BODY)
            return content
        with closing(Fetcher(self.row, self._secret)) as fetcher:
            return fetcher.get(self.row.address, {}, stop).content

    def _positions(self, message: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 (a message)
        for entity in message.entity:
            if entity.HasField("vehicle") and not entity.is_deleted:
                yield from self._position(entity.vehicle, entity.id, message.header.timestamp)

    def _delays(self, message: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 (a message)
        """Yield each vehicle's delay: of the trip it is on, which is the one whose next stop comes first, or of two at one stop the one that was heard of.

        A trip without a vehicle says nothing.
        """
        first: dict[str, tuple[tuple[int, bool], int, Any]] = {}
        for update in (entity.trip_update for entity in message.entity if entity.HasField("trip_update") and not entity.is_deleted):
            vehicle, next_ = _name(update.vehicle), next_stop(update)
            if vehicle and next_ is not None and (vehicle not in first or (next_[0], not update.timestamp) < first[vehicle][0]):
                first[vehicle] = (next_[0], not update.timestamp), next_[1], update
        for vehicle, (_, delay, update) in first.items():
            yield from self._said(vehicle, update.vehicle.label, update.timestamp or message.header.timestamp, (("delay", delay, "s"),))

    def _position(self, vehicle: Any, otherwise: str, said: int) -> Iterator[dict[str, Any]]:  # noqa: ANN401 (a message)
        place = vehicle.position
        if not vehicle.HasField("position"):
            return
        told: list[tuple[str, float, str | None]] = [("lon", round(place.longitude, 6), None), ("lat", round(place.latitude, 6), None)]
        told += [("speed", round(place.speed * 3.6, 3), _KMH)] if place.HasField("speed") else []
        told += [("bearing", round(place.bearing, 2), None)] if place.HasField("bearing") else []
        yield from self._said(_name(vehicle.vehicle) or otherwise, vehicle.vehicle.label, vehicle.timestamp or said, told, place)

    def _said(self, vehicle: str, label: str, at: int, told: Any, place: Any = None) -> Iterator[dict[str, Any]]:  # noqa: ANN401 (pairs; a message)
        known = self._intake.registry.properties.numbers
        name = quote(vehicle, safe="._~:-")
        id_ = urn(self.row.type, name if len(name) <= _LONGEST else stable_id(vehicle))
        where = {"lon": round(place.longitude, 6), "lat": round(place.latitude, 6)} if place is not None and _is_place(place) else {}
        for property_, value, unit in told:
            if (full := f"{self.row.type}.{property_}") in known:
                yield {"entity": id_, "property": full, "time": min(at, 2**43) * SECOND if at else "", "value": value, "unit": unit, "name": (label or vehicle)[:200], **where}


def _message(content: bytes) -> Any:  # noqa: ANN401 (a message)
    try:
        from google.protobuf.message import DecodeError  # noqa: PLC0415 (an extra's)
        from google.transit import gtfs_realtime_pb2  # noqa: PLC0415 (an extra's)
    except ImportError as error:
        raise NO_EXTRA(kind="gtfs-rt", module="gtfs-realtime-bindings") from error
    message = gtfs_realtime_pb2.FeedMessage()
    try:
        message.ParseFromString(content)
    except (DecodeError, ValueError, RecursionError):
        raise BAD_FEED() from None
    if not message.IsInitialized():
        raise BAD_FEED()
    return message


def _name(vehicle: Any) -> str:  # noqa: ANN401 (a message)
    return str(vehicle.id or vehicle.label or vehicle.license_plate).strip()


def _is_place(place: Any) -> bool:  # noqa: ANN401 (a message)
    return abs(place.longitude) <= 180 and abs(place.latitude) <= 90 and (place.longitude, place.latitude) != (0, 0)  # noqa: PLR2004 (degrees)
