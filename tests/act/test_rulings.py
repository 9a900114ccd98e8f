"""Earlier rulings: all of the class, the same section of road first, then the street, the nearest first."""

from typing import Any

from zhongshu.act import record
from zhongshu.kernel.grade import EVERYWHERE, Scope

ELSEWHERE = 990102001001001
ROADS = {0: ("road-1", "文汇路", "Wenhui Road"), 1: ("road-2", "滨河路", "Binhe Road")}


def road_of(lon: float, _lat: float) -> tuple[str, str, str] | None:
    """Lie on one of two roads, by the first decimal of the longitude."""
    return ROADS.get(round((lon - 121.5) * 10))


def ruled(city: Any, lon: float | None, area: int) -> str:
    case = city.open(lon=lon, lat=None if lon is None else 31.2, area=area)
    case = city.do("dispatcher", case, "dispute", reason="都说不归己")
    case = city.do("duty_officer", case, "rule", unit="dept-road", reason="三定", note="纪要")
    return str(case["number"])


def shown(city: Any, case: dict[str, Any], road: Any = road_of) -> list[dict[str, Any]]:
    return list(city.desk.read(lambda c: record.get_case(c, Scope(EVERYWHERE, 3), case["id"], city.people["dispatcher"], city.clock.at, road))["rulings"])


def test_all_rulings_of_the_class_go_along_the_same_road_first_then_the_street(city: Any) -> None:
    away = ruled(city, 121.9, ELSEWHERE)
    street = ruled(city, 121.6, city.cell)
    far, near = ruled(city, 121.5031, city.cell), ruled(city, 121.5001, city.cell)
    over = ruled(city, 121.502, ELSEWHERE)
    unplaced = ruled(city, None, city.cell)
    many = [ruled(city, 121.9 + i / 1000, ELSEWHERE) for i in range(1, 8)]
    other = city.open("garbage", lon=121.5, lat=31.2)
    assert shown(city, other) == []
    rows = shown(city, city.open(lon=121.5, lat=31.2))
    assert [row["number"] for row in rows] == [near, over, far, street, unplaced, away, *many]
    assert [row["near"] for row in rows[:6]] == ["road", "road", "road", "street", "street", ""]
    assert (rows[0]["metres"], rows[0]["road_zh"], rows[0]["road_en"]) == (10, "文汇路", "Wenhui Road")
    assert (rows[4]["metres"], rows[4]["road_zh"]) == (None, "")


def test_where_no_road_was_surveyed_the_street_comes_first(city: Any) -> None:
    away, street = ruled(city, 121.5001, ELSEWHERE), ruled(city, 121.6, city.cell)
    case = city.open(lon=121.5, lat=31.2)
    assert [(row["number"], row["near"]) for row in shown(city, case, lambda _lon, _lat: None)] == [(street, "street"), (away, "")]
