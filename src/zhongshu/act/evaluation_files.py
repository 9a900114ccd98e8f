"""An evaluation as a workbook and as a page to print. Knows what an evaluation holds, not how it is reckoned."""

import io
from typing import Any

import openpyxl
from openpyxl.styles import Font
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table

FONT = "STSong-Light"
PER_PAGE = 9
"""So many measures stand side by side on a page."""


def workbook(told: dict[str, Any], language: str) -> bytes:
    """Return an evaluation as XLSX: the figures beside the span before and the year before, what was left out and why, and the weights with their source."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "评价" if language == "zh" else "Evaluation"
    heads = [each[language] + (f" ({each['unit']})" if each["unit"] else "") for each in told["measures"]]
    spans = (("values", "本期", "this span"), ("before", "环比：上期", "the span before"), ("year", "同比：去年同期", "a year before"))
    sheet.append([_safe(text) for text in ("对象" if language == "zh" else "object", "时段" if language == "zh" else "span", *heads, "得分" if language == "zh" else "score")])
    for item in told["items"]:
        for key, zh, en in spans:
            values = [item[key][each["key"]] for each in told["measures"]]
            sheet.append([_safe(item[f"name_{language}"]), zh if language == "zh" else en, *values, item["score"] if key == "values" else None])
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    out = book.create_sheet("不计入案件" if language == "zh" else "Left out")
    out.append(["编号", "理由", "裁定人", "时间"] if language == "zh" else ["number", "reason", "by", "at"])
    for row in told["left_out"]:
        out.append([_safe(row[name]) for name in ("number", "reason", "by", "at")])
    weights = book.create_sheet("权重" if language == "zh" else "Weights")
    weights.append(["指标", "权重", "依据"] if language == "zh" else ["measure", "weight", "source"])
    for row in told["weights"]:
        weights.append([_safe(row["indicator"]), row["weight"], _safe(row["basis" if language == "zh" else "basis_en"])])
    body = io.BytesIO()
    book.save(body)
    return body.getvalue()


def page(told: dict[str, Any], language: str, city: str) -> bytes:
    """Return an evaluation as an A4 PDF, its measures in bands of nine."""
    if FONT not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    body, style = io.BytesIO(), ParagraphStyle("text", fontName=FONT, fontSize=9, leading=13)
    title = f"{city} 综合评价 {told['from'][:10]} — {told['to'][:10]}" if language == "zh" else f"{city}: evaluation {told['from'][:10]} to {told['to'][:10]}"
    parts: list[Any] = [Paragraph(title, ParagraphStyle("title", parent=style, fontSize=14, leading=20)), Spacer(1, 4 * mm)]
    for start in range(0, len(told["measures"]), PER_PAGE):
        some = told["measures"][start : start + PER_PAGE]
        rows = [["对象" if language == "zh" else "object", *(each[language] for each in some)]]
        rows += [[item[f"name_{language}"], *(_figure(item, each) for each in some)] for item in told["items"]]
        cells = [[Paragraph(_escape(str(cell)), style) for cell in row] for row in rows]
        parts += [Table(cells, repeatRows=1, style=[("GRID", (0, 0), (-1, -1), 0.3, "#B0B8BE"), ("VALIGN", (0, 0), (-1, -1), "TOP")]), Spacer(1, 5 * mm)]
    note = "括号内为上期。" if language == "zh" else "The span before stands in brackets."
    parts += [Paragraph(f"{note} {'不计入案件' if language == 'zh' else 'Left out'}: {len(told['left_out'])}", style)]
    SimpleDocTemplate(body, pagesize=landscape(A4), margin=12 * mm, title=title).build(parts)
    return body.getvalue()


def _figure(item: dict[str, Any], measure: dict[str, Any]) -> str:
    now, before = item["values"][measure["key"]], item["before"][measure["key"]]
    return f"{'—' if now is None else f'{now:g}'}{measure['unit']} ({'—' if before is None else f'{before:g}'})"


def _safe(text: Any) -> Any:  # noqa: ANN401 (a cell)
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if isinstance(text, str) and text[:1] in {"=", "+", "-", "@"} else text


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
