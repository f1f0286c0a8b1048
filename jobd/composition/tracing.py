"""Builds the export of spans, if the operator wants one: OpenTelemetry is imported only then."""

import logging
import os

from jobd.health.about import VERSION
from jobd.metrics.span_sink import SpanSink

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HTTP = "http/protobuf"

log = logging.getLogger(__name__)


def build_spans() -> SpanSink | None:
    """Returns the export to the endpoint that a standard variable names; None without one, or if there can be none, which is logged.

    Source: OpenTelemetry Specification 1, "OpenTelemetry Protocol Exporter".
    """
    if (
        not any(os.environ.get(name) for name in ENDPOINTS)
        or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    ):
        return None
    protocol = next((os.environ[name] for name in PROTOCOLS if os.environ.get(name)), HTTP)
    if protocol != HTTP:
        _warn(
            f"jobd sends spans over {HTTP}, not over {protocol[:32]}; set OTEL_EXPORTER_OTLP_PROTOCOL={HTTP}"
        )
        return None
    try:
        from jobd.metrics.otel import OtelExport
    except ImportError as error:
        _warn(f"OpenTelemetry is not installed ({error}); pip install 'jobd[otel]'")
        return None
    return OtelExport(VERSION)


def _warn(why: str) -> None:
    log.warning("no spans are sent", extra={"action": "start", "error": why})
