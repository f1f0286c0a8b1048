"""The package for Debian on a root file system with nothing but Debian's minimum and Python: no systemd, no network, no service."""

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from scripts.images.packages import run
from tests.support.engine.execution import execute

IMAGE = "jobd-test-root"
LEFT_BY_DPKG = (
    "/var/lib/dpkg",
    "/etc/passwd-",
    "/etc/group-",
    "/etc/shadow-",
    "/etc/gshadow-",
    "/etc/subuid-",
    "/etc/subgid-",
)


@pytest.fixture(scope="module")
def root(docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A container that only waits, without a network."""
    path = tmp_path_factory.mktemp("root") / "root.tar"
    run("mmdebstrap", "--quiet", "--variant=minbase", "--include=python3", "bookworm", str(path))
    tag = uuid.uuid4().hex[:8]
    docker_client.api.import_image_from_file(str(path), repository=IMAGE, tag=tag)
    container = docker_client.containers.run(
        f"{IMAGE}:{tag}", ["sleep", "900"], detach=True, network_mode="none", labels={"jobd.test-host": "1"}
    )
    yield container
    container.remove(force=True)
    docker_client.images.remove(f"{IMAGE}:{tag}")


def ok(root: Container, *command: str) -> str:
    done = execute(root, ["timeout", "120", *command])
    assert done.code == 0, f"{command}: {done.out}{done.err}"
    return done.out


def everything(root: Container) -> set[str]:
    found = ok(root, "find", "/", "-xdev", "-not", "-path", "/proc/*", "-not", "-path", "/tmp/*").split("\n")
    accounts = ok(root, "cat", "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow").split("\n")
    return {path for path in (*found, *accounts) if not path.startswith((*LEFT_BY_DPKG, "/var/log/"))}


def test_install_use_remove_and_purge(root: Container, package: Path) -> None:
    assert root.exec_run(["test", "-e", "/usr/bin/systemctl"])[0] != 0, "the root is bare"
    before = everything(root)
    root.put_archive("/tmp", _tar(package))
    ok(root, "dpkg", "-i", f"/tmp/{package.name}")
    version = package.name.split("_")[1].rpartition("-")[0]
    assert ok(root, "jobctl", "--version") == f"jobctl {version}\n"
    assert ok(root, "jobd", "--check-config") == "jobd: the settings are valid\n"
    assert ok(root, "stat", "-c", "%U %a", "/var/lib/jobd").split() == ["jobd", "700"]
    ok(
        root,
        "sh",
        "-c",
        "DOCKER_HOST=unix:///nonexistent jobctl daemon start && jobctl ls && jobctl daemon stop",
    )
    ok(root, "rm", "-rf", "/root/.local")
    ok(root, "dpkg", "-r", "jobd")
    left = everything(root) - before
    assert {path for path in left if not path.startswith("jobd:")} == {"/var/lib/jobd"}
    ok(root, "dpkg", "-P", "jobd")
    assert everything(root) == before


def _tar(path: Path) -> bytes:
    return subprocess.run(["tar", "-c", "-C", path.parent, path.name], check=True, capture_output=True).stdout
