"""Which limit holds; and two cities' sample tables reckoned by hand over the Spring Festival and National Day of 2026."""

import re
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import zhongshu.packs.hotline
from zhongshu.act.calendar import Calendar, Mode
from zhongshu.act.duty import Limit, limit_of, rota, term
from zhongshu.act.duty.kinds import STEPS
from zhongshu.act.duty.pages import Book, Row
from zhongshu.act.duty.rota import amount
from zhongshu.app.pack_form import check_pack
from zhongshu.kernel.clock import parse_time
from zhongshu.kernel.problem import Problem

sys.path.insert(0, str(Path(__file__).parent))

from papers import bring, hold, known

PACK = Path(zhongshu.packs.hotline.__file__).parent
SAMPLE = PACK / "sample"
ZONE = ZoneInfo("Asia/Shanghai")
CLASSES = "hotline.garbage hotline.muck hotline.greening hotline.dirty_road hotline.dirty_water hotline.illegal_building hotline.collapse drainage.ponding".split()
HEAD = "class,step,condition,amount,mode,calendar,warn,valid_from,source\n"


def sample(name: str) -> str:
    return (SAMPLE / f"{name}.csv").read_text("utf-8")


def office(*years: int) -> Book:
    """Return the book that has the office's calendar of these years."""
    held = known(*CLASSES)
    for year in years:
        held = bring(held, "calendar", sample(f"calendar.{year}"), f"calendar.{year}.csv")
    return held


def days(held: Book) -> Calendar:
    return rota.calendar(held, "office", "days", ZONE)


HELD = office(2026)
OFFICE = days(HELD)
CITIES = {name: bring(HELD, "limits", sample(f"limits.city-{name}"), f"limits.city-{name}.csv") for name in ("one", "two")}


def at(text: str) -> int:
    return parse_time(f"2026-{text}:00+08:00")


# the holidays


def test_the_year_has_the_working_days_that_the_law_leaves() -> None:
    worked = {day.day for day in OFFICE.days if day.spans}
    assert len(worked) == 365 - 104 - 13, "all but the weekends and the thirteen days of holiday"
    assert sorted(f"{d:%m-%d}" for d in worked if d.isoweekday() > 5) == ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"]
    off = [f"{d:%m-%d}" for n in range(365) if (d := date(2026, 1, 1) + timedelta(days=n)) not in worked and d.isoweekday() < 6]
    assert " ".join(off) == "01-01 01-02 02-16 02-17 02-18 02-19 02-20 02-23 04-06 05-01 05-04 05-05 06-19 09-25 10-01 10-02 10-05 10-06 10-07"
    told = {(row.cells["basis"], row.cells["basis_en"]) for row in HELD.every("calendar")}
    assert any("国办发明电〔2025〕7号" in zh and "to be confirmed" in en for zh, en in told)
    assert {spans for day in OFFICE.days if (spans := day.spans)} == {((540, 720), (810, 1080))}


# two cities by hand: 09:00-12:00 and 13:30-18:00

BY_HAND = [
    # Friday 16:00: two hours, then Saturday the 14th, which is worked for the holiday
    ("one", "hotline.garbage", "", "02-13T16:00", "02-14T11:00"),
    # the last Saturday before the holiday: an hour and a half, the rest on Tuesday the 24th
    ("one", "hotline.garbage", "", "02-14T16:30", "02-24T11:30"),
    # two working days after a Friday: Saturday the 14th, Tuesday the 24th
    ("one", "hotline.muck", "", "02-13T10:00", "02-24T18:00"),
    # arrived in the holiday: 24, 25, 26, 27, and Saturday the 28th
    ("one", "hotline.greening", "", "02-18T12:00", "02-28T18:00"),
    # an hour on Saturday the 28th, an hour on Monday
    ("one", "hotline.dirty_road", "", "02-28T17:00", "03-02T10:00"),
    # at noon on the last day before National Day: it begins at 13:30
    ("one", "drainage.ponding", "", "09-30T13:00", "09-30T17:30"),
    # 29, 30 September, 8, 9, Saturday 10, 12, 13 October
    ("one", "hotline.illegal_building", "fine", "09-28T08:00", "10-13T18:00"),
    # 18, Sunday 20, 21-24, 28-30 September (9), 8, 9, 10, 12-16, 19, 20, 21 October
    ("one", "hotline.illegal_building", "demolish", "09-17T15:00", "10-21T18:00"),
    # three hours on Saturday the 10th, one on Monday
    ("one", "hotline.illegal_building", "stop", "10-10T15:00", "10-12T10:00"),
    # urgent: the same day at 17:00, holiday or not; after that, the next
    ("one", "hotline.collapse", "urgent", "10-04T10:00", "10-04T17:00"),
    ("one", "hotline.collapse", "urgent", "10-04T17:00", "10-05T17:00"),
    # no row of its own: three working days
    ("one", "hotline.collapse", "", "10-08T09:00", "10-12T18:00"),
    # the other city counts a day exactly: 10:30 to 10:30, over the holiday
    ("two", "hotline.garbage", "", "09-30T10:30", "10-08T10:30"),
    # after hours before the holiday: four whole days, 24 to 27
    ("two", "hotline.muck", "", "02-14T20:00", "02-27T18:00"),
    # within hours on the Saturday: 24, 25, 26, 27 at the same hour
    ("two", "hotline.muck", "", "02-14T15:00", "02-27T15:00"),
    # one hour on Friday, three before noon and one after on Saturday the 14th
    ("two", "hotline.dirty_road", "", "02-13T17:00", "02-14T14:30"),
    # 24-28 February, 2-6, 9-13 March
    ("two", "hotline.illegal_building", "", "02-20T09:00", "03-13T18:00"),
    ("two", "hotline.dirty_water", "", "12-10T09:00", "12-31T18:00"),
    ("two", "hotline.collapse", "urgent", "10-01T23:59", "10-02T09:00"),
]


