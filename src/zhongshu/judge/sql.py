"""The same measures said in SQL over `readings`: what the warehouse answers is, part for part, what the live cells hold.

One dialect is written (DuckDB); sqlglot turns it into another engine's where a city has one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from zhongshu.kernel.area import UNIT, Level, keyed
from zhongshu.kernel.condition import quote, to_sql
from zhongshu.kernel.histogram import percentile
from zhongshu.kernel.live import CellSpec, Parts, fields
from zhongshu.kernel.quantity import Property
from zhongshu.kernel.rollup import BLANK

_OUTER = {
    "count": ("count(*)", "1"),
    "sum": ("sum(ticks)::BIGINT", "1"),
    "mean": ("sum(ticks)::BIGINT", "count(*)"),
    "min": ("min(ticks)", "1"),
    "max": ("max(ticks)", "1"),
    "last": ("max({'at': latest, 'ticks': ticks}).ticks", "1"),
    "distinct": ("count(DISTINCT entity)", "1"),
}
_EACH = {"last": "max({'valid': valid, 'ticks': ticks}).ticks", "max": "max(ticks)", "min": "min(ticks)", "sum": "sum(ticks)::BIGINT", "count": "count(*)"}


def sql_bin(ticks: str) -> str:
    """Say `bins` in SQL: the length of the binary form is what a double's exponent tells."""
    shift = f"greatest(length(bin(abs({ticks}))) - 7, 0)"
    return f"(sign({ticks})::BIGINT * ({shift} * 64 + (abs({ticks}) >> {shift})))"


def parts_sql(spec: CellSpec, level: Level, at: int, properties: Mapping[str, Property]) -> str:
    """Return SQL for (code, num, den, count, latest) of a spec at a boundary; for percentiles (code, bin, n, count, latest)."""
    prop = properties[spec.property]
    code = f"area // {UNIT[level]} * {UNIT[level]}"
    rows = _rows(spec, prop, spec.span(at))
    if spec.measure == "p95" and not spec.each:
        return f"SELECT {code} AS code, {sql_bin('ticks')} AS bin, count(*) AS n, max(valid) AS latest\nFROM ({rows})\nGROUP BY ALL"
    if spec.each:
        rows = f"SELECT area, entity, {_EACH[spec.each]} AS ticks, max(valid) AS latest, count(*) AS n\n  FROM ({rows})\n  GROUP BY area, entity"
        if spec.measure == "p95":
            return f"SELECT {code} AS code, {sql_bin('ticks')} AS bin, count(*) AS n, sum(n)::BIGINT AS count, max(latest) AS latest\nFROM ({rows})\nGROUP BY ALL"
    else:
        rows = f"SELECT area, entity, source, ticks, valid AS latest, 1 AS n{', flags' if spec.when is not None else ''}{', w' if spec.weight else ''}\n  FROM ({rows})"
    num, den = _num_den(spec, prop)
    weights = f"\n  LEFT JOIN ({_weights(spec)}) USING (entity)" if spec.weight and spec.each else ""
    return f"SELECT {code} AS code, {num} AS num, {den} AS den, sum(n)::BIGINT AS count, max(latest) AS latest\nFROM ({rows}){weights}\nGROUP BY 1"


def _num_den(spec: CellSpec, prop: Property) -> tuple[str, str]:
    if spec.measure == "share" and spec.when is not None:
        return f"count(*) FILTER (WHERE {to_sql(spec.when, prop)})", "count(*)"
    if spec.weight and spec.measure in {"mean", "sum"}:
        return "sum(ticks * coalesce(w, 0))::BIGINT", "sum(coalesce(w, 0))::BIGINT" if spec.measure == "mean" else "1"
    return _OUTER[spec.measure]


def _weights(spec: CellSpec) -> str:
    return f"SELECT entity, round_even(number, 0)::BIGINT AS w FROM facets WHERE name = {quote(spec.weight)} AND number IS NOT NULL"


