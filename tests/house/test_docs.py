"""The documents: the generated half says what the program says, links lead somewhere, and every noun stands in the glossary."""

import re
import subprocess
import sys
from pathlib import Path

from zhongshu.app import installed_packs
from zhongshu.govern import KINDS
from zhongshu.judge import read_packs
from zhongshu.kernel.problem import kinds
from zhongshu.settings import SETTINGS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "README.zh.md"]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def test_the_reference_is_up_to_date() -> None:
    told = subprocess.run([sys.executable, str(DOCS / "generate.py"), "--check"], capture_output=True, text=True, check=False)
    assert told.returncode == 0, f"{told.stdout}{told.stderr}\nrun: python docs/generate.py"


def test_every_setting_and_every_problem_has_its_line() -> None:
    settings, problems = ((DOCS / "reference" / f"{name}.md").read_text("utf-8") for name in ("settings", "problems"))
    assert [s.name for s in SETTINGS if f"`ZS_{s.name.upper()}`" not in settings] == []
    assert [code for code in kinds() if not code.startswith("test.") and f"`{code}`" not in problems] == []


def test_every_source_of_a_band_is_told_in_both_languages() -> None:
    told, packs = (DOCS / "reference" / "indicators.md").read_text("utf-8"), installed_packs()
    signs, _ = read_packs([(p.name, p.folder) for p in packs], {p.name: p for pack in packs for p in pack.properties}, 990000000000000)
    sources = [(sign.code, band.source) for sign in signs for band in sign.bands]
    assert len(sources) > len(signs) / 2
    assert [(code, key) for code, source in sources for key in ("doc", "clause") if source.get(key) and not source.get(f"{key}_en")] == []
    said = [(code, source[key]) for code, source in sources for key in ("doc", "doc_en", "clause", "clause_en") if source.get(key)]
    assert [(code, words) for code, words in said if words.replace("|", "\\|") not in told] == []


def test_every_link_leads_somewhere() -> None:
    wrong = []
    for page in PAGES:
        for target in LINK.findall(page.read_text("utf-8")):
            if "://" in target or target.startswith("mailto:"):
                continue
            path = (page.parent / target).resolve()
            if not path.exists():
                wrong.append(f"{page.relative_to(ROOT)} → {target}")
    assert wrong == []


def test_every_noun_is_in_the_glossary() -> None:
    glossary = (DOCS / "glossary.md").read_text("utf-8")
    assert [zh for zh, _ in KINDS.values() if zh not in glossary] == []


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(path.name[:4]) for path in sorted((DOCS / "decisions").glob("[0-9]*.md"))]
    assert numbers == list(range(1, len(numbers) + 1)) != []


def test_the_tree_in_the_readme_is_the_tree() -> None:
    floors = {path.name for path in (ROOT / "src" / "zhongshu").iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    for name in ("README.md", "README.zh.md"):
        text = (ROOT / name).read_text("utf-8")
        assert [floor for floor in sorted(floors) if f"{floor}/" not in text] == []


def test_paths_that_the_documents_name_are_there() -> None:
    wrong = []
    for page in PAGES:
        for name in re.findall(r"`((?:src|tests|web|docs|benchmarks)/[\w./-]+)`", page.read_text("utf-8")):
            if not (ROOT / name).exists():
                wrong.append(f"{page.relative_to(ROOT)}: {name}")
    assert wrong == []
