"""How long data stays is said by dated rows; a row that is wrong, or would cut what a sign needs, cuts nothing."""

from datetime import date
from pathlib import Path

import pytest

from zhongshu.app.retention import YEAR, cuts, read_rules
from zhongshu.engines.forgetting import Cut
from zhongshu.judge import read_indicator
from zhongshu.kernel.clock import DAY, HOUR, MINUTE
from zhongshu.kernel.problem import Problem
from zhongshu.kernel.quantity import Property

PROPERTIES = {name: Property(name, "1", "1", 0, 1000, MINUTE, 2 * HOUR) for name in ("A.x", "A.y", "B.z")}
SIGN = read_indicator(
    {"code": "AX01", "name": {"zh": "甲", "en": "A"}, "unit": "1", "owner": "o", "of": "A.x", "measure": "max", "window": "72h", "hop": "2h", "levels": ["city"]}, PROPERTIES
)
GOOD = """
[[keep]]
property = "*"
raw = "90d"
hourly = "5y"
from = 2026-01-01
source = { doc = "数据管理办法", clause = "12" }
[[keep]]
property = "A.x"
raw = "4d2h"
from = 2026-02-01
source = { doc = "数据管理办法" }
[[keep]]
property = "A.y"
from = 2026-02-01
source = { doc = "档案" }
"""


def rules(folder: Path, text: str) -> list:  # type: ignore[type-arg]
    (folder / "retention.toml").write_text(text)
    return read_rules(folder / "retention.toml", PROPERTIES, [SIGN])


def test_each_property_is_cut_under_its_newest_rule_in_force(tmp_path: Path) -> None:
    now = 30_000 * DAY + 5 * HOUR
    found = rules(tmp_path, GOOD)
    assert cuts(found, now, date(2025, 12, 31), ()) == {"readings": [], "hourly": []}
    assert cuts(found, now, date(2026, 1, 31), ()) == {"readings": [Cut("all:2026-01-01", "", 29_910 * DAY)], "hourly": [Cut("all:2026-01-01", "", 30_000 * DAY - 5 * YEAR)]}
    later = cuts(found, now, date(2026, 2, 1), ())
    assert later["readings"] == [Cut("all:2026-01-01", "", 29_910 * DAY, ("A.x", "A.y")), Cut("A.x:2026-02-01", "A.x", 29_996 * DAY)], "A.y stays for ever"
    assert not any(cut.concerns("Case.opened") for cut in cuts(found, now, date(2026, 2, 1))["readings"]), "what the desk tells of its cases goes only by name"
    assert read_rules(tmp_path / "none.toml", PROPERTIES, [SIGN]) == []


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (('raw = "90d"', "raw = 90"), "retention.invalid", "Row 1 of the retention rules is wrong: raw"),
        (('raw = "90d"', 'raw = "ninety"'), "retention.invalid", "Row 1"),
        (('raw = "90d"', 'rav = "90d"'), "retention.invalid", "Row 1"),
        (('property = "A.y"', 'property = "A.q"'), "retention.invalid", "Row 3 of the retention rules is wrong: property: there is no property A.q"),
        (('hourly = "5y"', 'hourly = "5d"'), "retention.invalid", "Row 1 of the retention rules is wrong: hourly"),
        (('{ doc = "档案" }', '{ clause = "1" }'), "retention.invalid", "Row 3"),
        (("from = 2026-01-01", 'from = "soon"'), "retention.invalid", "Row 1"),
        (('property = "A.y"', 'property = "A.x"'), "retention.invalid", "Row 3 of the retention rules is wrong: there is a row for A.x:2026-02-01 already"),
        (('raw = "4d2h"', 'raw = "4d1h"'), "retention.too_short", "rule A.x:2026-02-01 would forget A.x while vital sign AX01 needs it: for 98h, and the rule keeps 97h"),
        (("[[keep]]", "[[kept]]"), "retention.unreadable", "kept is not known"),
        (("[[keep]]", "[[keep"), "retention.unreadable", "retention.toml cannot be read"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_cut(tmp_path: Path, change: tuple[str, str], code: str, said: str) -> None:
    with pytest.raises(Problem) as told:
        rules(tmp_path, GOOD.replace(*change))
    assert told.value.kind.code == code and said in told.value.sentence()
    assert "<" not in told.value.sentence("zh") + told.value.remedy("zh") + told.value.remedy()


def test_a_rule_for_all_is_held_against_every_property_without_its_own(tmp_path: Path) -> None:
    text = GOOD.replace('raw = "90d"', 'raw = "2d"')
    assert len(rules(tmp_path, text)) == 3, "A.x has a rule of its own"
    with pytest.raises(Problem) as told:
        rules(tmp_path, text.replace('property = "A.x"', 'property = "B.z"'))
    assert told.value.kind.code == "retention.too_short"
