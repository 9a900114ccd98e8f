"""A voice's own life: answered from the knowledge base, put through, refused, called back; linked three ways with why; and what the assistant proposes."""

from typing import Any

import pytest
from sqlalchemy import select

from zhongshu.act import (
    Assistant,
    Given,
    Place,
    Span,
    Voice,
    assist_report,
    decide,
    do_request,
    evaluate,
    propose,
    record,
    split_links,
    take_request,
    taught,
    undo,
    voices,
)
from zhongshu.act.assist import Named
from zhongshu.act.tables import case_file, case_step, lead_link, request
from zhongshu.kernel.clock import DAY, HOUR, MINUTE, SECOND, rfc3339
from zhongshu.kernel.grade import EVERYWHERE, Scope

ALL = Scope(EVERYWHERE, 3)
CATALOGUE = (
    Named("ponding", "道路积水", "Ponding", ("积水", "水淹", "内涝", "路面有水")),
    Named("garbage", "暴露垃圾", "Rubbish", ("垃圾", "脏乱", "没人清", "臭味")),
    Named("heating", "暖气不热", "Cold heating", ("暖气", "不热", "供热", "家里冷")),
)


def say(city: Any, name: str, text: str, assistant: Assistant | None = None, **more: Any) -> dict[str, Any]:
    where = {"lon": 121.5, "lat": 31.2} | {key: more.pop(key) for key in ("lon", "lat") if key in more}
    voice = Voice("web", name, city.clock.at, more.pop("area", city.cell), more.pop("class_", ""), text, "", where["lon"], where["lat"], "web", reporter=more.pop("reporter", name))

    def work(deed: Any) -> dict[str, Any]:
        deed.assistant = assistant
        return take_request(deed, voice)[0]

    return city.as_("citizen", work)


def act(city: Any, told: dict[str, Any], verb: str, who: str = "acceptor", satisfied: int | None = None, knowledge: str = "", **given: Any) -> dict[str, Any]:
    return city.as_(who, lambda deed: do_request(deed, told["id"], verb, Given(**given), satisfied, knowledge))


def now(city: Any, told: dict[str, Any]) -> dict[str, Any]:
    return city.desk.read(lambda c: dict(c.execute(select(request).where(request.c.id == told["id"])).mappings().one()))


def links(city: Any, told: dict[str, Any]) -> list[dict[str, Any]]:
    return city.desk.read(lambda c: [dict(row) for row in c.execute(select(lead_link).where(lead_link.c.request == told["id"]).order_by(lead_link.c.id)).mappings()])


def test_a_question_is_answered_at_once_from_the_knowledge_base_and_called_back(city: Any) -> None:
    rows = "code,title,text,words,class,owner,basis,valid_from,valid_to\nbus,公交末班车,末班车 22:30,公交;末班车,,dept-transport,公告 7,2026-01-01,2026-12-31\nold,旧答复,不再有效,公交,,dept-transport,公告 1,2020-01-01,2021-01-01\n"
    city.table("knowledge", rows)
    told = say(city, "a", "请问公交末班车几点？")
    desk = city.desk.read(lambda c: voices.for_desk(c, told["id"], city.people["acceptor"], city.clock.at))
    assert [entry["code"] for entry in desk["knowledge"]] == ["bus"], "what has expired is not offered"
    assert [move["verb"] for move in desk["may"]] == ["answer", "transfer", "refuse"]
    city.refused("knowledge.unknown", lambda: act(city, told, "answer", knowledge="old"))
    city.refused("case.missing", lambda: act(city, told, "answer"))
    answered = act(city, told, "answer", knowledge="bus")
    assert (answered["state"], answered["answer"], answered["knowledge"]) == ("answered", "末班车 22:30", "bus")
    city.refused("case.not_now", lambda: act(city, told, "refuse", reason="x"))
    city.refused("request.bad_result", lambda: act(city, told, "call_back", result="maybe"))
    city.refused("case.not_yours", lambda: act(city, told, "call_back", "handler", result="solved"))
    called = act(city, told, "call_back", result="solved", satisfied=5)
    assert (called["state"], called["result"], called["satisfied"], called["closed"]) == ("closed", "solved", 5, city.clock.at)


