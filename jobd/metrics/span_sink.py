"""Where spans go, and the two places that they come from: the stored changes of jobs, and the requests of deliveries.

A defect here, or in the exporter, loses spans and changes nothing else.
"""

import logging
import time
from collections.abc import Callable
from typing import Protocol

from jobd.events.delivery.policies.response_policy import Answer
from jobd.events.delivery.workers import EventSender
from jobd.jobs.record.record import Record
from jobd.metrics.spans import Span, delivery_span, job_span, phase_spans
from jobd.wire.job import JobSpec

log = logging.getLogger(__name__)


class SpanSink(Protocol):
    """Takes spans that have ended."""

    def add(self, span: Span) -> None:
        """Takes a span; must not wait."""
        ...

    def close(self) -> None:
        """Sends what is left, within a few seconds."""
        ...


class JobSpans:
    """Makes the spans of stored changes."""

    def __init__(self, sink: SpanSink) -> None:
        self._add = _Guarded(sink)

    def changed(self, before: Record, after: Record, spec: JobSpec) -> None:
        """Adds the spans of what a stored change has ended: a phase, and with the last phase the job."""
        if before.spent is not after.spent:
            self._add(lambda: phase_spans(before, after))
        if after.ended and not before.ended:
            self._add(lambda: [job_span(after, spec)])


class TracedSender:
    """An `EventSender` that adds a span for each request."""

    def __init__(self, sender: EventSender, sink: SpanSink) -> None:
        self._sender = sender
        self._add = _Guarded(sink)

    async def send(
        self, url: str, key: str | None, event_id: str, body: bytes, *, batch: bool = False
    ) -> Answer:
        """As the sender."""
        began = time.monotonic()
        answer = await self._sender.send(url, key, event_id, body, batch=batch)
        self._ended(url, body, batch, began, answer)
        return answer

    def try_send(
        self, url: str, key: str | None, event_id: str, body: bytes, answered: Callable[[Answer], None]
    ) -> bool:
        """As the sender."""
        began = time.monotonic()

        def ended(answer: Answer) -> None:
            self._ended(url, body, False, began, answer)
            answered(answer)

        return self._sender.try_send(url, key, event_id, body, ended)

    def _ended(self, url: str, body: bytes, batch: bool, began: float, answer: Answer) -> None:
        seconds = time.monotonic() - began
        accepted = answer.status is not None and 200 <= answer.status < 300
        error = None if accepted else answer.kind if answer.status is None else f"status {answer.status}"
        status, now = answer.status, time.time_ns()
        self._add(lambda: [delivery_span(body, batch, url, now, seconds, status, error)])


class _Guarded:
    """Makes spans and adds them; says once that this fails."""

    def __init__(self, sink: SpanSink) -> None:
        self._sink = sink
        self._has_failed = False

    def __call__(self, make: Callable[[], list[Span]]) -> None:
        try:
            for span in make():
                self._sink.add(span)
        except Exception:
            if not self._has_failed:
                log.exception("spans are lost", extra={"action": "trace"})
            self._has_failed = True
