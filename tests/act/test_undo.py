"""Taking a step back: within ten seconds, by who took it, and only while nothing has followed; then everything stands as it stood before."""

from typing import Any

from zhongshu.act import Given, Seen, Voice, decide, machine, record, relay, sweep, take_back, take_finding, take_request
from zhongshu.act.tables import case_file, lead, request
from zhongshu.kernel.clock import HOUR, SECOND
from zhongshu.kernel.finding import Finding, Status
from zhongshu.kernel.grade import EVERYWHERE, Scope

ALL = Scope(EVERYWHERE)
MOVED = {"version", "changed"}


def told(city: Any, seconds: int = 0) -> list[tuple[str, int]]:
    sent: list[dict[str, Any]] = []
    relay.run(city.desk, lambda _, rows: sent.extend(rows), now=lambda: city.clock.at + seconds * SECOND)
    return [(each["property"], each["value"]) for each in sent if not each["property"].endswith("_s")]


def find(city: Any, **place: Any) -> dict[str, Any]:
    found = Finding("f1", "DR02.ponding", "1", "DR02", city.cell, Status.RED, city.clock.at, 43.0)
    return city.as_("duty_officer", lambda deed: take_finding(deed, found, Seen("ponding", "积水", "Ponding", 121.5, 31.2, "文汇路", **place)))[0]


def say(city: Any, name: str) -> dict[str, Any]:
    return city.as_("citizen", lambda deed: take_request(deed, Voice("citizen", name, city.clock.at, city.cell, "ponding", "水淹了", "", 121.5, 31.2)))[0]


def test_each_step_taken_back_leaves_the_case_exactly_as_it_was(city: Any) -> None:
    case = city.open("garbage", verb="report", who="citizen")
    for who, verb, given in (("acceptor", "verify", {}), ("acceptor", "file", {"class_": "ponding"}), ("dispatcher", "dispatch", {"unit": "dept-drainage"})):
        city.clock.at += HOUR
        before = city.row(case_file, case["id"])
        done = city.do(who, case, verb, **given)
        city.clock.at += 9 * SECOND
        back = city.do(who, done, "undo")
        after = city.row(case_file, case["id"])
        assert {name for name in after if after[name] != before[name]} <= MOVED
        assert (after["held_since"], after["due"], after["class"], after["holder"]) == (before["held_since"], before["due"], before["class"], before["holder"])
        assert after["version"] == before["version"] + 2
        case = city.do(who, back, verb, **given)
    assert city.verbs_of(case["id"]) == ["report", "verify", "undo", "verify", "file", "undo", "file", "dispatch", "undo", "dispatch"]
    assert [action for action, _, _ in city.lines].count("case.undo") == 3
    lines = city.lines_of(case)
    assert machine.replay([dict(line) for line in lines]) == ("handle", "")
    shown = city.shown(case)
    assert [line["undone"] for line in shown["history"]] == [False, True, False, False, True, False, False, True, False, False]


