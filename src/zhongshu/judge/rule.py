"""A rule, declared as a row: which sign, at which areas, under which condition, for how long, and when it ends.

Knows values and levels of one boundary and its own memory; opens and ends findings; knows no case and no screen.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from zhongshu.judge.formula import parse
from zhongshu.judge.indicator import LEVELS, day_of
from zhongshu.kernel.area import Level
from zhongshu.kernel.clock import parse_duration
from zhongshu.kernel.expression import Call, Expression, Name, Number, Text
from zhongshu.kernel.finding import SEVERITY, Status
from zhongshu.kernel.ids import stable_id
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.reason import why

BAD_RULE = declare(
    "rule.invalid",
    "invalid",
    zh=("规则 {code} 的声明有误：{why_zh}。", "请更正声明；其余规则不受影响。"),
    en=("The declaration of rule {code} is wrong: {why_en}.", "Correct the declaration; the other rules are not affected."),
)

_RATE = re.compile(r"(\d+)/(\d*[a-z]+)")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: `when` opens (after holding for `hold` µs), `clear` ends (default: when no longer holds). `rate`: at most n findings per µs.

    `valid_from`: the city's day from which it is in force, until a later one of the same code is.
    """

    code: str
    name: Mapping[str, str]
    indicator: str
    at: Level
    when: Expression | None
    absent: int
    hold: int
    clear: Expression | None
    opens: str
    category: str
    auto_file: bool
    rate: tuple[int, int] | None
    say: Mapping[str, str]
    pack: str = ""
    version: str = field(default="", compare=False)
    valid_from: date = date.min


@dataclass(frozen=True, slots=True)
class Sight:
    """What a rule sees of one area at one boundary. `silent`: µs since the latest reading; `patience`: µs of silence that are usual there."""

    value: float | None
    status: Status
    silent: int
    patience: int = 0


def read_rule(row: dict[str, Any], pack: str = "") -> Rule:
    """Read one [[rule]] table of TOML."""
    code = str(row.get("code", "?"))
    try:
        when = str(row["when"])
        silence = when.removeprefix("absent ") if when.startswith("absent ") else ""
        rate = _rate(row.get("rate", ""))
        name = row["name"]
        return Rule(
            code,
            name,
            str(row["indicator"]),
            LEVELS[row.get("at", "street")],
            None if silence else _checked(parse(when)),
            parse_duration(silence) if silence else 0,
            parse_duration(row["for"]) if "for" in row else 0,
            _checked(parse(str(row["clear"]))) if "clear" in row else None,
            str(row.get("opens", "")),
            str(row.get("class", "")),
            bool(row.get("auto_file", False)),
            rate,
            row.get("say", name),
            pack,
            stable_id(sorted((k, str(v)) for k, v in row.items())),
            day_of(row.get("valid_from"), date.min),
        )
    except (Problem, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BAD_RULE(code=code, **why(error)) from error


def _rate(text: str) -> tuple[int, int] | None:
    """Read `6/h` or `2/10m` into (findings, µs)."""
    if not text:
        return None
    match = _RATE.fullmatch(text)
    if match is None:
        raise ValueError(f"no rate {text}")  # noqa: EM102, TRY003
    return int(match[1]), parse_duration(match[2] if match[2][0].isdigit() else "1" + match[2])


def _checked(tree: Expression) -> Expression:
    holds(tree, Sight(0.0, Status.GREEN, 0))
    return tree


def holds(tree: Expression, sight: Sight) -> bool:
    """Tell whether a condition on `value` and `level` holds; without a value none does, but for `level = 'stale'`."""
    match tree:
        case Call("and", (a, b)):
            return holds(a, sight) and holds(b, sight)
        case Call("or", (a, b)):
            return holds(a, sight) or holds(b, sight)
        case Call("not", (a,)):
            return not holds(a, sight)
        case Call(op, (Name("level", ""), Text(word))):
            ours, theirs = SEVERITY[sight.status], SEVERITY[Status(word)]
            return sight.status == word if op == "=" else sight.status != word if op == "!=" else _compare(op, ours, theirs)
        case Call(op, (Name("value", ""), Number() as number)):
            return sight.value is not None and _compare(op, sight.value, number.value)
    raise ValueError(f"a rule compares value or level, not {tree}")  # noqa: EM102, TRY003


def _compare(op: str, a: float, b: float) -> bool:
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "=": a == b, "!=": a != b}[op]


def triggered(rule: Rule, sight: Sight) -> bool:
    """Tell whether a rule's condition holds now."""
    return sight.silent > max(rule.absent, sight.patience) if rule.when is None else holds(rule.when, sight)


def cleared(rule: Rule, sight: Sight) -> bool:
    """Tell whether an open finding of a rule ends now; a sign gone silent never clears a finding."""
    if rule.when is None:
        return sight.silent <= max(rule.absent, sight.patience)
    if sight.value is None or sight.status == Status.STALE:
        return False
    return holds(rule.clear, sight) if rule.clear is not None else not holds(rule.when, sight)
