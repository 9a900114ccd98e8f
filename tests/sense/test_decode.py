"""Decode: four shapes give the same columns; what is torn, foreign or monstrous gives a Problem or costs its own row only."""

import gzip
import io
import json
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhongshu.kernel.problem import Problem, kinds
from zhongshu.sense import decode as module
from zhongshu.sense.decode import decode, unpack
from zhongshu.sense.rows import MAX_LINE, MORE
from zhongshu.sense.times import BAD

ROWS = [
    {"entity": "urn:zs:Gauge:雨1", "property": "Gauge.rain", "time": "2026-03-01T12:00:00Z", "value": 1.5, "unit": "mm", "quality": "good"},
    {"entity": "urn:zs:Gauge:2", "property": "Gauge.temp", "time": "2026-03-01T20:00:01+08:00", "value": -3.0, "unit": None, "quality": None},
    {"entity": "urn:zs:Gauge:2", "property": "Gauge.temp", "time": "2026-03-01T12:00:02Z", "value": None, "unit": None, "quality": "bad"},
]


def line(**other: Any) -> bytes:
    return json.dumps(ROWS[0] | other, ensure_ascii=False).encode()


def arrow(rows: list[dict[str, Any]], file: bool = False, **columns: pa.Array) -> bytes:
    table = pa.Table.from_pylist(rows)
    for name, column in columns.items():
        table = table.set_column(table.column_names.index(name), name, column)
    out = io.BytesIO()
    with (pa.ipc.new_file if file else pa.ipc.new_stream)(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def csv(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join([",".join(ROWS[0]), *(",".join("" if v is None else str(v) for v in r.values()) for r in rows)]).encode()


SHAPES = {
    "ndjson": (b"\n".join(json.dumps(r).encode() for r in ROWS), ""),
    "crlf": (b"\r\n\r\n".join(json.dumps(r).encode() for r in ROWS) + b"\r\n", "application/x-ndjson"),
    "json": (json.dumps(ROWS, indent=1).encode(), "application/json"),
    "csv": (csv(ROWS), "text/csv; charset=utf-8"),
    "arrow": (arrow(ROWS), "application/vnd.apache.arrow.stream"),
    "arrow file": (arrow(ROWS, file=True), "application/vnd.apache.arrow.file"),
    "marked": (b"\xef\xbb\xbf" + csv(ROWS), "text/CSV"),
    "dictionaries": (arrow(ROWS, entity=pa.array([r["entity"] for r in ROWS]).dictionary_encode(), time=pa.array([1772366400000, 1772366401000, 1772366402000])), "arrow"),
    "timestamps": (arrow(ROWS, time=pa.array([1772366400, 1772366401, 1772366402], pa.timestamp("s", "Asia/Shanghai"))), "arrow"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_the_same_columns(shape: str) -> None:
    got = decode(*SHAPES[shape])
    assert got.refused == [] and got.entity == [r["entity"] for r in ROWS] and got.property == [r["property"] for r in ROWS]
    assert got.time.tolist() == [1772366400000000, 1772366401000000, 1772366402000000] and got.missing.tolist() == [False, False, True]
    assert got.value[:2].tolist() == [1.5, -3.0] and np.isnan(got.value[2]) and got.unit == ["mm", None, None] and [q or None for q in got.quality] == ["good", None, "bad"]
    assert got.sent is not None and json.loads(got.sent(1))["entity"] == "urn:zs:Gauge:2"


@pytest.mark.parametrize(
    ("body", "media", "form"),
    [
        (b"[{", "", "JSON"),
        (b'[{"entity":1}, {bad', "", "JSON"),
        (b"[" * 100_000, "", "JSON"),
        (b"no table", "text/csv", "CSV"),
        (b"", "text/csv", "CSV"),
        (b"entity,property,time\n1,2,3", "text/csv", "CSV"),
        (b"entity,entity,property,time,value\n1,1,2,3,4", "text/csv", "CSV"),
        (b"garbage", "arrow", "Arrow"),
        (b"", "arrow", "Arrow"),
        (arrow(ROWS)[:-200], "arrow", "Arrow"),
        (b"ARROW1\0\0junk", "arrow", "Arrow"),
        (arrow(ROWS, entity=pa.array([[1], [2], [3]])), "arrow", "Arrow"),
        (arrow(ROWS, value=pa.array([[1.0], [2.0], [3.0]])), "arrow", "Arrow"),
        (b"{\n}\n", "", "JSON"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_problem(body: bytes, media: str, form: str) -> None:
    with pytest.raises(Problem) as told:
        decode(body, media)
    assert told.value.kind.code == "intake.unreadable" and form in told.value.sentence() and told.value.remedy("zh") and told.value.remedy("en")
    assert not re.search(r"[a-z]+ [a-z]+", told.value.sentence("zh")), "no English within the Chinese"


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"nonsense",
        b"\xff\xfe",
        '{"entity":"路灯"}'.encode("gbk"),
        b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}",
        b'{"entity":"e","property":"p","time":1}',
        b'{"entity":"e","property":"p","time":1,"value":NaN}',
        line(value="1"),
        b'{"entity":"e","property":"p","time":1,"value":1},{"entity":"e","property":"p","time":1,"value":1}',
        b"[" * 60_000,
        line(note="x" * MAX_LINE),
        b"x" * 10_000_000,
    ],
    ids=lambda b: f"{b[:20]!r} {len(b)}",
)
def test_a_bad_line_costs_itself_only(bad: bytes) -> None:
    got = decode(b"\n".join([line(value=1), bad, b"", line(value=2)]), "")
    assert got.value.tolist() == [1, 2] and got.line.tolist() == [0, 3]
    assert [r.row for r in got.refused] == [1] and got.refused[0].raw.encode()[:MAX_LINE] in {bad[:MAX_LINE], bad.decode("utf-8", "backslashreplace").encode()[:MAX_LINE]}
    assert got.sent is not None and json.loads(got.sent(1))["value"] == 2


@pytest.mark.parametrize("bad", ['{"entity":1}', "7", "null", '{"entity":"e","property":"p","time":1,"value":NaN}', '{"entity":"e","property":"p","time":1,"value":-Infinity}'])
def test_a_bad_row_of_a_list_costs_itself_only(bad: str) -> None:
    got = decode(f"[{line(value=1).decode()}, {bad}, {line(value=2).decode()}]".encode(), "application/json")
    assert got.value.tolist() == [1, 2] and got.line.tolist() == [0, 2] and [r.row for r in got.refused] == [1]


def test_a_csv_line_with_other_cells_costs_itself_only() -> None:
    lines = csv(ROWS).split(b"\n")
    got = decode(b"\n".join([*lines[:2], b"a,b", lines[2], b"1,2,3,4,5,6,7,8", lines[3]]), "text/csv")
    assert len(got.entity) == 3 and [r.row for r in got.refused] == [1, 3] and got.line.tolist() == [0, 2, 4]
    assert [r.code for r in got.refused] == ["reading.cells"] * 2 and json.loads(got.refused[0].raw) == {"entity": "a", "property": "b"}
    assert json.loads(got.refused[1].raw) == {"entity": "1", "property": "2", "time": "3", "value": 4, "unit": "5", "quality": "6", MORE: ["7", "8"]}


def test_a_csv_row_is_kept_whole_with_numbers_as_numbers() -> None:
    body = "entity,property,time,value,unit,lon,lat,name,note\nurn:zs:Gauge:9,Gauge.rain,2026-03-01T12:00:00Z,3,kg,121.5,31.2,东门站,007\n"
    got = decode(body.encode(), "text/csv")
    assert got.sent is not None and json.loads(got.sent(0)) == {
        "entity": "urn:zs:Gauge:9",
        "property": "Gauge.rain",
        "time": "2026-03-01T12:00:00Z",
        "value": 3.0,
        "unit": "kg",
        "lon": 121.5,
        "lat": 31.2,
        "name": "东门站",
        "note": "007",
    }


@pytest.mark.parametrize("form", ["ndjson", "json", "csv"])
def test_what_is_not_utf8_is_told_so_with_the_way_to_mend_it(form: str) -> None:
    body = {"ndjson": line(), "json": b"[" + line() + b"]", "csv": csv(ROWS)}[form].decode().encode("gbk")
    if form == "ndjson":
        (refused,) = decode(body, "").refused
        told = kinds()[refused.code]()
    else:
        with pytest.raises(Problem) as raised:
            decode(body, form)
        told = raised.value
    assert told.kind.code.endswith("not_unicode")
    for language in ("zh", "en"):
        assert "UTF-8" in told.sentence(language) and "iconv" in told.remedy(language) and "codec" not in told.sentence(language)


@pytest.mark.parametrize("media", ["application/xml", "text/html; charset=utf-8", "image/png"])
def test_a_foreign_media_type_is_refused(media: str) -> None:
    with pytest.raises(Problem, match=r"intake.foreign_media"):
        decode(line(), media)
    assert len(decode(line(), "application/x-www-form-urlencoded").value) == 1  # what curl says when nobody tells it


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400", '"3"', "true", "[1]"])
@pytest.mark.parametrize("frame", ["{}", "[{}]", "{}\n{}"])
def test_a_value_that_is_no_number_is_told_so(value: str, frame: str) -> None:
    row = f'{{"entity":"e","property":"p","time":1,"value":{value}}}'
    refused = decode(frame.replace("{}", row).encode(), "").refused
    assert {r.code for r in refused} == {"reading.not_a_number"} and "is not a number" in Problem(kinds()[refused[0].code], refused[0].detail).sentence("en")


def test_a_place_that_is_none_costs_its_row_in_every_shape() -> None:
    rows = [ROWS[0] | {"lon": lon, "lat": lat} for lon, lat in ((121.5, 31.2), (1e300, 31.2), (121.5, -90.5))]
    head = ",".join(rows[0])
    table = "\n".join([head, *(",".join(map(str, r.values())) for r in rows)]).encode()
    for body, media in (("\n".join(map(json.dumps, rows)).encode(), ""), (json.dumps(rows).encode(), "json"), (table, "csv"), (arrow(rows), "arrow")):
        got = decode(body, media)
        assert got.line.tolist() == [0] and [r.row for r in got.refused] == [1, 2] and {r.code for r in got.refused} == {"reading.bad_place"}, media
        assert got.called is not None and got.called(0) == (121.5, 31.2, "")


def test_what_is_cut_says_so() -> None:
    long = line(value="no", note="x" * MAX_LINE)
    for body in (long, b"[" + long + b"]"):
        (refused,) = decode(body, "").refused
        assert len(refused.raw) == MAX_LINE and refused.detail["cut"] is True
    (short,) = decode(line(value="no"), "").refused
    assert "cut" not in short.detail


@pytest.mark.parametrize("cell", ["1_000", "１２", "abc", "nan", "1,5", "0x10"])
def test_a_cell_that_is_no_number_is_kept_as_it_was(cell: str) -> None:
    head, first, *_ = csv(ROWS).decode().split("\n")
    got = decode(f"{head}\n{first.replace('1.5', chr(34) + cell + chr(34))}".encode(), "text/csv")
    assert np.isnan(got.value[0]) and not got.missing[0] and got.sent is not None and json.loads(got.sent(0))["value"] == cell


def test_digits_in_a_csv_are_milliseconds_but_a_date_is_not() -> None:
    body = "entity,property,time,value\n" + "\n".join(f"e,p,{t},1" for t in ("1772366400000", "1772366400000000", "20240101", "2026-03-01", ""))
    assert decode(body.encode(), "csv").time.tolist() == [1772366400000000, 1772366400000000, BAD, BAD, BAD]


def test_of_keys_given_twice_the_last_counts() -> None:
    assert decode(line()[:-1] + b',"value":7}', "").value.tolist() == [7]


def test_one_document_may_stand_over_several_lines() -> None:
    assert decode(json.dumps(ROWS[0], indent=2).encode(), "").value.tolist() == [1.5]


def test_nothing_is_no_reading() -> None:
    assert len(decode(b"", "").entity) == 0 and len(decode(b" \n\r\n", "").entity) == 0 and len(decode(b"[]", "").entity) == 0


def test_gzip_is_undone_torn_refused_and_never_grows_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    body = line()
    packed = gzip.compress(body)
    assert unpack(packed, "gzip") == unpack(packed, "") == unpack(packed, "GZIP ") == unpack(body, "identity") == body
    for torn in (packed[:-1], packed[: len(packed) // 2], packed[:-8] + b"\0" * 8, b"\x1f\x8b", b""):
        with pytest.raises(Problem, match=r"intake.unreadable") as told:
            unpack(torn, "gzip") or unpack(b"\x1f\x8b", "")
        assert "gzip" in told.value.sentence()
    with pytest.raises(Problem, match=r"intake.unreadable"):
        unpack(body, "br")
    monkeypatch.setattr(module, "MAX_BODY", 1000)
    for huge, encoding in ((gzip.compress(bytes(100_000)), "gzip"), (bytes(1001), "")):
        with pytest.raises(Problem, match=r"intake.too_large"):
            unpack(huge, encoding)


@settings(max_examples=150, deadline=None)
@given(
    body=st.one_of(
        st.binary(max_size=200),
        st.text(max_size=100).map(str.encode),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
            lambda s: st.lists(s, max_size=4) | st.dictionaries(st.sampled_from(["entity", "property", "time", "value", "unit"]), s, max_size=5),
            max_leaves=12,
        ).map(lambda d: json.dumps(d).encode()),
    ),
    media=st.sampled_from(["", "text/csv", "application/json", "arrow"]),
)
def test_nothing_whatever_raises_anything_but_a_problem(body: bytes, media: str) -> None:
    try:
        got = decode(body, media)
    except Problem as problem:
        assert problem.sentence("zh")
    else:
        assert len({len(got.entity), len(got.property), len(got.unit), len(got.quality), len(got.time), len(got.value), len(got.missing), len(got.line)}) == 1
        for refused in got.refused:
            refused.raw.encode()
