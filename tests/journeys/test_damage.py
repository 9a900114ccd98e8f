"""A city whose disk changed some bytes: verify names what is not whole and mends what it can, and a start gives a problem a person can act on; never a traceback."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from zhongshu.app import alone
from zhongshu.app.commands import bare_city
from zhongshu.app.streams import FILE
from zhongshu.kernel.clock import MINUTE, rfc3339
from zhongshu.kernel.problem import Problem
from zhongshu.sense import Source

from .city import command, free_port, settings

pytestmark = pytest.mark.journey


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """Return a city's folder with readings in the warehouse and in the journal, as a restored backup has it: without what is kept of streams."""
    folder = tmp_path / "city"
    folder.mkdir()
    bare_city(folder)
    with alone(settings(folder)) as (parts, pipe):
        parts.add_source(source := Source("gauge", "水尺", "Gauge", "city", entities="register"))
        now = parts.clock.now() // MINUTE * MINUTE - 20 * MINUTE
        for turn in range(2):
            rows = [
                {"entity": f"urn:zs:WaterLevelSensor:{k}", "property": "WaterLevelSensor.depth", "time": rfc3339(now + turn * MINUTE), "value": k / 7, "lon": 1, "lat": 1}
                for k in range(20)
            ]
            pipe.submit(parts.intake.open(source, "\n".join(map(json.dumps, rows)).encode(), "application/x-ndjson", "", "")).result(30)
            parts.lake.commit()
    (folder / FILE).unlink(missing_ok=True)
    return folder


def told(folder: Path) -> str:
    """Run a city that must not start, in a process of its own, and return what it said."""
    done = subprocess.run([sys.executable, "-m", "zhongshu.cli", "up", "--data", str(folder), "--port", str(free_port())], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr, (done.returncode, done.stderr[-2000:])
    return done.stderr


def test_a_damaged_file_of_the_warehouse_is_told_named_and_mended(city: Path) -> None:
    path = sorted((city / "lake" / "readings").rglob("part-*.parquet"))[0]
    whole = path.read_bytes()
    for at in (len(whole) // 4, len(whole) - 300):
        path.write_bytes(whole[:at] + bytes(b ^ 0xFF for b in whole[at : at + 8]) + whole[at + 8 :])
        assert path.name in command("verify", "--data", city, code=1)
        try:
            with alone(settings(city)):
                pass
        except Problem as problem:
            assert problem.kind.code == "lake.damaged"
        assert f"mended 已修复 {path.relative_to(city / 'lake')}\nwhole" in command("verify", "--repair", "--data", city)
        assert path.read_bytes() == whole
    path.write_bytes(b"PAR1" + bytes(len(whole) - 8) + b"PAR1")
    said = told(city)
    assert "lake.damaged" in said and "verify --repair" in said
    command("verify", "--repair", "--data", city)
    with alone(settings(city)) as (parts, _):
        assert parts.lake.query("SELECT count(*) AS n FROM readings")["n"].to_pylist() == [40]


def test_a_damaged_entry_of_the_journal_is_named_and_nothing_is_mended_from_it(city: Path) -> None:
    with closing(sqlite3.connect(city / "journal.sqlite")) as store, store:
        (offset, payload) = store.execute("SELECT offset, payload FROM entry WHERE kind = 'readings' ORDER BY offset").fetchone()
        at = len(payload) // 2
        store.execute("UPDATE entry SET payload = ? WHERE offset = ?", (payload[:at] + bytes(b ^ 0xFF for b in payload[at : at + 8]) + payload[at + 8 :], offset))
    assert f"journal: entry {offset} is not as it was written\n1 not whole" in command("verify", "--repair", "--data", city, code=1)
    path = sorted((city / "lake" / "readings").rglob("part-*.parquet"))[0]
    path.write_bytes(b"")
    assert "mended" not in command("verify", "--repair", "--data", city, code=1)
    with closing(sqlite3.connect(city / "journal.sqlite")) as store, store:
        store.execute("UPDATE entry SET payload = replace(payload, 'WaterLevel', 'XaterLevel') WHERE kind = 'entities'")
    said = told(city)
    assert "journal.damaged" in said and "Entry 1 " in said and "第 1 条" in said


def test_a_damaged_row_of_the_desk_is_named_and_the_rest_is_verified(city: Path) -> None:
    with closing(sqlite3.connect(city / "desk.sqlite")) as store, store:
        store.execute("DROP TRIGGER IF EXISTS ledger_never_changed")
        (row,) = store.execute("SELECT min(id) FROM duty_row").fetchone()
        store.execute("UPDATE duty_row SET cells = CAST(CAST(cells AS BLOB) || x'ff' AS TEXT) WHERE id = ?", (row,))
        store.execute("UPDATE ledger SET detail = CAST(CAST(detail AS BLOB) || x'ff' AS TEXT) WHERE seq = 1")
    said = command("verify", "--data", city, code=1)
    assert f"desk: desk.sqlite: table duty_row, row {row}: cells cannot be read" in said
    assert "desk: desk.sqlite: table ledger, row 1: detail cannot be read\nledger: Line 1 was changed" in said
