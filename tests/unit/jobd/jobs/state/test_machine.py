"""The main paths of a job through its states, fact by fact."""

from collections.abc import Callable
from typing import Any

import pytest

from jobd.jobs.port.model import Created, EndCause, ImageFacts
from jobd.jobs.state import actions, facts
from jobd.jobs.state.parts import Started
from jobd.wire import report
from jobd.wire.artifact import Read

Job = Callable[..., Any]
IMAGE = ImageFacts("sha256:1", "sha256:2", "")


def said(what: report.Report) -> facts.Reported:
    return facts.Reported(what)


def unread(**heading: Any) -> facts.ReportUnread:
    return facts.ReportUnread("cannot be read: '{'", report.Heading(**heading))


def done(n: int, name: str, status: Any = "success", **fields: Any) -> facts.Reported:
    return facts.Reported(
        report.ArtifactDone(n=n, artifact_id=name, artifact_type="read", status=status, **fields)
    )


class TestWithoutArtifacts:
    def test_a_job_that_succeeds(self, job: Job) -> None:
        a = job()
        assert a.asks(blind=True) == actions.Admit()
        assert a.tell(facts.Admitted()).asks(blind=True) == actions.Pull()
        assert a.tell(facts.ImageReady(IMAGE)).asks(blind=True) == actions.Create()
        assert a.tell(facts.Prepared(Created("w", None, 7, 8))).asks(blind=True) == actions.StartWorker()
        assert (a.record.setup.worker.uid, a.record.setup.worker.gid, a.record.image_digest) == (
            7,
            8,
            "sha256:2",
        )
        assert a.record.status == "accepted"
        assert a.tell(facts.WorkerStarting()).asks(blind=True) == actions.Observe()
        running = a.container("running")
        a.look(running)
        assert a.types == ["start"]
        assert a.record.status == "running"
        assert a.asks(running) == actions.Wait(a.at(1800))
        assert a.look(a.exited(0)).asks(blind=True) == actions.DrainLogs()
        assert a.types == ["start"]
        assert a.tell(facts.LogsDrained()).asks(blind=True) == actions.Done()
        assert a.types == ["start", "exit", "complete"]
        assert a.data("start") == {"jobId": "a", "meta": {"k": "v"}}
        assert a.data("exit") == {"jobId": "a", "exitCode": 0, "meta": {"k": "v"}}
        complete = a.data("complete")
        assert (complete["status"], complete["reason"], complete["exitCode"]) == ("completed", None, 0)
        assert (a.record.status, a.record.reason, a.record.error) == ("completed", None, None)

    def test_a_job_that_ends_before_an_observation_still_has_a_start(self, job: Job) -> None:
        a = job().to("ready").tell(facts.WorkerStarting()).later(10)
        a.look(a_end := job().exited(3)).tell(facts.LogsDrained())
        assert a.types == ["start", "exit", "complete"]
        assert a.record.started_at == a_end.started_at
        assert (a.record.status, a.record.reason, a.record.exit_code) == ("failed", "exit-code", 3)
        assert a.data("exit")["error"] == "the command exited with code 3"
        assert (a.data("complete")["status"], a.data("complete")["exitCode"]) == ("failed", 3)

    def test_the_durations_are_those_between_the_phases(self, job: Job) -> None:
        a = job().later(2).to("ready").tell(facts.WorkerStarting()).later(10)
        a.look(a_end := job().exited(0)).tell(facts.LogsDrained())
        assert a_end.finished_at == a.at(9)
        assert a.data("complete")["durations"] == {
            "queued": 2,
            "preparing": 3,
            "running": 4,
            "finishing": 3,
            "total": 12,
        }

    def test_out_of_memory_differs_from_an_external_kill(self, job: Job) -> None:
        a = (
            job()
            .to("running")
            .look(job().exited(137, cause=EndCause.OUT_OF_MEMORY))
            .tell(facts.LogsDrained())
        )
        assert (a.record.reason, a.record.worker.oom_killed) == ("oom-killed", True)
        b = job().to("running").look(job().exited(137, cause=EndCause.SIGNAL)).tell(facts.LogsDrained())
        assert (b.record.reason, b.record.worker.oom_killed) == ("exit-code", False)

    @pytest.mark.parametrize("cause", list(EndCause), ids=lambda cause: cause.value)
    def test_each_cause_has_its_reason_unless_the_end_was_ordered(self, job: Job, cause: EndCause) -> None:
        lost = cause in (EndCause.ENGINE_STOPPED, EndCause.EVICTED, EndCause.NODE_LOST, EndCause.UNKNOWN)
        reasons = {EndCause.OUT_OF_MEMORY: "oom-killed", EndCause.DEADLINE: "timeout"}
        a = job().to("running").look(job().exited(9, cause=cause)).tell(facts.LogsDrained())
        assert a.record.reason == ("lost" if lost else reasons.get(cause, "exit-code"))
        assert a.record.exit_code == (None if lost else 9)
        request = facts.CancelRequested(by="me", grace_s=1.0, delete=False)
        b = job().to("running").tell(request).look(job().exited(9, cause=cause)).tell(facts.LogsDrained())
        assert (b.record.status, b.record.exit_code) == ("cancelled", 9)

    @pytest.mark.parametrize("code", [126, 127, 128])
    def test_a_command_that_does_not_start_has_the_engines_code_everywhere(self, job: Job, code: int) -> None:
        a = job().to("ready").tell(facts.WorkerStarting(), facts.WorkerStartFailed(code, "no such file"))
        assert a.types == ["exit", "complete"]
        assert (a.data("exit")["exitCode"], a.data("exit")["error"]) == (code, "no such file")
        assert (a.data("complete")["exitCode"], a.record.exit_code) == (code, code)
        assert (a.record.status, a.record.reason) == ("failed", "start-failed")

    def test_a_failed_start_whose_answer_was_lost_is_observed(self, job: Job) -> None:
        a = job().to("ready").tell(facts.WorkerStarting())
        a.look(a.container("created", exit_code=127, error="no such file"))
        assert (a.record.status, a.record.reason, a.record.error) == (
            "failed",
            "start-failed",
            "no such file",
        )

    @pytest.mark.parametrize("reason", ["image-not-found", "refused-by-engine"])
    @pytest.mark.parametrize("station", ["pulling", "creating"])
    def test_a_job_whose_setup_fails(self, job: Job, station: str, reason: str) -> None:
        a = job().to(station).tell(facts.SetupFailed(reason, "why"))
        assert a.types == ["exit", "complete"]
        assert (a.data("exit")["exitCode"], a.data("exit")["error"]) == (-1, "why")
        assert (a.record.status, a.record.reason, a.record.error) == ("failed", reason, "why")
        assert a.asks(blind=True) == actions.Done()

    def test_a_worker_that_was_removed_by_hand_is_lost_with_an_unknown_code(self, job: Job) -> None:
        a = job().to("running").look(None).tell(facts.LogsDrained())
        assert (a.record.status, a.record.reason, a.record.exit_code) == ("failed", "lost", None)
        assert a.data("exit")["exitCode"] == -1
        assert a.data("complete")["exitCode"] == -1

    def test_a_container_of_another_attempt_is_not_this_jobs_worker(self, job: Job) -> None:
        a = job().to("running").look(a_end := job().container("ended", attempt=2, exit_code=0))
        assert a_end.attempt != a.record.attempt.number
        assert a.record.reason == "lost"

    def test_an_ambiguous_start_is_not_repeated_but_its_container_is_replaced(self, job: Job) -> None:
        a = job().to("ready").tell(facts.WorkerStarting())
        stuck = a.container("created")
        assert a.look(stuck).asks(stuck) == actions.Wait(a.at(10))
        assert a.later(9.9).look(stuck).asks(stuck) == actions.Wait(a.at(10))
        assert a.later(0.1).look(stuck).asks(blind=True) == actions.RemoveUnstarted("worker")
        assert a.tell(facts.NeverStarted("worker")).asks(blind=True) == actions.Create()
        assert a.tell(facts.Prepared(Created("w2", None, 0, 0))).asks(blind=True) == actions.StartWorker()
        a.tell(facts.WorkerStarting()).look(a.exited(0)).tell(facts.LogsDrained())
        assert a.types == ["start", "exit", "complete"]

    def test_an_ambiguous_start_that_happened_continues(self, job: Job) -> None:
        a = job().to("ready").tell(facts.WorkerStarting()).later(60).look(job().container("running"))
        assert a.record.status == "running"
        assert a.types == ["start"]


