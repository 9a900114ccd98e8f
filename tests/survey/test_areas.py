"""The table of areas: what is saved comes back, and the look-ups."""

from pathlib import Path

import pytest
import shapely

from zhongshu.kernel.area import Area, Level, level_of, parent
from zhongshu.kernel.problem import Problem
from zhongshu.survey import Areas, City

CITY, DISTRICT, STREET = 990100000000000, 990101000000000, 990101001000000


def small() -> Areas:
    rows = [
        Area(STREET, "荷渡街道", "Hedu Subdistrict", population=7, lon=0.5, lat=0.5),
        Area(CITY, "城", "City", "4401", 7, 0.5, 0.5, 3, None),
        Area(DISTRICT, "区", "District", population=7, valid_from=5, valid_to=9),
        Area(CITY + 99 * 10**9, "未定位区域", "Unplaced"),
    ]
    box = shapely.box(0, 0, 1, 1)
    return Areas(rows, [box.difference(shapely.box(0.2, 0.2, 0.3, 0.3)), box, box, None])


def test_saved_is_loaded(tmp_path: Path) -> None:
    small().save(tmp_path)
    loaded = Areas.load(tmp_path)
    assert loaded.rows == small().rows
    assert [row.code for row in loaded] == sorted(row.code for row in loaded)
    assert [None if shape is None else shape.wkt for shape in loaded.geometries] == [None if shape is None else shape.wkt for shape in small().geometries]


def test_look_ups() -> None:
    areas = small()
    assert areas.city.official == "4401"
    assert [child.code for child in areas.children(CITY)] == [DISTRICT]  # not the unplaced area
    assert [row.code for row in areas.at(Level.DISTRICT)] == [DISTRICT]
    assert [row.code for row in areas.within(DISTRICT)] == [DISTRICT, STREET]
    assert areas.name(STREET) == "荷渡街道"
    assert areas.name(STREET, "en") == "Hedu Subdistrict"
    assert areas.name(123) == "000000000000123"
    assert areas.bounds(CITY) == (0, 0, 1, 1)
    assert areas.bounds(areas.unplaced) is None
    drawn = areas.geojson(STREET)
    assert drawn is not None
    assert shapely.area(shapely.from_geojson(str(drawn).replace("'", '"'))) == pytest.approx(0.99)


def test_unknown_code_is_a_problem() -> None:
    for ask in (small().children, small().bounds, small().__getitem__):
        with pytest.raises(Problem) as told:
            ask(42)
        assert told.value.kind.code == "survey.area_unknown"


def test_missing_and_foreign_files_are_problems(tmp_path: Path) -> None:
    with pytest.raises(Problem) as told:
        Areas.load(tmp_path)
    assert told.value.kind.code == "survey.missing"
    (tmp_path / "survey").mkdir()
    (tmp_path / "survey" / "areas.parquet").write_bytes(b"not parquet")
    (tmp_path / "city.toml").write_text("code = 12")
    for load in (Areas.load, City.load):
        with pytest.raises(Problem) as told:
            load(tmp_path)
        assert told.value.kind.code == "survey.foreign_file"


def test_city_file_keeps_odd_names(tmp_path: Path) -> None:
    city = City('云"汀\\市\n', "Yun\ttíng\x7f", CITY, "Asia/Shanghai", 123.6, 29.6, (1.0, 2.0, 3.0, 4.0), 5, sandbox=True, seed=0, note_en="x = [1]")
    city.save(tmp_path)
    assert City.load(tmp_path) == city


def test_unknown_zone_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(Problem) as told:
        City("a", "a", CITY, "Asia/Atlantis", 0, 0, (0, 0, 0, 0)).save(tmp_path)
    assert told.value.kind.code == "survey.unknown_zone"
    assert list(tmp_path.iterdir()) == []


def test_made_areas_form_a_tree(yunting: Path) -> None:
    areas = Areas.load(yunting)
    for row in areas:
        assert (up := parent(row.code)) is None or up in areas
        if level_of(row.code) is not Level.CELL and row.code != areas.unplaced:
            assert sum(child.population for child in areas.children(row.code)) == row.population
