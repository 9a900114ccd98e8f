"""Panes of integers by (area, sub): filled by unbuffered adds, and summed up over a window as they are filled."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from zhongshu.kernel.area import UNIT, Level
from zhongshu.kernel.live import CellSpec, Ints, fields
from zhongshu.kernel.reading import Readings
from zhongshu.kernel.rollup import BLANK, LOW, Layout, Sums

SUB_BITS, SUB_ZERO = 32, 1 << 31
"""An area's number and a sub are packed into one integer; subs may be negative."""
_SUMS = ("n", "total", "hit", "weight")
_BY_SUB = {"distinct", "p95"}
"""Measures whose cells are many in an area: of these, each area's own sums are kept too."""


class _Numbered:
    """Area codes and their numbers, in the order in which they came; `ascending`: the numbers by code."""

    def __init__(self) -> None:
        """Start with none."""
        self.codes = np.zeros(0, np.int64)
        self._sorted, self.ascending = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def numbers(self, areas: Ints) -> Ints:
        """Return the number of each area, numbering new ones."""
        place, known = _look(self._sorted, areas)
        if not known.all():
            new = np.unique(areas[~known])
            at = np.searchsorted(self._sorted, new)
            self._sorted, self.ascending = np.insert(self._sorted, at, new), np.insert(self.ascending, at, len(self.codes) + np.arange(len(new)))
            self.codes = np.append(self.codes, new)
            place, _ = _look(self._sorted, areas)
        return self.ascending[place]


