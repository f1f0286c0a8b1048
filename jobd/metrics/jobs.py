"""Metrics and spans of jobs, from their stored changes."""

from jobd.jobs.record.record import Record
from jobd.jobs.state.run_times import seconds_between
from jobd.metrics.metrics import Metrics
from jobd.metrics.span_sink import JobSpans
from jobd.wire.job import JobSpec


class JobObserver:
    """Compares a record before and after a stored change."""

    def __init__(self, metrics: Metrics, spans: JobSpans | None = None) -> None:
        self._metrics = metrics
        self._spans = spans

    def accepted(self, spec: JobSpec) -> None:
        """A job was accepted."""
        self._metrics.job_submitted(spec.image)
        self._metrics.job_active(spec.image, +1)

    def resumed(self, image: str) -> None:
        """A job continues after a restart."""
        self._metrics.job_active(image, +1)

    def changed(self, before: Record, after: Record, spec: JobSpec) -> None:
        """Updates the metrics for one stored change, and adds its spans."""
        metrics = self._metrics
        if self._spans is not None:
            self._spans.changed(before, after, spec)
        if before.admitted_at is None and after.admitted_at is not None:
            metrics.job_admitted(seconds_between(after.created_at, after.admitted_at) or 0.0)
        if before.phase != after.phase:
            spent_s = seconds_between(before.state.since, after.state.since) or 0.0
            metrics.phase_left(before.phase, spent_s)
        if after.ended and not before.ended:
            if after.status == "cancelled":
                metrics.job_cancelled()
            else:
                ran_s = (seconds_between(after.started_at, after.exited_at) or 0.0) - after.frozen_s
                metrics.job_ended(spec.image, after.reason, max(0.0, ran_s))
            metrics.job_active(spec.image, -1)
        if after.log.size_bytes > before.log.size_bytes:
            metrics.log_stored(after.log.size_bytes - before.log.size_bytes)
