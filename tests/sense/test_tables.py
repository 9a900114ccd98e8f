"""Tables as they are published: counted against a plain reading of the same file, and never a good row lost to a bad one."""

import csv
import gzip
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from zhongshu.kernel.clock import DAY, HOUR, MINUTE, to_us
from zhongshu.kernel.problem import Problem
from zhongshu.packs import environment, hotline, traffic
from zhongshu.sense import Column, Intake, Matrix, Pipe, Registry, RequestTable, Source, Wide, read_file
from zhongshu.sense.readers import tables
from zhongshu.sense.source import DATE_FORMATS

PACKS = {s.name: s for s in (*environment.SOURCES, *traffic.SOURCES, *hotline.SOURCES)}


def plain(path: Path) -> list[dict[str, str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:  # type: ignore[operator]
        return list(csv.DictReader(file))


def taken(desk: Any, path: Path, source: Source) -> Any:
    """Read a file and return (readings as rows, refused, entities)."""
    batches = list(read_file(path, source, desk.intake))
    rows = [r for b in batches if b.readings is not None for r in b.readings.table().to_pylist()]
    return rows, [r for b in batches for r in b.refused], [d for b in batches for d in b.entities]


# the real files


@pytest.fixture
def world(desk: Any) -> Any:
    desk.registry = Registry(990100000000000, [*environment.PROPERTIES, *traffic.PROPERTIES], [])
    desk.intake = Intake(desk.registry, desk.clock, lambda lon, lat: np.full(len(lon), 990101001001009, np.int64))
    return desk


def test_beijing_air_is_taken_in_cell_by_cell(world: Any, samples: Path) -> None:
    source = PACKS["environment.beijing_air"]
    mapping = source.mapping
    assert isinstance(mapping, Wide)
    path = samples / "a-air-beijing" / "PRSA_Data_Huairou_20130301-20170228.csv.gz"
    raw = plain(path)
    batches = list(read_file(path, source, world.intake))
    assert all(not b.refused for b in batches) and len({b.batch for b in batches}) == len(batches)
    counts = Counter(str(b.readings.properties[p]) for b in batches if b.readings is not None for p in b.readings.property.tolist())
    assert counts == {c.property: sum(r[c.header] not in {"NA", ""} for r in raw) for c in mapping.columns}
    ticks = {(r["property"], r["valid"]): r for b in batches[:1] if b.readings is not None for r in b.readings.table().to_pylist()}
    for r in raw[:200]:
        at = to_us(datetime(int(r["year"]), int(r["month"]), int(r["day"]), int(r["hour"]), tzinfo=ZoneInfo("Asia/Shanghai")))
        for header, prop in (("PM2.5", "AirQualityStation.pm25"), ("TEMP", "AirQualityStation.temperature")):
            assert (prop, at) not in ticks if r[header] == "NA" else ticks[prop, at]["raw"] == float(r[header])
    (station,) = [d for b in batches for d in b.entities]
    assert station["id"] == "urn:zs:AirQualityStation:Huairou" and (station["lon"], station["lat"]) == (116.628, 40.328) and station["area"] == 990101001001009


def test_los_angeles_loops_are_207_by_2016(world: Any, samples: Path) -> None:
    path = samples / "a-traffic-losangeles" / "los_speed.csv.gz"
    batches = list(read_file(path, PACKS["traffic.la_loops"], world.intake))
    assert sum(len(b.readings) for b in batches if b.readings is not None) == 207 * 2016 and all(not b.refused for b in batches)
    assert len({d["id"] for b in batches for d in b.entities}) == 207 == len(world.registry.rows)
    valid = np.unique(np.concatenate([b.readings.valid for b in batches if b.readings is not None]))
    start = to_us(datetime(2012, 3, 1, tzinfo=ZoneInfo("America/Los_Angeles")))
    assert valid.tolist() == [start + i * 5 * MINUTE for i in range(2016)]
    raw = plain(path)
    first = next(b.readings for b in batches if b.readings is not None)
    at = np.flatnonzero((first.valid == start) & (first.entity == world.registry.entities.numbers["urn:zs:TrafficDetector:773869"]))
    assert first.raw[at].tolist() == [float(raw[0]["773869"])] and first.ticks[at].tolist() == [round(float(raw[0]["773869"]) * 16.09344)]


def test_baltimore_requests_are_all_accounted_for(world: Any, samples: Path, pipe: Pipe, record: list[Any]) -> None:
    path, source = samples / "b-311-baltimore" / "311_sample.csv.gz", PACKS["hotline.baltimore311"]
    raw = plain(path)
    receipts = [pipe.submit(b).result(30) for b in read_file(path, source, world.intake)]
    assert sum(r.accepted + r.quarantined + r.duplicates for r in receipts) == len(raw) == 10_000
    documents = [d for e in record for d in e.documents]
    flags = Counter(f for d in documents for f in d.get("flags", ()))
    assert flags["due_before_opened"] == 222
    whole = [r for r in raw if r["Longitude"] not in {"", "NA"} and float(r["Longitude"]).is_integer() and float(r["Latitude"]).is_integer()]
    assert flags["coarse_place"] == len(whole) == 892 and flags["unplaced"] == sum(r["Longitude"] in {"", "NA"} for r in raw)
    assert sum("closed" in d for d in documents) == sum(r["CloseDate"] not in {"", "NA"} for r in raw)
    again = [pipe.submit(b).result(30) for b in read_file(path, source, world.intake)]
    assert all(r.repeated for r in again) and len([d for e in record for d in e.documents]) == len(documents)


# other shapes

WIDE = Source(
    "wide",
    "宽表",
    "Wide",
    "city",
    zone="Asia/Shanghai",
    entities="register",
    mapping=Wide("Gauge", "站", ("时间",), (Column("雨量", "Gauge.rain", "mm"), Column("temp", "Gauge.temp")), places={"A": (1.0, 2.0)}),
)


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-28 08:05",
        "2026-02-28T08:05:00",
        "2026/2/28 8:05",
        "2026/02/28 08:05:00",
        "02/28/2026 08:05:00 AM",
        "02/28/2026 8:05 AM",
        "02/28/2026 08:05",
        "2/28/26 8:05",
        "2026-02-28 08:05:00.000",
        "2026年2月28日 08:05",
        "2026年02月28日 08:05:00",
        "20260228080500",
        "2026-02-28T00:05:00Z",
        "2026-02-28T08:05:00+08:00",
        " 2026-02-28 08:05 ",
    ],
)
def test_other_forms_of_time_are_read_in_the_source_s_zone(desk: Any, tmp_path: Path, text: str) -> None:
    rows, refused, _ = taken(desk, write(tmp_path / "a.csv", f"站,时间,雨量,temp\nA,{text},1.5,\n"), WIDE)
    assert refused == [] and [(r["valid"], r["ticks"]) for r in rows] == [(to_us(datetime(2026, 2, 28, 8, 5, tzinfo=ZoneInfo("Asia/Shanghai"))), 15)]


