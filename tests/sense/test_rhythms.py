"""How often a place is heard of: the quickest source that ever brought the property there; nobody's rhythm where nobody spoke."""

import json
from typing import Any

import pyarrow as pa

from zhongshu.app.rhythms import Rhythms
from zhongshu.kernel.clock import HOUR, MINUTE
from zhongshu.sense import Once, Source


def test_the_rhythm_of_a_place_is_that_of_its_quickest_source(desk: Any) -> None:
    once = Once(lambda _: pa.table({"i": pa.array([], pa.int64()), "ticks": pa.array([], pa.int64())}))
    sources = {name: Source(name, name, name, "city", rhythm=rhythm) for name, rhythm in (("hourly", HOUR), ("minutely", MINUTE), ("other", 1))}
    rhythm = Rhythms(desk.registry, once, sources)
    assert rhythm(["Gauge.rain"], 990101001000000) == 0
    for name, gauge, prop in (("hourly", 1, "Gauge.rain"), ("minutely", 2, "Gauge.rain"), ("other", 1, "Gauge.temp")):
        row = {"entity": f"urn:zs:Gauge:{gauge}", "property": prop, "time": desk.clock.at // 1000, "value": 1}
        once.appended(desk.intake.receive(sources[name], json.dumps(row).encode()).readings)
    assert rhythm(["Gauge.rain"], 990101001001001) == HOUR
    assert rhythm(["Gauge.rain", "Gauge.none"], 990101001000000) == rhythm(["Gauge.rain"], 990101001001002) == MINUTE
    assert rhythm(["Gauge.rain", "Gauge.temp"], 990101000000000) == 1
    assert rhythm(["Gauge.rain"], 990102000000000) == 0
