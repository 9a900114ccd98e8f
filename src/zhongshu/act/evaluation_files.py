"""An evaluation as a workbook and as a page to print. Knows what an evaluation holds, not how it is reckoned."""

import io
from datetime import UTC, tzinfo
from typing import Any

import openpyxl
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table

from zhongshu.kernel.clock import parse_time, to_datetime

FONT = "STSong-Light"
PER_PAGE = 6
"""So many measures stand side by side on a page: each has room for its name and for three spans."""
FEW = 10
"""So few cases make a figure jump; the page and the workbook say so."""
MINUTES, SECONDS = 60, 3600
INK, MUTED, LINE, TINT, ACCENT = "#1B242B", "#55636E", "#D9DFE4", "#EEF1F3", "#0B6B7C"
_SPANS = (("values", "本期", "this span"), ("before", "上期（环比）", "span before"), ("year", "去年同期（同比）", "a year before"))
_WIDE, _USUAL, _NARROW = 44, 14, 10

Told = dict[str, Any]


def workbook(told: Told, language: str, zone: tzinfo = UTC) -> bytes:
    """Return an evaluation as XLSX: the figures beside the span before and the year before, what was left out and why, and the weights with their source."""
    zh, book = language == "zh", openpyxl.Workbook()
    sheet = book.active
    sheet.title = "评价" if zh else "Evaluation"
    heads = [each[language] + (f" ({each['unit']})" if each["unit"] else "") for each in told["measures"]]
    rows = [
        [
            item[f"name_{language}"],
            span[1 if zh else 2],
            *(item[span[0]][each["key"]] for each in told["measures"]),
            *((item["score"], item["cases"]) if span[0] == "values" else (None, None)),
        ]
        for item in told["items"]
        for span in _SPANS
    ]
    _fill(sheet, ["对象" if zh else "object", "时段" if zh else "span", *heads, "得分" if zh else "score", "案件数" if zh else "cases"], rows, (22, 18))
    for number in range(2, sheet.max_row + 1):
        if (number - 2) % len(_SPANS):
            for cell in sheet[number]:
                cell.font = Font(color=MUTED[1:])
    sheet.freeze_panes = "C2"
    out = [
        [row[name] for name in ("number", f"title_{language}", "reason", f"by_{language}" if f"by_{language}" in row else "by")] + [_day(row["at"], zone)]
        for row in told["left_out"]
    ]
    heads = ["编号", "案件", "裁定理由", "裁定人", "时间"] if zh else ["number", "case", "ruling", "by", "at"]
    _fill(book.create_sheet("不计入案件" if zh else "Left out"), heads, out, (24, 32, _WIDE, 18, 26))
    names = {each["key"]: each[language] for each in told["measures"]}
    weights = [[names.get(row["indicator"], row["indicator"]), row["weight"], _basis(row, language), _day(row["since"], zone)] for row in told["weights"]]
    _fill(
        book.create_sheet("权重" if zh else "Weights"),
        ["指标", "权重", "依据", "施行日期"] if zh else ["measure", "weight", "source", "in force since"],
        weights,
        (22, _NARROW, _WIDE, _USUAL),
    )
    about = book.create_sheet("说明" if zh else "About")
    for line in (_title(told, language, zone), *_notes(told, language)):
        about.append([_safe(line)])
    about.column_dimensions["A"].width = 100
    body = io.BytesIO()
    book.save(body)
    return body.getvalue()


def page(told: Told, language: str, city: str, zone: tzinfo = UTC) -> bytes:
    """Return an evaluation as an A4 PDF: bands of measures with each object's own earlier figures under them, what was left out, the weights and how to read it."""
    if FONT not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    zh, body, title = language == "zh", io.BytesIO(), _title(told, language, zone, city)
    text = ParagraphStyle("text", fontName=FONT, fontSize=9, leading=13, textColor=HexColor(INK), wordWrap="CJK" if zh else None)
    small = ParagraphStyle("small", parent=text, fontSize=8, leading=11, textColor=HexColor(MUTED))
    head = ParagraphStyle("head", parent=text, fontSize=11, leading=18, spaceBefore=8)
    parts: list[Flowable] = [Paragraph(_escape(title), ParagraphStyle("title", parent=text, fontSize=15, leading=22))]
    parts += [Paragraph(_escape(line), small) for line in _notes(told, language)]
    size = landscape(A4)
    wide = size[0] - 28 * mm
    measures = told["measures"]
    for start in range(0, len(measures), PER_PAGE):
        some = measures[start : start + PER_PAGE]
        rows = [[Paragraph("对象" if zh else "Object", small), *(Paragraph(_escape(each[language]), small) for each in some)]]
        rows += [[_name(item, language, text), *(_figure(item, each, language, text) for each in some)] for item in told["items"]]
        parts += [Spacer(1, 4 * mm), _table(rows, [38 * mm] + [(wide - 38 * mm) / PER_PAGE] * len(some))]
    if told["weights"]:
        names = {each["key"]: each[language] for each in measures}
        lines = [f"{names.get(row['indicator'], row['indicator'])} {row['weight']:g} · {_basis(row, language)} · {_day(row['since'], zone)}" for row in told["weights"]]
        scores = [
            f"{item[f'name_{language}']} {item['score']:g}" + (f"（{_few(item, language)}）" if item["cases"] < FEW else "") for item in told["items"] if item["score"] is not None
        ]
        parts += [
            Paragraph("得分与施行中的权重" if zh else "Scores and the weights in force", head),
            *(Paragraph(_escape(line), text) for line in (" · ".join(scores), *lines) if line),
        ]
    parts.append(Paragraph(f"裁定不计入的案件：{len(told['left_out'])}" if zh else f"Left out by a ruling: {len(told['left_out'])}", head))
    parts += [
        Paragraph(_escape(f"{row['number']}  {row[f'title_{language}']} · {row['reason']} · {row.get(f'by_{language}', row['by'])} · {_day(row['at'], zone)}"), text)
        for row in told["left_out"]
    ]
    foot = _foot(title)
    made = SimpleDocTemplate(body, pagesize=size, leftMargin=14 * mm, rightMargin=14 * mm, topMargin=14 * mm, bottomMargin=14 * mm, title=title, lang="zh-CN" if zh else "en")
    made.build(parts, onFirstPage=foot, onLaterPages=foot)
    return body.getvalue()


