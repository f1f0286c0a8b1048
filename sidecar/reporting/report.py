"""The sidecar's reports: numbered JSON lines on stdout.

Owns the numbering, order and rate of reports. All reports go to stdout; some runs also send them with `proxy.py`, and artifact events
with `callback.py`. Notes for people go to stderr.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from jobd.wire.artifact import Artifact, kind_of
from jobd.wire.files.filenames import readable
from jobd.wire.report import (
    ArtifactDone,
    Done,
    InputsFailed,
    OutputsStarted,
    Progress,
    Ready,
    Refused,
    Report,
    Started,
    encode_report,
)
from sidecar.artifacts.base import Meter
from sidecar.interrupts import Interrupts
from sidecar.plan import Outcome

PROGRESS_EVERY_S = 0.5
PROGRESS_SHARE = 0.02
"""The interval between progress reports is at least this share of the transfer's duration."""
MOST_PROGRESS = 2000
LONGEST_ERROR = 2000


class ReportSender(Protocol):
    """Sends reports elsewhere, in addition to stdout. Never raises for a failing receiver."""

    def send(self, report: Report) -> None:
        """Sends one report; called in order."""
        ...


class ArtifactSender(Protocol):
    """Sends artifact events directly to the job's callback."""

    def send(self, artifact: Artifact, outcome: Outcome, content: Any) -> bool:
        """Returns True where the receiver accepted the event. Never raises for a failing receiver."""
        ...


def note(text: str) -> None:
    """Writes a note for people to stderr."""
    sys.stderr.write(f"sidecar: {text}\n")
    sys.stderr.flush()


def write_stdout(line: bytes) -> None:
    """Writes a whole line to stdout, with several system calls where needed."""
    view = memoryview(line)
    while view:
        view = view[os.write(1, view) :]


class Reports:
    """The reports of one run. The run continues when stdout is closed."""

    def __init__(
        self,
        interrupts: Interrupts,
        write: Callable[[bytes], None] = write_stdout,
        *,
        report_sender: ReportSender | None = None,
        event_sender: ArtifactSender | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interrupts, self._write, self._clock = interrupts, write, clock
        self._report_sender, self._event_sender = report_sender, event_sender
        self._n = 0
        self._progress_left = MOST_PROGRESS
        self._broken = False

    def started(self) -> None:
        """Reports that the order was accepted."""
        self._report(lambda n: Started(n=n))

    def refused(self, error: str) -> None:
        """Reports that the order was refused."""
        self._report(lambda n: Refused(n=n, error=_short(error)))

    def ready(self) -> None:
        """Reports that all inputs are in place."""
        self._report(lambda n: Ready(n=n))

    def inputs_failed(self, error: str) -> None:
        """Reports that an input failed, so the worker must not start."""
        self._report(lambda n: InputsFailed(n=n, error=_short(error)))

    def outputs_started(self) -> None:
        """Reports that the outputs begin."""
        self._report(lambda n: OutputsStarted(n=n))

    def done(self, failed: list[str]) -> None:
        """Reports that all outputs have ended."""
        self._report(lambda n: Done(n=n, failed=failed))

    def artifact(
        self,
        artifact: Artifact,
        outcome: Outcome,
        *,
        content: Any = None,
        size_bytes: int | None = None,
        seconds: float = 0,
    ) -> None:
        """Reports the outcome of one artifact, after its event was sent to the callback in direct mode."""
        outcome = Outcome(outcome.status, _short(outcome.why), outcome.forgiven)
        sent = False
        if self._event_sender is not None and outcome.status != "skipped":
            sent = self._event_sender.send(artifact, outcome, content)
        self._report(
            lambda n: ArtifactDone(
                n=n,
                artifact_id=artifact.id,
                artifact_type=kind_of(artifact),
                status=outcome.status,
                content=content,
                error=outcome.why or None,
                bytes=size_bytes,
                seconds=round(seconds, 3),
                optional=outcome.forgiven,
                sent=sent,
            )
        )

    def meter(self, artifact: Artifact) -> Meter:
        """Returns the function that a transfer calls with its transferred and total bytes. Most calls report nothing."""
        started = self._clock()
        last = started

        def report_progress(size_bytes: int, total: int | None) -> None:
            nonlocal last
            now = self._clock()
            if (
                now - last < max(PROGRESS_EVERY_S, (now - started) * PROGRESS_SHARE)
                or self._progress_left <= 0
            ):
                return
            last = now
            self._progress_left -= 1
            self._report(lambda n: Progress(n=n, artifact_id=artifact.id, bytes=size_bytes, total=total))

        return report_progress

    def _report(self, make: Callable[[int], Report]) -> None:
        with self._interrupts.held():
            self._n += 1
            report = make(self._n)
            if not self._broken:
                try:
                    self._write(encode_report(report))
                except OSError as error:
                    self._broken = True
                    note(f"stdout was closed ({error.strerror}); the run continues")
        if self._report_sender is not None:
            self._report_sender.send(report)


def _short(text: str) -> str:
    return readable(text if len(text) <= LONGEST_ERROR else text[:LONGEST_ERROR] + "...")
