"""Levels of vital signs and findings: what a rule says holds, where, since when, on which evidence."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """The level of a vital sign; never the word 预警, which is an authority's alone."""

    GREEN = "green"
    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"
    UNSET = "unset"
    STALE = "stale"


SEVERITY = {Status.UNSET: 0, Status.STALE: 0, Status.GREEN: 0, Status.YELLOW: 1, Status.ORANGE: 2, Status.RED: 3}


@dataclass(slots=True)
class Finding:
    """A rule that holds in an area. Times are known-time boundaries in µs; `id` = hash(rule, version, area, opened)."""

    id: str
    rule: str
    version: str
    indicator: str
    area: int
    level: Status
    opened: int
    value: float | None
    closed: int | None = None
    changed: int = 0
    evidence: dict[str, Any] = field(default_factory=dict)
