"""What jobs use of their limits, as the daemon measured it: cores, lately or on the whole, and the most memory at once.

Pure; the time is given. Asks nobody, and draws nothing.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from jobctl.job.units import bytes_text, parse_time

LATELY_S = 10.0
SHORTEST_S = 4.0
"""The daemon measures every two seconds: over less than this a share says more of when it looked than of the job."""

Job = dict[str, Any]


class Shares:
    """The cores that jobs use lately, from looks one after the other. Keeps no more than it was shown last."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[tuple[float, float]]] = {}

    def look(self, jobs: Iterable[Job], at_s: float) -> None:
        """Takes a look in, taken at `at_s` of a clock that is never set."""
        before, self._samples = self._samples, {}
        for job in jobs:
            used = cpu_seconds(job)
            if used is None:
                continue
            samples = before.get(_key(job)) or deque()
            if samples and used < samples[-1][1]:
                samples.clear()  # another attempt
            samples.append((at_s, used))
            while len(samples) > 2 and samples[1][0] <= at_s - LATELY_S:
                samples.popleft()
            self._samples[_key(job)] = samples

    def cores(self, job: Job) -> float | None:
        """Returns the cores that a job has used over the last seconds; None where it was not watched for long enough."""
        samples = self._samples.get(_key(job))
        if not samples or samples[-1][0] - samples[0][0] < SHORTEST_S:
            return None
        return (samples[-1][1] - samples[0][1]) / (samples[-1][0] - samples[0][0])


def cpu_seconds(job: Job) -> float | None:
    """Returns the seconds of CPU that the worker has used, None where they were not measured."""
    used = (job.get("usage") or {}).get("cpuSeconds")
    return None if used is None else float(used)


def average_cores(job: Job, now: datetime) -> float | None:
    """Returns the cores that a job has used since its worker was started, None where that cannot be told."""
    used, started = cpu_seconds(job), parse_time(job.get("startedAt"))
    if used is None or started is None:
        return None
    ran_s = ((parse_time(job.get("finishedAt")) or now) - started).total_seconds()
    return used / ran_s if ran_s > 0 else None


def cpu_text(job: Job, cores: float | None) -> str:
    """Returns cores in use and their limit: `0.92 / 2`; `-` stands for what is unknown."""
    limit = (job.get("limits") or {}).get("cpu")
    return _of("-" if cores is None else f"{cores:.2f}", None if limit is None else f"{limit:g}")


def memory_text(job: Job) -> str:
    """Returns the most memory at once and its limit: `40.5 MiB / 512 MiB`; `-` stands for what is unknown."""
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
