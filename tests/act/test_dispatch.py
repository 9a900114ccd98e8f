"""The main path: what comes in is taken once, another system's rows with their real times, and all of it becomes readings exactly once."""

import csv
import gzip
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from zhongshu.act import (
    SYSTEM,
    Given,
    Office,
    consume,
    consumed,
    decide,
    nobody,
    relay,
    sign_normal,
    sweep,
    take_finding,
    take_request,
    take_requests,
    undo,
    voice,
)
from zhongshu.act.lead import Seen
from zhongshu.act.tables import case_file, case_step, lead_link, request
from zhongshu.kernel.clock import DAY, HOUR, MINUTE, to_us
from zhongshu.kernel.finding import Finding, Status

BALTIMORE = "b-311-baltimore/311_sample.csv.gz"


def document(city: Any, name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "created": city.start, "area": city.cell, "class": "ponding", "lon": 121.5, "lat": 31.2, **more}


def take(city: Any, offset: int, documents: list[dict[str, Any]], source: str = "hotline") -> Any:
    return city.as_("acceptor", lambda deed: take_requests(deed, offset, [row | {"source": source} for row in documents]))


def readings(city: Any) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    relay.run(city.desk, lambda _, rows: sent.extend(rows))
    return sent


def test_an_entry_is_taken_once_and_bad_rows_cost_no_good_ones(city: Any) -> None:
    rows = [document(city, "1"), {"id": "2", "area": city.cell}, document(city, "3", lon="east"), document(city, "1"), document(city, "4", created="soon")]
    taken = take(city, 7, rows)
    assert (taken.new, taken.known, [item.external for item in taken.refused]) == (1, 1, ["2", "3", "4"])
    assert {item.code for item in taken.refused} == {"request.bad_row", "time.unreadable"}
    assert take(city, 7, rows).new == 0
    assert take(city, 8, [document(city, "1")]).known == 1
    assert city.desk.read(consumed) == 8
    assert city.desk.read(lambda c: c.execute(select(func.count()).select_from(request)).scalar_one()) == 1


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
def test_a_large_entry_is_taken_in_slices_and_taken_up_again(city: Any, count: int) -> None:
    office = Office(city.desk, Deaf(), city.clock, city.zone, lambda _: nobody)
    rows = [document(city, str(n), source="x", imported=True) for n in range(count)] + [{"id": "bad"}]
    for row in rows[:120]:  # a first attempt that broke off
        if row["id"] != "bad":
            office.write(SYSTEM, lambda deed, row=row: take_request(deed, voice.read(row)))
    taken = consume(office, 5, rows)
    assert (taken.new, taken.known, [item.external for item in taken.refused]) == (max(0, count - 120), min(count, 120), ["bad"])
    assert consume(office, 5, rows).new == 0
    consume(office, 9, [])
    assert office.read(consumed) == 9
    assert office.read(lambda c: c.execute(select(func.count()).select_from(case_file)).scalar_one()) == count


class Deaf:
    """A bus that nobody listens to."""

    def publish(self, news: Any) -> None:
        """Tell nobody."""

    def subscribe(self, listener: Any) -> Any:
        """Add nobody."""
        return listener


def test_another_systems_row_is_a_case_with_only_what_it_proves(city: Any) -> None:
    due, closed = city.start - 5 * DAY, city.start - 6 * DAY
    old = document(city, "a", created=city.start - 9 * DAY, due=due)
    take(city, 1, [old, document(city, "b", created=city.start - 9 * DAY, due=due, closed=due + HOUR, duplicate=True)], "baltimore")
    take(city, 2, [old | {"closed": closed}], "baltimore")
    assert take(city, 3, [old | {"closed": closed}], "baltimore").known == 1
    cases = city.desk.read(lambda c: c.execute(select(case_file).order_by(case_file.c.number)).mappings().all())
    assert [(row["step"], row["source"], row["closed"], row["late"]) for row in cases] == [
        ("closed", "baltimore", closed, False),
        ("closed", "baltimore", due + HOUR, True),
    ]
    told = [(row["property"], row["time"]) for row in readings(city) if row["entity"] == f"urn:zs:Case:{cases[0]['number']}"]
    assert told == [("Case.opened", city.start - 9 * DAY), ("Case.due", closed), ("Case.closed", closed), ("Case.closed_on_time", closed)]
    assert sum(row["property"] == "Request.repeat" for row in readings(city) or []) == 0, "all was sent before"


