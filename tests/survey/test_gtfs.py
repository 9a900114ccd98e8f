"""Timetables: what small feeds written here and real ones come to, and that whatever is wrong with a feed is told with its file and line, and leaves nothing behind."""

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhongshu.app import installed_packs
from zhongshu.kernel.problem import Problem
from zhongshu.survey import CITY_READERS, Called, City, Entities, Told, put
from zhongshu.survey.importers.gtfs.service import clock
from zhongshu.survey.importers.gtfs.tables import _seconds

TOWN = Called("测试城", "Testville")
FEED = {
    "agency.txt": "agency_id,agency_name,agency_url,agency_timezone\nA,City Transit,http://a.example,America/Halifax\n",
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon,location_type,parent_station\nS,Central,44.65,-63.58,1,\nS1,Central 1,44.65,-63.58,0,S\nS2,Harbour,44.66,-63.57,,\n"
    "S3,Airport,44.7,-63.5,,\n",
    "routes.txt": "route_id,agency_id,route_short_name,route_long_name,route_type\nR1,A,1,Harbour,3\nR2,A,,Night ferry,4\n",
    "trips.txt": "route_id,service_id,trip_id,direction_id,shape_id\nR1,WK,T1,0,P\nR1,WK,T2,0,P\nR1,WK,T3,0,P\nR1,SA,T4,0,\nR2,WK,T5,1,\n",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    "T1,6:00:00,6:00:00,S1,1\nT1,6:10:00,6:10:00,S2,2\nT2,6:30:00,6:30:00,S1,1\nT2,6:40:00,6:40:00,S2,2\nT3,24:50:00,24:50:00,S1,1\nT3,25:05:00,25:05:00,S2,2\n"
    "T4,9:00:00,9:00:00,S1,1\nT4,9:30:00,9:30:00,S3,9\nT5,23:00:00,23:00:00,S2,1\nT5,,,S1,5\nT5,23:30:00,23:30:00,S3,7\n",
    "calendar.txt": "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\nWK,1,1,1,1,1,0,0,20260105,20260111\nSA,0,0,0,0,0,1,0,20260105,20260111\n",
    "calendar_dates.txt": "service_id,date,exception_type\nWK,20260105,2\nSA,20260107,1\n",
    "shapes.txt": "shape_id,shape_pt_lat,shape_pt_lon,shape_pt_sequence\nP,44.66,-63.57,10\nP,44.65,-63.58,1\n",
}


