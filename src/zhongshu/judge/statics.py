"""Standing facts that formulas divide by: how many entities of a type are registered in an area, their lengths, and its population."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from zhongshu.kernel.area import UNIT, Codes, Level, keyed


class Register(Protocol):
    """What is asked of the registry."""

    def areas(self) -> npt.NDArray[np.int64]:
        """Return every entity's area."""
        ...

    def of_type(self, name: str) -> npt.NDArray[np.int64]:
        """Return the numbers of the entities of a type."""
        ...

    def facet(self, name: str) -> list[object]:
        """Return a facet of every entity."""
        ...


@dataclass(slots=True)
class Statics:
    """Counts over the registry and the areas' populations, by level."""

    register: Register
    population: Callable[[Level], Mapping[int, int]]
    _kept: dict[tuple[str, str, Level], tuple[Codes, npt.NDArray[np.float64]]] = field(default_factory=dict)
    _size: int = 0

    def _fresh(self) -> dict[tuple[str, str, Level], tuple[Codes, npt.NDArray[np.float64]]]:
        """Return what is kept, nothing if entities were added since. Several threads ask: whoever holds an old answer may finish with it."""
        if (size := len(self.register.areas())) != self._size:
            self._kept, self._size = {}, size
        return self._kept

    def registered(self, type_: str, level: Level) -> tuple[Codes, npt.NDArray[np.float64]]:
        """Return the areas (as keys) of a level that have entities of a type, and how many."""
        key, kept = (type_, "", level), self._fresh()
        if key not in kept:
            codes, counts = np.unique(self._keys(self.register.of_type(type_), level), return_counts=True)
            kept[key] = codes, counts.astype(np.float64)
        return kept[key]

    def total(self, type_: str, facet: str, level: Level) -> tuple[Codes, npt.NDArray[np.float64]]:
        """Return the sum of a numeric facet over the entities of a type, per area."""
        key, kept = (type_, facet, level), self._fresh()
        if key in kept:
            return kept[key]
        entities = self.register.of_type(type_)
        of = self.register.facet(facet)
        values = np.array([float(v) if isinstance(v, int | float) else 0.0 for v in (of[i] for i in entities)])
        codes, inverse = np.unique(self._keys(entities, level), return_inverse=True)
        kept[key] = codes, np.asarray(np.bincount(inverse, weights=values, minlength=len(codes)), np.float64) if len(codes) else np.zeros(0)
        return kept[key]

    def people(self, level: Level) -> tuple[Codes, npt.NDArray[np.float64]]:
        """Return the areas (as keys) of a level with their population."""
        key, kept = ("", "population", level), self._fresh()
        if key not in kept:
            of = self.population(level)
            codes = np.array(sorted(of), np.int64)
            kept[key] = keyed(codes, level), np.array([of[int(c)] for c in codes], np.float64)
        return kept[key]

    def _keys(self, entities: npt.NDArray[np.int64], level: Level) -> Codes:
        return keyed(self.register.areas()[entities] // UNIT[level] * UNIT[level], level)
