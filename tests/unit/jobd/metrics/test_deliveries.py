"""The dispatcher's metrics, as Prometheus reads them."""

from prometheus_client import CollectorRegistry

from jobd.metrics.deliveries import DeliveryMetrics


def test_what_becomes_of_deliveries_is_counted() -> None:
    registry = CollectorRegistry()
    metrics = DeliveryMetrics(registry)
    for latency_s in (0.002, 0.2, 40.0):
        metrics.delivered(latency_s)
        metrics.requested(latency_s / 2)
    metrics.requested(1.0)
    metrics.failed("5xx")
    metrics.failed("network")
    metrics.retried("429")
    metrics.requeued()
    metrics.dropped("parked", 1)
    metrics.dropped("abandoned", 3)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("dispatcher_delivered_total") == 3
    assert value("dispatcher_latency_seconds_count") == 3
    assert value("dispatcher_latency_seconds_bucket", le="0.25") == 2
    assert value("dispatcher_duration_seconds_count") == 4
    assert (
        value("dispatcher_failed_total", kind="5xx") == value("dispatcher_failed_total", kind="network") == 1
    )
    assert value("dispatcher_retries_total", kind="429") == value("dispatcher_requeued_total") == 1
    assert value("dispatcher_dropped_total", outcome="parked") == 1
    assert value("dispatcher_dropped_total", outcome="abandoned") == 3


def test_the_outbox_shows_what_waits_on_disk_and_in_memory_and_for_how_long() -> None:
    registry = CollectorRegistry()
    DeliveryMetrics(registry).outbox(
        pending=12_000, in_memory=700, parked=4, oldest_age_s=61.5, breakers_closed=2
    )
    found = {
        name: registry.get_sample_value(name)
        for name in (
            "dispatcher_queue_size",
            "dispatcher_queue_memory_size",
            "dispatcher_parked",
            "dispatcher_oldest_age_seconds",
        )
    }
    assert list(found.values()) == [12_000, 700, 4, 61.5]
    assert registry.get_sample_value("dispatcher_breakers", {"state": "closed"}) == 2


def test_breakers_are_shown_by_state_and_the_openings_counted() -> None:
    registry = CollectorRegistry()
    metrics = DeliveryMetrics(registry)

    def states() -> list[float | None]:
        return [registry.get_sample_value("dispatcher_breakers", {"state": s}) for s in ("open", "half-open")]

    assert states() == [0, 0]
    metrics.breaker_changed("a", "open")
    metrics.breaker_changed("b", "open")
    assert states() == [2, 0]
    metrics.breaker_changed("a", "half-open")
    assert states() == [1, 1]
    metrics.breaker_changed("a", "closed")
    metrics.breaker_changed("b", "half-open")
    metrics.breaker_changed("b", "open")
    assert states() == [1, 0]
    assert registry.get_sample_value("dispatcher_breaker_openings_total") == 3
