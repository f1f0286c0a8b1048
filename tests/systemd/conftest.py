"""Machines with systemd. These tests are a tier of their own: `make test-systemd`."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import docker
import pytest

from scripts.images.packages import run
from tests.systemd.host import Host, booted
from tests.systemd.host_image import ensure_host_image

if os.environ.get("SYSTEMD_TESTS") != "required":
    collect_ignore_glob = ["*"]

LAUNCHER = "#!/usr/bin/python3 -IS\nimport sys\nsys.path.insert(0, '{folder}/lib')\nfrom {module} import main\nmain()\n"
SETTINGS = {
    "SANDBOX_POOL": "off",
    "SHUTDOWN_DRAIN_WAIT": "0s",
    "SIDECAR_IMAGE": os.environ.get("SIDECAR_IMAGE", "job-sidecar:latest"),
}


@pytest.fixture(scope="session")
def package() -> Path:
    """The package for Debian, which `make deb` has built."""
    (found,) = (Path(__file__).resolve().parents[2] / "build").glob("jobd_*.deb")
    return found


@pytest.fixture(scope="session")
def program(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `jobd` with what the package has in /usr/lib/jobd, as `lib`, and programs in `bin`."""
    folder = tmp_path_factory.mktemp("program")
    run("dpkg-deb", "-x", str(package), str(folder / "package"))
    (folder / "jobd").mkdir()
    (folder / "package/usr/lib/jobd").rename(folder / "jobd" / "lib")
    return folder / "jobd"


@pytest.fixture(scope="session")
def host_image(docker_client: docker.DockerClient, worker_image: str) -> str:
    return ensure_host_image(docker_client)


@pytest.fixture(scope="module")
def boot(docker_client: docker.DockerClient, host_image: str) -> Iterator[Callable[[], Host]]:
    """Starts machines; all are removed at the end."""
    with ExitStack() as machines:
        yield lambda: machines.enter_context(booted(docker_client, host_image, SETTINGS))


@pytest.fixture(scope="module")
def put_program(program: Path) -> Callable[[Host, str], None]:
    """Puts jobd and jobctl into a folder of a machine, as an installation by pip would."""

    def put(host: Host, folder: str) -> None:
        host.ok("mkdir", "-p", f"{folder}/bin")
        host.copy_in(program / "lib", folder)
        for name, module in (("jobd", "jobd.__main__"), ("jobctl", "jobctl.entry")):
            host.write(f"{folder}/bin/{name}", LAUNCHER.format(folder=folder, module=module), mode="0755")
        host.ok("python3", "-I", "-m", "compileall", "-q", f"{folder}/lib")

    return put
