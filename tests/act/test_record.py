"""What the desk shows: only what the scope holds, page by page without gaps, and the file a duty row comes from."""

from typing import Any

import pytest
from sqlalchemy import select

from zhongshu.act import CaseFilter, Given, Voice, classes, decide, do, guess, keep_evidence, load, record, row_for, sought, suggest, take_finding, take_request, units, voices
from zhongshu.act.lead import Seen
from zhongshu.act.tables import request
from zhongshu.kernel.area import interval
from zhongshu.kernel.clock import DAY, HOUR, MINUTE, parse_time, rfc3339
from zhongshu.kernel.evidence import Evidence
from zhongshu.kernel.finding import Finding, Status
from zhongshu.kernel.grade import EVERYWHERE, Scope
from zhongshu.kernel.problem import Problem

ALL = Scope(EVERYWHERE)
STREETS = [990101001000000, 990101002000000, 990102001000000]


def listed(city: Any, scope: Scope = ALL, **wanted: Any) -> list[str]:
    page = city.desk.read(lambda c: record.list_cases(c, scope, CaseFilter(**wanted), city.clock.at))
    return [item["number"] for item in page["items"]]


def test_a_scope_is_pushed_into_every_query(city: Any) -> None:
    made = {street: city.open(area=street + 1001) for street in STREETS}
    district = Scope((interval(990101000000000),))
    assert set(listed(city, district)) == {made[street]["number"] for street in STREETS[:2]}
    assert listed(city, Scope()) == []
    assert len(listed(city, Scope((interval(STREETS[0]), interval(STREETS[2]))))) == 2
    elsewhere = made[STREETS[2]]
    with pytest.raises(Problem, match=r"case\.unknown"):
        city.desk.read(lambda c: record.get_case(c, district, elsewhere["id"], city.people["checker"], city.clock.at))
    assert city.desk.read(lambda c: record.counts(c, district, city.clock.at, city.zone)) == {"received": 2, "open": 2, "overdue": 0, "closed": 0}
    city.do("dispatcher", made[STREETS[0]], "dispatch", unit="dept-drainage")
    assert listed(city, Scope(EVERYWHERE, unit="dept-drainage")) == [made[STREETS[0]]["number"]]
    shown = city.desk.read(lambda c: record.list_cases(c, Scope(EVERYWHERE, hidden=frozenset({"address"})), CaseFilter(), city.clock.at))
    assert {item["address"] for item in shown["items"]} == {None}


@pytest.mark.parametrize("order", sought.ORDERS)
def test_pages_follow_each_other_without_gap_or_double(city: Any, order: str) -> None:
    for index in range(23):
        city.clock.at += (index % 3) * MINUTE  # some share their time
        city.open("garbage" if index % 2 else "no limit")
    whole = listed(city, order=order, limit=100)
    assert len(whole) == len(set(whole)) == 23
    found, after = [], ""
    while after is not None:
        page = city.desk.read(lambda c, a=after: record.list_cases(c, ALL, CaseFilter(order=order, limit=5, after=a), city.clock.at))
        found += [item["number"] for item in page["items"]]
        after = page["next"]
    assert found == whole
    with pytest.raises(Problem, match=r"record\.bad_page"):
        listed(city, after="1; drop")


