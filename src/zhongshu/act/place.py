"""Where a thing is: whether anyone could be sent there, and the voices that go along when the centre puts it on the map.

Which area a point lies in is found by whoever serves. Knows no map and no verb's meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from zhongshu.act import voice
from zhongshu.act.deed import Deed, record
from zhongshu.act.tables import request
from zhongshu.kernel.area import Level, level_of, show_area, unplaced
from zhongshu.kernel.problem import declare

NOT_PLACED = declare(
    "case.not_placed",
    "conflict",
    zh=("案件 {number} 还没有定位，派出去也没有人看得到。", "请先“定位”到街道或地图上的一点，再派遣。"),
    en=("Case {number} has no place yet: nobody could be sent there.", "Put it on the map first, at a point or a street, then dispatch."),
)
TOO_COARSE = declare(
    "case.place_too_coarse",
    "invalid",
    zh=("“{area}”不够细，不能用来定位。", "请给出街道或更细的区域，或地图上的一点。"),
    en=("'{area}' is too coarse for a place.", "Give a street or a finer area, or a point on the map."),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A place: an area of the city, a point in degrees if one is known, and an address in words, which if empty leaves the old one."""

    area: int
    lon: float | None = None
    lat: float | None = None
    address: str = ""


def usable(row: Mapping[Any, Any]) -> bool:
    """Tell whether someone could be sent to a case's, lead's or request's place: a point in the city, a street or finer, or the area of the sign that caused it."""
    area = int(row["area"])
    return area != unplaced(area) and (level_of(area) >= Level.STREET or bool(row.get("indicator")) or (row["lon"] is not None and row["lat"] is not None))


def changes(place: Place) -> dict[str, Any]:
    """Return the columns that a new place changes. Raises `case.place_too_coarse`."""
    found: dict[str, Any] = {"area": place.area, "lon": place.lon, "lat": place.lat}
    if not usable(found):
        raise TOO_COARSE(area=show_area(place.area))
    return found | ({"address": place.address} if place.address else {})


def moved(row: Mapping[Any, Any], place: Place) -> dict[str, Any]:
    """Return what the history keeps of a move: the areas before and after."""
    return {"moved": {"from": show_area(row["area"]), "to": show_area(place.area)}}


def carry(deed: Deed, column: str, owner: str, place: Place) -> None:
    """Put the voices that told of a case (`case_id`) or lead (`lead`), and had no usable place of their own, where it is now."""
    rows = deed.connection.execute(select(request).where(request.c[column] == owner).order_by(request.c.created, request.c.id)).mappings().all()
    for told in (dict(row) for row in rows if not usable(row)):
        after = voice.change(deed, told, area=place.area, lon=place.lon, lat=place.lat)
        record(deed, voice.entry(after, "place", detail=moved(told, place)))
