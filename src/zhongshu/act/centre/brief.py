"""The daily brief (每日运行简报), at the start of a day: yesterday's figures against the city's own days before, what holds now, what is to be done today.

Each city is compared with itself alone. The signs that stand out are handed in; areas' names too. Knows no page and no paper.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, or_, select

from zhongshu.act import duty, states, voices
from zhongshu.act.centre import days, instruction, order, report
from zhongshu.act.centre.incident import show as show_incident
from zhongshu.act.centre.line import Document
from zhongshu.act.centre.response import show as show_response
from zhongshu.act.centre.tables import incident, response, warning
from zhongshu.act.centre.warning import show as show_warning
from zhongshu.act.shown import time_of
from zhongshu.act.tables import case_file, request
from zhongshu.kernel.area import show_area
from zhongshu.kernel.clock import parse_time, to_datetime
from zhongshu.kernel.grade import EVERYWHERE, Scope

TOPICS = 5
INSTRUCTIONS = 5
"""So many instructions are told with their words; the count tells of all."""
Namer = Callable[[int, str], str]
"""An area's name by its code and a language."""


@dataclass(frozen=True, slots=True)
class Around:
    """What a brief is told: the city's time (µs) and zone, the signs that stand out {zh, en, area, value, unit, level}, how areas are called, and of which cases the instructions may be told."""

    now: int
    zone: ZoneInfo
    signs: Sequence[Document] = ()
    name: Namer = lambda code, _language: show_area(code)
    scope: Scope = field(default_factory=Scope)


def brief(connection: Connection, day: date, around: Around) -> Document:
    """Return the brief of a day: its figures are those of the day before."""
    of = day - timedelta(days=1)
    mine, before, week = (days.count(connection, each, around.zone) for each in (of, of - timedelta(days=1), of - timedelta(days=7)))
    districts = sorted({code for counts in (mine, before, week) for counter in counts.values() for code in counter})
    figures = [_figure(what, mine[what], before[what], week[what]) for what in days.COUNTED]
    found: Document = {
        "date": day.isoformat(),
        "of": of.isoformat(),
        "figures": figures,
        "districts": [
            {"area": show_area(code), "name_zh": around.name(code, "zh"), "name_en": around.name(code, "en"), **{what: mine[what][code] for what in days.COUNTED}}
            for code in districts
        ],
        "topics": topics(connection, of, around),
        **_held(connection, of, around),
        "signs": list(around.signs),
        "todo": _todo(connection, day, around),
        "instructions": instruction.unfinished(connection, around.scope, around.now)[:INSTRUCTIONS],
    }
    found["holding"] = _held_until(found, around.now)
    said = {
        "sections": {language: _sections(found, language, around.zone) for language in ("zh", "en")},
        "summary": {language: _summary(found, language) for language in ("zh", "en")},
    }
    return found | said | {"title": titles(day)}


def titles(day: date) -> dict[str, str]:
    """Return the brief's title in both languages."""
    return {"zh": f"城市运行每日简报（{day.year} 年 {day.month} 月 {day.day} 日）", "en": f"Daily brief of the city, {day.day} {day:%B %Y}"}


def _figure(what: str, mine: Counter[int], before: Counter[int], week: Counter[int]) -> Document:
    """Return a figure beside the day before (环比) and the same weekday of last week (同比); a change is in per cent, None where there was nothing."""
    now, last, then = (sum(counter.values()) for counter in (mine, before, week))
    zh, en = days.NAMES[what]
    return {"what": what, "zh": zh, "en": en, "value": now, "day_before": last, "week_before": then, "day_change": _change(now, last), "week_change": _change(now, then)}


def _change(now: int, before: int) -> float | None:
    return round(100 * (now - before) / before, 1) if before else None


def topics(connection: Connection, of: date, around: Around) -> list[Document]:
    """Return the classes that most people spoke of that day, by the history's requests; those without a class apart."""
    told = [step["subject"] for step in days.between(connection, *days.bounds(of, around.zone)) if "requests" in days.meanings(step)]
    counted: Counter[str] = Counter()
    for some in (told[i : i + 500] for i in range(0, len(told), 500)):
        for class_, count in connection.execute(select(request.c["class"], func.count()).where(request.c.id.in_(some)).group_by(request.c["class"])):
            counted[class_] += count
    rows = {class_: duty.row_for(connection, class_, around.now) for class_ in counted}
    named = {class_: ("未分类", "Not yet classified") if not class_ else (class_, class_) if row is None else (row["zh"], row["en"]) for class_, row in rows.items()}
    most = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:TOPICS]
    return [{"class": class_, "zh": named[class_][0], "en": named[class_][1], "count": count} for class_, count in most]


