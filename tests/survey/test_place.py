"""Point → area: the pixels' answer is shapely's answer, on slivers, holes, overlaps, gaps and borders; a stale cache is never used."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry.base import BaseGeometry

from zhongshu.kernel.area import Area, level_of
from zhongshu.survey import Areas, Place
from zhongshu.survey.areas import Geometries
from zhongshu.survey.raster import Raster, draw

CITY = 980100000000000
STREET = CITY + 10**9


def city(shapes: list[BaseGeometry]) -> Areas:
    rows = [Area(STREET + (serial + 1) * 10**6, str(serial), str(serial)) for serial in range(len(shapes))]
    return Areas([Area(CITY, "城", "City"), *rows], [None, *shapes])


def exact(areas: Areas, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> list[int]:
    """Ask shapely of every polygon: the finest level, then the lowest code, of those that hold or touch the point."""
    best: list[tuple[int, int] | None] = [None] * len(x)
    for row, shape in zip(areas.rows, areas.geometries, strict=True):
        if shape is not None:
            key = (-level_of(row.code), row.code)
            for at in np.flatnonzero(shapely.intersects_xy(shape, x, y)):
                best[at] = min(best[at] or key, key)
    return [areas.unplaced if found is None else found[1] for found in best]


def points(areas: Areas, count: int, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return points all over and a little beyond, and every corner and points along every edge."""
    chance = np.random.default_rng(seed)
    west, south, east, north = shapely.total_bounds(areas.geometries)
    wide, high = (east - west) * 0.05 + 1e-7, (north - south) * 0.05 + 1e-7
    x, y = chance.uniform(west - wide, east + wide, count), chance.uniform(south - high, north + high, count)
    corners = shapely.get_coordinates(areas.geometries)
    between = (corners[1:] + corners[:-1]) / 2
    near = np.concatenate([corners, between, corners + 1e-9, corners - 1e-9])[:4000]
    return np.concatenate([x, near[:, 0]]), np.concatenate([y, near[:, 1]])


def agrees(areas: Areas, seed: int = 0, count: int = 3000) -> None:
    x, y = points(areas, count, seed)
    assert Place(areas).locate(x, y).tolist() == exact(areas, x, y)


coordinate = st.integers(0, 40).map(lambda step: 114 + step / 100)


@st.composite
def polygon(draw: st.DrawFn) -> BaseGeometry:
    """Draw a triangle, a box, a sliver of 1e-6 degrees, a box with a hole, or two boxes apart."""
    kind = draw(st.sampled_from(["triangle", "box", "sliver", "hole", "two"]))
    x, y = draw(coordinate), draw(coordinate)
    wide, high = draw(st.integers(1, 20)) / 100, draw(st.integers(1, 20)) / 100
    if kind == "triangle":
        return shapely.Polygon([(x, y), (x + wide, y), (x + draw(st.integers(0, 20)) / 100, y + high)])
    if kind == "sliver":
        return shapely.Polygon([(x, y), (x + wide, y + high), (x + wide, y + high + 1e-6), (x, y + 1e-6)])
    if kind == "hole":
        return shapely.box(x, y, x + wide, y + high).difference(shapely.box(x + wide / 4, y + high / 4, x + wide / 2, y + high / 2))
    if kind == "two":
        return shapely.MultiPolygon([shapely.box(x, y, x + wide / 3, y + high), shapely.box(x + wide / 2, y, x + wide, y + high)])
    return shapely.box(x, y, x + wide, y + high)


@given(st.lists(polygon(), min_size=1, max_size=8), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_agrees_with_shapely_on_slivers_holes_and_overlaps(shapes: list[BaseGeometry], seed: int) -> None:
    agrees(city(shapes), seed, 600)


def test_agrees_on_a_tiling() -> None:
    chance = np.random.default_rng(3)
    frame = shapely.box(114, 22.5, 114.4, 22.8)
    seeds = shapely.multipoints(chance.random((150, 2)) * [0.4, 0.3] + [114, 22.5])
    tiles = shapely.get_parts(shapely.voronoi_polygons(seeds, extend_to=frame))
    agrees(city(list(shapely.intersection(tiles, frame))), count=20_000)


def test_agrees_on_the_made_city(yunting: Path) -> None:
    agrees(Areas.load(yunting), count=6000)


def test_finest_wins_and_gaps_fall_to_the_parent() -> None:
    street, community, cell = STREET + 10**6, STREET + 10**6 + 1000, STREET + 10**6 + 1001
    rows = [Area(code, "a", "a") for code in (CITY, street, community, cell)]
    place = Place(Areas(rows, [None, shapely.box(0, 0, 4, 4), shapely.box(0, 0, 2, 4), shapely.box(0, 0, 2, 2)]))
    assert place.locate([1, 1, 3, 5], [1, 3, 1, 1]).tolist() == [cell, community, street, place.unplaced]


def test_no_number_is_unplaced() -> None:
    place = Place(city([shapely.box(0, 0, 1, 1)]))
    nan, inf = float("nan"), float("inf")
    assert set(place.locate([nan, 0.5, inf, -inf, nan, 1e300], [0.5, nan, 0.5, 0.5, nan, 0.5]).tolist()) == {place.unplaced}
    assert place.locate([], []).tolist() == []
    assert place.locate_one(1.0, 1.0) == STREET + 10**6


def test_areas_out_of_force_hold_nothing() -> None:
    rows = [Area(CITY, "a", "a"), Area(STREET + 10**6, "old", "old", valid_to=1), Area(STREET + 2 * 10**6, "new", "new")]
    place = Place(Areas(rows, [None, shapely.box(0, 0, 2, 2), shapely.box(0, 0, 1, 1)]))
    assert place.locate([0.5, 1.5], [0.5, 1.5]).tolist() == [STREET + 2 * 10**6, place.unplaced]


def test_cache_is_used_only_for_its_own_areas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Raster] = []

    def count(shapes: Geometries) -> Raster:
        drawn.append(draw(shapes))
        return drawn[-1]

    monkeypatch.setattr("zhongshu.survey.place.draw", count)
    one, other = city([shapely.box(0, 0, 1, 1)]), city([shapely.box(0, 0, 1, 1.0000001)])
    first = Place.open(one, tmp_path).locate([0.5], [0.5])
    again = Place.open(one, tmp_path)
    assert len(drawn) == 1
    assert again.locate([0.5], [0.5]).tolist() == first.tolist()
    assert Place.open(other, tmp_path).locate([0.5], [1.00000005]).tolist() == [STREET + 10**6]
    assert len(drawn) == 2
    for spoil in (b"", b"PK\x03\x04 not a zip", (tmp_path / "survey" / "place.npz").read_bytes()[:-40]):
        (tmp_path / "survey" / "place.npz").write_bytes(spoil)
        assert Place.open(one, tmp_path).locate([0.5], [1.00000005]).tolist() == [one.unplaced]
