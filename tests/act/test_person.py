"""The hop from a unit to a person of it: the officer assigns, the person does it, and it ends when the case leaves the unit."""

import threading
from dataclasses import replace
from typing import Any

import pytest

from zhongshu.act import CaseFilter, Deed, Given, do, machine, people, record, sweep
from zhongshu.act.clocks import holdings
from zhongshu.act.tables import case_file
from zhongshu.kernel.clock import MINUTE
from zhongshu.kernel.grade import EVERYWHERE, Principal, Scope
from zhongshu.kernel.problem import Problem

STREET, ELSEWHERE, CITY = 990101001000000, 990102001000000, 990100000000000
UNIT = "dept-drainage"
LIMITS = "class,step,condition,amount,mode,calendar,warn,basis,valid_from\nponding,sign,,30m,wall,,10m,示例,2025-01-01\nponding,handle,,2h,wall,,30m,示例,2025-01-01\n"


class Unit:
    """A city's drainage office: an officer, two handlers, one of another street, a service's key; and a handler of another unit."""

    def __init__(self, city: Any) -> None:
        self.city = city
        self.officer = city.person("department", CITY, UNIT, "o")
        self.one, self.two = (city.person("handler", STREET, UNIT, tail) for tail in ("a", "b"))
        self.far = city.person("handler", ELSEWHERE, UNIT, "c")
        self.machine = city.person("handler", STREET, UNIT, "m")
        self.other = city.person("handler", STREET, "dept-road", "d")
        self.ended: set[str] = set()

    def staff(self, _connection: Any, unit: str) -> list[dict[str, Any]]:
        found = [who for who in (self.officer, self.one, self.two, self.far, self.machine, self.other) if who.unit == unit and who.id not in self.ended]
        kind = {self.machine.id: "service"}
        return [{"id": who.id, "name_zh": f"模拟{who.id}", "name_en": who.id, "kind": kind.get(who.id, "person"), "roles": who.roles} for who in found]

    def do(self, who: Principal | str, case: dict[str, Any], verb: str, **given: Any) -> Any:
        asked = Given(version=given.pop("version", case["version"]), **given)
        return self.city.as_(who, lambda deed: do(replace(deed, staff=self.staff), case["id"], verb, asked))

    def sent(self) -> Any:
        return self.do("dispatcher", self.city.open(), "dispatch", unit=UNIT)

    def row(self, case: dict[str, Any]) -> Any:
        return self.city.row(case_file, case["id"])

    def verbs(self, case: dict[str, Any], who: Principal) -> set[str]:
        return {row.verb for row in machine.offered(self.row(case), who)}

    def waiting(self, who: Principal) -> list[str]:
        asked = CaseFilter(state="open", mine=who)
        return [one["id"] for one in self.city.desk.read(lambda c: record.list_cases(c, Scope(EVERYWHERE, 3), asked, self.city.clock.at))["items"]]


@pytest.fixture
def unit(city: Any) -> Unit:
    city.table("limits", LIMITS, "limits")
    return Unit(city)


def test_the_officer_names_a_person_who_alone_does_it(city: Any, unit: Unit) -> None:
    case = unit.sent()
    assert unit.waiting(unit.one) == unit.waiting(unit.two) == unit.waiting(unit.officer) == [case["id"]]
    assert "assign" in unit.verbs(case, unit.officer) and "assign" not in unit.verbs(case, unit.one)
    case = unit.do(unit.officer, case, "assign", person=unit.one.id, note="带上水泵")
    assert (case["person"], case["step"], case["mark"]) == (unit.one.id, "handle", "")
    assert unit.waiting(unit.one) == [case["id"]] and unit.waiting(unit.two) == unit.waiting(unit.officer) == []
    assert unit.verbs(case, unit.two) == set(), "a colleague is offered nothing"
    assert unit.verbs(case, unit.officer) == {"assign", "return", "ask", "launch", "object"}, "the officer answers for the unit, and does not do the work"
    for verb in ("take", "return", "read", "ask"):
        told = city.refused("case.assigned_elsewhere", lambda verb=verb: unit.do(unit.two, case, verb, reason="不属", until=city.clock.at + MINUTE, what="park"))
    assert "排水处的部门经办人" in told.remedy("zh") and unit.one.id in told.sentence("en"), "it says whose it is and whom to ask"
    city.refused("case.assigned_elsewhere", lambda: unit.do(unit.officer, case, "take"))
    line = city.lines_of(case)[-1]
    assert (line["actor"], line["verb"], line["note"], line["detail"]["person"]) == (unit.officer.id, "assign", "带上水泵", unit.one.id)
    for verb in ("take", "handle", "feedback"):
        case = unit.do(unit.one, case, verb, evidence=(city.pump,))
        if verb != "feedback":
            city.refused("case.assigned_elsewhere", lambda verb=verb, case=case: unit.do(unit.two, case, {"take": "handle", "handle": "feedback"}[verb], evidence=(city.pump,)))
    assert (case["step"], case["person"]) == ("check", unit.one.id)
    assert machine.replay(city.lines_of(case)) == ("check", "")


