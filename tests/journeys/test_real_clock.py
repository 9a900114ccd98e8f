"""Two cities' 311 on their real clock: for every day of the city's own zone the desk says what a plain query over the raw file says, row by row."""

import csv
import gzip
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import duckdb
import pytest

from zhongshu.app import Owner, make_token
from zhongshu.kernel.area import show_area
from zhongshu.kernel.clock import ReplayClock, parse_time, rfc3339, to_us

from .city import opened, settings
from .conftest import Brought
from .test_outside import ask

pytestmark = pytest.mark.journey

What = Literal["opened", "due", "late", "closed", "open", "overdue"]
WHAT: tuple[What, ...] = ("opened", "due", "late", "closed", "open", "overdue")
"""What a day is counted by: opened, fell due, closed too late, closed; at its end still open, and of these over their limit."""


@dataclass(frozen=True)
class File:
    """What a city's file calls its columns; the rules are those that the source declares."""

    source: str
    zone: str
    form: str
    id: str
    created: str
    due: str
    closed: str
    moments: tuple[str, ...]
    """Three moments of the city's own time for a replayed clock."""


BALTIMORE = File(
    "hotline.baltimore311",
    "America/New_York",
    "%m/%d/%Y %I:%M:%S %p",
    "coalesce(nullif(nullif(trim(ServiceRequestNum), ''), 'NA'), nullif(nullif(trim(SRRecordID), ''), 'NA'))",
    "CreatedDate",
    "DueDate",
    "CloseDate",
    ("2015-06-17 12:00", "2017-03-12 15:30", "2018-11-13 18:00"),
)
LOS_ANGELES = File(
    "hotline.la311",
    "America/Los_Angeles",
    "%m/%d/%y %H:%M",
    "nullif(nullif(trim(srnumber), ''), 'NA')",
    "createddate",
    "''",
    "closeddate",
    ("2020-01-01 12:00", "2020-01-02 18:00", "2020-01-03 09:15"),
)
COLUMNS = {file.source: file for file in (BALTIMORE, LOS_ANGELES)}


@dataclass(frozen=True)
class Row:
    """A case of one side: what it is called, and its times in the city's own, wall clock and day; None: never."""

    id: str
    opened: datetime
    due: datetime | None
    closed: datetime | None

    def on(self, what: What, day: datetime) -> bool:
        """Tell whether it counts among these on the day that begins at `day`."""
        end = day + timedelta(days=1)
        over = self.opened < end and (self.closed is None or self.closed >= end)
        match what:
            case "opened":
                return day <= self.opened < end
            case "due":
                return self.due is not None and day <= self.due < end
            case "closed":
                return self.closed is not None and day <= self.closed < end
            case "late":
                return self.closed is not None and day <= self.closed < end and self.due is not None and self.closed > self.due
            case "open":
                return over
            case "overdue":
                return over and self.due is not None and self.due < end


@dataclass(frozen=True)
class Side:
    """Cases by id, and how many of each kind there were on each day."""

    rows: dict[str, Row]
    days: dict[str, dict[str, int]]


def of_desk(folder: Path, file: File) -> Side:
    """Read the desk: the times stand in the history, the limit in the case; a day is one of the city's zone."""
    zone = ZoneInfo(file.zone)

    def read(conn: Any) -> list[tuple[Any, ...]]:
        rows = conn.exec_driver_sql("""
            SELECT told.external, began.happened, held.due, ended.happened, held.opened, held.closed, held.late, held.step
            FROM case_file AS held JOIN request AS told ON told.case_id = held.id
            JOIN case_step AS began ON began.subject = held.id AND began.verb = 'import'
            LEFT JOIN case_step AS ended ON ended.subject = held.id AND ended.verb = 'source_close'""").all()
        return [tuple(row) for row in rows]

    def local(us: int | None) -> datetime | None:
        return None if us is None else datetime.fromtimestamp(us / 1e6, UTC).astimezone(zone).replace(tzinfo=None)

    with opened(folder) as parts:
        held = parts.desk.read(read)
    rows = {}
    for name, began, due, ended, column, closed, late, step in held:
        assert (began, ended) == (column, closed), f"{name}: the case's row is not its history"
        assert (step == "closed") == (closed is not None)
        assert bool(late) == (closed is not None and due is not None and closed > due), name
        assert name not in rows, f"{name} stands twice at the desk"
        made = local(began)
        assert made is not None
        rows[name] = Row(name, made, local(due), local(closed))
    return Side(rows, _counted(rows.values()))


