"""The live cells' port, and the words for what they hold: cells are declared, filled with readings, and asked for parts.

Parts are integers. Only one function, above, ever turns parts into a value; so every engine that gives equal parts gives equal values.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from zhongshu.kernel.area import Codes, Level
from zhongshu.kernel.expression import Expression
from zhongshu.kernel.reading import Readings

Ints = npt.NDArray[np.int64]

MEASURES = ("count", "sum", "mean", "min", "max", "last", "share", "distinct", "p95")
EACH = ("", "last", "max", "min", "sum", "count")


@dataclass(frozen=True, slots=True)
class CellSpec:
    """What cells are kept: readings of a property that fulfil `where`, in panes of `hop` µs over `window` µs, `each` entity first.

    `when`: for shares, what a reading must fulfil to count. `weight`: a numeric facet, used as an integer. Equal specs share their cells.
    """

    property: str
    measure: str
    window: int
    hop: int
    each: str = ""
    where: Expression | None = None
    when: Expression | None = None
    weight: str = ""

    def span(self, at: int) -> tuple[int, int]:
        """Return the half-open valid-time interval [from, to) of the window seen at a known time."""
        end = (at // self.hop + 1) * self.hop
        return end - self.window, end


def fields(spec: CellSpec) -> tuple[str, ...]:
    """Return which integers a cell of a spec keeps: count and latest time always, and what the measure needs."""
    first = spec.each or spec.measure
    more = {"sum": ("total",), "mean": ("total",), "min": ("low",), "max": ("high",), "last": ("last",)}.get(first, ())
    if not spec.each and spec.measure == "share":
        more = ("hit",)
    return ("n", "at", *more, *(("weight",) if spec.weight and not spec.each else ()))


@dataclass(slots=True)
class Parts:
    """For areas of some levels, keys ascending: `num` over `den` in ticks (den 0: no value), how many readings, and the latest valid time."""

    keys: Codes
    num: Ints
    den: Ints
    count: Ints
    at: Ints

    @property
    def codes(self) -> Codes:
        """Return the areas' codes."""
        return self.keys >> 3

    @staticmethod
    def empty() -> "Parts":
        """Return parts of no area."""
        none = np.zeros(0, np.int64)
        return Parts(none, none, none, none, none)


class Facets(Protocol):
    """What a condition may ask of entities, by the registry's entity numbers."""

    def facet(self, name: str) -> list[object]:
        """Return a facet's value for every registered entity, None where it has none."""
        ...


class Live(Protocol):
    """State at a boundary T is a function of the readings known ≤ T and the specs declared, nothing else."""

    def apply(self, readings: Readings) -> None:
        """Take in a durable group."""
        ...

    def advance(self, at: int) -> set[CellSpec]:
        """Go to a boundary and return the specs whose parts may have changed since the last one."""
        ...

    def parts(self, spec: CellSpec, levels: tuple[Level, ...]) -> Parts:
        """Return the parts of a spec at the boundary, at some levels."""
        ...
