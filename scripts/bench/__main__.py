"""Measures the performance budgets as ratios, side by side in one run: `make bench`.

Prints a table, writes build/bench.json with every sample. Takes about three minutes. A missed budget is shown and is no
error: absolute speed depends on the machine, and a person judges the ratios.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.bench import deliveries
from scripts.bench.bare import Bare
from scripts.bench.pairs import Budget, Result, measure, table, timed_ms
from scripts.daemon import ROOT, Daemon

IMAGE = "busybox:latest"
OUT = ROOT / "build" / "bench.json"
JOBS, AT_ONCE = 40, 8

P1 = Budget("P1", f"jobctl run {IMAGE} true", f"docker run --rm {IMAGE} true", 1.25)
P2 = Budget(
    "P2", f"{JOBS} jobs, {AT_ONCE} at a time", "the same containers by the SDK", 0.9, "at-least", "jobs/s"
)
P3 = Budget("P3", "job with one write and one read", "the same two containers by the SDK", 1.3)
P7 = Budget("P7", "jobctl ls -q", "the smallest typer app", 1.5)

TRUE = {"image": IMAGE, "command": ["true"]}
WITH_ARTIFACTS = {
    "image": IMAGE,
    "command": ["sh", "-c", "cp in.txt out.txt"],
    "artifacts": [
        {"id": "given", "type": "write", "in": "42\n", "out": "in.txt"},
        {"id": "found", "type": "read", "in": "out.txt", "depends": "job"},
    ],
}
SMALLEST_TYPER_APP = """
import typer

app = typer.Typer()


@app.command()
def main() -> None:
    typer.echo("a")


app()
"""


class Ours:
    """Jobs through a jobd, removed after the measurement."""

    def __init__(self, jobd: Daemon) -> None:
        self.jobd = jobd
        self.made: list[str] = []

    def jobs(self, tree: dict[str, Any], count: int) -> float:
        """Returns the seconds from the first POST to the last job's end."""
        names = [f"bench-{uuid.uuid4().hex[:12]}" for _ in range(count)]
        self.made += names
        began = time.perf_counter()
        for name in names:
            status, answer = self.jobd.request("POST", "/v1/jobs", {**tree, "id": name})
            if status != 202:
                raise RuntimeError(f"POST /v1/jobs answered {status}: {answer}")
        for name in names:
            for frame in self.jobd.lines(f"/v1/jobs/{name}/logs?follow=1"):
                if "end" in frame and frame["end"]["status"] != "completed":
                    raise RuntimeError(f"{name} ended as {frame['end']}")
        return time.perf_counter() - began

    def sweep(self) -> None:
        """Deletes the jobs and waits for their removal, so that it affects no measurement."""
        for name in self.made:
            self.jobd.request("DELETE", f"/v1/jobs/{name}")
        going = {f"job-{name}-workspace" for name in self.made}
        self.made.clear()
        deadline = time.monotonic() + 120
        while going & set(self.jobd.left()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"deleted jobs are still there: {self.jobd.left()[:5]}")
            time.sleep(0.05)


def program(*arguments: str, jobd: Daemon | None = None) -> Callable[[], float]:
    """Returns a measurement of one program's wall time in milliseconds; it must succeed."""
    environment = os.environ | ({"JOBCTL_HOST": jobd.url} if jobd else {})

    def run() -> None:
        done = subprocess.run(
            arguments, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=60
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


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def benchmarks(jobd: Daemon, bare: Bare, folder: Path) -> list[Result]:
    """Takes all measurements."""
    ours = Ours(jobd)
    jobctl = str(Path(sys.executable).parent / "jobctl")
    smallest = folder / "smallest.py"
    smallest.write_text(SMALLEST_TYPER_APP)
    results = []

    def add(
        budget: Budget, one: Callable[[], float], other: Callable[[], float], pairs: int, limit_s: float
    ) -> None:
        say(f"{budget.number}: {budget.what}")
        one(), other()  # warms both up
        results.append(measure(budget, one, other, pairs, limit_s))

    add(P7, program(jobctl, "ls", "-q", jobd=jobd), program(sys.executable, str(smallest)), 25, 15)
    add(
        P1,
        program(jobctl, "run", IMAGE, "true", jobd=jobd),
        program("docker", "run", "--rm", IMAGE, "true"),
        15,
        25,
    )
    add(
        P3,
        after(lambda: ours.jobs(WITH_ARTIFACTS, 1) * 1000, ours.sweep),
        after(lambda: timed_ms(lambda: bare.job_with_artifacts(WITH_ARTIFACTS)), bare.sweep),
        12,
        40,
    )
    add(
        P2,
        after(lambda: JOBS / ours.jobs(TRUE, JOBS), ours.sweep),
        after(lambda: JOBS * 1000 / timed_ms(lambda: bare.jobs(TRUE, JOBS, AT_ONCE)), bare.sweep),
        3,
        60,
    )
    return results


def main() -> int:
    bare = Bare()
    try:
        with Daemon({"MAX_CONCURRENT_JOBS": str(AT_ONCE)}) as jobd, tempfile.TemporaryDirectory() as folder:
            results = benchmarks(jobd, bare, Path(folder))
    finally:
        bare.close()
    results += deliveries.benchmarks(say)
    results.sort(key=lambda result: result.budget.number)
    print(table(results), flush=True)
    OUT.parent.mkdir(exist_ok=True)
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    OUT.write_text(
        json.dumps({"machine": machine, "results": [result.as_json() for result in results]}, indent=1) + "\n"
    )
    say(f"all samples: {OUT.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
