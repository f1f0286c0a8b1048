"""Memory, file descriptors and time run out: acknowledged work is kept, and jobd continues afterwards."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.daemon import FAILPOINTS, Daemon, Receiver, until
from tests.support.engine.memory_kills import TRIES, told_of_memory_kill
from tests.support.invariants import check_events, delete, delivered
from tests.support.wire import connect

MB = 1 << 20
FLOOD_LOG_BYTES = 2 * MB
FLOOD_RSS_MB, QUEUE_RSS_MB = 160, 150
MANY, QUEUED = 200, 2000
DESCRIPTORS = 64


def peak_mb(daemon: Daemon) -> float:
    """Returns the daemon's peak memory."""
    assert daemon.process is not None
    for line in Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


def running(daemon: Daemon, job_id: str) -> None:
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json.get("status") == "running", f"{job_id} runs")


@pytest.mark.fault(
    row="Exhaustion",
    injection="two jobs say `yes` as fast as they can",
    invariant=f"log bounded and marked, memory < {FLOOD_RSS_MB} MB, the API answers",
)
@pytest.mark.alone
def test_log_floods(
    make_daemon: Callable[..., Daemon], docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"LOG_MAX_BYTES": str(FLOOD_LOG_BYTES)}).start()
    names = [f"{job_id}-{n}" for n in range(2)]
    for name in names:
        daemon.submit(id=name, image=worker_image, command="timeout 5 yes; exit 0")
    for name in names:
        running(daemon, name)
    answered = 0
    while any(daemon.call("GET", f"/v1/jobs/{name}").json["status"] == "running" for name in names):
        assert daemon.call("GET", "/v1/jobs").status == 200
        answered += 1
    assert answered > 5
    for name in names:
        assert daemon.ended(name)["exitCode"] == 0
        frames = daemon.log_lines(name)[:-1]
        assert "the log is full" in frames[-1]["gap"]
        assert sum(len(frame["line"]) for frame in frames) <= FLOOD_LOG_BYTES
        assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))
    assert peak_mb(daemon) < FLOOD_RSS_MB
    for name in names:
        delete(docker_client, daemon, name)


@pytest.mark.fault(
    row="Exhaustion",
    injection=f"{DESCRIPTORS} file descriptors for jobd, clients that hold connections",
    invariant="jobs wait rather than fail; all jobs succeed afterwards",
)
def test_few_file_descriptors(
    make_daemon: Callable[..., Daemon], receiver: Receiver, worker_image: str, job_id: str
) -> None:
    # A connection that cannot be opened counts as the receiver's failure: its breaker opens.
    daemon = make_daemon(
        environ={"MAX_CONCURRENT_JOBS": "8", "DISPATCHER_BREAKER_COOLDOWN": "1s"},
        within=("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"),
    ).start()
    many = 24
    for n in range(many):
        daemon.submit(
            id=f"{job_id}-{n}",
            image=worker_image,
            command="echo x; sleep 0.5; exit 1",
            callback={"url": receiver.url(f"/{job_id}-{n}")},
        )
    held: list[socket.socket] = []
    try:
        for _ in range(2 * DESCRIPTORS):
            held.append(connect(daemon))
        time.sleep(1.0)  # the duration of the fault
    finally:
        for one in held:
            one.close()
    for n in range(many):
        view = daemon.ended(f"{job_id}-{n}", deadline_s=120)
        assert (view["reason"], view["exitCode"]) == ("exit-code", 1), view
        check_events(delivered(receiver, f"/{job_id}-{n}"), exit_code=1, status="failed")
    until(lambda: daemon.call("GET", "/readyz").status == 200, "jobd is ready")
    assert daemon.log.stat().st_size < MB, "errors do not flood jobd's own log"


@pytest.mark.fault(
    row="Exhaustion",
    injection=f"{MANY} jobs at once that print an unterminated line and end",
    invariant=f"{MANY} complete logs and true codes",
)
@pytest.mark.alone
def test_two_hundred_jobs_at_once(
    make_daemon: Callable[..., Daemon], docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "8"}).start()

    def submit(n: int) -> None:
        command = f"printf 'the line of {job_id}-{n}'; exit {n % 3}"
        daemon.submit(id=f"{job_id}-{n}", image=worker_image, command=command)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(submit, range(MANY)))
    for n in range(MANY):
        view = daemon.ended(f"{job_id}-{n}", deadline_s=240)
        assert view["exitCode"] == n % 3, view
        *frames, end = daemon.log_lines(f"{job_id}-{n}")
        assert [(frame["line"], frame.get("gap")) for frame in frames] == [
            (f"the line of {job_id}-{n}", None)
        ]
        assert "end" in end
    with ThreadPoolExecutor(8) as pool:
        gone = list(pool.map(lambda n: daemon.call("DELETE", f"/v1/jobs/{job_id}-{n}").status, range(MANY)))
    assert set(gone) == {204}
    until(lambda: not jobs_left(docker_client, daemon), "all objects are removed", 180)


