"""The numbers of waiting jobs by group and reason, with a bounded number of groups."""

from prometheus_client import CollectorRegistry

from jobd.metrics.queue import MAX_GROUPS, QueueMetrics

Waits = list[tuple[str, str, int]]


def test_what_waits_now_is_counted_and_what_no_longer_waits_is_gone() -> None:
    registry = CollectorRegistry()
    waits: Waits = [("gpu", "place", 2), ("gpu", "place", 3), ("default", "dependency", 1)]
    metrics = QueueMetrics(registry, lambda: waits, lambda: 4)
    metrics.count()
    assert registry.get_sample_value("jobs_waiting", {"group": "gpu", "reason": "place"}) == 5
    waits[:] = [("gpu", "paused", 1)]
    metrics.count()
    assert registry.get_sample_value("jobs_waiting", {"group": "gpu", "reason": "place"}) is None
    assert registry.get_sample_value("jobs_waiting", {"group": "gpu", "reason": "paused"}) == 1
    assert registry.get_sample_value("jobs_paused") == 4


def test_groups_are_capped_and_what_is_over_is_other() -> None:
    registry = CollectorRegistry()
    metrics = QueueMetrics(registry, lambda: [(f"g{n}", "turn", 1) for n in range(MAX_GROUPS + 5)], lambda: 0)
    metrics.count()
    assert registry.get_sample_value("jobs_waiting", {"group": "other", "reason": "turn"}) == 5