def feed(path: Path, **changed: str | bytes | None) -> Path:
    """Write a feed; `stops=…` changes a table, None leaves it out."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (FEED | {f"{name}.txt": content for name, content in changed.items()}).items():
            if content is not None:
                archive.writestr(name, content)
    return path


def brought(path: Path, folder: Path) -> Told:
    found = CITY_READERS["gtfs"](path)
    put(found, folder, TOWN)
    return found.report


def refused(path: Path, folder: Path) -> Problem:
    with pytest.raises(Problem) as told:
        brought(path, folder)
    assert not folder.exists() and told.value.sentence("zh") != told.value.sentence("en")
    return told.value


def test_a_line_says_how_it_is_served(tmp_path: Path) -> None:
    report = brought(feed(tmp_path / "town.zip"), tmp_path / "city")
    entities, city = Entities.load(tmp_path / "city"), City.load(tmp_path / "city")
    assert entities.counts() == {"BusLine": 2, "BusStop": 3, "Organisation": 1} and (city.time_zone, city.attribution) == ("America/Halifax", "City Transit")
    line, ferry = entities.of_type("BusLine")
    assert "2026-01-07" in report.guessed[0].en  # Wednesday has the weekday's four trips and, by exception, Saturday's
    assert line.id == "urn:zs:BusLine:gtfs-town-R1" and line.name_en == "1 Harbour"
    assert line.facets == {
        "agency": "City Transit",
        "feed": "town",
        "first_departure": "06:00",
        "headway_min": 150.0,
        "last_departure": "24:50",
        "mode": "bus",
        "number": "1",
        "route_id": "R1",
        "stops": 3,
        "trips_per_day": 4,
    }
    assert ferry.facets["mode"] == "ferry" and ferry.facets["trips_per_day"] == 1 and "headway_min" not in ferry.facets
    assert [[(round(x, 2), round(y, 2)) for x, y in part.coords] for part in entities.shape(line.id).geoms] == [[(-63.58, 44.65), (-63.57, 44.66)]]
    assert [tuple(part.coords) for part in entities.shape(ferry.id).geoms] == [((-63.57, 44.66), (-63.58, 44.65), (-63.5, 44.7))]
    stop = entities["urn:zs:BusStop:gtfs-town-S1"]
    assert stop.facets == {
        "feed": "town",
        "first_departure": "06:00",
        "headway_min": 150.0,
        "last_departure": "24:50",
        "lines": 2,
        "station": "Central",
        "stop_id": "S1",
        "trips_per_day": 5,
    }
    assert [line.en.split(" stations")[0] for line in report.refused] == ["1"] and any("1 lines have no shape" in line.en for line in report.guessed)


def test_frequencies_are_so_many_departures(tmp_path: Path) -> None:
    brought(feed(tmp_path / "town.zip", frequencies="trip_id,start_time,end_time,headway_secs\nT1,06:00:00,07:00:00,600\nT1,07:00:00,08:00:00,1200\n"), tmp_path / "city")
    line = Entities.load(tmp_path / "city")["urn:zs:BusLine:gtfs-town-R1"]
    assert line.facets["trips_per_day"] == 6 + 3 + 3 and line.facets["first_departure"] == "06:00" and line.facets["headway_min"] == 10.0
    assert Entities.load(tmp_path / "city")["urn:zs:BusStop:gtfs-town-S2"].facets["first_departure"] == "06:10"


def test_a_new_edition_replaces_the_old_one_and_another_feed_does_not(tmp_path: Path) -> None:
    city = tmp_path / "city"
    brought(feed(tmp_path / "town.zip"), city)
    brought(feed(tmp_path / "other.zip"), city)
    brought(feed(tmp_path / "town.zip", routes=FEED["routes.txt"].replace("R2", "R9"), trips=FEED["trips.txt"].replace("R2", "R9")), city)
    assert {row.id.rpartition(":")[2] for row in Entities.load(city).of_type("BusLine")} == {"gtfs-town-R1", "gtfs-town-R9", "gtfs-other-R1", "gtfs-other-R2"}


def test_every_facet_is_a_pack_s_word(tmp_path: Path) -> None:
    types = {kind.name: kind for pack in installed_packs() for kind in pack.types}
    brought(feed(tmp_path / "town.zip"), tmp_path / "city")
    for row in Entities.load(tmp_path / "city"):
        assert {name: type(value) for name, value in row.facets.items()}.items() <= types[row.type].facets.items()


def changed(table: str, old: str, new: str) -> str:
    assert old in FEED[f"{table}.txt"]
    return FEED[f"{table}.txt"].replace(old, new, 1)


@pytest.mark.parametrize(
    ("table", "content", "said"),
    [
        ("stop_times", changed("stop_times", "S2,2\nT2", "S9,2\nT2"), "stop_times.txt, line 3: stop_id 'S9' is not in stops.txt"),
        ("stop_times", changed("stop_times", "T4,9:00", "T8,9:00"), "stop_times.txt, line 8: trip_id 'T8' is not in trips.txt"),
        ("stop_times", changed("stop_times", "6:30:00,6:30:00", "6:30:00,6:77:00"), "stop_times.txt, line 4: departure_time is '6:77:00'"),
        ("stop_times", changed("stop_times", ",stop_sequence", ",sequence"), "stop_times.txt, line 1: there is no column stop_sequence"),
        ("stop_times", changed("stop_times", "S1,1\nT1", "S1,one\nT1"), "stop_times.txt, line 2: stop_sequence is 'one'"),
        ("trips", changed("trips", "R1,SA", "R7,SA"), "trips.txt, line 5: route_id 'R7' is not in routes.txt"),
        ("trips", changed("trips", "R1,SA", "R1,SU"), "trips.txt, line 5: service_id 'SU' is not in calendar"),
        ("trips", changed("trips", "T2,0,P", "T2,0,Q"), "trips.txt, line 3: shape_id 'Q' is not in shapes.txt"),
        ("trips", changed("trips", "T2", "T1"), "trips.txt, line 3: trip_id 'T1' comes twice"),
        ("routes", changed("routes", "R2,A", "R2,B"), "routes.txt, line 3: agency_id 'B' is not in agency.txt"),
        ("routes", changed("routes", "ferry,4", "ferry"), "routes.txt, line 3: expected 5 columns, got 4"),
        ("stops", changed("stops", "44.66", "144.66"), "stops.txt, line 4: stop_lat is '144.66'"),
        ("stops", changed("stops", "44.7", ""), "stops.txt, line 5: stop_lat is ''"),
        ("stops", FEED["stops.txt"].replace("Harbour", "Hafen-Süd").encode("latin-1"), "stops.txt, line 4: it is not UTF-8 from byte"),
        ("stops", "", "stops.txt, line 1: the file is empty"),
        ("calendar", changed("calendar", "20260111", "2026-01-11"), "calendar.txt, line 2: end_date is '2026-01-11'"),
        ("calendar", changed("calendar", "20260105,20260111", "20260111,20260105"), "calendar.txt, line 2: end_date is before start_date"),
        ("agency", FEED["agency.txt"].splitlines()[0] + "\n", "There is not a single agency in agency.txt"),
        ("agency", None, "town.zip has no agency.txt"),
        ("stop_times", None, "town.zip has no stop_times.txt"),
        ("shapes", changed("shapes", "-63.57", "-263.57"), "shapes.txt, line 2: shape_pt_lon is '-263.57'"),
        ("frequencies", "trip_id,start_time,end_time,headway_secs\nT1,6:00:00,7:00:00,0\n", "frequencies.txt, line 2: headway_secs is '0'"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(tmp_path: Path, table: str, content: str | bytes | None, said: str) -> None:
    assert refused(feed(tmp_path / "town.zip", **{table: content}), tmp_path / "city").sentence().startswith(said)


def test_a_feed_without_any_calendar_is_refused(tmp_path: Path) -> None:
    assert refused(feed(tmp_path / "town.zip", calendar=None, calendar_dates=None), tmp_path / "city").kind.code == "survey.gtfs_no_table"


def test_no_archive_is_taken_for_one(tmp_path: Path) -> None:
    whole = feed(tmp_path / "town.zip").read_bytes()
    for content in (b"", b"<html>", whole[:200], whole[:-30]):
        (tmp_path / "bad.zip").write_bytes(content)
        assert refused(tmp_path / "bad.zip", tmp_path / "city").kind.code == "survey.model_unreadable"
    torn = bytearray(whole)
    torn[60] ^= 0xFF
    (tmp_path / "bad.zip").write_bytes(torn)
    assert refused(tmp_path / "bad.zip", tmp_path / "city").kind.code in {"survey.model_unreadable", "survey.model_faulty"}


def test_what_unpacks_beyond_measure_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zhongshu.survey.importers.gtfs.tables._PLAIN", 1 << 20)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("stops.txt", b" " * (8 << 20))
    (tmp_path / "bomb.zip").write_bytes(held.getvalue())
    assert "not believable" in refused(tmp_path / "bomb.zip", tmp_path / "city").sentence()


@given(st.integers(0, 99 * 3600 + 3599))
def test_a_time_of_service_is_told_as_it_was_read(seconds: int) -> None:
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    assert _seconds(f"{hours}:{minutes:02d}:{rest:02d}") == _seconds(f"{hours:02d}:{minutes:02d}:{rest:02d}") == seconds
    assert clock(seconds) == f"{hours:02d}:{minutes:02d}"


@given(st.text(max_size=9))
def test_no_text_of_a_time_brings_a_reader_down(text: str) -> None:
    assert _seconds(text) >= -2


def test_halifax_comes_in(samples: Path, tmp_path: Path) -> None:
    path = samples / "c-gtfs-halifax" / "google_transit.zip"
    if not path.exists():
        pytest.skip("no sample of Halifax here")
    report = brought(path, tmp_path / "city")
    entities = Entities.load(tmp_path / "city")
    assert (report.taken["trip (as facets)"], report.taken["stop time (as facets)"]) == (9472, 328_499)
    assert len(entities.of_type("BusLine")) == 80 and len(entities.of_type("BusStop")) + 11 == 2386
    latest = max(str(row.facets.get("last_departure", "")) for row in entities.of_type("BusLine"))
    assert latest > "24:30" and sum(int(row.facets["trips_per_day"]) for row in entities.of_type("BusLine")) > 3000


def test_cairns_comes_in_and_the_bad_feed_does_not(samples: Path, tmp_path: Path) -> None:
    path = samples / "c-gtfs-cairns" / "cairns_gtfs.zip"
    if not path.exists():
        pytest.skip("no sample of Cairns here")
    brought(path, tmp_path / "city")
    assert Entities.load(tmp_path / "city").counts() == {"BusLine": 22, "BusStop": 416, "Organisation": 1}
    assert refused(path.with_name("badgtfs.zip"), tmp_path / "none").sentence() == "badgtfs.zip has no agency.txt."
