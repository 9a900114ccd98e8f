"""What packs declare of signs and rules, read whole: indicators.toml and rules.toml of every pack, with the bands one pack adds to another's sign."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TypeVar

from zhongshu.judge.indicator import BAD_INDICATOR, Indicator, read_band, read_indicator
from zhongshu.judge.rule import BAD_RULE, Rule, read_rule
from zhongshu.kernel.area import Level
from zhongshu.kernel.ids import stable_id
from zhongshu.kernel.quantity import Property
from zhongshu.kernel.reason import why

Declared = TypeVar("Declared", Indicator, Rule)


def in_force(declared: Iterable[Declared], day: date) -> dict[str, Declared]:
    """Return by code what is in force on a city's day: of several definitions the one that came into force last."""
    return {one.code: one for one in sorted(declared, key=lambda one: one.valid_from) if one.valid_from <= day}


def read_packs(folders: Iterable[tuple[str, Path]], properties: Mapping[str, Property], place: int) -> tuple[list[Indicator], list[Rule]]:
    """Read all packs' declarations; bands of `[[bands]] indicator = …` hold in the city `place` only.

    A sign or rule may be declared again with a later `valid_from`: the city's days before it keep the older definition.
    """
    indicators: dict[tuple[str, date], Indicator] = {}
    owners: dict[str, str] = {}
    rules, added = [], []
    for pack, folder in folders:
        held = _toml(folder / "indicators.toml")
        for row in held.get("indicator", []):
            indicator = read_indicator(row, properties, pack)
            key = (indicator.code, indicator.valid_from)
            if key in indicators or owners.setdefault(indicator.code, pack) != pack:
                raise BAD_INDICATOR(code=indicator.code, why_zh=f"{owners[indicator.code]} 已经声明了它", why_en=f"declared by {owners[indicator.code]} already")
            indicators[key] = indicator
        added += [(pack, row) for row in held.get("bands", [])]
        rules += [read_rule(row, pack) for row in _toml(folder / "rules.toml").get("rule", [])]
    for pack, row in added:
        code = row.get("indicator", "?")
        if code not in owners:
            raise BAD_INDICATOR(code=code, why_zh=f"{pack} 为没有声明的指标设了分级", why_en=f"{pack} sets bands for a sign that nobody declares")
        try:
            band = replace(read_band(row), place=int(str(row.get("place", place))))
        except (KeyError, TypeError, ValueError) as error:
            raise BAD_INDICATOR(code=code, **why(error)) from error
        for key, old in [(key, old) for key, old in indicators.items() if key[0] == code]:
            indicators[key] = replace(old, bands=(*old.bands, band), version=stable_id(old.version, sorted((k, str(v)) for k, v in row.items())))
    _fit(rules, owners)
    return list(indicators.values()), rules


def _fit(rules: Iterable[Rule], owners: Mapping[str, str]) -> None:
    """Refuse rules on signs that nobody declares, and one that is declared again for another sign or level: its open findings would never end."""
    judged: dict[str, tuple[str, Level]] = {}
    for rule in rules:
        if rule.indicator not in owners:
            raise BAD_RULE(code=rule.code, why_zh=f"没有指标 {rule.indicator}", why_en=f"there is no sign {rule.indicator}")
        if judged.setdefault(rule.code, (rule.indicator, rule.at)) != (rule.indicator, rule.at):
            raise BAD_RULE(
                code=rule.code, why_zh="再次声明时不能换指标或层级：请换一个编号", why_en="declared again it judges the same sign at the same level: give another one another code"
            )


def _toml(path: Path) -> dict[str, list[dict[str, object]]]:
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
