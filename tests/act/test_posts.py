"""Posts kept apart: nobody checks their own work, and nobody verifies or closes alone what they reported themselves; each row says what happens."""

from typing import Any

from zhongshu.act import Given, Voice, decide, do_request, machine, states, take_request, voices
from zhongshu.kernel.grade import EVERYWHERE, Principal, Scope

SCOPE = Scope(EVERYWHERE)


def own(city: Any, role: str) -> Principal:
    """Return someone who has this post and the acceptor's at once, as in a small city."""
    one = city.people[role]
    return Principal(one.id, one.name, (*one.roles, *city.people["acceptor"].roles), one.means, one.unit)


def test_whoever_reported_verifies_and_closes_nothing_of_it_alone(city: Any) -> None:
    case = city.open("garbage", verb="report", who="acceptor")
    told = city.refused("case.own_report", lambda: city.do("acceptor", case, "verify"))
    assert "核实" in told.sentence("zh") and "Verify" in told.sentence("en")
    case = city.do("acceptor", city.do(city.person("acceptor", tail="2"), case, "verify"), "file")
    case = city.do("checker", city.to_check(case, city.person("handler", unit="dept-sanitation")), "check_pass")
    city.refused("case.own_report", lambda: city.do("acceptor", case, "close"))
    assert city.do(city.person("acceptor", tail="2"), case, "close")["step"] == "closed"


def test_a_patrol_report_is_closed_by_someone_else(city: Any) -> None:
    both = own(city, "collector")
    case = city.open("garbage", verb="patrol", who=both)
    case = city.do("acceptor", case, "file")
    case = city.do("checker", city.to_check(case, city.person("handler", unit="dept-sanitation")), "check_pass")
    city.refused("case.own_report", lambda: city.do(both, case, "close"))
    assert city.do("acceptor", case, "close")["step"] == "closed"


def told_by(city: Any, who: Any, name: str) -> dict[str, Any]:
    voice = Voice("web", name, city.clock.at, city.cell, "garbage", "垃圾", "文汇路", 121.5, 31.2, "web", reporter=who.id)
    return dict(city.as_(who, lambda deed: take_request(deed, voice))[0])


def test_staff_neither_file_nor_close_what_they_alone_told_of(city: Any) -> None:
    me = city.people["acceptor"]
    mine = told_by(city, me, "a")
    city.refused("case.own_report", lambda: city.as_(me, lambda deed: decide(deed, mine["lead"], "confirm", Given())))
    both = told_by(city, city.people["citizen"], "b")
    assert both["lead"] == mine["lead"]
    done = city.as_(me, lambda deed: decide(deed, mine["lead"], "confirm", Given()))
    case = city.shown({"id": done["case_id"]})
    case = city.do("checker", city.to_check(case, city.person("handler", unit="dept-sanitation")), "check_pass")
    assert city.do(me, case, "close")["step"] == "closed", "another told of it too"


def said(city: Any) -> dict[str, Any]:
    told = city.as_("citizen", lambda deed: take_request(deed, Voice("citizen", "c", city.clock.at, city.cell, "consult", "几点开门", reporter="citizen-1")))[0]
    return dict(city.as_("acceptor", lambda deed: do_request(deed, told["id"], "answer", Given(answer="九点"))))


def test_the_rows_of_a_voice_say_where_it_goes(city: Any) -> None:
    ways = {(row.verb, row.to[0]) for row in states.REQUEST_ROWS if row.at == ("answered", "")}
    assert ways == {("call_back", "closed"), ("call_back", "received"), ("missed", "answered"), ("missed", "closed")}
    told = said(city)
    may = city.desk.read(lambda c: voices.for_desk(c, told["id"], city.people["acceptor"], city.clock.at))["may"]
    assert [one["verb"] for one in may] == ["call_back", "missed"], "each once"
    again = city.as_("acceptor", lambda deed: do_request(deed, told["id"], "call_back", Given(result="unsolved")))
    assert again["state"] == machine.find_request("answered", "call_back", "unsolved").to[0] == "received"
    lines = [(line["verb"], line["from_step"], line["to_step"]) for line in city.lines_of(told["id"]) if line["verb"] in {"answer", "call_back"}]
    assert lines == [("answer", "received", "answered"), ("call_back", "answered", "received")]


def test_the_third_call_nobody_takes_ends_it_by_its_own_row(city: Any) -> None:
    told = said(city)
    ends = [city.as_("acceptor", lambda deed: do_request(deed, told["id"], "missed", Given()))["state"] for _ in range(3)]
    assert ends == ["answered", "answered", "closed"]
    assert [line["to_step"] for line in city.lines_of(told["id"]) if line["verb"] == "missed"] == ends
