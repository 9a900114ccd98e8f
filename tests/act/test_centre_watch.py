"""The watch is handed over by two people on a frozen sheet; instructions supervise; the brief's figures are a recount of the history; reviews are the history."""

import json
import re
import zlib
from base64 import a85decode
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from zhongshu.act import Deed, Given, NewCase, do, open_case
from zhongshu.act.centre import brief, days, handover, incident, instruction, order, paper, review, warning
from zhongshu.act.tables import case_step
from zhongshu.kernel.area import Level, at_level
from zhongshu.kernel.clock import DAY, HOUR, MINUTE, parse_time
from zhongshu.kernel.grade import EVERYWHERE, Scope
from zhongshu.kernel.problem import Problem

ALL = Scope(EVERYWHERE, 3)
OTHER = 990102001001001


def begin(city: Any, who: Any, memo: str = "", to: str = "") -> Any:
    return city.as_(who, lambda deed: handover.begin(deed, 990100000000000, ALL, lambda: [{"zh": "水位计无数据"}], memo, to))


def sign(city: Any, who: Any, row: Any) -> Any:
    return city.as_(who, lambda deed: handover.sign(deed, row["id"]))


def charge(city: Any) -> str:
    held = city.desk.read(lambda conn: handover.in_charge(conn, city.clock.now()))
    return "" if held is None else held["id"]


def test_the_watch_changes_with_the_second_signature_and_not_before(city: Any) -> None:
    day, night, other = (city.person("duty_officer", tail=tail) for tail in ("day", "night", "other"))
    assert charge(city) == ""
    first = sign(city, day, begin(city, day))
    assert (charge(city), first["outgoing"]) == (day.id, day.id), "nobody's watch is opened by who signs first"
    assert handover.show(first)["first"] and first["document"]["first"], "the sheet says that nobody handed over"
    city.clock.at += HOUR
    city.refused("handover.not_in_charge", lambda: begin(city, night))
    row = begin(city, day, "泵站 3 号泵待修")
    assert charge(city) == day.id, "until the other has signed"
    city.refused("handover.own", lambda: sign(city, day, row))
    city.clock.at += MINUTE
    done = sign(city, night, row)
    assert not handover.show(done)["first"]
    assert (charge(city), done["signed_in"] - done["signed_out"]) == (night.id, MINUTE)
    city.refused("centre.not_now", lambda: sign(city, other, row))
    named = begin(city, night, to=other.id)
    city.refused("handover.other_expected", lambda: sign(city, day, named))
    again = begin(city, night)
    city.refused("centre.not_now", lambda: sign(city, other, named))
    sign(city, day, again)
    assert charge(city) == day.id
    listed = city.desk.read(lambda conn: handover.listing(conn, 10))
    assert [(row["number"], row["state"]) for row in listed][:2] == [(again["number"], "finished"), (named["number"], "superseded")], "what was made out anew is still told"
    city.clock.at -= 30 * MINUTE
    assert charge(city) == day.id, "of the past, as it was"


def test_a_leader_signs_for_an_officer_who_cannot_and_does_not_take_over_with_it(city: Any) -> None:
    day, night, leader = city.person("duty_officer", tail="day"), city.person("duty_officer", tail="night"), city.person("leader")
    sign(city, day, begin(city, day))
    row = begin(city, leader, "值班长突发疾病")
    assert (row["outgoing"], row["document"]["signed_by"]["id"]) == (day.id, leader.id)
    city.refused("handover.own", lambda: sign(city, leader, row))
    city.refused("handover.own", lambda: sign(city, day, row))
    sign(city, night, row)
    assert charge(city) == night.id


