"""The sidecar as jobd runs it: its own image, root with three capabilities, read-only, beside a worker of another user."""

import json
import os
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

import docker
import docker.errors
import pytest
from docker.models.containers import Container
from docker.types import Mount

from jobd.wire.artifact import Archive, List, Read, Unarchive, Write
from jobd.wire.report import ArtifactDone, Done, Ready, Report, SidecarOrder, decode_report, encode_order

IMAGE = os.environ.get("SIDECAR_IMAGE", "job-sidecar:latest")
PATIENCE_S = 60.0
UID = 4321
HOSTILE = """
mkdir -p /workspace/out/locked && echo '{"n":1}' > /workspace/out/secret
chmod 000 /workspace/out/secret && chmod 500 /workspace/out/locked
ln -s /proc/1/environ /workspace/env && ln -s / /workspace/root && mkfifo /workspace/fifo
mkdir /workspace/pack && echo x > /workspace/pack/x && ln -s /etc/shadow /workspace/pack/shadow
"""


@pytest.fixture
def workspace(docker_client: docker.DockerClient) -> Iterator[Mount]:
    volume = docker_client.volumes.create(f"test-sidecar-{uuid.uuid4().hex[:12]}")
    yield Mount("/workspace", volume.name, no_copy=True)
    volume.remove(force=True)


@pytest.fixture
def sidecar(docker_client: docker.DockerClient, workspace: Mount) -> Iterator[Container]:
    try:
        docker_client.images.get(IMAGE)
    except docker.errors.ImageNotFound:
        pytest.fail(f"{IMAGE} is not on the engine; `make images` puts it there", pytrace=False)
    container = docker_client.containers.create(
        IMAGE,
        stdin_open=True,
        read_only=True,
        cap_drop=["ALL"],
        cap_add=["DAC_OVERRIDE", "CHOWN", "FOWNER"],
        security_opt=["no-new-privileges"],
        mounts=[workspace],
        mem_limit="64m",
        pids_limit=16,
        network_mode="none",
    )
    yield container
    container.remove(force=True)


def reports_until(container: Container, kind: type[Report]) -> list[Report]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        lines = container.logs(stdout=True, stderr=False).splitlines(keepends=True)
        reports = [decode_report(line) for line in lines if line.endswith(b"\n")]
        if any(isinstance(report, kind) for report in reports):
            return reports
        assert time.monotonic() < deadline, f"no {kind.__name__} in time: {container.logs().decode()}"


def test_inputs_belong_to_the_worker_and_links_lead_nowhere(
    docker_client: docker.DockerClient, worker_image: str, workspace: Mount, sidecar: Container
) -> None:
    order = SidecarOrder(
        job_id="job-1",
        job_uid="uid-1",
        worker_uid=UID,
        worker_gid=UID,
        artifacts=[
            Write(id="w", source="x", out="d/x", mode="0600"),
            Archive(id="pack", source="d", out="d.tgz", depends="w"),
            Unarchive(id="unpack", source="d.tgz", out="e/f", depends="pack"),
            Read(id="locked-file", source="out/secret", depends="job"),
            Write(id="locked-folder", source="x", out="out/locked/new", depends="job"),
            Archive(id="links", source="pack", out="pack.tgz", depends="job"),
            Read(id="environment", source="env", depends="job"),
            Read(id="through-root", source="root/etc/shadow", depends="job"),
            Write(id="out-of-root", source="x", out="root/tmp/x", depends="job"),
            Read(id="fifo", source="fifo", depends="job"),
            List(id="list", source=".", recursive=False, depends="job"),
        ],
    )
    attached: Any = sidecar.attach_socket(params={"stdin": 1, "stream": 1})
    sidecar.start()
    attached._sock.sendall(encode_order(order))
    attached._sock.close()
    attached.close()
    reports_until(sidecar, Ready)
    owners = docker_client.containers.run(
        worker_image,
        ["/bin/sh", "-c", "cd /workspace; stat -c '%u:%g %a %n' . d d/x e/f/x .ready;" + HOSTILE],
        user=f"{UID}:{UID}",
        mounts=[workspace],
        network_mode="none",
        remove=True,
    )
    assert owners.decode().splitlines() == [
        f"{UID}:{UID} {mode} {name}"
        for mode, name in (("755", "."), ("755", "d"), ("600", "d/x"), ("600", "e/f/x"), ("644", ".ready"))
    ]
    sidecar.kill("SIGUSR1")
    reports = reports_until(sidecar, Done)
    assert sidecar.wait(timeout=PATIENCE_S)["StatusCode"] == 0
    results = {r.artifact_id: r for r in reports if isinstance(r, ArtifactDone)}
    assert {id for id, r in results.items() if r.status == "failed"} == {
        "environment",
        "through-root",
        "out-of-root",
        "fifo",
    }
    assert results["locked-file"].content == {"n": 1}
    assert "symbolic link" in (results["environment"].error or "")
    assert "FIFO" in (results["fifo"].error or "")
    assert results["list"].content == [
        "d.tgz",
        "d/",
        "e/",
        "env",
        "fifo",
        "out/",
        "pack.tgz",
        "pack/",
        "root",
    ]


def test_no_module_is_compiled_at_a_start(docker_client: docker.DockerClient) -> None:
    """The order uses HTTP, both archive formats and the settings from variables: the most modules that a sidecar imports."""
    options = docker_client.images.get(IMAGE).attrs["Config"]["Entrypoint"]
    artifacts = [
        {"id": "w", "type": "write", "in": "x", "out": "d/x"},
        {"id": "pack", "type": "archive", "in": "d", "out": "d.tgz", "depends": "w"},
        {"id": "unpack", "type": "unarchive", "in": "d.tgz", "out": "e", "depends": "pack"},
        {"id": "list", "type": "list", "in": "e", "depends": "unpack"},
        {"id": "read", "type": "read", "in": "e/x", "depends": "unpack"},
        {"id": "up", "type": "upload", "in": "absent", "out": "http://127.0.0.1:9/", "optional": True},
    ]
    output = docker_client.containers.run(
        IMAGE,
        entrypoint=[options[0], "-v", *options[1:]],
        environment={"JOB_ID": "a", "ARTIFACTS_JSON": json.dumps(artifacts), "SHARED_VOLUME_PATH": "/tmp"},
        tmpfs={"/tmp": "mode=1777"},
        read_only=True,
        user="4321:4321",
        network_mode="none",
        stdout=False,
        stderr=True,
        remove=True,
    ).decode()
    loaded = re.findall(r"^# code object from '(.*)'$", output, re.MULTILINE)
    assert any("/urllib3/" in path for path in loaded)
    assert [path for path in loaded if not path.endswith(".pyc")] == []
