"""Metrics of deliveries: the dispatcher's observer, and the outbox's gauges at each scrape.

Source: docs/metrics.md.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)


class DeliveryMetrics:
    """Implements `jobd.events.delivery.observer.DeliveryObserver`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "dispatcher_duration_seconds", "Time of one delivery request", buckets=_SECONDS, registry=registry
        )
        self._latency = Histogram(
            "dispatcher_latency_seconds",
            "Time from an event to its delivery",
            buckets=_LATENCY,
            registry=registry,
        )
        self._delivered = Counter("dispatcher_delivered", "Events that a receiver took", registry=registry)
        self._failed = Counter(
            "dispatcher_failed",
            "Deliveries that failed after all tries of a round",
            ("kind",),
            registry=registry,
        )
        self._dropped = Counter(
            "dispatcher_dropped", "Deliveries that are parked or abandoned", ("outcome",), registry=registry
        )
        self._requeued = Counter("dispatcher_requeued", "Rounds of tries that failed", registry=registry)
        self._retried = Counter(
            "dispatcher_retries",
            "Failed tries that are repeated in their round",
            ("kind",),
            registry=registry,
        )
        self._queue = Gauge(
            "dispatcher_queue_size", "Undelivered events, on disk and in memory together", registry=registry
        )
        self._memory = Gauge(
            "dispatcher_queue_memory_size", "Undelivered events held in memory", registry=registry
        )
        self._parked = Gauge("dispatcher_parked", "Deliveries that wait for a replay", registry=registry)
        self._oldest = Gauge(
            "dispatcher_oldest_age_seconds", "Age of the oldest undelivered event", registry=registry
        )
        self._breakers = Gauge(
            "dispatcher_breakers", "Circuit breakers by state", ("state",), registry=registry
        )
        self._opened = Counter(
            "dispatcher_breaker_openings", "Times that a circuit breaker opened", registry=registry
        )
        self._states: dict[str, str] = {}
        for outcome in ("parked", "abandoned"):
            self._dropped.labels(outcome)
        for state in ("open", "half-open", "closed"):
            self._breakers.labels(state)

    def delivered(self, latency_s: float) -> None:
        """A receiver accepted an event."""
        self._delivered.inc()
        self._latency.observe(latency_s)

    def requested(self, seconds: float) -> None:
        """A request ended."""
        self._seconds.observe(seconds)

    def failed(self, kind: str) -> None:
        """The last try of a round failed."""
        self._failed.labels(kind).inc()

    def retried(self, kind: str) -> None:
        """A try failed, and the delivery is tried again in this round."""
        self._retried.labels(kind).inc()

    def requeued(self) -> None:
        """A round failed."""
        self._requeued.inc()

    def dropped(self, outcome: str, count: int) -> None:
        """Deliveries were parked or abandoned."""
        self._dropped.labels(outcome).inc(count)

    def breaker_changed(self, destination: str, state: str) -> None:
        """A breaker changed its state; closed breakers are not kept."""
        before = self._states.pop(destination, None)
        if before is not None:
            self._breakers.labels(before).dec()
        if state == "open":
            self._opened.inc()
        if state != "closed":
            self._states[destination] = state
            self._breakers.labels(state).inc()

    def outbox(
        self, *, pending: int, in_memory: int, parked: int, oldest_age_s: float, breakers_closed: int
    ) -> None:
        """Sets the outbox's gauges, at each scrape. `breakers_closed`: closed breakers that still count failures or requests."""
        self._breakers.labels("closed").set(breakers_closed)
        self._queue.set(pending)
        self._memory.set(in_memory)
        self._parked.set(parked)
        self._oldest.set(oldest_age_s)