def test_whoever_takes_what_nobody_was_assigned_is_its_person(city: Any, unit: Unit) -> None:
    case = unit.do(unit.one, unit.sent(), "take")
    assert case["person"] == unit.one.id
    city.refused("case.assigned_elsewhere", lambda: unit.do(unit.two, case, "handle", evidence=(city.pump,)))
    left = unit.sent()
    city.clock.at += 31 * MINUTE
    city.as_("duty_officer", sweep)
    signed = unit.row(left)
    assert (signed["mark"], signed["person"]) == ("taken", ""), "signed for by itself it is still nobody's"
    assert unit.do(unit.two, signed, "handle", evidence=(city.pump,))["person"] == unit.two.id


def test_receipts_are_those_of_the_person(city: Any, unit: Unit) -> None:
    case = unit.do(unit.two, unit.sent(), "read")
    assert case["receipt"] == "read"
    case = unit.do(unit.officer, case, "assign", person=unit.one.id)
    assert case["receipt"] == "", "that a colleague read it says nothing of who has it now"
    city.refused("case.assigned_elsewhere", lambda: unit.do(unit.officer, case, "delivered"))
    assert unit.do(unit.one, case, "delivered")["receipt"] == "delivered"
    assert city.news[-1].body["receipt"] == "delivered"


