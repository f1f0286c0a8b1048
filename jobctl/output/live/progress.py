"""The progress line of an attached job: what the job waits for, with bytes and rate of its transfers.

Owns a thread that asks the daemon until the log begins. Needs a terminal at stderr.
"""

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from jobctl.connection.client import Client, job_path
from jobctl.errors import JobctlError
from jobctl.output import drawing, output
from jobctl.units import bytes_text, parse_time, short_duration

QUIET_FOR_S = 0.6
"""A job that starts faster gets no progress line."""
EVERY_S = 0.4
_SHOWN_PHASES = ("queued", "pulling", "inputs", "outputs")


class Progress:
    """Shows the progress line during the phases in which the job prints nothing."""

    def __init__(self, client: Client, job_id: str) -> None:
        self._client = client
        self._job_id = job_id
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Callable[[], None]:
        """Returns a function that removes the progress line, since the job's output is shown from then on."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self._end

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout=5)

    def _run(self) -> None:
        if self._stop.wait(QUIET_FOR_S):
            return
        with drawing.screen(on_stderr=True) as screen:
            first: tuple[float, int] | None = None
            while screen is not None and not self._stop.is_set():
                try:
                    job = json.loads(self._client.get(job_path(self._job_id)))
                except (JobctlError, ValueError):
                    return
                if job.get("phase") not in _SHOWN_PHASES:
                    screen.show("")
                else:
                    now = (time.monotonic(), transferred(job)[0])
                    if first is None or now[1] < first[1]:
                        first = now if now[1] else None
                    rate = (now[1] - first[1]) / (now[0] - first[0]) if first and now[0] > first[0] else 0.0
                    screen.show(line(job, rate))
                self._stop.wait(EVERY_S)
            if screen is not None:
                screen.show("")


def line(job: dict[str, Any], rate: float) -> str:
    """Returns the progress line; `rate` in bytes a second."""
    parts = [f"{job['id']} {waiting_sentence(job) or job.get('phase')}"]
    done, total = transferred(job)
    if done:
        parts.append(output.bar(done, total))
        parts.append(bytes_text(done) + (f" of {bytes_text(total)}" if total else ""))
        if rate > 0:
            parts.append(f"{bytes_text(int(rate))}/s")
    return "  ".join(part for part in parts if part)


def waiting_sentence(job: dict[str, Any]) -> str:
    """Returns `waits for ...`, or "" where the job waits for nothing."""
    text = waiting_for(job, datetime.now(UTC))
    return text if not text or text.startswith("pulling") else f"waits for {text}"


def waiting_for(job: dict[str, Any], now: datetime) -> str:
    """Returns what a job waits for, as the daemon reports it; a time in the future becomes the duration until then."""
    waiting = str(job.get("waitingFor") or "")
    before, at, text = waiting.rpartition(" at ")
    moment = parse_time(text) if at else None
    if moment is None:
        return waiting
    left_s = (moment - now).total_seconds()
    return f"{before} {'in ' + short_duration(left_s) if left_s > 0 else 'now'}"


def transferred(job: dict[str, Any]) -> tuple[int, int | None]:
    """Returns the bytes that the pending artifacts have transferred, and their total; None where one total is unknown."""
    done, total = 0, 0
    known = True
    for artifact in job.get("artifacts") or []:
        if artifact.get("status", "pending") == "pending" and artifact.get("doneBytes"):
            done += int(artifact["doneBytes"])
            total += int(artifact.get("bytes") or 0)
            known = known and bool(artifact.get("bytes"))
    return done, total if known and total else None