def test_due_is_told_when_the_limit_runs_out(city: Any) -> None:
    case = city.open()
    assert [row["property"] for row in readings(city)] == ["Case.opened"]
    city.clock.at = case["due"] + MINUTE
    city.as_("acceptor", sweep)
    assert [(row["property"], row["time"]) for row in readings(city)] == [("Case.due", case["due"])]
    closed = city.do("acceptor", city.do("checker", city.to_check(case), "check_pass"), "close")
    assert closed["late"]
    told = [row["property"] for row in readings(city)]
    assert [name for name in told if not name.endswith("_s")] == ["Case.dispatched", "Case.closed"]
    assert [name for name in told if name.endswith("_s")] == [f"Case.{part}_s" for part in ("dispatch", "sign", "handle", "feedback", "check", "close")]


def test_a_normal_sign_passes_the_checks_that_wait_for_it(city: Any) -> None:
    found = Finding("f1", "DR02.ponding", "1", "DR02", city.cell, Status.RED, city.clock.at, 43.0)
    city.table("figures", b"code,value,basis,valid_from\nfile_reviews,0,x,2026-01-01\n")
    made = city.as_("acceptor", lambda deed: take_finding(deed, found, Seen("ponding", "积水", "Ponding"), file_it=True))[0]
    case = city.desk.read(lambda c: dict(c.execute(select(case_file).where(case_file.c.id == made["case_id"])).mappings().one()))
    city.to_check(case)
    since = city.clock.at
    city.clock.at += MINUTE
    assert city.as_("acceptor", lambda deed: sign_normal(deed, "DR02", city.cell, since)) == []
    city.clock.at += MINUTE
    assert [row["mark"] for row in city.as_("acceptor", lambda deed: sign_normal(deed, "DR02", city.cell, since))] == ["passed"]
    assert city.as_("acceptor", lambda deed: sign_normal(deed, "DR02", city.cell, since)) == []


def test_the_relay_tells_the_names_that_a_pack_declares() -> None:
    declared = pytest.importorskip("zhongshu.packs.hotline.entities").PROPERTIES
    assert {prop.name for prop in declared} >= relay.NAMES


def test_taking_a_repeat_back_revises_its_reading(city: Any) -> None:
    first, second = document(city, "1"), document(city, "2", lon=121.5005)
    take(city, 1, [first, second])
    told = {(row["entity"], row["property"], row["time"]): row["value"] for row in readings(city)}
    assert sorted(value for (_, name, _), value in told.items() if name == "Request.repeat") == [1]
    link = city.desk.read(lambda c: c.execute(select(lead_link.c.id)).scalar_one())
    city.as_("acceptor", lambda deed: undo(deed, link))
    told |= {(row["entity"], row["property"], row["time"]): row["value"] for row in readings(city)}
    assert [value for (_, name, _), value in told.items() if name == "Request.repeat"] == [0]


class Intake:
    """Keeps what it accepted by batch id, and refuses an id with other content; it may fail before or after keeping."""

    def __init__(self) -> None:
        self.batches: dict[str, list[dict[str, Any]]] = {}
        self.fail = ""

    def __call__(self, batch: str, rows: list[dict[str, Any]]) -> None:
        if self.fail == "before":
            raise ConnectionError
        assert self.batches.setdefault(batch, rows) == rows, "the same id with other content"
        if self.fail == "after":
            raise ConnectionError