def _held(connection: Connection, of: date, around: Around) -> Document:
    """Return the warnings, responses and incidents that held at any time between the day's beginning and now; drills among them, stamped."""
    since, _ = days.bounds(of, around.zone)
    w, r, i = warning.c, response.c, incident.c
    warned = select(warning).where(
        w.message != "Cancel", w.status.in_(("Actual", "Exercise")), w.onset <= around.now, or_(w.expires.is_(None), w.expires > since), or_(w.ended.is_(None), w.ended > since)
    )
    ordered = select(response).where(r.started <= around.now, or_(r.ended.is_(None), r.ended > since))
    rooms = select(incident).where(i.opened <= around.now, or_(i.closed.is_(None), i.closed > since))
    return {
        "warnings": [show_warning(row, around.now) for row in connection.execute(warned.order_by(w.onset, w.id)).mappings()],
        "responses": [show_response(connection, row) for row in connection.execute(ordered.order_by(r.started, r.id)).mappings()],
        "incidents": [show_incident(connection, row) for row in connection.execute(rooms.order_by(i.opened, i.id)).mappings()],
    }


def _todo(connection: Connection, day: date, around: Around) -> Document:
    """Return what the day asks for: cases due today and overdue, reports due, instructions, orders and voices that nobody has accepted."""
    start, end = days.bounds(day, around.zone)
    c = case_file.c
    running = (c.step.in_(states.OPEN), c.parked.is_(None))
    heard = voices.waiting(connection, Scope(EVERYWHERE, 3))

    def total(*which: Any) -> int:  # noqa: ANN401 (conditions)
        return connection.execute(select(func.count()).select_from(case_file).where(*running, *which)).scalar_one()

    return {
        "due_today": total(c.due >= start, c.due < end, c.due > around.now),
        "overdue": total(c.due <= around.now),
        "reports": len(report.waiting(connection, around.now)),
        "instructions": len(instruction.unfinished(connection, Scope(EVERYWHERE, 3), around.now)),
        "orders": len(order.unsigned(connection)),
        "voices": heard["count"],
        "voices_oldest": heard["oldest"],
    }


_WORDS: dict[str, dict[str, Any]] = {
    "zh": {
        "figures": "一、昨日运行",
        "held": "二、预警、响应与事件",
        "signs": "三、异常体征",
        "topics": "四、热点诉求",
        "todo": "五、今日要办",
        "head": ["指标", "昨日", "前一日", "环比", "上周同日", "同比"],
        "area": "区域",
        "none": "无。",
        "summary": "昨日受理 {received} 件，结案 {closed} 件，其中按期 {on_time} 件；市民诉求 {requests} 件。在效预警 {warnings} 条{gone}，应急响应 {responses} 项，体征异常 {signs} 项。今日到期 {due_today} 件，已超时未结 {overdue} 件。",
        "span": "{issuer}，{first} 至 {last}",
        "colon": "：",
        "and": "；",
        "sign": "{area} {value}{unit}（{level}）",
        "open": "另行通知",
        "over": "（已结束）",
        "gone": "（另列已结束 {n} 条）",
        "since": "{state}，自 {first}",
        "asked": "批示：{text}（{last} 前）",
        "heard": "待受理诉求 {voices} 件，最早一件收于 {first}。",
        "heard_none": "没有待受理的诉求。",
        "tasks": "今日到期案件 {due_today} 件，已超时未结 {overdue} 件；待报送信息 {reports} 份，未办结领导批示 {instructions} 件，未签收指令 {orders} 条。",
    },
    "en": {
        "figures": "1. Yesterday",
        "held": "2. Warnings, responses and incidents",
        "signs": "3. Signs out of the ordinary",
        "topics": "4. What people spoke of most",
        "todo": "5. To be done today",
        "head": ["Figure", "Yesterday", "Day before", "Change", "Last week", "Change"],
        "area": "Area",
        "none": "None.",
        "summary": "Yesterday {received} cases were received and {closed} closed, {on_time} of them in time; citizens sent {requests} requests. Warnings in force: {warnings}{gone}; responses: {responses}; signs out of the ordinary: {signs}. Due today: {due_today}; overdue and open: {overdue}.",
        "span": "{issuer}, {first} to {last}",
        "over": " (ended)",
        "gone": " ({n} more listed have ended)",
        "colon": ": ",
        "and": "; ",
        "sign": "{area} {value}{unit} ({level})",
        "open": "further notice",
        "since": "{state}, since {first}",
        "asked": "Instruction: {text} (by {last})",
        "heard": "Requests not yet accepted: {voices}, the oldest since {first}.",
        "heard_none": "No request waits to be accepted.",
        "tasks": "Cases due today {due_today}, overdue {overdue}; reports waiting {reports}, instructions open {instructions}, orders not accepted {orders}.",
    },
}


