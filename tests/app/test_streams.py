"""What a start knows of the streams is the same from the file beside the city and from the whole warehouse."""

import json
from pathlib import Path

import numpy as np
import pytest

from zhongshu.app import Assembly, alone
from zhongshu.app.commands import bare_city
from zhongshu.app.streams import FILE, keep_streams, latest, recall_streams
from zhongshu.kernel.clock import MINUTE, rfc3339
from zhongshu.sense import Pipe, Source
from zhongshu.settings import read

PROPERTY = "WaterLevelSensor.depth"


def send(parts: Assembly, pipe: Pipe, times: list[int]) -> tuple[int, int]:
    source = parts.sources.get("gauge") or Source("gauge", "水尺", "Gauge", "city", entities="register")
    if "gauge" not in parts.sources:
        parts.add_source(source)
    rows = [{"entity": f"urn:zs:WaterLevelSensor:{k % 3}", "property": PROPERTY, "time": rfc3339(t), "value": 5, "lon": 1, "lat": 1} for k, t in enumerate(times)]
    receipt = pipe.submit(parts.intake.open(source, "\n".join(map(json.dumps, rows)).encode(), "application/x-ndjson", "", "")).result(30)
    parts.lake.commit()
    return receipt.accepted, receipt.duplicates


def known(parts: Assembly) -> dict[tuple[str, str], int]:
    keys, high = parts.once.latest()
    return {
        (parts.registry.entities.names[k >> 20 & (1 << 28) - 1], parts.registry.properties.names[k & (1 << 20) - 1]): h for k, h in zip(keys.tolist(), high.tolist(), strict=True)
    }


@pytest.mark.parametrize("harm", ["", "gone", "torn", "of another warehouse"])
def test_a_start_knows_every_stream_again(tmp_path: Path, harm: str) -> None:
    bare_city(tmp_path)
    settings = read({"data": str(tmp_path)})
    with alone(settings) as (parts, pipe):
        now = parts.clock.now() // MINUTE * MINUTE - 20 * MINUTE
        assert send(parts, pipe, [now + k * MINUTE for k in range(4)]) == (4, 0)
        keep_streams(tmp_path, parts.registry, latest(parts.lake, parts.once))
        assert send(parts, pipe, [now + 9 * MINUTE]) == (1, 0)
        before = known(parts)
        (held, new) = recall_streams(tmp_path, parts.lake)
        assert (len(held), len(new)) == (3, 1), "what the file holds is not read again"
    if harm == "gone":
        (tmp_path / FILE).unlink()
    if harm == "torn":
        (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:-20])
    with alone(settings) as (parts, pipe):
        if harm == "of another warehouse":
            keep_streams(tmp_path, parts.registry, latest(parts.lake, parts.once)._replace(offset=10**6, high=np.zeros(3, np.int64)))
            assert [len(t) for t in recall_streams(tmp_path, parts.lake)] == [3]
        assert known(parts) == before and max(before.values()) == now + 9 * MINUTE
        assert send(parts, pipe, [now + k * MINUTE for k in range(4)]) == (0, 4)
