"""The connections to a worker's output and to its log are cut: the log has every line all the same."""

from collections.abc import Callable

import pytest

from tests.support.daemon import Daemon, until
from tests.support.engine.engine_proxy import EngineProxy

START = r"POST .*/containers/[^/]+/start"
ATTACH = r"POST .*/containers/[^/]+/attach"
OUTPUT = r"/containers/[^/]+/(attach|logs)"
FOLLOW = r"GET .*/containers/[^/]+/logs.*follow=1"
READ = r"GET .*/containers/[^/]+/logs.*follow=0"


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
    logs = proxy.on(FOLLOW, "refuse", None)
    proxy.cut(OUTPUT)
    daemon.ended(job_id)
    logs.lifted.set()
    assert lines(daemon, job_id) == ["one", "two"]


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine",
    injection="the engine ends the followed log in order, without the last lines",
    invariant="the log has every line",
)
@pytest.mark.parametrize("keep", [0, 50, 100])
def test_a_followed_log_loses_the_last_lines(
    behind_proxy: Callable[..., Daemon], proxy: EngineProxy, worker_image: str, job_id: str, keep: int
) -> None:
    daemon = behind_proxy().start()
    proxy.on(FOLLOW, "short", None, keep=keep)
    daemon.submit(id=job_id, image=worker_image, command="echo one; echo two; echo three")
    daemon.ended(job_id)
    assert lines(daemon, job_id) == ["one", "two", "three"]


def test_a_log_that_is_known_to_be_whole_is_not_read_again(
    behind_proxy: Callable[..., Daemon], proxy: EngineProxy, worker_image: str, job_id: str
) -> None:
    daemon = behind_proxy().start()
    whole, rest = f"{job_id}-whole", f"{job_id}-rest"
    daemon.submit(id=whole, image=worker_image, command="echo one; sleep 0.5; echo two >&2; exit 3")
    daemon.ended(whole)
    assert proxy.count(READ) == 0
    daemon.submit(id=rest, image=worker_image, command="printf one")
    daemon.ended(rest)
    assert proxy.count(READ) > 0, "a follow holds a line without a newline back"
    assert (lines(daemon, whole), lines(daemon, rest)) == (["one", "two"], ["one"])


def lines(daemon: Daemon, job_id: str) -> list[str]:
    return [one["line"] for one in daemon.log_lines(job_id) if "line" in one]
