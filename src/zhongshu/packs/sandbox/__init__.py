"""The sandbox city's life: its other devices, its own bands, its made readings, simulated staff and citizens, and the story of a storm."""

from zhongshu.packs.sandbox.entities import PROPERTIES, TYPES
from zhongshu.packs.sandbox.life.sandbox import SEATS, Sandbox, Seat, stages
from zhongshu.packs.sandbox.sources import SOURCES

PACK = "sandbox"

__all__ = ["PACK", "PROPERTIES", "SEATS", "SOURCES", "TYPES", "Sandbox", "Seat", "stages"]
