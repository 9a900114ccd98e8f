"""The ledger: any line changed, removed or reordered is found, and so is a tail that was cut."""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from zhongshu.govern import Ledger, Mark, deeds_since, lines, lines_of, read_anchor, sm3, verify
from zhongshu.govern.chain import line_hash
from zhongshu.govern.ledger import WITHHELD, plain
from zhongshu.kernel.clock import FrozenClock
from zhongshu.kernel.problem import Problem

COLUMNS = ("seq", "at", "actor", "action", "kind", "subject", "detail", "prev", "hash")
LINES = 12


def _fill(desk: Any, ledger: Ledger, count: int = LINES) -> None:
    for n in range(count):
        desk.write(lambda conn, n=n: ledger.witness(conn, f"actor-{n % 3}", "act", "case", f"case-{n}", {"verb": "take", "version": n}))


@pytest.fixture(scope="module")
def made_rows(tmp_path_factory: pytest.TempPathFactory, make_desk: Callable[[Path], Any]) -> list[tuple[object, ...]]:
    path = tmp_path_factory.mktemp("ledger") / "desk.sqlite"
    desk = make_desk(path)
    _fill(desk, Ledger(desk, clock=FrozenClock(1_800_000_000_000_000)))
    desk.close()
    with sqlite3.connect(path) as made:
        rows = made.execute("SELECT * FROM ledger ORDER BY seq").fetchall()
    made.close()
    return rows


def _tamper(path: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("DROP TRIGGER IF EXISTS ledger_never_changed")
        raw.execute("DROP TRIGGER IF EXISTS ledger_never_deleted")
        for statement, values in statements:
            raw.execute(statement, values)
    raw.close()


def test_sm3_gives_the_standard_s_own_example() -> None:
    assert sm3(b"abc") == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm3(b"abcd" * 16) == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"


def test_a_whole_ledger_verifies_and_anyone_can_take_the_hashes(desk: Any, ledger: Ledger) -> None:
    _fill(desk, ledger)
    assert desk.read(verify) == []
    previous = "0" * 64
    for row in desk.read(lines):
        body = {name: row[name] for name in COLUMNS if name != "hash"}
        assert row["prev"] == previous
        previous = row["hash"]
        if "sm3" in hashlib.algorithms_available:  # the standard library's answer, where its OpenSSL has one
            text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            assert hashlib.new("sm3", text.encode()).hexdigest() == row["hash"]
    assert ledger.head == Mark(LINES, previous)


def test_whoever_watches_does_not_push_out_what_was_done(desk: Any, clock: FrozenClock, ledger: Ledger) -> None:
    for kind, action, subject in (("lesson", "begin", "storm"), ("case", "take", "case-1"), *(("lesson", "read", "/api/lessons"),) * 5, ("case", "close", "case-1")):
        desk.write(lambda conn, k=kind, a=action, s=subject: ledger.witness(conn, "actor-1", a, k, s, {}))
        clock.at += 1_000_000
    begun = desk.read(lambda conn: lines_of(conn, "lesson", 2))
    assert [(row["seq"], row["action"]) for row in begun] == [(1, "begin")]
    until = begun[0]["at"]
    done = [desk.read(lambda conn, s=seconds: [row["action"] for row in deeds_since(conn, 1, until + s * 1_000_000, 10)]) for seconds in (0, 1, 6, 7)]
    assert done == [[], ["take"], ["take"], ["take", "close"]]


def test_the_store_itself_refuses_to_change_a_line(desk: Any, ledger: Ledger, tmp_path: Path) -> None:
    _fill(desk, ledger, 2)
    with sqlite3.connect(tmp_path / "desk.sqlite") as raw:
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            raw.execute("UPDATE ledger SET actor = 'x'")
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            raw.execute("DELETE FROM ledger")
    raw.close()


_words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=80)
_values = st.one_of(_words, st.integers(-(2**62), 2**62), st.none(), st.binary(max_size=8), st.floats(allow_nan=False))


_TABLE = "CREATE TABLE ledger (seq INTEGER PRIMARY KEY, at, actor, action, kind, subject, detail, prev, hash)"  # no types: any value goes in


@settings(max_examples=200, deadline=None)
@given(seq=st.integers(1, LINES), column=st.sampled_from(COLUMNS), value=_values, flip=st.booleans(), place=st.integers(0, 63))
def test_any_change_of_any_line_is_found(
    made_rows: list[tuple[object, ...]],
    seq: int,
    column: str,
    value: object,
    place: int,
    *,
    flip: bool,
) -> None:
    before = made_rows
    old = before[seq - 1][COLUMNS.index(column)]
    if flip and isinstance(old, str) and old:
        at = place % len(old)
        value = old[:at] + chr(ord(old[at]) ^ 1) + old[at + 1 :]
    with sqlite3.connect(":memory:") as raw:
        raw.execute(_TABLE)
        raw.executemany("INSERT INTO ledger VALUES (?,?,?,?,?,?,?,?,?)", before)
        try:
            raw.execute(f"UPDATE ledger SET {column} = ? WHERE seq = ?", (value, seq))
        except sqlite3.IntegrityError:  # a number taken, or no number: the store itself refuses
            assert column == "seq"
            return
        after = raw.execute("SELECT * FROM ledger ORDER BY seq").fetchall()
    same = [[(value, type(value)) for value in row] for row in after] == [[(value, type(value)) for value in row] for row in before]
    assert bool(_breaks_of(after)) != same


