"""A case without a place: it cannot be sent out, the centre puts it on the map, and what was sent to the wrong unit is called back."""

from typing import Any

from zhongshu.act import Given, Place, Voice, decide, record, relay, states, take_request
from zhongshu.act.tables import case_file, lead, request
from zhongshu.kernel.area import unplaced
from zhongshu.kernel.clock import SECOND
from zhongshu.kernel.grade import EVERYWHERE, Scope

ALL = Scope(EVERYWHERE)
HERE = (121.5, 31.2)


def lines(city: Any, subject: str) -> list[tuple[str, int, Any]]:
    return [(line["verb"], line["area"], line["detail"].get("moved")) for line in city.lines_of(subject)]


def say(city: Any, **where: Any) -> dict[str, Any]:
    told = Voice("web", "v", city.clock.at, where.pop("area", unplaced(city.cell)), "ponding", "井盖缺失", "", where.get("lon"), where.get("lat"), "web")
    return city.as_("citizen", lambda deed: take_request(deed, told))[0]


def verbs(city: Any, case: dict[str, Any], who: str) -> set[str]:
    return {verb["verb"] for verb in city.shown(case, who)["verbs"]}


def test_a_case_without_a_place_is_placed_before_it_is_sent_out(city: Any) -> None:
    nowhere = unplaced(city.cell)
    told = say(city)
    done = city.as_("acceptor", lambda deed: decide(deed, told["lead"], "confirm", Given()))
    case = city.row(case_file, done["case_id"])
    city.refused("case.not_placed", lambda: city.do("dispatcher", case, "dispatch", unit="dept-drainage"))
    assert "place" in verbs(city, case, "dispatcher")
    assert "dispatch" not in verbs(city, case, "dispatcher"), "what would be refused is not offered"
    city.refused("case.missing", lambda: city.do("dispatcher", case, "place"))
    city.refused("case.not_yours", lambda: city.do("handler", case, "place", place=Place(city.street)))
    case = city.do("dispatcher", case, "place", place=Place(city.cell, *HERE, "文汇路"))
    assert (case["area"], case["lon"], case["lat"], case["address"]) == (city.cell, *HERE, "文汇路")
    assert lines(city, case["id"])[-1] == ("place", city.cell, {"from": f"{nowhere:015d}", "to": f"{city.cell:015d}"})
    assert ("case.place", case["number"]) in {(action, subject) for action, subject, _ in city.lines}
    voice = city.row(request, told["id"])
    assert (voice["area"], voice["lon"], lines(city, told["id"])[-1][0]) == (city.cell, HERE[0], "place"), "the voice goes along, so that its photographs are seen there"
    assert city.news[-1].area == city.cell
    assert city.do("dispatcher", case, "dispatch", unit="dept-drainage")["step"] == "handle"


def test_a_street_is_place_enough_and_a_district_is_not(city: Any) -> None:
    case = city.open(area=unplaced(city.cell))
    for coarse in (990101000000000, 990100000000000, unplaced(city.cell)):
        city.refused("case.place_too_coarse", lambda coarse=coarse: city.do("duty_officer", case, "place", place=Place(coarse)))
    case = city.do("duty_officer", case, "place", place=Place(city.street))
    assert city.do("dispatcher", case, "dispatch", unit="dept-drainage")["step"] == "handle"
    signed = city.open(area=990101000000000, lon=HERE[0], lat=HERE[1])
    assert city.do("dispatcher", signed, "dispatch", unit="dept-drainage")["step"] == "handle", "a sign of a district stands at its label point"


def test_it_is_placed_only_within_ones_areas_and_until_someone_has_taken_it(city: Any) -> None:
    case = city.open(area=city.street)
    local = city.person("dispatcher", 990101000000000)
    city.refused("case.not_yours", lambda: city.do(local, case, "place", place=Place(990102001000000)))
    case = city.do(local, case, "place", place=Place(990101002000000))
    case = city.do("dispatcher", case, "dispatch", unit="dept-drainage")
    case = city.do("acceptor", case, "place", place=Place(city.street))
    case = city.do("handler", case, "take")
    city.refused("case.not_now", lambda: city.do("dispatcher", case, "place", place=Place(city.street)))