@pytest.mark.parametrize(("city", "class_", "condition", "arrived", "due"), BY_HAND)
def test_two_cities_by_hand(city: str, class_: str, condition: str, arrived: str, due: str) -> None:
    held = CITIES[city]
    limit = limit_of(held, class_, "handle", at(arrived), condition)
    assert limit is not None
    told = term(held, limit, at(arrived), ZONE)
    assert told.due == at(due)
    if limit.mode == "hours":
        assert OFFICE.spent(at(arrived), at(due), "hours") == limit.amount * 60
    if limit.warn is not None:
        assert told.warn is not None
        assert at(arrived) <= told.warn < told.due


def test_a_pause_over_the_holiday_costs_the_holder_only_what_was_worked() -> None:
    held = CITIES["one"]
    told = term(held, limit_of(held, "hotline.greening", "handle", at("02-12T09:00")), at("02-12T09:00"), ZONE)
    assert told.due == at("02-26T18:00"), "13, Saturday 14, 24, 25, 26"
    assert rota.moved(held, told, at("02-15T00:00"), at("02-23T23:00"), ZONE) == told
    moved = rota.moved(held, told, at("02-14T16:00"), at("02-24T10:00"), ZONE).due
    assert moved == at("02-27T12:00"), "two hours of Saturday and one of Tuesday"
    assert OFFICE.left(at("02-24T10:00"), moved, told.mode) == OFFICE.left(at("02-14T16:00"), told.due, told.mode) == int((2 + 3 * 7.5) * 3600)


def test_over_the_year_s_end_it_asks_for_the_next_year_and_then_says_it_is_provisional() -> None:
    limit = limit_of(CITIES["two"], "hotline.illegal_building", "handle", at("12-11T09:00"))
    with pytest.raises(Problem, match=r"calendar\.too_short.*2027"):
        term(CITIES["two"], limit, at("12-11T09:00"), ZONE)
    longer = office(2026, 2027)
    due = term(longer, limit, at("12-11T09:00"), ZONE).due
    assert due == parse_time("2027-01-01T18:00:00+08:00")
    assert days(longer).provisional(due)
    assert not days(longer).provisional(at("12-31T18:00"))


# the samples


def test_the_samples_name_where_they_are_from_and_the_pack_keeps_its_form() -> None:
    assert check_pack(PACK) == []
    for city, fictional in (("one", "云汀市（虚构）"), ("two", "另一城市（虚构）")):
        rows = [row.cells for row in CITIES[city].every("limits")]
        assert {row["basis"] for row in rows} == {fictional, "据两个城市的报道，待核实"}
        assert {row["basis_en"] for row in rows} >= {"as reported for two cities, to be confirmed"}
        assert {row["calendar"] for row in rows} == {"office", "always"}


def test_the_two_cities_contradict_each_other_and_it_is_refused() -> None:
    with pytest.raises(Problem, match=r"duty\.overlap") as told:
        bring(CITIES["one"], "limits", sample("limits.city-two"), "limits.city-two.csv")
    assert (told.value.particulars["source"], told.value.particulars["other"]) == ("limits.city-two.csv", "limits.city-one.csv")
    assert "hotline.garbage · handle" in told.value.sentence("zh")


# which row holds


