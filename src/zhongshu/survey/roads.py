"""On which section of road a point lies: the nearest `Road` the city was surveyed with, if that is near enough. Read once, when first asked for.

It must never know what drives there.
"""

from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import shapely

from zhongshu.survey.entities import SCHEMA
from zhongshu.survey.files import read_table

REACH = 40.0
"""No further away, in metres, does a point lie on a road: half a main road, and its verge."""
_DEGREE = 111_320.0
_NAMES = ("id", "name_zh", "name_en")


class Roads:
    """The surveyed roads of a city; without a survey there are none."""

    def __init__(self, folder: Path | None = None) -> None:
        """Take a city's folder."""
        self._folder = folder

    def of(self, lon: float, lat: float) -> tuple[str, str, str] | None:
        """Return (id, zh, en) of the section of road that a point in degrees lies on; None for none."""
        tree, names, wide = self._held
        if not names:
            return None
        found = tree.query_nearest(shapely.Point(lon * wide, lat * _DEGREE), max_distance=REACH)
        return names[int(found.min())] if len(found) else None

    @cached_property
    def _held(self) -> tuple[shapely.STRtree, list[tuple[str, str, str]], float]:
        """Return the roads in metres, their names, and how many metres a degree of longitude is here."""
        if self._folder is None or not (self._folder / "survey" / "entities.parquet").is_file():
            return shapely.STRtree([]), [], _DEGREE
        table = read_table(self._folder / "survey" / "entities.parquet", SCHEMA)
        table = table.filter(pc.and_(pc.equal(table["type"], "Road"), pc.is_valid(table["geometry"])))
        lines = shapely.from_wkb(table["geometry"].to_pylist())
        names = list(zip(*(table[name].to_pylist() for name in _NAMES), strict=True))
        wide = _DEGREE * float(np.cos(np.radians(shapely.get_coordinates(lines)[:, 1].mean()))) if names else _DEGREE
        return shapely.STRtree(shapely.transform(lines, lambda at: at * (wide, _DEGREE))), names, wide
