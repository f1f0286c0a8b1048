"""`jobctl top`: a live table of the running and waiting jobs."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nsmallest
from typing import TYPE_CHECKING, Annotated, Any

from jobctl.connection.session import session_of
from jobctl.errors import ConnectionLost, Misuse, NotFound, Unreachable
from jobctl.output import output
from jobctl.output.drawing import table, watch_table
from jobctl.output.output import can_animate
from jobctl.output.progress import transferred, waiting_for
from jobctl.output.table import Table
from jobctl.output.usage import CpuSamples, average_cores, cpu_text, memory_text
from jobctl.selection.listing import ACTIVE, SHOWN, TERMINAL, UNREADABLE, each
from jobctl.units import bytes_text, parse_time, seconds_of, short_duration

if TYPE_CHECKING:
    import typer

    from jobctl.connection.client import Client

FORMATS = ("table", "json", "yaml", "name")
EXAMPLES = """
  jobctl top
  jobctl top --once
  jobctl top --interval 5s
"""
COLUMNS = ("ID", "PHASE", "TIME", "ATTEMPT", "CPU", "MEMORY", "ACTIVITY")
TABLE = Table(COLUMNS, ("ATTEMPT", "ACTIVITY", "MEMORY", "CPU", "TIME"), frozenset({"ACTIVITY"}))
JUST_ENDED_S = 60.0
MOST_ENDED = 8
MOST_SHOWN = 200
MOST_READ = 16
LONGEST_LINE = 200

Job = dict[str, Any]


def top(
    ctx: typer.Context,
    once: Annotated[
        bool, typer.Option("--once", help="Print the table once, as without a terminal.")
    ] = False,
    interval: Annotated[
        str, typer.Option("--interval", metavar="DURATION", help="Time between two updates.")
    ] = "1s",
) -> None:
    """Watch the running and waiting jobs, and those that have just ended. Press q or Ctrl-C to quit.

    TIME: how long a job waits, runs or ran. CPU: recent use in cores (with --once the average), and the limit. MEMORY: peak use, and
    the limit. ACTIVITY: the last line of the log, or what the job waits for.
    """
    session = session_of(ctx)
    try:
        every_s = seconds_of(interval)
    except ValueError as error:
        raise Misuse(f"--interval: {error}") from None
    if not 0.1 <= every_s <= 3600:
        raise Misuse("--interval must be from 100ms to 1h")
    client = session.client()
    if session.format not in ("json", "yaml", "name") and can_animate() and not once:
        _live(client, every_s)
        return
    now = datetime.now(UTC)
    jobs, counts = poll(client, now)
    if session.format in ("json", "yaml"):
        output.tree({"jobs": jobs}, session.format)
    elif session.format == "name":
        output.text("".join(f"{job['id']}\n" for job in jobs))
    else:
        table(TABLE, [row(job, now) for job in jobs])
        output.note(summary(counts))


@dataclass
class Counts:
    """The numbers of jobs in progress, queued, just ended, and with a damaged record."""

    in_progress: int = 0
    queued: int = 0
    ended: int = 0
    unreadable: int = 0

    @property
    def total(self) -> int:
        """The number of all counted jobs."""
        return self.in_progress + self.queued + self.ended + self.unreadable

    def count(self, job: Job) -> Job:
        """Counts a job and returns it."""
        if job["status"] == UNREADABLE:
            self.unreadable += 1
        elif job["status"] not in ACTIVE:
            self.ended += 1
        elif job.get("phase") == "queued":
            self.queued += 1
        else:
            self.in_progress += 1
        return job


def poll(client: Client, now: datetime, most: int | None = None) -> tuple[list[Job], Counts]:
    """Returns the active jobs, at most `most` of them (None: all), and those that ended within the last minute, in their printed order,
    and the counts of all jobs.

    The first `MOST_READ` running jobs have the last line of their log in `lastLine`.
    """
    counts = Counts()
    all_active = map(counts.count, each(client, {"status": ",".join(SHOWN)}))
    active = sorted(all_active, key=_place) if most is None else nsmallest(most, all_active, key=_place)
    answer = json.loads(client.get("/v1/jobs", {"status": ",".join(TERMINAL), "limit": 50}))
    jobs = ordered(active, answer["jobs"], now)
    for job in jobs[len(active) :]:
        counts.count(job)
    for job in [job for job in jobs if job.get("phase") == "running"][:MOST_READ]:
        job["lastLine"] = last_line(client, str(job["id"]))
    return jobs, counts


def last_line(client: Client, job_id: str) -> str:
    """Returns the last line of a job's log, or ""."""
    from jobctl.connection.log_stream import frames

    try:
        lines = [
            f.line for batch in frames(client, job_id, follow=False, tail=1) for f in batch if f.end is None
        ]
    except NotFound:
        return ""
    return lines[-1][:LONGEST_LINE] if lines else ""


