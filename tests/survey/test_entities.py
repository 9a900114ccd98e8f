"""The table of entities: what is saved comes back."""

from pathlib import Path

import pytest
import shapely

from zhongshu.kernel.entity import Entity
from zhongshu.kernel.problem import Problem
from zhongshu.survey import Entities

ROWS = (
    Entity("urn:zs:RainGauge:1", "RainGauge", "雨量站", "Gauge", 990101001001001, 123.6, 29.6, "dept-drainage", 2, {"kind": "a", "n": 3, "x": 0.5}),
    Entity("urn:zs:Organisation:o", "Organisation", "排水处", "Drainage", 990100000000000),
)
SHAPES = {"urn:zs:RainGauge:1": shapely.to_wkb(shapely.LineString([(0, 0), (1, 1)]))}


def test_saved_is_loaded(tmp_path: Path) -> None:
    Entities(ROWS, SHAPES).save(tmp_path)
    loaded = Entities.load(tmp_path)
    assert tuple(loaded) == ROWS
    assert loaded.counts() == {"Organisation": 1, "RainGauge": 1}
    assert loaded.geojson("urn:zs:RainGauge:1") == {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}
    assert loaded.geojson("urn:zs:Organisation:o") is None
    assert [row.id for row in loaded.within(990101000000000)] == ["urn:zs:RainGauge:1"]
    assert "urn:zs:RainGauge:1" in loaded


def test_none_at_all(tmp_path: Path) -> None:
    Entities(()).save(tmp_path)
    assert len(Entities.load(tmp_path)) == 0


def test_unknown_id_is_a_problem() -> None:
    with pytest.raises(Problem) as told:
        Entities(ROWS)["urn:zs:RainGauge:2"]
    assert told.value.kind.code == "entity.unknown"
