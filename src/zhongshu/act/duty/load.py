"""Bringing a duty table in: what would change is shown first; what contradicts itself or another table is refused; rows are ended, never removed.

So a case that was opened under a row keeps it: what held on a day is found by its date for ever. Knows no file's form and no case.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, delete, update
from sqlalchemy.dialects.postgresql import insert as upsert

from zhongshu.act.deed import Deed
from zhongshu.act.duty import rota
from zhongshu.act.duty.kinds import Kind
from zhongshu.act.duty.pages import PACK, STAMP, Book, Row
from zhongshu.act.tables import desk_cursor, duty_row
from zhongshu.kernel.area import Level, level_of
from zhongshu.kernel.clock import to_datetime
from zhongshu.kernel.problem import declare

UNKNOWN_UNIT = declare(
    "duty.unknown_unit",
    "invalid",
    zh=("“{key}”的承办单位 {unit} 没有登记。", "请核对单位编码；新单位要在同一行写明 unit_zh 和 unit_en。"),
    en=("The unit {unit} of '{key}' is not known.", "Check its code; a new unit needs its names, unit_zh and unit_en, in the same row."),
)
UNKNOWN_CLASS = declare(
    "duty.unknown_class",
    "invalid",
    zh=("“{key}”里的类别 {class_} 没有登记。", "请先装入类别表 classes。"),
    en=("The class {class_} of '{key}' is not known.", "Bring in the table of classes first."),
)
UNKNOWN_PLAYBOOK = declare(
    "duty.no_playbook",
    "invalid",
    zh=("“{key}”的联动规程 {playbook} 没有部署。", "已部署的规程：{known}；新规程请先部署，再装入类别表。"),
    en=("The playbook {playbook} of '{key}' is not deployed.", "There are: {known}. A new one is deployed first, then the table of classes brought in."),
)
OVERLAP = declare(
    "duty.overlap",
    "conflict",
    zh=("“{key}”在 {day} 已由“{other}”规定，与“{source}”同时有效。", "请在其中一份表里写明 valid_to，使两份不同时有效；或以同一来源重新装入。"),
    en=(
        "'{key}' is ruled by '{other}' on {day} already, at the same time as by '{source}'.",
        "Give one of the two a valid_to, so that they do not hold at once; or bring it in again under the same source.",
    ),
)
TWICE = declare(
    "duty.twice",
    "conflict",
    zh=("“{source}”第 {line} 行又写了“{key}”，与前面的一行不同。", "请删去其中一行，或给较早的一行写明更早的 valid_to。"),
    en=("Line {line} of '{source}' says something else of '{key}' than a line before it.", "Remove one of the two lines, or let the earlier one end earlier by its valid_to."),
)
AGAINST_LIST = declare(
    "duty.against_list",
    "conflict",
    zh=("派单目录让街道 {unit} 主办“{class_}”，而履职清单把它列为“{list}”。", "请改由有权的部门主办，街道作协办；或先修订清单。"),
    en=(
        "The catalogue lets street {unit} lead '{class_}', which its list of duties has as '{list}'.",
        "Let the department that holds the power lead, the street help; or change the list first.",
    ),
)

NOT_A_DISTRICT = declare(
    "duty.not_a_district",
    "invalid",
    zh=("“{key}”不是一个区县，只有区县有指挥中心。", "请写区县的15位编码。"),
    en=("'{key}' is no district, and only a district has a centre of command.", "Write the district's code of 15 digits."),
)

STREET = "street-"
"""How the code of a street's own office begins; its area's 15 digits follow."""


@dataclass(slots=True)
class Diff:
    """What an import would change, its days those of the city: rows new, changed (before, after), ended (in the source before, not in the file), and how many stay."""

    kind: str
    source: str
    zone: ZoneInfo
    new: list[Row] = field(default_factory=list)
    changed: list[tuple[Row, Row]] = field(default_factory=list)
    ended: list[Row] = field(default_factory=list)
    same: int = 0
    over: dict[tuple[tuple[str, ...], int], Row] = field(default_factory=dict)
    """Of new rows by key and day: the row of another source that they stand before, which held till then."""

    def __bool__(self) -> bool:
        """Tell whether anything would change."""
        return bool(self.new or self.changed or self.ended)

    def lines(self) -> list[str]:
        """Return it as lines for people: `+` new, `~` changed or put over another source's, `-` ended."""

        def said(row: Row) -> str:
            return f"{row.name}  {_day(row.valid_from, self.zone)}"

        def moved(before: Row, after: Row) -> str:
            cells = [f"{name} {before.cells.get(name)!r} → {value!r}" for name, value in after.cells.items() if before.cells.get(name) != value]
            until = [f"valid_to {_day(before.valid_to, self.zone)} → {_day(after.valid_to, self.zone)}"] if before.valid_to != after.valid_to else []
            return "; ".join(cells + until)

        lines = []
        for row in self.new:
            under = self.over.get((row.key, row.valid_from))
            lines.append(f"+ {said(row)}  {_brief(row)}" if under is None else f"~ {said(row)}  盖过 over {under.source}: {moved(under, row) or '='}")
        lines += [f"~ {said(after)}  {moved(before, after)}" for before, after in self.changed]
        return lines + [f"- {said(row)}  {_brief(row)}" for row in self.ended]


