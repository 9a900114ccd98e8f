"""A city of an earlier form, with people's work in it, is opened by this program: nothing of it is lost or changed, and it works on."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from zhongshu.engines import migrations
from zhongshu.kernel.area import show_area

from .city import command
from .streets import DRAINAGE, Town

pytestmark = pytest.mark.journey
FORMS = Path(migrations.__file__).parent


def earlier(folder: Path, less: int) -> Path:
    """Return a folder of migrations that ends `less` before the last."""
    head = int((FORMS / "HEAD").read_text()) - less
    folder.mkdir()
    for path in FORMS.glob("*.sql"):
        if int(path.name[:4]) <= head:
            shutil.copy2(path, folder)
    (folder / "HEAD").write_text(f"{head:04d}\n")
    return folder


def rows(store: sqlite3.Connection, table: str, columns: list[str]) -> list[Any]:
    return store.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {', '.join(columns)}").fetchall()


def columns_of(store: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in store.execute(f"PRAGMA table_info({table})")]


def tables_of(store: sqlite3.Connection) -> list[str]:
    return [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name != 'migration' ORDER BY name")]


@pytest.mark.parametrize("less", [1, 2, 4])
def test_a_city_of_an_earlier_form_is_opened_with_all_that_is_in_it(tmp_path: Path, less: int) -> None:
    town = Town(tmp_path / "city")
    town.join("duty", town.token("duty", "duty_officer", town.city))
    lon, lat = town.place(town.here)
    case = town.ok("dispatcher", "POST", "/api/cases", json={"class": "drainage.manhole", "title_zh": "井盖松动", "area": show_area(town.here), "lon": lon, "lat": lat})
    for who, verb in (("acceptor", "verify"), ("duty", "file")):
        case = town.ok(who, "POST", f"/api/cases/{case['id']}/{verb}", json={"version": case["version"]})
    headers = {name: dict(town.clients[name].headers) for name in ("dispatcher", "steward")}
    town.close()
    desk, old = tmp_path / "city" / "desk.sqlite", tmp_path / "old.sqlite"
    migrations.migrate(old, earlier(tmp_path / "forms", less))
    with closing(sqlite3.connect(old, isolation_level=None)) as store:
        store.execute("ATTACH ? AS new", (str(desk),))
        held = {}
        for table in tables_of(store):
            columns = columns_of(store, table)
            store.execute(f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns)} FROM new.{table}")
            held[table] = columns, rows(store, table, columns)
    for path in desk.parent.glob("desk.sqlite*"):
        path.unlink()
    old.rename(desk)
    command("verify", "--data", desk.parent)
    assert list(desk.parent.glob("desk.sqlite.form-*")), "a copy of the earlier form is kept"
    with closing(sqlite3.connect(desk)) as store:
        changed = {table for table, (columns, before) in held.items() if not set(rows(store, table, columns)) >= set(before)}
        assert changed <= {"desk_cursor", "watch_state", "duty_row"}, "where the program stands and what packs bring may move on; what people did may not"
        assert held["case_step"][1] and held["ledger"][1] and held["party"][1]
    again = Town(desk.parent)
    try:
        told = again.clients[""].post(
            f"/api/cases/{case['id']}/dispatch", json={"version": case["version"], "unit": DRAINAGE}, headers={"authorization": headers["dispatcher"]["authorization"]}
        )
        assert told.status_code == 200 and told.json()["unit"] == DRAINAGE and len(told.json()["history"]) == len(case["history"]) + 1
    finally:
        again.close()
