"""Leads: opened once, decided by a person, joined with a reason that is shown, and taken back whole."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from zhongshu.act import Given, Seen, Voice, answer, decide, link_voice, record, take_finding, take_request, undo, voices
from zhongshu.act.nearness import between
from zhongshu.act.tables import case_file, case_step, lead, lead_link, request
from zhongshu.kernel.clock import MINUTE
from zhongshu.kernel.finding import Finding, Status
from zhongshu.kernel.grade import EVERYWHERE, Scope
from zhongshu.kernel.problem import Problem

SCOPE = Scope(EVERYWHERE)
HERE = (121.5000, 31.2000)


def east(metres: float) -> tuple[float, float]:
    return HERE[0] + metres / 95_115, HERE[1]


def finding(city: Any, name: str = "f1") -> Finding:
    return Finding(name, "DR02.ponding", "1", "DR02", city.cell, Status.RED, city.clock.at, 43.0)


def seen(place: tuple[float, float] = HERE) -> Seen:
    return Seen("ponding", "文汇路下穿通道积水", "Ponding in the underpass", place[0], place[1], "文汇路")


def find(city: Any, name: str = "f1", **more: Any) -> dict[str, Any]:
    return city.as_("duty_officer", lambda deed: take_finding(deed, finding(city, name), seen(), **more))[0]


def say(city: Any, name: str, place: tuple[float, float] | None = HERE, *, class_: str = "ponding", minutes: int = 0, text: str = "") -> dict[str, Any]:
    lon, lat = place or (None, None)
    voice = Voice("citizen", name, city.clock.at + minutes * MINUTE, city.cell, class_, text, "文汇路", lon, lat, "app")
    return city.as_("citizen", lambda deed: take_request(deed, voice))[0]


def rows(city: Any, table: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in city.desk.read(lambda c: c.execute(select(table)).mappings().all())]


def test_a_finding_opens_one_lead_however_often_it_comes(city: Any) -> None:
    first, again = find(city), find(city)
    assert first["id"] == again["id"]
    assert (first["number"], first["state"], first["level"]) == ("L990101-20260701-0001", "open", "red")
    assert len(rows(city, lead)) == 1


def test_confirming_opens_the_case_with_all_it_knows(city: Any) -> None:
    made = find(city)
    say(city, "a", east(120))
    done = city.as_("duty_officer", lambda deed: decide(deed, made["id"], "confirm", Given()))
    case = rows(city, case_file)[0]
    assert (done["state"], done["case_id"]) == ("filed", case["id"])
    assert (case["finding"], case["indicator"], case["level"], case["lead"], case["voices"], case["step"]) == ("f1", "DR02", "red", made["id"], 1, "dispatch")
    with pytest.raises(Problem, match=r"case\.not_now"):
        city.as_("duty_officer", lambda deed: decide(deed, made["id"], "confirm", Given()))
    say(city, "b", east(50), minutes=10)
    assert rows(city, case_file)[0]["voices"] == 2, "a voice may join a case that is open"


def test_a_rule_may_file_by_itself_where_the_city_says_so(city: Any) -> None:
    city.table("figures", b"code,value,basis,valid_from\nfile_reviews,0,x,2026-01-01\n")
    made = find(city, file_it=True)
    assert made["state"] == "filed"
    assert find(city, file_it=True)["case_id"] == made["case_id"]
    assert len(rows(city, case_file)) == 1


def test_a_voice_joins_what_is_near_with_the_reason_shown(city: Any) -> None:
    made = find(city)
    told = say(city, "a", east(120), minutes=35)
    assert told["lead"] == made["id"]
    link = rows(city, lead_link)[0]
    assert (link["reason_zh"], link["reason_en"]) == ("120 m · 35 分钟 · 同类", "120 m · 35 min · same kind")
    shown = city.desk.read(lambda c: record.list_leads(c, SCOPE))["items"]
    assert [(item["voices"], len(item["links"])) for item in shown] == [(1, 1)]


@pytest.mark.parametrize(
    "apart",
    [
        {"place": east(205)},
        {"minutes": 61},
        {"minutes": -61},
        {"class_": "garbage"},
        {"class_": ""},
        {"place": None},
    ],
)
def test_what_is_far_late_or_of_another_kind_stands_alone(city: Any, apart: dict[str, Any]) -> None:
    made = find(city)
    told = say(city, "a", **apart)
    assert told["lead"] not in {None, made["id"]}
    assert rows(city, lead_link) == []


def test_a_finding_gathers_the_voices_that_came_before_it(city: Any) -> None:
    told = say(city, "a", east(150))
    city.clock.at += 5 * MINUTE
    made = find(city)
    by_id = {row["id"]: row for row in rows(city, lead)}
    own = by_id[told["lead"]]
    assert (own["state"], own["of"]) == ("duplicate", made["id"])
    assert rows(city, request)[0]["lead"] == made["id"]


def test_the_class_is_proposed_from_the_words_when_they_name_one_only(city: Any) -> None:
    say(city, "a", class_="", text="地下通道水淹了")
    say(city, "b", class_="", text="积水边上还有垃圾")
    by = {row["external"]: (row["class"], row["flags"]) for row in rows(city, request)}
    assert by == {"a": ("ponding", ["class_guessed"]), "b": ("", [])}


def snapshot(city: Any) -> Any:
    """Everything that a join could change, without when it was changed."""
    leads = sorted((row["id"], row["state"], row["of"], row["case_id"], row["opened"]) for row in rows(city, lead))
    voices = sorted((row["id"], row["lead"], row["case_id"], row["repeats"], row["created"]) for row in rows(city, request))
    cases = sorted((row["id"], row["voices"], row["due"], row["opened"], row["version"]) for row in rows(city, case_file))
    return leads, voices, cases


def test_taking_a_join_back_restores_everything(city: Any) -> None:
    made = find(city)
    say(city, "a", east(100))
    far = say(city, "b", east(900))
    city.as_("duty_officer", lambda deed: decide(deed, made["id"], "confirm", Given()))
    before = snapshot(city)
    city.as_("acceptor", lambda deed: decide(deed, far["lead"], "duplicate", Given(), of=made["id"]))
    assert rows(city, case_file)[0]["voices"] == 2
    assert snapshot(city) != before
    last = rows(city, lead_link)[-1]
    assert last["reason_zh"].startswith("900 m")
    city.as_("acceptor", lambda deed: undo(deed, last["id"]))
    assert snapshot(city) == before
    with pytest.raises(Problem, match=r"lead\.no_link"):
        city.as_("acceptor", lambda deed: undo(deed, last["id"]))


def test_a_voice_joined_by_itself_gets_a_lead_of_its_own_when_taken_back(city: Any) -> None:
    made = find(city)
    told = say(city, "a", east(10))
    city.as_("acceptor", lambda deed: undo(deed, rows(city, lead_link)[0]["id"]))
    after = rows(city, request)[0]
    own = next(row for row in rows(city, lead) if row["id"] == after["lead"])
    assert own["id"] != made["id"]
    assert (own["state"], own["opened"]) == ("open", told["created"])


def test_joining_a_voice_by_hand_takes_its_own_lead_along(city: Any) -> None:
    made = find(city)
    told = say(city, "a", east(500))
    city.as_("acceptor", lambda deed: link_voice(deed, told["id"], made["id"]))
    assert {row["state"] for row in rows(city, lead)} == {"open", "duplicate"}
    with pytest.raises(Problem, match=r"case\.not_yours"):
        city.as_("citizen", lambda deed: link_voice(deed, told["id"], made["id"]))


def test_false_alarms_and_closed_leads_take_no_joins(city: Any) -> None:
    made = find(city)
    city.as_("acceptor", lambda deed: decide(deed, made["id"], "false_alarm", Given(reason="清洗传感器")))
    told = say(city, "a", east(10))
    assert told["lead"] != made["id"]
    with pytest.raises(Problem, match=r"lead\.not_joined"):
        city.as_("acceptor", lambda deed: decide(deed, told["lead"], "duplicate", Given(), of=made["id"]))
    with pytest.raises(Problem, match=r"lead\.not_joined"):
        city.as_("acceptor", lambda deed: decide(deed, told["lead"], "duplicate", Given(), of=told["lead"]))
    with pytest.raises(Problem, match=r"case\.missing"):
        city.as_("acceptor", lambda deed: decide(deed, told["lead"], "duplicate", Given()))
    with pytest.raises(Problem, match=r"case\.stale"):
        city.as_("acceptor", lambda deed: decide(deed, told["lead"], "false_alarm", Given(version=9)))


def test_closing_answers_nobody_unless_an_answer_is_given(city: Any) -> None:
    for index, words in enumerate(("", "已抽排完毕")):
        made = find(city, f"f{index}")
        told = say(city, f"v{index}", east(20))
        assert told["lead"] == made["id"]
        done = city.as_("duty_officer", lambda deed, made=made: decide(deed, made["id"], "confirm", Given()))
        case = next(row for row in rows(city, case_file) if row["id"] == done["case_id"])
        case = city.do("checker", city.to_check(case), "check_pass")
        city.do("acceptor", case, "close", answer=words)
        after = city.desk.read(lambda c, told=told: voices.get_request(c, told["number"]))
        assert (after["state"], after["answer"]) == (("answered", words) if words else ("received", ""))
        assert after["case"]["step"] == "closed"
    with pytest.raises(Problem, match=r"request\.answered"):
        city.as_("acceptor", lambda deed: answer(deed, told["id"], "再答复"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lon=st.floats(73, 135),
    lat=st.floats(3, 54),
    bearing=st.floats(-150, 150),
    up=st.floats(-150, 150),
    minutes=st.integers(0, 59),
)
def test_distance_agrees_with_the_ellipsoid(lon: float, lat: float, bearing: float, up: float, minutes: int) -> None:
    geod = pytest.importorskip("pyproj").Geod(ellps="GRS80")
    far_lon, far_lat = lon + bearing / 90_000, lat + up / 111_000
    one = {"lon": lon, "lat": lat, "class": "x", "opened": 0}
    reason = between(one, {"lon": far_lon, "lat": far_lat, "class": "x", "opened": minutes * MINUTE})
    exact = geod.inv(lon, lat, far_lon, far_lat)[2]
    assert reason.metres == pytest.approx(exact, rel=0.01, abs=0.01)
    assert reason.minutes == minutes


def test_every_deed_left_its_line(city: Any) -> None:
    made = find(city)
    say(city, "a", east(20))
    city.as_("duty_officer", lambda deed: decide(deed, made["id"], "confirm", Given()))
    verbs = [(row["kind"], row["verb"]) for row in rows(city, case_step)]
    assert verbs == [("lead", "opened"), ("request", "received"), ("request", "link"), ("case", "confirm"), ("lead", "confirm")]
    assert [action for action, _, _ in city.lines] == [f"{kind}.{verb}" for kind, verb in verbs]


def test_a_lead_carries_the_words_of_those_who_told_of_it_and_not_their_names(city: Any) -> None:
    made = find(city)
    for name, words in (("a", "水到膝盖了"), ("b", "车过不去")):
        voice = Voice("web", name, city.clock.at, city.cell, "ponding", words, "", *HERE, "web", reporter="someone", photos=(city.photo,))
        city.as_("citizen", lambda deed, voice=voice: take_request(deed, voice))
    shown = city.desk.read(lambda c: record.get_lead(c, SCOPE, made["id"]))
    assert (shown["voices"], [(item["text"], item["photos"]) for item in shown["heard"]]) == (2, [("水到膝盖了", [city.photo]), ("车过不去", [city.photo])])
    assert "someone" not in str(shown)


def test_filing_without_a_person_is_the_citys_switch_and_needs_enough_leads_that_people_found_true(city: Any) -> None:
    def seen(number: int, true: bool | None) -> dict[str, Any]:
        found = Finding(f"f{number}", "DR02.ponding", "1", "DR02", city.cell, Status.RED, city.clock.at, 43.0)
        where = Seen("ponding", "积水", "Ponding", 121.0 + number / 50, 31.2, device="WaterLevelSensor")
        made = city.as_("duty_officer", lambda deed: take_finding(deed, found, where))[0]
        if true is not None:
            city.as_("acceptor", lambda deed: decide(deed, made["id"], "confirm" if true else "false_alarm", Given()))
        return made

    rows = "rule,device,on,basis,valid_from\nDR02.ponding,WaterLevelSensor,1,办法 8,2026-01-01\n"
    for number in range(29):
        seen(number, true=True)
    city.table("filing", rows)
    assert seen(100, true=True)["state"] == "open", "29 reviewed are too few"
    assert seen(101, true=None)["state"] == "filed", "30 reviewed, all true"
    for number in range(200, 204):
        made = seen(number, true=None)
        assert made["state"] == "filed"
    city.table("filing", rows.replace(",1,", ",0,"))
    for number in range(300, 304):
        seen(number, true=False)
    city.table("filing", rows)
    assert seen(400, true=None)["state"] == "open", "4 false of 34: it has fallen below what the city asks"


def test_how_near_is_near_is_the_citys_figure(city: Any) -> None:
    first, second = say(city, "near-1", (121.5, 31.2)), say(city, "near-2", (121.501, 31.2))
    assert second["lead"] == first["lead"], "95 m apart, within the 200 m that hold where a city sets none"
    rows = b"code,value,basis,valid_from\njoin_metres,50,x,2026-01-01\n"
    city.table("figures", rows)
    third = say(city, "near-3", (121.502, 31.2))
    assert third["lead"] not in {first["lead"], second["lead"]}
