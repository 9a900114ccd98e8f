"""Tables of real databases, pulled: ties lose and double nothing, whatever names columns have, whatever cells hold, and whatever breaks in between."""

import json
from collections.abc import Callable
from typing import Any

import mariadb
import postgres
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongshu.engines.sqlite_journal import SqliteJournal
from zhongshu.kernel.clock import MINUTE, SECOND, to_datetime
from zhongshu.kernel.journal import Entry
from zhongshu.kernel.problem import Problem
from zhongshu.sense import Feed, RequestTable, Source
from zhongshu.sense.feeds import sql as module

pytestmark = pytest.mark.port
ROWS = {"type": "Gauge", "id": "station", "time": "at", "columns": [{"header": "mm", "property": "Gauge.rain", "unit": "mm"}, {"header": "warm", "property": "Gauge.temp"}]}


class Postgres:
    """A schema of the tests' PostgreSQL."""

    stamp, text, mark, second = "timestamptz", "text", '"', "interval '{n} seconds'"
    far = 200_000_000_000

    def __init__(self, url: str) -> None:
        self.kind, self.address, self.secret = "postgresql", postgres.new_schema(url), ""

    def do(self, *statements: Any) -> None:
        with psycopg.connect(self.address, autocommit=True) as connection:
            connection.execute("SET TimeZone TO 'UTC'")
            for each in statements:
                statement, values = (each, ()) if isinstance(each, str) else each
                connection.execute(statement.encode(), values)

    def cut_off(self) -> None:
        postgres.cut_off(self.address)


class Maria:
    """A new set of tables in the tests' MariaDB."""

    stamp, text, mark, second = "timestamp(6)", "text", "`", "INTERVAL {n} SECOND"
    far = 60_000_000

    def __init__(self, port: int) -> None:
        self.kind, self.port, self.address, self.secret = "mysql", port, f"mysql://{mariadb.USER}@127.0.0.1:{port}/city", "db"
        with mariadb.connect(port) as connection, connection.cursor() as cursor:
            cursor.execute("DROP DATABASE city")
            cursor.execute("CREATE DATABASE city CHARACTER SET utf8mb4")

    def do(self, *statements: Any) -> None:
        with mariadb.connect(self.port) as connection, connection.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00'")
            for each in statements:
                statement, values = (each, ()) if isinstance(each, str) else each
                cursor.execute(statement, values)

    def cut_off(self) -> None:
        with mariadb.connect(self.port) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE id != CONNECTION_ID()")
            for (number,) in cursor.fetchall():
                cursor.execute(f"KILL {number:d}")


@pytest.fixture(params=["postgresql", "mariadb"])
def base(request: pytest.FixtureRequest) -> Postgres | Maria:
    if request.param == "postgresql":
        return Postgres(request.getfixturevalue("postgresql"))
    port = mariadb.server()
    if port is None:
        pytest.skip("MariaDB is not installed: apt-get install mariadb-server")
    return Maria(port)


@pytest.fixture
def pulled(base: Any, feed_of: Callable[..., Feed]) -> Callable[..., Feed]:
    def make(table: str = "levels", watermark: str = "changed", rows: Any = ROWS, **more: Any) -> Feed:
        source = more.pop("source", None)
        row = {"kind": base.kind, "address": base.address, "table": table, "watermark": watermark, "secret": base.secret, **more}
        return feed_of(row | ({} if rows is None else {"rows": rows}), {"db": mariadb.PASSWORD}, source)

    return make


def table(base: Any, name: str = "levels") -> str:
    return f"CREATE TABLE {name} (id bigint PRIMARY KEY, station varchar(50), at {base.stamp} NULL, mm {base.text}, warm numeric(9, 3), changed {base.stamp} NULL)"


def row(desk: Any, n: int, *, mm: str | None = "1.5", changed: int = 0, station: str | None = "1") -> Any:
    at, moment = (to_datetime(desk.clock.at - ago * SECOND).replace(tzinfo=None).isoformat(sep=" ") for ago in (n % 2**30, 3600 - changed))
    return "INSERT INTO levels VALUES (%s, %s, %s, %s, %s, %s)", (n, station, at, mm, 20.125, moment)


