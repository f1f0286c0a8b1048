"""Commands beside a worker, in its container.

Owns the requests of an exec, its output and its exit code.

Source: Docker Engine API, ContainerExec, ExecStart, ExecResize, ExecInspect.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from jobd.docker.containers.container_ids import ContainerIds
from jobd.docker.engine import Engine
from jobd.docker.http.attach import hijack
from jobd.docker.http.errors import Refusal, ServerError
from jobd.docker.http.transport import SMALL_ANSWER
from jobd.docker.interactive.hijacked import HijackedInput
from jobd.docker.interactive.worker_input import resize
from jobd.docker.logs.frames import DamagedLog, Frames
from jobd.docker.mapping.exec_spec import create_body, start_body
from jobd.docker.mapping.models import ExecCreated, ExecInspected
from jobd.jobs.port.errors import ContainerGone, EngineUnavailable, RefusedByEngine
from jobd.jobs.port.model import Command, JobRef, StreamName, WindowSize

READ_BYTES = 64 * 1024
EXIT_LIMIT_S = 5.0
"""The engine knows the exit code a moment after the end of the output."""
_AGAIN_S = 0.05
_JSON = {"Content-Type": "application/json"}


class Execs:
    """The execs in one instance's workers on one engine."""

    def __init__(self, engine: Engine, ids: ContainerIds) -> None:
        self._engine = engine
        self._ids = ids

    @asynccontextmanager
    async def execute(self, ref: JobRef, command: Command) -> "AsyncIterator[Executed]":
        """Runs a command; see `port.interactive.Executing`."""
        engine = self._engine
        if command.stdin and not command.tty and engine.endpoint.tls is not None:
            # TLS has no half-close: the command would not read the end of its input.
            raise RefusedByEngine(
                "an engine behind TLS cannot end the input of an exec; use a terminal, or no input"
            )
        container_id = await self._ids.of(ref, "worker")
        if container_id is None:
            raise ContainerGone(f"the worker of job {ref.id} does not exist")
        try:
            async with engine.streams.open(
                "POST",
                await engine.path(f"/containers/{container_id}/exec"),
                data=msgspec.json.encode(create_body(command)),
                headers=_JSON,
                silence_s=engine.timeouts.answer_s,
            ) as body:
                made = msgspec.json.decode(await body.read(SMALL_ANSWER), type=ExecCreated)
            target = await engine.path(f"/exec/{made.id}/start")
            start = msgspec.json.encode(start_body(command))
            reader, writer = await hijack(engine.endpoint, engine.timeouts, target, start)
        except (Refusal, ServerError) as error:
            raise _translated(ref, error) from error
        except msgspec.MsgspecError as error:
            raise EngineUnavailable(f"the engine's answer to an exec is invalid: {error}") from error
        process = Executed(engine, made.id, reader, writer, tty=command.tty)
        try:
            yield process
        finally:
            await process.close()


class Executed(HijackedInput):
    """Implements `port.interactive.ExecutedProcess`."""

    def __init__(
        self,
        engine: Engine,
        exec_id: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        tty: bool,
    ) -> None:
        super().__init__(writer, engine.timeouts)
        self._engine = engine
        self._id = exec_id
        self._reader = reader
        self._tty = tty

    async def output(self) -> AsyncIterator[tuple[StreamName, bytes]]:
        """Yields what the command prints; see `port.interactive.ExecutedProcess`."""
        frames = Frames()
        try:
            while data := await self._reader.read(READ_BYTES):
                if self._tty:
                    yield "stdout", data
                    continue
                for piece in frames.feed(data):
                    yield piece
        except OSError as error:
            raise EngineUnavailable(f"the connection to an exec broke: {error}") from error
        except DamagedLog as error:
            raise EngineUnavailable(f"cannot read the output of an exec: {error}") from error
        if frames.cut:
            raise EngineUnavailable("the output of an exec was cut")

    async def resize(self, size: WindowSize) -> bool:
        """Sets the size of the command's terminal; see `port.interactive.ExecutedProcess`."""
        return await resize(self._engine, f"/exec/{self._id}/resize", size)

    async def exit_code(self) -> int | None:
        """Returns the command's exit code; see `port.interactive.ExecutedProcess`."""
        path = await self._engine.path(f"/exec/{self._id}/json")
        try:
            async with asyncio.timeout(EXIT_LIMIT_S):
                while True:
                    async with self._engine.streams.open(
                        "GET", path, silence_s=self._engine.timeouts.connect_s
                    ) as body:
                        state = msgspec.json.decode(await body.read(SMALL_ANSWER), type=ExecInspected)
                    if not state.running and state.exit_code is not None:
                        return state.exit_code
                    await asyncio.sleep(_AGAIN_S)
        except (TimeoutError, Refusal, ServerError, msgspec.MsgspecError):
            return None  # the container is removed, or the command has closed its output and runs on


def _translated(ref: JobRef, error: Refusal | ServerError) -> Exception:
    if error.status == 404:
        return ContainerGone(f"the worker of job {ref.id} was removed")
    if isinstance(error, ServerError):
        return EngineUnavailable(str(error), answered=True)
    if error.status == 409 and "paused" not in error.message:
        return ContainerGone(f"the worker of job {ref.id} does not run")
    return RefusedByEngine(error.message)
