"""The journal's port: what was acknowledged is there, in one order, once, whatever becomes of the process."""

import hashlib
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from journals import T0, batch, readings, seen_one

from zhongshu.engines.nats_journal import NatsJournal
from zhongshu.engines.sqlite_journal import SqliteJournal
from zhongshu.kernel.clock import DAY, parse_time
from zhongshu.kernel.journal import Batch, Refused, document_digest
from zhongshu.kernel.problem import Problem
from zhongshu.kernel.reading import SCHEMA

pytestmark = pytest.mark.port
JOURNALS = ["sqlite", "nats"]
Open = Callable[[Path], SqliteJournal]


@pytest.fixture(params=JOURNALS)
def open_journal(request: pytest.FixtureRequest) -> Open:
    """Return what opens the journal of a path, on each store; a path has a stream of its own."""
    if request.param == "sqlite":
        return SqliteJournal
    url: str = request.getfixturevalue("nats").url
    return lambda path: NatsJournal(url, path, hashlib.sha256(str(path).encode()).hexdigest()[:16])


@pytest.fixture
def journal(open_journal: Open, tmp_path: Path) -> Iterator[SqliteJournal]:
    held = open_journal(tmp_path / "journal")
    yield held
    held.close()


@pytest.fixture
def in_one_file(tmp_path: Path) -> Iterator[SqliteJournal]:
    """Return a journal whose contents are in its file too."""
    held = SqliteJournal(tmp_path / "journal")
    yield held
    held.close()


def test_readings_that_were_put_together_count_for_their_batches(journal: SqliteJournal) -> None:
    first, second = batch("a"), batch("b")
    first.accepted, second.accepted = 2, 1
    receipts, entries = journal.append([first, second, batch("c", [9])], 10, readings([1, 2, 3]))
    assert [r.accepted for r in receipts] == [2, 1, 1] and journal.counts()["s"]["accepted"] == 4
    (entry,) = entries
    assert entry.table is not None and entry.table["ticks"].to_pylist() == [1, 2, 3, 9]


def test_a_group_comes_back_as_it_was_in_order(journal: SqliteJournal) -> None:
    entity = {"id": "urn:zs:A:1", "name_zh": "雨量站"}
    voice = {"id": "r1", "text": "路灯不亮\n两行\u2028", "created": T0}
    receipts, entries = journal.append([batch("a", [1, 2], entities=[entity]), batch("b", [3]), Batch("requests", "voices", "c", "d", documents=[voice])], 10)
    assert [(r.batch, r.accepted, r.offset) for r in receipts] == [("a", 2, 3), ("b", 1, 3), ("c", 1, 3)]
    assert [(e.kind, e.offset, e.known) for e in entries] == [("entities", 1, 10), ("readings", 2, 10), ("requests", 3, 10)]
    again = list(journal.read(0))
    assert [(e.kind, e.offset, e.known) for e in again] == [("entities", 1, 10), ("readings", 2, 10), ("requests", 3, 10)]
    table = again[1].table
    assert table is not None and table.schema == SCHEMA and table["ticks"].to_pylist() == [1, 2, 3] and set(table["known"].to_pylist()) == {10}
    assert again[0].documents == (entity,) and again[2].documents == (voice | {"source": "voices"},)
    assert [e.offset for e in journal.read(2)] == [3] and [e.offset for e in journal.read(0, "requests")] == [3]
    assert journal.head() == 3 and journal.last_known() == 10


def test_an_empty_journal_says_so(journal: SqliteJournal) -> None:
    assert (journal.head(), journal.last_known(), journal.counts(), list(journal.read(0)), seen_one(journal, "s", "a")) == (0, 0, {}, [], None)


def test_a_batch_is_remembered_with_its_digest_and_receipt(journal: SqliteJournal) -> None:
    (receipt,), _ = journal.append([batch("a", [1, 2])], 10)
    seen = seen_one(journal, "s", "a")
    assert seen is not None and seen[0] == "digest a" and seen[1].repeated
    assert (seen[1].accepted, seen[1].offset) == (receipt.accepted, receipt.offset)
    assert seen_one(journal, "other", "a") is None


