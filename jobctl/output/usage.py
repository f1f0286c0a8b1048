"""A job's CPU and memory use against its limits, as the daemon measured them: recent or average cores, and peak memory. Pure."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from jobctl.units import bytes_text, parse_time

WINDOW_S = 10.0
SHORTEST_WINDOW_S = 4.0
"""The daemon measures every two seconds, less often with more than 200 running jobs: over a shorter time the result depends on when it measured."""

Job = dict[str, Any]


class CpuSamples:
    """The recent CPU use of jobs, from one sample a poll. Keeps only the jobs of the last poll."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[tuple[float, float]]] = {}

    def add(self, jobs: Iterable[Job], at_s: float) -> None:
        """Adds a sample of each job, taken at `at_s` of a monotonic clock."""
        before, self._samples = self._samples, {}
        for job in jobs:
            used = cpu_seconds(job)
            if used is None:
                continue
            samples = before.get(_key(job)) or deque()
            if samples and used < samples[-1][1]:
                samples.clear()  # another attempt
            samples.append((at_s, used))
            while len(samples) > 2 and samples[1][0] <= at_s - WINDOW_S:
                samples.popleft()
            self._samples[_key(job)] = samples

    def cores(self, job: Job) -> float | None:
        """Returns the cores that a job used over the last seconds; None while there are too few samples."""
        samples = self._samples.get(_key(job))
        if not samples or samples[-1][0] - samples[0][0] < SHORTEST_WINDOW_S:
            return None
        return (samples[-1][1] - samples[0][1]) / (samples[-1][0] - samples[0][0])


def cpu_seconds(job: Job) -> float | None:
    """Returns the CPU seconds of the worker, or None where the daemon has not measured them."""
    used = (job.get("usage") or {}).get("cpuSeconds")
    return None if used is None else float(used)


def average_cores(job: Job, now: datetime) -> float | None:
    """Returns the average cores since the worker's start, or None where unknown."""
    used, started = cpu_seconds(job), parse_time(job.get("startedAt"))
    if used is None or started is None:
        return None
    ran_s = ((parse_time(job.get("finishedAt")) or now) - started).total_seconds()
    return used / ran_s if ran_s > 0 else None


def cpu_text(job: Job, cores: float | None) -> str:
    """Returns the used cores and their limit: `0.92 / 2`; `-` means unknown."""
    limit = (job.get("limits") or {}).get("cpu")
    return _of("-" if cores is None else f"{cores:.2f}", None if limit is None else f"{limit:g}")


def memory_text(job: Job) -> str:
    """Returns the peak memory and its limit: `40.5 MiB / 512 MiB`; `-` means unknown."""
    peak = (job.get("usage") or {}).get("memoryPeakBytes")
    limit = (job.get("limits") or {}).get("memory")
    return _of(
        "-" if peak is None else bytes_text(int(peak)),
        None if limit is None else bytes_text(int(limit) << 20).replace(".0 ", " "),
    )


def _of(used: str, limit: str | None) -> str:
    return used if limit is None else f"{used} / {limit}"


def _key(job: Job) -> str:
    return str(job.get("uid") or job["id"])