def test_every_declared_form_is_read_and_dates_begin_at_midnight(desk: Any) -> None:
    moment = datetime(2024, 11, 23, 0, 0)
    for form in DATE_FORMATS:
        assert tables._times([moment.strftime(form)], "Asia/Shanghai").tolist() == [to_us(moment.replace(tzinfo=ZoneInfo("Asia/Shanghai")))], form


@pytest.mark.parametrize("text", ["", "soon", "31/12/2025 10:00", "2026-02-30 00:00", "2026-02-28 25:00", "0026-02-28 08:00", "02/30/2026 10:00", "２０２６-02-28 08:05"])
def test_a_time_that_cannot_be_read_costs_its_row_only(desk: Any, tmp_path: Path, text: str) -> None:
    rows, refused, _ = taken(desk, write(tmp_path / "a.csv", f"站,时间,雨量,temp\nA,2026-02-28 08:00,1,\nA,{text},2,\nA,2026-02-28 08:10,3,\n"), WIDE)
    assert [r["ticks"] for r in rows] == [10, 30] and [(r.row, r.code) for r in refused] == [(2, "reading.bad_time")]


def test_unknown_stations_are_unplaced_and_no_two_names_become_one(desk: Any, tmp_path: Path) -> None:
    names = ["A", "B", "东四", "万寿", "A B", "A_B", "A%20B", "x" * 300, "x" * 301, "站" * 60]
    rows, refused, entities = taken(
        desk, write(tmp_path / "a.csv", "站,时间,雨量,temp\n" + "".join(f"{n},2026-02-28 08:00,{i},\n" for i, n in enumerate(names)) + ",2026-02-28 08:00,1,\n"), WIDE
    )
    assert len({r["entity"] for r in rows}) == len(names) == len(entities) and [r.code for r in refused] == ["entity.bad_id"]
    assert {d["name_zh"]: d["area"] for d in entities}["A"] == 990101001001009 and {d["name_zh"]: d["area"] for d in entities}["东四"] == 990199000000000


def test_cells_that_are_no_numbers_go_to_quarantine_as_they_stood(desk: Any, tmp_path: Path) -> None:
    rows, refused, _ = taken(desk, write(tmp_path / "a.csv", "站,时间,雨量,temp\nA,2026-02-28 08:00,微量,20\nA,2026-02-28 08:10,NA,1e999\n"), WIDE)
    assert [r["ticks"] for r in rows] == [2000] and [(r.row, r.code) for r in refused] == [(1, "reading.not_a_number"), (2, "reading.out_of_range")]
    sent = json.loads(refused[0].raw)
    assert sent["value"] == "微量" and sent["entity"] == "urn:zs:Gauge:A"
    mended = desk.intake.receive(WIDE, json.dumps(sent | {"value": 0.1}).encode())
    assert mended.readings.valid.tolist() == [rows[0]["valid"]] and not mended.refused


ODD = ["a,b", "A,2026-02-28 08:05,1,2,3", '"', 'A,"2026-02-28 08:05,1,', '"A","2026', "x" * 70_000, ",,,,,,,", '"A"x,2026-02-28 08:05,"1']


