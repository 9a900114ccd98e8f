"""What a sign costs to keep alive: how many cells its measures need in this city, and how many bytes; one that needs too many is refused.

Knows declarations and how many entities stand where; knows no engine. Counts what could be filled, not what is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from zhongshu.judge.indicator import Indicator
from zhongshu.kernel.histogram import bins
from zhongshu.kernel.live import CellSpec, fields
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.quantity import Property

TOO_MANY_CELLS = declare(
    "indicator.too_many_cells",
    "invalid",
    zh=("体征指标 {code} 需要 {cells} 个计算单元、{bytes} 字节，超过上限 {limit} 字节。", "请缩短窗口、加大步长，或不按实体（each）计算；其余指标不受影响。"),
    en=(
        "Vital sign {code} needs {cells} cells, {bytes} bytes, over the limit of {limit} bytes.",
        "Shorten the window, widen the hop, or leave `each` out; the other signs are not affected.",
    ),
)
LIMIT = 1 << 30
"""Bytes that the cells of one sign may take."""
_INTEGER = 8


class Standing(Protocol):
    """What is asked of the registry."""

    def areas(self) -> npt.NDArray[np.int64]:
        """Return every entity's area."""
        ...

    def of_type(self, name: str) -> npt.NDArray[np.int64]:
        """Return the numbers of the entities of a type."""
        ...


@dataclass(frozen=True, slots=True)
class Cost:
    """Cells, each of a few integers, and their bytes."""

    cells: int
    bytes: int

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.cells + other.cells, self.bytes + other.bytes)


def cost(indicator: Indicator, standing: Standing, properties: Mapping[str, Property]) -> Cost:
    """Return what a sign's cells take when every registered entity has reported in every pane."""
    return sum((_cost(spec, standing, properties[spec.property]) for spec in set(indicator.specs())), Cost(0, 0))


def _cost(spec: CellSpec, standing: Standing, prop: Property) -> Cost:
    entities = standing.of_type(prop.type)
    if spec.each or spec.measure == "distinct":
        keys = len(entities)
    else:
        keys = len(np.unique(standing.areas()[entities]))
        if spec.measure == "p95":
            low, high = bins(np.array([round(prop.low / prop.tick), round(prop.high / prop.tick)], np.int64)).tolist()
            keys *= high - low + 1
    cells = keys * (spec.window // spec.hop)
    return Cost(cells, cells * _INTEGER * len(fields(spec)))


def within_limit(indicators: Iterable[Indicator], standing: Standing, properties: Mapping[str, Property], limit: int = LIMIT) -> tuple[list[Indicator], list[Problem]]:
    """Return the signs that can be kept alive here, and a Problem for each of the others."""
    kept, refused = [], []
    for indicator in indicators:
        needs = cost(indicator, standing, properties)
        if needs.bytes > limit:
            refused.append(TOO_MANY_CELLS(code=indicator.code, cells=f"{needs.cells:,}", bytes=f"{needs.bytes:,}", limit=f"{limit:,}"))
        else:
            kept.append(indicator)
    return kept, refused
