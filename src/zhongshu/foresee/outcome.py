"""What a run came to in the words in which options are compared: places under water, people without supply, delay; step by step, and which objects made it so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zhongshu.foresee.rows import Outcome
from zhongshu.foresee.scenario import HOLDS, parted
from zhongshu.kernel.clock import HOUR, SECOND
from zhongshu.kernel.simulator import Outputs

_VECTOR = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal, "=": np.equal, "!=": np.not_equal}
assert _VECTOR.keys() == HOLDS.keys()  # noqa: S101 (the same words, for columns)


@dataclass(slots=True)
class Reckoned:
    """One outcome over a run: its value after every step, and with a bound the places of the objects where it holds."""

    row: Outcome
    values: list[float] = field(default_factory=list)
    places: list[list[int]] = field(default_factory=list)


class Outcomes:
    """Reckons outcomes as a run goes on."""

    def __init__(self, rows: Sequence[Outcome], people: int = 0) -> None:
        """Take the rows whose models run, and how many people the city has."""
        self.held, self._people = [Reckoned(row) for row in rows], people
        self.times: list[int] = []

    def see(self, at: int, last: Mapping[str, Outputs]) -> None:
        """Take the state of all models at a time (µs since now)."""
        self.times.append(at)
        for one in self.held:
            role, attribute = parted(one.row.what)
            values = last[role][attribute]
            if one.row.op:
                where = np.flatnonzero(_VECTOR[one.row.op](values, one.row.value))
                one.places.append(where.tolist())
                values = values[where]
            if one.row.reckon == "people":
                one.values.append(self._people * _share(float(values.sum()), float(last[role][parted(one.row.had)[1]].sum())) * one.row.factor)
            else:
                one.values.append(_reckon(one.row, values))

    @property
    def looked(self) -> list[str]:
        """Return what the outcomes look at, as `role:kind.attribute`."""
        return [what for one in self.held for what in (one.row.what, one.row.had) if what]

    def came_to(self) -> dict[str, float]:
        """Return each outcome's value over the whole run."""
        return {one.row.id: self._over(one) for one in self.held}

    def _over(self, one: Reckoned) -> float:
        if not one.values:
            return 0.0
        if one.row.over == "hours":
            lasted = np.diff([min(self.times[0], 0), *self.times]) / HOUR
            return float(np.dot(one.values, lasted))
        return max(one.values) if one.row.over == "most" else one.values[-1]

    def shown(self) -> dict[str, Any]:
        """Return every outcome's course as a plain document; times in seconds since now."""
        return {
            "seconds": [at // SECOND for at in self.times],
            "series": {one.row.id: one.values for one in self.held},
            "places": {one.row.id: one.places for one in self.held if one.row.op},
        }


def _share(lacking: float, had: float) -> float:
    """Return what is lacking of all that is wanted, 0 to 1."""
    return lacking / (lacking + had) if lacking > 0 else 0.0


def _reckon(row: Outcome, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    if row.reckon == "count":
        return len(values) * row.factor
    if not len(values):
        return 0.0
    return float(values.sum() if row.reckon == "sum" else values.mean()) * row.factor
