"""Vital signs, and what stands behind each: the explain panel's whole content; and the findings that rules made of them."""

from dataclasses import replace
from typing import Any

from zhongshu.act import record as desk
from zhongshu.judge import Indicator, record
from zhongshu.kernel.area import Level, interval, level_of, parse_area, show_area
from zhongshu.kernel.clock import BAD_TIME, parse_time, rfc3339
from zhongshu.kernel.condition import quote
from zhongshu.kernel.finding import Status
from zhongshu.kernel.grade import EVERYWHERE, Scope
from zhongshu.kernel.problem import declare
from zhongshu.kernel.reading import Flag
from zhongshu.serve.api.hourly import rolled_up_before
from zhongshu.serve.api.readings import page
from zhongshu.serve.city import City
from zhongshu.serve.door import Asked, Door

AHEAD = declare(
    "vitals.ahead",
    "invalid",
    zh=("{text} 还没有到，没有体征可看。", "未来的体征由推演给出：见 /api/runs。"),
    en=("{text} has not come; there are no signs of it.", "What is to come is foreseen by runs: see /api/runs."),
)
EARLIEST, LATEST = parse_time("1971-01-01T00:00:00Z"), parse_time("2200-01-01T00:00:00Z")
"""Between these a value may be asked for: bands are looked up by the city's days, which the ends of the calendar have not got."""
LEVELS = {"city": Level.CITY, "district": Level.DISTRICT, "street": Level.STREET, "community": Level.COMMUNITY, "cell": Level.CELL}


def indicators(asked: Door) -> dict[str, Any]:
    """List the declared vital signs with their formula, SQL and bands."""
    explainer = asked.city.explainer
    at = asked.city.watch.memory.at or asked.city.clock.now()
    return {"items": [explainer.describe(i) | {"sql": explainer.sql(i, Level.CITY, at)} for i in asked.city.watch.indicators.values()], "next": None}


def vitals(asked: Door, area: str = "", indicator: str = "", depth: str = "", level: str = "", at: str = "") -> dict[str, Any]:
    """List the values of an area, or with `depth` of all areas of that level inside it; one indicator or all; now, or as they were known `at` a time."""
    city = asked.city
    within = parse_area(area) if area else city.about.code
    if at:
        rows = _past(asked, _moment(city, at), within, indicator, LEVELS.get(depth, Level.STREET) if depth else level_of(within))
        return {"items": [r for r in rows if not level or r["level"] == level], "next": None}
    codes = [city.explainer.indicator(indicator)] if indicator else list(city.watch.indicators.values())
    now, todo = city.clock.now(), city.office.read(record.unacknowledged)
    known = city.guard.scope(asked.principal, "read", "case")
    actions = [] if known.unit else city.office.read(lambda conn: _actions(conn, known))
    low, high = interval(within)
    areas = [within] if not depth else [a.code for a in city.areas.at(LEVELS.get(depth, Level.STREET)) if low <= a.code < high]
    rows = [_tile(city, i, a, now, todo, actions) for i in codes for a in areas if asked.scope.holds(a)]
    return {"items": [r for r in rows if not level or r["level"] == level], "next": None}


def _moment(city: City, text: str) -> int:
    """Return a past time a screen may be looked back at. Raises `time.bad`, `vitals.ahead`."""
    moment = parse_time(text)
    if not EARLIEST <= moment < LATEST:
        raise BAD_TIME(text=text)
    if moment > city.clock.now():
        raise AHEAD(text=text)
    return moment


def _past(asked: Asked, moment: int, within: int, indicator: str, level: Level) -> list[dict[str, Any]]:
    """Return rows as they were at a time, computed from what was known then by the definitions then in force."""
    city, explainer = asked.city, asked.city.explainer
    declared = [explainer.indicator(indicator, moment)] if indicator else list(explainer.in_force(moment).values())
    signs = [sign for sign in declared if level in sign.levels]
    low, high = interval(within)
    areas = [area.code for area in city.areas.at(level) if low <= area.code < high and asked.scope.holds(area.code)]
    found = explainer.recompute_all(signs, moment, levels=(level,)) if areas else {}
    bare: dict[str, Any] = {"spark": [], "last_action": None, "finding": None, "acknowledged": True}
    return [explainer.row(sign, area, moment, found[sign.code]) | bare for sign in signs for area in areas]


