"""Bringing duty tables in: the difference is shown first, contradictions are refused, and what is open keeps what it was opened under."""

import io
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from zhongshu.act import bring_in, classes, row_for, table_rows
from zhongshu.kernel.clock import parse_time, to_datetime
from zhongshu.kernel.problem import Problem

SAMPLES = Path(__file__).parents[2] / "src" / "zhongshu" / "packs" / "hotline" / "sample"
LIMITS = "class,step,condition,amount,mode,calendar,warn,source,valid_from\n"
DISPATCH = "class,area,unit,unit_zh,unit_en,helpers,list,basis,valid_from,valid_to\n"
CLASSES = "class,zh,en,basis,valid_from\n"


def bring(city: Any, kind: str, text: str | bytes, source: str = "the city", *, write: bool = True) -> dict[str, Any]:
    body = text.encode() if isinstance(text, str) else text
    found: dict[str, Any] = city.as_("duty_officer", lambda deed: bring_in(deed, kind, source, body, write=write))
    return found


def refused(code: str, work: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        work()
    assert caught.value.kind.code == code
    assert "<" not in caught.value.sentence("zh") + caught.value.remedy("zh") + caught.value.sentence("en") + caught.value.remedy("en"), "a particular is missing"
    return caught.value


def test_a_difference_is_shown_before_it_is_made_and_the_same_again_is_none(city: Any) -> None:
    rows = LIMITS + "ponding,case,,3h,wall,,,办法,2026-01-01\ngarbage,case,,90m,wall,,,办法,2026-01-01\n"
    seen = bring(city, "limits", rows, write=False)
    assert (seen["new"], seen["applied"], len(seen["lines"])) == (2, False, 2)
    assert seen["lines"][0].startswith("~ ponding · case  2026-01-01"), "its day is the city's"
    assert "over pack:test: amount '240m' → '3h'" in seen["lines"][0], "it says whose row it is put over, and what that held"
    assert city.open()["due"] - city.clock.at == 4 * 3_600_000_000, "nothing was changed"
    assert bring(city, "limits", rows)["applied"]
    assert city.open()["due"] - city.clock.at == 3 * 3_600_000_000, "a city's own row stands before a pack's"
    again = bring(city, "limits", rows)
    assert (again["same"], again["applied"], again["lines"]) == (2, False, [])
    less = bring(city, "limits", LIMITS + "ponding,case,,2h,wall,,,办法,2026-01-01\n")
    assert (less["changed"], less["ended"]) == (1, 1)
    assert "'3h' → '2h'" in less["lines"][0]
    assert less["lines"][1].startswith("- garbage")
    later = city.open("garbage")
    assert later["due"] - city.clock.at == 4 * 3_600_000_000, "what was ended no longer holds: the pack's row does again"


def test_an_open_case_keeps_what_it_was_opened_under(city: Any) -> None:
    case = city.open()
    bring(city, "limits", LIMITS + "ponding,case,,1h,wall,,,办法,2026-01-01\n")
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
        ("limits", LIMITS + "ponding,case,,4h,wall,,,办法,2026-01-01\nponding,case,,5h,wall,,,办法,2026-03-01\n", "duty.twice"),
        ("classes", "class,zh,en,playbook,basis,valid_from\nflood,内涝,Flooding,not-there,预案 1,2026-01-01\n", "duty.no_playbook"),
        ("limits", "class,step\nponding,case\n", "duty.bad_row"),
        ("limits", LIMITS.replace("warn", "colour") + "ponding,case,,4h,wall,,,办法,2026-01-01\n", "duty.bad_row"),
        ("classes", CLASSES + "x,,X,目录,2026-01-01\n", "duty.bad_row"),
        ("calendar", "calendar,day,weekday,first,last,kind,hours,source\noffice,,weekdays,2026-01-01,2026-12-31,work,09:00-18:00,城市\n", "calendar.gap"),
        ("calendar", "calendar,day,weekday,first,last,kind,hours,source\noffice,,daily,2026-01-01,2026-12-31,work,18:00-09:00,城市\n", "calendar.bad_hours"),
        ("wishes", "class\n", "duty.no_kind"),
        ("limits", b"\xff\xfe\x00\x01" * 10, "duty.unreadable"),
        ("limits", b"PK\x03\x04 no zip", "duty.unreadable"),
        ("weights", "object,indicator,weight,basis,valid_from\narea,CA03,nan,办法,2026-01-01\n", "duty.bad_row"),
    ],
)
def test_what_contradicts_or_cannot_be_read_is_refused_whole(city: Any, kind: str, text: str | bytes, code: str) -> None:
    before = city.desk.read(lambda c: [table_rows(c, name, city.clock.at) for name in ("classes", "dispatch", "limits")])
    refused(code, lambda: bring(city, kind, text))
    assert city.desk.read(lambda c: [table_rows(c, name, city.clock.at) for name in ("classes", "dispatch", "limits")]) == before


