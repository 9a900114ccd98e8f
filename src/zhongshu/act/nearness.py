"""How near two things are in place and time, and the words for it: why leads are proposed as one. Decides nothing and writes nothing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from zhongshu.act import duty
from zhongshu.act.deed import Deed
from zhongshu.act.tables import lead
from zhongshu.kernel.clock import MINUTE

_EARTH = 6_371_008.8


@dataclass(frozen=True, slots=True)
class Reason:
    """Why two things are proposed as one: metres, minutes, and the words for it."""

    metres: float
    minutes: int
    zh: str
    en: str


def near(deed: Deed, seen: Mapping[Any, Any]) -> list[tuple[dict[str, Any], Reason]]:
    """Return leads, open or filed, of the same class near in place and time by the city's figures, nearest first, each with why."""
    if seen["lon"] is None or seen["lat"] is None or not seen["class"]:
        return []
    when = _when(seen)
    metres, span = (duty.figure(deed.connection, name, deed.now) for name in ("join_metres", "join_minutes"))
    high = metres / 111_000
    wide = high / max(math.cos(math.radians(seen["lat"])), 0.01)
    rows = deed.connection.execute(
        select(lead).where(
            lead.c.state.in_(("open", "filed")),
            lead.c["class"] == seen["class"],
            lead.c.opened.between(when - span * MINUTE, when + span * MINUTE),
            lead.c.lon.between(seen["lon"] - wide, seen["lon"] + wide),
            lead.c.lat.between(seen["lat"] - high, seen["lat"] + high),
            lead.c.id != seen["id"],
        )
    )
    found = [(dict(row), between(seen, row)) for row in rows.mappings()]
    return sorted((pair for pair in found if pair[1].metres <= metres), key=lambda pair: (pair[1].metres, pair[0]["id"]))


def between(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> Reason:
    """Say how far apart two things are in place and time, and whether they are of one kind."""
    minutes = abs(_when(one) - _when(other)) // MINUTE
    same = one["class"] == other["class"] != ""
    metres, zh, en = apart(one, other), [], []
    if math.isfinite(metres):
        zh, en = [f"{metres:.0f} m"], [f"{metres:.0f} m"]
    zh, en = [*zh, f"{minutes} 分钟"], [*en, f"{minutes} min"]
    if same:
        zh, en = [*zh, "同类"], [*en, "same kind"]
    return Reason(metres, minutes, " · ".join(zh), " · ".join(en))


def _when(thing: Mapping[Any, Any]) -> int:
    return int(thing["created"] if "created" in thing else thing["opened"])


def apart(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> float:
    """Return metres on the sphere between two points in degrees; without end where one has no point."""
    if None in {one["lon"], one["lat"], other["lon"], other["lat"]}:
        return math.inf
    a, b = math.radians(one["lat"]), math.radians(other["lat"])
    across = math.sin(math.radians(other["lon"] - one["lon"]) / 2) ** 2 * math.cos(a) * math.cos(b) + math.sin((b - a) / 2) ** 2
    return 2 * _EARTH * math.asin(math.sqrt(min(1.0, across)))
