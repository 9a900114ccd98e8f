"""The evaluation equals a recount by hand, opens to its cases, compares with itself, leaves out what was ruled, and reckons no score the city does not ask for."""

import io
import random
from typing import Any

import openpyxl
import pytest

from zhongshu.act import Span, behind, duty, evaluate, evaluation_page, evaluation_workbook
from zhongshu.act.evaluation import MEASURES
from zhongshu.kernel.clock import DAY, HOUR, MINUTE
from zhongshu.kernel.grade import EVERYWHERE, Scope
from zhongshu.kernel.problem import Problem

ALL = Scope(EVERYWHERE, 3)
AREA = 990100000000000


def told(city: Any, of: str = "area", start: int | None = None, scope: Scope = ALL, party: str = "") -> dict[str, Any]:
    begin = city.start if start is None else start
    return city.desk.read(lambda c: evaluate(c, scope, Span(begin, begin + 7 * DAY), AREA, party, of))


def closed(city: Any, late: bool, unit: str = "dept-drainage", redo: bool = False) -> dict[str, Any]:
    who = "handler" if unit == "dept-drainage" else "other_handler"
    case = city.open()
    case = city.do("dispatcher", case, "dispatch", unit=unit)
    city.clock.at += 10 * MINUTE
    if redo:
        case = city.do("checker", city.to_check(case, who), "check_fail", reason="不够")
    city.clock.at += 5 * HOUR if late else 0
    return city.do("acceptor", city.do("checker", city.to_check(case, who), "check_pass"), "close")


def test_the_figures_are_those_counted_by_hand_and_open_to_their_cases(city: Any) -> None:
    dice = random.Random(3)
    rows = [(dice.random() < 0.4, dice.choice(("dept-drainage", "dept-road")), dice.random() < 0.3) for _ in range(25)]
    made = [(closed(city, *row), *row) for row in rows]
    units = {item["name"]: item["values"] for item in told(city, "department")["items"]}
    for unit in ("dept-drainage", "dept-road"):
        mine = [(late, redo) for _, late, of, redo in made if of == unit]
        assert units[unit]["closed"] == len(mine)
        assert units[unit]["on_time"] == round(100 * sum(not late for late, _ in mine) / len(mine), 2)
        assert units[unit]["redo"] == round(100 * sum(redo for _, redo in mine) / len(mine), 2)
        seen = city.desk.read(lambda c, unit=unit: behind(c, ALL, Span(city.start, city.start + 7 * DAY), AREA, "department", unit, "on_time"))
        assert {row["number"] for row in seen} == {case["number"] for case, _, of, _ in made if of == unit}
        assert {row["number"] for row in seen if row["counted"]} == {case["number"] for case, late, of, _ in made if of == unit and not late}
    (district,) = told(city)["items"]
    assert (district["name"], district["values"]["opened"], district["score"]) == ("990101000000000", 25, None)
    posts = {item["name"]: item["values"] for item in told(city, "post")["items"]}
    assert posts["acceptor-1"]["closed"] == 25


def test_a_span_is_compared_with_the_one_before_and_with_a_year_before(city: Any) -> None:
    first = city.clock.at
    closed(city, late=False)
    city.clock.at = first + 7 * DAY
    closed(city, late=True)
    closed(city, late=False)
    (item,) = told(city, start=first + 7 * DAY)["items"]
    assert (item["values"]["closed"], item["before"]["closed"], item["year"]["closed"]) == (2, 1, None)
    assert (item["values"]["on_time"], item["before"]["on_time"]) == (50.0, 100.0)


def test_what_a_ruling_leaves_out_is_listed_and_can_be_counted_again(city: Any) -> None:
    closed(city, late=False)
    case = closed(city, late=True)
    with pytest.raises(Problem, match=r"not_yours"):
        city.do("acceptor", case, "exclude", reason="客观不能")
    case = city.do("duty_officer", case, "exclude", reason="客观不能：需上级立项")
    found = told(city)
    assert found["items"][0]["values"]["on_time"] == 100.0
    assert [(row["number"], row["reason"]) for row in found["left_out"]] == [(case["number"], "客观不能：需上级立项")]
    city.do("duty_officer", case, "include", reason="申诉成立")
    found = told(city)
    assert (found["items"][0]["values"]["on_time"], found["left_out"]) == (50.0, [])


def test_every_share_can_be_weighed_and_nothing_else(city: Any) -> None:
    assert {each.key for each in MEASURES if each.unit == "%"} == set(duty.SHARES)
    told = city.refused("duty.bad_row", lambda: city.table("weights", "object,indicator,weight,basis,valid_from\narea,nonsense,40,办法 9,2026-01-01\n"))
    assert all(share in told.sentence(language) for share in duty.SHARES for language in ("zh", "en")), "it says what is allowed"


def test_there_is_a_score_only_by_the_citys_own_weights(city: Any) -> None:
    closed(city, late=False)
    closed(city, late=True, redo=True)
    rows = "object,indicator,weight,basis,valid_from\narea,on_time,60,办法 9,2026-01-01\narea,redo,40,办法 9,2026-01-01\ndepartment,on_time,1,办法 9,2026-01-01\n"
    city.table("weights", rows)
    found = told(city)
    assert found["items"][0]["score"] == 50.0
    assert [row["basis"] for row in found["weights"]] == ["办法 9", "办法 9"]


def test_a_district_sees_its_own_and_a_wrong_span_is_refused(city: Any) -> None:
    closed(city, late=False)
    elsewhere = Scope(((990102000000000, 990103000000000),), 3)
    assert told(city, scope=elsewhere)["items"] == []
    for days in (0, -1, 500):
        with pytest.raises(Problem, match=r"bad_span"):
            city.desk.read(lambda c, days=days: evaluate(c, ALL, Span(city.start, city.start + days * DAY), AREA))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_is_a_workbook_and_a_page_too(city: Any, language: str) -> None:
    closed(city, late=False)
    found = told(city, "department")
    book = openpyxl.load_workbook(io.BytesIO(evaluation_workbook(found, language)))
    rows = list(book.worksheets[0].iter_rows(values_only=True))
    assert rows[1][0] == {"zh": "排水处", "en": "Drainage office"}[language]
    assert rows[1][rows[0].index({"zh": "结案数", "en": "Cases closed"}[language])] == 1
    page = evaluation_page(found, language, "云汀市")
    assert page.startswith(b"%PDF-")
    assert page.rstrip().endswith(b"%%EOF")
    assert b"STSong" in page


def test_a_share_counts_each_case_once_and_never_passes_a_hundred(city: Any) -> None:
    case = city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage")
    for _ in range(2):
        case = city.do("checker", city.to_check(case), "check_fail", reason="不够")
    case = city.do("acceptor", city.do("checker", city.to_check(case), "check_pass"), "close")
    case = city.do("acceptor", case, "reopen", reason="又积水了")
    case = city.do("acceptor", city.do("checker", city.to_check(case), "check_pass"), "close")
    city.do("acceptor", city.do("checker", city.to_check(city.open("garbage")), "check_pass"), "close")
    values = told(city)["items"][0]["values"]
    assert (values["redo"], values["reopened"], values["closing"], values["right_dispatch"]) == (50.0, 50.0, 100.0, 100.0)
    units = {item["name"]: item["values"] for item in told(city, "department")["items"]}
    assert units["dept-drainage"]["redo"] == 50.0


def test_a_citizen_is_no_post(city: Any) -> None:
    case = city.open(verb="report", who="citizen")
    city.do("collector", case, "verify")
    assert {item["name"] for item in told(city, "post")["items"]} <= {"collector-1"}