class TestWithArtifacts:
    def test_a_job_that_succeeds(self, job_with_files: Job) -> None:
        a = job_with_files().created()
        running, created = a.container("running"), a.container("created")
        assert a.record.phase == "inputs"
        assert a.asks(blind=True) == actions.StartSidecar()
        assert a.tell(facts.SidecarStarting()).asks(blind=True) == actions.Observe()
        assert a.asks(created, created) == actions.Wait(a.at(10))
        assert a.look(created, running).asks(created, running) == actions.Wait(a.at(3600))
        a.tell(said(report.Started(n=1)), said(report.Progress(n=2, artifact_id="in", bytes=5, total=9)))
        assert (a.record.attempt.artifacts["in"].moved, a.record.attempt.artifacts["in"].bytes) == (5, 9)
        a.tell(done(3, "in", bytes=9))
        assert a.record.attempt.artifacts["in"].status == "success"
        assert a.tell(said(report.Ready(n=4))).asks(blind=True) == actions.StartWorker()
        a.tell(facts.WorkerStarting()).look(running, running)
        a.look(a.exited(0), running).tell(facts.LogsDrained())
        assert a.types == ["artifact", "start", "exit"]
        assert a.record.phase == "outputs"
        assert a.asks(blind=True) == actions.TellSidecar(succeeded=True)
        assert a.tell(facts.OutputsTold()).asks(blind=True) == actions.Observe()
        assert a.asks(a.exited(0), running) == actions.Wait(a.at(1))
        a.later(1)
        assert a.asks(a.exited(0), running) == actions.TellSidecar(succeeded=True)
        a.tell(said(report.OutputsStarted(n=5)))
        assert a.asks(a.exited(0), running) == actions.Wait(a.at(3600))
        a.tell(done(6, "out", content={"x": [1, None]}), said(report.Done(n=7)))
        assert a.types == ["artifact", "start", "exit", "artifact", "complete"]
        assert a.drafts[3].data == {
            "jobId": "a",
            "artifactId": "out",
            "artifactType": "read",
            "status": "success",
            "content": {"x": [1, None]},
            "meta": {"k": "v"},
        }
        assert a.record.status == "completed"
        assert a.data("complete")["artifacts"] == [
            {"id": "in", "type": "write", "status": "success"},
            {"id": "out", "type": "read", "status": "success"},
        ]

    def test_a_job_of_inputs_alone_ends_with_its_worker(self, job: Job) -> None:
        a = job(Read(id="in", source="f")).to("outputs")
        assert a.types == ["start", "exit", "complete"]

    def test_a_failed_workers_sidecar_is_notified(self, job_with_files: Job) -> None:
        a = job_with_files().to("running").look(job_with_files().exited(1)).tell(facts.LogsDrained())
        assert a.asks(a.exited(1), a.container("running")) == actions.TellSidecar(succeeded=False)
        a.tell(said(report.OutputsStarted(n=3)), done(4, "out", "skipped"), said(report.Done(n=5)))
        assert (a.record.status, a.record.reason) == ("failed", "exit-code")
        assert a.types == ["start", "exit", "complete"]
        assert a.data("complete")["artifacts"][1]["status"] == "skipped"

    def test_a_worker_that_does_not_start_still_lets_outputs_for_failures_run(
        self, job_with_files: Job
    ) -> None:
        a = (
            job_with_files()
            .to("ready")
            .tell(facts.WorkerStarting(), facts.WorkerStartFailed(126, "not executable"))
        )
        assert a.record.phase == "outputs"
        assert a.asks(a.container("created"), a.container("running")) == actions.TellSidecar(succeeded=False)
        a.tell(said(report.Done(n=3)))
        assert a.types == ["exit", "complete"]
        assert a.record.reason == "start-failed"

    def test_a_transfers_progress_that_cannot_be_read_is_no_failure(self, job_with_files: Job) -> None:
        a = job_with_files().to("inputs")
        before = a.record
        assert a.tell(unread(type="progress", n=2, artifact_id="in")).record == before

    def test_an_input_whose_report_cannot_be_read_ends_the_sidecar_and_then_the_job(
        self, job_with_files: Job
    ) -> None:
        a = job_with_files().to("inputs").tell(unread(type="artifact", n=2, artifact_id="in"))
        running, created = a.container("running"), a.container("created")
        assert a.types == ["artifact"]
        assert a.asks(created, running) == actions.Signal("sidecar", kill=True)
        before = a.record
        assert (
            a.tell(unread(type="artifact", n=2, artifact_id="in"), said(report.Ready(n=3))).record.phase
            == "inputs"
        )
        assert a.record.attempt.artifacts == before.attempt.artifacts
        a.tell(facts.StopSent(kill=True)).look(created, a.exited(137))
        assert a.types == ["artifact", "exit", "complete"]
        assert (a.record.reason, a.record.error) == ("input-failed", "cannot be read: '{'")

    @pytest.mark.parametrize("optional", [True, False])
    def test_an_output_whose_report_cannot_be_read_fails_the_job_unless_optional(
        self, job: Job, optional: bool
    ) -> None:
        a = job(Read(id="out", source="f", depends="job", optional=optional)).to("outputs")
        assert a.asks(blind=True) == actions.TellSidecar(succeeded=True)
        a.tell(unread(type="artifact", n=4, artifact_id="out"))
        assert a.asks(blind=True) == actions.TellSidecar(succeeded=True)
        a.tell(said(report.Done(n=5)))
        assert a.record.reason == (None if optional else "output-failed")
        assert a.data("artifact")["status"] == "failed"

    def test_an_unreadable_report_during_the_run_fails_the_job_after_its_end(
        self, job_with_files: Job
    ) -> None:
        a = job_with_files().to("running").tell(unread(), unread(type="artifact", n=9, artifact_id="out"))
        assert a.record.status == "running"
        assert a.record.attempt.artifacts["out"].status == "pending"
        a.look(a.exited(0), a.container("running")).tell(facts.LogsDrained(), said(report.Done(n=10)))
        assert (a.record.status, a.record.reason, a.record.exit_code) == ("failed", "output-failed", 0)

    def test_the_workers_own_failure_stays_the_reason(self, job_with_files: Job) -> None:
        a = (
            job_with_files()
            .to("running")
            .tell(unread())
            .look(job_with_files().exited(3))
            .tell(facts.LogsDrained())
        )
        assert a.tell(said(report.Done(n=5))).record.reason == "exit-code"

    def test_an_input_that_fails_fails_the_job_before_its_start(self, job_with_files: Job) -> None:
        a = (
            job_with_files()
            .to("inputs")
            .tell(done(1, "in", "failed", error="404"), said(report.InputsFailed(n=2, error="in: 404")))
        )
        assert a.types == ["artifact", "exit", "complete"]
        assert (a.record.status, a.record.reason, a.record.error) == ("failed", "input-failed", "in: 404")
        assert a.drafts[0].data["error"] == "404"

    def test_a_truncated_order_is_sent_to_a_new_sidecar_twice(self, job_with_files: Job) -> None:
        a = job_with_files().to("inputs")
        for run in (1, 2):
            assert a.record.setup.sidecar_runs == run
            assert a.tell(said(report.Refused(n=1, error="cut"))).asks(blind=True) == actions.Create()
            assert a.tell(facts.Prepared(Created("w", "s", 0, 0))).asks(blind=True) == actions.StartSidecar()
            a.tell(facts.SidecarStarting()).look(
                a.container("created"), a.container("running"), drained=False
            )
        a.tell(said(report.Refused(n=1, error="cut")))
        assert (a.record.status, a.record.reason) == ("failed", "input-failed")

    def test_an_order_that_a_killed_jobd_did_not_send_counts_as_no_run(self, job_with_files: Job) -> None:
        a = job_with_files().to("inputs")
        for _ in range(5):
            a.tell(facts.Reported(report.Refused(n=1, error="no order"), order_given=False))
            assert a.asks(blind=True) == actions.Create()
            a.tell(facts.Prepared(Created("w", "s", 0, 0)), facts.SidecarStarting())
            a.look(a.container("created"), a.container("running"), drained=False)
        assert (a.record.setup.sidecar_runs, a.record.ended) == (1, False)

    def test_a_new_sidecars_reports_count_from_one_again(self, job_with_files: Job) -> None:
        a = (
            job_with_files()
            .to("inputs")
            .tell(said(report.Started(n=1)), said(report.Refused(n=2, error="cut")))
        )
        a.tell(
            facts.Prepared(Created("w", "s", 0, 0)),
            facts.SidecarStarting(),
            said(report.Started(n=1)),
            said(report.Ready(n=2)),
        )
        assert a.record.phase == "running"

    def test_an_early_end_of_a_sidecar_counts_only_after_its_reports(self, job_with_files: Job) -> None:
        a = job_with_files().to("inputs")
        ended = a.exited(1)
        before = a.record
        assert a.look(a.container("created"), ended, drained=False).record == before
        assert a.look(a.container("created"), ended).asks(blind=True) == actions.Create()

    def test_a_sidecar_that_never_starts_is_created_again(self, job_with_files: Job) -> None:
        a = job_with_files().created().tell(facts.SidecarStarting())
        stuck = a.container("created")
        assert a.later(9).look(stuck, stuck).asks(stuck, stuck) == actions.Wait(a.at(10))
        assert a.later(1).look(stuck, stuck).asks(blind=True) == actions.RemoveUnstarted("sidecar")
        assert a.tell(facts.NeverStarted("sidecar")).asks(blind=True) == actions.Create()

    def test_a_sidecar_that_was_removed_by_hand_loses_the_job(self, job_with_files: Job) -> None:
        a = job_with_files().to("inputs").look(job_with_files().container("created"), None)
        assert (a.record.status, a.record.reason) == ("failed", "lost")
        assert a.types == ["exit", "complete"]

    def test_inputs_that_take_over_an_hour_are_stopped(self, job_with_files: Job) -> None:
        a = job_with_files().to("inputs").later(3600).tell(facts.TimePassed())
        running = a.container("running")
        assert a.asks(None, running) == actions.Signal("sidecar", kill=True)
        a.tell(facts.StopSent(kill=True))
        assert a.asks(None, running) == actions.Wait(a.at(3601))
        a.look(None, running)
        assert a.asks(None, running) == actions.Signal("sidecar", kill=True)
        a.look(None, a.exited(137))
        assert (a.record.status, a.record.reason) == ("failed", "input-failed")

    def test_a_repeated_report_changes_nothing(self, job_with_files: Job) -> None:
        a = job_with_files().to("inputs").tell(done(3, "in"))
        before = a.record
        a.tell(done(3, "in", "failed"), done(2, "in"), said(report.InputsFailed(n=3, error="x")))
        assert a.record == before
        assert a.types == ["artifact"]

    def test_an_artifact_ends_once_and_unknown_artifacts_are_ignored(self, job_with_files: Job) -> None:
        a = job_with_files().to("inputs").tell(done(1, "in"), done(2, "in", "failed"), done(3, "other"))
        assert a.types == ["artifact"]
        assert a.record.attempt.artifacts["in"].status == "success"
        assert "other" not in a.record.attempt.artifacts

    @pytest.mark.parametrize("sent", [False, True])
    def test_an_artifacts_event_has_one_key_and_its_sender(self, job_with_files: Job, sent: bool) -> None:
        a = job_with_files().to("inputs").tell(done(1, "in", sent=sent))
        assert [(draft.key, draft.sent) for draft in a.drafts] == [("artifact-in", sent)]


