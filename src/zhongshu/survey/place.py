"""Point → area: a table of pixels answers almost every point, shapely the few beside a boundary. Exact always; the finest area that holds the point.

A point on a shared boundary belongs to the lowest code; a point outside everything (or no number) to the unplaced area. Degrees, EPSG:4490.
It must never know what stands at the point.
"""

import hashlib
import io
import threading
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely

from zhongshu.kernel.area import Codes, Level, level_of, unplaced
from zhongshu.survey.areas import Areas, Geometries
from zhongshu.survey.files import write_whole
from zhongshu.survey.raster import Grid, Ints, Raster, draw

FORMAT = 1
_CHUNK = 1 << 16
_PARTS = ("table", "offsets", "candidates")


class Place:
    """The index of one city's areas. `locate` may be called from several threads."""

    def __init__(self, areas: Areas, raster: Raster | None = None) -> None:
        """Index the areas, or take a raster drawn from the very same areas before."""
        self.codes, self.shapes = finest(areas)
        self.unplaced = areas.unplaced
        self.raster = draw(self.shapes) if raster is None else raster
        self._by_pixel = np.concatenate([[self.unplaced], self.codes]).astype(np.int64)
        self._lock = threading.Lock()  # GEOS builds the index of a prepared polygon at its first use
        shapely.prepare(self.shapes)

    @classmethod
    def open(cls, areas: Areas, folder: Path) -> "Place":
        """Use `survey/place.npz` of a city's folder if it was drawn from these areas; else draw it and keep it."""
        path, mark = folder / "survey" / "place.npz", fingerprint(areas)
        raster = _read(path, mark)
        place = cls(areas, raster)
        if raster is None:
            _write(path, mark, place.raster)
        return place

    def locate(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Codes:
        """Return the code of the area that holds each point (degrees); NaN and points outside are unplaced."""
        x, y = np.atleast_1d(np.asarray(lon, dtype=np.float64)), np.atleast_1d(np.asarray(lat, dtype=np.float64))
        found = np.empty(len(x), dtype=np.int64)
        for begin in range(0, len(x), _CHUNK):
            part = slice(begin, begin + _CHUNK)
            found[part] = self._locate(x[part], y[part])
        return found

    def locate_one(self, lon: float, lat: float) -> int:
        """Return the code of the area that holds one point (degrees)."""
        return int(self.locate([lon], [lat])[0])

    def _locate(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Codes:
        grid = self.raster.grid
        column, row = (x - grid.west) / grid.width, (y - grid.south) / grid.height
        inside = (column >= 0) & (column <= grid.columns) & (row >= 0) & (row <= grid.rows)
        if not inside.all():
            column, row = np.where(inside, column, 0.0), np.where(inside, row, 0.0)
        columns = np.minimum(column.astype(np.int32), grid.columns - 1)
        rows = np.minimum(row.astype(np.int32), grid.rows - 1)
        value = self.raster.table[rows * np.int32(grid.columns) + columns]
        near = np.flatnonzero(value < 0)
        value[~inside] = 0
        if len(near):
            near = near[inside[near]]
            value[near] = self._exact(x[near], y[near], -1 - value[near].astype(np.int64)) + 1
        return self._by_pixel[value]

    def _exact(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], lists: Ints) -> Ints:
        """Return the index of the first polygon of each point's list that holds or touches the point, or -1."""
        found = np.full(len(x), -1, dtype=np.int64)
        at, end = self.raster.offsets[lists].astype(np.int64), self.raster.offsets[lists + 1]
        open_ = np.flatnonzero(at < end)
        with self._lock:
            while len(open_):
                candidate = self.raster.candidates[at[open_]]
                holds = shapely.intersects_xy(self.shapes[candidate], x[open_], y[open_])
                found[open_[holds]] = candidate[holds]
                open_ = open_[~holds]
                at[open_] += 1
                open_ = open_[at[open_] < end[open_]]
        return found


def finest(areas: Areas) -> tuple[Codes, Geometries]:
    """Return the areas in force, finest level first, then by code; a parent that its children cover wholly is left out."""
    rows = [(row.code, shape) for row, shape in zip(areas.rows, areas.geometries, strict=True) if shape is not None and not shape.is_empty and row.valid_to is None]
    known = dict(rows)
    kept = [code for code, shape in rows if level_of(code) is Level.CELL or not _covered(areas, code, known)]
    kept.sort(key=lambda code: (-level_of(code), code))
    shapes = np.empty(len(kept), dtype=object)
    shapes[:] = [known[code] for code in kept]
    return np.array(kept, dtype=np.int64), shapes


def _covered(areas: Areas, code: int, known: dict[int, shapely.Geometry]) -> bool:
    below = [known[child.code] for child in areas.children(code) if child.code in known]
    if not below or code == unplaced(code):
        return False
    try:
        return bool(shapely.covers(shapely.union_all(below), known[code]))
    except shapely.GEOSException:
        return False


def fingerprint(areas: Areas) -> str:
    """Return a hash of all that the index depends on: codes, validity and polygons."""
    digest = hashlib.sha256(f"place {FORMAT}".encode())
    for row, shape in zip(areas.rows, areas.geometries, strict=True):
        digest.update(f"|{row.code},{row.valid_to}|".encode())
        digest.update(b"" if shape is None else shapely.to_wkb(shape, byte_order=1))
    return digest.hexdigest()


def _write(path: Path, mark: str, raster: Raster) -> None:
    grid = raster.grid
    sink = io.BytesIO()
    np.savez_compressed(
        sink, mark=np.array(mark), grid=np.array([grid.west, grid.south, grid.width, grid.height, grid.columns, grid.rows]), **{name: getattr(raster, name) for name in _PARTS}
    )
    write_whole(path, sink.getvalue())


def _read(path: Path, mark: str) -> Raster | None:
    """Return the raster kept on disk if it bears the mark; whatever else lies there is only a cache and is drawn anew."""
    try:
        with np.load(path, allow_pickle=False) as held:
            if str(held["mark"]) != mark:
                return None
            west, south, width, height, columns, rows = held["grid"]
            table, offsets, candidates = (held[name] for name in _PARTS)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return Raster(Grid(float(west), float(south), float(width), float(height), int(columns), int(rows)), table, offsets, candidates)
