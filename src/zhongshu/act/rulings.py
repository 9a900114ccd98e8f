"""What was ruled before on the same kind of thing: whose it was found to be, why, and the minutes. The same section of road first, then the same street, the nearest first.

Which road a point lies on is found by whoever serves. Reads only.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, literal_column, select

from zhongshu.act import duty
from zhongshu.act.nearness import apart
from zhongshu.act.shown import Document, hide, street_of
from zhongshu.act.tables import case_file, case_step
from zhongshu.kernel.area import show_area
from zhongshu.kernel.clock import rfc3339
from zhongshu.kernel.grade import Scope

Section = tuple[str, str, str]
"""A section of road: its id, and its name in zh and en."""
RoadOf = Callable[[float, float], Section | None]
"""Tells on which section of road a point (degrees) lies; None for none."""

MOST = 500
"""So many rulings of a class go with a case, the latest."""
_RULED = (
    select(
        *(case_step.c[name] for name in ("seq", "at", "reason", "note", "unit", "number")),
        *(case_file.c[name] for name in ("address", "area", "lon", "lat")),
    )
    .join(case_file, case_file.c.id == case_step.c.subject)
    .where(case_step.c.verb == literal_column("'rule'"), case_file.c["class"].concat("") == bindparam("b_class"), case_file.c.id != bindparam("b_case"))
    .order_by(case_step.c.seq.desc())
    .limit(MOST)
)
"""The class is only checked: rulings are few, the cases of a class many."""
_RANK = {"road": 0, "street": 1, "": 2}


def unsurveyed(_lon: float, _lat: float) -> Section | None:
    """Know no road."""
    return None


def rulings(connection: Connection, case: Mapping[Any, Any], scope: Scope, road_of: RoadOf = unsurveyed) -> list[Document]:
    """Return the rulings (all, up to `MOST`) on other cases of a case's class; `near`: road, street, or '' for elsewhere; `metres`: how far away, None where a point is wanting."""
    rows = connection.execute(_RULED, {"b_class": case["class"], "b_case": case["id"]}).mappings().all()
    if not rows:
        return []
    own = _section(case, road_of)
    low, high = street_of(case["area"])
    found = []
    for row in rows:
        road = _section(row, road_of)
        near = "road" if road is not None and road == own else "street" if low <= row["area"] <= high else ""
        metres = apart(case, row)
        found.append(((_RANK[near], metres, -row["seq"]), _show(connection, row, road, near, metres)))
    return [hide(document, scope) for _, document in sorted(found, key=lambda pair: pair[0])]


def _section(row: Mapping[Any, Any], road_of: RoadOf) -> Section | None:
    return None if row["lon"] is None or row["lat"] is None else road_of(row["lon"], row["lat"])


def _show(connection: Connection, row: Mapping[Any, Any], road: Section | None, near: str, metres: float) -> Document:
    zh, en = duty.unit_names(connection, row["unit"])
    plain = {name: row[name] for name in ("reason", "note", "number", "address", "unit")}
    names = {"unit_zh": zh, "unit_en": en, "road_zh": road[1] if road else "", "road_en": road[2] if road else ""}
    return plain | names | {"at": rfc3339(row["at"]), "area": show_area(row["area"]), "near": near, "metres": round(metres) if math.isfinite(metres) else None}