def test_from_hand_to_hand_no_clock_begins_anew(city: Any, unit: Unit) -> None:
    case, began = unit.sent(), city.clock.at
    city.clock.at += 10 * MINUTE
    case = unit.do(unit.officer, case, "assign", person=unit.one.id)
    assert (case["part"], case["held_since"], case["held_due"]) == ("sign", began, began + 30 * MINUTE)
    case = unit.do(unit.one, case, "take")
    due = case["held_due"]
    city.clock.at += 10 * MINUTE
    case = unit.do(unit.officer, case, "assign", person=unit.two.id)
    assert (case["mark"], case["part"], case["held_due"]) == ("", "handle", due), "the next person has to take it, within the unit's limit"
    city.refused("case.assigned_elsewhere", lambda: unit.do(unit.one, case, "take"))
    case = unit.do(unit.two, case, "take")
    assert (case["mark"], case["part"], case["held_due"], case["receipt"]) == ("taken", "handle", due, "")
    city.clock.at += 5 * MINUTE
    case = unit.do(unit.two, case, "handle", evidence=(city.pump,))
    case = unit.do(unit.officer, case, "assign", person=unit.one.id)
    assert (case["step"], case["part"]) == ("feedback", "feedback")
    assert unit.do(unit.one, case, "feedback", evidence=(city.pump,))["step"] == "check"
    assert [(each.part, ((each.end or city.clock.at) - each.start) // MINUTE) for each in holdings(city.lines_of(case))][1:4] == [("sign", 10), ("handle", 15), ("feedback", 0)]


def test_only_who_can_do_it_is_named(city: Any, unit: Unit) -> None:
    case = unit.sent()
    assert [one["id"] for one in city.desk.read(lambda c: people(c, unit.staff, case["id"], unit.officer))] == [unit.one.id, unit.two.id]
    for who in (unit.far.id, unit.other.id, unit.machine.id, unit.officer.id, "nobody", "x" * 64):
        told = city.refused("case.person_not_able", lambda who=who: unit.do(unit.officer, case, "assign", person=who))
    assert unit.one.id in told.remedy("en") and unit.far.id not in told.remedy("en")
    unit.ended.add(unit.two.id)
    city.refused("case.person_not_able", lambda: unit.do(unit.officer, case, "assign", person=unit.two.id))
    city.refused("case.missing", lambda: unit.do(unit.officer, case, "assign"))
    city.refused("case.not_yours", lambda: unit.do(unit.one, case, "assign", person=unit.one.id))
    city.refused("case.not_yours", lambda: unit.do("dispatcher", case, "assign", person=unit.one.id))
    stranger = city.person("department", CITY, "dept-road", "s")
    city.refused("case.not_held", lambda: unit.do(stranger, case, "assign", person=unit.other.id))
    city.refused("case.not_held", lambda: city.desk.read(lambda c: people(c, unit.staff, case["id"], stranger)))
    city.refused("case.assigned_elsewhere", lambda: unit.do(unit.one, case, "take", person=unit.two.id))
    case = unit.do(unit.officer, case, "assign", person=unit.one.id)
    city.refused("case.assigned_already", lambda: unit.do(unit.officer, case, "assign", person=unit.one.id))
    city.refused("case.stale", lambda: unit.do(unit.officer, case, "assign", person=unit.one.id, version=case["version"] - 1))
    assert city.desk.read(lambda c: people(c, unit.staff, case["id"], unit.officer))[0]["open"] == 1
    unit.ended.add(unit.one.id)
    unit.ended.discard(unit.two.id)
    assert unit.do(unit.officer, case, "assign", person=unit.two.id)["person"] == unit.two.id, "who has left is replaced"


@pytest.mark.parametrize("way", ["return", "recall", "object"])
def test_when_it_leaves_the_unit_nobody_is_named(city: Any, unit: Unit, way: str) -> None:
    case = unit.do(unit.officer, unit.sent(), "assign", person=unit.one.id)
    if way == "recall":
        case = unit.do("dispatcher", case, "recall", reason="派错了")
    else:
        case = unit.do(unit.one, case, "return", reason="不属本单位")
    assert case["person"] == ""
    if way == "object":
        case = unit.do("dispatcher", case, "reject", reason="属于")
        assert case["person"] == "", "the officer says anew who does it"
        case = unit.do(unit.officer, case, "assign", person=unit.two.id)
        case = unit.do(unit.two, case, "object", reason="仍不属")
        assert case["person"] == ""
        case = unit.do("duty_officer", case, "rule", reason="裁定", note="纪要", unit="dept-road")
        assert (case["unit"], case["person"]) == ("dept-road", "")
        city.refused("case.not_held", lambda: unit.do(unit.two, case, "take"))


def test_it_lasts_through_a_pause_and_what_is_to_be_redone_and_ends_with_a_new_beginning(city: Any, unit: Unit) -> None:
    case = unit.do(unit.officer, unit.sent(), "assign", person=unit.one.id)
    case = unit.do("duty_officer", case, "park", reason="等料", until=city.clock.at + 60 * MINUTE)
    assert case["person"] == unit.one.id and "assign" not in unit.verbs(case, unit.officer)
    case = unit.do("duty_officer", case, "resume")
    for verb in ("take", "handle", "feedback"):
        case = unit.do(unit.one, case, verb, evidence=(city.pump,))
    case = unit.do("checker", case, "check_fail", reason="水未退")
    assert (case["person"], case["step"]) == (unit.one.id, "handle")
    case = unit.do(unit.officer, case, "assign", person=unit.two.id)
    for verb in ("take", "handle", "feedback"):
        case = unit.do(unit.two, case, verb, evidence=(city.pump,))
    case = unit.do("acceptor", unit.do("checker", case, "check_pass"), "close")
    assert case["person"] == unit.two.id
    assert unit.do("acceptor", case, "reopen", reason="又积水")["person"] == ""


def test_a_dispatch_taken_back_leaves_no_one_and_after_an_assignment_it_stands(city: Any, unit: Unit) -> None:
    case = unit.sent()
    was = unit.row(case) | {"version": 0, "changed": 0}
    case = unit.do("dispatcher", case, "undo")
    assert (case["step"], case["person"]) == ("dispatch", "")
    case = unit.do("dispatcher", case, "dispatch", unit=UNIT)
    assert unit.row(case) | {"version": 0, "changed": 0} == was, "put back and done again it is the same"
    case = unit.do(unit.officer, case, "assign", person=unit.one.id)
    city.refused("case.undo_since", lambda: unit.do("dispatcher", case, "undo"))
    assert unit.row(case)["person"] == unit.one.id


def test_of_two_who_assign_at_once_one_does(city: Any, unit: Unit) -> None:
    case, told = unit.sent(), []

    def work(who: str) -> None:
        def assign(deed: Deed) -> Any:
            return do(replace(deed, staff=unit.staff), case["id"], "assign", Given(version=case["version"], person=who))

        try:
            told.append(city.as_(unit.officer, assign)["person"])
        except Problem as problem:
            told.append(problem.kind.code)

    threads = [threading.Thread(target=work, args=(who.id,)) for who in (unit.one, unit.two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "case.stale" in told and unit.row(case)["person"] in told
