"""Waits and streams of the Python client: limits in time, ends, threads, a daemon that stays away."""

import threading
from typing import Any

import pytest

from jobctl.client import (
    Client,
    Conflict,
    ConnectionLost,
    JobCancelled,
    JobView,
    Misuse,
    NotFound,
    Unreachable,
    WaitTimedOut,
)
from tests.support.daemon import Daemon, until

DEADLINE_S = 30.0


def notes(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", ()))


def test_a_daemon_that_stays_away_ends_calls_and_waits(daemon: Any) -> None:
    with Client(str(daemon.socket_path), reconnect_for=0.2) as client:
        job = client.submit("busybox", id="waits")
        daemon.stop()
        with pytest.raises(ConnectionLost, match=r"could not be reached for 0.2 s"):
            job.wait(DEADLINE_S)
        with pytest.raises(ConnectionLost, match=r"could not be reached for 0.2 s"):
            job.refresh()
        with pytest.raises((ConnectionLost, Unreachable)):
            client.submit("busybox")
        with pytest.raises(ConnectionLost, match=r"could not be reached for 0.2 s"):
            list(job.logs(follow=True))
        with pytest.raises(ConnectionLost, match=r"could not be reached for 0.2 s"):
            list(client.events(follow=True))


def test_a_wait_ends_at_its_time_limit(client: Client, job_id: str) -> None:
    job = client.submit("busybox", ["true"], id=job_id)
    with pytest.raises(WaitTimedOut, match=f"{job_id} did not end within 0.1 s") as caught:
        job.wait(0.1)
    assert isinstance(caught.value, TimeoutError)
    assert "wait again, or cancel()" in notes(caught.value)
    with pytest.raises(WaitTimedOut):
        client.wait_all([job], timeout=0.1)
    with pytest.raises(WaitTimedOut):
        list(job.logs(follow=True, timeout=0.1))
    with pytest.raises(WaitTimedOut):
        list(job.events(follow=True, timeout=0.1))
    assert not job.has_ended


def test_many_threads_wait_for_jobs_through_one_thread(client: Client, job_id: str) -> None:
    jobs = [client.submit("busybox", ["true"], id=f"{job_id}-{n}") for n in range(20)]
    ended: list[str] = []

    def wait(job: Any) -> None:
        ended.append(job.wait(DEADLINE_S, check=False).reason)

    threads = [threading.Thread(target=wait, args=(job,)) for job in jobs for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: sum("jobctl-waits" in one.name for one in threading.enumerate()) == 1, "one thread waits")
    for job in jobs:
        job.cancel("no need")
    for thread in threads:
        thread.join(DEADLINE_S)
    assert ended == ["cancelled"] * 40
    until(lambda: not any("jobctl-waits" in one.name for one in threading.enumerate()), "no thread is left")


def test_a_cancelled_job_is_an_error_unless_it_is_not_checked(client: Client, job_id: str) -> None:
    job = client.submit("busybox", ["true"], id=job_id)
    job.cancel("enough")
    with pytest.raises(JobCancelled, match=f"{job_id} cancelled: .*enough") as caught:
        job.wait(DEADLINE_S)
    assert caught.value.job.id == job_id
    assert caught.value.job.cancel_reason == "enough"
    assert job.wait(check=False).status == "cancelled"
    with pytest.raises(Conflict):
        job.cancel()
    (same,) = client.as_completed([job])
    assert same is job
    with pytest.raises(JobCancelled):
        client.wait_all([job])


def test_a_job_that_is_removed_ends_its_wait(client: Client, job_id: str) -> None:
    job = client.submit("busybox", ["true"], id=job_id)
    removing = threading.Timer(0.2, client.job(job_id).delete)
    removing.start()
    with pytest.raises(NotFound, match=job_id):
        job.wait(DEADLINE_S)
    removing.join()


def test_a_closed_client_ends_its_waits_and_makes_no_requests(jobd: Daemon, job_id: str) -> None:
    client = Client(f"unix://{jobd.socket}")
    job = client.submit("busybox", id=job_id)
    closing = threading.Timer(0.2, client.close)
    closing.start()
    with pytest.raises(Misuse, match="the client is closed"):
        job.wait(DEADLINE_S)
    with pytest.raises(Misuse, match="the client is closed"):
        client.submit("busybox")
    with pytest.raises(Misuse, match="the client is closed"):
        client.version()
    with Client(f"unix://{jobd.socket}") as other:
        other.job(job_id).delete()


@pytest.mark.timeout(DEADLINE_S)
def test_a_stream_is_ended_by_another_thread(client: Client, job_id: str) -> None:
    job = client.submit("busybox", id=job_id)
    lines = job.logs(follow=True)
    closing = threading.Timer(0.2, lines.close)
    closing.start()
    assert list(lines) == []
    with job.events(follow=True) as events:
        threading.Timer(0.2, events.close).start()
        assert list(events) == []


def test_pauses_between_looks_grow_with_the_wait(daemon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long wait costs the daemon few requests."""
    with Client(str(daemon.socket_path)) as client:
        job = client.submit("busybox", id="long")
        looks: list[str] = []
        view = client._core.view

        def look(asked_for: str) -> JobView:
            looks.append(asked_for)
            return view(asked_for)

        monkeypatch.setattr(client._core, "view", look)
        with pytest.raises(WaitTimedOut):
            job.wait(1.5)
        assert 0 < len(looks) < 60