def test_the_sheet_is_what_the_record_holds_and_stays_as_it_was_signed(city: Any) -> None:
    officer = city.person("duty_officer", tail="day")
    sign(city, officer, begin(city, officer))
    late, other = city.open("garbage"), city.open("ponding", OTHER)
    city.clock.at = late["due"] - 1
    city.as_("duty_officer", lambda deed: do(deed, other["id"], "acknowledge", Given()))
    near = city.desk.read(lambda conn: handover.sheet(conn, city.clock.now(), city.zone, ALL))
    assert {row["number"] for row in near["near"]["items"]} == {late["number"], other["number"]}
    city.clock.at = late["due"]
    street = Scope(((990101_000_000_000, 990102_000_000_000),), 3)
    mine = city.desk.read(lambda conn: handover.sheet(conn, city.clock.now(), city.zone, street))
    assert [row["number"] for row in mine["overdue"]["items"]] == [late["number"]], "cases of one's own areas"
    row = begin(city, officer, "备忘一条")
    before = row["document"]
    assert (before["open"]["count"], before["overdue"]["count"], before["memo"], before["silent"]) == (2, 2, "备忘一条", [{"zh": "水位计无数据"}])
    city.as_("duty_officer", lambda deed: do(deed, late["id"], "void", Given(reason="误录")))
    city.clock.at += HOUR
    done = sign(city, city.person("duty_officer", tail="night"), row)
    kept = city.desk.read(lambda conn: handover.line.find(conn, "handover", row["id"]))
    assert json.loads(json.dumps(before)) == kept["document"]
    assert handover.digest(kept["document"]) == done["digest"] == row["digest"]


def test_an_instruction_supervises_a_case_or_opens_one_and_ends_with_it(city: Any) -> None:
    leader = city.person("leader")
    case, until = city.open(), city.clock.now() + DAY
    new = instruction.NewInstruction("请三日内办结", until, case["id"])
    city.refused("case.not_yours", lambda: city.as_("acceptor", lambda deed: instruction.give(deed, new)))
    row = city.as_(leader, lambda deed: instruction.give(deed, new))
    held = city.desk.read(lambda conn: instruction.unfinished(conn, ALL, city.clock.now()))
    assert [(each["number"], each["case_number"]) for each in held] == [(row["number"], case["number"])]
    lines = city.lines_of(case)
    assert [(step["verb"], step["actor"]) for step in lines][-1] == ("supervise", leader.id), "in the leader's own name"
    free = city.as_(leader, lambda deed: instruction.give(deed, instruction.NewInstruction("核查全市井盖", until, area=city.street)))
    assert len(city.desk.read(lambda conn: instruction.unfinished(conn, ALL, city.clock.now()))) == 2
    for each in (case["id"], free["case_id"]):
        city.as_("duty_officer", lambda deed, each=each: do(deed, each, "void", Given(reason="已另案办理")))
    assert city.desk.read(lambda conn: instruction.unfinished(conn, ALL, city.clock.now())) == []
    city.refused("case.missing", lambda: city.as_(leader, lambda deed: instruction.give(deed, instruction.NewInstruction(" ", until, case["id"]))))
    gone = instruction.NewInstruction("昨天办结", city.clock.now() - HOUR, area=city.street)
    city.refused("instruction.past", lambda: city.as_(leader, lambda deed: instruction.give(deed, gone)))


def recount(city: Any, day: date) -> dict[str, Counter[int]]:
    """Count a day's lines one by one, by the words of the history alone."""
    start, end = days.bounds(day, city.zone)
    rows = city.desk.read(lambda conn: [dict(row) for row in conn.execute(select(case_step).order_by(case_step.c.seq)).mappings()])
    gone = {row["detail"]["undoes"] for row in rows if "undoes" in row["detail"]}
    found: dict[str, Counter[int]] = {name: Counter() for name in days.COUNTED}
    for row in rows:
        if not start <= row["at"] < end or row["seq"] in gone or "undoes" in row["detail"] or row["kind"] != "case":
            continue
        district = at_level(row["area"], Level.DISTRICT)
        found["received"][district] += row["verb"] in {"confirm", "report", "patrol", "self_handle"}
        found["closed"][district] += row["verb"] == "close"
        found["on_time"][district] += row["verb"] == "close" and row["detail"]["on_time"]
        found["redone"][district] += row["verb"] == "check_fail"
        found["overdue"][district] += row["verb"] == "due" and "early" not in row["detail"]
    return {name: +counter for name, counter in found.items()}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.tuples(st.integers(0, 600), st.sampled_from(["open", "open2", "check", "fail", "close", "undo"])), min_size=3, max_size=14))
