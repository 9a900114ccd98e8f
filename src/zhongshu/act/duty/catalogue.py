"""What the duty tables say of a class of things on a day: whose it is, within which limit, how its end is checked. Knows no case.

A pack's `dispatch.csv` is three tables in one: each of its lines is a row of classes, of the dispatch catalogue, and of limits.
"""

import csv
import io
from typing import Any

from sqlalchemy import Connection, select

from zhongshu.act.deed import Deed
from zhongshu.act.duty import load as loading
from zhongshu.act.duty import rota
from zhongshu.act.duty.kinds import FIGURES, KINDS
from zhongshu.act.duty.pages import Book, book
from zhongshu.act.duty.sheets import BAD_ROW, kind_of, of_cells, read
from zhongshu.act.tables import playbook
from zhongshu.kernel.clock import rfc3339

COLUMNS = ("class", "zh", "en", "unit", "helpers", "limit_minutes", "check", "normal_minutes", "danger", "basis", "valid_from")
OPTIONAL = ("unit_zh", "unit_en", "words", "warn_minutes", "evidence", "basis_en", "sample", "kind", "list", "playbook", "homes", "condition", "condition_en", "picture")

_Row = dict[str, Any]


def load(deed: Deed, source: str, text: str) -> int:
    """Take a pack's `dispatch.csv` whole or not at all; rows of the same class, day and source are replaced. Raises `duty.bad_row`."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    header = reader.fieldnames or ()
    if missing := [name for name in COLUMNS if name not in header]:
        raise BAD_ROW(source=source, line=1, why_zh=f"缺少列 {', '.join(missing)}", why_en=f"columns missing: {', '.join(missing)}")
    lines = [{name: (raw.get(name) or "").strip() for name in (*COLUMNS, *OPTIONAL)} for raw in reader]
    rows = []
    for line, raw in enumerate(lines, 2):
        for number in ("limit_minutes", "warn_minutes"):
            if raw[number] and (not raw[number].isdigit() or int(raw[number]) == 0):
                raise BAD_ROW(source=source, line=line, why_zh=f"看不懂 {number}“{raw[number]}”", why_en=f"{number} '{raw[number]}' cannot be read")
        raw |= {"valid_from": raw["valid_from"] or "1970-01-01", "unit_zh": raw["unit_zh"] or raw["unit"], "unit_en": raw["unit_en"] or raw["unit"]}
        limit = raw | {"step": "case", "condition": "", "amount": f"{raw['limit_minutes']}m", "warn": raw["warn_minutes"] and f"{raw['warn_minutes']}m"}
        whole = {"classes": raw, "dispatch": raw} | ({"limits": limit} if raw["limit_minutes"] else {})
        rows += [of_cells(KINDS[kind], loading.pack_source(source), line, cells, deed.zone) for kind, cells in whole.items()]
    held = book(deed.connection)
    known = {(row.kind, row.key, row.valid_from): row for kind in ("classes", "dispatch", "limits") for row in held.every(kind) if row.source == loading.pack_source(source)}
    changed = [row for row in rows if known.get((row.kind, row.key, row.valid_from)) != row]
    for row in changed:
        loading.put(deed, row)
    if changed:
        loading.stamp(deed.connection)
    return len(lines)


def row_for(connection: Connection, class_: str, at: int, area: int = 0) -> _Row | None:
    """Return what holds for a class at a time (µs) in an area, or None: its names, who leads, the limit of the whole, how its end is checked."""
    held = book(connection)
    key = ("row", class_, area)
    moments = held.made.setdefault(key, {})
    if at in moments:
        found: _Row | None = moments[at]
        return None if found is None else dict(found)
    made = _merged(held, class_, at, area)
    if len(moments) < MEMORY:
        moments[at] = made
    return None if made is None else dict(made)


MEMORY = 64
"""So many moments of a class are remembered."""


def _merged(held: Book, class_: str, at: int, area: int) -> _Row | None:
    known = held.at("classes", (class_,), at)
    if known is None:
        return None
    led = leads(held, class_, at, area)
    limit = rota.limit_of(held, class_, "case", at)
    cells = known.cells
    unit = {"unit": "", "unit_zh": "", "unit_en": "", "helpers": [], "list": ""} if led is None else {n: led[n] for n in ("unit", "unit_zh", "unit_en", "helpers", "list")}
    basis = cells if led is None else led
    return (
        {name: cells[name] for name in ("class", "zh", "en", "words", "normal_minutes", "danger", "evidence", "sample", "condition", "condition_en", "kind", "playbook")}
        | unit
        | {
            "picture": cells.get("picture", ""),
            "limit": None if limit is None else {"amount": limit.amount, "mode": limit.mode, "calendar": limit.calendar, "warn": limit.warn},
            "check_mode": cells["check"],
            "basis": basis["basis"],
            "basis_en": basis["basis_en"],
            "source": known.source if led is None else led["source"],
            "valid_from": known.valid_from if led is None else led["valid_from"],
        }
    )


def leads(held: Book, class_: str, at: int, area: int = 0) -> _Row | None:
    """Return the row of the dispatch catalogue for a class in an area: the nearest area's that has one, else the whole city's."""
    for code in (*_up(area), ""):
        if (row := held.at("dispatch", (class_, code), at)) is not None:
            zh, en = _names(held, row.cells["unit"])
            return row.cells | {"unit_zh": row.cells["unit_zh"] or zh, "unit_en": row.cells["unit_en"] or en, "source": row.source, "valid_from": row.valid_from}
    return None


def _up(area: int) -> list[str]:
    """Return the codes of an area and of those that hold it, nearest first."""
    codes = [area // unit * unit for unit in (1, 10**3, 10**6, 10**9)] if area else []
    return [f"{code:015d}" for code in dict.fromkeys(codes)]


def figure(connection: Connection, code: str, at: int) -> float:
    """Return a rule's figure in force at a time: the city's, a pack's, or what holds where none is set."""
    row = book(connection).at("figures", (code,), at)
    return float(FIGURES[code] if row is None else row.cells["value"])


