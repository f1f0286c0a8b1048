"""Exports spans over OTLP/HTTP. The only module that imports OpenTelemetry; `composition/tracing.py` imports it if the operator wants spans.

A span goes into the SDK's queue, which a thread of the SDK sends. A full queue, an endpoint that does not answer and an end of jobd lose spans
and delay nothing.

Source: OpenTelemetry Specification 1, "OpenTelemetry Protocol Exporter"; docs/tracing.md.
"""

import logging
import os
import threading
import time

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from jobd.metrics.spans import MAX_TEXT, SAMPLED, Parent, Span

CLOSE_S = 3.0
"""How long the end of jobd waits for the last spans."""
QUEUE = 2048
"""The most spans that wait; OTEL_BSP_MAX_QUEUE_SIZE sets another number."""

SELDOM_S = 60.0
SDK_LOGGER = logging.getLogger("opentelemetry")

log = logging.getLogger(__name__)


class _Ids(IdGenerator):
    """Random ids, except those of the next span, where `trace_id` or `span_id` is set. Used by one thread."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()
        self.trace_id: int | None = None
        self.span_id: int | None = None

    def generate_trace_id(self) -> int:
        return self._random.generate_trace_id() if self.trace_id is None else self.trace_id

    def generate_span_id(self) -> int:
        return self._random.generate_span_id() if self.span_id is None else self.span_id


class _Seldom(logging.Handler):
    """Logs one message of the SDK a minute: an endpoint that is away causes several for each batch."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._next = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + SELDOM_S
            text = record.getMessage()[:MAX_TEXT]
            log.warning("spans may be lost", extra={"action": "trace", "error": text})


class OtelExport:
    """Implements `jobd.metrics.span_sink.SpanSink`. All calls come from the event loop's thread."""

    def __init__(self, version: str, exporter: SpanExporter | None = None) -> None:
        SDK_LOGGER.handlers[:] = [_Seldom()]
        SDK_LOGGER.propagate = False
        self._ids = _Ids()
        self._provider = TracerProvider(
            id_generator=self._ids, resource=_resource(version), shutdown_on_exit=False
        )
        size = None if "OTEL_BSP_MAX_QUEUE_SIZE" in os.environ else QUEUE
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter or OTLPSpanExporter(), max_queue_size=size)
        )
        self._tracer = self._provider.get_tracer("jobd", version)

    def add(self, span: Span) -> None:
        """Queues a span."""
        self._ids.span_id = span.span_id
        self._ids.trace_id = span.parent.trace_id if span.root else None
        try:
            started = self._tracer.start_span(
                span.name,
                Context() if span.root else self._context(span.parent),
                SpanKind.CLIENT if span.is_client else SpanKind.INTERNAL,
                span.attributes,
                start_time=span.start_ns,
            )
        finally:
            self._ids.span_id = self._ids.trace_id = None
        if span.error is not None:
            started.set_status(Status(StatusCode.ERROR, span.error))
        started.end(span.end_ns)

    def _context(self, parent: Parent) -> Context:
        flags = self._sampled(parent.trace_id) if parent.flags is None else parent.flags
        context = SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=TraceFlags(flags))
        return trace.set_span_in_context(NonRecordingSpan(context), Context())

    def _sampled(self, trace_id: int) -> int:
        """Returns the flags that the root of this trace gets: by the sampler, as for the root itself."""
        result = self._provider.sampler.should_sample(Context(), trace_id, "job")
        return SAMPLED if result.decision is Decision.RECORD_AND_SAMPLE else 0

    def close(self) -> None:
        """Sends what is queued, for at most `CLOSE_S`. The rest is lost."""
        closing = threading.Thread(target=self._provider.shutdown, name="close-otel", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        if closing.is_alive():
            log.warning("the last spans are lost: the endpoint does not answer", extra={"action": "close"})


def _resource(version: str) -> Resource:
    found = Resource.create({SERVICE_VERSION: version})
    if str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        found = found.merge(Resource({SERVICE_NAME: "jobd"}))
    return found