def _rows(spec: CellSpec, prop: Property, span: tuple[int, int]) -> str:
    low, high = span
    where = [f"property = {quote(spec.property)}", f"valid >= {low}", f"valid < {high}", "ticks IS NOT NULL"]
    where += [to_sql(spec.where, prop)] if spec.where is not None else []
    join = f" JOIN ({_weights(spec)}) USING (entity)" if spec.weight and not spec.each else ""
    return f"SELECT area, entity, source, valid, ticks, flags{', w' if join else ''} FROM readings{join}\n    WHERE {' AND '.join(where)}"


def to_parts(table: pa.Table, spec: CellSpec, level: Level) -> Parts:
    """Read the answer of `parts_sql` at a level."""
    if not len(table):
        return Parts.empty()
    if spec.measure == "p95":
        return _percentile_parts(table, spec, level)
    table = table.sort_by("code")
    return Parts(keyed(_ints(table["code"]), level), *(_ints(table[name]) for name in ("num", "den", "count", "latest")))


def _percentile_parts(table: pa.Table, spec: CellSpec, level: Level) -> Parts:
    table = table.sort_by([("code", "ascending"), ("bin", "ascending")])
    codes, n, at = _ints(table["code"]), _ints(table["n"]), _ints(table["latest"])
    starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
    count = _ints(table["count"]) if spec.each else n
    return Parts(
        keyed(codes[starts], level), percentile(_ints(table["bin"]), n, starts, 95), np.ones(len(starts), np.int64), np.add.reduceat(count, starts), np.maximum.reduceat(at, starts)
    )


