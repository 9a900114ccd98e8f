"""What packs declare of signs and rules, read whole: indicators.toml and rules.toml of every pack, with the bands one pack adds to another's sign."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from zhongshu.judge.indicator import BAD_INDICATOR, Indicator, read_band, read_indicator
from zhongshu.judge.rule import BAD_RULE, Rule, read_rule
from zhongshu.kernel.ids import stable_id
from zhongshu.kernel.quantity import Property
from zhongshu.kernel.reason import why


def read_packs(folders: Iterable[tuple[str, Path]], properties: Mapping[str, Property], place: int) -> tuple[list[Indicator], list[Rule]]:
    """Read all packs' declarations; bands of `[[bands]] indicator = …` hold in the city `place` only."""
    indicators: dict[str, Indicator] = {}
    rules, added = [], []
    for pack, folder in folders:
        held = _toml(folder / "indicators.toml")
        for row in held.get("indicator", []):
            indicator = read_indicator(row, properties, pack)
            if indicator.code in indicators:
                raise BAD_INDICATOR(code=indicator.code, why_zh=f"{indicators[indicator.code].pack} 已经声明了它", why_en=f"declared by {indicators[indicator.code].pack} already")
            indicators[indicator.code] = indicator
        added += [(pack, row) for row in held.get("bands", [])]
        rules += [read_rule(row, pack) for row in _toml(folder / "rules.toml").get("rule", [])]
    for pack, row in added:
        code = row.get("indicator", "?")
        if code not in indicators:
            raise BAD_INDICATOR(code=code, why_zh=f"{pack} 为没有声明的指标设了分级", why_en=f"{pack} sets bands for a sign that nobody declares")
        try:
            band = replace(read_band(row), place=int(str(row.get("place", place))))
        except (KeyError, TypeError, ValueError) as error:
            raise BAD_INDICATOR(code=code, **why(error)) from error
        old = indicators[code]
        indicators[code] = replace(old, bands=(*old.bands, band), version=stable_id(old.version, sorted((k, str(v)) for k, v in row.items())))
    for rule in rules:
        if rule.indicator not in indicators:
            raise BAD_RULE(code=rule.code, why_zh=f"没有指标 {rule.indicator}", why_en=f"there is no sign {rule.indicator}")
    return list(indicators.values()), rules


def _toml(path: Path) -> dict[str, list[dict[str, object]]]:
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
