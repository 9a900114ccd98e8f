"""Looking back (复盘): the timeline of an incident or a case from the history alone: when it was seen, told, sent, arrived at, done; gaps and limits.

Who reported stays nameless. Reads only.
"""

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, or_, select

from zhongshu.act import clocks, states
from zhongshu.act.centre import order, report
from zhongshu.act.centre.incident import SAID
from zhongshu.act.centre.line import Document, Row
from zhongshu.act.tables import case_file, case_step, request
from zhongshu.kernel.clock import SECOND, parse_time, rfc3339, to_datetime

MOMENTS = {
    "seen": ("发现", "seen"),
    "told": ("报告", "told"),
    "sent": ("派出", "sent"),
    "arrived": ("到场", "arrived"),
    "done": ("办完", "done"),
    "closed": ("结束", "closed"),
}
_WORDS: dict[str, tuple[str, str]] = {
    **{key: (verb.zh, verb.en) for key, verb in states.VERBS.items()},
    "opened": ("发现线索", "lead opened"),
    "ended": ("消警", "finding ended"),
    "sign": ("签收", "signed"),
}
"""The verbs of a case and of what stood before it."""


def of_incident(connection: Connection, row: Row) -> Document:
    """Return the review of an incident: its own lines, its orders', its reports', and those of the cases linked to it; it was seen when the first of them was."""
    orders = [each["id"] for each in order.of_incident(connection, row["id"])]
    reports = report.ids(connection, row["id"])
    lines = _lines(connection, [row["id"], *orders, *reports])
    cases = {id_: _of_case(connection, id_) for id_ in row["cases"]}
    for held in cases.values():
        lines += held
    seen = min([row["happened"], *(step["happened"] for held in cases.values() for step in held)])
    lines.sort(key=lambda step: (step["at"], step["seq"]))
    at = _moments(lines) | {"seen": seen, "closed": row["closed"]}
    limits = _limits(lines) + [limit for held in cases.values() for limit in _holdings(held)]
    return _document(row, lines, at, limits)


def of_case(connection: Connection, case: Mapping[str, Any]) -> Document:
    """Return the review of a case: its own lines, its lead's, and those of the requests that spoke of it."""
    lines = _of_case(connection, case["id"])
    return _document({**case, "drill": False}, lines, _moments(lines), _holdings(lines))


def _of_case(connection: Connection, id_: str) -> list[Row]:
    lead = select(case_file.c.lead).where(case_file.c.id == id_).scalar_subquery()
    told = select(request.c.id).where(request.c.case_id == id_)
    rows = connection.execute(
        select(case_step).where(or_(case_step.c.subject == id_, case_step.c.subject == lead, case_step.c.subject.in_(told))).order_by(case_step.c.seq)
    ).mappings()
    return _kept(dict(row) for row in rows)


def _lines(connection: Connection, subjects: list[str]) -> list[Row]:
    return _kept(dict(row) for row in connection.execute(select(case_step).where(case_step.c.subject.in_(subjects)).order_by(case_step.c.seq)).mappings())


def _kept(lines: Iterable[Row]) -> list[Row]:
    held = list(lines)
    undone = {step["detail"].get("undoes") for step in held} - {None}
    return [step for step in held if step["seq"] not in undone and not step["detail"].get("undoes")]


_SIGNS: dict[str, frozenset[tuple[str, str]]] = {
    "seen": frozenset({("lead", "opened"), ("request", "received")}),
    "told": frozenset({("incident", "open")}),
    "sent": frozenset({("order", "send"), ("case", "dispatch"), ("case", "make_safe"), ("case", "rule")}),
    "arrived": frozenset({("order", "accept"), ("case", "take"), ("case", "arrive")}),
    "done": frozenset({("order", "done"), ("case", "handle")}),
    "closed": frozenset({("incident", "close"), ("case", "close"), ("case", "source_close")}),
}
"""The lines that mark each moment: the first of the first four, the last of the last two."""


def _moments(lines: list[Row]) -> dict[str, int | None]:
    found: dict[str, int | None] = dict.fromkeys(MOMENTS)
    for step in lines:
        for moment, signs in _SIGNS.items():
            opens = moment == "told" and step["kind"] == "case" and step["from_step"] == ""
            if (step["kind"], step["verb"]) in signs or opens:
                at = step["happened"] if moment == "seen" else step["at"]
                known = found[moment]
                found[moment] = at if known is None or moment in {"done", "closed"} else min(known, at)
    if found["seen"] is None and lines:
        found["seen"] = lines[0]["happened"]
    return found


def _limits(lines: list[Row]) -> list[Document]:
    """Return what each order and report took against its limit, by their lines alone; what was dropped or withdrawn before its limit was never owed."""
    found: dict[str, Document] = {}
    for step in lines:
        if step["kind"] not in {"order", "report"}:
            continue
        begins = step["verb"] in {"send", "draft"} and step["subject"] not in found
        if begins:
            words = (step["detail"].get("title_zh"), step["detail"].get("title_en")) if step["kind"] == "order" else report.KINDS[step["detail"]["kind"]]
            found[step["subject"]] = {"what_zh": words[0], "what_en": words[1], "number": step["number"], "start": step["at"], "due": step["detail"]["due"], "end": None}
        if (step["kind"], step["verb"]) in {("order", "done"), ("order", "decline"), ("report", "send")}:
            found[step["subject"]]["end"] = step["at"]
        if (step["kind"], step["verb"]) in {("report", "drop"), ("order", "cancel")}:
            due = found[step["subject"]]["due"]
            if due is None or step["at"] <= due:
                del found[step["subject"]]
            else:
                found[step["subject"]]["end"] = step["at"]
    return list(found.values())


