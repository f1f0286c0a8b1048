"""dockerd is killed, stopped and frozen while a job runs: a second engine for tests, in its own network namespace."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Daemon, Receiver, until
from tests.support.engine.second_engine import SecondEngine
from tests.support.invariants import check_events, delivered

pytestmark = pytest.mark.alone

FROZEN_S = float(os.environ.get("FROZEN_S", "25"))
"""Longer than jobd's timeout for an engine call."""


@pytest.fixture
def over_second(make_daemon: Callable[..., Daemon], second: SecondEngine) -> Daemon:
    return make_daemon(environ={"DOCKER_HOST": second.url}).start()


def submit(daemon: Daemon, receiver: Receiver, job_id: str, image: str, command: str) -> None:
    daemon.submit(id=job_id, image=image, command=command, callback={"url": receiver.url(f"/{job_id}")})
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running", "the job runs")


def check_lost(daemon: Daemon, receiver: Receiver, job_id: str) -> None:
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"], view.get("exitCode")) == ("failed", "lost", None), view
    check_events(delivered(receiver, f"/{job_id}"), exit_code=-1, status="failed")


@pytest.mark.fault(
    row="Engine",
    injection="dockerd is killed (-9) under a running job",
    invariant="lost; others keep their codes",
)
def test_the_engine_is_killed(
    over_second: Daemon, second: SecondEngine, receiver: Receiver, worker_image: str, job_id: str
) -> None:
    long, brief = f"{job_id}-long", f"{job_id}-brief"
    submit(over_second, receiver, long, worker_image, "sleep 600")
    submit(over_second, receiver, brief, worker_image, "sleep 2; exit 6")
    client = second.client()
    pid = client.api.inspect_container(f"job-{brief}-worker")["State"]["Pid"]
    client.close()
    second.signal(signal.SIGKILL)
    second.ended()
    until(lambda: not Path(f"/proc/{pid}").exists(), "the brief worker ends while the engine is down")
    second.start()
    check_lost(over_second, receiver, long)
    assert over_second.ended(brief)["exitCode"] == 6
    check_events(delivered(receiver, f"/{brief}"), exit_code=6, status="failed")
    after = f"{job_id}-after"
    over_second.submit(id=after, image=worker_image, command="exit 1")
    assert over_second.ended(after)["exitCode"] == 1


@pytest.mark.fault(
    row="Engine",
    injection="dockerd is stopped and started while a worker runs that ends with 0 on SIGTERM",
    invariant="lost, code unknown: jobd did not order that end",
)
def test_the_engine_is_stopped(
    over_second: Daemon, second: SecondEngine, receiver: Receiver, worker_image: str, job_id: str
) -> None:
    submit(over_second, receiver, job_id, worker_image, "trap 'exit 0' TERM; sleep 600 & wait")
    second.signal(signal.SIGTERM)
    second.ended()
    second.start()
    check_lost(over_second, receiver, job_id)


@pytest.mark.fault(
    row="Engine",
    injection=f"dockerd is frozen (SIGSTOP) for {FROZEN_S:g} s",
    invariant="true code, whole log, API answers",
)
def test_the_engine_is_frozen(
    over_second: Daemon, second: SecondEngine, receiver: Receiver, worker_image: str, job_id: str
) -> None:
    submit(over_second, receiver, job_id, worker_image, "echo one; sleep 3; echo two; exit 5")
    second.signal(signal.SIGSTOP)
    try:
        end = time.monotonic() + FROZEN_S
        while time.monotonic() < end:
            view: Any = over_second.call("GET", f"/v1/jobs/{job_id}").json
            assert view["status"] == "running"
            time.sleep(0.2)
    finally:
        second.signal(signal.SIGCONT)
    assert over_second.ended(job_id)["exitCode"] == 5
    check_events(delivered(receiver, f"/{job_id}"), exit_code=5, status="failed")
    assert [line["line"] for line in over_second.log_lines(job_id)[:-1]] == ["one", "two"]


