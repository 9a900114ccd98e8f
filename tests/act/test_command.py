"""The chain of command: what a city passes down is signed for, dispatched by the district's centre, and comes back the same way; who supervises is kept apart."""

from typing import Any

import pytest

from zhongshu.act import CaseFilter, Place, machine, record, sweep
from zhongshu.act.clocks import holdings
from zhongshu.kernel.clock import HOUR, MINUTE
from zhongshu.kernel.grade import EVERYWHERE, Scope

DISTRICT, OTHER = 990101000000000, 990102000000000
COMMAND = (
    f"area,unit,unit_zh,unit_en,units,supervision,basis,valid_from\n{DISTRICT:015d},command-d,东区指挥中心,Centre of the East district,dept-d,{{supervision}},示例,2025-01-01\n"
)
LIMITS = "class,step,condition,amount,mode,calendar,warn,basis,valid_from\nponding,receipt,,30m,wall,,10m,示例,2025-01-01\n"
STREET_UNIT = "street-990101001000000"


@pytest.fixture
def below(city: Any) -> Any:
    """Return the district's own dispatcher, in a city with one tier of supervision and two of command."""
    city.table("command", COMMAND.format(supervision="city"), "command")
    city.table("limits", LIMITS, "limits")
    return city.person("dispatcher", DISTRICT, "command-d", "d")


