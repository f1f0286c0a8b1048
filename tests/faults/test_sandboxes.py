"""Network sandboxes under faults: killed before, during and after a job; jobd and the engine killed with a full pool."""

import contextlib
import signal
import uuid
from collections.abc import Callable
from typing import Any

import docker
import pytest

from tests.support.daemon import Daemon, Receiver, until
from tests.support.engine.second_engine import SecondEngine
from tests.support.engine.starts import Starts
from tests.support.invariants import check_events, delivered

POOL = {"SANDBOX_POOL": "3"}


class Pool:
    """A daemon's sandboxes, as the engine shows them."""

    def __init__(self, daemon: Daemon, client: docker.DockerClient) -> None:
        self.daemon = daemon
        self.client = client

    @property
    def instance(self) -> str:
        return (self.daemon.folder / "state" / "instance").read_text().strip()

    def ids(self) -> set[str]:
        mine: Any = {"label": [f"job.instance={self.instance}", "job.type=sandbox"]}
        return {one["Id"] for one in self.client.api.containers(all=True, filters=mine)}

    def kill_all(self) -> None:
        for sandbox in self.ids():
            with contextlib.suppress(docker.errors.APIError):  # one that is just being started or removed
                self.client.api.kill(sandbox)

    def of(self, job_id: str, role: str = "worker") -> str:
        """The sandbox that a job's container has joined; empty: none."""
        mode: str = self.client.api.inspect_container(f"job-{job_id}-{role}")["HostConfig"]["NetworkMode"]
        return mode.removeprefix("container:") if mode.startswith("container:") else ""

    def fill(self, image: str, count: int = 3) -> "Pool":
        """Runs several jobs at once, so that the pool is full afterwards."""
        jobs = [
            self.daemon.submit(id=f"fill-{uuid.uuid4().hex[:12]}", image=image, command="sleep 1")
            for _ in range(count)
        ]
        for job in jobs:
            self.daemon.ended(job)
        until(lambda: len(self.ids()) >= count, "the pool is full")
        return self


@pytest.fixture
def pool(make_daemon: Callable[..., Daemon], docker_client: docker.DockerClient, worker_image: str) -> Pool:
    return Pool(make_daemon(environ=POOL).start(), docker_client).fill(worker_image)


def submit(daemon: Daemon, receiver: Receiver, job_id: str, image: str, command: str, **spec: Any) -> None:
    daemon.submit(
        id=job_id, image=image, command=command, callback={"url": receiver.url(f"/{job_id}")}, **spec
    )


