"""Connectors: rows are read or refused by field; marks last and are kept only after the receipt; a feed survives whatever its reader raises."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhongshu.engines.sqlite_journal import SqliteJournal
from zhongshu.kernel.clock import MINUTE, rfc3339
from zhongshu.kernel.journal import Batch, Entry, Receipt
from zhongshu.kernel.problem import Problem, kinds
from zhongshu.sense import Feed, Pipe, Source, connect, handing
from zhongshu.sense.feeds import feed as runner
from zhongshu.sense.feeds.batches import of_readings, of_rows
from zhongshu.sense.feeds.declared import read_connector, read_connectors
from zhongshu.sense.feeds.feed import Later, Part
from zhongshu.sense.feeds.marks import NUMBER, TEXT, TIME, Marks, back, furthest, order, sort_of
from zhongshu.sense.feeds.web import REFUSED

SQL = {"name": "open", "kind": "postgresql", "address": "postgresql://reader@db/scada", "table": "levels", "watermark": "changed"}
ROWS = {"type": "Gauge", "id": "station", "time": "at", "columns": [{"header": "mm", "property": "Gauge.rain", "unit": "mm"}]}
MODBUS = {"name": "open", "kind": "modbus", "address": "modbus://plc", "registers": [{"at": 1, "entity": "urn:zs:Gauge:1", "property": "Gauge.rain"}]}
SOURCES = {"open": Source("open", "登记", "Open", "city", entities="register", zone="Asia/Shanghai"), "bare": Source("bare", "无时区", "Bare", "city")}


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (SQL | {"kind": "oracle"}, "kind"),
        ({k: v for k, v in SQL.items() if k != "kind"}, "kind"),
        ({k: v for k, v in SQL.items() if k != "table"}, "table"),
        (SQL | {"tabel": "x"}, "tabel"),
        (SQL | {"name": "nobody"}, "name"),
        (SQL | {"every": "often"}, "every"),
        (SQL | {"every": "0s"}, "every"),
        (SQL | {"overlap": "a bit"}, "overlap"),
        (SQL | {"address": "postgresql://reader:pass@db/scada"}, "address"),
        (SQL | {"address": "postgresql://db/scada?password=pass"}, "address"),
        (SQL | {"address": "mysql://db/scada"}, "address"),
        (SQL | {"address": "postgresql://db:port/scada"}, "address"),
        (SQL | {"secret": "my password!"}, "secret"),
        (SQL | {"zone": "Mars/Olympus", "name": "bare"}, "zone"),
        (SQL | {"rows": ROWS | {"columns": []}}, "rows.columns"),
        (SQL | {"rows": ROWS | {"columns": [{"header": "mm"}]}}, "rows.columns[0].property"),
        (MODBUS | {"rows": ROWS}, "rows"),
        (MODBUS | {"device": 300}, "device"),
        (MODBUS | {"registers": [{"at": 70_000, "entity": "e", "property": "p"}]}, "registers[0].at"),
        (MODBUS | {"registers": [{"at": 1, "entity": "e", "property": "p", "type": "int12"}]}, "registers[0].type"),
        ({"name": "open", "kind": "rest", "address": "https://a/b", "paging": {"by": "page"}}, "paging.parameter"),
        ({"name": "open", "kind": "rest", "address": "https://a/b", "auth": "magic"}, "auth"),
        ({"name": "open", "kind": "s3", "address": "s3://drops", "endpoint": "minio:9000"}, "endpoint"),
        ({"name": "open", "kind": "s3", "address": "s3://drops", "endpoint": "localhost"}, "endpoint"),
        ({"name": "open", "kind": "s3", "address": "s3://drops", "endpoint": "https://me:pass@minio:9000"}, "endpoint"),
        ([], "row"),
    ],
)
def test_a_bad_row_names_its_field_in_both_languages(row: Any, field: str) -> None:
    with pytest.raises(Problem, match=r"connector\.invalid") as told:
        read_connector(row, 3, SOURCES)
    assert told.value.particulars["field"] == field and told.value.particulars["row"] == 3
    assert told.value.sentence("zh") and "pass" not in str(told.value).replace("a password", "").replace("no password", "")


def test_a_zone_is_needed_only_by_times_that_have_no_offset(desk: Any) -> None:
    source = read_connector(SQL | {"name": "bare", "rows": ROWS}, 1, SOURCES).source
    times = ["2026-03-01 11:00:00+00", "2026-03-01T19:00:00+08:00", "2026-03-01 11:00:00", "2026-03-01T11:00:00.5", "2026/3/1 11:00", "20260301", "soon", ""]
    batch = of_rows(replace(source, entities="register"), desk.intake, [{"station": "1", "at": at, "mm": "1"} for at in times])
    assert batch.readings is not None and batch.readings.valid.tolist() == [desk.clock.at - 60 * MINUTE] * 2
    assert [r.code for r in batch.refused] == ["reading.no_offset"] * 4 + ["reading.bad_time"] * 2
    assert [json.loads(r.raw)["time"] for r in batch.refused] == times[2:], "what waits to be mended says its time as it came"
    told = Problem(kinds()["reading.no_offset"], batch.refused[2].detail)
    assert all("zone" in told.remedy(language) and times[4] in told.sentence(language) for language in ("zh", "en"))
    assert len(of_rows(replace(source, zone="Asia/Shanghai", entities="register"), desk.intake, [{"station": "1", "at": times[4], "mm": "1"}]).refused) == 0


def test_a_bad_row_costs_no_other(tmp_path: Path, desk: Any, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "connectors.toml"
    assert connect(tmp_path, SOURCES, desk.intake, lambda _: Future(), lambda _: None) == ([], [])
    path.write_text(
        '[[connector]]\nname = "bare"\nkind = "modbus"\naddress = "modbus://h"\nregisters = []\n\n'
        '[[connector]]\nname = "open"\nkind = "s3"\naddress = "s3://drops/a"\n\n[[connector]]\nname = "open"\nkind = "s3"\naddress = "s3://drops/b"\n'
    )
    feeds, reports = connect(tmp_path, SOURCES, desk.intake, lambda _: Future(), lambda _: None)
    assert [feed.name for feed in feeds] == ["open"] and [name for name, _ in reports] == ["open", "bare", "open"]
    assert [report()["failing"] for _, report in reports] == [False, True, True]
    assert [report()["kind"] for _, report in reports] == ["s3", "modbus", "s3"], "what is known of a refused row is told"
    assert all(report()["last_error"][lang]["remedy"] for _, report in reports[1:] for lang in ("zh", "en"))
    assert "registers" in caplog.text
    for content in ("[[connector]\n", "[other]\nx = 1\n", "connector = 1\n"):
        path.write_text(content)
        good, (bad,) = read_connectors(path, SOURCES)
        assert (good, bad.name, bad.problem.kind.code) == ([], "connectors.toml", "connector.unreadable")


# marks


def test_a_mark_lasts_and_a_torn_one_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    marks = Marks(tmp_path / "connectors" / "a.json")
    assert marks.now == {}
    marks.keep({"at": "1"})
    marks.keep({"at": "2"})
    assert Marks(marks.path).now == {"at": "1"}, "the second waits for its turn"
    marks.write()
    assert Marks(marks.path).now == {"at": "2"} and [p.name for p in marks.path.parent.iterdir()] == ["a.json"]
    marks.path.write_bytes(b'{"at"')
    assert Marks(marks.path).now == {} and "mark_unreadable" in caplog.text


@given(st.lists(st.integers(-(10**20), 10**20), min_size=1), st.integers(0, 5000))
def test_numbers_compare_as_numbers(numbers: list[int], overlap: int) -> None:
    texts = [str(n) for n in numbers]
    assert furthest(texts, NUMBER, "", 0) == str(max(numbers)) and sort_of(texts) == NUMBER
    assert int(back(str(numbers[0]), NUMBER, overlap)) == numbers[0] - overlap


@given(st.lists(st.datetimes(), min_size=1))
def test_times_compare_as_times_and_what_lies_ahead_is_no_mark(moments: list[Any]) -> None:
    texts = [m.isoformat(sep=" ") for m in moments]
    latest = order(max(texts), TIME, "UTC")
    assert order(furthest(texts, TIME, "UTC", latest), TIME, "UTC") == latest
    assert furthest(texts, TIME, "UTC", order(min(texts), TIME, "UTC") - 1) == ""


def test_what_is_no_watermark_never_is_one() -> None:
    assert furthest(["NaN", "Infinity", "x", ""], NUMBER, "", 0, "5") == "5"
    assert furthest(["infinity", "", "9999-99-99"], TIME, "UTC", 2**60, "2026-01-01") == "2026-01-01"
    assert furthest(["b", "a"], TEXT, "", 0) == "b" and sort_of(["b", "1"]) == TEXT and sort_of([]) == TEXT
    assert back("0001-01-01 00:00:00", TIME, "1d") == "0001-01-01 00:00:00"


# the runner


class Script:
    """A reader that does what it was told, a turn after the other."""

    def __init__(self, *turns: Any) -> None:
        self.turns, self.marks = list(turns), list[Any]()

    def read(self, mark: dict[str, Any], _: threading.Event) -> Iterator[Part]:
        self.marks.append(mark)
        for each in self.turns.pop(0) if self.turns else []:
            if isinstance(each, Exception):
                raise each
            yield each


@pytest.fixture
def scripted(feed_of: Callable[..., Feed]) -> Callable[..., Feed]:
    def make(*turns: Any) -> Feed:
        held = feed_of({"kind": "s3", "address": "s3://drops", "every": "10ms", "secret": "key"}, {"key": "open-sesame"})
        held.reader = Script(*turns)
        return held

    return make


def part(desk: Any, n: int) -> Part:
    rows = [{"entity": "urn:zs:Gauge:1", "property": "Gauge.rain", "time": rfc3339(desk.clock.at - n * MINUTE), "value": n}]
    return Part(of_readings(desk.open, desk.intake, rows), {"at": n})


def until(what: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def test_a_mark_is_kept_only_after_the_receipt(desk: Any, scripted: Callable[..., Feed], journal: SqliteJournal) -> None:
    held = scripted([part(desk, 1), part(desk, 2), OSError("gone")])
    answers: list[Future[Receipt]] = []
    submit = held.submit

    def slow(batch: Batch) -> "Future[Receipt]":
        assert not held.marks.path.exists() and held.marks.now == {}
        answers.append(submit(batch))
        return answers[-1]

    held.submit = slow
    with pytest.raises(OSError, match="gone"):
        held.once()
    assert held.marks.now == {"at": 2} and journal.counts()["open"]["accepted"] == 2, "what came before the break is kept"
    held.submit = submit
    held.once()
    assert held.reader.marks[-1] == {"at": 2} and json.loads(held.marks.path.read_bytes()) == {"at": 2}
    report = held.report()
    assert (report["rows"], report["failing"], report["lag_s"]) == (2, False, 60.0) and report["last_success"]


def test_a_feed_that_fails_is_tried_again_and_says_so_without_its_secret(
    desk: Any, scripted: Callable[..., Feed], journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runner, "FIRST_DELAY", 0.01)
    turns = [[ValueError("no way in with open-sesame")], [REFUSED(status=403)], [Later(REFUSED(status=429), 0.3)], [KeyError("x")], [part(desk, 1)]]
    held = scripted(*turns)
    held.start()
    until(lambda: held.report()["failing"])
    told = held.report()["last_error"]
    until(lambda: journal.counts().get("open", {}).get("accepted") == 1)
    until(lambda: not held.report()["failing"])
    held.stop()
    assert held.report()["last_error"] is None, "what is mended is not told any more"
    assert told["zh"]["sentence"] and told["en"]["remedy"] and told["at"]
    assert "no way in with ***" in caplog.text and "open-sesame" not in caplog.text + json.dumps(held.report())
    assert {"connector.answered", "connector.failed"} <= {line.message.split()[2].rstrip(":") for line in caplog.records if line.message.startswith("feed.failed")}
    assert "s3://" not in json.dumps(held.report())


def test_one_that_fails_half_way_each_time_is_failing_and_is_asked_less_and_less(
    desk: Any, scripted: Callable[..., Feed], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waits: list[float] = []
    held = scripted(*([Part(part(desk, n).batch), REFUSED(status=403)] for n in range(1, 6)), [Part(part(desk, 9).batch)])
    monkeypatch.setattr(held._stop, "wait", lambda seconds=None: waits.append(seconds) or (len(waits) == 6 and held._stop.set()))
    seen: list[bool] = []
    submit = held.submit
    held.submit = lambda batch: (seen.append(held.report()["failing"]), submit(batch))[1]
    held._run()
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 0.01], "what came before the break does not make it well"
    assert seen == [False, True, True, True, True, True] and not held.report()["failing"]
    assert caplog.text.count("feed.failed") == 1


def test_it_waits_while_the_journal_cannot_write_and_stops_when_told(desk: Any, scripted: Callable[..., Feed], pipe: Pipe, journal: SqliteJournal) -> None:
    pipe._floor = 2**62
    held = scripted([part(desk, 1)], [part(desk, 1)])
    asked = threading.Event()
    submit = held.submit
    held.submit = lambda batch: (asked.set(), submit(batch))[1]
    held.start()
    assert asked.wait(10)
    held.stop()
    assert held._thread is not None and not held._thread.is_alive() and journal.head() == 0 and held.marks.now == {}
    pipe._floor = 0
    held._stop.clear()
    held.once()
    assert journal.counts()["open"]["accepted"] == 1 and held.marks.now == {"at": 1}


def test_a_batch_that_the_journal_could_not_write_is_written_whole_later(
    desk: Any, scripted: Callable[..., Feed], pipe: Pipe, journal: SqliteJournal, record: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    append, failed = journal.append, list[int]()

    def fails_once(*given: Any) -> Any:
        if not failed:
            failed.append(1)
            message = "disk I/O error"
            raise OSError(message)
        return append(*given)

    monkeypatch.setattr(pipe._journal, "append", fails_once)
    monkeypatch.setattr(handing, "AGAIN", 0.01)
    held = scripted([part(desk, 1)])
    held.once()
    assert failed and journal.counts()["open"]["accepted"] == 1 and held.report()["rows"] == 1
    assert [len(e.readings) for e in record if e.readings is not None] == [1], "what was counted is there"


def test_a_secret_that_is_not_there_is_a_problem_with_what_to_do(feed_of: Callable[..., Feed]) -> None:
    held = feed_of({"kind": "s3", "address": "s3://drops", "user": "me", "secret": "my-key"})
    with pytest.raises(Problem, match="ZS_SECRET_MY_KEY"):
        held.once()
