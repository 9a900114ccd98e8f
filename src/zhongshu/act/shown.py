"""Rows of the desk as documents, and a scope as conditions of a query: what a scope hides is left out of the one, what it does not hold of the other."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, false, literal_column, or_, select

from zhongshu.act import clocks, states, tasks
from zhongshu.act.tables import case_task
from zhongshu.kernel.area import UNIT, Level, at_level, interval, level_of, show_area
from zhongshu.kernel.clock import SECOND, rfc3339
from zhongshu.kernel.grade import Principal, Scope
from zhongshu.kernel.problem import declare

BAD_PAGE = declare(
    "record.bad_page",
    "invalid",
    zh=("看不懂的翻页标记“{after}”。", "请原样使用上一页返回的 next。"),
    en=("The page mark '{after}' cannot be read.", "Use the `next` of the page before, unchanged."),
)

Document = dict[str, Any]


_CASE = (
    *("id", "number", "class", "class_zh", "class_en", "title_zh", "title_en", "address", "lon"),
    *("lat", "source", "step", "mark", "unit", "holder", "holder_zh", "holder_en", "level"),
    *("voices", "finding", "lead", "indicator", "version", "flags", "check_mode", "redone", "returned"),
    *("rejected", "reopened", "extended", "urged", "tier", "part", "helpers", "command", "receipt", "person"),
)
"""The columns of a case that its document has as they are."""


def as_of(row: Mapping[Any, Any], now: int) -> Mapping[Any, Any]:
    """Return a case's row as it stands now: what another system will close only later in a time that is replayed is open."""
    if row["closed"] is None or row["closed"] <= now:
        return row
    return dict(row) | {"step": "imported", "mark": "", "closed": None, "late": False, "holder": "", "holder_zh": row["source"], "holder_en": row["source"]}


def show_case(row: Mapping[Any, Any], now: int, scope: Scope) -> Document:
    """Turn a case's row into its document."""
    row = as_of(row, now)
    step = states.STEPS[row["step"]]
    overdue = row["due"] is not None and row["closed"] is None and row["parked"] is None and now > row["due"]
    mark = states.MARKS[row["mark"]]
    return hide(
        {key: row[key] for key in _CASE}
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
            "held_due": time_of(row["held_due"]),
            "supervised": time_of(row["supervised"]),
            "supervised_until": time_of(row["supervised_until"]),
            "danger": bool(row["danger"]),
            "asked": row["asked"] and {name: row["asked"][name] for name in ("what", "reason")} | {"until": rfc3339(row["asked"]["until"])},
        },
        scope,
    )


def show_voice(row: Mapping[Any, Any], scope: Scope) -> Document:
    """Turn a request's row into its document; who reported is never shown."""
    plain = ("id", "number", "source", "class", "text", "address", "lon", "lat", "channel", "photos", "state", "repeats", "flags")
    return hide({key: row[key] for key in plain} | {"area": show_area(row["area"]), "created": rfc3339(row["created"])}, scope)


def show_step(step: Mapping[Any, Any], files: list[Document], scope: Scope) -> Document:
    """Turn a line of a history into its document, with its evidence; who reported stays nameless."""
    verb = states.COUNTED if step["detail"].get("early") else states.VERBS[step["verb"]]
    plain = ("seq", "verb", "actor", "actor_name", "reason", "note", "unit", "from_step", "from_mark", "to_step", "to_mark", "version")
    nameless = {"actor": "", "actor_name": "反映人"} if step["verb"] in states.RESULTS else {}
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
            "task": step["detail"].get("task"),
            "what": step["detail"].get("what", ""),
            "until": time_of(step["detail"].get("until")),
            "person": step["detail"].get("person", ""),
        },
        scope,
    )


def show_file(file: Mapping[Any, Any]) -> Document:
    """Turn a kept file into its document, with when and where its camera says it was taken."""
    return {key: file[key] for key in ("sha256", "content_type", "size", "lon", "lat")} | {"taken": time_of(file["taken"])}


def show_verb(row: states.Row, case: Mapping[Any, Any]) -> Document:
    """Say what may be done, and what must be given with it."""
    verb = states.VERBS[row.verb]
    needs = sorted(need for need in row.needs if need != "evidence" or row.verb in case["evidence_at"].split())
    return {"verb": verb.key, "zh": verb.zh, "en": verb.en, "needs": needs, "shortcut": verb.shortcut, "aside": row.verb in states.ASIDE}


def in_scope(c: Any, scope: Scope) -> list[ColumnElement[bool]]:  # noqa: ANN401 (any table's columns that have an area)
    """Return the scope as conditions; nothing allowed is nothing found. A case is also its helpers': of a unit that has a task in it; a voice is also its reporter's."""
    where: list[ColumnElement[bool]] = [or_(false(), *(within(c.area, low, high) for low, high in scope.areas))]
    if scope.unit and "helpers" in c:
        where.append(or_(c.unit == scope.unit, c.id.in_(select(case_task.c.case_id).where(case_task.c.unit == scope.unit))))
    elif scope.unit and "reporter" in c:
        where.append(or_(c.unit == scope.unit, c.reporter == scope.unit))
    elif scope.unit and "unit" in c:
        where.append(c.unit == scope.unit)
    return where


def within(area: Any, low: int, high: int) -> ColumnElement[bool]:  # noqa: ANN401 (a column)
    """Return that an area lies in an interval. One of a street or more is only checked, never searched by: a page of its rows does not need all of them sorted."""
    checked = area if high - low <= UNIT[Level.COMMUNITY] else area + literal_column("0")
    return and_(checked >= low, checked < high)


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


def show_task(row: Mapping[Any, Any], viewer: Principal, now: int) -> Document:
    """Turn another party's task into its document, with what the viewer may do with it."""
    zh, en = states.TASK_STATES[row["state"]]
    kind_zh, kind_en = tasks.KINDS[row["kind"]]
    mine = [move for move in states.TASK_ROWS if move.at[0] == row["state"] and viewer.unit == row["unit"] and viewer.role_names & move.roles]
    verbs = [move.verb for move in mine]
    plain = ("id", "kind", "key", "title_zh", "title_en", "unit", "unit_zh", "unit_en", "state", "needs", "checklist", "choices")
    return {key: row[key] for key in plain} | {
        "state_zh": zh,
        "state_en": en,
        "kind_zh": kind_zh,
        "kind_en": kind_en,
        "made": rfc3339(row["made"]),
        "due": time_of(row["due"]),
        "arrived": time_of(row["arrived"]),
        "ended": time_of(row["ended"]),
        "late": row["due"] is not None and (row["ended"] or now) > row["due"],
        "verbs": [{"verb": verb, "zh": states.VERBS[verb].zh, "en": states.VERBS[verb].en} for verb in verbs],
    }


def show_holding(each: clocks.Holding, now: int) -> Document:
    """Turn one part with one holder into its document; seconds of the wall clock."""
    end = now if each.end is None else each.end
    spent = {"from": rfc3339(each.start), "to": time_of(each.end), "due": time_of(each.due), "spent_s": (end - each.start) // SECOND}
    return {"part": each.part, "holder": each.holder, "charged": each.charged, "late": each.due is not None and end > each.due} | spent


def street_of(area: int) -> tuple[int, int]:
    """Return the first and last code of the street that an area lies in, or of the area itself where it is coarser."""
    low, high = interval(at_level(area, min(level_of(area), Level.STREET)))
    return low, high - 1
