"""The check of a pack's form: its files, its words, and its declarations read the way the city reads them."""

import re
import tomllib
from pathlib import Path

from zhongshu.app.installed import installed_packs
from zhongshu.judge import read_packs
from zhongshu.kernel.problem import Problem

REQUIRED = {"pack.toml", "README.md", "__init__.py", "entities.py", "words.zh.toml", "words.en.toml", "sample"}
OPTIONAL = {
    "sources.py",
    "indicators.toml",
    "rules.toml",
    "dispatch.csv",
    "tables",
    "playbooks",
    "samples",
    "services.toml",
    "forecasts.py",
    "lessons.toml",
    "views.toml",
    "policies.cedar",
    "sources",
    "forecasts",
    "life",
    "__pycache__",
}
LONGEST_DOOR = 30
LARGEST_DRAWING = 4096
_DRAWING = re.compile(r"[a-z][a-z0-9-]{0,39}\.svg")
_ELEMENT = re.compile(r"<(?!/)([^\s>/]*)")
_PLAIN = {"svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon"}
_LIVELY = re.compile(r"\son[a-z]+\s*=|href|url\(|style|&", re.IGNORECASE)


def check_pack(folder: Path) -> list[str]:
    """Return what is wrong with a pack's form, a sentence each; nothing if it is right."""
    if not folder.is_dir():
        return [f"{folder} is no folder"]
    held = {path.name for path in folder.iterdir()}
    wrong = [f"missing: {name}" for name in sorted(REQUIRED - held)] + [f"not part of a pack: {name}" for name in sorted(held - REQUIRED - OPTIONAL)]
    if (folder / "__init__.py").exists() and len((folder / "__init__.py").read_text("utf-8").splitlines()) > LONGEST_DOOR:
        wrong.append(f"__init__.py is longer than {LONGEST_DOOR} lines")
    return wrong + _samples(folder) + _words(folder) + _declarations(folder)


def _samples(folder: Path) -> list[str]:
    """Hold the drawings to plain lines: nothing that runs, loads, links or is to be read."""
    drawn = {path.name: path.read_text("utf-8", "replace") for path in sorted((folder / "samples").glob("*"))}
    wrong = [f"samples/{name}: a drawing is a small file named like drain-grate.svg" for name, text in drawn.items() if not _DRAWING.fullmatch(name) or len(text) > LARGEST_DRAWING]
    return wrong + [
        f"samples/{name}: more than plain lines and fills"
        for name, text in drawn.items()
        if not set(_ELEMENT.findall(text)) <= _PLAIN or not text.startswith("<svg ") or _LIVELY.search(text)
    ]


def _words(folder: Path) -> list[str]:
    paths = [folder / f"words.{language}.toml" for language in ("zh", "en")]
    if not all(path.exists() for path in paths):
        return []
    try:
        zh, en = (set(_flat(tomllib.loads(path.read_text("utf-8")))) for path in paths)
    except tomllib.TOMLDecodeError as error:
        return [f"words: {error}"]
    return [f"word {key} is in one language only" for key in sorted(zh ^ en)]


def _flat(table: dict[str, object], prefix: str = "") -> list[str]:
    return [key for k, v in table.items() for key in (_flat(v, f"{prefix}{k}.") if isinstance(v, dict) else [prefix + k])]


def _declarations(folder: Path) -> list[str]:
    """Read the signs and rules with the properties and signs of all installed packs beside them."""
    packs = installed_packs()
    properties = {p.name: p for pack in packs for p in pack.properties}
    others = [(p.name, p.folder) for p in packs if p.folder.resolve() != folder.resolve()]
    try:
        read_packs([*others, (folder.name, folder)], properties, 1)
    except Problem as problem:
        return [problem.sentence()]
    except tomllib.TOMLDecodeError as error:
        return [str(error)]
    return []
