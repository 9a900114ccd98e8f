"""What the base map shows of a real city beside its roads and buildings: water, railways, paths; kept in `survey/ground.parquet`, so that the map can be drawn again.

It must never know where they come from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely

from zhongshu.survey.areas import Areas
from zhongshu.survey.entities import Entities
from zhongshu.survey.files import CRS, read_table, write_table
from zhongshu.survey.tiles import Feature, Layers, area_layers

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("layer", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("name_zh", pa.string(), nullable=False),
        pa.field("name_en", pa.string(), nullable=False),
        pa.field("geometry", pa.binary(), nullable=False, metadata={"encoding": "WKB", "crs": CRS}),
    ]
)
_FILE = "ground.parquet"
_SHOWN_FROM = {"expressway": 8, "arterial": 9, "collector": 11, "local": 12, "path": 14}
_FROM_LAYER = {"water": 8, "river": 10, "railway": 9, "road": 14}
_TALL = 60.0
"""Buildings of this height in metres show one zoom earlier."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One thing of the base map: its layer, its kind there, names, and WKB in degrees."""

    layer: str
    kind: str
    name_zh: str
    name_en: str
    shape: bytes


Ground = dict[str, Drawn]
"""By an id that stays the same when its source is read again."""


def load_ground(folder: Path) -> Ground:
    """Read what was kept of a city's ground; nothing where nothing was."""
    path = folder / "survey" / _FILE
    if not path.is_file():
        return {}
    columns = [read_table(path, SCHEMA).column(name).to_pylist() for name in SCHEMA.names]
    return {ident: Drawn(*rest) for ident, *rest in zip(*columns, strict=True)}


def save_ground(folder: Path, ground: Mapping[str, Drawn]) -> None:
    """Write `survey/ground.parquet`, whole or not at all."""
    rows = [[ident, *(getattr(drawn, name) for name in ("layer", "kind", "name_zh", "name_en", "shape"))] for ident, drawn in ground.items()]
    write_table(folder / "survey" / _FILE, pa.Table.from_arrays([pa.array([row[at] for row in rows], field.type) for at, field in enumerate(SCHEMA)], schema=SCHEMA))


def surveyed_layers(areas: Areas, entities: Entities, ground: Mapping[str, Drawn]) -> Layers:
    """Return a real city's layers: its areas, what was kept of its ground, its roads and its buildings."""
    layers = area_layers(areas)
    layers |= {name: [] for name in ("water", "river", "railway", "road", "building")}
    shapes = shapely.from_wkb(np.array([drawn.shape for drawn in ground.values()], dtype=object))
    for drawn, shape in zip(ground.values(), shapes, strict=True):
        said = "class" if drawn.layer == "road" else "kind"
        layers[drawn.layer].append(Feature(shape, {said: drawn.kind, "name_zh": drawn.name_zh, "name_en": drawn.name_en}, _FROM_LAYER[drawn.layer]))
    for row in entities:
        shape = entities.shape(row.id) if row.type in {"Road", "Building"} else None
        if shape is None:
            continue
        if row.type == "Road":
            kind = str(row.facets.get("class", "local"))
            layers["road"].append(Feature(shape, {"class": kind, "name_zh": row.name_zh, "name_en": row.name_en}, _SHOWN_FROM.get(kind, 13)))
        else:
            height = row.facets.get("height_m")
            layers["building"].append(Feature(shape, {"height": height} if height is not None else {}, 12 if float(height or 0) >= _TALL else 13))
    return {name: layers[name] for name in sorted(layers)}
