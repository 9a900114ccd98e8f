"""Point → cell on a made city's finest areas and on some 600 polygons, one thread."""

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from table import Table, head

from zhongshu.survey import Areas, Place, make

POINTS = 1_000_000


def main() -> None:
    """Measure and print."""
    head()
    table = Table()
    for people in (300_000, 30_000):
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        try:
            make(folder, people, 7)
            areas = Areas.load(folder)
            place = Place.open(areas, folder)
            west, south, east, north = areas.bounds(areas.city.code)
            rng = np.random.default_rng(3)
            lon, lat = rng.uniform(west, east, POINTS), rng.uniform(south, north, POINTS)
            times = []
            for _ in range(5):
                begun = time.monotonic()
                place.locate(lon, lat)
                times.append(time.monotonic() - begun)
            table.add(f"point → cell, {len(place.codes):,} polygons", f"{POINTS / statistics.median(times) / 1e6:.1f} M/s", "promise 5 M/s at 600 polygons")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
