"""The main path of judge: at a boundary, what changed → values → levels → rules → findings opened, changed, closed.

A function of the readings known by the boundary and the declarations in force; its own memory is saved with every finding,
so a restart goes on where it stood and gives the same findings the same ids.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

import numpy as np

from zhongshu.judge.declared import in_force
from zhongshu.judge.indicator import Indicator
from zhongshu.judge.rule import Rule, Sight, cleared, triggered
from zhongshu.judge.value import Judge, Values, differs
from zhongshu.kernel.area import Level
from zhongshu.kernel.clock import MINUTE, to_datetime
from zhongshu.kernel.finding import SEVERITY, Finding, Status
from zhongshu.kernel.ids import stable_id
from zhongshu.kernel.live import CellSpec, Ints, Live

Rhythm = Callable[[Iterable[str], int], int]
"""From a sign's properties and an area to how often it is heard of there, µs; 0 if nobody says."""
MISSED = 3
"""So many readings must be missing before a place counts as silent."""


def watched(sign: Indicator, rules: Iterable[Rule]) -> tuple[Level, ...]:
    """Return the levels a sign is watched at: its own, but cells only where a rule asks for them."""
    return tuple(sorted({level for level in sign.levels if level != Level.CELL} | {rule.at for rule in rules if rule.indicator == sign.code}))


@dataclass(frozen=True, slots=True)
class Change:
    """A sign's values at a boundary, and the places of those that read otherwise than at the last one; `turned`: of those whose level does."""

    indicator: str
    values: Values
    places: Ints
    turned: Ints


@dataclass(slots=True)
class Outcome:
    """What one boundary brought."""

    at: int
    changes: list[Change] = field(default_factory=list)
    opened: list[Finding] = field(default_factory=list)
    changed: list[Finding] = field(default_factory=list)
    closed: list[Finding] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        """Return all findings touched."""
        return self.opened + self.changed + self.closed


@dataclass(slots=True)
class Memory:
    """What the watch must not forget: open findings, conditions that have begun to hold, when each rule opened findings lately, and when silent areas last spoke."""

    at: int = 0
    open: dict[tuple[str, int], Finding] = field(default_factory=dict)
    pending: dict[tuple[str, int], int] = field(default_factory=dict)
    easing: dict[tuple[str, int], int] = field(default_factory=dict)
    recent: dict[str, list[int]] = field(default_factory=dict)
    heard: dict[tuple[str, int], int] = field(default_factory=dict)

    def save(self) -> dict[str, Any]:
        """Return it as plain values that stay as they are."""
        return {
            "at": self.at,
            "open": [_plain(f) for f in self.open.values()],
            "pending": [[r, a, t] for (r, a), t in self.pending.items()],
            "easing": [[r, a, t] for (r, a), t in self.easing.items()],
            "recent": {r: list(times) for r, times in self.recent.items()},
            "heard": [[r, a, t] for (r, a), t in self.heard.items()],
        }

    @staticmethod
    def load(saved: dict[str, Any]) -> "Memory":
        """Read what `save` gave."""
        found = [Finding(**{**f, "level": Status(f["level"])}) for f in saved["open"]]
        return Memory(
            saved["at"],
            {(f.rule, f.area): f for f in found},
            {(r, a): t for r, a, t in saved["pending"]},
            {(r, a): t for r, a, t in saved["easing"]},
            dict(saved["recent"]),
            {(r, a): t for r, a, t in saved.get("heard", [])},
        )


