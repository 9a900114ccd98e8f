"""Drainage and flooding: rain gauges, water levels, pumps and underpasses, and what is done when water stands."""

from zhongshu.packs.drainage.entities import PROPERTIES, TYPES

PACK = "drainage"

__all__ = ["PACK", "PROPERTIES", "TYPES"]
