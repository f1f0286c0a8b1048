"""The effects of the settings, seen from outside. `test_deliveries.py` has the settings of deliveries."""

import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
from prometheus_client.parser import text_string_to_metric_families

from jobd.wire.signing import verify_256
from tests.support.daemon import Daemon, Receiver, until
from tests.support.wire import answer_on, connect, head

ARTIFACT, COMPLETE = "orchestrator.job.artifact", "orchestrator.job.complete"

HTTP, IMAGE, RUN = {"method", "path", "status"}, {"image"}, {"image", "success"}
GUIDE = {
    "http_request_duration_seconds_count": HTTP,
    "http_requests_total": HTTP,
    "http_errors_total": HTTP,
    "job_duration_seconds_count": RUN,
    "jobs_total": IMAGE,
    "job_errors_total": RUN,
    "jobs_active": IMAGE,
    "dispatcher_duration_seconds_count": set(),
    "dispatcher_delivered_total": set(),
    "dispatcher_failed_total": {"kind"},
    "dispatcher_dropped_total": {"outcome"},
    "dispatcher_requeued_total": set(),
    "dispatcher_queue_size": set(),
    "process_resident_memory_bytes": set(),
    "process_cpu_seconds_total": set(),
    "process_open_fds": set(),
    "process_start_time_seconds": set(),
}
"""The metrics of the Go service with their labels; `kind` and `outcome` are jobd's own."""
OURS = {
    "dispatcher_retries_total": {"kind"},
    "dispatcher_breakers": {"state"},
    "dispatcher_parked": set(),
    "jobs_ended_total": {"reason"},
    "job_queue_wait_seconds_count": set(),
    "job_phase_duration_seconds_count": {"phase"},
    "job_log_bytes_total": set(),
    "engine_call_duration_seconds_count": {"call", "ok"},
}


def scrape(daemon: Daemon) -> str:
    with urllib.request.urlopen(daemon.metrics, timeout=30) as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        text: str = response.read().decode()
    return text


def inspect(client: docker.DockerClient, job_id: str, role: str) -> dict[str, Any]:
    found: dict[str, Any] = client.api.inspect_container(f"job-{job_id}-{role}")
    return found


def test_every_metric_of_the_contract_is_there_with_its_labels_after_some_jobs(
    make_daemon: Callable[..., Daemon], make_receiver: Any, worker_image: str, job_id: str
) -> None:
    good, bad, gone = (f"{job_id}-{end}" for end in ("good", "bad", "gone"))
    receiver = make_receiver(lambda path, before: 500 if before == 0 else 410 if path == f"/{bad}" else 204)
    environ = {"DISPATCHER_MAX_RETRIES": "1", "DISPATCHER_INITIAL_BACKOFF": "1ms"}
    daemon = make_daemon(environ=environ).start()
    for name, command in ((good, "echo hello; sleep 1"), (bad, "exit 1")):
        callback = {"url": receiver.url(f"/{name}"), "events": [COMPLETE]}
        daemon.submit(id=name, image=worker_image, command=command, callback=callback)
    for name in (good, bad):
        daemon.ended(name)
    daemon.submit(id=gone, image=worker_image, command="sleep 600")
    assert daemon.call("POST", f"/v1/jobs/{gone}/cancel", {"graceSeconds": 0}).status == 202
    daemon.ended(gone)
    daemon.call("GET", "/v1/jobs/no-such")
    for number in range(5):
        daemon.call("GET", f"/nowhere/{number}")
    until(lambda: "dispatcher_queue_size 0.0" in scrape(daemon), "all deliveries are settled")
    samples = [
        sample for family in text_string_to_metric_families(scrape(daemon)) for sample in family.samples
    ]
    labels = {sample.name: set(sample.labels) for sample in samples}
    for name, expected in {**GUIDE, **OURS}.items():
        assert labels.get(name) == expected, name

    def value(name: str, **labels: str) -> float:
        (found,) = [s.value for s in samples if s.name == name and s.labels == labels]
        return float(found)

    assert value("jobs_total", image=worker_image) == 3
    assert value("jobs_active", image=worker_image) == 0
    assert value("job_duration_seconds_count", image=worker_image, success="true") == 1
    assert value("job_errors_total", image=worker_image, success="false") == 1
    assert value("jobs_ended_total", reason="exit-code") == value("jobs_ended_total", reason="cancelled") == 1
    assert value("job_log_bytes_total") > len("hello")
    assert value("http_errors_total", method="GET", path="/v1/jobs/{jobId}", status="4xx") == 1
    assert value("http_requests_total", method="GET", path="unknown", status="4xx") == 5
    assert value("dispatcher_delivered_total") == 1
    assert value("dispatcher_retries_total", kind="5xx") == 2
    assert value("dispatcher_failed_total", kind="4xx") == 1
    assert value("dispatcher_dropped_total", outcome="abandoned") == 1
    assert value("process_resident_memory_bytes") > 1 << 20


