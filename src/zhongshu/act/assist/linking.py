"""Which recent voices and leads a new voice may belong with: one event, one cause in many homes, or one person again. Proposals with reasons; a person decides.

Candidates come from an index by class, coarse cell and time, by named place, by street and by caller; voices are never all compared with all. Knows no store.
"""

import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from zhongshu.act.assist.likeness import EVENT, KIND, PERSON, WEIGHTS, Pair, Read, Told, Weight, compare, read, reason, share
from zhongshu.kernel.area import Level, at_level, level_of
from zhongshu.kernel.clock import DAY, HOUR

CELL_DEGREES = 0.01
"""Side of a coarse cell, about a kilometre."""
BUCKET = 300
"""Newest voices kept in one place of the index: in a flood of calls the newest are enough to join."""
SPREAD = 16
"""A name of which less than half is heard in so many coarse cells is a word, not a place."""


NAMES = 100_000
"""Names of places remembered."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One row: how far back (µs) and how far apart (m) a kind of link is looked for, and the least share proposed."""

    kind: str
    within: int
    metres: float
    least: float


LIMITS = (
    Limit(EVENT, 12 * HOUR, 1000.0, 0.5),
    Limit(KIND, 24 * HOUR, math.inf, 0.5),
    Limit(PERSON, 30 * DAY, math.inf, 0.5),
)


@dataclass(frozen=True, slots=True)
class Link:
    """A proposed link: its kind, the other's id, the share of belief (0 to 1), and why in zh and en."""

    kind: str
    other: str
    share: float
    reason_zh: str
    reason_en: str


_Key = tuple[object, ...]


class Linker:
    """The voices of the last month, indexed. `confusable`: pairs of classes people mix up; `homes`: classes whose every voice is a home to be put right."""

    def __init__(
        self,
        confusable: Iterable[tuple[str, str]] = (),
        homes: Iterable[str] = (),
        weights: Iterable[Weight] = WEIGHTS,
        limits: Iterable[Limit] = LIMITS,
    ) -> None:
        """Begin empty."""
        self._kin: dict[str, set[str]] = {}
        for one, other in confusable:
            self._kin.setdefault(one, set()).add(other)
            self._kin.setdefault(other, set()).add(one)
        self._homes = frozenset(homes)
        self._weights = {(row.kind, row.feature): row.value for row in weights}
        self._limits = {row.kind: row for row in limits}
        self._index: dict[_Key, deque[Read]] = {}
        self._cells: dict[str, Counter[tuple[int, int]]] = {}

    def add(self, told: Told) -> None:
        """Take a voice or lead into the index."""
        known = read(told)
        if (cell := _cell(told)) is not None:
            for name in known.names:
                self._cells.setdefault(name, Counter())[cell] += 1
        for key in self._keys(known):
            self._index.setdefault(key, deque(maxlen=BUCKET)).append(known)

    def forget(self, before: int) -> None:
        """Drop what happened before a time (µs). Names of places stay, the commonest of them where there are too many."""
        for key in list(self._index):
            kept = [known for known in self._index[key] if known.told.when >= before]
            if kept:
                self._index[key] = deque(kept, maxlen=BUCKET)
            else:
                del self._index[key]
        if len(self._cells) > NAMES:
            common = sorted(self._cells.items(), key=lambda item: (-item[1].total(), item[0]))
            self._cells = dict(common[: NAMES // 2])

    def propose(self, told: Told, most: int = 10) -> tuple[Link, ...]:
        """Return at most `most` links of each kind, likeliest first. What is one event is not also told as one cause."""
        found: dict[str, list[Link]] = {EVENT: [], KIND: [], PERSON: []}
        for kind, other, pair in self.considered(told):
            likely = share(kind, pair.features, self._weights)
            if likely >= self._limits[kind].least:
                found[kind].append(Link(kind, other.id, likely, *reason(kind, pair)))
        events = {link.other for link in found[EVENT]}
        found[KIND] = [link for link in found[KIND] if link.other not in events]
        return tuple(link for links in found.values() for link in sorted(links, key=lambda link: (-link.share, link.other))[:most])

    def considered(self, told: Told) -> Iterator[tuple[str, Told, Pair]]:
        """Yield every candidate, kind by kind, with what lies between: what `propose` judges, and what weights are fitted on."""
        new = read(told)
        kin = frozenset(self._kin.get(told.class_, ()))
        names = {name for name in new.names if self._is_place(name)}
        pairs: dict[str, Pair] = {}
        for kind, limit in self._limits.items():
            for other in self._candidates(kind, new, names, kin).values():
                if other.told.id == told.id or abs(other.told.when - told.when) > limit.within:
                    continue
                if (pair := pairs.get(other.told.id)) is None:
                    pair = pairs[other.told.id] = compare(new, other, kin, self._homes, sorted(names & other.names))
                if pair.metres is None or pair.metres <= limit.metres:
                    yield kind, other.told, pair

    def _is_place(self, name: str) -> bool:
        cells = self._cells.get(name)
        return cells is None or len(cells) <= SPREAD or 2 * sum(count for _, count in cells.most_common(SPREAD)) >= cells.total()

    def _candidates(self, kind: str, new: Read, names: Iterable[str], kin: Iterable[str]) -> Mapping[str, Read]:
        return {known.told.id: known for key in self._asked(kind, new, names, kin) for known in self._index.get(key, ())}

    def _keys(self, known: Read) -> Iterator[_Key]:
        """Yield the places of the index where a voice stands."""
        told = known.told
        day = told.when // self._limits[KIND].within
        span = told.when // self._limits[EVENT].within
        if (cell := _cell(told)) is not None:
            yield EVENT, told.class_, *cell, span
            yield EVENT, None, *cell, span
        for name in known.names:
            yield EVENT, told.class_, name, span
            yield EVENT, None, name, span
        if told.class_ and (street := _street(told)):
            yield KIND, told.class_, street, day
        if told.reporter:
            yield PERSON, told.reporter

    def _asked(self, kind: str, new: Read, names: Iterable[str], kin: Iterable[str]) -> Iterator[_Key]:
        """Yield the places of the index where candidates for a voice stand."""
        told = new.told
        spans = range(told.when // self._limits[kind].within - 1, told.when // self._limits[kind].within + 2)
        if kind == EVENT:
            cell = _cell(told)
            around = [] if cell is None else [(cell[0] + x, cell[1] + y) for x in (-1, 0, 1) for y in (-1, 0, 1)]
            for class_ in (told.class_, "", *sorted(kin)) if told.class_ else (None,):
                yield from ((EVENT, class_, *each, span) for each in around for span in spans)
                yield from ((EVENT, class_, name, span) for name in sorted(names) for span in spans)
        elif kind == KIND and told.class_ and (street := _street(told)):
            yield from ((KIND, told.class_, street, span) for span in spans)
        elif kind == PERSON and told.reporter:
            yield PERSON, told.reporter


def _cell(told: Told) -> tuple[int, int] | None:
    if told.lon is None or told.lat is None or not (math.isfinite(told.lon) and math.isfinite(told.lat)):
        return None
    return math.floor(told.lon / CELL_DEGREES), math.floor(told.lat / CELL_DEGREES)


def _street(told: Told) -> int:
    """Return the street's key, 0 where the area is coarser than a street."""
    return at_level(told.area, Level.STREET) if level_of(told.area) >= Level.STREET else 0
