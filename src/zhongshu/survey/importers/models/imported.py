"""What an importer of a model gives: the files an engine will read, what can be drawn of them, and a report of what was taken, guessed and refused."""

import gzip
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why
from zhongshu.survey.importers.report import Report

UNREADABLE = declare(
    "survey.model_unreadable",
    "invalid",
    zh=("{name} 读不了：{why_zh}。", "请核对文件和 --as 后面的格式；.gz 压缩的也可以。"),
    en=("{name} cannot be read: {why_en}.", "Check the file and the format after --as; .gz is fine too."),
)
FAULTY = declare(
    "survey.model_faulty",
    "invalid",
    zh=("{name} 第 {line} 行：{cause_zh}", "请改正这一行再导入。"),
    en=("{name}, line {line}: {cause_en}", "Mend that line and import it again."),
)
LARGEST = 256 * 2**20
"""So many bytes a model's file may have when unpacked."""
Point = tuple[float, float]


@dataclass(slots=True)
class Drawing:
    """Where a model's objects lie: kind → name → points, in a CRS, or in the model's own plane (`crs` empty)."""

    points: dict[str, dict[str, Point]] = field(default_factory=dict)
    lines: dict[str, dict[str, list[Point]]] = field(default_factory=dict)
    crs: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """A model that was read: its engine, its files by name, which of them is asked for, its drawing and its report."""

    engine: str
    model: str
    files: Mapping[str, bytes]
    drawing: Drawing
    report: Report


def finite(number: float | str) -> float:
    """Return a number; raises ValueError for one that is none, or has no end."""
    if not math.isfinite(held := float(number)):
        raise ValueError(number)
    return held


def unpacked(path: Path) -> bytes:
    """Return a file's bytes, of .gz what is in it."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UNREADABLE(name=path.name, **why(error)) from None
    if len(data) > LARGEST:
        raise UNREADABLE(name=path.name, why_zh=f"超过 {LARGEST // 2**20} MB", why_en=f"it is larger than {LARGEST // 2**20} MB")
    return data
