"""What `run` does after the job was accepted: follows it to its end, hears the keyboard, fetches its outputs.

Owns the signals of an attached run. First Ctrl-C cancels gently, the second kills, the third only leaves; SIGTERM, SIGHUP
and a reader that went away leave the job running.
"""

import signal
import sys
import threading
from types import FrameType
from typing import Any

from jobctl.connection.client import Client, job_path
from jobctl.errors import Conflict, ConnectionLost, JobctlError, Left, LocalFile, NotFound, OutputMissing
from jobctl.job.outcome import Ended, Interrupted
from jobctl.job.transfers import Carry
from jobctl.output import output

OUTPUTS_FAILED = ("output-failed", "output-too-large")
_LEAVING = (signal.SIGTERM, signal.SIGHUP)


class Keyboard:
    """Signal handlers for the time of one attached run; they are put back afterwards. Main thread only."""

    def __init__(self, client: Client, job_id: str) -> None:
        self._client = client
        self._job_id = job_id
        self._before: dict[int, Any] = {}
        self._wishes: list[threading.Thread] = []
        self.presses = 0
        self.accepted = False

    def __enter__(self) -> "Keyboard":
        for number in (signal.SIGINT, *_LEAVING):
            if signal.getsignal(number) is signal.SIG_IGN and number == signal.SIGHUP:
                continue  # started by nohup
            self._before[number] = signal.signal(
                number, self._interrupt if number == signal.SIGINT else self._leave
            )
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        for wish in self._wishes:
            wish.join(timeout=10)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.presses += 1
        if not self.accepted or self.presses > 2:
            raise KeyboardInterrupt
        said = (
            f"cancelling {self._job_id}; Ctrl-C again kills it"
            if self.presses == 1
            else f"killing {self._job_id}"
        )
        output.note(said, after_key=True)
        wish = threading.Thread(target=self._cancel, args=(self.presses == 2,), daemon=True)
        self._wishes.append(wish)
        wish.start()

    def _leave(self, number: int, frame: FrameType | None) -> None:
        raise Left(number, self.way_back())

    def way_back(self) -> str:
        """Returns how to come back to the job, or what is known of it before it was accepted."""
        if not self.accepted:
            return f"left while {self._job_id} was being submitted; look with: jobctl show {self._job_id}"
        return f"{self._job_id} keeps running; come back with: jobctl logs -f {self._job_id}"

    def _cancel(self, kill: bool) -> None:
        try:
            cancel(self._client, self._job_id, by="Ctrl-C in jobctl run", grace_s=0 if kill else None)
        except Conflict:
            pass  # it has ended meanwhile
        except JobctlError as error:
            output.note(f"cannot cancel {self._job_id}: {error.message}; try: jobctl cancel {self._job_id}")


def cancel(
    client: Client,
    job_id: str,
    *,
    by: str | None = None,
    why: str | None = None,
    signal_name: str | None = None,
    grace_s: int | None = None,
    timeout_s: float = 30.0,
) -> None:
    """Asks the daemon to end a job; its record stays. `signal_name` goes to the worker first, SIGKILL `grace_s` seconds
    later. Repeats safely.
    """
    import json

    given = {"by": by, "reason": why, "signal": signal_name, "graceSeconds": grace_s}
    wish = {key: value for key, value in given.items() if value is not None}
    client.call("POST", job_path(job_id, "cancel"), None, json.dumps(wish).encode(), None, timeout_s)


def follow_to_end(
    client: Client,
    job_id: str,
    keyboard: Keyboard,
    *,
    as_json: bool,
    raw: bool = False,
    only_stderr: bool = False,
) -> Ended:
    """Prints the job's log as it comes and returns how the job ended, and whether a pipe or file has got less than the job printed.
    `raw`: also a terminal is given it as it is. `only_stderr`: stdout is left to an output.

    Raises:
        ConnectionLost: the daemon stayed away; the message says how to come back.
        Left: the reader of stdout went away.
    """
    from jobctl.connection.follow import frames
    from jobctl.output.printer import Printer
    from jobctl.output.progress import Progress

    printer = Printer(as_json=as_json, raw=raw, only_stderr=only_stderr)
    with Progress(client, job_id) as progress:
        try:
            on_break = lambda why: output.note(f"{why}; trying again")  # noqa: E731 - one line, used once
            wanted = printer.wants_unfinished
            for batch in frames(client, job_id, follow=True, unfinished=wanted, on_break=on_break):
                progress.log_has_begun()
                printer.show(batch)
                end = batch[-1].end
                if end is not None:
                    cut = printer.has_gaps and not (only_stderr or sys.stdout.isatty())
                    return Ended(end.status, end.exit_code, end.reason, stdout_cut=cut)
        except BrokenPipeError:
            raise Left(signal.SIGPIPE, keyboard.way_back()) from None
        except NotFound:
            output.note(f"{job_id} was removed before it ended")
            return Ended("cancelled", None, "cancelled")
        except ConnectionLost as error:
            error.hint = keyboard.way_back()
            raise
    raise ConnectionLost("the log ended before the job did", hint=keyboard.way_back())