def test_what_runs_out_first_comes_first_and_what_stands_still_last(city: Any) -> None:
    """The holder's own part may end before the case does: 30 min to sign for it, 4 h for the whole."""
    city.table("limits", "class,step,condition,amount,mode,calendar,warn,basis,valid_from\nponding,sign,,30m,wall,,10m,示例,2025-01-01\n", "limits")
    whole = city.open()
    city.clock.at += MINUTE
    held = city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage")
    endless = city.open("no limit")
    still = city.do("duty_officer", city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage"), "park", reason="季节性", until=city.clock.at + DAY)
    assert held["held_due"] < whole["due"] < held["due"]
    assert listed(city, state="open", order="next") == [one["number"] for one in (held, whole, endless, still)]


def test_cases_are_found_by_when_they_are_due(city: Any) -> None:
    first = city.open()  # due at 12:00 of the city's 1 July
    city.clock.at += DAY
    second = city.open()
    city.open("no limit")
    numbers = {"first": first["number"], "second": second["number"]}

    def due(text: str, **wanted: Any) -> set[str]:
        by = [set(listed(city, due=sought.due(text, city.zone), order=order, **wanted)) for order in sought.ORDERS]
        assert by[0] == by[1] == by[2]
        return {name for name, number in numbers.items() if number in by[0]} if len(by[0]) == len(by[0] & set(numbers.values())) else {"more"}

    assert due("2026-07-01") == due("..2026-07-01") == due("2026-07-01T12:00:00+08:00") == due("2026-07-01T04:00:00Z") == {"first"}
    assert due("2026-07-02") == due("2026-07-02..") == due("2026-07-01T12:00:01+08:00..2026-07-02T12:00:00 08:00") == {"second"}
    assert due("2026-07-01..2026-07-02") == due("2026-06-01..") == {"first", "second"}
    assert due("2026-06-30") == due("2026-07-03..") == set()
    assert due("..2026-07-01", state="overdue") == {"first"} and listed(city, state="overdue") == [numbers["first"]]
    assert city.desk.read(lambda c: record.counts(c, ALL, city.clock.at, city.zone))["overdue"] == 1


@pytest.mark.parametrize("text", ["..", "soon", "2026-07-01 08:00", "2026-02-30", "2026-07-02..2026-07-01", "2026-07-01..2026-07-02..", "9999-12-31", "2026-W27-3"])
def test_a_due_day_that_cannot_be_read_is_refused(city: Any, text: str) -> None:
    city.refused("record.bad_due", lambda: sought.due(text, city.zone))


def test_filters_find_what_they_say(city: Any) -> None:
    first, second = city.open(area=STREETS[0] + 1001), city.open("garbage", area=STREETS[2] + 1001, address="文汇路 100% 段")
    taken = city.do("handler", city.do("dispatcher", first, "dispatch", unit="dept-drainage"), "take")
    assert listed(city, step="dispatch") == [second["number"]]
    assert listed(city, area=STREETS[2]) == [second["number"]]
    assert listed(city, class_="garbage") == [second["number"]]
    for order in sought.ORDERS:
        assert listed(city, class_="ponding", state="open", area=STREETS[0], order=order) == [first["number"]]
        assert listed(city, class_="ponding", state="closed", order=order) == listed(city, class_="ponding", area=STREETS[2], order=order) == []
    assert listed(city, q="100% 段") == [second["number"]]
    assert listed(city, q="%") == [second["number"]]
    assert listed(city, q=first["number"]) == [first["number"]]
    assert listed(city, mine=city.people["handler"]) == [first["number"]]
    assert listed(city, mine=city.people["other_handler"]) == []
    assert listed(city, mine=city.people["dispatcher"]) == [second["number"]]
    assert listed(city, mine=city.person("dispatcher", STREETS[0])) == []
    city.clock.at += 5 * HOUR
    assert set(listed(city, state="late")) == {first["number"], second["number"]}
    city.do("duty_officer", second, "void", reason="重复上报")
    assert (listed(city, state="void"), listed(city, state="open"), listed(city, state="late")) == ([second["number"]], [taken["number"]], [taken["number"]])


def test_one_case_is_shown_whole(city: Any) -> None:
    found = Finding("f1", "DR02.ponding", "1", "DR02", city.cell, Status.RED, city.clock.at, 43.0)
    made = city.as_("duty_officer", lambda deed: take_finding(deed, found, Seen("ponding", "积水", "Ponding", 121.5, 31.2)))[0]
    said = Voice("citizen", "v", city.clock.at - 10 * MINUTE, city.cell, "ponding", "水淹了", "", 121.5, 31.2, "app", reporter="citizen-1")
    told = city.as_("citizen", lambda deed: take_request(deed, said))[0]
    done = city.as_("duty_officer", lambda deed: decide(deed, made["id"], "confirm", Given()))

    def show(who: str) -> Any:
        return city.desk.read(lambda c: record.get_case(c, ALL, done["case_id"], city.people[who], city.clock.at))

    shown = show("dispatcher")
    assert shown["suggestion"]["unit"] == "dept-drainage"
    assert "道路积水" in shown["suggestion"]["reason_zh"]
    assert shown["suggestion"]["reason_zh"].endswith("（目录 2.1）")
    assert shown["suggestion"]["reason_en"].endswith("(Catalogue 2.1)")
    assert (shown["suggestion"]["row"]["basis"], shown["suggestion"]["row"]["basis_en"]) == ("目录 2.1", "Catalogue 2.1")
    assert [item["verb"] for item in shown["verbs"]] == ["dispatch", "dispute", "urge", "escalate", "place", "acknowledge"]
    assert shown["verbs"][0] == {"verb": "dispatch", "zh": "派遣", "en": "Dispatch", "needs": ["unit"], "shortcut": "1", "aside": False, "reasons": []}
    assert [item["verb"] for item in shown["verbs"] if not item["aside"]] == ["dispatch"]
    assert [item["number"] for item in shown["voices"]] == [told["number"]]
    assert "reporter" not in shown["voices"][0]
    assert shown["clocks"]["citizen"] == {"started": "2026-06-30T23:50:00Z", "elapsed_s": 600}
    assert shown["clocks"]["duty"]["state"] == "due"
    assert shown["links"][0]["reason_zh"] == "0 m · 10 分钟 · 同类"
    case = city.to_check({"id": done["case_id"], "step": "dispatch", "version": 1})
    case = city.do("duty_officer", case, "acknowledge", result="已知晓")
    shown = show("checker")
    assert [item["verb"] for item in shown["verbs"]] == ["check_pass", "check_fail"]
    proofs = [(line["verb"], [file["sha256"] for file in line["evidence"]]) for line in shown["history"]]
    assert shown["history"][-1]["result"] == "已知晓"
    assert proofs[-3:-1] == [("handle", [city.pump]), ("feedback", [city.pump])]
    assert shown["history"][1]["actor_name"] == "模拟dispatcher"
    assert shown["area"] == f"{city.cell:015d}"
    by_number = city.desk.read(lambda c: record.get_case(c, ALL, case["number"], city.people["checker"], city.clock.at))
    assert by_number["id"] == case["id"]
    assert city.desk.read(lambda c: record.of_findings(c, ["f1", "f2"]))["f1"]["case_number"] == case["number"]
    action = city.desk.read(lambda c: record.last_actions(c, ["f1", "f2"]))["f1"]
    assert (action["text_zh"], action["case"], action["area"]) == (f"核查结案 核查员 · {case['number']}", case["id"], city.cell)
    assert len(city.desk.read(lambda c: record.of_sign(c, ALL, "DR02", city.street, city.clock.at))) == 1


def test_what_was_last_done_about_a_sign_is_of_the_finding_that_is_open_now(city: Any) -> None:
    def rise(name: str) -> dict[str, Any]:
        found = Finding(name, "DR02.ponding", "1", "DR02", city.cell, Status.RED, city.clock.at, 43.0)
        return city.as_("duty_officer", lambda deed: take_finding(deed, found, Seen("ponding", "积水", "Ponding", 121.5, 31.2)))[0]

    first = rise("f1")
    done = city.as_("duty_officer", lambda deed: decide(deed, first["id"], "confirm", Given()))
    city.do("acceptor", city.do("checker", city.to_check({"id": done["case_id"], "step": "dispatch", "version": 1}), "check_pass"), "close")
    second = rise("f2")
    told = city.desk.read(lambda c: record.last_actions(c, ["f2"]))
    assert told == {
        "f2": {"case": None, "lead": second["id"], "area": city.cell, "text_zh": f"待核实 · 线索 {second['number']}", "text_en": f"To be verified · lead {second['number']}"}
    }
    assert city.desk.read(lambda c: record.last_actions(c, [])) == {}


def test_the_clock_of_a_closed_case_says_what_was_used(city: Any) -> None:
    case = city.to_check(city.open())
    city.clock.at += HOUR
    city.do("acceptor", city.do("checker", case, "check_pass"), "close")
    city.clock.at += DAY
    shown = city.shown(case, "acceptor")
    assert (shown["clocks"]["duty"]["state"], shown["clocks"]["duty"]["used_s"]) == ("done", 3600)
    due = next(line for line in shown["history"] if line["verb"] == "due")
    assert (due["actor"], due["actor_name"]) == ("system", "系统"), "that a case counts as due is no one's deed"
    assert due["verb_zh"] == "计入应结案", "its limit was not reached"


def test_evidence_is_seen_by_who_sees_its_case_or_gave_it(city: Any) -> None:
    city.to_check(city.open(area=STREETS[0] + 1001))

    def seen(scope: Scope, who: str, sha256: str = city.pump) -> bool:
        return bool(city.desk.read(lambda c: record.evidence_visible(c, scope, sha256, city.people[who])))

    assert seen(Scope((interval(STREETS[0]),)), "checker")
    assert not seen(Scope((interval(STREETS[2]),)), "checker")
    assert seen(Scope(), "handler")
    assert not seen(ALL, "checker", city.photo)


def test_what_left_its_limit_and_what_is_parked_is_told_apart(city: Any) -> None:
    case = city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage")
    states = []
    for step in (0, 3 * HOUR + MINUTE, 2 * HOUR):
        city.clock.at += step
        states.append(city.shown(case, "handler")["clocks"]["duty"]["state"])
    assert states == ["due", "warning", "overdue"]
    until = city.clock.at + DAY
    city.as_("duty_officer", lambda deed: do(deed, case["id"], "park", Given(reason="待雨停", until=until)))
    parked = city.shown(case, "handler")
    assert (parked["clocks"]["duty"]["state"], parked["clocks"]["duty"]["left_s"], parked["late"]) == ("parked", -3660, False)
    assert city.desk.read(lambda c: record.counts(c, ALL, city.clock.at, city.zone))["overdue"] == 0


def test_a_row_of_a_list_tells_the_running_part_and_when_it_was_due(city: Any) -> None:
    city.table("limits", "class,step,amount,mode,calendar,warn,valid_from,basis\n*,dispatch,30m,wall,,10m,2025-01-01,b\n")
    case = city.open()
    city.clock.at += HOUR
    (row,) = city.desk.read(lambda c: record.list_cases(c, ALL, record.CaseFilter(state="open", order="due"), city.clock.at))["items"]
    assert (row["id"], row["part"], row["held_due"]) == (case["id"], "dispatch", rfc3339(city.start + 30 * MINUTE))
    assert row["late"] is False, "late is said of the whole case"


HEAD = "class,zh,en,unit,helpers,limit_minutes,check,normal_minutes,danger,basis,valid_from\n"


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("x,某,X,u,,soon,person,,0,b,2025-01-01", "limit_minutes"),
        ("x,某,X,u,,-5,person,,0,b,2025-01-01", "limit_minutes"),
        ("x,某,X,u,,5,telepathy,,0,b,2025-01-01", "check"),
        ("x,某,X,u,,5,person,,0,b,someday", "valid_from"),
        (",某,X,u,,5,person,,0,b,2025-01-01", "class"),
        ("x,某,X,u,,5,person,,maybe,b,2025-01-01", "danger"),
        ("x,某,X,u,,5,person,,0,,2025-01-01", "basis"),
    ],
)
def test_a_wrong_catalogue_is_refused_whole(city: Any, row: str, word: str) -> None:
    good = "y,好,Y,u,,5,person,,0,b,2025-01-01\n"
    with pytest.raises(Problem, match=word) as caught:
        city.as_("duty_officer", lambda deed: load(deed, "bad", HEAD + good + row + "\n"))
    assert caught.value.particulars["line"] == 3
    assert city.desk.read(lambda c: row_for(c, "y", city.clock.at)) is None


