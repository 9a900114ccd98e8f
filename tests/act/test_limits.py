"""Which limit holds; and two cities' sample tables reckoned by hand over the Spring Festival and National Day of 2026."""

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zhongshu.packs.hotline
from zhongshu.act import calendar as calendars
from zhongshu.act import limits
from zhongshu.act.calendar import Calendar, Mode
from zhongshu.act.limits import STEPS, Limit, amount, contradictions, of
from zhongshu.app.pack_form import check_pack
from zhongshu.kernel.clock import parse_time
from zhongshu.kernel.problem import Problem

PACK = Path(zhongshu.packs.hotline.__file__).parent
SAMPLE = PACK / "sample"
ZONE = ZoneInfo("Asia/Shanghai")
ROWS = {name: limits.read((SAMPLE / f"limits.city-{name}.csv").read_text("utf-8"), f"limits.city-{name}.csv", ZONE) for name in ("one", "two")}


def office(*years: int) -> Calendar:
    names = [f"calendar.{year}.csv" for year in years]
    return calendars.build("office", ZONE, [row for name in names for row in calendars.read((SAMPLE / name).read_text("utf-8"), name)])


OFFICE = office(2026)


def at(text: str) -> int:
    return parse_time(f"2026-{text}:00+08:00")


# the holidays


def test_the_year_has_the_working_days_that_the_law_leaves() -> None:
    worked = {day.day for day in OFFICE.days if day.spans}
    assert len(worked) == 365 - 104 - 13, "all but the weekends and the thirteen days of holiday"
    assert sorted(f"{d:%m-%d}" for d in worked if d.isoweekday() > 5) == ["01-04", "02-14", "02-28", "05-09", "09-20", "10-10"]
    off = [f"{d:%m-%d}" for n in range(365) if (d := date(2026, 1, 1) + timedelta(days=n)) not in worked and d.isoweekday() < 6]
    assert " ".join(off) == "01-01 01-02 02-16 02-17 02-18 02-19 02-20 02-23 04-06 05-01 05-04 05-05 06-19 09-25 10-01 10-02 10-05 10-06 10-07"
    assert "国办发明电〔2025〕7号" in OFFICE.source
    assert "to be confirmed" in OFFICE.source_en
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
    row = of(ROWS[city], class_, "handle", condition, at(arrived))
    assert row is not None
    told = OFFICE.due(at(arrived), row.amount, row.mode)
    assert told == at(due)
    if row.mode == "hours":
        assert OFFICE.spent(at(arrived), told, "hours") == row.amount * 60
    if row.warn is not None:
        assert OFFICE.before(told, row.warn, row.mode) < told


def test_a_pause_over_the_holiday_costs_the_holder_only_what_was_worked() -> None:
    row = of(ROWS["one"], "hotline.greening", "handle", "", at("02-12T09:00"))
    assert row is not None
    due = OFFICE.due(at("02-12T09:00"), row.amount, row.mode)
    assert due == at("02-26T18:00"), "13, Saturday 14, 24, 25, 26"
    assert OFFICE.shift(due, at("02-15T00:00"), at("02-23T23:00"), row.mode) == due
    moved = OFFICE.shift(due, at("02-14T16:00"), at("02-24T10:00"), row.mode)
    assert moved == at("02-27T12:00"), "two hours of Saturday and one of Tuesday"
    assert OFFICE.left(at("02-24T10:00"), moved, row.mode) == OFFICE.left(at("02-14T16:00"), due, row.mode) == int((2 + 3 * 7.5) * 3600)


def test_over_the_year_s_end_it_asks_for_the_next_year_and_then_says_it_is_provisional() -> None:
    row = of(ROWS["two"], "hotline.illegal_building", "handle", "", at("12-11T09:00"))
    assert row is not None
    with pytest.raises(Problem, match=r"calendar\.too_short.*2027"):
        OFFICE.due(at("12-11T09:00"), row.amount, row.mode)
    longer = office(2026, 2027)
    due = longer.due(at("12-11T09:00"), row.amount, row.mode)
    assert due == parse_time("2027-01-01T18:00:00+08:00")
    assert longer.provisional(due)
    assert not longer.provisional(at("12-31T18:00"))


# the samples


def test_the_samples_name_where_they_are_from_and_the_pack_keeps_its_form() -> None:
    assert check_pack(PACK) == []
    for city, fictional in (("one", "云汀市（虚构）"), ("two", "另一城市（虚构）")):
        assert {row.source for row in ROWS[city]} == {fictional, "据两个城市的报道，待核实"}
        assert {row.source_en for row in ROWS[city]} >= {"as reported for two cities, to be confirmed"}
        assert {row.calendar for row in ROWS[city]} == {"office", "always"}
        assert contradictions(ROWS[city]) == []


def test_the_two_cities_contradict_each_other_and_it_is_found() -> None:
    both = contradictions([*ROWS["one"], *ROWS["two"]])
    garbage = [group for group in both if group[0].class_ == "hotline.garbage"]
    assert [[(row.amount, row.mode) for row in group] for group in garbage] == [[(1, "days_exact"), (240, "hours")]]
    assert {row.file for group in garbage for row in group} == {"limits.city-one.csv", "limits.city-two.csv"}


# which row holds


