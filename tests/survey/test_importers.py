"""Real cities come in whole; every kind of bad input is told, and costs no good feature."""

import gzip
import json
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from zhongshu.kernel.area import Level
from zhongshu.kernel.problem import Problem
from zhongshu.survey import Areas, City, Columns, Entities, Place, Wanted, gcj02_to_wgs84, import_areas, wgs84_to_gcj02

ANY = Wanted("测试城", "Testville", "Asia/Shanghai")
BOW_TIE = {"type": "Polygon", "coordinates": [[[114.0, 22.0], [114.2, 22.2], [114.2, 22.0], [114.0, 22.2], [114.0, 22.0]]]}
Row = tuple[dict[str, object] | None, dict[str, object]]


def box(column: int, row: int = 0) -> dict[str, object]:
    drawn: dict[str, object] = json.loads(shapely.to_geojson(shapely.box(114 + column / 100, 22 + row / 100, 114.01 + column / 100, 22.01 + row / 100)))
    return drawn


def geojson(path: Path, rows: list[Row]) -> Path:
    path.write_text(
        json.dumps({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": geometry, "properties": properties} for geometry, properties in rows]}), "utf-8"
    )
    return path


def good(count: int) -> list[Row]:
    return [(box(column), {"name": f"片区{column}", "id": column}) for column in range(count)]


def refused(path: Path, folder: Path, crs: str = "wgs84", wanted: Wanted = ANY) -> str:
    """Import what must be refused, and return the Problem's code: nothing may have been written."""
    with pytest.raises(Problem) as told:
        import_areas(path, folder, crs, wanted)
    assert told.value.sentence("zh") != told.value.sentence("en")
    assert "<" not in told.value.sentence("zh") + told.value.sentence("en")
    assert not folder.exists()
    return told.value.kind.code


def test_shenzhen_comes_in_whole(samples: Path, tmp_path: Path) -> None:
    path = samples / "f-taz-shenzhen" / "SZ_districts.shp"
    if not path.exists():
        pytest.skip("no sample of Shenzhen's zones here")
    wanted = Wanted("深圳样例", "Shenzhen sample", "Asia/Shanghai", columns=Columns(key="TAZID"))
    report = import_areas(path, tmp_path, "EPSG:3857", wanted)
    assert (report.features, report.imported, report.skipped, report.mended) == (491, 491, (), ())
    areas = Areas.load(tmp_path)
    streets = areas.at(Level.STREET)
    assert [row.code for row in streets] == [980101000000000 + serial * 10**6 for serial in range(1, 492)]
    _, _, _, columns = pyogrio.raw.read(path, columns=["TAZID", "X", "Y"], read_geometry=False)
    codes = {row.name_zh: row.code for row in streets}
    found = Place.open(areas, tmp_path).locate(columns[1], columns[2])  # the file's own points in degrees: another hand's conversion
    assert np.mean(found == [codes[f"区域{int(zone)}"] for zone in columns[0]]) > 0.95


def test_los_angeles_comes_in_whole(samples: Path, tmp_path: Path) -> None:
    path = samples / "b-311-losangeles" / "nc-boundary-2019-modified.json.gz"
    if not path.exists():
        pytest.skip("no sample of Los Angeles' councils here")
    report = import_areas(path, tmp_path, "wgs84", Wanted("洛杉矶样例", "Los Angeles sample", "America/Los_Angeles"))
    assert (report.features, report.imported, report.skipped) == (99, 99, ())
    areas = Areas.load(tmp_path)
    assert len(areas.at(Level.STREET)) == 99
    lincoln = next(row for row in areas if row.name_en == "LINCOLN HEIGHTS NC")
    assert Place.open(areas, tmp_path).locate_one(-118.21, 34.07) == lincoln.code
    city = City.load(tmp_path)
    assert (city.sandbox, city.time_zone, city.name_zh) == (False, "America/Los_Angeles", "洛杉矶样例")
    assert (tmp_path / "map" / "city.pmtiles").read_bytes()[:7] == b"PMTiles"
    assert len(Entities.load(tmp_path)) == 0


def test_bad_features_cost_no_good_one(tmp_path: Path) -> None:
    flat = {"type": "Polygon", "coordinates": [[[114.5, 22.5], [114.6, 22.5], [114.5, 22.5], [114.5, 22.5]]]}
    far = {"type": "Polygon", "coordinates": [[[500.0, 22.0], [501.0, 22.0], [501.0, 23.0], [500.0, 22.0]]]}
    rows: list[Row] = [
        *good(6),
        (None, {"name": "空"}),
        (BOW_TIE, {"name": "结"}),
        (flat, {"name": "扁"}),
        (far, {"name": "远"}),
        ({"type": "Point", "coordinates": [114, 22]}, {"name": "点"}),
        ({"type": "Polygon", "coordinates": []}, {"name": "无"}),
    ]
    report = import_areas(geojson(tmp_path / "a.geojson", rows), tmp_path / "city", "wgs84", ANY)
    assert report.features == 12
    assert report.imported == 7
    assert {note.name: note.problem.kind.code for note in report.skipped} == {
        "空": "survey.shape_null",
        "扁": "survey.shape_nothing_left",
        "远": "survey.shape_out_of_range",
        "点": "survey.shape_no_polygon",
        "无": "survey.shape_null",
    }
    assert [(note.feature, note.name, note.problem.kind.code) for note in report.mended] == [(8, "结", "survey.shape_mended")]
    areas = Areas.load(tmp_path / "city")
    assert {row.name_zh for row in areas.at(Level.STREET)} == {*(f"片区{column}" for column in range(6)), "结"}
    assert all(shape is None or shape.is_valid for shape in areas.geometries)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.geojson", b'{"type": "FeatureCollection", "features": []}'),
        ("b.geojson", b'{"type": "FeatureCol'),
        ("c.geojson", b""),
        ("d.shp", b"\x00\x00'\n rubbish"),
        ("e.gpkg", b"SQLite format 3\x00"),
        ("f.geojson.gz", b"\x1f\x8b\x08 cut"),
        ("g.csv", b"a,b\n1,2\n"),
    ],
)
def test_unreadable_and_empty_files(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert refused(tmp_path / name, tmp_path / "city") in {"survey.import_unreadable", "survey.import_empty", "survey.import_nothing_usable"}


def test_missing_file_and_no_usable_feature(tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere.shp", tmp_path / "city") == "survey.import_unreadable"
    assert refused(geojson(tmp_path / "a.geojson", [(None, {})]), tmp_path / "city") == "survey.import_nothing_usable"


def test_more_than_fit_is_a_problem_with_a_remedy(tmp_path: Path) -> None:
    rows: list[Row] = [(box(at % 40, at // 40), {"id": at}) for at in range(1000)]
    path = geojson(tmp_path / "a.geojson", rows)
    assert refused(path, tmp_path / "city") == "survey.too_many_children"
    assert refused(path, tmp_path / "city", wanted=Wanted("a", "a", "UTC", level="district")) == "survey.too_many_children"
    table = tmp_path / "codes.csv"
    table.write_text("key,code\n" + "".join(f"{at},44030{1 + at // 500}{1 + at % 500:03d}000000\n" for at in range(1000)), "utf-8")
    report = import_areas(path, tmp_path / "city", "wgs84", Wanted("a", "a", "UTC", codes=table))
    assert report.imported == 1000
    assert [row.code for row in Areas.load(tmp_path / "city").at(Level.DISTRICT)] == [440301000000000, 440302000000000]


def test_assigned_codes_follow_the_grid_whatever_the_order(tmp_path: Path) -> None:
    rows: list[Row] = [(box(column, row), {"name": f"{column},{row}"}) for row in range(3) for column in range(3)]
    for name, order in (("one", rows), ("two", rows[::-1])):
        import_areas(geojson(tmp_path / f"{name}.geojson", order), tmp_path / name, "cgcs2000", ANY)
        assert [row.name_zh for row in Areas.load(tmp_path / name).at(Level.STREET)] == ["0,2", "1,2", "2,2", "0,1", "1,1", "2,1", "0,0", "1,0", "2,0"]


@pytest.mark.parametrize(("level", "first"), [("district", 980701000000000), ("community", 980701001001000), ("cell", 980701001001001)])
def test_levels_and_city_of_assigned_codes(tmp_path: Path, level: str, first: int) -> None:
    path = geojson(tmp_path / "a.geojson", good(3))
    import_areas(path, tmp_path / "city", "wgs84", Wanted("城", "City", "UTC", level=level, city=980700000000000))
    areas = Areas.load(tmp_path / "city")
    assert next(row.code for row in areas if row.name_zh == "片区0") == first
    assert areas.city.code == 980700000000000
    whole = areas.geometry(areas.city.code)
    assert whole is not None
    assert whole.equals(shapely.box(114, 22, 114.03, 22.01))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_code_table_costs_only_its_own_rows(tmp_path: Path, encoding: str) -> None:
    table = tmp_path / "codes.csv"
    rows = ("0,440301001000000,好", "1,44030100200000,短", "2,440301001000000,重", "3,440301000000000,级", "4,110101001000000,别", "5,440399001000000,未", "6,440301007000000,好")
    table.write_text("\n".join(["key,code,备注", *rows]), encoding)
    wanted = Wanted("a", "a", "UTC", codes=table, columns=Columns(key="id"))
    report = import_areas(geojson(tmp_path / "a.geojson", good(8)), tmp_path / "city", "wgs84", wanted)
    assert [row.code for row in Areas.load(tmp_path / "city").at(Level.STREET)] == [440301001000000, 440301007000000]
    assert [note.feature for note in report.skipped] == [2, 3, 4, 5, 6, 8]
    assert {note.problem.kind.code for note in report.skipped} == {"survey.import_wrong_code", "survey.import_no_code"}


def test_useless_code_tables_are_problems(tmp_path: Path) -> None:
    path, table = geojson(tmp_path / "a.geojson", good(2)), tmp_path / "codes.csv"
    wanted = Wanted("a", "a", "UTC", codes=table)
    assert refused(path, tmp_path / "city", wanted=wanted) == "survey.bad_code_table"
    for content, code in ((b"\xff\xfe\x00", "survey.bad_code_table"), (b"a,b\n1,2\n", "survey.bad_code_table"), (b"key,code\nx,440301001000000\n", "survey.import_no_codes")):
        table.write_bytes(content)
        assert refused(path, tmp_path / "city", wanted=wanted) == code


def test_gcj02_is_undone(tmp_path: Path) -> None:
    def shifted(shape: BaseGeometry) -> dict[str, object]:
        moved = shapely.transform(shape, lambda points: np.column_stack(wgs84_to_gcj02(points[:, 0], points[:, 1])))
        drawn: dict[str, object] = json.loads(shapely.to_geojson(moved))
        return drawn

    truth = shapely.box(114.0, 22.0, 114.1, 22.1)
    import_areas(geojson(tmp_path / "a.geojson", [(shifted(truth), {"name": "a"})]), tmp_path / "city", "gcj02", ANY)
    came = Areas.load(tmp_path / "city").geometry(980101001000000)
    assert came is not None
    assert shapely.hausdorff_distance(came, truth) < 1e-8
    assert gcj02_to_wgs84(114.0, 22.0)[0] < 114.0


def test_crs_must_fit(tmp_path: Path) -> None:
    degrees = geojson(tmp_path / "degrees.geojson", good(2))
    triangle = {"type": "Polygon", "coordinates": [[[500000, 2500000], [501000, 2500000], [501000, 2501000], [500000, 2500000]]]}
    metres = geojson(tmp_path / "metres.geojson", [(triangle, {})])
    assert refused(metres, tmp_path / "city", "wgs84") == "survey.wrong_crs"
    assert refused(metres, tmp_path / "city", "gcj02") == "survey.wrong_crs"
    assert refused(degrees, tmp_path / "city", "EPSG:4547") == "survey.wrong_crs"
    for crs in ("bd09", "EPSG:999999", "EPSG:x", ""):
        assert refused(degrees, tmp_path / "city", crs) == "survey.bad_crs"
    bare = tmp_path / "bare.shp"
    with pytest.warns(UserWarning, match="crs"):
        pyogrio.raw.write(bare, shapely.to_wkb(np.array([shapely.box(0, 0, 1, 1)])), [], [], geometry_type="Polygon", crs=None, driver="ESRI Shapefile")
    assert refused(bare, tmp_path / "city", "file") == "survey.no_crs"


def test_geopackage_in_gauss_kruger_by_its_own_word(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    shapes = np.array([shapely.box(500_000, 2_500_000, 501_000, 2_501_000), shapely.box(501_000, 2_500_000, 502_000, 2_501_000)])
    pyogrio.raw.write(
        path,
        shapely.to_wkb(shapes),
        [np.array(["东街", "西街"], dtype=object), np.array([1200, 800])],
        ["名称", "people"],
        layer="streets",
        geometry_type="Polygon",
        crs="EPSG:4547",
        driver="GPKG",
    )
    import_areas(path, tmp_path / "city", "file", Wanted("城", "City", "UTC", layer="streets", columns=Columns(population="people")))
    areas = Areas.load(tmp_path / "city")
    assert [(row.name_zh, row.population) for row in areas.at(Level.STREET)] == [("东街", 1200), ("西街", 800)]
    assert areas.city.population == 2000
    west = areas.bounds(areas.city.code)
    assert west is not None
    assert west[0] == pytest.approx(114.0, abs=1e-6)  # the zone's middle meridian
    assert refused(path, tmp_path / "other", "file", Wanted("a", "a", "UTC", layer="nothing")) == "survey.import_unreadable"


def test_wrong_wishes_are_problems(tmp_path: Path) -> None:
    path = geojson(tmp_path / "a.geojson", good(2))
    assert refused(path, tmp_path / "city", wanted=Wanted("a", "a", "Mars/Olympus")) == "survey.unknown_zone"
    assert refused(path, tmp_path / "city", wanted=Wanted("a", "a", "UTC", level="city")) == "survey.bad_level"
    assert refused(path, tmp_path / "city", wanted=Wanted("a", "a", "UTC", city=440300000000000)) == "survey.bad_city_code"
    assert refused(path, tmp_path / "city", wanted=Wanted("a", "a", "UTC", columns=Columns(name="nom"))) == "survey.import_no_field"


def test_gzipped_and_never_over_another_city(tmp_path: Path) -> None:
    plain = geojson(tmp_path / "a.geojson", good(2))
    (tmp_path / "a.geojson.gz").write_bytes(gzip.compress(plain.read_bytes()))
    import_areas(tmp_path / "a.geojson.gz", tmp_path / "city", "wgs84", ANY)
    with pytest.raises(Problem) as told:
        import_areas(plain, tmp_path / "city", "wgs84", ANY)
    assert told.value.kind.code == "survey.city_exists"
