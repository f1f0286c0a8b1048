"""Submissions, lists and errors of the Python client, with a daemon that loses answers, is away, or runs no job."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jobctl.client import (
    AsyncClient,
    Client,
    Conflict,
    InvalidJob,
    JobctlError,
    LocalFile,
    Misuse,
    NotAllowed,
    NotFound,
    Unreachable,
    WaitTimedOut,
)
from tests.support.daemon import Daemon

DEADLINE_S = 30.0


@pytest.fixture
def client(jobd: Daemon) -> Iterator[Client]:
    with Client(f"unix://{jobd.socket}") as made:
        yield made


def notes(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", ()))


def test_an_answer_that_is_lost_is_asked_for_again_and_the_job_is_submitted_once(daemon: Any) -> None:
    daemon.lose_answers = 2
    with Client(str(daemon.socket_path)) as client:
        client.version()
        job = client.submit("busybox", ["true"], id="once")
    posts = [headers for method, path, headers in daemon.requests if method == "POST"]
    assert job.id == "once"
    assert [("Idempotency-Key" in headers) for headers in posts] == [False, True, True]
    assert list(daemon.jobs) == ["once"]


def test_a_submission_waits_for_a_daemon_that_is_away(daemon: Any) -> None:
    with Client(str(daemon.socket_path)) as client:
        client.version()
        daemon.stop()
        starting = threading.Timer(0.3, daemon.start)
        starting.start()
        assert client.submit("busybox", id="late").id == "late"
        starting.join()
        # nothing was sent before: an id that another job has would have been refused
        (post,) = [headers for method, path, headers in daemon.requests if method == "POST"]
        assert "Idempotency-Key" not in post


def test_a_client_without_a_daemon_says_how_to_start_one_and_works_once_it_runs(daemon: Any) -> None:
    daemon.stop()
    with Client(str(daemon.socket_path)) as client:
        with pytest.raises(Unreachable, match="start it with: jobd"):
            client.submit("busybox")
        daemon.start()
        assert client.submit("busybox", id="now").status == "accepted"


def test_an_id_in_use_is_refused_unless_the_same_job_may_exist(client: Client, job_id: str) -> None:
    first = client.submit("busybox", ["true"], id=job_id)
    with pytest.raises(Conflict):
        client.submit("busybox", ["true"], id=job_id)
    assert client.submit("busybox", ["true"], id=job_id, exist_ok=True).view.uid == first.view.uid
    with pytest.raises(Conflict):
        client.submit("busybox", ["false"], id=job_id, exist_ok=True)


@pytest.mark.parametrize(
    ("given", "field", "text"),
    [
        ({"memory": "2"}, "memory", "needs a unit"),
        ({"timeout": "soon"}, "timeout", "is not a duration"),
        ({"image": "busy box"}, "image", "must be an image reference"),
        ({"image": None}, "image", "no image given"),
        ({"memroy": "2g"}, "memroy", "did you mean memory"),
        ({"env": {"A": 1}}, "environment", "expected `str`"),
        ({"env": {"A": "1"}, "environment": {}}, "environment", "is the same field as"),
        ({"labels": object()}, "labels", "which a job cannot contain"),
        ({"inputs": {"../x": "here"}}, "artifacts", "inputs: '../x' must be a path inside the workspace"),
        ({"inputs": {"x": "job:/y"}}, "artifacts", "there is no id after job:"),
        ({"outputs": {"/x": "here"}}, "artifacts", "outputs: '/x' must be a path inside the workspace"),
        ({"outputs": ["/x"]}, "outputs[0].path", "must be relative to the workspace"),
        ({"reads": ["../x"]}, "artifacts", "reads: '../x' must be a path inside the workspace"),
        ({"after": ["nothing-has-this-id"]}, "after[0].job", "no job"),
    ],
)
def test_a_wrong_field_is_named(client: Client, given: dict[str, Any], field: str, text: str) -> None:
    with pytest.raises(InvalidJob, match=r".*") as caught:
        client.submit(**{"image": "busybox", **given})
    assert caught.value.field == field
    assert text in str(caught.value)


def test_local_files_that_cannot_be_read_are_named(client: Client, tmp_path: Path) -> None:
    with pytest.raises(LocalFile, match="absent"):
        client.submit("busybox", inputs={"x": tmp_path / "absent"})
    with pytest.raises(LocalFile, match="absent"):
        client.submit(file=tmp_path / "absent.yaml")


def test_a_job_file_is_submitted_with_arguments_over_its_fields(
    client: Client, tmp_path: Path, job_id: str
) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("image: busybox\ncommand: [echo, hi]\nmemory: 64m\ntimeout: 5m\n")
    job = client.submit(file=file, memory="32m", id=job_id)
    limits = job.refresh().limits
    assert limits is not None
    assert (limits.memory, limits.timeout_seconds, job.view.command) == (32, 300, ["echo", "hi"])
    file.write_text("image: busybox\nmemory: 64\ntimeout: soon\n")
    with pytest.raises(InvalidJob, match=r"job.yaml:3:1: timeout: 'soon' is not a duration"):
        client.submit(file=file)
    file.write_text("jobs:\n  a: {image: busybox}\n")
    with pytest.raises(Misuse, match="has several jobs"):
        client.submit(file=file)


def test_jobs_are_listed(client: Client, job_id: str) -> None:
    before = datetime.now(UTC)
    made = [
        client.submit("busybox", id=f"{job_id}-{n}", labels={"run": job_id}, set=f"s-{job_id}")
        for n in range(3)
    ]
    made[0].cancel()
    made[0].wait(DEADLINE_S, check=False)
    newest_first = [f"{job_id}-{n}" for n in (2, 1, 0)]
    assert [job.id for job in client.jobs(labels={"run": job_id})] == newest_first
    assert [job.id for job in client.jobs(set=f"s-{job_id}", status="accepted")] == newest_first[:2]
    found = client.jobs(prefix=job_id, owner="me", since=before, status=["accepted", "cancelled"])
    assert [job.id for job in found] == newest_first
    assert made[0].has_ended
    with pytest.raises(Misuse, match="is not a status"):
        list(client.jobs(status="done"))
    with pytest.raises(Misuse, match="has no zone"):
        list(client.jobs(since=before.replace(tzinfo=None)))
    with pytest.raises(NotFound):
        client.job("nothing-has-this-id")


def test_threads_that_share_a_new_client_agree_on_the_daemon(jobd: Daemon) -> None:
    with Client(f"unix://{jobd.socket}") as client:
        found: list[str] = []
        threads = [threading.Thread(target=lambda: found.append(client.version().instance)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
    assert len(found) == 8
    assert len(set(found)) == 1


def test_over_tcp_the_key_is_sent(tmp_path: Path, job_id: str) -> None:
    daemon = Daemon(tmp_path / "d", environ={"DOCKER_HOST": "unix:///nonexistent"}, flags=()).start()
    try:
        key = (daemon.folder / "state" / "api-key").read_text().strip()
        with Client(daemon.http, api_key=key) as client:
            job = client.submit("busybox", id=job_id)
            with pytest.raises(WaitTimedOut):
                job.wait(0.1)
            with pytest.raises(WaitTimedOut):
                list(job.logs(follow=True, timeout=0.2))
        with Client(daemon.http, api_key="wrong") as client, pytest.raises(NotAllowed) as caught:
            client.submit("busybox")
        assert "key" in notes(caught.value)
    finally:
        daemon.stop()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(Misuse, match="is not an address"):
        Client("ftp://x")
    with pytest.raises(Misuse, match="is not an address"):
        AsyncClient("ftp://x")


def test_an_error_says_what_it_is_once(jobd: Daemon) -> None:
    with Client(f"unix://{jobd.socket}") as client:
        for _ in range(2):
            with pytest.raises(JobctlError) as caught:
                client.submit("busybox", inputs={"../x": "y"})
            assert notes(caught.value) == "remove the leading / and every .."