@pytest.mark.parametrize("waits", [True, False])
def test_the_shutdown_waits_for_deliveries_in_flight(
    make_daemon: Callable[..., Daemon], make_receiver: Any, no_engine: dict[str, str], waits: bool
) -> None:
    release = threading.Event()
    receiver = make_receiver(lambda path, before: 200 + 4 * release.wait(60))
    environ = {
        **no_engine,
        "DISPATCHER_HTTP_TIMEOUT": "1m",
    }
    daemon = make_daemon(environ=environ).start()
    daemon.submit(id="job", image="busybox", callback={"url": receiver.url("/"), "events": [COMPLETE]})
    assert daemon.call("POST", "/v1/jobs/job/cancel").status == 202
    until(lambda: receiver.at("/"), "the delivery is under way")
    assert daemon.process is not None
    with connect(daemon) as sock:
        sock.sendall(head("GET", "/readyz"))
        assert answer_on(sock).json["checks"]["shutdown"] == "healthy"
        daemon.process.terminate()
        if waits:
            until(lambda: '"stopping"' in daemon.log.read_text(), "the shutdown has begun")
            sock.sendall(head("GET", "/readyz"))
            answer = answer_on(sock)
            assert (answer.status, answer.json["checks"]["shutdown"]) == (503, "stopping")
            release.set()
        assert daemon.process.wait(60) == 0
    release.set()
    daemon.start()
    delivered = '"state":"delivered"'
    until(lambda: delivered in daemon.call("GET", "/v1/jobs/job/deliveries").body.decode(), "delivered")
    events = receiver.at("/")
    assert len(events) == (1 if waits else 2)
    assert len({event["id"] for event in events}) == 1


@pytest.fixture
def sidecar_copy(docker_client: docker.DockerClient) -> Iterator[str]:
    """The sidecar's image under another name."""
    name = f"job-sidecar-copy:{uuid.uuid4().hex[:8]}"
    docker_client.images.get("job-sidecar:latest").tag(name)
    yield name
    docker_client.images.remove(name)


def test_the_settings_choose_the_sidecar_image_and_extra_hosts(
    make_daemon: Callable[..., Daemon], docker_client: docker.DockerClient, worker_image: str, sidecar_copy: str, job_id: str
) -> None:  # fmt: skip
    daemon = make_daemon(
        environ={
            "SIDECAR_IMAGE": sidecar_copy,
            "EXTRA_HOSTS": "files.test:192.0.2.7, gateway.test:host-gateway",
        }
    ).start()
    write = {"id": "w", "type": "write", "in": "x", "out": "x"}
    daemon.submit(
        id=job_id, image=worker_image, artifacts=[write],
        command="grep files.test /etc/hosts; grep -c 'gateway.test\\|host.docker.internal' /etc/hosts",
    )  # fmt: skip
    assert daemon.ended(job_id)["status"] == "completed"
    lines = [frame["line"].split() for frame in daemon.log_lines(job_id)[:-1]]
    assert lines == [["192.0.2.7", "files.test"], ["2"]]
    assert inspect(docker_client, job_id, "sidecar")["Config"]["Image"] == sidecar_copy
    for role in ("worker", "sidecar"):
        hosts = inspect(docker_client, job_id, role)["HostConfig"]["ExtraHosts"]
        assert {
            "files.test:192.0.2.7",
            "gateway.test:host-gateway",
            "host.docker.internal:host-gateway",
        } <= set(hosts)
    daemon.stop()
    remove(docker_client, daemon)


