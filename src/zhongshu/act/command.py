"""The chain of command (一级监督两级指挥, 两级监督两级指挥), as dated rows of the table `command`: which districts command their own cases, and who supervises there.

The city commands a case until it passes it down (转派) to the district's centre, which signs for it (签收), sends it to its own units, or sends it back; what a
unit returns goes the same path. Supervision is kept apart: who files and who closes is said by the row. Without a row a district has no chain.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from zhongshu.act import duty
from zhongshu.act.deed import INSTRUMENT, SYSTEM, Deed
from zhongshu.act.states import INTAKE, SENDERS
from zhongshu.kernel.area import Level, at_level, interval, level_of, show_area
from zhongshu.kernel.grade import Principal
from zhongshu.kernel.problem import declare

CITY, DISTRICT = duty.SUPERVISIONS
"""Who supervises: the city alone (一级监督), or the district as well (两级监督)."""

NOT_COMMANDED = declare(
    "command.elsewhere",
    "refused",
    zh=("这件案件由{zh}指挥，不由你指挥。", "请由对方“{verb_zh}”；市级可以“收回指挥”或“督办”，区级可以等市级“转派”。"),
    en=("The case is commanded by {en}, not by you.", "Let them '{verb_en}'; the city may take it up again or supervise, a district waits until it is passed down."),
)
NOT_CHAINED = declare(
    "command.no_chain",
    "conflict",
    zh=("这里没有下级指挥中心，不用转派。", "请直接派遣给承办单位。"),
    en=("There is no centre below to pass this down to.", "Dispatch it to a unit at once."),
)
NOT_BELOW = declare(
    "command.not_below",
    "conflict",
    zh=("这件案件没有转派过，由市级指挥。", "请直接派遣，或“转派”给区指挥中心。"),
    en=("This case was not passed down: the city commands it.", "Dispatch it, or pass it down to the district's centre."),
)
THROUGH_CENTRE = declare(
    "command.through_centre",
    "refused",
    zh=("{unit_zh}归{zh}指挥，不能越级派遣。", "请“转派”给{zh}，由它派遣。"),
    en=("{unit_en} is commanded by {en}: it cannot be sent to over its head.", "Pass the case down to {en}, which dispatches it."),
)
NOT_ITS_UNIT = declare(
    "command.not_its_unit",
    "refused",
    zh=("{unit_zh}不归{zh}指挥。", "请派给本区的单位；要市级部门办理的，请“退回上级”，由市级派遣。"),
    en=("{unit_en} is not commanded by {en}.", "Choose a unit of this district; what a city department must do is sent back up, for the city to dispatch."),
)
NOT_SUPERVISOR = declare(
    "command.not_supervisor",
    "refused",
    zh=("一级监督：这里由市级监督中心“{verb_zh}”。", "请交由市级受理员办理。"),
    en=("One tier supervises here: the city's centre has to '{verb_en}'.", "Hand it to an acceptor of the city."),
)

Centre = dict[str, Any]


def centre(connection: Connection, area: int, at: int) -> Centre | None:
    """Return the district centre that commands in an area at a time: {unit, unit_zh, unit_en, units, supervision, area}; None where there is no chain."""
    if level_of(area) < Level.DISTRICT:
        return None
    row = duty.book(connection).at("command", (show_area(at_level(area, Level.DISTRICT)),), at)
    return None if row is None else row.cells


def chained(connection: Connection, at: int) -> list[int]:
    """Return the districts that have a chain at a time."""
    return [int(row.cells["area"]) for row in duty.book(connection).all_at("command", at)]


def first(deed: Deed, area: int, verb: str) -> str:
    """Return which centre commands a case that is filed now: the district's where its own supervisors, or a rule of a district that supervises, file it; else ''.

    Raises `command.not_supervisor` where the city alone supervises, and a person of the district files.
    """
    held = centre(deed.connection, area, deed.now)
    if held is None:
        return ""
    supervises(deed, held, area, verb)
    above = deed.actor.id not in {SYSTEM.id, INSTRUMENT.id} and _above(deed.actor, INTAKE, area)
    return "" if held["supervision"] == CITY or above else str(held["unit"])


def supervises(deed: Deed, held: Centre, area: int, verb: str) -> None:
    """Refuse to let a district file or close where the city alone supervises. Raises `command.not_supervisor`."""
    if held["supervision"] == CITY and deed.actor.id != SYSTEM.id and not _above(deed.actor, INTAKE, area):
        words = {"file": ("立案", "file"), "confirm": ("立案", "file"), "close": ("结案", "close")}[verb]
        raise NOT_SUPERVISOR(verb_zh=words[0], verb_en=words[1])


def commands(held: Centre | None, case: Mapping[Any, Any], who: Principal) -> bool:
    """Tell whether someone commands a case now: of the centre it was passed down to, or, while it was not, of a level above."""
    if held is None or who.id == SYSTEM.id:
        return True
    above = _above(who, SENDERS, case["area"])
    return above if not case["command"] else who.unit == case["command"] or (not above and bool(who.role_names & SENDERS))


def above(held: Centre | None, case: Mapping[Any, Any], who: Principal) -> bool:
    """Tell whether someone is of the level above a centre that commands the case."""
    return held is not None and bool(case["command"]) and _above(who, SENDERS, case["area"])


def may_send(held: Centre | None, case: Mapping[Any, Any], unit: str, names: tuple[str, str]) -> None:
    """Refuse to send over a centre's head, or to who is not of its district. Raises `command.through_centre`, `command.not_its_unit`."""
    if held is None:
        return
    low, high = interval(int(held["area"]))
    street = unit.removeprefix(duty.STREET)
    its = unit in held["units"] or (unit.startswith(duty.STREET) and street.isdigit() and low <= int(street) < high)
    words = {"unit_zh": names[0], "unit_en": names[1], "zh": held["unit_zh"], "en": held["unit_en"]}
    if its and not case["command"]:
        raise THROUGH_CENTRE(**words)
    if not its and case["command"]:
        raise NOT_ITS_UNIT(**words)


def who(held: Centre, case: Mapping[Any, Any]) -> tuple[str, str]:
    """Name who commands a case, in zh and en."""
    return (held["unit_zh"], held["unit_en"]) if case["command"] else ("市指挥中心", "the city's centre")


def show(held: Centre | None, case: Mapping[Any, Any]) -> dict[str, Any] | None:
    """Return the chain of a case for its page: the district's centre, who supervises, and whether the centre commands; None without a chain."""
    if held is None:
        return None
    return {name: held[name] for name in ("unit", "unit_zh", "unit_en", "supervision", "basis")} | {"below": bool(case["command"])}


def _above(who: Principal, roles: frozenset[str], area: int) -> bool:
    """Tell whether someone holds one of these roles for more than the district of an area."""
    return any(role in roles and (place == 0 or level_of(place) < Level.DISTRICT) and place <= area < interval(place)[1] for role, place in who.roles)
