"""jobd is killed, stopped and started again around a pause of running jobs."""

import contextlib
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

import docker
import pytest

from tests.support.daemon import DEADLINE_S, FAILPOINTS, Daemon, Receiver, until
from tests.support.engine.starts import Starts
from tests.support.instrumented.failpoints import PAUSE_POINTS
from tests.support.invariants import check_events, delete, delivered

TICKS = 30
TICKING = f"i=0; while [ $i -lt {TICKS} ]; do i=$((i+1)); echo $i; sleep 0.05; done; exit 5"
FAST = ("after-commit:freezing", "after-engine:freeze_worker", "after-engine:thaw_worker")
PASSED_S = 2.0


def engine_state(client: docker.DockerClient, job_id: str) -> str:
    return str(client.api.inspect_container(f"job-{job_id}-worker")["State"]["Status"])


def view_of(daemon: Daemon, job_id: str) -> Any:
    return daemon.call("GET", f"/v1/jobs/{job_id}").json


def runs(daemon: Daemon, job_id: str) -> None:
    until(lambda: view_of(daemon, job_id)["status"] == "running", "the job runs")


def call(daemon: Daemon, path: str, body: Any = None, *, dies: bool) -> None:
    """Makes a call; if jobd dies of that, starts jobd again and repeats the call."""
    if dies:
        with contextlib.suppress(OSError, HTTPException):
            daemon.call("POST", path, body)
        assert daemon.process is not None
        assert daemon.process.wait(DEADLINE_S) == -9
        daemon.environ, daemon.module = {}, "jobd"
        daemon.start()
    assert daemon.call("POST", path, body).status == 200


@pytest.mark.fault(
    row="Crash",
    injection="kill -9 at each point of a pause of running jobs and of its end",
    invariant="paused until the resume, true exit code, whole log, one start, events once and in order",
)
@pytest.mark.parametrize(
    "point", [pytest.param(one, marks=pytest.mark.fast) if one in FAST else one for one in PAUSE_POINTS]
)
def test_killed_at_a_point_of_a_pause(
    make_daemon: Callable[..., Daemon],
    receiver: Receiver,
    docker_client: docker.DockerClient,
    starts: Starts,
    worker_image: str,
    job_id: str,
    point: str,
) -> None:
    daemon = make_daemon(environ={"JOBD_FAILPOINT": point}, module=FAILPOINTS).start()
    daemon.submit(
        id=job_id,
        image=worker_image,
        command=TICKING,
        timeoutSeconds=60,
        callback={"url": receiver.url(f"/{job_id}")},
    )
    runs(daemon, job_id)
    freezes = point.endswith((":freezing", ":frozen", ":freeze_worker"))
    call(daemon, "/v1/queue/pause", {"running": True}, dies=freezes)
    until(lambda: engine_state(docker_client, job_id) == "paused", "the worker is paused")
    until(lambda: view_of(daemon, job_id).get("paused"), "jobd says so")
    seen = daemon.log_lines(job_id)
    call(daemon, "/v1/queue/resume", dies=not freezes)
    view = daemon.ended(job_id)
    assert (view["exitCode"], view.get("paused")) == (5, None)
    assert 0 < view["pausedSeconds"] < 60
    assert [line["line"] for line in daemon.log_lines(job_id)[:-1]] == [str(n + 1) for n in range(TICKS)]
    assert len(seen) < TICKS
    check_events(delivered(receiver, f"/{job_id}"), exit_code=5, status="failed")
    delete(docker_client, daemon, job_id)
    assert starts.of(job_id) == 1


@pytest.mark.fast
@pytest.mark.fault(
    row="Crash",
    injection="the time limit of a paused job passes while jobd is killed",
    invariant="the job runs on after the resume, and then ends by its time limit",
)
def test_the_time_limit_stands_still_while_jobd_is_down(
    make_daemon: Callable[..., Daemon], docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon = make_daemon().start()
    command = "trap 'exit 0' TERM; sleep 600 & wait"
    daemon.submit(id=job_id, image=worker_image, command=command, timeoutSeconds=2)
    runs(daemon, job_id)
    assert daemon.call("POST", f"/v1/jobs/{job_id}/pause").json["paused"]
    until(lambda: view_of(daemon, job_id).get("pausedSeconds"), "the worker is paused")
    until(lambda: engine_state(docker_client, job_id) == "paused", "the engine says so")
    daemon.kill()
    time.sleep(PASSED_S + 1)
    daemon.start()
    time.sleep(PASSED_S)
    view = view_of(daemon, job_id)
    assert (view["status"], view["waitingFor"]) == ("running", "the job to be resumed")
    assert engine_state(docker_client, job_id) == "paused"
    assert not daemon.call("POST", f"/v1/jobs/{job_id}/resume").json.get("paused")
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"]) == ("failed", "timeout")
    assert view["pausedSeconds"] > PASSED_S


@pytest.mark.fast
@pytest.mark.fault(
    row="Crash",
    injection="SIGTERM of jobd, and a cancel, a delete or the worker's end, while a job is paused",
    invariant="jobd ends at once and the worker stays paused; each request ends the job at once",
)
@pytest.mark.parametrize("ends", ["cancel", "kill", "delete", "outside"])
def test_a_paused_job_ends_at_once(
    make_daemon: Callable[..., Daemon],
    docker_client: docker.DockerClient,
    worker_image: str,
    job_id: str,
    ends: str,
) -> None:
    daemon = make_daemon().start()
    command = "trap 'exit 9' TERM; echo up; sleep 600 & wait"
    daemon.submit(id=job_id, image=worker_image, command=command, group="g")
    until(lambda: len(daemon.log_lines(job_id)) == 1, "the command has its trap")
    answer = daemon.call("POST", "/v1/groups/g/pause", {"running": True}).json
    assert (answer["paused"], answer["runningPaused"]) == (True, True)
    until(lambda: engine_state(docker_client, job_id) == "paused", "the worker is paused")
    assert daemon.stop() == 0
    assert engine_state(docker_client, job_id) == "paused"
    daemon.start()
    assert daemon.call("GET", f"/v1/jobs/{job_id}/files?path=.").status == 200
    if ends == "delete":
        assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 204
        return delete(docker_client, daemon, job_id)
    if ends == "outside":
        docker_client.api.kill(f"job-{job_id}-worker", "SIGKILL")
    else:
        body = {"signal": "SIGKILL"} if ends == "kill" else {}
        assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel", body).status == 202
    view = daemon.ended(job_id)
    status, code = {"cancel": ("cancelled", 9), "kill": ("cancelled", 137)}.get(ends, ("failed", 137))
    assert (view["status"], view["exitCode"], view.get("paused")) == (status, code, None)
    delete(docker_client, daemon, job_id)
    return None
