"""A stretch of the past computed again from the record alone, by DuckDB or Spark, in slices that stay: a run that was broken off goes on where it stopped.

A run reads one record, as it was when the run began. What it found lies in DATA/recompute/<id of the run>, a file a slice, until it was handed over.
"""

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from zhongshu import __version__
from zhongshu.app.assembly import Assembly
from zhongshu.engines.ducklake import Held
from zhongshu.engines.parquet_files import write_durably
from zhongshu.engines.spark import Spark
from zhongshu.judge import Explainer, Indicator, Values, in_force
from zhongshu.kernel.area import Level, show_area
from zhongshu.kernel.clock import DAY, HOUR, MINUTE, SECOND, rfc3339, show_duration
from zhongshu.kernel.ids import stable_id
from zhongshu.kernel.problem import declare
from zhongshu.kernel.rollup import RollUp

NO_STRETCH = declare(
    "recompute.no_stretch",
    "invalid",
    zh=("没有可算的时间段：{stretch}。", "请给出 --from 与更晚的 --to，以及正的 --every，例如 --every 1h；只算一个时刻用 --at。"),
    en=("There is no stretch of time to compute: {stretch}.", "Give --from and a later --to, and --every above nothing, for example --every 1h; for one moment give --at."),
)
TOO_MANY = declare(
    "recompute.too_many",
    "invalid",
    zh=("从 {start} 到 {end} 每 {every} 一步，共 {steps} 步，超过一次可算的 {most} 步。", "请缩短时间段，或加大 --every；也可以分几次算。"),
    en=("From {start} to {end}, every {every}, are {steps} steps; one run computes at most {most}.", "Give a shorter stretch or a larger --every, or several runs."),
)
NO_LEVEL = declare(
    "recompute.no_level",
    "invalid",
    zh=("没有层级“{level}”。", "可用 city（市）、district（区）、street（街道）、community（社区）、cell（网格）。"),
    en=("There is no level '{level}'.", "Use city, district, street, community or cell."),
)
NO_ENGINE = declare(
    "recompute.no_engine",
    "invalid",
    zh=("没有引擎“{engine}”。", "可用 duckdb 或 spark。"),
    en=("There is no engine '{engine}'.", "Use duckdb or spark."),
)
NO_SPARK = declare(
    "spark.none",
    "invalid",
    zh=("设置里没有 Spark 的地址。", "请用 ZS_SPARK 给出，例如 spark://127.0.0.1:7077，或 local[2]（只用本机）。"),
    en=("The settings name no Spark.", "Give its address by ZS_SPARK, for example spark://127.0.0.1:7077, or local[2] for this machine alone."),
)

FOLDER = "recompute"
MOST = 100_000
"""At most so many steps are one run: a year by five minutes."""
AT_ONCE = 24
"""So many times are one slice: one scan for all signs that read the same rows."""
STALE_S = 7 * DAY // SECOND
"""What a run that nobody went on with left is removed after so long."""
Tell = Callable[[str, int], None]
_one_run = threading.Lock()


