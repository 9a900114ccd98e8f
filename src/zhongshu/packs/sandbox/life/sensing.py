"""What a made device makes of the state it stands in: a little noise, now and then a gap, and a few that are stuck.

Knows no engine: states come by property and entity, and a device of which nothing is known says what it would say by itself.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from zhongshu.packs.sandbox.life.signals import Group, Sky
from zhongshu.packs.sandbox.life.weather import Numbers, chance

States = Mapping[str, tuple[list[str], Numbers]]
NOISE = 0.01
"""Share of a value by which a device errs."""
GAP_PER_MILLE, STUCK_PER_MILLE = 4, 3
"""How many of a thousand readings are lost, and how many of a thousand devices say for an hour what they said at its beginning."""


class Engines(Protocol):
    """What runs the networks that devices stand in."""

    def hear(self, said: Mapping[str, float]) -> None:
        """Take what the rain gauges say."""
        ...

    def states(self, now: float) -> States:
        """Return what devices stand in."""
        ...


class Senses:
    """Turns states into what devices say."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._places: dict[tuple[str, int], npt.NDArray[np.int64]] = {}
        self._stuck: dict[str, tuple[int, Numbers]] = {}

    def over(self, name: str, group: Group, own: Numbers, states: States, sky: Sky) -> Numbers:
        """Return what all devices of a group say of a property: by the state where one is known, else their own; NaN where a reading is lost."""
        if name not in states:
            return own
        ids, values = states[name]
        place = self._place(name, group, ids)
        known = place >= 0
        felt = values[np.maximum(place, 0)]
        felt = felt * (1 + NOISE * chance(group.seeds + np.uint64(91), sky.now))
        felt = self._held(name, group, felt, sky)
        lost = (group.seeds // np.uint64(13) + np.uint64(sky.now) * np.uint64(2654435761)) % np.uint64(1000) < GAP_PER_MILLE
        return np.where(known, np.where(lost, np.nan, felt), own)

    def _place(self, name: str, group: Group, ids: list[str]) -> npt.NDArray[np.int64]:
        """Return for each device its place among those whose state is known, or −1."""
        key = name, id(ids)
        if key not in self._places:
            at = {id_: i for i, id_ in enumerate(ids)}
            self._places = {k: v for k, v in self._places.items() if k[0] != name}
            self._places[key] = np.array([at.get(id_, -1) for id_ in group.ids], np.int64)
        return self._places[key]

    def _held(self, name: str, group: Group, felt: Numbers, sky: Sky) -> Numbers:
        hour = sky.now // 3600
        if name not in self._stuck or self._stuck[name][0] != hour or len(self._stuck[name][1]) != len(felt):
            self._stuck[name] = hour, felt
        stuck = group.seeds // np.uint64(17) % np.uint64(1000) < STUCK_PER_MILLE
        return np.where(stuck, self._stuck[name][1], felt)
