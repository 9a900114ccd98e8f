"""Sections of text and tables on A4 paper, as PDF with text that can be selected; on one page if asked. Knows nothing of what it says.

The Chinese font is one that every reader of PDF brings along, so no file of it is needed.
"""

import io
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import HRFlowable, LongTable, Paragraph, SimpleDocTemplate, Spacer, TableStyle

FONT = "STSong-Light"
MARGIN = 18 * mm
PADDING = 6
"""What the frame keeps free at each side, in points."""
SIZES = (12, 11.5, 11, 10.5, 10, 9.5, 9, 8.5, 8, 7.5, 7)
"""Type sizes in points, tried from the largest until everything stands on one page."""
PLAIN = 9.5
"""The type size where there may be more pages."""
FEWEST = 3
"""No list is cut shorter than this."""
_NUMBER = re.compile(r"[+-]?[\d.,]+%?|—")
_INK, _LINE, _EDGE = HexColor("#1f3a5f"), HexColor("#c9d0d7"), HexColor("#6b7680")

Section = dict[str, Any]
"""{head, lines: [text], tables: [[[cell, …], …]]}; a table's first row is its head."""


def render(title: str, under: str, sections: Sequence[Section], *, one_page: bool = False) -> bytes:
    """Return a PDF. On one page, type becomes smaller, and then lists shorter with a word on how much was left out."""
    if not one_page:
        return _build(title, under, sections, PLAIN)[0]
    for size in SIZES:
        made, pages = _build(title, under, sections, size)
        if pages == 1:
            return made
    low, high = FEWEST, max(len(each) for section in sections for each in (section["lines"], *section["tables"]))
    made = _build(title, under, [_cut(section, low) for section in sections], SIZES[-1])[0]
    while high - low > 1:  # the longest lists that still fit
        most = (low + high) // 2
        tried, pages = _build(title, under, [_cut(section, most) for section in sections], SIZES[-1])
        low, high, made = (most, high, tried) if pages == 1 else (low, most, made)
    return made


def _cut(section: Section, most: int) -> Section:
    def shorter(rows: list[Any], last: Any) -> list[Any]:  # noqa: ANN401 (a line, or a table's row)
        return rows if len(rows) <= most else [*rows[: most - 1], last]

    lines = shorter(section["lines"], f"… +{len(section['lines']) - most + 1}")
    tables = [shorter(table, [f"… +{len(table) - most + 1}", *[""] * (len(table[0]) - 1)]) for table in section["tables"]]
    return section | {"lines": lines, "tables": tables}


def _build(title: str, under: str, sections: Sequence[Section], size: float) -> tuple[bytes, int]:
    _font()
    plain = ParagraphStyle("plain", fontName=FONT, fontSize=size, leading=size * 1.5, wordWrap="CJK", spaceAfter=size * 0.15)
    head = ParagraphStyle("head", parent=plain, fontSize=size * 1.2, leading=size * 1.7, spaceBefore=size * 0.9, spaceAfter=size * 0.2, textColor=_INK)
    top = ParagraphStyle("top", parent=plain, fontSize=size * 1.7, leading=size * 2.3, alignment=1)
    small = ParagraphStyle("small", parent=plain, fontSize=size * 0.85, leading=size * 1.2, alignment=1, textColor=HexColor("#5c6670"))
    rule = HRFlowable(width="100%", thickness=1.2, color=_INK, spaceBefore=size * 0.6, spaceAfter=size * 0.6)
    story: list[Any] = [Paragraph(escape(title), top), Paragraph(escape(under), small), rule]
    for section in sections:
        story += [Paragraph(escape(section["head"]), head)] if section["head"] else []
        story += [Paragraph(escape(text), plain) for text in section["lines"]]
        for rows in section["tables"]:
            story += [_table(rows, plain), Spacer(1, size * 0.5)]
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN, bottomMargin=MARGIN, title=title, author="Zhongshu 城市中枢", invariant=1
    )
    document.build(story)
    return out.getvalue(), document.page


def _table(rows: list[list[str]], plain: ParagraphStyle) -> LongTable:
    """Return a table as wide as the page; a column is as wide as what it holds, within bounds."""
    widest = [max(4.0, min(24.0, max((_wide(row[i]) for row in rows), default=4))) for i in range(len(rows[0]))]
    whole = A4[0] - 2 * MARGIN - 2 * PADDING
    number = ParagraphStyle("number", parent=plain, alignment=2)
    counted = [all(_NUMBER.fullmatch(row[i]) for row in rows[1:] if row[i]) and len(rows) > 1 for i in range(len(rows[0]))]
    same = max((width for width, one in zip(widest, counted, strict=True) if one), default=0)
    widest = [same if one else width for width, one in zip(widest, counted, strict=True)]
    cells = [[Paragraph(escape(cell), number if one else plain) for cell, one in zip(row, counted, strict=True)] for row in rows]
    made = LongTable(cells, colWidths=[whole * width / sum(widest) for width in widest], repeatRows=1)
    made.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE),
                ("LINEBELOW", (0, 0), (-1, 0), 0.8, _EDGE),
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
                *((side, (0, 0), (-1, -1), 1.2) for side in ("TOPPADDING", "BOTTOMPADDING")),
                *((side, (0, 0), (-1, -1), 3) for side in ("LEFTPADDING", "RIGHTPADDING")),
            ]
        )
    )
    return made


def _wide(text: str) -> float:
    """Return about how wide a text is, in letters: a Chinese character is two."""
    return sum(1.0 if char.isascii() else 2.0 for char in text)


@lru_cache(1)
def _font() -> None:
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
