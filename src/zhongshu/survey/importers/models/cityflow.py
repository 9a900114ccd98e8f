"""CityFlow's road net, turned into SUMO's plain files: junctions, roads, who may turn where, and traffic where a flow file lies beside it.

CityFlow counts lanes from the middle of the road, SUMO from its edge; both are metres in a plane of their own.
"""

from pathlib import Path

import msgspec
from lxml import etree

from zhongshu.kernel.reason import why
from zhongshu.survey.importers.models.imported import UNREADABLE, Drawing, Imported, unpacked
from zhongshu.survey.importers.models.sumo import configured
from zhongshu.survey.importers.report import Report


class Place(msgspec.Struct):
    """A point, m."""

    x: float
    y: float


class Lane(msgspec.Struct):
    """A lane, m and m/s."""

    maxSpeed: float  # noqa: N815 (the file's word)
    width: float = 3.2


class Road(msgspec.Struct):
    """A road in one direction."""

    id: str
    points: list[Place]
    lanes: list[Lane]
    startIntersection: str  # noqa: N815 (the file's word)
    endIntersection: str  # noqa: N815 (the file's word)


class Turn(msgspec.Struct):
    """A lane into a lane."""

    startLaneIndex: int  # noqa: N815 (the file's word)
    endLaneIndex: int  # noqa: N815 (the file's word)


class RoadLink(msgspec.Struct):
    """A turn from a road into a road."""

    startRoad: str  # noqa: N815 (the file's word)
    endRoad: str  # noqa: N815 (the file's word)
    laneLinks: list[Turn]  # noqa: N815 (the file's word)


class Phase(msgspec.Struct):
    """How long which turns have green, s."""

    time: float


class Light(msgspec.Struct):
    """A signal's phases."""

    lightphases: list[Phase] = []


class Intersection(msgspec.Struct):
    """A junction, or where a road leaves the net (virtual)."""

    id: str
    point: Place
    roadLinks: list[RoadLink] = []  # noqa: N815 (the file's word)
    trafficLight: Light = msgspec.field(default_factory=Light)  # noqa: N815 (the file's word)
    virtual: bool = False


class Roadnet(msgspec.Struct):
    """A whole net."""

    intersections: list[Intersection]
    roads: list[Road]


class Vehicle(msgspec.Struct):
    """What drives, m and m/s."""

    length: float = 5.0
    maxSpeed: float = 11.111  # noqa: N815 (the file's word)
    minGap: float = 2.5  # noqa: N815 (the file's word)
    usualPosAcc: float = 2.0  # noqa: N815 (the file's word)
    usualNegAcc: float = 4.5  # noqa: N815 (the file's word)


class Flow(msgspec.Struct):
    """Vehicles over a route, one every `interval` seconds from start to end."""

    vehicle: Vehicle
    route: list[str]
    interval: float
    startTime: float  # noqa: N815 (the file's word)
    endTime: float  # noqa: N815 (the file's word)


def read_cityflow(path: Path, flows: Path | None = None) -> Imported:
    """Read a road net and, where given, its traffic."""
    try:
        net = msgspec.json.decode(unpacked(path), type=Roadnet)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UNREADABLE(name=path.name, **why(error)) from None
    roads, report = {road.id: road for road in net.roads}, Report()
    report.taken |= {"junction": len(net.intersections), "edge": len(net.roads), "lane": sum(len(road.lanes) for road in net.roads)}
    files = {"plain.nod.xml": _nodes(net), "plain.edg.xml": _edges(net), "plain.con.xml": _connections(path.name, net, roads)}
    report.guess(
        "信号配时由 SUMO 按路口重排：CityFlow 的相位只写放行方向，没有黄灯。", "Signal programmes are laid out anew by SUMO: CityFlow's phases say who may go and know no amber."
    )
    routes = []
    if flows:
        files["plain.rou.xml"], routes = _routes(flows, roads, report), ["plain.rou.xml"]
    else:
        report.guess("没有车流文件：路网可用，车流要另给（--demand）。", "There is no flow file: the net stands, its traffic has to be given (--demand).")
    report.guess("坐标是示意图的米制平面，不放到地图上。", "The coordinates are metres in a plane of their own, not on the map.")
    files["model.sumocfg"] = configured("net.net.xml", routes, [], {"begin": "0"})
    drawing = Drawing(
        points={"signal": {i.id: (i.point.x, i.point.y) for i in net.intersections if not i.virtual}}, lines={"edge": {r.id: [(p.x, p.y) for p in r.points] for r in net.roads}}
    )
    return Imported("sumo", "model.sumocfg", files, drawing, report)


