"""The declared feeds fit the files they are for: samples always, the real files where they are at hand."""

import csv
import gzip
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import zhongshu.packs
from zhongshu.packs import environment, hotline, sandbox, traffic
from zhongshu.sense import Matrix, RequestTable, Wide
from zhongshu.sense.source import DATE_FORMATS

HOME = Path(zhongshu.packs.__file__).parent
FILES: dict[str, tuple[Path, str]] = {
    "environment.beijing_air": (HOME / "environment/sample/beijing_air.csv", "a-air-beijing/PRSA_Data_Dongsi_20130301-20170228.csv.gz"),
    "traffic.la_loops": (HOME / "traffic/sample/los_speed.csv", "a-traffic-losangeles/los_speed.csv.gz"),
    "hotline.baltimore311": (HOME / "hotline/sample/baltimore311.csv", "b-311-baltimore/311_sample.csv.gz"),
    "hotline.la311": (HOME / "hotline/sample/la311.csv", "b-311-losangeles/la311_2020-01.csv.gz"),
}
SOURCES = {s.name: s for s in (*environment.SOURCES, *traffic.SOURCES, *hotline.SOURCES, *sandbox.SOURCES)}
CASES = [pytest.param(name, path, id=f"{name}-{kind}") for name, paths in FILES.items() for kind, path in zip(("sample", "real"), paths, strict=True)]


def rows_of(path: Path) -> tuple[list[str], list[list[str]]]:
    text = gzip.open(path, "rt", encoding="utf-8-sig").read() if path.suffix == ".gz" else path.read_text("utf-8-sig")
    table = list(csv.reader(text.splitlines()))
    return table[0], table[1:]


def local(text: str) -> datetime:
    for form in DATE_FORMATS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    raise AssertionError(text)


@pytest.mark.parametrize(("name", "path"), CASES)
def test_headers_and_values_are_as_declared(name: str, path: Path | str, request: pytest.FixtureRequest) -> None:
    header, rows = rows_of(path if isinstance(path, Path) else request.getfixturevalue("samples") / path)
    mapping = SOURCES[name].mapping
    match mapping:
        case Wide():
            assert {*mapping.time, mapping.id, *(c.header for c in mapping.columns)} <= set(header)
            for column in mapping.columns:
                at = header.index(column.header)
                for row in rows[:500]:
                    assert row[at] in mapping.absent or float(row[at]) < 1e5
        case Matrix():
            assert all(len(row) == len(header) and all(0 <= float(v) < 120 for v in row) for row in rows)
            assert set(header) <= set(mapping.places)
        case RequestTable():
            named = [getattr(mapping, f) for f in ("id", "category", "created", "state", "due", "closed", "text", "address", "lon", "lat", "channel", "unit", "neighbourhood")]
            assert {h for h in (*named, *mapping.also_id) if h} <= set(header)
            _check_requests(mapping, header, rows)


def _check_requests(mapping: RequestTable, header: list[str], rows: list[list[str]]) -> None:
    state, closed, created = (header.index(h) for h in (mapping.state, mapping.closed, mapping.created))
    assert set(mapping.duplicate_states) <= {*mapping.closed_states, "Open (Duplicate)", "New (Duplicate)"}
    for row in rows:
        local(row[created])
        if row[state] in mapping.closed_states and len(rows) < 10:
            assert row[closed] not in mapping.absent
    open_but_closed = sum(row[state] not in mapping.closed_states and row[closed] not in mapping.absent for row in rows)
    assert open_but_closed <= len(rows) // 50


def test_places_are_where_the_cities_are() -> None:
    beijing, loops = SOURCES["environment.beijing_air"].mapping, SOURCES["traffic.la_loops"].mapping
    assert isinstance(beijing, Wide) and isinstance(loops, Matrix)
    assert len(beijing.places) == 6 and all(115 < lon < 118 and 39 < lat < 41 for lon, lat in beijing.places.values())
    assert len(loops.places) == 207 and all(-119 < lon < -118 and 33.9 < lat < 34.3 for lon, lat in loops.places.values())


def test_loops_begin_at_midnight_in_los_angeles() -> None:
    mapping = SOURCES["traffic.la_loops"].mapping
    assert isinstance(mapping, Matrix)
    start = datetime.fromisoformat(mapping.start)
    assert start.utcoffset() == start.astimezone(ZoneInfo("America/Los_Angeles")).utcoffset()
    assert (start.hour, start.day, mapping.step) == (0, 1, 300_000_000)


def test_complaints_are_graded_as_personal_and_the_sandbox_knows_its_devices() -> None:
    assert {SOURCES[n].grade for n in ("hotline.baltimore311", "hotline.la311", "sandbox.voices")} == {2}
    assert SOURCES["sandbox.devices"].entities == "known"
    assert SOURCES["environment.beijing_air"].interval == "start"