def test_danger_to_life_is_put_through_and_what_is_not_the_hotlines_is_refused_with_a_listed_reason(city: Any) -> None:
    told = say(city, "a", "着火了！")
    city.refused("case.missing", lambda: act(city, told, "transfer"))
    assert act(city, told, "transfer", unit="119", reason="三方通话")["transferred"] == "119"
    rows = "verb,code,zh,en,basis,valid_from\nrefuse,in-court,已进入诉讼程序,It is before a court,条例 5,2026-01-01\n"
    city.table("reasons", rows)
    other = say(city, "b", "法院判得不公")
    city.refused("case.reason_not_listed", lambda: act(city, other, "refuse", reason="不管"))
    assert act(city, other, "refuse", code="in-court")["answer"] == "已进入诉讼程序"
    assert act(city, other, "receive", reason="补充了新情况")["state"] == "received"


def test_after_three_calls_that_nobody_took_a_voice_is_closed_as_not_reached(city: Any) -> None:
    told = act(city, say(city, "a", "路灯问题"), "answer", answer="已修好")
    states = [act(city, told, "missed")["state"] for _ in range(3)]
    assert states == ["answered", "answered", "closed"]
    assert now(city, told)["result"] == "unreachable"
    city.refused("case.not_now", lambda: act(city, told, "missed"))


def through(city: Any, told: dict[str, Any]) -> dict[str, Any]:
    done = city.as_("acceptor", lambda deed: decide(deed, told["lead"], "confirm", Given()))
    case = city.desk.read(lambda c: dict(c.execute(select(case_file).where(case_file.c.id == done["case_id"])).mappings().one()))
    return dict(city.do("acceptor", city.do("checker", city.to_check(case), "check_pass"), "close"))


def waiting(city: Any, waits: str) -> list[str]:
    return [row["number"] for row in city.desk.read(lambda c: voices.list_requests(c, ALL, voices.VoiceFilter(waits=waits)))["items"]]


def test_what_is_not_solved_is_received_again_and_its_case_opened_again(city: Any) -> None:
    told, asked = say(city, "a", "水淹了", class_="ponding"), say(city, "b", "请问几点开门", reporter="tel:13800001111")
    assert waiting(city, "accept") == [told["number"], asked["number"]], "the longest first"
    case = through(city, told)
    assert waiting(city, "accept") == [told["number"], asked["number"]], "its case is over: who told of it is to be answered"
    for each in (told, asked):
        act(city, each, "answer", answer="已办")
    assert (waiting(city, "accept"), waiting(city, "call")) == ([], [told["number"], asked["number"]])
    act(city, told, "missed")
    called = [act(city, each, "call_back", "checker", 2, result="unsolved") for each in (told, asked)]
    assert [(row["state"], row["answered"], row["calls"], row["closed"]) for row in called] == [("received", None, 0, None)] * 2
    held = city.desk.read(lambda c: dict(c.execute(select(case_file).where(case_file.c.id == case["id"])).mappings().one()))
    assert (held["step"], held["reopened"]) == ("dispatch", 1)
    assert (waiting(city, "accept"), waiting(city, "call")) == ([asked["number"]], []), "what is in a case again waits for that"
    (district,) = city.desk.read(lambda c: evaluate(c, ALL, Span(city.start, city.start + DAY), 990100000000000))["items"]
    assert (district["values"]["answered"], district["values"]["solved"], district["values"]["satisfied"]) == (2, 0, 0), "what a call brought stays counted"


def test_who_says_that_an_answer_solved_nothing_sees_so_with_the_answer_and_who_verifies_it_anew(city: Any) -> None:
    told = say(city, "a", "请问几点开门", reporter="citizen-a")
    act(city, told, "answer", answer="九点开门")
    city.clock.at += 3 * HOUR
    act(city, told, "call_back", "checker", result="unsolved")

    def shown() -> dict[str, Any]:
        found = city.desk.read(lambda c: voices.get_request(c, told["number"]))
        assert found is not None
        return dict(found)

    assert shown()["earlier"] == {"answer": "九点开门", "at": rfc3339(city.clock.at)}
    assert shown()["waiting"]["since"] == rfc3339(city.clock.at), "whoever verifies it anew has the time from now"
    act(city, told, "answer", answer="十点开门")
    assert (shown()["earlier"], shown()["waiting"], shown()["answer"]) == (None, None, "十点开门")


