"""The watched folder: a file is taken in once it is complete, once; what cannot be read lies beside its problem; a restart loses and doubles nothing."""

import gzip
import json
import os
import shutil
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from zhongshu.engines.sqlite_journal import SqliteJournal
from zhongshu.kernel.clock import MINUTE
from zhongshu.kernel.journal import Batch, Receipt
from zhongshu.sense import FolderReader, Pipe, Source
from zhongshu.sense.readers import folder as module


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox" / "known").mkdir(parents=True)
    return tmp_path / "inbox"


@pytest.fixture
def watch(desk: Any, pipe: Pipe, inbox: Path) -> FolderReader:
    sources = {s.name: s for s in (desk.known, Source("voices", "诉求", "Voices", "city", kind="requests"))}
    return FolderReader(inbox, sources, desk.intake, pipe.submit)


def rows(at: int, *values: float) -> str:
    return "\n".join(json.dumps({"entity": "urn:zs:Gauge:1", "property": "Gauge.rain", "time": (at - MINUTE) // 1000 + i, "value": v}) for i, v in enumerate(values))


def put(path: Path, content: str | bytes, *, old: bool = True) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if old:
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return path


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is complete as soon as it has been there at all."""
    monkeypatch.setattr(module, "SETTLED", 0.0)


@pytest.mark.usefixtures("patient")
def test_a_complete_file_is_taken_in_and_moved(desk: Any, watch: FolderReader, inbox: Path, journal: SqliteJournal) -> None:
    put(inbox / "known" / "a.ndjson", rows(desk.clock.at, 1, 2))
    put(inbox / "known" / "b.csv.gz", gzip.compress(f"entity,property,time,value\nurn:zs:Gauge:2,Gauge.rain,{desk.clock.at // 1000},3\n".encode()))
    put(inbox / "voices" / "c.ndjson", '{"id":"r1"}\n{"id":""}')
    assert watch.look() == 3 and watch.look() == 0
    counts = journal.counts()
    assert counts["known"]["accepted"] == 3 and (counts["voices"]["accepted"], counts["voices"]["quarantined"]) == (1, 1)
    assert sorted(p.name for p in (inbox / "known" / "done").iterdir()) == ["a.ndjson", "b.csv.gz"] and not list(inbox.glob("*/*.*"))


def test_a_file_that_is_still_written_is_left_alone(desk: Any, watch: FolderReader, inbox: Path, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLED", 1000.0)
    path = put(inbox / "known" / "a.ndjson", rows(desk.clock.at, 1), old=False)
    for name in ("b.ndjson.part", "c.tmp", ".hidden", "d.ndjson.filepart"):
        put(inbox / "known" / name, rows(desk.clock.at, 2))
    assert watch.look() == 0
    clock = [module.time.monotonic()]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    clock[0] += 999
    assert watch.look() == 0
    path.write_text(rows(desk.clock.at, 1, 2))
    clock[0] += 500
    assert watch.look() == 0, "it changed meanwhile"
    clock[0] += 1001
    assert watch.look() == 1 and journal.counts()["known"]["accepted"] == 2
    (inbox / "known" / "b.ndjson.part").rename(inbox / "known" / "b.ndjson")
    monkeypatch.setattr(module, "SETTLED", 0.0)
    assert watch.look() == 1 and sorted(p.name for p in (inbox / "known").iterdir() if p.is_file()) == [".hidden", "c.tmp", "d.ndjson.filepart"]


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("content", [b"", "entity,路灯".encode("gbk"), gzip.compress(b"x" * 100)[:-5], b"[{"])
def test_a_file_that_cannot_be_read_lies_beside_its_problem_and_stops_nothing(desk: Any, watch: FolderReader, inbox: Path, journal: SqliteJournal, content: bytes) -> None:
    put(inbox / "known" / "a.csv", content)
    put(inbox / "known" / "b.ndjson", rows(desk.clock.at, 1))
    watch.look()
    assert journal.counts()["known"]["accepted"] == 1
    assert (inbox / "known" / "refused" / "a.csv").read_bytes() == content
    told = json.loads((inbox / "known" / "refused" / "a.csv.problem.json").read_text())
    assert told["code"] in {"intake.unreadable", "intake.not_unicode"} and all(told[lang][what] for lang in ("zh", "en") for what in ("sentence", "remedy"))


@pytest.mark.usefixtures("patient")
def test_a_folder_of_no_source_is_told_of_and_its_files_wait(desk: Any, watch: FolderReader, inbox: Path) -> None:
    put(inbox / "stranger" / "a.ndjson", rows(desk.clock.at, 1))
    assert watch.look() == 0 and (inbox / "stranger" / "a.ndjson").exists()
    assert json.loads((inbox / "stranger" / ".stranger.problem.json").read_text())["code"] == "source.unknown"


@pytest.mark.usefixtures("patient")
def test_the_same_file_again_changes_nothing(desk: Any, watch: FolderReader, inbox: Path, journal: SqliteJournal) -> None:
    for _ in range(3):
        put(inbox / "known" / "a.ndjson", rows(desk.clock.at, 1, 2))
        assert watch.look() == 1
    assert journal.counts()["known"]["accepted"] == 2 and sorted(p.name for p in (inbox / "known" / "done").iterdir()) == ["1.a.ndjson", "2.a.ndjson", "a.ndjson"]


@pytest.mark.usefixtures("patient")
def test_a_file_broken_off_is_read_again_after_a_restart(desk: Any, watch: FolderReader, pipe: Pipe, inbox: Path, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    put(inbox / "known" / "a.ndjson", rows(desk.clock.at, 1, 2, 3))
    with monkeypatch.context() as patch:
        patch.setattr(module, "_move", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            watch.look()
    assert journal.counts()["known"]["accepted"] == 3 and (inbox / "known" / "a.ndjson").exists()
    again = FolderReader(inbox, {"known": desk.known}, desk.intake, pipe.submit)
    assert again.look() == 1 and journal.counts()["known"]["accepted"] == 3 and (inbox / "known" / "done" / "a.ndjson").exists()


@pytest.mark.usefixtures("patient")
def test_it_waits_while_the_journal_cannot_write_and_stops_when_told(
    desk: Any, watch: FolderReader, pipe: Pipe, inbox: Path, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe._floor = 2**62
    asked = threading.Event()
    submit = pipe.submit

    def counted(batch: Batch) -> "Future[Receipt]":
        asked.set()
        return submit(batch)

    monkeypatch.setattr(module, "PAUSE", 0.01)
    first = FolderReader(inbox, {"known": desk.known}, desk.intake, counted)
    put(inbox / "known" / "a.ndjson", rows(desk.clock.at, 1))
    first.start()
    assert asked.wait(10)
    first.stop()
    assert not first._thread.is_alive() and (inbox / "known" / "a.ndjson").exists() and journal.head() == 0
    pipe._floor = 0
    assert watch.look() == 1 and journal.counts()["known"]["accepted"] == 1


@pytest.mark.usefixtures("patient")
def test_a_link_is_not_followed(desk: Any, watch: FolderReader, inbox: Path, tmp_path: Path) -> None:
    outside = put(tmp_path / "outside" / "a.ndjson", rows(desk.clock.at, 1))
    (inbox / "known" / "a.ndjson").symlink_to(outside)
    assert watch.look() == 0 and outside.exists()
    shutil.rmtree(tmp_path / "outside")
