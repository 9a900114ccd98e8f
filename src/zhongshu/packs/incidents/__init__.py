"""City incidents: the playbooks of what several departments do at once when something happens."""

from zhongshu.packs.incidents.entities import PROPERTIES, TYPES

PACK = "incidents"

__all__ = ["PACK", "PROPERTIES", "TYPES"]
