"""`jobctl wait`: waits until jobs have ended."""

from __future__ import annotations

import queue
import sys
import threading
import time
from typing import TYPE_CHECKING, Annotated

from jobctl.connection.session import session_of
from jobctl.errors import ConnectionLost, EndedBySignal, JobctlError, Misuse, NotFound
from jobctl.job.outcome import Ended, Outcome, WaitTimedOut
from jobctl.output import output
from jobctl.selection.ids import select_jobs_or_sets
from jobctl.selection.listing import TERMINAL
from jobctl.units import seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import typer

    from jobctl.commands.arguments import Label, OptionalIds
    from jobctl.connection.client import Client
    from jobctl.output.live.progress_display import ProgressDisplay

FORMATS = ("json", "name")
EXAMPLES = """
  jobctl wait @last && echo fine
  jobctl wait --timeout 10m build-1 build-2
  jobctl wait --any $(jobctl ls -q)
  jobctl wait -l sweep=7
  jobctl wait --set nightly

\b
With several ids the exit code is that of the first job that did not succeed, in the given order (with a label, oldest first); with
--any, that of the first job to end. For a set: that of its first job that failed, else 121 if jobs were cancelled. A job that was
retried (jobctl retry) counts no more; its retry does. 120: the timeout has passed.
"""
MOST_JOBS = 256


def wait(
    ctx: typer.Context,
    ids: OptionalIds = None,
    label: Label = None,
    set_: Annotated[
        str | None,
        typer.Option("--set", metavar="SET", help="All jobs of this set, with a progress line."),
    ] = None,
    any_: Annotated[bool, typer.Option("--any", help="Return when the first job has ended.")] = False,
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", metavar="DURATION", help="Stop waiting after this time: 90s, 2h."),
    ] = None,
) -> Outcome:
    """Wait until jobs have ended; exit with their exit code.

    An id that is no job's may be that of a set: jobctl waits for all of its jobs.
    """
    session = session_of(ctx)
    try:
        limit_s = None if timeout is None else seconds_of(timeout)
    except ValueError as error:
        raise Misuse(f"--timeout: {error}") from None
    client = session.client()
    until = None if limit_s is None else time.monotonic() + limit_s
    found, sets = select_jobs_or_sets(client, ids, label, set_)
    if sets:
        if any_:
            raise Misuse("--any waits for jobs, not for sets")
        from jobctl.sets.waiting import wait_for_sets

        return wait_for_sets(client, [one.id for one in sets], until, session.format)
    if label:
        from jobctl.selection.failed import retries_of

        anew = retries_of(found[::-1])  # the retry of a job counts, as in a set
        found = [job for job in found if job["id"] not in anew]
    jobs = {str(job["id"]): job for job in found}
    ended = {
        job_id: Ended(job["status"], job.get("exitCode"), job.get("reason"))
        for job_id, job in jobs.items()
        if job["status"] in TERMINAL
    }
    open_ids = [job_id for job_id in jobs if job_id not in ended]
    if len(open_ids) > MOST_JOBS:
        raise Misuse(f"jobctl can wait for at most {MOST_JOBS} jobs at once")
    for job_id, end in ended.items():
        _print_end(job_id, end, session.format)
    try:
        if open_ids and not (any_ and ended):
            _wait_for(client, jobs, ended, until, session.format, any_=any_)
    except TimeoutError:
        active = ", ".join(job_id for job_id in open_ids if job_id not in ended)
        output.note(f"stopped waiting after {timeout}; still active: {active}")
        return WaitTimedOut()
    except KeyboardInterrupt:
        raise EndedBySignal(2, f"to continue: jobctl wait {' '.join(open_ids)}") from None
    if any_:
        first, end = next(iter(ended.items()))
        _fetch(client, first, end)
        return end
    for job_id, end in ended.items():
        _fetch(client, job_id, end)
    return next(
        (end for job_id in jobs if (end := ended[job_id]).status != "completed"), Ended("completed", 0)
    )


def _wait_for(
    client: Client,
    jobs: Mapping[str, object],
    ended: dict[str, Ended],
    until: float | None,
    format: str,
    *,
    any_: bool,
) -> None:
    """Adds the jobs that end to `ended`, and prints them; returns after the last one, or with `any_` after the first one.

    Raises:
        TimeoutError: `until` has passed. KeyboardInterrupt.
    """
    from jobctl.output.live.progress_display import ProgressDisplay

    open_ids = [job_id for job_id in jobs if job_id not in ended]
    with ProgressDisplay(client, open_ids[0], shows_running=True) as progress:
        _show_next(progress, jobs, ended)
        for job_id, end in _Ends(client, open_ids, until):
            ended[job_id] = end
            progress.make_room()
            _print_end(job_id, end, format)
            if any_:
                return
            _show_next(progress, jobs, ended)


def _show_next(display: ProgressDisplay, jobs: Mapping[str, object], ended: Mapping[str, Ended]) -> None:
    """Shows the first of the jobs that have not ended."""
    following = next((job_id for job_id in jobs if job_id not in ended), None)
    if following is not None:
        display.about(following, f"{len(ended)} of {len(jobs)} ended; " if len(jobs) > 1 else "")


def _fetch(client: Client, job_id: str, end: Ended) -> None:
    """Fetches the outputs of a detached job to the destinations of its submission."""
    if end.status == "completed":
        from jobctl.transfers.local_outputs import fetch_remembered

        fetch_remembered(client, job_id)


class _Ends:
    """Iterates over the ends of jobs as they happen. One thread a job follows its log, whose last frame has the end."""

    def __init__(self, client: Client, job_ids: list[str], until: float | None) -> None:
        self._until = until
        self._pending = len(job_ids)
        self._results: queue.Queue[tuple[str, Ended | JobctlError]] = queue.Queue(maxsize=MOST_JOBS)
        for job_id in job_ids:
            threading.Thread(target=self._watch, args=(client, job_id), daemon=True).start()

    def __iter__(self) -> _Ends:
        return self

    def __next__(self) -> tuple[str, Ended]:
        if not self._pending:
            raise StopIteration
        while True:
            left_s = 3600.0 if self._until is None else self._until - time.monotonic()
            try:
                job_id, result = self._results.get(timeout=max(0.0, min(left_s, 0.5)))
            except queue.Empty:
                if self._until is not None and time.monotonic() >= self._until:
                    raise TimeoutError from None
                continue
            self._pending -= 1
            if isinstance(result, JobctlError):
                raise result
            return job_id, result

    def _watch(self, client: Client, job_id: str) -> None:
        from jobctl.connection.log_stream import frames

        result: Ended | JobctlError = ConnectionLost("the log stream ended before the job ended")
        try:
            for batch in frames(client, job_id, follow=True, tail=0):
                end = batch[-1].end
                if end is not None:
                    result = Ended(end.status, end.exit_code, end.reason)
        except NotFound:
            result = Ended("cancelled", None, "cancelled")
        except JobctlError as error:
            result = error
        self._results.put((job_id, result))


def _print_end(job_id: str, end: Ended, format: str) -> None:
    if format == "json":
        known = {"id": job_id, "status": end.status, "exitCode": end.exit_code, "reason": end.reason}
        output.json_line({key: value for key, value in known.items() if value is not None})
    elif format == "name":
        output.text(f"{job_id}\n")
    else:
        output.text(
            f"{job_id}  {end.status}  {'-' if end.exit_code is None else end.exit_code}  {end.reason or '-'}\n"
        )
    sys.stdout.flush()
