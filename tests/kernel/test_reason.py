"""Why something could not be read: each language in its own words."""

import gzip
import io
import json
import re
import tomllib
import zlib
from collections.abc import Callable
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from zhongshu.kernel.problem import Problem, ProblemKind
from zhongshu.kernel.reason import FOREIGN, why

HAN = re.compile(r"[\u4e00-\u9fff]")
PACKED = gzip.compress(b"x" * 1000)


class Row(msgspec.Struct):
    entity: str
    time: str | int = 0


class Asked(BaseModel):
    id: int
    level: str = Field(default="city", max_length=4)
    share: float = Field(default=1, ge=0, lt=2)
    names: list[str] = Field(default_factory=list)
    more: dict[str, int] = Field(default_factory=dict)


def error_of(make: Callable[[], object]) -> Exception:
    try:
        make()
    except Exception as error:
        return error
    raise AssertionError


def unpacked(body: bytes) -> Callable[[], object]:
    return lambda: gzip.open(io.BytesIO(body)).read()


def decoded(body: bytes) -> Callable[[], object]:
    return lambda: msgspec.json.decode(body, type=list[Row])


def asked(**given: Any) -> str:
    with pytest.raises(ValidationError) as told:
        TypeAdapter(Asked).validate_python(given)
    return str(told.value.errors()[0]["msg"])


@pytest.mark.parametrize(
    ("error", "zh", "en"),
    [
        (error_of(decoded(b'[{"entity":"a"')), "内容不完整，中途断了", "it is cut off"),
        (error_of(decoded(b"[}")), "第 2 个字节处不是合法的 JSON", "it is not JSON at byte 2"),
        (error_of(decoded(b'{"entity":"a"}')), "应为列表，实为对象", "expected a list, got an object"),
        (error_of(decoded(b'[{"entity":1}]')), "[0].entity 应为文字，实为整数", "[0].entity: expected text, got a whole number"),
        (error_of(decoded(b'[{"entity":"a","time":1.5}]')), "[0].time 应为整数或文字，实为数字", "[0].time: expected a whole number or text, got a number"),
        (error_of(decoded(b"[{}]")), "[0] 缺少 entity", "[0]: entity is missing"),
        (error_of(lambda: json.loads('{"a":\n}')), "第 2 行第 1 个字处不是合法的 JSON", "it is not JSON at line 2 column 1"),
        (error_of(lambda: json.loads("[" * 100_000)), "嵌套太深", "it is nested too deeply"),
        (error_of(b"ab\xff".decode), "从第 3 个字节起不是 UTF-8", "it is not UTF-8 from byte 3 on"),
        (error_of(unpacked(PACKED[:-9])), "内容不完整，中途断了", "it is cut off"),
        (error_of(unpacked(b"plain")), "它不是 gzip", "it is not gzip"),
        (error_of(unpacked(PACKED[:-8] + bytes(8))), "内容已损坏", "it is damaged"),
        (error_of(lambda: zlib.decompress(b"\x1f\x8b" * 9)), "内容已损坏", "it is damaged"),
        (KeyError("created"), "缺少 created", "created is missing"),
        (asked(), "缺少这一项", "it is missing"),
        (asked(id="soon"), "应为整数", "expected a whole number"),
        (asked(id=1, level="street"), "应有至多 4 个字", "expected at most 4 characters"),
        (asked(id=1, share=-1), "应不小于 0", "expected at least 0"),
        (asked(id=1, share=2), "应小于 2", "expected below 2"),
        ("Ring Self-intersection[121.5 31.2]", "交于 121.5 31.2", "it crosses itself at 121.5 31.2"),
        (OSError(28, "No space left on device"), "磁盘已满", "the disk is full"),
        (error_of(lambda: tomllib.loads('a = 1\nb = "\\q"')), "第 2 行第 8 个字处写法不对", "Unescaped '\\' in a string at line 2, column 8"),
        ('connection to server at "127.0.0.1", port 1 failed: Connection refused\n\tIs the server running?', "对方拒绝连接，可能没有启动", "the connection was refused"),
        ("[Errno 111] Connect call failed ('127.0.0.1', 4222)", "对方拒绝连接，可能没有启动", "the connection was refused"),
        ('FATAL:  database "yunting" does not exist', "没有 yunting 这个库", "there is no database yunting"),
        ('FATAL:  role "zhongshu" does not exist', "没有 zhongshu 这个账号", "there is no role zhongshu"),
        ('FATAL:  password authentication failed for user "zhongshu"', "账号或口令不对", "the account or its password is wrong"),
        ("failed to resolve host 'desk.example': [Errno -2] Name or service not known", "找不到这台主机", "the host is not known"),
        (error_of(lambda: pa.ipc.open_stream(b"\xff\xff\xff\xff\x10\x00\x00\x00ab")), "内容不完整，中途断了", "it is cut off"),
        (TimeoutError(), "没有应答", "there is no answer"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)", "对方的证书已过期", "its certificate has expired"),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: IP address mismatch, certificate is not valid for '127.0.0.1'. (_ssl.c:1006)",
            "对方的证书不可信，或不是这台主机的",
            "its certificate is not trusted, or is another host's",
        ),
        (OSError("AWS Error ACCESS_DENIED during ListObjectsV2 operation: Access Denied"), "账号或口令不对", "the account or its password is wrong"),
        (OSError("AWS Error NO_SUCH_BUCKET during ListObjectsV2 operation (Request ID: x1)"), "没有这个文件，或无权打开", "there is no such file, or it may not be opened"),
        ("JSON decode error", "不是合法的 JSON", "it is not JSON"),
        (Problem(ProblemKind("test.nested", "invalid", "甲是{x}。", "A is {x}.", "", ""), {"x": 7}), "甲是7", "A is 7"),
    ],
    ids=lambda told: str(told)[:40],
)
def test_an_error_is_told_in_both_languages(error: object, zh: str, en: str) -> None:
    assert why(error) == {"why_zh": zh, "why_en": en}