def test_a_lead_is_placed_too_and_its_case_stands_there(city: Any) -> None:
    told = say(city)
    shown = city.desk.read(lambda c: record.get_lead(c, ALL, told["lead"]))
    assert shown["placed"] is False
    city.refused("case.missing", lambda: city.as_("acceptor", lambda deed: decide(deed, told["lead"], "place", Given())))
    city.refused("case.not_yours", lambda: city.as_("handler", lambda deed: decide(deed, told["lead"], "place", Given(place=Place(city.street)))))
    city.as_("dispatcher", lambda deed: decide(deed, told["lead"], "place", Given(place=Place(city.street))))
    held = city.row(lead, told["lead"])
    assert (held["state"], held["area"], lines(city, held["id"])[-1][0], city.row(request, told["id"])["area"]) == ("open", city.street, "place", city.street)
    done = city.as_("acceptor", lambda deed: decide(deed, told["lead"], "confirm", Given()))
    assert city.row(case_file, done["case_id"])["area"] == city.street


def test_a_voice_with_a_place_of_its_own_keeps_it(city: Any) -> None:
    told = say(city, area=city.cell, lon=HERE[0], lat=HERE[1])
    city.as_("dispatcher", lambda deed: decide(deed, told["lead"], "place", Given(place=Place(990101002000000))))
    assert city.row(request, told["id"])["area"] == city.cell


def test_what_nobody_has_taken_is_called_back_with_a_reason(city: Any) -> None:
    case = city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage")
    city.clock.at += 60 * SECOND
    city.refused("case.missing", lambda: city.do("dispatcher", case, "recall"))
    city.refused("case.not_yours", lambda: city.do("acceptor", case, "recall", reason="派错了"))
    back = city.do("dispatcher", case, "recall", reason="派错了")
    assert (back["step"], back["unit"], back["holder"], back["returned"]) == ("dispatch", "", "dispatcher", 0)
    taken = city.do("other_handler", city.do("duty_officer", back, "dispatch", unit="dept-road"), "take")
    city.refused("case.not_now", lambda: city.do("dispatcher", taken, "recall", reason="派错了"))
    sent: list[Any] = []
    relay.run(city.desk, lambda _batch, rows: sent.extend(one["property"] for one in rows if not one["property"].endswith("_s")))
    assert sent == ["Case.opened", "Case.dispatched", "Case.dispatched"], "to call back is no return by a unit"


def test_to_be_able_to_place_or_recall_is_no_work_that_waits(city: Any) -> None:
    city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage")
    for who in ("dispatcher", "duty_officer", "acceptor"):
        mine = record.CaseFilter(mine=city.people[who])
        assert city.desk.read(lambda c, mine=mine: record.list_cases(c, ALL, mine, city.clock.at))["items"] == []
    assert {"place", "recall"} <= states.ASIDE


def test_a_districts_sign_is_a_place_for_the_department(city: Any) -> None:
    district = city.street // 10**9 * 10**9
    case = city.open(area=district, indicator="DR04")
    sent = city.do("dispatcher", case, "dispatch", unit="dept-drainage")
    officer = city.person("department", unit="dept-drainage")
    stranger = city.person("department", unit="dept-road", tail="2")
    city.refused("case.not_held", lambda: city.do(stranger, sent, "take"))
    city.refused("case.not_yours", lambda: city.do(city.person("handler", city.street, "dept-drainage"), sent, "take"))
    assert city.to_check(sent, officer)["step"] == "check"
    by_hand = city.open(area=district)
    city.refused("case.not_placed", lambda: city.do("dispatcher", by_hand, "dispatch", unit="dept-drainage"))
