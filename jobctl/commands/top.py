"""`jobctl top`: the jobs that run and wait, drawn anew each second; a person looks rather than reads."""

import json
import shutil
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobctl import output
from jobctl.commands.ls import ACTIVE, pages
from jobctl.errors import ConnectionLost, Misuse, NotFound, Unreachable
from jobctl.progress import moved, waiting_words
from jobctl.quantities import bytes_text, parse_time, seconds_of, short_duration
from jobctl.session import of
from jobctl.usage import Shares, average_cores, cpu_text, memory_text

if TYPE_CHECKING:
    from jobctl.client import Client

EXAMPLES = """
  jobctl top
  jobctl top --once
  jobctl top --interval 5s
"""
COLUMNS = ("ID", "PHASE", "FOR", "TRY", "CPU", "MEMORY", "NOW")
JUST_ENDED_S = 60.0
MOST_ENDED = 8
MOST_SHOWN = 200
MOST_READ = 16
LONGEST_LINE = 200
HEAD_LINES = 3

Job = dict[str, Any]


def top(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="One look; so it is off a terminal, too.")] = False,
    interval: Annotated[
        str, typer.Option("--interval", metavar="DURATION", help="Time between two looks.")
    ] = "1s",
) -> None:
    """Watch the jobs that run and wait, and those that have just ended. Ctrl-C leaves.

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
    if session.format in ("json", "yaml", "name"):
        jobs = look(client, datetime.now(UTC))
        if session.format == "name":
            output.text("".join(f"{job['id']}\n" for job in jobs))
        else:
            output.tree({"jobs": jobs}, session.format)
        return
    if once or not output.can_animate():
        now = datetime.now(UTC)
        jobs = look(client, now)
        output.table(COLUMNS, [row(job, now) for job in jobs], format=session.format)
        output.note(summary(jobs))
        return
    _live(client, every_s)


def look(client: "Client", now: datetime) -> list[Job]:
    """Returns the jobs under way, and those that ended within the last minute, in the order in which they are shown.

    The first `MOST_READ` that run have their last line under `lastLine`.
    """
    active = pages(client, {"status": ",".join(ACTIVE)}, MOST_SHOWN)[0]
    newest: list[Job] = json.loads(
        client.get("/v1/jobs", {"status": "completed,failed,cancelled", "limit": 50})
    )["jobs"]
    found = ordered(active, newest, now)
    for job in [job for job in found if job.get("phase") == "running"][:MOST_READ]:
        job["lastLine"] = last_line(client, str(job["id"]))
    return found


def last_line(client: "Client", job_id: str) -> str:
    """Returns the last line that a job has written, "" where there is none."""
    from jobctl.follow import frames

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
    queued = job.get("phase") == "queued"
    return (
        int(queued),
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


def summary(jobs: list[Job]) -> str:
    """Returns how many jobs run, wait and have just ended, in a line. Pure."""
    waiting = sum(job["status"] in ACTIVE and job.get("phase") == "queued" for job in jobs)
    under_way = sum(job["status"] in ACTIVE for job in jobs) - waiting
    ended = len(jobs) - waiting - under_way
    return f"{under_way} under way, {waiting} waiting" + (f", {ended} just ended" if ended else "")


def _for(job: Job, now: datetime) -> str:
    ended = parse_time(job.get("finishedAt"))
    begun = parse_time(job.get("startedAt")) or parse_time(job.get("createdAt"))
    return "-" if begun is None else short_duration(((ended or now) - begun).total_seconds())


def _live(client: "Client", every_s: float) -> None:
    """Draws until Ctrl-C. A daemon that is away is said, and asked again: whoever looks wants to see it come back."""
    jobs = look(client, datetime.now(UTC))
    shares = Shares()
    title = ""

    def rows() -> list[list[str]]:
        nonlocal jobs, title
        now = datetime.now(UTC)
        try:
            jobs = look(client, now)
            shares.look(jobs, time.monotonic())
            title = f"{summary(jobs)}; jobd at {client.target}"
        except (ConnectionLost, Unreachable) as error:
            title = f"{error.message}; as it was before:"
        room = max(1, shutil.get_terminal_size().lines - HEAD_LINES)
        shown = [row(job, now, shares.cores(job)) for job in jobs[:room]]
        if len(jobs) > room:
            title += f"; {len(jobs) - room} more do not fit"
        return shown

    def wait() -> bool:
        time.sleep(every_s)
        return True

    try:
        output.watch_table(COLUMNS, rows, wait, title=lambda: title)
    except KeyboardInterrupt:
        sys.stdout.flush()
