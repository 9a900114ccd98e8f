"""How evidence becomes shares that may be believed: a temperature and a ceiling, fitted on examples held out in folds.

A share of 0.8 is to mean: of such proposals eight in ten are taken. Texts that resemble each other fall into one fold, so that a copy of a text does not
vouch for it. Must never know a class's name or a text.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zhongshu.act.assist.grams import Numbers

Weights = npt.NDArray[np.float32]
Evidence = npt.NDArray[np.float64]

KEPT = 2000
"""Examples kept to be held out; those whose lowest grams hash lowest, so order and batches make no difference."""
FOLDS = 4
ENOUGH = 60
"""With fewer held out, what holds on the first day stands."""
COLDEST, HOTTEST, STEPS = 0.2, 20.0, 24
DOUBTS = (0.05, 0.08, 0.12, 0.2)
"""Parts of all belief that may be spread evenly: no text alone is proof, so never none."""
_SPREAD = 0x9E3779B1
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Belief:
    """How evidence becomes shares: a softmax at a temperature, and the part of belief that is spread evenly all the same."""

    temperature: float
    doubt: float

    def shares(self, evidence: Evidence) -> Evidence:
        """Return shares along the last axis; they sum to 1."""
        raised = np.exp((evidence - evidence.max(axis=-1, keepdims=True)) / self.temperature)
        return np.asarray((1 - self.doubt) * raised / raised.sum(axis=-1, keepdims=True) + self.doubt / evidence.shape[-1])


FIRST_DAY = Belief(0.6, 0.1)
"""Before there is a history."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """An example as numbers: the gram that hashes lowest, a key of its own, its grams, what each counts, and its class's place."""

    lowest: int
    key: int
    numbers: Numbers
    weights: Weights
    class_: int

    @staticmethod
    def of(numbers: Numbers, weights: Weights, class_: int, key: int) -> "HeldOut":
        """Make one."""
        return HeldOut(lowest(numbers), key, numbers.astype(np.int32), weights, class_)


def lowest(numbers: Numbers, default: int = 0) -> int:
    """Return the lowest hash of some grams: texts that share many grams usually share it."""
    return int(((numbers.astype(np.int64) * _SPREAD) % 2**32).min()) if len(numbers) else default


def keep(examples: Iterable[HeldOut]) -> tuple[HeldOut, ...]:
    """Return the examples that are kept to be held out, in an order that is theirs alone."""
    return tuple(sorted(examples, key=lambda each: (each.lowest, each.key))[:KEPT])


def fit(held: Sequence[HeldOut], folds: Sequence[int], left_out: Callable[[Sequence[HeldOut], Numbers], Weights]) -> Belief:
    """Return the belief under which the held-out classes were likeliest.

    `folds`: each one's fold; `left_out(apart, grams)` weighs grams as if those examples had not been learnt.
    """
    if len(held) < ENOUGH:
        return FIRST_DAY
    seen, true = [], []
    for fold in sorted(set(folds)):
        apart = [each for each, own in zip(held, folds, strict=True) if own == fold]
        asked = np.unique(np.concatenate([each.numbers for each in apart]))
        weights = left_out(apart, asked)
        for each in apart:
            seen.append((weights[np.searchsorted(asked, each.numbers)] * each.weights[:, None]).sum(axis=0))
            true.append(each.class_)
    evidence, classes = np.asarray(seen, dtype=np.float64), np.asarray(true)
    fitted = [_fit_temperature(evidence, classes, doubt) for doubt in DOUBTS]
    return min(fitted, key=lambda pair: pair[0])[1]


def _fit_temperature(evidence: Evidence, classes: npt.NDArray[np.int64], doubt: float) -> tuple[float, Belief]:
    """Search the temperature by golden sections of its logarithm; return the surprise that is left, and the belief."""

    def surprise(logarithm: float) -> float:
        believed = Belief(math.exp(logarithm), doubt).shares(evidence)[np.arange(len(classes)), classes]
        return float(-np.log(np.maximum(believed, 1e-9)).mean())

    low, high = math.log(COLDEST), math.log(HOTTEST)
    for _ in range(STEPS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if surprise(left) <= surprise(right):
            high = right
        else:
            low = left
    middle = (low + high) / 2
    return surprise(middle), Belief(math.exp(middle), doubt)
