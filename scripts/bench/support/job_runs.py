"""Jobs and programs that the benchmarks run through a jobd, and their removal after the measurement."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.bench.pairs import timed_ms
from scripts.daemon import Daemon

IMAGE = "busybox:latest"
TRUE = {"image": IMAGE, "command": ["true"]}
JOBCTL = str(Path(sys.executable).parent / "jobctl")
PROGRAM_S = 60
REMOVED_S = 120
CALM_S, CALM_LIMIT_S = 0.2, 10.0


class JobRuns:
    """Runs jobs through one jobd; `sweep` removes these jobs and no others."""

    def __init__(self, jobd: Daemon) -> None:
        self.jobd = jobd
        self.made: list[str] = []

    def submit(self, tree: dict[str, Any]) -> str:
        """Submits one job and returns its id."""
        name = f"bench-{uuid.uuid4().hex[:12]}"
        self.made.append(name)
        status, answer = self.jobd.request("POST", "/v1/jobs", {**tree, "id": name})
        if status != 202:
            raise RuntimeError(f"POST /v1/jobs answered {status}: {answer}")
        return name

    def wait(self, name: str) -> None:
        """Follows the job's log to the job's end, which must be `completed`."""
        for frame in self.jobd.lines(f"/v1/jobs/{name}/logs?follow=1"):
            if "end" in frame and frame["end"]["status"] != "completed":
                raise RuntimeError(f"{name} ended as {frame['end']}")

    def jobs(self, tree: dict[str, Any], count: int) -> float:
        """Returns the seconds from the first POST to the last job's end."""
        began = time.perf_counter()
        for name in [self.submit(tree) for _ in range(count)]:
            self.wait(name)
        return time.perf_counter() - began

    def adopt(self, prefix: str) -> None:
        """Adds the jobs whose id has this prefix to those that `sweep` removes."""
        page = self.jobd.request("GET", f"/v1/jobs?limit=1000&prefix={prefix}")[1]
        self.made += [job["id"] for job in page["jobs"]]

    def sweep(self) -> None:
        """Deletes the jobs and waits until their objects are removed, so that the removal affects no measurement."""
        for name in self.made:
            self.jobd.request("DELETE", f"/v1/jobs/{name}")
        going = tuple(f"job-{name}-" for name in self.made)
        self.made.clear()
        deadline = time.monotonic() + REMOVED_S
        while left := [name for name in self.jobd.left() if name.startswith(going)]:
            if time.monotonic() > deadline:
                raise RuntimeError(f"deleted jobs are still there: {left[:5]}")
            time.sleep(0.05)
        self.calm()

    def calm(self) -> None:
        """Returns once the jobd's objects on the engine have not changed for a moment: what jobd prepares for the next jobs, or still
        removes, must not slow down the other side of a pair.
        """
        deadline = time.monotonic() + CALM_LIMIT_S
        before, now = None, self.jobd.left()
        while before != now and time.monotonic() < deadline:
            time.sleep(CALM_S)
            before, now = now, self.jobd.left()


def program(*arguments: str, jobd: Daemon | None = None) -> Callable[[], float]:
    """Returns a measurement of one program's wall time in milliseconds; the program must succeed."""
    environment = os.environ | ({"JOBCTL_HOST": jobd.url} if jobd else {})

    def run() -> None:
        done = subprocess.run(
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=PROGRAM_S,
        )
        if done.returncode:
            raise RuntimeError(f"{arguments[0]} ended with {done.returncode}: {done.stderr[-400:]!r}")

    return lambda: timed_ms(run)


def after(measured: Callable[[], float], tidy: Callable[[], None]) -> Callable[[], float]:
    """Returns a measurement with a clean-up after its clock has stopped."""

    def run() -> float:
        value = measured()
        tidy()
        return value

    return run
