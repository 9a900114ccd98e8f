"""Mending: whatever was refused, from whatever shape, comes in once somebody puts it right; until then it says what is still wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from zhongshu.kernel.clock import MINUTE, parse_time
from zhongshu.kernel.problem import Problem
from zhongshu.sense import Column, Matrix, RequestTable, Source, Wide, read_file, read_mended
from zhongshu.sense.rows import MORE

GOOD = {"entity": "urn:zs:Gauge:1", "property": "Gauge.rain", "time": "2026-03-01T11:59:00Z", "value": 3.0, "unit": "mm"}
WIDE = Source("wide", "宽", "Wide", "city", zone="Asia/Shanghai", entities="register", mapping=Wide("Gauge", "站", ("时间",), (Column("雨量", "Gauge.rain", "mm"),)))
MATRIX = Source("matrix", "阵", "Matrix", "city", entities="register", mapping=Matrix("Gauge", "Gauge.rain", "mm", "2026-03-01T08:00:00Z", 5 * MINUTE))
CALLS = Source("calls", "话", "Calls", "city", kind="requests", zone="Asia/Shanghai", mapping=RequestTable("no", "kind", "made", "state"))


def refused(batch: Any) -> Any:
    (row,) = batch.refused
    return row


@pytest.mark.parametrize(
    ("line", "change"),
    [
        ("urn:zs:Gauge:1,Gauge.rain,2026-03-01T11:59:00Z,3,kg", {"unit": "mm"}),
        ("urn:zs:Gauge:1,Gauge.rain,2026-03-01T11:59:00Z,三,mm", {"value": 3}),
        ("urn:zs:Gauge:1,Gauge.rain,yesterday,3,mm", {"time": GOOD["time"]}),
        ("urn:zs:Gauge:1,Gauge.rain", GOOD),
        ("a,Gauge.rain,2026-03-01T11:59:00Z,3,mm", {"entity": "urn:zs:Gauge:1"}),
    ],
)
def test_a_csv_row_comes_in_once_what_is_wrong_is_changed(desk: Any, line: str, change: dict[str, Any]) -> None:
    raw = refused(desk.intake.receive(desk.known, f"entity,property,time,value,unit\n{line}\n".encode(), "text/csv")).raw
    assert refused(read_mended(desk.intake, desk.known, raw))
    mended = read_mended(desk.intake, desk.known, json.dumps(json.loads(raw) | change))
    assert mended.refused == [] and mended.readings.ticks.tolist() == [30]


def test_cells_beyond_the_header_are_never_dropped_unseen(desk: Any) -> None:
    raw = refused(desk.intake.receive(desk.known, b"entity,property,time,value\nurn:zs:Gauge:1,Gauge.rain,2026-03-01T11:59:00Z,1,5\n", "text/csv")).raw
    with pytest.raises(Problem, match=r"quarantine.more_cells"):
        read_mended(desk.intake, desk.known, raw)
    row = json.loads(raw)
    del row[MORE]
    assert read_mended(desk.intake, desk.known, json.dumps(row | {"value": 1.5})).readings.ticks.tolist() == [15]


def test_a_refused_request_comes_in_as_a_request(desk: Any) -> None:
    for source in (desk.known, Source("voices", "诉", "Voices", "city", kind="requests")):
        raw = refused(desk.intake.requests(source, b'{"id":"a","created":"yesterday","text":"no light"}')).raw
        assert refused(read_mended(desk.intake, source, raw)).code == "time.unreadable"
        mended = read_mended(desk.intake, source, json.dumps(json.loads(raw) | {"created": "2026-03-01T11:00:00Z"}))
        assert mended.kind == "requests" and mended.documents[0]["text"] == "no light" and mended.documents[0]["created"] == parse_time("2026-03-01T11:00:00Z")


@pytest.mark.parametrize(
    ("source", "text", "change"),
    [
        (WIDE, "站,时间,雨量\nA,2026-03-01 08:00,1,2\n", {"雨量": "1.2", MORE: None}),
        (WIDE, "站,时间,雨量\nA,2026-03-01 08:00\n", {"雨量": 1.2}),
        (MATRIX, "A,B\n1,1\n1\n", {"B": 2, "A": 1.2}),
        (WIDE, "站,时间,雨量\nA,2026-03-01 08:00,多\n", {"value": 1.2}),
    ],
)
def test_a_line_of_a_table_comes_in_as_its_table_reads_it(desk: Any, tmp_path: Path, source: Source, text: str, change: dict[str, Any]) -> None:
    (tmp_path / "a.csv").write_text(text)
    (batch,) = read_file(tmp_path / "a.csv", source, desk.intake)
    row = {k: v for k, v in (json.loads(refused(batch).raw) | change).items() if v is not None}
    mended = read_mended(desk.intake, source, json.dumps(row, ensure_ascii=False))
    assert mended.refused == [] and mended.readings.ticks.tolist()[0] == 12
    assert mended.readings.valid.tolist()[0] == parse_time("2026-03-01T08:05:00Z" if source is MATRIX else "2026-03-01T00:00:00Z")


def test_a_line_of_a_table_of_requests_comes_in(desk: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("no,kind,made,state\n7,灯,昨天,Open\n")
    (batch,) = read_file(tmp_path / "a.csv", CALLS, desk.intake)
    raw = refused(batch).raw
    assert refused(read_mended(desk.intake, CALLS, raw)).code == "request.no_time"
    (document,) = read_mended(desk.intake, CALLS, json.dumps(json.loads(raw) | {"made": "2026-03-01 08:00"})).documents
    assert (document["id"], document["class"], document["created"]) == ("7", "灯", parse_time("2026-03-01T00:00:00Z"))


@pytest.mark.parametrize("raw", ["", "{", "null", "[]", "7", "[1]", '"x"', "\x00"])
def test_what_is_nothing_is_refused_or_empty_and_never_breaks(desk: Any, raw: str) -> None:
    for source in (desk.known, WIDE, MATRIX, CALLS):
        try:
            batch = read_mended(desk.intake, source, raw)
        except Problem:
            continue
        assert batch.refused or not (batch.documents or len(batch.readings or ()))
