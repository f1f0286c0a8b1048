"""A worker that ended with the engine is lost, unless jobd ordered the end."""

from collections.abc import Callable
from typing import Any

import pytest

from jobd.jobs.port.model import Created, EndCause
from jobd.jobs.state import actions, facts
from jobd.jobs.state.transitions.outcome import MAX_SIDECAR_RUNS


@pytest.mark.parametrize("code", [0, 137, 143])
def test_an_end_that_jobd_did_not_order_is_lost(job: Callable[..., Any], code: int) -> None:
    a = job().to("running")
    a.look(a.exited(code, cause=EndCause.ENGINE_STOPPED)).tell(facts.LogsDrained())
    assert (a.record.status, a.record.reason, a.record.exit_code) == ("failed", "lost", None)
    assert a.data("exit")["exitCode"] == -1


def test_an_end_after_a_cancel_request_is_cancelled(job: Callable[..., Any]) -> None:
    a = job().to("running").tell(facts.CancelRequested(by="me", grace_s=1.0, delete=False))
    a.look(a.exited(143, cause=EndCause.ENGINE_STOPPED)).tell(facts.LogsDrained())
    assert (a.record.status, a.record.exit_code) == ("cancelled", 143)


def test_an_end_after_the_deadline_is_a_timeout(job: Callable[..., Any]) -> None:
    a = job(timeout_seconds=5).to("running").later(60).tell(facts.TimePassed())
    a.look(a.exited(143, cause=EndCause.ENGINE_STOPPED)).tell(facts.LogsDrained())
    assert (a.record.reason, a.record.exit_code) == ("timeout", 143)


def test_a_start_that_failed_with_the_engine_is_repeated(job: Callable[..., Any]) -> None:
    a = job().to("ready").tell(facts.WorkerStarting())
    a.look(a.container("created", exit_code=128, error="database not open", start_may_pass=True))
    assert a.types == []
    assert a.asks(blind=True) == actions.RemoveUnstarted("worker"), "not by force: it may run by now"
    assert a.tell(facts.NeverStarted("worker")).asks(blind=True) == actions.Prepare()


def test_a_start_that_failed_by_itself_fails_the_job(job: Callable[..., Any]) -> None:
    a = job().to("ready").tell(facts.WorkerStarting())
    a.look(a.container("created", exit_code=128, error="no such runtime"))
    assert (a.record.status, a.record.reason, a.record.error) == ("failed", "start-failed", "no such runtime")


@pytest.mark.parametrize("with_engine", [True, False])
def test_a_sidecar_that_ended_with_the_engine_counts_as_no_run(
    job_with_files: Callable[..., Any], with_engine: bool
) -> None:
    a = job_with_files().to("inputs")
    for _ in range(MAX_SIDECAR_RUNS + 1):
        if a.record.ended:
            break
        cause = EndCause.ENGINE_STOPPED if with_engine else EndCause.SIGNAL
        a.look(a.container("created"), a.exited(137, cause=cause))
        a.tell(facts.Prepared(Created("w", "s")), facts.SidecarStarting())
    assert a.record.reason == (None if with_engine else "input-failed")


def test_a_sidecar_whose_start_was_lost_counts_as_no_run(job_with_files: Callable[..., Any]) -> None:
    a = job_with_files().created()
    for _ in range(MAX_SIDECAR_RUNS + 1):
        a.tell(facts.SidecarStarting()).later(11).look(a.container("created"), a.container("created"))
        assert a.asks(blind=True) == actions.RemoveUnstarted("sidecar"), "not by force: it may run by now"
        assert a.tell(facts.NeverStarted("sidecar")).asks(blind=True) == actions.Prepare()
        a.tell(facts.Prepared(Created("w", "s")))
    assert not a.record.ended


def test_a_sidecar_created_with_a_new_worker_delivers_no_output(
    job_with_files: Callable[..., Any],
) -> None:
    a = job_with_files().to("outputs").tell(facts.SidecarNotified())
    a.look(a.exited(0), a.container("created"), drained=False)
    assert (a.record.status, a.record.reason) == ("failed", "output-failed")
    assert a.record.exit_code == 0
