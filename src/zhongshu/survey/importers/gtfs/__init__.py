"""A timetable (GTFS) into a city: read → check references → agencies → stops → lines. One entity for a stop, a line, an agency; none for a trip or a stop time.

What runs is told by facets: first and last departure, trips of a service day, headway. Ids bear the feed's name, so that two feeds of a city do not meet.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from zhongshu.kernel.ids import urn
from zhongshu.survey.importers.adding import Found, Thing
from zhongshu.survey.importers.gtfs.service import Day, Ints, Served, busiest, clock, repeated, served
from zhongshu.survey.importers.gtfs.tables import MISSING, NONE_THERE, Seconds, Table, Texts, codes, numbers, read_tables, refers, times, unique

_MODES = ("tram", "metro", "rail", "bus", "ferry", "cable_tram", "aerial_lift", "funicular")
_MORE = {11: "trolleybus", 12: "monorail"}
_EXTENDED = {
    1: "rail",
    2: "coach",
    4: "metro",
    5: "metro",
    6: "metro",
    7: "bus",
    8: "trolleybus",
    9: "tram",
    10: "ferry",
    11: "air",
    12: "ferry",
    13: "aerial_lift",
    14: "funicular",
    15: "taxi",
}
"""Hundreds of the extended route types: https://developers.google.com/transit/gtfs/reference/extended-route-types."""
_STOP = ("", "0")


@dataclass(frozen=True, slots=True)
class _Timetable:
    """Per stop time: its trip, its stop, when it departs (s), its place in the trip; per trip its line and its direction, and on the busiest day whether it runs.

    A trip of a frequency stands there once for every time it runs; `first` marks where each begins.
    """

    trip: Ints
    stop: Ints
    departure: Seconds
    sequence: Ints
    first: npt.NDArray[np.bool_]
    line: Ints
    direction: Ints
    day: Day


def read_service(path: Path, feed: str = "") -> Found:
    """Read a feed; `feed` is what it is called in ids, the file's name if not given."""
    feed = feed or re.sub(r"[^0-9A-Za-z]+", "-", path.name.split(".")[0]).strip("-").lower() or "gtfs"
    tables = read_tables(path)
    zone = _zone(tables)
    _check(tables)
    found = Found(path.name, lambda ident: ident.split(":", 3)[-1].startswith(f"gtfs-{feed}-"), zone=zone, attribution=_whose(tables))
    timetable = _timetable(tables)
    found.report.take("trip (as facets)", len(tables["trips.txt"]["trip_id"]))
    found.report.take("stop time (as facets)", len(timetable.trip))
    found.report.guess(
        f"发车数、首末班和间隔按班次最多的一天 {timetable.day.date}。", f"Departures, first and last, and headways are those of {timetable.day.date}, the day with most trips."
    )
    _agencies(tables, feed, found)
    _stops(tables, feed, timetable, found)
    _lines(tables, feed, timetable, found)
    return found


def _check(tables: Mapping[str, Table]) -> None:
    """Raise a Problem at the first key that comes twice, or refers to what is not there."""
    stops, routes, trips, stop_times = (tables[f"{name}.txt"] for name in ("stops", "routes", "trips", "stop_times"))
    for name, column in (("stops", "stop_id"), ("routes", "route_id"), ("trips", "trip_id")):
        unique(f"{name}.txt", column, tables[f"{name}.txt"][column])
    services = pa.chunked_array([chunk for name in ("calendar.txt", "calendar_dates.txt") if name in tables for chunk in tables[name]["service_id"].chunks], pa.string())
    refers("routes.txt", "agency_id", routes["agency_id"], "agency.txt", tables["agency.txt"]["agency_id"], optional=True)
    refers("stops.txt", "parent_station", stops["parent_station"], "stops.txt", stops["stop_id"], optional=True)
    refers("trips.txt", "route_id", trips["route_id"], "routes.txt", routes["route_id"])
    refers("trips.txt", "service_id", trips["service_id"], "calendar.txt / calendar_dates.txt", services)
    refers("stop_times.txt", "trip_id", stop_times["trip_id"], "trips.txt", trips["trip_id"])
    refers("stop_times.txt", "stop_id", stop_times["stop_id"], "stops.txt", stops["stop_id"])
    if "shapes.txt" in tables:
        refers("trips.txt", "shape_id", trips["shape_id"], "shapes.txt", tables["shapes.txt"]["shape_id"], optional=True)
    if "frequencies.txt" in tables:
        refers("frequencies.txt", "trip_id", tables["frequencies.txt"]["trip_id"], "trips.txt", trips["trip_id"])


