"""Fixtures of the security tests: run a job, also a shell line as a job, and collect its events."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.daemon import Daemon, Receiver

ARTIFACT = "orchestrator.job.artifact"


@dataclass(frozen=True)
class Ran:
    """An ended job: its view, its events, and the event data of its artifacts by id."""

    id: str
    view: dict[str, Any]
    events: list[dict[str, Any]]

    @property
    def artifacts(self) -> dict[str, dict[str, Any]]:
        return {e["data"]["artifactId"]: e["data"] for e in self.events if e["type"] == ARTIFACT}


Run = Callable[..., Ran]


@pytest.fixture
def run(daemon: Daemon, receiver: Receiver, worker_image: str, job_id: str) -> Run:
    """Runs a job to its end, with the id `job_id` if the spec has none."""

    def go(**spec: Any) -> Ran:
        id = spec.setdefault("id", job_id)
        daemon.submit(**{"image": worker_image, "callback": {"url": receiver.url(f"/{id}")}, **spec})
        view = daemon.ended(id)
        return Ran(id, view, receiver.complete(f"/{id}"))

    return go
