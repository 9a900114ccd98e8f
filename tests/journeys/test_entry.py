"""What is entered wrongly is refused at once, what is opened again waits for somebody, and nobody goes round the posts by a second voice."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from zhongshu.app import bare_city
from zhongshu.kernel.area import show_area

from .city import command
from .streets import Town, png

pytestmark = pytest.mark.journey
SAMPLES = files("zhongshu.packs.hotline") / "sample"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Return a town."""
    held = Town(tmp_path_factory.mktemp("town"))
    yield held
    held.close()


def entered(town: Town, **more: Any) -> dict[str, Any]:
    lon, lat = town.place(town.here)
    return {"class": "drainage.manhole", "title_zh": "井盖松动", "area": show_area(town.here), "lon": lon, "lat": lat} | more


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"area": "990101999000000"}, "survey.area_unknown"),
        ({"lon": 2.3, "lat": 48.8}, "place.outside"),
        ({"class": "no.such"}, "case.unknown_class"),
        ({"title_zh": "   "}, "request.invalid"),
        ({"title_zh": "a\x00b"}, "request.invalid"),
        ({"evidence": ["nope"]}, "case.evidence_unknown"),
    ],
)
def test_a_case_that_nobody_could_handle_is_not_opened(town: Town, more: dict[str, Any], code: str) -> None:
    before = len(town.ok("dispatcher", "GET", "/api/cases?limit=500")["items"])
    answer = town.as_("dispatcher", "POST", "/api/cases", json=entered(town, **more))
    assert (answer.status_code >= 400, answer.json()["code"]) == (True, code), answer.text
    assert len(town.ok("dispatcher", "GET", "/api/cases?limit=500")["items"]) == before


def test_a_voice_needs_words_or_a_photograph_and_a_class_that_is_known(town: Town) -> None:
    lon, lat = town.place(town.here)
    for body, code in (({"text": "路灯不亮", "class": "no.such"}, "case.unknown_class"), ({"text": ""}, "request.no_words"), ({}, "request.no_words")):
        answer = town.as_("citizen", "POST", "/api/requests", json=body | {"lon": lon, "lat": lat})
        assert answer.json()["code"] == code, answer.text
    told = town.as_("citizen", "POST", "/api/requests", data={"lon": str(lon), "lat": str(lat)}, files={"photo": ("a.png", png(7), "image/png")})
    assert told.status_code == 202, told.text


def test_half_a_point_is_no_point_and_a_reporter_is_not_offered_what_would_be_refused(town: Town) -> None:
    made = town.ok("dispatcher", "POST", "/api/cases", json=entered(town, lat=None))
    assert (made["lon"], made["lat"]) == (None, None)
    assert "verify" not in {each["verb"] for each in made["verbs"]}
    assert "verify" in {each["verb"] for each in town.ok("acceptor", "GET", f"/api/cases/{made['id']}")["verbs"]}


def lead_of(town: Town, number: str) -> dict[str, Any]:
    return next(row for row in town.ok("acceptor", "GET", "/api/leads")["items"] if any(each["number"] == number for each in row["heard"]))


def decide(town: Town, lead: dict[str, Any], verb: str) -> Any:
    return town.ok("acceptor", "POST", f"/api/leads/{lead['id']}/{verb}", json={"version": lead["version"]})


