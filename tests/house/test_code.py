"""How code is written here: no hidden imports, no drawers, nothing too long, every file says what it is for, the kernel knows no domain."""

import ast
import re
import sys
from pathlib import Path

import pytest

from zhongshu.app import installed_packs

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "zhongshu"
KERNEL = SRC / "kernel"
SOURCES = sorted(SRC.rglob("*.py"))
TESTS = sorted(path for folder in ("tests", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py"))
TREES = {path: ast.parse(path.read_text("utf-8")) for path in (*SOURCES, *TESTS)}
DRAWERS = {"utils", "util", "common", "helpers", "helper", "misc", "base", "manager", "core", "lib", "tools"}
LONGEST_FILE, LONGEST_FUNCTION, LARGEST_KERNEL = 500, 60, 2000
PLAIN_WORDS = {  # parts of types' and packs' names that are the language's or the kernel's own nouns
    "level",
    "station",
    "case",
    "request",
    "sensor",
    "camera",
    "building",
    "section",
    "point",
    "post",
    "house",
    "unit",
    "site",
    "stop",
    "light",
    "air",
    "space",
    "environment",
    "sandbox",
    "service",
    "cover",
    "door",
    "street",
    "city",
    "district",
    "community",
    "cell",
    "day",
    "organisation",
    "bin",
    "bus",
    "call",
    "lot",
    "centre",
    "monitor",
    "quality",
    "warning",
    "line",
    "signal",
}

EXEMPT = {  # each with its reason; the list only shrinks
    ("entity.py", "rain"): "an example of an id in a remedy",
    ("entity.py", "gauge"): "an example of an id in a remedy",
    ("entity.py", "road"): "an example in the head",
    ("quantity.py", "rain"): "the dimension of mm/h",
}


def shown(path: Path, line: int = 0) -> str:
    return f"{path.relative_to(ROOT)}{f':{line}' if line else ''}"


def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def imported(tree: ast.AST) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(name.name, node.lineno) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(("." * node.level + (node.module or ""), node.lineno))
    return found


def test_every_file_says_what_it_is_for() -> None:
    assert [shown(path) for path, tree in TREES.items() if not ast.get_docstring(tree) and path.read_text("utf-8").strip()] == []
    assert [shown(path) for path in SOURCES if not ast.get_docstring(TREES[path])] == []


def test_no_import_is_hidden() -> None:
    wrong = [shown(path, node.lineno) for path in SOURCES for node in ast.walk(TREES[path]) if isinstance(node, ast.Name | ast.Attribute) and "TYPE_CHECKING" in ast.dump(node)]
    wrong += [shown(path, line) for path in SOURCES for each in functions(TREES[path]) for name, line in imported(each) if name.startswith(("zhongshu", "."))]
    wrong += [shown(path, line) for path in SOURCES for name, line in imported(TREES[path]) if name.startswith(".")]
    assert wrong == []


def test_there_are_no_drawers() -> None:
    assert [shown(path) for path in SOURCES if DRAWERS & {path.stem, *path.relative_to(SRC).parts[:-1]}] == []


def test_nothing_is_too_long() -> None:
    long = [shown(path) for path in (*SOURCES, *TESTS) if len(path.read_text("utf-8").splitlines()) > LONGEST_FILE]
    long += [f"{shown(path, f.lineno)} {f.name}" for path in (*SOURCES, *TESTS) for f in functions(TREES[path]) if (f.end_lineno or 0) - f.lineno + 1 > LONGEST_FUNCTION]
    long += [shown(path) for path in (ROOT / "web" / "src").rglob("*") if path.suffix in {".ts", ".vue"} and len(path.read_text("utf-8").splitlines()) > LONGEST_FILE]
    assert long == []


def test_only_settings_reads_the_environment() -> None:
    reads = [shown(path, node.lineno) for path in SOURCES for node in ast.walk(TREES[path]) if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}]
    assert {place.partition(":")[0] for place in reads} == {"src/zhongshu/settings.py"}
    users = {path.relative_to(SRC).parts[0] for path in SOURCES for name, _ in imported(TREES[path]) if name == "zhongshu.settings"}
    assert users <= {"app", "cli.py", "testing.py"}


def test_only_serve_speaks_http() -> None:
    web = [(path, name) for path in SOURCES for name, _ in imported(TREES[path]) if name.partition(".")[0] in {"fastapi", "starlette", "uvicorn"}]
    assert [
        f"{shown(path)} imports {name}" for path, name in web if path.relative_to(SRC).parts[0] != "serve" and (path.relative_to(SRC).parts[0], name) != ("app", "uvicorn")
    ] == []


# the kernel


def test_the_kernel_is_small() -> None:
    assert sum(len(path.read_text("utf-8").splitlines()) for path in KERNEL.rglob("*.py")) <= LARGEST_KERNEL


def test_the_kernel_stands_on_nothing() -> None:
    allowed = set(sys.stdlib_module_names) | {"numpy", "pyarrow"}
    wrong = [
        f"{shown(path, line)} {name}"
        for path in KERNEL.rglob("*.py")
        for name, line in imported(TREES[path])
        if name.partition(".")[0] not in allowed and not name.startswith("zhongshu.kernel")
    ]
    assert wrong == []


def domain_words() -> set[str]:
    packs = installed_packs()
    words = {pack.name for pack in packs}
    names = {t.name for pack in packs for t in pack.types} | {p.name for pack in packs for p in pack.properties}
    for name in names:
        words |= {part.lower() for part in re.findall(r"[A-Z][a-z]{2,}", name.partition(".")[0])}
    chinese = {t.zh for pack in packs for t in pack.types} | {p.zh for pack in packs for p in pack.properties}
    return {w for w in words - PLAIN_WORDS if w} | {w for w in chinese if len(w) > 2}


def test_the_kernel_knows_no_domain() -> None:
    words = domain_words()
    assert {"rain", "gauge", "drainage", "雨量站"} <= words, "the packs' words are not found: this test would see nothing"
    wrong = []
    for path in KERNEL.rglob("*.py"):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            said = {part.lower() for part in re.findall(r"[A-Z]?[a-z]+", line)}
            wrong += [f"{shown(path, number)} {word}" for word in words if (word in said if word.isascii() else word in line) and (path.name, word) not in EXEMPT]
    assert wrong == []


@pytest.mark.parametrize("word", ["rain", "雨量站"])
def test_a_domain_word_would_be_seen(word: str) -> None:
    assert word in domain_words()