def test_a_batch_is_remembered_for_thirty_days_of_the_wall_whatever_is_played_again(journal: SqliteJournal) -> None:
    journal.append([batch("now", [1])], parse_time("2026-03-01T00:00:00Z"))
    journal.append([batch("replayed", [2])], parse_time("2013-03-01T00:00:00Z"))
    journal.append([batch("old", [3])], parse_time("2026-03-01T00:00:01Z"))
    with sqlite3.connect(journal.path) as file:
        file.execute("UPDATE batch SET taken = taken - 31 * 86400 WHERE batch = 'old'")
    file.close()
    journal.trim(3)
    assert [seen_one(journal, "s", name) is not None for name in ("now", "replayed", "old")] == [True, True, False]


def test_a_group_is_whole_or_not_at_all(journal: SqliteJournal) -> None:
    journal.append([batch("a", [1])], 10)
    with pytest.raises(sqlite3.IntegrityError):
        journal.append([batch("b", [2], refused=[Refused(0, "x", {}, "raw")]), batch("a", [3])], 11)
    assert journal.head() == 1 and seen_one(journal, "s", "b") is None and journal.quarantine("s", 0, 10) == []
    assert journal.counts()["s"]["accepted"] == 1
    with pytest.raises(UnicodeEncodeError):
        journal.append([batch("c", [2]), Batch("requests", "s", "d", "", documents=[{"id": "\ud800"}])], 12)
    (receipt,), _ = journal.append([batch("b", [2])], 13)
    assert receipt.offset == 2 and [e.offset for e in journal.read(0)] == [1, 2]


def test_quarantine_keeps_what_was_refused_and_is_mended_with_the_batch_that_mends(journal: SqliteJournal) -> None:
    raw = '{"entity":"×","value":"=1+1"}\n\t"'
    journal.append([batch("a", [1], refused=[Refused(7, "reading.future", {"time": "…", "limit_s": 600}, raw), Refused(9, "y", {}, "")])], 10)
    first, second = journal.quarantine("s", 0, 10)
    assert (first["row"], first["code"], first["detail"], first["raw"], first["known"], first["mended"]) == (7, "reading.future", {"time": "…", "limit_s": 600}, raw, 10, None)
    assert journal.quarantine("s", first["id"], 10) == [second] and journal.quarantine("other", 0, 10) == []
    assert journal.refused("s", first["id"]) == first and journal.refused("other", first["id"]) is None
    journal.append([batch("mend", [5], mends=(first["id"],))], 20)
    assert [r["mended"] for r in journal.quarantine("s", 0, 10)] == [20, None]
    assert journal.counts()["s"] == {"accepted": 2, "quarantined": 2, "duplicates": 0, "known": 20}


def test_requests_are_known_by_what_was_last_sent_under_their_id(journal: SqliteJournal) -> None:
    open_, closed = {"id": "r1", "state": "Open"}, {"id": "r1", "state": "Closed"}
    assert journal.digests("s", ["r1"]) == {}
    journal.append([Batch("requests", "s", "a", "1", documents=[open_, {"id": "r2", "digest": "sent"}])], 10)
    assert journal.digests("s", ["r1", "r2", "r3"]) == {"r1": document_digest(open_), "r2": "sent"} and journal.digests("other", ["r1"]) == {}
    journal.append([Batch("requests", "s", "b", "2", documents=[closed])], 11)
    assert journal.digests("s", ["r1"]) == {"r1": document_digest(closed)} != {"r1": document_digest(open_)}
    journal.append([Batch("requests", "s", "c", "3", documents=[{"id": str(i), "digest": "d"} for i in range(1200)])], 12)
    assert len(journal.digests("s", [str(i) for i in range(1200)])) == 1200


