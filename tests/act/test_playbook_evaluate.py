"""What a playbook's expressions may say: exactly Python's own value for what is allowed, and nothing at all for the rest."""

import ast
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhongshu.act.playbook import evaluate as ours
from zhongshu.act.playbook.spec import Scripts

FUNCTIONS = {"len": len, "min": min, "max": max, "round": round, "abs": abs, "lower": str.lower, "upper": str.upper}
ALLOWED = (
    ast.Expression, ast.Constant, ast.Name, ast.Load, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div,
    ast.FloorDiv, ast.Mod, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.IfExp, ast.List, ast.Tuple, ast.Subscript, ast.Call,
)  # fmt: skip
DATA: dict[str, Any] = {"depth": 27, "level": "red", "rate": 0.5, "open": True, "units": ["a", "b"], "table": {"k": 3, "deep": {"z": "x"}}}
HOSTILE = [
    "__import__('os')", "__builtins__", "open('/etc/passwd')", "exec('1')", "eval('1')", "getattr(level, 'x')", "().__class__", "''.join(['a'])", "level.format(1)", "f'{level}'",
    "'%s' % level", "'a' * 10**9", "2 ** 99", "9 ** 9 ** 9", "1 << 99", "~1", "[x for x in units]", "{x for x in units}", "(x for x in units)", "{'a': 1}", "{1}", "lambda: 1",
    "(x := 1)", "await x", "units[0:1]", "units[depth]", "units[-1]", "len(*units)", "max(units, key=len)", "min", "_private", "Depth", "b'1'", "1j", "...", "len()", "10**99", "1e999",
    "table['k']()", "len(len)", "not_a_function(1)", "x = 1", "1; 2", "import os", "level is None", "a @ b", "1 if", "", "   ", "(" * 400 + ")" * 400, "-" * 1999 + "1", "1+" * 900 + "1",
    "level * '3'", "9999999999999999", "'" + "a" * 1500 + "'", "not " * 30 + "1", "type(1)", "print(1)", "breakpoint()", "globals()", "vars()", "sum(units)", "str(1)", "\x00", "len\n(1)\nlen",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_not_allowed_is_refused_with_a_reason(text: str) -> None:
    refusal = ours.refused(text)
    assert refusal is not None
    assert refusal.zh and refusal.en
    with pytest.raises(ours.Refusal):
        ours.evaluate(text, DATA)
    with pytest.raises(ours.Refusal):
        Scripts(dict(DATA), 0).evaluate(None, text)


SCRIPTS = [
    "import os", "os = __import__('os')", "a.b = 1", "a['x'] = 1", "a, b = 1, 2", "a = b = 1", "a += 1", "a: int = 1", "del a", "def f(): pass", "class A: pass", "for i in units: a = i",
    "while True: pass", "if open: a = 1", "with open: pass", "return 1", "raise ValueError", "global a", "pass", "print(1)", "len = 3", "_a = 1", "A = 1", "a = (b := 1)", "", "# nothing",
    "\n".join(f"a{i} = 1" for i in range(41)), "assert open", "try:\n    a = 1\nexcept: pass", "match a:\n    case 1: a = 2", "a = yield", "*a, = units", "exec('a = 1')",
]  # fmt: skip


@pytest.mark.parametrize("text", SCRIPTS)
def test_a_script_holds_assignments_only(text: str) -> None:
    assert ours.refused(text, script=True) is not None
    scripts, held = Scripts(dict(DATA), 0), dict(DATA)
    with pytest.raises(ours.Refusal):
        scripts.execute(None, text)
    assert scripts.environment.data == held


def test_a_reason_has_its_place() -> None:
    refusal = ours.refused("depth > 1 and level.upper() == 'RED'")
    assert refusal is not None
    assert (refusal.line, refusal.column) == (1, 15)
    assert "Call" in refusal.en


def test_a_script_is_done_line_by_line_and_leaves_what_was_given() -> None:
    held = dict(DATA)
    after = ours.execute("deep = depth >= 27\nurgent = deep and level in ('orange', 'red')\ndepth = depth + 1", held)
    assert held == DATA
    assert (after["deep"], after["urgent"], after["depth"]) == (True, True, 28)
    assert ours.set_names("a = b\nc = len(d)") == {"a", "c"}
    assert ours.read_names("a = b\nc = len(d)", script=True) == {"b", "d"}


def test_a_name_that_is_not_there_is_none() -> None:
    assert ours.evaluate("missing == None", {}) is True
    assert ours.evaluate("missing == 'yes'", {}) is False


@pytest.mark.parametrize(
    "text",
    [
        "missing > 3",
        "depth / 0",
        "level + 1",
        "level * depth",
        "[1] + [2]",
        "units[7]",
        "table['nope']",
        "depth['x']",
        "len(3)",
        "round(1, 99)",
        "lower(3)",
        "1 in 2",
        "999999999999999 * 999999999999999",
        "1.0 % 0",
    ],
)
def test_what_has_no_value_is_told_as_such(text: str) -> None:
    assert ours.refused(text) is None
    with pytest.raises(ours.Refusal):
        ours.evaluate(text, DATA)


def test_nothing_of_the_language_is_asked_to_compile_or_execute(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError

    for name in ("eval", "exec", "__import__"):
        monkeypatch.setattr(f"builtins.{name}", never)
    scripts = Scripts({"a": 2}, 0)
    assert scripts.evaluate(None, "a * 3 > 5") is True
    assert scripts.execute(None, "b = a + 1") is True
    with pytest.raises(NotImplementedError):
        scripts.call_service(None)
    monkeypatch.undo()
    assert scripts.environment.data == {"a": 2, "b": 3}


literals = st.one_of(st.integers(-1000, 1000), st.floats(-100, 100, allow_nan=False), st.booleans(), st.none(), st.text("abcxyz红", max_size=4))
names = st.sampled_from(sorted(DATA))


def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    two = st.tuples(inner, inner)
    return st.one_of(
        st.tuples(two, st.sampled_from([*"+ - * / // % == != < <= > >= and or in".split(), "not in"])).map(lambda t: f"({t[0][0]} {t[1]} {t[0][1]})"),
        inner.map(lambda a: f"(not {a})"),
        inner.map(lambda a: f"(-{a})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
        st.tuples(st.sampled_from(["len", "round", "abs", "lower", "upper"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"[{t[0]}, {t[1]}]"),
        st.tuples(inner, st.sampled_from(["0", "1", "'k'", "'deep'"])).map(lambda t: f"{t[0]}[{t[1]}]"),
    )


expressions = st.recursive(st.one_of(literals.map(repr), names), joined, max_leaves=12)


@given(expressions)
def test_an_allowed_expression_has_python_s_own_value(text: str) -> None:
    try:
        told = ours.evaluate(text, DATA)
    except ours.Refusal:
        return
    theirs = eval(text, {"__builtins__": {}}, {**DATA, **FUNCTIONS})
    assert (told, type(told)) == (theirs, type(theirs))


def test_most_allowed_expressions_do_have_a_value() -> None:
    """The property above says nothing where ours refuses: these it must not refuse."""
    for text in (
        "depth >= 27 and level == 'red'",
        "table['deep']['z'] + level",
        "-depth // 4 % 3",
        "len(units) == 2 and 'a' in units",
        "lower('RED') == level",
        "round(rate * 3, 1)",
        "min(depth, 3) if open else 0",
    ):
        assert ours.evaluate(text, DATA) == eval(text, {"__builtins__": {}}, {**DATA, **FUNCTIONS})


@given(st.text(max_size=60) | st.text("()[]{}.,:=_*'\"\\ \nab1+-", max_size=40) | expressions.map(lambda t: t.replace("(", "{", 1)) | expressions.map(lambda t: t + ".__class__"))
def test_nothing_outside_the_list_is_ever_valued(text: str) -> None:
    for script in (False, True):
        if ours.refused(text, script=script) is not None:
            continue
        nodes = list(ast.walk(ast.parse(text.strip(), mode="exec" if script else "eval")))
        assert [node for node in nodes if not isinstance(node, (*ALLOWED, ast.Module, ast.Assign, ast.Store) if script else ALLOWED)] == []
        assert [node.id for node in nodes if isinstance(node, ast.Name) and node.id.startswith("_")] == []
        try:
            told = ours.execute(text, {}) if script else ours.evaluate(text, {})
        except ours.Refusal:
            continue
        json.dumps(told)
