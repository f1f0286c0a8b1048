"""A job with a sidecar through its states: inputs, reports and outputs, fact by fact."""

import pytest

from jobd.jobs.port.model import Created
from jobd.jobs.state import actions, facts
from jobd.wire import report
from jobd.wire.artifact import Read
from tests.support.models.reports import Job, done, reported, unread


class TestWithArtifacts:
    def test_a_job_that_succeeds(self, job_with_files: Job) -> None:
        a = job_with_files().created()
        running, created = a.container("running"), a.container("created")
        assert a.record.phase == "inputs"
        assert a.asks(blind=True) == actions.StartSidecar()
        assert a.tell(facts.SidecarStarting()).asks(blind=True) == actions.Observe()
        assert a.asks(created, created) == actions.Wait(a.at(10))
        assert a.look(created, running).asks(created, running) == actions.Wait(a.at(3600))
        a.tell(
            reported(report.Started(n=1)), reported(report.Progress(n=2, artifact_id="in", bytes=5, total=9))
        )
        assert (a.record.attempt.artifacts["in"].moved, a.record.attempt.artifacts["in"].bytes) == (5, 9)
        a.tell(done(3, "in", bytes=9))
        assert a.record.attempt.artifacts["in"].status == "success"
        assert a.tell(reported(report.Ready(n=4))).asks(blind=True) == actions.StartWorker()
        a.tell(facts.WorkerStarting()).look(running, running)
        a.look(a.exited(0), running).tell(facts.LogsDrained())
        assert a.types == ["artifact", "start", "exit"]
        assert a.record.phase == "outputs"
        assert a.asks(blind=True) == actions.TellSidecar(succeeded=True)
        assert a.tell(facts.SidecarNotified()).asks(blind=True) == actions.Observe()
        assert a.asks(a.exited(0), running) == actions.Wait(a.at(1))
        a.later(1)
        assert a.asks(a.exited(0), running) == actions.TellSidecar(succeeded=True)
        a.tell(reported(report.OutputsStarted(n=5)))
        assert a.asks(a.exited(0), running) == actions.Wait(a.at(3600))
        a.tell(done(6, "out", content={"x": [1, None]}), reported(report.Done(n=7)))
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
        a.tell(reported(report.OutputsStarted(n=3)), done(4, "out", "skipped"), reported(report.Done(n=5)))
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
        a.tell(reported(report.Done(n=3)))
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
            a.tell(unread(type="artifact", n=2, artifact_id="in"), reported(report.Ready(n=3))).record.phase
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
        a.tell(reported(report.Done(n=5)))
        assert a.record.reason == (None if optional else "output-failed")
        assert a.data("artifact")["status"] == "failed"

    def test_an_unreadable_report_during_the_run_fails_the_job_after_its_end(
        self, job_with_files: Job
    ) -> None:
        a = job_with_files().to("running").tell(unread(), unread(type="artifact", n=9, artifact_id="out"))
        assert a.record.status == "running"
        assert a.record.attempt.artifacts["out"].status == "pending"
        a.look(a.exited(0), a.container("running")).tell(facts.LogsDrained(), reported(report.Done(n=10)))
        assert (a.record.status, a.record.reason, a.record.exit_code) == ("failed", "output-failed", 0)

    def test_the_workers_own_failure_stays_the_reason(self, job_with_files: Job) -> None:
        a = (
            job_with_files()
            .to("running")
            .tell(unread())
            .look(job_with_files().exited(3))
            .tell(facts.LogsDrained())
        )
        assert a.tell(reported(report.Done(n=5))).record.reason == "exit-code"

    def test_an_input_that_fails_fails_the_job_before_its_start(self, job_with_files: Job) -> None:
        a = (
            job_with_files()
            .to("inputs")
            .tell(done(1, "in", "failed", error="404"), reported(report.InputsFailed(n=2, error="in: 404")))
        )
        assert a.types == ["artifact", "exit", "complete"]
        assert (a.record.status, a.record.reason, a.record.error) == ("failed", "input-failed", "in: 404")
        assert a.drafts[0].data["error"] == "404"

    def test_a_truncated_order_is_sent_to_a_new_sidecar_twice(self, job_with_files: Job) -> None:
        a = job_with_files().to("inputs")
        for run in (1, 2):
            assert a.record.setup.sidecar_runs == run
            assert a.tell(reported(report.Refused(n=1, error="cut"))).asks(blind=True) == actions.Prepare()
            assert a.tell(facts.Prepared(Created("w", "s"))).asks(blind=True) == actions.StartSidecar()
            a.tell(facts.SidecarStarting()).look(
                a.container("created"), a.container("running"), drained=False
            )
        a.tell(reported(report.Refused(n=1, error="cut")))
        assert (a.record.status, a.record.reason) == ("failed", "input-failed")

    def test_an_order_that_a_killed_jobd_did_not_send_counts_as_no_run(self, job_with_files: Job) -> None:
        a = job_with_files().to("inputs")
        for _ in range(5):
            a.tell(facts.Reported(report.Refused(n=1, error="no order"), order_given=False))
            assert a.asks(blind=True) == actions.Prepare()
            a.tell(facts.Prepared(Created("w", "s")), facts.SidecarStarting())
            a.look(a.container("created"), a.container("running"), drained=False)
        assert (a.record.setup.sidecar_runs, a.record.ended) == (1, False)

    def test_a_new_sidecars_reports_count_from_one_again(self, job_with_files: Job) -> None:
        a = (
            job_with_files()
            .to("inputs")
            .tell(reported(report.Started(n=1)), reported(report.Refused(n=2, error="cut")))
        )
        a.tell(
            facts.Prepared(Created("w", "s")),
            facts.SidecarStarting(),
            reported(report.Started(n=1)),
            reported(report.Ready(n=2)),
        )
        assert a.record.phase == "running"

    def test_an_early_end_of_a_sidecar_counts_only_after_its_reports(self, job_with_files: Job) -> None:
        a = job_with_files().to("inputs")
        ended = a.exited(1)
        before = a.record
        assert a.look(a.container("created"), ended, drained=False).record == before
        assert a.look(a.container("created"), ended).asks(blind=True) == actions.Prepare()

    def test_a_sidecar_that_never_starts_is_created_again(self, job_with_files: Job) -> None:
        a = job_with_files().created().tell(facts.SidecarStarting())
        stuck = a.container("created")
        assert a.later(9).look(stuck, stuck).asks(stuck, stuck) == actions.Wait(a.at(10))
        assert a.later(1).look(stuck, stuck).asks(blind=True) == actions.RemoveUnstarted("sidecar")
        assert a.tell(facts.NeverStarted("sidecar")).asks(blind=True) == actions.Prepare()

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
        a.tell(done(3, "in", "failed"), done(2, "in"), reported(report.InputsFailed(n=3, error="x")))
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
