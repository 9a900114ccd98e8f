"""SUMO's plain files: nodes and edges, with connections, traffic and a configuration of the same name beside them where there are any. SUMO makes the net of them."""

from pathlib import Path

from zhongshu.survey.importers.models.imported import FAULTY, UNREADABLE, Drawing, Imported, Point, finite, unpacked
from zhongshu.survey.importers.models.sumo import KEPT, configured, elements, taken
from zhongshu.survey.importers.report import Report

SUFFIX = ".nod.xml"


def read_plain(path: Path) -> Imported:
    """Read a net by its file of nodes."""
    stem, report, files, kept = path.name.removesuffix(SUFFIX), Report(), dict[str, bytes](), dict[str, str]()
    beside = {part: path.with_name(f"{stem}.{part}") for part in ("edg.xml", "con.xml", "rou.xml", "sumocfg")}
    files["plain.nod.xml"], files["plain.edg.xml"] = unpacked(path), unpacked(beside["edg.xml"])
    if beside["con.xml"].exists():
        files["plain.con.xml"] = unpacked(beside["con.xml"])
    routes = list(taken(path.parent, beside["rou.xml"].name, files, report)) if beside["rou.xml"].exists() else []
    if beside["sumocfg"].exists():
        kept |= {e.tag: e.get("value", "") for e in elements(beside["sumocfg"].name, unpacked(beside["sumocfg"]), *KEPT)}
    drawing = _drawn(path.name, beside["edg.xml"].name, files, report)
    report.guess("信号配时由 SUMO 按路口排定。", "Signal programmes are laid out by SUMO for each junction.")
    if not routes:
        report.guess("没有车流：路网可用，车流要另给（.rou.xml）。", "There is no traffic: the net stands, its traffic has to be given (.rou.xml).")
    files["model.sumocfg"] = configured("net.net.xml", routes, [], kept)
    return Imported("sumo", "model.sumocfg", files, drawing, report)


def _drawn(nodes: str, edges: str, files: dict[str, bytes], report: Report) -> Drawing:
    """Return edges by their shapes, or from node to node, and the junctions with signals."""
    drawing, places = Drawing(points={"signal": {}}, lines={"edge": {}}), dict[str, Point]()
    for name, data, tag in ((nodes, files["plain.nod.xml"], "node"), (edges, files["plain.edg.xml"], "edge")):
        for element in elements(name, data, tag):
            ident = element.get("id", "")
            try:
                if tag == "node":
                    places[ident] = finite(element.get("x", "")), finite(element.get("y", ""))
                    if element.get("type", "").startswith("traffic_light"):
                        drawing.points["signal"][ident] = places[ident]
                else:
                    ends = [places[element.get(end, "")] for end in ("from", "to")]
                    drawing.lines["edge"][ident] = [_pair(each) for each in element.get("shape", "").split()] or ends
            except (ValueError, KeyError):
                raise FAULTY(name=name, line=element.sourceline, cause_zh="坐标不是数，或端点不在。", cause_en="a coordinate is no number, or an end is not there.") from None
    if not drawing.lines["edge"]:
        raise UNREADABLE(name=edges, why_zh="里面没有路段", why_en="it has no edges")
    report.taken |= {"edge": len(drawing.lines["edge"]), "signal": len(drawing.points["signal"])}
    return drawing


def _pair(text: str) -> Point:
    x, y, *_ = text.split(",")
    return finite(x), finite(y)
