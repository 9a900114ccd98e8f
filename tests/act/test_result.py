"""The reporter's own word on a result: said once by each reporter of a closed case, kept in its history without telling who said it."""

from typing import Any

from zhongshu.act import Given, Voice, decide, record, take_request, tell_result, voices
from zhongshu.kernel.clock import MINUTE, rfc3339
from zhongshu.kernel.grade import EVERYWHERE, Principal, Scope

ALL = Scope(EVERYWHERE, 3)
CITIZEN = Principal("citizen-1", "模拟citizen", (("citizen", 990100000000000),), "test")
OTHER = Principal("citizen-2", "模拟citizen", (("citizen", 990100000000000),), "test")


def reported(city: Any, name: str = "a", reporter: str = "citizen-1") -> dict[str, Any]:
    voice = Voice("web", name, city.clock.at, city.cell, "ponding", "水淹了", "", 121.5, 31.2, "web", reporter=reporter, photos=(city.photo,))
    return city.as_("citizen", lambda deed: take_request(deed, voice))[0]


def settled(city: Any, told: dict[str, Any]) -> dict[str, Any]:
    done = city.as_("acceptor", lambda deed: decide(deed, told["lead"], "confirm", Given()))
    return finish(city, done["case_id"])


def finish(city: Any, case_id: str) -> dict[str, Any]:
    case = city.do("dispatcher", {"id": case_id, "version": None}, "dispatch", unit="dept-drainage")
    return city.do("acceptor", city.do("checker", city.to_check(case), "check_pass"), "close")


def say(city: Any, who: Principal, told: dict[str, Any], verb: str = "solved") -> dict[str, Any]:
    return city.as_(who, lambda deed: tell_result(deed, told["id"], verb))


def shown(city: Any, told: dict[str, Any], who: Principal = CITIZEN) -> dict[str, Any]:
    return city.desk.read(lambda c: voices.get_request(c, told["number"], who))


def test_the_reporter_sees_before_and_after_and_says_once(city: Any) -> None:
    told = reported(city)
    assert shown(city, told)["result"] is None
    case = settled(city, told)
    result = shown(city, told)["result"]
    assert ([p["sha256"] for p in result["before"]], [p["sha256"] for p in result["after"]]) == ([city.pump], [city.pump])
    assert (result["may"], result["said"], [verb["verb"] for verb in result["verbs"]]) == (True, None, ["solved", "unsolved"])
    after = say(city, CITIZEN, told, "unsolved")
    assert (after["step"], after["mark"], after["reopened"], after["closed"]) == ("dispatch", "", 1, None), "没解决 opens it again, without a word more"
    assert after["due"] == city.clock.at + 240 * 60_000_000, "its limit begins anew"
    assert (shown(city, told)["result"], after["version"]) == (None, case["version"] + 1)
    city.refused("case.not_now", lambda: say(city, CITIZEN, told))
    city.clock.at += 1_000_000
    finish(city, case["id"])
    assert say(city, CITIZEN, told)["step"] == "closed", "of the new result the reporter speaks anew"
    result = shown(city, told)["result"]
    assert (result["may"], result["said"]["verb"], result["said"]["zh"]) == (False, "solved", "解决了")
    city.refused("case.result_told", lambda: say(city, CITIZEN, told))


def test_a_case_is_opened_again_only_within_the_days_the_city_sets(city: Any) -> None:
    told = reported(city)
    settled(city, told)
    city.clock.at += 31 * 86_400 * 1_000_000
    city.refused("case.too_old", lambda: say(city, CITIZEN, told, "unsolved"))
    assert say(city, CITIZEN, told)["step"] == "closed"


def test_only_its_reporters_may_and_each_for_themselves(city: Any) -> None:
    told, also = reported(city), reported(city, "b", "citizen-2")
    unsigned = reported(city, "c", "")
    settled(city, told)
    city.refused("case.not_reporter", lambda: say(city, Principal("citizen-3", "", CITIZEN.roles, "test"), told))
    city.refused("case.not_reporter", lambda: say(city, Principal("", "", CITIZEN.roles, "test"), unsigned))
    city.refused("case.not_yours", lambda: say(city, city.people["checker"], told))
    assert shown(city, told, OTHER)["result"]["may"] is False
    say(city, CITIZEN, told)
    say(city, OTHER, also, "unsolved")
    lines = city.desk.read(lambda c: record.get_case(c, ALL, shown(city, told)["case"]["number"], city.people["acceptor"], city.clock.at))["history"][-2:]
    assert [(line["verb_zh"], line["actor"], line["actor_name"]) for line in lines] == [("解决了", "", "反映人"), ("没解决", "", "反映人")]
    assert "citizen" not in str(lines)


def test_a_voice_that_joined_no_case_and_a_reporter_who_opens_the_photographs(city: Any) -> None:
    told = reported(city)
    city.refused("case.unknown", lambda: say(city, CITIZEN, told))
    done = city.as_("acceptor", lambda deed: decide(deed, told["lead"], "confirm", Given()))
    city.refused("case.not_now", lambda: say(city, CITIZEN, told))
    nobody = Scope()
    finish(city, done["case_id"])

    def seen(who: Principal) -> bool:
        return bool(city.desk.read(lambda c: record.evidence_visible(c, nobody, city.pump, who)))

    assert seen(CITIZEN)
    assert not seen(OTHER)


def test_before_there_is_a_case_the_reporter_knows_who_must_take_it_up_by_when_and_after_it_what_became_of_it(city: Any) -> None:
    city.table("limits", "class,step,condition,amount,mode,calendar,warn,basis,valid_from\n*,verify,,30m,wall,,,试行,2025-01-01\n")
    told = reported(city)
    waiting = shown(city, told)["waiting"]
    assert waiting == {"holder_zh": "12345 受理员", "holder_en": "The 12345 desk", "since": rfc3339(city.clock.at), "due": rfc3339(city.clock.at + 30 * MINUTE)}
    settled(city, told)
    after = shown(city, told)
    assert (after["waiting"], after["state"], after["state_zh"], after["state_en"]) == (None, "received", "已结案", "Closed")
