"""What the warehouse forgets is gone from the disk, stands rolled up, and is proven: held + forgotten = committed, whenever a run is killed."""

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
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongshu.engines.ducklake import DuckLake
from zhongshu.engines.forgetting import Cut, Forgetting, Gone, Piece
from zhongshu.engines.manifest import STRETCH, joined
from zhongshu.kernel.clock import DAY, HOUR, MINUTE
from zhongshu.kernel.quantity import NULL
from zhongshu.kernel.reading import Flag, Readings

pytestmark = pytest.mark.port
T0 = 1_700_000_000_000_000 // DAY * DAY
Row = tuple[int, int, int, int, int]
"""(entity, property, valid, ticks, area)"""
HOURS = "SELECT entity, property, area, hour, n, total, low, high, first, last, latest FROM hourly"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., DuckLake]]:
    opened: list[DuckLake] = []

    def open_(folder: str = "lake") -> DuckLake:
        opened.append(DuckLake(tmp_path / folder, memory="1GB"))
        return opened[-1]

    yield open_
    for lake in opened:
        lake.close()


def put(lake: DuckLake, rows: list[Row], *, flags: int = 0, commit: bool = True) -> None:
    offset, n = lake.offset() + 1 + lake.tail_rows(), len(rows)
    entity, prop, valid, ticks, area = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    zero = np.zeros(n, np.int32)
    lake.show(
        Readings(
            ["s"],
            ["e0", "e1", "e2"],
            ["A.x", "A.y", "B.z"],
            [],
            zero,
            entity.astype(np.int32),
            prop.astype(np.int32),
            110101001001001 + area,
            valid,
            ticks,
            zero + flags,
            ticks.astype(float),
            zero - 1,
            offset=offset,
            known=T0 + offset,
        ).table(),
        offset,
    )
    if commit:
        lake.commit()


def days(lake: DuckLake, count: int, prop: int = 0) -> None:
    """Commit some days of three streams, one reading in ten minutes, a commit a day."""
    for day in range(count):
        put(lake, [(e, prop, T0 + day * DAY + k * 10 * MINUTE + e, day * 1000 + k, e) for e in range(3) for k in range(144)])


def cut(before: int, property_: str = "", *others: str, rule: str = "all:2026") -> Cut:
    return Cut(rule, property_, before, others)


def forget(lake: DuckLake, *cuts: Cut, table: str = "readings", upto: int = 2**60) -> list[Gone]:
    return [lake.forgetting.run(cuts, piece) for piece in lake.forgetting.due({table: cuts}, upto)]


def row(lake: DuckLake, sql: str) -> tuple[object, ...]:
    return tuple(lake.query(sql).to_pylist()[0].values())


def on_disk(lake: DuckLake) -> list[int]:
    """Return the valid times that stand in any Parquet file of readings, named by the catalogue or not."""
    files = [f for f in (lake.folder / "readings").rglob("*.parquet") if not f.name.startswith("hours-")]
    return sorted(v for f in files for v in pq.read_table(f)["valid"].to_pylist())


def test_what_is_forgotten_is_gone_from_every_file_and_the_rest_is_proven(make: Callable[..., DuckLake]) -> None:
    lake = make()
    days(lake, 4)
    lake.merge()
    days(lake, 0)
    put(lake, [(0, 0, T0 + 5 * DAY, 7, 0)])
    (gone,) = forget(lake, cut(T0 + 2 * DAY))
    assert (gone.count, gone.hours, gone.late) == (2 * 432, 2 * 24 * 3, 0)
    assert row(lake, "SELECT count(*), min(valid) FROM versions") == (2 * 432 + 1, T0 + 2 * DAY)
    assert len(on_disk(lake)) == 2 * 432 + 1 and on_disk(lake)[0] == T0 + 2 * DAY
    assert lake.verify() == [] and forget(lake, cut(T0 + 2 * DAY)) == []
    lake.close()
    again = make()
    assert again.verify() == [] and row(again, "SELECT count(*) FROM readings") == (865,) and row(again, "SELECT count(*), sum(n)::INT FROM hourly") == (144, 864)