class Watch:
    """Evaluates at boundaries. Used by the tick's thread alone; `latest` may be read by others, entries are replaced whole."""

    def __init__(self, judge: Judge, live: Live, indicators: Iterable[Indicator], rules: Iterable[Rule], memory: Memory, rhythm: Rhythm = lambda _properties, _area: 0) -> None:
        """Take the declarations in force, the memory of the last run, and how often a place is heard of."""
        self.judge, self.live, self.memory, self._rhythm = judge, live, memory, rhythm
        self.declared, self._rules = list(indicators), list(rules)
        self.indicators: dict[str, Indicator] = {}
        self.rules: dict[str, list[Rule]] = {}
        self._day = date.min
        self._put_in_force(self.day(memory.at) if memory.at else date.max)
        self.latest: dict[str, Values] = {}

    def day(self, at: int) -> date:
        """Return the city's day of a time."""
        return to_datetime(at).astimezone(self.judge.zone).date()

    def _put_in_force(self, day: date) -> set[str]:
        """Take the definitions of a day; return the signs that are judged otherwise than before. What is open or has begun to hold goes on, under its rule's new definition."""
        if day == self._day:
            return set()
        signs, rules = in_force(self.declared, day), dict[str, list[Rule]]()
        for rule in in_force(self._rules, day).values():
            rules.setdefault(rule.indicator, []).append(rule)
        changed = {code for code, sign in signs.items() if self.indicators.get(code) is not sign or self.rules.get(code) != rules.get(code)}
        self._day, self.indicators, self.rules = day, signs, rules
        self._needs: dict[CellSpec, set[str]] = {}
        for sign in signs.values():
            for spec in sign.specs():
                self._needs.setdefault(spec, set()).add(sign.code)
        self._levels = {code: watched(sign, rules.get(code, [])) for code, sign in signs.items()}
        self._hops = {spec.hop for spec in self._needs}
        self._hold = {rule.code: rule.hold for held in rules.values() for rule in held}
        return changed

    def stand(self) -> Outcome:
        """See every sign as it is where the memory stands, after the cells were put there; no rule is asked, for all were asked by then."""
        out = Outcome(self.memory.at)
        self._put_in_force(self.day(out.at))
        self.live.advance(out.at)
        for code in sorted(self.indicators):
            self._see(self.indicators[code], out)
        return out

    def step(self, at: int) -> Outcome:
        """Evaluate one boundary."""
        out = Outcome(at)
        other = self._put_in_force(self.day(at))
        codes = other | {code for spec in self.live.advance(at) for code in self._needs.get(spec, ())}
        codes |= {code for code, rules in self.rules.items() for rule in rules if any(key[0] == rule.code for key in (*self.memory.pending, *self.memory.easing))}
        for code in sorted(codes & self.indicators.keys()):
            self._evaluate(self.indicators[code], out)
        self.memory.at = at
        return out

    def _evaluate(self, indicator: Indicator, out: Outcome) -> None:
        values = self._see(indicator, out)
        for rule in self.rules.get(indicator.code, []):
            self._apply(rule, indicator, values, out)

    def _see(self, indicator: Indicator, out: Outcome) -> Values:
        """Put a sign's values in place of the last ones, noting what reads otherwise."""
        now = self.judge.values(indicator, self._levels[indicator.code], out.at, self.live.parts)
        before = self.latest.get(indicator.code)
        moved, turned, place = differs(before, now)
        now.since = np.full(len(now.keys), out.at)
        if before is not None and before.since is not None:
            now.since[~turned] = before.since[place[~turned]]
        if moved.any():
            out.changes.append(Change(indicator.code, now, np.flatnonzero(moved), np.flatnonzero(turned)))
        self.latest[indicator.code] = now
        return now

    def _apply(self, rule: Rule, indicator: Indicator, values: Values, out: Outcome) -> None:
        seen = set()
        places = values.of(rule.at)
        for i, area in zip(places.tolist(), values.codes[places].tolist(), strict=True):
            seen.add(area)
            self._one(
                rule, indicator, area, self._sight(rule, indicator, area, _number(values.value[i]), values.status[i], self._silent(rule, area, int(values.at[i]), out.at)), out
            )
        for _, area in sorted(key for key in self.memory.heard if key[0] == rule.code and key[1] not in seen):
            seen.add(area)
            self._one(rule, indicator, area, self._sight(rule, indicator, area, None, Status.STALE, self._silent(rule, area, 0, out.at)), out)
        for code, area in [key for key in self.memory.pending if key[0] == rule.code and key[1] not in seen]:
            del self.memory.pending[code, area]

    def _sight(self, rule: Rule, indicator: Indicator, area: int, value: float | None, status: Status, silent: int) -> Sight:
        """Return what a rule sees; where silence may be too long, it is held against three times the rhythm of who speaks there."""
        waits = rule.when is None and silent > rule.absent
        return Sight(value, status, silent, MISSED * self._rhythm([m.property for m in indicator.measures.values()], area) if waits else 0)

    def _silent(self, rule: Rule, area: int, latest: int, at: int) -> int:
        """Return for how long an area has been silent; windows end, so a rule that waits for silence remembers. Who never spoke is not silent."""
        if rule.when is None:
            heard = self.memory.heard.get((rule.code, area), 0)
            if latest > heard:
                heard = self.memory.heard[rule.code, area] = latest
            return at - heard if heard else 0
        return at - latest

    def _one(self, rule: Rule, indicator: Indicator, area: int, sight: Sight, out: Outcome) -> None:
        memory, key = self.memory, (rule.code, area)
        finding = memory.open.get(key)
        if finding is not None:
            self._follow(rule, finding, sight, out)
        elif triggered(rule, sight):
            since = memory.pending.setdefault(key, out.at)
            if out.at - since >= rule.hold and self._within_rate(rule, out.at):
                del memory.pending[key]
                self._open(rule, indicator, area, sight, out)
        else:
            memory.pending.pop(key, None)

    def _open(self, rule: Rule, indicator: Indicator, area: int, sight: Sight, out: Outcome) -> None:
        finding = Finding(
            stable_id(rule.code, rule.version, area, out.at),
            rule.code,
            rule.version,
            indicator.code,
            area,
            sight.status,
            out.at,
            sight.value,
            None,
            out.at,
            {"indicator_version": indicator.version, "value": sight.value, "boundary": out.at, "peak": sight.value},
        )
        self.memory.open[rule.code, area] = finding
        self.memory.recent.setdefault(rule.code, []).append(out.at)
        out.opened.append(finding)

    def _follow(self, rule: Rule, finding: Finding, sight: Sight, out: Outcome) -> None:
        """Close a finding, raise it at once, or lower it after its level has eased for as long as the rule waits."""
        key, easing = (rule.code, finding.area), self.memory.easing
        if cleared(rule, sight):
            finding.closed = finding.changed = out.at
            finding.value = sight.value
            del self.memory.open[key]
            easing.pop(key, None)
            out.closed.append(finding)
            return
        if sight.value is not None and (finding.evidence["peak"] is None or abs(sight.value) > abs(finding.evidence["peak"])):
            finding.evidence["peak"] = sight.value
        if sight.status in {Status.STALE, Status.UNSET} or SEVERITY[sight.status] == SEVERITY[finding.level]:
            easing.pop(key, None)
            return
        if SEVERITY[sight.status] < SEVERITY[finding.level] and out.at - easing.setdefault(key, out.at) < rule.hold:
            return
        easing.pop(key, None)
        finding.level, finding.value, finding.changed = sight.status, sight.value, out.at
        out.changed.append(finding)

    def _within_rate(self, rule: Rule, at: int) -> bool:
        if rule.rate is None:
            return True
        recent = self.memory.recent[rule.code] = [t for t in self.memory.recent.get(rule.code, []) if at - t < rule.rate[1]]
        return len(recent) < rule.rate[0]

    def next_turn(self, after: int) -> int:
        """Return the next time at which something may change with no reading at all: a pane turns, or a rule has waited long enough."""
        turns = [(after // hop + 1) * hop for hop in self._hops]
        waits = [since + self._hold[code] for held in (self.memory.pending, self.memory.easing) for (code, _), since in held.items() if code in self._hold]
        return min([*turns, *(at for at in waits if at > after)], default=after + MINUTE)


def _plain(finding: Finding) -> dict[str, Any]:
    row = {f.name: getattr(finding, f.name) for f in fields(finding)}
    return row | {"level": str(finding.level), "evidence": dict(finding.evidence)}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
