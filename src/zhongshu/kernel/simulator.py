"""The port every simulator fills: one engine, one run, in a worker of its own."""

from typing import Any, Protocol

State = dict[str, dict[str, Any]]
"""Entity id → attribute → value, in the attribute's canonical unit."""


class Simulator(Protocol):
    """Loaded once, stepped to city times (µs), and able to go back to a snapshot."""

    def load(self, model: str, start: int) -> None:
        """Read a model and stand at `start`."""
        ...

    def set_inputs(self, inputs: State) -> None:
        """Apply forcing and control before the next step."""
        ...

    def step(self, until: int) -> None:
        """Advance; the engine may take smaller steps of its own."""
        ...

    def outputs(self) -> State:
        """Return the observed state."""
        ...

    def snapshot(self) -> bytes:
        """Return the state as bytes."""
        ...

    def restore(self, snapshot: bytes) -> None:
        """Go back to a state."""
        ...
