"""How long data stays: the city's dated rules (`DATA/retention.toml`), held against what still needs the data, and carried out piece by piece.

Without a rule everything stays for ever. A table with one wrong row cuts nothing: the wrong row might be the one that keeps. It knows no file of the warehouse.
"""

import logging
import time
import tomllib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import msgspec
from sqlalchemy import Connection

from zhongshu.act import relay
from zhongshu.app.assembly import Assembly, Stores
from zhongshu.engines.forgetting import Cut, Piece
from zhongshu.engines.manifest import HOURLY, MODULUS, READINGS, Line
from zhongshu.judge import Indicator
from zhongshu.kernel.clock import DAY, parse_duration, rfc3339, show_duration, to_datetime
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.quantity import Property
from zhongshu.kernel.reason import why

BAD_FILE = declare(
    "retention.unreadable",
    "invalid",
    zh=("读不了留存规则 {path}：{why_zh}。", "改好之前，任何数据都不会删除。"),
    en=("The retention rules {path} cannot be read: {why_en}.", "Until it is mended nothing is forgotten."),
)
BAD_ROW = declare(
    "retention.invalid",
    "invalid",
    zh=("留存规则第 {row} 条有误：{why_zh}。", "请更正这一条；改好之前，任何数据都不会删除。"),
    en=("Row {row} of the retention rules is wrong: {why_en}.", "Correct the row; until then nothing is forgotten."),
)
TOO_SHORT = declare(
    "retention.too_short",
    "conflict",
    zh=("留存规则 {rule} 会删掉体征指标 {indicator} 还要用的 {property}：它需要 {needs}，规则只留 {kept}。", "请把 raw 延长到 {needs} 以上；改好之前，任何数据都不会删除。"),
    en=(
        "Retention rule {rule} would forget {property} while vital sign {indicator} needs it: for {needs}, and the rule keeps {kept}.",
        "Let raw be {needs} or more; until then nothing is forgotten.",
    ),
)
FILE = "retention.toml"
ALL = "*"
LOOK = 3600.0
"""Seconds between looks at what is due."""
YEAR = 366 * DAY
_log = logging.getLogger(__name__)


class _Source(msgspec.Struct, forbid_unknown_fields=True):
    doc: Annotated[str, msgspec.Meta(min_length=1)]
    clause: str = ""


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    """A `[[keep]]` as it is written."""

    property: str
    source: _Source
    since: date = msgspec.field(name="from")
    raw: str | None = None
    hourly: str | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """One rule: raw readings of a property (empty: of every property without a rule of its own) stay for `raw` µs, hourly rows for `hourly`; None: for ever."""

    of: str
    raw: int | None
    hourly: int | None
    since: date
    doc: str
    clause: str

    @property
    def id(self) -> str:
        """Return how ledger and manifest call it."""
        return f"{self.of or 'all'}:{self.since.isoformat()}"


def read_rules(path: Path, properties: Mapping[str, Property], indicators: Iterable[Indicator]) -> list[Keep]:
    """Read the table; none without a file. Raises `retention.unreadable`, `retention.invalid` (row and field), `retention.too_short` (rule, sign and property)."""
    if not path.exists():
        return []
    try:
        rows = tomllib.loads(path.read_text("utf-8"))
        unknown = sorted(rows.keys() - {"keep"})
        given = msgspec.convert(rows.get("keep", []), list[dict[str, Any]])
    except (OSError, ValueError) as error:
        raise BAD_FILE(path=path.name, **why(error)) from error
    if unknown:
        raise BAD_FILE(path=path.name, why_zh=f"不认识 {unknown[0]}，每条规则写作 [[keep]]", why_en=f"{unknown[0]} is not known; a rule is a [[keep]]")
    rules = [_rule(number, row, properties) for number, row in enumerate(given, 1)]
    for number, rule in enumerate(rules, 1):
        if any(rule.id == other.id for other in rules[: number - 1]):
            raise BAD_ROW(row=number, why_zh=f"{rule.id} 已经有一条", why_en=f"there is a row for {rule.id} already")
    needs = _needs(properties, indicators)
    for rule in rules:
        _hold(rule, needs, {r.of for r in rules})
    return rules


