"""Environment and weather: air, noise, weather, and the warnings that authorities have in force."""

from zhongshu.packs.environment.entities import PROPERTIES, TYPES
from zhongshu.packs.environment.sources import SOURCES

PACK = "environment"

__all__ = ["PACK", "PROPERTIES", "SOURCES", "TYPES"]
