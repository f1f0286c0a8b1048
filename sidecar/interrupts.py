"""Signals: the word that the worker has ended, and the limits on how long anything may take.

Owns every signal handler of the process and the two exceptions that they raise. Knows nothing of artifacts. A signal
that is repeated changes nothing. While the inputs are being moved a signal means that the job is no longer wanted: it
raises `Cancelled`. Later the first one tells how the worker ended.

Runs in the main thread, the only one: Python delivers signals there.
"""

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

from jobd.wire.report import FAILED_SIGNAL, SUCCEEDED_SIGNAL

WorkerEnd = Literal["success", "failure"]

_MEANING: dict[int, WorkerEnd] = {
    signal.Signals[SUCCEEDED_SIGNAL]: "success",
    signal.Signals[FAILED_SIGNAL]: "failure",
    signal.SIGTERM: "success",
}
_ALARM_AGAIN_S = 5.0


class Cancelled(BaseException):
    """A signal arrived before the inputs were in place. Not an Exception: no retry and no cleanup may swallow it."""


class TimeIsUp(BaseException):
    """The time limit that holds has passed. Not an Exception, for the same reason."""


class Interrupts:
    """The signals of one run. Make one, `install` it, and `uninstall` it where the process goes on."""

    def __init__(self) -> None:
        self.worker_end: WorkerEnd | None = None
        self._moving_inputs = True
        self._raised = False
        self._held = 0
        self._postponed: BaseException | None = None
        self._limited = False
        self._before: dict[int, object] = {}
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def install(self) -> None:
        """Puts the handlers in place. From here on no signal is lost."""
        for number in _MEANING:
            self._before[number] = signal.signal(number, self._on_worker_end)
        self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._on_alarm)

    def uninstall(self) -> None:
        """Puts the earlier handlers back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned fits
        self._before.clear()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def ignore(self) -> None:
        """Ignores signals from here to the end of the process: the interpreter's own end would put back handlers that kill."""
        for number in _MEANING:
            signal.signal(number, signal.SIG_IGN)

    def checkpoint(self) -> None:
        """Raises Cancelled where a signal came but its exception was lost (Python swallows those in a `__del__`)."""
        if self._moving_inputs and self.worker_end is not None:
            self._raised = True
            raise Cancelled

    def inputs_are_over(self) -> None:
        """From here on a signal no longer cancels; it tells how the worker ended."""
        self.checkpoint()
        self._moving_inputs = False

    def wait_for_worker_end(self, timeout_s: float) -> WorkerEnd | None:
        """Returns how the worker ended as soon as a signal has told it, or None after `timeout_s` seconds."""
        deadline = time.monotonic() + timeout_s
        while self.worker_end is None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            select.select([self._wake_read], [], [], min(left_s, 3600.0))
        return self.worker_end

    @contextmanager
    def held(self) -> Iterator[None]:
        """Postpones what signals raise to the end of the block, so that a line is written whole or not at all."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        if not self._held and self._postponed is not None:
            postponed, self._postponed = self._postponed, None
            raise postponed

    @contextmanager
    def time_limit(self, seconds: float) -> Iterator[None]:
        """Raises TimeIsUp inside the block once it has lasted `seconds`, whatever it is waiting for. Not nested."""
        self._limited = True
        # The alarm rings again: an exception that is raised inside a `__del__` is lost.
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), _ALARM_AGAIN_S)
        try:
            yield
        finally:
            self._limited = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def shorten_limit(self, seconds: float) -> None:
        """Lets the time limit that holds pass after `seconds`, where that is sooner."""
        if self._limited and signal.getitimer(signal.ITIMER_REAL)[0] > seconds:
            signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), _ALARM_AGAIN_S)

    def _on_worker_end(self, number: int, frame: FrameType | None) -> None:
        if self.worker_end is None:
            self.worker_end = _MEANING[number]
            os.write(self._wake_write, b"!")
        if self._moving_inputs and not self._raised:
            self._raised = True
            self._raise(Cancelled())

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        if self._limited:
            self._raise(TimeIsUp())

    def _raise(self, interrupt: BaseException) -> None:
        if self._held:
            if not isinstance(self._postponed, Cancelled):
                self._postponed = interrupt
            return
        raise interrupt
