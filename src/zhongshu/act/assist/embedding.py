"""What class a citizen's words may be of, by the meaning of whole sentences beside their grams: the extra `ai`'s classifier, behind the same port.

A sentence becomes a vector; a ridge regression on the vectors of the catalogue's words and of confirmed examples scores the classes, in closed form, so that the
same examples make the same proposals in whatever order they come. Both opinions count alike; the words that spoke for a class are the grams'. Must never know a store.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from zhongshu.act.assist.classifier import Named, NgramClassifier, Proposal, Reason, digest
from zhongshu.act.assist.grams import fold

Vectors = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]

KEPT = 1000
"""So many confirmed examples are kept as vectors: those whose digests are lowest, so that order makes no difference."""
BATCH = 32
RIDGE, TEMPERATURE, CONSTANT = 1.0, 0.05, 0.3
"""The weight against large coefficients, what scores are divided by before they become shares, and the constant beside the vector. Chosen on the made set of the tests."""
CATALOGUE = 3
"""A name or word of the catalogue counts as so many examples."""
SMALL = 1e-6


class Embedder(Protocol):
    """Whatever makes vectors of sentences: alike in meaning, near in direction."""

    @property
    def name(self) -> str:
        """Return what it is called, with its version: two of one name make the same vectors."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a row of unit length for each text, (n, d) float32."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Example:
    """A confirmed text as its digest, its class's place and its vector (d,)."""

    key: int
    class_: int
    vector: Vectors


class EmbeddingClassifier:
    """`Classifier` by grams and by sentence vectors together."""

    def __init__(self, catalogue: Iterable[Named], embedder: Embedder) -> None:
        """Begin with a catalogue and no history."""
        rows = sorted(set(catalogue), key=lambda row: (row.class_, row.zh, row.en, row.words))
        self._ngrams, self._embedder = NgramClassifier(rows), embedder
        self._index = {class_: at for at, class_ in enumerate(self._ngrams.classes)}
        words = [(text, self._index[row.class_]) for row in rows for text in dict.fromkeys((row.zh, row.en, *row.words)) if text]
        self._words = _embedded(embedder, [text for text, _ in words])
        self._of = np.array([at for _, at in words], np.int64)
        self._examples: tuple[_Example, ...] = ()
        self._settle()

    @property
    def version(self) -> str:
        """Return the hash of what both have learnt from, and of the vectors' maker."""
        return f"{digest(f'{self._embedder.name} {self._ngrams.version}'):032x}"[:16]

    def learn(self, examples: Iterable[tuple[str, str]]) -> "EmbeddingClassifier":
        """Return a classifier that has also learnt these (text, class); a class the catalogue lacks is passed over."""
        given = [(text, class_) for text, class_ in examples if class_ in self._index]
        new = object.__new__(EmbeddingClassifier)
        new._embedder, new._index, new._words, new._of = self._embedder, self._index, self._words, self._of
        new._ngrams = self._ngrams.learn(given)
        held = {each.key: each for each in self._examples}
        keyed = {digest(f"{class_}\n{fold(text)}"): (text, class_) for text, class_ in given}
        fresh = sorted(keyed.keys() - held.keys())
        lowest = set(sorted([*held, *fresh])[:KEPT])
        made = _embedded(self._embedder, [keyed[key][0] for key in fresh if key in lowest])
        held |= {key: _Example(key, self._index[keyed[key][1]], vector) for key, vector in zip((key for key in fresh if key in lowest), made, strict=True)}
        new._examples = tuple(held[key] for key in sorted(lowest))
        new._settle()
        return new

    def propose(self, text: str, most: int = 3) -> tuple[Proposal, ...]:
        """Return at most `most` classes, likeliest first, each with its share and the words that spoke for it; none where the likeliest is below `Tuning.silent`."""
        if not text.strip() or not self._index:
            return ()
        shares = self._shares(text)
        order = np.argsort(-shares, kind="stable")[: max(most, 0)]
        if not len(order) or shares[order[0]] < self._ngrams.tuning.silent:
            return ()
        return tuple(Proposal(self._ngrams.classes[at], float(shares[at]), self._why(text, int(at))) for at in order if shares[at] >= self._ngrams.tuning.least)

    def _shares(self, text: str) -> Scores:
        """Return the shares of the classes: the geometric mean of both opinions; (classes,), they sum to 1."""
        scores = _wide(self._centred(_embedded(self._embedder, [text])))[0] @ self._weights / TEMPERATURE
        meant = np.exp(scores - scores.max())
        both = np.sqrt(np.maximum(meant / meant.sum(), SMALL) * np.maximum(self._ngrams.shares(text), SMALL))
        return np.asarray(both / both.sum())

    def _why(self, text: str, class_: int) -> tuple[Reason, ...]:
        return self._ngrams.reasons(text, class_)

    def _settle(self) -> None:
        """Fit the regression: rows of the catalogue count more than one example."""
        vectors = np.concatenate([self._words, np.array([each.vector for each in self._examples], np.float32).reshape(-1, self._words.shape[1])])
        places = np.concatenate([self._of, np.array([each.class_ for each in self._examples], np.int64)])
        self._mean = vectors.mean(axis=0) if len(vectors) else np.zeros(vectors.shape[1], np.float32)
        rows = _wide(self._centred(vectors))
        count = np.ones(len(rows))
        count[: len(self._words)] = CATALOGUE
        truth = np.zeros((len(rows), len(self._index)))
        truth[np.arange(len(rows)), places] = 1
        weighed = rows * count[:, None]
        self._weights = np.asarray(np.linalg.solve(rows.T @ weighed + RIDGE * np.eye(rows.shape[1]), weighed.T @ truth), np.float64)

    def _centred(self, vectors: Vectors) -> Scores:
        """Return vectors without what all have in common, at unit length: raw ones all lie near one another."""
        apart = np.asarray(vectors - self._mean, np.float64)
        return np.asarray(apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), SMALL))


def _wide(rows: Scores) -> Scores:
    return np.hstack([rows, np.full((len(rows), 1), CONSTANT)])


def _embedded(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Return the vectors of texts, some at a time."""
    parts = [embedder.embed(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)]
    return np.concatenate(parts) if parts else np.zeros((0, len(embedder.embed(["·"])[0])), np.float32)
