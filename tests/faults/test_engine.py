"""The engine loses answers, stops answering, becomes unavailable; people remove a job's containers; images are unusable."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import docker
import docker.errors
import pytest

from jobd.jobs.log.container_log_follower import GONE
from tests.support.daemon import Daemon, Receiver, until
from tests.support.engine_proxy import EngineProxy, Fault
from tests.support.invariants import check_events, delete, delivered
from tests.support.made_images import for_another_architecture, without_shell
from tests.support.starts import Starts

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


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine", injection="the worker is removed by hand", invariant="lost, exit code unknown (-1)"
)
def test_the_worker_is_removed_by_hand(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon.submit(
        id=job_id, image=worker_image, command="sleep 600", callback={"url": receiver.url(f"/{job_id}")}
    )
    running(daemon, job_id)
    docker_client.api.remove_container(f"job-{job_id}-worker", force=True)
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"], view.get("exitCode")) == ("failed", "lost", None), view
    check_events(delivered(receiver, f"/{job_id}"), exit_code=-1, status="failed")
    delete(docker_client, daemon, job_id)


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine",
    injection="the worker is removed by hand while jobd is down, its last lines unread",
    invariant="the log, its event and jobctl say that lines may be missing",
)
def test_the_worker_is_removed_with_lines_unread(
    make_daemon: Callable[..., Daemon],
    docker_client: docker.DockerClient,
    receiver: Receiver,
    worker_image: str,
    job_id: str,
) -> None:
    daemon = make_daemon().start()
    script = "trap 'echo unread; exit 3' USR1; echo one; while :; do sleep 0.1; done"
    daemon.submit(id=job_id, image=worker_image, command=script, callback={"url": receiver.url(f"/{job_id}")})
    until(lambda: daemon.log_lines(job_id), "the first line is stored")
    daemon.kill()
    worker = docker_client.containers.get(f"job-{job_id}-worker")
    worker.kill("SIGUSR1")
    worker.wait(timeout=30)
    worker.remove(force=True)
    daemon.start()
    assert daemon.ended(job_id)["reason"] == "lost"
    *lines, mark, _ = daemon.log_lines(job_id)
    assert [(line["line"], line.get("gap")) for line in lines] == [("one", None)]
    assert (mark["line"], mark["gap"]) == ("", GONE)
    events = delivered(receiver, f"/{job_id}")
    logged = [event["data"] for event in events if event["type"].endswith(".log")]
    assert [line for data in logged for line in data["lines"]] == ["one", f"[jobd: {GONE}]"]
    assert logged[-1]["gap"] == GONE
    shown = daemon.jobctl("logs", job_id)
    assert shown.stdout == "one\n"
    assert GONE in shown.stderr


@pytest.mark.fault(
    row="Engine",
    injection="the sidecar is removed by hand while the worker runs",
    invariant="the worker's code, output-failed",
)
def test_the_sidecar_is_removed_by_hand(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon.submit(
        id=job_id,
        image=worker_image,
        command="sleep 1",
        artifacts=ARTIFACTS,
        callback={"url": receiver.url(f"/{job_id}")},
    )
    running(daemon, job_id)
    docker_client.api.remove_container(f"job-{job_id}-sidecar", force=True)
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"], view["exitCode"]) == ("failed", "output-failed", 0)
    check_events(delivered(receiver, f"/{job_id}"), exit_code=0, status="failed")
    delete(docker_client, daemon, job_id)


@pytest.mark.fault(
    row="Engine",
    injection="the sidecar is removed by hand while it loads inputs",
    invariant="lost or loaded again, never stuck",
)
def test_the_sidecar_is_removed_while_it_loads(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    with never_answers("0.0.0.0") as port:
        slow = {
            "id": "d",
            "type": "download",
            "in": f"http://host.docker.internal:{port}/x",
            "out": "x",
        }
        daemon.submit(
            id=job_id,
            image=worker_image,
            artifacts=[slow],
            callback={"url": receiver.url(f"/{job_id}")},
        )
        name = f"job-{job_id}-sidecar"

        def loading() -> bool:
            found = docker_client.api.containers(filters={"name": name, "status": "running"})
            return bool(found)

        until(loading, "the sidecar runs")
        docker_client.api.remove_container(name, force=True)
        view = daemon.ended(job_id)
    assert (view["status"], view["reason"], view.get("exitCode")) == ("failed", "lost", None), view
    check_events(delivered(receiver, f"/{job_id}"), exit_code=-1, status="failed", started=False)
    delete(docker_client, daemon, job_id)


@pytest.mark.fault(
    row="Engine",
    injection="all objects of an ended job are removed by hand",
    invariant="shown, without files, deletable",
)
def test_an_ended_jobs_containers_are_removed_by_hand(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon.submit(id=job_id, image=worker_image, command="echo out > out.txt")
    running_or_ended = daemon.ended(job_id)
    assert running_or_ended["exitCode"] == 0
    with pytest.raises(docker.errors.APIError, match="in use"):
        docker_client.api.remove_volume(f"job-{job_id}-workspace", force=True)
    docker_client.api.remove_container(f"job-{job_id}-worker", force=True)
    docker_client.api.remove_volume(f"job-{job_id}-workspace", force=True)
    assert daemon.call("GET", f"/v1/jobs/{job_id}/files?path=out.txt").status == 404
    assert daemon.call("GET", f"/v1/jobs/{job_id}").json["exitCode"] == 0
    delete(docker_client, daemon, job_id)


@contextmanager
def never_answers(address: str = "127.0.0.1") -> Iterator[int]:
    """A server that accepts connections and never answers; yields its port."""
    with socket.create_server((address, 0)) as server:
        held: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for one in held:
                one.close()
            thread.join(10)


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine",
    injection="the registry has no such image, or is down",
    invariant="image-not-found, with the reason",
)
def test_the_image_is_missing(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    daemon.submit(
        id=job_id, image=f"127.0.0.1:{port}/no/such:1", callback={"url": receiver.url(f"/{job_id}")}
    )
    view = daemon.ended(job_id)
    assert (view["status"], view["reason"]) == ("failed", "image-not-found")
    assert f"127.0.0.1:{port}" in view["error"]
    check_events(delivered(receiver, f"/{job_id}"), exit_code=-1, status="failed", started=False)


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine", injection="a pull stalls and the job is cancelled", invariant="cancelled at once"
)
def test_a_stalled_pull_is_cancelled(
    behind_proxy: Callable[..., Daemon], proxy: EngineProxy, receiver: Receiver, job_id: str
) -> None:
    rule = proxy.on(r"POST .*/images/create", "stall", None)
    daemon = behind_proxy().start()
    daemon.submit(id=job_id, image="127.0.0.1:1/x:1", callback={"url": receiver.url(f"/{job_id}")})
    until(lambda: rule.hits, "the pull has begun")
    assert daemon.call("POST", f"/v1/jobs/{job_id}/cancel").status == 202
    assert daemon.ended(job_id, deadline_s=10)["status"] == "cancelled"
    check_events(delivered(receiver, f"/{job_id}"), exit_code=-1, status="cancelled", started=False)


@pytest.mark.fault(
    row="Engine",
    injection="the registry accepts connections and never answers",
    invariant="ends within its limit",
)
def test_a_pull_stalls(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, job_id: str
) -> None:
    with never_answers() as port:
        daemon.submit(
            id=job_id, image=f"127.0.0.1:{port}/no/such:1", callback={"url": receiver.url(f"/{job_id}")}
        )
        view = daemon.ended(job_id, deadline_s=120)
    assert (view["status"], view["reason"]) == ("failed", "image-not-found")
    check_events(delivered(receiver, f"/{job_id}"), exit_code=-1, status="failed", started=False)


@pytest.mark.fault(
    row="Engine", injection="the image is for another architecture", invariant="a clear error, no start"
)
def test_the_image_is_for_another_architecture(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    with for_another_architecture(docker_client) as image:
        daemon.submit(id=job_id, image=image, command="true", pull="never")
        view = daemon.ended(job_id)
    assert (view["status"], view["reason"]) == ("failed", "image-not-found")
    assert "s390x" in view["error"]


@pytest.mark.fault(row="Engine", injection="the image has no shell", invariant="start-failed with 127")
def test_the_image_has_no_shell(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    with without_shell(docker_client) as image:
        daemon.submit(id=job_id, image=image, command="echo x", callback={"url": receiver.url(f"/{job_id}")})
        view = daemon.ended(job_id)
        assert (view["status"], view["reason"], view["exitCode"]) == ("failed", "start-failed", 127), view
        assert "/bin/sh" in view["error"]
        types = [event["type"] for event in delivered(receiver, f"/{job_id}")]
        assert types == ["orchestrator.job.exit", "orchestrator.job.complete"]
        delete(docker_client, daemon, job_id)


@pytest.mark.fault(
    row="Engine",
    injection="a foreign container has the job's name",
    invariant="refused with its name, untouched",
)
def test_a_foreign_container_has_the_name(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    name = f"job-{job_id}-worker"
    foreign = docker_client.containers.create(worker_image, "true", name=name)
    try:
        daemon.submit(id=job_id, image=worker_image, command="true")
        view = daemon.ended(job_id)
        assert (view["status"], view["reason"]) == ("failed", "refused-by-engine")
        assert name in view["error"]
        assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 204
        until(
            lambda: not docker_client.api.volumes(filters={"label": f"job.id={job_id}"})["Volumes"], "no rest"
        )
        assert docker_client.containers.get(name).id == foreign.id
    finally:
        foreign.remove(force=True)


@pytest.mark.fault(
    row="Engine", injection="a stale container of ours has the job's name", invariant="replaced, the job runs"
)
def test_a_stale_container_of_ours_has_the_name(
    daemon: Daemon, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    instance = (daemon.folder / "state" / "instance").read_text().strip()
    stale = {
        "managed-by": "jobs-service",
        "job.instance": instance,
        "job.id": job_id,
        "job.uid": "0" * 24,
        "job.attempt": "1",
        "job.type": "worker",
    }
    old = docker_client.containers.create(
        worker_image, "sleep 600", name=f"job-{job_id}-worker", labels=stale
    )
    old.start()
    daemon.submit(id=job_id, image=worker_image, command="exit 2")
    assert daemon.ended(job_id)["exitCode"] == 2
    with pytest.raises(docker.errors.NotFound):
        docker_client.containers.get(str(old.id))
    delete(docker_client, daemon, job_id)
