"""综合评价: what areas, departments and posts did in a span of days, from the same readings of the history as the signs, compared with themselves.

No composite ships: a score is reckoned only where the city brings weights, dated rows with a source. Cases left out by a ruling are listed with it. Reads only.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, false, or_, select

from zhongshu.act import duty, sought
from zhongshu.act.relay import readings_of
from zhongshu.act.states import RESULTS
from zhongshu.act.tables import case_file, case_step, request
from zhongshu.kernel.area import Level, at_level, interval, level_of, show_area
from zhongshu.kernel.clock import DAY, rfc3339
from zhongshu.kernel.grade import Scope
from zhongshu.kernel.problem import declare

BAD_SPAN = declare(
    "evaluation.bad_span",
    "invalid",
    zh=("评价的时段不对：{start} 至 {end}。", "请给出先后正确、不超过 {most} 天的起止日期。"),
    en=("The span {start} to {end} cannot be evaluated.", "Give a first day and a last one not before it, at most {most} days apart."),
)
OBJECTS = {"area": ("区域", "areas"), "department": ("部门", "departments"), "post": ("岗位", "posts")}
LONGEST = 400
"""No more days are evaluated at once."""
YEAR = 365


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of case readings, in its unit, and whether more is better: a count; a mean of two counts; or a share.

    A share is of cases, each once: of those below the line, how many are above it as well, so that it never passes 100. With `less_of` it is of deeds.
    """

    key: str
    zh: str
    en: str
    of: str
    over: str = ""
    unit: str = ""
    more: bool = True
    less_of: str = ""

    def value(self, group: "Group") -> float | None:
        """Return the measure of a group; None where there is nothing to measure."""
        counts = group.counts
        top = counts.get(self.of, 0) - (counts.get(self.less_of, 0) if self.less_of else 0)
        if self.unit == "%" and not self.less_of and self.over.startswith("Case."):
            below = group.cases.get(self.over, set())
            return round(100 * len(below & group.cases.get(self.of, set())) / len(below), 2) if below else None
        if not self.over:
            return float(top)
        under = counts.get(self.over, 0)
        if not under:
            return None
        return round(100 * max(top, 0) / under, 2) if self.unit == "%" else round(top / under / 3600, 3)


MEASURES = (
    Measure("opened", "立案数", "Cases opened", "Case.opened"),
    Measure("due", "应结案数", "Cases due", "Case.due"),
    Measure("closed", "结案数", "Cases closed", "Case.closed"),
    Measure("self_handled", "自行处置数", "Handled on the spot", "Case.self_handled"),
    Measure("closing", "结案率", "Closing rate", "Case.closed", "Case.due", "%"),
    Measure("on_time", "按期结案率", "On-time closing", "Case.closed_on_time", "Case.due", "%"),
    Measure("redo", "返工率", "Redone", "Case.redone", "Case.dispatched", "%", more=False),
    Measure("right_dispatch", "派遣准确率", "Right dispatches", "Case.dispatched", "Case.dispatched", "%", less_of="Case.dispatch_returned"),
    Measure("reopened", "重新办理率", "Re-opened", "Case.reopened", "Case.closed", "%", more=False),
    Measure("part_overdue", "环节超时数", "Parts over their limit", "Case.part_overdue", more=False),
    Measure("dispatch_h", "平均派遣时长", "Mean time of dispatching", "Case.dispatch_s", "Case.dispatch_s#", "h", more=False),
    Measure("sign_h", "平均签收时长", "Mean time until taken", "Case.sign_s", "Case.sign_s#", "h", more=False),
    Measure("handle_h", "平均处置时长", "Mean time of handling", "Case.handle_s", "Case.handle_s#", "h", more=False),
    Measure("check_h", "平均核查时长", "Mean time of checking", "Case.check_s", "Case.check_s#", "h", more=False),
    Measure("answered", "回访数", "Voices called back", "voice.called"),
    Measure("solved", "解决率", "Solved", "voice.solved", "voice.reached", "%"),
    Measure("satisfied", "满意率", "Satisfied", "voice.satisfied", "voice.rated", "%"),
)
"""Response, solution and satisfaction stand apart; nothing here is added up."""
UNHELD = frozenset({"opened"})
"""What happens before any department has the case: it is none's."""


@dataclass(slots=True)
class Group:
    """One object of the evaluation: its counts, and the cases behind each of them."""

    counts: Counter[str] = field(default_factory=Counter)
    cases: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