def _written(root: etree._Element) -> bytes:
    return bytes(etree.tostring(root, pretty_print=True))


def _nodes(net: Roadnet) -> bytes:
    root = etree.Element("nodes")
    for each in net.intersections:
        lit = not each.virtual and bool(each.trafficLight.lightphases)
        etree.SubElement(root, "node", id=each.id, x=f"{each.point.x:g}", y=f"{each.point.y:g}", type="traffic_light" if lit else "priority")
    return _written(root)


def _edges(net: Roadnet) -> bytes:
    root = etree.Element("edges")
    for road in net.roads:
        shape = " ".join(f"{p.x:g},{p.y:g}" for p in road.points)
        given = {"id": road.id, "from": road.startIntersection, "to": road.endIntersection, "shape": shape, "numLanes": str(len(road.lanes))}
        etree.SubElement(root, "edge", given, speed=f"{max((lane.maxSpeed for lane in road.lanes), default=13.89):g}")
    return _written(root)


def _connections(name: str, net: Roadnet, roads: dict[str, Road]) -> bytes:
    root = etree.Element("connections")
    for link in (link for each in net.intersections for link in each.roadLinks):
        if lost := {link.startRoad, link.endRoad} - roads.keys():
            raise UNREADABLE(name=name, why_zh=f"没有道路 {sorted(lost)[0]}", why_en=f"there is no road {sorted(lost)[0]}")
        lanes = len(roads[link.startRoad].lanes), len(roads[link.endRoad].lanes)
        for turn in link.laneLinks:
            given = {"from": link.startRoad, "to": link.endRoad, "fromLane": str(lanes[0] - 1 - turn.startLaneIndex), "toLane": str(lanes[1] - 1 - turn.endLaneIndex)}
            etree.SubElement(root, "connection", given)
    return _written(root)


def _routes(path: Path, roads: dict[str, Road], report: Report) -> bytes:
    try:
        flows = msgspec.json.decode(unpacked(path), type=list[Flow])
    except (msgspec.DecodeError, RecursionError) as error:
        raise UNREADABLE(name=path.name, **why(error)) from None
    root, kinds, count, lost = etree.Element("routes"), dict[str, str](), 0, 0
    for flow in sorted(flows, key=lambda each: each.startTime):
        if not roads.keys() >= set(flow.route):
            lost += 1
            continue
        key = msgspec.json.encode(flow.vehicle).decode()
        if key not in kinds:
            kinds[key] = f"type{len(kinds)}"
            v = flow.vehicle
            looks = {
                "id": kinds[key],
                "length": f"{v.length:g}",
                "maxSpeed": f"{v.maxSpeed:g}",
                "minGap": f"{v.minGap:g}",
                "accel": f"{v.usualPosAcc:g}",
                "decel": f"{v.usualNegAcc:g}",
            }
            etree.SubElement(root, "vType", looks)
        times = int((flow.endTime - flow.startTime) / flow.interval) + 1 if flow.interval > 0 else 1
        for k in range(times):
            vehicle = etree.SubElement(root, "vehicle", id=f"v{count}", type=kinds[key], depart=f"{flow.startTime + k * flow.interval:g}")
            etree.SubElement(vehicle, "route", edges=" ".join(flow.route))
            count += 1
    report.taken["vehicle"] = count
    if lost:
        report.refuse(f"{lost} 条车流走了路网里没有的道路，略去。", f"{lost} flows use roads the net has not and are left out.")
    return _written(root)
