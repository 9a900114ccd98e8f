"""A file of polygons, read as it is: GeoJSON (also .gz), GeoPackage, shapefile, whatever GDAL reads. Nothing is judged here but readability.

It must never know what the polygons stand for.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyogrio
import shapely

from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why
from zhongshu.survey.areas import Geometries

UNREADABLE = declare(
    "survey.import_unreadable",
    "invalid",
    zh=("{name} 读不了：{why_zh}。", "请给出 GeoJSON（可 .gz）、GeoPackage 或 shapefile（.shp、.shx、.dbf 一起）。"),
    en=("{name} cannot be read: {why_en}.", "Give GeoJSON (.gz too), GeoPackage or a shapefile (.shp, .shx and .dbf together)."),
)
EMPTY = declare(
    "survey.import_empty",
    "invalid",
    zh=("{name} 里没有要素。", "请核对导出的图层；GeoPackage 里有几个图层时请指明图层名。"),
    en=("{name} has no features.", "Check the layer that was exported; if a GeoPackage has several layers, name one."),
)
NO_FIELD = declare(
    "survey.import_no_field",
    "invalid",
    zh=("{name} 里没有“{field}”这一列；有的列是：{fields}。", "请从这些列里选。"),
    en=("{name} has no column '{field}'; its columns are: {fields}.", "Choose one of these."),
)

_GDAL = (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.GeometryError, pyogrio.errors.FeatureError)
_NAME_WORDS = ("name_zh", "name", "名称", "nam", "mc", "区域", "街道", "社区", "title", "label")
_KEY_WORDS = ("code", "编码", "代码", "nc_id", "id", "gid", "fid")


@dataclass(frozen=True, slots=True)
class Features:
    """Geometries (None for null) and columns as they stand in the file, and the CRS it claims (empty if none)."""

    name: str
    shapes: Geometries
    columns: Mapping[str, npt.NDArray[np.object_]]
    crs: str

    def texts(self, field: str) -> list[str]:
        """Return a column as text: whole numbers without a decimal point, nothing for null."""
        if field not in self.columns:
            raise NO_FIELD(name=self.name, field=field, fields=", ".join(self.columns) or "-")
        return [_text(value) for value in self.columns[field]]

    def name_field(self) -> str | None:
        """Guess the column of names: one called so, with text of its own in most rows."""
        return self._guess(_NAME_WORDS, distinct=0.5)

    def key_field(self) -> str | None:
        """Guess the column of keys: one called so, with a different text in every row."""
        return self._guess(_KEY_WORDS, distinct=1.0)

    def _guess(self, words: tuple[str, ...], *, distinct: float) -> str | None:
        for word in words:
            for field in sorted(self.columns, key=lambda held: (held.lower() != word, len(held), held)):
                texts = [text for text in self.texts(field) if text] if word in field.lower() else []
                if texts and len(set(texts)) >= distinct * len(self.shapes):
                    return field
        return None


def read_features(path: Path, layer: str | None = None) -> Features:
    """Read every feature of a file; a file that cannot be read or has none is a Problem."""
    if not path.is_file():
        raise UNREADABLE(name=path.name, **why("No such file"))
    source = f"/vsigzip/{path.resolve()}" if path.suffix == ".gz" else str(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # GDAL warns of single features; those are judged one by one later
            meta, _, wkb, columns = pyogrio.raw.read(source, layer=layer, force_2d=True, datetime_as_string=True)
            shapes: Geometries = shapely.from_wkb(wkb, on_invalid="fix") if wkb is not None else np.empty(0, dtype=object)
    except (*_GDAL, ValueError, OSError) as error:
        reason = str(error).split("; It might help")[0]  # the rest is advice for programmers
        raise UNREADABLE(name=path.name, **why(reason.replace(source, path.name).replace(str(path.resolve()), path.name))) from error
    if not len(shapes):
        raise EMPTY(name=path.name)
    return Features(path.name, shapes, dict(zip(meta["fields"], columns, strict=True)), meta["crs"] or "")


def _text(value: object) -> str:
    if value is None or value != value:  # noqa: PLR0124 (NaN stands for null)
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()
