"""How the long works of the survey tell where they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One step, told before it begins: its number from 1, how many there are, and what is done."""

    number: int
    total: int
    zh: str
    en: str


Progress = Callable[[Step], None]


def teller(steps: Sequence[tuple[str, str]], progress: Progress | None) -> Callable[[], None]:
    """Return a function that tells the next step at each call, or nobody."""
    left = iter(Step(number, len(steps), zh, en) for number, (zh, en) in enumerate(steps, 1))

    def tell() -> None:
        step = next(left)
        if progress is not None:
            progress(step)

    return tell
