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
from jobctl.output.live.keys import KeyDecoder

QUIT_KEYS = frozenset("qQ")
ESCAPE_TIMEOUT_S = 0.05
"""The bytes of one key arrive within this time."""
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
    """Inside the block `keys` reads keys. SIGTERM and SIGHUP raise `EndedBySignal`; Ctrl-Z restores the terminal's settings until the program
    continues. Needs a terminal at stdout; keys need one at stdin too.
    """

    def __init__(self) -> None:
        self._settings: list[Any] | None = None
        self._handlers: dict[int, Any] = {}
        self._has_keys = sys.stdin is not None and sys.stdin.isatty()
        self._decoder = KeyDecoder()
        self._is_released = False

    @property
    def has_keys(self) -> bool:
        """False where stdin is no terminal, or its terminal is closed."""
        return self._has_keys

    def __enter__(self) -> "LiveTerminal":
        self._handlers = {number: signal.signal(number, _raise) for number in _QUIT_SIGNALS}
        self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._stop)
        self._set_keys()
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    @contextmanager
    def released(self) -> Iterator[None]:
        """Inside the block the terminal has its own settings and its cursor, also after Ctrl-Z."""
        self._is_released = True
        self._restore()
        _write(_SHOW_CURSOR)  # a stop just before the block has hidden the cursor again
        try:
            yield
        finally:
            self._is_released = False
            self._set_keys()

    def keys(self, seconds: float) -> list[str]:
        """Waits for keys, at most `seconds`. Returns the keys as soon as some are pressed."""
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0:
            if not self._has_keys:
                time.sleep(left_s)
                continue
            wait_s = min(left_s, ESCAPE_TIMEOUT_S) if self._decoder.unfinished else left_s
            pressed = self._read() if select.select([sys.stdin], [], [], wait_s)[0] else []
            if not pressed and self._decoder.unfinished:
                pressed = self._decoder.flush()
            if pressed:
                return pressed
        return []

    def pause(self, seconds: float) -> bool:
        """Waits for `seconds`. Returns False as soon as a key of `QUIT_KEYS` is pressed."""
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0:
            if not QUIT_KEYS.isdisjoint(self.keys(left_s)):
                return False
        return True

    def _read(self) -> list[str]:
        try:
            data = os.read(sys.stdin.fileno(), 1024)
        except OSError:
            data = b""
        self._has_keys = bool(data)  # no byte: the terminal is closed
        return self._decoder.feed(data)

    def _set_keys(self) -> None:
        if not self._has_keys:
            return
        import termios

        try:
            self._settings = termios.tcgetattr(sys.stdin)
            keys = termios.tcgetattr(sys.stdin)
            keys[3] &= ~(termios.ICANON | termios.ECHO)
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, keys)
        except termios.error:
            self._has_keys = False

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
        if not self._is_released:
            self._set_keys()
            _write(_HIDE_CURSOR)


def _raise(number: int, frame: FrameType | None) -> None:
    raise EndedBySignal(number, "")


def _write(sequence: str) -> None:
    try:
        os.write(sys.stdout.fileno(), sequence.encode())
    except OSError:
        pass  # the terminal is closed