def _counted(rows: Any) -> dict[str, dict[str, int]]:
    """Count each day by walking the rows once; what stands open is carried from day to day."""
    per: dict[str, Counter[str]] = {what: Counter() for what in (*WHAT, "ended", "over", "back")}

    def stands(since: datetime, until: datetime | None, begins: str, ends: str) -> None:
        """Count a stretch at the ends of the days it goes over."""
        if until is None or since.date() < until.date():
            per[begins][f"{since:%F}"] += 1
            if until is not None:
                per[ends][f"{until:%F}"] += 1

    for row in rows:
        for what, moment in (("opened", row.opened), ("due", row.due), ("closed", row.closed)):
            if moment is not None:
                per[what][f"{moment:%F}"] += 1
        stands(row.opened, row.closed, "open", "ended")
        if row.due is not None:
            stands(max(row.due, row.opened), row.closed, "over", "back")
            if row.closed is not None and row.closed > row.due:
                per["late"][f"{row.closed:%F}"] += 1
    out: dict[str, dict[str, int]] = {}
    stand = overdue = 0
    for day in _days({day for of in per.values() for day in of}):
        stand += per["open"][day] - per["ended"][day]
        overdue += per["over"][day] - per["back"][day]
        out[day] = {what: per[what][day] for what in ("opened", "due", "late", "closed")} | {"open": stand, "overdue": overdue}
    return out


def _days(known: set[str]) -> list[str]:
    first, last = datetime.fromisoformat(min(known)), datetime.fromisoformat(max(known))
    return [f"{first + timedelta(days=i):%F}" for i in range((last - first).days + 1)]


def raw_table(path: Path, file: File) -> duckdb.DuckDBPyConnection:
    """Read the raw file plainly: one row to an id, the first; a row without an id or a time is none. Local wall times as they stand in it."""
    made = duckdb.connect()
    made.execute(f"""
        CREATE TABLE raw AS SELECT {file.id} AS id, try_strptime({file.created}, '{file.form}') AS opened, try_strptime({file.due}, '{file.form}') AS due,
            try_strptime({file.closed}, '{file.form}') AS closed, row_number() OVER () AS line
        FROM read_csv('{path}', all_varchar = true, header = true)""")
    made.execute("""
        CREATE TABLE held AS SELECT id, arg_min(opened, line) AS opened, arg_min_null(due, line) AS due, arg_min(closed, line) AS closed
        FROM raw WHERE id IS NOT NULL AND opened IS NOT NULL GROUP BY id""")
    return made


def known(moment: datetime | None, file: File) -> datetime | None:
    """Return a wall time as it is declared to be read: one in an hour that the city's clocks leave out is the end of that hour."""
    if moment is None:
        return None
    there = moment.replace(tzinfo=ZoneInfo(file.zone)).astimezone(UTC).astimezone(ZoneInfo(file.zone)).replace(tzinfo=None)
    return moment if there == moment else there.replace(minute=0, second=0)


def of_raw(path: Path, file: File) -> Side:
    """Count the raw file by plain SQL."""
    with raw_table(path, file) as made:
        rows = {name: Row(name, *(known(moment, file) for moment in times)) for name, *times in made.execute("SELECT id, opened, due, closed FROM held").fetchall()}  # type: ignore[arg-type]
        told = made.execute("""
            WITH span AS (SELECT min(least(opened, due, closed)) AS low, max(greatest(opened, due, closed)) AS high FROM held),
            day AS (SELECT unnest(generate_series(date_trunc('day', low), date_trunc('day', high), INTERVAL 1 DAY)) AS day FROM span)
            SELECT strftime(day, '%Y-%m-%d'), count(*) FILTER (opened >= day AND opened < day + INTERVAL 1 DAY), count(*) FILTER (due >= day AND due < day + INTERVAL 1 DAY),
                count(*) FILTER (closed >= day AND closed < day + INTERVAL 1 DAY AND closed > due), count(*) FILTER (closed >= day AND closed < day + INTERVAL 1 DAY),
                count(*) FILTER (opened < day + INTERVAL 1 DAY AND (closed IS NULL OR closed >= day + INTERVAL 1 DAY)),
                count(*) FILTER (opened < day + INTERVAL 1 DAY AND (closed IS NULL OR closed >= day + INTERVAL 1 DAY) AND due < day + INTERVAL 1 DAY)
            FROM day CROSS JOIN held GROUP BY day ORDER BY day""").fetchall()
    return Side(rows, {day: dict(zip(WHAT, counts, strict=True)) for day, *counts in told})


