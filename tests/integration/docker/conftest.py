"""One instance of jobd's Docker adapter for each test, removed after the test."""

import asyncio
import contextlib
import io
import tarfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import APIError, NotFound

from jobd.docker.http.http_session import Timeouts
from jobd.docker.mapping.settings import DockerSettings
from jobd.docker.orchestrator import DockerOrchestrator
from jobd.jobs.port.model import JobRef
from tests.integration.docker.bench import DEADLINE_S, Bench, MakeBench, Until
from tests.integration.docker.sandboxes.pooled import Pooled


def sweep(client: docker.DockerClient, instance: str, *, keep_network: bool) -> None:
    """Removes all objects with the instance's label, perhaps without its network."""
    mine: Any = {"label": f"job.instance={instance}"}
    for container in client.containers.list(all=True, filters=mine, ignore_removed=True):
        with contextlib.suppress(APIError):
            container.remove(force=True, v=True)
    for volume in client.volumes.list(filters=mine):
        with contextlib.suppress(NotFound):
            volume.remove()
    for network in [] if keep_network else client.networks.list(filters=mine):
        with contextlib.suppress(NotFound):
            network.remove()


@pytest.fixture
async def make_bench(
    docker_client: docker.DockerClient, worker_image: str, job_id: str, shared_instance: str
) -> AsyncIterator[MakeBench]:
    """Makes benches with settings of their own; each is another instance of jobd, unless the instance is given."""
    made: list[Bench] = []

    def make(
        environ: dict[str, str] | None = None,
        timeouts: Timeouts | None = None,
        on_call: Callable[[str, float, bool], None] | None = None,
        instance: str | None = None,
        **settings: Any,
    ) -> Bench:
        instance = instance or f"test-{uuid.uuid4().hex[:10]}"
        orchestrator = DockerOrchestrator(
            DockerSettings(instance, **settings), environ=environ, timeouts=timeouts, on_call=on_call
        )
        made.append(Bench(docker_client, orchestrator, instance, JobRef(uuid.uuid4().hex, job_id, 1)))
        return made[-1]

    yield make
    for bench in made:
        await bench.orchestrator.close()
        is_shared = bench.instance == shared_instance
        await asyncio.to_thread(sweep, docker_client, bench.instance, keep_network=is_shared)


@pytest.fixture
def bench(make_bench: MakeBench, shared_instance: str) -> Bench:
    """A bench whose instance and network earlier tests have used. The engine's events of the last second may be theirs."""
    return make_bench(instance=shared_instance)


@pytest.fixture
def own_bench(make_bench: MakeBench) -> Bench:
    return make_bench()


@pytest.fixture
def tar_of(tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    def make(files: dict[str, bytes]) -> Path:
        path = tmp_path / f"{uuid.uuid4().hex}.tar"
        with tarfile.open(path, "w") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return path

    return make


@pytest.fixture(scope="session")
def build_image(docker_client: docker.DockerClient, worker_image: str) -> Iterator[Callable[[str], str]]:
    """Builds small images on top of the worker image; all are removed at the end."""
    made: list[str] = []

    def build(lines: str) -> str:
        tag = f"jobd-test-{uuid.uuid4().hex[:10]}:1"
        docker_client.images.build(
            fileobj=io.BytesIO(f"FROM {worker_image}\n{lines}\n".encode()), tag=tag, rm=True
        )
        made.append(tag)
        return tag

    yield build
    for tag in made:
        docker_client.images.remove(tag, force=True)


class Proxy:
    """A proxy before the engine's socket: can cut all connections, drop answers, or stall."""

    def __init__(self, path: Path, engine: str) -> None:
        self.path = path
        self.url = f"unix://{path}"
        self.swallow: bytes | None = None
        self.silent = False
        self.swallowed = 0
        self._engine = engine
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def cut(self) -> None:
        """Breaks every connection; new connections work."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self.path.unlink(missing_ok=True)
        await self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        up_reader, up_writer = await asyncio.open_unix_connection(self._engine)
        self._writers |= {writer, up_writer}
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await asyncio.gather(self._up(reader, up_writer, writer), self._down(up_reader, writer))
        finally:
            for one in (writer, up_writer):
                one.close()
                self._writers.discard(one)
            self._tasks.discard(task)

    async def _up(
        self, reader: asyncio.StreamReader, out: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65536):
            if self.swallow is not None and self.swallow in data.partition(b"\r\n")[0]:
                self.swallowed += 1
                self.swallow = None
                out.write(data)
                await out.drain()
                # The engine executes the request; its answer is lost.
                back.transport.abort()
                continue
            out.write(data)
            await out.drain()
        if out.can_write_eof():
            out.write_eof()

    async def _down(self, reader: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            while self.silent:
                await asyncio.sleep(0.02)
            if not out.transport.is_closing():
                out.write(data)
                await out.drain()
        out.close()


@pytest.fixture
async def proxy(
    docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Proxy]:
    path = tmp_path_factory.mktemp("s") / "engine.sock"
    base = docker_client.api._custom_adapter.socket_path  # type: ignore[attr-defined]
    made = Proxy(path, base)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def until() -> Until:
    async def wait(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.02)

    return wait


@pytest.fixture
async def pooled(make_bench: MakeBench, until: Until) -> AsyncIterator[Pooled]:
    """A pool of one sandbox, which is ready."""
    made = await Pooled(make_bench(sandbox_pool=1), until).open()
    await made.run()
    yield made
    await made.close()
