"""By which ways a caller's number could leave the city: lists, searches, pages, the stream, files, the ledger, what is written on the disk. It leaves by one, for who calls back."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from .streets import Stream, Town, until

pytestmark = pytest.mark.journey
NUMBER = "13800001111"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Return a town."""
    held = Town(tmp_path_factory.mktemp("town"))
    yield held
    held.close()


def test_a_number_leaves_by_one_door_alone(town: Town, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    stream = Stream(town, "acceptor")
    told = [town.report("acceptor", town.here, "路口积水很深", channel="phone", caller=NUMBER, **more) for more in ({"external": "call-1"}, {"external": "call-1"}, {})]
    assert told[0]["number"] == told[1]["number"] != told[2]["number"], "the same call sent again is the same"
    lead = next(row for row in town.ok("acceptor", "GET", "/api/leads?state=open")["items"] if row["voices"])
    case = town.ok("acceptor", "POST", f"/api/leads/{lead['id']}/confirm", json={"version": lead["version"]})["case"]
    town.ok("acceptor", "POST", f"/api/requests/{told[0]['number']}/answer", json={"answer": "已派人抽水"})
    until(lambda: any(each["id"] == case for each in stream.of("case")), "the case")
    stream.close()
    ways = [
        *("/api/requests", f"/api/requests?q={NUMBER}", "/api/requests?waits=call", "/api/leads", "/api/cases", f"/api/cases?q={NUMBER}", f"/api/cases/{case}"),
        *(f"/api/requests/{told[0]['number']}", "/api/evaluation?of=district", "/api/evaluation.xlsx?of=district", "/api/brief", "/api/brief.pdf", "/api/assist"),
    ]
    found: dict[str, Any] = {way: town.as_("acceptor", "GET", way) for way in ways}
    assert [way for way, answer in found.items() if NUMBER in answer.text.replace(way, "") or NUMBER.encode() in answer.content.replace(way.encode(), b"")] == []
    assert found[f"/api/requests?q={NUMBER}"].json()["items"] == []
    assert "138****11" in found[f"/api/requests/{told[0]['number']}"].text
    assert NUMBER not in str(stream.events)
    assert town.ok("acceptor", "GET", f"/api/requests/{told[0]['number']}/caller")["caller"] == NUMBER
    town.refused("dispatcher", "GET", f"/api/requests/{told[0]['number']}/caller")
    until(lambda: "/caller" in town.as_("admin", "GET", "/api/ledger?limit=500").text, "that it was looked at is known")
    lines = [town.as_(who, "GET", "/api/ledger?limit=500").text for who in ("admin", "steward")]
    assert [line for line in lines if NUMBER in line] == []
    assert [each.getMessage() for each in caplog.records if each.name.startswith("zhongshu") and NUMBER in str(vars(each))] == []
    assert NUMBER not in "".join(capfd.readouterr())
    folder = town.owner.parts.folder
    written = [path.name for path in folder.rglob("*") if path.is_file() and NUMBER.encode() in path.read_bytes()]
    assert {name.split("-")[0] for name in written} <= {"desk.sqlite"}, written
