"""What people change, turned into what engines are given: a lever, what was drawn on the map, how much and for how long."""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
import shapely

from zhongshu.foresee.bearing import Side, touched
from zhongshu.foresee.rows import Lever
from zhongshu.foresee.scenario import Change, Whole
from zhongshu.kernel.clock import HOUR, parse_duration
from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why

NO_LEVER = declare(
    "twin.no_lever",
    "invalid",
    zh=("没有“{lever}”这种改动。", "可以改的：{levers}。"),
    en=("There is no change '{lever}'.", "There are: {levers}."),
)
NOTHING_MEANT = declare(
    "twin.nothing_meant",
    "invalid",
    zh=("“{lever_zh}”没有画到任何对象：{metres} 米之内什么也没有。", "请把位置画得近一些；对象都画在图上。"),
    en=("'{lever_en}' means nothing: no object lies within {metres} m of what was drawn.", "Draw it nearer; the objects are on the map."),
)
BAD_AMOUNT = declare(
    "twin.bad_amount",
    "invalid",
    zh=("“{lever_zh}”不能是 {amount} {unit}。", "请在 {low} 到 {high} {unit} 之间取值。"),
    en=("'{lever_en}' cannot be {amount} {unit}.", "Choose from {low} to {high} {unit}."),
)
BAD_SHAPE = declare(
    "twin.bad_shape",
    "invalid",
    zh=("“{lever_zh}”画的位置读不了：{why_zh}。", "位置是 GeoJSON 的点、线或面，经纬度（EPSG:4490）。"),
    en=("What was drawn for '{lever_en}' cannot be read: {why_en}.", "A place is a GeoJSON point, line or polygon, in longitude and latitude (EPSG:4490)."),
)
BAD_WISH = declare(
    "twin.bad_wish",
    "invalid",
    zh=("改动写得不对：{why_zh}。", "一项改动有 lever、at 或 of、amount、begin、until、cost、note；写法见 docs/how-to/ask-what-if.md。"),
    en=("A change is not written as it should be: {why_en}.", "A change has lever, at or of, amount, begin, until, cost and note; see docs/how-to/ask-what-if.md."),
)
Find = Callable[[str], Side]
"""Returns the drawn objects that `role:kind.attribute` speaks of."""


class Wish(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A change as a person makes it: by a lever, at what was drawn (GeoJSON geometry in degrees) or of named objects, how much, from when until when; what it costs is theirs to say (yuan)."""

    lever: Whole
    at: dict[str, Any] | None = None
    of: list[Whole] = []
    amount: float | None = None
    begin: str = "0s"
    until: str = ""
    cost: Annotated[float, msgspec.Meta(ge=0, le=1e12)] = 0.0
    note: Annotated[str, msgspec.Meta(max_length=400)] = ""


def wished(rows: Any) -> list[Wish]:  # noqa: ANN401 (whatever was sent)
    """Read wishes. Raises `twin.bad_wish`."""
    try:
        return msgspec.convert(rows, list[Wish])
    except msgspec.ValidationError as error:
        raise BAD_WISH(**why(error)) from None


def meant(wish: Wish, levers: Mapping[str, Lever], find: Find, hours: float, *, anywhere: bool = False) -> Change:
    """Turn a wish into a change of a scenario that is to run so many hours; `anywhere`: where nothing lies near what was drawn, the nearest object is meant. Raises `twin.no_lever`, `twin.nothing_meant`, `twin.bad_amount`, `twin.bad_shape`."""
    if wish.lever not in levers:
        raise NO_LEVER(lever=wish.lever, levers=", ".join(levers))
    lever = levers[wish.lever]
    objects = list(wish.of) or _objects(lever, wish, find, anywhere=anywhere)
    value = lever.value
    if lever.asks:
        if wish.amount is None or not lever.low <= wish.amount <= lever.high:
            raise BAD_AMOUNT(
                lever_zh=lever.zh, lever_en=lever.en, amount="—" if wish.amount is None else f"{wish.amount:g}", unit=lever.unit, low=f"{lever.low:g}", high=f"{lever.high:g}"
            )
        value = wish.amount * lever.value
    if lever.lasts:
        lasted = ((parse_duration(wish.until) if wish.until else round(hours * HOUR)) - parse_duration(wish.begin)) / HOUR
        value /= max(lasted, 1 / 60)
    if lever.shares and objects:
        value /= len(objects)
    return Change(lever.target, value, lever.gives or lever.unit, objects or "*", wish.begin, wish.until, lever.after)


def _objects(lever: Lever, wish: Wish, find: Find, *, anywhere: bool) -> list[str]:
    if lever.draws == "nothing":
        return []
    try:
        shape = shapely.from_geojson(msgspec.json.encode(wish.at))
        if shape is None or shape.is_empty or not shape.is_valid:
            message = "an empty or broken shape"
            raise ValueError(message)  # noqa: TRY301 (told like what the library refuses)
    except (shapely.errors.GEOSException, ValueError, TypeError) as error:
        raise BAD_SHAPE(lever_zh=lever.zh, lever_en=lever.en, **why(error)) from None
    found = touched(find(lever.target), shape, lever.metres, only=lever.nearest) or (touched(find(lever.target), shape, math.inf, only=True) if anywhere else [])
    if not found:
        raise NOTHING_MEANT(lever_zh=lever.zh, lever_en=lever.en, metres=f"{lever.metres:g}")
    return found