def test_the_catalogue_holds_by_date_and_loads_twice_the_same(city: Any) -> None:
    august = parse_time("2026-08-01T00:00:00+08:00")
    for _ in range(2):
        city.as_("duty_officer", lambda deed: load(deed, "later", HEAD + "garbage,暴露垃圾,Rubbish,dept-street,,30,person,,0,新规,2027-01-01\n"))
        rows = [city.desk.read(lambda c, at=at: row_for(c, "garbage", at))["limit"]["amount"] for at in (august - 1, august, august + 300 * DAY)]
        assert rows == [240, 120, 30]
        newest = city.desk.read(lambda c: row_for(c, "garbage", august + 300 * DAY))
        assert (newest["basis"], newest["basis_en"]) == ("新规", "新规"), "a basis in one language stands for both"
    assert city.desk.read(lambda c: row_for(c, "garbage", 0)) is None
    assert city.desk.read(lambda c: suggest(c, "unknown", august)) is None
    assert [row["unit"] for row in city.desk.read(units)] == ["dept-drainage", "dept-hotline", "dept-sanitation", "dept-street"]
    assert [row["class"] for row in city.desk.read(lambda c: classes(c, august))] == ["consult", "garbage", "ponding"]
    assert city.desk.read(lambda c: guess(c, "门口有垃圾", august)) == "garbage"


