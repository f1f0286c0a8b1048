"""Which of the containers that are seen belong to a job's present attempt. Pure."""

from jobd.jobs.orchestrator import ContainerFacts
from jobd.jobs.state.record import Record


def is_mine(container: ContainerFacts | None, record: Record, state: str) -> bool:
    """True for a container of this attempt that is in the state of this name."""
    return container is not None and container.attempt == record.attempt.number and container.state == state
