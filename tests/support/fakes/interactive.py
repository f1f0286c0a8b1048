"""The inputs of the fake engine's workers, their terminals, and commands beside them.

Owns the connections; `world.py` has what a worker does with its input. Executes nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from jobd.jobs.port.errors import ContainerGone
from jobd.jobs.port.model import Command, StreamName, WindowSize
from tests.support.fakes.containers import Container, Job
from tests.support.fakes.hints import Hints
from tests.support.fakes.worker import WorkerScript
from tests.support.fakes.world import World


class FakeInput:
    """One connection to a worker's input. `answers` raises while the engine is away."""

    def __init__(self, world: World, job: Job, box: Container, answers: Callable[[], None]) -> None:
        self._world = world
        self._job = job
        self._box = box
        self._answers = answers

    async def write(self, data: bytes) -> None:
        """Gives bytes to the worker."""
        self._answers()
        if self._box.facts.ended or self._box.input_ended:
            raise ContainerGone("the process reads no more input")
        self._world.type(self._job, self._box, data)

    async def end(self) -> None:
        """Ends the input of a worker without a terminal."""
        self._answers()
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        if not self._job.spec.tty:
            self._world.end_input(self._job, self._box)


class FakeProcess:
    """A command beside a worker, which plays the script of its first argument."""

    def __init__(
        self, script: WorkerScript | None, command: Command, worker: Container, hints: Hints
    ) -> None:
        self._script = script or WorkerScript(
            errors=(f"no such command: {command.arguments[0]}",), exit_code=127
        )
        self._command = command
        self._worker = worker
        self._hints = hints
        self._printed: list[tuple[StreamName, bytes]] = [
            *(("stdout", self._line(text)) for text in self._script.lines),
            *(("stdout" if command.tty else "stderr", self._line(text)) for text in self._script.errors),
        ]
        self._ended = not (self._script.copies and command.stdin)
        self._news = asyncio.Event()

    async def write(self, data: bytes) -> None:
        """Gives bytes to the command."""
        if self._ended:
            raise ContainerGone("the process reads no more input")
        self._printed.append(("stdout", data))
        self._news.set()

    async def end(self) -> None:
        """Ends the command's input."""
        self._ended = True
        self._news.set()

    async def resize(self, size: WindowSize) -> bool:
        """Prints the size, if the script shows sizes."""
        if self._ended or not self._command.tty:
            return False
        if self._script.shows_size:
            self._printed.append(("stdout", self._line(f"{size.rows} {size.columns}")))
            self._news.set()
        return True

    async def output(self) -> AsyncIterator[tuple[StreamName, bytes]]:
        """Yields what the command has printed, until its end."""
        while True:
            self._news.clear()
            while self._printed:
                yield self._printed.pop(0)
            if self._ended or not self._worker.running:
                return
            with self._hints.waiting() as ended:
                waits = [asyncio.ensure_future(event.wait()) for event in (self._news, ended)]
                try:
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for wait in waits:
                        wait.cancel()

    async def exit_code(self) -> int | None:
        """Returns the script's exit code."""
        return self._script.exit_code if self._worker.running else 137

    def _line(self, text: str) -> bytes:
        return text.encode() + (b"\r\n" if self._command.tty else b"\n")
