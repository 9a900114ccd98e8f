"""Problems as HTTP: the one place where a code becomes a status. Answers are RFC 9457 documents in both languages."""

import logging
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from zhongshu.act.playbook import Fault
from zhongshu.kernel.problem import Problem, Sort, declare
from zhongshu.kernel.reason import why

BAD_REQUEST = declare(
    "request.invalid",
    "invalid",
    zh=("请求的“{field}”不正确：{why_zh}。", "请按接口文档 /docs 更正。"),
    en=("The request's '{field}' is not right: {why_en}.", "Correct it by the API's documentation at /docs."),
)
FOREIGN_BODY = declare(
    "request.foreign_media",
    "foreign_media",
    zh=("不接收 {media} 格式的内容。", "请发送 application/json（见 /docs）。"),
    en=("A body of {media} is not taken.", "Send application/json; see /docs."),
)
NOT_FOUND = declare(
    "route.unknown",
    "unknown",
    zh=("没有这个地址：{path}。", "请查看 /docs。"),
    en=("There is nothing at {path}.", "See /docs."),
)
WRONG_METHOD = declare(
    "route.method",
    "unsupported",
    zh=("这个地址不接受 {method}。", "请查看 /docs。"),
    en=("This address does not take {method}.", "See /docs."),
)
BROKEN = declare(
    "server.broken",
    "unavailable",
    zh=("系统出错了，编号 {trace}。", "请稍后重试；若仍出错，请把编号告诉管理员。"),
    en=("Something broke here, number {trace}.", "Try again; if it stays broken, tell the administrator the number."),
)

STATUS: dict[Sort, int] = {
    "invalid": 400,
    "unsigned": 401,
    "refused": 403,
    "unknown": 404,
    "unsupported": 405,
    "conflict": 409,
    "too_large": 413,
    "foreign_media": 415,
    "busy": 429,
    "full": 507,
    "unavailable": 503,
}
_log = logging.getLogger(__name__)


def document(problem: Problem) -> dict[str, Any]:
    """Return a problem as a document."""
    said = {lang: {"sentence": problem.sentence(lang), "remedy": problem.remedy(lang)} for lang in ("zh", "en")}
    faults = problem.particulars.get("faults")
    each = {"faults": [_fault(one) for one in faults if isinstance(one, Fault)]} if isinstance(faults, list | tuple) else {}
    return {"code": problem.kind.code, "status": STATUS[problem.kind.sort], **said["en"], **said, **each}


def _fault(one: Fault) -> dict[str, Any]:
    """Return one of several faults of a file: where, why and what mends it."""
    said = {"zh": {"sentence": one.reason_zh, "remedy": one.remedy_zh}, "en": {"sentence": one.reason_en, "remedy": one.remedy_en}}
    return {"at": one.element_id or one.element, **said}


def answer(problem: Problem) -> JSONResponse:
    """Return a problem as an HTTP answer."""
    body = document(problem)
    headers = {"Retry-After": "1"} if problem.kind.sort == "busy" else {}
    return JSONResponse(body, body["status"], headers, "application/problem+json")


async def on_problem(_: Request, problem: Exception) -> JSONResponse:
    """Answer a raised problem."""
    assert isinstance(problem, Problem)  # noqa: S101 (registered for problems only)
    return answer(problem)


async def on_validation(request: Request, error: Exception) -> JSONResponse:
    """Answer a request that does not have the declared shape."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 (registered for it only)
    first = error.errors()[0]
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if first["loc"][0] == "body" and media and "json" not in media and not media.startswith("multipart/"):
        return answer(FOREIGN_BODY(media=media))
    return answer(BAD_REQUEST(field=".".join(str(p) for p in first["loc"]), **why(first["msg"])))


async def on_http(request: Request, error: Exception) -> JSONResponse:
    """Answer an unknown address or method."""
    assert isinstance(error, HTTPException)  # noqa: S101 (registered for it only)
    if error.status_code == STATUS["unsupported"]:
        return answer(WRONG_METHOD(method=request.method))
    if error.status_code == STATUS["unknown"]:
        return answer(NOT_FOUND(path=request.url.path))
    return answer(BAD_REQUEST(field="body", **why(error.detail)))


async def on_broken(_: Request, error: Exception) -> JSONResponse:
    """Answer what nobody foresaw: the trace goes to the log, its number to the asker."""
    trace = f"{id(error) & 0xFFFFFF:06x}"
    _log.error("server.broken %s", trace, exc_info=error)
    return answer(BROKEN(trace=trace))