class TestOutputs:
    def test_a_failed_output_fails_a_successful_run(self, job_with_files: Job) -> None:
        a = (
            job_with_files()
            .to("outputs")
            .tell(done(3, "out", "failed", error="gone"), said(report.Done(n=4, failed=["out"])))
        )
        assert a.types == ["start", "exit", "artifact", "complete"]
        assert (a.record.status, a.record.reason, a.record.error) == (
            "failed",
            "output-failed",
            "outputs failed: out",
        )
        assert a.record.exit_code == 0
        assert a.data("exit")["exitCode"] == 0

    def test_a_failed_optional_output_does_not_fail_the_job(self, job_with_files: Job) -> None:
        a = (
            job_with_files()
            .to("outputs")
            .tell(done(3, "out", "failed", optional=True), said(report.Done(n=4)))
        )
        assert a.record.status == "completed"
        assert a.data("complete")["artifacts"][1] == {"id": "out", "type": "read", "status": "failed"}

    def test_the_workers_own_failure_stays_the_reason(self, job_with_files: Job) -> None:
        a = job_with_files().to("running").look(job_with_files().exited(2)).tell(facts.LogsDrained())
        a.tell(said(report.Done(n=3, failed=["out"])))
        assert a.record.reason == "exit-code"

    @pytest.mark.parametrize("sidecar", ["removed", "ended"])
    def test_a_sidecar_that_is_removed_early_fails_the_outputs(
        self, job_with_files: Job, sidecar: str
    ) -> None:
        a = job_with_files().to("outputs")
        a.look(a.exited(0), None if sidecar == "removed" else a.exited(9))
        assert (a.record.status, a.record.reason) == ("failed", "output-failed")
        assert a.types[-1] == "complete"

    def test_reports_are_read_before_the_end_of_a_sidecar_counts(self, job_with_files: Job) -> None:
        a = job_with_files().to("outputs")
        a.look(a.exited(0), a.exited(0), drained=False)
        assert a.record.phase == "outputs"
        a.tell(done(3, "out"), said(report.Done(n=4))).look(a.exited(0), a.exited(0))
        assert a.record.status == "completed"

    def test_outputs_that_take_over_an_hour_are_stopped(self, job_with_files: Job) -> None:
        a = job_with_files().to("outputs").later(3600).tell(facts.TimePassed())
        assert a.asks(a.exited(0), a.container("running")) == actions.Signal("sidecar", kill=True)
        a.tell(facts.StopSent(kill=True)).look(a.exited(0), a.exited(137))
        assert (a.record.status, a.record.reason) == ("failed", "output-failed")


