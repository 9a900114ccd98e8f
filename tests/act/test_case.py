"""The way of a case: what may follow what, who may, what must be given; and that its history alone tells where it is."""

import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from zhongshu.act import Given, Place, check_by_instrument, do, machine, mermaid, states, sweep
from zhongshu.act.tables import case_file
from zhongshu.engines.sqlite_desk import SqliteDesk
from zhongshu.kernel.clock import HOUR, MINUTE
from zhongshu.kernel.problem import Problem

PEOPLE = ["acceptor", "dispatcher", "duty_officer", "handler", "other_handler", "checker", "collector", "citizen"]


def test_a_case_goes_its_seven_steps_and_leaves_a_line_for_each(city: Any) -> None:
    case = city.open()
    assert case["number"] == "990101-20260701-0001"
    assert (case["step"], case["due"]) == ("dispatch", city.start + 4 * HOUR)
    case = city.to_check(case)
    assert (case["step"], case["holder"], case["unit"]) == ("check", "checker", "dept-drainage")
    case = city.do("checker", case, "check_pass")
    city.clock.at += HOUR
    case = city.do("acceptor", case, "close")
    assert (case["step"], case["late"], case["version"]) == ("closed", False, 7)
    verbs = city.verbs_of(case)
    assert verbs == ["confirm", "dispatch", "take", "handle", "feedback", "check_pass", "due", "close"]
    assert [action for action, _, _ in city.lines] == [f"case.{verb}" for verb in verbs]
    assert all(subject == case["number"] for _, subject, _ in city.lines)
    assert city.news[-1].kind == "case"
    assert city.news[-1].area == city.cell
    assert city.news[-1].body["step"] == "closed"


def test_who_comes_late_is_told_and_changes_nothing(city: Any) -> None:
    case = city.open()
    after = city.do("dispatcher", case, "dispatch", unit="dept-drainage")
    city.refused("case.stale", lambda: city.do("duty_officer", case, "dispatch", unit="dept-road"))
    assert city.lines_of(case)[-1]["actor"] == "dispatcher-1"
    assert after["holder_zh"] == "排水处"


def test_roles_units_and_areas_bind(city: Any) -> None:
    case = city.open()
    city.refused("case.not_yours", lambda: city.do("citizen", case, "dispatch", unit="dept-drainage"))
    city.refused("case.not_yours", lambda: city.do(city.person("dispatcher", 990102000000000), case, "dispatch", unit="dept-drainage"))
    city.refused("case.missing", lambda: city.do("dispatcher", case, "dispatch"))
    case = city.do("dispatcher", case, "dispatch", unit="dept-drainage")
    city.refused("case.not_held", lambda: city.do("other_handler", case, "take"))
    city.refused("case.not_now", lambda: city.do("handler", case, "feedback"))
    city.refused("case.missing", lambda: city.do("handler", case, "return", reason="  "))
    case = city.do("handler", case, "return", reason="不属本单位")
    assert (case["step"], case["mark"], case["holder"], case["returned"]) == ("dispatch", "returned", "dispatcher", 0)
    case = city.do("dispatcher", case, "uphold")
    assert (case["step"], case["mark"], case["unit"], case["returned"]) == ("dispatch", "", "", 1)
    city.refused("case.unknown", lambda: city.do("handler", {"id": "none", "version": 1}, "take"))


def test_nobody_checks_their_own_work(city: Any) -> None:
    both = city.person("handler", unit="dept-drainage", tail="both")
    both = type(both)(both.id, both.name, (*both.roles, *city.person("checker").roles, *city.person("acceptor").roles), both.means, both.unit)
    case = city.to_check(city.open(), both)
    city.refused("case.own_work", lambda: city.do(both, case, "check_pass"))
    city.refused("case.own_work", lambda: city.do(both, case, "check_fail", reason="不够"))
    case = city.do("checker", case, "check_pass")
    city.refused("case.own_work", lambda: city.do(both, case, "close"))
    assert city.do("acceptor", case, "close")["step"] == "closed"