def _actions(conn: Any, known: Scope) -> list[tuple[str, int, dict[str, Any]]]:  # noqa: ANN401 (a SQLAlchemy connection)
    """Return what was last done about each open finding, newest first, where the asker may see its lead or case: (indicator, area, action)."""
    rows = record.listing(conn, Scope(EVERYWHERE), "open", limit=1000)
    last = desk.last_actions(conn, [row["id"] for row in rows])
    return [(row["indicator"], int(row["area"]), {**action, "area": show_area(action["area"])}) for row in rows if (action := last.get(row["id"])) and known.holds(action["area"])]


def _tile(city: City, indicator: Indicator, area: int, now: int, todo: dict[tuple[str, int], str], actions: list[tuple[str, int, dict[str, Any]]]) -> dict[str, Any]:
    low, high = interval(area)
    finding = next((id_ for (code, where), id_ in todo.items() if code == indicator.code and low <= where < high), None)
    action = next((a for code, where, a in actions if code == indicator.code and low <= where < high), None)
    spark = [[rfc3339(t), v] for t, v in city.sparks.get((indicator.code, area), [])]
    return city.explainer.row(indicator, area, now) | {"spark": spark, "last_action": action, "finding": finding, "acknowledged": finding is None}


def explain(asked: Door, indicator: str, area: str) -> dict[str, Any]:
    """Open one value: formula, band and source, SQL, live beside recomputed, raw readings, findings, cases, offset and ledger."""
    city, code = asked.city, parse_area(area)
    _within(asked, code)
    held = city.explainer.explain(indicator, code, city.clock.now())
    declared = city.explainer.indicator(indicator)
    rows = readings(asked, indicator, area, limit=20)
    known = city.guard.scope(asked.principal, "read", "case")
    cases = [
        case | {"may": _may(asked, "case", int(case["area"]), ("dispatch",))}
        for case in city.office.read(lambda conn: desk.of_sign(conn, _narrow(known, code), indicator, code, city.clock.now()))
    ]
    below = [{**row, **_names(city, int(row["area"]))} for row in held["contributing"] if asked.scope.holds(int(row["area"]))]
    return (
        held
        | _names(city, code, "area_")
        | {
            "contributing": below,
            "readings": rows,
            "flags": _flags(city, declared, code),
            "findings": city.office.read(lambda conn: _findings(asked, conn, declared, code)),
            "cases": cases,
            "journal": {"offset": city.journal.head()},
            "ledger": {"hash": city.ledger.head.hash},
            "spark": [[rfc3339(t), v] for t, v in city.sparks.get((indicator, code), [])],
        }
    )


def _within(asked: Asked, code: int) -> None:
    asked.city.guard.require(asked.principal, "read", "vital", code)


def _narrow(scope: Scope, code: int) -> Scope:
    low, high = interval(code)
    areas = tuple((max(a, low), min(b, high)) for a, b in scope.areas if a < high and low < b)
    return Scope(areas, scope.grade, scope.hidden, scope.unit)


def _findings(asked: Asked, conn: Any, declared: Indicator, code: int) -> list[dict[str, Any]]:  # noqa: ANN401 (a SQLAlchemy connection)
    return with_words(asked, record.listing(conn, asked.scope, area=code, indicator=declared.code, limit=20), conn)


def _names(city: City, code: int, prefix: str = "") -> dict[str, str]:
    return {f"{prefix}name_zh": city.areas.name(code, "zh"), f"{prefix}name_en": city.areas.name(code, "en")}


def _flags(city: City, declared: Indicator, code: int) -> dict[str, int]:
    """Count the quality flags of the readings in its measures' windows, by one scan."""
    low, high = interval(code)
    at, out = city.watch.memory.at or city.clock.now(), dict[str, int]()
    spans = {(spec.property, *spec.span(at)) for spec in declared.measures.values()}
    behind = " OR ".join(f"(property = {quote(name)} AND valid >= {start} AND valid < {end})" for name, start, end in sorted(spans))
    table = city.lake.query(f"SELECT flags, count(*) AS n FROM readings WHERE area >= {low} AND area < {high} AND ({behind}) GROUP BY 1")
    for row in table.to_pylist():
        for flag in Flag:
            if row["flags"] & flag and flag.name:
                out[flag.name.lower()] = out.get(flag.name.lower(), 0) + row["n"]
    return out