def test_rows_come_once_and_ties_are_neither_lost_nor_doubled(
    base: Any, desk: Any, pulled: Callable[..., Feed], journal: SqliteJournal, record: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLICE", 3)
    base.do(table(base), *(row(desk, n, changed=n // 5) for n in range(1, 11)))
    held = pulled(key=["id"], overlap="0s")
    held.once()
    assert journal.counts()["open"] == {"accepted": 20, "quarantined": 0, "duplicates": 0, "known": journal.counts()["open"]["known"]}
    mark = dict(held.marks.now)
    base.do(row(desk, 11, changed=2), row(desk, 12, changed=2))
    held.once()
    assert journal.counts()["open"]["accepted"] == 24, "rows that tie with the mark came as well"
    again = pulled(key=["id"], overlap="0s")
    assert again.marks.now == held.marks.now == mark
    again.once()
    stored = [(r["entity"], r["property"], r["valid"]) for e in record if e.table is not None for r in e.table.to_pylist()]
    assert len(stored) == len(set(stored)) == 24
    assert {r["entity"] for e in record if e.table is not None for r in e.table.to_pylist()} == {"urn:zs:Gauge:1"}
    valid = sorted(key[2] for key in stored)
    assert (valid[0], valid[-1]) == (desk.clock.at - 12 * SECOND, desk.clock.at - SECOND), "an instant is read as what it is, whatever zone the session has"


def test_what_cannot_be_read_waits_in_the_quarantine_and_the_rest_goes_on(base: Any, desk: Any, pulled: Callable[..., Feed], journal: SqliteJournal) -> None:
    base.do(table(base), row(desk, 1), row(desk, 2, mm="much"), row(desk, 3, mm=None), row(desk, 4, station=None), row(desk, 5, mm="9" * 5000))
    base.do(("INSERT INTO levels (id, station, at, mm, changed) SELECT 6, '1', NULL, '1', changed FROM levels WHERE id = 1", ()))
    held = pulled()
    held.once()
    codes = sorted(r["code"] for r in journal.quarantine("open", 0, 100))
    assert codes == ["entity.bad_id", "entity.bad_id", "reading.bad_time", "reading.not_a_number", "reading.out_of_range"]
    assert journal.counts()["open"]["accepted"] == 5, "rain of row 1, and the warmth of 1, 2, 3 and 5"


def test_a_column_that_is_lost_is_told_once_and_the_others_go_on(base: Any, desk: Any, pulled: Callable[..., Feed], journal: SqliteJournal) -> None:
    base.do(table(base), row(desk, 1), "ALTER TABLE levels DROP COLUMN warm")
    held = pulled()
    for _ in range(3):
        held.once()
    assert [(r["code"], r["detail"]) for r in journal.quarantine("open", 0, 9)] == [("table.no_column", {"columns": "warm"})]
    assert journal.counts()["open"]["accepted"] == 1 and held.report()["last_error"]["code"] == "table.no_column" and not held.report()["failing"]
    for lost in ("mm", "station"):
        base.do(f"ALTER TABLE levels DROP COLUMN {lost}")
        with pytest.raises(Problem, match=r"table\.no_column"):
            held.once()


def test_one_clock_far_ahead_hides_nothing(base: Any, desk: Any, pulled: Callable[..., Feed], journal: SqliteJournal) -> None:
    base.do(table(base), row(desk, 1), row(desk, 2, changed=base.far))
    held = pulled(overlap="0s")
    held.once()
    base.do(row(desk, 3, changed=60))
    held.once()
    assert journal.counts()["open"]["accepted"] == 6


def test_numbers_are_watermarks_as_well_and_go_back_for_what_ends_late(base: Any, desk: Any, pulled: Callable[..., Feed], journal: SqliteJournal) -> None:
    base.do(table(base), row(desk, 9), row(desk, 1000))
    held = pulled(watermark="id")
    held.once()
    assert held.marks.now["at"] == "1000", "not as text, in which 9 is more"
    base.do(row(desk, 998))
    held.once()
    assert journal.counts()["open"]["accepted"] == 6
    none = pulled(watermark="id", overlap=0)
    base.do(row(desk, 997), row(desk, 2**53 + 1))
    none.once()
    assert journal.counts()["open"]["accepted"] == 8 and none.marks.now["at"] == str(2**53 + 1)


def test_a_watermark_that_began_anew_or_is_empty_is_told(base: Any, desk: Any, pulled: Callable[..., Feed], journal: SqliteJournal) -> None:
    base.do(table(base))
    held = pulled(watermark="id", overlap=10)
    held.once()
    assert held.report()["last_error"] is None, "an empty table is in order"
    base.do(row(desk, 5000))
    held.once()
    base.do("DELETE FROM levels", row(desk, 1))
    held.once()
    told = held.report()["last_error"]
    assert told["code"] == "connector.behind" and "connectors/open.json" in told["en"]["remedy"] and "levels" in told["zh"]["sentence"] and not held.report()["failing"]
    base.do("UPDATE levels SET changed = NULL")
    never = pulled(watermark="changed")
    never.once()
    assert never.report()["last_error"]["code"] == "connector.behind"


def test_a_connection_that_breaks_is_made_again(base: Any, desk: Any, pulled: Callable[..., Feed], journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 100)
    base.do(table(base), row(desk, 1, mm=" " * 4000 + "1.5"))
    for n in (2**k for k in range(12)):  # 4096 rows, 16 MB: more than any buffer between
        base.do(f"INSERT INTO levels SELECT id + {n}, station, at - {base.second.format(n=n)}, mm, warm, changed + {base.second.format(n=n)} FROM levels".replace("%", "%%"))
    held, seen = pulled(key=["id"], overlap="0s"), list[int]()
    submit = held.submit

    def cut(batch: Any) -> Any:
        seen.append(1)
        if len(seen) == 3:
            base.cut_off()
        return submit(batch)

    held.submit = cut
    with pytest.raises(Exception, match=r"(?i)terminat|lost|closed|reset|broken|gone|kill"):
        held.once()
    before = journal.counts()["open"]["accepted"]
    assert 0 < before < 8192 and held.marks.now["at"]
    held.submit = submit
    held.once()
    assert journal.counts()["open"]["accepted"] == 8192


def test_requests_and_rows_of_our_own_shape_need_no_mapping(base: Any, desk: Any, pulled: Callable[..., Feed], journal: SqliteJournal) -> None:
    base.do(
        f"CREATE TABLE readings (entity varchar(60), property varchar(60), time {base.stamp} NULL, value {base.text}, seq int)",
        "INSERT INTO readings VALUES ('urn:zs:Gauge:1', 'Gauge.rain', '2026-03-01 11:00:00', '2.5', 1), ('urn:zs:Gauge:1', 'Gauge.rain', '2026-03-01 11:01:00', 'x', 2)",
    )
    pulled("readings", "seq", None).once()
    assert [journal.counts()["open"][k] for k in ("accepted", "quarantined")] == [1, 1]
    base.do(
        f"CREATE TABLE calls (id int, text {base.text}, created {base.stamp} NULL, state {base.text}, category {base.text})",
        "INSERT INTO calls VALUES (1, '路灯不亮', '2026-03-01 11:00:00', 'open', 'light'), (2, '路灯不亮', NULL, 'open', 'light')",
    )
    voices = Source("voices", "诉求", "Voices", "city", kind="requests", zone="Asia/Shanghai")
    pulled("calls", "id", None, source=voices).once()
    assert journal.counts()["voices"]["accepted"] == 2, "one without a time is of now"
    mapped = Source("mapped", "诉求", "Voices", "city", kind="requests", zone="Asia/Shanghai", mapping=RequestTable("id", "category", "created", "state", text="text"))
    held = pulled("calls", "id", None, source=mapped)
    held.once()
    assert [journal.counts()["mapped"][k] for k in ("accepted", "quarantined")] == [1, 1]


NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc"), max_codepoint=0xFFFF), min_size=1, max_size=12).filter(lambda n: n == n.strip() and "." not in n)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES, min_size=4, max_size=4, unique_by=str.casefold))
def test_any_name_is_quoted(base: Any, desk: Any, pulled: Callable[..., Feed], names: list[str]) -> None:
    """What stands in a name is a name: `\"; DROP TABLE x; --` and `%s` too."""
    quote = [base.mark + n.replace(base.mark, 2 * base.mark) + base.mark for n in (*names, f'"; DROP TABLE {base.mark}x`%s')]
    station, at, mm, changed = names
    base.do(f"DROP TABLE IF EXISTS {quote[4]}".replace("%", "%%"))
    base.do(f"CREATE TABLE {quote[4]} ({quote[0]} varchar(9), {quote[1]} {base.stamp} NULL, {quote[2]} int, {quote[3]} int)".replace("%", "%%"))
    base.do(f"INSERT INTO {quote[4]} VALUES ('1', '2026-03-01 11:00:00', 3, 1)".replace("%", "%%"))
    rows = {"type": "Gauge", "id": station, "time": at, "columns": [{"header": mm, "property": "Gauge.rain"}]}
    held = pulled(f'"; DROP TABLE {base.mark}x`%s', changed, rows, key=[station])
    (only,) = [p for p in held.reader.read({}, held._stop) if p.batch is not None]
    assert only.batch is not None and len(only.batch.readings or ()) == 1 and only.mark is not None and only.mark["at"] == "1"


def test_a_wrong_password_shows_neither_it_nor_the_address(postgresql: str, feed_of: Callable[..., Feed], monkeypatch: pytest.MonkeyPatch) -> None:
    held = feed_of({"kind": "postgresql", "address": "postgresql://nobody@127.0.0.1:1/scada", "table": "t", "watermark": "w", "secret": "k"}, {"k": "hunter2"})
    try:
        held.once()
    except Exception as error:
        held._failed(error)
    told = json.dumps(held.report())
    assert held.report()["failing"] and "hunter2" not in told and "postgresql://" not in told and "127.0.0.1" not in told


def test_it_reads_only(base: Any, desk: Any, pulled: Callable[..., Feed]) -> None:
    base.do(table(base))
    held = pulled()
    connection = held.reader.connect()
    with connection.cursor() as cursor, pytest.raises(Exception, match=r"(?i)read.?only"):
        cursor.execute("INSERT INTO levels (id) VALUES (1)")
    connection.close()


def test_the_first_pull_begins_with_the_oldest(base: Any, desk: Any, pulled: Callable[..., Feed], journal: SqliteJournal) -> None:
    base.do(table(base), *(row(desk, n, changed=-n * MINUTE // SECOND) for n in (3, 1, 2)))
    held = pulled()
    (only,) = list(held.reader.read({}, held._stop))
    assert only.batch is not None and only.batch.readings is not None
    assert list(dict.fromkeys(only.batch.readings.valid.tolist()))[:3] == [desk.clock.at - n * SECOND for n in (3, 2, 1)]
