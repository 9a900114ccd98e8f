"""How areas get their serial numbers: rows from north to south, in each row from west to east, as the grid standard counts.

It must never know what is numbered.
"""

import numpy as np
import numpy.typing as npt

from zhongshu.kernel.area import UNIT, Level, level_of, show_area
from zhongshu.kernel.problem import declare

TOO_MANY_CHILDREN = declare(
    "survey.too_many_children",
    "too_large",
    zh=("{parent} 之下有 {count} 个区域，编码只容得下 {limit} 个。", "请用编码表把它们分到几个上级区域之下，或按更高一级导入。"),
    en=("There are {count} areas under {parent}; the code has room for {limit}.", "Split them over several parents with a code table, or import them one level higher."),
)
LIMIT = 999
DISTRICTS = 98
"""District 99 is the unplaced area."""


def serials(lon: npt.ArrayLike, lat: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return 1, 2, 3 … for label points (degrees), counted in rows from the north, each row from the west."""
    x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    if not len(x):
        return np.empty(0, dtype=np.int64)
    wide, high = float(np.ptp(x)) * float(np.cos(np.radians(y.mean()))), float(np.ptp(y))
    row_count = max(1, round(float(np.sqrt(len(x) * high / wide)))) if wide > 0 else len(x)
    row = np.minimum(((y.max() - y) / (high or 1.0) * row_count).astype(np.int64), row_count - 1)
    number = np.empty(len(x), dtype=np.int64)
    number[np.lexsort((-y, x, row))] = np.arange(1, len(x) + 1)
    return number


def check_room(up: int, count: int) -> None:
    """Raise a Problem if an area cannot hold this many children."""
    limit = DISTRICTS if level_of(up) is Level.CITY else LIMIT
    if count > limit:
        raise TOO_MANY_CHILDREN(parent=show_area(up), count=count, limit=limit)


def child_code(up: int, serial: int) -> int:
    """Return the code of the `serial`-th child, one level below its parent."""
    return up + serial * UNIT[Level(level_of(up) + 1)]
