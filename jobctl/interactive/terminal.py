"""The terminal at standard input: raw while a job has it, and as before on every way out.

Owns the settings, and what a stop from outside (SIGTSTP) does. Ctrl-C and Ctrl-Z are bytes for the job.
"""

from __future__ import annotations

import os
import signal
import termios
import tty
from typing import TYPE_CHECKING, Any

from jobctl.interactive.modes import Modes

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


class RawTerminal:
    """As a context manager, makes the terminal raw. `changed` is called, by a signal handler, when the size may have changed while jobctl stood still."""

    def __init__(self, descriptor: int, changed: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._changed = changed
        self._settings: list[Any] = []
        self._earlier: dict[int, Any] = {}
        self.modes = Modes()

    def __enter__(self) -> RawTerminal:
        self._settings = termios.tcgetattr(self._descriptor)
        self._earlier = {
            signal.SIGTSTP: signal.signal(signal.SIGTSTP, self._stopped),
            signal.SIGQUIT: signal.signal(signal.SIGQUIT, self._ended),
        }
        try:
            self._make_raw()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    def _make_raw(self) -> None:
        tty.setraw(self._descriptor, termios.TCSANOW)

    def _restore(self) -> None:
        try:
            if resets := self.modes.resets():
                os.write(self._descriptor, resets)
        except OSError:
            pass
        try:
            termios.tcsetattr(self._descriptor, termios.TCSANOW, self._settings)
        except (termios.error, OSError):
            pass  # the terminal is gone

    def _ended(self, number: int, frame: FrameType | None) -> None:
        """Ends jobctl by this signal, with the terminal as before."""
        self._restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _stopped(self, number: int, frame: FrameType | None) -> None:
        """Stops jobctl, with the terminal as before, until it is continued."""
        self._restore()
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
        signal.signal(number, self._stopped)
        self._make_raw()
        self._changed()


def size_of(descriptor: int) -> tuple[int, int] | None:
    """Returns columns and rows; None where the descriptor is no terminal, or its size is unknown."""
    try:
        size = os.get_terminal_size(descriptor)
    except OSError:
        return None
    return (size.columns, size.lines) if size.columns > 0 and size.lines > 0 else None
