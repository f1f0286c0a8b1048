"""The attached run: follows an accepted job to its end, handles signals meanwhile, fetches the outputs.

The first Ctrl-C cancels the job, the second kills the job, the third only ends jobctl. SIGTERM, SIGHUP and a closed standard
output leave the job running.
"""

from __future__ import annotations

import signal
import sys
import threading  # not in the handler of Ctrl-C, which may run within the first import of this module
from typing import TYPE_CHECKING, Any

from jobctl.connection.client import Client
from jobctl.errors import (
    Conflict,
    ConnectionLost,
    EndedBySignal,
    JobctlError,
    LocalFile,
    NotFound,
    OutputMissing,
)
from jobctl.job.outcome import Ended, Interrupted
from jobctl.job.requests.cancellation import request_cancel
from jobctl.job.requests.submission import in_doubt
from jobctl.output import output

if TYPE_CHECKING:
    from types import FrameType

    from jobctl.transfers.transfer_flags import Transfer

OUTPUTS_FAILED = ("output-failed", "output-too-large")
_DETACH_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class RunSignals:
    """The signal handlers of one attached run. Leaving the block restores the earlier handlers. Main thread only."""

    def __init__(self, client: Client, job_id: str) -> None:
        self._client = client
        self._job_id = job_id
        self._earlier_handlers: dict[int, Any] = {}
        self._cancel_requests: list[threading.Thread] = []
        self.presses = 0
        """How often Ctrl-C was pressed."""
        self.accepted = False
        """True once jobd has accepted the job."""
        self.follow_command = "jobctl logs -f"

    def __enter__(self) -> RunSignals:
        for number in (signal.SIGINT, *_DETACH_SIGNALS):
            if signal.getsignal(number) is signal.SIG_IGN and number == signal.SIGHUP:
                continue  # started by nohup
            handler = self._interrupt if number == signal.SIGINT else self._detach
            self._earlier_handlers[number] = signal.signal(number, handler)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._earlier_handlers.items():
            signal.signal(number, handler)
        for request in self._cancel_requests:
            request.join(timeout=10)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.presses += 1
        if not self.accepted or self.presses > 2:
            raise KeyboardInterrupt
        kill = self.presses == 2
        output.note(
            f"killing {self._job_id}"
            if kill
            else f"cancelling {self._job_id}; press Ctrl-C again to kill it",
            after_key=True,
        )
        request = threading.Thread(target=self._cancel, args=(kill,), daemon=True)
        self._cancel_requests.append(request)
        request.start()

    def _detach(self, number: int, frame: FrameType | None) -> None:
        raise EndedBySignal(number, self.resume_hint())

    def resume_hint(self) -> str:
        """Returns the command that follows the job again, or that shows whether jobd accepted the job."""
        if not self.accepted:
            return in_doubt(self._job_id)
        return f"{self._job_id} keeps running; to follow it again: {self.follow_command} {self._job_id}"

    def _cancel(self, kill: bool) -> None:
        try:
            request_cancel(self._client, self._job_id, by="Ctrl-C in jobctl run", grace_s=0 if kill else None)
        except Conflict:
            pass  # the job has ended meanwhile
        except JobctlError as error:
            output.note(f"cannot cancel {self._job_id}: {error.message}; try: jobctl cancel {self._job_id}")