def running(daemon: Daemon, job_id: str) -> None:
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json.get("startedAt"), "the job runs")


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine", injection="all sandboxes are killed before a job", invariant="the job runs, once"
)
def test_sandboxes_are_killed_before_a_job(
    pool: Pool, receiver: Receiver, starts: Starts, worker_image: str, job_id: str
) -> None:
    pool.kill_all()
    submit(pool.daemon, receiver, job_id, worker_image, "exit 5")
    assert pool.daemon.ended(job_id)["exitCode"] == 5
    check_events(delivered(receiver, f"/{job_id}"), exit_code=5, status="failed")
    assert starts.of(job_id) == 1


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine",
    injection="the sandbox is killed while inputs are loaded, before the worker's start",
    invariant="the worker is created again and runs once; the inputs are there",
)
def test_a_sandbox_is_killed_while_inputs_are_loaded(
    pool: Pool, receiver: Receiver, starts: Starts, worker_image: str, job_id: str
) -> None:
    inputs = [{"id": f"in{n}", "type": "write", "in": "x" * 1000, "out": f"in{n}"} for n in range(60)]
    submit(pool.daemon, receiver, job_id, worker_image, "cat in59", artifacts=inputs)

    def sandbox() -> str:
        try:
            return pool.of(job_id)
        except docker.errors.NotFound:
            return ""

    pool.client.api.kill(until(sandbox, "the containers are created"))
    view = pool.daemon.ended(job_id)
    assert view["status"] == "completed", view
    check_events(delivered(receiver, f"/{job_id}"), exit_code=0, status="completed")
    assert starts.of(job_id) == 1


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine",
    injection="the sandbox is killed while the worker runs",
    invariant="the worker keeps running; its failure names the lost network",
)
def test_a_sandbox_is_killed_under_a_job(
    pool: Pool, receiver: Receiver, worker_image: str, job_id: str
) -> None:
    wait = "while [ -e /sys/class/net/eth0 ]; do sleep 0.1; done; exit "
    failing, fine = f"{job_id}-failing", f"{job_id}-fine"
    submit(pool.daemon, receiver, failing, worker_image, f"{wait} 4")
    submit(pool.daemon, receiver, fine, worker_image, f"{wait} 0")
    for job in (failing, fine):
        running(pool.daemon, job)
        pool.client.api.kill(pool.of(job))
    view = pool.daemon.ended(failing)
    assert (view["status"], view["exitCode"]) == ("failed", 4)
    assert "its network had ended before" in view["error"]
    assert pool.daemon.ended(fine)["status"] == "completed"
    check_events(delivered(receiver, f"/{failing}"), exit_code=4, status="failed")


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine", injection="the sandbox is killed after a job", invariant="files and log are still there"
)
def test_a_sandbox_is_killed_after_a_job(pool: Pool, worker_image: str, job_id: str) -> None:
    pool.daemon.submit(id=job_id, image=worker_image, command="echo kept > kept; echo said")
    pool.daemon.ended(job_id)
    pool.kill_all()
    copied = pool.daemon.jobctl("cp", f"{job_id}:kept", "-")
    assert copied.returncode == 0, copied.stderr
    assert pool.daemon.jobctl("logs", job_id).stdout == "said\n"


@pytest.mark.fast
@pytest.mark.fault(
    row="Crash",
    injection="jobd is killed (-9) with a full pool and a running job",
    invariant="idle sandboxes end with jobd; the job keeps its network, and its sandbox goes after it",
)
def test_jobd_is_killed_with_a_full_pool(
    pool: Pool, receiver: Receiver, worker_image: str, job_id: str
) -> None:
    submit(
        pool.daemon,
        receiver,
        job_id,
        worker_image,
        "while [ ! -e go ]; do sleep 0.1; done; test -e /sys/class/net/eth0",
    )
    running(pool.daemon, job_id)
    used = pool.of(job_id)
    assert used
    pool.daemon.kill()
    until(lambda: pool.ids() == {used}, "the idle sandboxes have ended")
    pool.daemon.start()
    pool.client.containers.get(f"job-{job_id}-worker").exec_run("touch /workspace/go")
    assert pool.daemon.ended(job_id)["status"] == "completed"
    check_events(delivered(receiver, f"/{job_id}"), exit_code=0, status="completed")
    until(lambda: used not in pool.ids(), "the sandbox of the ended job is removed")


@pytest.mark.fast
@pytest.mark.fault(row="Crash", injection="SIGTERM with a full pool", invariant="no sandbox is left")
def test_after_sigterm_no_sandbox_is_left(pool: Pool) -> None:
    assert pool.daemon.stop() == 0
    assert pool.ids() == set()


@pytest.mark.alone
@pytest.mark.fault(
    row="Engine",
    injection="dockerd is killed (-9), and stopped, with a full pool",
    invariant="jobs run before and after; no sandbox of the engine before is left",
)
def test_the_engine_restarts_with_a_full_pool(
    make_daemon: Callable[..., Daemon], second: SecondEngine, worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"DOCKER_HOST": second.url, **POOL}).start()
    client = second.client()
    pool = Pool(daemon, client).fill(worker_image)
    for number in (signal.SIGKILL, signal.SIGTERM):
        before = pool.ids()
        second.signal(number)
        second.ended()
        second.start()
        job = daemon.submit(id=f"after-{number}-{job_id}", image=worker_image, command="echo on", retries=3)
        assert daemon.ended(job, 120)["status"] == "completed"
        until(lambda before=before: not before & pool.ids(), "the old sandboxes are gone")  # type: ignore[misc]
        pool.fill(worker_image)
    assert daemon.stop() == 0
    assert pool.ids() == set()
    client.close()
