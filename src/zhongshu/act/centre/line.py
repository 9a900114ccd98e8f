"""How the centre's rows are found, changed, written into the one history, and told to screens; a drill is stamped on all of it. Knows no noun's rules."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, or_, select, update

from zhongshu.act.centre import tables
from zhongshu.act.centre.refusals import NO_THEME, STALE, UNKNOWN
from zhongshu.act.deed import Deed, Entry, record
from zhongshu.act.duty import book
from zhongshu.act.urgency import mode as modes
from zhongshu.kernel.area import city_of, interval, show_area
from zhongshu.kernel.bus import News
from zhongshu.kernel.clock import rfc3339, to_datetime
from zhongshu.kernel.grade import Scope

Row = dict[str, Any]
Document = dict[str, Any]

NOUNS: dict[str, tuple[Table, str, str]] = {
    "warning": (tables.warning, "预警", "warning"),
    "response": (tables.response, "应急响应", "response"),
    "mode": (modes, "平急转换", "mode"),
    "incident": (tables.incident, "突发事件", "incident"),
    "order": (tables.incident_order, "指令", "order"),
    "report": (tables.incident_report, "信息报送", "report"),
    "handover": (tables.handover, "交接班", "handover"),
    "instruction": (tables.instruction, "领导批示", "instruction"),
}
"""Each noun's table and names; the noun is the kind of its lines in the history."""
DRILL_ZH, DRILL_EN = "【演练】", "[EXERCISE] "


def find(connection: Connection, noun: str, id_: str) -> Row:
    """Return a row by its id or number. Raises `centre.unknown`."""
    table, zh, en = NOUNS[noun]
    found = connection.execute(select(table).where(or_(table.c.id == id_, table.c.number == id_))).mappings().first()
    if found is None:
        raise UNKNOWN(id=id_, zh=zh, en=en)
    return dict(found)


def change(deed: Deed, noun: str, row: Row, changes: Row, seen: int | None = None) -> Row:
    """Write changes and return the row as it is now, one version on. Raises `centre.stale` if it was decided on another version."""
    table = NOUNS[noun][0]
    if seen is not None and seen != row["version"]:
        raise STALE(number=row["number"], have=row["version"], given=seen)
    changes = {**changes, "version": row["version"] + 1}
    done = deed.connection.execute(update(table).where(table.c.id == row["id"], table.c.version == row["version"]).values(changes))
    if done.rowcount != 1:
        raise STALE(number=row["number"], have="?", given=row["version"])
    return row | changes


def write(deed: Deed, noun: str, row: Row, verb: str, *, ends: tuple[str, str] = ("", ""), reason: str = "", note: str = "", unit: str = "", detail: Row | None = None) -> int:
    """Append a line to the history, stamped if it is a drill's, and return its seq."""
    drill = bool(row.get("drill"))
    said = [f"{DRILL_ZH}{text}" if drill and text else text for text in (reason, note)]
    more = (detail or {}) | ({"drill": True} if drill else {})
    line = Entry(noun, row["id"], row["number"], row["area"], verb, row["version"], (ends[0], ""), (ends[1], ""), reason=said[0], note=said[1], unit=unit, detail=more)
    return record(deed, line)


def tell(deed: Deed, noun: str, row: Row, verb: str, **more: Any) -> None:  # noqa: ANN401 (JSON)
    """Leave news for the screens; a drill's says so."""
    body = {"id": row["id"], "number": row["number"], "area": show_area(row["area"]), "verb": verb, "at": rfc3339(deed.now), "drill": bool(row.get("drill")), "noun": noun}
    kind = "incident" if noun in {"order", "report"} else noun
    deed.news.append(News(kind, row["area"], body | more))


def stamped(text: str, *, drill: bool, language: str) -> str:
    """Return a text with the drill's stamp before it, once."""
    mark = DRILL_ZH if language == "zh" else DRILL_EN
    return f"{mark}{text}" if drill and text and not text.startswith(mark) else text


def told(deed: Deed, at: int) -> str:
    """Return a time (µs) as the city's people write it."""
    return f"{to_datetime(at).astimezone(deed.zone):%Y-%m-%d %H:%M}"


def over(areas: Sequence[int]) -> int:
    """Return the one area that stands for several: itself, or the city."""
    return areas[0] if len(areas) == 1 else city_of(areas[0])


def touches(scope: Scope, row: Mapping[Any, Any]) -> bool:
    """Tell whether any of a row's areas meets the scope."""
    return any(scope.touches(*interval(area)) for area in row["areas"])


def meets(areas: Sequence[int], area: int) -> bool:
    """Tell whether an area lies in one of these, or holds one of them."""
    low, high = interval(area)
    return any(a < high and low < b for a, b in map(interval, areas))


def theme_names(connection: Connection, theme: str) -> tuple[str, str]:
    """Return a theme's names in zh and en as the table of modes has them (its rows of effect `name`), or the theme itself."""
    held = book(connection)
    named = held.made.get("themes")
    if named is None:
        named = held.made["themes"] = {row.cells["theme"]: (row.cells["zh"], row.cells["en"]) for row in held.every("modes") if row.cells["effect"] == "name"}
    found: tuple[str, str] = named.get(theme, (theme, theme))
    return found


def check_theme(connection: Connection, theme: str, now: int) -> None:
    """Refuse a theme that no table of modes, plans or rosters names, if any of them names one. Raises `centre.no_theme`."""
    held = book(connection)
    known = sorted({row.cells["theme"] for kind in ("modes", "plans", "roster") for row in held.all_at(kind, now)} - {""})
    if known and theme not in known:
        said = {f"known_{language}": ", ".join(f"{each} {theme_names(connection, each)[i]}" for each in known) for i, language in enumerate(("zh", "en"))}
        raise NO_THEME(theme=theme, **said)


def titled(row: Mapping[Any, Any], words: tuple[str, str]) -> tuple[str, str]:
    """Return a title in both languages, stamped if what it belongs to is a drill's."""
    drill = bool(row["drill"])
    return stamped(words[0], drill=drill, language="zh"), stamped(words[1], drill=drill, language="en")