def test_a_voice_that_was_not_helped_can_become_a_case_though_its_lead_was_decided(town: Town) -> None:
    number = town.report("citizen", town.here, "路灯不亮", **{"class": "hotline.streetlight"})["number"]
    decide(town, lead_of(town, number), "false_alarm")
    town.ok("acceptor", "POST", f"/api/requests/{number}/answer", json={"answer": "已查看，正常。"})
    assert lead_of(town, number)["state"] == "false"
    town.ok("citizen", "POST", f"/api/requests/{number}/unsolved")
    assert town.ok("acceptor", "GET", f"/api/requests/{number}")["state"] == "received"
    assert number in {each["number"] for each in town.ok("acceptor", "GET", "/api/requests?waits=accept")["items"]}
    made = decide(town, lead_of(town, number), "confirm")
    assert made["case"]

    void = town.ok("acceptor", "GET", f"/api/cases/{made['case']}")
    town.ok("acceptor", "POST", f"/api/cases/{void['id']}/void", json={"reason": "重复"})
    town.ok("acceptor", "POST", f"/api/requests/{number}/answer", json={"answer": "已并入另案。"})
    town.ok("acceptor", "POST", f"/api/requests/{number}/call_back", json={"result": "unsolved"})
    again = decide(town, lead_of(town, number), "confirm")
    assert again["case"] not in {None, void["id"]}
    assert town.ok("acceptor", "GET", f"/api/requests/{number}")["case"]["number"] == town.ok("acceptor", "GET", f"/api/cases/{again['case']}")["number"]


def test_only_who_reported_it_says_whether_an_answer_helped(town: Town) -> None:
    number = town.report("citizen", town.here, "几点停水", **{"class": "hotline.water_supply"})["number"]
    town.ok("acceptor", "POST", f"/api/requests/{number}/answer", json={"answer": "今晚十点。"})
    town.refused("neighbour", "POST", f"/api/requests/{number}/solved")
    asked = town.ok("citizen", "GET", f"/api/requests/{number}")["result"]
    assert (asked["may"], asked["said"], [each["verb"] for each in asked["verbs"]]) == (True, None, ["solved", "unsolved"])
    town.ok("citizen", "POST", f"/api/requests/{number}/solved")
    assert town.ok("acceptor", "GET", f"/api/requests/{number}")["state"] == "closed"
    said = town.ok("citizen", "GET", f"/api/requests/{number}")["result"]
    assert (said["may"], said["said"]["verb"]) == (False, "solved")


def test_a_call_without_a_number_waits_for_somebody_too_and_a_number_has_figures(town: Town) -> None:
    number = town.report("acceptor", town.here, "有人打电话说路面塌了一块", channel="phone")["number"]
    assert number in {each["number"] for each in town.ok("acceptor", "GET", "/api/requests?waits=accept")["items"]}
    town.refused("acceptor", "POST", "/api/requests", 400, json={"text": "说路面塌了", "channel": "phone", "caller": "+"})


def test_a_second_voice_of_ones_own_making_does_not_open_the_way_round(town: Town) -> None:
    own = town.report("acceptor", town.there, "垃圾堆在路口", **{"class": "hotline.garbage"})["number"]
    town.report("acceptor", town.there, "垃圾堆在路口", channel="phone", caller="13900002222", **{"class": "hotline.garbage"})
    lead = lead_of(town, own)
    town.refused("acceptor", "POST", f"/api/leads/{lead['id']}/confirm", json={"version": lead["version"]})


@pytest.mark.parametrize("limit", ["%2B%2B0", "%2B-0", "-0", "0", "+", "1e9"])
def test_a_limit_is_a_number_or_refused(town: Town, limit: str) -> None:
    town.refused("acceptor", "GET", f"/api/cases?limit={limit}", 400)


@pytest.mark.parametrize("city", ["one", "two"])
def test_the_samples_of_two_cities_are_brought_in_by_the_command_line(tmp_path: Path, city: str) -> None:
    bare_city(tmp_path, "Asia/Shanghai")  # the sandbox has limits of its own
    for name, kind in (("calendar.2026", "calendar"), ("calendar.2027", "calendar"), ("classes.two-cities", "classes"), (f"limits.city-{city}", "limits")):
        assert "已装入" in command("tables", "import", SAMPLES / f"{name}.csv", "--as", kind, "--yes", "--data", tmp_path)
        assert "没有变化" in command("tables", "import", SAMPLES / f"{name}.csv", "--as", kind, "--yes", "--data", tmp_path)
