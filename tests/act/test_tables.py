"""Bringing duty tables in: the difference is shown first, contradictions are refused, and what is open keeps what it was opened under."""

import csv
import io
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from zhongshu.act import classes, load, row_for, table_rows
from zhongshu.act.duty import book, limit_of, term
from zhongshu.kernel.clock import parse_time, to_datetime

SAMPLES = Path(__file__).parents[2] / "src" / "zhongshu" / "packs" / "hotline" / "sample"
LIMITS = "class,step,condition,amount,mode,calendar,warn,source,valid_from\n"
DISPATCH = "class,area,unit,unit_zh,unit_en,helpers,list,basis,valid_from,valid_to\n"
CLASSES = "class,zh,en,basis,valid_from\n"


def test_a_difference_is_shown_before_it_is_made_and_the_same_again_is_none(city: Any) -> None:
    rows = LIMITS + "ponding,case,,3h,wall,,,办法,2026-01-01\ngarbage,case,,90m,wall,,,办法,2026-01-01\n"
    seen = city.table("limits", rows, write=False)
    assert (seen["new"], seen["applied"], len(seen["lines"])) == (2, False, 2)
    assert seen["lines"][0].startswith("~ ponding · case  2026-01-01"), "its day is the city's"
    assert "over pack:test: amount '240m' → '3h'" in seen["lines"][0], "it says whose row it is put over, and what that held"
    assert city.open()["due"] - city.clock.at == 4 * 3_600_000_000, "nothing was changed"
    assert city.table("limits", rows)["applied"]
    assert city.open()["due"] - city.clock.at == 3 * 3_600_000_000, "a city's own row stands before a pack's"
    again = city.table("limits", rows)
    assert (again["same"], again["applied"], again["lines"]) == (2, False, [])
    less = city.table("limits", LIMITS + "ponding,case,,2h,wall,,,办法,2026-01-01\n")
    assert (less["changed"], less["ended"]) == (1, 1)
    assert "'3h' → '2h'" in less["lines"][0]
    assert less["lines"][1].startswith("- garbage")
    later = city.open("garbage")
    assert later["due"] - city.clock.at == 4 * 3_600_000_000, "what was ended no longer holds: the pack's row does again"


def test_an_open_case_keeps_what_it_was_opened_under(city: Any) -> None:
    case = city.open()
    city.table("limits", LIMITS + "ponding,case,,1h,wall,,,办法,2026-01-01\n")
    sent = city.do("dispatcher", case, "dispatch", unit="dept-drainage")
    assert sent["due"] == case["due"]


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        ("dispatch", DISPATCH + "ponding,,dept-moon,,,,,目录,2026-01-01,\n", "duty.unknown_unit"),
        ("dispatch", DISPATCH + "ponding,,dept-drainage,,,dept-moon,,目录,2026-01-01,\n", "duty.unknown_unit"),
        ("dispatch", DISPATCH + "unicorn,,dept-drainage,,,,,目录,2026-01-01,\n", "duty.unknown_class"),
        ("dispatch", DISPATCH + "ponding,,dept-drainage,,,,,目录,2026-01-01,2025-01-01\n", "duty.bad_row"),
        ("dispatch", DISPATCH + "ponding,here,dept-drainage,,,,,目录,2026-01-01,\n", "duty.bad_row"),
        ("limits", LIMITS + "ponding,case,,soon,wall,,,办法,2026-01-01\n", "duty.bad_limit"),
        ("limits", LIMITS + "ponding,case,,4h,hours,office,,办法,2026-01-01\n", "duty.no_calendar"),
        ("limits", LIMITS + "ponding,lunch,,4h,wall,,,办法,2026-01-01\n", "duty.bad_row"),
        ("limits", LIMITS + "ponding,case,,4h,wall,,,办法,2026-01-01\nponding,case,,5h,wall,,,办法,2026-01-01\n", "duty.twice"),
        ("dispatch", DISPATCH + "ponding,,dept-drainage,,,,,甲,2026-01-01,2026-09-01\nponding,,dept-sanitation,,,,,乙,2026-08-31,\n", "duty.twice"),
        ("classes", "class,zh,en,playbook,basis,valid_from\nflood,内涝,Flooding,not-there,预案 1,2026-01-01\n", "duty.no_playbook"),
        ("limits", "class,step\nponding,case\n", "duty.bad_row"),
        ("limits", LIMITS.replace("warn", "colour") + "ponding,case,,4h,wall,,,办法,2026-01-01\n", "duty.bad_row"),
        ("classes", CLASSES + "x,,X,目录,2026-01-01\n", "duty.bad_row"),
        ("calendar", "calendar,day,weekday,first,last,kind,hours,source\noffice,,weekdays,2026-01-01,2026-12-31,work,09:00-18:00,城市\n", "calendar.gap"),
        ("calendar", "calendar,day,weekday,first,last,kind,hours,source\noffice,,daily,2026-01-01,2026-12-31,work,18:00-09:00,城市\n", "calendar.bad_hours"),
        ("wishes", "class\n", "duty.no_kind"),
        ("limits", b"\xff\xfe\x00\x01" * 10, "duty.unreadable"),
        ("limits", b"PK\x03\x04 no zip", "duty.unreadable"),
        ("weights", "object,indicator,weight,basis,valid_from\narea,closing,nan,办法,2026-01-01\n", "duty.bad_row"),
    ],
)
def test_what_contradicts_or_cannot_be_read_is_refused_whole(city: Any, kind: str, text: str | bytes, code: str) -> None:
    before = city.desk.read(lambda c: [table_rows(c, name, city.clock.at) for name in ("classes", "dispatch", "limits")])
    city.refused(code, lambda: city.table(kind, text))
    assert city.desk.read(lambda c: [table_rows(c, name, city.clock.at) for name in ("classes", "dispatch", "limits")]) == before


