"""jobd removes orphans after a grace period, and keeps containers of other programs, whatever their names."""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.daemon import Daemon, until


class Things:
    """Containers and volumes created by hand, all removed at the end."""

    def __init__(self, client: docker.DockerClient, image: str) -> None:
        self.client = client
        self.image = image
        self.containers: list[Any] = []
        self.volumes: list[Any] = []

    def make(self, job_id: str, labels: dict[str, str]) -> None:
        """Creates a running container and its volume, under the names that jobd would choose."""
        volume = self.client.volumes.create(f"job-{job_id}-workspace", labels=labels)
        self.volumes.append(volume)
        container = self.client.containers.create(
            self.image,
            ["sleep", "600"],
            name=f"job-{job_id}-worker",
            labels=labels,
            volumes={volume.name: {"bind": "/workspace"}},
        )
        self.containers.append(container)
        container.start()

    def left(self, job_id: str) -> list[str]:
        names = [f"/job-{job_id}-worker", f"job-{job_id}-workspace"]
        found = [container["Names"][0] for container in self.client.api.containers(all=True)]
        found += [volume["Name"] for volume in self.client.api.volumes()["Volumes"] or []]
        return [name for name in names if name in found]

    def gone(self, job_id: str) -> bool:
        return not self.left(job_id)

    def remove(self) -> None:
        for thing in (*self.containers, *self.volumes):
            with contextlib.suppress(docker.errors.NotFound):
                thing.remove(force=True)


@pytest.fixture
def things(docker_client: docker.DockerClient, worker_image: str) -> Iterator[Things]:
    made = Things(docker_client, worker_image)
    yield made
    made.remove()


def labels_of(instance: str, job_id: str) -> dict[str, str]:
    return {
        "managed-by": "jobs-service",
        "job.instance": instance,
        "job.id": job_id,
        "job.uid": uuid.uuid4().hex[:24],
        "job.attempt": "1",
        "job.type": "worker",
    }


@pytest.mark.fast
@pytest.mark.fault(
    row="Engine",
    injection="containers and volumes of no job, of ours and of strangers",
    invariant="ours are removed after a grace period, others stay, jobs run on",
)
def test_orphans_are_removed_and_other_containers_stay(
    make_daemon: Callable[..., Daemon], things: Things, worker_image: str, job_id: str
) -> None:
    daemon = make_daemon(environ={"MAINTENANCE_INTERVAL": "500ms"}).start()
    instance = (daemon.folder / "state" / "instance").read_text().strip()
    daemon.submit(id=f"{job_id}-runs", image=worker_image, command="sleep 600")
    until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}-runs").json["status"] == "running", "a job runs")
    strangers = {
        f"{job_id}-bare": {},
        f"{job_id}-other": labels_of("another-instance", f"{job_id}-other"),
        f"{job_id}-half": {"managed-by": "jobs-service", "job.id": f"{job_id}-half"},
        f"{job_id}-name": {**labels_of(instance, f"{job_id}-name"), "managed-by": "other"},
    }
    for name, labels in strangers.items():
        things.make(name, labels)
    for n in range(2):  # the second job's end proves another whole round
        orphan = f"{job_id}-orphan{n}"
        things.make(orphan, labels_of(instance, orphan))
        until(partial(things.gone, orphan), f"{orphan} is removed")
    for name in strangers:
        assert len(things.left(name)) == 2, name
    assert things.left(f"{job_id}-runs")
    assert daemon.call("GET", f"/v1/jobs/{job_id}-runs").json["status"] == "running"
    assert daemon.log.read_text().count('"orphan removed"') == 2


