"""SUMO's road net, alone or by its .sumocfg with traffic. Files the configuration names and that are not there are told and left out."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from lxml import etree

from zhongshu.kernel.reason import why
from zhongshu.survey.importers.models.imported import FAULTY, UNREADABLE, Drawing, Imported, Point, finite, unpacked
from zhongshu.survey.importers.report import Report

KEPT = {"step-length", "mesosim", "meso-tls-penalty", "time-to-teleport", "begin", "scale", "lateral-resolution", "pedestrian.model", "device.rerouting.period"}
"""Settings of a configuration that say how traffic moves; the others say what is written where."""
_PLURALS = ("route-files", "additional-files")
_CLASSES = ("bus", "tram", "truck", "trailer", "taxi", "bicycle", "motorcycle", "emergency", "delivery", "coach", "rail")
_COUNTED = {
    "vehicle": "vehicle",
    "trip": "vehicle",
    "flow": "flow",
    "vType": "vType",
    "busStop": "busStop",
    "parkingArea": "parkingArea",
    "tlLogic": "tlLogic",
    "inductionLoop": "detector",
    "e1Detector": "detector",
    "laneAreaDetector": "detector",
}
"""Elements that a report counts, and as what."""


def elements(name: str, data: bytes, *tags: str) -> Iterator[etree._Element]:
    """Yield a document's elements of some tags, one after the other; entities are not followed."""
    try:
        for _, element in etree.iterparse(BytesIO(data), tag=tags, resolve_entities=False, no_network=True):
            yield element
            element.clear()
    except etree.XMLSyntaxError as error:
        raise UNREADABLE(name=name, **why(error)) from None


def configured(net: str, routes: list[str], additional: list[str], kept: dict[str, str]) -> bytes:
    """Return a .sumocfg of ours: what is read and how traffic moves, and nothing that would be written."""
    root = etree.Element("configuration")
    read = etree.SubElement(root, "input")
    for tag, names in (("net-file", [net]), ("route-files", routes), ("additional-files", additional)):
        if names:
            etree.SubElement(read, tag, value=",".join(names))
    settings = etree.SubElement(root, "processing")
    for tag, value in kept.items():
        etree.SubElement(settings, tag, value=value)
    return bytes(etree.tostring(root, pretty_print=True))


def read_sumo(path: Path) -> Imported:
    """Read a net (.net.xml, .net.xml.gz) or a configuration with its files."""
    report, files, named, kept = Report(), dict[str, bytes](), dict[str, list[str]]({tag: [] for tag in _PLURALS}), dict[str, str]()
    net = path
    if path.suffix == ".sumocfg":
        for element in elements(path.name, unpacked(path), "net-file", *_PLURALS, *KEPT):
            value = element.get("value", "")
            if element.tag == "net-file":
                net = path.parent / value
            elif element.tag in KEPT:
                kept[element.tag] = value
            else:
                named[element.tag].extend(taken(path.parent, value, files, report))
    drawing = _drawn(net.name, data := unpacked(_there(net)), report)
    routes, additional = named["route-files"], named["additional-files"]
    if types := _missing(files):
        files["types.add.xml"] = types
        additional.insert(0, "types.add.xml")
        names = [e.get("id", "") for e in elements("types.add.xml", types, "vType")]
        report.guess(f"没有给出的车型按名称推定：{'、'.join(names)}。", f"Vehicle types that are not given are guessed by their names: {', '.join(names)}.")
    if not report.taken.keys() & {"vehicle", "flow"}:
        report.guess("没有车流：路网可用，车流要另给（.rou.xml 写进 .sumocfg）。", "There is no traffic: the net stands, its traffic has to be given (.rou.xml in a .sumocfg).")
    files |= {"net.net.xml": data, "model.sumocfg": configured("net.net.xml", routes, additional, kept)}
    return Imported("sumo", "model.sumocfg", files, drawing, report)