def test_a_number_is_seen_in_part_and_whole_only_when_asked_for(city: Any) -> None:
    told, short = say(city, "a", "路灯问题", reporter="tel:13800001111"), say(city, "b", "井盖问题", reporter="tel:12345")
    desk = [city.desk.read(lambda c, id_=each["id"]: voices.for_desk(c, id_, city.people["acceptor"], city.clock.at)) for each in (told, short)]
    assert [(each["by"], each["caller"]) for each in desk] == [("phone", "138****11"), ("phone", "****")]
    assert city.desk.read(lambda c: voices.caller(c, told["number"])) == "13800001111"
    assert "13800001111" not in str(city.desk.read(lambda c: voices.get_request(c, told["id"]))), "nowhere else"


def test_closing_the_case_closes_no_voice_before_its_reporter_is_answered(city: Any) -> None:
    first, second = say(city, "a", "水淹了", class_="ponding"), say(city, "b", "积水很深", class_="ponding")
    assert now(city, second)["lead"] == first["lead"], "one event"
    done = city.as_("acceptor", lambda deed: decide(deed, first["lead"], "confirm", Given()))
    case = city.desk.read(lambda c: dict(c.execute(select(case_file).where(case_file.c.id == done["case_id"])).mappings().one()))
    case = city.do("checker", city.to_check(case), "check_pass")
    city.do("acceptor", case, "close")
    assert [now(city, told)["state"] for told in (first, second)] == ["received", "received"]
    act(city, first, "answer", answer="已抽干")
    assert [now(city, told)["state"] for told in (first, second)] == ["answered", "received"], "each is answered and called for itself"
    waiting = city.desk.read(lambda c: voices.list_requests(c, ALL, voices.VoiceFilter("received")))
    assert [row["number"] for row in waiting["items"]] == [second["number"]]


def test_three_kinds_of_link_have_their_reasons_and_are_taken_back_whole(city: Any) -> None:
    helper = Assistant(CATALOGUE, homes=("heating",))
    one = say(city, "a", "家里暖气不热，室温只有十五度", helper, class_="heating", reporter="p1")
    city.clock.at += 20 * MINUTE
    two = say(city, "b", "暖气冰凉，小区好多户都不热", helper, class_="heating", reporter="p2", lon=121.503, lat=31.203)
    city.clock.at += 2 * HOUR
    again = say(city, "c", "还是我家，暖气不热，室温只有十五度", helper, class_="heating", reporter="p1", lon=121.51)
    kinds = {(link["kind"], link["lead"]) for told in (two, again) for link in links(city, told)}
    assert ("same_kind", one["lead"]) in kinds
    assert ("same_person", one["lead"]) in kinds
    link = next(link for link in links(city, again) if link["kind"] == "same_person")
    assert link["reason_zh"]
    assert link["reason_en"]
    before = {told["id"]: now(city, told) for told in (one, two, again)}
    city.as_("acceptor", lambda deed: undo(deed, link["id"]))
    assert {told["id"]: now(city, told) for told in (one, two, again)} == before, "to be linked had moved nothing, to take it back moves nothing"
    city.refused("lead.no_link", lambda: city.as_("acceptor", lambda deed: undo(deed, link["id"])))


