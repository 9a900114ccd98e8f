"""What goes over a line, and by which names."""

import msgspec

STREAM, SUBJECT = "zs-up", "zs.up"
PROBE = 1.0
"""Seconds between probes."""


class Message(msgspec.Struct, array_like=True):
    """Readings of a stretch of the journal: when it was sent (µs), entities that are new on this line, and what each property's ticks mean."""

    sent: int
    entities: bytes
    properties: dict[str, tuple[str, str]]
    readings: bytes


class Told(msgspec.Struct):
    """An entity as a district tells of it."""

    id: str
    type: str
    name_zh: str
    name_en: str
    area: int
    lon: float | None
    lat: float | None
    owner: str
    grade: int
    facets: str


def source_of(domain: str) -> str:
    """Return the name of the source that a line's readings have."""
    return f"link.{domain}"
