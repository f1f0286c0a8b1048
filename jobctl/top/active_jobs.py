"""The jobs that `jobctl top` shows: the active ones, and those that have just ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from heapq import nsmallest
from typing import TYPE_CHECKING, Any

from jobctl.errors import NotFound
from jobctl.selection.listing import ACTIVE, SHOWN, TERMINAL, UNREADABLE, each
from jobctl.units import parse_time

if TYPE_CHECKING:
    from jobctl.connection.client import Client

JUST_ENDED_S = 60.0
MOST_ENDED = 8
MOST_READ = 16
LONGEST_LINE = 200

Job = dict[str, Any]


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


def summary(counts: Counts) -> str:
    """Returns the counts in one line. Pure."""
    parts = [f"{counts.in_progress} in progress", f"{counts.queued} queued"]
    parts += [f"{counts.ended} just ended"] if counts.ended else []
    parts += [f"{counts.unreadable} with a damaged record: jobctl explain ID"] if counts.unreadable else []
    return ", ".join(parts)
