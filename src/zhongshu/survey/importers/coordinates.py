"""From a file's coordinates to degrees of CGCS2000 (EPSG:4490), by what the person who knows the file says about it.

GCJ-02 is undone here, point by point. It must never know names or codes.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from zhongshu.kernel.problem import declare
from zhongshu.survey.areas import Geometries
from zhongshu.survey.gcj02 import gcj02_to_wgs84

BAD_CRS = declare(
    "survey.bad_crs",
    "invalid",
    zh=("看不懂的坐标系“{crs}”。", "请写 wgs84、cgcs2000、gcj02、EPSG:编号 或 file（用文件自带的）。"),
    en=("The coordinate system '{crs}' is not known.", "Write wgs84, cgcs2000, gcj02, EPSG:number, or file (the one the file names)."),
)
NO_CRS = declare(
    "survey.no_crs",
    "invalid",
    zh=("{name} 没有写明坐标系。", "请指明，例如 --crs wgs84 或 --crs EPSG:4547。"),
    en=("{name} does not say its coordinate system.", "Say it, for example --crs wgs84 or --crs EPSG:4547."),
)
WRONG_CRS = declare(
    "survey.wrong_crs",
    "invalid",
    zh=("{name} 的坐标不像 {crs}：例如 ({x}, {y})。", "请核对 --crs；经纬度用 wgs84、cgcs2000 或 gcj02，以米为单位的用 EPSG:编号 或 file。"),
    en=("The coordinates of {name} do not look like {crs}: ({x}, {y}), for example.", "Check --crs: wgs84, cgcs2000 or gcj02 for degrees; EPSG:number or file for metres."),
)

Points = npt.NDArray[np.float64]
_DEGREES = {"wgs84": "EPSG:4490", "cgcs2000": "EPSG:4490", "gcj02": "gcj02"}


def to_cgcs2000(shapes: Geometries, crs: str, claimed: str, name: str) -> Geometries:
    """Return the shapes in degrees; null stays null, a single stray shape stays out of range.

    Coordinates most of which contradict the system said are a Problem.
    """
    wanted = _understood(crs, claimed, name)
    points = shapely.get_coordinates(shapes)
    if not len(points):
        return shapes
    if wanted == "gcj02":
        _check_degrees(points, crs, name)
        return _transform(shapes, lambda held: np.column_stack(gcj02_to_wgs84(held[:, 0], held[:, 1])))
    system = _system(wanted, crs)
    if system.is_geographic:
        _check_degrees(points, crs, name)
    elif (np.abs(points) <= [180.0, 90.0]).all():
        raise WRONG_CRS(name=name, crs=crs, x=points[0, 0], y=points[0, 1])
    if wanted in {"EPSG:4490", "EPSG:4326"}:  # the two differ by less than a survey can tell
        return shapes
    transform = pyproj.Transformer.from_crs(system, "EPSG:4490", always_xy=True)
    turned = _transform(shapes, lambda held: np.column_stack(transform.transform(held[:, 0], held[:, 1])))
    _check_degrees(shapely.get_coordinates(turned), crs, name)
    return turned


def in_range(shape: shapely.Geometry) -> bool:
    """Tell whether every coordinate is a possible degree."""
    points = shapely.get_coordinates(shape)
    return bool(np.isfinite(points).all() and (np.abs(points) <= [180.0, 90.0]).all())


def _understood(crs: str, claimed: str, name: str) -> str:
    said = crs.strip()
    if said.lower() == "file":
        if not claimed:
            raise NO_CRS(name=name)
        return claimed
    if said.lower() in _DEGREES:
        return _DEGREES[said.lower()]
    if not said.upper().startswith("EPSG:"):
        raise BAD_CRS(crs=crs)
    return said.upper()


def _system(wanted: str, crs: str) -> pyproj.CRS:
    try:
        return pyproj.CRS.from_user_input(wanted)
    except pyproj.exceptions.CRSError:
        raise BAD_CRS(crs=crs) from None


def _check_degrees(points: Points, crs: str, name: str) -> None:
    """Raise a Problem if most points are no degrees: then not single shapes are wrong but the system."""
    wrong = ~(np.isfinite(points) & (np.abs(points) <= [180.0, 90.0])).all(axis=1)
    if wrong.sum() * 2 > len(points):
        at = int(np.argmax(wrong))
        raise WRONG_CRS(name=name, crs=crs, x=points[at, 0], y=points[at, 1])


def _transform(shapes: Geometries, turn: Callable[[Points], Points]) -> Geometries:
    turned: Geometries = shapely.transform(shapes, turn)
    return turned
