"""Runs a command beside a worker. `http/channels.py` has the streams.

Source: Kubernetes API v1, Pod (exec).
"""

import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from jobd.jobs.port.errors import ContainerGone, EngineUnavailable, RefusedByEngine
from jobd.jobs.port.model import Command, JobRef, StreamName, WindowSize
from jobd.kubernetes.http.channels import RESIZE, Channels, exit_code, failure
from jobd.kubernetes.http.errors import ApiError
from jobd.kubernetes.mapping import facts
from jobd.kubernetes.mapping.pod import WORKER
from jobd.kubernetes.pods.api import PodApi, translated
from jobd.kubernetes.pods.start import Start

CANNOT_RUN, NOT_FOUND = 126, 127


class ExecutedCommand:
    """One running command; see `port.interactive.ExecutedProcess`."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def write(self, data: bytes) -> None:
        """Sends bytes to the command."""
        await self._channels.write(data)

    async def end(self) -> None:
        """Ends the command's input."""
        await self._channels.end()

    async def resize(self, size: WindowSize) -> bool:
        """Sets the size of the command's terminal."""
        data = msgspec.json.encode({"Width": size.columns, "Height": size.rows})
        try:
            await self._channels.write(data, RESIZE)
        except EngineUnavailable:
            return False
        return True

    async def output(self) -> AsyncIterator[tuple[StreamName, bytes]]:
        """Yields what the command prints until its end, and why a command did not start."""
        printed = False
        async for stream, data in self._channels.output():
            printed = True
            yield stream, data
        if exit_code(self._channels.error) is None and not printed:
            yield "stderr", f"{failure(self._channels.error)}\n".encode()

    async def exit_code(self) -> int | None:
        """Returns the exit code of a command whose output has ended."""
        code = exit_code(self._channels.error)
        if code is not None or not self._channels.error:
            return code
        text = failure(self._channels.error)
        if "not found" in text or "no such file" in text:
            return NOT_FOUND
        return CANNOT_RUN if "permission denied" in text or "exec" in text else None


class Execs:
    """Commands in the workers of one jobd's Pods."""

    def __init__(self, api: PodApi, start: Start) -> None:
        self._api = api
        self._start = start

    @asynccontextmanager
    async def execute(self, ref: JobRef, command: Command) -> AsyncIterator[ExecutedCommand]:
        """Starts the command; see `port.interactive.Executing`."""
        if command.user is not None:
            raise RefusedByEngine("Kubernetes runs a command beside the worker as the worker's user")
        with translated():
            pod = await self._start.pod(ref)
            found = facts.status_of(pod, WORKER) if pod is not None else None
            if pod is None or found is None or found.state.running is None:
                raise ContainerGone("the worker does not run")
            opening = self._api.execute(
                pod.metadata.name, WORKER, arguments(command), stdin=command.stdin, tty=command.tty
            )
            try:
                async with opening as channels:
                    process = ExecutedCommand(channels)
                    if command.size is not None:
                        await process.resize(command.size)
                    yield process
            except ApiError as error:
                if error.code in (400, 404):
                    raise ContainerGone(f"the worker does not run: {error}") from error
                raise


def arguments(command: Command) -> tuple[str, ...]:
    """Returns the command with its environment and folder, for which Kubernetes has no fields, set by a shell."""
    if not command.environment and command.workdir is None:
        return command.arguments
    script = [f"cd {shlex.quote(command.workdir)} &&"] if command.workdir is not None else []
    script += ["exec env", *(shlex.quote(f"{name}={value}") for name, value in command.environment.items())]
    return ("sh", "-c", " ".join([*script, '"$@"']), "sh", *command.arguments)
