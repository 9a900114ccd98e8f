"""A vital sign, declared once: what is measured, over which window and areas, in which unit, by which formula, and its bands.

Knows the declaration's form and what it compiles to; knows no store, no engine and no screen. A version is the hash of the content.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from zhongshu.judge.formula import parse
from zhongshu.kernel.area import Level
from zhongshu.kernel.clock import DAY, parse_duration
from zhongshu.kernel.condition import check
from zhongshu.kernel.expression import Expression, names
from zhongshu.kernel.finding import SEVERITY, Status
from zhongshu.kernel.ids import stable_id
from zhongshu.kernel.live import EACH, MEASURES, CellSpec
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.quantity import Property, known_unit
from zhongshu.kernel.reason import why

BAD_INDICATOR = declare(
    "indicator.invalid",
    "invalid",
    zh=("体征指标 {code} 的声明有误：{why_zh}。", "请更正声明；其余指标不受影响。"),
    en=("The declaration of vital sign {code} is wrong: {why_en}.", "Correct the declaration; the other signs are not affected."),
)

MAX_PANES = 60
LEVELS = {"city": Level.CITY, "district": Level.DISTRICT, "street": Level.STREET, "community": Level.COMMUNITY, "cell": Level.CELL}
STATIC = ("registered", "population")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a band: from this value on, this level. `facet`: the bound is an entity's own; `window`: the step looks at another window, µs."""

    level: Status
    op: str
    value: float
    facet: str = ""
    window: int = 0
    native: str = ""