def _breaks_of(rows: list[tuple[object, ...]], mark: Mark | None = None) -> list[str]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.connect() as conn:
        conn.exec_driver_sql(_TABLE)
        conn.exec_driver_sql("INSERT INTO ledger VALUES (?,?,?,?,?,?,?,?,?)", rows)
        found = verify(conn, mark)
    engine.dispose()
    return found


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_lines_removed_doubled_or_swapped_are_found(made_rows: list[tuple[object, ...]], data: st.DataObject) -> None:
    rows = list(made_rows)
    how = data.draw(st.sampled_from(("remove", "swap", "insert", "renumber")))
    a = data.draw(st.integers(0, LINES - 2))
    b = data.draw(st.integers(a + 1, LINES - 1))
    if how == "remove":  # anything but a tail: that needs the anchor
        del rows[a:b]
    elif how == "swap":
        rows[a], rows[b] = (rows[a][0], *rows[b][1:]), (rows[b][0], *rows[a][1:])
    elif how == "insert":
        rows = [*rows[:a], rows[a], *[(int(str(row[0])) + 1, *row[1:]) for row in rows[a:]]]
    else:
        rows = [(int(str(row[0])) + 1, *row[1:]) for row in rows]
    assert _breaks_of(rows)


@pytest.mark.parametrize("seq", range(1, LINES + 1))
def test_a_line_forged_with_a_hash_of_its_own_is_found_by_the_next_or_the_anchor(made_rows: list[tuple[object, ...]], seq: int) -> None:
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in made_rows]
    last = Mark(LINES, str(rows[-1]["hash"]))
    rows[seq - 1]["actor"] = "someone-else"
    rows[seq - 1]["hash"] = line_hash(rows[seq - 1])
    found = _breaks_of([tuple(row.values()) for row in rows], last)
    if seq < LINES:
        assert found == [f"Line {seq + 1} does not follow from the line before it."]
    else:
        assert found == [f"Line {seq} differs from the anchor: the ledger was written anew."]


def test_a_ledger_written_anew_from_a_line_on_is_found_by_the_anchor(made_rows: list[tuple[object, ...]]) -> None:
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in made_rows]
    last = Mark(LINES, str(rows[-1]["hash"]))
    rows[4]["actor"] = "someone-else"
    for before, row in pairwise(rows[3:]):
        row["prev"] = before["hash"]
        row["hash"] = line_hash(row)
    forged = [tuple(row.values()) for row in rows]
    assert _breaks_of(forged) == []
    assert len(_breaks_of(forged, last)) == 1


def test_a_cut_tail_is_found_by_the_anchor_and_the_anchor_is_not_written_over(desk: Any, tmp_path: Path, clock: FrozenClock) -> None:
    path = tmp_path / "ledger.anchor"
    first = Ledger(desk, path, clock=clock)
    _fill(desk, first)
    first.close()
    anchored = read_anchor(path)
    assert anchored == first.head
    _tamper(tmp_path / "desk.sqlite", ("DELETE FROM ledger WHERE seq > 9", ()))
    assert desk.read(verify) == []
    assert desk.read(lambda conn: verify(conn, anchored)) == [f"The tail was cut: the anchor holds line {LINES}, the ledger ends at line 9."]
    assert desk.read(lambda conn: verify(conn, anchored, "zh-CN")) == [f"末尾被截去：锚点记录到第 {LINES} 行，台账只到第 9 行。"]
    second = Ledger(desk, path, clock=clock)
    assert not second.whole
    _fill(desk, second, 7)
    second.close()
    assert read_anchor(path) == anchored
    assert desk.read(lambda conn: verify(conn, anchored)) == [f"Line {LINES} differs from the anchor: the ledger was written anew."]
    assert "anchor_disagrees" in {row["action"] for row in desk.read(lines)}


def test_an_anchor_that_was_deleted_is_told_by_the_ledger(desk: Any, tmp_path: Path, clock: FrozenClock) -> None:
    path = tmp_path / "ledger.anchor"
    first = Ledger(desk, path, clock=clock)
    _fill(desk, first, 3)
    first.close()
    path.unlink()
    second = Ledger(desk, path, clock=clock)
    second.close()
    assert not second.whole
    assert [row["action"] for row in desk.read(lines)][-1] == "anchor_disagrees"


