"""Settings: what is written, by its kind; what is wrong, by name, value and place."""

import re
from pathlib import Path

import pytest

from zhongshu.kernel.problem import SHOWN, Problem
from zhongshu.settings import SETTINGS, TEXT, read

HAN = re.compile(r"[\u4e00-\u9fff]")
WRONG = {
    "port": ("abc", "70000", "-1", "87.5", ""),
    "role": ("chief",),
    "commit_s": ("soon", "0", "nan", "inf"),
    "journal_keep": ("many", "-1", "1e6"),
    "merge_files": ("few",),
    "forecast_s": ("hourly", "-1"),
    "run_limit_s": ("0", "-5"),
    "twin": ("on", "1"),
    "merge_s": ("1m", "-5"),
    "memory": ("lots", "4", "4 GiBs"),
    "disk_floor_mb": ("500MB",),
    "uplink_mb": ("1 GB",),
    "telemetry": ("off", "127.0.0.1:4318"),
    "log": ("xml",),
    "classifier": ("best",),
}


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in SETTINGS:
        monkeypatch.delenv(f"ZS_{setting.name.upper()}", raising=False)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_value_of_the_wrong_kind_is_named_with_its_place(name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f'{name} = "{value}"\n')
    with pytest.raises(Problem, match=r"settings\.invalid") as written:
        read({"settings": file})
    monkeypatch.setenv(f"ZS_{name.upper()}", value)
    with pytest.raises(Problem, match=r"settings\.invalid") as said:
        read()
    for problem, where in ((written.value, str(file)), (said.value, f"ZS_{name.upper()}")):
        for language in ("zh", "en"):
            assert name in problem.sentence(language) and value in problem.sentence(language) and where in problem.sentence(language)
        assert HAN.search(problem.remedy("zh")) and not HAN.search(problem.remedy("en"))


@pytest.mark.parametrize("said", ["true", "[1]", "{ a = 1 }", "1979-05-27"])
def test_no_setting_takes_what_is_neither_text_nor_number(said: str, tmp_path: Path) -> None:
    for setting in SETTINGS:
        (tmp_path / "settings.toml").write_text(f"{setting.name} = {said}\n")
        with pytest.raises(Problem, match=r"settings\.invalid"):
            read({"settings": tmp_path / "settings.toml"})


def test_every_setting_that_is_not_text_is_tried_and_its_default_is_of_its_kind() -> None:
    assert {setting.name for setting in SETTINGS if setting.kind is not TEXT} == set(WRONG)
    for setting in SETTINGS:
        setting.kind.read(setting.default)


def test_what_is_written_is_read_by_its_kind(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('data = "here"\nport = 8701\ncommit_s = 2\nmerge_s = "0.5"\nmemory = "512MB"\n')
    held = read({"settings": tmp_path / "settings.toml", "port": 0})
    assert (held.data, held.port, held.commit_s, held.merge_s, held.memory) == (tmp_path / "here", 0, 2.0, 0.5, "512MB")


def test_a_setting_nobody_knows_is_told_with_every_one_there_is_the_nearest_first(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("uplink_wat = 1\n")
    with pytest.raises(Problem, match=r"settings\.unknown") as told:
        read({"settings": file})
    for language in ("zh", "en"):
        said = told.value.remedy(language)
        assert all(setting.name in said for setting in SETTINGS) and said.index("uplink_what") < said.index("catalogue")
    assert all(len(str(value)) <= SHOWN for value in told.value.particulars.values() if value != file)


def test_where_a_settings_file_is_broken_is_told_in_both_languages(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('port = 8700\nhost = "\\q"\n')
    with pytest.raises(Problem, match=r"settings\.unreadable") as told:
        read({"settings": file})
    assert "第 2 行第" in told.value.sentence("zh") and "line 2" in told.value.sentence("en")


def test_a_password_that_is_no_text_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "city.toml").write_text("demo_password = 70419\n")
    with pytest.raises(Problem, match=r"settings\.invalid") as told:
        read({"settings": str(tmp_path / "city.toml")})
    assert "70419" not in told.value.sentence() + told.value.sentence("zh") and "demo_password" in told.value.sentence()
