"""On which section of road a point lies: the nearest that was surveyed, within reach; without a survey none."""

from pathlib import Path

import shapely

from zhongshu.kernel.entity import Entity
from zhongshu.survey import Entities, Roads


def surveyed(folder: Path) -> Roads:
    lines = {"road-1": [(121.5, 31.2), (121.51, 31.2)], "road-2": [(121.51, 31.2), (121.52, 31.2)]}
    rows = [Entity(f"urn:zs:Road:{name}", "Road", "文汇路", "Wenhui Road", 990101001001001, *line[0], "dept-road", 1, {}) for name, line in lines.items()]
    rows.append(Entity("urn:zs:TrashBin:1", "TrashBin", "果皮箱", "Bin", 990101001001001, 121.505, 31.2, "dept-sanitation", 1, {}))
    (folder / "survey").mkdir()
    Entities(rows, {f"urn:zs:Road:{name}": shapely.to_wkb(shapely.LineString(line)) for name, line in lines.items()}).save(folder)
    return Roads(folder)


def test_a_point_lies_on_the_nearest_road_within_reach(tmp_path: Path) -> None:
    roads = surveyed(tmp_path)
    assert roads.of(121.504, 31.2002) == ("urn:zs:Road:road-1", "文汇路", "Wenhui Road")
    assert roads.of(121.516, 31.2001) == ("urn:zs:Road:road-2", "文汇路", "Wenhui Road")
    assert roads.of(121.504, 31.2006) is None, "67 m away"


def test_without_a_survey_there_are_no_roads(tmp_path: Path) -> None:
    assert Roads().of(121.5, 31.2) is None
    assert Roads(tmp_path).of(121.5, 31.2) is None
