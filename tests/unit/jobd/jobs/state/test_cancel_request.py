"""Cancel and delete requests in every phase: a job ends, and no late fact undoes the request."""

from typing import Any

import pytest

from jobd.jobs.port.model import Created
from jobd.jobs.record.parts import Started
from jobd.jobs.state import actions, facts
from jobd.wire import report
from tests.support.models.reports import IMAGE, Job, reported

PHASES = ["queued", "pulling", "creating", "inputs", "ready", "running", "drained", "outputs"]


def end_of_all(a: Any) -> None:
    """Executes the actions of a stopping job, on an engine on which a kill works."""
    worker, sidecar = a.container("running"), a.container("running")
    for _ in range(12):
        match a.asks(worker, sidecar):
            case actions.Done():
                return
            case actions.Observe():
                a.look(worker, sidecar)
            case actions.Signal(role, kill):
                a.tell(facts.StopSent(kill))
                dead = a.exited(137)
                worker, sidecar = (dead, sidecar) if role == "worker" else (worker, dead)
                a.look(worker, sidecar)
            case actions.DrainLogs():
                a.tell(facts.LogsDrained())
            case actions.Remove():
                a.tell(facts.Cleaned())
            case actions.Wait():
                a.later(1).tell(facts.TimePassed()).look(worker, sidecar)
            case other:
                pytest.fail(f"a stopping job asks for {other}")
    pytest.fail("a stopping job does not end")