def test_rows_of_one_file_may_follow_each_other(city: Any) -> None:
    rows = DISPATCH + "ponding,,dept-drainage,,,,,甲,2026-01-01,2026-09-01\nponding,,dept-sanitation,,,,,乙,2026-09-01,\n"
    found = city.table("dispatch", rows)
    assert (found["new"], found["applied"]) == (2, True)
    assert city.table("dispatch", DISPATCH + "ponding,,dept-drainage,,,,,甲,2026-01-01,\n" * 2)["applied"], "the same row twice is one"
    new = city.table("dispatch", DISPATCH + f"consult,{city.street:015d},dept-hotline,,,,,甲,2026-01-01,\n", "another", write=False)
    assert new["lines"][0].startswith("+ consult"), "what stands before nothing is new"


def test_two_catalogues_may_follow_each_other_but_not_hold_at_once(city: Any) -> None:
    city.table("dispatch", DISPATCH + "ponding,,dept-road,道路处,Roads office,,,目录甲,2026-01-01,\n", "catalogue A")
    later = DISPATCH + "ponding,,dept-water,水务处,Water office,,,目录乙,2026-09-01,\n"
    problem = city.refused("duty.overlap", lambda: city.table("dispatch", later, "catalogue B"))
    assert "catalogue A" in problem.sentence("en")
    city.table("dispatch", DISPATCH + "ponding,,dept-road,道路处,Roads office,,,目录甲,2026-01-01,2026-09-01\n", "catalogue A")
    city.table("dispatch", later, "catalogue B")
    units = [city.desk.read(lambda c, at=at: row_for(c, "ponding", parse_time(at)))["unit"] for at in ("2026-08-31T23:59:59+08:00", "2026-09-01T00:00:00+08:00")]
    assert units == ["dept-road", "dept-water"]


def test_a_catalogue_that_lets_a_street_lead_what_its_list_has_as_helping_is_refused_either_way(city: Any) -> None:
    street = f"{city.street:015d}"
    duties = f"area,class,list,basis,valid_from\n{street},ponding,assist,清单,2026-01-01\n"
    led = DISPATCH + f"ponding,{street},street-{street},文汇街道,Wenhui street,,,目录,2026-01-01,\n"
    city.table("duties", duties)
    city.refused("duty.against_list", lambda: city.table("dispatch", led))
    city.table("duties", duties.replace("assist", "basic"))
    city.table("dispatch", led)
    city.refused("duty.against_list", lambda: city.table("duties", duties))
    here = city.desk.read(lambda c: row_for(c, "ponding", city.clock.at, city.cell))
    elsewhere = city.desk.read(lambda c: row_for(c, "ponding", city.clock.at, 990102001000000))
    assert (here["unit"], here["unit_zh"], elsewhere["unit"]) == (f"street-{street}", "文汇街道", "dept-drainage"), "the nearest area's row leads"


