"""A case's row: found, written, who holds it, and what screens are told of it. Knows no verb's meaning."""

from typing import Any

from sqlalchemy import bindparam, insert, select, update

from zhongshu.act import duty, states
from zhongshu.act.deed import Deed, Entry, record
from zhongshu.act.refusals import NO_EVIDENCE, ONCE_REUSED, STALE, UNKNOWN
from zhongshu.act.tables import case_file, case_step, evidence
from zhongshu.kernel.area import show_area
from zhongshu.kernel.bus import News
from zhongshu.kernel.clock import rfc3339

Case = dict[str, Any]
Changes = dict[str, Any]

_ONCE = select(case_step.c.subject, case_step.c.verb).where(case_step.c.once == bindparam("once"))
_ONE = select(case_file).where(case_file.c.id == bindparam("id"))
_INSERT = insert(case_file)
_UPDATE = update(case_file).where(case_file.c.id == bindparam("b_id"), case_file.c.version == bindparam("b_version"))
_TOUCH = update(case_file).where(case_file.c.id == bindparam("b_id"))


def get(deed: Deed, case_id: str) -> Case:
    """Return a case's row. Raises `case.unknown`."""
    found = deed.connection.execute(_ONE, {"id": case_id}).mappings().one_or_none()
    if found is None:
        raise UNKNOWN(id=case_id)
    return dict(found)


def add(deed: Deed, case: Case) -> None:
    """Write a new case's row."""
    deed.connection.execute(_INSERT, case)


def store(deed: Deed, case: Case, changes: Changes) -> Case:
    """Write a step's changes and return the row as it is now. Raises `case.stale` if another step came first."""
    result = deed.connection.execute(_UPDATE, {"b_id": case["id"], "b_version": case["version"], **changes})
    if result.rowcount != 1:
        raise STALE(number=case["number"], have="?", given=case["version"])
    return case | changes


def touch(deed: Deed, case_id: str, **changes: Any) -> None:  # noqa: ANN401 (columns of any type)
    """Write changes that make no one's decision stale."""
    deed.connection.execute(_TOUCH, {"b_id": case_id, **changes})


def note(deed: Deed, case: Case, verb: str, *, happened: int | None = None, detail: dict[str, Any] | None = None, reason: str = "", unit: str = "", once: str | None = None) -> int:
    """Write a line that leads nowhere into a case's history, and return its seq."""
    ends = (case["step"], case["mark"])
    return record(
        deed,
        Entry(
            "case",
            case["id"],
            case["number"],
            case["area"],
            verb,
            case["version"],
            ends,
            ends,
            happened=happened,
            reason=reason,
            unit=unit or case["unit"],
            detail=detail or {},
            once=once,
        ),
    )


def due_line(deed: Deed, case: Case, at: int, *, early: bool = False) -> None:
    """Write that a case should now have been closed: its limit ran out, or, earlier, it was."""
    note(deed, case, "due", happened=at, detail={"early": True} if early else {})


def holder(deed: Deed, place: tuple[str, str], case: Case) -> Changes:
    """Return who holds a case at a place: a desk, or the unit it was sent to."""
    names = states.HOLDERS.get(place)
    if case["command"] and names is not None and names[0] == "dispatcher":
        names = (case["command"], *duty.unit_names(deed.connection, case["command"]))
    elif names is None and case.get("holder") == case["unit"]:
        names = (case["unit"], case["holder_zh"], case["holder_en"])
    elif names is None:
        zh, en = duty.unit_names(deed.connection, case["unit"]) if case["unit"] else (case["source"], case["source"])
        names = (case["unit"], zh, en)
    return {"holder": names[0], "holder_zh": names[1], "holder_en": names[2]}


_TOLD = (
    *("id", "number", "class", "title_zh", "title_en", "step", "mark", "holder", "holder_zh", "holder_en", "unit", "level", "indicator", "finding", "lead"),
    *("voices", "version", "part", "tier", "helpers", "command", "receipt"),
)


def tell(deed: Deed, case: Case, verb: str, left: str = "") -> None:
    """Leave news of a case for the screens; `left`: the unit that no longer holds it, which hears of it this once more."""
    step = states.STEPS[case["step"]]
    times = {name: None if case[name] is None else rfc3339(case[name]) for name in ("due", "closed", "held_due", "supervised")}
    body = {name: case[name] for name in _TOLD} | times
    body |= {"left": left, "verb": verb, "step_zh": step.zh, "step_en": step.en, "area": show_area(case["area"]), "at": rfc3339(deed.now), "late": bool(case["late"])}
    deed.news.append(News("case", case["area"], body))


def known(deed: Deed, names: tuple[str, ...]) -> None:
    """Refuse evidence that was not uploaded. Raises `case.evidence_unknown`."""
    have = set(deed.connection.execute(select(evidence.c.sha256).where(evidence.c.sha256.in_(names))).scalars()) if names else set()
    for sha256 in names:
        if sha256 not in have:
            raise NO_EVIDENCE(sha256=sha256)


def done_before(deed: Deed, once: str, case_id: str, verb: str) -> bool:
    """Tell whether a step was sent before under this key. Raises `case.once_reused` if it was another."""
    found = deed.connection.execute(_ONCE, {"once": once}).one_or_none()
    if found is not None and tuple(found) != (case_id, verb):
        raise ONCE_REUSED()
    return found is not None