def test_an_anchor_that_cannot_be_read_is_a_problem_and_is_left(desk: Any, tmp_path: Path) -> None:
    path = tmp_path / "ledger.anchor"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(Problem, match="anchor_unreadable"):
        read_anchor(path)
    ledger = Ledger(desk, path)
    ledger.close()
    assert path.read_text(encoding="utf-8") == "{"


def test_a_line_undone_with_its_deed_leaves_no_gap(desk: Any, ledger: Ledger) -> None:
    def undone(conn: object) -> None:
        ledger.witness(conn, "a", "act", "case", "1")  # type: ignore[arg-type]
        message = "the deed failed"
        raise ValueError(message)

    futures = []
    for n in range(30):
        futures.append(desk.submit(undone))
        futures.append(desk.submit(lambda conn, n=n: ledger.witness(conn, "a", "act", "case", f"kept-{n}")))
    errors = [future.exception(20) for future in futures]
    assert [type(error) for error in errors] == [ValueError, type(None)] * 30
    assert desk.read(verify) == []
    assert [row["subject"] for row in desk.read(lines)] == [f"kept-{n}" for n in range(30)]


def test_noted_lines_are_written_in_groups_and_survive_a_failed_commit(desk: Any, ledger: Ledger) -> None:
    desk.broken = OSError("the disk is full")
    for n in range(20):
        ledger.note_read("reader", "vital", f"r-{n}")
    with pytest.raises(OSError, match="full"):
        ledger.flush()
    desk.broken = None
    ledger.note_read("reader", "vital", "r-20")
    ledger.flush()
    desk.write(lambda _conn: None)
    ledger.flush()
    assert desk.read(verify) == []
    assert sorted(row["subject"] for row in desk.read(lines)) == sorted(f"r-{n}" for n in range(21))


def test_noting_never_waits_for_the_desk_and_counts_what_it_cannot_keep(desk: Any, clock: FrozenClock) -> None:
    ledger = Ledger(desk, clock=clock, capacity=10)
    held, free = threading.Event(), threading.Event()

    def hold(_conn: object) -> None:
        held.set()
        free.wait(20)

    desk.submit(hold)
    assert held.wait(20)
    for n in range(25):  # the desk is held: were one of these to wait for it, the test would never end
        ledger.note_read("reader", "vital", f"r-{n}")
    free.set()
    ledger.close()
    rows = desk.read(lines)
    assert [row["subject"] for row in rows[:10]] == [f"r-{n}" for n in range(10)]
    assert (rows[-1]["action"], json.loads(rows[-1]["detail"])) == ("lost", {"lines": 15})
    assert desk.read(verify) == []


def test_notes_and_deeds_from_many_threads_make_one_chain(desk: Any, ledger: Ledger) -> None:
    def run(name: str) -> None:
        for n in range(40):
            ledger.note_read(name, "reading", f"{n}")
            desk.write(lambda conn, n=n: ledger.witness(conn, name, "act", "case", f"{n}"))

    threads = [threading.Thread(target=run, args=(f"t{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.flush()
    desk.write(lambda _conn: None)
    ledger.flush()
    assert desk.read(verify) == []
    assert len(desk.read(lambda conn: lines(conn, 0, 1000))) == 320


@pytest.mark.parametrize("said", ["张三", "李 四", "13800001234", "11010519491231002X", "someone@example.org", "a b", "call 13800001234", "x" * 400])
def test_what_could_be_a_person_s_is_withheld(said: str, desk: Any, ledger: Ledger) -> None:
    assert plain(said) == WITHHELD
    desk.write(lambda conn: ledger.witness(conn, said, "act", "case", said, {"note": said, said: 1}))
    assert said not in json.dumps(desk.read(lines), ensure_ascii=False)


def test_a_witness_is_handed_on_to_whoever_does_the_deed(desk: Any, ledger: Ledger) -> None:
    told = ledger.witness_of("p-1")
    desk.write(lambda conn: told(conn, "case.dispatch", "990101-20261122-0001", {"version": 3, "unit": "dept-drainage", "why": ["张三"]}))
    row = desk.read(lines)[0]
    assert (row["actor"], row["kind"], row["action"], row["subject"]) == ("p-1", "case", "dispatch", "990101-20261122-0001")
    assert json.loads(row["detail"]) == {"version": 3, "unit": "dept-drainage", "why": WITHHELD}


@pytest.mark.parametrize(
    "said",
    [
        "018f6d3c-7c1b-7a30-9d52-1391234567ab",
        "urn:zs:Case:990101-20261122-0001",
        "990101001000000",
        "1800000000000000",
        "a" * 64,
        "urn:zs:Road:解放路",
        "DR02",
        "desk:1-9",
        "",
    ],
)
def test_ids_and_digests_are_kept(said: str) -> None:
    assert plain(said) == said
