"""Connectors as rows: what a city pulls or subscribes to, one row beside the source it feeds, in `connectors.toml` of the city's folder.

One typed decoder reads every kind. A bad row costs no other; its problem names the row and the field. Knows no network and no driver.
"""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, urlsplit

import msgspec

from zhongshu.kernel.clock import DAY, parse_duration
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.reason import why
from zhongshu.sense.source import Column, Matrix, Source, Wide

FILE = "connectors.toml"
UNREADABLE = declare(
    "connector.unreadable",
    "invalid",
    zh=("读不了 {path}：{why_zh}。", "它是一个 TOML 文件，每个接入一节 [[connector]]；改好后重新启动城市。"),
    en=("{path} cannot be read: {why_en}.", "It is a TOML file with one [[connector]] for each feed; mend it and start the city again."),
)
INVALID = declare(
    "connector.invalid",
    "invalid",
    zh=("connectors.toml 第 {row} 条（{name}）的 {field} 有误：{why_zh}。", "请更正这一条并重新启动城市；其他接入不受影响。"),
    en=("{field} of row {row} ({name}) of connectors.toml is wrong: {why_en}.", "Correct the row and start the city again; the other feeds run."),
)

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Overlap = str | int | None
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_ENDPOINT = re.compile(r"https?://[^/@\s]+/?")


class Header(msgspec.Struct, forbid_unknown_fields=True):
    """One column of the rows that come: its header (dots lead into nested objects), the property it carries, its unit."""

    header: Text
    property: Text
    unit: str | None = None


class Rows(msgspec.Struct, forbid_unknown_fields=True):
    """How a row becomes readings, where the source declares no mapping of its own: the meaning is that of `Wide`."""

    type: Text
    id: Text
    time: Text
    columns: Annotated[list[Header], msgspec.Meta(min_length=1, max_length=500)]
    absent: list[str] = msgspec.field(default_factory=lambda: ["", "NA", "NaN", "null"])

    def mapping(self) -> Wide:
        """Return the mapping that says the same."""
        return Wide(self.type, self.id, (self.time,), tuple(Column(c.header, c.property, c.unit) for c in self.columns), tuple(self.absent))


