"""Fixtures that inject faults: a proxy before the engine, a second engine, a count of starts."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from jobd.store.store import Store
from tests.support.daemon import DEADLINE_S, Daemon
from tests.support.delivery.misbehaving import Answer, Misbehaving
from tests.support.delivery.pending_events import QUICK, Make, Put, ended
from tests.support.engine.engine_proxy import EngineProxy
from tests.support.engine.second_engine import SecondEngine
from tests.support.engine.starts import Starts

SIDECAR_IMAGE = "job-sidecar:latest"


@pytest.fixture(scope="session")
def starts(docker_client: docker.DockerClient) -> Iterator[Starts]:
    """Counts, from the engine's events, how often each container was started during the tests."""
    made = Starts(docker_client)
    yield made
    made.close()


@pytest.fixture
def proxy(tmp_path: Path, docker_client: docker.DockerClient) -> Iterator[EngineProxy]:
    """A proxy between jobd and the engine, without rules at first."""
    made = EngineProxy(tmp_path / "engine.sock")
    yield made
    made.close()


@pytest.fixture
def behind_proxy(make_daemon: Callable[..., Daemon], proxy: EngineProxy) -> Callable[..., Daemon]:
    """Makes daemons that reach the engine through the proxy."""

    def make(environ: dict[str, str] | None = None, **options: Any) -> Daemon:
        return make_daemon(environ={"DOCKER_HOST": proxy.url, **(environ or {})}, **options)

    return make


@pytest.fixture(scope="module")
def second(docker_client: docker.DockerClient, worker_image: str) -> Iterator[SecondEngine]:
    """An engine that tests may kill: in its own network namespace, with the images of workers and sidecar."""
    if os.geteuid() != 0 or not shutil.which("dockerd") or not shutil.which("ip"):
        pytest.skip("a second engine needs root, dockerd and ip on this machine")
    engine = SecondEngine()
    try:
        engine.start()
        engine.load(docker_client, worker_image)
        engine.load(docker_client, SIDECAR_IMAGE)
        yield engine
    finally:
        engine.close()


@pytest.fixture
def misbehaving() -> Iterator[Make]:
    made: list[Misbehaving] = []

    def make(answer: Answer, **where: Any) -> Misbehaving:
        made.append(Misbehaving(answer, **where))
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture
def put(tmp_path: Path) -> Iterator[Put]:
    """Creates a jobd that is not started, with ended jobs whose events are pending: job -> (URL, count)."""
    made: list[Daemon] = []

    async def put(waiting: dict[str, tuple[str, int]], **environ: str) -> Daemon:
        daemon = Daemon(tmp_path / f"jobd{len(made)}", environ={**QUICK, **environ})
        made.append(daemon)
        (daemon.folder / "state").mkdir(parents=True)
        store = await Store.open(daemon.folder / "state" / "jobd.db")
        for name, (url, count) in waiting.items():
            await store.commit(ended(name, url, count))
        await store.close()
        return daemon

    yield put
    for daemon in made:
        if daemon.process is not None:
            daemon.process.kill()
            daemon.process.wait(DEADLINE_S)
