"""The road network of an OpenStreetMap file: ways cut into links from junction to junction, as long as they are on the ground.

A junction is where ways meet or end. It must never know a file, nor a type.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from zhongshu.survey.areas import Geometries
from zhongshu.survey.importers.osm.reading import Ways

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Links:
    """Links in the order of their ways: which way, its part from 1, the OSM ids of its two junctions, length (m), line and its middle (degrees)."""

    way: Ints
    part: Ints
    start: Ints
    end: Ints
    length: npt.NDArray[np.float64]
    lines: Geometries
    middle: npt.NDArray[np.float64]


def cut(ways: Ways) -> Links:
    """Cut ways at junctions."""
    counts = np.array([len(nodes) for nodes in ways.nodes], dtype=np.int64)
    node = np.array([ref for nodes in ways.nodes for ref in nodes], dtype=np.int64)
    points = np.array([point for line in ways.points for point in line], dtype=np.float64).reshape(-1, 2)
    last = np.cumsum(counts) - 1
    first = last - counts + 1
    _, which, times = np.unique(node, return_inverse=True, return_counts=True)
    mark = times[which] > 1
    mark[first] = mark[last] = True
    at = np.flatnonzero(mark)  # neighbouring marks of one way hold a link between them
    way_of = np.repeat(np.arange(len(counts)), counts)
    same = way_of[at[:-1]] == way_of[at[1:]] if len(at) else np.empty(0, dtype=bool)
    begin, end = at[:-1][same], at[1:][same]
    way = way_of[begin]
    sizes = end - begin + 1
    index = np.repeat(begin - (np.cumsum(sizes) - sizes), sizes) + np.arange(int(sizes.sum()))
    lines: Geometries = shapely.linestrings(points[index], indices=np.repeat(np.arange(len(begin)), sizes)) if len(begin) else np.empty(0, dtype=object)
    part = np.arange(len(way)) - np.searchsorted(way, way) + 1
    middle = shapely.get_coordinates(shapely.line_interpolate_point(lines, 0.5, normalized=True)).reshape(-1, 2)
    return Links(way, part, node[begin], node[end], _lengths(points, begin, end), lines, middle)


def _lengths(points: npt.NDArray[np.float64], begin: Ints, end: Ints) -> npt.NDArray[np.float64]:
    """Return the length of every run of points, in metres on the ellipsoid."""
    if len(points) < 2:  # noqa: PLR2004 (a segment has two ends)
        return np.zeros(len(begin))
    _, _, steps = pyproj.Geod(ellps="GRS80").inv(points[:-1, 0], points[:-1, 1], points[1:, 0], points[1:, 1])
    total = np.concatenate([[0.0], np.cumsum(steps)])
    lengths: npt.NDArray[np.float64] = total[end] - total[begin]
    return lengths