class TestCancelRequests:
    @pytest.mark.parametrize("phase", PHASES)
    @pytest.mark.parametrize("delete", [False, True])
    def test_a_job_ends_from_every_phase(self, job_with_files: Job, phase: str, delete: bool) -> None:
        a = job_with_files().to(phase)
        a.tell(facts.CancelRequested(by="uid 1000", grace_s=0, delete=delete))
        end_of_all(a)
        assert (a.record.status, a.record.reason, a.record.cancel.by) == (
            "cancelled",
            "cancelled",
            "uid 1000",
        )
        assert a.types.count("exit") == 1
        assert a.types[-1] == "complete"
        assert a.types.count("start") == (phase in ("running", "drained", "outputs"))
        assert (a.record.removal is not None) is delete
        assert a.data("complete")["status"] == "cancelled"

    @pytest.mark.parametrize("phase", ["queued", "pulling", "creating", "ready", "running", "drained"])
    def test_a_job_without_artifacts_ends_from_every_phase(self, job: Job, phase: str) -> None:
        a = job().to(phase).tell(facts.CancelRequested(by="x", grace_s=0, delete=False))
        end_of_all(a)
        assert a.record.status == "cancelled"
        if phase in ("queued", "pulling", "creating", "ready"):
            assert a.types == ["exit", "complete"]
            assert (a.data("exit")["exitCode"], a.data("exit")["error"]) == (-1, "cancelled by x")

    def test_a_second_cancel_request_may_only_shorten_the_grace_period(self, job: Job) -> None:
        a = job().to("running").tell(facts.CancelRequested(by="x", grace_s=30, delete=False))
        running = a.container("running")
        assert a.asks(running) == actions.Signal("worker", kill=False)
        assert a.tell(facts.StopSent(kill=False)).asks(running) == actions.Wait(a.at(30))
        a.tell(facts.CancelRequested(by="y", grace_s=60, delete=False))
        assert a.asks(running) == actions.Wait(a.at(30))
        assert a.tell(facts.CancelRequested(by="y", grace_s=5, delete=False)).asks(running) == actions.Wait(
            a.at(5)
        )
        assert a.later(5).asks(running) == actions.Signal("worker", kill=True)
        assert a.record.cancel.by == "x"

    def test_the_jobs_own_signal_and_grace_period_count_where_the_request_has_none(self, job: Job) -> None:
        a = job(stop_signal="SIGINT", stop_timeout_seconds=3).to("running")
        assert (a.record.stop_signal, a.record.grace_s) == ("SIGINT", 3.0)
        a.tell(facts.CancelRequested(by="x", grace_s=None, delete=False))
        assert (a.record.stop_signal, a.record.grace_s) == ("SIGINT", 3.0)
        a.tell(facts.CancelRequested(by="x", grace_s=2, delete=False, signal="SIGHUP"))
        assert (a.record.stop_signal, a.record.grace_s) == ("SIGHUP", 2.0)

    @pytest.mark.parametrize("fields", [{"stop_timeout_seconds": 0}, {"stop_signal": "SIGKILL"}])
    def test_a_job_without_a_grace_period_is_killed(self, job: Job, fields: dict[str, Any]) -> None:
        a = job(timeout_seconds=60, **fields).to("running").later(60).tell(facts.TimePassed())
        assert a.asks(a.container("running")) == actions.Signal("worker", kill=True)

    def test_without_grace_the_first_signal_kills(self, job: Job) -> None:
        a = job().to("running").tell(facts.CancelRequested(by="x", grace_s=0, delete=False))
        assert a.asks(a.container("running")) == actions.Signal("worker", kill=True)

    def test_a_cancel_request_waits_for_an_ambiguous_start(self, job: Job) -> None:
        a = (
            job()
            .to("ready")
            .tell(facts.WorkerStarting(), facts.CancelRequested(by="x", grace_s=0, delete=False))
        )
        stuck = a.container("created")
        assert a.asks(stuck) == actions.Wait(a.at(10))
        a.later(10).look(stuck)
        assert a.asks(blind=True) == actions.RemoveUnstarted("worker"), "it may run by now"
        a.tell(facts.NeverStarted("worker"))
        assert a.record.status == "cancelled"

    def test_a_late_start_is_observed(self, job: Job) -> None:
        a = (
            job()
            .to("ready")
            .tell(facts.WorkerStarting())
            .later(10)
            .look(a_worker := job().container("created"))
        )
        assert a_worker.started_at is None
        assert a.asks(blind=True) == actions.RemoveUnstarted("worker")
        a.look(a.container("running"))
        assert (a.record.status, type(a.record.worker)) == ("running", Started)
        before = a.record
        assert a.tell(facts.NeverStarted("worker")).record == before

    def test_a_container_removed_without_an_observation_is_lost_and_not_created_again(self, job: Job) -> None:
        a = job().to("ready").tell(facts.WorkerStarting()).later(10).look(job().container("created"))
        a.look(None).tell(facts.LogsDrained())
        assert (a.record.status, a.record.reason, a.record.exit_code) == ("failed", "lost", None)
        assert (
            a.record.error == "the worker container is removed, and the engine does not report whether it ran"
        )

    def test_a_late_answer_does_not_undo_a_cancel_request(self, job: Job) -> None:
        a = job().to("creating").tell(facts.CancelRequested(by="x", grace_s=0, delete=False))
        before = a.record
        a.tell(
            facts.Prepared(Created("w", None)),
            facts.WorkerStarting(),
            facts.ImageReady(IMAGE),
            facts.Admitted(),
        )
        assert a.record == before

    def test_a_job_that_has_ended_can_be_deleted_but_not_cancelled(self, job: Job) -> None:
        a = job().to("outputs")
        before = a.record
        assert a.tell(facts.CancelRequested(by="x", grace_s=0, delete=False)).record == before
        assert (
            a.tell(facts.CancelRequested(by="x", grace_s=0, delete=True)).asks(blind=True) == actions.Remove()
        )
        assert a.record.status == "completed"
        assert a.tell(facts.Cleaned()).asks(blind=True) == actions.Done()
        assert a.record.removal is not None
        assert a.types == ["start", "exit", "complete"]

    def test_retention_cleans_a_job_that_has_ended(self, job: Job) -> None:
        assert job().to("outputs").tell(facts.Cleaned()).record.removal

    def test_a_cancelled_job_gets_no_new_sidecar(self, job_with_files: Job) -> None:
        a = job_with_files().to("inputs").tell(reported(report.Refused(n=1, error="cut")))
        assert a.asks(blind=True) == actions.Prepare()
        a.tell(facts.CancelRequested(by="x", grace_s=0, delete=False))
        assert a.asks(blind=True) == actions.Observe()
        a.look(a.container("created"), a.exited(1))
        assert a.record.status == "cancelled"

    def test_the_signals_to_the_worker_do_not_count_for_the_sidecar(self, job_with_files: Job) -> None:
        a = (
            job_with_files(timeout_seconds=1)
            .to("running")
            .later(60)
            .tell(facts.TimePassed(), facts.StopSent(kill=True))
        )
        a.look(a.exited(137), a.container("running")).tell(facts.LogsDrained())
        assert (a.record.phase, a.record.reason) == ("outputs", "timeout")
        a.tell(facts.CancelRequested(by="x", grace_s=0, delete=False))
        assert a.asks(a.exited(137), a.container("running")) == actions.Signal("sidecar", kill=True)
