"""Which units there are to be sent to: those that a duty table names, those that an account belongs to, and streets' own offices. Knows no verb."""

from zhongshu.act import duty
from zhongshu.act.deed import Deed
from zhongshu.kernel.area import Level, city_of, level_of, parse_area
from zhongshu.kernel.problem import Problem, declare

UNKNOWN = declare(
    "unit.unknown",
    "invalid",
    zh=("没有登记过单位“{unit}”。", "可以是：{known_zh}，或某个街道的办事处（street- 加 15 位编码）；新单位请先写进派单目录，或为它开设账户。"),
    en=(
        "There is no unit '{unit}'.",
        "It can be: {known_en}, or a street's office (street- and its 15 digits). Name a new unit in the dispatch catalogue first, or add an account of it.",
    ),
)
OWN = declare(
    "unit.own",
    "refused",
    zh=("{unit_zh}就是自己的单位，不用再通知。", "请选择别的单位；本单位能办的，直接办理。"),
    en=("{unit_en} is one's own unit.", "Choose another; what the own unit can do it does at once."),
)
MOST = 40
"""So many units are named in a remedy."""


def check(deed: Deed, unit: str, area: int = 0) -> None:
    """Refuse a unit that nobody knows; `area`: one of the city. Raises `unit.unknown`."""
    if duty.names_unit(deed.connection, unit) or _office(unit, area) or deed.staff(deed.connection, unit):
        return
    known = duty.units(deed.connection)[:MOST]
    raise UNKNOWN(unit=unit, **{f"known_{language}": ", ".join(f"{row['unit']} {row[f'unit_{language}']}" for row in known) or "—" for language in ("zh", "en")})


def other(deed: Deed, unit: str, own: str) -> None:
    """Refuse to call one's own unit. Raises `unit.own`."""
    if own and unit == own:
        zh, en = duty.unit_names(deed.connection, unit)
        raise OWN(unit_zh=zh, unit_en=en)


def _office(unit: str, area: int) -> bool:
    """Tell whether a unit is a street's office: by its code, of the city of `area` if that is given."""
    if not unit.startswith(duty.STREET):
        return False
    try:
        street = parse_area(unit.removeprefix(duty.STREET))
    except Problem:
        return False
    return level_of(street) is Level.STREET and (not area or city_of(street) == city_of(area))