def recompute_past(parts: Assembly, given: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Compute what is asked, but for the slices that an earlier run left; return {run, slices, before}: its id, how many slices it has, and how many were there.

    `given`: {indicator ("": all), level, start, end, every, as_of (0: all that is known now), engine}, times in µs. Raises `recompute.no_stretch`, `spark.…`.
    """
    times = range(given["start"] + given["every"], given["end"] + 1, given["every"]) if given["every"] > 0 else range(0)
    if not times:
        raise NO_STRETCH(stretch=f"({rfc3339(given['start'])}, {rfc3339(given['end'])}]")
    if len(times) > MOST:
        raise TOO_MANY(start=rfc3339(given["start"]), end=rfc3339(given["end"]), every=show_duration(given["every"]), steps=len(times), most=MOST)
    level = level_named(given["level"])
    signs = _defined(parts, given["indicator"], level, times)
    with _one_run, parts.lake.held() as held:
        run = _run_id(parts, given, signs, held)
        folder = parts.folder / FOLDER / run
        _clear_away(folder.parent)
        folder.mkdir(parents=True, exist_ok=True)
        slices = [times[n : n + AT_ONCE] for n in range(0, len(times), AT_ONCE)]
        missing = [n for n in range(len(slices)) if not _slice(folder, n).exists()]
        if missing:
            gone = _gone(parts)
            with _explainer(parts, held, given["engine"]) as explainer:
                for n in missing:
                    tell(f"{rfc3339(slices[n][0])} …", n)
                    lines = list[str]()
                    for defined, of in groupby(slices[n], signs.__getitem__):
                        lines += _lines(parts, gone, defined, explainer.over(defined, list(of), (level,), given["as_of"] or None))
                    write_durably(_slice(folder, n), "".join(lines).encode())
        return {"run": run, "slices": len(slices), "before": len(slices) - len(missing)}


def level_named(name: str) -> Level:
    """Return a level by its name. Raises `recompute.no_level`."""
    try:
        return Level[name.upper()]
    except KeyError:
        raise NO_LEVEL(level=name) from None


def _defined(parts: Assembly, code: str, level: Level, times: Sequence[int]) -> dict[int, list[Indicator]]:
    """Return for each time the signs that are asked for, by the definitions in force then. Raises `indicator.unknown` where there is none at any."""
    days = {at: parts.watch.day(at) for at in times}
    of = {day: list(in_force(parts.watch.declared, day).values()) for day in set(days.values())}
    wanted = {day: [s for s in signs if (s.code == code if code else level in s.levels)] for day, signs in of.items()}
    if code and not any(wanted.values()):
        parts.explainer.indicator(code, times[-1])
    return {at: wanted[day] for at, day in days.items()}


def _run_id(parts: Assembly, given: dict[str, Any], signs: dict[int, list[Indicator]], held: Held) -> str:
    """Return what a run is known by: all that its values depend on. What was known by a moment that has passed does not change, so then the record may have grown."""
    settled = not held.replay and 0 < given["as_of"] < parts.clock.now() - MINUTE
    versions = sorted({(sign.code, sign.version, str(sign.valid_from)) for of in signs.values() for sign in of})
    forgot = max((line["run"] for line in parts.lake.forgetting.totals().values()), default=0)  # what is forgotten meanwhile is not there for the rest
    return stable_id(__version__, json.dumps(given, sort_keys=True), versions, len(parts.registry.rows), forgot, 0 if settled else held.offset)


@contextmanager
def _explainer(parts: Assembly, held: Held, engine: str) -> Iterator[Explainer]:
    """Lend what computes signs from one held record by the engine that is asked for."""
    words = parts.registry
    roll_up = RollUp(parts.judge.properties, words, words.sources.names, words.entities.numbers)
    if engine == "duckdb":
        yield Explainer(parts.judge, parts.watch, lambda sql, known: parts.lake.query(sql, tables={"facets": parts.facets()}, known=known, at=held), roll_up)
        return
    if engine != "spark":
        raise NO_ENGINE(engine=engine)
    if not parts.settings.spark:
        raise NO_SPARK()
    spark = Spark(parts.settings.spark, held, parts.settings.spark_host)
    try:
        yield Explainer(parts.judge, parts.watch, lambda sql, known: spark.query(sql, {"facets": parts.facets()}, known), roll_up)
    finally:
        spark.close()


def _slice(folder: Path, n: int) -> Path:
    return folder / f"{n:06}.ndjson"


def _gone(parts: Assembly) -> dict[str, int]:
    """Return before which time (µs) readings of each property were rolled up and let go."""
    table = parts.lake.query("SELECT property, max(hour) AS hour FROM hourly GROUP BY property")
    return {row["property"]: int(row["hour"]) + HOUR for row in table.to_pylist()}


def _lines(parts: Assembly, gone: dict[str, int], signs: Sequence[Indicator], found: list[tuple[int, dict[str, Values]]]) -> Iterator[str]:
    """Give a JSON line for each value: when, which sign by which version of its definition, where, what, its level, of how many readings, and whether some of its window was forgotten."""
    for at, values in found:
        for sign in signs:
            of = values[sign.code]
            more = {"forgotten": True} if any(spec.span(at)[0] < gone.get(spec.property, 0) for spec in sign.specs()) else {}
            for code, value, status, count in zip(of.codes.tolist(), of.value.tolist(), of.status, of.count.tolist(), strict=True):
                row = {
                    "at": rfc3339(at),
                    "indicator": sign.code,
                    "version": sign.version,
                    "area": show_area(code),
                    "name": parts.areas.name(code),
                    "value": None if value != value else value,  # noqa: PLR0124 (NaN)
                    "level": str(status),
                    "readings": count,
                } | more
                yield json.dumps(row, ensure_ascii=False) + "\n"


def _clear_away(folder: Path) -> None:
    """Remove what runs left that nobody went on with."""
    for left in folder.glob("*/"):
        if left.stat().st_mtime < time.time() - STALE_S:
            shutil.rmtree(left)


def hand_over(data: Path, told: dict[str, Any]) -> None:
    """Write a finished run's lines to the standard output; only then is its folder removed."""
    folder = data / FOLDER / told["run"]
    for n in range(told["slices"]):
        with _slice(folder, n).open(encoding="utf-8") as file:
            shutil.copyfileobj(file, sys.stdout)
    sys.stdout.flush()
    shutil.rmtree(folder)
