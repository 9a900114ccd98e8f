"""GCJ-02 there and back, and a published pair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhongshu.survey import gcj02_to_wgs84, wgs84_to_gcj02


def test_published_pairs() -> None:
    lon, lat = wgs84_to_gcj02([116.42079, 116.3975], [39.90105, 39.9087])
    assert lon == pytest.approx([116.42703, 116.40374], abs=1.5e-5)
    assert lat == pytest.approx([39.90245, 39.91010], abs=1.5e-5)


@given(st.floats(73.6, 135.0), st.floats(3.9, 53.5))
def test_there_and_back(lon: float, lat: float) -> None:
    back = gcj02_to_wgs84(*wgs84_to_gcj02(lon, lat))
    assert back[0] == pytest.approx(lon, abs=1e-9)
    assert back[1] == pytest.approx(lat, abs=1e-9)


def test_nothing_moves_abroad() -> None:
    lon, lat = np.array([-118.4, 2.35, 151.2]), np.array([34.1, 48.85, -33.9])
    assert np.array_equal(wgs84_to_gcj02(lon, lat), (lon, lat))
    assert np.array_equal(gcj02_to_wgs84(lon, lat), (lon, lat))