def suggested(city: Any, told: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a voice's lead may be the same as."""
    return city.desk.read(lambda c: split_links(c, ALL, [row for row in record.list_leads(c, ALL)["items"] if row["id"] == now(city, told)["lead"]]))[0]["suggested"]


def test_what_may_be_one_event_is_proposed_with_its_reason_until_one_of_them_is_settled(city: Any) -> None:
    helper = Assistant(CATALOGUE)
    one = say(city, "a", "路口有一堆垃圾", helper, class_="garbage")
    city.clock.at += 35 * MINUTE
    two = say(city, "b", "垃圾没人清", helper, class_="garbage", lon=121.5023)
    (there,), (back,) = suggested(city, two), suggested(city, one)
    assert (there["lead"], back["lead"], there["id"]) == (one["lead"], two["lead"], back["id"])
    assert (there["reason_zh"], there["reason_en"]) == ("219 m · 35 分钟 · 同类", "219 m · 35 min · same kind")
    assert now(city, one)["lead"] != now(city, two)["lead"], "nothing was joined by itself"
    before = (now(city, one), now(city, two))
    city.as_("acceptor", lambda deed: decide(deed, two["lead"], "duplicate", Given(), one["lead"]))
    assert suggested(city, one) == []
    city.clock.at += 11 * SECOND
    join = city.desk.read(lambda c: c.execute(select(lead_link.c.id).where(lead_link.c.kind == "same_event", lead_link.c.undone.is_(None))).scalar_one())
    city.as_("acceptor", lambda deed: undo(deed, join))
    assert (now(city, one), now(city, two)) == before
    assert [link["lead"] for link in suggested(city, two)] == [one["lead"]]
    city.as_("acceptor", lambda deed: decide(deed, one["lead"], "false_alarm", Given()))
    assert suggested(city, two) == []


def test_a_lead_that_is_put_on_the_map_is_proposed_for_what_stands_near(city: Any) -> None:
    one = say(city, "a", "路口有一堆垃圾", class_="garbage")
    two = say(city, "b", "垃圾没人清", class_="garbage", lon=None, lat=None)
    assert suggested(city, two) == []
    city.as_("acceptor", lambda deed: decide(deed, two["lead"], "place", Given(place=Place(city.cell, 121.501, 31.2))))
    assert [(link["lead"], link["reason_en"]) for link in suggested(city, two)] == [(one["lead"], "95 m · 0 min · same kind")]


def test_the_assistant_proposes_with_reasons_a_person_decides_and_both_are_kept_and_counted(city: Any) -> None:
    helper = Assistant(CATALOGUE)
    told = say(city, "a", "楼下一堆东西没人清，臭味很大", helper)
    first = now(city, told)["proposed"]["classes"][0]
    assert first["class"] == "garbage"
    assert first["reasons"]
    done = city.as_("acceptor", lambda deed: decide(deed, told["lead"], "confirm", Given(class_="garbage")))
    other = say(city, "b", "路面有水，车过不去", helper, lon=121.6)
    city.as_("acceptor", lambda deed: decide(deed, other["lead"], "confirm", Given(class_="garbage")))
    line = city.desk.read(lambda c: c.execute(select(case_step.c.detail).where(case_step.c.subject == done["id"], case_step.c.verb == "confirm")).scalar_one())
    assert (line["proposed"][0], line["chosen"], len(line["by"])) == ("garbage", "garbage", 16)
    told_of = city.desk.read(lambda c: assist_report(c, city.clock.at))["adoption"]
    assert (told_of["first"]["count"], told_of["first"]["of"]) == (1, 2)
    assert told_of["confusions"][0] == {"proposed": "ponding", "chosen": "garbage", "count": 1}
    learnt = city.desk.read(lambda c: taught(c, city.clock.at))
    assert learnt.classes("楼下没人清，臭味很大")["classes"][0]["class"] == "garbage"


@pytest.mark.parametrize("text", ["", " ", "啊" * 4000, "\x00\x01", "🙂" * 500, "' OR 1=1 --"])
def test_no_words_break_the_assistant(city: Any, text: str) -> None:
    assert say(city, "a", text, Assistant(CATALOGUE))["state"] == "received"


def test_words_are_proposed_for_while_they_are_said_and_nothing_is_kept(city: Any) -> None:
    rows = "code,title,text,words,class,owner,basis,valid_from\nbus,公交末班车,末班车 22:30,公交;末班车,,dept-transport,公告 7,2026-01-01\n"
    city.table("knowledge", rows)
    found = city.desk.read(lambda c: propose(c, Assistant(CATALOGUE), "小区门口垃圾没人清，公交站也是", city.clock.at))
    assert found["classes"][0]["class"] == "garbage"
    assert [entry["code"] for entry in found["knowledge"]] == ["bus"]
    assert city.desk.read(lambda c: propose(c, Assistant(CATALOGUE), " ", city.clock.at)) == {"classes": [], "knowledge": []}
    assert city.desk.read(lambda c: c.execute(select(request)).all()) == []
