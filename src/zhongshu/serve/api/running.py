"""How the program itself is doing: ready or not, what of it is not well, and its numbers for whoever collects them."""

from typing import Any

import msgspec
from starlette.responses import Response

from zhongshu import __version__
from zhongshu.kernel.problem import declare
from zhongshu.serve.door import Door
from zhongshu.serve.running import measured

NO_METRICS = declare(
    "metrics.off",
    "unknown",
    zh=("这座城市没有开启运行指标。", "安装附加项 telemetry，并以 ZS_TELEMETRY=on 启动。"),
    en=("This city does not tell its metrics.", "Install the extra `telemetry`, and start it with ZS_TELEMETRY=on."),
)


def ready(asked: Door) -> Response:
    """Tell whether the program is ready for work as it should be: 200, or 503 with the names of what is not well."""
    wrong = [one["name"] for one in measured(asked.city) if not (one["well"] or one["outside"])]
    return Response(msgspec.json.encode({"ready": not wrong, "wrong": wrong}), 503 if wrong else 200, media_type="application/json")


def running(asked: Door) -> dict[str, Any]:
    """Return every measure of the running program with its limit and remedy, and the rounds that fail."""
    items = measured(asked.city)
    return {
        "ready": all(one["well"] or one["outside"] for one in items),
        "items": items,
        "failing": sorted(asked.city.failing),
        "version": __version__,
        "started": asked.city.proof.get("started"),
    }


def metrics(asked: Door) -> Response:
    """Return the program's metrics as Prometheus collects them. Raises `metrics.off`."""
    if asked.city.metrics is None:
        raise NO_METRICS()
    content, media = asked.city.metrics()
    return Response(content, media_type=None, headers={"Content-Type": media})
