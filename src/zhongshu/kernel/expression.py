"""The small tree that every declared formula and condition becomes, and its one evaluation over columns.

A tree holds numbers, texts, names and calls; which calls exist is listed here, and nothing else can be said.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Number:
    """A constant, as written (kept exact) and as a double."""

    text: str

    @property
    def value(self) -> float:
        """Return it as a double."""
        return float(self.text)


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted word."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """A name to be looked up; `owner` is what stands before the dot."""

    value: str
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """An operation on expressions."""

    op: str
    args: "tuple[Expression, ...]"


Expression = Number | Text | Name | Call

COMPARISONS = ("<", "<=", ">", ">=", "=", "!=")
ARITHMETIC = ("+", "-", "*", "/", "neg")
LOGIC = ("and", "or", "not")
FUNCTIONS = ("max_of", "min_of", "ceil", "floor", "round", "piecewise", "total", "abs", "if_null", "absent")


def names(tree: Expression) -> Iterator[Name]:
    """Yield every name in a tree."""
    if isinstance(tree, Name):
        yield tree
    elif isinstance(tree, Call):
        for arg in tree.args:
            yield from names(arg)


def show(tree: Expression) -> str:
    """Write a tree as text that parses to the same tree."""
    match tree:
        case Number(text):
            return text
        case Text(value):
            return "'" + value.replace("'", "''") + "'"
        case Name(value, owner):
            return f"{owner}.{value}" if owner else value
        case Call("not" | "neg" as op, (one,)):
            return f"NOT ({show(one)})" if op == "not" else f"-({show(one)})"
        case Call(op, (left, right)) if op in COMPARISONS or op in ARITHMETIC or op in LOGIC:
            return f"({show(left)} {op.upper()} {show(right)})"
        case Call(op, args):
            return f"{op}({', '.join(map(show, args))})"


Tables = Mapping[str, tuple[tuple[float, float], ...]]


def evaluate(tree: Expression, columns: Mapping[str, Array], tables: Tables, totals: Callable[[str], Array]) -> Array:
    """Evaluate an arithmetic tree over columns of equal length; NaN is null. Division by zero gives null."""

    def of(node: Expression) -> Array:
        match node:
            case Number():
                return np.asarray(node.value)
            case Name(value):
                return columns[value]
            case Call("piecewise", (Text(table), x)):
                return _piecewise(tables[table], of(x))
            case Call("total", (Text(facet),)):
                return totals(facet)
            case Call(op, args):
                return _OPS[op](*map(of, args))
        raise KeyError(str(node))

    with np.errstate(divide="ignore", invalid="ignore"):
        result = np.asarray(of(tree), dtype=np.float64)
    return np.where(np.isfinite(result), result, np.nan)


def _piecewise(table: tuple[tuple[float, float], ...], x: Array) -> Array:
    """Interpolate linearly between the table's points; outside them there is no value."""
    xs, ys = np.array([p[0] for p in table]), np.array([p[1] for p in table])
    at = np.clip(np.searchsorted(xs, x, side="left") - 1, 0, len(xs) - 2)
    y = ys[at] + (ys[at + 1] - ys[at]) * (x - xs[at]) / (xs[at + 1] - xs[at])
    return np.where((x >= xs[0]) & (x <= xs[-1]), y, np.nan)


def _extreme(pick: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    def fold(*args: Array) -> Array:
        result = args[0]
        for arg in args[1:]:
            result = pick(result, arg)
        return result

    return fold


_FUZZ = 1e-9
_OPS: dict[str, Callable[..., Array]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / np.where(b == 0, np.nan, b),
    "neg": lambda a: -a,
    "abs": np.abs,
    "round": np.rint,
    "ceil": lambda a: np.ceil(a - _FUZZ),
    "floor": lambda a: np.floor(a + _FUZZ),
    "max_of": _extreme(np.fmax),
    "min_of": _extreme(np.minimum),
    "if_null": lambda a, b: np.asarray(np.where(np.isnan(a), b, a), np.float64),
    "<": lambda a, b: (a < b).astype(np.float64),
    "<=": lambda a, b: (a <= b).astype(np.float64),
    ">": lambda a, b: (a > b).astype(np.float64),
    ">=": lambda a, b: (a >= b).astype(np.float64),
    "=": lambda a, b: (a == b).astype(np.float64),
    "!=": lambda a, b: (a != b).astype(np.float64),
}
