"""Los Angeles' loops: 207 sensors in miles per hour become kilometres per hour, and an hour's mean is what numpy says."""

import gzip
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from zhongshu.judge import read_indicator
from zhongshu.kernel.area import Level
from zhongshu.kernel.clock import to_us

from .city import ingest, opened

pytestmark = pytest.mark.journey


def test_an_hour_of_loops(samples: Path, tmp_path: Path) -> None:
    path, folder = samples / "a-traffic-losangeles" / "los_speed.csv.gz", tmp_path / "DATA"
    with gzip.open(path, "rt") as text:
        table = np.loadtxt(text, delimiter=",", skiprows=1)
    assert ingest(folder, path, "traffic.la_loops") == {"accepted": table.size, "quarantined": 0, "duplicates": 0}
    with opened(folder) as parts:
        units = parts.lake.query("SELECT count(DISTINCT entity) AS loops, any_value(raw_unit) AS unit, count(*) AS n, min(valid) AS first FROM readings").to_pylist()
        begin = to_us(datetime(2012, 3, 1, tzinfo=ZoneInfo("America/Los_Angeles")))
        assert units == [{"loops": 207, "unit": "mph", "n": table.size, "first": begin}]
        mean, fast = (
            read_indicator(
                {
                    "code": code,
                    "name": {"zh": "车速", "en": "Speed"},
                    "unit": "km/h",
                    "decimals": 6,
                    "owner": "o",
                    "of": "TrafficDetector.speed",
                    "measure": measure,
                    "window": "1h",
                },
                parts.judge.properties,
            )
            for code, measure in (("M", "mean"), ("F", "max"))
        )
        ticks = np.rint(table * 16.09344)
        for hour in (0, 8, 17, 100):
            at = begin + (hour + 1) * 3_600_000_000 - 1
            rows = ticks[hour * 12 : hour * 12 + 12]
            assert parts.explainer.recompute(mean, Level.CITY, at, hindsight=True).value.tolist() == [round(rows.mean() / 10, 6)]
            assert parts.explainer.recompute(fast, Level.CITY, at, hindsight=True).value.tolist() == [rows.max() / 10]
        one = parts.lake.query("SELECT raw, ticks FROM readings WHERE entity LIKE '%:773869' ORDER BY valid LIMIT 1").to_pylist()
        assert one == [{"raw": 64.375, "ticks": 1036}]
