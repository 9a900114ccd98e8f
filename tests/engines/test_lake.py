"""The warehouse's port: every reading once, whole, at every moment; and what is not whole is found and named."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongshu.engines.catalogues import PostgresCatalogue
from zhongshu.engines.checksum import checksum
from zhongshu.engines.ducklake import DuckLake
from zhongshu.kernel.clock import DAY
from zhongshu.kernel.reading import SCHEMA, Flag, Readings

pytestmark = pytest.mark.port
LAKES = ["sqlite", "postgresql"]
T0 = 1_700_000_000_000_000
COUNT = "SELECT count(*) AS n, count(DISTINCT ticks) AS d, coalesce(sum(ticks), 0)::BIGINT AS s FROM readings"


def catalogue(url: str, folder: Path) -> PostgresCatalogue | None:
    """Return where the catalogue of a test's warehouse stands: a schema for each folder, the same when the folder has moved."""
    return PostgresCatalogue(url, "t" + hashlib.sha256(str(folder).replace("elsewhere", "lake").encode()).hexdigest()[:16]) if url else None


@pytest.fixture(params=LAKES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., DuckLake]]:
    """Return what opens a warehouse of the test's folder, its catalogue on each store."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgresql")
    opened: list[DuckLake] = []

    def open_(folder: str = "lake", **more: bool) -> DuckLake:
        opened.append(DuckLake(tmp_path / folder, memory="1GB", catalogue=None if folder == "copy" else catalogue(url, tmp_path / folder), **more))
        return opened[-1]

    yield open_
    for lake in opened:
        lake.close()


def group(offset: int, ticks: list[int], *, valid: list[int] | None = None, flags: int = 0, known: int | None = None, entity: int = 0) -> pa.Table:
    n = len(ticks)
    zeros = np.zeros(n, np.int32)
    times = np.array(valid if valid is not None else [T0 + t for t in ticks], np.int64)
    return Readings(
        ["s"],
        ["urn:zs:A:1", "urn:zs:A:2"],
        ["A.x"],
        ["m"],
        zeros,
        zeros + entity,
        zeros,
        np.full(n, 110101001001001),
        times,
        np.array(ticks, np.int64),
        zeros + flags,
        np.array(ticks, np.float64),
        zeros - 1,
        offset=offset,
        known=T0 + offset if known is None else known,
    ).table()


def filled(lake: DuckLake, commits: int, size: int = 100) -> None:
    for i in range(commits):
        lake.show(group(lake.offset() + 1, list(range(i * size, (i + 1) * size))), lake.offset() + 1)
        lake.commit()


def row(lake: DuckLake, sql: str = COUNT, **more: object) -> tuple[object, ...]:
    return tuple(lake.query(sql, **more).to_pylist()[0].values())  # type: ignore[arg-type]


def test_what_is_shown_is_read_before_and_after_the_commit(make: Callable[..., DuckLake]) -> None:
    lake = make()
    assert row(lake) == (0, 0, 0) and lake.commit() == 0 and lake.verify() == []
    lake.show(group(3, [1, 2, 3]), 3)
    lake.show(group(5, [4]), 5)
    assert row(lake) == (4, 4, 10) and lake.tail_rows() == 4 and lake.offset() == 0
    assert lake.commit() == 5 == lake.offset() and lake.tail_rows() == 0 and row(lake) == (4, 4, 10)
    lake.show(group(5, [4]), 5)
    assert row(lake) == (4, 4, 10), "what the warehouse has is not shown again"
    line = lake.manifest()[-1]
    assert (line["from"], line["to"], line["count"]) == (1, 5, 4) and lake.verify() == []
    whole = lake.query("SELECT * FROM readings ORDER BY ticks").select(SCHEMA.names)
    assert whole.to_pylist() == [*group(3, [1, 2, 3]).to_pylist(), *group(5, [4]).to_pylist()], "every column as it was"


def test_a_reading_lies_in_the_month_it_is_of(make: Callable[..., DuckLake], tmp_path: Path) -> None:
    lake = make()
    lake.show(group(1, [1, 2, 3], valid=[T0, T0 + 40 * DAY, -40 * DAY]), 1)
    lake.commit()
    assert sorted(Path(f).parent.name for f in lake.files()) == ["1969-11", "2023-11", "2023-12"]
    assert row(lake)[0] == 3 and lake.verify() == []


def test_other_tables_and_parameters_may_be_lent(make: Callable[..., DuckLake]) -> None:
    lake = make()
    filled(lake, 1)
    asked = pa.table({"t": pa.array([5, 7, 1000])})
    assert lake.query("SELECT r.ticks FROM asked JOIN readings r ON r.ticks = asked.t WHERE r.ticks > $low ORDER BY 1", {"low": 5}, tables={"asked": asked}).to_pylist() == [
        {"ticks": 7}
    ]


@pytest.mark.parametrize("committed", [0, 2, 3])
@pytest.mark.parametrize("replay", [False, True])
def test_the_latest_known_wins_and_the_past_can_be_asked(make: Callable[..., DuckLake], committed: int, replay: bool) -> None:
    lake = make(replay=replay)
    for offset, (ticks, flags) in enumerate([([10, 20], 0), ([11], int(Flag.REVISION)), ([12], int(Flag.REVISION))], 1):
        lake.show(group(offset, ticks, valid=[T0 - DAY, T0 - DAY + 1][: len(ticks)], flags=flags), offset)
        if offset <= committed:
            lake.commit()
    values = "SELECT list(ticks ORDER BY valid) AS v FROM readings"
    assert row(lake, values) == ([12, 20],)
    if not replay:
        assert [row(lake, values, known=T0 + k) for k in (0, 1, 2, 3)] == [(None,), ([10, 20],), ([11, 20],), ([12, 20],)]
    assert row(lake, "SELECT count(*) AS n FROM versions") == (4,)
    assert row(lake, "SELECT count(*) AS n FROM readings WHERE valid > $v", parameters={"v": T0 - DAY}) == (1,)


def test_two_revisions_in_one_group_are_ordered_by_their_known_time(make: Callable[..., DuckLake]) -> None:
    for replay in (False, True):
        lake = make(f"replay {replay}", replay=replay)
        first, second = group(1, [1, 2, 3, 4, 5], valid=[T0] * 5, flags=int(Flag.REVISION)), None
        known = pa.array(T0 + np.arange(5), pa.int64())
        second = first.set_column(first.column_names.index("known"), "known", known)
        lake.show(second.take(pa.array([3, 0, 4, 1, 2])), 1)
        assert lake.query("SELECT ticks FROM readings").to_pylist() == [{"ticks": 5}]
        lake.commit()
        assert lake.query("SELECT ticks FROM readings").to_pylist() == [{"ticks": 5}]


def test_revisions_are_known_again_after_opening(make: Callable[..., DuckLake]) -> None:
    lake = make()
    filled(lake, 2)
    lake.show(group(3, [500], valid=[T0 + 5], flags=int(Flag.REVISION)), 3)
    lake.commit()
    lake.close()
    lake = make()
    assert row(lake, f"SELECT count(*) AS n, max(ticks) AS m FROM readings WHERE valid = {T0 + 5}") == (1, 500)


steps = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.sampled_from(["", "commit", "merge", "open"])), min_size=4, max_size=7)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_whatever_was_shown_committed_merged_and_reopened_the_reader_gives_what_a_dict_gives(make: Callable[..., DuckLake], steps: list[tuple[int, int, str]]) -> None:
    name = os.urandom(6).hex()
    lake, model = make(name), {}
    for offset, (key, ticks, then) in enumerate(steps, 1):
        flags = int(Flag.REVISION) if key in model else 0
        model[key] = ticks
        lake.show(group(offset, [ticks], valid=[T0 + key * 20 * DAY], flags=flags), offset)
        if then:
            lake.commit()
        if then == "merge":
            lake.merge()
        if then == "open":
            lake.close()
            lake = make(name)
    found = lake.query(f"SELECT (valid - {T0}) // {20 * DAY} AS key, ticks FROM readings").to_pylist()
    assert len(found) == len(model) and {r["key"]: r["ticks"] for r in found} == model
    lake.commit()
    assert lake.verify() == []
    lake.close()


def test_no_row_is_missing_or_doubled_at_any_moment(make: Callable[..., DuckLake]) -> None:
    lake = make()
    shown, stop, wrong, looks = [0], threading.Event(), [], [0, 0]

    def look(which: int) -> None:
        try:
            while not stop.is_set():
                least = shown[0]
                n, distinct, total = row(lake)
                most = shown[0] + 50
                assert least <= n <= most and n == distinct and total == n * (n - 1) // 2, (least, n, distinct, total)  # type: ignore[operator]
                looks[which] += 1
        except BaseException as error:
            wrong.append(error)

    def keep() -> None:
        try:
            done = 0
            while not stop.is_set():
                lake.commit()
                done += 1
                if done % 4 == 0:
                    lake.merge()
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=look, args=(i,)) for i in range(2)] + [threading.Thread(target=keep)]
    for thread in threads:
        thread.start()
    for offset in range(1, 10_000):
        first = shown[0]
        lake.show(group(offset, list(range(first, first + 50))), offset)
        shown[0] += 50
        stop.wait(0.01)
        if wrong or (min(looks) > 8 and sum(line.get("commits", 1) for line in lake.manifest()) > 8):
            break
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[0]
    lake.commit()
    assert row(lake)[0] == shown[0] and lake.verify() == []


def test_merging_keeps_what_is_there_sorted_and_leaves_large_files_alone(make: Callable[..., DuckLake]) -> None:
    lake = make()
    filled(lake, 8)
    before = lake.query("SELECT * FROM readings ORDER BY ticks")
    assert lake.merge(small=1) == 0 and len(lake.files()) == 8
    assert lake.merge() == 7 and len(lake.files()) == 1
    assert lake.query("SELECT * FROM readings ORDER BY ticks").equals(before) and lake.verify() == []
    held = pq.read_table(next(iter(lake.files())))
    assert held["valid"].to_pylist() == sorted(held["valid"].to_pylist())
    filled(lake, 2)
    lake.close()
    again = make()
    assert again.offset() == 10 and row(again)[0] == 1000 and again.verify() == []


def test_a_merge_says_up_to_where_the_warehouse_holds_everything(make: Callable[..., DuckLake]) -> None:
    lake = make()
    filled(lake, 3)
    lake.merge()
    lake._db.execute("CALL ducklake_expire_snapshots('lake', older_than => now() + INTERVAL 1 MINUTE)")
    lake._db.execute("CALL ducklake_cleanup_old_files('lake', older_than => now() + INTERVAL 1 MINUTE)")
    lake.close()
    again = make()
    assert again.offset() == 3 and row(again)[0] == 300 and again.verify() == []


def test_what_a_merge_replaced_goes_with_the_next_but_not_under_a_look(make: Callable[..., DuckLake]) -> None:
    lake, on_disk, offset = make(), [], 0

    def go_on() -> None:
        nonlocal offset
        for _ in range(3):
            offset += 1
            lake.show(group(offset, list(range(100))), offset)
            lake.commit()
        lake.merge()
        on_disk.append(len(list((lake.folder / "readings").rglob("*.parquet"))))

    for _ in range(6):
        go_on()
    assert on_disk == [4, *[5] * 5], "one that holds all, three it was made of, and what it was before"
    with lake.held() as held:
        for _ in range(3):
            go_on()
        assert all(Path(file).exists() for file in held.files)
        assert lake.query("SELECT count(*) AS n FROM versions", at=held)["n"].to_pylist() == [1800]
        assert on_disk[-1] > 5
    go_on()
    assert on_disk[-1] == 5 and row(lake)[0] == offset * 100 and lake.verify() == []


def test_a_merge_that_fails_after_its_commit_takes_no_file_from_under_a_look(make: Callable[..., DuckLake], monkeypatch: pytest.MonkeyPatch) -> None:
    lake = make()
    filled(lake, 3)
    with lake.held() as held:
        with monkeypatch.context() as broken:
            broken.setattr("zhongshu.engines.ducklake.sync_folder", lambda _: (_ for _ in ()).throw(OSError("the disk")))
            with pytest.raises(OSError, match="the disk"):
                lake.merge()
        lake.merge()
        assert all(Path(file).exists() for file in held.files)
    assert row(lake)[0] == 300 and lake.verify() == []


# what a crash leaves


def test_what_is_merged_is_packed_as_what_was_committed(make: Callable[..., DuckLake]) -> None:
    lake = make()
    lake._db.execute("CALL lake.set_option('parquet_compression', 'snappy')")  # a city of an earlier program
    lake.close()
    lake = make()
    filled(lake, 3)
    lake.merge()
    (file,) = lake.files()
    held = pq.ParquetFile(file).metadata
    assert {held.row_group(0).column(i).compression for i in range(held.num_columns)} == {"ZSTD"}


def test_a_commit_that_never_reached_the_catalogue_is_cleaned_away(make: Callable[..., DuckLake], tmp_path: Path) -> None:
    lake = make()
    filled(lake, 2)
    lake.close()
    folder = tmp_path / "lake"
    half = folder / "readings" / "2023-11" / "part-3-4.parquet"
    half.write_bytes(b"PAR1 half a fi")
    whole = (folder / "manifest.jsonl").read_bytes()
    never = b'{"from": 3, "to": 4, "count": 9, "checksum": 1, "form": 1, "files": []}\n'
    for torn in (never, never[:16], never + never[:4]):
        half.write_bytes(b"PAR1 half a fi")
        (folder / "manifest.jsonl").write_bytes(whole + torn)
        again = make()
        assert not half.exists() and again.offset() == 2 and again.verify() == [] and (folder / "manifest.jsonl").read_bytes() == whole
        again.close()
    again = make()
    filled(again, 1)
    assert again.verify() == [] and [line["to"] for line in again.manifest()] == [1, 2, 3]


def test_a_commit_that_fails_is_taken_back_and_done_again(make: Callable[..., DuckLake], monkeypatch: pytest.MonkeyPatch) -> None:
    lake = make()
    filled(lake, 1)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    lake.show(group(2, [1000, 1001], valid=[T0, T0 + 70 * DAY]), 2)
    for what in ("_note", "_enter"):
        with monkeypatch.context() as patch:
            patch.setattr(DuckLake, what, fail)
            with pytest.raises(OSError, match="No space"):
                lake.commit()
        assert len(lake.manifest()) == 1 and row(lake)[0] == 102 and lake.offset() == 1
        assert not list(lake.folder.rglob("part-*-2.parquet"))
    lake.show(group(3, [1002]), 3)
    assert lake.commit() == 3 and row(lake)[0] == 103 and lake.verify() == []


COMMITTER = """
    import sys
    from pathlib import Path
    import numpy as np
    from zhongshu.engines.catalogues import PostgresCatalogue
    from zhongshu.engines.ducklake import DuckLake
    from zhongshu.kernel.reading import Readings
    folder, url, schema = sys.argv[1:]
    lake = DuckLake(Path(folder), memory="1GB", catalogue=PostgresCatalogue(url, schema) if url else None)
    print("open", lake.offset(), flush=True)
    for offset in range(lake.offset() + 1, 10000):
        n = 20
        z = np.zeros(n, np.int32)
        ticks = (offset - 1) * n + np.arange(n)
        lake.show(Readings(["s"], ["e"], ["A.x"], [], z, z, z, np.zeros(n, np.int64), ticks, ticks, z, ticks.astype(float), z - 1, offset=offset, known=offset).table(), offset)
        print("done", lake.commit(), flush=True)
        if offset % 5 == 0:
            lake.merge()
