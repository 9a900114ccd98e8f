"""Water under the city: each underpass a small basin that rain fills and a pump empties; a river that follows late; pipes that fill.

Volumes are kept, so what rains in and is not pumped out stands there. Knows rain in mm/h and seconds; knows no device's name.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from zhongshu.packs.sandbox.life.weather import Numbers

Mask = npt.NDArray[np.bool_]

PUMPED_M_S = 0.015
"""How fast a basin's pump lowers its water: the basin's surface is made to fit its pump."""
GATHERED = 500.0
"""How many times its own surface a basin's paved catchment is, for the one whose gullies are worst; the others gather less."""
SEEPAGE = 0.002
"""Share of a basin's water that drains by itself each second."""


@dataclass(slots=True)
class Basins:
    """All underpasses. `capacity` m³/h of each pump; `automatic` pumps start by themselves; `running` says which do."""

    capacity: Numbers
    gathered: Numbers
    automatic: Mask = field(init=False)
    running: Mask = field(init=False)
    volume: Numbers = field(init=False)

    def __post_init__(self) -> None:
        """Begin dry, with every pump in order."""
        n = len(self.capacity)
        self.automatic, self.running, self.volume = np.ones(n, np.bool_), np.zeros(n, np.bool_), np.zeros(n)

    @property
    def surface(self) -> Numbers:
        """Return each basin's surface in m²."""
        return self.capacity / 3600 / PUMPED_M_S

    @property
    def depth_cm(self) -> Numbers:
        """Return how deep the water stands in cm."""
        return 100 * self.volume / self.surface

    @property
    def discharge(self) -> Numbers:
        """Return what each pump moves in m³/s."""
        return np.where(self.running & (self.volume > 0), self.capacity / 3600, 0.0)

    def step(self, seconds: float, rain_mm_h: Numbers) -> None:
        """Let it rain (mm/h at each basin) and pump for some seconds; pumps that are automatic mind their floats."""
        depth = self.depth_cm
        self.running = np.where(self.automatic, np.where(self.running, depth > 1, depth > 3), self.running)  # noqa: PLR2004 (floats, cm)
        inflow = rain_mm_h / 3.6e6 * self.gathered * self.surface
        self.volume = np.maximum(0, (self.volume + (inflow - self.discharge) * seconds) * (1 - SEEPAGE) ** seconds)

    def fail(self, which: int) -> None:
        """Let one pump's automatic start fail."""
        self.automatic[which] = False
        self.running[which] = False

    def start(self, which: int) -> None:
        """Start a pump by hand; its automatic is put right with it."""
        self.automatic[which] = True
        self.running[which] = True


@dataclass(slots=True)
class Wetness:
    """What of the rain is still about: 0 dry to about 1 in the storm; rises within seconds, falls within minutes."""

    value: float = 0.0

    def step(self, seconds: float, mean_mm_h: float) -> None:
        """Follow the mean rain over the city."""
        aim = min(1.0, mean_mm_h / 20)
        pace = 20.0 if aim > self.value else 240.0
        self.value += (aim - self.value) * min(1.0, seconds / pace)
