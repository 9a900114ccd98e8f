"""A condition on readings: one tree, said twice, to numpy and to SQL, with the same meaning to the last row.

Values are compared as ticks, so a bound is turned into an integer once, exactly, and no engine ever compares doubles.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
import numpy.typing as npt

from zhongshu.kernel.expression import COMPARISONS, Call, Expression, Name, Number, Text, show
from zhongshu.kernel.live import Facets, Ints
from zhongshu.kernel.problem import declare
from zhongshu.kernel.quantity import Property
from zhongshu.kernel.reading import Flag

BAD_CONDITION = declare(
    "condition.unreadable",
    "invalid",
    zh=("看不懂的条件：{text}。", "条件可以比较 value、source、entity.<属性>，以及 good，用 and、or、not 连接。"),
    en=("This condition cannot be read: {text}.", "Compare value, source, entity.<facet>, or say good; join them with and, or, not."),
)

Mask = npt.NDArray[np.bool_]
_PYTHON: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True, slots=True)
class Rows:
    """What a condition may look at: ticks (or an entity's own value in ticks), flags, and entity and source by number."""

    ticks: Ints
    entity: npt.NDArray[np.int32]
    flags: npt.NDArray[np.int32] | None = None
    source: npt.NDArray[np.int32] | None = None


def check(tree: Expression, *, of_entities: bool = False) -> None:
    """Refuse a condition that could not be asked; `of_entities`: it looks at an entity's own value, which has no source and no flags."""
    match tree:
        case Call("and" | "or", (a, b)):
            check(a, of_entities=of_entities)
            check(b, of_entities=of_entities)
        case Call("not", (a,)):
            check(a, of_entities=of_entities)
        case Name("good", "") if not of_entities:
            pass
        case Call(op, (Name("value", ""), Number())) if op in COMPARISONS:
            pass
        case Call("=" | "!=", (Name("source", ""), Text())) if not of_entities:
            pass
        case Call(op, (Name(_, "entity"), Text() | Number())) if op in COMPARISONS:
            pass
        case _:
            raise BAD_CONDITION(text=show(tree))


def holds(tree: Expression, rows: Rows, prop: Property, facets: Facets, sources: list[str]) -> Mask:
    """Return for which rows the condition holds."""
    match tree:
        case Call("and", (a, b)):
            return holds(a, rows, prop, facets, sources) & holds(b, rows, prop, facets, sources)
        case Call("or", (a, b)):
            return holds(a, rows, prop, facets, sources) | holds(b, rows, prop, facets, sources)
        case Call("not", (a,)):
            return ~holds(a, rows, prop, facets, sources)
        case Name("good", "") if rows.flags is not None:
            return np.asarray((rows.flags & int(Flag.SUSPECT)) == 0)
        case Call(op, (Name("value", ""), Number(text))) if op in COMPARISONS:
            bound = as_ticks(op, text, prop)
            return np.asarray(_PYTHON[bound[0]](rows.ticks, bound[1])) if bound else np.full(len(rows.ticks), op == "!=")
        case Call(op, (Name("source", ""), Text(value))) if op in {"=", "!="} and rows.source is not None:
            return np.array([_PYTHON[op](s, value) for s in sources], np.bool_)[rows.source]
        case Call(op, (Name(facet, "entity"), Text() | Number() as word)) if op in COMPARISONS:
            return _by_facet(op, facets.facet(facet), word)[rows.entity]
    raise BAD_CONDITION(text=show(tree))


_masks: dict[tuple[str, Text | Number, int], tuple[list[object], Mask]] = {}
KEPT = 500


def _by_facet(op: str, held: list[object], word: Text | Number) -> Mask:
    """Return for which entities a comparison holds; kept, and made longer when the list is."""
    key = (op, word, id(held))
    found = _masks.get(key)
    mask = found[1] if found is not None and found[0] is held else np.zeros(0, np.bool_)
    if len(mask) < (n := len(held)):
        mask = np.append(mask, np.array([_facet_holds(op, f, word) for f in held[len(mask) : n]], np.bool_))
        if len(_masks) >= KEPT:
            _masks.clear()
        _masks[key] = (held, mask)
    return mask


def _facet_holds(op: str, facet: object, word: Text | Number) -> bool:
    if isinstance(word, Text):
        return isinstance(facet, str) and bool(_PYTHON[op](facet, word.value))
    return isinstance(facet, int | float) and bool(_PYTHON[op](float(facet), word.value))


def as_ticks(op: str, text: str, prop: Property) -> tuple[str, int] | None:
    """Turn a comparison with a bound in the canonical unit into one with whole ticks; None where no tick can be equal."""
    bound = Fraction(text) / prop.tick
    if op in {"=", "!="}:
        return (op, int(bound)) if bound.denominator == 1 else None
    return (op, ceil(bound)) if op in {">=", "<"} else (op, floor(bound))


def to_sql(tree: Expression, prop: Property, value: str = "ticks") -> str:
    """Say the condition in SQL over the columns of readings and a lent table `facets` (entity, name, text, number)."""
    match tree:
        case Call("and" | "or" as op, (a, b)):
            return f"({to_sql(a, prop, value)} {op.upper()} {to_sql(b, prop, value)})"
        case Call("not", (a,)):
            return f"(NOT {to_sql(a, prop, value)})"
        case Name("good", ""):
            return f"(flags & {int(Flag.SUSPECT)} = 0)"
        case Call(op, (Name("value", ""), Number(text))) if op in COMPARISONS:
            bound = as_ticks(op, text, prop)
            return f"({value} {_sql(bound[0])} {bound[1]})" if bound else ("TRUE" if op == "!=" else "FALSE")
        case Call(op, (Name("source", ""), Text(word))) if op in {"=", "!="}:
            return f"(source {_sql(op)} {quote(word)})"
        case Call(op, (Name(facet, "entity"), Text(word))) if op in COMPARISONS:
            return f"(entity IN (SELECT entity FROM facets WHERE name = {quote(facet)} AND text {_sql(op)} {quote(word)}))"
        case Call(op, (Name(facet, "entity"), Number(text))) if op in COMPARISONS:
            return f"(entity IN (SELECT entity FROM facets WHERE name = {quote(facet)} AND number {_sql(op)} {quote(text)}::DOUBLE))"
    raise BAD_CONDITION(text=show(tree))


def _sql(op: str) -> str:
    return "<>" if op == "!=" else op


def quote(text: str) -> str:
    """Write a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