def limit(class_: str = "*", step: str = "handle", condition: str = "", minutes: int = 60, since: int = 0, until: int | None = None, source: str = "x") -> Row:
    cells = {"class": class_, "step": step, "condition": condition, "amount": f"{minutes}m", "mode": "wall", "calendar": "", "warn": "", "zh": "", "en": ""}
    return Row("limits", (class_, step, condition), since, until, source, cells | {"basis": source, "basis_en": source})


def amount_of(found: Limit | None) -> int | None:
    return None if found is None else found.amount


def test_the_most_exact_row_in_force_holds() -> None:
    rows = [
        limit(minutes=1),
        limit(minutes=2, since=50),
        limit(condition="urgent", minutes=3),
        limit("a", minutes=4),
        limit("a", minutes=5, since=50, until=900),
        limit("a", condition="urgent", minutes=6),
        limit("a", "sign", minutes=7),
        limit("a", minutes=8, since=900),
    ]
    held = hold(known("a", "b"), "x", rows)

    def told(class_: str, step: str, condition: str, when: int) -> int | None:
        return amount_of(limit_of(held, class_, step, when, condition))

    assert [told("b", "handle", "", 10), told("b", "handle", "", 50), told("b", "handle", "urgent", 99)] == [1, 2, 3]
    assert [told("a", "handle", "", 49), told("a", "handle", "", 99), told("a", "handle", "urgent", 99)] == [4, 5, 6]
    assert [told("a", "sign", "urgent", 99), told("a", "handle", "quiet", 99), told("a", "handle", "", 900), told("a", "handle", "", 960)] == [7, 5, 8, 8]
    assert [told("b", "sign", "", 99), told("a", "handle", "", -1)] == [None, None]


def spells(since: int, length: int | None) -> tuple[int, int | None]:
    return since, None if length is None else since + length


some = st.builds(
    lambda class_, step, condition, minutes, spell: limit(class_, step, condition, minutes, *spell),
    st.sampled_from(["*", "a", "b"]),
    st.sampled_from(STEPS[:2]),
    st.sampled_from(["", "u", "v"]),
    st.integers(1, 3),
    st.builds(spells, st.integers(0, 3), st.sampled_from([None, 1, 2])),
)
KNOWN = known("a", "b")


def at_odds(one: Row, other: Row) -> bool:
    """Tell whether two rows of a file contradict each other: they differ, and begin on one day, or the earlier one says that it still holds when the later begins."""
    differ = one.key == other.key and (one.cells["amount"], one.valid_to) != (other.cells["amount"], other.valid_to)
    within = one.valid_to is not None and one.valid_from < other.valid_from < one.valid_to and one.cells["amount"] != other.cells["amount"]
    return differ and (one.valid_from == other.valid_from or within)


@given(st.lists(some, max_size=12, unique_by=lambda row: (row.key, row.valid_from)), st.randoms(use_true_random=False))
def test_any_order_tells_the_same_and_the_rule_is_kept(rows: list[Row], chance: Random) -> None:
    assume(not any(at_odds(one, other) for one in rows for other in rows))
    mixed = list(rows)
    chance.shuffle(mixed)
    held, other = (hold(KNOWN, "x", of) for of in (rows, mixed))
    for class_ in ("a", "c"):
        for condition in ("", "u"):
            found = limit_of(held, class_, "case", 2, condition)
            assert limit_of(other, class_, "case", 2, condition) == found
            fit = [row for row in rows if row.cells["step"] == "case" and row.holds(2) and row.cells["class"] in ("*", class_) and row.cells["condition"] in ("", condition)]
            fit = [row for row in fit if row.cells["class"] == class_] or fit
            fit = [row for row in fit if row.cells["condition"] == condition] or fit
            wanted = max(fit, key=lambda row: row.valid_from, default=None)
            assert amount_of(found) == (None if wanted is None else int(wanted.cells["amount"][:-1]))


@given(st.lists(some, max_size=12))
def test_a_file_is_refused_just_where_two_of_its_lines_are_at_odds(rows: list[Row]) -> None:
    differ = any(at_odds(one, other) for one in rows for other in rows)
    try:
        held = hold(KNOWN, "x", rows)
    except Problem as problem:
        assert (problem.kind.code, differ) == ("duty.twice", True)
    else:
        assert not differ
        assert len(held.every("limits")) == len({(row.key, row.valid_from) for row in rows}), "a mere repeat is one row"


