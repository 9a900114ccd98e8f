"""A case goes down the chain of command and comes back, through the public doors: city, district, unit, person, each with its own key."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from zhongshu.govern import Grant, Party
from zhongshu.kernel.area import Level, at_level, show_area

from .streets import DRAINAGE, Town

pytestmark = pytest.mark.journey
SAMPLES = files("zhongshu.packs.hotline") / "sample"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Return a town whose district's own product takes part through a service's key, and a unit of that district."""
    held = Town(tmp_path_factory.mktemp("town"))
    district, identity = at_level(held.here, Level.DISTRICT), held.owner.parts.identity
    for name, role, area, unit in (
        ("district", "dispatcher", district, f"command-{district // 10**9}"),
        ("acceptor-district", "acceptor", district, ""),
        ("street-office", "handler", held.here, f"street-{show_area(held.here)}"),
    ):
        party = identity.add_party(Party(name, name, name, (Grant(role, area),), unit, kind="service"), actor="test")
        held.clients[name] = held._client({"authorization": f"Bearer {identity.issue_token(party, name, actor='test')[1]}"})
    yield held
    held.close()


def bring(town: Town, name: str) -> None:
    sample = {"file": ("command.csv", (SAMPLES / f"command.{name}.csv").read_bytes())}
    town.ok("steward", "POST", "/api/tables/command?apply=true", files=sample)


def opened(town: Town, street: int) -> Any:
    """Return a case in a street that waits to be dispatched."""
    number = town.report("citizen", street, "路口积水，请来看看。")["number"]
    lead = next(row for row in town.ok("acceptor", "GET", "/api/leads?state=open")["items"] if number in {heard["number"] for heard in row["heard"]})
    made = town.ok("acceptor", "POST", f"/api/leads/{lead['id']}/confirm", json={})
    return town.ok("dispatcher", "GET", f"/api/cases/{made['case']}")


def step(town: Town, who: str, case: Any, verb: str, **given: Any) -> Any:
    return town.ok(who, "POST", f"/api/cases/{case['id']}/{verb}", json=given)


def verbs(case: Any) -> set[str]:
    return {verb["verb"] for verb in case["verbs"]}


def test_down_to_a_person_of_a_street_and_up_again(town: Town) -> None:
    bring(town, "one-tier")
    case, street = opened(town, town.here), f"street-{show_area(town.here)}"
    assert case["chain"] | {"basis": ""} == case["chain"] | {"below": False, "supervision": "city", "basis": ""}
    over = town.as_("dispatcher", "POST", f"/api/cases/{case['id']}/dispatch", json={"unit": street})
    assert (over.status_code, over.json()["code"]) == (403, "command.through_centre")
    assert verbs(town.ok("district", "GET", f"/api/cases/{case['id']}")) <= {"urge", "escalate", "acknowledge", "make_safe", "place"}, (
        "what was not passed down is not the district's to move"
    )
    case = step(town, "dispatcher", case, "pass_down")
    assert {"take_up"} <= verbs(case) and "dispatch" not in verbs(case)
    assert case["clocks"]["part"]["part"] == "receipt"
    assert [row["id"] for row in town.ok("district", "GET", "/api/cases?mine=true&state=open")["items"]] == [case["id"]]
    case = step(town, "district", case, "sign_for")
    case = step(town, "district", case, "dispatch", unit=street)
    case = step(town, "street-office", case, "take")
    case = step(town, "street-office", case, "return", code="not-our-duty", reason="管线是市属的")
    assert case["holder"].startswith("command-")
    case = step(town, "district", case, "uphold")
    case = step(town, "district", case, "send_back", reason="需要市级部门办理")
    case = step(town, "dispatcher", case, "dispatch", unit=DRAINAGE)
    hops = [(line["verb"], line["actor_name"]) for line in case["history"] if line["verb"] in {"pass_down", "sign_for", "dispatch", "take", "return", "uphold", "send_back"}]
    assert hops == [
        ("pass_down", "dispatcher"),
        ("sign_for", "district"),
        ("dispatch", "district"),
        ("take", "street-office"),
        ("return", "street-office"),
        ("uphold", "district"),
        ("send_back", "district"),
        ("dispatch", "dispatcher"),
    ]
    assert [held["part"] for held in case["holdings"]] == ["dispatch", "receipt", "dispatch", "sign", "handle", "review", "dispatch", "dispatch", "sign"]