def limit(class_: str = "*", step: str = "handle", condition: str = "", time: int = 60, since: int = 0, source: str = "x", mode: Mode = "wall") -> Limit:
    return Limit(class_, step, condition, time, mode, "office", None, since, source)


def test_the_most_exact_row_in_force_holds() -> None:
    rows = [
        limit(time=1),
        limit(time=2, since=50),
        limit(condition="urgent", time=3),
        limit("a", time=4),
        limit("a", time=5, since=50),
        limit("a", condition="urgent", time=6),
        limit("a", "sign", time=7),
        limit("a", time=8, since=900),
    ]

    def told(*asked: object) -> int | None:
        row = of(rows, *asked)  # type: ignore[arg-type]
        return None if row is None else row.amount

    assert [told("b", "handle", "", 10), told("b", "handle", "", 50), told("b", "handle", "urgent", 99)] == [1, 2, 3]
    assert [told("a", "handle", "", 49), told("a", "handle", "", 99), told("a", "handle", "urgent", 99)] == [4, 5, 6]
    assert [told("a", "sign", "urgent", 99), told("a", "handle", "quiet", 99), told("a", "handle", "", 900)] == [7, 5, 8]
    assert [told("b", "sign", "", 99), told("a", "handle", "", -1)] == [None, None]


some = st.builds(limit, st.sampled_from(["*", "a", "b"]), st.sampled_from(STEPS[:2]), st.sampled_from(["", "u", "v"]), st.integers(1, 3), st.integers(0, 3), st.sampled_from("xy"))


@given(st.lists(some, max_size=12), st.randoms(use_true_random=False))
def test_any_order_tells_the_same_and_the_rule_is_kept(rows: list[Limit], chance: object) -> None:
    mixed = list(rows)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    for class_ in ("a", "c"):
        for condition in ("", "u"):
            held = of(rows, class_, "case", condition, 2)
            assert of(mixed, class_, "case", condition, 2) == held
            fit = [r for r in rows if r.step == "case" and r.valid_from <= 2 and r.class_ in ("*", class_) and r.condition in ("", condition)]
            fit = [r for r in fit if r.class_ == class_] or fit
            fit = [r for r in fit if r.condition == condition] or fit
            fit = [r for r in fit if r.valid_from == max(f.valid_from for f in fit)]
            assert (held in fit) if fit else held is None
    assert contradictions(mixed) == contradictions(rows)


@given(st.lists(some, max_size=12))
def test_a_contradiction_is_two_rows_of_one_key_that_differ(rows: list[Limit]) -> None:
    def key(row: Limit) -> tuple[object, ...]:
        return (row.class_, row.step, row.condition, row.valid_from)

    wanted = {key(a) for a in rows for b in rows if key(a) == key(b) and (a.amount, a.source) != (b.amount, b.source)}
    found = contradictions(rows)
    assert {key(group[0]) for group in found} == wanted
    assert len(found) == len(wanted)
    assert all(len(group) == len(set(group)) > 1 and len({key(row) for row in group}) == 1 for group in found)


def test_a_repeat_from_another_line_is_no_contradiction() -> None:
    assert contradictions([limit(), replace(limit(), file="again.csv", line=9)]) == []


# reading


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


HEAD = "class,step,condition,amount,mode,calendar,warn,valid_from,source\n"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (",handle,,4h,hours,office,,2026-01-01,x", "class"),
        ("a,handle,,4h,hours,,,2026-01-01,x", "calendar"),
        ("a,handle,,4h,hours,office,,2026-01-01,", "source"),
        ("a,evaluate,,4h,hours,office,,2026-01-01,x", "step"),
        ("a,handle,,4h,workhours,office,,2026-01-01,x", "mode"),
        ("a,handle,,240,hours,office,,2026-01-01,x", "amount"),
        ("a,handle,,4h,hours,office,1d,2026-01-01,x", "warn"),
        ("a,handle,,4h,hours,office,4h,2026-01-01,x", "warn"),
        ("a,handle,,4h,hours,office,1h,1 May,x", "valid_from"),
        ("a,handle,,4h,hours,office,1h", "source"),
        ("a,handle,,4h,hours,office,1h,2026-01-01,x,more", "cells"),
    ],
)
def test_a_wrong_row_is_told_with_its_line(row: str, said: str) -> None:
    with pytest.raises(Problem) as told:
        limits.read(f"{HEAD}a,handle,,4h,hours,office,1h,2026-01-01,x\n{row}\n", "limits.csv", ZONE)
    assert (told.value.kind.code, told.value.particulars["line"]) == ("limit.bad_row", 3)
    assert said in told.value.sentence("en")
    assert "<name" not in told.value.sentence("zh") + told.value.remedy("zh") + told.value.remedy("en")


def test_a_row_is_in_force_from_the_city_s_midnight() -> None:
    (row,) = limits.read(HEAD + "a,handle,urgent,17:00,clock,office,1h,2026-05-01,x\n", "limits.csv", ZONE)
    assert (row.amount, row.warn, row.condition, row.source_en, row.line) == (1020, 60, "urgent", "x", 2)
    assert row.valid_from == parse_time("2026-05-01T00:00:00+08:00")
    assert of([row], "a", "handle", "urgent", row.valid_from - 1) is None
    with pytest.raises(Problem, match=r"limit\.bad_row.*mode"):
        limits.read("class,step\n", "limits.csv", ZONE)
