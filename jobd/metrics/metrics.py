"""The Prometheus metrics: names, labels and buckets.

Owns the registry. Label values are bounded: paths are templates; after `MAX_IMAGES` images, further ones are "other".

Source: docs/metrics.md.
"""

from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

MAX_IMAGES = 100
_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800, 3600, 14400, 86400)

METHODS = frozenset({"GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS"})

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class _RequestSeries(NamedTuple):
    """The series of one method, path and class of statuses: found once, since each look-up by labels takes as long as a count."""

    seconds: Histogram
    requests: Counter
    errors: Counter | None


class Metrics:
    """One registry with all metrics. Methods are cheap and never raise."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        http = ("method", "path", "status")
        self._http_seconds = Histogram(
            "http_request_duration_seconds", "Time of an API request", http, buckets=_FAST, registry=registry
        )
        self._http_requests = Counter("http_requests", "API requests", http, registry=registry)
        self._http_errors = Counter(
            "http_errors", "API requests answered with 4xx or 5xx", http, registry=registry
        )
        self._job_seconds = Histogram(
            "job_duration_seconds",
            "Time that a job's worker ran in its last attempt, without pauses; 0 where it never did",
            ("image", "success"),
            buckets=_SLOW,
            registry=registry,
        )
        self._jobs = Counter("jobs", "Jobs submitted", ("image",), registry=registry)
        self._job_errors = Counter("job_errors", "Jobs that failed", ("image", "success"), registry=registry)
        self._jobs_ended = Counter(
            "jobs_ended",
            "Jobs that have ended: completed, cancelled, or why they failed",
            ("reason",),
            registry=registry,
        )
        self._jobs_active = Gauge("jobs_active", "Jobs that have not ended", ("image",), registry=registry)
        self._queue_wait = Histogram(
            "job_queue_wait_seconds", "Time from submission to admission", buckets=_SLOW, registry=registry
        )
        self._phase_seconds = Histogram(
            "job_phase_duration_seconds",
            "Time in a phase of a job",
            ("phase",),
            buckets=_SLOW,
            registry=registry,
        )
        self._log_bytes = Counter("job_log_bytes", "Bytes of job log stored", registry=registry)
        self._engine_seconds = Histogram(
            "engine_call_duration_seconds",
            "Time of an engine call",
            ("call", "ok"),
            buckets=_FAST,
            registry=registry,
        )
        self._requests: dict[tuple[str, str, int], _RequestSeries] = {}
        self._images: set[str] = set()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

    def render(self) -> bytes:
        """Returns the text exposition."""
        return generate_latest(self.registry)

    def http_request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Counts an answered API request; `path` is a template, `status` becomes its class."""
        method = method if method in METHODS else "other"
        key = (method, path, status // 100)
        series = self._requests.get(key)
        if series is None:
            series = self._requests[key] = self._request_series(*key)
        series.seconds.observe(seconds)
        series.requests.inc()
        if series.errors is not None:
            series.errors.inc()

    def _request_series(self, method: str, path: str, status_class: int) -> "_RequestSeries":
        labels = (method, path, f"{status_class}xx")
        return _RequestSeries(
            self._http_seconds.labels(*labels),
            self._http_requests.labels(*labels),
            self._http_errors.labels(*labels) if status_class >= 4 else None,
        )

    def job_submitted(self, image: str) -> None:
        """A job was accepted."""
        self._jobs.labels(self._image(image)).inc()

    def job_active(self, image: str, change: int) -> None:
        """Changes the number of jobs that have not ended."""
        self._jobs_active.labels(self._image(image)).inc(change)

    def job_admitted(self, waited_s: float) -> None:
        """A job left the queue."""
        self._queue_wait.observe(waited_s)

    def phase_left(self, phase: str, seconds: float) -> None:
        """A job left a phase."""
        self._phase_seconds.labels(phase).observe(seconds)

    def job_ended(self, image: str, reason: str | None, ran_s: float) -> None:
        """A job ended without a cancel, after its worker ran for `ran_s`; no reason means success."""
        labels = (self._image(image), "true" if reason is None else "false")
        self._job_seconds.labels(*labels).observe(ran_s)
        if reason is not None:
            self._job_errors.labels(*labels).inc()
        self._jobs_ended.labels(reason or "completed").inc()

    def job_cancelled(self) -> None:
        """A job was cancelled: neither a success nor an error."""
        self._jobs_ended.labels("cancelled").inc()

    def log_stored(self, size_bytes: int) -> None:
        """Log frames were stored."""
        self._log_bytes.inc(size_bytes)

    def engine_call(self, call: str, seconds: float, ok: bool) -> None:
        """A call to the engine ended."""
        self._engine_seconds.labels(call, "true" if ok else "false").observe(seconds)

    def _image(self, image: str) -> str:
        if image in self._images or len(self._images) < MAX_IMAGES:
            self._images.add(image)
            return image
        return "other"
