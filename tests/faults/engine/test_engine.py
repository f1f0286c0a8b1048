"""The engine loses answers, stops answering, cuts connections and becomes unavailable."""

from collections.abc import Callable
from typing import Any

import docker
import docker.errors
import pytest

from tests.support.daemon import Daemon, Receiver, until
from tests.support.engine.engine_proxy import EngineProxy, Fault
from tests.support.engine.starts import Starts
from tests.support.invariants import check_events, delete, delivered

CREATE_WORKER = r"POST .*/containers/create\?.*-worker"
CREATE_SIDECAR = r"POST .*/containers/create\?.*-sidecar"
CREATE_VOLUME = r"POST .*/volumes/create"
CREATE_NETWORK = r"POST .*/networks/create"
START = r"POST .*/containers/[^/]+/start"
ATTACH = r"POST .*/containers/[^/]+/attach"
INSPECT = r"GET .*/containers/[^/]+/json"
LOGS = r"GET .*/containers/[^/]+/logs"
EVENTS = r"GET .*/events"
KILL = r"POST .*/containers/[^/]+/kill"
REMOVE = r"DELETE .*/containers/"
REMOVE_VOLUME = r"DELETE .*/volumes/"

ARTIFACTS = [
    {"id": "w", "type": "write", "in": "hello", "out": "in.txt"},
    {"id": "r", "type": "read", "in": "in.txt", "depends": "job", "when": "always"},
]


def running(daemon: Daemon, job_id: str) -> None:
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json.get("status") == "running", f"{job_id} runs")


def proof(what: str, fault: Fault, pattern: str, artifacts: bool = False, times: int = 1) -> Any:
    fast = [pytest.mark.fast] if (fault, pattern) in {("lose", START), ("lose", CREATE_WORKER)} else []
    return pytest.param(fault, pattern, artifacts, times, id=what, marks=fast)


@pytest.mark.fault(
    row="Engine",
    injection="answers to create, start, inspect, log, kill, remove lost or refused",
    invariant="true exit code, worker started once, events once, no leftovers",
)
@pytest.mark.parametrize(
    ("fault", "pattern", "artifacts", "times"),
    [
        proof("create: answer lost", "lose", CREATE_WORKER),
        proof("create: answer lost twice", "lose", CREATE_WORKER, times=2),
        proof("create: refused", "refuse", CREATE_WORKER),
        proof("create: unavailable", "unavailable", CREATE_WORKER, times=3),
        proof("create sidecar: answer lost", "lose", CREATE_SIDECAR, artifacts=True),
        proof("create volume: answer lost", "lose", CREATE_VOLUME),
        proof("create network: answer lost", "lose", CREATE_NETWORK),
        proof("start worker: answer lost", "lose", START),
        proof("start worker: refused", "refuse", START),
        proof("start worker: unavailable", "unavailable", START),
        proof("start sidecar, then worker: answers lost", "lose", START, artifacts=True, times=2),
        proof("attach: answer lost", "refuse", ATTACH, artifacts=True),
        proof("inspect: answers lost", "lose", INSPECT, times=4),
        proof("log: answers lost", "lose", LOGS, times=3),
        proof("notify the sidecar: answer lost", "lose", KILL, artifacts=True),
        proof("notify the sidecar: refused", "refuse", KILL, artifacts=True),
        proof("remove: answer lost", "lose", REMOVE),
        proof("remove volume: answer lost", "lose", REMOVE_VOLUME),
    ],
)
def test_a_call_fails_once(
    behind_proxy: Callable[..., Daemon],
    proxy: EngineProxy,
    receiver: Receiver,
    docker_client: docker.DockerClient,
    starts: Starts,
    worker_image: str,
    job_id: str,
    fault: Fault,
    pattern: str,
    artifacts: bool,
    times: int,
) -> None:
    daemon = behind_proxy().start()
    rule = proxy.on(pattern, fault, times)
    daemon.submit(
        id=job_id,
        image=worker_image,
        command="echo one; printf two; exit 3",
        artifacts=ARTIFACTS if artifacts else [],
        callback={"url": receiver.url(f"/{job_id}")},
    )
    assert daemon.ended(job_id)["exitCode"] == 3
    events = delivered(receiver, f"/{job_id}")
    check_events(events, exit_code=3, status="failed")
    assert [line["line"] for line in daemon.log_lines(job_id)[:-1]] == ["one", "two"]
    if artifacts:
        contents = [e["data"].get("content") for e in events if e["data"].get("artifactId") == "r"]
        assert contents == ["hello"]
    delete(docker_client, daemon, job_id)
    assert rule.hits == times, "the fault was injected"
    assert starts.of(job_id) == 1


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine", injection="the event stream is silent", invariant="jobs still end, by polling"
)
def test_the_event_stream_is_silent(
    behind_proxy: Callable[..., Daemon], proxy: EngineProxy, worker_image: str, job_id: str
) -> None:
    rule = proxy.on(EVENTS, "silent", None)
    daemon = behind_proxy().start()
    until(lambda: rule.hits, "jobd listens")
    daemon.submit(id=job_id, image=worker_image, command="sleep 0.3; exit 4", artifacts=ARTIFACTS)
    assert daemon.ended(job_id, deadline_s=20)["exitCode"] == 4