class TestTimeout:
    def test_the_worker_is_asked_to_end_and_killed_after_the_grace_period(self, job: Job) -> None:
        a = job(timeout_seconds=60).to("running")
        running = a.container("running")
        assert a.asks(running) == actions.Wait(a.at(60))
        assert a.later(59).tell(facts.TimePassed()).asks(running) == actions.Wait(a.at(60))
        assert a.later(1).tell(facts.TimePassed()).asks(running) == actions.Signal("worker", kill=False)
        assert a.tell(facts.StopSent(kill=False)).asks(running) == actions.Wait(a.at(70))
        assert a.later(10).asks(running) == actions.Signal("worker", kill=True)
        assert a.tell(facts.StopSent(kill=True)).asks(running) == actions.Wait(None)
        a.look(a.exited(137)).tell(facts.LogsDrained())
        assert (a.record.status, a.record.reason, a.record.exit_code) == ("failed", "timeout", 137)
        assert a.data("exit")["error"] == "stopped after 60 seconds (timeoutSeconds)"

    def test_the_limit_counts_from_the_workers_start_also_without_jobd(self, job: Job) -> None:
        a = job(timeout_seconds=60).to("ready").later(1000).tell(facts.WorkerStarting())
        late = a.container("running", started_at=a.at(1000))
        assert a.look(late).asks(late) == actions.Wait(a.at(1060))
        a.later(5000)
        assert a.asks(late) == actions.Wait(a.at(1060))
        assert a.tell(facts.TimePassed()).asks(late) == actions.Signal("worker", kill=False)

    def test_a_worker_that_ends_before_its_limit_is_not_timed_out(self, job: Job) -> None:
        a = (
            job(timeout_seconds=60)
            .to("running")
            .look(job().exited(0))
            .later(1000)
            .tell(facts.TimePassed(), facts.LogsDrained())
        )
        assert a.record.status == "completed"


