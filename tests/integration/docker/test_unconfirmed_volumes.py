"""A volume without labels is replaced if this jobd requested its creation, and only then."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from jobd.docker.http.endpoint import parse
from jobd.docker.http.probe import is_answering
from jobd.jobs.port.errors import EngineUnavailable, RefusedByEngine
from tests.support.engine.engine_proxy import EngineProxy

MAKING = r"POST .*/volumes/create"


@pytest.fixture
def proxy(tmp_path: Path, docker_client: docker.DockerClient) -> Iterator[EngineProxy]:
    made = EngineProxy(tmp_path / "engine.sock")
    yield made
    made.close()


@pytest.fixture
def behind(make_bench: Callable[..., Any], proxy: EngineProxy) -> Any:
    return make_bench(environ={"DOCKER_HOST": proxy.url})


async def not_made(bench: Any, proxy: EngineProxy) -> None:
    """Requests the volume, and gets no answer."""
    proxy.on(MAKING, "refuse")
    with pytest.raises(EngineUnavailable):
        await bench.create()


def label_less(client: docker.DockerClient, bench: Any) -> Any:
    return client.volumes.create(f"job-{bench.ref.id}-workspace")


async def test_an_unconfirmed_volume_is_replaced(
    behind: Any, proxy: EngineProxy, docker_client: docker.DockerClient
) -> None:
    await not_made(behind, proxy)
    volume = label_less(docker_client, behind)
    assert (await behind.run(command="exit 3")).exit_code == 3
    volume.reload()
    assert volume.attrs["Labels"]["job.uid"] == behind.ref.uid
    await behind.orchestrator.remove(behind.ref)
    with pytest.raises(docker.errors.NotFound):
        volume.reload()


async def test_an_unconfirmed_volume_is_removed_with_its_job(
    behind: Any, proxy: EngineProxy, docker_client: docker.DockerClient
) -> None:
    await not_made(behind, proxy)
    volume = label_less(docker_client, behind)
    await behind.orchestrator.remove(behind.ref)
    with pytest.raises(docker.errors.NotFound):
        volume.reload()


async def test_a_volume_older_than_the_request_is_foreign(
    behind: Any, proxy: EngineProxy, docker_client: docker.DockerClient
) -> None:
    volume = label_less(docker_client, behind)
    try:
        older = time.monotonic() + 3
        while time.monotonic() < older:
            await asyncio.sleep(0.05)  # the engine reports whole seconds
        await not_made(behind, proxy)
        with pytest.raises(RefusedByEngine, match="volume"):
            await behind.create()
        await behind.orchestrator.remove(behind.ref)
        volume.reload()
    finally:
        volume.remove()


async def test_a_volume_with_any_label_is_foreign(
    behind: Any, proxy: EngineProxy, docker_client: docker.DockerClient
) -> None:
    await not_made(behind, proxy)
    volume = docker_client.volumes.create(f"job-{behind.ref.id}-workspace", labels={"of": "a stranger"})
    try:
        with pytest.raises(RefusedByEngine, match="volume"):
            await behind.create()
        await behind.orchestrator.remove(behind.ref)
        volume.reload()
    finally:
        volume.remove()


async def test_an_engine_is_answering_if_it_answers_on_a_new_connection(
    proxy: EngineProxy, docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    there = parse(proxy.url, None)
    assert await is_answering(there)
    rule = proxy.on("GET /_ping", "stall", None)
    assert not await is_answering(there, 0.2)
    rule.lifted.set()
    proxy.on("GET /_ping", "unavailable")
    assert not await is_answering(there)
    proxy.down()
    assert not await is_answering(there)
