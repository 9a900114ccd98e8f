"""Lifelines: how storm water, roads, power and drinking water bear on each other, and the pipes and cables below the streets."""

from zhongshu.packs.lifelines.entities import PROPERTIES, TYPES

PACK = "lifelines"

__all__ = ["PACK", "PROPERTIES", "TYPES"]