def jobs_left(client: docker.DockerClient, daemon: Daemon) -> list[Any]:
    instance = (daemon.folder / "state" / "instance").read_text().strip()
    wanted = {"label": [f"job.instance={instance}", "job.id"]}
    return [
        *client.api.containers(all=True, filters=wanted),
        *(client.api.volumes(filters=wanted)["Volumes"] or []),
    ]


@pytest.mark.fault(
    row="Exhaustion",
    injection=f"{QUEUED:,} jobs submitted at once",
    invariant=f"all accepted, run in order under the cap, memory < {QUEUE_RSS_MB} MB",
)
@pytest.mark.alone
def test_two_thousand_jobs_submitted_at_once(
    make_daemon: Callable[..., Daemon], docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "2"}).start()

    def submit(n: int) -> int:
        spec = {"id": f"{job_id}-{n}", "image": worker_image, "command": "true"}
        return daemon.call("POST", "/v1/jobs", spec).status

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(submit, range(QUEUED)))
    assert set(statuses) == {202}

    def finished() -> Any:
        jobs: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = daemon.call("GET", f"/v1/jobs?limit=500&status=completed{cursor}").json
            jobs += page["jobs"]
            if not page.get("next"):
                return jobs if len(jobs) >= 12 else None
            cursor = f"&cursor={page['next']}"

    jobs = until(finished, "some have run", 120)
    jobs.sort(key=lambda job: job["createdAt"])
    starts = [job["startedAt"] for job in jobs]
    for n, start in enumerate(starts[2:]):
        assert start > starts[n], "first in, first out, two at a time"
    instance = (daemon.folder / "state" / "instance").read_text().strip()
    alive = docker_client.api.containers(filters={"label": [f"job.instance={instance}", "job.id"]})
    assert len(alive) <= 2
    with ThreadPoolExecutor(20) as pool:
        gone = list(pool.map(lambda n: daemon.call("DELETE", f"/v1/jobs/{job_id}-{n}").status, range(QUEUED)))
    assert set(gone) == {204}
    assert daemon.call("GET", "/v1/jobs").json["jobs"] == []
    until(lambda: not jobs_left(docker_client, daemon), "all objects are removed", 120)
    assert peak_mb(daemon) < QUEUE_RSS_MB


@pytest.mark.fast
@pytest.mark.fault(row="Exhaustion", injection="the worker is out of memory", invariant="oom-killed, 137")
def test_the_worker_is_out_of_memory(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    for attempt in (f"{job_id}-{n}" for n in range(TRIES)):
        began = time.time()
        daemon.submit(
            id=attempt,
            image=worker_image,
            command=["tail", "/dev/zero"],
            memory=16,
            callback={"url": receiver.url(f"/{attempt}")},
        )
        view = daemon.ended(attempt)
        told = told_of_memory_kill(docker_client, attempt, began)
        assert (view["reason"], view["exitCode"]) == ("oom-killed" if told else "exit-code", 137)
        check_events(delivered(receiver, f"/{attempt}"), exit_code=137, status="failed")
        delete(docker_client, daemon, attempt)
        if told:
            assert "16 MB" in view["error"]
            return
    pytest.fail("the engine told of no kill")


@pytest.mark.fault(
    row="Exhaustion",
    injection="the clock differs from the engine's by a day, or is set by a day",
    invariant="no job ends early, each timeout is kept",
)
@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(0, 86400, marks=pytest.mark.fast),
        (0, -86400),
        (86400, 86400),
        pytest.param(-86400, -86400, marks=pytest.mark.fast),
    ],
)
def test_the_clock_is_a_day_off(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str, first: int, then: int, tmp_path: Path
) -> None:
    offset = tmp_path / "offset"
    offset.write_text(str(first))
    daemon = make_daemon(environ={"JOBD_FAILPOINT_CLOCK": str(offset)}, module=FAILPOINTS).start()
    in_time, late = f"{job_id}-a", f"{job_id}-b"
    daemon.submit(id=in_time, image=worker_image, command="sleep 4; exit 2", timeoutSeconds=60)
    daemon.submit(
        id=late, image=worker_image, command="trap 'exit 0' TERM; sleep 600 & wait", timeoutSeconds=3
    )
    running(daemon, in_time)
    running(daemon, late)
    offset.write_text(str(then))
    ended = daemon.ended(in_time)
    assert (ended["reason"], ended["exitCode"]) == ("exit-code", 2)
    view = daemon.ended(late, deadline_s=25)
    assert view["reason"] == "timeout"
