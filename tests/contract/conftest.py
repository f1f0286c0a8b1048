"""The worlds of the contract suite, and shared fixtures."""

import asyncio
import os
import shlex
import shutil
import signal
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import docker
import pytest

from jobd.docker.mapping.settings import DockerSettings
from jobd.docker.orchestrator import DockerOrchestrator
from jobd.jobs.port.errors import EngineUnavailable
from jobd.jobs.port.model import LOG_START, ContainerFacts, EndCause, JobRef, Observation, WorkOrder
from jobd.jobs.port.protocols import EnginePort
from jobd.wire.job import JobSpec
from tests.contract.worlds import OPTIONAL, Ability, Behaviour, FakeWorld, World, observed_until
from tests.support.engine.engine_proxy import EngineProxy
from tests.support.engine.memory_kills import TRIES, told_of_memory_kill
from tests.support.engine.second_engine import SecondEngine
from tests.support.kubernetes.cluster import WANTED as KUBERNETES
from tests.support.kubernetes.contract_world import kubernetes_world
from tests.support.progress import Progress

DEADLINE_S = 60.0
SIDECAR_IMAGE = os.environ.get("SIDECAR_IMAGE", "job-sidecar:latest")


class DockerWorld:
    """The Docker Engine behind a proxy: behaviours become shell lines for busybox. `second`: makes an engine that may be stopped."""

    deadline_s = DEADLINE_S
    without = OPTIONAL
    keeps_files = True
    lacks: frozenset[Ability] = frozenset()

    def __init__(
        self,
        instance: str,
        client: docker.DockerClient,
        image: str,
        proxy: EngineProxy,
        second: Callable[[], SecondEngine],
    ) -> None:
        self.instance = instance
        self.docker = self.on(proxy.url)
        self.orchestrator: EnginePort = self.docker
        self.image = image
        self.made: set[JobRef] = set()
        self.others: list[DockerOrchestrator] = []
        """Orchestrators on the tests' own engines, which are removed with all their objects."""
        self._client = client
        self._proxy = proxy
        self._second = second

    def on(self, url: str) -> DockerOrchestrator:
        settings = DockerSettings(self.instance, SIDECAR_IMAGE)
        return DockerOrchestrator(settings, environ={"DOCKER_HOST": url})

    def work(
        self,
        ref: JobRef,
        behaviour: Behaviour,
        *,
        sidecar: bool = False,
        files: Path | None = None,
        image_ready: bool = False,
        sources: Mapping[str, JobRef] | None = None,
        **fields: Any,
    ) -> WorkOrder:
        self.made.add(ref)
        script = self._script(behaviour)
        command: str | list[str] = ["/no/such/command"] if behaviour.missing else script
        fields = {"command": command, "secrets": dict.fromkeys(behaviour.shows, ""), **fields}
        spec = JobSpec(**{"id": ref.id, "image": self.image, **fields})
        return WorkOrder(ref, spec, sidecar, files, image_ready, sources=sources or {})

    def command(self, behaviour: Behaviour) -> tuple[str, ...]:
        return ("no-such-command",) if behaviour.missing else ("sh", "-c", self._script(behaviour))

    def _script(self, behaviour: Behaviour) -> str:
        script = [f"printf %s {shlex.quote(text)} > {path}" for path, text in behaviour.writes.items()]
        script += [f"echo {shlex.quote(line)}" for line in behaviour.lines]
        script += [f"echo {shlex.quote(line)} >&2" for line in behaviour.errors]
        script += [
            f"cat /run/secrets/{name} 2>/dev/null && echo || echo no secret {name} >&2"
            for name in behaviour.shows
        ]
        script += [f"printf %s {shlex.quote(behaviour.rest)}"]
        if behaviour.copies:
            script += ["stty -echo 2>/dev/null", "cat"]  # a terminal would show what is typed
        if behaviour.shows_size:
            script += ["trap 'stty size' WINCH", "while :; do sleep 0.05; done"]
        script += ["exec sleep 3600"] if behaviour.stays else [f"exit {behaviour.exit_code}"]
        return "; ".join(script)

    async def interrupt_hints(self) -> None:
        await asyncio.to_thread(self._proxy.cut, r"GET .*/events")

    async def kill_from_outside(self, ref: JobRef) -> None:
        await asyncio.to_thread(self._client.containers.get(f"job-{ref.id}-worker").kill)

    async def end_for(self, cause: EndCause, ref: JobRef) -> tuple[EnginePort, ContainerFacts]:
        engine = self.docker
        if cause is EndCause.ENGINE_STOPPED:
            return await self._stopped(ref)
        if cause is EndCause.SIGNAL:
            await self._start(engine, self.work(ref, Behaviour(stays=True)))
            await self.kill_from_outside(ref)
        elif cause is EndCause.OUT_OF_MEMORY:
            return engine, await self._out_of_memory(ref)
        elif cause is EndCause.NOT_EXECUTED:
            await self._start(engine, self.work(ref, Behaviour(missing=True)))
        else:
            code = 255 if cause is EndCause.UNKNOWN else 3
            await self._start(engine, self.work(ref, Behaviour(exit_code=code)))
        worker = await _end_of(engine, ref)
        if cause is EndCause.UNKNOWN:
            # The events of a removed container do not show whether 255 is its own exit code.
            await engine.remove_stopped(ref)
            fate = await engine.remove_unstarted(ref, "worker", worker.id)
            assert fate.end is not None
            worker = fate.end
        return engine, worker

    async def _out_of_memory(self, ref: JobRef) -> ContainerFacts:
        for _ in range(TRIES):
            began = time.time()
            order = self.work(ref, Behaviour(), command=["tail", "/dev/zero"], memory=16)
            await self._start(self.docker, order)
            worker = await _end_of(self.docker, ref)
            if await asyncio.to_thread(told_of_memory_kill, self._client, ref.id, began):
                return worker
            await self.docker.remove(ref)
        pytest.fail("the engine told of no kill")

    async def _stopped(self, ref: JobRef) -> tuple[EnginePort, ContainerFacts]:
        second = await asyncio.to_thread(self._second)
        engine = self.on(second.url)
        stream, hints = engine.hints(), asyncio.Event()

        async def follow() -> None:
            async for _ in stream:
                hints.set()

        following = asyncio.create_task(follow())
        try:
            await hints.wait()
            await self._start(
                engine, self.work(ref, Behaviour(), command="trap 'exit 0' TERM; echo up; sleep 600 & wait")
            )
            self.made.discard(ref)
            async for _ in engine.logs(ref, "worker", LOG_START, True):
                break
            await asyncio.to_thread(second.restart, signal.SIGTERM)
            return engine, await _end_of(engine, ref)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            self.others.append(engine)

    async def _start(self, engine: DockerOrchestrator, order: WorkOrder) -> None:
        await engine.prepare(order, Progress())
        await engine.start_worker(order.ref)


