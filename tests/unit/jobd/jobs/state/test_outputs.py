"""Failed, optional and late outputs: how a job ends."""

import pytest

from jobd.jobs.state import actions, facts
from jobd.wire import report
from tests.support.models.reports import Job, done, reported


class TestOutputs:
    def test_a_failed_output_fails_a_successful_run(self, job_with_files: Job) -> None:
        a = (
            job_with_files()
            .to("outputs")
            .tell(done(3, "out", "failed", error="gone"), reported(report.Done(n=4, failed=["out"])))
        )
        assert a.types == ["start", "exit", "artifact", "complete"]
        assert (a.record.status, a.record.reason, a.record.error) == (
            "failed",
            "output-failed",
            "output 'out' (read) failed: gone",
        )
        assert a.record.exit_code == 0
        assert a.data("exit")["exitCode"] == 0

    def test_several_failed_outputs_are_named_with_the_first_ones_error(self, job_with_files: Job) -> None:
        a = job_with_files().to("outputs")
        a.tell(done(3, "out", "failed", error="gone"), reported(report.Done(n=4, failed=["out", "in"])))
        assert a.record.error == "output 'out' (read) failed: gone; in failed too"

    def test_without_an_error_the_failed_outputs_are_named(self, job_with_files: Job) -> None:
        a = job_with_files().to("outputs").tell(reported(report.Done(n=4, failed=["out"])))
        assert a.record.error == "outputs failed: out"

    def test_a_failed_optional_output_does_not_fail_the_job(self, job_with_files: Job) -> None:
        a = (
            job_with_files()
            .to("outputs")
            .tell(done(3, "out", "failed", optional=True), reported(report.Done(n=4)))
        )
        assert a.record.status == "completed"
        assert a.data("complete")["artifacts"][1] == {"id": "out", "type": "read", "status": "failed"}

    def test_the_workers_own_failure_stays_the_reason(self, job_with_files: Job) -> None:
        a = job_with_files().to("running").look(job_with_files().exited(2)).tell(facts.LogsDrained())
        a.tell(reported(report.Done(n=3, failed=["out"])))
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
        a.tell(done(3, "out"), reported(report.Done(n=4))).look(a.exited(0), a.exited(0))
        assert a.record.status == "completed"

    def test_outputs_that_take_over_an_hour_are_stopped(self, job_with_files: Job) -> None:
        a = job_with_files().to("outputs").later(3600).tell(facts.TimePassed())
        assert a.asks(a.exited(0), a.container("running")) == actions.Signal("sidecar", kill=True)
        a.tell(facts.StopSent(kill=True)).look(a.exited(0), a.exited(137))
        assert (a.record.status, a.record.reason) == ("failed", "output-failed")
