"""What class a citizen's words may be of: proposals with their shares and the words that spoke for them, for a person to take or leave.

It begins with the catalogue's names and words, so that it speaks on the first day, and learns from cases whose class people have confirmed. The same examples
make the same proposals in whatever order and batches they come. Must never know a case, a store or who asks; it decides nothing.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from zhongshu.act.assist.calibration import FOLDS, Belief, HeldOut, fit, keep, lowest
from zhongshu.act.assist.grams import BITS, BUCKETS, Grams, Numbers, cut, fold

Counts = npt.NDArray[np.int32]
Weights = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reason:
    """A word of the text, as it was compared, and how much it spoke for the class (no unit; 0 would be nothing)."""

    said: str
    weight: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """A class, its share of belief (0 to 1; calibrated, the shares of a text sum to at most 1), and the words that spoke for it, heaviest first."""

    class_: str
    share: float
    reasons: tuple[Reason, ...]


class Classifier(Protocol):
    """The port: whatever proposes a class; `NgramClassifier` in the core, `EmbeddingClassifier` with the extra `ai`."""

    @property
    def version(self) -> str:
        """Return the hash of what it learnt from: two of one version propose alike."""
        ...

    def propose(self, text: str, most: int = 3) -> tuple[Proposal, ...]:
        """Return at most `most` classes, likeliest first; none rather than a guess. Never raises, whatever the text."""
        ...

    def learn(self, examples: Iterable[tuple[str, str]]) -> "Classifier":
        """Return a classifier that has also learnt these (text, class)."""
        ...


@dataclass(frozen=True, slots=True)
class Named:
    """A class of the catalogue: its code, its names and the words people use for it."""

    class_: str
    zh: str
    en: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tuning:
    """The figures it works by, a row. Chosen on the made set of the tests; a city may hand in its own."""

    catalogue: int = 10
    """A name or word of the catalogue counts as so many texts."""
    doubt: float = 5.0
    """So many texts spread over all classes are added to what is known of a gram: one text proves little."""
    sharpness: float = 2.0
    """Power of a gram's information: above 1, what is said in every class (places, greetings) counts for less."""
    orders: tuple[float, ...] = (1.0, 1.0, 0.25, 0.125)
    """What grams of one, two, three and four characters count; a word of another script counts as two."""
    silent: float = 0.3
    """Below this share for the likeliest class nothing is said."""
    least: float = 0.03
    """Further classes below this share are left out."""
    reasons: int = 5
    """At most so many words are given as reasons."""


