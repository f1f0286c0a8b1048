"""The process's signal handlers: the worker's end, and time limits.

During the inputs a signal ends the run, and raises `Cancelled`. After them, the first signal means that the worker has ended, with
success or failure; what SIGTERM means depends on who may send it. Repeated signals have no effect. The only thread is the main thread, which gets all signals.
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
Sigterm = Literal["leave", "worker-ended", "stay"]
"""What SIGTERM means after the inputs. `leave`: an engine that stops sends it, whether the worker has run or not, so the run ends without
outputs. `worker-ended`: without jobd, it says that the worker has succeeded. `stay`: a kubelet sends it when the worker has ended, however
it ended; the other signals tell how.
"""

_MEANING: dict[int, WorkerEnd] = {
    signal.Signals[SUCCEEDED_SIGNAL]: "success",
    signal.Signals[FAILED_SIGNAL]: "failure",
    signal.SIGTERM: "success",
}
_ALARM_AGAIN_S = 5.0


class Cancelled(BaseException):
    """A signal ended the run before the inputs were in place, or before the worker's end. No Exception, so that no retry or cleanup catches it."""


class TimeIsUp(BaseException):
    """The active time limit has passed. No Exception, for the same reason."""


class Interrupts:
    """The signals of one run. Call `install` first, and `uninstall` where the process continues after the run."""

    def __init__(self, *, sigterm: Sigterm = "leave") -> None:
        self.worker_end: WorkerEnd | None = None
        self.terminated = False
        """SIGTERM has arrived."""
        self._sigterm = sigterm
        self._moving_inputs = True
        self._raised = False
        self._held = 0
        self._postponed: BaseException | None = None
        self._limited = False
        self._before: dict[int, object] = {}
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def install(self) -> None:
        """Installs the handlers."""
        for number in _MEANING:
            self._before[number] = signal.signal(number, self._on_worker_end)
        self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._on_alarm)

    def uninstall(self) -> None:
        """Restores the earlier handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned fits
        self._before.clear()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def ignore(self) -> None:
        """Ignores signals until the process ends: the interpreter's exit would restore handlers that kill the process."""
        for number in _MEANING:
            signal.signal(number, signal.SIG_IGN)

    def checkpoint(self) -> None:
        """Raises Cancelled where a signal arrived but its exception was lost, as Python does inside `__del__`."""
        if self._moving_inputs and self.worker_end is not None:
            self._raised = True
            raise Cancelled

    def inputs_are_over(self) -> None:
        """Ends the inputs: from now on a signal means that the worker has ended."""
        self.checkpoint()
        self._moving_inputs = False

    def wait_for_worker_end(self, timeout_s: float) -> WorkerEnd | None:
        """Returns how the worker ended as soon as its signal arrives, or None after `timeout_s` seconds."""
        deadline = time.monotonic() + timeout_s
        while self.worker_end is None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            self._sleep(left_s)
        return self.worker_end

    def wait_for_termination(self) -> None:
        """Returns once SIGTERM has arrived; the inputs are over."""
        self._moving_inputs = False
        while not self.terminated:
            self._sleep(3600.0)

    def _sleep(self, seconds: float) -> None:
        """Waits for a signal, an hour at most."""
        select.select([self._wake_read], [], [], min(seconds, 3600.0))
        try:
            os.read(self._wake_read, 64)
        except BlockingIOError:
            pass

    @contextmanager
    def held(self) -> Iterator[None]:
        """Postpones the exceptions of signals to the end of the block, so that a report is written whole or not at all."""
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
        """Raises TimeIsUp inside the block after `seconds`, also during a blocking call. Limits cannot be nested."""
        self._limited = True
        # The alarm repeats, since Python loses an exception that is raised inside `__del__`.
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), _ALARM_AGAIN_S)
        try:
            yield
        finally:
            self._limited = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def shorten_limit(self, seconds: float) -> None:
        """Shortens the active time limit to `seconds` from now, where it is longer."""
        if self._limited and signal.getitimer(signal.ITIMER_REAL)[0] > seconds:
            signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), _ALARM_AGAIN_S)

    def _on_worker_end(self, number: int, frame: FrameType | None) -> None:
        ends_run = self._moving_inputs
        if number == signal.SIGTERM:
            self.terminated = True
            if self._sigterm == "stay" and not self._moving_inputs:
                os.write(self._wake_write, b"!")
                return
            ends_run = ends_run or (self._sigterm == "leave" and self.worker_end is None)
        if self.worker_end is None:
            self.worker_end = _MEANING[number]
            os.write(self._wake_write, b"!")
        if ends_run and not self._raised:
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
