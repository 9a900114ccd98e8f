"""How often people took what was proposed, and where it was wrong: shares with their counts and intervals, from records of proposals and acts.

Measured for proposals, never for people: a record names no one. Must never know a store or a page.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NORMAL_95 = 1.959963984540054
"""The normal deviate of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Record:
    """One proposal and the act that followed: the classes proposed, likeliest first (none: nothing was said), the class people chose, and when (µs)."""

    proposed: tuple[str, ...]
    chosen: str
    when: int


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One first dispatch: the unit proposed ('' for none), the unit it was sent to, the unit that settled it in the end, and when (µs)."""

    proposed: str
    sent: str
    settled: str
    when: int


@dataclass(frozen=True, slots=True)
class Ratio:
    """So many of so many, their share (None of none), and its 95 % interval by Wilson."""

    count: int
    of: int
    share: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ClassError:
    """A class people chose: how often it was said first where anything was said, how often nothing was said, and how often it was proposed in vain."""

    class_: str
    taken: Ratio
    silent: int
    in_vain: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """So often one class was proposed first and another chosen."""

    proposed: str
    chosen: str
    count: int


@dataclass(frozen=True, slots=True)
class Adoption:
    """What became of proposals: how often anything was said, and of what was said, how often the first and one of the first three was taken."""

    said: Ratio
    first: Ratio
    first_three: Ratio
    classes: tuple[ClassError, ...]
    confusions: tuple[Confusion, ...]


@dataclass(frozen=True, slots=True)
class FirstDispatch:
    """How right first dispatches were: the proposals', what was sent, what was sent as proposed, and what was sent otherwise than proposed."""

    proposals: Ratio
    sent: Ratio
    followed: Ratio
    overruled: Ratio


def ratio(count: int, of: int) -> Ratio:
    """Return a share with Wilson's 95 % interval; of none it is unknown, anything from 0 to 1."""
    if of <= 0:
        return Ratio(0, 0, None, 0.0, 1.0)
    share, square = count / of, NORMAL_95**2
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = NORMAL_95 / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return Ratio(count, of, share, 0.0 if count == 0 else max(0.0, middle - half), 1.0 if count == of else min(1.0, middle + half))


def adoption(records: Iterable[Record], since: int | None = None, until: int | None = None) -> Adoption:
    """Measure proposals of a time [since, until) in µs; without an end it is open."""
    asked = [record for record in records if (since is None or record.when >= since) and (until is None or record.when < until)]
    said = [record for record in asked if record.proposed]
    wrong = Counter((record.proposed[0], record.chosen) for record in said if record.proposed[0] != record.chosen)
    return Adoption(
        ratio(len(said), len(asked)),
        ratio(sum(record.proposed[0] == record.chosen for record in said), len(said)),
        ratio(sum(record.chosen in record.proposed[:3] for record in said), len(said)),
        _by_class(asked),
        tuple(Confusion(*pair, count) for pair, count in sorted(wrong.items(), key=lambda item: (-item[1], item[0]))),
    )


def confusable(measured: Adoption, least: int = 3) -> tuple[tuple[str, str], ...]:
    """Return the pairs of classes mixed up at least so often, either way, in order: what `Linker` takes as classes often confused."""
    both: Counter[tuple[str, str]] = Counter()
    for each in measured.confusions:
        one, other = sorted((each.proposed, each.chosen))
        both[one, other] += each.count
    return tuple(sorted(pair for pair, count in both.items() if count >= least))


def first_dispatch(records: Iterable[Dispatch], since: int | None = None, until: int | None = None) -> FirstDispatch:
    """Measure first dispatches that have been settled, of a time [since, until) in µs; right is what settled it in the end."""
    settled = [each for each in records if each.settled and (since is None or each.when >= since) and (until is None or each.when < until)]
    proposed = [each for each in settled if each.proposed]
    followed = [each for each in proposed if each.sent == each.proposed]
    overruled = [each for each in proposed if each.sent != each.proposed]
    return FirstDispatch(
        ratio(sum(each.proposed == each.settled for each in proposed), len(proposed)),
        ratio(_kept(settled), len(settled)),
        ratio(_kept(followed), len(followed)),
        ratio(_kept(overruled), len(overruled)),
    )


def _kept(records: Sequence[Dispatch]) -> int:
    return sum(each.sent == each.settled for each in records)


def _by_class(asked: Sequence[Record]) -> tuple[ClassError, ...]:
    chosen, said, taken, vain = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for record in asked:
        chosen[record.chosen] += 1
        if record.proposed:
            said[record.chosen] += 1
            (taken if record.proposed[0] == record.chosen else vain)[record.proposed[0]] += 1
    return tuple(ClassError(class_, ratio(taken[class_], said[class_]), chosen[class_] - said[class_], vain[class_]) for class_ in sorted(chosen.keys() | vain.keys()))
