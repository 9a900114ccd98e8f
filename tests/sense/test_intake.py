"""Intake: every row is either a reading, exactly what was sent, or refused with a reason; and never one at another's cost."""

import io
import json
import math
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongshu.kernel.clock import HOUR, MINUTE, parse_time, rfc3339
from zhongshu.kernel.problem import Problem, kinds
from zhongshu.kernel.quantity import NULL
from zhongshu.kernel.reading import Flag
from zhongshu.sense import Source

fast = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def row(now: int, **other: Any) -> dict[str, Any]:
    return {"entity": "urn:zs:Gauge:1", "property": "Gauge.rain", "time": rfc3339(now - MINUTE), "value": 1.5} | other


def send(desk: Any, *rows: dict[str, Any] | str, source: Source | None = None) -> Any:
    body = "\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows)
    return desk.intake.receive(source or desk.known, body.encode(), batch="b")


def codes(batch: Any) -> list[str]:
    for refused in batch.refused:
        kind = kinds()[refused.code]
        problem = Problem(kind, refused.detail)
        assert all(problem.sentence(lang) and problem.remedy(lang) and "<" not in problem.sentence(lang) for lang in ("zh", "en")), refused
        assert refused.raw
    return [r.code for r in sorted(batch.refused, key=lambda r: r.row)]


@fast
@given(value=st.decimals(0, 500, places=4))
def test_a_value_becomes_whole_ticks_half_even(desk: Any, value: Decimal) -> None:
    (ticks,) = send(desk, row(desk.clock.at, value=float(value))).readings.ticks
    exact = (value / Decimal("0.1")).quantize(Decimal(1), ROUND_HALF_EVEN)
    half = (value * 10) % 1 == Decimal("0.5")
    assert abs(int(ticks) - float(value * 10)) <= 0.5 + 1e-9 and (half or int(ticks) == int(exact))


@pytest.mark.parametrize(("value", "ticks"), [(0.25, 2), (0.75, 8), (1.25, 12), (2.5, 25), (0.05, 0), (0.15000000000000002, 2), (500.0, 5000)])
def test_halves_go_to_the_even_tick(desk: Any, value: float, ticks: int) -> None:
    assert send(desk, row(desk.clock.at, value=value)).readings.ticks.tolist() == [ticks]


FACTORS = {"mm": Fraction(1), "cm": Fraction(10), "m": Fraction(1000), "in": Fraction("25.4"), "ft": Fraction("304.8")}


@fast
@given(unit=st.sampled_from(sorted(FACTORS)), ticks=st.integers(0, 5000))
def test_units_convert_to_the_property_s_own_and_the_raw_value_stays(desk: Any, unit: str, ticks: int) -> None:
    value = float(Fraction(ticks, 10) / FACTORS[unit])
    readings = send(desk, row(desk.clock.at, value=value, unit=unit)).readings
    assert readings.ticks.tolist() == [ticks] and readings.raw.tolist() == [value] and readings.units[readings.unit[0]] == unit


@pytest.mark.parametrize(("value", "unit", "ticks"), [(32.0, "°F", 0), (-40.0, "°F", -4000), (273.15, "K", 0), (21.5, "degC", 2150), (0.0, None, 0)])
def test_temperatures_shift(desk: Any, value: float, unit: str | None, ticks: int) -> None:
    assert send(desk, row(desk.clock.at, property="Gauge.temp", value=value, unit=unit)).readings.ticks.tolist() == [ticks]