STATIONS = ["queued", "pulling", "creating", "inputs", "ready", "running", "drained", "outputs"]


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
    @pytest.mark.parametrize("station", STATIONS)
    @pytest.mark.parametrize("delete", [False, True])
    def test_a_job_ends_from_every_phase(self, job_with_files: Job, station: str, delete: bool) -> None:
        a = job_with_files().to(station)
        a.tell(facts.CancelRequested(by="uid 1000", grace_s=0, delete=delete))
        end_of_all(a)
        assert (a.record.status, a.record.reason, a.record.cancel.by) == (
            "cancelled",
            "cancelled",
            "uid 1000",
        )
        assert a.types.count("exit") == 1
        assert a.types[-1] == "complete"
        assert a.types.count("start") == (station in ("running", "drained", "outputs"))
        assert (a.record.removal is not None) is delete
        assert a.data("complete")["status"] == "cancelled"

    @pytest.mark.parametrize("station", ["queued", "pulling", "creating", "ready", "running", "drained"])
    def test_a_job_without_artifacts_ends_from_every_phase(self, job: Job, station: str) -> None:
        a = job().to(station).tell(facts.CancelRequested(by="x", grace_s=0, delete=False))
        end_of_all(a)
        assert a.record.status == "cancelled"
        if station in ("queued", "pulling", "creating", "ready"):
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
            facts.Prepared(Created("w", None, 0, 0)),
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
        a = job_with_files().to("inputs").tell(said(report.Refused(n=1, error="cut")))
        assert a.asks(blind=True) == actions.Create()
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