def test_redone_work_goes_back_to_the_same_unit(city: Any) -> None:
    case = city.do("checker", city.to_check(city.open()), "check_fail", reason="仍有积水")
    assert (case["step"], case["mark"], case["unit"], case["holder"], case["redone"]) == ("handle", "", "dept-drainage", "dept-drainage", 1)
    assert city.to_check(case)["step"] == "check"


def test_evidence_is_asked_for_and_must_have_been_kept(city: Any) -> None:
    case = city.do("handler", city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage"), "take")
    city.refused("case.missing", lambda: city.do("handler", case, "handle"))
    city.refused("case.evidence_unknown", lambda: city.do("handler", case, "handle", evidence=("c" * 64,)))
    assert city.do("handler", case, "handle", evidence=(city.pump, city.photo, city.pump))["step"] == "feedback"
    hotline = city.person("handler", unit="dept-hotline")
    case = city.do(hotline, city.do("dispatcher", city.open("consult"), "dispatch", unit="dept-hotline"), "take")
    assert city.do(hotline, city.do(hotline, case, "handle"), "feedback")["step"] == "check"


def test_the_instrument_passes_only_what_it_may_and_when_it_may(city: Any) -> None:
    case = city.to_check(city.open(indicator="DR02"))
    since = city.clock.at
    city.clock.at += MINUTE
    city.refused("case.not_normal_yet", lambda: city.as_("checker", lambda deed: check_by_instrument(deed, case["id"], since)))
    city.clock.at += MINUTE
    passed = city.as_("checker", lambda deed: check_by_instrument(deed, case["id"], since))
    assert (passed["mark"], city.lines_of(case)[-1]["actor"]) == ("passed", "instrument")
    person_checked = city.to_check(city.open("garbage", indicator="DR02"))
    city.refused("case.not_by_instrument", lambda: city.as_("checker", lambda deed: check_by_instrument(deed, person_checked["id"], 0)))


def test_the_same_submission_twice_is_one_step(city: Any) -> None:
    case = city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage")
    taken = city.do("handler", case, "take", once="phone-1")
    again = city.do("handler", case, "take", once="phone-1")
    assert (again["version"], len(city.lines_of(case))) == (taken["version"], 3)
    city.refused("case.once_reused", lambda: city.do("handler", taken, "return", reason="x", once="phone-1"))


def test_the_limit_is_the_dated_row_of_the_day_and_counts_once(city: Any) -> None:
    early = city.open("garbage")
    city.clock.at += 40 * 24 * HOUR
    late = city.open("garbage")
    assert (early["due"] - early["opened"], late["due"] - late["opened"]) == (240 * MINUTE, 120 * MINUTE)
    assert city.as_("duty_officer", sweep) == 1, "the early case ran out"
    assert city.as_("duty_officer", sweep) == 0
    assert [line["happened"] for line in city.lines_of(early) if line["verb"] == "due"] == [early["due"]]
    unknown = city.open("no such class")
    assert unknown["due"] is None


def test_parking_stops_the_clock_and_its_expiry_starts_it_again(city: Any) -> None:
    case = city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage")
    city.refused("case.missing", lambda: city.do("duty_officer", case, "park", reason="等待配件"))
    parked = city.do("duty_officer", case, "park", reason="等待配件", until=city.clock.at + 5 * HOUR)
    city.clock.at += 6 * HOUR
    assert city.as_("duty_officer", sweep) == 1
    after = city.desk.read(lambda c: c.execute(select(case_file).where(case_file.c.id == case["id"])).mappings().one())
    assert (after["step"], after["mark"], after["due"], after["parked"]) == ("handle", "", parked["due"] + 5 * HOUR, None)


def test_the_history_cannot_be_changed(city: Any) -> None:
    city.open()
    for statement in ("UPDATE case_step SET actor = 'x'", "DELETE FROM case_step"):
        with pytest.raises(IntegrityError, match="append-only"):
            city.desk.write(lambda c, s=statement: c.execute(text(s)))


def test_the_table_is_whole() -> None:
    ends = {row.at for row in states.ROWS} | {row.to for row in states.ROWS}
    for step, mark in ends:
        assert step in states.STEPS
        assert mark in states.MARKS
    assert len({(row.at, row.verb) for row in states.ROWS}) == len(states.ROWS), "one move, one row"
    for row in (*states.ROWS, *states.LEAD_ROWS, *states.REQUEST_ROWS, *states.TASK_ROWS):
        assert row.verb in states.VERBS
        assert row.roles <= states.ROLES.keys()
    reach = {("", "")}
    while more := {row.to for row in states.ROWS if row.at in reach} - reach:
        reach |= more
    assert ends <= reach, "every place can be reached"
    open_places = {place for place in ends if states.STEPS[place[0]].open}
    done = {place for place in ends if place[0] and not states.STEPS[place[0]].open}
    while more := {row.at for row in states.ROWS if row.to in done} - done:
        done |= more
    assert open_places <= done, "from every place there is a way to an end"


@pytest.mark.parametrize(("language", "word"), [("zh", "核查通过"), ("en", "Pass the check")])
def test_the_drawing_shows_every_move(language: str, word: str) -> None:
    drawn = mermaid(language)
    assert word in drawn
    assert drawn.count("-->") == sum(row.at != row.to for row in states.ROWS) + 2


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(sorted(states.VERBS)), st.booleans(), st.integers(0, 99)), max_size=60))
def test_whatever_is_tried_nothing_leaves_the_table(city: Any, acts: list[tuple[str, str, bool, int]]) -> None:
    case = city.open(verb="report", who="citizen")
    for who, wild, full, pick in acts:
        before, actor = case, city.people[who]
        likely = [row.verb for row in machine.offered(case, actor) if row.verb not in {"void", "acknowledge"}]
        verb = likely[pick % len(likely)] if likely and pick < 90 else wild
        given_ = {"reason": "理由", "unit": "dept-drainage", "evidence": (city.pump,), "until": city.clock.at + HOUR, "place": Place(city.cell)} if full or likely else {}
        try:
            case = city.do(actor, case, verb, **given_)
        except Problem as problem:
            assert problem.kind.code.startswith(("case.", "command."))
            continue
        assert case["version"] == before["version"] + 1
        assert any(row.at == (before["step"], before["mark"]) and row.verb == verb and row.to == (case["step"], case["mark"]) for row in states.ROWS)
    lines = city.lines_of(case)
    assert machine.replay(lines) == (case["step"], case["mark"])
    stored = city.desk.read(lambda c: c.execute(select(case_file).where(case_file.c.id == case["id"])).mappings().one())
    assert (stored["step"], stored["mark"], stored["version"]) == (case["step"], case["mark"], len([x for x in lines if x["verb"] != "due"]))


