"""dockerd ends while a worker is about to start, or is being started: the worker runs at most once, with its inputs and beside its sidecar."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, Receiver, until
from tests.support.engine.engine_proxy import EngineProxy
from tests.support.engine.second_engine import SecondEngine
from tests.support.invariants import check_events, delivered

pytestmark = pytest.mark.alone

START = r"POST .*/containers/[^/]+/start"


@pytest.fixture
def proxy_of_second(second: SecondEngine, tmp_path: Path) -> Iterator[EngineProxy]:
    proxy = EngineProxy(tmp_path / "engine.sock", second.url.removeprefix("unix://"))
    yield proxy
    proxy.close()


@pytest.mark.fault(
    row="Engine",
    injection="dockerd is killed (-9) while it starts the worker, and does not know afterwards whether the worker has run",
    invariant="no second start; lost, with the reason",
)
def test_the_engine_is_killed_during_a_start(
    make_daemon: Callable[..., Daemon],
    second: SecondEngine,
    proxy_of_second: EngineProxy,
    receiver: Receiver,
    worker_image: str,
    job_id: str,
) -> None:
    # Without sandboxes, whose starts look the same to the proxy.
    daemon = make_daemon(environ={"DOCKER_HOST": proxy_of_second.url, "SANDBOX_POOL": "off"}).start()
    start = proxy_of_second.on(START, "refuse")
    daemon.submit(id=job_id, image=worker_image, command="true", callback={"url": receiver.url(f"/{job_id}")})
    until(lambda: start.hits, "the start is requested")
    second.restart(signal.SIGKILL)
    view = daemon.ended(job_id)
    assert (view["reason"], view.get("exitCode")) == ("lost", None), view
    assert "does not report whether it ran" in view["error"]
    assert proxy_of_second.count(START) == 1
    check_events(delivered(receiver, f"/{job_id}"), exit_code=-1, status="failed", started=False)


@pytest.mark.fault(
    row="Engine",
    injection="dockerd is stopped between the inputs and the worker's start, and started again",
    invariant="the inputs are loaded again; outputs are what the worker leaves, and a secret is there",
)
def test_the_engine_is_stopped_before_a_start(
    make_daemon: Callable[..., Daemon],
    second: SecondEngine,
    receiver: Receiver,
    worker_image: str,
    job_id: str,
) -> None:
    daemon = make_daemon(environ={"DOCKER_HOST": second.url}).start()
    daemon.submit(
        id=job_id,
        image=worker_image,
        command="cat in.txt > out.txt; cat /run/secrets/S >> out.txt",
        attach=True,  # without a client the worker's start waits for half a minute
        secrets={"S": "hidden"},
        artifacts=[
            {"id": "w", "type": "write", "in": "hello ", "out": "in.txt"},
            {"id": "r", "type": "read", "in": "out.txt", "depends": "job", "when": "always"},
        ],
        callback={"url": receiver.url(f"/{job_id}")},
    )
    until(lambda: receiver.events(f"/{job_id}"), "the inputs are loaded")
    second.restart(signal.SIGTERM)
    view = daemon.ended(job_id)
    assert (view["status"], view["exitCode"]) == ("completed", 0), view
    events = delivered(receiver, f"/{job_id}")
    contents = [event["data"].get("content") for event in events if event["data"].get("artifactId") == "r"]
    assert contents == ["hello hidden"]
    check_events(events, exit_code=0, status="completed")