def compare(held: Book, kind: Kind, source: str, rows: Sequence[Row], now: int, zone: ZoneInfo) -> Diff:
    """Say what these rows of a source would change. Raises `duty.twice` and what the kind's own checks raise."""
    first: dict[tuple[tuple[str, ...], int], Row] = {}
    for row in rows:
        if (other := first.setdefault((row.key, row.valid_from), row)).cells != row.cells or other.valid_to != row.valid_to:
            raise TWICE(key=row.name, source=source, line=row.line)
    _apart(source, first.values())
    before = {(row.key, row.valid_from): row for row in held.every(kind.name) if row.source == source}
    found = Diff(kind.name, source, zone)
    for at, row in first.items():
        if (old := before.get(at)) is None:
            found.new.append(row)
            if (under := held.at(kind.name, row.key, max(now, row.valid_from))) is not None and under.source != source and _at_once(row, under) and row.own >= under.own:
                found.over[at] = under
        elif old.cells != row.cells or old.valid_to != row.valid_to:
            found.changed.append((old, row))
        else:
            found.same += 1
    found.ended = [row for at, row in before.items() if at not in first and (row.valid_to is None or row.valid_to > now)]
    _check(held, kind, source, [*first.values()], now, zone)
    if kind.name == "calendar":
        told = {*first, *((row.key, row.valid_from) for row in found.ended)}
        stays = [row for row in held.every(kind.name) if row.source != source or (row.key, row.valid_from) not in told]
        rota.check_calendars([*stays, *(replace(row, valid_to=now) for row in found.ended), *first.values()], zone)
    return found


def _apart(source: str, rows: Iterable[Row]) -> None:
    """Refuse two rows of one key in one file that differ and hold at once; what has no end ends where the next begins. Raises `duty.twice`."""
    latest: dict[tuple[str, ...], list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.valid_from):
        for other in latest.setdefault(row.key, []):
            if other.cells != row.cells and other.valid_to is not None and row.valid_from < other.valid_to:
                raise TWICE(key=row.name, source=source, line=row.line)
        latest[row.key].append(row)


def apply(deed: Deed, found: Diff) -> None:
    """Write what an import changes: new rows come in, changed ones are replaced, ended ones hold no longer than now."""
    for row in (*found.new, *(after for _, after in found.changed)):
        put(deed, row)
    which = (duty_row.c.kind == found.kind, duty_row.c.source == found.source, duty_row.c.key == bindparam("b_key"), duty_row.c.valid_from == bindparam("b_from"))
    for row in found.ended:
        named = {"b_key": _key_text(row), "b_from": row.valid_from}
        if row.valid_from >= deed.now:
            deed.connection.execute(delete(duty_row).where(*which), named)
        else:
            deed.connection.execute(update(duty_row).where(*which), named | {"valid_to": deed.now})
    stamp(deed.connection)
    deed.witness(
        deed.connection, "duty.import", found.kind, {"at": deed.now, "source": found.source, "new": len(found.new), "changed": len(found.changed), "ended": len(found.ended)}
    )


def put(deed: Deed, row: Row) -> None:
    """Write one row; of the same key, day and source there is one."""
    values = {"kind": row.kind, "key": _key_text(row), "valid_from": row.valid_from, "source": row.source}
    rest = {"valid_to": row.valid_to, "cells": row.cells, "loaded": deed.now, "loaded_by": deed.actor.id}
    deed.connection.execute(upsert(duty_row).values(values | rest).on_conflict_do_update(index_elements=list(values), set_=rest))


def stamp(connection: Connection) -> None:
    """Say that the tables have changed; no stamp comes twice, so that what was read under one never stands for another."""
    done = secrets.randbits(62)
    connection.execute(upsert(desk_cursor).values(name=STAMP, done=done).on_conflict_do_update(index_elements=["name"], set_={"done": done}))
    connection.info.pop(STAMP, None)


