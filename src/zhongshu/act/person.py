"""The last hop of the chain of command (指派): which person of the unit that holds a case does it.

The unit's officer names someone; without that, whoever takes a case does it. When the case leaves the unit nobody is named any more.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from zhongshu.act import machine, refusals
from zhongshu.act.deed import SYSTEM, Deed, Staff
from zhongshu.act.docket import Case, Changes
from zhongshu.act.given import Given
from zhongshu.act.states import VERBS
from zhongshu.act.tables import case_file
from zhongshu.kernel.grade import Principal
from zhongshu.kernel.problem import Problem, declare

THEIRS = declare(
    "case.assigned_elsewhere",
    "refused",
    zh=("这件案件由{zh}办理，“{verb_zh}”要由本人来做。", "请联系{zh}；要换人办的，请{unit_zh}的部门经办人“指派”。"),
    en=("The case is {en}'s: '{verb_en}' is theirs to do.", "Talk to {en}; to have someone else do it, ask a department officer of {unit_en} to assign it."),
)
NOT_ABLE = declare(
    "case.person_not_able",
    "invalid",
    zh=("{unit_zh}没有能办这件案件的人员“{person}”。", "可以指派：{able_zh}。其他人员须先由系统管理员开设账户，并授予这个区域的处置员。"),
    en=("Nobody '{person}' of {unit_en} can do this case.", "It can be: {able_en}. Anyone else first needs an account there, as a handler of that area."),
)
SAME = declare(
    "case.assigned_already",
    "conflict",
    zh=("这件案件已经由{zh}办理。", "请指派给另一个人；有话要说的，请直接联系本人。"),
    en=("The case is {en}'s already.", "Assign it to someone else, or talk to them."),
)

_HELD = ("handle", "feedback")
_ONE = select(case_file).where(case_file.c.id == bindparam("id"))
_IN_HAND = (
    select(case_file.c.person, func.count())
    .where(case_file.c.closed.is_(None), case_file.c.unit == bindparam("unit"), case_file.c.person != "", case_file.c.step.in_(_HELD))
    .group_by(case_file.c.person)
)
_SOMEONE = {"name_zh": "另一位同事", "name_en": "a colleague"}


def able(connection: Connection, staff: Staff, case: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """Return the people of the unit that holds a case who are handlers where it lies, by name."""
    of_unit = staff(connection, case["unit"]) if case["unit"] else []
    found = [one for one in of_unit if one["kind"] == "person" and machine.holds_role(one["roles"], frozenset({"handler"}), case["area"])]
    return sorted(found, key=lambda one: (one["name_zh"], one["id"]))


def people(connection: Connection, staff: Staff, case_id: str, viewer: Principal) -> list[dict[str, Any]]:
    """Return whom a viewer may assign a case to, by name, with the cases each has in hand. Raises `case.not_now`, `case.not_yours`, `case.not_held`."""
    case = connection.execute(_ONE, {"id": case_id}).mappings().one()
    row = machine.find(case["step"], case["mark"], "assign")
    machine.allow(row, viewer, case["area"])
    if not machine.holds(row, viewer, case):
        raise refusals.NOT_HELD(unit_zh=case["holder_zh"] or case["unit"], unit_en=case["holder_en"] or case["unit"])
    in_hand = {held[0]: held[1] for held in connection.execute(_IN_HAND, {"unit": case["unit"]})}
    return [{name: one[name] for name in ("id", "name_zh", "name_en")} | {"open": in_hand.get(one["id"], 0)} for one in able(connection, staff, case)]


def theirs(deed: Deed, case: Case, verb: str, whose: str) -> Problem:
    """Say whose a case is, to someone of the same unit who would do it."""
    zh, en = _name(deed, case, whose)
    return THEIRS(zh=zh, en=en, verb_zh=VERBS[verb].zh, verb_en=VERBS[verb].en, unit_zh=case["holder_zh"], unit_en=case["holder_en"])


def assign(deed: Deed, case: Case, given: Given) -> Changes:
    """Name who does a case; how far it has come with whoever had it before says nothing of them. Raises `case.person_not_able`, `case.assigned_already`."""
    there = able(deed.connection, deed.staff, case)
    if given.person not in {one["id"] for one in there}:
        zh, en = ("、".join(one["name_zh"] for one in there), ", ".join(one["name_en"] or one["name_zh"] for one in there))
        raise NOT_ABLE(person=given.person, unit_zh=case["holder_zh"], unit_en=case["holder_en"], able_zh=zh or "—", able_en=en or "—")
    if given.person == case["person"]:
        zh, en = _name(deed, case, given.person)
        raise SAME(zh=zh, en=en)
    return {"person": given.person, "receipt": ""}


def own(deed: Deed, case: Case, _given: Given) -> Changes:
    """Make whoever takes or handles what nobody was assigned its person."""
    return {"receipt": ""} | ({} if case["person"] or deed.actor.id == SYSTEM.id else {"person": deed.actor.id})


def _name(deed: Deed, case: Case, id_: str) -> tuple[str, str]:
    held = next((one for one in deed.staff(deed.connection, case["unit"]) if one["id"] == id_), _SOMEONE)
    return held["name_zh"], held["name_en"] or held["name_zh"]
