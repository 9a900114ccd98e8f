"""What the documents show works: Python runs, declarations are read by what reads them in a city, JSON is JSON, drawings are the drawn ones."""

import json
import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from zhongshu.act import mermaid
from zhongshu.app import installed_packs
from zhongshu.cli import app
from zhongshu.foresee import Scenario
from zhongshu.judge import read_packs
from zhongshu.judge.indicator import read_indicator
from zhongshu.judge.rule import read_rule
from zhongshu.sense import Source
from zhongshu.sense.feeds.declared import SCHEMES, read_connector

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md", ROOT / "README.zh.md"]
PACKS = installed_packs()
PROPERTIES = {p.name: p for pack in PACKS for p in pack.properties}


def read_toml(example: Example) -> None:
    held = tomllib.loads(example.parsed)
    if "models" in held:
        assert msgspec.convert(held, Scenario).coupling
    for row in held.get("indicator", []):
        assert read_indicator(row, PROPERTIES).bands or row["code"].startswith("HL")
    for row in held.get("rule", []):
        assert read_rule(row).say
    for number, row in enumerate(held.get("connector", []), 1):
        name = row.get("name", "")
        read = read_connector(row, number, {name: Source(name, name, name, "city", entities="register")})
        named = {c.property for c in getattr(read.source.mapping, "columns", ())} | {
            each.property for each in (*getattr(read.row, "nodes", ()), *getattr(read.row, "registers", ()))
        }
        assert named <= PROPERTIES.keys()


SYBIL = Sybil([PythonCodeBlockParser(), CodeBlockParser("toml", read_toml), CodeBlockParser("json", lambda example: json.loads(example.parsed) and None)])
EXAMPLES = [(page, example) for page in PAGES for example in SYBIL.parse(page).examples()]


@pytest.mark.parametrize("example", [example for _, example in EXAMPLES], ids=[f"{page.name}:{example.line}" for page, example in EXAMPLES])
def test_an_example_works(example: Example) -> None:
    example.evaluate()


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


def test_every_kind_of_feed_has_its_example() -> None:
    page = (ROOT / "docs" / "how-to" / "connect-a-feed.md").read_text("utf-8")
    assert [kind for kind in SCHEMES if f'kind = "{kind}"' not in page] == []


def test_new_codes_of_examples_are_free() -> None:
    signs, _ = read_packs([(p.name, p.folder) for p in PACKS], PROPERTIES, 1)
    assert {"DR91", "HL91"} & {sign.code for sign in signs} == set()


def test_the_drawing_is_the_table_s() -> None:
    drawn = (ROOT / "docs" / "reference" / "way-of-a-case.md").read_text("utf-8")
    assert all(mermaid(language).rstrip() in drawn for language in ("zh", "en"))


def test_the_commands_that_are_shown_are_there() -> None:
    known = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback} | {group.name for group in app.registered_groups}
    named = {word for page in PAGES for word in re.findall(r"^(?:\.venv/bin/)?zhongshu ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)}
    assert named - known == set()
