"""The dispatch catalogue: dated rows that say whose duty a class of things is, within which limit, and how its end is checked.

Packs and cities bring rows; which row held on a day is found by its date. Knows no case.
"""

import csv
import io
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from zhongshu.act.deed import Deed
from zhongshu.act.tables import duty_row
from zhongshu.kernel.clock import to_us
from zhongshu.kernel.problem import declare

BAD_ROW = declare(
    "duty.bad_row",
    "invalid",
    zh=("派遣目录“{source}”第 {line} 行有误：{why_zh}。", "请更正这一行后重新装入；其他行也没有装入。"),
    en=("Line {line} of the dispatch catalogue '{source}' is wrong: {why_en}.", "Correct it and load again; no other line was taken either."),
)

COLUMNS = ("class", "zh", "en", "unit", "helpers", "limit_minutes", "check", "normal_minutes", "danger", "basis", "valid_from")
OPTIONAL = ("unit_zh", "unit_en", "words", "warn_minutes", "calendar", "evidence", "basis_en")
CHECKS = ("person", "instrument", "callback")
_EVIDENCE_AT = "handle feedback"

_Row = dict[str, Any]

_LATEST = (
    select(duty_row)
    .where(duty_row.c["class"] == bindparam("class"), duty_row.c.valid_from <= bindparam("at"))
    .order_by(duty_row.c.valid_from.desc(), duty_row.c.id.desc())
    .limit(1)
)
_UNIT = select(duty_row.c.unit_zh, duty_row.c.unit_en).where(duty_row.c.unit == bindparam("unit")).order_by(duty_row.c.valid_from.desc()).limit(1)


def load(deed: Deed, source: str, text: str) -> int:
    """Take a `dispatch.csv` whole or not at all; rows of the same class, day and source are replaced. Raises `duty.bad_row`."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise BAD_ROW(source=source, line=1, why_zh=f"缺少列 {', '.join(missing)}", why_en=f"columns missing: {', '.join(missing)}")
    rows = [_read(deed, source, line, row) for line, row in enumerate(reader, 2)]
    for row in rows:
        statement = upsert(duty_row).values(row)
        keys = ("class", "valid_from", "source")
        deed.connection.execute(statement.on_conflict_do_update(index_elements=keys, set_={k: v for k, v in row.items() if k not in keys}))
    return len(rows)


def row_for(connection: Connection, class_: str, at: int) -> _Row | None:
    """Return the row of a class in force at a time (µs), or None."""
    found = connection.execute(_LATEST, {"class": class_, "at": at}).mappings().one_or_none()
    return None if found is None else dict(found)


def unit_names(connection: Connection, unit: str) -> tuple[str, str]:
    """Return a unit's names in zh and en, or its code where the catalogue has none."""
    found = connection.execute(_UNIT, {"unit": unit}).one_or_none()
    return (unit, unit) if found is None else (found[0], found[1])


def suggest(connection: Connection, class_: str, at: int) -> _Row | None:
    """Return which unit the catalogue would send, and why, as a proposal for the dispatcher; None where it is silent."""
    row = row_for(connection, class_, at)
    if row is None:
        return None
    hours = None if row["limit_minutes"] is None else f"{row['limit_minutes'] / 60:g}"
    return {
        "unit": row["unit"],
        "unit_zh": row["unit_zh"],
        "unit_en": row["unit_en"],
        "reason_zh": f"派遣目录“{row['zh']}”：{row['unit_zh']} 主办{f'，限 {hours} 小时' if hours else ''}（{row['basis']}）",
        "reason_en": f"Dispatch catalogue, '{row['en']}': {row['unit_en']} leads{f', within {hours} h' if hours else ''} ({row['basis_en']})",
        "row": {key: value for key, value in row.items() if key != "words"},
    }


def guess(connection: Connection, text: str, at: int) -> str:
    """Propose a class from a text: the only one whose word stands in it; '' where none or several do."""
    newest = select(duty_row.c["class"], func.max(duty_row.c.valid_from)).where(duty_row.c.valid_from <= at).group_by(duty_row.c["class"]).subquery()
    rows = connection.execute(
        select(duty_row.c["class"], duty_row.c.zh, duty_row.c.words).join(newest, (newest.c[0] == duty_row.c["class"]) & (newest.c[1] == duty_row.c.valid_from)),
    )
    said = {class_ for class_, zh, words in rows if any(word and word in text for word in (zh, *words))}
    return said.pop() if len(said) == 1 else ""


def units(connection: Connection) -> list[_Row]:
    """Return every unit the catalogue names."""
    rows = connection.execute(select(duty_row.c.unit, duty_row.c.unit_zh, duty_row.c.unit_en).group_by(duty_row.c.unit).order_by(duty_row.c.unit))
    return [dict(row) for row in rows.mappings()]


def classes(connection: Connection, at: int) -> list[_Row]:
    """Return the rows in force at a time, one for each class."""
    names = connection.execute(select(duty_row.c["class"]).distinct().order_by(duty_row.c["class"])).scalars().all()
    return [row for name in names if (row := row_for(connection, name, at)) is not None]


def _read(deed: Deed, source: str, line: int, raw: Mapping[str, str | None]) -> _Row:
    text = {name: (raw.get(name) or "").strip() for name in (*COLUMNS, *OPTIONAL)}

    def take(name: str, reader: Callable[[str], Any], empty: object) -> Any:  # noqa: ANN401 (whatever the reader makes)
        try:
            return reader(text[name]) if text[name] else empty
        except (ValueError, KeyError):
            raise BAD_ROW(source=source, line=line, why_zh=f"看不懂 {name}“{text[name]}”", why_en=f"{name} '{text[name]}' cannot be read") from None

    def wanted(name: str) -> str:
        if not text[name]:
            raise BAD_ROW(source=source, line=line, why_zh=f"{name} 为空", why_en=f"{name} is empty")
        return text[name]

    def day(written: str) -> int:
        moment = datetime.fromisoformat(written)
        return to_us(moment if moment.tzinfo else moment.replace(tzinfo=deed.zone))

    return {
        "class": wanted("class"),
        "zh": wanted("zh"),
        "en": wanted("en"),
        "words": _list(text["words"]),
        "unit": wanted("unit"),
        "unit_zh": text["unit_zh"] or text["unit"],
        "unit_en": text["unit_en"] or text["unit"],
        "helpers": _list(text["helpers"]),
        "limit_minutes": take("limit_minutes", _positive, None),
        "warn_minutes": take("warn_minutes", _positive, None),
        "calendar": text["calendar"] or "wall",
        "check_mode": take("check", _check, "person"),
        "normal_minutes": take("normal_minutes", _positive, None),
        "danger": take("danger", _truth, empty=False),
        "evidence": _EVIDENCE_AT if not text["evidence"] else text["evidence"].removeprefix("none"),
        "basis": wanted("basis"),
        "source": source,
        "valid_from": take("valid_from", day, 0),
        "basis_en": text["basis_en"] or text["basis"],
    }


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.replace("|", ";").replace("、", ";").split(";") if part.strip()]


def _positive(text: str) -> int:
    if (value := int(text)) <= 0:
        raise ValueError(text)
    return value


def _check(text: str) -> str:
    return CHECKS[CHECKS.index(text)]


def _truth(text: str) -> bool:
    return {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False, "是": True, "否": False}[text.lower()]
