"""The pipe: a receipt means durable; a failure reaches everyone it concerns and nobody else; nothing that was registered is lost."""

import json
import sqlite3
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongshu.engines.sqlite_journal import SqliteJournal
from zhongshu.kernel.clock import GRID, MINUTE, Stamp, rfc3339
from zhongshu.kernel.journal import Batch, Entry, Receipt
from zhongshu.kernel.problem import Problem
from zhongshu.kernel.reading import Flag
from zhongshu.sense import Intake, Once, Pipe
from zhongshu.sense import pipe as module
from zhongshu.sense.registry import Registry, from_document


def body(at: int, *values: float | None, entity: str = "urn:zs:Gauge:1", step: int = 1) -> bytes:
    return json.dumps([{"entity": entity, "property": "Gauge.rain", "time": (at - MINUTE) // 1000 + i * step, "value": v} for i, v in enumerate(values)]).encode()


def put(desk: Any, pipe: Pipe, content: bytes, batch: str = "", source: Any = None) -> Receipt:
    return pipe.submit(desk.intake.receive(source or desk.known, content, batch=batch)).result(10)


def told(receipt: Receipt) -> tuple[int, int, int]:
    return receipt.accepted, receipt.quarantined, receipt.duplicates


def together(pipe: Pipe, batches: list[Batch]) -> list["Future[Receipt]"]:
    """Have batches written as one group: the writer is held up while they gather."""
    gate = threading.Event()
    pipe.do(gate.wait)
    futures = [pipe.submit(batch) for batch in batches]
    gate.set()
    return futures


def test_new_duplicate_revision_within_a_batch_and_against_the_record(desk: Any, pipe: Pipe, record: list[Entry]) -> None:
    at = desk.clock.at
    assert told(put(desk, pipe, body(at, 1, 1, 2, step=0))) == (2, 0, 1)
    assert told(put(desk, pipe, body(at, 2, step=0))) == (0, 0, 1)
    assert told(put(desk, pipe, body(at, 1, step=0))) == (1, 0, 0)
    assert told(put(desk, pipe, body(at, None, None, step=0))) == (1, 0, 1)
    rows = [r for e in record if e.table is not None for r in e.table.to_pylist()]
    assert [(r["ticks"], bool(r["flags"] & Flag.REVISION)) for r in rows] == [(10, False), (20, True), (10, True), (None, True)]
    known = [r["known"] for r in rows]
    assert known == sorted(set(known)), "every revision is known later than what it revises"


@given(
    st.lists(
        st.lists(
            st.sampled_from(
                [
                    '{"entity":"urn:zs:Gauge:1","property":"Gauge.rain","time":@,"value":1}',
                    '{"entity":"urn:zs:Gauge:1","property":"Gauge.rain","time":"2023-11-14T22:00:00Z","value":null}',
                    '{"entity":"urn:zs:Gauge:2","property":"Gauge.rain","time":@,"value":2,"quality":"suspect"}',
                    '{"entity":"urn:zs:Gauge:2","property":"Gauge.rain","time":@,"value":2,"unit":"kg"}',
                    '{"entity":"urn:zs:Gauge:9","property":"Gauge.rain","time":@,"value":2}',
                    '{"entity":"urn:zs:Gauge:1","property":"Gauge.rain","time":"soon","value":3}',
                    "{",
                    '{"value":1e308}',
                    '{"entity":"urn:zs:Gauge:1","property":"Gauge.rain","time":99999999999999999999,"value":3}',
                    '{"entity":"urn:zs:Gauge:1","property":"Gauge.rain","time":@,"value":1e308}',
                ]
            )
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bodies_checked_together_are_checked_as_if_each_were_alone(desk: Any, bodies: list[list[str]]) -> None:
    bodies = [[line.replace("@", str(desk.clock.at // 1000 - 60_000)) for line in body] for body in bodies]
    opened = [desk.intake.open(desk.known if i % 3 else desk.open, "\n".join(lines).encode(), batch=str(i)) for i, lines in enumerate(bodies)]
    alone = [desk.intake.receive(desk.known if i % 3 else desk.open, "\n".join(lines).encode(), batch=str(i)) for i, lines in enumerate(bodies)]
    batches, readings, origin = desk.intake.check_together(opened)
    assert [(b.source, b.batch, b.digest, b.mapping, [(r.row, r.code, r.raw) for r in b.refused]) for b in batches] == [
        (b.source, b.batch, b.digest, b.mapping, [(r.row, r.code, r.raw) for r in b.refused]) for b in alone
    ]
    for i, one in enumerate(alone):
        mine = readings.select(origin == i)
        assert one.readings is not None and mine.table().to_pylist() == one.readings.table().to_pylist()


def test_a_body_that_breaks_the_check_costs_no_other(desk: Any, pipe: Pipe, record: list[Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    check = desk.intake.check_together

    def breaks(self: Any, opened: list[Any]) -> Any:
        if any(o.batch == "bad" for o in opened):
            raise ZeroDivisionError
        return check(opened)

    monkeypatch.setattr(Intake, "check_together", breaks)
    bodies = [desk.intake.open(desk.known, body(desk.clock.at, i, entity=f"urn:zs:Gauge:{i}"), batch=name) for i, name in ((1, "a"), (1, "bad"), (2, "c"))]
    futures = together(pipe, bodies)
    assert [told(futures[i].result(10)) for i in (0, 2)] == [(1, 0, 0)] * 2
    with pytest.raises(ZeroDivisionError):
        futures[1].result(10)
    assert sum(len(e.table) for e in record if e.table is not None) == 2 and pipe.waiting() == 0


def test_the_batches_of_a_group_see_each_other(desk: Any, pipe: Pipe, record: list[Entry]) -> None:
    at = desk.clock.at
    futures = together(pipe, [desk.intake.receive(desk.known, body(at, *v, step=0), batch=name) for name, v in (("a", [1]), ("b", [1, 3]), ("c", [3, 1]))])
    assert [told(f.result(10)) for f in futures] == [(1, 0, 0), (1, 0, 1), (1, 0, 1)]
    (entry,) = record
    assert entry.table is not None and entry.table["ticks"].to_pylist() == [10, 30, 10]
    known = entry.table["known"].to_pylist()
    assert known == sorted(set(known)) and known[0] // GRID == known[-1] // GRID


def test_a_batch_sent_again_changes_nothing_and_other_content_is_a_conflict(desk: Any, pipe: Pipe, journal: SqliteJournal) -> None:
    at = desk.clock.at
    first = put(desk, pipe, body(at, 1, 2), "b1")
    again = put(desk, pipe, body(at, 1, 2), "b1")
    assert (again.accepted, again.offset, again.repeated) == (2, first.offset, True) and not first.repeated
    with pytest.raises(Problem, match=r"batch\.conflict"):
        put(desk, pipe, body(at, 1, 3), "b1")
    assert put(desk, pipe, body(at, 9), "b1", desk.open).accepted == 1, "another source may use the same id"
    assert journal.counts()["known"]["accepted"] == 2


def test_one_batch_s_conflict_is_not_its_neighbours(desk: Any, pipe: Pipe) -> None:
    at = desk.clock.at
    put(desk, pipe, body(at, 1), "b1")
    futures = together(pipe, [desk.intake.receive(desk.known, body(at, v, entity="urn:zs:Gauge:2"), batch=name) for name, v in (("x", 1), ("b1", 2), ("x", 1), ("x", 5), ("y", 3))])
    assert told(futures[0].result(10)) == (1, 0, 0) and futures[2].result(10).repeated and told(futures[4].result(10)) == (1, 0, 0)
    for i in (1, 3):
        with pytest.raises(Problem, match=r"batch\.conflict"):
            futures[i].result(10)


def test_too_much_waiting_is_a_problem_and_the_rest_goes_on(desk: Any, pipe: Pipe, monkeypatch: pytest.MonkeyPatch, journal: SqliteJournal) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 5)
    gate = threading.Event()
    pipe.do(gate.wait)
    first = pipe.submit(desk.intake.receive(desk.known, body(desk.clock.at, *range(8))))
    with pytest.raises(Problem, match=r"intake\.busy"):
        pipe.submit(desk.intake.receive(desk.open, body(desk.clock.at, 1, entity="urn:zs:Gauge:late")))
    gate.set()
    assert first.result(10).accepted == 8
    assert put(desk, pipe, body(desk.clock.at, 50)).accepted == 1 and pipe.waiting() == 0
    assert [d["id"] for e in journal.read(0, "entities") for d in e.documents] == ["urn:zs:Gauge:late"], "registered though its readings were turned away"


def test_a_low_disk_is_a_problem_and_costs_no_registration(desk: Any, pipe: Pipe, journal: SqliteJournal, tmp_path: Path) -> None:
    put(desk, pipe, body(desk.clock.at, 1), "b")
    pipe._floor = 2**62
    for _ in range(2):
        with pytest.raises(Problem, match=r"disk\.low") as said:
            put(desk, pipe, body(desk.clock.at, 1, entity="urn:zs:Gauge:new"), source=desk.open)
    assert said.value.remedy("zh")
    assert put(desk, pipe, body(desk.clock.at, 1), "b").repeated, "what is durable is still answered"
    pipe._floor = 0
    assert told(put(desk, pipe, body(desk.clock.at, 1, entity="urn:zs:Gauge:new"), source=desk.open)) == (1, 0, 0)
    assert [d["id"] for e in journal.read(0, "entities") for d in e.documents] == ["urn:zs:Gauge:new"]


def test_a_failed_append_reaches_every_sender_and_loses_no_registration(
    desk: Any, pipe: Pipe, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch, record: list[Entry]
) -> None:
    def fail(*_: Any) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    at = desk.clock.at
    with monkeypatch.context() as patch:
        patch.setattr(journal, "append", fail)
        futures = together(pipe, [desk.intake.receive(desk.open, body(at, 1, entity=f"urn:zs:Gauge:n{i}"), batch=str(i)) for i in range(3)])
        for future in futures:
            with pytest.raises(sqlite3.OperationalError):
                future.result(10)
    assert record == [] and pipe.waiting() == 0
    assert told(put(desk, pipe, body(at, 1, entity="urn:zs:Gauge:n1"), "1", desk.open)) == (1, 0, 0)
    kept = [d["id"] for e in journal.read(0, "entities") for d in e.documents]
    assert kept == ["urn:zs:Gauge:n0", "urn:zs:Gauge:n1", "urn:zs:Gauge:n2"] and record[0].kind == "entities"


def test_a_registration_is_kept_though_its_batch_never_came(desk: Any, pipe: Pipe, journal: SqliteJournal) -> None:
    desk.intake.receive(desk.open, body(desk.clock.at, 1, entity="urn:zs:Gauge:new"))
    put(desk, pipe, body(desk.clock.at, 2, entity="urn:zs:Gauge:new"), source=desk.open)
    entities, readings = journal.read(0)
    assert entities.documents[0]["id"] == "urn:zs:Gauge:new" and readings.table is not None
    again = Registry(990100000000000, [], [from_document(d) for d in entities.documents])
    assert again.entity("urn:zs:Gauge:new") == desk.registry.entity("urn:zs:Gauge:new")


def test_a_taker_that_fails_is_no_reason_to_deny_what_is_durable(desk: Any, journal: SqliteJournal, tmp_path: Path) -> None:
    got: list[Entry] = []

    def deliver(entry: Entry) -> None:
        got.append(entry)
        raise ValueError("taker")

    pipe = Pipe(journal, desk.intake, Stamp(desk.clock), Once(lambda t: t), deliver, (tmp_path, 0))
    pipe.start()
    assert put(desk, pipe, body(desk.clock.at, 1, entity="urn:zs:Gauge:new"), source=desk.open).accepted == 1
    assert [e.kind for e in got] == ["entities", "readings"], "one failure does not keep the next from being handed on"
    assert put(desk, pipe, body(desk.clock.at, 5)).accepted == 1
    pipe.close()


def test_a_sender_who_goes_away_harms_nobody(desk: Any, pipe: Pipe) -> None:
    at = desk.clock.at
    futures = together(pipe, [desk.intake.receive(desk.known, body(at, v, entity=f"urn:zs:Gauge:{v}"), batch=str(v)) for v in (1, 2)])
    assert not futures[0].cancel()
    assert [told(f.result(10)) for f in futures] == [(1, 0, 0)] * 2


def test_what_waits_at_the_end_is_written_and_what_comes_later_refused(desk: Any, journal: SqliteJournal, tmp_path: Path) -> None:
    pipe = Pipe(journal, desk.intake, Stamp(desk.clock), Once(lambda t: t), lambda _: None, (tmp_path, 0))
    pipe.start()
    futures = together(pipe, [desk.intake.receive(desk.known, body(desk.clock.at, 1, 2, 3))])
    pipe.close()
    assert futures[0].result(0).accepted == 3
    for late in (lambda: pipe.submit(desk.intake.receive(desk.known, body(desk.clock.at, 1))), lambda: pipe.do(lambda: 1)):
        with pytest.raises(Problem, match=r"intake\.closed"):
            late()


def test_tasks_run_between_groups_and_their_failure_is_their_asker_s(desk: Any, pipe: Pipe) -> None:
    assert pipe.do(lambda: 7).result(10) == 7
    with pytest.raises(ZeroDivisionError):
        pipe.do(lambda: 1 / 0).result(10)
    assert put(desk, pipe, body(desk.clock.at, 1)).accepted == 1


def test_after_settling_everything_known_before_is_delivered_and_later_is_later(desk: Any, pipe: Pipe, record: list[Entry]) -> None:
    put(desk, pipe, body(desk.clock.at, 1))
    at = record[-1].known + 5 * GRID
    pipe.settle(at)
    put(desk, pipe, body(desk.clock.at, 2, step=0))
    assert record[-1].known > at


# requests


def ask(desk: Any, pipe: Pipe, *documents: dict[str, Any], source: Any = None) -> Receipt:
    return pipe.submit(desk.intake.requests(source or desk.known, json.dumps(documents).encode())).result(10)


def test_a_request_sent_again_is_a_duplicate_but_news_of_it_goes_on(desk: Any, pipe: Pipe, record: list[Entry]) -> None:
    opened, closed = {"id": "r1", "state": "Open"}, {"id": "r1", "state": "Closed", "closed": rfc3339(desk.clock.at)}
    assert told(ask(desk, pipe, opened)) == (1, 0, 0)
    desk.clock.at += MINUTE
    assert told(ask(desk, pipe, opened)) == (0, 0, 1), "though it is stamped with another time"
    assert told(ask(desk, pipe, closed, closed)) == (1, 0, 1)
    assert told(ask(desk, pipe, opened, closed, opened)) == (3, 0, 0), "reopened, closed, reopened: each is news"
    assert told(ask(desk, pipe, opened, source=desk.open)) == (1, 0, 0)
    states = [d["state"] for e in record for d in e.documents]
    assert states == ["Open", "Closed", "Open", "Closed", "Open", "Open"] and {d["source"] for d in record[0].documents} == {"known"}


def test_requests_of_a_group_see_each_other(desk: Any, pipe: Pipe) -> None:
    batches = [desk.intake.requests(desk.known, json.dumps({"id": "r1", "x": x}).encode()) for x in (1, 1, 2)]
    assert [told(f.result(10)) for f in together(pipe, batches)] == [(1, 0, 0), (0, 0, 1), (1, 0, 0)]


def test_many_senders_at_once_lose_nothing(desk: Any, pipe: Pipe, journal: SqliteJournal) -> None:
    at, futures, lock = desk.clock.at, [], threading.Lock()

    def sender(k: int) -> None:
        for i in range(20):
            future = pipe.submit(desk.intake.receive(desk.open, body(at - i * 1000, k, entity=f"urn:zs:Gauge:s{k}"), batch=f"{k}-{i}"))
            with lock:
                futures.append(future)
            time.sleep(0)

    threads = [threading.Thread(target=sender, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(f.result(10).accepted for f in futures) == 80 == sum(len(e.table) for e in journal.read(0, "readings") if e.table is not None)
    assert sorted(d["id"] for e in journal.read(0, "entities") for d in e.documents) == [f"urn:zs:Gauge:s{k}" for k in range(4)]