@pytest.mark.fault(
    row="Engine",
    injection="an orphan of ours exists when jobd starts",
    invariant="removed after a grace period, not at once",
)
def test_an_orphan_has_its_grace_period_after_a_start(
    make_daemon: Callable[..., Daemon], things: Things, docker_client: docker.DockerClient, job_id: str
) -> None:
    daemon = make_daemon(environ={"MAINTENANCE_INTERVAL": "1h"}).start()
    instance = (daemon.folder / "state" / "instance").read_text().strip()
    daemon.stop()
    things.make(job_id, labels_of(instance, job_id))
    daemon.start()
    daemon.submit(id=f"{job_id}-after", image="busybox:latest", command="true")
    assert daemon.ended(f"{job_id}-after")["status"] == "completed"
    assert len(things.left(job_id)) == 2
    daemon.stop()
    daemon.environ = {"MAINTENANCE_INTERVAL": "300ms"}
    daemon.start()
    until(lambda: not things.left(job_id), "it is gone")


@pytest.mark.fast
@pytest.mark.fault(
    row="Crash",
    injection="jobd is killed after a job, and the next process of the same state makes none",
    invariant="an orderly stop removes the network of the instance, and no other; while a container uses it, it stays",
)
def test_an_orderly_stop_removes_the_network_of_an_earlier_process(
    make_daemon: Callable[..., Daemon], docker_client: docker.DockerClient, worker_image: str, job_id: str
) -> None:
    daemon = make_daemon().start()
    instance = (daemon.folder / "state" / "instance").read_text().strip()
    ours: dict[str, str | list[str] | bool] = {"label": f"job.instance={instance}"}
    stranger = docker_client.networks.create(f"{job_id}-stranger", labels={"managed-by": "jobs-service"})
    try:
        daemon.submit(id=job_id, image=worker_image, command="sleep 600")
        until(lambda: daemon.call("GET", f"/v1/jobs/{job_id}").json["status"] == "running", "the job runs")
        daemon.kill()
        daemon.start()
        assert daemon.stop() == 0
        assert len(docker_client.networks.list(filters=ours)) == 1
        daemon.start()
        daemon.call("POST", f"/v1/jobs/{job_id}/cancel", {"graceSeconds": 0})
        assert daemon.ended(job_id)["status"] == "cancelled"
        daemon.kill()
        assert len(docker_client.networks.list(filters=ours)) == 1
        daemon.start()
        assert daemon.stop() == 0
        assert docker_client.networks.list(filters=ours) == []
        stranger.reload()
    finally:
        stranger.remove()


@pytest.mark.fast
@pytest.mark.parametrize("after_s", [0.0, 0.15, 0.4, 1.0], ids=lambda s: f"killed after {s:g} s")
@pytest.mark.fault(
    row="Crash",
    injection="jobs are submitted, jobd is killed and started, the jobs are deleted, and at once jobd is stopped",
    invariant="the deleted jobs' objects are removed when jobd has ended: containers, volumes, the network, spooled files and secrets",
)
def test_an_orderly_stop_right_after_a_delete_leaves_nothing(
    make_daemon: Callable[..., Daemon],
    docker_client: docker.DockerClient,
    worker_image: str,
    job_id: str,
    tmp_path: Path,
    after_s: float,
) -> None:
    # A forked jobd starts before the engine has ended what it does for the killed one.
    daemon = make_daemon(is_executed=True).start()
    instance = (daemon.folder / "state" / "instance").read_text().strip()
    ids = [f"{job_id}-{number}" for number in range(3)]
    (tmp_path / "secret").write_text("word")
    (tmp_path / "input").write_text("text")
    flags = ["--secret", f"pw={tmp_path}/secret", "--in", f"in={tmp_path}/input"]
    assert daemon.jobctl("run", "-d", "--name", ids[0], *flags, worker_image, "sleep", "600").returncode == 0
    for each in ids[1:]:
        daemon.submit(id=each, image=worker_image, command="sleep 600")
    time.sleep(after_s)
    daemon.kill()
    daemon.start()
    assert daemon.jobctl("rm", "-f", *ids).returncode == 0
    assert daemon.stop() == 0
    ours: dict[str, str | list[str] | bool] = {"label": f"job.instance={instance}"}
    assert docker_client.api.containers(all=True, filters=ours) == []
    assert docker_client.api.volumes(filters=ours)["Volumes"] in ([], None)
    assert docker_client.networks.list(filters=ours) == []
    for folder in ("spool", "secrets"):
        assert list((daemon.folder / "state" / folder).iterdir()) == []
