"""Links: the lines between a city and its districts, and how well they carry."""

from zhongshu.packs.links.entities import PROPERTIES, TYPES

PACK = "links"

__all__ = ["PACK", "PROPERTIES", "TYPES"]