def _fill(sheet: Worksheet, heads: list[str], rows: list[list[Any]], widths: tuple[int, ...]) -> None:
    """Write a table with its head: named, as wide as its words ask, and with a filter."""
    for row in (heads, *rows):
        sheet.append([_safe(cell) for cell in row])
    for number in range(1, len(heads) + 1):
        sheet.column_dimensions[get_column_letter(number)].width = widths[number - 1] if number <= len(widths) else _USUAL
    for cell in sheet[1]:
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor=TINT[1:])
        cell.alignment, cell.border = Alignment(wrap_text=True, vertical="center"), Border(bottom=Side("thin", color=MUTED[1:]))
    sheet.row_dimensions[1].height = 32
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions
    sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def _table(rows: list[list[Any]], widths: list[float]) -> Table:
    style = [("LINEBELOW", (0, 0), (-1, -1), 0.4, HexColor(LINE)), ("LINEBELOW", (0, 0), (-1, 0), 0.8, HexColor(MUTED)), ("VALIGN", (0, 0), (-1, -1), "TOP")]
    return Table(rows, widths, repeatRows=1, hAlign="LEFT", style=[*style, ("BACKGROUND", (0, 0), (-1, 0), HexColor(TINT)), ("LEFTPADDING", (0, 0), (-1, -1), 4)])


def _name(item: Told, language: str, style: ParagraphStyle) -> Paragraph:
    note = _few(item, language) if item["cases"] < FEW else f"{item['cases']} 件案件" if language == "zh" else f"{item['cases']} cases"
    return Paragraph(f'{_escape(item[f"name_{language}"])}<br/><font size="8" color="{MUTED}">{note}</font>', style)


def _few(item: Told, language: str) -> str:
    """Say over how few cases a figure is."""
    return f"只有 {item['cases']} 件案件" if language == "zh" else f"of {item['cases']} case{'' if item['cases'] == 1 else 's'} only"


def _figure(item: Told, measure: Told, language: str, style: ParagraphStyle) -> Paragraph:
    """Say a figure, and under it what it was in the span before and a year before."""
    shown = {key: _number(item[key][measure["key"]], measure["unit"], language) for key, *_ in _SPANS}
    under = f"上期 {shown['before']} · 同期 {shown['year']}" if language == "zh" else f"before {shown['before']} · year {shown['year']}"
    return Paragraph(f'<font size="11">{shown["values"]}</font><br/><font size="7.5" color="{MUTED}">{under}</font>', style)


def _number(value: float | None, unit: str, language: str) -> str:
    """Say a figure with its unit; hours as people say them."""
    if value is None:
        return "—"
    if unit != "h":
        return f"{value:g}{unit}"
    zh = language == "zh"
    if value < 1 / MINUTES:
        return f"{value * SECONDS:.0f} {'秒' if zh else 's'}"
    return f"{value * MINUTES:.0f} {'分钟' if zh else 'min'}" if value < 1 else f"{value:.1f} {'小时' if zh else 'h'}"


def _title(told: Told, language: str, zone: tzinfo, city: str = "") -> str:
    where, first, last = told.get(f"area_name_{language}") or city, _day(told["from"], zone), _day(told["to"], zone, before=1)
    return f"{where}综合评价 {first} 至 {last}" if language == "zh" else f"{where}: evaluation, {first} to {last}".removeprefix(": ")


def _notes(told: Told, language: str) -> list[str]:
    """Say how the figures are to be read."""
    if language == "zh":
        weighed = "得分只按下列权重计算。" if told["weights"] else "本市没有为这类对象设权重，不计得分。"
        return [f"每个对象只与自己的上期和去年同期比，不排名。{weighed}裁定不计入的案件不在任何分母里。"]
    weighed = "The score is reckoned by the weights below alone." if told["weights"] else "The city weighs nothing for these, so there is no score."
    return [f"Each is compared with itself in the span before and a year before; there is no ranking. {weighed} What a ruling leaves out is in no denominator."]


def _basis(row: Told, language: str) -> str:
    return str((language != "zh" and row["basis_en"]) or row["basis"])


def _day(time: str, zone: tzinfo, before: int = 0) -> str:
    """Return the city's day of a time, or of the moment `before` it (µs)."""
    return f"{to_datetime(parse_time(time) - before).astimezone(zone):%Y-%m-%d}"


def _foot(title: str) -> Any:  # noqa: ANN401 (what ReportLab calls on each page)
    def draw(canvas: Canvas, made: SimpleDocTemplate) -> None:
        canvas.setFont(FONT, 8)
        canvas.setFillColor(HexColor(MUTED))
        canvas.drawString(14 * mm, 8 * mm, title)
        canvas.drawRightString(made.pagesize[0] - 14 * mm, 8 * mm, str(made.page))

    return draw


def _safe(text: Any) -> Any:  # noqa: ANN401 (a cell)
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if isinstance(text, str) and text[:1] in {"=", "+", "-", "@"} else text


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
