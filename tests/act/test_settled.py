"""A lead of voices that have all been answered waits for nobody: it is settled, and open again as soon as one of them is."""

from typing import Any

import pytest
from sqlalchemy import select

from zhongshu.act import Given, Seen, Voice, decide, do_request, link_voice, near, record, take_finding, take_request, undo
from zhongshu.act.tables import lead, lead_link
from zhongshu.kernel.finding import Finding, Status
from zhongshu.kernel.grade import EVERYWHERE, Scope
from zhongshu.kernel.problem import Problem

SCOPE = Scope(EVERYWHERE)


def say(city: Any, name: str, lon: float | None = None, class_: str = "consult") -> dict[str, Any]:
    voice = Voice("citizen", name, city.clock.at, city.cell, class_, "几点开门", "文汇路", lon, None if lon is None else 31.2, "app", reporter="citizen-1")
    return city.as_("citizen", lambda deed: take_request(deed, voice))[0]


def step(city: Any, told: dict[str, Any], verb: str, who: str = "acceptor", **given: Any) -> dict[str, Any]:
    return city.as_(who, lambda deed: do_request(deed, told["id"], verb, Given(**given)))


def states(city: Any, state: str = "") -> list[str]:
    return [one["state"] for one in city.desk.read(lambda c: record.list_leads(c, SCOPE, state))["items"]]


def test_a_lead_whose_voices_are_all_answered_is_settled_and_waits_nowhere(city: Any) -> None:
    told = say(city, "a")
    city.news.clear()
    step(city, told, "answer", answer="九点")
    assert (states(city), states(city, "open"), states(city, "settled")) == (["settled"], [], ["settled"])
    assert city.verbs_of(told["lead"]) == ["opened", "settle"]
    assert city.lines_of(told["lead"])[-1]["actor"] == "system"
    heard = [one.body for one in city.news if one.kind == "lead"]
    assert [(one["verb"], one["state"], one["state_zh"], one["state_en"]) for one in heard] == [("settle", "settled", "答复了结", "Settled by answers")]


def test_one_that_still_waits_keeps_it_open(city: Any) -> None:
    first, second = say(city, "a"), say(city, "b")
    city.as_("acceptor", lambda deed: link_voice(deed, second["id"], first["lead"]))
    step(city, first, "answer", answer="九点")
    assert states(city, "open") == ["open"]
    step(city, second, "refuse", reason="不属受理范围")
    assert sorted(states(city)) == ["duplicate", "settled"]


@pytest.mark.parametrize("back", ["receive", "unsolved"])
def test_who_is_received_again_opens_it_again(city: Any, back: str) -> None:
    told = say(city, "a")
    if back == "receive":
        step(city, told, "refuse", reason="不属受理范围")
        assert states(city) == ["settled"]
        step(city, told, "receive", reason="重新受理")
    else:
        step(city, told, "answer", answer="九点")
        step(city, told, "call_back", result="unsolved")
    assert states(city) == ["open"]
    assert city.verbs_of(told["lead"]) == ["opened", "settle", "reopen"]


def test_a_person_opens_it_again_and_may_then_file_it(city: Any) -> None:
    told = say(city, "a")
    step(city, told, "answer", answer="九点")
    with pytest.raises(Problem, match=r"case\.not_now"):
        city.as_("acceptor", lambda deed: decide(deed, told["lead"], "confirm", Given()))
    assert city.as_("acceptor", lambda deed: decide(deed, told["lead"], "reopen", Given(reason="另有隐情")))["state"] == "open"
    step(city, told, "call_back", result="solved")
    assert states(city) == ["open"], "whoever opened it again has yet to decide"
    assert city.as_("acceptor", lambda deed: decide(deed, told["lead"], "confirm", Given()))["state"] == "filed"


def test_what_stands_alone_after_a_join_is_taken_back_is_settled_too(city: Any) -> None:
    first, second = say(city, "a"), say(city, "b")
    city.as_("acceptor", lambda deed: link_voice(deed, second["id"], first["lead"]))
    step(city, second, "answer", answer="九点")
    assert states(city, "settled") == []
    link = city.desk.read(lambda c: c.execute(select(lead_link.c.id)).scalar_one())
    city.as_("acceptor", lambda deed: undo(deed, link))
    assert (city.row(lead, first["lead"])["state"], city.row(lead, second["lead"])["state"]) == ("open", "settled")


def test_nothing_joins_what_is_settled_and_a_finding_keeps_its_lead_open(city: Any) -> None:
    told = say(city, "a", 121.5, "ponding")
    step(city, told, "answer", answer="已抽排")
    later = say(city, "b", 121.5, "ponding")
    assert later["lead"] != told["lead"]
    assert [one["id"] for one, _ in city.as_("acceptor", lambda deed: near(deed, city.row(lead, later["lead"])))] == []
    found = Finding("f1", "DR02.ponding", "1", "DR02", city.cell, Status.RED, city.clock.at, 43.0)
    made = city.as_("duty_officer", lambda deed: take_finding(deed, found, Seen("ponding", "积水", "Ponding", 121.5, 31.2, "文汇路")))[0]
    step(city, later, "answer", answer="已抽排")
    assert city.row(lead, made["id"])["state"] == "open"