@given(st.lists(some, max_size=6, unique_by=lambda row: (row.key, row.valid_from)), st.lists(some, max_size=6, unique_by=lambda row: (row.key, row.valid_from)))
def test_another_source_is_refused_just_where_it_holds_at_once(ones: list[Row], others: list[Row]) -> None:
    assume(not any(at_odds(one, other) for rows in (ones, others) for one in rows for other in rows))
    others = [replace(row, source="y") for row in others]
    held = hold(KNOWN, "x", ones)
    at_once = any(one.key == other.key and any(one.holds(when) and other.holds(when) for when in range(9)) for one in ones for other in others)
    try:
        hold(held, "y", others)
    except Problem as problem:
        assert (problem.kind.code, at_once) == ("duty.overlap", True)
    else:
        assert not at_once


# reading

LESS = bring(known("a"), "calendar", sample("calendar.2026"), "calendar.2026.csv")


@pytest.mark.parametrize(
    ("text", "mode", "value"),
    [("90m", "wall", 90), ("1h30m", "hours", 90), ("2d", "wall", 2880), ("20d", "days", 20), ("1d", "days_exact", 1), ("17:00", "clock", 1020), ("09:00+1", "clock", 1980)],
)
def test_an_amount_names_its_unit(text: str, mode: Mode, value: int) -> None:
    assert amount(text, mode) == value


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("240", "hours"),
        ("1d", "hours"),
        ("1w", "hours"),
        ("4h", "days"),
        ("1.5d", "days"),
        ("0d", "days"),
        ("", "wall"),
        ("30s", "wall"),
        ("-4h", "wall"),
        ("25:00", "clock"),
        ("4h", "clock"),
    ],
)
def test_an_amount_that_could_be_mistaken_is_refused(text: str, mode: Mode) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        amount(text, mode)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (",handle,,4h,hours,office,,2026-01-01,x", "class"),
        ("a,handle,,4h,hours,office,,2026-01-01,", "basis"),
        ("a,evaluate,,4h,hours,office,,2026-01-01,x", "step"),
        ("a,handle,,4h,workhours,office,,2026-01-01,x", "mode"),
        ("a,handle,,4h,hours,office,1h,1 May,x", "valid_from"),
        ("a,handle,,4h,hours,office,1h", "basis"),
        ("a,handle,,4h,hours,office,1h,2026-01-01,x,more", "cells"),
    ],
)
def test_a_wrong_row_is_told_with_its_line(row: str, said: str) -> None:
    with pytest.raises(Problem) as told:
        bring(LESS, "limits", f"{HEAD}a,handle,,4h,hours,office,1h,2026-01-01,x\n{row}\n", "limits.csv")
    assert (told.value.kind.code, told.value.particulars["line"], told.value.particulars["source"]) == ("duty.bad_row", 3, "limits.csv")
    assert said in told.value.sentence("en")
    assert "<" not in told.value.sentence("zh") + told.value.remedy("zh") + told.value.remedy("en")


@pytest.mark.parametrize(
    ("row", "code", "said"),
    [
        ("a,handle,,240,hours,office,,2026-01-01,x", "duty.bad_limit", "amount"),
        ("a,handle,,4h,hours,office,1d,2026-01-01,x", "duty.bad_limit", "warn"),
        ("a,handle,,4h,hours,office,4h,2026-01-01,x", "duty.bad_limit", "< 4h"),
        ("a,handle,,3d,days,office,3d,2026-01-01,x", "duty.bad_limit", "< 3d"),
        ("a,handle,,4h,hours,,,2026-01-01,x", "duty.no_calendar", "''"),
        ("a,handle,,4h,hours,moon,,2026-01-01,x", "duty.no_calendar", "moon"),
        ("b,handle,,4h,hours,office,,2026-01-01,x", "duty.unknown_class", "class b"),
    ],
)
def test_a_limit_that_cannot_be_kept_is_told_by_its_key(row: str, code: str, said: str) -> None:
    with pytest.raises(Problem) as told:
        bring(LESS, "limits", f"{HEAD}{row}\n", "limits.csv")
    assert told.value.kind.code == code
    assert f"{row[0]} · handle" in told.value.sentence("zh")
    assert said in told.value.sentence("en")


def test_a_row_is_in_force_from_the_city_s_midnight() -> None:
    held = bring(LESS, "limits", HEAD + "a,handle,urgent,17:00,clock,office,1h,2026-05-01,x\n", "limits.csv")
    midnight = parse_time("2026-05-01T00:00:00+08:00")
    assert limit_of(held, "a", "handle", midnight, "urgent") == Limit(1020, "clock", "office", 60, "x")
    assert limit_of(held, "a", "handle", midnight - 1, "urgent") is None
    with pytest.raises(Problem, match=r"duty\.bad_row.*amount"):
        bring(LESS, "limits", "class,step\n")
