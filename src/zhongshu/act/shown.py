"""Rows of the desk as documents, and a scope as conditions of a query: what a scope hides is left out of the one, what it does not hold of the other."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_

from zhongshu.act import clocks, machine
from zhongshu.kernel.area import show_area
from zhongshu.kernel.clock import rfc3339
from zhongshu.kernel.grade import Scope
from zhongshu.kernel.problem import declare

BAD_PAGE = declare(
    "record.bad_page",
    "invalid",
    zh=("看不懂的翻页标记“{after}”。", "请原样使用上一页返回的 next。"),
    en=("The page mark '{after}' cannot be read.", "Use the `next` of the page before, unchanged."),
)

Document = dict[str, Any]


def show_case(row: Mapping[Any, Any], now: int, scope: Scope) -> Document:
    """Turn a case's row into its document."""
    step = machine.STEPS[row["step"]]
    plain = (
        "id",
        "number",
        "class",
        "class_zh",
        "class_en",
        "title_zh",
        "title_en",
        "address",
        "lon",
        "lat",
        "source",
        "step",
        "mark",
        "unit",
        "holder",
        "holder_zh",
        "holder_en",
        "level",
        "voices",
        "finding",
        "lead",
        "indicator",
        "version",
        "flags",
        "check_mode",
        "redone",
        "returned",
    )
    overdue = row["due"] is not None and row["closed"] is None and row["parked"] is None and now > row["due"]
    mark = machine.MARKS[row["mark"]]
    return hide(
        {key: row[key] for key in plain}
        | {
            "area": show_area(row["area"]),
            "step_zh": step.zh,
            "step_en": step.en,
            "mark_zh": mark[0],
            "mark_en": mark[1],
            "stage": step.stage,
            "opened": rfc3339(row["opened"]),
            "changed": rfc3339(row["changed"]),
            "due": time_of(row["due"]),
            "closed": time_of(row["closed"]),
            "late": bool(row["late"] or overdue),
            "limit": clocks.state(row, now),
            "parked_until": time_of(row["parked_until"]),
        },
        scope,
    )


def show_voice(row: Mapping[Any, Any], scope: Scope) -> Document:
    """Turn a request's row into its document; who reported is never shown."""
    plain = ("id", "number", "source", "class", "text", "address", "lon", "lat", "channel", "photos", "state", "repeats", "flags")
    return hide({key: row[key] for key in plain} | {"area": show_area(row["area"]), "created": rfc3339(row["created"])}, scope)


def show_step(step: Mapping[Any, Any], files: list[Document], scope: Scope) -> Document:
    """Turn a line of a history into its document, with its evidence; who reported stays nameless."""
    verb = machine.COUNTED if step["detail"].get("early") else machine.VERBS[step["verb"]]
    plain = ("seq", "verb", "actor", "actor_name", "reason", "note", "unit", "from_step", "from_mark", "to_step", "to_mark", "version")
    nameless = {"actor": "", "actor_name": "反映人"} if step["verb"] in machine.RESULTS else {}
    return hide(
        {key: step[key] for key in plain}
        | nameless
        | {
            "verb_zh": verb.zh,
            "verb_en": verb.en,
            "at": rfc3339(step["at"]),
            "happened": rfc3339(step["happened"]),
            "evidence": files,
            "result": step["detail"].get("result", ""),
            "moved": step["detail"].get("moved"),
        },
        scope,
    )


def show_verb(row: machine.Row, case: Mapping[Any, Any]) -> Document:
    """Say what may be done, and what must be given with it."""
    verb = machine.VERBS[row.verb]
    needs = sorted(need for need in row.needs if need != "evidence" or row.verb in case["evidence_at"].split())
    return {"verb": verb.key, "zh": verb.zh, "en": verb.en, "needs": needs, "shortcut": verb.shortcut}


def in_scope(c: Any, scope: Scope) -> list[ColumnElement[bool]]:  # noqa: ANN401 (any table's columns that have an area)
    """Return the scope as conditions; nothing allowed is nothing found."""
    where: list[ColumnElement[bool]] = [or_(false(), *(and_(c.area >= low, c.area < high) for low, high in scope.areas))]
    if scope.unit and "unit" in c:
        where.append(c.unit == scope.unit)
    return where


def page_mark(after: str) -> tuple[int, str]:
    """Read the mark of the page before: (key, id). Raises `record.bad_page`."""
    key, _, name = after.partition(":")
    if not key.isascii() or not key.isdigit() or not name:
        raise BAD_PAGE(after=after)
    return int(key), name


def hide(document: Document, scope: Scope) -> Document:
    """Leave out what the scope hides."""
    return {key: None if key in scope.hidden else value for key, value in document.items()} if scope.hidden else document


def time_of(us: int | None) -> str | None:
    """Return a time in RFC 3339, None for none."""
    return None if us is None else rfc3339(us)
