"""Beijing's air: six stations' files in, and the index of every hour of two days is what one reckons from the files by hand; live, while a past day plays, too."""

import csv
import gzip
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from zhongshu import app
from zhongshu.kernel.area import Level
from zhongshu.kernel.clock import HOUR, MINUTE, to_us

from .city import free_port, ingest, opened, settings

pytestmark = pytest.mark.journey
BEIJING = ZoneInfo("Asia/Shanghai")
# HJ 633—2012: the index at its break points, and each pollutant's concentrations there (µg/m³; CO mg/m³)
IAQI = (0, 50, 100, 150, 200, 300, 400, 500)
POINTS = {
    "PM2.5": (0, 35, 75, 115, 150, 250, 350, 500),
    "PM10": (0, 50, 150, 250, 350, 420, 500, 600),
    "SO2": (0, 150, 500, 650, 800, 1600, 2100, 2620),
    "NO2": (0, 100, 200, 700, 1200, 2340, 3090, 3840),
    "CO": (0, 5, 10, 35, 60, 90, 120, 150),
    "O3": (0, 160, 200, 300, 400, 800, 1000, 1200),
}
Means = dict[tuple[int, int, int, int], dict[str, Fraction]]


def sub_index(pollutant: str, mean: Fraction) -> int:
    for (low, high), (i, j) in zip(pairwise(POINTS[pollutant]), pairwise(IAQI), strict=True):
        if mean <= high:
            return math.ceil(i + (j - i) * (mean - low) / (high - low))
    return 500


def by_hand(means: dict[str, Fraction]) -> int | None:
    return max((sub_index(p, m) for p, m in means.items()), default=None)


@pytest.fixture(scope="session")
def files(samples: Path) -> list[Path]:
    found = sorted((samples / "a-air-beijing").glob("PRSA_*.csv.gz"))
    assert len(found) == 6
    return found


@pytest.fixture(scope="session")
def hourly(files: list[Path]) -> Means:
    """Return the six stations' mean of each pollutant, hour by hour, straight from the files."""
    held: dict[tuple[int, int, int, int], dict[str, list[Fraction]]] = defaultdict(lambda: defaultdict(list))
    for path in files:
        with gzip.open(path, "rt") as text:
            for row in csv.DictReader(text):
                if row["year"] == "2016" and row["month"] == "12":
                    for p in POINTS:
                        if row[p] != "NA":
                            held[2016, 12, int(row["day"]), int(row["hour"])][p].append(Fraction(row[p]) / (1000 if p == "CO" else 1))
    return {hour: {p: sum(v, Fraction()) / len(v) for p, v in of.items()} for hour, of in held.items()}


@pytest.fixture(scope="session")
def beijing(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("beijing") / "DATA"
    for path in files:
        counts = ingest(folder, path, "environment.beijing_air")
        count = " + ".join(f"""count(*) FILTER ("{c}" != 'NA')""" for c in (*POINTS, "TEMP", "PRES", "DEWP", "RAIN", "WSPM"))
        values = duckdb.sql(f"SELECT {count} FROM read_csv('{path}', all_varchar = true)").fetchall()
        assert counts == {"accepted": values[0][0], "quarantined": 0, "duplicates": 0}
    return folder


@pytest.mark.parametrize(("month", "day"), [(12, 20), (12, 9)])
def test_the_index_of_every_hour_is_what_the_files_say(beijing: Path, hourly: Means, month: int, day: int) -> None:
    with opened(beijing) as parts:
        for hour in range(24):
            at = to_us(datetime(2016, month, day, hour, 30, tzinfo=BEIJING))
            values = app.recompute(parts, Level.CITY, at, "EN01")["EN01"]
            assert values.value.tolist() == [by_hand(hourly[2016, month, day, hour])], hour
            assert values.status.tolist() == [_level(values.value[0])]


def _level(index: float) -> str:
    return "green" if index <= 100 else "yellow" if index <= 150 else "orange" if index <= 200 else "red"


def test_the_same_file_again_changes_nothing(beijing: Path, files: list[Path]) -> None:
    with opened(beijing) as parts:
        before = parts.lake.query("SELECT count(*) AS n, sum(ticks) AS s FROM readings").to_pylist()
    counts = ingest(beijing, files[0], "environment.beijing_air")
    assert (counts["accepted"], counts["duplicates"] > 370_000) == (0, True)
    with opened(beijing) as parts:
        assert parts.lake.query("SELECT count(*) AS n, sum(ticks) AS s FROM readings").to_pylist() == before


def test_a_past_day_played_again_is_live_and_equals_the_record(beijing: Path, hourly: Means) -> None:
    owner = app.Owner(settings(beijing, clock="replay@2016-12-16T00:00+08:00x600", port=free_port()))
    begin, seen = to_us(datetime(2016, 12, 16, tzinfo=BEIJING)), {}
    try:
        owner.start()
        sign = owner.parts.watch.indicators["EN01"]
        for _ in range(400):
            values = owner.parts.watch.latest.get("EN01")
            if values is not None and len(values.of(Level.CITY)):
                seen[values.seen] = values
            if seen and max(seen) > min(seen) + HOUR + 20 * MINUTE:
                break
            time.sleep(0.05)
        for at, live in seen.items():
            again = owner.parts.explainer.recompute(sign, Level.CITY, at)
            city = live.of(Level.CITY)
            assert (live.keys[city].tolist(), live.value[city].tobytes(), live.at[city].tolist(), live.count[city].tolist()) == (
                again.keys.tolist(),
                again.value.tobytes(),
                again.at.tolist(),
                again.count.tolist(),
            )
            hour = (at - begin) // HOUR
            assert live.value[city].tolist() == [by_hand(hourly[2016, 12, 16, hour])]
        assert len({(at - begin) // HOUR for at in seen}) > 1
        assert len(seen) > 5
        assert owner.pulse.failed == 0
    finally:
        owner.stop()