def test_a_workbook_says_the_same_as_its_csv(city: Any) -> None:
    book = openpyxl.Workbook()
    for row in (
        ("class", "step", "amount", "mode", "source", "valid_from"),
        ("ponding", "case", "3h", "wall", "办法", datetime(2026, 1, 1)),
        ("garbage", "handle", "90m", "wall", "办法", "2026-01-01"),
    ):
        book.active.append(row)
    body = io.BytesIO()
    book.save(body)
    assert city.table("limits", body.getvalue())["new"] == 2
    same = city.table("limits", "class,step,amount,mode,source,valid_from\nponding,case,3h,wall,办法,2026-01-01\ngarbage,handle,90m,wall,办法,2026-01-01\n".encode("gb18030"))
    assert (same["same"], same["applied"]) == (2, False)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("city-one", {"hotline.garbage": "2026-02-14T10:30:00+08:00", "hotline.muck": "2026-02-24T18:00:00+08:00"}),
        ("city-two", {"hotline.garbage": "2026-02-14T15:30:00+08:00", "hotline.dirty_road": "2026-02-14T11:30:00+08:00", "hotline.illegal_building": "2026-03-12T18:00:00+08:00"}),
    ],
)
def test_two_cities_differing_tables_both_hold(city: Any, name: str, expected: dict[str, str]) -> None:
    text = (SAMPLES / f"limits.{name}.csv").read_text("utf-8")
    named = {line.split(",")[0] for line in text.splitlines()[1:]}
    city.table("classes", CLASSES + "".join(f"{class_},{class_},{class_},示例,2025-01-01\n" for class_ in sorted(named)))
    for year in (2026, 2027):
        city.table("calendar", (SAMPLES / f"calendar.{year}.csv").read_bytes(), f"calendar.{year}")
    city.table("limits", text, name)
    city.clock.at = parse_time("2026-02-13T15:30:00+08:00")  # a Friday; the Saturday after is worked, then nine days are not
    zone = ZoneInfo("Asia/Shanghai")
    for class_, due in expected.items():
        unit = city.person("handler", unit="dept-drainage")
        case = city.do(unit, city.do("dispatcher", city.open(class_), "dispatch", unit="dept-drainage"), "take")
        assert to_datetime(case["held_due"]).astimezone(zone).isoformat() == due, class_


def test_the_classes_in_force_are_listed_with_who_leads(city: Any) -> None:
    listed = {row["class"]: row for row in city.desk.read(lambda c: classes(c, city.clock.at))}
    assert (listed["ponding"]["unit"], listed["ponding"]["limit"]["amount"], listed["ponding"]["limit"]["mode"]) == ("dept-drainage", 240, "wall")


def test_a_holiday_taken_out_of_a_calendar_is_worked_and_days_gone_by_stay_as_they_were(city: Any) -> None:
    daily = "calendar,day,weekday,first,last,kind,hours,source,valid_to\noffice,,daily,2026-01-01,2026-12-31,work,09:00-18:00,城市,\n"
    city.table("calendar", daily + "office,2026-07-02,,,,rest,,城市,\noffice,2026-06-30,,,,rest,,城市,\n")
    city.table("limits", LIMITS + "garbage,case,,2d,days,office,,办法,2026-01-01\n")

    def days(begun: str) -> str:
        due = city.desk.read(lambda c: term(book(c), limit_of(book(c), "garbage", "case", city.clock.at), parse_time(f"{begun}T08:00:00+08:00"), city.zone)).due
        return f"{to_datetime(due).astimezone(city.zone):%m-%d}"

    assert (days("2026-06-29"), days("2026-07-01")) == ("07-03", "07-04")
    assert city.table("calendar", daily)["ended"] == 2
    assert (days("2026-06-29"), days("2026-07-01")) == ("07-02", "07-03"), "30 June has been a day of rest; 2 July is none now"
    city.refused("calendar.gap", lambda: city.table("calendar", daily.replace("2026-", "2027-")))
    city.refused("calendar.twice", lambda: city.table("calendar", daily.split("\n", maxsplit=1)[0] + "\noffice,,5,2026-01-01,,rest,,城市,\n", "another"))
    city.table("calendar", daily.replace("城市,\n", "城市,2026-08-01\n") + "office,,daily,2026-08-01,2026-12-31,work,10:00-16:00,城市,\n")
    assert days("2026-07-30") == "08-01"


def test_a_class_s_closing_condition_is_no_condition_of_its_limit(city: Any) -> None:
    heads, *rows = (files("zhongshu.packs.drainage") / "dispatch.csv").read_text("utf-8").splitlines()
    city.as_("duty_officer", lambda deed: load(deed, "drainage", "\n".join([heads, *rows])))
    named = [dict(zip(heads.split(","), next(csv.reader([row])), strict=True)) for row in rows]
    assert any(row["condition"] for row in named)
    for row in named:
        held = city.desk.read(lambda c, row=row: row_for(c, row["class"], city.clock.at))
        assert held["limit"]["amount"] == int(row["limit_minutes"]), row["class"]
        assert held["condition"] == row["condition"]
