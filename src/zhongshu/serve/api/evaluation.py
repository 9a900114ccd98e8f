"""The evaluation of areas, departments and posts, each compared with itself, and the cases behind every figure."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Query, Response

from zhongshu.act import Span, behind, evaluate, evaluation_page, evaluation_workbook, sought
from zhongshu.kernel.area import parse_area
from zhongshu.kernel.clock import DAY, parse_time, to_datetime, to_us
from zhongshu.serve.door import Asked, Door
from zhongshu.serve.problems import BAD_REQUEST

From = Annotated[str, Query(alias="from", max_length=40)]
To = Annotated[str, Query(alias="to", max_length=40)]
FORMS, OBJECTS = ("xlsx", "pdf"), ("area", "department", "post")
YEARS = range(1971, 2200)
"""The years that may be evaluated."""
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def evaluation(asked: Door, area: str = "", party: str = "", since: From = "", until: To = "", of: str = "area") -> dict[str, Any]:
    """Evaluate a span (days, the last one with it, or RFC 3339; the last 30 days if not given) by `of` area, department or post, beside the span before and the year before."""
    sought.known("of", of, OBJECTS)
    place = parse_area(area) if area else asked.city.about.code
    asked.city.guard.require(asked.principal, "read", "evaluation", place)
    told = asked.city.office.read(lambda conn: evaluate(conn, asked.scope, _span(asked, since, until), place, party, of))
    names = asked.city.identity.names({row["by_id"] for row in told["left_out"]})
    out = [row | dict(zip(("by_zh", "by_en"), names.get(row["by_id"], (row["by"], row["by"])), strict=True)) for row in told["left_out"]]
    return told | {
        "items": [_named(asked, of, row) for row in told["items"]],
        "left_out": out,
        "area_name_zh": asked.city.areas.name(place, "zh"),
        "area_name_en": asked.city.areas.name(place, "en"),
    }


def evaluation_file(asked: Door, form: str, area: str = "", since: From = "", until: To = "", of: str = "area", language: str = "zh") -> Response:
    """Return an evaluation as `xlsx` or `pdf`, in `zh` or `en`."""
    sought.known("form", form, FORMS)
    told, language = evaluation(asked, area, "", since, until, of), "zh" if language.startswith("zh") else "en"
    name = asked.city.areas.name(asked.city.about.code, language)
    body, kind = (evaluation_workbook(told, language, asked.city.zone), XLSX) if form == "xlsx" else (evaluation_page(told, language, name, asked.city.zone), "application/pdf")
    return Response(body, media_type=kind, headers={"Content-Disposition": f'attachment; filename="evaluation.{"xlsx" if form == "xlsx" else "pdf"}"'})


def evaluation_cases(asked: Door, name: str, measure: str, area: str = "", since: From = "", until: To = "", of: str = "area") -> dict[str, Any]:
    """List the cases behind a figure: `name` of the object, `measure` its key."""
    sought.known("of", of, OBJECTS)
    place = parse_area(area) if area else asked.city.about.code
    asked.city.guard.require(asked.principal, "read", "evaluation", place)
    return {"items": asked.city.office.read(lambda conn: behind(conn, asked.scope, _span(asked, since, until), place, of, name, measure))}


def _span(asked: Asked, since: str, until: str) -> Span:
    """Return the span that is asked for: a day counts whole, the last one too; a moment is where it begins or ends."""
    zone = asked.city.zone
    today = to_datetime(asked.city.clock.now()).astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)

    def read(text: str, other: int, days: int = 0) -> int:
        if not text:
            return other
        try:
            day = len(text) == len("2026-01-01")
            moment = datetime.fromisoformat(text).replace(tzinfo=zone) + timedelta(days=days) if day else to_datetime(parse_time(text))
            return to_us(moment.replace(year=moment.year if moment.year in YEARS else 0))
        except (ValueError, OverflowError):
            raise BAD_REQUEST(field="from, to", why_zh=f"“{text}”不是一个日期，例如 2026-07-01", why_en=f"'{text}' is no day, such as 2026-07-01") from None

    end = read(until, to_us(today) + DAY, 1)
    return Span(read(since, end - 30 * DAY), end)


def _named(asked: Asked, of: str, row: dict[str, Any]) -> dict[str, Any]:
    if of == "area":
        code = int(row["name"])
        return row | {"name_zh": asked.city.areas.name(code, "zh"), "name_en": asked.city.areas.name(code, "en")}
    if of == "post":
        zh, en = asked.city.identity.names({row["name"]}).get(row["name"], (row["name"], row["name"]))
        return row | {"name_zh": zh, "name_en": en or zh}
    return row
