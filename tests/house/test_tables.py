"""The program's tables: every route has a permission, every problem both languages, every band its source."""

import ast
import inspect
import re
import string
import typing
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

from zhongshu.app import installed_packs
from zhongshu.govern import ACTIONS, KINDS, PLACELESS, ROLES, Guard, Policy
from zhongshu.judge import read_packs
from zhongshu.kernel.problem import ProblemKind, kinds
from zhongshu.serve.problems import STATUS
from zhongshu.serve.routes import ROUTES, Route, build

HAN, LATIN = re.compile(r"[\u4e00-\u9fff]"), re.compile(r"[A-Za-z]")
OUTSIDE_THE_TABLE = {"/openapi.json", "/docs", "/map", "/assets", "/{path:path}"}


def called(route: Route) -> str:
    return f"{route.method} {route.url}"


@pytest.mark.parametrize("route", ROUTES, ids=called)
def test_every_route_has_a_permission(route: Route) -> None:
    assert route.action in ACTIONS
    assert route.kind in KINDS
    guard = Guard(Policy())
    assert guard.able(route.action, route.kind), "a route nobody may use"
    assert route.action == "read" or route.method != "GET", "what only reads is asked for as such"
    assert route.handler.__doc__, "its first line is the API's documentation"


@pytest.mark.parametrize("route", [route for route in ROUTES if route.raw], ids=called)
def test_a_raw_route_asks_for_the_same_permission(route: Route) -> None:
    tree = ast.parse(inspect.getsource(route.handler))
    body = cast("ast.AsyncFunctionDef", tree.body[0]).body
    first = body[1]  # after the docstring: before anything of the request is looked at
    asked = [[a.value for a in call.args if isinstance(a, ast.Constant)] for call in ast.walk(first) if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "permit"]
    assert asked == [[route.action, route.kind]]


def test_nothing_is_served_outside_the_table(tmp_path: Path) -> None:
    app = build(cast("Any", None), tmp_path)
    table = {(route.method, route.url) for route in ROUTES}
    held = {(method, route.path) for route in app.routes if isinstance(route, APIRoute) for method in route.methods}
    assert held == table
    assert {getattr(route, "path", "") for route in app.routes if not isinstance(route, APIRoute)} <= OUTSIDE_THE_TABLE
    assert len(table) == len(ROUTES), "a route stands twice"
    spec = app.openapi()
    assert {(m.upper(), p) for p, methods in spec["paths"].items() for m in methods} == table


def test_the_specification_says_of_every_body_what_its_handler_takes(tmp_path: Path) -> None:
    spec = build(cast("Any", None), tmp_path).openapi()
    schemas, seen = spec["components"]["schemas"], 0
    for route in ROUTES:
        body = next((t for t in typing.get_type_hints(route.handler).values() if isinstance(t, type) and issubclass(t, BaseModel)), None)
        if route.raw or body is None:
            continue
        told = spec["paths"][route.url][route.method.lower()]["requestBody"]["content"]["application/json"]["schema"]
        told = schemas[told["$ref"].rpartition("/")[2]] if "$ref" in told else told
        assert set(told["properties"]) == {field.alias or name for name, field in body.model_fields.items()}, called(route)
        seen += 1
    assert seen > 15


def test_every_role_and_kind_has_both_names() -> None:
    rows = [*ACTIONS.values(), *KINDS.values(), *((role.zh, role.en) for role in ROLES.values())]
    assert [row for row in rows if not HAN.search(row[0]) or not LATIN.search(row[1])] == []
    assert PLACELESS <= set(KINDS)


# problems


def fields(*templates: str) -> set[str]:
    return {name for template in templates for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def test_every_problem_speaks_both_languages(modules: dict[str, ModuleType]) -> None:
    assert modules
    wrong = []
    for kind in kinds().values():
        words = {"zh": kind.zh, "en": kind.en, "remedy_zh": kind.remedy_zh, "remedy_en": kind.remedy_en}
        for name, text in words.items():
            bare = re.sub(r"\{\w+\}", "", text).strip(" :：.。")
            if not text.strip() or (bare and not (HAN if name.endswith("zh") else LATIN).search(bare)):
                wrong.append(f"{kind.code} {name}: {text!r}")
        if kind.sort not in STATUS or not re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", kind.code):
            wrong.append(f"{kind.code} {kind.sort}")
    assert wrong == []


ONE_REASON = {"owner.unreachable", "restore.unreadable"}
"""What the machine's own commands say of another process or of an archive."""


def test_no_sentence_holds_another_language_s_reason(modules: dict[str, ModuleType]) -> None:
    """A reason is words, so each language has its own: `{why_zh}` and `{why_en}`."""
    assert modules
    said = {kind.code: (fields(kind.zh, kind.remedy_zh), fields(kind.en, kind.remedy_en)) for kind in kinds().values()}
    assert [code for code, (zh, en) in said.items() if ((zh | en) & {"why", "reason"} and code not in ONE_REASON) or "why_en" in zh or "why_zh" in en] == []
    assert sum("why_zh" in zh and "why_en" in en for zh, en in said.values()) > 10


def test_every_problem_is_given_its_particulars(modules: dict[str, ModuleType]) -> None:
    """A sentence with a gap says `<name>`: each place that makes a problem must fill all its sentences ask for."""
    wrong, seen = [], 0
    for name, module in modules.items():
        for call in ast.walk(ast.parse(inspect.getsource(module))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            given = {k.arg for k in call.keywords}
            if any(k.arg is None and isinstance(k.value, ast.Call) and getattr(k.value.func, "id", "") == "why" for k in call.keywords):
                given = given - {None} | {"why_zh", "why_en"}
            if None in given:
                continue
            kind = getattr(module, call.func.id, None)
            if isinstance(kind, ProblemKind):
                seen += 1
                lacking = fields(kind.zh, kind.en, kind.remedy_zh, kind.remedy_en) - given
                wrong += [f"{name}:{call.lineno} {kind.code} lacks {', '.join(sorted(lacking))}"] if lacking else []
    assert wrong == []
    assert seen > 50, "the problems' uses were not found"


# signs


def test_every_band_has_a_source() -> None:
    packs = installed_packs()
    signs, rules = read_packs([(p.name, p.folder) for p in packs], {p.name: p for pack in packs for p in pack.properties}, 990000000000000)
    assert len(signs) >= 25
    assert [i.code for i in signs for band in i.bands if not band.source.get("doc") or not band.source.get("scope")] == []
    assert [r.code for r in rules if not HAN.search(r.say.get("zh", "")) or not LATIN.search(r.say.get("en", ""))] == []
    assert [i.code for i in signs if not HAN.search(i.name["zh"]) or not LATIN.search(i.name["en"])] == []
