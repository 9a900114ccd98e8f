"""The readers of real cities' data that become entities: format → what reads a file of it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from zhongshu.survey.importers.adding import Found
from zhongshu.survey.importers.gtfs import read_service
from zhongshu.survey.importers.osm import read_city

CITY_READERS: Mapping[str, Callable[[Path], Found]] = {"osm": read_city, "gtfs": read_service}
"""Format → its reader."""
