"""What a citizen said of themselves reaches nobody who has no business with it: by no title, no list, no search, no photograph."""

import io
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from .streets import DRAINAGE, Town

pytestmark = pytest.mark.journey
NAME, NUMBER, PLACE = "李大力", "13700000000", "姓李的想问一下"
MAKE, GPS = 271, 34853


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """Return a town."""
    held = Town(tmp_path)
    held.join("roads-worker", held.officer("roads-worker", "handler", held.here, "dept-road"))
    yield held
    held.close()


def photo(shade: int) -> bytes:
    """Return a JPEG that says where and by what it was taken."""
    remarks = Image.Exif()
    remarks[MAKE] = "Camera"
    remarks.get_ifd(GPS).update({1: "N", 2: (29.0, 36.0, 1.0), 3: "E", 4: (123.0, 36.0, 1.0)})
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (shade, 90, 120)).save(out, format="JPEG", exif=remarks)
    return out.getvalue()


def lead_of(town: Town, number: str) -> dict[str, Any]:
    return next(row for row in town.ok("acceptor", "GET", "/api/leads")["items"] if any(each["number"] == number for each in row["heard"]))


def test_words_without_a_class_are_no_title_and_are_found_by_no_search(town: Town) -> None:
    number = town.report("citizen", town.here, f"我叫{NAME}，电话{NUMBER}，{PLACE}", **{"class": ""})["number"]
    lead = lead_of(town, number)
    assert NAME in lead["heard"][0]["text"], "who answers reads it"
    case = town.ok("acceptor", "POST", f"/api/leads/{lead['id']}/confirm", json={"version": lead["version"]})["case"]
    doors = (
        *("/api/leads", "/api/leads?state=", "/api/cases?limit=500", f"/api/cases?q={NUMBER}", f"/api/cases?q={NAME}", f"/api/cases/{case}"),
        *("/api/requests?limit=100", f"/api/requests?q={NUMBER}", f"/api/requests/{number}", "/api/findings?state=", "/api/ledger?limit=200"),
    )
    for who in ("", "neighbour", "handler-here", "handler-there", "roads-worker", "drainage-office", "steward", "admin"):
        for door in doors:
            said = town.as_(who, "GET", door).text
            assert not any(word in said for word in (NAME, NUMBER, PLACE)), (who, door, said[:300])
    for who in ("", "handler-here", "admin"):
        assert number not in town.as_(who, "GET", f"/api/requests?q={NUMBER}").text, "what may not be read is not searched"


def test_the_unit_that_does_the_work_learns_what_the_work_needs_and_no_other_unit_anything(town: Town) -> None:
    held = town.case(town.here, f"下穿通道东口积水，我叫{NAME}，电话{NUMBER}")
    for who in ("handler-here", "drainage-office"):
        (voice,) = town.ok(who, "GET", f"/api/cases/{held['id']}")["voices"]
        assert voice["text"] == "下穿通道东口积水，我叫＊＊＊，电话＊＊＊"
    for url in ("/api/leads?limit=500", "/api/requests?limit=50", f"/api/requests/{held['request']}"):
        town.refused("handler-here", "GET", url, 403)
    answer = town.as_("roads-worker", "GET", f"/api/cases/{held['id']}")
    assert answer.status_code == 404 or [voice["text"] for voice in answer.json()["voices"]] == [None]
    (voice,) = town.ok("dispatcher", "GET", f"/api/cases/{held['id']}")["voices"]
    assert NUMBER in voice["text"]


def test_a_photograph_of_a_citizen_tells_the_unit_neither_where_they_stood_nor_by_what(town: Town) -> None:
    lon, lat = town.place(town.here)
    fields = {"text": "积水漫上台阶", "class": "drainage.overflow", "lon": str(lon), "lat": str(lat)}
    told = town.as_("citizen", "POST", "/api/requests", data=fields, files={"photo": ("a.jpg", photo(91), "image/jpeg")})
    assert told.status_code == 202, told.text
    lead = lead_of(town, told.json()["number"])
    (sent,) = lead["heard"][0]["photos"]
    case = town.ok("acceptor", "POST", f"/api/leads/{lead['id']}/confirm", json={"version": lead["version"]})["case"]

    def remarks(who: str) -> int | dict[int, Any]:
        answer = town.as_(who, "GET", f"/api/evidence/{sent['sha256']}")
        return dict(Image.open(io.BytesIO(answer.content)).getexif()) if answer.status_code == 200 else answer.status_code

    assert MAKE in remarks("acceptor") and MAKE in remarks("citizen")  # type: ignore[operator]
    assert [remarks(who) for who in ("", "neighbour", "handler-here", "drainage-office", "roads-worker")] == [404] * 5, "nobody has the case yet"
    town.ok("dispatcher", "POST", f"/api/cases/{case}/dispatch", json={"unit": DRAINAGE})
    assert [remarks(who) for who in ("handler-here", "drainage-office")] == [{}, {}], "the picture alone"
    assert [remarks(who) for who in ("", "neighbour", "roads-worker")] == [404] * 3


def test_what_was_opened_again_counts_for_the_unit_whose_work_it_was(town: Town) -> None:
    held = town.case(town.there, "水没到膝盖了，车过不去")
    photo_ = town.as_("handler-there", "POST", "/api/evidence", files={"file": ("a.jpg", photo(7), "image/jpeg")}).json()["sha256"]
    for who, verb, body in (
        ("handler-there", "take", {}),
        ("handler-there", "handle", {"evidence": [photo_]}),
        ("handler-there", "feedback", {"evidence": [photo_]}),
        ("checker-there", "check_pass", {}),
        ("dispatcher", "close", {}),
    ):
        answer = town.as_(who, "POST", f"/api/cases/{held['id']}/{verb}", json=body)
        if answer.status_code >= 300:
            town.ok("acceptor", "POST", f"/api/cases/{held['id']}/{verb}", json=body)
    lon, lat = town.place(town.here)
    same = town.as_("neighbour", "POST", "/api/requests", data={"text": "也拍了一张", "lon": str(lon), "lat": str(lat)}, files={"photo": ("a.jpg", photo(7), "image/jpeg")})
    assert same.status_code == 202, same.text
    assert town.as_("citizen", "GET", f"/api/evidence/{photo_}").status_code == 200, "how it was settled is theirs to see, whoever sent the same picture"
    town.ok("citizen", "POST", f"/api/requests/{held['request']}/unsolved", json={})
    span = f"from={date.today() - timedelta(days=2)}&to={date.today() + timedelta(days=2)}&of=department"
    by = {row["name"]: row for row in town.ok("dispatcher", "GET", f"/api/evaluation?{span}")["items"]}
    assert by[DRAINAGE]["values"]["reopened"] == 100.0
    assert by[DRAINAGE]["values"]["opened"] is None, "no unit opens a case"
    one = town.ok("dispatcher", "GET", "/api/evaluation?from=2026-01-31&to=2026-01-31")
    assert (one["from"], one["to"]) == ("2026-01-30T16:00:00Z", "2026-01-31T16:00:00Z"), "a day is asked for by its name, and counts whole"
    behind = town.ok("dispatcher", "GET", f"/api/evaluation/cases?{span}&name={DRAINAGE}&measure=reopened")
    assert held["number"] in {one["number"] for one in behind["items"]}
