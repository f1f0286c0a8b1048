"""P8: a long log, by jobctl from jobd's store, against the same container's log by docker.

The job's own worker has the log that docker prints, so that both programs print the same bytes.
"""

import subprocess
from collections.abc import Callable, Iterator

from scripts.bench.pairs import Budget, Result, measure
from scripts.bench.support.job_runs import IMAGE, JOBCTL, PROGRAM_S, JobRuns, program
from scripts.bench.support.progress import begin
from scripts.daemon import Daemon

LINES = 200_000

P8 = Budget("P8", f"jobctl logs, {LINES:,} lines", "docker logs", 0.7, "at-least", "lines/s")
BUDGETS = (P8,)


def printing(lines: int) -> dict[str, object]:
    """Returns a job that prints so many lines of 62 bytes as fast as possible."""
    return {
        "image": IMAGE,
        "command": ["awk", f'BEGIN {{ while (n++ < {lines}) printf "%056d line\\n", n }}'],
    }


def benchmarks(wanted: frozenset[str]) -> Iterator[Result]:
    """Takes the measurement."""
    begin(P8)
    with Daemon() as jobd:
        runs = JobRuns(jobd)
        name = runs.submit(printing(LINES))
        runs.wait(name)
        ours, theirs = (JOBCTL, "--host", jobd.url, "logs", name), ("docker", "logs", f"job-{name}-worker")
        if _output(*ours) != _output(*theirs):  # warms both up, too
            raise RuntimeError("jobctl and docker print different logs")
        yield measure(P8, _rate(*ours), _rate(*theirs), 7, 25)
        runs.sweep()


def _output(*arguments: str) -> bytes:
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROGRAM_S)
    lines = done.stdout.count(b"\n")
    if done.returncode or lines != LINES:
        raise RuntimeError(
            f"{arguments[0]} ended with {done.returncode} after {lines} lines: {done.stderr[-400:]!r}"
        )
    return done.stdout


def _rate(*arguments: str) -> Callable[[], float]:
    took_ms = program(*arguments)
    return lambda: LINES * 1000 / took_ms()
