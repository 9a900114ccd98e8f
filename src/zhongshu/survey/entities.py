"""What stands in the city: devices, roads, buildings, organisations, kept in `survey/entities.parquet`.

It must never know a type's meaning: types and facets are the packs' words.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import shapely
from shapely.geometry.base import BaseGeometry

from zhongshu.kernel.area import interval
from zhongshu.kernel.entity import UNKNOWN_ENTITY, Entity
from zhongshu.survey.files import CRS, read_table, write_table

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("name_zh", pa.string(), nullable=False),
        pa.field("name_en", pa.string(), nullable=False),
        pa.field("area", pa.int64(), nullable=False),
        pa.field("lon", pa.float64()),
        pa.field("lat", pa.float64()),
        pa.field("owner", pa.string(), nullable=False),
        pa.field("grade", pa.int8(), nullable=False),
        pa.field("facets", pa.string(), nullable=False),
        pa.field("geometry", pa.binary(), metadata={"encoding": "WKB", "crs": CRS}),
    ]
)


class Entities:
    """The entities a city was surveyed with, in the order they were written, with shapes (degrees, EPSG:4490) where they are more than a point."""

    def __init__(self, rows: Sequence[Entity], shapes: Mapping[str, bytes] | None = None) -> None:
        """Take entities, and WKB by entity id for those that have a shape."""
        self.rows: tuple[Entity, ...] = tuple(rows)
        self._shapes = dict(shapes or {})
        self._index = {row.id: index for index, row in enumerate(self.rows)}

    @classmethod
    def load(cls, folder: Path) -> "Entities":
        """Read `survey/entities.parquet` of a city's folder; a missing or foreign file is a Problem."""
        table = read_table(folder / "survey" / "entities.parquet", SCHEMA)
        columns = [table.column(name).to_pylist() for name in SCHEMA.names]
        read = json.JSONDecoder().decode
        known: dict[str, dict[str, str | float | int]] = {}
        rows, shapes = [], {}
        for ident, kind, zh, en, area, lon, lat, owner, grade, facets, shape in zip(*columns, strict=True):
            held = known.get(facets)
            if held is None:
                held = known[facets] = read(facets)
            rows.append(Entity(ident, kind, zh, en, area, lon, lat, owner, grade, held))
            if shape is not None:
                shapes[ident] = shape
        return cls(rows, shapes)

    def save(self, folder: Path) -> Path:
        """Write `survey/entities.parquet` (whole or not at all) and return its path."""
        plain = [name for name in SCHEMA.names if name not in {"facets", "geometry"}]
        arrays = [pa.array([getattr(row, name) for row in self.rows], SCHEMA.field(name).type) for name in plain]
        write = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
        arrays.append(pa.array([write(row.facets) for row in self.rows], pa.string()))
        arrays.append(pa.array([self._shapes.get(row.id) for row in self.rows], pa.binary()))
        path = folder / "survey" / "entities.parquet"
        write_table(path, pa.Table.from_arrays(arrays, schema=SCHEMA))
        return path

    def __len__(self) -> int:
        """Return how many entities there are."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Entity]:
        """Go through the entities in the order they were written."""
        return iter(self.rows)

    def __contains__(self, ident: object) -> bool:
        """Tell whether an entity of this id was surveyed."""
        return ident in self._index

    def __getitem__(self, ident: str) -> Entity:
        """Return an entity by its id; an unknown id is a Problem."""
        index = self._index.get(ident)
        if index is None:
            raise UNKNOWN_ENTITY(id=ident)
        return self.rows[index]

    def of_type(self, kind: str) -> tuple[Entity, ...]:
        """Return all entities of a type."""
        return tuple(row for row in self.rows if row.type == kind)

    def within(self, area: int) -> tuple[Entity, ...]:
        """Return all entities in an area or below it."""
        low, high = interval(area)
        return tuple(row for row in self.rows if low <= row.area < high)

    def counts(self) -> dict[str, int]:
        """Return how many entities there are of each type, by type name."""
        return dict(sorted(Counter(row.type for row in self.rows).items()))

    @property
    def shapes(self) -> dict[str, bytes]:
        """Return WKB by entity id, of those that have a shape."""
        return dict(self._shapes)

    def shape(self, ident: str) -> BaseGeometry | None:
        """Return an entity's shape (degrees, EPSG:4490), or None if it is a point or has no place."""
        wkb = self._shapes.get(self[ident].id)
        return None if wkb is None else shapely.from_wkb(wkb)

    def geojson(self, ident: str) -> dict[str, object] | None:
        """Return an entity's shape, else its point, as a GeoJSON geometry; None if it has no place."""
        shape, row = self.shape(ident), self[ident]
        if shape is not None:
            return json.loads(shapely.to_geojson(shape))  # type: ignore[no-any-return]
        return None if row.lon is None or row.lat is None else {"type": "Point", "coordinates": [row.lon, row.lat]}