ODD: list[tuple[dict[str, Any] | str, str]] = [
    ({"value": 500.06}, "reading.out_of_range"),
    ({"value": -0.1}, "reading.out_of_range"),
    ({"value": 1e308}, "reading.out_of_range"),
    ({"value": 1e308, "unit": "m"}, "reading.out_of_range"),
    ({"value": -1e308, "unit": "ft"}, "reading.out_of_range"),
    ({"value": 10**400}, "reading.not_a_number"),
    ({"value": "1.5"}, "reading.not_a_number"),
    ({"value": True}, "reading.not_a_number"),
    ({"value": [1]}, "reading.not_a_number"),
    ({"value": math.nan}, "reading.not_a_number"),
    ({"value": math.inf}, "reading.not_a_number"),
    ({"lon": 1e300, "lat": 0}, "reading.bad_place"),
    ({"entity": "urn:zs:Gauge:9"}, "entity.unknown"),
    ({"entity": "gauge 1"}, "entity.bad_id"),
    ({"entity": ""}, "entity.bad_id"),
    ({"entity": 7}, "reading.unreadable"),
    ({"entity": "urn:zs:Gauge:" + "x" * 300}, "entity.bad_id"),
    ({"entity": "urn:zs:Gauge:"}, "entity.bad_id"),
    ({"property": "Gauge.wind"}, "reading.unknown_property"),
    ({"property": "Loop.speed"}, "reading.unknown_property"),
    ({"property": ""}, "reading.unknown_property"),
    ({"unit": "kg"}, "reading.wrong_unit"),
    ({"unit": "°C"}, "reading.wrong_unit"),
    ({"unit": "斤"}, "reading.wrong_unit"),
    ({"time": "yesterday"}, "reading.bad_time"),
    ({"time": "2026-03-01T11:00:00"}, "reading.no_offset"),
    ({"time": ""}, "reading.bad_time"),
    ({"time": "2026-02-30T00:00:00Z"}, "reading.bad_time"),
    ({"time": "0001-01-01T00:00:00Z"}, "reading.bad_time"),
    ({"time": -(2**63)}, "reading.bad_time"),
    ({"time": -(2**70)}, "reading.bad_time"),
    ({"time": 2**70}, "reading.future"),
    ({"time": 2**63 - 1}, "reading.future"),
    ({"time": "2026-03-01T12:10:01Z"}, "reading.future"),
    ({"time": "9999-12-31T23:59:59Z"}, "reading.future"),
    ({"time": 1.5}, "reading.unreadable"),
    ({"time": None}, "reading.unreadable"),
    ("{", "reading.unreadable"),
    ("null", "reading.unreadable"),
    ("[1]", "reading.unreadable"),
    ('{"entity":"\\ud800"}', "reading.unreadable"),
    ("{}", "reading.unreadable"),
    ("\x00", "reading.unreadable"),
]


@pytest.mark.parametrize(("odd", "code"), ODD)
def test_a_bad_row_is_refused_alone_with_a_reason(desk: Any, odd: dict[str, Any] | str, code: str) -> None:
    good = row(desk.clock.at)
    batch = send(desk, good, odd if isinstance(odd, str) else row(desk.clock.at, **odd), row(desk.clock.at, entity="urn:zs:Gauge:2"))
    assert codes(batch) == [code] and [r.row for r in batch.refused] == [1]
    assert batch.readings.ticks.tolist() == [15, 15]


@fast
@given(rows=st.lists(st.tuples(st.booleans(), st.sampled_from(range(len(ODD)))), max_size=12))
def test_any_mix_of_good_and_bad_rows_keeps_every_good_one(desk: Any, rows: list[tuple[bool, int]]) -> None:
    sent = [row(desk.clock.at, value=i / 10) if good else ODD[odd][0] if isinstance(ODD[odd][0], str) else row(desk.clock.at, **ODD[odd][0]) for i, (good, odd) in enumerate(rows)]
    if not sent:
        return
    batch = send(desk, *sent)
    assert batch.readings.ticks.tolist() == [i for i, (good, _) in enumerate(rows) if good]
    assert codes(batch) == [ODD[odd][1] for good, odd in rows if not good] and sorted(r.row for r in batch.refused) == [i for i, (good, _) in enumerate(rows) if not good]


