"""A start whose response was lost: after a while jobd removes the container, and makes another only once it is removed."""

from collections.abc import Callable
from typing import Any

import pytest

from jobd.jobs.port.model import Role
from jobd.jobs.state import actions, facts
from jobd.jobs.state.next_action import AMBIGUOUS_START

Job = Callable[..., Any]


def held_back(job: Any, role: Role) -> Any:
    a = job.created() if role == "sidecar" else job.to("ready")
    return a.tell(facts.SidecarStarting() if role == "sidecar" else facts.WorkerStarting())


@pytest.mark.parametrize("role", ["worker", "sidecar"])
def test_a_container_whose_start_was_lost_is_removed_before_another_is_made(
    job_with_files: Job, role: Role
) -> None:
    a = held_back(job_with_files(), role)
    worker = a.container("created")
    sidecar = a.container("created" if role == "sidecar" else "running")
    a.look(worker, sidecar, drained=False)
    assert a.asks(worker, sidecar) == actions.Wait(a.now + AMBIGUOUS_START)
    a.later(AMBIGUOUS_START.total_seconds()).look(worker, sidecar, drained=False)
    assert a.asks(worker, sidecar) == actions.RemoveUnstarted(role)
    assert a.tell(facts.NeverStarted(role)).asks(blind=True) == actions.Prepare()
    assert a.record.attempt.number == 1


@pytest.mark.parametrize("role", ["worker", "sidecar"])
def test_a_container_that_starts_late_stays(job_with_files: Job, role: Role) -> None:
    a = held_back(job_with_files(), role)
    created = a.container("created")
    running = a.container("running")
    a.later(AMBIGUOUS_START.total_seconds())
    a.look(created, created if role == "sidecar" else running, drained=False)
    a.look(created if role == "sidecar" else running, running, drained=False)
    assert not isinstance(a.asks(running, running), actions.RemoveUnstarted)