def unit_names(connection: Connection, unit: str) -> tuple[str, str]:
    """Return a unit's names in zh and en, or its code where the catalogue has none."""
    return _names(book(connection), unit)


def _names(held: Book, unit: str) -> tuple[str, str]:
    names = held.made.get("units")
    if names is None:
        named = sorted((row for row in (*held.every("dispatch"), *held.every("command")) if row.cells["unit_zh"]), key=lambda row: (row.own, row.valid_from))
        names = held.made["units"] = {row.cells["unit"]: (row.cells["unit_zh"], row.cells["unit_en"] or row.cells["unit_zh"]) for row in named}
    found: tuple[str, str] = names.get(unit, (unit, unit))
    return found


def suggest(connection: Connection, class_: str, at: int, area: int = 0) -> _Row | None:
    """Return which unit the catalogue would send, and why, as a proposal for the dispatcher; None where it is silent."""
    row = row_for(connection, class_, at, area)
    if row is None or not row["unit"]:
        return None
    zh, en = ("", "") if row["limit"] is None else rota.said(row["limit"]["amount"], row["limit"]["mode"])
    return {
        "unit": row["unit"],
        "unit_zh": row["unit_zh"],
        "unit_en": row["unit_en"],
        "reason_zh": f"派遣目录“{row['zh']}”：{row['unit_zh']} 主办{zh and f'，限 {zh}'}（{row['basis']}）",
        "reason_en": f"Dispatch catalogue, '{row['en']}': {row['unit_en']} leads{en and f', within {en}'} ({row['basis_en']})",
        "row": {key: value for key, value in row.items() if key != "words"},
    }


def guess(connection: Connection, text: str, at: int) -> str:
    """Propose a class from a text: the only one whose word stands in it; '' where none or several do."""
    said = {row.cells["class"] for row in book(connection).all_at("classes", at) if any(word and word in text for word in (row.cells["zh"], *row.cells["words"]))}
    return said.pop() if len(said) == 1 else ""


def names_unit(connection: Connection, unit: str) -> bool:
    """Tell whether any table names a unit: who leads, helps, commands or is commanded, has a plan's task, or keeps supplies."""
    held = book(connection)
    named = held.made.get("named")
    if named is None:
        several = {"dispatch": "helpers", "command": "units"}
        named = {row.cells["unit"] for kind in ("dispatch", "command", "plans", "supplies") for row in held.every(kind)}
        named |= {unit for kind, column in several.items() for row in held.every(kind) for unit in row.cells[column]}
        held.made["named"] = named
    return unit in named


def units(connection: Connection) -> list[_Row]:
    """Return every unit the catalogue names."""
    held = book(connection)
    codes = sorted({row.cells["unit"] for row in held.every("dispatch")})
    return [{"unit": code, "unit_zh": zh, "unit_en": en} for code in codes for zh, en in (_names(held, code),)]


def classes(connection: Connection, at: int) -> list[_Row]:
    """Return what holds at a time for every class."""
    return [row for known in book(connection).all_at("classes", at) if (row := row_for(connection, known.cells["class"], at)) is not None]


def kinds(connection: Connection, at: int) -> list[_Row]:
    """Return the kinds of tables with their columns, and how many rows each has in force at a time."""
    held = book(connection)
    return [
        {"kind": kind.name, "zh": kind.zh, "en": kind.en, "columns": [column.name for column in kind.columns], "key": list(kind.key), "rows": len(held.all_at(kind.name, at))}
        for kind in KINDS.values()
    ]


def rows(connection: Connection, kind: str, at: int) -> list[_Row]:
    """Return a table's rows in force at a time. Raises `duty.no_kind`."""
    return [
        row.cells | {"valid_from": rfc3339(row.valid_from), "valid_to": row.valid_to and rfc3339(row.valid_to), "from": row.source}
        for row in book(connection).all_at(kind_of(kind).name, at)
    ]


_PLAYBOOKS = select(playbook.c.key).distinct().order_by(playbook.c.key)


def bring_in(deed: Deed, kind: str, source: str, body: bytes, *, write: bool) -> _Row:
    """Say what a file would change in a table, line by line; with `write`, change it. Raises what `sheets.read` and `load.compare` raise, and `duty.no_playbook`."""
    brought = read(kind_of(kind), source, body, deed.zone)
    if kind == "classes":
        loading.check_playbooks(brought, deed.connection.execute(_PLAYBOOKS).scalars().all())
    found = loading.compare(book(deed.connection), kind_of(kind), source, brought, deed.now, deed.zone)
    if write and found:
        loading.apply(deed, found)
    counts = {"new": len(found.new), "changed": len(found.changed), "ended": len(found.ended), "same": found.same}
    return {"kind": kind, "source": source, "lines": found.lines(), "applied": write and bool(found)} | counts