def test_a_first_line_that_is_a_list_costs_itself_only(desk: Any) -> None:
    batch = send(desk, "[]", row(desk.clock.at), "[1, 2]")
    assert len(batch.readings) == 1 and [r.row for r in batch.refused] == [0, 2]
    assert [d["id"] for d in voices(desk, "[]", {"id": "a"}).documents] == ["a"]


def test_a_refused_row_is_kept_as_it_was_sent(desk: Any) -> None:
    line = '{"entity":"urn:zs:Gauge:1","property":"Gauge.rain",  "time":"yesterday","value":1.50,"note":"雨"}'
    assert send(desk, line).refused[0].raw == line
    assert json.loads(desk.intake.receive(desk.known, b"[" + line.encode() + b"]").refused[0].raw) == json.loads(line)


def test_a_new_entity_has_the_place_and_name_that_its_first_row_gives(desk: Any) -> None:
    rows = [
        row(desk.clock.at, entity="urn:zs:Gauge:7", lon=121.5, lat=31.2, name="东门站"),
        row(desk.clock.at, entity="urn:zs:Gauge:8", lon=-3.0, lat=50.0),
        row(desk.clock.at, entity="urn:zs:Gauge:9"),
        row(desk.clock.at, entity="urn:zs:Gauge:1", lon=-3.0, lat=50.0),
    ]
    batch = send(desk, *rows, source=desk.open)
    seven, eight, nine = (desk.registry.entity(f"urn:zs:Gauge:{n}") for n in (7, 8, 9))
    assert (seven.area, seven.lon, seven.lat, seven.name_zh, seven.name_en) == (990101001001009, 121.5, 31.2, "东门站", "东门站")
    assert (eight.area, eight.lon, eight.name_zh) == (990199000000000, -3.0, "8") and (nine.area, nine.lon) == (990199000000000, None)
    assert batch.readings.flags.tolist() == [0, Flag.UNPLACED, 0, 0] and [d["id"] for d in batch.entities] == [seven.id, eight.id, nine.id]
    assert batch.readings.area.tolist()[0] == 990101001001009
    table = "entity,property,time,value,lon,lat,name\nurn:zs:Gauge:5,Gauge.rain,2026-03-01T12:00:00Z,1,121.5,31.2,西门站"
    desk.intake.receive(desk.open, table.encode(), "text/csv")
    assert (desk.registry.entity("urn:zs:Gauge:5").lat, desk.registry.entity("urn:zs:Gauge:5").name_zh) == (31.2, "西门站")


@pytest.mark.parametrize("form", ["ndjson", "csv", "arrow"])
def test_a_time_without_an_offset_is_local_in_its_source_s_zone(desk: Any, form: str) -> None:
    here = Source("here", "本地", "Here", "city", zone="Asia/Shanghai")
    held = [row(desk.clock.at, time=t) for t in ("2026-03-01T19:30:00", "2026-03-01 19:30:01.5", "2026-03-01", "2026-03-01T11:30:03Z")]
    if form == "ndjson":
        body = "\n".join(map(json.dumps, held)).encode()
    elif form == "csv":
        body = "\n".join([",".join(held[0]), *(",".join(map(str, r.values())) for r in held)]).encode()
    else:
        held = [row(desk.clock.at, time=datetime(2026, 3, 1, 19, 30)), row(desk.clock.at, time=datetime(2026, 3, 1, 19, 30, 1, 500000))]
        out = io.BytesIO()
        table = pa.Table.from_pylist(held)
        with pa.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
        body = out.getvalue()
    batch = desk.intake.receive(here, body, form)
    assert batch.readings.valid.tolist()[:2] == [parse_time("2026-03-01T11:30:00Z"), parse_time("2026-03-01T11:30:01.5Z")]
    assert codes(batch) == ([] if form == "arrow" else ["reading.bad_time"])
    nowhere = desk.intake.receive(desk.known, body, form)
    assert codes(nowhere)[:2] == ["reading.no_offset"] * 2 and "offset" in Problem(kinds()["reading.no_offset"], nowhere.refused[0].detail).sentence("en")
    assert voices(desk, {"id": "a", "created": "2026-03-01T19:30:00"}, source=here).documents[0]["created"] == parse_time("2026-03-01T11:30:00Z")
    assert codes(voices(desk, {"id": "a", "created": "2026-03-01T19:30:00"})) == ["reading.no_offset"]