def _zone(tables: Mapping[str, Table]) -> str:
    zones = tables["agency.txt"]["agency_timezone"].to_pylist()
    if not zones:
        raise NONE_THERE(table="agency.txt", what_zh="运营单位", what_en="agency")
    return str(zones[0])


def _whose(tables: Mapping[str, Table]) -> str:
    publisher = tables.get("feed_info.txt", {}).get("feed_publisher_name")
    names = publisher if publisher is not None and len(publisher) else tables["agency.txt"]["agency_name"]
    return ", ".join(dict.fromkeys(filter(None, names.to_pylist())))


def _timetable(tables: Mapping[str, Table]) -> _Timetable:
    """Give trips, stops and lines their numbers, and find the busiest day."""
    stop_times, trips = tables["stop_times.txt"], tables["trips.txt"]
    trip = codes(stop_times["trip_id"], trips["trip_id"].to_pylist())
    departure = times("stop_times.txt", "departure_time", stop_times["departure_time"])
    arrival = times("stop_times.txt", "arrival_time", stop_times["arrival_time"])
    departure = np.where(departure == MISSING, arrival, departure)
    sequence = numbers("stop_times.txt", "stop_sequence", stop_times["stop_sequence"], 0, 2**31).astype(np.int64)
    stop = codes(stop_times["stop_id"], tables["stops.txt"]["stop_id"].to_pylist())
    order = np.lexsort((sequence, trip))
    trip, stop, departure, sequence = trip[order], stop[order], departure[order], sequence[order]
    begins = np.diff(trip, prepend=-1) > 0
    runs = np.ones(len(trips["trip_id"]), dtype=np.int64)
    if frequencies := tables.get("frequencies.txt"):
        at, departure, begins, runs = repeated(frequencies, codes(frequencies["trip_id"], trips["trip_id"].to_pylist()), trip, departure, runs)
        trip, stop, sequence = trip[at], stop[at], sequence[at]
    services = list(dict.fromkeys(trips["service_id"].to_pylist()))
    day = busiest(tables, services, codes(trips["service_id"], services), runs)
    direction = numbers("trips.txt", "direction_id", trips["direction_id"], 0, 1, optional=True)
    line = codes(trips["route_id"], tables["routes.txt"]["route_id"].to_pylist())
    return _Timetable(trip, stop, departure, sequence, begins, line, np.nan_to_num(direction).astype(np.int64), day)


def _agencies(tables: Mapping[str, Table], feed: str, found: Found) -> None:
    agency = tables["agency.txt"]
    for ident, name in zip(agency["agency_id"].to_pylist(), agency["agency_name"].to_pylist(), strict=True):
        found.things.append(Thing("Organisation", _id("Organisation", feed, ident or name), name, name, None, {"kind": "transit agency"}))


def _id(kind: str, feed: str, ident: str) -> str:
    return urn(kind, f"gtfs-{feed}-{ident}")


def _facets(told: Served | None) -> dict[str, str | float | int]:
    if told is None:
        return {"trips_per_day": 0}
    held: dict[str, str | float | int] = {"trips_per_day": told.count, "first_departure": clock(told.first), "last_departure": clock(told.last)}
    return held | ({"headway_min": round(told.gap / 60, 1)} if told.gap else {})