def follow_to_end(
    client: Client,
    job_id: str,
    signals: RunSignals,
    *,
    as_json: bool,
    raw: bool = False,
    only_stderr: bool = False,
) -> Ended:
    """Prints the job's log as it arrives. Returns how the job ended, and whether standard output lacks part of the log.
    `raw`: a terminal gets the bytes unfiltered. `only_stderr`: an output uses stdout, so the log goes to stderr.

    Raises:
        ConnectionLost: jobd could not be reached any more; the hint says how to follow the job again.
        EndedBySignal: the reader of stdout has closed it.
    """
    from jobctl.connection.log_stream import frames
    from jobctl.output.live.progress_display import ProgressDisplay
    from jobctl.output.printer import Printer

    printer = Printer(as_json=as_json, raw=raw, only_stderr=only_stderr)
    with ProgressDisplay(client, job_id) as progress:
        try:
            on_break = lambda why: output.note(f"{why}; reconnecting")  # noqa: E731 - one line, used once
            unfinished = printer.prints_unfinished_lines
            for batch in frames(client, job_id, follow=True, unfinished=unfinished, on_break=on_break):
                progress.make_room()
                printer.show(batch)
                progress.printed(at_line_start=printer.at_line_start)
                end = batch[-1].end
                if end is not None:
                    cut = printer.has_gaps and not (only_stderr or sys.stdout.isatty())
                    return Ended(end.status, end.exit_code, end.reason, stdout_cut=cut)
        except BrokenPipeError:
            raise EndedBySignal(signal.SIGPIPE, signals.resume_hint()) from None
        except NotFound:
            output.note(f"{job_id} was removed before it ended")
            return Ended("cancelled", None, "cancelled")
        except ConnectionLost as error:
            error.hint = signals.resume_hint()
            raise
    raise ConnectionLost("the log stream ended before the job ended", hint=signals.resume_hint())


def finish(
    client: Client, job_id: str, ended: Ended, fetches: tuple[Transfer, ...], *, has_artifacts: bool = False
) -> Ended:
    """Fetches the outputs of a completed job, or prints why the job did not complete. Returns the job's end. `has_artifacts`: the sidecar
    transfers files of the job.

    Raises:
        OutputMissing: an output does not exist or cannot be written here; all others were fetched.
    """
    if ended.status != "completed":
        from jobctl.job.end_note import note_end

        note_end(client, job_id, ended, has_artifacts=has_artifacts)
        if fetches and ended.reason in OUTPUTS_FAILED:
            _fetch_existing(client, job_id, fetches)
        elif fetches:
            first = fetches[0]
            output.note(
                "jobctl run fetches outputs only after the job has completed; to copy one now:"
                f" jobctl cp {job_id}:{first.path} {first.local}"
            )
        return ended
    failures: list[JobctlError] = []
    if ended.stdout_cut:
        failures.append(
            OutputMissing(
                "the command succeeded, but part of its output is missing above",
                hint="let the command write a file, and fetch that file: --out PATH=-",
            )
        )
    missing: list[str] = []
    for transfer in fetches:
        try:
            _fetch(client, job_id, transfer)
        except (NotFound, OutputMissing):
            missing.append(transfer.path)
        except LocalFile as error:
            failures.append(error)
    if missing:
        names = ", ".join(repr(name) for name in missing)
        failures.append(
            OutputMissing(
                f"the command succeeded, but the job has no {names}",
                hint=f"to copy all files of the job: jobctl cp {job_id}:. DIRECTORY",
            )
        )
    if failures:
        for failure in failures[:-1]:
            output.error(failure, as_json=False)
        raise OutputMissing(failures[-1].message, hint=failures[-1].hint)
    return ended


def _fetch_existing(client: Client, job_id: str, fetches: tuple[Transfer, ...]) -> None:
    """Fetches the outputs that exist, for a job whose command succeeded and that lacks another output."""
    for transfer in fetches:
        try:
            _fetch(client, job_id, transfer)
        except (NotFound, OutputMissing):
            continue
        except LocalFile as error:
            output.note(error.message)


def _fetch(client: Client, job_id: str, transfer: Transfer) -> None:
    from jobctl.transfers.destination import resolve
    from jobctl.transfers.fetch import fetch

    extracted = fetch(client, job_id, transfer.path, resolve(transfer.path, transfer.local))
    for name in extracted.skipped if extracted is not None else ():
        output.note(f"skipped {name}: jobctl fetches only files and folders")


def after_interrupt(signals: RunSignals, ended: Ended) -> Ended | Interrupted:
    """Returns `Interrupted` after a Ctrl-C, else the job's end."""
    return Interrupted() if signals.presses else ended
