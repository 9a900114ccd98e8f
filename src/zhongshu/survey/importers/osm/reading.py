"""An OpenStreetMap file (.osm.pbf, .osm, .xml, also .gz), read once through libosmium: what is tagged as something we take, with its geometry.

A reference to what the file does not hold is counted, and what has it left out. Degrees, WGS 84, which a survey cannot tell from CGCS2000.
It must never know what an entity is.
"""

import re
import zlib
from dataclasses import dataclass, field
from gzip import BadGzipFile
from gzip import open as open_gzip
from pathlib import Path
from typing import Any

from zhongshu.kernel.reason import why
from zhongshu.survey.areas import Bounds
from zhongshu.survey.importers.models.imported import FAULTY, UNREADABLE
from zhongshu.survey.importers.osm.tags import CLASSES, GROUND, LINES, PATHS, Tags, drawn, row_of

_FORMS = {".pbf": "pbf", ".osm": "xml", ".xml": "xml"}
_PLAIN = 256 * 2**20
"""Packed files that unpack to no more than this are not asked how much they were packed."""
_PACKED = 100
"""So many times larger than packed a file may be: maps are 10 to 20 times."""
_LINE = re.compile(r"at line (\d+), column \d+: (.*)")


@dataclass(slots=True)
class Ways:
    """Lines: per way its id, its tags, its nodes' ids, and their coordinates (lon, lat)."""

    ids: list[int] = field(default_factory=list)
    tags: list[Tags] = field(default_factory=list)
    nodes: list[list[int]] = field(default_factory=list)
    points: list[list[tuple[float, float]]] = field(default_factory=list)


@dataclass(slots=True)
class Read:
    """What a file holds of what we take. Polygons are WKB in hex; an id is `n1`, `w1` or `r1`."""

    roads: Ways = field(default_factory=Ways)
    lines: Ways = field(default_factory=Ways)
    spots: list[tuple[str, Tags, tuple[float, float]]] = field(default_factory=list)
    polygons: list[tuple[str, Tags, str]] = field(default_factory=list)
    boundaries: list[tuple[str, Tags, str]] = field(default_factory=list)
    broken: dict[str, int] = field(default_factory=dict)
    bounds: Bounds | None = None

    def lost(self, kind: str) -> None:
        """Count one that refers to what is not there."""
        self.broken[kind] = self.broken.get(kind, 0) + 1


def read_osm(path: Path) -> Read:
    """Read a file; one that is none, cut off, packed absurdly or faulty is a Problem."""
    import osmium  # noqa: PLC0415 (70 ms that no other command has to wait for)

    form = _form(path)
    try:
        _check_packing(path)
        file = osmium.FileProcessor(osmium.io.File(str(path), form)).with_locations().with_areas().with_filter(osmium.filter.EmptyTagFilter())
        return _read(file, osmium.geom.WKBFactory())
    except (osmium.InvalidLocationError, RuntimeError, OSError, EOFError, zlib.error, ValueError) as error:
        said = str(error)
        if found := _LINE.search(said):
            raise FAULTY(name=path.name, line=int(found[1]), cause_zh=f"XML 写法不对（{found[2]}）。", cause_en=f"the XML is wrong: {found[2]}.") from None
        if "out of order" in said:
            raise UNREADABLE(
                name=path.name, why_zh="里面的对象没有按编号排序（可用 osmium sort 排好）", why_en="its objects are not sorted by id (osmium sort does that)"
            ) from None
        raise UNREADABLE(name=path.name, **why(BadGzipFile("Not a gzipped file") if "gzip error" in said else error)) from None


def _form(path: Path) -> str:
    name, packed = path.name.removesuffix(".gz"), path.suffix == ".gz"
    form = _FORMS.get(Path(name).suffix)
    if form is None or (packed and form == "pbf"):
        raise UNREADABLE(name=path.name, why_zh="它的名字不是 .osm.pbf、.osm、.xml 或这些 .gz", why_en="its name does not end in .osm.pbf, .osm or .xml (the latter two also .gz)")
    if not path.is_file():
        raise UNREADABLE(name=path.name, **why("No such file"))
    if not path.stat().st_size:
        raise UNREADABLE(name=path.name, why_zh="它是空的", why_en="it is empty")
    return f"{form}.gz" if packed else form


def _check_packing(path: Path) -> None:
    """Unpack a .gz file once without keeping it: what grows beyond all measure is refused before it is read."""
    if path.suffix != ".gz":
        return
    most, size = max(_PLAIN, path.stat().st_size * _PACKED), 0
    with open_gzip(path) as stream:
        while chunk := stream.read(1 << 20):
            size += len(chunk)
            if size > most:
                raise UNREADABLE(name=path.name, why_zh=f"解压后超过 {most // 2**20} MB", why_en=f"unpacked it is larger than {most // 2**20} MB")


def _read(file: Any, wkb: Any) -> Read:  # noqa: ANN401 (libosmium's)
    read = Read()
    if (box := file.header.box()).valid():
        read.bounds = (box.bottom_left.lon, box.bottom_left.lat, box.top_right.lon, box.top_right.lat)
    awaited = dict[str, str]()
    for held in file:
        tags = dict(held.tags)
        if held.is_node():
            if row_of(tags) is not None:
                read.spots.append((f"n{held.id}", tags, (held.lon, held.lat)))
        elif held.is_area():
            ident = f"{'w' if held.from_way() else 'r'}{held.orig_id()}"
            if held.num_rings()[0] and (kind := awaited.pop(ident, "")):  # an outline that crosses itself has no ring: it stays awaited, and is counted as broken
                (read.boundaries if kind == "boundary" else read.polygons).append((ident, tags, wkb.create_multipolygon(held)))
        elif kind := _surface(tags, relation=held.is_relation()):
            awaited[f"{'r' if held.is_relation() else 'w'}{held.id}"] = kind
        elif held.is_way():
            _take_line(held, tags, read)
    for kind in awaited.values():
        read.lost(kind)
    return read


def _surface(tags: Tags, *, relation: bool) -> str:
    """Say what kind of surface an object with these tags is meant to be; nothing if none that we take."""
    if relation and tags.get("type") not in {"multipolygon", "boundary"}:
        return ""
    if relation and tags.get("boundary") == "administrative":
        return "boundary"
    if tags.get("building", "no") != "no":
        return "building"
    if drawn(tags, GROUND):
        return "water"
    return "area" if row_of(tags) is not None else ""


def _take_line(way: Any, tags: Tags, read: Read) -> None:  # noqa: ANN401 (libosmium's)
    highway = tags.get("highway", "")
    is_road, is_path = highway in CLASSES, highway in PATHS
    if tags.get("area") == "yes" or not (is_road or is_path or drawn(tags, LINES)):
        return
    if len(way.nodes) < 2 or not all(node.location.valid() for node in way.nodes):  # noqa: PLR2004 (a line has two ends)
        read.lost("road" if is_road else "line")
        return
    ways = read.roads if is_road else read.lines
    ways.ids.append(way.id)
    ways.tags.append(tags)
    ways.nodes.append([node.ref for node in way.nodes])
    ways.points.append([(node.lon, node.lat) for node in way.nodes])
