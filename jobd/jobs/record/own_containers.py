"""Decides which observed containers belong to a job's present attempt. Pure."""

from jobd.jobs.port.model import ContainerFacts, ContainerState
from jobd.jobs.record.record import Record


def is_mine(container: ContainerFacts | None, record: Record, state: ContainerState) -> bool:
    """True for a container of this attempt in this state."""
    return container is not None and container.attempt == record.attempt.number and container.state is state
