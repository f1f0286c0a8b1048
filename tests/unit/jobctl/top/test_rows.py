"""The rows of `top` and their order."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jobctl.top.active_jobs import Counts, ordered, summary
from jobctl.top.rows import COLUMNS, row

NOW = datetime(2030, 1, 31, 8, 0, tzinfo=UTC)


def job(job_id: str, **more: Any) -> dict[str, Any]:
    return {"id": job_id, "uid": f"u-{job_id}", "status": "running", "phase": "running", **more}


def test_running_jobs_come_first_then_queued_ones_then_ended_ones() -> None:
    active = [
        job("q2", status="accepted", phase="queued", queuePosition=2),
        job("q1", status="accepted", phase="queued", queuePosition=1),
        job("young", startedAt="2030-01-31T07:59:00Z"),
        job("old", startedAt="2030-01-31T07:00:00Z"),
    ]
    ended = [
        job("just", status="failed", phase="done", finishedAt="2030-01-31T07:59:30Z"),
        job("now", status="completed", phase="done", finishedAt="2030-01-31T07:59:59Z"),
        job("long-ago", status="completed", phase="done", finishedAt="2030-01-31T07:58:59Z"),
        job("young", status="completed", phase="done", finishedAt="2030-01-31T07:59:59Z"),
    ]
    shown = ordered(active, ended, NOW)
    assert [each["id"] for each in shown] == ["old", "young", "q1", "q2", "now", "just"]
    counts = Counts()
    assert [counts.count(each) for each in shown] == shown
    assert summary(counts) == "2 in progress, 2 queued, 2 just ended"
    counts.count(job("x", status="unreadable"))
    assert summary(counts).endswith("1 with a damaged record: jobctl explain ID")
    assert counts.total == 7


def test_a_row_shows_the_activity_and_use_of_a_job() -> None:
    limits = {"cpu": 0.5, "memory": 2048}
    running = job(
        "a", limits=limits, attempts=[{"number": 2}], startedAt="2030-01-31T07:58:00Z", lastLine="step 7"
    )
    assert row(running, NOW) == ["a", "running", "2m", "2", "- / 0.5", "- / 2 GiB", "step 7"]
    running["usage"] = {"cpuSeconds": 30.0, "memoryPeakBytes": 3 << 20}
    assert row(running, NOW)[4:6] == ["0.25 / 0.5", "3.0 MiB / 2 GiB"]
    assert row(running, NOW, cores=0.5)[4] == "0.50 / 0.5"
    waiting = job("b", status="accepted", phase="queued", waitingFor="a free place: number 1 in the queue")
    assert row(waiting, NOW)[-1] == "a free place: number 1 in the queue"
    paused = {**running, "paused": True, "waitingFor": "the job to be resumed"}
    assert (row(paused, NOW)[1], row(paused, NOW)[-1]) == ("paused", "the job to be resumed")
    inputs = job("c", phase="inputs", artifacts=[{"status": "pending", "doneBytes": 1024, "bytes": 2048}])
    assert row(inputs, NOW)[-1].endswith(": 1.0 KiB of 2.0 KiB")
    failed = job("d", status="failed", phase="done", reason="oom-killed", exitCode=137)
    assert row(failed, NOW)[1:2] + row(failed, NOW)[-1:] == ["failed", "oom-killed, exit 137"]


@given(st.dictionaries(st.sampled_from(["phase", "waitingFor", "startedAt", "image", "lastLine"]), st.text()))
def test_any_text_of_the_daemon_makes_a_row(texts: dict[str, str]) -> None:
    assert len(row(job("a", **texts), NOW)) == len(COLUMNS)
