"""A submission's trace: to the worker's environment, the job's events and the receivers, also over a kill; without one nothing changes."""

import json
import os
import time
import uuid
from collections.abc import Callable

import pytest

from tests.support.daemon import DEADLINE_S, Daemon
from tests.support.wire import ChoosingReceiver

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SHOW = "echo $TRACEPARENT $TRACESTATE"


@pytest.fixture
def job_id() -> str:
    return f"trace-{uuid.uuid4().hex[:8]}"


def log_of(daemon: Daemon, job_id: str) -> str:
    frames = [json.loads(line) for line in daemon.call("GET", f"/v1/jobs/{job_id}/logs").body.splitlines()]
    return "".join(frame.get("line", "") + "\n" for frame in frames if "line" in frame).strip()


def submit(daemon: Daemon, headers: dict[str, str], **spec: object) -> None:
    assert daemon.call("POST", "/v1/jobs", spec, headers).status == 202


def test_a_trace_goes_to_the_worker_and_to_the_events(
    daemon: Daemon, worker_image: str, job_id: str, make_receiver: Callable[..., ChoosingReceiver]
) -> None:
    receiver = make_receiver(lambda path, n: 200)
    headers = {"traceparent": PARENT, "tracestate": "a=1,b@c=2"}
    spec = {"id": job_id, "image": worker_image, "command": SHOW, "callback": {"url": receiver.url("/x")}}
    submit(daemon, headers, **spec)
    daemon.ended(job_id)
    assert log_of(daemon, job_id) == f"{PARENT} a=1,b@c=2"
    assert daemon.call("GET", f"/v1/jobs/{job_id}").json["traceparent"] == PARENT
    lines = daemon.call("GET", f"/v1/events?job={job_id}").body.splitlines()
    events = [json.loads(line)["event"] for line in lines]
    assert {(one["traceparent"], one["tracestate"]) for one in events} == {(PARENT, "a=1,b@c=2")}
    until = time.monotonic() + DEADLINE_S
    while len(receiver.requests) < len(events) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(receiver.requests) == len(events) > 2
    assert {(got["Ce-Traceparent"], got["Ce-Tracestate"]) for _, got, _ in receiver.requests} == {
        (PARENT, "a=1,b@c=2")
    }
    assert "TRACEPARENT" not in json.dumps(
        daemon.call("GET", f"/v1/jobs/{job_id}").json.get("environment", {})
    )


@pytest.mark.parametrize("headers", [{}, {"traceparent": "00-nonsense"}, {"tracestate": "a=1"}])
def test_a_job_without_a_valid_trace_has_none(
    daemon: Daemon, worker_image: str, job_id: str, headers: dict[str, str]
) -> None:
    submit(daemon, headers, id=job_id, image=worker_image, command=SHOW)
    assert "traceparent" not in daemon.ended(job_id)
    assert log_of(daemon, job_id) == ""
    assert b"trace" not in daemon.call("GET", f"/v1/events?job={job_id}").body.replace(job_id.encode(), b"")


def test_the_environment_of_the_job_wins(daemon: Daemon, worker_image: str, job_id: str) -> None:
    own = {"TRACEPARENT": "own"}
    submit(
        daemon,
        {"traceparent": PARENT, "tracestate": "a=1"},
        id=job_id,
        image=worker_image,
        command=SHOW,
        environment=own,
    )
    daemon.ended(job_id)
    assert log_of(daemon, job_id) == "own"


def test_a_trace_is_no_part_of_what_makes_two_submissions_the_same(
    daemon: Daemon, worker_image: str, job_id: str
) -> None:
    spec = {"id": job_id, "image": worker_image, "command": "true"}
    submit(daemon, {"traceparent": PARENT, "Idempotency-Key": "k"}, **spec)
    again = daemon.call("POST", "/v1/jobs", spec, {"Idempotency-Key": "k"})
    assert (again.status, again.json["traceparent"]) == (200, PARENT)


def test_jobctl_sends_the_trace_of_its_environment(daemon: Daemon, worker_image: str, job_id: str) -> None:
    env = {**os.environ, "TRACEPARENT": PARENT, "TRACESTATE": "a=1"}
    ran = daemon.jobctl("run", "--name", job_id, worker_image, "sh", "-c", SHOW, env=env)
    assert ran.stdout == f"{PARENT} a=1\n", ran.stderr
    retried = daemon.jobctl("retry", job_id, env={**env, "TRACEPARENT": PARENT.replace("00f067", "11f067")})
    new_id = retried.stdout.split()[-1]
    assert daemon.ended(new_id)["traceparent"] == PARENT.replace("00f067", "11f067")
    invalid = daemon.jobctl(
        "run", worker_image, "sh", "-c", SHOW, env={**env, "TRACEPARENT": "x\r\nInjected: 1"}
    )
    assert (invalid.returncode, invalid.stdout) == (0, "\n")


def test_a_trace_survives_a_kill(make_daemon: Callable[..., Daemon], worker_image: str) -> None:
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "1"}).start()
    daemon.call("POST", "/v1/queue/pause")
    submit(daemon, {"traceparent": PARENT}, id="waits", image=worker_image, command=SHOW)
    daemon.kill()
    daemon.start()
    daemon.call("POST", "/v1/queue/resume")
    daemon.ended("waits")
    assert log_of(daemon, "waits") == PARENT
