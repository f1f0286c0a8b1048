"""The output of a job's containers: the stored log from a cursor on, and the worker's live output.

Owns these streams, their ends and their errors. `log_parser.py` parses the bytes, `log_requests.py` chooses the requests.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

from jobd.docker.containers.container_ids import ContainerIds
from jobd.docker.engine import Engine
from jobd.docker.http.errors import Refusal, ServerError
from jobd.docker.http.http_session import Body, Silent
from jobd.docker.logs import log_cursors
from jobd.docker.logs.frames import DamagedLog, Frames
from jobd.docker.logs.log_requests import lines_after
from jobd.jobs.port.errors import ContainerGone, EngineUnavailable, LogUnreadable
from jobd.jobs.port.model import JobRef, LogBatch, LogCursor, Role, StreamName

_BUFFER_BYTES = 64 * 1024
_CHECK_DELAY_S = 0.1
"""A followed log usually ends with its container, and then the caller reads no further before the engine is asked."""
_ALIVE = ("running", "paused", "restarting")
_NOT_ENDED = (*_ALIVE, "created")


class ContainerOutput:
    """The output of one instance's containers on one engine."""

    def __init__(self, engine: Engine, ids: ContainerIds) -> None:
        self._engine = engine
        self._ids = ids

    async def logs(
        self, ref: JobRef, role: Role, cursor: LogCursor, follow: bool
    ) -> AsyncGenerator[LogBatch, None]:
        """Yields the lines after the cursor, in batches as they arrive; see `port.protocols.Logs`.

        A container that was created and not started has no log: yields nothing, also with `follow`.
        Raises: EngineUnavailable: the connection broke, or ended while the container runs; resume from the last cursor.
        LogUnreadable. ContainerGone.
        """
        positions = log_cursors.decoded(cursor)
        container_id = await self._ids.of(ref, role)
        if container_id is None:
            raise ContainerGone(f"the {role} of job {ref.id} does not exist")
        raw = await self._ids.has_terminal(ref, role)
        path = await self._engine.path(f"/containers/{container_id}/logs")
        # A followed container may print nothing for days; without follow the engine sends the stored log at once.
        silence_s = None if follow else self._engine.timeouts.work_s

        def ask(params: Mapping[str, str]) -> AbstractAsyncContextManager[Body]:
            return self._engine.streams.open(
                "GET", path, params=params, silence_s=silence_s, buffer_bytes=_BUFFER_BYTES
            )

        try:
            async with aclosing(lines_after(ask, positions, follow, raw=raw)) as batches:
                async for batch in batches:
                    positions = log_cursors.positions_after(positions, batch)
                    yield LogBatch(batch, log_cursors.encoded(positions))
        except Refusal as error:
            if error.status in (404, 409):
                self._ids.forget(ref, role)
                raise ContainerGone(f"the {role} of job {ref.id} was removed") from error
            raise LogUnreadable(error.message) from error
        except (ServerError, Silent) as error:
            raise LogUnreadable(str(error)) from error
        except DamagedLog as error:
            raise LogUnreadable(f"cannot read the log of the {role} of job {ref.id}: {error}") from error
        if not follow:
            return
        await asyncio.sleep(_CHECK_DELAY_S)
        now = await self._ids.inspect(ref, role)
        if now is not None and now.id == container_id and now.state.status in _ALIVE:
            raise EngineUnavailable("the log stream ended while the container runs")

    @asynccontextmanager
    async def output(self, ref: JobRef) -> AsyncIterator["AttachedOutput"]:
        """Opens a connection to what the worker prints from now on; see `port.protocols.WorkerOutput`.

        The engine attaches the connection before its answer. A connection that breaks may end as at the worker's end: the output has
        ended only if the worker has. Source: Docker Engine API, ContainerAttach.
        """
        container_id = await self._ids.of(ref, "worker")
        if container_id is None:
            raise ContainerGone(f"the worker of job {ref.id} does not exist")
        raw = await self._ids.has_terminal(ref, "worker")
        path = await self._engine.path(f"/containers/{container_id}/attach")
        params = {"stream": "1", "stdout": "1", "stderr": "1"}
        try:
            async with self._engine.streams.open(
                "POST", path, params=params, silence_s=None, buffer_bytes=_BUFFER_BYTES
            ) as body:
                yield AttachedOutput(self._ids, ref, body, raw=raw)
        except Refusal as error:
            if error.status in (404, 409):
                self._ids.forget(ref, "worker")
                raise ContainerGone(f"the worker of job {ref.id} was removed") from error
            raise EngineUnavailable(error.message) from error
        except ServerError as error:
            raise EngineUnavailable(str(error)) from error
        except DamagedLog as error:
            raise EngineUnavailable(f"cannot read the output of job {ref.id}: {error}") from error


class AttachedOutput:
    """A connection that is attached to a worker; see `port.protocols.OutputConnection`."""

    def __init__(self, ids: ContainerIds, ref: JobRef, body: Body, *, raw: bool) -> None:
        self._ids = ids
        self._ref = ref
        self._body = body
        self._raw = raw
        self._frames = Frames()

    async def pieces(self) -> AsyncIterator[tuple[StreamName, bytes]]:
        """Yields the output; see `port.protocols.OutputConnection`."""
        async for chunk in self._body.chunks():
            if self._raw:
                yield "stdout", chunk
                continue
            for piece in self._frames.feed(chunk):
                yield piece
        if self._frames.cut:
            raise EngineUnavailable("the worker's output was cut")

    async def check_end(self) -> None:
        """Inspects the worker. The engine answers once it has removed the network of a worker that has just ended."""
        now = await self._ids.inspect(self._ref, "worker")
        if now is not None and now.state.status in _NOT_ENDED:
            raise EngineUnavailable("the worker's output was cut")
