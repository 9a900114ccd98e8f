"""Reading a duty table's file, CSV or XLSX, into rows: every cell by its column's reader, every fault with its line. Knows no store."""

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime, tzinfo
from typing import Any

import openpyxl

from zhongshu.act.duty.kinds import KINDS, Column, Kind, day, form
from zhongshu.act.duty.pages import Row
from zhongshu.kernel.problem import declare

BAD_ROW = declare(
    "duty.bad_row",
    "invalid",
    zh=("“{source}”第 {line} 行有误：{why_zh}。", "请更正这一行后重新装入；其他行也没有装入。"),
    en=("Line {line} of '{source}' is wrong: {why_en}.", "Correct it and load again; no other line was taken either."),
)
NO_KIND = declare(
    "duty.no_kind",
    "invalid",
    zh=("没有“{kind}”这种表。", "可以是：{kinds}。"),
    en=("There is no table of kind '{kind}'.", "It can be: {kinds}."),
)
UNREADABLE = declare(
    "duty.unreadable",
    "invalid",
    zh=("读不了文件“{source}”。", "请存为 UTF-8 或 GB18030 编码的 CSV，或 XLSX 的第一张工作表，不超过 {most} MB。"),
    en=("The file '{source}' cannot be read.", "Save it as CSV in UTF-8 or GB18030, or as the first sheet of an XLSX, of at most {most} MB."),
)
MOST = 16 * 2**20
"""No table's file is larger, in bytes; nor is what an XLSX unpacks to ten times that."""
DATES = ("valid_from", "valid_to")
_ALIASES = {"source": "basis", "source_en": "basis_en"}
"""Both words are used for what a row rests on."""


def kind_of(name: str) -> Kind:
    """Return a kind by its name. Raises `duty.no_kind`."""
    if name not in KINDS:
        raise NO_KIND(kind=name, kinds=", ".join(KINDS))
    return KINDS[name]


def read(kind: Kind, source: str, body: bytes, zone: tzinfo) -> list[Row]:
    """Read a file whole or not at all. Raises `duty.unreadable`, `duty.bad_row`."""
    lines = _lines(source, body)
    header = [_ALIASES.get(name := str(cell or "").strip(), name) for cell in lines[0]] if lines else []
    known = {column.name for column in kind.columns} | set(DATES)
    needed = [column.name for column in kind.columns if column.wanted and column.name not in header]
    if kind.dated and "valid_from" not in header:
        needed.append("valid_from")
    if needed:
        raise BAD_ROW(source=source, line=1, why_zh=f"缺少列 {', '.join(needed)}", why_en=f"columns missing: {', '.join(needed)}")
    if odd := [name for name in header if name and name not in known]:
        raise BAD_ROW(source=source, line=1, why_zh=f"不认识的列 {', '.join(odd)}", why_en=f"columns not known: {', '.join(odd)}")
    rows = []
    for line, cells in enumerate(lines[1:], 2):
        if any(cells[len(header) :]):
            raise BAD_ROW(source=source, line=line, why_zh="这一行比表头多出格子", why_en="it has more cells than the head")
        if any(cells):
            rows.append(of_cells(kind, source, line, dict(zip(header, cells, strict=False)), zone))
    return rows


def of_cells(kind: Kind, source: str, line: int, raw: dict[str, str], zone: tzinfo) -> Row:
    """Read one line's cells by its kind's columns. Raises `duty.bad_row`."""
    cells = {column.name: _cell(column, source, line, (raw.get(column.name) or "").strip()) for column in kind.columns}
    if "basis_en" in cells:
        cells["basis_en"] = cells["basis_en"] or cells["basis"]
    start, end = (_day(source, line, name, (raw.get(name) or "").strip(), zone) for name in DATES)
    if start is None and not kind.dated:
        start = 0
    if start is None:
        raise BAD_ROW(source=source, line=line, why_zh="valid_from 为空", why_en="valid_from is empty")
    if end is not None and end <= start:
        raise BAD_ROW(source=source, line=line, why_zh="valid_to 不晚于 valid_from", why_en="valid_to is not after valid_from")
    return Row(kind.name, tuple(str(cells[name]) for name in kind.key), start, end, source, cells, line)


def _cell(column: Column, source: str, line: int, text: str) -> Any:  # noqa: ANN401 (whatever the reader makes)
    if not text:
        if column.wanted:
            raise BAD_ROW(source=source, line=line, why_zh=f"{column.name} 为空", why_en=f"{column.name} is empty")
        return list(column.empty) if isinstance(column.empty, tuple) else column.empty
    try:
        return column.read(text)
    except (ValueError, KeyError):
        zh, en = form(column)
        said_zh, said_en = f"看不懂 {column.name}“{text[:80]}”", f"{column.name} '{text[:80]}' cannot be read"
        raise BAD_ROW(source=source, line=line, why_zh=f"{said_zh}，{zh}" if zh else said_zh, why_en=f"{said_en}: {en}" if en else said_en) from None


def _day(source: str, line: int, name: str, text: str, zone: tzinfo) -> int | None:
    try:
        return day(text, zone) if text else None
    except ValueError:
        raise BAD_ROW(source=source, line=line, why_zh=f"看不懂 {name}“{text[:40]}”", why_en=f"{name} '{text[:40]}' cannot be read") from None


def _lines(source: str, body: bytes) -> list[list[str]]:
    if len(body) > MOST:
        raise UNREADABLE(source=source, most=MOST // 2**20)
    if body[:2] == b"PK":
        return [[_said(cell) for cell in row] for row in _workbook(source, body)]
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return list(csv.reader(io.StringIO(body.decode(encoding), newline=""), strict=True))
        except (UnicodeDecodeError, csv.Error):
            continue
    raise UNREADABLE(source=source, most=MOST // 2**20)


def _workbook(source: str, body: bytes) -> list[Sequence[Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as held:
            if sum(item.file_size for item in held.infolist()) > 10 * MOST:
                raise UNREADABLE(source=source, most=MOST // 2**20)
        book = openpyxl.load_workbook(io.BytesIO(body), read_only=True, data_only=True)
        rows: Iterable[Sequence[Any]] = book.worksheets[0].iter_rows(values_only=True)
        return list(rows)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, IndexError, TypeError):
        raise UNREADABLE(source=source, most=MOST // 2**20) from None


def _said(cell: Any) -> str:  # noqa: ANN401 (whatever a sheet holds)
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if (cell.hour, cell.minute, cell.second) == (0, 0, 0) else cell.isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    return f"{cell:g}" if isinstance(cell, float) else str(cell)
