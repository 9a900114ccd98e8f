"""A registered feed, declared as a row: who owns it, how its rows are to be read, and within which limits.

Knows no format's code: the readers read these rows. A mapping's version is the hash of its content.
"""

import dataclasses
import json
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from zhongshu.kernel.clock import DAY, MINUTE
from zhongshu.kernel.ids import stable_id
from zhongshu.kernel.problem import declare

BAD_SOURCE = declare(
    "source.invalid",
    "invalid",
    zh=("数据源“{source}”的声明有误：{why_zh}。", "请更正后再提交。"),
    en=("The declaration of source '{source}' is wrong: {why_en}.", "Correct it and send it again."),
)
UNKNOWN_SOURCE = declare(
    "source.unknown",
    "unknown",
    zh=("没有名为“{source}”的数据源。", "请先登记数据源，或检查拼写。"),
    en=("There is no source '{source}'.", "Register it first, or check the spelling."),
)

DATE_FORMATS = (
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%y %H:%M",
    "%m/%d/%Y %I:%M %p",
    "%Y-%m-%d",
    "%m/%d/%Y",
    "%m/%d/%y",
    "%Y/%m/%d",
    "%Y年%m月%d日 %H:%M:%S",
    "%Y年%m月%d日 %H:%M",
    "%Y年%m月%d日",
    "%Y%m%d%H%M%S",
    "%Y%m%d",
)
"""Local forms of time that a table may use, tried in this order; RFC 3339 with an offset is always read."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a wide table: its header (or one of several), the property it carries, and the unit it is in."""

    header: str
    property: str
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Wide:
    """A table with one row per entity and time, one column per property.

    `time`: one header, or year, month, day, hour headers. `id`: the header that names the entity, which becomes `urn:zs:<type>:<id>`.
    `places`: known (lon, lat) in EPSG:4490 by id, as facts with their source in the pack.
    """

    type: str
    id: str
    time: tuple[str, ...]
    columns: tuple[Column, ...]
    absent: tuple[str, ...] = ("NA", "", "NaN", "null")
    places: Dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A table without a time column: one column per entity (its id is the header), one row per `step` µs from `start` (RFC 3339)."""

    type: str
    property: str
    unit: str | None
    start: str
    step: int
    places: Dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    owner: str = ""


@dataclass(frozen=True, slots=True)
class RequestTable:
    """A table with one row per request. Each field names a header ('' = the table has none).

    `closed_states`, `duplicate_states`: words of the state column; `coarse`: decimals below which a coordinate is flagged as coarse.
    """

    id: str
    category: str
    created: str
    state: str
    due: str = ""
    closed: str = ""
    text: str = ""
    address: str = ""
    lon: str = ""
    lat: str = ""
    channel: str = ""
    unit: str = ""
    neighbourhood: str = ""
    also_id: tuple[str, ...] = ()
    closed_states: tuple[str, ...] = ("Closed",)
    duplicate_states: tuple[str, ...] = ()
    absent: tuple[str, ...] = ("", "NA", "NULL", "null")
    coarse: int = 2


@dataclass(frozen=True, slots=True)
class Source:
    """A feed. `zone`: IANA zone of times without an offset ('' = one that has none is refused); `interval`: which end of the interval its times label; times in µs.

    `entities`: whether unknown ones are refused (`known`) or registered (`register`, unplaced if they have no place).
    `future`, `past`: how far from the city's clock a valid time may lie (`past` None: history is welcome).
    """

    name: str
    zh: str
    en: str
    owner: str
    kind: Literal["readings", "requests"] = "readings"
    zone: str = ""
    entities: Literal["known", "register"] = "known"
    interval: Literal["instant", "start", "end"] = "instant"
    rhythm: int = MINUTE
    grade: int = 1
    future: int = 10 * MINUTE
    past: int | None = None
    mapping: Wide | Matrix | RequestTable | None = None
    licence: str = ""
    version: str = dataclasses.field(default="", init=False, compare=False)
    """The mapping's version: a hash of all that decides how a row is read."""

    def __post_init__(self) -> None:
        """Refuse what no reader could follow; hash what is declared."""
        if not self.name or any(c.isspace() or c == "/" for c in self.name) or len(self.name) > 100:  # noqa: PLR2004
            raise BAD_SOURCE(source=self.name, why_zh="名称为空、太长，或含有空格或斜线", why_en="the name is empty, too long or holds a space or a slash")
        try:
            ZoneInfo(self.zone or "UTC")
        except (KeyError, ValueError, OSError):
            raise BAD_SOURCE(source=self.name, why_zh=f"没有时区 {self.zone}", why_en=f"unknown time zone {self.zone}") from None
        if isinstance(self.mapping, Wide) and len(self.mapping.time) > 1 and not self.zone:
            raise BAD_SOURCE(
                source=self.name, why_zh="年、月、日分列的时间没有时差，须写明时区", why_en="times in columns of year, month and day have no offset: a time zone is needed"
            )
        if self.future < 0 or self.rhythm <= 0 or not 1 <= self.grade <= 4:  # noqa: PLR2004 (four grades)
            raise BAD_SOURCE(source=self.name, why_zh="future、rhythm 或 grade 超出范围", why_en="future, rhythm or grade is out of range")
        if self.future > 400 * DAY:
            raise BAD_SOURCE(source=self.name, why_zh="有效时间不能晚于 400 天以后", why_en="a valid time may not lie more than 400 days ahead")
        declared = {key: value for key, value in dataclasses.asdict(self).items() if key != "version"}
        object.__setattr__(self, "version", stable_id(json.dumps(declared, sort_keys=True, default=str))[:12])

    def describe(self) -> dict[str, Any]:
        """Return the row as plain values for the API."""
        row = {key: value for key, value in dataclasses.asdict(self).items() if key not in {"mapping", "past", "future", "rhythm", "version"}}
        return row | {
            "rhythm_s": self.rhythm / 1e6,
            "future_s": self.future / 1e6,
            "past_s": None if self.past is None else self.past / 1e6,
            "mapping": type(self.mapping).__name__ if self.mapping else None,
            "mapping_version": self.version,
        }