def test_a_log_that_is_drained_again_announces_no_second_exit(job_with_files: Job) -> None:
    a = job_with_files().to("outputs")
    before = a.record
    assert a.tell(facts.LogsDrained()).record == before
    assert a.types == ["start", "exit"]


LATE: list[facts.Fact] = [
    facts.Admitted(),
    facts.ImageReady(IMAGE),
    facts.Prepared(Created("w9", "s9", 1, 1)),
    facts.SetupFailed("image-not-found", "late"),
    facts.SidecarStarting(),
    facts.WorkerStarting(),
    facts.WorkerStartFailed(127, "late"),
    facts.OutputsTold(),
    facts.LogsDrained(),
    facts.TimePassed(),
    facts.Reported(report.Ready(n=99)),
    facts.Reported(report.InputsFailed(n=99, error="late")),
    facts.Reported(report.Done(n=99)),
]


@pytest.mark.parametrize("fact", LATE, ids=lambda fact: type(fact).__name__)
def test_a_fact_that_comes_after_the_end_changes_nothing(job_with_files: Job, fact: facts.Fact) -> None:
    a = job_with_files().to("outputs").tell(said(report.Done(n=3)))
    before, events = a.record, a.types
    assert a.tell(fact).record == before
    assert a.types == events


@pytest.mark.parametrize("station", ["drained", "outputs"])
@pytest.mark.parametrize(
    "fact",
    [
        facts.SetupFailed("input-failed", "late"),
        facts.WorkerStartFailed(127, "late"),
        facts.WorkerStarting(),
        facts.SidecarStarting(),
    ],
)
def test_a_fact_of_the_start_that_comes_after_the_workers_end_announces_no_second_exit(
    job_with_files: Job, station: str, fact: facts.Fact
) -> None:
    a = job_with_files().to(station)
    before, events = a.record, a.types
    assert a.tell(fact).record == before
    assert a.types == events
