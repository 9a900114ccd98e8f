"""Readings whose raw rows were let go: the hourly rows that stand for them, and up to when. It reads; what is forgotten is others' to say."""

from typing import Any

from zhongshu.kernel.area import show_area
from zhongshu.kernel.clock import HOUR, rfc3339
from zhongshu.kernel.condition import quote
from zhongshu.serve.city import City


def hours(city: City, where: str, bound: dict[str, Any], skip: int, limit: int) -> list[dict[str, Any]]:
    """Return hourly rows, newest first; `where` is said over (source, entity, property, area, hour)."""
    order = "hour DESC, entity, property, source, area"
    table = city.lake.query(f"SELECT * FROM hourly WHERE {where} ORDER BY {order} LIMIT {limit:d} OFFSET {skip:d}", bound)
    return [_hour(city, row) for row in table.to_pylist()]


def rolled_up_before(city: City, properties: set[str], interval: tuple[int, int]) -> int | None:
    """Return before which time (µs) raw readings of any of these properties were rolled up and let go in an interval of areas; None: of none."""
    names = ", ".join(map(quote, sorted(properties))) or "''"
    table = city.lake.query(f"SELECT max(hour) AS hour FROM hourly WHERE property IN ({names}) AND area >= {interval[0]:d} AND area < {interval[1]:d}")
    last = table["hour"][0].as_py()
    return None if last is None else int(last) + HOUR


def _hour(city: City, row: dict[str, Any]) -> dict[str, Any]:
    """Return an hourly row as a document, values in the property's unit; the mean is the exact sum over the count."""
    number = city.registry.properties.numbers.get(row["property"])
    prop = None if number is None else city.registry.property_rows[number]
    values = {name: None if prop is None else prop.value(row[name]) for name in ("low", "high", "first", "last", "total")}
    total = values.pop("total")
    return {
        "source": row["source"],
        "entity": row["entity"],
        "property": row["property"],
        "area": show_area(row["area"]),
        "from": rfc3339(row["hour"]),
        "to": rfc3339(row["hour"] + HOUR),
        "count": row["n"],
        "mean": None if total is None or not row["n"] else total / row["n"],
        **values,
        "unit": "" if prop is None else prop.unit,
        "latest": None if row["latest"] is None else rfc3339(row["latest"]),
        "rolled_up": True,
    }
