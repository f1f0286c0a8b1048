"""Metrics of the queue: how many jobs wait, by group and by what they wait for, and how many stand still; counted at each scrape.

Label values are bounded: after `MAX_GROUPS` groups, further ones are "other".

Source: docs/metrics.md.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Gauge

MAX_GROUPS = 50


class QueueMetrics:
    """`waits` yields the numbers of waiting jobs by group and reason, in parts; `frozen` returns the number of frozen workers."""

    def __init__(
        self,
        registry: CollectorRegistry,
        waits: Callable[[], Iterable[tuple[str, str, int]]],
        frozen: Callable[[], int],
    ) -> None:
        self._waits = waits
        self._frozen = frozen
        self._groups: set[str] = set()
        self._waiting = Gauge(
            "jobs_waiting", "Jobs in the queue, by what they wait for", ("group", "reason"), registry=registry
        )
        self._paused = Gauge("jobs_paused", "Running jobs whose worker stands still", registry=registry)

    def count(self) -> None:
        """Counts anew."""
        numbers: Counter[tuple[str, str]] = Counter()
        for group, reason, count in self._waits():
            numbers[self._group(group), reason] += count
        self._waiting.clear()
        for (group, reason), count in numbers.items():
            self._waiting.labels(group, reason).set(count)
        self._paused.set(self._frozen())

    def _group(self, name: str) -> str:
        if name in self._groups or len(self._groups) < MAX_GROUPS:
            self._groups.add(name)
            return name
        return "other"
