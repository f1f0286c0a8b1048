"""Runs programs on a terminal of a given size: their output, their keys, and the terminal's state afterwards."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from tests.support.daemon import DEADLINE_S, Daemon

_SEQUENCE = re.compile(r"\x1b\[[0-9;:?]*[A-Za-z]")


class Terminal:
    """A program on its own terminal. `shown` holds its output."""

    def __init__(
        self, command: list[str], columns: int = 80, lines: int = 40, env: Mapping[str, str] | None = None
    ) -> None:
        self._main, self._other = pty.openpty()
        fcntl.ioctl(self._other, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._before = termios.tcgetattr(self._other)
        environ = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(
            command,
            stdin=self._other,
            stdout=self._other,
            stderr=self._other,
            env={**environ, "TERM": "xterm-256color", **(env or {})},
            start_new_session=True,
            preexec_fn=partial(fcntl.ioctl, self._other, termios.TIOCSCTTY, 0),  # keys such as ^C are signals
        )
        self.shown = b""

    @property
    def text(self) -> str:
        """The output without escape sequences."""
        return plain(self.shown.decode("utf-8", "replace"))

    @property
    def as_before(self) -> bool:
        """True if the terminal's settings are those that it had at first, and its cursor is not hidden."""
        settings = termios.tcgetattr(self._other) == self._before
        return settings and self.shown.rfind(b"\x1b[?25l") <= self.shown.rfind(b"\x1b[?25h")

    def read_until(self, wanted: bytes, after: int = 0) -> None:
        """Reads until the output holds `wanted` behind its first `after` bytes."""
        deadline = time.monotonic() + DEADLINE_S
        while wanted not in self.shown[after:]:
            assert time.monotonic() < deadline, self.shown[-4000:]
            if select.select([self._main], [], [], 0.1)[0]:
                self.shown += os.read(self._main, 1 << 16)

    def press(self, keys: bytes) -> None:
        """Writes what a person types."""
        os.write(self._main, keys)

    def resize(self, columns: int, lines: int) -> None:
        """Gives the terminal another size, as a window manager does."""
        fcntl.ioctl(self._main, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def hang_up(self) -> None:
        """Closes the terminal's window under the program."""
        os.close(self._main)
        self._main = -1

    def end(self) -> int:
        """Reads until the program has ended; returns its exit code."""
        deadline = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.shown[-4000:]
            self.drain()
        self.drain()
        return self.process.returncode

    def drain(self) -> None:
        """Reads the available output."""
        while select.select([self._main], [], [], 0.05)[0]:
            self.shown += os.read(self._main, 1 << 16)

    def close(self) -> None:
        """Ends the program if it still runs, and closes the terminal."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE_S)
        os.close(self._other)
        if self._main >= 0:
            os.close(self._main)


@contextlib.contextmanager
def on_terminal(
    daemon: Daemon, *arguments: str, columns: int = 80, lines: int = 40, **env: str
) -> Iterator[Terminal]:
    """Yields jobctl on a terminal of this size."""
    command = [sys.executable, "-m", "jobctl", "--host", f"unix://{daemon.socket}", *arguments]
    terminal = Terminal(command, columns, lines, env)
    try:
        yield terminal
    finally:
        terminal.close()


def shown(daemon: Daemon, *arguments: str, **options: Any) -> list[str]:
    """Returns the lines that jobctl shows on a terminal, without sequences and blanks at their ends."""
    with on_terminal(daemon, *arguments, **options) as terminal:
        terminal.end()
        return [line.rstrip() for line in terminal.text.replace("\r\n", "\n").splitlines()]


def plain(text: str) -> str:
    """Returns a text without colours and cursor movements."""
    return _SEQUENCE.sub("", text)