@pytest.mark.parametrize("odd", ODD, ids=lambda o: o[:20])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_bad_line_or_a_quote_never_closed_costs_itself_only(desk: Any, tmp_path: Path, odd: str, end: str) -> None:
    lines = ["站,时间,雨量,temp", "A,2026-02-28 08:00,1,", odd, "A,2026-02-28 08:10,2,", '"A","2026-02-28 08:20","3",""']
    rows, refused, _ = taken(desk, write(tmp_path / "a.csv", end.join(lines)), WIDE)
    assert [r["ticks"] for r in rows if r["property"] == "Gauge.rain" and r["valid"] % (10 * MINUTE) == 0] == [10, 20, 30]
    assert refused and refused[0].row == 2 and all(r.raw for r in refused)


def test_a_quoted_cell_may_hold_commas_quotes_and_lines(desk: Any, tmp_path: Path) -> None:
    source = Source("r", "诉求", "R", "city", kind="requests", zone="UTC", mapping=RequestTable("id", "类别", "created", "state", text="text"))
    path = write(tmp_path / "a.csv", 'id,类别,created,state,text\n1,a,2026-01-01,Open,"路灯, ""坏"" 了\n第二行"\n2,a,2026-01-01,Open,x\n,a,2026-01-01,Open,x\n3,a,never,Open,x\n')
    (batch,) = read_file(path, source, desk.intake)
    assert [(d["id"], d["text"]) for d in batch.documents] == [("1", '路灯, "坏" 了\n第二行'), ("2", "x")]
    assert [(r.row, r.code) for r in batch.refused] == [(3, "request.no_id"), (4, "request.no_time")] and json.loads(batch.refused[1].raw)["created"] == "never"


def test_a_refused_line_of_a_matrix_is_a_step_of_time_as_well(desk: Any, tmp_path: Path) -> None:
    source = Source("m", "矩阵", "M", "city", entities="register", mapping=Matrix("Loop", "Loop.speed", "km/h", "2026-01-01T00:00:00Z", HOUR))
    rows, refused, _ = taken(desk, write(tmp_path / "a.csv", "1,2\n10,11\nbad\n\n30,\n40,41\n"), source)
    start = to_us(datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")))
    assert {(r["entity"][-1], (r["valid"] - start) // HOUR, r["ticks"]) for r in rows} == {("1", 0, 100), ("2", 0, 110), ("1", 2, 300), ("1", 3, 400), ("2", 3, 410)}
    assert [r.row for r in refused] == [2]


def test_slices_and_batches_do_not_depend_on_who_reads(desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "SLICE", 3)
    path = write(tmp_path / "a.csv", "站,时间,雨量,temp\n" + "".join(f"A,2026-02-28 08:{i:02d},{i},\n" for i in range(10)))
    first, second = (list(read_file(path, WIDE, desk.intake)) for _ in range(2))
    assert [(b.batch, b.digest) for b in first] == [(b.batch, b.digest) for b in second] and len(first) == 4
    assert [t for b in first if b.readings is not None for t in b.readings.ticks.tolist()] == [i * 10 for i in range(10)]
    later = Source(**{f: getattr(WIDE, f) for f in ("name", "zh", "en", "owner", "entities", "mapping")}, zone="UTC")
    assert next(read_file(path, later, desk.intake)).batch != first[0].batch, "another mapping is another batch"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", b"", "intake.unreadable"),
        ("a.csv", b"  \n\n", "intake.unreadable"),
        ("a.csv", "站,时间,雨量\n东四,2026-01-01,1".encode("gbk"), "intake.not_unicode"),
        ("a.csv.gz", gzip.compress(b"x" * 1000)[:-9], "intake.unreadable"),
        ("a.csv.gz", b"\x1f\x8b", "intake.unreadable"),
        ("a.csv", "站,时间,雨量\nA,2026-01-01,1".encode("utf-16"), "intake.not_unicode"),
        ("a.csv", "站,时间,站,雨量\nA,2026-01-01,A,1".encode(), "intake.unreadable"),
        ("a.csv", b"a,b\n1,2\n", "table.no_column"),
        ("a.csv", "站,时间\nA,2026-01-01\n".encode(), "table.no_column"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_a_problem(desk: Any, tmp_path: Path, name: str, content: bytes, code: str) -> None:
    with pytest.raises(Problem) as told:
        list(read_file(write(tmp_path / name, content), WIDE, desk.intake))
    assert told.value.kind.code == code and told.value.remedy("zh") and told.value.remedy("en")


def test_a_file_without_a_mapping_is_native(desk: Any, tmp_path: Path) -> None:
    at = (desk.clock.at - DAY) // 1000
    for name, text in (
        ("a.ndjson", json.dumps({"entity": "urn:zs:Gauge:1", "property": "Gauge.rain", "time": at, "value": 1})),
        ("a.csv", f"entity,property,time,value\nurn:zs:Gauge:1,Gauge.rain,{at},1\n"),
    ):
        rows, refused, _ = taken(desk, write(tmp_path / name, text), desk.known)
        assert [r["ticks"] for r in rows] == [10] and refused == []