def finish(client: Client, job_id: str, ended: Ended, fetches: tuple[Carry, ...]) -> Ended:
    """Fetches the outputs of a job that completed, says why one that did not failed, and returns its end.

    Raises:
        OutputMissing: an output is not there, or cannot be written here; all others were fetched.
    """
    if ended.status != "completed":
        _say_why(client, job_id, ended)
        if fetches and ended.reason in OUTPUTS_FAILED:
            _fetch_what_is_there(client, job_id, fetches)
        elif fetches:
            first = fetches[0]
            output.note(
                f"outputs are fetched after success only; to have them now: jobctl cp {job_id}:{first.path} {first.local}"
            )
        return ended
    failed: list[JobctlError] = []
    if ended.stdout_cut:
        failed.append(
            OutputMissing(
                "the command succeeded, but a part of what it printed is missing above",
                hint="have it write a file, and fetch that: --out PATH=-",
            )
        )
    missing: list[str] = []
    for carry in fetches:
        try:
            _fetch(client, job_id, carry)
        except (NotFound, OutputMissing):
            missing.append(carry.path)
        except LocalFile as error:
            failed.append(error)
    if missing:
        names = ", ".join(repr(name) for name in missing)
        failed.append(
            OutputMissing(
                f"the command succeeded but the job has no {names}",
                hint=f"jobctl cp {job_id}:. DIRECTORY shows what it has",
            )
        )
    if failed:
        for failure in failed[:-1]:
            output.error(failure, as_json=False)
        raise OutputMissing(failed[-1].message, hint=failed[-1].hint)
    return ended


def _fetch_what_is_there(client: Client, job_id: str, fetches: tuple[Carry, ...]) -> None:
    """The command succeeded and an output is missing: the others are fetched all the same."""
    for carry in fetches:
        try:
            _fetch(client, job_id, carry)
        except (NotFound, OutputMissing):
            continue
        except LocalFile as error:
            output.note(error.message)


def _fetch(client: Client, job_id: str, carry: Carry) -> None:
    from jobctl.transfers.destination import resolve
    from jobctl.transfers.fetch import fetch

    made = fetch(client, job_id, carry.path, resolve(carry.path, carry.local))
    for name in made.skipped if made is not None else ():
        output.note(f"left out {name}: only files and folders are fetched")


def after_interrupt(keyboard: Keyboard, ended: Ended) -> Ended | Interrupted:
    """Returns what the run came to: interrupted where the keyboard was used, else the job's end."""
    return Interrupted() if keyboard.presses else ended


def _say_why(client: Client, job_id: str, ended: Ended) -> None:
    """A plain exit code explains itself; any other end is said in a line."""
    if ended.reason in (None, "exit-code") and ended.status == "failed":
        return
    import json

    why = ""
    try:
        job = json.loads(client.get(job_path(job_id)))
        why = str(job.get("error") or "")
        if job.get("cancelledBy"):
            why = f"by {job['cancelledBy']}" + (f": {job['cancelReason']}" if job.get("cancelReason") else "")
        earlier = len(job.get("attempts") or []) - 1
        if earlier > 0:
            why += f"{', ' if why else ''}after {earlier + 1} attempts"
    except (JobctlError, ValueError):
        pass
    reason = f" ({ended.reason})" if ended.reason and ended.reason != ended.status else ""
    output.note(
        f"{job_id} {ended.status}{reason}{': ' + why if why else ''}; more with: jobctl explain {job_id}"
    )
