"""`jobctl top`: the jobs that run and wait, drawn anew each second; a person looks rather than reads."""

import json
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nsmallest
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobctl.connection.session import of
from jobctl.errors import ConnectionLost, Misuse, NotFound, Unreachable
from jobctl.job.listing import ACTIVE, SHOWN, TERMINAL, UNREADABLE, each
from jobctl.job.units import bytes_text, parse_time, seconds_of, short_duration
from jobctl.output import output
from jobctl.output.drawing import table, watch_table
from jobctl.output.output import can_animate
from jobctl.output.progress import moved, waiting_words
from jobctl.output.table import Table
from jobctl.output.usage import Shares, average_cores, cpu_text, memory_text

if TYPE_CHECKING:
    from jobctl.connection.client import Client

FORMATS = ("table", "json", "yaml", "name")
EXAMPLES = """
  jobctl top
  jobctl top --once
  jobctl top --interval 5s
"""
COLUMNS = ("ID", "PHASE", "FOR", "TRY", "CPU", "MEMORY", "NOW")
TABLE = Table(COLUMNS, ("TRY", "NOW", "MEMORY", "CPU", "FOR"), frozenset({"NOW"}))
JUST_ENDED_S = 60.0
MOST_ENDED = 8
MOST_SHOWN = 200
MOST_READ = 16
LONGEST_LINE = 200

Job = dict[str, Any]


def top(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="One look; so it is off a terminal, too.")] = False,
    interval: Annotated[
        str, typer.Option("--interval", metavar="DURATION", help="Time between two looks.")
    ] = "1s",
) -> None:
    """Watch the jobs that run and wait, and those that have just ended. q or Ctrl-C leaves.

    FOR is how long a job waits, runs or ran, TRY the attempt. CPU: cores in use, lately or, at one look, on the whole, and
    the limit. MEMORY: the most in use at once, and the limit. NOW: its last line, or what it waits for.
    """
    session = of(ctx)
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
    jobs, counts = look(client, now)
    if session.format in ("json", "yaml"):
        output.tree({"jobs": jobs}, session.format)
    elif session.format == "name":
        output.text("".join(f"{job['id']}\n" for job in jobs))
    else:
        table(TABLE, [row(job, now) for job in jobs])
        output.note(summary(counts))


@dataclass
class Counts:
    """How many jobs run, wait, have just ended, and cannot be read."""

    under_way: int = 0
    waiting: int = 0
    ended: int = 0
    unreadable: int = 0

    @property
    def total(self) -> int:
        """All that were counted."""
        return self.under_way + self.waiting + self.ended + self.unreadable

    def count(self, job: Job) -> Job:
        """Counts a job, and returns it."""
        if job["status"] == UNREADABLE:
            self.unreadable += 1
        elif job["status"] not in ACTIVE:
            self.ended += 1
        elif job.get("phase") == "queued":
            self.waiting += 1
        else:
            self.under_way += 1
        return job


def look(client: "Client", now: datetime, most: int | None = None) -> tuple[list[Job], Counts]:
    """Returns the jobs under way, and those that ended within the last minute, in the order in which they are shown, the first `most`
    of them (None: all); and how many there are in all.

    The first `MOST_READ` that run have their last line under `lastLine`.
    """
    counts = Counts()
    all_active = map(counts.count, each(client, {"status": ",".join(SHOWN)}))
    active = sorted(all_active, key=_place) if most is None else nsmallest(most, all_active, key=_place)
    newest: list[Job] = json.loads(client.get("/v1/jobs", {"status": ",".join(TERMINAL), "limit": 50}))[
        "jobs"
    ]
    found = ordered(active, newest, now)
    for job in found[len(active) :]:
        counts.count(job)
    for job in [job for job in found if job.get("phase") == "running"][:MOST_READ]:
        job["lastLine"] = last_line(client, str(job["id"]))
    return found, counts


def last_line(client: "Client", job_id: str) -> str:
    """Returns the last line that a job has written, "" where there is none."""
    from jobctl.connection.follow import frames

    try:
        lines = [
            f.line for batch in frames(client, job_id, follow=False, tail=1) for f in batch if f.end is None
        ]
    except NotFound:
        return ""
    return lines[-1][:LONGEST_LINE] if lines else ""


def ordered(active: list[Job], ended: list[Job], now: datetime) -> list[Job]:
    """Returns what is shown: running jobs, longest first, then the queue in its order, then what has just ended. Pure."""
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
    """Returns one line of the table; `-` stands for what is unknown. `cores`: in use lately, if known. Pure."""
    attempts = job.get("attempts") or []
    return [
        str(job["id"]),
        str(job["status"] if job["status"] not in ACTIVE else job.get("phase") or job["status"]),
        _for(job, now),
        str(max((int(a.get("number") or 1) for a in attempts), default=1)) if attempts else "-",
        cpu_text(job, average_cores(job, now) if cores is None else cores),
        memory_text(job),
        doing(job, now),
    ]


def doing(job: Job, now: datetime) -> str:
    """Returns what a job does or waits for, in a few words. Pure."""
    if job["status"] not in ACTIVE:
        code = job.get("exitCode")
        why = str(job.get("reason") or "")
        parts = [why if why != job["status"] else "", "" if code is None else f"exit {code}"]
        return ", ".join(filter(None, parts)) or str(job.get("image") or "-")
    done, total = moved(job)
    size = f": {bytes_text(done)}{f' of {bytes_text(total)}' if total else ''}" if done else ""
    if job.get("phase") == "running":
        return str(job.get("lastLine") or job.get("image") or "-")
    return (waiting_words(job, now) or str(job.get("image") or "-")) + size


def summary(counts: Counts) -> str:
    """Returns how many jobs run, wait and have just ended, in a line. Pure."""
    parts = [f"{counts.under_way} under way", f"{counts.waiting} waiting"]
    parts += [f"{counts.ended} just ended"] if counts.ended else []
    parts += [f"{counts.unreadable} cannot be read: jobctl explain ID"] if counts.unreadable else []
    return ", ".join(parts)


def _for(job: Job, now: datetime) -> str:
    ended = parse_time(job.get("finishedAt"))
    begun = parse_time(job.get("startedAt")) or parse_time(job.get("createdAt"))
    return "-" if begun is None else short_duration(((ended or now) - begun).total_seconds())


def _live(client: "Client", every_s: float) -> None:
    """Draws until its user leaves. A daemon that is away is said, and asked again: whoever looks wants to see it come back."""
    jobs, counts = look(client, datetime.now(UTC), MOST_SHOWN)
    shares = Shares()
    title = ""

    def rows() -> list[list[str]]:
        nonlocal jobs, counts, title
        now = datetime.now(UTC)
        try:
            jobs, counts = look(client, now, MOST_SHOWN)
            shares.look(jobs, time.monotonic())
            title = f"{summary(counts)}; q leaves; jobd at {client.target}"
        except (ConnectionLost, Unreachable) as error:
            title = f"{error.message}; as it was before:"
        return [row(job, now, shares.cores(job)) for job in jobs]

    try:
        watch_table(TABLE, rows, every_s, lambda: title, lambda: counts.total - len(jobs))
    except KeyboardInterrupt:
        sys.stdout.flush()
