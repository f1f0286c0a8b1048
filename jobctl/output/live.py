"""A terminal on which something is drawn until its user leaves: keys without a return, and its state given back at every way out.

Owns the settings of the terminal and the signals meanwhile. What is drawn is up to the caller; `output.py` hides the cursor.
"""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from jobctl.errors import Left

LEAVING_KEYS = frozenset(b"qQ")
_LEAVING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_SHOW_CURSOR, _HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


@contextmanager
def leaving() -> Iterator[None]:
    """Within it SIGTERM and SIGHUP raise `Left`, so that what is drawn is wiped and what is half-made is removed. A signal that the
    caller handles or ignores (nohup) stays as it is. Only the main thread gets signals: on another one nothing changes.
    """
    taken: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        taken = [number for number in _LEAVING_SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


class LiveTerminal:
    """While it is entered, `pause` hears keys. SIGTERM and SIGHUP raise `Left`; a stop (Ctrl-Z) gives the terminal back and takes
    it again when the program goes on. Needs a terminal at stdout; without one at stdin there are no keys.
    """

    def __init__(self) -> None:
        self._settings: list[Any] | None = None
        self._handlers: dict[int, Any] = {}
        self._keys = sys.stdin is not None and sys.stdin.isatty()

    def __enter__(self) -> "LiveTerminal":
        self._handlers = {number: signal.signal(number, _leave) for number in _LEAVING_SIGNALS}
        self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._stop)
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def pause(self, seconds: float) -> bool:
        """Waits, and returns at once when a key of `LEAVING_KEYS` is pressed: False, the user leaves."""
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0:
            if not self._keys:
                time.sleep(left_s)
            elif select.select([sys.stdin], [], [], left_s)[0]:
                pressed = os.read(sys.stdin.fileno(), 1024)
                if LEAVING_KEYS & set(pressed):
                    return False
                self._keys = bool(pressed)  # nothing: the terminal is gone
        return True

    def _take(self) -> None:
        if not self._keys:
            return
        import termios

        try:
            self._settings = termios.tcgetattr(sys.stdin)
            keys = termios.tcgetattr(sys.stdin)
            keys[3] &= ~(termios.ICANON | termios.ECHO)
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, keys)
        except termios.error:
            self._keys = False

    def _give_back(self) -> None:
        if self._settings is None:
            return
        import termios

        try:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._settings)
        except termios.error:
            pass  # the terminal is gone
        self._settings = None

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._give_back()
        _write(_SHOW_CURSOR)
        os.kill(os.getpid(), signal.SIGSTOP)
        self._take()
        _write(_HIDE_CURSOR)


def _leave(number: int, frame: FrameType | None) -> None:
    raise Left(number, "")


def _write(sequence: str) -> None:
    try:
        os.write(sys.stdout.fileno(), sequence.encode())
    except OSError:
        pass  # the terminal is gone
