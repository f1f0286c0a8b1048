"""Restarts of jobd, secrets, and the removal of jobs, through a real daemon and a real engine."""

import json
from collections.abc import Callable

import docker

from tests.e2e.jobs import ARTIFACT, COMPLETE, EXIT, LOG, START, again, gone, resources, wait_running
from tests.support.daemon import Daemon, Receiver


def test_killed_in_the_middle_of_a_job_then_started_again(
    make_daemon: Callable[..., Daemon],
    receiver: Receiver,
    docker_client: docker.DockerClient,
    worker_image: str,
    job_id: str,
) -> None:
    path = f"/{job_id}"
    daemon = make_daemon().start()
    script = "i=1; while [ $i -le 40 ]; do echo line $i; i=$((i+1)); sleep 0.05; done; exit 5"
    read = {"id": "r", "type": "read", "in": "x", "depends": "job", "when": "always", "optional": True}
    daemon.submit(
        id=job_id, image=worker_image, command=script, artifacts=[read], callback={"url": receiver.url(path)}
    )
    wait_running(daemon, job_id)
    daemon.kill()
    daemon.start()
    view = daemon.ended(job_id)
    assert (view["exitCode"], view["reason"]) == (5, "exit-code")
    events = receiver.complete(path)
    by_id = {e["id"]: e for e in events}
    ordered = sorted(by_id.values(), key=lambda e: e["jobsequence"])
    assert [e["jobsequence"] for e in ordered] == list(range(1, len(ordered) + 1))
    types = [e["type"] for e in ordered]
    assert (types.count(START), types.count(EXIT), types.count(COMPLETE)) == (1, 1, 1)
    lines = [line for e in ordered if e["type"] == LOG for line in e["data"]["lines"]]
    assert lines == [f"line {i}" for i in range(1, 41)]
    assert daemon.call("DELETE", f"/v1/jobs/{job_id}").status == 204
    gone(docker_client, job_id)


def test_a_large_spec_works_and_secrets_stay_out_of_inspect(
    daemon: Daemon, receiver: Receiver, docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    key, signature = "callback-key-0123456789", "X-Presigned=abcdef0123456789"
    text = "x" * 880_000
    daemon.submit(
        id=job_id,
        image=worker_image,
        command="wc -c < big.txt | tr -d ' ' > out.txt",
        artifacts=[
            {"id": "big", "type": "write", "in": text, "out": "big.txt"},
            {"id": "read", "type": "read", "in": "out.txt", "depends": "job"},
            {
                "id": "put",
                "type": "upload",
                "in": "out.txt",
                "out": f"http://host.docker.internal:{receiver.port}/{job_id}-put?{signature}",
                "depends": "job",
            },
        ],
        callback={"url": receiver.url(f"/{job_id}"), "key": key},
    )
    view = daemon.ended(job_id)
    assert view["status"] == "completed", view
    events = receiver.complete(f"/{job_id}")
    content = {e["data"]["artifactId"]: e["data"] for e in events if e["type"] == ARTIFACT}
    assert content["read"]["content"] == 880_000
    assert receiver.raw(f"/{job_id}-put?{signature}")[0][1] == b"880000\n"
    containers, _ = resources(docker_client, job_id)
    for container in containers:
        shown = json.dumps(docker_client.api.inspect_container(container["Id"]))
        assert key not in shown
        assert signature not in shown


def test_after_retention_nothing_remains(
    make_daemon: Callable[..., Daemon], docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"JOB_RETENTION": "1s", "MAINTENANCE_INTERVAL": "200ms"}).start()
    write = {"id": "w", "type": "write", "in": "hello", "out": "in.txt"}
    daemon.submit(id=job_id, image=worker_image, command="true", artifacts=[write])
    daemon.ended(job_id)
    gone(docker_client, job_id)
    assert daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "completed"
    # The record that all of it is gone comes a moment after that.
    again(daemon, {"id": job_id, "image": worker_image, "command": "true"}, taken="exists")
    daemon.ended(job_id)


def test_a_workspace_in_use_does_not_block_the_cleanup_of_other_jobs(
    make_daemon: Callable[..., Daemon], docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"JOB_RETENTION": "2s", "MAINTENANCE_INTERVAL": "200ms"}).start()
    held, other = f"{job_id}-held", f"{job_id}-other"
    daemon.submit(id=held, image=worker_image, command="true")
    daemon.ended(held)
    holder = docker_client.containers.create(
        worker_image, "true", volumes={f"job-{held}-workspace": {"bind": "/w"}}
    )
    try:
        daemon.submit(id=other, image=worker_image, command="true")
        daemon.ended(other)
        gone(docker_client, other)
        assert resources(docker_client, held)[1]
    finally:
        holder.remove(force=True)
    gone(docker_client, held)
