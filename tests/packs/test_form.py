"""Every first-party pack has the form of a pack, speaks two languages alike, and declares what the stages can read."""

import ast
import csv
import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import zhongshu.packs
from zhongshu.app import check_pack
from zhongshu.judge.declared import read_packs
from zhongshu.judge.indicator import read_band, read_indicator
from zhongshu.judge.rule import read_rule
from zhongshu.kernel.area import city_of
from zhongshu.kernel.problem import Problem

HOME = Path(zhongshu.packs.__file__).parent
PACKS = sorted(p.name for p in HOME.iterdir() if (p / "pack.toml").is_file())
MUST = {"pack.toml", "README.md", "__init__.py", "entities.py", "words.zh.toml", "words.en.toml", "sample"}
MAY = {"sources.py", "indicators.toml", "rules.toml", "playbooks", "samples", "dispatch.csv", "tables", "services.toml", "forecasts.py", "views.toml", "policies.cedar"}
OWN = {"sandbox": {"life"}}
FIRST_25 = set("EM01 EM02 EM03 DR02 DR03 DR04 DR06 EN01 EN02 EN05 TR01 TR03 TR04 TR05 HL01 HL02 HL06 HL08 HL09 CA02 CA03 CA04 CA05 CA08 IN01".split())
LEFT_UNSET = {"HL01", "HL08", "HL09", "CA05", "CA08"}
SCOPES = {"national", "city", "Beijing local standard"}


def toml(pack: str, name: str) -> dict[str, Any]:
    path = HOME / pack / name
    return tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}


def rows(name: str, table: str) -> list[tuple[str, dict[str, Any]]]:
    return [(pack, row) for pack in PACKS for row in toml(pack, name).get(table, [])]


def leaves(table: dict[str, Any], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for key, value in table.items():
        found |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key}
    return found


def module(pack: str) -> Any:
    return importlib.import_module(f"zhongshu.packs.{pack}")


PROPERTIES = {p.name: p for pack in PACKS for p in module(pack).PROPERTIES}


def test_the_packs_are_there() -> None:
    assert PACKS == ["drainage", "environment", "hotline", "incidents", "lifelines", "links", "sandbox", "traffic"]


@pytest.mark.parametrize("pack", PACKS)
def test_a_pack_is_exactly_its_files(pack: str) -> None:
    files = {p.name for p in (HOME / pack).iterdir() if p.name != "__pycache__"}
    assert MUST <= files
    assert files - MUST - MAY - OWN.get(pack, set()) == set()
    assert any((HOME / pack / "sample").iterdir())
    assert len((HOME / pack / "__init__.py").read_text("utf-8").splitlines()) <= 30
    assert module(pack).PACK == pack


@pytest.mark.parametrize("pack", PACKS)
def test_a_pack_says_who_and_what(pack: str) -> None:
    told = toml(pack, "pack.toml")
    assert set(told) - {"fictional"} == {"name", "owner", "needs", "serves"}
    assert set(told["name"]) == {"zh", "en"}
    assert set(told["needs"]) <= set(PACKS) - {pack}
    assert all(re.fullmatch(r"S\d\d", row) for row in told["serves"])


@pytest.mark.parametrize("pack", PACKS)
def test_both_languages_have_the_same_keys(pack: str) -> None:
    zh, en = toml(pack, "words.zh.toml"), toml(pack, "words.en.toml")
    assert leaves(zh) == leaves(en) != set()


@pytest.mark.parametrize("pack", PACKS)
def test_packs_import_no_pack_and_no_stage_but_what_they_declare_for(pack: str) -> None:
    allowed = re.compile(rf"zhongshu\.(kernel(\.\w+)?|sense|foresee|packs\.{pack}(\.\w+)*)")
    for path in (HOME / pack).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert not name.startswith("zhongshu") or allowed.fullmatch(name), f"{path}: {name}"