class Connector(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every kind has. `name`: a registered source; `every`: how often it is asked; `secret`: under what name its password or key is kept elsewhere."""

    name: Text
    address: Text
    every: str = "1m"
    user: str = ""
    secret: str = ""
    zone: str = ""
    rows: Rows | None = None


class Sql(Connector, kw_only=True):
    """A table or view, pulled by a column that only grows. `key`: what orders rows that tie; `overlap`: how far each pull goes back (a duration, or a number)."""

    table: Text
    watermark: Text
    key: list[Text] = []
    overlap: Overlap = None


class Postgresql(Sql, kw_only=True, tag="postgresql"):
    """A table of a PostgreSQL."""


class Mysql(Sql, kw_only=True, tag="mysql"):
    """A table of a MySQL or MariaDB."""


class Bucket(Connector, kw_only=True, tag="s3"):
    """Objects under a prefix: `s3://bucket/prefix`. `endpoint`: another store than Amazon's; `user` is the access key, the secret its secret key."""

    endpoint: str = ""
    region: str = ""


class Paging(msgspec.Struct, forbid_unknown_fields=True):
    """How the next page is asked for. `next`: the path of the next link or cursor in the answer ('' for a link: the `Link` header); `parameter`: what carries page, offset or cursor."""

    by: Literal["link", "offset", "page", "cursor"]
    next: str = ""
    parameter: str = ""
    first: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    size: Count | None = None
    size_parameter: str = ""

    def __post_init__(self) -> None:
        """Refuse what no page could follow."""
        if self.by != "link" and not self.parameter:
            message = "Missing required field `parameter`"
            raise ValueError(message)
        if self.by == "cursor" and not self.next:
            message = "Missing required field `next`"
            raise ValueError(message)


class Web(Connector, kw_only=True):
    """What is asked for by HTTP. `auth`: `bearer`, `basic`, `header <name>` or `query <name>`; `ca`: a file of the authority to trust instead of the system's."""

    auth: Annotated[str, msgspec.Meta(pattern=r"^(|bearer|basic|header [A-Za-z0-9-]+|query [A-Za-z0-9_.-]+)$")] = ""
    headers: dict[str, str] = {}
    ca: str = ""
    timeout: str = "30s"


class Rest(Web, kw_only=True, tag="rest"):
    """Rows of JSON. `at`: the path to them; `watermark`: the field that only grows, sent back as `parameter`; `start`: what is sent first."""

    at: str = ""
    paging: Paging | None = None
    watermark: str = ""
    parameter: str = ""
    start: str = ""
    overlap: Overlap = None
    pages: Count = 1000
    within: str = "5m"


class GtfsRealtime(Web, kw_only=True, tag="gtfs-rt"):
    """A GTFS-realtime feed: an address, or `file:///…`. `type`: what its vehicles are here; `feed`: which imported timetable its routes and stops are of, where there are several."""

    type: Text = "Vehicle"
    feed: str = ""
    max_age: str = "1d"


class Node(msgspec.Struct, forbid_unknown_fields=True):
    """One OPC UA variable (`ns=2;s=Pump.Level`) and the reading it becomes."""

    node: Text
    entity: Text
    property: Text
    unit: str | None = None


class OpcUa(Connector, kw_only=True, tag="opcua"):
    """Variables of an OPC UA server, subscribed to. `every`: the sampling and publishing interval; `security`: `Basic256Sha256,SignAndEncrypt,cert.pem,key.pem`."""

    nodes: Annotated[list[Node], msgspec.Meta(min_length=1, max_length=10_000)]
    security: str = ""


class Register(msgspec.Struct, forbid_unknown_fields=True):
    """One Modbus value: where it stands, how its words are read, and the reading it becomes: value = raw × scale + offset."""

    at: Annotated[int, msgspec.Meta(ge=0, le=65_535)]
    entity: Text
    property: Text
    unit: str | None = None
    of: Literal["holding", "input", "coil", "discrete"] = "holding"
    type: Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"] = "uint16"
    words: Literal["big", "little"] = "big"
    scale: float = 1.0
    offset: float = 0.0


class Modbus(Connector, kw_only=True, tag="modbus"):
    """Registers of a Modbus TCP device, polled: `modbus://host:502`."""

    registers: Annotated[list[Register], msgspec.Meta(min_length=1, max_length=10_000)]
    device: Annotated[int, msgspec.Meta(ge=0, le=255)] = 1


_Row = Postgresql | Mysql | Bucket | Rest | GtfsRealtime | OpcUa | Modbus
SCHEMES = {
    "postgresql": ("postgresql", "postgres"),
    "mysql": ("mysql",),
    "s3": ("s3", "file"),
    "rest": ("http", "https"),
    "gtfs-rt": ("http", "https", "file"),
    "opcua": ("opc.tcp",),
    "modbus": ("modbus",),
}
LONGEST = 366 * DAY
_TABLES = ("postgresql", "mysql", "rest")


@dataclass(frozen=True, slots=True)
class Declared:
    """A row that was read, with its source as the row has it read: the source's own mapping, or the row's."""

    row: Connector
    kind: str
    source: Source


def kind_of(row: Connector) -> str:
    """Return a row's kind as it is written."""
    return str(type(row).__struct_config__.tag)


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was refused: what is known of it, and why. `kind`: '' where it names none that there is."""

    name: str
    kind: str
    problem: Problem


def read_connectors(path: Path, sources: Mapping[str, Source]) -> tuple[list[Declared], list[Refused]]:
    """Read the file, if it is there: the good rows, and the bad ones."""
    try:
        held = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return [], []
    except (OSError, ValueError) as error:
        return [], [Refused(FILE, "", UNREADABLE(path=path.name, **why(error, "内容不是 TOML，或无权读取")))]
    listed = held.get("connector", [])
    if held.keys() - {"connector"} or not isinstance(listed, list):
        return [], [Refused(FILE, "", UNREADABLE(path=path.name, why_zh="除 [[connector]] 外还有别的内容", why_en="it holds something other than [[connector]]"))]
    good: list[Declared] = []
    bad: list[Refused] = []
    for number, given in enumerate(listed, 1):
        name, kind = (str(given.get(key, "")) if isinstance(given, dict) else "" for key in ("name", "kind"))
        try:
            good.append(read_connector(given, number, sources, {d.row.name for d in good}))
        except Problem as problem:
            bad.append(Refused(name, kind if kind in SCHEMES else "", problem))
    return good, bad


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the file something is wrong."""

    row: int
    name: str

    def wrong(self, *, field: str, zh: str, en: str) -> Problem:
        return INVALID(row=self.row, name=self.name, field=field, why_zh=zh, why_en=en)

    def duration(self, field: str, text: str, least: int = 10_000) -> None:
        try:
            span = parse_duration(text)
        except Problem:
            span = -1
        if not least <= span <= LONGEST:
            raise self.wrong(field=field, zh=f"“{text}”不是时长，例如 30s、1m、1h", en=f"'{text}' is no duration such as 30s, 1m or 1h")


def read_connector(given: Any, number: int, sources: Mapping[str, Source], taken: Collection[str] = ()) -> Declared:  # noqa: ANN401 (TOML)
    """Read one row; raises `connector.invalid` with the row and the field that is wrong."""
    place = _Place(number, str(given.get("name", "")) if isinstance(given, dict) else "")
    try:
        row: Connector = msgspec.convert(given, type=_Row)
    except msgspec.ValidationError as error:
        raise _said(error, place) from None
    source = sources.get(row.name)
    if source is None:
        raise place.wrong(field="name", zh="没有这个数据源", en="there is no such source")
    if row.name in taken or not _NAME.fullmatch(row.name):
        raise place.wrong(field="name", zh="同一数据源已有一条，或名称不能作文件名", en="the source has a row already, or its name cannot name a file")
    for field in ("every", "timeout", "within", "max_age"):
        place.duration(field, getattr(row, field, "1s"))
    if isinstance(overlap := getattr(row, "overlap", None), str):
        place.duration("overlap", overlap, least=0)
    kind = kind_of(row)
    _check_address(row, kind, place)
    if row.secret and not _NAME.fullmatch(row.secret):
        raise place.wrong(field="secret", zh="这里写名称，不写口令本身；只用字母、数字、_、- 和点", en="it is a name, not the secret itself: letters, digits, _, - and dots only")
    return Declared(row, kind, _mapped(row, kind, source, place))


def _check_address(row: Connector, kind: str, place: _Place) -> None:
    try:
        parts = urlsplit(row.address)
        held = {parts.password, *parse_qs(parts.query).get("password", ())} - {None, ""}
        _ = parts.port
    except ValueError:
        raise place.wrong(field="address", zh="地址读不懂", en="it cannot be read as an address") from None
    if held:
        raise place.wrong(field="address", zh='口令不写在这里：写 secret = "名称"', en='a password does not belong here: write secret = "a name"')
    if parts.scheme not in SCHEMES[kind] or not (parts.hostname or parts.scheme == "file"):
        begins = [f"{scheme}://" for scheme in SCHEMES[kind]]
        raise place.wrong(field="address", zh=f"应以 {'、'.join(begins)} 开头并写明主机", en=f"it begins with {' or '.join(begins)} and names a host")
    if (endpoint := getattr(row, "endpoint", "")) and not _ENDPOINT.fullmatch(endpoint):  # without one, the keys would go to Amazon
        raise place.wrong(field="endpoint", zh="应以 http:// 或 https:// 开头并写明主机，不含口令", en="it begins with http:// or https:// and names a host, without a password")


def _mapped(row: Connector, kind: str, source: Source, place: _Place) -> Source:
    """Return the source as the row has it read."""
    if row.rows is not None and (kind not in _TABLES or source.mapping is not None or source.kind == "requests"):
        raise place.wrong(field="rows", zh="这一类接入没有列，或数据源自己已声明映射", en="this kind has no columns, or the source declares a mapping of its own")
    if isinstance(source.mapping, Matrix) and kind in _TABLES:
        raise place.wrong(field="name", zh="这个数据源的映射按列认实体，只能从文件读", en="the source's mapping has an entity for each column, which only files have")
    try:
        return replace(source, mapping=source.mapping if row.rows is None else row.rows.mapping(), zone=source.zone or row.zone)
    except Problem as problem:
        raise place.wrong(field="zone", zh=problem.sentence("zh").rstrip("。"), en=problem.sentence().rstrip(".")) from None


_FIELD = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<at>[^`]*)`)?$", re.DOTALL)
_OWN = (
    (re.compile(r"unknown field `(?P<it>[^`]*)`"), "没有这一项", "there is no such field"),
    (re.compile(r"missing required field `(?P<it>[^`]*)`", re.IGNORECASE), "缺少这一项", "it is missing"),
    (re.compile(r"Invalid (?:enum )?value '?(?P<value>[^']*)'?"), "不认识“{value}”", "'{value}' is not known"),
    (re.compile(r"length (?P<value>[<>]= \d+)"), "长度应 {value}", "its length must be {value}"),
    (re.compile(r"matching regex '(?P<value>.*)'"), "不合 {value} 的写法", "it is not written like {value}"),
)


def _said(error: msgspec.ValidationError, place: _Place) -> Problem:
    """Say which field of which row is wrong, in words of ours."""
    found = _FIELD.match(str(error))
    what, at = (found["what"], found["at"] or "") if found else (str(error), "")
    for pattern, zh, en in _OWN:
        if said := pattern.search(what):
            told = said.groupdict()
            field = ".".join(part for part in (at, told.get("it", "")) if part)
            return place.wrong(field=field or "row", zh=zh.format(**told), en=en.format(**told))
    return INVALID(row=place.row, name=place.name, field=at or "row", **why(what))
