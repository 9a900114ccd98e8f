"""Real cities, imported by the command line as a person types it, and then served: Helsinki's streets and houses, Halifax's bus lines with its buses on them."""

import shutil
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from zhongshu.survey import City, Entities

from .city import by_itself, command, opened, running, token

pytestmark = pytest.mark.journey
RT = """[[connector]]
name = "buses"
kind = "gtfs-rt"
address = "file://{path}"
every = "1s"
"""


def sample(samples: Path, name: str) -> Path:
    if not (samples / name).exists():
        pytest.skip(f"no {name} here")
    return samples / name


def test_helsinki_is_served_with_its_map_and_whose_it_is(samples: Path, tmp_path: Path) -> None:
    city = tmp_path / "city"
    said = by_itself("city", "import", sample(samples, "d-osm-helsinki/Helsinki.osm.pbf"), "--as", "osm", "--name", "Helsinki", "--zone", "Europe/Helsinki", "--data", city)
    assert said.startswith("Helsinki · ") and "446 Building" in said and "387 roads do not say their lanes" in said and "63 roads refer to" in said
    token_ = token(city, "admin", "reader")
    with running(city) as held:
        about = held.get("/api/city", token_)
        assert about["name_en"] == "Helsinki" and about["time_zone"] == "Europe/Helsinki" and about["attribution"] == "© OpenStreetMap contributors (ODbL 1.0)"
        tiles = httpx.get(held.url + about["map"], timeout=20, trust_env=False).content
        assert tiles[:7] == b"PMTiles" and len(tiles) > 50_000
        roads = held.get("/api/entities?type=Road&q=Mannerheimintie&limit=1000", token_)["items"]
        assert len(roads) > 5 and {row["facets"]["class"] for row in roads} <= {"arterial", "collector", "local"}
        assert by_itself("city", "import", samples / "d-osm-helsinki/Helsinki.osm.pbf", "--as", "osm", "--data", city, code=1) == ""  # somebody runs it
    again = command("city", "import", samples / "d-osm-helsinki/Helsinki.osm.pbf", "--as", "osm", "--data", city)
    assert "1,073 Road" in again and len(Entities.load(city).of_type("Road")) == 1073


def test_halifax_s_buses_are_on_its_lines(samples: Path, tmp_path: Path) -> None:
    gtfs_realtime_pb2 = pytest.importorskip("google.transit.gtfs_realtime_pb2", reason="GTFS-realtime is not installed: pip install 'zhongshu[feeds]'")
    city = tmp_path / "city"
    said = by_itself("city", "import", sample(samples, "c-gtfs-halifax/google_transit.zip"), "--as", "gtfs", "--name", "Halifax", "--data", city)
    assert "80 BusLine" in said and "2,375 BusStop" in said and City.load(city).time_zone == "America/Halifax"
    refused = by_itself("city", "import", sample(samples, "c-gtfs-cairns/badgtfs.zip"), "--as", "gtfs", "--data", tmp_path / "none", code=1)
    assert refused == "" and not (tmp_path / "none").exists()
    line = next(row for row in Entities.load(city).of_type("BusLine") if row.facets["route_id"] == "1")
    assert line.facets["last_departure"] > "24:00" and Entities.load(city).shape(line.id) is not None
    shutil.copy(sample(samples, "c-gtfs-halifax/VehiclePositions.pb"), tmp_path / "now.pb")
    token_ = token(city, "admin", "reader")
    with running(city) as held:
        (row,) = held.get("/api/entities?type=BusLine&q=1 Spring Garden&limit=5", token_)["items"]
        assert row["name_en"] == "1 Spring Garden" and row["facets"] == line.facets
        body, headers = {"name": "buses", "entities": "register", "zone": "America/Halifax"}, {"Authorization": f"Bearer {token_}"}
        httpx.post(f"{held.url}/api/sources", json=body, headers=headers, trust_env=False).raise_for_status()
    (city / "connectors.toml").write_text(RT.format(path=tmp_path / "now.pb"))
    with running(city) as held:
        until = time.monotonic() + 30
        while not held.get("/health", token_)["readings"]["by_source"].get("buses", {}).get("accepted", 0):
            assert time.monotonic() < until, (city / "up.log").read_text()[-2000:]
            time.sleep(0.1)
    with opened(city) as parts:
        rows = [row for entry in parts.journal.read(0, "readings") if entry.table is not None for row in entry.table.to_pylist()]
    message = gtfs_realtime_pb2.FeedMessage()
    message.ParseFromString((tmp_path / "now.pb").read_bytes())
    on = Counter(entity.vehicle.trip.route_id for entity in message.entity)
    told = {row["entity"].removeprefix("urn:zs:BusLine:gtfs-google-transit-"): row["raw"] for row in rows if row["property"] == "BusLine.vehicles"}
    assert len(told) > 50 and told == {route: on[route] for route in told}


def test_what_cannot_be_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "town.osm").write_text("<osm/>")
    for words in (("--as", "shp"), ("--as", "osm", "--crs", "gcj02"), ("--as", "osm")):
        assert command("city", "import", tmp_path / "town.osm", *words, "--data", tmp_path / "city", code=1) == ""
        assert not (tmp_path / "city").exists()
