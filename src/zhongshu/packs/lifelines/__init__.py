"""Lifelines: how storm water, roads, power and drinking water bear on each other, what people may change and compare, and the pipes below the streets."""

from zhongshu.packs.lifelines.entities import PROPERTIES, TYPES
from zhongshu.packs.lifelines.forecasts import COUPLINGS, DRIVES, LEVERS, OUTCOMES, SIGHTS

PACK = "lifelines"

__all__ = ["COUPLINGS", "DRIVES", "LEVERS", "OUTCOMES", "PACK", "PROPERTIES", "SIGHTS", "TYPES"]