def test_two_tiers_let_the_district_file_and_command_what_is_its_own(town: Town) -> None:
    bring(town, "one-tier")
    lead = town.report("citizen", town.here, "菜场门口一大堆垃圾没人清。", **{"class": "hotline.garbage"})["number"]
    held = next(row for row in town.ok("acceptor-district", "GET", "/api/leads?state=open")["items"] if lead in {heard["number"] for heard in row["heard"]})
    refused = town.as_("acceptor-district", "POST", f"/api/leads/{held['id']}/confirm", json={})
    assert (refused.status_code, refused.json()["code"]) == (403, "command.not_supervisor")
    bring(town, "two-tier")
    made = town.ok("acceptor-district", "POST", f"/api/leads/{held['id']}/confirm", json={})
    case = town.ok("district", "GET", f"/api/cases/{made['case']}")
    assert case["chain"]["below"] and "dispatch" in verbs(case)
    town.refused("dispatcher", "POST", f"/api/cases/{case['id']}/dispatch", 403, json={"unit": DRAINAGE})
    assert step(town, "district", case, "dispatch", unit=f"street-{show_area(town.here)}")["step"] == "handle"


def test_the_officer_of_a_unit_assigns_a_case_to_a_person_of_it(town: Town) -> None:
    identity, colleague = town.owner.parts.identity, []
    for name, street in (("one", town.there), ("two", town.there), ("far", town.here)):
        party = identity.add_party(Party(name, f"模拟{name}", name, (Grant("handler", street),), DRAINAGE), actor="test")
        town.join(name, identity.issue_token(party, name, actor="test")[1])
        colleague.append(party)
    bring(town, "one-tier")
    case = step(town, "dispatcher", opened(town, town.there), "dispatch", unit=DRAINAGE)
    url = f"/api/cases/{case['id']}"
    assert [(one["name_en"], one["open"]) for one in town.ok("drainage-office", "GET", f"{url}/people")["items"]] == [("one", 0), ("two", 0)]
    for who in ("one", "dispatcher", "roads-office", "citizen"):
        town.refused(who, "GET", f"{url}/people")
        town.refused(who, "POST", f"{url}/assign", json={"person": colleague[1]})
    town.refused("drainage-office", "POST", f"{url}/assign", 422, 400, json={"person": colleague[2]})
    case = step(town, "drainage-office", case, "assign", person=colleague[0], note="带上水泵", version=case["version"])
    assert (case["person"], case["person_name_zh"], case["holder"]) == (colleague[0], "模拟one", DRAINAGE)
    line = case["history"][-1]
    assert (line["verb"], line["actor_name_en"], line["person_name_en"], line["note"]) == ("assign", "drainage-office", "one", "带上水泵")
    assert [one["open"] for one in town.ok("drainage-office", "GET", f"{url}/people")["items"]] == [1, 0]
    assert [row["id"] for row in town.ok("one", "GET", "/api/cases?mine=true&state=open")["items"]][:1] == [case["id"]]
    assert case["id"] not in [row["id"] for row in town.ok("two", "GET", "/api/cases?mine=true&state=open")["items"]]
    assert not verbs(town.ok("two", "GET", url)) & {"take", "return", "ask", "assign"}
    refused = town.as_("two", "POST", f"{url}/take", json={"version": case["version"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "case.assigned_elsewhere")
    town.refused("two", "POST", f"{url}/read", json={})
    step(town, "one", case, "read")
    case = step(town, "one", town.ok("one", "GET", url), "take")
    assert (case["receipt"], case["mark"]) == ("", "taken")
    case = step(town, "drainage-office", case, "assign", person=colleague[1])
    assert (case["person_name_en"], case["mark"], case["clocks"]["part"]["part"]) == ("two", "", "handle")
    identity.set_active(colleague[1], active=False, actor="test")
    town.refused("drainage-office", "POST", f"{url}/assign", 409, json={"person": colleague[1], "version": case["version"] - 1})
    case = step(town, "drainage-office", case, "assign", person=colleague[0])
    case = step(town, "one", case, "return", code="not-our-duty")
    assert (case["person"], case["mark"]) == ("", "returned")
