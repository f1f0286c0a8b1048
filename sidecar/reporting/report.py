"""What the sidecar says: numbered reports as JSON lines on stdout, and on to whoever else listens.

Owns the numbering, the order and the pace of reports. Everything goes to stdout, always; the two other ways, `callback.py` and
`proxy.py`, are for runs that ask for them. Diagnostics go to stderr and are for people.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from jobd.wire.artifact import Artifact, kind_of
from jobd.wire.filenames import readable
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
"""A transfer that has lasted long is reported less often: at most after this share of its time again."""
MOST_PROGRESS = 2000
LONGEST_ERROR = 2000


class Listener(Protocol):
    """Hears all reports but those of progress that are too many. Never raises for a receiver that fails."""

    def hear(self, report: Report) -> None:
        """Takes one report, in order."""
        ...


class ArtifactSender(Protocol):
    """Sends one artifact's event straight to the job's callback."""

    def send(self, artifact: Artifact, outcome: Outcome, content: Any) -> bool:
        """Returns True where the receiver took the event. Never raises for a receiver that fails."""
        ...


def note(text: str) -> None:
    """Writes one line for people to stderr."""
    sys.stderr.write(f"sidecar: {text}\n")
    sys.stderr.flush()


def write_stdout(line: bytes) -> None:
    """Writes a whole line to stdout, however many writes it takes."""
    view = memoryview(line)
    while view:
        view = view[os.write(1, view) :]


class Reports:
    """The reports of one run. A stdout that nobody reads any more does not stop the work."""

    def __init__(
        self,
        interrupts: Interrupts,
        write: Callable[[bytes], None] = write_stdout,
        *,
        listener: Listener | None = None,
        sender: ArtifactSender | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interrupts, self._write, self._clock = interrupts, write, clock
        self._listener, self._sender = listener, sender
        self._n = 0
        self._progress_left = MOST_PROGRESS
        self._broken = False

    def started(self) -> None:
        """The order was understood."""
        self._say(lambda n: Started(n=n))

    def refused(self, error: str) -> None:
        """The order cannot be carried out."""
        self._say(lambda n: Refused(n=n, error=_short(error)))

    def ready(self) -> None:
        """All inputs are in place."""
        self._say(lambda n: Ready(n=n))

    def inputs_failed(self, error: str) -> None:
        """The worker must not start."""
        self._say(lambda n: InputsFailed(n=n, error=_short(error)))

    def outputs_started(self) -> None:
        """The worker's end was heard."""
        self._say(lambda n: OutputsStarted(n=n))

    def done(self, failed: list[str]) -> None:
        """All outputs were tried."""
        self._say(lambda n: Done(n=n, failed=failed))

    def artifact(
        self,
        artifact: Artifact,
        outcome: Outcome,
        *,
        content: Any = None,
        size_bytes: int | None = None,
        seconds: float = 0,
    ) -> None:
        """One artifact has ended; its event goes straight to the callback first, where there is a sender."""
        outcome = Outcome(outcome.status, _short(outcome.why), outcome.forgiven)
        sent = False
        if self._sender is not None and outcome.status != "skipped":
            sent = self._sender.send(artifact, outcome, content)
        self._say(
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
        """Returns what a transfer calls with the bytes moved so far and their total; most calls report nothing."""
        started = self._clock()
        last = started

        def moved(size_bytes: int, total: int | None) -> None:
            nonlocal last
            now = self._clock()
            if (
                now - last < max(PROGRESS_EVERY_S, (now - started) * PROGRESS_SHARE)
                or self._progress_left <= 0
            ):
                return
            last = now
            self._progress_left -= 1
            self._say(lambda n: Progress(n=n, artifact_id=artifact.id, bytes=size_bytes, total=total))

        return moved

    def _say(self, make: Callable[[int], Report]) -> None:
        with self._interrupts.held():
            self._n += 1
            report = make(self._n)
            if not self._broken:
                try:
                    self._write(encode_report(report))
                except OSError as error:
                    self._broken = True
                    note(f"nobody reads the reports any more ({error.strerror}); the work goes on")
        if self._listener is not None:
            self._listener.hear(report)


def _short(text: str) -> str:
    return readable(text if len(text) <= LONGEST_ERROR else text[:LONGEST_ERROR] + "...")
