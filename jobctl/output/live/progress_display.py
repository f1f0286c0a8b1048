"""Shows how far a job is while the user waits: one line on a terminal, otherwise a line every few seconds if the job's stage has changed.

Owns a thread that asks the daemon. What the line says is in `progress.py`, which the thread imports only when a job is slow: most jobs
need no line, and an import delays each of them.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from jobctl.output.output import can_animate

if TYPE_CHECKING:
    from jobctl.connection.client import Client
    from jobctl.output.drawing import Screen
    from jobctl.output.live.rate import Rate

QUIET_FOR_S = 0.6
"""A job that starts faster gets no line."""
EVERY_S = 0.4
PLAIN_EVERY_S = 5.0
PLAIN_QUIET_FOR_S = 10.0
LOG_IS_QUIET_S = 1.0


class ProgressDisplay:
    """Shows the line until the block's end. `shows_running`: also while the command runs, for a user who sees no log."""

    def __init__(self, client: Client, job_id: str, *, shows_running: bool = False) -> None:
        self._client = client
        self._job_id = job_id
        self._before = ""
        self._shows_running = shows_running
        self._animated = can_animate(on_stderr=True)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._screen: Screen | None = None
        self._screens = ExitStack()
        self._drawn = False
        self._is_shown = True
        """False while there is nothing to tell, since the log arrives: jobd is then asked seldom."""
        self._log_at: float | None = None
        self._at_line_start = True
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> ProgressDisplay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Removes the line for good, since a terminal is shown from now on. Repeats safely."""
        self._stop.set()
        self._thread.join(timeout=5)

    def about(self, job_id: str, before: str) -> None:
        """Shows another job from now on, with a text before the line."""
        self._job_id, self._before = job_id, before

    def make_room(self) -> None:
        """Removes the line, since text is printed next."""
        with self._lock:
            self._log_at = time.monotonic()
            if self._drawn and self._screen is not None:
                self._screen.show("")
            self._drawn = False

    def printed(self, *, at_line_start: bool) -> None:
        """Tells where the printed text ends: a line that is drawn would overwrite the text of an unfinished one."""
        self._at_line_start = at_line_start

    def _run(self) -> None:
        if self._stop.wait(QUIET_FOR_S if self._animated else PLAIN_QUIET_FOR_S):
            return
        if self._log_at is not None and self._stop.wait(PLAIN_EVERY_S):
            return
        from jobctl.output.live.rate import Rate

        rate, said = Rate(), ""
        with ExitStack() as self._screens:
            while not self._stop.is_set():
                said = self._refresh(rate, said)
                self._stop.wait(EVERY_S if self._animated and self._is_shown else PLAIN_EVERY_S)
            with self._lock:
                if self._screen is not None:
                    self._screen.show("")

    def _refresh(self, rate: Rate, said: str) -> str:
        """Asks the daemon and shows the answer. Returns what tells two plain lines apart."""
        import json
        from datetime import UTC, datetime

        from jobctl.connection.client import job_path
        from jobctl.errors import JobctlError
        from jobctl.output import output
        from jobctl.output.live import progress

        try:
            job = json.loads(self._client.get(job_path(self._job_id)))
        except (JobctlError, ValueError):
            self._show("")
            return said
        done, _ = progress.transferred(job)
        rate.add(time.monotonic(), done)
        text = ""
        self._is_shown = (
            self._shows_running or job.get("paused") or job.get("phase") not in progress.QUIET_PHASES
        )
        if self._is_shown:
            text = progress.line(job, rate.bytes_per_s, datetime.now(UTC), with_bar=self._animated)
        if self._animated:
            self._show(self._before + text if text else "")
            return said
        now_said = f"{self._before}{progress.stage(job)} {done}" if text else said
        if now_said != said and not self._stop.is_set():
            output.note(self._before + text)
        return now_said

    def _show(self, text: str) -> None:
        with self._lock:
            quiet = self._log_at is None or time.monotonic() - self._log_at > LOG_IS_QUIET_S
            if not quiet or not self._at_line_start or self._stop.is_set() or not (text or self._drawn):
                return
            if self._screen is None:
                from jobctl.output import (
                    drawing,
                )  # not before: rich takes longer to import than most jobs wait

                self._screen = self._screens.enter_context(drawing.screen(on_stderr=True))
            if self._screen is not None:
                self._screen.show(text)
            self._drawn = bool(text)
