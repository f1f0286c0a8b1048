"""P1 to P3 and P7: jobs against the same containers without jobd, with and without the sandbox pool; the start of jobctl.

Owns these rows and their budgets. `support/bare.py` is the other side of P2 and P3.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from jobd.settings.config import NAMES
from scripts.bench.pairs import Budget, Result, Row, Skipped, measure, sample, timed_ms
from scripts.bench.support.bare import Bare
from scripts.bench.support.job_runs import IMAGE, JOBCTL, TRUE, JobRuns, after, program
from scripts.bench.support.progress import begin
from scripts.daemon import Daemon

JOBS, AT_ONCE = 40, 8
POOL = "SANDBOX_POOL"
"""The setting of jobd with which the rows `-off` run: no prepared network namespaces."""

P1 = Budget("P1", f"jobctl run {IMAGE} true", f"docker run --rm {IMAGE} true", 0.8)
P2 = Budget(
    "P2", f"{JOBS} jobs, {AT_ONCE} at a time", "the same containers by the SDK", 1.8, "at-least", "jobs/s"
)
P3 = Budget("P3", "job with one write and one read", "the same two containers by the SDK", 0.9)
P3_TRUE = Budget("P3-true", "true with one write and one read, POST to end")
P7 = Budget("P7", "jobctl ls -q", "the smallest typer app", 1.5)
P1_OFF, P2_OFF, P3_OFF = (
    replace(budget, name=f"{budget.name}-off", what=f"{budget.what}, without the pool", bound=bound)
    for budget, bound in ((P1, 1.25), (P2, 0.95), (P3, 1.2))
)
WITH_POOL = (P1, P2, P3, P3_TRUE, P7)
WITHOUT_POOL = (P1_OFF, P2_OFF, P3_OFF)
BUDGETS = (P1, P1_OFF, P2, P2_OFF, P3, P3_OFF, P3_TRUE, P7)

WRITE_AND_READ = {
    "image": IMAGE,
    "command": ["sh", "-c", "cp in.txt out.txt"],
    "artifacts": [
        {"id": "given", "type": "write", "in": "42\n", "out": "in.txt"},
        {"id": "found", "type": "read", "in": "out.txt", "depends": "job"},
    ],
}
TRUE_WRITE_AND_READ = {
    **TRUE,
    "artifacts": [
        {"id": "given", "type": "write", "in": "42\n", "out": "in.txt"},
        {"id": "found", "type": "read", "in": "in.txt", "depends": "job"},
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


def benchmarks(wanted: frozenset[str]) -> Iterator[Row]:
    """Takes the wanted measurements, each pair on an otherwise idle engine."""
    pooled = [budget for budget in WITH_POOL if budget.name in wanted]
    unpooled = [budget for budget in WITHOUT_POOL if budget.name in wanted]
    if pooled:
        yield from _on_one_jobd({}, pooled, shorter=False)
    if unpooled and POOL not in NAMES:
        for budget in unpooled:
            yield Skipped(budget.name, f"this jobd has no setting {POOL}")
    elif unpooled:
        yield from _on_one_jobd({POOL: "off"}, unpooled, shorter=True)


def _on_one_jobd(variables: dict[str, str], budgets: list[Budget], *, shorter: bool) -> Iterator[Result]:
    bare = Bare()
    try:
        with (
            Daemon({"MAX_CONCURRENT_JOBS": str(AT_ONCE), **variables}) as jobd,
            tempfile.TemporaryDirectory() as folder,
        ):
            runs = JobRuns(jobd)
            for budget in budgets:
                begin(budget)
                yield _measured(budget, runs, bare, Path(folder), 0.6 if shorter else 1.0)
    finally:
        bare.close()


def _measured(budget: Budget, runs: JobRuns, bare: Bare, folder: Path, share: float) -> Result:
    match budget.name.removesuffix("-off"):
        case "P1":
            ours = after(program(JOBCTL, "run", IMAGE, "true", jobd=runs.jobd), runs.calm)
            theirs = program("docker", "run", "--rm", IMAGE, "true")
            pairs, limit_s = 15, 25.0
        case "P2":
            ours = after(lambda: JOBS / runs.jobs(TRUE, JOBS), runs.sweep)
            theirs = after(lambda: JOBS * 1000 / timed_ms(lambda: bare.jobs(TRUE, JOBS, AT_ONCE)), bare.sweep)
            pairs, limit_s = 3, 45.0
        case "P3":
            ours = after(lambda: runs.jobs(WRITE_AND_READ, 1) * 1000, runs.sweep)
            theirs = after(lambda: timed_ms(lambda: bare.job_with_artifacts(WRITE_AND_READ)), bare.sweep)
            pairs, limit_s = 10, 30.0
        case "P7":
            smallest = folder / "smallest.py"
            smallest.write_text(SMALLEST_TYPER_APP)
            ours = program(JOBCTL, "ls", "-q", jobd=runs.jobd)
            theirs = program(sys.executable, str(smallest))
            pairs, limit_s = 25, 15.0
        case _:
            ours = after(lambda: runs.jobs(TRUE_WRITE_AND_READ, 1) * 1000, runs.sweep)
            ours()
            return sample(budget, ours, 8, 12.0)
    ours(), theirs()  # warms both up
    result = measure(budget, ours, theirs, max(2, round(pairs * share)), limit_s * share)
    if budget.name.startswith("P1"):
        runs.adopt("busybox")
        runs.sweep()
    return result
