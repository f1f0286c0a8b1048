"""A client that is attached to a process: what it sends, and what is sent to it. `api/channels.py` implements it on a WebSocket."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from jobd.jobs.port.model import StreamName, WindowSize
from jobd.wire.terminal import Status


@dataclass(frozen=True, slots=True)
class InputBytes:
    """Bytes for the process's standard input."""

    data: bytes


@dataclass(frozen=True, slots=True)
class InputEnd:
    """The end of the process's standard input."""


@dataclass(frozen=True, slots=True)
class Resized:
    """The client's terminal has another size."""

    size: WindowSize


Message = InputBytes | InputEnd | Resized


class Client(Protocol):
    """The connection of one client. Sending waits while the client does not read, for a bounded time."""

    def messages(self) -> AsyncIterator[Message]:
        """Yields what the client sends, until it leaves. Raises InvalidRequest: the client breaks the protocol."""
        ...

    async def send(self, stream: StreamName, data: bytes) -> None:
        """Sends output. Raises ConnectionError: the client has left. TimeoutError: the client does not read."""
        ...

    async def status(self, status: Status) -> None:
        """Sends a status. Raises as `send`."""
        ...