def test_late_another_and_after_something_are_refused(city: Any) -> None:
    case = city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage")
    city.refused("case.undo_not_yours", lambda: city.do("duty_officer", case, "undo"))
    city.refused("case.not_yours", lambda: city.do("handler", case, "undo"))
    city.clock.at += 10 * SECOND + 1
    city.refused("case.undo_late", lambda: city.do("dispatcher", case, "undo"))
    city.clock.at -= 5 * SECOND
    taken = city.do("handler", case, "take")
    city.refused("case.stale", lambda: city.do("dispatcher", case, "undo"))
    city.refused("case.not_now", lambda: city.do("dispatcher", taken, "undo"))
    known = city.open()
    sent = city.do("dispatcher", known, "dispatch", unit="dept-drainage")
    seen = city.do("duty_officer", sent, "acknowledge")
    city.refused("case.undo_since", lambda: city.do("dispatcher", seen, "undo"))
    back = city.do("handler", city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage"), "return", reason="不属本单位")
    back = city.do("dispatcher", back, "uphold")
    city.refused("case.undo_since", lambda: city.do("acceptor", back, "undo"))


def test_a_step_is_taken_back_once_and_the_same_submission_twice_is_one(city: Any) -> None:
    case = city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage")
    back = city.do("dispatcher", case, "undo", once="u")
    assert city.do("dispatcher", case, "undo", once="u")["version"] == back["version"]
    city.refused("case.undo_since", lambda: city.do("acceptor", back, "undo"))


def test_a_limit_that_ran_out_in_between_stays_counted(city: Any) -> None:
    case = city.open()
    city.clock.at = case["due"] - SECOND
    sent = city.do("dispatcher", case, "dispatch", unit="dept-drainage")
    city.clock.at += 2 * SECOND
    assert city.as_("duty_officer", sweep) == 1
    city.refused("case.undo_since", lambda: city.do("dispatcher", sent, "undo"))


def test_it_is_offered_to_who_may_and_only_while_they_may(city: Any) -> None:
    case = city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage")

    assert city.shown(case)["undo"] == {"verb": "dispatch", "zh": "派遣", "en": "Dispatch", "until": "2026-07-01T00:00:10Z"}
    assert city.shown(case, "duty_officer")["undo"] is None
    assert "undo" not in {verb["verb"] for verb in city.shown(case)["verbs"]}
    mine = record.CaseFilter(mine=city.people["dispatcher"])
    assert city.desk.read(lambda c: record.list_cases(c, ALL, mine, city.clock.at))["items"] == [], "to be able to take back is no work that waits"
    city.clock.at += 11 * SECOND
    assert city.shown(case)["undo"] is None


def test_what_was_taken_back_is_never_counted(city: Any) -> None:
    case = city.open(verb="patrol", who="collector")
    case = city.do("acceptor", case, "file")
    assert told(city) == [("Case.opened", 1)]
    city.do("dispatcher", city.do("dispatcher", case, "dispatch", unit="dept-drainage"), "undo")
    sent = city.do("dispatcher", case, "dispatch", unit="dept-road", version=None)
    city.open("garbage", verb="patrol", who="collector")
    assert told(city) == [], "a dispatch waits while it may be taken back, and what came after waits with it"
    assert told(city, 11) == [("Case.dispatched", 1), ("Case.opened", 1)]
    city.refused("case.undo_late", lambda: city.do("dispatcher", sent, "undo"))


def test_a_range_broken_off_comes_again_the_same_although_more_was_taken_back(city: Any) -> None:
    case = city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage")
    first = city.desk.write(lambda c: relay.prepare(c, now=city.clock.at + 11 * SECOND))
    city.refused("case.undo_late", lambda: city.do("dispatcher", case, "undo"))
    assert city.desk.write(lambda c: relay.prepare(c, now=city.clock.at)) == first


def test_a_confirmed_lead_taken_back_is_open_again_and_its_case_void(city: Any) -> None:
    made = find(city)
    voice = say(city, "a")
    before = city.row(lead, made["id"]), city.row(request, voice["id"])
    done = city.as_("acceptor", lambda deed: decide(deed, made["id"], "confirm", Given()))
    case = city.row(case_file, done["case_id"])
    city.refused("case.undo_not_yours", lambda: city.as_("duty_officer", lambda deed: take_back(deed, made["id"], Given())))
    back = city.as_("acceptor", lambda deed: take_back(deed, made["id"], Given(version=done["version"])))
    after = city.row(lead, made["id"]), city.row(request, voice["id"])
    assert {name for one, other in zip(before, after, strict=True) for name in one if one[name] != other[name]} <= MOVED
    assert (back["state"], back["case_id"]) == ("open", None)
    assert (city.row(case_file, case["id"])["step"], city.verbs_of(case["id"]), city.verbs_of(made["id"])) == ("void", ["confirm", "void"], ["opened", "confirm", "undo"])
    again = city.as_("acceptor", lambda deed: decide(deed, made["id"], "confirm", Given()))
    assert city.row(case_file, again["case_id"])["voices"] == 1
    assert [each for each in told(city, 11) if each[0].startswith("Case")] == [("Case.opened", 1)]


def test_a_confirmed_lead_whose_case_went_on_stays_confirmed(city: Any) -> None:
    made = find(city)
    done = city.as_("acceptor", lambda deed: decide(deed, made["id"], "confirm", Given()))
    city.do("dispatcher", {"id": done["case_id"], "version": None}, "dispatch", unit="dept-drainage")
    city.refused("case.undo_since", lambda: city.as_("acceptor", lambda deed: take_back(deed, made["id"], Given())))


def test_a_false_alarm_and_a_duplicate_are_taken_back_too(city: Any) -> None:
    made = find(city)
    city.as_("dispatcher", lambda deed: decide(deed, made["id"], "false_alarm", Given()))
    back = city.as_("dispatcher", lambda deed: take_back(deed, made["id"], Given()))
    assert (back["state"], back["decided_by"]) == ("open", "")
    city.refused("case.not_now", lambda: city.as_("dispatcher", lambda deed: take_back(deed, made["id"], Given())))
    own = city.as_("citizen", lambda deed: take_request(deed, Voice("citizen", "b", city.clock.at, city.cell, "garbage", "垃圾", "", 121.5, 31.2)))[0]
    city.as_("dispatcher", lambda deed: decide(deed, own["lead"], "duplicate", Given(), made["id"]))
    assert city.row(request, own["id"])["lead"] == made["id"]
    back = city.as_("dispatcher", lambda deed: take_back(deed, own["lead"], Given()))
    assert (back["state"], city.row(request, own["id"])["lead"]) == ("open", own["lead"])
    city.as_("dispatcher", lambda deed: decide(deed, own["lead"], "false_alarm", Given()))
    city.clock.at += 11 * SECOND
    city.refused("case.undo_late", lambda: city.as_("dispatcher", lambda deed: take_back(deed, own["lead"], Given())))
