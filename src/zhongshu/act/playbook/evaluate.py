"""The few expressions and scripts a playbook may hold: comparisons, arithmetic with bounds and a handful of functions over the playbook's own data.

Everything is walked on Python's syntax tree by an allow-list; nothing is ever compiled or handed to the interpreter. Knows no BPMN and no engine.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Data = dict[str, Any]
"""Names and JSON values: what a playbook knows."""

LONGEST_TEXT, MOST_NODES, DEEPEST, MOST_LINES = 2000, 200, 24, 40
LONGEST_STRING, MOST_ITEMS, LARGEST, FINEST = 1000, 100, 10**15, 12
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""How a name of data is written."""

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818 (a reason with its place, in both languages)
    """Why a text is not accepted or has no value; `line` and `column` count from 1, 0 where the place is not known."""

    zh: str
    en: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """Return the reason in English with its place."""
        return f"{self.line}:{self.column}: {self.en}" if self.line else self.en


def refused(text: str, *, script: bool = False) -> Refusal | None:
    """Return why an expression, or a script, is not accepted; nothing if it is."""
    try:
        _script(text) if script else _expression(text)
    except Refusal as refusal:
        return refusal
    return None


def read_names(text: str, *, script: bool = False) -> frozenset[str]:
    """Return the names of data that an accepted expression or script reads. Raises `Refusal`."""
    trees: tuple[ast.expr, ...] = tuple(tree for _, tree in _script(text)) if script else (_expression(text),)
    called = {id(node.func) for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return frozenset(node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called)


def set_names(text: str) -> frozenset[str]:
    """Return the names of data that an accepted script sets. Raises `Refusal`."""
    return frozenset(name for name, _ in _script(text))


def evaluate(text: str, data: Data) -> Any:  # noqa: ANN401 (a JSON value)
    """Return an expression's value over the data; a name that is not there yet is None. Raises `Refusal`."""
    return _value(_expression(text), data)


def execute(text: str, data: Data) -> Data:
    """Return the data after a script's assignments, one after the other; what was given stays as it is. Raises `Refusal`."""
    after = dict(data)
    for name, tree in _script(text):
        after[name] = _value(tree, after)
    return after


# reading


@lru_cache(maxsize=1024)
def _expression(text: str) -> ast.expr:
    tree = _parse(text.strip(), "eval")
    body: ast.expr = tree.body  # type: ignore[attr-defined]  # mode "eval" makes an Expression
    _check(body)
    return body


@lru_cache(maxsize=256)
def _script(text: str) -> tuple[tuple[str, ast.expr], ...]:
    tree = _parse(text.strip(), "exec")
    lines: list[ast.stmt] = tree.body  # type: ignore[attr-defined]  # mode "exec" makes a Module
    if not lines or len(lines) > MOST_LINES:
        raise _at(None, f"脚本应有 1 至 {MOST_LINES} 句赋值", f"a script has 1 to {MOST_LINES} assignments")
    read = []
    for line in lines:
        if not isinstance(line, ast.Assign) or len(line.targets) != 1 or not isinstance(line.targets[0], ast.Name):
            raise _at(line, "脚本里只能写“名称 = 表达式”", "a script holds 'name = expression' only")
        target = line.targets[0]
        _check_name(target)
        _check(line.value)
        read.append((target.id, line.value))
    return tuple(read)


def _parse(text: str, mode: str) -> ast.AST:
    if not text:
        raise _at(None, "内容是空的", "it is empty")
    if len(text) > LONGEST_TEXT:
        raise _at(None, f"超过 {LONGEST_TEXT} 个字", f"it is longer than {LONGEST_TEXT} characters")
    try:
        return ast.parse(text, mode=mode)
    except SyntaxError as error:
        zh, en = "写法不对", f"it cannot be read: {error.msg}"
        raise Refusal(zh, en, error.lineno or 0, error.offset or 0) from None
    except (ValueError, RecursionError, MemoryError):
        raise _at(None, "写法不对或嵌套太深", "it cannot be read, or is nested too deeply") from None


def _check(tree: ast.expr) -> None:
    level: list[ast.AST] = [tree]
    seen = depth = 0
    while level:
        seen, depth = seen + len(level), depth + 1
        if seen > MOST_NODES or depth > DEEPEST:
            raise _at(tree, "表达式太长或嵌套太深", "the expression is too long, or nested too deeply")
        level = [child for node in level for child in _parts(node)]


def _parts(node: ast.AST) -> Iterator[ast.AST]:  # noqa: C901 (one case a kind of node)
    """Check one node of the tree and give what is below it; whatever is not named here is refused."""
    match node:
        case ast.Constant():
            _check_constant(node)
        case ast.Name():
            _check_name(node)
        case ast.BoolOp():
            yield from node.values
        case ast.UnaryOp() if isinstance(node.op, ast.Not) or type(node.op) in _SIGNS:
            yield node.operand
        case ast.BinOp() if type(node.op) in _ARITHMETIC and (isinstance(node.op, ast.Add) or (not _is_text(node.left) and not _is_text(node.right))):
            yield from (node.left, node.right)
        case ast.Compare() if all(type(op) in _COMPARE for op in node.ops):
            yield from (node.left, *node.comparators)
        case ast.IfExp():
            yield from (node.test, node.body, node.orelse)
        case ast.List() | ast.Tuple() if len(node.elts) <= MOST_ITEMS:
            yield from node.elts
        case ast.Subscript() if isinstance(node.slice, ast.Constant) and type(node.slice.value) in {str, int}:
            yield from (node.value, node.slice)
        case ast.Call() if isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS and node.args and not node.keywords:
            yield from node.args
        case _:
            raise _at(node, f"这里不允许 {_called(node)}", f"{_called(node)} is not allowed here")


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _called(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        return f"{node.func.id}(…)"[:60] if isinstance(node.func, ast.Name) else "Call"
    op = getattr(node, "op", None)
    return type(op if op is not None else node).__name__


def _check_constant(node: ast.Constant) -> None:
    value = node.value
    fits = (
        value is None
        or isinstance(value, bool)
        or (isinstance(value, int) and abs(value) <= LARGEST)
        or (isinstance(value, float) and math.isfinite(value))
        or (isinstance(value, str) and len(value) <= LONGEST_STRING)
    )
    if not fits:
        raise _at(node, "这个常量太大，或不是文字、数字、真假、空值", "this constant is too large, or no text, number, truth or None")


def _check_name(node: ast.Name) -> None:
    if NAME.fullmatch(node.id) is None:
        raise _at(
            node, f"名称 {node.id[:60]} 应以小写字母开头，只含小写字母、数字和下划线", f"the name {node.id[:60]} must be lower-case letters, digits and underscores, a letter first"
        )
    if node.id in FUNCTIONS:
        raise _at(node, f"{node.id} 是函数名，不能当数据", f"{node.id} is a function and no name of data")


def _at(node: ast.AST | None, zh: str, en: str) -> Refusal:
    return Refusal(zh, en, getattr(node, "lineno", 0), getattr(node, "col_offset", -1) + 1)


# valuing


def _value(node: ast.AST, data: Data) -> Any:  # noqa: ANN401 (a JSON value)
    try:
        return _bounded(node, _worth(node, data))
    except Refusal:
        raise
    except (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError, OverflowError, RecursionError) as error:
        raise _at(node, "算不出值，请检查数据", f"it has no value: {type(error).__name__}") from None


def _worth(node: ast.AST, data: Data) -> Any:  # noqa: ANN401, C901, PLR0912 (one case a kind of node)
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return data.get(node.id)
        case ast.BoolOp():
            return _either(node, data)
        case ast.UnaryOp():
            value = _value(node.operand, data)
            return not value if isinstance(node.op, ast.Not) else _SIGNS[type(node.op)](_number(node, value))
        case ast.BinOp():
            left, right = _value(node.left, data), _value(node.right, data)
            if not (isinstance(node.op, ast.Add) and isinstance(left, str) and isinstance(right, str)):
                left, right = _number(node, left), _number(node, right)
            return _ARITHMETIC[type(node.op)](left, right)
        case ast.Compare():
            return _compare(node, data)
        case ast.IfExp():
            return _value(node.body if _value(node.test, data) else node.orelse, data)
        case ast.List():
            return [_value(item, data) for item in node.elts]
        case ast.Tuple():
            return tuple(_value(item, data) for item in node.elts)
        case ast.Subscript():
            held = _value(node.value, data)
            if not isinstance(held, dict | list | tuple | str):
                raise TypeError
            return held[_value(node.slice, data)]
        case ast.Call(func=ast.Name(id=name)):
            return FUNCTIONS[name](*(_value(argument, data) for argument in node.args))
    raise _at(node, "这里不允许这样写", "this is not allowed here")


def _either(node: ast.BoolOp, data: Data) -> Any:  # noqa: ANN401 (as in Python, the operand that decided)
    value = None
    for operand in node.values:
        value = _value(operand, data)
        if bool(value) == isinstance(node.op, ast.Or):
            break
    return value


def _compare(node: ast.Compare, data: Data) -> bool:
    left = _value(node.left, data)
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = _value(comparator, data)
        if not _COMPARE[type(op)](left, right):
            return False
        left = right
    return True


def _number(node: ast.AST, value: object) -> int | float:
    if not isinstance(value, int | float):
        raise _at(node, "算术只用于数字", "arithmetic is for numbers only")
    return value


def _bounded(node: ast.AST, value: Any) -> Any:  # noqa: ANN401 (a JSON value)
    if isinstance(value, int | float) and not (math.isfinite(value) and abs(value) <= LARGEST):
        raise _at(node, "数太大了", "the number is too large")
    if isinstance(value, str) and len(value) > LONGEST_STRING:
        raise _at(node, "文字太长了", "the text is too long")
    return value


def _round(value: float, digits: int = 0) -> float:
    if not -FINEST <= digits <= FINEST:
        raise ValueError
    return round(value, digits) if digits else round(value)


def _lower(value: object) -> str:
    return _text(value).lower()


def _upper(value: object) -> str:
    return _text(value).upper()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


FUNCTIONS: dict[str, Callable[..., Any]] = {"len": len, "min": min, "max": max, "round": _round, "abs": abs, "lower": _lower, "upper": _upper}
"""All that may be called."""
