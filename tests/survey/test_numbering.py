"""Serial numbers: rows from the north, each from the west; no more than fit."""

import pytest

from zhongshu.kernel.problem import Problem
from zhongshu.survey.numbering import check_room, child_code, serials


def test_rows_from_the_north_each_from_the_west() -> None:
    lon = [114.3, 114.1, 114.2, 114.1, 114.3, 114.2]
    lat = [22.51, 22.51, 22.50, 22.61, 22.60, 22.62]
    assert serials(lon, lat).tolist() == [6, 4, 5, 1, 3, 2]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few(count: int) -> None:
    assert serials([114.0] * count, [22.0] * count).tolist() == list(range(1, count + 1))


def test_children() -> None:
    assert child_code(990100000000000, 3) == 990103000000000
    assert child_code(990103000000000, 7) == 990103007000000
    assert child_code(990103007005000, 999) == 990103007005999


@pytest.mark.parametrize(("up", "limit"), [(990100000000000, 98), (990101000000000, 999), (990101001001000, 999)])
def test_no_more_than_fit(up: int, limit: int) -> None:
    check_room(up, limit)
    with pytest.raises(Problem) as told:
        check_room(up, limit + 1)
    assert str(limit + 1) in told.value.sentence("zh")