"""


def test_a_killed_committer_leaves_everything_it_confirmed_and_nothing_half(make: Callable[..., DuckLake], tmp_path: Path) -> None:
    lake = make()
    held, confirmed = lake.catalogue, 0
    where = [held.url, held.schema] if isinstance(held, PostgresCatalogue) else ["", ""]
    lake.close()
    for enough in (3, 6):
        with subprocess.Popen([sys.executable, "-c", textwrap.dedent(COMMITTER), str(tmp_path / "lake"), *where], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline().split()[0] == "open"
            for _ in range(enough):
                confirmed = int(child.stdout.readline().split()[1])
            os.kill(child.pid, signal.SIGKILL)
        lake = make()
        offset = lake.offset()
        assert offset >= confirmed and row(lake) == (offset * 20, offset * 20, offset * 20 * (offset * 20 - 1) // 2)
        assert lake.verify() == []
        lake.close()


# what verify finds


def damaged(lake: DuckLake, harm: Callable[[Path], None]) -> tuple[str, list[str]]:
    path = Path(sorted(lake.files())[1])
    harm(path)
    return str(path.relative_to(lake.folder)), lake.verify()


def rewrite(path: Path) -> None:
    table = pq.read_table(path)
    ticks = table["ticks"].to_numpy().copy()
    ticks[[3, 4]] = ticks[[4, 3]]
    pq.write_table(table.set_column(table.column_names.index("ticks"), "ticks", pa.array(ticks)), path, compression="zstd", store_schema=False)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 8] ^= 0x40
    path.write_bytes(content)


HARMS = pytest.mark.parametrize(
    "harm",
    [Path.unlink, lambda p: p.write_bytes(p.read_bytes()[:-100]), lambda p: p.write_bytes(b""), flip, rewrite],
    ids=["removed", "truncated", "emptied", "flipped", "rewritten"],
)


@HARMS
def test_verify_names_the_file_that_is_not_whole(make: Callable[..., DuckLake], harm: Callable[[Path], None]) -> None:
    lake = make()
    filled(lake, 3)
    name, wrong = damaged(lake, harm)
    assert wrong and any(name in line for line in wrong) and any("commit 2–2" in line for line in wrong)
    assert not any("commit 1–1" in line or "commit 3–3" in line for line in wrong)


@HARMS
def test_what_the_journal_still_has_is_written_anew(make: Callable[..., DuckLake], harm: Callable[[Path], None]) -> None:
    lake = make()
    filled(lake, 3)
    before = row(lake)
    name, _ = damaged(lake, harm)
    assert lake.repair(lambda first, last: None) == [], "the journal has forgotten it"
    assert lake.repair(lambda first, last: group(first, list(range(1, 101)))) == [], "other readings than were committed are not written"
    assert lake.verify() != []
    (mended,) = lake.repair(lambda first, last: group(first, list(range((last - 1) * 100, last * 100))))
    assert mended == name
    assert (lake.verify(), row(lake)) == ([], before)
    assert not list(lake.folder.rglob("*.mended"))


def test_what_was_merged_is_named_and_left(make: Callable[..., DuckLake]) -> None:
    lake = make()
    filled(lake, 3)
    lake.merge()
    (file,) = lake.files()
    Path(file).write_bytes(b"")
    assert lake.repair(lambda first, last: group(first, list(range((last - 1) * 100, last * 100)))) == []
    assert any(Path(file).name in line for line in lake.verify())


def test_verify_finds_a_manifest_that_was_changed(make: Callable[..., DuckLake]) -> None:
    lake = make()
    filled(lake, 3)
    lines = lake.manifest()
    path = lake.folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in (lines[0], lines[2])))
    assert any("does not follow" in line for line in lake.verify())
    lines[1]["count"] += 1
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert any("commit 2–2 holds 100 of 101" in line for line in lake.verify())


def test_a_backup_opens_and_is_whole(make: Callable[..., DuckLake], tmp_path: Path) -> None:
    lake = make()
    filled(lake, 4)
    lake.merge()
    filled(lake, 2)
    (tmp_path / "copy").mkdir()
    lake.backup(tmp_path / "copy")
    copy = make("copy")
    assert all(str(tmp_path / "copy") in f for f in copy.files()), "it names its own files, not those it was copied from"
    assert row(copy)[0] == row(lake)[0] and copy.verify() == []


def test_a_folder_may_be_moved(make: Callable[..., DuckLake], tmp_path: Path) -> None:
    lake = make()
    filled(lake, 3)
    lake.merge()
    filled(lake, 1)
    lake.close()
    (tmp_path / "lake").rename(tmp_path / "elsewhere")
    moved = make("elsewhere")
    assert row(moved)[0] == 400
    filled(moved, 1)
    assert moved.verify() == [] and moved.merge() > 0 and moved.verify() == []


def test_the_checksum_ignores_order_and_grouping_and_sees_every_cell() -> None:
    table = pa.concat_tables([group(1, [1, 2, 3]), group(2, [4, 5], entity=1)]).unify_dictionaries()
    whole = checksum(table)
    assert checksum(table.take(pa.array([4, 2, 0, 1, 3]))) == whole
    assert (checksum(table.slice(0, 2)) + checksum(table.slice(2))) % 2**64 == whole and checksum(table.slice(0, 0)) == 0
    plain = table.cast(pa.schema([pa.field(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in table.schema]))
    assert checksum(plain) == whole
    for i, field in enumerate(plain.schema):
        values = plain[field.name].to_pylist()
        other = [None if field.nullable and values[0] is not None else "other" if pa.types.is_string(field.type) else 99, *values[1:]]
        assert checksum(plain.set_column(i, field.name, pa.array(other, field.type))) != whole, field.name
    swapped = plain.set_column(plain.column_names.index("ticks"), "ticks", pa.array([2, 1, 3, 4, 5]))
    assert checksum(swapped) != whole, "a value moved from one row to another shows"
