"""Emergency responses (应急响应): level Ⅳ to Ⅰ, started, changed and ended by an order of a command body. A numeral, never a colour; no rule moves it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, or_, select

from zhongshu.act.centre import line
from zhongshu.act.centre.line import Document, Row
from zhongshu.act.centre.refusals import ALREADY, NO_VERB, NOT_NOW
from zhongshu.act.centre.tables import response
from zhongshu.act.deed import MISSING, Deed, number
from zhongshu.act.shown import time_of
from zhongshu.kernel.area import show_area
from zhongshu.kernel.clock import rfc3339
from zhongshu.kernel.grade import Scope
from zhongshu.kernel.ids import uuid7

LETTER = "X"
NUMERALS = {1: "Ⅰ", 2: "Ⅱ", 3: "Ⅲ", 4: "Ⅳ"}
VERBS = {"change": ("调整", "change"), "end": ("终止", "end")}


@dataclass(frozen=True, slots=True)
class Order:
    """What a response is started, changed or ended by: who ordered it, on which document; level 1 (gravest) to 4; `at` µs, now if None."""

    ordered_by: str
    basis: str
    theme: str = ""
    level: int = 0
    areas: tuple[int, ...] = ()
    text_zh: str = ""
    text_en: str = ""
    drill: bool = False
    version: int | None = None

    def check(self) -> None:
        """Refuse an order that does not say who and on what basis. Raises `case.missing`."""
        for name, words in (("ordered_by", "命令签发人"), ("basis", "依据文件")):
            if not getattr(self, name).strip():
                raise MISSING(zh=words, en=name)


def start(deed: Deed, order: Order) -> Row:
    """Start a response. Raises `case.missing`, and `mode.already` if one of the theme holds in an area already."""
    order.check()
    if order.level not in NUMERALS or not order.theme or not order.areas:
        raise MISSING(zh="级别、主题、区域", en="level, theme, areas")
    for held in in_force(deed.connection, deed.now, drills=True):
        if held["theme"] == order.theme and bool(held["drill"]) == order.drill and any(line.meets(held["areas"], area) for area in order.areas):
            raise ALREADY(theme=order.theme, areas=", ".join(map(show_area, order.areas)), number=held["number"])
    area = line.over(order.areas)
    row = {"id": uuid7(), "number": number(deed, area, deed.now, LETTER), "area": area, "areas": list(order.areas), "started": deed.now, "ended": None, "version": 1}
    row |= {name: getattr(order, name) for name in ("theme", "level", "ordered_by", "basis", "text_zh", "text_en", "drill")}
    deed.connection.execute(insert(response), row)
    _line(deed, row, "start", order)
    return row


def act(deed: Deed, id_: str, verb: str, order: Order) -> Row:
    """Change a response's level, areas or text, or end it, by an order. Raises `centre.unknown`, `centre.not_now`, `centre.stale`, `case.missing`."""
    if verb not in VERBS:
        raise NO_VERB(verb=verb, verbs=", ".join(VERBS))
    order.check()
    row = line.find(deed.connection, "response", id_)
    if row["ended"] is not None:
        raise NOT_NOW(number=row["number"], state_zh="已终止", state_en="ended", verb_zh=VERBS[verb][0], verb_en=VERBS[verb][1])
    if verb == "end":
        changes: Row = {"ended": deed.now}
    else:
        if order.level not in NUMERALS:
            raise MISSING(zh="级别", en="level")
        changes = {"level": order.level} | {name: value for name in ("text_zh", "text_en") if (value := getattr(order, name))}
        changes |= {"areas": list(order.areas), "area": line.over(order.areas)} if order.areas else {}
    after = line.change(deed, "response", row, changes, order.version)
    _line(deed, after, verb, order, row["level"])
    return after


def _line(deed: Deed, row: Row, verb: str, order: Order, before: int = 0) -> None:
    ends = (NUMERALS.get(before, ""), "" if verb == "end" else NUMERALS[row["level"]])
    line.write(deed, "response", row, verb, ends=ends, reason=order.basis, detail={"ordered_by": order.ordered_by, "level": row["level"]})
    line.tell(deed, "response", row, verb, theme=row["theme"], level=NUMERALS[row["level"]])


def in_force(connection: Connection, at: int, area: int | None = None, *, drills: bool = False) -> list[Row]:
    """Return the responses in force at a time (µs), the gravest first; drills only if asked for."""
    c = response.c
    query = select(response).where(c.started <= at, or_(c.ended.is_(None), c.ended > at), *(() if drills else (c.drill.is_(False),)))
    rows = connection.execute(query.order_by(c.level, c.started)).mappings()
    return [dict(row) for row in rows if area is None or line.meets(row["areas"], area)]


def listing(connection: Connection, scope: Scope, now: int, *, every: bool = False, limit: int = 100) -> list[Document]:
    """Return the responses that touch a scope: those in force, drills with them, or with `every` those ended too, newest first."""
    query = select(response).where(*(() if every else (or_(response.c.ended.is_(None), response.c.ended > now),))).order_by(response.c.started.desc(), response.c.id.desc())
    return [show(connection, row) for row in connection.execute(query).mappings() if line.touches(scope, row)][:limit]


def show(connection: Connection, row: Mapping[Any, Any]) -> Document:
    """Turn a response's row into its document."""
    numeral, (zh, en) = NUMERALS[row["level"]], line.theme_names(connection, row["theme"])
    title = line.titled(row, (f"{zh}{numeral}级应急响应", f"{en}: emergency response level {numeral}"))
    plain = ("id", "number", "theme", "ordered_by", "basis", "text_zh", "text_en", "version")
    return {name: row[name] for name in plain} | {
        "level": numeral,
        "title_zh": title[0],
        "title_en": title[1],
        "drill": bool(row["drill"]),
        "areas": [show_area(area) for area in row["areas"]],
        "started": rfc3339(row["started"]),
        "ended": time_of(row["ended"]),
    }