def test_a_journal_of_before_digests_is_opened(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "journal") as db:
        db.execute("CREATE TABLE request_key (source TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (source, key)) WITHOUT ROWID")
        db.execute("INSERT INTO request_key VALUES ('s', 'r1')")
    db.close()
    journal = SqliteJournal(tmp_path / "journal")
    assert journal.digests("s", ["r1"]) == {"r1": ""}
    journal.close()


def test_trimming_forgets_what_the_warehouse_has_but_no_entity_and_not_the_head(open_journal: Open, journal: SqliteJournal, tmp_path: Path) -> None:
    journal.append([batch("a", [1], entities=[{"id": "urn:zs:A:1"}])], 10)
    journal.append([batch("b", [2])], 11 + 31 * DAY)
    journal.append([batch("c", [3])], 12 + 31 * DAY)
    journal.trim(3)
    assert [(e.offset, e.kind) for e in journal.read(0)] == [(1, "entities"), (4, "readings")]
    journal.trim(99)
    assert journal.head() == 4
    journal.close()
    again = open_journal(tmp_path / "journal")
    assert again.head() == 4 and again.last_known() == 12 + 31 * DAY
    assert again.counts()["s"]["accepted"] == 3
    again.close()


def test_a_trim_that_fails_does_not_stop_the_next_append(journal: SqliteJournal) -> None:
    journal.append([batch("a", [1])], 10)
    with pytest.raises(OverflowError):
        journal.trim(2**70)
    journal.append([batch("b", [2])], 11)
    assert journal.head() == 2


def test_a_full_disk_is_a_problem_and_costs_nothing_acknowledged(in_one_file: SqliteJournal) -> None:
    journal = in_one_file
    journal.append([batch("a", [1])], 10)
    (pages,) = journal._write.execute("PRAGMA page_count").fetchone()
    journal._write.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(Problem) as told:
        journal.append([batch("b", list(range(100_000)))], 11)
    assert told.value.kind.code == "journal.full" and told.value.remedy("zh")
    journal._write.execute("PRAGMA max_page_count=1000000")
    journal.append([batch("b", [2])], 12)
    assert [e.offset for e in journal.read(0)] == [1, 2]


def test_what_is_between_two_offsets_is_given_whole_or_not_at_all(journal: SqliteJournal) -> None:
    for i in range(4):
        journal.append([batch(f"{i}", [i, 10 + i])], 10 + i)
    held = journal.between(2, 3)
    assert held is not None and held["ticks"].to_pylist() == [1, 11, 2, 12]
    journal.trim(2)
    assert journal.between(2, 3) is None and journal.between(3, 5) is None
    assert journal.between(4, 4) is not None


def test_what_is_not_whole_is_found_and_named(in_one_file: SqliteJournal) -> None:
    journal = in_one_file
    for i in range(5):
        journal.append([batch(f"{i}", [i])], 10 + i)
    assert journal.verify(0) == []
    journal.trim(2)
    assert journal.verify(2) == []
    with sqlite3.connect(journal.path) as store:
        store.execute("UPDATE entry SET known = known + 1 WHERE offset = 3")
    assert journal.verify(4) == ["entry 3 is not as it was written"], "also what the warehouse has: it is mended from here"
    with sqlite3.connect(journal.path) as store:
        store.execute("UPDATE entry SET payload = substr(payload, 1, 40) WHERE offset = 4")
    assert [line[:7] for line in journal.verify(2)] == ["entry 3", "entry 4"] and journal.between(4, 4) is None
    with sqlite3.connect(journal.path) as store:
        store.execute("DELETE FROM entry WHERE offset IN (3, 5)")
    assert {line.split(" is not")[0] for line in journal.verify(2)} == {"entries 3–3 are gone", "entry 4", "entries 5–5 are gone"}


def test_what_comes_while_it_is_verified_is_not_missed(journal: SqliteJournal) -> None:
    over, found = threading.Event(), list[str]()

    def look() -> None:
        while not over.is_set():
            found.extend(journal.verify(0))

    looks = threading.Thread(target=look)
    looks.start()
    for i in range(150):
        journal.append([batch(f"{i}", [i])], 10 + i)
    over.set()
    looks.join()
    assert found == []


