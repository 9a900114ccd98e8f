"""A mode raised by proposal and approval: its six effects are there while it lasts, and exactly as before when it has ended; a drill changes nothing."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongshu.act import condition_for, postpone, postponed, raised_sampling, table_rows
from zhongshu.act import sweep as sweep_cases
from zhongshu.act.centre import incident, mode, order, report, response, roster, sweep
from zhongshu.act.deed import Deed
from zhongshu.kernel.area import interval
from zhongshu.kernel.clock import MINUTE, rfc3339
from zhongshu.kernel.grade import ANONYMOUS, EVERYWHERE, Scope
from zhongshu.kernel.problem import Problem

OTHER = 990102001000000
ALL = Scope(EVERYWHERE, 3)
MODES = """theme,effect,what,zh,en,every_s,basis,valid_from
flood,name,flood,防汛,Flood,,预案,2025-01-01
flood,urgent,pond*,积水,Ponding,,预案 4,2025-01-01
flood,postpone,garbage,暴露垃圾,Rubbish,,预案 4,2025-01-01
flood,sample,WaterLevelSensor,水位计,Water level sensor,30,预案 4,2025-01-01
heat,urgent,consult,咨询,Question,,预案 5,2025-01-01
"""
PLANS = """theme,level,task,zh,en,unit,limit_minutes,basis,basis_en,valid_from
flood,4,watch,值守,Stand by,dept-drainage,60,预案 3,,2025-01-01
flood,3,pumps,泵车预置,Bring pumps,dept-drainage,30,预案 3,Plan 3,2025-01-01
flood,3,watch,加强值守,Stand by in force,dept-drainage,20,预案 3,,2025-01-01
flood,1,move,转移,Move people,dept-road,,预案 3,,2025-01-01
"""
ROSTER = """theme,day,shift,first,last,post,name,account,phone,basis,valid_from
,daily,白班,08:00,20:00,duty_officer,值班长 甲,duty,13912345678,制度,2025-01-01
,daily,夜班,20:00,08:00,duty_officer,值班长 乙,night,,制度,2025-01-01
,2026-07-02,白班,08:00,20:00,duty_officer,值班长 丙,third,,制度,2025-01-01
flood,daily,防汛,00:00,00:00,watch,防汛值守员 甲,,,制度,2025-01-01
"""
LIMITS = """class,step,condition,amount,mode,basis,valid_from
*,report_first,,30m,wall,规定,2025-01-01
*,report_first,flood,20m,wall,规定,2025-01-01
*,report_next,,1h,wall,规定,2025-01-01
*,report_final,,1d,wall,规定,2025-01-01
"""


@pytest.fixture
def town(city: Any) -> Any:
    for kind, text in (("modes", MODES), ("plans", PLANS), ("roster", ROSTER), ("limits", LIMITS)):
        city.table(kind, text)
    city.lines.clear()
    return city


def leader(town: Any) -> Any:
    return town.person("leader")


def propose(town: Any, areas: tuple[int, ...] = (), level: int = 3, theme: str = "flood", *, drill: bool = False) -> Any:
    given_ = mode.Proposal(theme, level, areas or (town.street,), "启动防汛应急", "Flood mode", "防汛〔2026〕1 号", drill=drill)
    return town.as_("duty_officer", lambda deed: mode.propose(deed, given_))


def act(town: Any, row: Any, verb: str, who: Any = None, note: str = "") -> Any:
    return town.as_(who or leader(town), lambda deed: mode.act(deed, row["id"], verb, note))


def state(town: Any) -> Any:
    """Return everything a mode may change, as it is asked for."""

    def ask(conn: Any) -> Any:
        now = town.clock.now()
        conditions = {(c, a): condition_for(conn, c, a, now) for c in ("ponding", "garbage", "consult") for a in (town.cell, town.street, OTHER)}
        put_off = {(c, a): postponed(conn, c, a, now) for c in ("ponding", "garbage") for a in (town.cell, OTHER)}
        people = [turn.document() for turn in roster.on_duty(conn, now, town.zone)]
        return conditions, put_off, raised_sampling(conn, now), people, [row["state"] for row in order.unsigned(conn)]

    return town.desk.read(ask)


def test_nothing_follows_a_proposal_and_six_things_follow_its_approval(town: Any) -> None:
    case = town.open("garbage")
    before = state(town)
    row = propose(town)
    assert state(town) == before
    assert (row["state"], row["number"][:8]) == ("proposed", "P990101-")
    row = act(town, row, "approve")
    conditions, put_off, sampling, people, orders = state(town)
    assert conditions["ponding", town.cell] == "urgent", "pond* names it, and the cell lies in the street"
    assert {key for key, value in conditions.items() if value} == {("ponding", town.cell), ("ponding", town.street)}
    assert put_off["garbage", town.cell]["number"] == row["number"]
    assert "启动防汛应急" in put_off["garbage", town.cell]["zh"]
    assert put_off["garbage", OTHER] is None
    assert [(each["type"], each["every_s"], each["areas"]) for each in sampling] == [("WaterLevelSensor", 30, [town.street])]
    assert [each["name"] for each in people] == ["防汛值守员 甲", "值班长 甲"]
    assert orders == ["sent", "sent"]
    room = town.desk.read(lambda conn: incident.get(conn, ALL, row["incident"], leader(town), town.clock.now(), ALL))
    assert {each["task"]: (each["title_zh"], each["unit_zh"]) for each in room["orders"]} == {"watch": ("加强值守", "排水处"), "pumps": ("泵车预置", "排水处")}
    assert {each["task"]: each["basis_en"] for each in room["orders"]} == {"watch": "预案 3", "pumps": "Plan 3"}, "where the plan has it in English"
    (first,) = room["reports"]
    assert (first["kind"], first["state"]) == ("first", "draft")
    assert first["due"] == "2026-07-01T00:20:00Z", "the theme's own limit"
    shown = town.desk.read(lambda conn: mode.show(conn, row))
    assert [each["effect"] for each in shown["effects"] if each["items"]] == ["plan", "roster", "urgent", "postpone", "sample", "room"]
    assert any(line[0] == "mode.notice" and line[2]["unit"] if "unit" in line[2] else line[0] == "mode.notice" for line in town.lines), case["number"]


def test_routine_that_nobody_has_begun_stands_still_until_the_mode_ends(town: Any) -> None:
    begun = town.do("handler", town.do("dispatcher", town.open("garbage"), "dispatch", unit="dept-drainage"), "take")
    waits, elsewhere, other = town.open("garbage"), town.open("garbage", area=OTHER), town.open("ponding")
    row = act(town, propose(town), "approve")
    marks = {name: town.shown(case)["mark"] for name, case in (("begun", begun), ("waits", waits), ("elsewhere", elsewhere), ("other", other))}
    assert marks == {"begun": "taken", "waits": "deferred", "elsewhere": "", "other": ""}
    assert row["number"] and "启动防汛应急" in town.shown(waits)["history"][-1]["reason"]
    new = town.open("garbage")
    town.clock.at += MINUTE
    town.as_("duty_officer", sweep_cases)
    assert town.shown(new)["mark"] == "deferred", "what comes while it lasts is put off as well"
    town.do("duty_officer", town.shown(new), "resume")
    town.as_("duty_officer", sweep_cases)
    assert town.shown(new)["mark"] == "", "whom a duty officer lets go on is not stopped again"
    due = waits["due"]
    town.clock.at += 9 * MINUTE
    act(town, row, "end")
    after = town.shown(waits)
    assert (after["mark"], after["due"]) == ("", rfc3339(due + 10 * MINUTE)), "the limit is as long as it was"
    town.as_("duty_officer", sweep_cases)
    assert town.shown(waits)["mark"] == ""


def test_what_is_not_listed_keeps_no_listed_case_from_being_put_off(town: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postpone, "MOST", 3)
    for _ in range(4):
        town.open("ponding")
    last = town.open("garbage")
    act(town, propose(town), "approve")
    assert town.shown(last)["mark"] == "deferred"


def test_ending_restores_everything_and_says_so_line_by_line(town: Any) -> None:
    before = state(town)
    row = act(town, propose(town), "approve")
    raised = town.desk.read(lambda conn: mode.show(conn, row))
    row = act(town, row, "end")
    assert state(town) == before
    shown = town.desk.read(lambda conn: mode.show(conn, row))
    assert {(each["effect"], each["what"]) for each in shown["restored"]} == {(each["effect"], item["what"]) for each in raised["effects"] for item in each["items"]}
    assert all(each["zh"] and each["en"] for each in shown["restored"])
    assert sum(line[0] == "mode.restore" for line in town.lines) == len(shown["restored"])
    town.refused("centre.not_now", lambda: act(town, row, "end"))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(["flood", "heat"]), st.sampled_from([990101001000000, OTHER, 990100000000000]), st.integers(1, 4), st.booleans()), max_size=4))
def test_whatever_is_raised_and_ended_leaves_all_as_it_was(town: Any, steps: list[tuple[str, int, int, bool]]) -> None:
    before, running = state(town), []
    for theme, area, level, drill in steps:
        try:
            running.append(act(town, propose(town, (area,), level, theme, drill=drill), "approve"))
        except Problem as problem:
            assert problem.kind.code == "mode.already"
        town.clock.at += MINUTE
        for c, a in (("ponding", town.cell), ("consult", OTHER)):
            named = {"ponding": "flood", "consult": "heat"}[c]
            holds = any(r["theme"] == named and not r["drill"] and any(low <= a < high for low, high in map(interval, r["areas"])) for r in running)
            assert (town.desk.read(lambda conn, c=c, a=a: condition_for(conn, c, a, town.clock.now())) == "urgent") == holds
    for row in running:
        act(town, row, "end")
        town.clock.at += MINUTE
    after = state(town)
    assert after[:3] == before[:3]
    assert [p["name"] for p in after[3]] == [p["name"] for p in before[3]]
    assert after[4] == []


def test_a_past_moment_is_asked_as_it_was(town: Any) -> None:
    row = act(town, propose(town), "approve")
    start = town.clock.now()
    town.clock.at += 10 * MINUTE
    act(town, row, "end")

    def ask(at: int) -> str:
        return str(town.desk.read(lambda conn: condition_for(conn, "ponding", town.cell, at)))

    assert [ask(start - 1), ask(start), ask(start + 10 * MINUTE - 1), ask(start + 10 * MINUTE)] == ["", "urgent", "urgent", ""]


def test_what_was_listed_at_the_approval_stays_and_a_later_table_changes_nothing(town: Any) -> None:
    act(town, propose(town), "approve")
    town.table("modes", MODES.replace("pond*", "consult"))
    assert state(town)[0]["ponding", town.cell] == "urgent"
    assert state(town)[0]["consult", town.cell] == ""


def test_who_proposes_does_not_approve_and_nothing_is_raised_twice(town: Any) -> None:
    row = propose(town)
    town.refused("mode.same_person", lambda: act(town, row, "approve", "duty_officer"))
    town.refused("mode.already", lambda: propose(town, (town.cell,)))
    town.refused("case.missing", lambda: act(town, row, "refuse"))
    act(town, row, "refuse", note="情况尚不需要")
    assert state(town)[0]["ponding", town.cell] == ""
    town.refused("centre.not_now", lambda: act(town, row, "approve"))
    town.refused("centre.no_verb", lambda: act(town, row, "shout"))


def test_a_mode_is_ended_by_who_proposed_it_or_is_in_charge_who_say_why(town: Any) -> None:
    proposer, officer, other = (town.person("duty_officer", tail=tail) for tail in ("proposer", "officer", "other"))
    given_ = mode.Proposal("flood", 3, (town.street,), "启动防汛应急", "Flood mode", "防汛〔2026〕1 号")
    row = town.as_(proposer, lambda deed: mode.propose(deed, given_))
    assert town.desk.read(lambda conn: mode.ends_own(conn, proposer.id, officer.id)) == [], "nothing to end before it is approved"
    act(town, row, "approve")
    for who, mine in ((proposer, [row["id"]]), (officer, [row["id"]]), (other, [])):
        assert town.desk.read(lambda conn, who=who: mode.ends_own(conn, who.id, officer.id)) == mine

    def check(who: Any, note: str) -> None:
        town.as_(who, lambda deed: mode.check_own(deed, row["id"], officer.id, note))

    town.refused("mode.not_yours", lambda: check(other, "雨停了"))
    town.refused("case.missing", lambda: check(officer, " "))
    check(officer, "雨停了")
    check(proposer, "雨停了")


def test_what_is_put_into_a_room_by_hand_can_be_taken_out_and_both_are_told(town: Any) -> None:
    room = town.as_("duty_officer", lambda deed: incident.open_room(deed, incident.NewIncident("flood", "积水", "Ponding", (town.street,))))
    case = town.open("garbage")
    place = {"zh": "桥下", "en": "Under the bridge", "lon": 120.1, "lat": 30.1}
    for put, take, what in (("link", "unlink", case["id"]), ("party", "unparty", "dept-road"), ("place", "unplace", place)):
        town.as_("duty_officer", lambda deed, v=put, w=what: incident.add(deed, room["id"], v, w))
        held = town.as_("duty_officer", lambda deed, v=take, w=what: incident.remove(deed, room["id"], v, w))
        assert held[incident.HELD[put]] == []
        again = town.as_("duty_officer", lambda deed, v=take, w=what: incident.remove(deed, room["id"], v, w))
        assert again["version"] == held["version"], "what is not there changes nothing"
    lines = town.desk.read(lambda conn: incident.log_of(conn, room["id"], []))
    told = [(each["verb"], each["about_zh"]) for each in lines if each["verb"] in {*incident.HELD, *incident.BACK}]
    assert [verb for verb, _ in told] == ["link", "unlink", "party", "unparty", "place", "unplace"]
    assert case["number"] in told[0][1]
    assert told[4:] == [("place", "桥下"), ("unplace", "桥下")]
    town.as_("duty_officer", lambda deed: incident.command(deed, room["id"], order.NewOrder("dept-road", "封路", "Close the road", None)))
    town.refused("incident.party_has_orders", lambda: town.as_("duty_officer", lambda deed: incident.remove(deed, room["id"], "unparty", "dept-road")))
    town.refused("case.missing", lambda: town.as_("duty_officer", lambda deed: incident.remove(deed, room["id"], "unlink", "")))


def test_a_drill_stamps_all_it_says_and_changes_nothing_real(town: Any) -> None:
    before = state(town)
    town.lines.clear()
    town.news.clear()
    row = act(town, propose(town, drill=True), "approve")
    now = state(town)
    assert now[:4] == before[:4]
    room = town.desk.read(lambda conn: incident.get(conn, ALL, row["incident"], leader(town), town.clock.now(), ALL))
    assert all(text.startswith("【演练】") for text in (room["title_zh"], *(each["title_zh"] for each in room["orders"]), *(each["text_zh"] for each in room["reports"])))
    assert all(text.startswith("[EXERCISE] ") for text in (room["title_en"], *(each["title_en"] for each in room["orders"]), *(each["text_en"] for each in room["reports"])))
    assert all(each["drill"] for each in room["log"])
    assert all(each["note"].startswith("【演练】") for each in room["log"] if each["note"])
    assert all(news.body["drill"] for news in town.news)
    act(town, propose(town), "approve")


def test_an_order_goes_from_sent_to_done_by_its_unit_alone_and_its_limit_is_noted_once(town: Any) -> None:
    row = act(town, propose(town), "approve")
    sent = town.desk.read(order.unsigned)
    pumps = next(each for each in sent if each["task"] == "pumps")

    def step(verb: str, who: Any = "handler", note: str = "") -> Any:
        return town.as_(who, lambda deed: order.step(deed, row["incident"], pumps["id"], verb, note))

    town.refused("order.not_yours", lambda: step("accept", "other_handler"))
    town.refused("centre.not_now", lambda: step("done"))
    town.clock.at += MINUTE
    assert step("read")["read"] == town.clock.now()
    town.clock.at += MINUTE
    accepted = step("accept")
    assert (accepted["state"], accepted["accepted"] - accepted["read"]) == ("accepted", MINUTE)
    town.refused("incident.orders_open", lambda: town.as_("duty_officer", lambda deed: incident.close(deed, row["incident"], "")))
    town.clock.at = pumps["due"]
    assert town.as_("duty_officer", sweep) == 3, "both orders and the first report are over their limits"
    assert town.as_("duty_officer", sweep) == 0
    assert step("done")["ended"] == town.clock.now()
    town.refused("centre.not_now", lambda: step("decline", note="来不了"))
    other = next(each for each in sent if each["task"] == "watch")
    town.refused("case.missing", lambda: town.as_("handler", lambda deed: order.step(deed, row["incident"], other["id"], "decline")))


def test_reports_follow_each_other_within_their_limits(town: Any) -> None:
    room = town.as_("duty_officer", lambda deed: incident.open_room(deed, incident.NewIncident("flood", "一区积水", "Flooding", (town.street,), happened=deed.now - 5 * MINUTE)))
    first = town.desk.read(lambda conn: report.of_incident(conn, room["id"], town.clock.now()))[0]
    assert first["due"] == "2026-07-01T00:15:00Z", "from when it happened"
    town.clock.at += 20 * MINUTE

    def send(id_: str, **said: Any) -> Any:
        def work(deed: Deed) -> Any:
            return report.send(deed, incident.line.find(deed.connection, "incident", room["id"]), id_, "市应急指挥部", **said)

        return town.as_("duty_officer", work)

    def draft(kind: str) -> Any:
        return town.as_("duty_officer", lambda deed: report.draft(deed, incident.line.find(deed.connection, "incident", room["id"]), kind))

    refused = town.refused("report.unfilled", lambda: send(first["id"]))
    assert "〔地点待核〕〔待核〕〔请填写〕" in str(refused.sentence("zh"))
    town.refused("report.unfilled", lambda: send(first["id"], text_zh="地点：〔地点待核〕"))
    sent = send(first["id"], text_zh="依据防指〔2026〕8 号，更正后的文字")
    assert (sent["text_zh"], sent["state"]) == ("依据防指〔2026〕8 号，更正后的文字", "sent")
    assert sent["text_en"] == sent["text_zh"], "nothing with holes in it is sent in the other language"
    held = town.desk.read(lambda conn: report.of_incident(conn, room["id"], town.clock.now()))
    assert [(each["kind"], each["state"], each["late"]) for each in held] == [("first", "sent", True), ("next", "draft", False)]
    assert held[1]["due"] == "2026-07-01T01:20:00Z", "an hour after the one before"
    town.refused("centre.not_now", lambda: send(first["id"]))
    town.refused("report.not_ended", lambda: draft("final"))
    held = town.desk.read(lambda conn: report.of_incident(conn, room["id"], town.clock.now()))
    assert [(each["kind"], each["state"]) for each in held] == [("first", "sent"), ("next", "draft")], "what is due stays due"
    town.as_("duty_officer", lambda deed: incident.close(deed, room["id"], "水退"))
    held = town.desk.read(lambda conn: report.of_incident(conn, room["id"], town.clock.now()))
    assert [(each["kind"], each["state"]) for each in held] == [("first", "sent"), ("next", "draft"), ("final", "draft")], "the end pays no report"
    looked = town.desk.read(lambda conn: incident.get(conn, ALL, room["id"], ANONYMOUS, town.clock.now(), ALL))
    assert [(each["kind"], each["number"]) for each in looked["unfinished"]] == [("report", each["number"]) for each in held[1:]]
    owed = town.desk.read(lambda conn: report.waiting(conn, town.clock.now()))
    assert [(each["kind"], each["incident_zh"], each["incident_en"]) for each in owed] == [("next", "一区积水", "Flooding"), ("final", "一区积水", "Flooding")]
    send(held[2]["id"], text_zh="终报：水已退。")
    held = town.desk.read(lambda conn: report.of_incident(conn, room["id"], town.clock.now()))
    assert [(each["kind"], each["state"]) for each in held] == [("first", "sent"), ("next", "dropped"), ("final", "sent")]
    town.refused("report.after_final", lambda: town.as_("duty_officer", lambda deed: report.draft(deed, room, "next")))
    town.refused("incident.closed", lambda: town.as_("duty_officer", lambda deed: incident.log(deed, room["id"], "再看")))


def test_a_response_is_a_numeral_ordered_by_someone_on_a_document(town: Any) -> None:
    def ordered(verb: str, row: Any = None, **facts: Any) -> Any:
        given_ = response.Order(**({"ordered_by": "市防指", "basis": "〔2026〕2 号"} | facts))
        work = (lambda deed: response.start(deed, given_)) if row is None else (lambda deed: response.act(deed, row["id"], verb, given_))
        return town.as_("duty_officer", work)

    town.refused("case.missing", lambda: ordered("start", theme="flood", level=4, areas=(town.street,), basis=" "))
    row = ordered("start", theme="flood", level=4, areas=(town.street,))
    town.refused("mode.already", lambda: ordered("start", theme="flood", level=2, areas=(town.cell,)))
    row = ordered("change", row, level=2)
    shown = town.desk.read(lambda conn: response.show(conn, row))
    assert (shown["level"], shown["title_zh"]) == ("Ⅱ", "防汛Ⅱ级应急响应")
    assert "colour" not in shown
    assert len(town.desk.read(lambda conn: response.in_force(conn, town.clock.now(), town.cell))) == 1
    ordered("end", row)
    assert town.desk.read(lambda conn: response.in_force(conn, town.clock.now())) == []
    town.refused("centre.not_now", lambda: ordered("end", row))


def test_a_telephone_number_is_masked_before_it_is_kept(town: Any) -> None:
    rows = town.desk.read(lambda conn: table_rows(conn, "roster", town.clock.now()))
    assert [row["phone"] for row in rows if row["name"] == "值班长 甲"] == ["139****5678"]


def test_a_date_stands_before_a_day_of_the_week_and_a_night_goes_past_midnight(town: Any) -> None:
    def officers() -> list[str]:
        return [turn.cells["name"] for turn in town.desk.read(lambda conn: roster.on_duty(conn, town.clock.now(), town.zone))]

    assert officers() == ["值班长 甲"]
    town.clock.at += 18 * 60 * MINUTE
    assert officers() == ["值班长 乙"], "two in the morning"
    assert town.desk.read(lambda conn: roster.coming(conn, town.clock.now(), town.zone)).cells["name"] == "值班长 丙"
    town.clock.at += 6 * 60 * MINUTE
    assert officers() == ["值班长 丙"]


def test_a_case_opened_while_a_mode_holds_has_the_urgent_limits_and_one_opened_after_has_the_ordinary(town: Any) -> None:
    rows = LIMITS + "ponding,case,,4h,wall,办法,2025-01-01\nponding,case,urgent,1h,wall,预案,2025-01-01\n*,sign,urgent,5m,wall,预案,2025-01-01\n*,sign,,30m,wall,办法,2025-01-01\n"
    town.table("limits", rows)

    def limits() -> tuple[int, int]:
        case = town.do("dispatcher", town.open("ponding"), "dispatch", unit="dept-drainage")
        return (case["due"] - town.clock.at) // MINUTE, (case["held_due"] - town.clock.at) // MINUTE

    assert limits() == (240, 30)
    row = act(town, propose(town), "approve")
    assert limits() == (60, 5)
    town.clock.at += MINUTE
    act(town, row, "end")
    assert limits() == (240, 30)