@pytest.mark.fault(
    row="Engine",
    injection="the engine cannot be reached for a while",
    invariant="jobs are accepted meanwhile, running jobs keep their codes, no worker starts twice",
)
def test_the_engine_is_unavailable_for_a_while(
    behind_proxy: Callable[..., Daemon],
    proxy: EngineProxy,
    receiver: Receiver,
    docker_client: docker.DockerClient,
    starts: Starts,
    worker_image: str,
    job_id: str,
) -> None:
    daemon = behind_proxy().start()
    before, during = f"{job_id}-b", f"{job_id}-d"
    common = {"image": worker_image, "command": "echo x; sleep 1; exit 5"}
    daemon.submit(id=before, callback={"url": receiver.url(f"/{before}")}, **common)
    running(daemon, before)
    proxy.down()
    daemon.submit(id=during, callback={"url": receiver.url(f"/{during}")}, **common)
    until(lambda: daemon.call("GET", "/readyz").status == 503, "jobd reports the engine as unavailable")
    name = f"job-{before}-worker"
    until(lambda: docker_client.api.inspect_container(name)["State"]["Status"] == "exited", "it has ended")
    assert daemon.call("GET", f"/v1/jobs/{before}").json["status"] == "running"
    proxy.up()
    for one in (before, during):
        assert daemon.ended(one)["exitCode"] == 5
        check_events(delivered(receiver, f"/{one}"), exit_code=5, status="failed")
        delete(docker_client, daemon, one)
    until(lambda: daemon.call("GET", "/readyz").status == 200, "the engine is available again")
    assert (starts.of(before), starts.of(during)) == (1, 1)


@pytest.mark.fault(
    row="Engine",
    injection="jobd starts while the engine is unavailable",
    invariant="accepts jobs, runs them once the engine is available",
)
def test_jobd_starts_without_an_engine(
    behind_proxy: Callable[..., Daemon], proxy: EngineProxy, worker_image: str, job_id: str
) -> None:
    proxy.down()
    daemon = behind_proxy().start()
    daemon.submit(id=job_id, image=worker_image, command="exit 6")
    assert daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "accepted"
    proxy.up()
    assert daemon.ended(job_id)["exitCode"] == 6


@pytest.mark.fault(
    row="Engine", injection="every connection is cut repeatedly", invariant="whole log, true code"
)
def test_connections_are_cut_again_and_again(
    behind_proxy: Callable[..., Daemon],
    proxy: EngineProxy,
    receiver: Receiver,
    starts: Starts,
    worker_image: str,
    job_id: str,
) -> None:
    daemon = behind_proxy().start()
    script = "i=1; while [ $i -le 60 ]; do echo $i; i=$((i+1)); sleep 0.05; done; exit 8"
    daemon.submit(id=job_id, image=worker_image, command=script, callback={"url": receiver.url(f"/{job_id}")})
    running(daemon, job_id)

    def cut() -> bool:
        proxy.cut()
        return bool(daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "failed")

    until(cut, "the job has ended although each connection is cut")
    assert daemon.ended(job_id)["exitCode"] == 8
    check_events(delivered(receiver, f"/{job_id}"), exit_code=8, status="failed")
    lines = [line["line"] for line in daemon.log_lines(job_id)[:-1]]
    assert lines == [str(i) for i in range(1, 61)]
    assert starts.of(job_id) == 1