def test_a_history_that_leaves_the_table_is_refused(city: Any) -> None:
    assert machine.replay([]) == ("", "")
    city.refused("case.not_now", lambda: machine.replay([{"verb": "report"}, {"verb": "close"}]))


def test_many_threads_lose_no_step(city: Any) -> None:
    """Each thread acknowledges with the version it last saw; of those who act on the same version exactly one gets through."""
    case = city.open()
    won, lost = [], []

    def work(who: int) -> None:
        officer = city.person("duty_officer", tail=str(who))
        version = case["version"]
        for _ in range(20):
            try:
                version = city.as_(officer, lambda deed, v=version: do(deed, case["id"], "acknowledge", Given(version=v)))["version"]
                won.append(version)
            except Problem as problem:
                assert problem.kind.code == "case.stale"
                lost.append(version)
                version = int(problem.particulars["have"])  # type: ignore[call-overload]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) + len(lost) == 160
    assert sorted(won) == list(range(2, len(won) + 2)), "every version was given once"
    assert len(city.lines_of(case)) == len(won) + 1


NOT_SO = {"case.nothing_rejected", "case.nothing_asked", "case.no_danger", "unit.own", "playbook.unknown", "command.no_chain", "command.not_below", "command.elsewhere"}
FORWARD = {"verify", "file", "dispatch", "take", "handle", "feedback", "check_pass", "close", "uphold", "reject", "rule", "resume"}