def _missing(files: dict[str, bytes]) -> bytes:
    """Return vehicle types that are used and nowhere given, each of the class that its name says, as an additional file; nothing if all are given."""
    given, used = {"DEFAULT_VEHTYPE", "DEFAULT_BIKETYPE", "DEFAULT_TAXITYPE", ""}, set[str]()
    for name, data in files.items():
        for element in elements(name, data, "vType", "vTypeDistribution", "vehicle", "trip", "flow"):
            if element.tag.startswith("vType"):
                given.add(element.get("id", ""))
            else:
                used.add(element.get("type", ""))
    if not used - given:
        return b""
    root = etree.Element("additional")
    for name in sorted(used - given):
        etree.SubElement(root, "vType", id=name, vClass=next((known for known in _CLASSES if known in name.lower()), "passenger"))
    return bytes(etree.tostring(root, pretty_print=True))


def _there(path: Path) -> Path:
    """Return a file, or the same packed or unpacked where only that is there."""
    other = path.with_suffix("") if path.suffix == ".gz" else path.with_name(path.name + ".gz")
    return other if other.exists() and not path.exists() else path


def taken(folder: Path, names: str, files: dict[str, bytes], report: Report) -> Iterator[str]:
    """Take the files that are named into `files`, and yield the name of each; what is not there is told."""
    for name in filter(None, (each.strip() for each in names.split(","))):
        path = _there(folder / name)
        if Path(name).is_absolute() or ".." in Path(name).parts or not path.is_file():
            report.refuse(f"配置里写的 {name} 不在，略去。", f"{name}, which the configuration names, is not there and is left out.")
            continue
        kept = Path(name).name.removesuffix(".gz")
        files[kept] = unpacked(path)
        for element in elements(kept, files[kept], *_COUNTED):
            word = _COUNTED[element.tag]
            report.taken[word] = report.taken.get(word, 0) + 1
        yield kept


def _drawn(name: str, data: bytes, report: Report) -> Drawing:
    """Return edges by the middle of their lanes, junctions with signals, and the net's own projection."""
    drawing = Drawing(points={"signal": {}}, lines={"edge": {}})
    shift, lanes, found = (0.0, 0.0), 0, False
    for element in elements(name, data, "location", "edge", "junction"):
        found = True
        try:
            if element.tag == "location":
                crs = element.get("projParameter", "!")
                drawing.crs = "" if crs in {"!", "-", "."} else crs
                shift = _pair(element.get("netOffset", "0,0"), (0.0, 0.0))
            elif element.tag == "edge" and element.get("function") not in {"internal", "crossing", "walkingarea", "connector"}:
                shapes = [lane.get("shape", "") for lane in element.iter("lane")]
                lanes += len(shapes)
                shape = element.get("shape") or (shapes[len(shapes) // 2] if shapes else "")
                drawing.lines["edge"][element.get("id", "")] = [_pair(each, shift) for each in shape.split()]
            elif element.tag == "junction" and element.get("type", "").startswith("traffic_light"):
                drawing.points["signal"][element.get("id", "")] = _pair(f"{element.get('x', 0)},{element.get('y', 0)}", shift)
        except ValueError:
            raise FAULTY(name=name, line=element.sourceline, cause_zh="坐标不是数。", cause_en="the coordinates are no numbers.") from None
    if not found or not drawing.lines["edge"]:
        raise UNREADABLE(name=name, why_zh="里面没有路段", why_en="it has no edges")
    report.taken |= {"edge": len(drawing.lines["edge"]), "lane": lanes, "signal": len(drawing.points["signal"])}
    if not drawing.crs:
        report.guess("路网没有写投影：按模型自己的平面坐标画，不放到地图上。", "The net names no projection: it is drawn in its own plane, not on the map.")
    return drawing


def _pair(text: str, shift: Point) -> Point:
    x, y, *_ = text.split(",")
    return finite(x) - shift[0], finite(y) - shift[1]