def test_the_brief_s_figures_are_a_recount_of_the_history(city: Any, acts: list[tuple[int, str]]) -> None:
    cases: list[Any] = []
    checker = city.person("checker", tail="9")
    for minutes, act in acts:
        city.clock.at += minutes * MINUTE
        try:
            if act == "open" or not cases:
                cases.append(city.open("garbage", OTHER))
            elif act == "open2":
                cases.append(city.open("consult"))
            elif act == "undo":
                sent = city.do("dispatcher", cases[-1], "dispatch", unit="dept-drainage")
                cases[-1] = city.do("dispatcher", sent, "undo")
            elif act == "check":
                cases[-1] = city.to_check(cases[-1])
            elif act == "fail":
                cases[-1] = city.do(checker, cases[-1], "check_fail", reason="没弄干净")
            else:
                passed = city.do(checker, cases[-1], "check_pass")
                cases[-1] = city.do("acceptor", passed, "close", answer="办好了")
        except Problem:
            continue
    first = date(2026, 7, 1)
    now = city.clock.now()
    for day in (first + timedelta(days=n) for n in range(1, (now - city.start) // DAY + 3)):
        made = city.desk.read(lambda conn, day=day: brief.brief(conn, day, brief.Around(now, city.zone)))
        expected, before, week = (recount(city, day - timedelta(days=back)) for back in (1, 2, 8))
        told = {f["what"]: f for f in made["figures"]}
        for what in ("received", "closed", "on_time", "overdue", "redone"):
            assert told[what]["value"] == sum(expected[what].values())
            assert (told[what]["day_before"], told[what]["week_before"]) == (sum(before[what].values()), sum(week[what].values()))
            assert {int(d["area"]): d[what] for d in made["districts"] if d[what]} == dict(expected[what])


def test_a_change_is_told_against_the_city_s_own_days(city: Any) -> None:
    for day, count in ((0, 2), (6, 4), (7, 3)):
        city.clock.at = city.start + day * DAY
        for _ in range(count):
            city.open("garbage")
    made = city.desk.read(lambda conn: brief.brief(conn, date(2026, 7, 9), brief.Around(city.clock.now() + DAY, city.zone)))
    received = next(f for f in made["figures"] if f["what"] == "received")
    assert (received["value"], received["day_before"], received["week_before"], received["day_change"], received["week_change"]) == (3, 4, 2, -25.0, 50.0)
    closed = next(f for f in made["figures"] if f["what"] == "closed")
    assert closed["day_change"] is None, "nothing to compare with"
    assert made["sections"]["zh"][0]["head"] == "一、昨日运行"
    assert made["todo"]["overdue"] == 9


def test_a_warning_that_was_superseded_ends_then_on_the_page_and_on_paper(city: Any) -> None:
    now = city.clock.now()

    def warn(issued: str, kind: str = "Alert", names: tuple[str, ...] = ()) -> Any:
        given_ = warning.ByHand("气象台（虚构）", issued, "暴雨", "yellow", (city.street,), city.clock.now(), now + 6 * HOUR, kind=kind, names=names)
        return city.as_("duty_officer", lambda deed: warning.enter(deed, given_))

    old = warn("1")
    city.clock.at += 32 * MINUTE
    warn("2", "Update", (old["id"],))
    made = city.desk.read(lambda conn: brief.brief(conn, date(2026, 7, 1), brief.Around(city.clock.now() + MINUTE, city.zone)))
    assert [(one["from"], one["until"], one["over"]) for one in made["holding"]] == [
        ("2026-07-01T00:32:00Z", "2026-07-01T06:00:00Z", False),
        ("2026-07-01T00:00:00Z", "2026-07-01T00:32:00Z", True),
    ]
    assert [line.endswith("（已结束）") for line in made["sections"]["zh"][1]["lines"]] == [False, True]
    assert "07-01 08:32（已结束）" in made["sections"]["zh"][1]["lines"][1]
    assert "在效预警 1 条（另列已结束 1 条）" in made["summary"]["zh"]
    assert "Warnings in force: 1 (1 more listed have ended)" in made["summary"]["en"]


def words_of(pdf: bytes) -> tuple[int, str]:
    """Return how many pages a PDF has, and the text that its content streams show: two bytes a character in UTF-16, as its font's encoding says."""
    text = ""
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            content = zlib.decompress(a85decode(stream.strip(), adobe=False) if not stream.strip().endswith(b"~>") else a85decode(b"<~" + stream.strip(), adobe=True))
        except (zlib.error, ValueError):
            continue
        for shown in re.findall(rb"\(((?:\\.|[^\\()])*)\) Tj", content, re.DOTALL):
            raw = re.sub(rb"\\([0-7]{3}|.)", lambda m: bytes([int(m[1], 8)]) if m[1].isdigit() else {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(m[1], m[1]), shown, flags=re.DOTALL)
            text += raw.decode("utf-16-be", "replace")
    return len(re.findall(rb"/Type /Page\b(?!s)", pdf)), text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_brief_is_one_page_whose_text_can_be_selected_however_much_it_has_to_say(city: Any, language: str) -> None:
    for n in range(30):
        city.open("garbage", 990101001001001 + n * 10**9)
    signs = [
        {
            "zh": "积水深度",
            "en": "Ponding",
            "area_name_zh": "一区",
            "area_name_en": "District 1",
            "value": "40",
            "unit": "cm",
            "level": "red",
            "level_zh": "严重",
            "level_en": "severe",
        }
    ] * 8
    made = city.desk.read(lambda conn: brief.brief(conn, date(2026, 7, 2), brief.Around(city.clock.now() + DAY, city.zone, signs)))
    pages, text = words_of(paper.render(made["title"][language], "云汀市", made["sections"][language], one_page=True))
    assert pages == 1
    assert ("一、昨日运行" if language == "zh" else "1. Yesterday") in text
    assert "30" in text
    long = [{"head": "列表", "lines": [f"第 {n} 条 {'很长的说明' * 10}" for n in range(400)], "tables": []}]
    pages, text = words_of(paper.render("长", "云汀市", long, one_page=True))
    assert pages == 1
    assert "… +" in text, "what was left out is told"
    assert words_of(paper.render("长", "云汀市", long))[0] > 1


def test_a_review_is_the_history_s_own_and_names_no_reporter(city: Any) -> None:
    case = city.open()
    city.clock.at += 10 * MINUTE
    sent = city.do("dispatcher", case, "dispatch", unit="dept-drainage")
    room = city.as_("duty_officer", lambda deed: incident.open_room(deed, incident.NewIncident("flood", "积水", "Flooding", (city.street,), cases=(case["id"],))))
    given_ = order.NewOrder("dept-drainage", "排水", "Pump", city.clock.now() + 5 * MINUTE)
    told = city.as_("duty_officer", lambda deed: incident.command(deed, room["id"], given_))
    for minutes, verb in ((4, "accept"), (8, "done")):
        city.clock.at += minutes * MINUTE
        city.as_("handler", lambda deed, verb=verb: order.step(deed, room["id"], told["id"], verb))
    city.to_check(sent) if sent["step"] == "dispatch" else city.do("handler", sent, "take")
    row = city.desk.read(lambda conn: handover.line.find(conn, "incident", room["id"]))
    found = city.desk.read(lambda conn: review.of_incident(conn, row))
    at = {moment["key"]: moment["at"] for moment in found["moments"]}
    assert (at["sent"], at["arrived"], at["done"], at["closed"]) == ("2026-07-01T00:10:00Z", "2026-07-01T00:14:00Z", "2026-07-01T00:22:00Z", None)
    (late,) = [limit for limit in found["limits"] if limit["number"] == told["number"]]
    assert (late["late"], late["over_s"]) == (True, 7 * 60)
    assert [entry["at"] for entry in found["timeline"]] == sorted(entry["at"] for entry in found["timeline"])
    assert {"order", "incident", "case", "report"} == {entry["kind"] for entry in found["timeline"]}
    pages, text = words_of(paper.render(found["title_zh"], found["number"], review.sections(found, city.zone)["zh"]))
    assert pages >= 1
    assert "关键时刻" in text
    alone = city.desk.read(lambda conn: review.of_case(conn, sent))
    assert [entry["verb"] for entry in alone["timeline"]][:2] == ["confirm", "dispatch"]
    assert {gap["from"] for gap in alone["gaps"]} <= set(review.MOMENTS)


def test_an_incident_was_seen_when_the_first_of_its_cases_was(city: Any) -> None:
    case = city.open()
    city.clock.at += 10 * MINUTE
    room = city.as_("duty_officer", lambda deed: incident.open_room(deed, incident.NewIncident("flood", "积水", "Flooding", (city.street,))))
    city.as_("duty_officer", lambda deed: incident.add(deed, room["id"], "link", case["id"]))
    row = city.desk.read(lambda conn: handover.line.find(conn, "incident", room["id"]))
    found = city.desk.read(lambda conn: review.of_incident(conn, row))
    at = {moment["key"]: moment["at"] for moment in found["moments"]}
    assert (at["seen"], at["told"], at["closed"]) == ("2026-07-01T00:00:00Z", "2026-07-01T00:00:00Z", None)
    assert all(gap["s"] >= 0 for gap in found["gaps"])


def test_a_report_that_was_dropped_is_not_owed_in_the_review(city: Any) -> None:
    def step(verb: str, at: int, due: int) -> Any:
        return {"kind": "report", "verb": verb, "subject": verb and "r", "number": "S1", "at": at, "detail": {"kind": "next", "due": due}}

    assert review._limits([step("draft", 0, HOUR), step("drop", MINUTE, HOUR)]) == []
    (late,) = review._limits([step("draft", 0, HOUR), step("drop", 2 * HOUR, HOUR)])
    assert late["end"] == 2 * HOUR, "what ran out before it was dropped stays late"


def test_an_order_that_was_withdrawn_in_time_is_not_told_as_done_in_time(city: Any) -> None:
    def step(verb: str, at: int) -> Any:
        return {"kind": "order", "verb": verb, "subject": "o", "number": "X1", "at": at, "detail": {"title_zh": "排水", "title_en": "Pump", "due": HOUR}}

    assert review._limits([step("send", 0), step("cancel", MINUTE)]) == []
    (late,) = review._limits([step("send", 0), step("cancel", 2 * HOUR)])
    assert late["end"] == 2 * HOUR


def test_a_review_on_paper_calls_people_as_its_language_does(city: Any) -> None:
    case = city.open()
    found = city.desk.read(lambda conn: review.of_case(conn, case))
    for line in found["timeline"]:
        line |= {"by_zh": "派遣员", "by_en": "Dispatcher"}
    said = review.sections(found, city.zone)
    assert {row[3] for row in said["zh"][2]["tables"][0][1:]} == {"派遣员"}
    assert {row[3] for row in said["en"][2]["tables"][0][1:]} == {"Dispatcher"}


def test_the_sheet_of_a_great_record_needs_no_typing(city: Any) -> None:
    def many(deed: Deed) -> None:
        for n in range(300):
            open_case(deed, NewCase("confirm", "garbage", "垃圾", "Rubbish", 990101001001001 + n % 7, "patrol", opened=parse_time("2026-06-30T00:00:00Z") + n))

    city.as_("acceptor", many)
    made = city.desk.read(lambda conn: handover.sheet(conn, city.clock.now(), city.zone, ALL))
    assert (made["open"]["count"], len(made["open"]["items"])) == (300, handover.LISTED)
    assert set(made) == {
        *(
            "at",
            "open",
            "near",
            "overdue",
            "parts_overdue",
            "voices",
            "warnings",
            "responses",
            "modes",
            "incidents",
            "reports",
            "silent",
            "instructions",
            "orders",
            "roster",
            "waiting_voices",
            "memo",
        ),
    }