def test_a_torn_page_is_found(in_one_file: SqliteJournal, tmp_path: Path) -> None:
    journal = in_one_file
    for i in range(300):
        journal.append([batch(f"{i}", list(range(40)))], 10 + i)
    journal.backup(tmp_path / "torn")
    content = bytearray((tmp_path / "torn").read_bytes())
    content[-3000:-1000] = bytes(2000)
    (tmp_path / "torn").write_bytes(content)
    torn = SqliteJournal(tmp_path / "torn")
    assert torn.verify(0) != []
    torn.close()


def test_a_torn_end_of_the_log_costs_nothing_that_was_whole(in_one_file: SqliteJournal, tmp_path: Path) -> None:
    """A process that died while it wrote leaves half a frame behind: it is not read, and what comes next takes its place."""
    journal = in_one_file
    for i in range(5):
        journal.append([batch(f"{i}", [i])], 10 + i)
    torn = tmp_path / "after" / "journal"
    torn.parent.mkdir()
    torn.write_bytes(journal.path.read_bytes())
    log = Path(f"{journal.path}-wal").read_bytes()
    Path(f"{torn}-wal").write_bytes(log + log[32 : 32 + 1500])
    again = SqliteJournal(torn)
    assert (again.head(), again.verify(0)) == (5, [])
    again.append([batch("next", [9])], 20)
    assert [entry.offset for entry in again.read(0)] == [1, 2, 3, 4, 5, 6]
    again.close()


def test_readers_are_not_disturbed_by_the_writer(journal: SqliteJournal) -> None:
    journal.append([batch("first", [0])], 1)
    stop, wrong = threading.Event(), []

    def look() -> None:
        try:
            while not stop.is_set():
                offsets = [e.offset for e in journal.read(0)]
                assert offsets == list(range(1, len(offsets) + 1))
                assert journal.counts()["s"]["accepted"] >= len(offsets)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(60):
        journal.append([batch(str(i), [i])], i + 2)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_backup_taken_while_in_use_is_whole(journal: SqliteJournal, tmp_path: Path) -> None:
    journal.append([batch("a", [1, 2, 3])], 10)
    journal.backup(tmp_path / "copy")
    copy = SqliteJournal(tmp_path / "copy")
    assert copy.head() == 1 and next(iter(copy.read(0))).table["ticks"].to_pylist() == [1, 2, 3]  # type: ignore[index]
    copy.close()


WRITER = """
    import sys
    from pathlib import Path
    import numpy as np
    from zhongshu.engines.nats_journal import NatsJournal
    from zhongshu.engines.sqlite_journal import SqliteJournal
    from zhongshu.kernel.journal import Batch
    from zhongshu.kernel.reading import Readings
    path, url, name = sys.argv[1:]
    journal = NatsJournal(url, Path(path), name) if url else SqliteJournal(Path(path))
    known = journal.last_known()
    for i in range(100000):
        known += 1
        n = 50
        z = np.zeros(n, np.int32)
        ticks = np.full(n, known)
        group = Readings(["s"], ["urn:zs:A:1"], ["A.x"], [], z, z, z, np.zeros(n, np.int64), known * 100 + np.arange(n), ticks, z, ticks.astype(float), z - 1)
        (receipt,), _ = journal.append([Batch("readings", "s", str(known), str(known), readings=group)], known)
        print(receipt.batch, receipt.offset, flush=True)
"""


