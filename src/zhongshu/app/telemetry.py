"""Metrics and traces by OpenTelemetry, for a city that asks for them: the extra `telemetry`, and the setting of that name.

Metrics are collected at /metrics in Prometheus' form; traces go by OTLP to the address that is set, and nowhere without one. What is measured stands
in `zhongshu.serve.running`; this file only carries it.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any

from zhongshu import __version__
from zhongshu.kernel.problem import declare
from zhongshu.serve.city import City
from zhongshu.serve.running import MEASURES, Measure

NOT_INSTALLED = declare(
    "telemetry.not_installed",
    "unsupported",
    zh=("设置要求开启运行指标，但没有安装附加项 telemetry。", "运行 `pip install zhongshu[telemetry]`，或去掉 ZS_TELEMETRY。"),
    en=("The settings ask for telemetry, and the extra `telemetry` is not installed.", "Run `pip install zhongshu[telemetry]`, or leave ZS_TELEMETRY out."),
)


class Telemetry:
    """What a running city tells of itself, from beginning to end."""

    def __init__(self, city: City, to: str = "") -> None:
        """Measure a city; `to`: where its traces go, such as `http://127.0.0.1:4318`. Raises `telemetry.not_installed`."""
        try:
            from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: PLC0415 (an extra's)
            from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        except ImportError as error:
            raise NOT_INSTALLED() from error
        about = Resource.create({"service.name": "zhongshu", "service.version": __version__, "zhongshu.city": city.about.name_en})
        self.meters = MeterProvider([PrometheusMetricReader()], resource=about)
        self.tracers = TracerProvider(resource=about)
        if to:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

            self.tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{to.rstrip('/')}/v1/traces")))
        self._tracer = self.tracers.get_tracer("zhongshu")
        _gauges(self.meters.get_meter("zhongshu", __version__), city)
        city.metrics = _collected

    def trace(self, thing: Any, name: str, span: str) -> None:  # noqa: ANN401 (anything with a method)
        """Let each call of a thing's method leave a span."""
        held: Callable[..., Any] = getattr(thing, name)

        @functools.wraps(held)
        def traced(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (the method's own)
            with self._tracer.start_as_current_span(span):
                return held(*args, **kwargs)

        setattr(thing, name, traced)

    def around(self, app: Any) -> Any:  # noqa: ANN401 (an ASGI application)
        """Return an application whose requests are counted, timed and traced."""
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware  # noqa: PLC0415

        return OpenTelemetryMiddleware(app, meter_provider=self.meters, tracer_provider=self.tracers, exclude_spans=["receive", "send"])

    def close(self) -> None:
        """Send what waits, and stop."""
        self.tracers.shutdown()
        self.meters.shutdown()


def _gauges(meter: Any, city: City) -> None:  # noqa: ANN401 (an extra's)
    from opentelemetry.metrics import CallbackOptions, Observation  # noqa: PLC0415

    def value_of(one: Measure) -> Callable[[CallbackOptions], Iterable[Observation]]:
        return lambda _: [Observation(one.read(city))] if one.there(city) else []

    def brought(key: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        return lambda _: [Observation(row[key], {"source": name}) for name, row in city.journal.counts().items()]

    for one in MEASURES:
        meter.create_observable_gauge(f"zhongshu.{one.name}", [value_of(one)], description=one.en)
    for key in ("accepted", "quarantined", "duplicates"):
        meter.create_observable_counter(f"zhongshu.readings.{key}", [brought(key)], description=f"Readings {key}, by source")


def _collected() -> tuple[bytes, str]:
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415 (an extra's)

    return generate_latest(), CONTENT_TYPE_LATEST