def test_an_hour_stands_rolled_up_exactly(make: Callable[..., DuckLake]) -> None:
    lake = make()
    put(lake, [(0, 0, T0 + 5, 9, 0), (0, 0, T0 + 30, 4, 0), (0, 0, T0 + 20, int(NULL), 0), (0, 0, T0 + 40, 2, 1), (1, 0, T0 + HOUR - 1, 3, 0), (1, 0, T0 + HOUR, 5, 0)])
    put(lake, [(0, 0, T0 + 30, 6, 0)], flags=int(Flag.REVISION))
    forget(lake, cut(T0 + DAY))
    here = 110101001001001
    assert sorted(tuple(r.values()) for r in lake.query(HOURS).to_pylist()) == [
        ("e0", "A.x", here, T0, 2, 15, 6, 9, 9, 6, T0 + 30),
        ("e0", "A.x", here + 1, T0, 1, 2, 2, 2, 2, 2, T0 + 40),
        ("e1", "A.x", here, T0, 1, 3, 3, 3, 3, 3, T0 + HOUR - 1),
        ("e1", "A.x", here, T0 + HOUR, 1, 5, 5, 5, 5, 5, T0 + HOUR),
    ]


def test_each_property_is_cut_by_its_own_rule(make: Callable[..., DuckLake]) -> None:
    lake = make()
    for prop in range(3):
        days(lake, 3, prop)
    forget(lake, cut(T0 + DAY, "A.x", rule="A.x:1"), cut(T0 + 2 * DAY, "", "A.x", "B.z", rule="all:1"))
    assert lake.query("SELECT property, min(valid) AS v FROM readings GROUP BY 1 ORDER BY 1").to_pylist() == [
        {"property": "A.x", "v": T0 + DAY},
        {"property": "A.y", "v": T0 + 2 * DAY},
        {"property": "B.z", "v": T0},
    ]
    assert {key: line["count"] for key, line in lake.forgetting.totals().items()} == {("readings", "A.x:1"): 432, ("readings", "all:1"): 864}
    assert lake.verify() == []


def test_no_older_version_comes_back(make: Callable[..., DuckLake]) -> None:
    lake = make()
    put(lake, [(0, 0, T0, 1, 0)])
    put(lake, [(0, 0, T0, 2, 0)], flags=int(Flag.REVISION))
    lake.merge()
    put(lake, [(0, 0, T0, 3, 0)], flags=int(Flag.REVISION))
    assert forget(lake, cut(T0 + HOUR))[0].count == 3
    assert row(lake, "SELECT count(*) FROM versions") == (0,) and row(lake, "SELECT n, last FROM hourly") == (1, 3)


def test_what_comes_after_its_hour_was_rolled_up_goes_too_and_changes_no_row(make: Callable[..., DuckLake]) -> None:
    lake = make()
    put(lake, [(0, 0, T0, 1, 0)])
    forget(lake, cut(T0 + HOUR))
    put(lake, [(0, 0, T0 + 1, 5, 0), (1, 0, T0 + 1, 8, 0)])
    (gone,) = forget(lake, cut(T0 + HOUR))
    assert (gone.count, gone.late, gone.hours) == (2, 1, 1)
    assert lake.query("SELECT entity, n, last FROM hourly ORDER BY 1").to_pylist() == [{"entity": "e0", "n": 1, "last": 1}, {"entity": "e1", "n": 1, "last": 8}]
    assert lake.verify() == []


def test_hours_that_the_journal_still_holds_wait(make: Callable[..., DuckLake]) -> None:
    lake = make()
    put(lake, [(0, 0, T0, 1, 0), (0, 0, T0 + HOUR, 1, 0)])
    put(lake, [(0, 0, T0 + HOUR + 1, 1, 0)])
    assert sum(g.count for g in forget(lake, cut(T0 + DAY), upto=1)) == 1
    assert sum(g.count for g in forget(lake, cut(T0 + DAY), upto=2)) == 2