def _ints(column: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.asarray(column.cast(pa.int64()).fill_null(0), np.int64)


def scans(specs: Iterable[CellSpec]) -> list[list[CellSpec]]:
    """Return specs in sets of which each can be answered by one scan: the same readings of the same span, by the same sub."""
    groups: dict[tuple[str, int, int, str, str], list[CellSpec]] = {}
    for spec in dict.fromkeys(specs):
        groups.setdefault((spec.property, spec.window, spec.hop, _sub(spec), "" if spec.each else spec.weight), []).append(spec)
    return list(groups.values())


def scan_sql(specs: Sequence[CellSpec], at: int, properties: Mapping[str, Property]) -> str:
    """Return SQL for the cells of one set of `scans` over the window seen at a time: (area, sub, then `n_0`, `latest_0`, … for each spec in order)."""
    cells, rows = _scan(specs, specs[0].span(at), properties)
    return f"SELECT area, {_sub(specs[0])} AS sub, {cells}\nFROM ({rows})\nGROUP BY 1, 2\nORDER BY area"


def windows_sql(specs: Sequence[CellSpec], times: Sequence[int], properties: Mapping[str, Property], interval: tuple[int, int] | None = None) -> str:
    """Return SQL for the cells of one set of `scans` over the windows seen at several times, of the areas in an interval: (i, area, sub, …), i the time's place."""
    hop, panes = specs[0].hop, specs[0].window // specs[0].hop
    ends = [t // hop for t in times]
    more = "" if interval is None else f" AND area >= {interval[0]} AND area < {interval[1]}"
    cells, rows = _scan(specs, ((min(ends) - panes + 1) * hop, (max(ends) + 1) * hop), properties, more)
    moments = ", ".join(f"({i}, {end})" for i, end in enumerate(ends))
    folded = ", ".join(_folded(field, k) for k, spec in enumerate(specs) for field in fields(spec))
    return (
        f"SELECT i, area, sub, {folded}\nFROM (SELECT valid // {hop} AS pane, area, {_sub(specs[0])} AS sub, {cells}\nFROM ({rows})\nGROUP BY 1, 2, 3)\n"
        f"JOIN (SELECT i, unnest(range(ending - {panes - 1}, ending + 1)) AS pane FROM (VALUES {moments}) AS moments(i, ending)) USING (pane)\n"
        "GROUP BY i, area, sub\nORDER BY i, area"
    )


def _folded(field: str, k: int) -> str:
    """Say how panes' cells of the k-th spec become a window's."""
    if field == "last":
        return f"max({{'at': latest_{k}, 'last': last_{k}}}).last AS last_{k}"
    name = f"{named(field)}_{k}"
    how = {"low": "min", "high": "max", "at": "max"}.get(field)
    return f"{how}({name}) AS {name}" if how else f"sum({name})::BIGINT AS {name}"


def named(field: str) -> str:
    """Return how a cell's field is called in SQL."""
    return "latest" if field == "at" else field


def _scan(specs: Sequence[CellSpec], span: tuple[int, int], properties: Mapping[str, Property], more: str = "") -> tuple[str, str]:
    """Return the columns of the specs' cells, and the rows they are taken from."""
    prop, weight = properties[specs[0].property], "w" if specs[0].weight and not specs[0].each else "1"
    same = specs[0].where if len({s.where for s in specs}) == 1 else None
    specs = specs if same is None else [replace(s, where=None) for s in specs]
    shared = replace(specs[0], where=same, when=next((s.when for s in specs if s.when is not None and not s.each), None))
    conditions = list(dict.fromkeys(to_sql(c, prop) for s in specs for c in (s.where, None if s.each else s.when) if c is not None))
    columns = [f"{condition} AS c{k}" for k, condition in enumerate(conditions)]
    wanted = [column for k, spec in enumerate(specs) for column in _cell(k, spec, prop, weight, conditions)]
    return ", ".join(wanted), f"SELECT {', '.join(['*', *columns])} FROM ({_rows(shared, prop, span)}{more})"


def _cell(k: int, spec: CellSpec, prop: Property, weight: str, conditions: list[str]) -> list[str]:
    """Say what a cell of the k-th spec of a scan keeps."""
    of = {
        "n": "count(*)",
        "at": "max(valid)",
        "total": f"sum(ticks * {weight})::BIGINT",
        "low": "min(ticks)",
        "high": "max(ticks)",
        "last": "max({'valid': valid, 'ticks': ticks}).ticks",
        "weight": f"sum({weight})::BIGINT",
        "hit": "count(*)",
    }
    held = [] if spec.where is None else [f"c{conditions.index(to_sql(spec.where, prop))}"]
    out = []
    for field in fields(spec):
        only = held + ([f"c{conditions.index(to_sql(spec.when, prop))}"] if field == "hit" and spec.when is not None else [])
        value = of[field].replace(").ticks", ")") if field == "last" and only else of[field]
        value = value.removesuffix("::BIGINT") + (f" FILTER (WHERE {' AND '.join(only)})" if only else "")
        value = f"({value}).ticks" if field == "last" and only else value
        out.append(f"coalesce(({value})::BIGINT, {BLANK[field]}) AS {named(field)}_{k}")
    return out


def _sub(spec: CellSpec) -> str:
    return "entity" if spec.each or spec.measure == "distinct" else sql_bin("ticks") if spec.measure == "p95" else "0"


def heard_sql(since: int) -> str:
    """Return SQL for the latest valid time of every property that has readings valid since then (µs)."""
    return f"SELECT property, max(valid) AS high FROM versions WHERE valid >= {since:d} GROUP BY property"


def panes_sql(spec: CellSpec, first: int, last: int, properties: Mapping[str, Property]) -> str:
    """Return SQL for the cells of whole panes, as the live engine keeps them: what a restart or a revision reads again."""
    prop = properties[spec.property]
    rows = _rows(spec, prop, (first * spec.hop, (last + 1) * spec.hop))
    sub = _sub(spec)
    weight = "w" if spec.weight and not spec.each else "1"
    hit = f"count(*) FILTER (WHERE {to_sql(spec.when, prop)})" if spec.when is not None and not spec.each else "0"
    return (
        f"SELECT valid // {spec.hop} AS pane, area, {sub} AS sub, count(*) AS n, max(valid) AS latest, sum(ticks * {weight})::BIGINT AS total, min(ticks) AS low, max(ticks) AS high, "
        f"max({{'valid': valid, 'ticks': ticks}}).ticks AS last, {hit} AS hit, sum({weight})::BIGINT AS weight\nFROM ({rows})\nGROUP BY ALL"
    )
