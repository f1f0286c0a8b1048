"""A worker's standard input and the size of its terminal.

Owns these requests and the translation of their errors. The engine reads the detach keys of a terminal itself, unless a request
names others: jobd names keys that no terminal sends, since its clients read theirs.

Source: Docker Engine API, ContainerAttach, ContainerResize.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from jobd.docker.containers.container_ids import ContainerIds
from jobd.docker.engine import Engine
from jobd.docker.http.attach import hijack
from jobd.docker.http.errors import Refusal, ServerError
from jobd.docker.http.transport import SMALL_ANSWER
from jobd.docker.interactive.hijacked import HijackedInput
from jobd.jobs.port.errors import ContainerGone, EngineUnavailable, RefusedByEngine
from jobd.jobs.port.model import JobRef, WindowSize

_NO_KEYS = ",".join(["%FF"] * 16)
"""Sixteen bytes 0xFF, which UTF-8 does not have."""


class WorkerInputs:
    """The inputs of one instance's workers on one engine."""

    def __init__(self, engine: Engine, ids: ContainerIds) -> None:
        self._engine = engine
        self._ids = ids

    @asynccontextmanager
    async def open(self, ref: JobRef) -> AsyncIterator[HijackedInput]:
        """Opens the worker's input; see `port.interactive.WorkerInput`."""
        container_id = await self._ids.of(ref, "worker")
        if container_id is None:
            raise ContainerGone(f"the worker of job {ref.id} does not exist")
        path = await self._engine.path(f"/containers/{container_id}/attach")
        target = f"{path}?stream=1&stdin=1&detachKeys={_NO_KEYS}"
        try:
            _, writer = await hijack(self._engine.endpoint, self._engine.timeouts, target)
        except (Refusal, ServerError) as error:
            raise self._translated(ref, error) from error
        stream = HijackedInput(writer, self._engine.timeouts)
        try:
            yield stream
        finally:
            await stream.close()

    async def resize(self, ref: JobRef, size: WindowSize) -> bool:
        """Sets the size of the worker's terminal; see `port.interactive.WorkerInput`."""
        container_id = await self._ids.of(ref, "worker")
        if container_id is None:
            return False
        return await resize(self._engine, f"/containers/{container_id}/resize", size)

    def _translated(self, ref: JobRef, error: Refusal | ServerError) -> Exception:
        if error.status == 404:
            self._ids.forget(ref, "worker")
            return ContainerGone(f"the worker of job {ref.id} was removed")
        if isinstance(error, ServerError):
            return EngineUnavailable(str(error), answered=True)
        return RefusedByEngine(error.message)


async def resize(engine: Engine, path: str, size: WindowSize) -> bool:
    """Sets the size of a terminal. Returns False if the process does not run yet, or has ended. Raises EngineUnavailable: no answer."""
    params = {"h": str(size.rows), "w": str(size.columns)}
    try:
        async with engine.streams.open(
            "POST", await engine.path(path), params=params, silence_s=engine.timeouts.answer_s
        ) as body:
            await body.read(SMALL_ANSWER)
    except (Refusal, ServerError):
        return False
    return True
