"""The rows of `jobctl top`. Pure."""

from datetime import datetime
from typing import Any

from jobctl.output.job_table import phase_text
from jobctl.output.live.progress import transferred, waiting_for
from jobctl.output.table import Table
from jobctl.output.usage import average_cores, cpu_text, memory_text
from jobctl.selection.listing import ACTIVE
from jobctl.units import bytes_text, parse_time, short_duration

COLUMNS = ("ID", "PHASE", "TIME", "ATTEMPT", "CPU", "MEMORY", "ACTIVITY")
TABLE = Table(COLUMNS, ("ATTEMPT", "ACTIVITY", "MEMORY", "CPU", "TIME"), frozenset({"ACTIVITY"}))

Job = dict[str, Any]


def row(job: Job, now: datetime, cores: float | None = None) -> list[str]:
    """Returns one row of the table; `-` means unknown. `cores`: the recent CPU use, if known. Pure."""
    attempts = job.get("attempts") or []
    return [
        str(job["id"]),
        str(job["status"] if job["status"] not in ACTIVE else phase_text(job) or job["status"]),
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
    if job.get("phase") == "running" and not job.get("paused"):
        return str(job.get("lastLine") or job.get("image") or "-")
    return (waiting_for(job, now) or str(job.get("image") or "-")) + size


def _duration(job: Job, now: datetime) -> str:
    ended = parse_time(job.get("finishedAt"))
    begun = parse_time(job.get("startedAt")) or parse_time(job.get("createdAt"))
    return "-" if begun is None else short_duration(((ended or now) - begun).total_seconds())
