"""Family looks on by a link: it shows where a report stands and no more, is revoked at once, and ends by itself; nobody but who reported it makes or revokes one."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from zhongshu.act.tables import follow_link

from .streets import DRAINAGE, Town, png, until

pytestmark = pytest.mark.journey
PHONE = "13800001111"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Return a town."""
    held = Town(tmp_path_factory.mktemp("town"))
    yield held
    held.close()


def share(town: Town, who: str, number: str, receipt: str = "") -> Any:
    return town.ok(who, "POST", f"/api/requests/{number}/links", headers={"zs-receipt": receipt} if receipt else {})


def closed(town: Town, number: str) -> str:
    """Take a report to its end and return its case."""
    lead = next(row for row in town.ok("acceptor", "GET", "/api/leads?state=open")["items"] if number in {heard["number"] for heard in row["heard"]})
    case = str(town.ok("acceptor", "POST", f"/api/leads/{lead['id']}/confirm", json={})["case"])
    town.ok("dispatcher", "POST", f"/api/cases/{case}/dispatch", json={"unit": DRAINAGE})
    photo = town.ok("handler-there", "POST", "/api/evidence", files={"file": ("a.png", png(21), "image/png")})["sha256"]
    for verb in ("take", "handle", "feedback"):
        town.ok("handler-there", "POST", f"/api/cases/{case}/{verb}", json={} if verb == "take" else {"evidence": [photo]})
    town.ok("checker-there", "POST", f"/api/cases/{case}/check_pass", json={})
    town.ok("acceptor", "POST", f"/api/cases/{case}/close", json={})
    return case


def test_family_sees_where_a_report_without_an_account_stands_and_no_more(town: Town) -> None:
    words = f"公园的灯全灭了，请联系 {PHONE}"
    told = town.report("", town.there, words, **{"class": "hotline.streetlight"})
    receipt, number = told["follow"], told["number"]
    link = share(town, "", number, receipt)
    seen = town.ok("", "GET", f"/api/shared/{link['secret']}")
    assert (seen["number"], seen["waiting"]["holder_zh"], seen["case"], seen["until"]) == (number, "12345 受理员", None, None)
    assert seen["waiting"]["since"] and seen["area_name_en"] and seen["class_en"]
    for hidden in (words, PHONE, receipt, "text", "lon", "address", "photos", "may"):
        assert hidden not in seen and hidden not in json.dumps(seen, ensure_ascii=False).replace('"case"', ""), hidden
    closed(town, number)
    town.ok("acceptor", "POST", f"/api/requests/{number}/answer", json={"answer": f"灯已修好，回电 {PHONE}、0571-8888 7777 或 010-88887777；案卷 990101-20260101-0001"})
    seen = town.ok("", "GET", f"/api/shared/{link['secret']}")
    assert seen["case"]["step"] == "closed" and seen["until"] > seen["case"]["closed"]
    assert PHONE not in seen["answer"] and "88887777" not in seen["answer"] and "990101-20260101-0001" in seen["answer"]
    assert seen["result"].keys() == {"before", "after"}, "nobody is asked whether it is solved"
    after = seen["result"]["after"][0]
    assert town.as_("", "GET", after["url"]).headers["content-type"] == "image/png"
    town.refused("", "GET", f"/api/shared/{link['secret']}/photos/{'0' * 64}", 404)


def test_a_link_opens_nothing_but_itself(town: Town) -> None:
    told = town.report("", town.there, "路灯不亮")
    secret = share(town, "", told["number"], told["follow"])["secret"]
    for way in (f"/api/follow/{secret}", f"/api/follow/{secret}/photos/{'0' * 64}", f"/api/shared/{told['follow']}"):
        town.refused("", "GET", way, 404)
    town.refused("", "POST", f"/api/follow/{secret}/unsolved", 404)
    for method, url in (("GET", ""), ("POST", ""), ("DELETE", "/x")):
        town.refused("", method, f"/api/requests/{told['number']}/links{url}", 401, 403, 404, headers={"zs-receipt": secret})
        town.refused("citizen", method, f"/api/requests/{told['number']}/links{url}", 404)
        town.refused("acceptor", method, f"/api/requests/{told['number']}/links{url}", 404)


def test_who_is_signed_in_makes_lists_and_revokes(town: Town) -> None:
    number = town.report("citizen", town.here, "路面塌陷")["number"]
    first, second = share(town, "citizen", number), share(town, "citizen", number)
    listed = town.ok("citizen", "GET", f"/api/requests/{number}/links")["items"]
    assert [(row["id"], row["revoked"]) for row in listed] == [(first["id"], None), (second["id"], None)]
    assert "secret" not in json.dumps(listed), "it is told once"
    town.refused("neighbour", "GET", f"/api/requests/{number}/links", 404)
    town.refused("neighbour", "DELETE", f"/api/requests/{number}/links/{first['id']}", 404)
    kept = town.ok("citizen", "DELETE", f"/api/requests/{number}/links/{first['id']}")["items"]
    assert [bool(row["revoked"]) for row in kept] == [True, False]
    gone = town.as_("", "GET", f"/api/shared/{first['secret']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "follow.link_revoked")
    assert gone.json()["zh"]["remedy"] and gone.json()["en"]["remedy"]
    assert town.ok("", "GET", f"/api/shared/{second['secret']}")["number"] == number
    assert town.as_("", "GET", "/api/shared/" + "x" * 22).json()["code"] == "follow.link_unknown"
    town.ok("citizen", "DELETE", f"/api/requests/{number}/links/{first['id']}")
    for _ in range(18):
        share(town, "citizen", number)
    assert town.as_("citizen", "POST", f"/api/requests/{number}/links").json()["code"] == "follow.too_many_links"


def test_a_link_ends_by_itself_some_days_after_the_end(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    number = town.report("citizen", town.here, "请问几点停水")["number"]
    secret = share(town, "citizen", number)["secret"]
    town.ok("acceptor", "POST", f"/api/requests/{number}/answer", json={"answer": "今晚八点"})
    assert town.ok("", "GET", f"/api/shared/{secret}")["until"]
    clock = town.owner.city.clock
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + 14 * 86_400_000_000)
    over = town.as_("", "GET", f"/api/shared/{secret}").json()
    assert over["code"] == "follow.link_over" and "14" in over["zh"]["sentence"]


def test_no_secret_is_kept_nor_stands_in_the_ledger(town: Town) -> None:
    told = town.report("", town.there, "井盖缺失")
    link = share(town, "", told["number"], told["follow"])
    town.ok("acceptor", "GET", f"/api/shared/{link['secret']}")
    town.ok("acceptor", "GET", f"/api/follow/{told['follow']}")
    until(lambda: "/api/shared/" in town.as_("admin", "GET", "/api/ledger?limit=500").text, "the ledger's line of the look")
    lines = town.as_("admin", "GET", "/api/ledger?limit=500").text
    assert link["id"] in lines and link["secret"] not in lines and told["follow"] not in lines
    kept = town.owner.parts.desk.read(lambda conn: [dict(row) for row in conn.execute(follow_link.select()).mappings()])
    assert link["secret"] not in str(kept)
    folder = town.owner.parts.folder
    assert [path.name for path in folder.rglob("*") if path.is_file() and link["secret"].encode() in path.read_bytes()] == []
