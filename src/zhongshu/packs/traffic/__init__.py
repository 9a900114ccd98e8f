"""Traffic: detectors, car parks, bus stops and roads, and how the city moves."""

from zhongshu.packs.traffic.entities import PROPERTIES, TYPES
from zhongshu.packs.traffic.sources import SOURCES

PACK = "traffic"

__all__ = ["PACK", "PROPERTIES", "SOURCES", "TYPES"]
