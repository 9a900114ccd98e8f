"""EPANET's and SWMM's .inp: sections of rows, each row with the number of its line. What the rows mean, the engine judges; where they lie is read here."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zhongshu.survey.importers.models.imported import FAULTY, Drawing, Imported, Point, finite, unpacked
from zhongshu.survey.importers.report import Report

_WATER = {"JUNCTIONS": "junction", "RESERVOIRS": "reservoir", "TANKS": "tank", "PIPES": "pipe", "PUMPS": "pump", "VALVES": "valve"}
_SEWER = {
    "RAINGAGES": "gage",
    "SUBCATCHMENTS": "catchment",
    "JUNCTIONS": "junction",
    "OUTFALLS": "outfall",
    "STORAGE": "storage",
    "DIVIDERS": "divider",
    "CONDUITS": "conduit",
    "PUMPS": "pump",
    "ORIFICES": "orifice",
    "WEIRS": "weir",
    "OUTLETS": "outlet",
}
_LINKS = {"pipe", "pump", "valve", "conduit", "orifice", "weir", "outlet"}
_PLACED = 3
"""A row of a place has a name and two numbers."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row's words and the number of its line, from 1."""

    line: int
    words: list[str]


def sections(text: str) -> dict[str, list[Row]]:
    """Return the rows of each section, comments left out."""
    out: dict[str, list[Row]] = defaultdict(list)
    name = ""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition(";")[0].split()
        if words and words[0].startswith("["):
            name = words[0].strip("[]").upper()
            out.setdefault(name, [])
        elif words:
            out[name].append(Row(number, words))
    return out


def read_epanet(path: Path) -> Imported:
    """Read a water network."""
    found, imported = _read(path, "epanet", _WATER)
    report = imported.report
    duration = next((row.words[-1] for row in found.get("TIMES", []) if row.words[0].upper() == "DURATION"), "0")
    if not duration.replace(":", "").strip("0."):
        report.guess(
            "文件没有给出模拟时长：推演多久就算多久，用水规律按 24 小时循环。", "The file gives no duration: it runs for as long as is asked for, its patterns over and over."
        )
    if found.get("QUALITY") or found.get("SOURCES"):
        report.refuse("水质（QUALITY、SOURCES）未算：这里只算水力。", "Water quality (QUALITY, SOURCES) is left out: only hydraulics are computed here.")
    return imported


def read_swmm(path: Path) -> Imported:
    """Read a drainage model."""
    found, imported = _read(path, "swmm", _SEWER)
    report, options = imported.report, {row.words[0].upper(): row.words[-1] for row in found.get("OPTIONS", []) if len(row.words) > 1}
    if options.get("DRY_STEP") != options.get("WET_STEP"):
        report.guess(
            "由实况降雨驱动时，无雨时段的步长（DRY_STEP）改为与有雨时段相同，否则下雨要过很久才被看到。",
            "Driven by live rain, the dry step (DRY_STEP) is made the wet one: otherwise rain would be seen long after it began.",
        )
    if options.get("ALLOW_PONDING", "NO").upper() != "YES":
        report.guess(
            "文件不允许地面积水（ALLOW_PONDING NO）：溢出的水离开模型，不会流回。", "The file lets no water stand on the ground (ALLOW_PONDING NO): what spills leaves the model."
        )
    if found.get("POLLUTANTS"):
        report.refuse("污染物（POLLUTANTS）照算，但结果不取。", "Pollutants (POLLUTANTS) are computed and not taken out.")
    if outside := [row.words[-1] for row in found.get("TIMESERIES", []) if "FILE" in (word.upper() for word in row.words)]:
        report.refuse(
            f"时间序列引用了别的文件，没有随模型带来：{'、'.join(outside[:3])}", f"Time series name other files that did not come with the model: {', '.join(outside[:3])}"
        )
    return imported


def _read(path: Path, engine: str, kinds: dict[str, str]) -> tuple[dict[str, list[Row]], Imported]:
    data = unpacked(path)
    found = sections(data.decode("utf-8", "replace"))
    report, drawing = Report(), Drawing()
    places = dict(_places(path, found.get("COORDINATES", []))) | dict(_places(path, found.get("SYMBOLS", [])))
    bends: dict[str, list[Point]] = defaultdict(list)
    for name, point in _places(path, found.get("VERTICES", [])):
        bends[name].append(point)
    for section, kind in kinds.items():
        rows = [row for row in found.get(section, []) if not (engine == "epanet" and len(row.words) < _PLACED - 1)]
        report.taken |= {kind: len(rows)} if rows else {}
        for row in rows:
            name = row.words[0]
            if kind not in _LINKS:
                drawing.points.setdefault(kind, {}).update({name: places[name]} if name in places else {})
            elif len(row.words) >= _PLACED and {row.words[1], row.words[2]} <= places.keys():
                drawing.lines.setdefault(kind, {})[name] = [places[row.words[1]], *bends.get(name, []), places[row.words[2]]]
    for name, point in _places(path, found.get("POLYGONS", [])):
        drawing.lines.setdefault("catchment", {}).setdefault(name, []).append(point)
    nodes = sum(count for kind, count in report.taken.items() if kind not in _LINKS | {"gage", "catchment"})
    drawn = sum(len(held) for kind, held in drawing.points.items() if kind not in {"gage", "catchment"})
    if drawn < nodes:
        report.refuse(f"{nodes - drawn} 个节点没有坐标，图上不画。", f"{nodes - drawn} nodes have no coordinates and are not drawn.")
    return found, Imported(engine, "model.inp", {"model.inp": data}, drawing, report)


def _places(path: Path, rows: list[Row]) -> Iterator[tuple[str, Point]]:
    for row in rows:
        if len(row.words) < _PLACED:
            raise FAULTY(name=path.name, line=row.line, cause_zh="坐标应有名称和两个数。", cause_en="a place is a name and two numbers.")
        try:
            yield row.words[0], (finite(row.words[1]), finite(row.words[2]))
        except ValueError:
            raise FAULTY(name=path.name, line=row.line, cause_zh="坐标不是数。", cause_en="the coordinates are no numbers.") from None
