"""P11: what a job costs a jobd that keeps 10,000 jobs, against a jobd that keeps 10.

The cost is the processor time of jobd for each job. Both daemons run all the time, and one of them works.
"""

from collections.abc import Callable, Iterator

from scripts.bench.pairs import Budget, Result, measure
from scripts.bench.support.job_runs import TRUE, JobRuns
from scripts.bench.support.kept_jobs import keep_jobs
from scripts.bench.support.processes import cpu_s
from scripts.bench.support.progress import begin
from scripts.daemon import Daemon

FEW, MANY = 10, 10_000
JOBS, AT_ONCE = 20, 8

CPU = Budget(
    "P11", f"jobd's processor time a job, {MANY:,} kept jobs", f"the same with {FEW} kept jobs", 1.15
)
WALL = Budget("P11-wall", f"wall time a job, {MANY:,} kept jobs", f"the same with {FEW} kept jobs")
BUDGETS = (CPU, WALL)


def benchmarks(wanted: frozenset[str]) -> Iterator[Result]:
    """Takes both measurements in one run."""
    begin(CPU)
    settings = {"MAX_CONCURRENT_JOBS": str(AT_ONCE)}
    with (
        Daemon(settings, prepare=lambda state: keep_jobs(state, MANY)) as grown,
        Daemon(settings, prepare=lambda state: keep_jobs(state, FEW)) as young,
    ):
        wall = Result(WALL)
        ours, theirs = _cost(JobRuns(grown), wall.ours), _cost(JobRuns(young), wall.theirs)
        ours(), theirs()  # warms both up
        wall.ours.clear()
        wall.theirs.clear()
        cpu = measure(CPU, ours, theirs, 4, 40)
    yield from (result for result in (cpu, wall) if result.budget.name in wanted)


def _cost(runs: JobRuns, walls_ms: list[float]) -> Callable[[], float]:
    """Returns a measurement of the processor time a job in milliseconds; each run adds its wall time a job to `walls_ms`."""

    def run() -> float:
        before_s = cpu_s(runs.jobd.process.pid)
        wall_s = runs.jobs(TRUE, JOBS)
        used_s = cpu_s(runs.jobd.process.pid) - before_s
        walls_ms.append(wall_s * 1000 / JOBS)
        runs.sweep()
        return used_s * 1000 / JOBS

    return run