class NgramClassifier:
    """A naive Bayes classifier over grams, with every gram's evidence weighed by its information about the class.

    Only what speaks for a class counts; shares are a softmax fitted on held-out examples (`calibration`).
    """

    def __init__(self, catalogue: Iterable[Named], tuning: Tuning | None = None) -> None:
        """Begin with a catalogue and no history; a class named twice is one class with the words of both."""
        self.tuning = tuning or Tuning()
        rows = sorted(set(catalogue), key=lambda row: (row.class_, row.zh, row.en, row.words))
        self.classes = tuple(sorted({row.class_ for row in rows}))
        self._index = {class_: at for at, class_ in enumerate(self.classes)}
        self._counts: Counts = np.zeros((BUCKETS, len(self.classes)), dtype=np.int32)
        for row in rows:
            for words in dict.fromkeys((row.zh, row.en, *row.words)):
                self._counts[np.unique(cut(words).numbers), self._index[row.class_]] += self.tuning.catalogue
        self._sum = digest("\n".join(map(repr, (BITS, self.tuning, *rows))))
        self._held: tuple[HeldOut, ...] = ()
        self.learnt = self.ignored = 0
        self._settle()

    @property
    def version(self) -> str:
        """Return the hash of the catalogue, the tuning and every example learnt, in no order."""
        return f"{self._sum:032x}"[:16]

    @property
    def belief(self) -> Belief:
        """Return how evidence becomes shares."""
        return self._belief

    @property
    def nbytes(self) -> int:
        """Return the bytes held in counts, weights and examples kept to be held out: bounded by the number of classes."""
        return self._counts.nbytes + self._weights.nbytes + sum(each.numbers.nbytes + each.weights.nbytes for each in self._held)

    def learn(self, examples: Iterable[tuple[str, str]]) -> "NgramClassifier":
        """Return a classifier that has also learnt these (text, class); a class the catalogue lacks is passed over and counted in `ignored`."""
        new = object.__new__(NgramClassifier)
        new.tuning, new.classes, new._index = self.tuning, self.classes, self._index
        new._counts, new._sum = self._counts.copy(), self._sum
        new.learnt, new.ignored = self.learnt, self.ignored
        held: list[HeldOut] = []
        for text, class_ in examples:
            at = self._index.get(class_)
            if at is None:
                new.ignored += 1
                continue
            numbers, weights = _once(cut(text), self.tuning.orders)
            new._counts[numbers, at] += 1
            new._sum = (new._sum + (key := digest(f"{class_}\n{fold(text)}"))) % 2**128
            new.learnt += 1
            held.append(HeldOut.of(numbers, weights, at, key))
        new._held = keep((*self._held, *held))
        new._settle()
        return new

    def propose(self, text: str, most: int = 3) -> tuple[Proposal, ...]:
        """Return at most `most` classes, likeliest first, each with its share and reasons; none where the likeliest is below `Tuning.silent`."""
        grams = cut(text)
        numbers, weights = _once(grams, self.tuning.orders)
        if not len(numbers) or not self.classes:
            return ()
        spoken = evidence(self._weights, numbers, weights)
        believed = self._belief.shares(spoken)
        order = np.argsort(-believed, kind="stable")[: max(most, 0)]
        if not len(order) or believed[order[0]] < self.tuning.silent:
            return ()
        worth = [int(at) for at in order if believed[at] >= self.tuning.least and spoken[at] > 0]
        return tuple(Proposal(self.classes[at], float(believed[at]), self._reasons(grams, at)) for at in worth)

    def shares(self, text: str) -> npt.NDArray[np.float64]:
        """Return the share of every class, in the order of `classes`; even where the text says nothing."""
        numbers, weights = _once(cut(text), self.tuning.orders)
        if not len(numbers):
            return np.full(len(self.classes), 1 / max(len(self.classes), 1))
        return np.asarray(self._belief.shares(evidence(self._weights, numbers, weights)), np.float64)

    def reasons(self, text: str, class_: int) -> tuple[Reason, ...]:
        """Return the words of a text that spoke for a class (its place in `classes`), heaviest first."""
        return self._reasons(cut(text), class_)

    def _settle(self) -> None:
        self._weights = weigh(self._counts, self.tuning)
        self._belief = fit(self._held, [self._fold(each) for each in self._held], self._left_out)

    def _fold(self, each: HeldOut) -> int:
        """Return the fold of an example: by the lowest of its longest grams that several texts of its class have and no other class has."""
        long = each.numbers[each.weights == np.float32(self.tuning.orders[-1])]
        rows = self._counts[long]
        own = rows[:, each.class_]
        return lowest(long[(own > 1) & (own == rows.sum(axis=1))], each.key % 2**32) // 2**8 % FOLDS

    def _left_out(self, apart: Sequence[HeldOut], asked: Numbers) -> Weights:
        """Weigh the asked grams as if these examples had not been learnt."""
        rows = self._counts[asked]
        for each in apart:
            rows[np.searchsorted(asked, each.numbers), each.class_] -= 1
        return weigh(rows, self.tuning)

    def _reasons(self, grams: Grams, class_: int) -> tuple[Reason, ...]:
        weights = self._weights[grams.numbers, class_] * _order_weights(grams, self.tuning.orders)
        found: list[Reason] = []
        taken = np.zeros(len(grams.text), dtype=bool)
        said: set[str] = set()
        for at in np.lexsort((grams.starts, -grams.lengths, -weights)):
            if weights[at] <= 0 or len(found) == self.tuning.reasons:
                break
            span = slice(int(grams.starts[at]), int(grams.starts[at] + grams.lengths[at]))
            if taken[span].any() or (words := grams.shown(int(at))) in said:
                continue
            taken[span] = True
            said.add(words)
            found.append(Reason(words, round(float(weights[at]), 3)))
        return tuple(found)


def weigh(counts: Counts, tuning: Tuning) -> Weights:
    """Return what each gram (row) speaks for each class (column): log of its share there over an even share, times its information; never negative."""
    classes = max(counts.shape[1], 1)
    weights = np.zeros(counts.shape, dtype=np.float32)
    met = np.flatnonzero(counts.any(axis=1))
    part = counts[met].astype(np.float32) + np.float32(tuning.doubt / classes)
    part /= part.sum(axis=1, keepdims=True)
    logs = np.log(part)
    spread = -(part * logs).sum(axis=1) / np.float32(np.log(max(classes, 2)))
    information = np.clip(1 - spread, 0, 1) ** np.float32(tuning.sharpness)
    weights[met] = np.maximum(logs + np.float32(np.log(classes)), 0) * information[:, None]
    return weights


def evidence(weights: Weights, numbers: Numbers, orders: Weights) -> npt.NDArray[np.float64]:
    """Return what a text's grams together speak for each class."""
    return np.asarray(np.einsum("i,ij->j", orders, weights[numbers], optimize=False), dtype=np.float64)


def _once(grams: Grams, orders: tuple[float, ...]) -> tuple[Numbers, Weights]:
    """Return a text's grams once each, in order of their numbers, and what each counts by its order."""
    numbers, first = np.unique(grams.numbers, return_index=True)
    return numbers, _order_weights(grams, orders)[first]


def _order_weights(grams: Grams, orders: tuple[float, ...]) -> Weights:
    table = np.asarray(orders, dtype=np.float32)
    return np.asarray(table[np.minimum(grams.orders, len(orders)) - 1], dtype=np.float32)


def digest(text: str) -> int:
    """Return a text's hash of 128 bits."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest(), "big")
