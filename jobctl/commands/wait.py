"""`jobctl wait`: returns when jobs have ended, also when they had ended before."""

import queue
import sys
import threading
import time
from typing import TYPE_CHECKING, Annotated

import typer

from jobctl.connection.session import of
from jobctl.errors import ConnectionLost, JobctlError, Left, Misuse, NotFound
from jobctl.job.ids import chosen
from jobctl.job.listing import TERMINAL
from jobctl.job.outcome import Ended, GaveUp, Outcome
from jobctl.job.units import seconds_of
from jobctl.output import output

if TYPE_CHECKING:
    from jobctl.connection.client import Client

FORMATS = ("json", "name")
EXAMPLES = """
  jobctl wait @last && echo fine
  jobctl wait --timeout 10m build-1 build-2
  jobctl wait --any $(jobctl ls -q)
  jobctl wait -l sweep=7

\b
With several ids the exit code is that of the first that did not succeed, in the order given, with a label from the oldest
on; with --any, that of the first to end. 120: the time was up.
"""
MOST_JOBS = 256


def wait(
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Ids, unique prefixes of them, or @last.", show_default=False),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("-l", "--label", metavar="KEY=VALUE", help="All jobs with this label, ended or not."),
    ] = None,
    any_: Annotated[bool, typer.Option("--any", help="Return when the first has ended.")] = False,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="DURATION", help="Give up after: 90s, 2h.")
    ] = None,
) -> Outcome:
    """Wait until jobs have ended, in whatever way; exit with their code."""
    session = of(ctx)
    try:
        limit_s = None if timeout is None else seconds_of(timeout)
    except ValueError as error:
        raise Misuse(f"--timeout: {error}") from None
    client = session.client()
    until = None if limit_s is None else time.monotonic() + limit_s
    jobs = {str(job["id"]): job for job in chosen(client, ids, label)}
    ended = {
        job_id: Ended(job["status"], job.get("exitCode"), job.get("reason"))
        for job_id, job in jobs.items()
        if job["status"] in TERMINAL
    }
    open_ids = [job_id for job_id in jobs if job_id not in ended]
    if len(open_ids) > MOST_JOBS:
        raise Misuse(f"at most {MOST_JOBS} jobs can be waited for at once")
    for job_id, end in ended.items():
        _say(job_id, end, session.format)
    if any_ and ended:
        first, end = next(iter(ended.items()))
        _fetch(client, first, end)
        return end
    try:
        for job_id, end in _ends(client, open_ids, until):
            ended[job_id] = end
            _say(job_id, end, session.format)
            if any_:
                _fetch(client, job_id, end)
                return end
    except TimeoutError:
        left = ", ".join(job_id for job_id in open_ids if job_id not in ended)
        output.note(f"gave up after {timeout}; still under way: {left}")
        return GaveUp()
    except KeyboardInterrupt:
        raise Left(2, f"come back with: jobctl wait {' '.join(open_ids)}") from None
    for job_id, end in ended.items():
        _fetch(client, job_id, end)
    return next(
        (end for job_id in jobs if (end := ended[job_id]).status != "completed"), Ended("completed", 0)
    )


def _fetch(client: "Client", job_id: str, end: Ended) -> None:
    """Outputs of a detached job go where its submission wanted them."""
    if end.status == "completed":
        from jobctl.transfers.local_outputs import fetch_noted

        fetch_noted(client, job_id)


def _ends(client: "Client", job_ids: list[str], until: float | None) -> "list[tuple[str, Ended]] | _Ends":
    return _Ends(client, job_ids, until) if job_ids else []


class _Ends:
    """The ends of jobs as they come: one thread a job, each on the job's log, whose last frame is the end."""

    def __init__(self, client: "Client", job_ids: list[str], until: float | None) -> None:
        self._until = until
        self._left = len(job_ids)
        self._found: queue.Queue[tuple[str, Ended | JobctlError]] = queue.Queue(maxsize=MOST_JOBS)
        for job_id in job_ids:
            threading.Thread(target=self._watch, args=(client, job_id), daemon=True).start()

    def __iter__(self) -> "_Ends":
        return self

    def __next__(self) -> tuple[str, Ended]:
        if not self._left:
            raise StopIteration
        while True:
            left_s = 3600.0 if self._until is None else self._until - time.monotonic()
            try:
                job_id, found = self._found.get(timeout=max(0.0, min(left_s, 0.5)))
            except queue.Empty:
                if self._until is not None and time.monotonic() >= self._until:
                    raise TimeoutError from None
                continue
            self._left -= 1
            if isinstance(found, JobctlError):
                raise found
            return job_id, found

    def _watch(self, client: "Client", job_id: str) -> None:
        from jobctl.connection.follow import frames

        found: Ended | JobctlError = ConnectionLost("the log ended before the job did")
        try:
            for batch in frames(client, job_id, follow=True, tail=0):
                end = batch[-1].end
                if end is not None:
                    found = Ended(end.status, end.exit_code, end.reason)
        except NotFound:
            found = Ended("cancelled", None, "cancelled")
        except JobctlError as error:
            found = error
        self._found.put((job_id, found))


def _say(job_id: str, end: Ended, format: str) -> None:
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
