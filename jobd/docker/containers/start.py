"""Starts containers, translates refused starts, and writes the sidecar's order to its standard input.

Owns the order of these calls. The caller decides whether a container may be started.

Source: Docker Engine API, ContainerStart, ContainerAttach.
"""

import asyncio

import msgspec

from jobd.docker.containers.container_ids import ContainerIds
from jobd.docker.containers.network import Network
from jobd.docker.containers.workspace_owners import WorkspaceOwners
from jobd.docker.engine import Engine
from jobd.docker.http.attach import Attached, attach_stdin
from jobd.docker.http.errors import Refusal, ServerError, port_error
from jobd.docker.http.probe import is_answering
from jobd.docker.http.transport import SMALL_ANSWER
from jobd.docker.mapping import inspection
from jobd.docker.mapping.error_table import SANDBOX_REMOVED
from jobd.jobs.port.errors import EngineUnavailable, StartFailed
from jobd.jobs.port.model import JobRef
from jobd.wire.report import SidecarOrder, encode_order

_INSPECT_AGAIN_S = 1.0


class Start:
    """Starts containers."""

    def __init__(self, engine: Engine, ids: ContainerIds, network: Network, owners: WorkspaceOwners) -> None:
        self._engine = engine
        self._ids = ids
        self._network = network
        self._owners = owners

    async def sidecar(self, ref: JobRef, order: SidecarOrder) -> None:
        """Attaches, starts, writes the order with the worker's uid and gid, closes the input. Does nothing if the sidecar runs or has run.

        Raises: StartFailed, RefusedByEngine, EngineUnavailable.
        """
        found = await self._ids.inspect(ref, "sidecar")
        if found is None:
            raise StartFailed("the sidecar container is gone")
        if not found.never_started:
            return
        uid, gid = await self._owners.of(ref)
        order = msgspec.structs.replace(order, worker_uid=uid, worker_gid=gid)
        version = (await self._engine.version()).negotiated
        try:
            stdin = await attach_stdin(self._engine.endpoint, self._engine.timeouts, version, found.id)
        except (Refusal, ServerError) as error:
            raise port_error("inspect", error) from error
        async with stdin:
            await self.container(found.id)
            await self._hand_over(ref, stdin, encode_order(order))

    async def container(self, container_id: str) -> None:
        """Starts a container, once. Raises: StartFailed. EngineUnavailable: whether it started is not known."""
        try:
            try:
                await self._engine.start(container_id)
            except (Refusal, ServerError) as error:
                if inspection.sandbox_removed(error.status, error.message, container_id):
                    raise Refusal(SANDBOX_REMOVED.start, error.message) from error
                if not inspection.network_missing(error.status, error.message):
                    raise
                # The engine refused before anything ran: this start may be repeated.
                self._network.forget()
                await self._network.ensure()
                await self._engine.start(container_id)
        except (Refusal, ServerError) as error:
            failure = port_error("start", error)
            if (
                isinstance(error, ServerError)
                and isinstance(failure, StartFailed)
                and failure.exit_code == inspection.NOT_STARTED
                and not await is_answering(self._engine.endpoint)
            ):
                failure = EngineUnavailable(f"the engine is stopping: {error.message}")
            if not isinstance(failure, EngineUnavailable | StartFailed):
                remedy, failure = failure.remedy, StartFailed(str(failure), inspection.NOT_STARTED)
                failure.remedy = remedy
            raise failure from error

    async def _hand_over(self, ref: JobRef, stdin: Attached, order: bytes) -> None:
        """Writes the order. The engine closes the connection once it has forwarded the order; if it does not, the sidecar's end or first
        report ends the wait.
        """
        writing = asyncio.ensure_future(stdin.write_all(order))
        try:
            while not (await asyncio.wait([writing], timeout=_INSPECT_AGAIN_S))[0]:
                found = await self._ids.inspect(ref, "sidecar")
                if (
                    found is None
                    or found.state.status in ("exited", "dead")
                    or await self._has_reported(found.id)
                ):
                    return
            await writing
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _has_reported(self, container_id: str) -> bool:
        """Returns whether the sidecar has printed a report: then it has read its order."""
        path = await self._engine.path(f"/containers/{container_id}/logs")
        silence_s = self._engine.timeouts.connect_s
        try:
            async with self._engine.streams.open(
                "GET", path, params={"stdout": "1", "tail": "1"}, silence_s=silence_s
            ) as body:
                return bool(await body.read(SMALL_ANSWER))
        except (Refusal, EngineUnavailable):
            return False
