"""jobd retries a call that the engine answers with errors for a bounded time; then the job fails."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobd.jobs.port.model import Created, ImageFacts
from jobd.jobs.record.parts import EngineErrors
from jobd.jobs.state import actions, facts
from jobd.wire.job import JobSpec
from tests.unit.jobd.jobs.conftest import Walk

Job = Callable[..., Any]
FULL = "the engine's disk is full"


def errors(a: Walk) -> EngineErrors | None:
    return a.record.attempt.engine_errors


def erred(seen_s: float, action: str = "Prepare", limit_s: float = 60.0) -> facts.EngineErred:
    return facts.EngineErred(action, FULL, seen_s, limit_s)


@pytest.mark.parametrize("phase", ["pulling", "creating", "ready"])
def test_a_job_fails_when_the_engines_errors_continue(job: Job, phase: str) -> None:
    a = job().to(phase).tell(erred(0), erred(59))
    assert (a.record.status, errors(a)) == ("accepted", EngineErrors(action="Prepare", seconds=59))
    a.tell(erred(1))
    assert (a.record.status, a.record.reason) == ("failed", "engine-error")
    assert a.record.error == f"the engine answered with errors for 1m; the last one: {FULL}"
    assert a.types == ["exit", "complete"]
    assert a.asks(blind=True) == actions.Done()


def test_an_answer_without_an_error_resets_the_time(job: Job) -> None:
    a = job().to("creating").tell(erred(0), erred(59), facts.EngineAnswered("Prepare"), erred(0), erred(59))
    assert (a.record.status, errors(a)) == ("accepted", EngineErrors(action="Prepare", seconds=59))


def test_errors_during_the_pull_do_not_count_for_the_creation(job: Job) -> None:
    a = job().to("pulling").tell(erred(0), erred(59), facts.ImageReady(ImageFacts("i", None)))
    assert errors(a) is None
    assert a.tell(erred(0), erred(59)).record.status == "accepted"


def test_errors_that_an_older_version_counted_end_with_the_preparation(job: Job) -> None:
    a = job().to("creating").tell(erred(0, "Create"), erred(30, "Create"))
    assert errors(a.tell(facts.Prepared(Created("w", None)))) is None


def test_other_actions_between_two_tries_do_not_reset_the_time(job: Job) -> None:
    a = (
        job()
        .to("ready")
        .tell(erred(0, "StartWorker"), erred(30, "StartWorker"), facts.EngineAnswered("Prepare"))
    )
    assert a.tell(erred(30, "StartWorker")).record.reason == "engine-error"


def test_errors_do_not_end_a_running_worker_before_its_own_limit(job: Job) -> None:
    a = job().to("running").tell(erred(9999, "Observe"))
    assert (a.record.status, errors(a)) == ("running", None)
    a.later(2000).tell(facts.TimePassed())
    assert a.record.timed_out
    a.tell(erred(60, "Observe")).tell(facts.LogsDrained())
    assert (a.record.status, a.record.reason, a.record.exit_code) == ("failed", "lost", None)


def test_a_cancelled_job_ends_though_the_engine_answers_with_errors(job: Job) -> None:
    a = job().to("running").tell(facts.CancelRequested(by="x", grace_s=0, delete=False), erred(60, "Signal"))
    a.tell(facts.LogsDrained())
    assert (a.record.status, a.record.reason) == ("cancelled", "cancelled")


def test_outputs_that_the_engine_prevents_fail_the_job(job_with_files: Job) -> None:
    a = job_with_files().to("outputs").tell(erred(60, "TellSidecar"))
    assert (a.record.status, a.record.reason) == ("failed", "output-failed")
    assert a.types[-1] == "complete"


def test_the_failed_attempt_is_repeated_if_the_job_has_retries(job: Job) -> None:
    a = job(retries=1, retry_on=["engine-error"]).to("creating").tell(erred(60))
    assert (a.record.attempt.number, a.record.status, errors(a)) == (2, "accepted", None)
    assert a.tell(erred(60, "Remove")).record.reason == "engine-error", "leftovers that cannot be removed"


def test_a_start_that_failed_because_of_the_machine_is_repeated(job: Job) -> None:
    a = job().to("ready").tell(facts.WorkerStarting())
    a.look(a.container("created", exit_code=128, error=FULL, start_may_pass=True))
    assert a.asks(blind=True) == actions.RemoveUnstarted("worker")
    a.tell(facts.NeverStarted("worker"))
    assert a.asks(blind=True) == actions.Prepare()
    assert a.tell(facts.Prepared(Created("w2", None))).asks(blind=True) == actions.StartWorker()


@given(st.lists(st.floats(0, 30), max_size=30), st.floats(0, 100))
def test_the_time_adds_up_over_restarts_and_ends_every_job(seen: list[float], limit_s: float) -> None:

    a = Walk(JobSpec(id="a", image="b")).tell(facts.Admitted(), facts.ImageReady(ImageFacts("i", None)))
    total = 0.0
    for seen_s in seen:
        if a.record.ended:
            break
        a.tell(erred(seen_s, limit_s=limit_s))  # `tell` stores and reads the record back each time
        total += seen_s
        assert a.record.ended == (total >= limit_s)
