"""SUMO's net and traffic as a model for sweeps: the same roads, traffic from part of the town to part of the town. What is lost is said.

Trips are gathered by where they begin and end (parts of the town of about equal side), a quarter of an hour at a time; signals and lanes' turning rules are left out.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import numpy as np

from zhongshu.survey.importers.models.imported import FAULTY, UNREADABLE, Drawing, Imported, Point, finite
from zhongshu.survey.importers.models.sumo import elements, read_sumo
from zhongshu.survey.importers.report import Report

PARTS, SPAN = 12, 900.0
"""So many parts of the town along its longer side; and so many seconds of departures are one flow."""
_FOOT_ONLY = {"internal", "crossing", "walkingarea", "connector"}
_CLOSED_TO = {"pedestrian", "bicycle", "rail", "tram", "rail_urban", "subway", "ship"}
PLATOON = 5
"""UXsim lets so many vehicles move as one: less than that in a flow would never leave."""
_SURE = 0.01
"""So much more than whole platoons, that none is lost to rounding."""
_Trip = tuple[float, str, str]
_Part = tuple[int, int]


def read_sweep(path: Path) -> Imported:
    """Read a .sumocfg, or a net alone, as a model for UXsim."""
    sumo = read_sumo(path)
    net = next(name for name in sumo.files if name.endswith(".net.xml"))
    report = Report()
    places, links, lines = _roads(net, sumo.files[net], sumo.drawing)
    begin = next((float(e.get("value", "0")) for e in elements(sumo.model, sumo.files[sumo.model], "begin")), 0.0)
    trips = [
        (depart - begin, start, end)
        for name, data in sumo.files.items()
        if name.endswith((".rou.xml", ".trips.xml", ".add.xml"))
        for depart, start, end in _trips(name, data)
        if depart >= begin
    ]
    demand, within, strange = _gathered(trips, places, links)
    report.taken |= {"node": len(places), "link": len(links), "trip": len(trips), "flow": len(demand)}
    report.guess(
        f"车流按 {PARTS} 等分的片区、每 {SPAN / 60:g} 分钟归并：从片区到片区；信号灯和转向规则不计，适合快速比较，不适合看单个路口。",
        f"Traffic is gathered from part to part of the town ({PARTS} along its longer side), {SPAN / 60:g} minutes at a time; signals and turning rules are left out: good to compare quickly, not to look at a crossing.",
    )
    if within:
        report.refuse(f"{within} 次出行起讫在同一片区，未取。", f"{within} trips that begin and end in the same part are left out.")
    if strange:
        report.refuse(f"{strange} 次出行的起讫路段不在网里，未取。", f"{strange} trips from or to edges that are not in the net are left out.")
    model = {
        "nodes": [{"name": name, "x": x, "y": y} for name, (x, y) in places.items()],
        "links": [{"name": name, **link} for name, link in links.items()],
        "demand": demand,
    }
    return Imported("uxsim", "model.json", {"model.json": msgspec.json.encode(model)}, Drawing(lines={"link": lines}, crs=sumo.drawing.crs), report)


def _roads(name: str, data: bytes, drawing: Drawing) -> tuple[dict[str, Point], dict[str, dict[str, object]], dict[str, list[Point]]]:
    """Return junctions, roads that cars may use, and their shapes."""
    places, links = dict[str, Point](), dict[str, dict[str, object]]()
    for element in elements(name, data, "edge", "junction"):
        ident = element.get("id", "")
        try:
            if element.tag == "junction":
                places[ident] = finite(element.get("x", "")), finite(element.get("y", ""))
                continue
            lanes = [lane for lane in element.iter("lane") if not set(lane.get("allow", "car").split()) <= _CLOSED_TO]
            if element.get("function") in _FOOT_ONLY or not lanes:
                continue
            length, speed = (finite(lanes[-1].get(what, "")) for what in ("length", "speed"))
            links[ident] = {"from": element.get("from", ""), "to": element.get("to", ""), "length": max(length, 1.0), "speed": max(speed, 1.0), "lanes": len(lanes)}
        except ValueError:
            raise FAULTY(name=name, line=element.sourceline, cause_zh="坐标、长度或车速不是数。", cause_en="a coordinate, length or speed is no number.") from None
    links = {ident: link for ident, link in links.items() if link["from"] in places and link["to"] in places and link["from"] != link["to"]}
    if not links:
        raise UNREADABLE(name=name, why_zh="里面没有汽车能走的路", why_en="it has no road for cars")
    used = {str(link[end]) for link in links.values() for end in ("from", "to")}
    return {ident: place for ident, place in places.items() if ident in used}, links, {ident: drawing.lines["edge"].get(ident, []) for ident in links}


def _trips(name: str, data: bytes) -> Iterator[_Trip]:
    """Yield when each trip leaves, and its first and last edge."""
    for element in elements(name, data, "trip", "vehicle", "flow"):
        start, end = element.get("from", ""), element.get("to", "")
        inner = element.find("route")
        if inner is not None and (edges := inner.get("edges", "").split()):
            start, end = edges[0], edges[-1]
        if not (start and end):
            continue
        try:
            if element.tag == "flow":
                begin, until = finite(element.get("begin", "0")), finite(element.get("end", "3600"))
                count = round(finite(element.get("number") or float(element.get("vehsPerHour") or 0) * (until - begin) / 3600))
                yield from ((begin + (k + 0.5) * (until - begin) / max(count, 1), start, end) for k in range(min(count, 1_000_000)))
            else:
                yield finite(element.get("depart", "0")), start, end
        except ValueError:
            continue  # a departure by a word: SUMO knows what it means, a sweep does not need it


def _gathered(trips: list[_Trip], places: Mapping[str, Point], links: Mapping[str, Mapping[str, object]]) -> tuple[list[dict[str, object]], int, int]:
    """Return flows between the middles of parts, how many trips stay within one, and how many are strange to the net."""
    known = [(depart, str(links[start]["from"]), str(links[end]["to"])) for depart, start, end in trips if start in links and end in links]
    if not known:
        return [], 0, len(trips)
    xy = np.array(list(places.values()))
    side = max(float(np.ptp(xy, axis=0).max()) / PARTS, 1.0)
    part = {name: (math.floor((x - xy[:, 0].min()) / side), math.floor((y - xy[:, 1].min()) / side)) for name, (x, y) in places.items()}
    starts, ends = Counter(start for _, start, _ in known), Counter(end for _, _, end in known)
    busiest = {zone: max((name for name in places if part[name] == zone), key=lambda name: (starts[name] + ends[name], name)) for zone in set(part.values())}
    counts = Counter((int(depart // SPAN), part[start], part[end]) for depart, start, end in known)
    return (
        _platoons({key: count for key, count in counts.items() if key[1] != key[2]}, busiest),
        sum(count for (_, one, other), count in counts.items() if one == other),
        len(trips) - len(known),
    )


def _platoons(counts: Mapping[tuple[int, _Part, _Part], int], busiest: Mapping[_Part, str]) -> list[dict[str, object]]:
    """Return flows of whole platoons. What is less than one waits for the next quarter of an hour of its pair; each pair begins with a share of a platoon, so that as many leave in all."""
    waits = {pair: k % PLATOON for k, pair in enumerate(sorted({(one, other) for _, one, other in counts}))}
    demand = list[dict[str, object]]()
    for (slot, one, other), count in sorted(counts.items()):
        whole, waits[one, other] = divmod(waits[one, other] + count, PLATOON)
        if whole:
            flow = (whole * PLATOON + _SURE) / SPAN
            demand.append({"from": busiest[one], "to": busiest[other], "begin": slot * SPAN, "until": (slot + 1) * SPAN, "flow": flow})
    return demand
