"""Exchanges bytes between jobctl's descriptors and an attached process, without blocking on any of them.

Owns the loop, its buffers and their bounds: while the process reads nothing, jobctl reads no input; while the reader of jobctl's output
reads nothing, jobctl reads no output. So either side may be slow.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import stat
from typing import TYPE_CHECKING, Any

from jobctl.connection.client import SILENCE_TIMEOUT_S
from jobctl.errors import ConnectionLost, EndedBySignal, LocalFile
from jobctl.interactive.websocket import Closed, WebSocket
from jobd.wire import channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobctl.interactive.keys import DetachKeys
    from jobctl.interactive.modes import Modes
    from jobctl.output.terminal import ByteFilter

MOST_UNSENT_BYTES = 1 << 17
"""jobctl reads no input while the socket has not taken so much."""
MOST_UNPRINTED_BYTES = 1 << 17
"""jobctl reads no output while its own reader has not taken so much."""
PIPE_WRITE_BYTES = 4096
"""A write of this size to a pipe that `select` reports does not block. Source: pipe(7), "PIPE_BUF"."""
FILE_WRITE_BYTES = 1 << 16

Status = dict[str, Any]


class Detached(Exception):
    """The person has pressed the detach keys."""


class Printing:
    """One of jobctl's outputs: what is still to be written, and how much one write takes."""

    def __init__(self, descriptor: int, terminal: ByteFilter | None) -> None:
        self.descriptor = descriptor
        self.left = b""
        self.filter = terminal
        """Removes what may not reach the terminal; None where all may."""
        self.modes: Modes | None = None
        """Follows the modes that the output sets in the terminal."""
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._write_bytes = FILE_WRITE_BYTES if is_file else PIPE_WRITE_BYTES

    def add(self, data: bytes) -> None:
        """Adds output of the process."""
        if self.modes is not None:
            self.modes.follow(data)
        self.left += data if self.filter is None else self.filter.feed(data) + self.filter.pause()

    def write(self) -> None:
        """Writes a part. Raises EndedBySignal: the reader, or the terminal, is gone; LocalFile: for instance, the disk is full."""
        try:
            written = os.write(self.descriptor, self.left[: self._write_bytes])
        except BlockingIOError:
            return
        except BrokenPipeError:
            raise EndedBySignal(signal.SIGPIPE, "") from None
        except OSError as error:
            if error.errno == errno.EIO:
                raise EndedBySignal(signal.SIGHUP, "") from None
            raise LocalFile(f"cannot write the output: {error.strerror}") from None
        self.left = self.left[written:]


def size_fields(size: tuple[int, int]) -> dict[str, int]:
    """Returns columns and rows as jobd takes them."""
    columns, rows = (min(side, channel.MAX_SIDE) for side in size)
    return {"columns": columns, "rows": rows}


class Exchange:
    """`outputs`: by channel. `attached` is called with the first status, before any output; from then on `feed` and `follow_size` count."""

    def __init__(
        self, socket: WebSocket, outputs: dict[int, Printing], attached: Callable[[Status], None]
    ) -> None:
        self._socket = socket
        self._outputs = outputs
        self._attached = attached
        self._stdin: int | None = None
        self._keys: DetachKeys | None = None
        self._size: Callable[[], tuple[int, int] | None] = lambda: None
        self._wake: int | None = None

    def feed(self, descriptor: int, keys: DetachKeys | None = None) -> None:
        """Reads the process's input from this descriptor. `keys`: the descriptor is a terminal. A closed descriptor is an empty input."""
        try:
            os.fstat(descriptor)
        except OSError:
            self._end_input()
            return
        self._stdin, self._keys = descriptor, keys

    def follow_size(self, size: Callable[[], tuple[int, int] | None], wake: int) -> None:
        """Sends the terminal's size now, and whenever the descriptor `wake` becomes readable."""
        self._size, self._wake = size, wake
        self.resize()

    def run(self) -> Status:
        """Returns the last status of the session, which is not empty, once all output is written.

        Raises: Closed: jobd has closed the connection before. ConnectionLost. Detached. EndedBySignal, LocalFile: as `Printing.write`.
        """
        last: Status | None = None
        try:
            while last is None:
                for number, data in self._step():
                    if number == channel.STATUS:
                        status: Status = json.loads(data)
                        if "attached" in status:
                            self._attached(dict(status["attached"]))
                        else:
                            last = status or last
                    elif number in self._outputs:
                        self._outputs[number].add(data)
        except (Closed, ConnectionLost):
            self._print_rest()
            raise
        self._print_rest()
        return last

    def resize(self) -> None:
        """Sends the size of the terminal."""
        if (size := self._size()) is not None:
            self._socket.put(channel.RESIZE, json.dumps(size_fields(size)).encode())

    def _print_rest(self) -> None:
        """Writes the output that has arrived, at the pace of its reader."""
        while waiting := [output for output in self._outputs.values() if output.left]:
            _, writable, _ = select.select([], [output.descriptor for output in waiting], [])
            for output in waiting:
                if output.descriptor in writable and output.left:
                    output.write()

    def _unprinted(self) -> int:
        return sum(len(output.left) for output in self._outputs.values())

    def _step(self) -> list[tuple[int, bytes]]:
        """Waits until something can be read or written, and does that. Returns the messages that have arrived."""
        socket, unprinted = self._socket, self._unprinted()
        reads = unprinted < MOST_UNPRINTED_BYTES
        takes_input = self._stdin is not None and socket.unsent_bytes < MOST_UNSENT_BYTES
        readers: list[Any] = [socket] if reads else []
        readers += [self._stdin] if takes_input else []
        readers += [self._wake] if self._wake is not None else []
        writers: list[Any] = [output.descriptor for output in self._outputs.values() if output.left]
        writers += [socket] if socket.unsent_bytes else []
        has_more = reads and socket.has_more
        # While the own reader is slow, silence says nothing of jobd.
        limit_s = 0.0 if has_more else (SILENCE_TIMEOUT_S if not unprinted else None)
        readable, writable, _ = select.select(readers, writers, [], limit_s)
        if not (readable or writable or has_more):
            raise ConnectionLost(f"jobd sent nothing for {SILENCE_TIMEOUT_S:g} s")
        for output in self._outputs.values():
            if output.left and output.descriptor in writable:
                output.write()
        if self._wake is not None and self._wake in readable:
            os.read(self._wake, 4096)
            self.resize()
        if self._stdin is not None and self._stdin in readable:
            self._take_input(self._stdin)
        messages = socket.receive() if socket in readable or has_more else []
        socket.flush()
        return messages

    def _end_input(self) -> None:
        self._stdin = None
        self._socket.put(channel.CLOSE, bytes([channel.STDIN]))

    def _take_input(self, descriptor: int) -> None:
        try:
            typed = os.read(descriptor, channel.PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno == errno.EIO and self._keys is not None:
                raise EndedBySignal(signal.SIGHUP, "") from None  # the terminal is gone
            raise LocalFile(f"cannot read standard input: {error.strerror}") from None
        if not typed:
            if self._keys is not None:
                raise EndedBySignal(signal.SIGHUP, "")
            self._end_input()
            return
        detached = False
        if self._keys is not None:
            typed, detached = self._keys.feed(typed)
        if typed:
            self._socket.put(channel.STDIN, typed)
        if detached:
            self._socket.flush()
            raise Detached
