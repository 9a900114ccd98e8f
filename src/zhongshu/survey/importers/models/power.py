"""pandapower's JSON: tables in tables. It can name any class of any package, so only the tables a net is made of are let in."""

from pathlib import Path
from typing import Any

import msgspec

from zhongshu.kernel.reason import why
from zhongshu.survey.importers.models.imported import UNREADABLE, Drawing, Imported, Point, finite, unpacked
from zhongshu.survey.importers.report import Report

_ALLOWED = {("pandapower.auxiliary", "pandapowerNet"), ("pandas.core.frame", "DataFrame"), ("pandas.core.series", "Series")}
_ELEMENTS = ("bus", "line", "trafo", "trafo3w", "load", "sgen", "gen", "ext_grid", "switch", "shunt")
_WGS84, _WIDEST = "EPSG:4326", 2.0
"""What pandapower's `geo` is said to be in; and so many degrees a medium-voltage grid spans at most."""


def read_pandapower(path: Path) -> Imported:
    """Read a grid."""
    data = unpacked(path)
    try:
        whole = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UNREADABLE(name=path.name, **why(error)) from None
    _check(path.name, whole)
    tables = whole.get("_object") if isinstance(whole, dict) else None
    if not isinstance(tables, dict) or "bus" not in tables:
        raise UNREADABLE(name=path.name, why_zh="里面没有母线表（bus）", why_en="it has no table of buses")
    report, drawing = Report(), Drawing(points={"bus": {}, "load": {}}, lines={"line": {}}, crs=_WGS84)
    read = {name: _rows(path.name, tables[name]) for name in _ELEMENTS if name in tables}
    report.taken |= {name: len(rows) for name, rows in read.items() if rows}
    for name, row in read["bus"].items():
        if points := _geometry(row.get("geo")):
            drawing.points["bus"][name] = points[0]
    for name, row in read.get("load", {}).items():
        if (bus := str(row.get("bus"))) in drawing.points["bus"]:
            drawing.points["load"][name] = drawing.points["bus"][bus]
    for name, row in read.get("line", {}).items():
        ends = [drawing.points["bus"].get(str(row.get(end))) for end in ("from_bus", "to_bus")]
        bends = _geometry(row.get("geo"))
        if bends or None not in ends:
            drawing.lines["line"][name] = bends or [end for end in ends if end]
    _say(report, drawing)
    return Imported("pandapower", "model.json", {"model.json": data}, drawing, report)


def _say(report: Report, drawing: Drawing) -> None:
    if unplaced := report.taken["bus"] - len(drawing.points["bus"]):
        report.refuse(f"{unplaced} 条母线没有坐标，图上不画。", f"{unplaced} buses have no coordinates and are not drawn.")
    if not drawing.points["bus"]:
        return
    x, y = zip(*drawing.points["bus"].values(), strict=True)
    if max(x) - min(x) > _WIDEST or max(y) - min(y) > _WIDEST or max(map(abs, x)) > 180 or max(map(abs, y)) > 90:  # noqa: PLR2004 (degrees)
        drawing.crs = ""
        report.guess(
            "坐标跨度太大，看来是示意图：按模型自己的平面画，不放到地图上。", "The coordinates span too much and look like a layout: drawn in their own plane, not on the map."
        )
    else:
        report.guess("坐标按经纬度（WGS84）理解，这是 pandapower 的约定。", "The coordinates are taken as WGS84 longitude and latitude, which is pandapower's convention.")


def _check(name: str, value: Any) -> None:  # noqa: ANN401 (whatever the file holds)
    """Refuse whatever names a class that no net is made of; JSON in texts is looked into as well."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str) and each[:1] in "{[" and '"_module"' in each:
            try:
                waiting.append(msgspec.json.decode(each))
            except msgspec.DecodeError:
                continue
        elif isinstance(each, dict):
            if "_module" in each and (each["_module"], each.get("_class")) not in _ALLOWED:
                raise UNREADABLE(
                    name=name,
                    why_zh=f"它要用 {each['_module']}.{each.get('_class')}，电网模型用不着",
                    why_en=f"it asks for {each['_module']}.{each.get('_class')}, which no grid needs",
                )
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)


def _rows(name: str, table: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 (whatever the file holds)
    """Return a table's rows by index."""
    try:
        held = msgspec.json.decode(table["_object"]) if isinstance(table["_object"], str) else table["_object"]
        return {str(index): dict(zip(held["columns"], row, strict=True)) for index, row in zip(held["index"], held["data"], strict=True)}
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise UNREADABLE(name=name, **why(error)) from None


def _geometry(geo: Any) -> list[Point]:  # noqa: ANN401 (whatever the file holds)
    """Return the points of a GeoJSON point or line."""
    if not isinstance(geo, str):
        return []
    try:
        held = msgspec.json.decode(geo)["coordinates"]
        points = held if isinstance(held[0], list) else [held]
        return [(finite(point[0]), finite(point[1])) for point in points]
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, IndexError):
        return []
