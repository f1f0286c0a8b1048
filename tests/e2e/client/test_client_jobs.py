"""The Python client with real jobs: files in and out, logs, events, failures, dependencies, and a daemon that is killed meanwhile."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobctl.client import AsyncClient, Client, Conflict, Job, JobFailed, Misuse, NotFound, OutputMissing
from tests.support.daemon import Daemon, until

DEADLINE_S = 120.0
COUNTS = "for n in $(seq 40); do echo $n; sleep 0.1; done"


@pytest.fixture
def client(daemon: Daemon) -> Iterator[Client]:
    with Client(f"unix://{daemon.socket}") as made:
        yield made


def test_files_go_in_and_out(client: Client, worker_image: str, tmp_path: Path, job_id: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(bytes(range(256)))
    job = client.submit(
        worker_image,
        "cp in/a out; mkdir -p d/e; cp note d/e/f; cat note",
        id=job_id,
        inputs={"in": tmp_path / "in"},
        writes={"note": "text"},
        outputs={"out": tmp_path / "out", "d": f"{tmp_path}/"},
    )
    assert job.wait(DEADLINE_S) is job
    assert (tmp_path / "out").read_bytes() == bytes(range(256))
    assert (tmp_path / "d" / "e" / "f").read_text() == "text"
    assert job.output() == b"text"
    assert job.read("out") == bytes(range(256))
    (tmp_path / "out").unlink()
    job.wait(DEADLINE_S)
    assert not (tmp_path / "out").exists()  # outputs are copied once
    assert job.download("out", tmp_path / "again") == tmp_path / "again"
    assert (tmp_path / "again").read_bytes() == bytes(range(256))
    with pytest.raises(Misuse, match="is no file"):
        job.read("d")
    with pytest.raises(Misuse, match="is longer than 255 bytes"):
        job.read("out", max_bytes=255)
    with pytest.raises(Misuse, match="is longer than 3 bytes"):
        job.output(max_bytes=3)
    with pytest.raises((NotFound, OutputMissing)):
        job.download("absent", tmp_path / "absent")
    job.delete()
    with pytest.raises(NotFound):
        job.delete()


def test_outputs_that_are_only_named_are_kept(
    client: Client, worker_image: str, tmp_path: Path, job_id: str
) -> None:
    job = client.submit(worker_image, "echo x > made", id=job_id, outputs=["made"]).wait(DEADLINE_S)
    assert [(one.path, one.status) for one in job.refresh().outputs] == [("made", "kept")]
    assert client.job(job_id).download("made", tmp_path / "made").read_text() == "x\n"
    missing = client.submit(worker_image, "true", id=f"{job_id}-m", outputs=["absent"])
    with pytest.raises(JobFailed, match="absent") as caught:
        missing.wait(DEADLINE_S)
    assert caught.value.job.reason == "output-failed"


def test_a_failed_job_says_why(client: Client, worker_image: str, job_id: str) -> None:
    job = client.submit(worker_image, "echo oh >&2; exit 3", id=job_id)
    with pytest.raises(JobFailed, match=f"{job_id} failed: the command ended with exit code 3") as caught:
        job.wait(DEADLINE_S)
    assert (caught.value.job.exit_code, caught.value.job.reason) == (3, "exit-code")
    assert (job.exit_code, job.reason, job.status) == (3, "exit-code", "failed")
    assert job.output("stderr") == b"oh\n"
    assert job.output() == b""
    late = client.submit(worker_image, "sleep 60", id=f"{job_id}-t", timeout="1s", stop_timeout=0)
    with pytest.raises(JobFailed, match="ran longer than its limit") as caught:
        client.wait_all([client.submit(worker_image, "true", id=f"{job_id}-ok"), late], DEADLINE_S)
    assert caught.value.job.reason == "timeout"


def test_jobs_wait_for_jobs(client: Client, worker_image: str, job_id: str) -> None:
    first = client.submit(worker_image, "echo made > f", id=f"{job_id}-1")
    second = client.submit(
        worker_image, "cat f", id=f"{job_id}-2", after=[first], inputs={"f": f"job:{first.id}/f"}
    )
    assert [job.id for job in client.as_completed([second, first], DEADLINE_S)] == [first.id, second.id]
    assert second.output() == b"made\n"
    first.delete()

    def submitted() -> Job | None:
        try:
            return client.submit(worker_image, "true", id=first.id)
        except Conflict:  # the first job is still being deleted
            return None

    again = until(submitted, "the id is free").wait(DEADLINE_S)
    assert again.view.uid != first.view.uid
    with pytest.raises(NotFound, match="its id is that of another job now"):
        first.refresh()
    with pytest.raises(Conflict):
        again.cancel()


def test_a_daemon_killed_under_waits_and_streams_is_not_noticed(
    make_daemon: Callable[..., Daemon],
    worker_image: str,
    job_id: str,
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    """Over the Unix socket and over TCP with a key: sync and async waits, a log, events, and a submission during the outage."""
    port = free_port()
    daemon = make_daemon(environ={"PORT": str(port)}, flags=()).start()
    key = (daemon.folder / "state" / "api-key").read_text().strip()
    found: dict[str, object] = {}

    async def coroutine() -> None:
        async with AsyncClient(daemon.http, api_key=key) as other:
            job = await other.job(job_id)
            found["async"] = (await job.wait(DEADLINE_S)).exit_code
            found["lines of async"] = [line.text async for line in job.logs(follow=True, timeout=DEADLINE_S)]

    with Client(f"unix://{daemon.socket}") as local, Client(daemon.http, api_key=key) as remote:
        remote.version()
        job = local.submit(worker_image, COUNTS, id=job_id, outputs={".": f"{tmp_path}/copy"})
        lines = job.logs(follow=True, timeout=DEADLINE_S)
        first = next(lines)
        calls: dict[str, Callable[[], object]] = {
            "wait": lambda: job.wait(DEADLINE_S).exit_code,
            "wait over tcp": lambda: remote.job(job_id).wait(DEADLINE_S).status,
            "lines": lambda: [first.text, *(line.text for line in lines)],
            "events": lambda: [
                event.type for event in remote.job(job_id).events(follow=True, timeout=DEADLINE_S)
            ],
            "async": lambda: asyncio.run(coroutine()),
        }
        threads = [
            threading.Thread(target=lambda name=name, call=call: found.setdefault(name, call()), name=name)
            for name, call in calls.items()
        ]
        for thread in threads:
            thread.start()
        next(iter(local.job(job_id).logs(follow=True, timeout=DEADLINE_S)))
        daemon.kill()
        submitting = threading.Thread(
            target=lambda: found.update(late=local.submit(worker_image, "true", id=f"{job_id}-late").id)
        )
        submitting.start()
        daemon.start()
        for thread in (*threads, submitting):
            thread.join(DEADLINE_S)
            assert not thread.is_alive(), thread.name
        assert local.job(f"{job_id}-late").wait(DEADLINE_S).status == "completed"
    numbers = [str(n) for n in range(1, 41)]
    events = found.pop("events")
    assert isinstance(events, list)
    assert events[0] == "start"
    assert events[-2:] == ["exit", "complete"]
    assert found == {
        "wait": 0,
        "wait over tcp": "completed",
        "lines": numbers,
        "async": 0,
        "lines of async": numbers,
        "late": f"{job_id}-late",
    }
    assert (tmp_path / "copy").is_dir()