@given(st.text())
def test_what_nobody_knows_stays_out_of_the_chinese(said: str) -> None:
    told = why(ValueError(f"zxqv {said}"))
    assert HAN.search(told["why_zh"]) and "zxqv" not in told["why_zh"]
    assert told["why_zh"] != FOREIGN or ("zxqv" in told["why_en"] and "\n" not in told["why_en"])


def test_what_says_nothing_is_told_by_its_name() -> None:
    assert why(ValueError()) == {"why_zh": FOREIGN, "why_en": "ValueError"}
    assert why(OSError("who knows"), "磁盘没有应答") == {"why_zh": "磁盘没有应答", "why_en": "who knows"}


@pytest.mark.parametrize(
    ("body", "at", "zh", "en"),
    [
        (b"1", (), "应为对象", "expected an object"),
        (b"[]", (), "应为对象", "expected an object"),
        (b'{"id":{}}', ("id",), "应为整数", "expected a whole number"),
        (b'{"id":1,"share":{}}', ("share",), "应为数字", "expected a number"),
        (b'{"id":1,"level":{}}', ("level",), "应为文字", "expected text"),
        (b'{"id":1,"names":{}}', ("names",), "应为列表", "expected a list"),
        (b'{"id":1,"more":3}', ("more",), "应为对象", "expected an object"),
    ],
)
def test_what_is_wrong_with_a_body_of_json_is_told_in_both_languages(body: bytes, at: tuple[str, ...], zh: str, en: str) -> None:
    """Of JSON a library says it in other words than of values: `an object`, `a valid array`."""
    with pytest.raises(ValidationError) as told:
        Asked.model_validate_json(body)
    (error,) = told.value.errors()
    assert error["loc"] == at
    assert why(error["msg"]) == {"why_zh": zh, "why_en": en}
