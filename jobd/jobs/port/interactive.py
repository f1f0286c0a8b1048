"""What `jobs` requires of an engine for live streams: a worker's output, input and terminal, a command beside the worker.

Protocols as in `protocols.py`.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from jobd.jobs.port.model import Command, JobRef, StreamName, WindowSize


class OutputConnection(Protocol):
    """A connection to a worker's output."""

    def pieces(self) -> AsyncIterator[tuple[StreamName, bytes]]:
        """Yields the output in the pieces that arrive, until the connection ends. While the caller reads no pieces, the worker's writes
        block. Raises EngineUnavailable: the connection broke, or the engine's bytes cannot be decoded.
        """
        ...

    async def check_end(self) -> None:
        """Call after the last piece. Raises EngineUnavailable: the worker has not ended, so the connection broke."""
        ...


class WorkerOutput(Protocol):
    """Reading a worker's output before a line has ended."""

    def output(self, ref: JobRef) -> AbstractAsyncContextManager[OutputConnection]:
        """Opens a connection to the worker's output from now on: the whole output if entered before the worker's start.

        An engine without such a connection raises ContainerGone: readers then get each line when it ends. A frozen worker may raise it.
        Raises: ContainerGone, EngineUnavailable.
        """
        ...


class ProcessInput(Protocol):
    """An open standard input of a process."""

    async def write(self, data: bytes) -> None:
        """Sends bytes to the process. Returns once there is room for more: while the process reads nothing, the call waits.

        Raises: ContainerGone: the process has ended, or its input has. EngineUnavailable: the connection broke.
        """
        ...

    async def end(self) -> None:
        """Ends the input: the process reads the end after all bytes. Raises as `write`."""
        ...


class WorkerInput(Protocol):
    """Feeding a worker whose spec has `stdin`."""

    def input(self, ref: JobRef) -> AbstractAsyncContextManager[ProcessInput]:
        """Opens the worker's standard input, from before the worker's start on; nothing is lost that is written before the start.

        Without a terminal the input has one connection in the worker's life: if the connection ends, the worker reads the end of its
        input. With a terminal several connections may follow each other or exist together, and `end` ends only the connection.
        Raises: ContainerGone. EngineUnavailable. RefusedByEngine: the worker is frozen, or the engine cannot open an input.
        """
        ...


class WorkerTerminal(Protocol):
    """The terminal of a worker whose spec has `tty`."""

    async def resize(self, ref: JobRef, size: WindowSize) -> bool:
        """Sets the size of the worker's terminal. Returns False if the worker does not run, or has no terminal."""
        ...


class ExecutedProcess(ProcessInput, Protocol):
    """A command that runs beside a worker."""

    def output(self) -> AsyncIterator[tuple[StreamName, bytes]]:
        """Yields what the command prints until its end. While the caller reads nothing, the command's writes block.

        Raises: EngineUnavailable: the connection broke.
        """
        ...

    async def resize(self, size: WindowSize) -> bool:
        """Sets the size of the command's terminal. Returns False if the command does not run, or has no terminal."""
        ...

    async def exit_code(self) -> int | None:
        """Returns the exit code of a command whose output has ended: 126 or 127 if the command cannot run; None if the engine does not
        know the code.
        """
        ...


class Executing(Protocol):
    """Running a command in a running worker's container."""

    def execute(self, ref: JobRef, command: Command) -> AbstractAsyncContextManager[ExecutedProcess]:
        """Starts the command. At the exit of the context its input ends; a command that runs on then ends with the worker at the latest.

        Raises: ContainerGone: the worker does not run. RefusedByEngine: the worker is frozen, or the engine refuses the command.
        """
        ...


class InteractiveEngine(WorkerInput, WorkerTerminal, Executing, Protocol):
    """The calls of `jobs/interactive`, beside the worker's output."""
