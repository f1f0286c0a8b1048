"""The connections to a worker's output and to its log are cut: the log has every line all the same."""

from collections.abc import Callable

import pytest

from tests.support.daemon import Daemon, until
from tests.support.engine.engine_proxy import EngineProxy

START = r"POST .*/containers/[^/]+/start"
ATTACH = r"POST .*/containers/[^/]+/attach"
OUTPUT = r"/containers/[^/]+/(attach|logs)"


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine",
    injection="the connection to the output is cut before the worker's start",
    invariant="the log has every line",
)
@pytest.mark.parametrize("command", ["echo one; echo two >&2", "true; seq 2000"])
def test_the_output_is_cut_before_the_start(
    behind_proxy: Callable[..., Daemon], proxy: EngineProxy, worker_image: str, job_id: str, command: str
) -> None:
    daemon = behind_proxy().start()
    start = proxy.on(START, "hold")
    daemon.submit(id=job_id, image=worker_image, command=command)
    until(lambda: start.hits, "the start is requested")
    assert proxy.count(ATTACH)
    proxy.cut(ATTACH)
    start.released.set()
    daemon.ended(job_id)
    wanted = ["one", "two"] if "one" in command else [str(n + 1) for n in range(2000)]
    assert sorted(lines(daemon, job_id)) == sorted(wanted)


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine",
    injection="the connections to the output and to the log are cut before the worker's last lines",
    invariant="the log has every line",
)
def test_the_output_and_the_log_are_cut_shortly_before_the_end(
    behind_proxy: Callable[..., Daemon], proxy: EngineProxy, worker_image: str, job_id: str
) -> None:
    daemon = behind_proxy().start()
    daemon.submit(id=job_id, image=worker_image, command="echo one; sleep 2; echo two; exit 3")
    until(lambda: lines(daemon, job_id) == ["one"], "the log has the first line")
    logs = proxy.on(r"GET .*/containers/[^/]+/logs.*follow=1", "refuse", None)
    proxy.cut(OUTPUT)
    daemon.ended(job_id)
    logs.lifted.set()
    assert lines(daemon, job_id) == ["one", "two"]


def lines(daemon: Daemon, job_id: str) -> list[str]:
    return [one["line"] for one in daemon.log_lines(job_id) if "line" in one]
