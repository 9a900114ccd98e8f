"""Is this polygon usable? Mended where it can be, refused with a reason where it cannot; a bad one costs no good one.

It must never know names or codes.
"""

from dataclasses import dataclass

import shapely
from shapely.geometry.base import BaseGeometry

from zhongshu.kernel.problem import Problem, ProblemKind, declare
from zhongshu.kernel.reason import why
from zhongshu.survey.importers.coordinates import in_range

NULL = declare(
    "survey.shape_null",
    "invalid",
    zh=("第 {feature} 个要素没有图形。", "请在原文件里补上图形，或删去这一行。"),
    en=("Feature {feature} has no geometry.", "Draw it in the source file, or delete the row."),
)
NO_POLYGON = declare(
    "survey.shape_no_polygon",
    "invalid",
    zh=("第 {feature} 个要素是 {kind}，不是面。", "区域必须是面；请换成面图层。"),
    en=("Feature {feature} is a {kind}, not a polygon.", "Areas are polygons; give the layer of polygons."),
)
OUT_OF_RANGE = declare(
    "survey.shape_out_of_range",
    "invalid",
    zh=("第 {feature} 个要素的坐标超出经纬度范围。", "请核对这一行的坐标。"),
    en=("Feature {feature} has coordinates that are no degrees.", "Check this row's coordinates."),
)
NOTHING_LEFT = declare(
    "survey.shape_nothing_left",
    "invalid",
    zh=("第 {feature} 个要素自相交，修复后没有剩下面积。", "请在原文件里重画这个面。"),
    en=("Feature {feature} crosses itself, and nothing is left after mending.", "Draw this polygon again in the source file."),
)
MENDED = declare(
    "survey.shape_mended",
    "invalid",
    zh=("第 {feature} 个要素自相交，已修复（{why_zh}）。", "请核对修复后的边界。"),
    en=("Feature {feature} crossed itself and was mended ({why_en}).", "Check its border after mending."),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A usable polygon or None, and what is to be said about it."""

    shape: BaseGeometry | None
    problem: Problem | None


def judge(shape: BaseGeometry | None, feature: int) -> Judged:
    """Judge the polygon of a feature (numbered from 1), in degrees."""
    if shape is None or shape.is_empty:
        return _refused(NULL, feature)
    if not in_range(shape):
        return _refused(OUT_OF_RANGE, feature)
    if shapely.get_dimensions(shape) < 2:  # noqa: PLR2004 (a surface has two)
        return Judged(None, NO_POLYGON(feature=feature, kind=shape.geom_type))
    problem = None
    if not shape.is_valid:
        problem = MENDED(feature=feature, **why(shapely.is_valid_reason(shape), "边界不合法"))
    mended = _surface(shape if problem is None else shapely.make_valid(shape))
    if mended is None:
        return _refused(NOTHING_LEFT, feature)
    return Judged(mended, problem)


def _refused(kind: ProblemKind, feature: int) -> Judged:
    return Judged(None, kind(feature=feature))


def _surface(shape: BaseGeometry) -> BaseGeometry | None:
    """Return the surfaces of a shape without the lines and points that mending may leave, or None if there are none."""
    parts = [part for part in shapely.get_parts(shapely.get_parts(shape)) if part.geom_type == "Polygon" and part.area > 0]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
