"""What a holder did without a network, and what is told of it later: their clock stops when it was done, and all clocks add up to the second."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from zhongshu.act import relay, sweep
from zhongshu.act.clocks import holdings
from zhongshu.act.tables import case_file
from zhongshu.kernel.clock import DAY, HOUR, MINUTE, SECOND, rfc3339

LIMITS = "class,step,condition,amount,mode,calendar,warn,basis,valid_from\n"


def now(city: Any, case: dict[str, Any]) -> dict[str, Any]:
    return dict(city.desk.read(lambda c: dict(c.execute(select(case_file).where(case_file.c.id == case["id"])).mappings().one())))


def sent(city: Any) -> dict[str, Any]:
    return dict(city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage"))


def test_the_holders_part_ends_when_it_was_done_and_the_way_is_nobodys(city: Any) -> None:
    case = sent(city)
    began = city.clock.at
    city.clock.at += HOUR
    for minutes, verb in ((3, "take"), (20, "handle"), (25, "feedback")):
        case = city.do("handler", case, verb, did=began + minutes * MINUTE, evidence=() if verb == "take" else (city.pump,))
    told = {each.part: each for each in holdings(city.lines_of(case))}
    assert [(told[part].start - began, (told[part].end or 0) - began) for part in ("sign", "handle", "feedback")] == [
        (0, 3 * MINUTE),
        (3 * MINUTE, 20 * MINUTE),
        (20 * MINUTE, 25 * MINUTE),
    ]
    assert told["check"].start == city.clock.at, "a checker cannot begin before they know"
    assert (case["held_since"], now(city, case)["part"]) == (city.clock.at, "check")
    line = next(line for line in city.shown(case)["history"] if line["verb"] == "handle")
    assert (line["at"], line["happened"]) == (rfc3339(city.clock.at), rfc3339(began + 20 * MINUTE))
    seconds = {row["property"]: row["value"] for step in city.lines_of(case) for row in relay.readings_of(step) if row["property"].endswith("_s")}
    assert (seconds["Case.sign_s"], seconds["Case.handle_s"], seconds["Case.feedback_s"]) == (180, 17 * 60, 300)


def test_a_word_that_cannot_be_true_is_taken_as_the_nearest_time_that_can(city: Any) -> None:
    case = sent(city)
    began = city.clock.at
    city.clock.at += 10 * MINUTE
    case = city.do("handler", case, "take", did=began - HOUR)
    assert (case["held_since"], city.lines_of(case)[-1]["detail"]["said"]) == (began, began - HOUR)
    case = city.do("handler", case, "handle", did=city.clock.at + HOUR, evidence=(city.pump,))
    assert (case["held_since"], city.lines_of(case)[-1]["detail"]["said"]) == (city.clock.at, city.clock.at + HOUR)
    city.clock.at += 3 * DAY
    case = city.do("handler", case, "feedback", did=began + HOUR, evidence=(city.pump,))
    assert city.lines_of(case)[-1]["happened"] == city.clock.at - DAY, "no longer ago than the city's figure"


def test_the_word_of_someone_who_is_not_the_holder_is_left_out(city: Any) -> None:
    city.clock.at += HOUR
    case = city.open()
    city.clock.at += HOUR
    case = city.do("dispatcher", case, "dispatch", unit="dept-drainage", did=city.clock.at - HOUR)
    line = city.lines_of(case)[-1]
    assert (line["happened"], "said" in line["detail"], "at" in line["detail"]["ended"]) == (city.clock.at, False, False)


def test_what_time_alone_brings_about_came_when_it_was_due_however_long_nobody_looked(city: Any) -> None:
    city.table("limits", LIMITS + "ponding,sign,,1m,wall,,,test,2025-01-01\nponding,handle,,3m,wall,,,test,2025-01-01\n")
    case = sent(city)
    began = city.clock.at
    city.clock.at += 20 * MINUTE
    assert city.as_("duty_officer", sweep) > 0
    line = next(line for line in city.lines_of(case) if line["verb"] == "take")
    assert (line["at"], line["happened"], line["detail"]["ended"]["s"]) == (city.clock.at, began + MINUTE, 60)
    held = now(city, case)
    assert (held["part"], held["held_since"], held["held_due"]) == ("handle", began + MINUTE, began + 4 * MINUTE)
    city.as_("duty_officer", sweep)
    assert next(line for line in city.lines_of(case) if line["verb"] == "overdue")["happened"] == began + 4 * MINUTE


def test_a_pause_is_as_long_as_was_granted_however_long_nobody_looked(city: Any) -> None:
    case = city.do("handler", sent(city), "take")
    due = now(city, case)["due"]
    case = city.do("handler", case, "ask", what="park", reason="等料", until=city.clock.at + HOUR)
    city.clock.at += MINUTE
    paused, until = city.clock.at, now(city, case)["asked"].get("until", city.clock.at - MINUTE + HOUR)
    case = city.do("duty_officer", case, "park", reason="等料", until=until)
    city.clock.at += 5 * HOUR
    city.as_("duty_officer", sweep)
    held = now(city, case)
    assert (held["parked"], held["paused"], held["due"]) == (None, until - paused, due + until - paused)
    assert next(line for line in city.lines_of(case) if line["verb"] == "resume")["happened"] == until


def test_the_same_word_sent_twice_is_one_step(city: Any) -> None:
    case = sent(city)
    city.clock.at += 30 * MINUTE
    once = city.do("handler", case, "take", did=city.clock.at - 20 * MINUTE, once="phone-1")
    city.clock.at += MINUTE
    again = city.do("handler", case, "take", did=city.clock.at - 20 * MINUTE, once="phone-1")
    assert (again["version"], again["held_since"]) == (once["version"], once["held_since"])


def test_an_overdue_told_meanwhile_is_lifted_where_it_was_done_in_time(city: Any) -> None:
    city.table("limits", LIMITS + "ponding,handle,,30m,wall,,,试行,2025-01-01\n")
    late, good = (city.do("handler", sent(city), "take") for _ in range(2))
    due = now(city, good)["held_due"]
    city.clock.at = due + HOUR
    city.as_("duty_officer", sweep)
    for case, did in ((late, due + MINUTE), (good, due - MINUTE)):
        assert "overdue" in city.verbs_of(case)
        city.do("handler", now(city, case), "handle", did=did, evidence=(city.pump,))
    told = [{each.part: each.late for each in holdings(city.lines_of(case))}["handle"] for case in (late, good)]
    assert told == [True, False]
    assert [any(line["verb"] == "overdue" and line["undone"] for line in city.shown(case)["history"]) for case in (late, good)] == [False, True]
    rows: dict[Any, Any] = {}
    relay.run(city.desk, lambda _batch, batch: rows.update({(row["entity"], row["time"]): row["value"] for row in batch if row["property"] == "Case.part_overdue"}))
    assert {key[0].rpartition(":")[2]: value for key, value in rows.items()} == {late["number"]: 1, good["number"]: 0}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(-2000, 9000)), min_size=3, max_size=3))
def test_parts_and_ways_are_the_whole_time_to_the_second(city: Any, deeds: list[tuple[int, int]]) -> None:
    """`deeds`: how many seconds after the last one each arrives, and how many seconds before that the phone says it was done."""
    case = city.open()
    opened = case["opened"]
    city.clock.at += 77 * SECOND
    case = city.do("dispatcher", case, "dispatch", unit="dept-drainage")
    for verb, (later, ago) in zip(("take", "handle", "feedback"), deeds, strict=True):
        city.clock.at += later * SECOND
        case = city.do("handler", case, verb, did=city.clock.at - ago * SECOND, evidence=() if verb == "take" else (city.pump,))
    city.clock.at += 33 * SECOND
    case = city.do("checker", case, "check_pass") if case["mark"] != "passed" else case
    found = holdings(city.lines_of(case))
    ends = [*(each.start for each in found[1:]), city.clock.at]
    assert found[0].start == opened
    for each, following in zip(found, ends, strict=True):
        assert each.start <= (following if each.end is None else each.end) <= following, "no part begins before the last one ended"
    parts = sum((each.end or city.clock.at) - each.start for each in found)
    ways = sum(following - (each.end or following) for each, following in zip(found, ends, strict=True))
    assert parts + ways == city.clock.at - opened
    spent = sum(line["detail"]["ended"]["s"] for line in city.lines_of(case) if "ended" in line["detail"])
    assert spent * SECOND == sum(each.end - each.start for each in found if each.end is not None)
    shown = city.shown(case)["clocks"]
    assert shown["citizen"]["elapsed_s"] * SECOND == city.clock.at - opened
