"""Which objects of one network bear on which of another: those that lie near, or the pairs a rule names; and which lie near a place on the map."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from zhongshu.foresee.scenario import Coupling
from zhongshu.kernel.problem import declare

APART = declare(
    "twin.planes_apart",
    "invalid",
    zh=("规则“{rule}”按距离联系两个模型，但它们的坐标不在同一个平面里（{one}、{other}）。", "导入时用 --crs 说明坐标（共用的平面写 plane:名称），或在规则里写 pairs。"),
    en=(
        "Rule '{rule}' joins two models by distance, and their coordinates are not of one plane ({one}, {other}).",
        "Give --crs at their import (plane:NAME for a plane that they share), or write pairs in the rule.",
    ),
)
NOTHING_NEAR = declare(
    "twin.nothing_near",
    "invalid",
    zh=("规则“{rule}”什么也没有联系上：{metres} 米之内没有对象。", "请核对两个模型的坐标，或放宽距离。"),
    en=("Rule '{rule}' joins nothing: no objects lie within {metres} m of each other.", "Check the coordinates of the two models, or widen the distance."),
)
GEOGRAPHIC = "EPSG:4490"
Numbers = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]
_DEGREE = 111_320.0
"""Metres of a degree of latitude, near enough for distances of a street."""
_APART = {"gage", "catchment", "signal", "load"}
"""Kinds that are no node and no link."""
_POINTS = {"node", "junction", "gage", "signal", "bus", "load"}
"""Kinds that lie at points; the others lie along lines."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a rule: the CRS of its model's drawing, the drawing, the kind the rule means and the names of that kind."""

    crs: str
    drawing: dict[str, Any]
    kind: str
    names: frozenset[str]


def drawn(drawing: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return the drawn objects of a kind by name, each its GeoJSON geometry. Where a drawing tells kinds apart more finely than an engine (pipes and pumps are links), all of the form are meant."""
    wanted = "Point" if kind in _POINTS else "LineString"
    features = [(f["properties"]["kind"], f["properties"]["name"], f["geometry"]) for f in drawing["features"] if f["geometry"]["type"] == wanted]
    exact = {name: geometry for each, name, geometry in features if each == kind}
    return exact or {name: geometry for each, name, geometry in features if each not in _APART}


def side_of(crs: str, drawing: dict[str, Any], kind: str, names: Collection[str] | None = None) -> Side:
    """Return a side of the drawn objects of a kind, or of those of its names that the engine has."""
    return Side(crs, drawing, kind, frozenset(drawn(drawing, kind) if names is None else names))


def bears_on(rule: Coupling, one: Side, other: Side) -> dict[str, list[str]]:
    """Return which objects each object bears on.

    Raises `twin.planes_apart` and `twin.nothing_near`.
    """
    if rule.near is None:
        return {name: list(names) for name, names in rule.pairs.items()}
    if not one.crs or one.crs != other.crs:
        raise APART(rule=rule.name, one=one.crs or "-", other=other.crs or "-")
    scale = _scale(one)
    (ours, here), (theirs, there) = _shapes(one, scale), _shapes(other, scale)
    out: dict[str, list[str]] = {}
    if ours and theirs:
        tree = shapely.STRtree(there)
        if rule.near.nearest:
            found = tree.query_nearest(here, max_distance=rule.near.metres, all_matches=False)
        else:
            found = tree.query(here, predicate="dwithin", distance=rule.near.metres)
        for i, k in zip(*found.tolist(), strict=True):
            out.setdefault(ours[i], []).append(theirs[k])
    if not out:
        raise NOTHING_NEAR(rule=rule.name, metres=f"{rule.near.metres:g}")
    return {name: sorted(names) for name, names in sorted(out.items())}


def nearest(side: Side, lon: Numbers, lat: Numbers, metres: float) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return the drawn objects of a side, and for each point (degrees) the place of the nearest of them within so many metres, or −1; nothing where the model lies nowhere on earth."""
    names, shapes, points = _mapped(side, shapely.points(lon, lat))
    place = np.full(len(points), -1, np.int64)
    if len(shapes) and len(points):
        asked, found = shapely.STRtree(shapes).query_nearest(points, max_distance=metres, all_matches=False)
        place[asked] = found
    return names, place


def touched(side: Side, shape: shapely.Geometry, metres: float, *, only: bool) -> list[str]:
    """Return the objects of a side within so many metres of a shape in degrees; or `only` the nearest of them."""
    names, shapes, (drawn,) = _mapped(side, np.array([shape], object))
    if not len(shapes):
        return []
    tree = shapely.STRtree(shapes)
    found = tree.query_nearest(drawn, max_distance=None if math.isinf(metres) else metres, all_matches=False) if only else tree.query(drawn, predicate="dwithin", distance=metres)
    return sorted(names[i] for i in found.tolist())


def _mapped(side: Side, drawn: Shapes) -> tuple[list[str], Shapes, Shapes]:
    """Return names and shapes of a side that lies on the map, and what else was drawn there, in metres of one plane."""
    if side.crs != GEOGRAPHIC:
        return [], drawn[:0], drawn
    scale = _scale(side)
    names, shapes = _shapes(side, scale)
    return names, shapes, shapely.transform(drawn, lambda points: points * scale)


def _scale(side: Side) -> tuple[float, float]:
    """Return metres of a unit of x and of y."""
    if side.crs != GEOGRAPHIC or not side.drawing["features"]:
        return 1.0, 1.0
    shapes = [shapely.geometry.shape(f["geometry"]) for f in side.drawing["features"]]
    return _DEGREE * math.cos(math.radians(float(shapely.get_coordinates(shapes)[:, 1].mean()))), _DEGREE


def _shapes(side: Side, scale: tuple[float, float]) -> tuple[list[str], Shapes]:
    """Return names and shapes, in metres."""
    held = {name: geometry for name, geometry in drawn(side.drawing, side.kind).items() if name in side.names}
    shapes = np.array([shapely.geometry.shape(geometry) for geometry in held.values()], object)
    return list(held), shapely.transform(shapes, lambda points: points * scale)
