"""The port every simulator fills: one engine, one run, in a worker of its own."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

Objects = Mapping[str, tuple[str, ...]]
"""Kind → the names of the model's objects of that kind."""
Inputs = Mapping[str, Mapping[str, float]]
"""Attribute (kind, dot, name) → object → value, in the attribute's unit."""
Outputs = Mapping[str, npt.NDArray[np.float64]]
"""Attribute → a value for each object of its kind, in their order and in the attribute's unit."""


class Simulator(Protocol):
    """Loaded once, stepped to city times (µs), and able to go back to a snapshot."""

    inputs: Mapping[str, str]
    observed: Mapping[str, str]

    def version(self) -> str:
        """Return the engine's name and version."""
        ...

    def load(self, model: Path, start: int, seed: int = 0, driven: Collection[str] = ()) -> Objects:
        """Read a model and stand at `start`; `seed`: of what is drawn by lot; `driven`: the attributes that will be set from outside."""
        ...

    def set_inputs(self, inputs: Inputs) -> None:
        """Apply forcing and control before the next step; what was set stays set."""
        ...

    def step(self, until: int) -> None:
        """Advance; the engine may take smaller steps of its own."""
        ...

    def outputs(self, wanted: Collection[str] = ()) -> Outputs:
        """Return the observed state: the attributes wanted, or all of them where none is named."""
        ...

    def snapshot(self) -> bytes:
        """Return the state as bytes."""
        ...

    def restore(self, snapshot: bytes) -> None:
        """Go back to a state of the same model."""
        ...