def _holdings(lines: list[Row]) -> list[Document]:
    held = clocks.holdings(step for step in lines if step["kind"] == "case")
    return [{"what_zh": _part(each.part, 0), "what_en": _part(each.part, 1), "number": each.holder, "start": each.start, "due": each.due, "end": each.end} for each in held]


_PARTS = {"review": ("退单审核", "review of a return"), "ruling": ("会商裁定", "ruling"), "sign": ("签收", "signing")}


def _part(part: str, language: int) -> str:
    return _PARTS.get(part, _WORDS.get(part, (part, part)))[language]


def _document(row: Mapping[str, Any], lines: list[Row], at: dict[str, int | None], limits: list[Document]) -> Document:
    known = [(name, time) for name, time in at.items() if time is not None]
    gaps = [
        {"from": a, "to": b, "zh": f"{MOMENTS[a][0]}→{MOMENTS[b][0]}", "en": f"{MOMENTS[a][1]} to {MOMENTS[b][1]}", "s": (until - since) // SECOND}
        for (a, since), (b, until) in pairwise(known)
        if until >= since
    ]
    return {
        "number": row["number"],
        "title_zh": row["title_zh"],
        "title_en": row["title_en"],
        "drill": bool(row["drill"]),
        "moments": [{"key": key, "zh": MOMENTS[key][0], "en": MOMENTS[key][1], "at": None if time is None else rfc3339(time)} for key, time in at.items()],
        "gaps": gaps,
        "limits": [_limit(limit) for limit in limits],
        "timeline": [_entry(step) for step in lines],
    }


def _limit(limit: Document) -> Document:
    end, due = limit["end"], limit["due"]
    times = {name: None if limit[name] is None else rfc3339(limit[name]) for name in ("start", "due", "end")}
    over = None if end is None or due is None else max(0, end - due) // SECOND
    return {name: limit[name] for name in ("what_zh", "what_en", "number")} | times | {"over_s": over, "late": bool(over)}


def _entry(step: Row) -> Document:
    zh, en = _said(step)
    nameless = step["kind"] == "request" or step["verb"] in states.RESULTS
    who = {"by": "", "actor": ""} if nameless else {"by": step["actor_name"], "actor": step["actor"]}
    return {"seq": step["seq"], "at": rfc3339(step["at"]), "kind": step["kind"], "number": step["number"], "verb": step["verb"], "zh": zh, "en": en, "note": _note(step)} | who


def _note(step: Row) -> str:
    return "" if step["kind"] == "request" else step["note"] or step["reason"]


def _said(step: Row) -> tuple[str, str]:
    return SAID.get((step["kind"], step["verb"]), _WORDS.get(step["verb"], (step["verb"], step["verb"])))


def sections(document: Document, zone: tzinfo) -> dict[str, list[Document]]:
    """Return a review as sections {head, lines, tables} in each language, with the city's own time; who acted is told by `by_zh` and `by_en` where they stand."""
    return {language: _sections(document, language, zone) for language in ("zh", "en")}


def _sections(document: Document, language: str, zone: tzinfo) -> list[Document]:
    i = 0 if language == "zh" else 1

    def clock(told: str | None, *, seconds: bool = True) -> str:
        return "—" if told is None else f"{to_datetime(parse_time(told)).astimezone(zone):{'%m-%d %H:%M:%S' if seconds else '%m-%d %H:%M'}}"

    heads = (("一、关键时刻", "二、时限", "三、时间线"), ("1. Moments", "2. Limits", "3. Timeline"))[i]
    rows = [[clock(line["at"]), line["number"], line[language], line.get(f"by_{language}", line["by"]), line["note"][:80]] for line in document["timeline"]]
    limited = [[limit[f"what_{language}"], *(clock(limit[name], seconds=False) for name in ("start", "due", "end")), _over(limit, i)] for limit in document["limits"]]
    moments = [[moment[language] for moment in document["moments"]], [clock(moment["at"]) for moment in document["moments"]]]
    gaps = ("；" if i == 0 else "; ").join(f"{gap[language]} {gap['s'] // 60} min" for gap in document["gaps"])
    titles = (
        (["事项", "开始", "时限", "完成", "超出"], ["时间", "编号", "事项", "人员", "说明"]),
        (["What", "Began", "Limit", "Ended", "Over"], ["Time", "Number", "What", "Who", "Note"]),
    )[i]
    return [
        {"head": heads[0], "lines": [gaps] if gaps else [], "tables": [moments]},
        {"head": heads[1], "lines": [], "tables": [[titles[0], *limited]]},
        {"head": heads[2], "lines": [], "tables": [[titles[1], *rows]]},
    ]


def _over(limit: Document, language: int) -> str:
    if limit["over_s"] is None:
        return "—"
    over = limit["over_s"] // 60
    return f"{over} min" if over > 0 else ("按时", "in time")[language]
