"""Counts how often each container was started, from the engine's `start` events."""

import contextlib
import threading
from collections import Counter

import docker

from tests.support.daemon import until


class Starts:
    """Listens from its creation to `close`. The engine's replay buffer is short, so earlier starts are not counted."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._counts: Counter[str] = Counter()
        self._probes: set[str] = set()
        self._client = client
        self._events = client.events(decode=True, filters={"type": "container", "event": ["start", "create"]})
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with contextlib.suppress(Exception):  # closed
            for event in self._events:
                name = event["Actor"]["Attributes"].get("name", "")
                if event["Action"] == "start":
                    self._counts[name] += 1
                else:
                    self._probes.add(name)

    def settle(self, mark: str) -> None:
        """Returns once all starts before the call are counted."""
        container = self._client.api.create_container("busybox:latest", name=mark)
        try:
            until(lambda: mark in self._probes, "the engine's events arrive")
        finally:
            self._client.api.remove_container(container["Id"], force=True)

    def of(self, job_id: str, role: str = "worker") -> int:
        """Returns how often any container with the job's name was started."""
        self.settle(f"mark-{job_id}-{len(self._probes)}")
        return self.count(job_id, role)

    def count(self, job_id: str, role: str = "worker") -> int:
        """Returns the current count, without waiting."""
        return self._counts[f"job-{job_id}-{role}"]

    def close(self) -> None:
        self._events.close()