@pytest.mark.parametrize("pack", PACKS)
def test_a_type_is_spoken_for_by_the_pack_or_by_one_it_needs(pack: str) -> None:
    mine = {t.name for p in (pack, *toml(pack, "pack.toml")["needs"]) for t in module(p).TYPES}
    assert {p.type for p in module(pack).PROPERTIES} <= {t.name for t in module(pack).TYPES}
    for row in toml(pack, "indicators.toml").get("indicator", []):
        for measure in row.get("measures", {"": row}).values():
            assert measure["of"].partition(".")[0] in mine, row["code"]


def test_no_type_or_property_is_declared_twice() -> None:
    types = [t.name for pack in PACKS for t in module(pack).TYPES]
    properties = [p.name for pack in PACKS for p in module(pack).PROPERTIES]
    assert len(set(types)) == len(types)
    assert len(set(properties)) == len(properties)
    assert all(p.zh and p.en for pack in PACKS for p in module(pack).PROPERTIES)


LOOP = ["HL07", "CA07", "CA10", "CA11"]
LINES = ("LK01", "LK02", "LK03")
"""The signs of the closed loop beside the first 25: hops, and the time at each holder."""


def test_the_signs_are_declared_once_each() -> None:
    codes = [row["code"] for _, row in rows("indicators.toml", "indicator")]
    assert sorted(codes) == sorted([*FIRST_25, *LOOP, *LINES])


def test_a_sign_says_all_that_a_person_needs() -> None:
    for _, row in rows("indicators.toml", "indicator"):
        assert {"code", "name", "formula", "unit", "decimals", "theme", "owner", "window", "direction"} <= set(row), row["code"]
        assert set(row["name"]) == set(row["formula"]) == {"zh", "en"}
        assert ("derive" in row) == bool(row.get("measures")), row["code"]
        for measure in row.get("measures", {"": row}).values():
            assert measure["of"] in PROPERTIES
            assert measure["measure"] != "share" or ("when" in measure and "weight" not in measure), "a share counts readings alike"


def bands() -> list[tuple[str, dict[str, Any]]]:
    own = [(row["code"], band) for _, row in rows("indicators.toml", "indicator") for band in row.get("bands", [])]
    return own + [(band["indicator"], band) for _, band in rows("indicators.toml", "bands")]


def test_no_band_without_a_source_and_no_national_band_from_the_city() -> None:
    for code, band in bands():
        assert set(band["source"]) == {"doc", "clause", "doc_en", "clause_en", "scope"}, code
        assert not re.search("[\u4e00-\u9fff]", band["source"]["doc_en"] + band["source"]["clause_en"]), code
        assert band["source"]["scope"] in SCOPES
        assert ("虚构" in band["source"]["doc"]) == (band["source"]["scope"] == "city")
        assert (band.get("place", "").startswith("9901")) == (band["source"]["scope"] == "city")
        assert "预警" not in "".join(step.get("native", "") for step in band["steps"])


def test_some_signs_are_left_unset_on_purpose() -> None:
    assert LEFT_UNSET <= FIRST_25 - {code for code, _ in bands()}


def test_the_classes_of_a_standard_are_worded_in_both_languages() -> None:
    words = {key for pack in PACKS for key in toml(pack, "words.en.toml").get("native", {})}
    assert {step["native"] for _, band in bands() for step in band["steps"] if "native" in step} <= words


def test_rules_name_signs_and_classes_that_exist() -> None:
    classes = {row["class"] for pack in PACKS for row in duty(pack)}
    codes = [rule["code"] for _, rule in rows("rules.toml", "rule")]
    assert len(set(codes)) == len(codes) >= 8
    for _, rule in rows("rules.toml", "rule"):
        assert rule["indicator"] in FIRST_25
        assert set(rule["say"]) == set(rule["name"]) == {"zh", "en"}
        assert rule.get("opens") != "lead" or rule["class"] in classes, rule["code"]
        assert rule["when"].startswith("absent") or "clear" in rule
        assert not rule.get("auto_file", False)


def duty(pack: str) -> list[dict[str, str]]:
    path = HOME / pack / "dispatch.csv"
    return list(csv.DictReader(path.read_text("utf-8").splitlines())) if path.is_file() else []