async def _end_of(engine: DockerOrchestrator, ref: JobRef) -> ContainerFacts:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                worker = (await engine.observe(ref)).worker
            except EngineUnavailable:
                worker = None
            if worker is not None and worker.ended:
                return worker
            await asyncio.sleep(0.05)


@pytest.fixture
def second(request: pytest.FixtureRequest) -> Iterator[Callable[[], SecondEngine]]:
    """Makes an engine that may be stopped, on request."""
    made: list[SecondEngine] = []

    def make() -> SecondEngine:
        if os.geteuid() != 0 or not shutil.which("dockerd") or not shutil.which("ip"):
            pytest.skip("a second engine needs root, dockerd and ip on this machine")
        made.append(SecondEngine())
        made[0].start()
        made[0].load(request.getfixturevalue("docker_client"), request.getfixturevalue("worker_image"))
        return made[0]

    yield make
    for engine in made:
        engine.close()


@asynccontextmanager
async def docker_world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    client: docker.DockerClient = request.getfixturevalue("docker_client")
    folder: Path = request.getfixturevalue("tmp_path_factory").mktemp("s")
    proxy = EngineProxy(folder / "engine.sock")
    # A stream of hints begins a second before its connection: an instance of its own has no earlier events.
    has_hints = request.path.stem == "test_hints_contract"
    instance = f"contract-{uuid.uuid4().hex[:8]}" if has_hints else request.getfixturevalue("shared_instance")
    world = DockerWorld(
        instance, client, request.getfixturevalue("worker_image"), proxy, request.getfixturevalue("second")
    )
    try:
        yield world
    finally:
        for ref in world.made:
            await world.docker.remove(ref, "sidecar")  # it may have the workspace of another job mounted
        for ref in world.made:
            await world.docker.remove(ref)
        for engine in (world.docker, *world.others):
            await engine.close()
        await asyncio.to_thread(proxy.close)
        if has_hints:
            for network in client.networks.list(names=[f"jobs-service-{world.instance}"]):
                network.remove()


@asynccontextmanager
async def fake_world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    world = FakeWorld(DEADLINE_S)
    yield world
    await world.fake.close()


WORLDS: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[World]]] = {
    "docker": docker_world,
    "fake": fake_world,
    **({"kubernetes": kubernetes_world} if KUBERNETES else {}),
}
"""The cluster of `make test-kubernetes` takes part where that target runs the suite."""


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
    """Observes a job until a condition holds; fails after a bounded time."""
    return lambda ref, condition: observed_until(world, ref, condition)