def _rule(number: int, given: dict[str, Any], properties: Mapping[str, Property]) -> Keep:
    try:
        row = msgspec.convert(given, _Row)
        raw, hourly = (None if text is None else _span(text) for text in (row.raw, row.hourly))
    except (msgspec.ValidationError, Problem) as error:
        raise BAD_ROW(row=number, **why(error)) from error
    if row.property != ALL and row.property not in properties:
        raise BAD_ROW(row=number, why_zh=f"property：没有属性 {row.property}", why_en=f"property: there is no property {row.property}")
    if hourly is not None and (raw is None or hourly < raw):
        raise BAD_ROW(row=number, why_zh="hourly：不能短于 raw", why_en="hourly: it may not be shorter than raw")
    return Keep("" if row.property == ALL else row.property, raw, hourly, row.since, row.source.doc, row.source.clause)


def _span(text: str) -> int:
    """Read `90d`, `36h` or `5y`; a year has 366 days, so that nothing goes early."""
    number = text.removesuffix("y")
    return int(number) * YEAR if number != text and number.isascii() and number.isdigit() else parse_duration(text)


def _needs(properties: Mapping[str, Property], indicators: Iterable[Indicator]) -> dict[str, tuple[int, str]]:
    """Return for how long (µs) which sign needs each property's readings: its longest window, the lateness, and the day's line on the tile."""
    found: dict[str, tuple[int, str]] = {}
    for indicator in indicators:
        for spec in indicator.specs():
            needed = spec.window + properties[spec.property].lateness + DAY
            found[spec.property] = max(found.get(spec.property, (0, "")), (needed, indicator.code))
    return found


def _hold(rule: Keep, needs: Mapping[str, tuple[int, str]], named: set[str]) -> None:
    """Refuse a rule that cuts what a sign still needs."""
    for name, (needed, code) in needs.items():
        if rule.raw is not None and rule.raw < needed and (name == rule.of or (not rule.of and name not in named and name not in relay.NAMES)):
            raise TOO_SHORT(rule=rule.id, indicator=code, property=name, needs=show_duration(needed), kept=show_duration(rule.raw))