def test_rows_of_one_file_may_follow_each_other(city: Any) -> None:
    rows = DISPATCH + "ponding,,dept-drainage,,,,,甲,2026-01-01,2026-09-01\nponding,,dept-sanitation,,,,,乙,2026-09-01,\n"
    found = bring(city, "dispatch", rows)
    assert (found["new"], found["applied"]) == (2, True)
    assert bring(city, "dispatch", DISPATCH + "ponding,,dept-drainage,,,,,甲,2026-01-01,\n" * 2)["applied"], "the same row twice is one"
    new = bring(city, "dispatch", DISPATCH + f"consult,{city.street:015d},dept-hotline,,,,,甲,2026-01-01,\n", "another", write=False)
    assert new["lines"][0].startswith("+ consult"), "what stands before nothing is new"


def test_two_catalogues_may_follow_each_other_but_not_hold_at_once(city: Any) -> None:
    bring(city, "dispatch", DISPATCH + "ponding,,dept-road,道路处,Roads office,,,目录甲,2026-01-01,\n", "catalogue A")
    later = DISPATCH + "ponding,,dept-water,水务处,Water office,,,目录乙,2026-09-01,\n"
    problem = refused("duty.overlap", lambda: bring(city, "dispatch", later, "catalogue B"))
    assert "catalogue A" in problem.sentence("en")
    bring(city, "dispatch", DISPATCH + "ponding,,dept-road,道路处,Roads office,,,目录甲,2026-01-01,2026-09-01\n", "catalogue A")
    bring(city, "dispatch", later, "catalogue B")
    units = [city.desk.read(lambda c, at=at: row_for(c, "ponding", parse_time(at)))["unit"] for at in ("2026-08-31T23:59:59+08:00", "2026-09-01T00:00:00+08:00")]
    assert units == ["dept-road", "dept-water"]


def test_a_catalogue_that_lets_a_street_lead_what_its_list_has_as_helping_is_refused_either_way(city: Any) -> None:
    street = f"{city.street:015d}"
    duties = f"area,class,list,basis,valid_from\n{street},ponding,assist,清单,2026-01-01\n"
    led = DISPATCH + f"ponding,{street},street-{street},文汇街道,Wenhui street,,,目录,2026-01-01,\n"
    bring(city, "duties", duties)
    refused("duty.against_list", lambda: bring(city, "dispatch", led))
    bring(city, "duties", duties.replace("assist", "basic"))
    bring(city, "dispatch", led)
    refused("duty.against_list", lambda: bring(city, "duties", duties))
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
    assert bring(city, "limits", body.getvalue())["new"] == 2
    same = bring(city, "limits", "class,step,amount,mode,source,valid_from\nponding,case,3h,wall,办法,2026-01-01\ngarbage,handle,90m,wall,办法,2026-01-01\n".encode("gb18030"))
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
    bring(city, "classes", CLASSES + "".join(f"{class_},{class_},{class_},示例,2025-01-01\n" for class_ in sorted(named)))
    for year in (2026, 2027):
        bring(city, "calendar", (SAMPLES / f"calendar.{year}.csv").read_bytes(), f"calendar.{year}")
    bring(city, "limits", text, name)
    city.clock.at = parse_time("2026-02-13T15:30:00+08:00")  # a Friday; the Saturday after is worked, then nine days are not
    zone = ZoneInfo("Asia/Shanghai")
    for class_, due in expected.items():
        unit = city.person("handler", unit="dept-drainage")
        case = city.do(unit, city.do("dispatcher", city.open(class_), "dispatch", unit="dept-drainage"), "take")
        assert to_datetime(case["held_due"]).astimezone(zone).isoformat() == due, class_


def test_the_classes_in_force_are_listed_with_who_leads(city: Any) -> None:
    listed = {row["class"]: row for row in city.desk.read(lambda c: classes(c, city.clock.at))}
    assert (listed["ponding"]["unit"], listed["ponding"]["limit"]["amount"], listed["ponding"]["limit"]["mode"]) == ("dept-drainage", 240, "wall")
