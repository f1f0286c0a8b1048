"""An exit code that an engine's end also gives is the worker's own if the engine was up during the run."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.daemon import Daemon, Receiver, until
from tests.support.engine.engine_proxy import EngineProxy
from tests.support.engine.starts import Starts
from tests.support.invariants import check_events, delivered

EVENTS = r"GET .*/events"


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine",
    injection="the event stream is cut, and a worker ends with 137 or 255 by itself",
    invariant="its own code, and no attempt is repeated as lost",
)
@pytest.mark.parametrize("stays_away", [True, False], ids=["stays away", "comes back"])
@pytest.mark.parametrize("code", [137, 255])
def test_an_exit_code_that_the_engine_also_uses_is_the_workers_own(
    behind_proxy: Callable[..., Daemon],
    proxy: EngineProxy,
    receiver: Receiver,
    starts: Starts,
    worker_image: str,
    job_id: str,
    code: int,
    stays_away: bool,
) -> None:
    daemon = behind_proxy().start()
    daemon.submit(
        id=job_id,
        image=worker_image,
        command=f"sleep 1; exit {code}",
        retries=1,
        retryOn=["lost"],
        callback={"url": receiver.url(f"/{job_id}")},
    )
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running", "the job runs")
    proxy.on(EVENTS, "refuse", None if stays_away else 2)
    proxy.cut()
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"], view.get("exitCode")) == ("failed", "exit-code", code), view
    check_events(delivered(receiver, f"/{job_id}"), exit_code=code, status="failed")
    assert starts.of(job_id) == 1


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine",
    injection="the engine's answer with the message of the init, which cannot execute the command, is refused or cut",
    invariant="start-failed with 127, once the engine answers",
)
@pytest.mark.parametrize("fault", ["refuse", "cut", "unavailable"])
def test_the_message_of_the_init_is_read_again(
    behind_proxy: Callable[..., Daemon], proxy: EngineProxy, worker_image: str, job_id: str, fault: Any
) -> None:
    daemon = behind_proxy().start()
    answer = proxy.on(r"GET .*/containers/[^/]+/logs.*tail=2", fault, 2)
    daemon.submit(id=job_id, image=worker_image, command=["no-such-command"])
    view = daemon.ended(job_id)
    assert answer.hits
    assert (view["status"], view["reason"], view["exitCode"]) == ("failed", "start-failed", 127)
