"""Lifelines ahead: four networks looked ahead together, and what people may change and compare."""

from zhongshu.packs.lifelines.entities import PROPERTIES, TYPES
from zhongshu.packs.lifelines.forecasts import COUPLINGS, DRIVES, LEVERS, OUTCOMES, SIGHTS

PACK = "lifelines"

__all__ = ["COUPLINGS", "DRIVES", "LEVERS", "OUTCOMES", "PACK", "PROPERTIES", "SIGHTS", "TYPES"]
