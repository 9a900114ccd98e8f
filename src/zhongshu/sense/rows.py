"""What a body becomes: rows of JSON as they were read, then columns; what is refused, and in which words.

Knows no shape of a body: those who read one fill in what stands here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt

from zhongshu.kernel.journal import Refused
from zhongshu.kernel.problem import Problem, declare

BAD_BODY = declare(
    "intake.unreadable",
    "invalid",
    zh=("无法读取提交的内容（{form}）：{why_zh}。", "请检查格式与编码（UTF-8）后重新提交，未记入任何数据。"),
    en=("The body cannot be read as {form}: {why_en}.", "Check its format and encoding (UTF-8) and send it again; nothing was taken in."),
)
TOO_LARGE = declare(
    "intake.too_large",
    "too_large",
    zh=("提交的内容超过 {limit} 字节。", "请拆成较小的批次。"),
    en=("The body is larger than {limit} bytes.", "Send it in smaller batches."),
)
LONG_LINE = declare(
    "intake.line_too_long",
    "invalid",
    zh=("第 {row} 行超过 {limit} 字节。", "请检查换行，逐条发送。"),
    en=("Line {row} is longer than {limit} bytes.", "Check the line breaks and send one reading a line."),
)
NOT_UTF8 = declare(
    "intake.not_unicode",
    "invalid",
    zh=("提交的{form}不是 UTF-8 编码（从第 {byte} 个字节起）。", "请先转换编码，例如 iconv -f GB18030 -t UTF-8，再提交；未记入任何数据。"),
    en=("The {form} is not UTF-8 (from byte {byte} on).", "Convert it first, for example iconv -f GB18030 -t UTF-8, and send it again; nothing was taken in."),
)
FOREIGN_MEDIA = declare(
    "intake.foreign_media",
    "foreign_media",
    zh=("不接收 {media} 格式。", "请发送 application/x-ndjson、application/json、text/csv 或 application/vnd.apache.arrow.stream。"),
    en=("{media} is not taken in.", "Send application/x-ndjson, application/json, text/csv or application/vnd.apache.arrow.stream."),
)
BAD_ROW = declare(
    "reading.unreadable",
    "invalid",
    zh=("这一行无法读取：{why_zh}。", "每行应有 entity、property、time、value。"),
    en=("This row cannot be read: {why_en}.", "A row has entity, property, time and value."),
)
ROW_NOT_UTF8 = declare(
    "reading.not_unicode",
    "invalid",
    zh=("这一行不是 UTF-8 编码。", "请先转换编码，例如 iconv -f GB18030 -t UTF-8。"),
    en=("This row is not UTF-8.", "Convert it first, for example iconv -f GB18030 -t UTF-8."),
)
NOT_A_NUMBER = declare(
    "reading.not_a_number",
    "invalid",
    zh=("值“{text}”不是数字。", "请写成数字，例如 1.5；没有值时写 null。"),
    en=("The value '{text}' is not a number.", "Write a number, for example 1.5; where there is none, null."),
)
BAD_PLACE = declare(
    "reading.bad_place",
    "invalid",
    zh=("位置（{lon}，{lat}）不是经纬度。", "lon 应在 -180 到 180 之间，lat 应在 -90 到 90 之间。"),
    en=("The place ({lon}, {lat}) is no longitude and latitude.", "lon lies between -180 and 180, lat between -90 and 90."),
)
CELLS = declare(
    "reading.cells",
    "invalid",
    zh=("这一行有 {found} 格，应有 {wanted} 格。", "请检查分隔符与引号；多出的格在 {more} 里，更正后请删去。"),
    en=("This row has {found} cells where {wanted} are expected.", "Check separators and quotes; cells beyond the header are kept as '{more}', take that out when it is mended."),
)

MAX_BODY = 64 * 2**20
MAX_LINE = 64 * 2**10
MAX_ROWS = 2_000_000
MORE = "more_cells"
"""Under what name the cells beyond a table's header are kept."""
_Lon = Annotated[float, msgspec.Meta(ge=-180, le=180)]
_Lat = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Called = tuple[float | None, float | None, str]
"""What a row says of its entity: longitude, latitude (degrees), name."""


class Row(msgspec.Struct, gc=False):
    """One native reading: time is RFC 3339 or integer ms/µs since 1970; no unit means the property's own. The place (degrees) and the name are for an entity that is new."""

    entity: str
    property: str
    time: str | int
    value: float | None
    unit: str | None = None
    quality: str | None = None
    lon: _Lon | None = None
    lat: _Lat | None = None
    name: str | None = None


@dataclass(slots=True)
class Decoded:
    """Columns as sent, not yet checked; `line` is each row's place in the body.

    Of the i-th row, `sent` gives the whole as it was sent, so that it can be mended, `when` its time as text, `called` what it says of its entity. `flags`: of rows that are odd already.
    """

    entity: list[str]
    property: list[str]
    unit: list[str | None]
    quality: list[str | None]
    time: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    missing: npt.NDArray[np.bool_]
    line: npt.NDArray[np.int64]
    refused: list[Refused] = field(default_factory=list)
    sent: Callable[[int], str] | None = None
    when: Callable[[int], str] | None = None
    called: Callable[[int], Called] | None = None
    flags: npt.NDArray[np.int32] | None = None


@dataclass(slots=True)
class Lines:
    """Rows of JSON as they were read, not yet columns, so that the rows of several bodies become columns in one go; the fields are those of `Decoded`."""

    rows: list[Row]
    line: npt.NDArray[np.int64]
    refused: list[Refused]
    sent: Callable[[int], str]

    def __len__(self) -> int:
        """Return the number of rows that could be read."""
        return len(self.rows)


def text(body: bytes, form: str) -> str:
    """Return a body's text; raises `intake.not_unicode`."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise NOT_UTF8(form=form, byte=error.start + 1) from None


def refusal(row: int, problem: Problem, raw: bytes | str) -> Refused:
    """Return a refused row with what was sent; of a longer one the first `MAX_LINE` characters are kept, and `cut` says so."""
    kept = writable(raw) if isinstance(raw, str) else raw.decode("utf-8", "backslashreplace")
    cut = {"cut": True} if len(kept) > MAX_LINE else {}
    told = {key: writable(value) if isinstance(value, str) else value for key, value in problem.particulars.items()}
    return Refused(row, problem.kind.code, told | cut, kept[:MAX_LINE])


def writable(said: str) -> str:
    """Return a text that can be written down: halves of characters, which JSON can name, become their escapes."""
    return said.encode("utf-8", "backslashreplace").decode()


def number(text: str | None) -> float:
    """Read a number as people and machines write it (no `1_000`, no full-width digits); NaN for what is none."""
    if not text or not text.isascii() or "_" in text:
        return np.nan
    try:
        return float(text)
    except ValueError:
        return np.nan