def cuts(rules: Sequence[Keep], now: int, today: date, own: Iterable[str] = relay.NAMES) -> dict[str, list[Cut]]:
    """Return what is to be cut at a time, by table: under each property's newest rule in force, before whole days (UTC).

    A rule for all leaves what the desk itself tells of its cases (`own`): it is compared year by year, and goes only by a rule that names it.
    """
    held: dict[str, Keep] = {}
    for rule in sorted((r for r in rules if r.since <= today), key=lambda r: r.since):
        held[rule.of] = rule
    named = tuple(sorted((held.keys() | set(own)) - {""}))
    out: dict[str, list[Cut]] = {READINGS: [], HOURLY: []}
    for rule in held.values():
        for table, stay in ((READINGS, rule.raw), (HOURLY, rule.hourly)):
            if stay is not None:
                out[table].append(Cut(rule.id, rule.of, (now - stay) // DAY * DAY, () if rule.of else named))
    return out


class Retention:
    """Carries the rules out in a running city, a piece at a time, and tells the ledger."""

    def __init__(self, parts: Assembly) -> None:
        """Look first when the city has settled."""
        self._parts, self._next = parts, time.monotonic() + 30
        self._cuts: dict[str, list[Cut]] = {}
        self._pieces: deque[Piece] = deque()

    def turn(self) -> None:
        """Forget a piece of what is due; look for what is due where nothing is known to be. A city that replays a past forgets nothing."""
        parts = self._parts
        if parts.clock.mode != "live" or (not self._pieces and time.monotonic() < self._next):
            return
        if not self._pieces:
            self._look()
            self._next = time.monotonic() + LOOK
        if self._pieces:
            piece = self._pieces.popleft()
            try:
                gone = parts.lake.forgetting.run(self._cuts[piece.table], piece, self._tell)
            except BaseException:
                self._pieces.clear()
                self._next = 0.0
                raise
            _log.info("retention.forgot %s %s rows, %s hourly rows made, %s came late", piece.table, gone.count, gone.hours, gone.late)

    def _look(self) -> None:
        parts, now = self._parts, self._parts.clock.now()
        rules = rules_of(parts)
        parts.lake.forgetting.while_still(lambda _: self._tell())
        if rules:
            parts.lake.commit()
            self._cuts = cuts(rules, now, to_datetime(now).astimezone(parts.zone).date())
            held = next(parts.journal.read(0, "readings"), None)
            self._pieces = deque(parts.lake.forgetting.due(self._cuts, parts.lake.offset() if held is None else held.offset - 1))

    def _tell(self) -> None:
        """Leave a line of what was forgotten under each rule since the ledger last heard of it. Called while nothing else is forgotten."""
        totals = self._parts.lake.forgetting.totals()
        if totals:
            self._parts.desk.write(lambda conn: self._witness(conn, totals))

    def _witness(self, conn: Connection, totals: Mapping[tuple[str, str], Line]) -> None:
        known = told(conn)
        for (table, rule), line in totals.items():
            count, total = known.get((table, rule), (0, 0))
            if line["count"] > count:
                facts = {
                    "table": table,
                    "property": rule.partition(":")[0],
                    "before": rfc3339(line["before"]),
                    "count": line["count"] - count,
                    "checksum": f"{(line['checksum'] - total) % MODULUS:016x}",
                }
                self._parts.ledger.witness(conn, "system", "forget", "reading", rule, facts)


def told(conn: Connection) -> dict[tuple[str, str], tuple[int, int]]:
    """Return what the ledger says was forgotten in all, by (table, rule), as (count, checksum)."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for rule, detail in conn.exec_driver_sql("SELECT subject, detail FROM ledger WHERE action = 'forget' AND kind = 'reading'"):
        facts = msgspec.json.decode(detail)
        count, total = found.get((facts["table"], rule), (0, 0))
        found[facts["table"], rule] = count + facts["count"], (total + int(facts["checksum"], 16)) % MODULUS
    return found


def rules_of(parts: Assembly) -> list[Keep]:
    """Return a city's rules. Raises what `read_rules` raises."""
    return read_rules(parts.folder / FILE, parts.judge.properties, parts.watch.declared)


def shown_rules(parts: Assembly) -> list[str]:
    """Return the rules as lines for people, or why they are refused."""
    try:
        rules = rules_of(parts)
    except Problem as problem:
        return [f"refused {problem.sentence('zh')} {problem.sentence()} {problem.remedy()}"]
    return [f"keep {r.id}: raw {_shown(r.raw)}, hourly {_shown(r.hourly)}, from {r.since.isoformat()}, by {r.doc} {r.clause}".rstrip() for r in rules]


def _shown(span: int | None) -> str:
    return "for ever" if span is None else show_duration(span)


def disagreements(parts: Stores) -> list[str]:
    """Hold what the manifest says was forgotten against the ledger; return where they differ, one sentence each."""

    def compare(totals: Mapping[tuple[str, str], Line]) -> list[str]:
        said = parts.desk.read(told)
        held = {key: (line["count"], line["checksum"]) for key, line in totals.items()}
        return [
            f"retention: {table} forgotten under {rule}: {held.get((table, rule), (0, 0))[0]} by the manifest, {said.get((table, rule), (0, 0))[0]} by the ledger, or other values"
            for table, rule in sorted(held.keys() | said.keys())
            if held.get((table, rule)) != said.get((table, rule))
        ]

    return parts.lake.forgetting.while_still(compare)