def test_the_city_passes_down_the_district_signs_and_dispatches_and_each_hop_has_its_receipt_and_limit(city: Any, below: Any) -> None:
    case = city.open()
    assert (case["command"], case["holder"]) == ("", "dispatcher")
    city.refused("command.elsewhere", lambda: city.do(below, case, "dispatch", unit=STREET_UNIT))
    city.refused("command.through_centre", lambda: city.do("dispatcher", case, "dispatch", unit=STREET_UNIT))
    case = city.do("dispatcher", case, "pass_down")
    assert (case["mark"], case["command"], case["holder_zh"], case["part"]) == ("down", "command-d", "东区指挥中心", "receipt")
    assert case["held_due"] == city.clock.at + 30 * MINUTE
    city.refused("command.elsewhere", lambda: city.do("dispatcher", case, "sign_for"))
    city.clock.at += 10 * MINUTE
    case = city.do(below, case, "sign_for")
    assert (case["step"], case["mark"], case["holder"], case["part"]) == ("dispatch", "", "command-d", "dispatch")
    city.refused("command.elsewhere", lambda: city.do("dispatcher", case, "dispatch", unit="dept-drainage"))
    city.refused("command.not_its_unit", lambda: city.do(below, case, "dispatch", unit="dept-drainage"))
    city.clock.at += 5 * MINUTE
    case = city.do(below, case, "dispatch", unit="dept-d")
    case = city.do(city.person("department", DISTRICT, "dept-d"), case, "take")
    assert [(each.part, each.holder, ((each.end or city.clock.at) - each.start) // MINUTE) for each in holdings(city.lines_of(case))] == [
        ("dispatch", "dispatcher", 0),
        ("receipt", "command-d", 10),
        ("dispatch", "command-d", 5),
        ("sign", "dept-d", 0),
        ("handle", "dept-d", 0),
    ]
    assert machine.replay(city.lines_of(case)) == ("handle", "taken")


def test_what_a_unit_returns_goes_up_the_same_way(city: Any, below: Any) -> None:
    case = city.do(below, city.do(below, city.do("dispatcher", city.open(), "pass_down"), "sign_for"), "dispatch", unit=STREET_UNIT)
    city.clock.at += 20 * MINUTE
    case = city.do(city.person("handler", 990101001000000, STREET_UNIT), case, "return", reason="不属街道")
    assert (case["holder"], case["part"]) == ("command-d", "review")
    city.refused("command.elsewhere", lambda: city.do("dispatcher", case, "uphold"))
    case = city.do(below, case, "uphold")
    assert next(each.charged for each in holdings(city.lines_of(case)) if each.part == "sign") == "command-d", "who sent it there is charged"
    case = city.do(below, case, "send_back", reason="需要市级部门")
    assert (case["step"], case["mark"], case["command"], case["holder"]) == ("dispatch", "", "", "dispatcher")
    city.refused("command.not_below", lambda: city.do("dispatcher", case, "send_back", reason="—"))
    assert city.do("dispatcher", case, "dispatch", unit="dept-drainage")["unit"] == "dept-drainage"


def test_the_city_takes_up_again_what_it_passed_down_and_supervises_without_commanding(city: Any, below: Any) -> None:
    case = city.do("dispatcher", city.open(), "pass_down")
    case = city.do("duty_officer", case, "supervise", reason="群众反映强烈", until=city.clock.at + HOUR)
    assert case["command"] == "command-d", "to supervise is not to command"
    city.refused("command.elsewhere", lambda: city.do(below, case, "take_up", reason="—"))
    case = city.do("dispatcher", case, "take_up", reason="情况紧急，市级直接指挥")
    assert (case["command"], case["holder"], case["mark"]) == ("", "dispatcher", "")


def test_a_hop_that_nobody_signs_for_is_signed_for_at_its_limit(city: Any, below: Any) -> None:
    assert below
    case = city.do("dispatcher", city.open(), "pass_down")
    city.clock.at += 31 * MINUTE
    city.as_("duty_officer", sweep)
    assert (city.shown(case)["mark"], city.shown(case)["holder"]) == ("", "command-d")
    assert city.lines_of(case)[-1]["actor"] == "system"


def test_who_has_no_chain_has_none_of_its_verbs(city: Any, below: Any) -> None:
    case = city.open(area=OTHER + 1_001_001)
    assert not {"pass_down", "send_back", "take_up"} & {verb["verb"] for verb in city.shown(case)["verbs"]}
    city.refused("command.no_chain", lambda: city.do("dispatcher", case, "pass_down"))
    assert city.do("dispatcher", case, "dispatch", unit="dept-drainage")["unit"] == "dept-drainage"
    held = city.open()
    assert "pass_down" in {verb["verb"] for verb in city.shown(held)["verbs"]}
    assert city.shown(held)["chain"]["unit"] == "command-d"
    assert below


def test_each_level_waits_only_for_what_it_commands(city: Any, below: Any) -> None:
    ours, theirs = city.open(), city.do("dispatcher", city.open(), "pass_down")

    def mine(who: Any) -> set[str]:
        wanted = CaseFilter("open", mine=who)
        return {row["id"] for row in city.desk.read(lambda c: record.list_cases(c, Scope(EVERYWHERE, 3), wanted, city.clock.at))["items"]}

    assert mine(city.people["dispatcher"]) == {ours["id"]}
    assert mine(below) == {theirs["id"]}


def test_one_tier_supervises_for_the_whole_city_and_two_let_a_district_file_and_command_its_own(city: Any, below: Any) -> None:
    acceptor = city.person("acceptor", DISTRICT, "", "d")
    city.refused("command.not_supervisor", lambda: city.open(who=acceptor))
    reported = city.do("collector", city.open(verb="report", who="citizen"), "verify")
    city.refused("command.not_supervisor", lambda: city.do(acceptor, reported, "file"))
    city.table("command", COMMAND.format(supervision="district"), "command")
    filed = city.do(acceptor, reported, "file")
    assert (filed["command"], filed["holder"]) == ("command-d", "command-d")
    assert city.open(who=acceptor)["command"] == "command-d"
    assert city.open()["command"] == "", "what the city's own supervisors file is the city's to command"
    assert city.do(below, filed, "dispatch", unit="dept-d")["unit"] == "dept-d"


def test_a_case_that_turns_out_to_lie_elsewhere_leaves_its_chain(city: Any, below: Any) -> None:
    case = city.do(below, city.do("dispatcher", city.open(), "pass_down"), "sign_for")
    case = city.do("duty_officer", case, "place", place=Place(OTHER + 1_001_001))
    assert (case["command"], case["holder"]) == ("", "dispatcher")


def test_a_chain_for_what_is_no_district_is_refused(city: Any) -> None:
    city.refused("duty.not_a_district", lambda: city.table("command", COMMAND.format(supervision="city").replace(f"{DISTRICT:015d}", "990101001000000")))