def test_the_dispatch_catalogue_is_dated_and_has_a_basis() -> None:
    all_rows = [row for pack in PACKS for row in duty(pack)]
    assert len({row["class"] for row in all_rows}) == len(all_rows)
    for row in all_rows:
        assert int(row["limit_minutes"]) > 0
        assert row["check"] in {"person", "instrument", "callback"}
        assert (row["check"] == "instrument") == bool(row["normal_minutes"])
        assert row["basis_en"].isascii() and "fictional" in row["basis_en"]
        assert row["basis"].split()[-1] == row["basis_en"].split()[-1], "both name the same clause"
        assert "虚构" in row["basis"] and re.fullmatch(r"\d{4}-\d\d-\d\d", row["valid_from"])
    ponding = next(row for row in all_rows if row["class"] == "drainage.ponding")
    assert (ponding["unit"], ponding["check"], ponding["normal_minutes"]) == ("dept-drainage", "instrument", "2")
    words = [word for row in all_rows for word in row["words"].split(";") if word]
    assert len(set(words)) == len(words), "a word must lead to one class"


def test_every_sample_picture_is_drawn_named_and_put_in_words() -> None:
    drawn = {path.stem: path for pack in PACKS for path in (HOME / pack / "samples").glob("*")}
    named = [row for pack in PACKS for row in duty(pack) if row.get("picture")]
    assert {row["picture"] for row in named} == drawn.keys()
    assert len(drawn) == sum(len(list((HOME / pack / "samples").glob("*"))) for pack in PACKS), "a name is one drawing's"
    assert all(row["condition"] and row["condition_en"].isascii() for row in named), "who sees no picture is told in words"
    assert [wrong for pack in PACKS for wrong in check_pack(HOME / pack) if "samples" in wrong] == []


@pytest.mark.parametrize(
    "bad", ["<script>x()</script>", '<path onload="x()"/>', '<image href="x"/>', "<text>a</text>", '<rect fill="url(#a)"/>', "<!ENTITY a 'b'>", "<style>*{}</style>"]
)
def test_a_drawing_that_is_more_than_lines_is_refused(tmp_path: Path, bad: str) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "a.svg").write_text(f'<svg xmlns="http://www.w3.org/2000/svg">{bad}</svg>')
    assert any("samples/a.svg" in wrong for wrong in check_pack(tmp_path))


def test_the_judge_reads_every_declaration() -> None:
    signs = [read_indicator(row, PROPERTIES, pack) for pack, row in rows("indicators.toml", "indicator")]
    assert len(signs) == 32
    assert all(spec.window // spec.hop <= 60 for sign in signs for spec in sign.specs())
    assert {read_rule(rule, pack).indicator for pack, rule in rows("rules.toml", "rule")} <= {sign.code for sign in signs}
    for _, band in rows("indicators.toml", "bands"):
        assert city_of(read_band(band).place) == read_band(band).place


def test_a_rule_declared_again_judges_the_same_sign_and_level(tmp_path: Path) -> None:
    (tmp_path / "indicators.toml").write_text((HOME / "links" / "indicators.toml").read_text("utf-8"), "utf-8")
    row = '[[rule]]\ncode = "X1"\nname = {{ zh = "慢", en = "Slow" }}\nindicator = "LK01"\nat = "{at}"\nwhen = "value >= {least}"\nopens = "finding"\nsay = {{ zh = "慢", en = "slow" }}\n{more}\n'
    for at, fits in (("city", True), ("street", False)):
        (tmp_path / "rules.toml").write_text(row.format(at="city", least=1, more="") + row.format(at=at, least=2, more="valid_from = 2026-07-01"), "utf-8")
        if fits:
            assert len(read_packs([("x", tmp_path)], PROPERTIES, 1)[1]) == 2
        else:
            with pytest.raises(Problem, match="another code"):
                read_packs([("x", tmp_path)], PROPERTIES, 1)
