"""The shutdown of a daemon: it serves on while load balancers stop sending, and then ends the requests in flight."""

import http.client
import signal
from collections.abc import Callable

import pytest

from tests.support.daemon import DEADLINE_S, Daemon, Receiver, until
from tests.support.wire import over_unix

COMPLETE = "orchestrator.job.complete"


def test_it_serves_on_while_it_is_not_ready_until_a_second_signal(
    make_daemon: Callable[..., Daemon], receiver: Receiver, job_id: str
) -> None:
    daemon = make_daemon(environ={"SHUTDOWN_DRAIN_WAIT": "10m"}).start()
    assert daemon.process is not None
    assert daemon.call("GET", "/readyz").status == 200
    daemon.process.send_signal(signal.SIGTERM)
    until(lambda: daemon.call("GET", "/readyz").json["checks"]["shutdown"] != "healthy", "it is not ready")

    ready = daemon.call("GET", "/readyz")
    assert (ready.status, ready.json["checks"]["shutdown"]) == (503, "stopping")
    assert over_unix(daemon.socket, "GET", "/readyz").status == 503
    assert daemon.call("GET", "/livez").status == 200
    host, _, port = daemon.metrics.removeprefix("http://").removesuffix("/metrics").partition(":")
    scrape = http.client.HTTPConnection(host, int(port), timeout=DEADLINE_S)
    scrape.request("GET", "/metrics")
    assert scrape.getresponse().status == 200
    scrape.close()

    callback = {"url": receiver.url("/late"), "events": [COMPLETE]}
    daemon.submit(id=job_id, image="busybox", command="exit 3", callback=callback)
    assert receiver.complete("/late")[-1]["data"]["exitCode"] == 3

    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(DEADLINE_S) == 0
    daemon.start()
    assert daemon.call("GET", f"/v1/jobs/{job_id}").json["exitCode"] == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("wait", ["0s", "200ms"])
def test_it_ends_by_itself_after_the_wait(
    make_daemon: Callable[..., Daemon], no_engine: dict[str, str], number: signal.Signals, wait: str
) -> None:
    daemon = make_daemon(environ={**no_engine, "SHUTDOWN_DRAIN_WAIT": wait}).start()
    assert daemon.process is not None
    daemon.process.send_signal(number)
    assert daemon.process.wait(DEADLINE_S) == 0
    assert '"stopped"' in daemon.log.read_text()