def ordered(active: list[Job], ended: list[Job], now: datetime) -> list[Job]:
    """Returns the shown jobs: running ones, oldest first, then queued ones in the order of the queue, then those that just ended. Pure."""
    listed = {job.get("uid") or job["id"] for job in active}
    recent = [
        job
        for job in ended
        if (job.get("uid") or job["id"]) not in listed
        and (at := parse_time(job.get("finishedAt"))) is not None
        and (now - at).total_seconds() < JUST_ENDED_S
    ]
    recent.sort(key=lambda job: str(job.get("finishedAt")), reverse=True)
    return [*sorted(active, key=_place), *recent[:MOST_ENDED]]


def _place(job: Job) -> tuple[int, int, str]:
    return (
        int(job.get("phase") == "queued"),
        int(job.get("queuePosition") or 0),
        str(job.get("startedAt") or job.get("createdAt") or ""),
    )


def row(job: Job, now: datetime, cores: float | None = None) -> list[str]:
    """Returns one row of the table; `-` means unknown. `cores`: the recent CPU use, if known. Pure."""
    attempts = job.get("attempts") or []
    return [
        str(job["id"]),
        str(job["status"] if job["status"] not in ACTIVE else job.get("phase") or job["status"]),
        _duration(job, now),
        str(max((int(a.get("number") or 1) for a in attempts), default=1)) if attempts else "-",
        cpu_text(job, average_cores(job, now) if cores is None else cores),
        memory_text(job),
        activity(job, now),
    ]


def activity(job: Job, now: datetime) -> str:
    """Returns what a job does or waits for. Pure."""
    if job["status"] not in ACTIVE:
        code = job.get("exitCode")
        why = str(job.get("reason") or "")
        parts = [why if why != job["status"] else "", "" if code is None else f"exit {code}"]
        return ", ".join(filter(None, parts)) or str(job.get("image") or "-")
    done, total = transferred(job)
    size = f": {bytes_text(done)}{f' of {bytes_text(total)}' if total else ''}" if done else ""
    if job.get("phase") == "running":
        return str(job.get("lastLine") or job.get("image") or "-")
    return (waiting_for(job, now) or str(job.get("image") or "-")) + size


def summary(counts: Counts) -> str:
    """Returns the counts in one line. Pure."""
    parts = [f"{counts.in_progress} in progress", f"{counts.queued} queued"]
    parts += [f"{counts.ended} just ended"] if counts.ended else []
    parts += [f"{counts.unreadable} with a damaged record: jobctl explain ID"] if counts.unreadable else []
    return ", ".join(parts)


def _duration(job: Job, now: datetime) -> str:
    ended = parse_time(job.get("finishedAt"))
    begun = parse_time(job.get("startedAt")) or parse_time(job.get("createdAt"))
    return "-" if begun is None else short_duration(((ended or now) - begun).total_seconds())


def _live(client: Client, every_s: float) -> None:
    """Shows the live table until the user quits. While the daemon does not answer, the title says so."""
    jobs, counts = poll(client, datetime.now(UTC), MOST_SHOWN)
    samples = CpuSamples()
    title = ""

    def rows() -> list[list[str]]:
        nonlocal jobs, counts, title
        now = datetime.now(UTC)
        try:
            jobs, counts = poll(client, now, MOST_SHOWN)
            samples.add(jobs, time.monotonic())
            title = f"{summary(counts)}; q quits; jobd at {client.target}"
        except (ConnectionLost, Unreachable) as error:
            title = f"{error.message}; the last known state:"
        return [row(job, now, samples.cores(job)) for job in jobs]

    try:
        watch_table(TABLE, rows, every_s, lambda: title, lambda: counts.total - len(jobs))
    except KeyboardInterrupt:
        sys.stdout.flush()
