"""The outcome of a set: that of each job's latest retry. Pure.

A retry (`jobctl retry`) belongs to the set of the job that it runs anew. A failed or cancelled job with a retry
counts no more; its retry counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jobctl.selection.listing import ACTIVE

Job = dict[str, Any]
UNSUCCESSFUL = ("failed", "cancelled", "unreadable")
KEPT = ("id", "status", "exitCode", "reason")


class Tally:
    """The unsuccessful jobs of a set, from its jobs, newest first. Keeps only those, and the ids of jobs with a retry."""

    def __init__(self) -> None:
        self.failed: list[Job] = []
        """The jobs whose latest retry did not complete, newest first."""
        self.retried: list[Job] = []
        """The unsuccessful jobs that a newer job runs anew."""
        self.is_active = False
        """True if a job has not ended."""
        self._anew: set[str] = set()

    def add(self, jobs: Iterable[Job]) -> None:
        """Adds the next jobs."""
        for job in jobs:
            self.is_active = self.is_active or job["status"] in ACTIVE
            if job["status"] in UNSUCCESSFUL:
                kept = {name: job[name] for name in KEPT if name in job}
                (self.retried if job["id"] in self._anew else self.failed).append(kept)
            if job.get("retriedFrom"):
                self._anew.add(str(job["retriedFrom"]))

    def of(self, view: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the numbers of a set without the jobs that have a retry, whose number is `retried`."""
        numbers = dict(view)
        for job in self.retried:
            for name in (job["status"], "total"):
                numbers[name] = max(0, int(numbers.get(name) or 0) - 1)
        return {**numbers, "retried": len(self.retried)} if self.retried else numbers
