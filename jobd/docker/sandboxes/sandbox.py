"""One running sandbox: its start, the requests to its program, its removal.

Owns the connection to the program's input and output. The connection's end is the sandbox's end.

Source: Docker Engine API, ContainerCreate, ContainerAttach, ContainerStart.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable

from jobd.docker.engine import Engine
from jobd.docker.http.attach import attach_dialogue
from jobd.docker.http.errors import Refusal, ServerError
from jobd.docker.logs.frames import DamagedLog, Frames
from jobd.docker.mapping import labels
from jobd.docker.mapping.settings import DockerSettings
from jobd.docker.sandboxes import sandbox_spec
from jobd.docker.sandboxes.network_state import LONGEST_REPORT, InvalidReport, NetworkState, parse
from jobd.jobs.port.errors import EngineUnavailable

REPORT_LIMIT_S = 5.0
_READ_BYTES = 64 * 1024


class Sandbox:
    """A sandbox without a job has `fresh` as its state. `leases`: how many jobs have used the sandbox."""

    def __init__(self, container_id: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.id = container_id
        self.leases = 0
        self.fresh: NetworkState | None = None
        self._reader = reader
        self._writer = writer
        self._frames = Frames()
        self._received = b""
        self._arrived = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self.has_ended = False

    def follow(self, on_end: Callable[["Sandbox"], None]) -> None:
        """Reads the program's output until the sandbox ends, and then calls `on_end`."""

        async def read() -> None:
            try:
                while data := await self._reader.read(_READ_BYTES):
                    for _, piece in self._frames.feed(data):
                        # A report that is too long loses its beginning, which names the files: `parse` refuses the rest.
                        self._received = (self._received + piece)[-LONGEST_REPORT:]
                        self._arrived.set()
            except (OSError, DamagedLog):
                pass
            self.has_ended = True
            self._writer.transport.abort()
            self._arrived.set()
            on_end(self)

        self._reading = asyncio.create_task(read(), name=f"sandbox {self.id[:12]}")

    async def lease(self) -> None:
        """Tells the program that the sandbox must outlive jobd. Raises: EngineUnavailable."""
        await self._send(sandbox_spec.LEASE)
        self.leases += 1

    async def release(self) -> None:
        """Tells the program that the sandbox ends with jobd. Raises: EngineUnavailable."""
        await self._send(sandbox_spec.RELEASE)

    async def report(self) -> NetworkState:
        """Returns the namespace's state. Raises: EngineUnavailable: there is no report, or an invalid one."""
        self._received = b""
        try:
            async with asyncio.timeout(REPORT_LIMIT_S):
                await self._send(sandbox_spec.REPORT)
                while not self._received.endswith(sandbox_spec.END_OF_REPORT):
                    if self.has_ended:
                        raise EngineUnavailable(f"the sandbox {self.id[:12]} has ended")
                    self._arrived.clear()
                    await self._arrived.wait()
            return parse(self._received.decode("ascii", "replace"))
        except (TimeoutError, InvalidReport) as error:
            raise EngineUnavailable(f"the sandbox {self.id[:12]} gave no report: {error}") from error

    async def close(self) -> None:
        """Closes the connection: a sandbox without a job ends by that."""
        self._writer.transport.abort()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _send(self, request: bytes) -> None:
        try:
            async with asyncio.timeout(REPORT_LIMIT_S):
                self._writer.write(request)
                await self._writer.drain()
        except (OSError, TimeoutError) as error:
            raise EngineUnavailable(f"the sandbox {self.id[:12]} does not listen: {error}") from error
        if self.has_ended or self._writer.is_closing():
            raise EngineUnavailable(f"the sandbox {self.id[:12]} has ended")


async def start_sandbox(
    engine: Engine, settings: DockerSettings, on_end: Callable[[Sandbox], None]
) -> Sandbox:
    """Creates and starts a sandbox, and returns it once its program answers. Leaves none behind if that fails.

    Raises: Refusal (404: the image or the network does not exist), EngineUnavailable.
    """
    name = f"{labels.network_name(settings.instance)}-sandbox-{secrets.token_hex(6)}"
    container_id = await engine.create_container(sandbox_spec.body(settings), name, None)
    try:
        version = (await engine.version()).negotiated
        reader, writer = await attach_dialogue(engine.endpoint, engine.timeouts, version, container_id)
        sandbox = Sandbox(container_id, reader, writer)
        try:
            await engine.start(container_id)
            sandbox.follow(on_end)
            sandbox.fresh = await sandbox.report()
        except BaseException:
            await sandbox.close()
            raise
    except BaseException:
        # The caller may be cancelled: the removal runs on its own, within the limits of a call.
        await asyncio.shield(remove_sandbox(engine, container_id))
        raise
    return sandbox


async def remove_sandbox(engine: Engine, container_id: str) -> None:
    """Kills and removes a sandbox; absent is no error. Never raises: what remains is found by its labels later."""
    with contextlib.suppress(Refusal, ServerError, EngineUnavailable):
        await engine.destroy_container(container_id)