def readings(asked: Door, indicator: str, area: str, after: str = "", limit: int = 100) -> dict[str, Any]:
    """List the raw readings behind a value, newest first, those of the last second too; nothing to who may see values but not readings."""
    city, code = asked.city, parse_area(area)
    _within(asked, code)
    asked = replace(asked, scope=city.guard.scope(asked.principal, "read", "reading"))
    low, high = interval(code)
    at = city.watch.memory.at or city.clock.now()
    parts = []
    for spec in city.explainer.indicator(indicator).measures.values():
        start, _ = spec.span(at)
        parts.append(f"(property = {quote(spec.property)} AND valid >= {start})")
    return page(asked, f"area >= {low} AND area < {high} AND ({' OR '.join(parts)})", {}, after, limit)


def series(asked: Door, indicator: str, area: str, to: str = "", points: int = 48, hours: float = 24) -> dict[str, Any]:
    """Return a value's history at evenly spaced boundaries, computed from the record; none where the readings it would need were let go."""
    city, code = asked.city, parse_area(area)
    _within(asked, code)
    end = parse_time(to) if to else city.watch.memory.at or city.clock.now()
    if not EARLIEST <= end < LATEST:
        raise BAD_TIME(text=to)
    start = end - round(max(0.1, min(hours, 24 * 31)) * 3_600_000_000)
    declared = city.explainer.indicator(indicator)
    rows = city.explainer.series(declared, code, start, end, max(2, min(points, 96)))
    before = rolled_up_before(city, {spec.property for spec in declared.measures.values()}, interval(code)) or 0
    longest = max((spec.window for spec in declared.specs()), default=0)
    items = [{"at": rfc3339(t), "value": v, "level": lv} if t - longest >= before else {"at": rfc3339(t), "value": None, "level": str(Status.STALE)} for t, v, lv in rows]
    return {"items": items, "next": None, "rolled_up_before": rfc3339(before) if before else None}


def findings(asked: Door, state: str = "open", area: str = "", indicator: str = "", limit: int = 200) -> dict[str, Any]:
    """List findings, newest first."""
    city, code = asked.city, parse_area(area) if area else None
    return {"items": city.office.read(lambda conn: with_words(asked, record.listing(conn, asked.scope, state, code, indicator, max(1, min(limit, 500))), conn)), "next": None}


def with_words(asked: Asked, rows: list[dict[str, Any]], conn: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (a SQLAlchemy connection)
    """Add names, units, and the lead and case of findings where the asker may see them."""
    city = asked.city
    known = city.guard.scope(asked.principal, "read", "case")
    rules = {rule.code: rule for held in city.watch.rules.values() for rule in held}
    of = desk.of_findings(conn, [row["id"] for row in rows if not known.unit and known.holds(int(row["area"]))])
    out = []
    for row in rows:
        rule, indicator = rules.get(row["rule"]), city.watch.indicators.get(row["indicator"])
        names = {"rule_zh": rule.name.get("zh", row["rule"]) if rule else row["rule"], "rule_en": rule.name.get("en", row["rule"]) if rule else row["rule"]}
        may = _may(asked, "finding", int(row["area"]), ("acknowledge",)) + _may(asked, "lead", int(row["area"]), ("confirm",))
        out.append(
            row | names | _names(city, int(row["area"]), "area_") | {"may": may, "unit": indicator.unit if indicator else ""} | {"lead": None, "case": None} | of.get(row["id"], {})
        )
    return out


def _may(asked: Asked, kind: str, area: int, verbs: tuple[str, ...]) -> list[str]:
    """Return which of these verbs the asker may do there."""
    return [verb for verb in verbs if asked.city.guard.scope(asked.principal, "act", kind, verb=verb).holds(area)]


def acknowledge(asked: Door, id: str) -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Take notice of a finding: its light stops blinking."""
    city = asked.city
    row = city.office.read(lambda conn: record.get(conn, id))
    city.guard.require(asked.principal, "act", "finding", row["area"], verb="acknowledge")

    def work(deed: Any) -> None:  # noqa: ANN401 (act's Deed)
        record.acknowledge(deed.connection, id, asked.principal.id, deed.now)
        deed.witness(deed.connection, "finding.acknowledge", id, {"area": show_area(row["area"])})

    city.office.write(asked.principal, work)
    return city.office.read(lambda conn: with_words(asked, [record.document(record.get(conn, id))], conn)[0])
