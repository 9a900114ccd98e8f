"""The AQI by its declared formula against the standard's rules written out by hand, exactly, pollutant by pollutant."""

import math
import tomllib
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zhongshu.packs.environment
from zhongshu.judge.formula import parse
from zhongshu.kernel.expression import evaluate

HOME = Path(zhongshu.packs.environment.__file__).parent
SIGNS: dict[str, dict[str, Any]] = {row["code"]: row for row in tomllib.loads((HOME / "indicators.toml").read_text("utf-8"))["indicator"]}
NAMES = ("pm25", "pm10", "so2", "no2", "co", "o3")
TREE = parse(SIGNS["EN01"]["derive"])
TABLES = {name: tuple((float(x), float(y)) for x, y in table) for name, table in SIGNS["EN01"]["tables"].items()}


def by_hand(p: str, c: Fraction) -> Fraction:
    """HJ 633—2012, tables 1 and 2, as one reads it: the sub-index of a concentration (CO in mg/m³, others µg/m³)."""
    edges = {
        "pm25": (35, 75, 115, 150, 250, 350, 500),
        "pm10": (50, 150, 250, 350, 420, 500, 600),
        "so2": (150, 500, 650, 800, 1600, 2100, 2620),
        "no2": (100, 200, 700, 1200, 2340, 3090, 3840),
        "co": (5, 10, 35, 60, 90, 120, 150),
        "o3": (160, 200, 300, 400, 800, 1000, 1200),
    }[p]
    a, b, c3, d, e, f, g = map(Fraction, edges)
    if c <= a:
        return c / a * 50
    if c <= b:
        return 50 + (c - a) / (b - a) * 50
    if c <= c3:
        return 100 + (c - b) / (c3 - b) * 50
    if c <= d:
        return 150 + (c - c3) / (d - c3) * 50
    if c <= e:
        return 200 + (c - d) / (e - d) * 100
    if c <= f:
        return 300 + (c - e) / (f - e) * 100
    if c <= g:
        return 400 + (c - f) / (g - f) * 100
    return Fraction(500)


def declared(**air: float) -> float:
    columns = {name: np.array([air.get(name, np.nan)]) for name in NAMES}
    return float(evaluate(TREE, columns, TABLES, lambda _: np.zeros(1))[0])


tenths = st.integers(0, 12_000).map(lambda n: Fraction(n, 10))


@settings(deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(NAMES, tenths)))
def test_the_index_is_the_largest_sub_index_rounded_up(air: dict[str, Fraction]) -> None:
    assert declared(**{p: float(c) for p, c in air.items()}) == max(math.ceil(by_hand(p, c)) for p, c in air.items())


@pytest.mark.parametrize(
    ("air", "index"),
    [
        ({"pm25": 35}, 50),
        ({"pm25": 75}, 100),
        ({"pm25": 76}, 102),
        ({"pm25": 122}, 160),
        ({"pm25": 500}, 500),
        ({"pm25": 900}, 500),
        ({"so2": 800}, 200),
        ({"so2": 801}, 201),
        ({"co": 2.1}, 21),
        ({"o3": 161}, 52),
        ({"pm25": 0, "no2": 0}, 0),
    ],
)
def test_known_points(air: dict[str, float], index: int) -> None:
    assert declared(**air) == index


def test_a_missing_pollutant_does_not_hide_the_others() -> None:
    assert declared(pm25=118, so2=12) == math.ceil(by_hand("pm25", Fraction(118)))


def test_the_standard_ends_and_the_city_goes_on() -> None:
    (national,) = SIGNS["EN01"]["bands"]
    assert national["valid_to"].isoformat() == "2026-03-01"
    city = tomllib.loads((HOME.parent / "sandbox" / "indicators.toml").read_text("utf-8"))["bands"]
    (own,) = [band for band in city if band["indicator"] == "EN01"]
    assert own["valid_from"] == national["valid_to"]
    assert own["steps"] == national["steps"]
    assert [step["native"].split()[0] for step in own["steps"]] == ["六级", "五级", "四级", "三级", "二级", "一级"]


def test_limits_of_pm25_change_on_their_days() -> None:
    assert [(b["valid_from"].year, b["steps"][0]["value"]) for b in SIGNS["EN02"]["bands"]] == [(2012, 75), (2026, 60), (2031, 50)]


def test_noise_limits_are_those_of_the_standard() -> None:
    day, night = (SIGNS["EN05"]["measures"][name]["when"] for name in ("day", "night"))
    for zone, by_day, by_night in (("0", 50, 40), ("1", 55, 45), ("2", 60, 50), ("3", 65, 55), ("4a", 70, 55), ("4b", 70, 60)):
        assert f"entity.zone = '{zone}' and value <= {by_day})" in day
        assert f"entity.zone = '{zone}' and value <= {by_night})" in night
