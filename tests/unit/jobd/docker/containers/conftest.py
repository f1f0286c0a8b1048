"""Facts of containers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobd.jobs.port.model import ContainerFacts, ContainerState, EndCause

START = datetime(2030, 1, 1, tzinfo=UTC)


def container(state: str, **fields: Any) -> ContainerFacts:
    if state != "created":
        fields.setdefault("started_at", START)
    return ContainerFacts(**{"id": "w", "attempt": 1, "state": ContainerState(state), **fields})


@pytest.fixture(scope="session")
def running() -> ContainerFacts:
    return container("running")


@pytest.fixture(scope="session")
def refused() -> Callable[[int], ContainerFacts]:
    """A container whose start failed with this code."""
    return lambda code: container("created", exit_code=code, error="database not open")


@pytest.fixture(scope="session")
def ended() -> Callable[..., ContainerFacts]:
    """A container that ended with this code."""

    def made(code: int, cause: EndCause = EndCause.OWN_EXIT) -> ContainerFacts:
        return container("ended", exit_code=code, cause=cause, finished_at=START + timedelta(seconds=9))

    return made