@pytest.mark.parametrize("kind", JOURNALS)
def test_everything_acknowledged_is_there_after_the_process_is_killed(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = request.getfixturevalue("nats").url if kind == "nats" else ""
    acknowledged: dict[str, int] = {}
    for enough in (3, 17, 40):
        told = [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path / "journal"), url, tmp_path.name]
        with subprocess.Popen(told, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in itertools.islice(child.stdout, enough):
                name, offset = line.split()
                acknowledged[name] = int(offset)
            os.kill(child.pid, signal.SIGKILL)
            for line in child.stdout:
                if line.endswith("\n"):
                    acknowledged[line.split()[0]] = int(line.split()[1])
        journal = NatsJournal(url, tmp_path / "journal", tmp_path.name) if url else SqliteJournal(tmp_path / "journal")
        held = {e.offset: e for e in journal.read(0)}
        for name, offset in acknowledged.items():
            seen = seen_one(journal, "s", name)
            assert seen is not None and seen[1].offset == offset and seen[1].accepted == 50
            assert held[offset].table is not None and held[offset].table["ticks"].to_pylist() == [int(name)] * 50
        assert journal.head() - len(acknowledged) in {0, 1, 2, 3}, "at most what was on its way, once per kill"
        assert json.dumps(sorted(held)) == json.dumps(list(range(1, journal.head() + 1)))
        journal.close()


# what the disk changed


def in_the_middle(payload: bytes) -> bytes:
    """Change eight bytes of the values, so that everything can still be read."""
    at = payload.index((4242).to_bytes(8, "little"))
    return payload[:at] + (4243).to_bytes(8, "little") + payload[at + 8 :]


@pytest.mark.parametrize(
    "change", ["payload = changed(payload)", "known = known + 1", "count = count - 1", "kind = 'readingz'", "kind = CAST(x'72ff' AS TEXT)", "payload = 'text'"]
)
def test_an_entry_that_is_not_as_it_was_written_is_named_and_not_read(in_one_file: SqliteJournal, change: str) -> None:
    journal = in_one_file
    for i in range(3):
        journal.append([batch(f"{i}", [4242 + i, 1])], 10 + i)
    with sqlite3.connect(journal.path) as store:
        store.create_function("changed", 1, in_the_middle)
        store.execute(f"UPDATE entry SET {change} WHERE offset = 1")
    store.close()
    assert journal.verify(0) == ["entry 1 is not as it was written"] and journal.between(1, 2) is None
    for kind in ("", "readings"):
        with pytest.raises(Problem) as told:
            list(journal.read(0, kind))
        assert told.value.kind.code == "journal.damaged" and "Entry 1 " in told.value.sentence() and "第 1 条" in told.value.sentence("zh")
    assert [e.offset for e in journal.read(1)] == [2, 3] and journal.between(2, 3) is not None


def test_an_entry_of_an_older_program_is_read_unchecked_and_one_that_cannot_be_is_named(tmp_path: Path) -> None:
    old = SqliteJournal(tmp_path / "journal")
    for i in range(2):
        old.append([batch(f"{i}", [i])], 10 + i)
    old.close()
    with sqlite3.connect(tmp_path / "journal") as store:
        store.execute("ALTER TABLE entry DROP COLUMN crc")
    store.close()
    journal = SqliteJournal(tmp_path / "journal")
    assert journal.verify(0) == [] and [e.offset for e in journal.read(0)] == [1, 2]
    journal.append([batch("new", [9])], 20)
    with sqlite3.connect(journal.path) as store:
        assert store.execute("SELECT crc IS NULL FROM entry ORDER BY offset").fetchall() == [(1,), (1,), (0,)]
        store.execute("UPDATE entry SET payload = substr(payload, 1, 40) WHERE offset = 2")
    store.close()
    with pytest.raises(Problem, match=r"journal\.damaged.*Entry 2 "):
        list(journal.read(0))
    journal.close()


def test_a_file_that_is_no_journal_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b"not a database at all, but long enough to look like something" * 20)
    with pytest.raises(Problem, match=r"journal\.unreadable"):
        SqliteJournal(tmp_path / "journal")


def test_a_backup_is_sealed_whatever_keeps_the_journal(journal: SqliteJournal, tmp_path: Path) -> None:
    journal.append([batch("a", [1], entities=[{"id": "urn:zs:A:1"}])], 10)
    journal.backup(tmp_path / "copy")
    copy = SqliteJournal(tmp_path / "copy")
    assert copy.verify(0) == [] and [crc is not None for (crc,) in copy._write.execute("SELECT crc FROM entry")] == [True, True]
    copy.close()