def test_hourly_rows_are_forgotten_in_their_turn(make: Callable[..., DuckLake]) -> None:
    lake = make()
    days(lake, 3)
    forget(lake, cut(T0 + 3 * DAY))
    (gone,) = forget(lake, cut(T0 + 2 * DAY), table="hourly")
    assert gone.count == 144 and row(lake, "SELECT count(*), min(hour) FROM hourly") == (72, T0 + 2 * DAY)
    assert lake.verify() == [] and lake.forgetting.totals()["hourly", "all:2026"]["count"] == 144


def test_verify_names_an_hourly_file_that_is_not_whole_and_a_count_that_was_changed(make: Callable[..., DuckLake]) -> None:
    lake = make()
    days(lake, 2)
    forget(lake, cut(T0 + DAY))
    path = lake.folder / "manifest.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    changed = [line | ({"count": line["count"] + 1} if "forgot" in line else {}) for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in changed))
    assert any("commit 1–1 holds 0 of -1" in line for line in lake.verify())
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (file,) = lake.forgetting.files("hourly")
    Path(file).write_bytes(b"")
    assert any(Path(file).name in line for line in lake.verify())


def test_a_reader_under_way_is_answered(make: Callable[..., DuckLake]) -> None:
    lake = make()
    for _ in range(4):
        days(lake, 2)
    stop, wrong, looks = threading.Event(), [], [0]

    def look() -> None:
        try:
            while not stop.is_set():
                n, least = row(lake, "SELECT count(*) - count(DISTINCT (entity, valid, known)), min(known) FROM versions")
                assert n == 0, (n, least)
                looks[0] += 1
        except BaseException as error:
            wrong.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    for k in range(1, 13):
        forget(lake, cut(T0 + k * HOUR))
    stop.set()
    thread.join()
    assert not wrong, wrong[0]
    assert looks[0] > 3 and lake.verify() == []


steps = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.sampled_from(["", "commit", "merge", "forget", "open"])), min_size=4, max_size=7)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_held_and_forgotten_are_what_was_committed(make: Callable[..., DuckLake], steps: list[tuple[int, int, str]]) -> None:
    name = os.urandom(6).hex()
    lake, model, put_in = make(name), {}, 0
    for key, ticks, then in steps:
        put(lake, [(0, 0, T0 + key * HOUR, ticks, 0)], flags=int(Flag.REVISION) if key in model else 0, commit=bool(then))
        model[key], put_in = ticks, put_in + 1
        if then == "merge":
            lake.merge()
        if then == "forget":
            forget(lake, cut(T0 + 3 * HOUR))
            model = {k: t for k, t in model.items() if k >= 3}
        if then == "open":
            lake.close()
            lake = make(name)
    found = lake.query(f"SELECT (valid - {T0}) // {HOUR} AS key, ticks FROM readings").to_pylist()
    assert {r["key"]: r["ticks"] for r in found} == model
    lake.commit()
    gone = sum(line["count"] for line in lake.forgetting.totals().values())
    assert lake.verify() == [] and gone + row(lake, "SELECT count(*) FROM versions")[0] == put_in  # type: ignore[operator]
    lake.close()


# what a crash leaves


FORGETTER = """
    import os, signal, sys
    from pathlib import Path
    from zhongshu.engines import forgetting
    from zhongshu.engines.ducklake import DuckLake
    from zhongshu.engines.forgetting import Cut, Forgetting, Piece
    from zhongshu.engines.manifest import Manifest

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    lake = DuckLake(Path(sys.argv[1]), memory="1GB")
    moment, before = sys.argv[2], int(sys.argv[3])
    if moment == "torn":
        def torn(self, *lines):
            with self.path.open("ab") as file:
                file.write("".join(forgetting.json.dumps(line) + "\\n" for line in lines).encode()[:-9])
            die()
        Manifest.note = torn
    elif moment == "committed":
        Forgetting._clean = die
    elif moment == "half removed":
        forgetting.Forgetting._clean = lambda self, old: (os.unlink(old[0]), die())
    else:
        setattr(forgetting if moment == "_sift" else Manifest if moment == "note" else Forgetting, moment, die)
    cuts = [Cut("all:2026", "", before)]
    for piece in lake.forgetting.due({"readings": cuts}, 2**60):
        lake.forgetting.run(cuts, piece)
"""


