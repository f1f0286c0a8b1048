"""What the security tests share: jobs whose events are collected, and a worker's shell lines run as whole jobs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.daemon import Daemon, Receiver

ARTIFACT = "orchestrator.job.artifact"


@dataclass(frozen=True)
class Ran:
    """A job that is over: its view, its events, and its artifacts' event data by their ids."""

    id: str
    view: dict[str, Any]
    events: list[dict[str, Any]]

    @property
    def artifacts(self) -> dict[str, dict[str, Any]]:
        return {e["data"]["artifactId"]: e["data"] for e in self.events if e["type"] == ARTIFACT}


Run = Callable[..., Ran]


@pytest.fixture
def run(daemon: Daemon, receiver: Receiver, worker_image: str, job_id: str) -> Run:
    """Runs a job to its end, under `job_id` where the spec names no id."""

    def go(**spec: Any) -> Ran:
        id = spec.setdefault("id", job_id)
        daemon.submit(**{"image": worker_image, "callback": {"url": receiver.url(f"/{id}")}, **spec})
        view = daemon.ended(id)
        return Ran(id, view, receiver.complete(f"/{id}"))

    return go
