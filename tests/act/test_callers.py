"""A caller's number is kept in one place, and never leaves but by the one door for it; who calls twice is known to be the same."""

import sqlite3
from itertools import takewhile
from pathlib import Path
from typing import Any

from sqlalchemy import select

from zhongshu.act import Given, Voice, decide, do_request, record, take_request, voices
from zhongshu.act.tables import ACT, caller, request
from zhongshu.engines import migrations
from zhongshu.kernel.grade import EVERYWHERE, Scope

ALL = Scope(EVERYWHERE, 4)
NUMBER = "13800001111"


def call(city: Any, name: str, number: str = NUMBER) -> dict[str, Any]:
    voice = Voice("phone", name, city.clock.at, city.cell, "ponding", "路口积水", "文汇路", 121.5, 31.2, "phone", reporter=f"tel:{number}")
    return dict(city.as_("acceptor", lambda deed: take_request(deed, voice))[0])


def test_the_number_stands_in_one_column_of_the_whole_desk(city: Any) -> None:
    told = call(city, "a")
    city.as_("acceptor", lambda deed: do_request(deed, told["id"], "answer", Given(answer="已办")))
    again = call(city, "b")
    case = city.as_("acceptor", lambda deed: decide(deed, again["lead"], "confirm", Given()))["case_id"]
    held = {}
    for table in ACT.sorted_tables:
        for row in city.desk.read(lambda c, table=table: c.execute(select(table)).mappings().all()):
            held |= {f"{table.name}.{name}": True for name, value in row.items() if NUMBER in str(value)}
    assert [*held] == ["caller.number"]
    assert city.desk.read(lambda c: voices.caller(c, told["id"])) == NUMBER
    shown = [
        city.desk.read(lambda c: voices.list_requests(c, ALL, voices.VoiceFilter())),
        city.desk.read(lambda c: voices.list_requests(c, ALL, voices.VoiceFilter(q=NUMBER))),
        city.desk.read(lambda c: voices.for_desk(c, told["id"], city.people["acceptor"], city.clock.at)),
        city.desk.read(lambda c: voices.get_request(c, told["id"])),
        city.desk.read(lambda c: record.list_leads(c, ALL)),
        city.desk.read(lambda c: record.get_case(c, ALL, case, city.people["acceptor"], city.clock.at)),
        city.news,
        city.lines,
    ]
    name = city.row(request, told["id"])["reporter"].removeprefix("tel:")
    assert [one for one in shown[:1] + shown[2:] if NUMBER in str(one) or name in str(one)] == []
    assert shown[1]["items"] == [], "nobody looks for a person by their number"


def test_one_number_is_one_person_and_another_is_another(city: Any) -> None:
    names = [call(city, name, number)["reporter"] for name, number in (("a", NUMBER), ("b", NUMBER), ("c", "+8613800002222"))]
    assert names[0] == names[1] != names[2]
    assert all(NUMBER not in name and name.startswith("tel:") for name in names)
    assert len(city.desk.read(lambda c: c.execute(select(caller)).all())) == 2


def test_numbers_of_an_older_desk_are_put_away(tmp_path: Path) -> None:
    older = tmp_path / "older"
    older.mkdir()
    rows = [*takewhile(lambda row: not row.name.endswith("_callers"), migrations.migrations())]
    for row in rows:
        (older / f"{row.name}.sql").write_text(row.text, "utf-8")
    (older / "HEAD").write_text(str(len(rows)))
    path = tmp_path / "desk.sqlite"
    migrations.migrate(path, older)
    store = sqlite3.connect(path)
    columns = [name for _, name, _, need, _, _ in store.execute("PRAGMA table_info(request)") if need]
    for name, external, reporter in (("a", f"tel:{NUMBER}:x", f"tel:{NUMBER}"), ("b", "y", f"tel:{NUMBER}"), ("c", "z", "citizen-1"), ("d", "w", "tel:12345")):
        given = dict.fromkeys(columns, "") | {"id": name, "number": name, "source": "phone", "external": external, "reporter": reporter}
        store.execute(f"INSERT INTO request ({', '.join(given)}) VALUES ({', '.join('?' * len(given))})", [*given.values()])
    store.commit()
    store.close()
    migrations.migrate(path)
    store = sqlite3.connect(path)
    found = {name: (external, reporter) for name, external, reporter in store.execute("SELECT id, external, reporter FROM request")}
    numbers = dict(store.execute("SELECT number, 'tel:' || id FROM caller"))
    store.close()
    assert sorted(numbers) == ["12345", NUMBER]
    assert found == {"a": (f"{numbers[NUMBER]}:x", numbers[NUMBER]), "b": ("y", numbers[NUMBER]), "c": ("z", "citizen-1"), "d": ("w", numbers["12345"])}
