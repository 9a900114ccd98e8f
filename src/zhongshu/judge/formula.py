"""Text to tree: a declared formula or condition is parsed by sqlglot and turned into the kernel's expressions by an allow-list.

Nothing that is not in the list below can be said, whoever writes the declaration.
"""

from typing import Any

import sqlglot
from sqlglot import exp

from zhongshu.kernel.expression import FUNCTIONS, Call, Expression, Name, Number, Text
from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why

BAD_FORMULA = declare(
    "formula.unreadable",
    "invalid",
    zh=("看不懂的公式“{text}”：{why_zh}。", "可用四则运算、比较、and/or/not，以及 max_of、min_of、ceil、floor、round、abs、if_null、piecewise、total。"),
    en=("The formula '{text}' cannot be read: {why_en}.", "Use arithmetic, comparisons, and/or/not, and max_of, min_of, ceil, floor, round, abs, if_null, piecewise, total."),
)

_BINARY: dict[type[exp.Expression], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.EQ: "=",
    exp.NEQ: "!=",
    exp.And: "and",
    exp.Or: "or",
}
_UNARY: dict[type[exp.Expression], str] = {exp.Neg: "neg", exp.Not: "not", exp.Ceil: "ceil", exp.Floor: "floor", exp.Abs: "abs", exp.Round: "round"}
MAX_DEPTH = 40


def parse(text: str) -> Expression:
    """Parse a formula or condition into a tree."""
    try:
        tree = sqlglot.parse_one(text, read="duckdb", into=exp.Condition)
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        raise BAD_FORMULA(text=text, **why(error, "写法不对")) from None
    if tree is None:
        raise BAD_FORMULA(text=text, why_zh="它是空的", why_en="it is empty")
    return _convert(tree, text, 0)


def _convert(node: Any, text: str, depth: int) -> Expression:  # noqa: ANN401, C901 (sqlglot's nodes; one branch a kind of node)
    if depth > MAX_DEPTH:
        raise BAD_FORMULA(text=text, why_zh="嵌套太深", why_en="it is nested too deeply")

    def of(*args: Any) -> tuple[Expression, ...]:  # noqa: ANN401 (sqlglot's nodes)
        return tuple(_convert(a, text, depth + 1) for a in args)

    if isinstance(node, exp.Paren):
        return of(node.this)[0]
    if isinstance(node, exp.Literal):
        return Text(node.this) if node.is_string else Number(node.this)
    if isinstance(node, exp.Column):
        if len(node.parts) > 2:  # noqa: PLR2004 (owner and name)
            raise BAD_FORMULA(text=text, why_zh=f"{node.sql()} 里的点太多", why_en=f"{node.sql()} has too many dots")
        return Name(node.name, node.table)
    if type(node) in _BINARY:
        return _good(Call(_BINARY[type(node)], of(node.this, node.expression)))
    if type(node) in _UNARY:
        if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string:
            return Number("-" + node.this.this)
        return Call(_UNARY[type(node)], of(node.this))
    if isinstance(node, exp.Anonymous) and node.name.lower() in FUNCTIONS:
        return Call(node.name.lower(), of(*node.expressions))
    raise BAD_FORMULA(text=text, why_zh=f"不能用 {node.sql()}", why_en=f"{node.sql()} is not allowed")


def _good(call: Call) -> Expression:
    """Read `quality = 'good'` as `good`."""
    match call:
        case Call("=", (Name("quality", ""), Text("good"))):
            return Name("good")
        case Call("!=", (Name("quality", ""), Text("good"))):
            return Call("not", (Name("good"),))
    return call