def _stops(tables: Mapping[str, Table], feed: str, timetable: _Timetable, found: Found) -> None:
    """Take stops and platforms with how they are served; stations, entrances and the like are left out and counted."""
    stops = {name: column.to_pylist() for name, column in tables["stops.txt"].items()}
    is_stop = pc.is_in(tables["stops.txt"]["location_type"], value_set=pa.array(_STOP))
    table = {column: pc.if_else(is_stop, tables["stops.txt"][column], "0") for column in ("stop_lat", "stop_lon")}
    lat, lon = (numbers("stops.txt", column, table[column], -most, most).tolist() for column, most in (("stop_lat", 90), ("stop_lon", 180)))
    told = served(timetable.stop, timetable.departure, timetable.day.runs[timetable.trip], len(lat))
    pairs = np.unique(timetable.stop * (timetable.line.max(initial=0) + 1) + timetable.line[timetable.trip])
    lines = np.bincount(pairs // (timetable.line.max(initial=0) + 1), minlength=len(lat)).tolist()
    names, others, nowhere = dict(zip(stops["stop_id"], stops["stop_name"], strict=True)), 0, 0
    for at, (ident, here) in enumerate(zip(stops["stop_id"], is_stop.to_pylist(), strict=True)):
        others += not here
        nowhere += here and (lon[at], lat[at]) == (0.0, 0.0)
        if not here or (lon[at], lat[at]) == (0.0, 0.0):
            continue
        name = (stops["stop_name"][at] or ident)[:200]
        more = {"stop_id": ident, "feed": feed, "code": stops["stop_code"][at], "platform": stops["platform_code"][at], "station": names.get(stops["parent_station"][at], "")}
        facets = {**_facets(told[at]), "lines": lines[at]} | {key: value for key, value in more.items() if value}
        found.things.append(Thing("BusStop", _id("BusStop", feed, ident), name, name, (lon[at], lat[at]), facets))
    if others:
        found.report.refuse(f"{others:,} 个车站、出入口等不是站台，未取。", f"{others:,} stations, entrances and the like are no stops and are left out.")
    if nowhere:
        found.report.refuse(f"{nowhere:,} 个站点的坐标是 (0, 0)，未取。", f"{nowhere:,} stops have the coordinates (0, 0) and are left out.")


def _lines(tables: Mapping[str, Table], feed: str, timetable: _Timetable, found: Found) -> None:
    """Take lines: how they are served by departures from where trips begin, in the direction that has more of them for the headway; drawn by their most used shapes."""
    routes = {name: column.to_pylist() for name, column in tables["routes.txt"].items()}
    count = len(routes["route_id"])
    kinds = numbers("routes.txt", "route_type", tables["routes.txt"]["route_type"], 0, 1800).astype(int).tolist()
    begun, leaves = timetable.trip[timetable.first], timetable.departure[timetable.first]
    line, runs = timetable.line[begun], timetable.day.runs[begun]
    both = served(line, leaves, runs, count)
    apart = served(line * 2 + timetable.direction[begun], leaves, runs, count * 2)
    shapes, guessed = _shapes(tables, timetable, count)
    pairs = np.unique(timetable.line[timetable.trip] * (timetable.stop.max(initial=0) + 1) + timetable.stop)
    stops = np.bincount(pairs // (timetable.stop.max(initial=0) + 1), minlength=count).tolist()
    agencies: dict[str, str] = dict(zip(*(tables["agency.txt"][column].to_pylist() for column in ("agency_id", "agency_name")), strict=True))
    unseen = 0
    for at, ident in enumerate(routes["route_id"]):
        if (shape := shapes[at]) is None:
            unseen += 1
            continue
        busier = max((each for each in apart[at * 2 : at * 2 + 2] if each), key=lambda each: each.count, default=None)
        facets: dict[str, str | float | int] = _facets(both[at]) | {"mode": _mode(kinds[at]), "stops": stops[at], "route_id": ident, "feed": feed}
        facets.pop("headway_min", None)
        if busier and busier.gap:
            facets["headway_min"] = round(busier.gap / 60, 1)
        agency = agencies.get(routes["agency_id"][at]) or (next(iter(agencies.values())) if len(agencies) == 1 else "")
        facets |= {key: value for key, value in (("agency", agency), ("number", routes["route_short_name"][at])) if value}
        name = " ".join(filter(None, (routes["route_short_name"][at], routes["route_long_name"][at]))) or ident
        middle = shapely.line_interpolate_point(shapely.get_geometry(shape, 0), 0.5, normalized=True)
        found.things.append(Thing("BusLine", _id("BusLine", feed, ident), name[:200], name[:200], (middle.x, middle.y), facets, shapely.to_wkb(shape, byte_order=1)))
    if guessed:
        found.report.guess(f"{guessed:,} 条线路没有走向：按停站最多的班次连线。", f"{guessed:,} lines have no shape: drawn from stop to stop of the trip with most stops.")
    if unseen:
        found.report.refuse(f"{unseen:,} 条线路没有班次，未取。", f"{unseen:,} lines have no trips and are left out.")


def _mode(kind: int) -> str:
    if kind < len(_MODES):
        return _MODES[kind]
    return _MORE.get(kind) or _EXTENDED.get(kind // 100, "other")


def _shapes(tables: Mapping[str, Table], timetable: _Timetable, count: int) -> tuple[list[Any], int]:
    """Return each line's shape, of either direction the one most trips have, and how many had to be drawn from stop to stop."""
    known = _drawn(tables.get("shapes.txt"))
    used = [Counter[tuple[int, str]]() for _ in range(count)]
    for line, direction, shape in zip(timetable.line.tolist(), timetable.direction.tolist(), tables["trips.txt"]["shape_id"].to_pylist(), strict=True):
        if shape in known:
            used[line][direction, shape] += 1
    told: list[Any] = []
    for each in used:
        best = [max((key for key in each if key[0] == direction), key=lambda key: (each[key], key[1]), default=None) for direction in (0, 1)]
        lines = [known[key[1]] for key in best if key is not None]
        told.append(shapely.MultiLineString(lines) if lines else None)
    bare = [at for at, shape in enumerate(told) if shape is None]
    for at in bare:
        told[at] = _from_stops(tables["stops.txt"], timetable, at)
    return told, sum(told[at] is not None for at in bare)


def _drawn(shapes: Table | None) -> dict[str, Any]:
    """Return the shapes by their ids."""
    if shapes is None or not len(shapes["shape_id"]):
        return {}
    ids = list(dict.fromkeys(shapes["shape_id"].to_pylist()))
    at = codes(shapes["shape_id"], ids)
    lat, lon = (numbers("shapes.txt", column, shapes[column], -most, most) for column, most in (("shape_pt_lat", 90), ("shape_pt_lon", 180)))
    order = np.lexsort((numbers("shapes.txt", "shape_pt_sequence", shapes["shape_pt_sequence"], 0, 2**31), at))
    long = np.bincount(at, minlength=len(ids)) > 1
    keep = order[long[at[order]]]
    number = np.cumsum(long) - 1
    lines = shapely.linestrings(lon[keep], lat[keep], indices=number[at[keep]]) if len(keep) else []
    return dict(zip([ident for ident, each in zip(ids, long.tolist(), strict=True) if each], lines, strict=True))


def _from_stops(stops: Table, timetable: _Timetable, line: int) -> Any:  # noqa: ANN401 (a shape, or None)
    """Return the way of a line's trip with most stops, from stop to stop; None where none has two."""
    mine = timetable.line[timetable.trip] == line
    if not mine.any():
        return None
    longest = int(np.bincount(timetable.trip[mine]).argmax())
    at = np.flatnonzero(timetable.trip == longest)
    at = timetable.stop[at[np.argsort(timetable.sequence[at])]]
    points = [(_degree(stops["stop_lon"], each), _degree(stops["stop_lat"], each)) for each in at.tolist()]
    return shapely.MultiLineString([points]) if len(points) > 1 else None


def _degree(column: Texts, at: int) -> float:
    return float(column[at].as_py())