def remove(client: docker.DockerClient, daemon: Daemon) -> None:
    """Removes the containers, so that their image can be removed."""
    instance = (daemon.folder / "state" / "instance").read_text().strip()
    wanted: dict[str, str | list[str] | bool] = {"label": f"job.instance={instance}"}
    for container in client.containers.list(all=True, filters=wanted):
        container.remove(force=True, v=True)


def test_max_concurrent_jobs_limits_running_jobs(
    make_daemon: Callable[..., Daemon], worker_image: str
) -> None:
    daemon = make_daemon(environ={"MAX_CONCURRENT_JOBS": "2"}).start()
    for number in range(5):
        daemon.submit(id=f"job-{number}", image=worker_image, command="sleep 600")
    assert daemon.call("GET", "/v1/version").json["maxConcurrentJobs"] == 2

    def places() -> list[Any]:
        return [daemon.call("GET", f"/v1/jobs/job-{n}").json.get("queuePosition") for n in range(5)]

    until(lambda: places() == [None, None, 1, 2, 3], "two jobs have a place, the others wait for one")
    assert daemon.call("POST", "/v1/jobs/job-0/cancel").status == 202
    until(lambda: places() == [None, None, None, 1, 2], "the next one has the place")


def test_history_is_removed_after_its_retention(
    make_daemon: Callable[..., Daemon], worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(
        environ={"JOB_RETENTION": "0s", "MAINTENANCE_INTERVAL": "100ms", "HISTORY_RETENTION": "2s"}
    ).start()
    daemon.submit(id=job_id, image=worker_image, command="echo x")
    view = daemon.ended(job_id)
    assert view["status"] == "completed"
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").status == 404, "the record is gone")
    assert daemon.call("GET", "/v1/jobs").json == {"jobs": []}
    assert daemon.call("GET", "/v1/events").body == b""


def test_without_a_proxy_sidecars_send_their_events_themselves(
    make_daemon: Callable[..., Daemon], receiver: Receiver, worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"CALLBACK_PROXY_URL": ""}).start()
    key = "a-key-to-sign-with"
    # The name works in the job's network and in the daemon.
    url = f"http://host.docker.internal:{receiver.port}/{job_id}"
    daemon.submit(
        id=job_id,
        image=worker_image,
        command="cat in.txt; echo '{\"a\": 1}' > out.json",
        artifacts=[
            {"id": "in", "type": "write", "in": "hello", "out": "in.txt"},
            {"id": "out", "type": "read", "in": "out.json", "depends": "job"},
        ],
        callback={"url": url, "key": key},
    )
    assert daemon.ended(job_id)["status"] == "completed"
    events = receiver.complete(f"/{job_id}")
    artifacts = [event for event in events if event["type"] == ARTIFACT]
    assert sorted(event["data"]["artifactId"] for event in artifacts) == ["in", "out"]
    assert {e["data"]["artifactId"]: e["data"].get("content") for e in artifacts} == {
        "in": None,
        "out": {"a": 1},
    }
    assert len({event["id"] for event in events}) == len(events)
    senders: dict[bool, set[str]] = {}
    for headers, body in receiver.raw(f"/{job_id}"):
        assert headers["Content-Type"] == "application/cloudevents+json"
        assert verify_256(key, body, headers["X-Signature-256"])
        senders.setdefault(headers["Ce-Type"] == ARTIFACT, set()).add(headers["User-Agent"])
    assert senders[True].isdisjoint(senders[False])  # not jobd's, but the sidecar's own requests
