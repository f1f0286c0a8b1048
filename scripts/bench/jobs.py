"""P1 to P3 and P7: jobs against the same containers without jobd, with and without the sandbox pool; the start of jobctl.

Owns these rows and their budgets. `support/bare.py` is the other side of P2 and P3.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
            measurements = Measurements(JobRuns(jobd), bare, Path(folder), 0.6 if shorter else 1.0)
            for budget in budgets:
                begin(budget)
                yield measurements.take(budget)
    finally:
        bare.close()


@dataclass(frozen=True, slots=True)
class Measurements:
    """The measurements on one jobd. `share`: the part of the usual pairs and seconds that each takes."""

    runs: JobRuns
    bare: Bare
    folder: Path
    share: float

    def take(self, budget: Budget) -> Result:
        """Measures one row; the rows with and without the pool have the same measurement."""
        match budget.name.removesuffix("-off"):
            case "P1":
                return self._one_job(budget)
            case "P2":
                return self._many_jobs(budget)
            case "P3":
                return self._files(budget)
            case "P7":
                return self._start_of_jobctl(budget)
            case _:
                return self._true_with_files(budget)

    def _one_job(self, budget: Budget) -> Result:
        ours = after(program(JOBCTL, "run", IMAGE, "true", jobd=self.runs.jobd), self.runs.calm)
        result = self._measure(budget, ours, program("docker", "run", "--rm", IMAGE, "true"), 15, 25)
        self.runs.adopt("busybox")
        self.runs.sweep()
        return result

    def _many_jobs(self, budget: Budget) -> Result:
        runs, bare = self.runs, self.bare

        def ours(count: int = JOBS) -> float:
            return count / runs.jobs(TRUE, count)

        def theirs(count: int = JOBS) -> float:
            return count * 1000 / timed_ms(lambda: bare.jobs(TRUE, count, AT_ONCE))

        ours(AT_ONCE), theirs(AT_ONCE)  # fewer jobs warm both up, too
        runs.sweep()
        bare.sweep()
        return self._measure(budget, after(ours, runs.sweep), after(theirs, bare.sweep), 6, 120, is_warm=True)

    def _files(self, budget: Budget) -> Result:
        ours = after(lambda: self.runs.jobs(WRITE_AND_READ, 1) * 1000, self.runs.sweep)
        theirs = after(
            lambda: timed_ms(lambda: self.bare.job_with_artifacts(WRITE_AND_READ)), self.bare.sweep
        )
        return self._measure(budget, ours, theirs, 10, 30)

    def _true_with_files(self, budget: Budget) -> Result:
        ours = after(lambda: self.runs.jobs(TRUE_WRITE_AND_READ, 1) * 1000, self.runs.sweep)
        ours()  # warms it up
        return sample(budget, ours, 8, 12)

    def _start_of_jobctl(self, budget: Budget) -> Result:
        smallest = self.folder / "smallest.py"
        smallest.write_text(SMALLEST_TYPER_APP)
        ours = program(JOBCTL, "ls", "-q", jobd=self.runs.jobd)
        return self._measure(budget, ours, program(sys.executable, str(smallest)), 25, 15)

    def _measure(
        self,
        budget: Budget,
        ours: Callable[[], float],
        theirs: Callable[[], float],
        pairs: int,
        limit_s: float,
        *,
        is_warm: bool = False,
    ) -> Result:
        if not is_warm:
            ours(), theirs()
        return measure(budget, ours, theirs, max(2, round(pairs * self.share)), limit_s * self.share)
