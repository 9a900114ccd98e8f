"""A value becomes a level by the band in force there and then, and by no other; without a band there is no colour."""

from datetime import date
from typing import Any

import pytest

from zhongshu.judge import Values
from zhongshu.judge.indicator import BAD_INDICATOR
from zhongshu.kernel.area import Level
from zhongshu.kernel.clock import parse_time
from zhongshu.kernel.problem import Problem

from .town import CELLS, Town, gauge, sign

NATIONAL = {"doc": "国家标准", "clause": "4.1", "scope": "national"}
STREETS = sorted({c // 10**6 * 10**6 for c in CELLS})


def steps(*rows: tuple[str, str, Any], **more: Any) -> dict[str, Any]:
    return {"source": NATIONAL, "steps": [{"level": level, "op": op, "value": value} for level, op, value in rows], **more}


def seen(
    bands: list[dict[str, Any]],
    rain: dict[int, float],
    at: str = "2026-07-01T12:00:00+08:00",
    ages: tuple[int, ...] = (0,),
    facets: dict[int, dict[str, Any]] | None = None,
    **row: Any,
) -> tuple[Town, Values]:
    town = Town([gauge(i, **(facets or {}).get(i, {})) for i in range(5)], known=parse_time(at))
    town.send([(g, 0, 0, age, round(mm * 10), 0, 0) for g, mm in rain.items() for age in ages])
    return town, town.values(sign(bands=bands, **row), Level.STREET, town.now)


def levels(*args: Any, **more: Any) -> list[str]:
    return [str(s) for s in seen(*args, **more)[1].status]


HIGH = steps(("yellow", ">=", 1), ("orange", ">=", 5), ("red", ">=", 10))
LOW = steps(("red", "<", 1), ("yellow", "<", 5))


@pytest.mark.parametrize(("mm", "level"), [(0.9, "green"), (1, "yellow"), (4.9, "yellow"), (5, "orange"), (10, "red"), (99, "red")])
def test_higher_is_worse(mm: float, level: str) -> None:
    assert levels([HIGH], {0: mm}) == [level]


@pytest.mark.parametrize(("mm", "level"), [(0.9, "red"), (1, "yellow"), (5, "green")])
def test_lower_is_worse(mm: float, level: str) -> None:
    assert levels([LOW], {0: mm}) == [level]


def test_both_sides_may_be_bad() -> None:
    both = steps(("red", "<", 0.5), ("red", ">", 20), ("yellow", ">", 10))
    assert [levels([both], {0: mm})[0] for mm in (0.4, 5, 12, 21)] == ["red", "green", "yellow", "red"]


def test_the_worst_step_wins_in_whatever_order_it_is_declared() -> None:
    assert levels([steps(("red", ">=", 10), ("yellow", ">=", 1), ("orange", ">=", 5))], {0: 50}) == ["red"]


def test_without_a_band_there_is_no_colour() -> None:
    _, values = seen([], {0: 50})
    assert (values.status.tolist(), values.band.tolist()) == (["unset"], [-1])


def test_a_sign_that_is_too_old_is_stale_and_not_green() -> None:
    assert levels([HIGH], {0: 0.1}, ages=(599,), window="1h") == ["green"]
    assert levels([HIGH], {0: 0.1}, ages=(601,), window="1h") == ["stale"]
    assert levels([], {0: 0.1}, ages=(601,), window="1h") == ["stale"]


def test_a_step_may_look_at_another_window() -> None:
    band = steps(("yellow", ">=", 1)) | {"steps": [{"level": "yellow", "op": ">=", "value": 5}, {"level": "red", "op": ">=", "value": 20, "window": "1h"}]}
    assert levels([band], {0: 6}, measure="sum") == ["yellow"]
    assert levels([band], {0: 6}, ages=(0, 600, 1200, 1800), measure="sum") == ["red"]
    assert sign(bands=[band], measure="sum").specs()[1].window == 3600 * 10**6


def test_a_band_of_a_place_holds_there_only_and_before_the_general_one() -> None:
    own = steps(("red", ">=", 1), place=STREETS[1])
    assert levels([own, HIGH], {0: 2, 3: 2}) == ["yellow", "red"]
    assert levels([own], {0: 2, 3: 2}) == ["unset", "red"]


@pytest.mark.parametrize(("at", "level"), [("21:59", "green"), ("22:00", "red"), ("23:59", "red"), ("05:59", "red"), ("06:00", "green")])
def test_a_band_may_hold_by_night(at: str, level: str) -> None:
    night = steps(("red", ">=", 1), period={"from": "22:00", "to": "06:00"})
    assert levels([steps(("red", ">=", 3)), night], {0: 2}, f"2026-07-01T{at}:00+08:00") == [level]


def test_a_band_may_hold_where_an_entity_is_of_a_kind() -> None:
    zones = [steps(("red", ">=", 1), by="entity.zone = 'a'"), steps(("red", ">=", 9), by="entity.zone='b'")]
    assert levels(zones, {0: 2, 3: 2, 4: 2}, facets={0: {"zone": "a"}, 3: {"zone": "b"}}) == ["red", "green", "unset"]


def test_a_bound_may_be_the_devices_own() -> None:
    band = steps(("red", ">=", "entity.warning"))
    assert levels([band], {0: 2, 3: 2, 4: 2}, facets={0: {"warning": 1.5}, 3: {"warning": 2.5}}) == ["red", "green", "green"]


@pytest.mark.parametrize(("at", "level"), [("2026-02-28T23:59", "red"), ("2026-03-01T00:00", "yellow"), ("2025-12-31T23:59", "unset"), ("2026-05-01T00:00", "unset")])
def test_a_band_holds_from_its_first_day_until_the_day_before_its_last(at: str, level: str) -> None:
    dated = [steps(("red", ">=", 1), valid_from=date(2026, 1, 1), valid_to=date(2026, 3, 1)), steps(("yellow", ">=", 1), valid_from=date(2026, 3, 1), valid_to=date(2026, 5, 1))]
    assert levels(dated, {0: 2}, at + ":00+08:00") == [level]


def test_the_newer_of_two_bands_holds() -> None:
    assert levels([steps(("yellow", ">=", 1), valid_from=date(2026, 3, 1)), steps(("red", ">=", 1), valid_from=date(2020, 1, 1))], {0: 2}) == ["yellow"]


@pytest.mark.parametrize("source", [None, {}, {"clause": "7", "scope": "city"}])
def test_a_band_without_a_source_is_refused(source: dict[str, str] | None) -> None:
    with pytest.raises(Problem) as caught:
        sign(bands=[{"source": source, "steps": HIGH["steps"]}])
    assert caught.value.kind is BAD_INDICATOR


def test_a_value_is_rounded_before_the_band_looks_at_it() -> None:
    assert levels([HIGH], {0: 0.9, 1: 1.0}, measure="mean", decimals=0) == ["yellow"]