def test_a_null_value_is_a_reading_that_says_so(desk: Any) -> None:
    batch = send(desk, row(desk.clock.at, value=None))
    assert batch.readings.ticks.tolist() == [NULL] and batch.readings.table()["ticks"].to_pylist() == [None] and batch.readings.table()["raw"].to_pylist() == [None]


@pytest.mark.parametrize(("quality", "flag"), [(None, 0), ("", 0), ("good", 0), ("estimated", Flag.ESTIMATED), ("bad", Flag.SUSPECT), ("存疑", Flag.SUSPECT)])
def test_quality_becomes_a_flag(desk: Any, quality: str | None, flag: int) -> None:
    assert send(desk, row(desk.clock.at, quality=quality), row(desk.clock.at)).readings.flags.tolist() == [flag, 0]


def test_late_is_a_flag_and_history_is_welcome_unless_the_source_says_otherwise(desk: Any) -> None:
    rows = [row(desk.clock.at, time=(desk.clock.at - age) // 1000) for age in (HOUR, HOUR + 1000, 50_000 * HOUR)]
    assert send(desk, *rows).readings.flags.tolist() == [0, Flag.LATE, Flag.LATE]
    strict = Source("strict", "严", "Strict", "city", past=2 * HOUR, future=0)
    batch = send(desk, *rows, row(desk.clock.at, time=desk.clock.at), row(desk.clock.at, time=desk.clock.at // 1000 + 1), source=strict)
    assert codes(batch) == ["reading.past", "reading.future"] and len(batch.readings) == 3


def test_times_may_be_rfc3339_or_integers_of_ms_or_us(desk: Any) -> None:
    at = desk.clock.at - MINUTE
    times = [rfc3339(at), "2026-03-01T19:59:00+08:00", "2026-03-01 11:59:00Z", at // 1000, at, "2026-03-01T11:59:00.000000000Z"]
    assert set(send(desk, *(row(at, time=t) for t in times)).readings.valid.tolist()) == {at}


def test_a_source_may_register_what_it_names(desk: Any) -> None:
    rows = [
        row(desk.clock.at, entity="urn:zs:Gauge:new"),
        row(desk.clock.at, entity="urn:zs:Gauge:new", value=2),
        row(desk.clock.at, entity="no urn"),
        row(desk.clock.at, entity="urn:zs:X:1", property="No.such"),
    ]
    batch = send(desk, *rows, source=desk.open)
    assert codes(batch) == ["entity.bad_id", "reading.unknown_property"] and len(batch.readings) == 2
    (document,) = batch.entities
    assert (document["id"], document["type"], document["area"], document["owner"]) == ("urn:zs:Gauge:new", "Gauge", 990199000000000, "city")
    assert set(batch.readings.area.tolist()) == {990199000000000} and "urn:zs:X:1" not in desk.registry.entities.numbers
    assert send(desk, rows[0], source=desk.open).entities == [], "registered once"


def test_hostile_units_and_qualities_take_no_room_and_no_time(desk: Any) -> None:
    before = len(desk.registry.units)
    batch = send(desk, *(row(desk.clock.at, unit=f"u{i}", quality=f"q{i}") for i in range(20_000)))
    assert len(batch.refused) == 20_000 and len(desk.registry.units) == before


# requests


def voices(desk: Any, *documents: Any, source: Source | None = None) -> Any:
    body = "\n".join(d if isinstance(d, str) else json.dumps(d) for d in documents)
    return desk.intake.requests(source or desk.known, body.encode())


def test_a_request_needs_an_id_and_gets_its_time_and_area(desk: Any) -> None:
    batch = voices(desk, {"id": "a", "text": "路灯不亮", "lon": 1, "lat": 2, "created": "2026-03-01T08:00:00+08:00"}, {"id": 7, "area": "990101001000000"}, {"id": "c"})
    a, b, c = batch.documents
    assert a["area"] == 990101001001009 and a["created"] == desk.clock.at - 12 * HOUR and "flags" not in a
    assert b["id"] == "7" and b["area"] == 990101001000000 and b["created"] == desk.clock.at
    assert c["area"] == 990199000000000 and c["flags"] == ["unplaced"]


@pytest.mark.parametrize(
    "odd",
    [
        "5",
        "null",
        '"x"',
        "{}",
        '{"id":""}',
        '{"id":null}',
        '{"id":true}',
        '{"id":["a"]}',
        '{"id":"a","created":"soon"}',
        '{"id":"a","created":1e400}',
        '{"id":"a","created":' + "9" * 30 + "}",
        '{"id":"a","area":"x"}',
        '{"id":"a","area":12345678901234567}',
        '{"id":"a","text":"\\ud800"}',
        '{"id":"a","x":NaN}',
        "{bad",
        "[" * 5000,
        '{"id":"a","x":' + "[" * 5000 + "]" * 5000 + "}",
    ],
)
def test_a_bad_request_costs_no_good_one(desk: Any, odd: str) -> None:
    batch = voices(desk, '{"id":"good"}', odd, '{"id":"also good"}')
    assert [d["id"] for d in batch.documents] == ["good", "also good"] and len(codes(batch)) == 1 and batch.refused[0].row == 1
    json.dumps(batch.documents, ensure_ascii=False, allow_nan=False).encode()
    (batch.refused[0].raw + json.dumps(batch.refused[0].detail, ensure_ascii=False, default=str)).encode()


@pytest.mark.parametrize("place", [{"lon": "x", "lat": 1}, {"lon": 999, "lat": 1}, {"lon": 1}, {"lon": 1, "lat": 10**400}, {"area": "110101001001001"}])
def test_a_place_that_cannot_be_is_flagged_not_refused(desk: Any, place: dict[str, Any]) -> None:
    (document,) = voices(desk, {"id": "a", **place}).documents
    assert document["area"] == 990199000000000 and document["flags"] == ["unplaced"]


@pytest.mark.parametrize("body", ['{"id":"a"}', '[{"id":"a"}]', '{\n "id": "a"\n}', '\ufeff{"id":"a"}\r\n\r\n'])
def test_a_body_is_one_document_a_list_or_lines(desk: Any, body: str) -> None:
    assert [d["id"] for d in voices(desk, body).documents] == ["a"]


@pytest.mark.parametrize("body", [b"[{", "路灯".encode("gbk"), b"{\n", b"[" * 200_000, b"\x1f\x8bxx"])
def test_a_body_that_cannot_be_read_at_all_is_a_problem(desk: Any, body: bytes) -> None:
    with pytest.raises(Problem) as told:
        desk.intake.requests(desk.known, body)
    assert told.value.kind.code in {"intake.unreadable", "intake.not_unicode"} and told.value.remedy("zh")


@pytest.mark.parametrize("text", ["   ", "\u200b\u200d\ufeff", "……！！", "\x00"])
def test_a_voice_without_words_is_refused_with_the_reason_unless_it_shows_something(desk: Any, text: str) -> None:
    batch = voices(desk, {"id": "a", "text": text}, {"id": "b", "text": text, "photos": ["c" * 64]}, {"id": "c", "text": "路\x00灯不亮", "address": "\x1b文汇路"})
    assert [one.code for one in batch.refused] == ["request.no_words"]
    assert [one["id"] for one in batch.documents] == ["b", "c"]
    assert (batch.documents[1]["text"], batch.documents[1]["address"]) == ("路灯不亮", "文汇路")
