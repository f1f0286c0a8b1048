"""The terminal during a live display: single keys, and the terminal's settings restored on every exit.

Owns the terminal's settings and the signal handlers of that time. The caller draws; `drawing.py` hides the cursor.
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

from jobctl.errors import EndedBySignal

QUIT_KEYS = frozenset(b"qQ")
_QUIT_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_SHOW_CURSOR, _HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


@contextmanager
def raise_on_signals() -> Iterator[None]:
    """Inside the block SIGTERM and SIGHUP raise `EndedBySignal`, so that the block's cleanup runs. A signal that is handled or ignored (nohup)
    stays so. Only the main thread gets signals: in another thread nothing changes.
    """
    numbers: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        numbers = [number for number in _QUIT_SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


class LiveTerminal:
    """Inside the block `pause` reads keys. SIGTERM and SIGHUP raise `EndedBySignal`; Ctrl-Z restores the terminal's settings until the program
    continues. Needs a terminal at stdout; keys need one at stdin too.
    """

    def __init__(self) -> None:
        self._settings: list[Any] | None = None
        self._handlers: dict[int, Any] = {}
        self._keys = sys.stdin is not None and sys.stdin.isatty()

    def __enter__(self) -> "LiveTerminal":
        self._handlers = {number: signal.signal(number, _raise) for number in _QUIT_SIGNALS}
        self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._stop)
        self._set_keys()
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def pause(self, seconds: float) -> bool:
        """Waits for `seconds`. Returns False as soon as a key of `QUIT_KEYS` is pressed."""
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0:
            if not self._keys:
                time.sleep(left_s)
            elif select.select([sys.stdin], [], [], left_s)[0]:
                pressed = os.read(sys.stdin.fileno(), 1024)
                if QUIT_KEYS & set(pressed):
                    return False
                self._keys = bool(pressed)  # no byte: the terminal is closed
        return True

    def _set_keys(self) -> None:
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

    def _restore(self) -> None:
        if self._settings is None:
            return
        import termios

        try:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._settings)
        except termios.error:
            pass  # the terminal is closed
        self._settings = None

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._restore()
        _write(_SHOW_CURSOR)
        os.kill(os.getpid(), signal.SIGSTOP)
        self._set_keys()
        _write(_HIDE_CURSOR)


def _raise(number: int, frame: FrameType | None) -> None:
    raise EndedBySignal(number, "")


def _write(sequence: str) -> None:
    try:
        os.write(sys.stdout.fileno(), sequence.encode())
    except OSError:
        pass  # the terminal is closed
