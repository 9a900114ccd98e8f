"""The city's areas: one table of polygons and names, kept in `survey/areas.parquet`, and the look-ups that every floor asks of it.

It must never know where the polygons came from, nor what is measured in them.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely
from shapely.geometry.base import BaseGeometry

from zhongshu.kernel.area import Area, Codes, Level, city_of, interval, level_of, parent, show_area, unplaced
from zhongshu.kernel.problem import declare
from zhongshu.survey.files import CRS, read_table, write_table

UNKNOWN_AREA = declare(
    "survey.area_unknown",
    "unknown",
    zh=("本市没有编码为 {code} 的区域。", "请核对 15 位区域编码。"),
    en=("This city has no area {code}.", "Check the 15-digit area code."),
)
NO_AREAS = declare(
    "survey.no_areas",
    "unavailable",
    zh=("{path} 里一个区域也没有。", "请重新生成城市，或重新导入区域。"),
    en=("There is not a single area in {path}.", "Make the city again, or import its areas again."),
)

SCHEMA = pa.schema(
    [
        pa.field("code", pa.int64(), nullable=False),
        pa.field("name_zh", pa.string(), nullable=False),
        pa.field("name_en", pa.string(), nullable=False),
        pa.field("official", pa.string(), nullable=False),
        pa.field("population", pa.int64(), nullable=False),
        pa.field("lon", pa.float64(), nullable=False),
        pa.field("lat", pa.float64(), nullable=False),
        pa.field("valid_from", pa.int64(), nullable=False),
        pa.field("valid_to", pa.int64()),
        pa.field("geometry", pa.binary(), metadata={"encoding": "WKB", "crs": CRS}),
    ]
)

Geometries = npt.NDArray[np.object_]
Bounds = tuple[float, float, float, float]


class Areas:
    """Every area of one city, ordered by code, with its polygon (degrees, EPSG:4490) where it has one."""

    def __init__(self, rows: Sequence[Area], geometries: Sequence[BaseGeometry | None] | Geometries) -> None:
        """Take areas and their polygons, in any order."""
        order = sorted(range(len(rows)), key=lambda index: (rows[index].code, rows[index].valid_from))
        self.rows: tuple[Area, ...] = tuple(rows[index] for index in order)
        self.geometries: Geometries = np.empty(len(rows), dtype=object)
        self.geometries[:] = [geometries[index] for index in order]
        self.codes: Codes = np.array([row.code for row in self.rows], dtype=np.int64)
        self._index = {row.code: index for index, row in enumerate(self.rows)}
        self._children: dict[int, list[int]] = {}
        for row in self.rows:
            up = parent(row.code)
            if up is not None and self._index[row.code] >= 0 and row.code != unplaced(row.code):
                known = self._children.setdefault(up, [])
                if not known or known[-1] != row.code:
                    known.append(row.code)

    @classmethod
    def load(cls, folder: Path) -> "Areas":
        """Read `survey/areas.parquet` of a city's folder; a missing or foreign file is a Problem."""
        path = folder / "survey" / "areas.parquet"
        table = read_table(path, SCHEMA)
        if table.num_rows == 0:
            raise NO_AREAS(path=path.name)
        columns = {name: table.column(name).to_pylist() for name in SCHEMA.names if name != "geometry"}
        rows = [Area(*values) for values in zip(*columns.values(), strict=True)]
        return cls(rows, shapely.from_wkb(table.column("geometry").to_numpy(zero_copy_only=False)))

    def save(self, folder: Path) -> Path:
        """Write `survey/areas.parquet` (whole or not at all) and return its path."""
        rows = self.rows
        names = [field.name for field in SCHEMA if field.name != "geometry"]
        arrays = [pa.array([getattr(row, name) for row in rows], SCHEMA.field(name).type) for name in names]
        wkb = [None if shape is None else shapely.to_wkb(shape, byte_order=1) for shape in self.geometries]
        path = folder / "survey" / "areas.parquet"
        write_table(path, pa.Table.from_arrays([*arrays, pa.array(wkb, pa.binary())], schema=SCHEMA))
        return path

    def __len__(self) -> int:
        """Return how many areas there are."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Area]:
        """Go through the areas by code."""
        return iter(self.rows)

    def __contains__(self, code: object) -> bool:
        """Tell whether the city has an area of this code."""
        return code in self._index

    def __getitem__(self, code: int) -> Area:
        """Return an area by its code; an unknown code is a Problem."""
        return self.rows[self._at(code)]

    @property
    def city(self) -> Area:
        """Return the city itself."""
        return self[city_of(self.rows[0].code)]

    @property
    def unplaced(self) -> int:
        """Return the code of the area for what has no place."""
        return unplaced(self.rows[0].code)

    def name(self, code: int, language: str = "zh") -> str:
        """Return an area's name in `zh` or `en`; for a code the city does not have, its digits."""
        index = self._index.get(code)
        if index is None:
            return show_area(code)
        row = self.rows[index]
        return row.name_zh if language.startswith("zh") else row.name_en

    def children(self, code: int) -> tuple[Area, ...]:
        """Return the areas next below one, by code; the unplaced area is no one's child."""
        self._at(code)
        return tuple(self[child] for child in self._children.get(code, ()))

    def at(self, level: Level) -> tuple[Area, ...]:
        """Return all areas of a level, by code, without the unplaced one."""
        return tuple(row for row in self.rows if level_of(row.code) is level and row.code != unplaced(row.code))

    def within(self, code: int) -> tuple[Area, ...]:
        """Return an area and everything below it, by code."""
        low, high = interval(code)
        first, last = np.searchsorted(self.codes, [low, high])
        return self.rows[int(first) : int(last)]

    def geometry(self, code: int) -> BaseGeometry | None:
        """Return an area's polygon (degrees, EPSG:4490), or None if it has none."""
        shape: BaseGeometry | None = self.geometries[self._at(code)]
        return shape

    def bounds(self, code: int) -> Bounds | None:
        """Return west, south, east and north of an area in degrees, or None if it has no polygon."""
        shape = self.geometry(code)
        if shape is None or shape.is_empty:
            return None
        west, south, east, north = shape.bounds
        return west, south, east, north

    def geojson(self, code: int) -> dict[str, object] | None:
        """Return an area's polygon as a GeoJSON geometry, or None if it has none."""
        shape = self.geometry(code)
        return None if shape is None else json.loads(shapely.to_geojson(shape))

    def _at(self, code: int) -> int:
        index = self._index.get(code)
        if index is None:
            raise UNKNOWN_AREA(code=show_area(code))
        return index