@pytest.mark.parametrize(("moment", "happened"), [("_sift", False), ("note", False), ("torn", False), ("_swap", False), ("committed", True), ("half removed", True)])
def test_a_killed_run_has_happened_whole_or_not_at_all(make: Callable[..., DuckLake], moment: str, happened: bool) -> None:
    lake = make()
    days(lake, 3)
    put(lake, [(0, 0, T0, 77, 0)], flags=int(Flag.REVISION))
    lake.close()
    before = T0 + DAY + HOUR
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(FORGETTER), str(lake.folder), moment, str(before)], check=False)
    assert done.returncode == -signal.SIGKILL
    again = make()
    whole, left = 3 * 432 + 1, 3 * 432 + 1 - (432 + 18 + 1)
    assert row(again, "SELECT count(*) FROM versions") == (left if happened else whole,)
    assert row(again, "SELECT count(*) FROM hourly") == (75 if happened else 0,)
    assert again.verify() == []
    assert len(on_disk(again)) == (left if happened else whole), "nothing half, and nothing forgotten, is on the disk"
    assert sum(g.count for g in forget(again, cut(before))) == (0 if happened else 451)
    assert again.verify() == [] and row(again, "SELECT count(*), sum(n)::INT FROM hourly") == (75, 450) and len(on_disk(again)) == left


def test_a_run_that_fails_is_taken_back(make: Callable[..., DuckLake], monkeypatch: pytest.MonkeyPatch) -> None:
    lake = make()
    days(lake, 2)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for what in ("_roll_up", "_swap"):
        with monkeypatch.context() as patch:
            patch.setattr(Forgetting, what, fail)
            with pytest.raises(OSError, match="No space"):
                forget(lake, cut(T0 + DAY))
        assert lake.verify() == [] and len(on_disk(lake)) == 864 and not list(lake.folder.rglob("kept-*")) and not list(lake.folder.rglob("hours-*"))
    assert forget(lake, cut(T0 + DAY))[0].count == 432 and lake.verify() == []


# the manifest


def test_merged_commits_are_one_line_and_still_proven(make: Callable[..., DuckLake]) -> None:
    lake = make()
    days(lake, 5)
    assert len(lake.manifest()) == 5
    lake.merge()
    assert [(line["from"], line["to"], line["count"], line["commits"]) for line in lake.manifest()] == [(1, 5, 5 * 432, 5)] and lake.verify() == []
    days(lake, 1)
    forget(lake, cut(T0 + DAY), Cut("x", "A.y", T0))
    assert lake.verify() == []
    lake.close()
    again = make()
    assert again.verify() == [] and len(again.manifest()) == 1, "nor does a stretch grow apart when it is opened"
    Path(next(iter(again.files()))).unlink()
    assert any("commit 1–6 holds" in line for line in again.verify())


def test_a_stretch_is_bounded_and_what_stands_is_not_joined() -> None:
    lines = [{"from": i, "to": i, "count": 2, "checksum": 2**63, "form": 1, "revised": False, "files": [f"f{i}"]} for i in range(1, 10_000)]
    out = joined(lines, {"f5000"})
    assert max(line.get("commits", 1) for line in out) == STRETCH and sum(line["count"] for line in out) == 2 * 9999
    assert any(line["files"] == ["f5000"] and line["from"] == line["to"] == 5000 for line in out)
    assert [a["to"] + 1 for a in out[:-1]] == [b["from"] for b in out[1:]]
    assert joined(out, {"f5000"}) == out


def test_a_piece_is_of_whole_hours(make: Callable[..., DuckLake]) -> None:
    lake = make()
    put(lake, [(0, 0, T0 + 5, 1, 0), (0, 0, T0 - HOUR + 3, 1, 0)])
    assert lake.forgetting.due({"readings": [cut(T0 + HOUR)], "hourly": []}, 2**60) == [Piece("readings", T0 - HOUR, T0 + HOUR)]