@pytest.mark.fault(
    row="Engine",
    injection="dockerd is killed and started while jobd is down, under a job that runs",
    invariant="lost by the engine's own record; a worker that ended by itself, also with 137, keeps its code",
)
def test_the_engine_is_killed_while_jobd_is_down(
    over_second: Daemon, second: SecondEngine, receiver: Receiver, worker_image: str, job_id: str
) -> None:
    long, traps, brief, after = (f"{job_id}-{name}" for name in ("long", "traps", "brief", "after"))
    submit(over_second, receiver, long, worker_image, "sleep 600")
    submit(over_second, receiver, traps, worker_image, "trap 'exit 0' TERM; sleep 600 & wait")
    submit(over_second, receiver, brief, worker_image, "sleep 3")
    client = second.client()
    pid = client.api.inspect_container(f"job-{brief}-worker")["State"]["Pid"]
    client.close()
    over_second.kill()
    second.signal(signal.SIGKILL)
    second.ended()
    until(lambda: not Path(f"/proc/{pid}").exists(), "the brief worker ends while both are down")
    second.start()
    over_second.start()
    check_lost(over_second, receiver, long)
    check_lost(over_second, receiver, traps)
    assert over_second.ended(brief)["exitCode"] == 0
    submit(over_second, receiver, after, worker_image, "sleep 2; exit 137")
    over_second.kill()
    client = second.client()
    until(
        lambda: client.api.inspect_container(f"job-{after}-worker")["State"]["Status"] == "exited",
        "the worker ends while jobd is down",
    )
    client.close()
    over_second.start()
    assert over_second.ended(after)["exitCode"] == 137
    check_events(delivered(receiver, f"/{after}"), exit_code=137, status="failed")


def pause(daemon: Daemon, second: SecondEngine, job_id: str) -> None:
    assert daemon.call("POST", "/v1/queue/pause", {"running": True}).json["runningPaused"]
    client = second.client()
    until(
        lambda: client.api.inspect_container(f"job-{job_id}-worker")["State"]["Paused"],
        "the worker is paused",
    )
    client.close()


@pytest.mark.fault(
    row="Engine",
    injection="dockerd is stopped or killed and started while a worker is paused",
    invariant="lost; the next job starts after the resume",
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_engine_is_restarted_under_a_paused_worker(
    over_second: Daemon,
    second: SecondEngine,
    receiver: Receiver,
    worker_image: str,
    job_id: str,
    number: signal.Signals,
) -> None:
    submit(over_second, receiver, job_id, worker_image, "trap 'exit 0' TERM; sleep 600 & wait")
    pause(over_second, second, job_id)
    second.restart(number)
    check_lost(over_second, receiver, job_id)
    after = f"{job_id}-after"
    over_second.submit(id=after, image=worker_image, command="exit 1")
    over_second.call("POST", "/v1/queue/resume")
    assert over_second.ended(after)["exitCode"] == 1


@pytest.mark.fault(
    row="Engine",
    injection="dockerd with live-restore is stopped or killed and started while a worker is paused",
    invariant="the worker stays paused until the resume, and ends with its own code",
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_paused_worker_outlives_an_engine_with_live_restore(
    over_second: Daemon,
    second: SecondEngine,
    receiver: Receiver,
    worker_image: str,
    job_id: str,
    number: signal.Signals,
) -> None:
    second.live_restore = True
    second.restart(signal.SIGTERM)
    submit(over_second, receiver, job_id, worker_image, "echo one; sleep 2; echo two; exit 6")
    pause(over_second, second, job_id)
    second.restart(number)
    pause(over_second, second, job_id)
    until(lambda: over_second.call("GET", f"/v1/jobs/{job_id}").json.get("paused"), "jobd says so")
    over_second.call("POST", "/v1/queue/resume")
    assert over_second.ended(job_id)["exitCode"] == 6
    assert [line["line"] for line in over_second.log_lines(job_id)[:-1]] == ["one", "two"]
