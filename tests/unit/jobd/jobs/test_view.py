"""A job's view for clients, with the text of what the job waits for."""

from collections.abc import Callable
from typing import Any

import pytest

from jobd.jobs.admission.scheduling.waits import Wait, WaitReason
from jobd.jobs.port.model import ImagePull, Progress
from jobd.jobs.state import facts
from jobd.jobs.view import view_of
from jobd.wire import report
from jobd.wire.views.job import ArtifactView, AttemptView, JobView, LimitsView, PullView

Job = Callable[..., Any]


def seen(walk: Any, position: int | None = None, progress: Progress | None = None) -> JobView:
    return view_of(walk.record, walk.spec, queue_position=position, progress=progress, retention_s=900)


def test_a_job_that_was_just_accepted(job: Job) -> None:
    view = seen(job(labels={"team": "x"}, command="true", cpu=2), position=3)
    assert (view.id, view.status, view.phase, view.queue_position) == ("a", "accepted", "queued", 3)
    assert view.waiting_for == "a free place: number 3 in the queue"
    assert view.limits == LimitsView(cpu=2, memory=512, pids=4096, timeout_seconds=1800)
    assert (view.meta, view.labels, view.owner, view.command) == ({"k": "v"}, {"team": "x"}, "1000", "true")
    assert (view.attempts, view.exit_code, view.started_at, view.files_until) == ([], None, None, None)
    assert view.created_at == "2030-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("wait", "words"),
    [
        (Wait(WaitReason.DEPENDENCY), "the end of other jobs: number 2 in the queue"),
        (Wait(WaitReason.PAUSED), "the queue to be resumed: number 2 in the queue"),
        (Wait(WaitReason.GROUP_PAUSED), "group 'gpu' to be resumed: number 2 in the queue"),
        (Wait(WaitReason.ENGINE), "the container engine to answer: number 2 in the queue"),
        (Wait(WaitReason.MACHINE), "more than this machine has now: number 2 in the queue"),
        (
            Wait(WaitReason.GROUP_LIMIT, 3),
            "a free place in group 'gpu', which runs 3 at once: number 2 in the queue",
        ),
        (Wait(WaitReason.PLACE), "a free place: number 2 in the queue"),
        (Wait(WaitReason.GPUS, 1, 0), "1 GPU, of which 0 are free: number 2 in the queue"),
        (Wait(WaitReason.GPUS, 2, 1), "2 GPUs, of which 1 is free: number 2 in the queue"),
        (
            Wait(WaitReason.MEMORY, 900, 248),
            "900 MB of memory, of which 248 MB are free: number 2 in the queue",
        ),
        (Wait(WaitReason.CPUS, 1500, 1000), "1.5 cores, of which 1 is free: number 2 in the queue"),
        (Wait(WaitReason.TURN), "its turn: number 2 in the queue"),
    ],
)
def test_a_queued_jobs_view_names_the_obstacle(job: Job, wait: Wait, words: str) -> None:
    walk = job(group="gpu", priority=7)
    view = view_of(walk.record, walk.spec, queue_position=2, progress=None, retention_s=900, wait=wait)
    assert (view.waiting_for, view.priority, view.group) == (words, 7, "gpu")


@pytest.mark.parametrize(
    ("phase", "progress", "words"),
    [
        ("queued", None, "a free place"),
        ("pulling", None, "the image and the containers"),
        ("pulling", "pulling 1 / 2 MB", "pulling 1 / 2 MB"),
        ("inputs", None, "its inputs"),
        ("running", None, "the command to end"),
        ("outputs", None, "its outputs"),
    ],
)
def test_a_view_says_what_a_job_waits_for(
    job_with_files: Job, phase: str, progress: str | None, words: str
) -> None:
    assert seen(job_with_files().to(phase), progress=progress).waiting_for == words


def test_a_stopping_job_waits_for_its_containers(job: Job) -> None:
    walk = job().to("running").tell(facts.CancelRequested(by="x", grace_s=1, delete=False))
    assert seen(walk).waiting_for == "its containers to stop"
    assert seen(walk).cancelled_by == "x"


def test_an_ended_jobs_view_has_its_end_and_the_expiry_of_its_files(job: Job) -> None:
    walk = (
        job()
        .to("ready")
        .tell(facts.WorkerStarting())
        .later(60)
        .look(job().exited(3))
        .tell(facts.LogsDrained())
    )
    view = seen(walk)
    assert (view.status, view.reason, view.exit_code, view.waiting_for) == ("failed", "exit-code", 3, None)
    assert view.error == "the command exited with code 3"
    assert view.finished_at == "2030-01-01T00:01:00.000000Z"
    assert view.files_until == "2030-01-01T00:16:00.000000Z"
    assert view.attempts == [
        AttemptView(
            number=1,
            exit_code=3,
            reason="exit-code",
            started_at="2030-01-01T00:00:05.000000Z",
            finished_at="2030-01-01T00:00:09.000000Z",
        )
    ]
    assert seen(walk.tell(facts.Cleaned())).files_until is None


def test_artifacts_show_their_progress_and_their_end(job_with_files: Job) -> None:
    walk = (
        job_with_files()
        .to("inputs")
        .tell(facts.Reported(report.Progress(n=1, artifact_id="in", bytes=5, total=9)))
    )
    assert seen(walk).artifacts == [
        ArtifactView(id="in", type="write", status="pending", bytes=9, done_bytes=5),
        ArtifactView(id="out", type="read", status="pending"),
    ]
    walk.tell(
        facts.Reported(
            report.ArtifactDone(n=2, artifact_id="in", artifact_type="write", status="failed", error="no")
        )
    )
    assert seen(walk).artifacts[0] == ArtifactView(id="in", type="write", status="failed", error="no")


def test_a_pull_shows_its_bytes_and_layers_only_while_it_pulls(job: Job) -> None:
    pull = ImagePull(3_000_000, 12_000_000, 3, 7)
    view = seen(job().to("pulling"), progress=pull)
    assert view.pull == PullView(done_bytes=3_000_000, bytes=12_000_000, layers_done=3, layers=7)
    assert view.waiting_for == "pulling 3.0 / 12.0 MB, 3 of 7 layers"
    assert seen(job().to("pulling"), progress="another try: busy").pull is None
    assert seen(job().to("running"), progress=pull).pull is None
