"""Debian's own checks of the package find no error and no warning that deploy/debian/lintian-overrides does not explain."""

import subprocess
import uuid
from pathlib import Path

import docker

from scripts.images.imports import find
from scripts.images.packages import run

IMAGE = "jobd-test-lintian:bookworm"


def test_lintian(docker_client: docker.DockerClient, package: Path, tmp_path: Path) -> None:
    if find(docker_client, IMAGE) is None:
        root = tmp_path / "root.tar"
        run("mmdebstrap", "--quiet", "--variant=apt", "--include=lintian", "bookworm", str(root))
        repository, tag = IMAGE.split(":")
        docker_client.api.import_image_from_file(str(root), repository=repository, tag=tag)
    container = docker_client.containers.create(
        IMAGE,
        ["lintian", "--fail-on=error,warning", f"/tmp/{package.name}"],
        name=f"jobd-lintian-{uuid.uuid4().hex[:8]}",
        network_mode="none",
        environment={"LC_ALL": "C.UTF-8"},
    )
    try:
        tar = subprocess.run(
            ["tar", "-c", "-C", package.parent, package.name], check=True, capture_output=True
        ).stdout
        container.put_archive("/tmp", tar)
        container.start()
        code = container.wait(timeout=300)["StatusCode"]
        assert code == 0, container.logs().decode()
    finally:
        container.remove(force=True)
