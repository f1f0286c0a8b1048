"""What the contract suite needs of an implementation: a `World` that turns a behaviour into a job that behaves so.

A second implementation joins by one more function in `WORLDS`.
"""

import asyncio
import shlex
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import docker
import pytest

from jobd.docker.mapping.settings import DockerSettings
from jobd.docker.orchestrator import DockerOrchestrator
from jobd.jobs.orchestrator import JobRef, Observation, Orchestrator, WorkOrder
from jobd.wire.job import JobSpec
from tests.support.fakes.orchestrator import FakeOrchestrator
from tests.support.fakes.worker import WorkerScript

DEADLINE_S = 60


@dataclass(frozen=True)
class Behaviour:
    """What the worker does: `writes` files into its workspace, prints `lines`, the secrets that it `shows` (or on stderr that one
    is missing) and `rest` without a newline, then ends with `exit_code`; with `stays` it runs until a signal kills it; `missing` means that its command does not exist.
    """

    lines: tuple[str, ...] = ()
    rest: str = ""
    errors: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    writes: dict[str, str] = field(default_factory=dict)
    exit_code: int = 0
    stays: bool = False
    missing: bool = False


class World(Protocol):
    """One implementation under test."""

    orchestrator: Orchestrator
    image: str

    def work(self, ref: JobRef, behaviour: Behaviour, *, sidecar: bool = False) -> WorkOrder:
        """Returns an order for a job that will behave so; `ref` will be cleaned up."""
        ...


class DockerWorld:
    """The Docker Engine: behaviours become shell lines for busybox."""

    def __init__(self, orchestrator: DockerOrchestrator, image: str) -> None:
        self.orchestrator: Orchestrator = orchestrator
        self.image = image
        self.made: set[JobRef] = set()

    def work(self, ref: JobRef, behaviour: Behaviour, *, sidecar: bool = False) -> WorkOrder:
        self.made.add(ref)
        script = [f"printf %s {shlex.quote(text)} > {path}" for path, text in behaviour.writes.items()]
        script += [f"echo {shlex.quote(line)}" for line in behaviour.lines]
        script += [f"echo {shlex.quote(line)} >&2" for line in behaviour.errors]
        script += [
            f"cat /run/secrets/{name} 2>/dev/null && echo || echo no secret {name} >&2"
            for name in behaviour.shows
        ]
        script += [f"printf %s {shlex.quote(behaviour.rest)}"]
        script += ["exec sleep 3600"] if behaviour.stays else [f"exit {behaviour.exit_code}"]
        command: str | list[str] = ["/no/such/command"] if behaviour.missing else "; ".join(script)
        secrets = dict.fromkeys(behaviour.shows, "")
        return WorkOrder(ref, JobSpec(id=ref.id, image=self.image, command=command, secrets=secrets), sidecar)


@asynccontextmanager
async def docker_world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    client: docker.DockerClient = request.getfixturevalue("docker_client")
    instance = f"contract-{uuid.uuid4().hex[:8]}"
    orchestrator = DockerOrchestrator(DockerSettings(instance))
    world = DockerWorld(orchestrator, request.getfixturevalue("worker_image"))
    try:
        yield world
    finally:
        for ref in world.made:
            await orchestrator.remove(ref)
        await orchestrator.close()
        for network in client.networks.list(names=[f"jobs-service-{instance}"]):
            network.remove()


class FakeWorld:
    """The engine in memory: behaviours become scripts."""

    image = "fake:latest"

    def __init__(self) -> None:
        self.fake = FakeOrchestrator()
        self.fake.missing_images.add("no-such-image:1")
        self.orchestrator: Orchestrator = self.fake

    def work(self, ref: JobRef, behaviour: Behaviour, *, sidecar: bool = False) -> WorkOrder:
        self.fake.workers[ref.id] = WorkerScript(
            lines=behaviour.lines,
            errors=behaviour.errors,
            shows=behaviour.shows,
            rest=behaviour.rest,
            writes={path: text.encode() for path, text in behaviour.writes.items()},
            exit_code=behaviour.exit_code,
            runs_s=None if behaviour.stays else 0.0,
            start_error=(127, "no such command") if behaviour.missing else None,
        )
        secrets = dict.fromkeys(behaviour.shows, "")
        return WorkOrder(ref, JobSpec(id=ref.id, image=self.image, secrets=secrets), sidecar)


@asynccontextmanager
async def fake_world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    world = FakeWorld()
    yield world
    await world.fake.close()


WORLDS: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[World]]] = {
    "docker": docker_world,
    "fake": fake_world,
}


@pytest.fixture(params=sorted(WORLDS))
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with WORLDS[request.param](request) as made:
        yield made


@pytest.fixture
def behave() -> type[Behaviour]:
    return Behaviour


@pytest.fixture
def ref(job_id: str) -> JobRef:
    return JobRef(uid=uuid.uuid4().hex, id=job_id, attempt=1)


Until = Callable[[JobRef, Callable[[Observation], bool]], Coroutine[Any, Any, Observation]]


@pytest.fixture
def until(world: World) -> Until:
    """Looks at a job until a condition holds; fails after a bounded time."""

    async def wait(ref: JobRef, condition: Callable[[Observation], bool]) -> Observation:
        async with asyncio.timeout(DEADLINE_S):
            while not condition(seen := await world.orchestrator.observe(ref)):
                await asyncio.sleep(0.05)
            return seen

    return wait
