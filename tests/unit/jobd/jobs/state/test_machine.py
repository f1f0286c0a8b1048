"""The main paths of a job through its states, fact by fact."""

import pytest

from jobd.jobs.port.model import Created, EndCause, Usage
from jobd.jobs.state import actions, facts
from jobd.wire import report
from tests.support.models.reports import IMAGE, Job, reported


class TestWithoutArtifacts:
    def test_a_job_that_succeeds(self, job: Job) -> None:
        a = job()
        assert a.asks(blind=True) == actions.Admit()
        assert a.tell(facts.Admitted()).asks(blind=True) == actions.Prepare()
        assert a.tell(facts.ImageReady(IMAGE)).asks(blind=True) == actions.Prepare()
        assert a.tell(facts.Prepared(Created("w", None))).asks(blind=True) == actions.StartWorker()
        assert (a.record.worker_id, a.record.image_digest) == ("w", "sha256:2")
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

    def test_out_of_memory_names_the_limit_and_the_measured_use(self, job: Job) -> None:
        ended = job().exited(137, cause=EndCause.OUT_OF_MEMORY)
        plain = job().to("running").look(ended).tell(facts.LogsDrained())
        assert plain.record.error == "killed by the kernel: over 512 MB of memory, the job's limit"
        measured = job().to("running").tell(facts.Measured(Usage(1.0, 400 << 20))).look(ended)
        assert measured.record.error == (
            "killed by the kernel: over 512 MB of memory, the job's limit; measured use: up to 400.0 MB"
        )

    @pytest.mark.parametrize("cause", list(EndCause), ids=lambda cause: cause.value)
    def test_each_cause_has_its_reason_unless_the_end_was_ordered(self, job: Job, cause: EndCause) -> None:
        lost = cause in (EndCause.ENGINE_STOPPED, EndCause.EVICTED, EndCause.NODE_LOST, EndCause.UNKNOWN)
        reasons = {
            EndCause.OUT_OF_MEMORY: "oom-killed",
            EndCause.DEADLINE: "timeout",
            EndCause.NOT_EXECUTED: "start-failed",
        }
        a = job().to("running").look(job().exited(9, cause=cause)).tell(facts.LogsDrained())
        assert a.record.reason == ("lost" if lost else reasons.get(cause, "exit-code"))
        assert a.record.exit_code == (None if lost else 9)
        request = facts.CancelRequested(by="me", grace_s=1.0, delete=False)
        b = job().to("running").tell(request).look(job().exited(9, cause=cause)).tell(facts.LogsDrained())
        assert (b.record.status, b.record.exit_code) == ("cancelled", 9)

    @pytest.mark.parametrize("code", [126, 127])
    @pytest.mark.parametrize(("error", "words"), [("no x", "no x"), ("", "the command cannot be executed")])
    def test_a_command_that_the_init_cannot_execute_has_failed_to_start(
        self, job: Job, code: int, error: str, words: str
    ) -> None:
        a = job().to("running").look(job().exited(code, cause=EndCause.NOT_EXECUTED, error=error))
        a.tell(facts.LogsDrained())
        assert a.types == ["start", "exit", "complete"]
        assert (a.record.status, a.record.reason, a.record.exit_code) == ("failed", "start-failed", code)
        assert a.data("exit")["exitCode"] == code
        assert a.record.error == words

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
    @pytest.mark.parametrize("phase", ["pulling", "creating"])
    def test_a_job_whose_setup_fails(self, job: Job, phase: str, reason: str) -> None:
        a = job().to(phase).tell(facts.SetupFailed(reason, "why"))
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
        assert a.tell(facts.NeverStarted("worker")).asks(blind=True) == actions.Prepare()
        assert a.tell(facts.Prepared(Created("w2", None))).asks(blind=True) == actions.StartWorker()
        a.tell(facts.WorkerStarting()).look(a.exited(0)).tell(facts.LogsDrained())
        assert a.types == ["start", "exit", "complete"]

    def test_an_ambiguous_start_that_happened_continues(self, job: Job) -> None:
        a = job().to("ready").tell(facts.WorkerStarting()).later(60).look(job().container("running"))
        assert a.record.status == "running"
        assert a.types == ["start"]


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


def test_a_log_that_is_drained_again_announces_no_second_exit(job_with_files: Job) -> None:
    a = job_with_files().to("outputs")
    before = a.record
    assert a.tell(facts.LogsDrained()).record == before
    assert a.types == ["start", "exit"]


LATE: list[facts.Fact] = [
    facts.Admitted(),
    facts.ImageReady(IMAGE),
    facts.Prepared(Created("w9", "s9")),
    facts.SetupFailed("image-not-found", "late"),
    facts.SidecarStarting(),
    facts.WorkerStarting(),
    facts.WorkerStartFailed(127, "late"),
    facts.SidecarNotified(),
    facts.LogsDrained(),
    facts.TimePassed(),
    facts.Reported(report.Ready(n=99)),
    facts.Reported(report.InputsFailed(n=99, error="late")),
    facts.Reported(report.Done(n=99)),
]


@pytest.mark.parametrize("fact", LATE, ids=lambda fact: type(fact).__name__)
def test_a_fact_that_comes_after_the_end_changes_nothing(job_with_files: Job, fact: facts.Fact) -> None:
    a = job_with_files().to("outputs").tell(reported(report.Done(n=3)))
    before, events = a.record, a.types
    assert a.tell(fact).record == before
    assert a.types == events


@pytest.mark.parametrize("phase", ["drained", "outputs"])
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
    job_with_files: Job, phase: str, fact: facts.Fact
) -> None:
    a = job_with_files().to(phase)
    before, events = a.record, a.types
    assert a.tell(fact).record == before
    assert a.types == events