def _summary(found: Document, language: str) -> str:
    """Return the day in a sentence or two, for whoever reads nothing else."""
    gone = sum(one["over"] for one in found["holding"] if one["noun"] == "warning")
    held: Document = {noun: sum(not one["over"] for one in found["holding"] if one["noun"] == noun[:-1]) for noun in ("warnings", "responses")}
    held |= {"signs": len(found["signs"]), "gone": _WORDS[language]["gone"].format(n=gone) if gone else ""}
    said: str = _WORDS[language]["summary"].format_map({figure["what"]: figure["value"] for figure in found["figures"]} | found["todo"] | held)
    return said


def _held_until(found: Document, now: int) -> list[Document]:
    """Return what held, one by one: whose it is, and from when until when, by its own end or by what ended it before; page and paper tell this."""
    told: list[tuple[str, Document, str, str, tuple[str | None, ...]]] = [
        ("warning", one, one["issuer"], one["onset"], (one["ended"], one["expires"])) for one in found["warnings"]
    ]
    told += [("response", one, one["ordered_by"], one["started"], (one["ended"],)) for one in found["responses"]]
    told += [("incident", one, "", one["opened"], (one["closed"],)) for one in found["incidents"]]
    out = []
    for noun, one, who, first, ends in told:
        until = min((parse_time(end) for end in ends if end is not None), default=None)
        said = {name: one[name] for name in ("id", "title_zh", "title_en")} | {"noun": noun, "who": who, "from": first, "until": time_of(until)}
        out.append(said | {"over": until is not None and until <= now, "state_zh": one.get("state_zh", ""), "state_en": one.get("state_en", "")})
    return sorted(out, key=lambda one: one["over"])


def _holding(found: Document, language: str, zone: ZoneInfo) -> list[str]:
    """Return what held, a line each: its title, whose it is, and from when until when."""
    words = _WORDS[language]
    lines = []
    for one in found["holding"]:
        if one["noun"] == "incident":
            said = words["since"].format(state=one[f"state_{language}"], first=_when(one["from"], zone))
        else:
            said = words["span"].format(issuer=one["who"], first=_when(one["from"], zone), last=_when(one["until"], zone) or words["open"]) + (words["over"] if one["over"] else "")
        lines.append(f"{one[f'title_{language}']}{words['colon']}{said}")
    return lines


def _when(told: str | None, zone: ZoneInfo) -> str:
    return "" if told is None else to_datetime(parse_time(told)).astimezone(zone).strftime("%m-%d %H:%M")


def _sections(found: Document, language: str, zone: ZoneInfo) -> list[Document]:
    """Return a brief as sections {head, lines, tables} in one language."""
    words, other = _WORDS[language], language
    figures = [[f[other], str(f["value"]), str(f["day_before"]), _percent(f["day_change"]), str(f["week_before"]), _percent(f["week_change"])] for f in found["figures"]]
    areas = [[d[f"name_{other}"], *(str(d[what]) for what in days.COUNTED)] for d in found["districts"]]
    heads = [days.NAMES[what][0 if other == "zh" else 1] for what in days.COUNTED]
    held = _holding(found, language, zone)
    asked = [words["asked"].format_map(one | {"last": _when(one["until"], zone)}) for one in found["instructions"]]
    signs, todo = _signs(found["signs"], language), found["todo"]
    heard = words["heard" if todo["voices"] else "heard_none"].format_map(todo | {"first": _when(todo["voices_oldest"], zone)})
    topics_ = [f"{t[other]} {t['count']}" for t in found["topics"]]
    return [
        {"head": words["figures"], "lines": [], "tables": [[words["head"], *figures], [[words["area"], *heads], *areas]] if areas else [[words["head"], *figures]]},
        {"head": words["held"], "lines": held or [words["none"]], "tables": []},
        {"head": words["signs"], "lines": signs or [words["none"]], "tables": []},
        {"head": words["topics"], "lines": ["；".join(topics_) if other == "zh" else "; ".join(topics_)] if topics_ else [words["none"]], "tables": []},
        {"head": words["todo"], "lines": [words["tasks"].format_map(todo), heard, *asked], "tables": []},
    ]


def _signs(signs: Sequence[Document], language: str) -> list[str]:
    """Return the signs that stand out, a line for each sign, with its areas, values and levels."""
    words = _WORDS[language]
    lines: dict[str, list[str]] = {}
    for sign in signs:
        unit = "" if sign["unit"] == "1" else f" {sign['unit']}"
        lines.setdefault(sign[language], []).append(words["sign"].format(area=sign[f"area_name_{language}"], value=sign["value"], unit=unit, level=sign[f"level_{language}"]))
    return [f"{name}{words['colon']}{words['and'].join(said)}" for name, said in lines.items()]


def _percent(change: float | None) -> str:
    return "—" if change is None else f"{change:+.1f}%"