def test_wandering_at_random_reaches_every_place_of_a_living_case(city: Any) -> None:
    dice, been = random.Random(7), set()
    for _ in range(150):
        case = city.open(verb="report", who="citizen")
        while states.STEPS[case["step"]].open:
            moves = [(who, row.verb) for who in PEOPLE for row in machine.offered(case, city.people[who]) if row.verb != "acknowledge"]
            verb = dice.choices(verbs := sorted({verb for _, verb in moves}), [9 if verb in FORWARD else 1 for verb in verbs])[0]
            who = dice.choice([who for who, may in moves if may == verb])
            until = max(case["due"] or 0, city.clock.at) + HOUR
            given = {"reason": "理由", "unit": "dept-drainage", "evidence": (city.pump,), "note": "纪要", "what": "park", "until": until, "place": Place(city.cell)}
            try:
                case = city.do(who, case, verb, **given)
            except Problem as problem:
                assert problem.kind.code in NOT_SO, "what the table offers is refused only for what is not so"
                continue
            city.clock.at += MINUTE
            been.add((case["step"], case["mark"]))
        assert machine.replay(city.lines_of(case)) == (case["step"], case["mark"])
    assert been == {row.to for row in states.ROWS} - {("imported", ""), ("dispatch", "down")}


_CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from conftest import City, START
from zhongshu.engines.sqlite_desk import SqliteDesk
from zhongshu.kernel.clock import FrozenClock
city = City(SqliteDesk(Path(sys.argv[2])), FrozenClock(START))
case = city.open()
while True:
    case = city.do("duty_officer", case, "acknowledge")
    print(case["id"], case["version"], flush=True)
"""


def test_every_acknowledged_step_is_there_after_a_kill(city: Any) -> None:
    if not isinstance(city.desk, SqliteDesk):
        pytest.skip("the desk's port kills the other stores")
    city.desk.close()
    command = [sys.executable, "-c", _CHILD, str(Path(__file__).parent), str(city.desk.path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = [child.stdout.readline() for _ in range(100)]
    child.send_signal(signal.SIGKILL)
    told += [line for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    child.wait()
    child.stdout.close()
    city.desk = SqliteDesk(city.desk.path)
    case_id, version = told[-1].split()
    stored = city.desk.read(lambda c: c.execute(select(case_file).where(case_file.c.id == case_id)).mappings().one())
    lines = city.lines_of(case_id)
    city.desk.close()
    assert len(told) == int(version) - 1
    assert int(version) <= stored["version"] <= int(version) + 1
    assert [line["version"] for line in lines] == list(range(1, stored["version"] + 1))


def test_a_receipt_says_how_far_a_task_has_come_and_makes_no_decision_stale(city: Any) -> None:
    case = city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage")
    told = city.do("handler", case, "delivered")
    assert (told["receipt"], told["version"]) == ("delivered", case["version"])
    city.do("handler", case, "delivered")
    told = city.do("handler", case, "read")
    assert city.do("handler", told, "delivered")["receipt"] == "read", "nothing goes back"
    city.refused("case.not_held", lambda: city.do("other_handler", case, "read"))
    city.refused("case.not_yours", lambda: city.do("dispatcher", case, "read"))
    assert [line["verb"] for line in city.lines_of(case)[-3:]] == ["dispatch", "delivered", "read"]
    back = city.do("dispatcher", case, "undo", version=None)
    assert back["step"] == "dispatch", "that it was read does not keep a dispatch from being taken back"
    again = city.do("dispatcher", back, "dispatch", unit="dept-drainage")
    assert again["receipt"] == "", "each sending has receipts of its own"
    taken = city.do("handler", city.do("handler", again, "delivered"), "take")
    city.refused("case.not_now", lambda: city.do("handler", taken, "read"))
    assert machine.replay(city.lines_of(case)) == ("handle", "taken")