@dataclass(frozen=True)
class Difference:
    """A case that one side counts on a day and the other does not, with both sides; None: it is not there at all."""

    day: str
    what: str
    id: str
    desk: Row | None
    raw: Row | None


def differing(desk: Side, raw: Side) -> list[Difference]:
    """Return every row by which the two sides differ on some day; where no day's count differs, rows are still held to each other."""
    found = {}
    for name in desk.rows.keys() | raw.rows.keys():
        one, other = desk.rows.get(name), raw.rows.get(name)
        if one == other:
            continue
        days = {moment.replace(hour=0, minute=0, second=0) for row in (one, other) if row is not None for moment in (row.opened, row.due, row.closed) if moment is not None}
        for day in sorted(days):
            for what in WHAT:
                if (one is not None and one.on(what, day)) != (other is not None and other.on(what, day)):
                    found[f"{day:%F}", what, name] = Difference(f"{day:%F}", what, name, one, other)
        if not any(key[2] == name for key in found):
            found["", "", name] = Difference("", "within the day", name, one, other)
    return [found[key] for key in sorted(found)]


def test_every_day_is_what_a_plain_query_says(brought: Brought) -> None:
    desk, raw = of_desk(brought.folder, COLUMNS[brought.source]), of_raw(brought.path, COLUMNS[brought.source])
    with gzip.open(brought.path, "rt", encoding="utf-8-sig") as text:
        lines = sum(1 for _ in text) - 1
    assert len(desk.rows) + brought.counts["duplicates"] + brought.counts["quarantined"] == lines == 10_000
    assert differing(desk, raw) == []
    assert desk.days == raw.days
    assert len(raw.days) > (3 if COLUMNS[brought.source] is LOS_ANGELES else 1800)
    assert any(of["open"] for of in raw.days.values())
    with raw_table(brought.path, COLUMNS[brought.source]) as made:
        left_out = sorted(row[0] for row in made.execute("SELECT * FROM held").fetchall() if any(known(moment, COLUMNS[brought.source]) != moment for moment in row[1:]))
    assert left_out == (["17-00762248", "17-00762364"] if COLUMNS[brought.source] is BALTIMORE else []), (
        "both due after 02:00 on 11 March 2018, when clocks went from 02:00 to 03:00"
    )


def test_one_row_that_was_changed_is_named(brought: Brought, tmp_path: Path) -> None:
    desk, file, copy = of_desk(brought.folder, COLUMNS[brought.source]), COLUMNS[brought.source], tmp_path / "changed.csv"
    with raw_table(brought.path, file) as made:
        name, at = made.execute("SELECT id, closed FROM held WHERE closed > opened + INTERVAL 1 DAY ORDER BY id LIMIT 1").fetchall()[0]
    later = at + timedelta(days=1)
    with gzip.open(brought.path, "rt", encoding="utf-8-sig", newline="") as text, copy.open("w", encoding="utf-8", newline="") as out:
        rows = csv.DictReader(text)
        writer = csv.DictWriter(out, rows.fieldnames or ())
        writer.writeheader()
        writer.writerows(row | {file.closed: later.strftime(file.form)} if name in row.values() else row for row in rows)
    found = differing(desk, raw := of_raw(copy, file))
    assert {each.id for each in found} == {name}
    assert {(each.day, each.what) for each in found} >= {(f"{at:%F}", "closed"), (f"{later:%F}", "closed"), (f"{at:%F}", "open")}
    assert all(each.desk is not None and each.raw is not None and (each.desk.closed, each.raw.closed) == (at, later) for each in found)
    assert desk.days != raw.days


