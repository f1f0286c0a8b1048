"""What tests of several folders share: the real engine, and the rule that CI never skips it.

Folders have fixtures of their own; nothing here knows of jobd's parts.
"""

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import docker
import docker.errors
import hypothesis
import pytest
import requests

from jobd.jobs.port.errors import EngineError
from scripts.engine_client import connect
from tests.support.daemon import DEADLINE_S, Daemon, Receiver, remove_all
from tests.support.engine.kept_network import kept_network
from tests.support.ports import closed_port

pytest_plugins = [
    "tests.support.plugins.fault_table",
    "tests.support.plugins.late_objects",
    "tests.support.plugins.quick_collection",
    "tests.support.plugins.turns",
]

# A machine that is busy with other tests is no fault of the code: how long an example takes is not judged.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_configure() -> None:
    """Programs under test get signals as from a terminal, also where this process was started with some of them ignored: as a background
    job of a script (SIGINT, SIGQUIT), under nohup (SIGHUP), by some CI systems. An ignored signal is inherited, one with a handler is not.

    They keep their bytecode, as installed programs do: without it each start compiles two hundred modules.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, _do_nothing)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["CONFIGURATION_DIRECTORY"] = "/nonexistent"  # no jobd.toml of the person who runs the tests


def _do_nothing(*_: object) -> None:
    """A handler for a signal that ends the programs under test and not the tests."""


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.DockerClient]:
    """The engine. Without one, tests that need it are skipped on a workstation and fail where `CI=true`."""
    try:
        client = connect(30)
    except (docker.errors.DockerException, requests.RequestException, EngineError) as error:
        explanation = f"no engine answers ({error}); `make engine` finds or starts one"
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(explanation, pytrace=False)
        pytest.skip(explanation)
    yield client
    client.close()


@pytest.fixture(scope="session")
def worker_image(docker_client: docker.DockerClient) -> str:
    """A small image with a shell and the usual tools, on the engine already."""
    try:
        docker_client.images.get("busybox:latest")
    except docker.errors.ImageNotFound:
        pytest.fail("busybox:latest is not on the engine; `make images` puts it there", pytrace=False)
    return "busybox:latest"


@pytest.fixture(scope="session")
def shared_instance(docker_client: docker.DockerClient, worker_image: str) -> Iterator[str]:
    """An instance of jobd whose network is there already. The engine's events of the last second may be those of an earlier test."""
    with kept_network(docker_client, worker_image) as instance:
        yield instance


@pytest.fixture
def job_id() -> str:
    """A job id that no other test, run or person uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def free_port() -> Iterator[Callable[[], int]]:
    """Chooses ports that refuse connections until the test's own server listens there."""
    with ExitStack() as held:
        yield lambda: held.enter_context(closed_port())


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, worker_image: str) -> Iterator[Daemon]:
    made = Daemon(tmp_path_factory.mktemp("jobd")).start()
    yield made
    made.stop()
    remove_all(made)


@pytest.fixture
def make_daemon(tmp_path: Path, worker_image: str) -> Iterator[Callable[..., Daemon]]:
    """Makes daemons that are not started; all are stopped, and their containers removed, at the end."""
    made: list[Daemon] = []

    def make(**options: Any) -> Daemon:
        made.append(Daemon(tmp_path / f"jobd{len(made)}", **options))
        return made[-1]

    yield make
    for daemon in made:
        if daemon.process is not None:
            daemon.process.kill()
            daemon.process.wait(DEADLINE_S)
            remove_all(daemon)