def test_a_reporter_follows_their_own(city: Any) -> None:
    voice = Voice("citizen", "v", city.clock.at, city.cell, "ponding", "水淹了", "", 121.5, 31.2)
    told = city.as_("citizen", lambda deed: take_request(deed, voice))[0]
    shown = city.desk.read(lambda c: voices.get_request(c, told["number"]))
    assert (shown["state"], shown["case"]) == ("received", None)
    assert city.desk.read(lambda c: voices.get_request(c, "no such")) is None
    assert city.desk.read(lambda c: record.get_lead(c, ALL, told["lead"]))["voices"] == 1
    assert city.desk.read(lambda c: record.get_lead(c, Scope(), told["lead"])) is None
    assert city.desk.read(lambda c: c.execute(select(request.c.state)).scalar_one()) == "received"


def test_a_photograph_tells_when_and_where_its_camera_says_it_was_taken(city: Any) -> None:
    told = Evidence("c" * 64, "image/jpeg", 900, "2026-07-01T08:30:00", 121.5, 31.21)
    zoned = Evidence("d" * 64, "image/jpeg", 900, "2026-07-01T08:30:00+09:00")
    city.as_("handler", lambda deed: [keep_evidence(deed, one) for one in (told, zoned)])
    case = city.do("handler", city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage"), "take")
    city.do("handler", case, "handle", evidence=(told.sha256, zoned.sha256))
    files = {file["sha256"][0]: file for line in city.shown(case)["history"] for file in line["evidence"]}
    assert (files["c"]["taken"], files["c"]["lon"], files["c"]["lat"]) == ("2026-07-01T00:30:00Z", 121.5, 31.21), "a wall clock is the city's"
    assert (files["d"]["taken"], files["d"]["lon"]) == ("2026-06-30T23:30:00Z", None)