def test_one_row_that_is_missing_is_named(brought: Brought) -> None:
    desk = of_desk(brought.folder, COLUMNS[brought.source])
    name = sorted(desk.rows)[4711]
    held = {key: row for key, row in desk.rows.items() if key != name}
    found = differing(Side(held, _counted(held.values())), of_raw(brought.path, COLUMNS[brought.source]))
    assert {each.id for each in found} == {name}
    assert all(each.desk is None for each in found)


# the same on a replayed clock, through the door


@dataclass(frozen=True)
class Replayed:
    """A city on a replayed clock, asked as its duty officer."""

    owner: Owner
    file: File
    path: Path
    headers: dict[str, str]

    def counts(self, moment: str) -> dict[str, int]:
        """Set the replayed clock to a moment of the city's own time, and return what the list of cases counts."""
        clock = self.owner.parts.clock
        assert isinstance(clock, ReplayClock)
        clock.start = at_zone(moment, self.file) - (clock.now() - clock.start)
        answer = ask(self.owner, "GET", "/api/cases?limit=1", headers=self.headers)
        assert answer.status_code == 200, answer.text
        counts: dict[str, int] = answer.json()["counts"]
        return counts

    def plain(self, moment: str) -> dict[str, int]:
        """Ask the raw file the same; a moment is some seconds long while it is replayed."""
        with raw_table(self.path, self.file) as made:
            row = made.execute(f"""
                SELECT count(*) FILTER (opened >= date_trunc('day', now) AND opened <= now), count(*) FILTER (opened <= now AND (closed IS NULL OR closed > now)),
                    count(*) FILTER (opened <= now AND (closed IS NULL OR closed > now) AND due < now), count(*) FILTER (closed >= date_trunc('day', now) AND closed <= now)
                FROM held, (SELECT TIMESTAMP '{moment}' AS now)""").fetchall()[0]
        return dict(zip(("received", "open", "overdue", "closed"), row, strict=True))


def at_zone(moment: str, file: File) -> int:
    return to_us(datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(file.zone)))


@pytest.fixture(scope="module")
def replayed(brought: Brought, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    folder = tmp_path_factory.mktemp("replay") / "DATA"
    shutil.copytree(brought.folder, folder)
    owner = Owner(settings(folder, clock=f"replay@{rfc3339(at_zone(COLUMNS[brought.source].moments[0], COLUMNS[brought.source]))}x1", port="0"))
    owner.start()
    secret = make_token(owner.parts, "replay-duty", "duty_officer", show_area(owner.parts.about.code))
    yield Replayed(owner, COLUMNS[brought.source], brought.path, {"authorization": f"Bearer {secret}"})
    owner.stop()


def test_what_a_replayed_day_brought_is_what_a_plain_query_says(replayed: Replayed) -> None:
    for moment in replayed.file.moments:
        have, plain = replayed.counts(moment), replayed.plain(moment)
        assert {name: have[name] for name in ("received", "closed")} == {name: plain[name] for name in ("received", "closed")}, moment


def test_what_stands_open_at_a_replayed_moment_is_what_a_plain_query_says(replayed: Replayed) -> None:
    for moment in replayed.file.moments:
        have, plain = replayed.counts(moment), replayed.plain(moment)
        assert {name: have[name] for name in ("open", "overdue")} == {name: plain[name] for name in ("open", "overdue")}, moment
        listed = ask(replayed.owner, "GET", "/api/cases?state=open&limit=500", headers=replayed.headers).json()["items"]
        assert len(listed) == min(500, have["open"])
        now = replayed.owner.parts.clock.now()
        assert all(row["closed"] is None and row["step"] == "imported" and parse_time(row["opened"]) <= now for row in listed)
        one = ask(replayed.owner, "GET", f"/api/cases/{listed[0]['id']}", headers=replayed.headers).json()
        assert one["closed"] is None
        assert {line["verb"] for line in one["history"]} <= {"import", "due"}
        assert all(parse_time(line["happened"]) <= now for line in one["history"])