@pytest.mark.parametrize("when", ["before", "after"])
def test_readings_are_handed_over_exactly_once_whatever_breaks(city: Any, when: str) -> None:
    intake = Intake()
    city.open()
    intake.fail = when
    with pytest.raises(ConnectionError):
        relay.run(city.desk, intake)
    city.open()  # more history, before the relay comes back
    intake.fail = ""
    relay.run(city.desk, intake, most=2)
    city.to_check(city.open())
    relay.run(city.desk, intake, most=2)
    steps = city.desk.read(lambda c: c.execute(select(case_step).order_by(case_step.c.seq)).mappings().all())
    assert [row for rows in intake.batches.values() for row in rows] == [row for step in steps for row in relay.readings_of(dict(step))]
    assert all(batch.startswith("desk:") for batch in intake.batches)
    assert relay.run(city.desk, intake) == 0


def test_a_case_goes_from_finding_to_close_and_tells_every_step(city: Any) -> None:
    found = Finding("f9", "DR02.ponding", "1", "DR02", city.cell, Status.RED, city.clock.at, 43.0)
    made = city.as_("duty_officer", lambda deed: take_finding(deed, found, Seen("ponding", "积水", "Ponding")))[0]
    done = city.as_("duty_officer", lambda deed: decide(deed, made["id"], "confirm", Given()))
    case = city.desk.read(lambda c: dict(c.execute(select(case_file).where(case_file.c.id == done["case_id"])).mappings().one()))
    case = city.do("checker", city.to_check(case), "check_fail", reason="仍有积水")
    case = city.do("dispatcher", city.do("handler", case, "return", reason="需泵车"), "uphold")
    case = city.do("checker", city.to_check(case), "check_pass")
    city.do("acceptor", case, "close")
    names = [row["property"].partition(".")[2] for row in readings(city) if not row["property"].endswith("_s")]
    assert names == ["opened", "dispatched", "redone", "dispatch_returned", "dispatched", "due", "closed", "closed_on_time"]


def baltimore(samples: Path, area: int) -> list[dict[str, Any]]:
    zone = ZoneInfo("America/New_York")

    def time(text: str) -> int | None:
        return to_us(datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=zone)) if text else None

    with gzip.open(samples / BALTIMORE, "rt", encoding="utf-8-sig") as file:
        return [
            {
                "id": row["SRRecordID"],
                "created": time(row["CreatedDate"]),
                "due": time(row["DueDate"]),
                "closed": time(row["CloseDate"]),
                "class": row["SRType"],
                "area": area,
                "imported": True,
                "duplicate": "Duplicate" in row["SRStatus"],
                "unit": row["Agency"],
            }
            for row in csv.DictReader(file)
        ]


def test_real_requests_of_baltimore_come_in_with_their_real_times(city: Any, samples: Path) -> None:
    rows = baltimore(samples, city.cell)[::4]
    for start in range(0, len(rows), 500):
        take(city, start + 1, rows[start : start + 500], "baltimore")
    distinct = {row["id"]: row for row in reversed(rows)}
    both = [row for row in distinct.values() if row["due"] and row["closed"]]
    cases = city.desk.read(lambda c: c.execute(select(case_file)).mappings().all())
    assert len(cases) == len(distinct)
    assert sum(row["late"] for row in cases) == sum(row["closed"] > row["due"] for row in both)
    assert sum(row["step"] == "imported" for row in cases) == sum(row["closed"] is None for row in distinct.values())
    assert sum("due_before_opened" in row["flags"] for row in cases) == sum(bool(row["due"]) and row["due"] <= row["created"] for row in distinct.values())
    while city.as_("acceptor", sweep):
        pass
    told: dict[str, int] = {}
    for row in readings(city):
        told[row["property"]] = told.get(row["property"], 0) + row["value"]
    assert told["Case.opened"] == told["Request.received"] == len(distinct)
    assert told["Case.due"] == sum(row["due"] is not None for row in distinct.values())
    assert told["Case.closed"] == told["Request.answered"] == sum(row["closed"] is not None for row in distinct.values())
    assert told["Case.closed_on_time"] == sum(row["closed"] <= row["due"] for row in both)