@dataclass(frozen=True, slots=True)
class Band:
    """Steps with the document they come from; without a source there is no band and no colour. Dates are the city's days."""

    source: Mapping[str, str]
    steps: tuple[Step, ...]
    valid_from: date = date.min
    valid_to: date = date.max
    place: int = 0
    by: str = ""
    by_value: str = ""
    period: tuple[str, str] | None = None

    def describe(self) -> dict[str, Any]:
        """Return the band as plain values for people."""
        steps = [{"level": s.level, "op": s.op, "value": s.facet or s.value, "native": s.native} | ({"window_s": s.window // 1_000_000} if s.window else {}) for s in self.steps]
        return {
            "source": dict(self.source),
            "steps": steps,
            "valid_from": None if self.valid_from == date.min else self.valid_from.isoformat(),
            "valid_to": None if self.valid_to == date.max else self.valid_to.isoformat(),
            "place": f"{self.place:015d}" if self.place else None,
            "by": self.by or None,
            "period": list(self.period) if self.period else None,
        }


@dataclass(frozen=True, slots=True)
class Indicator:
    """A vital sign, compiled: its measures as cell specs, its formula as a tree (None: the single measure itself), its bands.

    `valid_from`: the city's day from which this definition is in force, until a later one of the same code is.
    """

    code: str
    name: Mapping[str, str]
    words: Mapping[str, str]
    unit: str
    decimals: int
    theme: str
    owner: str
    stale_after: int
    levels: tuple[Level, ...]
    measures: Mapping[str, CellSpec]
    tree: Expression | None
    tables: Mapping[str, tuple[tuple[float, float], ...]]
    empty: Mapping[str, float]
    bands: tuple[Band, ...]
    declared: str
    pack: str = ""
    version: str = field(default="", compare=False)
    valid_from: date = date.min

    def specs(self) -> list[CellSpec]:
        """Return every cell spec it needs, those of its bands' other windows too."""
        own = list(self.measures.values())
        windows = {s.window for b in self.bands for s in b.steps if s.window}
        return own + [widen(spec, window) for window in sorted(windows) for spec in own]

    def statics(self) -> set[str]:
        """Return which standing facts its formula names."""
        return set() if self.tree is None else {n.value for n in names(self.tree)} & set(STATIC)


def widen(spec: CellSpec, window: int) -> CellSpec:
    """Return the same measure over another window."""
    return replace(spec, window=window, hop=default_hop(window))


def default_hop(window: int) -> int:
    """Return the window's twelfth, or the next larger part that divides it."""
    return next(window // panes for panes in range(12, 0, -1) if window % panes == 0)


def read_indicator(row: dict[str, Any], properties: Mapping[str, Property], pack: str = "") -> Indicator:
    """Read one [[indicator]] table of TOML."""
    code = str(row.get("code", "?"))
    try:
        measures, empty = _measures(row, properties)
        tree = parse(row["derive"]) if row.get("derive") else None
        _check(row, measures, tree, properties)
        longest = max((m.window for m in measures.values()), default=0)
        levels = tuple(LEVELS[name] for name in row.get("levels", [n for n, lv in LEVELS.items() if longest < DAY or lv <= Level.STREET]))
        rhythm = max((properties[m.property].rhythm for m in measures.values()), default=0)
        name = row["name"]
        return Indicator(
            code,
            name,
            row.get("formula", name),
            str(row["unit"]),
            int(row.get("decimals", 1)),
            str(row.get("theme", "")),
            str(row["owner"]),
            parse_duration(row["stale_after"]) if "stale_after" in row else max(3 * rhythm, 60_000_000),
            levels,
            measures,
            tree,
            {k: tuple((float(x), float(y)) for x, y in table) for k, table in row.get("tables", {}).items()},
            empty,
            tuple(read_band(b) for b in row.get("bands", [])),
            _show(row),
            pack,
            stable_id(json.dumps(row, sort_keys=True, default=str)),
            day_of(row.get("valid_from"), date.min),
        )
    except (Problem, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BAD_INDICATOR(code=code, **why(error)) from error


def _measures(row: dict[str, Any], properties: Mapping[str, Property]) -> tuple[dict[str, CellSpec], dict[str, float]]:
    rows = row.get("measures") or {"value": row}
    empty = {name: float(m["empty"]) for name, m in rows.items() if "empty" in m}
    return {name: _measure(m, row, properties) for name, m in rows.items()}, empty


def _measure(row: dict[str, Any], whole: dict[str, Any], properties: Mapping[str, Property]) -> CellSpec:
    if row["of"] not in properties:
        raise ValueError(f"no property {row['of']}")  # noqa: EM102, TRY003 (becomes the Problem's reason)
    measure, each = row["measure"], row.get("each", "")
    if measure not in MEASURES or each not in EACH:
        raise ValueError(f"no measure {each} {measure}")  # noqa: EM102, TRY003
    if measure == "share" and "when" not in row:
        raise ValueError("a share needs `when`")  # noqa: EM101, TRY003
    window = parse_duration(row.get("window", whole.get("window", "")))
    stated = str(row.get("hop", whole.get("hop", "")))
    hop = parse_duration(stated) if stated else default_hop(window)
    if window % hop or not 1 <= window // hop <= MAX_PANES:
        raise ValueError(f"the hop must divide the window into at most {MAX_PANES} panes")  # noqa: EM102, TRY003
    where, when = (parse(row[name]) if row.get(name) else None for name in ("where", "when"))
    if where is not None:
        check(where)
    if when is not None:
        check(when, of_entities=bool(each))
    return CellSpec(row["of"], measure, window, hop, each, where, when, row.get("weight", ""))


def _check(row: dict[str, Any], measures: Mapping[str, CellSpec], tree: Expression | None, properties: Mapping[str, Property]) -> None:
    if tree is None and len(measures) != 1:
        raise ValueError("several measures need `derive`")  # noqa: EM101, TRY003
    if tree is not None:
        unknown = {n.value for n in names(tree)} - set(measures) - set(STATIC)
        if unknown:
            raise ValueError(f"the formula names {', '.join(sorted(unknown))}, which is no measure")  # noqa: EM102, TRY003
        return
    (spec,) = measures.values()
    prop = properties[spec.property]
    if spec.measure not in {"count", "share", "distinct"} and spec.each != "count" and (known_unit(str(row["unit"])) is not None or prop.unit != "1"):
        prop.factor(str(row["unit"]))


def read_band(row: dict[str, Any]) -> Band:
    """Read one band; one without a source is refused, for it could not be answered for."""
    source = row.get("source") or {}
    if not source.get("doc"):
        raise ValueError("a band needs a source with a document")  # noqa: EM101, TRY003
    by, _, by_value = str(row.get("by", "")).partition("=")
    period = row.get("period")
    steps = tuple(sorted((_step(s) for s in row["steps"]), key=lambda s: -SEVERITY[s.level]))
    return Band(
        {k: str(v) for k, v in source.items()},
        steps,
        day_of(row.get("valid_from"), date.min),
        day_of(row.get("valid_to"), date.max),
        int(row.get("place", 0) or 0),
        by.strip(),
        by_value.strip(" '\""),
        (period["from"], period["to"]) if period else None,
    )


def _step(row: dict[str, Any]) -> Step:
    level, op = Status(row["level"]), str(row["op"])
    if op not in {">=", ">", "<", "<=", "="} or level not in {Status.GREEN, Status.YELLOW, Status.ORANGE, Status.RED}:
        raise ValueError(f"no step {level} {op}")  # noqa: EM102, TRY003
    value = row["value"]
    facet = value.removeprefix("entity.") if isinstance(value, str) else ""
    return Step(level, op, 0.0 if facet else float(value), facet, parse_duration(row["window"]) if "window" in row else 0, str(row.get("native", "")))


def day_of(value: object, default: date) -> date:
    """Read a declaration's date; the city's day."""
    if value is None:
        return default
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def _show(row: dict[str, Any]) -> str:
    """Write a declaration as TOML-like lines for people, in its own order."""
    lines = []

    def put(prefix: str, table: dict[str, Any]) -> None:
        for key, value in table.items():
            if isinstance(value, dict) and key in {"measures", "tables"}:
                for name, inner in value.items():
                    if isinstance(inner, dict):
                        lines.append(f"[{prefix}{key}.{name}]")
                        put("", inner)
                    else:
                        lines.append(f"{key}.{name} = {json.dumps(inner, ensure_ascii=False, default=str)}")
            elif key != "bands":
                lines.append(f"{key} = {json.dumps(value, ensure_ascii=False, default=str)}")

    put("", row)
    return "\n".join(lines)