@dataclass(frozen=True, slots=True)
class Span:
    """From a time (µs) on, up to another, not with it."""

    start: int
    end: int

    def before(self, days: int) -> "Span":
        """Return the same span so many days earlier."""
        return Span(self.start - days * DAY, self.end - days * DAY)


def evaluate(connection: Connection, scope: Scope, span: Span, area: int, party: str = "", of: str = "area") -> dict[str, Any]:
    """Evaluate a span in an area, for its sub-areas, its departments or its posts; beside it the span before (环比) and the same a year before (同比).

    Raises `evaluation.bad_span`.
    """
    if not 0 < span.end - span.start <= LONGEST * DAY:
        raise BAD_SPAN(start=rfc3339(span.start), end=rfc3339(span.end), most=LONGEST)
    out = left_out(connection, scope, area)
    length = max(1, (span.end - span.start) // DAY)
    spans = {"now": span, "before": span.before(length), "year": span.before(YEAR)}
    told = {name: _groups(connection, scope, each, area, of, {row["id"] for row in out}) for name, each in spans.items()}
    names = [name for name in sorted(told["now"]) if not party or name == party]
    held = [row for row in duty.book(connection).all_at("weights", span.end) if row.cells["object"] == of]
    weights = {row.cells["indicator"]: row.cells for row in held}
    return {
        "object": of,
        "from": rfc3339(span.start),
        "to": rfc3339(span.end),
        "area": show_area(area),
        "measures": [{name: getattr(each, name) for name in ("key", "zh", "en", "unit", "more")} for each in MEASURES],
        "items": [_shown(connection, of, name, told, weights) for name in names],
        "left_out": out,
        "weights": [{name: row.cells[name] for name in ("indicator", "weight", "basis", "basis_en")} | {"since": rfc3339(row.valid_from), "from": row.source} for row in held],
    }


def behind(connection: Connection, scope: Scope, span: Span, area: int, of: str, name: str, measure: str) -> list[dict[str, Any]]:
    """Return the cases behind a figure: number, title, step; those above the line of a share and those below it alike."""
    sought.known("measure", measure, [each.key for each in MEASURES])
    wanted = next(each for each in MEASURES if each.key == measure)
    out = {row["id"] for row in left_out(connection, scope, area)}
    group = _groups(connection, scope, span, area, of, out).get(name, Group())
    numbers = sorted(set().union(*(group.cases.get(part.removesuffix("#"), set()) for part in (wanted.of, wanted.over, wanted.less_of) if part)))
    rows = connection.execute(select(case_file).where(case_file.c.number.in_(numbers[:5000])).order_by(case_file.c.number)).mappings()
    above = group.cases.get(wanted.of, set())
    plain = ("id", "number", "title_zh", "title_en", "step", "unit", "class_zh", "class_en")
    return [{key: row[key] for key in plain} | {"counted": row["number"] in above, "late": bool(row["late"])} for row in rows]


def left_out(connection: Connection, scope: Scope, area: int) -> list[dict[str, Any]]:
    """Return the cases that a ruling leaves out of every denominator (无理诉求, 客观不能), each with the ruling."""
    low, high = interval(area)
    ruled = (
        select(*(case_step.c[name] for name in ("subject", "number", "at", "reason", "verb", "actor", "actor_name")), case_file.c.title_zh, case_file.c.title_en)
        .join(case_file, case_file.c.id == case_step.c.subject)
        .where(case_step.c.kind == "case", case_step.c.verb.in_(("exclude", "include")), case_step.c.area >= low, case_step.c.area < high, _in(case_step.c.area, scope))
        .order_by(case_step.c.seq)
    )
    last = {row.subject: row for row in connection.execute(ruled)}
    return [
        {
            "id": row.subject,
            "number": row.number,
            "title_zh": row.title_zh,
            "title_en": row.title_en,
            "at": rfc3339(row.at),
            "reason": row.reason,
            "by": row.actor_name,
            "by_id": row.actor,
        }
        for row in last.values()
        if row.verb == "exclude"
    ]


def _groups(connection: Connection, scope: Scope, span: Span, area: int, of: str, out: set[str]) -> dict[str, Group]:
    low, high = interval(area)
    here = and_(case_step.c.area >= low, case_step.c.area < high, _in(case_step.c.area, scope))
    lines = connection.execute(select(case_step).where(case_step.c.kind == "case", case_step.c.at >= span.start, case_step.c.at < span.end, here)).mappings().all()
    undone = {line["detail"].get("undoes") for line in lines} | {line["detail"].get("lifted", {}).get("seq") for line in lines}
    groups: dict[str, Group] = defaultdict(Group)
    for line in lines:
        if line["seq"] in undone or line["subject"] in out:
            continue
        name = _name(of, area, line)
        for reading in readings_of(dict(line)) if name else ():
            group, prop = groups[name], reading["property"]
            group.counts[prop] += reading["value"]
            group.counts[f"{prop}#"] += 1
            group.cases[prop].add(line["number"])
    if of != "post":
        _voices(connection, scope, span, area, of, groups, out)
    return groups


def _voices(connection: Connection, scope: Scope, span: Span, area: int, of: str, groups: dict[str, Group], out: set[str]) -> None:
    """Count what the calls brought, each when it was made: reached and solved apart from satisfied. Before the third nobody took a call, it brought nothing."""
    low, high = interval(area)
    here = and_(case_step.c.area >= low, case_step.c.area < high, _in(case_step.c.area, scope))
    called = (
        select(case_step.c.area, case_step.c.detail, case_file.c.unit, case_file.c.number, case_file.c.id)
        .join(request, request.c.id == case_step.c.subject)
        .join(case_file, case_file.c.id == request.c.case_id, isouter=True)
        .where(case_step.c.kind == "request", case_step.c.verb.in_(("call_back", "missed")), case_step.c.at >= span.start, case_step.c.at < span.end, here)
    )
    for row in connection.execute(called).mappings():
        name = row["unit"] or "" if of == "department" else show_area(_below(area, row["area"]))
        result, satisfied = row["detail"].get("result", ""), row["detail"].get("satisfied")
        if not name or not result or row["id"] in out:
            continue
        found = {"voice.called": True, "voice.reached": result != "unreachable", "voice.solved": result == "solved"}
        found |= {"voice.rated": satisfied is not None, "voice.satisfied": (satisfied or 0) >= 4}  # noqa: PLR2004 (of five grades)
        for prop, so in found.items():
            groups[name].counts[prop] += int(so)
            if so and row["number"]:
                groups[name].cases[prop].add(row["number"])


def _name(of: str, area: int, line: Mapping[Any, Any]) -> str:
    if of == "area":
        return show_area(_below(area, line["area"]))
    if of == "department":
        return str(line["unit"] or line["detail"].get("unit_before", ""))
    return str(line["actor"]) if line["actor"] not in {"system", "instrument"} and line["verb"] not in {"report", *RESULTS} else ""


def _below(area: int, code: int) -> int:
    """Return the sub-area of an area that holds a code: the next finer level."""
    level = min(Level.CELL, Level(level_of(area) + 1))
    return at_level(code, min(level, level_of(code)))


def _in(column: Any, scope: Scope) -> Any:  # noqa: ANN401 (a column and a condition)
    return or_(false(), *(and_(column >= low, column < high) for low, high in scope.areas))


def _shown(connection: Connection, of: str, name: str, told: Mapping[str, Mapping[str, Group]], weights: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    values = {when: {each.key: each.value(groups[name]) if name in groups else None for each in MEASURES} for when, groups in told.items()}
    zh, en = duty.unit_names(connection, name) if of == "department" else (name, name)
    return {
        "name": name,
        "name_zh": zh,
        "name_en": en,
        **{
            as_: {key: value if of != "department" or key not in UNHELD else None for key, value in values[when].items()}
            for as_, when in (("values", "now"), ("before", "before"), ("year", "year"))
        },
        "score": _score(values["now"], weights.values()),
        "cases": len(set().union(*told["now"][name].cases.values())),
    }


def _score(values: Mapping[str, float | None], weights: Iterable[Mapping[str, Any]]) -> float | None:
    """Reckon the weighted mean of the shares the city weighs; a measure where less is better counts as what is left of 100. None without weights."""
    known = {each.key: each for each in MEASURES if each.key in duty.SHARES}
    parts = [
        (row["weight"], value if known[row["indicator"]].more else 100 - value) for row in weights if row["indicator"] in known and (value := values[row["indicator"]]) is not None
    ]
    total = sum(weight for weight, _ in parts)
    return round(sum(weight * value for weight, value in parts) / total, 2) if total else None