def _check(held: Book, kind: Kind, source: str, rows: Sequence[Row], now: int, zone: ZoneInfo) -> None:
    for row in rows:
        for other in held.rows[kind.name].get(row.key, ()):
            if other.own and other.source != source and _at_once(row, other):
                raise OVERLAP(key=row.name, source=source, other=other.source, day=_day(max(row.valid_from, other.valid_from), zone))
    _CHECKS.get(kind.name, _nothing)(held, rows, now)


def _nothing(_held: Book, _rows: Sequence[Row], _now: int) -> None:
    """Check nothing more."""


def _check_dispatch(held: Book, rows: Sequence[Row], now: int) -> None:
    named = {row.cells["unit"] for row in held.every("dispatch") if row.cells["unit_zh"]} | {row.cells["unit"] for row in rows if row.cells["unit_zh"] and row.cells["unit_en"]}
    for row in rows:
        for unit in (row.cells["unit"], *row.cells["helpers"]):
            if unit not in named and not unit.startswith(STREET):
                raise UNKNOWN_UNIT(key=row.name, unit=unit)
        _known_class(held, row, row.cells["class"])
        if row.cells["unit"].startswith(STREET):
            listed = on_list(held, row.cells["unit"], row.cells["class"], max(now, row.valid_from))
            if listed in {"assist", "withdrawn"}:
                raise AGAINST_LIST(unit=row.cells["unit"], class_=row.cells["class"], list=listed)


def _check_duties(held: Book, rows: Sequence[Row], now: int) -> None:
    for row in rows:
        _known_class(held, row, row.cells["class"])
        led = held.at("dispatch", (row.cells["class"], row.cells["area"]), max(now, row.valid_from))
        if row.cells["list"] != "basic" and led is not None and led.cells["unit"] == f"{STREET}{row.cells['area']}":
            raise AGAINST_LIST(unit=led.cells["unit"], class_=row.cells["class"], list=row.cells["list"])


def _check_limits(held: Book, rows: Sequence[Row], _now: int) -> None:
    for row in rows:
        if row.cells["class"] != "*":
            _known_class(held, row, row.cells["class"])
        rota.check_limit(held, row)


def _check_command(_held: Book, rows: Sequence[Row], _now: int) -> None:
    for row in rows:
        if level_of(int(row.cells["area"])) is not Level.DISTRICT:
            raise NOT_A_DISTRICT(key=row.name)


_CHECKS: dict[str, Callable[[Book, Sequence[Row], int], None]] = {
    "command": _check_command,
    "dispatch": _check_dispatch,
    "duties": _check_duties,
    "limits": _check_limits,
}


def _known_class(held: Book, row: Row, class_: str) -> None:
    if not held.rows["classes"].get((class_,)):
        raise UNKNOWN_CLASS(key=row.name, class_=class_)


def check_playbooks(rows: Iterable[Row], known: Sequence[str]) -> None:
    """Refuse a class that names a playbook nobody deployed. Raises `duty.no_playbook`."""
    for row in rows:
        if (name := row.cells.get("playbook")) and name not in known:
            raise UNKNOWN_PLAYBOOK(key=row.name, playbook=name, known=", ".join(known) or "—")


def on_list(held: Book, unit: str, class_: str, at: int) -> str:
    """Return which of a street's three lists a class is on, by the code of the street's office; '' if on none, or if it is no street's."""
    if not unit.startswith(STREET):
        return ""
    street = unit.removeprefix(STREET)
    row = held.at("duties", (street, class_), at) or held.at("duties", ("", class_), at)
    return "" if row is None else str(row.cells["list"])


def _at_once(one: Row, other: Row) -> bool:
    return (one.valid_to is None or other.valid_from < one.valid_to) and (other.valid_to is None or one.valid_from < other.valid_to)


def _key_text(row: Row) -> str:
    return json.dumps(row.key, ensure_ascii=False)


def _day(at: int | None, zone: ZoneInfo) -> str:
    return "—" if at is None else f"{to_datetime(at).astimezone(zone):%Y-%m-%d}"


def _brief(row: Row) -> str:
    held: Iterable[tuple[str, Any]] = row.cells.items()
    return "; ".join(f"{name} {value}" for name, value in held if value not in ("", None, []) and name not in {"basis", "basis_en", *_NAMES})


_NAMES = ("zh", "en", "words")


def pack_source(name: str) -> str:
    """Return how a pack's rows are sourced."""
    return f"{PACK}{name}"