def _look(held: Ints, wanted: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Return where each wanted value stands among those held, ascending, and which are there."""
    place = np.searchsorted(held, wanted)
    if not len(held):
        return place, np.zeros(len(wanted), np.bool_)
    return place, held[np.minimum(place, len(held) - 1)] == wanted


def shared(spec: CellSpec) -> CellSpec:
    """Return the spec under which cells are kept: specs that read the same rows by the same subs keep theirs together."""
    if spec.each:  # of an entity's value its weight is asked later
        return replace(spec, measure="distinct", each="", when=None, weight="")
    if spec.measure in {"distinct", "p95"}:
        return replace(spec, when=None)
    return replace(spec, measure="share" if spec.when is not None else "count")


class Cells:
    """The panes of specs that share them: a ring of `window / hop` rows over keys (area, sub), sub being an entity, a histogram bin or nothing.

    Areas are kept no finer than the `finest` level that is asked for; where entities have cells of their own, an entity that moved has one in each area it was in.
    """

    def __init__(self, spec: CellSpec, finest: Level) -> None:
        """Start empty, at no time."""
        self.spec, self.finest = spec, Level.CELL if spec.measure == "distinct" else finest
        self.panes = spec.window // spec.hop
        self.current = LOW
        self.dirty: set[int] = set()
        self.later: dict[int, list[Readings]] = defaultdict(list)
        self._areas, self._count = _Numbered(), 0
        self._packed, self._columns = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._room = 256
        self.areas, self.subs, self._number = (np.zeros(self._room, np.int64) for _ in range(3))
        self.data: dict[str, Ints] = {}
        self._window: dict[str, Ints] = {}
        self._sums: dict[str, Ints] = {"entities": np.zeros(self._room, np.int64)} if spec.measure in _BY_SUB else {}
        self.want(fields(spec))
        self._left = False
        self._order = np.zeros(0, np.int64)
        self._layout = Layout(np.zeros(0, np.int64), np.zeros(0, np.int64))
        self._column_of = np.full(1024, -1, np.int32)

    def want(self, wanted: Iterable[str]) -> None:
        """Keep these fields too. What cells hold already is then read again from the record."""
        for f in wanted:
            if f not in self.data:
                self.data[f] = np.full((self.panes, self._room), BLANK[f], np.int64)
                if self.panes > 1:
                    self._window[f] = np.full(self._room, BLANK[f], np.int64)
                if self._sums and f != "last":
                    self._sums[f] = np.full(len(self._sums["entities"]), BLANK[f], np.int64)
                if self.current != LOW:
                    self.dirty.update(range(self.current - self.panes + 1, self.current + 1))

    def finer(self, finest: Level) -> "Cells":
        """Return cells of a finer level in place of these; what these hold is read again from the record."""
        other = Cells(self.spec, finest)
        other.want(self.data)
        if self.current != LOW:
            other.turn(self.current)
            other.later, other.dirty = self.later, self.dirty | set(range(self.current - self.panes + 1, self.current + 1))
        return other

    def columns(self, entity: Ints, areas: Ints, subs: Ints | None) -> Ints:
        """Return the column of each reading. An entity keeps its column while it keeps its area; only others are looked up by key."""
        if subs is not None:
            return self.keys(areas, subs)
        areas = self._coarse(areas)
        if len(entity) and (top := int(entity.max())) >= len(self._column_of):
            more = max(top + 1, 2 * len(self._column_of)) - len(self._column_of)
            self._column_of = np.append(self._column_of, np.full(more, -1, np.int32))
        found = self._column_of[entity].astype(np.int64)
        new = (found < 0) | (self.areas[found] != areas)
        if new.any():
            by_entity = self.spec.measure == "distinct"
            found[new] = self.keys(areas[new], entity[new] if by_entity else np.zeros(int(new.sum()), np.int64))
            self._column_of[entity[new]] = found[new]
        return found

    def _coarse(self, areas: Ints) -> Ints:
        unit = UNIT[self.finest]
        return areas if unit == 1 else areas // unit * unit

    def keys(self, areas: Ints, subs: Ints) -> Ints:
        """Return the column of each (area, sub), making new ones."""
        packed = self._areas.numbers(self._coarse(areas)) << SUB_BITS | (subs + SUB_ZERO)
        place, known = _look(self._packed, packed)
        if not known.all():
            new = np.unique(packed[~known])
            columns = np.arange(self._count, self._count + len(new))
            self._make_room(self._count + len(new))
            self._number[columns] = new >> SUB_BITS
            self.areas[columns], self.subs[columns] = self._areas.codes[new >> SUB_BITS], (new & (2 * SUB_ZERO - 1)) - SUB_ZERO
            at = np.searchsorted(self._packed, new)
            self._packed, self._columns = np.insert(self._packed, at, new), np.insert(self._columns, at, columns)
            self._count += len(new)
            place, _ = _look(self._packed, packed)
        return self._columns[place]

    def _make_room(self, wanted: int) -> None:
        """Make room for so many columns, at least doubling, and for as many areas."""
        if wanted <= self._room:
            return
        more = max(2 * self._room, wanted) - self._room
        self.data = {f: np.concatenate([d, np.full((self.panes, more), BLANK[f], np.int64)], axis=1) for f, d in self.data.items()}
        self._window = {f: np.append(w, np.full(more, BLANK[f], np.int64)) for f, w in self._window.items()}
        self._sums = {f: np.append(w, np.full(more, BLANK.get(f, 0), np.int64)) for f, w in self._sums.items()}
        self.areas, self.subs, self._number = (np.append(held, np.zeros(more, np.int64)) for held in (self.areas, self.subs, self._number))
        self._room += more

    def turn(self, pane: int) -> bool:
        """Go on to a pane; those that leave the window are blanked. Return whether anything moved."""
        if pane <= self.current:
            return False
        steps = self.panes if self.current == LOW else min(pane - self.current, self.panes)
        for p in range(pane - steps + 1, pane + 1):
            self.blank(p)
        self.current = pane
        self.dirty = {p for p in self.dirty if p > pane - self.panes}
        return True

    def due(self) -> list[Readings]:
        """Hand out what waited for panes that have come."""
        return [rows for pane in sorted(p for p in self.later if p <= self.current) for rows in self.later.pop(pane)]

    def add(self, pane: Ints, column: Ints, values: dict[str, Ints]) -> None:
        """Fold values into cells, and into the window over all panes. `values` holds each field but `n`, or `n` too when whole panes are loaded."""
        flat = (pane % self.panes) * self._room + column
        values = {"n": np.ones(len(flat), np.int64)} | values
        if self._sums and not self._left:
            first = np.unique(column[(self._window["n"] if self._window else self.data["n"][0])[column] == 0])
            np.add.at(self._sums["entities"], self._number[first], 1)
            _fold(self._sums, self._number[column], values)
        _fold({f: d.reshape(-1) for f, d in self.data.items()}, flat, values)
        if self._window:
            _fold(self._window, column, values)

    def blank(self, pane: int) -> None:
        """Forget what a pane holds: it leaves the window, or is loaded anew. Sums are taken back; extremes are sought again when next asked for."""
        at = pane % self.panes
        if self.data["n"][at].any():
            for f in _SUMS:
                if f in self._window:
                    self._window[f] -= self.data[f][at]
            self._left = True
        for f, d in self.data.items():
            d[at] = BLANK[f]

    def _seek(self) -> None:
        """Seek the window's extremes among its panes, after one has left."""
        self._left = False
        for f, pick in (("at", np.max), ("high", np.max), ("low", np.min)):
            if f in self._window:
                self._window[f] = pick(self.data[f], axis=0)
        if "last" in self._window:
            self._window["last"] = np.where(self.data["at"] == self._window["at"], self.data["last"], LOW).max(axis=0)

    def combined(self) -> Sums:
        """Return the columns, sorted by area, each field over the whole window, and what is known of its sums per area."""
        k = self._count
        if (had := len(self._order)) < k:
            new = had + np.argsort(self.areas[had:k], kind="stable")
            self._order = np.insert(self._order, np.searchsorted(self._layout.rows, self.areas[new], "right"), new)
            self._layout = Layout(self.areas[self._order], self.subs[self._order])
        place, left = self._areas.ascending, self._left
        if left:
            self._seek()
        held = self._window or {f: d[0] for f, d in self.data.items()}
        sums = Sums(self._layout, _Taken(held, self._order), {} if left else {f: w[place] for f, w in self._sums.items()})
        if left:
            for f, w in self._sums.items():
                w[place] = sums.areas(f)
        return sums


class _Taken(dict[str, Ints]):
    """Fields in the order of a layout, each taken when it is first asked for. What they are taken from changes only when all is taken anew."""

    def __init__(self, held: dict[str, Ints], order: Ints) -> None:
        super().__init__()
        self._held, self._order = held, order

    def __missing__(self, f: str) -> Ints:
        out = self[f] = np.take(self._held[f], self._order)
        return out


def _fold(cells: dict[str, Ints], place: Ints, values: dict[str, Ints]) -> None:
    """Fold values into the cells at their places."""
    if "last" in cells:
        _latest(cells["at"], cells["last"], place, values["at"], values["last"])
    else:
        np.maximum.at(cells["at"], place, values["at"])
    for f, put in (("n", np.add), ("total", np.add), ("hit", np.add), ("weight", np.add), ("low", np.minimum), ("high", np.maximum)):
        if f in cells:
            put.at(cells[f], place, values[f])


def _latest(at: Ints, last: Ints, flat: Ints, when: Ints, what: Ints) -> None:
    """Keep at the latest time the greatest value; an older time never counts."""
    before = at[flat].copy()
    np.maximum.at(at, flat, when)
    after = at[flat]
    last[flat[after > before]] = LOW
    newest = when == after
    np.maximum.at(last, flat[newest], what[newest])
