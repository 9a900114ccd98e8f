"""Hotline and cases: what citizens ask for, and how well the city keeps its word."""

from zhongshu.packs.hotline.entities import PROPERTIES, TYPES
from zhongshu.packs.hotline.sources import SOURCES

PACK = "hotline"

__all__ = ["PACK", "PROPERTIES", "SOURCES", "TYPES"]
