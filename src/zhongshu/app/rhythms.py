"""How often a place is heard of: the declared rhythm of the sources that bring a sign's properties there. Knows no rule and no value."""

from collections.abc import Iterable, Mapping

import numpy as np

from zhongshu.kernel.area import interval
from zhongshu.sense import Once, Registry, Source

_ENTITY, _PROPERTY = 2**28 - 1, 2**20 - 1


class Rhythms:
    """Asked only when a place has been silent for longer than a rule allows, so it may look through all streams."""

    def __init__(self, registry: Registry, once: Once, sources: Mapping[str, Source]) -> None:
        """Read who sends what where from the streams known so far."""
        self._registry, self._once, self._sources = registry, once, sources

    def __call__(self, properties: Iterable[str], area: int) -> int:
        """Return the rhythm (µs) of the quickest source that has brought one of the properties from an area; 0 where none has."""
        registry, keys, (low, high) = self._registry, self._once.streams(), interval(area)
        numbers = [registry.properties.numbers[name] for name in properties if name in registry.properties.numbers]
        keys = keys[np.isin(keys & _PROPERTY, numbers)]
        at = registry.areas()[keys >> 20 & _ENTITY]
        names = [registry.sources.names[number] for number in np.unique(keys[(at >= low) & (at < high)] >> 48).tolist()]
        return min((self._sources[name].rhythm for name in names if name in self._sources), default=0)
