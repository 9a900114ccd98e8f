"""What a GTFS-realtime message says of the lines and stops of an imported timetable: vehicles on a line, its mean delay, minutes to a stop's next one.

An entity is tied by its facet `route_id` or `stop_id`; what is not known here, or known twice, is left out. It must never know a type.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from zhongshu.kernel.clock import SECOND
from zhongshu.sense.registry import Registry

_CANCELED = 3
_LATE = 2**62
_FAR = 10 * 3600
"""What comes later than in so many seconds is no next vehicle."""


class Served:
    """Lines and stops as the registry has them, looked up again when it has grown."""

    def __init__(self, registry: Registry, feed: str = "") -> None:
        """Take the registry, and the name of the timetable that is meant; any if empty."""
        self._registry, self._feed = registry, feed
        self._held: dict[str, dict[str, str]] = {}
        self._seen, self._busy = -1, set[str]()

    def told(self, message: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 (a message)
        """Yield readings of the lines and stops that the message speaks of."""
        lines, stops, now = self._known("route_id"), self._known("stop_id"), int(message.header.timestamp)
        if not now or not (lines or stops):
            return
        live = [entity for entity in message.entity if not entity.is_deleted]
        seen = Counter(e.vehicle.trip.route_id for e in live if e.HasField("vehicle") and e.vehicle.HasField("position"))
        if any(e.HasField("vehicle") for e in live):
            yield from self._rows(lines, dict.fromkeys(self._busy, 0) | seen, "vehicles", now, "1")
            self._busy = set(seen)
        updates = [e.trip_update for e in live if e.HasField("trip_update") and e.trip_update.trip.schedule_relationship != _CANCELED]
        delays: dict[str, list[int]] = {}
        soonest: dict[str, float] = {}
        for update in updates:
            if (next_ := next_stop(update)) is not None:
                delays.setdefault(update.trip.route_id, []).append(next_[1])
            for stop in update.stop_time_update:
                at = (stop.arrival.time or stop.departure.time) - now
                if 0 <= at < soonest.get(stop.stop_id, _FAR):
                    soonest[stop.stop_id] = at
        yield from self._rows(lines, {route: sum(held) / len(held) for route, held in delays.items()}, "delay", now, "s")
        yield from self._rows(stops, {stop: round(seconds / 60, 1) for stop, seconds in soonest.items()}, "next_bus", now, "min")

    def _rows(self, known: dict[str, str], values: dict[str, Any], what: str, now: int, unit: str) -> Iterator[dict[str, Any]]:
        for name, value in values.items():
            entity = known.get(name, "")
            row = self._registry.entity(entity) if entity else None
            if row is not None and (full := f"{row.type}.{what}") in self._registry.properties.numbers:
                yield {"entity": entity, "property": full, "time": min(now, 2**43) * SECOND, "value": value, "unit": unit}

    def _known(self, facet: str) -> dict[str, str]:
        """Return the entities by a facet; two with one value are none."""
        if self._seen != len(self._registry.rows):
            self._held, self._seen = {}, len(self._registry.rows)
        if facet not in self._held:
            rows, values, feeds = self._registry.rows, self._registry.facet(facet), self._registry.facet("feed")
            found = [(str(value), rows[at].id) for at, value in enumerate(values) if value is not None and self._feed in {"", feeds[at]}]
            many = Counter(value for value, _ in found)
            self._held[facet] = {value: ident for value, ident in found if many[value] == 1}
        return self._held[facet]


def next_stop(update: Any) -> tuple[int, int] | None:  # noqa: ANN401 (a message)
    """Return when a trip's next stop comes (s since 1970, late where nobody says) and by how many seconds it is late there; None where it is cancelled or nobody says."""
    if update.trip.schedule_relationship == _CANCELED:
        return None
    events = [event for stop in update.stop_time_update for event in (stop.arrival, stop.departure) if event.HasField("delay")]
    if update.HasField("delay"):
        return events[0].time or _LATE if events else _LATE, int(update.delay)
    return (events[0].time or _LATE, int(events[0].delay)) if events else None
